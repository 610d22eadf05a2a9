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
    check.ok(step:stats().nodes > 40, tostring(step))
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
