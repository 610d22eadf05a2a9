-- metrics.lua -- numbers that compare samples, curves and densities.

local tide = require "tide"
local tensor = tide.tensor

local metrics = {}

---- curves ----

local function vector(x, name)
  if type(x) == "table" then x = tensor.from(x, { dtype = "f64" }) end
  if not tensor.is_tensor(x) then
    error(name .. ": wants tensors or tables of numbers, not " .. type(x), 3)
  end
  return x:detach():to("f64"):flatten()
end

local function pair(name, x, y)
  local a, b = vector(x, name), vector(y, name)
  if a:numel() ~= b:numel() or a:numel() < 2 then
    error(("%s: wants two equally long series of at least 2 values, not %d and %d")
          :format(name, a:numel(), b:numel()), 3)
  end
  return a, b
end

local function correlation(a, b)
  a, b = a - a:mean(), b - b:mean()
  local d = math.sqrt(a:square():sum():item() * b:square():sum():item())
  return a:dot(b):item() / d            -- NaN where a series is constant
end

function metrics.pearson(x, y)
  return correlation(pair("metrics.pearson", x, y))
end

-- Ranks from 1; equal values share the mean of theirs.
local function ranks(x)
  local n = x:numel()
  local sorted, order = x:sort(1)
  local values, at = sorted:totable(), order:totable()
  local r = {}
  local i = 1
  while i <= n do
    local j = i
    while j < n and values[j + 1] == values[i] do j = j + 1 end
    for k = i, j do r[at[k]] = (i + j) / 2 end
    i = j + 1
  end
  return tensor.from(r, { dtype = "f64" })
end

function metrics.spearman(x, y)
  local a, b = pair("metrics.spearman", x, y)
  if a:isnan():any():item() or b:isnan():any():item() then return 0 / 0 end
  return correlation(ranks(a), ranks(b))
end

---- samples ----

local function check_samples(name, x, y)
  if not tensor.is_tensor(x) or not tensor.is_tensor(y)
     or x:dim() ~= 2 or y:dim() ~= 2 or x:size(2) ~= y:size(2)
     or x:numel() == 0 or y:numel() == 0 then
    error(name .. ": wants samples of shapes (N, D) and (M, D), at least one of each", 3)
  end
end

-- log density at the rows of y of a Gaussian kernel estimate from data.
function metrics.kde_log_density(data, y, o)
  o = tide.options("metrics.kde_log_density", o, { bandwidth = 0.1 })
  check_samples("metrics.kde_log_density", data, y)
  return tensor.kde(y, data, o.bandwidth)
end

-- log distance of each row of y to its k-th nearest row of data.
function metrics.knn_log_radius(y, data, o)
  o = tide.options("metrics.knn_log_radius", o,
                   { k = 5, drop_self = false, batch = 512 })
  check_samples("metrics.knn_log_radius", y, data)
  if math.type(o.k) ~= "integer" or o.k < 1 then
    error("metrics.knn_log_radius: k must be a whole number of at least 1", 2)
  end
  local k = o.drop_self and o.k + 1 or o.k
  if k > data:size(1) then
    error(("metrics.knn_log_radius: %d neighbours among %d rows")
          :format(k, data:size(1)), 2)
  end
  return tide.no_grad(function()
    local parts = {}
    for from = 1, y:size(1), o.batch do
      local rows = y:narrow(1, from, math.min(o.batch, y:size(1) - from + 1))
      local d = tensor.cdist(rows, data):topk(k, 2, false)
      parts[#parts + 1] = d:select(2, k)
    end
    return tensor.cat(parts):log()
  end)
end

-- log of the volume of the unit ball in d dimensions
local function log_unit_ball(d)
  local function log_gamma(x)           -- Stirling's series, shifted above 8
    local shift = 0
    while x < 8 do shift, x = shift + math.log(x), x + 1 end
    local i = 1 / x
    return (x - 0.5) * math.log(x) - x + 0.5 * math.log(2 * math.pi)
      + i / 12 - i ^ 3 / 360 + i ^ 5 / 1260 - shift
  end
  return d / 2 * math.log(math.pi) - log_gamma(d / 2 + 1)
end

-- The nearest-neighbour estimate of -log p: D log r_k + log V_D + log N - log k.
function metrics.knn_nll(y, data, o)
  o = tide.options("metrics.knn_nll", o,
                   { k = 5, drop_self = false, batch = 512 })
  local r = metrics.knn_log_radius(y, data, o)
  local d, n = data:size(2), data:size(1) - (o.drop_self and 1 or 0)
  return r * d + log_unit_ball(d) + math.log(n) - math.log(o.k)
end

-- Values of the quantile function of sorted columns x (N, P) at n even places.
local function quantiles(x, n)
  local m = x:size(1)
  if m == n then return x end
  local at = (tensor.arange(1, n, { dtype = "f64" }) - 0.5) * (m / n) + 0.5
  at = at:clamp(1, m)
  local low = at:floor():clamp { max = math.max(m - 1, 1) }
  local f = (at - low):to(x.dtype):unsqueeze(2)
  low = low:to("i64")
  local a = x:index_select(1, low)
  local b = x:index_select(1, (low + 1):clamp { max = m })
  return a + (b - a) * f
end

-- Root of the mean over directions of the squared W2 distance of projections
-- (Rabin et al. 2011).
function metrics.sliced_wasserstein(x, y, o)
  o = tide.options("metrics.sliced_wasserstein", o,
                   { "generator", projections = 128 })
  check_samples("metrics.sliced_wasserstein", x, y)
  return tide.no_grad(function()
    local w = tensor.randn(x:size(2), o.projections, {
      dtype = x.dtype, device = x.device,
      generator = o.generator or tide.generator(1) })
    w = w / w:norm(2, 1, true)
    local n = math.max(x:size(1), y:size(1))
    local a = quantiles((x:matmul(w)):sort(1), n)
    local b = quantiles((y:to(x.dtype):matmul(w)):sort(1), n)
    return math.sqrt((a - b):square():mean():item())
  end)
end

-- Maximum mean discrepancy with a Gaussian kernel: the unbiased estimate of its
-- square (Gretton et al. 2012).  The bandwidth defaults to the median distance.
function metrics.mmd(x, y, o)
  o = tide.options("metrics.mmd", o, { "bandwidth" })
  check_samples("metrics.mmd", x, y)
  return tide.no_grad(function()
    local xy = tensor.cdist(x, y)
    local h = o.bandwidth
    if h and not (h > 0) then
      error("metrics.mmd: the bandwidth must be positive, not " .. tostring(h), 0)
    end
    if not h then
      local sorted = xy:flatten():sort()
      h = sorted:get((sorted:numel() + 1) // 2)
    end
    local function kernel(d) return (d:square() * (-0.5 / (h * h))):exp() end
    local function off_diagonal(a)
      local n = a:size(1)
      local k = kernel(tensor.cdist(a, a))
      return (k:sum():item() - n) / (n * (n - 1))
    end
    return off_diagonal(x) + off_diagonal(y) - 2 * kernel(xy):mean():item(), h
  end)
end

-- Squared Frechet distance of the normal distributions with the samples' means
-- and covariances (Dowson and Landau 1982), as used for FID.
function metrics.frechet(x, y)
  check_samples("metrics.frechet", x, y)
  return tide.no_grad(function()
    x, y = x:to("f64"), y:to("f64")
    local a, b = x:cov(), y:cov()
    local root = a:sqrtm()
    local cross = root:matmul(b):matmul(root)
    cross = (cross + cross:t()) * 0.5
    local shift = (x:mean(1) - y:mean(1)):square():sum()
    return (shift + a:trace() + b:trace() - cross:sqrtm():trace() * 2):item()
  end)
end

-- Share of the rows of x that fall inside the k-nearest-neighbour balls of y.
local function covered(x, y, k)
  local radius = metrics.knn_log_radius(y, y, { k = k, drop_self = true }):exp()
  local inside, n = 0, x:size(1)
  for from = 1, n, 512 do
    local rows = x:narrow(1, from, math.min(512, n - from + 1))
    local hit = tensor.cdist(rows, y):le(radius:unsqueeze(1)):any(2)
    inside = inside + hit:sum():item()
  end
  return inside / n
end

-- How much of the fakes is realistic, and how much of the real is reached
-- (Kynkaanniemi et al. 2019).
function metrics.precision_recall(real, fake, o)
  o = tide.options("metrics.precision_recall", o, { k = 3 })
  check_samples("metrics.precision_recall", real, fake)
  if math.type(o.k) ~= "integer" or o.k < 1 then
    error("metrics.precision_recall: k must be a whole number of at least 1", 2)
  end
  return tide.no_grad(function()
    return covered(fake, real, o.k), covered(real, fake, o.k)
  end)
end

-- Peak signal-to-noise ratio in dB.
function metrics.psnr(x, y, o)
  o = tide.options("metrics.psnr", o, { peak = 1 })
  local mse = (x - y):square():mean():item()
  return 10 * math.log(o.peak * o.peak / mse, 10)
end

---- modes ----

-- For latents and the means of a mixture (K, D): how many latents are nearest to
-- each mode, and the standard deviation around their own mean within modes.
function metrics.modes(y, means)
  check_samples("metrics.modes", y, means)
  return tide.no_grad(function()
    local nearest = tensor.cdist(y, means:to(y.dtype):to(y.device)):argmin(2)
    local counts, sum, n = {}, 0, 0
    for k = 1, means:size(1) do
      local rows = nearest:eq(k):nonzero():flatten()
      counts[k] = rows:numel()
      if counts[k] > 1 then
        local own = y:index_select(1, rows)
        sum = sum + (own - own:mean(1, true)):square():sum():item()
        n = n + (counts[k] - 1) * y:size(2)
      end
    end
    return { occupancy = counts, within_std = n > 0 and math.sqrt(sum / n) or 0 / 0,
             nearest = nearest }
  end)
end

return metrics
