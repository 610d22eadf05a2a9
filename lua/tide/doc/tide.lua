-- tide.lua -- documentation of the functions of module tide.
return {
["tide.seed"] = {
  text = "Restarts the random stream. The same seed gives the same numbers on every device " ..
    "and with any number of threads.",
  args = { { "n", "integer", "any" } }, returns = "nothing",
  example = [[
tide.seed(1)
local a = tensor.randn(3)
tide.seed(1)
assert(a:equal(tensor.randn(3)))]] },
["tide.random_state"] = {
  text = "The state of the random stream, as a table {seed=, offset=}; sets one when given.",
  args = { { "state", "table", "what an earlier call returned; default: leave it", optional = true } },
  returns = "table: the state before",
  example = [[
local state = tide.random_state()
local a = tensor.rand(4)
tide.random_state(state)
assert(a:equal(tensor.rand(4)))]] },
["tide.generator"] = {
  text = "A random stream of its own: give it to functions that draw as {generator=g}, or let " ..
    "g:run(f, ...) draw everything inside f from it. g:seed(n), g:state() and g:set_state(s) " ..
    "restart and save it (the last two also as state_dict and load_state_dict).",
  args = { { "seed", "integer", "default 0", optional = true } }, returns = "generator",
  errors = "f in g:run must not yield, unless a job does.",
  example = [[
local g = tide.generator(7)
local a = tensor.randn(2, { generator = g })
local b = tide.generator(7):run(function() return tensor.randn(2) end)
assert(a:equal(b))]] },
["tide.no_grad"] = {
  text = "Calls f without recording gradients. Without f, recording is off until the result " ..
    "is closed: local _ <close> = tide.no_grad(). Each coroutine has its own mode.",
  args = { { "f", "function", "default: return a guard", optional = true },
    { "...", "any", "arguments of f", optional = true } },
  returns = "what f returns, or a guard to close",
  example = [[
local w = tensor.ones(2, { requires_grad = true })
assert(not tide.no_grad(function() return w * 2 end).requires_grad)
do
  local _ <close> = tide.no_grad()
  w:add_(1)
end
assert((w * 2).requires_grad)]] },
["tide.enable_grad"] = {
  text = "Like no_grad, with recording switched on whatever it was.",
  args = { { "f", "function", "default: return a guard", optional = true },
    { "...", "any", "arguments of f", optional = true } },
  returns = "what f returns, or a guard to close",
  example = [[
local w = tensor.ones(1, { requires_grad = true })
tide.no_grad(function()
  assert(tide.enable_grad(function() return w * 2 end).requires_grad)
end)]] },
["tide.grad_mode"] = {
  text = "Switches recording of gradients on or off; closing the result switches back.",
  args = { { "on", "boolean" } }, returns = "a guard for a <close> variable",
  example = [[
do
  local _ <close> = tide.grad_mode(false)
  assert(not tide.grad_enabled())
end
assert(tide.grad_enabled())]] },
["tide.autocast"] = {
  text = "Calls f with products of matrices (linear layers, matmul, bmm) in a narrower type: f32 inputs " ..
    "are rounded to bf16, sums are made in f32, results are bf16. Tensors that require gradients " ..
    "stay f32 and get f32 gradients; all else is computed as its inputs come. On the CPU bf16 is a " ..
    "storage type: the numbers are those of mixed precision, the time is not.",
  args = { { "dtype", "string", '"bf16"; "f32": products as usual' }, { "f", "function", "must not yield" },
    { "...", "any", "arguments of f", optional = true } },
  returns = "what f returns", errors = "Another type; no function.",
  source = "Micikevicius et al. 2018 (arXiv 1710.03740); bf16: Kalamkar et al. 2019 (arXiv 1905.12322)",
  example = [[
local w = tensor.ones(2, 2, { requires_grad = true })
local y = tide.autocast("bf16", function() return tensor.ones(1, 2):matmul(w) end)
assert(y.dtype == "bf16" and (y + 1.5):sum():item() == 7)
y:sum():backward()
assert(w.dtype == "f32" and w.grad.dtype == "f32")]] },
["tide.precision"] = {
  text = "How products of f32 matrices are made on a GPU: \"strict\" (the default), or \"tf32\" by " ..
    "tensor cores, which round their inputs to 10 bits of fraction (errors near 1e-3). On the CPU both " ..
    "are the same. A captured step keeps the mode that it was recorded with. The option precision = " ..
    "\"bf16\" of flow.train and flow.align is another thing: it is tide.autocast's, and works on every " ..
    "device.",
  args = { { "mode", "string", '"strict" or "tf32"; default: leave it as it is', optional = true } },
  returns = "string: what it was", errors = "Another mode.",
  example = [[
local old = tide.precision("tf32")
assert(tide.precision() == "tf32" and tensor.ones(2, 2):matmul(tensor.ones(2, 2)):sum():item() == 8)
tide.precision(old)]] },
["tide.grad_enabled"] = { text = "Are gradients recorded now?", returns = "boolean",
  example = "assert(tide.grad_enabled() == true)" },
["tide.scope"] = {
  text = "Calls f and gives back at once the memory of every tensor made inside, but for those " ..
    "that f returns, alone or in tables. Using a freed tensor later is an error.",
  args = { { "f", "function", "must not yield, unless a job does" },
    { "...", "any", "arguments of f", optional = true } },
  returns = "what f returns",
  example = [[
local before = tide.memory().tensors
local y = tide.scope(function()
  local x = tensor.ones(1000)
  return (x * 2):sum()
end)
assert(y:item() == 2000 and tide.memory().tensors <= before + 1)]] },
["tide.unscoped"] = {
  text = "Calls f so that the tensors it makes outlive an open tide.scope: for state that is made " ..
    "when first needed.",
  args = { { "f", "function" }, { "...", "any", "arguments of f", optional = true } },
  returns = "what f returns",
  example = [[
local state
tide.scope(function() state = tide.unscoped(tensor.zeros, 3) end)
assert(state:numel() == 3)]] },
["tide.memory"] = {
  text = "Memory of tensors: live (in use), cached (kept for reuse), peak and total (ever " ..
    "handed out) in bytes, and tensors, their number.",
  args = { { "device", "string", "default: all devices together", optional = true } },
  returns = "table",
  example = [[
local before = tide.memory().total
local x = tensor.zeros(1000)
assert(tide.memory("cpu").total - before >= 4000)]] },
["tide.trim"] = {
  text = "Collects garbage and gives cached memory back to the system.", returns = "nothing",
  example = "tide.trim()\nassert(tide.memory().cached == 0)" },
["tide.devices"] = {
  text = "The devices there are: {name=, description=} each; field note says why a plug-in was " ..
    "not loaded.", returns = "table",
  example = 'assert(tide.devices()[1].name == "cpu")' },
["tide.device"] = { text = "Name of the device on which constructors make tensors.",
  returns = "string", example = "assert(tensor.zeros(1).device == tide.device())" },
["tide.set_device"] = {
  text = "The device on which constructors make tensors from now on.",
  args = { { "name", "string", '"cpu", "cuda", "cuda:1"' } }, returns = "nothing",
  errors = "An unknown device; the message lists those there are.",
  example = 'tide.set_device("cpu")\nassert(tide.device() == "cpu")' },
["tide.dtype"] = { text = "The element type that constructors use unless told otherwise.",
  returns = "string", example = "assert(tensor.zeros(1).dtype == tide.dtype())" },
["tide.set_dtype"] = {
  text = "The element type that constructors use from now on.",
  args = { { "name", "string", '"f32", "f64" or "bf16"' } }, returns = "nothing",
  example = [[
tide.set_dtype("f64")
assert(tensor.zeros(1).dtype == "f64")
tide.set_dtype("f32")]] },
["tide.load_backend"] = {
  text = "Loads a device plug-in.", args = { { "path", "string", "a shared object" } },
  returns = "string: name of its first device", errors = "A file that is no plug-in.",
  example = 'assert(not pcall(tide.load_backend, "/nowhere.so"))' },
["tide.sync"] = {
  text = "Waits until a device has done all that it was asked to.",
  args = { { "device", "string", "default: all", optional = true } }, returns = "nothing",
  example = "tide.sync()" },
["tide.threads"] = { text = "How many threads the CPU kernels use.", returns = "integer",
  example = "assert(tide.threads() >= 1)" },
["tide.set_threads"] = {
  text = "Sets how many threads the CPU kernels use. Results do not depend on it.",
  args = { { "n", "integer", "0: one for each processor" } }, returns = "nothing",
  example = [[
local n = tide.threads()
tide.set_threads(1)
assert(tide.threads() == 1)
tide.set_threads(n)]] },
["tide.clock"] = { text = "Seconds since some moment in the past; never goes back.",
  returns = "number",
  example = "local start = tide.clock()\nassert(tide.clock() - start >= 0)" },
["tide.type"] = {
  text = '"tensor" for tensors, else what type(x) says.', args = { { "x", "any" } },
  returns = "string",
  example = 'assert(tide.type(tensor.ones(1)) == "tensor" and tide.type(1) == "number")' },
["tide.callable"] = {
  text = "Can x be called like a function?", args = { { "x", "any" } }, returns = "boolean",
  example = "assert(tide.callable(print) and not tide.callable({}))" },
["tide.help"] = {
  text = "Prints what the documentation says of a name, a function, a module, or in general.",
  args = { { "topic", "string|function|table", "default: an overview", optional = true } },
  returns = "nothing",
  example = 'assert(require("tide.help").text("tensor.sum"):find("keepdim"))' },
["tide.options"] = {
  text = "Checks a table of options and fills in defaults. In spec, names in the list part have " ..
    "no default. A key that spec does not have is an error that names the nearest one. Numbers that " ..
    "are whole, as 1e4 or n / 2 may be, become integers.",
  args = { { "what", "string", "the function, for messages" },
    { "options", "table", "may be nil" }, { "spec", "table" } },
  returns = "table: a new one",
  example = [[
local o = tide.options("f", { steps = 5 }, { "seed", steps = 10, lr = 0.1 })
assert(o.steps == 5 and o.lr == 0.1 and o.seed == nil)
assert(not pcall(tide.options, "f", { step = 5 }, { steps = 10 }))]] },
["tide.count"] = {
  text = "Checks an argument that counts something.",
  args = { { "what", "string", "the function, for messages" },
    { "name", "string", "the argument, for messages" }, { "n", "number", "5 or 5.0; the latter becomes 5" },
    { "least", "integer", "the smallest that is taken" } },
  returns = "integer", errors = "Anything but a whole number of at least `least`.",
  example = [[
assert(math.type(tide.count("f", "steps", 1e3, 1)) == "integer")
assert(not pcall(tide.count, "f", "steps", 1.5, 1) and not pcall(tide.count, "f", "steps", 0, 1))]] },
["tide.nearest"] = {
  text = "The entry of a list that is most like a word.",
  args = { { "word", "string" }, { "list", "table", "of strings" } },
  returns = "string, or nil when none is close",
  example = 'assert(tide.nearest("sofmax", { "sum", "softmax" }) == "softmax")' },
["tide.raise"] = {
  text = "Raises an error with the file and line of the caller's own code, passing over " ..
    "functions of the library.",
  args = { { "text", "string" } }, returns = "nothing",
  example = 'assert(not pcall(tide.raise, "no"))' },
["tide.ops"] = {
  text = "The ops of the registry: {name=, doc=, args=, results=, inplace=} each.",
  returns = "table", example = "assert(#tide.ops() > 100)" },
["tide.submodules"] = {
  text = "Names of the parts of the library right below a module.",
  args = { { "name", "string", 'default "tide"', optional = true } }, returns = "table",
  example = 'assert(table.concat(tide.submodules(), " "):find("tensor"))' },
}
