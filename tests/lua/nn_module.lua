-- nn_module.lua -- nn.Module: what it finds, saves, moves and says.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn = tide.tensor, tide.nn

local Net = nn.Module:extend("Net")
function Net:init(width)
  self.last = nn.Linear(width, 1)
  self.blocks = { nn.Linear(2, width), nn.Linear(width, width) }
  self.scale = nn.Parameter(tensor.ones(1))
  self.shift = tensor.zeros(1)
  self._scratch = tensor.zeros(7)
  self:register_buffer("count", tensor.zeros(1), { persistent = false })
end
function Net:forward(x)
  for _, layer in ipairs(self.blocks) do x = layer(x):tanh() end
  return self.last(x) * self.scale + self.shift
end

local function names(iterator)
  local list = {}
  for name in iterator do list[#list + 1] = name end
  return list
end

t.test("a class of one's own: parameters in the order of the fields", function()
  local net = Net(3)
  t.eq(names(net:named_parameters()), {
    "last.weight", "last.bias", "blocks.1.weight", "blocks.1.bias",
    "blocks.2.weight", "blocks.2.bias", "scale" })
  t.eq(names(net:named_buffers()), { "shift", "count" })
  t.eq(names(net:named_modules()), { "", "last", "blocks.1", "blocks.2" })
  t.eq(#net:parameters(), 7)
  t.eq(net:num_parameters(), 4 + 9 + 12 + 1)
  t.eq(net(tensor.ones(5, 2)).shape, { 5, 1 })
end)

t.test("a parameter may be set any time, and gone again", function()
  local net = nn.Module:extend("Late")()
  net.b = nn.Parameter(tensor.zeros(2))
  net.a = tensor.zeros(2, { requires_grad = true })
  t.eq(names(net:named_parameters()), { "b", "a" })
  net.b = nil
  t.eq(names(net:named_parameters()), { "a" })
  net.b = net.a * 2                            -- a result is no parameter
  t.eq(names(net:named_parameters()), { "a" })
  t.eq(names(net:named_buffers()), {})
end)

t.test("classes derive from classes", function()
  local Wide = Net:extend("Wide")
  function Wide:init() Wide.super.init(self, 8) self.more = nn.Linear(1, 1) end
  function Wide:forward(x) return self.more(Net.forward(self, x)) end
  local net = Wide()
  t.eq(#net:parameters(), 9)
  t.eq(net(tensor.ones(1, 2)).shape, { 1, 1 })
  t.raises("Bare has no forward", function() nn.Module:extend("Bare")()(1) end)
  t.raises("name", function() nn.Module:extend() end)
end)

t.test("tied parameters count once", function()
  local net = Net(2)
  net.blocks[1].weight = net.blocks[2].weight
  t.eq(#net:parameters(), 6)
  local copy = net:clone()
  t.ok(copy.blocks[1].weight == copy.blocks[2].weight)
  net:to("f64")
  t.ok(net.blocks[1].weight == net.blocks[2].weight)
  t.eq(net.blocks[1].weight.dtype, "f64")
end)

t.test("state_dict goes round", function()
  local a, b = Net(3), Net(3)
  local state = a:state_dict()
  t.ok(state["blocks.2.bias"] and state.shift and not state.count)
  t.ok(not state.scale.requires_grad)
  a.scale:detach():fill_(2)
  b:load_state_dict(state)
  t.near(b.scale, { 2 }, 0)
  local x = tensor.randn(4, 2)
  t.near(b(x), a(x), 0)
  t.ok(b.scale.requires_grad and b.scale.is_leaf)
end)

t.test("a network and its optimiser go through files", function()
  local data, optim = tide.data, tide.optim
  local function training(net)
    local opt = optim.AdamW(net, { lr = 0.1 })
    return opt, function()
      opt:zero_grad()
      net(tensor.ones(3, 2)):square():sum():backward()
      opt:step()
    end
  end
  local net = Net(3)
  local opt, step = training(net)
  step()
  data.save(t.tmp("net.safetensors"), net:state_dict())
  data.save(t.tmp("opt.safetensors"), opt:state_dict())
  local again = Net(3):load_state_dict(data.load(t.tmp("net.safetensors")))
  local opt2, step2 = training(again)
  opt2:load_state_dict(data.load(t.tmp("opt.safetensors")))
  step()
  step2()
  for name, p in pairs(net:state_dict()) do
    t.ok(p:equal(again:state_dict()[name]), name)
  end
end)

t.test("load_state_dict names what does not fit", function()
  local net = Net(3)
  local state = net:state_dict()
  state["last.weight"] = nil
  t.raises("'last.weight' is missing", function() net:load_state_dict(state) end)
  net:load_state_dict(state, { strict = false })
  state = net:state_dict()
  state.extra = tensor.zeros(1)
  t.raises("'extra' is not in the module", function() net:load_state_dict(state) end)
  net:load_state_dict(state, { strict = false })
  state = net:state_dict()
  state["last.weight"] = tensor.zeros(1, 4)
  for _, strict in ipairs { true, false } do
    t.raises("'last.weight' has shape (1, 4), but the module needs (1, 3)",
      function() net:load_state_dict(state, { strict = strict }) end)
  end
  t.raises("table of tensors", function() net:load_state_dict(3) end)
  t.raises("did you mean 'strict'", function() net:load_state_dict(state, { strit = 1 }) end)
end)

t.test("freeze, train, eval, zero_grad, apply", function()
  local net = Net(3)
  net.drop = nn.Dropout(0.5)
  net(tensor.ones(2, 2)):sum():backward()
  t.ok(net.scale.grad)
  net:zero_grad()
  t.ok(net.scale.grad == nil)
  net:freeze()
  t.ok(not net.training and not net.drop.training and not net.scale.requires_grad)
  t.eq(#net:parameters(), 7)                   -- frozen ones are still parameters
  t.ok(not net(tensor.ones(2, 2)).requires_grad)
  net:requires_grad_():train()
  t.ok(net.drop.training and net.scale.requires_grad)
  local order = {}
  net:apply(function(m) order[#order + 1] = m.__name end)
  t.eq(order[#order], "Net")
  t.eq(#order, 5)
end)

t.test("clone has its own memory, frozen shares it", function()
  local net = Net(3)
  local copy, view = net:clone(), net:frozen()
  tide.no_grad(function() net.scale:fill_(5) end)
  t.near(copy.scale, { 1 }, 0)
  t.near(view.scale, { 5 }, 0)
  t.ok(copy.scale.requires_grad and not view.scale.requires_grad)
  t.ok(net.scale.requires_grad and net.training and not view.training)
  local x = tensor.randn(3, 2, { requires_grad = true })
  view(x):sum():backward()
  t.ok(x.grad and net.scale.grad == nil)
  t.eq(names(view:named_parameters()), names(net:named_parameters()))
  t.near(view(x), net(x), 0)
end)

t.test("to converts floating point tensors only", function()
  local net = Net(2)
  net.steps = tensor.zeros(1, { dtype = "i64" })
  net(tensor.ones(1, 2)):sum():backward()
  net:to("f64")
  t.eq({ net.scale.dtype, net.steps.dtype, net.shift.dtype }, { "f64", "i64", "f64" })
  t.ok(net.scale.requires_grad and net.scale.is_leaf and net.scale.grad == nil)
  t.eq(net(tensor.ones(1, 2, { dtype = "f64" })).dtype, "f64")
  net:to { dtype = "f32", device = "cpu" }
  t.eq({ net.scale.dtype, net.steps.dtype }, { "f32", "i64" })
  t.raises("nodevice", function() net:to("nodevice") end)
end)

t.test("text", function()
  local text = tostring(nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 1000)))
  t.ok(text:find("^Sequential: 65,192 parameters\n"))
  t.ok(text:find("\n  1 Linear(2, 64): 192 parameters\n", 1, true))
  t.ok(text:find("\n  2 SiLU\n", 1, true))
  t.eq(tostring(Net), "class Net")
  t.ok(tostring(Net(2)):find("\n  blocks.1 Linear(2, 2): 6 parameters", 1, true))
end)

t.test("Sequential", function()
  local net = nn.Sequential(nn.Linear(2, 3), tensor.relu, nn.Linear(3, 1))
  t.eq(#net:parameters(), 4)
  local x = tensor.randn(4, 2)
  t.near(net(x), net[3](net[1](x):relu()), 0)
  t.raises("entry 2", function() nn.Sequential(nn.SiLU(), 3) end)
end)

t.test("wrong arguments", function()
  t.raises("inputs must be a whole number", function() nn.Linear(2.5, 3) end)
  t.raises("did you mean 'bias'", function() nn.Linear(2, 3, { bais = false }) end)
  t.raises("give a tensor", function() nn.Parameter(3) end)
  t.raises("floating point", function() nn.Parameter(tensor.zeros(2, { dtype = "i64" })) end)
  t.raises("must be a tensor", function() Net(2):register_buffer("x", 3) end)
end)
