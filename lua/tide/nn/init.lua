-- init.lua -- networks: the class nn.Module, layers, losses, starting values.

local base = require "tide.nn.module"

local nn = {
  Module = base.Module,
  Parameter = base.Parameter,
  is_module = base.is_module,
  init = require "tide.nn.initialize",
}
for _, part in ipairs { "layers", "mlp", "batchnorm", "conv", "position", "dit", "unet", "autoencoder",
                        "functional" } do
  for name, value in pairs(require("tide.nn." .. part)) do nn[name] = value end
end

nn.LabelEmbedding = require("tide.nn.conditioned").LabelEmbedding

return nn
