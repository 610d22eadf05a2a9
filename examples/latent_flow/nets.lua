-- nets.lua -- the velocity nets of latent_flow.lua, where their data comes from, and
-- their training.

local tide = require "tide"
local nn, flow, tensor = tide.nn, tide.flow, tide.tensor
local cache = require "images.cache"
local autoencoder = require "images.autoencoder"

local nets = {}

---- nets ----

-- flow.VelocityMLP on pictures: their numbers in a row, behind them those of the image
-- that is read beside them.
local FlatMLP = nn.Module:extend("FlatMLP")
function FlatMLP:init(shape, o)
  local channels, h, w = table.unpack(shape)
  self.shape, self.size, self.beside = shape, channels * h * w, o.extra
  self.inner = flow.VelocityMLP { dim = (channels + o.extra) * h * w, hidden = o.width,
    blocks = o.depth, classes = o.classes }
  self.null_label = self.inner.null_label
end
function FlatMLP:forward(z, t, c)
  local labels, image = c, nil
  if type(c) == "table" then labels, image = c.labels, c.image end
  local rows = z:flatten(2, 4)
  if self.beside > 0 then rows = tensor.cat({ rows, image:flatten(2, 4) }, 2) end
  return self.inner(rows, t, labels):narrow(2, 1, self.size):reshape(z.shape)
end

local make = {}

function make.mlp(shape, o) return FlatMLP(shape, o) end

function make.dit(shape, o)
  return nn.DiT { size = { shape[2], shape[3] }, channels = shape[1], patch = o.patch, width = o.width,
    depth = o.depth, heads = o.heads, classes = o.classes, extra = o.extra, qk_norm = true }
end

-- Sizes are halved down to about 4 pixels a side.
function make.unet(shape, o)
  local mults, side = { 1 }, math.min(shape[2], shape[3])
  while side > 4 do
    mults[#mults + 1], side = 2, (side + 1) // 2
  end
  return nn.UNet { size = { shape[2], shape[3] }, channels = shape[1], width = o.width, mults = mults,
    blocks = o.depth, heads = o.heads, classes = o.classes, extra = o.extra }
end

-- A net on points of this shape; patch: pixels along a token of a transformer; extra:
-- channels of an image beside the points.
function nets.make(shape, o, patch, extra)
  return make[o.net](shape, { width = o.width, depth = o.depth, heads = o.heads, patch = patch,
    classes = o.classes, extra = extra or 0 })
end

-- Weights of a trained net for one that reads an image beside the points: where a layer
-- is larger, what is new starts at zero, so it starts as the same field.
function nets.warm_start(net, trained)
  local from = trained:state_dict()
  tide.no_grad(function()
    for name, p in pairs(net:state_dict()) do
      local given = from[name]
      if given then
        p:fill_(0)
        for d = 1, p:dim() do p = p:narrow(d, 1, given:size(d)) end
        p:copy_(given)
      end
    end
  end)
  return net
end

---- data ----

local Source = {}
Source.__index = Source

function Source:sample() return self.draw(self.batches) end
function Source:state_dict() return self.batches:state_dict() end
function Source:load_state_dict(state) return self.batches:load_state_dict(state) end

-- A source for flow.train: draw(batches) gives rows and their condition.
function nets.source(x, labels, batch, draw)
  return setmetatable({ draw = draw, batches = tide.data.batches(x, {
    labels = labels, batch = math.min(batch, x:size(1)) }) }, Source)
end

-- Means and log variances of the latents of all training images, side by side.
function nets.moments(ae, x)
  return cache.map(function(rows) return tensor.cat({ ae:encode(rows) }, 2) end, x)
end

-- A draw from the posteriors, scaled.
function nets.drawn(ae, moments)
  return tide.no_grad(function() return ae:sample(table.unpack(moments:chunk(2, 2))) * ae.scale end)
end

---- training ----

-- Trains v in o.parts pieces of equal length; look(run, share) is called between them, with
-- the averages of the weights in v, and changes no number of the training.  Goes on from
-- its checkpoint with o.resume, if that was made with the same o.key.  Returns the run and the
-- processor seconds.
function nets.train(v, source, o)
  local piece = math.max(1, o.steps // o.parts)
  local total = piece * o.parts
  local rest = { seconds = 0, curve = o.curve or {} }
  local path = o.checkpoint > 0 and o.path or nil
  local spec = { steps = piece, batch = o.batch, lr = o.lr, ema = o.ema, every = 5,
    optimizer = "AdamW", label = o.label, label_drop = 0.1, report = o.report, report_every = 5,
    schedule = tide.optim.lr.cosine { warmup = math.min(50, total // 10), steps = total },
    resume = path and autoencoder.left_over(path, o) and path or nil,
    checkpoint = path and { path = path, every = o.checkpoint, with = { rest = rest, key = o.key } } }
  local run
  repeat
    local started = os.clock()
    run = flow.train(v, source, spec)
    if run.with then                   -- what was noted before the kill
      rest.seconds, run.with.rest.seconds = run.with.rest.seconds, nil
      for k, list in pairs(run.with.rest.curve) do rest.curve[k] = list end
      run.with = nil
    end
    rest.seconds = rest.seconds + os.clock() - started
    spec.resume = run
    if o.look then
      local stream = tide.random_state()
      o.look(run, rest.curve)
      tide.random_state(stream)
    end
  until run.step >= total
  return run, rest.seconds
end

return nets
