-- velocity.lua -- flow.VelocityMLP: the velocity field as a residual network
-- whose layers are shifted, scaled and gated by the time (AdaLN).
--
--   c = SiLU(Linear(SiLU(Linear(sinusoid(t)))) + condition)
--   h = Linear(z)
--   block: shift, scale, gate = three parts of Linear(c)
--          h = h + gate * MLP(LayerNorm(h) (1 + scale) + shift)
--   v = Linear(LayerNorm(h) (1 + scale) + shift)
--
-- after Li, Tian, Li, Deng and He 2024 (arXiv 2406.11838).  Modulations and the
-- output start at zero, and so does the field.  With one t for all points the
-- modulation is computed once, for one row.

local tide = require "tide"
local nn = require "tide.nn"
local tensor = tide.tensor

local EPS = 1e-6                       -- of the layer norms
local FEATURES, PERIOD = 256, 1e4      -- of the sinusoid

local function linear(inputs, outputs, spec, start)
  local layer = nn.Linear(inputs, outputs, spec)
  start(layer.weight)
  nn.init.zeros_(layer.bias)
  return layer
end

local function small(weight) return nn.init.normal_(weight, 0, 0.02) end

---- a block ----

local Block = nn.Module:extend("Block")

function Block:init(width, act, spec)
  local xavier = nn.init.xavier_uniform_
  self.norm = nn.LayerNorm(width, {
    eps = EPS, dtype = spec.dtype, device = spec.device })
  self.fc1 = linear(width, width, spec, xavier)
  self.fc2 = linear(width, width, spec, xavier)
  self.modulation = linear(width, 3 * width, spec, nn.init.zeros_)
  self.act = act
end

function Block:forward(h, c)
  local shift, scale, gate = self.modulation(c):split3()
  local y = self.fc1(self.norm(h):modulate(shift, scale))
  return h:addcmul(gate, self.fc2(self.act(y)))
end

---- the network ----

local VelocityMLP = nn.Module:extend("VelocityMLP")

local activations = { silu = tensor.silu, gelu = tensor.gelu }

local function check(o)
  for _, name in ipairs { "dim", "hidden", "blocks", "classes", "cond" } do
    local v = o[name]
    if v ~= nil and (math.type(v) ~= "integer" or v < (name == "blocks" and 0 or 1)) then
      tide.raise(("flow.VelocityMLP: %s must be a positive whole number, not %s")
        :format(name, tostring(v)))
    end
  end
  if not o.dim then
    tide.raise("flow.VelocityMLP: give the dimension of the points, as in " ..
               "flow.VelocityMLP{dim=2}")
  end
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
  self.classes, self.cond = o.classes, o.cond
  self.time1 = linear(FEATURES, w, spec, small)
  self.time2 = linear(w, w, spec, small)
  if o.classes then
    self.null_label = o.classes + 1
    self.label = nn.Embedding(o.classes + 1, w, {
      std = 0.02, dtype = o.dtype, device = o.device })
  end
  if o.cond then
    self.features = linear(o.cond, w, spec, xavier)
    self.no_features = nn.Parameter(tensor.zeros(1, w, spec))
  end
  self.input = linear(o.dim, w, spec, xavier)
  self.blocks = {}
  for i = 1, o.blocks do self.blocks[i] = Block(w, activations[o.act], spec) end
  self.modulation = linear(w, 2 * w, spec, zeros)
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

-- t as a vector of 1 or n times, in the type of the weights.
local function times(self, t, n)
  local like = self.input.weight
  if type(t) == "number" then
    return tensor.full({ 1 }, t, { dtype = like.dtype, device = like.device })
  end
  if not tensor.is_tensor(t) then
    tide.raise("flow.VelocityMLP: t must be a number or a tensor, not a " .. type(t))
  end
  local count = t:numel()
  if count ~= 1 and count ~= n then
    tide.raise(("flow.VelocityMLP: t must be one number or one for each of the " ..
      "%d points; it has shape %s"):format(n, tensor.shape_text(t)))
  end
  if t:dim() ~= 1 then t = t:reshape(count) end
  return t.dtype == like.dtype and t or t:to(like.dtype)
end

-- What a label or a vector of features adds to the embedding of the time.
local function condition(self, c, n)
  if self.classes then
    if tensor.is_tensor(c) then
      if c:dim() ~= 1 or (c:size(1) ~= n and c:size(1) ~= 1) then
        tide.raise(("flow.VelocityMLP: labels must be a vector of %d; they have " ..
          "shape %s"):format(n, tensor.shape_text(c)))
      end
      return self.label(c)
    end
    return self.label { c or self.null_label }
  elseif self.cond then
    return c and self.features(c) or self.no_features
  elseif c ~= nil then
    tide.raise("flow.VelocityMLP: this network takes no condition; make it with " ..
               "classes= or cond=")
  end
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

-- v(z, t [, c]) for z (n, dim), t a number or (n), c labels (n) or features
-- (n, cond); or z (groups, n, dim) and t (groups).
function VelocityMLP:forward(z, t, c)
  local groups = check_points(self, z, c)
  local n = z:size(1)
  local e = times(self, t, n):sinusoid(FEATURES, PERIOD)
  e = self.time2(self.time1(e):silu())
  local extra = condition(self, c, n)
  if extra then e = e + extra end
  e = e:silu()
  if groups then e = e:unsqueeze(2) end
  local h = self.input(z)
  for _, block in ipairs(self.blocks) do h = block(h, e) end
  local shift, scale = self.modulation(e):split2()
  return self.output(h:layer_norm(nil, nil, EPS):modulate(shift, scale))
end

return { VelocityMLP = VelocityMLP }
