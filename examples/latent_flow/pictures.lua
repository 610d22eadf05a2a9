-- pictures.lua -- the figures of latent_flow.lua.

local tide = require "tide"
local sheets = require "images.pictures"

local pictures = {}

local COLORS = { loss = "#c8402f", field = "#3b6fb6", growth = "#2f9e44", sliced = "#1b2230",
                 bound = "#8c63c4" }

-- Samples of each way, classes in columns.
function pictures.samples(list) return sheets.grids(list, { per_row = 2, size = 34 }) end

-- For each kind of hole: the truth, what is left of it, what was made.
function pictures.inpainting(shown, kinds)
  local rows = {}
  for _, kind in ipairs(kinds) do
    local r = shown.rows[kind]
    rows[#rows + 1] = { kind, shown.truth * r.mask + (r.mask - 1) * 0.3 }
    rows[#rows + 1] = { "filled", r.made }
  end
  rows[#rows + 1] = { "truth", shown.truth }
  return sheets.rows(rows)
end

-- Grey values for classes of pixels.
local SHADES = { -1, -0.2, 0.4, 1 }

function pictures.mapped(shown)
  local map = 0
  for i, shade in ipairs(SHADES) do map = shown.map:narrow(2, i, 1) * shade + map end
  local function as(x) return x:expand(shown.truth.shape) end
  return sheets.rows { { "map", as(map) }, { "ours", shown.made }, { "reference", shown.truth } }
end

function pictures.bound(curve, s)
  local fig = tide.plot.figure { size = { 960, 270 }, cols = 3 }
  local function line(ax, key, label, o)
    o = o or {}
    o.x, o.y, o.color, o.label, o.marker = curve.step, curve[key], COLORS[key], label, "circle"
    ax:line(o)
  end
  local a = fig:axes { col = 1, xlabel = "step", ylabel = "loss, summed over the latent",
    title = "latent flow matching" }
  line(a, "loss", "held-out images")
  local b = fig:axes { col = 2, xlabel = "step", yscale = "log", title = "Lipschitz constants, estimated" }
  line(b, "field", "field, largest over t")
  line(b, "growth", "field, integral over t")
  b:hline(s.decoder, { color = COLORS.loss, dash = "dashed", label = "decoder" })
  local c = fig:axes { col = 3, xlabel = "step", yscale = "log", title = "decoded samples and data" }
  line(c, "bound", "bound on W2")
  line(c, "sliced", "sliced W2")
  c:hline(s.sliced_again, { color = COLORS.field, dash = "dashed", label = "its floor: the autoencoder" })
  c:hline(s.sliced_data, { color = "#6d6d6d", dash = "dotted", label = "data and data" })
  for _, ax in ipairs { a, b, c } do ax:legend(true) end
  return fig
end

function pictures.samplers(rows)
  local fig = tide.plot.figure { size = { 420, 290 } }
  local ax = fig:axes { xlabel = "calls of the net for a sample", ylabel = "distance from dopri5, r.m.s.",
    xscale = "log", yscale = "log", title = "the error of samplers" }
  local by = {}
  for _, r in ipairs(rows) do
    if r.solver ~= "dopri5" then
      by[r.solver] = by[r.solver] or { x = {}, y = {}, label = r.solver, marker = "circle" }
      table.insert(by[r.solver].x, r.nfe)
      table.insert(by[r.solver].y, r.apart)
    end
  end
  for _, name in ipairs { "euler", "heun" } do if by[name] then ax:line(by[name]) end end
  ax:legend(true)
  return fig
end

return pictures
