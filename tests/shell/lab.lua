-- lab.lua -- what lab.sh runs: a person who plays, asks for maps, drags a latent and a
-- time, and paints a target.
local tide = require "tide"
local screen = require "tests.screen"
local sh = screen.sh

local function case(name, sign) screen.case(name, screen.wait_for(sign)) end

local lab = tide.lab { latents = 60 }
local m, c = lab.model, lab.controls
local id = sh "timeout 60 xdotool search --sync --onlyvisible --name '^Springtide$'":match "%d+"
local width = sh("xdotool getwindowgeometry --shell " .. id):match "WIDTH=(%d+)"
local scale = width / lab.fig:get("size")[1]

-- Words of xdotool; a table is a place: axes and what is there.
local function person(...)
  local words = { "xdotool" }
  for _, v in ipairs { ... } do
    if type(v) == "table" then
      local ax, x, y = table.unpack(v)
      local x0, y0, x1, y1 = ax:box { scale = scale }
      local xs, ys = ax:get "xlim", ax:get "ylim"
      v = ("mousemove --window %s %.0f %.0f"):format(id, x0 + (x - xs[1]) / (xs[2] - xs[1]) * (x1 - x0),
        y1 - (y - ys[1]) / (ys[2] - ys[1]) * (y1 - y0))
    end
    words[#words + 1] = v
  end
  sh(table.concat(words, " "))
end
local left, middle, time = lab.view.left_axes, lab.view.middle_axes, lab.view.time_axes
local function said(text)
  return function() return (lab.view.said[1] .. lab.view.said[2]):find(text, 1, true) end
end
local function near(a, b) return math.abs(a - b) < 0.1 end

case("the lab opens and says what it shows", said "Dark is where")
person({ middle, 2.4, -2.4 }, "key space")
case("space lets latents go", function() return lab.player.steps >= 10 end)
person "key space"
case("and stops them", function() return not lab.player.playing end)
case("the sentences have the numbers of the last step", function()
  return said(("L = %.2f"):format(m.curve.align[#m.curve.step]))()
end)
person "key 5"
case("a digit chooses a map, which is explained", function()
  return c.map == "C - L" and said "of the picture"()
end)
local x, y = lab.handle:get()
person({ middle, x, y }, "mousedown 1", { middle, 1, 1 }, { middle, 1.5, 1.5 }, "mouseup 1")
case("a latent is dragged", function()
  return near(m.y:get(1, 1), 1.5) and near(m.y:get(1, 2), 1.5) and near(lab.view.probe.x, 1.5)
end)
local knob = time:get("ylim")
knob = knob[1] + 0.5 * (knob[2] - knob[1])
person({ time, 0.5, knob }, "mousedown 1", { time, 0.7, knob }, { time, 0.95, knob }, "mouseup 1")
case("the time of R is dragged, and its map comes", function()
  return near(lab.view.t, 0.95) and c.map == "R(y, t)" and said "Near t = 1"()
end)
c:set("target", "draw")
case("a target is to be painted", function()
  return lab.player.steps == 0 and (lab.view.said[3] or ""):find "Paint"
end)
person({ left, -1.5, 0 }, "mousedown 1", { left, 0, 0.5 }, { left, 1.5, 1 }, "mouseup 1")
case("and becomes the data", function()
  return m.target.name == "draw" and m.data:select(2, 2):mean():item() > 0.1 and m:known_map "nll"
end)
c:set("field", "flow, 10 steps")
case("a flow is trained on it", function() return m:trained() == 10 end)
c:set("field", "exact field")
c:set("target", "rings")
case("another target takes its place", function() return m.target.name == "rings" end)
lab.fig:close()
case("it closes", function() return not lab.fig.open end)
print "end"
os.exit(0, true)
