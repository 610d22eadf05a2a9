-- show.lua -- values as people want to see them: tide.show, tide.format and the echo of the prompt.
--
-- Only what is shown is looked at, so a table with millions of entries costs no more than a small
-- one: every table stops after `items` entries, the whole after `lines` lines, with a count of what
-- is left out.  Fields are read raw; of the user's code only __tostring runs, and its errors are
-- shown in its place.
local tide = require("tide")
local color = require("tide.shell.color")
local core = require("tide.shell.core")
local M = {}

local SORTED = 5000                   -- keys of a table that are sorted; more are only counted,
local COUNTED = 200000                -- and no more than these are looked at

local defaults = {
  "width", "color", depth = 4, items = 100, lines = 50, string = 200,
}

local function grouped(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end
M.grouped = grouped

-- ---- strings ----

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"',
  ["\27"] = "\\e", ["\0"] = "\\0" }

local function escape(c) return escapes[c] or ("\\x%02X"):format(c:byte()) end

-- Escapes the bytes of a string that `class` matches and those that are not UTF-8.
local function escaped(s, class)
  if utf8.len(s) then return (s:gsub(class, escape)) end
  local out, at = {}, 1
  while at <= #s do
    local _, bad = utf8.len(s, at)
    bad = bad or #s + 1
    out[#out + 1] = s:sub(at, bad - 1):gsub(class, escape)
    if bad <= #s then out[#out + 1] = escape(s:sub(bad, bad)) end
    at = bad + 1
  end
  return table.concat(out)
end

-- At most n bytes of s, without half a character at the end.
local function head(s, n)
  if #s <= n then return s end
  while n > 0 and (s:byte(n + 1) or 0) & 0xC0 == 0x80 do n = n - 1 end
  return s:sub(1, n)
end

-- A string in quotes, cut when it is long.
local function quoted(st, s)
  local shown = head(s, st.string)
  local text = st.paint("string", '"' .. escaped(shown, '[%c\127"\\]') .. '"')
  if #shown < #s then
    text = text .. st.paint("note", (" (%s more bytes)"):format(grouped(#s - #shown)))
  end
  return text
end

-- A string as it is, but for control characters; cut when it is very long.
local function bare(st, s)
  local shown, lines, at = head(s, st.width * st.lines), 0, 0
  repeat
    at = shown:find("\n", at + 1, true)
    lines = lines + 1
  until not at or lines == st.lines
  if at then shown = shown:sub(1, at - 1) end
  local text = escaped(shown, "[%z\1-\8\11-\31\127]")
  if #shown < #s then
    text = text .. "\n" .. st.paint("note", ("... %s more bytes"):format(grouped(#s - #shown)))
  end
  return text
end

-- ---- functions and classes ----

local names                           -- of functions that everybody knows: [value] = name

local function library_names()
  if names then return names end
  names = setmetatable({}, { __mode = "k" })
  for _, lib in ipairs { "_G", "string", "table", "math", "io", "os", "debug", "coroutine", "utf8",
    "package" } do
    for k, v in next, package.loaded[lib] or {} do
      if type(v) == "function" then names[v] = lib == "_G" and k or lib .. "." .. k end
    end
  end
  return names
end

-- The documented signature of a function or class, or nil.
local function signature(f)
  local ok, entry = pcall(function() return require("tide.doc").get(f) end)
  return ok and entry and entry.sig or nil
end

local function parameters(f, info)
  local list = {}
  for i = 1, info.nparams do list[i] = debug.getlocal(f, i) end
  if info.isvararg then list[#list + 1] = "..." end
  return table.concat(list, ", ")
end

local function describe_function(st, f)
  local sig = signature(f)
  if sig then return st.paint("word", "function ") .. sig end
  local info, name = debug.getinfo(f, "Su"), library_names()[f]
  if info.what == "C" then
    return st.paint("word", "function ") .. (name or "") .. st.paint("note", name and " (of Lua)"
      or "(in C)")
  end
  local place = ("%s:%d"):format(info.short_src, info.linedefined)
  return st.paint("word", "function") .. "(" .. parameters(f, info) .. ")  " ..
    st.paint("note", place)
end

-- ---- other values ----

-- What __tostring says; errors are shown, but Ctrl-C goes on to the prompt.
local function own_text(v)
  local ok, text = pcall(tostring, v)
  if ok then return text end
  text = type(text) == "string" and text or type(text)
  if text:find("interrupted!", 1, true) then error(text, 0) end
  return ("<error in __tostring: %s>"):format((text:gsub("\n.*", "")))
end

local function meta_field(v, name)
  local meta = debug.getmetatable(v)
  return type(meta) == "table" and rawget(meta, name) or nil
end

local function describe_thread(st, co)
  local info = debug.getinfo(co, 1, "Sl") or debug.getinfo(co, 0, "Sl")
  local place = info and info.currentline and info.currentline > 0 and
    (" at %s:%d"):format(info.short_src, info.currentline) or ""
  return st.paint("word", "coroutine") .. " (" .. coroutine.status(co) .. place .. ")"
end

local function short_tensor(x)
  local text = own_text(x)
  local first, rest = text:match("^([^\n]*)\n(.*)$")
  if not first then return text end
  local ok, n = pcall(x.numel, x)
  rest = rest:gsub("%s+", " ")
  return ok and n <= 8 and #rest <= 60 and first .. " " .. rest or first
end

local function is_plain(v)
  return type(v) == "table" and not meta_field(v, "__tostring")
end

function M.is_module(v)
  return type(v) == "table" and meta_field(v, "__module") == true
end

-- A value that is no plain table, on one line when nested.
local function leaf(st, v, nested)
  local kind = math.type(v) or type(v)
  if kind == "integer" or kind == "float" then return st.paint("number", tostring(v)) end
  if kind == "string" then return nested and quoted(st, v) or bare(st, v) end
  if kind == "nil" or kind == "boolean" then return st.paint("word", tostring(v)) end
  if kind == "function" then return describe_function(st, v) end
  if kind == "thread" then return describe_thread(st, v) end
  if tide.tensor.is_tensor(v) then return nested and short_tensor(v) or own_text(v) end
  if kind == "table" and rawget(v, "__index") and rawget(v, "__name") then
    local sig = signature(v)
    if sig then return st.paint("word", "class ") .. sig end
  end
  local text = bare(st, own_text(v))
  if nested then
    local first, more = text:match("^([^\n]*)(\n?)")
    text = first .. (more ~= "" and " ..." or "")
  end
  return text
end

-- ---- tables: what is in them ----

-- Is key n in the part of the table that is kept as an array?  Then all keys that next gives
-- before it are integers below.
local function in_array(t, n)
  return n >= 4 and next(t, n - 1) == n and next(t, n - 2) == n - 1 and next(t, n - 3) == n - 2
end

local ranks = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local p, q = ranks[type(a)] or 4, ranks[type(b)] or 4
  if p ~= q then return p < q end
  if p <= 2 then return a < b end
  return p == 3 and not a and b
end

-- Keys beyond 1..n in order, how many there are, and whether the count was given up.
local function other_keys(t, n)
  local keys, count, steps = {}, 0, 0
  local from = in_array(t, n) and n or nil
  for k in next, t, from do
    steps = steps + 1
    if steps > COUNTED then return keys, count, true end
    if not (math.type(k) == "integer" and k >= 1 and k <= n) then
      count = count + 1
      if count <= SORTED then keys[count] = k end
    end
  end
  table.sort(keys, before)
  return keys, count, false
end

-- Entries of a table: {key or false, value} each, no more than st.items, and how many are left out
-- as text, or nil.
local function entries_of(st, t)
  local list, n = {}, rawlen(t)
  local shown = math.min(n, st.items)
  for i = 1, shown do list[i] = { false, rawget(t, i) } end
  local keys, count, more = other_keys(t, n)
  for i = 1, math.min(#keys, st.items - shown) do
    list[#list + 1] = { keys[i], rawget(t, keys[i]) }
  end
  return list, n + count - #list, more
end

local reserved = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]):gmatch("%a+") do reserved[word] = true end

local function key_text(st, k)
  if type(k) == "string" and k:find("^[%a_][%w_]*$") and not reserved[k] then
    return st.paint("key", k)
  end
  return "[" .. (is_plain(k) and st.paint("note", tostring(k)) or leaf(st, k, true)) .. "]"
end

local function left_out(st, n, more)
  return st.paint("note", ("... %s%s more"):format(more and "over " or "", grouped(n)))
end

-- ---- tables: how they are laid out ----

local function path_text(st, t)
  return st.paint("note", st.path[t] == "" and "<cycle>" or "<cycle to " .. st.path[t] .. ">")
end

local function title(t)
  local name = meta_field(t, "__name")
  return type(name) == "string" and name .. " " or ""
end

local function step(path, k)
  if type(k) == "string" then return path .. "." .. head(k, 40) end
  return path .. "[" .. tostring(k) .. "]"
end

local inline

-- The text of a nested value on one line of at most `room` columns, or nil.
local function inline_value(st, v, room, depth)
  if is_plain(v) then return inline(st, v, room, depth) end
  if M.is_module(v) and room < 20 then return nil end
  local text = leaf(st, v, true)
  return color.width(text) <= room and text or nil
end

function inline(st, t, room, depth)
  if st.path[t] then return path_text(st, t) end
  local name = title(t)
  if next(t) == nil then return name .. "{}" end
  if depth >= st.depth then return name .. st.paint("note", "{...}") end
  local list, rest, more = entries_of(st, t)
  local out, used = {}, 2 + #name
  st.path[t] = ""
  for i, e in ipairs(list) do
    local start = e[1] and key_text(st, e[1]) .. " = " or ""
    local text = inline_value(st, e[2], room - used - color.width(start), depth + 1)
    if not text or (not e[1] and is_plain(e[2]) and #list > 8) then
      out = nil
      break
    end
    out[i] = start .. text
    used = used + color.width(out[i]) + 2
  end
  st.path[t] = nil
  if not out or used > room + 2 then return nil end
  if rest > 0 then out[#out + 1] = left_out(st, rest, more) end
  return name .. "{" .. table.concat(out, ", ") .. "}"
end

local block

-- A value below a key, on as many lines as it needs.
local function nested(st, v, indent, used, depth, path)
  local text = inline_value(st, v, st.width - #indent - used - 1, depth)
  if text then return text end
  if is_plain(v) then return block(st, v, indent, depth, path) end
  return leaf(st, v, true)
end

-- Takes one more line if there is one.
local function take_line(st)
  if st.left <= 0 then return false end
  st.left = st.left - 1
  return true
end

-- Short entries without keys share lines; returns the entry that comes next.
local function fill(st, out, list, i, indent, depth)
  local line, used = nil, 0
  while i <= #list and not list[i][1] do
    local v = list[i][2]
    local text = not (is_plain(v) and next(v) ~= nil) and inline_value(st, v, 30, depth)
    if not text then break end
    local n = color.width(text) + 2
    if not line or used + n > st.width then
      if not take_line(st) then break end
      if line then out[#out + 1] = indent .. line end
      line, used = text .. ",", #indent + n
    else
      line, used = line .. " " .. text .. ",", used + n
    end
    i = i + 1
  end
  if line then out[#out + 1] = indent .. line end
  return i
end

function block(st, t, indent, depth, path)
  if st.path[t] then return path_text(st, t) end
  if depth >= st.depth then return title(t) .. st.paint("note", "{...}") end
  local list, rest, more = entries_of(st, t)
  local inner, out, i = indent .. "  ", {}, 1
  st.path[t] = path
  while i <= #list do
    local from = i
    i = fill(st, out, list, i, inner, depth + 1)
    if i == from then
      if not take_line(st) then break end
      local k, v = list[i][1], list[i][2]
      local start = k and key_text(st, k) .. " = " or ""
      out[#out + 1] = inner .. start ..
        nested(st, v, inner, color.width(start), depth + 1, step(path, k or i)) .. ","
      i = i + 1
    end
  end
  st.path[t] = nil
  rest = rest + #list - i + 1
  if rest > 0 then out[#out + 1] = inner .. left_out(st, rest, more) end
  return title(t) .. "{\n" .. table.concat(out, "\n") .. "\n" .. indent .. "}"
end

-- ---- modules ----

local sizes = { f64 = 8, i64 = 8, f32 = 4, i32 = 4, bf16 = 2, u8 = 1, bool = 1 }

function M.tensor_bytes(x) return x:numel() * sizes[x.dtype] end

local function dims(t) return "(" .. table.concat(t.shape, ", ") .. ")" end

-- Lines of one module: itself, and its own parameters and buffers.
local function module_lines(st, module, name, tensors, indent)
  local extra = module:extra()
  local head_line = indent .. (name ~= "" and st.paint("key", name) .. " " or "") ..
    module.__name .. (extra ~= "" and "(" .. extra .. ")" or "")
  local lines = { head_line }
  for _, e in ipairs(tensors) do
    local note = e.kind == "buffer" and "buffer" or (not e[2].requires_grad and "frozen" or "")
    lines[#lines + 1] = ("%s  %s %s%s"):format(indent, st.paint("key", e[1]), dims(e[2]),
      note ~= "" and " " .. st.paint("note", note) or "")
  end
  return lines
end

-- Tensors by the module that holds them.
local function tensors_by_module(net)
  local by, known = {}, {}
  for name in net:named_modules() do known[name] = true end
  for kind, each in pairs { parameter = net.named_parameters, buffer = net.named_buffers } do
    for name, t in each(net) do
      local holder, own = "", name
      local at = #name
      while at > 0 do
        local prefix = name:sub(1, at):match("^(.*)%.[^.]*$")
        if not prefix then break end
        if known[prefix] then
          holder, own = prefix, name:sub(#prefix + 2)
          break
        end
        at = #prefix
      end
      by[holder] = by[holder] or {}
      table.insert(by[holder], { own, t, kind = kind })
    end
  end
  return by
end

local function module_total(net)
  local n, bytes, frozen = 0, 0, true
  for _, p in net:named_parameters() do
    n = n + p:numel()
    bytes = bytes + M.tensor_bytes(p)
    frozen = frozen and not p.requires_grad
  end
  if n == 0 then return "no parameters" end
  return ("%s parameters, %s%s"):format(grouped(n), M.bytes(bytes), frozen and ", frozen" or "")
end

-- The tree of a module with the shapes of its parameters.
local function module_text(st, net)
  local by, out, rest, depth = tensors_by_module(net), {}, 0, { [""] = 0 }
  for name, module in net:named_modules() do
    local holder = name
    if name ~= "" then
      repeat holder = holder:match("^(.*)%.[^.]*$") or "" until depth[holder]
      depth[name] = depth[holder] + 1
    end
    local own = holder == "" and name or name:sub(#holder + 2)
    for _, line in ipairs(module_lines(st, module, own, by[name] or {}, ("  "):rep(depth[name]))) do
      if st.left > 0 then
        out[#out + 1] = line
        st.left = st.left - 1
      else
        rest = rest + 1
      end
    end
  end
  out[1] = out[1] .. st.paint("note", "  " .. module_total(net))
  if rest > 0 then out[#out + 1] = left_out(st, rest) .. " lines" end
  return table.concat(out, "\n")
end

-- ---- the whole ----

-- "1.5 MB"
function M.bytes(n)
  if n < 1024 then return ("%d B"):format(n) end
  for _, unit in ipairs { "KB", "MB", "GB", "TB" } do
    n = n / 1024
    if n < 1024 or unit == "TB" then return ("%.3g %s"):format(n, unit) end
  end
end

local function state(o, fd)
  o = tide.options("format", o, defaults)
  local _, columns = core.size(fd or 1)
  local on = o.color
  if on == nil then on = fd ~= nil and color.wanted(fd) end
  return { depth = o.depth, items = o.items, lines = o.lines, left = o.lines, string = o.string,
    width = math.max(20, o.width or columns or 80), paint = color.painter(on), path = {} }
end

local function value_text(st, v)
  if M.is_module(v) and meta_field(v, "__tostring") == tide.nn.Module.__tostring then
    local ok, text = pcall(module_text, st, v)
    if ok then return text end
  end
  if is_plain(v) then
    return inline(st, v, st.width, 0) or block(st, v, "", 0, "")
  end
  return leaf(st, v, false)
end

-- The text of a value.
function M.format(x, o)
  return value_text(state(o), x)
end

-- Prints a value.
function M.show(x, o)
  io.stdout:write(value_text(state(o, 1), x), "\n")
end

-- The echo of the prompt: n values, on one line when each needs only one.
function M.values(n, ...)
  if n == 0 then return end
  local st, texts, tall = state(nil, 1), {}, false
  for i = 1, n do
    texts[i] = value_text(st, (select(i, ...)))
    tall = tall or texts[i]:find("\n", 1, true) ~= nil
    if st.left <= 0 then st.left = 1 end
  end
  io.stdout:write(table.concat(texts, tall and "\n" or "\t"), "\n")
end

-- What print does at the prompt: plain tables are shown, everything else is as ever.
function M.print(stock, ...)
  local list, n = { ... }, select("#", ...)
  local st
  for i = 1, n do
    if is_plain(list[i]) and not meta_field(list[i], "__name") then
      st = st or state(nil, 1)
      list[i] = value_text(st, list[i])
    end
  end
  return stock(table.unpack(list, 1, n))
end

return M
