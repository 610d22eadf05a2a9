-- field.lua -- the exact field of a mixture of many Gaussians with one width, by products
-- of matrices: what flow.exact.mixture computes, without a tensor of points x components
-- x dims.  Here that is the targets of the lab, curves with noise among them.
--
-- With s^2 = (1-t)^2 + t^2 sigma^2 and posterior weights gamma of the components,
--   v(z,t) = m + a (z - t m),   m = sum_k gamma_k mu_k,   a = (t sigma^2 - (1-t)) / s^2
--   div v  = d a + t (1-t) / s^4 Tr Cov_gamma(mu)

local tide = require "tide"
local tensor = tide.tensor

local Mixture = getmetatable(tide.flow.exact.gaussian {})
local Field = setmetatable({}, { __index = Mixture })
Field.__index = Field

-- means (K,D), std a number, weights (K) or nil: as flow.exact.mixture takes them.
function Field.new(means, std, weights)
  local self = tide.flow.exact.mixture { means = means, std = std, weights = weights }
  self.std = std
  return setmetatable(self, Field)
end

-- The parameters in the type and on the device of z.
function Field:like(z)
  local p = Mixture.like(self, z)
  if not p.turned then
    local squares = p.means:square():sum(2)
    p.turned = p.means:t():contiguous()                     -- (D,K)
    p.squares = squares:unsqueeze(1)                        -- (1,K)
    p.bias = p.log_weights:unsqueeze(1)
    p.moments = tensor.cat({ p.means, squares:unsqueeze(2) }, 2)  -- (K,D+1)
  end
  return p
end

-- log pi_k N(z; t mu_k, s^2) but for what all components share, and s^2; t as a column.
local function logits(self, p, z, t)
  local s2 = (1 - t) * (1 - t) + t * t * (self.std * self.std)
  return z:matmul(p.turned) * (t / s2) - p.squares * (t * t / s2 / 2) + p.bias, s2
end

local function column(t)
  return type(t) == "number" and t or t:reshape(-1, 1)
end

function Field:__call(z, t)
  local p = self:like(z)
  t = column(t)
  local l, s2 = logits(self, p, z, t)
  local m = l:softmax(2):matmul(p.means)
  return m + (z - m * t) * ((t * (self.std * self.std) - (1 - t)) / s2)
end

function Field:divergence(z, t)
  local p = self:like(z)
  t = column(t)
  local l, s2 = logits(self, p, z, t)
  local m = l:softmax(2):matmul(p.moments)                  -- (B,D+1)
  local spread = m:narrow(2, self.dim + 1, 1) - m:narrow(2, 1, self.dim):square():sum(2, true)
  local a = (t * (self.std * self.std) - (1 - t)) / s2
  return (spread * (t * (1 - t) / (s2 * s2)) + a * self.dim):squeeze(2)
end

function Field:log_prob(y)
  local p = self:like(y)
  local l = logits(self, p, y, 1)
  local variance = self.std * self.std
  return l:logsumexp(2) - y:square():sum(2) / (2 * variance)
    - self.dim / 2 * math.log(2 * math.pi * variance)
end

return Field
