-- ode.lua -- solvers of dx/dt = f(x, t) for a tensor, or a list of tensors that
-- move together.  They are made of ops, so what they return has a gradient.

local tide = require "tide"
local tensor = tide.tensor

local check = require "tide.flow.check"

local ode = {}

---- lists of tensors as one vector ----

local function axpy(x, pairs_of)           -- x + sum_i a_i k_i
  local y = {}
  for i = 1, #x do
    local s = x[i]
    for j = 1, #pairs_of, 2 do
      local a = pairs_of[j]
      if a ~= 0 then s = s + pairs_of[j + 1][i] * a end
    end
    y[i] = s
  end
  return y
end

---- fixed steps ----

local fixed = {}

function fixed.euler(f, x, t, h, o)
  local k = f(x, t)
  if o.step then return { o.step(x[1], k[1], h), table.unpack(axpy(x, { h, k }), 2) } end
  return axpy(x, { h, k })
end

function fixed.midpoint(f, x, t, h)
  local k = f(x, t)
  return axpy(x, { h, f(axpy(x, { h / 2, k }), t + h / 2) })
end

function fixed.heun(f, x, t, h)
  local k1 = f(x, t)
  local k2 = f(axpy(x, { h, k1 }), t + h)
  return axpy(x, { h / 2, k1, h / 2, k2 })
end

function fixed.rk4(f, x, t, h)
  local k1 = f(x, t)
  local k2 = f(axpy(x, { h / 2, k1 }), t + h / 2)
  local k3 = f(axpy(x, { h / 2, k2 }), t + h / 2)
  local k4 = f(axpy(x, { h, k3 }), t + h)
  return axpy(x, { h / 6, k1, h / 3, k2, h / 3, k3, h / 6, k4 })
end

---- Dormand and Prince 1980, order 5 with an error estimate of order 4 ----

local C = { 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1 }
local A = {
  { 1 / 5 },
  { 3 / 40, 9 / 40 },
  { 44 / 45, -56 / 15, 32 / 9 },
  { 19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729 },
  { 9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656 },
  { 35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84 },
}
local E = { 71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525,
            -1 / 40 }

local function combine(x, h, row, k)
  local list = {}
  for j = 1, #row do
    list[#list + 1] = h * row[j]
    list[#list + 1] = k[j]
  end
  return axpy(x, list)
end

-- Root mean square of the error relative to the tolerance, in f64.
local function error_norm(x, y, h, k, o)
  return tide.no_grad(function()
    local sum, count = 0, 0
    for i = 1, #x do
      local e
      for j = 1, #E do
        if E[j] ~= 0 then
          local term = k[j][i] * (h * E[j])
          e = e and e + term or term
        end
      end
      local scale = tensor.maximum(x[i]:abs(), y[i]:abs()) * o.rtol + o.atol
      sum = sum + (e / scale):to("f64"):square():sum():item()
      count = count + e:numel()
    end
    return count == 0 and 0 or math.sqrt(sum / count)
  end)
end

-- One attempt at a step of size h: the new point, its last stage, the error.
local function attempt(f, x, t, h, first, o)
  local k = { first }
  local y
  for s = 1, #A do
    y = combine(x, h, A[s], k)
    k[s + 1] = f(y, t + C[s] * h)
  end
  return y, k[7], error_norm(x, y, h, k, o)
end

local function dopri5(f, x, o, visit)
  local bar <close> = tide.progress { label = o.label, total = math.abs(o.to - o.from), unit = false }
  local t, span = o.from, o.to - o.from
  local direction = span < 0 and -1 or 1
  local smallest = math.abs(span) * o.min_step
  local h = o.first_step or math.abs(span) / 50
  local first = f(x, t)
  local accepted, rejected = 0, 0
  while direction * (o.to - t) > 0 do
    h = math.min(h, direction * (o.to - t))
    local y, last, e = attempt(f, x, t, direction * h, first, o)
    if e ~= e then
      tide.raise(("flow: the solver met NaN or infinity at t = %.6g; the field is " ..
             "not finite there"):format(t))
    end
    if e <= 1 then
      local left = direction * (o.to - t) - h
      t = left <= 0 and o.to or t + direction * h
      x, first = y, last
      accepted = accepted + 1
      visit(x, t)
    else
      rejected = rejected + 1
    end
    bar:update(math.abs(t - o.from))
    h = h * math.min(5, math.max(0.2, 0.9 * (e + 1e-12) ^ -0.2))
    if h < smallest and direction * (o.to - t) > smallest then
      tide.raise(("flow: dopri5 needs steps below %.1e at t = %.6g to keep rtol " ..
             "%g, atol %g; loosen them, use f64, or a solver with fixed steps")
                 :format(smallest, t, o.rtol, o.atol))
    end
  end
  return x, accepted, rejected
end

---- the door ----

local function fixed_steps(f, x, o, visit)
  local step = fixed[o.solver]
  if not step then
    tide.raise("flow.integrate: solver is euler, midpoint, heun, rk4 or dopri5, " ..
               "not " .. tostring(o.solver))
  end
  local h = (o.to - o.from) / o.steps
  local bar <close> = tide.progress { label = o.label, total = o.steps }
  for i = 1, o.steps do
    x = step(f, x, o.from + (i - 1) * h, h, o)
    visit(x, i == o.steps and o.to or o.from + i * h)
    bar:update(i)
  end
  return x, o.steps, 0
end

-- Integrates from o.from to o.to.  x is a tensor or a list of tensors and so is
-- what f returns.  Also returns { nfe, steps, rejected, trajectory, times }.
function ode.integrate(f, x, o)
  o = tide.options("flow.integrate", o, {
    "first_step", "step", "visit", from = 0, to = 1, solver = "euler",
    steps = 100, rtol = 1e-5, atol = 1e-5, min_step = 1e-9,
    trajectory = false, label = "ode" })
  check.field("flow.integrate", f)
  tide.count("flow.integrate", "steps", o.steps, 1)
  check.number("flow.integrate", "from", o.from, -1e300, 1e300)
  check.number("flow.integrate", "to", o.to, -1e300, 1e300)
  check.number("flow.integrate", "rtol", o.rtol, 0, 1)
  check.number("flow.integrate", "atol", o.atol, 1e-300, math.huge)
  if not tensor.is_tensor(x) and (type(x) ~= "table" or not tensor.is_tensor(x[1])) then
    tide.raise("flow.integrate: x must be a tensor or a list of tensors, not a " .. type(x))
  end
  local single = tensor.is_tensor(x)
  local info = { nfe = 0 }
  local function field(y, t)
    info.nfe = info.nfe + 1
    if single then return { f(y[1], t) } end
    return f(y, t)
  end
  local start = single and { x } or x
  if o.trajectory then
    info.trajectory, info.times = { start[1] }, { o.from }
  end
  local function visit(y, t)
    if o.trajectory then
      table.insert(info.trajectory, y[1])
      table.insert(info.times, t)
    end
    if o.visit then o.visit(single and y[1] or y, t) end
  end
  local run = o.solver == "dopri5" and dopri5 or fixed_steps
  local y
  y, info.steps, info.rejected = run(field, start, o, visit)
  return single and y[1] or y, info
end

return ode
