-- init.lua -- networks: the class nn.Module, layers, losses, starting values.

local base = require "tide.nn.module"

local nn = {
  Module = base.Module,
  Parameter = base.Parameter,
  is_module = base.is_module,
  init = require "tide.nn.initialize",
}
for _, part in ipairs { "tide.nn.layers", "tide.nn.mlp", "tide.nn.batchnorm", "tide.nn.conv",
                        "tide.nn.functional" } do
  for name, value in pairs(require(part)) do nn[name] = value end
end

return nn
