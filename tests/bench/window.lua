-- window.lua -- what windows cost: frames at 1280 x 800 pixels, panning, training that is watched.
--
--   tide tests/bench/window.lua [--json FILE]
--
-- Starts a display of its own (Xvfb) and uses the window with xdotool. A frame is timed on the
-- windows' thread, from the snapshot to the end of showing it: by the clock, and by the processor
-- time of that thread, which other work on the machine changes less.
local tide = require "tide"
local json = require "tide.json"
local plot, tensor, flow = tide.plot, tide.tensor, tide.flow

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function median(t)
  table.sort(t)
  return t[(#t + 1) // 2]
end

---- with a display ----

local window                           -- tide.plot.window
local results = {}

local function note(name, value, unit)
  results[name] = value
  print(("%-56s %8.2f %s"):format(name, value, unit))
end

-- Changes, and waits for the frame that shows it.
local function measure(name, fig, change)
  local cpu, wall = {}, {}
  window.spent(fig)
  for k = 1, 40 do
    change(k)
    local n, c, w, before = 0, 0, 0, tide.clock()
    repeat
      window.open(fig, 20)             -- sleeps
      local m, c1, w1 = window.spent(fig)
      n, c, w = n + m, c + c1, w + w1
    until n > 0 or tide.clock() > before + 10
    cpu[k], wall[k] = c / n * 1e3, w / n * 1e3
  end
  note(name, median(wall), "ms")
  note(name .. ", processor", median(cpu), "ms")
end

local function pointer(title)
  local p = io.popen(("xdotool search --sync --onlyvisible --name '^%s$'"):format(title))
  local id = p:read "a":match "%d+"
  p:close()
  return id
end

-- Moves the pointer over the axes to the left; frames, their cost, and seconds.
local function wander(fig, id, before, after)
  local words = { "xdotool", ("mousemove --window %s 200 300"):format(id), before }
  for i = 1, 250 do
    words[#words + 1] = ("mousemove --window %s %d %d sleep 0.008"):format(id, 200 + i, 300 + i % 100)
  end
  words[#words + 1] = after
  window.open(fig, 200)
  window.spent(fig)
  local start = tide.clock()
  os.execute(table.concat(words, " "))
  local seconds = tide.clock() - start
  local n, cpu, wall = window.spent(fig)
  return n, cpu / n * 1e3, wall / n * 1e3, seconds
end

local function frames()
  local fig = plot.figure { size = { 640, 400 }, cols = 2, title = "Frames" }
  local left = fig:axes { equal = true, xlim = { -3, 3 }, ylim = { -3, 3 } }
  local right = fig:axes { xlabel = "step", ylabel = "loss" }
  local z, xy, c = tensor.randn(256, 256), tensor.randn(10000, 2), tensor.rand(10000)
  local hm = left:heatmap(z, { extent = { -3, 3, -3, 3 } })
  local points = left:scatter(xy, { c = c, cmap = "magma", size = 3 })
  local curve = right:line(tensor.randn(5000), { smooth = 0.99 })
  fig:show()
  local id = pointer "Frames"
  window.open(fig, 500)
  measure("frame: everything, 10,000 points, heatmap, 2 axes", fig,
    function(k) fig:set { theme = k % 2 == 0 and "paper" or "dark" } end)
  fig:set { theme = "paper" }
  measure("frame: heatmap and points", fig, function()
    hm:set(z)
    points:set { xy = xy }
  end)
  measure("frame: points", fig, function() points:set { xy = xy } end)
  measure("frame: curve of 5,000 points", fig, function(k) curve:push(5000 + k, 0) end)
  local _, cpu, wall = wander(fig, id, "", "")
  note("frame: what lies above (value at the pointer)", wall, "ms")
  note("frame: what lies above, processor", cpu, "ms")
  local n, cost, clock, seconds = wander(fig, id, "mousedown 1", "mouseup 1")
  note("frame: panning", clock, "ms")
  note("frame: panning, processor", cost, "ms")
  note("frames a second while panning", n / seconds, "")
  fig:close()
end

-- Steps of the toy's training with an open window, against the same without one.
local function watched()
  tide.seed(1)
  local v = flow.VelocityMLP { dim = 2, hidden = 64, blocks = 2 }
  local target = flow.targets.mog()
  local fig = plot.figure { title = "Watched", size = { 640, 400 }, cols = 2 }
  local ax = fig:axes { equal = true, xlim = { -4, 4 }, ylim = { -4, 4 } }
  ax:heatmap(tensor.randn(100, 100), { extent = { -4, 4, -4, 4 } })
  local y = target:sample(1000)
  local points, curve = ax:scatter { xy = y }, fig:axes {}:line {}
  local run
  local function train(n)
    local start = tide.clock()
    run = flow.train(v, target, { steps = n, resume = run, report_every = 1, report = function(now)
      if not fig:due() then return end
      points:set { xy = y }
      curve:push(now.step, now.loss)
    end })
    return tide.clock() - start
  end
  train(300)
  local ratio = {}
  for k = 1, 7 do
    local alone = train(1000)
    fig:show()
    window.open(fig, 300)              -- its first picture is not the training's
    ratio[k] = train(1000) / alone
    fig:close()
  end
  note("training that is watched, against the same alone", median(ratio), "times")
end

---- a display ----

local child, file
for i, a in ipairs(arg) do
  if a == "--child" then child = true end
  if a == "--json" then file = arg[i + 1] end
end

if child then
  window = require "tide.plot.window"
  frames()
  watched()
  if file then
    local f = assert(io.open(file, "w"))
    f:write(json.encode(results))
    f:close()
  end
  return
end

if not plot.can_save or not os.execute "command -v Xvfb xdotool >/dev/null" then
  print "windows are not measured: Xvfb and xdotool are needed"
  return
end
local script = [[
d=$(mktemp -d)
Xvfb -displayfd 3 -screen 0 1400x1000x24 -nolisten tcp 3>"$d/n" >/dev/null 2>&1 &
server=$!
trap 'kill $server; rm -rf "$d"' EXIT
for _ in $(seq 200); do [ -s "$d/n" ] && break; sleep 0.1; done
DISPLAY=:$(cat "$d/n") SDL_VIDEODRIVER=x11 TIDE_SCALE=2 TIDE_HEADLESS= %s tests/bench/window.lua --child %s]]
local i = -1
while arg[i - 1] do i = i - 1 end
os.execute(script:format(quoted(arg[i]), file and "--json " .. quoted(file) or ""))
