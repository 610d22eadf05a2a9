-- nets.lua -- documentation of velocity nets of pictures and tokens, and of their parts.
local called = "Called as v(z, t [, c]) with points z, t one time or one for each, and c nothing, " ..
  "labels (n), or {labels=, image=} where extra= makes the net read an image of that many channels, " ..
  "as large as the points, beside them (for inpainting, masks). Without labels v.null_label stands " ..
  "in. The field starts at 0. v.shape is the shape of a point, which flow.sample asks for."

return {
["nn.DiT"] = {
  text = "A velocity field on pictures or tokens as a transformer whose blocks are shifted, scaled and " ..
    "gated by time and label (AdaLN-zero), with fixed sines and cosines as positions. " .. called,
  sig = "nn.DiT(options)",
  args = { { "options", "table", "size: pixels n or {h, w}; patch (1): pixels along each side; or tokens: " ..
    "their number; channels (1) of a picture or numbers of a token; width (128), depth (4) blocks, heads " ..
    "(4), ratio (4) of the MLP's width to width; classes; extra (0); qk_norm (false); dtype, device" } },
  returns = "module: (n, channels, h, w) or (n, tokens, channels) to the same",
  errors = "Pictures that do not split into patches; a width that is no multiple of heads or of 4.",
  source = "Peebles and Xie 2023 (arXiv 2212.09748), the block with adaLN-Zero; qk_norm: Henry et al. " ..
    "2020 (arXiv 2010.04245)",
  example = [[
local v = nn.DiT { size = 8, channels = 4, patch = 2, width = 32, depth = 2, classes = 10, extra = 1 }
local z, labels = tensor.randn(3, 4, 8, 8), tensor.from { 1, 5, 10 }:long()
local out = v(z, tensor.rand(3), { labels = labels, image = tensor.ones(3, 1, 8, 8) })
assert(out:size(2) == 4 and out:abs():max():item() == 0)
local tokens = nn.DiT { tokens = 16, channels = 6, width = 32, depth = 1 }
assert(tokens(tensor.randn(2, 16, 6), 0.5):size(3) == 6)]] },
["nn.UNet"] = {
  text = "A velocity field on pictures as residual convolution blocks at several sizes, each half of the " ..
    "one before (odd sizes are rounded up), with attention at the smallest. Time and label scale and " ..
    "shift the second norm of each block. " .. called,
  sig = "nn.UNet(options)",
  args = { { "options", "table", "size: pixels n or {h, w}; channels (1); width (32) channels of the " ..
    "largest size, mults ({1, 2, 2}) times that at each size; blocks (1) at each size; heads (4), " ..
    "attention (true); groups (8) of the norms, a divisor of width; classes; extra (0); qk_norm " ..
    "(false); dtype, device" } },
  returns = "module: (n, channels, h, w) to the same",
  errors = "A width that is no multiple of groups; points of another shape.",
  source = "Ronneberger et al. 2015 (arXiv 1505.04597); Dhariwal and Nichol 2021 (arXiv 2105.05233), " ..
    "section 3 and its adaptive group norm",
  example = [[
local v = nn.UNet { size = 28, width = 8, mults = { 1, 2 }, classes = 10 }
local x = flow.sample(v, 2, { labels = tensor.from { 3, 4 }:long(), steps = 2 })
assert(x:size(3) == 28)]] },
["nn.LabelEmbedding"] = {
  text = "A vector for each label 1..classes and one for none, at position null_label = classes + 1. " ..
    "Called with labels (n); without, it gives the one row for none. e:places(labels) are the labels " ..
    "as numbers from 0, in the type of the weights.",
  args = { { "classes", "integer" }, { "size", "integer" },
    { "options", "table", "std (0.02) of the first values; dtype, device", optional = true } },
  returns = "module: (n) to (n, size)", errors = "Labels that do not exist, or are no integers.",
  source = "Ho and Salimans 2022 (arXiv 2207.12598)",
  example = [[
local e = nn.LabelEmbedding(10, 16)
assert(e(tensor.from { 1, e.null_label }:long()):size(2) == 16 and e():size(1) == 1)]] },
["nn.PositionalEmbedding"] = {
  text = "Adds to each token a row for its place: fixed sines and cosines (nn.sincos_positions), or " ..
    "learned ones.",
  args = { { "places", "integer|table", "how many, or {h, w} for a grid, row after row" },
    { "size", "integer" }, { "options", "table", "learned (false), dtype, device", optional = true } },
  returns = "module: (n, places, size) to the same", errors = "Tokens of other sizes.",
  source = "Vaswani et al. 2017 (arXiv 1706.03762), section 3.5",
  example = "assert(nn.PositionalEmbedding({ 2, 3 }, 8)(tensor.zeros(1, 6, 8)):size(2) == 6)" },
["nn.sincos_positions"] = {
  text = "Features of places: an equal share for each dim of the grid, cosines and then sines of " ..
    "place * 10000^(-i/k), i from 0 to k - 1 for a share of 2k.",
  args = { { "places", "integer|table", "how many, or {h, w}, row after row" },
    { "size", "integer", "a multiple of twice the number of dims" },
    { "options", "table", "dtype, device", optional = true } },
  returns = "tensor (places, size)", errors = "A size that does not split.",
  source = "Vaswani et al. 2017 (arXiv 1706.03762), section 3.5",
  example = [[
local p = nn.sincos_positions({ 2, 3 }, 8)
assert(p:size(1) == 6 and p:narrow(1, 1, 1):sum():item() == 4)  -- cos 0 = 1, sin 0 = 0]] },
}
