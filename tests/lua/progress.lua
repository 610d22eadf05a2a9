-- progress.lua -- tide.progress: rates, plain lines, what is shown and what is not.
local t = require("tests.check")
local tide = require("tide")

local core = require("tide.job.core")
local program = arg[-1]

-- What a script writes to stderr, which is no terminal here, and to stdout.
local function run(script, environment)
  local file, err = t.tmp("script.lua"), t.tmp("err")
  local f = assert(io.open(file, "w"))
  f:write('local tide = require "tide"\n',
    "local function spin(s) local from = tide.clock() while tide.clock() - from < s do end end\n",
    script)
  f:close()
  local p = assert(io.popen(("%s %s %s 2>%s"):format(environment or "", program, file, err)))
  local out = p:read("a")
  t.ok(p:close(), "the script failed")
  f = assert(io.open(err))
  local text = f:read("a")
  f:close()
  return text, out
end

t.test("a for loop goes from 1 to n", function()
  local seen = {}
  for i in tide.progress(4, { label = "n" }) do seen[#seen + 1] = i end
  t.eq(seen, { 1, 2, 3, 4 })
  for _ in tide.progress(0) do error("a round of none") end
end)

t.test("status counts, and reads tensors", function()
  local bar <close> = tide.progress { label = "a", total = 8, unit = "row" }
  bar:update(2, { loss = tide.tensor.full({}, 0.25), name = "x" })
  bar:update()
  local s = bar:status()
  t.eq({ s.step, s.total, s.label, s.unit }, { 3, 8, "a", "row" })
  t.near(s.fraction, 3 / 8)
  t.near(s.figures.loss, 0.25)
  t.ok(s.text:find("3/8", 1, true) and s.text:find("loss 0.25", 1, true), s.text)
  t.near(s.left, (8 - 3) / s.rate, 1e-6 / s.rate)
end)

t.test("no total: a count and the time since", function()
  local bar <close> = tide.progress { label = "a" }
  bar:update(5)
  local s = bar:status()
  t.ok(s.left == nil and s.fraction == nil)
  t.ok(s.text:find("5 step", 1, true), s.text)
  t.eq(bar:fraction(), 0)
end)

-- The status after 100 steps of which step i takes seconds(i), by a clock of our own.
local function played(seconds)
  local clock, tick, call, now = tide.clock, core.tick, getmetatable(tide.progress).__call, 0
  tide.clock = function() return now end
  core.tick = function() return now, false end
  tide.progress.enabled = false
  package.loaded["tide.progress"] = nil
  require("tide.progress")
  local bar = tide.progress { total = 1000 }
  for i = 1, 100 do
    now = now + seconds(i)
    bar:update(i)
  end
  local status = bar:status()
  tide.clock, core.tick, getmetatable(tide.progress).__call = clock, tick, call
  tide.progress.enabled = true
  return status
end

t.test("the rate passes over pauses", function()
  local s = played(function(i) return i == 90 and 3600 or 1 end)
  t.near(s.rate, 1)
  t.near(s.left, 900)
end)

t.test("the rate follows a loop that gets faster", function()
  t.near(played(function(i) return i <= 50 and 2 or 1 end).rate, 1)
end)

t.test("the rate counts rounds that take longer now and then", function()
  t.near(played(function(i) return i % 4 == 0 and 3 or 1 end).rate, 4 / 6, 0.05)
end)

t.test("mistakes are named", function()
  t.raises("unknown option 'lable'; did you mean 'label'", tide.progress, { lable = "x" })
  t.raises("total must be a number", tide.progress, { total = "9" })
  t.raises("total must be a number, not inf", tide.progress, { total = math.huge })
  t.raises("must be an integer", tide.progress, 2.5)
  t.raises("unit must be a string", tide.progress, { unit = true })
end)

t.test("a short loop shows nothing", function()
  local err = run("for i in tide.progress(200) do spin(0.001) end")
  t.eq(err, "")
end)

t.test("away from a terminal there are plain lines, now and then", function()
  local err, out = run([[
    local bar <close> = tide.progress { label = "flow", total = 30, every = 0.3 }
    for i = 1, 30 do
      spin(0.05)
      bar:update(i, { loss = 0.5 })
      if i % 15 == 0 then print("printed") end
    end]])
  t.eq(out, "printed\nprinted\n")
  local lines = 0
  for line in err:gmatch("[^\n]+") do
    t.ok(line:find("^flow  ") and line:find("/30", 1, true) and line:find("loss 0.5", 1, true), line)
    t.ok(not line:find("%c"), line)
    lines = lines + 1
  end
  t.ok(lines >= 2 and lines <= 4, lines .. " lines: " .. err)
  t.ok(err:find("30/30  %d+%.%d s  %S+ step/s  loss 0.5\n$"), err)
end)

t.test("it can be switched off", function()
  local script = [[
    local bar = tide.progress { total = 3, every = 0 }
    for i = 1, 3 do spin(0.5) bar:update(i) end
    bar:close()]]
  t.eq(run(script, "TIDE_PROGRESS=0"), "")
  t.eq(run("tide.progress.enabled = false\n" .. script), "")
  t.ok(run(script) ~= "")
end)

t.test("a loop that fails shows no end", function()
  local err = run([[
    pcall(function()
      for i in tide.progress(9, { label = "bad", every = 0.1 }) do
        spin(0.6)
        if i == 3 then error("stop") end
      end
    end)]])
  t.ok(err:find("bad", 1, true) and not err:find("%.%d s  "), err)
end)
