-- window.lua -- what window.sh runs: drags, turns the wheel and presses keys in real windows
-- and compares what is on the screen with pictures that were drawn without a window.
local tide = require "tide"
local plot = tide.plot
local tmp = os.getenv "tmp"
local SCALE = 1.5                      -- pixels per point of a window

local screen = require "tests.screen"
local sh, case, decode = screen.sh, screen.case, screen.decode
local screenshot, distance = screen.screenshot, screen.distance

-- What fig would show with these limits and this size in pixels.
local function expected(fig, ax, o)
  local kept = { ax:get "xlim", ax:get "ylim", ax:get "grid", ax:get "yscale" }
  ax:set { xlim = o.xlim, ylim = o.ylim, grid = o.grid, yscale = o.yscale }
  local rgb = fig:pixels { scale = SCALE, size = { o.w / SCALE, o.h / SCALE } }
  ax:set { xlim = kept[1], ylim = kept[2], grid = kept[3], yscale = kept[4] }
  return rgb
end

-- Waits until the window shows `rgb`; how far apart they are at the end.
local function shows(id, rgb, seconds)
  local far
  local deadline = os.time() + (seconds or 60)
  repeat
    far = distance(screenshot(id), rgb)
    if far < 0.2 then return true end
    sh "sleep 0.05"
  until os.time() >= deadline
  return false, ("%.3f apart"):format(far)
end

-- Waits until the window looks otherwise than `rgb`; how far apart they are.
local function differs(id, rgb, by)
  local far
  local deadline = os.time() + 60
  repeat
    far = distance(screenshot(id), rgb)
  until far > by or os.time() >= deadline
  return far
end

local function window(title)
  return (sh(("timeout 60 xdotool search --sync --onlyvisible --name '^%s$'"):format(title)):match "%d+")
end

local function pixel(v) return math.floor(v + 0.5) end

-- Words of xdotool; a table is a place to go to.
local function pointer(id, ...)
  local words = { "xdotool" }
  for _, w in ipairs { ... } do
    words[#words + 1] = type(w) == "table" and
      ("mousemove --window %s %.0f %.0f"):format(id, pixel(w[1]), pixel(w[2])) or w
  end
  words[#words + 1] = ("mousemove --window %s 2 2"):format(id) -- beside the axes: nothing on top
  return table.concat(words, " sleep 0.1 ")
end

---- one figure, used as a person would ----
local fig = plot.figure { title = "One", size = { 320, 240 }, text = false }
local ax = fig:axes { xlim = { 0, 10 }, ylim = { 1, 9 } }
local line = ax:line { x = { 0, 3, 6, 10 }, y = { 2, 8, 3, 7 } }
local dots = ax:scatter { x = { 2, 5, 8 }, y = { 4, 5, 6 }, size = 8, color = "red" }
assert(not fig.open)
assert(fig:show() == fig)
case("a shown figure is open", fig.open == true)
local id = window "One"
local _, w, h = screenshot(id)
case("as large as its page", w == 320 * SCALE and h == 240 * SCALE, w .. " x " .. h)

local function look(name, o, after)
  o = o or {}
  o.w, o.h = o.w or w, o.h or h
  o.xlim, o.ylim = o.xlim or { 0, 10 }, o.ylim or { 1, 9 }
  o.grid, o.yscale = o.grid or "auto", o.yscale or "linear"
  if after then sh(after) end
  case(name, shows(id, expected(fig, ax, o)))
end
sh(pointer(id))
look "the screen shows the picture"
dots:set { x = { 1, 4, 9 }, y = { 8, 2, 5 } }
look "what is set is shown at once"
line:push(12, 3)
ax:hline(6.5)
look "what is pushed and added, too"

local x0, y0, x1, y1 = ax:box { scale = SCALE }
local function at(u, v) return { x0 + u * (x1 - x0), y1 - v * (y1 - y0) } end
local left, top = at(0.23, 0.25), at(0.76, 0.53)
local du = (pixel(top[1]) - pixel(left[1])) / (x1 - x0)
local dv = (pixel(top[2]) - pixel(left[2])) / (y1 - y0)
look("a drag moves the picture",
  { xlim = { -10 * du, 10 - 10 * du }, ylim = { 1 + 8 * dv, 9 + 8 * dv } },
  pointer(id, left, "mousedown 1", at(0.5, 0.4), top, "mouseup 1"))
look("h: home", nil, pointer(id, at(0.5, 0.5), "key h"))

local function zoomed(lo, hi, u, factor)
  local v = lo + u * (hi - lo)
  return { v + (lo - v) * factor, v + (hi - v) * factor }
end
local place = at(0.3, 0.6)
local u = (pixel(place[1]) - x0) / (x1 - x0)
local v = (y1 - pixel(place[2])) / (y1 - y0)
local factor = 1.2 ^ -3
local near = { xlim = zoomed(0, 10, u, factor), ylim = zoomed(1, 9, v, factor) }
look("the wheel zooms at the pointer", near,
  pointer(id, place, "click 4", "click 4", "click 4"))
line:push(14, 30)
look("what comes later leaves the limits alone", near)
local below = { pixel((x0 + x1) / 2), y1 + 8 }
look("the wheel below the axis zooms x alone",
  { xlim = zoomed(near.xlim[1], near.xlim[2], (below[1] - x0) / (x1 - x0), 1.2), ylim = near.ylim },
  pointer(id, below, "click 5"))
ax:set { xlim = "auto", ylim = "auto" }
local all = { xlim = ax:get "xlim", ylim = ax:get "ylim" }
ax:set { xlim = { 0, 10 }, ylim = { 1, 9 } }
look("a double click shows all of the data", all,
  pointer(id, place, "click --repeat 2 --delay 60 1"))
line:push(20, 60)
ax:set { xlim = "auto", ylim = "auto" }
all = { xlim = ax:get "xlim", ylim = ax:get "ylim" }
ax:set { xlim = { 0, 10 }, ylim = { 1, 9 } }
look("and from then on follows them", all)
sh(pointer(id, at(0.5, 0.5), "key h"))
local a, b = at(0.2, 0.3), at(0.7, 0.9)
local function part(p)
  return (pixel(p[1]) - x0) / (x1 - x0), (y1 - pixel(p[2])) / (y1 - y0)
end
local ua, va = part(a)
local ub, vb = part(b)
look("a right drag zooms to a box",
  { xlim = { 10 * ua, 10 * ub }, ylim = { 1 + 8 * va, 1 + 8 * vb } },
  pointer(id, a, "mousedown 3", at(0.5, 0.5), b, "mouseup 3"))
look("f: all of the data", all, pointer(id, at(0.5, 0.5), "key f"))
look("g: no grid", { grid = "none" }, pointer(id, at(0.5, 0.5), "key h", "key g"))
look("g: grid", { grid = "both" }, pointer(id, at(0.5, 0.5), "key g"))
ax:set { ylim = "auto", yscale = "log" }
local log = ax:get "ylim"
ax:set { ylim = { 1, 9 }, yscale = "linear" }
case("l: a logarithmic axis is found", log[1] > 0, log[1])
look("l: log y", { grid = "both", yscale = "log" }, pointer(id, at(0.5, 0.5), "key l"))
look("l: linear y", { grid = "both" }, pointer(id, at(0.5, 0.5), "key l", "key h"))

local plain = screenshot(id)
sh(pointer(id, at(0.5, 0.5), "key question"))
local help = differs(id, plain, 1)
case("?: a list of keys", help > 1, help)
look("escape: it goes", { grid = "both" }, pointer(id, "key Escape"))
sh(("xdotool mousemove --window %s 200 150"):format(id))
local value = differs(id, plain, 0.1)
case("the value below the pointer", value > 0.1 and value < 20, value)
look("it goes with the pointer", { grid = "both" }, pointer(id))
sh(pointer(id, at(0.5, 0.5), "key s"))
local saved, text
for _ = 1, 1000 do
  saved = io.open("figure-1.png", "rb")
  text = saved and saved:read "a" or ""
  if saved then saved:close() end
  if #text > 0 then break end
  sh "sleep 0.05"
end
case("s: saves a picture", text:sub(2, 4) == "PNG", #text)

sh(("xdotool windowsize --sync %s 600 300"):format(id))
look("another size", { grid = "both", w = 600, h = 300 })
for i = 1, 12 do sh(("xdotool windowsize %s %d %d"):format(id, 300 + 40 * i, 500 - 20 * i)) end
sh(("xdotool windowsize --sync %s %d %d"):format(id, w, h))
look("many sizes and back", { grid = "both" })
sh(("xdotool windowunmap --sync %s sleep 0.2 windowmap --sync %s"):format(id, id))
look("hidden and shown again", { grid = "both" }, pointer(id))

---- while Lua computes ----
-- The picture is taken when it has changed and stands still; all the while Lua computes.
local dump = tmp .. "/busy.xwd"
local watch = [[(cd TMP
  xwd -silent -id ID >before
  DRAG
  for _ in $(seq 200); do
    xwd -silent -id ID >now
    if ! cmp -s now before && cmp -s now last; then break; fi
    mv now last
    sleep 0.05
  done
  mv last busy.xwd) &]]
watch = watch:gsub("TMP", tmp):gsub("ID", id):gsub("DRAG",
  (pointer(id, left, "mousedown 1", top, "mouseup 1"):gsub("%%", "%%%%")))
os.execute(watch)
local n, started = 0, os.time()
local f
repeat
  n = n + 1
  if n % 100000 == 0 then f = io.open(dump, "rb") end
until f or (n % 100000 == 0 and os.time() > started + 100)
case("a window pans while Lua computes", f and distance(decode(f:read "a"), expected(fig, ax,
  { w = w, h = h, grid = "both", yscale = "linear",
    xlim = { -10 * du, 10 - 10 * du }, ylim = { 1 + 8 * dv, 9 + 8 * dv } })) < 0.2, f)
sh("xdotool windowfocus --sync " .. id)
look("b: back to where it was", { grid = "both" }, pointer(id, at(0.5, 0.5), "key b"))

---- pace, several windows, the end ----
local due, began, now = 0, tide.clock(), nil
repeat
  if fig:due() then due = due + 1 end
  now = tide.clock() - began
until now > 0.5
case("due() now and then", due >= 1 and due <= now / 0.016 + 1, due .. " in " .. now)
fig:set { title = "Other" }
case("the title of a window follows", window "Other" == id)
local two = plot.figure { title = "Two", size = { 200, 150 } }
local bx = two:axes()
bx:line { y = { 1, 3, 2 } }
two:show():show()
case("two windows", two.open and fig.open)
local id2 = window "Two"
case("the second shows its picture",
  shows(id2, (two:pixels { scale = SCALE })))
fig:close()
case("a closed one is not open", not fig.open and two.open and not fig:due())
line:push(30, 1)
os.execute("(sleep 0.5; " .. tmp .. "/xclose " .. id2 .. ") &")
plot.wait(two)
case("a person closes the other, and waiting ends", not two.open)
plot.wait()
fig:show()
id = window "Other"
case("a figure can be shown again", fig.open and id ~= nil)
os.execute("(sleep 0.2; " .. tmp .. "/xclose " .. id .. ") &")
n = 0
while fig.open and n < 1e8 do
  n = n + 1
  if fig:due() then dots:set { x = { n % 7 }, y = { 5 } } end
end
case("and closed by a person while a loop changes it", not fig.open, n)

---- names in a legend, axes of two windows that move together ----
local pair = {}
for k = 1, 2 do
  pair[k] = plot.figure { title = "Pair", size = { 240, 180 } }
  local px = pair[k]:axes { xlim = { 0, 10 }, ylim = { 0, 10 }, link = "pair", legend = "upper left" }
  px:line({ 2, 8, 3 }, { label = "first" })
  px:line({ 3, 4, 5 }, { label = "second" })
  pair[k]:show()
end
local ids
repeat
  ids = {}
  for i in sh("xdotool search --onlyvisible --name '^Pair$'"):gmatch "%d+" do ids[#ids + 1] = i end
until #ids == 2
sh("xdotool windowmove --sync " .. ids[1] .. " 0 0 windowmove --sync " .. ids[2] .. " 500 400")
for k = 1, 2 do case("window " .. k .. " of a pair", shows(ids[k], (pair[k]:pixels { scale = SCALE }))) end
local _, pw, ph = screenshot(ids[1])
sh(pointer(ids[1], { pw / 2, ph / 2 }, "click 4", "click 4"))
differs(ids[1], (pair[1]:pixels { scale = SCALE }), 1)
local same
for _ = 1, 1000 do
  same = distance(screenshot(ids[1]), (screenshot(ids[2]))) < 0.2
  if same then break end
end
case("the wheel in one zooms the other", same)
sh("xdotool windowfocus --sync " .. ids[2])
sh(pointer(ids[2], { pw / 2, ph / 2 }, "key h"))
for k = 1, 2 do case("home in one, " .. k, shows(ids[k], (pair[k]:pixels { scale = SCALE }))) end
local left0, top0 = pair[1]:axes { row = 1, col = 1 }:box { scale = SCALE }
sh(pointer(ids[1], { left0 + 40, top0 + 22 }, "click 1"))
case("a click on a name hides its line", differs(ids[1], (pair[1]:pixels { scale = SCALE }), 0.3) > 0.3)
sh(pointer(ids[1], { left0 + 40, top0 + 22 }, "click 1"))
case("another brings it back", shows(ids[1], (pair[1]:pixels { scale = SCALE })))
for k = 1, 2 do pair[k]:close() end

local odd = plot.figure { title = "Odd", size = { 300, 200 }, cols = 3 }
local nan, inf = 0 / 0, math.huge
odd:axes():line { y = { nan, inf, -inf, nan } }
odd:axes { col = 2 }:scatter { x = { 1 }, y = { 1 } }
odd:axes { col = 3 }
odd:show()
id = window "Odd"
for _, px in ipairs { 80, 230, 380 } do
  sh(("xdotool mousemove --window %s %d 120 click --repeat 70 --delay 1 4 key l click " ..
    "--repeat 150 --delay 1 5 click 1 key l key f"):format(id, px))
end
case("odd data and far zooms", odd.open and shows(id, (screenshot(id))))
odd:close()

local function memory()
  collectgarbage()
  collectgarbage()
  for l in io.lines "/proc/self/status" do
    local kb = l:match "VmRSS:%s*(%d+)"
    if kb then return tonumber(kb) end
  end
end
local function open_and_close(count)
  for _ = 1, count do
    local g = plot.figure { size = { 200, 150 } }
    g:axes():line { y = { 1, 3, 2 } }
    g:show()
    assert(g.open)
    g:close()
  end
end
open_and_close(100)
local before = memory()
open_and_close(400)
local more = memory() - before
case("500 figures leave nothing", os.getenv "SAN" ~= "" or more < 3000, more .. " kB")
print "end"
