-- ops.lua -- examples of the ops, and what the registry does not say of some of them.
local NET = [[
local net = { tensor.ones(1, 1), tensor.zeros(1), tensor.ones(1, 1), tensor.ones(1) }
local z, mod = tensor.from{ { 1 }, { 2 } }, tensor.from{ { 2, 0 } }
]]
local examples = {
  -- one number in, one out
  neg = "assert(tensor.from{ 1, -2 }:neg():equal(tensor.from{ -1, 2 }))",
  abs = "assert(tensor.from{ 1, -2 }:abs():equal(tensor.from{ 1, 2 }))",
  sign = "assert(tensor.from{ 3, 0, -2 }:sign():equal(tensor.from{ 1, 0, -1 }))",
  square = "assert(tensor.from{ 2, -3 }:square():equal(tensor.from{ 4, 9 }))",
  sqrt = "assert(tensor.from{ 4, 9 }:sqrt():allclose(tensor.from{ 2, 3 }))",
  rsqrt = "assert(tensor.from{ 4, 16 }:rsqrt():allclose(tensor.from{ 0.5, 0.25 }))",
  reciprocal = "assert(tensor.from{ 2, 4 }:reciprocal():allclose(tensor.from{ 0.5, 0.25 }))",
  exp = "assert(tensor.from{ 0, 1 }:exp():allclose(tensor.from{ 1, math.exp(1) }))",
  expm1 = "assert(tensor.from{ 0 }:expm1():item() == 0)",
  log = "assert(tensor.from{ 1, math.exp(1) }:log():allclose(tensor.from{ 0, 1 }, { atol = 1e-6 }))",
  log1p = "assert(tensor.from{ 0 }:log1p():item() == 0)",
  sin = "assert(tensor.from{ 0, math.pi / 2 }:sin():allclose(tensor.from{ 0, 1 }))",
  cos = "assert(tensor.from{ 0, math.pi }:cos():allclose(tensor.from{ 1, -1 }))",
  tan = "assert(tensor.from{ math.pi / 4 }:tan():allclose(tensor.ones(1)))",
  asin = "assert(tensor.from{ 1 }:asin():allclose(tensor.from{ math.pi / 2 }))",
  acos = "assert(tensor.from{ -1 }:acos():allclose(tensor.from{ math.pi }))",
  atan = "assert(tensor.from{ 1 }:atan():allclose(tensor.from{ math.pi / 4 }))",
  sinh = "assert(tensor.from{ 0 }:sinh():item() == 0)",
  cosh = "assert(tensor.from{ 0 }:cosh():item() == 1)",
  tanh = "assert(tensor.from{ 0, 100 }:tanh():equal(tensor.from{ 0, 1 }))",
  sigmoid = "assert(tensor.from{ 0 }:sigmoid():allclose(tensor.from{ 0.5 }))",
  relu = "assert(tensor.from{ -1, 2 }:relu():equal(tensor.from{ 0, 2 }))",
  silu = "local x = tensor.from{ -1, 2 }\nassert(x:silu():allclose(x * x:sigmoid()))",
  gelu = "assert(tensor.from{ 0, 10 }:gelu():allclose(tensor.from{ 0, 10 }))",
  softplus = "assert(tensor.from{ 0 }:softplus():allclose(tensor.from{ math.log(2) }))",
  erf = "assert(tensor.from{ 0, 10 }:erf():allclose(tensor.from{ 0, 1 }))",
  erfc = "assert(tensor.from{ 0 }:erfc():allclose(tensor.ones(1)))",
  floor = "assert(tensor.from{ 1.5, -1.5 }:floor():equal(tensor.from{ 1, -2 }))",
  ceil = "assert(tensor.from{ 1.5, -1.5 }:ceil():equal(tensor.from{ 2, -1 }))",
  round = "assert(tensor.from{ 0.5, 1.5 }:round():equal(tensor.from{ 0, 2 }))",
  trunc = "assert(tensor.from{ 1.5, -1.5 }:trunc():equal(tensor.from{ 1, -1 }))",
  isnan = "assert(tensor.from{ 0 / 0, 1 }:isnan():equal(tensor.from{ true, false }))",
  isinf = "assert(tensor.from{ math.huge, 1 }:isinf():equal(tensor.from{ true, false }))",
  isfinite = "assert(tensor.from{ math.huge, 1 }:isfinite():equal(tensor.from{ false, true }))",
  logical_not = "assert(tensor.from{ 0, 2 }:logical_not():equal(tensor.from{ true, false }))",

  -- two in, one out
  add = "assert((tensor.from{ 1, 2 } + 1):equal(tensor.from{ 2, 3 }))",
  sub = "assert((1 - tensor.from{ 1, 2 }):equal(tensor.from{ 0, -1 }))",
  mul = "assert((tensor.from{ 1, 2 } * tensor.from{ 3, 4 }):equal(tensor.from{ 3, 8 }))",
  div = "assert((tensor.from{ 1, 2 } / 2):equal(tensor.from{ 0.5, 1 }))",
  pow = "assert((tensor.from{ 1, 2 } ^ 3):allclose(tensor.from{ 1, 8 }))",
  maximum = "assert(tensor.from{ 1, 5 }:maximum(3):equal(tensor.from{ 3, 5 }))",
  minimum = "assert(tensor.from{ 1, 5 }:minimum(3):equal(tensor.from{ 1, 3 }))",
  atan2 = "assert(tensor.from{ 1 }:atan2(tensor.from{ 0 }):allclose(tensor.from{ math.pi / 2 }))",
  remainder = "assert((tensor.from{ -1, 5 } % 3):equal(tensor.from{ 2, 2 }))",
  floor_divide = "assert((tensor.from{ -1, 5 } // 3):equal(tensor.from{ -1, 1 }))",
  eq = "assert(tensor.from{ 1, 2 }:eq(2):equal(tensor.from{ false, true }))",
  ne = "assert(tensor.from{ 1, 2 }:ne(2):equal(tensor.from{ true, false }))",
  lt = "assert(tensor.from{ 1, 2 }:lt(2):equal(tensor.from{ true, false }))",
  le = "assert(tensor.from{ 1, 2 }:le(1):equal(tensor.from{ true, false }))",
  gt = "assert(tensor.from{ 1, 2 }:gt(1):equal(tensor.from{ false, true }))",
  ge = "assert(tensor.from{ 1, 2 }:ge(2):equal(tensor.from{ false, true }))",
  logical_and = "assert(tensor.from{ 1, 0 }:logical_and(1):equal(tensor.from{ true, false }))",
  logical_or = "assert(tensor.from{ 1, 0 }:logical_or(0):equal(tensor.from{ true, false }))",
  logical_xor = "assert(tensor.from{ 1, 0 }:logical_xor(1):equal(tensor.from{ false, true }))",

  -- choosing, copying, filling
  where = [[
local x = tensor.from{ -1, 2 }
assert(tensor.where(x:gt(0), x, 0):equal(tensor.from{ 0, 2 }))]],
  clamp = "assert(tensor.from{ -1, 5 }:clamp{ max = 2 }:equal(tensor.from{ -1, 2 }))",
  copy = "local x = tensor.zeros(2, 2)\nx:copy_(tensor.from{ 1, 2 })\nassert(x:get(2, 1) == 1)",
  fill = "assert(tensor.zeros(2):fill_(3):equal(tensor.from{ 3, 3 }))",
  cast = 'assert(tensor.from{ 1.7 }:cast("i64"):item() == 1)',
  clone = "local x = tensor.zeros(2)\nassert(not x:clone():shares_memory(x))",
  tril = "assert(tensor.ones(2, 2):tril():sum():item() == 3)",
  triu = "assert(tensor.ones(2, 2):triu(1):sum():item() == 1)",
  uniform = "assert(tensor.zeros(50):uniform_(-1, 1):abs():max():item() <= 1)",
  normal = "assert(tensor.zeros(10000):normal_(5, 0.1):mean():sub(5):abs():item() < 0.01)",
  bernoulli = "assert(tensor.zeros(50):bernoulli(1):sum():item() == 50)",
  integers = "assert(tensor.zeros(50):integers(1, 6):max():item() <= 6)",

  -- reductions
  sum = [[
local x = tensor.from{ {1, 2}, {3, 4} }
assert(x:sum():item() == 10)
assert(x:sum(1):equal(tensor.from{ 4, 6 }))
assert(x:sum(-1, { keepdim = true }):equal(tensor.from{ {3}, {7} }))]],
  prod = "assert(tensor.from{ 2, 3, 4 }:prod():item() == 24)",
  amax = "assert(tensor.from{ {1, 5}, {7, 3} }:amax(2):equal(tensor.from{ 5, 7 }))",
  amin = "assert(tensor.from{ {1, 5}, {7, 3} }:amin(2):equal(tensor.from{ 1, 3 }))",
  argmax = [[
local x = tensor.from{ {1, 5}, {7, 3} }
assert(x:argmax(2):get(1) == 2 and x:argmax():item() == 3)]],
  argmin = "assert(tensor.from{ 4, 2, 9 }:argmin():item() == 2)",
  any = "assert(tensor.from{ 0, 1 }:any():item() == true)",
  all = "assert(tensor.from{ 0, 1 }:all():item() == false)",
  logsumexp = "assert(tensor.from{ 1000, 1000 }:logsumexp():allclose(tensor.from(1000 + math.log(2))))",
  mean = "assert(tensor.from{ 1, 2, 6 }:mean():item() == 3)",
  var = [[
local x = tensor.from{ 1, 3 }
assert(x:var():item() == 2 and x:var{ correction = 0 }:item() == 1)]],
  std = "assert(tensor.from{ 1, 3 }:std{ correction = 0 }:item() == 1)",
  norm = "assert(tensor.from{ 3, 4 }:norm():item() == 5 and tensor.from{ 3, -4 }:norm(1):item() == 7)",
  softmax = "assert(tensor.zeros(4):softmax():equal(tensor.full(4, 0.25)))",
  log_softmax = "assert(tensor.zeros(2):log_softmax():allclose(tensor.full(2, -math.log(2))))",
  cumsum = "assert(tensor.from{ 1, 2, 3 }:cumsum(1):equal(tensor.from{ 1, 3, 6 }))",
  sort = [[
local value, at = tensor.from{ 3, 1, 2 }:sort()
assert(value:equal(tensor.from{ 1, 2, 3 }) and at:get(1) == 2)]],
  topk = [[
local value, at = tensor.from{ 3, 1, 2 }:topk(2)
assert(value:equal(tensor.from{ 3, 2 }) and at:get(2) == 3)]],
  argsort = "assert(tensor.from{ 3, 1, 2 }:argsort():get(1) == 2)",

  -- shape
  reshape = "assert(tensor.arange(6):reshape(2, -1):get(2, 1) == 4)",
  view = "local x = tensor.zeros(6)\nassert(x:view(2, 3):shares_memory(x))",
  permute = "assert(tensor.zeros(2, 3, 4):permute(3, 1, 2).shape[1] == 4)",
  transpose = "assert(tensor.from{ {1, 2}, {3, 4} }:transpose(1, 2):get(1, 2) == 3)",
  t = "assert(tensor.from{ {1, 2}, {3, 4} }:t():get(1, 2) == 3)",
  squeeze = "assert(tensor.zeros(1, 3, 1):squeeze():dim() == 1)",
  unsqueeze = "assert(tensor.zeros(3):unsqueeze(-1).shape[2] == 1)",
  expand = "assert(tensor.ones(1, 3):expand(4, -1):sum():item() == 12)",
  flatten = "assert(tensor.zeros(2, 3):flatten():numel() == 6)",
  narrow = "assert(tensor.arange(5):narrow(1, 2, 3):equal(tensor.from{ 2, 3, 4 }))",
  select = "assert(tensor.from{ {1, 2}, {3, 4} }:select(1, 2):equal(tensor.from{ 3, 4 }))",
  diagonal = "assert(tensor.eye(3):diagonal():equal(tensor.ones(3)))",
  cat = "assert(tensor.cat{ tensor.ones(2), tensor.zeros(1) }:equal(tensor.from{ 1, 1, 0 }))",
  stack = "assert(tensor.stack({ tensor.ones(2), tensor.zeros(2) }, 2):get(1, 2) == 0)",
  tile = "assert(tensor.from{ 1, 2 }:tile(2):equal(tensor.from{ 1, 2, 1, 2 }))",
  flip = "assert(tensor.from{ 1, 2, 3 }:flip(1):equal(tensor.from{ 3, 2, 1 }))",
  roll = "assert(tensor.from{ 1, 2, 3 }:roll(1, 1):equal(tensor.from{ 3, 1, 2 }))",

  -- positions
  gather = [[
local x = tensor.from{ {1, 2}, {3, 4} }
local at = tensor.from({ {2}, {1} }, { dtype = "i64" })
assert(x:gather(2, at):equal(tensor.from{ {2}, {3} }))]],
  scatter_add = [[
local at = tensor.from({ 1, 1, 3 }, { dtype = "i64" })
assert(tensor.zeros(3):scatter_add(1, at, tensor.ones(3)):equal(tensor.from{ 2, 0, 1 }))]],
  index_select = "assert(tensor.from{ 5, 6, 7 }:index_select(1, { 3, 1 }):equal(tensor.from{ 7, 5 }))",
  index_add = "assert(tensor.zeros(3):index_add(1, { 3, 3 }, tensor.ones(2)):get(3) == 2)",
  nonzero = "assert(tensor.from{ 0, 5, 6 }:nonzero():get(2, 1) == 3)",
  masked_fill = "local x = tensor.from{ 1, 2 }\nassert(x:masked_fill(x:gt(1), 0):equal(tensor.from{ 1, 0 }))",

  -- products
  mm = "assert(tensor.ones(2, 3):mm(tensor.ones(3, 4)):get(1, 1) == 3)",
  bmm = "assert(tensor.ones(5, 2, 3):bmm(tensor.ones(5, 3, 4)).shape[3] == 4)",
  matmul = "assert(tensor.eye(2):matmul(tensor.from{ 3, 4 }):equal(tensor.from{ 3, 4 }))",
  dot = "assert(tensor.from{ 1, 2 }:dot(tensor.from{ 3, 4 }):item() == 11)",
  outer = "assert(tensor.from{ 1, 2 }:outer(tensor.from{ 3, 4 }):get(2, 1) == 6)",
  trace = "assert(tensor.eye(4):trace():item() == 4)",
  cdist = "assert(tensor.zeros(1, 2):cdist(tensor.from{ {3, 4} }):item() == 5)",
  cov = "assert(tensor.from{ {1, 0}, {3, 0} }:cov():get(1, 1) == 2)",
  kde = [[
local log_p = tensor.zeros(1, 2):kde(tensor.zeros(1, 2), 1)
assert(log_p:allclose(tensor.full(1, -math.log(2 * math.pi))))]],
  kde_mean = "assert(tensor.zeros(1, 2):kde_mean(tensor.ones(1, 2), 1):allclose(tensor.ones(1, 2)))",
  kde_grid = [[
local x, data = tensor.from{ 0, 1 }, tensor.randn(9, 2)
assert(math.abs(x:kde_grid(x, data, 0.5):get(2, 1) - tensor.from{ {0, 1} }:kde(data, 0.5):item()) < 1e-5)]],
  knn = [[
local near, at = tensor.from{ {0} }:knn(tensor.from{ {3}, {-1}, {2} }, 2)
assert(near:get(1, 2) == 2 and at:get(1, 1) == 2)]],
  assignment = "assert(tensor.from{ {1, 2}, {1, 9} }:assignment():get(1) == 2)",

  -- decompositions
  cholesky = "assert(tensor.from{ {4, 0}, {0, 9} }:cholesky():allclose(tensor.from{ {2, 0}, {0, 3} }))",
  eigh = "local values = tensor.from{ {2, 0}, {0, 1} }:eigh()\nassert(values:allclose(tensor.from{ 1, 2 }))",
  svd = [[
local x = tensor.from{ {3, 0}, {0, 2} }
local u, s, vt = x:svd()
assert((u * s):matmul(vt):allclose(x))]],
  solve = "assert((tensor.eye(2) * 2):solve(tensor.from{ 2, 4 }):allclose(tensor.from{ 1, 2 }))",
  solve_triangular = [[
local l = tensor.from{ {2, 0}, {1, 1} }
assert(l:solve_triangular(tensor.from{ 2, 3 }):allclose(tensor.from{ 1, 2 }))]],
  inverse = "assert((tensor.eye(2) * 2):inverse():allclose(tensor.eye(2) * 0.5))",
  logdet = "assert((tensor.eye(2) * 2):logdet():allclose(tensor.from(2 * math.log(2))))",
  sqrtm = "assert((tensor.eye(2) * 4):sqrtm():allclose(tensor.eye(2) * 2))",
  sylvester = "local x = tensor.eye(2):sylvester(tensor.eye(2) * 2)\nassert(x:allclose(tensor.eye(2)))",

  -- layers in one pass
  linear = [[
local y = tensor.ones(1, 2):linear(tensor.ones(3, 2), tensor.ones(3))
assert(y:equal(tensor.full({1, 3}, 3)))]],
  gated_norm = "local h, y = tensor.from{ 0, 2 }:gated_norm(tensor.ones(2), tensor.ones(2), nil, nil, 0)\n" ..
    "assert(h:equal(tensor.from{ 1, 3 }) and y:equal(tensor.from{ -1, 1 }))",
  layer_norm = "assert(tensor.from{ {1, 3} }:layer_norm():allclose(tensor.from{ {-1, 1} }, { atol = 1e-4 }))",
  rms_norm = "assert(tensor.from{ {2, 2} }:rms_norm():allclose(tensor.ones(1, 2), { atol = 1e-4 }))",
  modulate = "assert(tensor.ones(2):modulate(1, 2):equal(tensor.from{ 4, 4 }))",
  addcmul = "assert(tensor.ones(2):addcmul(tensor.from{ 1, 2 }, 3):equal(tensor.from{ 4, 7 }))",
  sinusoid = "assert(tensor.zeros(1):sinusoid(4):equal(tensor.from{ {1, 1, 0, 0} }))",
  group_norm = [[
local y = (tensor.randn(2, 6, 4, 4) * 3 + 1):group_norm(nil, nil, 2)
assert(math.abs(y:mean():item()) < 1e-5)]],
  upsample2d = "assert(tensor.ones(1, 1, 2, 3):upsample2d(2):sum():item() == 24)",
  sum_pool2d = "assert(tensor.ones(1, 1, 2, 4):sum_pool2d(2):get(1, 1, 1, 2) == 4)",
  conv2d = [[
local y = tensor.ones(1, 1, 3, 3):conv2d(tensor.ones(1, 1, 3, 3), nil, 1, 1)
assert(y:get(1, 1, 2, 2) == 9 and y:get(1, 1, 1, 1) == 4)]],
  conv_transpose2d = [[
local y = tensor.ones(1, 1, 2, 2):conv_transpose2d(tensor.ones(1, 1, 2, 2), nil, 2)
assert(y:size(3) == 4 and y:sum():item() == 16)]],
  attention = [[
local q = tensor.zeros(2, 4)
local y, lse = q:attention(tensor.randn(3, 4), tensor.from{ {1}, {2}, {3} }, 0.5)
assert(y:allclose(tensor.full({2, 1}, 2)) and math.abs(lse:get(1) - math.log(3)) < 1e-6)]],
  embedding = "assert(tensor.eye(3):embedding({ 2 }):get(1, 2) == 1)",

  -- many tensors at once
  sgd_ = [[
local w, g = tensor.ones(2), tensor.ones(2)
tensor.sgd_({ w }, { g }, 0.1, 0)
assert(w:allclose(tensor.full(2, 0.9)))]],
  momentum_ = [[
local w, g, v = tensor.ones(2), tensor.ones(2), tensor.zeros(2)
tensor.momentum_({ w }, { g }, { v }, 0.1, 0.9, 0)
assert(w:allclose(tensor.full(2, 0.9)))]],
  adam_ = [[
local w, g, m, s = tensor.ones(2), tensor.ones(2), tensor.zeros(2), tensor.zeros(2)
tensor.adam_({ w }, { g }, { m }, { s }, tensor.zeros({ dtype = "i64" }), 0.1, 0.9, 0.999, 1e-8, 0)
assert(w:allclose(tensor.full(2, 0.9)))]],
  adamw_ = [[
local w, g, m, s = tensor.ones(2), tensor.ones(2), tensor.zeros(2), tensor.zeros(2)
tensor.adamw_({ w }, { g }, { m }, { s }, tensor.zeros({ dtype = "i64" }), 0.1, 0.9, 0.999, 1e-8, 0)
assert(w:allclose(tensor.full(2, 0.9)))]],
  ema_ = [[
local shadow = tensor.zeros(2)
tensor.ema_({ shadow }, { tensor.ones(2) }, 0.9)
assert(shadow:allclose(tensor.full(2, 0.1)))]],
  scale_ = "local x = tensor.ones(2)\ntensor.scale_({ x }, 3)\nassert(x:sum():item() == 6)",
  grad_norm = "assert(tensor.grad_norm({ tensor.from{ 3 }, tensor.from{ 4 } }):item() == 5)",

  line_points = [[
local z, u = tensor.zeros(4, 2):line_points(tensor.full({ 4, 2 }, 2), tensor.from{ 0, 1 })   -- two groups
assert(z:equal(tensor.from{ {0, 0}, {0, 0}, {2, 2}, {2, 2} }) and u:sum():item() == 16)]],
  line_draw = [[
local z, u, t = tensor.zeros(3, 2):line_draw()
assert(z:allclose(u * (t:unsqueeze(2) - 1)))      -- towards 0]],
  strata = "assert(tensor.empty(4):strata():mul(4):floor():sum():item() == 6)",
  mixture_draw = [[
local y, from = tensor.from{ 0.5, 1 }:mixture_draw(tensor.from{ {0}, {5} }, tensor.zeros(2, 1), 20)
assert(y:flatten():equal((from - 1):to("f32") * 5))]],
  squared_error = [[
local a, b = tensor.zeros(2, 3), tensor.ones(2, 3)
assert(a:squared_error(b):equal(tensor.from{ 3, 3 }) and a:squared_error(b, true):item() == 3)]],

  -- a net without blocks: its last norm gives 0 and the modulation's shift is what comes out
  adaln = NET .. "local v = tensor.adaln(z, mod, nil, nil, net)\nassert(v:equal(tensor.full({ 2, 1 }, 3)))",
  adaln_trace = NET .. "local v, trace = tensor.adaln_trace(z, mod, nil, nil, nil, net)\n" ..
    "assert(v:sum():item() == 6 and trace:sum():item() == 0)",
  adaln_residual = NET .. "local r = tensor.adaln_residual(z, z, mod, nil, nil, net)\n" ..
    "assert(r:equal((3 - z):square():sum(2)))",
  adaln_pack = NET .. "local packed = tensor.adaln_pack(net)\n" ..
    "assert(tensor.adaln(z, mod, nil, packed, net):sum():item() == 6)",
}

local entries = {}
for name, example in pairs(examples) do entries["tensor." .. name] = { example = example } end

local function more(name, fields)
  local e = entries["tensor." .. name] or {}
  for k, v in pairs(fields) do e[k] = v end
  entries["tensor." .. name] = e
end

more("stack", { sig = "tensor.stack(tensors, [dim])",
  args = { { "tensors", "table", "list of tensors of one shape" },
    { "dim", "integer", "where the new dim goes; default 1", optional = true } } })
more("diagonal", { sig = "x:diagonal([dim0], [dim1])",
  args = { { "x", "tensor" }, { "dim0", "integer", "default 1", optional = true },
    { "dim1", "integer", "default 2", optional = true } } })
more("argmax", { sig = "x:argmax([dim], [keepdim])" })
more("argmin", { sig = "x:argmin([dim], [keepdim])" })
more("cholesky", { errors = "x is not positive definite." })
more("logdet", { errors = "x is not positive definite." })
more("solve", { errors = "a is singular." })
more("inverse", { errors = "x is singular." })
more("view", { errors = "The strides of x do not allow the shape; reshape copies where needed." })

return entries
