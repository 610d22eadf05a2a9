-- flow.lua -- documentation of the flow library.
local field = { "v", "field", "called as v(z, t [, labels]) with z (B, ...), t a number or (B); labels: " ..
  "(B), features (B,F), or {labels=, image=} for nets that read channels beside the points" }
local points = { "y", "tensor", "points of any shape (B, ...): vectors, pictures, tokens" }
local function options(what) return { "options", "table", what, optional = true } end
local align_paper = "Li et al. 2025, Aligning Latent Spaces with Flow Priors, arXiv 2506.05240"
local fm_paper = "Lipman et al. 2023, Flow Matching for Generative Modeling, arXiv 2210.02747"

return {
-- ---- paths ----
["flow.path.linear"] = {
  text = "The straight path z = (1-t) x0 + t x1 with velocity x1 - x0. A path has interpolate(x0, " ..
    "x1, t), velocity(x0, x1, t), prior(like), residual(v, u, z), step(z, v, dt) and weight(t).",
  returns = "a path", source = fm_paper .. "; " .. align_paper .. ", section 3",
  example = [[
local path = flow.path.linear()
local x0, x1 = tensor.zeros(1, 2), tensor.ones(1, 2)
assert(path:interpolate(x0, x1, 0.25):get(1, 1) == 0.25)]] },
["flow.path.trigonometric"] = {
  text = "z = sin(pi t/2) x1 + cos(pi t/2) x0: keeps the variance of data that has unit variance.",
  returns = "a path", source = "Albergo and Vanden-Eijnden 2023, arXiv 2209.15571",
  example = [[
local path = flow.path.trigonometric()
local z = path:interpolate(tensor.zeros(1, 2), tensor.ones(1, 2), 1)
assert(math.abs(z:get(1, 1) - 1) < 1e-6)]] },
["flow.path.affine"] = {
  text = "z = alpha(t) x1 + beta(t) x0 for functions of t that take numbers and tensors.",
  args = { { "options", "table", "alpha, beta, dalpha, dbeta: functions of t; name" } },
  returns = "a path", errors = "A function that is missing.",
  source = "Albergo and Vanden-Eijnden 2023, arXiv 2209.15571",
  example = [[
local path = flow.path.affine {
  alpha = function(t) return t * t end, dalpha = function(t) return 2 * t end,
  beta = function(t) return 1 - t end, dbeta = function(t) return -1 end }
assert(path:velocity(tensor.zeros(1, 1), tensor.ones(1, 1), 0.5):item() == 1)]] },
["flow.path.spherical"] = {
  text = "Great circles on the sphere of radius R: slerp between directions, velocities in the " ..
    "tangent space of norm R w for an angle w, residuals projected to it, the exponential map " ..
    "as step. Endpoints are projected to the sphere. Of tokens (B, ..., D) each is on a sphere of its own.",
  args = { options("radius: default sqrt(D)") }, returns = "a path",
  source = "arXiv 2605.15193 (spherical flow matching); Chen and Lipman 2024, arXiv 2302.03660",
  example = [[
local path = flow.path.spherical { radius = 2 }
local z = path:interpolate(tensor.randn(4, 3), tensor.randn(4, 3), 0.3)
assert((z:norm(2, 2) - 2):abs():max():item() < 1e-5)
local tokens = path:prior(tensor.empty(4, 49, 8))
assert((tokens:norm(2, -1) - 2):abs():max():item() < 1e-5)]] },

-- ---- losses ----
["flow.residual"] = {
  text = "The squared residual |v(z_t,t) - u_t|^2 of each row, summed over dims, at random or " ..
    "given times and noise.",
  args = { field, { "x1", "tensor", "data or latents, (B, ...)" },
    options("t: number or (B); x0: noise like x1; labels; path; eps: times end at 1 - eps; " ..
      "stratified: one time in each of B strata") },
  returns = "tensor (B), and a table with t, x0, z", source = align_paper .. ", eq. 5",
  example = [[
local g = flow.exact.gaussian { mean = { 0, 0 } }
local r = flow.residual(g, tensor.zeros(3, 2), { t = 0.5 })
assert(r:size(1) == 3)]] },
["flow.matching_loss"] = {
  text = "The flow-matching loss: the residual averaged over the batch, to be minimised over the " ..
    "weights of v.",
  args = { field, { "x1", "tensor", "data (B, ...)" },
    options("t, x0, labels, path, stratified, groups; reduction: 'mean' or 'none' for (B)") },
  returns = "tensor, 0-dim or (B)", source = fm_paper .. ", eq. 23",
  example = [[
local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1 }
flow.matching_loss(v, tensor.randn(8, 2)):backward()]] },
["flow.align_loss"] = {
  text = "The alignment loss of latents y under a frozen field: the residual on paths that end at " ..
    "y, summed over dims, averaged over times, noise and the batch. Gradients flow to y. It is not " ..
    "zero on data (see flow.floor), and minimising it collapses free latents into modes (see " ..
    "flow.excess_loss). weight='likelihood' multiplies by t/(1-t) (on the linear path): up to a " ..
    "constant the negative log-likelihood; times then stop at 1 - 0.001 unless eps or clip say " ..
    "otherwise.",
  args = { field, points,
    options("samples: draws of (t, noise) per point [1]; weight: 'uniform', 'likelihood' or a " ..
      "function of t; clip: largest weight; reduction: 'mean' or 'none'; draws: shared ones from " ..
      "flow.draws; t, x0: own draws; labels; path; eps; stratified; groups: that many groups of " ..
      "successive points share a time, which saves most of a net's conditioning") },
  returns = "tensor, 0-dim or (B)",
  errors = "Points without a dim after the first; an unknown weight or reduction.",
  source = align_paper .. ", eq. 5; weight: Kong, Brekelmans and Ver Steeg 2023, arXiv 2302.03792",
  example = [[
local prior = flow.targets.mog().exact
local y = tensor.randn(16, 2):requires_grad_()
flow.align_loss(prior, y, { samples = 4 }):backward()
assert(y.grad:isfinite():all():item())]] },
["flow.draws"] = {
  text = "K pairs of time and noise to be used for every point, so that values at neighbouring " ..
    "points share their noise; times are stratified.",
  args = { { "k", "integer", "how many" }, { "dim", "integer|table", "D, or the sizes of a point" },
    options("generator, dtype, device, path; eps: times end at 1 - eps") },
  returns = "table with t (K), x0 (K, ...), count, eps",
  example = [[
local draws = flow.draws(8, 2)
local l = flow.align_loss(flow.targets.mog().exact, tensor.zeros(3, 2),
                          { draws = draws, reduction = "none" })
assert(l:get(1) == l:get(2))]] },
["flow.residual_curve"] = {
  text = "R(y,t), the mean residual at each time: where the alignment loss comes from.",
  args = { field, points, options("n [32], from [0.01], to [0.99], samples [8], labels, path") },
  returns = "table with t (n) and r (n)", source = align_paper .. ", eq. 5",
  example = [[
local c = flow.residual_curve(flow.exact.gaussian {}, tensor.zeros(4, 2), { n = 5 })
assert(c.t:numel() == 5 and c.r:numel() == 5)]] },
["flow.floor"] = {
  text = "The alignment loss of data itself: what a set of latents that is distributed as the data " ..
    "has. A smaller loss is the sign of collapse.",
  args = { field, { "data", "tensor", "(N, ...)" }, options("samples [16], weight, labels, path") },
  returns = "the mean and its standard error, numbers",
  example = [[
local g = flow.exact.gaussian { mean = { 0, 0 }, std = 0.5 }
local value, err = flow.floor(g, g:sample(500))
assert(math.abs(value - math.pi / 2) < 6 * err)  -- (pi/2) d sigma]] },

-- ---- distribution matching ----
["flow.critic"] = {
  text = "A second flow that is fitted to the latents while they move; critic:update(y) takes its " ..
    "optimiser steps and returns the last loss (a tensor), calling it evaluates the frozen field.",
  args = { field, options("net: a network to train (default: a copy of v); lr [1e-3], batch [512], " ..
    "steps per update [1], betas, path, groups") },
  returns = "a critic", errors = "A prior that cannot be copied and no net.",
  example = [[
local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1 }
local c = flow.critic(v, { batch = 32 })
assert(c:update(tensor.randn(64, 2)):item() > 0)]] },
["flow.excess_loss"] = {
  text = "L_align(y; v) - L_align(y; critic) with the same times and noise in both terms. Its mean " ..
    "over latents is the mean squared distance of the two fields: never negative for a fitted " ..
    "critic and 0 only when latents are distributed as the data, so it does not collapse.",
  args = { field, points, options("critic: the second flow (required); samples, weight, clip, " ..
    "reduction, labels, path, eps") },
  returns = "tensor, 0-dim or (B)", errors = "No critic.",
  example = [[
local v = flow.exact.gaussian { mean = { 0, 0 } }
local same = flow.excess_loss(v, tensor.randn(8, 2), { critic = v })
assert(same:item() == 0)]] },

-- ---- loops ----
["flow.train"] = {
  text = "Fits a velocity net to data by the flow-matching loss. The run that is returned has " ..
    "losses, steps_of (their steps), step, seconds, optimizer, ema; pass it as resume= to go on. With " ..
    "checkpoint= and resume= a run that was killed goes on from a file and ends with the same numbers, " ..
    "bit by bit.",
  args = { { "v", "nn.Module", "the net" },
    { "source", "target|tensor|function", "gives rows: source:sample(n), random rows, or source(n); " ..
      "labels as a second value, or {labels=, image=}" },
    options("steps [1000], batch [256], lr [1e-3], optimizer ['Adam'], betas, weight_decay, " ..
      "schedule(step, steps): factor of lr; clip: largest gradient norm; ema: decay; path; " ..
      "label_drop [0.1]: share of labels replaced by v.null_label; stratified; every: steps between " ..
      "recorded losses; report(info), report_every; label: name of the progress line; yield: yields " ..
      "after each step; accumulate [1]: a step takes accumulate * batch rows in pieces of batch, " ..
      "which gives the numbers of the larger batch up to rounding; precision ['f32'], or 'bf16': " ..
      "products in bf16 with sums in f32 (see tide.autocast), while weights, their gradients and the " ..
      "optimiser stay f32; validate = {data= (default: the source), every= [100], batch= [1024 rows], " ..
      "seed=, best= [false]}: the loss on rows, times and noise that stay the same, of the averaged " ..
      "weights where there is ema: run.validation has lists step, loss and, where the field is known " ..
      "in closed form, excess, the mean squared distance to it; run.floor is the loss of that field, " ..
      "E Tr Cov(x1 - x0 | z_t); with best=true run.best has step, loss and state (for load_state_dict); " ..
      "checkpoint = {path=, every= [1000 steps], keep= [0: files before it that stay], with= (more " ..
      "values and objects by name, in run.with after a resume)}, or just the path; " ..
      "resume: a run, for so many more steps; the path of a checkpoint, to where that call was going; " ..
      "true: the file of checkpoint=, if there is one; " ..
      "log: a tide.run that gets loss, lr, validation and excess; " ..
      "capture [true]: the step is recorded and replayed (tide.capture) with the same numbers; a net " ..
      "that reads values on the host runs as it is, and run.update says why") },
  returns = "a run", errors = "An unknown option, named with the nearest valid one.",
  source = fm_paper,
  example = [[
local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1 }
local run = flow.train(v, flow.targets.mog(), { steps = 5, batch = 32 })
run = flow.train(v, flow.targets.mog(), { steps = 5, batch = 32, resume = run })
assert(run.step == 10)]] },
["flow.align"] = {
  text = "Moves latents down a loss through a frozen field with Adam; with a spherical path they stay " ..
    "on the sphere. The run has y (the latents), curve (lists step, align, nll), snapshots, seconds, " ..
    "critic, conditioning (how modulations were found) and table_error.",
  args = { field, { "y", "tensor", "where latents start, (B, ...); not changed" },
    options("steps [1000], lr [1e-2], loss: 'align', 'likelihood', 'excess' or f(v, y); samples; " ..
      "schedule(step, steps): factor of lr; clip: largest likelihood weight [20]; critic: a " ..
      "flow.critic or its options; nll(y): mean recorded in the curve; groups: how many groups of " ..
      "latents share a time (false: none); conditioning: 'exact', 'table' (v:tabulated, where its " ..
      "error is below 1e-5; else exact) or 'auto' ['auto']: a table in f32, exact in f64; " ..
      "every, eval_draws, snapshots: list of steps; report, label, precision, checkpoint, resume, log, " ..
      "yield: as for flow.train (a checkpoint holds all but the field); " ..
      "capture: the step is recorded and replayed (tide.capture) with the same numbers: default true, " ..
      "but false for a loss that is a function, which may read variables that change") },
  returns = "a run", source = align_paper .. ", algorithm 1",
  example = [[
local target = flow.targets.mog()
local run = flow.align(target.exact, tensor.randn(64, 2), { steps = 20, lr = 0.05,
  nll = function(y) return target:nll(y) end, every = 10 })
assert(run.curve.nll[#run.curve.nll] < run.curve.nll[1])]] },

-- ---- ODEs ----
["flow.integrate"] = {
  text = "Solves dx/dt = f(x, t). steps=N means N steps; dopri5 chooses its own and raises when they " ..
    "become too small. Made of ops, so the result has a gradient.",
  args = { { "f", "function", "of x and the number t; returns what x is: a tensor or a list" },
    { "x", "tensor|table", "start" },
    options("from [0], to [1], solver ['euler']: euler midpoint heun rk4 dopri5; steps [100]; rtol, " ..
      "atol [1e-5]; first_step, min_step (share of the span); trajectory: keep all points; " ..
      "label ['ode'] of tide.progress; visit(x, t); step(x, v, h): another Euler step, as on a sphere") },
  returns = "x at `to`, and a table with nfe, steps, rejected, trajectory, times",
  errors = "dopri5 that needs steps below min_step, or meets NaN: the time is named.",
  source = "Dormand and Prince 1980; Hairer, Norsett and Wanner 1993, section II.4",
  example = [[
local y, info = flow.integrate(function(x) return -x end, tensor.ones(1, 1),
                               { solver = "rk4", steps = 20 })
assert(math.abs(y:item() - math.exp(-1)) < 1e-5 and info.nfe == 80)]] },
["flow.sample"] = {
  text = "Draws from a flow: solves its ODE from noise at t = 0 to data at t = 1. With labels, cfg=s " ..
    "uses v_null + s (v_label - v_null); s = 1 is the field of the labels itself. A net with a null_label " ..
    "finds both in one call on twice the points; an image beside the points stays in both.",
  args = { field, { "n", "integer|tensor", "how many, or the noise to start from (n, ...)" },
    options("solver, steps, rtol, atol, labels, cfg [1], path, trajectory, dtype, device, " ..
      "create_graph; shape: sizes of a point, as {1, 28, 28}, or dim (default: v.shape or v.dim)") },
  returns = "tensor (n, ...), and the table of flow.integrate: nfe counts velocities, net_nfe how often " ..
    "the net saw each point, which under guidance is twice that",
  source = fm_paper .. "; guidance: Dao et al. 2023, arXiv 2307.08698, eq. 9",
  example = [[
local x = flow.sample(flow.targets.mog().exact, 100, { solver = "rk4", steps = 20 })
assert(x:size(1) == 100 and x:isfinite():all():item())
local v = nn.DiT { size = 4, width = 16, depth = 1, classes = 3 }
local y, info = flow.sample(v, 2, { labels = tensor.from { 1, 3 }:long(), cfg = 2, steps = 5 })
assert(y:size(4) == 4 and info.nfe == 5 and info.net_nfe == 10)]] },

-- ---- likelihood ----
["flow.divergence"] = {
  text = "Trace of the Jacobian of v in z, for each row. 'exact' takes the field's own formula where " ..
    "it has one, else tangents where the field can (v:trace), else as many vector-Jacobian products as " ..
    "a point has numbers; 'trace' always the latter; 'hutchinson' one product with random noise.",
  args = { field, { "z", "tensor", "(B, ...)" }, { "t", "number|tensor" },
    options("method, noise: 'rademacher', 'gaussian' or a tensor; labels; create_graph") },
  returns = "tensor (B), and v(z,t)", source = "Hutchinson 1990; Grathwohl et al. 2019, arXiv 1810.01367",
  example = [[
local div = flow.divergence(function(z) return z * 3 end, tensor.randn(4, 2), 0.5)
assert((div - 6):abs():max():item() < 1e-5)]] },
["flow.log_likelihood"] = {
  text = "log p(y) of the flow: the ODE is solved back to t = 0 while the divergence is integrated " ..
    "(instantaneous change of variables). A solver that fails raises; nothing stands in for a value. " ..
    "With path = flow.path.spherical() the density is with respect to area: the noise is uniform, " ..
    "the divergence that of the sphere.",
  args = { field, points, options("divergence: as method of flow.divergence; noise, kept for the " ..
    "whole solve; solver ['rk4'], steps [100], rtol, atol; labels; path; create_graph: keep the way " ..
    "back to y and the weights") },
  returns = "tensor (B), and the table of flow.integrate with x0",
  source = "Chen et al. 2018, arXiv 1806.07366, theorem 1; " .. align_paper .. ", eq. 4",
  example = [[
local g = flow.exact.gaussian { mean = { 1, 0 }, std = 0.5 }
local y = tensor.randn(5, 2, { dtype = "f64" })
local log_p = flow.log_likelihood(g, y, { steps = 200 })
assert((log_p - g:log_prob(y)):abs():max():item() < 1e-5)]] },
["flow.nll_estimate"] = {
  text = "An estimate of -log p(y) from residuals weighted by path:weight(t), which is t/(1-t) on the " ..
    "linear path: no ODE, no divergence. Exact in the mean for an exact field; an error of a learned " ..
    "field at t = 1 diverges logarithmically, so times stop at 1 - eps.",
  args = { field, points, options("samples [64], eps [1e-3], labels, create_graph, path: the one that v " ..
    "was trained on; an affine one that goes from noise alone to data alone") },
  returns = "tensor (B)", errors = "A spherical path: flow.log_likelihood gives the likelihood there.",
  source = "Kong, Brekelmans and Ver Steeg 2023, arXiv 2302.03792",
  example = [[
local g = flow.exact.gaussian { mean = { 0, 0 } }
local e = flow.nll_estimate(g, tensor.zeros(400, 2), { samples = 32 })
assert(math.abs(e:mean():item() - math.log(2 * math.pi)) < 0.2)]] },
["flow.surrogate"] = {
  text = "The paper's C(y), alignment loss and C - align. C - align is not a lower bound on log p: for " ..
    "v = -x in one dimension it is 0.667 at y = 0, where log p is 0.081. Hold it against " ..
    "flow.log_likelihood.",
  args = { field, points, options("samples [32], divergence, labels, path") },
  returns = "table with C, align and bound, each (B)", source = align_paper .. ", eq. 6, 8 and 15",
  example = [[
local s = flow.surrogate(function(x) return -x end, tensor.zeros(100, 1))
assert(math.abs(s.C:mean():item() - 1) < 1e-6)]] },
["flow.landscape"] = {
  text = "Values of f on a grid of the plane, in batches, without gradients. Of a target it is the NLL; " ..
    "where that is a kernel estimate, all cells come at once (metrics.kde_grid).",
  args = { { "f", "function|target", "of points (B,2) to values (B); or a target of the plane" },
    options("xlim, ylim [{-3,3}], n: cells per side or {nx, ny} [64], batch, dtype, device, report") },
  returns = "table with z (ny,nx; row = y, column = x), x, y, points",
  example = [[
local g = flow.landscape(function(p) return p:select(2, 1) end, { n = 5 })
assert(g.z:get(1, 5) == 3 and g.z:get(5, 1) == -3)]] },

-- ---- exact fields ----
["flow.exact.mixture"] = {
  text = "The marginal velocity field of the linear path to a mixture of Gaussians, in closed form: " ..
    "called like a net, with divergence(z,t), log_prob(y), nll(y), sample(n) and dim.",
  args = { { "options", "table", "means (K,D); std: a number or K of them, or cov: (K,D,D) or (D,D); " ..
    "weights: K positive numbers" } },
  returns = "a field", errors = "Covariances that are not positive definite; sizes that do not agree.",
  source = "posterior weights and the velocity of each component; see the theory of the notebooks",
  example = [[
local m = flow.exact.mixture { means = { { 1, 0 }, { -1, 0 } }, std = 0.2 }
assert(m(tensor.zeros(1, 2), 0.5):abs():max():item() < 1e-6)
assert(m:sample(10):size(2) == 2)]] },
["flow.exact.gaussian"] = {
  text = "The same for one Gaussian.",
  args = { options("mean [{0,0}], std [1] or cov (D,D)") }, returns = "a field",
  example = "assert(flow.exact.gaussian { mean = { 0, 0, 0 } }.dim == 3)" },

-- ---- projections ----
["flow.project.random"] = {
  text = "A fixed random map W with independent N(0, 1/d_out) entries.",
  args = { { "d_in", "integer" }, { "d_out", "integer" }, options("generator, dtype") },
  returns = "a projection, called with (N, d_in)", source = align_paper .. ", table 2 (a)",
  example = "assert(flow.project.random(8, 2)(tensor.randn(5, 8)):size(2) == 2)" },
["flow.project.avgpool"] = {
  text = "Means of d_in / d_out neighbouring features.",
  args = { { "d_in", "integer" }, { "d_out", "integer" }, options("dtype") },
  returns = "a projection", errors = "Features that do not split evenly.",
  source = align_paper .. ", table 2 (a)",
  example = "assert(flow.project.avgpool(4, 2)(tensor.from{ { 1, 3, 5, 7 } }):get(1, 2) == 6)" },
["flow.project.pca"] = {
  text = "The leading principal directions of samples, with their variances.",
  args = { { "x", "tensor", "samples (N, d_in)" }, { "d_out", "integer" } },
  returns = "a projection", source = align_paper .. ", table 2 (a)",
  example = "assert(flow.project.pca(tensor.randn(50, 4), 2)(tensor.randn(3, 4)):size(2) == 2)" },

-- ---- priors of any dimension ----
["flow.prior"] = {
  sig = "flow.prior(source [, {dim=, projection=, modes=, std=}])",
  text = "What latents can be aligned to, by one interface: the name of a target of the plane, " ..
    "\"mixture\" (Gaussians with random means, in any dimension), a target, vectors (N, D), or a file " ..
    "of them (.npy, .csv; FILE.safetensors:NAME). Vectors of another dimension than dim are projected; " ..
    "all are centred and scaled so that the std over all entries is 1. A prior has name, dim, " ..
    "sample(n) to train a flow with, reference(n) and fresh(n), which share no point (one vector in " ..
    "five is kept for fresh) and are the same in every call, and nll(y) where the density is known.",
  args = { { "source", "string|target|tensor" }, options("dim: of the latents; projection: 'random' " ..
    "(the default where the dimension differs), 'avgpool' or 'pca'; modes [10] and std [0.3]: of " ..
    "the mixture") },
  returns = "a prior", errors = "An unknown name; a file of many tensors without :NAME; vectors that " ..
    "are too few, all equal or not finite.", source = align_paper .. ", section 4.1 and table 2 (a)",
  example = [[
local p = flow.prior("mixture", { dim = 32 })
assert(p:sample(8):size(2) == 32 and p:fresh(5):equal(p:fresh(5)))
local q = flow.prior(tensor.randn(100, 16), { dim = 4, projection = "pca" })
assert(q:reference(1000):size(1) == 80 and q:fresh(1000):size(1) == 20)
local v = flow.VelocityMLP { dim = 4, hidden = 16, blocks = 1 }
flow.train(v, q, { steps = 5 })]] },

-- ---- targets ----
["flow.targets.mog"] = {
  text = "Gaussians on a circle, divided by one scale. A target has sample(n), nll(y), log_prob(y), " ..
    "scale, and exact (its field) where there is a closed form.",
  args = { options("modes [5], radius [3], std [0.3]") }, returns = "a target",
  source = align_paper .. ", section 5.1",
  example = [[
local t = flow.targets.mog()
assert(t:nll(t:sample(100)):mean():item() < 1)]] },
["flow.targets.grid"] = { text = "n x n Gaussians on a grid.",
  args = { options("n [4], spacing [1], std [0.1]") }, returns = "a target",
  source = align_paper .. ", appendix B", example = "assert(flow.targets.grid().exact.count == 16)" },
["flow.targets.gaussian"] = { text = "One Gaussian in the plane, scaled to unit variance.",
  args = { options("std [1]") }, returns = "a target",
  example = "assert(flow.targets.gaussian():sample(3):size(2) == 2)" },
["flow.targets.moons"] = { text = "Two interleaved half circles with noise.",
  args = { options("radius [2], noise [0.1]") }, returns = "a target",
  source = align_paper .. ", appendix B", example = "assert(flow.targets.moons():sample(3):dim() == 2)" },
["flow.targets.rings"] = { text = "Concentric rings with noise.",
  args = { options("rings [3], radius: of the outermost [4], noise [0.1]") }, returns = "a target",
  source = align_paper .. ", appendix B", example = "assert(flow.targets.rings():sample(3):dim() == 2)" },
["flow.targets.spiral"] = { text = "A spiral from the centre, points spread evenly along it.",
  args = { options("turns [3], radius [4], noise [0.1]") }, returns = "a target",
  source = align_paper .. ", appendix B", example = "assert(flow.targets.spiral():sample(3):dim() == 2)" },
["flow.targets.swissroll"] = { text = "A spiral that starts away from the centre.",
  args = { options("turns [3], radius [4], start: inner share of the radius [0.2], noise [0.1]") },
  returns = "a target", source = align_paper .. ", appendix B",
  example = "assert(flow.targets.swissroll():sample(3):dim() == 2)" },
["flow.targets.pinwheel"] = { text = "Curved arms around the centre.",
  args = { options("arms [5], radius, radial_std, tangential_std, rate") }, returns = "a target",
  source = "Johnson et al. 2016, arXiv 1603.06277",
  example = "assert(flow.targets.pinwheel():sample(3):dim() == 2)" },
["flow.targets.checkerboard"] = { text = "Uniform on the dark squares of an n x n board; exact density.",
  args = { options("n [4], even") }, returns = "a target",
  example = [[
local t = flow.targets.checkerboard()
assert(t:nll(t:sample(100)):isfinite():all():item())]] },
["flow.targets.points"] = {
  text = "Rows of a tensor as a distribution: draws are rows; the density is a Gaussian kernel estimate. " ..
    "Scott's rule for its bandwidth, N^(-1/(D+4)) times the std of all entries, smooths fine structure " ..
    "away; give a number (in units after scaling) for that.",
  args = { { "x", "tensor|string", "(N,D), or a file with it" }, options("normalize: divide by the std of " ..
    "all entries [true], bandwidth ['scott'], name") },
  returns = "a target", errors = "Fewer than two rows; rows that are all equal.",
  source = "Scott 1992, Multivariate Density Estimation, section 6.3",
  example = "assert(flow.targets.points(tensor.randn(20, 3)):sample(5):size(2) == 3)" },
["flow.targets.image"] = {
  text = "The ink of a picture as a density: opacity where the picture has an alpha channel that varies, " ..
    "else darkness against its brightest pixel. It is constant on each pixel, so the NLL is exact (inf " ..
    "where there is no ink), and samples spread over whole pixels. y points up; the middle is 0.",
  args = { { "picture", "string|tensor", "a .png file, or (H,W) or (H,W,C)" },
    options("from: 'auto', 'darkness' or 'alpha' ['auto'], invert: bright counts [false], name; " ..
      "extent: {x0, x1, y0, y1}, where the picture lies; nothing is scaled then") },
  returns = "a target", errors = "A picture without anything dark.",
  example = [[
local t = flow.targets.image(tensor.from{ { 0, 1 }, { 1, 0 } })
assert(t:nll(t:sample(50)):isfinite():all():item())]] },
}
