-- job.lua -- tide.spawn: experiments that run in slices while the prompt stays free.
--
-- A job is a coroutine.  The scheduler resumes one job after the other for about
-- 10 ms each: at the prompt while it waits for a key, elsewhere while a script waits
-- for jobs.  What a slice keeps apart is in lua/lua_job.c.

local tide = require "tide"
local core = require "tide.job.core"
local screen = require "tide.screen"
local progress = require "tide.progress"

local M = {}

local SLICE = 0.01                 -- seconds
local KEPT = 10                    -- jobs that are over and still listed
local NAMED = 4                    -- jobs in the status line
local STATUS = 0.25                -- seconds between updates of the status line
local PATIENCE = 1                 -- that a wait or a cancel shows or takes
local GRACE = 0.3                  -- to put things back before the next error
local ATTEMPTS = 3                 -- errors a job may catch before it is closed

local Job = {}
Job.__name = "tide.Job"

local listed = {}                  -- all jobs by age, those that are over up to KEPT
local numbers = 0
local current                      -- the job whose slice runs
local turn = 0                     -- the share that the job which ran last has had

local over = { done = true, failed = true, cancelled = true }

-- For notebooks: what a job prints belongs to the cell that started it. home() is that cell, or
-- nil where this is not wanted; parent() is where outputs go now, parent(home) where from now on.
M._home, M._parent = function() end, nil

---- what others see of a job ----

local fields = {}

-- What the innermost call of tide.progress says, those around it in `text`.
function fields.progress(job)
  local bar = job.bars[#job.bars]
  if not bar then return job.last_progress end
  local status, texts = bar:status(), {}
  for i, b in ipairs(job.bars) do texts[i] = b:text() end
  status.text = table.concat(texts, " | ")
  return status
end

function fields.seconds(job) return job.spent end

function Job.__index(job, key)
  if fields[key] then return fields[key](job) end
  return Job[key]
end

local function label(job)
  return job.name and ("job %d '%s'"):format(job.number, job.name) or "job " .. job.number
end

-- What its bar says, without the name of the job.
local function progress_text(job)
  local p = job.progress
  local text, name = p and p.text or "", job.name
  if name and (text .. " "):sub(1, #name + 1) == name .. " " then text = text:sub(#name + 1) end
  return text:match("^%s*(.*)$")
end

function Job.__tostring(job)
  local text = progress_text(job)
  return ("%s: %s, %.1f s%s"):format(label(job), job.state, job.spent,
    text ~= "" and "  " .. text or "")
end

-- What a person did in windows is heard between slices.
local function listen()
  local event = package.loaded["tide.plot.event"]
  if event then event.poll() end
end

---- one slice ----

local function is_live(job) return not over[job.state] end

-- Can the job go on now?
local function is_ready(job)
  if not is_live(job) or job == current then return false end
  if job.cancelling then return true end
  if job.state == "paused" or tide.clock() < job.asleep then return false end
  local other, deadline = job.waits_for, job.deadline
  return not other or over[other.state] or (deadline and tide.clock() >= deadline)
end

local function describe_failure(job)
  local text = job.error
  if type(text) ~= "string" then
    local meta = getmetatable(text)
    text = type(meta) == "table" and meta.__tostring and tostring(text)
      or ("(error object is a %s value)"):format(type(text))
  end
  return text .. (job.traceback and "\n" .. job.traceback or "")
end

local function forget_old()
  local ended, oldest = 0, nil
  for i, job in ipairs(listed) do
    if over[job.state] then ended, oldest = ended + 1, oldest or i end
  end
  if ended > KEPT then table.remove(listed, oldest) end
end

local function is_awaited(job)
  if job.awaited then return true end
  for _, other in ipairs(listed) do
    if other.waits_for == job then return true end
  end
  return false
end

local function finish(job, state)
  job.last_progress = job.progress
  job.state, job.bars, job.coroutine, job.waits_for = state, {}, false, false
  if state == "failed" and not is_awaited(job) then
    io.stderr:write(label(job), " failed: ", describe_failure(job), "\n")
  end
  forget_old()
end

-- How a cancelled job goes on: with an error, on its own until it has had time to
-- put things back, at last without being asked.
local function manner(job)
  if not job.cancelling or tide.clock() < job.again then return "go on" end
  job.attempts = job.attempts + 1
  job.again = tide.clock() + GRACE
  return (not job.started or job.attempts > ATTEMPTS) and "close" or "cancel"
end

local function run_slice(job)
  local how, from = manner(job), tide.clock()
  current, job.started, turn = job, true, job.share
  local r = table.pack(core.run(job.coroutine, job.slice, how))
  current = nil
  from = tide.clock() - from
  job.spent, job.share = job.spent + from, job.share + from
  if r[1] == "done" then
    job.values = table.pack(table.unpack(r, 2, r.n))
    job.result = r[2]
    finish(job, "done")
  elseif r[1] == "closed" then
    finish(job, "cancelled")
  elseif r[1] == "error" then
    job.error, job.traceback = r[2], r[3]
    finish(job, job.cancelling and "cancelled" or "failed")
  end
end

local function slice(job)
  local was = job.home and M._parent() or false
  if was ~= job.home then M._parent(job.home) end
  run_slice(job)
  if was ~= job.home then M._parent(was) end
end

-- Of the jobs that can go on the one that has had least; one that comes, or comes
-- back, does not make up for the time before.
local function next_ready()
  local least
  for _, job in ipairs(listed) do
    if is_ready(job) then
      job.share = math.max(job.share, turn)
      if not least or job.share < least.share then least = job end
    end
  end
  return least
end

local function run_next()
  local job = next_ready()
  if job then slice(job) end
  return job ~= nil
end

---- what is shown of them ----

-- One line about the jobs that are not over, or nil.
function M.status()
  local parts, live = {}, 0
  for _, job in ipairs(listed) do
    if is_live(job) then live = live + 1 end
    if is_live(job) and live <= NAMED then
      local text = progress_text(job)
      local name = job.name or "job " .. job.number
      local state = job.state ~= "running" and " (" .. job.state .. ")" or ""
      parts[#parts + 1] = (name .. state .. "  " .. text):match("^(.-)%s*$")
    end
  end
  if live == 0 then return nil end
  return (live > 1 and live .. " jobs: " or "") .. table.concat(parts, " | ") ..
    (live > NAMED and " | ..." or "")
end

-- Shows the line now and then while something waits.
local function show_while_waiting(view)
  local now = tide.clock()
  if not progress.enabled or now < view.due then return end
  local text, columns = M.status(), screen.columns()
  view.due = now + (columns and STATUS or 10)
  if not text then return end
  if columns then
    screen.show(progress._fit(text, columns - 1))
  elseif now - view.started >= 10 then
    io.stderr:write(text, "\n")
  end
end

---- waiting ----

-- When no job can go on: a short rest where one only sleeps; else false.
local function rest()
  for _, job in ipairs(listed) do
    if is_live(job) and job.state == "running" and tide.clock() < job.asleep then
      require("tide.plot.grab").wait(10)
      return true
    end
  end
  return false
end

-- Runs jobs until finished() is true or the time is over; returns whether it is.
local function drive(finished, timeout, what)
  local now = tide.clock()
  local view = { started = now, due = now + PATIENCE }
  local deadline = timeout and now + timeout or math.huge
  local view_end <close> = setmetatable({}, { __close = function() screen.show() end })
  while not finished() do
    if tide.clock() >= deadline then return false end
    if not core.shield(run_next) and not rest() then
      tide.raise(what .. " would wait for ever: the jobs that are left are paused or wait " ..
        "for each other")
    end
    show_while_waiting(view)
    listen()
  end
  return true
end

-- In a job: makes way until finished() is true or the time is over.
local function give_way(job, other, timeout)
  job.waits_for = other
  job.deadline = timeout and tide.clock() + timeout or false
  local done <close> = setmetatable({}, { __close = function()
    job.waits_for, job.deadline = false, false
  end })
  while is_live(other) do
    if job.deadline and tide.clock() >= job.deadline then return false end
    core.yield()
  end
  return true
end

local function check_timeout(what, timeout)
  if timeout ~= nil and not (type(timeout) == "number" and timeout >= 0) then
    tide.raise(("%s: timeout must be a number of seconds, not %s"):format(what, tostring(timeout)))
  end
end

-- What f returned, or its error; nil and "timeout" when it takes longer.
function Job:wait(timeout)
  check_timeout("job:wait", timeout)
  local link = self
  while link do
    if link == current then tide.raise("job:wait: this job would wait for itself") end
    link = link.waits_for
  end
  local ended
  if current then
    ended = give_way(current, self, timeout)
  else
    if self.state == "paused" then
      tide.raise(("job:wait: %s is paused; job:resume() first"):format(label(self)))
    end
    self.awaited = true
    local guard <close> = setmetatable({}, { __close = function() self.awaited = false end })
    ended = drive(function() return over[self.state] end, timeout, "job:wait")
  end
  if not ended then return nil, "timeout" end
  self.handled = true
  if self.state == "done" then return table.unpack(self.values, 1, self.values.n) end
  if self.state == "cancelled" then error(label(self) .. " was cancelled", 2) end
  if type(self.error) ~= "string" then error(self.error, 0) end
  error(("%s\nin %s, %s"):format(self.error, label(self), self.traceback), 0)
end

-- Runs all jobs to their ends; those that are paused stay.  Returns whether each
-- of them is done.
function M.wait_all(timeout)
  check_timeout("tide.wait_all", timeout)
  if current then tide.raise("tide.wait_all: a job would wait for itself; use job:wait()") end
  local waited = {}
  for _, job in ipairs(listed) do
    if is_live(job) then waited[#waited + 1] = job end
  end
  local function finished()
    for _, job in ipairs(listed) do
      if is_live(job) and job.state ~= "paused" then return false end
    end
    return true
  end
  drive(finished, timeout, "tide.wait_all")
  for _, job in ipairs(waited) do
    if job.state ~= "done" then return false end
  end
  return true
end

---- what a person calls ----

function M.spawn(f, o)
  o = tide.options("spawn", o, { "name", "seed", slice = SLICE })
  if not tide.callable(f) then
    tide.raise("spawn: a function is needed, not a " .. type(f))
  end
  if o.name ~= nil and type(o.name) ~= "string" then
    tide.raise("spawn: name must be a string, not a " .. type(o.name))
  end
  if o.seed ~= nil and math.type(o.seed) ~= "integer" then
    tide.raise("spawn: seed must be an integer, not " .. tostring(o.seed))
  end
  if type(o.slice) ~= "number" or not (o.slice > 0 and o.slice <= 60) then
    tide.raise("spawn: slice must be a number of seconds, not " .. tostring(o.slice))
  end
  numbers = numbers + 1
  local job = setmetatable({ number = numbers, name = o.name, state = "running", slice = o.slice,
    spent = 0, share = turn, bars = {}, cancelling = false, waits_for = false, deadline = false,
    awaited = false, started = false, asleep = 0, home = M._home() or false }, Job)
  job.coroutine = core.new(o.seed, function() return f(job) end)
  listed[#listed + 1] = job
  return job
end

-- The list of jobs shows itself as a table.
local List = {}
function List.__tostring(list)
  if #list == 0 then return "no jobs" end
  local lines = {}
  for i, job in ipairs(list) do
    lines[i] = ("%3d  %-16s %-10s %8.1f s  %s"):format(job.number, job.name or "-", job.state,
      job.spent, progress_text(job)):match("^(.-)%s*$")
  end
  return table.concat(lines, "\n")
end

function M.jobs()
  return setmetatable(table.move(listed, 1, #listed, 1, {}), List)
end

-- In a job: makes way for others when the slice is used up.  Elsewhere: gives the
-- next job a slice.
function M.yield()
  if not current then
    listen()
    core.shield(run_next)
  elseif select(2, core.tick()) then
    core.yield()
  end
end

-- A slice for the next job; false when none can go on now.
function M._step()
  listen()
  return core.shield(run_next)
end

-- In a job: lets others go on for so many seconds. Elsewhere: waits.
function M.nap(seconds)
  local deadline = tide.clock() + seconds
  if current then current.asleep = deadline end
  while tide.clock() < deadline do
    if current then
      core.yield()
    else
      listen()
      if not core.shield(run_next) then require("tide.plot.grab").wait(10) end
    end
  end
end

function Job:pause()
  if not is_live(self) or self.cancelling then return self end
  self.state = "paused"
  while self == current and self.state == "paused" do core.yield() end
  return self
end

function Job:resume()
  if self.state == "paused" then self.state = "running" end
  return self
end

-- Raises "cancelled!" where the job is, so that what is to be put back is.  Waits
-- up to a second for that.
function Job:cancel()
  if not is_live(self) then return self end
  if not self.cancelling then
    self.cancelling, self.attempts, self.again = true, 0, 0
    self.state = "cancelling"
  end
  if self == current then error("cancelled!", 2) end
  local deadline = tide.clock() + PATIENCE
  while not current and is_live(self) and tide.clock() < deadline do
    core.shield(slice, self)
  end
  return self
end

---- what runs apart ----

function M._inside() return current ~= nil end

-- Runs f(...) to its end as a job would, with a random stream, scopes and a gradient
-- mode of its own, but not as one of the jobs: true, or false, the error and its
-- traceback.  Not for use in a job.
function M._apart(seed, f, ...)
  local args = table.pack(...)
  local job = setmetatable({ number = 0, state = "running", slice = math.huge, spent = 0, share = 0,
    bars = {}, cancelling = false, waits_for = false, deadline = false, awaited = true,
    started = false, asleep = 0, home = false }, Job)
  job.coroutine = core.new(seed, function()
    local on <close> = tide.grad_mode(true)
    f(table.unpack(args, 1, args.n))
  end)
  local share = turn
  while is_live(job) do
    slice(job)
    if job.waits_for and is_live(job) then core.shield(run_next) end
  end
  turn = share
  if job.state == "done" then return true end
  return false, job.error, job.traceback
end

---- bars of jobs ----

progress._jobs(function(bar)
  if current then table.insert(current.bars, bar) end
  return current
end)

function Job:bar_closed(bar)
  for i = #self.bars, 1, -1 do
    if self.bars[i] == bar then
      if i == 1 and #self.bars == 1 then self.last_progress = bar:status() end
      table.remove(self.bars, i)
    end
  end
end

---- for the program ----

-- Called when nothing else is to be done: one slice.  Returns whether there is more
-- to do at once, how many jobs are not over, and a new text for the status line
-- when it is time for one (false: none).
local due = 0
function M._idle()
  local ran, live = run_next(), 0
  for _, job in ipairs(listed) do
    if is_live(job) then live = live + 1 end
  end
  local now = tide.clock()
  if now < due and live > 0 then return ran, live, nil end
  due = now + STATUS
  return ran, live, live > 0 and M.status() or false
end

-- How many jobs would be lost if the program ended now.
function M._live()
  local live = 0
  for _, job in ipairs(listed) do
    if is_live(job) then live = live + 1 end
  end
  return live
end

-- After this no failure counts.
function M._cancel_all()
  for _, job in ipairs(listed) do
    job.handled = true
    if is_live(job) then job:cancel() end
  end
end

-- At the end of a script: jobs run to their ends, those that are paused are
-- cancelled.  Returns whether none failed, but for failures that were waited for.
function M._finish()
  local ok = true
  M.wait_all()
  for _, job in ipairs(listed) do
    if job.state == "failed" and not job.handled then ok = false end
  end
  M._cancel_all()
  return ok
end

for _, name in ipairs { "spawn", "jobs", "yield", "wait_all" } do tide[name] = M[name] end
return M
