-- toy.lua -- the paper's two-dimensional experiment (arXiv 2506.05240, section 5.1
-- and appendices B and C.1): train a flow on a target, freeze it, move latents
-- down the alignment loss, and measure honestly what that does.

local tide = require "tide"
local script = require "tide.script"
local tensor, flow, metrics = tide.tensor, tide.flow, tide.metrics

local LIMIT = 2.5                 -- landscapes cover [-LIMIT, LIMIT]^2

local function set(...)
  local s = {}
  for _, name in ipairs { ... } do s[name] = true end
  return s
end

-- The paper's recipe has constant rates; the short one decays them to 0.
local PRESETS = {
  laptop = { width = 128, blocks = 3, lr = 2e-3, steps = 4000,
             ["align-steps"] = 1000, ["latent-lr"] = 2e-2,
             schedule = tide.optim.lr.cosine { warmup = 100 } },
  paper = { width = 512, blocks = 4, lr = 1e-4, steps = 100000,
            ["align-steps"] = 5000, ["latent-lr"] = 1e-2 },
}

local SPEC = {
  name = "toy",
  about = "Aligns latents in the plane to a target with a flow as prior.",
  figures = { "final_nll", "align_final", "sliced_w2", "recall", "pearson_landscape" },
  options = {
    { "target", "mog", "mog grid moons rings spiral swissroll pinwheel " ..
      "checkerboard gaussian",
      one_of = set("mog", "grid", "moons", "rings", "spiral", "swissroll",
                   "pinwheel", "checkerboard", "gaussian") },
    { "preset", "laptop", "laptop, or paper: the recipe of appendix C.1",
      one_of = set("laptop", "paper") },
    { "loss", "all", "align, likelihood, excess, or all of them in turn",
      one_of = set("align", "likelihood", "excess", "all") },
    { "steps", nil, "steps of training the flow (preset)", type = "number", whole = true },
    { "align-steps", nil, "steps of moving latents (preset)", type = "number", whole = true },
    { "width", nil, "width of the velocity net (preset)", type = "number", whole = true },
    { "blocks", nil, "blocks of the velocity net (preset)", type = "number", whole = true },
    { "lr", nil, "learning rate of the flow (preset)", type = "number" },
    { "batch", 256, "batch of the flow", least = 1 },
    { "latents", 1000, "how many latents", least = 10 },
    { "latent-lr", nil, "learning rate of the latents (preset)", type = "number" },
    { "grid", 64, "cells of the landscapes along each side", least = 2 },
    { "draws", 64, "draws of (t, noise) for landscapes and curves", least = 1 },
    { "resume", false, "go on where a run into the same --out was cut off" },
    { "show", false, "a window on the latents while they move" },
    { "exact", false, "use the exact field instead of a trained flow (mixtures)" },
  },
}

---- the three stages ----

local function train_flow(target, o, out)
  if o.exact then
    if not target.exact then
      error("--exact needs a target in closed form: mog, grid or gaussian", 0)
    end
    return target.exact, { seconds = 0, losses = {}, steps_of = {} }
  end
  local v = flow.VelocityMLP { dim = 2, hidden = o.width, blocks = o.blocks }
  v:to(o.device)
  local run = flow.train(v, function(n) return target:sample(n, { device = o.device }) end, {
    steps = o.steps, batch = o.batch, lr = o.lr, schedule = o.schedule,
    checkpoint = { path = out:path "flow.ckpt", every = 1000 },
    resume = o.resume or nil,
    report = script.progress("flow on " .. target.name) })
  v:freeze()
  return v, run
end

-- Six moments of the run, as in Fig. 6.
local function moments(steps)
  local list = { 0 }
  for _, f in ipairs { 0.02, 0.1, 0.25, 0.5, 1 } do
    list[#list + 1] = math.max(1, math.floor(steps * f))
  end
  return list
end

local function move_latents(v, target, start, name, o, watch)
  local critic
  if name == "excess" and o.exact then
    critic = { net = flow.VelocityMLP { dim = 2, hidden = o.width,
                                        blocks = o.blocks } }
  end
  return flow.align(v, start, {
    steps = o["align-steps"], lr = o["latent-lr"], loss = name, critic = critic,
    schedule = o.schedule,
    every = math.max(1, o["align-steps"] // (watch and 100 or 40)), eval_draws = o.draws,
    snapshots = moments(o["align-steps"]),
    nll = function(y) return target:nll(y) end,
    label = "latents, " .. name,
    report = watch and function(now) watch(name, now) end })
end

---- what an honest run reports ----

local function mean_of(x) return x:mean():item() end

-- Measures of a set of latents against the target and fresh data.
local function judge(v, target, y, data, draws)
  local align = flow.align_loss(v, y, { draws = draws, reduction = "none" })
  local precision, recall = metrics.precision_recall(y, data)
  local own = data:size(1) < 2
  local r = {
    final_nll = mean_of(target:nll(y)),
    align_final = mean_of(align),
    align_error = align:std():item() / math.sqrt(align:numel()),
    sliced_w2 = metrics.sliced_wasserstein(y, data),
    mmd = metrics.mmd(y, data),
    precision = precision, recall = recall,
    log_radius = not own and mean_of(metrics.knn_log_radius(y, data, { k = 5 })),
  }
  if target.modes then
    local m = metrics.modes(y, target.modes)
    r.occupancy, r.within_std = m.occupancy, m.within_std
    r.within_std_ratio = m.within_std / target.mode_std
  end
  return r
end

-- log p by the ODE, the estimate without one, and the paper's surrogate, on a
-- few points: how often C - L claims more than log p.
local function likelihoods(v, y)
  local some = y:narrow(1, 1, math.min(200, y:size(1)))
  local log_p = flow.log_likelihood(v, some, { steps = 50 })
  local s = flow.surrogate(v, some, { samples = 64 })
  return {
    ode_nll = -mean_of(log_p),
    estimate_nll = mean_of(flow.nll_estimate(v, some, { samples = 256 })),
    surrogate_C = mean_of(s.C), surrogate_align = mean_of(s.align),
    surrogate_bound = mean_of(s.bound),
    surrogate_violations = mean_of(s.bound:gt(log_p):to("f32")),
  }
end

local function landscapes(v, target, draws, o)
  local area = { xlim = { -LIMIT, LIMIT }, ylim = { -LIMIT, LIMIT }, n = o.grid,
                 device = o.device }
  local align = flow.landscape(function(p)
    return flow.align_loss(v, p, { draws = draws, reduction = "none" })
  end, area)
  local nll = flow.landscape(target, area)
  return align, nll
end

local function curve_correlation(run, how)
  local c = run.curve
  if #c.nll < 3 then return 0 / 0 end
  return metrics[how](c.align, c.nll)
end

---- pictures ----

local DATA, LATENT = "#3b6fb6", "#c8402f"

local function plane(fig, o)
  o.equal = true
  o.xlim, o.ylim = { -LIMIT, LIMIT }, { -LIMIT, LIMIT }
  o.xlabel, o.ylabel = "z1", "z2"
  return fig:axes(o)
end

local function heat(ax, grid, label, norm)
  local map = ax:heatmap { z = grid.z, extent = { -LIMIT, LIMIT, -LIMIT, LIMIT },
                           norm = norm }
  ax:colorbar(map, { label = label })
end

local function points(ax, data, y, loss)
  if data then
    ax:scatter(data, { marker = "circle", size = 2.5, color = DATA, alpha = 0.55,
                       label = "data" })
  end
  if y then
    ax:scatter(y, { marker = "triangle", size = 5, color = LATENT, alpha = 0.8,
                    label = loss and "latents, " .. loss or "latents" })
  end
end

-- Figures 3 and 5 of the paper.
local function three_panels(target, run, name, nll, align, data)
  local plot = tide.plot
  local fig = plot.figure { size = { 1080, 340 }, rows = 1, cols = 3 }
  local a = plane(fig, { col = 1, title = "negative log-likelihood of " .. target.name })
  heat(a, nll, "NLL", "quantile")
  points(a, data, run.y, nil)
  a:legend {}
  local b = plane(fig, { col = 2, title = "alignment loss of the flow" })
  heat(b, align, "L align", "quantile")
  points(b, nil, run.y, nil)
  local c = fig:axes { col = 3, title = "while latents move (" .. name .. ")",
                       xlabel = "step", ylabel = "alignment loss",
                       y2label = "negative log-likelihood" }
  c:line { x = run.curve.step, y = run.curve.align, label = "L align" }
  c:line { x = run.curve.step, y = run.curve.nll, axis = "y2", label = "NLL" }
  c:legend {}
  return fig
end

-- A window on latents that move: a function of the name of the loss and of what
-- flow.align reports. It draws nothing from the stream of the run.
local function open_window(target, o)
  local fig = tide.plot.figure { size = { 800, 380 }, cols = 2, widths = { 1.1, 1 } }
  local left = plane(fig, { col = 1 })
  heat(left, flow.landscape(target, { xlim = { -LIMIT, LIMIT }, ylim = { -LIMIT, LIMIT },
                                      n = o.grid }), "NLL", "quantile")
  points(left, target:sample(500, { generator = tide.generator(o.seed) }))
  local latents = left:scatter { x = {}, y = {}, marker = "triangle", size = 5, color = LATENT,
                                 alpha = 0.8, label = "latents" }
  local right = fig:axes { col = 2, xlabel = "step", ylabel = "alignment loss",
                           y2label = "negative log-likelihood" }
  local align = right:line { x = {}, y = {}, label = "L align" }
  local nll = right:line { x = {}, y = {}, axis = "y2", label = "NLL" }
  local seen
  fig:show()
  return function(name, now)
    if seen ~= name then
      align:set { x = {}, y = {} }
      nll:set { x = {}, y = {} }
      seen = name
    end
    align:push(now.step, now.align)
    nll:push(now.step, now.nll)
    if fig:due() or now.step == now.steps then
      latents:set { xy = now.y:detach() }
      left:set { title = ("latents by %s, step %d"):format(name, now.step) }
    end
  end, fig
end

-- Figure 6: the same latents at six moments.
local function snapshots(run, data)
  local fig = tide.plot.figure { size = { 990, 640 }, rows = 2, cols = 3 }
  for i, step in ipairs(moments(run.step)) do
    local y = run.snapshots[step]
    local ax = plane(fig, { row = (i - 1) // 3 + 1, col = (i - 1) % 3 + 1,
                            title = "step " .. step })
    points(ax, data, y)
  end
  return fig
end

-- Every loss side by side: collapse and its cure.
local function side_by_side(runs, order, data, results)
  local fig = tide.plot.figure { size = { 330 * (#order + 1), 350 }, rows = 1,
                                 cols = #order + 1 }
  local first = plane(fig, { col = 1, title = "data" })
  points(first, data)
  for i, name in ipairs(order) do
    local r = results[name]
    local ax = plane(fig, { col = i + 1, title = ("%s: NLL %.2f, sliced W2 %.2f")
      :format(name, r.final_nll, r.sliced_w2) })
    points(ax, data, runs[name].y)
  end
  return fig
end

---- output ----

local function print_tables(target, summary, order, results)
  print(("\n%s, %d flow steps (%.1f s), %d latent steps"):format(target.name,
    summary.flow_steps, summary.seconds_flow, summary.align_steps))
  local rows = { { "data", summary.data_nll, summary.align_floor,
                   summary.data_sliced_w2, summary.data_within_std } }
  for _, name in ipairs(order) do
    local r = results[name]
    rows[#rows + 1] = { name, r.final_nll, r.align_final, r.sliced_w2,
      r.within_std_ratio, r.precision, r.recall, r.pearson_curve, r.seconds_align }
  end
  script.table({ "latents by", "NLL", "L align", "sliced W2", "std / target",
                 "precision", "recall", "r(curves)", "seconds" }, rows)
  print(("landscape of L against NLL: Pearson %.3f, Spearman %.3f; on data " ..
         "samples: Pearson %.3f"):format(summary.pearson_landscape,
         summary.spearman_landscape, summary.pearson_data))
  if summary.occupancy then
    print("latents per mode: " .. table.concat(summary.occupancy, " "))
  end
  local first = results[order[1]]
  local narrow = first.recall < 0.9 and first.final_nll < summary.data_nll
  if first.within_std_ratio then narrow = first.within_std_ratio < 0.9 end   -- targets with modes
  if first.align_final < summary.align_floor and narrow then
    print(("L align of the latents (%.3f) is below the floor of true data " ..
           "(%.3f): they have collapsed")
          :format(first.align_final, summary.align_floor))
  end
end

local function save_curve(out, name, run)
  local c = run.curve
  out:csv(name, { "step", "align", "nll" }, { c.step, c.align, c.nll })
end

local function save_arrays(out, order, runs, align, nll, v, o)
  local first = runs[order[1]]
  out:save("latents.npy", first.y)
  save_curve(out, "curve.csv", first)
  for i = 2, #order do
    out:save(("latents_%s.npy"):format(order[i]), runs[order[i]].y)
    save_curve(out, ("curve_%s.csv"):format(order[i]), runs[order[i]])
  end
  out:save("landscape.npy", align.z)
  out:save("nll.npy", nll.z)
  out:save("grid.npy", align.x)
  if not o.exact then out:save("flow.safetensors", v:state_dict()) end
end

local function save_pictures(out, target, order, runs, results, align, nll, data)
  if not tide.plot.can_save then
    print("(this build has no drawing: no pictures)")
    return
  end
  local first = runs[order[1]]
  out:figure("toy", three_panels(target, first, order[1], nll, align, data))
  out:figure("snapshots", snapshots(first, data))
  if #order > 1 then
    out:figure("losses", side_by_side(runs, order, data, results))
  end
end

-- Everything that does not depend on which loss moved the latents.
local function about_target(v, target, data, draws, align, nll, o)
  local fresh = target:sample(o.latents, { device = o.device })
  local data_align = flow.align_loss(v, data, { draws = draws, reduction = "none" })
  local s = {
    target = target.name, preset = o.preset, seed = o.seed, device = o.device,
    flow_steps = o.exact and 0 or o.steps, align_steps = o["align-steps"],
    width = o.width, blocks = o.blocks, latents = o.latents, draws = o.draws,
    data_nll = mean_of(target:nll(data)),
    align_floor = mean_of(data_align),
    align_floor_error = data_align:std():item() / math.sqrt(data:size(1)),
    data_sliced_w2 = metrics.sliced_wasserstein(fresh, data),
    pearson_landscape = metrics.pearson(align.z, nll.z),
    spearman_landscape = metrics.spearman(align.z, nll.z),
    pearson_data = metrics.pearson(data_align, target:nll(data)),
    spearman_data = metrics.spearman(data_align, target:nll(data)),
    data_likelihood = likelihoods(v, data),
  }
  if target.modes then
    s.data_within_std = metrics.modes(data, target.modes).within_std
      / target.mode_std
  end
  return s
end

local function judge_all(v, target, runs, order, data, draws)
  local results = {}
  for _, name in ipairs(order) do
    local run = runs[name]
    local r = tide.no_grad(function()
      return judge(v, target, run.y:detach(), data, draws)
    end)
    r.likelihood = likelihoods(v, run.y:detach())
    r.pearson_curve = curve_correlation(run, "pearson")
    r.spearman_curve = curve_correlation(run, "spearman")
    r.seconds_align = run.seconds
    results[name] = r
  end
  return results
end

local function main(o)
  for key, value in pairs(PRESETS[o.preset]) do
    if o[key] == nil then o[key] = value end
  end
  local out = script.results(o.out)
  local target = flow.targets[o.target]()
  local v, trained = train_flow(target, o, out)
  local order = o.loss == "all" and { "align", "likelihood", "excess" }
    or { o.loss }
  local start = tensor.randn(o.latents, 2, { device = o.device })
  local runs, watch, window = {}, nil, nil
  if o.show then watch, window = open_window(target, o) end
  for _, name in ipairs(order) do
    runs[name] = move_latents(v, target, start, name, o, watch)
  end
  local draws = flow.draws(o.draws, 2, { device = o.device,
                                         generator = tide.generator(o.seed + 1) })
  local data = target:sample(o.latents, { device = o.device })
  local align, nll = landscapes(v, target, draws, o)
  local results = judge_all(v, target, runs, order, data, draws)
  local summary = about_target(v, target, data, draws, align, nll, o)
  for key, value in pairs(results[order[1]]) do summary[key] = value end
  summary.seconds_flow = trained.seconds
  summary.losses = results
  summary.loss = order[1]
  local curve = flow.residual_curve(v, data)
  out:csv("residual.csv", { "t", "R" }, { curve.t:totable(), curve.r:totable() })
  out:json("summary.json", summary)
  save_arrays(out, order, runs, align, nll, v, o)
  save_pictures(out, target, order, runs, results, align, nll, data)
  print_tables(target, summary, order, results)
  print("results are in " .. out.dir)
  if window then tide.plot.wait(window) end
  return summary
end

script.main(SPEC, main, arg)
