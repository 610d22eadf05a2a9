-- optim.lua -- optimisers against numbers computed elsewhere (PyTorch, f64) and
-- against their definitions; averages, schedules, clipping.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn, optim = tide.tensor, tide.nn, tide.optim
local F64 = { dtype = "f64" }

local function wave(s, ...)
  local n = 1
  for _, k in ipairs { ... } do n = n * k end
  return (tensor.arange(0, n - 1, F64) * 1.3 + s):sin():reshape(...)
end
local slope = tensor.from({ 1, -2, 0.5 }, F64)

-- n steps on sum(p^4 / 4 + slope p)
local function descend(opt, p, n)
  for _ = 1, n do
    opt:zero_grad();
    (p:pow(4) / 4 + slope * p):sum():backward()
    opt:step()
  end
end

local runs = {
  { "Adam", { lr = 0.1, betas = { 0.8, 0.95 }, eps = 1e-3, weight_decay = 0.1 },
    { 0.180615919336, 1.25514451025, -0.257429006247 } },
  { "AdamW", { lr = 0.1, betas = { 0.8, 0.95 }, eps = 1e-3, weight_decay = 0.1 },
    { 0.169247335284, 1.23034464328, -0.256020699439 } },
  { "SGD", { lr = 0.1, weight_decay = 0.1 },
    { 0.150955084536, 1.1792001382, -0.108146020502 } },
  { "SGD", { lr = 0.1, momentum = 0.9, weight_decay = 0.1 },
    { -0.142325817982, 1.36834491038, -0.238743251396 } },
  { "SGD", { lr = 0.1, momentum = 0.9, nesterov = true },
    { -0.368615011123, 1.37088076998, -0.359571812127 } },
}

for i, run in ipairs(runs) do
  t.test(("three steps of %s (%d)"):format(run[1], i), function()
    local p = wave(0.5, 3):requires_grad_()
    descend(optim[run[1]]({ p }, run[2]), p, 3)
    t.near(p, run[3], 1e-10)
  end)
  t.test(("%s (%d) on a view, in bf16 and in f32"):format(run[1], i), function()
    local whole = tensor.zeros(3, 2, F64)
    local view = whole:narrow(2, 2, 1):squeeze(2)
    view:copy_(wave(0.5, 3))
    local p = view:detach():requires_grad_()
    descend(optim[run[1]]({ p }, run[2]), p, 3)
    t.near(whole:select(2, 2), run[3], 1e-10)
    t.near(whole:select(2, 1), { 0, 0, 0 }, 0)
    for dtype, tolerance in pairs { f32 = 1e-6, bf16 = 3e-2 } do
      local q = wave(0.5, 3):to(dtype):requires_grad_()
      descend(optim[run[1]]({ q }, run[2]), q, 3)
      t.near(q:double(), run[3], tolerance)
    end
  end)
end

t.test("the first step of Adam has length lr", function()
  local p = tensor.from({ 1, -1, 5 }, F64):requires_grad_()
  local opt = optim.Adam({ p }, { lr = 0.25, eps = 0 })
  p:backward { gradient = tensor.from({ 3, -1e-3, 1e5 }, F64) }
  opt:step()
  t.near(p, { 0.75, -0.75, 4.75 }, 1e-12)
end)

t.test("many parameters of odd sizes, as one at a time", function()
  tide.seed(2)
  local many, single = {}, {}
  for i, shape in ipairs { { 7 }, {}, { 0 }, { 200, 173 }, { 1, 3 }, { 33 } } do
    many[i] = tensor.randn(shape):requires_grad_()
    single[i] = many[i]:detach():clone():requires_grad_()
  end
  local together, apart = optim.Adam(many, { lr = 0.1 }), {}
  for i, p in ipairs(single) do apart[i] = optim.Adam({ p }, { lr = 0.1 }) end
  for _ = 1, 3 do
    for i = 1, #many do
      local g = tensor.randn(many[i].shape)
      many[i].grad, single[i].grad = g, g
    end
    together:step()
    for _, opt in ipairs(apart) do opt:step() end
  end
  for i = 1, #many do t.near(many[i]:flatten(), single[i]:flatten(), 0) end
end)

t.test("a parameter without gradient waits, with its own count of steps", function()
  local function fresh() return wave(0.5, 3):requires_grad_() end
  local a, b, alone = fresh(), fresh(), fresh()
  local opt = optim.Adam({ a, b }, { lr = 0.1 })
  local other = optim.Adam({ alone }, { lr = 0.1 })
  for step = 1, 6 do
    opt:zero_grad()
    other:zero_grad()
    a:square():sum():backward()
    if step ~= 1 and step ~= 4 then             -- b misses two steps
      (b * slope):sum():backward();
      (alone * slope):sum():backward()
      other:step()
    end
    opt:step()
  end
  t.near(b, alone, 0)
end)

t.test("groups, lr, and their forms", function()
  local a, b = tensor.ones(2):requires_grad_(), tensor.ones(2):requires_grad_()
  local opt = optim.SGD({ { params = { a }, lr = 1 }, { params = { b } } }, { lr = 0.1 })
  a.grad, b.grad = tensor.ones(2), tensor.ones(2)
  opt:step()
  t.near(a, { 0, 0 }, 0)
  t.near(b, { 0.9, 0.9 }, 1e-7)
  t.eq(opt.lr, 1)
  opt.lr = 0.5
  t.eq(opt.groups[2].lr, 0.5)
  t.eq(optim.Adam { { a, b }, lr = 0.25 }.lr, 0.25)
  t.eq(optim.Adam(nn.Linear(2, 2)).lr, 1e-3)
  t.eq(optim.Adam { params = nn.Linear(2, 2), lr = 2 }.lr, 2)
end)

t.test("in-place updates are noticed by backward", function()
  local p = tensor.ones(2):requires_grad_()
  local y = p:square():sum()
  p.grad = tensor.ones(2)
  optim.SGD({ p }):step()
  t.raises("changed in place by sgd_", function() y:backward() end)
end)

t.test("state_dict goes round: the run continues with the same numbers", function()
  for _, name in ipairs { "Adam", "AdamW" } do
    local a = wave(0.5, 3):requires_grad_()
    local opt = optim[name]({ a }, { lr = 0.05, betas = { 0.7, 0.9 } })
    descend(opt, a, 2)
    local b = a:detach():clone():requires_grad_()
    local again = optim[name]({ b }):load_state_dict(opt:state_dict())
    t.eq(again.groups[1].betas, { 0.7, 0.9 })
    descend(opt, a, 3)
    descend(again, b, 3)
    t.near(a, b, 0)
  end
  local p = tensor.ones(2):requires_grad_()
  t.raises("'1.betas' is missing", function()
    optim.Adam({ p }):load_state_dict(optim.SGD({ p }):state_dict())
  end)
  p.grad = tensor.ones(2)
  local opt = optim.Adam({ p })
  opt:step()
  t.raises("'1.1.", function()
    optim.Adam({ tensor.ones(3):requires_grad_() }):load_state_dict(opt:state_dict())
  end)
  t.raises("not the state", function() opt:load_state_dict {} end)
end)

t.test("wrong arguments", function()
  local p = tensor.ones(2):requires_grad_()
  t.raises("no parameters", function() optim.Adam({}) end)
  t.raises("parameter 2 is a number", function() optim.Adam({ p, 3 }) end)
  t.raises("parameter 1 is the result", function() optim.Adam({ p * 2 }) end)
  t.raises("parameter 2 occurs twice", function() optim.Adam({ p, p }) end)
  t.raises("floating point", function() optim.Adam({ tensor.ones(2):long() }) end)
  t.raises("did you mean 'betas'", function() optim.Adam({ p }, { beta = 1 }) end)
  t.raises("lr must be a finite number >= 0", function() optim.Adam({ p }, { lr = -1 }) end)
  t.raises("lr must be a finite number", function() optim.Adam({ p }, { lr = math.huge }) end)
  t.raises("warmup must be a finite number", function() optim.lr.cosine { warmup = 1 / 0 } end)
  t.raises("two numbers in [0, 1)", function() optim.Adam({ p }, { betas = { 0.9, 1 } }) end)
  t.raises("nesterov must be true or false", function()
    optim.SGD({ p }, { nesterov = 1 })
  end)
  t.raises("sgd_: entry 1 of params has shape (2), of grads (3)", function()
    tensor.sgd_({ p }, { tensor.ones(3) }, 0.1, 0)
  end)
  t.raises("equal lengths", function() tensor.sgd_({ p }, {}, 0.1, 0) end)
end)

t.test("clip_grad_norm", function()
  local a, b = wave(0, 3):requires_grad_(), wave(1, 2, 2):requires_grad_()
  a.grad, b.grad = a:detach() * 2, b:detach() * 2
  t.near(optim.clip_grad_norm({ a, b }, 1):item(), 3.804930065881176, 1e-12)
  t.near(b.grad:flatten(), { 0.442305508425, 0.391967790882, -0.232603658586,
                             -0.516410203293 }, 1e-6)
  local before = a.grad:totable()
  t.near(optim.clip_grad_norm({ a, b }, 10):item(), 1, 1e-5)
  t.near(a.grad, before, 0)
  t.near(optim.clip_grad_norm({ tensor.ones(2):requires_grad_() }, 1):item(), 0, 0)
  t.raises("positive", function() optim.clip_grad_norm({ a }, 0) end)
end)

t.test("EMA", function()
  local net = nn.Linear(2, 2)
  nn.init.ones_(net.weight)
  local ema = optim.EMA(net, { decay = 0.75 })
  nn.init.zeros_(net.weight)
  ema:update()
  ema:update()
  ema:apply()
  t.near(net.weight:flatten(), { 0.5625, 0.5625, 0.5625, 0.5625 }, 1e-7)
  t.raises("restore", function() ema:update() end)
  ema:apply()
  ema:restore()
  t.near(net.weight:sum(), 0, 0)
  ema:swap()
  t.near(net.weight:sum(), 4 * 0.5625, 1e-6)
  ema:swap()
  local other = optim.EMA(nn.Linear(2, 2)):load_state_dict(ema:state_dict())
  t.near(other.shadow[1], ema.shadow[1], 0)
  t.eq(other.updates, 2)
  local warm = optim.EMA({ tensor.ones(1):requires_grad_() }, { warmup = true })
  tide.no_grad(function() warm.params[1]:fill_(0) end)
  warm:update()
  t.near(warm.shadow[1], { 2 / 11 }, 1e-6)
  t.raises("decay", function() optim.EMA(net, { decay = 2 }) end)
end)

t.test("schedules", function()
  local f = optim.lr.cosine { warmup = 10, floor = 0.1 }
  t.near(f(5, 110), 0.5)
  t.near(f(10, 110), 1)
  t.near(f(60, 110), 0.55)
  t.near(f(110, 110), 0.1)
  t.near(f(500, 110), 0.1)
  t.raises("steps=", function() f(60) end)
  t.near(optim.lr.cosine { steps = 100 }(50), 0.5)
  t.near(optim.lr.linear { steps = 100, floor = 0.5 }(50), 0.75)
  t.near(optim.lr.constant()(7), 1)
  t.near(optim.lr.constant { warmup = 4 }(1), 0.25)
  t.near(optim.lr.step { every = 10 }(10), 1)
  t.near(optim.lr.step { every = 10 }(11), 0.1)
  local g = optim.lr.warmup { steps = 10, next = optim.lr.linear() }
  t.near(g(5, 110), 0.5)
  t.near(g(60, 110), 0.5)
  t.raises("did you mean 'warmup'", function() optim.lr.cosine { warmpu = 1 } end)
  t.raises("every", function() optim.lr.step {} end)
end)

t.test("Scheduler", function()
  local p, q = tensor.ones(1):requires_grad_(), tensor.ones(1):requires_grad_()
  local opt = optim.SGD({ { params = { p }, lr = 1 }, { params = { q }, lr = 10 } })
  local s = optim.lr.Scheduler(opt, optim.lr.linear(), { steps = 4 })
  t.near(s:step(), 0.75)
  s:step()
  t.near(opt.groups[1].lr, 0.5)
  t.near(opt.groups[2].lr, 5)
  t.raises("optimiser", function() optim.lr.Scheduler(3, optim.lr.linear()) end)
  t.raises("schedule", function() optim.lr.Scheduler(opt, 3) end)
end)

t.test("the same numbers whatever the number of threads", function()
  local function train()
    tide.seed(11)
    local net = nn.Sequential(nn.Linear(3, 300), nn.SiLU(), nn.LayerNorm(300),
                              nn.Linear(300, 3))
    local opt = optim.AdamW(net:parameters(), { lr = 1e-2 })
    for _ = 1, 5 do
      local x = tensor.randn(500, 3)
      opt:zero_grad()
      nn.mse_loss(net(x), x:sin()):backward()
      optim.clip_grad_norm(net, 0.5)
      opt:step()
    end
    return net[1].weight:detach():clone(), net[4].weight:detach():clone()
  end
  local threads, results = tide.threads(), {}
  for i, n in ipairs { 1, 2, 3 } do
    tide.set_threads(n)
    results[i] = { train() }
  end
  tide.set_threads(threads)
  for i = 2, 3 do
    t.ok(results[1][1]:equal(results[i][1]) and results[1][2]:equal(results[i][2]))
  end
end)
