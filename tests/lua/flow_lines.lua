-- flow_lines.lua -- the ops of a step of flow matching: lines between noise and data drawn in one
-- pass, strata, points of mixtures, the squared error; all against the same in plain ops.
local tide = require "tide"
local t = require "tests.check"
local tensor, flow = tide.tensor, tide.flow

local KINDS = { { 5, 2 }, { 7, 3 }, { 33, 2, 3 }, { 300, 40 }, { 1, 1 }, { 0, 2 }, { 3, 0 } }

local function column(time, x)
  local shape = { time:size(1) }
  for d = 2, x:dim() do shape[d] = 1 end
  return time:reshape(shape)
end

-- rand, randn and the line between, as plain ops.
local function plain(x1, eps)
  local spec = { dtype = x1.dtype }
  local time = tensor.rand(x1:size(1), spec)
  if eps > 0 then time = time * (1 - eps) end
  local x0 = tensor.randn(x1.shape, spec)
  local u = x1 - x0
  return x0 + u * column(time, x1), u, time, x0
end

for _, dtype in ipairs { "f32", "f64" } do
  t.test("a drawn line is its noise and times, bit by bit: " .. dtype, function()
    for _, shape in ipairs(KINDS) do
      for _, eps in ipairs { 0, .125, .3 } do
        local x1 = tensor.randn(shape, { dtype = dtype })
        tide.seed(5)
        tensor.rand(3)
        local z, u, time, x0 = plain(x1, eps)
        local after = tensor.rand(1):item()
        tide.seed(5)
        tensor.rand(3)
        local z2, u2, time2 = x1:line_draw(eps)
        t.eq(tensor.rand(1):item(), after)             -- the stream stands where it stood
        t.ok(z:equal(z2) and u:equal(u2) and time:equal(time2))
        local z3, u3 = x0:line_points(x1, time)
        t.ok(z:equal(z3) and u:equal(u3))
      end
    end
  end)
end

t.test("lines by groups, by one time, and their errors", function()
  local x0, x1, time = tensor.randn(12, 3), tensor.randn(12, 3), tensor.rand(4)
  local each = time:unsqueeze(2):expand(4, 3):reshape(12)
  t.ok(x0:line_points(x1, time):equal((x0:line_points(x1, each))))
  t.ok(x0:line_points(x1, tensor.from(.5)):equal(x0 + (x1 - x0) * .5))
  t.ok(flow.path.linear():at(x0, x1, time):equal((flow.path.linear():at(x0, x1, each))))
  local cos = flow.path.trigonometric()
  t.ok(cos:at(x0, x1, time):equal((cos:at(x0, x1, each))))
  t.raises("groups of equal size of the 12 points", function() x0:line_points(x1, tensor.rand(5)) end)
  t.raises("one shape", function() x0:line_points(tensor.zeros(12, 2), time) end)
  t.raises("eps must lie in", function() x0:line_draw(1) end)
  t.raises("one shape", function() x0:squared_error(tensor.zeros(12, 2)) end)
end)

t.test("gradients reach data through a drawn line", function()
  local x1 = tensor.randn(6, 2, { dtype = "f64" }):requires_grad_(true)
  local function value(f)
    tide.seed(2)
    x1.grad = nil
    local z, u, time = f(x1, .1)
    ;(z:square():sum() + (u * z:cos()):sum() + time:sum()):backward()
    return x1.grad
  end
  local a = value(plain)
  local b = value(function(x, eps) return x:line_draw(eps) end)
  t.ok((a - b):abs():max():item() < 1e-14)
end)

t.test("the mean of squared errors takes any size", function()
  for _, shape in ipairs { { 1, 1 }, { 3, 5000 }, { 20000, 2 }, { 40, 3, 17 }, { 9 } } do
    local a, b = tensor.randn(shape, { dtype = "f64" }), tensor.randn(shape, { dtype = "f64" })
    local each = (a - b):square():reshape(shape[1], a:numel() // shape[1]):sum(2)
    t.ok((a:squared_error(b) - each):abs():max():item() < 1e-12 * a:numel())
    t.near(a:squared_error(b, true):item(), each:mean():item(), 1e-12 * a:numel())
    local f = a:to("f32"):squared_error(b:to("f32"), true):item()
    t.near(f, each:mean():item(), 1e-5 * each:mean():item())
  end
  t.ok(tensor.zeros(0, 2):squared_error(tensor.zeros(0, 2), true):isnan():item())
end)

t.test("losses are those of plain ops with the same draws", function()
  local v = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1, dtype = "f64" }
  tide.no_grad(function() for _, p in ipairs(v:parameters()) do p:normal_(0, .3) end end)
  local x1 = tensor.randn(10, 2, { dtype = "f64" })
  local function gradient_of(f)
    for _, p in ipairs(v:parameters()) do p.grad = nil end
    tide.seed(3)
    local value = f()
    value:backward()
    local list = { value:item() }
    for _, p in ipairs(v:parameters()) do list[#list + 1] = p.grad:norm():item() end
    return tensor.from(list, { dtype = "f64" })
  end
  local want = gradient_of(function()
    local z, u, time = plain(x1, 0)
    return (v(z, time) - u):square():sum(2):mean()
  end)
  local ours = gradient_of(function() return flow.matching_loss(v, x1) end)
  t.ok((ours - want):abs():max():item() < 1e-12)
  tide.seed(3)
  local each = flow.matching_loss(v, x1, { reduction = "none" })
  t.eq(each.shape, { 10 })
  t.near(each:mean():item(), want:get(1), 1e-12)
  tide.seed(3)
  t.near(flow.align_loss(v, x1):item(), want:get(1), 1e-12)
  tide.seed(3)
  local r, used = flow.residual(v, x1)
  t.near(r:mean():item(), want:get(1), 1e-12)
  t.ok(used.x0:line_points(x1, used.t):equal(used.z))
  tide.seed(3)
  local one = flow.align_loss(v, x1, { samples = 3, eps = .1, weight = function(s) return s + 1 end })
  tide.seed(3)
  local rows = flow.align_loss(v, x1, { samples = 3, eps = .1, reduction = "none",
                                        weight = function(s) return s + 1 end })
  t.eq(rows.shape, { 10 })
  t.near(one:item(), rows:mean():item(), 1e-12)
end)

t.test("strata are rand and randperm, bit by bit", function()
  for _, dtype in ipairs { "f32", "f64" } do
    for _, n in ipairs { 0, 1, 7, 100, 1025, 3000 } do
      for _, eps in ipairs { 0, .3 } do
        local spec = { dtype = dtype }
        tide.seed(4)
        local want = (tensor.rand(n, spec) + (tensor.randperm(n) - 1)) / n
        if eps > 0 then want = want * (1 - eps) end
        local after = tensor.rand(1):item()
        tide.seed(4)
        t.ok(tensor.empty(n, spec):strata(eps):equal(want))
        t.eq(tensor.rand(1):item(), after)
      end
    end
  end
end)

t.test("points of a mixture are what their draws say", function()
  local means = tensor.randn(4, 3, { dtype = "f64" })
  local steps = tensor.from({ .1, .5, .6, .9999 }, { dtype = "f64" })
  for _, n in ipairs { 0, 1, 5, 400 } do
    tide.seed(6)
    local u = tensor.rand(n, { dtype = "f64" })
    local pick = u:unsqueeze(2):gt(steps:unsqueeze(1)):sum(2):clamp { max = 3 } + 1
    local noise = tensor.randn(n, 3, { dtype = "f64" })
    local want = noise * means:cos():index_select(1, pick) + means:index_select(1, pick)
    local after = tensor.rand(1):item()
    tide.seed(6)
    local y, from = steps:mixture_draw(means, means:cos(), n)
    t.ok(y:equal(want) and from:equal(pick))
    t.eq(tensor.rand(1):item(), after)
  end
  t.raises("means (K,D)", function() steps:mixture_draw(means:narrow(1, 1, 3), means, 5) end)
  t.raises("strata: needs a vector", function() means:strata() end)
end)

-- Samples that the library gave before these draws were one op: seed 11, three points.
t.test("targets give the samples they always gave", function()
  local before = {
    mog = { 1.23780984, 0.32800346, -1.37414859, 0.335270726, -1.54043109, 0.260489688 },
    grid = { 1.2765435, 0.378819941, -0.472412631, -0.507427365, -0.578203056, 0.335867071 },
    gaussian = { -0.670834758, -0.747756708, -0.30281863, -0.69585805, -1.49031321, -1.22990148 },
    moons = { 1.94237149, -0.187208259, 0.117030061, -0.966283017, 0.310372916, -0.854082166 },
    rings = { 0.965787638, -0.85528243, -1.16432945, 1.52420481, -1.51436104, 1.28812532 },
    spiral = { 0.981859673, -1.64226529, 0.239366283, -1.20060723, 0.881765441, -0.884705975 },
    swissroll = { -1.902513, 0.722838374, 0.381381798, -1.02282218, 0.965428642, -0.506701697 },
    checkerboard = { 1.37195043, 0.999922114, -0.506747372, 1.39413641, -0.361631019, 1.44307826 },
  }
  for name, want in pairs(before) do
    local x = flow.targets[name]():sample(3, { generator = tide.generator(11), dtype = "f64" })
    for i, v in ipairs(want) do
      t.near(x:flatten():get(i), v, 1e-8, name)
    end
  end
end)
