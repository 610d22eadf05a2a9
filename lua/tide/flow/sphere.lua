-- sphere.lua -- the sphere of radius R in D dimensions: geodesics, the exponential map, the
-- uniform law and von Mises-Fisher mixtures.  Points are (..., D); R is sqrt(D) unless given.

local tide = require "tide"
local tensor = tide.tensor
local check = require "tide.flow.check"

local sphere = {}

local TINY = 1e-30          -- of squared lengths, so that a gradient at 0 is 0
local NEAR = 1e-3           -- angles below it take the series; the next term is below 1e-13
local OPPOSITE = { f32 = 1e-12, f64 = 1e-28 }     -- of |a + b|^2

local function inner(a, b) return (a * b):sum(-1, true) end
local function length(a) return inner(a, a):clamp { min = TINY }:sqrt() end
local function radius_of(z, radius) return radius or math.sqrt(z:size(-1)) end

-- sin(x) / x
local function sinc(x)
  local small = x:abs():lt(NEAR)
  return tensor.where(small, 1 - x * x / 6, x:sin() / tensor.where(small, 1, x))
end

function sphere.project(z, radius)
  return z * (radius_of(z, radius) / length(z))
end

-- The part of v that is tangent to the sphere at z.
function sphere.tangent(v, z)
  return v - z * (inner(v, z) / inner(z, z):clamp { min = TINY })
end

-- Antipodal points have no shortest way; the rule: towards the first of the axes that
-- are farthest from the line through a.
local function perpendicular(a)
  local n = a:size(-1)
  local at = a:detach():abs():argmin(-1, true)
  local axis = tensor.arange(n, { dtype = at.dtype, device = a.device }):eq(at):to(a.dtype)
  local e = axis - a * inner(axis, a)
  return e / length(e)
end

-- The geodesic from x0 to x1: its start a (a unit vector), its initial velocity (a
-- tangent of length w) and its angle w in [0, pi].  The part of b that a lacks is
-- b - cos(w) a; the two forms below equal it and lose no digits near 0 and near pi.
local function geodesic(x0, x1)
  local a, b = x0 / length(x0), x1 / length(x1)
  local minus, plus = b - a, b + a
  local m2, p2 = inner(minus, minus), inner(plus, plus)
  local d = tensor.where(m2:le(p2), minus + a * (m2 / 2), plus - a * (p2 / 2))
  local w = tensor.atan2(m2:clamp { min = TINY }:sqrt(), p2:clamp { min = TINY }:sqrt()) * 2
  local small = w:lt(NEAR)
  local opposite = p2:le(OPPOSITE[a.dtype] or OPPOSITE.f32)
  local ratio = w / tensor.where(small:logical_or(opposite), 1, length(d))
  local way = d * tensor.where(small, w * w / 6 + 1, ratio)
  return a, tensor.where(opposite, perpendicular(a) * math.pi, way), w
end

-- The angle between x0 and x1, of shape (...).
function sphere.angle(x0, x1)
  local _, _, w = geodesic(x0, x1)
  return w:squeeze(-1)
end

-- The point a share t of the way along the geodesic from x0 to x1, and the velocity
-- there for a time that goes from 0 to 1.  t is a number or has shape (..., 1).
function sphere.slerp(x0, x1, t, radius)
  local a, way, w = geodesic(x0, x1)
  local angle, r = w * t, radius_of(x1, radius)
  local z = a * angle:cos() + way * (sinc(angle) * t)
  return z * r, (way * angle:cos() - a * (w * angle:sin())) * r
end

-- Along the geodesic that leaves z with velocity v (tangent at z), for time 1.
function sphere.exp(z, v, radius)
  local r = radius_of(z, radius)
  local angle = length(v) / r
  return sphere.project(z * angle:cos() + v * sinc(angle), r)
end

-- The velocity with which a geodesic leaves z to be at y at time 1.
function sphere.log(z, y, radius)
  local _, way = geodesic(z, y)
  return way * radius_of(z, radius)
end

---- the uniform law ----

-- log Gamma(n / 2) for a whole number n > 0
local function log_gamma_half(n)
  local sum = n % 2 == 0 and 0 or 0.5 * math.log(math.pi)
  for k = n % 2 == 0 and 2 or 1, n - 2, 2 do sum = sum + math.log(k / 2) end
  return sum
end

-- The log of the area; minus it is the log density of the uniform law.
function sphere.log_area(dim, radius)
  dim = tide.count("flow.sphere.log_area", "dim", dim, 1)
  return math.log(2) + dim / 2 * math.log(math.pi) - log_gamma_half(dim)
    + (dim - 1) * math.log(radius or math.sqrt(dim))
end

function sphere.uniform(n, dim, o)
  o = tide.options("flow.sphere.uniform", o, {
    "radius", "generator", "device", dtype = "f32" })
  n = tide.count("flow.sphere.uniform", "n", n, 0)
  dim = tide.count("flow.sphere.uniform", "dim", dim, 1)
  local spec = { dtype = o.dtype, device = o.device, generator = o.generator }
  return sphere.project(tensor.randn(n, dim, spec), o.radius)
end

---- von Mises-Fisher mixtures ----

-- log 0F1(; D/2; k^2/4), by which exp(k cos) exceeds the uniform law in mean: its terms
-- are positive, so the sum in logs loses nothing.
local function log_mean_exp(dim, k)
  local term, sum, x = 0, 0, k * k / 4
  if x == 0 then return 0 end
  for i = 1, math.huge do
    term = term + math.log(x / (i * (dim / 2 + i - 1)))
    local more = math.exp(term - sum)
    sum = sum + math.log(1 + more)
    if more < 1e-17 and i > k / 2 then return sum end
  end
end

local Mixture = {}
Mixture.__index = Mixture

local HOST = { dtype = "f64", device = "cpu" }   -- where parameters are kept, and draws are made

local function rows(name, value, count)
  local x = tensor.is_tensor(value) and value:to("f64"):to("cpu")
    or type(value) == "number" and tensor.full(count, value, HOST)
    or type(value) == "table" and tensor.from(value, HOST)
  if not x or x:dim() ~= 1 or x:size(1) ~= count or x:lt(0):any():item()
     or not x:isfinite():all():item() then
    tide.raise(("flow.sphere.von_mises_fisher: %s must be a number that is not negative, or %d of them")
      :format(name, count))
  end
  return x
end

-- sum_k w_k vMF(m_k, c_k) on the sphere; densities are with respect to its area.
function sphere.von_mises_fisher(o)
  o = tide.options("flow.sphere.von_mises_fisher", o, {
    "directions", "weights", "radius", concentration = 20 })
  local m = o.directions
  m = type(m) == "table" and tensor.from(m, HOST) or m
  if not tensor.is_tensor(m) or m:dim() ~= 2 or m:size(1) == 0 or m:size(2) < 2
     or m:square():sum(2):eq(0):any():item() then
    tide.raise("flow.sphere.von_mises_fisher: directions must be a tensor or a table of shape " ..
      "(K, D) with D > 1 and no zero row")
  end
  local count, dim = m:size(1), m:size(2)
  local c = rows("concentration", o.concentration, count)
  local w = rows("weights", o.weights or 1, count)
  local logs = {}
  for k = 1, count do logs[k] = -log_mean_exp(dim, c:get(k)) end
  local radius = o.radius or math.sqrt(dim)
  check.number("flow.sphere.von_mises_fisher", "radius", radius, 1e-300, 1e300)
  return setmetatable({
    name = "von Mises-Fisher", dim = dim, count = count, radius = radius,
    directions = sphere.project(m:detach():to("f64"):to("cpu"), 1), concentration = c,
    weights = w / w:sum(),
    log_scale = tensor.from(logs, HOST) + (w / w:sum()):log()
      - sphere.log_area(dim, radius),
  }, Mixture)
end

-- Points are taken by their direction.
function Mixture:log_prob(y)
  if y:dim() ~= 2 or y:size(2) ~= self.dim then
    tide.raise(("log_prob: points must have shape (B, %d), not %s")
      :format(self.dim, tensor.shape_text(y)))
  end
  local function like(x) return x:to(y.dtype):to(y.device) end
  local cosine = sphere.project(y, 1):matmul(like(self.directions):transpose(1, 2))
  return (cosine * like(self.concentration) + like(self.log_scale)):logsumexp(2)
end

function Mixture:nll(y) return -self:log_prob(y) end

-- The cosine with the mean direction, for concentrations c (n, 1): its distribution
-- function inverted for D = 3, else Wood's rejection (1994) from the projection of a
-- uniform point.
local function cosines(c, dim, spec)
  local n = c:size(1)
  if dim == 3 then
    local u = tensor.rand(n, 1, spec)
    local k = c:clamp { min = 1e-6 }
    return (((k * -2):exp() * (1 - u) + u):log() / k + 1):clamp(-1, 1)
  end
  local d = dim - 1
  local b = d / ((c * c * 4 + d * d):sqrt() + c * 2)
  local x0 = (1 - b) / (1 + b)
  local top = c * x0 + (1 - x0 * x0):log() * d
  local cosine, open = nil, nil
  repeat
    local z = (1 - sphere.project(tensor.randn(n, dim, spec), 1):narrow(2, 1, 1)) / 2
    local w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
    local refused = (c * w + (1 - x0 * w):log() * d - top):lt(tensor.rand(n, 1, spec):log())
    cosine = cosine and tensor.where(open, w, cosine) or w
    open = open and open:logical_and(refused) or refused
  until not open:any():item()
  return cosine
end

-- n points (n, D); components=true adds the component each came from.
function Mixture:sample(n, o)
  o = tide.options("sample", o, { "generator", dtype = "f32", device = tide.device(),
                                  components = false })
  n = tide.count("sample", "n", n, 0)
  local spec = { dtype = "f64", device = "cpu", generator = o.generator }
  local steps = self.weights:cumsum(1):unsqueeze(1)
  local pick = tensor.rand(n, 1, spec):gt(steps):sum(2):clamp { max = self.count - 1 } + 1
  if n == 0 then
    return tensor.zeros(0, self.dim, { dtype = o.dtype, device = o.device }), o.components and pick or nil
  end
  local m = self.directions:index_select(1, pick)
  local cosine = cosines(self.concentration:index_select(1, pick):unsqueeze(2), self.dim, spec)
  local across = sphere.project(sphere.tangent(tensor.randn(n, self.dim, spec), m), 1)
  local x = (m * cosine + across * (1 - cosine * cosine):sqrt()) * self.radius
  return x:to(o.dtype):to(o.device), o.components and pick or nil
end

return sphere
