-- flow_targets.lua -- targets made of points and pictures, and their landscapes.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow, metrics, data = tide.tensor, tide.flow, tide.metrics, tide.data
local F64 = { dtype = "f64" }

-- The integral of exp(-NLL) of a plane target over cells of a grid.
local function mass(target, limit, n)
  local step = 2 * limit / n
  local z = flow.landscape(target, { xlim = { -limit + step / 2, limit - step / 2 },
    ylim = { -limit + step / 2, limit - step / 2 }, n = n, dtype = "f64" }).z
  return (-z):exp():sum():item() * step * step
end

t.test("landscapes of targets are their NLL at the points", function()
  for _, name in ipairs { "mog", "spiral", "checkerboard" } do
    local target = flow.targets[name]()
    local g = flow.landscape(target, { n = { 12, 9 }, xlim = { -2, 2 }, ylim = { -1, 2 } })
    t.eq(g.z.shape, { 9, 12 })
    local want = target:nll(g.points):reshape(9, 12)
    t.ok(g.z:allclose(want, { rtol = 1e-5, atol = 1e-5 }), name)
  end
end)

t.test("points: rows, scale, bandwidth, files", function()
  tide.seed(1)
  local x = tensor.randn(400, 2) * 3
  local p = flow.targets.points(x)
  t.near(p.bandwidth, 400 ^ (-1 / 6), 1e-12)
  t.near(p.scale, x:std { correction = 0 }:item(), 1e-6)
  t.near(mass(p, 5, 200), 1, 1e-3)
  local y = p:sample(50) * p.scale
  t.ok(metrics.knn(y, x, 1):max():item() < 1e-5)
  local want = -metrics.kde_log_density(y / p.scale, x / p.scale, { bandwidth = p.bandwidth })
  t.ok(p:nll(y / p.scale):allclose(want, { rtol = 1e-5, atol = 1e-5 }))
  data.save(t.tmp("points.npy"), x)
  local q = flow.targets.points(t.tmp("points.npy"), { bandwidth = 0.3, normalize = false })
  t.eq({ q.bandwidth, q.scale }, { 0.3, 1 })
  t.raises("'scott' or a positive number, not wide", flow.targets.points, x, { bandwidth = "wide" })
end)

-- 3 x 4 pixels, rows from the top; one of them is white.
local picture = tensor.from({ { 1, 1, 1, 1 }, { 1, 0, 0.5, 1 }, { 1, 1, 1, 0 } }, F64)

t.test("pictures: darkness or opacity, exact on every pixel", function()
  local target = flow.targets.image(picture)
  local size, s = 0.5, target.scale                -- 4 pixels span [-1, 1]
  local function nll(x, y) return target:nll(tensor.from({ { x / s, y / s } }, F64)):item() end
  local full = -math.log(1 / 2.5 / size ^ 2 * s * s)
  t.near(nll(-0.25, 0.01), full, 1e-9)             -- row 2, column 2
  t.near(nll(0.4, -0.2), full + math.log(2), 1e-9)
  t.near(nll(0.9, -0.7), full, 1e-9)               -- the last of all, below on the right
  t.eq(nll(0.9, 0.7), math.huge)
  t.eq(nll(5, 0), math.huge)
  local x = target:sample(4000)
  t.ok(target:nll(x):isfinite():all():item())
  t.near(x:std { correction = 0 }:item(), 1, 0.02)
  local pixels = (x * s / size + tensor.from { { 2, 1.5 } }):floor()
  local share = pixels:select(2, 1):eq(2):logical_and(pixels:select(2, 2):eq(1)):to("f64"):mean():item()
  t.near(share, 0.5 / 2.5, 0.03)
  -- the same as opacity of a PNG, in 8 and 16 bits; what is white does not matter then
  local rgba = tensor.stack({ tensor.ones(3, 4), tensor.ones(3, 4), tensor.ones(3, 4),
    (1 - picture):to("f32") }, 3)
  for _, wide in ipairs { false, true } do
    data.save(t.tmp("ink.png"), wide and (rgba * 65535):round():to("i32") or rgba)
    local from = flow.targets.image(t.tmp("ink.png"))
    t.near(from.scale, s, 5e-3)
    t.near(from:nll(tensor.from { { -0.25 / s, 0 } }):item(), full, 5e-3)
  end
  local gap = flow.targets.image(tensor.stack({ picture, tensor.ones(3, 4, F64) }, 3))
  t.near(gap.scale, s, 1e-9)                       -- opaque everywhere: darkness
  t.raises("nothing dark", flow.targets.image, tensor.zeros(3, 3, 2), { from = "alpha" })
  t.raises("no alpha channel", flow.targets.image, picture, { from = "alpha" })
  t.raises("1 to 4 channels, not (3,3,5)", flow.targets.image, tensor.zeros(3, 3, 5))
  t.raises("'auto', 'darkness' or 'alpha'", flow.targets.image, picture, { from = "ink" })
end)

t.test("a picture's density integrates to 1", function()
  local target = flow.targets.image(picture)
  -- cells that divide the pixels evenly
  t.near(mass(target, 1 / target.scale, 64), 1, 1e-9)
end)
