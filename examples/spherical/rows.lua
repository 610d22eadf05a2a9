-- rows.lua -- what the rows of the table of spherical.lua differ in: where latents lie, the
-- path from noise to them, the sampler and the decoder; and the nets on tokens.
--
-- Points are tokens (B, tokens, d): the channels of a latent picture at each of its places.

local tide = require "tide"
local nn, flow, tensor = tide.nn, tide.flow, tide.tensor
local sphere = flow.sphere
local nets = require "latent_flow.nets"
local autoencoder = require "images.autoencoder"

local rows = {}

---- paths ----

-- A path like `base` but for some of its functions.
local function variant(base, name, changes)
  changes.name = name or base.name
  return setmetatable(changes, { __index = base })
end

local straight, great = flow.path.linear(), flow.path.spherical()

local paths = {
  linear = straight,
  -- From the shell to the shell, straight through its inside.
  shell = variant(straight, "shell", { prior = function(_, like)
    return sphere.project(tensor.randn_like(like))
  end }),
  spherical = great,
  -- Great circles as they were learnt; a step is straight, and then renormalised.
  chord = variant(great, nil, { step = function(_, z, v, dt)
    return sphere.project(z + sphere.tangent(v, z) * dt)
  end }),
}

-- field: whose net; path: that of the sampler; shell: are latents on it; decoder: which.
rows.LIST = {
  { key = "linear", title = "linear path", field = "linear", decoder = "first" },
  { key = "control", title = "linear path, decoder finetuned", field = "linear", decoder = "tuned" },
  { key = "shell", title = "linear path on the shell", field = "shell", shell = true, decoder = "shell" },
  { key = "chord", title = "spherical path, linear sampler", field = "spherical", path = "chord",
    shell = true, decoder = "shell" },
  { key = "spherical", title = "spherical path, exponential map", field = "spherical", shell = true,
    decoder = "shell" },
}
rows.FIELDS = { "linear", "shell", "spherical" }

function rows.path(row) return paths[row.path or row.field] end

---- tokens ----

function rows.tokens(z) return z:flatten(3, 4):transpose(2, 3) end

-- Latent pictures (B, C, h, w) of tokens.
function rows.grid(z, ae, data)
  return z:transpose(2, 3):reshape(z:size(1), z:size(3), data.height // ae.factor, data.width // ae.factor)
end

-- A net on latent pictures as a field on tokens.
local Field = nn.Module:extend("TokenField")
function Field:init(shape, o)
  self.size, self.shape = shape, { shape[2] * shape[3], shape[1] }
  self.inner = nets.make(shape, o, 1)
  self.null_label = self.inner.null_label
end
function Field:forward(z, t, c)
  local s = self.size
  return rows.tokens(self.inner(z:transpose(2, 3):reshape(z:size(1), s[1], s[2], s[3]), t, c))
end

---- training ----

-- The field of a name, trained on draws from posteriors, given by their moments: with the same
-- seed all of them see the same images in the same order.
function rows.train(name, ae, data, moments, o)
  tide.seed(o.seed * 1000 + 1)
  local v = Field({ ae.latent, data.height // ae.factor, data.width // ae.factor }, o)
  local batches = tide.data.batches(moments, { labels = data.labels,
    batch = math.min(o.batch, data.train:size(1)) })
  local function draw()
    local _, part, labels = batches()
    local z = rows.tokens(nets.drawn(ae, part))
    return name == "linear" and z or sphere.project(z), o.classes and labels or nil
  end
  if o.watch then o.watch(v) end
  local run = flow.train(v, draw, { steps = o.steps, batch = o.batch, lr = o.lr, ema = o.ema, every = 5,
    optimizer = "AdamW", schedule = tide.optim.lr.cosine { warmup = math.min(50, o.steps // 10) },
    path = paths[name], label = "flow, " .. name, report = o.report, report_every = 5 })
  return v:freeze(), run
end

-- The autoencoder with its decoder trained on, the encoder frozen and no KL; on the shell it
-- reads latents projected there.
function rows.tune(ae, data, shell, o)
  tide.seed(o.seed * 1000 + 2)
  local tuned = ae:clone()
  tuned.decoder:requires_grad_(true)
  local function loss(x)
    local z = tide.no_grad(function()
      local z = tuned:sample(tuned:encode(x)) * tuned.scale
      return (shell and rows.on_shell(z) or z) / tuned.scale
    end)
    return (tuned:decode(z) - x):square():mean()
  end
  autoencoder.fit(tuned, data.train, { loss = loss, parameters = tuned.decoder:parameters(),
    steps = o["tune-steps"], batch = o["ae-batch"], lr = o["tune-lr"],
    label = shell and "decoder, on the shell" or "decoder" })
  return tuned:freeze()
end

-- Latent pictures with each token at radius sqrt(d).
function rows.on_shell(z)
  return sphere.project(z:permute(1, 3, 4, 2)):permute(1, 4, 2, 3)
end

---- samples ----

-- Points of a row, from the same noise for all rows of a seed.
function rows.sample(row, v, o, solver_steps)
  tide.seed(o.seed * 1000 + 3)
  local z, info = flow.sample(v, o.samples, { labels = o.sample_labels, path = rows.path(row),
    steps = solver_steps or o["solver-steps"], trajectory = solver_steps == nil })
  return row.shell and sphere.project(z) or z, info
end

return rows
