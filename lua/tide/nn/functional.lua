-- functional.lua -- losses, dropout and attention as functions.

local tide = require "tide"
local tensor = tide.tensor

local F = {}

---- losses ----

local function reduce(name, value, reduction)
  if reduction == "mean" then return value:mean() end
  if reduction == "sum" then return value:sum() end
  if reduction == "none" then return value end
  tide.raise(("nn.%s: reduction is 'mean', 'sum' or 'none', not %s"):format(
    name, tostring(reduction)))
end

local function same_shape(name, a, b)
  local p, q = table.concat(a.shape, ", "), table.concat(b.shape, ", ")
  if p ~= q then
    tide.raise(("nn.%s: shapes (%s) and (%s) differ"):format(name, p, q))
  end
end

local function pairwise(name, f)
  F[name] = function(x, y, o)
    o = tide.options("nn." .. name, o, { reduction = "mean" })
    same_shape(name, x, y)
    return reduce(name, f(x, y), o.reduction)
  end
end

pairwise("mse_loss", function(x, y) return (x - y):square() end)
pairwise("l1_loss", function(x, y) return (x - y):abs() end)

-- Targets are probabilities of class 1; x are logits.
pairwise("binary_cross_entropy_with_logits", function(x, y)
  return x:softplus() - x * y
end)

-- Quadratic below beta, linear above.
function F.smooth_l1_loss(x, y, o)
  o = tide.options("nn.smooth_l1_loss", o, { reduction = "mean", beta = 1 })
  same_shape("smooth_l1_loss", x, y)
  if not (o.beta > 0) then
    tide.raise("nn.smooth_l1_loss: beta must be positive, not " .. tostring(o.beta))
  end
  local d = (x - y):abs()
  local value = tensor.where(d:lt(o.beta), d:square() * (0.5 / o.beta),
                             d - 0.5 * o.beta)
  return reduce("smooth_l1_loss", value, o.reduction)
end

local function check_labels(name, x, labels)
  if #x.shape ~= 2 or #labels.shape ~= 1 or labels.shape[1] ~= x.shape[1] then
    tide.raise(("nn.%s: x must be (n, classes) and labels (n), not (%s) and (%s)")
      :format(name, table.concat(x.shape, ", "),
              table.concat(labels.shape, ", ")))
  end
end

-- x holds log probabilities (n, classes), labels count from 1.
function F.nll_loss(x, labels, o)
  o = tide.options("nn.nll_loss", o, { reduction = "mean" })
  check_labels("nll_loss", x, labels)
  local value = -x:gather(2, labels:unsqueeze(2)):squeeze(2)
  return reduce("nll_loss", value, o.reduction)
end

-- x holds logits (n, classes); labels are classes (n) that count from 1, or
-- probabilities (n, classes).
function F.cross_entropy(x, labels, o)
  o = tide.options("nn.cross_entropy", o, {
    reduction = "mean", label_smoothing = 0 })
  local log_p = x:log_softmax(-1)
  local value
  if labels:is_float() then
    same_shape("cross_entropy", x, labels)
    value = -(log_p * labels):sum(-1)
  else
    check_labels("cross_entropy", x, labels)
    value = -log_p:gather(2, labels:unsqueeze(2)):squeeze(2)
  end
  local s = o.label_smoothing
  if s ~= 0 then value = value * (1 - s) - log_p:mean(-1) * s end
  return reduce("cross_entropy", value, o.reduction)
end

---- dropout ----

-- Zeroes elements with probability p and scales the others by 1 / (1 - p).
function F.dropout(x, p, training)
  p = p or 0.5
  if type(p) ~= "number" or not (p >= 0 and p <= 1) then
    tide.raise("nn.dropout: p must be a probability, not " .. tostring(p))
  end
  if training == false or p == 0 then return x end
  if p == 1 then return x * 0 end
  return x * (x:detach():bernoulli(1 - p) * (1 / (1 - p)))
end

---- attention ----

-- The op takes shapes as they are; broadcasting is left to plain products.
local function tiles(q, k, v, o)
  local n = q:dim()
  if o.mask or o.causal or o.dropout ~= 0 or k:dim() ~= n or v:dim() ~= n then return false end
  for d = 1, n - 2 do
    if k:size(d) ~= q:size(d) or v:size(d) ~= q:size(d) then return false end
  end
  return k:size(n - 1) > 0
end

-- softmax(q k^T / sqrt(d)) v over the last two dims; q is (..., n, d), k and v
-- are (..., m, d).  mask is true where q may look at k; causal masks the future.
-- Without mask, causal and dropout the scores exist in tiles only: memory grows with n.
function F.scaled_dot_product_attention(q, k, v, o)
  o = tide.options("nn.scaled_dot_product_attention", o, {
    "mask", "scale", causal = false, dropout = 0 })
  local scale = o.scale or 1 / math.sqrt(q:size(-1))
  if tiles(q, k, v, o) then return (q:attention(k, v, scale)) end
  local score = (q * scale):matmul(k:transpose(-2, -1))
  local mask = o.mask
  if o.causal then
    local seen = tensor.ones(q:size(-2), k:size(-2), {
      dtype = "bool", device = q.device }):tril()
    mask = mask and mask:logical_and(seen) or seen
  end
  if mask then
    score = score:masked_fill(mask:logical_not(), -math.huge)
  end
  local weight = score:softmax(-1)
  return F.dropout(weight, o.dropout):matmul(v)
end

return F
