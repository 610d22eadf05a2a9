-- data.lua -- tensors in files, and batches of rows.

local tide = require "tide"
local core = require "tide.data.core"
local tensor = tide.tensor

local data = {}

---- files, by extension ----

local readers, writers = {}, {}

readers.npy, writers.npy = core.npy_read, core.npy_write

local function sorted_names(x)
  local names = {}
  for name, t in pairs(x) do
    if type(name) ~= "string" or not tensor.is_tensor(t) then
      error(("data.save: wants a table of tensors under names, not %s under %s")
            :format(type(t), tostring(name)), 4)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- Returns the tensors by name, their names in file order, and the metadata text.
readers.safetensors = core.safetensors_read
function writers.safetensors(path, x, o)
  if tensor.is_tensor(x) then x = { tensor = x } end
  core.safetensors_write(path, x, sorted_names(x), o.metadata)
end

local function extension(what, path, table_)
  if type(path) ~= "string" then
    error(what .. ": the path must be a string, not " .. type(path), 3)
  end
  local ext = path:gsub("%.gz$", ""):match("%.([%w]+)$")
  local f = ext and table_[ext:lower()]
  if f then return f end
  local known = {}
  for name in pairs(table_) do known[#known + 1] = name end
  table.sort(known)
  error(("%s: %s: no format is known by this extension (known: %s)")
        :format(what, path, table.concat(known, ", ")), 3)
end

function data.load(path, o)
  return extension("data.load", path, readers)(path, o or {})
end

function data.save(path, x, o)
  o = tide.options("data.save", o, { "metadata", "header" })
  extension("data.save", path, writers)(path, x, o)
end

---- batches ----

-- An endless iterator over batches of rows of x (and of y, if given), shuffled
-- anew in every epoch:  for step, xb, yb in data.batches(x, {batch=64, labels=y})
function data.batches(x, o)
  o = tide.options("data.batches", o, {
    "labels", "epochs", "generator", batch = 64, shuffle = true,
    drop_last = true })
  local n = x:size(1)
  if o.batch > n then
    error(("data.batches: a batch of %d from %d rows"):format(o.batch, n), 2)
  end
  local order, at, epoch, step
  local function next_epoch()
    epoch, at = (epoch or 0) + 1, 1
    order = o.shuffle and tensor.randperm(n, { generator = o.generator })
      or tensor.arange(1, n, { dtype = "i64" })
    order = order:to(x.device)
  end
  next_epoch()
  return function()
    local left = n - at + 1
    if left < (o.drop_last and o.batch or 1) then
      if o.epochs and epoch >= o.epochs then return nil end
      next_epoch()
      left = n
    end
    local rows = order:narrow(1, at, math.min(o.batch, left))
    at = at + o.batch
    step = (step or 0) + 1
    return step, x:index_select(1, rows),
      o.labels and o.labels:index_select(1, rows) or nil
  end
end

return data
