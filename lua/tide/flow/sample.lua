-- sample.lua -- draws from a flow by solving its ODE from noise to data.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local ode = require "tide.flow.ode"
local check = require "tide.flow.check"
local condition = require "tide.nn.condition"
local evaluate = require "tide.flow.evaluate"

local sample = {}

-- v without the labels and v with them.  A net whose labels include one for none
-- (null_label) answers both in one call on twice the points.
local function both(v, o)
  local labels, image = condition.split(o.labels)
  local null = type(v) == "table" and v.null_label
  if not null then
    local rest = condition.join(nil, image)
    return function(z, t) return v(z, t, rest), v(z, t, o.labels) end
  end
  local twice
  return function(z, t)
    local n = z:size(1)
    local function double(x) return tensor.cat({ x, x }, 1) end
    if not twice then
      if labels:size(1) ~= n then labels = labels:expand(n) end
      twice = condition.join(tensor.cat({ tensor.full({ n }, null, { dtype = labels.dtype,
        device = labels.device }), labels }, 1), image and double(image))
    end
    if tensor.is_tensor(t) and t:numel() > 1 then t = double(t) end
    return table.unpack(v(double(z), t, twice):chunk(2))
  end
end

-- v with classifier-free guidance: v_null + scale (v_label - v_null); scale 1 is
-- the field of the labels itself.  Also how often the net sees a point in one call.
local function guided(v, o)
  condition.check("flow.sample", o.labels)
  if o.cfg == 1 then return function(z, t) return v(z, t, o.labels) end, 1 end
  if not condition.split(o.labels) then
    tide.raise("flow.sample: cfg guides towards labels; give labels= too")
  end
  local pair = both(v, o)
  return function(z, t)
    local null, with = pair(z, t)
    return null + (with - null) * o.cfg
  end, 2
end

-- The shape of a sample: as asked for, or as the field has it.
local function shape_of(v, o)
  local known = type(v) == "table" and v or {}
  local shape = o.shape or o.dim or known.shape or known.dim
  if not shape then
    tide.raise("flow.sample: the field does not say what its points are; give dim=D, or shape= " ..
               "as in shape={1, 28, 28}")
  end
  shape = type(shape) == "table" and shape or { shape }
  for d = 1, math.max(#shape, 1) do tide.count("flow.sample", "shape", shape[d], 1) end
  return shape
end

local function start_points(v, n, o)
  if tensor.is_tensor(n) then
    check.points("flow.sample", n)
    return n
  end
  if type(n) ~= "number" then
    tide.raise("flow.sample: give how many samples, or a tensor (n, ...) to start from, not " ..
               tostring(n))
  end
  n = tide.count("flow.sample", "n", n, 0)
  return o.path:prior(tensor.empty({ n, table.unpack(shape_of(v, o)) },
                                   { dtype = o.dtype, device = o.device }))
end

function sample.sample(v, n, o)
  o = tide.options("flow.sample", o, {
    "labels", "dim", "shape", "dtype", "device", "first_step", solver = "euler",
    steps = 100, cfg = 1, path = path.linear(), rtol = 1e-5, atol = 1e-5,
    trajectory = false, create_graph = false })
  check.field("flow.sample", v)
  check.path("flow.sample", o.path)
  local function run()
    local x0 = start_points(v, n, o)
    local v = o.create_graph and v or evaluate.settled(v, x0)
    local field, calls = guided(v, o)
    local function velocity(z, t)
      local out = field(z, t)
      check.velocity("flow.sample", out, z)
      return out
    end
    if o.path.field then velocity = o.path:field(velocity) end
    if not o.create_graph then velocity = evaluate.evaluator(v, velocity, x0) end
    local x, info = ode.integrate(velocity, x0, { label = "sample",
      solver = o.solver, steps = o.steps, rtol = o.rtol, atol = o.atol,
      trajectory = o.trajectory, first_step = o.first_step,
      step = o.path.name == "spherical" and function(z, u, h)
        return o.path:step(z, u, h)
      end or nil })
    info.net_nfe = info.nfe * calls
    return x, info
  end
  if o.create_graph then return run() end
  return tide.no_grad(run)
end

return sample
