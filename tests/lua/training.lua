-- training.lua -- flow.train and flow.align: accumulation, bf16, validation and its
-- floor, checkpoints.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn, flow, data = tide.tensor, tide.nn, tide.flow, tide.data

local function net() return flow.VelocityMLP { dim = 2, hidden = 24, blocks = 1 } end

local function options(o, more)
  local all = {}
  for k, v in pairs(o) do all[k] = v end
  for k, v in pairs(more or {}) do all[k] = v end
  return all
end

local function same_weights(a, b)
  local s = b:state_dict()
  for name, p in pairs(a:state_dict()) do t.ok(p:equal(s[name]), name) end
end

---- products in bf16 ----

t.test("autocast: which ops, which types, back to what it was", function()
  local w = tensor.randn(5, 3):requires_grad_()
  local x = tensor.randn(4, 3)
  tide.autocast("bf16", function()
    t.eq(x:linear(w).dtype, "bf16")
    t.eq(x:matmul(w:t()).dtype, "bf16")
    t.eq(tensor.randn(2, 4, 3):bmm(tensor.randn(2, 3, 4)).dtype, "bf16")
    t.eq((x + x).dtype, "f32")
    t.eq(x:double():matmul(w:double():t()).dtype, "f64")
    tide.autocast("f32", function() t.eq(x:linear(w).dtype, "f32") end)
    t.eq(x:linear(w).dtype, "bf16")
  end)
  t.eq(x:linear(w).dtype, "f32")
  pcall(tide.autocast, "bf16", error, "no")
  t.eq(x:linear(w).dtype, "f32")
  t.raises("bf16 or f32", tide.autocast, "f64", print)
end)

t.test("autocast: inputs are rounded, sums are in f32, gradients reach f32", function()
  local x, w = tensor.randn(4, 300), tensor.randn(5, 300)
  local want = x:to "bf16":double():matmul(w:to "bf16":double():t())
  local p = w:clone():requires_grad_()
  local y = tide.autocast("bf16", function() return x:linear(p) end)
  t.ok((y:double() - want):abs():le(want:abs() * 2 ^ -8 + 1e-4):all():item())
  y:float():square():sum():backward()
  t.eq(p.grad.dtype, "f32")
  local exact = (2 * want):t():matmul(x:double())
  t.ok(((p.grad:double() - exact):norm() / exact:norm()):item() < 0.02)
end)

t.test("training in bf16 converges to what f32 does", function()
  local function excess(precision)
    tide.seed(1)
    local v = net()
    local run = flow.train(v, flow.targets.mog(), { steps = 250, batch = 128, lr = 5e-3,
      precision = precision, optimizer = "AdamW", validate = { every = 125, batch = 512 } })
    t.eq(v.output.weight.dtype, "f32")
    t.ok(run.optimizer.groups[1].state[1].mean.dtype == "f32")
    return run.validation.excess
  end
  local full, half = excess "f32", excess "bf16"
  t.ok(half[2] < half[1] and half[2] < 0.8, "it learns")
  t.ok(half[2] ~= full[2], "products are in bf16")
  t.ok(half[2] < 1.25 * full[2] + 0.05, ("%g against %g"):format(half[2], full[2]))
  t.raises("precision is 'f32' or 'bf16'", flow.train, net(), flow.targets.mog(), { precision = "f16" })
end)

---- accumulation ----

t.test("accumulate=k is a batch k times as large, up to rounding", function()
  local labels = tensor.randint(1, 3, { 90 })
  local rows = tensor.randn(90, 2):double()
  for _, k in ipairs { 2, 3 } do
    local results = {}
    for i, o in ipairs { { batch = 12 * k }, { batch = 12, accumulate = k } } do
      tide.seed(2)
      local v = flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1, classes = 3, dtype = "f64" }
      local run = flow.train(v, function(n)
        local at = tensor.randint(1, 90, { n })
        return rows:index_select(1, at), labels:index_select(1, at)
      end, options(o, { steps = 5, lr = 1e-2, clip = 0.5, every = 1, stratified = true }))
      results[i] = { run.losses, v.output.weight, v.time1.weight }
    end
    t.near(results[2][1], results[1][1], 1e-12)
    t.near(results[2][2], results[1][2], 1e-9)
    t.near(results[2][3], results[1][3], 1e-9)
  end
  t.raises("accumulate must be a whole number", flow.train, net(), rows, { accumulate = 0 })
end)

t.test("accumulation from batches: whole ones are taken", function()
  local rows = tensor.randn(60, 2)
  local b = data.batches(rows, { batch = 10 })
  flow.train(net(), b, { steps = 4, batch = 10, accumulate = 3 })
  t.eq(b.step, 12)
  t.eq(b.epoch, 2)
end)

---- validation ----

t.test("the floor: mean conditional variance, (pi/2) d sigma for one Gaussian", function()
  for _, sigma in ipairs { 0.5, 2 } do
    local g = flow.exact.gaussian { mean = { 1, -1 }, std = sigma }
    local run = flow.train(net(), g, { steps = 0, validate = { batch = 20000 } })
    t.near(run.floor, math.pi * sigma, 0.01 * sigma)
  end
  local z, time = tensor.randn(50, 2, { dtype = "f64" }), tensor.rand(50, { dtype = "f64" })
  local mog = flow.targets.mog().exact
  local x0 = tensor.randn(20000, 2, { dtype = "f64" })
  local x1 = mog:sample(20000, { dtype = "f64" })
  local loss = flow.matching_loss(mog, x1, { x0 = x0, t = 0.4 }):item()
  local floor = mog:conditional_variance(x0 * 0.6 + x1 * 0.4, 0.4):mean():item()
  t.near(floor, loss, 0.03 * loss)
  t.ok(mog:conditional_variance(z, time):gt(0):all():item())
end)

t.test("validation: fixed draws, excess over the floor, the best state", function()
  tide.seed(3)
  local seen, v = {}, net()
  local target = flow.targets.mog()
  local run = flow.train(v, target, { steps = 120, batch = 64, lr = 1e-2, report_every = 20,
    validate = { every = 20, batch = 400, best = true },
    report = function(i) seen[#seen + 1] = i.validation end })
  local c = run.validation
  t.eq(c.step, { 20, 40, 60, 80, 100, 120 })
  t.eq(seen, c.loss)
  t.ok(c.excess[6] < c.excess[1])
  t.near(c.loss[6] - c.excess[6], run.floor, 0.35)
  local at = 1
  for i, x in ipairs(c.loss) do if x < c.loss[at] then at = i end end
  t.eq(run.best.step, c.step[at])
  t.eq(run.best.loss, c.loss[at])
  v:load_state_dict(run.best.state)
  local again = flow.train(v, target, { steps = 0, batch = 64,
    validate = { every = 1, batch = 400 } })
  t.eq(again.floor, run.floor)
  -- validation takes nothing from the random stream
  tide.seed(5)
  local a = flow.train(net(), target, { steps = 5, every = 1 }).losses
  tide.seed(5)
  t.eq(flow.train(net(), target, { steps = 5, every = 1, validate = { every = 2 } }).losses, a)
end)

t.test("validation with rows of its own, and averages", function()
  local rows = tensor.randn(50, 2)
  local v = net()
  local run = flow.train(v, rows, { steps = 6, batch = 16, ema = 0.5,
    validate = { data = tensor.randn(30, 2), every = 3 } })
  t.eq(run.floor, nil)
  t.eq(#run.validation.excess, 0)
  t.eq(#run.validation.loss, 2)
  t.ok(run.ema.applied)
  t.raises("did you mean 'every'", flow.train, v, rows, { validate = { evry = 3 } })
  t.raises("flow.train: the source", flow.train, v, rows, { validate = { data = 3 } })
end)

---- checkpoints ----

local function stop_at(step)
  return function(i) if i.step == step then error("stopped", 0) end end
end

t.test("flow.train goes on from a file bit by bit", function()
  local target = flow.targets.mog()
  local rows = target:sample(70)
  for _, case in ipairs {
    { optimizer = "AdamW", weight_decay = 0.01, ema = 0.9, clip = 1,
      schedule = tide.optim.lr.cosine { warmup = 4 },
      validate = { every = 8, batch = 64, best = true } },
    { optimizer = "SGD", accumulate = 2, precision = "bf16", batches = true },
  } do
    local path = t.tmp "flow.ckpt"
    os.remove(path)
    local function go(more)
      tide.seed(6)
      local v = net()
      local o = options(case, options({ steps = 30, batch = 16, every = 3, report_every = 1,
        checkpoint = { path = path, every = 7, with = { name = "x", g = tide.generator(1) } } }, more))
      local source = o.batches and data.batches(rows, { batch = 16 }) or target
      o.batches = nil
      local ok, run = pcall(flow.train, v, source, o)
      return v, run, ok
    end
    local v, run = go {}
    os.remove(path)
    local _, _, ok = go { report = stop_at(17) }
    t.ok(not ok)
    local v2, again = go { resume = path }
    t.eq(again.resumed, path)
    t.eq(again.with.name, "x")
    same_weights(v, v2)
    t.eq(again.losses, run.losses)
    t.eq(again.steps_of, run.steps_of)
    if case.validate then
      t.eq(again.validation, run.validation)
      t.eq(again.best.step, run.best.step)
    end
    local v3, done = go { resume = true }          -- nothing is left to do
    t.eq(done.step, 30)
    same_weights(v, v3)
  end
end)

t.test("a run that was continued, then stopped, goes on to where it was going", function()
  local path, target = t.tmp "second.ckpt", flow.targets.mog()
  local o = { steps = 10, batch = 16, report_every = 1 }
  local function go(stop)
    tide.seed(8)
    local v = net()
    local run = flow.train(v, target, o)
    local ok = pcall(flow.train, v, target, options(o, { resume = run, report = stop,
      checkpoint = { path = path, every = 2 }, schedule = tide.optim.lr.linear() }))
    return v, run, ok
  end
  local v = go()
  os.remove(path)
  local _, _, ok = go(stop_at(15))
  t.ok(not ok)
  local v2 = net()
  local run = flow.train(v2, target, options(o, { resume = path, schedule = tide.optim.lr.linear() }))
  t.eq(run.step, 20)
  same_weights(v, v2)
end)

t.test("flow.align goes on from a file bit by bit", function()
  local target = flow.targets.mog()
  tide.seed(1)
  local v = net()
  flow.train(v, target, { steps = 20 })
  v:freeze()
  local y = tensor.randn(48, 2)
  for _, loss in ipairs { "align", "excess" } do
    local path = t.tmp(loss .. ".ckpt")
    local function go(more)
      tide.seed(2)
      local ok, run = pcall(flow.align, v, y, options({ steps = 16, loss = loss, every = 4,
        eval_draws = 4, snapshots = { 0, 4, 12 }, critic = loss == "excess" and { batch = 32 } or nil,
        nll = function(p) return target:nll(p) end, checkpoint = { path = path, every = 5 } }, more))
      return run, ok
    end
    local run = go {}
    os.remove(path)
    local _, ok = go { report = stop_at(12) }
    t.ok(not ok)
    local again = go { resume = path }
    t.ok(again.y:equal(run.y))
    t.eq(again.curve, run.curve)
    t.ok(again.snapshots[12]:equal(run.snapshots[12]) and again.snapshots[0]:equal(y))
    t.raises("resume=true needs the path", flow.align, v, y, { resume = true })
  end
  t.raises("critic; loss= must be", flow.align, v, y, { resume = t.tmp "excess.ckpt" })
end)

t.test("wrong options are named", function()
  local v, target = net(), flow.targets.mog()
  t.raises("checkpoint needs the path", flow.train, v, target, { checkpoint = { every = 5 } })
  t.raises("checkpoint.every must be", flow.train, v, target, { checkpoint = { path = "x", every = 0 } })
  t.raises("the name 'model' is taken", flow.train, v, target,
           { checkpoint = { path = "x", with = { model = 1 } } })
  t.raises("resume must be a run", flow.train, v, target, { resume = 3 })
  t.raises("nothing: cannot be opened", flow.train, v, target, { resume = t.tmp "nothing" })
  t.raises("log must be a run", flow.train, v, target, { log = {} })
  t.raises("gave no rows", flow.train, v, function() return tensor.zeros(0, 2) end)
  t.raises("points must be a tensor", flow.train, v, function() end)
  local path = t.tmp "average.ckpt"
  flow.train(v, target, { steps = 1, checkpoint = path })
  t.raises("ema= must be as it was", flow.train, v, target, { resume = path, ema = 0.9 })
end)
