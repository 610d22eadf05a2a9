-- teach.lua -- documentation of what a person grabs: handles, controls, brushes, players.

local plot = require("tide").plot
for _, class in ipairs { "Handle", "Controls", "Brush", "Player", "Record" } do
  assert(plot[class])              -- loaded, so that what is public is known
end

local handle_kinds = "A person drags it at once, whatever the program is doing; the functions of on() are " ..
  "called at the next safe point: fig:due(), plot.wait, the prompt, tide.yield, a step of a progress " ..
  "bar, with the newest place. A function that takes longer than 30 ms is called when the hand rests."
local apart = "Callbacks have a random stream of their own and see no gradient mode or scope of the " ..
  "program, so what a person does changes no number of a training that goes on. One that fails is " ..
  "taken out and shown once."

return {
["topic.grab"] = { title = "Figures that a class drives: handles, controls, players", text = [[
  h = ax:handle{ x = 0, y = 1 }                 a point to drag
  h:on("drag", function(x, y) ... end)
  c = fig:controls{ lr = { 0.1, 1, log = true }, prior = { "mog", "rings" } }
  run = plot.player{ fig = fig, reset = f, step = g, draw = d, record = true }
  b = ax:brush{}                                paint a target: b:target()
  fig:state()                                   a string that brings all back

The same works in a window, in a notebook, and without either: c.lr = 0.1 does
what a hand does, run:run(100) what Play does. A control with a round arrow
starts the run again (live = false). Values change at once; functions of on()
are called at the next safe point: fig:due(), plot.wait, the prompt and
tide.yield.

  drag, arrows      move what is held, or has the focus (Tab; Shift-Tab back)
  double click      takes a slider or a handle back to its start; Backspace
  wheel             steps the slider or menu below the pointer
  right drag        takes ink away, of a brush; Shift and drag, too
  Space  .  ,       play or pause; one step; the next phase of a step
  r  m              from the beginning, same seed; slow motion
  [ ]  Home  End    through recorded steps; the first; what comes

fig:save{ "x.png", widgets = true } draws the controls, too, and the step that
the bar shows; fig:record{ path = "x.gif", every = 20 } a moving picture.
]] },

-- ---- handles ----
["plot.Axes.handle"] = {
  sig = "ax:handle{kind=, x=, y=, limits=, snap=, ...}",
  text = "A point, a line or a box in the axes that a person drags. " .. handle_kinds .. " " .. apart ..
    " Tab gives it the keys: arrows move it; a double click takes it back to where it began.",
  args = { { "ax", "Axes" },
    { "options.kind", "string", '"point" (x, y), "x" (a line at x), "y" (a line at y) or "rect" ' ..
      '(x0, y0, x1, y1) ["point"]', optional = true },
    { "options.x", "number", "units of the data, as y, x0, y0, x1, y1", optional = true },
    { "options.limits", "table", "{x0, x1, y0, y1} of a point and a rect, {lowest, highest} of a " ..
      "line", optional = true },
    { "options.snap", "number|table", "only multiples of this; {x, y} for one each", optional = true },
    { "options.color", "string", "of the theme when not given", optional = true },
    { "options.size", "number", "points across [9]", optional = true },
    { "options.label", "string", "beside it", optional = true },
    { "options.visible", "boolean", "[true]", optional = true },
    { "options.fixed", "boolean", "seen, but not to be moved [false]", optional = true } },
  returns = "Handle", errors = "An unknown kind or option; a place that is no number.",
  example = [[
local ax = plot.figure{}:axes{ xlim = {-3, 3}, ylim = {-3, 3} }
local z = ax:handle{ x = 1, y = 2, limits = {-3, 3, -3, 3}, label = "z" }
local arrow = ax:arrow({1, 2}, {0, 0})
z:on("drag", function(x, y) arrow:set{ from = {x, y}, to = {0, 0} } end)
z:drag(2, -1)
assert(arrow:get("from")[1][1] == 2 or arrow:get("from")[1] == 2)]] },
["plot.Handle"] = { text = "What ax:handle returns: get, set, on, drag, remove.",
  returns = "a class",
  example = 'assert(tostring(plot.figure{}:axes():handle{ x = 1, y = 2 }) == "handle (point): x 1, y 2")' },
["plot.Handle.get"] = { text = "Where it is: x, y of a point; x or y of a line; x0, y0, x1, y1 of a rect.",
  args = { { "handle", "Handle" } }, returns = "numbers", example = [[
local x, y = plot.figure{}:axes():handle{ x = 1, y = 2 }:get()
assert(x == 1 and y == 2)]] },
["plot.Handle.set"] = {
  text = "Moves it or changes its options; nothing is called. Limits and snap hold.",
  args = { { "handle", "Handle" }, { "options", "table", "as for ax:handle" } }, returns = "Handle",
  example = [[
local h = plot.figure{}:axes():handle{ kind = "x", x = 0, limits = {0, 1} }
assert(h:set{ x = 7 }:get() == 1)]] },
["plot.Handle.on"] = {
  sig = 'handle:on("press"|"drag"|"release"|"hover"|"leave", f)',
  text = "f(x, y) is called with what get() returns; nil instead of f takes all functions of this event out.",
  args = { { "handle", "Handle" }, { "event", "string" }, { "f", "function" } }, returns = "Handle",
  errors = "An unknown event: the message names the nearest one.", example = [[
local h, last = plot.figure{}:axes():handle{ x = 0, y = 0 }
h:on("release", function(x, y) last = x + y end)
h:drag(1, 2)
assert(last == 3)]] },
["plot.Handle.drag"] = { text = "Moves it as a person does: press, drag and release are called.",
  args = { { "handle", "Handle" }, { "...", "number", "as get() returns them" } }, returns = "Handle",
  example = "plot.figure{}:axes():handle{ kind = \"y\", y = 0 }:drag(1)" },
["plot.Handle.remove"] = { text = "Takes it out of its axes.", args = { { "handle", "Handle" } },
  returns = "nothing", example = "plot.figure{}:axes():handle{ x = 0, y = 0 }:remove()" },

-- ---- controls ----
["plot.Figure.controls"] = {
  sig = "fig:controls{name = {...}, ..., order=, hide=, columns=, side=}",
  text = "Controls below the axes, and the values a person gave them. { lo, hi, value=, log=, step=, " ..
    "integer=, format= } is a slider, { \"one\", \"two\", value= } a menu, true or false a toggle, a " ..
    "function or " ..
    "{ press=f, label= } a button, { text=\"...\", rows= } a text. live = false: the value starts a " ..
    "player " ..
    "" ..
    "again, is marked so, and is told when it is let go. A list of { name=\"lr\", 0, 1 } keeps its order. " ..
    "controls.lr is the value; controls.lr = 0.1 does what a person does. Tab and the arrows work too, a " ..
    "double click or Backspace takes a value back. " .. apart,
  args = { { "fig", "Figure" },
    { "list", "table", "nil: the controls that there are", optional = true },
    { "list.order", "table", "names that come first; the others follow by name", optional = true },
    { "list.hide", "table", "names of those that are not shown", optional = true },
    { "list.columns", "integer", "beside each other; as many as fit when not given", optional = true },
    { "list.side", "string", '"below" the axes or to their "right" ["below"]', optional = true } },
  returns = "Controls", errors = "What is not understood, a value out of its range, a name twice.",
  example = [[
local c = plot.figure{}:controls{
  lr = { 1e-4, 1e-1, value = 1e-2, log = true },
  target = { "moons", "rings", live = false }, order = { "target" },
}
local heard
c:on("lr", function(lr) heard = lr end)
c.lr = 0.05
assert(heard == 0.05 and c.target == "moons")]] },
["plot.Controls"] = { text = "What fig:controls returns: a table of values with the methods get, set, on, " ..
  "list, reset and change.", returns = "a class", example = [[
local text = ""
for name, value in pairs(plot.figure{}:controls{ a = { 1, 2, integer = true }, b = true }) do
  text = text .. name .. tostring(value)
end
assert(text == "a1btrue")]] },
["plot.Controls.get"] = { sig = "controls:get(name)", text = "The value; without a name a table of all.",
  args = { { "controls", "Controls" }, { "name", "string", "", optional = true } }, returns = "any",
  example = 'assert(plot.figure{}:controls{ a = true }:get().a == true)' },
["plot.Controls.set"] = {
  sig = "controls:set(name, value) or controls:set{name = value, ...}",
  text = "Does what a person does: the value changes and what hears it is called. Of a button: presses " ..
    "it. " ..
    "" ..
    "A text only changes.",
  args = { { "controls", "Controls" }, { "name", "string|table" }, { "value", "any", "", optional = true } },
  returns = "Controls", errors = "A value outside the range; a choice that is not there.", example = [[
local c = plot.figure{}:controls{ n = { 1, 64, integer = true }, says = { text = "" } }
c:set{ n = 8, says = "eight draws" }
assert(c.n == 8)]] },
["plot.Controls.on"] = {
  sig = "controls:on(name, f) or controls:on(f)",
  text = "f(value, controls) when it changes; f(controls) when a button is pressed; without a name " ..
    "f(name, value, controls) for all.",
  args = { { "controls", "Controls" }, { "name", "string", "", optional = true }, { "f", "function" } },
  returns = "Controls", example = [[
local c, heard = plot.figure{}:controls{ go = { press = function() end } }
c:on(function(name) heard = name end)
c:set "go"
assert(heard == "go")]] },
["plot.Controls.list"] = {
  text = "What there is, in order: { name, kind, label, value, start, min, max, step, log, integer, " ..
    "format, " ..
    "choices, live, hidden }, for whoever shows the controls in another way.",
  args = { { "controls", "Controls" } }, returns = "table",
  example = 'assert(plot.figure{}:controls{ a = { 0, 2 } }:list()[1].max == 2)' },
["plot.Controls.reset"] = { text = "Puts all values back to those of the beginning, as a person would.",
  args = { { "controls", "Controls" } }, returns = "Controls", example = [[
local c = plot.figure{}:controls{ a = { 0, 2, value = 1 } }
c.a = 2
assert(c:reset().a == 1)]] },
["plot.Controls.change"] = {
  text = "Changes how a control looks: label, hide, fixed (seen, but not to be moved), choices of a menu.",
  args = { { "controls", "Controls" }, { "name", "string" }, { "options", "table" } }, returns = "Controls",
  example = [[
local c = plot.figure{}:controls{ m = { "a", "b" } }
c:change("m", { choices = { "b", "c" } })
assert(c.m == "b")]] },

-- ---- brushes ----
["plot.Axes.brush"] = {
  sig = "ax:brush{size=, extent=, n=, erase=, color=}",
  text = "Lets a person paint a distribution into the axes: drag paints; right drag or Shift takes ink " ..
    "away. " ..
    "A stroke over a stroke adds nothing, so the shape does not depend on how slowly it was drawn. " .. apart,
  args = { { "ax", "Axes" },
    { "options.size", "number", "width of a stroke in units of x [a twelfth of the axes]", optional = true },
    { "options.extent", "table", "{x0, x1, y0, y1} of the sheet [what the axes show]", optional = true },
    { "options.n", "integer", "cells a side [96]", optional = true },
    { "options.erase", "boolean", "strokes take ink away [false]", optional = true },
    { "options.color", "string", "", optional = true },
    { "options.visible", "boolean", "[true]", optional = true } },
  returns = "Brush", errors = "An unknown option; an extent that is not {x0, x1, y0, y1}.", example = [[
local ax = plot.figure{}:axes{ xlim = {-2, 2}, ylim = {-2, 2} }
local brush = ax:brush{ size = 0.5 }
brush:stroke{ {-1, 0}, {1, 0} }
local target = brush:target()
assert(target:sample(100).shape[1] == 100)]] },
["plot.Brush"] = { text = "What ax:brush returns: stroke, clear, ink, empty, target, set, on, remove.",
  returns = "a class",
  example = "assert(plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{}:empty())" },
["plot.Brush.stroke"] = {
  sig = "brush:stroke(points [, {erase=}])", text = "A stroke through points, as a hand would make it.",
  args = { { "brush", "Brush" }, { "points", "table|tensor", "n x 2" },
    { "options.erase", "boolean", "takes ink away", optional = true } }, returns = "Brush",
  example = "plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{}:stroke{ {0.2, 0.2}, {0.8, 0.8} }" },
["plot.Brush.clear"] = { text = "Takes all ink away.", args = { { "brush", "Brush" } }, returns = "Brush",
  example = "assert(plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{}:clear():empty())" },
["plot.Brush.ink"] = { text = "How much ink each cell has, 0 to 1: (n,n), the first row is the lowest.",
  args = { { "brush", "Brush" } }, returns = "Tensor",
  example = "assert(plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{ n = 8 }:ink():numel() == 64)" },
["plot.Brush.empty"] = { text = "Is there no ink?", args = { { "brush", "Brush" } }, returns = "boolean",
  example = "assert(plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{}:empty())" },
["plot.Brush.target"] = {
  sig = "brush:target([{name=}])",
  text = "What was painted as a target like those of flow.targets, with an exact density, constant on " ..
    "each " ..
    "" ..
    "cell. It lies where it was painted: nothing is scaled.",
  args = { { "brush", "Brush" }, { "options.name", "string", '["drawn"]', optional = true } },
  returns = "a target", errors = "Nothing is painted yet.", example = [[
local brush = plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{ n = 32 }
local t = brush:stroke{ {0.5, 0.2}, {0.5, 0.8} }:target()
assert(t:nll(t:sample(20)):isfinite():all():item())]] },
["plot.Brush.set"] = { text = "Changes size, erase, color or visible.",
  args = { { "brush", "Brush" }, { "options", "table" } }, returns = "Brush",
  example = "plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{}:set{ size = 0.2, erase = true }" },
["plot.Brush.on"] = { sig = 'brush:on("press"|"drag"|"release", f)',
  text = "f(brush) is called while a person paints and when a stroke ends.",
  args = { { "brush", "Brush" }, { "event", "string" }, { "f", "function" } }, returns = "Brush",
  example = 'plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{}:on("release", print)' },
["plot.Brush.remove"] = { text = "Takes the brush and its ink out of its " ..
  "axes.", args = { { "brush", "Brush" } },
  returns = "nothing", example = "plot.figure{}:axes{ xlim = {0, 1}, ylim = {0, 1} }:brush{}:remove()" },

-- ---- players ----
["plot.player"] = {
  sig = "plot.player{reset=, step=, draw=, fig=, seed=, phases=, stop=, record=, slow=}",
  text = "A run that a class drives: buttons and keys to play and pause (Space), make one step (.), go to " ..
    "the " ..
    "next phase of a step (,), run in slow motion (m), begin again with the same seed (r), and a bar to " ..
    "go " ..
    "" ..
    "back through recorded steps ([ ], Home, End). All steps draw from a random stream of the player's " ..
    "own, so a run is the same by buttons, by jobs, or by run:run(n) without a window. reset and step get " ..
    "the figure's controls; a control with live = false makes a reset.",
  args = {
    { "options.reset", "function", "reset(controls, run): makes everything anew" },
    { "options.step", "function", "step(controls, run): one step; run:note(phase, text) says what it does" },
    { "options.draw", "function", "draw(controls, run): brings the figure up to date, as often as it is " ..
      "shown",
      optional = true },
    { "options.fig", "Figure", "that shows the buttons; none when not given", optional = true },
    { "options.seed", "integer", "[1]", optional = true },
    { "options.phases", "table", "names of the parts of a step", optional = true },
    { "options.stop", "integer|function", "so many steps, or stop(run) is true", optional = true },
    { "options.record", "table|boolean", "{ every=1, keep=500, memory=256 }: pictures of so many steps, " ..
      "up " ..
      "to " ..
      "so many MB of data; when there are more, every second one goes", optional = true },
    { "options.slow", "number", "seconds of a phase in slow motion [1.25]", optional = true },
    { "options.name", "string", 'of its job ["player"]', optional = true } },
  returns = "Player", errors = "A figure has one player.", example = [[
local fig = plot.figure{}
local points = fig:axes{ xlim = {-4, 4}, ylim = {-4, 4} }:scatter{}
local c = fig:controls{ speed = { 0, 1, value = 0.1 } }
local x
local run = plot.player{ fig = fig, seed = 7, stop = 100,
  reset = function() x = tensor.randn(50, 2) end,
  step = function(c) x = x * (1 - c.speed) end,
  draw = function() points:set{ xy = x } end }
run:run(20)
assert(run.steps == 20)]] },
["plot.Player"] = { text = "What plot.player returns. Fields: steps (how many are done), seed, playing, " ..
  "slow, over (stop is reached), phase, job.", returns = "a class", example = [[
local run = plot.player{ reset = function() end, step = function() end }
assert(run.steps == 0 and not run.playing)]] },
["plot.Player.play"] = { text = "Plays, in a job, until it is paused, stops, or its window is closed.",
  args = { { "run", "Player" } }, returns = "Player", example = [[
local run = plot.player{ reset = function() end, step = function() end, stop = 5 }
run:play()
tide.wait_all()
assert(run.steps == 5)]] },
["plot.Player.pause"] = { text = "Pauses.", args = { { "run", "Player" } }, returns = "Player",
  example = "plot.player{ reset = function() end, step = function() end }:pause()" },
["plot.Player.step"] = { sig = "run:step([n])", text = "Pauses and makes one step, or n. The rest of a " ..
  "step that was " ..
  "begun by phase counts as one.", args = { { "run", "Player" }, { "n", "integer", "[1]", optional = true } },
  returns = "Player", example = "assert(plot.player{ reset = function() end, step = function() end " ..
    "}:step(2).steps == 2)" },
["plot.Player.next_phase"] = { text = "Goes on to the next run:note of the step, or to its end.",
  args = { { "run", "Player" } }, returns = "Player", example = [[
local run = plot.player{ phases = { "look", "move" }, reset = function() end,
  step = function(_, run) run:note("look", "around") run:note("move") end }
run:next_phase()
assert(run.phase == 1 and run.steps == 0)]] },
["plot.Player.note"] = {
  sig = "run:note(phase [, text])",
  text = "In a step: says which phase it is in, and a text for people. In slow motion, and when it goes " ..
    "by " ..
    "" ..
    "phase, the step stops here until it is time to go on.",
  args = { { "run", "Player" }, { "phase", "string", "one of phases; nil: only the text" },
    { "text", "string", "", optional = true } }, returns = "nothing",
  errors = "A phase that is not in phases.", example = [[
local run = plot.player{ phases = { "move" }, reset = function() end,
  step = function(_, run) run:note("move", "downhill") end }
assert(run:step().steps == 1)]] },
["plot.Player.reset"] = { sig = "run:reset([seed])", text = "Begins again, with the same seed or with " ..
  "another one.",
  args = { { "run", "Player" }, { "seed", "integer", "", optional = true } }, returns = "Player",
  example = "assert(plot.player{ reset = function() end, step = function() end }:reset(3).seed == 3)" },
["plot.Player.run"] = { sig = "run:run([n])", text = "Makes n steps, or all up to stop, with a progress " ..
  "bar; without a " ..
  "window, too.", args = { { "run", "Player" }, { "n", "integer", "", optional = true } }, returns = "Player",
  errors = "Neither n nor a stop.", example = [[
local run = plot.player{ stop = 10, reset = function() end, step = function() end }
assert(run:run().steps == 10 and run.over)]] },
["plot.Player.slow_motion"] = { sig = "run:slow_motion([on])", text = "Each phase lasts as long as option " ..
  "slow says.",
  args = { { "run", "Player" }, { "on", "boolean", "[true]", optional = true } }, returns = "Player",
  example = "assert(plot.player{ reset = function() end, step = function() end }:slow_motion().slow)" },
["plot.Player.frames"] = { text = "The steps whose pictures are kept.", args = { { "run", "Player" } },
  returns = "table", example = [[
local run = plot.player{ fig = plot.figure{}, record = true, reset = function() end, step = function() end }
if plot.can_save then assert(#run:run(3):frames() == 4) end]] },
["plot.Player.seek"] = { sig = "run:seek(step)", text = "Shows what the axes showed at this step, or at " ..
  "the last one kept before it, as the bar does; handles and controls stay as they are. Files show it " ..
  "with widgets = true.",
  args = { { "run", "Player" }, { "step", "number" } }, returns = "Player", errors = "Nothing was recorded.",
  example = [[
local run = plot.player{ fig = plot.figure{}, record = true, reset = function() end, step = function() end }
run:run(3):seek(1)
if plot.can_save then assert(run:shown() == 1) end]] },
["plot.Player.follow"] = { text = "Shows what comes, after seek.", args = { { "run", "Player" } },
  returns = "Player", example = "plot.player{ reset = function() end, step = function() end }:follow()" },
["plot.Player.shown"] = { text = "The step that is seen: that of the bar, or the newest.",
  args = { { "run", "Player" } }, returns = "number",
  example = "assert(plot.player{ reset = function() end, step = function() end }:shown() == 0)" },
["plot.Player.on"] = { sig = 'run:on("play"|"pause"|"reset"|"step"|"seek", f)',
  text = "f(run) is called after each of these; of seek f(run, step), with infinity for the newest.",
  args = { { "run", "Player" }, { "event", "string" }, { "f", "function" } }, returns = "Player",
  example = [[
local run, count = plot.player{ reset = function() end, step = function() end }, 0
run:on("step", function() count = count + 1 end)
run:run(3)
assert(count == 3)]] },

-- ---- state and recordings ----
["plot.Figure.state"] = {
  sig = "fig:state() or fig:state(text)",
  text = "All that a person can set, as one short string: values of controls, places of handles, limits " ..
    "of axes that a person chose in the window, what brushes painted, seed and step of the player. With " ..
    "the string it is brought back, in this figure or in one made by the same script: everyone in a class " ..
    "starts from the same place. A player is reset and makes its steps again, all of them with the values " ..
    "of the string: what was changed on the way is not in it.",
  args = { { "fig", "Figure" }, { "text", "string", "", optional = true } }, returns = "string or Figure",
  errors = "A string that is damaged or of another figure; nothing is changed then.", example = [[
local fig = plot.figure{}
local c = fig:controls{ lr = { 0, 1, value = 0.5 } }
local text = fig:state()
assert(text == "tide1;c.lr=0.5")
c.lr = 1
fig:state(text)
assert(c.lr == 0.5)]] },
["plot.Figure.record"] = {
  sig = "fig:record{path=, every=, fps=, scale=}",
  text = "A moving picture: one frame for each so many calls of fig:due(), taken when it is called again. " ..
    "At " ..
    "these calls due() is true, with or without a window, so the file is the same wherever the script " ..
    "runs. " ..
    "rec:frame() takes one at once, rec:close() writes the file; local rec <close> does so at the end " ..
    "of a " ..
    "block.",
  args = { { "fig", "Figure" },
    { "options.path", "string", 'ends in ".gif", or in ".mp4", which needs ffmpeg' },
    { "options.every", "integer", "calls of due() for a frame [1]", optional = true },
    { "options.fps", "number", "frames a second [20]", optional = true },
    { "options.scale", "number", "pixels per point [2]", optional = true },
    { "options.widgets", "boolean", "of .mp4: with the controls [false]", optional = true } },
  returns = "Record", errors = "No ffmpeg; a figure that changes its size.", example = [[
if plot.can_save then
  local fig = plot.figure{ size = {60, 40} }
  local line = fig:axes():line{}
  local path = os.tmpname()
  do
    local rec <close> = fig:record{ path = path .. ".gif", every = 2, scale = 1 }
    for i = 1, 6 do
      line:push(i)
      if fig:due() then assert(i % 2 == 1) end
    end
  end
  os.remove(path .. ".gif")
  os.remove(path)
end]] },
["plot.Record"] = { text = "What fig:record returns. Fields: count (frames so far), path.",
  returns = "a class",
  example = 'assert(not pcall(function() plot.figure{}:record{ path = "run.avi" } end))' },
["plot.Record.frame"] = { text = "A frame of what the figure shows now.", args = { { "rec", "Record" } },
  returns = "Record", example = [[
if plot.can_save then
  local path = os.tmpname()
  plot.figure{ size = {40, 40} }:record{ path = path .. ".gif" }:frame():close()
  os.remove(path .. ".gif")
  os.remove(path)
end]] },
["plot.Record.close"] = { text = "Writes the file.", args = { { "rec", "Record" } }, returns = "Record",
  example = [[
if plot.can_save then
  local path = os.tmpname()
  plot.figure{ size = {40, 40} }:record{ path = path .. ".gif" }:frame():close()
  os.remove(path .. ".gif")
  os.remove(path)
end]] },
}
