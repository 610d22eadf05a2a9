-- lab.lua -- documentation of the lab.
return {
["tide.lab"] = {
  sig = "tide.lab{target=, field=, loss=, ...}",
  text = "Opens the method as one window, as `tide lab` does: latents that move down the loss of a " ..
    "frozen flow, over the negative log-likelihood and a map of what they are given, with controls. " ..
    "The script goes on; plot.wait() keeps the window. Without a display the same picture can be saved. " ..
    "All targets have exact fields and densities here: moons, rings, spiral and swissroll are sums of " ..
    "Gaussians along the curves, so their NLL is not that of a kernel estimate, as it is in flow.targets. " ..
    "Random numbers come from streams of its own. See also ?lab.",
  args = { { "options", "table", "target [\"mog\"]: mog, grid, moons, rings, spiral, swissroll, or " ..
    "\"draw\"; points (N, 2) and width [0.08]: what is drawn; " ..
    "field [\"exact\"] or \"trained\"; flow_steps [1000]: 10, 30, 100, 300, 1000 or 3000; " ..
    "loss [\"align\"], \"likelihood\" or \"excess\"; lr [0.02]; " ..
    "from [0] and to [1]: times of the loss; draws [4] of (t, noise) for each latent and step; latents " ..
    "[300]; seed [1]; map [\"loss\"], \"nll\", \"align\", \"C\", \"bound\", \"log_p\" or \"residual\" at " ..
    "time [0.5]", optional = true } },
  returns = "Lab: lab.model is the experiment (model:step(), model:numbers(), model:map(kind, n), " ..
    "model:probe(x, y), model:set{...}), lab.fig the figure, lab.controls and lab.player what a " ..
    "person uses, lab:save(path [, {point = false}]) draws it with fine maps, lab.said what stands below",
  errors = "An unknown option, target or loss: the message names the nearest one.",
  source = "Li et al. 2025 (arXiv 2506.05240), Figures 2, 3 and 6, eq. 5 and Proposition 1; excess: " ..
    "flow.excess_loss",
  example = [[
local lab = tide.lab{ target = "mog", latents = 50 }
lab.player:run(10)
local r = lab.model:numbers()
assert(r.step == 10 and r.nll > r.data_nll)
assert(lab.model:map("C", 8).z:size(1) == 8)
lab.fig:close()]] },

["topic.lab"] = { title = "The lab: the method in one window", text = [[
  tide lab                                     the window
  tide lab --target rings --loss excess        with another experiment
  tide lab --steps 300 --save rings.png        the same as a picture
  tide lab --help                              all options
  lab = tide.lab{ target = "rings" }           at the prompt, or in a script

Left is what one wants to be small, the negative log-likelihood, in the middle
what the latents are given instead, right both on average while they move.

]] .. require("tide.lab.guide") .. [[


What the maps are, for the keys 1 to 7:

  1 loss in use   what the latents go down: the next one, the same weighted by
                  t / (1 - t), or the excess over a second flow fitted to them
  2 NLL           -log p of the target
  3 L(y)          the alignment loss, eq. 5 of the paper, over all times
  4 C             -div v, averaged over the paths that end at y (eq. 6)
  5 C - L         the paper's surrogate for log p, which is no lower bound
  6 log p         of the exact field, or of the trained flow along its ODE
  7 R(y, t)       the mean residual at one time: drag the line in the curve

Maps are computed while one looks, coarse ones first, with 128 draws of (t, noise)
that are spread evenly. The mean loss in the curves is over all times whatever the
loss in use is, so that it can be held against that of true data, its floor. With
an exact field the second flow of the excess starts from nothing and learns the
latents before they move; else it starts from the trained flow.]] },
}
