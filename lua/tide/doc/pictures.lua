-- pictures.lua -- documentation of the layers of pictures.
local channels = { { "inputs", "integer", "channels" }, { "outputs", "integer", "channels" },
  { "kernel", "integer", "height and width of the kernel, in pixels" } }

local function layer(extra)
  local list = { table.unpack(channels) }
  list[#list + 1] = { "options", "table", extra .. "bias (true), dtype, device", optional = true }
  return list
end

return {
["nn.Conv2d"] = {
  text = "A convolution of pictures (a cross-correlation, as everywhere in the field), with zeros around " ..
    "them. Weights start uniform in +-1/sqrt(inputs kernel^2).",
  args = layer "stride (1) and pad (0: zeros on each side), in pixels; ",
  returns = "module: (n, inputs, h, w) to (n, outputs, (h + 2 pad - kernel) // stride + 1, ...)",
  errors = "Other channels than inputs; a kernel that does not fit.",
  source = "Dumoulin and Visin 2016 (arXiv 1603.07285)",
  example = [[
local net = nn.Sequential(nn.Conv2d(1, 4, 3, { pad = 1 }), nn.SiLU(),
                          nn.Conv2d(4, 2, 3, { stride = 2, pad = 1 }))
assert(net(tensor.randn(5, 1, 8, 8)):size(3) == 4)]] },
["nn.ConvTranspose2d"] = {
  text = "The adjoint of a convolution: pictures become larger by the stride.",
  args = layer("stride (1), pad (0: pixels cut off on each side), extra (0: rows and columns added " ..
    "below and on the right); "),
  returns = "module: (n, inputs, h, w) to (n, outputs, (h - 1) stride - 2 pad + kernel + extra, ...)",
  errors = "Other channels than inputs; extra that is not below the stride.",
  source = "Dumoulin and Visin 2016 (arXiv 1603.07285)",
  example = [[
local up = nn.ConvTranspose2d(4, 1, 4, { stride = 2, pad = 1 })
assert(up(tensor.randn(5, 4, 7, 7)):size(4) == 14)]] },
["nn.GroupNorm"] = {
  text = "Channels in groups: each sample's group minus its mean, over its standard deviation, times a " ..
    "weight and plus a bias for each channel. It does not depend on the rest of the batch. " ..
    "norm(x, scale, shift) with tensors (n, channels) is norm(x) (1 + scale) + shift.",
  args = { { "groups", "integer" }, { "channels", "integer", "a multiple of groups" },
    { "options", "table", "eps (1e-5), affine (true), dtype, device", optional = true } },
  returns = "module: (n, channels, ...) to the same", errors = "Channels that do not split evenly.",
  source = "Wu and He 2018 (arXiv 1803.08494)",
  example = [[
local y = nn.GroupNorm(2, 6)(tensor.randn(3, 6, 4, 4) * 5 + 2)
assert(math.abs(y:mean():item()) < 1e-5)]] },
["nn.Upsample"] = {
  text = "Pictures enlarged by a whole factor: each pixel becomes a square (nearest neighbour).",
  args = { { "factor", "integer", "default 2", optional = true } },
  returns = "module: (n, c, h, w) to (n, c, h factor, w factor)",
  example = "assert(nn.Upsample(3)(tensor.randn(1, 1, 2, 2)):size(4) == 6)" },
["nn.AvgPool2d"] = {
  text = "The means of squares of pixels that do not overlap.",
  args = { { "factor", "integer", "default 2", optional = true } },
  returns = "module: (n, c, h, w) to (n, c, h / factor, w / factor)",
  errors = "Sizes that are no multiple of the factor.",
  example = "assert(nn.AvgPool2d(2)(tensor.ones(1, 1, 4, 4)):mean():item() == 1)" },
["nn.patchify"] = {
  text = "Pictures cut into square patches, one token each, row after row; a token lists its pixels " ..
    "channel by channel.",
  args = { { "x", "tensor", "(n, c, h, w)" }, { "p", "integer", "pixels along a patch" } },
  returns = "tensor (n, tokens, c p p)", errors = "Sizes that are no multiple of p.",
  source = "Dosovitskiy et al. 2021 (arXiv 2010.11929)",
  example = [[
local x = tensor.randn(2, 3, 4, 6)
local tokens = nn.patchify(x, 2)
assert(tokens:size(2) == 6 and nn.unpatchify(tokens, 2, 3, 4, 6):equal(x))]] },
["nn.unpatchify"] = {
  text = "The inverse of nn.patchify.",
  args = { { "tokens", "tensor", "(n, tokens, c p p)" }, { "p", "integer" }, { "c", "integer", "channels" },
    { "h", "integer", "height in pixels" }, { "w", "integer", "width in pixels" } },
  returns = "tensor (n, c, h, w)", errors = "Tokens that do not fit these sizes.",
  example = "assert(nn.unpatchify(tensor.zeros(1, 4, 4), 2, 1, 4, 4):size(4) == 4)" },
}
