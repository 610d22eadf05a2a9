-- latent_flow.lua -- flow matching in the latent space of an autoencoder, after Dao, Phung,
-- Nguyen and Tran 2023 (arXiv 2307.08698), on images that a laptop can handle.
--
-- 1. A convolutional KL autoencoder is trained once for a data set, frozen and kept.
-- 2. A velocity net is trained on its latents, with labels that are dropped one time in
--    ten, so that it is a field with and without class; beside it one on pixels, of the
--    same kind and with the same processor time, the autoencoder's included.
-- 3. From the latent flow start two that are told more: inpainting, and images from maps.
-- 4. Samples are judged, samplers compared, and the bound on their distance is drawn.

local tide = require "tide"
local script = require "tide.script"
local tensor, flow, metrics = tide.tensor, tide.flow, tide.metrics

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path
local images = require "images.data"
local judges = require "images.judge"
local autoencoder = require "images.autoencoder"
local nets = require "latent_flow.nets"
local edit = require "latent_flow.edit"
local bounds = require "latent_flow.bound"
local pictures = require "latent_flow.pictures"
local options = require "latent_flow.options"
local report = require "latent_flow.report"

---- the stages ----

local function checkpoint_of(out, name) return out:path(("checkpoint_%s.safetensors"):format(name)) end

local function get_autoencoder(data, out, o)
  return autoencoder.get(data, {
    width = o["ae-width"], latent = o.latent, factor = o.factor, blocks = o.blocks, kl = o.kl,
    steps = o["ae-steps"], batch = o["ae-batch"], lr = o["ae-lr"], cache = o.cache, resume = o.resume,
    checkpoint = o.checkpoint > 0 and
      { path = checkpoint_of(out, "autoencoder"), every = o.checkpoint } or nil })
end

-- Options of nets.train for the stage of a name.
local function stage(name, steps, out, o, more)
  local spec = { steps = steps, parts = 1, batch = o.batch, lr = o.lr, ema = o.ema, checkpoint = o.checkpoint,
    path = checkpoint_of(out, name), resume = o.resume, label = name }
  spec.key = ("seed %d, data %s, net %s, width %d, depth %d, batch %d, lr %g, ema %g"):format(o.seed, o.data,
    o.net, o.width, o.depth, o.batch, o.lr, o.ema)
  for k, v in pairs(more or {}) do spec[k] = v end
  return spec
end

local function watched(o, title, v, decode)
  if not o.watch then return nil end
  o.watch:begin(title, v, decode)
  return function(info) o.watch:see(info) end
end

local function latent_shape(ae, data)
  return { ae.latent, data.height // ae.factor, data.width // ae.factor }
end

-- The flow on latents, with the curves of the bound on the way.
local function latent_flow(data, ae, moments, setting, out, o)
  tide.seed(o.seed * 1000 + 1)
  local v = nets.make(latent_shape(ae, data), o, o.patch)
  local source = nets.source(moments, data.labels, o.batch, function(batches)
    local _, rows, labels = batches()
    return nets.drawn(ae, rows), o.classes and labels or nil
  end)
  local curve = {}
  if setting then
    local stream = tide.random_state()
    bounds.record(curve, 0, v, setting)
    tide.random_state(stream)
  end
  local run, seconds = nets.train(v, source, stage("latent", o.steps, out, o, {
    parts = setting and o.points or 1, curve = curve,
    report = watched(o, "latents", v, function(z) return ae:pictures(z) end),
    look = setting and function(run, so_far)
      if so_far.step[#so_far.step] < run.step then bounds.record(so_far, run.step, v, setting) end
    end }))
  return v, run, seconds, curve
end

-- How many steps on pixels take as long as these seconds.
local function affordable(v, source, seconds, o)
  local function time(steps)
    local trial, started = v:clone(), os.clock()
    flow.train(trial, source, { steps = steps, batch = o.batch, ema = o.ema })
    return os.clock() - started
  end
  time(2)
  return math.max(1, math.floor(seconds / (time(11) - time(3)) * 8))
end

-- The control: a net of the same kind on pixels.  A transformer gets as many tokens.
local function pixel_flow(data, seconds, out, o)
  tide.seed(o.seed * 1000 + 2)
  local v = nets.make(data.shape, setmetatable({ width = o["pixel-width"] }, { __index = o }),
                      o.factor * o.patch)
  local function source()
    return nets.source(data.train, data.labels, o.batch, function(batches)
      local _, x, labels = batches()
      return x, o.classes and labels or nil
    end)
  end
  local steps, kept = o["pixel-steps"], checkpoint_of(out, "budget")
  if steps == 0 and o.resume and tide.checkpoint.exists(kept) then
    steps = tide.checkpoint.load(kept, nil, { random = false }).steps
  elseif steps == 0 then
    steps = affordable(v, source(), seconds, o)
    tide.checkpoint.save(kept, { steps = steps })
  end
  tide.seed(o.seed * 1000 + 3)
  local run, used = nets.train(v, source(), stage("pixel", steps, out, o,
    { report = watched(o, "pixels", v, function(x) return x end) }))
  return v, run, used
end

-- A flow that reads more, started from the latent one.
local function told(name, v, source, out, o)
  tide.seed(o.seed * 1000 + 4)
  local _, seconds = nets.train(v, source, stage(name, o["edit-steps"], out, o, {}))
  return seconds
end

---- measures ----

-- Samples of a net and their figures; decode makes pictures of points.
local function judged(v, judge, labels, cfg, decode, o)
  tide.seed(o.seed * 1000 + 10)
  local started = os.clock()
  local z, info = flow.sample(v, o.samples, {
    labels = labels, cfg = cfg, solver = o.solver, steps = o.nfe_steps })
  local x = decode(z):clamp(-1, 1)
  local seconds = os.clock() - started
  local r = judge:measure(x, { labels = labels })
  r.nfe, r.sampling_seconds = info.net_nfe, seconds
  return r, x
end

-- The same noise through several samplers: distance of the latents from those of dopri5,
-- and figures of the images.
local function samplers(v, ae, judge, labels, o)
  tide.seed(o.seed * 1000 + 11)
  local n = math.min(o.samples, 150)
  local z0, rows = tensor.randn(n, table.unpack(v.shape)), {}
  labels = labels and labels:narrow(1, 1, n)
  local best
  for _, s in ipairs { { "dopri5", 1 }, { "euler", 5 }, { "euler", 10 }, { "euler", 25 }, { "heun", 3 },
                       { "heun", 5 }, { "heun", 12 } } do
    local started = os.clock()
    local z, info = flow.sample(v, z0, {
      labels = labels, solver = s[1], steps = s[2], rtol = 1e-5, atol = 1e-5 })
    local seconds = os.clock() - started
    best = best or z
    local r = judge:measure(ae:pictures(z), { labels = labels })
    rows[#rows + 1] = { solver = s[1], nfe = info.net_nfe, seconds = seconds, frechet = r.frechet,
      accuracy = r.accuracy, apart = math.sqrt((z - best):square():mean():item()) }
  end
  return rows
end

---- pictures ----

local function save_pictures(out, shown, s, o)
  if not tide.plot.can_save then
    print("(this build has no drawing: no pictures)")
    return
  end
  out:figure("samples", pictures.samples(shown.samples))
  if shown.inpaint then out:figure("inpainting", pictures.inpainting(shown.inpaint, edit.KINDS)) end
  if shown.map then out:figure("maps", pictures.mapped(shown.map)) end
  if shown.curve then out:figure("bound", pictures.bound(shown.curve, s.bound)) end
  if s.samplers then out:figure("samplers", pictures.samplers(s.samplers)) end
end

local SHOWN = 60                       -- samples in a picture, and among them first those by class

-- Labels in turn, so that sheets of ten columns have a class in each.
local function labels_in_turn(n, classes)
  return (tensor.arange(0, n - 1, { dtype = "i64" }) % classes) + 1
end

local function first(x) return x:narrow(1, 1, math.min(SHOWN, x:size(1))) end

-- The latent flow and its figures, in s and shown.
local function latents(data, judge, ae, moments, out, s, shown, o)
  local setting
  if o.does.bound then
    tide.seed(1004)
    setting = bounds.setting(ae, data, o)
  end
  local v, run, seconds, curve = latent_flow(data, ae, moments, setting, out, o)
  local function decode(z) return ae:pictures(z) end
  local x
  s.latent, x = judged(v, judge, o.labels, 1, decode, o)
  s.latent.train_seconds, s.latent.steps = s.autoencoder_seconds + seconds, run.step
  shown.samples[1] = { ("latent flow: Frechet %.2f"):format(s.latent.frechet), first(x) }
  if o.classes then
    s.guided, x = judged(v, judge, o.labels, o.guidance, decode, o)
    shown.samples[2] = { ("latent flow, guidance %g: Frechet %.2f"):format(o.guidance, s.guided.frechet),
      first(x) }
    s.unconditional = judged(v, judge, nil, 1, decode, o)
  end
  out:save("samples.npy", ((x + 1) * 127.5):round():to("u8"))
  if o.does.samplers then s.samplers = samplers(v, ae, judge, o.labels, o) end
  if setting then
    shown.curve, s.bound = curve, { error = setting.error, decoder = setting.decoder,
      sliced_again = setting.sliced_again, sliced_data = setting.sliced_data }
    for key, list in pairs(curve) do s.bound[key] = list[#list] end
    out:csv("bound.csv", { "step", "loss", "field", "growth", "sliced", "bound" },
      { curve.step, curve.loss, curve.field, curve.growth, curve.sliced, curve.bound })
  end
  out:save("velocity.safetensors", v:state_dict())
  return v
end

-- The first test image of each class, then the second ones, as samples are laid out.
local function real_images(data, n)
  local labels, rows, taken = data.test_labels:totable(), {}, {}
  for i = 1, n do
    local class = (i - 1) % data.classes + 1
    local at = (taken[class] or 0) + 1
    while at <= #labels and labels[at] ~= class do at = at + 1 end
    if at > #labels then break end
    taken[class], rows[i] = at, at
  end
  return data.test:index_select(1, tensor.from(rows, { dtype = "i64" }))
end

local function pixels(data, judge, out, s, shown, o)
  local v, run, seconds = pixel_flow(data, s.latent.train_seconds, out, o)
  local x
  s.pixel, x = judged(v, judge, o.labels, 1, function(x) return x end, o)
  s.pixel.train_seconds, s.pixel.steps = seconds, run.step
  table.insert(shown.samples, { ("flow on pixels: Frechet %.2f"):format(s.pixel.frechet), first(x) })
end

local function edits(v, data, judge, ae, moments, out, s, shown, o)
  if o.does.inpaint then
    local net = nets.warm_start(nets.make(v.shape, o, o.patch, ae.latent + 1), v)
    local seconds = told("inpaint", net, edit.inpainting_source(ae, data, o.batch), out, o)
    s.inpaint, shown.inpaint = edit.judge_inpainting(net, ae, data, judge, o)
    s.inpaint.train_seconds = seconds
  end
  if o.does.map then
    local net = edit.mapped(nets.warm_start(nets.make(v.shape, o, o.patch, ae.latent), v), ae.latent)
    local seconds = told("map", net, edit.mapped_source(ae, data, moments, o.batch), out, o)
    s.map, shown.map = edit.judge_mapped(net, ae, data, judge, o)
    s.map.train_seconds = seconds
  end
end

local function main(o)
  if o.features then
    local r = judges.outside(o.features)
    script.table({ "in the features given", "Frechet", "precision", "recall" },
                 { { o.features, r.frechet, r.precision, r.recall } })
    return r
  end
  local started, busy = tide.clock(), os.clock()
  options.complete(o)
  local out = script.results(o.out)
  require("tide.data.core").mkdir(o.cache)
  local data = images.load(o.data, { train = o.train, test = o.test })
  o.classes = data.classes > 1 and data.classes or nil
  o.labels = o.classes and labels_in_turn(o.samples, o.classes) or nil
  o.watch = o.show and require("latent_flow.watch").open(data.classes) or nil
  local judge = judges.make(data, { cache = o.cache, steps = o["judge-steps"] })
  local ae, seconds, cached = get_autoencoder(data, out, o)
  local some = data.test:narrow(1, 1, math.min(2000, data.test:size(1)))
  local again = ae:pictures(ae:latents(some)):clamp(-1, 1)
  local s = { data = o.data, preset = o.preset, net = o.net, seed = o.seed, device = o.device,
    steps = o.steps, guidance = o.guidance, autoencoder_seconds = seconds, autoencoder_cached = cached,
    autoencoder_psnr = metrics.psnr(again, some, { peak = 2 }), latent_scale = ae.scale:item(),
    latent_shape = table.concat(latent_shape(ae, data), " x "),
    autoencoder = judge:measure(again, { labels = data.test_labels:narrow(1, 1, some:size(1)) }),
    real = judge.real }
  local shown, moments = { samples = {} }, nets.moments(ae, data.train)
  local v = latents(data, judge, ae, moments, out, s, shown, o)
  if o.does.pixel then pixels(data, judge, out, s, shown, o) end
  table.insert(shown.samples, { "test images", real_images(data, SHOWN) })
  edits(v, data, judge, ae, moments, out, s, shown, o)
  s.seconds, s.processor_seconds = tide.clock() - started, os.clock() - busy
  save_pictures(out, shown, s, o)
  out:json("summary.json", s)
  for _, name in ipairs { "autoencoder", "latent", "budget", "pixel", "inpaint", "map" } do
    os.remove(checkpoint_of(out, name))
  end
  report(s, o)
  print("results are in " .. out.dir)
  if o.watch then o.watch:stay() end
end

script.main(options.SPEC, main, arg)
