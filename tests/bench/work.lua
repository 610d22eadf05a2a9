-- work.lua -- our side of the benchmarks: for each kind of work a function that makes it ready,
-- writes what peers need to do the same and to be compared with, and returns one unit of it.
--
-- A unit is timed as run(n): n of them.  Weights are drawn, so that no gradient is zero.

local tide = require "tide"
local tensor, flow, optim = tide.tensor, tide.flow, tide.optim

local work = {}

local function net_of(spec)
  local net = flow.VelocityMLP { dim = spec.dim, hidden = spec.hidden, blocks = spec.blocks }
  tide.no_grad(function()
    for _, p in ipairs(net:parameters()) do p:add_(tensor.randn_like(p) * 0.02) end
  end)
  return net
end

-- Saves tensors for the peers; folder is nil where there are none.
local function save(folder, name, tensors)
  if folder then tide.data.save(("%s/%s.npz"):format(folder, name), tensors) end
end

local function copies(named, prefix, out, f)
  for name, p in named:named_parameters() do out[prefix .. name] = f(p):detach():clone() end
end

local function repeated(step)
  return function(n)
    for _ = 1, n do step() end
  end
end

---- training ----

local function matching(net, x1, spec, t, x0)
  return tide.autocast(spec.precision == "bf16" and "bf16" or "f32", flow.matching_loss, net, x1,
    { t = t, x0 = x0 })
end

-- One step of Adam on the matching loss of the same rows with fresh times and noise.
local function trainer(net, x1, spec)
  local opt = optim.Adam(net:parameters(), { lr = spec.lr })
  return function(t, x0)
    opt:zero_grad()
    local loss = matching(net, x1, spec, t, x0)
    loss:backward()
    opt:step()
    return loss
  end
end

function work.train(spec, folder)
  local net = net_of(spec)
  local x1 = tensor.randn(spec.batch, spec.dim)
  local t, x0 = tensor.rand(spec.batch), tensor.randn(spec.batch, spec.dim)
  if folder then
    save(folder, "weights", net:state_dict())
    local twin = net:clone()
    local loss = matching(twin, x1, spec, t, x0)
    loss:backward()
    local check = { x1 = x1, t = t, x0 = x0, loss = loss:detach():reshape(1) }
    copies(twin, "grad.", check, function(p) return p.grad end)
    local step = tide.capture(trainer(twin, x1, spec))
    for _ = 1, 10 do step(t, x0) end
    copies(twin, "after.", check, function(p) return p end)
    save(folder, "check", check)
  end
  local step = trainer(net, x1, spec)
  local captured = spec.eager and step or tide.capture(step)
  return { run = repeated(captured), step = captured }
end

---- latents through a frozen net: as flow.align moves them ----

-- Loss, gradient and ten steps at given draws, for times of one's own and shared ones.
local function check_latents(v, y, spec, folder)
  local x0 = tensor.randn_like(y)
  local check = { y = y, x0 = x0 }
  for tag, groups in pairs { own = false, shared = spec.groups } do
    local t = tensor.rand(groups or spec.points)
    local o = { t = t, x0 = x0, groups = groups or nil }
    local at = y:clone():requires_grad_()
    local opt = optim.Adam({ at }, { lr = spec.lr })
    for i = 1, 10 do
      opt:zero_grad()
      local loss = flow.align_loss(v, at, o)
      loss:backward()
      if i == 1 then
        check[tag .. "_loss"], check[tag .. "_grad"] = loss:detach():reshape(1), at.grad:clone()
      end
      opt:step()
    end
    check[tag .. "_t"], check[tag .. "_after"] = t, at:detach()
  end
  save(folder, "check", check)
end

function work.latents(spec, folder)
  local v = net_of(spec)
  save(folder, "weights", v:state_dict())
  v:freeze()
  local y = tensor.randn(spec.points, spec.dim)
  local run = flow.align(v, y, { steps = 3, lr = spec.lr, every = 1000000, eval_draws = 1,
                                 groups = spec.groups })
  local table_over_t = run.conditioning == "table"
  if folder then check_latents(table_over_t and v:tabulated() or v, y, spec, folder) end
  return { run = repeated(run.update), step = run.update, note = table_over_t and
    ("conditioning from a table over t, error %.0e"):format(run.table_error) or nil }
end

---- evaluation ----

local function frozen(spec, folder)
  local v = net_of(spec)
  save(folder, "weights", v:state_dict())
  return v:freeze()
end

-- Work that computes f() again and again; what it gave is kept for peers under a name.
local function evaluated(f, folder, check)
  check.values = f()
  save(folder, "check", check)
  return { run = repeated(f), step = f }
end

function work.landscape(spec, folder)
  local v = frozen(spec, folder)
  local draws = flow.draws(spec.draws, spec.dim)
  local function f()
    return flow.landscape(function(p)
      return flow.align_loss(v, p, { draws = draws, reduction = "none" })
    end, { n = spec.n })
  end
  local at = f()
  return evaluated(function() return f().z:flatten() end, folder,
    { points = at.points, t = draws.t, x0 = draws.x0 })
end

function work.sample(spec, folder)
  local v = frozen(spec, folder)
  local x0 = tensor.randn(spec.points, spec.dim)
  return evaluated(function()
    return (flow.sample(v, x0, { solver = "rk4", steps = spec.steps }))
  end, folder, { x0 = x0 })
end

function work.likelihood(spec, folder)
  local v = frozen(spec, folder)
  local y = tensor.randn(spec.points, spec.dim)
  return evaluated(function()
    return (flow.log_likelihood(v, y, { solver = "rk4", steps = spec.steps }))
  end, folder, { y = y })
end

-- Exact log densities in f64, a few points at a time.
local function exact_kde(y, data, bandwidth)
  local parts, scale = {}, 1 / bandwidth
  y, data = y:to("f64") * scale, data:to("f64") * scale
  local half = data:square():sum(2) / 2
  for first = 1, y:size(1), 16 do
    local part = y:narrow(1, first, math.min(16, y:size(1) - first + 1))
    parts[#parts + 1] = (part:matmul(data:t()) - half):logsumexp(2) - part:square():sum(2) / 2
  end
  return tensor.cat(parts) - math.log(data:size(1) * 2 * math.pi * bandwidth ^ 2)
end

-- Densities at the cells of a grid, lines spread over all of it, or at scattered points.
function work.kde(spec, folder)
  local target = flow.targets.mog()
  local data = target:sample(spec.samples)
  local how = { bandwidth = spec.bandwidth }
  local y, f
  if spec.n then
    local columns, lines = tensor.linspace(-3, 3, spec.n[1]), tensor.linspace(-3, 3, spec.n[2])
    y = tensor.stack({ columns:unsqueeze(1):expand(spec.n[2], spec.n[1]):flatten(),
                       lines:unsqueeze(2):expand(spec.n[2], spec.n[1]):flatten() }, 2)
    f = function() return tide.metrics.kde_grid(columns, lines, data, how):flatten() end
  else
    y = target:sample(spec.points)
    f = function() return tide.metrics.kde_log_density(y, data, how) end
  end
  if not folder then return { run = repeated(f), step = f } end
  local exact = exact_kde(y, data, spec.bandwidth)
  save(folder, "check", { y = y, data = data, exact = exact })
  local there = exact:gt(-20)             -- peers lose much smaller ones
  local off = tensor.where(there, (f():to("f64") - exact):abs(), 0)
  return { run = repeated(f), step = f, accuracy = off:max():item() }
end

---- what one op costs ----

function work.overhead(spec)
  local a, b, w = tensor.ones(16), tensor.ones(16), tensor.ones(16, { requires_grad = true })
  local function add(n)
    for _ = 1, n do local _ = a + b end
  end
  local function backward(n)
    for _ = 1, n do
      (w * b + a):sum():backward()
      w.grad = nil
    end
  end
  local run = spec.what == "add" and add or backward
  return { run = function(n) run(1000 * n) end }
end

return work
