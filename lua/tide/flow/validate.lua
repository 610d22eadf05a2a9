-- validate.lua -- the matching loss on rows, times and noise that stay the same, and
-- how far that is from the least that any field reaches.

local tide = require "tide"
local tensor = tide.tensor
local check = require "tide.flow.check"
local loss = require "tide.flow.loss"
local loop = require "tide.flow.loop"
local condition = require "tide.nn.condition"

local SEED = 20250607               -- of the draws, whatever the user's seed is

local Validation = {}
Validation.__index = Validation

local function fixed_rows(source, draw, n)
  if not tensor.is_tensor(source) then return loop.rows("flow.train", draw, n) end
  local rows = source:size(1)
  if rows <= n then return source end
  return source:index_select(1, tensor.randperm(rows, { device = source.device })
                                  :narrow(1, 1, n))
end

-- The field that reaches the floor, where the source has one in closed form.
local function exact_of(source, path)
  if type(source) ~= "table" or path.name ~= "linear" then return nil end
  local field = source.exact or source
  return field.conditional_variance and field or nil
end

-- The validation of one run; draws come from a stream of their own.
local function new(given, source, o)
  local self = tide.options("flow.train, validate", given, {
    "data", every = 100, batch = 1024, best = false, seed = SEED })
  tide.count("flow.train", "validate.every", self.every, 1)
  tide.count("flow.train", "validate.batch", self.batch, 1)
  setmetatable(self, Validation)
  local data = self.data == nil and source or self.data
  local draw = loop.sampler("flow.train", data)
  self.path, self.chunk, self.exact = o.path, o.batch, exact_of(data, o.path)
  self.curve = { step = {}, loss = {}, excess = {} }
  local x1, labels, t, x0
  tide.generator(self.seed):run(function()
    x1, labels = fixed_rows(data, draw, self.batch)
    x1 = x1:detach()
    t = loss.times(x1:size(1), x1, 0, true)
    x0 = o.path:prior(x1)
  end)
  self.draws = { x1 = x1, labels = labels, t = t, x0 = x0 }
  if self.exact then
    self.floor = tide.no_grad(function()
      local z = o.path:interpolate(x0, x1, t)
      return self.exact:conditional_variance(z, t):mean():item()
    end)
  end
  return self
end

-- The loss of v on rows first .. first + n - 1, summed, and the squared distance to
-- the exact field.
local function piece(self, v, first, n)
  local d = self.draws
  local function part(x) return x and x:narrow(1, first, n) end
  local x1, x0, t = part(d.x1), part(d.x0), part(d.t)
  local z = self.path:interpolate(x0, x1, t)
  local out = v(z, t, condition.map(d.labels, part))
  local u = self.path:velocity(x0, x1, t)
  local value = self.path:residual(out, u, z):square():sum():item()
  if not self.exact then return value end
  return value, (out - self.exact(z, t)):square():sum():item()
end

-- One point of the curve: mean loss, and mean squared distance to the exact field.
function Validation:measure(v, step)
  local n, sum, excess = self.draws.x1:size(1), 0, 0
  tide.no_grad(function()
    for first = 1, n, self.chunk do
      local a, b = piece(self, v, first, math.min(self.chunk, n - first + 1))
      sum, excess = sum + a, excess + (b or 0)
    end
  end)
  local c = self.curve
  table.insert(c.step, step)
  table.insert(c.loss, sum / n)
  if self.exact then table.insert(c.excess, excess / n) end
  return sum / n, self.exact and excess / n
end

local function copy_of(state)
  local out = {}
  for name, t in pairs(state) do out[name] = t:clone() end
  return out
end

-- Keeps the weights when they are the best so far.
function Validation:keep(v, step, value)
  local best = self.lowest
  if self.best and (not best or value < best.loss) then
    self.lowest = { step = step, loss = value, state = copy_of(v:state_dict()) }
  end
end

function Validation:state_dict()
  return { curve = self.curve, draws = self.draws, floor = self.floor,
           lowest = self.lowest }
end

function Validation:load_state_dict(state)
  if type(state) ~= "table" or type(state.draws) ~= "table" then
    tide.raise("load_state_dict: this is not the state of a validation")
  end
  local device = self.draws.x1.device
  for key, c in pairs(state.draws) do
    self.draws[key] = condition.map(c, function(t) return t:to(device) end)
  end
  for key in pairs(self.curve) do self.curve[key] = state.curve[key] end
  self.floor, self.lowest = state.floor, state.lowest
  return self
end

return { new = new }
