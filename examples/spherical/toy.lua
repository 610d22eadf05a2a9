-- toy.lua -- spherical.lua --toy: a flow on the sphere in three dimensions, trained on a
-- mixture whose density is known, and latents that it aligns there.

local tide = require "tide"
local script = require "tide.script"
local tensor, flow, metrics = tide.tensor, tide.flow, tide.metrics
local views = require "spherical.views"

local toy = {}

local PRESETS = {
  laptop = { width = 96, depth = 3, steps = 3000, batch = 256, lr = 2e-3, samples = 1000,
    ["solver-steps"] = 50, ["align-steps"] = 800 },
  paper = { width = 512, depth = 4, steps = 100000, batch = 256, lr = 1e-4, samples = 1000,
    ["solver-steps"] = 250, ["align-steps"] = 5000 },
  test = { width = 16, depth = 1, steps = 40, batch = 32, lr = 2e-3, samples = 60,
    ["solver-steps"] = 4, ["align-steps"] = 10 },
}
local LOSSES = { "align", "excess" }
local DIRECTIONS = { { 0.2, 0.1, 1 }, { 1, 0.2, 0.2 }, { -0.5, 0.9, 0.3 }, { -0.6, -0.7, -0.2 },
                     { 0.4, -0.3, -1 } }
local CONCENTRATION = 25
local LATENT_RATE = 0.02
local TRACKS = 30                      -- moments of the latents' ways that are drawn

local function mean_of(x) return x:mean():item() end

-- The mean angle of points to the nearest direction.
local function spread(target, y)
  local unit = flow.sphere.project(y, 1)
  local m = target.directions:to(y.dtype):to(y.device)
  return mean_of(unit:matmul(m:transpose(1, 2)):max(2):clamp(-1, 1):acos())
end

local function judge(v, target, y, data, draws, path)
  return tide.no_grad(function()
    return { nll = mean_of(target:nll(y)), spread = spread(target, y),
      align = flow.align_loss(v, y, { draws = draws, path = path }):item(),
      sliced_w2 = metrics.sliced_wasserstein(y, data),
      off_sphere = (y:norm(2, 2) / target.radius - 1):abs():max():item() }
  end)
end

-- log p of the flow's ODE beside the closed form.
local function likelihood(v, target, data, path)
  local y = data:narrow(1, 1, math.min(300, data:size(1)))
  local made = flow.log_likelihood(v, y, { path = path, steps = 50 })
  local exact = target:log_prob(y)
  local apart = made - exact
  return { ode_nll = -mean_of(made), exact_nll = -mean_of(exact), mean_error = mean_of(apart:abs()),
    pearson = metrics.pearson(made, exact) }, { exact = exact, made = made }
end

local function align(v, start, target, name, path, o, watch)
  local moments = {}
  for i = 0, TRACKS do moments[i + 1] = o["align-steps"] * i // TRACKS end
  return flow.align(v, start, { steps = o["align-steps"], lr = LATENT_RATE, loss = name, path = path,
    schedule = tide.optim.lr.cosine { warmup = math.min(50, o["align-steps"] // 10) },
    snapshots = moments,
    nll = function(y) return target:nll(y) end, label = "latents, " .. name,
    every = math.max(1, o["align-steps"] // 100),
    report = watch and function(now) watch:see(name, now) end })
end

local function print_table(s)
  local l = s.likelihood
  print(("\nlog p by the ODE: %.3f from the closed form on average, correlation %.4f; NLL of data %.3f,\n" ..
    "by the closed form %.3f\n"):format(l.mean_error, l.pearson, l.ode_nll, l.exact_nll))
  local list = {}
  for _, entry in ipairs { { "data", s.data }, { "samples of the flow", s.samples },
      { "latents, align", s.align }, { "latents, excess", s.excess } } do
    local r = entry[2]
    list[#list + 1] = { entry[1], r.nll, r.align, r.sliced_w2, r.spread, r.spread / s.data.spread }
  end
  script.table({ "", "NLL", "L align", "sliced W2", "angle to mode", "of data's" }, list)
  if s.align.align < s.data.align and s.align.spread < 0.9 * s.data.spread then
    print(("\nL align of the latents (%.3f) is below that of data (%.3f) and they are closer\n" ..
      "to the modes: they have collapsed."):format(s.align.align, s.data.align))
  end
end

function toy.main(o)
  for key, value in pairs(PRESETS[o.preset]) do
    if o[key] == nil then o[key] = value end
  end
  local out = script.results(o.out)
  local target = flow.sphere.von_mises_fisher { directions = DIRECTIONS, concentration = CONCENTRATION }
  local path = flow.path.spherical()
  local v = flow.VelocityMLP { dim = 3, hidden = o.width, blocks = o.depth }
  v:to(o.device)
  local trained = flow.train(v, function(n) return target:sample(n, { device = o.device }) end, {
    steps = o.steps, batch = o.batch, lr = o.lr, path = path, label = "flow on the sphere",
    schedule = tide.optim.lr.cosine { warmup = math.min(100, o.steps // 10) } })
  v:freeze()
  local data = target:sample(o.samples, { device = o.device })
  local fresh = target:sample(o.samples, { device = o.device })
  local samples = flow.sample(v, o.samples, { path = path, steps = o["solver-steps"], device = o.device })
  local draws = flow.draws(64, 3, { device = o.device, path = path,
    generator = tide.generator(o.seed + 1) })
  local s = { preset = o.preset, seed = o.seed, device = o.device, steps = o.steps,
    align_steps = o["align-steps"],
    seconds_flow = trained.seconds, data = judge(v, target, fresh, data, draws, path),
    samples = judge(v, target, samples, data, draws, path) }
  local points, runs = nil, {}
  s.likelihood, points = likelihood(v, target, data, path)
  local start = flow.sphere.uniform(o.samples, 3, { device = o.device })
  local watch = o.show and views.watch(target) or nil
  for _, name in ipairs(LOSSES) do
    runs[name] = align(v, start, target, name, path, o, watch)
    s[name] = judge(v, target, runs[name].y:detach(), data, draws, path)
    s[name].seconds = runs[name].seconds
    local c = runs[name].curve
    out:csv("curve_" .. name .. ".csv", { "step", "align", "nll" }, { c.step, c.align, c.nll })
    out:save("latents_" .. name .. ".npy", runs[name].y:detach())
  end
  out:json("summary.json", s)
  if tide.plot.can_save then
    out:figure("toy", views.figure(target, samples, points, runs, LOSSES))
  else
    print("(this build has no drawing: no pictures)")
  end
  print_table(s)
  print("results are in " .. out.dir)
  if watch then watch:stay() end
  return s
end

return toy
