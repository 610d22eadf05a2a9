-- flow_ode.lua -- solvers, sampling, likelihood of nets, and their gradients.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local F64 = { dtype = "f64" }

local function spin(x)                  -- rotation: the answer is known
  return tensor.stack({ -x:select(2, 2), x:select(2, 1) }, 2)
end

local function error_after(solver, steps)
  local x = tensor.from({ { 1, 0 } }, F64)
  local y, info = flow.integrate(spin, x, { solver = solver, steps = steps })
  local want = tensor.from({ { math.cos(1), math.sin(1) } }, F64)
  return (y - want):norm():item(), info
end

t.test("steps=N means N steps, and the orders are right", function()
  local order = { euler = 1, midpoint = 2, heun = 2, rk4 = 4 }
  local calls = { euler = 1, midpoint = 2, heun = 2, rk4 = 4 }
  for solver, p in pairs(order) do
    local e1, info = error_after(solver, 20)
    local e2 = error_after(solver, 40)
    t.eq(info.steps, 20)
    t.eq(info.nfe, 20 * calls[solver])
    t.near(math.log(e1 / e2, 2), p, 0.15)
  end
end)

t.test("dopri5 keeps its tolerance and counts", function()
  local last
  for _, tol in ipairs { 1e-4, 1e-7, 1e-10 } do
    local x = tensor.from({ { 1, 0 } }, F64)
    local y, info = flow.integrate(spin, x,
      { solver = "dopri5", rtol = tol, atol = tol })
    local want = tensor.from({ { math.cos(1), math.sin(1) } }, F64)
    t.ok((y - want):norm():item() < 20 * tol)
    t.eq(info.nfe, 1 + 6 * (info.steps + info.rejected))
    t.ok(not last or info.nfe > last)
    last = info.nfe
  end
end)

t.test("dopri5 raises instead of hanging", function()
  t.raises("dopri5 needs steps below", function()
    flow.integrate(function(x) return x * x * 50 end,
      tensor.from({ { 1.0 } }, F64),
      { solver = "dopri5", rtol = 1e-10, atol = 1e-10 })
  end)
  t.raises("not finite", function()
    flow.integrate(function(x) return x / 0 end, tensor.ones(1, 1),
                   { solver = "dopri5" })
  end)
end)

t.test("integration runs both ways and keeps the trajectory", function()
  local x = tensor.randn(7, 2, F64)
  local y, info = flow.integrate(spin, x, { solver = "rk4", steps = 30,
                                            trajectory = true })
  t.eq(#info.trajectory, 31)
  local back = flow.integrate(spin, y, { solver = "rk4", steps = 30, from = 1, to = 0 })
  t.ok((back - x):abs():max():item() < 1e-6)
end)

t.test("options are checked", function()
  local x = tensor.zeros(1, 2)
  t.raises("solver is", function() flow.integrate(spin, x, { solver = "rk5" }) end)
  t.raises("whole number", function() flow.integrate(spin, x, { steps = 0 }) end)
  t.raises("did you mean 'solver'", function() flow.integrate(spin, x, { solvr = "rk4" }) end)
  t.raises("dim=", function() flow.sample(spin, 4) end)
end)

---- nets ----

local function small_net(seed)
  tide.seed(seed)
  local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 2 }
  for _, p in ipairs(v:parameters()) do
    tide.no_grad(function() p:normal_(0, 0.3) end)
  end
  return v:to("f64")
end

t.test("sampling a mixture's exact field gives the mixture", function()
  tide.seed(2)
  local m = flow.targets.mog().exact
  local x, info = flow.sample(m, 4000, { solver = "rk4", steps = 40 })
  t.eq(info.nfe, 160)
  local w = tide.metrics.sliced_wasserstein(x, m:sample(4000))
  t.ok(w < 0.1, "sliced W2 " .. w)
end)

t.test("exact trace of a net equals the sum of its Jacobian", function()
  local v = small_net(4)
  local z = tensor.randn(5, 2, F64)
  local div = flow.divergence(v, z, 0.4)
  local h = 1e-5
  local sum = 0
  for d = 1, 2 do
    local e = tensor.zeros(1, 2, F64)
    e:set(h, 1, d)
    local difference = (v(z + e, 0.4) - v(z - e, 0.4)) / (2 * h)
    sum = sum + difference:select(2, d)
  end
  t.ok((div - sum):abs():max():item() < 1e-7)
end)

t.test("Hutchinson's estimate has the right mean", function()
  local v = small_net(4)
  local z = tensor.randn(1, 2, F64):expand(20000, 2):contiguous()
  local est = flow.divergence(v, z, 0.4, { method = "hutchinson" })
  local exact = flow.divergence(v, z:narrow(1, 1, 1), 0.4):item()
  t.near(est:mean():item(), exact, 4 * est:std():item() / math.sqrt(20000) + 1e-9)
end)

t.test("log-likelihood is differentiable in points and weights", function()
  local v = small_net(7)
  local y = tensor.randn(3, 2, F64):requires_grad_()
  local function value()
    return flow.log_likelihood(v, y, { steps = 6, create_graph = true }):sum()
  end
  local weight = v:parameters()[1]
  local gy, gw = table.unpack { tensor.grad(value(), { y, weight }) }
  if type(gy) == "table" and not tensor.is_tensor(gy) then gy, gw = gy[1], gy[2] end
  local h = 1e-5
  local function slope(x, i, j)
    local old = x:get(i, j)
    tide.no_grad(function() x:set(old + h, i, j) end)
    local up = value():item()
    tide.no_grad(function() x:set(old - h, i, j) end)
    local down = value():item()
    tide.no_grad(function() x:set(old, i, j) end)
    return (up - down) / (2 * h)
  end
  for _, at in ipairs { { 1, 1 }, { 2, 2 }, { 3, 1 } } do
    t.near(gy:get(at[1], at[2]), slope(y, at[1], at[2]), 1e-6)
    t.near(gw:get(at[1], at[2]), slope(weight, at[1], at[2]), 1e-6)
  end
end)

t.test("velocity nets have the paper's size and start at zero", function()
  local a = flow.VelocityMLP { dim = 2, hidden = 512, blocks = 4 }
  t.eq(a:num_parameters(), 6179330)
  t.eq(a(tensor.randn(4, 2), tensor.rand(4)):abs():max():item(), 0)
  local b = flow.VelocityMLP { dim = 32, hidden = 1024, blocks = 6 }
  t.eq(b:num_parameters(), 34978848)
  t.eq(b(tensor.randn(2, 32), 0.3):abs():max():item(), 0)
end)

t.test("one time as a number equals the same time for each row", function()
  local v = small_net(12)
  local z = tensor.randn(9, 2, F64)
  local a = v(z, 0.37)
  local b = v(z, tensor.full(9, 0.37, F64))
  t.ok((a - b):abs():max():item() < 1e-12)
end)

t.test("groups of points that share a time give the same residuals", function()
  local v = small_net(13)
  local y, x0 = tensor.randn(12, 2, F64), tensor.randn(12, 2, F64)
  local times = tensor.rand(4, F64)
  local rows = times:unsqueeze(2):expand(4, 3):reshape(12)
  local a = flow.align_loss(v, y, { t = times, x0 = x0, groups = 4, reduction = "none" })
  local b = flow.align_loss(v, y, { t = rows, x0 = x0, reduction = "none" })
  t.ok((a - b):abs():max():item() < 1e-12)
  local g = flow.targets.mog().exact
  a = flow.align_loss(g, y, { t = times, x0 = x0, groups = 4, reduction = "none" })
  b = flow.align_loss(g, y, { t = rows, x0 = x0, reduction = "none" })
  t.ok((a - b):abs():max():item() < 1e-12)
  t.raises("5 groups", function() flow.align_loss(v, y, { groups = 5 }) end)
end)

t.test("solvers give the same numbers captured", function()
  tide.seed(4)
  local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1, classes = 2 }
  for _, p in ipairs(v:parameters()) do
    tide.no_grad(function() p:add_(tensor.randn(p.shape) * 0.1) end)
  end
  v:freeze()
  local z, labels = tensor.randn(300, 2), tensor.randint(1, 2, { 300 })
  local function all()
    tide.seed(5)
    local x = flow.sample(v, z, { solver = "rk4", steps = 5, labels = labels, cfg = 1.5 })
    local y, info = flow.sample(v, z, { solver = "dopri5", labels = labels })
    local p = flow.log_likelihood(v, x, { steps = 4, labels = labels })
    local h = flow.log_likelihood(v, x, { steps = 4, labels = labels, divergence = "hutchinson" })
    return { x, y, p, h }, info.nfe
  end
  local got, nfe = all()
  tide.capture.enabled = false
  local want, count = all()
  tide.capture.enabled = true
  t.eq(nfe, count)
  for i = 1, #want do t.ok(want[i]:equal(got[i]), "result " .. i) end
end)
