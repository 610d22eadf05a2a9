-- json.lua -- writes Lua values as JSON text.

local json = {}

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

local function quote(s)
  return '"' .. s:gsub('[%c"\\\127]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

-- JSON has no NaN and no infinity: they become null.
local function number(x)
  if math.type(x) == "integer" then return tostring(x) end
  if x ~= x or x == math.huge or x == -math.huge then return "null" end
  return (("%.9g"):format(x))
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
  local parts, flat = {}, true
  for i = 1, #t do
    if type(t[i]) == "table" then flat = false end
    parts[i] = encode(t[i], pad .. "  ")
  end
  if flat then return "[" .. table.concat(parts, ", ") .. "]" end
  return "[\n" .. pad .. "  " .. table.concat(parts, ",\n" .. pad .. "  ") ..
    "\n" .. pad .. "]"
end

local function object(t, pad)
  local parts = {}
  for _, k in ipairs(sorted_keys(t)) do
    parts[#parts + 1] = pad .. "  " .. quote(k) .. ": " ..
      encode(t[k], pad .. "  ")
  end
  if #parts == 0 then return "{}" end
  return "{\n" .. table.concat(parts, ",\n") .. "\n" .. pad .. "}"
end

function encode(v, pad)
  local kind = type(v)
  if kind == "number" then return number(v) end
  if kind == "string" then return quote(v) end
  if kind == "boolean" then return tostring(v) end
  if kind == "nil" then return "null" end
  if kind ~= "table" then
    error("json: a " .. kind .. " has no JSON form", 0)
  end
  return #v > 0 and list(v, pad) or object(v, pad)
end

-- Text of v with two-space indents; a table with v[1] is a list.
function json.encode(v) return encode(v, "") end

return json
