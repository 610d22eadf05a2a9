-- sample.lua -- draws from a flow by solving its ODE from noise to data.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local ode = require "tide.flow.ode"
local check = require "tide.flow.check"
local evaluate = require "tide.flow.evaluate"

local sample = {}

-- v with classifier-free guidance: v_null + scale (v_label - v_null); scale 1 is
-- the field of the labels itself.
local function guided(v, o)
  if not o.labels then
    if o.cfg ~= 1 then
      tide.raise("flow.sample: cfg guides towards labels; give labels= too")
    end
    return function(z, t) return v(z, t) end
  end
  if o.cfg == 1 then return function(z, t) return v(z, t, o.labels) end end
  return function(z, t)
    local null, with = v(z, t), v(z, t, o.labels)
    return null + (with - null) * o.cfg
  end
end

local function start_points(v, n, o)
  if tensor.is_tensor(n) then return n end
  local dim = o.dim or type(v) == "table" and v.dim
  if math.type(n) ~= "integer" or n < 0 then
    error("flow.sample: give how many samples, or a tensor (n, D) to start " ..
          "from, not " .. tostring(n), 3)
  end
  if not dim then
    error("flow.sample: the field does not say its dimension; pass dim=", 3)
  end
  return o.path:prior(tensor.empty(n, dim, { dtype = o.dtype, device = o.device }))
end

function sample.sample(v, n, o)
  o = tide.options("flow.sample", o, {
    "labels", "dim", "dtype", "device", "first_step", solver = "euler",
    steps = 100, cfg = 1, path = path.linear(), rtol = 1e-5, atol = 1e-5,
    trajectory = false, create_graph = false })
  check.field("flow.sample", v)
  check.path("flow.sample", o.path)
  local function run()
    local x0 = start_points(v, n, o)
    local v = o.create_graph and v or evaluate.settled(v, x0)
    local field = guided(v, o)
    local function velocity(z, t)
      local out = field(z, t)
      check.velocity("flow.sample", out, z)
      return out
    end
    if o.path.field then velocity = o.path:field(velocity) end
    if not o.create_graph then velocity = evaluate.evaluator(v, velocity, x0) end
    return ode.integrate(velocity, x0, { label = "sample",
      solver = o.solver, steps = o.steps, rtol = o.rtol, atol = o.atol,
      trajectory = o.trajectory, first_step = o.first_step,
      step = o.path.name == "spherical" and function(z, u, h)
        return o.path:step(z, u, h)
      end or nil })
  end
  if o.create_graph then return run() end
  return tide.no_grad(run)
end

return sample
