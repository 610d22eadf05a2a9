-- batchnorm.lua -- nn.BatchNorm: rows standardised by the mean and the variance of their
-- batch, and by running averages of these once training is over.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"

local BatchNorm = base.Module:extend("BatchNorm")

-- nn.BatchNorm(size, {eps=1e-5, momentum=0.1, affine=true}) on (batch, size)
function BatchNorm:init(size, o)
  o = tide.options("nn.BatchNorm", o, {
    "dtype", "device", eps = 1e-5, momentum = 0.1, affine = true })
  size = tide.count("nn.BatchNorm", "size", size, 1)
  local spec = { dtype = o.dtype, device = o.device }
  self.size, self.eps, self.momentum = size, o.eps, o.momentum
  if o.affine then
    self.weight = base.Parameter(tensor.ones(size, spec))
    self.bias = base.Parameter(tensor.zeros(size, spec))
  end
  self:register_buffer("mean", tensor.zeros(size, spec))
  self:register_buffer("var", tensor.ones(size, spec))
end

-- Moves the averages towards what a batch has; its variance is counted without bias.
local function follow(self, mean, var, n)
  tide.no_grad(function()
    local m = self.momentum
    self.mean:mul_(1 - m):add_(mean:detach() * m)
    self.var:mul_(1 - m):add_(var:detach() * (m * n / math.max(n - 1, 1)))
  end)
end

function BatchNorm:forward(x)
  if not tensor.is_tensor(x) or x:dim() ~= 2 or x:size(2) ~= self.size then
    tide.raise(("nn.BatchNorm: rows of %d entries are needed, not %s"):format(self.size,
      tensor.is_tensor(x) and tensor.shape_text(x) or "a " .. type(x)))
  end
  local mean, var = self.mean, self.var
  if self.training then
    if x:size(1) < 2 then
      tide.raise("nn.BatchNorm: in training, a batch of at least 2 rows is needed")
    end
    mean = x:mean(1)
    var = (x - mean):square():mean(1)
    follow(self, mean, var, x:size(1))
  end
  local y = (x - mean) / (var + self.eps):sqrt()
  return self.weight and y * self.weight + self.bias or y
end

function BatchNorm:extra() return ("%d, eps=%g"):format(self.size, self.eps) end

return { BatchNorm = BatchNorm }
