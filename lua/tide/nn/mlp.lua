-- mlp.lua -- nn.MLP: linear layers with an activation between them.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local layers = require "tide.nn.layers"

local MLP = base.Module:extend("MLP")

local acts = { silu = tensor.silu, gelu = tensor.gelu, relu = tensor.relu,
               tanh = tensor.tanh }

-- nn.MLP{784, 512, 2, act="silu"}: sizes from the input to the output; the last
-- layer has no activation.
function MLP:init(o)
  if type(o) ~= "table" or #o < 2 then
    tide.raise("nn.MLP: give at least two sizes, as in nn.MLP{784, 512, 2}")
  end
  local named = {}
  for k, v in pairs(o) do
    if type(k) == "string" then named[k] = v end
  end
  named = tide.options("nn.MLP", named, { "dtype", "device", act = "silu" })
  if not acts[named.act] then
    tide.raise("nn.MLP: act is 'silu', 'gelu', 'relu' or 'tanh', not " ..
               tostring(named.act))
  end
  self.act = named.act
  self.layers = {}
  for i = 1, #o - 1 do
    self.layers[i] = layers.Linear(o[i], o[i + 1], {
      dtype = named.dtype, device = named.device })
  end
end

-- The output; with last=n, the activations after the first n layers instead.
function MLP:forward(x, last)
  local act, n = acts[self.act], #self.layers
  for i = 1, last or n do
    x = self.layers[i](x)
    if i < n then x = act(x) end
  end
  return x
end

function MLP:extra() return "act=" .. self.act end

return { MLP = MLP }
