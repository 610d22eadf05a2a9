-- loss.lua -- the flow-matching residual, and the losses made of it.
--
-- Everything here sums over dimensions (eq. 5 of arXiv 2506.05240) and averages
-- over the batch unless asked for single values.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local check = require "tide.flow.check"
local evaluate = require "tide.flow.evaluate"
local point = require "tide.flow.point"
local condition = require "tide.nn.condition"

local loss = {}

-- Times in [0, 1 - eps], one per row: independent, or one in each of n strata.
function loss.times(n, like, eps, stratified)
  local spec = { dtype = like.dtype, device = like.device }
  if stratified then return tensor.empty(n, spec):strata(eps) end
  local t = tensor.rand(n, spec)
  return eps > 0 and t * (1 - eps) or t
end

-- A number of groups that divides n points evenly, about one for 16.  Each point
-- still sees uniform times and noise of its own, so nothing changes for it, but
-- the conditioning of a net is computed once per group.
function loss.group_count(n)
  for g = math.max(1, n // 16), n do
    if n % g == 0 then return g end
  end
end

-- v at rows z of which each of the t's (G) serves B/G in succession.
local function grouped_field(v, z, t)
  if type(v) == "table" and v.grouped then
    local g = t:size(1)
    return v(z:reshape(g, z:size(1) // g, z:size(2)), t):reshape(z.shape)
  end
  return v(z, point.times(t, z:size(1)))
end

-- |v - u|^2 with its gradient at once, where the field offers it: squared_residual.
local function at_once(v, z, u, t, o)
  if type(v) == "table" and v.squared_residual and o.path.euclidean then
    return v:squared_residual(z, t, o.labels, u)
  end
end

-- What the field is asked about: z and u on paths to x1, and t: a number, one for each
-- row, or with o.groups one for each group; x0 where it is wanted or was given.
local function points(x1, o, want_x0)
  local n = x1:size(1)
  if o.groups then tide.count("flow", "groups", o.groups, 1) end
  if o.groups and n % o.groups ~= 0 then
    tide.raise(("flow: %d points do not split into %d groups of equal size")
               :format(n, o.groups))
  end
  local p = { t = o.t, x0 = o.x0 }
  if o.path.draw and not (o.t or o.x0 or o.groups or o.stratified or want_x0) then
    p.z, p.u, p.t = o.path:draw(x1, o.eps)
    return p
  end
  p.t = o.t or loss.times(o.groups or n, x1, o.eps, o.groups or o.stratified)
  p.x0 = o.x0 or o.path:prior(x1)
  p.z, p.u = o.path:at(p.x0, x1, p.t)
  return p
end

-- |v(z_t, t) - u_t|^2 of each row, or their mean, and the points it was computed at.
local function residual(v, x1, o, mean, want_x0)
  o = tide.options("flow.residual", o, {
    "t", "x0", "labels", "groups", path = path.linear(), eps = 0,
    stratified = false })
  check.field("flow.residual", v)
  check.points("flow.residual", x1)
  check.path("flow.residual", o.path)
  condition.check("flow.residual", o.labels)
  check.number("flow.residual", "eps", o.eps, 0, 1, true)
  if type(o.t) == "number" then check.number("flow.residual", "t", o.t, 0, 1) end
  if o.x0 then check.same_shape("flow.residual", "x0", o.x0, x1) end
  local p = points(x1, o, want_x0)
  local z, u, t = p.z, p.u, p.t
  local grouped = o.groups and not o.labels
  if not grouped then t = point.times(t, x1:size(1)) end
  local r = at_once(v, z, u, t, o)
  if not r then
    local out = grouped and grouped_field(v, z, t) or v(z, t, o.labels)
    check.velocity("flow", out, z)
    if o.path.euclidean then return out:squared_error(u, mean), p end
    r = point.sum(o.path:residual(out, u, z):square())
  end
  return mean and r:mean() or r, p
end

-- |v(z_t, t) - u_t|^2 of each row, and what it was computed from.
function loss.residual(v, x1, o)
  local r, p = residual(v, x1, o, false, true)
  return r, { t = point.times(p.t, x1:size(1)), x0 = p.x0, z = p.z }
end

function loss.matching_loss(v, x1, o)
  o = tide.options("flow.matching_loss", o, {
    "t", "x0", "labels", "groups", path = path.linear(), reduction = "mean",
    stratified = false })
  return (residual(v, x1, {
    t = o.t, x0 = o.x0, labels = o.labels, path = o.path,
    stratified = o.stratified, groups = o.groups }, o.reduction ~= "none"))
end

---- draws shared by all points ----

-- K pairs (t, x0) to be used for every point: the same estimator with much less
-- noise between neighbours, and one row of conditioning per draw.
function loss.draws(k, dim, o)
  tide.count("flow.draws", "k", k, 1)
  local shape = type(dim) == "table" and { k, table.unpack(dim) } or { k, dim }
  for d = 2, math.max(#shape, 2) do tide.count("flow.draws", "dim", shape[d], 1) end
  o = tide.options("flow.draws", o, {
    "generator", "dtype", "device", eps = 0, path = path.linear() })
  local spec = { dtype = o.dtype, device = o.device }
  local function draw()
    local t = (tensor.rand(k, spec) + tensor.arange(0, k - 1, spec)) / k
    return {
      t = t * (1 - o.eps),
      x0 = o.path:prior(tensor.randn(shape, spec)),
      count = k, eps = o.eps,
    }
  end
  if o.generator then return o.generator:run(draw) end
  return draw()
end

---- weights over time ----

local function weighted(r, t, o)
  local w = o.weight
  if w == "uniform" then return r end
  if w == "likelihood" then w = o.path:weight(t)
  elseif tide.callable(w) then w = w(t)
  else
    tide.raise("flow.align_loss: weight is 'uniform', 'likelihood' or a function " ..
               "of t, not " .. tostring(w))
  end
  if o.clip then
    w = type(w) == "number" and math.min(w, o.clip) or w:clamp { max = o.clip }
  end
  return r * w
end

local function with_shared(v, y, o)
  local d, sum = o.draws, nil
  if not tide.grad_enabled() then v = evaluate.settled(v, y) end
  for k = 1, d.count do
    local t = d.t:get(k)
    local x0 = d.x0[k]:unsqueeze(1)
    local r = residual(v, y, {
      t = t, x0 = x0:expand(y.shape), labels = o.labels, path = o.path })
    r = weighted(r, t, o)
    sum = sum and sum + r or r
  end
  return sum * ((1 - d.eps) / d.count)
end

local function with_own(v, y, o)
  local n, k = y:size(1), o.samples
  local labels = o.labels
  if k > 1 then
    local shape = y.shape
    table.insert(shape, 1, k)
    y = y:unsqueeze(1):expand(shape):flatten(1, 2)
    labels = condition.map(labels, function(c)
      return c:unsqueeze(1):expand({ k, table.unpack(c.shape) }):flatten(1, 2)
    end)
  end
  local mean = o.reduction == "mean" and o.weight == "uniform"
  local r, p = residual(v, y, {
    t = o.t, x0 = o.x0, labels = labels, path = o.path, eps = o.eps,
    stratified = o.stratified, groups = o.groups and o.groups * k }, mean)
  if not mean then r = weighted(r, point.times(p.t, y:size(1)), o) end
  if o.eps > 0 then r = r * (1 - o.eps) end
  return k > 1 and not mean and r:reshape(k, n):mean(1) or r
end

-- L_align(y): the residual of the frozen field on the path that ends at y.
function loss.align_loss(v, y, o)
  o = tide.options("flow.align_loss", o, {
    "t", "x0", "labels", "draws", "clip", "groups", path = path.linear(),
    samples = 1,
    weight = "uniform", reduction = "mean", eps = 0, stratified = false })
  check.field("flow.align_loss", v)
  check.points("flow.align_loss", y)
  tide.count("flow.align_loss", "samples", o.samples, 1)
  if o.clip then check.number("flow.align_loss", "clip", o.clip, 0, math.huge) end
  if o.draws and not o.draws.x0 then
    tide.raise("flow.align_loss: draws must come from flow.draws")
  end
  if o.weight == "likelihood" and o.eps == 0 and not o.clip and not o.draws
     and not o.t then
    o.eps = 1e-3
  end
  if o.reduction ~= "mean" and o.reduction ~= "none" then
    tide.raise("flow.align_loss: reduction is 'mean' or 'none', not " ..
               tostring(o.reduction))
  end
  local r = o.draws and with_shared(v, y, o) or with_own(v, y, o)
  return o.reduction == "mean" and r:dim() > 0 and r:mean() or r
end

---- where the loss comes from ----

-- R(y, t) averaged over the rows of y, on n times in [from, to].
function loss.residual_curve(v, y, o)
  o = tide.options("flow.residual_curve", o, {
    "labels", n = 32, from = 0.01, to = 0.99, samples = 8,
    path = path.linear() })
  local times = tensor.linspace(o.from, o.to, o.n)
  local values = {}
  tide.no_grad(function()
    for i = 1, o.n do
      local sum = 0
      for _ = 1, o.samples do
        local r = residual(v, y, {
          t = times:get(i), labels = o.labels, path = o.path }, true)
        sum = sum + r:item()
      end
      values[i] = sum / o.samples
    end
  end)
  return { t = times, r = tensor.from(values) }
end

-- The alignment loss of data itself, with the standard error of its mean.  A
-- loss below it is the sign of collapse (the conditional variance is its bound).
function loss.floor(v, data, o)
  o = tide.options("flow.floor", o, {
    "labels", samples = 16, path = path.linear(), weight = "uniform" })
  return tide.no_grad(function()
    local r = loss.align_loss(v, data, {
      samples = o.samples, reduction = "none", labels = o.labels,
      path = o.path, weight = o.weight })
    return r:mean():item(), r:std():item() / math.sqrt(r:numel())
  end)
end

return loss
