-- progress.lua -- tide.progress: how far a loop is, its rate, the time that is left.
--
-- On a terminal the bars that are open share one line below all that is printed;
-- elsewhere a plain line comes every few seconds.  A loop that is over within a
-- second shows nothing.  Inside a job nothing is drawn: the job reads its bar.

local tide = require "tide"
local screen = require "tide.screen"
local core = require "tide.job.core"
local fetch = require "tide.fetch.core"

local progress = tide.progress
local clock = tide.clock

local PATIENCE = 1                 -- seconds before anything is shown
local REDRAW = 0.1                 -- seconds between drawings on a terminal
local SAMPLE = 0.5                 -- shortest interval that counts for the rate
local KEPT = 20                    -- intervals
local OUTLIER = 4                  -- times the median: a pause, not work

local Bar = {}
Bar.__index = Bar
Bar.__name = "tide.Bar"

local opened = setmetatable({}, { __mode = "v" })   -- bars that are drawn, by number
local count = 0
local on_job                       -- finds the job that runs: set by tide.job

-- The open bars, outermost first.
local function stack()
  local list = {}
  for _, bar in pairs(opened) do list[#list + 1] = bar end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

---- rate and remaining time ----

-- Notes the interval since the last note when it is long enough.
local function sample(bar, now)
  local dt, dn = now - bar.noted, bar.step - bar.noted_step
  if dt < SAMPLE or dn <= 0 then return end
  bar.noted, bar.noted_step = now, bar.step
  table.insert(bar.intervals, { dt, dn })
  if #bar.intervals > KEPT then table.remove(bar.intervals, 1) end
end

-- Steps per second over the last intervals but for those far slower than the
-- median: the machine slept, the job was paused.
local function rate(bar)
  local pace = {}
  for i, v in ipairs(bar.intervals) do pace[i] = v[1] / v[2] end
  table.sort(pace)
  local limit = OUTLIER * (pace[(#pace + 1) // 2] or 0)
  local seconds, steps = 0, 0
  for _, v in ipairs(bar.intervals) do
    if v[1] / v[2] <= limit then seconds, steps = seconds + v[1], steps + v[2] end
  end
  if seconds > 0 then return steps / seconds end
  local elapsed = clock() - bar.started
  return elapsed > 0 and (bar.step - bar.first) / elapsed or 0
end

---- text ----

local function duration(s)
  s = math.floor(s + 0.5)
  if s < 60 then return s .. " s" end
  if s < 3600 then return ("%d:%02d"):format(s // 60, s % 60) end
  if s < 360000 then return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60) end
  return s // 86400 .. " days"
end

local function number(v)
  if type(v) ~= "number" then return tostring(v) end
  return math.type(v) == "integer" and tostring(v) or ("%.4g"):format(v)
end

-- A figure, of which a tensor is a number.  Unless told to wait a line that is drawn shows of a
-- device the last number that has come, or nil.
local function value(bar, name, wait)
  local v = bar.figures[name]
  if not tide.tensor.is_tensor(v) then return v end
  if wait or v.device == "cpu" then return v:item() end
  local late = bar.late[name] or {}
  bar.late[name] = late
  if late.fetch and late.fetch:done() then late.value, late.fetch = late.fetch:take():item(), nil end
  late.fetch = late.fetch or fetch.begin(v)
  return late.value
end

local function figures_text(bar, wait)
  local names, parts = {}, {}
  for name in pairs(bar.figures) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    local v = value(bar, name, wait)
    if v ~= nil then parts[#parts + 1] = tostring(name) .. " " .. number(v) end
  end
  return table.concat(parts, "  ")
end

local function count_text(bar)
  if not bar.unit then return nil end
  local done = number(bar.step)
  if not bar.total then return done .. " " .. bar.unit end
  local total = number(bar.total)
  return (" "):rep(#total - #done) .. done .. "/" .. total
end

local function percent_text(bar)
  return bar.total and ("%3d%%"):format(math.floor(100 * bar:fraction())) or nil
end

local function speed_text(bar, r)
  if not bar.unit or r <= 0 then return nil end
  if r < 1 then return ("%.3g s/%s"):format(1 / r, bar.unit) end
  return ("%s %s/s"):format(r < 100 and ("%.3g"):format(r) or ("%.0f"):format(r), bar.unit)
end

local function left_text(bar, r)
  if not bar.total or r <= 0 or bar.step >= bar.total then return nil end
  return duration(math.max(0, bar.total - bar.step) / r) .. " left"
end

-- Text of one line, without bytes that are no UTF-8.
local function printable(text)
  text = text:gsub("%c", " ")
  if not utf8.len(text, 1, -1, true) then text = text:gsub("[\x80-\xff]", "?") end
  return text
end

local function join(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local s = select(i, ...)
    if s and s ~= "" then parts[#parts + 1] = s end
  end
  return printable(table.concat(parts, "  "))
end

local function meter(bar)
  if not bar.total then return nil end
  local n = math.floor(16 * bar:fraction() + 0.5)
  return "[" .. ("="):rep(n) .. (" "):rep(16 - n) .. "]"
end

-- Columns that text takes: letters of East Asia and pictures take two, marks that
-- combine with the letter before none.
local function width_of(text)
  local n = 0
  for _, c in utf8.codes(text, true) do
    if c >= 0x300 and c < 0x370 or c == 0x200d or c >= 0xfe00 and c < 0xfe10 then
      n = n + 0
    elseif c >= 0x1100 and (c < 0x1160 or c >= 0x2e80 and c < 0xa4d0 or c >= 0xac00 and c < 0xd7a4
        or c >= 0xf900 and c < 0xfb00 or c >= 0xfe30 and c < 0xfe70 or c >= 0xff00 and c < 0xff61
        or c >= 0x1f300 and c < 0x1fb00) then
      n = n + 2
    else
      n = n + 1
    end
  end
  return n
end

-- The longest beginning of text that fits into so many columns.
local function fit(text, width)
  while text ~= "" and width_of(text) > width do
    text = text:sub(1, utf8.offset(text, -1) - 1)
  end
  return text
end

-- All there is to say of a bar, after `before`, or, where that is nil, to one who asks and so waits for
-- figures; without width, for a line of its own.  What was
-- left out for want of room stays out while the width is the same: no flicker.
local function describe(bar, width, before)
  local r, figures = rate(bar), figures_text(bar, before == nil)
  local speed, left = speed_text(bar, r), left_text(bar, r)
  local name, count, percent = bar.label, count_text(bar), percent_text(bar)
  local since = not bar.total and duration(clock() - bar.started) or nil
  local long = join(before, name, percent, count, speed, left, since, figures)
  if not width then return long end
  local texts = {
    join(before, name, percent and percent .. " " .. meter(bar), count, speed, left, since, figures),
    long, join(before, name, percent, count, left, since, figures),
    join(before, name, percent or count, left, since, figures),
    join(before, name, percent or count, figures),
    join(name, percent or count, figures),
  }
  if width ~= bar.width then bar.width, bar.level = width, 1 end
  for i = bar.level, #texts do
    bar.level = i
    if width_of(texts[i]) <= width then return texts[i] end
  end
  return fit(texts[#texts], width)
end

-- What stands before the innermost bar: those around it, in short.
local function around(bar)
  local parts = {}
  for _, b in ipairs(stack()) do
    if b == bar then break end
    parts[#parts + 1] = join(b.label, count_text(b) or percent_text(b)) .. " |"
  end
  return table.concat(parts, " ")
end

-- One line when it is over.
local function summary(bar)
  local elapsed = clock() - bar.started
  local r = elapsed > 0 and (bar.step - bar.first) / elapsed or 0
  return join(around(bar), bar.label, count_text(bar) or percent_text(bar),
    ("%.1f s"):format(elapsed), speed_text(bar, r), figures_text(bar, true))
end

---- drawing ----

local function plain(text)
  io.stderr:write(text, "\n")
end

-- The last that is seen of a bar; a notebook has a place for it.
local function leave(text)
  if screen.close then screen.close(text) else plain(text) end
end

local function draw(bar, now)
  sample(bar, now)
  local columns = screen.columns()
  bar.next = now + (columns and REDRAW or SAMPLE)
  if bar.job or not progress.enabled then return end
  if columns then
    screen.show(describe(bar, columns - 1, around(bar)))
    bar.drawn = true
  elseif now >= bar.due then
    plain(describe(bar, nil, around(bar)))
    bar.drawn = true
    bar.due = now + bar.every
  end
end

---- what a person calls ----

function Bar:fraction()
  if not self.total or self.total <= 0 then return 0 end
  return math.max(0, math.min(1, self.step / self.total))
end

-- Notes how far the loop is; draws when it is time.  In a job this is the moment
-- when it makes way for others.
function Bar:update(step, figures)
  self.step = step or self.step + 1
  if figures then self.figures = figures end
  local now, used_up = core.tick()
  if now >= self.next then draw(self, now) end
  local event = package.loaded["tide.plot.event"]
  if event then event.poll() end
  if used_up then core.yield() end
end

-- What the line says.
function Bar:text() return describe(self) end

-- Rate, remaining time and all figures as numbers.
function Bar:status()
  local r, figures = rate(self), {}
  for k in pairs(self.figures) do figures[k] = value(self, k, true) end
  return { label = self.label, step = self.step, total = self.total, unit = self.unit or nil,
    fraction = self.total and self:fraction() or nil, rate = r,
    left = self.total and r > 0 and (self.total - self.step) / r or nil,
    seconds = clock() - self.started, figures = figures,
    text = self:text() }
end

-- Ends the bar.  What was drawn gives way to one line that stays, unless the loop
-- failed or runs inside another.
function Bar:close(failure)
  if self.closed then return end
  self.closed = true
  if self.job then
    self.job:bar_closed(self)
    return
  end
  local outer = stack()[1] == self
  local text = self.drawn and not failure and outer and progress.enabled and summary(self)
  opened[self.number] = nil
  if next(opened) == nil or outer then screen.show() end
  if not text then return end
  local columns = screen.columns()
  leave(columns and fit(text, columns - 1) or text)
end

Bar.__close = Bar.close
Bar.__gc = function(bar) Bar.close(bar, true) end

local function check(o, what, kind, optional)
  local v = o[what]
  if v == nil and optional then return end
  if type(v) == kind and (kind ~= "number" or math.abs(v) < math.huge) then return end
  tide.raise(("progress: %s must be a %s, not %s"):format(what, kind, tostring(v)))
end

local function new(o)
  o = tide.options("progress", o, { "total", label = "", unit = "step", every = 10, step = 0 })
  check(o, "total", "number", true)
  check(o, "label", "string")
  check(o, "every", "number")
  check(o, "step", "number")
  if o.unit ~= false then check(o, "unit", "string") end
  local now = clock()
  local bar = setmetatable({ label = o.label, total = o.total, unit = o.unit, every = o.every,
    step = o.step, first = o.step, figures = {}, late = {}, started = now, next = now + PATIENCE,
    due = now + o.every,
    noted = now, noted_step = o.step, intervals = {} }, Bar)
  bar.job = on_job and on_job(bar)
  count = count + 1
  bar.number = count
  if not bar.job then opened[count] = bar end
  return bar
end

-- for i in tide.progress(n) do: the body of round i is over when i + 1 is asked for.
local function round(bar, i)
  if i > 0 then bar:update(i) end
  if i < bar.total then return i + 1 end
end

getmetatable(progress).__call = function(_, o, more)
  if type(o) ~= "number" then return new(o) end
  local n = math.tointeger(o)
  if not n or n < 0 then
    tide.raise("progress: how many rounds must be an integer, not " .. tostring(o))
  end
  local full = {}
  for k, v in pairs(more or {}) do full[k] = v end
  full.total = n
  local bar = new(full)
  return round, bar, 0, bar
end

-- What a statement at the prompt left open is not drawn any more.
function progress._forget()
  for number in pairs(opened) do opened[number] = nil end
end

progress._fit = fit

-- find(bar) returns the job that runs, if any; it hears of the end of the bar by
-- job:bar_closed(bar).
function progress._jobs(find) on_job = find end

return progress
