-- fashion_ae.lua -- autoencoders of Fashion-MNIST whose latents are aligned to a prior
-- that is given: section 3 of arXiv 2506.05240 on images that a laptop can handle.
--
-- 1. A flow is trained on samples of the prior and frozen.
-- 2. Autoencoders are trained with reconstruction + lambda x alignment through that
--    flow, beside a plain one, a variational one, and one that matches features.
-- 3. Each is judged: reconstruction, distance of latents to the prior, images decoded
--    from the prior.  Collapse is named where it happens.

local tide = require "tide"
local script = require "tide.script"
local tensor, flow = tide.tensor, tide.flow

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path
local models = require "fashion.models"
local measure = require "fashion.measure"
local pictures = require "fashion.pictures"

local METHODS = { "plain", "vae", "cosine", "align", "likelihood", "excess" }

local SPEC = {
  name = "fashion_ae",
  about = "Autoencoders with latents aligned to a prior, on Fashion-MNIST.",
  options = {
    { "data", nil, "folder with IDX files (default: of Debian's dataset-fashion-mnist)" },
    { "latent", 2, "dimension of latents", least = 1 },
    { "prior", nil, "of 2 latents: mog (default) grid moons rings spiral swissroll " ..
      "pinwheel checkerboard; of any: mixture (default), features, random-features" },
    { "vectors", nil, "prior from a file: FILE.npy, FILE.safetensors:NAME" },
    { "projection", "random", "of features and vectors: random, avgpool or pca",
      one_of = { random = true, avgpool = true, pca = true } },
    { "methods", nil, "which, in order (plain,vae,cosine,LOSS; in a sweep LOSS)" },
    { "loss", "align,excess", "of alignment: align, likelihood, excess, or several" },
    { "lambda", 0.01, "weight of the alignment loss (mean over channels)" },
    { "excess", 10, "weight of the excess loss, as a multiple of lambda" },
    { "standardize", false, "latents of mean 0 and variance 1 in each batch" },
    { "ramp", 0.5, "share of the steps in which weights rise, at first slowly, so that " ..
      "latents have an order before they are pulled into modes; 0: at once" },
    { "beta", 0.01, "weight of the KL of the variational autoencoder" },
    { "cosine-weight", 0.01, "weight of feature matching" },
    { "steps", 3000, "of each autoencoder", least = 1 },
    { "batch", 256, "images in a step", least = 2 },
    { "width", 512, "of the autoencoder", least = 2 },
    { "lr", 1e-3, "learning rate, which falls to 0 by a cosine" },
    { "draws", 2, "of (t, noise) for each latent in a step", least = 1 },
    { "flow-steps", 4000, "of the prior's flow", least = 1 },
    { "flow-width", nil, "of the prior's flow (128 for 2 latents, else 256)",
      type = "number", whole = true },
    { "judge-steps", 1500, "of the classifier in whose features images are compared",
      least = 1 },
    { "images", 60000, "at most so many images to train with", least = 16 },
    { "latents", 10000, "at most so many test images", least = 16 },
    { "cache", "runs/cache", "folder for classifier and flows, trained once" },
    { "checkpoint", 500, "steps between checkpoints; 0: none" },
    { "resume", false, "go on where a run into the same --out was cut off" },
    { "show", false, "a window on latents, images and curves while autoencoders are trained" },
    { "quick", false, "a tenth of the steps, to see whether all is well" },
  },
  figures = { "psnr", "log_radius", "prior_log_radius", "align", "align_floor",
              "pearson_log", "frechet", "precision", "recall" },
}

local function split(text, known, what)
  local list = {}
  for name in text:gmatch("[^,%s]+") do
    local ok = false
    for _, k in ipairs(known) do ok = ok or k == name end
    if not ok then
      local near = tide.nearest(name, known)
      error(("--%s: '%s' is none of %s%s"):format(what, name, table.concat(known, ", "),
        near and "; did you mean " .. near .. "?" or ""), 0)
    end
    list[#list + 1] = name
  end
  return list
end

-- Whether this call is one run of a sweep.
local function swept()
  for _, a in ipairs(arg) do
    if a:find("^%-%-sweep") then return true end
  end
end

local function complete(o)
  local losses = split(o.loss, { "align", "likelihood", "excess" }, "loss")
  o.methods = split(o.methods or (swept() and "" or "plain,vae,cosine,")
    .. table.concat(losses, ","), METHODS, "methods")
  o["flow-width"] = o["flow-width"] or (o.latent == 2 and 128 or 256)
  if o.quick then
    for _, key in ipairs { "steps", "flow-steps", "judge-steps" } do
      o[key] = math.max(1, o[key] // 10)
    end
  end
  if o.vectors and o.prior then error("give --prior or --vectors, not both", 0) end
  o.prior = o.prior or o.vectors or (o.latent == 2 and "mog" or "mixture")
  o.groups = require("tide.flow.loss").group_count(o.batch)
  o.key = ("%d-D, %s %s, %s, lambda %g x %g, ramp %g, steps %d, batch %d, width %d, " ..
    "lr %g, draws %d, seed %d, %s"):format(o.latent, o.prior, o.projection, o.data or "-", o.lambda, o.excess,
    o.ramp, o.steps, o.batch, o.width, o.lr, o.draws, o.seed,
    o.standardize)
  return o
end

---- what is there before the autoencoders ----

local function load_data(o)
  local function read(name, most)
    local x, labels, classes = tide.data.fashion_mnist { split = name, dir = o.data }
    local n = math.min(x:size(1), most)
    local device = tide.device()
    return x:narrow(1, 1, n):to(device), labels:narrow(1, 1, n):to(device), classes
  end
  local x, labels, classes = read("train", o.images)
  local test, test_labels = read("test", o.latents)
  local d = { height = x:size(2), width = x:size(3), pixels = x:size(2) * x:size(3),
              labels = labels, test_labels = test_labels,
              classes = not o.data and classes or nil,
              class_count = labels:max():item() }
  d.train, d.test = x:reshape(-1, d.pixels), test:reshape(-1, d.pixels)
  d.key = ("%d images, sum %.9g"):format(x:size(1), x:sum():item())
  return d
end

-- The classifier, features of the images, and what it says of real images: the best
-- that decoded ones can reach.
local function make_judge(data, o)
  tide.seed(1001)
  local net, cached = models.cached(models.classifier(data.pixels, data.class_count),
    o.cache, "judge", ("judge 1, %s, %d steps of %d"):format(data.key, o["judge-steps"],
    o.batch), function(net)
      models.train_classifier(net, data.train, data.labels,
                              { steps = o["judge-steps"], batch = o.batch })
    end)
  local judge = { net = net, cached = cached,
                  features = models.features(net, data.train),
                  test_features = models.features(net, data.test) }
  judge.accuracy = tide.metrics.accuracy(models.probabilities(net, data.test),
                                         data.test_labels)
  local n = math.min(data.test:size(1), data.train:size(1))
  judge.real = measure.images(data.train:narrow(1, 1, n), judge)
  return judge
end

local function make_prior(data, judge, o)
  local source = o.prior
  if source == "features" then
    source = judge.features
  elseif source == "random-features" then
    tide.seed(1002)
    source = models.features(models.classifier(data.pixels, 2), data.train)
  end
  local prior = flow.prior(source, { dim = o.latent, projection = o.projection })
  prior.name = o.prior
  return prior
end

local function train_prior(prior, o)
  local key = ("flow 1, %s, %d-D, %s, width %d, %d steps, check %.9g"):format(prior.name,
    prior.dim, prior.projection or "-", o["flow-width"], o["flow-steps"],
    prior:reference(256):sum():item())
  tide.seed(1003)
  return models.cached(flow.VelocityMLP { dim = prior.dim, hidden = o["flow-width"],
                                          blocks = 3 }, o.cache, "flow", key, function(v)
    flow.train(v, prior, { steps = o["flow-steps"], batch = 256, lr = 2e-3,
      schedule = tide.optim.lr.cosine { warmup = 100 },
      report = script.progress("flow on " .. prior.name) })
  end)
end

---- an autoencoder ----

local function checkpoint_of(method) return ("checkpoint_%s.safetensors"):format(method) end

-- Is there a checkpoint to go on from, of a run with the same options?
local function left_over(path, o)
  if not o.resume or not tide.checkpoint.exists(path) then return false end
  local was = tide.checkpoint.load(path, nil, { random = false }).key
  if was ~= o.key then
    error(("--resume: %s is of a run with other options (%s; now %s)"):format(path, was,
      o.key), 0)
  end
  return true
end

local function train(method, data, judge, y, out, o)
  tide.seed(o.seed)
  local ae, penalty = models.make(method, data.pixels, o)
  local optimizer = tide.optim.Adam(ae:parameters(), { lr = o.lr })
  local batches = tide.data.batches(data.train, { batch = o.batch, labels = judge.features })
  local curve, seconds = measure.new_curve(), 0
  local kept = { model = ae, optimizer = optimizer, batches = batches }
  for name, thing in pairs(penalty.keep or {}) do kept[name] = thing end
  local path = out:path(checkpoint_of(method))
  local some = data.test:narrow(1, 1, math.min(1000, data.test:size(1)))
  if left_over(path, o) then
    local was = tide.checkpoint.load(path, kept)
    curve, seconds = was.curve, was.seconds
  else
    measure.record(curve, 0, ae, some, y)
  end
  local cosine = tide.optim.lr.cosine { warmup = math.min(100, o.steps // 10) }
  local progress = script.progress("autoencoder, " .. method)
  local moments, ramp = measure.moments(o.steps, 24), math.max(1, o.ramp * o.steps)
  local weight = 0                 -- of what the method adds, at this step
  local update = tide.capture(function(x, features)
    local z, log_var = ae:encode(x)
    local code = log_var and z + (log_var * 0.5):exp() * tensor.randn_like(z) or z
    local loss = (ae:decode(code) - x):square():mean()
    if penalty.loss then
      loss = loss + penalty.loss(z, log_var, features) *
        tide.capture.number(function() return weight end, { x })
    end
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    return loss
  end, { fallback = true })
  local started = tide.clock() - seconds
  for step = batches.step + 1, o.steps do
    local _, x, features = batches()
    weight = math.min(1, step / ramp) ^ 4
    optimizer.lr = o.lr * cosine(step, o.steps)
    local loss = update(x, features)
    if o.watch then o.watch:see(method, step, ae, curve) end
    if moments[step] then
      measure.record(curve, step, ae, some, y)
      progress { step = step, steps = o.steps, loss = loss:item(),
                 seconds = tide.clock() - started }
    end
    if o.checkpoint > 0 and (step % o.checkpoint == 0 or step == o.steps) then
      kept.key, kept.curve, kept.seconds = o.key, curve, tide.clock() - started
      tide.checkpoint.save(path, kept)
    end
  end
  return ae:eval(), { curve = curve, seconds = tide.clock() - started }
end

---- the report ----

local function print_table(s, o)
  print(("\n%d latents, prior %s; the judge is right on %.1f %% of the test images.\n" ..
    "L align is per channel; its floor, the loss of the prior's own points, is %.3f.\n")
    :format(o.latent, o.prior, 100 * s.judge_accuracy, s.align_floor))
  local rows = {}
  for i, name in ipairs(o.methods) do
    local r = s.methods[name]
    rows[i] = { name, r.psnr, r.align, r.log_radius, r.spread, r.pearson_log, r.frechet,
                r.precision, r.recall, r.class_score, r.seconds, r.verdict }
  end
  rows[#rows + 1] = { "the prior's own", nil, s.align_floor, s.prior_log_radius, 1.0 }
  rows[#rows + 1] = { "real images", nil, nil, nil, nil, nil, s.real.frechet,
                      s.real.precision, s.real.recall, s.real.class_score }
  script.table({ "method", "PSNR", "L align", "log r5", "spread", "r(curves)", "Frechet",
                 "precision", "recall", "classes", "seconds", "latents" }, rows)
  print("\nr(curves): Pearson correlation of log L align and log r5 over training, from the " ..
    "first step.\nspread: of latents within modes (or from neighbours), over that of the prior.")
  print("Frechet, precision, recall and classes (class score, at most " ..
    ("%d) are of images decoded\nfrom the prior, in the features of this script's own ")
      :format(s.class_count) .. "classifier: not to be compared with\nfigures of ImageNet.")
  for _, name in ipairs(o.methods) do
    local r = s.methods[name]
    if r.modes_reached and r.modes_reached < #r.occupancy then
      print(("%s reaches %d of the prior's %d modes (latents in each: %s)."):format(name,
        r.modes_reached, #r.occupancy, table.concat(r.occupancy, " ")))
    end
    if r.verdict == "collapsed" then
      print(("%s has COLLAPSED: latents spread only %.2f times as far as the prior does;" ..
        "\nL align %.3f, floor %.3f; log r5 %.2f, the prior's own " ..
        "%.2f."):format(name, r.spread, r.align, s.align_floor, r.log_radius,
        s.prior_log_radius))
    end
  end
end

local function save(out, results, order, data, y, o)
  for _, name in ipairs(order) do
    local c = results[name].curve
    out:csv(("curve_%s.csv"):format(name), { "step", "psnr", "align", "log_radius" },
            { c.step, c.psnr, c.align, c.log_radius })
    out:save(("latents_%s.npy"):format(name), results[name].latents)
    out:save(("autoencoder_%s.safetensors"):format(name), results[name].ae:state_dict())
  end
  out:save("prior.npy", y.fresh)
  out:save("labels.npy", data.test_labels)
  pictures.save(out, results, order, data, y, o)
end

local function main(o)
  local started = tide.clock()
  complete(o)
  local out = script.results(o.out)
  require("tide.data.core").mkdir(o.cache)
  local data = load_data(o)
  local judge = make_judge(data, o)
  local prior = make_prior(data, judge, o)
  local v, cached = train_prior(prior, o)
  local setup = setmetatable({ flow = v, features = judge.features:size(2) },
                             { __index = o })
  local y = measure.yardstick(prior, v, { latents = data.test:size(1) })
  setup.watch = o.show and require("fashion.watch").open(data, y) or nil
  local results, figures = {}, {}
  for _, method in ipairs(o.methods) do
    local ae, run = train(method, data, judge, y, out, setup)
    local r, made = measure.all(method, ae, data, judge, y, run)
    made.ae, made.curve, made.figures = ae, run.curve, r
    results[method], figures[method] = made, r
  end
  local summary = {
    latent = o.latent, prior = o.prior, seed = o.seed, steps = o.steps, lambda = o.lambda,
    projection = o.projection, batch = o.batch, width = o.width, beta = o.beta,
    flow_steps = o["flow-steps"], flow_width = o["flow-width"], flow_cached = cached,
    images = data.train:size(1), class_count = data.class_count,
    judge_accuracy = judge.accuracy, real = judge.real,
    align_floor = y.align, align_floor_error = y.align_error,
    prior_log_radius = y.log_radius, methods = figures,
    order = o.methods, device = o.device,
  }
  -- figures of the last method that is no baseline, for sweeps
  for k, value in pairs(figures[o.methods[#o.methods]]) do summary[k] = value end
  summary.seconds = tide.clock() - started
  save(out, results, o.methods, data, y, o)
  out:json("summary.json", summary)
  for _, name in ipairs(o.methods) do os.remove(out:path(checkpoint_of(name))) end
  print_table(summary, o)
  print("results are in " .. out.dir)
  if setup.watch then setup.watch:stay() end
end

script.main(SPEC, main, arg)
