-- nn_layers.lua -- layers and losses against numbers computed elsewhere (PyTorch,
-- f64) and against their definitions.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn = tide.tensor, tide.nn
local F64 = { dtype = "f64" }

-- sin(1.3 i + s), i = 0 .. n-1, in the given shape
local function wave(s, ...)
  local n = 1
  for _, k in ipairs { ... } do n = n * k end
  return (tensor.arange(0, n - 1, F64) * 1.3 + s):sin():reshape(...)
end

local function flat(x) return x:detach():flatten():totable() end

t.test("layer_norm and its gradient", function()
  local x = wave(0, 3, 4):requires_grad_()
  local y = x:layer_norm(wave(1, 4), wave(2, 4), 1e-5)
  t.near(flat(y), {
    0.63843058151, 0.771401964823, -1.222440245, 1.04186244011,
    -0.395178361179, -0.0993875659076, -1.5422307144, -0.602191938982,
    0.0610527421626, -0.846170146291, -1.25941254386, -1.68128795925 }, 1e-10)
  y:backward { gradient = wave(3, 3, 4) }
  t.near(flat(x.grad), {
    0.550050780239, -0.801956140488, 0.786180393327, -0.534275033078,
    0.236849271173, -0.663109532932, 0.317703092539, 0.10855716922,
    0.0977826811207, 0.102931605276, -0.63084766558, 0.430133379184 }, 1e-10)
end)

t.test("rms_norm and its gradient", function()
  local x = wave(0, 3, 4):requires_grad_()
  local y = x:rms_norm(wave(1, 4), 1e-5)
  t.near(flat(y), {
    0, 1.11294825725, -0.353340170397, 1.04660369804,
    -1.07141244373, 0.231196481648, -0.636844697882, -0.451824174857,
    -0.896273737827, -0.73109701526, -0.239231043078, -1.2473566051 }, 1e-10)
  y:backward { gradient = wave(3, 3, 4) }
  t.near(flat(x.grad), {
    0.183932124874, -0.947709665242, 0.491805689445, -0.959108414753,
    1.05030471831, -0.0587138763904, 0.727983163899, 0.669386942607,
    0.81325782655, 0.822202493096, 0.158003076904, 1.24988759418 }, 1e-10)
end)

t.test("layer_norm keeps small variances apart from large means", function()
  local x = (tensor.arange(64) * 1e-2 + 1000):reshape(2, 32)
  local want = x:double():layer_norm(nil, nil, 1e-6)
  t.near(x:layer_norm(nil, nil, 1e-6), want, 2e-3)
end)

t.test("activations", function()
  local x = wave(0, 4) * 3
  t.near(flat(x:gelu()), { 0, 2.88511844879, 1.4521806126, -0.0403212663005 }, 1e-10)
  t.near(flat(x:silu()), { 0, 2.73857742757, 1.27495074194, -0.23256577166 }, 1e-10)
  t.near(flat(x:softplus()), {
    0.69314718056, 2.94472584305, 1.73959354566, 0.119589632485 }, 1e-10)
  for _, name in ipairs { "ReLU", "SiLU", "GELU", "Tanh", "Sigmoid", "Softplus" } do
    t.near(nn[name]()(x), x[name:lower()](x), 0)
  end
  t.near(nn.Identity()(x), x, 0)
  t.near(nn.Lambda(function(a) return a * 2 end)(x), x * 2, 0)
end)

t.test("linear is x W^T + b for any leading dims", function()
  local w, b = wave(1, 3, 4), wave(2, 3)
  for _, shape in ipairs { { 4 }, { 2, 4 }, { 2, 5, 4 }, { 0, 4 } } do
    local x = wave(0, table.unpack(shape))
    local want = (x.shape[1] == 4 and #shape == 1) and w:matmul(x) + b
      or x:matmul(w:t()) + b
    t.near(x:linear(w, b), want, 1e-12)
    t.near(x:linear(w), want - b, 1e-12)
  end
  t.raises("the 4 inputs of the weight", function() wave(0, 2, 3):linear(w) end)
  t.raises("bias must have the 3 outputs", function()
    wave(0, 2, 4):linear(w, wave(0, 4))
  end)
end)

t.test("sinusoid: cosines, then sines", function()
  local y = tensor.from({ 0, 0.5, 30 }, F64):sinusoid(6, 1e4)
  for i, time in ipairs { 0, 0.5, 30 } do
    for k = 0, 2 do
      local a = time * 1e4 ^ (-k / 3)
      t.near(y:get(i, k + 1), math.cos(a), 1e-12)
      t.near(y:get(i, k + 4), math.sin(a), 1e-12)
    end
  end
  local x = tensor.from { 3e5, 2e7, -1e5, 0 / 0 }
  t.near(x:narrow(1, 1, 3):sinusoid(4, 100),
         x:narrow(1, 1, 3):double():sinusoid(4, 100), 5e-3)
  t.ok(x:sinusoid(4):select(1, 4):isnan():all():item())
  t.raises("must be even", function() x:sinusoid(5) end)
end)

t.test("losses", function()
  local x, y = wave(0, 3, 4), wave(2, 3, 4)
  t.near(nn.cross_entropy(x, tensor.from({ 3, 1, 4 }, { dtype = "i64" })),
         1.5059053879547541, 1e-12)
  t.near(nn.cross_entropy(x, tensor.from({ 3, 1, 4 }, { dtype = "i64" }),
         { label_smoothing = 0.1 }), 1.5160515990819277, 1e-12)
  t.near(nn.nll_loss(x:log_softmax(-1), tensor.from({ 3, 1, 4 }, { dtype = "i64" })),
         1.5059053879547541, 1e-12)
  t.near(nn.binary_cross_entropy_with_logits(x, wave(1, 3, 4):gt(0):double()),
         0.5710913058833461, 1e-12)
  t.near(nn.smooth_l1_loss(x, y, { beta = 0.7 }), 0.7477399303988812, 1e-12)
  t.near(nn.mse_loss(x, y), (x - y):square():mean(), 1e-15)
  t.near(nn.mse_loss(x, y, { reduction = "sum" }), (x - y):square():sum(), 1e-12)
  t.eq(nn.l1_loss(x, y, { reduction = "none" }).shape, { 3, 4 })
  t.raises("differ", function() nn.mse_loss(x, wave(0, 4)) end)
  t.raises("reduction", function() nn.mse_loss(x, y, { reduction = "avg" }) end)
end)

t.test("attention", function()
  local q, k, v = wave(0, 1, 2, 3, 2), wave(1, 1, 2, 4, 2), wave(2, 1, 2, 4, 2)
  t.near(flat(nn.scaled_dot_product_attention(q, k, v)), {
    0.480080600597, 0.0867607945629, -0.136779051932, -0.399023751333,
    0.0567529133173, -0.051187321055, 0.507392590446, 0.00753949034377,
    -0.366836703299, 0.310062554752, 0.521732399819, 0.158932648993 }, 1e-10)
  k, v = wave(1, 1, 2, 3, 2), wave(2, 1, 2, 3, 2)
  local want = {
    0.909297426826, -0.157745694143, -0.217350712244, -0.28570419984,
    0.145404006622, 0.146411995412, -0.366479129252, -0.994552588204,
    -0.242771183349, 0.175866389271, 0.216611557539, -0.29525045648 }
  t.near(flat(nn.scaled_dot_product_attention(q, k, v, { causal = true })), want, 1e-10)
  local mask = tensor.ones(3, 3, { dtype = "bool" }):tril()
  t.near(flat(nn.scaled_dot_product_attention(q, k, v, { mask = mask })), want, 1e-10)
end)

t.test("multi-head attention", function()
  local m = nn.MultiheadAttention(4, 2, F64)
  local w, b = wave(0, 12, 4), wave(1, 12)
  m:load_state_dict {
    ["query.weight"] = w:narrow(1, 1, 4), ["key.weight"] = w:narrow(1, 5, 4),
    ["value.weight"] = w:narrow(1, 9, 4), ["query.bias"] = b:narrow(1, 1, 4),
    ["key.bias"] = b:narrow(1, 5, 4), ["value.bias"] = b:narrow(1, 9, 4),
    ["output.weight"] = wave(2, 4, 4), ["output.bias"] = wave(3, 4) }
  t.near(flat(m(wave(4, 1, 3, 4))), {
    -3.16684736242, -2.12882501675, 1.54039874145, 3.82602171378,
    0.833252356041, 1.4847502082, 0.926339494748, -0.362947499652,
    -1.22277700705, -0.0572176806401, 1.53749353278, 1.75169210029 }, 1e-10)
  t.raises("no multiple", function() nn.MultiheadAttention(6, 4) end)
end)

t.test("embedding takes rows by position and passes gradients back", function()
  local e = nn.Embedding(5, 3)
  local at = tensor.from({ { 2, 5 }, { 2, 1 } }, { dtype = "i64" })
  local y = e(at)
  t.eq(y.shape, { 2, 2, 3 })
  t.near(y:get(1, 2, 3), e.weight:get(5, 3), 0)
  y:sum():backward()
  t.near(e.weight.grad:sum(2), { 3, 6, 0, 0, 3 }, 0)
  t.raises("6", function() e(tensor.from({ 6 }, { dtype = "i64" })) end)
end)

t.test("dropout: off in evaluation, unbiased in training", function()
  tide.seed(3)
  local d = nn.Dropout(0.25)
  local x = tensor.ones(200, 200)
  local y = d(x)
  local zeros = y:eq(0):float():mean():item()
  t.near(zeros, 0.25, 0.01)
  t.near(y:mean():item(), 1, 0.02)
  t.near(y:max():item(), 1 / 0.75, 1e-6)
  d:eval()
  t.near(d(x), x, 0)
  t.raises("probability", function() nn.Dropout(1.5) end)
end)

t.test("starting values", function()
  tide.seed(5)
  local w = tensor.empty(300, 200)
  t.ok(nn.init.xavier_uniform_(w) == w)
  local a = math.sqrt(6 / 500)
  t.ok(w:abs():max():item() <= a and w:abs():max():item() > 0.99 * a)
  t.near(nn.init.kaiming_normal_(w):std():item(), math.sqrt(2 / 200), 2e-3)
  t.near(nn.init.xavier_normal_(w):std():item(), math.sqrt(2 / 500), 2e-3)
  t.near(nn.init.normal_(w, 2, 0.5):mean():item(), 2, 0.02)
  t.ok(nn.init.trunc_normal_(w, 0, 0.1):abs():max():item() <= 0.2)
  t.near(w:std():item(), 0.088, 2e-3)
  t.near(nn.init.ones_(w):sum():item(), 60000, 0)
  local q = nn.init.orthogonal_(tensor.empty(3, 5, F64))
  t.near(q:matmul(q:t()), tensor.eye(3, F64), 1e-12)
  t.raises("at least 2 dims", function() nn.init.xavier_uniform_(tensor.empty(3)) end)
  local p = nn.Linear(3, 4)
  nn.init.zeros_(p.weight)
  t.ok(p.weight.requires_grad and p.weight:abs():sum():item() == 0)
end)
