-- gallery.lua -- one picture for each kind of artist, to see what there is and
-- how it is asked for.  The numbers in them are made up for the purpose.

local tide = require "tide"
local script = require "tide.script"
local tensor, plot, flow = tide.tensor, tide.plot, tide.flow

local SPEC = {
  name = "gallery",
  about = "Draws one picture for each kind of artist.",
  options = {
    { "only", "", "the name of one picture; all when empty" },
    { "theme", "paper", "how pictures look: paper, dark, projector" },
    { "format", "png", "png, svg or pdf" },
  },
}

-- ---- numbers to show ----

local pi = math.pi

-- f(x, y) on n x n cells of the square from -r to r.
local function surface(n, r, f)
  local z = {}
  for i = 1, n do
    z[i] = {}
    for j = 1, n do z[i][j] = f(r * (2 * j - 1 - n) / n, r * (2 * i - 1 - n) / n) end
  end
  return z
end

local function square(r) return { -r, r, -r, r } end

-- Two saddles, a hill and a hollow.
local function hills(x, y)
  return math.exp(-(x - 1) ^ 2 - (y - 0.6) ^ 2) - 0.8 * math.exp(-(x + 1) ^ 2 - (y + 0.4) ^ 2)
end

-- A damped pendulum: angle and speed.
local function pendulum(points)
  local x, y = points:select(2, 1), points:select(2, 2)
  return tensor.stack({ y, -x:sin() - 0.15 * y }, 2)
end

-- Points that spiral from a ring to two clusters: steps x paths x 2.
local function journey(steps, paths)
  local xy = {}
  for s = 0, steps do
    xy[s + 1] = {}
    for k = 1, paths do
      local a, t = 2 * pi * k / paths, s / steps
      local side = k % 2 == 0 and 1 or -1
      local r, turn = 2 * (1 - t) + 0.25 * t, a + 1.6 * t * t
      xy[s + 1][k] = { 1.1 * side * t * t + r * math.cos(turn), r * math.sin(turn) }
    end
  end
  return xy
end

local function decay(n, rate, noise)
  local jitter, y = (noise * tensor.randn(n)):totable(), {}
  for k = 1, n do y[k] = (0.08 + math.exp(-k / rate)) * math.exp(jitter[k]) end
  return y
end

-- ---- the pictures ----

local pictures = {}
local names = {}

local function picture(name, draw)
  names[#names + 1] = name
  pictures[name] = draw
end

local function page(opts)
  opts = opts or {}
  opts.size = opts.size or { 360, 270 }
  return plot.figure(opts)
end

picture("scatter", function()
  local fig = page()
  local ax = fig:axes { title = "classes", xlabel = "z_1", ylabel = "z_2", equal = true,
                        legend = "outside" }
  local target = flow.targets.mog()
  local xy = target:sample(400)
  local c = {}
  for k, p in ipairs(xy:totable()) do
    c[k] = 1 + math.floor((math.atan(p[2], p[1]) / (2 * pi) + 1.1) * 5) % 5
  end
  ax:scatter(xy, { c = c, classes = { "shirt", "boot", "bag", "coat", "dress" } })
  return fig
end)

picture("scatter_values", function()
  local fig = page()
  local ax = fig:axes { title = "values and sizes", equal = true }
  local xy = tensor.randn(600, 2)
  local r = xy:square():sum(2):sqrt()
  ax:colorbar(ax:scatter(xy, { c = r, size = (6 - 1.5 * r):clamp(1.5, 6), cmap = "plasma",
                               label = "distance" }))
  return fig
end)

picture("line", function()
  local fig = page()
  local ax = fig:axes { xlabel = "step", ylabel = "loss", yscale = "log", y2label = "learning rate" }
  ax:line(decay(1500, 250, 0.35), { smooth = 0.98, label = "loss, smoothed over the raw line" })
  local rate = ax:line { axis = "y2", dash = "dashed", label = "learning rate" }
  for k = 1, 1500, 10 do rate:push(k, 5e-4 * (1 + math.cos(pi * k / 1500))) end
  return fig
end)

picture("band", function()
  local fig = page()
  local ax = fig:axes { xlabel = "step", ylabel = "distance" }
  ax:span({ 0, 20 }, { label = "warm-up" })
  for k, name in ipairs { "first", "second" } do
    local y, spread = decay(120, 20 + 15 * k, 0.04), {}
    for i = 1, #y do spread[i] = 0.03 + 0.25 * y[i] end
    ax:band { y = y, spread = spread, label = name .. ", 5 seeds" }
  end
  ax:hline(0.11, { dash = "dashed", label = "floor" })
  return fig
end)

picture("errorbar", function()
  local fig = page()
  local ax = fig:axes { xscale = "log", xlabel = "weight", ylabel = "score" }
  local x = { 1e-4, 1e-3, 1e-2, 1e-1 }
  ax:errorbar(x, { 8, 7.5, 6, 3 }, { 0.2, 0.3, 0.4, 0.7 }, { label = "symmetric" })
  ax:errorbar { x = x, y = { 5, 4.8, 4, 2 }, label = "asymmetric", marker = "square",
                yerr = { { 0.1, 0.3 }, { 0.3, 0.2 }, { 0.2, 0.5 }, { 0.8, 0.3 } } }
  return fig
end)

picture("bars", function()
  local fig = page()
  local ax = fig:axes { ylabel = "height" }
  ax:bars({ "one", "two", "three", "four", "five" },
    { { 9, 14 }, { 7, 10 }, { 5, 9 }, { 4, 6 }, { 3, 5 } },
    { classes = { "left", "right" }, yerr = tensor.full({ 5, 2 }, 0.5), numbers = true })
  return fig
end)

picture("histogram", function()
  local fig = page()
  local ax = fig:axes { xlabel = "value", ylabel = "density" }
  ax:histogram(tensor.randn(3000), { stat = "density", label = "wide" })
  ax:histogram(0.6 * tensor.randn(3000) - 1.8, { stat = "density", label = "narrow" })
  ax:histogram(0.7 * tensor.randn(3000) - 1.7, { stat = "density", style = "step", bins = 24,
                                                 color = "grey", label = "outline" })
  return fig
end)

picture("heatmap", function()
  local fig = page()
  local ax = fig:axes { title = "signed values, a hole", equal = true }
  local z = surface(120, 3, function(x, y)
    if (x + 1.8) ^ 2 + (y - 1.8) ^ 2 < 0.25 then return 0 / 0 end
    return hills(x, y)
  end)
  ax:colorbar(ax:heatmap(z, { extent = square(3), cmap = "blue-red", vcenter = 0 }))
  ax:contour(z, { extent = square(3), levels = { -0.6, -0.3, 0.3, 0.6 }, color = "black" })
  return fig
end)

picture("norms", function()
  local fig = page { size = { 620, 210 }, cols = 3 }
  local z = surface(80, 2.5, function(x, y) return math.exp(0.5 * (x * x + y * y) + math.sin(3 * x)) end)
  for _, norm in ipairs { "linear", "log", "quantile" } do
    local ax = fig:axes { title = norm, equal = true }
    ax:colorbar(ax:heatmap(z, { extent = square(2.5), norm = norm, cmap = "magma" }))
  end
  return fig
end)

picture("quiver", function()
  local fig = page()
  local ax = fig:axes { title = "a field on samples", equal = true, xlim = { -3, 3 }, ylim = { -2.5, 2.5 } }
  ax:quiver { field = pendulum, n = { 18, 15 } }
  return fig
end)

picture("stream", function()
  local fig = page()
  local ax = fig:axes { title = "a damped pendulum", xlabel = "angle", ylabel = "speed",
                        xlim = { -6, 6 }, ylim = { -3, 3 } }
  ax:colorbar(ax:stream(pendulum, { n = 60, cmap = "viridis", taper = true, label = "speed of change" }))
  return fig
end)

picture("paths", function()
  local fig = page()
  local ax = fig:axes { title = "trajectories", equal = true }
  local paths, c = 48, {}
  for k = 1, paths do c[k] = k % 2 end
  ax:paths(journey(40, paths), { c = c, cmap = "okabe", marker = "circle", width = 1 })
  return fig
end)

picture("mesh", function()
  local fig = page { size = { 520, 250 }, cols = 2 }
  local grid = {}
  for i = 0, 24 do
    grid[i + 1] = {}
    for j = 0, 24 do
      local x, y = -2 + j / 6, -2 + i / 6
      local pull = 0.75 * math.exp(-(x - 0.6) ^ 2 - (y - 0.4) ^ 2)
      grid[i + 1][j + 1] = { x - pull * (x - 0.6) + 0.2 * math.sin(2 * y),
                             y - pull * (y - 0.4) + 0.2 * math.sin(2 * x) }
    end
  end
  fig:axes { title = "denser where compressed", equal = true }:mesh(grid)
  local ax = fig:axes { title = "a value in each cell", equal = true }
  ax:mesh(grid, { z = surface(24, 2, hills), cmap = "cividis" })
  return fig
end)

picture("images", function()
  local fig = page { size = { 460, 250 } }
  local ax = fig:axes { title = "grey and colour" }
  local sheet = {}
  for row = 1, 3 do
    for k = 1, 8 do
      local image = surface(24, 1, function(x, y)
        local r = math.sqrt(x * x + y * y)
        local v = 0.5 + 0.5 * math.cos(2 * k * r - row)
        local edge = 1 / (1 + math.exp(20 * (r - 0.85)))
        if row < 3 then return { v * edge, v * edge, v * edge } end
        return { v * edge, (0.5 + 0.5 * x) * edge, (0.5 + 0.5 * y) * edge }
      end)
      sheet[#sheet + 1] = image
    end
  end
  ax:images(sheet, { rows = { "data", "model", "colour" }, columns = 8 })
  return fig
end)

picture("shapes", function()
  local fig = page()
  local ax = fig:axes { title = "ellipses, arrows, text, spans", equal = true,
                        xlim = { -4, 4 }, ylim = { -3, 3 } }
  local xy = tensor.randn(300, 2):matmul(tensor.from { { 1.2, 0.5 }, { 0, 0.6 } })
  ax:span({ 2.6, math.huge }, { color = "red" })
  ax:scatter(xy, { alpha = 0.5, size = 3.5, edge = "none" })
  ax:ellipse({ { 0, 0 } }, { { 1.44, 0.6 }, { 0.6, 0.61 } }, { sigmas = { 1, 2 }, color = "C2" })
  ax:arrow({ 0, 0 }, { 2, 1.4 }, { width = 1.6 })
  ax:arrow { from = { 0, 0 }, vec = { -1, 1.6 }, width = 1.6, color = "blue" }
  ax:text(2.05, 1.6, "velocity")
  ax:text(-1.1, 1.75, "gradient", { halign = "center" })
  return fig
end)

picture("panels", function()
  local fig = page { size = { 560, 300 }, rows = 2, cols = 3, sharex = "col", sharey = "row",
                     letters = true }
  for row = 1, 2 do
    for col = 1, 3 do
      local ax = fig:axes { xlabel = row == 2 and "step" or nil, ylabel = col == 1 and "loss" or nil }
      for k = 1, 2 do ax:line(decay(100, 8 * col * k * row, 0.05)) end
    end
  end
  return fig
end)

-- ---- all of them ----

local function main(o)
  local out = script.results(o.out)
  if o.only ~= "" and not pictures[o.only] then
    tide.raise(("gallery: there is no picture '%s'; there are %s")
      :format(o.only, table.concat(names, ", ")))
  end
  plot.theme(o.theme)
  local list = {}
  for _, name in ipairs(names) do
    if o.only == "" or o.only == name then
      local path = ("%s/%s.%s"):format(out.dir, name, o.format)
      pictures[name]():save(path)
      list[#list + 1] = name
    end
  end
  out:json("summary.json", { pictures = list, theme = o.theme, seed = o.seed })
  print(("%d pictures are in %s"):format(#list, out.dir))
end

script.main(SPEC, main, arg)
