-- latent_flow.lua -- nn.AutoencoderKL, what the examples on images share, and
-- examples/latent_flow.lua at a tiny size.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn = tide.tensor, tide.nn

local function largest(x) return x:abs():max():item() end

---- the autoencoder ----

t.test("the autoencoder: shapes, pieces, options", function()
  tide.seed(1)
  local ae = nn.AutoencoderKL { channels = 3, width = 4, latent = 2, factor = 8, blocks = { 0, 1, 0, 1 },
                                groups = 3 }
  local x = tensor.randn(5, 3, 16, 24)
  local y, mean, log_var = ae(x)
  t.eq(y.shape, x.shape)
  t.eq(mean.shape, { 5, 2, 2, 3 })
  t.eq(log_var.shape, mean.shape)
  -- 7 rows at a time or all at once is the same
  local many = tensor.randn(1003, 1, 4, 4)
  local small = nn.AutoencoderKL { width = 2, latent = 1 }
  local z = small:latents(many)
  t.ok(largest(z - small:encode(many)) < 1e-5)
  t.ok(largest(small:pictures(z) - small:decode(z)) < 1e-5)
  for text, f in pairs {
    ["power of 2"] = function() nn.AutoencoderKL { factor = 6 } end,
    ["blocks must have 3 numbers"] = function() nn.AutoencoderKL { blocks = { 1, 1 } } end,
    ["width must be a whole number"] = function() nn.AutoencoderKL { width = 1.5 } end,
    ["multiples of 8"] = function() ae:encode(tensor.zeros(1, 3, 12, 16)) end,
  } do
    local ok, message = pcall(f)
    t.ok(not ok and message:find(text, 1, true), tostring(message))
  end
end)

t.test("KL and draws of the posterior, by closed forms", function()
  tide.seed(2)
  local ae = nn.AutoencoderKL { width = 2, latent = 1, factor = 1 }
  local mean, log_var = tensor.full({ 2, 1, 1, 1 }, 0.7), tensor.full({ 2, 1, 1, 1 }, -1.3)
  local want = 0.5 * (0.49 + math.exp(-1.3) + 1.3 - 1)
  t.near(ae:kl(mean, log_var):get(2), want, 1e-6)
  local draws = ae:sample(mean:expand(2, 1, 200, 200), log_var:expand(2, 1, 200, 200))
  t.near(draws:mean():item(), 0.7, 0.01)
  t.near(draws:var():item(), math.exp(-1.3), 0.01)
end)

t.test("the scale makes latents of variance 1 and does not change pictures", function()
  tide.seed(3)
  local ae = nn.AutoencoderKL { width = 4 }
  local x = tensor.rand(300, 1, 8, 8)
  local before = ae:pictures(ae:latents(x))
  local s = ae:measure_scale(x)
  t.near(ae:latents(x, { sample = true }):std():item(), 1, 0.03)
  t.near(ae.scale:item(), s, 1e-6)
  t.ok(largest(ae:pictures(ae:latents(x)) - before) < 1e-4)
  t.ok(ae:state_dict().scale, "the scale is kept with the weights")
end)

t.test("gradients of first and second order", function()
  tide.seed(4)
  local ae = nn.AutoencoderKL { width = 2, latent = 1, factor = 2, dtype = "f64" }
  local x = tensor.randn(2, 1, 4, 4, { dtype = "f64" }):requires_grad_()
  local w = tensor.randn(2, 1, 2, 2, { dtype = "f64" })
  local function value(p)
    local mean, log_var = ae:encode(p)
    return (ae:decode(mean):square():sum() + (log_var * w):sum())
  end
  local slope = tensor.grad(value(x), x, { create_graph = true })
  local u, h = tensor.randn(x.shape, { dtype = "f64" }), 1e-5
  local function at(s) return x:detach() + u * s end
  local first = (value(at(h)):item() - value(at(-h)):item()) / (2 * h)
  t.near((slope * u):sum():item(), first, 1e-6 * (1 + math.abs(first)))
  local second = tensor.grad((slope * u):sum(), x)
  local want = (value(at(1e-4)):item() - 2 * value(at(0)):item() + value(at(-1e-4)):item()) / 1e-8
  t.near((second * u):sum():item(), want, 1e-4 * (1 + math.abs(want)))
end)
