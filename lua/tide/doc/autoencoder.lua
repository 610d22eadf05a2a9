-- autoencoder.lua -- documentation of nn.AutoencoderKL.
local ae = { "ae", "nn.AutoencoderKL" }
local pictures = { "x", "tensor", "pictures (B, channels, H, W); sides are multiples of factor" }
local mean = { "mean", "tensor", "(B, latent, H / factor, W / factor)" }
local log_var = { "log_var", "tensor", "of the same shape" }

return {
["nn.AutoencoderKL"] = {
  text = "A convolutional autoencoder whose latents are small pictures with a normal posterior each: " ..
    "residual blocks with group norm and SiLU at every size, halved by convolutions of stride 2. " ..
    "Channels double from width at full size to at most 4 width. Called on pictures it returns what " ..
    "it makes of a draw from the posterior, the posterior's mean and its log variance. Its scale, a " ..
    "buffer that is 1 at first, is set by ae:measure_scale.",
  args = { { "options", "table", "channels (1) of the pictures, width (32), latent (4) channels, " ..
    "factor (4) by which sides shrink, a power of 2, blocks (1) at each size: a number, or a list from " ..
    "full size down; groups (8), dtype, device" } },
  returns = "module: (B, channels, H, W) to pictures, mean, log variance",
  errors = "Options that are no whole numbers; a factor that is no power of 2.",
  source = "Rombach et al. 2022 (arXiv 2112.10752), section 3.1; Kingma and Welling 2014 (arXiv 1312.6114)",
  example = [[
local ae = nn.AutoencoderKL{ width = 4, latent = 2 }
local x = tensor.rand(8, 1, 12, 12) * 2 - 1
local y, mean, log_var = ae(x)
local loss = (y - x):square():mean() + ae:kl(mean, log_var):mean() * 1e-6
loss:backward()
assert(mean:size(2) == 2 and mean:size(4) == 3 and y:size(3) == 12)]] },
["nn.AutoencoderKL:encode"] = { text = "The posterior of the latents, not scaled.",
  sig = "ae:encode(x)", args = { ae, pictures },
  returns = "mean and log variance (within -30 and 20), each (B, latent, H / factor, W / factor)",
  errors = "Other channels; sides that are no multiples of the factor.", example = [[
local mean, log_var = nn.AutoencoderKL{ width = 4, factor = 2 }:encode(tensor.rand(3, 1, 8, 6))
assert(mean:size(3) == 4 and log_var:size(4) == 3)]] },
["nn.AutoencoderKL:decode"] = {
  text = "Pictures of latents that are not scaled; ae:pictures takes scaled ones.",
  sig = "ae:decode(z)", args = { ae, { "z", "tensor", "(B, latent, h, w)" } },
  returns = "tensor (B, channels, h factor, w factor)",
  example = "assert(nn.AutoencoderKL{ width = 4 }:decode(tensor.randn(1, 4, 2, 3)):size(4) == 12)" },
["nn.AutoencoderKL:sample"] = { text = "A draw from the posterior: mean + exp(log_var / 2) noise.",
  sig = "ae:sample(mean, log_var)", args = { ae, mean, log_var }, returns = "tensor as mean",
  example = [[
local ae, mean = nn.AutoencoderKL{ width = 4 }, tensor.ones(2, 4, 1, 1)
assert((ae:sample(mean, mean * -30) - mean):abs():max():item() < 1e-4)]] },
["nn.AutoencoderKL:kl"] = { text = "KL(posterior || N(0, 1)) of each picture, summed over its latents.",
  sig = "ae:kl(mean, log_var)", args = { ae, mean, log_var }, returns = "tensor (B), in nats",
  example = [[
local ae, z = nn.AutoencoderKL{ width = 4 }, tensor.zeros(3, 4, 2, 2)
assert(ae:kl(z, z):sum():item() == 0)]] },
["nn.AutoencoderKL:latents"] = {
  text = "Latents of any number of pictures, without gradients, times the scale: what flows are trained on.",
  sig = "ae:latents(x, [options])", args = { ae, pictures,
    { "options", "table", "sample (false): draws from the posterior, not its means", optional = true } },
  returns = "tensor (B, latent, H / factor, W / factor)",
  example = [[
local z = nn.AutoencoderKL{ width = 4 }:latents(tensor.rand(2, 1, 8, 8), { sample = true })
assert(z:size(2) == 4 and not z.requires_grad)]] },
["nn.AutoencoderKL:pictures"] = { text = "Pictures of any number of scaled latents, without gradients.",
  sig = "ae:pictures(z)", args = { ae, { "z", "tensor", "(B, latent, h, w)" } },
  returns = "tensor (B, channels, h factor, w factor)",
  example = [[
local ae = nn.AutoencoderKL{ width = 4 }
assert(ae:pictures(ae:latents(tensor.rand(2, 1, 8, 8))):size(4) == 8)]] },
["nn.AutoencoderKL:measure_scale"] = {
  text = "Sets the scale to 1 over the standard deviation of draws from the posteriors of these " ..
    "pictures, so that scaled latents have variance 1, as the noise of a flow has.",
  sig = "ae:measure_scale(x)", args = { ae, pictures }, returns = "number",
  errors = "Latents that do not vary or are not finite.",
  source = "Rombach et al. 2022 (arXiv 2112.10752), appendix G",
  example = [[
local ae, x = nn.AutoencoderKL{ width = 4 }, tensor.rand(50, 1, 8, 8)
ae:measure_scale(x)
assert(math.abs(ae:latents(x, { sample = true }):std():item() - 1) < 0.1)]] },
}
