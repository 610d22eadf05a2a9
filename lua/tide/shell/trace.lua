-- trace.lua -- errors as a person at the prompt sees them: the message, the line of source with a
-- mark, and a traceback without the frames of the library.
--
--   trace.source(chunk, text)   the prompt says what its chunk "stdin" is made of
--   trace.report(err)           the whole report, for xpcall and stderr
--   trace.text(err, o)          the same with {thread=, level=, color=, bare=}
--   trace.line(message)         only the source line that a message points at, or nil
--   trace.syntax(message, text) for a text that does not load
local tide = require("tide")
local color = require("tide.shell.color")
local M = {}

local FIRST, LAST = 10, 11            -- frames shown of a traceback at both ends
local KEPT = 200                      -- sources that are remembered

-- ---- sources ----

local texts, order = {}, {}           -- of chunks without a file, by the name in messages
local latest                          -- the text of the last one

-- Remembers the text of a chunk, e.g. of what was typed: its name as in messages ("stdin").
function M.source(chunk, text)
  if texts[chunk] == nil then
    order[#order + 1] = chunk
    if #order > KEPT then texts[table.remove(order, 1)] = nil end
  end
  texts[chunk], latest = text, text
end

-- The only line of the last text, with its number, or nil.
local function only_line()
  local n, found, at = 0, nil, nil
  for line in ((latest or "") .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    if line:find("%S") then
      if found then return nil end
      found, at = line, n
    end
  end
  return found, at
end

local function line_of_text(text, n)
  local i = 0
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    i = i + 1
    if i == n then return line end
  end
end

local function line_of_file(path, n)
  local f <close> = io.open(path, "r")
  if not f then return nil end
  for _ = 1, n - 1 do
    if not f:read("L") then return nil end
  end
  return f:read("l")
end

-- Line n of the chunk that messages call `short`; `source` as Lua knows it, where there is a frame.
local function source_line(short, source, n)
  local ok, line = pcall(function()
    if texts[short] then return line_of_text(texts[short], n) end
    local first = source and source:sub(1, 1)
    if first == "@" then return line_of_file(source:sub(2), n) end
    if first == "=" or (not source and short:find("^%[")) then return nil end
    if source then return line_of_text(source, n) end
    return line_of_file(short, n)
  end)
  if ok and line and line:find("%S") and #line <= 400 then return line end
end

-- ---- the mark ----

local function word_at(line, word, from)
  local at = from or 1
  while true do
    local s, e = line:find(word, at, true)
    if not s then return nil end
    local inside = word:find("^[%w_]") and line:sub(s - 1, s - 1):find("[%w_]")
      or word:find("[%w_]$") and line:sub(e + 1, e + 1):find("[%w_]")
    if not inside then return s, e end
    at = s + 1
  end
end

-- The word that the message is about: 'name' in its last pair of quotes that the line has.
local function marked(line, message)
  if message:find("<eof>", 1, true) then return #line + 1, #line + 1 end
  local found
  for word in message:gmatch("'([^']+)'") do
    local s, e = word_at(line, word)
    if not s and word:find("^[%w_]+%.[%w_.]+$") then s, e = word_at(line, word:match("[%w_]+$")) end
    if s then
      local again = word_at(line, word, e + 1)
      local last = message:find("near '", 1, true)
      found = (not again or last) and { s, e } or found
    end
  end
  if not found then
    -- "matmul: sizes differ", of the library
    local name = message:gsub("^debug%.nan: ", ""):match("^([%a_][%w_.]*):")
    local s, e
    if name then s, e = word_at(line, name) end
    if name and not s then
      name = name:match("[%w_]+$") or name
      s, e = word_at(line, name)
    end
    if s and not word_at(line, name, e + 1) then found = { s, e } end
  end
  if found then return found[1], found[2] end
end

-- The source line as two or three lines of text: "  12 | local x = y.z" and the mark below.
local function excerpt(line, n, message, paint)
  local number = ("%5d"):format(n)
  line = line:gsub("\t", "  ")
  local s, e = marked(line, message)
  local bar = paint("note", " | ")
  if not s then return paint("mark", (number:gsub("^ ", ">"))) .. bar .. line end
  return paint("note", number) .. bar .. line .. "\n" .. (" "):rep(#number) .. bar ..
    (" "):rep(color.width(line:sub(1, s - 1))) ..
    paint("mark", ("^"):rep(math.max(1, color.width(line:sub(s, e)))))
end

-- "chunk:12: text" in parts
local function split(message)
  local short, n, text = message:match("^([^\n]-):(%d+): ?(.*)$")
  return short, math.tointeger(tonumber(n)), text
end

-- The excerpt that a message of Lua points at, or nil; for stderr.
function M.line(message)
  local short, n, text = split(message)
  if not short then return nil end
  local line = source_line(short, nil, n)
  return line and excerpt(line, n, text, color.painter(color.wanted(2)))
end

-- The message of a text that does not load, with its line; for stderr.
function M.syntax(message, text)
  local _, n, what = split(message)
  local line = n and line_of_text(text, n)
  if not line or not line:find("%S") or #line > 400 then return message end
  local paint = color.painter(color.wanted(2))
  return paint("error", message) .. "\n" .. excerpt(line, n, what, paint)
end

-- ---- a name that is not there ----

-- The nearest of the names that fit there, one that goes on as this does, or one of that name elsewhere.
local function known_like(name, before)
  local session = require("tide.shell.statement").current
  local env = { locals = session and session:locals() }
  local items = require("tide.shell.complete").at(before, #before, env).items
  local names, longer, elsewhere = {}, nil, nil
  for i, item in ipairs(items) do
    names[i] = item.text
    if not longer and #name > 2 and item.text:sub(1, #name) == name then longer = item.text end
  end
  for full in pairs(require("tide.doc").all()) do
    local fits = full:match("[.:]([%w_]+)$") == name
    if fits and (not elsewhere or #full < #elsewhere or #full == #elsewhere and full < elsewhere) then
      elsewhere = full
    end
  end
  return tide.nearest(name, names) or longer, elsewhere
end

-- "; did you mean 'sum'?" for a field or a global that is nil, on a line of what was typed.
local function suggestion(line, message)
  local kind, name = message:match("^attempt to .* a nil value %((%a+) '([%a_][%w_]*)'%)")
  local s = kind and marked(line, message)
  local before = kind == "global" and "" or s and line:sub(1, s - 1):match("^.*[%w_%])]%s*[.:]%s*$")
  if not before or kind ~= "global" and kind ~= "field" and kind ~= "method" then return "" end
  local ok, near, elsewhere = pcall(known_like, name, before)
  if not ok then return "" end
  return near and ("; did you mean '%s'?"):format(near) or elsewhere and "; there is " .. elsewhere or ""
end

-- ---- frames ----

local function is_library(info)
  return info.source:sub(1, 6) == "=tide/"
end

local library                         -- [function] = "tide.flow.train", of what is loaded

local function library_name(f)
  if not library then                 -- anew for each report
    library = setmetatable({}, { __mode = "k" })
    local function add(prefix, t)
      for k, v in next, t do
        local name = type(k) == "string" and type(v) == "function" and v ~= tide.raise and prefix .. k
        if name and (not library[v] or #name < #library[v]) then library[v] = name end
      end
    end
    for name, m in next, package.loaded do
      local own = type(name) == "string" and (name == "tide" and name or name:match("^tide%.(.*)$"))
      if own and type(m) == "table" then add(own .. ".", m) end
    end
  end
  return library[f]
end

-- Names of standard functions, as tracebacks have them ("string.rep").
local function global_name(f)
  for name, m in next, package.loaded do
    if type(m) == "table" and type(name) == "string" and not name:find("^tide") then
      for k, v in next, m do
        if v == f and type(k) == "string" then return name == "_G" and k or name .. "." .. k end
      end
    end
  end
end

-- Is it the function around an entry of the prompt that knows its locals?
local function is_entry(info)
  local text = texts[info.short_src]
  return text and info.linedefined == 1 and info.lastlinedefined > select(2, text:gsub("\n", "")) + 1
end

local function frame_text(info)
  local place = info.currentline > 0 and ("%s:%d:"):format(info.short_src, info.currentline)
    or info.short_src .. ":"
  local name = global_name(info.func)
  local what
  if name then what = ("function '%s'"):format(name)
  elseif info.namewhat ~= "" then what = ("%s '%s'"):format(info.namewhat, info.name)
  elseif info.what == "main" or is_entry(info) then what = "main chunk"
  elseif info.what ~= "C" then
    what = ("function <%s:%d>"):format(info.short_src, info.linedefined)
  else what = "?" end
  return place .. " in " .. what .. (info.istailcall and "\n\t(...tail calls...)" or "")
end

-- What debug.getinfo says of the frames from `level` of the caller on, innermost first: all of them,
-- or those at both ends with the number left out, {skipped=}, between.  The end of a deep stack is
-- found by doubling, since getinfo is slow there.
local function frames(thread, level)
  local list, high = {}, 64
  local get, what = debug.getinfo, "nSltf"
  local at = thread and function(i) return get(thread, level + i, what) end
    or function(i) return (get(level + 3 + i, what)) end  -- no tail call: it is a level
  while at(high) do high = high * 2 end
  local low = high // 2
  while high > 64 and high - low > 1 do
    local mid = (low + high) // 2
    if at(mid) then low = mid else high = mid end
  end
  for i = 0, high - 1 do
    local skip = high > 64 and i >= 2 * FIRST and i < high - LAST
    if skip and i == 2 * FIRST then list[#list + 1] = { skipped = high - LAST - i } end
    local info = not skip and at(i)
    if not skip and not info then break end
    if info then list[#list + 1] = info end
  end
  return list
end

-- Frames as {text=} or, for runs of the library's, {library=true, name= of the outermost}.
local function folded(infos)
  local list = {}
  for _, info in ipairs(infos) do
    local last = list[#list]
    local name = info.func and library_name(info.func)
    if info.skipped then
      list[#list + 1] = { text = ("...\t(skipping %d levels)"):format(info.skipped) }
    elseif is_library(info) or (info.what == "C" and name) then
      if not last or not last.library then
        last = { library = true }
        list[#list + 1] = last
      end
      last.name = name or last.name
    elseif not (info.what == "C" and last and last.library and not global_name(info.func)) then
      local text = frame_text(info)
      if last and last.text == text then
        last.count = last.count + 1
      elseif text ~= "[C]: in ?" then
        list[#list + 1] = { text = text, count = 1 }
      end
    end
  end
  return list
end

-- A traceback without our own frames: those between the user's are one line, those below the
-- first of the user's (the prompt) are left out.
local function traceback(infos, paint)
  local list, out = folded(infos), {}
  while #list > 0 and list[#list].library do list[#list] = nil end
  for _, f in ipairs(list) do
    local name = f.name and ("(in tide: %s)"):format(f.name) or "(in tide)"
    local times = (f.count or 1) > 1 and paint("note", (" (%d times)"):format(f.count)) or ""
    out[#out + 1] = "\t" .. (f.library and paint("note", name) or f.text .. times)
  end
  if #out == 0 then return nil end
  return paint("note", "stack traceback:") .. "\n" .. table.concat(out, "\n")
end

-- ---- the report ----

local function message_of(err)
  if type(err) == "string" or type(err) == "number" then return tostring(err) end
  local meta = debug.getmetatable(err)
  if type(meta) == "table" and rawget(meta, "__tostring") then
    local ok, text = pcall(tostring, err)
    if ok then return text, true end
  end
  local text = ("(error object is a %s value)"):format(type(err))
  if type(err) == "table" then
    text = text .. " " .. require("tide.shell.show").format(err, { depth = 2, lines = 5 })
  end
  return text
end

-- The report of an error, for message handlers. Options: thread (default: this one), level (how many
-- callers of this function do not count; default 1, the handler), color, bare (no traceback).
function M.text(err, o)
  o, library = o or {}, nil
  local infos = frames(o.thread, o.thread and (o.level or 0) or (o.level or 1) + 1)
  local paint = color.painter(o.color)
  local message, own = message_of(err)
  if own then return paint("error", message) end
  local out = { paint("error", message) }
  local short, n, text = split(message)
  if short and short:find("^tide/.*%.lua$") then  -- no frame of the user's is left: a tail call
    short, out[1] = nil, paint("error", text)
    local line, at = only_line()
    if line then out[2] = excerpt(line, at, text, paint) end
  end
  if short then
    local source
    for _, info in ipairs(infos) do
      if info.short_src == short then
        source = info.source
        break
      end
    end
    local line = source_line(short, source, n)
    if line and texts[short] then out[1] = paint("error", message .. suggestion(line, text)) end
    if line then out[#out + 1] = excerpt(line, n, text, paint) end
  end
  if not o.bare then out[#out + 1] = traceback(infos, paint) end
  return table.concat(out, "\n")
end

-- Message handler for xpcall: the report, coloured where stderr is a terminal.
function M.report(err)
  local text = M.text(err, { color = color.wanted(2) })
  return text
end

-- The same for a handler in C that calls this function.
function M.handle(err)
  local text = M.text(err, { level = 2, color = color.wanted(2) })
  return text
end

return M
