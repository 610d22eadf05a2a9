-- event.lua -- what a person did in windows reaches Lua here, at safe points.
--
-- The windows' thread changes values at once and queues what Lua is to hear of it. Safe
-- points are fig:due(), plot.wait, the prompt while it waits for a key, tide.yield, waits
-- for jobs and steps of progress bars, but not inside a job: whoever runs it listens.
--
-- What figures show of tensors on a device enters them here, too, when it is there.
--
-- A callback runs apart (tide.job): with a random stream, scopes and a gradient mode of
-- its own, so what a person does during a training changes no number of it. One that
-- fails is taken out and shown once.

local tide = require "tide"
local grab = require "tide.plot.grab"
local late = require "tide.plot.late"

local M = {}

local SLOW = 0.03                  -- seconds: such a callback waits for a rest of the hand
local REST = 0.06
local IDLE = 20                    -- milliseconds between looks for a rest
local SEED = 0x74696465            -- of the streams of callbacks

-- What figures have: { fig =, targets = { [serial] = object } }. The entry goes with the
-- figure; while its window is open it stays.
local stages = setmetatable({}, { __mode = "k" })
local shown = {}
local calls = 0
local waiting = {}                 -- news of slow callbacks: target -> { what, values, time }

function M.stage(fig)
  local s = stages[fig]
  if not s then
    s = { fig = fig, targets = {} }
    stages[fig] = s
  end
  return s
end

-- object:_news(what, time, v1, v2, v3, v4) is called with what is done to the widget.
function M.attach(fig, serial, object)
  M.stage(fig).targets[serial] = object
end

function M.detach(fig, serial)
  M.stage(fig).targets[serial] = nil
end

local function sweep()
  for fig in pairs(shown) do
    if not fig.open then shown[fig] = nil end
  end
end

function M.shown(fig)
  sweep()
  shown[fig] = true
  grab.views(fig)                  -- from now on it is known what the window shows
end

function M.closed(fig) shown[fig] = nil end

---- callbacks ----

-- A list of functions by name of event, of one object.
local Callbacks = {}
Callbacks.__index = Callbacks

-- what: the object, as errors call it; names: its events (nil: any).
function M.callbacks(what, names)
  return setmetatable({ what = what, names = names, lists = {} }, Callbacks)
end

local function check_name(self, name)
  for _, known in ipairs(self.names) do
    if name == known then return end
  end
  local near = type(name) == "string" and tide.nearest(name, self.names)
  tide.raise(("%s: there is no event '%s'%s (events: %s)"):format(self.what, tostring(name),
    near and ("; did you mean '%s'?"):format(near) or "", table.concat(self.names, ", ")))
end

-- on(name, f): f is called from now on; f == nil: none is any more.
function Callbacks:set(name, f)
  if self.names then check_name(self, name) end
  if f ~= nil and not tide.callable(f) then
    tide.raise(("%s: on('%s', f) needs a function, not a %s"):format(self.what, name, type(f)))
  end
  local list = f ~= nil and self.lists[name] or {}
  if f ~= nil then list[#list + 1] = { f = f } end
  self.lists[name] = list
end

function Callbacks:of(name) return self.lists[name] or {} end
function Callbacks:any(name) return #self:of(name) > 0 end

-- Do calls of this name take long?
function Callbacks:slow(name)
  for _, c in ipairs(self:of(name)) do
    if c.slow then return true end
  end
  return false
end

local function complain(what, name, err, trace)
  local text = type(err) == "string" and err or ("(error object is a %s value)"):format(type(err))
  io.stderr:write(("%s: on('%s') failed and is taken out: %s%s\n"):format(what, name, text,
    trace and "\n" .. trace or ""))
end

-- Runs f(...) apart from what goes on; true, or false with error and traceback. Ctrl-C goes on.
-- Called from a callback, or by a job, it is apart already.
function M.apart(f, ...)
  local job, ok, err, trace = require "tide.job", nil, nil, nil
  calls = calls + 1
  if job._inside() then
    ok, err = xpcall(f, function(e)
      trace = debug.traceback("", 2)
      return e
    end, ...)
  else
    ok, err, trace = job._apart(SEED + calls, f, ...)
  end
  if not ok and tostring(err):find("interrupted!", 1, true) then error(err, 0) end
  return ok, err, trace
end

function Callbacks:call(name, ...)
  local list = self:of(name)
  for _, c in ipairs(table.move(list, 1, #list, 1, {})) do
    local from = tide.clock()
    local ok, err, trace = M.apart(c.f, ...)
    c.slow = tide.clock() - from > SLOW
    if not ok then
      complain(self.what, name, err, trace)
      for i = #list, 1, -1 do
        if list[i] == c then table.remove(list, i) end
      end
    end
  end
end

-- The same without being apart: for what is called in the middle of other work.
function Callbacks:call_here(name, ...)
  for _, c in ipairs(self:of(name)) do c.f(...) end
end

---- the queue ----

-- The newest place of a drag waits for a rest while what hears it is slow.
local function deliver(target, what, time, v)
  local motion = what == "drag" or what == "hover"
  if motion and target._slow and target:_slow(what) and tide.clock() - time < REST then
    waiting[target] = { what = what, time = time, v = v }
    return
  end
  waiting[target] = nil            -- it is older
  target:_news(what, time, table.unpack(v, 1, 4))
end

local function drain(s)
  while true do
    local serial, what, a, b, c, d, time = grab.take(s.fig)
    if not serial then return end
    local target = s.targets[serial]
    if target then deliver(target, what, time, { a, b, c, d }) end
  end
end

local function rested()
  local now = tide.clock()
  for target, w in pairs(waiting) do
    if now - w.time >= REST then
      waiting[target] = nil
      target:_news(w.what, w.time, table.unpack(w.v, 1, 4))
      return rested()
    end
  end
end

local busy = false                 -- a callback that comes here again finds nothing to do

-- Values of figures that have come from a device; is there more on its way?
local function arrive()
  local ok, more = pcall(late.arrive)
  if ok then return more end
  if tostring(more):find("interrupted!", 1, true) then error(more, 0) end
  io.stderr:write("a figure's values from a device: ", tostring(more), "\n")
  return true
end

-- Calls what waits to be called; nothing inside a job.
function M.poll()
  arrive()
  if busy or not (grab.pending() or next(waiting)) then return end
  local job = package.loaded["tide.job"]
  if job and job._inside() then return end
  busy = true
  local done <close> = setmetatable({}, { __close = function() busy = false end })
  local list = {}
  for _, s in pairs(stages) do list[#list + 1] = s end
  for _, s in ipairs(list) do drain(s) end
  rested()
  sweep()
end

-- For the prompt: the same; milliseconds until it wants to look again, or -1.
function M._idle()
  M.poll()
  return (arrive() or next(waiting)) and IDLE or -1
end

-- Waits up to so many milliseconds for something to do.
function M.wait(ms)
  grab.wait((arrive() or next(waiting)) and math.min(ms, IDLE) or ms)
  M.poll()
end

return M
