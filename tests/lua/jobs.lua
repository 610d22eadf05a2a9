-- jobs.lua -- tide.spawn: slices, what belongs to a job, errors, cancelling, ends of scripts.
local t = require("tests.check")
local tide = require("tide")
local tensor = tide.tensor

local program = arg[-1]

local function spin(seconds)
  local from = tide.clock()
  while tide.clock() - from < seconds do end
end

-- Lets the job run until it has had its first slice.
local function started(job)
  while job.seconds == 0 do tide.yield() end
  return job
end

-- Status, stdout and stderr of a script.
local function run(script)
  local file, err = t.tmp("script.lua"), t.tmp("err")
  local f = assert(io.open(file, "w"))
  f:write('local tide = require "tide"\n', script)
  f:close()
  local p = assert(io.popen(("%s %s 2>%s"):format(program, file, err)))
  local out = p:read("a")
  local _, _, status = p:close()
  f = assert(io.open(err))
  local text = f:read("a")
  f:close()
  return status, out, text
end

---- results ----

t.test("wait returns what f returned, nil included", function()
  local job = tide.spawn(function(me) return me.name, nil, 3 end, { name = "first" })
  t.eq({ n = select("#", job:wait()), job:wait() }, { n = 3, "first", nil, 3 })
  t.eq({ job.state, job.result, job.name }, { "done", "first", "first" })
  t.eq(job:wait(), "first")
end)

t.test("wait raises the error of f, whatever it is", function()
  local job = tide.spawn(function() error("bad luck") end, { name = "doomed" })
  local text = t.raises("bad luck", job.wait, job)
  t.ok(text:find("in job %d+ 'doomed', stack traceback") and text:find("jobs.lua"), text)
  t.eq(job.state, "failed")
  local object = setmetatable({}, { __tostring = function() return "object" end })
  job = tide.spawn(function() error(object) end)
  local ok, err = pcall(job.wait, job)
  t.ok(not ok and rawequal(err, object) and rawequal(job.error, object))
end)

t.test("wait with a timeout", function()
  local job = tide.spawn(function() while not _G.job_may_end do tide.yield() end end)
  t.eq({ job:wait(0.01) }, { nil, "timeout" })
  t.eq({ job:wait(0) }, { nil, "timeout" })
  _G.job_may_end = true                 -- seen by the next step
  t.eq(select("#", job:wait()), 0)
  _G.job_may_end = nil
  t.raises("number of seconds", job.wait, job, "soon")
end)

t.test("mistakes are named", function()
  t.raises("a function is needed", tide.spawn, 5)
  t.raises("did you mean 'name'", tide.spawn, print, { nam = "x" })
  t.raises("name must be a string", tide.spawn, print, { name = 5 })
  t.raises("seed must be an integer", tide.spawn, print, { seed = 0.5 })
  t.raises("slice must be", tide.spawn, print, { slice = 0 })
end)

---- slices ----

t.test("code without safe points makes way, in coroutines too", function()
  local rounds, stop = 0, false
  local plain = tide.spawn(function() while not stop do end return "plain" end)
  local inner = tide.spawn(function()
    local gen = coroutine.wrap(function()
      for i = 1, 3 do
        local co = coroutine.create(function() while not stop do end return i end)
        coroutine.yield(select(2, coroutine.resume(co)))
      end
    end)
    return gen() + gen() + gen()
  end)
  local caught = tide.spawn(function()
    return pcall(function() while not stop do end error("end", 0) end)
  end)
  while rounds < 12 do
    tide.yield()
    rounds = rounds + 1
  end
  stop = true
  t.eq(plain:wait(), "plain")
  t.eq(inner:wait(), 6)
  t.eq({ caught:wait() }, { false, "end" })
end)

t.test("a generator made outside goes on inside, values intact", function()
  local job
  local gen = coroutine.wrap(function(...)
    local x = ...
    while true do
      local start = job.seconds                  -- of finished slices, others' time left out
      while job.seconds < start + 0.03 do end
      x = coroutine.yield(x * 2, x)
    end
  end)
  job = tide.spawn(function()
    local list = {}
    for i = 1, 4 do
      local double, same = gen(i)
      list[i] = double + same
    end
    return list
  end)
  t.eq(job:wait(), { 3, 6, 9, 12 })
  t.ok(job.seconds >= 0.12)
end)

t.test("a coroutine outside of jobs gives one a slice, and yields itself", function()
  local job = tide.spawn(function() while true do tide.yield() end end)
  local gen = coroutine.wrap(function()
    for i = 1, 3 do
      local before = job.seconds
      while job.seconds == before do tide.yield() end
      coroutine.yield(i)
    end
  end)
  t.eq({ gen(), gen(), gen() }, { 1, 2, 3 })
  job:cancel()
end)

t.test("inside a C function that calls back the job goes on", function()
  local list = {}
  for i = 1, 40 do list[i] = (i * 17) % 41 end
  local job = tide.spawn(function()
    table.sort(list, function(a, b) spin(0.001) return a < b end)
    return (("abc"):gsub(".", function(c) spin(0.015) return c:upper() end))
  end)
  t.eq(job:wait(), "ABC")
  for i = 1, 40 do t.eq(list[i], i) end
end)

t.test("jobs share the time", function()
  local jobs, counts = {}, { 0, 0, 0 }
  for i = 1, 3 do
    jobs[i] = tide.spawn(function()
      while true do
        spin(i == 1 and 0.02 or 0.002)   -- steps longer and shorter than a slice
        counts[i] = counts[i] + 1
        tide.yield()
      end
    end)
  end
  for _ = 1, 60 do tide.yield() end
  local seconds = {}
  for i = 1, 3 do seconds[i] = jobs[i].seconds end
  for i = 1, 3 do jobs[i]:cancel() end
  t.ok(counts[1] > 0 and counts[2] > 0 and counts[3] > 0)
  for i = 2, 3 do
    local ratio = seconds[i] / seconds[1]
    t.ok(ratio > 0.4 and ratio < 2.5, "share " .. ratio)
  end
end)

---- what belongs to a job ----

t.test("numbers of a job depend on its seed, not on others", function()
  local function draws()
    local list = {}
    for i = 1, 5 do
      list[i] = tensor.rand(3)
      tide.yield()
    end
    return tensor.cat(list)
  end
  local a = tide.spawn(draws, { seed = 3, slice = 1e-6 })
  local b = tide.spawn(draws, { seed = 3, slice = 1e-6 })
  local c = tide.spawn(draws, { seed = 4, slice = 1e-6 })
  while a.state == "running" do
    tensor.rand(2)                       -- what is typed meanwhile
    tide.yield()
  end
  t.ok(a:wait():equal(b:wait()))
  t.ok(not a:wait():equal(c:wait()))
  tide.seed(9)
  local d, own = tide.spawn(draws), tensor.rand(1)
  d:wait()
  tide.seed(9)
  local e = tide.spawn(draws)
  t.ok(own:equal(tensor.rand(1)))
  t.ok(d:wait():equal(e:wait()))
  local f = tide.spawn(draws)
  t.ok(not f:wait():equal(e:wait()))
end)

t.test("tide.seed and generators in a job stay there", function()
  tide.seed(1)
  local want = tensor.rand(2)
  tide.seed(1)
  local state = tide.random_state()
  local job = tide.spawn(function()
    tide.seed(77)
    local g = tide.generator(5)
    return g:run(function()
      local a = tensor.rand(1)
      tide.yield()
      return tensor.cat { a, tensor.rand(1) }
    end)
  end, { seed = 1, slice = 1e-6 })
  started(job)
  t.eq(tide.random_state(), state)
  t.ok(tensor.rand(2):equal(want))
  local both = tide.generator(5):run(function()
    return tensor.cat { tensor.rand(1), tensor.rand(1) }
  end)
  t.ok(job:wait():equal(both))
end)

t.test("tide.scope in a job frees its tensors, and those of nobody else", function()
  collectgarbage()
  local kept, before = nil, tide.memory().tensors
  local job = tide.spawn(function()
    local y = tide.scope(function()
      local x = tensor.ones(4)
      tide.yield()
      kept = kept or "asked"
      return (x * 2):sum()
    end)
    return y:item()
  end, { slice = 1e-6 })
  started(job)
  local mine = tensor.ones(7)            -- while the job's scope is open
  tide.scope(function() return tensor.ones(1) end)
  t.eq(job:wait(), 8)
  t.eq(mine:sum():item(), 7)
  t.eq(kept, "asked")
  collectgarbage()
  t.ok(tide.memory().tensors <= before + 1, "tensors are left")
end)

t.test("a cancelled job leaves no scope and no stream open", function()
  tide.seed(5)
  local state = tide.random_state()
  local job = tide.spawn(function()
    tide.generator(1):run(function()
      tide.scope(function()
        tensor.rand(3)
        while true do tide.yield() end
      end)
    end)
  end, { seed = 2, slice = 1e-6 })
  started(job):cancel()
  t.eq(job.state, "cancelled")
  t.eq(tide.random_state(), state)
  local x = tensor.ones(2)
  collectgarbage()
  t.eq(x:sum():item(), 2)
end)

t.test("the gradient mode belongs to the job", function()
  local w = tensor.ones(1, { requires_grad = true })
  local job = tide.spawn(function()
    local _ <close> = tide.no_grad()
    tide.yield()
    return (w * 2).requires_grad
  end, { slice = 1e-6 })
  started(job)
  t.ok((w * 2).requires_grad)
  t.eq(job:wait(), false)
  tide.no_grad(function() t.ok(tide.spawn(function() return true end):wait()) end)
end)

---- pausing and cancelling ----

t.test("a paused job stands still", function()
  local n = 0
  local job = tide.spawn(function() while n < 50 do n = n + 1 tide.yield() end end, { slice = 1e-6 })
  started(job):pause()
  local at = n
  for _ = 1, 5 do tide.yield() end
  t.eq({ n, job.state }, { at, "paused" })
  t.raises("is paused", job.wait, job)
  job:resume():wait()
  t.eq(n, 50)
  local self_paused = tide.spawn(function(me) me:pause() return "back" end)
  started(self_paused)
  t.eq(self_paused.state, "paused")
  t.eq(self_paused:resume():wait(), "back")
end)

t.test("cancel runs what puts things back", function()
  for _, body in ipairs {
    function() while true do end end,
    function() while true do tide.yield() end end,
    function() coroutine.wrap(function() while true do end end)() end,
    function() for _ in tide.progress(1e9) do end end,
  } do
    local log = {}
    local job = tide.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
      local ok, err = pcall(body)
      log[#log + 1] = not ok and err:match("cancelled!$") and "caught" or "what? " .. tostring(err)
      error(err, 0)
    end)
    started(job):cancel()
    t.eq(job.state, "cancelled")
    t.eq(log, { "caught", "closed" })
    t.raises("was cancelled", job.wait, job)
  end
end)

t.test("cancelling cannot be swallowed for ever", function()
  local closed = 0
  local job = tide.spawn(function()
    local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
    while true do pcall(function() while true do tide.yield() end end) end
  end)
  started(job):cancel()
  while job.state == "cancelling" do tide.yield() end
  t.eq({ job.state, closed }, { "cancelled", 1 })
end)

t.test("a job that was not begun, or is over, can be cancelled", function()
  local ran = false
  local job = tide.spawn(function() ran = true end):cancel()
  t.eq({ job.state, ran }, { "cancelled", false })
  job = tide.spawn(function() return 1 end)
  job:wait()
  t.eq(job:cancel().state, "done")
  job = tide.spawn(function(me) pcall(me.cancel, me) me:cancel() end)
  t.raises("cancelled", job.wait, job)
  t.eq(job.state, "cancelled")
end)

---- several jobs ----

t.test("a job waits for another", function()
  local first = tide.spawn(function() spin(0.03) return 20 end)
  local second = tide.spawn(function() return first:wait() + 1 end)
  t.eq(second:wait(), 21)
  local slow = tide.spawn(function() while true do tide.yield() end end)
  local patient = tide.spawn(function() return slow:wait(0.02) end)
  t.eq({ patient:wait() }, { nil, "timeout" })
  slow:cancel()
end)

t.test("waiting in a circle is an error", function()
  local a, b
  a = tide.spawn(function() return b:wait() end)
  b = tide.spawn(function() return a:wait() end)
  t.raises("would wait for itself", a.wait, a)
  t.raises("would wait for itself", b.wait, b)
  local own = tide.spawn(function(me) me:wait() end)
  t.raises("would wait for itself", own.wait, own)
  local paused = tide.spawn(function() end):pause()
  local lost = tide.spawn(function() paused:wait() end)
  t.raises("for ever", lost.wait, lost)
  lost:cancel()
  paused:cancel()
end)

t.test("wait_all runs all, and tells of failures", function()
  local n = 0
  for _ = 1, 4 do tide.spawn(function() n = n + 1 end) end
  t.eq({ tide.wait_all(), n }, { true, 4 })
  local status, out, err = run([[
    tide.spawn(function() error("bad luck") end, { name = "doomed" })
    tide.spawn(function() print("other") end)
    print(tide.wait_all())]])
  t.eq({ status, out }, { 1, "other\nfalse\n" })
  local _, count = err:gsub("bad luck", "")
  t.eq(count, 1)
  t.ok(err:find("job 1 'doomed' failed: ", 1, true) and err:find("stack traceback"), err)
end)

t.test("the list shows itself, with what progress says", function()
  local job = tide.spawn(function()
    local bar <close> = tide.progress { label = "flow", total = 10 }
    for i = 1, 10 do
      bar:update(i, { loss = 0.5 })
      tide.yield()
    end
  end, { name = "flow", slice = 1e-6 })
  started(job)
  t.eq(job.progress.total, 10)
  t.near(job.progress.figures.loss, 0.5)
  t.ok(tostring(job):find("^job %d+ 'flow': running, [%d.]+ s  "), tostring(job))
  local text = tostring(tide.jobs())
  t.ok(text:find("flow +running +[%d.]+ s .*/10.*loss 0.5"), text)
  job:wait()
  t.eq(job.progress.step, 10)
  for _ = 1, 30 do tide.spawn(function() end):wait() end
  t.ok(#tide.jobs() <= 10, #tide.jobs() .. " jobs are kept")
end)

---- ends of scripts ----

t.test("a script waits for its jobs", function()
  t.eq({ run([[
    tide.spawn(function() for i = 1, 3 do tide.yield() end print("job") end)
    tide.spawn(function() print("never") end):pause()
    print("script")]]) }, { 0, "script\njob\n", "" })
end)

t.test("after an error the jobs are cancelled", function()
  local status, out, err = run([[
    tide.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() print("closed") end })
      while true do tide.yield() end
    end):wait(0.01)
    error("script", 0)]])
  t.eq({ status, out }, { 1, "closed\n" })
  t.ok(err:find("script"))
end)

t.test("errors that were handled do not count", function()
  t.eq({ run([[
    local job = tide.spawn(function() error("x") end)
    print(pcall(job.wait, job) == false)]]) }, { 0, "true\n", "" })
end)
