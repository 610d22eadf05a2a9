-- doc_write.lua -- writes the manual and the stubs for editors from the documentation table.
local doc = require("tide.doc")

local function entries_of(module)
  local list = {}
  for _, name in ipairs(doc.names()) do
    local e = doc.all()[name]
    if name:match("^(%w+)[.:]") == module and not e.inplace then list[#list + 1] = e end
  end
  return list
end

local function save(path, lines)
  local f <close> = assert(io.open(path, "w"))
  assert(f:write(table.concat(lines, "\n"), "\n"))
end

local function paragraph(label, text)
  return text and text ~= "" and ("**%s** %s"):format(label, text) or nil
end

local function indented(text)
  return "    " .. text:gsub("%s+$", ""):gsub("\n", "\n    ")
end

-- ---- manual ----

local function write_entry(out, e)
  local function add(text)
    if text then
      out[#out + 1] = text
      out[#out + 1] = ""
    end
  end
  local inplace = doc.all()[e.name .. "_"]
  add("### " .. e.name)
  add(indented(e.sig .. (inplace and inplace.inplace and "\n" .. inplace.sig or "")))
  add(e.text)
  for _, a in ipairs(e.args) do
    out[#out + 1] = ("* `%s`: %s%s"):format(a[1], a[2] or "",
      a[3] and a[3] ~= "" and "; " .. a[3] or "")
  end
  if #e.args > 0 then out[#out + 1] = "" end
  add(paragraph("Returns", e.returns))
  add(paragraph("Errors", e.errors))
  add(paragraph("Source", e.source))
  if e.example then add("```lua\n" .. e.example:gsub("%s+$", "") .. "\n```") end
end

local function write_module(dir, module, list)
  local out = { "# " .. module, "", doc.about[module], "" }
  for _, e in ipairs(list) do
    out[#out + 1] = ("[%s](#%s)"):format(e.name, e.name:lower():gsub("[^%w_]", ""))
  end
  out[#out + 1] = ""
  for _, e in ipairs(list) do write_entry(out, e) end
  save(dir .. "/" .. module .. ".md", out)
end

-- ---- stubs for the Lua language server ----

local types = {
  tensor = "tide.Tensor", number = "number", integer = "integer", boolean = "boolean",
  string = "string", table = "table", ["function"] = "function", ["nil"] = "nil",
}

-- Types are words joined by "|"; other words stand for things without a class.
local function stub_type(text)
  local known = {}
  for word in (text or ""):gmatch("[^|,%s]+") do
    if types[word] and not known[types[word]] then
      known[#known + 1] = types[word]
      known[types[word]] = true
    end
  end
  return #known > 0 and table.concat(known, "|") or "any"
end

local reserved = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]):gmatch("%a+") do reserved[word] = true end

local function parameter(name)
  name = name:gsub("[^%w_]", "_")
  return (reserved[name] or name:find("^%d")) and "_" .. name or name
end

local function returned(text)
  local out = {}
  local count = ({ two = 2, three = 3 })[(text or ""):match("^%a+")] or 1
  for i = 1, count do out[i] = stub_type((text or ""):gsub("tensors", "tensor")) end
  return table.concat(out, ", ")
end

local function write_stub(out, e, name, method)
  for line in (e.text .. "\n"):gmatch("(.-)\n") do out[#out + 1] = "---" .. line end
  local names = {}
  for i, a in ipairs(e.args) do
    local p = parameter(a[1])
    local optional = a.optional or (a[3] or ""):find("default") ~= nil
    if not (method and i == 1) then
      names[#names + 1] = p
      out[#out + 1] = ("---@param %s%s %s %s"):format(p, optional and "?" or "",
        stub_type(a[2]), a[3] or "")
    end
  end
  if e.returns and e.returns ~= "nothing" then out[#out + 1] = "---@return " .. returned(e.returns) end
  out[#out + 1] = ("function %s(%s) end"):format(name, table.concat(names, ", "))
  out[#out + 1] = ""
end

local head = [[
---@meta tide
-- tide.d.lua -- what the Lua language server needs to know of Springtide.

---@class tide.Tensor
---@field shape integer[]
---@field dtype string
---@field device string
---@field grad tide.Tensor?
---@field requires_grad boolean
---@field is_leaf boolean
---@field [integer] tide.Tensor
---@operator add(tide.Tensor|number): tide.Tensor
---@operator sub(tide.Tensor|number): tide.Tensor
---@operator mul(tide.Tensor|number): tide.Tensor
---@operator div(tide.Tensor|number): tide.Tensor
---@operator mod(tide.Tensor|number): tide.Tensor
---@operator pow(tide.Tensor|number): tide.Tensor
---@operator idiv(tide.Tensor|number): tide.Tensor
---@operator unm: tide.Tensor
---@operator len: integer
local Tensor = {}

---@class tide
tide = {}
]]

local function write_stubs(dir)
  local out, made = { head }, {}
  for _, module in ipairs(doc.modules) do
    if module ~= "tide" then out[#out + 1] = ("tide.%s = {}\n"):format(module) end
  end
  for _, name in ipairs(doc.names()) do
    local e = doc.all()[name]
    local module, rest = name:match("^(%w+)[.](.+)$")
    if module and doc.about[module] and not e.object and rest:find("^[%w_.:]+$") then
      local prefix = module == "tide" and "tide." or "tide." .. module .. "."
      local parent = rest:match("^(.*)[.:]")
      if parent and not made[prefix .. parent] then
        made[prefix .. parent] = true
        out[#out + 1] = ("%s%s = {}\n"):format(prefix, (parent:gsub(":", ".")))
      end
      write_stub(out, e, prefix .. rest, false)
      if module == "tensor" and (e.op or e.method) then
        write_stub(out, e, "Tensor:" .. rest, true)
      end
    end
  end
  out[#out + 1] = "return tide"
  save(dir .. "/tide.d.lua", out)
end

return function(dir)
  local index = { "# Springtide: manual", "" }
  for _, module in ipairs(doc.modules) do
    local list = entries_of(module)
    if #list > 0 then
      write_module(dir, module, list)
      index[#index + 1] = ("* [%s](%s.md): %s"):format(module, module, doc.about[module])
    end
  end
  index[#index + 1] = "* [The prompt](prompt.md): what is shown, help, tools, jobs, files."
  save(dir .. "/prompt.md", require("tide.doc_prompt")())
  save(dir .. "/index.md", index)
  write_stubs(dir)
end
