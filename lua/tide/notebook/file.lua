-- file.lua -- notebooks as files: reads them, writes them as Jupyter does, makes cells.
--
-- A notebook is the table that its JSON stands for, so fields that nobody here knows stay as they are.
-- Sources and texts are strings inside; files hold them as lists of lines.

local tide = require "tide"
local json = require "tide.json"
local write = require("tide.run.core").write

local M = {}

M.kernelspec = { display_name = "Springtide", language = "lua", name = "tide" }
M.language = { name = "lua", version = _VERSION:match "%S+$", file_extension = ".lua",
  mimetype = "text/x-lua", pygments_lexer = "lua", codemirror_mode = "lua" }

local SPLIT = { ["application/javascript"] = true, ["image/svg+xml"] = true }

---- text and lines ----

local function joined(v) return type(v) == "table" and table.concat(v) or v end

local function lines(text)
  local list = json.list()
  for line in text:gmatch "[^\n]*\n?" do
    if line ~= "" then list[#list + 1] = line end
  end
  return list
end

-- Calls change(table, key) for each text of a cell that may be a list of lines.
local function each_text(cell, change)
  change(cell, "source")
  for _, out in ipairs(cell.outputs or {}) do
    if out.output_type == "stream" then change(out, "text") end
    for mime in pairs(out.data or {}) do
      if mime:find "^text/" or SPLIT[mime] then change(out.data, mime) end
    end
  end
  for _, bundle in pairs(type(cell.attachments) == "table" and cell.attachments or {}) do
    for mime in pairs(bundle) do
      if mime:find "^text/" or SPLIT[mime] then change(bundle, mime) end
    end
  end
end

---- reading ----

local function bad(path, what) tide.raise(("%s is no notebook: %s"):format(path, what)) end

local function is_text(v)
  if type(v) ~= "table" then return type(v) == "string" end
  for _, line in ipairs(v) do
    if type(line) ~= "string" then return false end
  end
  return true
end

local function check_cell(path, i, cell)
  local kind = type(cell) == "table" and cell.cell_type
  if kind ~= "code" and kind ~= "markdown" and kind ~= "raw" then
    bad(path, ("cell %d has no cell_type code, markdown or raw"):format(i))
  end
  if not is_text(cell.source) then bad(path, ("cell %d has no source"):format(i)) end
  local meta, outputs = cell.metadata, cell.outputs
  if meta ~= nil and type(meta) ~= "table" then
    bad(path, ("cell %d: its metadata is no object"):format(i))
  end
  if outputs ~= nil and type(outputs) ~= "table" then
    bad(path, ("cell %d: its outputs are no list"):format(i))
  end
  for _, out in ipairs(outputs or {}) do
    if type(out) ~= "table" or type(out.output_type) ~= "string"
      or (out.data ~= nil and type(out.data) ~= "table") then
      bad(path, ("cell %d: an output without output_type"):format(i))
    end
  end
end

-- The notebook of a JSON text; path names it in errors.
function M.parse(text, path)
  local nb, why = json.decode(text, true)
  if why then bad(path, why) end
  if type(nb) ~= "table" or type(nb.cells) ~= "table" then bad(path, "it has no cells") end
  if nb.nbformat ~= 4 then
    bad(path, ("nbformat 4 is understood, not %s; open and save it in Jupyter"):format(
      tostring(nb.nbformat)))
  end
  for i, cell in ipairs(nb.cells) do
    check_cell(path, i, cell)
    each_text(cell, function(t, key) t[key] = joined(t[key]) end)
  end
  return nb
end

function M.read(path)
  local file, why = io.open(path, "rb")
  if not file then tide.raise(why) end
  local text = file:read "a"
  file:close()
  if not text then tide.raise(("%s cannot be read"):format(path)) end
  return M.parse(text, path)
end

-- The language that the cells are said to be in, in small letters; nil: nothing is said.
function M.language_of(nb)
  local meta = type(nb.metadata) == "table" and nb.metadata or {}
  for _, place in ipairs { { "kernelspec", "language" }, { "language_info", "name" } } do
    local part = meta[place[1]]
    local name = type(part) == "table" and part[place[2]]
    if type(name) == "string" then return name:lower() end
  end
end

---- writing ----

local function copy(v)
  if type(v) ~= "table" or v == json.null then return v end
  local out = setmetatable({}, getmetatable(v))
  for key, x in pairs(v) do out[key] = copy(x) end
  return out
end

-- The text of a notebook: names in order, lines one below the other, as nbformat writes them.
function M.text(nb)
  nb = copy(nb)
  json.list(nb.cells)
  for _, cell in ipairs(nb.cells) do
    each_text(cell, function(t, key)
      if type(t[key]) == "string" then t[key] = lines(t[key]) end
    end)
  end
  return json.encode(nb, "python") .. "\n"
end

-- Writes a text under another name beside the place, flushed and then renamed.
function M.save(path, text) write(path, text) end

---- making ----

-- An id that no cell has: letters and digits that depend on the texts before it alone.
local function new_id(source, taken)
  local h = 5381
  for i = 1, #source do h = (h * 33 + source:byte(i)) & 0xffffffff end
  while taken[("%08x"):format(h)] do h = (h + 1) & 0xffffffff end
  taken[("%08x"):format(h)] = true
  return ("%08x"):format(h)
end

local function or_empty(v) return v ~= json.null and v or {} end

-- Gives a notebook what the format demands and it lacks: metadata, ids, the fields of code.
function M.complete(nb)
  local taken = {}
  nb.metadata = or_empty(nb.metadata)
  for _, cell in ipairs(nb.cells) do taken[cell.id or false] = true end
  for _, cell in ipairs(nb.cells) do
    if not cell.id then cell.id = new_id(cell.cell_type .. cell.source, taken) end
    cell.metadata = or_empty(cell.metadata)
    if cell.cell_type == "code" then
      cell.outputs = json.list(or_empty(cell.outputs))
      cell.execution_count = cell.execution_count or json.null
    end
  end
  nb.nbformat_minor = math.max(5, tonumber(nb.nbformat_minor) or 5)
  return nb
end

function M.cell(kind, source, metadata)
  local cell = { cell_type = kind, source = source, metadata = metadata or {} }
  if kind == "code" then
    cell.outputs, cell.execution_count = json.list(), json.null
  end
  return cell
end

function M.new(cells)
  return M.complete { cells = json.list(cells), nbformat = 4, nbformat_minor = 5,
    metadata = { kernelspec = copy(M.kernelspec), language_info = copy(M.language) } }
end

---- what cells say of themselves ----

local function has(list, word)
  for _, v in ipairs(type(list) == "table" and list or {}) do
    if v == word then return true end
  end
  return false
end

function M.tagged(cell, tag) return has(cell.metadata and cell.metadata.tags, tag) end

-- Is the source folded away?
function M.is_folded(cell)
  local meta = cell.metadata or {}
  return type(meta.jupyter) == "table" and meta.jupyter.source_hidden == true
end

return M
