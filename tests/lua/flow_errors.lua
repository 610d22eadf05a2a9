-- flow_errors.lua -- wrong arguments of the flow library and the metrics are named;
-- state that coroutines and scopes must not disturb.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow, metrics = tide.tensor, tide.flow, tide.metrics
local mog = flow.targets.mog()
local y = tensor.ones(5, 2)

local function net() return flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 } end

t.test("fields of the wrong kind or shape", function()
  t.raises("target.exact", function() flow.align(mog, y) end)
  t.raises("must be a function or a net, .* not a nil", function() flow.train(nil, mog) end)
  t.raises("only a net", function() flow.train(function(z) return z end, mog) end)
  t.raises("frozen", function() flow.train(net():freeze(), mog) end)
  t.raises("returned %(5,1%) for points of shape %(5,2%)", function()
    flow.align_loss(function(z) return z:sum(2, true) end, y)
  end)
  t.raises("returned a number", function()
    flow.align(function() return 3 end, y, { steps = 1 })
  end)
  t.raises("returned %(1,2%)", function()
    flow.sample(function() return tensor.zeros(1, 2) end, y)
  end)
end)

t.test("options out of range", function()
  local function align(o)
    return function() flow.align_loss(mog.exact, y, o) end
  end
  t.raises("eps", align { eps = 5 })
  t.raises("clip", align { weight = "likelihood", clip = -1 })
  t.raises("samples", align { samples = 0 })
  t.raises("t must be", align { t = 2 })
  t.raises("x0 must be", align { x0 = tensor.rand(1, 2) })
  t.raises("draws", align { draws = {} })
  t.raises("groups", align { groups = 0 })
  t.raises("labels", function() flow.sample(mog.exact, 3, { cfg = 3 }) end)
  t.raises("batch", function() flow.train(net(), mog, { batch = 0 }) end)
  t.raises("lr", function() flow.train(net(), mog, { lr = 1 / 0 }) end)
  t.raises("report", function() flow.train(net(), mog, { report = 5 }) end)
  t.raises("resume", function() flow.train(net(), mog, { resume = {} }) end)
  t.raises("path", function() flow.train(net(), mog, { path = "linear" }) end)
  t.raises("schedule", function()
    flow.train(net(), mog, { steps = 1, schedule = function() end })
  end)
  t.raises("nll", function()
    flow.align(mog.exact, y, { steps = 1, nll = function() return 5 end })
  end)
  t.raises("atol", function()
    flow.integrate(function(x) return x end, y, { solver = "dopri5", rtol = 0, atol = 0 })
  end)
  t.raises("to must be", function()
    flow.integrate(function(x) return x end, y, { to = 1 / 0 })
  end)
  t.raises("xlim", function() flow.landscape(mog.exact, { xlim = 5 }) end)
end)

t.test("metrics of nothing, and of NaN", function()
  local none = tensor.zeros(0, 2)
  for _, name in ipairs { "sliced_wasserstein", "mmd", "precision_recall", "knn_log_radius" } do
    t.raises("at least one of each", function() metrics[name](none, y) end)
  end
  local r = metrics.spearman({ 1, 0 / 0, 2, 3 }, { 1, 2, 2, 5 })
  t.ok(r ~= r)
  t.raises("all equal", function() flow.targets.points(y) end)
end)

t.test("recording belongs to a coroutine", function()
  local co = coroutine.wrap(function()
    tide.no_grad(function() coroutine.yield(1) end)
  end)
  co()
  local x = tensor.ones(3):requires_grad_()
  t.ok((x * 2).requires_grad)
  co = nil
  collectgarbage()
  t.ok((x * 2).requires_grad)
  local function half()
    return coroutine.wrap(function()
      tide.no_grad(function()
        coroutine.yield((x * 2).requires_grad)
        coroutine.yield((x * 2).requires_grad)
      end)
      return (x * 2).requires_grad
    end)
  end
  local a, b = half(), half()
  local seen = { a(), b(), a(), b(), a(), b() }
  t.eq(seen, { false, false, false, false, true, true })
  t.ok((x * 2).requires_grad)
  tide.no_grad(function()                 -- made here, it starts as we are
    t.ok(not coroutine.wrap(function() return (x * 2).requires_grad end)())
  end)
end)

t.test("optimisers inside tide.scope keep their state", function()
  local m = tide.nn.Linear(2, 2)
  for _, make in ipairs { tide.optim.Adam, function(p)
    return tide.optim.SGD(p, { lr = 0.1, momentum = 0.9 })
  end } do
    local o = make(m:parameters())
    for _ = 1, 3 do
      tide.scope(function()
        o:zero_grad()
        m(tensor.ones(1, 2)):sum():backward()
        o:step()
      end)
    end
  end
end)

t.test("NaN ends a training, and says where to look", function()
  local x = tensor.randn(64, 2)
  x:narrow(1, 5, 1):mul_(0 / 0)
  for _, on in ipairs { true, false } do
    local v = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }
    t.raises("flow.train: the loss is NaN at step 10.*debug.nan", flow.train, v, x,
             { steps = 50, batch = 64, capture = on })
    t.raises("flow.align: the loss is NaN", flow.align, flow.targets.mog().exact, x,
             { steps = 5, every = 5, capture = on })
    t.raises("flow.train: the loss is infinite at step 1", flow.train,
             flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }, tensor.full({ 64, 2 }, 1e30),
             { steps = 50, batch = 64, every = 1, capture = on })
  end
end)

t.test("no rows, labels apart from points, no radius", function()
  local v = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }
  t.raises("flow.train: the source has no rows", flow.train, v, tensor.zeros(0, 2))
  t.raises("flow.align: there are no latents", flow.align, v, tensor.zeros(0, 2))
  t.raises("labels come with the points", flow.train, v, tensor.zeros(4, 2), { labels = tensor.ones(4) })
  for _, radius in ipairs { 0, -1, 0 / 0, math.huge, "a" } do
    t.raises("radius must be a number above 0", flow.path.spherical, { radius = radius })
  end
end)
