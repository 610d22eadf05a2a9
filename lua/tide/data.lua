-- data.lua -- tensors in files, data sets, and batches of rows.

local tide = require "tide"
local formats = require "tide.data.formats"
local sets = require "tide.data.sets"
local tensor = tide.tensor

local data = {
  load = formats.load, save = formats.save, fashion_mnist = sets.fashion_mnist,
  idx_images = sets.idx_images, cifar10 = sets.cifar10,
}

---- rows ----

-- A list of tensors with as many rows each, and how many; a tensor is a list of one.
local function row_list(name, x)
  local list = tensor.is_tensor(x) and { x } or x
  if type(list) ~= "table" or #list == 0 then
    tide.raise(name .. ": a tensor of rows, or a list of them, is needed, not " .. tide.type(x))
  end
  for _, t in ipairs(list) do
    if not tensor.is_tensor(t) or t:dim() == 0 or t:size(1) ~= list[1]:size(1) then
      tide.raise(name .. ": tensors with as many rows each are needed")
    end
  end
  return list, list[1]:size(1)
end

-- Rows in a new order, the same for all tensors of a list: x, y = data.shuffle{x, y}
function data.shuffle(x, o)
  o = tide.options("data.shuffle", o, { "generator" })
  local list, n = row_list("data.shuffle", x)
  local order, out = tensor.randperm(n, { generator = o.generator }), {}
  for i, t in ipairs(list) do out[i] = t:index_select(1, order:to(t.device)) end
  return table.unpack(out)
end

-- The first rows and the rest, views: train, valid = data.split(x, 0.9).  Of a list
-- of tensors come first parts and rests in turn: x1, x2, y1, y2 = data.split({x, y}, 100)
function data.split(x, first)
  local list, n = row_list("data.split", x)
  local k = math.type(first) == "integer" and first
    or type(first) == "number" and math.floor(first * n + 0.5)
  if not k or (math.type(first) == "float" and not (first >= 0 and first <= 1))
     or k < 0 or k > n then
    tide.raise(("data.split: a number of rows from 0 to %d, or a share such as 0.9, is needed, " ..
      "not %s"):format(n, tostring(first)))
  end
  local out = {}
  for _, t in ipairs(list) do
    out[#out + 1] = t:narrow(1, 1, k)
    out[#out + 1] = k < n and t:narrow(1, k + 1, n - k) or t:narrow(1, 1, 0)
  end
  return table.unpack(out)
end

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

local Batches = {}
Batches.__index = Batches

local function next_epoch(self)
  local o = self.options
  self.epoch, self.at = self.epoch + 1, 1
  local order = o.shuffle and tensor.randperm(self.rows, { generator = o.generator })
    or tensor.arange(1, self.rows, { dtype = "i64" })
  self.order = order:to(self.x.device)
end

-- An endless iterator over batches of rows of x (and of y, if given), shuffled
-- anew in every epoch:  for step, xb, yb in data.batches(x, {batch=64, labels=y})
function data.batches(x, o)
  o = tide.options("data.batches", o, {
    "labels", "epochs", "generator", batch = 64, shuffle = true,
    drop_last = true })
  local self = setmetatable({ options = o, x = x, rows = check_batches(x, o),
                              epoch = 0, step = 0 }, Batches)
  next_epoch(self)
  return self
end

function Batches:__call()
  local o = self.options
  local left = self.rows - self.at + 1
  if left < (o.drop_last and o.batch or 1) then
    if o.epochs and self.epoch >= o.epochs then return nil end
    next_epoch(self)
    left = self.rows
  end
  local rows = self.order:narrow(1, self.at, math.min(o.batch, left))
  self.at, self.step = self.at + o.batch, self.step + 1
  return self.step, self.x:index_select(1, rows),
    o.labels and o.labels:index_select(1, rows) or nil
end

-- The next rows and their labels, however many were asked for: batches are a source
-- for flow.train.
function Batches:sample()
  local _, x, labels = self()
  return x, labels
end

function Batches:__tostring()
  return ("data.batches: %d rows by %d, epoch %d, step %d"):format(self.rows,
    self.options.batch, self.epoch, self.step)
end

-- Where the iterator stands: the order of this epoch, and the generator's state.
function Batches:state_dict()
  local g = self.options.generator
  return { order = self.order, at = self.at, epoch = self.epoch, step = self.step,
           generator = g and g:state() or nil }
end

function Batches:load_state_dict(state)
  if type(state) ~= "table" or not tensor.is_tensor(state.order) then
    tide.raise("load_state_dict: this is not the state of data.batches")
  elseif state.order:numel() ~= self.rows then
    tide.raise(("load_state_dict: the state is of batches from %d rows; there are %d")
      :format(state.order:numel(), self.rows))
  end
  self.order = state.order:to(self.x.device)
  self.at, self.epoch, self.step = state.at, state.epoch, state.step
  if state.generator then self.options.generator:set_state(state.generator) end
  return self
end

return data
