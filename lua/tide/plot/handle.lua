-- handle.lua -- ax:handle: a point, a line or a box in the axes that a person drags.

local tide = require "tide"
local grab = require "tide.plot.grab"
local event = require "tide.plot.event"

local Handle = {}
Handle.__index = Handle
Handle.__name = "tide.plot.Handle"

local KINDS = { point = { "x", "y" }, x = { "x" }, y = { "y" }, rect = { "x0", "y0", "x1", "y1" } }
local DIMS = { point = { 1, 2 }, x = { 1 }, y = { 2 }, rect = { 1, 2, 1, 2 } }
local EVENTS = { "press", "drag", "release", "hover", "leave" }
local SIZE = 9                     -- points across

local function fail(text) tide.raise("handle: " .. text) end

local function is_number(v) return type(v) == "number" and v == v and math.abs(v) < math.huge end

-- {lo, hi} or, of two dimensions, {x0, x1, y0, y1}; nil in one of them: no limit.
local function read_limits(kind, limits)
  local lo, hi = { -math.huge, -math.huge }, { math.huge, math.huge }
  if limits == nil or limits == false then return lo, hi end
  local from = kind == "y" and 2 or 1
  local n = (kind == "point" or kind == "rect") and 2 or 1
  if type(limits) ~= "table" or #limits ~= 2 * n then
    fail("limits are " .. (n == 2 and "{x0, x1, y0, y1}" or "{lowest, highest}"))
  end
  for k = 0, n - 1 do
    local a, b = limits[2 * k + 1], limits[2 * k + 2]
    if type(a) ~= "number" or type(b) ~= "number" or not (a < b) then
      fail("limits are numbers, the lower one before the higher one")
    end
    lo[from + k], hi[from + k] = a, b
  end
  return lo, hi
end

local function read_snap(snap)
  if snap == nil or snap == false then return { 0, 0 } end
  local pair = type(snap) == "table" and snap or { snap, snap }
  for k = 1, 2 do
    if not (is_number(pair[k]) and pair[k] > 0) then
      fail("snap is a distance above 0, or one for x and one for y")
    end
  end
  return { pair[1], pair[2] }
end

local function values_of(kind, o, old)
  local v = {}
  for i, name in ipairs(KINDS[kind]) do
    v[i] = o[name]
    if v[i] == nil then v[i] = old and old[i] end
    if not is_number(v[i]) then
      fail(("a %s needs %s as numbers"):format(kind, table.concat(KINDS[kind], ", ")))
    end
  end
  return v
end

-- Fields of the widget for the options that are given.
local function fields_of(kind, o, first)
  local f = {}
  if first or o.limits ~= nil then f.lo, f.hi = read_limits(kind, o.limits) end
  if first or o.snap ~= nil then f.snap = read_snap(o.snap) end
  f.color = o.color
  if o.size ~= nil and not (is_number(o.size) and o.size > 0 and o.size <= 100) then
    fail("size is a number of points, above 0, at most 100")
  end
  f.size = o.size or (first and SIZE or nil)
  if o.label ~= nil then f.label = o.label end
  if o.visible ~= nil then f.hidden = not o.visible end
  if o.fixed ~= nil then f.fixed = o.fixed and true or false end
  return f
end

local options = { "kind", "x", "y", "x0", "y0", "x1", "y1", "limits", "snap", "color", "size", "label",
  "visible", "fixed", "name" }

-- ax:handle{kind =, ...}
function Handle.new(ax, o)
  local fig, axes = grab.axes(ax)
  o = tide.options("handle", o, options)
  local kind = o.kind or "point"
  if not KINDS[kind] then
    local near = type(kind) == "string" and tide.nearest(kind, { "point", "x", "y", "rect" })
    fail(("there is no kind '%s'%s (kinds: point, x, y, rect)"):format(tostring(kind),
      near and ("; did you mean '%s'?"):format(near) or ""))
  end
  local fields = fields_of(kind, o, true)
  fields.axes = axes
  fields.v = values_of(kind, o)
  fields.name = o.name or ""
  local h = setmetatable({ ax = ax, fig = fig, kind = kind, name = o.name }, Handle)
  h.calls = event.callbacks("handle", EVENTS)
  h.serial = grab.add(fig, kind, fields)
  local v = { grab.bound(fig, h.serial, table.unpack(fields.v)) }
  grab.set(fig, h.serial, { v = v, start = v })
  event.attach(fig, h.serial, h)
  local stage = event.stage(fig)
  stage.handles = stage.handles or {}
  table.insert(stage.handles, h)
  return h
end

-- x, y of a point; x or y of a line; x0, y0, x1, y1 of a rect.
function Handle:get()
  local v = { grab.get(self.fig, self.serial, "v") }
  return table.unpack(v, 1, #KINDS[self.kind])
end

-- Moves it, as a script: nothing is called. Limits and snap hold.
function Handle:set(o)
  o = tide.options("handle:set", o, options)
  local f = fields_of(self.kind, o)
  if o.kind ~= nil and o.kind ~= self.kind then fail("the kind stays as it is") end
  grab.set(self.fig, self.serial, f)
  local v = values_of(self.kind, o, { self:get() })
  grab.set(self.fig, self.serial, { v = { grab.bound(self.fig, self.serial, table.unpack(v)) } })
  return self
end

-- Moves it, as a person does: press, drag and release are called.
function Handle:drag(...)
  local v = { ... }
  if #v ~= #KINDS[self.kind] then
    fail(("drag needs %s"):format(table.concat(KINDS[self.kind], ", ")))
  end
  for i = 1, #v do
    if not is_number(v[i]) then fail("drag needs numbers") end
  end
  self.calls:call("press", self:get())
  grab.set(self.fig, self.serial, { v = { grab.bound(self.fig, self.serial, table.unpack(v)) } })
  self.calls:call("drag", self:get())
  self.calls:call("release", self:get())
  return self
end

-- on(event, f): f(x, y) of a point; the same numbers as get().
function Handle:on(what, f)
  self.calls:set(what, f)
  return self
end

function Handle:_slow(what) return self.calls:slow(what) end

function Handle:_news(what, _, a, b, c, d)
  local v = { a, b, c, d }
  if self.calls:any(what) then
    self.calls:call(what, table.unpack(v, 1, #KINDS[self.kind]))
  end
end

function Handle:remove()
  local stage = event.stage(self.fig)
  for i = #(stage.handles or {}), 1, -1 do
    if stage.handles[i] == self then table.remove(stage.handles, i) end
  end
  event.detach(self.fig, self.serial)
  grab.remove(self.fig, self.serial)
end

function Handle:__tostring()
  local v = { self:get() }
  for i = 1, #v do v[i] = ("%s %.4g"):format(KINDS[self.kind][i], v[i]) end
  return ("handle (%s): %s"):format(self.kind, table.concat(v, ", "))
end

Handle._dims = DIMS
return Handle
