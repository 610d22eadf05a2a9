-- state.lua -- fig:state: all that a person can set in a figure, as one short string.
--
--   tide1;c.lr=0.01;c.target=rings;h.1=0.5,1;v.1=-4,4,-4,4;b.1=96:...;p=7,1200
--
-- c. controls, h. handles, v. limits of axes, b. brushes, p seed and step of the player.

local tide = require "tide"
local grab = require "tide.plot.grab"
local event = require "tide.plot.event"
local late = require "tide.plot.late"

local M = {}

local HEAD = "tide1"

local function fail(text) tide.raise("state: " .. text) end

-- The shortest text that reads back as the same number.
local function number(v)
  if math.type(v) == "integer" then return tostring(v) end
  for digits = 6, 17 do
    local text = ("%." .. digits .. "g"):format(v)
    if tonumber(text) == v then return text end
  end
  return ("%.17g"):format(v)
end

local function escape(text)
  return (text:gsub("[^%w _.+-]", function(c) return ("%%%02X"):format(c:byte()) end):gsub(" ", "~"))
end

local function unescape(text)
  return (text:gsub("~", " "):gsub("%%(%x%x)", function(h) return string.char(tonumber(h, 16)) end))
end

local function numbers(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = number(t[i]) end
  return table.concat(t, ",")
end

---- writing ----

local function controls_text(stage, add)
  for _, c in ipairs(stage.controls and stage.controls:list() or {}) do
    if c.kind == "slider" then add("c." .. c.name, number(c.value))
    elseif c.kind == "toggle" then add("c." .. c.name, c.value and "1" or "0")
    elseif c.kind == "menu" then add("c." .. c.name, escape(c.value)) end
  end
end

local function write(fig)
  late.settle(fig)
  local stage, parts = event.stage(fig), { HEAD }
  local function add(key, text) parts[#parts + 1] = key .. "=" .. text end
  controls_text(stage, add)
  for i, h in ipairs(stage.handles or {}) do add("h." .. i, numbers(h:get())) end
  for i, lim in ipairs(grab.views(fig)) do
    if lim then add("v." .. i, numbers(table.unpack(lim))) end
  end
  for i, b in ipairs(stage.brushes or {}) do
    if not b:empty() then add("b." .. i, b:_text()) end
  end
  if stage.player then add("p", numbers(stage.player.seed, stage.player.steps)) end
  return table.concat(parts, ";")
end

---- reading ----

local function read_numbers(key, text, n)
  local out = {}
  for word in (text .. ","):gmatch "([^,]*)," do
    local v = tonumber(word)
    if not v or v ~= v or math.abs(v) == math.huge then
      fail(("%s has '%s' for a number"):format(key, word))
    end
    out[#out + 1] = v
  end
  if n and #out ~= n then fail(("%s has %d numbers, not %d"):format(key, #out, n)) end
  return out
end

local function split(text)
  if type(text) ~= "string" then fail("a string of fig:state() is needed, not a " .. type(text)) end
  local head, rest = text:match "^%s*([^;]*)(.-)%s*$"
  if head ~= HEAD then
    fail(("'%s' does not begin with '%s': it is not from fig:state()"):format(
      #text > 40 and text:sub(1, 40) .. "..." or text, HEAD))
  end
  local list = {}
  for part in rest:gmatch ";([^;]*)" do
    local key, value = part:match "^([%w_.]+)=(.*)$"
    if not key then fail(("'%s' is not understood; was a part of the string lost?"):format(part)) end
    list[#list + 1] = { key = key, value = value }
  end
  return list
end

-- What a key means in this figure: a function that sets it. All are made before one is
-- called, so a string of another figure changes nothing.
local readers = {}

function readers.c(stage, name, value)
  local spec
  for _, c in ipairs(stage.controls and stage.controls:list() or {}) do
    if c.name == name then spec = c end
  end
  if not spec then fail(("this figure has no control '%s'; is the string from another one?"):format(name)) end
  local v
  if spec.kind == "slider" then
    v = read_numbers("c." .. name, value, 1)[1]
    if v < spec.min or v > spec.max then
      fail(("c.%s = %s is not between %s and %s"):format(name, value, spec.min, spec.max))
    end
  elseif spec.kind == "toggle" then
    v = value == "1"
  else
    v = unescape(value)
    local found = false
    for _, choice in ipairs(spec.choices) do found = found or choice == v end
    if not found then fail(("control '%s' has no choice '%s'"):format(name, v)) end
  end
  return function() stage.controls:set(name, v) end
end

function readers.h(stage, i, value)
  local h = stage.handles and stage.handles[tonumber(i)]
  if not h then fail(("this figure has no handle %s; is the string from another one?"):format(i)) end
  local v = read_numbers("h." .. i, value, select("#", h:get()))
  return function() h:drag(table.unpack(v)) end
end

function readers.v(stage, i, value)
  local k = math.tointeger(tonumber(i))
  if not k or k < 1 or k > #grab.views(stage.fig) then
    fail(("this figure has no axes %s; is the string from another one?"):format(i))
  end
  local v = read_numbers("v." .. i, value, 4)
  if v[1] == v[2] or v[3] == v[4] then fail(("v.%s: limits are empty"):format(i)) end
  return function() grab.look(stage.fig, k, v) end
end

function readers.b(stage, i, value)
  local b = stage.brushes and stage.brushes[tonumber(i)]
  if not b then fail(("this figure has no brush %s; is the string from another one?"):format(i)) end
  return function()
    if not b:_restore(value) then fail(("b.%s is not a picture of %d x %d cells"):format(i, b.n, b.n)) end
  end
end

function readers.p(stage, _, value)
  local run = stage.player
  if not run then fail "this figure has no player; is the string from another one?" end
  local v = read_numbers("p", value, 2)
  local seed, steps = math.tointeger(v[1]), math.tointeger(v[2])
  if not seed or not steps or seed < 0 or steps < 0 then fail("p has a seed and a step, got " .. value) end
  return function()
    run:reset(seed)
    if steps > 0 then run:run(steps) end
  end
end

local function read(fig, text)
  local stage, actions = event.stage(fig), {}
  for _, part in ipairs(split(text)) do
    local kind, name = part.key:match "^(%a)%.?(.*)$"
    if not kind or not readers[kind] then fail(("'%s' is not understood"):format(part.key)) end
    actions[#actions + 1] = readers[kind](stage, name, part.value)
  end
  if stage.player then stage.player:pause() end
  for _, f in ipairs(actions) do f() end
  return fig
end

-- fig:state(): the string; fig:state(text): brings it back.
function M.state(fig, text)
  if text == nil then return write(fig) end
  return read(fig, text)
end

return M
