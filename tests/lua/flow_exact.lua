-- flow_exact.lua -- the exact fields against closed forms, in f64.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local F64 = { dtype = "f64" }

local function worst(a, b) return (a - b):abs():max():item() end

local function isotropic()
  return flow.exact.mixture {
    means = { { 1, 0.2 }, { -0.8, 0.6 }, { 0, -1 } }, std = { 0.3, 0.5, 0.4 },
    weights = { 1, 2, 3 } }
end

local function full()
  return flow.exact.mixture {
    means = { { 1, 0, 0.5 }, { -1, 0.5, 0 } },
    cov = { { { 0.5, 0.2, 0 }, { 0.2, 0.4, 0.1 }, { 0, 0.1, 0.3 } },
            { { 0.3, -0.1, 0.05 }, { -0.1, 0.6, 0 }, { 0.05, 0, 0.2 } } } }
end

local function points(field, n) return field:sample(n, F64) + 0.2 end

-- log density of a full normal distribution, written out with a Cholesky factor
local function normal_log_density(y, mean, cov)
  local l = cov:cholesky()
  local u = l:solve_triangular((y - mean):t()):t()
  local log_det = tensor.diagonal(l, 1, 2):log():sum() * 2
  return u:square():sum(2) * -0.5 - log_det * 0.5
    - mean:size(1) / 2 * math.log(2 * math.pi)
end

t.test("density of a mixture with full covariances", function()
  local m = full()
  local y = points(m, 40)
  local cov = { { { 0.5, 0.2, 0 }, { 0.2, 0.4, 0.1 }, { 0, 0.1, 0.3 } },
                { { 0.3, -0.1, 0.05 }, { -0.1, 0.6, 0 }, { 0.05, 0, 0.2 } } }
  local both = {}
  for k = 1, 2 do
    both[k] = normal_log_density(y, m.means[k], tensor.from(cov[k], F64))
      + math.log(0.5)
  end
  t.ok(worst(tensor.stack(both, 2):logsumexp(2), m:log_prob(y)) < 1e-12)
end)

for name, make in pairs { isotropic = isotropic, full = full } do
  t.test("divergence equals the trace of the Jacobian: " .. name, function()
    local m = make()
    local z = points(m, 50)
    for _, time in ipairs { 0, 0.2, 0.5, 0.9, 1 } do
      local div = flow.divergence(m, z, time, { method = "trace" })
      t.ok(worst(m:divergence(z, time), div) < 1e-10)
    end
  end)

  t.test("ODE likelihood equals the closed form: " .. name, function()
    local m = make()
    local y = points(m, 25)
    local log_p, info = flow.log_likelihood(m, y, { solver = "rk4", steps = 400 })
    t.ok(worst(log_p, m:log_prob(y)) < 1e-6)
    t.eq(info.nfe, 1600)
    local adaptive = flow.log_likelihood(m, y,
      { solver = "dopri5", rtol = 1e-9, atol = 1e-9 })
    t.ok(worst(adaptive, m:log_prob(y)) < 1e-6)
  end)

  t.test("the field is the score form of the marginal: " .. name, function()
    -- v = (z + (1-t) grad log p_t(z)) / t; p_t is a mixture again
    local m = make()
    local z, time = points(m, 20), 0.6
    local marginal = flow.exact.mixture {
      means = m.means * time,
      cov = tensor.stack((function()
        local list = {}
        for k = 1, m.count do
          local q = m.rotation and m.rotation[k] or tensor.eye(m.dim, F64)
          local cov = (q * m.variances[k]):matmul(q:t())
          list[k] = cov * time ^ 2 + tensor.eye(m.dim, F64) * (1 - time) ^ 2
        end
        return list
      end)(), 1),
      weights = m.log_weights:exp() }
    local x = z:clone():requires_grad_()
    local score = tensor.grad(marginal:log_prob(x):sum(), x)
    local v = (z + score * (1 - time)) / time
    t.ok(worst(v, m(z, time)) < 1e-10)
  end)
end

t.test("times given per row equal times given as numbers", function()
  local m = isotropic()
  local z = points(m, 6)
  local times = tensor.linspace(0, 1, 6, F64)
  local v, div = m(z, times), m:divergence(z, times)
  for i = 1, 6 do
    local row = z:narrow(1, i, 1)
    t.ok(worst(v:narrow(1, i, 1), m(row, times:get(i))) < 1e-13)
    t.ok(worst(div:narrow(1, i, 1), m:divergence(row, times:get(i))) < 1e-13)
  end
end)

t.test("samples have the mixture's moments and weights", function()
  tide.seed(3)
  local m = isotropic()
  local x, k = m:sample(60000, { dtype = "f64", components = true })
  local share = k:eq(3):to("f64"):mean():item()
  t.near(share, 0.5, 0.01)
  local own = x:index_select(1, k:eq(2):nonzero():flatten())
  t.ok(worst(own:mean(1), m.means[2]) < 0.02)
  t.ok(worst(own:std(1), tensor.full(2, 0.5, F64)) < 0.02)
end)

---- the alignment loss of one Gaussian ----

local function gaussian(sigma, mu)
  return flow.exact.gaussian { mean = mu, std = sigma }
end

t.test("alignment loss of a Gaussian, by Monte Carlo", function()
  tide.seed(11)
  local sigma, mu = 0.6, { 0.5, -0.3 }
  local v = gaussian(sigma, mu)
  for _, y in ipairs { { 0.5, -0.3 }, { 1.2, 0.4 }, { -2, 1 } } do
    local d2 = (y[1] - mu[1]) ^ 2 + (y[2] - mu[2]) ^ 2
    local want = math.pi / 4 * (d2 / sigma + 2 * sigma)
    local row = tensor.from({ y }, F64):expand(200000, 2):contiguous()
    local l = flow.align_loss(v, row, { reduction = "none" })
    local error_of_mean = l:std():item() / math.sqrt(l:numel())
    t.near(l:mean():item(), want, 3 * error_of_mean)
  end
end)

-- Gauss-Legendre nodes and weights on [0, 1], by Newton's method
local function legendre(n)
  local x, w = {}, {}
  for i = 1, n do
    local z = math.cos(math.pi * (i - 0.25) / (n + 0.5))
    local d
    repeat
      local p, q = 1, 0
      for j = 1, n do p, q = ((2 * j - 1) * z * p - (j - 1) * q) / j, p end
      d = n * (z * p - q) / (z * z - 1)
      local step = p / d
      z = z - step
    until math.abs(step) < 1e-15
    x[i], w[i] = (1 - z) / 2, 1 / ((1 - z * z) * d * d)
  end
  return x, w
end

-- E over x0 in the plane by the trapezoidal rule on [-7, 7]^2
local function noise_grid(n)
  local a = tensor.linspace(-7, 7, n, F64)
  local grid = tensor.stack({ a:unsqueeze(1):expand(n, n):flatten(),
                              a:unsqueeze(2):expand(n, n):flatten() }, 2)
  local w = (grid:square():sum(2) * -0.5):exp()
  return grid, w / w:sum()
end

-- R(y, t) = E |v(z_t, t) - (y - x0)|^2, by quadrature
local function residual(v, y, time, x0, w)
  local target = tensor.from({ y }, F64):expand(x0:size(1), 2)
  local r = flow.residual(v, target, { t = time, x0 = x0 })
  return (r * w):sum():item()
end

t.test("alignment loss of a Gaussian, by quadrature", function()
  local sigma, mu = 0.6, { 0.5, -0.3 }
  local v = gaussian(sigma, mu)
  local x0, w = noise_grid(121)
  local ts, ws = legendre(24)
  for _, y in ipairs { { 0.5, -0.3 }, { 1.2, 0.4 } } do
    local d2 = (y[1] - mu[1]) ^ 2 + (y[2] - mu[2]) ^ 2
    local sum = 0
    for i = 1, #ts do sum = sum + ws[i] * residual(v, y, ts[i], x0, w) end
    t.near(sum, math.pi / 4 * (d2 / sigma + 2 * sigma), 1e-6)
  end
end)

t.test("the floor of a Gaussian is (pi/2) d sigma", function()
  tide.seed(5)
  local v = gaussian(0.4, { 0, 0 })
  local value, e = flow.floor(v, v:sample(20000, F64), { samples = 8 })
  t.near(value, math.pi / 2 * 2 * 0.4, 4 * e)
end)

t.test("the weighted residual is the negative log-likelihood", function()
  local v = isotropic()
  local x0, w = noise_grid(121)
  local ts, ws = legendre(48)
  for _, y in ipairs { { 0.3, 0.1 }, { 1, 0.2 }, { -0.5, -0.9 } } do
    local sum = 0
    for i = 1, #ts do
      local s = ts[i]
      local r = residual(v, y, s, x0, w)
      sum = sum + ws[i] * (s / (1 - s) * r
        - 2 * s / ((1 - s) * (s * s + (1 - s) ^ 2)))
    end
    local nll = math.log(2 * math.pi * math.exp(1)) + sum
    t.near(nll, v:nll(tensor.from({ y }, F64)):item(), 1e-4)
  end
end)

t.test("its Monte-Carlo estimate agrees within its noise", function()
  tide.seed(6)
  local v = isotropic()
  local y = tensor.from({ { 0.3, 0.1 } }, F64):expand(4000, 2):contiguous()
  local e = flow.nll_estimate(v, y, { samples = 64, eps = 1e-5 })
  local error_of_mean = e:std():item() / math.sqrt(e:numel())
  t.near(e:mean():item(), v:nll(y):mean():item(), 4 * error_of_mean + 1e-4)
end)

t.test("the estimate along another path", function()
  tide.seed(6)
  local path, std = flow.path.trigonometric(), 0.7
  local function v(z, s)                  -- the marginal field to N(1, std^2) in each of two dims
    local a, b = path.alpha(s):unsqueeze(2), path.beta(s):unsqueeze(2)
    local da, db = path.dalpha(s):unsqueeze(2), path.dbeta(s):unsqueeze(2)
    return da + (a * da * std ^ 2 + b * db) / (a:square() * std ^ 2 + b:square()) * (z - a)
  end
  local y = tensor.from({ { 0.3, 0.1 } }, F64):expand(4000, 2):contiguous()
  local e = flow.nll_estimate(v, y, { samples = 64, eps = 1e-5, path = path })
  local nll = flow.exact.gaussian { mean = { 1, 1 }, std = std }:nll(y):mean():item()
  local error_of_mean = e:std():item() / math.sqrt(e:numel())
  t.ok(error_of_mean < 0.02, "the noise hides what is tested")
  t.near(e:mean():item(), nll, 4 * error_of_mean + 1e-4)
  t.raises("on the sphere flow.log_likelihood gives it", flow.nll_estimate, v, y,
    { path = flow.path.spherical() })
end)

---- the surrogate is no bound ----

t.test("counterexample to Proposition 1: v = -x in one dimension", function()
  tide.seed(8)
  local function v(x) return -x end
  local y = tensor.zeros(40000, 1, F64)
  local s = flow.surrogate(v, y, { samples = 16 })
  t.near(s.C:mean():item(), 1, 1e-12)
  t.near(s.align:mean():item(), 1 / 3, 0.01)
  local log_p = flow.log_likelihood(v, y:narrow(1, 1, 1), { steps = 200 }):item()
  t.near(log_p, 1 - math.log(2 * math.pi) / 2, 1e-6)
  t.ok(s.bound:mean():item() > log_p + 0.5)
end)

t.test("C of an isotropic Gaussian is -d log sigma", function()
  tide.seed(9)
  local v = gaussian(0.3, { 0.2, 0.1 })
  local s = flow.surrogate(v, tensor.randn(4000, 2, F64), { samples = 64 })
  t.near(s.C:mean():item(), -2 * math.log(0.3), 1e-3)
end)

---- errors ----

t.test("bad arguments are named", function()
  t.raises("means", function() flow.exact.mixture {} end)
  t.raises("positive", function()
    flow.exact.mixture { means = { { 0, 0 } }, std = -1 }
  end)
  t.raises("positive definite", function()
    flow.exact.mixture { means = { { 0, 0 } }, cov = { { 1, 2 }, { 2, 1 } } }
  end)
  t.raises("did you mean 'weights'", function()
    flow.exact.mixture { means = { { 0, 0 } }, weight = { 1 } }
  end)
  t.raises("%(B, 2%)", function() isotropic()(tensor.zeros(3, 3), 0.5) end)
end)
