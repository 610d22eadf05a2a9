-- data.lua -- tensors in files, data sets, and batches of rows.

local tide = require "tide"
local formats = require "tide.data.formats"
local sets = require "tide.data.sets"
local tensor = tide.tensor

local data = {
  load = formats.load, save = formats.save, fashion_mnist = sets.fashion_mnist,
}

---- batches ----

local function check_batches(x, o)
  if not tensor.is_tensor(x) or x:dim() == 0 then
    tide.raise("data.batches: a tensor of rows is needed, not " ..
      (tensor.is_tensor(x) and "one number" or type(x)))
  end
  local n = x:size(1)
  if math.type(o.batch) ~= "integer" or o.batch < 1 or o.batch > n then
    tide.raise(("data.batches: a batch of %s from %d rows"):format(tostring(o.batch), n))
  end
  if o.labels ~= nil and not (tensor.is_tensor(o.labels) and o.labels:dim() > 0
                              and o.labels:size(1) == n) then
    tide.raise(("data.batches: labels must be a tensor of %d rows, as the data"):format(n))
  end
  if o.epochs ~= nil and (math.type(o.epochs) ~= "integer" or o.epochs < 1) then
    tide.raise("data.batches: epochs must be a whole number from 1, not " .. tostring(o.epochs))
  end
  return n
end

-- An endless iterator over batches of rows of x (and of y, if given), shuffled
-- anew in every epoch:  for step, xb, yb in data.batches(x, {batch=64, labels=y})
function data.batches(x, o)
  o = tide.options("data.batches", o, {
    "labels", "epochs", "generator", batch = 64, shuffle = true,
    drop_last = true })
  local n = check_batches(x, o)
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
