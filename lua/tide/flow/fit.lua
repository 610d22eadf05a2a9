-- fit.lua -- flow.train: fits a velocity net to data by the flow-matching loss.
-- It returns a run that can be continued with resume=.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local loss = require "tide.flow.loss"
local check = require "tide.flow.check"
local condition = require "tide.nn.condition"
local loop = require "tide.flow.loop"
local validation = require "tide.flow.validate"

local fit = {}

local function check_net(name, v)
  check.field(name, v)
  if type(v) ~= "table" or not v.parameters then
    tide.raise(name .. ": only a net (an nn.Module) can be trained")
  end
  for _, p in ipairs(v:parameters()) do
    if p.requires_grad then return end
  end
  tide.raise(name .. ": no parameter of the net requires a gradient; was it frozen?")
end

---- the run ----

local Run = {}
Run.__index = Run

local function new_run(v, o)
  local make = tide.optim[o.optimizer]
  if o.optimizer ~= "Adam" and o.optimizer ~= "AdamW" and o.optimizer ~= "SGD" then
    tide.raise("flow.train: optimizer is 'Adam', 'AdamW' or 'SGD', not " ..
               tostring(o.optimizer))
  end
  local options = { lr = o.lr, weight_decay = o.weight_decay }
  if o.optimizer ~= "SGD" then options.betas = o.betas end
  local run = setmetatable({ step = 0, base = 0, seconds = 0, losses = {},
                             steps_of = {} }, Run)
  run.optimizer = make(v:parameters(), options)
  run.ema = o.ema and tide.optim.EMA(v, { decay = o.ema }) or nil
  return run
end

-- Everything but the net itself.
function Run:state_dict()
  return {
    step = self.step, base = self.base, seconds = self.seconds,
    losses = self.losses, steps_of = self.steps_of,
    optimizer = self.optimizer:state_dict(),
    ema = self.ema and self.ema:state_dict(),
    checks = self.checks and self.checks:state_dict(),
  }
end

function Run:load_state_dict(state)
  if type(state) ~= "table" or not state.steps_of then
    tide.raise("load_state_dict: this is not the state of a run of flow.train")
  end
  if (state.ema == nil) ~= (self.ema == nil) then
    tide.raise("load_state_dict: the state " .. (state.ema and "has" or "has no") ..
               " average of weights; ema= must be as it was")
  end
  self.optimizer:load_state_dict(state.optimizer)
  if self.ema then self.ema:load_state_dict(state.ema) end
  if self.checks and state.checks then self.checks:load_state_dict(state.checks) end
  for _, key in ipairs { "step", "base", "seconds", "losses", "steps_of" } do
    self[key] = state[key]
  end
  return self
end

---- a step ----

-- Each label gives way to "none" with probability p, for guidance; images stay.
local function drop_labels(c, v, p)
  local labels, image = condition.split(c)
  if not labels or p == 0 or not v.null_label then return c end
  local gone = tensor.rand(labels.shape, { device = labels.device }):lt(p)
  return condition.join(labels:masked_fill(gone, v.null_label), image)
end

-- Adds the gradient of the mean loss over the rows x1, in o.accumulate pieces; all
-- times and noise are drawn first, so that the pieces do not change the numbers.
local function gradients(v, x1, labels, o)
  labels = drop_labels(labels, v, o.label_drop)
  local n, k = x1:size(1), o.accumulate
  if k == 1 then
    local value = loop.compute(o, loss.matching_loss, v, x1, {
      path = o.path, labels = labels, stratified = o.stratified })
    value:backward()
    return value:detach()
  end
  local t = loss.times(n, x1, 0, o.stratified)
  local x0 = o.path:prior(x1)
  local size, sum = (n + k - 1) // k, nil
  for first = 1, n, size do
    local count = math.min(size, n - first + 1)
    local function part(x) return x:narrow(1, first, count) end
    local value = loop.compute(o, loss.matching_loss, v, part(x1), {
      path = o.path, labels = condition.map(labels, part), t = part(t), x0 = part(x0) }) * (count / n)
    value:backward()
    sum = sum and sum + value:detach() or value:detach()
  end
  return sum
end

-- One update from rows and their condition, in its two parts; returns the loss.
local function updater(v, o, run, last)
  return function(x1, labels, image)
    loop.begin_step("flow.train", o, run, last)
    run.optimizer:zero_grad()
    local value = gradients(v, x1, condition.join(labels, image), o)
    if o.clip then tide.optim.clip_grad_norm(v:parameters(), o.clip) end
    run.optimizer:step()
    if run.ema then run.ema:update() end
    return value
  end
end

-- The step as a function of a number of steps.  On a device a source whose draws are ops and
-- nothing else is part of the step, so that many make one launch; true says that they may.
local function stepper(v, source, o, run, last)
  local draw, update = loop.sampler("flow.train", source), updater(v, o, run, last)
  local function rows()
    local x1, labels = loop.rows("flow.train", draw, o.batch * o.accumulate)
    if x1:size(1) == 0 then tide.raise("flow.train: the source gave no rows") end
    return x1, condition.split(labels)
  end
  local function one() return run.update(rows()) end
  if not (o.capture and loop.pure(source)) or v:parameters()[1].device == "cpu" then
    run.update = loop.captured(o.capture, update)
    return one, false
  end
  local whole = loop.captured(true, function() return update(rows()) end)
  run.update = whole
  return function(n)
    local value
    if run.update == whole then
      value = whole:run(n):select(1, n)
      if whole.why or whole.nodes == 0 then run.update = loop.captured(true, update) end
      return value
    end
    for _ = 1, n do value = one() end          -- the draws have to be apart
    return value
  end, true
end

---- what is noted along the way ----

-- Validates the averages of the weights where there are any.
local function validate(v, run)
  local checks = run.checks
  if run.ema then run.ema:apply() end
  v:eval()
  local value, excess = checks:measure(v, run.step)
  checks:keep(v, run.step, value)
  v:train()
  if run.ema then run.ema:restore() end
  return value, excess
end

local function note(v, run, o, value, last, started, losses)
  local final, seen = run.step == last, {}
  local checks = run.checks
  if checks and (run.step % checks.every == 0 or final) then
    seen.validation, seen.excess = validate(v, run)
  end
  local step, report = run.step, o.report and (run.step % o.report_every == 0 or final)
  local function log() if o.log and next(seen) then o.log:log(step, seen) end end
  if step % o.every == 0 or final then
    seen.lr = run.optimizer.lr
    losses:add(value, step, function(number)
      table.insert(run.losses, number)
      table.insert(run.steps_of, step)
      seen.loss = number
      log()
    end)
  elseif next(seen) then
    losses:settle(0)
    log()
  end
  if report or final then losses:settle(0) end
  if report then
    o.report { step = step, steps = last, loss = value:item(),
               validation = seen.validation, excess = seen.excess,
               seconds = tide.clock() - started }
  end
end

-- Where the net and the run stand when the loop begins: as given, or as a file says.
local function begin(v, source, o)
  local run = type(o.resume) == "table" and o.resume or new_run(v, o)
  run.checks = o.validate and (run.checks or validation.new(o.validate, source, o))
  local things = { model = v, run = run }
  if type(source) == "table" and source.state_dict then things.data = source end
  local saver = loop.saver("flow.train", o, things)
  local last = loop.last_step(run, o.steps, saver:load(run))
  if run.checks then
    run.validation, run.floor = run.checks.curve, run.checks.floor
  end
  if run.ema then run.ema:restore() end
  return run, saver, last
end

function fit.train(v, source, o)
  if type(o) == "table" and o.labels ~= nil then
    tide.raise("flow.train: labels come with the points: give a source function(n) that returns n points " ..
               "and their labels")
  end
  o = tide.options("flow.train", o, {
    "resume", "report", "label", "clip", "schedule", "ema", "validate", "checkpoint", "log",
    steps = 1000, batch = 256, accumulate = 1, precision = "f32",
    lr = 1e-3, optimizer = "Adam", betas = { 0.9, 0.999 }, weight_decay = 0,
    path = path.linear(), every = 10, report_every = 100, label_drop = 0.1,
    stratified = false, yield = false, capture = true })
  check_net("flow.train", v)
  loop.check("flow.train", o, { "batch", "every", "report_every", "accumulate" })
  loop.sampler("flow.train", source)           -- checks it before anything is made
  local run, saver, last = begin(v, source, o)
  v:train()
  local step, at_once = stepper(v, source, o, run, last)
  loop.go("flow.train", o, run, saver, last, step,
    function(value, started, losses) note(v, run, o, value, last, started, losses) end,
    at_once and { o.every, checks = run.checks and run.checks.every,
                  report = o.report and o.report_every })
  if run.ema then run.ema:apply() end
  if run.checks then run.best = run.checks.lowest end
  v:eval()
  return run
end

return fit
