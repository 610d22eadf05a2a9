-- plot_model.lua -- figures without drawing: options, limits, ticks, colours, errors.
local t = require("tests.check")
local tide = require("tide")
local core = require("tide.plot.core")
local plot, tensor = tide.plot, tide.tensor
local nan, inf = 0 / 0, 1 / 0

local function axes(opts)
  return plot.figure {}:axes(opts)
end

-- ---- ticks ----

-- The number that a label and the factor of its axis say.
local function label_value(label, factor)
  local text = label:gsub("\u{2212}", "-"):gsub("\u{d7}", "x")
  local mantissa, power = text:match("^([%d.]-)x?10%^{(-?%d+)}$")
  if power then return (tonumber(mantissa) or 1) * 10 ^ tonumber(power) end
  factor = factor:gsub("\u{2212}", "-")
  local v = tonumber(text)
  local e = factor:match("10%^{(-?%d+)}")
  if e then v = v * 10 ^ tonumber(e) end
  local sign, offset = factor:match("([+-]) ([%d.e+-]+)$")
  if offset then v = v + tonumber(sign .. offset) end
  return v
end

t.test("ticks of 500 ranges are even, inside, few and say their value", function()
  math.randomseed(11)
  for _ = 1, 500 do
    local center = (math.random() - 0.5) * 10 ^ math.random(-6, 8)
    local span = 10 ^ (math.random() * 12 - 6)
    local lo, hi = center - span / 2, center + span / 2
    local where = ("[%.17g, %.17g]"):format(lo, hi)
    local at, label, factor = core.ticks(lo, hi, 6)
    t.ok(#at >= 3 and #at <= 11, where .. " has " .. #at .. " ticks")
    local step = at[2] - at[1]
    for i = 1, #at do
      local slack = span * 1e-9
      t.ok(at[i] >= lo - slack and at[i] <= hi + slack, where .. ": a tick is outside")
      t.near(at[i], at[1] + (i - 1) * step, step * 1e-3 + math.abs(center) * 1e-15, where)
      t.near(label_value(label[i], factor), at[i], step * 1e-3 + math.abs(center) * 1e-14,
        where .. " label '" .. label[i] .. "' with '" .. factor .. "'")
    end
  end
end)

t.test("known ranges get the ticks a person would choose", function()
  t.eq((core.ticks(-2.5, 2.5, 6)), { -2, -1, 0, 1, 2 })
  t.eq((core.ticks(0, 1000, 6)), { 0, 200, 400, 600, 800, 1000 })
  t.eq((core.ticks(8.1, 14.1, 6)), { 9, 10, 11, 12, 13, 14 })
  local _, label = core.ticks(-1, 1, 5)
  t.eq(label, { "\u{2212}1.0", "\u{2212}0.5", "0.0", "0.5", "1.0" })
  local _, big, factor = core.ticks(0, 3e7, 4)
  t.eq(big, { "0", "1", "2", "3" })
  t.eq(factor, "\u{d7}10^{7}")
  local _, far, offset = core.ticks(1234567, 1234569, 3)
  t.eq(far, { "0", "1", "2" })
  t.eq(offset, " + 1234567")
end)

t.test("a step stays while it serves", function()
  t.eq((core.ticks(0, 10, 6, false, 2)), { 0, 2, 4, 6, 8, 10 })
  t.eq((core.ticks(0, 13, 6, false, 2)), { 0, 2, 4, 6, 8, 10, 12 })
  local at = core.ticks(0, 100, 6, false, 2)
  t.ok(#at < 10, "a step far too small is kept")
end)

t.test("log ticks are powers of ten with what lies between", function()
  local at, label, _, minor = core.ticks(1, 1000, 4, true)
  t.eq(at, { 1, 10, 100, 1000 })
  t.eq(label, { "1", "10", "100", "1000" })
  t.eq(#minor, 24)
  at, label = core.ticks(1e-8, 1e8, 5, true)
  for i, v in ipairs(at) do
    t.near(math.log(v, 10), math.floor(math.log(v, 10) + 0.5), 1e-9)
    t.near(label_value(label[i], ""), v, v * 1e-9)
  end
  at = core.ticks(1.5, 60, 6, true)
  t.eq(at, { 2, 5, 10, 20, 50 })
end)

t.test("ranges at the ends of the doubles", function()
  for _, r in ipairs { { -1e308, 1e308 }, { 5e-324, 1e-310 }, { 1, 1 }, { nan, 1 }, { 0, inf } } do
    local at = core.ticks(r[1], r[2], 6)
    t.ok(#at < 48)
  end
  for _, r in ipairs { { 1e-300, 1e300 }, { 1, 1 }, { nan, 1 } } do
    t.ok(#core.ticks(r[1], r[2], 6, true) < 48)
  end
end)

-- ---- limits ----

local function limits(build, dim)
  local ax = axes()
  build(ax)
  return ax:get((dim or "y") .. "lim")
end

t.test("limits come from the data, with a margin", function()
  t.near(limits(function(ax) ax:line { y = { 0, 10 } } end), { -0.4, 10.4 })
  t.near(limits(function(ax) ax:line { x = { 5, 15 }, y = { 0, 1 } } end, "x"), { 4.6, 15.4 })
  t.near(limits(function(ax)
    ax:set { margin = 0 }
    ax:scatter { x = { 1 }, y = { 2 } }
    ax:line { x = { 3 }, y = { -1 } }
  end), { -1, 2 })
end)

t.test("a grid fills its axes to the edge", function()
  local function grid(ax)
    ax:heatmap { z = { { 1, 2 }, { 3, 4 } }, extent = { -3, 3, -2, 2 } }
    ax:scatter { x = { 0 }, y = { 0 } }
  end
  t.eq(limits(grid, "x"), { -3, 3 })
  t.eq(limits(grid, "y"), { -2, 2 })
  t.eq(limits(function(ax) ax:heatmap { z = { { 1, 2, 3 } } } end, "x"), { 0.5, 3.5 })
  t.eq(limits(function(ax)
    ax:heatmap { z = { { 1, 2 }, { 3, 4 } }, x = { 0, 1 }, y = { 0, 10 } }
  end, "y"), { -5, 15 })
end)

t.test("nothing, one point, one value and values that are none", function()
  t.eq(limits(function() end), { 0, 1 })
  t.eq(limits(function(ax) ax:line { y = { nan, inf, -inf } } end), { 0, 1 })
  local one = limits(function(ax) ax:scatter { x = { 1 }, y = { 7 } } end)
  t.ok(one[1] < 7 and one[2] > 7)
  local zero = limits(function(ax) ax:line { y = { 0, 0, 0 } } end)
  t.ok(zero[1] < 0 and zero[2] > 0)
  local big = limits(function(ax) ax:line { y = { 1e15, 1e15 } } end)
  t.ok(big[1] < 1e15 and big[2] > 1e15)
  local all = limits(function(ax) ax:line { y = { -1e308, 1e308 } } end)
  t.ok(all[2] - all[1] < inf)
end)

t.test("log limits leave out what is not above 0", function()
  local ax = axes { yscale = "log" }
  ax:line { y = { -5, 0, 1, 100 } }
  local lim = ax:get("ylim")
  t.ok(lim[1] > 0.5 and lim[1] < 1 and lim[2] > 100 and lim[2] < 200)
  ax:clear():line { y = { -1, -2 } }
  t.eq(ax:get("ylim"), { 1, 10 })
end)

t.test("given limits win, and y follows the part of x in view", function()
  local ax = axes { xlim = { 0, 2 } }
  ax:line { x = { 1, 2, 3 }, y = { 0, 1, 100 } }
  t.eq(ax:get("xlim"), { 0, 2 })
  t.near(ax:get("ylim"), { -0.04, 1.04 })
  ax:set { ylim = { -1, "auto" } }
  t.near(ax:get("ylim"), { -1, 1.04 })
  ax:set { ylim = "auto", xlim = { 9, 4 } }
  t.eq(ax:get("xlim"), { 9, 4 })
end)

t.test("ends from the data are called auto", function()
  local h = plot.figure {}:axes {}:histogram { x = { 1, 2, 3 }, range = { 0, "auto" } }
  t.eq(h:get "range", { 0, "auto" })
  h:set { range = h:get "range" }
  t.eq(h:get "range", { 0, "auto" })
end)

t.test("each y axis has limits of its own", function()
  local ax = axes()
  ax:set { margin = 0 }
  ax:line { y = { 0, 1 } }
  ax:line { y = { 5, 50 }, axis = "y2" }
  t.eq(ax:get("ylim"), { 0, 1 })
  t.eq(ax:get("y2lim"), { 5, 50 })
end)

-- ---- artists ----

t.test("data are copied, from tables and from tensors", function()
  local x, ax = { 1, 2, 3 }, axes()
  local s = ax:scatter { x = x, y = tensor.from { 4, 5, 6 } }
  x[1] = 100
  t.eq(s:get("x"), { 1, 2, 3 })
  t.eq(s:get("y"), { 4, 5, 6 })
  local m = tensor.from { { 1, 2 }, { 3, 4 }, { 5, 6 } }
  local l = ax:line(m:select(2, 2))
  m:mul_(0)
  t.eq(l:get("y"), { 2, 4, 6 })
  t.eq(ax:heatmap(tensor.ones(2, 3):t()):get("z"), { { 1, 1 }, { 1, 1 }, { 1, 1 } })
end)

t.test("positional data mean what they look like", function()
  local ax = axes()
  t.eq(ax:scatter({ { 1, 2 }, { 3, 4 } }):get("y"), { 2, 4 })
  t.eq(ax:scatter({ 1, 3 }, { 2, 4 }, { label = "a" }):get("label"), "a")
  t.eq(ax:line({ 7, 8 }):get("x"), { 1, 2 })
  t.eq(ax:line(tensor.from { { 1, 2 }, { 3, 4 } }):get("x"), { 1, 3 })
  t.eq(ax:text(1, 2, "here"):get("text"), "here")
  t.eq(ax:hline(3):get("y"), { 3 })
  t.eq(ax:quiver({ { 0, 0 } }, { { 1, 2 } }):get("v"), { 2 })
  local steps = { { { 0, 1 }, { 2, 3 } }, { { 4, 5 }, { 6, 7 } }, { { 8, 9 }, { 10, 11 } } }
  local paths = ax:paths(tensor.from(steps))
  t.eq(paths:get("x"), { { 0, 2 }, { 4, 6 }, { 8, 10 } })
  t.raises("scatter: 3 values without a name", ax.scatter, ax, { 1 }, { 2 }, { 3 })
end)

t.test("set takes all or nothing", function()
  local ax = axes()
  local s = ax:scatter { x = { 1, 2 }, y = { 3, 4 }, color = "red", size = 3 }
  t.raises("x has 3 values and y has 2", s.set, s, { x = { 1, 2, 3 }, color = "blue", size = 9 })
  t.raises("visible must be true or false", s.set, s, { size = 9, visible = 1 })
  t.eq(s:get("x"), { 1, 2 })
  t.eq(s:get("size"), { 3 })
  t.near(s:get("color")[1], 0xd6 / 255, 1e-9)
  s:set { x = { 1, 2, 3 }, y = { 3, 4, 5 } }
  t.eq(s:get("size"), { 3 }, "an option that was not named has changed")
  s:set { size = false }
  t.eq(s:get("size"), nil)
  t.raises("ycolor: a colour is a name", function() ax:set { xlim = { 0, 1 }, ycolor = {} } end)
end)

t.test("an id changes the artist that is there", function()
  local ax = axes()
  local first = ax:scatter { id = "z", x = { 1 }, y = { 1 }, marker = "square" }
  for i = 1, 10 do
    t.ok(ax:scatter { id = "z", x = { i }, y = { i } } == first)
  end
  t.eq(#ax:artists(), 1)
  t.eq(first:get("x"), { 10 })
  t.eq(first:get("marker"), "square")
  ax:line { id = "z", y = { 1 } }
  t.eq(#ax:artists(), 2, "another kind with the same id is another artist")
end)

t.test("lines grow, and a removed artist says so", function()
  local ax = axes()
  local l = ax:line {}
  for i = 1, 1000 do l:push(i * 2, i) end
  t.eq(#l:get("x"), 1000)
  t.eq(l:get("x")[1000], 2000)
  local counted = ax:line { y = { 5 } }
  counted:push(6)
  t.eq(counted:get("x"), { 1, 2 })
  counted:set { y = { 1, 2, 3 } }
  t.eq(counted:get("x"), { 1, 2, 3 })
  t.raises("a heatmap cannot grow", function() ax:heatmap {}:push(1, 2) end)
  t.raises("numbers are needed", l.push, l, "a", 2)
  local hm = ax:heatmap { z = { { 1 } } }
  ax:colorbar(hm)
  hm:remove()
  t.raises("this heatmap was removed", hm.set, hm, {})
  t.raises("this heatmap was removed", ax.colorbar, ax, hm)
end)

t.test("200,000 updates leave memory flat", function()
  local function resident()
    for line in io.lines("/proc/self/status") do
      local kb = line:match("^VmRSS:%s*(%d+)")
      if kb then return tonumber(kb) end
    end
  end
  if not io.open("/proc/self/status") then t.skip("no /proc") end
  if (os.getenv("SAN") or "") ~= "" then t.skip("sanitizers hold freed memory back") end
  local ax = axes()
  local x = { 1, 2, 3, 4, 5, 6, 7, 8 }
  local function run(n)
    for _ = 1, n do ax:scatter { id = "z", x = x, y = x, label = "points" } end
    collectgarbage()
  end
  run(100000)
  local before = resident()
  run(100000)
  t.ok(resident() - before < 4096, ("grew by %d kB"):format(resident() - before))
end)

-- ---- colours ----

t.test("ends of colour maps", function()
  local want = {
    viridis = { 0x440154, 0xfde725 }, magma = { 0x000004, 0xfcfdbf },
    inferno = { 0x000004, 0xfcffa4 }, plasma = { 0x0d0887, 0xf0f921 },
    cividis = { 0x00224e, 0xfee838 }, grey = { 0x000000, 0xffffff },
  }
  for name, ends in pairs(want) do
    local map = plot.colormap(name)
    t.eq(#map, 256)
    for k, hex in ipairs(ends) do
      local c = map[k == 1 and 1 or 256]
      t.near(c, { (hex >> 16) / 255, (hex >> 8 & 255) / 255, (hex & 255) / 255 }, 5.5 / 255, name)
      t.eq(plot.colormap(name .. "_r")[k == 1 and 256 or 1], c)
    end
  end
end)

local function lightness(c)
  return 0.2126 * c[1] ^ 2.2 + 0.7152 * c[2] ^ 2.2 + 0.0722 * c[3] ^ 2.2
end

t.test("sequential maps grow lighter, diverging ones are lightest in the middle", function()
  for _, name in ipairs { "viridis", "magma", "inferno", "plasma", "cividis", "grey" } do
    local map = plot.colormap(name)
    for i = 9, 256 do
      t.ok(lightness(map[i]) > lightness(map[i - 8]), name .. " is not monotone at " .. i)
    end
  end
  for _, name in ipairs { "blue-red", "purple-green" } do
    local map = plot.colormap(name)
    t.ok(lightness(map[128]) > 0.85 and lightness(map[1]) < 0.1 and lightness(map[256]) < 0.1)
    for i = 1, 128 do
      t.near(lightness(map[i]), lightness(map[257 - i]), 0.05, name .. " is lopsided")
    end
  end
end)

t.test("colour maps of one's own", function()
  local map = plot.colormap("test map", { "#000000", "#ff0000" })
  t.eq(map[1], { 0, 0, 0 })
  t.near(map[256], { 1, 0, 0 }, 1e-9)
  t.eq(#plot.colormap("test classes", { "red", "blue", "#abc" }, true), 3)
  axes():heatmap { z = { { 1, 2 } }, cmap = "test map_r" }
  t.raises("2 to 16 colours, got 1", plot.colormap, "bad", { "red" })
  t.raises("did you mean 'viridis'?", plot.colormap, "virides")
end)

t.test("smoothing is not pulled to zero and skips NaN", function()
  t.near(plot.smooth({ 3, 3, 3, 3 }, 0.99), { 3, 3, 3, 3 }, 1e-12)
  t.near(plot.smooth({ 1, 2 }, 0.5), { 1, (0.25 * 1 + 0.5 * 2) / 0.75 }, 1e-12)
  t.near(plot.smooth({ 1, nan, 2 }, 0.5), { 1, nan, (0.25 * 1 + 0.5 * 2) / 0.75 }, 1e-12)
  t.eq(plot.smooth({ 5, 6 }, 0), { 5, 6 })
end)

t.test("markup of labels", function()
  t.eq(core.markup("z_1"), "z<sub>1</sub>")
  t.eq(core.markup("L_{align}"), "L<sub>align</sub>")
  t.eq(core.markup("10^{-3}"), "10<sup>-3</sup>")
  t.eq(core.markup("x_10^2"), "x<sub>10</sub><sup>2</sup>")
  t.eq(core.markup("val_loss"), "val_loss")
  t.eq(core.markup("z\\_1"), "z_1")
  t.eq(core.markup("a < b & c"), "a &lt; b &amp; c")
  t.eq(core.markup("x_{a<b"), "x_{a&lt;b")
  t.eq(core.markup("λ_t"), "λ<sub>t</sub>")
end)

-- ---- errors ----

t.test("errors say what, and what to do", function()
  local fig = plot.figure { cols = 2 }
  local ax = fig:axes {}
  local function bad(pattern, f) t.raises(pattern, f) end
  bad("figure: unknown option 'tilte'; did you mean 'title'?", function() plot.figure { tilte = "" } end)
  bad("axes: unknown option 'xlimits'; did you mean 'xlim'?", function() fig:axes { xlimits = {} } end)
  bad("scatter: unknown option 'colour'; did you mean 'color'?", function() ax:scatter { colour = 1 } end)
  bad("theme: unknown option 'titelsize'; did you mean 'titlesize'?",
    function() plot.theme { titelsize = 1 } end)
  bad("there is no theme 'papre'; did you mean 'paper'?", function() plot.theme "papre" end)
  bad("marker = 'triangel' is unknown; did you mean 'triangle'?",
    function() ax:scatter { marker = "triangel" } end)
  bad("there is no colour map 'magmma'; did you mean 'magma'?", function() ax:heatmap { cmap = "magmma" } end)
  bad("'rde' is not a colour; did you mean 'red'?", function() ax:line { color = "rde" } end)
  bad("'#12345' is not a colour", function() ax:line { color = "#12345" } end)
  bad("alpha must be from 0 to 1, got 2", function() ax:line { alpha = 2 } end)
  bad("smooth must be from 0 to 0.99999, got 1", function() ax:line { smooth = 1 } end)
  bad("col 3 with colspan 1 is outside a figure of 2 columns", function() fig:axes { col = 3 } end)
  bad("row 1, col 1 belongs to other axes", function() fig:axes { col = 1, colspan = 2 } end)
  bad("xlim = {1, 1} is empty", function() ax:set { xlim = { 1, 1 } } end)
  bad('ylim has nan for an end; "auto" stands for an end from the data',
    function() ax:set { ylim = { 0 / 0, 1 } } end)
  bad("yticks must be finite", function() ax:set { yticks = { 0, 0 / 0 } } end)
  bad("ticks must be finite",
    function() ax:colorbar(ax:heatmap { z = { { 1, 2 } } }, { ticks = { 1 / 0 } }) end)
  bad("a log scale needs ylim above 0", function() ax:set { yscale = "log", ylim = { 0, 1 } } end)
  bad("x must be numbers", function() ax:line { x = "12", y = { 1 } } end)
  bad("got boolean", function() ax:line { y = { 1, true } } end)
  bad("the rows of z have unequal lengths", function() ax:heatmap { z = { { 1, 2 }, { 3 } } } end)
  bad("z is a grid", function() ax:heatmap { z = { 1, 2, 3 } } end)
  bad("x has 3 values for 2 columns of z", function() ax:heatmap { z = { { 1, 2 } }, x = { 1, 2, 3 } } end)
  bad("extent is {x0, x1, y0, y1} with x0 < x1", function() ax:heatmap { extent = { 1, 0, 0, 1 } } end)
  bad("vmin = 2 is not below vmax = 1", function() ax:heatmap { z = { { 1 } }, vmin = 2, vmax = 1 } end)
  bad("options are given by name", function() ax:add("line", { { 1, 2 } }) end)
  bad("a line has no colour map", function() ax:colorbar(ax:line { y = { 1 } }) end)
  bad("this artist is in other axes", function() fig:axes { col = 2 }:colorbar(ax:heatmap {}) end)
  bad("all 2 cells of the figure are taken", function() fig:axes {} end)
  bad("rows is a whole number from 1 to 64, got 0", function() plot.figure { rows = 0 } end)
  bad("widths has 3 numbers for 2 columns", function() fig:set { widths = { 1, 2, 3 } } end)
  bad("unknown option 'colums'; did you mean 'columns'?", function() ax:legend { colums = 2 } end)
  bad("plot_model.lua:%d+: ", function() ax:line { colour = "red" } end)
end)

t.test("a bad option makes no axes and no artist", function()
  local fig = plot.figure { cols = 2 }
  t.raises("did you mean", function() fig:axes { col = 1, xlable = "x" } end)
  t.raises("did you mean", function() fig:axes { col = 1 }:scatter { siez = 1 } end)
  t.ok(tostring(fig):find("1 axes", 1, true))
  t.eq(#fig:axes { col = 1 }:artists(), 0)
end)

t.test("every option is documented where it can be used", function()
  local all = require("tide.doc").all()
  local kinds = "scatter line heatmap contour quiver paths text hline vline"
  for kind in kinds:gmatch("%a+") do
    local known = {}
    for _, a in ipairs(all["plot.Axes." .. kind].args) do known[a[1]] = #(a[3] or "") > 0 end
    for _, o in ipairs(core.options(kind)) do
      t.ok(known["options." .. o.name], kind .. "." .. o.name .. " has no documentation")
    end
  end
end)
