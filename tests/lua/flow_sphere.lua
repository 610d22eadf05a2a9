-- flow_sphere.lua -- the sphere: geodesics near 0 and pi, densities, sampling, likelihood, alignment.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local sphere = flow.sphere
local F64 = { dtype = "f64" }

local function largest(x) return x:abs():max():item() end

-- Pairs of unit vectors at a given angle, in d dimensions.
local function pair(n, d, angle)
  local a = sphere.uniform(n, d, { radius = 1, dtype = "f64" })
  local e = sphere.project(sphere.tangent(tensor.randn(n, d, F64), a), 1)
  return a, a * math.cos(angle) + e * math.sin(angle), e
end

t.test("angles keep their digits near 0 and near pi", function()
  tide.seed(1)
  for _, w in ipairs { 1e-12, 1e-7, 1e-3, 1, 3, math.pi - 1e-3, math.pi - 1e-7 } do
    local a, b = pair(20, 5, w)
    t.ok(largest(sphere.angle(a * 3, b * 0.2) - w) < 4e-16 + 1e-15 * w, "angle " .. w)
    local single = sphere.angle(a:to("f32"), b:to("f32"))
    t.ok(largest(single:to("f64") - w) < 1e-6, "f32, angle " .. w)
  end
end)

t.test("slerp and its velocity at any angle, with gradients", function()
  tide.seed(2)
  for _, w in ipairs { 0, 1e-9, 1e-4, 0.9e-3, 1.1e-3, 1, 3.1, math.pi - 1e-5 } do
    local a, b, e = pair(20, 4, w)
    a:requires_grad_()
    local z, u = sphere.slerp(a, b, 0.3, 2)
    local want = a * math.cos(0.3 * w) + e * math.sin(0.3 * w)
    local loose = w > 3.13 and 1e-9 or 1e-12
    t.ok(largest(z - want * 2) < loose, "place, angle " .. w)
    local speed = (e * math.cos(0.3 * w) - a * math.sin(0.3 * w)) * (2 * w)
    t.ok(largest(u - speed) < 2 * loose, "velocity, angle " .. w)
    local g = tensor.grad((z * u):sum() + u:square():sum(), a)
    t.ok(g:isfinite():all():item(), "gradient, angle " .. w)
  end
end)

t.test("gradients of slerp against differences", function()
  tide.seed(3)
  for _, w in ipairs { 1e-5, 0.5, 2.8 } do
    local a, b = pair(1, 3, w)
    local c = tensor.randn(1, 3, F64)
    local function f(x) return (sphere.slerp(x, b, 0.4, 1) * c):sum() end
    local x = a:clone():requires_grad_()
    local g = tensor.grad(f(x), x)
    for i = 1, 3 do
      local h = tensor.zeros(1, 3, F64)
      h:set(1e-6, 1, i)
      t.near(g:get(1, i), (f(a + h):item() - f(a - h):item()) / 2e-6, 1e-5)
    end
  end
end)

t.test("antipodal points: one way, of length pi, in f32 and f64", function()
  for _, dtype in ipairs { "f32", "f64" } do
    local a = sphere.uniform(30, 3, { radius = 1, dtype = dtype }):requires_grad_()
    local z, u = sphere.slerp(a, -a, 0.5, 1)
    t.ok(largest(z:norm(2, 2) - 1) < 1e-5)
    t.ok(largest((z * a):sum(2)) < 1e-5)
    t.ok(largest(u:norm(2, 2) - math.pi) < 1e-4)
    t.ok(tensor.grad((z + u):sum(), a):isfinite():all():item())
  end
end)

t.test("exp and log are inverse to each other", function()
  tide.seed(4)
  local z, y = sphere.uniform(200, 6, F64), sphere.uniform(200, 6, F64)
  local v = sphere.log(z, y)
  t.ok(largest(sphere.exp(z, v) - y) < 1e-12)
  t.ok(largest((v * z):sum(2)) < 1e-12)
  t.ok(largest(v:norm(2, 2) - sphere.angle(z, y) * math.sqrt(6)) < 1e-12)
  t.ok(sphere.exp(z, v * 0):allclose(z, { rtol = 0, atol = 1e-15 }))
end)

-- Points of any shape: a radius per token.
t.test("tokens: the last dimension is the sphere's", function()
  tide.seed(11)
  local z = sphere.project(tensor.randn(2, 3, 16))
  t.ok(largest(z:norm(2, -1) - 4) < 1e-5)
  t.eq(sphere.angle(z, z:flip(1)).shape, { 2, 3 })
  -- at any angle each token is as it would be alone, its gradient too
  local path = flow.path.spherical()
  for _, w in ipairs { 0, 1e-9, 1, math.pi - 1e-5, math.pi } do
    local a, b = pair(6, 4, w)
    local times = tensor.rand(2, F64)
    local alone, whole = a:clone():requires_grad_(), a:reshape(2, 3, 4):requires_grad_()
    local p, u = path:at(whole, b:reshape(2, 3, 4), times)
    local q, v = path:at(alone, b, times:unsqueeze(2):expand(2, 3):flatten())
    t.ok(largest(p - q:reshape(2, 3, 4)) < 1e-14 and largest(u - v:reshape(2, 3, 4)) < 1e-14)
    local g = tensor.grad((p * u):sum() + u:square():sum(), whole)
    local h = tensor.grad((q * v):sum() + v:square():sum(), alone)
    t.ok(g:isfinite():all():item() and largest(g - h:reshape(2, 3, 4)) < 1e-12 * (1 + largest(h)))
  end
end)

t.test("tokens: one target, its loss, uniform density and alignment", function()
  tide.seed(12)
  local path = flow.path.spherical()
  local goal = sphere.project(tensor.randn(1, 5, 8, F64))
  local function field(z, s) return sphere.log(z, goal:expand(z.shape)) / (1 - s) end
  local x0 = path:prior(tensor.empty(20, 5, 8, F64))
  for _, steps in ipairs { 1, 3, 10 } do
    local y = flow.sample(field, x0, { path = path, steps = steps })
    t.ok(largest(y - goal) < 1e-11, steps .. " steps")
  end
  -- the same field by points: one time each, and a residual of 0
  local function at(z, s) return sphere.log(z, goal:expand(z.shape)) / (1 - s):reshape(-1, 1, 1) end
  t.ok(largest(flow.residual(at, goal:expand(20, 5, 8), { path = path, x0 = x0, eps = 0.01 })) < 1e-20)
  local function still(z) return z * 0 end
  local log_p = flow.log_likelihood(still, x0:narrow(1, 1, 2), { path = path, steps = 2 })
  t.ok(largest(log_p + 5 * sphere.log_area(8)) < 1e-11)
  local v = tide.nn.DiT { tokens = 5, channels = 8, width = 16, depth = 1, heads = 2 }
  flow.train(v, goal:to("f32"):expand(32, 5, 8), { steps = 3, batch = 8, path = path })
  local run = flow.align(v, tensor.randn(6, 5, 8), { path = path, steps = 2 })
  t.ok(largest(run.y:norm(2, -1) - math.sqrt(8)) < 1e-5)
end)

-- Great circles to a uniform target go all ways alike: no field is better than 0, whose loss
-- is R^2 E[w^2], for D = 3 with w of density sin(w) / 2.
t.test("uniform target: the loss of v = 0, and no better direction", function()
  tide.seed(13)
  local path, n = flow.path.spherical(), 40000
  local y = sphere.uniform(n, 3, F64)
  local pole = tensor.from({ { 0, 0, 1 } }, F64)
  local x0, times = sphere.uniform(n, 3, F64), tensor.rand(n, F64)
  local function loss(v)
    return flow.matching_loss(v, y, { path = path, x0 = x0, t = times, reduction = "none" })
  end
  local zero = loss(function(z) return z * 0 end)
  local error = zero:std():item() / math.sqrt(n)
  t.near(zero:mean():item(), 3 * (math.pi ^ 2 - 4) / 2, 4 * error)
  for _, toward in ipairs { pole, -pole } do
    local more = loss(function(z) return toward:expand(z.shape) end) - zero
    -- the mean square of the tangent part of a unit vector is 2/3
    t.near(more:mean():item(), 2 / 3, 4 * more:std():item() / math.sqrt(n))
  end
  -- other dimensions by quadrature
  for _, d in ipairs { 4, 9 } do
    local above, below, m = 0, 0, 4000
    for i = 1, m do
      local w = (i - 0.5) * math.pi / m
      local p = math.sin(w) ^ (d - 2)
      above, below = above + p * w * w, below + p
    end
    local w = sphere.angle(sphere.uniform(n, d, F64), sphere.uniform(n, d, F64)):square()
    t.near(w:mean():item(), above / below, 4 * w:std():item() / math.sqrt(n))
  end
end)

t.test("Euler and a projection advance by arctan(w dt), the exponential map by w dt", function()
  local path = flow.path.spherical { radius = 2 }
  local z = tensor.from({ { 2, 0, 0 } }, F64)
  local v = tensor.from({ { 0, 2 * 0.8, 0 } }, F64)               -- w = 0.8
  t.near(sphere.angle(z, path:step(z, v, 0.5)):item(), 0.4, 1e-15)
  t.near(sphere.angle(z, path:project(z + v * 0.5)):item(), math.atan(0.4), 1e-15)
  -- tokens, each with its own angle, and a velocity that is not tangent
  tide.seed(14)
  local a = sphere.project(tensor.randn(3, 4, 5, F64), 2)
  local u = tensor.randn(3, 4, 5, F64)
  local w = sphere.tangent(u, a):norm(2, -1) / 2
  t.ok(largest(sphere.angle(a, path:step(a, u, 0.3)) - w * 0.3) < 1e-14)
  t.ok(largest(sphere.angle(a, path:project(a + path:tangent(u, a) * 0.3)) - (w * 0.3):atan()) < 1e-14)
end)

t.test("one target: the exponential sampler lands on it in any number of steps", function()
  tide.seed(5)
  local path = flow.path.spherical()
  local goal = path:project(tensor.randn(1, 8, F64)):expand(40, 8)
  local function field(z, s) return sphere.log(z, goal) / (1 - s) end
  local x0 = sphere.uniform(40, 8, F64)
  for _, steps in ipairs { 1, 2, 13 } do
    local y = flow.sample(field, x0, { path = path, steps = steps })
    t.ok(largest(y - goal) < 1e-11, steps .. " steps")
  end
end)

t.test("radial share of the linear velocity at t = 0 is (1 - cos w) / 2", function()
  local a, b = pair(50, 5, 1.3)
  local u = b - a
  local share = (u * a):sum(2):square() / u:square():sum(2)
  t.ok(largest(share - (1 - math.cos(1.3)) / 2) < 1e-12)
  -- the spherical velocity has no radial part at any time
  for _, time in ipairs { 0, 0.4, 1 } do
    local z, tangent = flow.path.spherical { radius = 1 }:at(a, b, time)
    t.ok(largest((z * tangent):sum(2)) < 1e-14)
  end
end)

t.test("areas and the uniform law", function()
  t.near(sphere.log_area(2, 1), math.log(2 * math.pi), 1e-14)
  t.near(sphere.log_area(3, 2), math.log(16 * math.pi), 1e-14)
  t.near(sphere.log_area(4, 1), math.log(2 * math.pi ^ 2), 1e-14)
  local x = sphere.uniform(20000, 3, { radius = 1, generator = tide.generator(1) })
  t.ok(largest(x:mean(1)) < 0.02)
  t.ok(largest(x:transpose(1, 2):matmul(x) / 20000 - tensor.eye(3) / 3) < 0.02)
end)

-- The integral over the unit sphere by midpoints in the cosine and the longitude.
local function integral(f, n)
  local z = (tensor.arange(1, n, F64) - 0.5) * (2 / n) - 1
  local a = (tensor.arange(1, 2 * n, F64) - 0.5) * (math.pi / n)
  local r = (1 - z:square()):sqrt():unsqueeze(2)
  local p = tensor.stack({ (r * a:cos():unsqueeze(1)):flatten(), (r * a:sin():unsqueeze(1)):flatten(),
    z:unsqueeze(2):expand(n, 2 * n):flatten() }, 2)
  return f(p):sum():item() * (2 / n) * (math.pi / n)
end

local function three(o)
  return sphere.von_mises_fisher { directions = { { 1, 0, 0 }, { 0, 2, 0 }, { -1, -1, 1 } },
    concentration = o.concentration or { 3, 30, 0 }, weights = { 1, 2, 1 }, radius = o.radius or 1 }
end

t.test("von Mises-Fisher: densities integrate to one, closed form for D = 3", function()
  t.near(integral(function(p) return three {}:log_prob(p):exp() end, 400), 1, 1e-4)
  local c = 7
  local p = sphere.von_mises_fisher { directions = { { 0, 0, 1 } }, concentration = c, radius = 1 }
  local at = p:log_prob(tensor.from({ { 0, 0, 5 } }, F64)):item()      -- taken by direction
  t.near(at, math.log(c / (2 * math.pi * (1 - math.exp(-2 * c)))), 1e-13)
  local huge = sphere.von_mises_fisher { directions = { { 0, 0, 1 } }, concentration = 5000, radius = 1 }
  t.near(huge:log_prob(tensor.from({ { 0, 0, 1 } }, F64)):item(), math.log(5000 / (2 * math.pi)), 1e-10)
  t.near(three { radius = 3 }:log_prob(tensor.ones(1, 3, F64)):item(),
         three {}:log_prob(tensor.ones(1, 3, F64)):item() - 2 * math.log(3), 1e-13)
end)

-- The mean cosine is the derivative of the log of the normaliser.
t.test("von Mises-Fisher: samples agree with the density, by inversion and by rejection", function()
  for _, d in ipairs { 2, 3, 7 } do
    for _, c in ipairs { 0, 0.5, 8, 100 } do
      local m = tensor.ones(1, d, F64)
      local function one(k)
        return sphere.von_mises_fisher { directions = m, concentration = k, radius = 1 }
      end
      local p = one(c)
      local x = p:sample(20000, { generator = tide.generator(9), dtype = "f64" })
      local cosine = x:matmul(sphere.project(m, 1):transpose(1, 2))
      local h = 1e-4
      local function log_z(k) return k - one(k):log_prob(m):item() end
      local want = c > h and (log_z(c + h) - log_z(c - h)) / (2 * h) or 0
      t.near(cosine:mean():item(), want, 4 * cosine:std():item() / math.sqrt(20000) + 1e-6)
    end
  end
  local x, k = three {}:sample(8000, { components = true, generator = tide.generator(2) })
  t.near(k:eq(2):to("f64"):mean():item(), 0.5, 0.03)
  t.ok(largest(x:norm(2, 2) - 1) < 1e-6)
  t.eq(three {}:sample(0).shape, { 0, 3 })
end)

t.test("mixtures: clear errors", function()
  local make = sphere.von_mises_fisher
  t.raises("no zero row", make, { directions = { { 0, 0, 0 } } })
  t.raises("shape", make, {})
  t.raises("concentration must be a number that is not negative, or 2 of them", make,
    { directions = tensor.eye(2), concentration = { 1, 2, 3 } })
  t.raises("concentration", make, { directions = tensor.eye(2), concentration = -1 })
  t.raises("points must have shape", function() three {}:log_prob(tensor.zeros(2, 2)) end)
end)

-- A rotation about the third axis: the uniform law stays, so log p is that of the uniform
-- law everywhere; and a field towards a pole, v = tangent of a fixed vector, whose flow is
-- known: tan(angle/2) shrinks by exp(-a).
t.test("likelihood on the sphere against closed forms, with solvers that leave it", function()
  tide.seed(6)
  local path = flow.path.spherical { radius = 1 }
  local y = sphere.uniform(50, 3, { radius = 1, dtype = "f64" })
  local function spin(z) return tensor.stack({ -z:select(2, 2), z:select(2, 1), z:select(2, 3) * 0 }, 2) end
  local log_p = flow.log_likelihood(spin, y, { path = path, steps = 40 })
  t.ok(largest(log_p + math.log(4 * math.pi)) < 1e-10)
  local a = 0.7
  local pole = tensor.from({ { 0, 0, a } }, F64)
  local function pull(z) return pole:expand(z:size(1), 3) end
  local got = flow.log_likelihood(pull, y, { path = path, steps = 100 })
  local moved = flow.sample(pull, y, { path = path, solver = "rk4", steps = 50 })
  t.ok(largest(moved:norm(2, 2) - 1) < 1e-7)
  -- cos at 0 from cos at 1, and d cos0 / d cos1 as the density of areas
  local c = y:select(2, 3)
  local shrink = math.exp(2 * a)
  local q = (1 - c) / (1 + c) * shrink                     -- tan^2 of half the angle at t = 0
  local slope = shrink / (1 + c):square() * 4 / (1 + q):square()
  t.ok(largest(got - (slope:log() - math.log(4 * math.pi))) < 1e-7)
end)

t.test("latents move on the sphere: a trained flow pulls them to the directions", function()
  tide.seed(7)
  local path = flow.path.spherical { radius = 1 }
  local target = sphere.von_mises_fisher { directions = { { 0, 0, 1 } }, concentration = 20, radius = 1 }
  local v = flow.VelocityMLP { dim = 3, hidden = 32, blocks = 2 }
  flow.train(v, target, { steps = 300, batch = 256, lr = 2e-3, path = path })
  v:freeze()
  local y = sphere.uniform(100, 3, { radius = 1 })
  local run = flow.align(v, y, { path = path, steps = 150, lr = 0.02,
    nll = function(x) return target:nll(x) end })
  t.ok(largest(run.y:norm(2, 2) - 1) < 1e-5)
  t.ok(run.curve.nll[#run.curve.nll] < run.curve.nll[1] - 2)
  t.ok(run.curve.align[#run.curve.align] < run.curve.align[1])
  t.eq(flow.align(v, y, { path = path, steps = 1, loss = "excess" }).critic.path, path)
  t.raises("on the sphere flow.log_likelihood", flow.align, v, y,
           { path = path, steps = 1, loss = "likelihood" })
  local x = flow.sample(v, 500, { path = path, steps = 20 })
  t.ok(largest(x:norm(2, 2) - 1) < 1e-5)
  t.ok(target:nll(x):mean():item() < 1)
end)

t.test("a step on the sphere is captured and gives the numbers of the step itself", function()
  local function losses(wrap)
    tide.seed(9)
    local path, list = flow.path.spherical(), {}
    local v = flow.VelocityMLP { dim = 4, hidden = 8, blocks = 1 }
    local opt = tide.optim.Adam(v:parameters(), { lr = 1e-2 })
    local x = path:prior(tensor.empty(40, 4))
    local step = wrap(function(x1)
      opt:zero_grad()
      local loss = flow.matching_loss(v, x1, { path = path })
      loss:backward()
      opt:step()
      return loss
    end)
    for i = 1, 5 do list[i] = step(x):item() end
    return list
  end
  t.eq(losses(tide.capture), losses(function(f) return f end))
  local count = tide.capture(function(x) return tensor.arange(3) + tensor.linspace(0, 1, 3) * x end)
  local two = tensor.full(3, 2)
  for _ = 1, 3 do t.ok(count(two):equal(tensor.from { 1, 3, 5 })) end
end)
