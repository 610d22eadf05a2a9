-- ema.lua -- optim.EMA: a running average of parameters, to sample from.

local tide = require "tide"
local tensor = tide.tensor
local shield = require("tide.job.core").shield
local capture = tide.capture
local tensors_of = require("tide.optim.optimizer").tensors_of

local EMA = {}
EMA.__index = EMA

-- optim.EMA(module or parameters, {decay=0.9999, warmup=false}); with warmup the
-- decay of update n is at most (1 + n) / (10 + n), so that the start is forgotten.
local function new(params, o)
  local self = setmetatable(tide.options("optim.EMA", o, {
    decay = 0.9999, warmup = false }), EMA)
  if type(self.decay) ~= "number" or not (self.decay >= 0 and self.decay <= 1) then
    tide.raise("optim.EMA: decay must be a number from 0 to 1, not " ..
               tostring(self.decay))
  end
  self.params, self.shadow = tensors_of("optim.EMA", params), {}
  if #self.params == 0 then tide.raise("optim.EMA: there are no parameters") end
  for i, p in ipairs(self.params) do self.shadow[i] = p:detach():clone() end
  self.updates, self.applied = 0, false
  return self
end

local function count(self) self.updates = self.updates + 1 end

local function decay(self)
  if not self.warmup then return self.decay end
  return math.min(self.decay, (1 + self.updates) / (10 + self.updates))
end

local function update(self)
  count(self)
  capture.at_replay(count, self)
  tensor.ema_(self.shadow, self.params,
    capture.number(function() return decay(self) end, self.params))
end

-- Takes the parameters as they are now into the average.
function EMA:update()
  if self.applied then
    tide.raise("optim.EMA: the parameters are the averages now; restore() first")
  end
  shield(update, self)
end

local function swap(self)
  tide.no_grad(function()
    for i, p in ipairs(self.params) do
      local now = p:clone()
      p:copy_(self.shadow[i])
      self.shadow[i]:copy_(now)
    end
  end)
  self.applied = not self.applied
end

-- Exchanges parameters and averages.
function EMA:swap()
  shield(swap, self)
end

-- Puts the averages into the parameters until restore().
function EMA:apply()
  if not self.applied then self:swap() end
end
function EMA:restore()
  if self.applied then self:swap() end
end

-- Averages by position (while they are applied: the parameters that wait), whether
-- they are, and how many updates there were.
function EMA:state_dict()
  local out = { updates = tensor.from(self.updates, { dtype = "i64" }),
                applied = tensor.from(self.applied and 1 or 0, { dtype = "i64" }) }
  for i, t in ipairs(self.shadow) do out[tostring(i)] = t:detach() end
  return out
end

function EMA:load_state_dict(state)
  if type(state) ~= "table" or not state.updates then
    tide.raise("load_state_dict: this is not the state of an average")
  end
  for i, t in ipairs(self.shadow) do
    local given = state[tostring(i)]
    if not tensor.is_tensor(given) or
       tensor.shape_text(given) ~= tensor.shape_text(t) then
      tide.raise(("load_state_dict: average %d must be a tensor of shape %s; it " ..
        "is %s"):format(i, tensor.shape_text(t), tensor.is_tensor(given) and
        tensor.shape_text(given) or "missing"))
    end
  end
  tide.no_grad(function()
    for i, t in ipairs(self.shadow) do t:copy_(state[tostring(i)]) end
  end)
  self.updates = state.updates:item()
  self.applied = state.applied ~= nil and state.applied:item() ~= 0
  return self
end

return { EMA = new }
