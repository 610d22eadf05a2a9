-- models.lua -- the networks of fashion_ae.lua: the autoencoder, what each method adds
-- to its reconstruction loss, the classifier that judges.

local tide = require "tide"
local tensor, nn, flow = tide.tensor, tide.nn, tide.flow
local cache = require "images.cache"

local models = {}

---- the autoencoder ----

local Autoencoder = nn.Module:extend("Autoencoder")

-- Images are rows of pixels in [0, 1].  A variational one has a mean and a log
-- variance for each latent; in a standardised one each latent has mean 0 and variance 1
-- over a batch, as the prior has, so that all cannot fall into one of its modes.
function Autoencoder:init(pixels, o)
  local w, d = o.width, o.latent
  self.latent, self.variational = d, o.variational
  self.encoder = nn.MLP { pixels, w, w // 2, o.variational and 2 * d or d }
  self.decoder = nn.MLP { d, w // 2, w, pixels }
  if o.standardize and not o.variational then
    self.norm = nn.BatchNorm(d, { affine = false })
  end
end

-- The latents (their mean, in a variational one), and the log variance.
function Autoencoder:encode(x)
  local h = self.encoder(x)
  if not self.variational then return self.norm and self.norm(h) or h end
  return h:narrow(2, 1, self.latent), h:narrow(2, self.latent + 1, self.latent)
end

function Autoencoder:decode(z) return self.decoder(z):sigmoid() end

models.map, models.cached = cache.map, cache.net

function models.latents(ae, x)
  return models.map(function(rows) return (ae:encode(rows)) end, x)
end
function models.decode(ae, z)
  return models.map(function(rows) return ae:decode(rows) end, z)
end
function models.reconstruct(ae, x)
  return models.map(function(rows) return ae:decode((ae:encode(rows))) end, x)
end

---- what a method adds to the reconstruction loss ----
--
-- Each entry makes an object: loss(z, log_var, features of the batch) is what is added,
-- a mean over channels, so weights mean the same for 2 and for 32 latents, and 0.01 is
-- the weight of the paper; net is trained along with the autoencoder; keep has what
-- else a checkpoint needs.

local penalties = {}

function penalties.plain() return {} end

-- KL(N(mean, var) || N(0, 1)), as in variational autoencoders.
function penalties.vae(o)
  return { loss = function(z, log_var)
    return (z:square() + log_var:exp() - log_var - 1):mean() * (0.5 * o.beta)
  end }
end

-- Per-sample feature matching, as done with features of vision networks: a linear
-- map W learned along turns each latent into the direction of the features f of *its
-- own image*, 1 - cos(W z, f).  It ties latents one by one to a network, but says
-- nothing of how they are distributed as a whole, which is what a prior is about.
function penalties.cosine(o)
  local map = nn.Linear(o.latent, o.features, { bias = false })
  return { net = map, loss = function(z, _, features)
    local a = map(z)
    local cos = (a * features):sum(2) /
      (a:square():sum(2) * features:square():sum(2) + 1e-12):sqrt()
    return (1 - cos):mean() * o["cosine-weight"]
  end }
end

-- The residual of the frozen flow, which is summed over dimensions, per channel.
local function aligned(weight)
  return function(o)
    return { loss = function(z)
      return flow.align_loss(o.flow, z, { samples = o.draws, groups = o.groups,
        weight = weight, clip = weight == "likelihood" and 20 or nil })
        * (o.lambda / o.latent)
    end }
  end
end
penalties.align, penalties.likelihood = aligned("uniform"), aligned("likelihood")

-- The alignment loss minus that of a second flow, fitted to the latents all along.  It
-- vanishes where latents are distributed as the prior, so it can weigh more.
function penalties.excess(o)
  local second = flow.critic(o.flow, { batch = o.batch })
  return { keep = { second = second.net, second_optimizer = second.optimizer },
    loss = function(z)
      second:update(z)
      return flow.excess_loss(o.flow, z, { critic = second, samples = o.draws,
        groups = o.groups }) * (o.excess * o.lambda / o.latent)
    end }
end

-- An autoencoder for a method, and what the method adds.
function models.make(method, pixels, o)
  local ae = Autoencoder(pixels, { width = o.width, latent = o.latent,
    standardize = o.standardize, variational = method == "vae" })
  local penalty = penalties[method](o)
  ae.own = penalty.net             -- so that one optimiser trains both
  return ae, penalty
end

---- the judge ----

-- A small classifier; its last hidden layer gives the features in which images are
-- compared.
function models.classifier(pixels, classes)
  return nn.MLP { pixels, 256, 64, classes, act = "relu" }
end

function models.train_classifier(net, x, labels, o)
  local optimizer = tide.optim.Adam(net:parameters(), { lr = 1e-3 })
  local cosine, steps = tide.optim.lr.cosine { warmup = 20 }, o.steps
  for step, images, y in tide.data.batches(x, { batch = o.batch, labels = labels }) do
    optimizer.lr = 1e-3 * cosine(step, steps)
    local loss = nn.cross_entropy(net(images), y)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    if step == steps then return end
  end
end

function models.features(net, x)
  return models.map(function(rows) return net(rows, 2) end, x)
end
function models.probabilities(net, x)
  return models.map(function(rows) return net(rows):softmax(2) end, x)
end

return models
