-- json.lua -- writes Lua values as JSON text, and reads them.

local json = {}

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

-- Values that plain Lua has no form for: null inside a table, and a list even if it is empty.
json.null = setmetatable({}, { __tostring = function() return "null" end })
local List = {}
function json.list(t) return setmetatable(t or {}, List) end

local style                        -- how encode writes, see json.encode

local function escape(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end

local function quote(s)
  return '"' .. s:gsub(style.control, escape) .. '"'
end

-- JSON has no NaN and no infinity: they become null. Floats have nine digits, or as many as it
-- takes to read the same number back, which is then a float again.
local function number(x)
  if math.type(x) == "integer" then return tostring(x) end
  if x ~= x or x == math.huge or x == -math.huge then return "null" end
  if not style.exact then return (("%.9g"):format(x)) end
  local text
  for digits = 15, 17 do
    text = ("%." .. digits .. "g"):format(x)
    if tonumber(text) == x then break end
  end
  return text:find "[.e]" and text or text .. ".0"
end

local function sorted_keys(t)
  local keys = {}
  for k in pairs(t) do
    if type(k) ~= "string" then
      error("json: a table is either a list or has string keys, not a key " ..
            tostring(k), 0)
    end
    keys[#keys + 1] = k
  end
  table.sort(keys)
  return keys
end

local encode

local function list(t, pad)
  local parts, flat = {}, style.flat
  for i = 1, #t do
    if type(t[i]) == "table" then flat = false end
    parts[i] = encode(t[i], pad .. style.indent)
  end
  if #parts == 0 then return "[]" end
  if flat then return "[" .. table.concat(parts, ", ") .. "]" end
  local inner = "\n" .. pad .. style.indent
  return "[" .. inner .. table.concat(parts, "," .. inner) .. "\n" .. pad .. "]"
end

local function object(t, pad)
  local parts, inner = {}, pad .. style.indent
  for _, k in ipairs(sorted_keys(t)) do
    parts[#parts + 1] = inner .. quote(k) .. ": " .. encode(t[k], inner)
  end
  if #parts == 0 then return "{}" end
  return "{\n" .. table.concat(parts, ",\n") .. "\n" .. pad .. "}"
end

function encode(v, pad)
  local kind = type(v)
  if kind == "number" then return number(v) end
  if kind == "string" then return quote(v) end
  if kind == "boolean" then return tostring(v) end
  if kind == "nil" or v == json.null then return "null" end
  if kind ~= "table" then
    error("json: a " .. kind .. " has no JSON form", 0)
  end
  return (#v > 0 or getmetatable(v) == List) and list(v, pad) or object(v, pad)
end

local ours = { indent = "  ", flat = true, control = '[%c"\\\127]' }
local exactly = { indent = "  ", flat = true, control = '[%c"\\\127]', exact = true }
local python = { indent = " ", control = '[%z\1-\31"\\]', exact = true }

-- Text of v, names in order; a table with v[1] is a list. exact: floats are read back as they
-- were; "python": the same, laid out as Python's json.dumps(v, indent=1, sort_keys=True,
-- ensure_ascii=False) does, which is how notebooks are kept.
function json.encode(v, exact)
  style = exact == "python" and python or exact and exactly or ours
  return encode(v, "")
end

---- reading ----

local DEEPEST = 200

local function bad(text, at, what)
  local _, line = text:sub(1, at - 1):gsub("\n", "")
  local start = text:sub(1, at - 1):match ".*()\n" or 0
  error({ json = ("line %d, column %d: %s"):format(line + 1, at - start, what) }, 0)
end

local letters = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
                  ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function hex(text, at)
  local code = text:match("^\\u(%x%x%x%x)", at)
  return code and tonumber(code, 16)
end

-- The character of an escape at `at`, and where it ends.
local function escaped(text, at)
  local c = text:sub(at + 1, at + 1)
  if letters[c] then return letters[c], at + 2 end
  local code = hex(text, at)
  if not code then bad(text, at, "an escape that JSON does not have") end
  if code >= 0xd800 and code < 0xdc00 then           -- the first half of a pair
    local low = hex(text, at + 6)
    if low and low >= 0xdc00 and low < 0xe000 then
      return utf8.char(0x10000 + (code - 0xd800) * 0x400 + low - 0xdc00), at + 12
    end
  end
  return utf8.char(code), at + 6
end

local function read_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('["\\%c]', from)
    if not stop then bad(text, at, "a string without an end") end
    parts[#parts + 1] = text:sub(from, stop - 1)
    local c = text:sub(stop, stop)
    if c == '"' then return table.concat(parts), stop + 1 end
    if c ~= "\\" and c ~= "\127" then bad(text, stop, "a control character in a string") end
    if c == "\127" then parts[#parts + 1], from = c, stop + 1
    else parts[#parts + 1], from = escaped(text, stop) end
  end
end

local function read_number(text, at)
  local s, stop = text:match("^(-?%d+%.?%d*[eE]?[+-]?%d*)()", at)
  local v = s and tonumber(s)
  if not v then bad(text, at, "neither a value nor an end") end
  return v, stop
end

local words = { ["true"] = true, ["false"] = false }
local read_value
local whole                        -- null and lists are kept as they are

local function skip(text, at) return text:match("^[ \t\r\n]*()", at) end

-- Calls item(at) for what stands between commas; returns where the end is.
local function each(text, at, close, item)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then return at + 1 end
  while true do
    at = skip(text, item(at))
    local c = text:sub(at, at)
    if c == close then return at + 1 end
    if c ~= "," then bad(text, at, "a comma or " .. close .. " is missing") end
    at = skip(text, at + 1)
  end
end

local function read_object(text, at, depth)
  local t = {}
  return t, each(text, at, "}", function(from)
    if text:sub(from, from) ~= '"' then bad(text, from, "a name in quotes is missing") end
    local key, value
    key, from = read_string(text, from)
    from = skip(text, from)
    if text:sub(from, from) ~= ":" then bad(text, from, "a colon is missing") end
    value, from = read_value(text, skip(text, from + 1), depth)
    t[key] = value
    return from
  end)
end

local function read_list(text, at, depth)
  local t, n = whole and json.list() or {}, 0
  return t, each(text, at, "]", function(from)
    local value
    value, from = read_value(text, from, depth)
    n = n + 1
    t[n] = value == nil and 0 / 0 or value
    return from
  end)
end

function read_value(text, at, depth)
  if depth > DEEPEST then bad(text, at, "nested too deeply") end
  local c = text:sub(at, at)
  if c == "{" then return read_object(text, at, depth + 1) end
  if c == "[" then return read_list(text, at, depth + 1) end
  if c == '"' then return read_string(text, at) end
  local word = text:match("^%a+", at)
  if word == "null" then return whole and json.null or nil, at + 4 end
  if words[word] ~= nil then return words[word], at + #word end
  return read_number(text, at)
end

-- The value of a JSON text, or nil and what is wrong with it.  null is nil, and
-- NaN inside a list.  all: null is json.null and lists know that they are lists, so
-- that encode writes what was read.
function json.decode(text, all)
  whole = all
  local ok, value, stop = pcall(read_value, text, skip(text, 1), 1)
  if ok then
    stop = skip(text, stop)
    if stop > #text then return value end
    value = { json = ("there is more after the value, at byte %d"):format(stop) }
  end
  if type(value) ~= "table" then error(value, 0) end
  return nil, value.json
end

return json
