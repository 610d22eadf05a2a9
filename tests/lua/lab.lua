-- lab.lua -- the lab without a window: what it shows and says against closed forms.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local model = require "tide.lab.model"
local targets = require "tide.lab.target"
local F64 = { dtype = "f64" }

local function worst(a, b) return (a - b):abs():max():item() end
local function mean(x) return x:mean():item() end
local function model_of(o)
  o.latents = o.latents or 100
  return model.new(o)
end
local function run(m, steps)
  for _ = 1, steps do m:step() end
  return m:numbers()
end

-- The same mixture by the library's own formulas.
local function oracle(field)
  return flow.exact.mixture { means = field.means, std = field.std,
                              weights = field.log_weights:exp() }
end

for _, name in ipairs(targets.names) do
  t.test(name .. ": field, divergence and density are those of flow.exact.mixture", function()
    local field = targets.make(name).field
    local want = oracle(field)
    local z = tensor.randn(50, 2, F64)
    local times = tensor.rand(50, F64)
    t.ok(worst(field(z, times), want(z, times)) < 1e-9)
    t.ok(worst(field(z, 0.3), want(z, 0.3)) < 1e-9)
    t.ok(worst(field:divergence(z, times), want:divergence(z, times)) < 1e-9)
    t.ok(worst(field:log_prob(z), want:log_prob(z)) < 1e-9)
    t.ok(worst(field(z:to "f32", 0.9):to "f64", want(z, 0.9)) < 1e-3)
  end)

  t.test(name .. ": the density is that of the samples", function()
    local target = targets.make(name)
    local n, cells = 100000, 24
    local side = 6 / cells
    local x = target:sample(n, { generator = tide.generator(3) })
    local at = ((x + 3) / side):floor():clamp(0, cells - 1)
    local cell = at:select(2, 2) * cells + at:select(2, 1)
    local fine = 8                       -- points of the integral over a cell, per side
    local line = (tensor.arange(1, cells * fine, F64) - 0.5) * (side / fine) - 3
    local p = target.field:nll(tensor.stack({
      line:unsqueeze(1):expand(cells * fine, cells * fine):flatten(),
      line:unsqueeze(2):expand(cells * fine, cells * fine):flatten() }, 2)):neg():exp()
    p = p * (side / fine) ^ 2
    t.near(p:sum():item(), 1, 1e-3)
    p = p:reshape(cells, fine, cells, fine):sum { 2, 4 }:flatten()
    local seen = tensor.zeros(cells * cells, F64)
      :scatter_add(1, (cell + 1):to "i64", tensor.full({ n }, 1 / n, F64))
    -- half the sum of differences; what chance makes of it is below 0.02
    t.ok(worst(seen, p) < 0.004)
    t.ok((seen - p):abs():sum():item() / 2 < 0.03)
  end)
end

t.test("maps are what they are called", function()
  local m = model_of { target = "mog" }
  local field = oracle(m.target.field)
  local points = tensor.from { { 0, 1.4 }, { 0.5, -0.5 }, { -1.3, 0.4 }, { 2, 2 } }
  local function at(kind, time) return m:values(kind, points, time) end
  local wide = points:to "f64"
  t.ok(worst(at "nll", field:nll(wide):to "f32") < 1e-3)
  t.ok(worst(at "log_p", -at "nll") < 1e-3)
  -- the loss and C by many independent draws
  local s = flow.surrogate(field, wide, { samples = 4000 })
  t.ok(worst(at "align" / s.align, 1) < 0.06, "alignment loss")
  t.ok(worst(at "C", s.C) < 0.4, "C")
  t.ok(worst(at "bound", at "C" - at "align") < 1e-4)
  -- R(y, 0) = |y - E x1|^2, and R(y, 1) = d = 2
  local centre = field.means:mean(1, true)
  t.ok(worst(at("residual", 0), (wide - centre):square():sum(2):to "f32") < 1e-3)
  t.ok(worst(at("residual", 1), 2) < 0.1)
  -- by default the loss in use is the alignment loss
  t.ok(worst(at "loss", at "align") < 1e-5)
end)

t.test("weighted by t / (1 - t) the loss is the NLL plus a constant", function()
  local m = model_of { target = "draw", points = tensor.from { { 0.3, -0.2 } },
                       width = 0.8, loss = "likelihood", to = 0.95 }
  local points = tensor.randn(60, 2, { generator = tide.generator(5) })
  local loss, nll = m:values("loss", points), m:values("nll", points)
  t.ok(tide.metrics.pearson(loss, nll) > 0.999)
end)

t.test("a map of cells: row = y, computed once, finer ones replace coarser ones", function()
  local m = model_of { target = "moons" }
  local coarse = m:map("nll", 8)
  local side = 5 / 8
  local point = tensor.from { { -2.5 + 2.5 * side, -2.5 + 6.5 * side } }
  t.near(coarse.z:get(7, 3), m.target:nll(point):item(), 1e-3)
  local fine = m:map("nll", 16)
  t.eq(fine.n, 16)
  t.ok(m:map("nll", 8) == fine and m:known_map "nll" == fine)
  t.ok(m:known_map "C" == nil)
end)

t.test("the floor is the mean conditional variance of the exact field", function()
  local m = model_of { target = "grid" }
  local field, n = oracle(m.target.field), 20000
  local x1 = field:sample(n, F64)
  local time = (tensor.arange(1, n, F64) - 0.5) / n
  local z = x1 * time:unsqueeze(2) + tensor.randn(n, 2, F64) * (1 - time):unsqueeze(2)
  t.near(m:numbers().floor, mean(field:conditional_variance(z, time)), 0.08)
end)

t.test("the alignment loss collapses, the excess does not, and the words say so", function()
  local m = model_of { target = "mog", latents = 200 }
  local start = m:numbers()
  t.ok(start.nll > start.data_nll + 3)
  local r = run(m, 250)
  t.ok(r.align < 0.95 * r.floor and r.spread < 0.5, ("spread %.2f"):format(r.spread))
  local words = require "tide.lab.words"
  local said = words.of(m, "loss", 0.5, r)
  t.ok(said[2]:find "collapse" and said[2]:find(("L = %.2f"):format(r.align), 1, true)
    and said[2]:find(("%.0f %% of the spread"):format(100 * r.spread), 1, true), said[2])
  t.ok(not m:set { loss = "excess" }, "a loss is changed while latents move")
  t.eq(m:numbers().step, 250)
  r = run(m, 350)
  t.ok(r.spread > 0.7 and r.align > 0.95 * r.floor, ("spread %.2f"):format(r.spread))
  t.ok(not words.of(m, "loss", 0.5, r)[2]:find "collapse")
end)

t.test("the loss of a poor flow leads latents off rings, which the words say", function()
  local m = model_of { target = "rings", field = "trained", flow_steps = 100 }
  m:train()
  local r = run(m, 200)
  t.ok(r.align < r.floor and r.nll > r.data_nll + 3)
  local said = require("tide.lab.words").of(m, "nll", 0.5, r)
  t.ok(said[2]:find "does not mean", said[2])
end)

t.test("the same options give the same numbers, whatever is asked in between", function()
  local a, b = model_of { draws = 2 }, model_of { draws = 2 }
  tide.seed(99)
  for _ = 1, 20 do
    a:step()
    a:map("loss", 8)
    a:probe(1, 1)
  end
  run(b, 20)
  t.ok(a.y:equal(b.y))
  b:reset()
  t.ok(b.steps == 0 and not a.y:equal(b.y))
  run(b, 20)
  t.ok(a.y:equal(b.y))
  local c = model_of { draws = 2, seed = 2 }
  run(c, 20)
  t.ok(not a.y:equal(c.y))
end)

t.test("a flow is trained once and kept at stages", function()
  local a = model_of { field = "trained", flow_steps = 30 }
  t.eq({ a:trained() }, { 0, false })
  local stages = {}
  a:train(function(s) stages[#stages + 1] = s end)
  t.eq(stages, { 10, 30 })
  t.eq({ a:trained() }, { 30, true })
  t.ok(a:set { flow_steps = 10 }, "another field starts anew")
  t.eq({ a:trained() }, { 10, true })
  local b = model_of { field = "trained", flow_steps = 10 }
  b:train()
  local z = tensor.randn(5, 2)
  t.ok(a:field()(z, 0.4):equal(b:field()(z, 0.4)))
  t.eq({ a:set { field = "exact" }, a:trained() }, { true, math.huge, true })
end)

t.test("a point: its loss, the way down, its path and R(y, t)", function()
  local m = model_of { target = "mog", from = 0.1, to = 0.8 }
  local p = m:probe(0.7, 0.9, { -1, 0.5 })
  local function loss(x, y) return m:values("loss", tensor.from { { x, y } }):item() end
  t.near(p.loss / loss(0.7, 0.9), 1, 0.05)
  local h = 1e-2
  t.near(p.down[1], -(loss(0.7 + h, 0.9) - loss(0.7 - h, 0.9)) / (2 * h), 0.3)
  t.near(p.down[2], -(loss(0.7, 0.9 + h) - loss(0.7, 0.9 - h)) / (2 * h), 0.3)
  t.near(p.straight[1], 1.7, 1e-5)
  local field = oracle(m.target.field)
  for i, time in ipairs(p.t) do
    local z = { -1 + 1.7 * time, 0.5 + 0.4 * time }
    t.near(p.path[i][1], z[1], 1e-5)
    t.near(p.velocity[i][2], field(tensor.from({ z }, F64), time):get(1, 2), 1e-3)
  end
  local k = #p.curve.t // 2
  local want = m:values("residual", tensor.from { { 0.7, 0.9 } }, p.curve.t[k]):item()
  t.near(p.curve.r[k] / want, 1, 0.05)
  -- data on average: the integral is the floor
  local c = m:residuals_of_data()
  t.near(mean(tensor.from(c.r)), m:numbers().floor, 0.15)
end)

t.test("C - L exceeds log p nearly everywhere, and the share is counted right", function()
  local m = model_of { target = "mog" }
  m:map("bound", 24)
  m:map("log_p", 24)
  local points = m:map("bound", 24).points
  local share = mean(m:values("bound", points, nil, 16):gt(m:values("log_p", points)):to "f32")
  t.ok(share > 0.9)
  local said = require("tide.lab.words").of(m, "bound", 0.5, m:numbers())
  t.ok(said[1]:find(("%.0f %%"):format(100 * share), 1, true), said[1])
end)

t.test("what cannot be is said", function()
  t.raises("did you mean 'rings'", function() model.new { target = "ring" } end)
  t.raises("one of 10, 30", function() model.new { flow_steps = 50 } end)
  t.raises("must be larger", function() model.new { from = 0.5, to = 0.5 } end)
  t.raises("points", function() model.new { target = "draw" } end)
  t.raises("(N, 2)", function() model.new { target = "draw", points = tensor.zeros(3, 3) } end)
  t.raises("rate", function() model.new { rate = 1 } end)
  local m = model_of {}
  t.raises("did you mean 'draws'", function() m:set { draw = 2 } end)
  t.raises("did you mean 'nll'", function() m:map("nl", 8) end)
  t.ok(not pcall(m.set, m, { lr = 7 }) and m.o.lr == 0.02, "nothing is changed then")
end)

t.test("tide lab --save draws what the model says", function()
  local plot = tide.plot
  if not plot.can_save then t.skip "no drawing in this build" end
  local lab = require "tide.lab"
  local file = os.tmpname() .. ".png"
  local said, old = {}, print
  print = function(...) said[#said + 1] = table.concat({ ... }, "\t") end
  t.ok(not lab.main { "--save", file, "--point", "0,2.6" })
  t.ok(not io.open(file))
  local ok = lab.main { "--save", file, "--steps", "20", "--latents", "50", "--point", "0.5,1",
                        "--map", "residual", "--time=0.3", "--target=spiral" }
  print = old
  t.ok(ok)
  local f = assert(io.open(file, "rb"))
  t.eq(f:read(8), "\137PNG\r\n\26\n")
  f:close()
  os.remove(file)
  local text = table.concat(said, "\n")
  t.ok(text:find "One time of the loss" and text:find "The point", text)
  t.eq(plot.theme(), "paper")
end)

t.test("the window's controls and its state as a text, without a window", function()
  local lab = tide.lab { latents = 50, seed = 3, target = "moons", lr = 0.05 }
  t.eq({ lab.model.o.seed, lab.model.o.lr, lab.model.o.target }, { 3, 0.05, "moons" })
  lab.player:run(10)
  lab.handle:drag(1, 0.5)
  t.near(lab.model.y:get(1, 1), 1, 1e-6)
  lab.controls:set("map", "C - L")
  t.eq(lab.view.kind, "bound")
  lab.controls:set("from", 0.4)
  t.near(lab.model.o.from, 0.4)
  lab.controls:set("to", 0.2)
  t.ok(lab.model.o.from < 0.2 and lab.controls.from < 0.2, "times stay in order")
  local other = tide.lab { latents = 50 }
  other.fig:state(lab.fig:state())
  tide.wait_all()
  t.eq({ other.model.o.target, other.model.o.seed, other.view.kind, other.model.steps },
    { "moons", 3, "bound", 10 })
  other.controls:set("target", "draw")
  tide.wait_all()
  t.eq(other.model.o.target, "moons", "nothing is drawn yet")
  other.brush:stroke { { -1, -1 }, { 1, 1 } }
  other.brush.calls:call("release")
  tide.wait_all()
  t.eq({ other.model.target.name, other.model.steps }, { "draw", 0 })
  t.ok(tide.metrics.pearson(other.model.data:select(2, 1), other.model.data:select(2, 2)) > 0.9)
end)

t.test("examples/lab.lua is tide lab", function()
  local program = arg[-1] or "tide"
  local text, status = t.shell(program .. " examples/lab.lua --help")
  t.ok(status == 0 and text:find "Ten minutes" and text:find "tide lab", text)
  text, status = t.shell("TIDE_HEADLESS=1 " .. program .. " lab --seed 2")
  t.ok(status == 1 and text:find "--save", text)
  text, status = t.shell(program .. " lab --flow-steps 50 --save x.png")
  t.ok(status == 1 and text:find "tide lab: flow_steps is one of 10, 30", text)
end)

t.test("the picture follows the model", function()
  local m = model_of { target = "mog" }
  local view = require("tide.lab.view").new(m)
  run(m, 10)
  view:choose("C")
  view:show_point(m:probe(0.5, 0.5))
  view:finish(40)
  t.eq(#view.map:get "z", 40)
  t.near(view.map:get("z")[3][5], m:known_map("C").z:get(3, 5), 1e-4)
  t.eq(#view.left:get "x", 100)
  t.near(view.left:get("x")[7], m.y:get(7, 1), 1e-5)
  t.eq(view.align:get("x"), { 0, 5, 10 })
  t.ok(view.point:get "visible")
  -- true data stand at the same height on both axes of the curves
  local y, y2 = view.curve_axes:get "ylim", view.curve_axes:get "y2lim"
  local r = m:numbers()
  t.near((r.floor - y[1]) / (y[2] - y[1]), (r.data_nll - y2[1]) / (y2[2] - y2[1]), 1e-6)
  view:show_point(nil)
  t.ok(not view.point:get "visible" and not view.field:get "visible")
  view:show_curves(2)
  t.ok(view.now:get "visible" and view.now:get("x")[1] == 5)
end)
