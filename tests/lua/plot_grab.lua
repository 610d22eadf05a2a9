-- plot_grab.lua -- controls, handles and players as models, without any window.
local t = require "tests.check"
local tide = require "tide"
local plot = tide.plot
local event = require "tide.plot.event"
local grab = require "tide.plot.grab"

local function controls(o)
  local fig = plot.figure { size = { 300, 200 } }
  fig:axes():line { y = { 1, 2 } }
  return fig:controls(o), fig
end

---- controls ----

t.test("names of controls are their own business", function()
  local c = plot.figure {}:controls { slow = function() end, any = { 0, 1 }, what = { "a", "b" } }
  local heard = {}
  for _, name in ipairs { "slow", "any", "what" } do c:on(name, function() heard[#heard + 1] = name end) end
  c.any = 1
  c.what = "b"
  table.sort(heard)
  t.eq(heard, { "any", "what" })
end)

t.test("a step cannot run its own player", function()
  local run
  run = plot.player { reset = function() end, step = function() run:run(1) end }
  t.raises("cannot run the player that runs it", function() run:run(1) end)
end)

t.test("controls have values, kinds and an order", function()
  local c = controls { lr = { 1e-4, 1e-1, value = 1e-2, log = true }, noise = true,
    data = { "moons", "rings", value = "rings" }, n = { 1, 64, value = 8, integer = true },
    go = function() end, says = { text = "hello" }, order = { "n", "lr" } }
  t.eq(c.lr, 1e-2)
  t.eq(c.noise, true)
  t.eq(c.data, "rings")
  t.eq(c.n, 8)
  t.eq(math.type(c.n), "integer")
  t.eq(c.says, "hello")
  t.eq(c.go, nil)
  local names, kinds = {}, {}
  for i, s in ipairs(c:list()) do names[i], kinds[i] = s.name, s.kind end
  t.eq(table.concat(names, " "), "n lr data go noise says")
  t.eq(table.concat(kinds, " "), "slider slider menu button toggle text")
  local lr = c:list()[2]
  t.eq(lr.min, 1e-4)
  t.eq(lr.max, 1e-1)
  t.eq(lr.start, 1e-2)
  t.eq(lr.live, true)
  t.eq(lr.log, true)
end)

t.test("a list keeps its order", function()
  local c = controls { { name = "b", 0, 1 }, { name = "a", "x", "y" } }
  t.eq(c:list()[1].name .. c:list()[2].name, "ba")
  t.eq(c.a, "x")
  t.eq(c.b, 0)
end)

t.test("set does what a person does: callbacks, once for each value", function()
  local c = controls { a = { 0, 1, value = 0.5 }, b = { "x", "y" } }
  local heard = {}
  c:on("a", function(v, all) heard[#heard + 1] = ("a=%g b=%s"):format(v, all.b) end)
  c:on(function(name, v) heard[#heard + 1] = name .. ":" .. tostring(v) end)
  c:set("a", 0.25)
  c.b = "y"
  c:set { a = 1, b = "x" }
  c:set("a", 1)
  t.eq(table.concat(heard, " "), "a=0.25 b=x a:0.25 b:y a=1 b=y a:1.0 b:x")
  c:reset()
  t.eq(c.a, 0.5)
end)

t.test("values stay inside, on steps and whole", function()
  local c = controls { a = { 0, 1, step = 0.25 }, n = { 2, 10, integer = true } }
  t.eq(c:set("a", 0.3).a, 0.25)
  t.eq(c:set("n", 3.6).n, 4)
  t.raises("controls: a: 1.5 is not between 0 and 1", function() c.a = 1.5 end)
  t.raises("a number is needed", function() c.a = "x" end)
end)

t.test("a button is pressed, and hears", function()
  local pressed = 0
  local c = controls { go = { label = "Go", press = function() pressed = pressed + 1 end } }
  c:set("go")
  c:on("go", function(all) pressed = pressed + (all == c and 10 or 0) end)
  c:set("go")
  t.eq(pressed, 12)
end)

t.test("menus change their choices", function()
  local c = controls { m = { "a", "b" } }
  c:change("m", { choices = { "b", "c" } })
  t.eq(c.m, "b")
  c.m = "c"
  c:change("m", { choices = { "x" } })
  t.eq(c.m, "x")
end)

t.test("what is wrong with controls", function()
  local cases = {
    { { a = { 1, 0 } }, "a slider is" }, { { a = { 0, 1, log = true } }, "begins above 0" },
    { { a = { 0, 1, value = 2 } }, "not between" }, { { a = { 0, 1, stop = 1 } }, "did you mean 'step'" },
    { { a = { "x", "y", value = "z" } }, "there is no choice 'z'" },
    { { set = true }, "cannot be called 'set'" },
    { { ["a b"] = true }, "is no name" }, { { a = 3 }, "a table, a boolean or a function" },
    { { a = { 0, 1, kind = "slidr" } }, "did you mean 'slider'" }, { { a = {} }, "not understood" },
    { { hide = { "q" } }, "hide names 'q'" }, { { order = { "q" } }, "order names 'q'" },
    { { { 0, 1 } }, "needs a name" }, { { a = { 0, 1, format = "%d" } }, "format is" },
    { { a = { 0, 1, integer = true, value = 0 }, b = { 0.5, 1, integer = true } }, "whole numbers" },
  }
  for _, case in ipairs(cases) do
    t.raises(case[2], function() controls(case[1]) end)
  end
  local c = controls { lambda = { 0, 1 } }
  t.raises("did you mean 'lambda'", function() return c.lamda end)
  t.raises("did you mean 'lambda'", function() c:on("lamda", print) end)
  t.raises("needs a function", function() c:on("lambda", 3) end)
  t.raises("this figure has none", function() plot.figure {}:controls() end)
end)

---- handles ----

t.test("handles of four kinds", function()
  local ax = plot.figure {}:axes { xlim = { 0, 1 }, ylim = { 0, 1 } }
  local p = ax:handle { x = 0.5, y = 0.25 }
  local x = ax:handle { kind = "x", x = 0.3 }
  local y = ax:handle { kind = "y", y = 0.7, limits = { 0, 0.5 } }
  local r = ax:handle { kind = "rect", x0 = 0, y0 = 0.1, x1 = 0.2, y1 = 0.3 }
  t.eq({ p:get() }, { 0.5, 0.25 })
  t.eq({ x:get() }, { 0.3 })
  t.eq({ y:get() }, { 0.5 })
  t.eq({ r:get() }, { 0, 0.1, 0.2, 0.3 })
  p:set { x = 0.75 }
  t.eq({ p:get() }, { 0.75, 0.25 })
  t.eq(tostring(p), "handle (point): x 0.75, y 0.25")
end)

t.test("limits and snap hold for scripts and hands", function()
  local ax = plot.figure {}:axes {}
  local p = ax:handle { x = 5, y = 5, limits = { 0, 1, -1, 1 }, snap = { 0.5, 0.25 } }
  t.eq({ p:get() }, { 1, 1 })
  p:drag(0.6, -0.4)
  t.eq({ p:get() }, { 0.5, -0.5 })
end)

t.test("a drag is press, drag, release", function()
  local ax = plot.figure {}:axes {}
  local p = ax:handle { x = 0, y = 0 }
  local heard = {}
  for _, what in ipairs { "press", "drag", "release" } do
    p:on(what, function(x, y) heard[#heard + 1] = ("%s %g %g"):format(what, x, y) end)
  end
  p:drag(1, 2)
  t.eq(table.concat(heard, ", "), "press 0 0, drag 1 2, release 1 2")
end)

t.test("what is wrong with handles", function()
  local ax = plot.figure {}:axes {}
  t.raises("did you mean 'point'", function() ax:handle { kind = "pont" } end)
  t.raises("a point needs x, y as numbers", function() ax:handle { x = 1 } end)
  t.raises("limits are {x0, x1, y0, y1}", function() ax:handle { x = 1, y = 1, limits = { 0, 1 } } end)
  t.raises("snap is", function() ax:handle { x = 1, y = 1, snap = -1 } end)
  t.raises("did you mean 'color'", function() ax:handle { x = 1, y = 1, colour = "red" } end)
  local p = ax:handle { x = 1, y = 1 }
  t.raises("there is no event 'drop'", function() p:on("drop", print) end)
  p:remove()
  t.raises("was removed from its figure", function() p:get() end)
end)

---- the queue ----

t.test("500 motions are one drag; presses and releases all arrive", function()
  local ax = plot.figure {}:axes {}
  local p = ax:handle { x = 0, y = 0 }
  local drags, last, ends = 0, nil, 0
  p:on("drag", function(x) drags, last = drags + 1, x end)
  p:on("release", function() ends = ends + 1 end)
  for k = 1, 3 do
    grab.post(p.fig, p.serial, "press", 0, 0)
    for i = 1, 500 do grab.post(p.fig, p.serial, "drag", i, k) end
    grab.post(p.fig, p.serial, "release", 500, k)
  end
  t.ok(grab.pending())
  event.poll()
  t.ok(not grab.pending())
  t.eq(drags, 3)
  t.eq(last, 500)
  t.eq(ends, 3)
end)

t.test("the queue is bounded, and what fits stays in order", function()
  local fig = plot.figure {}
  local p = fig:axes {}:handle { x = 0, y = 0 }
  local heard = 0
  p:on("press", function() heard = heard + 1 end)
  for i = 1, 1000 do grab.post(fig, p.serial, "press", i, 0) end
  event.poll()
  t.eq(heard, 256)
end)

t.test("a failing callback is taken out and shown once; others go on", function()
  local fig = plot.figure {}
  local p = fig:axes {}:handle { x = 0, y = 0 }
  local bad, good = 0, 0
  p:on("drag", function() bad = bad + 1 error "no such thing" end)
  p:on("drag", function() good = good + 1 end)
  local text = {}
  local stderr = io.stderr
  io.stderr = { write = function(_, ...) text[#text + 1] = table.concat { ... } end }
  for i = 1, 3 do
    grab.post(fig, p.serial, "drag", i, 0)
    event.poll()
  end
  io.stderr = stderr
  t.eq(bad, 1)
  t.eq(good, 3)
  t.eq(#text, 1)
  t.ok(text[1]:find "handle: on%('drag'%) failed and is taken out: .*no such thing.*traceback", text[1])
end)

t.test("callbacks draw from a stream of their own and keep what they make", function()
  local tensor = tide.tensor
  local fig = plot.figure {}
  local p = fig:axes {}:handle { x = 0, y = 0 }
  local made, recorded
  p:on("drag", function()
    made = tensor.randn(3):requires_grad_()
    recorded = (made * 2).requires_grad
  end)
  tide.seed(3)
  local expected = tensor.randn(4):totable()
  tide.seed(3)
  tide.no_grad(function()
    tide.scope(function()
      grab.post(fig, p.serial, "drag", 1, 1)
      event.poll()
    end)
  end)
  t.eq(made.shape, { 3 })
  t.ok(recorded)
  t.eq(tensor.randn(4):totable(), expected)
end)

t.test("nothing is heard inside a job; whoever waits for it hears", function()
  local fig = plot.figure {}
  local p = fig:axes {}:handle { x = 0, y = 0 }
  local heard, inside = 0, nil
  p:on("drag", function() heard = heard + 1 end)
  local job = tide.spawn(function()
    grab.post(fig, p.serial, "drag", 1, 1)
    event.poll()
    inside = heard
    repeat tide.yield() until heard > 0
  end)
  job:wait(10)
  t.eq(inside, 0)
  t.eq(heard, 1)
end)

t.test("slow callbacks get the newest place when the hand rests", function()
  local fig = plot.figure {}
  local p = fig:axes {}:handle { x = 0, y = 0 }
  local heard = {}
  p:on("drag", function(x)
    heard[#heard + 1] = x
    local from = tide.clock()
    repeat until tide.clock() - from > 0.05
  end)
  local function drag(x, time)
    grab.post(fig, p.serial, "drag", x, 0, 0, 0, time)
    event.poll()
  end
  drag(1, 0)
  drag(2, tide.clock() + 3600) -- the hand moves still
  drag(3, tide.clock() + 3600)
  t.eq(heard, { 1 })
  drag(4, 0)
  t.eq(heard, { 1, 4 })
  drag(5, tide.clock() + 0.2)
  repeat event.poll() until #heard > 2
  t.eq(heard, { 1, 4, 5 })
end)

---- players ----

local function walk(o)
  o = o or {}
  local log = {}
  o.reset = o.reset or function(p, run) log.x = p.start or 0 end
  o.step = o.step or function()
    log.x = log.x + tide.tensor.randn(1):item()
    log[#log + 1] = log.x
  end
  return plot.player(o), log
end

t.test("a player runs headless, and the same again after a reset", function()
  local run, log = walk { seed = 7 }
  run:run(5)
  t.eq(run.steps, 5)
  local first = log[5]
  tide.tensor.randn(100)
  run:reset()
  t.eq(run.steps, 0)
  run:step():step(4)
  t.eq(log[10], first)
  run:reset(8):run(5)
  t.ok(log[15] ~= first)
end)

t.test("a run is the same by job, by steps and by run", function()
  local run, log = walk { seed = 3, stop = 20 }
  run:run()
  t.eq(run.steps, 20)
  local expected = log[20]
  run:reset()
  run:play()
  t.ok(run.playing)
  tide.wait_all()
  t.eq(run.steps, 20)
  t.eq(log[40], expected)
  t.ok(run.over and not run.playing)
end)

t.test("phases: a step goes from note to note", function()
  local seen = {}
  local run
  run = plot.player { phases = { "encode", "align" }, reset = function() end,
    step = function(_, r)
      r:note("encode", "to latents")
      seen[#seen + 1] = "a"
      r:note("align", "one step down")
      seen[#seen + 1] = "b"
    end }
  run:next_phase()
  t.eq({ #seen, run.phase, run.caption, run.steps }, { 0, 1, "to latents", 0 })
  run:next_phase()
  t.eq({ #seen, run.phase, run.steps }, { 1, 2, 0 })
  run:step()
  t.eq({ #seen, run.steps }, { 2, 1 })
  run:step()
  t.eq({ #seen, run.steps }, { 4, 2 })
  t.raises("did you mean 'align'", function() run:note("algin") end)
end)

t.test("a control that resets starts the run again; one that is live does not", function()
  local fig = plot.figure {}
  fig:axes {}
  local c = fig:controls { sigma = { 0, 1, value = 0.5, live = false }, lr = { 0, 1, value = 0.1 } }
  local resets, rates = 0, {}
  local run = plot.player { fig = fig, reset = function(p) resets = resets + 1 t.ok(p.sigma) end,
    step = function(p) rates[#rates + 1] = p.lr end }
  t.eq(resets, 1)
  run:run(2)
  c.lr = 0.7
  run:run(1)
  t.eq(rates, { 0.1, 0.1, 0.7 })
  c.sigma = 0.25
  tide.wait_all()
  t.eq(resets, 2)
  t.eq(run.steps, 0)
end)

t.test("buttons: play, pause, step, phase, reset, slow", function()
  local fig = plot.figure {}
  fig:axes {}
  local heard = {}
  local run = plot.player { fig = fig, reset = function() end, step = function() end, stop = 30 }
  for _, what in ipairs { "play", "pause", "reset" } do
    run:on(what, function() heard[#heard + 1] = what end)
  end
  local function press(what)
    grab.post(fig, run.serial, what)
    event.poll()
    tide.wait_all()
  end
  press "step"
  t.eq(run.steps, 1)
  press "play"
  t.eq(run.steps, 30)
  press "reset"
  t.eq(run.steps, 0)
  press "slow"
  t.ok(run.slow)
  t.eq(table.concat(heard, " "), "play pause reset")
end)

t.test("slow motion rests after each phase", function()
  local run = plot.player { phases = { "a", "b" }, slow = 0.02, stop = 2, reset = function() end,
    step = function(_, r) r:note "a" r:note "b" end }
  local from = tide.clock()
  run:slow_motion():play()
  tide.wait_all()
  t.eq(run.steps, 2)
  t.ok(tide.clock() - from >= 0.1)
end)

t.test("an error in a step ends the playing, not the player", function()
  local n = 0
  local function step()
    n = n + 1
    if n == 3 then error "oh" end
  end
  local run = plot.player { reset = function() end, step = step }
  t.raises("oh", function() run:run(5) end)
  run:run(2)
  t.eq(run.steps, 4)
  n = 0
  run:play()
  t.raises("oh", function() run.job:wait() end)
  t.ok(not run.playing)
end)

t.test("what is wrong with players", function()
  t.raises("reset must be a function", function() plot.player { step = print } end)
  t.raises("did you mean 'phases'", function() plot.player { phase = {} } end)
  t.raises("needs a stop", function() walk():run() end)
  t.raises("nothing was recorded", function() walk():seek(1) end)
  t.raises("there is no event", function() (walk()):on("end", print) end)
  local fig = plot.figure {}
  walk { fig = fig }
  t.raises("has a player already", function() walk { fig = fig } end)
end)

---- brushes ----

t.test("a brush paints, erases and becomes a target where it was painted", function()
  local ax = plot.figure {}:axes { xlim = { 1, 5 }, ylim = { -2, 2 } }
  local b = ax:brush { n = 40, size = 0.5 }
  t.ok(b:empty())
  t.raises("nothing is painted yet", function() b:target() end)
  b:stroke { { 2, 0 }, { 4, 0 } }
  local ink = b:ink()
  t.eq(ink.shape, { 40, 40 })
  t.eq(ink[20][20]:item(), 1.0)
  t.eq(ink[20][2]:item(), 0.0)
  t.eq(ink[35][20]:item(), 0.0)
  local target = b:target()
  local y = target:sample(2000)
  t.near(y:mean(1):totable()[1], 3, 0.1)
  t.near(y:mean(1):totable()[2], 0, 0.05)
  t.ok(y:select(2, 1):min():item() > 1.6 and y:select(2, 1):max():item() < 4.4)
  t.ok(target:nll(y):isfinite():all():item())
  t.ok(target:nll(tide.tensor.from { { 2, 1.5 } }):item() == math.huge)
  b:stroke({ { 3, -1 }, { 3, 1 } }, { erase = true })
  t.eq(b:ink()[20][20]:item(), 0.0)
  t.ok(not b:empty())
  t.ok(b:clear():empty())
end)

t.test("the density of a painted target sums to one", function()
  local ax = plot.figure {}:axes { xlim = { 0, 2 }, ylim = { 0, 1 } }
  local b = ax:brush { n = 16, size = 0.4 }
  b:stroke { { 0.5, 0.5 }, { 1.5, 0.7 } }
  local points = {}
  for i = 1, 160 do
    for j = 1, 160 do points[#points + 1] = { (i - 0.5) / 80, (j - 0.5) / 160 } end
  end
  local p = b:target():log_prob(tide.tensor.from(points)):exp():sum():item() / 80 / 160
  t.near(p, 1, 1e-4)
end)

---- state ----

local function lab()
  local fig = plot.figure { cols = 2 }
  local ax = fig:axes { xlim = { 0, 1 }, ylim = { 0, 1 } }
  fig:axes {}
  local c = fig:controls { lr = { 1e-4, 1, value = 0.01, log = true }, exact = false,
    target = { "moons", "five Gaussians; 5" }, go = function() end }
  local h = ax:handle { x = 0.5, y = 0.5 }
  local b = ax:brush { n = 12 }
  local sum = 0
  local run = plot.player { fig = fig, seed = 1, reset = function() sum = 0 end,
    step = function(p) sum = sum + p.lr * tide.tensor.rand(1):item() end }
  return fig, c, h, b, run, function() return sum end
end

t.test("a state brings everything back in another figure", function()
  local fig, c, h, b, run, sum = lab()
  c:set { lr = 0.123456789012345, exact = true, target = "five Gaussians; 5" }
  h:drag(0.1, 1 / 3)
  b:stroke { { 0.2, 0.2 }, { 0.8, 0.8 } }
  run:reset(7):run(12)
  grab.look(fig, 1, { -1, 2, 0.5, 0.75 })
  local text = fig:state()
  t.ok(#text < 500, text)
  local fig2, c2, h2, b2, run2, sum2 = lab()
  fig2:state(text)
  t.eq(c2:get(), c:get())
  t.eq({ h2:get() }, { h:get() })
  t.eq({ run2.seed, run2.steps }, { 7, 12 })
  t.eq(sum2(), sum())
  t.near(b2:ink(), b:ink(), 0.04)
  t.eq(grab.views(fig2), { { -1, 2, 0.5, 0.75 }, false })
  t.eq(fig2:state(), text)
end)

t.test("a foreign or damaged state says so and changes nothing", function()
  local fig, c, h = lab()
  local before = fig:state()
  for text, why in pairs {
    ["hello"] = "it is not from fig:state()", ["tide1;c.lr"] = "was a part of the string lost",
    ["tide1;c.rate=1"] = "no control 'rate'", ["tide1;c.lr=5"] = "is not between",
    ["tide1;c.lr=x"] = "for a number", ["tide1;c.target=rings"] = "has no choice 'rings'",
    ["tide1;h.2=1,2"] = "no handle 2", ["tide1;h.1=1"] = "has 1 numbers, not 2",
    ["tide1;v.9=0,1,0,1"] = "no axes 9", ["tide1;q=3"] = "'q' is not understood",
    ["tide1;c.lr=0.5;c.rate=1"] = "no control 'rate'", ["tide1;p=1,-3"] = "p has a seed and a step",
  } do
    t.raises(why, function() fig:state(text) end)
  end
  t.eq(fig:state(), before)
  t.raises("a string of fig:state() is needed", function() fig:state(3) end)
end)
