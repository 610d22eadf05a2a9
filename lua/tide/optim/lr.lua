-- lr.lua -- schedules: functions (step, total) -> factor of the learning rate.
-- Steps count from 1; total is the number of steps of the run.

local tide = require "tide"

local lr = {}

local function number(name, key, v, low)
  if type(v) ~= "number" or not (v >= low and v < math.huge) then
    tide.raise(("optim.lr.%s: %s must be a finite number of at least %g, not %s"):format(
      name, key, low, tostring(v)))
  end
end

-- A schedule that first rises in a line over o.warmup steps, then follows
-- f(progress) with progress from 0 to 1.
local function after_warmup(name, o, f)
  number(name, "warmup", o.warmup, 0)
  if o.steps then number(name, "steps", o.steps, 1) end
  return function(step, total)
    if step <= o.warmup then return step / o.warmup end
    total = o.steps or total
    if not total then
      tide.raise(("optim.lr.%s: how long is the run? give steps="):format(name))
    end
    if total <= o.warmup then return 1 end
    return f(math.min(1, (step - o.warmup) / (total - o.warmup)))
  end
end

-- 1 all along, after the warmup.
function lr.constant(o)
  o = tide.options("optim.lr.constant", o, { warmup = 0 })
  number("constant", "warmup", o.warmup, 0)
  return function(step)
    return step <= o.warmup and step / o.warmup or 1
  end
end

-- Half a cosine from 1 down to floor.
function lr.cosine(o)
  o = tide.options("optim.lr.cosine", o, { "steps", warmup = 0, floor = 0 })
  return after_warmup("cosine", o, function(progress)
    return o.floor + (1 - o.floor) * 0.5 * (1 + math.cos(math.pi * progress))
  end)
end

-- A line from 1 down to floor.
function lr.linear(o)
  o = tide.options("optim.lr.linear", o, { "steps", warmup = 0, floor = 0 })
  return after_warmup("linear", o, function(progress)
    return 1 + (o.floor - 1) * progress
  end)
end

-- Times gamma after every `every` steps.
function lr.step(o)
  o = tide.options("optim.lr.step", o, { "every", gamma = 0.1, warmup = 0 })
  number("step", "every", o.every, 1)
  number("step", "warmup", o.warmup, 0)
  return function(step)
    if step <= o.warmup then return step / o.warmup end
    return o.gamma ^ ((step - o.warmup - 1) // o.every)
  end
end

-- Rises in a line over `steps` steps, then follows another schedule (or stays).
function lr.warmup(o)
  o = tide.options("optim.lr.warmup", o, { "steps", "next" })
  number("warmup", "steps", o.steps, 0)
  return function(step, total)
    if step <= o.steps then return step / o.steps end
    return o.next and o.next(step - o.steps, total and total - o.steps) or 1
  end
end

local Scheduler = {}
Scheduler.__index = Scheduler

-- Sets the rates of an optimiser by a schedule; call step() before each step of
-- the optimiser.
function lr.Scheduler(optimizer, schedule, o)
  local self = setmetatable(tide.options("optim.lr.Scheduler", o, { "steps" }),
                            Scheduler)
  if type(optimizer) ~= "table" or not optimizer.groups then
    tide.raise("optim.lr.Scheduler: the first argument must be an optimiser")
  end
  if not tide.callable(schedule) then
    tide.raise("optim.lr.Scheduler: the second argument must be a schedule, as " ..
               "optim.lr.cosine{...}")
  end
  self.optimizer, self.schedule, self.count, self.base = optimizer, schedule, 0, {}
  for g, group in ipairs(optimizer.groups) do self.base[g] = group.lr end
  return self
end

function Scheduler:step()
  self.count = self.count + 1
  local factor = self.schedule(self.count, self.steps)
  for g, group in ipairs(self.optimizer.groups) do
    group.lr = self.base[g] * factor
  end
  return factor
end

-- How many steps there were, and the rates of the groups before any schedule.
function Scheduler:state_dict()
  return { count = self.count, base = table.move(self.base, 1, #self.base, 1, {}) }
end

function Scheduler:load_state_dict(state)
  if type(state) ~= "table" or not state.count or #(state.base or {}) ~= #self.base then
    tide.raise(("load_state_dict: this is not the state of a schedule of %d groups")
      :format(#self.base))
  end
  self.count, self.base = state.count, table.move(state.base, 1, #state.base, 1, {})
  return self
end

return lr
