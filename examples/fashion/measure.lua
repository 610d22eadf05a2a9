-- measure.lua -- what fashion_ae.lua measures of an autoencoder: curves while it is
-- trained, its latents against the prior, its decoded samples against images.

local tide = require "tide"
local flow, metrics = tide.flow, tide.metrics
local models = require "fashion.models"

local measure = {}

local K = 5                            -- the neighbour of log r_k

local function mean_of(x) return x:mean():item() end
local function log_radius(y, data, self_matches)
  return mean_of(metrics.knn_log_radius(y, data, { k = K, drop_self = self_matches }))
end

-- The alignment loss of each row, per channel, from draws of its own.
local function align_of(field, z)
  return models.map(function(rows)
    local groups = require("tide.flow.loss").group_count(rows:size(1))
    return flow.align_loss(field, rows, { samples = 16, groups = groups,
                                          reduction = "none" })
  end, z) / z:size(2)
end

local function error_of(x) return x:std():item() / math.sqrt(x:numel()) end

---- the prior ----

-- What latents are held against: points of the prior, and its own figures on others of
-- its points.  Curves use the same draws of (t, noise) at every step, so they differ by
-- the latents only; curve_align is the floor on these draws.
function measure.yardstick(prior, field, o)
  tide.seed(1004)
  local d, n, draws = prior.dim, o.latents, 64
  local y = { prior = prior, field = field, reference = prior:reference(2 * n),
              fresh = prior:fresh(n), draws = flow.draws(draws, d) }
  local align = align_of(field, y.fresh)
  y.align, y.align_error = mean_of(align), error_of(align)
  y.curve_align = tide.no_grad(function()
    return flow.align_loss(field, y.fresh, { draws = y.draws }):item() / d
  end)
  y.log_radius = log_radius(y.fresh, y.reference)
  return y
end

---- while it is trained ----

-- The steps at which curves have a point, as a set: close together first, where most
-- happens.
function measure.moments(steps, n)
  local set = {}
  for i = 1, n do set[math.max(1, math.floor(steps * (i / n) ^ 2.5 + 0.5))] = true end
  return set
end

function measure.new_curve()
  return { step = {}, psnr = {}, align = {}, log_radius = {} }
end

-- Adds a point to the curve of an autoencoder, on some test images.
function measure.record(curve, step, ae, some, y)
  ae:eval()
  local z = models.latents(ae, some)
  tide.no_grad(function()
    table.insert(curve.step, step)
    table.insert(curve.psnr, metrics.psnr(models.decode(ae, z), some))
    table.insert(curve.align, flow.align_loss(y.field, z, { draws = y.draws }):item()
      / y.prior.dim)
    table.insert(curve.log_radius, log_radius(z, y.reference))
  end)
  ae:train()
end

---- at the end ----

-- What became of latents.  Those near the prior that are closer to each other than its
-- own points are, and closer to these or cheaper than they are, have collapsed towards
-- the inside of its modes: a low loss is then no merit.
local function verdict(r, y)
  if r.log_radius > y.log_radius + 1 then return "off the prior" end
  local denser = r.log_radius < y.log_radius - 0.05
  local cheaper = r.align < y.align - 3 * y.align_error
  if denser or cheaper then
    return r.spread < 0.85 and "collapsed" or "leans to collapse"
  end
  return r.log_radius < y.log_radius + 0.35 and "as the prior" or "near the prior"
end

-- The median distance of points to the mean of those around the same mode.
local function width_of_modes(z, nearest, count)
  local parts = {}
  for k = 1, count do
    local rows = nearest:eq(k):nonzero():flatten()
    if rows:numel() > 1 then
      local own = z:index_select(1, rows)
      parts[#parts + 1] = (own - own:mean(1, true)):norm(2, 2)
    end
  end
  local sorted = tide.tensor.cat(parts):sort(1)
  return sorted:get((sorted:numel() + 1) // 2)
end

-- The spread of latents over that of the prior: within its modes where it has modes,
-- else how far apart neighbours are.  And how many modes have a tenth of their share.
local function spread(r, z, y, n)
  local modes, fresh = y.prior.modes, y.fresh:narrow(1, 1, n)
  if not modes then
    r.spread = math.exp(log_radius(z, z, true) - log_radius(fresh, fresh, true))
    return
  end
  local m, own = metrics.modes(z, modes), metrics.modes(fresh, modes)
  r.occupancy, r.modes_reached = m.occupancy, 0
  r.spread = width_of_modes(z, m.nearest, #m.occupancy)
    / width_of_modes(fresh, own.nearest, #m.occupancy)
  for _, count in ipairs(m.occupancy) do
    if count * #m.occupancy > 0.1 * n then r.modes_reached = r.modes_reached + 1 end
  end
end

-- Latents of the test images against the prior.
function measure.latents(z, y)
  local align = align_of(y.field, z)
  local n = math.min(z:size(1), y.fresh:size(1))
  local p, q = metrics.precision_recall(z:narrow(1, 1, n), y.fresh:narrow(1, 1, n))
  local r = {
    align = mean_of(align), align_error = error_of(align),
    log_radius = log_radius(z, y.reference),
    sliced_w2 = metrics.sliced_wasserstein(z, y.fresh),
    latent_precision = p, latent_recall = q,
  }
  spread(r, z:narrow(1, 1, n), y, n)
  r.verdict = verdict(r, y)
  return r
end

-- Where an autoencoder's latents are drawn from to make images: the prior it was
-- aligned to, N(0, 1) of a variational one, else a normal distribution fitted to
-- the latents of the training images.
function measure.draw_latents(method, ae, n, x, y)
  if method == "vae" then
    return tide.tensor.randn(n, ae.latent, { generator = tide.generator(79) })
  end
  if method ~= "plain" and method ~= "cosine" then
    return y.fresh:size(1) >= n and y.fresh:narrow(1, 1, n) or y.prior:sample(n)
  end
  local z = models.latents(ae, x)
  local fit = flow.exact.gaussian { mean = z:mean(1), cov = z:cov() }
  return fit:sample(n, { generator = tide.generator(79) })
end

-- Images against the test images, in the features of the judge.
function measure.images(images, judge)
  local f = models.features(judge.net, images)
  local n = math.min(5000, f:size(1), judge.test_features:size(1))
  local precision, recall = metrics.precision_recall(f:narrow(1, 1, n),
    judge.test_features:narrow(1, 1, n))
  return {
    frechet = metrics.frechet(f, judge.test_features),
    precision = precision, recall = recall,
    class_score = metrics.class_score(models.probabilities(judge.net, images)),
  }
end

-- Everything about a trained autoencoder, in one table of figures.
function measure.all(method, ae, data, judge, y, run)
  local z = models.latents(ae, data.test)
  local r = measure.latents(z, y)
  local drawn = measure.draw_latents(method, ae, z:size(1), data.train, y)
  local images = models.decode(ae, drawn)
  for k, v in pairs(measure.images(images, judge)) do r[k] = v end
  local again = models.decode(ae, z)
  r.frechet_again = measure.images(again, judge).frechet   -- of reconstructions
  r.psnr = metrics.psnr(again, data.test)
  r.ssim = metrics.ssim(again:reshape(-1, data.height, data.width),
                        data.test:reshape(-1, data.height, data.width))
  local c = run.curve
  if #c.step > 2 then
    local log_align = {}
    for i, value in ipairs(c.align) do log_align[i] = math.log(value) end
    r.pearson = metrics.pearson(c.align, c.log_radius)
    r.pearson_log = metrics.pearson(log_align, c.log_radius)
    r.spearman = metrics.spearman(c.align, c.log_radius)
  end
  r.seconds = run.seconds
  return r, { latents = z, drawn = drawn, images = images, again = again }
end

return measure
