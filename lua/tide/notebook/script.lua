-- script.lua -- notebooks as Lua scripts, and back: the "percent" layout that editors know.
--
--   -- %% [markdown]
--   -- # A title
--
--   -- %%
--   print "a cell of code"
--
--   -- %% solution            a folded cell; other words become tags

local file = require "tide.notebook.file"
local json = require "tide.json"
local lex = require "tide.shell.lex"

local M = {}

---- to a script ----

local function commented(text)
  local out = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    out[#out + 1] = line == "" and "--" or "-- " .. line
  end
  return table.concat(out, "\n")
end

local function words_of(cell)
  local out = {}
  for _, tag in ipairs(cell.metadata and cell.metadata.tags or {}) do
    if tag:find "^[%w_-]+$" then out[#out + 1] = " " .. tag end
  end
  return table.concat(out)
end

local HEAD = [[
-- %s -- made from %s; tide runs it.

local tide = require "tide"
local tensor, nn, optim, flow = tide.tensor, tide.nn, tide.optim, tide.flow
local metrics, data, plot = tide.metrics, tide.data, tide.plot
]]

local function as_comment(text) return "-- " .. text:gsub("\n", "\n-- ") end

-- A cell of code as a part of a script: values that a notebook would show are shown, questions and
-- commands of the shell are comments.
local function code_of(source)
  if load(source, "=cell", "t") then return source end
  if source:find "^%s*[?!]" then return as_comment(source) end
  local out, at = {}, 1
  for _, s in ipairs(lex.statements((lex.tokens(source))) or {}) do
    if s.kind == "expression" then
      local value = source:sub(s.from, s.to)
      local show = load("return (" .. value .. ")") and "tide.show" or "print"   -- one, or several
      out[#out + 1] = ("%s%s(%s)"):format(source:sub(at, s.from - 1), show, value)
      at = s.to + 1
    end
  end
  local code = table.concat(out) .. source:sub(at)
  return load(code, "=cell", "t") and code or as_comment(source)
end

-- The script of a notebook; name: that of the script, from: that of the notebook.
function M.write(nb, name, from)
  local out = { HEAD:format(name, from) }
  for _, cell in ipairs(nb.cells) do
    local kind = cell.cell_type == "code" and "" or (" [%s]"):format(cell.cell_type)
    out[#out + 1] = ("-- %%%%%s%s"):format(kind, words_of(cell))
    local text = (cell.cell_type == "code" and code_of or commented)(cell.source)
    if file.tagged(cell, "raises-exception") then
      text = ("print(pcall(function()\n%s\nend))"):format(text)
    end
    out[#out + 1] = text .. "\n"
  end
  return table.concat(out, "\n"):gsub("\n+$", "\n")
end

---- from a script ----

local function uncommented(text)
  return (("\n" .. text):gsub("\n%-%- ?", "\n"):sub(2))
end

local function trimmed(text) return (text:gsub("^%s*\n", ""):gsub("%s+$", "")) end

local function cell_of(head, text)
  local kind = head:match "%[(%a+)%]"
  kind = kind == "md" and "markdown" or kind
  local tags = json.list()
  for word in head:gsub("%[%a+%]", ""):gmatch "[%w_-]+" do tags[#tags + 1] = word end
  local meta = {}
  if #tags > 0 then meta.tags = tags end
  local folded = false
  for _, tag in ipairs(tags) do folded = folded or tag == "solution" end
  if folded then meta.jupyter = { source_hidden = true, outputs_hidden = true } end
  text = trimmed(text)
  return file.cell(kind or "code", kind and uncommented(text) or text, meta)
end

-- The notebook of a script; what stands above its first mark is a cell of its own.
function M.read(text)
  local cells, head, part = {}, nil, {}
  local function flush()
    local source = table.concat(part, "\n")
    if head or source:find "%S" then cells[#cells + 1] = cell_of(head or "", source) end
    part = {}
  end
  for line in (text:gsub("\r\n?", "\n") .. "\n"):gmatch "(.-)\n" do
    local mark = line:match "^%-%-%s*%%%%(.*)$"
    if mark then
      flush()
      head = mark
    else
      part[#part + 1] = line
    end
  end
  flush()
  return file.new(cells)
end

return M
