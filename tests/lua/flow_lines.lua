-- flow_lines.lua -- the ops of a step of flow matching: lines between noise and data drawn in one
-- pass, the squared error; the losses made of them against the same in plain ops.
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
