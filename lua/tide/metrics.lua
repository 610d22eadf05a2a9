-- metrics.lua -- numbers that compare samples, curves, densities and pictures.
--
-- Argument order is the same everywhere: what is judged (queries, samples,
-- reconstructions) comes first, what it is held against (data) second.

local metrics = {}

for _, part in ipairs { "curves", "densities", "distances", "coverage", "images" } do
  for name, f in pairs(require("tide.metrics." .. part)) do metrics[name] = f end
end

return metrics
