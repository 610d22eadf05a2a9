-- word.lua -- a word in a picture as the prior: the ink of a PNG is a density with an
-- exact likelihood; a flow learns it, and latents are moved onto the word.
--
-- The default is the excess loss because the others collapse here, as --loss all
-- shows: the alignment loss draws latents to a few places, most of them off the ink;
-- weighted as a likelihood it finds the ink but covers about half of it.

local tide = require "tide"
local script = require "tide.script"
local tensor, flow, metrics, data = tide.tensor, tide.flow, tide.metrics, tide.data

local function set(...)
  local s = {}
  for _, name in ipairs { ... } do s[name] = true end
  return s
end

local SPEC = {
  name = "word",
  about = "Aligns latents in the plane to a word, or to any picture.",
  options = {
    { "word", "flow", "what to draw" },
    { "image", nil, "a PNG instead: dark on bright, or anything on a clear ground" },
    { "loss", "excess", "align, likelihood, excess, or all of them in turn",
      one_of = set("align", "likelihood", "excess", "all") },
    { "steps", 5000, "steps of training the flow" },
    { "align-steps", 400, "steps of moving latents" },
    { "width", 128, "width of the velocity net", least = 1 },
    { "blocks", 3, "blocks of the velocity net", least = 1 },
    { "lr", 2e-3, "learning rate of the flow" },
    { "batch", 256, "batch of the flow", least = 1 },
    { "latents", 1000, "how many latents", least = 10 },
    { "latent-lr", 4e-2, "learning rate of the latents" },
  },
}

local BANDWIDTH = 0.05           -- of the kernel estimate that judges what lies off the ink

---- the picture ----

-- Draws the word in black, alone in a wide picture.  Letters stay apart: a zero-width
-- non-joiner between them keeps fonts from joining f and l.
local function draw_word(word, path)
  local letters = math.max(2, utf8.len(word) or #word)
  local fig = tide.plot.figure { size = { 80 + 85 * letters, 170 },
                             theme = { font = "DejaVu Sans, sans-serif" } }
  local ax = fig:axes { frame = false, grid = false, xticks = {}, yticks = {},
                        xlim = { 0, 1 }, ylim = { 0, 1 } }
  local text = word:gsub("[_^\\]", "\\%0"):gsub(utf8.charpattern, "%0\u{200C}")
  ax:text(0.5, 0.5, text, { halign = "center", valign = "middle", fontsize = 110,
                            bold = true, color = "black" })
  fig:save(path)
end

-- The picture without the empty rows and columns around its ink.
local function crop(img)
  local ink = img:to("f32")
  if ink:dim() == 3 then ink = ink:narrow(3, 1, math.min(3, ink:size(3))):mean(3) end
  ink = ink:max():item() - ink
  local function ends(along)
    local at = ink:sum(along):gt(0):nonzero():flatten()
    if at:numel() == 0 then error("there is no ink in the picture: no font has this word?", 0) end
    return at:get(1), at:get(-1)
  end
  local top, bottom = ends(2)
  local left, right = ends(1)
  return img:narrow(1, top, bottom - top + 1):narrow(2, left, right - left + 1)
end

local function load_target(out, o)
  if o.image then return flow.targets.image(o.image, { name = o.image:match("[^/]*$") }) end
  if not tide.plot.can_save then
    error("this build cannot draw a word; give it a picture: --image FILE", 0)
  end
  draw_word(o.word, out:path("word.png"))
  return flow.targets.image(crop(data.load(out:path("word.png"))), { name = o.word })
end

---- moving, judging ----

local function train_flow(target, o)
  local v = flow.VelocityMLP { dim = 2, hidden = o.width, blocks = o.blocks }
  v:to(o.device)
  local run = flow.train(v, function(n) return target:sample(n, { device = o.device }) end, {
    steps = o.steps, batch = o.batch, lr = o.lr,
    schedule = tide.optim.lr.cosine { warmup = 100 },
    report = script.progress("flow on " .. target.name) })
  v:freeze()
  return v, run
end

local function move_latents(v, start, name, o)
  return flow.align(v, start, {
    steps = o["align-steps"], lr = o["latent-lr"], loss = name,
    schedule = tide.optim.lr.cosine { warmup = 20 },
    every = math.max(1, o["align-steps"] // 20),
    report = script.progress("latents, " .. name) })
end

-- NLL under a kernel estimate that is finite everywhere; the share of rows on the
-- ink, where the exact NLL is finite; the distance to data.
local function judge(y, target, reference, held_out)
  local nll = -metrics.kde_log_density(y, reference, { bandwidth = BANDWIDTH })
  local exact = target:nll(y)
  return {
    nll = nll:mean():item(),
    on_ink = exact:isfinite():to("f64"):mean():item(),
    sliced_w2 = metrics.sliced_wasserstein(y, held_out),
    coverage = select(2, metrics.density_coverage(y, held_out)),
  }
end

---- the figure ----

local PAPER, INK, DOTS = "#fbfaf7", "#24405f", "#d1442f"

local function panel(fig, limits, title, grid, y)
  local ax = fig:axes { title = title, equal = true, xlim = limits[1], ylim = limits[2],
                        frame = false, grid = false, xticks = {}, yticks = {} }
  ax:heatmap { z = grid.z, extent = grid.extent, cmap = "ink", vmin = 0, vmax = 1 }
  if y then ax:scatter(y, { size = 2.6, color = DOTS, alpha = 0.8 }) end
end

-- The density on a grid, from 0 to 1.
local function density_grid(target, limits)
  local x, y = limits[1], limits[2]
  local n = { 700, math.max(1, math.floor(700 * (y[2] - y[1]) / (x[2] - x[1]))) }
  local g = flow.landscape(target, { xlim = x, ylim = y, n = n })
  local z = (-g.z):exp()
  return { z = z / z:max(), extent = { x[1], x[2], y[1], y[2] } }
end

local function picture(target, held_out, start, runs, order, sampled)
  tide.plot.colormap("ink", { PAPER, INK })
  local low, high = held_out:amin(1), held_out:amax(1)
  local limits = {}
  for d = 1, 2 do
    local pad = 0.35 + 0.05 * (high:get(d) - low:get(d))
    limits[d] = { low:get(d) - pad, high:get(d) + pad }
  end
  local grid = density_grid(target, limits)
  local panels = { { "data: " .. target.name, held_out }, { "latents before", start } }
  for _, name in ipairs(order) do
    panels[#panels + 1] = { ("latents after, loss %s"):format(name), runs[name].y:detach() }
  end
  panels[#panels + 1] = { "samples of the flow", sampled }
  local rows = (#panels + 1) // 2
  local wide = 430
  local tall = wide * (limits[2][2] - limits[2][1]) / (limits[1][2] - limits[1][1]) + 26
  local fig = tide.plot.figure { size = { 2 * wide, rows * tall }, rows = rows, cols = 2 }
  for _, p in ipairs(panels) do panel(fig, limits, p[1], grid, p[2]) end
  return fig
end

---- all of it ----

local function main(o)
  local out = script.results(o.out)
  local target = load_target(out, o)
  local v, trained = train_flow(target, o)
  local order = o.loss == "all" and { "align", "likelihood", "excess" } or { o.loss }
  local start = tensor.randn(o.latents, 2, { device = o.device })
  local runs = {}
  for _, name in ipairs(order) do runs[name] = move_latents(v, start, name, o) end
  local reference = target:sample(50000, { generator = tide.generator(11) })
  local held_out = target:sample(o.latents, { generator = tide.generator(12) })
  local sampled = flow.sample(v, o.latents, { solver = "heun", steps = 50 })
  local results = {
    data = judge(target:sample(o.latents), target, reference, held_out),
    ["flow samples"] = judge(sampled, target, reference, held_out),
    before = judge(start, target, reference, held_out) }
  local list = { "data", "flow samples", "before" }
  for _, name in ipairs(order) do
    list[#list + 1] = name
    results[name] = judge(runs[name].y:detach(), target, reference, held_out)
    out:save(("latents_%s.npy"):format(name), runs[name].y:detach())
  end
  out:save("flow.safetensors", v:state_dict())
  out:json("summary.json", { target = target.name, seed = o.seed, flow_steps = o.steps,
    align_steps = o["align-steps"], latents = o.latents, width = o.width, blocks = o.blocks,
    bandwidth = BANDWIDTH, seconds_flow = trained.seconds, loss = order[1],
    data_nll = results.data.nll, final_nll = results[order[1]].nll, results = results })
  if tide.plot.can_save then
    out:figure("aligned", picture(target, held_out, start, runs, order, sampled))
  end
  local rows = {}
  for i, name in ipairs(list) do
    local r = results[name]
    rows[i] = { name, r.nll, 100 * r.on_ink, r.sliced_w2, r.coverage,
                runs[name] and runs[name].seconds }
  end
  script.table({ "latents by", "NLL", "% on ink", "sliced W2", "coverage", "seconds" }, rows)
  print(("NLL: of a kernel estimate with 50,000 samples and bandwidth %g"):format(BANDWIDTH))
  for _, name in ipairs(order) do
    if results[name].coverage < 0.7 * results.data.coverage then
      print(("%s: coverage %.2f against %.2f of data: latents have collapsed onto a part of the ink")
        :format(name, results[name].coverage, results.data.coverage))
    end
  end
  print("results are in " .. out.dir)
end

script.main(SPEC, main, arg)
