-- view.lua -- the picture of the lab: left the negative log-likelihood, in the middle a map
-- that one chooses, right what the run did and where in time the loss of one point comes
-- from, below two sentences. It follows a model (model.lua) and needs no window.

local tide = require "tide"
local plot = require "tide.plot"
local model = require "tide.lab.model"
local words = require "tide.lab.words"

local View = {}
View.__index = View

local L = model.limit
local EXTENT = { -L, L, -L, L }
local COLORS = {
  data = "#2f6db5", latents = "#d1382c", point = "#c21e8b", field = "#111111",
  straight = "#e07b00", down = "#c21e8b", align = "#0f7f6c", nll = "#7a4fb0",
}
local SHOWN = 400                     -- points of the data that are drawn
local NAMES = words.maps

-- Signed maps have white at 0; the others are dark where the value is low.
local STYLES = {
  nll = { norm = "quantile" }, loss = { norm = "quantile" }, align = { norm = "quantile" },
  residual = { norm = "quantile" }, log_p = { norm = "quantile", cmap = "lab_r" },
  C = { norm = "quantile", cmap = "lab_r" }, bound = { norm = "quantile", cmap = "lab_r" },
}

---- the page ----

local function plane(fig, col, title)
  return fig:axes { row = 1, rowspan = 2, col = col, title = title, equal = true,
    xlim = { -L, L }, ylim = { -L, L }, xlabel = "y1", ylabel = col == 1 and "y2" or "",
    grid = "none", legend = "none" }
end

local function marker(ax, label)
  return ax:scatter { x = { 0 }, y = { 0 }, marker = "circle", size = 8, color = COLORS.point,
    edge = "white", edgewidth = 1.5, visible = false, label = label, legend = false }
end

local function left_axes(self, fig)
  local ax = plane(fig, 1)
  self.nll = ax:heatmap { z = { { 0, 1 }, { 1, 0 } }, extent = EXTENT, cmap = "lab",
    norm = "quantile", interp = "bilinear" }
  ax:colorbar(self.nll, { label = "" })
  self.data = ax:scatter { x = {}, y = {}, marker = "circle", size = 2.6, color = COLORS.data,
    alpha = 0.75, label = "data" }
  self.left = ax:scatter { x = {}, y = {}, marker = "triangle", size = 5, color = COLORS.latents,
    alpha = 0.9, label = "latents" }
  self.point = marker(ax)
  ax:set { legend = "lower left" }
  self.left_axes = ax
end

local function middle_axes(self, fig)
  local ax = plane(fig, 2)
  self.map = ax:heatmap { z = { { 0, 1 }, { 1, 0 } }, extent = EXTENT, cmap = "lab",
    norm = "quantile", interp = "bilinear" }
  ax:colorbar(self.map, { label = "" })
  self.middle = ax:scatter { x = {}, y = {}, marker = "triangle", size = 5, color = COLORS.latents,
    alpha = 0.9 }
  self.path = ax:line { x = { 0, 0 }, y = { 0, 0 }, color = COLORS.straight, dash = "dashed",
    visible = false }
  local arrows = { xy = { { 0, 0 } }, uv = { { 0, 0 } }, scale = 0.22, visible = false }
  local function quiver(color, label)
    arrows.color, arrows.label = color, label
    arrows.width = label == "field" and 1.3 or 1
    return ax:quiver(arrows)
  end
  self.straight = quiver(COLORS.straight, "straight")
  self.field = quiver(COLORS.field, "field")
  self.ways = ax:paths { xy = { { { 0, 0 } }, { { 0, 0 } } }, color = COLORS.straight, fade = false,
    visible = false }
  self.between = ax:scatter { x = { 0 }, y = { 0 }, size = 4, color = COLORS.straight, visible = false }
  self.all_straight, self.all_field = quiver(COLORS.straight, "straight"), quiver(COLORS.field, "field")
  self.all_down = quiver(COLORS.down, "down")
  self.down = ax:arrow { from = { 0, 0 }, to = { 0, 0 }, color = COLORS.down, width = 2.2,
    label = "down the loss", visible = false }
  self.middle_axes = ax
end

local function curve_axes(self, fig)
  local ax = fig:axes { row = 1, col = 3, xlabel = "step", ylabel = "alignment loss",
    y2label = "NLL", legend = "none", ycolor = COLORS.align, y2color = COLORS.nll }
  self.floor = ax:hline { y = 0, color = COLORS.data, dash = "dashed", label = "true data" }
  self.align = ax:line { x = {}, y = {}, color = COLORS.align, label = "alignment loss" }
  self.nll_curve = ax:line { x = {}, y = {}, axis = "y2", color = COLORS.nll, label = "NLL" }
  self.now = ax:vline { x = 0, color = "#999999", visible = false }
  self.curve_axes = ax
end

local function time_axes(self, fig)
  local ax = fig:axes { row = 2, col = 3, xlabel = "t", ylabel = "R(y, t)", xlim = { 0, 1 },
    legend = "none", title = "R over time: the point, true data" }
  self.data_time = ax:line { x = {}, y = {}, color = COLORS.data, dash = "dashed",
    label = "true data" }
  self.point_time = ax:line { x = {}, y = {}, color = COLORS.down, width = 1.6,
    label = "the point" }
  self.time = ax:vline { x = 0.5, color = "#999999", visible = false }
  self.time_axes = ax
end

local function text_axes(self, fig, count)
  local ax = fig:axes { row = 3, colspan = 3, frame = "none", xticks = {}, yticks = {},
    grid = "none", xlim = { 0, 1 }, ylim = { 0, count } }
  self.lines = {}
  for i = 1, count do
    self.lines[i] = ax:text { x = 0, y = count - i + 0.5, text = "", halign = "left",
      valign = "middle", bold = i == 1 }
  end
end

-- Points of a letter, how much larger the page then is, and lines of text.
local LETTERS = { projector = { 13, 1.25, 5 } }

local function new(m)
  plot.colormap("lab", { "#2c4a52", "#5f8a86", "#a9c5b4", "#e3e5cf", "#fbf7ea" })
  local letter, factor, count = table.unpack(LETTERS[plot.theme()] or { 8, 1, 4 })
  local width, square, text = 850 * factor, 152 * factor, 1.7 * count * letter
  local fig = plot.figure { size = { width, 2 * square + text + 4 * letter }, rows = 3, cols = 3,
    widths = { 1.1, 1.1, 0.9 }, heights = { square, square, text } }
  local self = setmetatable({ fig = fig, model = m, kind = "loss", t = 0.5, colors = COLORS,
    columns = math.floor((width - 6 * letter) / (0.54 * letter)) }, View)
  left_axes(self, fig)
  middle_axes(self, fig)
  curve_axes(self, fig)
  time_axes(self, fig)
  text_axes(self, fig, count)
  self:all()
  return self
end

---- parts ----

-- Which map is in the middle, and the time of R(y, t).
function View:choose(kind, t)
  self.kind, self.t = kind or self.kind, t or self.t
  self:title()
end

function View:title()
  local m = self.model
  local steps = m:trained()
  local field = steps == math.huge and "exact field" or ("flow after %d steps"):format(steps)
  self.left_axes:set { title = NAMES.nll(m) .. " of " .. m.target.name }
  self.middle_axes:set { title = NAMES[self.kind](m, self.t) .. ", " .. field }
end

-- The newest maps that the model has; asks for none.
function View:show_maps()
  local m = self.model
  local nll, map = m:known_map "nll", m:known_map(self.kind, self.t)
  if nll then self.nll:set { z = nll.z } end
  if map then
    local s = STYLES[self.kind]
    self.map:set { z = map.z, norm = s.norm, cmap = s.cmap or "lab" }
  end
  self:title()
end

function View:show_data()
  local shown = self.model.data:narrow(1, 1, SHOWN)
  self.data:set { xy = shown }
end

-- Latents: the newest, or those of point `at` of the curves.
function View:show_latents(at)
  local m = self.model
  local y = at and m.history[at] or m.y:detach()
  self.left:set { xy = y }
  self.middle:set { xy = y }
end

-- How far a curve goes above and below the level of true data.  The first fall from the
-- noise would hide the rest.
local function reach(values, level)
  local up, down = 0, 0
  for i = math.min(#values // 10, 10) + 1, #values do
    up, down = math.max(up, values[i] - level), math.max(down, level - values[i])
  end
  return math.max(up, 1e-2), down
end

-- Both axes have true data at the same height: the share of the axis below is the same.
function View:show_curves(at)
  local m, c = self.model, self.model.curve
  local r = m:numbers(at)
  local n = #c.step
  local function known(list) return table.move(list, 1, n, 1, {}) end   -- a point may be on its way
  local steps, align, nll = known(c.step), known(c.align), known(c.nll)
  self.align:set { x = steps, y = align }
  self.nll_curve:set { x = steps, y = nll }
  local up1, down1 = reach(align, r.floor)
  local up2, down2 = reach(nll, r.data_nll)
  local share = math.min(1.2, math.max(down1 / up1, down2 / up2, 0.15))
  local function limits(level, up, down)
    up = 1.1 * math.max(up, down / share)
    return { level - up * share, level + up }
  end
  self.curve_axes:set { xlim = { 0, math.max(steps[n], 50) },
    ylim = limits(r.floor, up1, down1), y2lim = limits(r.data_nll, up2, down2),
    title = ("dashed: true data, %.2f and %.2f"):format(r.floor, r.data_nll) }
  self.floor:set { y = r.floor }
  self.now:set { x = r.step, visible = at ~= nil and at < n }
  self.numbers = r
end

-- R(y, t) of true data on average: once for each field.
function View:show_times()
  local m = self.model
  if self.times_of ~= m.version then
    local c = m:residuals_of_data()
    self.times_of = m.version
    self.data_time:set { x = c.t, y = c.r }
  end
  self.time:set { x = self.t, visible = self.kind == "residual" }
end

-- What is drawn of the point that one holds; nil: nothing.
function View:show_point(p)
  self.probe = p
  for _, name in ipairs { "path", "straight", "field", "down", "point", "point_time" } do
    self[name]:set { visible = p ~= nil }
  end
  if not p then return end
  self.path:set { x = { p.noise[1], p.x }, y = { p.noise[2], p.y } }
  local straight = {}
  for i = 1, #p.path do straight[i] = p.straight end
  self.straight:set { xy = p.path, uv = straight }
  self.field:set { xy = p.path, uv = p.velocity }
  local g = math.sqrt(p.down[1] ^ 2 + p.down[2] ^ 2)
  local length = g > 0 and math.min(0.8, 0.25 * g) / g or 0
  self.down:set { from = { p.x, p.y },
    to = { p.x + p.down[1] * length, p.y + p.down[2] * length } }
  self.point:set { x = { p.x }, y = { p.y } }
  self.point_time:set { x = p.curve.t, y = p.curve.r }
end

-- The parts of one step (Model:parts), up to the phase that it is in; nil: nothing.
function View:show_parts(parts, phase)
  local function seen(...)
    for i = 1, select("#", ...) do
      if phase == select(i, ...) then return parts ~= nil end
    end
    return false
  end
  local paths, arrows = seen("noise", "compare"), seen("compare", "gradient")
  self.ways:set { visible = paths }
  self.between:set { visible = paths or arrows }
  self.all_straight:set { visible = arrows }
  self.all_field:set { visible = arrows }
  self.all_down:set { visible = seen("gradient", "move") }
  if not parts then return end
  self.ways:set { xy = tide.tensor.stack { parts.noise, parts.latents } }
  self.middle:set { xy = parts.latents }
  self.between:set { xy = parts.z }
  self.all_straight:set { xy = parts.z, uv = parts.straight }
  self.all_field:set { xy = parts.z, uv = parts.field }
  local longest = parts.down:square():sum(2):max():item() ^ 0.5
  self.all_down:set { xy = parts.latents, uv = parts.down, scale = 0.6 / math.max(longest, 1e-6) }
end

-- Text in lines of so many letters, at spaces.
local function wrap(text, columns, lines)
  local line = ""
  for word in text:gmatch "%S+" do
    if line ~= "" and utf8.len(line) + 1 + utf8.len(word) > columns then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  if line ~= "" then lines[#lines + 1] = line end
end

function View:show_words(note)
  local list, lines = words.of(self.model, self.kind, self.t, self.numbers, self.probe, note), {}
  for i = 1, 3 do wrap(list[i] or "", self.columns, lines) end
  for i, line in ipairs(self.lines) do line:set { text = lines[i] or "" } end
  self.said = list
end

-- Everything that is there already; maps that are not are computed coarsely.
function View:all()
  local m = self.model
  m:map("nll", 32)
  m:map(self.kind, 32, self.t)
  if self.kind == "bound" then m:map("log_p", 32) end
  self:show_maps()
  self:show_data()
  self:show_latents()
  self:show_curves()
  self:show_times()
  self:show_point(self.probe and m:probe(self.probe.x, self.probe.y, self.probe.noise))
  self:show_words()
end

-- Both maps as fine as a printed picture wants them, and all the rest.
function View:finish(n)
  self.model:map("nll", n)
  self.model:map(self.kind, n, self.t)
  if self.kind == "bound" then self.model:map("log_p", n) end
  self:all()
  return self
end

return { new = new }
