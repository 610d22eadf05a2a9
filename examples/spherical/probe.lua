-- probe.lua -- what radius and direction of latents hold: norms of tokens, images whose
-- tokens have exchanged radii, and norms and radial shares along paths.

local tide = require "tide"
local tensor, metrics = tide.tensor, tide.metrics
local rows = require "spherical.rows"

local probe = {}

local TIMES = 21
local PAIRS, SHOWN = 500, 10

local function norms(z) return z:norm(2, -1) end

-- Norms of the tokens of test images as parts of sqrt(d), and their spread.
function probe.norms(ae, data)
  local z = rows.tokens(ae:latents(data.test))
  local d = z:size(3)
  local r = norms(z):flatten(1, 2) / math.sqrt(d)
  local noise = norms(tensor.randn(r:size(1), d, { generator = tide.generator(5) })) / math.sqrt(d)
  return { norms = r, noise = noise, mean = r:mean():item(), std = r:std():item() }
end

-- Tokens with the directions of z and the radii r (..., 1).
local function with_radius(z, r) return z * (r / norms(z):unsqueeze(-1):clamp { min = 1e-12 }) end

local function db(x, y) return metrics.psnr(x, y, { peak = 2 }) end

-- Pairs of test images whose tokens exchange their radii: how far what is decoded is from
-- the image that gave the directions and from the one that gave the radii; and what
-- remains when all radii are sqrt(d).
function probe.swap(ae, tuned, data)
  local n = math.min(PAIRS, data.test:size(1) // 2)
  local a = data.test:narrow(1, 1, n)
  local za = rows.tokens(ae:latents(a))
  local zb = za:roll(1, 1)
  local function decode(z, by) return (by or ae):pictures(rows.grid(z, ae, data)):clamp(-1, 1) end
  local own, other = decode(za), decode(zb)
  local swapped = decode(with_radius(za, norms(zb):unsqueeze(-1)))
  local flat = with_radius(za, math.sqrt(za:size(3)))
  local on_shell, finetuned = decode(flat), decode(flat, tuned)
  local function first(x) return x:narrow(1, 1, math.min(SHOWN, n)) end
  return { direction = db(swapped, own), radius = db(swapped, other), between = db(own, other),
           reconstruction = db(own, a), on_shell = db(on_shell, a), finetuned = db(finetuned, a) },
    { { "image", first(a) }, { "its latents", first(own) }, { "direction from it", first(swapped) },
      { "radius from this", first(other) }, { "all on the shell", first(on_shell) },
      { "decoder finetuned", first(finetuned) } }
end

-- Quantities along the paths between noise and latents of test images, at times t: norms of
-- points as parts of sqrt(d), with 10 and 90 of 100 of them, and the share of the velocity's
-- square that is radial; and that share at t = 0 from the angles alone, (1 - cos w) / 2.
function probe.paths(ae, data)
  local z = rows.tokens(ae:latents(data.test:narrow(1, 1, math.min(PAIRS, data.test:size(1)))))
  local spec = { generator = tide.generator(6) }
  local noise = tensor.randn(z.shape, spec)
  local result, size = { t = {} }, math.sqrt(z:size(3))
  for i = 1, TIMES do result.t[i] = (i - 1) / (TIMES - 1) end
  for _, name in ipairs(rows.FIELDS) do
    local path = rows.path { field = name }
    local shell = name ~= "linear"
    local x0 = shell and tide.flow.sphere.project(noise) or noise
    local x1 = shell and tide.flow.sphere.project(z) or z
    local c = { norm = {}, low = {}, high = {}, radial = {} }
    for i, t in ipairs(result.t) do
      local p, u = path:at(x0, x1, t)
      local r = (norms(p) / size):flatten():sort(1)
      local n = r:numel()
      c.norm[i], c.low[i], c.high[i] = r:mean():item(), r:get(1 + n // 10), r:get(n - n // 10)
      local along = (p * u):sum(-1):square() / p:square():sum(-1):clamp { min = 1e-12 }
      c.radial[i] = along:mean():item() / u:square():sum(-1):mean():item()
    end
    result[name] = c
    if name == "shell" then
      -- weighted by |u|^2 = 2 R^2 (1 - cos w), as means of the parts are
      local far = 1 - tide.flow.sphere.angle(x0, x1):cos()
      result.expected = (far:square():mean() / (far:mean() * 2)):item()
    end
  end
  return result
end

-- Mean norms of the points of a sampler at the times of its steps.
function probe.trajectory(info, d)
  local c = { t = {}, norm = {} }
  for i, z in ipairs(info.trajectory) do
    c.t[i] = (i - 1) / (#info.trajectory - 1)
    c.norm[i] = norms(z):mean():item() / math.sqrt(d)
  end
  return c
end

return probe
