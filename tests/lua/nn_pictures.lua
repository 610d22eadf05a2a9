-- nn_pictures.lua -- convolutions, group norm, changes of size, patches, tiled attention.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn = tide.tensor, tide.nn
local F64 = { dtype = "f64" }

local function largest(x) return x:abs():max():item() end

-- A convolution by its definition, with plain products.
local function plain(x, w, bias, stride, pad)
  local n, c, h, wide = table.unpack(x.shape)
  local o, _, kh, kw = table.unpack(w.shape)
  local room = tensor.zeros(n, c, h + 2 * pad, wide + 2 * pad, F64)
  room:narrow(3, pad + 1, h):narrow(4, pad + 1, wide):copy_(x)
  local oh, ow = (h + 2 * pad - kh) // stride + 1, (wide + 2 * pad - kw) // stride + 1
  local y = tensor.zeros(n, o, oh, ow, F64)
  for i = 1, oh do
    for j = 1, ow do
      local patch = room:narrow(3, (i - 1) * stride + 1, kh):narrow(4, (j - 1) * stride + 1, kw)
      y:select(4, j):select(3, i):copy_(patch:reshape(n, -1):matmul(w:reshape(o, -1):transpose(1, 2)))
    end
  end
  return bias and y + bias:reshape(1, -1, 1, 1) or y
end

t.test("conv2d against its definition: many samples, odd sizes, strides, borders", function()
  tide.seed(1)
  for _, case in ipairs { { 70, 2, 5, 4, 3, 3, 1, 1 }, { 3, 1, 20, 17, 4, 5, 2, 2 },
                          { 300, 3, 2, 2, 2, 2, 1, 0 }, { 2, 4, 7, 7, 3, 1, 1, 0 },
                          { 2, 3, 9, 11, 17, 2, 3, 1 }, { 3, 9, 6, 7, 20, 4, 2, 1 },
                           { 2, 2, 3, 40, 5, 3, 1, 4 } } do
    local n, c, h, w, o, k, stride, pad = table.unpack(case)
    local x, weight = tensor.randn(n, c, h, w, F64), tensor.randn(o, c, k, k, F64)
    local bias = tensor.randn(o, F64)
    local y = x:conv2d(weight, bias, stride, pad)
    t.ok(largest(y - plain(x, weight, bias, stride, pad)) < 1e-12)
    t.ok(largest(x:to("f32"):conv2d(weight:to("f32"), bias:to("f32"), stride, pad):to("f64") - y) < 1e-4)
    -- <g, A x> = <A^T g, x>, and the weight's gradient is the same form once more
    local g = tensor.randn(y.shape, F64)
    local room = { h + 2 * pad - k, w + 2 * pad - k }
    local back = g:conv_transpose2d(weight, nil, stride, pad, room[1] % stride, room[2] % stride)
    t.eq(back.shape, x.shape)
    local form = (g * x:conv2d(weight, nil, stride, pad)):sum():item()
    t.near((back * x):sum():item(), form, 1e-9)
    local leaf = weight:clone():requires_grad_()
    local slope = tensor.grad(x:conv2d(leaf, nil, stride, pad), leaf, { grad_outputs = g })
    t.near((slope * weight):sum():item(), form, 1e-9)
    local bias_back = tensor.randn(c, F64)
    local moved = g:conv_transpose2d(weight, bias_back, stride, pad, room[1] % stride, room[2] % stride)
    t.ok(largest(moved - back - bias_back:reshape(1, -1, 1, 1)) < 1e-12)
  end
end)

t.test("convolutions do not depend on the number of threads", function()
  tide.seed(2)
  local x, w = tensor.randn(40, 3, 9, 9), tensor.randn(5, 3, 3, 3):requires_grad_()
  local function both()
    local y = x:conv2d(w, nil, 1, 1)
    return y:detach(), (tensor.grad(y:square():sum(), w))
  end
  local before = tide.threads()
  tide.threads(1)
  local y1, g1 = both()
  tide.threads(3)
  local y3, g3 = both()
  tide.threads(before)
  t.ok(y1:equal(y3) and g1:equal(g3))
end)

t.test("modules: shapes, parameters, errors", function()
  local down = nn.Conv2d(3, 8, 3, { stride = 2, pad = 1 })
  local up = nn.ConvTranspose2d(8, 3, 3, { stride = 2, pad = 1, extra = 1 })
  local x = tensor.randn(2, 3, 10, 14)
  t.eq(up(down(x)).shape, x.shape)
  t.eq(down:num_parameters(), 8 * 3 * 9 + 8)
  t.raises("(batch, 3, height, width)", function() down(tensor.randn(2, 4, 8, 8)) end)
  t.raises("(batch, 3, height, width)", function() down(tensor.randn(3, 8, 8)) end)
  t.raises("does not fit", function() nn.Conv2d(1, 1, 5)(tensor.randn(1, 1, 4, 4)) end)
  t.raises("kernel must be", nn.Conv2d, 1, 1, 0)
  t.raises("extra rows", function() x:conv_transpose2d(tensor.randn(3, 1, 2, 2), nil, 1, 0, 1) end)
  t.raises("do not split", nn.GroupNorm, 3, 8)
  t.raises("squares of 3", function() nn.AvgPool2d(3)(x) end)
  t.raises("patches of 4", nn.patchify, x, 4)
end)

t.test("group norm against its definition", function()
  local norm = nn.GroupNorm(2, 6, F64)
  tide.no_grad(function()
    norm.weight:copy_(tensor.randn(6, F64))
    norm.bias:copy_(tensor.randn(6, F64))
  end)
  local x = tensor.randn(3, 6, 4, 5, F64) * 3 + 1
  local y = norm(x)
  local scale, shift = tensor.randn(3, 6, F64), tensor.randn(3, 6, F64)
  local function each(c) return c:reshape(3, 6, 1, 1) end
  t.ok(largest(norm(x, scale, shift) - y * each(scale + 1) - each(shift)) < 1e-12)
  t.raises("for each channel", function() x:group_norm(tensor.ones(5, F64), nil, 2) end)
  t.raises("do not split into 4 groups", function() x:group_norm(nil, nil, 4) end)
  for i = 1, 3 do
    for g = 0, 1 do
      local part = x:select(1, i):narrow(1, 3 * g + 1, 3)
      local want = (part - part:mean()) / (part:var { correction = 0 } + 1e-5):sqrt()
      want = want * norm.weight:narrow(1, 3 * g + 1, 3):reshape(3, 1, 1) +
        norm.bias:narrow(1, 3 * g + 1, 3):reshape(3, 1, 1)
      t.ok(largest(y:select(1, i):narrow(1, 3 * g + 1, 3) - want) < 1e-12)
    end
  end
end)

t.test("changes of size and patches", function()
  local x = tensor.arange(1, 4):reshape(1, 1, 2, 2)
  t.ok(nn.Upsample(2)(x):reshape(4, 4):equal(tensor.from {
    { 1, 1, 2, 2 }, { 1, 1, 2, 2 }, { 3, 3, 4, 4 }, { 3, 3, 4, 4 } }))
  t.ok(nn.AvgPool2d(2)(nn.Upsample(2)(x)):equal(x))
  local picture = tensor.arange(1, 16):reshape(1, 1, 4, 4)
  local tokens = nn.patchify(picture, 2)
  t.ok(tokens:select(2, 2):equal(tensor.from { { 3, 4, 7, 8 } }))
  t.ok(nn.unpatchify(tokens, 2, 1, 4, 4):equal(picture))
end)

t.test("attention in tiles is attention, with gradients of first and second order", function()
  tide.seed(3)
  local q = tensor.randn(2, 3, 150, 8, F64):requires_grad_()
  local k = tensor.randn(2, 3, 200, 8, F64):requires_grad_()
  local v = tensor.randn(2, 3, 200, 5, F64):requires_grad_()
  local mask = tensor.ones(150, 200, { dtype = "bool" })
  local tiled = nn.scaled_dot_product_attention(q, k, v)
  local whole = nn.scaled_dot_product_attention(q, k, v, { mask = mask })
  t.ok(largest(tiled - whole) < 1e-13)
  local w = tensor.randn(tiled.shape, F64)
  local function grads(y)
    local first = tensor.grad((y * w):sum(), { q, k, v }, { create_graph = true })
    local sum = 0
    for _, g in ipairs(first) do sum = sum + g:square():sum() end
    return first, tensor.grad(sum, { q, k, v })
  end
  local a1, a2 = grads(tiled)
  local b1, b2 = grads(whole)
  for i = 1, 3 do
    t.ok(largest(a1[i] - b1[i]) < 1e-12)
    t.ok(largest(a2[i] - b2[i]) < 1e-11)
  end
  -- large scores
  local big = nn.scaled_dot_product_attention(q * 1e4, k, v)
  t.ok(big:isfinite():all():item())
end)

t.test("attention in tiles does not keep scores", function()
  local q = tensor.randn(1, 1, 4000, 4)
  local before = tide.memory().total
  nn.scaled_dot_product_attention(q, q, q)
  t.ok(tide.memory().total - before < 4000 * 4000)     -- a quarter of the scores' bytes
end)

t.test("heads with norms of queries and keys", function()
  local net = nn.MultiheadAttention(8, 2, { qk_norm = true })
  local x = tensor.randn(2, 5, 8)
  t.eq(net(x).shape, { 2, 5, 8 })
  -- their lengths make no difference any more
  local y = net(x)
  tide.no_grad(function() net.query.weight:mul_(3); net.query.bias:mul_(3) end)
  t.ok(largest(net(x) - y) < 1e-5)
end)
