-- flow_whole.lua -- nets that run as a whole, tile by tile, against the same nets layer by
-- layer; divergence by tangents; tables over time; memory of long solves and landscapes.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn, flow = tide.tensor, tide.nn, tide.flow

-- A frozen net of which every part acts, and the same net layer by layer.
local function pair(o)
  tide.seed(o.seed or 4)
  o.seed = nil
  local v = flow.VelocityMLP(o)
  for name, p in v:named_parameters() do
    if name:find("modulation") or name:find("output") or name:find("bias")
       or name:find("no_features") then
      nn.init.normal_(p, 0, 1.2 / math.sqrt(o.hidden))
    end
  end
  v:freeze()
  local layers = v:frozen()
  layers.fused = false
  return v, layers
end

-- Largest difference, relative to the largest value.
local function apart(a, b)
  t.eq(a.shape, b.shape)
  return (a - b):abs():max():item() / (b:abs():max():item() + 1e-30)
end

local SMALL = { f32 = 1e-5, f64 = 1e-12 }

-- Velocity, divergence, Hutchinson's product, residual and gradients by both ways.
local function check_all(v, layers, n, time, c, groups)
  local like = { dtype = v.input.weight.dtype }
  local small = SMALL[like.dtype]
  local z, noise = tensor.randn(n, v.dim, like), tensor.randn(n, v.dim, like)
  t.ok(v:runs_whole(z) and not layers:runs_whole(z))
  t.ok(apart(v(z, time, c), layers(z, time, c)) < small, "velocity")
  local div, out = flow.divergence(v, z, time, { labels = c })
  local want, same = flow.divergence(layers, z, time, { labels = c, method = "trace" })
  t.ok(apart(div, want) < small, "divergence")
  t.ok(apart(out, same) < small, "velocity beside the divergence")
  div, out = v:snapshot():trace(z, time, c)
  t.ok(apart(div, want) < small and apart(out, same) < small, "divergence of a snapshot")
  local o = { labels = c, method = "hutchinson", noise = noise }
  t.ok(apart((flow.divergence(v, z, time, o)), (flow.divergence(layers, z, time, o))) < small)
  local weight, u = tensor.rand(n, like), tensor.randn(n, v.dim, like):requires_grad_()
  local function loss(r) return tensor.grad((r * weight):sum(), { z, u }) end
  z:requires_grad_()
  local r = v:squared_residual(z, time, c, u)
  local plain = (layers(z, time, c) - u):square():sum(2)
  t.ok(apart(r, plain) < small, "residual")
  local got, expected = loss(r), loss(plain)
  for i = 1, 2 do t.ok(apart(got[i], expected[i]) < small, "gradient " .. i) end
end

t.test("sizes and types", function()
  for _, dtype in ipairs { "f32", "f64" } do
    for _, s in ipairs { { 1, 20, 0, 21 }, { 2, 16, 2, 150 }, { 3, 50, 1, 16 }, { 7, 32, 3, 61 },
                         { 2, 600, 1, 40 } } do
      local v, layers = pair { dim = s[1], hidden = s[2], blocks = s[3], dtype = dtype }
      check_all(v, layers, s[4], 0.3)
      check_all(v, layers, s[4], tensor.rand(s[4], { dtype = dtype }))
    end
  end
end)

t.test("labels, features, times in every form", function()
  local F64 = { dtype = "f64" }
  local v, layers = pair { dim = 2, hidden = 24, blocks = 2, classes = 3, dtype = "f64" }
  local labels = tensor.randint(1, 4, { 50 })
  for _, time in ipairs { 0.4, tensor.from({ 0.4 }, F64), tensor.rand(50, F64) } do
    check_all(v, layers, 50, time, labels)
    check_all(v, layers, 50, time, 2)
    check_all(v, layers, 50, time)
  end
  v, layers = pair { dim = 2, hidden = 24, blocks = 2, cond = 5, dtype = "f64" }
  check_all(v, layers, 50, 0.2, tensor.randn(50, 5, F64))
  check_all(v, layers, 50, 0.2)
  local z = tensor.randn(10, 6, 2, F64)
  t.ok(apart(v(z, tensor.linspace(0, 1, 10, F64)), layers(z, tensor.linspace(0, 1, 10, F64))) < 1e-12)
  t.raises("one for each of the 50 points", function() v(tensor.randn(50, 2, F64), tensor.rand(25, F64)) end)
end)

t.test("more points than modulations at a time", function()
  local v, layers = pair { dim = 2, hidden = 16, blocks = 1, classes = 2 }
  local n = 2500
  check_all(v, layers, n, tensor.rand(n), tensor.randint(1, 2, { n }))
  check_all(v, layers, n, tensor.rand(n), 1)
end)

t.test("the same bits for every number of threads, and for a part of the points", function()
  local v = pair { dim = 2, hidden = 40, blocks = 2 }
  local z, before = tensor.randn(1000, 2), tide.threads()
  local first
  for _, threads in ipairs { 1, 2, 5 } do
    tide.set_threads(threads)
    local y, div = v(z, 0.6), flow.divergence(v, z, 0.6)
    first = first or { y, div }
    t.ok(y:equal(first[1]) and div:equal(first[2]))
  end
  tide.set_threads(before)
  t.ok(v(z:narrow(1, 401, 300), 0.6):equal(first[1]:narrow(1, 401, 300)))
end)

t.test("likelihoods and samples by both ways", function()
  local v, layers = pair { dim = 2, hidden = 24, blocks = 2, dtype = "f64" }
  local y = tensor.randn(60, 2, { dtype = "f64" })
  local p, info = flow.log_likelihood(v, y, { steps = 5 })
  t.eq(info.nfe, 20)
  t.ok(apart(p, (flow.log_likelihood(layers, y, { steps = 5, divergence = "trace" }))) < 1e-12)
  t.ok(apart((flow.sample(v, y, { steps = 5 })), (flow.sample(layers, y, { steps = 5 }))) < 1e-12)
end)

t.test("losses and their gradients by both ways, also captured", function()
  local v, layers = pair { dim = 2, hidden = 24, blocks = 2, dtype = "f64" }
  local y, x0 = tensor.randn(60, 2, { dtype = "f64" }), tensor.randn(60, 2, { dtype = "f64" })
  for _, o in ipairs { { t = 0.3 }, { t = tensor.rand(60, { dtype = "f64" }), weight = "likelihood" },
                       { t = tensor.rand(12, { dtype = "f64" }), groups = 12 } } do
    o.x0 = x0
    local values = {}
    for i, f in ipairs { layers, v, tide.capture(function(x) return flow.align_loss(v, x, o) end) } do
      local at = y:detach():requires_grad_()
      local function step(x)
        local l = type(f) == "table" and f.forward and flow.align_loss(f, x, o) or f(x)
        return l, tensor.grad(l, x)
      end
      if i == 3 then
        step = tide.capture(function(x)
          x = x:detach():requires_grad_()
          local l = flow.align_loss(v, x, o)
          return l, tensor.grad(l, x)
        end)
        step(at)
        step(at)
      end
      values[i] = { step(at) }
    end
    for i = 2, 3 do
      t.ok(apart(values[i][1], values[1][1]) < 1e-12)
      t.ok(apart(values[i][2], values[1][2]) < 1e-12)
    end
  end
end)

t.test("gradients that it does not have are refused", function()
  local v = pair { dim = 2, hidden = 16, blocks = 1 }
  local y = tensor.randn(20, 2):requires_grad_()
  local g = tensor.grad(flow.align_loss(v, y, { t = 0.5 }), y, { create_graph = true })
  t.raises("fused = false", function() g:sum():backward() end)
  v.fused = false
  g = tensor.grad(flow.align_loss(v, y, { t = 0.5 }), y, { create_graph = true })
  g:sum():backward()
  v.fused = nil
  v:requires_grad_()
  t.ok(not v:squared_residual(y, 0.5, nil, y:detach()))
  flow.align_loss(v, y, { t = 0.5 }):backward()
  t.ok(v.output.weight.grad)
end)

t.test("a table over time is as good as it says", function()
  local v = pair { dim = 2, hidden = 32, blocks = 2, dtype = "f64" }
  local z, times = tensor.randn(300, 2, { dtype = "f64" }), tensor.rand(300, { dtype = "f64" })
  local last
  for _, nodes in ipairs { 9, 17, 33 } do                 -- cubic: errors fall by about 16
    local quick, error = v:tabulated { nodes = nodes }
    t.ok(apart(quick(z, times), v(z, times)) < 5 * error + 1e-15)
    t.ok(error > 0 and (not last or error < last / 8), "error " .. error)
    last = error
  end
  local quick = v:tabulated { nodes = 5 }
  t.ok(apart(quick(z, 0.25), v(z, 0.25)) < 1e-12)         -- at a node
  t.ok(apart(quick:clone()(z, times), v(z, times)) < 1e-12)
  t.raises("at least 4", function() v:tabulated { nodes = 3 } end)
end)

t.test("latents say how they found modulations", function()
  local v = pair { dim = 2, hidden = 32, blocks = 2 }
  local y = tensor.randn(64, 2)
  local ways = {}
  for _, how in ipairs { "auto", "table", "exact" } do
    tide.seed(3)
    ways[how] = flow.align(v, y, { steps = 20, conditioning = how })
  end
  t.eq(ways.auto.conditioning, "table")
  t.eq(ways.exact.conditioning, "exact")
  t.ok(ways.auto.table_error < 1e-5)
  t.ok(ways.auto.y:equal(ways.table.y))
  t.ok(apart(ways.table.y:detach(), ways.exact.y:detach()) < 1e-2)
  t.eq(flow.align(v, y, { steps = 1, loss = function(f, x) return f(x, 0.5):sum() end }).conditioning,
       "exact")
  t.eq(flow.align(v:clone():to("f64"), y:to("f64"), { steps = 1 }).conditioning, "exact")
  t.raises("conditioning is", function() flow.align(v, y, { conditioning = "fast" }) end)
  t.raises("a loss by name", function()
    flow.align(v, y, { conditioning = "table", loss = function(f, x) return f(x, 0.5):sum() end })
  end)
end)

t.test("snapshots keep the weights they were made of", function()
  local v = pair { dim = 2, hidden = 16, blocks = 1 }
  local z = tensor.randn(40, 2)
  local snap, before = v:snapshot(), v(z, 0.5)
  t.ok(snap(z, 0.5):equal(before) and snap(z, 0.5):equal(before))
  tide.no_grad(function() v.blocks[1].fc1.weight:mul_(2) end)
  t.ok(not v(z, 0.5):equal(before))
  t.ok(apart(snap:clone()(z, 0.5), v(z, 0.5)) < 1e-6)     -- a copy is no snapshot
end)

-- How much higher the peak of all memory is after f(n) than after f(few).
local function growth(f, few, n)
  for _ = 1, 2 do f(few) end
  local before = tide.memory().peak
  f(n)
  return (tide.memory().peak - before) / 1e6
end

t.test("memory does not grow with steps, draws or cells", function()
  local v = pair { dim = 2, hidden = 64, blocks = 2 }
  local z = tensor.randn(2000, 2)              -- 0.5 MB for each layer of each evaluation
  t.ok(growth(function(n) flow.log_likelihood(v, z, { steps = n }) end, 1, 20) < 16, "steps")
  local function landscape(cells, draws)
    draws = flow.draws(draws, 2)
    flow.landscape(function(p)
      return flow.align_loss(v, p, { draws = draws, reduction = "none" })
    end, { n = cells })
  end
  t.ok(growth(function(n) landscape(64, n) end, 2, 32) < 16, "draws")
  t.ok(growth(function(n) landscape(n, 1) end, 128, 512) < 16, "cells")   -- 67 MB for each layer
end)
