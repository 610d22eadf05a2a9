-- fashion.lua -- examples/fashion_ae.lua at a tiny size, on images made here: what it
-- writes, what must hold of it, sweeps, caches, wrong options.
local t = require "tests.check"
local tide = require "tide"
local tensor = tide.tensor
local program = arg[-1]


local images = t.folder()
require("tests.bars")(images)
local cache = t.folder()

local TINY = "--steps 12 --width 16 --batch 32 --flow-steps 12 --flow-width 16 " ..
  "--judge-steps 20 "

local function run(line)
  return t.shell(("%s examples/fashion_ae.lua --data %s --cache %s %s %s"):format(
    program, images, cache, TINY, line))
end

local read = t.read

-- The object under a key of summary.json, or the number.
local function part(json, key)
  return json:match('"' .. key .. '": (%b{})') or
    tonumber(json:match('"' .. key .. '": (%-?[%d.e+-]+)'))
end

t.test("every method: files, figures, a verdict", function()
  local dir = t.folder()
  local text, status = run("--loss align,likelihood,excess --out " .. dir)
  t.eq(status, 0, text)
  local s = read(dir .. "/summary.json")
  local methods = part(s, "methods")
  for _, name in ipairs { "plain", "vae", "cosine", "align", "likelihood", "excess" } do
    local r = part(methods, name)
    t.ok(r, name)
    for _, key in ipairs { "psnr", "ssim", "align", "align_error", "log_radius", "spread",
                           "frechet", "precision", "recall", "class_score", "pearson",
                           "sliced_w2", "seconds" } do
      local value = part(r, key)
      t.ok(value and value == value, name .. "." .. key)
    end
    t.ok(r:find('"verdict": "', 1, true))
    t.ok(part(r, "psnr") > 5 and part(r, "ssim") < 1)
    local z = tide.data.load(("%s/latents_%s.npy"):format(dir, name))
    t.eq(z:size(1), 90)
    t.eq(z:size(2), 2)
    local header = read(("%s/curve_%s.csv"):format(dir, name)):match("[^\n]*")
    t.eq(header, "step,psnr,align,log_radius")
  end
  t.ok(part(s, "judge_accuracy") > 0.8, "bars are told apart")
  -- the last method's figures stand at the top, for sweeps
  t.eq(tonumber(s:match('\n  "align": ([%d.e+-]+)')), part(part(methods, "excess"), "align"))
  if tide.plot.can_save then
    for _, name in ipairs { "latents", "curves", "samples", "reconstructions", "manifold" } do
      t.eq(read(("%s/%s.png"):format(dir, name)):sub(2, 4), "PNG")
      t.eq(read(("%s/%s.pdf"):format(dir, name)):sub(2, 4), "PDF")
    end
  end
  t.ok(text:find("the prior's own", 1, true) and text:find("real images", 1, true))
  os.execute("rm -r " .. dir)
end)

t.test("the cache changes nothing; a weight of 0 is the plain autoencoder", function()
  local a, b = t.folder(), t.folder()
  os.execute("rm -f " .. cache .. "/*")
  local text, status = run("--methods plain,align --lambda 0 --out " .. a)
  t.eq(status, 0, text)
  t.ok(read(a .. "/summary.json"):find('"flow_cached": false', 1, true))
  text, status = run("--methods align --lambda 0 --out " .. b)
  t.eq(status, 0, text)
  t.ok(read(b .. "/summary.json"):find('"flow_cached": true', 1, true))
  local x = tide.data.load(a .. "/latents_align.npy")
  t.ok(x:equal(tide.data.load(b .. "/latents_align.npy")))
  local function floor(dir) return part(read(dir .. "/summary.json"), "align_floor") end
  t.eq(floor(a), floor(b))
  t.ok(x:allclose(tide.data.load(a .. "/latents_plain.npy"), { atol = 1e-4 }))
  os.execute("rm -r " .. a .. " " .. b)
end)

t.test("priors of more dimensions: a mixture, features, vectors from a file", function()
  local dir = t.folder()
  tide.data.save(dir .. "/words.safetensors", { words = tensor.randn(60, 12) })
  for _, line in ipairs { "--latent 5", "--latent 4 --prior features --projection avgpool",
      "--latent 3 --prior random-features",
      "--latent 4 --projection pca --vectors " .. dir .. "/words.safetensors:words" } do
    local text, status = run("--methods align " .. line .. " --out " .. dir)
    t.eq(status, 0, text)
    local z = tide.data.load(dir .. "/latents_align.npy")
    t.eq(z:size(2), tonumber(line:match("%d")))
  end
  os.execute("rm -r " .. dir)
end)

t.test("a sweep over lambda: only the aligned one, a table and its files", function()
  local dir = t.folder()
  local text, status = run("--sweep lambda=0,0.1 --loss align --out " .. dir)
  t.eq(status, 0, text)
  local rows = read(dir .. "/sweep.csv")
  t.ok(rows:match("^lambda,seed,status"), rows)
  t.eq(select(2, rows:gsub("\n", "\n")), 3)
  t.ok(rows:find("psnr", 1, true) and rows:find("log_radius", 1, true))
  t.ok(not rows:find("plain", 1, true))
  os.execute("rm -r " .. dir)
end)

t.test("a run that is killed goes on to the same numbers", function()
  local whole, cut = t.folder(), t.folder()
  local line = "--methods excess --steps 300 --checkpoint 20 --out "
  local text, status = run(line .. whole)
  t.eq(status, 0, text)
  local file = cut .. "/checkpoint_excess.safetensors"
  os.execute(("%s examples/fashion_ae.lua --data %s --cache %s %s %s%s >%s/log 2>&1 & " ..
    "p=$!; while [ ! -e %s ] && kill -0 $p; do sleep 0.02; done; kill -9 $p")
    :format(program, images, cache, TINY, line, cut, cut, file))
  t.ok(tide.checkpoint.exists(file), "cut off before its end")
  text, status = run(line .. cut .. " --lambda 0.5 --resume")
  t.eq(status, 1)
  t.ok(text:find("other options", 1, true), text)
  text, status = run(line .. cut .. " --resume")
  t.eq(status, 0, text)
  for _, name in ipairs { "latents_excess.npy", "curve_excess.csv" } do
    t.ok(read(whole .. "/" .. name) == read(cut .. "/" .. name), name)
  end
  t.ok(not tide.checkpoint.exists(file), "nothing is left to go on with")
  os.execute("rm -r " .. whole .. " " .. cut)
end)

t.test("wrong options are answered", function()
  for line, want in pairs {
    ["--loss aling"] = "did you mean align",
    ["--methods plan"] = "did you mean plain",
    ["--prior mogg"] = "no target 'mogg'",
    ["--prior mog --latent 3"] = "lies in the plane",
    ["--prior mog --vectors x.npy"] = "not both",
    ["--data /nowhere"] = "/nowhere",
  } do
    local text, status = run(line .. " --out " .. cache .. "/none")
    t.eq(status, 1)
    t.ok(text:find(want, 1, true), line .. " gave: " .. text)
  end
end)

os.execute(("rm -r %s %s"):format(images, cache))
