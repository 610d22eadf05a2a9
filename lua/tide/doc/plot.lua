-- plot.lua -- documentation of figures. Options come from the table that the program itself uses.
local core = require("tide.plot.core")

-- Rows for the options of an owner, e.g. "scatter": "options.color" and so on.
local function with_options(args, owner, extra)
  local list = {}
  for _, a in ipairs(args) do list[#list + 1] = a end
  for _, a in ipairs(extra or {}) do
    list[#list + 1] = { "options." .. a[1], a[2], a[3], optional = true }
  end
  for _, o in ipairs(core.options(owner)) do
    local what = o.doc
    if o.choices then what = what .. " (" .. o.choices:gsub("|", ", ") .. ")" end
    list[#list + 1] = { "options." .. o.name, o.type, what, optional = true }
  end
  return list
end

local options = { "options", "table", "any of the options below", optional = true }
local id = { "id", "string", "an artist of this kind with this id is changed, not added again" }
local wrong = "An unknown option: the message names the nearest one. Lists of unequal length. " ..
  "Then the picture stays as it was."

local function artist(kind, sig, text, args, example, more)
  local list = { { "ax", "Axes" } }
  for _, a in ipairs(args) do list[#list + 1] = a end
  list[#list + 1] = options
  local e = { sig = sig, text = text, returns = "Artist", errors = wrong, example = example,
    args = with_options(list, kind, { id, table.unpack(more and more.more or {}) }) }
  e.source = more and more.source
  return e
end

local output_options = "scale: pixels per point of a PNG, default 2; or dpi; size: {width, height} in " ..
  "points instead of the figure's; transparent: true leaves the background out"

return {
-- ---- module ----
["plot.figure"] = {
  sig = "plot.figure{title=, size=, rows=, cols=, ...}",
  text = "A new figure: a page with a grid of cells for axes. It keeps a copy of all that it " ..
    "shows and can be drawn at any time, at any scale.",
  args = with_options({ options }, "figure", {
    { "rows", "integer", "rows of cells, default 1" },
    { "cols", "integer", "columns of cells, default 1" } }),
  returns = "Figure", errors = "An unknown option: the message names the nearest one.",
  example = [[
local fig = plot.figure{ size = {400, 200}, cols = 2 }
fig:axes{ title = "left" }:line{ y = {1, 3, 2} }
fig:axes{ title = "right" }:scatter{ x = {1, 2}, y = {2, 1} }
if plot.can_save then assert(#fig:render { format = "png" } > 1000) end]] },
["plot.theme"] = {
  sig = "plot.theme(name or table)",
  text = "Sets what new figures look like: \"paper\", \"dark\", \"projector\" (large text, lines and " ..
    "points), \"notebook\", or a table of options on top of the present theme or of base=. One of " ..
    "them, scale, makes all of it larger or smaller at once.",
  args = with_options({ { "theme", "string|table", "nil: only ask", optional = true } }, "theme",
    { { "base", "string", "the theme to start from" } }),
  returns = "string", errors = "An unknown theme or option.",
  example = [[
plot.theme "projector"
plot.theme{ fontsize = 14, background = "#fffdf5" }
plot.theme{ base = "dark", scale = 1.5 }
assert(plot.theme "paper" == "paper")]] },
["plot.colormaps"] = {
  text = "The names of all colour maps. A name that ends in _r is the reverse of another. Maps " ..
    "of the viridis family are for values, blue-red and purple-green for signed values " ..
    "(vcenter = 0), phase for angles (its ends meet), okabe for classes.",
  returns = "table", source = "viridis, magma, inferno, plasma: Smith and van der Walt 2015 " ..
    "(CC0); cividis: Nunez et al. 2018; okabe: Okabe and Ito 2008",
  example = "assert(#plot.colormaps() > 10)" },
["plot.colormap"] = {
  sig = "plot.colormap(name [, colors [, classes]])",
  text = "The colours of a map, 256 or one for each class. With colours, makes a map first: they " ..
    "are blended evenly (in OKLab), or, as classes, taken one by one.",
  args = { { "name", "string" },
    { "colors", "table", "2 to 16 colours", optional = true },
    { "classes", "boolean", "one colour for each whole number", optional = true } },
  returns = "table", errors = "An unknown name: the message names the nearest one.",
  example = [[
local c = plot.colormap("sunset", { "#102040", "orange", "#fff4d0" })
assert(#c == 256 and #plot.colormap("okabe") == 8)]] },
["plot.smooth"] = {
  text = "Exponential moving average with bias correction: the first values are not pulled to " ..
    "zero. Option smooth of a line draws it. NaN stays NaN and counts for nothing.",
  args = { { "y", "table", "numbers" }, { "weight", "number", "of the past, from 0 to below 1" } },
  returns = "table",
  example = "local s = plot.smooth({ 2, 2, 2 }, 0.9)\nassert(math.abs(s[1] - 2) < 1e-12)" },

-- ---- figures ----
["plot.Figure.axes"] = {
  sig = "fig:axes{row=, col=, rowspan=, colspan=, ...}",
  text = "Axes in a cell of the figure, by default the first free one. Called again for the same " ..
    "cell it changes the axes that are there.",
  args = with_options({ { "fig", "Figure" }, options }, "axes", {
    { "row", "integer", "from 1, top row first" }, { "col", "integer", "from 1" },
    { "rowspan", "integer", "rows that it covers" },
    { "colspan", "integer", "columns that it covers" } }),
  returns = "Axes", errors = "Cells outside the figure or taken; limits that are empty or, on a " ..
    "log scale, not above 0.",
  example = [[
local fig = plot.figure{ rows = 2, cols = 2 }
local wide = fig:axes{ row = 1, colspan = 2, xlabel = "step", yscale = "log" }
local left = fig:axes{ row = 2, equal = true, xlim = {-2, 2}, ylim = {-2, 2} }
assert(left:get("xlim")[2] == 2)]] },
["plot.Figure.set"] = {
  sig = "fig:set{title=, ...}", text = "Changes options of a figure; all of them or, on an error, none.",
  args = with_options({ { "fig", "Figure" }, options }, "figure"), returns = "Figure",
  example = 'plot.figure{}:set{ title = "after 1000 steps" }' },
["plot.Figure.get"] = { text = "The value of an option.",
  args = { { "fig", "Figure" }, { "name", "string" } }, returns = "any",
  example = 'assert(plot.figure{ size = {300, 200} }:get("size")[1] == 300)' },
["plot.Figure.save"] = {
  sig = "fig:save(path [, {scale=, dpi=, size=, transparent=}])",
  text = "Draws the figure into a file; the end of its name says how: .png, .svg or .pdf. The " ..
    "file is written whole or not at all. In SVG and PDF an artist of very many points is an " ..
    "image of 300 dots per inch, the rest lines and letters.",
  args = { { "fig", "Figure" }, { "path", "string", "or {path, scale=}" },
    { "options", "table", output_options, optional = true } },
  returns = "Figure", errors = "Another ending; a folder that is not there; more than 32767 pixels " ..
    "a side; a build without drawing (plot.can_save is false).",
  example = [[
local path = os.tmpname() .. ".png"
local fig = plot.figure{ size = {200, 150} }
fig:axes():line{ y = {3, 1, 2} }
if plot.can_save then
  fig:save(path, { dpi = 150, transparent = true })
  os.remove(path)
end]] },
["plot.Figure.render"] = {
  sig = "fig:render{format=, scale=, dpi=, size=, transparent=, wait=}",
  text = "The picture as a string of bytes: of the file that save would write, or, of \"rgba\", rows " ..
    "of pixels from the top, with their width and height.",
  args = { { "fig", "Figure" }, { "options", "table", '"png" (default), "svg", "pdf" or "rgba" as ' ..
    "format; wait = false: without numbers that are still to come from a device; " .. output_options,
    optional = true } },
  returns = "string; of \"rgba\" also width and height", errors = "As of save.", example = [[
local fig = plot.figure{ size = {200, 150} }
if plot.can_save then
  assert(fig:render{ format = "pdf" }:sub(1, 4) == "%PDF")
  local bytes, w, h = fig:render{ format = "rgba", scale = 1 }
  assert(#bytes == 4 * w * h)
end]] },
["plot.Figure.gif"] = {
  sig = "fig:gif(path [, {fps=, loop=, scale=, dpi=}])",
  text = "Starts a moving picture. Each frame() adds what the figure shows then; close(), or the end " ..
    "of the block for a <close> variable, writes the file, whole or not at all. Frames are drawn by " ..
    "another thread, and only where something changed; all share one palette of 255 colours.",
  args = { { "fig", "Figure" }, { "path", "string" },
    { "options", "table", "fps: frames a second, default 20, at most 50; loop: true (default) shows " ..
      "it for ever, false once, a number so often; scale: pixels per point, default 2; or dpi",
      optional = true } },
  returns = "Gif", errors = "A rate, loop or scale out of range.", example = [[
if plot.can_save then
  local path = os.tmpname() .. ".gif"
  local fig = plot.figure{ size = {120, 90} }
  local dot = fig:axes{ xlim = {0, 5}, ylim = {0, 1} }:scatter{ x = {0}, y = {0.5} }
  do
    local gif <close> = fig:gif(path, { fps = 10, scale = 1 })
    for k = 1, 5 do
      dot:set{ x = {k} }
      gif:frame()
    end
  end
  os.remove(path)
end]] },
["plot.Gif.frame"] = {
  text = "Adds what the figure shows now and returns at once. Errors of drawing come with a later " ..
    "frame or with close.",
  args = { { "gif", "Gif" } }, returns = "Gif", errors = "After close; a figure that has changed its size.",
  example = [[
if plot.can_save then
  local path = os.tmpname() .. ".gif"
  plot.figure{ size = {60, 40} }:gif(path):frame():frame():close()
  os.remove(path)
end]] },
["plot.Gif.close"] = {
  text = "Chooses the palette and writes the file. A second call does nothing; a Gif that is never " ..
    "closed leaves no file.",
  args = { { "gif", "Gif" } }, returns = "nothing", errors = "No frames; a file that cannot be written.",
  example = [[
if plot.can_save then
  local path = os.tmpname() .. ".gif"
  plot.figure{ size = {60, 40} }:gif(path, { loop = false }):frame():close()
  os.remove(path)
end]] },
["plot.Figure.pixels"] = {
  sig = "fig:pixels{scale=}",
  text = "The drawn picture as bytes r, g, b, row by row from the top, with its width and height.",
  args = { { "fig", "Figure" }, { "options", "table", "scale or dpi", optional = true } },
  returns = "string, width, height", example = [[
if plot.can_save then
  local rgb, w, h = plot.figure{ size = {100, 50} }:pixels{ scale = 1 }
  assert(w == 100 and h == 50 and #rgb == 3 * w * h)
end]] },

-- ---- windows ----
["plot.Figure.show"] = {
  sig = "fig:show()",
  text = "Opens a window with the figure; the script goes on, and what set, push and new artists " ..
    "change is shown at once. A drag moves the picture, the wheel zooms at the pointer (beside an" ..
    " axis only that one), a right drag or Shift and a drag zooms to a box; double click or f " ..
    "shows all of the data, h goes home to what the script shows, b and n go back to the last view " ..
    "and on again, g and l turn grid and logarithmic y on and off, + and - change the size of " ..
    "letters. A click on a name in a legend hides what it stands for, or shows it again; limits " ..
    "that follow the data then do without it. s (or Ctrl-S) saves what is seen as figure-N.png in " ..
    "the working directory, S as figure-N.svg and figure-N.pdf; N is the first number that no such " ..
    "file has. ? lists all this. Axes with the same word in option link, also of other figures, " ..
    "move and zoom together. Below the pointer stand its coordinates, the value of " ..
    "the heatmap's cell and the number of the nearest point. Limits that the person chose stay " ..
    "until h, f or a double click. A window works while Lua computes or waits at the prompt; " ..
    "closing it ends nothing, fig.open is then false. Windows close with the program: plot.wait()" ..
    " keeps it. TIDE_SCALE is pixels per point, default 1.5 or what fits on the screen. Without a" ..
    " display, with --headless or TIDE_HEADLESS=1, a line says so once and nothing else happens. " ..
    "A figure that has a window stays as it is.",
  args = { { "fig", "Figure" } }, returns = "Figure",
  errors = "The display refuses the window.",
  example = [[
local fig = plot.figure{ title = "loss", size = {300, 200} }
local line = fig:axes{ xlabel = "step" }:line{ y = {3, 2} }
fig:show()
for step = 3, 100 do line:push(step, 6 / step) end
fig:close()
assert(not fig.open)]] },
["plot.Figure.close"] = {
  sig = "fig:close()", text = "Closes the figure's window, if it has one. The figure stays: it can " ..
    "be changed, saved and shown again.",
  args = { { "fig", "Figure" } }, returns = "Figure",
  example = "plot.figure{}:close()" },
["plot.Figure.due"] = {
  sig = "fig:due()",
  text = "True now and then while the figure has a window: when it is worth the work to compute what " ..
    "it shows anew. Drawing then takes at most 8 % of a core and shows at most 60 pictures a " ..
    "second. False without a window.",
  args = { { "fig", "Figure" } }, returns = "boolean",
  example = [[
local fig = plot.figure{}:show()
local points = fig:axes():scatter{ x = {1, 2}, y = {2, 1} }
for step = 1, 1000 do
  if fig:due() then points:set{ x = {1, step}, y = {2, 1} } end
end
fig:close()]] },
["plot.wait"] = {
  sig = "plot.wait([fig])",
  text = "Waits until the figure's window, or every window, is closed; at the end of a script it " ..
    "keeps them. Jobs go on meanwhile; Ctrl-C ends the wait. Without windows it returns at once.",
  args = { { "fig", "Figure", "nil: all windows", optional = true } }, returns = "nil",
  example = "local fig = plot.figure{}:show():close()\nplot.wait(fig)" },

-- ---- axes ----
["plot.Axes.set"] = {
  sig = "ax:set{xlim=, ...}", text = "Changes options of axes; all of them or, on an error, none.",
  args = with_options({ { "ax", "Axes" }, options }, "axes"), returns = "Axes",
  example = 'plot.figure{}:axes():set{ xlim = {0, 1}, ylim = {0, "auto"} }' },
["plot.Axes.get"] = {
  text = "The value of an option. xlim, ylim and y2lim are the limits as drawn.",
  args = { { "ax", "Axes" }, { "name", "string" } }, returns = "any",
  example = [[
local ax = plot.figure{}:axes()
ax:line{ x = {0, 10}, y = {1, 2} }
local lim = ax:get("xlim")
assert(lim[1] < 0 and lim[2] > 10)]] },
["plot.Axes.add"] = {
  sig = "ax:add(kind, options)",
  text = "Adds an artist by the name of its kind; ax:scatter and the others call it.",
  args = { { "ax", "Axes" }, { "kind", "string" }, { "options", "table" } }, returns = "Artist",
  errors = wrong, example = 'plot.figure{}:axes():add("line", { y = {1, 2, 3} })' },
["plot.Axes.scatter"] = artist("scatter", "ax:scatter(xy or x, y [, options])",
  "Points, each with its own colour and size if wanted. With c, values are coloured by cmap; with " ..
  "classes as well, each class has its colour, its marker and its entry in the legend.",
  { { "xy", "table|tensor", "n x 2; or x and y; or both as options" } }, [[
local ax = plot.figure{}:axes{ equal = true }
ax:scatter({ {0, 0}, {1, 2} }, { marker = "triangle", color = "red", label = "latents" })
local s = ax:scatter{ id = "z", x = {1, 2, 3}, y = {3, 1, 2}, c = {0, 1, 1}, cmap = "okabe" }
assert(ax:scatter{ id = "z", c = {1, 0, 0} } == s)
ax:scatter{ x = {1, 2}, y = {2, 2}, c = {1, 2}, classes = {"shirt", "boot"} }]]),
["plot.Axes.images"] = artist("images", "ax:images(images [, options])",
  "A sheet of images, such as a batch and what an autoencoder makes of it. Pixels stay sharp. Values " ..
  "run from vmin (black) to vmax; by default from 0 to 1 when all lie within -0.5 and 1.5, from 0 to " ..
  "255 when they fit there and some are above 64, else from the lowest to the highest. The first row " ..
  "of an image is on top. Image k stands at x = its column, y = its row.",
  { { "images", "tensor|table", "N x H x W, N x C x H x W or N x H x W x C" } }, [[
local ax = plot.figure{}:axes{ title = "reconstructions" }
local x = tensor.rand(6, 28, 28)
ax:images(x, { columns = 3, rows = {"data", "model"}, labels = {"a", "b", "c", "d", "e", "f"} })]]),
["plot.Axes.line"] = artist("line", "ax:line(y or x, y [, options])",
  "A line through points, broken at NaN. With smooth, a moving average over the raw line. " ..
  "Grows by push.",
  { { "y", "table|tensor", "or x and y, or n x 2" } }, [[
local ax = plot.figure{}:axes{ y2label = "rate", y2scale = "log" }
local loss = ax:line{ label = "loss", smooth = 0.98 }
local rate = ax:line{ label = "rate", axis = "y2", dash = "dashed" }
for step = 1, 100 do
  loss:push(step, 1 / step)
  rate:push(step, 0.1 * 0.9 ^ step)
end
assert(#loss:get("y") == 100)]]),
["plot.Axes.heatmap"] = artist("heatmap", "ax:heatmap(z [, options])",
  "A grid of coloured cells. The first row of z is the lowest y. Cells lie evenly in extent, or " ..
  "their centres are given as x and y; without either, cell (row i, column j) is at y = i, " ..
  "x = j. NaN is grey.",
  { { "z", "table|tensor", "rows x columns" } }, [[
local ax = plot.figure{}:axes{ equal = true }
local hm = ax:heatmap({ {1, 2, 3}, {4, 5, 6} }, { extent = {-3, 3, -2, 2}, norm = "log" })
ax:colorbar(hm, { label = "NLL" })]]),
["plot.Axes.contour"] = artist("contour", "ax:contour(z [, options])",
  "Lines of equal value through a grid, placed as in heatmap. White unless a colour or a cmap " ..
  "is given.",
  { { "z", "table|tensor", "rows x columns" } }, [[
local z = {}
for i = 1, 20 do
  z[i] = {}
  for j = 1, 20 do z[i][j] = (i - 10) ^ 2 + (j - 8) ^ 2 end
end
plot.figure{}:axes():contour(z, { levels = {10, 50, 100}, color = "black" })]]),
["plot.Axes.quiver"] = artist("quiver", "ax:quiver(xy, uv [, options])",
  "Arrows that start at xy. By default the longest is as long as the points are apart.",
  { { "xy", "table|tensor", "n x 2" }, { "uv", "table|tensor", "n x 2" } }, [[
plot.figure{}:axes():quiver({ {0, 0}, {1, 0} }, { {1, 1}, {0, 2} }, { color = "blue" })]]),
["plot.Axes.stream"] = artist("stream", "ax:stream(uv or function [, options])",
  "Streamlines of a vector field, evenly spaced on the page, with arrow heads. The field is a grid " ..
  "placed as in heatmap, or a function that gets n x 2 points as a tensor and returns n x 2 arrows; it " ..
  "is then sampled on n x n points (40) of extent, by default of the axes' limits. With cmap, " ..
  "coloured by speed.",
  { { "uv", "table|tensor|function", "rows x columns x 2, or u and v, or a function" } }, [[
local ax = plot.figure{}:axes{ xlim = {-2, 2}, ylim = {-2, 2}, equal = true }
local function whirl(xy)
  local x, y = xy:select(2, 1), xy:select(2, 2)
  return tensor.stack({ y, -x }, 2)
end
local s = ax:stream(whirl, { cmap = "viridis", taper = true, label = "speed" })
ax:colorbar(s)
s:set{ field = function(xy) return xy end }]], {
  source = "Jobard and Lefer 1997, Creating evenly-spaced streamlines of arbitrary density",
  more = { { "field", "function", "n x 2 points to n x 2 arrows" },
    { "n", "integer|table", "columns and rows of the samples of field, or {columns, rows}" } } }),
["plot.Axes.mesh"] = artist("mesh", "ax:mesh(xy [, options])",
  "A warped grid, such as a lattice after a flow. Cells that have shrunk are denser: one of half the " ..
  "median area lets through what two layers would. With z, cells are coloured by value instead.",
  { { "xy", "table|tensor", "rows x columns x 2; or x and y, each rows x columns" } }, [[
local grid = {}
for i = 1, 9 do
  grid[i] = {}
  for j = 1, 9 do grid[i][j] = { j + math.sin(i), i ^ 1.5 } end
end
plot.figure{}:axes():mesh(grid, { color = "teal" })]]),
["plot.Axes.histogram"] = artist("histogram", "ax:histogram(x [, options])",
  "How many values fall into bins. NaN and infinities are left out; a bin holds its lower edge, the " ..
  "last one its upper edge too.",
  { { "x", "table|tensor", "values" } }, [[
local ax = plot.figure{}:axes{ ylabel = "density" }
ax:histogram(tensor.randn(1000), { stat = "density", label = "latents" })
ax:histogram({1, 2, 2, 3}, { bins = {0.5, 1.5, 2.5, 3.5}, style = "step", weights = {1, 1, 2, 1} })]],
  { source = "Freedman and Diaconis 1981, On the histogram as a density estimator" }),
["plot.Axes.band"] = artist("band", "ax:band(x, lo, hi [, options])",
  "The area between two curves, or y - spread to y + spread with the line y. NaN makes a gap.",
  { { "x", "table|tensor", "may be left out" }, { "lo", "table|tensor", "" },
    { "hi", "table|tensor", "" } }, [[
local ax = plot.figure{}:axes()
ax:band({1, 2, 3}, {0, 1, 0}, {2, 3, 1}, { label = "lowest to highest" })
ax:band{ y = {1, 2, 3}, spread = {0.1, 0.2, 0.1}, label = "mean of 5 seeds" }]]),
["plot.Axes.errorbar"] = artist("errorbar", "ax:errorbar(x, y, yerr [, options])",
  "Points with bars for their errors.",
  { { "x", "table|tensor", "may be left out" }, { "y", "table|tensor", "" },
    { "yerr", "number|table|tensor", "" } }, [[
local ax = plot.figure{}:axes()
ax:errorbar({1, 2}, {3, 4}, 0.5, { marker = "square", label = "seeds" })
ax:errorbar{ x = {1, 2}, y = {1, 2}, xerr = 0.1, yerr = { {0.1, 0.4}, {0.2, 0.3} } }]]),
["plot.Axes.bars"] = artist("bars", "ax:bars([categories,] y [, options])",
  "Bars for categories; with y as categories x series, a group of bars for each. Categories stand at " ..
  "1, 2, 3, ... with their names on the axis; horizontal ones run from the top.",
  { { "categories", "table", "their names", optional = true },
    { "y", "table|tensor", "n or n x series" } }, [[
local ax = plot.figure{}:axes{ ylabel = "PSNR" }
ax:bars({"plain", "0.001", "0.01"}, { {15.7, 14.9}, {15.4, 14.8}, {14.9, 14.1} },
  { classes = {"2-D", "32-D"}, yerr = { {0.2, 0.1}, {0.1, 0.2}, {0.3, 0.2} }, numbers = true })]]),
["plot.Axes.span"] = artist("span", "ax:span(x [, options])",
  "A shaded range of x, or of y (as an option), from edge to edge.",
  { { "x", "table|tensor", "{from, to}, or n x 2" } }, [[
local ax = plot.figure{}:axes()
ax:span({10, 20}, { label = "warm-up" })
ax:span{ y = {0.5, math.huge}, color = "red" }]]),
["plot.Axes.arrow"] = artist("arrow", "ax:arrow(from, to [, options])",
  "Arrows between points of the data; heads have a size in points.",
  { { "from", "table|tensor", "{x, y} or n x 2" },
    { "to", "table|tensor", "{x, y} or n x 2; or option vec" } }, [[
local ax = plot.figure{}:axes()
local v = ax:arrow({0, 0}, {1, 2}, { color = "blue", label = "velocity" })
v:set{ from = {1, 1}, vec = {0.5, -1} }]]),
["plot.Axes.ellipse"] = artist("ellipse", "ax:ellipse(xy [, cov] [, options])",
  "Ellipses of covariances at 1, 2, ... standard deviations, or circles of a radius.",
  { { "xy", "table|tensor", "n x 2: the centres" },
    { "cov", "table|tensor", "2 x 2 or n x 2 x 2", optional = true } }, [[
local ax = plot.figure{}:axes{ equal = true }
ax:ellipse({ {0, 0} }, { {1, 0.5}, {0.5, 2} }, { sigmas = {1, 2} })
ax:ellipse({ {0, 0}, {3, 1} }, { radius = 0.5, color = "red" })]]),
["plot.Axes.paths"] = artist("paths", "ax:paths(xy [, options])",
  "Many paths at once, such as the trajectories of flow.sample: steps x paths x 2. Older steps " ..
  "are fainter; with a marker each path ends in a point.",
  { { "xy", "table|tensor", "steps x paths x 2; or x and y, each steps x paths" } }, [[
local xy = { { {0, 0}, {1, 0} }, { {0, 1}, {1, 2} }, { {1, 1}, {2, 2} } }
plot.figure{}:axes():paths(xy, { marker = "circle", tail = 2 })]]),
["plot.Axes.text"] = artist("text", "ax:text(x, y, text [, options])",
  "Text at a point, or texts at points, or with at= in a place of the axes. z_1, z_{12}, 10^{-3} " ..
  "give sub- and superscripts here and in all labels; \\_ is a plain underscore.",
  { { "x", "number|table", "" }, { "y", "number|table", "" }, { "text", "string|table", "" } }, [[
local ax = plot.figure{}:axes()
ax:text(0.5, 0.5, "z_1", { halign = "center" })
ax:text{ text = "seed 7", at = "top-left", box = "white" }]]),
["plot.Axes.hline"] = artist("hline", "ax:hline(y [, options])", "Lines across the axes.",
  { { "y", "number|table", "where" } },
  'plot.figure{}:axes():hline(0.5, { dash = "dashed", label = "floor" })'),
["plot.Axes.vline"] = artist("vline", "ax:vline(x [, options])", "Lines from bottom to top.",
  { { "x", "number|table", "where" } }, 'plot.figure{}:axes():vline({1, 2}, { color = "grey" })'),
["plot.Axes.colorbar"] = {
  sig = "ax:colorbar(artist [, options])",
  text = "A scale of the colours of a heatmap, or of points coloured by value, beside the axes.",
  args = with_options({ { "ax", "Axes" }, { "artist", "Artist" }, options }, "colorbar"),
  returns = "Axes", errors = "An artist without colour map, or of other axes.", example = [[
local ax = plot.figure{}:axes()
ax:colorbar(ax:scatter{ x = {1, 2}, y = {1, 2}, c = {0.1, 0.9} }, { label = "weight" })]] },
["plot.Axes.legend"] = {
  sig = "ax:legend(where) or ax:legend{loc=, columns=}",
  text = "Shows the legend. Axes whose artists have labels show one by themselves, where it " ..
    "hides the least; this is for another place, more columns, or false for none.",
  args = { { "ax", "Axes" }, { "where", "string|boolean|table",
    '"upper right", "lower left", ... "outside"; {loc=, columns=}', optional = true } },
  returns = "Axes", example = [[
local ax = plot.figure{}:axes()
ax:line{ y = {1, 2}, label = "a" }
ax:legend "upper left"
ax:legend{ loc = "outside", columns = 1 }]] },
["plot.Axes.artists"] = { text = "All artists of the axes, in the order in which they came.",
  args = { { "ax", "Axes" } }, returns = "table",
  example = 'assert(#plot.figure{}:axes():artists() == 0)' },
["plot.Axes.clear"] = { text = "Removes all artists.", args = { { "ax", "Axes" } },
  returns = "Axes", example = [[
local ax = plot.figure{}:axes()
ax:line{ y = {1, 2} }
assert(#ax:clear():artists() == 0)]] },
["plot.Axes.box"] = {
  text = "Where the box of the axes is in the picture, in pixels: left, top, right, bottom.",
  args = { { "ax", "Axes" }, { "options", "table", "scale or dpi", optional = true } },
  returns = "four numbers", example = [[
if plot.can_save then
  local x0, y0, x1, y1 = plot.figure{}:axes():box{ scale = 1 }
  assert(x0 < x1 and y0 < y1)
end]] },
["plot.Axes.pixel"] = {
  sig = "ax:pixel(x, y [, {scale=, axis=}])",
  text = "The place of a data point in the picture, in pixels from the left and the top.",
  args = { { "ax", "Axes" }, { "x", "number" }, { "y", "number" },
    { "options", "table", 'scale; axis = "y2" for the second y axis', optional = true } },
  returns = "two numbers", example = [[
if plot.can_save then
  local ax = plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }
  local x0, y0, x1, y1 = ax:box()
  local x, y = ax:pixel(0.5, 0.5)
  assert(math.abs(x - (x0 + x1) / 2) < 1e-6)
end]] },

-- ---- artists ----
["plot.Artist.set"] = {
  sig = "artist:set{...} or artist:set(data)",
  text = "Changes options of an artist. All are checked first and then taken together, so a " ..
    "picture never shows the new x with the old y. false puts an option back to its default. Numbers " ..
    "of tensors on a device are not waited for: they are those of the moment of the call, enter the " ..
    "figure together when they are there, and the newest of a loop that sets them faster count " ..
    "(?gpu).",
  args = { { "artist", "Artist" }, { "options", "table", "as for the call that made it" } },
  returns = "Artist", errors = wrong, example = [[
local s = plot.figure{}:axes():scatter{ x = {1, 2}, y = {1, 2} }
s:set{ x = {1, 2, 3}, y = {4, 5, 6}, color = "red" }
assert(not pcall(s.set, s, { x = {1} }) and #s:get("x") == 3)]] },
["plot.Artist.get"] = {
  text = 'The value of an option; also "kind" and "id". Numbers come as tables.',
  args = { { "artist", "Artist" }, { "name", "string" } }, returns = "any",
  example = 'assert(plot.figure{}:axes():line{ y = {1, 2} }:get("kind") == "line")' },
["plot.Artist.push"] = {
  sig = "artist:push(x, y) or artist:push(y)",
  text = "Appends a point to a line or a scatter. NaN makes a gap. A tensor is a number, too; one on " ..
    "a device, such as a loss, is not waited for.",
  args = { { "artist", "Artist" }, { "x", "number|tensor", "by default 1, 2, 3, ..." },
    { "y", "number|tensor", "a tensor has one element" } }, returns = "Artist",
  errors = "Artists of other kinds; points with a colour or size of their own; tensors of more elements.",
  example = [[
local l = plot.figure{}:axes():line{}
l:push(3):push(tensor.full({}, 4))
assert(l:get("x")[2] == 2 and l:get("y")[2] == 4)]] },
["plot.Artist.remove"] = { text = "Takes the artist, and its colour bar, out of its axes.",
  args = { { "artist", "Artist" } }, returns = "nothing", example = [[
local ax = plot.figure{}:axes()
ax:line{ y = {1, 2} }:remove()
assert(#ax:artists() == 0)]] },
}
