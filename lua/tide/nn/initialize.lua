-- initialize.lua -- nn.init: fills tensors with starting values, in place and
-- without gradients.  Each function returns the tensor it was given.

local tide = require "tide"
local tensor = tide.tensor

local init = {}

local function check(name, t)
  if not tensor.is_tensor(t) then
    tide.raise(("nn.init.%s: give a tensor, not a %s"):format(name, type(t)))
  end
end

-- Inputs and outputs of a weight (out, in, ...).
local function fans(name, t)
  local shape = t.shape
  if #shape < 2 then
    tide.raise(("nn.init.%s: the tensor needs at least 2 dims (out, in), it has %d")
      :format(name, #shape))
  end
  local field = 1
  for d = 3, #shape do field = field * shape[d] end
  return shape[2] * field, shape[1] * field
end

local function quietly(f)
  tide.no_grad(f)
end

function init.uniform_(t, low, high)
  check("uniform_", t)
  quietly(function() t:uniform_(low or 0, high or 1) end)
  return t
end

function init.normal_(t, mean, std)
  check("normal_", t)
  quietly(function() t:normal_(mean or 0, std or 1) end)
  return t
end

-- Normal draws outside [low, high] are drawn again; limits default to two
-- standard deviations.
function init.trunc_normal_(t, mean, std, low, high)
  check("trunc_normal_", t)
  mean, std = mean or 0, std or 1
  low, high = low or mean - 2 * std, high or mean + 2 * std
  if not (low < high) or high < mean - 4 * std or low > mean + 4 * std then
    tide.raise(("nn.init.trunc_normal_: the range [%g, %g] must be within reach of " ..
      "mean %g, std %g"):format(low, high, mean, std))
  end
  quietly(function()
    t:normal_(mean, std)
    local outside = t:lt(low):logical_or(t:gt(high))
    while outside:any():item() do
      t:copy_(tensor.where(outside, t:normal(mean, std), t))
      outside = t:lt(low):logical_or(t:gt(high))
    end
  end)
  return t
end

function init.constant_(t, value)
  check("constant_", t)
  quietly(function() t:fill_(value) end)
  return t
end
function init.zeros_(t) return init.constant_(t, 0) end
function init.ones_(t) return init.constant_(t, 1) end

-- Variance 2 / (in + out), times gain^2 (Glorot and Bengio 2010).
function init.xavier_uniform_(t, gain)
  local inputs, outputs = fans("xavier_uniform_", t)
  local a = (gain or 1) * math.sqrt(6 / (inputs + outputs))
  return init.uniform_(t, -a, a)
end
function init.xavier_normal_(t, gain)
  local inputs, outputs = fans("xavier_normal_", t)
  return init.normal_(t, 0, (gain or 1) * math.sqrt(2 / (inputs + outputs)))
end

-- Variance gain^2 / in; the gain defaults to sqrt(2), for relu (He et al. 2015).
function init.kaiming_uniform_(t, gain)
  local inputs = fans("kaiming_uniform_", t)
  local a = (gain or math.sqrt(2)) * math.sqrt(3 / math.max(inputs, 1))
  return init.uniform_(t, -a, a)
end
function init.kaiming_normal_(t, gain)
  local inputs = fans("kaiming_normal_", t)
  return init.normal_(t, 0, (gain or math.sqrt(2)) / math.sqrt(math.max(inputs, 1)))
end

-- A matrix with orthonormal rows or columns, whichever are fewer, drawn evenly.
function init.orthogonal_(t, gain)
  local inputs = fans("orthogonal_", t)
  quietly(function()
    local u, _, vt = tensor.randn(t.shape[1], inputs, {
      dtype = t.dtype, device = t.device }):svd()
    t:copy_(u:matmul(vt):mul(gain or 1):reshape(t.shape))
  end)
  return t
end

return init
