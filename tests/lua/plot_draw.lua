-- plot_draw.lua -- drawn figures: what is where, in PNG, SVG and PDF.
-- time limit: 240 s
local t = require("tests.check")
local tide = require("tide")
local core = require("tide.plot.core")
local plot = tide.plot
local nan, inf = 0 / 0, 1 / 0

if not plot.can_save then
  print("1..0 # SKIP this build has no drawing")
  os.exit(0)
end

-- ---- pictures ----

local Image = {}
Image.__index = Image

local function image(rgb, w, h)
  return setmetatable({ rgb = rgb, w = w, h = h }, Image)
end

local function draw(fig, scale)
  return image(fig:pixels { scale = scale or 1 })
end

-- Colour of the pixel that holds (x, y), as 0xrrggbb.
function Image:at(x, y)
  local k = 3 * (math.floor(y) * self.w + math.floor(x))
  local r, g, b = self.rgb:byte(k + 1, k + 3)
  return r << 16 | g << 8 | b
end

local function parts(c)
  return { c >> 16, c >> 8 & 255, c & 255 }
end

local function differ(a, b)
  local p, q, d = parts(a), parts(b), 0
  for k = 1, 3 do d = math.max(d, math.abs(p[k] - q[k])) end
  return d
end

function Image:is(x, y, want, tol, text)
  local got = self:at(x, y)
  if differ(got, want) > (tol or 2) then
    error(("%s(%g, %g) is #%06x, want #%06x"):format(text and text .. ": " or "", x, y, got, want), 2)
  end
end

-- How many pixels are near a colour.
function Image:count(color, tol)
  local n = 0
  for y = 0, self.h - 1 do
    for x = 0, self.w - 1 do
      if differ(self:at(x, y), color) <= (tol or 2) then n = n + 1 end
    end
  end
  return n
end

-- Connected groups of pixels that are not the background.
function Image:groups(background)
  local seen, groups = {}, 0
  for start = 0, self.w * self.h - 1 do
    local function inked(k)
      return not seen[k] and differ(self:at(k % self.w, k // self.w), background) > 60
    end
    if inked(start) then
      groups = groups + 1
      local stack = { start }
      seen[start] = true
      while #stack > 0 do
        local k = table.remove(stack)
        for dy = -1, 1 do
          for dx = -1, 1 do
            local x, y = k % self.w + dx, k // self.w + dy
            local n = y * self.w + x
            if x >= 0 and x < self.w and y >= 0 and y < self.h and inked(n) then
              seen[n] = true
              stack[#stack + 1] = n
            end
          end
        end
      end
    end
  end
  return groups
end

local function has(program)
  return os.execute("command -v " .. program .. " >/dev/null 2>&1")
end

-- The figure through a vector format and a program that draws it.
local function through(fig, format, scale)
  local base = t.tmp("picture")
  fig:save(base .. "." .. format)
  local w = fig:get("size")[1] * scale
  local command
  if format == "svg" then
    if not has("rsvg-convert") then t.skip("no rsvg-convert") end
    command = ("rsvg-convert -w %d %s.svg -o %s.out.png"):format(w, base, base)
  else
    if not has("pdftoppm") then t.skip("no pdftoppm") end
    command = ("pdftoppm -r %d -png -singlefile %s.pdf %s.out"):format(72 * scale, base, base)
  end
  t.ok(os.execute(command), command .. " failed")
  return image(core.read_png(base .. ".out.png"))
end

-- An empty figure around one axes, without text.
local function bare(opts, size)
  local fig = plot.figure { size = size or { 200, 160 }, text = false, theme = "paper" }
  opts = opts or {}
  opts.grid = opts.grid or false
  return fig, fig:axes(opts)
end

-- ---- places ----

t.test("points stand where their data say", function()
  local cases = {
    { xlim = { 0, 10 }, ylim = { -1, 1 }, x = 2.5, y = 0.5 },
    { xlim = { 10, 0 }, ylim = { 1, -1 }, x = 2.5, y = 0.5 },
    { xlim = { 1, 1000 }, ylim = { 0, 1 }, xscale = "log", x = 30, y = 0.3 },
    { xlim = { 0, 1 }, ylim = { 1e-6, 1e6 }, yscale = "log", x = 0.7, y = 1e-3 },
    { xlim = { 1, 1 + 1e-12 }, ylim = { -1e12, 1e12 }, x = 1 + 5e-13, y = 3e11 },
  }
  for i, c in ipairs(cases) do
    local fig, ax = bare { xlim = c.xlim, ylim = c.ylim, xscale = c.xscale, yscale = c.yscale }
    ax:scatter { x = { c.x }, y = { c.y }, marker = "square", size = 8, color = "#ff0000", edgewidth = 0 }
    local x, y = ax:pixel(c.x, c.y)
    local im = draw(fig, 2)
    im:is(x, y, 0xff0000, 0, "case " .. i)
    im:is(x + 12, y, 0xffffff, 0)
    im:is(x, y - 12, 0xffffff, 0)
    t.near({ im:count(0xff0000, 120) }, { 200 }, 30, "size of the square")
  end
end)

t.test("the second y axis places its own artists", function()
  local fig, ax = bare { xlim = { 0, 1 }, ylim = { 0, 1 }, y2lim = { 100, 200 } }
  ax:scatter { x = { 0.5 }, y = { 175 }, axis = "y2", marker = "square", size = 8, color = "#00ff00" }
  local x, y = ax:pixel(0.5, 175, { axis = "y2" })
  draw(fig, 2):is(x, y, 0x00ff00, 0)
  local _, y1 = ax:pixel(0.5, 0.75)
  t.near(y, y1, 1e-6)
end)

t.test("axes of equal aspect have equal units", function()
  local fig = plot.figure { size = { 300, 200 }, cols = 2 }
  local a = fig:axes { equal = true, xlim = { 0, 4 }, ylim = { 0, 2 } }
  fig:axes {}:line { y = { 1, 2 } }
  local x0, y0, x1, y1 = a:box()
  t.near((x1 - x0) / (y1 - y0), 2, 0.03)
end)

t.test("axes line up, span cells and stay inside the page", function()
  local fig = plot.figure { size = { 400, 300 }, rows = 2, cols = 2 }
  local top = fig:axes { row = 1, colspan = 2, ylabel = "long name\nof two lines" }
  local left = fig:axes { row = 2, col = 1, xlabel = "x", ylim = { 0, 123456 } }
  local right = fig:axes { row = 2, col = 2, y2label = "z" }
  local tx0, ty0, tx1, ty1 = top:box()
  local lx0, ly0, lx1, ly1 = left:box()
  local rx0, ry0, rx1, ry1 = right:box()
  t.eq({ tx0, tx1 }, { lx0, rx1 }, "columns")
  t.eq({ ly0, ly1 }, { ry0, ry1 }, "rows")
  t.ok(lx1 < rx0 and ty1 < ly0 and tx0 > 0 and tx1 < 800 and ty0 > 0 and ly1 < 600)
  top:line { y = { 1, 2 }, label = "a long name in the legend" }
  top:legend "outside"
  local _, _, end_of_top = top:box()
  t.ok(end_of_top < tx1 - 100, "the legend takes room from its own axes")
  t.eq({ right:box() }, { rx0, ry0, rx1, ry1 }, "and leaves the others alone")
end)

-- ---- grids ----

-- An L of ones: the lowest row and the first column.
local function letter()
  local z = {}
  for i = 1, 5 do
    z[i] = {}
    for j = 1, 4 do z[i][j] = (i == 1 or j == 1) and 1 or 0 end
  end
  return z
end

local function check_letter(im, ax, scale, tol)
  for i = 1, 5 do
    for j = 1, 4 do
      local x, y = ax:pixel(j, i, { scale = scale })
      im:is(x, y, (i == 1 or j == 1) and 0xffffff or 0, tol, ("cell %d, %d"):format(i, j))
    end
  end
end

t.test("the first row of a heatmap is the lowest, columns go to the right", function()
  local fig, ax = bare()
  ax:heatmap { z = letter(), cmap = "grey" }
  check_letter(draw(fig, 1), ax, 1, 0)
  check_letter(draw(fig, 2), ax, 2, 0)
  ax:set { xlim = { 4.5, 0.5 }, ylim = { 5.5, 0.5 } }
  check_letter(draw(fig, 2), ax, 2, 0)
end)

for _, format in ipairs { "svg", "pdf" } do
  t.test("heatmaps lie the same way in " .. format, function()
    local fig, ax = bare()
    ax:heatmap { z = letter(), cmap = "grey" }
    check_letter(through(fig, format, 2), ax, 2, 6)
    ax:set { xlim = { 4.5, 0.5 }, ylim = { 5.5, 0.5 } }
    check_letter(through(fig, format, 2), ax, 2, 6)
    ax:set { xlim = { 0.5, 4.5 }, ylim = { 0.6, 5.4 }, yscale = "log" }
    check_letter(through(fig, format, 2), ax, 2, 6)
  end)
end

local function packed(c)
  local v = 0
  for k = 1, 3 do v = v << 8 | math.floor(c[k] * 255 + 0.5) end
  return v
end

t.test("a cell has the colour that its norm says", function()
  local z = { { 1, 10, 100 }, { 2, 20, 1000 } }
  local function rank(v)
    local all = { 1, 2, 10, 20, 100, 1000 }
    for i, a in ipairs(all) do
      if a == v then return (i - 1) / 5 end
    end
  end
  local norms = {
    { {}, function(v) return (v - 1) / 999 end },
    { { norm = "log" }, function(v) return math.log(v, 10) / 3 end },
    { { norm = "quantile" }, rank },
    { { vmin = 0, vmax = 50 }, function(v) return math.min(v / 50, 1) end },
    { { vmin = -100, vmax = 1000, vcenter = 0 }, function(v) return 0.5 + v / 2000 end },
    { { vcenter = 10 }, function(v) return 0.5 + (v - 10) / 990 / 2 end },
  }
  for k, c in ipairs(norms) do
    local fig, ax = bare()
    local opts = { z = z, cmap = "plasma" }
    for key, v in pairs(c[1]) do opts[key] = v end
    ax:heatmap(opts)
    local im, map = draw(fig, 1), plot.colormap("plasma")
    for i = 1, 2 do
      for j = 1, 3 do
        local x, y = ax:pixel(j, i, { scale = 1 })
        im:is(x, y, packed(map[math.floor(c[2](z[i][j]) * 255 + 0.5) + 1]), 3, "norm " .. k)
      end
    end
  end
end)

t.test("percentiles clip, NaN is grey, infinity takes an end", function()
  local z = { {} }
  for j = 1, 101 do z[1][j] = j end
  z[1][101] = 1e9
  local fig, ax = bare()
  local hm = ax:heatmap { z = z, clip = { 0, 90 }, cmap = "grey" }
  local x, y = ax:pixel(91, 1, { scale = 1 })
  draw(fig):is(x, y, 0xffffff, 4)
  x = ax:pixel(46, 1, { scale = 1 })
  draw(fig):is(x, y, 0x808080, 6)
  hm:set { z = { { 0, nan, 1, inf, -inf } }, clip = false }
  local im = draw(fig)
  for j, want in ipairs { 0x000000, 0xb9bdc3, 0xffffff, 0xffffff, 0x000000 } do
    x = ax:pixel(j, 1, { scale = 1 })
    im:is(x, y, want, 2, "cell " .. j)
  end
end)

t.test("uneven cells end half-way between their centres", function()
  local fig, ax = bare()
  ax:heatmap { z = { { 0, 1, 0 } }, x = { 0, 1, 5 }, cmap = "grey" }
  local im = draw(fig, 2)
  for x, want in pairs { [0.4] = 0, [0.6] = 0xffffff, [2.9] = 0xffffff, [3.1] = 0 } do
    local px, py = ax:pixel(x, 1)
    im:is(px, py, want, 0, "x = " .. x)
  end
end)

t.test("bilinear shading meets the values at the centres", function()
  local fig, ax = bare()
  ax:heatmap { z = { { 0, 1 } }, interp = "bilinear", cmap = "grey" }
  local im = draw(fig, 2)
  for x, want in pairs { [1] = 0, [1.5] = 0x80, [1.25] = 0x40, [2] = 0xff, [0.6] = 0 } do
    local px, py = ax:pixel(x, 1)
    im:is(px, py, want * 0x10101, 3, "x = " .. x)
  end
end)

t.test("contours run where the values are", function()
  local z = {}
  for i = 1, 41 do
    z[i] = {}
    for j = 1, 41 do z[i][j] = math.sqrt((i - 21) ^ 2 + (j - 21) ^ 2) end
  end
  z[21][35] = nan
  local fig, ax = bare({ frame = false, xticks = {}, yticks = {} }, { 200, 200 })
  ax:contour { z = z, levels = { 10, 15 }, color = "#000000", width = 1.5 }
  local im = draw(fig, 2)
  for _, r in ipairs { 10, 15 } do
    for k = 0, 15 do
      local a = 0.1 + k * math.pi / 8
      local cx, cy = ax:pixel(21 + r * math.cos(a), 21 + r * math.sin(a))
      local darkest = 255
      for dy = -1, 1 do
        for dx = -1, 1 do darkest = math.min(darkest, im:at(cx + dx, cy + dy) & 255) end
      end
      t.ok(darkest < 120 or math.abs(a) < 0.2, ("no line at radius %g, angle %g"):format(r, a))
    end
  end
  local x, y = ax:pixel(21, 21)
  im:is(x, y, 0xffffff, 0)
  t.eq(im:groups(0xffffff), 2, "two closed lines, the outer one open at NaN")
end)

-- ---- points and lines ----

t.test("each marker is drawn once for each point, and stays inside the axes", function()
  local markers = "circle triangle triangle_down square diamond cross plus star"
  for marker in markers:gmatch("[%a_]+") do
    local opts = { frame = false, xticks = {}, yticks = {}, xlim = { 0, 8 }, ylim = { 0, 6 } }
    local fig, ax = bare(opts, { 240, 180 })
    local x, y = {}, {}
    for i = 1, 7 do
      for j = 1, 5 do
        x[#x + 1] = i + 0.13 * j
        y[#y + 1] = j + 0.07 * i
      end
    end
    x[#x + 1], y[#y + 1] = 100, 3
    x[#x + 1], y[#y + 1] = nan, 3
    ax:scatter { x = x, y = y, marker = marker, size = 9, color = "#202020" }
    t.eq(draw(fig, 1):groups(0xffffff), 35, marker)
  end
end)

t.test("each point has its own colour, size and class", function()
  local fig, ax = bare { xlim = { 0, 4 }, ylim = { 0, 2 } }
  local s = ax:scatter { x = { 1, 2, 3 }, y = { 1, 1, 1 }, size = { 6, 12, 18 }, edgewidth = 0,
    c = { "#ff0000", "#00ff00", "#0000ff" }, marker = "square" }
  local im = draw(fig, 2)
  local areas = {}
  for i, c in ipairs { 0xff0000, 0x00ff00, 0x0000ff } do
    local x, y = ax:pixel(i, 1)
    im:is(x, y, c, 0)
    areas[i] = im:count(c, 0)
  end
  t.near(math.sqrt(areas[2]) - math.sqrt(areas[1]), 6 * 2 * 0.884, 2)
  t.near(math.sqrt(areas[3]) - math.sqrt(areas[2]), 6 * 2 * 0.884, 2)
  s:set { c = { 0, 1, 8 }, cmap = "okabe", size = 12 }
  im = draw(fig, 2)
  local okabe = plot.colormap("okabe")
  for i, class in ipairs { 1, 2, 1 } do
    local x, y = ax:pixel(i, 1)
    im:is(x, y, packed(okabe[class]), 1, "classes go round")
  end
  s:set { c = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } }, alpha = 0.5 }
  im = draw(fig, 2)
  local x, y = ax:pixel(1, 1)
  im:is(x, y, 0xff8080, 2, "half through")
end)

t.test("NaN leaves a gap in a line, and a lone point is seen", function()
  local fig, ax = bare { xlim = { 0, 10 }, ylim = { 0, 2 } }
  ax:line { x = { 0, 4, nan, 6, 10 }, y = { 1, 1, 1, 1, 1 }, color = "#000000", width = 3 }
  local im = draw(fig, 2)
  for x, want in pairs { [2] = 0, [5] = 0xffffff, [8] = 0 } do
    local px, py = ax:pixel(x, 1)
    im:is(px, py, want, 0, "x = " .. x)
  end
  ax:clear():line { x = { 3, nan, 5, inf, 7 }, y = { 1, 1, 1, 1, nan }, color = "#000000", width = 4 }
  im = draw(fig, 2)
  local px, py = ax:pixel(5, 1)
  im:is(px, py, 0, 0)
  px = ax:pixel(7, 1)
  im:is(px, py, 0xffffff, 0)
end)

t.test("a dense line keeps its spikes", function()
  local y = {}
  for i = 1, 50000 do y[i] = 0 end
  y[12345], y[33333] = 1, -1
  local fig, ax = bare { ylim = { -1.2, 1.2 }, xlim = { 1, 50000 } }
  ax:line { y = y, color = "#000000", width = 1 }
  local im = draw(fig, 2)
  for x, value in pairs { [12345] = 0.9, [33333] = -0.9 } do
    local px, py = ax:pixel(x, value)
    local darkest = 255
    for dx = -2, 2 do darkest = math.min(darkest, im:at(px + dx, py) & 255) end
    t.ok(darkest < 160, "the spike at " .. x .. " is gone")
  end
end)

t.test("lines far outside the limits do not show up inside", function()
  local fig, ax = bare { xlim = { 1, 1 + 1e-9 }, ylim = { 0, 1 } }
  ax:line { x = { -1e300, 1e300 }, y = { 0.5, 0.5 }, color = "#000000", width = 2 }
  ax:line { x = { -1e9, 1e9 }, y = { 5, 9 }, color = "#ff0000", width = 2 }
  local im = draw(fig, 2)
  local x, y = ax:pixel(1 + 5e-10, 0.5)
  im:is(x, y, 0, 60)
  t.eq(im:count(0xff0000, 60), 0)
end)

t.test("arrows point along their vectors", function()
  local fig, ax = bare({ xlim = { -1, 1 }, ylim = { -1, 1 }, equal = true }, { 200, 200 })
  ax:quiver({ { 0, 0 } }, { { 0.6, 0.3 } }, { scale = 1, color = "#000000", width = 2 })
  local im = draw(fig, 2)
  local x, y = ax:pixel(0.3, 0.15)
  im:is(x, y, 0, 40)
  x, y = ax:pixel(0.57, 0.285)
  im:is(x, y, 0, 40)
  x, y = ax:pixel(-0.3, -0.15)
  im:is(x, y, 0xffffff, 0)
  x, y = ax:pixel(0.3, -0.15)
  im:is(x, y, 0xffffff, 0)
end)

t.test("paths fade into the past, and keep to their tail", function()
  local fig, ax = bare { xlim = { 0, 24 }, ylim = { 0, 2 } }
  local xy = {}
  for s = 0, 24 do xy[s + 1] = { { s, 1 } } end
  local p = ax:paths { xy = xy, color = "#000000", width = 3 }
  local im = draw(fig, 2)
  local function grey(x)
    local px, py = ax:pixel(x, 1)
    return im:at(px, py) & 255
  end
  t.ok(grey(1) > grey(9) and grey(9) > grey(17) and grey(17) > grey(23) and grey(23) < 30)
  p:set { tail = 6 }
  im = draw(fig, 2)
  t.eq(grey(16), 255)
  t.ok(grey(23) < 30)
  p:set { tail = false, fade = false }
  im = draw(fig, 2)
  t.ok(grey(1) < 10)
end)

t.test("the legend keeps off the data", function()
  local fig = plot.figure { size = { 240, 180 } }
  local ax = fig:axes { xlim = { 0, 1 }, ylim = { 0, 1 }, grid = false }
  local x, y = {}, {}
  for i = 1, 200 do
    x[i], y[i] = 0.55 + 0.4 * (i * 0.618 % 1), 0.5 + 0.45 * (i * 0.414 % 1)
  end
  ax:scatter { x = x, y = y, color = "#ff0000", edgewidth = 0, size = 4 }
  ax:line { x = { 0.02, 0.4 }, y = { 0.95, 0.9 }, color = "#00ff00", label = "a name" }
  local shown = draw(fig, 2)
  ax:set { legend = false }
  local hidden = draw(fig, 2)
  t.eq(shown:count(0xff0000, 0), hidden:count(0xff0000, 0))
  ax:set { legend = "upper right" }
  t.ok(draw(fig, 2):count(0xff0000, 0) < hidden:count(0xff0000, 0), "a place that was asked for is taken")
end)

t.test("the last of two artists is on top, unless order says otherwise", function()
  local fig, ax = bare { xlim = { 0, 2 }, ylim = { 0, 2 } }
  local first = ax:scatter { x = { 1 }, y = { 1 }, size = 20, color = "#ff0000" }
  ax:scatter { x = { 1 }, y = { 1 }, size = 20, color = "#0000ff" }
  local x, y = ax:pixel(1, 1)
  draw(fig, 2):is(x, y, 0x0000ff, 0)
  first:set { order = 10 }
  draw(fig, 2):is(x, y, 0xff0000, 0)
  first:set { visible = false }
  draw(fig, 2):is(x, y, 0x0000ff, 0)
end)

t.test("the map for angles ends where it starts, and is as light all round", function()
  local map, least, most = plot.colormap("phase"), 1, 0
  t.eq(map[1], map[256])
  for _, c in ipairs(map) do
    local l = 0.2126 * c[1] ^ 2.2 + 0.7152 * c[2] ^ 2.2 + 0.0722 * c[3] ^ 2.2
    least, most = math.min(least, l), math.max(most, l)
  end
  t.ok(most < 1.25 * least, ("from %.3f to %.3f"):format(least, most))
end)

t.test("one knob scales a theme", function()
  local function drawn(theme, size)
    local fig = plot.figure { size = size, theme = theme }
    local ax = fig:axes { xlabel = "x", title = "t" }
    ax:line { y = { 1, 3, 2 }, label = "l" }
    ax:scatter { x = { 1.5 }, y = { 2 } }
    return fig:pixels { scale = size[1] == 200 and 2 or 1 }
  end
  local small = drawn({ base = "paper" }, { 200, 150 })
  local large = drawn({ base = "paper", scale = 2 }, { 400, 300 })
  local far = 0
  for k = 1, #small do
    if math.abs(small:byte(k) - large:byte(k)) > 64 then far = far + 1 end
  end
  t.ok(far < 0.03 * #small, ("%.2f %% of the pixels differ"):format(100 * far / #small))
  t.ok(large ~= drawn({ base = "paper" }, { 400, 300 }))
end)

-- ---- files ----

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read("a")
end

t.test("files of all three kinds, by the end of their names", function()
  local fig = plot.figure { size = { 120, 90 }, title = "λ_1 → ∇" }
  fig:axes {}:line { y = { 1, 3, 2 } }
  fig:save(t.tmp("a.png"))
  fig:save { t.tmp("a.SVG"), scale = 3 }
  fig:save(t.tmp("a.pdf"))
  t.eq(read(t.tmp("a.png")):sub(1, 8), "\x89PNG\r\n\x1a\n")
  t.ok(read(t.tmp("a.SVG")):find("<svg", 1, true))
  t.eq(read(t.tmp("a.pdf")):sub(1, 5), "%PDF-")
  t.eq(fig:render { format = "png" }, read(t.tmp("a.png")))
  local _, w, h = core.read_png(t.tmp("a.png"))
  t.eq({ w, h }, { 240, 180 })
  fig:save(t.tmp("b.png"), { dpi = 144 })
  t.eq(read(t.tmp("b.png")), read(t.tmp("a.png")))
end)

t.test("size and transparent belong to one picture", function()
  local fig, ax = bare { xlim = { 0, 1 }, ylim = { 0, 1 } }
  ax:scatter { x = { 0.5 }, y = { 0.5 }, size = 20, color = "#ff0000", alpha = 0.5, edgewidth = 0 }
  local rgba, w, h = fig:render { format = "rgba", scale = 1, size = { 120, 80 }, transparent = true }
  t.eq({ w, h, #rgba }, { 120, 80, 4 * 120 * 80 })
  t.eq({ rgba:byte(1, 4) }, { 0, 0, 0, 0 }, "the corner")
  local red, clear = 0, 0
  for k = 1, #rgba, 4 do
    local r, g, b, a = rgba:byte(k, k + 3)
    if a == 128 and r == 255 and g == 0 and b == 0 then red = red + 1 end
    if a == 0 then clear = clear + 1 end
  end
  t.ok(red > 250 and clear > 8000, ("%d red, %d clear pixels"):format(red, clear))
  t.eq(fig:get("size"), { 200, 160 })
  t.eq(select(2, fig:pixels { scale = 1 }), 200)
  local opaque = fig:render { format = "rgba", scale = 1 }
  t.eq({ opaque:byte(1, 4) }, { 255, 255, 255, 255 })
  fig:save(t.tmp("clear.png"), { transparent = true, scale = 1 })
  t.eq(read(t.tmp("clear.png")):byte(26), 6, "kind of the PNG: with alpha")
  local svg = fig:render { format = "svg", size = { 100, 50 }, transparent = true }
  t.ok(svg:find('width="100pt"', 1, true) and not svg:find("<rect", 1, true))
  t.ok(fig:render { format = "svg" }:find("<rect", 1, true))
  t.raises("is not a format", fig.render, fig, { format = "jpg" })
end)

t.test("a failed save leaves what was there", function()
  local fig = plot.figure { size = { 100, 80 } }
  t.raises("No such file or directory", fig.save, fig, t.tmp("no/folder/a.png"))
  t.raises("size is {width, height}", fig.save, fig, t.tmp("a.png"), { size = { 3 } })
  t.raises("at most 100", fig.save, fig, t.tmp("a.png"), { scale = 1000 })
  t.raises("must end in .png, .svg or .pdf", fig.save, fig, t.tmp("a.jpg"))
  t.raises("must end in .png, .svg or .pdf", fig.save, fig, t.tmp("noending"))
  local wide = plot.figure { size = { 2000, 100 } }
  t.raises("1 to 32767 pixels", wide.save, wide, t.tmp("a.png"), { scale = 20 })
  t.raises("did you mean 'scale'", fig.save, fig, t.tmp("a.png"), { scael = 2 })
  fig:save(t.tmp("kept.png"))
  local before = read(t.tmp("kept.png"))
  os.execute("mkdir " .. t.tmp("taken.png"))
  t.raises("cannot write", fig.save, fig, t.tmp("taken.png"))
  local list = io.popen("ls " .. t.tmp("") .. "*.tmp 2>/dev/null"):read("a")
  t.eq(list, "", "a temporary file is left")
  t.eq(read(t.tmp("kept.png")), before)
end)

t.test("many points are an image inside SVG and PDF, letters stay letters", function()
  local x, y = {}, {}
  for i = 1, 20000 do x[i], y[i] = math.random(), math.random() end
  local fig = plot.figure { size = { 200, 150 }, title = "crowd" }
  local s = fig:axes {}:scatter { x = x, y = y, size = 2 }
  local svg = fig:render { format = "svg" }
  t.ok(svg:find("<image", 1, true) and #svg < 1.5e6, "20,000 points make " .. #svg .. " bytes")
  s:set { rasterize = "never" }
  t.ok(not fig:render { format = "svg" }:find("<image", 1, true))
  s:set { x = { 1 }, y = { 1 }, rasterize = true }
  t.ok(fig:render { format = "svg" }:find("<image", 1, true))
  fig:save(t.tmp("c.pdf"))
  if has("pdftotext") then
    t.ok(io.popen("pdftotext " .. t.tmp("c.pdf") .. " -"):read("a"):find("crowd", 1, true))
  end
end)

t.test("long lines stay small in SVG: thinned out, or as an image where they turn back", function()
  local x, y = {}, {}
  for i = 1, 60000 do x[i], y[i] = i, math.sin(i * i) end
  local fig, ax = bare()
  local line = ax:line { x = x, y = y }
  local svg = fig:render { format = "svg" }
  t.ok(#svg < 2e6 and not svg:find("<image", 1, true), "60,000 points make " .. #svg .. " bytes")
  for i = 1, #x do x[i] = math.cos(i) end
  line:set { x = x }
  svg = fig:render { format = "svg" }
  t.ok(#svg < 1e6 and svg:find("<image", 1, true), "60,000 points make " .. #svg .. " bytes")
end)

t.test("a see-through line is as dark where it meets itself", function()
  local fig, ax = bare { xlim = { 0, 10 }, ylim = { 0, 10 } }
  local function least(im)
    local darkest = 255
    for k = 1, #im.rgb do darkest = math.min(darkest, im.rgb:byte(k)) end
    return darkest
  end
  ax:set { frame = false, xticks = {}, yticks = {} }
  local zigzag, loop = { x = {}, y = {} }, { x = {}, y = {} }
  for k = 1, 60 do
    zigzag.x[k], zigzag.y[k] = k / 6, 5 + 4 * (-1) ^ k
    loop.x[k], loop.y[k] = 5 + 4 * math.cos(k * 2.4), 5 + 4 * math.sin(k * 2.4)
  end
  for name, line in pairs { zigzag = zigzag, loop = loop } do
    ax:clear():line { x = line.x, y = line.y, color = "#000000", width = 4, alpha = 0.5 }
    local got = least(draw(fig, 2))
    t.ok(got >= 126 and got <= 129, ("%s: the darkest pixel is %d, want 127"):format(name, got))
  end
end)

t.test("the same figure gives the same bytes", function()
  local fig = plot.figure { size = { 150, 100 }, theme = "dark" }
  fig:axes { xlabel = "x" }:scatter { x = { 1, 2 }, y = { 2, 1 }, c = { 1, 2 }, label = "a" }
  t.eq(fig:render { format = "png" }, fig:render { format = "png" })
end)

t.test("text that is no UTF-8, markup and newlines do no harm", function()
  local fig = plot.figure { size = { 150, 100 }, title = "\xff\xfe <b> & _{" }
  fig:axes { xlabel = "a\nb", ylabel = ("long "):rep(100) }:text(0, 0, "x_{1" .. ("^{2}"):rep(300))
  t.ok(#fig:render { format = "png" } > 100)
end)

t.test("odd values draw: NaN, infinity, none, one, tiny and huge", function()
  local values = { nan, inf, -inf, 0, 1, -1, 1e308, -1e308, 5e-324, 1e-12 }
  math.randomseed(4)
  local function list(n)
    local v = {}
    for i = 1, n do v[i] = values[math.random(#values)] end
    return v
  end
  for round = 1, 40 do
    local fig = plot.figure { size = { 60, 50 }, text = round % 2 == 0 }
    local n = ({ 0, 1, 5 })[round % 3 + 1]
    local ax = fig:axes { xscale = round % 4 == 0 and "log" or "linear", equal = round % 5 == 0 }
    local norm = ({ "linear", "log", "quantile" })[round % 3 + 1]
    ax:scatter { x = list(n), y = list(n), c = list(n), norm = norm }
    ax:line { x = list(n), y = list(n), smooth = 0.9, dash = "dashed", alpha = 0.5, label = "l" }
    local interp = round % 2 == 0 and "bilinear" or "nearest"
    ax:colorbar(ax:heatmap { z = { list(3), list(3) }, interp = interp })
    ax:contour { z = { list(3), list(3), list(3) } }
    ax:quiver { x = list(n), y = list(n), u = list(n), v = list(n) }
    ax:paths { x = { list(2), list(2) }, y = { list(2), list(2) }, marker = "circle" }
    fig:pixels { scale = 1 }
    fig:render { format = round % 2 == 0 and "svg" or "pdf" }
  end
end)

t.test("a size too small for its labels still draws", function()
  local fig = plot.figure { size = { 20, 18 }, rows = 2, cols = 3, title = "t" }
  for _ = 1, 6 do
    fig:axes { title = "title", xlabel = "x", ylabel = "y" }:line { y = { 1, 2 }, label = "l" }
  end
  local im = draw(fig, 1)
  t.eq({ im.w, im.h }, { 20, 18 })
end)
