-- exact.lua -- fields known in closed form: what a perfectly trained flow would be.
--
-- For a mixture sum_k pi_k N(mu_k, Sigma_k) the marginal velocity of the linear
-- path is E[x1 - x0 | z_t = z]; each component contributes through its posterior
-- weight gamma_k.  Covariances are kept by their eigenvalues and rotation.

local tide = require "tide"
local tensor = tide.tensor

local exact = {}

local HOST = { dtype = "f64", device = "cpu" }   -- where parameters are kept

local Mixture = {}
Mixture.__index = Mixture

local function as_f64(x, name)
  if tensor.is_tensor(x) then return x:detach():to("f64"):to("cpu") end
  if type(x) == "table" then return tensor.from(x, HOST) end
  tide.raise("flow.exact.mixture: " .. name .. " must be a table or a tensor, not " ..
             type(x))
end

local function log_weights(o, k)
  if not o.weights then return tensor.full(k, -math.log(k), HOST) end
  local w = as_f64(o.weights, "weights")
  if w:numel() ~= k or w:le(0):any():item() then
    tide.raise(("flow.exact.mixture: needs %d positive weights, one per component")
               :format(k))
  end
  return (w / w:sum()):log()
end

-- Eigenvalues (K,D) and rotations (K,D,D), or no rotation for isotropic ones.
local function spread(o, k, d)
  if o.cov then
    local cov = as_f64(o.cov, "cov")
    if cov:dim() == 2 then cov = cov:unsqueeze(1):expand(k, d, d):contiguous() end
    local values, vectors = cov:eigh()
    if values:le(0):any():item() then
      tide.raise("flow.exact.mixture: a covariance is not positive definite")
    end
    return values, vectors
  end
  local std = o.std or 1
  std = type(std) == "number" and tensor.full(k, std, HOST)
    or as_f64(std, "std")
  if std:numel() ~= k or std:le(0):any():item() then
    tide.raise(("flow.exact.mixture: std must be positive: one number, or %d of them")
               :format(k))
  end
  return std:square():unsqueeze(2):expand(k, d):contiguous()
end

function exact.mixture(o)
  o = tide.options("flow.exact.mixture", o, { "means", "std", "cov", "weights" })
  if not o.means then tide.raise("flow.exact.mixture: means are missing") end
  local means = as_f64(o.means, "means")
  if means:dim() ~= 2 then
    tide.raise("flow.exact.mixture: means must have shape (K, D)")
  end
  local k, d = means:size(1), means:size(2)
  local values, rotation = spread(o, k, d)
  return setmetatable({
    dim = d, count = k, means = means, variances = values, rotation = rotation,
    log_weights = log_weights(o, k), cache = {},
  }, Mixture)
end

-- One normal distribution.
function exact.gaussian(o)
  o = tide.options("flow.exact.gaussian", o, { "mean", "std", "cov" })
  local mean = as_f64(o.mean or { 0, 0 }, "mean")
  local cov = o.cov and as_f64(o.cov, "cov"):unsqueeze(1)
  return exact.mixture { means = mean:reshape(1, -1), std = o.std, cov = cov }
end

-- The parameters in the type and on the device of z.
function Mixture:like(z)
  local key = z.dtype .. " " .. z.device
  local p = self.cache[key]
  if not p then
    local function to(x) return x and x:to(z.dtype):to(z.device) end
    p = { means = to(self.means), variances = to(self.variances),
          rotation = to(self.rotation), log_weights = to(self.log_weights) }
    p.steps, p.std = p.log_weights:exp():cumsum(1), p.variances:sqrt()    -- for draws
    p.middle = p.rotation and tensor.zeros_like(p.means) or p.means
    self.cache[key] = p
  end
  return p
end

-- (B,K,D) times the matrix of each component: x Q, or x Q^T.
local function rotate(p, x, back)
  if not p.rotation then return x end
  local q = back and p.rotation:transpose(2, 3) or p.rotation
  return x:transpose(1, 2):bmm(q):transpose(1, 2)
end

-- Everything the field, its divergence and the density share at (z, t).
function Mixture:terms(z, t)
  if z:dim() ~= 2 or z:size(2) ~= self.dim then
    tide.raise(("flow.exact.mixture: points must have shape (B, %d), not %s")
               :format(self.dim, tensor.shape_text(z)))
  end
  local p = self:like(z)
  if type(t) ~= "number" and t:dim() > 0 then t = t:reshape(-1, 1, 1) end
  local s = 1 - t
  local var = p.variances:unsqueeze(1)                      -- (1,K,D)
  local s2 = var * (t * t) + s * s
  local u = rotate(p, z:unsqueeze(2) - p.means:unsqueeze(1) * t)
  local log_n = (u:square() / s2 + s2:log()):sum(3) * -0.5
    + p.log_weights:unsqueeze(1)                            -- (B,K)
  return {
    p = p, u = u, s2 = s2, a = (var * t - s) / s2, log_n = log_n,
    gamma = log_n:softmax(2),
  }
end

local function component_velocity(q)
  return rotate(q.p, q.a * q.u, true) + q.p.means:unsqueeze(1)
end

-- v(z, t) = sum_k gamma_k [mu_k + A_k (z - t mu_k)]
function Mixture:__call(z, t)
  local q = self:terms(z, t)
  return (component_velocity(q) * q.gamma:unsqueeze(3)):sum(2)
end

-- div v = sum_k gamma_k tr A_k + sum_k gamma_k <v_k, g_k - gbar>
function Mixture:divergence(z, t)
  local q = self:terms(z, t)
  local gamma = q.gamma:unsqueeze(3)
  local g = -rotate(q.p, q.u / q.s2, true)
  local mean = (g * gamma):sum(2, true)
  local trace = q.a:sum(3)
  local tilt = (component_velocity(q) * (g - mean)):sum(3)
  return ((trace + tilt) * q.gamma):sum(2)
end

-- Tr Cov(x1 - x0 | z_t = z), the least that the matching loss can be at (z, t):
-- sum_k gamma_k [ tr(Sigma_k S_k^-1) + |v_k - v|^2 ]
function Mixture:conditional_variance(z, t)
  local q = self:terms(z, t)
  local inner = (q.p.variances:unsqueeze(1) / q.s2):sum(3)
  local v = component_velocity(q)
  local mean = (v * q.gamma:unsqueeze(3)):sum(2, true)
  return ((inner + (v - mean):square():sum(3)) * q.gamma):sum(2)
end

function Mixture:log_prob(y)
  local q = self:terms(y, 1)
  return q.log_n:logsumexp(2) - self.dim / 2 * math.log(2 * math.pi)
end

function Mixture:nll(y) return -self:log_prob(y) end

-- n points; components=true adds the component each came from.
function Mixture:sample(n, o)
  o = tide.options("sample", o, { "generator", "device", dtype = "f32",
                                  components = false })
  local spec = { dtype = o.dtype, device = o.device, generator = o.generator }
  local p = self:like(tensor.empty(1, self.dim, spec))
  local function draw() return p.steps:mixture_draw(p.middle, p.std, n) end
  local x, pick
  if o.generator then x, pick = o.generator:run(draw) else x, pick = draw() end
  if p.rotation then
    x = p.rotation:index_select(1, pick):bmm(x:unsqueeze(3)):squeeze(3)
      + p.means:index_select(1, pick)
  end
  if o.components then return x, pick end
  return x
end

return exact
