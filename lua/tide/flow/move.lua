-- move.lua -- flow.align: moves latents through a frozen field.  It returns a run
-- that can be continued with resume=.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local loss = require "tide.flow.loss"
local critics = require "tide.flow.critic"
local check = require "tide.flow.check"
local loop = require "tide.flow.loop"
local point = require "tide.flow.point"

local move = {}

---- objectives ----

local objectives = {}

function objectives.align(v, o)
  return function(y)
    return loss.align_loss(v, y, {
      samples = o.samples, path = o.path, labels = o.labels,
      groups = o.groups })
  end
end

function objectives.likelihood(v, o)
  return function(y)
    return loss.align_loss(v, y, {
      samples = o.samples, path = o.path, labels = o.labels,
      weight = "likelihood", clip = o.clip, groups = o.groups })
  end
end

function objectives.excess(v, o)
  local second = o.critic
  if not second or not second.update then
    local options = { path = o.path }
    for key, value in pairs(second or {}) do options[key] = value end
    second = critics.critic(v, options)
  end
  o.critic = second
  return function(y)
    second:update(y)
    return critics.excess_loss(v, y, {
      critic = second, samples = o.samples, path = o.path, labels = o.labels,
      groups = o.groups })
  end
end

local function objective(v, o)
  if tide.callable(o.loss) then
    return function(y) return o.loss(v, y) end
  end
  local make = objectives[o.loss]
  if not make then
    tide.raise("flow.align: loss is 'align', 'likelihood', 'excess' or a function " ..
               "of (v, y), not " .. tostring(o.loss))
  end
  return make(v, o)
end

-- How the objective finds the modulations of a net: "table" over t, where it can be had
-- and is asked for, or, by itself, where it is as good as f32 numbers are.
local TABLE_ERROR = 1e-5

local function conditioned(v, y, o)
  local can = type(o.loss) == "string" and not o.labels and type(v) == "table" and
    v.tabulated and v:runs_whole(y)
  if o.conditioning == "table" and not can then
    tide.raise("flow.align: conditioning = 'table' needs a flow.VelocityMLP with act = 'silu', " ..
               "in the type of y, no labels, and a loss by name")
  end
  if not can or o.conditioning == "exact" or (o.conditioning == "auto" and y.dtype ~= "f32") then
    return v, "exact"
  end
  local quick, apart = v:tabulated()
  if apart < TABLE_ERROR then return quick, "table", apart end
  return v, "exact", apart
end

---- the run ----

local Run = {}
Run.__index = Run

-- One point of the curves: the alignment loss on draws that stay the same, so
-- that points differ by the latents only, and the mean NLL where it is known.
local function record(run, v, y, o)
  tide.no_grad(function()
    local c = run.curve
    table.insert(c.step, run.step)
    table.insert(c.align, loss.align_loss(v, y, {
      draws = run.draws, path = o.path, labels = o.labels }):item())
    if o.nll then
      local value = o.nll(y)
      if not tensor.is_tensor(value) then
        tide.raise("flow.align: nll(y) must return a tensor with one value per row, not " ..
                   "a " .. type(value))
      end
      table.insert(c.nll, value:mean():item())
    end
  end)
end

local function new_run(v, y, o)
  local latents = (o.path.project and o.path:project(y:detach()) or y:detach():clone()):requires_grad_()
  local field, conditioning, apart = conditioned(v, latents, o)
  local run = setmetatable({
    step = 0, base = 0, seconds = 0, y = latents, snapshots = {},
    curve = { step = {}, align = {}, nll = {} },
    optimizer = tide.optim.Adam({ latents }, { lr = o.lr, betas = o.betas }),
    draws = loss.draws(o.eval_draws, point.shape(y), {
      dtype = y.dtype, device = y.device, path = o.path }),
    objective = objective(field, o), conditioning = conditioning, table_error = apart,
  }, Run)
  run.critic = o.critic
  record(run, v, latents, o)
  return run
end

-- Everything but the field.
function Run:state_dict()
  return {
    step = self.step, base = self.base, seconds = self.seconds, y = self.y,
    curve = self.curve, snapshots = self.snapshots, draws = self.draws,
    optimizer = self.optimizer:state_dict(),
    critic = self.critic and self.critic:state_dict(),
  }
end

function Run:load_state_dict(state)
  if type(state) ~= "table" or not tensor.is_tensor(state.y) then
    tide.raise("load_state_dict: this is not the state of a run of flow.align")
  end
  if (state.critic == nil) ~= (self.critic == nil) then
    tide.raise("load_state_dict: the state " .. (state.critic and "has" or "has no") ..
               " critic; loss= must be as it was")
  end
  check.same_shape("load_state_dict", "y", state.y, self.y)
  tide.no_grad(function() self.y:copy_(state.y) end)
  self.optimizer:load_state_dict(state.optimizer)
  if self.critic then self.critic:load_state_dict(state.critic) end
  for _, key in ipairs { "t", "x0" } do
    self.draws[key] = state.draws[key]:to(self.y.device)
  end
  self.draws.count, self.draws.eps = state.draws.count, state.draws.eps
  for _, key in ipairs { "step", "base", "seconds", "curve", "snapshots" } do
    self[key] = state[key]
  end
  return self
end

---- the loop ----

-- One update of the latents; returns the loss.  A loss that is the caller's own
-- function is captured only on request: it may read variables of Lua.
local function stepper(run, o, last)
  local on = o.capture
  if on == nil then on = type(o.loss) == "string" end
  run.update = loop.captured(on, function()
    loop.begin_step("flow.align", o, run, last)
    local value = loop.compute(o, run.objective, run.y)
    if not tensor.is_tensor(value) then
      tide.raise("flow.align: loss(v, y) must return a tensor, not a " .. type(value))
    end
    run.optimizer:zero_grad()
    value:backward()
    run.optimizer:step()
    if o.path.project then
      tide.no_grad(function() run.y:copy_(o.path:project(run.y)) end)
    end
    return value:detach()
  end)
  if not on or run.y.device == "cpu" then return function() return run.update() end, false end
  return function(n) return run.update:run(n):select(1, n) end, true
end

local function note(run, field, o, value, last, started, losses)
  if o.wanted[run.step] then
    run.snapshots[run.step] = run.y:detach():clone()
  end
  if run.step % o.every ~= 0 and run.step ~= last then return end
  local now
  losses:add(value, run.step, function(number) now = number end)
  losses:settle(0)
  record(run, field, run.y, o)
  local c = run.curve
  local align, nll = c.align[#c.align], c.nll[#c.nll]
  if o.log then o.log:log(run.step, { loss = now, align = align, nll = nll }) end
  if o.report then
    o.report { step = run.step, steps = last, loss = now, align = align,
               nll = nll, y = run.y, seconds = tide.clock() - started }
  end
end

function move.align(v, y, o)
  o = tide.options("flow.align", o, {
    "resume", "report", "label", "critic", "labels", "nll", "groups", "schedule",
    "checkpoint", "log", "capture",
    steps = 1000, lr = 1e-2, precision = "f32",
    loss = "align", conditioning = "auto", samples = 1, clip = 20, path = path.linear(), every = 50,
    eval_draws = 32, snapshots = {}, betas = { 0.9, 0.999 }, yield = false })
  check.field("flow.align", v)
  check.points("flow.align", y)
  if y:size(1) == 0 then tide.raise("flow.align: there are no latents: y has 0 rows") end
  loop.check("flow.align", o, { "samples", "every", "eval_draws" })
  if type(o.snapshots) ~= "table" then
    tide.raise("flow.align: snapshots must be a list of steps")
  end
  if o.conditioning ~= "auto" and o.conditioning ~= "exact" and o.conditioning ~= "table" then
    tide.raise("flow.align: conditioning is 'auto', 'exact' or 'table', not " ..
               tostring(o.conditioning))
  end
  if o.groups == nil then o.groups = loss.group_count(y:size(1)) end
  local field = type(v) == "table" and v.frozen and v:frozen() or v
  local run = type(o.resume) == "table" and o.resume or new_run(field, y, o)
  local saver = loop.saver("flow.align", o, { run = run })
  local last = loop.last_step(run, o.steps, saver:load(run))
  o.wanted = {}
  for _, s in ipairs(o.snapshots) do o.wanted[s] = true end
  if o.wanted[0] and run.step == 0 then run.snapshots[0] = run.y:detach():clone() end
  local step, at_once = stepper(run, o, last)
  local looks = { o.every }
  for s in pairs(o.wanted) do looks[#looks + 1] = s > 0 and s or nil end
  loop.go("flow.align", o, run, saver, last, step,
    function(value, started, losses) note(run, field, o, value, last, started, losses) end,
    at_once and looks)
  return run
end

return move
