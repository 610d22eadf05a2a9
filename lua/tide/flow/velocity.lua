-- velocity.lua -- flow.VelocityMLP: the velocity field as a residual network
-- whose layers are shifted, scaled and gated by the time (AdaLN).
--
--   c = SiLU(Linear(SiLU(Linear(sinusoid(t)))) + condition)
--   m = parts of Linear(c): shift, scale, gate for each block, then shift, scale
--   h = Linear(z)
--   block: h = h + gate * MLP(LayerNorm(h) (1 + scale) + shift)
--   v = Linear(LayerNorm(h) (1 + scale) + shift)
--
-- after Li, Tian, Li, Deng and He 2024 (arXiv 2406.11838).  Modulations and the
-- output start at zero, and so does the field.  The modulations depend on the time and
-- the condition alone: they are computed for distinct rows of those, one where all
-- points share t.

local tide = require "tide"
local nn = require "tide.nn"
local tensor = tide.tensor
local conditioned = require "tide.nn.conditioned"
local linear = conditioned.linear

local EPS = 1e-6                       -- of the layer norms

---- a block ----

local Block = nn.Module:extend("Block")

function Block:init(width, act, spec)
  local xavier = nn.init.xavier_uniform_
  self.norm = nn.LayerNorm(width, {
    eps = EPS, dtype = spec.dtype, device = spec.device })
  self.fc1 = linear(width, width, spec, xavier)
  self.fc2 = linear(width, width, spec, xavier)
  self.act = act
end

function Block:forward(stream, shift, scale, gate)
  local norm = self.norm
  local y = self.fc1(stream:norm(shift, scale, norm.weight, norm.bias))
  stream:add(gate, self.fc2(self.act(y)))
end

---- the network ----

local VelocityMLP = conditioned.Net:extend("VelocityMLP")
VelocityMLP.title = "flow.VelocityMLP"

local activations = { silu = tensor.silu, gelu = tensor.gelu }

local function check(o)
  if o.dim == nil then
    tide.raise("flow.VelocityMLP: give the dimension of the points, as in " ..
               "flow.VelocityMLP{dim=2}")
  end
  conditioned.check_sizes("flow.VelocityMLP", o, { dim = 1, hidden = 1, blocks = 0 },
    { classes = 1, cond = 1 })
  if not activations[o.act] then
    tide.raise("flow.VelocityMLP: act is 'silu' or 'gelu', not " .. tostring(o.act))
  end
end

-- flow.VelocityMLP{dim=, hidden=512, blocks=4, act="silu"|"gelu", classes=n or
-- cond=features, dtype=, device=}.  classes: labels 1..n, and n + 1 for none
-- (null_label); cond: a vector of that many features for each point.
function VelocityMLP:init(o)
  o = tide.options("flow.VelocityMLP", o, {
    "dim", "classes", "cond", "dtype", "device",
    hidden = 512, blocks = 4, act = "silu" })
  check(o)
  local w, spec = o.hidden, { dtype = o.dtype, device = o.device }
  local xavier, zeros = nn.init.xavier_uniform_, nn.init.zeros_
  self.dim, self.hidden, self.act = o.dim, w, o.act
  self.cond = o.cond
  self:make_embedding(w, o)
  if o.cond then
    self.features = linear(o.cond, w, spec, xavier)
    self.no_features = nn.Parameter(tensor.zeros(1, w, spec))
  end
  self.input = linear(o.dim, w, spec, xavier)
  self.blocks = {}
  local parts = {}               -- in this order: a seed gives the same net as ever
  for i = 1, o.blocks do
    self.blocks[i] = Block(w, activations[o.act], spec)
    parts[i] = linear(w, 3 * w, spec, zeros)
  end
  parts[#parts + 1] = linear(w, 2 * w, spec, zeros)
  self.modulation = conditioned.stacked(parts)
  self.output = linear(w, o.dim, spec, zeros)
end

function VelocityMLP:extra()
  local text = ("dim=%d, hidden=%d, blocks=%d"):format(self.dim, self.hidden,
                                                       #self.blocks)
  if self.act ~= "silu" then text = text .. ", act=" .. self.act end
  if self.classes then text = text .. ", classes=" .. self.classes end
  if self.cond then text = text .. ", cond=" .. self.cond end
  return text
end

-- Points may come in groups that share a time: the modulation is then computed
-- for one row of each group.
VelocityMLP.grouped = true

local function check_points(self, z, c)
  local dims = tensor.is_tensor(z) and z:dim()
  if (dims ~= 2 and dims ~= 3) or z:size(-1) ~= self.dim then
    tide.raise(("flow.VelocityMLP: points must be (n, %d), or (groups, n, %d) with " ..
      "one time for each group, not %s"):format(self.dim, self.dim,
      dims and tensor.shape_text(z) or "a " .. type(z)))
  end
  if dims == 3 and c ~= nil then
    tide.raise("flow.VelocityMLP: points in groups take no condition")
  end
  return dims == 3
end

-- What the modulations are made of: SiLU of the embedded time and condition, (T, hidden).
local function embedding(self, t, c, n)
  local rows
  if self.cond then rows = c and self.features(c) or self.no_features
  else rows = self:label_rows(c, n) end
  return self:embedding(t, rows, n):silu()
end

---- layer by layer: with gradients of everything ----

local function by_layers(self, z, t, c, groups)
  local e = embedding(self, t, c, z:size(1))
  if groups then e = e:unsqueeze(2) end
  local m = conditioned.parts(self.modulation, e, 3 * #self.blocks + 2)
  local stream = conditioned.stream(self.input(z), EPS)
  for i, block in ipairs(self.blocks) do block(stream, m[3 * i - 2], m[3 * i - 1], m[3 * i]) end
  return self.output(stream:norm(m[#m - 1], m[#m]))
end

---- as a whole: frozen, tile by tile of points (the ops adaln...) ----

local FEWEST = 16              -- points that are worth it
local ROWS = 1024              -- modulations at a time, where points have their own

-- Of networks made by snapshot: their weights packed, and a table of modulations.
local taken = setmetatable({}, { __mode = "k" })

local function weights(self)
  local list = { self.input.weight, self.input.bias }
  local function add(layer)
    list[#list + 1], list[#list + 2] = layer.weight, layer.bias
  end
  for _, block in ipairs(self.blocks) do
    add(block.norm)
    add(block.fc1)
    add(block.fc2)
  end
  add(self.output)
  return list
end

-- May the network run as a whole at z?  Not where a gradient of weights is wanted.
local function whole(self, z)
  local w = self.input.weight
  if self.fused == false or self.act ~= "silu" or z.dtype ~= w.dtype
     or z:numel() < FEWEST * self.dim or (z.dtype ~= "f32" and z.dtype ~= "f64") then
    return false
  end
  if not tide.grad_enabled() then return true end
  if w.requires_grad then return false end
  for _, p in ipairs(self:parameters()) do
    if p.requires_grad then return false end
  end
  return true
end

local function packed(self) return taken[self] and taken[self].packed end

-- Whether calls without gradients take that way.
function VelocityMLP:runs_whole(z) return tide.no_grad(whole, self, z) end

-- All modulations, a row for each distinct time and condition, and where there are
-- fewer rows than points that do not come in groups, the row of each point.
local function modulations(self, t, c, n)
  local snap = taken[self]
  if snap and snap.table and c == nil then
    return snap.table, self:times(t, n) * (snap.table:size(1) - 1)
  end
  if snap and c == nil and type(t) == "number" and snap.t == t then return snap.mod end
  local place
  if self.classes and tensor.is_tensor(c) and c:dim() == 1 and c:size(1) == n and
     n > self.classes and (type(t) == "number" or t:numel() == 1) then
    place = self.label:places(c)
    c, n = tensor.arange(1, self.null_label, { dtype = "i64" }), self.null_label
  end
  local mod = self.modulation(embedding(self, t, c, n))
  if snap and c == nil and type(t) == "number" and not tide.capture.recording() then
    snap.t, snap.mod = t, mod          -- solvers ask for the same time twice
  end
  return mod, place
end

-- Calls f(first, count, modulation, place) for all n points, or piece by piece where each
-- has a modulation of its own, and joins what it returns; nil where t or c want a gradient.
-- t: one time, or one for each of `groups` groups.
local function by_pieces(self, n, groups, t, c, f)
  local own = (tensor.is_tensor(t) and t:numel() == n) or (self.cond and c)
  if not own or n <= ROWS or (taken[self] and taken[self].table) then
    local mod, place = modulations(self, t, c, groups)
    if mod.requires_grad then return nil end
    return f(1, n, mod, place)
  end
  local parts
  for from = 1, n, ROWS do
    local count = math.min(ROWS, n - from + 1)
    local function piece(x)
      return tensor.is_tensor(x) and x:dim() > 0 and x:size(1) == n and n > 1
        and x:narrow(1, from, count) or x
    end
    local mod, place = modulations(self, piece(t), piece(c), count)
    if mod.requires_grad then return nil end
    local results = table.pack(f(from, count, mod, place))
    parts = parts or {}
    for k = 1, results.n do
      parts[k] = parts[k] or {}
      table.insert(parts[k], results[k])
    end
  end
  for k = 1, #parts do parts[k] = tensor.cat(parts[k], 1) end
  return table.unpack(parts)
end

-- v(z, t [, c]) for z (n, dim), t a number or (n), c labels (n) or features
-- (n, cond); or z (groups, n, dim) and t (groups).
function VelocityMLP:forward(z, t, c)
  local groups = check_points(self, z, c)
  if not whole(self, z) or (tide.grad_enabled() and z.requires_grad) then
    return by_layers(self, z, t, c, groups)
  end
  local flat = groups and z:reshape(z:numel() // self.dim, self.dim) or z
  local v = by_pieces(self, flat:size(1), z:size(1), t, c, function(from, count, mod, place)
    return tensor.adaln(flat:narrow(1, from, count), mod, place, packed(self), weights(self), EPS)
  end)
  if not v then return by_layers(self, z, t, c, groups) end
  return groups and v:reshape(z.shape) or v
end

-- The trace of the Jacobian in z at each point, or with noise (n, dim) the sum of
-- noise * J noise, and v(z, t, c); by tangents, without a graph.  nil where it cannot.
function VelocityMLP:trace(z, t, c, noise)
  if check_points(self, z, c) or not self:runs_whole(z) then return nil end
  return tide.no_grad(function()
    local v, trace = by_pieces(self, z:size(1), z:size(1), t, c, function(from, count, mod, place)
      return tensor.adaln_trace(z:narrow(1, from, count), mod, place,
        noise and noise:narrow(1, from, count), packed(self), weights(self), EPS)
    end)
    return trace, v
  end)
end

-- |v(z, t, c) - u|^2 of each point, with a gradient in z and u that is found on the
-- way; t may have one time for each of several groups.  nil where it cannot.
function VelocityMLP:squared_residual(z, t, c, u)
  if check_points(self, z, c) or not whole(self, z) or not tide.grad_enabled()
     or not z.requires_grad then
    return nil
  end
  local n, groups = z:size(1), tensor.is_tensor(t) and t:numel() or 1
  if groups == 1 or n % groups ~= 0 then groups = n end
  return (by_pieces(self, n, groups, t, c, function(from, count, mod, place)
    return (tensor.adaln_residual(z:narrow(1, from, count), u:narrow(1, from, count), mod,
                                  place, packed(self), weights(self), EPS))
  end))
end

-- The network as it is now, frozen, for many calls: what each would do for itself is done
-- once.  Later changes of the weights do not show where it runs as a whole.
function VelocityMLP:snapshot()
  local copy = self:frozen()
  tide.no_grad(function() taken[copy] = { packed = tensor.adaln_pack(weights(copy)) } end)
  return copy
end

-- A snapshot whose modulations come from a table over t, by cubic interpolation, and how
-- far its velocities are off, relative to their size, at random points and times.
function VelocityMLP:tabulated(o)
  o = tide.options("tabulated", o, { nodes = 257 })
  tide.count("tabulated", "nodes", o.nodes, 4)
  local copy, like = self:snapshot(), self.input.weight
  return copy, tide.no_grad(function()
    local spec = { dtype = like.dtype, device = like.device,
                   generator = tide.generator(o.nodes) }
    local t, z = tensor.rand(256, spec), tensor.randn(256, self.dim, spec)
    local exact = copy(z, t)
    spec.generator = nil
    taken[copy].table = modulations(copy, tensor.linspace(0, 1, o.nodes, spec), nil, o.nodes)
    local size = exact:norm():item()
    return size == 0 and 0 or (copy(z, t) - exact):norm():item() / size
  end)
end

return { VelocityMLP = VelocityMLP }
