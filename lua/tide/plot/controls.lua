-- controls.lua -- fig:controls: sliders, toggles, menus, buttons and texts below the axes.
--
-- The model needs no window: controls:list() says what there is, controls:set(name, value)
-- does what a person does. Windows and notebooks show the same controls.

local tide = require "tide"
local grab = require "tide.plot.grab"
local event = require "tide.plot.event"

local Controls = {}

local RESERVED = { order = true, hide = true, columns = true, side = true }
local own = setmetatable({}, { __mode = "k" })   -- what a controls object holds

---- what a person wrote for one control ----

local function fail(name, text) tide.raise(("controls: %s: %s"):format(name, text)) end

local function check_keys(name, spec, keys)
  local named = {}
  for k, v in pairs(spec) do
    if math.type(k) ~= "integer" then named[k] = v end
  end
  tide.options("controls: " .. name, named, keys)
end

local function is_number(v) return type(v) == "number" and v == v and math.abs(v) < math.huge end

local function check_format(name, format)
  local plain = type(format) == "string" and format:gsub("%%%%", "")
  if format ~= nil and not (plain and select(2, plain:gsub("%%", "")) == 1
     and plain:find "%%[-+ 0#]*%d?%d?%.?%d?%d?[efgEG]") then
    fail(name, "format is a string with one number, as in \"%.2f s\"")
  end
end

local common = { "name", "label", "live", "hide", "value", "kind" }

local function keys_of(...)
  return table.move({ ... }, 1, select("#", ...), #common + 1, table.move(common, 1, #common, 1, {}))
end

local read = {}

function read.slider(name, s)
  check_keys(name, s, keys_of("log", "integer", "step", "format"))
  local lo, hi = s[1], s[2]
  if not (is_number(lo) and is_number(hi) and lo < hi) then
    fail(name, "a slider is { lowest, highest, value = ... }, both numbers, the lower one first")
  end
  if s.log and lo <= 0 then fail(name, "a logarithmic slider begins above 0, not at " .. lo) end
  if s.step ~= nil and not (is_number(s.step) and s.step > 0 and s.step <= hi - lo) then
    fail(name, "step is a number above 0 and inside the range")
  end
  if s.integer and (lo % 1 ~= 0 or hi % 1 ~= 0) then
    fail(name, "a slider of whole numbers begins and ends with one")
  end
  check_format(name, s.format)
  local value = s.value == nil and lo or s.value
  if not is_number(value) or value < lo or value > hi then
    fail(name, ("value %s is not between %s and %s"):format(tostring(value), lo, hi))
  end
  return { lo = { lo }, hi = { hi }, snap = { s.step or 0 }, log = s.log and true or false,
    integer = s.integer and true or false, format = s.format, v = { value } }
end

local function index_of(list, v)
  for i, x in ipairs(list) do
    if x == v then return i end
  end
end

local function choice(name, choices, v)
  local i = index_of(choices, v)
  if i then return i - 1 end
  local near = type(v) == "string" and tide.nearest(v, choices)
  fail(name, ("there is no choice '%s'%s (choices: %s)"):format(tostring(v),
    near and ("; did you mean '%s'?"):format(near) or "", table.concat(choices, ", ")))
end

function read.menu(name, s)
  check_keys(name, s, keys_of("choices", "keys"))
  local choices = {}
  for i, c in ipairs(s.choices or s) do
    if type(c) ~= "string" or c == "" then fail(name, "the choices of a menu are strings") end
    if index_of(choices, c) then fail(name, ("there are two choices '%s'"):format(c)) end
    choices[i] = c
  end
  if #choices == 0 then fail(name, "a menu needs choices") end
  local value = s.value == nil and choices[1] or s.value
  return { choices = choices, keys = s.keys and true or false, v = { choice(name, choices, value) } }
end

function read.toggle(name, s)
  check_keys(name, s, keys_of())
  if s.value ~= nil and type(s.value) ~= "boolean" then fail(name, "value is true or false") end
  return { v = { s.value and 1 or 0 } }
end

function read.button(name, s)
  check_keys(name, s, keys_of("press"))
  if s.press ~= nil and not tide.callable(s.press) then fail(name, "press is a function") end
  return { v = { 0 } }
end

function read.text(name, s)
  check_keys(name, s, keys_of("text", "rows"))
  local rows = s.rows or 1
  if math.type(rows) ~= "integer" or rows < 1 or rows > 8 then
    fail(name, "rows is a whole number from 1 to 8")
  end
  return { note = tostring(s.text or s.value or ""), v = { 0 }, size = rows }
end

-- What kind it is, when that is not said.
local function kind_of(name, s)
  if s.kind ~= nil then
    if type(s.kind) ~= "string" or not read[s.kind] then
      local kinds = { "slider", "toggle", "menu", "button", "text" }
      local near = type(s.kind) == "string" and tide.nearest(s.kind, kinds)
      fail(name, ("there is no kind '%s'%s (kinds: %s)"):format(tostring(s.kind),
        near and ("; did you mean '%s'?"):format(near) or "", table.concat(kinds, ", ")))
    end
    return s.kind
  end
  if s.press ~= nil then return "button" end
  if s.text ~= nil then return "text" end
  if type(s[1]) == "number" then return "slider" end
  if type(s[1]) == "string" or s.choices then return "menu" end
  if type(s.value) == "boolean" then return "toggle" end
  fail(name, "not understood: { lowest, highest } is a slider, { \"one\", \"two\" } a menu, true or " ..
    "false a toggle, a function a button, { text = ... } a text")
end

local function spec_of(name, s)
  if type(s) == "boolean" then return { value = s } end
  if tide.callable(s) and type(s) ~= "table" then return { press = s } end
  if type(s) ~= "table" then
    fail(name, ("a table, a boolean or a function is needed, not a %s"):format(type(s)))
  end
  return s
end

---- one control ----

local Control = {}
Control.__index = Control

local function value_of(c)
  if c.kind == "text" then return c.text end
  local v = grab.get(c.fig, c.serial, "v")
  if c.kind == "toggle" then return v ~= 0 end
  if c.kind == "menu" then return c.choices[math.tointeger(v) + 1] end
  if c.kind == "slider" and c.integer then return math.tointeger(v) or v end
  if c.kind == "slider" then return v end
  return nil                       -- a button has no value
end

-- The number that the widget keeps for a value.
local function number_of(c, v)
  if c.kind == "slider" then
    if not is_number(v) then fail(c.name, "a number is needed, not " .. tostring(v)) end
    if v < c.min or v > c.max then
      fail(c.name, ("%s is not between %s and %s"):format(v, c.min, c.max))
    end
    return (grab.bound(c.fig, c.serial, v))
  end
  if c.kind == "toggle" then
    if type(v) ~= "boolean" then fail(c.name, "true or false is needed, not " .. tostring(v)) end
    return v and 1 or 0
  end
  return choice(c.name, c.choices, v)
end

-- Tells what hears it; once for each value.
local function tell(c)
  local set = own[c.controls]
  local v = value_of(c)
  if c.kind == "button" then
    set.calls:call(c.name, c.controls)
  elseif v == c.told then
    return
  else
    c.told = v
    set.calls:call(c.name, v, c.controls)
  end
  set.calls:call("", c.name, v, c.controls)
  if not c.live then
    for _, f in ipairs(set.resets) do f(c.name) end
  end
end

function Control:_slow(what)
  local calls = own[self.controls].calls
  return what == "drag" and (calls:slow(self.name) or calls:slow(""))
end

function Control:_news(what)
  if what == "drag" and not self.live then return end
  if what == "drag" or what == "release" then tell(self) end
end

---- all controls of a figure ----

-- The names in the order in which they are shown.
local function order_of(list, o)
  local names, seen = {}, {}
  for i, s in ipairs(list) do
    if type(s) ~= "table" or type(s.name) ~= "string" then
      tide.raise(("controls: entry %d of the list needs a name, as in { name = \"lr\", 0, 1 }"):format(i))
    end
    names[#names + 1] = s.name
  end
  for _, name in ipairs(o.order or {}) do
    if list[name] == nil then tide.raise(("controls: order names '%s', which is not there"):format(name)) end
    names[#names + 1] = name
  end
  for _, name in ipairs(names) do
    if seen[name] then tide.raise(("controls: there are two controls '%s'"):format(name)) end
    seen[name] = true
  end
  local rest = {}
  for name in pairs(list) do
    if type(name) == "string" and not RESERVED[name] and not seen[name] then rest[#rest + 1] = name end
  end
  table.sort(rest)
  return table.move(rest, 1, #rest, #names + 1, names)
end

local function hidden_set(hide)
  local set = {}
  for _, name in ipairs(hide or {}) do set[name] = true end
  return set
end

local function add(controls, fig, name, s, hidden)
  if not name:find "^[%a_][%w_]*$" or #name > 39 then
    tide.raise(("controls: '%s' is no name: letters, digits and _, at most 39"):format(name))
  end
  if Controls[name] or RESERVED[name] then
    tide.raise(("controls: a control cannot be called '%s'"):format(name))
  end
  s = spec_of(name, s)
  local kind = kind_of(name, s)
  local fields = read[kind](name, s)
  local live = s.live ~= false
  if s.label ~= nil and type(s.label) ~= "string" then fail(name, "label is a string") end
  fields.name, fields.label = name, s.label or name:gsub("_", " ")
  fields.live = live
  fields.hidden = hidden or s.hide == true
  fields.start = { fields.v[1] }
  local c = setmetatable({ controls = controls, fig = fig, name = name, kind = kind,
    label = fields.label, live = live, choices = fields.choices, log = fields.log,
    integer = fields.integer, text = fields.note, step = s.step, format = s.format,
    min = fields.lo and fields.lo[1], max = fields.hi and fields.hi[1], rows = fields.size }, Control)
  c.serial = grab.add(fig, kind, fields)
  c.start = value_of(c)
  c.told = c.start
  event.attach(fig, c.serial, c)
  return c, s.press
end

-- fig:controls{...}: adds controls and returns them; fig:controls(): those that there are.
local function controls_of(fig, list)
  local stage = event.stage(fig)
  if list == nil then
    return stage.controls or tide.raise("controls: this figure has none; fig:controls{ lr = { 0, 1 } }")
  end
  if type(list) ~= "table" then
    tide.raise("controls: a table of controls is needed, as in fig:controls{ lr = { 0, 1 } }")
  end
  local o = { order = list.order, hide = list.hide, columns = list.columns, side = list.side }
  if o.side ~= nil and o.side ~= "below" and o.side ~= "right" then
    tide.raise("controls: side is \"below\" or \"right\", not " .. tostring(o.side))
  end
  if o.columns ~= nil and not (math.type(o.columns) == "integer" and o.columns >= 1 and o.columns <= 12) then
    tide.raise("controls: columns is a whole number from 1 to 12")
  end
  local controls = stage.controls
  if not controls then
    controls = setmetatable({}, Controls)
    own[controls] = { fig = fig, list = {}, by_name = {}, calls = event.callbacks "controls", resets = {} }
  end
  local set, hidden = own[controls], hidden_set(o.hide)
  local by_position = {}
  for _, s in ipairs(list) do if type(s) == "table" and s.name then by_position[s.name] = s end end
  local names = order_of(list, o)
  for name in pairs(hidden) do
    if not (by_position[name] or list[name] ~= nil) then
      tide.raise(("controls: hide names '%s', which is not there"):format(tostring(name)))
    end
  end
  for _, name in ipairs(names) do
    if set.by_name[name] then tide.raise(("controls: there is a control '%s' already"):format(name)) end
    local c, press = add(controls, fig, name, by_position[name] or list[name], hidden[name])
    set.list[#set.list + 1], set.by_name[name] = c, c
    if press then set.calls:set(name, press) end
  end
  if o.columns or o.side then grab.columns(fig, o.columns or 0, o.side == "right") end
  stage.controls = controls
  if stage.on_controls then         -- a player that was there first
    table.insert(set.resets, stage.on_controls)
    stage.on_controls = nil
  end
  return controls
end

local function find(controls, name)
  local c = own[controls].by_name[name]
  if c then return c end
  local names = {}
  for i, k in ipairs(own[controls].list) do names[i] = k.name end
  local near = type(name) == "string" and tide.nearest(name, names)
  tide.raise(("controls: there is no control '%s'%s (controls: %s)"):format(tostring(name),
    near and ("; did you mean '%s'?"):format(near) or "", table.concat(names, ", ")))
end

function Controls:get(name)
  if name ~= nil then return value_of(find(self, name)) end
  local values = {}
  for _, c in ipairs(own[self].list) do values[c.name] = value_of(c) end
  return values
end

-- What a person does: the value changes and what hears it is called. A text only changes.
function Controls:set(name, value)
  if type(name) == "table" then
    for _, c in ipairs(own[self].list) do
      if name[c.name] ~= nil then self:set(c.name, name[c.name]) end
    end
    for k in pairs(name) do find(self, k) end
    return self
  end
  local c = find(self, name)
  if c.kind == "text" then
    c.text = tostring(value)
    grab.set(c.fig, c.serial, { note = c.text })
  elseif c.kind == "button" then
    tell(c)
  else
    grab.set(c.fig, c.serial, { v = { number_of(c, value) } })
    tell(c)
  end
  return self
end

-- on(name, f): f(value, controls) when it changes; a button: f(controls).
-- on(f): f(name, value, controls) for all of them.
function Controls:on(name, f)
  if tide.callable(name) and type(name) ~= "string" then
    own[self].calls:set("", name)
    return self
  end
  find(self, name)
  own[self].calls:set(name, f)
  return self
end

-- What there is, in order, for whoever shows it in another way.
function Controls:list()
  local out = {}
  for i, c in ipairs(own[self].list) do
    out[i] = { name = c.name, kind = c.kind, label = c.label, value = value_of(c), start = c.start,
      min = c.min, max = c.max, step = c.step, log = c.log, integer = c.integer, format = c.format,
      choices = c.choices and table.move(c.choices, 1, #c.choices, 1, {}), live = c.live,
      hidden = grab.get(c.fig, c.serial, "hidden") }
  end
  return out
end

-- Back to the values of the beginning.
function Controls:reset()
  for _, c in ipairs(own[self].list) do
    if c.kind ~= "button" and c.kind ~= "text" then self:set(c.name, c.start) end
  end
  return self
end

-- Other values for what was said: label, hide, fixed; choices of a menu.
function Controls:change(name, o)
  local c = find(self, name)
  o = tide.options("controls:change", o, { "label", "hide", "fixed", "choices" })
  local fields = { label = o.label, hidden = o.hide, fixed = o.fixed }
  if o.choices then
    if c.kind ~= "menu" then fail(name, "only a menu has choices") end
    local value = value_of(c)
    local new = read.menu(name, { choices = o.choices })
    c.choices, fields.choices = new.choices, new.choices
    fields.v = { (index_of(new.choices, value) or 1) - 1 }
  end
  if o.label then c.label = o.label end
  grab.set(c.fig, c.serial, fields)
  if fields.v then tell(c) end
  return self
end

-- For the player: f(name) when a control that is not live changes.
function Controls:_on_reset(f) table.insert(own[self].resets, f) end

function Controls.__index(controls, key)
  local method = rawget(Controls, key)
  if method and key:sub(1, 2) ~= "__" then return method end
  return value_of(find(controls, key))
end

function Controls.__newindex(controls, key, value) Controls.set(controls, key, value) end

-- for name, value in pairs(controls), in order
function Controls.__pairs(controls)
  local i, list = 0, own[controls].list
  return function()
    i = i + 1
    if list[i] then return list[i].name, value_of(list[i]) end
  end
end

function Controls.__tostring(controls)
  local parts = {}
  for name, value in pairs(controls) do
    if type(value) == "number" then value = ("%.4g"):format(value) end
    if value ~= nil then parts[#parts + 1] = ("%s = %s"):format(name, tostring(value)) end
  end
  return "controls: " .. table.concat(parts, ", ")
end
Controls.__name = "tide.plot.Controls"

return { of = controls_of, Controls = Controls }
