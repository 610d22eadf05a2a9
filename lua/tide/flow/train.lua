-- train.lua -- the two loops: fitting a flow to data, and moving latents through
-- a frozen one.  Both return a run that can be continued with resume=.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local loss = require "tide.flow.loss"
local critics = require "tide.flow.critic"
local check = require "tide.flow.check"

local train = {}

---- what loops share ----

-- Anything that gives rows: a function of n, a target, or a tensor of rows.
local function sampler(source)
  if tensor.is_tensor(source) then
    return function(n)
      local rows = tensor.randint(1, source:size(1), { n },
                                  { device = source.device })
      return source:index_select(1, rows)
    end
  end
  if type(source) == "table" and source.sample then
    return function(n) return source:sample(n) end
  end
  if tide.callable(source) then return source end
  error("flow.train: the source of data is a target, a tensor of rows or a " ..
        "function of n, not " .. type(source), 3)
end

local function check_loop(name, o, keys)
  for _, key in ipairs { "steps", table.unpack(keys) } do
    check.count(name, key, o[key], key == "steps" and 0 or 1)
  end
  for _, key in ipairs { "report", "schedule", "nll" } do
    check.callable(name, key, o[key])
  end
  if type(o.lr) ~= "number" or not (o.lr > 0 and o.lr < math.huge) then
    tide.raise(("%s: lr must be a positive number, not %s"):format(name, tostring(o.lr)))
  end
  check.path(name, o.path)
  if o.resume and (type(o.resume) ~= "table" or not o.resume.optimizer) then
    tide.raise(name .. ": resume must be a run that an earlier call returned")
  end
end

-- The factor of the learning rate at a step.
local function rate(name, o, step, steps)
  local f = o.schedule(step, steps)
  if type(f) ~= "number" then
    tide.raise(("%s: schedule(step, steps) must return a number, not a %s")
      :format(name, type(f)))
  end
  return o.lr * f
end

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

-- Yields to whoever resumed this loop, where that was asked for.
local function pause(o)
  if o.yield then coroutine.yield() end
end

---- fitting a flow ----

local function new_run(v, o)
  local make = tide.optim[o.optimizer]
  if not make then
    error("flow.train: optimizer is 'Adam', 'AdamW' or 'SGD', not " ..
          tostring(o.optimizer), 3)
  end
  local options = { lr = o.lr, weight_decay = o.weight_decay }
  if o.optimizer ~= "SGD" then options.betas = o.betas end
  local run = { step = 0, seconds = 0, losses = {}, steps_of = {} }
  run.optimizer = make(v:parameters(), options)
  run.ema = o.ema and tide.optim.EMA(v, { decay = o.ema }) or nil
  return run
end

local function drop_labels(labels, v, p)
  if not labels or p == 0 then return labels end
  local gone = tensor.rand(labels.shape, { device = labels.device }):lt(p)
  return labels:masked_fill(gone, v.null_label)
end

local function train_step(v, draw, o, run)
  local x1, labels = draw(o.batch)
  labels = drop_labels(labels, v, o.label_drop)
  local value = loss.matching_loss(v, x1, {
    path = o.path, labels = labels, stratified = o.stratified })
  run.optimizer:zero_grad()
  value:backward()
  if o.clip then tide.optim.clip_grad_norm(v:parameters(), o.clip) end
  if o.schedule then
    run.optimizer.lr = rate("flow.train", o, run.step, o.total)
  end
  run.optimizer:step()
  if run.ema then run.ema:update() end
  return value
end

function train.train(v, source, o)
  o = tide.options("flow.train", o, {
    "resume", "report", "clip", "schedule", "ema", steps = 1000, batch = 256,
    lr = 1e-3, optimizer = "Adam", betas = { 0.9, 0.999 }, weight_decay = 0,
    path = path.linear(), every = 10, report_every = 100, label_drop = 0.1,
    stratified = false, yield = false })
  check_net("flow.train", v)
  check_loop("flow.train", o, { "batch", "every", "report_every" })
  local draw = sampler(source)
  local run = o.resume or new_run(v, o)
  if run.ema and run.averaged then run.ema:restore() end
  v:train()
  local started, last = tide.clock(), run.step + o.steps
  o.total = last
  while run.step < last do
    run.step = run.step + 1
    local value = train_step(v, draw, o, run)
    if run.step % o.every == 0 or run.step == last then
      table.insert(run.losses, value:item())
      table.insert(run.steps_of, run.step)
    end
    if o.report and (run.step % o.report_every == 0 or run.step == last) then
      o.report { step = run.step, steps = last, loss = value:item(),
                 seconds = tide.clock() - started }
    end
    pause(o)
  end
  run.seconds = run.seconds + tide.clock() - started
  if run.ema then
    run.ema:apply()
    run.averaged = true
  end
  v:eval()
  return run
end

---- moving latents ----

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
    second = critics.critic(v, second)
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
    error("flow.align: loss is 'align', 'likelihood', 'excess' or a function " ..
          "of (v, y), not " .. tostring(o.loss), 3)
  end
  return make(v, o)
end

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

local function new_align_run(v, y, o)
  local latents = y:detach():clone():requires_grad_()
  local run = {
    step = 0, seconds = 0, y = latents, snapshots = {},
    curve = { step = {}, align = {}, nll = {} },
    optimizer = tide.optim.Adam({ latents }, { lr = o.lr, betas = o.betas }),
    draws = loss.draws(o.eval_draws, y:size(2), {
      dtype = y.dtype, device = y.device, path = o.path }),
    objective = objective(v, o),
  }
  record(run, v, latents, o)
  return run
end

function train.align(v, y, o)
  o = tide.options("flow.align", o, {
    "resume", "report", "critic", "labels", "nll", "groups", "schedule",
    steps = 1000, lr = 1e-2,
    loss = "align", samples = 1, clip = 20, path = path.linear(), every = 50,
    eval_draws = 32, snapshots = {}, betas = { 0.9, 0.999 }, yield = false })
  check.field("flow.align", v)
  check.points("flow.align", y)
  check_loop("flow.align", o, { "samples", "every", "eval_draws" })
  if type(o.snapshots) ~= "table" then
    tide.raise("flow.align: snapshots must be a list of steps")
  end
  if o.groups == nil then o.groups = loss.group_count(y:size(1)) end
  local field = type(v) == "table" and v.frozen and v:frozen() or v
  local run = o.resume or new_align_run(field, y, o)
  run.critic = o.critic
  local wanted = {}
  for _, s in ipairs(o.snapshots) do wanted[s] = true end
  if wanted[0] and run.step == 0 then run.snapshots[0] = run.y:detach():clone() end
  local started, last = tide.clock(), run.step + o.steps
  while run.step < last do
    run.step = run.step + 1
    local value = run.objective(run.y)
    if not tensor.is_tensor(value) then
      tide.raise("flow.align: loss(v, y) must return a tensor, not a " .. type(value))
    end
    run.optimizer:zero_grad()
    value:backward()
    if o.schedule then
      run.optimizer.lr = rate("flow.align", o, run.step, last)
    end
    run.optimizer:step()
    if wanted[run.step] then
      run.snapshots[run.step] = run.y:detach():clone()
    end
    if run.step % o.every == 0 or run.step == last then
      record(run, field, run.y, o)
      local c = run.curve
      if o.report then
        o.report { step = run.step, steps = last, loss = value:item(),
                   align = c.align[#c.align], nll = c.nll[#c.nll], y = run.y,
                   seconds = tide.clock() - started }
      end
    end
    pause(o)
  end
  run.seconds = run.seconds + tide.clock() - started
  return run
end

return train
