-- live.lua -- figures of tensors that a device still works on; run by tests/shell/gpu_live.sh.
local tide = require "tide"
local tensor, plot = tide.tensor, tide.plot
local late = require "tide.plot.late"
local t = require "tests.check"

local function there(x) return x:to "cuda" end

-- A loop that changes figures in every way; what they hold and show at its end.
local function loop(device)
  tide.seed(2)
  tide.set_device(device)
  local fig = plot.figure { cols = 2 }
  local ax, map = fig:axes {}, fig:axes { xlim = { 0, 5 }, ylim = { 0, 4 } }
  local x = tensor.randn(40, 2)
  local points = ax:scatter(x)
  local line = ax:line { label = "loss" }
  local counts = ax:histogram { x = x:select(2, 1), bins = tensor.linspace(-2, 2, 9), alpha = 0.3 }
  local heat = map:heatmap { z = tensor.rand(3, 4), x = tensor.arange(4), y = tensor.arange(3) }
  map:contour { z = tensor.rand(3, 4), x = tensor.arange(4), y = tensor.arange(3), levels = tensor.linspace(0.2, 0.8, 3) }
  local field = map:quiver { field = function(p) return p * 0.1 end, n = 3, extent = { 0, 4, 0, 3 } }
  for i = 1, 12 do
    x = x * 0.9
    points:set { x = x:select(2, 1), y = x:select(2, 2) }
    points:set { xy = x + 1 }
    if i % 3 == 0 then points:set { c = x:select(2, 1), cmap = "viridis" } end
    if i % 4 == 0 then points:set { c = tensor.rand(40, 3), size = 3 + i } end
    line:push(i, x:narrow(1, i, 1):narrow(2, 1, 1))
    line:push(x:abs():max())
    counts:set { x = x:select(2, 2):to "f64" }
    heat:set { z = tensor.rand(3, 4), vmin = 0, vmax = 1 }
    field:set { field = function(p) return p * (0.02 * i) end }
    ax:scatter(x:narrow(1, i, 3), { id = "few" })
    x:mul_(0.99)                       -- what was set stays as it was
    if i % 2 == 0 then fig:due() end
  end
  tide.set_device "cpu"
  return points:get "x", points:get "c", line:get "x", line:get "y", heat:get "z", field:get "u",
    plot.can_save and fig:render {}
end
t.test("a figure holds and shows the same, wherever its tensors are", function()
  local here, far = table.pack(loop "cpu"), table.pack(loop "cuda")
  for i = 1, here.n - 1 do t.eq(far[i], here[i]) end
  t.ok(far[here.n] == here[here.n], "the pictures differ")
end)

t.test("a loop shows values while it runs, each of one moment", function()
  local fig = plot.figure {}
  local line = fig:axes {}:line { x = { 0, 0 }, y = { 0, 0 } }
  local seen, last = 0, 0
  local core = require "tide.plot.window"
  local x = there(tensor.zeros(2))
  for _ = 1, 60 do
    x:add_(1)
    line:set { x = x, y = x * 2 }
    if core.changes(fig) ~= last then seen, last = seen + 1, core.changes(fig) end
  end
  assert(seen > 3, seen)
  t.eq(line:get "x", { 60, 60 })
  t.eq(line:get "y", { 120, 120 })
  t.eq(late.arrive(), false)
end)

t.test("what is set later on the host counts; all in order", function()
  local ax = plot.figure {}:axes {}
  local points = ax:scatter(there(tensor.ones(4, 2)), { color = "red" })
  points:set { xy = there(tensor.ones(2, 2)) }
  points:set { x = { 5, 6, 7 }, y = { 1, 2, 3 } }
  t.eq(points:get "x", { 5, 6, 7 })
  t.eq(late.arrive(), false)
  points:set { xy = there(tensor.ones(2, 2)) }
  points:set { y = { 3, 4 }, label = "later" }
  t.eq(points:get "label", "later")
  t.eq(points:get "x", { 1, 1 })
  t.eq(points:get "y", { 3, 4 })
  points:push(there(tensor.full({}, 8)), 9)
  points:push(10)
  points:set { marker = "square" }
  t.eq(points:get "x", { 1, 1, 8, 4 })
  t.eq(points:get "y", { 3, 4, 9, 10 })
end)

t.test("errors of shape are at the call, of values where they come in", function()
  local fig = plot.figure {}
  local ax = fig:axes {}
  local points = ax:scatter(there(tensor.ones(4, 2)))
  t.raises("xy must be n x 2", function() points:set { xy = there(tensor.ones(4, 3)) } end)
  t.raises("c has 5 values and x has 4", function() points:set { c = there(tensor.ones(5)) } end)
  t.raises("one element", function() ax:line {}:push(1, there(tensor.ones(2))) end)
  t.raises("cannot grow", function() ax:heatmap { z = there(tensor.ones(2, 2)) }:push(there(tensor.ones(1))) end)
  t.raises("levels must be finite", function()
    ax:contour { z = there(tensor.ones(2, 2)), levels = there(tensor.full({ 2 }, 0 / 0)) }
    ax:get "xlim"
  end)
  points:set { c = there(tensor.full({ 4, 3 }, 2)) }
  t.raises("parts of a colour are numbers from 0 to 1", points.get, points, "c")
  t.eq(points:get "y", { 1, 1, 1, 1 })
end)

t.test("who looks at a figure waits for what is to come", function()
  local fig = plot.figure {}
  local ax = fig:axes {}
  local function line(v) return ax:line { x = { 0, 1 }, y = there(tensor.full({ 2 }, v)), id = "line" } end
  line(1)
  assert(late.arrive() == true)
  for name, look in pairs {
    limits = function() return ax:get "ylim" end, box = function() ax:box() end,
    state = function() fig:state() end, wait = function() plot.wait(plot.figure {}) end,
    get = function() line(3):get "y" end,
  } do
    line(2)
    look()
    if late.arrive() then error(name .. " does not wait") end
  end
  if not plot.can_save then return end
  line(4)
  local before = fig:render { wait = false }
  assert(late.arrive() == true)
  assert(fig:render {} ~= before)
  t.eq(late.arrive(), false)
end)

t.test("artists and figures that go take what is to come with them", function()
  local fig = plot.figure {}
  local ax = fig:axes {}
  ax:scatter(there(tensor.ones(4, 2))):remove()
  ax:scatter(there(tensor.ones(4, 2)))
  ax:clear()
  for _ = 1, 3 do plot.figure {}:axes {}:line { y = there(tensor.ones(3)) } end
  collectgarbage()
  late.settle()
  t.eq(#ax:artists(), 0)
  t.eq(late.arrive(), false)
end)
