-- window.lua -- what a person does with the lab: controls below the picture, a latent and a
-- noise point that are dragged, a time, a player with recorded steps.
--
-- The player's job moves latents; a second job computes maps, coarse ones first; a third
-- trains the flow. All of them make way for what the person does.

local tide = require "tide"
local plot = require "tide.plot"
local model = require "tide.lab.model"
local targets = require "tide.lab.target"
local job = require "tide.job"

local Window = {}
Window.__index = Window

local FINENESS = { 32, 64, 96 }       -- cells of a map's side, one after the other;
local PLAYING = 64                    -- at most so many while latents move
local PRINTED = 128                   -- and in a file
local REST = 0.1                      -- seconds between looks at the dragged latent in a run
local WORDS = 0.25                    -- and between changes of the sentences
local SPAN = 0.01                     -- least difference of the times of the loss
local L = model.limit

-- The maps of model.kinds as the menu calls them.
local MAPS = { "loss in use", "NLL", "L(y)", "C", "C - L", "log p", "R(y, t)" }

---- jobs ----

-- Maps that are to be seen, as fine as there is time for.
local function paint(self)
  local m, v = self.model, self.view
  self.painting = coroutine.running()
  for _, n in ipairs(FINENESS) do
    while n > PLAYING and self.player.playing do job.nap(REST) end
    m:map("nll", n)
    m:map(v.kind, n, v.t)
    if v.kind == "bound" then m:map("log_p", n) end
    v:show_maps()
    if n == FINENESS[1] then v:show_times() end
    tide.yield()
  end
  v:show_words(self.caption)
end

function Window:repaint()
  if self.painter then self.painter:cancel() end
  self.painted = self.model:map_key(self.view.kind, self.view.t)
  self.painter = tide.spawn(function() paint(self) end, { name = "map" })
end

-- Trains the flow if that is to be done; what it has learned so far is shown.
function Window:train()
  if self.trainer then self.trainer:cancel() end
  self.trainer = nil
  local m = self.model
  if select(2, m:trained()) then return end
  self.trainer = tide.spawn(function()
    m:train(function(steps)
      self.caption = steps < m.o.flow_steps
        and ("The flow is being trained: %d of %d steps. The map shows what it knows so far.")
          :format(steps, m.o.flow_steps) or nil
      self:repaint()
    end)
    self.trainer = nil
  end, { name = "flow" })
end

---- the latent that is dragged ----

-- Puts latent 1 where the handle is, but not in the middle of a step.
local function place(self, x, y)
  local m = self.model
  self.late = self.stepping
  if self.stepping then return end
  local moved = m.y:detach():clone()
  moved:narrow(1, 1, 1):copy_(tide.tensor.from { { x, y } })
  tide.no_grad(function() m.y:copy_(moved) end)
end

function Window:look()
  local m = self.model
  local x, y = self.handle:get()
  local a, b = self.noise:get()
  self.view:show_point(m:probe(x, y, { a, b }))
  self.looked = tide.clock()
end

-- Latents as they are; the handle is where its latent is, unless it is held.
local function follow(self)
  local m = self.model
  if self.held then place(self, self.handle:get())
  else self.handle:set { x = m.y:get(1, 1), y = m.y:get(1, 2) } end
end

local function handles(self)
  local v = self.view
  local range = { -L, L, -L, L }
  self.handle = v.middle_axes:handle { kind = "point", x = 0, y = 0, limits = range, name = "latent",
    color = v.colors.down, size = 11, label = "drag me" }
  self.noise = v.middle_axes:handle { kind = "point", x = self.model.noise:get(1, 1),
    y = self.model.noise:get(1, 2), limits = range, name = "noise", color = v.colors.straight, size = 7 }
  self.time = v.time_axes:handle { kind = "x", x = v.t, limits = { 0, 1 }, name = "t",
    color = "#777777" }
  local function dragged(x, y)
    place(self, x, y)
    v:show_latents()
    self:look()
    v:show_words(self.caption)
  end
  self.handle:on("press", function()
    self.held = true
    self.handle:set { label = false }
  end)
  self.handle:on("drag", dragged)
  self.handle:on("release", function(x, y)
    dragged(x, y)
    self.held = false
  end)
  self.noise:on("drag", function() self:look() end)
  self.time:on("drag", function(t)
    if math.abs(t - v.t) < 1e-6 then return end
    v:choose(nil, t)
    if v.kind ~= "residual" then self.controls:set("map", "R(y, t)") end
    self.model:map("residual", FINENESS[1], t)
    v:show_maps()
    v:show_times()
  end)
  self.time:on("release", function() self:repaint() end)
end

---- a drawn target ----

local CELLS = 40

-- The painted cells as points, with how much each counts.
local function take_drawing(self)
  local ink = self.brush:ink()
  local points, weights = {}, {}
  for i, row in ipairs(ink:totable()) do
    for j, w in ipairs(row) do
      if w > 0.05 then
        points[#points + 1] = { (j - 0.5) * 2 * L / CELLS - L, (i - 0.5) * 2 * L / CELLS - L }
        weights[#weights + 1] = w
      end
    end
  end
  if #points == 0 then return end
  self.points = tide.tensor.from(points)
  self.weights = tide.tensor.from(weights, { dtype = "f64" })
  self.player:_wish "reset"
end

local function make_brush(self)
  self.brush = self.view.left_axes:brush { extent = { -L, L, -L, L }, n = CELLS, size = 0.4,
    color = self.view.colors.data, visible = false }
  self.brush:on("release", function() take_drawing(self) end)
  self.controls:on("clear", function() self.brush:clear() end)
end

-- The brush is there for the target that is drawn.
local function show_brush(self)
  local on = self.controls.target == "draw"
  self.brush:set { visible = on }
  self.controls:change("clear", { hide = not on })
  self.caption = on and not self.points and
    "Paint data into the left picture: the button of the mouse held down." or nil
end

---- controls ----

local function map_of(name)
  for i, n in ipairs(MAPS) do
    if n == name then return model.kinds[i] end
  end
end

local function map_name(kind)
  for i, k in ipairs(model.kinds) do
    if k == kind then return MAPS[i] end
  end
end

-- The options of the model that the controls say.
local function wanted(self, c)
  local o = { target = c.target, loss = c.loss, lr = c.lr, draws = c.draws, seed = c.seed,
    from = math.min(c.from, c.to - SPAN), to = c.to }
  local steps = math.tointeger(tonumber(c.field:match "%d+"))
  o.field, o.flow_steps = steps and "trained" or "exact", steps
  if o.target == "draw" and not self.points then o.target = self.model.o.target end
  if o.target == "draw" then o.points, o.weights = self.points, self.weights end
  return o
end

local function field_name(o)
  return o.field == "exact" and "exact field" or ("flow, %d steps"):format(o.flow_steps)
end

local function make_controls(self)
  local o, names = self.model.o, { table.unpack(targets.names) }
  names[#names + 1] = "draw"
  local fields = { "exact field" }
  for i, s in ipairs(model.stages) do fields[i + 1] = ("flow, %d steps"):format(s) end
  self.controls = self.fig:controls {
    { name = "target", choices = names, value = o.target, live = false },
    { name = "field", choices = fields, value = field_name(o), live = false },
    { name = "loss", choices = model.losses, value = o.loss },
    { name = "map", choices = MAPS, value = map_name(self.view.kind), label = "map, keys 1 to 7",
      keys = true },
    { name = "lr", math.min(1e-3, o.lr), math.max(0.2, o.lr), value = o.lr, log = true,
      label = "learning rate", format = "%.3f" },
    { name = "from", 0, 0.99, value = math.min(o.from, 0.99), label = "times from",
      format = "%.2f" },
    { name = "to", 0.01, 1, value = o.to, label = "times to", format = "%.2f" },
    { name = "draws", 1, 64, value = o.draws, integer = true, log = true, label = "draws per step" },
    { name = "pace", 5, 500, value = 40, integer = true, log = true, label = "steps per second" },
    { name = "seed", math.min(1, o.seed), math.max(20, o.seed), value = o.seed,
      integer = true, live = false },
    { name = "clear", label = "clear the drawing", kind = "button", hide = true },
    columns = 5,
  }
  local function live() self:apply() end
  for _, name in ipairs { "loss", "lr", "from", "to", "draws" } do self.controls:on(name, live) end
  self.controls:on("from", function(from, c)
    if c.to < from + SPAN then c.to = math.min(1, from + SPAN) end
  end)
  self.controls:on("to", function(to, c)
    if c.from > to - SPAN then c.from = math.max(0, to - SPAN) end
  end)
  self.controls:on("map", function(name)
    self.view:choose(map_of(name))
    self:repaint()
    self.view:show_words(self.caption)
  end)
end

-- Takes over what the controls say; returns true when the latents started anew.
function Window:apply()
  local before = self.model.version
  local fresh = self.model:set(wanted(self, self.controls))
  if self.model.version ~= before and not fresh then
    self:look()
    self:repaint()
    self.view:show_words(self.caption)
  end
  return fresh
end

---- the player ----

local PHASES = { "noise", "compare", "gradient", "move",
  noise = "A time and a noise point are drawn for each latent; dots lie between them.",
  compare = "There the frozen field says black, the straight velocity is orange: the loss is the " ..
    "difference, squared.",
  gradient = "How the loss falls when a latent moves: pink, the longest the same in each step.",
  move = "All latents have moved a little that way." }
local PARTS = 14                      -- latents that are shown then

-- Slow motion, and the key for a phase: what a step is made of, for some latents.
local function by_phases(self)
  if not self.player.by_phase then return end
  self.parts = self.model:parts(math.min(PARTS, self.model.o.latents))
  for _, name in ipairs { "noise", "compare", "gradient" } do self.player:note(name, PHASES[name]) end
end

local function step(self)
  while self.trainer do self.trainer:wait() end
  self.handle:set { label = false }
  if self.model.o.loss == "excess" and not self.model.critic then
    self.caption = "The second flow learns where the latents are, before they move."
    self.view:show_words(self.caption)
  end
  by_phases(self)
  self.stepping = true
  self.model:step()
  self.stepping, self.caption = false, nil
  if self.parts then self.player:note("move", PHASES.move) end
  self.parts = nil
  if self.player.playing and not self.player.slow then
    local now = tide.clock()
    self.next = math.max((self.next or now) + 1 / self.controls.pace, now)
    if self.next > now then job.nap(self.next - now) end
  end
  if self.held or self.late then place(self, self.handle:get()) end
end

local function draw(self)
  local m, v = self.model, self.view
  follow(self)
  v:show_latents()
  local run = self.player
  v:show_parts(self.parts, self.parts and PHASES[run.phase])
  local now = tide.clock()
  if self.parts then v:show_point(nil)
  elseif now - (self.looked or 0) > REST or not run.playing then self:look() end
  if self.curves ~= m.curve or self.points_seen ~= #m.curve.step then v:show_curves() end
  self.curves, self.points_seen = m.curve, #m.curve.step
  if now - (self.said or 0) > WORDS or not run.playing then
    v:show_words(self.caption)
    self.said = now
  end
  if m:map_key(v.kind, v.t) ~= self.painted then self:repaint() end
end

local function reset(self)
  if not self:apply() then self.model:reset() end
  self.held, self.late, self.stepping, self.parts = false, false, false, nil
  show_brush(self)
  self:train()
  self.view:show_data()
  self:repaint()
end

local function make_player(self)
  self.player = { playing = false }              -- until it is there
  self.player = plot.player { fig = self.fig, seed = self.model.o.seed, name = "latents",
    reset = function() reset(self) end, step = function() step(self) end,
    draw = function() draw(self) end, phases = { table.unpack(PHASES) }, record = { every = 5, keep = 400 } }
end

---- the window ----

-- A lab over a view: a window when it is shown.
local function new(view)
  local self = setmetatable({ view = view, fig = view.fig, model = view.model,
    points = view.model.o.points }, Window)
  -- maps make way for latents that move
  self.model.rest = function()
    if self.painting == coroutine.running() and self.player.playing then job.nap(0.01)
    else tide.yield() end
  end
  make_controls(self)
  make_brush(self)
  handles(self)
  make_player(self)
  return self
end

function Window:show()
  self.fig:show()
  return self
end

-- Draws it into a file, with fine maps; with { point = false } without the latent that
-- can be dragged.
function Window:save(path, o)
  local point = tide.options("lab:save", o, { point = true }).point
  if self.painter then self.painter:cancel() end
  if self.trainer then self.trainer:wait() end
  self.view:finish(PRINTED)
  self.said = self.view.said
  for _, h in ipairs { self.handle, self.noise, self.time } do h:set { visible = point, label = false } end
  if not point then self.view:show_point(nil) end
  self.fig:save(path)
  return self
end

return { new = new }
