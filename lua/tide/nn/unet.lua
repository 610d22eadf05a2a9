-- unet.lua -- nn.UNet: a velocity field on pictures, as residual blocks at several sizes that
-- hand what they found from the way down to the way up.
--
--   c = SiLU(time and label)
--   block: y = conv(SiLU(GroupNorm(x)));  shift, scale = two parts of Linear(c)
--          x + conv(SiLU(GroupNorm(y) (1 + scale) + shift))
--
-- after Ronneberger et al. 2015 (arXiv 1505.04597), Ho et al. 2020 (arXiv 2006.11239) and
-- Dhariwal and Nichol 2021 (arXiv 2105.05233).  The last convolution of each block and of the
-- net start at zero, and so does the field.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local init = require "tide.nn.initialize"
local layers = require "tide.nn.layers"
local conv = require "tide.nn.conv"
local conditioned = require "tide.nn.conditioned"
local picture = require "tide.nn.picture"

local function conv3(inputs, outputs, spec, o)
  o = o or {}
  return conv.Conv2d(inputs, outputs, 3, { pad = 1, stride = o.stride, dtype = spec.dtype,
                                           device = spec.device })
end

local function zero(layer)
  init.zeros_(layer.weight)
  init.zeros_(layer.bias)
  return layer
end

---- parts ----

local Block = base.Module:extend("ResBlock")

function Block:init(inputs, outputs, o, spec)
  self.norm1 = conv.GroupNorm(o.groups, inputs, spec)
  self.conv1 = conv3(inputs, outputs, spec)
  self.modulation = conditioned.linear(o.embedding, 2 * outputs, spec, init.xavier_uniform_)
  self.norm2 = conv.GroupNorm(o.groups, outputs, spec)
  self.conv2 = zero(conv3(outputs, outputs, spec))
  if inputs ~= outputs then self.skip = conv.Conv2d(inputs, outputs, 1, spec) end
end

function Block:forward(x, c)
  local y = self.conv1(self.norm1(x):silu())
  local shift, scale = table.unpack(self.modulation(c):chunk(2, -1))
  if c:size(1) ~= x:size(1) then
    shift, scale = shift:expand(x:size(1), -1), scale:expand(x:size(1), -1)
  end
  y = self.conv2(self.norm2(y, scale, shift):silu())
  return (self.skip and self.skip(x) or x) + y
end

-- Attention among all pixels, added to them.
local Attention = base.Module:extend("PixelAttention")
function Attention:init(channels, o, spec)
  self.norm = conv.GroupNorm(o.groups, channels, spec)
  self.attention = layers.MultiheadAttention(channels, o.heads, {
    qk_norm = o.qk_norm, dtype = o.dtype, device = o.device })
  zero(self.attention.output)
end
function Attention:forward(x)
  local n, c, h, w = table.unpack(x.shape)
  local y = self.attention(self.norm(x):reshape(n, c, h * w):transpose(2, 3))
  return x + y:transpose(2, 3):reshape(n, c, h, w)
end

---- the network ----

local UNet = conditioned.Net:extend("UNet")
UNet.title = "nn.UNet"

local function check(o)
  conditioned.check_sizes("nn.UNet", o, { channels = 1, width = 1, blocks = 1, heads = 1, groups = 1,
    extra = 0 }, { classes = 1 })
  if type(o.mults) ~= "table" or #o.mults == 0 then
    tide.raise("nn.UNet: mults must be a list of multiples of the width, one for each size, as {1, 2, 2}")
  end
  for _, m in ipairs(o.mults) do
    if math.type(m) ~= "integer" or m < 1 then
      tide.raise("nn.UNet: mults must be whole numbers of at least 1, not " .. tostring(m))
    end
  end
  if o.width % o.groups ~= 0 then
    tide.raise(("nn.UNet: a width of %d channels does not split into %d groups"):format(o.width, o.groups))
  end
end

-- nn.UNet{size=, channels=1, width=32, mults={1, 2, 2}, blocks=1, heads=4, groups=8, classes=,
-- extra=0, attention=true, qk_norm=false, dtype=, device=}.  Each entry of mults is a size, half
-- of that before; attention is at the smallest.
function UNet:init(o)
  o = tide.options("nn.UNet", o, {
    "size", "classes", "dtype", "device", channels = 1, width = 32, mults = { 1, 2, 2 }, blocks = 1,
    heads = 4, groups = 8, extra = 0, attention = true, qk_norm = false })
  check(o)
  local size = picture.size("nn.UNet", o.size)
  local spec = { dtype = o.dtype, device = o.device }
  self.shape = { o.channels, size[1], size[2] }
  self.width, self.mults, self.beside = o.width, o.mults, o.extra
  o.embedding = 4 * o.width
  self:make_embedding(o.embedding, o)
  self.input = conv3(o.channels + o.extra, o.width, spec)
  local at, count = o.width, #o.mults
  self.down, self.up = {}, {}
  for i, m in ipairs(o.mults) do
    local level = { blocks = {} }
    for b = 1, o.blocks do
      level.blocks[b] = Block(at, m * o.width, o, spec)
      at = m * o.width
    end
    if i < count then level.shrink = conv3(at, at, spec, { stride = 2 }) end
    self.down[i] = level
  end
  self.attention = o.attention and Attention(at, o, spec) or nil
  self.middle = Block(at, at, o, spec)
  for i = count - 1, 1, -1 do
    local w, level = o.mults[i] * o.width, { blocks = {} }
    level.grow = conv3(at, w, spec)
    for b = 1, o.blocks do level.blocks[b] = Block(b == 1 and 2 * w or w, w, o, spec) end
    self.up[count - i], at = level, w
  end
  self.norm = conv.GroupNorm(o.groups, at, spec)
  self.output = zero(conv3(at, o.channels, spec))
end

function UNet:extra()
  local text = ("%s, width=%d, mults={%s}"):format(table.concat(self.shape, "x"), self.width,
                                                 table.concat(self.mults, ", "))
  if self.classes then text = text .. ", classes=" .. self.classes end
  return text
end

-- Twice as large, cut to the size of `like`.
local upsample = conv.Upsample(2)
local function grown(x, like)
  x = upsample(x)
  for d = 3, 4 do
    if x:size(d) ~= like:size(d) then x = x:narrow(d, 1, like:size(d)) end
  end
  return x
end

-- v(z, t [, c]) for z (n, channels, h, w).
function UNet:forward(z, t, c)
  local x, labels = picture.read(self, z, c)
  local n = z:size(1)
  local e = self:embedding(t, self:label_rows(labels, n), n):silu()
  x = self.input(x)
  local found = {}
  for i, level in ipairs(self.down) do
    for _, block in ipairs(level.blocks) do x = block(x, e) end
    if level.shrink then
      found[i] = x
      x = level.shrink(x)
    end
  end
  if self.attention then x = self.attention(x) end
  x = self.middle(x, e)
  for i, level in ipairs(self.up) do
    local skip = found[#self.down - i]
    x = tensor.cat({ skip, level.grow(grown(x, skip)) }, 2)
    for _, block in ipairs(level.blocks) do x = block(x, e) end
  end
  return self.output(self.norm(x):silu())
end

return { UNet = UNet }
