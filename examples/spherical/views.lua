-- views.lua -- the sphere as two discs, a hemisphere each, seen from above and from below:
-- Lambert's azimuthal projection, which keeps areas, so that densities look as they are.

local tide = require "tide"
local tensor = tide.tensor

local views = {}

local DATA, LATENT, WAY = "#3b6fb6", "#c8402f", "#e6842a"
local SIDES = { { sign = 1, title = "from above" }, { sign = -1, title = "from below" } }
local CELLS, WAYS = 160, 120

-- Places in the disc of a side, of directions (n, 3); NaN on the other side.
local function place(y, sign)
  local p = y / y:norm(2, 2, true)
  local up = p:narrow(2, 3, 1) * sign
  local k = 1 / (up + 1):clamp { min = 1e-9 }:sqrt()
  local xy = tensor.cat({ p:narrow(2, 1, 1) * sign, p:narrow(2, 2, 1) }, 2) * k
  return xy:masked_fill(up:lt(0):expand(xy.shape), 0 / 0)
end

-- The density of the target on a grid of the disc, NaN around it.
local function density(target, sign)
  local a = (tensor.arange(1, CELLS, { dtype = "f64" }) - 0.5) * (2 / CELLS) - 1
  local x = a:unsqueeze(1):expand(CELLS, CELLS):flatten()
  local y = a:unsqueeze(2):expand(CELLS, CELLS):flatten()
  local r2 = x:square() + y:square()
  local k = (2 - r2):clamp { min = 0 }:sqrt()
  local p = tensor.stack({ x * k * sign, y * k, (1 - r2) * sign }, 2)
  return target:log_prob(p):exp():masked_fill(r2:gt(1), 0 / 0):reshape(CELLS, CELLS)
end

-- A figure whose cells around the discs are as the page.
local function figure(o)
  tide.plot.theme { bad = "#ffffff00" }
  return tide.plot.figure(o)
end

-- Axes for a side, with the density.
local function disc(fig, o, target, side, label)
  o.equal, o.xlim, o.ylim = true, { -1.06, 1.06 }, { -1.06, 1.06 }
  o.xticks, o.yticks, o.frame = {}, {}, "none"
  o.title = label .. ", " .. side.title
  local ax = fig:axes(o)
  ax:heatmap { z = density(target, side.sign), extent = { -1, 1, -1, 1 }, cmap = "viridis" }
  ax:ellipse { x = 0, y = 0, radius = 1, fill = 0, color = "#808080" }
  return ax
end

-- The ways of some latents on a side, with gaps where they cross to the other.
local function ways(snapshots, sign)
  local steps = {}
  for step in pairs(snapshots) do steps[#steps + 1] = step end
  table.sort(steps)
  local n = math.min(WAYS, snapshots[steps[1]]:size(1))
  local parts = {}
  for i, step in ipairs(steps) do parts[i] = place(snapshots[step]:narrow(1, 1, n), sign) end
  parts[#parts + 1] = tensor.full({ n, 2 }, 0 / 0)
  return tensor.stack(parts, 2):flatten(1, 2)
end

local function curves(ax, run)
  ax:line { x = run.curve.step, y = run.curve.align, label = "L align" }
  ax:line { x = run.curve.step, y = run.curve.nll, axis = "y2", label = "NLL" }
  ax:legend {}
end

local CURVES = { xlabel = "step", ylabel = "alignment loss", y2label = "negative log-likelihood" }

local function with(o, more)
  local r = {}
  for k, v in pairs(o) do r[k] = v end
  for k, v in pairs(more) do r[k] = v end
  return r
end

function views.figure(target, samples, points, runs, losses)
  local fig = figure { size = { 960, 300 * (1 + #losses) }, rows = 1 + #losses, cols = 3,
                       widths = { 1, 1, 1.1 } }
  for col, side in ipairs(SIDES) do
    local ax = disc(fig, { row = 1, col = col }, target, side, "density and samples of the flow")
    ax:scatter(place(samples, side.sign), { size = 2.2, color = LATENT, alpha = 0.7 })
    for i, name in ipairs(losses) do
      local run = runs[name]
      local under = disc(fig, { row = 1 + i, col = col }, target, side, "latents by " .. name)
      under:line(ways(run.snapshots, side.sign), { color = WAY, width = 0.7, alpha = 0.6 })
      under:scatter(place(run.y:detach(), side.sign), { size = 2.6, color = LATENT, alpha = 0.8 })
    end
  end
  local ax = fig:axes { row = 1, col = 3, xlabel = "log density, closed form",
    ylabel = "log density of the flow", title = "likelihood of data" }
  ax:scatter(tensor.stack({ points.exact, points.made }, 2), { size = 3, color = DATA, alpha = 0.7 })
  local low, high = points.exact:min():item(), points.exact:max():item()
  ax:line { x = { low, high }, y = { low, high }, color = "#808080", dash = "dashed" }
  for i, name in ipairs(losses) do
    local own = { row = 1 + i, col = 3, title = "while latents move, " .. name }
    curves(fig:axes(with(CURVES, own)), runs[name])
  end
  return fig
end

---- live ----

local Watch = {}
Watch.__index = Watch

-- A window on latents that move.  It draws nothing from the stream of the run.
function views.watch(target)
  local fig = figure { size = { 1000, 340 }, cols = 3, widths = { 1, 1, 1.1 },
                       title = "latents on the sphere" }
  local self = setmetatable({ fig = fig, discs = {}, points = {} }, Watch)
  for col, side in ipairs(SIDES) do
    self.discs[col] = disc(fig, { col = col }, target, side, "latents")
    self.points[col] = self.discs[col]:scatter { x = {}, y = {}, size = 4, color = LATENT, alpha = 0.9 }
  end
  local ax = fig:axes(with(CURVES, { col = 3 }))
  self.align = ax:line { x = {}, y = {}, label = "L align" }
  self.nll = ax:line { x = {}, y = {}, axis = "y2", label = "NLL" }
  ax:legend {}
  fig:show()
  return self
end

-- A report of flow.align.
function Watch:see(name, now)
  if self.name ~= name then
    self.align:set { x = {}, y = {} }
    self.nll:set { x = {}, y = {} }
    self.name = name
  end
  self.align:push(now.step, now.align)
  self.nll:push(now.step, now.nll)
  if not self.fig:due() and now.step ~= now.steps then return end
  for col, side in ipairs(SIDES) do
    self.points[col]:set { xy = place(now.y:detach(), side.sign) }
    self.discs[col]:set { title = ("latents by %s, step %d, %s"):format(name, now.step, side.title) }
  end
end

-- Until the window is closed.
function Watch:stay() tide.plot.wait(self.fig) end

return views
