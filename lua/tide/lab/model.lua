-- model.lua -- the experiment of the lab without any window: a target, a frozen field,
-- latents that move down a loss, and everything that pictures of it need.
--
--   local m = require("tide.lab.model").new { target = "rings", loss = "excess" }
--   for _ = 1, 300 do m:step() end
--   local r = m:numbers()            -- r.align, r.floor, r.nll, r.data_nll ...
--   local map = m:map("nll", 64)     -- map.z (64,64), row = y
--   print(m:explain "nll")
--
-- Whatever is drawn at random comes from streams of the model's own, so the same options
-- give the same numbers, however the work is cut into pieces.

local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local targets = require "tide.lab.target"
local groups_of = require("tide.flow.loss").group_count

local Model = {}
Model.__index = Model

local M = {
  limit = 2.5,                        -- pictures show [-limit, limit]^2
  losses = { "align", "likelihood", "excess" },
  fields = { "exact", "trained" },
  stages = { 10, 30, 100, 300, 1000, 3000 },      -- steps at which a flow is kept
  defaults = { target = "mog", field = "exact", steps = 1000, loss = "align", lr = 0.02,
               from = 0, to = 1, draws = 4, latents = 300, seed = 1 },
}

local DATA = 1000                     -- points of the target that latents are held against
local PAIRS = 24                      -- (t, noise) and (t, -noise) for each cell of a map
local EVERY = 5                       -- steps between points of the curves
local WIDTH, BLOCKS, RATE = 64, 2, 2e-3           -- of the flow, and of the second one
local WARM = 300                      -- steps of a second flow that starts from nothing
local CLIP = 20                       -- of the weight t/(1-t), as in flow.align
local ROWS = 4096                     -- points of a map at a time

---- options ----

local function one_of(name, value, list)
  for _, v in ipairs(list) do
    if v == value then return end
  end
  local near = type(value) == "string" and type(list[1]) == "string" and tide.nearest(value, list)
  tide.raise(("lab: %s is one of %s, not %s%s"):format(name, table.concat(list, ", "),
    tostring(value), near and ("; did you mean '%s'?"):format(near) or ""))
end

local function number(name, value, least, most, whole)
  if type(value) ~= "number" or not (value >= least and value <= most)
     or whole and math.type(value) ~= "integer" then
    tide.raise(("lab: %s is a %snumber from %g to %g, not %s"):format(name,
      whole and "whole " or "", least, most, tostring(value)))
  end
end

local function check(o)
  one_of("field", o.field, M.fields)
  one_of("loss", o.loss, M.losses)
  one_of("steps", o.steps, M.stages)
  number("lr", o.lr, 1e-4, 1)
  number("from", o.from, 0, 1)
  number("to", o.to, 0, 1)
  if o.to - o.from < 0.01 then
    tide.raise(("lab: times go from %g to %g; `to` must be larger by 0.01"):format(o.from, o.to))
  end
  number("draws", o.draws, 1, 64, true)
  number("latents", o.latents, 10, 5000, true)
  number("seed", o.seed, 0, 2 ^ 31, true)
end

-- What begins anew when an option changes; the others take effect in the next step.
local RESETS = { target = true, points = true, width = true, field = true, steps = true,
                 latents = true, seed = true }

---- random streams and draws ----

local STREAMS = { start = 1, steps = 2, map = 3, data = 4, flow = 5, critic = 6, probe = 7,
                  noise = 8 }

function Model:generator(name)
  return tide.generator(self.o.seed * 16 + STREAMS[name])
end

-- n pairs (t, x0), (t, -x0) with times in the middle of n parts of [from, to], or all
-- equal to `from` without `to`.  The signs cancel what would tilt a map.
local function pairs_of(generator, n, from, to)
  local x = tensor.randn(n, 2, { generator = generator })
  local list = {}
  for i = 1, n do
    local t = to and from + (to - from) * (i - 0.5) / n or from
    local x0 = x:narrow(1, i, 1)
    list[2 * i - 1], list[2 * i] = { t = t, x0 = x0 }, { t = t, x0 = -x0 }
  end
  list.span = to and to - from or 1
  return list
end

local function weight(t)
  return math.min(t / math.max(1 - t, 1e-9), CLIP)
end

---- a model ----

function M.new(options)
  local given = {}
  for k, v in pairs(M.defaults) do given[k] = v end
  local spec = { "points", "width", table.unpack {} }
  for k, v in pairs(M.defaults) do spec[k] = v end
  local o = tide.options("lab", options, spec)
  check(o)
  local self = setmetatable({ o = o, flows = {}, maps = {}, version = 0 }, Model)
  self:build()
  return self
end

function Model:build()
  local o = self.o
  self.target = targets.make(o.target, o.points, o.width)
  self.data = self.target:sample(DATA, { generator = self:generator "data" })
  self.data_nll = self.target:nll(self.data):mean():item()
  self.even = pairs_of(self:generator "map", PAIRS, 0, 1)
  self.noise = tensor.randn(1, 2, { generator = self:generator "noise" })
  self:reset()
end

-- Latents back to the noise they start from: that of the seed.
function Model:reset()
  local o = self.o
  self.y = tensor.randn(o.latents, 2, { generator = self:generator "start" }):requires_grad_()
  self.optimizer = tide.optim.Adam({ self.y }, { lr = o.lr })
  self.stream = self:generator "steps"
  self.steps, self.update, self.critic = 0, nil, nil
  self.curve = { step = {}, align = {}, nll = {} }
  self.history = {}
  self.floor = nil
  self:forget()
end

-- Another field, or another loss: maps are to be computed anew.
function Model:forget()
  self.version, self.maps, self.floor = self.version + 1, {}, nil
end

-- Changes options.  Returns true when the latents started anew.
function Model:set(changes)
  local o, fresh, live = {}, false, false
  for k, v in pairs(self.o) do o[k] = v end
  for k, v in pairs(changes) do
    if M.defaults[k] == nil and k ~= "points" and k ~= "width" then
      local near = tide.nearest(tostring(k), { "target", "points", "width", "field", "steps", "loss",
        "lr", "from", "to", "draws", "latents", "seed" })
      tide.raise(("lab: unknown option '%s'%s"):format(tostring(k),
        near and ("; did you mean '%s'?"):format(near) or ""))
    end
    if o[k] ~= v then
      o[k] = v
      if RESETS[k] then fresh = true else live = true end
    end
  end
  check(o)
  if o.target == "draw" and not o.points then targets.make "draw" end   -- raises
  local old = self.o
  self.o = o
  if fresh then
    self:build()
  elseif live then
    self.update = nil
    self.optimizer.lr = o.lr
    if o.loss ~= old.loss then self.critic = nil end
    if o.loss ~= old.loss or o.from ~= old.from or o.to ~= old.to then
      self.version, self.maps = self.version + 1, {}
    end
  end
  return fresh
end

---- the field ----

-- The flow of this target and seed: how far it is trained, and what was kept of it.
function Model:flow_of()
  local key = self.target.key .. " " .. self.o.seed
  local f = self.flows[key]
  if not f then
    f = { steps = 0, kept = {}, stream = self:generator "flow" }
    f.stream:run(function()
      f.net = flow.VelocityMLP { dim = 2, hidden = WIDTH, blocks = BLOCKS }
    end)
    f.kept[0] = f.net:clone():freeze()
    self.flows[key] = f
  end
  return f
end

-- Trains the flow up to the steps asked for; what was trained before stays.  In a job it
-- makes way for others.  tick(steps) is called whenever there is a better field.
function Model:train(tick)
  if self.o.field ~= "trained" then return end
  local f, last = self:flow_of(), self.o.steps
  for _, stage in ipairs(M.stages) do
    if stage > last then break end
    if stage > f.steps then
      f.stream:run(function()
        f.run = flow.train(f.net, self.target, { steps = stage - f.steps, lr = RATE,
          resume = f.run, label = "flow" })
      end)
      f.steps = stage
      f.kept[stage] = f.net:clone():freeze()
      if self:flow_of() == f then self:forget() end
      if tick then tick(stage) end
    end
  end
end

-- Steps of training behind the field that is used, and whether that is all of them.
function Model:trained()
  if self.o.field == "exact" then return math.huge, true end
  local f, best = self:flow_of(), 0
  for stage in pairs(f.kept) do
    if stage <= self.o.steps and stage > best then best = stage end
  end
  return best, best == self.o.steps
end

-- The frozen field v(z, t).
function Model:field()
  if self.o.field == "exact" then return self.target.field end
  return self:flow_of().kept[(self:trained())]
end

---- the loss ----

-- |v(z_t, t) - (y - x0)|^2 at one draw (t, x0), for every row of y.
local function residual(v, y, draw)
  return flow.residual(v, y, { t = draw.t, x0 = draw.x0:expand(y.shape) })
end

-- The loss in use of each row of y, by the given draws.
local function loss_of(self, y, draws, kind)
  local v, sum = self:field(), nil
  for _, d in ipairs(draws) do
    local r = residual(v, y, d)
    if kind == "likelihood" then r = r * weight(d.t) end
    if kind == "excess" and self.critic then r = r - residual(self.critic, y, d) end
    sum = sum and sum + r or r
    tide.yield()
  end
  return sum * (draws.span / #draws)
end

-- The objective of one step: the mean over latents, with draws of their own.
local function objective(self)
  local o, v, critic, y = self.o, self:field(), self.critic, self.y
  local n = o.latents * o.draws
  local g = groups_of(n)
  local rows = y:unsqueeze(1):expand(o.draws, o.latents, 2):reshape(n, 2)
  local t = (tensor.rand(g) + tensor.arange(0, g - 1)) * ((o.to - o.from) / g) + o.from
  local draw = { t = t, x0 = tensor.randn(n, 2), groups = g }
  local r, used = flow.residual(v, rows, draw)
  if critic then r = r - flow.residual(critic, rows, draw) end
  if o.loss == "likelihood" then
    local w = used.t / (1 - used.t):clamp { min = 1e-9 }
    r = r * w:clamp { max = CLIP }
  end
  return r:mean() * (o.to - o.from)
end

-- The second flow of the excess.  It starts from the flow, or, beside an exact field,
-- from nothing, and then learns the latents as they are before they move.
local function make_critic(self)
  local generator, made = self:generator "critic", nil
  generator:run(function()
    local net = self.o.field == "exact"
      and flow.VelocityMLP { dim = 2, hidden = WIDTH, blocks = BLOCKS } or nil
    made = flow.critic(self:field(), { net = net, lr = net and RATE or 1e-3 })
    if not net then return end
    local learn = tide.capture(function(y) return made:update(y) end, { fallback = true })
    for i = 1, WARM do
      learn(self.y:detach())
      self.warming = i / WARM
      tide.yield()
    end
  end)
  self.warming = nil
  return made
end

-- One update of the latents.
function Model:step()
  if self.steps == 0 then self:record() end
  if self.o.loss == "excess" and not self.critic then self.critic = make_critic(self) end
  self.update = self.update or tide.capture(function()
    if self.critic then self.critic:update(self.y) end
    local value = objective(self)
    self.optimizer:zero_grad()
    value:backward()
    self.optimizer:step()
    return value:detach()
  end, { fallback = true })
  self.stream:run(function() self.update() end)
  self.steps = self.steps + 1
  if self.steps % EVERY == 0 then self:record() end
end

---- curves ----

-- A point of the curves.  The alignment loss is that of all times whatever the loss in
-- use, on draws that stay the same, so that it can be held against the floor.
function Model:record()
  local y = self.y:detach()
  local c = self.curve
  if c.step[#c.step] == self.steps then return end
  c.step[#c.step + 1] = self.steps
  c.nll[#c.nll + 1] = tide.no_grad(function() return self.target:nll(y):mean():item() end)
  c.align[#c.align + 1] = tide.no_grad(function()
    return loss_of(self, y, self.even):mean():item()
  end)
  self.history[#self.history + 1] = y:clone()
end

-- What latents amount to, beside true data: the newest, or those of a point of the curves.
function Model:numbers(at)
  self:record()
  at = at or #self.history
  local y, c = self.history[at], self.curve
  return tide.no_grad(function()
    self.floor = self.floor or loss_of(self, self.data, self.even):mean():item()
    local r = { step = c.step[at], align = c.align[at], nll = c.nll[at],
                floor = self.floor, data_nll = self.data_nll }
    if self.target.modes then
      r.spread = tide.metrics.modes(y, self.target.modes).within_std / self.target.std
    end
    r.distance = tide.metrics.sliced_wasserstein(y, self.data, {
      generator = self:generator "probe" })
    return r
  end)
end

---- maps ----

local kinds = {}

function kinds.nll(self, p) return self.target:nll(p) end
function kinds.loss(self, p)
  return loss_of(self, p, pairs_of(self:generator "map", PAIRS, self.o.from, self.o.to),
                 self.o.loss)
end
function kinds.align(self, p) return loss_of(self, p, self.even) end
function kinds.residual(self, p, t)
  return loss_of(self, p, pairs_of(self:generator "map", PAIRS, t))
end

-- C(y) = -E div v on the paths that end at y (eq. 6), over all times.
function kinds.C(self, p)
  local v, sum = self:field(), nil
  for _, d in ipairs(self.even) do
    local div = flow.divergence(v, (1 - d.t) * d.x0 + p * d.t, d.t)
    sum = sum and sum + div or div
    tide.yield()
  end
  return sum * (-1 / #self.even)
end
function kinds.bound(self, p) return kinds.C(self, p) - kinds.align(self, p) end

-- log p of the field: in closed form for an exact one, else along its ODE.
function kinds.log_p(self, p)
  if self.o.field == "exact" then return self.target.field:log_prob(p) end
  return (flow.log_likelihood(self:field(), p, { steps = 20 }))
end

M.kinds = { "loss", "nll", "align", "C", "bound", "log_p", "residual" }

-- Does a map change with the field?  With the loss, or as the latents move?
local function map_key(self, kind, t)
  if kind == "residual" then return ("residual %.3f"):format(t) end
  if kind == "loss" and self.o.loss == "excess" then
    return ("excess %d"):format(self.critic and self.steps // 100 or -1)
  end
  return kind
end

-- Values of a map at points (B,2).
function Model:values(kind, points, t)
  local f = kinds[kind] or one_of("map", kind, M.kinds)
  return tide.no_grad(function() return f(self, points, t or 0.5):detach() end)
end

-- The map of n x n cells: {z = (n,n) with row = y, n =, kind =, points =}.
-- One that was computed before, as fine or finer, is returned again.
function Model:map(kind, n, t)
  one_of("map", kind, M.kinds)
  t = t or 0.5
  local key = map_key(self, kind, t)
  local known, version = self.maps[key], self.version
  if known and known.n >= n then return known end
  local side = (tensor.arange(1, n) - 0.5) * (2 * M.limit / n) - M.limit
  local points = tensor.stack({ side:unsqueeze(1):expand(n, n):flatten(),
                                side:unsqueeze(2):expand(n, n):flatten() }, 2)
  local parts = {}
  for from = 1, n * n, ROWS do
    local count = math.min(ROWS, n * n - from + 1)
    parts[#parts + 1] = self:values(kind, points:narrow(1, from, count), t)
  end
  local map = { kind = kind, n = n, t = t, points = points,
                z = tensor.cat(parts):reshape(n, n) }
  if self.version == version then self.maps[key] = map end
  return map
end

-- A map that is there already, at any fineness.
function Model:known_map(kind, t)
  return self.maps[map_key(self, kind, t or 0.5)]
end

---- one latent ----

-- Everything there is to know of a point (x, y), on the path to it from a noise point:
-- its loss in use, the way down, R(y, t), and the field beside the straight velocity.
function Model:probe(x, y, noise)
  local point = tensor.from { { x, y } }
  local o, v = self.o, self:field()
  local x0 = noise and tensor.from { { noise[1], noise[2] } } or self.noise
  local out = { x = x, y = y, noise = { x0:get(1, 1), x0:get(1, 2) } }
  local draws = pairs_of(self:generator "map", PAIRS, o.from, o.to)
  tide.enable_grad(function()
    local p = point:clone():requires_grad_()
    local value = loss_of(self, p, draws, o.loss):sum()
    value:backward()
    out.loss = value:item()
    out.down = { -p.grad:get(1, 1), -p.grad:get(1, 2) }
  end)
  tide.no_grad(function()
    local n = 7
    local t = tensor.linspace(0.08, 0.92, n)
    local z = x0 * (1 - t):unsqueeze(2) + point * t:unsqueeze(2)
    out.t, out.path, out.velocity = t:totable(), z:totable(), v(z, t):totable()
    out.straight = { x - out.noise[1], y - out.noise[2] }
    out.curve = self:residuals(point)
    out.nll = self.target:nll(point):item()
  end)
  return out
end

local TIMES = 33

-- R(y, t) on times from 0 to 1, for one point, averaged over noise.
function Model:residuals(point)
  local n = 2 * PAIRS * 2
  local half = tensor.randn(n // 2, 2, { generator = self:generator "map" })
  local noise = tensor.cat { half, -half }
  local t = tensor.linspace(0.005, 0.995, TIMES)
  local rows = point:expand(TIMES * n, 2)
  local x0 = noise:unsqueeze(1):expand(TIMES, n, 2):reshape(TIMES * n, 2)
  local r = flow.residual(self:field(), rows, { t = t, x0 = x0, groups = TIMES })
  return { t = t:totable(), r = r:reshape(TIMES, n):mean(2):totable() }
end

M.Model = Model
return M
