-- dit.lua -- nn.DiT: a velocity field on pictures or tokens as a transformer whose blocks are
-- shifted, scaled and gated by the time and the label (AdaLN-zero).
--
--   c = SiLU(time and label), h = Linear(patches) + positions
--   m = parts of Linear(c): shift1, scale1, gate1, shift2, scale2, gate2 for each block, then
--       shift, scale
--   block: h = h + gate1 * attention(LayerNorm(h) (1 + scale1) + shift1)
--          h = h + gate2 * MLP(LayerNorm(h) (1 + scale2) + shift2)
--   v = Linear(LayerNorm(h) (1 + scale) + shift), patches put together
--
-- after Peebles and Xie 2023 (arXiv 2212.09748).  Modulations and the output start at
-- zero, and so does the field.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local init = require "tide.nn.initialize"
local layers = require "tide.nn.layers"
local conv = require "tide.nn.conv"
local position = require "tide.nn.position"
local conditioned = require "tide.nn.conditioned"
local picture = require "tide.nn.picture"
local linear = conditioned.linear

local EPS = 1e-6                       -- of the layer norms

---- a block ----

local Block = base.Module:extend("DiTBlock")

function Block:init(o, spec)
  local w, inner, xavier = o.width, o.width * o.ratio, init.xavier_uniform_
  self.attention = layers.MultiheadAttention(w, o.heads, {
    qk_norm = o.qk_norm, dtype = o.dtype, device = o.device })
  self.fc1 = linear(w, inner, spec, xavier)
  self.fc2 = linear(inner, w, spec, xavier)
end

-- m: six rows (n, 1, width), three for attention and three for the MLP.
function Block:forward(stream, m)
  stream:add(m[3], self.attention(stream:norm(m[1], m[2])))
  local y = self.fc1(stream:norm(m[4], m[5]))
  stream:add(m[6], self.fc2(y:gelu()))
end

---- the network ----

local DiT = conditioned.Net:extend("DiT")
DiT.title = "nn.DiT"

-- The grid of tokens, and how many numbers each takes in and gives out.
local function token_sizes(self, o)
  if o.tokens then
    if o.size or o.patch ~= 1 then
      tide.raise("nn.DiT: give either size= and patch= for pictures, or tokens= for tokens")
    end
    self.shape = { o.tokens, o.channels }
    return o.tokens, o.channels + o.extra, o.channels
  end
  local size = picture.size("nn.DiT", o.size)
  for _, n in ipairs(size) do
    if n % o.patch ~= 0 then
      tide.raise(("nn.DiT: %d pixels do not split into patches of %d"):format(n, o.patch))
    end
  end
  self.patch = o.patch
  self.shape = { o.channels, size[1], size[2] }
  local area = o.patch * o.patch
  return { size[1] // o.patch, size[2] // o.patch }, (o.channels + o.extra) * area, o.channels * area
end

-- nn.DiT{size=, channels=1, patch=1, width=128, depth=4, heads=4, ratio=4, classes=, extra=0,
-- qk_norm=false, dtype=, device=}, or tokens= in place of size= and patch=.
function DiT:init(o)
  o = tide.options("nn.DiT", o, {
    "size", "tokens", "classes", "dtype", "device", channels = 1, patch = 1, width = 128,
    depth = 4, heads = 4, ratio = 4, extra = 0, qk_norm = false })
  conditioned.check_sizes("nn.DiT", o, { channels = 1, patch = 1, width = 4, depth = 0, heads = 1,
    ratio = 1, extra = 0 }, { tokens = 1, classes = 1 })
  local spec = { dtype = o.dtype, device = o.device }
  local grid, inputs, outputs = token_sizes(self, o)
  self.width, self.channels, self.beside = o.width, o.channels, o.extra
  self:make_embedding(o.width, o)
  self.input = linear(inputs, o.width, spec, init.xavier_uniform_)
  self.position = position.PositionalEmbedding(grid, o.width, spec)
  self.blocks = {}
  local parts = {}               -- in this order: a seed gives the same net as ever
  for i = 1, o.depth do
    self.blocks[i] = Block(o, spec)
    parts[i] = linear(o.width, 6 * o.width, spec, init.zeros_)
  end
  parts[#parts + 1] = linear(o.width, 2 * o.width, spec, init.zeros_)
  self.modulation = conditioned.stacked(parts)
  self.output = linear(o.width, outputs, spec, init.zeros_)
end

function DiT:extra()
  local text = ("%s, width=%d, depth=%d"):format(table.concat(self.shape, "x"), self.width,
                                                #self.blocks)
  if self.patch and self.patch > 1 then text = text .. ", patch=" .. self.patch end
  if self.classes then text = text .. ", classes=" .. self.classes end
  return text
end

-- v(z, t [, c]) for z (n, channels, h, w) or (n, tokens, channels).
function DiT:forward(z, t, c)
  local x, labels = picture.read(self, z, c)
  local n = z:size(1)
  local e = self:embedding(t, self:label_rows(labels, n), n):silu()
  if self.patch then x = conv.patchify(x, self.patch) end
  local stream = conditioned.stream(self.position(self.input(x)), EPS)
  local m = conditioned.parts(self.modulation, e:unsqueeze(2), 6 * #self.blocks + 2)
  for i, block in ipairs(self.blocks) do block(stream, table.move(m, 6 * i - 5, 6 * i, 1, {})) end
  local h = self.output(stream:norm(m[#m - 1], m[#m]))
  if not self.patch then return h end
  return conv.unpatchify(h, self.patch, table.unpack(self.shape))
end

return { DiT = DiT }
