-- plot.lua -- figures: scatter plots, heatmaps, curves; saved as PNG, SVG, PDF or GIF.
--
--   local fig = plot.figure{ size = {640, 320}, cols = 2 }
--   local ax = fig:axes{ xlabel = "z_1", ylabel = "z_2", equal = true }
--   local hm = ax:heatmap{ z = nll, extent = {-3, 3, -3, 3}, label = "NLL" }
--   ax:colorbar(hm)
--   ax:scatter(latents, { marker = "triangle", color = "red", label = "latents" })
--   fig:save "picture.png"
--
-- The model and the drawing are in C (vm/plot.h); here are the short forms of
-- calls and what can be said in a few lines of Lua.

local core = require "tide.plot.core"
local window = require "tide.plot.window"
local event = require "tide.plot.event"
local late = require "tide.plot.late"

local plot = {
  -- False in a build without drawing: figures can be made, but not saved.
  can_save = core.can_save,
  theme = core.theme,
  colormaps = core.colormaps,
  colormap = core.colormap,
  smooth = core.smooth,
  Figure = core.Figure,
  Axes = core.Axes,
  Artist = core.Artist,
  Gif = core.Gif,
}
local Figure, Axes, Artist = core.Figure, core.Axes, core.Artist

-- A table with named options only, as opposed to a list of numbers.
local function is_options(v)
  if type(v) ~= "table" or #v > 0 then return false end
  local k = next(v)
  return k == nil or type(k) == "string"
end

-- Is v n x 2 (or deeper) rather than a plain list?
local function is_pairs(v)
  if type(v) == "table" then return type(v[1]) ~= "number" and v[1] ~= nil end
  local ok, shape = pcall(function() return v.shape end)
  return ok and type(shape) == "table" and #shape >= 2
end

-- What values without a name mean, by their number.
local positional = {
  scatter = { { "xy" }, { "x", "y" } },
  line = { { "y" }, { "x", "y" } },
  heatmap = { { "z" } },
  contour = { { "z" } },
  quiver = { [2] = { "xy", "uv" }, [4] = { "x", "y", "u", "v" } },
  paths = { { "xy" }, { "x", "y" } },
  text = { { "text" }, { "xy", "text" }, { "x", "y", "text" } },
  hline = { { "y" } },
  vline = { { "x" } },
  images = { { "images" } },
  stream = { { "uv" }, { "u", "v" } },
  mesh = { { "xy" }, { "x", "y" } },
  histogram = { { "x" } },
  band = { [2] = { "lo", "hi" }, [3] = { "x", "lo", "hi" } },
  errorbar = { [2] = { "y", "yerr" }, [3] = { "x", "y", "yerr" }, [4] = { "x", "y", "xerr", "yerr" } },
  span = { { "x" } },
  arrow = { [2] = { "from", "to" } },
  bars = { { "y" }, { "categories", "y" } },
  ellipse = { { "xy" }, { "xy", "cov" } },
}

-- Turns (data..., options) into one table of options.
local function options_of(kind, ...)
  local n = select("#", ...)
  local args = { ... }
  local opts = {}
  if n > 0 and is_options(args[n]) then
    for k, v in pairs(args[n]) do opts[k] = v end
    n = n - 1
  end
  while n > 0 and args[n] == nil do n = n - 1 end
  if n == 0 then return opts end
  local names = positional[kind][n]
  if not names then
    core.raise(("%s: %d values without a name are not understood; name them, as in "
      .. "%s{x = ..., y = ...}"):format(kind, n, kind))
  end
  if kind == "line" and n == 1 and is_pairs(args[1]) then names = { "xy" } end
  for i, name in ipairs(names) do opts[name] = args[i] end
  return opts
end

-- ---- fields: functions of points ----

-- The centres of n x n cells (or n = {columns, rows}) of extent, row by row from the lowest.
local function lattice(extent, n)
  local nx, ny = n, n
  if type(n) == "table" then nx, ny = n[1], n[2] end
  if math.type(nx) ~= "integer" or math.type(ny) ~= "integer" or nx < 1 or ny < 1 or nx * ny > 1e6 then
    core.raise("n is a whole number of columns and rows, or {columns, rows}")
  end
  local x0, x1, y0, y1 = table.unpack(extent)
  local xy = {}
  for i = 1, ny do
    for j = 1, nx do
      xy[#xy + 1] = { x0 + (x1 - x0) * (j - 0.5) / nx, y0 + (y1 - y0) * (i - 0.5) / ny }
    end
  end
  return xy, nx, ny
end

-- field(points): n x 2 numbers, as a table or a tensor.
local function evaluate(kind, field, xy)
  local tensor = require("tide").tensor
  local uv = field(tensor.from(xy, { dtype = "f32" }))
  local fits
  if tensor.is_tensor(uv) then
    fits = uv:dim() == 2 and uv:size(1) == #xy and uv:size(2) == 2
  else
    fits = type(uv) == "table" and #uv == #xy and type(uv[1]) == "table" and #uv[1] == 2
  end
  if not fits then
    core.raise(("%s: field gets n x 2 points as a tensor and returns n x 2 arrows"):format(kind))
  end
  return uv
end

-- Puts numbers in the place of opts.field and opts.n. old(name): what is there already; old(name, true):
-- its sizes.
local function sample_field(kind, opts, ax, old)
  local field, n = opts.field, opts.n
  opts.field, opts.n = nil, nil
  if field == nil then return opts end
  if type(field) ~= "function" then core.raise(kind .. ": field is a function of points") end
  if kind == "quiver" and (opts.xy or old("xy")) then
    opts.uv = evaluate(kind, field, opts.xy or old("xy"))
    return opts
  end
  local extent = opts.extent or (kind == "stream" and old("extent"))
  if not extent or #extent ~= 4 then
    if not ax then core.raise(kind .. ": give extent = {x0, x1, y0, y1} with field") end
    local x, y = ax:get("xlim"), ax:get("ylim")
    extent = { x[1], x[2], y[1], y[2] }
  end
  if not n and kind == "stream" then
    local rows, columns = old("u", true)
    n = rows and { columns, rows } or 40
  end
  local xy, nx, ny = lattice(extent, n or 16)
  local uv = evaluate(kind, field, xy)
  if kind == "quiver" then
    opts.xy, opts.uv, opts.extent = xy, uv, nil
    return opts
  end
  local rows = type(uv) == "table" and {} or uv:reshape(ny, nx, 2)
  for i = 1, type(uv) == "table" and ny or 0 do rows[i] = table.move(uv, (i - 1) * nx + 1, i * nx, 1, {}) end
  opts.uv, opts.extent = rows, extent
  return opts
end

local function nothing() end

for kind in pairs(positional) do
  Axes[kind] = function(ax, ...)
    return ax:add(kind, options_of(kind, ...))
  end
end

-- Classes with names get markers of their own, too.
function Axes:scatter(...)
  local opts = options_of("scatter", ...)
  if opts.classes and opts.marker == nil then opts.marker = "class" end
  return self:add("scatter", opts)
end

for _, kind in ipairs { "stream", "quiver" } do
  Axes[kind] = function(ax, ...)
    local opts = options_of(kind, ...)
    if type(opts.uv) == "function" then opts.field, opts.uv = opts.uv, nil end
    return ax:add(kind, sample_field(kind, opts, ax, nothing))
  end
end

local set = Artist.set
function Artist:set(...)
  local kind = self:get("kind")
  local opts = options_of(kind, ...)
  if opts.field then
    sample_field(kind, opts, nil, function(name, sizes)
      if sizes then return core.shape(self, name) end
      return self:get(name)
    end)
  elseif kind == "arrow" then -- the newer of the two ways to say where it ends
    if opts.vec and opts.to == nil then opts.to = false end
    if opts.to and opts.vec == nil then opts.vec = false end
  end
  return set(self, opts)
end

function Axes:legend(where, opts)
  if type(where) == "table" then where, opts = where.loc, where end
  local to = { legend = where == nil and true or where }
  for k, v in pairs(opts or {}) do
    if k == "columns" then
      to.legend_columns = v
    elseif k ~= "loc" then
      core.raise(("legend: unknown option '%s'; did you mean '%s'?"):format(tostring(k),
        tostring(k):find("col") and "columns" or "loc"))
    end
  end
  return self:set(to)
end

-- Pixel in the saved PNG (from the left, from the top) of a data point.
function Axes:pixel(x, y, opts)
  local axis = opts and opts.axis
  local x0, y0, x1, y1 = self:box(opts and { scale = opts.scale })
  local function unit(v, dim)
    local lim, log = self:get(dim .. "lim"), self:get(dim .. "scale") == "log"
    if log then return math.log(v / lim[1]) / math.log(lim[2] / lim[1]) end
    return (v - lim[1]) / (lim[2] - lim[1])
  end
  return x0 + unit(x, "x") * (x1 - x0), y1 - unit(y, axis or "y") * (y1 - y0)
end

local save = Figure.save
function Figure:save(path, opts)
  if type(path) == "table" then
    opts = {}
    for k, v in pairs(path) do
      if k ~= 1 then opts[k] = v end
    end
    path = path[1]
  end
  return (save(self, path, opts))      -- no tail call: errors name the line
end

---- windows (vm/plot_window.h) ----

local said = false                     -- why there are none

-- What shows figures instead in a notebook, or nil.
local function notebook()
  local display = package.loaded["tide.shell.display"]
  return display and display.active() and display or nil
end

function Figure:show()
  if notebook() then return notebook().show(self) end
  local ok, why = window.show(self)
  if ok then event.shown(self) end
  if not ok and not said then
    said = true
    io.stderr:write("tide: no windows: ", why, "\n")
  end
  return self
end

function Figure:close()
  if notebook() then notebook().forget(self) end
  window.close(self)
  event.closed(self)
  return self
end

-- A recording, or a player that records, wants the steps that count.
function Figure:due()
  event.poll()
  local stage = event.stage(self)
  local counts = stage.recording and stage.recording:_due()
  local due
  if notebook() then due = notebook().due(self) else due = window.due(self) end
  return counts or stage.always or due
end

-- Short waits, so that jobs go on and Ctrl-C is heard.
function plot.wait(fig)
  late.settle()
  local tide = require "tide"
  while window.open(fig, 0) do
    local job = package.loaded["tide.job"]
    if job and job._live() > 0 then
      if not job._step() then event.wait(10) end
    else
      event.wait(50)
    end
  end
end

---- what a person grabs (lua/tide/plot/) ----

-- The module that has a function is loaded when it is first called.
local function later(class, method, module, name)
  class[method] = function(...)
    local m = require("tide.plot." .. module)
    return (name and m[name] or m.new)(...)
  end
end

later(Figure, "controls", "controls", "of")
later(Axes, "handle", "handle")
later(Axes, "brush", "brush")
later(Figure, "state", "state", "state")
later(Figure, "record", "record")
later(plot, "player", "player")

local classes = { Handle = "handle", Controls = "controls", Brush = "brush", Player = "player",
  Record = "record" }
setmetatable(plot, { __index = function(t, name)
  if not classes[name] then return nil end
  local m = require("tide.plot." .. classes[name])
  t[name] = m[name] or m
  return t[name]
end })

function plot.figure(opts)
  return core.figure(opts)
end

return plot
