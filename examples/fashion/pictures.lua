-- pictures.lua -- the figures of fashion_ae.lua: latents over the prior, curves, images
-- decoded from the prior, reconstructions, and the decoded plane.

local tide = require "tide"
local tensor, flow, metrics = tide.tensor, tide.flow, tide.metrics
local models = require "fashion.models"

local pictures = {}

local INK = "#1b2230"
local ALIGN, RADIUS = "#c8402f", "#3b6fb6"
local SHOWN = 3000                     -- latents in a picture

-- Ten colours that differ in lightness as well as in hue.
local CLASSES = { "#1f77b4", "#e6842a", "#2f9e44", "#d1344b", "#8c63c4", "#8a5a44",
                  "#e377b2", "#6d6d6d", "#b5b526", "#22b8c9" }

---- latents ----

-- Two numbers for each latent: themselves, or along the directions in which the
-- prior varies most.
local function plane_of(y)
  if y.prior.dim == 2 then return function(z) return z end end
  if y.prior.dim == 1 then
    return function(z) return tensor.cat({ z, z * 0 }, 2) end
  end
  return flow.project.pca(y.reference, 2)
end

pictures.plane_of = plane_of

-- The prior's density on a grid, and the levels within which 50, 80 and 95 of 100
-- points of it lie.
local function density(y, plane)
  local data = plane(y.reference)
  local reach = 1.25 * data:abs():max():item()
  local grid = flow.landscape(function(p)
    return metrics.kde_log_density(p, data, { bandwidth = 0.09 })
  end, { xlim = { -reach, reach }, ylim = { -reach, reach }, n = 150 })
  local at = metrics.kde_log_density(plane(y.fresh), data, { bandwidth = 0.09 }):sort(1)
  local n, levels = at:numel(), {}
  for i, outside in ipairs { 0.05, 0.2, 0.5 } do
    levels[i] = math.exp(at:get(math.max(1, math.floor(outside * n))))
  end
  return { z = grid.z:exp(), extent = { -reach, reach, -reach, reach }, levels = levels,
           reach = reach }
end

-- A square that holds the prior and 98 of 100 latents along each axis.
local function limits(z, reach)
  local low, high, span = {}, {}, 0
  for c = 1, 2 do
    local sorted = z:select(2, c):sort(1)
    local n = sorted:numel()
    low[c] = math.min(-reach, sorted:get(math.max(1, n // 100)))
    high[c] = math.max(reach, sorted:get(n - n // 100))
    span = math.max(span, 0.52 * (high[c] - low[c]))
  end
  local function around(c)
    local middle = (low[c] + high[c]) / 2
    return { middle - span, middle + span }
  end
  return around(1), around(2)
end

local function latents(results, order, data, y)
  local plane = plane_of(y)
  local prior = density(y, plane)
  local n = math.min(SHOWN, data.test:size(1))
  local labels = data.test_labels:narrow(1, 1, n)
  local names = data.classes
  if not names then
    names = {}
    for c = 1, data.class_count do names[c] = "class " .. c end
  end
  local colors = table.move(CLASSES, 1, math.min(#CLASSES, math.max(2, #names)), 1, {})
  tide.plot.colormap("fashion", colors, true)
  local fig = tide.plot.figure { size = { 250 * #order + 105, 285 }, cols = #order }
  for i, name in ipairs(order) do
    local r = results[name]
    local z = plane(r.latents)
    local xlim, ylim = limits(z, prior.reach)
    local ax = fig:axes { col = i, equal = true, xlim = xlim, ylim = ylim,
      title = ("%s: %.1f dB, log r_5 %.2f"):format(name, r.figures.psnr,
                                                   r.figures.log_radius),
      xlabel = y.prior.dim == 2 and "z_1" or "first direction of the prior",
      ylabel = i == 1 and (y.prior.dim == 2 and "z_2" or "second direction") or nil }
    ax:contour { z = prior.z, extent = prior.extent, levels = prior.levels, color = INK,
                 width = 0.8, alpha = 0.75 }
    ax:scatter(z:narrow(1, 1, n), { c = labels, cmap = "fashion", marker = "circle",
      size = 2.2, alpha = 0.7, classes = i == #order and names or nil })
    ax:legend(i == #order and "outside" or false)
  end
  return fig
end

---- curves ----

-- Without the point at step 0, for a logarithmic axis: most happens early.
local function late(column)
  return table.move(column, 2, #column, 1, {})
end

local function curves(results, order, y)
  local fig = tide.plot.figure { size = { 270 * #order, 250 }, cols = #order }
  for i, name in ipairs(order) do
    local c, f = results[name].curve, results[name].figures
    local step = late(c.step)
    local ax = fig:axes { col = i, xlabel = "step", xscale = "log", yscale = "log",
      ylabel = i == 1 and "L_{align} per channel" or nil,
      y2label = i == #order and "mean log r_5" or nil, ycolor = ALIGN, y2color = RADIUS,
      title = f.pearson_log and ("%s: correlation %.2f"):format(name, f.pearson_log)
        or name }
    ax:line { x = step, y = late(c.align), color = ALIGN, marker = "circle", size = 3.5,
              label = "L_{align}" }
    ax:line { x = step, y = late(c.log_radius), color = RADIUS, marker = "square",
              size = 3.5, axis = "y2", label = "log r_5" }
    ax:hline(y.curve_align, { color = ALIGN, dash = "dashed", label = "L_{align} of the prior" })
    ax:hline(y.log_radius, { color = RADIUS, dash = "dotted", axis = "y2",
                             label = "log r_5 of the prior" })
    ax:legend(i == 1)
  end
  return fig
end

---- images ----

local function sheet(ax, images, data, o)
  o.images = images:reshape(-1, data.height, data.width)
  o.cmap, o.vmin, o.vmax = "grey_r", 0, 1
  ax:images(o)
end

local function samples(results, order, data)
  local fig = tide.plot.figure { size = { 230 * #order, 260 }, cols = #order }
  for i, name in ipairs(order) do
    local r = results[name]
    local ax = fig:axes { col = i, title = ("%s: Frechet %.1f"):format(name,
                                                                    r.figures.frechet) }
    local n = math.min(64, r.images:size(1))
    sheet(ax, r.images:narrow(1, 1, n), data, { columns = 8, gap = 1 })
  end
  return fig
end

-- The first test image of each class, and what is left of it.
local function reconstructions(results, order, data)
  local rows, labels = {}, data.test_labels:totable()
  for c = 1, math.min(12, data.class_count) do
    for i, label in ipairs(labels) do
      if label == c then
        rows[#rows + 1] = i
        break
      end
    end
  end
  local pick = tensor.from(rows, { dtype = "i64" })
  local parts, titles = { data.test:index_select(1, pick) }, { "test image" }
  for i, name in ipairs(order) do
    parts[i + 1] = results[name].again:index_select(1, pick)
    titles[i + 1] = name
  end
  local fig = tide.plot.figure { size = { 52 * #rows + 60, 54 * #titles + 20 } }
  sheet(fig:axes {}, tensor.cat(parts), data, { columns = #rows, gap = 2, rows = titles })
  return fig
end

-- How much of the full density a prior has at points, from 0 to 1.
local function presence(name, points, y)
  local log_p, full
  if name == "vae" then
    log_p, full = points:square():sum(2) * -0.5, -0.5 * 2.5 ^ 2
  else
    local o = { bandwidth = 0.12 }
    log_p = metrics.kde_log_density(points, y.reference, o)
    local own = metrics.kde_log_density(y.fresh, y.reference, o):sort(1)
    full = own:get(math.max(1, own:numel() // 20))
  end
  return (log_p - full):exp():clamp(0, 1)
end

-- The plane, decoded at the points of a grid; faint where the prior has no mass.
local function manifold(results, order, data, y)
  local shown = {}
  for _, name in ipairs(order) do
    if name ~= "plain" and name ~= "cosine" then shown[#shown + 1] = name end
  end
  if #shown == 0 then return nil end
  local n = 20
  local fig = tide.plot.figure { size = { 330 * #shown, 350 }, cols = #shown }
  for i, name in ipairs(shown) do
    local reach = name == "vae" and 2.5 or 1.05 * y.reference:abs():max():item()
    local steps = tensor.linspace(-reach, reach, n)
    local points = tensor.stack({ steps:unsqueeze(1):expand(n, n):flatten(),
      steps:flip(1):unsqueeze(2):expand(n, n):flatten() }, 2)
    local weight = presence(name, points, y) * 0.92 + 0.08
    local images = models.decode(results[name].ae, points) * weight:unsqueeze(2)
    local ax = fig:axes { col = i, title = name .. (name == "vae" and ": N(0, 1), decoded"
      or ": the prior, decoded") }
    sheet(ax, images, data, { columns = n, gap = 0 })
  end
  return fig
end

function pictures.save(out, results, order, data, y, o)
  if not tide.plot.can_save then
    print("(this build has no drawing: no pictures)")
    return
  end
  out:figure("latents", latents(results, order, data, y))
  out:figure("curves", curves(results, order, y))
  out:figure("samples", samples(results, order, data))
  out:figure("reconstructions", reconstructions(results, order, data))
  local plane = o.latent == 2 and manifold(results, order, data, y)
  if plane then out:figure("manifold", plane) end
end

return pictures
