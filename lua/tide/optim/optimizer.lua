-- optimizer.lua -- SGD, Adam and AdamW: one op updates all parameters at once.
--
-- A parameter takes part in a step when it has a gradient.  Parameters that have
-- had equally many steps share a counter, a tensor, and are updated together: a
-- "cohort".

local tide = require "tide"
local tensor = tide.tensor
local is_module = require("tide.nn.module").is_module
local shield = require("tide.job.core").shield
local capture = tide.capture

---- parameters and groups ----

local function check_params(name, list)
  local seen = {}
  if #list == 0 then
    tide.raise(name .. ": there are no parameters to optimise")
  end
  for i, p in ipairs(list) do
    if not tensor.is_tensor(p) then
      tide.raise(("%s: parameter %d is a %s, not a tensor"):format(name, i, type(p)))
    elseif not p.is_leaf then
      tide.raise(("%s: parameter %d is the result of a computation; only leaves " ..
        "can be optimised (detach() it and call requires_grad_())"):format(name, i))
    elseif not p:is_float() then
      tide.raise(("%s: parameter %d is %s; only floating point tensors can be " ..
        "optimised"):format(name, i, p.dtype))
    elseif seen[p] then
      tide.raise(("%s: parameter %d occurs twice"):format(name, i))
    end
    seen[p] = true
  end
  return list
end

-- A list of tensors from a module, a tensor or a list.
local function tensors_of(name, source)
  if is_module(source) then return source:parameters() end
  if tensor.is_tensor(source) then return { source } end
  if type(source) ~= "table" then
    tide.raise(("%s: give a module or a list of parameters, not a %s"):format(
      name, type(source)))
  end
  return table.move(source, 1, #source, 1, {})
end

-- Adam(params, {lr=...}), Adam{params, lr=...} and Adam({{params=..., lr=...}, ...}, {...})
local function arguments(name, params, o)
  if o ~= nil or type(params) ~= "table" or is_module(params) then
    return params, o
  end
  local options, named = {}, false
  for key, value in pairs(params) do
    if type(key) == "string" then options[key], named = value, true end
  end
  if not named then return params, nil end
  params, options.params = options.params or params[1], nil
  if params == nil then
    tide.raise(name .. ": parameters are missing; give them first, as in " ..
               name .. "(net:parameters(), {lr=1e-3})")
  end
  return params, options
end

local function is_group(v)
  return type(v) == "table" and not is_module(v) and v.params ~= nil
end

---- what all optimisers share ----

local Optimizer = {}

-- optimizer.lr is the rate of the first group; assigning sets it for all.
function Optimizer.__index(self, key)
  if key == "lr" then return rawget(self, "groups")[1].lr end
  return Optimizer[key]
end
function Optimizer.__newindex(self, key, value)
  if key ~= "lr" then rawset(self, key, value) return end
  for _, group in ipairs(self.groups) do group.lr = value end
end
function Optimizer.__tostring(self)
  local n = 0
  for _, group in ipairs(self.groups) do
    for _, p in ipairs(group.params) do n = n + p:numel() end
  end
  local groups = #self.groups > 1 and ("%d groups, "):format(#self.groups) or ""
  return ("optim.%s(lr=%s): %s%d numbers"):format(self.class.name, tostring(self.lr), groups, n)
end

local function check_numbers(name, group, class)
  for key, check in pairs(class.checks) do
    local bad = check(group[key])
    if bad then
      tide.raise(("optim.%s: %s must be %s, not %s"):format(
        name, key, bad, tide.type(group[key]) == "table" and "{" ..
        table.concat(group[key], ", ") .. "}" or tostring(group[key])))
    end
  end
end

local function new_group(class, name, source, defaults)
  local given = is_group(source) and source or { params = source }
  local spec = { "params" }
  for key, value in pairs(defaults) do spec[key] = value end
  local group = tide.options(name, given, spec)
  group.params = tensors_of(name, group.params)
  check_numbers(class.name, group, class)
  group.cohorts, group.state = {}, {}
  return group
end

local function make(class, params, o)
  local name = "optim." .. class.name
  params, o = arguments(name, params, o)
  local defaults = tide.options(name, o, class.defaults)
  local self = setmetatable({ class = class, groups = {}, steps = 0 }, Optimizer)
  local sources = { params }
  if type(params) == "table" and not is_module(params) and is_group(params[1]) then
    sources = params
  end
  local all = {}
  for i, source in ipairs(sources) do
    local group = new_group(class, name, source, defaults)
    self.groups[i] = group
    table.move(group.params, 1, #group.params, #all + 1, all)
  end
  check_params(name, all)
  return self
end

function Optimizer:zero_grad()
  for _, group in ipairs(self.groups) do
    for _, p in ipairs(group.params) do p.grad = nil end
  end
end

-- The cohorts that have gradients now, as lists of positions; a cohort of which
-- only some members have one is split first.
local function cohorts_with_gradients(self, group, grads)
  local ready, known, rest = {}, {}, {}
  for c = 1, #group.cohorts do
    local cohort, with, without = group.cohorts[c], {}, {}
    for _, i in ipairs(cohort.members) do
      known[i] = true
      table.insert(grads[i] and with or without, i)
    end
    if #with > 0 and #without > 0 then
      table.insert(group.cohorts, { members = without, step = cohort.step:clone() })
      cohort.members = with
    end
    if #with > 0 then ready[#ready + 1] = cohort end
  end
  for i in ipairs(group.params) do
    if grads[i] and not known[i] then
      group.state[i] = self.class.new_state(group.params[i], group)
      rest[#rest + 1] = i
    end
  end
  if #rest > 0 then
    local cohort = { members = rest, step = tide.unscoped(tensor.zeros, {}, {
      dtype = "i64", device = group.params[rest[1]].device }) }
    table.insert(group.cohorts, cohort)
    ready[#ready + 1] = cohort
  end
  return ready
end

local function count(self) self.steps = self.steps + 1 end

local function step(self)
  for _, group in ipairs(self.groups) do
    local grads = {}
    for i, p in ipairs(group.params) do grads[i] = p.grad end
    for _, cohort in ipairs(cohorts_with_gradients(self, group, grads)) do
      local lists = { params = {}, grads = {} }
      for _, name in ipairs(self.class.state) do lists[name] = {} end
      for k, i in ipairs(cohort.members) do
        lists.params[k], lists.grads[k] = group.params[i], grads[i]
        for _, name in ipairs(self.class.state) do
          lists[name][k] = group.state[i][name]
        end
      end
      self.class.update(group, lists, cohort.step)
    end
  end
  count(self)
  capture.at_replay(count, self)
end


-- One update of every parameter that has a gradient; Ctrl-C waits until it is done.
function Optimizer:step()
  shield(step, self)
end

---- saving and loading ----

local function number_tensor(v)
  if tensor.is_tensor(v) then return v:detach() end
  if type(v) == "boolean" then v = v and 1 or 0 end
  return tensor.from(v, { dtype = "f64" })
end

-- A table of tensors by name, fit for a file: the state of parameter i of group
-- g is g.i.mean and so on, the options of the group are g.lr and so on.
function Optimizer:state_dict()
  local out = { steps = number_tensor(self.steps) }
  for g, group in ipairs(self.groups) do
    for key in pairs(self.class.defaults) do
      out[g .. "." .. key] = number_tensor(group[key])
    end
    for _, cohort in ipairs(group.cohorts) do
      for _, i in ipairs(cohort.members) do
        local prefix = g .. "." .. i .. "."
        out[prefix .. "step"] = cohort.step:clone()
        for name, t in pairs(group.state[i]) do out[prefix .. name] = t:detach() end
      end
    end
  end
  return out
end

local function option_names(class)
  local names = {}
  for key in pairs(class.defaults) do names[#names + 1] = key end
  table.sort(names)
  return names
end

local function option_value(old, t)
  if type(old) == "table" then return t:totable() end
  if type(old) == "boolean" then return t:item() ~= 0 end
  return t:item()
end

local function load_parameter(self, group, g, i, state, cohorts)
  local step = state[g .. "." .. i .. ".step"]
  if not step then return end
  local p, own = group.params[i], self.class.new_state(group.params[i], group)
  for name, t in pairs(own) do
    local key = g .. "." .. i .. "." .. name
    local given = state[key]
    if not tensor.is_tensor(given) or
       tensor.shape_text(given) ~= tensor.shape_text(p) then
      tide.raise(("load_state_dict: '%s' must be a tensor of shape %s, as its " ..
        "parameter; it is %s"):format(key, tensor.shape_text(p),
        tensor.is_tensor(given) and tensor.shape_text(given) or "missing"))
    end
    t:copy_(given)
  end
  local n = step:item()
  if not cohorts[n] then
    cohorts[n] = { members = {}, step = tensor.zeros({}, {
      dtype = "i64", device = p.device }) }
    cohorts[n].step:copy_(step)
    table.insert(group.cohorts, cohorts[n])
  end
  table.insert(cohorts[n].members, i)
  group.state[i] = own
end

-- Takes up what state_dict gave, for the same parameters in the same order.
function Optimizer:load_state_dict(state)
  if type(state) ~= "table" or not state.steps then
    tide.raise("load_state_dict: this is not the state of an optimiser")
  end
  tide.no_grad(function()
    for g, group in ipairs(self.groups) do
      for _, key in ipairs(option_names(self.class)) do
        local t = state[g .. "." .. key]
        if not t then
          tide.raise(("load_state_dict: '%d.%s' is missing: the state is of " ..
            "another kind of optimiser or has fewer groups"):format(g, key))
        end
        group[key] = option_value(group[key], t)
      end
      group.cohorts, group.state = {}, {}
      local cohorts = {}
      for i in ipairs(group.params) do
        load_parameter(self, group, g, i, state, cohorts)
      end
    end
  end)
  self.steps = math.tointeger(state.steps:item())
  return self
end

---- the optimisers ----

local function not_negative(v)
  if tensor.is_tensor(v) then return nil end
  return not (type(v) == "number" and v >= 0 and v < math.huge) and "a finite number >= 0" or nil
end
local function below_one(v)
  return not (type(v) == "number" and v >= 0 and v < 1) and "in [0, 1)" or nil
end
local function pair_below_one(v)
  return (type(v) ~= "table" or below_one(v[1]) or below_one(v[2])) and
    "two numbers in [0, 1)" or nil
end
local function truth(v)
  return type(v) ~= "boolean" and "true or false" or nil
end

-- The rate of a group as an argument of an op; in a captured step it may change.
local function rate(group)
  return capture.number(function() return group.lr end, group.params)
end

-- State is made at the first step, which may stand inside tide.scope.
local function zeros(p)
  return tide.unscoped(tensor.zeros, p.shape, { dtype = p.dtype, device = p.device })
end

local function adam(name, decay, op)
  return {
    name = name,
    defaults = { lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8,
                 weight_decay = decay },
    checks = { lr = not_negative, betas = pair_below_one, eps = not_negative,
               weight_decay = not_negative },
    state = { "mean", "square" },
    new_state = function(p) return { mean = zeros(p), square = zeros(p) } end,
    update = function(group, lists, step)
      local betas = group.betas
      op(lists.params, lists.grads, lists.mean, lists.square, step, rate(group),
         betas[1], betas[2], group.eps, group.weight_decay)
    end,
  }
end
local Adam = adam("Adam", 0, tensor.adam_)
local AdamW = adam("AdamW", 0.01, tensor.adamw_)

local SGD = {
  name = "SGD",
  defaults = { lr = 1e-3, momentum = 0, weight_decay = 0, nesterov = false },
  checks = { lr = not_negative, momentum = below_one,
             weight_decay = not_negative, nesterov = truth },
  state = { "velocity" },
  new_state = function(p, group)
    return group.momentum > 0 and { velocity = zeros(p) } or {}
  end,
  update = function(group, lists)
    if group.momentum > 0 then
      tensor.momentum_(lists.params, lists.grads, lists.velocity, rate(group),
                       group.momentum, group.weight_decay, group.nesterov)
    else
      tensor.sgd_(lists.params, lists.grads, rate(group), group.weight_decay)
    end
  end,
}

local function constructor(class)
  return function(params, o) return make(class, params, o) end
end

---- the size of gradients ----

-- Scales all gradients down so that their common norm is at most max; returns
-- the norm before, a tensor of 0 dims.
local function clip_grad_norm(params, max)
  if type(max) ~= "number" or not (max > 0) then
    tide.raise("optim.clip_grad_norm: max must be a positive number, not " ..
               tostring(max))
  end
  local grads = {}
  for _, p in ipairs(tensors_of("optim.clip_grad_norm", params)) do
    grads[#grads + 1] = p.grad
  end
  local norm = tensor.grad_norm(grads)
  if #grads > 0 then
    tensor.scale_(grads, (norm + 1e-6):reciprocal():mul(max):clamp(0, 1))
  end
  return norm
end

return {
  SGD = constructor(SGD), Adam = constructor(Adam), AdamW = constructor(AdamW),
  clip_grad_norm = clip_grad_norm, tensors_of = tensors_of,
}
