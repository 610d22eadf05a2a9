-- densities.lua -- densities and radii estimated from samples.
--
-- Here and in the other measures what is judged comes first and what it is held
-- against second: queries y, then data.

local tide = require "tide"
local check = require "tide.metrics.check"
local tensor = tide.tensor

local M = {}

-- log density at the rows of y of a Gaussian kernel estimate from data.
function M.kde_log_density(y, data, o)
  o = tide.options("metrics.kde_log_density", o, { bandwidth = 0.1 })
  check.samples("metrics.kde_log_density", y, data)
  check.positive("metrics.kde_log_density", "bandwidth", o.bandwidth)
  return tensor.kde(y, data, o.bandwidth)
end

-- The same at the crossings of the lines x (A) and y (B), for samples of the plane:
-- (B, A), row = y and column = x.
function M.kde_grid(x, y, data, o)
  o = tide.options("metrics.kde_grid", o, { bandwidth = 0.1 })
  for _, v in ipairs { x or false, y or false } do
    if not tensor.is_tensor(v) or v:dim() ~= 1 then
      tide.raise("metrics.kde_grid: x and y must be tensors of one dim, the places of the grid's lines")
    end
  end
  if not tensor.is_tensor(data) or data:dim() ~= 2 or data:size(2) ~= 2 or data:size(1) == 0 then
    tide.raise("metrics.kde_grid: data must be samples of the plane, a tensor (N,2)")
  end
  check.positive("metrics.kde_grid", "bandwidth", o.bandwidth)
  return tensor.kde_grid(x, y, data, o.bandwidth)
end

-- Distances of each row of y to its k nearest rows of data, ascending (B, k), and
-- their positions.
function M.knn(y, data, k)
  check.samples("metrics.knn", y, data)
  check.neighbours("metrics.knn", k, data:size(1))
  return tensor.knn(y, data, k)
end

-- log distance of each row of y to its k-th nearest row of data.
function M.knn_log_radius(y, data, o)
  o = tide.options("metrics.knn_log_radius", o, { k = 5, drop_self = false })
  check.samples("metrics.knn_log_radius", y, data)
  local k = check.neighbours("metrics.knn_log_radius", o.k, data:size(1), o.drop_self)
  local near = M.knn(y, data, k)
  return near:select(2, k):log()
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
function M.knn_nll(y, data, o)
  o = tide.options("metrics.knn_nll", o, { k = 5, drop_self = false })
  check.samples("metrics.knn_nll", y, data)
  check.neighbours("metrics.knn_nll", o.k, data:size(1), o.drop_self)
  local r = M.knn_log_radius(y, data, o)
  local d, n = data:size(2), data:size(1) - (o.drop_self and 1 or 0)
  return r * d + log_unit_ball(d) + math.log(n) - math.log(o.k)
end

return M
