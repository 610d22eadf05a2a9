-- plot_artists.lua -- streams, meshes, images, histograms, bars and their kin: what they show and where.
-- time limit: 120 s
local t = require("tests.check")
local core = require("tide.plot.core")
local tide = require("tide")
local plot, tensor = tide.plot, tide.tensor
local nan, inf = 0 / 0, 1 / 0

local function axes(opts)
  return plot.figure {}:axes(opts)
end

local function grid(rows, cols, f)
  local z = {}
  for i = 1, rows do
    z[i] = {}
    for j = 1, cols do z[i][j] = f(j, i) end
  end
  return z
end

-- ---- histograms ----

t.test("a histogram counts what falls into its bins", function()
  local x = { 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, -1, nan, inf, -inf }
  local edges, heights = core.bins(axes():histogram(x, { bins = { 0, 1, 2, 3 } }))
  t.eq(edges, { 0, 1, 2, 3 })
  t.eq(heights, { 2, 2, 3 }) -- the last bin holds its upper edge
  edges, heights = core.bins(axes():histogram(x, { bins = 2, range = { 0, 2 } }))
  t.eq(edges, { 0, 1, 2 })
  t.eq(heights, { 2, 3 })
  _, heights = core.bins(axes():histogram({ 1, 1, 2 }, { bins = { 0.5, 1.5, 2.5 }, weights = { 1, 2, 0.5 } }))
  t.eq(heights, { 3, 0.5 })
  _, heights = core.bins(axes():histogram(tensor.ones(3, 4), { bins = { 0, 2 } }))
  t.eq(heights, { 12 })
end)

t.test("density has area 1, shares sum to 1", function()
  local x = {}
  for k = 1, 300 do x[k] = (k * 0.618) % 1 ^ 2 * 3 end
  local edges, heights = core.bins(axes():histogram(x, { stat = "density", bins = { 0, 0.1, 1, 2.5, 3 } }))
  local area = 0
  for k = 1, #heights do area = area + heights[k] * (edges[k + 1] - edges[k]) end
  t.near(area, 1, 1e-12)
  _, heights = core.bins(axes():histogram(x, { stat = "share", bins = 7 }))
  local sum = 0
  for _, h in ipairs(heights) do sum = sum + h end
  t.near(sum, 1, 1e-12)
end)

t.test("bins by the rule of Freedman and Diaconis, and where it says nothing", function()
  local x = {}
  for k = 1, 500 do x[k] = k end -- width 2 * 249.5 / 500^(1/3), so 7.94 bins
  t.eq(#select(2, core.bins(axes():histogram(x))), 8)
  local spike = { 0, 10 }
  for k = 3, 64 do spike[k] = 5 end -- quartiles coincide: log2(64) + 1 bins
  t.eq(#select(2, core.bins(axes():histogram(spike))), 7)
  local edges, heights = core.bins(axes():histogram { x = { 4, 4, 4 } })
  t.eq(heights, { 3 })
  t.ok(edges[1] < 4 and edges[2] > 4)
  _, heights = core.bins(axes():histogram { x = { nan, inf } })
  t.eq(heights, { 0 })
  _, heights = core.bins(axes():histogram { x = {} })
  t.eq(heights, { 0 })
end)

t.test("a histogram stands on 0, on a log scale below its lowest bin", function()
  local ax = axes()
  ax:histogram({ 1, 1, 2 }, { bins = { 0.5, 1.5, 2.5 } })
  t.eq(ax:get("ylim")[1], 0)
  t.near(ax:get("xlim"), { 0.42, 2.58 }, 1e-9)
  ax:set { yscale = "log" }
  t.near(ax:get("ylim")[1], 0.5, 1e-9)
  ax = axes()
  ax:histogram({ 1, 1, 2 }, { bins = { 0.5, 1.5, 2.5 }, horizontal = true })
  t.eq(ax:get("xlim")[1], 0)
end)

-- ---- bars, error bars, bands ----

t.test("bars stand at whole numbers and on 0", function()
  local ax = axes()
  ax:bars({ "a", "b", "c" }, { 1, 4, 2 }, { yerr = 1 })
  t.eq(ax:get("xlim"), { 0.5, 3.5 })
  t.near(ax:get("ylim"), { 0, 5.2 }, 1e-9)
  ax = axes()
  ax:bars({ { 1, 2 }, { -1, 3 } }, { stacked = true, horizontal = true })
  t.eq(ax:get("ylim"), { 2.5, 0.5 }) -- the first on top
  t.near(ax:get("xlim"), { -1.16, 3.16 }, 1e-9)
  ax = axes { margin = 0 }
  ax:bars({ 2, 3 }, { yerr = { { 0.5, 1 }, { 1, 2 } } })
  t.near(ax:get("ylim"), { 0, 5 }, 1e-9)
  ax = axes { margin = 0 }
  ax:bars({ { 2, 3 } }, { yerr = { { { 3, 1 }, { 1, 2 } } } })
  t.near(ax:get("ylim"), { -1, 5 }, 1e-9)
  ax = axes { yscale = "log" }
  ax:bars { 10, 1000 }
  t.near(ax:get("ylim")[1], 5, 1e-9)
end)

t.test("limits hold errors, bands, tips and ellipses", function()
  local function lim(kind, opts, dim)
    local ax = axes { margin = 0 }
    ax:add(kind, opts)
    return ax:get((dim or "y") .. "lim")
  end
  t.near(lim("errorbar", { y = { 1, 2 }, yerr = { { 0.5, 0 }, { 0, 3 } } }), { 0.5, 5 })
  t.near(lim("errorbar", { x = { 1, 2 }, y = { 1, 2 }, xerr = 0.25 }, "x"), { 0.75, 2.25 })
  t.near(lim("band", { y = { 1, 2 }, spread = { 3, 1 } }), { -2, 4 })
  t.near(lim("band", { lo = { 0, -1 }, hi = { 1, nan } }), { -1, 1 })
  t.near(lim("arrow", { from = { 1, 1 }, vec = { 2, -4 } }), { -3, 1 })
  t.near(lim("arrow", { from = { 1, 1 }, to = { 2, 5 } }), { 1, 5 })
  t.near(lim("ellipse", { xy = { { 1, 0 } }, cov = { { 4, 1 }, { 1, 9 } }, sigmas = { 1, 2 } }), { -6, 6 })
  t.near(lim("ellipse", { xy = { { 1, 0 } }, cov = { { 4, 1 }, { 1, 9 } } }, "x"), { -3, 5 })
  t.near(lim("ellipse", { xy = { { 1, 0 } }, radius = 2 }, "x"), { -1, 3 })
  t.near(lim("span", { y = { 2, inf } }), { 1.9, 2.1 })
  t.near(lim("mesh", { xy = grid(3, 4, function(j, i) return { j, i * i } end) }), { 1, 9 })
end)

-- ---- linked axes ----

t.test("linked axes have the same limits", function()
  local fig = plot.figure { rows = 2, cols = 2, sharex = "col", sharey = "row" }
  local ax = {}
  for k = 1, 4 do
    ax[k] = fig:axes { margin = 0 }
    ax[k]:line { x = { 0, k }, y = { k, 10 * k } }
  end
  t.eq(ax[1]:get("xlim"), { 0, 3 })
  t.eq(ax[3]:get("xlim"), { 0, 3 })
  t.eq(ax[4]:get("xlim"), { 0, 4 })
  t.eq(ax[2]:get("ylim"), { 1, 20 })
  t.eq(ax[3]:get("ylim"), { 3, 40 })
  ax[3]:set { xlim = { -1, 9 } }
  t.eq(ax[1]:get("xlim"), { -1, 9 })
  fig:set { sharex = "all", sharey = false }
  t.eq(ax[4]:get("xlim"), { -1, 9 })
  t.eq(ax[4]:get("ylim"), { 4, 40 })
end)

t.test("axes are linked by a word", function()
  local fig = plot.figure { cols = 3 }
  local a, b, c = fig:axes { sharex = "z" }, fig:axes { sharex = "z" }, fig:axes {}
  a:set { xlim = { 2, 3 } }
  c:set { xlim = { 0, 9 } }
  t.eq(b:get("xlim"), { 2, 3 })
  b:set { sharex = false }
  t.eq(b:get("xlim"), { 0, 1 })
end)

-- ---- streamlines ----

local function stream(f, opts, n)
  n = n or 40
  local ax = axes { xlim = { -2, 2 }, ylim = { -2, 2 } }
  local o = { extent = { -2, 2, -2, 2 } }
  local function at(k) return -2 + 4 * (k - 0.5) / n end
  o.u = grid(n, n, function(j, i) return (f(at(j), at(i))) end)
  o.v = grid(n, n, function(j, i) return (select(2, f(at(j), at(i)))) end)
  for k, v in pairs(opts or {}) do o[k] = v end
  return ax:stream(o), ax
end

-- Page position in a box of 200 x 200 points to data.
local function data(p) return -2 + p[1] / 50, 2 - p[2] / 50 end

t.test("streamlines are tangent to the field and run with it", function()
  local function f(x, y) return y, -x + 0.3 * y end
  local lines = core.streamlines(stream(f), 200, 200)
  t.ok(#lines >= 8, #lines .. " lines")
  local checked = 0
  for _, line in ipairs(lines) do
    for k = 2, #line - 1 do
      local x, y = data(line[k])
      local x0, y0 = data(line[k - 1])
      local x1, y1 = data(line[k + 1])
      local u, v = f(x, y)
      local length = math.sqrt((u * u + v * v) * ((x1 - x0) ^ 2 + (y1 - y0) ^ 2))
      local along = (u * (x1 - x0) + v * (y1 - y0)) / length
      local inside = math.abs(x) < 1.9 and math.abs(y) < 1.9 and x * x + y * y > 0.1
      if inside then
        t.ok(along > 0.99, ("at %g, %g the cosine is %g"):format(x, y, along))
        checked = checked + 1
        t.near(line[k][3], math.sqrt(u * u + v * v), 1e-9, "speed")
      end
    end
  end
  t.ok(checked > 500, checked)
end)

t.test("streamlines round a centre are circles that close", function()
  local lines, closed = core.streamlines(stream(function(x, y) return -y, x end), 200, 200), 0
  for _, line in ipairs(lines) do
    local lo, hi = inf, 0
    for _, p in ipairs(line) do
      local x, y = data(p)
      local r = math.sqrt(x * x + y * y)
      lo, hi = math.min(lo, r), math.max(hi, r)
    end
    t.ok(hi - lo < 0.02, ("radius from %g to %g"):format(lo, hi))
    local a, b = line[1], line[#line]
    if hi < 1.9 and hi > 0.3 and a[1] == b[1] and a[2] == b[2] then closed = closed + 1 end
  end
  t.ok(closed >= 5, closed .. " closed")
end)

t.test("streamlines are evenly spaced", function()
  local spacing = 12
  local s = stream(function(x, y) return 1 + 0.3 * y, math.sin(2 * x) end, { spacing = spacing })
  local lines = core.streamlines(s, 200, 200)
  local function nearest(x, y, but)
    local best = inf
    for k, line in ipairs(lines) do
      if k ~= but then
        for _, p in ipairs(line) do best = math.min(best, (p[1] - x) ^ 2 + (p[2] - y) ^ 2) end
      end
    end
    return math.sqrt(best)
  end
  for k, line in ipairs(lines) do
    for i = 4, #line - 3, 9 do
      t.ok(nearest(line[i][1], line[i][2], k) > 0.45 * spacing, "two lines touch")
    end
  end
  for x = 20, 180, 20 do
    for y = 20, 180, 20 do t.ok(nearest(x, y) < 1.5 * spacing, ("nothing near %d, %d"):format(x, y)) end
  end
end)

t.test("streamlines leave holes empty and know log axes", function()
  local s = stream(function(x, y) if x * x + y * y < 1 then return nan, 1 end return 1, 0 end)
  local lines = core.streamlines(s, 200, 200)
  t.ok(#lines > 10)
  for _, line in ipairs(lines) do
    for _, p in ipairs(line) do
      local x, y = data(p)
      t.ok(x * x + y * y > 0.8, "a line in a hole")
    end
  end
  local ax = axes { xscale = "log", yscale = "log", xlim = { 1, 100 }, ylim = { 1, 100 } }
  local n, o = 60, { x = {}, y = {} }
  for k = 1, n do o.x[k] = 10 ^ (2 * (k - 0.5) / n) end
  o.y = o.x
  o.u, o.v = grid(n, n, function(j) return o.x[j] end), grid(n, n, function(_, i) return 2 * o.x[i] end)
  for _, line in ipairs(core.streamlines(ax:stream(o), 100, 100)) do
    for k = 3, #line do -- u = x, v = 2 y is the direction (1, 2) in logarithms
      local dx, dy = line[k][1] - line[k - 2][1], line[k - 2][2] - line[k][2]
      t.ok(math.abs(dy - 2 * dx) < 0.05 * math.abs(dy) + 1e-6, "slope on log axes")
    end
  end
end)

t.test("fields that are none", function()
  for _, f in ipairs { function() return 0, 0 end, function() return nan, nan end } do
    t.eq(#core.streamlines(stream(f), 200, 200), 0)
  end
  t.ok(#core.streamlines(stream(function() return 1e-200, 1e-200 end), 200, 200) > 5)
  t.ok(#core.streamlines(stream(function() return 1e300, 1e300 end), 200, 200) > 5)
  t.eq(#core.streamlines(stream(function() return 1, 0 end), 0, 0), 0)
  t.ok(#core.streamlines(stream(function() return 1, 0 end, {}, 1), 200, 200) > 5, "one cell")
end)

t.test("a function of points becomes a field", function()
  local function whirl(xy)
    t.eq(xy.shape[2], 2)
    return tensor.stack({ xy:select(2, 2), -xy:select(2, 1) }, 2)
  end
  local ax = axes { xlim = { -1, 1 }, ylim = { -1, 3 } }
  local s = ax:stream(whirl, { n = { 4, 8 } })
  local u, v = s:get("u"), s:get("v")
  t.eq({ #u, #u[1] }, { 8, 4 })
  t.near({ u[1][1], v[1][1] }, { -0.75, 0.75 }, 1e-6) -- the cell at x = -0.75, y = -0.75
  t.near({ u[8][1], v[8][4] }, { 2.75, -0.75 }, 1e-6)
  s:set { field = function(xy) return xy end }
  t.near({ s:get("u")[8][4], s:get("v")[8][4] }, { 0.75, 2.75 }, 1e-6)
  local q = ax:quiver { field = whirl, extent = { 0, 2, 0, 2 }, n = 2 }
  t.near(q:get("xy"), { { 0.5, 0.5 }, { 1.5, 0.5 }, { 0.5, 1.5 }, { 1.5, 1.5 } })
  t.near(q:get("uv")[2], { 0.5, -1.5 }, 1e-6)
  q:set { field = function(xy) return xy * 2 end }
  t.near(q:get("uv")[2], { 3, 1 }, 1e-6)
  t.raises("stream: field gets n x 2 points", ax.stream, ax, { field = function() return 1 end })
  t.raises("n is a whole number", ax.stream, ax, { field = whirl, n = 0 })
end)

-- ---- changes and errors ----

local samples = {
  stream = { u = { { 1, 1 }, { 1, 1 } }, v = { { 0, 0 }, { 0, 0 } } },
  mesh = { xy = { { { 0, 0 }, { 1, 0 } }, { { 0, 1 }, { 1, 1 } } } },
  images = { images = { { { 0, 1 }, { 1, 0 } } } },
  histogram = { x = { 1, 2, 3 } },
  band = { lo = { 0, 1 }, hi = { 1, 2 } },
  errorbar = { y = { 1, 2 }, yerr = 0.5 },
  span = { x = { 0, 1 } },
  arrow = { from = { 0, 0 }, to = { 1, 1 } },
  bars = { y = { 1, 2 } },
  ellipse = { xy = { { 0, 0 } } },
}

t.test("an artist with an id is changed, not added again", function()
  for kind, opts in pairs(samples) do
    local ax = axes()
    opts.id = "one"
    local a = ax:add(kind, opts)
    t.ok(ax:add(kind, opts) == a, kind)
    t.eq(#ax:artists(), 1, kind)
    a:set { alpha = 0.5, label = "new" }
    t.eq(a:get("alpha"), 0.5, kind)
    opts.id = nil
  end
end)

t.test("an arrow takes the newer of its two ends", function()
  local v = axes():arrow({ 0, 0 }, { 1, 1 })
  v:set { from = { 1, 1 }, vec = { 2, 0 } }
  t.eq(v:get("to"), {})
  t.eq(v:get("vec"), { { 2, 0 } })
  v:set { to = { 3, 3 } }
  t.eq(v:get("vec"), {})
end)

t.test("mistakes are named and change nothing", function()
  local ax = axes()
  local function bad(text, kind, opts)
    t.raises(text, ax.add, ax, kind, opts)
    t.eq(#ax:artists(), 0, kind)
  end
  bad("stream: u and v are grids of the same size", "stream", { u = { { 1, 2 } }, v = { { 1 } } })
  bad("stream: x has 3 values for 2 columns of u", "stream",
    { u = { { 1, 2 } }, v = { { 1, 2 } }, x = { 1, 2, 3 } })
  bad("mesh: points are rows x columns x 2", "mesh", { xy = { { 0, 0 }, { 1, 1 } } })
  bad("(3 - 1) x (2 - 1) cells", "mesh", { xy = grid(3, 2, function() return { 0, 0 } end), z = { { 1 } } })
  bad("images have 1, 3 or 4 channels", "images", { images = tensor.zeros(2, 5, 6, 7) })
  bad("2 labels for 1 image", "images", { images = { { 1, 2 }, { 3, 4 } }, labels = { "a", "b" } })
  bad("3 titles in rows for 1 row", "images",
    { images = tensor.zeros(2, 3, 3), columns = 2, rows = { "a", "b", "c" } })
  bad("bins is a whole number", "histogram", { x = { 1 }, bins = 0 })
  bad("edges in bins must rise", "histogram", { x = { 1 }, bins = { 1, 1 } })
  bad("2 weights for 1 values", "histogram", { x = { 1 }, weights = { 1, 2 } })
  bad("band: needs lo and hi, or y and spread", "band", { lo = { 1, 2 } })
  bad("band: hi has 1 value", "band", { lo = { 1, 2 }, hi = { 1 } })
  bad("errorbar: yerr is one number", "errorbar", { y = { 1, 2, 3 }, yerr = { 1, 2 } })
  bad("span: x is {from, to}", "span", { x = { 1, 2, 3 } })
  bad("arrow: give to or vec, not both", "arrow", { from = { 0, 0 }, to = { 1, 1 }, vec = { 1, 1 } })
  bad("bars: 1 categories for 2 rows", "bars", { y = { 1, 2 }, categories = { "a" } })
  bad("bars: 3 classes for 2 series", "bars", { y = { { 1, 2 } }, classes = { "a", "b", "c" } })
  bad("ellipse: cov is 2 x 2", "ellipse", { xy = { { 0, 0 } }, cov = { 1, 2 } })
  bad("scatter: classes names the values in c", "scatter", { x = { 1 }, y = { 1 }, classes = { "a" } })
  bad("unknown option 'spaceing'; did you mean 'spacing'", "stream", { spaceing = 3 })
end)

-- ---- drawn ----

if not plot.can_save then return end

local Image = {}
Image.__index = Image

-- The picture of one axes without text and grid, and the colour at a place of the data.
local function draw(ax, fig)
  local rgb, w, h = fig:pixels { scale = 2 }
  return setmetatable({ rgb = rgb, w = w, h = h, ax = ax }, Image)
end

function Image:at(x, y)
  local px, py = self.ax:pixel(x, y, { scale = 2 })
  local k = 3 * (math.floor(py) * self.w + math.floor(px))
  return { self.rgb:byte(k + 1, k + 3) }
end

function Image:is(x, y, want, tol)
  local got = self:at(x, y)
  for k = 1, 3 do
    if math.abs(got[k] - want[k]) > (tol or 3) then
      error(("at %g, %g: colour %s, want %s"):format(x, y, table.concat(got, " "),
        table.concat(want, " ")), 2)
    end
  end
end

local function bare(opts)
  local fig = plot.figure { size = { 200, 160 }, text = false, theme = "paper" }
  opts.grid, opts.frame = false, "none"
  return fig:axes(opts), fig
end

local white, red, black = { 255, 255, 255 }, { 255, 0, 0 }, { 0, 0, 0 }
local RED = "#ff0000"

local function bytes(c) return { c[1] * 255, c[2] * 255, c[3] * 255 } end

t.test("images stand row by row with their first row on top", function()
  local ax, fig = bare {}
  local x = tensor.zeros(3, 2, 2):totable()
  x[1][1][1], x[3][2][2] = 1, 0.5
  ax:images(x, { columns = 2 })
  t.eq(ax:get("xlim"), { 0.5, 2.5 })
  t.eq(ax:get("ylim"), { 2.5, 0.5 })
  local im = draw(ax, fig)
  local x0, y0, x1, y1 = ax:box()
  t.near((x1 - x0) / (y1 - y0), 1, 0.02, "square pixels")
  im:is(0.8, 0.8, white, 0)
  im:is(1.2, 0.8, black, 0)
  im:is(0.8, 1.2, black, 0)
  im:is(2, 1, black, 0)
  im:is(1.2, 2.2, { 128, 128, 128 }, 1)
  im:is(0.8, 1.8, black, 0)
  im:is(2, 2, white, 0) -- nothing there: the page
end)

t.test("channels first or last, three ranges of values, NaN, colour maps", function()
  local last = { { { { 1, 0, 0 }, { 0, 1, 0 } }, { { 0, 0, 1 }, { 1, 1, 0 } } } } -- 1 x 2 x 2 x 3
  local first = tensor.from(last):permute(1, 4, 2, 3):contiguous()
  for _, x in ipairs { tensor.from(last), first } do
    local ax, fig = bare {}
    ax:images(x)
    local im = draw(ax, fig)
    im:is(0.8, 0.8, { 255, 0, 0 }, 0)
    im:is(1.2, 0.8, { 0, 255, 0 }, 0)
    im:is(0.8, 1.2, { 0, 0, 255 }, 0)
    im:is(1.2, 1.2, { 255, 255, 0 }, 0)
  end
  local function value(z, opts)
    local ax, fig = bare {}
    ax:images({ z }, opts)
    return draw(ax, fig):at(0.8, 0.8)[1]
  end
  t.near(value { { 0.5, 0.1 }, { 0, 0.6 } }, 128, 1)
  t.near(value { { 51, 3 }, { 0, 200 } }, 51, 1)
  t.near(value { { 3, 0 }, { 6, 6 } }, 128, 1)
  t.near(value { { 0, -1000 }, { 1000, 0 } }, 128, 1)
  t.near(value({ { 0.5, 0.1 }, { 0, 0.6 } }, { vmin = 0, vmax = 2 }), 64, 1)
  local bad = value { { nan, 0 }, { 1, 1 } }
  t.ok(bad > 150 and bad < 210, "NaN is grey")
  local ax, fig = bare {}
  ax:images({ { { 1, 0 }, { 0, 0 } } }, { cmap = "viridis" })
  draw(ax, fig):is(0.8, 0.8, bytes(plot.colormap("viridis")[256]), 1)
end)

t.test("small images are averaged", function()
  local x = grid(400, 400, function(j, i) return (i + j) % 2 end)
  local ax, fig = bare {}
  ax:images { images = { x } }
  local im = draw(ax, fig)
  for _, at in ipairs { 0.7, 1, 1.3 } do im:is(at, at, { 127, 127, 127 }, 26) end
end)

t.test("a mesh has its rows along y, its cells their colours", function()
  local ax, fig = bare { xlim = { 0, 2 }, ylim = { 0, 2 } }
  local xy = grid(3, 3, function(j, i) return { j - 1, i - 1 } end)
  ax:mesh(xy, { z = { { 0, 1 }, { 2, 3 } }, edge = "none" })
  local im, v = draw(ax, fig), plot.colormap("viridis")
  for k, at in ipairs { { 0.5, 0.5 }, { 1.5, 0.5 }, { 0.5, 1.5 }, { 1.5, 1.5 } } do
    im:is(at[1], at[2], bytes(v[1 + (k - 1) * 85]), 2)
  end
end)

t.test("a cell of half the area lets through what two layers would", function()
  local ax, fig = bare { xlim = { 0, 4 }, ylim = { 0, 1 } }
  local x = { 0, 1, 2, 3, 3.5, 4 } -- areas 1 1 1 1/2 1/2: the median is 1
  ax:mesh(grid(2, 6, function(j, i) return { x[j], i - 1 } end), { color = RED, edge = "none", fill = 0.3 })
  local im = draw(ax, fig)
  im:is(0.5, 0.5, { 255, 255 * 0.7, 255 * 0.7 }, 2)
  im:is(3.25, 0.5, { 255, 255 * 0.49, 255 * 0.49 }, 2)
end)

t.test("what is filled is where the data say", function()
  local ax, fig = bare { xlim = { 0, 4 }, ylim = { -1, 3 } }
  ax:histogram({ 0.5, 1.5, 1.6, 2.5 }, { bins = { 0, 1, 2, 3 }, fill = 1, color = RED })
  local im = draw(ax, fig)
  im:is(1.5, 1.8, red)
  im:is(0.5, 1.5, white)
  im:is(3.5, 0.5, white)
  im:is(1.5, -0.5, white)
  ax:clear():histogram({ 0.5, 1.5, 1.6 }, { bins = { 0, 1, 2 }, horizontal = true, fill = 1, color = RED })
  im = draw(ax, fig)
  im:is(1.8, 1.5, red)
  im:is(1.8, 0.5, white)
  ax:clear():band({ 0, 1, 2, 3, 4 }, { 0, 1, nan, 0, 0 }, { 2, 2, 2, 2, 1 }, { fill = 1, color = RED })
  im = draw(ax, fig)
  im:is(0.5, 1, red)
  im:is(0.9, 0.6, white)
  im:is(1.5, 1.5, white) -- the gap
  im:is(3.5, 0.5, red)
  im:is(3.5, 2, white)
  ax:clear():span({ 1, 2 }, { fill = 1, color = RED })
  ax:span { y = { 2, inf }, fill = 1, color = "#0000ff" }
  im = draw(ax, fig)
  im:is(1.5, 0, red)
  im:is(2.5, 0, white)
  im:is(3, 2.9, { 0, 0, 255 })
end)

t.test("bars side by side, stacked and lying", function()
  local ax, fig = bare { ylim = { -2, 4 } }
  local colors = { { 0, 114, 178 }, { 213, 94, 0 } }
  ax:bars { { 1, 3 }, { 2, -1 } }
  local im = draw(ax, fig)
  im:is(0.8, 0.5, colors[1], 1)
  im:is(1.2, 2.5, colors[2], 1)
  im:is(0.8, 1.5, white)
  im:is(2.2, -0.5, colors[2], 1)
  im:is(1.5, 0.5, white)
  ax:clear():bars({ { 1, 3 }, { 2, -1 } }, { stacked = true })
  im = draw(ax, fig)
  im:is(1, 0.5, colors[1], 1)
  im:is(1, 3.5, colors[2], 1)
  im:is(2, -0.5, colors[2], 1)
  ax, fig = bare { xlim = { 0, 4 } }
  ax:bars({ 1, 3 }, { horizontal = true, color = RED })
  im = draw(ax, fig)
  im:is(2.5, 2, red)
  im:is(2.5, 1, white)
end)

t.test("error bars, arrows and ellipses", function()
  local ax, fig = bare { xlim = { 0, 4 }, ylim = { 0, 4 } }
  ax:errorbar { x = { 2 }, y = { 2 }, yerr = { { 0.5, 1.5 } }, marker = "none", color = RED, width = 3,
    cap = 0 }
  local im = draw(ax, fig)
  im:is(2, 3.3, red)
  im:is(2, 1.6, red)
  im:is(2, 1.3, white)
  im:is(2, 3.7, white)
  ax:clear():arrow({ 1, 1 }, { 3, 3 }, { color = RED, width = 4 })
  im = draw(ax, fig)
  im:is(2, 2, red)
  im:is(2.9, 2.9, red)
  im:is(2, 2.5, white)
  ax:clear():ellipse({ { 2, 2 } }, { { 1, 0.8 }, { 0.8, 1 } }, { sigmas = { 1 }, fill = 1, color = RED })
  im = draw(ax, fig)
  im:is(2.9, 2.9, red) -- along the long axis, 0.95 sigma away
  im:is(1.6, 2.4, white) -- across it, 1.26 sigma
  im:is(2.3, 2.1, red)
end)

t.test("classes with names have a colour and an entry each", function()
  local fig = plot.figure { size = { 300, 200 }, theme = "paper" }
  local ax = fig:axes { xlim = { 0, 4 }, ylim = { 0, 2 }, grid = false, frame = "none" }
  local s = ax:scatter { x = { 1, 2, 3 }, y = { 1, 1, 1 }, c = { 1, 2, 10 }, size = 16,
    classes = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" } }
  t.eq(s:get("cmap"), "petroff")
  t.eq(s:get("marker"), "class")
  local im, p = draw(ax, fig), plot.colormap("petroff")
  im:is(1, 1, bytes(p[2]), 2) -- class 1 takes colour 1, counted from 0
  im:is(2, 1, bytes(p[3]), 2)
  im:is(3, 1, bytes(p[1]), 2)
  local function width(legend)
    ax:set { legend = legend }
    local x0, _, x1 = ax:box()
    return x1 - x0
  end
  t.ok(width("outside") < width("none") - 30, "the legend takes room")
  s:set { c = { 0, 1, 2 }, classes = { "a", "b", "c" }, cmap = "okabe" }
  draw(ax, fig):is(1, 1, bytes(plot.colormap("okabe")[1]), 2)
end)

t.test("odd values never stop a picture", function()
  local odd = { 0, 1, -1, nan, inf, -inf, 1e-12, 1e12, 1e308, -1e308, 1e-310, 3, 3, 3 }
  local seed = 1
  local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
  end
  local function value() return odd[random(28)] or random(100) / 25 - 2 end
  local function list(n)
    local v = {}
    for k = 1, n do v[k] = value() end
    return v
  end
  local function rows(n, m) return grid(n, m, value) end
  local makers = {
    stream = function(n, m) return { u = rows(n, m), v = rows(n, m), cmap = "magma", taper = true } end,
    mesh = function(n, m) return { x = rows(n, m), y = rows(n, m) } end,
    images = function(n, m) return { images = { rows(n, m), rows(n, m) }, labels = { "a", "b" } } end,
    histogram = function(n, m) return { x = list(n * m), stat = "density", weights = list(n * m) } end,
    band = function(n) return { x = list(n), lo = list(n), hi = list(n), y = list(n) } end,
    errorbar = function(n) return { x = list(n), y = list(n), xerr = list(n), yerr = rows(n, 2) } end,
    span = function() return { x = list(2), y = list(2) } end,
    arrow = function(n) return { from = rows(n, 2), vec = rows(n, 2) } end,
    bars = function(n, m) return { y = rows(n, m), yerr = rows(n, m), numbers = true } end,
    ellipse = function(n) return { xy = rows(n, 2), cov = rows(2, 2) } end,
    scatter = function(n) return { xy = rows(n, 2), c = list(n), classes = { "a", "b" } } end,
    paths = function(n, m) return { x = rows(n, m), y = rows(n, m) } end,
  }
  for kind, make in pairs(makers) do
    for round = 1, 12 do
      local fig = plot.figure { size = { 90, 70 } }
      local ax = fig:axes { xscale = random(4) == 1 and "log" or nil, equal = random(4) == 1,
        xlim = random(4) == 1 and { 1e-12, 1e12 } or nil,
        ylim = random(6) == 1 and { 5, 5 + 1e-9 } or nil }
      ax:add(kind, make(random(5), random(5)))
      fig:pixels { scale = 1 }
      fig:render { format = round % 2 == 0 and "svg" or "pdf" }
    end
  end
end)
