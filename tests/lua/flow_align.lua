-- flow_align.lua -- losses, training and alignment: small runs whose outcome is known.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local F64 = { dtype = "f64" }

t.test("gradient of the residual is 2 (t J - I) r", function()
  local v = flow.targets.mog().exact
  local y, x0 = tensor.randn(6, 2, F64):requires_grad_(), tensor.randn(6, 2, F64)
  local time = 0.6
  local g = tensor.grad(flow.residual(v, y, { t = time, x0 = x0 }):sum(), y)
  local z = (y:detach() * time + x0 * (1 - time)):requires_grad_()
  local out = v(z, time)
  local r = (out - (y - x0)):detach()
  local pulled = tensor.grad(out, z, { grad_outputs = r })   -- J^T r
  local want = (pulled * time - r) * 2
  t.ok((g - want):abs():max():item() < 1e-10)
end)

t.test("likelihood weight, clip and functions of t", function()
  local v = flow.exact.gaussian { mean = { 0, 0 } }
  local y, x0 = tensor.randn(4, 2, F64), tensor.randn(4, 2, F64)
  local times = tensor.from({ 0.1, 0.5, 0.9, 0.99 }, F64)
  local function with(o)
    o.t, o.x0, o.reduction = times, x0, "none"
    return flow.align_loss(v, y, o)
  end
  local plain = with {}
  local weighted = with { weight = "likelihood" }
  t.ok((weighted - plain * times / (1 - times)):abs():max():item() < 1e-10)
  local clipped = with { weight = "likelihood", clip = 2 }
  t.near(clipped:get(4), plain:get(4) * 2, 1e-10)
  local own = with { weight = function(s) return s * s end }
  t.ok((own - plain * times * times):abs():max():item() < 1e-12)
  t.raises("weight is", function() with { weight = "lots" } end)
end)

t.test("samples average, and shared draws are shared", function()
  tide.seed(1)
  local v = flow.targets.mog().exact
  local y = tensor.zeros(3, 2)
  local few = flow.align_loss(v, y, { samples = 4, reduction = "none" })
  t.eq(few:size(1), 3)
  local draws = flow.draws(16, 2)
  local a = flow.align_loss(v, y, { draws = draws, reduction = "none" })
  t.near(a:get(1), a:get(3), 1e-6)
  t.near(flow.align_loss(v, y, { draws = draws }):item(), a:mean():item(), 1e-6)
end)

t.test("the excess loss is the distance of the fields", function()
  -- isotropic Gaussians: E excess = (pi / 4 sigma) W2^2
  tide.seed(3)
  local sigma = 0.5
  local data = flow.exact.gaussian { mean = { 0, 0 }, std = sigma }
  local other = flow.exact.gaussian { mean = { 0.4, 0 }, std = sigma }
  local y = other:sample(60000, F64)
  local e = flow.excess_loss(data, y, { critic = other, reduction = "none" })
  local want = math.pi / (4 * sigma) * 0.4 ^ 2
  t.near(e:mean():item(), want, 4 * e:std():item() / math.sqrt(60000))
end)

t.test("training lowers the loss towards its floor, and resumes", function()
  tide.seed(5)
  local target = flow.targets.gaussian { std = 1 }
  local v = flow.VelocityMLP { dim = 2, hidden = 32, blocks = 1 }
  local run = flow.train(v, target, { steps = 150, batch = 128, lr = 5e-3 })
  t.eq(run.step, 150)
  run = flow.train(v, target, { steps = 50, batch = 128, lr = 1e-3, resume = run })
  t.eq(run.step, 200)
  local value = flow.matching_loss(v, target:sample(4000)):item()
  local floor = math.pi / 2 * 2          -- (pi/2) d sigma
  t.ok(value < floor * 1.15, "loss " .. value .. " over the floor " .. floor)
  t.ok(value > floor * 0.9)
end)

t.test("latents fall into modes with the plain loss, and keep their spread with the excess", function()
  tide.seed(7)
  local target = flow.targets.gaussian { std = 1 }
  local net = flow.VelocityMLP { dim = 2, hidden = 32, blocks = 1 }
  flow.train(net, target, { steps = 300, batch = 128, lr = 5e-3 })
  local y = tensor.randn(256, 2)
  local plain = flow.align(target.exact, y, { steps = 300, lr = 0.03 })
  t.ok(plain.y:detach():std():item() < 0.3)
  local kept = flow.align(net, y, { steps = 150, lr = 0.03, loss = "excess",
                                    critic = { batch = 128 } })
  local spread = kept.y:detach():std():item()
  t.ok(spread > 0.8 and spread < 1.2, "spread " .. spread)
  t.eq(plain.curve.step[1], 0)
  t.ok(plain.curve.align[#plain.curve.align] < plain.curve.align[1])
end)

t.test("the prior's weights get no gradients and do not move", function()
  tide.seed(8)
  local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1 }
  local before = v:parameters()[1]:detach():clone()
  flow.align(v, tensor.randn(32, 2), { steps = 3, loss = "excess",
                                       critic = { batch = 16 } })
  t.ok(v:parameters()[1]:detach():equal(before))
  t.eq(v:parameters()[1].grad, nil)
end)

t.test("a loop yields when asked to", function()
  local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1 }
  local co = coroutine.create(function()
    return flow.train(v, flow.targets.mog(), { steps = 3, batch = 8, yield = true })
  end)
  local count = 0
  while true do
    local ok, run = coroutine.resume(co)
    assert(ok, run)
    if coroutine.status(co) == "dead" then
      t.eq(run.step, 3)
      break
    end
    count = count + 1
  end
  t.eq(count, 3)
end)

t.test("the same seed gives the same run, whatever the threads", function()
  local function run(threads)
    tide.set_threads(threads)
    tide.seed(21)
    local v = flow.VelocityMLP { dim = 2, hidden = 64, blocks = 2 }
    flow.train(v, flow.targets.mog(), { steps = 12, batch = 256 })
    local y = flow.align(v, tensor.randn(200, 2), { steps = 4 }).y
    return y:detach():clone()
  end
  local one, two, three = run(1), run(2), run(3)
  tide.set_threads(0)
  t.ok(one:equal(two) and two:equal(three))
end)

t.test("conditions: labels are dropped per sample and guide sampling", function()
  tide.seed(9)
  local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1, classes = 3 }
  local function source(n)
    return tensor.randn(n, 2), tensor.randint(1, 3, { n })
  end
  flow.train(v, source, { steps = 3, batch = 16, label_drop = 0.5 })
  local labels = tensor.full({ 5 }, 2, { dtype = "i64" })
  local noise = tensor.randn(5, 2)
  local a = flow.sample(v, noise, { labels = labels, steps = 4 })
  local b = flow.sample(v, noise, { labels = labels, steps = 4, cfg = 3 })
  local c = flow.sample(v, noise, { labels = labels, steps = 4, cfg = 1 })
  t.ok(a:equal(c) and not a:equal(b))
end)

---- paths ----

t.test("the sphere: slerp, tangent velocities, the exponential map", function()
  local path = flow.path.spherical { radius = 2 }
  local x0, x1 = path:project(tensor.randn(50, 3, F64)), path:project(tensor.randn(50, 3, F64))
  local z, u = path:interpolate(x0, x1, 0.3), path:velocity(x0, x1, 0.3)
  t.ok((z:norm(2, 2) - 2):abs():max():item() < 1e-12)
  t.ok((z * u):sum(2):abs():max():item() < 1e-10)
  local h = 1e-6
  local difference = (path:interpolate(x0, x1, 0.3 + h) - path:interpolate(x0, x1, 0.3 - h)) / (2 * h)
  t.ok((difference - u):abs():max():item() < 1e-6)
  -- one target: the exponential sampler lands on it in any number of steps
  local goal = path:project(tensor.from({ { 1, 2, 3 } }, F64)):expand(50, 3)
  local field = function(p, s) return path:velocity(p, goal, 0) / (1 - s) end
  local y = flow.sample(field, x0, { path = path, steps = 7 })
  t.ok((y - goal):abs():max():item() < 1e-9)
end)

t.test("on the sphere the loss of no field is R^2 E[w^2]", function()
  tide.seed(10)
  local path = flow.path.spherical { radius = 1 }
  local x1 = path:project(tensor.randn(40000, 3, F64))
  local r = flow.matching_loss(function(z) return z * 0 end, x1,
                               { path = path, reduction = "none" })
  t.near(r:mean():item(), (math.pi ^ 2 - 4) / 2, 4 * r:std():item() / 200)
end)

t.test("affine paths: velocity is the derivative, weights agree", function()
  for _, path in ipairs { flow.path.linear(), flow.path.trigonometric() } do
    local x0, x1 = tensor.randn(5, 2, F64), tensor.randn(5, 2, F64)
    local h = 1e-6
    local d = (path:interpolate(x0, x1, 0.4 + h) - path:interpolate(x0, x1, 0.4 - h)) / (2 * h)
    t.ok((d - path:velocity(x0, x1, 0.4)):abs():max():item() < 1e-8)
  end
  t.near(flow.path.linear():weight(0.75), 3, 1e-12)
end)

t.test("projections and targets", function()
  local p = flow.project.avgpool(6, 3)
  t.ok(p(tensor.from { { 1, 3, 5, 7, 9, 11 } }):equal(tensor.from { { 2, 6, 10 } }))
  t.raises("evenly", function() flow.project.avgpool(5, 3) end)
  for _, name in ipairs { "mog", "grid", "moons", "rings", "spiral", "swissroll",
                          "pinwheel", "checkerboard", "gaussian" } do
    local target = flow.targets[name]()
    local x = target:sample(20000, { generator = tide.generator(3) })
    t.near(x:std { correction = 0 }:item(), 1, 0.02)
    t.ok(target:nll(x:narrow(1, 1, 200)):isfinite():all():item())
  end
  local entropy = flow.targets.gaussian():nll(flow.targets.gaussian():sample(20000)):mean():item()
  t.near(entropy, math.log(2 * math.pi * math.exp(1)), 0.05)
end)

t.test("an image as target: samples are dark, the density integrates to 1", function()
  local img = tensor.ones(8, 8)
  img[{ { 1, 4 }, { 1, 4 } }] = 0                    -- dark upper left
  local target = flow.targets.image(img)
  local x = target:sample(500)
  t.ok(x:select(2, 1):le(1e-6):all():item() and x:select(2, 2):ge(-1e-6):all():item())
  local grid = flow.landscape(function(p) return target:nll(p) end,
    { xlim = { -3, 3 }, ylim = { -3, 3 }, n = 301, dtype = "f64" })
  local area = (6 / 300) ^ 2
  t.near((-grid.z):exp():sum():item() * area, 1, 0.05)
  t.raises("nothing dark", function() flow.targets.image(tensor.ones(4, 4)) end)
end)
