-- bound.lua -- what the loss of a latent flow says of its images.  With the triangle
-- inequality and Gronwall's lemma, as in theorem 1 of arXiv 2307.08698,
--
--   W2(made, data) <= error of the autoencoder + L_dec exp(1/2 + G) sqrt(loss)
--
-- where L_dec is the Lipschitz constant of the decoder, G the integral over t of that of
-- the field, and the loss stands above the squared error of the field by the conditional
-- variance.  Constants are estimated at points that samples pass, so from below.

local tide = require "tide"
local flow, tensor, metrics = tide.flow, tide.tensor, tide.metrics

local bound = {}

local TIMES = { 0, 0.25, 0.5, 0.75, 0.98 }
local POINTS, ROUNDS, STEP = 12, 8, 0.02
local HELD = 256

local function lengths(x) return x:flatten(2, x:dim()):norm(2, 2) end
local function unit(x)
  local shape = { x:size(1) }
  for d = 2, x:dim() do shape[d] = 1 end
  return x / (lengths(x) + 1e-20):reshape(shape)
end

-- The largest singular value of the Jacobian of f at each row of x, by power iteration:
-- J u by a central difference, J^T w by a vector-Jacobian product.
function bound.norms(f, x, rounds)
  local u, value = unit(tensor.randn_like(x)), nil
  for _ = 1, rounds or ROUNDS do
    local forward = tide.no_grad(function()
      return (f(x + u * STEP) - f(x - u * STEP)) / (2 * STEP)
    end)
    value = lengths(forward)
    local at = x:detach():requires_grad_()
    u = unit(tensor.grad(f(at), at, { grad_outputs = unit(forward) }))
  end
  return value
end

-- The largest norm of the field's Jacobian at each of TIMES, on the way of samples.
local function of_field(v)
  local z0 = tensor.randn(POINTS, table.unpack(v.shape))
  local steps = 50
  local _, info = flow.sample(v, z0, { steps = steps, trajectory = true })
  local z, t = {}, {}
  for i, time in ipairs(TIMES) do
    z[i] = info.trajectory[math.floor(time * steps + 0.5) + 1]
    t[i] = tensor.full({ POINTS }, time)
  end
  local times = tensor.cat(t)
  local norms = bound.norms(function(rows) return v(rows, times) end, tensor.cat(z))
  return norms:reshape(#TIMES, POINTS):max(2)
end

-- What does not change while the flow is trained.
function bound.setting(ae, data, o)
  local n = math.min(HELD, data.test:size(1))
  local x = data.test:narrow(1, 1, n)
  local z = ae:latents(x)
  local function decode(rows) return ae:decode(rows / ae.scale) end
  local again = ae:pictures(z)
  local test = data.test:flatten(2, 4)
  local function some(rows) return rows:narrow(1, 1, math.min(1000, rows:size(1))) end
  local function sliced(rows) return metrics.sliced_wasserstein(rows:flatten(2, 4), test) end
  return {
    z = z, ae = ae, samples = math.min(o.samples, 300), nfe_steps = o.nfe_steps, solver = o.solver,
    sliced = sliced,
    decoder = bound.norms(decode, z:narrow(1, 1, math.min(16, n))):max():item(),
    error = math.sqrt((again - x):square():flatten(2, 4):sum(2):mean():item()),
    sliced_again = sliced(ae:pictures(ae:latents(some(data.test)))), sliced_data = sliced(some(data.train)),
  }
end

-- One point of the curves: loss on draws that stay the same, constants, distances.
function bound.record(curve, step, v, s)
  tide.seed(1005)
  local function note(key, value)
    curve[key] = curve[key] or {}
    table.insert(curve[key], value)
  end
  local loss = tide.no_grad(function() return flow.matching_loss(v, s.z, { stratified = true }):item() end)
  local norms = of_field(v)
  -- the trapezoidal rule over TIMES
  local growth = 0
  for i = 2, #TIMES do
    growth = growth + 0.5 * (norms:get(i) + norms:get(i - 1)) * (TIMES[i] - TIMES[i - 1])
  end
  local made = s.ae:pictures((flow.sample(v, s.samples, { solver = s.solver, steps = s.nfe_steps })))
  note("step", step)
  note("loss", loss)
  note("field", norms:max():item())
  note("growth", growth)
  note("sliced", s.sliced(made))
  note("bound", s.error + s.decoder * math.exp(0.5 + growth) * math.sqrt(loss))
  return made
end

return bound
