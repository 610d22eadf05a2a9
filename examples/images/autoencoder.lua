-- autoencoder.lua -- training of nn.AutoencoderKL for the examples on images, as it is
-- needed again and again: averages of weights, checkpoints that go on bit by bit, kept
-- for all runs with the same options.

local tide = require "tide"
local cache = require "images.cache"

local autoencoder = {}

-- Mean squared error and the KL of the posterior for each pixel.
function autoencoder.loss(ae, x, kl)
  local y, mean, log_var = ae(x)
  local pixels = x:numel() / x:size(1)
  return (y - x):square():mean() + ae:kl(mean, log_var):mean() * (kl / pixels)
end

-- Is there a checkpoint at the path that this run is to go on from?  One of a run with
-- other options is an error.
function autoencoder.left_over(path, o)
  if not o.resume or not tide.checkpoint.exists(path) then return false end
  local was = tide.checkpoint.load(path, nil, { random = false }).key
  if was ~= o.key then
    error(("--resume: %s is of a run with other options (%s; now %s)"):format(path,
      tostring(was), o.key), 0)
  end
  return true
end

-- Trains ae on images x: o.steps, o.batch, o.lr, o.kl; loss(x) instead of the usual one,
-- of the parameters o.parameters.  With o.checkpoint = {path=, every=} it is saved along
-- the way, with o.resume and o.key it goes on from there.  o.see(step) is called in each
-- step.  Ends with averages as its weights, and returns the processor seconds it took.
function autoencoder.fit(ae, x, o)
  local parameters = o.parameters or ae:parameters()
  local optimizer = tide.optim.Adam(parameters, { lr = o.lr })
  local average = tide.optim.EMA(parameters, { decay = o.ema or 0.998, warmup = true })
  local batches = tide.data.batches(x, { batch = math.min(o.batch, x:size(1)) })
  local kept = { model = ae, optimizer = optimizer, average = average, batches = batches }
  local place, seconds = o.checkpoint or {}, 0
  if place.path and autoencoder.left_over(place.path, o) then
    seconds = tide.checkpoint.load(place.path, kept).seconds
  end
  local loss_of = o.loss or function(rows) return autoencoder.loss(ae, rows, o.kl) end
  local update = tide.capture(function(rows)
    local loss = loss_of(rows)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    average:update()
    return loss
  end, { fallback = true })
  local cosine = tide.optim.lr.cosine { warmup = math.min(50, o.steps // 10) }
  local bar <close> = tide.progress { label = o.label or "autoencoder", total = o.steps,
                                      step = batches.step }
  local started = os.clock() - seconds
  for step = batches.step + 1, o.steps do
    local _, rows = batches()
    optimizer.lr = o.lr * cosine(step, o.steps)
    local loss = update(rows)
    if o.see then o.see(step, loss) end
    bar:update(step, { loss = loss })
    if place.path and (step % place.every == 0 or step == o.steps) then
      kept.key, kept.seconds = o.key, os.clock() - started
      tide.checkpoint.save(place.path, kept)
    end
  end
  average:apply()
  return os.clock() - started
end

-- The autoencoder of a data set: from the cache, or trained now.  o has width, latent,
-- factor, kl, steps, batch, lr, cache; checkpoint and resume as fit.  Returns it, frozen,
-- its scale measured; and the processor seconds of its training, whenever that was.
function autoencoder.get(data, o)
  local spec = { channels = data.channels, width = o.width, latent = o.latent,
                 factor = o.factor, blocks = o.blocks }
  local key = ("autoencoder 1, %s, width %d, latent %d, factor %d, blocks %s, kl %g, " ..
    "%d steps of %d, lr %g"):format(data.key, o.width, o.latent, o.factor,
    table.concat(o.blocks, "-"), o.kl, o.steps, o.batch, o.lr)
  tide.seed(1002)
  local Kept = tide.nn.Module:extend("Kept")
  function Kept:init()
    self.ae = tide.nn.AutoencoderKL(spec)
    self.seconds = tide.tensor.zeros(1)
  end
  local kept, cached = cache.net(Kept(), o.cache, "autoencoder", key, function(kept)
    local seconds = autoencoder.fit(kept.ae, data.train, setmetatable({ key = key }, { __index = o }))
    kept.ae:measure_scale(data.train)
    kept.seconds:fill_(seconds)
  end)
  return kept.ae, kept.seconds:item(), cached
end

return autoencoder
