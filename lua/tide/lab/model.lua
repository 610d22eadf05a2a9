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
  defaults = { target = "mog", field = "exact", flow_steps = 1000, loss = "align", lr = 0.02,
               from = 0, to = 1, draws = 4, latents = 300, seed = 1 },
}

local DATA = 1000                     -- points of the target that latents are held against
local PAIRS = 64                      -- (t, noise) and (t, -noise) for each cell of a map,
local FEW, COARSE = 16, 32            -- and of one with at most COARSE x COARSE cells
local COPIES = 32                     -- draws for each latent in the curves
local EVERY = 5                       -- steps between points of the curves
local WIDTH, BLOCKS, RATE = 64, 2, 2e-3           -- of the flow, and of the second one
local WARM = 300                      -- steps of a second flow that starts from nothing
local CLIP = 20                       -- of the weight t/(1-t), as in flow.align
local ROWS = 1024                     -- points of a map at a time

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
  one_of("flow_steps", o.flow_steps, M.stages)
  number("lr", o.lr, 1e-4, 1)
  number("from", o.from, 0, 1)
  number("to", o.to, 0, 1)
  if o.to - o.from < 0.0099 then
    tide.raise(("lab: times go from %g to %g; `to` must be larger by 0.01"):format(o.from, o.to))
  end
  number("draws", o.draws, 1, 64, true)
  number("latents", o.latents, 10, 5000, true)
  number("seed", o.seed, 0, 2 ^ 31, true)
end

-- What begins anew when an option changes; the others take effect in the next step.
local RESETS = { target = true, points = true, width = true, weights = true, field = true, flow_steps = true,
                 latents = true, seed = true }

---- random streams and draws ----

local STREAMS = { start = 1, steps = 2, data = 3, flow = 4, critic = 5, measures = 6,
                  parts = 7 }

function Model:generator(name)
  return tide.generator(self.o.seed * 16 + STREAMS[name])
end

-- Times and noise of n rows, G times in groups of equal size, spread evenly over [from, to]
-- and over the normal distribution instead of drawn (Roberts' R2 sequence, and Box and
-- Muller's map), so that few of them give a smooth map and a mean with a small error.
local STEP = { 0.7548776662466927, 0.5698402909980532 }

local function even_noise(n)
  local i = tensor.arange(1, n, { dtype = "f64" })
  local r = ((1 - (i * STEP[1] + 0.5) % 1):log() * -2):sqrt()
  local a = ((i * STEP[2] + 0.5) % 1) * (2 * math.pi)
  return tensor.stack({ r * a:cos(), r * a:sin() }, 2):to "f32"
end

local function even_rows(n, groups, from, to)
  local t = (tensor.arange(1, groups) - 0.5) * ((to - from) / groups) + from
  return { t = t, x0 = even_noise(n), groups = groups }
end

-- The same as a list of n pairs (t, x0), (t, -x0) that all points share; the two signs
-- cancel what would tilt a map.  Times go through their parts by a stride that is prime
-- to n, so that early ones have noise of all kinds.  Without `to` all are `from`.
local function pairs_of(n, from, to)
  local list, x = { span = to and to - from or 1 }, even_noise(n)
  for i = 1, n do
    local part = (i * 5 % n + 0.5) / n
    local t = to and from + (to - from) * part or from
    local x0 = x:narrow(1, i, 1)
    list[2 * i - 1], list[2 * i] = { t = t, x0 = x0 }, { t = t, x0 = -x0 }
  end
  return list
end

---- a model ----

function M.new(options)
  local given = {}
  for k, v in pairs(M.defaults) do given[k] = v end
  local spec = { "points", "width", "weights" }
  for k, v in pairs(M.defaults) do spec[k] = v end
  local o = tide.options("lab", options, spec)
  check(o)
  local self = setmetatable({ o = o, flows = {}, maps = {}, version = 0, rest = tide.yield }, Model)
  self:build()
  return self
end

function Model:build()
  local o = self.o
  self.target = targets.make(o.target, o.points, { width = o.width, weights = o.weights })
  self.data = self.target:sample(DATA, { generator = self:generator "data" })
  self.data_nll = self.target:nll(self.data):mean():item()
  self.noise = tensor.from { { -1.6, -1.3 } }        -- that paths are shown from
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
    if M.defaults[k] == nil and not RESETS[k] then
      local near = tide.nearest(tostring(k), { "target", "points", "width", "weights", "field",
        "flow_steps", "loss", "lr", "from", "to", "draws", "latents", "seed" })
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
    f = { key = key, steps = 0, kept = {}, stream = self:generator "flow" }
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
  local f, last = self:flow_of(), self.o.flow_steps
  if f.torn then                      -- a job was cancelled in the middle of a stage
    self.flows[f.key] = nil
    f = self:flow_of()
  end
  for _, stage in ipairs(M.stages) do
    if stage > last then break end
    if stage > f.steps then
      f.torn = true
      f.stream:run(function()
        f.run = flow.train(f.net, self.target, { steps = stage - f.steps, lr = RATE,
          resume = f.run, label = "flow" })
      end)
      f.steps, f.torn = stage, nil
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
    if stage <= self.o.flow_steps and stage > best then best = stage end
  end
  return best, best == self.o.flow_steps
end

-- The frozen field v(z, t).
function Model:field()
  if self.o.field == "exact" then return self.target.field end
  return self:flow_of().kept[(self:trained())]
end

---- the loss ----

-- The residual |v(z_t, t) - (y - x0)|^2 of each row of y as a loss weighs it; draw holds
-- t and x0 as flow.residual takes them.
local function residual(self, y, draw, kind)
  local r, used = flow.residual(self:field(), y, draw)
  if kind == "likelihood" then
    local t = used.t
    if type(t) == "number" then return r * math.min(t / math.max(1 - t, 1e-9), CLIP) end
    return r * (t / (1 - t):clamp { min = 1e-9 }):clamp { max = CLIP }
  elseif kind == "excess" and self.critic then
    return r - flow.residual(self.critic, y, draw)
  end
  return r
end

-- The loss of each row of y by draws that all rows share.
local function loss_of(self, y, draws, kind)
  local sum
  for _, d in ipairs(draws) do
    local r = residual(self, y, { t = d.t, x0 = d.x0:expand(y.shape) }, kind)
    sum = sum and sum + r or r
    self.rest()
  end
  return sum * (draws.span / #draws)
end

-- Rows of y (n,2), k times.
local function copies(y, k)
  local n = y:size(1)
  return y:unsqueeze(1):expand(k, n, 2):reshape(k * n, 2)
end

-- The mean alignment loss over the rows of y, over all times.
local function mean_loss(self, y)
  local n = y:size(1) * COPIES
  return residual(self, copies(y, COPIES), even_rows(n, groups_of(n), 0, 1), "align")
    :mean():item()
end

-- The objective of one step: the mean over latents, with draws of their own.
local function objective(self)
  local o = self.o
  local n = o.latents * o.draws
  local g = groups_of(n)
  local t = (tensor.rand(g) + tensor.arange(0, g - 1)) * ((o.to - o.from) / g) + o.from
  local r = residual(self, copies(self.y, o.draws),
                     { t = t, x0 = tensor.randn(n, 2), groups = g }, o.loss)
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
  local o = self.o
  if o.loss == "excess" and not self.critic then self.critic = make_critic(self) end
  local update = self.update or tide.capture(function()
    if o.loss == "excess" then self.critic:update(self.y) end
    local value = objective(self)
    self.optimizer:zero_grad()
    value:backward()
    self.optimizer:step()
    return value:detach()
  end, { fallback = true })
  self.update = update
  self.stream:run(function() update() end)
  self.steps = self.steps + 1
  if self.steps % EVERY == 0 then self:record() end
end

-- What a step does, for the first k latents and one draw each: noise x0, the point z on
-- the way, the field and the straight velocity there, and the way down.
function Model:parts(k)
  local o = self.o
  local y = self.y:detach():narrow(1, 1, k):clone()
  local t, x0
  self:generator("parts"):run(function()
    tensor.rand(1 + self.steps)                   -- other draws in each step
    t, x0 = tensor.rand(k) * (o.to - o.from) + o.from, tensor.randn(k, 2)
  end)
  local column = t:unsqueeze(2)
  local z = x0 * (1 - column) + y * column
  local part = { noise = x0, latents = y, z = z, straight = y - x0 }
  tide.no_grad(function() part.field = self:field()(z, t) end)
  tide.enable_grad(function()
    local p = y:clone():requires_grad_()
    residual(self, p, { t = t, x0 = x0 }, o.loss):sum():backward()
    part.down = -p.grad
  end)
  return part
end

---- curves ----

-- A point of the curves.  The alignment loss is that of all times whatever the loss in
-- use, on draws that stay the same, so that it can be held against the floor.
function Model:record()
  local y = self.y:detach()
  local c = self.curve
  if c.step[#c.step] == self.steps then return end
  local n = #c.step + 1
  local nll = tide.no_grad(function() return self.target:nll(y):mean():item() end)
  local align = tide.no_grad(mean_loss, self, y)
  self.history[n], c.nll[n], c.align[n] = y:clone(), nll, align
  c.step[n] = self.steps                -- last: others look while this is computed
end

-- What latents amount to, beside true data: the newest, or those of a point of the curves.
function Model:numbers(at)
  self:record()
  at = at or #self.curve.step
  local y, c = self.history[at], self.curve
  return tide.no_grad(function()
    self.floor = self.floor or mean_loss(self, self.data)
    local r = { step = c.step[at], align = c.align[at], nll = c.nll[at],
                floor = self.floor, data_nll = self.data_nll }
    if self.target.modes then
      r.spread = tide.metrics.modes(y, self.target.modes).within_std / self.target.std
    end
    r.distance = tide.metrics.sliced_wasserstein(y, self.data, {
      generator = self:generator "measures" })
    return r
  end)
end

---- maps ----

local kinds = {}

function kinds.nll(self, p) return self.target:nll(p) end
function kinds.loss(self, p, n)
  return loss_of(self, p, pairs_of(n, self.o.from, self.o.to), self.o.loss)
end
function kinds.align(self, p, n) return loss_of(self, p, pairs_of(n, 0, 1)) end
function kinds.residual(self, p, n, t) return loss_of(self, p, pairs_of(n, t)) end

-- C(y) = -E div v on the paths that end at y (eq. 6), over all times.
function kinds.C(self, p, n)
  local v, sum = self:field(), nil
  for _, d in ipairs(pairs_of(n, 0, 1)) do
    local div = flow.divergence(v, d.x0 * (1 - d.t) + p * d.t, d.t)
    sum = sum and sum + div or div
    self.rest()
  end
  return sum / (-2 * n)
end
function kinds.bound(self, p, n) return kinds.C(self, p, n) - kinds.align(self, p, n) end

-- log p of the field: in closed form for an exact one, else along its ODE.
function kinds.log_p(self, p)
  if self.o.field == "exact" then return self.target.field:log_prob(p) end
  return (flow.log_likelihood(self:field(), p, { steps = 20 }))
end

M.kinds = { "loss", "nll", "align", "C", "bound", "log_p", "residual" }

-- What a map depends on beside the version of the model: that of the excess changes as
-- the second flow learns.
function Model:map_key(kind, t)
  if kind == "residual" then return ("residual %.3f"):format(t) end
  if kind == "loss" and self.o.loss == "excess" then
    return ("excess %d"):format(self.critic and self.steps // 100 or -1)
  end
  return kind
end

-- Values of a map at points (B,2), with so many pairs of draws.
function Model:values(kind, points, t, pairs)
  local f = kinds[kind] or one_of("map", kind, M.kinds)
  return tide.no_grad(function() return f(self, points, pairs or PAIRS, t or 0.5):detach() end)
end

-- The map of n x n cells: {z = (n,n) with row = y, n =, kind =, points =}.
-- One that was computed before, as fine or finer, is returned again.
function Model:map(kind, n, t)
  one_of("map", kind, M.kinds)
  t = t or 0.5
  local key = self:map_key(kind, t)
  local known, version = self.maps[key], self.version
  if known and known.n >= n then return known end
  local side = (tensor.arange(1, n) - 0.5) * (2 * M.limit / n) - M.limit
  local points = tensor.stack({ side:unsqueeze(1):expand(n, n):flatten(),
                                side:unsqueeze(2):expand(n, n):flatten() }, 2)
  local parts = {}
  for from = 1, n * n, ROWS do
    local count = math.min(ROWS, n * n - from + 1)
    parts[#parts + 1] = self:values(kind, points:narrow(1, from, count), t,
      n <= COARSE and FEW or PAIRS)
  end
  local map = { kind = kind, n = n, t = t, points = points,
                z = tensor.cat(parts):reshape(n, n) }
  if self.version == version then self.maps[key] = map end
  return map
end

-- A map that is there already, at any fineness.
function Model:known_map(kind, t)
  return self.maps[self:map_key(kind, t or 0.5)]
end

---- one latent ----

local ROWS_OF_POINT, TIMES = 512, 33

-- Everything there is to know of a point (x, y), on the path to it from a noise point:
-- its loss in use, the way down, R(y, t), and the field beside the straight velocity.
function Model:probe(x, y, noise)
  local point = tensor.from { { x, y } }
  local o = self.o
  local x0 = noise and tensor.from { { noise[1], noise[2] } } or self.noise
  local out = { x = x, y = y, noise = { x0:get(1, 1), x0:get(1, 2) } }
  tide.enable_grad(function()
    local p = point:clone():requires_grad_()
    local n = ROWS_OF_POINT
    local r = residual(self, p:expand(n, 2), even_rows(n, n // 2, o.from, o.to), o.loss)
    local value = r:mean() * (o.to - o.from)
    value:backward()
    out.loss = value:item()
    out.down = { -p.grad:get(1, 1), -p.grad:get(1, 2) }
  end)
  tide.no_grad(function()
    local t = tensor.linspace(0.08, 0.92, 7)
    local z = x0 * (1 - t):unsqueeze(2) + point * t:unsqueeze(2)
    out.t, out.path, out.velocity = t:totable(), z:totable(), self:field()(z, t):totable()
    out.straight = { x - out.noise[1], y - out.noise[2] }
    out.curve = self:residuals(point)
    out.nll = self.target:nll(point):item()
  end)
  return out
end

-- R(y, t) on times from 0 to 1: of one point (1,2), or on average over the rows of y.
function Model:residuals(y)
  local n = y:size(1)
  local k = math.max(1, 96 // n)
  local t = tensor.linspace(0.005, 0.995, TIMES)
  local x0 = copies(even_noise(n * k), TIMES)
  local r = residual(self, copies(copies(y, k), TIMES), { t = t, x0 = x0, groups = TIMES })
  return { t = t:totable(), r = r:reshape(TIMES, n * k):mean(2):totable() }
end

function Model:residuals_of_data()
  return tide.no_grad(self.residuals, self, self.data:narrow(1, 1, 400))
end

M.Model = Model
return M
