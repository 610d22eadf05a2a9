-- nn_velocity.lua -- flow.VelocityMLP: its size, its formula, its derivatives.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn, flow = tide.tensor, tide.nn, tide.flow
local F64 = { dtype = "f64" }

-- A small network in f64 whose zeros are drawn at random, so that all of it acts.
local function lively(o)
  tide.seed(4)
  o.dtype = "f64"
  local v = flow.VelocityMLP(o)
  for name, p in v:named_parameters() do
    if name:find("modulation") or name:find("output") or name:find("bias")
       or name:find("time") or name:find("no_features") then
      nn.init.normal_(p, 0, 0.4)
    end
  end
  return v
end

t.test("number of parameters", function()
  t.eq(flow.VelocityMLP { dim = 2, hidden = 512, blocks = 4 }:num_parameters(), 6179330)
  t.eq(flow.VelocityMLP { dim = 32, hidden = 1024, blocks = 6 }:num_parameters(), 34978848)
end)

t.test("starts at zero", function()
  for _, act in ipairs { "silu", "gelu" } do
    local v = flow.VelocityMLP { dim = 3, hidden = 32, blocks = 2, act = act }
    local y = v(tensor.randn(7, 3), tensor.rand(7))
    t.eq(y.shape, { 7, 3 })
    t.eq(y:abs():max():item(), 0)
  end
end)

-- The same network, written out with plain ops.
local function reference(v, z, time, extra)
  local p = v:state_dict()
  local function linear(name, x) return x:matmul(p[name .. ".weight"]:t()) + p[name .. ".bias"] end
  local function norm(x)
    local c = x - x:mean(2, true)
    return c / (c:square():mean(2, true) + 1e-6):sqrt()
  end
  local f = ((tensor.arange(0, 127, F64)) * (-math.log(1e4) / 128)):exp()
  local a = time:unsqueeze(2) * f
  local c = linear("time2", linear("time1", tensor.cat({ a:cos(), a:sin() }, 2)):silu())
  c = (extra and c + extra or c):silu()
  local h, w = linear("input", z), v.hidden
  local all = linear("modulation", c)
  for i = 1, #v.blocks do
    local b, m = "blocks." .. i .. ".", all:narrow(2, 3 * (i - 1) * w + 1, 3 * w)
    local y = norm(h) * p[b .. "norm.weight"] + p[b .. "norm.bias"]
    y = y * (1 + m:narrow(2, w + 1, w)) + m:narrow(2, 1, w)
    y = linear(b .. "fc1", y)
    y = linear(b .. "fc2", v.act == "gelu" and y:gelu() or y:silu())
    h = h + m:narrow(2, 2 * w + 1, w) * y
  end
  local m = all:narrow(2, 3 * #v.blocks * w + 1, 2 * w)
  return linear("output", norm(h) * (1 + m:narrow(2, w + 1, w)) + m:narrow(2, 1, w))
end

t.test("agrees with its formula", function()
  for _, act in ipairs { "silu", "gelu" } do
    local v = lively { dim = 3, hidden = 16, blocks = 2, act = act }
    local z, time = tensor.randn(5, 3, F64), tensor.rand(5, F64)
    t.near(v(z, time), reference(v, z, time), 1e-12)
    t.ok(v(z, time):abs():max():item() > 0.1)
  end
end)

t.test("files with a layer of modulations for each block are read", function()
  local v = lively { dim = 3, hidden = 16, blocks = 2 }
  local state = v:state_dict()
  local parts = { weight = state["modulation.weight"], bias = state["modulation.bias"] }
  for kind, all in pairs(parts) do
    local m = all:split({ 48, 48, 32 }, 1)
    state["blocks.1.modulation." .. kind], state["blocks.2.modulation." .. kind] = m[1], m[2]
    state["modulation." .. kind] = m[3]
  end
  local w, z, time = lively { dim = 3, hidden = 16, blocks = 2 }, tensor.randn(5, 3, F64), tensor.rand(5, F64)
  for _, p in ipairs(w:parameters()) do tide.no_grad(p.zero_, p) end
  nn.Sequential(w):load_state_dict((function()
    local list = {}
    for name, value in pairs(state) do list["1." .. name] = value end
    return list
  end)())
  t.near(w(z, time), v(z, time), 0)
  t.ok(state["blocks.1.modulation.weight"] ~= nil)      -- the table given is left alone
end)

t.test("one time for all points, in any form", function()
  local v = lively { dim = 2, hidden = 16, blocks = 2 }
  local z = tensor.randn(5, 2, F64)
  local want = v(z, tensor.full({ 5 }, 0.25, F64))
  t.near(v(z, 0.25), want, 1e-13)
  t.near(v(z, tensor.from(0.25)), want, 1e-13)
  t.near(v(z, tensor.from { 0.25 }), want, 1e-13)
  t.near(v(z, tensor.full({ 5, 1 }, 0.25)), want, 1e-13)
  t.eq(v(tensor.zeros(0, 2, F64), 0.5).shape, { 0, 2 })
end)

t.test("labels, with one for none", function()
  local v = lively { dim = 2, hidden = 16, blocks = 1, classes = 3 }
  local z, time = tensor.randn(4, 2, F64), tensor.rand(4, F64)
  local labels = tensor.from({ 1, 3, 4, 2 }, { dtype = "i64" })
  local y = v(z, time, labels)
  t.near(y, reference(v, z, time, v.label(labels)), 1e-12)
  t.eq(v.null_label, 4)
  t.near(v(z, time):select(1, 3), y:select(1, 3), 1e-13)
  t.near(v(z, time, 2):select(1, 4), y:select(1, 4), 1e-13)
  t.near(v(z, 0.5, labels):select(1, 3), v(z, 0.5):select(1, 3), 1e-13)
  t.raises("vector of 4", function() v(z, time, tensor.ones(3):long()) end)
end)

t.test("features as a condition", function()
  local v = lively { dim = 2, hidden = 16, blocks = 1, cond = 3 }
  local z, time, c = tensor.randn(4, 2, F64), tensor.rand(4, F64), tensor.randn(4, 3, F64)
  t.near(v(z, time, c), reference(v, z, time, v.features(c)), 1e-12)
  t.near(v(z, time), reference(v, z, time, v.no_features), 1e-12)
end)

-- d/dx <f(x), direction> against central differences of f along `direction2`
local function check_gradient(f, x, tolerance)
  local y = f(x)
  local u, w = tensor.randn(y.shape, F64), tensor.randn(x.shape, F64)
  local g = tensor.grad((y * u):sum(), x)
  local h = 1e-5
  local up = (f((x + w * h):detach():requires_grad_()) * u):sum():item()
  local down = (f((x - w * h):detach():requires_grad_()) * u):sum():item()
  local got, want = (g * w):sum():item(), (up - down) / (2 * h)
  t.near(got, want, tolerance * (1 + math.abs(want)))
end

-- Gradient of <f(x), u> for a fixed u, still part of the graph.
local function derivative(f, u)
  return function(x)
    return tensor.grad((f(x) * u):sum(), x, { create_graph = true })
  end
end

t.test("first, second and third derivatives in the points", function()
  for _, time in ipairs { 0.3, tensor.rand(4, F64) } do
    local v = lively { dim = 2, hidden = 12, blocks = 2 }
    local z = tensor.randn(4, 2, F64):requires_grad_()
    local u = { tensor.randn(4, 2, F64), tensor.randn(4, 2, F64) }
    local function f(x) return v(x, time) end
    check_gradient(f, z, 1e-7)
    local f1 = derivative(f, u[1])
    check_gradient(f1, z, 1e-7)
    check_gradient(derivative(f1, u[2]), z, 1e-6)
  end
end)

t.test("derivatives of a divergence in every parameter", function()
  local v = lively { dim = 2, hidden = 8, blocks = 1 }
  local z = tensor.randn(3, 2, F64):requires_grad_()
  local time = tensor.rand(3, F64)
  local function loss()
    local div = 0
    local y = v(z, time)
    for d = 1, 2 do
      local g = tensor.grad(y:select(2, d):sum(), z, { create_graph = true })
      div = div + g:select(2, d)
    end
    return (div:square() + y:square():sum(2)):sum()
  end
  loss():backward()
  for name, p in v:named_parameters() do
    local g, w, h = p.grad, tensor.randn(p.shape, F64), 1e-5
    tide.no_grad(function() p:add_(w * h) end)
    local up = loss():item()
    tide.no_grad(function() p:sub_(w * (2 * h)) end)
    local down = loss():item()
    tide.no_grad(function() p:add_(w * h) end)
    local want = (up - down) / (2 * h)
    local got = g and (g * w):sum():item() or 0
    t.near(got, want, 1e-6 * (1 + math.abs(want)), name)
  end
end)

t.test("a frozen network costs no weight gradients", function()
  local v = lively { dim = 2, hidden = 16, blocks = 2 }
  local z = tensor.randn(4, 2, F64):requires_grad_()
  local want = tensor.grad(v(z, 0.5):square():sum(), z)
  local frozen = v:frozen()
  frozen(z, 0.5):square():sum():backward()
  t.near(z.grad, want, 1e-12)
  for _, p in v:named_parameters() do t.ok(p.grad == nil) end
end)

t.test("training brings the loss down", function()
  tide.seed(1)
  local v = flow.VelocityMLP { dim = 2, hidden = 64, blocks = 2 }
  local opt = tide.optim.Adam(v:parameters(), { lr = 2e-3 })
  local first, last
  for step = 1, 150 do
    local x0, time = tensor.randn(256, 2), tensor.rand(256)
    local x1 = tensor.from { 2, -1 } + tensor.randn(256, 2) * 0.1
    local s = time:unsqueeze(2)
    local loss = nn.mse_loss(v(x0 * (1 - s) + x1 * s, time), x1 - x0)
    opt:zero_grad()
    loss:backward()
    opt:step()
    first, last = first or loss:item(), loss:item()
  end
  t.ok(first > 3, "first loss " .. first)
  t.ok(last < 0.35, "last loss " .. last)
end)

t.test("wrong arguments", function()
  local v = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }
  local z = tensor.zeros(3, 2)
  t.raises("points must be (n, 2)", function() v(tensor.zeros(3, 3), 0) end)
  t.raises("not a number", function() v(1, 0) end)
  t.raises("each of the 3 points", function() v(z, tensor.zeros(2)) end)
  t.raises("t must be a number", function() v(z) end)
  t.raises("takes no condition", function() v(z, 0, 1) end)
  t.raises("dimension of the points", function() flow.VelocityMLP {} end)
  t.raises("did you mean 'hidden'", function() flow.VelocityMLP { dim = 2, hiden = 8 } end)
  t.raises("act is", function() flow.VelocityMLP { dim = 2, act = "relu" } end)
  t.raises("hidden must be", function() flow.VelocityMLP { dim = 2, hidden = 1.5 } end)
end)
