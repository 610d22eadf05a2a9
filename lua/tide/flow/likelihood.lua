-- likelihood.lua -- log p of a flow, exactly along its ODE or by an estimate, and
-- the paper's surrogate for it.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local loss = require "tide.flow.loss"
local ode = require "tide.flow.ode"
local check = require "tide.flow.check"
local evaluate = require "tide.flow.evaluate"
local point = require "tide.flow.point"

local likelihood = {}

---- divergence ----

-- sum_d d v_d / d z_d by one vector-Jacobian product for each dimension.
local function trace(v, z, t, o)
  local out = v(z, t, o.labels)
  check.velocity("flow.divergence", out, z)
  local total
  local dim = point.size(z)
  out = out:flatten(2, -1)
  for d = 1, dim do
    local g = tensor.grad(out:narrow(2, d, 1):sum(), z, {
      create_graph = o.create_graph, retain = d < dim or o.create_graph,
      allow_unused = true })
    if g then
      local column = g:flatten(2, -1):select(2, d)
      total = total and total + column or column
    end
  end
  return total or tensor.zeros(z:size(1), { dtype = z.dtype, device = z.device }),
    out:reshape(z.shape)
end

-- e . J e for noise e that stays the same through a solve (Hutchinson 1990).
local function hutchinson(v, z, t, o)
  local out = v(z, t, o.labels)
  local g = tensor.grad(out, z, {
    grad_outputs = o.noise, create_graph = o.create_graph,
    retain = o.create_graph, allow_unused = true })
  if not g then
    return tensor.zeros(z:size(1), { dtype = z.dtype, device = z.device }), out
  end
  return point.sum(g * o.noise), out
end

local function draw_noise(kind, like)
  if kind == "gaussian" then return tensor.randn_like(like) end
  if kind == "rademacher" then
    return tensor.rand_like(like):lt(0.5):to(like.dtype) * 2 - 1
  end
  tide.raise("flow: noise is 'rademacher' or 'gaussian', not " .. tostring(kind))
end

-- A point that gradients can be taken at, connected to z when they are wanted.
local function fresh(z, create_graph)
  if create_graph then
    return z.requires_grad and z or z:detach():requires_grad_()
  end
  return z:detach():requires_grad_()
end

-- By tangents, without a graph, for fields that can: v:trace(z, t, labels, noise).
local function by_tangents(v, z, t, o)
  if o.method == "trace" or o.create_graph or type(v) ~= "table" or not v.trace then
    return nil
  end
  local noise
  if o.method == "hutchinson" then
    noise = tensor.is_tensor(o.noise) and o.noise or draw_noise(o.noise or "rademacher", z)
  end
  return v:trace(z, t, o.labels, noise)
end

-- div v(z, t) of each row, and v itself.  method "exact" takes the field's own
-- formula where it has one, else tangents, else the trace of the Jacobian by vector
-- products; "trace" and "hutchinson" say which to use.
function likelihood.divergence(v, z, t, o)
  o = tide.options("flow.divergence", o, {
    "labels", "noise", method = "exact", create_graph = false })
  check.field("flow.divergence", v)
  check.points("flow.divergence", z)
  if type(t) ~= "number" and not tensor.is_tensor(t) then
    tide.raise("flow.divergence: t must be a number or a tensor, not a " .. type(t))
  end
  if o.method == "exact" and type(v) ~= "function" and v.divergence then
    return v:divergence(z, t), v(z, t, o.labels)
  end
  if o.method ~= "exact" and o.method ~= "trace" and o.method ~= "hutchinson" then
    tide.raise("flow.divergence: method is 'exact', 'trace' or 'hutchinson', not " ..
               tostring(o.method))
  end
  local div, out = by_tangents(v, z, t, o)
  if div then return div, out end
  local how = o.method == "hutchinson" and hutchinson or trace
  local keep = { labels = o.labels, create_graph = o.create_graph }
  if o.method == "hutchinson" then
    keep.noise = tensor.is_tensor(o.noise) and o.noise
      or draw_noise(o.noise or "rademacher", z)
  end
  return tide.enable_grad(function()
    local div, out = how(v, fresh(z, o.create_graph), t, keep)
    if o.create_graph then return div, out end
    return div:detach(), out:detach()
  end)
end

---- along the ODE ----

-- log p_1(y) by the instantaneous change of variables: the ODE is solved from
-- t = 1 back to 0 while the divergence is integrated (Chen et al. 2018; eq. 4).
function likelihood.log_likelihood(v, y, o)
  o = tide.options("flow.log_likelihood", o, {
    "labels", divergence = "exact", noise = "rademacher", solver = "rk4",
    steps = 100, rtol = 1e-5, atol = 1e-5, create_graph = false,
    first_step = false, path = path.linear() })
  check.field("flow.log_likelihood", v)
  check.points("flow.log_likelihood", y)
  check.path("flow.log_likelihood", o.path)
  local noise = o.divergence == "hutchinson" and draw_noise(o.noise, y) or nil
  local start = o.create_graph and y or y:detach()
  if not o.create_graph and o.divergence ~= "trace" then v = evaluate.settled(v, y) end
  local moving = v
  if o.path.field then start, moving = o.path:project(start), o.path:field(v) end
  local zero = tensor.zeros(y:size(1), { dtype = y.dtype, device = y.device })
  local function both(z, t)
    return likelihood.divergence(moving, z, t, {
      method = o.divergence, noise = noise, labels = o.labels,
      create_graph = o.create_graph })
  end
  if not o.create_graph then both = evaluate.evaluator(v, both, y, o.divergence == "trace") end
  local function field(state, t)
    local div, out = both(state[1], t)
    return { out, div }
  end
  local function run()
    return ode.integrate(field, { start, zero }, { label = "likelihood",
      from = 1, to = 0, solver = o.solver, steps = o.steps, rtol = o.rtol,
      atol = o.atol, first_step = o.first_step or nil })
  end
  local state, info
  if o.create_graph then state, info = tide.enable_grad(run)
  else state, info = tide.no_grad(run) end
  local log_p = o.path:prior_log_density(state[1]) + state[2]
  info.x0 = state[1]
  return log_p, info
end

---- without an ODE ----

-- -log p(y) from residuals weighted by path:weight(t), which is t/(1-t) on the linear
-- path (pointwise I-MMSE: Kong, Brekelmans and Ver Steeg 2023), exact for the exact field.
-- |x0|^2 stands for d in the subtracted term: the same mean, and the noise of the
-- two terms cancels as t tends to 1.
function likelihood.nll_estimate(v, y, o)
  o = tide.options("flow.nll_estimate", o, {
    "labels", samples = 64, eps = 1e-3, create_graph = false, path = path.linear() })
  check.field("flow.nll_estimate", v)
  check.points("flow.nll_estimate", y)
  check.path("flow.nll_estimate", o.path)
  local p = o.path
  tide.count("flow.nll_estimate", "samples", o.samples, 1)
  local n, dim = y:size(1), point.size(y)
  local function run()
    local sum
    for k in tide.progress(o.samples, { label = "nll", unit = "sample" }) do
      local t = (tensor.rand(n, { dtype = y.dtype, device = y.device }) + (k - 1))
        * ((1 - o.eps) / o.samples)
      local weight, r, used = p:weight(t), loss.residual(v, y, { t = t, labels = o.labels, path = p })
      local a, b = p.alpha(t), p.beta(t)
      local slope = p.dalpha(t) * b - a * p.dbeta(t)
      local noise = point.sum(used.x0:square()) * slope:square() / (a:square() + b:square())
      local term = (r - noise) * weight
      sum = sum and sum + term or term
    end
    return sum * ((1 - o.eps) / o.samples)
      + dim / 2 * math.log(2 * math.pi * math.exp(1))
  end
  if o.create_graph then return run() end
  return tide.no_grad(run)
end

-- The paper's surrogate (eq. 6, 8, 15): C(y), the alignment loss and C - align.
-- C - align is NOT a lower bound on log p(y); flow.log_likelihood is the measure
-- to hold it against.
function likelihood.surrogate(v, y, o)
  o = tide.options("flow.surrogate", o, {
    "labels", samples = 32, divergence = "exact", path = path.linear() })
  check.field("flow.surrogate", v)
  check.points("flow.surrogate", y)
  tide.count("flow.surrogate", "samples", o.samples, 1)
  local n = y:size(1)
  if o.path.field then v = o.path:field(v) end
  local c, align
  for k in tide.progress(o.samples, { label = "surrogate", unit = "sample" }) do
    local t = (tensor.rand(n, { dtype = y.dtype, device = y.device }) + (k - 1))
      / o.samples
    local x0 = o.path:prior(y)
    local z, u = o.path:at(x0, y, t)
    z = z:detach()
    local div, out = likelihood.divergence(v, z, t, {
      method = o.divergence, labels = o.labels })
    tide.no_grad(function()
      local r = point.sum(o.path:residual(out, u, z):square())
      c = c and c - div or -div
      align = align and align + r or r
    end)
  end
  c, align = c / o.samples, align / o.samples
  return { C = c, align = align, bound = c - align }
end

return likelihood
