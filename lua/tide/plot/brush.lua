-- brush.lua -- ax:brush: a person paints a distribution into the axes.

local tide = require "tide"
local grab = require "tide.plot.grab"
local event = require "tide.plot.event"

local Brush = {}
Brush.__index = Brush
Brush.__name = "tide.plot.Brush"

local EVENTS = { "press", "drag", "release" }
local CELLS = 96

local function fail(text) tide.raise("brush: " .. text) end

local function is_number(v) return type(v) == "number" and v == v and math.abs(v) < math.huge end

local function check(o)
  if o.size ~= nil and not (is_number(o.size) and o.size > 0) then
    fail "size is the width of a stroke in units of x, above 0"
  end
  if o.extent ~= nil then
    local e = o.extent
    for k = 1, 4 do
      if type(e) ~= "table" or not is_number(e[k]) then fail "extent is {x0, x1, y0, y1}" end
    end
    if not (e[1] < e[2] and e[3] < e[4]) then fail "extent is {x0, x1, y0, y1}, the lower ones first" end
  end
  if o.n ~= nil and not (math.type(o.n) == "integer" and o.n >= 4 and o.n <= 1024) then
    fail "n, cells a side, is a whole number from 4 to 1024"
  end
end

-- ax:brush{...}
function Brush.new(ax, o)
  o = tide.options("brush", o, { "extent", "color", "size", n = CELLS, erase = false, visible = true })
  check(o)
  local fig, axes = grab.axes(ax)
  local extent = o.extent
  if not extent then
    local x, y = ax:get "xlim", ax:get "ylim"
    extent = { math.min(x[1], x[2]), math.max(x[1], x[2]), math.min(y[1], y[2]), math.max(y[1], y[2]) }
  end
  local b = setmetatable({ ax = ax, fig = fig, n = o.n, extent = extent,
    size = o.size or (extent[2] - extent[1]) / 12 }, Brush)
  b.calls = event.callbacks("brush", EVENTS)
  b.serial = grab.add(fig, "brush", { axes = axes, lo = { extent[1], extent[3] },
    hi = { extent[2], extent[4] }, nx = o.n, ny = o.n, size = b.size, erase = o.erase and true or false,
    hidden = not o.visible, color = o.color })
  event.attach(fig, b.serial, b)
  local stage = event.stage(fig)
  stage.brushes = stage.brushes or {}
  table.insert(stage.brushes, b)
  return b
end

function Brush:set(o)
  o = tide.options("brush:set", o, { "color", "size", "erase", "visible" })
  check(o)
  self.size = o.size or self.size
  local hidden
  if o.visible ~= nil then hidden = not o.visible end
  grab.set(self.fig, self.serial, { size = o.size, erase = o.erase, hidden = hidden, color = o.color })
  return self
end

-- A stroke through n x 2 points, as a hand would make it; erase: it takes ink away.
function Brush:stroke(points, o)
  o = tide.options("brush:stroke", o, { erase = false })
  if tide.tensor.is_tensor(points) then points = points:totable() end
  local flat = {}
  for i, p in ipairs(type(points) == "table" and points or fail "a stroke is n x 2 points") do
    if type(p) ~= "table" or not is_number(p[1]) or not is_number(p[2]) then
      fail "a stroke is n x 2 points"
    end
    flat[2 * i - 1], flat[2 * i] = p[1], p[2]
  end
  grab.stroke(self.fig, self.serial, flat, o.erase)
  return self
end

function Brush:clear()
  grab.wipe(self.fig, self.serial)
  return self
end

-- How much ink each cell has, 0 to 1: (n,n), the first row is the lowest.
function Brush:ink()
  return tide.tensor.from(grab.ink(self.fig, self.serial))
end

function Brush:empty() return not (self:ink():max():item() > 0) end

-- What was painted as a distribution; it lies where it was painted.
function Brush:target(o)
  o = tide.options("brush:target", o, { name = "drawn" })
  if self:empty() then fail "nothing is painted yet" end
  return require("tide").flow.targets.image(self:ink():flip(1), { invert = true, from = "darkness",
    extent = self.extent, name = o.name })
end

-- on(event, f): f(brush) at "press", "drag" and "release".
function Brush:on(what, f)
  self.calls:set(what, f)
  return self
end

function Brush:_slow(what) return self.calls:slow(what) end

function Brush:_news(what) self.calls:call(what, self) end

function Brush:remove()
  event.detach(self.fig, self.serial)
  grab.remove(self.fig, self.serial)
  local list = event.stage(self.fig).brushes
  for i = #list, 1, -1 do
    if list[i] == self then table.remove(list, i) end
  end
end

-- The ink as a short text, and back: runs of sixteen levels.
function Brush:_text()
  local out = {}
  local last, count
  local function flush()
    if last then out[#out + 1] = ("%x%s"):format(last, count > 1 and ("%d."):format(count) or ".") end
  end
  for _, row in ipairs(grab.ink(self.fig, self.serial)) do
    for _, v in ipairs(row) do
      local level = math.floor(v * 15 + 0.5)
      if level == last then count = count + 1 else flush() last, count = level, 1 end
    end
  end
  flush()
  return self.n .. ":" .. table.concat(out)
end

function Brush:_restore(text)
  local n, runs = text:match "^(%d+):([%x.]*)$"
  if tonumber(n) ~= self.n then return false end
  local flat = {}
  for level, count in runs:gmatch "(%x)(%d*)%." do
    for _ = 1, count == "" and 1 or math.min(tonumber(count), self.n * self.n) do
      flat[#flat + 1] = tonumber(level, 16) / 15
    end
  end
  if #flat ~= self.n * self.n then return false end
  local rows = {}
  for i = 1, self.n do rows[i] = table.move(flat, (i - 1) * self.n + 1, i * self.n, 1, {}) end
  grab.ink(self.fig, self.serial, rows)
  return true
end

function Brush:__tostring()
  return ("brush of width %.3g on %d x %d cells"):format(self.size, self.n, self.n)
end

return Brush
