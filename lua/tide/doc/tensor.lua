-- tensor.lua -- documentation of tensor functions that are not ops: making, looking, converting.
local sizes = { "...", "integer|table", "sizes, as a table or one after the other" }
local spec = { "options", "table", "dtype, device, requires_grad; random ones also generator",
  optional = true }
local x = { "x", "tensor" }

return {
["tensor.Tensor"] = { object = true, sig = "x",
  text = [[
A tensor: numbers of one type in a grid of up to 8 dims, on one device.

Fields: x.shape (a table), x.dtype, x.device, x.requires_grad, x.is_leaf and x.grad, which may be set
to nil. #x is the size of dim 1. Every function of module tensor whose first argument is a tensor is
a method, too. A name that ends in _ changes its tensor and returns it.

Operators work elementwise, with broadcasting: + - * / // % ^ and unary -. Products of matrices are
x:matmul(y). Comparing gives tensors of booleans through x:lt(y), x:le(y), x:gt(y), x:ge(y), x:eq(y),
x:ne(y); x == y asks whether both are the same object.

Dims and positions count from 1, negative ones from the end; 0 is an error. x[2] is one position of
dim 1, which disappears; x[{1, 3}] a range, both ends included; x[{1, -1, 2}] a range with a step;
x[{ {}, 2 }] has one entry for each dim, {} being all of it. These are views: they share memory with x.
x[mask] and x[positions] take a tensor of booleans or integers and copy. All of them can be assigned to.
for i, row in ipairs(x) goes through the rows, as views.]],
  example = [[
local x = tensor.arange(6):reshape(2, 3)
assert(x[2][3]:item() == 6)
assert(x[{ {}, {2, 3} }]:equal(tensor.from{ {2, 3}, {5, 6} }))
x[x:gt(4)] = 0
assert(x:sum():item() == 10)]] },

-- ---- making ----
["tensor.from"] = {
  text = "A tensor of a number, a boolean, or nested tables of them. Numbers become f32 unless " ..
    "a dtype is named, booleans bool.",
  args = { { "value", "number|boolean|table" }, spec }, returns = "tensor",
  errors = "Rows of different lengths, entries that are no numbers: the message gives the place.",
  example = [[
local m = tensor.from{ {1, 2, 3}, {4, 5, 6} }
assert(m:size(1) == 2 and m:get(2, 3) == 6 and m.dtype == "f32")
assert(tensor.from({ 1, 2 }, { dtype = "i64" }).dtype == "i64")]] },
["tensor.zeros"] = { text = "A tensor of zeros.", args = { sizes, spec }, returns = "tensor",
  example = 'assert(tensor.zeros(2, 3, { dtype = "f64" }):sum():item() == 0)' },
["tensor.ones"] = { text = "A tensor of ones.", args = { sizes, spec }, returns = "tensor",
  example = "assert(tensor.ones(2, 3):sum():item() == 6)" },
["tensor.empty"] = { text = "A tensor whose values are whatever the memory held.",
  args = { sizes, spec }, returns = "tensor",
  example = "assert(tensor.empty(2, 3):fill_(1):sum():item() == 6)" },
["tensor.full"] = { text = "A tensor with every element set to a value.",
  args = { { "shape", "table|integer" }, { "value", "number|boolean" }, spec },
  returns = "tensor", example = "assert(tensor.full({2, 2}, 7):get(1, 2) == 7)" },
["tensor.eye"] = { text = "A matrix with ones on its diagonal.",
  args = { { "n", "integer", "rows" }, { "m", "integer", "columns; default n", optional = true }, spec },
  returns = "tensor", example = "assert(tensor.eye(3):sum():item() == 3)" },
["tensor.arange"] = {
  text = "Numbers from start to stop, both included as in a for loop. One argument is stop, start being 1.",
  args = { { "start", "number", "default 1", optional = true }, { "stop", "number" },
    { "step", "number", "default 1", optional = true }, spec },
  returns = "tensor", example = [[
assert(tensor.arange(3):equal(tensor.from{ 1, 2, 3 }))
assert(tensor.arange(1, 6, 2):equal(tensor.from{ 1, 3, 5 }))]] },
["tensor.linspace"] = { text = "n numbers at equal distances, both ends included.",
  args = { { "start", "number" }, { "stop", "number" }, { "n", "integer" }, spec },
  returns = "tensor", example = "assert(tensor.linspace(0, 1, 5):get(2) == 0.25)" },
["tensor.rand"] = { text = "Uniform draws from [0, 1).", args = { sizes, spec },
  returns = "tensor", example = "local x = tensor.rand(100)\nassert(x:max():item() < 1)" },
["tensor.randn"] = { text = "Draws from the standard normal distribution.",
  args = { sizes, spec }, returns = "tensor",
  example = "assert(tensor.randn(10000):mean():abs():item() < 0.1)" },
["tensor.randint"] = { text = "Uniform integers from low to high, both included, as i64.",
  args = { { "low", "integer" }, { "high", "integer" }, sizes, spec }, returns = "tensor",
  example = "assert(tensor.randint(1, 6, 100):max():item() <= 6)" },
["tensor.randperm"] = { text = "The positions 1 to n in random order, as i64.",
  args = { { "n", "integer" }, spec }, returns = "tensor",
  example = "assert(tensor.randperm(5):sum():item() == 15)" },
["tensor.multinomial"] = {
  text = "n positions drawn with replacement, each with a probability proportional to its weight.",
  args = { { "weights", "tensor", "a vector, none negative" }, { "n", "integer" },
    { "options", "table", "generator", optional = true } },
  returns = "tensor of positions",
  example = "assert(tensor.multinomial(tensor.from{ 0, 1 }, 5):equal(tensor.full(5, 2)))" },
["tensor.zeros_like"] = { text = "Zeros with the shape, dtype and device of x.",
  args = { x, spec }, returns = "tensor",
  example = "assert(tensor.zeros_like(tensor.ones(2)):sum():item() == 0)" },
["tensor.ones_like"] = { text = "Ones with the shape, dtype and device of x.",
  args = { x, spec }, returns = "tensor",
  example = "assert(tensor.ones_like(tensor.zeros(2)):sum():item() == 2)" },
["tensor.empty_like"] = { text = "Unset values with the shape, dtype and device of x.",
  args = { x, spec }, returns = "tensor",
  example = "assert(tensor.empty_like(tensor.zeros(2)):numel() == 2)" },
["tensor.full_like"] = { text = "One value with the shape, dtype and device of x.",
  args = { x, { "value", "number" }, spec }, returns = "tensor",
  example = "assert(tensor.full_like(tensor.zeros(2), 3):sum():item() == 6)" },
["tensor.rand_like"] = { text = "Uniform draws with the shape, dtype and device of x.",
  args = { x, spec }, returns = "tensor",
  example = "assert(tensor.rand_like(tensor.zeros(2)):numel() == 2)" },
["tensor.randn_like"] = { text = "Normal draws with the shape, dtype and device of x.",
  args = { x, spec }, returns = "tensor",
  example = "assert(tensor.randn_like(tensor.zeros(2)):numel() == 2)" },

-- ---- looking ----
["tensor.size"] = { method = true, text = "The size of a dim, or all sizes as a table.",
  args = { x, { "dim", "integer", "from 1; default: all", optional = true } },
  returns = "integer or table",
  example = "local x = tensor.zeros(2, 3)\nassert(x:size(-1) == 3 and #x:size() == 2)" },
["tensor.dim"] = { method = true, text = "How many dims x has.", args = { x },
  returns = "integer", example = "assert(tensor.zeros(2, 3):dim() == 2)" },
["tensor.ndim"] = { method = true, text = "How many dims x has.", args = { x },
  returns = "integer", example = "assert(tensor.zeros(2, 3):ndim() == 2)" },
["tensor.numel"] = { method = true, text = "How many elements x has.", args = { x },
  returns = "integer", example = "assert(tensor.zeros(2, 3):numel() == 6)" },
["tensor.stride"] = { method = true, text = "Distance in memory, in elements, along each dim.",
  args = { x }, returns = "table", example = "assert(tensor.zeros(2, 3):stride()[1] == 3)" },
["tensor.item"] = { method = true, text = "The only element of x as a Lua value.", args = { x },
  returns = "number or boolean", errors = "x has more or fewer than one element.",
  example = "assert(tensor.from(3):item() == 3)" },
["tensor.get"] = { method = true, text = "One element as a Lua value; makes no tensor.",
  args = { x, { "...", "integer", "a position for each dim, from 1" } },
  returns = "number or boolean",
  example = "assert(tensor.from{ {1, 2}, {3, 4} }:get(2, -1) == 4)" },
["tensor.set"] = { method = true, text = "Sets one element; makes no tensor that stays.",
  args = { x, { "value", "number|boolean" }, { "...", "integer", "a position for each dim, from 1" } },
  returns = "x itself",
  example = "assert(tensor.zeros(2, 2):set(5, 1, 2):sum():item() == 5)" },
["tensor.totable"] = { method = true, text = "The values as nested tables; of 0 dims, the number.",
  args = { x }, returns = "table or number",
  example = "assert(tensor.from{ {1, 2}, {3, 4} }:totable()[2][1] == 3)" },
["tensor.format"] = { method = true,
  text = "The text that print shows, with at most `edge` items from both ends of a long dim.",
  args = { x, { "edge", "integer", "default 3", optional = true } }, returns = "string",
  example = 'assert(tensor.zeros(2, 3):format():find("2x3"))' },
["tensor.shape_text"] = { text = "A shape as in messages.",
  args = { { "x", "tensor|table", "a tensor or a table of sizes" } }, returns = "string",
  example = 'assert(tensor.shape_text(tensor.zeros(2, 3)) == "(2,3)")' },
["tensor.is_tensor"] = { text = "Is x a tensor?", args = { { "x", "any" } }, returns = "boolean",
  example = "assert(tensor.is_tensor(tensor.ones(1)) and not tensor.is_tensor(1))" },
["tensor.is_contiguous"] = { method = true, text = "Do the elements lie in memory in row-major order?",
  args = { x }, returns = "boolean",
  example = "assert(not tensor.zeros(2, 3):t():is_contiguous())" },
["tensor.is_float"] = { method = true, text = "Is the dtype a floating point type?", args = { x },
  returns = "boolean", example = "assert(tensor.zeros(2):is_float())" },
["tensor.shares_memory"] = { method = true, text = "Do two tensors use the same memory?",
  args = { x, { "other", "tensor" } }, returns = "boolean",
  example = "local x = tensor.zeros(4)\nassert(x:shares_memory(x[{1, 2}]))" },
["tensor.free"] = { method = true,
  text = "Gives the memory back now. Other views of it stay valid; using x itself is an error.",
  args = { x }, returns = "nothing",
  example = "local x = tensor.zeros(4)\nx:free()\nassert(not pcall(x.sum, x))" },

-- ---- converting ----
["tensor.to"] = { method = true,
  text = "x with another dtype or on another device; x itself when it is so already.",
  args = { x, { "target", "string|tensor|table",
    "a dtype, a device, a tensor to be like, or {dtype=, device=}" } },
  returns = "tensor", example = 'assert(tensor.zeros(2):to("f64").dtype == "f64")' },
["tensor.cpu"] = { method = true, text = "x in main memory.", args = { x }, returns = "tensor",
  example = 'assert(tensor.zeros(2):cpu().device == "cpu")' },
["tensor.cuda"] = { method = true, text = "x on the first CUDA device.", args = { x },
  returns = "tensor" },
["tensor.float"] = { method = true, text = "x as f32.", args = { x }, returns = "tensor",
  example = 'assert(tensor.zeros(2, { dtype = "i64" }):float().dtype == "f32")' },
["tensor.double"] = { method = true, text = "x as f64.", args = { x }, returns = "tensor",
  example = 'assert(tensor.zeros(2):double().dtype == "f64")' },
["tensor.bfloat16"] = { method = true, text = "x as bf16.", args = { x }, returns = "tensor",
  example = 'assert(tensor.zeros(2):bfloat16().dtype == "bf16")' },
["tensor.long"] = { method = true, text = "x as i64.", args = { x }, returns = "tensor",
  example = 'assert(tensor.zeros(2):long().dtype == "i64")' },
["tensor.int"] = { method = true, text = "x as i32.", args = { x }, returns = "tensor",
  example = 'assert(tensor.zeros(2):int().dtype == "i32")' },
["tensor.byte"] = { method = true, text = "x as u8.", args = { x }, returns = "tensor",
  example = 'assert(tensor.zeros(2):byte().dtype == "u8")' },
["tensor.bool"] = { method = true, text = "x as bool.", args = { x }, returns = "tensor",
  example = 'assert(tensor.ones(2):bool():get(1) == true)' },
["tensor.contiguous"] = { method = true, text = "x with elements in row-major order; x itself when they are.",
  args = { x }, returns = "tensor",
  example = "assert(tensor.zeros(2, 3):t():contiguous():is_contiguous())" },

-- ---- gradients ----
["tensor.requires_grad_"] = { method = true, text = "Asks for a gradient of this tensor.",
  args = { x, { "on", "boolean", "default true", optional = true } }, returns = "x itself",
  errors = "x is no leaf, or not of a floating point type.",
  example = "assert(tensor.ones(2):requires_grad_().requires_grad)" },
["tensor.detach"] = { method = true, text = "The same values, outside the graph.",
  args = { x }, returns = "tensor that shares memory with x",
  example = [[
local w = tensor.ones(2, { requires_grad = true })
assert(not (w * 2):detach().requires_grad)]] },
["tensor.backward"] = { method = true,
  text = "Adds the gradient of x to .grad of every leaf that asks for one. The graph is freed " ..
    "unless retain or create_graph is set.",
  args = { x, { "options", "table", "gradient (of x, when it has several elements), retain, create_graph",
    optional = true } },
  returns = "nothing",
  errors = "A graph that was freed; values that were changed in place since.",
  example = [[
local w = tensor.from({ 1, 2 }, { requires_grad = true });
(w * w):sum():backward()
assert(w.grad:equal(tensor.from{ 2, 4 }))]] },
["tensor.grad"] = {
  text = "Gradients of the sum of outputs with respect to inputs; .grad stays as it is.",
  args = { { "outputs", "tensor|table" }, { "inputs", "tensor|table" },
    { "options", "table", "create_graph, grad_outputs, retain, allow_unused", optional = true } },
  returns = "tensor, or a table of them if inputs is a table",
  errors = "An input without influence, unless allow_unused (then nil).",
  example = [[
local x = tensor.from(3, { requires_grad = true })
local g = tensor.grad(x ^ 3, x, { create_graph = true })
assert(g:item() == 27 and tensor.grad(g, x):item() == 18)]] },

-- ---- largest, smallest, quantiles ----
["tensor.max"] = {
  text = "Largest element; with a dim, the largest along it and their positions; with a tensor, " ..
    "the larger of the two, elementwise.",
  args = { x, { "dim", "integer|tensor", "default: all elements", optional = true },
    { "keepdim", "boolean", "default false", optional = true } },
  returns = "tensor, and positions with a dim", method = true, example = [[
local x = tensor.from{ {1, 5}, {7, 3} }
assert(x:max():item() == 7)
local value, at = x:max(2)
assert(value:equal(tensor.from{ 5, 7 }) and at:get(1) == 2)]] },
["tensor.min"] = {
  text = "Smallest element; with a dim, the smallest along it and their positions; with a " ..
    "tensor, the smaller of the two, elementwise.",
  args = { x, { "dim", "integer|tensor", "default: all elements", optional = true },
    { "keepdim", "boolean", "default false", optional = true } },
  returns = "tensor, and positions with a dim", method = true, example = [[
local value, at = tensor.from{ 4, 2, 9 }:min(1)
assert(value:item() == 2 and at:item() == 2)]] },
["tensor.quantile"] = { method = true,
  text = "The quantile q along a dim, interpolated between neighbours.",
  args = { x, { "q", "number", "from 0 to 1" },
    { "dim", "integer", "default: all elements", optional = true } },
  returns = "tensor", example = "assert(tensor.arange(5):quantile(0.5):item() == 3)" },
["tensor.median"] = { method = true, text = "The quantile 0.5.",
  args = { x, { "dim", "integer", "default: all elements", optional = true } },
  returns = "tensor", example = "assert(tensor.from{ 3, 1, 2 }:median():item() == 2)" },
["tensor.var_mean"] = { method = true, text = "Variance and mean, with the arguments of var.",
  args = { x, { "dim", "integer|table", "default: all", optional = true } },
  returns = "two tensors",
  example = "local v, m = tensor.from{ 1, 3 }:var_mean()\nassert(v:item() == 2 and m:item() == 2)" },
["tensor.std_mean"] = { method = true, text = "Standard deviation and mean, with the arguments of std.",
  args = { x, { "dim", "integer|table", "default: all", optional = true } },
  returns = "two tensors",
  example = "local _, m = tensor.from{ 1, 3 }:std_mean()\nassert(m:item() == 2)" },

-- ---- taking apart, putting together ----
["tensor.split"] = { method = true,
  text = "Parts along a dim, as views: of one size (the last may be smaller), or of given sizes. " ..
    "Going back, the gradients of all parts are joined at once.",
  args = { x, { "size", "integer|table" }, { "dim", "integer", "default 1", optional = true } },
  returns = "table", example = "assert(#tensor.arange(5):split(2) == 3)" },
["tensor.chunk"] = { method = true, text = "At most `count` parts of equal size along a dim, as views.",
  args = { x, { "count", "integer" }, { "dim", "integer", "default 1", optional = true } },
  returns = "table", example = "assert(#tensor.arange(6):chunk(3) == 3)" },
["tensor.unbind"] = { method = true, text = "All positions along a dim, which disappears, as views.",
  args = { x, { "dim", "integer", "default 1", optional = true } }, returns = "table",
  example = "assert(tensor.eye(3):unbind()[2]:get(2) == 1)" },
["tensor.vstack"] = { text = "Tensors below each other; vectors count as rows.",
  args = { { "list", "table" } }, returns = "tensor",
  example = "assert(tensor.vstack{ tensor.ones(2), tensor.ones(2) }:size(1) == 2)" },
["tensor.hstack"] = { text = "Tensors side by side.", args = { { "list", "table" } },
  returns = "tensor", example = "assert(tensor.hstack{ tensor.ones(2), tensor.ones(3) }:numel() == 5)" },
["tensor.concatenate"] = { text = "Another name of cat.", args = { { "tensors", "table" },
  { "dim", "integer", "default 1", optional = true } }, returns = "tensor",
  example = "assert(tensor.concatenate{ tensor.ones(2), tensor.ones(3) }:numel() == 5)" },
["tensor.meshgrid"] = {
  text = "A grid for each vector, all of one shape; the first vector varies along dim 1.",
  args = { { "...", "tensor", "vectors" } }, returns = "as many tensors",
  example = [[
local a, b = tensor.meshgrid(tensor.arange(2), tensor.arange(3))
assert(a:get(2, 3) == 2 and b:get(2, 3) == 3)]] },
["tensor.view_as"] = { method = true, text = "view with the shape of another tensor.",
  args = { x, { "other", "tensor" } }, returns = "tensor",
  example = "assert(tensor.zeros(4):view_as(tensor.zeros(2, 2)):dim() == 2)" },
["tensor.reshape_as"] = { method = true, text = "reshape with the shape of another tensor.",
  args = { x, { "other", "tensor" } }, returns = "tensor",
  example = "assert(tensor.zeros(4):reshape_as(tensor.zeros(2, 2)):dim() == 2)" },
["tensor.expand_as"] = { method = true, text = "expand to the shape of another tensor.",
  args = { x, { "other", "tensor" } }, returns = "tensor",
  example = "assert(tensor.ones(1, 3):expand_as(tensor.zeros(2, 3)):sum():item() == 6)" },
["tensor.movedim"] = { method = true, text = "x with one dim moved to another place.",
  args = { x, { "from", "integer" }, { "to", "integer" } }, returns = "tensor",
  example = "assert(tensor.zeros(2, 3, 4):movedim(1, 3).shape[3] == 2)" },
["tensor.unflatten"] = { method = true, text = "One dim replaced by several; one of their sizes may be -1.",
  args = { x, { "dim", "integer" }, { "sizes", "table" } }, returns = "tensor",
  example = "assert(tensor.zeros(2, 6):unflatten(2, { 3, -1 }):dim() == 3)" },

-- ---- comparing, arithmetic ----
["tensor.isclose"] = { method = true, text = "True where |a - b| <= atol + rtol |b|, or a equals b.",
  args = { { "a", "tensor" }, { "b", "tensor|number" },
    { "options", "table", "rtol = 1e-5, atol = 1e-8", optional = true } },
  returns = "tensor of booleans",
  example = "assert(tensor.ones(2):isclose(1 + 1e-7):all():item())" },
["tensor.allclose"] = { method = true, text = "Are all elements close, as isclose says?",
  args = { { "a", "tensor" }, { "b", "tensor|number" },
    { "options", "table", "rtol = 1e-5, atol = 1e-8", optional = true } },
  returns = "boolean", example = "assert(tensor.ones(2):allclose(tensor.ones(2)))" },
["tensor.equal"] = { text = "Same shape and same values?",
  args = { { "a", "tensor" }, { "b", "tensor" } }, returns = "boolean", method = true,
  example = "assert(not tensor.ones(2):equal(tensor.ones(3)))" },
["tensor.lerp"] = { method = true, text = "a + w (b - a).",
  args = { { "a", "tensor" }, { "b", "tensor|number" }, { "w", "tensor|number" } },
  returns = "tensor", example = "assert(tensor.zeros(1):lerp(4, 0.25):item() == 1)" },
["tensor.normalize"] = { method = true, text = "x divided by its p-norm along a dim.",
  args = { x, { "options", "table", "p = 2, dim = -1, eps = 1e-12", optional = true } },
  returns = "tensor",
  example = "assert(tensor.from{ 3, 4 }:normalize():allclose(tensor.from{ 0.6, 0.8 }))" },
["tensor.dist"] = { method = true, text = "p-norm of a - b.",
  args = { { "a", "tensor" }, { "b", "tensor" }, { "p", "number", "default 2", optional = true } },
  returns = "tensor", example = "assert(tensor.from{ 3, 4 }:dist(tensor.zeros(2)):item() == 5)" },
["tensor.mv"] = { method = true, text = "Matrix times vector.",
  args = { { "a", "tensor" }, { "x", "tensor" } }, returns = "tensor",
  example = "assert(tensor.eye(2):mv(tensor.ones(2)):sum():item() == 2)" },
["tensor.zero_"] = { method = true, text = "Sets every element to 0.", args = { x },
  returns = "x itself", example = "assert(tensor.ones(2):zero_():sum():item() == 0)" },
["tensor.multiply"] = { text = "Another name of mul.", args = { { "a", "tensor|number" },
  { "b", "tensor|number" } }, returns = "tensor",
  example = "assert(tensor.multiply(tensor.ones(1), 2):item() == 2)" },
["tensor.divide"] = { text = "Another name of div.", args = { { "a", "tensor|number" },
  { "b", "tensor|number" } }, returns = "tensor",
  example = "assert(tensor.divide(tensor.ones(1), 2):item() == 0.5)" },
["tensor.subtract"] = { text = "Another name of sub.", args = { { "a", "tensor|number" },
  { "b", "tensor|number" } }, returns = "tensor",
  example = "assert(tensor.subtract(tensor.ones(1), 2):item() == -1)" },
["tensor.negative"] = { text = "Another name of neg.", args = { x }, returns = "tensor",
  example = "assert(tensor.negative(tensor.ones(1)):item() == -1)" },
["tensor.clip"] = { text = "Another name of clamp.", args = { x, { "min", "number", optional = true },
  { "max", "number", optional = true } }, returns = "tensor",
  example = "assert(tensor.from(5):clip(0, 1):item() == 1)" },
["tensor.clip_"] = { text = "Another name of clamp_.", args = { x, { "min", "number", optional = true },
  { "max", "number", optional = true } }, returns = "x itself",
  example = "assert(tensor.from(5):clip_(0, 1):item() == 1)" },
}
