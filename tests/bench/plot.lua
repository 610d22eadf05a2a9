-- plot.lua -- time to set and to draw figures, in milliseconds.
local tide = require("tide")
local plot, tensor = tide.plot, tide.tensor

if not plot.can_save then
  print("this build has no drawing")
  return
end

local function time(name, rounds, f)
  f()
  local best = math.huge
  for _ = 1, rounds do
    local start = tide.clock()
    f()
    best = math.min(best, tide.clock() - start)
  end
  print(("%-52s %8.2f ms"):format(name, best * 1e3))
end

local fig = plot.figure { size = { 640, 400 } }
local ax = fig:axes { equal = true }
local z, xy, c = tensor.randn(256, 256), tensor.randn(10000, 2), tensor.rand(10000)
local hm = ax:heatmap(z, { extent = { -3, 3, -3, 3 } })
local points = ax:scatter(xy, { c = c, cmap = "magma", size = 3 })
time("set a 256 x 256 heatmap from a tensor", 20, function() hm:set(z) end)
time("set 10,000 points and colours from tensors", 20, function() points:set { xy = xy, c = c } end)
for scale = 1, 2 do
  local pixels = ("%d x %d"):format(640 * scale, 400 * scale)
  time("draw both at " .. pixels, 10, function() fig:pixels { scale = scale } end)
  time("the same as PNG", 10, function() fig:render { scale = scale } end)
end
time("the same as SVG", 3, function() fig:render { format = "svg" } end)
time("the same as PDF", 3, function() fig:render { format = "pdf" } end)

local curves = plot.figure { size = { 640, 400 } }
local line = curves:axes {}:line(tensor.randn(1000):cumsum(1))
time("draw a line of 1,000 points at 1280 x 800", 10, function() curves:pixels() end)
line:set(tensor.randn(100000))
time("draw a line of 100,000 points at 1280 x 800", 10, function() curves:pixels() end)
line:set { smooth = 0.99 }
time("the same with smoothing", 10, function() curves:pixels() end)
