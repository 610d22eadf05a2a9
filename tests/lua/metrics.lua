-- metrics.lua -- measures against closed forms and brute force.
local t = require "tests.check"
local tide = require "tide"
local tensor, metrics = tide.tensor, tide.metrics
local F64 = { dtype = "f64" }

t.test("correlations, with ties and constants", function()
  t.near(metrics.pearson({ 1, 2, 3, 5 }, { 2, 1, 4, 4 }), 5.75 / math.sqrt(8.75 * 6.75), 1e-12)
  t.near(metrics.spearman({ 1, 2, 2, 3 }, { 1, 3, 2, 4 }), 0.9486833, 1e-6)
  local r = metrics.pearson({ 1, 1, 1 }, { 1, 2, 3 })
  t.ok(r ~= r)
  t.raises("equally long", function() metrics.pearson({ 1, 2 }, { 1, 2, 3 }) end)
end)

t.test("kernel density: the formula, written out", function()
  local data, y = tensor.randn(300, 3, F64), tensor.randn(20, 3, F64)
  local h = 0.4
  local d = (y:unsqueeze(2) - data:unsqueeze(1)):square():sum(3)
  local want = (d * (-0.5 / h ^ 2)):logsumexp(2) - math.log(300)
    - 3 * math.log(h) - 1.5 * math.log(2 * math.pi)
  local got = metrics.kde_log_density(data, y, { bandwidth = h })
  t.ok((got - want):abs():max():item() < 1e-12)
  local far = metrics.kde_log_density(tensor.zeros(1, 2, F64),
    tensor.full({ 1, 2 }, 300, F64), { bandwidth = 0.1 }):item()
  t.near(far, -9e6 - math.log(2 * math.pi * 0.01), 1e-3)
end)

t.test("kernel density of many samples equals that of few at a time", function()
  local data, y = tensor.randn(5000, 2), tensor.randn(50, 2)
  local all = metrics.kde_log_density(data, y)
  local parts = {}
  for i = 0, 9 do
    parts[i + 1] = metrics.kde_log_density(data:narrow(1, i * 500 + 1, 500), y)
  end
  local want = tensor.stack(parts, 1):logsumexp(1) - math.log(10)
  t.ok((all - want):abs():max():item() < 1e-4)
end)

t.test("nearest neighbours: brute force, and without oneself", function()
  local x = tensor.randn(40, 3, F64)
  local got = metrics.knn_log_radius(x, x, { k = 3, drop_self = true, batch = 7 })
  local table_ = x:totable()
  for i = 1, 40 do
    local d = {}
    for j = 1, 40 do
      if j ~= i then
        local s = 0
        for c = 1, 3 do s = s + (table_[i][c] - table_[j][c]) ^ 2 end
        d[#d + 1] = math.sqrt(s)
      end
    end
    table.sort(d)
    t.near(got:get(i), math.log(d[3]), 1e-10)
  end
  t.raises("neighbours", function() metrics.knn_log_radius(x, x, { k = 41 }) end)
end)

t.test("nearest-neighbour estimate of a normal's entropy", function()
  tide.seed(4)
  local x = tensor.randn(6000, 2, F64)
  local h = metrics.knn_nll(x, x, { k = 8, drop_self = true }):mean():item()
  t.near(h, math.log(2 * math.pi * math.exp(1)), 0.1)
end)

t.test("sliced W2: shifts, scalings, unequal sizes", function()
  local x = tensor.randn(400, 2, F64)
  t.near(metrics.sliced_wasserstein(x, x), 0, 1e-12)
  -- a shift by a in D dims has sliced W2 |a| / sqrt(D) on average
  local shifted = metrics.sliced_wasserstein(x, x + 3, { projections = 4000 })
  t.near(shifted, 3, 0.05)
  local twice = tensor.cat { x, x }
  t.near(metrics.sliced_wasserstein(x, twice), 0, 0.02)
end)

t.test("MMD is zero for equal laws and has its closed form for points", function()
  tide.seed(2)
  local a, b = tensor.randn(500, 2, F64), tensor.randn(500, 2, F64)
  t.ok(math.abs(metrics.mmd(a, b, { bandwidth = 1 })) < 0.01)
  local x = tensor.zeros(2, 1, F64)
  local y = tensor.full({ 2, 1 }, 2, F64)
  t.near(metrics.mmd(x, y, { bandwidth = 1 }), 2 - 2 * math.exp(-2), 1e-12)
end)

t.test("Frechet distance of normals with known moments", function()
  local x = tensor.randn(300, 3, F64)
  t.near(metrics.frechet(x, x), 0, 1e-8)
  t.near(metrics.frechet(x, x + 1), 3, 1e-8)
  -- scaling by s: sum of (s-1)^2 times variances
  local m = x:mean(1, true)
  local variance = x:var(1):sum():item()
  t.near(metrics.frechet(x, (x - m) * 2 + m), variance, 1e-7)
end)

t.test("precision and recall of partly covered data", function()
  local left = tensor.randn(200, 2) * 0.1
  local right = left + 10
  local both = tensor.cat { left, right }
  local p, r = metrics.precision_recall(both, left)
  t.eq(p, 1)
  t.near(r, 0.5, 0.05)
  p, r = metrics.precision_recall(left, both)
  t.near(p, 0.5, 0.05)
end)

t.test("PSNR and modes", function()
  t.near(metrics.psnr(tensor.zeros(9), tensor.full(9, 0.01)), 40, 1e-4)
  local means = tensor.from({ { 0, 0 }, { 5, 0 } }, F64)
  local y = tensor.cat { tensor.randn(500, 2, F64) * 0.2, tensor.randn(300, 2, F64) * 0.2
                         + tensor.from({ { 5, 0 } }, F64) }
  local m = metrics.modes(y, means)
  t.eq(m.occupancy[1], 500)
  t.eq(m.occupancy[2], 300)
  t.near(m.within_std, 0.2, 0.01)
end)
