-- history.lua -- what the cells of this session were, for history_request.
local json = require("tide.json")
local M = {}

local entries = {}                    -- {line=, input=, output=}

function M.add(line, input)
  entries[#entries + 1] = { line = line, input = input }
end

-- The text that the last cell showed.
function M.output(text)
  if entries[#entries] then entries[#entries].output = text end
end

-- "*" and "?" stand for any characters and for one.
local function lua_pattern(glob)
  local text = glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".")
  return "^" .. text .. "$"
end

local function last(list, n)
  if not n or n >= #list then return list end
  return table.move(list, #list - n + 1, #list, 1, {})
end

local access = {}

function access.tail(o) return last(entries, o.n) end

function access.range(o)
  local list = {}
  if o.session and o.session ~= 0 and o.session ~= 1 then return list end
  for _, e in ipairs(entries) do
    if e.line >= (o.start or 1) and e.line < (o.stop or math.huge) then list[#list + 1] = e end
  end
  return list
end

function access.search(o)
  local list, at, pattern = {}, {}, lua_pattern(o.pattern or "*")
  for _, e in ipairs(entries) do
    if e.input:find(pattern) then
      if o.unique and at[e.input] then table.remove(list, at[e.input]) end
      list[#list + 1] = e
      if o.unique then
        for i, x in ipairs(list) do at[x.input] = i end
      end
    end
  end
  return last(list, o.n)
end

-- Content of a history_reply.
function M.reply(o)
  local find, list = access[o.hist_access_type or "tail"], json.list()
  local number = { "n", "start", "stop", "session" }
  for _, k in ipairs(number) do o[k] = math.type(o[k]) and math.tointeger(o[k]) or nil end
  if o.n and o.n < 0 then o.n = 0 end
  for i, e in ipairs(find and find(o) or {}) do
    local what = e.input
    if o.output then what = json.list { e.input, e.output or json.null } end
    list[i] = json.list { 1, e.line, what }
  end
  return { status = "ok", history = list }
end

return M
