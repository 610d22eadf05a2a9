-- formats.lua -- data.load and data.save: which format, which options.

local tide = require "tide"
local core = require "tide.data.core"
local tensor = tide.tensor

local M = {}

---- what is given to be saved ----

local function one(what, x)
  if tensor.is_tensor(x) then return x end
  tide.raise(("data.save: %s file holds one tensor, not a %s; .npz and .safetensors " ..
    "hold tables of tensors"):format(what, tide.type(x)))
end

-- A table of tensors under names, and its names in order.
local function many(what, x, name)
  if tensor.is_tensor(x) then x = { [name] = x } end
  if type(x) ~= "table" then
    tide.raise(("data.save: a %s file holds a tensor or a table of tensors, not a %s")
      :format(what, type(x)))
  end
  local names = {}
  for k, t in pairs(x) do
    if type(k) ~= "string" or not tensor.is_tensor(t) then
      tide.raise(("data.save: tensors under names are needed, not a %s under %s")
        :format(tide.type(t), type(k) == "string" and "'" .. k .. "'" or tostring(k)))
    end
    names[#names + 1] = k
  end
  table.sort(names)
  return x, names
end

-- Strings by name; numbers become strings.
local function metadata(given)
  if given == nil then return nil end
  if type(given) ~= "table" then
    tide.raise("data.save: metadata must be a table of strings by name, not a " .. type(given))
  end
  local out = {}
  for k, v in pairs(given) do
    local kind = type(v)
    if type(k) ~= "string" or (kind ~= "string" and kind ~= "number") then
      tide.raise(("data.save: metadata must be strings by name, not a %s under %s")
        :format(kind, tostring(k)))
    end
    out[k] = tostring(v)
  end
  return out
end

---- csv ----

local function quote(name)
  if type(name) ~= "string" then
    tide.raise("data.save: a header is a list of names, not of " .. type(name))
  end
  if name == "" or name:find('[,"\r\n;]') or name:find("^%s") or name:find("%s$") or tonumber(name) then
    return '"' .. name:gsub('"', '""') .. '"'
  end
  return name
end

-- Columns by name as one tensor, in the order of the header.
local function columns(x, header)
  local parts = {}
  for i, name in ipairs(header) do
    local t = x[name]
    if not t then tide.raise(("data.save: there is no column '%s'"):format(tostring(name))) end
    if t:dim() ~= 1 or t:numel() ~= x[header[1]]:numel() then
      tide.raise("data.save: columns of a .csv file are tensors of one dim and one length")
    end
    parts[i] = t:detach():to("cpu"):to("f64")
  end
  return #parts > 0 and tensor.stack(parts, 2) or tensor.zeros(0, 0)
end

local function save_csv(path, x, o)
  local header = o.header
  if header ~= nil and type(header) ~= "table" then
    tide.raise("data.save: header must be a list of names, not a " .. type(header))
  end
  if not tensor.is_tensor(x) then
    local names
    x, names = many(".csv", x)
    header = header or names
    x = columns(x, header)
  end
  if not header then return core.csv_write(path, x) end
  local n = x:dim() == 2 and x:size(2) or 1
  if #header ~= n then
    tide.raise(("data.save: a header of %d names for %d columns"):format(#header, n))
  end
  local names = {}
  for i, name in ipairs(header) do names[i] = quote(name) end
  core.csv_write(path, x, table.concat(names, ","))
end

---- the formats ----

-- Of each: what reads and writes it, the options of both, and whether a file may
-- also be compressed as .gz.
local function only(read)
  return function(path, o)
    return read(path, type(o.only) == "string" and { o.only } or o.only, o.map)
  end
end
local function mapped(read)
  return function(path, o) return read(path, o.map) end
end

local formats = {
  npy = {
    read = mapped(core.npy_read), load = { map = false }, gz = true,
    write = function(path, x) core.npy_write(path, one("a .npy", x)) end },
  idx = {
    read = mapped(core.idx_read), load = { map = false }, gz = true,
    write = function(path, x) core.idx_write(path, one("an IDX", x)) end },
  png = {
    read = core.png_read,
    write = function(path, x) core.png_write(path, one("a .png", x)) end },
  csv = {
    read = function(path, o) return core.csv_read(path, o.header) end,
    write = save_csv, load = { "header" }, save = { "header" }, gz = true },
  npz = {
    read = only(core.npz_read), load = { "only" }, save = { compress = false },
    write = function(path, x, o)
      local t, names = many(".npz", x, "arr_0")
      core.npz_write(path, t, names, o.compress)
    end },
  bin = {
    read = only(core.cifar_read), load = { "only", map = false },
    write = function(path, x)
      local t, names = many("CIFAR-10 .bin", x, "images")
      core.cifar_write(path, t, names)
    end },
  safetensors = {
    read = only(core.safetensors_read), load = { "only", map = false }, save = { "metadata" },
    write = function(path, x, o)
      local t, names = many(".safetensors", x, "tensor")
      core.safetensors_write(path, t, names, metadata(o.metadata))
    end },
}

-- The name of the format of a path, and whether it is compressed.
local function format_of(what, path)
  if type(path) ~= "string" then
    tide.raise(what .. ": the path must be a string, not a " .. tide.type(path))
  end
  if path:find("\0", 1, true) then tide.raise(what .. ": the path has a NUL byte in it") end
  local name = path:match("[^/]*$"):lower()
  local plain = name:gsub("%.gz$", "")
  local ext = plain:match("%.(%w+)$")
  -- train-images-idx3-ubyte, train-images.idx3-ubyte
  if plain:find("[.-]idx%d-%-%l+$") or (ext and ext:find("^idx%d$")) then ext = "idx" end
  local f = formats[ext]
  if f and (f.gz or plain == name) then return f, ext end
  if f then tide.raise(("%s: %s: .%s files are not read or written as .gz"):format(what, path, ext)) end
  local known = {}
  for k in pairs(formats) do known[#known + 1] = k end
  table.sort(known)
  local near = ext and tide.nearest(ext, known)
  tide.raise(("%s: %s: no format is known by this extension%s (known: %s)"):format(what, path,
    near and ("; did you mean .%s?"):format(near) or "", table.concat(known, ", ")))
end

local function options(what, ext, o, spec)
  if not spec and type(o) == "table" and next(o) ~= nil then
    tide.raise(("%s: .%s files take no options, got '%s'"):format(what, ext, tostring(next(o))))
  end
  return tide.options(("%s (.%s)"):format(what, ext), o, spec or {})
end

function M.load(path, o)
  local f, ext = format_of("data.load", path)
  return f.read(path, options("data.load", ext, o, f.load))
end

function M.save(path, x, o)
  local f, ext = format_of("data.save", path)
  f.write(path, x, options("data.save", ext, o, f.save))
end

return M
