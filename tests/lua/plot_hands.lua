-- plot_hands.lua -- pointer and keys on handles, controls, brushes and players without a window;
-- recorded steps and moving pictures.
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

---- recorded steps ----

t.test("frames are the pictures of their steps, thinned when there are too many", function()
  if not plot.can_save then t.skip "no drawing" end
  local function made(keep)
    local fig = plot.figure { size = { 200, 120 } }
    local line = fig:axes { xlim = { 0, 100 }, ylim = { 0, 1 } }:line {}
    local run = plot.player { fig = fig, reset = function() line:set { x = {}, y = {} } end,
      step = function(_, r) line:push(r.steps + 1, 1 / (r.steps + 1)) end, record = { keep = keep } }
    return fig, run
  end
  local fig, run = made(500)
  run:run(10)
  local at10 = fig:render { format = "rgba" }
  run:run(30)
  t.eq(#run:frames(), 41)
  t.eq(run:shown(), 40)
  run:seek(10)
  t.eq(run:shown(), 10)
  local at40 = fig:render { format = "rgba" }
  t.ok(at40 ~= at10)
  local small = fig:render { format = "png", widgets = true }
  run:follow()
  t.ok(fig:render { format = "png", widgets = true } ~= small)
  local _, thinned = made(16)
  thinned:run(200)
  local frames = thinned:frames()
  t.ok(#frames <= 16 and #frames >= 8, #frames)
  t.eq(frames[1], 0)
  for i = 2, #frames do t.ok(frames[i] > frames[i - 1]) end
  t.ok(frames[#frames] >= 180, frames[#frames])
  thinned:reset()
  t.eq(thinned:frames(), { 0 })
end)

t.test("frames keep to their memory", function()
  if not plot.can_save then t.skip "no drawing" end
  local fig = plot.figure {}
  local hm = fig:axes {}:heatmap { z = tide.tensor.zeros(64, 64) }
  local run = plot.player { fig = fig, reset = function() end,
    step = function() hm:set { z = tide.tensor.rand(64, 64) } end, record = { memory = 1 } }
  run:run(100)
  local frames, bytes = grab.frames(fig)
  t.ok(bytes <= 1e6 and bytes > 2e5, bytes)
  t.ok(#frames >= 8)
end)

---- pointer and keys, without a window ----

-- What a person does, at places in points of a window: input("press", {x, y}).
local function hands(fig)
  return function(kind, at, o)
    local e = { kind = kind, x = at and at[1], y = at and at[2] }
    for k, v in pairs(o or {}) do e[k] = v end
    local taken = grab.input(fig, e)
    event.poll()
    return taken
  end
end

local function middle(fig, serial, u, part)
  local x0, y0, x1, y1 = grab.place(fig, serial, part)
  return { x0 + (u or 0.5) * (x1 - x0), (y0 + y1) / 2 }
end

local ESCAPE, TAB, BACKSPACE, LEFT, RIGHT, UP, HOME, END = 27, 9, 8, 256, 257, 258, 260, 261

t.test("a slider is dragged, told at once or when it is let go", function()
  if not plot.can_save then t.skip "no drawing" end
  local c, fig = controls { { name = "a", 0, 1, value = 0.5 },
    { name = "b", 0, 1, value = 0.5, live = false } }
  local input, heard = hands(fig), {}
  c:on(function(name, v) heard[#heard + 1] = ("%s %.1f"):format(name, v) end)
  local a, b = 1, 2
  t.ok(input("press", middle(fig, a)))
  t.ok(input("drag", middle(fig, a, 0.7)))
  t.eq(heard, { "a 0.7" })
  input("drag", middle(fig, a, 9))
  input("release", middle(fig, a, 9))
  t.eq(c.a, 1)
  input("press", middle(fig, b))
  input("drag", middle(fig, b, 0.2))
  t.eq(c.b, 0.5)
  input("cancel")
  t.eq(c.b, 0.5)
  input("press", middle(fig, b))
  input("drag", middle(fig, b, 0.2))
  input("release", middle(fig, b, 0.2))
  t.eq(table.concat(heard, ", "), "a 0.7, a 1.0, b 0.2")
end)

t.test("clicks: a toggle, a menu, a button let go elsewhere, two clicks", function()
  if not plot.can_save then t.skip "no drawing" end
  local pressed = 0
  local c, fig = controls { { name = "on_off", value = false }, { name = "m", "x", "y", "z" },
    { name = "go", press = function() pressed = pressed + 1 end }, { name = "s", 0, 1, value = 0.25 } }
  local input = hands(fig)
  local function click(at, o)
    input("press", at, o)
    input("release", at, o)
  end
  click(middle(fig, 1))
  t.eq(c.on_off, true)
  click(middle(fig, 2))
  local x0, y0, x1, y1 = grab.place(fig, 2, -1)
  click { (x0 + x1) / 2, y0 + 0.8 * (y1 - y0) }
  t.eq(c.m, "z")
  click(middle(fig, 2))
  input("key", nil, { key = ESCAPE })
  click { (x0 + x1) / 2, y0 + 0.1 * (y1 - y0) }
  t.eq(c.m, "z")
  click(middle(fig, 3))
  input("press", middle(fig, 3))
  input("drag", { 1, 1 })
  input("release", { 1, 1 })
  t.eq(pressed, 1)
  click(middle(fig, 4, 0.9))
  t.ok(c.s > 0.8)
  click(middle(fig, 4, 0.9))
  click(middle(fig, 4, 0.9), { clicks = 2 })
  t.eq(c.s, 0.25)
  t.ok(not input("press", { 150, 60 }), "axes are the window's")
  t.ok(input("wheel", middle(fig, 4), { steps = 1 }))
  t.near(c.s, 0.27)
end)

t.test("keys go to the control that has the focus", function()
  if not plot.can_save then t.skip "no drawing" end
  local c, fig = controls { { name = "s", 0, 10, value = 5, step = 0.5 }, { name = "m", "x", "y" },
    { name = "n", 1, 8, value = 4, integer = true } }
  local input = hands(fig)
  local function key(k, o)
    o = o or {}
    o.key = k
    return input("key", nil, o)
  end
  t.ok(not key(RIGHT))
  key(TAB)
  key(RIGHT)
  key(RIGHT, { shift = true })
  t.eq(c.s, 8)
  key(TAB)
  key(RIGHT)
  t.eq(c.m, "y")
  key(TAB)
  key(LEFT)
  t.eq(c.n, 3)
  key(TAB, { shift = true })
  key(TAB, { shift = true })
  key(BACKSPACE)
  t.eq(c.s, 5)
  key(ESCAPE)
  t.ok(not key(RIGHT))
end)

t.test("handles in axes: drag, limits, grip, keys, double click, cancel", function()
  if not plot.can_save then t.skip "no drawing" end
  local fig = plot.figure { size = { 300, 200 } }
  local ax = fig:axes { xlim = { 0, 10 }, ylim = { 0, 10 } }
  local p = ax:handle { x = 5, y = 5, limits = { 0, 8, 0, 10 } }
  local r = ax:handle { kind = "rect", x0 = 1, y0 = 1, x1 = 3, y1 = 2, limits = { 0, 10, 0, 10 } }
  local input = hands(fig)
  local function at(x, y)
    local px, py = ax:pixel(x, y, { scale = 2 })
    return { px / 2, py / 2 }
  end
  local function near(h, ...)
    for i, v in ipairs { h:get() } do t.near(v, (select(i, ...)), 1e-6) end
  end
  t.ok(input("hover", at(5, 5)))
  t.ok(not input("hover", at(5, 8)))
  local grip = at(5, 5)
  input("press", { grip[1] + 2, grip[2] - 1 })
  input("drag", { at(6, 7)[1] + 2, at(6, 7)[2] - 1 })
  near(p, 6, 7)
  input("drag", at(30, 30))
  near(p, 8, 10)
  input("cancel")
  near(p, 5, 5)
  input("press", at(2, 1.5))
  input("drag", at(4, 3.5))
  near(r, 3, 3, 5, 4)
  input("drag", at(90, 3.5))
  near(r, 8, 3, 10, 4)
  input("release", at(9, 3.5))
  input("press", at(10, 4))
  input("drag", at(9, 6))
  input("release", at(9, 6))
  near(r, 8, 3, 9, 6)
  input("press", at(8.5, 4))
  input("release", at(8.5, 4))
  input("press", at(8.5, 4), { clicks = 2 })
  near(r, 1, 1, 3, 2)
  input("key", nil, { key = TAB })
  input("key", nil, { key = UP, shift = true })
  near(p, 5, 5.5)
end)

t.test("brushes take the drag, the right button erases", function()
  if not plot.can_save then t.skip "no drawing" end
  local fig = plot.figure { size = { 300, 200 } }
  local ax = fig:axes { xlim = { 0, 10 }, ylim = { 0, 10 } }
  local b = ax:brush { n = 20, size = 1.5 }
  local input, ends = hands(fig), 0
  b:on("release", function(brush) ends = ends + (brush == b and 1 or 0) end)
  local function at(x, y)
    local px, py = ax:pixel(x, y, { scale = 2 })
    return { px / 2, py / 2 }
  end
  t.ok(input("press", at(2, 5)))
  input("drag", at(8, 5))
  input("release", at(8, 5))
  t.eq(b:ink()[10][10]:item(), 1.0)
  local right = { button = 3 }
  input("press", at(5, 5), right)
  input("release", at(5, 5), right)
  t.eq(b:ink()[10][10]:item(), 0.0)
  t.eq(b:ink()[10][15]:item(), 1.0)
  t.eq(ends, 2)
end)

t.test("a player hears its buttons, its keys and its bar", function()
  if not plot.can_save then t.skip "no drawing" end
  local fig = plot.figure { size = { 300, 200 } }
  local line = fig:axes {}:line {}
  local run = plot.player { fig = fig, stop = 20, record = true,
    reset = function() line:set { x = {}, y = {} } end, step = function(_, r) line:push(r.steps) end }
  local input = hands(fig)
  local function click(part, u)
    input("press", middle(fig, run.serial, u, part))
    input("release", middle(fig, run.serial, u, part))
    tide.wait_all()
  end
  click(1)
  t.eq(run.steps, 20)
  click(5, 0.5)
  t.near(run:shown(), 10, 1)
  input("key", nil, { key = ("["):byte() })
  t.near(run:shown(), 9, 1)
  input("key", nil, { key = HOME })
  t.eq(run:shown(), 0)
  input("key", nil, { key = END })
  t.eq(run:shown(), 20)
  input("key", nil, { key = ("r"):byte() })
  tide.wait_all()
  t.eq(run.steps, 0)
  input("key", nil, { key = ("."):byte() })
  tide.wait_all()
  t.eq(run.steps, 1)
  t.ok(not input("key", nil, { key = ("q"):byte() }))
end)

t.test("pictures with widgets are larger, and look the same in every format", function()
  if not plot.can_save then t.skip "no drawing" end
  local _, fig = controls { a = { 0, 1 }, on_off = true, m = { "x", "y" }, says = { text = "two words" } }
  local _, w, h = fig:pixels { scale = 1 }
  local _, w2, h2 = fig:pixels { scale = 1, widgets = true }
  t.eq({ w, h, w2 }, { 300, 200, 300 })
  t.ok(h2 > 250)
  t.eq(select(3, fig:pixels { scale = 1, widgets = true, size = { 300, 200 } }), 200)
  for _, format in ipairs { "svg", "pdf" } do
    t.ok(#fig:render { format = format, widgets = true } > #fig:render { format = format } + 500)
  end
end)

---- moving pictures ----

t.test("an MP4 goes through ffmpeg; without it the message says what to do", function()
  if not plot.can_save then t.skip "no drawing" end
  local fig = plot.figure { size = { 41, 40 } }
  fig:axes {}
  local path, folder = t.tmp "run.mp4", t.tmp "bin"
  os.execute("mkdir -p " .. folder)
  local f = assert(io.open(folder .. "/ffmpeg", "w"))
  f:write "#!/bin/sh\nfor last; do :; done\necho \"$@\" >\"$last\"\nwc -c >>\"$last\"\n"
  f:close()
  os.execute("chmod +x " .. folder .. "/ffmpeg")
  local script = ([[
    local fig = tide.plot.figure { size = { 41, 40 } }
    fig:axes {}
    local ok, err = pcall(fig.record, fig, { path = %q, scale = 1, fps = 12 })
    if not ok then print(err) return end
    err:frame():frame():close()]]):format(path)
  local function run(path_variable)
    local p = io.popen(("PATH=%s %s -e '%s' 2>&1"):format(path_variable, tide.program or arg[-1],
      script:gsub("'", "'\\''")))
    local out = p:read "a"
    p:close()
    return out
  end
  t.ok(run("/nowhere"):find("MP4 needs the program ffmpeg", 1, true))
  local out = run(folder .. ":/usr/bin:/bin")
  t.eq(out, "")
  local text = t.read(path)
  t.ok(text:find("-s 41x40 -r 12", 1, true), text)
  t.ok(text:find("\n%s*" .. 2 * 41 * 40 * 3 .. "%s*\n"), text)
end)

t.test("fig:record counts calls of due, with or without a window", function()
  if not plot.can_save then t.skip "no drawing" end
  local fig = plot.figure { size = { 60, 40 } }
  local line = fig:axes { xlim = { 0, 20 }, ylim = { 0, 20 } }:line {}
  local path, seen = t.tmp "run.gif", {}
  local rec = fig:record { path = path, every = 5, fps = 10, scale = 1 }
  for i = 1, 20 do
    line:push(i, i)
    if fig:due() then seen[#seen + 1] = i end
  end
  t.eq(seen, { 1, 6, 11, 16 })
  rec:close()
  t.eq(rec.count, 4)
  local bytes = t.read(path)
  t.eq(bytes:sub(1, 6), "GIF89a")
  t.ok(not fig:due())
  t.raises("ends neither in .gif nor in .mp4", function() fig:record { path = "x.avi" } end)
  t.raises("every is", function() fig:record { path = path, every = 0 } end)
end)
