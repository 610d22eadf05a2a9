-- metrics.lua -- measures against closed forms and brute force.
local t = require "tests.check"
local tide = require "tide"
local tensor, metrics = tide.tensor, tide.metrics
local F64 = { dtype = "f64" }

-- sin(a i^2 j + j), i = 1..n, j = 1..d: the same numbers in any language.  Values
-- called "reference" below were computed once from it with NumPy 2.4, SciPy 1.17 and
-- scikit-image 0.26, as the comment beside each says.
local function mix(n, d, a)
  local i = tensor.arange(1, n, F64):unsqueeze(2)
  local j = tensor.arange(1, d, F64):unsqueeze(1)
  return (i * i * j * a + j):sin()
end

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
  local got = metrics.kde_log_density(y, data, { bandwidth = h })
  t.ok((got - want):abs():max():item() < 1e-12)
  local far = metrics.kde_log_density(tensor.full({ 1, 2 }, 300, F64),
    tensor.zeros(1, 2, F64), { bandwidth = 0.1 }):item()
  t.near(far, -9e6 - math.log(2 * math.pi * 0.01), 1e-3)
end)

t.test("kernel density of many samples equals that of few at a time", function()
  local data, y = tensor.randn(5000, 2), tensor.randn(50, 2)
  local all = metrics.kde_log_density(y, data)
  local parts = {}
  for i = 0, 9 do
    parts[i + 1] = metrics.kde_log_density(y, data:narrow(1, i * 500 + 1, 500))
  end
  local want = tensor.stack(parts, 1):logsumexp(1) - math.log(10)
  t.ok((all - want):abs():max():item() < 1e-4)
end)

t.test("nearest neighbours: brute force, and without oneself", function()
  local x = tensor.randn(40, 3, F64)
  local got = metrics.knn_log_radius(x, x, { k = 3, drop_self = true })
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
  local p, r = metrics.precision_recall(left, both)
  t.eq(p, 1)
  t.near(r, 0.5, 0.05)
  p, r = metrics.precision_recall(both, left)
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

---- against references ----

t.test("Frechet distance: SciPy, and covariances without full rank", function()
  -- |m - n|^2 + tr(A + B - 2 scipy.linalg.sqrtm(A @ B))
  t.near(metrics.frechet(mix(200, 4, 0.7), mix(150, 4, 0.9) * 1.5 + 0.25), 0.636439868905, 1e-9)
  -- the same with the nuclear norm of X_c Y_c^T, for 5 and 6 points in 8-D
  t.near(metrics.frechet(mix(5, 8, 0.7), mix(6, 8, 0.9)), 7.340218138945, 1e-9)
  -- one direction each, at right angles: nothing in common
  local a = tensor.from({ { 1, 0 }, { 0, 0 } }, F64)
  local b = tensor.from({ { 0, 0 }, { 0, 4 } }, F64)
  local zero = tensor.zeros(2, F64)
  t.near(metrics.frechet_normal(zero, a, zero, b), 5, 1e-14)
  t.near(metrics.frechet_normal(zero, a, zero, a * 9), 4, 1e-14)
  t.near(metrics.frechet_normal(zero, a - b * 1e-17, zero, a), 0, 1e-14)
  -- equal samples in more dimensions than samples
  local x = mix(10, 40, 0.3)
  t.near(metrics.frechet(x, x), 0, 1e-13)
  t.raises("means (D) and covariances (D,D)", metrics.frechet_normal, a, a, a, a)
  t.raises("two rows", metrics.frechet, x:narrow(1, 1, 1), x)
end)

t.test("precision, recall, density and coverage: the formulas in NumPy", function()
  -- scipy cdist, radii by np.sort; <= everywhere
  local x, y = mix(80, 2, 0.7), mix(70, 2, 0.9) * 1.2 + 0.1
  local p, r = metrics.precision_recall(x, y)
  t.near({ p, r }, { 0.8625, 0.571428571429 }, 1e-9)
  local d, c = metrics.density_coverage(x, y)
  t.near({ d, c }, { 0.88, 0.828571428571 }, 1e-9)
  d, c = metrics.density_coverage(y, y, { k = 3 })
  t.eq(c, 1)
  t.raises("81 neighbours among 70 rows", metrics.precision_recall, x, y, { k = 80 })
end)

t.test("MMD: NumPy, and the median of all pairs", function()
  local x, y = mix(80, 2, 0.7), mix(70, 2, 0.9) * 1.2 + 0.1
  local d, h = metrics.mmd(x, y)               -- np.median(pdist(x and y))
  t.near({ d, h }, { -0.005398101235, 1.386613666033 }, 1e-10)
  t.near(metrics.mmd(x, y, { bandwidth = 1 }), -0.006094508076, 1e-10)
  t.near(metrics.mmd(x:narrow(1, 1, 2) * 0, x:narrow(1, 1, 2) * 0), 0, 0)
  t.raises("bandwidth must be a positive number, not -1", metrics.mmd, x, y, { bandwidth = -1 })
end)

t.test("PSNR and SSIM: scikit-image", function()
  local i = tensor.arange(1, 20, F64):unsqueeze(2)
  local j = tensor.arange(1, 24, F64):unsqueeze(1)
  local a = (i * 0.3 + j * j * 0.2):sin() * 0.5 + 0.5
  local b = (a + (i * j * 1.7):sin() * 0.2):clamp(0, 1)
  -- structural_similarity(a, b, gaussian_weights=True, sigma=1.5,
  --   use_sample_covariance=False, data_range=1); peak_signal_noise_ratio
  t.near(metrics.ssim(a, b), 0.910858156610, 1e-9)
  t.near(metrics.psnr(a, b), 18.096739121275, 1e-9)
  t.near(metrics.ssim(a * 255, b * 255, { peak = 255 }), 0.910858156610, 1e-9)
  local both = metrics.ssim(tensor.stack { a, a }, tensor.stack { b, a }, { reduction = "none" })
  t.near(both, { 0.910858156610, 1 }, 1e-9)
  t.eq(metrics.psnr(a, a), math.huge)
  t.raises("at least the window's 11 pixels", metrics.ssim, tensor.ones(5, 20), tensor.ones(5, 20))
  t.raises("two tensors of one shape", metrics.ssim, a, a:t())
end)

t.test("class score and accuracy: NumPy, and the extremes", function()
  local p = (mix(12, 4, 0.7) * 3):softmax(2)
  t.near(metrics.class_score(p), 1.486238522722, 1e-9)
  t.near({ metrics.class_score(p, { splits = 3 }) }, { 1.480812051502, 0.081137586512 }, 1e-9)
  t.near(metrics.class_score(tensor.eye(7)), 7, 1e-6)             -- sure, and all classes
  t.near(metrics.class_score(tensor.full({ 9, 4 }, 0.25)), 1, 1e-9)     -- knows nothing
  t.raises("softmax", metrics.class_score, p * 2)
  t.raises("13 parts of 12 rows", metrics.class_score, p, { splits = 13 })
  t.near(metrics.accuracy(tensor.eye(4), { 1, 2, 3, 1 }), 0.75, 1e-12)
  t.raises("wants 4 labels", metrics.accuracy, tensor.eye(4), { 1, 2 })
end)

t.test("nearest neighbours: SciPy", function()
  local d, at = metrics.knn(mix(30, 5, 0.7), mix(40, 5, 0.9), 4)
  t.near(d:sum():item(), 99.111008631017, 1e-9)
  t.eq(at[1]:totable(), { 37, 14, 1, 6 })
end)

t.test("nearest neighbours: sorting all distances, for any number of rows and NaN", function()
  for _, dtype in ipairs { "f32", "f64" } do
    for _, size in ipairs { { 3, 5, 5 }, { 70, 600, 65 }, { 1, 1100, 3 }, { 130, 513, 1 } } do
      local x = tensor.randn(size[1], 7, { dtype = dtype })
      local y = tensor.randn(size[2], 7, { dtype = dtype })
      local d, at = tensor.knn(x, y, size[3])
      local want, order = tensor.cdist(x, y):topk(size[3], 2, false)
      t.ok(d:equal(want) and at:equal(order), dtype)
    end
  end
  local data = tensor.from { { 1 }, { 0 / 0 }, { -1 }, { 0 } }
  local d, at = tensor.knn(tensor.zeros(1, 1), data, 4)
  t.eq(at[1]:totable(), { 4, 1, 3, 2 })
  t.near(d[1][4]:item(), 0 / 0)
  -- far from the origin nothing cancels
  local far = tensor.from({ { 1e6 }, { 1e6 + 0.5 } })
  t.near(tensor.knn(far, far, 2):select(2, 2), { 0.5, 0.5 }, 0)
end)

t.test("densities on a grid: the direct sums, near and far", function()
  -- scipy logsumexp(-cdist^2 / 2 h^2) - log N - 2 log h - log 2 pi
  local x = tensor.from({ -30, 0, 0.4 }, F64)
  local z = metrics.kde_grid(x, tensor.from({ 0, 100 }, F64), mix(50, 2, 0.7), { bandwidth = 0.2 })
  t.near(z, { { -10517.103165608, -1.332933344, -2.915788473 },
    { -133228.631315713, -122529.857137307, -122538.618342595 } }, 1e-8)
  for _, dtype in ipairs { "f32", "f64" } do
    local data = tensor.randn(9000, 2, { dtype = dtype })
    local gx = tensor.linspace(-9, 9, 30, { dtype = dtype })
    local gy = tensor.linspace(-7, 8, 20, { dtype = dtype })
    local got = metrics.kde_grid(gx, gy, data)
    local points = tensor.stack({ gx:unsqueeze(1):expand(20, 30):flatten(),
      gy:unsqueeze(2):expand(20, 30):flatten() }, 2)
    local want = metrics.kde_log_density(points:to("f64"), data:to("f64")):reshape(20, 30)
    t.eq(got.dtype, dtype)
    local off = ((got:to("f64") - want) / want:abs():clamp { min = 1 }):abs():max():item()
    t.ok(off < (dtype == "f32" and 2e-7 or 1e-11), off)
  end
  t.raises("samples of the plane", metrics.kde_grid, x, x, mix(5, 3, 1))
  t.raises("tensors of one dim", metrics.kde_grid, 1, x, mix(5, 2, 1))
end)

t.test("exact W2 and assignments: SciPy's linear_sum_assignment, and all orders", function()
  local d, at = metrics.wasserstein(mix(60, 3, 0.7), mix(60, 3, 0.9) * 1.5 + 0.25)
  t.near(d, 0.937426337479, 1e-10)
  t.eq(at:narrow(1, 1, 8):totable(), { 1, 18, 58, 41, 32, 7, 27, 6 })
  t.eq(tensor.cdist(mix(5, 3, 0.7), mix(9, 3, 0.9)):assignment():totable(), { 1, 2, 7, 6, 8 })
  local function best(c, n, used, i)               -- by trying everything
    if i > n then return 0 end
    local least = math.huge
    for j = 1, #c[1] do
      if not used[j] then
        used[j] = true
        least = math.min(least, c[i][j] + best(c, n, used, i + 1))
        used[j] = nil
      end
    end
    return least
  end
  for k = 1, 60 do
    local n = k % 6 + 1
    local m = k % 2 == 0 and n or n + k % 3
    local cost = tensor.rand(n, m, F64)
    if k % 5 == 0 then cost = (cost * 4):floor() - 1 end        -- ties, negative costs
    local cols = cost:assignment()
    local sum = cost:gather(2, cols:unsqueeze(2)):sum():item()
    t.near(sum, best(cost:totable(), n, {}, 1), 1e-12)
    local seen = {}
    for _, j in ipairs(cols:totable()) do t.ok(not seen[j]); seen[j] = true end
  end
  -- in one dimension the best matching is the sorted one; a shift is its length
  local a, b = tensor.randn(500, 1, F64), tensor.randn(500, 1, F64)
  t.near(metrics.wasserstein(a, b), (a:sort(1) - b:sort(1)):square():mean():sqrt():item(), 1e-12)
  local x = mix(200, 3, 0.7)
  t.near(metrics.wasserstein(x, x + 2), 2 * math.sqrt(3), 1e-12)
  t.raises("no more rows than columns", tensor.assignment, tensor.zeros(3, 2))
  t.raises("row 1, column 2", tensor.assignment, tensor.from { { 0, 1 / 0 }, { 0, 0 } })
  t.raises("as many rows", metrics.wasserstein, x, x:narrow(1, 1, 7))
end)
