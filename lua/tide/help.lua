-- help.lua -- tide.help(topic): prints what the documentation says of a name or value.
local tide = require("tide")
local doc = require("tide.doc")
local M = {}

local MOST = 20                       -- names that a search shows

local function first_sentence(text)
  return (text:match("^(.-[.:])%s") or text):gsub("[.:]$", ""):gsub("\n", " ")
end

local function column(rows, out)
  local width = 0
  for _, r in ipairs(rows) do width = math.max(width, #r[1]) end
  for _, r in ipairs(rows) do
    out[#out + 1] = ("  %-" .. width .. "s  %s"):format(r[1], r[2]):gsub("%s+$", "")
  end
end

local function indented(text)
  return "  " .. text:gsub("%s+$", ""):gsub("\n", "\n  ")
end

-- ---- entries ----

-- Methods and modules that an entry leads to: those that its class or family has.
local function related(e)
  local names, prefix = {}, e.name .. ":"
  for _, name in ipairs(doc.names()) do
    if name:sub(1, #prefix) == prefix then names[#names + 1] = name:sub(#prefix) end
  end
  return #names > 0 and "Methods: " .. table.concat(names, " ") or nil
end

-- The text of one entry.
local function entry_text(e)
  local out = { e.name, "", indented(e.sig), "", e.text }
  if #e.args > 0 then
    local rows = {}
    for i, a in ipairs(e.args) do
      local what = a[2] or ""
      if a[3] and a[3] ~= "" then what = what .. "; " .. a[3] end
      rows[i] = { a[1], what }
    end
    out[#out + 1] = ""
    column(rows, out)
  end
  local more = related(e)
  if more then out[#out + 1] = "\n" .. more end
  for _, part in ipairs { { "Returns", e.returns }, { "Errors", e.errors }, { "Source", e.source } } do
    if part[2] then
      out[#out + 1] = ""
      out[#out + 1] = part[1] .. ": " .. part[2]
    end
  end
  if e.example then
    out[#out + 1] = "\nExample"
    out[#out + 1] = indented(e.example)
  end
  return table.concat(out, "\n")
end

local function topic_text(e)
  return e.title .. "\n\n" .. e.text:gsub("%s+$", "")
end

local function module_text(name)
  local out, rows = { name .. ": " .. doc.about[name], "" }, {}
  for _, full in ipairs(doc.names()) do
    local e = doc.all()[full]
    if full:match("^(%w+)[.:]") == name and not e.inplace then
      rows[#rows + 1] = { full, first_sentence(e.text) }
    end
  end
  column(rows, out)
  out[#out + 1] = ""
  out[#out + 1] = "help(\"NAME\") shows one of them in full, ??WORD at the prompt searches."
  return table.concat(out, "\n")
end

-- The first page.
local function overview()
  local out, rows = { "Springtide " .. tide.version, "" }, {}
  for _, name in ipairs(doc.modules) do rows[#rows + 1] = { name, doc.about[name] } end
  column(rows, out)
  out[#out + 1] = "\nAt the prompt"
  rows = {
    { "?NAME", "what is known of a name or value: ?tensor, ?flow.align, ?x:sum, ?nn.Linear" },
    { "??WORD", "searches names and texts" }, { "help(x)", "the same for any value" },
    { "x", "shows a value; x; keeps it quiet; _ is the last one shown" },
    { "!COMMAND", "runs a command of the shell" },
  }
  column(rows, out)
  local topics = {}
  for _, name in ipairs(doc.topics()) do topics[#topics + 1] = "?" .. name end
  if #topics > 0 then out[#out + 1] = "\nMore about: " .. table.concat(topics, " ") end
  out[#out + 1] = ""
  out[#out + 1] = "help(\"tensor\") lists a module, help(\"tensor.sum\") or help(tensor.sum) " ..
    "explains a function."
  return table.concat(out, "\n")
end

-- ---- searching ----

local function add_score(e, word)
  local name, last = e.name:lower(), (e.name:match("[%w_]+$") or e.name):lower()
  if last == word then return 100 end
  if last:sub(1, #word) == word then return 60 end
  if name:find(word, 1, true) then return 40 end
  local text = ((e.title or "") .. " " .. e.text):lower()
  local at = text:find(word, 1, true)
  if at then return at <= #first_sentence(text) and 20 or 10 end
  local rest = { e.returns or "", e.errors or "", e.source or "" }
  for _, a in ipairs(e.args) do rest[#rest + 1] = table.concat(a, " ", 1, math.min(#a, 3)) end
  return table.concat(rest, " "):lower():find(word, 1, true) and 5 or 0
end

-- Entries in which every word of the text occurs, best first; entries of names before texts.
function M.find(text)
  local words, found = {}, {}
  for word in text:lower():gmatch("%S+") do words[#words + 1] = word end
  for _, name in ipairs(doc.names()) do
    local e, score = doc.all()[name], 0
    for _, word in ipairs(words) do
      local one = e.inplace and 0 or add_score(e, word)
      if one == 0 then
        score = 0
        break
      end
      score = score + one
    end
    if score > 0 then found[#found + 1] = { name = name, score = score, entry = e } end
  end
  table.sort(found, function(a, b)
    if a.score ~= b.score then return a.score > b.score end
    return a.name < b.name
  end)
  return found
end

-- The name of an entry or a module that is most like a word, or nil.
local function nearest(word)
  local short, last = table.move(doc.modules, 1, #doc.modules, 1, {}), word:match("[%w_]+$") or word
  for _, name in ipairs(doc.names()) do
    if not doc.all()[name].inplace then short[#short + 1] = name:match("[%w_]+$") end
  end
  local near = tide.nearest(last, short)
  if doc.about[near] then return near end
  local e = near and doc.get(near)
  return e and e.name:gsub("^topic%.", "")
end

local function search_text(text)
  local found, out = M.find(text), {}
  local rows = {}
  for i = 1, math.min(#found, MOST) do
    local e = found[i].entry
    rows[i] = { (e.name:gsub("^topic%.", "?")), first_sentence(e.title or e.text) }
  end
  column(rows, out)
  if #found > MOST then out[#out + 1] = ("  ... %d more"):format(#found - MOST) end
  if #found == 0 then
    local near = nearest(text)
    out[1] = ("Nothing mentions '%s'."):format(text)
    if near then out[2] = ("Did you mean %s?"):format(near) end
  end
  return table.concat(out, "\n"), #found > 0
end

-- What stands in a module or a class that has no entry of its own, or nil; "path" is flow.path.
local function contents(word)
  for _, name in ipairs(doc.names()) do
    local at = name:find("." .. word .. ".", 1, true)
    if at then
      word = name:sub(1, at + #word)
      break
    end
  end
  local names, start = {}, word .. "."
  for _, name in ipairs(doc.names()) do
    local rest = name:sub(1, #start) == start and not doc.all()[name].inplace and name:sub(#start + 1)
    if rest then names[#names + 1] = rest end
  end
  if #names == 0 then return nil end
  return ("%s has %s; ?%s.%s explains one."):format(word, table.concat(names, ", "), word, names[1])
end

local function unknown(word)
  local held = contents(word)
  if held then return held end
  local near, found, names = nearest(word), M.find(word:match("[%w_]+$") or word), {}
  local out = { ("There is no entry '%s'."):format(word) }
  if near then out[#out + 1] = ("Did you mean %s?"):format(near) end
  for i = 1, math.min(#found, MOST) do names[i] = found[i].name:gsub("^topic%.", "?") end
  if #names > 0 then
    out[#out + 1] = "It is mentioned in: " .. table.concat(names, ", ") ..
      (#found > MOST and (" and %d more"):format(#found - MOST) or "")
  end
  return table.concat(out, "\n")
end

-- ---- values ----

-- The comment right above a function of the user's, or nil.
local function comment_of(info)
  local f <close> = info.source:sub(1, 1) == "@" and io.open(info.source:sub(2)) or nil
  if not f then return nil end
  local lines = {}
  for _ = 1, info.linedefined - 1 do
    local line = f:read("l")
    if not line then return nil end
    local comment = line:match("^%s*%-%-+ ?(.*)$")
    if comment then lines[#lines + 1] = comment else lines = {} end
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

-- What can be said of a value without an entry.
local function describe(x)
  local text = require("tide.shell.show").format(x, { depth = 2, lines = 20 })
  if type(x) == "function" then
    local comment = comment_of(debug.getinfo(x, "S"))
    if comment then return text .. "\n\n" .. comment, true end
  end
  return text .. "\n\nThe documentation says nothing of this " .. type(x) .. ".", false
end

local function class_entry(x)
  local class = type(x) == "table" and debug.getmetatable(x)
  local e = type(class) == "table" and rawget(class, "__module") and doc.get(class)
  return e or nil
end

-- What help(topic) prints, and whether anything is known of it.
function M.text(topic)
  if topic == nil then return overview(), true end
  if type(topic) == "string" then
    if doc.about[topic] then return module_text(topic), true end
    local e = doc.get(topic)
    if e then return e.title and topic_text(e) or entry_text(e), true end
    return unknown(topic), false
  end
  if tide.type(topic) == "tensor" then return module_text("tensor"), true end
  for _, name in ipairs(doc.modules) do
    if topic == (name == "tide" and tide or rawget(tide, name)) then return module_text(name), true end
  end
  local e = doc.get(topic) or class_entry(topic)
  if e then return entry_text(e), true end
  return describe(topic)
end

-- Is there an entry, a module or a page of this name?
function M.known(name)
  return doc.about[name] ~= nil or doc.get(name) ~= nil
end

-- ---- printing ----

-- Breaks long lines between words; what follows is indented as the text of the line is.
local function wrapped(text, width)
  local out = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local indent = #(line:match("^%s+%S+%s%s+") or line:match("^%s*"))
    if indent > width // 2 then indent = 2 end
    while #line > width do
      local cut = line:sub(1, width + 1):match("^.*()%s")
      if not cut or cut <= indent + 1 then break end
      out[#out + 1] = line:sub(1, cut - 1):gsub("%s+$", "")
      line = (" "):rep(indent) .. line:sub(cut + 1):gsub("^%s+", "")
    end
    out[#out + 1] = line
  end
  return table.concat(out, "\n")
end

local function say(text)
  local core, color = require("tide.shell.core"), require("tide.shell.color")
  local _, columns = core.size(1)
  if columns then text = wrapped(text, math.max(40, math.min(columns - 1, 100))) end
  local paint = color.painter(color.wanted(1))
  text = text:gsub("^[^\n]*", function(first) return paint("title", first) end)
  text = text:gsub("\n(%u%l+)\n", function(head) return "\n" .. paint("title", head) .. "\n" end)
  text = text:gsub("\n(%u%l+:) ", function(head) return "\n" .. paint("title", head) .. " " end)
  io.stdout:write(text, "\n")
end

-- Prints the answer; true when something is known.
function M.show(topic)
  local text, known = M.text(topic)
  say(text)
  return known
end

-- tide help [name]: the answer, and false after saying on stderr what is near when there is none.
function M.command(name)
  local text, known = M.text(name)
  if known then
    say(text)
    if name == nil then
      say("From a shell: tide help NAME, tide runs (records of runs), tide --help (options).")
    end
  else
    io.stderr:write("tide help: ", text, "\n")
  end
  return known
end

-- Prints the entries that mention the words.
function M.search(words)
  local text, found = search_text(words)
  say("Entries with '" .. words .. "'\n\n" .. text)
  return found
end

return setmetatable(M, { __call = function(_, topic) M.show(topic) end })
