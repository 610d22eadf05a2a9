-- plot_fuzz.lua -- every kind of artist with odd values and odd options: it draws, or says why not.
--
-- FUZZ_ROUNDS sets how many figures each kind gets (default 40), FUZZ_SEED which.
local t = require("tests.check")
local core = require("tide.plot.core")
local plot = require("tide").plot
local nan, inf = 0 / 0, 1 / 0

if not plot.can_save then
  print("1..0 # SKIP this build has no drawing")
  os.exit(0)
end

math.randomseed(tonumber(os.getenv("FUZZ_SEED")) or 20)
local random = math.random
local function pick(list) return list[random(#list)] end

-- ---- values ----

local odd = { nan, inf, -inf, 0, -0.0, 1, -1, 1e308, -1e308, 5e-324, -5e-324, 1e-12, 1e12, 1 + 1e-15 }

-- A way to make numbers, one for each artist.
local function numbers()
  local constant = pick(odd)
  return pick {
    function() return pick(odd) end,
    function() return constant end,
    function() return 1e12 + random() end,
    function() return random() * 1e-12 end,
    function() return random(-3, 3) end,
    function() return random() < 0.2 and nan or random() end,
    function() return 10 ^ random(-300, 300) end,
  }
end

local function list(n, make)
  local v = {}
  for k = 1, n do v[k] = make() end
  return v
end

local function nested(make, n, ...)
  if not ... then return list(n, make) end
  local rest = { ... }
  return list(n, function() return nested(make, table.unpack(rest)) end)
end

local function rising(n)
  local v, at = {}, random(-2, 2)
  for k = 1, n do
    at = at + random() + 0.01
    v[k] = at
  end
  return v
end

-- ---- data of each kind ----

local function xy(n, make) return { x = list(n, make), y = list(n, make) } end

local function grid(n, make)
  local rows, cols = math.max(n, 1), random(1, 4)
  local z = { z = nested(make, rows, cols) }
  if random() < 0.3 then z.extent = { -1, 1, 0, 1e-9 } end
  if random() < 0.3 then z.x, z.y = rising(cols), rising(rows) end
  return z
end

local data = {
  scatter = xy, line = xy, heatmap = grid, contour = grid,
  quiver = function(n, make)
    return { x = list(n, make), y = list(n, make), u = list(n, make), v = list(n, make) }
  end,
  paths = function(n, make)
    local steps, paths = math.max(n, 1), random(1, 3)
    return { x = nested(make, steps, paths), y = nested(make, steps, paths) }
  end,
  text = function(n, make)
    return { x = list(n, make), y = list(n, make), text = pick { "", "a\nb", "x_{1}^2", "\xff&<" } }
  end,
  hline = function(n, make) return { y = list(n, make) } end,
  vline = function(n, make) return { x = list(n, make) } end,
  images = function(n, make) return { images = nested(make, math.max(n, 1), random(1, 4), random(1, 4)) } end,
  stream = function(n, make)
    local rows, cols = n + 1, random(2, 5)
    return { u = nested(make, rows, cols), v = nested(make, rows, cols), extent = { -1, 1, -1, 1 } }
  end,
  mesh = function(n, make)
    local rows, cols = n + 1, random(1, 4)
    return { x = nested(make, rows, cols), y = nested(make, rows, cols) }
  end,
  histogram = function(n, make) return { x = list(n, make) } end,
  band = function(n, make) return { x = list(n, make), lo = list(n, make), hi = list(n, make) } end,
  errorbar = function(n, make)
    return { x = list(n, make), y = list(n, make), yerr = list(n, function() return math.abs(make()) end) }
  end,
  span = function(_, make) return { x = list(2, make) } end,
  arrow = function(n, make)
    return { from = nested(make, math.max(n, 1), 2), to = nested(make, math.max(n, 1), 2) }
  end,
  bars = function(n, make) return { y = nested(make, math.max(n, 1), random(1, 3)) } end,
  ellipse = function(n, make)
    return { x = list(n, make), y = list(n, make), radius = list(n, function() return math.abs(make()) end) }
  end,
}

-- ---- options ----

local colors = { "red", "#12345678", "C3", "none", { 1, 0, 0.5 }, { 0, 0, 0, 0 } }
local named = {
  color = colors, edge = colors, box = colors,
  dash = { "dashed", "dotted", { 1, 2, 3 }, {} },
  clip = { { 0, 100 }, { 40, 60 }, { 1, "auto" } }, range = { { -1, 1 } },
  extent = { { 0, 1, 0, 1 }, { -1e300, 1e300, -5e-324, 5e-324 } },
  sigmas = { { 1, 2 } }, levels = { 3, { 0, 1, 2 }, { nan } }, bins = { 1, 5, { 0, 1, 2 } },
  size = { 0, 3, 400 }, cmap = { "viridis", "okabe", "phase_r" },
}

local function value(o)
  if named[o.name] then return pick(named[o.name]) end
  if o.choices then
    local words = {}
    for w in o.choices:gmatch("[^|]+") do words[#words + 1] = w end
    return pick(words)
  end
  if o.type == "boolean" then return random() < 0.5 end
  if o.type == "number" then return pick { 0, 0.5, 1, 2, 7, 45, 0.999, 1e-9, 1e6, pick(odd) } end
  if o.type == "string" then return pick { "", "label", "x_1 & <b>" } end
end

local function round(kind, k)
  local fig = plot.figure { size = { random(20, 90), random(20, 70) }, text = k % 3 == 0,
    theme = pick { "paper", "dark", "projector" } }
  local ax = fig:axes { xscale = pick { "linear", "linear", "log" }, yscale = pick { "linear", "log" },
    equal = random() < 0.2, xlim = random() < 0.2 and { 0.5, 0.5 + 1e-12 } or nil,
    ylim = random() < 0.2 and { 1e12, 1 } or nil }
  local opts = data[kind](pick { 0, 1, 2, 3, 40 }, numbers())
  for _, o in ipairs(core.options(kind)) do
    if opts[o.name] == nil and random() < 0.15 then opts[o.name] = value(o) end
  end
  local ok, artist = pcall(ax.add, ax, kind, opts)
  if not ok then
    t.ok(#artist > 10 and not artist:find("attempt to"), artist)
    return false
  end
  pcall(ax.colorbar, ax, artist) -- kinds without a colour map refuse
  fig:pixels { scale = pick { 0.7, 1, 2.3 } }
  if k % 2 == 0 then fig:render { format = k % 4 == 0 and "svg" or "pdf" } end
  return true
end

local names = {}
for name in pairs(plot.Axes) do
  if name ~= "colorbar" and #core.options(name) > 0 then names[#names + 1] = name end
end
table.sort(names)

for _, name in ipairs(names) do
  t.test(name .. " with odd values", function()
    t.ok(data[name], "this test needs an entry in its table of data")
    local rounds, drawn = tonumber(os.getenv("FUZZ_ROUNDS")) or 40, 0
    for k = 1, rounds do drawn = drawn + (round(name, k) and 1 or 0) end
    t.ok(drawn > rounds / 8, ("only %d of %d were drawn"):format(drawn, rounds))
    if os.getenv("VERBOSE") then print(("# %s: %d of %d drawn"):format(name, drawn, rounds)) end
  end)
end

-- ---- deep zooms ----

t.test("zooms from 1e-12 to 1e12 show the same curve", function()
  local fig = plot.figure { size = { 120, 90 }, text = false, theme = "paper" }
  for _, span in ipairs { 1e-12, 1e-6, 1, 1e6, 1e12 } do
    for _, many in ipairs { 2, 60 } do
      local ax = fig:axes { row = 1, col = 1, xlim = { 1 - span / 2, 1 + span / 2 }, ylim = { -span, span },
        grid = false, frame = false, xticks = {}, yticks = {} }
      ax:clear()
      local x, y = {}, {}
      for k = 0, many do -- y = x - 1, far beyond the limits too
        x[k + 1] = 1 + span * 50 * (2 * k / many - 1)
        y[k + 1] = x[k + 1] - 1
      end
      ax:line { x = x, y = y, color = "#000000", width = 3 }
      local rgb, w = fig:pixels { scale = 1 }
      for _, at in ipairs { -0.4, 0, 0.3 } do
        local px, py = ax:pixel(1 + at * span, at * span, { scale = 1 })
        local k = 3 * (math.floor(py) * w + math.floor(px)) + 1
        t.ok(rgb:byte(k) < 60, ("span %g, %d points: no line at %g"):format(span, many, at))
        k = 3 * (math.floor(py + 12) * w + math.floor(px)) + 1
        t.ok(rgb:byte(k) == 255, ("span %g, %d points: ink beside the line at %g"):format(span, many, at))
      end
    end
  end
end)
