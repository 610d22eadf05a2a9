-- path.lua -- how noise x0 (t = 0) and data x1 (t = 1) are joined.
--
-- A path offers interpolate(x0, x1, t), velocity(x0, x1, t), at(x0, x1, t) with both,
-- prior(like), prior_log_density(x0), residual(v, u, z), step(z, v, dt) and weight(t);
-- where points lie on a surface also project(z) and field(v).  t is a number, or a
-- tensor with one time for each row of x, or for each of several groups of rows.  Where it
-- can be had in one pass, draw(x1, eps) gives at(x0, x1, t) and t for fresh x0 and t.

local tide = require "tide"
local tensor = tide.tensor
local sphere = require "tide.flow.sphere"
local point = require "tide.flow.point"

local path = {}
local column = point.column

---- affine paths: z = alpha(t) x1 + beta(t) x0 ----

local Affine = { euclidean = true }      -- residual(v, u) is v - u
Affine.__index = Affine

function Affine:interpolate(x0, x1, t)
  t = column(t, x1)
  return x1 * self.alpha(t) + x0 * self.beta(t)
end

function Affine:velocity(x0, x1, t)
  t = column(t, x1)
  return x1 * self.dalpha(t) + x0 * self.dbeta(t)
end

function Affine:at(x0, x1, t)
  return self:interpolate(x0, x1, t), self:velocity(x0, x1, t)
end

function Affine:prior(like) return tensor.randn_like(like) end

function Affine:prior_log_density(x0)
  return point.sum(x0:square()) * -0.5 - point.size(x0) * 0.5 * math.log(2 * math.pi)
end

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
      tide.raise("flow.path.affine: give the function " .. key .. "(t)")
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
    at = function(self, x0, x1, t)
      if type(t) ~= "number" and x0:numel() == x1:numel() then return x0:line_points(x1, t) end
      return Affine.at(self, x0, x1, t)
    end,
    draw = function(_, x1, eps) return x1:line_draw(eps) end,
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

---- the sphere of radius R: great circles.  Of tokens (B, ..., D) each is on its own sphere ----

local Spherical = {}
Spherical.__index = Spherical

function Spherical:project(z) return sphere.project(z, self.radius) end
function Spherical:tangent(v, z) return sphere.tangent(v, z) end

function Spherical:at(x0, x1, t)
  return sphere.slerp(x0, x1, column(t, x1), self.radius)
end

function Spherical:interpolate(x0, x1, t) return (self:at(x0, x1, t)) end
function Spherical:velocity(x0, x1, t) return select(2, self:at(x0, x1, t)) end
function Spherical:prior(like) return self:project(tensor.randn_like(like)) end

-- With respect to the area, as all densities on the sphere; of tokens (B, ..., D) the sum.
function Spherical:prior_log_density(x0)
  local dim = x0:size(-1)
  return tensor.full(x0:size(1), -sphere.log_area(dim, self.radius) * (point.size(x0) // dim),
                     { dtype = x0.dtype, device = x0.device })
end

-- The tangent part of v, the same at all points of a ray: its divergence in space is
-- the divergence on the sphere, and solvers that leave the sphere by rounding do no harm.
function Spherical:field(v)
  return function(z, t, labels)
    local p = self:project(z)
    return sphere.tangent(v(p, t, labels), p)
  end
end

function Spherical:residual(v, u, z) return sphere.tangent(v - u, z) end

function Spherical:step(z, v, dt)
  return sphere.exp(z, sphere.tangent(v, z) * dt, self.radius)
end

function Spherical:weight()
  tide.raise("the weight that makes a likelihood of the residual is for paths like flow.path.linear(); " ..
             "on the sphere flow.log_likelihood gives it")
end

function path.spherical(o)
  o = tide.options("flow.path.spherical", o, { "radius" })
  local r = o.radius
  if r ~= nil and not (type(r) == "number" and r > 0 and r < math.huge) then
    tide.raise("flow.path.spherical: radius must be a number above 0, not " .. tostring(r))
  end
  o.name = "spherical"
  return setmetatable(o, Spherical)
end

return path
