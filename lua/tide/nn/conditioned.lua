-- conditioned.lua -- what velocity nets share: they are called as v(z, t [, c]) and turn
-- the time and a label into one vector,
--
--   Linear(SiLU(Linear(sinusoid(t)))) + a row for the label
--
-- and how their layers start.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local layers = require "tide.nn.layers"
local init = require "tide.nn.initialize"

local FEATURES, PERIOD = 256, 1e4      -- of the sinusoid

local conditioned = {}

-- A linear layer without bias at first, its weight filled by start.
function conditioned.linear(inputs, outputs, spec, start)
  local layer = layers.Linear(inputs, outputs, spec)
  start(layer.weight)
  init.zeros_(layer.bias)
  return layer
end

-- One linear layer with the outputs of all in the list, one after the other.
function conditioned.stacked(list)
  local layer, parts = list[1], { weight = {}, bias = {} }
  for i, part in ipairs(list) do parts.weight[i], parts.bias[i] = part.weight, part.bias end
  for name, values in pairs(parts) do
    layer[name] = base.Parameter(tide.no_grad(tensor.cat, values, 1))
  end
  return layer
end

-- The results of such a layer, n of equal size, in the type of its weights (autocast narrows them).
function conditioned.parts(layer, x, n)
  return layer(x):to(layer.weight.dtype):chunk(n, -1)
end

-- What runs through the blocks: h, to which each of them adds.  stream:norm reads it, normalised
-- and modulated; what was added before is added on the way, so both are one pass over memory.
local Stream = {}
Stream.__index = Stream
function conditioned.stream(h, eps) return setmetatable({ h = h, eps = eps }, Stream) end

-- h = h + gate y, with the next norm
function Stream:add(gate, y) self.gate, self.y = gate, y end

function Stream:norm(shift, scale, weight, bias)
  if not self.gate then return self.h:layer_norm(weight, bias, self.eps, shift, scale) end
  local h, y = self.h:gated_norm(self.gate, self.y, weight, bias, self.eps, shift, scale)
  self.h, self.gate = h, nil
  return y
end

local function small(weight) return init.normal_(weight, 0, 0.02) end

-- Raises unless o[name] is a whole number of at least `least` for each name; nil may be
-- left out where the list has it as optional.
function conditioned.check_sizes(title, o, names, optional)
  for _, list in ipairs { names, optional or {} } do
    for name, least in pairs(list) do
      local v = o[name]
      if v ~= nil or list == names then tide.count(title, name, v, least) end
    end
  end
end

---- labels ----

-- nn.LabelEmbedding(classes, size, {std=0.02}): a row for each of the labels 1..classes and
-- one for none (null_label).
local LabelEmbedding = layers.Embedding:extend("LabelEmbedding")
function LabelEmbedding:init(classes, size, o)
  o = tide.options("nn.LabelEmbedding", o, { "dtype", "device", std = 0.02 })
  conditioned.check_sizes("nn.LabelEmbedding", { classes = classes, size = size },
    { classes = 1, size = 1 })
  layers.Embedding.init(self, classes + 1, size, o)
  self.null_label = classes + 1
end

-- Rows of x, one for each label and one for none, at labels (n); a label without one is an error.
local function rows_at(self, x, labels)
  if tensor.is_tensor(labels) and not labels.dtype:find "^[iu]" then
    tide.raise(("labels must be of an integer type, not %s; x:long() makes them"):format(labels.dtype))
  end
  local ok, rows = pcall(x.embedding, x, labels)
  if ok then return rows end
  local label = type(rows) == "string" and rows:match "position (%-?%d+) does not exist"
  if not label then error(rows, 0) end
  tide.raise(("there is no label %s; labels go from 1 to %d, and %d stands for none"):format(label,
    self.null_label - 1, self.null_label))
end

-- Rows (n, size) of labels (n); without labels one row (1, size), that of none.
function LabelEmbedding:forward(labels)
  return rows_at(self, self.weight, labels or { self.null_label })
end

-- Labels (n) as places among all rows, counted from 0, in the type of the weights.
function LabelEmbedding:places(labels)
  local like = self.weight
  local all = tensor.arange(0, self.null_label - 1, { dtype = like.dtype, device = like.device })
  return rows_at(self, all:unsqueeze(2), labels):select(2, 1)
end

---- the class ----

local Net = base.Module:extend("Conditioned")
Net.title = "a velocity net"           -- in messages

-- The parts that embed time and labels in `width` numbers; o has classes, dtype, device.
function Net:make_embedding(width, o)
  local spec = { dtype = o.dtype, device = o.device }
  self.time1 = conditioned.linear(FEATURES, width, spec, small)
  self.time2 = conditioned.linear(width, width, spec, small)
  self.classes = o.classes
  if o.classes then
    self.label = LabelEmbedding(o.classes, width, spec)
    self.null_label = self.label.null_label
  end
end

-- t as a vector of 1 or n times, in the type of the weights.
function Net:times(t, n)
  local like = self.time1.weight
  if type(t) == "number" then
    return tensor.full({ 1 }, t, { dtype = like.dtype, device = like.device })
  end
  if not tensor.is_tensor(t) then
    tide.raise(("%s: t must be a number or a tensor, not a %s"):format(self.title, type(t)))
  end
  local count = t:numel()
  if count ~= 1 and count ~= n then
    tide.raise(("%s: t must be one number or one for each of the %d points; it has shape %s")
      :format(self.title, n, tensor.shape_text(t)))
  end
  if t:dim() ~= 1 then t = t:reshape(count) end
  return t.dtype == like.dtype and t or t:to(like.dtype)
end

-- Rows of the labels of n points, or nil where the net has none.
function Net:label_rows(labels, n)
  if self.classes then
    if not tensor.is_tensor(labels) then return self.label(labels and { labels }) end
    if labels:dim() ~= 1 or (labels:size(1) ~= n and labels:size(1) ~= 1) then
      tide.raise(("%s: labels must be a vector of %d; they have shape %s"):format(self.title, n,
        tensor.shape_text(labels)))
    end
    return self.label(labels)
  elseif labels ~= nil then
    tide.raise(("%s: this network takes no condition; make it with classes= or cond=")
      :format(self.title))
  end
end

-- The embedded time of n points, plus `rows` (those of labels): (1, width) or (n, width).
function Net:embedding(t, rows, n)
  local e = self.time2(self.time1(self:times(t, n):sinusoid(FEATURES, PERIOD)):silu())
  return rows and e + rows or e
end

-- In files of older versions each block has a layer for its modulations, which are now those
-- of one layer: the state with today's names.
function Net:renamed(state, prefix)
  local first = prefix .. "blocks.1.modulation.weight"
  if not self.modulation or not state[first] then return state end
  local new, parts = {}, { weight = {}, bias = {} }
  for name, value in pairs(state) do new[name] = value end
  for kind, list in pairs(parts) do
    for i = 1, #self.blocks do
      local name = ("%sblocks.%d.modulation.%s"):format(prefix, i, kind)
      list[i], new[name] = new[name], nil
    end
    local name = prefix .. "modulation." .. kind
    list[#list + 1] = new[name]
    new[name] = tensor.cat(list, 1)
  end
  return new
end

conditioned.Net, conditioned.LabelEmbedding = Net, LabelEmbedding
return conditioned
