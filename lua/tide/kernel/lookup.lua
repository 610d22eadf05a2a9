-- lookup.lua -- what a notebook asks while one types: completions, help on a name, is it complete?
--
-- Jupyter counts positions in Unicode characters, Lua in bytes.
local complete = require("tide.shell.complete")
local json = require("tide.json")
local statement = require("tide.shell.statement")
local M = {}

local KINDS = { keyword = "keyword", module = "module", field = "property", method = "function",
  ["function"] = "function", class = "class", option = "param", choice = "text", file = "path",
  ["local"] = "instance", global = "instance", value = "instance" }

-- Bytes before position pos (characters before the cursor), and back.
local function bytes_before(text, pos)
  local n = utf8.len(text, 1, -1, true)
  if not n then return math.min(pos, #text) end
  return utf8.offset(text, math.max(0, math.min(pos, n)) + 1) - 1
end

local function characters(text, bytes)
  return bytes <= 0 and 0 or utf8.len(text, 1, bytes, true) or bytes
end

-- Content of a complete_reply.
function M.complete(session, text, pos)
  local cursor = bytes_before(text, pos or 0)
  local answer = complete.at(text, cursor, { locals = session:locals() })
  local first = characters(text, answer.from - 1)
  local matches, types = json.list(), json.list()
  for i, item in ipairs(answer.items) do
    matches[i] = item.text
    types[i] = { start = first, ["end"] = pos, text = item.text, type = KINDS[item.kind] or item.kind or "" }
  end
  return { status = "ok", matches = matches, cursor_start = first, cursor_end = pos,
    metadata = { _jupyter_types_experimental = #types > 0 and types or nil } }
end

-- The dotted name at the cursor; else that of the function whose arguments are being written.
local function name_at(text, cursor)
  local at = 1
  while true do
    local from, to = text:find("[%a_][%w_]*", at)
    if not from or from > cursor + 1 then break end
    while true do
      local _, more = text:find("^[.:][%a_][%w_]*", to + 1)
      if not more or to >= cursor then break end
      to = more
    end
    if to >= cursor then return text:sub(from, to) end
    at = to + 1
  end
  local depth = 0
  for i = cursor, 1, -1 do
    local c = text:sub(i, i)
    if c:find("[)}%]]") then depth = depth + 1 end
    if c:find("[({%[]") then
      depth = depth - 1
      if depth < 0 then
        local name = text:sub(1, i - 1):match("([%a_][%w_.:]*)%s*$")
        if name then return name end
        depth = 0
      end
    end
  end
end

-- The value of a dotted name, without running anything: known, value.
local function value_of(session, name)
  local locals = session:locals()
  local first, rest = name:match("^([%a_][%w_]*)(.*)$")
  local v = locals[first]
  if v == nil then v = rawget(_G, first) end
  for part in rest:gmatch("[.:]([%a_][%w_]*)") do
    if type(v) ~= "table" then return nil end
    v = rawget(v, part)
  end
  return v
end

-- Help on what stands at the cursor, or nil.
function M.inspect(session, text, pos)
  local name = name_at(text, bytes_before(text, pos or 0))
  if not name then return nil end
  local help, topic = require("tide.help"), require("tide.shell.help").topic(name)
  local v = value_of(session, name)
  if v == nil and topic == name and not help.known(name) then
    local first, method = name:match("^([%a_][%w_]*)[.:]([%a_][%w_]*)$")
    local object = first and value_of(session, first)
    if object == nil then return nil end
    local tensor = require("tide").tensor
    topic = tensor.is_tensor(object) and "tensor." .. method
      or type(object) == "table" and object[method] or nil
    if topic == nil or type(topic) == "string" and not help.known(topic) then return nil end
  end
  if v ~= nil and not help.known(name) then topic = v end
  if type(topic) == "string" and not help.known(topic) then return require("tide.shell.show").format(v) end
  local found = help.text(topic)
  if v ~= nil and v ~= topic and type(v) ~= "function" and not help.known(name) then
    found = name .. " = " .. require("tide.shell.show").format(v, { lines = 8 }) .. "\n\n" .. found
  end
  return found
end

-- Content of an is_complete_reply.  The scratch session keeps none of it.
local scratch

function M.is_complete(text)
  local current = statement.current
  scratch = scratch or statement.session()
  statement.current = current
  local entry = scratch:read(text)
  if entry.status == "incomplete" then
    return { status = "incomplete", indent = (" "):rep(entry.indent or 0) }
  end
  return { status = entry.status == "invalid" and "invalid" or "complete" }
end

return M
