-- nn.lua -- documentation of networks: modules, layers, losses, starting values, fused ops.
local spec = { "options", "table", "dtype, device", optional = true }
local reduction = { "options", "table", 'reduction: "mean" (default), "sum" or "none"', optional = true }
local x = { "x", "tensor" }
local module = { "self", "Module" }

local function weight(what, example, gain)
  return {
    text = what, args = { { "t", "tensor", "(out, in, ...), changed in place" },
      { "gain", "number", gain, optional = true } },
    returns = "the tensor", example = example,
    errors = "A tensor of fewer than 2 dims.",
  }
end

local function activation(name, formula)
  return { text = "Module that applies " .. formula .. " to each element.",
    sig = "nn." .. name .. "()", returns = "module",
    example = ("assert(nn.%s()(tensor.zeros(2)):numel() == 2)"):format(name) }
end

return {
-- ---- modules ----
["nn.Module"] = {
  text = "The class that networks derive from. A module finds its parts in its own fields: modules, " ..
    "tensors, and plain tables of them. A tensor that requires a gradient is a parameter and stays " ..
    "one when frozen; any other tensor is a buffer. Names that start with _ are not searched. " ..
    "net(...) calls net:forward(...).",
  returns = "module", example = [[
local Net = nn.Module:extend("Net")
function Net:init(width)
  self.layers = { nn.Linear(2, width), nn.Linear(width, 1) }
end
function Net:forward(x)
  return self.layers[2](self.layers[1](x):tanh())
end
local net = Net(16)
assert(net(tensor.randn(5, 2)):size(1) == 5 and net:num_parameters() == 65)]] },
["nn.Module:extend"] = {
  text = "A class derived from this one: Class(...) makes an instance and calls Class.init(self, ...); " ..
    "Class.super is the parent.",
  sig = "Class:extend(name)", args = { { "name", "string", "shown in messages and summaries" } },
  returns = "class", errors = "No name.",
  example = [[
local Double = nn.Module:extend("Double")
function Double:forward(x) return x * 2 end
assert(Double()(tensor.ones(1)):item() == 2)]] },
["nn.Module:forward"] = { text = "What net(...) calls; classes define it.", sig = "net:forward(...)",
  args = { { "...", "any" } }, returns = "any", errors = "A class without forward." },
["nn.Module:init"] = { text = "What Class(...) calls on the new instance; classes define it.",
  sig = "net:init(...)", args = { { "...", "any" } }, returns = "nothing" },
["nn.Module:extra"] = { text = "Options that the summary shows behind the name; classes may define it.",
  sig = "net:extra()", args = { module }, returns = "string" },
["nn.Module:parameters"] = { text = "List of the parameters, each once, frozen ones included.",
  sig = "net:parameters()", args = { module }, returns = "table of tensors",
  example = "assert(#nn.Linear(2, 3):parameters() == 2)" },
["nn.Module:named_parameters"] = { text = "Iterator over names and parameters.",
  sig = "net:named_parameters()", args = { module }, returns = "iterator",
  example = [[
local names = {}
for name, p in nn.Linear(2, 3):named_parameters() do names[#names + 1] = name end
assert(table.concat(names, " ") == "weight bias")]] },
["nn.Module:buffers"] = { text = "List of the tensors that are not parameters.",
  sig = "net:buffers()", args = { module }, returns = "table of tensors" },
["nn.Module:named_buffers"] = { text = "Iterator over names and buffers.",
  sig = "net:named_buffers()", args = { module }, returns = "iterator" },
["nn.Module:modules"] = { text = "List of this module and all below it.", sig = "net:modules()",
  args = { module }, returns = "table of modules" },
["nn.Module:named_modules"] = { text = "Iterator over names and modules; this one comes first, as \"\".",
  sig = "net:named_modules()", args = { module }, returns = "iterator" },
["nn.Module:num_parameters"] = { text = "How many numbers the parameters hold.",
  sig = "net:num_parameters()", args = { module }, returns = "integer",
  example = "assert(nn.Linear(2, 3):num_parameters() == 9)" },
["nn.Module:register_buffer"] = {
  text = "Sets a field to a tensor that is not trained.",
  sig = "net:register_buffer(name, t, [options])",
  args = { module, { "name", "string" }, { "t", "tensor" },
    { "options", "table", "persistent: part of state_dict (default true)", optional = true } },
  returns = "the tensor", errors = "t is not a tensor." },
["nn.Module:state_dict"] = {
  text = "Parameters and buffers by name; the tensors share memory with the module. Fit for data.save.",
  sig = "net:state_dict()", args = { module }, returns = "table",
  example = 'assert(nn.Linear(2, 3):state_dict()["weight"]:size(1) == 3)' },
["nn.Module:load_state_dict"] = {
  text = "Copies values by name, converting type and device.",
  sig = "net:load_state_dict(state, [options])",
  args = { module, { "state", "table", "tensors by name" },
    { "options", "table", "strict: all names must match (default true)", optional = true } },
  returns = "the module",
  errors = "Missing or unknown names, other shapes: the message names them.",
  example = [[
local a, b = nn.Linear(2, 3), nn.Linear(2, 3)
b:load_state_dict(a:state_dict())
assert(b.weight:equal(a.weight))]] },
["nn.Module:to"] = {
  text = "Moves or converts all tensors; only floating point ones change their type. The module gets " ..
    "new tensors: make optimisers afterwards.",
  sig = "net:to(target)",
  args = { module, { "target", "string|table", 'as "f64", "cuda" or {dtype=, device=}' } },
  returns = "the module",
  example = 'assert(nn.Linear(2, 3):to("f64").weight.dtype == "f64")' },
["nn.Module:train"] = { text = "Sets training mode, which Dropout asks for, here and below.",
  sig = "net:train([on])", args = { module, { "on", "boolean", "default true", optional = true } },
  returns = "the module" },
["nn.Module:eval"] = { text = "Sets evaluation mode: train(false).", sig = "net:eval()",
  args = { module }, returns = "the module" },
["nn.Module:requires_grad_"] = { text = "Asks for gradients of all parameters, or no longer.",
  sig = "net:requires_grad_([on])", args = { module, { "on", "boolean", "default true", optional = true } },
  returns = "the module" },
["nn.Module:freeze"] = { text = "No gradients for the parameters from now on, and evaluation mode.",
  sig = "net:freeze()", args = { module }, returns = "the module" },
["nn.Module:frozen"] = {
  text = "The same network on the same memory, without gradients for its parameters and in evaluation " ..
    "mode. Training the original shows in it.",
  sig = "net:frozen()", args = { module }, returns = "module",
  example = [[
local net = nn.Linear(2, 1)
local x = tensor.ones(1, 2):requires_grad_()
net:frozen()(x):sum():backward()
assert(x.grad and not net.weight.grad)]] },
["nn.Module:clone"] = { text = "A copy with tensors of its own.", sig = "net:clone()",
  args = { module }, returns = "module" },
["nn.Module:zero_grad"] = { text = "Drops the gradients of all parameters.", sig = "net:zero_grad()",
  args = { module }, returns = "the module" },
["nn.Module:apply"] = { text = "Calls f(module) for every module below this one, then for this one.",
  sig = "net:apply(f)", args = { module, { "f", "function" } }, returns = "the module",
  example = [[
local net = nn.Sequential(nn.Linear(2, 2), nn.SiLU())
net:apply(function(m) if m.bias then nn.init.zeros_(m.bias) end end)
assert(net[1].bias:abs():sum():item() == 0)]] },
["nn.Parameter"] = { text = "Marks a tensor as a parameter: a leaf that requires a gradient, on the same " ..
    "memory.", args = { { "t", "tensor", "of a floating point type" } }, returns = "tensor",
  errors = "Not a tensor, or one of integers.",
  example = "assert(nn.Parameter(tensor.zeros(3)).requires_grad)" },
["nn.is_module"] = { text = "Is v a module?", args = { { "v", "any" } }, returns = "boolean",
  example = "assert(nn.is_module(nn.SiLU()) and not nn.is_module({}))" },

-- ---- layers ----
["nn.Linear"] = {
  text = "x W^T + b over the last dim, any dims before it. Weights and biases start uniform in " ..
    "+-1/sqrt(inputs).",
  args = { { "inputs", "integer" }, { "outputs", "integer" },
    { "options", "table", "bias (default true), dtype, device", optional = true } },
  returns = "module: (..., inputs) to (..., outputs)", errors = "Sizes that are no whole numbers.",
  example = "assert(nn.Linear(3, 5)(tensor.ones(2, 3)):size(2) == 5)" },
["nn.LayerNorm"] = {
  text = "(x - mean) / sqrt(variance + eps) over the last dim, then times weight plus bias.",
  args = { { "size", "integer", "of the last dim" },
    { "options", "table", "eps (1e-5), affine (true), bias (true), dtype, device", optional = true } },
  returns = "module", source = "Ba, Kiros and Hinton 2016 (arXiv 1607.06450)",
  example = "assert(math.abs(nn.LayerNorm(4)(tensor.randn(2, 4)):mean():item()) < 1e-5)" },
["nn.RMSNorm"] = { text = "x / sqrt(mean of squares + eps) over the last dim, then times weight.",
  args = { { "size", "integer", "of the last dim" },
    { "options", "table", "eps (1e-6), affine (true), dtype, device", optional = true } },
  returns = "module", source = "Zhang and Sennrich 2019 (arXiv 1910.07467)",
  example = "assert(math.abs(nn.RMSNorm(4)(tensor.ones(1, 4)):mean():item() - 1) < 1e-5)" },
["nn.BatchNorm"] = {
  text = "Rows minus the mean of their batch, over its standard deviation, then times weight plus bias. " ..
    "After training (net:eval()) the running averages, which are buffers, stand for the batch. Without " ..
    "affine it keeps latents at mean 0 and variance 1 in each channel.",
  args = { { "size", "integer", "channels" },
    { "options", "table", "eps (1e-5), momentum of the averages (0.1), affine (true), dtype, device",
      optional = true } },
  returns = "module: (batch, size) to (batch, size)",
  errors = "Rows of another size; in training, a batch of one row.",
  source = "Ioffe and Szegedy 2015 (arXiv 1502.03167)",
  example = [[
local norm = nn.BatchNorm(3, { affine = false })
local y = norm(tensor.randn(64, 3) * 5 + 2)
assert(y:mean():abs():item() < 1e-5 and norm.mean:get(1) ~= 0)
norm:eval()
assert(norm(tensor.zeros(1, 3)):size(2) == 3)]] },
["nn.Embedding"] = { text = "A row of numbers for each position; positions count from 1.",
  args = { { "entries", "integer" }, { "size", "integer" },
    { "options", "table", "std of the normal starting values (1), dtype, device", optional = true } },
  returns = "module: positions (...) to (..., size)", errors = "Positions outside 1..entries.",
  example = "assert(nn.Embedding(10, 4)({ 1, 10 }):size(2) == 4)" },
["nn.Dropout"] = { text = "Zeroes elements with probability p and scales the others by 1 / (1 - p), in " ..
    "training mode only.", args = { { "p", "number", "default 0.5", optional = true } }, returns = "module",
  errors = "p outside [0, 1].",
  example = "assert(nn.Dropout(0.5):eval()(tensor.ones(3)):sum():item() == 3)" },
["nn.Identity"] = activation("Identity", "nothing"),
["nn.ReLU"] = activation("ReLU", "max(x, 0)"),
["nn.SiLU"] = activation("SiLU", "x sigmoid(x)"),
["nn.GELU"] = activation("GELU", "x Phi(x)"),
["nn.Tanh"] = activation("Tanh", "tanh(x)"),
["nn.Sigmoid"] = activation("Sigmoid", "1 / (1 + exp(-x))"),
["nn.Softplus"] = activation("Softplus", "log(1 + exp(x))"),
["nn.Lambda"] = { text = "A function as a module.", args = { { "f", "function" } }, returns = "module",
  example = "assert(nn.Lambda(function(x) return x + 1 end)(tensor.zeros(1)):item() == 1)" },
["nn.Sequential"] = { text = "One module or function after the other; net[i] is the i-th.",
  sig = "nn.Sequential(...)", args = { { "...", "Module|function" } }, returns = "module",
  errors = "An entry that cannot be called.",
  example = [[
local net = nn.Sequential(nn.Linear(2, 8), nn.GELU(), nn.Linear(8, 1))
assert(net(tensor.zeros(4, 2)):size(1) == 4)]] },
["nn.MLP"] = {
  sig = "nn.MLP{inputs, hidden, ..., outputs, act=}",
  text = "Linear layers with an activation between them, none behind the last. Called as " ..
    "net(x, n) it gives the activations after the first n layers: the features of a classifier.",
  args = { { "options", "table", 'the sizes in order; act: "silu" (default), "gelu", "relu" or ' ..
    '"tanh"; dtype, device' } },
  returns = "module: (batch, inputs) to (batch, outputs)",
  errors = "Fewer than two sizes; an unknown activation.",
  example = [[
local net = nn.MLP{ 784, 64, 10, act = "relu" }
assert(net(tensor.zeros(5, 784)):size(2) == 10)
assert(net(tensor.zeros(5, 784), 1):size(2) == 64)]] },
["nn.MultiheadAttention"] = {
  text = "Attention in several heads, called as attention(query, [key], [value], [{mask=, causal=}]); key " ..
    "and value default to the query.",
  args = { { "dim", "integer" }, { "heads", "integer", "a divisor of dim" },
    { "options", "table", "bias (true), dropout (0), qk_norm (false: no RMSNorm of the queries and " ..
      "keys of each head), dtype, device", optional = true } },
  returns = "module: (batch, n, dim) to (batch, n, dim)", errors = "dim is no multiple of heads.",
  source = "Vaswani et al. 2017 (arXiv 1706.03762); Henry et al. 2020 (arXiv 2010.04245) for qk_norm",
  example = "assert(nn.MultiheadAttention(8, 2)(tensor.randn(1, 5, 8)):size(2) == 5)" },

["flow.VelocityMLP"] = {
  text = "A velocity field as a residual network whose layers are shifted, scaled and gated by the time " ..
    "(AdaLN); called as v(z, t, [c]) with points z (n, dim), t one time or n, and labels (n) or features " ..
    "(n, cond); or with groups of points (groups, n, dim) and a time for each. The field starts at 0. " ..
    "One t for all points, or for a group, costs a fraction of n different ones. Where no gradient of " ..
    "weights is wanted the net runs as a whole, tile by tile of points (f32 or f64 on the CPU, silu, 16 " ..
    "points or more): v.fused = false leaves that off, for gradients of gradients. " ..
    "v.null_label stands for no label and is used when c is left out.",
  sig = "flow.VelocityMLP(options)",
  args = { { "options", "table", 'dim; hidden (512), blocks (4), act ("silu" or "gelu"), classes or cond, ' ..
    "dtype, device" } },
  returns = "module: (n, dim) to (n, dim)", errors = "No dim; both t and z of other sizes.",
  source = "Li, Tian, Li, Deng and He 2024 (arXiv 2406.11838); the net of arXiv 2506.05240",
  example = [[
local v = flow.VelocityMLP{ dim = 2, hidden = 32, blocks = 2 }
assert(v(tensor.randn(5, 2), 0.5):abs():max():item() == 0)]] },

["flow.VelocityMLP:runs_whole"] = {
  text = "Whether calls at points like z run as a whole where they need no gradient.",
  sig = "v:runs_whole(z)", args = { { "v", "flow.VelocityMLP" }, { "z", "tensor", "points (n, dim)" } },
  returns = "boolean",
  example = "assert(flow.VelocityMLP{ dim = 2, hidden = 16 }:runs_whole(tensor.randn(16, 2)))" },
["flow.VelocityMLP:trace"] = {
  text = "The trace of the Jacobian in z at each point by tangents that go forward beside the points: " ..
    "no graph, less than 1 + dim evaluations. With noise e (n, dim) it is e . J e, for two evaluations. " ..
    "flow.divergence and flow.log_likelihood take it where they can.",
  sig = "v:trace(z, t, [c, [noise]])", args = { { "v", "flow.VelocityMLP" },
    { "z", "tensor", "points (n, dim)" }, { "t", "number|tensor", "one time or n" },
    { "c", "integer|tensor", "labels or features", optional = true },
    { "noise", "tensor", "(n, dim)", optional = true } },
  returns = "tensor (n), and v(z, t, c); nil where the net does not run as a whole",
  source = "Hutchinson 1990 for e . J e",
  example = [[
local v = flow.VelocityMLP{ dim = 2, hidden = 16 }
local div, out = v:trace(tensor.randn(16, 2), 0.5)
assert(div:size(1) == 16 and out:size(2) == 2)]] },
["flow.VelocityMLP:squared_residual"] = {
  text = "|v(z, t, c) - u|^2 of each point; its gradients in z and u are found on the way, tile by tile, " ..
    "so nothing is kept of what lies between. t may have one time for each of several groups of points. " ..
    "The losses of flow take it where they can.",
  sig = "v:squared_residual(z, t, c, u)", args = { { "v", "flow.VelocityMLP", "frozen" },
    { "z", "tensor", "points (n, dim) that want a gradient" }, { "t", "number|tensor" },
    { "c", "integer|tensor|nil", "labels or features" }, { "u", "tensor", "(n, dim)" } },
  returns = "tensor (n), or nil where the net does not run as a whole",
  errors = "Gradients of its gradient: set v.fused = false for them.",
  example = [[
local v = flow.VelocityMLP{ dim = 2, hidden = 16 }:freeze()
local z = tensor.randn(16, 2):requires_grad_()
v:squared_residual(z, 0.5, nil, tensor.ones(16, 2)):sum():backward()
assert(z.grad)]] },
["flow.VelocityMLP:snapshot"] = {
  text = "The network as it is now, frozen, with what every call would do for itself done once. Solvers " ..
    "and landscapes make one. Later changes of the weights do not show in it.",
  sig = "v:snapshot()", args = { { "v", "flow.VelocityMLP" } }, returns = "module",
  example = [[
local v = flow.VelocityMLP{ dim = 2, hidden = 16 }
assert(v:snapshot()(tensor.randn(16, 2), 0.5):size(2) == 2)]] },
["flow.VelocityMLP:tabulated"] = {
  text = "A snapshot whose modulations come from a table over t, by cubic interpolation, and how far " ..
    "its velocities are off: the norm of the difference over that of the velocities, at 256 random " ..
    "points and times. Calls with labels or features stay exact.",
  sig = "v:tabulated([options])", args = { { "v", "flow.VelocityMLP" },
    { "options", "table", "nodes [257]", optional = true } },
  returns = "module, number", errors = "Fewer than 4 nodes.",
  example = [[
local v = flow.VelocityMLP{ dim = 2, hidden = 16 }
tide.no_grad(function() v.output.weight:normal_() end)
local quick, error = v:tabulated()
assert(error < 1e-5)]] },

-- ---- losses and functions ----
["nn.mse_loss"] = { text = "(x - y)^2.", args = { x, { "y", "tensor", "of the same shape" }, reduction },
  returns = "tensor", errors = "Shapes differ.",
  example = "assert(nn.mse_loss(tensor.ones(2), tensor.zeros(2)):item() == 1)" },
["nn.l1_loss"] = { text = "|x - y|.", args = { x, { "y", "tensor", "of the same shape" }, reduction },
  returns = "tensor", errors = "Shapes differ.",
  example = "assert(nn.l1_loss(tensor.ones(2), tensor.zeros(2)):item() == 1)" },
["nn.smooth_l1_loss"] = { text = "(x - y)^2 / (2 beta) where |x - y| < beta, else |x - y| - beta / 2.",
  args = { x, { "y", "tensor", "of the same shape" },
    { "options", "table", "reduction, beta (1)", optional = true } },
  returns = "tensor", errors = "Shapes differ; beta <= 0.",
  example = "assert(nn.smooth_l1_loss(tensor.full(2, 3), tensor.zeros(2)):item() == 2.5)" },
["nn.cross_entropy"] = {
  text = "-log softmax(x) at the label, averaged over rows.",
  args = { { "x", "tensor", "logits (n, classes)" },
    { "labels", "tensor", "classes (n) from 1, or probabilities (n, classes)" },
    { "options", "table", "reduction, label_smoothing (0)", optional = true } },
  returns = "tensor", errors = "Shapes do not fit; labels out of range.",
  example = [[
local loss = nn.cross_entropy(tensor.zeros(2, 4), tensor.from({ 1, 4 }, { dtype = "i64" }))
assert(math.abs(loss:item() - math.log(4)) < 1e-6)]] },
["nn.nll_loss"] = { text = "-x at the label; x holds log probabilities.",
  args = { { "x", "tensor", "(n, classes)" }, { "labels", "tensor", "classes (n) from 1" }, reduction },
  returns = "tensor", errors = "Shapes do not fit; labels out of range.",
  example = [[
local p = tensor.zeros(2, 4):log_softmax(-1)
assert(math.abs(nn.nll_loss(p, tensor.from({ 1, 4 }, { dtype = "i64" })):item() - math.log(4)) < 1e-6)]] },
["nn.binary_cross_entropy_with_logits"] = {
  text = "log(1 + exp(x)) - x y for logits x and probabilities y.",
  args = { x, { "y", "tensor", "of the same shape" }, reduction }, returns = "tensor",
  errors = "Shapes differ.", example = [[
local loss = nn.binary_cross_entropy_with_logits(tensor.zeros(3), tensor.ones(3))
assert(math.abs(loss:item() - math.log(2)) < 1e-6)]] },
["nn.dropout"] = { text = "Zeroes elements with probability p and scales the others by 1 / (1 - p).",
  args = { x, { "p", "number", "default 0.5", optional = true },
    { "training", "boolean", "false: x as it is; default true", optional = true } },
  returns = "tensor", errors = "p outside [0, 1].",
  example = "assert(nn.dropout(tensor.ones(3), 0.5, false):sum():item() == 3)" },
["nn.scaled_dot_product_attention"] = {
  text = "softmax(q k^T / sqrt(d)) v over the last two dims.",
  args = { { "q", "tensor", "(..., n, d)" }, { "k", "tensor", "(..., m, d)" },
    { "v", "tensor", "(..., m, d)" },
    { "options", "table", "mask (true where q may look at k), causal (false), scale, dropout (0)",
      optional = true } },
  returns = "tensor (..., n, d)", source = "Vaswani et al. 2017 (arXiv 1706.03762)",
  example = [[
local q = tensor.randn(2, 5, 4)
assert(nn.scaled_dot_product_attention(q, q, q, { causal = true }):size(2) == 5)]] },

-- ---- starting values ----
["nn.init.uniform_"] = { text = "Uniform draws from [low, high).",
  args = { { "t", "tensor", "changed in place, without gradients" },
    { "low", "number", "default 0", optional = true }, { "high", "number", "default 1", optional = true } },
  returns = "the tensor", example = "assert(nn.init.uniform_(tensor.empty(9), 2, 3):min():item() >= 2)" },
["nn.init.normal_"] = { text = "Normal draws.", args = { { "t", "tensor", "changed in place" },
    { "mean", "number", "default 0", optional = true }, { "std", "number", "default 1", optional = true } },
  returns = "the tensor", example = "assert(nn.init.normal_(tensor.empty(9), 5, 0):mean():item() == 5)" },
["nn.init.trunc_normal_"] = { text = "Normal draws; those outside [low, high] are drawn again.",
  args = { { "t", "tensor", "changed in place" }, { "mean", "number", "default 0", optional = true },
    { "std", "number", "default 1", optional = true },
    { "low", "number", "default mean - 2 std", optional = true },
    { "high", "number", "default mean + 2 std", optional = true } },
  returns = "the tensor", errors = "A range that is empty or out of reach.",
  example = "assert(nn.init.trunc_normal_(tensor.empty(99)):abs():max():item() <= 2)" },
["nn.init.constant_"] = { text = "One value everywhere.",
  args = { { "t", "tensor", "changed in place" }, { "value", "number" } }, returns = "the tensor",
  example = "assert(nn.init.constant_(tensor.empty(2), 3):sum():item() == 6)" },
["nn.init.zeros_"] = { text = "Zeros.", args = { { "t", "tensor", "changed in place" } },
  returns = "the tensor", example = "assert(nn.init.zeros_(tensor.empty(2)):sum():item() == 0)" },
["nn.init.ones_"] = { text = "Ones.", args = { { "t", "tensor", "changed in place" } },
  returns = "the tensor", example = "assert(nn.init.ones_(tensor.empty(2)):sum():item() == 2)" },
["nn.init.xavier_uniform_"] = weight(
  "Uniform draws of variance 2 gain^2 / (in + out): Glorot and Bengio 2010.",
  "assert(nn.init.xavier_uniform_(tensor.empty(3, 3)):abs():max():item() <= 1)", "default 1"),
["nn.init.xavier_normal_"] = weight("Normal draws of variance 2 gain^2 / (in + out): Glorot and Bengio 2010.",
  "assert(nn.init.xavier_normal_(tensor.empty(3, 3)):numel() == 9)", "default 1"),
["nn.init.kaiming_uniform_"] = weight("Uniform draws of variance gain^2 / in: He et al. 2015.",
  "assert(nn.init.kaiming_uniform_(tensor.empty(3, 6)):abs():max():item() <= 1)",
  "default sqrt(2), for relu"),
["nn.init.kaiming_normal_"] = weight("Normal draws of variance gain^2 / in: He et al. 2015.",
  "assert(nn.init.kaiming_normal_(tensor.empty(3, 3)):numel() == 9)", "default sqrt(2), for relu"),
["nn.init.orthogonal_"] = weight("A matrix with orthonormal rows or columns, whichever are fewer.",
  [[
local q = nn.init.orthogonal_(tensor.empty(2, 4))
assert(q:matmul(q:t()):allclose(tensor.eye(2), { atol = 1e-5 }))]], "default 1"),

-- ---- fused ops ----
["tensor.linear"] = {
  errors = "Inner sizes differ.",
  example = "assert(tensor.ones(2, 3):linear(tensor.ones(4, 3), tensor.ones(4)):get(2, 4) == 4)" },
["tensor.layer_norm"] = {
  example = "assert(tensor.from{ 1, 3 }:layer_norm(nil, nil, 0):equal(tensor.from{ -1, 1 }))" },
["tensor.gated_norm"] = {
  errors = "A gate, y, shift or scale that does not broadcast to x, row by row.",
  example = "local h, y = tensor.ones(2):gated_norm(tensor.from{ 1, 2 }, tensor.ones(2), nil, nil, 0)\n" ..
    "assert(h:equal(tensor.from{ 2, 3 }) and y:equal(tensor.from{ -1, 1 }))" },
["tensor.rms_norm"] = {
  example = "assert(tensor.from{ 2, 2 }:rms_norm(nil, 0):equal(tensor.ones(2)))" },
["tensor.modulate"] = {
  example = "assert(tensor.full(2, 3):modulate(tensor.ones(1), tensor.ones(1)):sum():item() == 14)" },
["tensor.addcmul"] = {
  example = "assert(tensor.ones(2):addcmul(tensor.full(2, 2), tensor.full(2, 3)):sum():item() == 14)" },
["tensor.sinusoid"] = {
  errors = "dim is odd or less than 2.",
  example = "assert(tensor.zeros(1):sinusoid(4):equal(tensor.from{ { 1, 1, 0, 0 } }))" },
["tensor.embedding"] = {
  example = "assert(tensor.eye(3):embedding({ 3, 1 }):get(1, 3) == 1)" },
["tensor.grad_norm"] = {
  example = "assert(tensor.grad_norm{ tensor.full(4, 3), tensor.full({2, 4}, 3.5) }:item() > 0)" },
["tensor.adam_"] = {
  errors = "Lists of other lengths or shapes; step is no i64 tensor.",
  example = [[
local p, g, m, s = tensor.ones(2), tensor.ones(2), tensor.zeros(2), tensor.zeros(2)
tensor.adam_({ p }, { g }, { m }, { s }, tensor.zeros({}, { dtype = "i64" }), 0.5, 0.9, 0.999, 0, 0)
assert(p:allclose(tensor.full(2, 0.5)))]] },
["tensor.adamw_"] = {
  errors = "Lists of other lengths or shapes; step is no i64 tensor.",
  example = [[
local p, g, m, s = tensor.ones(2), tensor.zeros(2), tensor.zeros(2), tensor.zeros(2)
tensor.adamw_({ p }, { g }, { m }, { s }, tensor.zeros({}, { dtype = "i64" }), 0.5, 0.9, 0.999, 1, 0.5)
assert(p:allclose(tensor.full(2, 0.75)))]] },
["tensor.sgd_"] = {
  errors = "Lists of other lengths or shapes.",
  example = "local p = tensor.ones(2)\ntensor.sgd_({ p }, { p:clone() }, 0.5, 0)\nassert(p:get(1) == 0.5)" },
["tensor.momentum_"] = {
  errors = "Lists of other lengths or shapes.", example = [[
local p, v = tensor.ones(2), tensor.ones(2)
tensor.momentum_({ p }, { tensor.ones(2) }, { v }, 0.5, 0.5, 0)
assert(v:get(1) == 1.5 and p:get(1) == 0.25)]] },
["tensor.ema_"] = {
  errors = "Lists of other lengths or shapes.",
  example = [[
local s = tensor.ones(2)
tensor.ema_({ s }, { tensor.zeros(2) }, 0.75)
assert(s:get(2) == 0.75)]] },
["tensor.scale_"] = {
  example = "local x = tensor.ones(2)\ntensor.scale_({ x }, 3)\nassert(x:get(2) == 3)" },
}
