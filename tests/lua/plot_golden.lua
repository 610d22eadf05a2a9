-- plot_golden.lua -- pictures against those in tests/golden/plot, and SVG and PDF against PNG.
-- time limit: 240 s
--
-- After a change that is meant to be seen, look at the new pictures and keep them:
--   BLESS=1 build/tide tests/lua/plot_golden.lua
-- A picture that differs is left in the build folder beside what was wanted and their difference.
local t = require("tests.check")
local core = require("tide.plot.core")
local tide = require("tide")
local plot, tensor, data = tide.plot, tide.tensor, tide.data

if not plot.can_save then
  print("1..0 # SKIP this build has no drawing")
  os.exit(0)
end

local folder = "tests/golden/plot/"
local figures = {}

-- A random number from 0 to 1 that is the same everywhere: the k-th of sequence s.
local function noise(k, s)
  return (k * 0.6180339887 + k * k * (0.1031 + 0.07 * s)) % 1
end

local function grid(n, f)
  local z = {}
  for i = 1, n do
    z[i] = {}
    for j = 1, n do z[i][j] = f(-2 + 4 * (j - 0.5) / n, -2 + 4 * (i - 0.5) / n) end
  end
  return z
end

local function bowl(x, y) return x * x + 2 * y * y + math.sin(3 * x) end
local extent = { -2, 2, -2, 2 }

local function one(opts, theme)
  local fig = plot.figure { size = { 160, 120 }, text = false, theme = theme or "paper" }
  return fig, fig:axes(opts)
end

local function cloud(n, s)
  local x, y, c = {}, {}, {}
  for k = 1, n do
    x[k], y[k], c[k] = 4 * noise(k, s) - 2, 4 * noise(k, s + 1) - 2, k % 5
  end
  return x, y, c
end

function figures.scatter()
  local fig, ax = one { equal = true }
  local x, y, c = cloud(60, 1)
  ax:scatter { x = x, y = y, c = c, cmap = "okabe", marker = "class", size = 6 }
  return fig
end

function figures.sizes()
  local fig, ax = one({ xlim = { -2.2, 2.2 }, ylim = { -2.2, 2.2 } }, "dark")
  local x, y, c = cloud(80, 3)
  local size = {}
  for k = 1, #x do size[k] = 2 + 10 * noise(k, 5) end
  ax:colorbar(ax:scatter { x = x, y = y, c = c, size = size, alpha = 0.6, edge = "white" })
  return fig
end

function figures.heatmap()
  local fig, ax = one { equal = true }
  local z = grid(24, bowl)
  z[5][6] = 0 / 0
  ax:colorbar(ax:heatmap { z = z, extent = extent })
  ax:contour { z = z, extent = extent, levels = { 0, 2, 4, 6 } }
  return fig
end

function figures.norms()
  local fig = plot.figure { size = { 240, 80 }, cols = 3, text = false, theme = "paper" }
  local z = grid(16, function(x, y) return math.exp(bowl(x, y)) end)
  fig:axes {}:heatmap { z = z, norm = "log", cmap = "magma", interp = "bilinear" }
  fig:axes {}:heatmap { z = z, norm = "quantile", cmap = "cividis" }
  fig:axes {}:heatmap { z = grid(16, function(x, y) return x * y end), vcenter = 0, cmap = "blue-red" }
  return fig
end

function figures.lines()
  local fig, ax = one { yscale = "log" }
  for k, dash in ipairs { "solid", "dashed", "dotted", "dashdot" } do
    local x, y = {}, {}
    for i = 1, 60 do
      x[i], y[i] = i, 10 ^ (-i * k / 40) * (1 + 0.4 * noise(i, k))
    end
    y[20] = 0 / 0
    ax:line { x = x, y = y, dash = dash }
  end
  return fig
end

function figures.twin()
  local fig, ax = one { y2scale = "log" }
  local x, y, z = {}, {}, {}
  for i = 1, 300 do
    x[i], y[i], z[i] = i, math.exp(-i / 80) + 0.3 * noise(i, 2), 10 ^ (-i / 100)
  end
  ax:line { x = x, y = y, smooth = 0.9 }
  ax:line { x = x, y = z, axis = "y2" }
  ax:hline(0.3, { dash = "dashed" })
  ax:vline({ 100, 200 }, { color = "red" })
  return fig
end

function figures.quiver()
  local fig, ax = one { equal = true }
  local xy, uv, c = {}, {}, {}
  for i = -3, 3 do
    for j = -3, 3 do
      xy[#xy + 1], uv[#uv + 1], c[#c + 1] = { i / 2, j / 2 }, { -j, i }, i * i + j * j
    end
  end
  ax:quiver(xy, uv, { c = c, cmap = "plasma" })
  return fig
end

function figures.paths()
  local fig, ax = one { equal = true }
  local xy = {}
  for s = 0, 20 do
    xy[s + 1] = {}
    for k = 1, 12 do
      local a, r = k * math.pi / 6 + s * 0.06, 0.3 + s * 0.08
      xy[s + 1][k] = { r * math.cos(a), r * math.sin(a) }
    end
  end
  ax:paths(xy, { marker = "triangle", size = 5, color = "teal" })
  return fig
end

function figures.panels()
  local fig = plot.figure { size = { 240, 160 }, rows = 2, cols = 3, text = false, theme = "projector",
    widths = { 2, 1, 1 } }
  fig:axes { row = 1, colspan = 2, frame = "box" }:line { y = { 1, 4, 2, 3 }, marker = "circle", size = 6 }
  local tall = fig:axes { row = 1, col = 3, rowspan = 2, equal = true, frame = "none" }
  tall:scatter { x = { 0, 1 }, y = { 0, 4 } }
  local left = fig:axes { row = 2, col = 1, grid = "x", xticks = { 1, 2 } }
  left:scatter { x = { 1, 2 }, y = { 2, 1 }, marker = "star", size = 12 }
  fig:axes { row = 2, col = 2, xlim = { 3, 1 } }:line { y = { 1, 2, 3 }, alpha = 0.4, width = 6 }
  return fig
end

function figures.classes()
  local fig, ax = one { equal = true, legend = "outside" }
  local x, y, c = cloud(50, 2)
  for k = 1, #c do c[k] = c[k] * 2 + 1 end
  ax:scatter { x = x, y = y, c = c, classes = { "a", "b", "c", "d", "e", "f", "g", "h", "i" }, size = 6 }
  return fig
end

function figures.images()
  local fig = plot.figure { size = { 240, 100 }, cols = 2, text = false, theme = "paper" }
  local grey, rgb = {}, {}
  for k = 1, 6 do
    grey[k] = grid(7, function(x, y) return 0.5 + 0.5 * math.sin(k * x + y) end)
    rgb[k] = {}
    for i, row in ipairs(grid(7, function(x, y) return { (x + 2) / 4, (y + 2) / 4, k / 6 } end)) do
      rgb[k][i] = row
    end
  end
  grey[2][1][1] = 0 / 0
  fig:axes {}:images(grey, { columns = 3, labels = { "a", "b", "c", "d", "e", "f" } })
  fig:axes {}:images(rgb, { columns = 2, gap = 4 })
  return fig
end

function figures.stream()
  local fig = plot.figure { size = { 240, 120 }, cols = 2, text = false, theme = "paper" }
  local function u(x, y) return y - 0.2 * x end
  local function v(x, y) return -x - 0.2 * y + 0.5 * x * x end
  local opts = { u = grid(30, u), v = grid(30, v), extent = extent }
  fig:axes { equal = true }:stream(opts)
  opts.cmap, opts.taper, opts.spacing = "plasma", true, 7
  fig:axes { equal = true }:stream(opts)
  return fig
end

local function warped()
  local xy = {}
  for i = 0, 12 do
    xy[i + 1] = {}
    for j = 0, 12 do
      local x, y = -2 + j / 3, -2 + i / 3
      local k = 1 - 0.6 * math.exp(-x * x - y * y)
      xy[i + 1][j + 1] = { k * x + 0.25 * math.sin(2 * y), k * y }
    end
  end
  return xy
end

function figures.mesh()
  local fig = plot.figure { size = { 240, 120 }, cols = 2, text = false, theme = "paper" }
  fig:axes { equal = true }:mesh(warped())
  local ax = fig:axes { equal = true }
  ax:colorbar(ax:mesh(warped(), { z = grid(12, bowl), cmap = "magma" }))
  return fig
end

function figures.histogram()
  local fig = plot.figure { size = { 240, 110 }, cols = 2, text = false, theme = "paper" }
  local a, b = {}, {}
  for k = 1, 400 do
    a[k] = noise(k, 1) + noise(k, 2) + noise(k, 3)
    b[k] = 1 + noise(k, 4) + noise(k, 5)
  end
  local ax = fig:axes {}
  ax:histogram(a, { stat = "density" })
  ax:histogram(b, { stat = "density", bins = 12 })
  ax:histogram(a, { stat = "density", style = "step", bins = { 0, 1, 1.5, 2, 3 }, color = "black" })
  fig:axes { xscale = "log" }:histogram(a, { horizontal = true, fill = 1 })
  return fig
end

function figures.bands()
  local fig, ax = one { xlim = { 1, 40 } }
  local x, y, spread, lo, hi = {}, {}, {}, {}, {}
  for k = 1, 40 do
    x[k], y[k], spread[k] = k, math.exp(-k / 15) + 0.1 * noise(k, 1), 0.05 + 0.01 * k
    lo[k], hi[k] = -0.6 - 0.3 * noise(k, 2), -0.3 + 0.2 * noise(k, 3)
  end
  lo[20] = 0 / 0
  ax:span { 12, 18 }
  ax:span { y = { 0.8, 1 / 0 }, color = "red" }
  ax:band { x = x, y = y, spread = spread }
  ax:band(x, lo, hi)
  return fig
end

function figures.errorbars()
  local fig, ax = one {}
  ax:errorbar({ 1, 2, 3, 4 }, { 2, 3, 2.5, 4 }, 0.4)
  ax:errorbar { x = { 1.2, 2.2, 3.2, 4.2 }, y = { 1, 1.5, 2, 1 }, xerr = 0.2, marker = "square",
    yerr = { { 0.1, 0.5 }, { 0.3, 0.3 }, { 0.6, 0.1 }, { 0.2, 0.2 } } }
  return fig
end

function figures.bars()
  local fig = plot.figure { size = { 240, 110 }, cols = 2, text = false, theme = "paper" }
  fig:axes {}:bars({ { 3, 2, 1 }, { 2, -1, 2 }, { 1, 1.5, 3 } }, { yerr = 0.3 })
  fig:axes {}:bars({ { 3, 2, 1 }, { 2, -1, 2 }, { 1, 1.5, 3 } }, { stacked = true, horizontal = true })
  return fig
end

function figures.shapes()
  local fig, ax = one { equal = true }
  ax:ellipse({ { 0, 0 } }, { { 1, 0.5 }, { 0.5, 0.8 } }, { sigmas = { 1, 2 } })
  ax:ellipse({ { 2, 1 }, { -2, -1 } }, { radius = { 0.5, 0.8 }, dash = "dashed" })
  ax:arrow({ 0, 0 }, { 2, 1 })
  ax:arrow { from = { { -2, -1 }, { -2, -1 } }, vec = { { 0, 2 }, { 1, -0.5 } }, color = "red", width = 2 }
  return fig
end

function figures.shared()
  local fig = plot.figure { size = { 240, 140 }, rows = 2, cols = 2, sharex = "col", sharey = "row",
    text = false, theme = "paper" }
  for k = 1, 4 do
    local y = {}
    for i = 1, 20 * k do y[i] = k * math.sin(i / 6) end
    fig:axes {}:line(y)
  end
  return fig
end

-- ---- comparison ----

-- Largest difference of a channel between the pixel at a[k..k+2] and that at b[m..m+2].
local function apart(a, k, b, m)
  local p, q, r = a:byte(k, k + 2)
  local u, v, w = b:byte(m, m + 2)
  return math.max(math.abs(p - u), math.abs(q - v), math.abs(r - w))
end

-- The same, with the nearest of b's pixels within one pixel of (x, y): an edge may move so far.
local function shifted(a, k, b, x, y, w, h)
  local least = 255
  for j = math.max(y - 1, 0), math.min(y + 1, h - 1) do
    for i = math.max(x - 1, 0), math.min(x + 1, w - 1) do
      least = math.min(least, apart(a, k, b, 3 * (j * w + i) + 1))
    end
  end
  return least
end

-- RMS difference, share of pixels more than 40 off, and the differences as w x h numbers (0 to 1).
-- reach: 0, or 1 to look one pixel around.
local function compare(a, b, w, h, reach)
  local sum, far, map = 0, 0, {}
  for y = 0, h - 1 do
    local first, row = 3 * y * w + 1, {}
    local equal = a:sub(first, first + 3 * w - 1) == b:sub(first, first + 3 * w - 1)
    for x = 0, w - 1 do
      local k = first + 3 * x
      local d = equal and 0 or apart(a, k, b, k)
      if reach == 1 and d > 8 then
        d = math.max(shifted(a, k, b, x, y, w, h), shifted(b, k, a, x, y, w, h))
      end
      sum = sum + d * d
      if d > 40 then far = far + 1 end
      row[x + 1] = d / 255
    end
    map[y + 1] = row
  end
  return math.sqrt(sum / (w * h)), far / (w * h), map
end

-- Leaves three pictures in the build folder: NAME-drawn.png, -wanted.png and -difference.png.
local function leave(name, got, want, w, h, map)
  local base = (os.getenv("BUILD") or "/tmp") .. "/golden-" .. name
  for what, rgb in pairs { drawn = got, wanted = want } do
    local rows = {}
    for y = 1, h do
      rows[y] = {}
      for x = 1, w do rows[y][x] = { rgb:byte(3 * ((y - 1) * w + x) - 2, 3 * ((y - 1) * w + x)) } end
    end
    data.save(base .. "-" .. what .. ".png", tensor.from(rows):to("u8"))
  end
  data.save(base .. "-difference.png", tensor.from(map):mul(255):to("u8"))
  return base
end

local function same_size(name, w, h, w2, h2)
  t.eq({ w2, h2 }, { w, h }, name .. ": size")
end

local function has(program)
  return os.execute("command -v " .. program .. " >/dev/null 2>&1")
end

local names = {}
for name in pairs(figures) do names[#names + 1] = name end
table.sort(names)

for _, name in ipairs(names) do
  local path = folder .. name .. ".png"
  if os.getenv("BLESS") then figures[name]():save(path) end

  t.test(name .. " looks as it did", function()
    local fig = figures[name]()
    local want, w, h = core.read_png(path)
    local got, w2, h2 = fig:pixels()
    same_size(name, w, h, w2, h2)
    local rms, far, map = compare(want, got, w, h, 0)
    if rms > 1.5 or far > 0.002 then
      local left = leave(name, got, want, w, h, map)
      local text = "differs from %s: RMS %.2f, %.2f %% far off; see %s-*.png"
      error(text:format(path, rms, 100 * far, left), 0)
    end
  end)

  -- Markers and grids have two ways of drawing each; this holds them together. What remains
  -- are edges that fall between pixels, and the thicker lines of PDF viewers.
  for _, format in ipairs { "svg", "pdf" } do
    t.test(name .. " is the same picture in " .. format, function()
      local fig, base = figures[name](), t.tmp(name)
      local program = format == "svg" and "rsvg-convert" or "pdftocairo"
      if not has(program) then t.skip("no " .. program) end
      fig:save(base .. "." .. format)
      local want, w, h = fig:pixels()
      local command = ("pdftocairo -r 144 -png -singlefile %s.pdf %s.out"):format(base, base)
      if format == "svg" then
        command = ("rsvg-convert -w %d -h %d %s.svg -o %s.out.png"):format(w, h, base, base)
      end
      t.ok(os.execute(command), command .. " failed")
      local got, w2, h2 = core.read_png(base .. ".out.png")
      same_size(name, w, h, w2, h2)
      local rms, far, map = compare(want, got, w, h, 1)
      local text = ("RMS %.2f, %.2f %% far off"):format(rms, 100 * far)
      if os.getenv("VERBOSE") then print(("# %s %s: %s"):format(name, format, text)) end
      if rms > (format == "svg" and 5 or 8) or far > (format == "svg" and 0.002 or 0.012) then
        error(text .. "; see " .. leave(name .. "-" .. format, got, want, w, h, map) .. "-*.png", 0)
      end
    end)
  end
end
