-- plot.lua -- figures: scatter plots, heatmaps, curves; saved as PNG, SVG or PDF.
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

local set = Artist.set
function Artist:set(...)
  return set(self, options_of(self:get("kind"), ...))
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
  return save(self, path, opts)
end

function plot.figure(opts)
  return core.figure(opts)
end

return plot
