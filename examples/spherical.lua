-- spherical.lua -- flow matching on the sphere, after arXiv 2605.15193: latents of images
-- with every token at radius sqrt(d), great circles for paths, and steps by the
-- exponential map; beside it each of its parts alone.
--
-- 1. Radius and direction of the latents of an autoencoder are measured.
-- 2. Its decoder is finetuned on projected latents, and on the latents as they are.
-- 3. A flow is trained for each path, and every row of the table is sampled and judged.
--
-- With --toy: a mixture on the sphere in three dimensions, whose density is known, and
-- latents that a flow on the sphere aligns to it.

local tide = require "tide"
local script = require "tide.script"
local tensor, metrics = tide.tensor, tide.metrics

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path
local images = require "images.data"
local presets = require "images.presets"
local judges = require "images.judge"
local autoencoder = require "images.autoencoder"
local nets = require "latent_flow.nets"
local rows = require "spherical.rows"
local probe = require "spherical.probe"
local pictures = require "spherical.pictures"
local toy = require "spherical.toy"

-- Options by preset: name, laptop, paper (its sizes), test (seconds), what it is, least.  Those
-- of the autoencoder and the judge are latent_flow.lua's, which share them.
local BY_PRESET = {
  { "net", "unet", "dit", "dit", "of velocity: dit, unet or mlp" },
  { "width", 32, 768, 16, "of the velocity nets" },
  { "depth", 1, 12, 1, "blocks of them (unet: at each size)" },
  { "heads", 4, 12, 2, "of their attention" },
  { "steps", 1500, 400000, 12, "of each flow" },
  { "batch", 64, 256, 8, "points in a step" },
  { "lr", 2e-3, 1e-4, 2e-3, "learning rate, which falls to 0 by a cosine" },
  { "ema", 0.99, 0.9999, 0.9, "decay of the averages of weights" },
  { "tune-steps", 250, 50000, 5, "of finetuning a decoder", 0 },
  { "tune-lr", 2e-3, 1e-4, 2e-3, "learning rate of that" },
  { "ae-width", 12, 128, 4, "channels of the autoencoder at full size" },
  { "ae-blocks", "0,1,1", "2,2,2", "0,0,0", "its residual blocks at each size, from full size down" },
  { "ae-steps", 2000, 100000, 12, "of its training" },
  { "ae-batch", 16, 64, 8, "images in a step of it, and of finetuning" },
  { "ae-lr", 5e-3, 1e-4, 5e-3, "its learning rate" },
  { "kl", 1e-3, 1e-6, 1e-3, "weight of its KL, for each pixel" },
  { "judge-steps", 2500, 10000, 60, "of the classifier in whose features images are compared" },
  { "samples", 500, 10000, 40, "that are judged", 5 },
  { "solver-steps", 20, 250, 3, "of the sampler" },
  { "train", 60000, 1000000, 400, "at most so many images to train with", 8 },
  { "test", 10000, 1000000, 100, "at most so many test images", 5 },
}
local ONE_OF = { net = { dit = true, unet = true, mlp = true } }
local FEW = { 3, 6 }                   -- further numbers of steps for the two samplers on the sphere

local SPEC = {
  name = "spherical",
  about = "Flow matching on the sphere: latents of images by direction alone, or a toy in three dimensions.",
  options = {
    { "toy", false, "a mixture on the sphere with known density, and latents aligned to it" },
    { "data", "fashion", images.HELP },
    presets.option "its sizes",
    { "latent", 4, "channels of the latents: the dimension d of a token", least = 2 },
    { "factor", 4, "how many pixels along a latent, a power of 2", least = 2 },
    { "cache", "runs/cache", "folder for autoencoder and classifier, trained once" },
    { "align-steps", nil, "of moving latents (--toy)", type = "number", whole = true },
    { "show", false, "a window on what is trained" },
  },
}
presets.add(SPEC, BY_PRESET, ONE_OF)
SPEC.figures = { "psnr.first", "psnr.tuned", "psnr.shell" }
for _, row in ipairs(rows.LIST) do
  for _, figure in ipairs { "frechet", "precision", "recall", "accuracy" } do
    table.insert(SPEC.figures, ("rows.%s.%s"):format(row.key, figure))
  end
end
for _, n in ipairs(FEW) do
  for _, key in ipairs { "chord", "spherical" } do
    table.insert(SPEC.figures, ("few.%s.%d"):format(key, n))
  end
end

local function get_autoencoder(data, o)
  local blocks = {}
  for n in o["ae-blocks"]:gmatch "%d+" do blocks[#blocks + 1] = math.tointeger(n) end
  return autoencoder.get(data, { width = o["ae-width"], latent = o.latent, factor = o.factor,
    blocks = blocks, kl = o.kl, steps = o["ae-steps"], batch = o["ae-batch"], lr = o["ae-lr"],
    cache = o.cache })
end

local SHOWN = 50                       -- samples of a row in a picture

local function first(x, n) return x:narrow(1, 1, math.min(n, x:size(1))) end

-- Samples of every row in the features of the judge; and of the two samplers on the sphere
-- with fewer steps.
local function judge_rows(fields, decoders, judge, data, s, shown, o)
  s.rows, s.few = {}, {}
  local function decode(z, row)
    local ae = decoders[row.decoder]
    return ae:pictures(rows.grid(z, ae, data)):clamp(-1, 1)
  end
  local z, info
  for _, row in ipairs(rows.LIST) do
    if row.key ~= "control" then z, info = rows.sample(row, fields[row.field], o) end
    local x = decode(z, row)
    local r = judge:measure(x, { labels = o.sample_labels })
    r.nfe = info.net_nfe
    s.rows[row.key] = r
    table.insert(shown.samples, { ("%s: Frechet %.2f"):format(row.title, r.frechet), first(x, SHOWN) })
    shown.trajectories[row.key] = probe.trajectory(info, decoders.first.latent)
    if row.path == "chord" or row.key == "spherical" then
      local few = {}
      for _, n in ipairs(FEW) do
        local y = rows.sample(row, fields[row.field], o, n)
        few[tostring(n)] = judge:measure(decode(y, row)).frechet
      end
      s.few[row.key] = few
    end
  end
end

---- the report ----

local function print_table(s, o)
  print(("\n%s: %s latents, tokens of %d; norms %.3f sqrt(d) on average, standard deviation %.3f.")
    :format(o.data, s.latent_shape, o.latent, s.norm_mean, s.norm_std))
  local w = s.swap
  print(("Radii exchanged between images: what is decoded is %.1f dB from the image of the directions,\n" ..
    "%.1f dB from that of the radii (which are %.1f dB apart).  Test images: autoencoder %.2f dB, its\n" ..
    "decoder on the shell %.2f dB, finetuned there %.2f dB, finetuned on latents as they are %.2f dB.\n")
    :format(w.direction, w.radius, w.between, s.psnr.first, w.on_shell, s.psnr.shell, s.psnr.tuned))
  local list = {}
  for i, row in ipairs(rows.LIST) do
    local r = s.rows[row.key]
    list[i] = { row.title, r.frechet, r.precision, r.recall, r.class_score, r.accuracy, s.loss[row.field] }
  end
  local r = s.real
  list[#list + 1] = { "real images", r.frechet, r.precision, r.recall, r.class_score, r.accuracy }
  script.table({ "", "Frechet", "precision", "recall", "classes", "accuracy", "flow's loss" }, list)
  print ""
  list = {}
  for i, n in ipairs(FEW) do
    list[i] = { n, s.few.chord[tostring(n)], s.few.spherical[tostring(n)] }
  end
  script.table({ "steps", "Frechet, linear sampler", "Frechet, exponential map" }, list)
  print("\nFeatures are those of a small classifier trained on this data set: figures are not to be\n" ..
    "compared with those in the features of ImageNet networks.")
end

local function save_pictures(out, shown, norms)
  if not tide.plot.can_save then
    print("(this build has no drawing: no pictures)")
    return
  end
  out:figure("samples", pictures.samples(shown.samples))
  out:figure("swap", pictures.swap(shown.swap))
  out:figure("norms", pictures.curves(norms, shown.paths, shown.trajectories))
end

-- The loss at the end, as a mean over the last tenth of what was noted.
local function final_loss(run)
  local n = math.max(1, #run.losses // 10)
  local sum = 0
  for i = #run.losses - n + 1, #run.losses do sum = sum + run.losses[i] end
  return sum / n
end

-- Labels in turn, so that sheets of ten columns have a class in each.
local function labels_in_turn(n, classes)
  return (tensor.arange(0, n - 1, { dtype = "i64" }) % classes) + 1
end

local function on_images(o)
  local started = tide.clock()
  local out = script.results(o.out)
  require("tide.data.core").mkdir(o.cache)
  local data = images.load(o.data, { train = o.train, test = o.test })
  o.classes = data.classes > 1 and data.classes or nil
  o.sample_labels = o.classes and labels_in_turn(o.samples, o.classes) or nil
  local judge = judges.make(data, { cache = o.cache, steps = o["judge-steps"] })
  local ae = get_autoencoder(data, o)
  local moments, fields = nets.moments(ae, data.train), {}
  local s = { data = o.data, preset = o.preset, seed = o.seed, device = o.device, steps = o.steps,
    tune_steps = o["tune-steps"], solver_steps = o["solver-steps"], samples = o.samples, loss = {},
    seconds = {},
    latent_shape = ("%d x %d x %d"):format(ae.latent, data.height // ae.factor, data.width // ae.factor),
    real = judge:measure(first(data.train, o.samples), { labels = first(data.labels, o.samples) }) }
  local watch = o.show and require("latent_flow.watch").open(data.classes)
  for _, name in ipairs(rows.FIELDS) do
    local run
    if watch then
      o.report = function(info) watch:see(info) end
      o.watch = function(v)
        watch:begin("flow, " .. name, v, function(z) return ae:pictures(rows.grid(z, ae, data)) end,
          rows.path { field = name })
      end
    end
    fields[name], run = rows.train(name, ae, data, moments, o)
    s.loss[name], s.seconds[name] = final_loss(run), run.seconds
  end
  local decoders = { first = ae, tuned = rows.tune(ae, data, false, o),
                     shell = rows.tune(ae, data, true, o) }
  local norms = probe.norms(ae, data)
  s.norm_mean, s.norm_std, s.psnr = norms.mean, norms.std, {}
  local some = first(data.test, o.samples)
  local z = ae:latents(some)
  for name, by in pairs(decoders) do
    local again = by:pictures(name == "shell" and rows.on_shell(z) or z)
    s.psnr[name] = metrics.psnr(again:clamp(-1, 1), some, { peak = 2 })
  end
  local shown = { samples = {}, trajectories = {}, paths = probe.paths(ae, data) }
  s.radial_share, s.radial_expected = shown.paths.shell.radial[1], shown.paths.expected
  s.swap, shown.swap = probe.swap(ae, decoders.shell, data)
  judge_rows(fields, decoders, judge, data, s, shown, o)
  s.total_seconds = tide.clock() - started
  out:json("summary.json", s)
  save_pictures(out, shown, norms)
  print_table(s, o)
  print("results are in " .. out.dir)
  if watch then watch:stay() end
  return s
end

local function main(o)
  if o.toy then return toy.main(o) end
  presets.fill(o, BY_PRESET)
  return on_images(o)
end

script.main(SPEC, main, arg)
