-- autoencoder.lua -- nn.AutoencoderKL: pictures as small pictures of latents, after
-- Rombach, Blattmann, Lorenz, Esser and Ommer 2022 (arXiv 2112.10752).
--
--   encoder: Conv, then at each size Residual, Conv of stride 2; Residual, norm, SiLU, Conv
--   decoder: Conv, Residual, then at each size Upsample, Conv, Residual; norm, SiLU, Conv
--
-- Widths double with each halving of the size.  Each latent has a normal posterior.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local conv = require "tide.nn.conv"
local layers = require "tide.nn.layers"

local WIDEST = 4                       -- channels grow up to so many times the width
local PIECE = 500                      -- pictures at a time where no gradient is wanted

---- parts ----

local function norm(channels, groups, spec)
  while channels % groups ~= 0 do groups = groups - 1 end
  return conv.GroupNorm(groups, channels, { dtype = spec.dtype, device = spec.device })
end

local function conv3(inputs, outputs, spec, stride)
  return conv.Conv2d(inputs, outputs, 3, {
    pad = 1, stride = stride, dtype = spec.dtype, device = spec.device })
end

-- x + Conv(SiLU(norm(Conv(SiLU(norm(x))))))
local Residual = base.Module:extend("Residual")
function Residual:init(channels, groups, spec)
  self.norm1, self.conv1 = norm(channels, groups, spec), conv3(channels, channels, spec)
  self.norm2, self.conv2 = norm(channels, groups, spec), conv3(channels, channels, spec)
end
function Residual:forward(x)
  local h = self.conv1(self.norm1(x):silu())
  return x + self.conv2(self.norm2(h):silu())
end

-- The channels at each size, from that of the pictures to that of the latents.
local function widths(width, factor)
  local list, w, f = {}, width, 1
  while f <= factor do
    list[#list + 1] = w
    w, f = math.min(2 * w, WIDEST * width), 2 * f
  end
  return list
end

local function append(list, ...)
  for _, part in ipairs { ... } do list[#list + 1] = part end
end

local function make_encoder(o, w)
  local parts = { conv3(o.channels, w[1], o) }
  for i = 1, #w do
    for _ = 1, o.blocks[i] do append(parts, Residual(w[i], o.groups, o)) end
    if i < #w then append(parts, conv3(w[i], w[i + 1], o, 2)) end
  end
  append(parts, norm(w[#w], o.groups, o), layers.SiLU(), conv3(w[#w], 2 * o.latent, o))
  return layers.Sequential(table.unpack(parts))
end

local function make_decoder(o, w)
  local parts = { conv3(o.latent, w[#w], o) }
  for i = #w, 1, -1 do
    for _ = 1, o.blocks[i] do append(parts, Residual(w[i], o.groups, o)) end
    if i > 1 then append(parts, conv.Upsample(2), conv3(w[i], w[i - 1], o)) end
  end
  append(parts, norm(w[1], o.groups, o), layers.SiLU(), conv3(w[1], o.channels, o))
  return layers.Sequential(table.unpack(parts))
end

---- the module ----

local AutoencoderKL = base.Module:extend("AutoencoderKL")

local function check_options(o)
  for _, key in ipairs { "channels", "width", "latent", "factor", "groups" } do
    tide.count("nn.AutoencoderKL", key, o[key], 1)
  end
  if o.factor & (o.factor - 1) ~= 0 then
    tide.raise(("nn.AutoencoderKL: factor must be a power of 2, not %d"):format(o.factor))
  end
end

-- Residual blocks at each size: a number for all, or a list from large to small.
local function blocks_of(blocks, sizes)
  local list = {}
  for i = 1, sizes do list[i] = type(blocks) == "table" and blocks[i] or blocks end
  if type(blocks) == "table" and #blocks ~= sizes then
    tide.raise(("nn.AutoencoderKL: blocks must have %d numbers, one for each size, not %d"):format(
      sizes, #blocks))
  end
  for i = 1, sizes do list[i] = tide.count("nn.AutoencoderKL", "blocks", list[i], 0) end
  return list
end

function AutoencoderKL:init(o)
  o = tide.options("nn.AutoencoderKL", o, { "dtype", "device", channels = 1, width = 32,
    latent = 4, factor = 4, blocks = 1, groups = 8 })
  check_options(o)
  self.channels, self.latent, self.factor = o.channels, o.latent, o.factor
  local w = widths(o.width, o.factor)
  o.blocks = blocks_of(o.blocks, #w)
  self.encoder, self.decoder = make_encoder(o, w), make_decoder(o, w)
  self.scale = tensor.ones(1, { dtype = o.dtype, device = o.device })
end

-- Mean and log variance of the latents, each (B, latent, H / factor, W / factor).
function AutoencoderKL:encode(x)
  if not tensor.is_tensor(x) or x:dim() ~= 4 or x:size(2) ~= self.channels
     or x:size(3) % self.factor ~= 0 or x:size(4) % self.factor ~= 0 then
    tide.raise(("nn.AutoencoderKL: pictures (batch, %d, height, width) with sides that are " ..
      "multiples of %d are needed, not %s"):format(self.channels, self.factor,
      tensor.is_tensor(x) and tensor.shape_text(x) or "a " .. type(x)))
  end
  local h = self.encoder(x)
  return h:narrow(2, 1, self.latent), h:narrow(2, self.latent + 1, self.latent):clamp(-30, 20)
end

-- Pictures of latents as encode gives them.
function AutoencoderKL:decode(z) return self.decoder(z) end

-- A draw from the posterior.
function AutoencoderKL:sample(mean, log_var)
  return mean + (log_var * 0.5):exp() * tensor.randn_like(mean)
end

-- KL(posterior || N(0, 1)) of each picture, in nats: (B).
function AutoencoderKL:kl(mean, log_var)
  return (mean:square() + log_var:exp() - log_var - 1):flatten(2, 4):sum(2) * 0.5
end

-- The picture made of a draw from the posterior, and the posterior.
function AutoencoderKL:forward(x)
  local mean, log_var = self:encode(x)
  return self:decode(self:sample(mean, log_var)), mean, log_var
end

---- without gradients, any number of pictures ----

local function in_pieces(f, x)
  return tide.no_grad(function()
    local parts = {}
    for from = 1, x:size(1), PIECE do
      parts[#parts + 1] = f(x:narrow(1, from, math.min(PIECE, x:size(1) - from + 1)))
    end
    return #parts == 1 and parts[1] or tensor.cat(parts)
  end)
end

-- Latents of pictures times the scale: what flows are trained on.  Means of the
-- posterior, or with {sample=true} draws.
function AutoencoderKL:latents(x, o)
  o = tide.options("AutoencoderKL:latents", o, { sample = false })
  return in_pieces(function(rows)
    local mean, log_var = self:encode(rows)
    return (o.sample and self:sample(mean, log_var) or mean) * self.scale
  end, x)
end

-- Pictures of latents that were scaled.
function AutoencoderKL:pictures(z)
  return in_pieces(function(rows) return self:decode(rows / self.scale) end, z)
end

-- Sets scale to 1 over the standard deviation of the latents of these pictures; returns it.
function AutoencoderKL:measure_scale(x)
  self.scale:fill_(1)
  local std = self:latents(x, { sample = true }):std():item()
  if not (std > 0 and std < math.huge) then
    tide.raise(("AutoencoderKL:measure_scale: the latents have a standard deviation of %g")
      :format(std))
  end
  self.scale:fill_(1 / std)
  return self.scale:item()
end

function AutoencoderKL:extra()
  return ("%d channels, latent=%d, factor=%d"):format(self.channels, self.latent, self.factor)
end

return { AutoencoderKL = AutoencoderKL }
