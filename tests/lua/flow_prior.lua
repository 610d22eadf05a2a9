-- flow_prior.lua -- flow.prior: mixtures in any dimension, vectors, files, projections;
-- and nn.MLP.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow, nn = tide.tensor, tide.flow, tide.nn

local function fails(f, pattern) t.raises(pattern, f) end
local function std(x) return x:std { correction = 0 }:item() end

t.test("a mixture in 32 dimensions: scale, density, modes", function()
  local p = flow.prior("mixture", { dim = 32 })
  local x = p:sample(20000)
  t.eq(x:size(2), 32)
  t.near(std(x), 1, 0.02)
  t.near(p.mode_std, p.exact.variances:get(1, 1) ^ 0.5, 1e-12)
  -- the entropy of a Gaussian plus log 10: modes do not touch in 32 dimensions
  local s = p.mode_std
  t.near(p:nll(x):mean():item(), 16 * math.log(2 * math.pi * math.exp(1) * s * s)
    + math.log(10), 0.1)
  t.eq(tide.metrics.modes(x, p.modes).within_std > 0.98 * s, true)
end)

t.test("reference and fresh: always the same, nothing in common", function()
  for _, p in ipairs { flow.prior "moons", flow.prior("mixture", { dim = 3 }),
                       flow.prior(tensor.randn(400, 3)) } do
    local a, b = p:reference(200), p:fresh(80)
    tide.seed(99)
    t.ok(a:equal(p:reference(200)) and b:equal(p:fresh(80)), p.name)
    t.ok(tensor.cdist(b, a):min():item() > 0, p.name)
  end
end)

t.test("vectors: one in five held out, centred, scaled; projections", function()
  local x = tensor.randn(1000, 8) * 3 + 5
  local p = flow.prior(x)
  t.eq(p:reference(10000):size(1), 800)
  t.eq(p:fresh(10000):size(1), 200)
  local all = tensor.cat { p:reference(800), p:fresh(200) }
  t.near(all:mean():item(), 0, 1e-5)
  t.near(std(all), 1, 1e-5)
  t.eq(p.projection, nil)
  for _, kind in ipairs { "random", "avgpool", "pca" } do
    local q = flow.prior(x, { dim = 2, projection = kind })
    t.eq(q.projection, kind)
    t.eq(q:sample(5):size(2), 2)
    t.near(std(tensor.cat { q:reference(800), q:fresh(200) }), 1, 1e-5)
  end
end)

t.test("vectors from files, with a name where there are many", function()
  local path = os.tmpname()
  local x = tensor.randn(50, 4)
  tide.data.save(path .. ".npy", x)
  tide.data.save(path .. ".safetensors", { words = x, other = tensor.ones(2, 2) })
  t.eq(flow.prior(path .. ".npy").rows:size(1), 40)
  t.ok(flow.prior(path .. ".safetensors:words").rows:equal(flow.prior(x).rows))
  fails(function() flow.prior(path .. ".safetensors") end, "FILE:NAME")
  fails(function() flow.prior(path .. ".safetensors:none") end, "other, words")
  for _, ext in ipairs { "", ".npy", ".safetensors" } do os.remove(path .. ext) end
end)

t.test("what is wrong is said", function()
  fails(function() flow.prior "mogg" end, "no target 'mogg'")
  fails(function() flow.prior("mog", { dim = 32 }) end, "lies in the plane")
  fails(function() flow.prior(tensor.ones(100, 3)) end, "all equal")
  fails(function() flow.prior(tensor.zeros(3, 3)) end, "too few")
  fails(function() flow.prior(tensor.full({ 50, 2 }, 0 / 0)) end, "not finite")
  fails(function() flow.prior(tensor.randn(50, 4), { dim = 2, projection = "pcb" }) end,
          "projection is")
  fails(function() flow.prior(7) end, "name of a target")
end)

t.test("MLP: layers, activations in between, features", function()
  local net = nn.MLP { 5, 7, 3, act = "relu" }
  t.eq(#net:parameters(), 4)
  local x = tensor.randn(4, 5)
  local a, b = net.layers[1], net.layers[2]
  t.ok(net(x):allclose(b(a(x):relu())))
  t.ok(net(x, 1):equal(a(x):relu()))
  local other = nn.MLP { 5, 7, 3, act = "relu" }
  other:load_state_dict(net:state_dict())
  t.ok(other(x):equal(net(x)))
  fails(function() nn.MLP { 5 } end, "at least two sizes")
  fails(function() nn.MLP { 5, 2, act = "rleu" } end, "act is")
end)

t.test("BatchNorm: batches, running averages, gradients, files", function()
  local norm = nn.BatchNorm(3, { momentum = 0.5 })
  local x = tensor.randn(50, 3, { dtype = "f64" }):to("f32") * 4 + 1
  local y = norm(x)
  t.near(y:mean():item(), 0, 1e-5)
  t.near(std(y), 1, 1e-3)
  t.near(norm.mean:get(2), 0.5 * x:select(2, 2):mean():item(), 1e-5)
  t.near(norm.var:get(2), 0.5 + 0.5 * x:select(2, 2):var():item(), 1e-4)
  t.eq(#norm:parameters(), 2)
  -- shifting or scaling a batch changes nothing, so the gradient is at right angles to both
  local z = tensor.randn(20, 3):requires_grad_()
  local w = tensor.randn(20, 3)
  local g = tensor.grad((norm(z) * w):sum(), { z })[1]
  t.near(g:sum():item(), 0, 1e-4)
  t.near((g * (z - z:mean(1, true))):sum():item(), 0, 1e-3)
  local other = nn.BatchNorm(3)
  other:load_state_dict(norm:state_dict())
  norm:eval()
  other:eval()
  t.ok(other(x):equal(norm(x)))
  t.ok(norm(x:narrow(1, 1, 1)):allclose(norm(x):narrow(1, 1, 1)))
  fails(function() norm:train()(x:narrow(1, 1, 1)) end, "at least 2 rows")
  fails(function() norm(tensor.zeros(2, 4)) end, "rows of 3")
end)
