-- pictures.lua -- the figures of spherical.lua on images.

local tide = require "tide"
local sheets = require "images.pictures"
local rows = require "spherical.rows"

local pictures = {}

local COLORS = { linear = "#6d6d6d", shell = "#e6842a", spherical = "#3b6fb6", chord = "#c8402f" }
local NAMES = { linear = "linear", shell = "linear on the shell", spherical = "spherical",
                chord = "straight steps, renormalised" }

-- Norms of latents; norms and radial shares along paths; norms along samplers.
function pictures.curves(s, paths, trajectories)
  local fig = tide.plot.figure { size = { 900, 560 }, rows = 2, cols = 2 }
  local ax = fig:axes { xlabel = "norm of a token / sqrt(d)", ylabel = "density",
    title = "latents of test images, and noise" }
  ax:histogram(s.norms, { bins = 60, stat = "density", alpha = 0.6, color = COLORS.spherical,
                          label = "latents" })
  ax:histogram(s.noise, { bins = 60, stat = "density", alpha = 0.4, color = COLORS.linear,
                          label = "normal noise" })
  local norm = fig:axes { xlabel = "t", ylabel = "norm / sqrt(d)", title = "norms along the paths" }
  local radial = fig:axes { xlabel = "t", ylabel = "share", title = "radial share of the velocity's square" }
  for _, name in ipairs(rows.FIELDS) do
    local c, color = paths[name], COLORS[name]
    norm:band(paths.t, c.low, c.high, { color = color, alpha = 0.25 })
    norm:line { x = paths.t, y = c.norm, color = color, label = NAMES[name] }
    radial:line { x = paths.t, y = c.radial, color = color, label = NAMES[name] }
  end
  radial:hline(paths.expected, { color = COLORS.shell, dash = "dotted", label = "(1 - cos w) / 2 at t = 0" })
  local made = fig:axes { xlabel = "t", ylabel = "norm / sqrt(d)", title = "norms along the samplers" }
  for _, name in ipairs { "linear", "shell", "chord", "spherical" } do
    local c = trajectories[name]
    made:line { x = c.t, y = c.norm, color = COLORS[name], label = NAMES[name],
                width = name == "chord" and 4 or nil }
  end
  for _, a in ipairs { ax, norm, radial, made } do a:legend(true) end
  return fig
end

function pictures.swap(list) return sheets.rows(list) end

-- Samples of every row, classes in columns.
function pictures.samples(list) return sheets.grids(list, { per_row = 3, size = 30 }) end

return pictures
