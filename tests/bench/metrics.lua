-- metrics.lua -- how long the measures take that grow with the square of something.

local tide = require "tide"
local tensor, metrics = tide.tensor, tide.metrics

tide.seed(1)
local function time(what, f)
  local wall, cpu = tide.clock(), os.clock()
  f()
  print(("%-52s %7.2f s  (CPU %.2f s)"):format(what, tide.clock() - wall, os.clock() - cpu))
end

local few, many = tensor.randn(10000, 32), tensor.randn(100000, 32)
time("kNN radius, 10,000 x 100,000 points in 32-D", function()
  metrics.knn_log_radius(few, many, { k = 5 })
end)
local plane, lines = tensor.randn(100000, 2), tensor.linspace(-3, 3, 256)
time("kernel density, 100,000 samples on 256 x 256 cells", function()
  metrics.kde_grid(lines, lines, plane)
end)
time("exact W2, 2,000 points in 32-D", function()
  metrics.wasserstein(tensor.randn(2000, 32), tensor.randn(2000, 32))
end)
time("Frechet distance, 10,000 points in 512-D", function()
  metrics.frechet(tensor.randn(10000, 512), tensor.randn(10000, 512))
end)
time("precision and recall, 5,000 points in 64-D", function()
  metrics.precision_recall(tensor.randn(5000, 64), tensor.randn(5000, 64))
end)
