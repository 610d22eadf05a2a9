-- help.lua -- tide.help(topic): prints what the documentation says of a name or value.
local tide = require("tide")
local doc = require("tide.doc")

local function first_sentence(text)
  return (text:match("^(.-[.:;])%s") or text):gsub("[.:;]$", ""):gsub("\n", " ")
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
  out[#out + 1] = "help(\"NAME\") shows one of them in full."
  return table.concat(out, "\n")
end

local function overview()
  local out, rows = { "Springtide " .. tide.version, "" }, {}
  for _, name in ipairs(doc.modules) do rows[#rows + 1] = { name, doc.about[name] } end
  column(rows, out)
  out[#out + 1] = ""
  out[#out + 1] = "help(\"tensor\") lists a module, help(\"tensor.sum\") or help(tensor.sum) " ..
    "explains a function."
  return table.concat(out, "\n")
end

-- Names that contain the word, and the one most like it.
local function suggestions(word)
  local found, short = {}, {}
  local last = word:match("[%w_]+$") or word
  for _, name in ipairs(doc.names()) do
    local e = doc.all()[name]
    if not e.inplace then
      short[#short + 1] = name:match("[%w_]+$")
      if name:lower():find(last:lower(), 1, true)
        or e.text:lower():find(last:lower(), 1, true) then found[#found + 1] = name end
    end
  end
  local near = tide.nearest(last, short)
  local e = near and doc.get(near)
  return found, e and e.name
end

local function unknown(word)
  local found, near = suggestions(word)
  local out = { ("There is no entry '%s'."):format(word) }
  if near then out[#out + 1] = ("Did you mean %s?"):format(near) end
  if #found > 0 then
    out[#out + 1] = "It is mentioned in: " .. table.concat(found, ", ", 1, math.min(#found, 20))
  end
  return table.concat(out, "\n")
end

-- What help(topic) prints.
local function text_of(topic)
  if topic == nil then return overview() end
  if type(topic) == "string" then
    if doc.about[topic] then return module_text(topic) end
    local e = doc.get(topic)
    return e and entry_text(e) or unknown(topic)
  end
  if tide.type(topic) == "tensor" then return module_text("tensor") end
  for _, name in ipairs(doc.modules) do
    if topic == (name == "tide" and tide or rawget(tide, name)) then return module_text(name) end
  end
  local e = doc.get(topic)
  if e then return entry_text(e) end
  return ("Nothing is known of this %s."):format(type(topic))
end

return setmetatable({ text = text_of }, {
  __call = function(_, topic) print(text_of(topic)) end,
})
