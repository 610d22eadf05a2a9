-- examples.lua -- the examples, run short: what they write, what must hold of it,
-- and how they answer wrong options.
local t = require "tests.check"
local tide = require "tide"
local program = arg[-1]

local function folder()
  local name = os.tmpname()
  os.remove(name)
  return name
end

-- Runs an example: what it printed, and its status.
local function run(line) return t.shell(("%s %s"):format(program, line)) end

local read = t.read

-- The number under a key of summary.json's top level (two spaces of indent).
local function figure(summary, key)
  return tonumber(summary:match('\n  "' .. key .. '": (%-?[%d.e+-]+)'))
end

t.test("toy on the exact field: files, and what theory says of them", function()
  local dir = folder()
  local text, status = run(("examples/toy.lua --exact --loss align --align-steps 600 " ..
    "--latents 200 --grid 24 --draws 32 --latent-lr 0.05 --out %s"):format(dir))
  t.ok(status == 0, text)
  local latents = tide.data.load(dir .. "/latents.npy")
  t.eq(latents:size(1), 200)
  t.eq(latents:size(2), 2)
  for _, name in ipairs { "landscape", "nll" } do
    local z = tide.data.load(dir .. "/" .. name .. ".npy")
    t.eq(z:size(1), 24)
    t.eq(z:size(2), 24)
  end
  t.eq(tide.data.load(dir .. "/grid.npy"):get(1), -2.5)
  local s = read(dir .. "/summary.json")
  -- theory: collapse shows as a loss below the floor and a small spread
  t.ok(figure(s, "align_final") < figure(s, "align_floor"))
  t.ok(figure(s, "within_std_ratio") < 0.5)
  t.ok(figure(s, "pearson_landscape") > 0.9)
  t.ok(figure(s, "final_nll") < figure(s, "data_nll") + 0.2)
  local rows = 0
  for line in io.lines(dir .. "/curve.csv") do
    if rows == 0 then t.eq(line, "step,align,nll") end
    rows = rows + 1
  end
  t.ok(rows > 10)
  if tide.plot.can_save then
    for _, name in ipairs { "toy.png", "toy.pdf", "snapshots.png" } do
      t.ok(#read(dir .. "/" .. name) > 10000, name)
    end
    t.eq(read(dir .. "/toy.png"):sub(2, 4), "PNG")
  end
  t.ok(text:find("collapsed", 1, true), "the table names collapse")
  os.execute("rm -r " .. dir)
end)

t.test("toy below the floor on a target without modes", function()
  local text, status = run(("examples/toy.lua --target moons --loss align --steps 200 --width 32 " ..
    "--blocks 1 --align-steps 150 --latent-lr 0.2 --latents 60 --grid 4 --draws 8 " ..
    "--out '%s'"):format(t.tmp "moons"))
  t.eq(status, 0, text)
  local function loss(row) return tonumber(text:match("\n" .. row .. " +%-?[%d.]+ +([%d.]+)")) end
  t.ok(loss "align" < loss "data", text)
end)

t.test("toy with a trained flow: every loss, every file", function()
  local dir = folder()
  local text, status = run(("examples/toy.lua --target rings --steps 30 --align-steps 20 " ..
    "--latents 64 --grid 8 --draws 8 --width 16 --blocks 1 --out %s"):format(dir))
  t.ok(status == 0, text)
  local s = read(dir .. "/summary.json")
  for _, name in ipairs { "align", "likelihood", "excess" } do
    t.ok(s:find('"' .. name .. '": {', 1, true), name)
  end
  local names = select(2, tide.data.load(dir .. "/flow.safetensors"))
  t.ok(#names > 10)
  t.ok(read(dir .. "/curve_excess.csv"):find("step"))
  os.execute("rm -r " .. dir)
end)

t.test("the same seed writes the same latents", function()
  local function latents(more)
    local dir = folder()
    local text, status = run(("examples/toy.lua --loss align --steps 10 --align-steps 10 " ..
      "--latents 32 --grid 4 --draws 4 --width 16 --blocks 1 --out %s %s"):format(dir, more))
    t.ok(status == 0, text)
    local x = tide.data.load(dir .. "/latents.npy")
    os.execute("rm -r " .. dir)
    return x
  end
  local first = latents("--seed 3")
  t.ok(first:equal(latents("--seed 3")))
  t.ok(not first:equal(latents("--seed 4")))
end)

t.test("word: a picture as target, its files and figures", function()
  local dir = folder()
  local img = tide.tensor.ones(20, 60)
  img:narrow(1, 5, 10):narrow(2, 5, 50):fill_(0)
  img:narrow(1, 8, 4):narrow(2, 10, 40):fill_(1)         -- a frame
  tide.data.save(dir .. "-frame.png", img)
  local short = " --steps 30 --align-steps 8 --latents 60 --width 16 --blocks 1 --out " .. dir
  local text, status = run("examples/word.lua --loss all --image " .. dir .. "-frame.png" .. short)
  t.ok(status == 0, text)
  local s = read(dir .. "/summary.json")
  t.near(tonumber(s:match('"data": {.-"on_ink": ([%d.e+-]+)')), 1, 0)
  for _, name in ipairs { "align", "likelihood", "excess" } do
    t.eq(tide.data.load(dir .. "/latents_" .. name .. ".npy").shape, { 60, 2 })
  end
  if tide.plot.can_save then
    t.eq(read(dir .. "/aligned.png"):sub(2, 4), "PNG")
    text, status = run("examples/word.lua --word fl" .. short)
    t.ok(status == 0, text)
    t.ok(tide.data.load(dir .. "/word.png"):min():item() == 0)
  end
  os.execute("rm -r " .. dir .. " " .. dir .. "-frame.png")
end)

t.test("bound: the surrogate exceeds log p where theory says so", function()
  local dir = folder()
  local text, status = run(("examples/bound.lua --points 40 --samples 64 --steps 20 " ..
    "--grid 8 --out %s"):format(dir))
  t.ok(status == 0, text)
  local s = read(dir .. "/summary.json")
  local first = s:match('%b{}', s:find("{", 2, true))
  t.near(tonumber(first:match('"C": ([%d.e+-]+)')), 1, 1e-6)
  t.near(tonumber(first:match('"log_p": ([%d.e+-]+)')), 1 - math.log(2 * math.pi) / 2, 1e-6)
  t.near(tonumber(first:match('"violations": ([%d.e+-]+)')), 1, 0.05)
  os.execute("rm -r " .. dir)
end)

t.test("gallery: a picture for each kind of artist", function()
  if not tide.plot.can_save then t.skip("no drawing") end
  local dir = folder()
  local text, status = run("examples/gallery.lua --theme dark --out " .. dir)
  t.ok(status == 0, text)
  local n = 0
  for name in read(dir .. "/summary.json"):match('"pictures": (%b[])'):gmatch('"([%w_]+)"') do
    t.eq(read(("%s/%s.png"):format(dir, name)):sub(2, 4), "PNG")
    n = n + 1
  end
  t.ok(n >= 16, n .. " pictures")
  text, status = run("examples/gallery.lua --only streem --out " .. dir)
  t.ok(status == 1 and text:find("there is no picture 'streem'", 1, true), text)
  os.execute("rm -r " .. dir)
end)

t.test("options: help, and clear answers to wrong ones", function()
  local text, status = run("examples/toy.lua --help")
  t.eq(status, 0)
  t.ok(text:find("--align-steps", 1, true) and text:find("--seed", 1, true))
  for line, want in pairs {
    ["--targit mog"] = "did you mean %-%-target",
    ["--target mogg"] = "is one of",
    ["--steps many"] = "wants a number",
    ["--steps"] = "wants a value",
    ["mog"] = "is no option",
    ["--device cudda"] = "no device",
    ["--out /proc/none"] = "cannot make the folder",
  } do
    text, status = run("examples/toy.lua --exact --align-steps 1 --latents 16 " .. line)
    t.eq(status, 1)
    t.ok(text:find(want), line .. " gave: " .. text)
  end
end)
