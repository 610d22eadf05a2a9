-- capture.lua -- tide.capture: records a step once, then runs it again without Lua.
--
--   local step = tide.capture(function(x)
--     opt:zero_grad()
--     local loss = flow.matching_loss(net, x)
--     loss:backward()
--     opt:step()
--     return loss
--   end)
--   for i = 1, 1000 do loss = step(sample(256)) end
--
-- The first call runs the function as it is, so that optimisers can set up their
-- state; the second is recorded; the others replay what the second computed.

local tide = require "tide"
local tensor = tide.tensor
local core = require "tide.capture.core"
local shield = require("tide.job.core").shield

-- With enabled = false (--eager of the examples) steps run as they are.
local capture = { recording = core.recording, enabled = true }
local Step = {}
Step.__index = Step

local current            -- the Step that records now

-- Names a value for messages.
local function describe(v)
  if not tensor.is_tensor(v) then return tostring(v) end
  return ("%s %s on %s"):format(v.dtype, tensor.shape_text(v), v.device)
end

---- what a step may say about itself while it is recorded ----

-- Runs f(...) before each replay; for what a step counts in Lua.
function capture.at_replay(f, ...)
  if current then table.insert(current.hooks, table.pack(f, ...)) end
end

-- A number that may change between calls: get() as it is, and, while a step is
-- recorded, a tensor of no dims that is set to get() before each replay.  It has the
-- type that a number takes among the tensors given: the widest of theirs.
function capture.number(get, among)
  if not current then return get() end
  local value, dtype = get(), among and "f32" or "f64"
  for _, t in ipairs(among or {}) do
    if t.dtype == "f64" then dtype = "f64" end
  end
  local slot = core.aside(tensor.from, value, { dtype = dtype,
    device = among and among[1] and among[1].device or tide.device() })
  table.insert(current.numbers, { slot = slot, get = get, value = value })
  return slot
end

---- a captured step ----

-- Static places for the arguments: tensors are copied there before each replay.
local function make_places(args)
  local places = { n = args.n }
  for i = 1, args.n do
    local v = args[i]
    places[i] = tensor.is_tensor(v) and v:detach():clone() or v
  end
  return places
end

local function keep_results(results)
  local kept = { n = results.n }
  for i = 1, results.n do
    local v = results[i]
    if type(v) == "table" or type(v) == "function" then
      tide.raise(("capture: result %d of the step is a %s; a step returns tensors"):format(
        i, type(v)))
    end
    kept[i] = tensor.is_tensor(v) and v:detach() or v
  end
  return kept
end

-- Runs the step while it is recorded; true, or nil and why it cannot be replayed.
local function record(self, args)
  self.hooks, self.numbers = {}, {}
  self.places = make_places(args)
  local outer = current
  current = self
  local function finish(ok, ...)
    current = outer
    if not ok then error((...), 0) end
    return table.pack(...)
  end
  local results = finish(pcall(core.record, self.fallback, self.f,
                               table.unpack(self.places, 1, args.n)))
  local recorded = table.remove(results, 1)
  results.n = results.n - 1
  local ok, kept = pcall(keep_results, results)
  if not ok then
    core.free(recorded)
    error(kept, 0)
  end
  self.results, results = kept, nil
  collectgarbage()
  local done, why = core.finish(recorded)
  if not done then
    core.free(recorded)
    return nil, why
  end
  self.recorded, self.nodes = recorded, core.stats(recorded).nodes
  return true
end

-- What is not as it was recorded, or nil.
local function difference(self, args)
  if args.n ~= self.places.n then
    return ("the step was recorded with %d arguments and is called with %d"):format(
      self.places.n, args.n)
  end
  for i = 1, args.n do
    local was, v = self.places[i], args[i]
    local same = v == was
    if tensor.is_tensor(was) and tensor.is_tensor(v) then
      same = was.dtype == v.dtype and was.device == v.device and
        tensor.shape_text(was) == tensor.shape_text(v)
    end
    if not same then
      return ("argument %d was %s when the step was recorded and is %s now"):format(
        i, describe(was), describe(v))
    end
  end
end

local function fill_places(self, args)
  for i = 1, args.n do
    local place, v = self.places[i], args[i]
    if tensor.is_tensor(place) and place ~= v then place:copy_(v) end
  end
end

local function run_hooks(self)
  for _, h in ipairs(self.hooks) do h[1](table.unpack(h, 2, h.n)) end
end

local function fill(self, args)
  fill_places(self, args)
  run_hooks(self)
  for _, number in ipairs(self.numbers) do
    local value = number.get()
    if value ~= number.value then
      number.slot:fill_(value)
      number.value = value
    end
  end
end

local function first_calls(self, args)
  if self.warm < self.warmup or self.why or core.recording() then
    self.warm = self.warm + 1
    return self.f(table.unpack(args, 1, args.n))
  end
  local done, why = tide.unscoped(record, self, args)
  if not done then
    if not self.fallback then tide.raise(why) end
    self.why = why
  end
  return table.unpack(self.results, 1, self.results.n)
end

-- Is the step recorded for such arguments?
local function fits(self, args)
  if not self.recorded then return false end
  local other = difference(self, args)
  if other and not self.fallback then
    tide.raise("capture: " .. other .. "; step:reset() records it again")
  end
  return not other
end

function Step:__call(...)
  local args = table.pack(...)
  if not fits(self, args) then
    if self.recorded then return self.f(...) end
    return first_calls(self, args)
  end
  tide.no_grad(fill, self, args)
  core.replay(self.recorded)
  return table.unpack(self.results, 1, self.results.n)
end

---- several replays ----

-- For each result that is a tensor room for n values of it.
local function make_stacks(n, results)
  local stacks = { n = results.n }
  for k = 1, results.n do
    local v = results[k]
    if tensor.is_tensor(v) then
      stacks[k] = tensor.empty({ n, table.unpack(v.shape) }, { dtype = v.dtype, device = v.device })
    end
  end
  return stacks
end

-- The same without gaps: what is kept after a replay, and the slots of numbers.
local function dense(list)
  local all = {}
  for k = 1, list.n do
    if tensor.is_tensor(list[k]) then all[#all + 1] = list[k] end
  end
  return all
end
local function slots(self)
  local all = {}
  for i, number in ipairs(self.numbers) do all[i] = number.slot end
  return all
end

-- How many of the next calls one launch does; 0: none does.
local function launches(self, args, left)
  if not fits(self, args) then return 0 end
  local results = dense(self.results)
  for _, v in ipairs(results) do
    if not v:is_contiguous() then return 0 end
  end
  return core.run(self.recorded, left, slots(self), results)
end

-- Replays `count` times in one launch, which keeps the results in rows first, first + 1 ...
local function launch(self, args, count, stacks, first)
  fill_places(self, args)
  for i = 1, count do
    run_hooks(self)
    local values = {}
    for k, number in ipairs(self.numbers) do
      number.value = number.get()
      values[k] = number.value
    end
    core.turn(self.recorded, values, stacks, first + i - 1)
  end
end

-- n calls with the same arguments: for each result that is a tensor a stack of the n values,
-- of others the last one.  A device does several calls in one launch.
function Step:run(n, ...)
  n = tide.count("capture, run", "n", n, 1)
  local args, i, results, stacks = table.pack(...), 0, nil, nil
  local function keep(...)
    results = table.pack(...)
    stacks = stacks or make_stacks(n, results)
    for k, stack in pairs(stacks) do
      if k ~= "n" then stack:select(1, i):copy_(results[k]) end
    end
  end
  while i < n do
    local count = launches(self, args, n - i)
    if count > 0 then
      results = self.results
      stacks = stacks or make_stacks(n, results)
      shield(tide.no_grad, launch, self, args, count, dense(stacks), i + 1)
      i = i + count
    else
      i = i + 1
      tide.no_grad(keep, self(...))
    end
  end
  for k = 1, results.n do stacks[k] = stacks[k] or results[k] end
  return table.unpack(stacks, 1, results.n)
end

-- Forgets what was recorded: the next call records again.
function Step:reset()
  if self.recorded then core.free(self.recorded) end
  self.recorded, self.results, self.places, self.why = nil, nil, nil, nil
  return self
end

-- What a replay costs: kernel calls, bytes planned and kept; on a device, from the second
-- question on, the seconds of the last one.
function Step:stats()
  if not self.recorded then return nil end
  local stats = core.stats(self.recorded)
  stats.seconds = core.seconds(self.recorded)
  return stats
end

-- The kernel calls of a replay, one line of text each.
function Step:calls()
  return self.recorded and core.calls(self.recorded) or {}
end

function Step:__tostring()
  local s = self.recorded and core.stats(self.recorded)
  if self.why then return "step that cannot be captured: " .. self.why end
  if not s then return "captured step, not recorded yet" end
  local how = s.nodes > 0 and ("one graph of %d kernels"):format(s.nodes) or
    ("%d kernel calls in %d stages%s"):format(s.calls, s.stages,
      s.why ~= "" and " (no graph: " .. s.why .. ")" or "")
  return ("captured step: %s, %.1f MB of short-lived tensors in %.1f MB, %.1f MB kept"):format(
    how, s.planned / 1e6, (s.arena + s.scratch) / 1e6, s.kept / 1e6)
end

return setmetatable(capture, {
  __call = function(_, f, o)
    if not tide.callable(f) then
      tide.raise("capture: a function is needed, not a " .. tide.type(f))
    end
    o = tide.options("capture", o, { warmup = 1, fallback = false })
    return setmetatable({ f = f, warm = 0, warmup = o.warmup, fallback = o.fallback,
                          why = not capture.enabled and "capture is switched off" or nil }, Step)
  end,
})
