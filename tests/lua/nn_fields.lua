-- nn_fields.lua -- velocity nets of pictures and tokens: shapes, counts, gradients, and the
-- flow library on points of any shape.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn, flow = tide.tensor, tide.nn, tide.flow
local F64 = { dtype = "f64" }

local function largest(x) return x:abs():max():item() end

-- Small nets whose last layers are not zero, so that all of them matters.
local function stir(net)
  for _, p in net:named_parameters() do nn.init.normal_(p, 0, 0.2) end
  return net
end

local function dit(o)
  o = tide.options("dit", o, { "classes", "extra", "qk_norm", size = 4, channels = 2, patch = 2, width = 8,
                               depth = 2, heads = 2, dtype = "f64" })
  return stir(nn.DiT(o))
end

local function unet(o)
  o = tide.options("unet", o, { "classes", "extra", "size", channels = 2, width = 4, mults = { 1, 2 },
                                groups = 2, heads = 2, dtype = "f64" })
  o.size = o.size or 5
  return stir(nn.UNet(o))
end

t.test("parameters by closed form", function()
  local function count(W, L, input, output, classes, ratio, qk)
    local time = 256 * W + W + W * W + W
    local block = 4 * (W * W + W) + 2 * ratio * W * W + ratio * W + W + 6 * (W * W + W) + (qk and 2 * qk or 0)
    return time + (classes + 1) * W + input * W + W + L * block + 2 * (W * W + W) + W * output + output
  end
  t.eq(nn.DiT { size = 8, channels = 4, patch = 2, width = 32, depth = 3, heads = 4, classes = 10,
                extra = 1, qk_norm = true }:num_parameters(), count(32, 3, 20, 16, 10, 4, 8))
  t.eq(nn.DiT { tokens = 5, channels = 7, width = 16, depth = 2, heads = 1, ratio = 2 }:num_parameters(),
       count(16, 2, 7, 7, -1, 2))
  local function conv(i, o, k) return o * i * k * k + o end
  local function res(i, o, e)
    return 2 * i + conv(i, o, 3) + 2 * o * e + 2 * o + 2 * o + conv(o, o, 3) + (i ~= o and conv(i, o, 1) or 0)
  end
  local e = 32
  t.eq(nn.UNet { size = 9, channels = 3, width = 8, mults = { 1, 2, 3 }, blocks = 2, groups = 4,
                 classes = 5, extra = 2 }:num_parameters(),
    257 * e + e * e + e + 6 * e + conv(5, 8, 3)
    + res(8, 8, e) * 2 + conv(8, 8, 3) + res(8, 16, e) + res(16, 16, e) + conv(16, 16, 3)
    + res(16, 24, e) + res(24, 24, e) + 2 * 24 + 4 * (24 * 24 + 24) + res(24, 24, e)
    + conv(24, 16, 3) + res(32, 16, e) + res(16, 16, e)
    + conv(16, 8, 3) + res(16, 8, e) + res(8, 8, e) + 2 * 8 + conv(8, 3, 3))
end)

t.test("fields start at zero, with gradients that are not", function()
  tide.seed(1)
  for _, v in ipairs { nn.DiT { size = 8, patch = 2, width = 16, depth = 2 },
                       nn.DiT { tokens = 6, channels = 3, width = 16, depth = 1 },
                       nn.UNet { size = 8, width = 8 } } do
    local x = tensor.randn { 3, table.unpack(v.shape) }
    local out = v(x, 0.3)
    t.eq(out.shape, x.shape)
    t.eq(largest(out), 0)
    flow.matching_loss(v, x):backward()
    t.ok(largest(v.output.weight.grad) > 0)
  end
end)

t.test("rows do not see each other; one time is the same time for each", function()
  tide.seed(2)
  for _, v in ipairs { dit { classes = 3 }, unet { classes = 3 } } do
    local z = tensor.randn({ 4, table.unpack(v.shape) }, F64)
    local labels = tensor.from { 1, 3, v.null_label, 2 }:long()
    local all = v(z, tensor.full({ 4 }, 0.3, F64), labels)
    t.ok(largest(all - v(z, 0.3, labels)) < 1e-12)
    t.ok(largest(all:narrow(1, 3, 1) - v(z:narrow(1, 3, 1), 0.3)) < 1e-12)     -- none: the null label
    t.ok(largest(all:narrow(1, 2, 1) - v(z:narrow(1, 2, 1), 0.3)) > 1e-3)
    t.ok(largest(all - v(z, 0.4, labels)) > 1e-3)
  end
end)

t.test("an image beside the points", function()
  tide.seed(3)
  for _, v in ipairs { dit { extra = 1 }, unet { extra = 1 } } do
    local z = tensor.randn({ 3, table.unpack(v.shape) }, F64)
    local size = { 3, 1, v.shape[2], v.shape[3] }
    local image = tensor.randn(size, F64)
    local out = v(z, 0.5, { image = image })
    t.ok(largest(out - v(z, 0.5, { image = image * 2 })) > 1e-3)
    local first = image:narrow(1, 1, 1)
    t.ok(largest(v(z, 0.5, { image = first }) - v(z, 0.5, { image = first:expand(size) })) < 1e-12)
    t.raises("reads an image of 1 channels", v, z, 0.5)
    t.raises("reads an image of 1 channels", v, z, 0.5, { image = z })
    t.raises("picture", function() v(z, 0.5, { picture = z }) end)
  end
  local v = nn.DiT { tokens = 3, channels = 2, extra = 4, width = 8, depth = 1, heads = 2 }
  t.eq(v(tensor.randn(2, 3, 2), 0.1, { image = tensor.randn(2, 3, 4) }).shape, { 2, 3, 2 })
end)

-- The derivative of f along u at x, by central differences.
local function slope(f, x, u)
  local h = 1e-5
  return (f(x + u * h) - f(x - u * h)) / (2 * h)
end

t.test("gradients of first and second order in the points", function()
  tide.seed(4)
  for _, v in ipairs { dit { qk_norm = true }, unet() } do
    local z = tensor.randn({ 2, table.unpack(v.shape) }, F64):requires_grad_()
    local u, w = tensor.randn(z.shape, F64), tensor.randn(z.shape, F64)
    local function value(x) return (v(x, 0.4) * w):sum() end
    local function along(x)              -- <u, grad of value>
      local leaf = x:detach():requires_grad_()
      return (tensor.grad(value(leaf), leaf) * u):sum()
    end
    local g = tensor.grad(value(z), z, { create_graph = true })
    t.near((g * u):sum():item(), slope(value, z:detach(), u):item(), 1e-5)
    local second = tensor.grad((g * u):sum(), z)
    t.near((second * w):sum():item(), slope(along, z:detach(), w):item(), 1e-4)
  end
end)

t.test("gradients of all parameters", function()
  tide.seed(5)
  for _, v in ipairs { dit { classes = 2, qk_norm = true }, unet { classes = 2 } } do
    local z = tensor.randn({ 3, table.unpack(v.shape) }, F64)
    local times, labels = tensor.rand(3, F64), tensor.from { 1, 2, 3 }:long()
    local w = tensor.randn(z.shape, F64)
    local function value() return (v(z, times, labels) * w):sum() end
    value():backward()
    for name, p in v:named_parameters() do
      local u, h, grad = tensor.randn(p.shape, F64), 1e-5, p.grad
      t.ok(grad, name)
      tide.no_grad(function() p:add_(u * h) end)
      local up = value():item()
      tide.no_grad(function() p:add_(u * (-2 * h)) end)
      local down = value():item()
      tide.no_grad(function() p:add_(u * h) end)
      local got, want = (grad * u):sum():item(), (up - down) / (2 * h)
      t.ok(math.abs(got - want) < 1e-5 * (1 + math.abs(want)), ("%s: %g, %g"):format(name, got, want))
    end
  end
end)

t.test("positions: closed form, order of a grid", function()
  local p = nn.sincos_positions({ 2, 3 }, 8, F64)
  for row = 0, 1 do
    for column = 0, 2 do
      local at = p[row * 3 + column + 1]
      for i = 0, 1 do
        local f = 1e4 ^ (-i / 2)
        t.near(at:get(1 + i), math.cos(row * f), 1e-12)
        t.near(at:get(3 + i), math.sin(row * f), 1e-12)
        t.near(at:get(5 + i), math.cos(column * f), 1e-12)
        t.near(at:get(7 + i), math.sin(column * f), 1e-12)
      end
    end
  end
  t.eq(nn.sincos_positions(5, 6).shape, { 5, 6 })
  local fixed, learned = nn.PositionalEmbedding(4, 6), nn.PositionalEmbedding(4, 6, { learned = true })
  t.eq(fixed:num_parameters(), 0)
  t.eq(learned:num_parameters(), 24)
  t.eq(next(fixed:state_dict()), nil)
  t.raises("multiple of 4", nn.sincos_positions, { 2, 2 }, 6)
  t.raises("(batch, 4, 6)", function() fixed(tensor.zeros(1, 3, 6)) end)
end)

t.test("errors say what is asked for", function()
  t.raises("size must be", nn.DiT, { channels = 3 })
  t.raises("patches of 3", nn.DiT, { size = 8, patch = 3 })
  t.raises("either size", nn.DiT, { size = 8, tokens = 4 })
  t.raises("no multiple of 3 heads", nn.DiT, { size = 8, width = 32, heads = 3 })
  t.raises("32 channels does not split into 5", nn.UNet, { size = 8, groups = 5 })
  t.raises("mults", nn.UNet, { size = 8, mults = {} })
  local v = nn.DiT { size = 4, width = 8, depth = 1, heads = 2 }
  t.raises("points must be (n, 1, 4, 4)", function() v(tensor.zeros(2, 16), 0.5) end)
  t.raises("nn.DiT: this network takes no condition", function()
    v(tensor.zeros(2, 1, 4, 4), 0.5, tensor.ones(2):long())
  end)
  t.raises("reads no image", function() v(tensor.zeros(2, 1, 4, 4), 0.5, { image = tensor.ones(2) }) end)
  t.raises("t must be one number", function() v(tensor.zeros(2, 1, 4, 4), tensor.zeros(3)) end)
  t.raises("(B, ...)", flow.matching_loss, v, tensor.zeros(3))
  t.raises("shape={1, 28, 28}", function() flow.sample(function(z) return z end, 3) end)
  t.raises("vectors", flow.prior, tensor.zeros(50, 2, 2))
end)

---- the flow library on points of any shape ----

local function flat(x) return x:flatten(2, -1) end

t.test("labels that do not exist are named, however the net is run", function()
  local size, small = { 1, 4, 4 }, { size = 4, width = 16, depth = 1, heads = 2, classes = 3 }
  for name, make in pairs { mlp = function() return flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1,
                                                                       classes = 3 }, { 2 } end,
                            dit = function() return nn.DiT(small), size end } do
    local v, shape = make()
    for _, n in ipairs { 2, 20 } do
      for _, frozen in ipairs { false, true } do      -- one tile of points, or layer by layer
        if frozen then v:freeze() end
        for _, label in ipairs { 0, -2, 5 } do
          local z, c = tensor.randn { n, table.unpack(shape) }, tensor.full(n, label):long()
          t.raises(("there is no label %d; labels go from 1 to 3, and 4 stands for none"):format(label),
            v, z, 0.5, c)
          t.raises("there is no label", flow.sample, v, n, { labels = c, steps = 1, cfg = 2 })
        end
      end
    end
    t.raises("labels must be of an integer type, not f32", v, tensor.randn { 20, table.unpack(shape) }, 0.5,
      tensor.ones(20))
    t.eq(v(tensor.randn { 20, table.unpack(shape) }, 0.5, tensor.full(20, 4):long()):size(1), 20, name)
  end
end)

t.test("pictures are vectors to the losses, samplers and likelihoods", function()
  tide.seed(6)
  local g = flow.exact.gaussian { mean = { 1, 0, -1, 2, 0, 0 }, std = 0.5 }
  local function field(z, time) return g(flat(z), time):reshape(z.shape) end
  local y = tensor.randn(5, 2, 3, F64)
  local x0, times = tensor.randn(y.shape, F64), tensor.rand(5, F64)
  for _, loss in ipairs { flow.matching_loss, flow.align_loss } do
    t.near(loss(field, y, { t = times, x0 = x0 }):item(),
           loss(g, flat(y), { t = times, x0 = flat(x0) }):item(), 1e-10)
  end
  local shared = flow.draws(4, { 2, 3 }, F64)
  local as_rows = { t = shared.t, x0 = flat(shared.x0), count = 4, eps = 0 }
  t.ok(largest(flow.align_loss(field, y, { draws = shared, reduction = "none" })
    - flow.align_loss(g, flat(y), { draws = as_rows, reduction = "none" })) < 1e-10)
  local pictures, vectors = flow.sample(field, x0, { steps = 7 }), flow.sample(g, flat(x0), { steps = 7 })
  t.ok(largest(flat(pictures) - vectors) < 1e-10)
  t.eq(flow.sample(field, 3, { steps = 1, shape = { 2, 3 }, dtype = "f64" }).shape, { 3, 2, 3 })
  local log_p = flow.log_likelihood(field, y, { steps = 100 })
  t.ok(largest(log_p - g:log_prob(flat(y))) < 1e-5)
  local noisy = flow.log_likelihood(field, y, { steps = 100, divergence = "hutchinson" })
  t.ok(largest(noisy - g:log_prob(flat(y))) < 1e-5)    -- exact where the Jacobian is diagonal
  tide.seed(7)
  local a = flow.nll_estimate(field, y, { samples = 8 })
  tide.seed(7)
  t.ok(largest(a - flow.nll_estimate(g, flat(y), { samples = 8 })) < 1e-9)
  tide.seed(8)
  local s = flow.surrogate(field, y, { samples = 4 })
  tide.seed(8)
  t.ok(largest(s.bound - flow.surrogate(g, flat(y), { samples = 4 }).bound) < 1e-9)
end)

t.test("likelihood of a net at its start is that of the noise", function()
  tide.seed(11)
  for _, v in ipairs { nn.DiT { size = 4, patch = 2, width = 8, depth = 1, heads = 2, dtype = "f64" },
                       nn.UNet { size = 4, width = 8, dtype = "f64" } } do
    local y = tensor.randn(3, 1, 4, 4, F64)
    local log_p, info = flow.log_likelihood(v, y, { divergence = "hutchinson", solver = "heun", steps = 2 })
    t.ok(largest(log_p + flat(y):square():sum(2) / 2 + 8 * math.log(2 * math.pi)) < 1e-12)
    t.eq(info.nfe, 4)
  end
end)

t.test("other ways to train: bf16, a critic, a copy on other numbers", function()
  tide.seed(12)
  for _, v in ipairs { nn.DiT { size = 4, patch = 2, width = 16, depth = 1 },
                       nn.UNet { size = 4, width = 8 } } do
    local data = tensor.randn(64, 1, 4, 4) * 0.1 + 1
    local run = flow.train(v, data, { steps = 40, batch = 32, lr = 5e-3, precision = "bf16", ema = 0.9,
                                      every = 1 })
    t.ok(run.losses[40] < 0.7 * run.losses[1], run.losses[40] / run.losses[1])
    local moved = flow.align(v, data:narrow(1, 1, 4), { steps = 2, loss = "excess", critic = { batch = 8 } })
    t.ok(moved.y:isfinite():all():item())
    local wide = v:clone():to("f64")
    local z = tensor.randn(2, 1, 4, 4)
    t.ok(largest(wide(z:to("f64"), 0.5):to("f32") - v(z, 0.5)) < 1e-4)
  end
end)

t.test("guidance: both fields in one call, evaluations counted", function()
  tide.seed(9)
  local v = dit { classes = 3, extra = 1 }
  local z, image = tensor.randn(4, 2, 4, 4, F64), tensor.randn(4, 1, 4, 4, F64)
  local labels = tensor.from { 1, 2, 3, 1 }:long()
  local c = { labels = labels, image = image }
  local calls = 0
  local out, info = flow.sample(v, z, { labels = c, cfg = 2.5, steps = 3 })
  local function by_hand(x, time)
    calls = calls + 1
    local null = v(x, time, { image = image })
    return null + (v(x, time, c) - null) * 2.5
  end
  t.ok(largest(out - flow.sample(by_hand, z, { steps = 3 })) < 1e-10)
  t.eq({ info.nfe, info.net_nfe, calls }, { 3, 6, 3 })
  local _, plain = flow.sample(v, z, { labels = c, steps = 3 })
  t.eq({ plain.nfe, plain.net_nfe }, { 3, 3 })
  local same = { labels = tensor.from { 2 }:long(), image = image }
  local one = flow.sample(v, z, { labels = same, cfg = 2, steps = 1 })
  t.eq(one.shape, z.shape)
  t.raises("give labels", function() flow.sample(v, z, { labels = { image = image }, cfg = 2 }) end)
end)

t.test("training and alignment: captured as eager, labels dropped, images kept", function()
  for _, make in ipairs { function() return nn.DiT { size = 4, patch = 2, width = 16, depth = 1, heads = 2,
                                                     classes = 2, extra = 1 } end,
                          function() return nn.UNet { size = 4, width = 8, mults = { 1, 2 }, groups = 4,
                                                      classes = 2, extra = 1 } end } do
    local function source(n)
      local labels = tensor.randint(1, 2, { n })
      local image = tensor.rand(n, 1, 4, 4)
      return image + labels:to("f32"):reshape(n, 1, 1, 1), { labels = labels, image = image }
    end
    local losses, moved = {}, {}
    for i, capture in ipairs { true, false } do
      tide.seed(10)
      local v = make()
      local run = flow.train(v, source, { steps = 30, batch = 16, lr = 5e-3, every = 1, capture = capture,
        accumulate = 2, validate = { every = 30, batch = 32 } })
      if capture then t.eq(run.update.why, nil) end
      losses[i] = run.losses
      if i == 1 then t.ok(run.losses[30] < 0.6 * run.losses[1], run.losses[30] / run.losses[1]) end
      local y, c = source(4)
      moved[i] = flow.align(v, y, { steps = 5, labels = c, capture = capture, samples = 2 }).y
    end
    t.eq(losses[1], losses[2])
    t.ok(moved[1]:equal(moved[2]))
  end
end)
