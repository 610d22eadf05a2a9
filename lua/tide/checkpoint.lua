-- checkpoint.lua -- tide.checkpoint: everything a loop needs to go on as if it had
-- never stopped, in one file.
--
-- The file is a safetensors file: tensors under names such as model.fc1.weight, and
-- in its metadata, as JSON, how they and all other values belong together.  Anything
-- with state_dict and load_state_dict can be kept (modules, optimisers, averages,
-- schedulers, generators, batches), and tensors, numbers, strings, booleans and
-- tables of them; the random stream is always kept.

local tide = require "tide"
local tensor = tide.tensor
local json = require "tide.json"
local files = require "tide.data.core"
local core = require "tide.run.core"

local checkpoint = {}

local FORMAT = "springtide checkpoint 1"
local PACKED = 16                   -- longer lists of numbers become tensors

---- values as text and tensors ----

-- "floats" or "integers" where a table is a long list of one kind of number.
local function packed_kind(t, n)
  if n < PACKED then return nil end
  local kind = math.type(t[1])
  for i = 2, n do
    if math.type(t[i]) ~= kind then return nil end
  end
  return kind == "float" and "floats" or kind == "integer" and "integers" or nil
end

local function length(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n == #t and n or nil
end

local encode

local function add_tensor(out, name, t)
  local free, i = name, 1
  while out[free] do
    i = i + 1
    free = name .. "~" .. i
  end
  out[free] = t
  return free
end

local function encode_table(t, name, out, busy)
  if busy[t] then
    tide.raise(("checkpoint: '%s' contains itself"):format(name))
  end
  busy[t] = true
  local n, result = length(t), nil
  local kind = n and packed_kind(t, n)
  if kind then
    result = { [kind] = add_tensor(out, name, tensor.from(t, {
      dtype = kind == "floats" and "f64" or "i64", device = "cpu" })) }
  else
    local keys, values = {}, {}
    for key in pairs(t) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b)
      if type(a) == type(b) and type(a) ~= "boolean" then return a < b end
      return tostring(a) < tostring(b)
    end)
    for i, key in ipairs(keys) do
      if type(key) ~= "string" and math.type(key) ~= "integer" then
        tide.raise(("checkpoint: '%s' has a key that is a %s; keys are strings or " ..
                    "whole numbers"):format(name, type(key)))
      end
      values[i] = encode(t[key], name .. "." .. tostring(key), out, busy)
    end
    result = n and { list = values } or { keys = keys, values = values }
  end
  busy[t] = nil
  return result
end

local function is_object(v)
  local kind = type(v)
  if tensor.is_tensor(v) or kind ~= "table" and kind ~= "userdata" then return false end
  local ok, f = pcall(function() return v.state_dict end)
  return ok and tide.callable(f)
end

-- JSON for a value; tensors go to `out` by name.
function encode(v, name, out, busy)
  local kind = type(v)
  if tensor.is_tensor(v) then
    return { tensor = add_tensor(out, name, v:detach()) }
  elseif is_object(v) then
    return encode(v:state_dict(), name, out, busy)
  elseif kind == "table" then
    return encode_table(v, name, out, busy)
  elseif kind == "number" and (v ~= v or v == math.huge or v == -math.huge) then
    return { number = v ~= v and "nan" or v > 0 and "inf" or "-inf" }
  elseif kind == "string" and not utf8.len(v) then
    return { bytes = (v:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) }
  elseif kind == "number" or kind == "string" or kind == "boolean" then
    return v
  end
  tide.raise(("checkpoint: '%s' is a %s; kept are tensors, numbers, strings, tables " ..
              "of them and objects with state_dict"):format(name, kind))
end

local special = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

local function decode(v, tensors)
  if type(v) ~= "table" then return v end
  if v.tensor then return tensors[v.tensor] or error "a tensor is missing" end
  if v.number then return special[v.number] end
  if v.bytes then
    return (v.bytes:gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end))
  end
  local packed = v.floats or v.integers
  if packed then return (tensors[packed] or error "a list is missing"):totable() end
  local t = {}
  if v.list then
    for i, x in ipairs(v.list) do t[i] = decode(x, tensors) end
  else
    for i, key in ipairs(v.keys) do t[key] = decode(v.values[i], tensors) end
  end
  return t
end

---- files ----

-- The name of the copy of age n: a.ckpt, a.ckpt.1, a.ckpt.2
local function aged(path, n) return n == 0 and path or path .. "." .. n end

local function check_path(what, path)
  if type(path) ~= "string" or path == "" then
    tide.raise(("%s: the path must be a string, not a %s"):format(what, type(path)))
  end
end

-- The checksum of all that a file says: its texts, and names and elements of tensors in order.
local function checksum(random, state, tensors, names)
  local crc = files.crc32(files.crc32(0, random), state)
  for _, name in ipairs(names) do crc = files.crc32(files.crc32(crc, name), tensors[name]) end
  return ("%08x"):format(crc)
end

-- Writes what is in the table to one file, which appears whole or not at all.
-- {keep=n} leaves the n files before it as path.1 (the last), path.2 and so on.
function checkpoint.save(path, things, o)
  o = tide.options("checkpoint.save", o, { keep = 0 })
  check_path("checkpoint.save", path)
  if type(things) ~= "table" or is_object(things) then
    tide.raise("checkpoint.save: give what is to be kept by name, as in {model=net, " ..
               "optimizer=opt}")
  end
  tide.count("checkpoint.save", "keep", o.keep, 0)
  local tensors, tree, names = {}, {}, {}
  for name, v in pairs(things) do
    if type(name) ~= "string" then
      tide.raise("checkpoint.save: names must be strings, not " .. tostring(name))
    end
    tree[name] = encode(v, name, tensors, {})
  end
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names)
  for n = o.keep, 1, -1 do core.keep(aged(path, n - 1), aged(path, n)) end
  local random, state = json.encode(tide.random_state(), true), json.encode(tree, true)
  files.safetensors_write(path, tensors, names, { format = FORMAT, version = tide.version,
    random = random, state = state, crc32 = checksum(random, state, tensors, names) })
end

-- The table of values in one file; raises when it is no checkpoint.  Those of earlier versions
-- have no checksum.
local function read(path)
  local tensors, names, notes = files.safetensors_read(path, nil)
  if not notes or notes.format ~= FORMAT then
    tide.raise(path .. ": this is not a checkpoint of tide.checkpoint.save")
  end
  table.sort(names)
  if notes.crc32 and notes.crc32 ~= checksum(notes.random or "", notes.state or "", tensors, names) then
    tide.raise(path .. ": the checkpoint is damaged: its contents do not have the checksum that was kept")
  end
  local tree, why = json.decode(notes.state or "")
  local random = json.decode(notes.random or "")
  local out = {}
  local good = type(tree) == "table" and pcall(function()
    for name, v in pairs(tree) do out[name] = decode(v, tensors) end
  end)
  if not good or type(random) ~= "table" or math.type(random.seed) ~= "integer" or
     math.type(random.offset) ~= "integer" then
    tide.raise(("%s: the checkpoint is damaged: %s"):format(path, why or "it lacks a part"))
  end
  return out, random
end

-- The newest file that can be read, among path, path.1, path.2, ...
local function read_newest(path)
  local first
  for n = 0, 99 do
    local at = aged(path, n)
    if n > 0 and not files.is_file(at) then break end
    local ok, out, random = pcall(read, at)
    if ok then return out, random, at, first end
    if tostring(out):find("interrupted", 1, true) then error(out, 0) end
    first = first or out
  end
  error(first, 0)
end

-- Is there a checkpoint, or one that was kept beside it?
function checkpoint.exists(path)
  check_path("checkpoint.exists", path)
  return files.is_file(path) or files.is_file(aged(path, 1))
end

-- Reads a checkpoint; the objects in `things` take up what was kept under their
-- names, and the random stream goes on where it was ({random=false}: it is left
-- alone).  Returns all values by name, and the path of the file that was read.
function checkpoint.load(path, things, o)
  o = tide.options("checkpoint.load", o, { random = true })
  check_path("checkpoint.load", path)
  local out, random, at, damage = read_newest(path)
  for name, v in pairs(things or {}) do
    if not is_object(v) then
      tide.raise(("checkpoint.load: '%s' is a %s; give objects with load_state_dict, " ..
                  "values are returned"):format(tostring(name), tide.type(v)))
    end
    if out[name] == nil then
      local names = {}
      for key in pairs(out) do names[#names + 1] = key end
      table.sort(names)
      tide.raise(("checkpoint.load: %s holds no '%s' (it holds %s)"):format(at,
        tostring(name), table.concat(names, ", ")))
    end
  end
  for name, v in pairs(things or {}) do v:load_state_dict(out[name]) end
  if o.random then tide.random_state(random) end
  return out, at, damage
end

return checkpoint
