-- path.lua -- how noise x0 (t = 0) and data x1 (t = 1) are joined.
--
-- A path offers interpolate(x0, x1, t), velocity(x0, x1, t), prior(like),
-- residual(v, u, z), step(z, v, dt) and weight(t).  t is a number, or a tensor
-- with one time for each row of x.

local tide = require "tide"
local tensor = tide.tensor

local path = {}

-- t ready to multiply x: (B) becomes (B,1,...).
local function column(t, x)
  if type(t) == "number" or t:dim() == 0 then return t end
  local shape = { t:size(1) }
  for d = 2, x:dim() do shape[d] = 1 end
  return t:reshape(shape)
end

---- affine paths: z = alpha(t) x1 + beta(t) x0 ----

local Affine = {}
Affine.__index = Affine

function Affine:interpolate(x0, x1, t)
  t = column(t, x1)
  return x1 * self.alpha(t) + x0 * self.beta(t)
end

function Affine:velocity(x0, x1, t)
  t = column(t, x1)
  return x1 * self.dalpha(t) + x0 * self.dbeta(t)
end

function Affine:prior(like) return tensor.randn_like(like) end
function Affine:residual(v, u) return v - u end
function Affine:step(z, v, dt) return z + v * dt end

-- The weight that turns the squared residual into the negative log-likelihood.
function Affine:weight(t)
  local a, b = self.alpha(t), self.beta(t)
  return a / (b * b) / (self.dalpha(t) - a * self.dbeta(t) / b)
end

local function one(x) return type(x) == "number" and 1 or tensor.ones_like(x) end
local function half_pi(t) return t * (math.pi / 2) end
local function sin(x) return type(x) == "number" and math.sin(x) or x:sin() end
local function cos(x) return type(x) == "number" and math.cos(x) or x:cos() end

function path.affine(o)
  o = tide.options("flow.path.affine", o, {
    "alpha", "beta", "dalpha", "dbeta", name = "affine" })
  for _, key in ipairs { "alpha", "beta", "dalpha", "dbeta" } do
    if not o[key] then
      error("flow.path.affine: give the function " .. key .. "(t)", 2)
    end
  end
  return setmetatable(o, Affine)
end

local linear
function path.linear()
  linear = linear or setmetatable({
    name = "linear",
    alpha = function(t) return t end,
    beta = function(t) return 1 - t end,
    dalpha = one,
    dbeta = function(t) return -one(t) end,
    -- the general forms, without needless products
    interpolate = function(_, x0, x1, t)
      return x0 + (x1 - x0) * column(t, x1)
    end,
    velocity = function(_, x0, x1) return x1 - x0 end,
    weight = function(_, t) return t / (1 - t) end,
  }, Affine)
  return linear
end

-- alpha = sin(pi t / 2), beta = cos(pi t / 2): keeps the variance of unit data.
function path.trigonometric()
  local k = math.pi / 2
  return setmetatable({
    name = "trigonometric",
    alpha = function(t) return sin(half_pi(t)) end,
    beta = function(t) return cos(half_pi(t)) end,
    dalpha = function(t) return cos(half_pi(t)) * k end,
    dbeta = function(t) return sin(half_pi(t)) * -k end,
  }, Affine)
end

---- the sphere of radius R: great circles ----

local Spherical = {}
Spherical.__index = Spherical

local function inner(a, b) return (a * b):sum(-1, true) end
local function length(a) return inner(a, a):clamp { min = 1e-30 }:sqrt() end

function Spherical:project(z) return z * (self:radius_of(z) / length(z)) end

function Spherical:radius_of(z)
  return self.radius or math.sqrt(z:size(-1))
end

-- The part of v that is tangent to the sphere at z.
function Spherical:tangent(v, z)
  return v - z * (inner(v, z) / inner(z, z):clamp { min = 1e-30 })
end

-- Unit directions, their angle w in [0, pi] (by atan2, never acos), and w / sin w
-- with its series near 0.  Antipodal pairs have no shortest way: the one through
-- the first axis that is not theirs is taken, by nudging x1.
local function arc(x0, x1)
  local a, b = x0 / length(x0), x1 / length(x1)
  local sum, difference = length(a + b), length(a - b)
  local w = tensor.atan2(difference, sum) * 2
  local s = w:sin()
  local small = w:lt(1e-3)
  local safe = tensor.where(small, tensor.ones_like(s), s:clamp { min = 1e-6 })
  local ratio = tensor.where(small, w * w / 6 + 1, w / safe)
  return a, b, w, ratio, safe, small
end

-- sin(c w) / sin w, with its limit c for small w
local function share(c, w, safe, small)
  return tensor.where(small, c * tensor.ones_like(w), (w * c):sin() / safe)
end

function Spherical:interpolate(x0, x1, t)
  t = column(t, x1)
  local a, b, w, _, safe, small = arc(x0, x1)
  local z = a * share(1 - t, w, safe, small) + b * share(t, w, safe, small)
  return self:project(z)
end

function Spherical:velocity(x0, x1, t)
  t = column(t, x1)
  local a, b, w, ratio = arc(x0, x1)
  local u = b * (w * t):cos() - a * (w * (1 - t)):cos()
  return u * ratio * self:radius_of(x1)
end

function Spherical:prior(like) return self:project(tensor.randn_like(like)) end
function Spherical:residual(v, u, z) return self:tangent(v - u, z) end

-- The exponential map: along the great circle that leaves z with velocity v.
function Spherical:step(z, v, dt)
  local u = self:tangent(v, z)
  local speed, radius = length(u), self:radius_of(z)
  local angle = speed * (dt / radius)
  return self:project(z * angle:cos() + u * (angle:sin() * radius / speed))
end

function path.spherical(o)
  o = tide.options("flow.path.spherical", o, { "radius" })
  o.name = "spherical"
  return setmetatable(o, Spherical)
end

return path
