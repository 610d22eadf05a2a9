-- metrics.lua -- documentation of the measures.
local xy = { { "x", "tensor", "samples (N,D)" }, { "y", "tensor", "samples (M,D)" } }
local series = { { "x", "tensor|table" }, { "y", "tensor|table", "as many values" } }
local function with(args, what)
  local all = table.pack(table.unpack(args))
  all.n = nil
  all[#all + 1] = { "options", "table", what, optional = true }
  return all
end

return {
["metrics.pearson"] = { text = "Linear correlation of two series; NaN if one is constant.",
  args = series, returns = "number",
  example = "assert(math.abs(metrics.pearson({ 1, 2, 3 }, { 2, 4, 6 }) - 1) < 1e-12)" },
["metrics.spearman"] = { text = "Correlation of ranks; equal values share the mean rank.",
  args = series, returns = "number", source = "Spearman 1904",
  example = "assert(math.abs(metrics.spearman({ 1, 2, 3 }, { 1, 8, 27 }) - 1) < 1e-12)" },
["metrics.kde_log_density"] = {
  text = "log density at y of a Gaussian kernel estimate from data; every sample counts, without " ..
    "underflow far away; differentiable.",
  args = { { "data", "tensor", "(N,D)" }, { "y", "tensor", "(B,D)" },
    { "options", "table", "bandwidth [0.1]", optional = true } },
  returns = "tensor (B)", source = "arXiv 2506.05240, eq. 27",
  example = [[
local far = metrics.kde_log_density(tensor.zeros(1, 2), tensor.full({ 1, 2 }, 100))
assert(far:item() < -9e5)]] },
["metrics.knn_log_radius"] = {
  text = "log of the distance from each row of y to its k-th nearest row of data.",
  args = { { "y", "tensor", "(B,D)" }, { "data", "tensor", "(N,D)" },
    { "options", "table", "k [5]; drop_self: y is data, do not count a row itself; batch",
      optional = true } },
  returns = "tensor (B)", errors = "Fewer rows than neighbours.",
  example = [[
local r = metrics.knn_log_radius(tensor.zeros(1, 1), tensor.from{ { 1 }, { 2 }, { 3 } }, { k = 2 })
assert(math.abs(r:item() - math.log(2)) < 1e-6)]] },
["metrics.knn_nll"] = {
  text = "Nearest-neighbour estimate of -log p: D log r_k + log V_D + log N - log k.",
  args = { { "y", "tensor", "(B,D)" }, { "data", "tensor", "(N,D)" },
    { "options", "table", "as knn_log_radius", optional = true } },
  returns = "tensor (B)", source = "Loftsgaarden and Quesenberry 1965",
  example = [[
local x = tensor.rand(4000, 1)
assert(math.abs(metrics.knn_nll(tensor.full({ 1, 1 }, 0.5), x, { k = 200 }):item()) < 0.4)]] },
["metrics.sliced_wasserstein"] = {
  text = "Root mean square over random directions of the W2 distance of projections. Directions come " ..
    "from their own fixed stream unless a generator is given.",
  args = with(xy, "projections [128], generator"), returns = "number",
  source = "Rabin et al. 2011; Bonneel et al. 2015",
  example = [[
local x = tensor.randn(50, 2)
assert(metrics.sliced_wasserstein(x, x) == 0)]] },
["metrics.mmd"] = {
  text = "Unbiased estimate of the squared maximum mean discrepancy with a Gaussian kernel; may be " ..
    "slightly negative.",
  args = with(xy, "bandwidth: default the median distance"), returns = "number, and the bandwidth",
  source = "Gretton et al. 2012, eq. 3",
  example = "assert(metrics.mmd(tensor.randn(50, 2), tensor.randn(50, 2) + 3) > 0.1)" },
["metrics.frechet"] = {
  text = "Squared Frechet distance of the Gaussians with the samples' means and covariances, in f64.",
  args = xy, returns = "number", source = "Dowson and Landau 1982; Heusel et al. 2017, arXiv 1706.08500",
  example = [[
local x = tensor.randn(500, 3)
assert(math.abs(metrics.frechet(x, x + 2) - 12) < 1e-3)]] },
["metrics.precision_recall"] = {
  text = "Share of fakes inside the nearest-neighbour balls of real samples, and the reverse.",
  args = { { "real", "tensor", "(N,D)" }, { "fake", "tensor", "(M,D)" },
    { "options", "table", "k [3]", optional = true } },
  returns = "precision and recall, numbers", source = "Kynkaanniemi et al. 2019, arXiv 1904.06991",
  example = [[
local x = tensor.randn(60, 2)
local p, r = metrics.precision_recall(x, x)
assert(p == 1 and r == 1)]] },
["metrics.psnr"] = { text = "Peak signal-to-noise ratio in dB.",
  args = { { "x", "tensor" }, { "y", "tensor", "same shape" },
    { "options", "table", "peak [1]", optional = true } },
  returns = "number",
  example = "assert(math.abs(metrics.psnr(tensor.zeros(4), tensor.full(4, 0.1)) - 20) < 1e-4)" },
["metrics.modes"] = {
  text = "Which mode each latent is nearest to, how many each has, and the spread within modes around " ..
    "the latents' own means.",
  args = { { "y", "tensor", "(B,D)" }, { "means", "tensor", "(K,D)" } },
  returns = "table with occupancy (list), within_std, nearest (B)",
  example = [[
local m = metrics.modes(tensor.from{ { 0, 0 }, { 0, 0.2 }, { 5, 5 } }, tensor.from{ { 0, 0 }, { 5, 5 } })
assert(m.occupancy[1] == 2 and m.occupancy[2] == 1)]] },
}
