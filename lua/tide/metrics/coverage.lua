-- coverage.lua -- two-sided measures: how much of the samples is real, and how much
-- of the real is reached; modes; and what a classifier says of samples.

local tide = require "tide"
local check = require "tide.metrics.check"
local densities = require "tide.metrics.densities"
local tensor = tide.tensor

local M = {}

---- balls around nearest neighbours ----

-- Distance of each row to its k-th nearest other row.
local function radii(x, k)
  local near = densities.knn(x, x, k + 1)
  return near:select(2, k + 1)
end

-- In how many of the balls around the rows of y each row of x lies.
local function balls(x, y, radius)
  local parts, r = {}, radius:unsqueeze(1)
  local bar <close> = tide.progress { label = "neighbours", total = x:size(1), unit = "row" }
  for from = 1, x:size(1), 512 do
    local rows = x:narrow(1, from, math.min(512, x:size(1) - from + 1))
    parts[#parts + 1] = tensor.cdist(rows, y):le(r):sum(2)
    bar:update(from)
  end
  return tensor.cat(parts)
end

local function share(hit) return hit:to("f64"):mean():item() end

local function prepare(name, samples, data, k)
  check.samples(name, samples, data)
  check.neighbours(name, k, math.min(samples:size(1), data:size(1)), true)
  return samples:detach():to(data.dtype), data:detach()
end

-- How much of the samples is realistic, and how much of the data is reached
-- (Kynkaanniemi et al. 2019).
function M.precision_recall(samples, data, o)
  o = tide.options("metrics.precision_recall", o, { k = 3 })
  local x, y = prepare("metrics.precision_recall", samples, data, o.k)
  return tide.no_grad(function()
    return share(balls(x, y, radii(y, o.k)):gt(0)), share(balls(y, x, radii(x, o.k)):gt(0))
  end)
end

-- The same two questions, both asked of balls around data: outliers among samples
-- cannot help (Naeem et al. 2020, eqs. 3 and 4).
function M.density_coverage(samples, data, o)
  o = tide.options("metrics.density_coverage", o, { k = 5 })
  local x, y = prepare("metrics.density_coverage", samples, data, o.k)
  return tide.no_grad(function()
    local r = radii(y, o.k)
    local inside = balls(x, y, r):sum():item()
    local nearest = densities.knn(y, x, 1)
    return inside / (o.k * x:size(1)), share(nearest:select(2, 1):le(r))
  end)
end

---- modes ----

-- For latents and the means of a mixture (K, D): how many latents are nearest to
-- each mode, and the standard deviation around their own mean within modes.
function M.modes(y, means)
  check.samples("metrics.modes", y, means)
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

---- classes ----

local function rows(name, x)
  if not tensor.is_tensor(x) or x:dim() ~= 2 or x:numel() == 0 then
    tide.raise(name .. ": wants a tensor (N,C), a row of class scores for each sample")
  end
end

-- exp of the mean of KL(p(class | x) || p(class)) of rows of probabilities.
local function score(p)
  local mean = p:mean(1, true)
  -- a class that never occurs has 0 log 0 = 0
  local kl = p * (p:clamp { min = 1e-300 }:log() - mean:clamp { min = 1e-300 }:log())
  return math.exp(kl:sum(2):mean():item())
end

-- The Inception score (Salimans et al. 2016) of any classifier's probabilities:
-- mean and standard deviation over equal parts of the rows.
function M.class_score(probs, o)
  o = tide.options("metrics.class_score", o, { splits = 1 })
  rows("metrics.class_score", probs)
  tide.count("metrics.class_score", "splits", o.splits, 1)
  local n = probs:size(1)
  if o.splits > n then
    tide.raise(("metrics.class_score: %d parts of %d rows"):format(o.splits, n))
  end
  local p = probs:detach():to("f64")
  if not (p:min():item() >= 0 and (p:sum(2) - 1):abs():max():item() < 1e-3) then
    tide.raise("metrics.class_score: rows must be probabilities that sum to 1; take " ..
      "x:softmax(2) of logits first")
  end
  return tide.no_grad(function()
    local parts, sum, square = {}, 0, 0
    for i = 1, o.splits do
      local from, to = (i - 1) * n // o.splits + 1, i * n // o.splits
      parts[i] = score(p:narrow(1, from, to - from + 1))
      sum = sum + parts[i]
    end
    local mean = sum / o.splits
    for _, s in ipairs(parts) do square = square + (s - mean) ^ 2 end
    return mean, math.sqrt(square / o.splits)
  end)
end

-- Share of rows whose largest score stands at their label: the accuracy of a
-- classifier, or of conditional samples under a fixed one.
function M.accuracy(scores, labels)
  rows("metrics.accuracy", scores)
  if type(labels) == "table" then labels = tensor.from(labels, { dtype = "i64" }) end
  if not tensor.is_tensor(labels) or labels:dim() ~= 1 or labels:size(1) ~= scores:size(1) then
    tide.raise(("metrics.accuracy: wants %d labels, one for each row"):format(scores:size(1)))
  end
  return tide.no_grad(function()
    return share(scores:detach():argmax(2):eq(labels:to("i64")))
  end)
end

return M
