-- loop.lua -- what the loops of the flow library share: where rows come from, checks,
-- rates, checkpoints, and the safe point between two steps.

local tide = require "tide"
local tensor = tide.tensor
local check = require "tide.flow.check"
local condition = require "tide.nn.condition"
local fetch = require "tide.fetch.core"

local loop = {}

---- data ----

-- Anything that gives rows as a function of n: a target, an object with sample(n)
-- (data.batches gives batches of its own size), a tensor of rows, a function.
function loop.sampler(name, source)
  if tensor.is_tensor(source) then
    check.points(name, source)
    if source:size(1) == 0 then tide.raise(name .. ": the source has no rows") end
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
  tide.raise(name .. ": the source of data is a target, a tensor of rows or a " ..
             "function of n, not " .. type(source))
end

-- Are draws from it ops and nothing else?  Then they may be part of a captured step.
function loop.pure(source)
  return tensor.is_tensor(source) or type(source) == "table" and source.pure == true
end

-- n rows and what they are conditioned on; a source that gives fewer at a time is asked again.
function loop.rows(name, draw, n)
  local x, labels = draw(n)
  check.points(name, x)
  condition.check(name, labels)
  if x:size(1) >= n or x:size(1) == 0 then return x, labels end
  local xs, ls, have = { x }, { labels }, x:size(1)
  while have < n do
    local more, some = draw(n - have)
    if more == nil or more:size(1) == 0 then break end
    xs[#xs + 1], ls[#ls + 1] = more, some
    have = have + more:size(1)
  end
  return tensor.cat(xs, 1), labels and condition.cat(ls)
end

---- checks ----

function loop.check(name, o, keys)
  for _, key in ipairs { "steps", table.unpack(keys) } do
    tide.count(name, key, o[key], key == "steps" and 0 or 1)
  end
  for _, key in ipairs { "report", "schedule", "nll" } do
    check.callable(name, key, o[key])
  end
  if type(o.lr) ~= "number" or not (o.lr > 0 and o.lr < math.huge) then
    tide.raise(("%s: lr must be a positive number, not %s"):format(name, tostring(o.lr)))
  end
  if o.precision ~= "f32" and o.precision ~= "bf16" then
    tide.raise(("%s: precision is 'f32' or 'bf16', not %s"):format(name,
      tostring(o.precision)))
  end
  if o.log ~= nil and not (type(o.log) == "table" and o.log.log) then
    tide.raise(name .. ": log must be a run of tide.run, not a " .. tide.type(o.log))
  end
  check.path(name, o.path)
  local r = o.resume
  if r and type(r) ~= "string" and r ~= true and
     (type(r) ~= "table" or not r.optimizer) then
    tide.raise(name .. ": resume must be a run that an earlier call returned, the path " ..
               "of a checkpoint, or true: the file of checkpoint= if there is one")
  end
end

-- The learning rate at a step, by the schedule.
local function rate(name, o, step, total)
  local f = o.schedule(step, total)
  if type(f) ~= "number" then
    tide.raise(("%s: schedule(step, steps) must return a number, not a %s")
      :format(name, type(f)))
  end
  return o.lr * f
end

-- Calls f with products in the precision asked for; f must not yield.
function loop.compute(o, f, ...)
  if o.precision == "bf16" then return tide.autocast("bf16", f, ...) end
  return f(...)
end

-- A step as it is, or recorded and replayed.
function loop.captured(on, f)
  return on and tide.capture(f, { fallback = true }) or f
end

-- The line that shows how far a loop is; what script.progress made gives its name.
local function progress_bar(name, o, run, last)
  local label = o.label or name
  if type(o.report) == "table" and o.report.label then
    label, o.report = o.report.label, nil
  end
  return tide.progress { label = label, total = last, step = run.step }
end

-- The loss as a number; NaN or infinity ends the loop, which could only go on with NaN.
local function number(name, value, step)
  local v = value:item()
  if v ~= v or v == math.huge or v == -math.huge then
    tide.raise(("%s: the loss is %s at step %d: are there NaN or infinities in the data, is " ..
      "the learning rate too high? With capture=false, tide.debug.nan(true) names the op it " ..
      "comes from"):format(name, v ~= v and "NaN" or "infinite", step))
  end
  return v
end

---- checkpoints ----

local Saver = {}
Saver.__index = Saver

local function keeps_state(x)
  return type(x) == "table" and not tensor.is_tensor(x) and x.state_dict ~= nil
end

-- What a loop saves to o.checkpoint and takes up from o.resume: things by name, and
-- what o.checkpoint.with adds.
function loop.saver(name, o, things)
  local c = o.checkpoint
  if type(c) == "string" then c = { path = c } end
  c = tide.options(name .. ", checkpoint", c, { "path", "with", every = 1000, keep = 0 })
  if o.checkpoint ~= nil and type(c.path) ~= "string" then
    tide.raise(name .. ": checkpoint needs the path of a file, as in {path=\"a.ckpt\", " ..
               "every=1000}")
  end
  tide.count(name, "checkpoint.every", c.every, 1)
  if c.with ~= nil and type(c.with) ~= "table" then
    tide.raise(name .. ": checkpoint.with must be a table of values by name")
  end
  if o.resume == true and not c.path then
    tide.raise(name .. ": resume=true needs the path of checkpoint=")
  end
  for key, value in pairs(c.with or {}) do
    if things[key] ~= nil then
      tide.raise(("%s: checkpoint.with: the name '%s' is taken"):format(name, key))
    end
    things[key] = value
  end
  return setmetatable({ options = c, things = things, resume = o.resume }, Saver)
end

-- Goes on from the file, where the call asked for that: true, or nil.
function Saver:load(run)
  local path = self.resume
  if path == true then
    path = tide.checkpoint.exists(self.options.path) and self.options.path or nil
  end
  if type(path) ~= "string" then return nil end
  local objects = {}
  for key, value in pairs(self.things) do
    if keeps_state(value) or type(value) == "userdata" and not tensor.is_tensor(value) then
      objects[key] = value
    end
  end
  local all, at = tide.checkpoint.load(path, objects)
  run.with, run.resumed = {}, at
  for key in pairs(self.options.with or {}) do run.with[key] = all[key] end
  return true
end

-- After every so many steps and after the last.
function Saver:due(step, last)
  local c = self.options
  return c.path and (step % c.every == 0 or step == last)
end
function Saver:save()
  tide.checkpoint.save(self.options.path, self.things, { keep = self.options.keep })
end

-- How far this call goes.  A run that a call before returned goes `steps` further; one
-- from a file to where the call that wrote it was going, or would with these steps.
function loop.last_step(run, steps, resumed)
  if not resumed then run.base = run.step end
  return run.base + steps
end

---- losses ----

-- Losses on their way to the host, in order: while a device makes the next one nobody waits.
local Losses = {}
Losses.__index = Losses

-- Calls f with the loss as a number as soon as it is there; on the CPU that is now.  The one
-- that was asked for before must be there: a device is never further behind.
function Losses:add(value, step, f)
  self.last = step
  if value.device == "cpu" then return f(number(self.name, value, step)) end
  table.insert(self, { fetch = fetch.begin(value), step = step, f = f })
  self:settle(1)
end

-- Waits for all but the last so many.
function Losses:settle(left)
  while #self > left do
    local loss = table.remove(self, 1)
    loss.f(number(self.name, loss.fetch:take(), loss.step))
  end
end

-- When the loop ends, also by an error: that one is told, not what comes of this.
function Losses:__close(err)
  if err ~= nil then pcall(self.settle, self, 0) else self:settle(0) end
end

---- the loop ----

-- Counts a step and sets its learning rate.  A step calls it first; where it is replayed the
-- same is done before each replay.
function loop.begin_step(name, o, run, last)
  local function begin()
    run.step = run.step + 1
    if o.schedule then run.optimizer.lr = rate(name, o, run.step, last) end
  end
  begin()
  tide.capture.at_replay(begin)
end

-- Steps that a device may take at once: until somebody looks, each so many steps.
local AT_ONCE = 64
local function at_once(run, last, looks)
  local n = math.min(AT_ONCE, last - run.step)
  for _, every in pairs(looks) do n = math.min(n, every - run.step % every) end
  return n
end

-- The safe point between steps: others may run here.  Yields to whoever resumed this
-- loop, where that was asked for.
local function pause(o, bar, step, value)
  bar:update(step, { loss = value })
  if o.yield then coroutine.yield() end
end

-- Takes run to step `last`: step(n) takes n steps, each begun by loop.begin_step, and returns the
-- last loss; note(value, started, losses) records.  Where steps may be taken at once, `looks` says
-- at which one has to stop.
function loop.go(name, o, run, saver, last, step, note, looks)
  local bar <close> = progress_bar(name, o, run, last)
  local losses <close> = setmetatable({ name = name }, Losses)
  local started, before = tide.clock(), run.seconds
  if looks then looks.saver = saver.options.path and saver.options.every end
  while run.step < last do
    local n = looks and not o.yield and at_once(run, last, looks) or 1
    local value = step(n)
    run.seconds = before + tide.clock() - started
    note(value, started, losses)
    if n > 1 and losses.last ~= run.step then losses:add(value, run.step, function() end) end
    if saver:due(run.step, last) then
      losses:settle(0)
      saver:save()
    end
    pause(o, bar, run.step, value)
  end
end

return loop
