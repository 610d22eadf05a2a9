-- graph.lua -- captured steps on a device are one graph, with the numbers of the step itself; and what
-- the device says of memory and mistakes.  tests/shell/gpu.sh runs it on the emulation.
local tide = require "tide"
local check = require "tests.check"
local steps = require "tests.steps"
local tensor, flow, optim, capture = tide.tensor, tide.flow, tide.optim, tide.capture
tide.set_device("cuda")

-- What depends on the order in which the nodes of a graph run; with `all` the rest, too.
local function test(name, f) if arg[1] == "all" then check.test(name, f) end end

-- Losses and the sum of parameters after n steps; data come from the same stream as the step's draws.
local function train(n, make, wrap, device, every)
  tide.seed(7)
  local net = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }:to(device or "cuda")
  local rate = 1e-2
  local opt = optim.Adam(net:parameters(), { lr = rate })
  local step, losses, loss = make(net, opt), {}, nil
  if wrap then step = capture(step) end
  for i = 1, n do
    opt.lr = rate / (1 + i / 10)
    loss = step(tensor.randn(8, 2, { device = device or "cuda" }))
    if i % (every or 1) == 0 then losses[#losses + 1] = loss:item() end
  end
  local sum = 0
  for _, p in ipairs(net:parameters()) do sum = sum + p:detach():to("f64"):abs():sum():item() end
  return losses, sum, step
end

for _, name in ipairs(arg[1] == "all" and { "plain", "clipped", "accumulated" } or { "clipped" }) do
  check.test("a graph trains as the eager step: " .. name, function()
    local a, sum_a = train(4, steps[name], false)
    local b, sum_b, step = train(4, steps[name], true)
    check.eq(a, b)
    check.eq(sum_a, sum_b)
    check.ok(step:stats().nodes > 10 and step:stats().waits > 0, tostring(step))
    check.eq(step:stats().why, "")
    check.ok(tostring(step):find("one graph of"))
  end)
end

test("the paper's net takes few kernels", function()
  local net = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 4 }
  local opt = optim.Adam(net:parameters())
  local step, x = capture(steps.plain(net, opt)), tensor.randn(8, 2)
  for _ = 1, 3 do step(x) end
  check.ok(step:stats().nodes <= 93, tostring(step))
end)

-- The same steps in runs and one by one: losses, draws, and what is looked up before each step.
check.test("several steps make one launch", function()
  local function train(runs)
    tide.seed(9)
    local net = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }
    local opt, count = optim.Adam(net:parameters(), { lr = 1e-2 }), 0
    local function begin()
      count = count + 1
      opt.lr = 1e-2 / count
    end
    local step = capture(function(shift)
      begin()
      capture.at_replay(begin)
      local x = tensor.randn(8, 2) + shift
      opt:zero_grad()
      local loss = flow.matching_loss(net, x)
      loss:backward()
      opt:step()
      return loss, count, x
    end)
    local losses, points, shift = {}, {}, tensor.full({ 2 }, 3)
    for _, n in ipairs(runs) do
      local l, c, x = step:run(n, shift)
      check.eq(c, 2)                           -- as it was recorded
      losses[#losses + 1], points[#points + 1] = l, x
    end
    check.eq(count, 25)
    return tensor.cat(losses, 1), tensor.cat(points, 1), step
  end
  local ones = {}
  for i = 1, 23 do ones[i] = 1 end
  table.insert(ones, 1, 2)                     -- the step is recorded
  local a, x = train(ones)
  local b, y, step = train { 6, 3, 16 }        -- 1, 1 and a launch of 4; 1, 1, 1; a longer launch
  check.ok(a:equal(b) and x:equal(y))
  check.ok(step:stats().nodes > 0)
end)

test("a source that is ops and nothing else is part of the step", function()
  tide.set_device("cpu")                       -- its scale comes from many draws
  local target = flow.targets.spiral()
  tide.set_device("cuda")
  local points = tensor.randn(30, 2)
  local function run(source, on)
    tide.seed(4)
    local rates, reports = {}, {}
    local run = flow.train(flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }, source, {
      steps = 25, batch = 8, every = 10, ema = 0.9, capture = on,
      schedule = function(i, n) rates[#rates + 1] = i return 1 - i / (n + 1) end,
      report = function(r) reports[#reports + 1] = { r.step, r.loss } end, report_every = 20 })
    return { run.losses, run.steps_of, rates, reports, run.step, run.optimizer.lr }, run.update
  end
  local eager = run(target, false)
  check.eq(#eager[1], 3)
  check.eq(run(function(n) return target:sample(n) end, true), eager)
  local whole, update = run(target, true)
  check.eq(whole, eager)
  check.ok(update:stats().nodes > 0, tostring(update))
  check.eq(run(points, true), run(points, false))
end)

test("latents move in runs as step by step", function()
  local function run(on)
    tide.seed(4)
    local net = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }:freeze()
    local run = flow.align(net, tensor.randn(8, 2), { steps = 23, every = 10, snapshots = { 0, 7 },
                                                      capture = on })
    return { run.curve.step, run.curve.align, run.y:totable(), run.snapshots[7]:totable(), run.step }
  end
  check.eq(run(true), run(false))
end)

check.test("values come to the host behind the work so far, whatever changes them later", function()
  local fetch = require "tide.fetch.core"
  local x, list = tensor.zeros(1000), {}
  for i = 1, 6 do
    list[i] = fetch.begin(x:view(20, 50):t())
    x:add_(1)
  end
  list[2] = nil                                -- given up
  collectgarbage()
  for _ = 1, 50 do x:add_(0) end               -- more than the emulation does between two questions
  local last = fetch.begin(x)
  check.ok(not last:done())
  while not last:done() do end
  check.ok(list[1]:done() and list[6]:done())
  for _, i in ipairs { 6, 1, 3, 4, 5 } do
    local y = list[i]:take()
    check.eq({ y.device, y:size(1), y:min():item(), y:max():item() }, { "cpu", 50, i - 1, i - 1 })
  end
  check.raises("taken", function() return list[1]:take() end)
  check.eq(fetch.begin(tensor.full({ 2 }, 7, { device = "cpu" })):take():totable(), { 7, 7 })
end)

test("a replay is timed when somebody asks", function()
  local x = tensor.ones(4)
  local step = capture(function() x:add_(1) end)
  for _ = 1, 3 do step() end
  check.eq(step:stats().seconds, nil)
  step()
  check.ok(step:stats().seconds > 0)
end)

test("100 steps agree with the CPU, and with themselves", function()
  local a, sum_a = train(100, steps.plain, true, "cpu", 5)
  local b, sum_b = train(100, steps.plain, true, "cuda", 5)
  for i = 1, #a do check.near(b[i], a[i], 1e-4 * (1 + math.abs(a[i])), "loss " .. 5 * i) end
  check.near(sum_b, sum_a, 1e-4 * sum_a)
  local c = train(20, steps.plain, true, "cuda", 10)
  check.eq(c, { b[2], b[4] })
end)

check.test("random draws go on along the stream, whoever draws between", function()
  local function draws(f)
    tide.seed(11)
    local list = {}
    for i = 1, 5 do
      list[i] = f():clone()
      tensor.rand(i)
    end
    return tensor.stack(list, 1)
  end
  local f = function()
    return tensor.cat({ tensor.randn(7) + tensor.rand(7),
                        tensor.randint(1, 9, { 7 }):to("f32") }, 1)
  end
  check.ok(draws(f):equal(draws(capture(f))))
end)

test("what Lua fills inside a step, and numbers in it, are constants", function()
  local x = tensor.from { 1, 2 }:requires_grad_()
  local f = function(s)
    x.grad = nil
    local c = tensor.from { 3, 4 }
    c:add_(1);
    ((x * s) ^ 2 * c + 2 ^ x):sum():backward()
    return x.grad
  end
  local step = capture(f)
  for i = 1, 4 do check.eq(step(tensor.full({ 1 }, i)):totable(), f(tensor.full({ 1 }, i)):totable()) end
  check.ok(step:stats().nodes > 0, tostring(step))
end)

test("labels, accumulation, bf16, averages: flow.train is a graph", function()
  local options = { { accumulate = 2 }, { precision = "bf16" },
                    { clip = 0.1, ema = 0.9, schedule = function(i, n) return 1 - i / (n + 1) end } }
  for k, o in ipairs(options) do
    local losses = {}
    for i, on in ipairs { false, true } do
      tide.seed(21)
      local all = { steps = 4, batch = 8, every = 1, capture = on }
      for key, v in pairs(o) do all[key] = v end
      local run = flow.train(flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1, classes = 3 },
                             function(n) return tensor.randn(n, 2) end, all)
      losses[i] = run.losses
      check.ok(not on or run.update:stats().nodes > 0, tostring(run.update))
    end
    check.eq(losses[1], losses[2], "case " .. k)
  end
end)

test("10,000 replays ask for no memory", function()
  local w = tensor.zeros(3)
  local step = capture(function(x) w:add_(x) return w * 1 end)
  local x, y = tensor.ones(3), nil
  for _ = 1, 3 do step(x) end
  local before = tide.memory("cuda")
  for _ = 1, 9997 do y = step(x) end
  local after = tide.memory("cuda")
  check.eq(y:totable(), { 10000, 10000, 10000 })
  check.eq(after.total - before.total, 0)
  check.eq(after.live - before.live, 0)
end)

check.test("a position that does not exist is found when values are read", function()
  local table_, at = tensor.randn(4, 2), tensor.from({ 1, 2, 3 }, { dtype = "i64" })
  local step = capture(function(i) return table_:index_select(1, i):sum() end)
  for _ = 1, 3 do step(at) end
  check.ok(step:stats().nodes > 0)
  local good = step(at):item()
  local bad = step(tensor.from({ 1, 9, 3 }, { dtype = "i64" }))
  check.raises("captured step met a position", function() return bad:item() end)
  check.eq(step(at):item(), good)
end)

test("a step on two devices is replayed call by call", function()
  local total, here = tensor.zeros(1), tensor.zeros(1, { device = "cpu" })
  local step = capture(function(x, y)
    total:add_(x:sum())
    here:add_(y * 2)
    return total * 1, here * 1
  end)
  for i = 1, 4 do
    local a, b = step(tensor.ones(2), tensor.ones(1, { device = "cpu" }))
    check.eq(a:item(), 2 * i)
    check.eq(b:item(), 2 * i)
  end
  check.eq(step:stats().nodes, 0)
end)

test("watched replays go call by call", function()
  local x = tensor.ones(4)
  local step = capture(function(y) return (x * y):log():sum() end)
  for _ = 1, 3 do step(tensor.ones(1)) end
  check.ok(step:stats().nodes > 0)
  local names = {}
  for _, row in ipairs(tide.debug.profile(function() step(tensor.ones(1)) end)) do names[row.op] = row.calls end
  check.eq({ names.mul, names.log, names.sum }, { 1, 1, 1 })
  tide.debug.nan(true)
  local ok, err = pcall(step, tensor.full({ 1 }, -1))
  tide.debug.nan(false)
  check.ok(not ok and tostring(err):find("log"), err)
end)

test("memory that runs out is an error that says what is held", function()
  local held = tensor.zeros(1 << 20)                -- TIDE_EMULATE_MEMORY=192
  check.raises("out of memory on cuda: 201.3 MB asked, .* MB held", function() return tensor.empty(48 << 20) end)
  check.eq(held[1]:item(), 0)
  check.ok(tide.memory("cuda").live >= 4 << 20)
  local list = {}
  local ok, err = pcall(function() for i = 1, 100 do list[i] = tensor.empty(4 << 20) end end)
  check.ok(not ok and tostring(err):find("out of memory on cuda"), err)
  list, held = nil, nil
  for _ = 1, 60 do tensor.empty(4 << 20) end        -- what nobody holds is collected in time
end)

test("large copies go through pinned memory in parts", function()
  local n = 5 * (512 << 10) + 17                    -- in bytes more than all slots hold
  local x = tensor.arange(n, { device = "cpu", dtype = "i32" })
  local y = x:to("cuda")
  check.ok((y + 1):to("cpu"):equal(x + 1))
end)
