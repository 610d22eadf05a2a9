-- grab.lua -- what grab.sh runs: drags handles, moves sliders, plays and scrubs in a real
-- window, and compares the screen with pictures that were drawn without one.
local tide = require "tide"
local plot = tide.plot
local grab, event = require "tide.plot.grab", require "tide.plot.event"
local SCALE = 1.5                      -- pixels per point of a window
local screen = require "tests.screen"
local sh, case, wait_for = screen.sh, screen.case, screen.wait_for
local screenshot, distance = screen.screenshot, screen.distance

---- one figure ----

local fig = plot.figure { title = "Grab", size = { 420, 200 }, cols = 2 }
local ax = fig:axes { xlim = { 0, 10 }, ylim = { 0, 10 } }
local curve = fig:axes { xlim = { 0, 40 }, ylim = { 0, 1 } }:line {}
local heard = {}
local function hear(text) heard[#heard + 1] = text end

local point = ax:handle { x = 2, y = 8, limits = { 0, 9, 0, 10 } }
local level = ax:handle { kind = "y", y = 4 }
local c = fig:controls { { name = "rate", 0, 1, value = 0.5 }, { name = "spread", 0, 10, value = 5, live = false },
  { name = "kind", "one", "two", "three" }, { name = "noise", value = false },
  { name = "go", press = function() hear "go" end } }
local run = plot.player { fig = fig, stop = 40, record = true, reset = function() curve:set { x = {}, y = {} } end,
  step = function(_, r) curve:push(r.steps + 1, 1 / (r.steps + 1)) end }
local serial = {}
for i, s in ipairs(c:list()) do serial[s.name] = point.serial + 1 + i end

fig:show()
local id = sh "timeout 60 xdotool search --sync --onlyvisible --name '^Grab$'":match "%d+"
local _, w, h = screenshot(id)
local picture, pw, ph = fig:pixels { scale = SCALE, widgets = true }
case("a window has room for its controls", w == pw and h == ph, ("%d x %d, %d x %d"):format(w, h, pw, ph))

local function shows(name)
  local far
  sh(("xdotool mousemove --window %s 3 3"):format(id)) -- nothing is hovered there
  wait_for(function()
    far = distance(screenshot(id), (fig:pixels { scale = SCALE, widgets = true }))
    return far < 0.35
  end)
  case(name, far < 0.35, ("%.3f apart"):format(far))
end
shows "the screen shows the picture with its controls"

---- the pointer ----

local x0, y0, x1, y1 = ax:box { scale = SCALE }
local function at(x, y) return { x0 + x / 10 * (x1 - x0), y1 - y / 10 * (y1 - y0) } end

local function pointer(...)
  local words = { "xdotool" }
  for _, v in ipairs { ... } do
    words[#words + 1] = type(v) == "table"
      and ("mousemove --window %s %.0f %.0f"):format(id, v[1], v[2]) or v
  end
  sh(table.concat(words, " "))
end

-- A place in a control: u from left to right, v from top to bottom.
local function inside(name, u, v, part)
  local a, b, x, y = grab.place(fig, serial[name] or run.serial, part)
  return { SCALE * (a + u * (x - a)), SCALE * (b + v * (y - b)) }
end

local places = { drag = 0 }
point:on("drag", function(x, y) places.drag, places.x, places.y = places.drag + 1, x, y end)
point:on("release", function(x, y) places.ended = { x, y } end)

pointer(at(2, 8), "mousedown 1", at(3, 7), at(4, 6), at(5, 5))
wait_for(function() return (point:get()) > 4.9 end, true)
case("a handle moves while the program is deaf", math.abs(point:get() - 5) < 0.1 and places.drag == 0, point:get())
wait_for(function() return places.drag > 0 end)
case("what it hears then is the newest place, once", places.drag == 1 and math.abs(places.x - 5) < 0.1, places.drag)
pointer(at(20, 5), "mouseup 1")
wait_for(function() return places.ended end)
case("limits hold beyond the axes", places.ended and places.ended[1] == 9, places.ended and places.ended[1])
shows "the screen shows the handle where it is"

level:on("release", function() error "no such place" end)
for _ = 1, 2 do
  local _, y = 0, level:get()
  y = level:get()
  pointer(at(3, y), "mousedown 1", at(3, y + 1), "mouseup 1")
  wait_for(function() return level:get() > y + 0.5 end)
  event.wait(50)
end
case("a line goes on after a callback that failed", math.abs(level:get() - 6) < 0.15, level:get())

---- controls ----

c:on("rate", function(v) hear(("rate %.2f"):format(v)) end)
c:on("spread", function() hear "spread" end)
local function last() return heard[#heard] or "" end

pointer(inside("rate", 0.5, 0.5), "mousedown 1", inside("rate", 0.6, 0.5), inside("rate", 0.75, 0.5))
wait_for(function() return c.rate > 0.7 end)
pointer "mouseup 1"
wait_for(function() return last():find "^rate 0%.7" end)
case("a slider is dragged", math.abs(c.rate - 0.75) < 0.01, c.rate)
local n = #heard
pointer(inside("spread", 0.5, 0.5), "mousedown 1", inside("spread", 0.6, 0.5), inside("spread", 0.9, 0.5))
pointer(inside("spread", 0.8, 0.5))
event.wait(100)
case("one that resets is silent until it is let go", c.spread == 5 and #heard == n, c.spread)
pointer "mouseup 1"
wait_for(function() return last() == "spread" end)
case("and then tells", math.abs(c.spread - 8) < 0.2, c.spread)
for _ = 1, 20 do -- on a busy machine two clicks may come too late for one double click
  pointer(inside("rate", 0.2, 0.5), "click --repeat 2 --delay 60 1")
  if wait_for(function() return c.rate == 0.5 end, false, 3) then break end
end
case("a double click takes it back", c.rate == 0.5, c.rate)
pointer(inside("kind", 0.5, 0.5), "click 1", inside("kind", 0.5, 0.5, -1), "click 1")
wait_for(function() return c.kind == "two" end)
case("a menu opens and is chosen from", c.kind == "two", c.kind)
pointer(inside("noise", 0.5, 0.5), "click 1", inside("go", 0.5, 0.5), "click 1")
wait_for(function() return last() == "go" end)
case("a toggle and a button", c.noise and last() == "go", last())
pointer("key Tab Tab Tab Right")
wait_for(function() return c.rate > 0.5 end)
case("Tab and arrows", math.abs(c.rate - 0.52) < 1e-9, c.rate)
pointer "key Escape"
shows "the screen shows the controls as they are"

---- the player ----

tide.wait_all()
pointer(inside("player", 0.5, 0.5, 1), "click 1")
wait_for(function() return run.steps == 40 and not run.playing end)
case("play runs to its stop", run.steps == 40, run.steps)
pointer(inside("player", 0.98, 0.5, 5), "mousedown 1", inside("player", 0.8, 0.5, 5), inside("player", 0.5, 0.5, 5),
  "mouseup 1")
wait_for(function() return run:shown() < 30 end)
case("the bar goes back", math.abs(run:shown() - 20) <= 2, run:shown())
shows "the screen shows the step of the bar"
pointer "key End"
wait_for(function() return run:shown() == 40 end)
case("End shows the newest", run:shown() == 40, run:shown())
pointer("key r")
wait_for(function() return run.steps == 0 end)
pointer("key period")
wait_for(function() return run.steps == 1 end)
case("r resets, . makes a step", run.steps == 1, run.steps)

---- views and brushes ----

pointer(at(1, 1), "mousedown 1", at(2, 1), at(3, 1), "mouseup 1")
local text, lo
wait_for(function()                    -- the end of the drag, not its first half
  text = fig:state()
  lo = tonumber(text:match "v%.1=([^,]*),")
  return lo and math.abs(lo + 2) < 0.1
end)
case("limits that a person chose are in the state", lo and math.abs(lo + 2) < 0.1, text)
pointer(at(1, 1), "key h")
wait_for(function() return not fig:state():find "v%.1=" end)
fig:state(text)
wait_for(function() return select(2, grab.views(fig)) end) -- the window has them
case("and come back with it", fig:state() == text, fig:state())
pointer(at(1, 1), "key h")
wait_for(function() return not fig:state():find "v%.1=" end)

local brush, strokes = ax:brush { n = 32, size = 1 }, 0
brush:on("release", function() strokes = strokes + 1 end)
pointer(at(2, 2), "mousedown 1", at(4, 2), at(8, 2), "mouseup 1")
wait_for(function() return strokes > 0 end)
local ink = brush:ink()
case("a stroke is painted", ink[7][16]:item() > 0.9 and ink[20][16]:item() == 0, ink[7][16]:item())
pointer(at(5, 2), "mousedown 3", at(5, 3), "mouseup 3")
wait_for(function() return strokes > 1 end)
case("and the right button takes away", brush:ink()[7][16]:item() == 0, brush:ink()[7][16]:item())

---- the end ----

run:reset()
run.stop = nil
run:play()
wait_for(function() return run.steps > 2 end)
fig:close()
wait_for(function() return not run.playing end)
case("closing the window ends the playing", not run.playing and not fig.open)

local late = plot.figure { title = "Late", size = { 300, 200 } }
late:axes { xlim = { 0, 1 }, ylim = { 0, 1 } }
late:show()
id = sh "timeout 60 xdotool search --sync --onlyvisible --name '^Late$'":match "%d+"
local function width_height()
  local _, wide, high = screenshot(id)
  return wide, high
end
wait_for(function() return width_height() == 300 * SCALE end)
late:controls { rate = { 0, 1, value = 0.5 } }
local _, whole_w, whole_h = late:pixels { scale = SCALE, widgets = true }
wait_for(function() return select(2, width_height()) == whole_h end)
w, h = width_height()
case("controls that come later get room of their own", w == whole_w and h == whole_h and h > 200 * SCALE + 20,
  ("%d x %d, %d x %d"):format(w, h, whole_w, whole_h))
late:close()
print "end"
