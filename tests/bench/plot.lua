-- plot.lua -- time to set and to draw figures, in milliseconds: tide tests/bench/plot.lua [--json FILE]
--
-- The last part, windows, is tests/bench/window.lua.
local tide = require("tide")
local json = require("tide.json")
local plot, tensor = tide.plot, tide.tensor

if not plot.can_save then
  print("this build has no drawing")
  return
end

local file = arg[1] == "--json" and arg[2]
local results = {}

local function note(name, ms)
  results[name] = ms
  print(("%-56s %8.2f ms"):format(name, ms))
end

local function time(name, rounds, f)
  f()
  local best = math.huge
  for _ = 1, rounds do
    local start = tide.clock()
    f()
    best = math.min(best, tide.clock() - start)
  end
  note(name, best * 1e3)
end

-- ---- a figure of 1280 x 800 pixels with all that a live run shows ----
local fig = plot.figure { size = { 640, 400 }, cols = 2 }
local latent = fig:axes { equal = true, xlim = { -3, 3 }, ylim = { -3, 3 } }
local z, xy, c = tensor.randn(256, 256), tensor.randn(10000, 2), tensor.rand(10000)
local hm = latent:heatmap(z, { extent = { -3, 3, -3, 3 } })
local points = latent:scatter(xy, { c = c, cmap = "magma", size = 3 })
local curve = fig:axes { xlabel = "step", ylabel = "loss" }:line(tensor.randn(5000), { smooth = 0.99 })
time("set a 256 x 256 heatmap from a tensor", 20, function() hm:set(z) end)
time("set 10,000 points and colours from tensors", 20, function() points:set { xy = xy, c = c } end)
time("2 axes, heatmap, 10,000 points, 5,000-point curve", 10, function() fig:pixels() end)
time("the same as PNG", 10, function() fig:render() end)
time("the same as SVG", 3, function() fig:render { format = "svg" } end)
time("the same as PDF", 3, function() fig:render { format = "pdf" } end)

-- ---- frames that follow a figure: what did not change is kept ----
-- Without an end, drawing and packing of `n` frames; closing chooses colours and writes.
local function frames(name, n, change)
  local path = os.tmpname()
  local gif = fig:gif(path)
  gif:frame():frame():frame()
  local start = tide.clock()
  for k = 1, n do
    change(k)
    gif:frame()
  end
  note(name, (tide.clock() - start) / n * 1e3)
  gif:close()
  os.remove(path)
end
frames("a frame of a GIF where nothing changed", 20, function() end)
frames("a frame where the points changed", 20, function() points:set { xy = xy } end)
frames("a frame where the heatmap and the points changed", 20, function()
  hm:set(z)
  points:set { xy = xy }
end)
frames("a frame where the curve grew", 20, function(k) curve:push(5000 + k, 0) end)

-- ---- one kind at a time ----
local function alone(name, add)
  local one = plot.figure { size = { 640, 400 } }
  add(one:axes {})
  time(name, 10, function() one:pixels() end)
end
alone("empty axes", function() end)
alone("10,000 points", function(ax) ax:scatter(xy, { c = c, size = 3 }) end)
alone("256 x 256 heatmap", function(ax) ax:heatmap(z) end)
alone("200 paths of 50 steps, fading", function(ax) ax:paths(tensor.randn(50, 200, 2):cumsum(1)) end)
alone("line of 1,000 points", function(ax) ax:line(tensor.randn(1000):cumsum(1)) end)
alone("line of 100,000 points", function(ax) ax:line(tensor.randn(100000)) end)
alone("line of 100,000 points with smoothing", function(ax)
  ax:line(tensor.randn(100000), { smooth = 0.99 })
end)
alone("line of 1,000,000 points", function(ax) ax:line(tensor.randn(1000000)) end)

alone("curve of 1,000,000 points that grows: limits", function(ax)
  local line = ax:line(tensor.randn(1000000))
  time("limits of 1,000,000 points, one pushed", 20, function()
    line:push(0)
    ax:get "ylim"
  end)
end)

-- ---- windows ----
local i = -1
while arg[i - 1] do i = i - 1 end
local part = file and file .. ".windows"
os.execute(("'%s' tests/bench/window.lua %s"):format(arg[i], part and "--json '" .. part .. "'" or ""))
if not file then return end
local f = io.open(part)
if f then
  for name, value in pairs(json.decode(f:read "a")) do results[name] = value end
  f:close()
  os.remove(part)
end
f = assert(io.open(file, "w"))
f:write(json.encode(results))
f:close()
