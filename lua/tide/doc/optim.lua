-- optim.lua -- documentation of optimisers, running averages and schedules.
local params = { "params", "Module|table",
  "a module, a list of parameters, or a list of groups {params=..., lr=..., ...}" }

local function optimiser(name, text, options, source)
  return {
    text = text .. " Also called as optim." .. name .. "{params, lr=...}.",
    args = { params, { "options", "table", options, optional = true } },
    returns = "optimiser with step, zero_grad, state_dict, load_state_dict and lr",
    errors = "No parameters, one that is no leaf or occurs twice, options out of range.",
    source = source,
    example = ([[
local w = tensor.ones(2):requires_grad_()
local opt = optim.%s({ w }, { lr = 0.1 })
opt:zero_grad()
w:square():sum():backward()
opt:step()
assert(w:get(1) < 1)]]):format(name),
  }
end

local function schedule(text, options, example)
  return { text = text .. " Steps count from 1.",
    args = { { "options", "table", options, optional = true } },
    returns = "function (step, total) -> factor of the learning rate",
    errors = "A run of unknown length: neither steps= nor total.", example = example }
end

local function method(sig, text, returns, args)
  return { object = true, sig = sig, text = text, returns = returns, args = args or {} }
end

return {
["optim.SGD"] = optimiser("SGD", "Gradient descent, with momentum where asked for.",
  "lr (1e-3), momentum (0), weight_decay (0), nesterov (false)"),
["optim.Adam"] = optimiser("Adam", "Adam; weight_decay is added to the gradient.",
  "lr (1e-3), betas ({0.9, 0.999}), eps (1e-8), weight_decay (0)", "Kingma and Ba 2014 (arXiv 1412.6980)"),
["optim.AdamW"] = optimiser("AdamW", "Adam whose weight_decay shrinks the parameters by lr * weight_decay.",
  "lr (1e-3), betas ({0.9, 0.999}), eps (1e-8), weight_decay (0.01)",
  "Loshchilov and Hutter 2017 (arXiv 1711.05101)"),
["optimiser:step"] = method("optimiser:step()",
  "Updates every parameter that has a gradient. Parameters count their steps by themselves.", "nothing"),
["optimiser:zero_grad"] = method("optimiser:zero_grad()",
  "Drops the gradients of all parameters.", "nothing"),
["optimiser:state_dict"] = method("optimiser:state_dict()",
  "State and options as a table of tensors by name, fit for data.save.", "table"),
["optimiser:load_state_dict"] = method("optimiser:load_state_dict(state)",
  "Takes up a state for the same parameters in the same order.", "the optimiser",
  { { "state", "table" } }),
["optim.clip_grad_norm"] = {
  text = "Scales all gradients down so that their common Euclidean norm is at most max.",
  args = { { "params", "Module|table", "a module or a list of parameters" },
    { "max", "number", "positive" } },
  returns = "tensor: the norm before", errors = "max is not positive.",
  example = [[
local w = tensor.ones(2):requires_grad_()
w.grad = tensor.from{ 3, 4 }
assert(optim.clip_grad_norm({ w }, 1):item() == 5)
assert(math.abs(w.grad:norm():item() - 1) < 1e-5)]] },
["optim.EMA"] = {
  text = "Running averages of parameters: after each step of the optimiser call update().",
  args = { { "params", "Module|table", "a module or a list of parameters" },
    { "options", "table", "decay (0.9999); warmup (false): decay at most (1 + n) / (10 + n) at update n",
      optional = true } },
  returns = "average with update, apply, restore, swap, state_dict, load_state_dict",
  errors = "decay outside [0, 1].",
  example = [[
local net = nn.Linear(2, 1)
local ema = optim.EMA(net, { decay = 0.5 })
nn.init.zeros_(net.bias)
ema:update()
ema:apply()
ema:restore()
assert(net.bias:item() == 0)]] },
["ema:update"] = method("ema:update()", "Takes the parameters as they are now into the average.", "nothing"),
["ema:apply"] = method("ema:apply()", "Puts the averages into the parameters until restore().", "nothing"),
["ema:restore"] = method("ema:restore()", "Puts the parameters back.", "nothing"),
["ema:swap"] = method("ema:swap()", "Exchanges parameters and averages.", "nothing"),
["ema:state_dict"] = method("ema:state_dict()", "Averages by position and the number of updates.", "table"),
["ema:load_state_dict"] = method("ema:load_state_dict(state)", "Takes up a state.", "the average",
  { { "state", "table" } }),
["optim.lr.constant"] = schedule("1 all along, after a rise in a line over warmup steps.", "warmup (0)",
  "assert(optim.lr.constant{ warmup = 10 }(5) == 0.5)"),
["optim.lr.cosine"] = schedule("Half a cosine from 1 down to floor, after a rise over warmup steps.",
  "warmup (0), floor (0), steps (default: total)",
  "assert(math.abs(optim.lr.cosine{ steps = 100 }(50) - 0.5) < 1e-9)"),
["optim.lr.linear"] = schedule("A line from 1 down to floor, after a rise over warmup steps.",
  "warmup (0), floor (0), steps (default: total)",
  "assert(optim.lr.linear{ steps = 100 }(75) == 0.25)"),
["optim.lr.step"] = schedule("Times gamma after every `every` steps.", "every, gamma (0.1), warmup (0)",
  "assert(optim.lr.step{ every = 10, gamma = 0.5 }(21) == 0.25)"),
["optim.lr.warmup"] = schedule("A rise in a line over `steps` steps, then another schedule.",
  "steps, next (a schedule; default: stay at 1)",
  "assert(optim.lr.warmup{ steps = 4, next = optim.lr.linear() }(54, 104) == 0.5)"),
["optim.lr.Scheduler"] = {
  text = "Sets the rates of an optimiser by a schedule: call step() before each step of the optimiser.",
  args = { { "optimiser", "table" }, { "schedule", "function" },
    { "options", "table", "steps: length of the run", optional = true } },
  returns = "scheduler", errors = "Not an optimiser, not a schedule.",
  example = [[
local opt = optim.Adam({ tensor.ones(1):requires_grad_() }, { lr = 1 })
local schedule = optim.lr.Scheduler(opt, optim.lr.linear(), { steps = 4 })
schedule:step()
assert(opt.lr == 0.75)]] },
["scheduler:step"] = method("scheduler:step()",
  "Sets the rates of the next step; returns the factor.", "number"),
["scheduler:state_dict"] = method("scheduler:state_dict()",
  "How many steps there were, and the rates that the factor multiplies.", "table"),
["scheduler:load_state_dict"] = method("scheduler:load_state_dict(state)", "Takes up a state.",
  "the scheduler", { { "state", "table" } }),
}
