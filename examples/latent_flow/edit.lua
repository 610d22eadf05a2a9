-- edit.lua -- flows that are told more than noise: inpainting, where the net reads the
-- encoded image without its hole and the mask beside the latents; and images from maps of
-- a few classes of pixels.

local tide = require "tide"
local nn, flow, tensor, metrics = tide.nn, tide.flow, tide.tensor, tide.metrics
local cache = require "images.cache"
local nets = require "latent_flow.nets"

local edit = {}

local KEPT = 512                       -- masks of a kind that are drawn at first

---- masks: 1 where the image is known, 0 in the hole ----

local kinds = {}

-- A box with sides of 30 to 60 of 100.
function kinds.box(h, w, uniform)
  local m = tensor.ones(h, w)
  local bh, bw = uniform(3 * h // 10, 6 * h // 10), uniform(3 * w // 10, 6 * w // 10)
  local top, left = uniform(1, h - bh + 1), uniform(1, w - bw + 1)
  m:narrow(1, top, bh):narrow(2, left, bw):fill_(0)
  return m
end

-- The left, right, upper or lower half.
function kinds.half(h, w, uniform)
  local m, side = tensor.ones(h, w), uniform(1, 4)
  if side <= 2 then m:narrow(2, side == 1 and 1 or w - w // 2 + 1, w // 2):fill_(0)
  else m:narrow(1, side == 3 and 1 or h - h // 2 + 1, h // 2):fill_(0) end
  return m
end

-- Strokes of a thick brush that wanders.
function kinds.brush(h, w, uniform)
  local rows = tensor.arange(1, h):reshape(h, 1)
  local columns = tensor.arange(1, w):reshape(1, w)
  local m, radius = tensor.ones(h, w), math.max(1, math.min(h, w) // 10)
  for _ = 1, uniform(2, 3) do
    local y, x = uniform(1, h), uniform(1, w)
    local dy, dx = uniform(-2, 2), uniform(-2, 2)
    for _ = 1, 8 do
      local near = ((rows - y):square() + (columns - x):square()):le(radius * radius)
      m = m * near:logical_not():to("f32")
      y = math.max(1, math.min(h, y + dy * radius))
      x = math.max(1, math.min(w, x + dx * radius))
      if uniform(1, 3) == 1 then dy, dx = uniform(-2, 2), uniform(-2, 2) end
    end
  end
  return m
end

edit.KINDS = { "box", "half", "brush" }

-- n masks (n, 1, h, w) of a kind, always the same ones.
function edit.masks(kind, n, h, w)
  local state = ({ box = 11, half = 12, brush = 13 })[kind]
  local function uniform(a, b)         -- Park and Miller's generator: masks need no better
    state = state * 48271 % 2147483647
    return a + state % (b - a + 1)
  end
  local list = {}
  for i = 1, n do list[i] = kinds[kind](h, w, uniform) end
  return tensor.stack(list):unsqueeze(2)
end

---- inpainting ----

-- What the net reads beside the latents: the encoded image whose hole is grey, and the
-- share of each latent's pixels that is known: (n, C + 1, h, w).
function edit.beside(ae, x, mask)
  return tide.no_grad(function()
    local mean = ae:encode(x * mask) * ae.scale
    return tensor.cat({ mean, nn.AvgPool2d(ae.factor)(mask) }, 2)
  end)
end

-- Latents of batches of images with masks of all kinds.
function edit.inpainting_source(ae, data, batch)
  local list = {}
  for i, kind in ipairs(edit.KINDS) do list[i] = edit.masks(kind, KEPT, data.height, data.width) end
  local bank = tensor.cat(list)
  return nets.source(data.train, nil, batch, function(batches)
    local _, x = batches()
    local mask = bank:index_select(1, tensor.randint(1, bank:size(1), { x:size(1) }))
    return tide.no_grad(function() return ae:sample(ae:encode(x)) * ae.scale end),
      { image = edit.beside(ae, x, mask) }
  end)
end

-- Images with new holes: samples, and their mixture with what is known.
function edit.inpaint(v, ae, x, mask, o)
  local z, info = flow.sample(v, x:size(1), { labels = { image = edit.beside(ae, x, mask) },
    solver = o.solver, steps = o.nfe_steps })
  local made = ae:pictures(z):clamp(-1, 1)
  return x * mask + made * (1 - mask), info
end

-- The few that are shown.
local function first(x) return x:narrow(1, 1, math.min(10, x:size(1))) end

-- Root mean squared error in the holes, on images from 0 to 1.
local function hole_error(a, b, mask)
  local hole = (1 - mask):expand(a.shape)
  return 0.5 * math.sqrt(((a - b):square() * hole):sum():item() / hole:sum():item())
end

-- For each kind of mask: the error in the hole, beside those of filling it with the mean
-- of what is known of the image, with the mean training image, and with the autoencoder's
-- own picture of the truth; and the largest change outside the hole.
function edit.judge_inpainting(v, ae, data, judge, o)
  local x = data.test:narrow(1, 1, math.min(o.edits, data.test:size(1)))
  local average = data.train:mean(1, true)
  local again = ae:pictures(ae:latents(x))
  local all, shown = {}, {}
  for _, kind in ipairs(edit.KINDS) do
    local mask = edit.masks(kind, x:size(1), data.height, data.width)
    local out, info = edit.inpaint(v, ae, x, mask, o)
    local known = (x * mask):sum({ 2, 3, 4 }, true) / (mask:sum({ 2, 3, 4 }, true) * data.channels)
    all[kind] = {
      error = hole_error(out, x, mask), mean_fill = hole_error(known:expand(x.shape), x, mask),
      mean_image = hole_error(average:expand(x.shape), x, mask),
      autoencoder = hole_error(again, x, mask), nfe = info.net_nfe,
      outside = ((out - x) * mask):abs():max():item(),
      frechet = judge:measure(out).frechet,
      accuracy = judge:measure(out, { labels = data.test_labels:narrow(1, 1, x:size(1)) }).accuracy,
    }
    shown[kind] = { mask = first(mask), made = first(out) }
  end
  return all, { truth = first(x), rows = shown }
end

---- images from masks ----

edit.CLASSES = { "background", "dark", "bright", "edge" }

-- Classes of the pixels of images in [-1, 1], as one-hot maps (n, 4, h, w): background,
-- the darker and the brighter part of things, and their edges: pixels of things beside
-- background.
function edit.classes(x)
  return tide.no_grad(function()
    local grey = x:mean(2, true)
    local thing = grey:gt(-0.85):to("f32")
    local n, _, h, w = table.unpack(x.shape)
    local room = tensor.zeros(n, 1, h + 2, w + 2)
    room:narrow(3, 2, h):narrow(4, 2, w):copy_(thing)
    local inside = thing
    for _, at in ipairs { { 1, 2 }, { 3, 2 }, { 2, 1 }, { 2, 3 } } do
      inside = inside * room:narrow(3, at[1], h):narrow(4, at[2], w)
    end
    local bright = grey:gt(0.1):to("f32")
    return tensor.cat({ 1 - thing, inside * (1 - bright), inside * bright, thing - inside }, 2)
  end)
end

-- A net that reads a map of classes: reduced to the grid of the latents (the mean of
-- squares, which is the bilinear reduction by a whole factor), and mixed to C channels.
local Mapped = nn.Module:extend("Mapped")
function Mapped:init(inner, classes, channels)
  self.inner, self.shape = inner, inner.shape
  self.mix = nn.Conv2d(classes, channels, 1)
end
function Mapped:forward(z, t, c) return self.inner(z, t, { image = self.mix(c.image) }) end

function edit.mapped(inner, channels) return Mapped(inner, #edit.CLASSES, channels) end

function edit.mapped_source(ae, data, moments, batch)
  local reduce = nn.AvgPool2d(ae.factor)
  local maps = cache.map(function(x) return reduce(edit.classes(x)) end, data.train)
  local all = tensor.cat({ moments, maps }, 2)
  return nets.source(all, nil, batch, function(batches)
    local _, rows = batches()
    local c = 2 * ae.latent
    return nets.drawn(ae, rows:narrow(2, 1, c)), { image = rows:narrow(2, c + 1, #edit.CLASSES) }
  end)
end

-- Share of pixels whose class is that of the other map.
local function agreement(a, b) return a:argmax(2):eq(b:argmax(2)):to("f32"):mean():item() end

-- Images made from the maps of test images: how many of their pixels have the class they
-- were told, beside the autoencoder's pictures of the same images, and other test images.
function edit.judge_mapped(v, ae, data, judge, o)
  local n = math.min(o.edits, data.test:size(1))
  local x = data.test:narrow(1, 1, n)
  local map = edit.classes(x)
  local z, info = flow.sample(v, n, { labels = { image = nn.AvgPool2d(ae.factor)(map) },
    solver = o.solver, steps = o.nfe_steps })
  local made = ae:pictures(z):clamp(-1, 1)
  local again = ae:pictures(ae:latents(x))
  local labels = data.test_labels:narrow(1, 1, n)
  return {
    agreement = agreement(edit.classes(made), map), autoencoder = agreement(edit.classes(again), map),
    others = agreement(edit.classes(x:roll(1, 1)), map), nfe = info.net_nfe,
    frechet = judge:measure(made).frechet, accuracy = judge:measure(made, { labels = labels }).accuracy,
    psnr = metrics.psnr(made, x, { peak = 2 }), psnr_others = metrics.psnr(x:roll(1, 1), x, { peak = 2 }),
  }, { map = first(map), made = first(made), truth = first(x) }
end

return edit
