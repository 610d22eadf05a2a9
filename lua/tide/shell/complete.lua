-- complete.lua -- what could stand at a place of some Lua text, for the prompt and for notebooks.
--
--   local answer = complete.at(text, cursor, env)
--
-- cursor counts the bytes before the place; env may have globals (default _G), locals (a table of
-- values by name) and list (files of a folder, for tests). The answer has
--   from        where the word to be completed begins: text:sub(from, cursor)
--   items       { text, suffix, kind } in order: text stands for the whole word, suffix is what fits
--               behind it when it is the only one
--   signature   { sig, text } of the function whose name or whose arguments are there, or nil
--
-- Nothing of the user's is ever run: fields are read raw, through at most HOPS metatables. Names of
-- modules that are not loaded yet come from the documentation.
local lex = require("tide.shell.lex")
local options_of = require("tide.shell.options")
local M = {}

local HOPS = 20                       -- metatables that are followed
local LOOKED = 20000                  -- keys of a table that are looked at
local SHOWN = 2000                    -- candidates

local tensor_fields = { "shape", "dtype", "device", "grad", "requires_grad", "is_leaf" }

-- ---- values, raw ----

-- The tables in which an index of v is looked up, in order.
local function tables_of(v)
  local list, seen = {}, {}
  for _ = 1, HOPS do
    if type(v) == "table" then list[#list + 1] = v end
    if type(v) == "table" or type(v) == "userdata" then seen[v] = true end
    local meta = debug.getmetatable(v)
    v = type(meta) == "table" and rawget(meta, "__index")
    if type(v) == "function" and debug.getinfo(v, "S").what == "C" then
      v = select(2, debug.getupvalue(v, 1))   -- tensors: the table of methods
    end
    if not v or type(v) == "function" or seen[v] then break end
  end
  return list
end

local function get(v, key)
  if v == nil then return nil end
  for _, t in ipairs(tables_of(v)) do
    local found = rawget(t, key)
    if found ~= nil then return found end
  end
end

local function is_callable(v)
  if type(v) == "function" then return true end
  local meta = debug.getmetatable(v)
  return type(meta) == "table" and rawget(meta, "__call") ~= nil
end

local function module(name) return package.loaded[name == "tide" and "tide" or "tide." .. name] end

local function is_tensor(v)
  local tensor = type(v) == "userdata" and module("tensor")
  return tensor and tensor.is_tensor(v)
end

-- ---- documentation ----

local function documentation()
  local ok, doc = pcall(require, "tide.doc")
  return ok and doc or { all = function() return {} end, about = {}, modules = {} }
end

-- The entry of a function, found by its value.
local function entry_of_value(v)
  if not is_callable(v) then return nil end
  local best
  for name, e in pairs(documentation().all()) do
    local base, rest = name:match("^(%w+)[.:](.+)$")
    local at = base and module(base)
    for part in (rest or ""):gmatch("[%w_]+") do at = type(at) == "table" and rawget(at, part) or nil end
    if rawequal(at, v) and (not best or #name < #best.name) then best = e end
  end
  return best
end

-- The entry of a method of some object: one of that name.
local function entry_of_method(name)
  local best
  for full, e in pairs(documentation().all()) do
    local class = full:match("^(.*)[.:]" .. name .. "$")
    if class and (full:find(":", 1, true) or class:find(".", 1, true))
      and (not best or full < best.name) then best = e end
  end
  return best
end

-- ---- places: what a chain of names stands for ----
--
-- A place has value (nil if unknown), path (its name in the documentation; "" is module tide itself),
-- tensor = true for the result of a function that returns one, and method for the name behind ":".

local function global_place(c, name)
  local value = rawget(c.locals, name)
  local place = { value = value }
  if value == nil then
    place.value = get(c.globals, name)
    if place.value == nil then
      place.value = name ~= "tide" and rawget(c.lazy, name) and module(name) or nil
      if name == "tide" then place.value = module("tide") end
      if rawget(c.lazy, name) then place.path = name == "tide" and "" or name end
    end
  end
  if place.value ~= nil and not place.path then
    if rawequal(place.value, package.loaded.tide) then place.path = "" end
    for name_of in pairs(c.lazy) do
      if name_of ~= "tide" and rawequal(module(name_of), place.value) then place.path = name_of end
    end
  end
  return place
end

local function field_place(c, place, key)
  if not place then return nil end
  local found = { value = get(place.value, key) }
  if place.path == "" and c.lazy[key] then
    found.path = key
    if found.value == nil then found.value = module(key) end
  elseif place.path and type(key) == "string" then
    found.path = (place.path == "" and "tide" or place.path) .. "." .. key
  end
  if place.tensor then found.path = "tensor." .. tostring(key) end
  if is_tensor(place.value) then found.path = "tensor." .. tostring(key) end
  return found
end

local function entry_of(place)
  if not place then return nil end
  local e = place.path and documentation().all()[place.path]
  e = e or place.value ~= nil and entry_of_value(place.value)
  return e or place.value == nil and place.method and entry_of_method(place.method) or nil
end

local function result_place(place)
  local e = entry_of(place)
  local returns = e and e.returns
  return returns and (returns:find("^tensor") or returns:find("^a tensor") or
    returns:find("^the tensor")) and { tensor = true } or nil
end

local opening = { [")"] = "(", ["]"] = "[", ["}"] = "{" }
local closing = { ["("] = true, ["["] = true, ["{"] = true }

local function is_op(t, text) return t ~= nil and t.kind == "op" and t.text == text end

-- Index of the bracket that the one at i closes.
local function partner(tokens, i)
  local depth = 0
  for k = i, 1, -1 do
    local t = tokens[k]
    if t.kind == "op" then
      if opening[t.text] then depth = depth + 1 end
      if closing[t.text] then depth = depth - 1 end
      if depth == 0 then return k end
    end
  end
end

local function plain_string(t) return (t.text:sub(2, -2):gsub("\\(.)", "%1")) end

local function ends_value(t)
  return t ~= nil and (t.kind == "name" or is_op(t, ")") or is_op(t, "]") or is_op(t, "}"))
end

-- The place of the chain that ends with token i, or nil.
local function place_at(c, i)
  local tokens = c.tokens
  local t, before = tokens[i], tokens[i - 1]
  if not t then return nil end
  if t.kind == "name" then
    if not (is_op(before, ".") or is_op(before, ":")) then return global_place(c, t.text) end
    local place = field_place(c, place_at(c, i - 2), t.text) or {}
    if before.text == ":" then place.method = t.text end
    return place
  elseif t.kind == "string" then
    if ends_value(before) then return result_place(place_at(c, i - 1)) end
    return { value = plain_string(t) }
  elseif t.kind ~= "op" or not opening[t.text] then
    return nil
  end
  local o = partner(tokens, i)
  if not o then return nil end
  if t.text == "]" then
    local key = tokens[o + 1]
    if i ~= o + 2 then return nil end
    if key.kind == "string" then key = plain_string(key)
    else key = key.kind == "number" and (math.tointeger(tonumber(key.text)) or tonumber(key.text)) end
    return key and field_place(c, place_at(c, o - 1), key)
  end
  if ends_value(tokens[o - 1]) then return result_place(place_at(c, o - 1)) end
  return t.text == ")" and i == o + 2 and place_at(c, o + 1) or nil
end

-- Index of the innermost bracket that is open behind token i, or nil: in a block of a function the
-- brackets around it do not count.
local function enclosing(tokens, i)
  local depth = 0
  for k = i, 1, -1 do
    local t = tokens[k]
    if t.kind == "op" and opening[t.text] or t.kind == "keyword"
      and (t.text == "end" or t.text == "until") then
      depth = depth + 1
    elseif t.kind == "op" and closing[t.text] then
      if depth == 0 then return k end
      depth = depth - 1
    elseif t.kind == "keyword" and (t.text == "function" or t.text == "do" or t.text == "if"
      or t.text == "repeat") then
      if depth == 0 then return nil end
      depth = depth - 1
    end
  end
end

-- The place that is called with the bracket k.
local function called_by(c, k)
  return ends_value(c.tokens[k - 1]) and place_at(c, k - 1) or nil
end

-- The function whose option table token i lies in.
local function option_call(c, i)
  local k = enclosing(c.tokens, i)
  if not k or not is_op(c.tokens[k], "{") then return nil end
  local place = called_by(c, k)
  if place then return place end
  if not (is_op(c.tokens[k - 1], ",") or is_op(c.tokens[k - 1], "(")) then return nil end
  k = enclosing(c.tokens, k - 1)
  return k and is_op(c.tokens[k], "(") and called_by(c, k) or nil
end

-- ---- candidates ----

local function add(c, text, suffix, kind)
  if #c.items >= SHOWN or c.known[text] or text:sub(1, #c.word) ~= c.word then return end
  if text:sub(1, 1) == "_" and c.word == "" then return end
  c.known[text] = true
  local item = { text = text, suffix = suffix or "", kind = kind }
  if suffix and suffix ~= "" and suffix:sub(1, 1) == c.after then item.suffix = "" end
  c.items[#c.items + 1] = item
end

-- A table that serves to find other things: it has functions or tables and cannot be called.
local function is_namespace(v)
  local n = 0
  for k, x in next, v do
    n = n + 1
    if type(k) == "string" and (type(x) == "function" or type(x) == "table") then return true end
    if n > 50 then return false end
  end
  return false
end

-- What fits behind a name: "(" for what can be called, "." for modules; and when the name stands there
-- already, "." or ":" for other objects too.
local function add_value(c, name, v)
  local suffix, kind = "", type(v)
  if is_callable(v) then
    suffix = "("
    if kind ~= "function" then kind = "class" end
  elseif kind == "table" then
    if c.modules[v] or debug.getmetatable(v) == nil and is_namespace(v) then suffix = "." end
    if name == c.word and next(v) ~= nil then suffix = debug.getmetatable(v) and ":" or "." end
  elseif kind == "userdata" and name == c.word and #tables_of(v) > 0 then
    suffix = ":"
  end
  if is_tensor(v) then kind = "tensor" end
  add(c, name, suffix, kind)
end

-- Names of a value's fields, or of its functions only.
local function add_fields(c, v, functions_only)
  for _, t in ipairs(tables_of(v)) do
    local n = 0
    for k, x in next, t do
      n = n + 1
      if n > LOOKED then break end
      if type(k) == "string" and k:find("^[%a_][%w_]*$") and not lex.is_keyword[k]
        and (not functions_only or is_callable(x)) then
        add_value(c, k, x)
      end
    end
  end
end

-- Names that the documentation has below a path.
local function add_documented(c, path)
  local doc = documentation()
  if path == "" then
    for _, name in ipairs(doc.modules) do
      if name ~= "tide" then add(c, name, ".", "module") end
    end
    path = "tide"
  end
  for name in pairs(doc.all()) do
    if name:sub(1, #path + 1) == path .. "." then
      local part, more = name:sub(#path + 2):match("^([%a_][%w_]*)(.?)")
      if part then
        local deep = more == "." and not doc.all()[path .. "." .. part]
        add(c, part, deep and "." or "(", deep and "table" or "function")
      end
    end
  end
end

local function complete_field(c, i)
  local place, method = place_at(c, i - 1), c.tokens[i].text == ":"
  if not place then return end
  local of_tensor = place.tensor or is_tensor(place.value)
  if of_tensor and not method then
    for _, name in ipairs(tensor_fields) do add(c, name, "", "field") end
    return
  end
  if of_tensor then return add_fields(c, module("tensor"), true) end
  if place.value ~= nil then add_fields(c, place.value, method) end
  if place.path and not method then add_documented(c, place.path) end
end

local function quoted_key(k, quote)
  if math.type(k) == "integer" then return tostring(k) end
  if type(k) == "string" and not k:find("[%c\\'\"]") then return quote .. k .. quote end
end

-- Keys behind "[": integers and strings in quotes.
local function complete_key(c, i, quote)
  local place = place_at(c, i - 1)
  if not place or place.value == nil or is_tensor(place.value) then return end
  for _, t in ipairs(tables_of(place.value)) do
    local n = 0
    for k, v in next, t do
      n = n + 1
      if n > LOOKED then break end
      local text = quoted_key(k, quote or '"')
      if text and (not quote or type(k) == "string") then
        add(c, quote and text:sub(2) or text, "]", type(v))
      end
    end
  end
end

local after_keyword = {}
for w in ("and elseif for function goto if in local not or return until while"):gmatch("%S+") do
  after_keyword[w] = " "
end

local function complete_name(c)
  for i, t in ipairs(c.tokens) do      -- names of the text itself, but for the word at hand
    local before = c.tokens[i - 1]
    if t.kind == "name" and t.to < c.cursor and not (is_op(before, ".") or is_op(before, ":"))
      and rawget(c.locals, t.text) == nil and get(c.globals, t.text) == nil
      and not c.lazy[t.text] then add(c, t.text, "", "name") end
  end
  for name, v in next, c.locals do add_value(c, name, v) end
  add_fields(c, c.globals)
  for name in next, c.lazy do add(c, name, name == "help" and "(" or ".", "module") end
  if c.word ~= "" then
    for _, w in ipairs(lex.keywords) do add(c, w, after_keyword[w], "keyword") end
  end
end

-- Option names where a key of an option table may stand; true if that is all there can be.
local function complete_option(c, i)
  local t = c.tokens[i]
  if not (is_op(t, "{") or is_op(t, ",") or is_op(t, ";")) then return end
  local entry = entry_of(option_call(c, i))
  if not entry then return end
  for _, o in ipairs(options_of(entry)) do add(c, o.name, " = ", "option") end
end

-- ---- strings ----

local function list_of(c, dir)
  local ok, core = pcall(require, "tide.run.core")
  local names = c.list and c.list(dir)
  if not c.list then names = ok and core.list(dir) end
  return names or {}, function(path)
    if c.list then return c.list(path) ~= nil end
    return core.is_folder(path)
  end
end

-- Modules for require: loaded, preloaded, and files on package.path.
local function complete_module(c, quote)
  for _, t in ipairs { package.preload, package.loaded } do
    for name in next, t do
      if type(name) == "string" then add(c, name, quote, "module") end
    end
  end
  local folder, dotted = c.word:match("^(.*%.)"), nil
  dotted = folder or ""
  folder = dotted:gsub("%.", "/")
  for template in (type(package.path) == "string" and package.path or ""):gmatch("[^;]+") do
    local before, behind = template:match("^(.-)%?(.*)$")
    if before then
      local names, is_folder = list_of(c, before .. folder ~= "" and before .. folder or ".")
      for _, name in ipairs(names) do
        local base = behind:find("/", 1, true) and name or
          name:sub(-#behind) == behind and name:sub(1, -#behind - 1)
        if base and base:find("^[%w_-]+$") then
          local path = before .. folder .. base
          if not behind:find("/", 1, true) then add(c, dotted .. base, quote, "module")
          elseif is_folder(path) and list_of(c, path .. "/")[1] then
            for _, inner in ipairs((list_of(c, path))) do
              if "/" .. inner == behind then add(c, dotted .. base, quote, "module") end
            end
          end
        end
      end
    end
  end
end

-- File names; those in the text are written as in a Lua string with this quote, "" for [[.
local function complete_file(c, quote)
  local dir = c.word:match("^.*/") or ""
  c.from = c.from + #dir
  c.word = c.word:sub(#dir + 1)
  if quote ~= "" then dir = dir:gsub("\\(.)", "%1") end
  local names, is_folder = list_of(c, dir == "" and "." or dir)
  for _, name in ipairs(names) do
    local text = name
    if quote ~= "" then text = name:gsub("[\\" .. quote .. "]", "\\%0"):gsub("\n", "\\n") end
    if name:sub(1, 1) ~= "." or c.word:sub(1, 1) == "." then
      if text:sub(1, #c.word) == c.word then
        local folder = is_folder(dir .. name)
        add(c, text, folder and "/" or quote, folder and "folder" or "file")
      end
    end
  end
end

-- Inside a string that is open, token i.
local function complete_string(c, i)
  local t, before = c.tokens[i], c.tokens[i - 1]
  local quote = t.text:match("^[\"']") or ""
  c.from = t.body
  c.word = c.text:sub(t.body, c.cursor)
  if is_op(before, "[") and ends_value(c.tokens[i - 2]) then
    return complete_key(c, i - 1, quote)
  end
  local callee = is_op(before, "(") and i - 2 or i - 1
  local name = c.tokens[callee]
  if name and name.kind == "name" then
    if name.text == "require" then return complete_module(c, quote) end
    if name.text == "help" then
      for full in pairs(documentation().all()) do add(c, full, quote, "function") end
      for _, full in ipairs(documentation().modules) do add(c, full, quote, "module") end
      return
    end
  end
  if is_op(before, "=") and c.tokens[i - 2] and c.tokens[i - 2].kind == "name" then
    local entry = entry_of(option_call(c, i - 2))
    for _, o in ipairs(entry and options_of(entry) or {}) do
      if o.name == c.tokens[i - 2].text and #o.choices > 1 then
        for _, choice in ipairs(o.choices) do add(c, choice, quote, "choice") end
        return
      end
    end
  end
  complete_file(c, quote)
end

-- ---- signatures ----

local function first_sentence(text)
  return (text:match("^(.-%.)%s") or text):gsub("%s+", " ")
end

local function parameters(f)
  local info, names = debug.getinfo(f, "uS"), {}
  for i = 1, info.nparams do names[i] = debug.getlocal(f, i) end
  if info.isvararg then names[#names + 1] = "..." end
  return table.concat(names, ", "), info
end

-- The signature of what a place names, with a name for functions without documentation.
local function signature_of(place, name)
  if not place then return nil end
  local e = entry_of(place)
  if e then return { sig = e.sig, text = first_sentence(e.text) } end
  if type(place.value) ~= "function" then return nil end
  local list, info = parameters(place.value)
  if info.what == "C" then return nil end
  return { sig = ("%s(%s)"):format(name, list),
    text = ("%s:%d"):format(info.short_src, info.linedefined) }
end

local function chain_text(c, i)
  local from = i
  while c.tokens[from - 1] and (is_op(c.tokens[from - 1], ".") or is_op(c.tokens[from - 1], ":"))
    and c.tokens[from - 2] and c.tokens[from - 2].kind == "name" do from = from - 2 end
  return c.text:sub(c.tokens[from].from, c.tokens[i].to)
end

local function find_signature(c, i)
  local t = c.tokens[i]
  if t and t.kind == "name" and t.to == c.cursor then
    local found = signature_of(place_at(c, i), chain_text(c, i))
    if found then return found end
  end
  local k = enclosing(c.tokens, i)
  while k do
    if not is_op(c.tokens[k], "[") and ends_value(c.tokens[k - 1]) then
      local name = c.tokens[k - 1].kind == "name" and chain_text(c, k - 1) or "function"
      return signature_of(called_by(c, k), name)
    end
    k = enclosing(c.tokens, k - 1)
  end
end

-- ---- the answer ----

local function find_candidates(c, i)
  local t = c.tokens[i]
  if t and t.open then return complete_string(c, i) end
  if t and t.to == c.cursor and (t.kind == "name" or t.kind == "keyword" or t.kind == "number") then
    c.from, c.word = t.from, t.text
    i = i - 1
  end
  local before = c.tokens[i]
  if is_op(before, "[") and ends_value(c.tokens[i - 1]) then complete_key(c, i) end
  if t and t.kind == "number" then return end
  if is_op(before, ".") or is_op(before, ":") then return complete_field(c, i) end
  complete_option(c, i)
  if #c.items > 0 then return end
  local k = c.word == "" and (is_op(before, "(") or is_op(before, ",")) and enclosing(c.tokens, i)
  if k and is_op(c.tokens[k], "(") and ends_value(c.tokens[k - 1]) then return end
  complete_name(c)
end

local function lazy_names(globals, env)
  local names = {}
  if env.globals and not debug.getmetatable(globals) then return names end
  for _, name in ipairs(documentation().modules) do names[name] = true end
  names.help = true
  return names
end

function M.at(text, cursor, env)
  env = env or {}
  local globals = env.globals or _G
  local c = { text = text, cursor = cursor, from = cursor + 1, word = "", items = {}, known = {},
    globals = globals, locals = env.locals or {}, list = env.list, modules = {},
    after = text:sub(cursor + 1, cursor + 1), lazy = lazy_names(globals, env) }
  for name in pairs(c.lazy) do c.modules[module(name) or false] = true end
  local tokens, in_comment = lex.tokens(text:sub(1, cursor))
  c.tokens = tokens
  local answer = { from = c.from, items = c.items }
  if in_comment then return answer end
  find_candidates(c, #tokens)
  table.sort(c.items, function(a, b) return a.text < b.text end)
  answer.from = c.from
  local last = tokens[#tokens]
  answer.signature = find_signature(c, last and last.open and #tokens - 1 or #tokens)
  return answer
end

-- A signature and what the function does for a terminal of `width` columns: one row if that fits.
local function signature_rows(signature, width)
  local text, used = signature.text, utf8.len(signature.sig) or #signature.sig
  local apart = used + 3 + (utf8.len(text) or #text) >= width
  local room = width - 6
  if (utf8.len(text) or #text) > room then
    text = text:sub(1, (utf8.offset(text, room - 4) or room) - 1):gsub("%s*%S*$", "") .. " ..."
  end
  local color = require("tide.shell.color")
  local paint = color.painter(color.wanted(1))
  return paint("name", signature.sig) .. (apart and "\n  " or "   ") .. text
end

-- For the prompt: where the word begins, its candidates, what fits behind a single one, and the
-- signature as text. The lines of the entry that were read before count, too.
function M.line(text, cursor)
  local session = require("tide.shell.statement").current or {}
  local above = session.pending and session.pending .. "\n" or ""
  local answer = M.at(above .. text, #above + cursor, { locals = session.kept and session:locals() })
  local texts = {}
  for i, item in ipairs(answer.items) do texts[i] = item.text end
  local _, width = require("tide.shell.core").size(1)
  return answer.from - #above, texts, #texts == 1 and answer.items[1].suffix or "",
    answer.signature and signature_rows(answer.signature, width or 80) or nil
end

return M
