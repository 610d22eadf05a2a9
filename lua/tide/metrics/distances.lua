-- distances.lua -- distances between two sets of samples: between their laws, or
-- between normal laws of the same moments.

local tide = require "tide"
local check = require "tide.metrics.check"
local tensor = tide.tensor

local M = {}

---- optimal transport ----

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
function M.sliced_wasserstein(x, y, o)
  o = tide.options("metrics.sliced_wasserstein", o, { "generator", projections = 128 })
  check.samples("metrics.sliced_wasserstein", x, y)
  tide.count("metrics.sliced_wasserstein", "projections", o.projections, 1)
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

-- W2 distance of equally many samples, exact: the root of the mean squared
-- distance under the best matching.
function M.wasserstein(x, y)
  check.samples("metrics.wasserstein", x, y)
  if x:size(1) ~= y:size(1) then
    tide.raise(("metrics.wasserstein: as many rows are needed in both, not %d and %d; " ..
      "metrics.sliced_wasserstein takes any"):format(x:size(1), y:size(1)))
  end
  return tide.no_grad(function()
    local cost = tensor.cdist(x:to("f64"), y:to("f64")):square()
    local at = cost:assignment()
    return math.sqrt(cost:gather(2, at:unsqueeze(2)):mean():item()), at
  end)
end

---- kernels ----

-- n rows of x, evenly spread, or all of them.
local function some(x, n)
  if x:size(1) <= n then return x end
  local at = tensor.linspace(1, x:size(1), n, { dtype = "f64" }):round():to("i64")
  return x:index_select(1, at)
end

-- The median distance between two different rows of both sets together.
local function median_distance(x, y)
  local all = tensor.cat { some(x, 1000), some(y, 1000) }
  local n = all:size(1)
  local d = tensor.cdist(all, all):flatten():sort()
  -- the n zeros of the diagonal come first
  return d:get(n + (d:numel() - n + 1) // 2)
end

-- Maximum mean discrepancy with a Gaussian kernel: the unbiased estimate of its
-- square (Gretton et al. 2012, lemma 6).
function M.mmd(x, y, o)
  o = tide.options("metrics.mmd", o, { "bandwidth" })
  check.samples("metrics.mmd", x, y)
  if x:size(1) < 2 or y:size(1) < 2 then tide.raise("metrics.mmd: two rows of each are needed") end
  if o.bandwidth then check.positive("metrics.mmd", "bandwidth", o.bandwidth) end
  return tide.no_grad(function()
    y = y:to(x.dtype)
    local h = o.bandwidth or median_distance(x, y)
    if h == 0 then h = 1 end            -- all rows are equal: any width will do
    local function total(a, b)
      local sum = 0
      local bar <close> = tide.progress { label = "mmd", total = a:size(1), unit = "row" }
      for from = 1, a:size(1), 512 do
        bar:update(from)
        local rows = a:narrow(1, from, math.min(512, a:size(1) - from + 1))
        sum = sum + (tensor.cdist(rows, b):square() * (-0.5 / (h * h))):exp()
          :sum():item()
      end
      return sum
    end
    local n, m = x:size(1), y:size(1)
    return (total(x, x) - n) / (n * (n - 1)) + (total(y, y) - m) / (m * (m - 1))
      - 2 * total(x, y) / (n * m), h
  end)
end

---- normal laws ----

-- Symmetric square root with small negative eigenvalues taken for 0.
local function root(a)
  return ((a + a:t()) * 0.5):sqrtm()
end

-- Squared Frechet distance of normal laws.  The trace of (A B)^(1/2) is the sum
-- of the singular values of A^(1/2) B^(1/2): no product is squared on the way, so
-- that covariances without full rank lose no digits.
local function frechet(m, a, n, b)
  local cross = root(a):matmul(root(b))
  local _, s = cross:svd()
  local d = (m - n):square():sum() + a:trace() + b:trace() - s:sum() * 2
  return math.max(d:item(), 0)
end

local function moments(name, m, a)
  if not tensor.is_tensor(m) or not tensor.is_tensor(a) or m:dim() ~= 1 or a:dim() ~= 2
     or a:size(1) ~= m:size(1) or a:size(2) ~= m:size(1) then
    tide.raise(name .. ": wants means (D) and covariances (D,D)")
  end
  return m:detach():to("f64"), a:detach():to("f64")
end

function M.frechet_normal(m, a, n, b)
  m, a = moments("metrics.frechet_normal", m, a)
  n, b = moments("metrics.frechet_normal", n, b)
  if m:size(1) ~= n:size(1) then
    tide.raise(("metrics.frechet_normal: %d and %d dimensions"):format(m:size(1), n:size(1)))
  end
  return tide.no_grad(frechet, m, a, n, b)
end

-- The same with the samples' means and covariances (Dowson and Landau 1982), as
-- used for FID.
function M.frechet(x, y)
  check.samples("metrics.frechet", x, y)
  if x:size(1) < 2 or y:size(1) < 2 then
    tide.raise("metrics.frechet: two rows of each are needed for a covariance")
  end
  return tide.no_grad(function()
    x, y = x:to("f64"), y:to("f64")
    return frechet(x:mean(1), x:cov(), y:mean(1), y:cov())
  end)
end

return M
