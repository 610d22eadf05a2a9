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
  args = { { "y", "tensor", "points (B,D)" }, { "data", "tensor", "(N,D)" },
    { "options", "table", "bandwidth [0.1]", optional = true } },
  returns = "tensor (B)", source = "arXiv 2506.05240, eq. 27",
  example = [[
local far = metrics.kde_log_density(tensor.full({ 1, 2 }, 100), tensor.zeros(1, 2))
assert(far:item() < -9e5)]] },
["metrics.kde_grid"] = {
  text = "kde_log_density at the crossings of a grid's lines, for samples of the plane: the kernel is a " ..
    "product of one of x and one of y, so the sums are a matrix product in f64; cells so far from all " ..
    "data that it underflows (24 bandwidths) are summed directly. 100,000 samples on 256 x 256 cells " ..
    "take well under a second on two cores.",
  args = { { "x", "tensor", "(A)" }, { "y", "tensor", "(B)" }, { "data", "tensor", "(N,2)" },
    { "options", "table", "bandwidth [0.1]", optional = true } },
  returns = "tensor (B,A): row = y, column = x, as heatmaps want it",
  source = "arXiv 2506.05240, eq. 27",
  example = [[
local data, x = tensor.randn(500, 2), tensor.linspace(-2, 2, 9)
local z = metrics.kde_grid(x, x, data)
local there = metrics.kde_log_density(tensor.from{ { -2, 2 } }, data)
assert(math.abs(z[9][1]:item() - there:item()) < 1e-4)]] },
["metrics.knn"] = {
  text = "The k nearest rows of data to each row of y, by exact distances; these are differentiable.",
  args = { { "y", "tensor", "(B,D)" }, { "data", "tensor", "(N,D)" }, { "k", "integer" } },
  returns = "distances, ascending, and positions among data, both (B,k)",
  errors = "More neighbours than rows.",
  example = [[
local d, at = metrics.knn(tensor.from{ { 0 } }, tensor.from{ { 3 }, { -1 }, { 2 } }, 2)
assert(d[1][2]:item() == 2 and at[1][1]:item() == 2)]] },
["metrics.knn_log_radius"] = {
  text = "log of the distance from each row of y to its k-th nearest row of data; differentiable.",
  args = { { "y", "tensor", "(B,D)" }, { "data", "tensor", "(N,D)" },
    { "options", "table", "k [5]; drop_self: y is data, do not count a row itself",
      optional = true } },
  returns = "tensor (B)", errors = "Fewer rows than neighbours.",
  source = "arXiv 2506.05240, section 5.2 (fig. 4)",
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
["metrics.wasserstein"] = {
  text = "W2 distance of two sets of equally many samples, exact: the root mean squared distance under " ..
    "the best matching. Takes n^2 numbers of memory; 2,000 rows take about a second.",
  args = xy, returns = "number, and for each row of x the row of y it is matched with",
  errors = "Sets of different sizes.", source = "Jonker and Volgenant 1987; Crouse 2016",
  example = [[
local x = tensor.randn(50, 2)
assert(math.abs(metrics.wasserstein(x, x + 1) - math.sqrt(2)) < 1e-6)]] },
["metrics.mmd"] = {
  text = "Unbiased estimate of the squared maximum mean discrepancy with a Gaussian kernel; may be " ..
    "slightly negative.",
  args = with(xy, "bandwidth: default the median distance between two rows of both sets (of at most " ..
    "1000 rows each, evenly spread)"),
  returns = "number, and the bandwidth",
  source = "Gretton et al. 2012, lemma 6 and section 8",
  example = "assert(metrics.mmd(tensor.randn(50, 2), tensor.randn(50, 2) + 3) > 0.1)" },
["metrics.frechet"] = {
  text = "Squared Frechet distance of the normal laws with the samples' means and covariances, in f64; " ..
    "the covariances may lack full rank.",
  args = xy, returns = "number", errors = "Fewer than two rows.",
  source = "Dowson and Landau 1982; Heusel et al. 2017, arXiv 1706.08500",
  example = [[
local x = tensor.randn(500, 3)
assert(math.abs(metrics.frechet(x, x + 2) - 12) < 1e-3)]] },
["metrics.frechet_normal"] = {
  text = "Squared Frechet distance of two normal laws given by their moments: for moments that were " ..
    "computed once and kept.",
  args = { { "mean", "tensor", "(D)" }, { "cov", "tensor", "(D,D)" }, { "mean2", "tensor", "(D)" },
    { "cov2", "tensor", "(D,D)" } },
  returns = "number", source = "Dowson and Landau 1982",
  example = [[
local m, a = tensor.zeros(3), tensor.eye(3)
assert(math.abs(metrics.frechet_normal(m, a, m + 1, a * 4) - 6) < 1e-6)]] },
["metrics.precision_recall"] = {
  text = "Share of samples inside the nearest-neighbour balls of data, and the reverse: how much of the " ..
    "samples is realistic, and how much of the data is reached.",
  args = { { "samples", "tensor", "(N,D)" }, { "data", "tensor", "(M,D)" },
    { "options", "table", "k [3]", optional = true } },
  returns = "precision and recall, numbers", source = "Kynkaanniemi et al. 2019, arXiv 1904.06991",
  example = [[
local x = tensor.randn(60, 2)
local p, r = metrics.precision_recall(x, x)
assert(p == 1 and r == 1)]] },
["metrics.density_coverage"] = {
  text = "Density: how many nearest-neighbour balls of data hold each sample, over k (may pass 1). " ..
    "Coverage: share of those balls that hold a sample. An outlier among samples helps neither.",
  args = { { "samples", "tensor", "(N,D)" }, { "data", "tensor", "(M,D)" },
    { "options", "table", "k [5]", optional = true } },
  returns = "density and coverage, numbers", source = "Naeem et al. 2020, arXiv 2002.09797, eqs. 3 and 4",
  example = [[
local x = tensor.randn(60, 2)
local density, coverage = metrics.density_coverage(x, x)
assert(density > 0 and coverage == 1)]] },
["metrics.class_score"] = {
  text = "The form of the Inception score, exp of the mean of KL(p(class|x) || p(class)), of any " ..
    "classifier's probabilities: 1 if it cannot tell, C if it is sure and classes are even.",
  args = { { "probs", "tensor", "(N,C), rows sum to 1" },
    { "options", "table", "splits [1]: equal parts of the rows, each with a score of its own",
      optional = true } },
  returns = "mean and standard deviation over the splits", errors = "Rows that are no probabilities.",
  source = "Salimans et al. 2016, arXiv 1606.03498, section 4",
  example = "assert(math.abs(metrics.class_score(tensor.eye(5)) - 5) < 1e-5)" },
["metrics.accuracy"] = {
  text = "Share of rows whose largest score stands at their label. With samples drawn for given classes " ..
    "and a fixed classifier it is the conditional accuracy.",
  args = { { "scores", "tensor", "(N,C): logits or probabilities" },
    { "labels", "tensor|table", "N classes, from 1" } },
  returns = "number from 0 to 1",
  example = "assert(metrics.accuracy(tensor.eye(4), { 1, 2, 3, 1 }) == 0.75)" },
["metrics.psnr"] = { text = "Peak signal-to-noise ratio in dB, over all entries.",
  args = { { "x", "tensor" }, { "y", "tensor", "what x should be, same shape" },
    { "options", "table", "peak [1]", optional = true } },
  returns = "number; inf for equal tensors",
  example = "assert(math.abs(metrics.psnr(tensor.zeros(4), tensor.full(4, 0.1)) - 20) < 1e-4)" },
["metrics.ssim"] = {
  text = "Structural similarity of pictures, averaged over the places where the Gaussian window fits.",
  args = { { "x", "tensor", "(...,H,W)" }, { "y", "tensor", "what x should be, same shape" },
    { "options", "table", "peak [1], window [11], sigma [1.5], reduction: 'mean' or 'none' ['mean']",
      optional = true } },
  returns = "number; with reduction = 'none' a tensor (...), one number for each picture",
  errors = "Pictures smaller than the window.",
  source = "Wang, Bovik, Sheikh and Simoncelli 2004",
  example = [[
local x = tensor.rand(2, 16, 16)
assert(math.abs(metrics.ssim(x, x) - 1) < 1e-12 and metrics.ssim(x, 1 - x) < 0)]] },
["metrics.modes"] = {
  text = "Which mode each latent is nearest to, how many each has, and the spread within modes around " ..
    "the latents' own means.",
  args = { { "y", "tensor", "(B,D)" }, { "means", "tensor", "(K,D)" } },
  returns = "table with occupancy (list), within_std, nearest (B)",
  example = [[
local m = metrics.modes(tensor.from{ { 0, 0 }, { 0, 0.2 }, { 5, 5 } }, tensor.from{ { 0, 0 }, { 5, 5 } })
assert(m.occupancy[1] == 2 and m.occupancy[2] == 1)]] },
}
