-- layers.lua -- the built-in modules.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local init = require "tide.nn.initialize"
local F = require "tide.nn.functional"
local Module, Parameter = base.Module, base.Parameter

local layers = {}

local function class(name)
  layers[name] = Module:extend(name)
  return layers[name]
end

---- Linear ----

local Linear = class "Linear"

-- nn.Linear(inputs, outputs, {bias=true}); weights start uniform in
-- +-1/sqrt(inputs).
function Linear:init(inputs, outputs, o)
  o = tide.options("nn.Linear", o, { "dtype", "device", bias = true })
  inputs = tide.count("nn.Linear", "inputs", inputs, 0)
  outputs = tide.count("nn.Linear", "outputs", outputs, 0)
  local spec = { dtype = o.dtype, device = o.device }
  local a = 1 / math.sqrt(math.max(inputs, 1))
  self.weight = Parameter(init.uniform_(
    tensor.empty(outputs, inputs, spec), -a, a))
  if o.bias then
    self.bias = Parameter(init.uniform_(tensor.empty(outputs, spec), -a, a))
  end
end
function Linear:forward(x) return x:linear(self.weight, self.bias) end
function Linear:extra()
  local shape = self.weight.shape
  return ("%d, %d%s"):format(shape[2], shape[1], self.bias and "" or ", no bias")
end

---- normalisation ----

-- nn.LayerNorm(size, {eps=1e-5, affine=true, bias=true}) over the last dim
local LayerNorm = class "LayerNorm"
function LayerNorm:init(size, o)
  o = tide.options("nn.LayerNorm", o, {
    "dtype", "device", eps = 1e-5, affine = true, bias = true })
  self.size, self.eps = tide.count("nn.LayerNorm", "size", size, 0), o.eps
  local spec = { dtype = o.dtype, device = o.device }
  if o.affine then
    self.weight = Parameter(tensor.ones(size, spec))
    if o.bias then self.bias = Parameter(tensor.zeros(size, spec)) end
  end
end
function LayerNorm:forward(x)
  return x:layer_norm(self.weight, self.bias, self.eps)
end
function LayerNorm:extra() return ("%d, eps=%g"):format(self.size, self.eps) end

-- nn.RMSNorm(size, {eps=1e-6, affine=true}) over the last dim
local RMSNorm = class "RMSNorm"
function RMSNorm:init(size, o)
  o = tide.options("nn.RMSNorm", o, {
    "dtype", "device", eps = 1e-6, affine = true })
  self.size, self.eps = tide.count("nn.RMSNorm", "size", size, 0), o.eps
  if o.affine then
    self.weight = Parameter(tensor.ones(size, {
      dtype = o.dtype, device = o.device }))
  end
end
function RMSNorm:forward(x) return x:rms_norm(self.weight, self.eps) end
RMSNorm.extra = LayerNorm.extra

---- Embedding ----

-- nn.Embedding(entries, size): a row for each position; positions count from 1.
local Embedding = class "Embedding"
function Embedding:init(entries, size, o)
  o = tide.options("nn.Embedding", o, { "dtype", "device", std = 1 })
  entries = tide.count("nn.Embedding", "entries", entries, 0)
  size = tide.count("nn.Embedding", "size", size, 0)
  self.weight = Parameter(init.normal_(tensor.empty(entries, size, {
    dtype = o.dtype, device = o.device }), 0, o.std))
end
function Embedding:forward(index) return self.weight:embedding(index) end
function Embedding:extra() return table.concat(self.weight.shape, ", ") end

---- Dropout ----

local Dropout = class "Dropout"
function Dropout:init(p)
  p = p or 0.5
  if type(p) ~= "number" or not (p >= 0 and p <= 1) then
    tide.raise("nn.Dropout: p must be a probability, not " .. tostring(p))
  end
  self.p = p
end
function Dropout:forward(x) return F.dropout(x, self.p, self.training) end
function Dropout:extra() return ("%g"):format(self.p) end

---- functions of one tensor ----

local function activation(name, f)
  class(name).forward = function(_, x) return f(x) end
end
activation("Identity", function(x) return x end)
activation("ReLU", tensor.relu)
activation("SiLU", tensor.silu)
activation("GELU", tensor.gelu)
activation("Tanh", tensor.tanh)
activation("Sigmoid", tensor.sigmoid)
activation("Softplus", tensor.softplus)

-- nn.Lambda(f): any function as a module
local Lambda = class "Lambda"
function Lambda:init(f)
  if not tide.callable(f) then
    tide.raise("nn.Lambda: give a function, not a " .. type(f))
  end
  self.f = f
end
function Lambda:forward(...) return self.f(...) end

---- Sequential ----

-- nn.Sequential(a, b, ...) applies one module or function after the other;
-- net[i] is the i-th.
local Sequential = class "Sequential"
function Sequential:init(...)
  for i, part in ipairs { ... } do
    if not tide.callable(part) then
      tide.raise(("nn.Sequential: entry %d must be a module or a function, not a %s%s")
        :format(i, type(part), type(part) == "table" and
          "; give the parts one after the other: nn.Sequential(a, b)" or ""))
    end
    self[i] = part
  end
end
function Sequential:forward(x)
  for i = 1, #self do x = self[i](x) end
  return x
end

---- attention ----

-- nn.MultiheadAttention(dim, heads, {bias=true, dropout=0, qk_norm=false}) on
-- (batch, n, dim); called as attention(query, key, value, {mask=, causal=}), key
-- and value default to the query.  qk_norm: queries and keys of each head pass an
-- RMSNorm, which keeps scores from growing.
local MultiheadAttention = class "MultiheadAttention"
function MultiheadAttention:init(dim, heads, o)
  o = tide.options("nn.MultiheadAttention", o, {
    "dtype", "device", bias = true, dropout = 0, qk_norm = false })
  dim = tide.count("nn.MultiheadAttention", "dim", dim, 0)
  heads = tide.count("nn.MultiheadAttention", "heads", heads, 0)
  if heads == 0 or dim % heads ~= 0 then
    tide.raise(("nn.MultiheadAttention: dim %d is no multiple of %d heads"):format(
      dim, heads))
  end
  self.heads, self.dropout = heads, o.dropout
  local spec = { dtype = o.dtype, device = o.device, bias = o.bias }
  for _, name in ipairs { "query", "key", "value", "output" } do
    self[name] = layers.Linear(dim, dim, spec)
    init.xavier_uniform_(self[name].weight)
    if o.bias then init.zeros_(self[name].bias) end
  end
  if o.qk_norm then
    self.query_norm = layers.RMSNorm(dim // heads, { dtype = o.dtype, device = o.device })
    self.key_norm = layers.RMSNorm(dim // heads, { dtype = o.dtype, device = o.device })
  end
end

-- (batch, n, dim) to (batch, heads, n, dim / heads)
local function split_heads(x, heads)
  local batch, n, dim = x:size(1), x:size(2), x:size(3)
  return x:reshape(batch, n, heads, dim // heads):transpose(2, 3)
end

function MultiheadAttention:forward(query, key, value, o)
  o = tide.options("nn.MultiheadAttention", o, { "mask", causal = false })
  if query:dim() ~= 3 then
    tide.raise(("nn.MultiheadAttention: the query must be (batch, n, dim), not (%s)")
      :format(table.concat(query.shape, ", ")))
  end
  key = key or query
  value = value or key
  local q, k = split_heads(self.query(query), self.heads), split_heads(self.key(key), self.heads)
  if self.query_norm then q, k = self.query_norm(q), self.key_norm(k) end
  local y = F.scaled_dot_product_attention(q, k,
    split_heads(self.value(value), self.heads),
    { mask = o.mask, causal = o.causal,
      dropout = self.training and self.dropout or 0 })
  return self.output(y:transpose(2, 3):flatten(3, 4))
end
function MultiheadAttention:extra()
  return ("%d, heads=%d"):format(self.query.weight.shape[1], self.heads)
end

return layers
