-- capture.lua -- captured steps give the numbers of the function itself, and refuse
-- what a replay could not follow.
local tide = require "tide"
local check = require "tests.check"
local steps = require "tests.steps"
local tensor, flow, optim, capture = tide.tensor, tide.flow, tide.optim, tide.capture

---- the same numbers ----

-- Losses and the sum of parameters after n steps of training a small net.
local function train(n, wrap, make_step)
  tide.seed(7)
  local net = flow.VelocityMLP { dim = 2, hidden = 32, blocks = 2 }
  for _, p in ipairs(net:parameters()) do tide.no_grad(function() p:add_(0.01) end) end
  local opt = optim.Adam(net:parameters(), { lr = 1e-2 })
  local step = make_step(net, opt)
  if wrap then step = capture(step) end
  local data, losses = tide.generator(3), {}
  for i = 1, n do
    local x = data:run(function() return tensor.randn(48, 2) end)
    losses[i] = step(x):item()
  end
  local sum = 0
  for _, p in ipairs(net:parameters()) do sum = sum + p:detach():to("f64"):abs():sum():item() end
  return losses, sum, step
end

for name, make in pairs(steps) do
  check.test("a captured step trains as the eager one: " .. name, function()
    local a, sum_a = train(12, false, make)
    local b, sum_b, step = train(12, true, make)
    for i = 1, 12 do check.eq(a[i], b[i], name .. ", loss " .. i) end
    check.eq(sum_a, sum_b)
    check.ok(step:stats().calls > 40)
    check.ok(step:stats().arena < step:stats().planned)
  end)
end

-- Stacks of what calls one by one give; a step that cannot be recorded does the same.
check.test("a run is so many calls", function()
  local function go(runs, fallback)
    tide.seed(2)
    local w, n = tensor.zeros(3), 0
    local step = capture(function(x)
      n = n + 1
      capture.at_replay(function() n = n + 1 end)
      w:add_(x * capture.number(function() return n end, { x }))
      if fallback then w:sum():item() end
      return w * 1, "text", tensor.randn(2)
    end, { fallback = fallback })
    local sums, draws, x = {}, {}, tensor.ones(3)
    for _, k in ipairs(runs) do
      local a, text, b = step:run(k, x)
      check.eq({ a:size(1), a:size(2), text }, { k, 3, "text" })
      sums[#sums + 1], draws[#draws + 1] = a, b
    end
    check.eq(n, 9)
    return { tensor.cat(sums, 1):totable(), tensor.cat(draws, 1):totable() }, step
  end
  local one, step = go { 1, 1, 1, 1, 1, 1, 1, 1, 1 }
  check.eq(one[1][9], { 45, 45, 45 })
  check.eq(go { 9 }, one)
  check.eq(go { 2, 4, 3 }, one)
  check.eq(go({ 4, 5 }, true), one)
  check.raises("n must be", function() step:run(0, tensor.ones(3)) end)
  check.raises("argument 1 was", function() step:run(2, tensor.ones(4)) end)
end)

check.test("second order gradients are captured", function()
  local x = tensor.from { 0.5, 1.5 }:requires_grad_()
  local step = capture(function(s)
    local y = (x * s):exp():sum()
    local g = tensor.grad(y, x, { create_graph = true })
    return tensor.grad(g:sum(), x)
  end)
  for i = 1, 4 do
    local s = tensor.from(0.1 * i)
    local want = (x:detach() * s):exp() * s * s
    check.near((step(s) - want):abs():max():item(), 0, 1e-5)
  end
end)

check.test("powers and other numbers in a step are no values read", function()
  local x = tensor.from { 1, 2 }:requires_grad_()
  local step = capture(function(s)
    x.grad = nil
    ((x * s):pow(2) + x ^ 3 + 2 ^ x):sum():backward()
    return x.grad
  end)
  for _ = 1, 4 do check.near(step(tensor.from { 2.0, 2.0 })[1]:item(), 8 + 3 + 2 * math.log(2), 1e-5) end
end)

check.test("random draws go on along the stream", function()
  local function draws(f)
    tide.seed(11)
    local list = {}
    for i = 1, 5 do
      list[i] = f():clone()
      tensor.rand(i)                     -- others draw between the steps
    end
    return tensor.stack(list, 1)
  end
  local f = function() return tensor.randn(7) + tensor.rand(7) end
  check.ok(draws(f):equal(draws(capture(f))))
end)

check.test("a replay asks for no memory", function()
  local _, _, step = train(4, true, steps.clipped)
  local x = tensor.randn(48, 2)
  step(x)
  local before = tide.memory().total
  for _ = 1, 50 do step(x) end
  check.eq(tide.memory().total, before)
end)

---- what a replay could not follow ----

check.test("reading values inside a step is refused with the place", function()
  local x = tensor.ones(2)
  for _, f in ipairs {
    function() return x:sum():item() end,
    function() return x:totable() end,
    function() return tostring(x) end,
    function() return x:gt(0):nonzero() end,
  } do
    local step = capture(f)
    pcall(step)
    check.raises("capture.*host", step)
  end
  check.ok(not capture.recording())
  check.eq((x + 1):sum():item(), 4)
end)

check.test("state that is rebound is refused, state that is changed in place is not", function()
  local state = tensor.zeros(3)
  local bad = capture(function() state = state + 1 end)
  bad()
  check.raises("in place", bad)
  local total = tensor.zeros(3)
  local good = capture(function() total:add_(1) end)
  for _ = 1, 6 do good() end
  check.eq(total[1]:item(), 6)
end)

check.test("constants from Lua are the same at each replay", function()
  local step = capture(function()
    local c = tensor.from { 1, 2 }
    c:add_(1)
    return c
  end)
  for _ = 1, 4 do check.eq(step():totable(), { 2.0, 3.0 }) end
end)

check.test("arguments must be as they were recorded", function()
  local step = capture(function(x, k) return x * k end)
  for _ = 1, 3 do step(tensor.ones(2), 3) end
  check.raises("argument 1 was f32 .2. .* is f32 .3.", function() step(tensor.ones(3), 3) end)
  check.raises("f64", function() step(tensor.ones(2):to("f64"), 3) end)
  check.raises("argument 2 was 3 .* is 4", function() step(tensor.ones(2), 4) end)
  check.raises("2 arguments", function() step(tensor.ones(2)) end)
  check.eq(step:reset()(tensor.ones(3), 4):sum():item(), 12)
  check.eq(step(tensor.ones(3), 4):sum():item(), 12)
end)

check.test("a parameter that is replaced is noticed", function()
  local w = { tensor.ones(2) }
  local step = capture(function() return w[1] * 2 end)
  for _ = 1, 3 do step() end
  w[1] = tensor.ones(2) * 5
  collectgarbage()
  check.raises("no longer held", step)
end)

check.test("generators of their own, results that are no tensors, captures in captures", function()
  local g = tide.generator(1)
  local a = capture(function() return tensor.randn(2, { generator = g }) end)
  a()
  check.raises("generator", a)
  local b = capture(function() return { 1 } end)
  b()
  check.raises("result 1 of the step is a table", b)
  local inner = capture(function() return tensor.ones(2) end)
  local outer = capture(function() return inner() end)
  for _ = 1, 3 do check.eq(outer():sum():item(), 2) end
end)

check.test("an error inside the step ends the recording", function()
  local fail = false
  local step = capture(function() if fail then error("oops") end return tensor.ones(1) end)
  step()
  fail = true
  check.raises("oops", step)
  check.ok(not capture.recording())
  fail = false
  check.eq(step():item(), 1)
  check.eq(step():item(), 1)
end)

check.test("results are overwritten, slots are not the caller's tensors", function()
  local step = capture(function(x) return x + 1 end)
  local x = tensor.zeros(2)
  step(x)
  step(x)
  local y = step(x)
  step(tensor.ones(2))
  check.eq(y[1]:item(), 2)
  check.eq(x[1]:item(), 0)
end)

check.test("a step recorded inside tide.scope outlives it", function()
  local step = capture(function(x) return x * 2 end)
  for i = 1, 4 do
    tide.scope(function() check.eq(step(tensor.full({ 2 }, i))[1]:item(), 2 * i) end)
  end
end)

check.test("numbers and counts are looked up at each replay", function()
  local w = tensor.zeros(2, { requires_grad = true })
  local rate = 1
  local step = capture(function()
    local r = capture.number(function() return rate end)
    tide.no_grad(function() w:add_(r) end)
  end)
  for i = 1, 5 do rate = i; step() end
  check.eq(w:detach()[1]:item(), 15)
end)

check.test("with fallback a step that reads values runs as it is", function()
  local w, seen = tensor.zeros(2), 0
  local step = capture(function(x)
    w:add_(x)
    seen = seen + w:sum():item()
    return w * 1
  end, { fallback = true })
  for i = 1, 4 do check.eq(step(tensor.ones(2))[1]:item(), i) end
  check.eq(seen, 2 + 4 + 6 + 8)
  check.ok(step.why:find("host"))
end)

check.test("with fallback other arguments run as they are", function()
  local total = tensor.zeros(1)
  local step = capture(function(x) total:add_(x:sum()) return x * 2 end, { fallback = true })
  for _, n in ipairs { 3, 3, 3, 2, 3 } do
    check.eq(step(tensor.ones(n)):sum():item(), 2 * n)
  end
  check.eq(total:item(), 14)
  check.ok(step:stats())
end)

---- the plan ----

check.test("rows of a step run in tiles, and give what whole tensors give", function()
  for _, rows in ipairs { 1, 31, 32, 128, 129, 250, 256, 300, 1000 } do
    local x, w = tensor.randn(rows, 24), tensor.randn(24, 40)
    local f = function(x)
      local h = x:matmul(w):silu()
      local s = h:softmax(2) * h:sum(2, true) + h:mean(1, true)
      local a, b = s:narrow(2, 1, 20), s:narrow(2, 21, 20)
      local m = tensor.cat({ b, a }, 2):matmul(w:t())
      return m, (m - x):square():sum(2), x:t():matmul(m), m:sum(1)
    end
    local step = capture(f)
    step(x)
    step(x)
    local want, got = { f(x) }, { step(x) }
    for i = 1, #want do
      check.ok(want[i]:equal(got[i]), ("result %d of %d rows"):format(i, rows))
    end
    check.ok(step:stats().stages < step:stats().calls)
  end
end)

check.test("no row of a product depends on the rows beside it", function()
  for _, size in ipairs { { 5, 7 }, { 130, 33 }, { 256, 96 }, { 300, 700 } } do
    for _, dtype in ipairs { "f32", "f64" } do
      local k, n, spec = size[1], size[2], { dtype = dtype }
      local x = tensor.randn(150, k, spec)
      for _, w in ipairs { tensor.randn(k, n, spec), tensor.randn(n, k, spec):t() } do
        local all = x:matmul(w)
        for _, rows in ipairs { { 1, 20 }, { 37, 5 }, { 100, 51 } } do
          local part = x:narrow(1, rows[1], rows[2])
          check.ok(part:matmul(w):equal(all:narrow(1, rows[1], rows[2])), ("%d x %d, %s"):format(k, n, dtype))
          part = part:t():contiguous():t()              -- the same numbers by columns
          check.ok(part:matmul(w):equal(all:narrow(1, rows[1], rows[2])), ("%d x %d, %s"):format(k, n, dtype))
        end
      end
    end
  end
end)

check.test("groups of rows share a stage with the rows themselves", function()
  local g, per = 16, 24
  local w = tensor.randn(8, 8)
  local x, c = tensor.randn(g * per, 8), tensor.randn(g, 1, 8)
  local f = function(x, c)
    local h = (x:reshape(g, per, 8) * c):reshape(g * per, 8):matmul(w):tanh()
    return h, (h:reshape(g, per, 8) + c):sum(2)
  end
  local step = capture(f)
  step(x, c)
  step(x, c)
  local want, got = { f(x, c) }, { step(x, c) }
  for i = 1, 2 do check.ok(want[i]:equal(got[i])) end
end)

check.test("the number of threads changes nothing", function()
  local before, sums = tide.threads(), {}
  for _, n in ipairs { 1, 2, 3, 8 } do           -- tiles of 48 rows, and of 32 and 16
    tide.set_threads(n)
    local _, sum = train(6, true, steps.clipped)
    sums[#sums + 1] = sum
  end
  tide.set_threads(before)
  for i = 2, #sums do check.eq(sums[1], sums[i]) end
end)

check.test("a buffer that is written twice, and views that are written, keep their order", function()
  local acc = tensor.zeros(64, 4)
  local f = function(x)
    local a = x * 2
    a:add_(1)
    local b = a + x
    a:mul_(3)
    acc:copy_(b)
    acc:narrow(1, 1, 32):add_(a:narrow(1, 33, 32))
    return acc * 1, a - b
  end
  local step = capture(f)
  local x = tensor.randn(64, 4)
  step(x)
  step(x)
  local want, got = { f(x) }, { step(x) }
  for i = 1, 2 do check.ok(want[i]:equal(got[i]), "result " .. i) end
end)

---- the loops of the flow library ----

-- The same training with and without capture; returns both runs.
local function both(f)
  local runs = {}
  for i, on in ipairs { false, true } do
    tide.seed(21)
    runs[i] = f(on)
  end
  return runs[1], runs[2]
end

local function small_net() return flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1, classes = 3 } end

check.test("flow.train gives the same numbers captured", function()
  local cases = {
    {}, { accumulate = 3 }, { precision = "bf16" }, { optimizer = "SGD" },
    { clip = 0.1, ema = 0.9, optimizer = "AdamW", weight_decay = 0.1,
      schedule = function(step, steps) return 1 - step / (steps + 1) end },
    { validate = { every = 4, batch = 32 }, stratified = true },
  }
  for k, o in ipairs(cases) do
    local a, b = both(function(on)
      local net = small_net()
      local options = { steps = 9, batch = 40, every = 1, lr = 1e-2, capture = on }
      for key, value in pairs(o) do options[key] = value end
      local run = flow.train(net, flow.targets.moons(), options)
      run.sum = net:parameters()[1]:detach():abs():sum():item()
      return run
    end)
    check.eq(a.losses, b.losses, "case " .. k)
    check.eq(a.sum, b.sum)
    check.eq(a.optimizer.steps, b.optimizer.steps)
    check.ok(b.update:stats(), tostring(b.update))
  end
end)

check.test("labels, and batches that end an epoch short", function()
  local x, labels = tensor.randn(50, 2), tensor.randint(1, 3, { 50 })
  local a, b = both(function(on)
    local at = 0
    return flow.train(small_net(), function()
      at = at % 3 + 1
      local first, last = at * 20 - 19, math.min(50, at * 20)
      return x[{ first, last }], labels[{ first, last }]
    end, { steps = 10, batch = 1, every = 1, lr = 1e-2, capture = on })
  end)
  check.eq(a.losses, b.losses)
end)

check.test("flow.align gives the same latents captured, for every loss", function()
  tide.seed(2)
  local net = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1 }
  flow.train(net, flow.targets.moons(), { steps = 20, batch = 64 })
  for _, name in ipairs { "align", "likelihood", "excess" } do
    local a, b = both(function(on)
      return flow.align(net, tensor.randn(48, 2), {
        steps = 8, loss = name, every = 2, capture = on, critic = name == "excess" and
          { batch = 32 } or nil })
    end)
    check.ok(a.y:equal(b.y), name)
    check.eq(a.curve, b.curve)
    check.ok(b.update:stats(), tostring(b.update))
  end
end)

check.test("what replays have changed takes part in gradients, by views too", function()
  local p = tensor.ones(3, { requires_grad = true })
  local step = tide.capture(function() tide.no_grad(function() p:add_(1) end) end)
  for _ = 1, 4 do step() end
  p:unsqueeze(1):expand(2, 3):sum():backward()
  check.near(p.grad, { 2, 2, 2 })
  check.near(p:detach(), { 5, 5, 5 })
end)

check.test("a loss of the caller's own sees variables that change", function()
  local pull = 1
  local run = flow.align(flow.targets.mog().exact, tensor.randn(8, 2), {
    steps = 6, loss = function(_, y)
      pull = pull + 1
      return (y - pull):square():mean()
    end })
  check.eq(pull, 7)
  check.eq(type(run.update), "function")
end)
