-- methods.lua -- examples of methods of modules, optimisers, averages, schedules and runs.
local examples = {
  -- modules
  ["nn.Module:buffers"] = [[
local net = nn.Tanh()
net:register_buffer("mean", tensor.zeros(3))
assert(#net:buffers() == 1)]],
  ["nn.Module:clone"] = [[
local net = nn.Linear(2, 2)
local copy = net:clone()
nn.init.zeros_(copy.weight)
assert(net.weight:abs():sum():item() > 0)]],
  ["nn.Module:eval"] = "assert(nn.Dropout(0.5):eval().training == false)",
  ["nn.Module:extra"] = [[
local Scale = nn.Module:extend("Scale")
function Scale:extra() return "by 2" end
assert(tostring(Scale()) == "Scale(by 2)")]],
  ["nn.Module:forward"] = [[
local Scale = nn.Module:extend("Scale")
function Scale:forward(x) return x * 2 end
assert(Scale()(tensor.ones(2)):sum():item() == 4)]],
  ["nn.Module:freeze"] = [[
local net = nn.Linear(2, 2):freeze()
assert(not net.weight.requires_grad and #net:parameters() == 2)]],
  ["nn.Module:init"] = [[
local Scale = nn.Module:extend("Scale")
function Scale:init(by) self.by = by end
assert(Scale(3).by == 3)]],
  ["nn.Module:modules"] = "assert(#nn.Sequential(nn.Tanh(), nn.ReLU()):modules() == 3)",
  ["nn.Module:named_buffers"] = [[
local net = nn.Tanh()
net:register_buffer("mean", tensor.zeros(3))
for name, t in net:named_buffers() do assert(name == "mean" and t:numel() == 3) end]],
  ["nn.Module:named_modules"] = [[
local names = {}
for name in nn.Sequential(nn.Tanh(), nn.ReLU()):named_modules() do names[#names + 1] = name end
assert(table.concat(names, ",") == ",1,2")]],
  ["nn.Module:register_buffer"] = [[
local net = nn.Tanh()
net:register_buffer("mean", tensor.zeros(3), { persistent = false })
assert(net.mean:numel() == 3 and net:state_dict().mean == nil)]],
  ["nn.Module:requires_grad_"] = "assert(not nn.Linear(2, 2):requires_grad_(false).weight.requires_grad)",
  ["nn.Module:train"] = "assert(nn.Dropout(0.5):eval():train().training == true)",
  ["nn.Module:zero_grad"] = [[
local net = nn.Linear(2, 1)
net(tensor.ones(1, 2)):sum():backward()
net:zero_grad()
assert(net.weight.grad == nil)]],
  -- optimisers
  ["optimiser:step"] = [[
local w = tensor.ones(1, { requires_grad = true })
local opt = optim.SGD({ w }, { lr = 0.5 })
w:sum():backward()
opt:step()
assert(w:item() == 0.5)]],
  ["optimiser:zero_grad"] = [[
local w = tensor.ones(1, { requires_grad = true })
local opt = optim.SGD({ w }, { lr = 0.5 })
w:sum():backward()
opt:zero_grad()
assert(w.grad == nil)]],
  ["optimiser:state_dict"] = [[
local w = tensor.ones(1, { requires_grad = true })
local opt = optim.Adam({ w }, { lr = 0.1 })
w:sum():backward()
opt:step()
assert(next(opt:state_dict()))]],
  ["optimiser:load_state_dict"] = [[
local w = tensor.ones(1, { requires_grad = true })
local opt = optim.Adam({ w }, { lr = 0.1 })
w:sum():backward()
opt:step()
optim.Adam({ w }, { lr = 0.1 }):load_state_dict(opt:state_dict())]],
  -- averages
  ["ema:update"] = [[
local w = tensor.ones(1, { requires_grad = true })
local ema = optim.EMA({ w }, { decay = 0.5 })
ema:update()]],
  ["ema:apply"] = [[
local net = nn.Linear(2, 1)
local ema = optim.EMA(net, { decay = 0.5 })
nn.init.ones_(net.bias)
ema:apply()
assert(net.bias:item() ~= 1)
ema:restore()]],
  ["ema:restore"] = [[
local net = nn.Linear(2, 1)
local ema = optim.EMA(net, { decay = 0.5 })
nn.init.ones_(net.bias)
ema:apply()
ema:restore()
assert(net.bias:item() == 1)]],
  ["ema:swap"] = [[
local net = nn.Linear(2, 1)
local ema = optim.EMA(net, { decay = 0.5 })
nn.init.ones_(net.bias)
ema:swap()
ema:swap()
assert(net.bias:item() == 1)]],
  ["ema:state_dict"] = [[
local ema = optim.EMA(nn.Linear(2, 1))
assert(next(ema:state_dict()))]],
  ["ema:load_state_dict"] = [[
local net = nn.Linear(2, 1)
optim.EMA(net):load_state_dict(optim.EMA(net):state_dict())]],
}

-- Schedules and runs, whose examples begin alike.
local schedule = [[
local w = tensor.ones(1, { requires_grad = true })
local opt = optim.SGD({ w }, { lr = 1 })
local lr = optim.lr.Scheduler(opt, optim.lr.linear(), { steps = 4 })
]]
local run = [[
local dir = os.tmpname()
os.remove(dir)
local run = tide.run{ name = "exp", dir = dir }
]]
local function add(before, list, after)
  for name, code in pairs(list) do examples[name] = before .. code .. (after or "") end
end

add(schedule, {
  ["scheduler:step"] = "assert(lr:step() == 0.75 and opt.lr == 0.75)",
  ["scheduler:state_dict"] = "assert(next(lr:state_dict()))",
  ["scheduler:load_state_dict"] = "lr:load_state_dict(lr:state_dict())",
})
add(run, {
  ["run:log"] = "run:log(1, { loss = 0.5 })\nrun:log(2, { loss = 0.4 })\nrun:finish{}",
  ["run:csv"] = 'run:csv("curve", { "step", "nll" }, { { 1, 2 }, { 0.5, 0.4 } })\nrun:finish{}',
  ["run:fail"] = 'run:fail("it diverged")\nassert(tide.runs(dir)[1].status == "failed")',
  ["run:figure"] = 'local fig = plot.figure{}\nfig:axes{}:line({ 1, 2 }, { 3, 4 })\n' ..
    'run:figure("curve", fig)\nrun:finish{}',
  ["run:finish"] = "run:finish{ loss = 0.1 }\nassert(tide.runs(dir)[1].figures.loss == 0.1)",
  ["run:json"] = 'run:json("extra.json", { a = 1 })\nrun:finish{}',
  ["run:part"] = 'run:log(10, { loss = 0.5 })\nrun:part("align"):log(1, { loss = 2 })\nrun:finish{}\n' ..
    'assert(tide.runs(dir)[1].figures["align.loss"] == 2)',
  ["run:path"] = 'assert(run:path("a.txt"):find("a.txt", 1, true))\nrun:finish{}',
  ["run:save"] = 'run:save("x.npy", tensor.ones(3))\nassert(data.load(run:path("x.npy")):numel() == 3)\n' ..
    "run:finish{}",
  ["run:write"] = 'run:write("note.txt", "text")\nrun:finish{}',
  ["runs:plot"] = 'run:log(1, { loss = 0.5 })\nrun:log(2, { loss = 0.4 })\nrun:finish{}\n' ..
    'tide.runs(dir):plot("loss")',
}, '\nos.execute("rm -r " .. dir)')

local entries = {}
for name, code in pairs(examples) do entries[name] = { example = code } end
return entries
