-- runs.lua -- tide.run, tide.runs, sweeps: what is written, what lists show, damage.
local t = require "tests.check"
local tide = require "tide"
local tensor = tide.tensor
local json = require "tide.json"
local program = arg[-1]

local read, write, shell = t.read, t.write, t.shell
local function record(run) return json.decode(read(run:path "run.json")) end

t.test("a record: options, versions, machine, status, summary", function()
  local run = tide.run { name = "exp", dir = t.tmp "a", seed = 3, note = "why",
    options = { lr = 1e-3, f = print, big = math.huge, sizes = { 1, 2 }, deep = { x = true } } }
  local r = record(run)
  t.eq(r.status, "running")
  t.eq(r.seed, 3)
  t.eq(r.options.lr, 1e-3)
  t.eq(r.options.big, "inf")
  t.eq(r.options.sizes, { 1, 2 })
  t.ok(r.options.deep.x and r.options.f:find "function")
  t.eq(r.version.springtide, tide.version)
  t.ok(r.version.lua:find "^Lua 5" and r.version.blas:find "OpenBLAS")
  t.ok(r.machine.host and r.machine.threads >= 1 and r.pid > 0)
  t.ok(r.started:find "^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$")
  run:finish { loss = 0.5, nested = { x = 1 } }
  r = record(run)
  t.eq(r.status, "finished")
  t.eq(r.summary, { loss = 0.5, nested = { x = 1 } })
  t.ok(r.seconds >= 0 and r.ended >= r.started)
  t.raises("is over", run.log, run, 1, {})
  t.eq(run.dir, t.tmp "a/exp")
end)

t.test("names that are taken, overwrite, resume", function()
  local function new(o)
    o.name, o.dir = "exp", t.tmp "b"
    return tide.run(o)
  end
  local first, second = new {}, new {}
  t.eq(second.dir, t.tmp "b/exp-2")
  first:log(1, { a = 1 }):log(2, { a = 2 }):log(3, { a = 3 }):finish()
  t.raises("overwrite=true", tide.run, { path = first.dir })
  local more = new { resume = true }
  t.eq(more.dir, first.dir)
  more:log(3, { a = 30 }):log(4, { a = 40, b = 1 }):finish()
  local x = tide.data.load(first:path "metrics.csv")
  t.eq(x:narrow(2, 1, 1):flatten():totable(), { 1, 2, 3, 4 })
  t.eq(x:narrow(2, 3, 1):flatten():totable(), { 1, 2, 30, 40 })
  t.eq(record(more).resumed, 1)
  new({ overwrite = true }):log(1, { c = 1 }):finish()
  t.ok(read(first:path "metrics.csv"):find "^step,seconds,c\n1,")
  second:finish()
end)

t.test("two loops in one run: names of their own, and lines that come again", function()
  local run = tide.run { path = t.tmp "two" }
  for step = 10, 30, 10 do run:log(step, { loss = step, rate = step == 30 and 1 or nil }) end
  local part = run:part "align"
  for step = 1, 15, 7 do part:log(step, { loss = -step }) end
  run:finish()
  local more = tide.run { path = t.tmp "two", resume = true }
  more:part "align":log(8, { loss = -80 })
  more:log(30, { loss = 300 }):finish()
  local rows = {}
  for i, row in ipairs(tide.data.load(run:path "metrics.csv"):totable()) do
    rows[i] = { row[1], row[3], row[4], row[5] }
  end
  t.near(rows, { { 10, 10, 0 / 0, 0 / 0 }, { 20, 20, 0 / 0, 0 / 0 }, { 1, 0 / 0, 0 / 0, -1 },
                 { 8, 0 / 0, 0 / 0, -80 }, { 30, 300, 0 / 0, 0 / 0 } })
  t.eq(tide.runs(run.dir)[1].metrics["align.loss"], -80)
  t.raises("give the name", run.part, run)
end)

t.test("metrics: new columns, values of every kind, whole lines", function()
  local run = tide.run { path = t.tmp "c" }
  run:log(1, { loss = tensor.from(0.5) })
  run:log(2, { loss = 0 / 0, n = 3 })
  run:log(3, { n = math.huge, flag = true })
  local lines = {}
  for line in io.lines(run:path "metrics.csv") do
    lines[#lines + 1] = line:gsub("^(%w+),[^,]*,", "%1,")
  end
  t.eq(lines, { "step,loss,n,flag", "1,0.5,,", "2,nan,3,", "3,,inf,1" })
  t.raises("must be a number", run.log, run, 4, { loss = "x" })
  t.raises("no name for a column", run.log, run, 4, { ["a,b"] = 1 })
  t.raises("give the step", run.log, run, { loss = 1 })
  run:finish()
  write(run:path "metrics.csv", read(run:path "metrics.csv") .. "4,0.1,0.2")     -- cut off
  local again = tide.run { path = t.tmp "c", resume = true }
  again:log(9, { loss = 1 }):finish()
  local text = read(run:path "metrics.csv")
  t.ok(not text:find("4,0.1", 1, true) and text:find("\n9,", 1, true), text)
end)

t.test("how runs end: errors, Ctrl-C, programs that just stop", function()
  local function ends(f)
    local run
    pcall(function()
      run = tide.run { name = "e", dir = t.tmp "d" }
      local _ <close> = run
      f()
    end)
    return record(run)
  end
  t.eq(ends(function() end).status, "finished")
  local r = ends(function() error("bad luck") end)
  t.eq(r.status, "failed")
  t.ok(r.message:find "bad luck")
  t.eq(ends(function() error("interrupted!") end).status, "interrupted")
  local script = t.tmp "stop.lua"
  for code, want in pairs { ["os.exit(0, true)"] = "interrupted", ["os.exit(0)"] = "running" } do
    write(script, ("require'tide'.run{path=%q,overwrite=true} %s"):format(t.tmp "d/stop", code))
    shell(program .. " " .. script)
    t.eq(json.decode(read(t.tmp "d/stop/run.json")).status, want)
    local list = tide.runs(t.tmp "d/stop")
    t.eq(list[1].status, "interrupted")        -- the process is gone
  end
end)

t.test("git: the commit of the current folder", function()
  local dir, hash = t.tmp "repo", ("0123456789"):rep(4)
  os.execute(("mkdir -p '%s/.git/refs/heads' '%s/sub/deep'"):format(dir, dir))
  write(dir .. "/.git/HEAD", "ref: refs/heads/main\n")
  local script = t.tmp "git.lua"
  write(script, "require 'tide' local g = require('tide.run').git() print(g.commit, g.branch)")
  local function ask() return shell(("cd '%s/sub/deep' && %s %s"):format(dir, program, script)) end
  write(dir .. "/.git/refs/heads/main", hash .. "\n")
  t.eq(ask(), hash .. "\tmain\n")
  os.remove(dir .. "/.git/refs/heads/main")
  write(dir .. "/.git/packed-refs", "# pack-refs\n" .. hash .. " refs/heads/main\n")
  t.eq(ask(), hash .. "\tmain\n")
  write(dir .. "/.git/HEAD", hash .. "\n")
  t.eq(ask(), hash .. "\tnil\n")
end)

local function some_runs(dir)
  for i, lr in ipairs { 0.1, 0.3, 0.2 } do
    local run = tide.run { name = "exp", dir = dir, seed = i, options = { lr = lr, width = 64 } }
    for step = 1, 5 do run:log(step, { loss = lr / step }) end
    run:finish { final = -lr }
  end
end

t.test("lists: columns, sorting, patterns, differences", function()
  local dir = t.tmp "list"
  some_runs(dir)
  local list = tide.runs(dir)
  t.eq(#list, 3)
  local text = tostring(list)
  t.ok(text:find "name +date +status +seconds +seed +lr +loss +final\n", text)
  t.ok(not text:find "width", text)
  t.near(list[1].figures.loss, 0.02, 1e-9)
  local function names(o)
    local out = {}
    for i, r in ipairs(tide.runs(dir, o)) do out[i] = r.name end
    return out
  end
  t.eq(names { sort = "lr" }, { "exp", "exp-3", "exp-2" })
  t.eq(names { sort = "final" }, { "exp-2", "exp-3", "exp" })
  t.eq(names { sort = "-seed" }, { "exp-3", "exp-2", "exp" })
  local diff = tostring(tide.runs(dir .. "/exp", dir .. "/exp-2"))
  t.ok(diff:find "option lr +0.1 +0.3" and diff:find "figure final" and not diff:find "width", diff)
  t.ok(tostring(tide.runs(dir, { columns = { "width", "final" } })):find "width +final\n")
  local csv = tostring(tide.runs(dir, { csv = true }))
  t.ok(csv:find "^name,dir,date,status,seconds,seed,lr,width,final,loss,step\n", csv)
  local out = shell(("cd '%s/..' && mv list runs && %s runs 'exp-*' --sort lr"):format(dir, program))
  t.ok(out:find "exp%-3.*exp%-2" and not out:find "exp ", out)
  out = shell(("cd '%s/..' && %s runs exp-2 exp-3; mv runs list"):format(dir, program))
  t.ok(out:find "option lr +0.3 +0.2", out)
  local _, status = shell(program .. " runs --sot lr")
  t.eq(status, 1)
  t.raises("did you mean 'sort'", tide.runs, dir, { sorted = "x" })
  t.ok(tostring(tide.runs(t.tmp "nowhere")):find "there is no run")
end)

t.test("a CSV has each name once", function()
  local dir = t.tmp "twice"
  local run = tide.run { name = "exp", dir = dir, seed = 1,
    options = { steps = 5, same = 2, status = "x", name = "y" } }
  run:finish { steps = 4, same = 2, loss = 1 }
  local csv = tostring(tide.runs(dir, { csv = true }))
  t.eq(csv:match "^[^\n]*", "name,dir,date,status,seconds,seed,option name,same,option status,steps," ..
    "loss,figure steps")
  t.ok(csv:find ",y,2,x,5,1,4$", csv)
end)

t.test("pictures of curves", function()
  if not tide.plot.can_save then t.skip "no drawing" end
  local dir, out = t.tmp "curves", t.tmp "c.png"
  some_runs(dir)
  local text, status = shell(("%s runs '%s' --plot loss %s"):format(program, dir, out))
  t.eq(status, 0, text)
  t.ok(#read(out) > 3000)
  text, status = shell(("%s runs '%s' --plot lss %s"):format(program, dir, out))
  t.eq(status, 1)
  t.ok(text:find "^tide runs: runs:plot: none of 3 runs has a metric 'lss'; did you mean 'loss'%?", text)
end)

t.test("damaged folders are named, never an error", function()
  local dir = t.tmp "damage"
  some_runs(dir)
  write(dir .. "/exp/run.json", "{ \"name\": ")
  write(dir .. "/exp-2/metrics.csv", "step,seconds,loss\n1,0,0.5\n2,0\n3,0,0.2\n4,0,0.")
  os.execute(("mkdir -p '%s/empty/x' '%s/list'"):format(dir, dir))
  write(dir .. "/list/run.json", "[1, 2]")
  local text = tostring(tide.runs(dir))
  t.ok(text:find("exp: run.json is damaged: line 1", 1, true), text)
  t.ok(text:find "exp%-2: 2 damaged lines", text)
  local whole = read(dir .. "/exp-3/run.json")
  math.randomseed(1)
  local junk = { "null", "3", "\"x\"", "{\"options\": 3, \"summary\": [1], \"figures\": {\"a\": 1}}",
                 "{\"status\": 1, \"pid\": \"x\", \"machine\": 2, \"started\": {}, \"seconds\": []}",
                 "{\"figures\": [1, {}], \"seed\": {\"a\": 1}, \"git\": [], \"message\": 5}", "" }
  for i = 1, 200 do
    local at = math.random(#whole)
    local bad = junk[i] or whole:sub(1, at - 1) .. string.char(math.random(0, 255)) .. whole:sub(at + 1)
    write(dir .. "/exp-3/run.json", bad)
    for _, o in ipairs { {}, { diff = true }, { csv = true }, { sort = "seed" }, { sort = "date" } } do
      local ok, err = pcall(function() return tostring(tide.runs(dir, o)) end)
      t.ok(ok, ("%s: %s"):format(bad, err))
    end
  end
end)

t.test("flow.train logs to a run", function()
  local run = tide.run { path = t.tmp "log" }
  local trained = tide.flow.train(tide.flow.VelocityMLP { dim = 2, hidden = 8, blocks = 0 },
    tide.flow.targets.mog(), { steps = 20, batch = 8, log = run, validate = { every = 10, batch = 16 } })
  run:finish()
  local names = read(run:path "metrics.csv"):match "[^\n]*"
  t.eq(names, "step,seconds,excess,loss,lr,validation")
  t.near(tide.runs(run.dir)[1].metrics.loss, trained.losses[2], 1e-6)
end)

---- sweeps ----

t.test("sweeps: means and spreads, files, failures", function()
  local dir = t.tmp "sweep"
  local seen = {}
  local result = tide.sweep.run { out = dir, quiet = true, seeds = { 1, 2, 3 },
    over = { { "a", { 1, 2 } }, { "b", { "x", "y" } } },
    run = function(s, seed, where)
      seen[#seen + 1] = s.a .. s.b .. seed
      t.ok(where:find(dir, 1, true) == 1)
      if s.a == 2 and s.b == "y" and seed == 2 then error("no luck", 0) end
      return { v = s.a * 10 + seed, deep = { w = seed }, text = "no number" }
    end }
  t.eq(table.concat(seen, " "), "1x1 1x2 1x3 1y1 1y2 1y3 2x1 2x2 2x3 2y1 2y2 2y3")
  t.eq(result.figures, { "deep.w", "v" })
  t.eq(result.rows[1].v, { mean = 12, std = 1, n = 3 })
  t.eq(result.rows[4].runs, 2)
  t.near(result.rows[4].v.mean, 22)
  t.eq(result.failed, 1)
  local lines = {}
  for line in io.lines(dir .. "/sweep.csv") do lines[#lines + 1] = line end
  t.eq(lines[1], "a,b,seed,status,deep.w,v")
  t.eq(lines[2], "1,x,1,finished,1,11")
  t.eq(lines[12], "2,y,2,failed,,")
  t.eq(#json.decode(read(dir .. "/sweep.json")).runs, 12)
  if tide.plot.can_save then t.ok(#read(dir .. "/sweep.png") > 3000) end
  t.raises("list of {name, {values}}", tide.sweep.run, { out = dir, run = print, over = { { "a", {} } } })
end)

t.test("sweeps: figures that occur; a table that is too wide has a line for each", function()
  local script, dir = t.tmp "wide.lua", t.tmp "wide"
  write(script, [[
    require("tide.script").main({ name = "s", about = "a", figures = { "nowhere", "a_name_of_some_length_1",
        "a_name_of_some_length_2", "a_name_of_some_length_3", "a_name_of_some_length_4",
        "a_name_of_some_length_5" }, options = {} }, function(o)
      local all = {}
      for k = 1, 5 do all["a_name_of_some_length_" .. k] = k * o.seed end
      return all
    end, arg)]])
  local text, status = shell(("%s %s --seeds 2 --out '%s'"):format(program, script, dir))
  t.eq(status, 0, text)
  t.ok(text:find "runs +2\n" and text:find "\na_name_of_some_length_2 +3 %+%- 1.4\n", text)
  t.ok(not text:find "nowhere", text)
end)

t.test("sweeps from the command line: main is called for each value and seed", function()
  local script, dir = t.tmp "script.lua", t.tmp "out"
  write(script, [[
    local script = require "tide.script"
    script.main({ name = "s", about = "a", figures = { "y" }, options = {
      { "lambda", 0.5, "a number" }, { "flag", false, "a flag" } } }, function(o)
      local out = script.results(o.out)
      if o.lambda == 7 then error "seven" end
      out:json("summary.json", { y = o.lambda * o.seed + (o.flag and 100 or 0), out = o.out })
    end, arg)]])
  t.ok(shell(program .. " " .. script .. " --help"):find("usage: tide " .. script .. " [options]", 1, true))
  local text, status = shell(("%s %s --sweep lambda=0.25,2 --seeds 2 --flag --out '%s'"):format(
    program, script, dir))
  t.eq(status, 0, text)
  t.ok(text:find "lambda +runs +y", text)
  t.ok(text:find "0.25 +2 +100.4 %+%- 0.18", text)
  local list = tide.runs(dir)
  t.eq(#list, 4)
  t.eq(list[1].status, "finished")
  t.eq(list[1].options.lambda, 0.25)
  local before = read(dir .. "/lambda=2_seed=2/run.json")
  text, status = shell(("%s %s --sweep lambda=2,3 --seeds 2 --flag --continue --out '%s'"):format(
    program, script, dir))
  t.eq(status, 0, text)
  t.ok(text:find "2 +2 +103" and text:find "3 +2 +104.5", text)
  t.eq(read(dir .. "/lambda=2_seed=2/run.json"), before)
  text, status = shell(("%s %s --sweep lambda=2 --seeds 2 --continue --out '%s'")
    :format(program, script, dir))
  t.ok(text:find "2 +2 +3 ", text)                 -- without the flag: run again
  text, status = shell(("%s %s --sweep lambda=7,1 --out '%s'"):format(program, script, dir))
  t.eq(status, 1)
  t.ok(text:find "seven" and text:find "1 failed", text)
  t.eq(tide.runs(dir .. "/lambda=7_seed=1")[1].status, "failed")
  text, status = shell(("%s %s --lambda 1 --seeds 3 --out '%s/alone'"):format(program, script, dir))
  t.eq(status, 0, text)
  t.ok(text:find "3 +2 %+%- 1", text)              -- seeds without a sweep
  for line, want in pairs { ["--sweep lambda=x"] = "wants a number", ["--sweep lamda=1"] = "wants an option",
                            ["--sweep lambda"] = "wants an option", ["--seeds 0"] = "at least 1" } do
    text, status = shell(("%s %s %s --out '%s'"):format(program, script, line, dir))
    t.eq(status, 1, line)
    t.ok(text:find(want), text)
  end
end)

t.test("a run that another process writes is not taken up", function()
  local run = tide.run { name = "busy", dir = t.tmp "busy" }
  local r = record(run)
  r.pid = 1                                        -- always alive, and not this process
  write(run:path "run.json", json.encode(r))
  t.raises("process 1 is at work on the run", tide.run, { path = run.dir, resume = true })
  r.status = "failed"
  write(run:path "run.json", json.encode(r))
  tide.run { path = run.dir, resume = true }
end)
