-- plot_gif.lua -- moving pictures: frames, delays and colours, read back by a decoder of our own.
-- time limit: 120 s
local t = require("tests.check")
local plot = require("tide").plot

if not plot.can_save then
  print("1..0 # SKIP this build has no drawing")
  os.exit(0)
end

-- ---- a decoder ----

-- The codes of one image (Welch's method, codes of growing width, from the low bits up).
local function unpack_codes(data, width, count)
  local clear, stop = 1 << width, (1 << width) + 1
  local out, strings, bits, size, pos = {}, {}, 0, 0, 1
  local wide, last = width + 1, nil
  local function reset()
    strings, wide, last = {}, width + 1, nil
    for k = 0, clear - 1 do strings[k] = string.char(k) end
    strings[clear], strings[stop] = "", ""
  end
  reset()
  local n = 0
  while true do
    while size < wide do
      if pos > #data then error("the codes end early") end
      bits, size, pos = bits | data:byte(pos) << size, size + 8, pos + 1
    end
    local code = bits & ((1 << wide) - 1)
    bits, size = bits >> wide, size - wide
    if code == stop then break end
    if code == clear then
      reset()
    else
      local s = strings[code] or (last .. last:sub(1, 1))
      if last and #strings < 4095 then
        strings[#strings + 1] = last .. s:sub(1, 1)
        if #strings == (1 << wide) - 1 and wide < 12 then wide = wide + 1 end
      end
      last = s
      out[#out + 1], n = s, n + #s
    end
  end
  t.eq(n, count, "pixels in an image")
  return table.concat(out)
end

-- {w=, h=, loop=, {rgb=, delay=, area=}...}: each frame is the whole picture.
local function decode(bytes)
  local at = 14
  local function u8() at = at + 1; return bytes:byte(at - 1) end
  local function u16() at = at + 2; return (("<I2"):unpack(bytes, at - 2)) end
  local function blocks()
    local list = {}
    while true do
      local n = u8()
      if n == 0 then return table.concat(list) end
      list[#list + 1] = bytes:sub(at, at + n - 1)
      at = at + n
    end
  end
  t.eq(bytes:sub(1, 6), "GIF89a")
  local gif = { w = ("<I2"):unpack(bytes, 7), h = ("<I2"):unpack(bytes, 9) }
  local flags = bytes:byte(11)
  t.ok(flags & 0x80 ~= 0, "a palette for all")
  local colors = 2 << (flags & 7)
  local palette = {}
  for k = 0, colors - 1 do palette[k] = bytes:sub(at + 3 * k, at + 3 * k + 2) end
  at = at + 3 * colors
  local screen, control = {}, nil
  while true do
    local kind = u8()
    if kind == 0x3b then break end
    if kind == 0x21 then
      local label = u8()
      local data = blocks()
      if label == 0xf9 then control = data end
      if label == 0xff then gif.loop = ("<I2"):unpack(data, 13) end
    else
      t.eq(kind, 0x2c, "kind of a block")
      local x, y, w, h = u16(), u16(), u16(), u16()
      t.eq(u8(), 0, "no palette of its own, not interlaced")
      local width = u8()
      local pixels = unpack_codes(blocks(), width, w * h)
      t.eq(control:byte(1) >> 2 & 7, 1, "frames stay")
      local through = control:byte(1) & 1 == 1 and control:byte(4) or -1
      for i = 0, h - 1 do
        for j = 0, w - 1 do
          local c = pixels:byte(i * w + j + 1)
          if c ~= through then screen[(y + i) * gif.w + x + j + 1] = palette[c] end
        end
      end
      gif[#gif + 1] = { rgb = table.concat(screen, "", 1, gif.w * gif.h), area = w * h,
        delay = ("<I2"):unpack(control, 2) }
    end
  end
  t.eq(at, #bytes + 1, "nothing after the end")
  return gif
end

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return decode(f:read("a"))
end

-- Largest difference of a channel, and RMS.
local function distance(a, b)
  t.eq(#a, #b)
  local most, sum = 0, 0
  for k = 1, #a do
    local d = math.abs(a:byte(k) - b:byte(k))
    sum = sum + d * d
    if d > most then most = d end
  end
  return most, math.sqrt(sum / #a)
end

-- ---- files ----

t.test("a dot that moves: frames, delays, colours, small differences", function()
  local fig = plot.figure { size = { 80, 60 }, text = false, theme = "paper" }
  local ax = fig:axes { xlim = { 0, 10 }, ylim = { 0, 1 }, frame = false, grid = false }
  local s = ax:scatter { x = { 0 }, y = { 0.5 }, size = 9, color = "#d62728", edgewidth = 0 }
  local path, want = t.tmp("dot.gif"), {}
  do
    local gif <close> = fig:gif(path, { fps = 30, scale = 1 })
    for k = 1, 9 do
      s:set { x = { k } }
      gif:frame()
      want[k] = fig:pixels { scale = 1 }
    end
    t.ok(not io.open(path), "nothing is written before the end")
  end
  local gif = read(path)
  t.eq({ gif.w, gif.h, #gif, gif.loop }, { 80, 60, 9, 0 })
  local time = 0
  for k, frame in ipairs(gif) do
    local most = distance(frame.rgb, want[k])
    t.ok(most <= 3, ("frame %d is %d off"):format(k, most))
    t.ok(k == 1 or frame.area < 600, "a frame holds what moved")
    time = time + frame.delay
  end
  t.eq(time, 30, "9 frames at 30 in a second")
end)

t.test("how often it is shown", function()
  local fig = plot.figure { size = { 20, 20 } }
  for k, loop in ipairs { true, false, 3 } do
    local path = t.tmp("loop" .. k .. ".gif")
    local gif = fig:gif(path, { loop = loop, fps = 10, scale = 1 })
    gif:frame():frame()
    gif:close()
    gif:close()
    local got = read(path)
    t.eq(got.loop, ({ 0, nil, 2 })[k])
    t.eq({ #got, got[1].delay, got[2].area }, { 2, 10, 1 })
    t.raises("after close", gif.frame, gif)
  end
end)

t.test("colour maps keep their colours, and still ones do not flicker", function()
  local fig = plot.figure { size = { 100, 70 }, cols = 2, text = false }
  local z = {}
  for i = 1, 32 do
    z[i] = {}
    for j = 1, 32 do z[i][j] = i * j end
  end
  fig:axes {}:heatmap { z = z }
  local hm = fig:axes {}:heatmap { z = z, cmap = "magma" }
  local path, want = t.tmp("maps.gif"), {}
  local gif = fig:gif(path, { scale = 1 })
  for k = 1, 3 do
    hm:set { vmax = 1024 / k }
    gif:frame()
    want[k] = fig:pixels { scale = 1 }
  end
  gif:close()
  local got = read(path)
  for k = 1, 3 do
    local most, rms = distance(got[k].rgb, want[k])
    t.ok(most < 24 and rms < 3, ("frame %d: %d at most, RMS %.2f"):format(k, most, rms))
  end
  for y = 0, 69 do
    local row = y * 300
    t.eq(got[3].rgb:sub(row + 1, row + 140), got[1].rgb:sub(row + 1, row + 140), "the left half")
  end
end)

t.test("errors: names, rates, no frames, no folder, a figure of another size", function()
  local fig = plot.figure { size = { 30, 30 } }
  t.raises("fps is a number", fig.gif, fig, t.tmp("a.gif"), { fps = 0 })
  t.raises("unknown option 'fpss'", fig.gif, fig, t.tmp("a.gif"), { fpss = 3 })
  t.raises("loop is true", fig.gif, fig, t.tmp("a.gif"), { loop = 0 })
  local gif = fig:gif(t.tmp("a.gif"))
  t.raises("has no frames", gif.close, gif)
  gif = fig:gif(t.tmp("no/folder/a.gif"))
  gif:frame()
  t.raises("No such file or directory", gif.close, gif)
  gif = fig:gif(t.tmp("a.gif"))
  gif:frame()
  fig:set { size = { 40, 40 } }
  t.raises("all frames have one size", function() gif:frame():frame():close() end)
  gif = nil
  collectgarbage()
  t.ok(not io.open(t.tmp("a.gif")), "no file without close")
end)

-- ---- what is drawn again ----

-- A frame draws only what changed since the last one; it must look as if all had been drawn.
local function changes(random, fig)
  local a = fig:axes { row = 1, col = 1, title = "a", xlabel = "x" }
  local b = fig:axes { row = 1, col = 2, ylabel = "y" }
  local c = fig:axes { row = 2, colspan = 2 }
  local function list(n)
    local v = {}
    for k = 1, n do v[k] = random() end
    return v
  end
  local hm = a:heatmap { z = { list(4), list(4), list(4) }, extent = { 0, 1, 0, 1 } }
  local under = a:line { x = { 0, 0.5, 1 }, y = list(3), width = 4, alpha = 0.5 }
  local points = a:scatter { x = list(20), y = list(20), label = "points" }
  local curve = b:line { y = list(3), label = "curve" }
  local text = c:text(0.5, 0.5, "text")
  c:scatter { x = list(5), y = list(5), c = list(5), marker = "star", size = 12 }
  local twin = c:line { y = list(4), axis = "y2" }
  local extra
  return {
    function() hm:set { z = { list(4), list(4), list(4) } } end,
    function() under:set { y = list(3) } end,
    function() points:set { x = list(20), y = list(20) } end,
    function() points:set { color = ("#%06x"):format(random(0, 0xffffff)) } end,
    function() curve:push(random()) end,
    function() curve:push(4 * random()) end,
    function() text:set { text = ("%.3f"):format(random()), x = random(), y = random() } end,
    function() twin:set { y = list(4), color = ("C%d"):format(random(8)) } end,
    function() a:set { title = ("title "):rep(random(6)) } end,
    function() b:set { ylim = { 0, random(9) } } end,
    function() under:set { visible = random() < 0.5 } end,
    function() hm:set { order = random() < 0.5 and 2.5 or 0 } end,
    function() a:colorbar(hm, { label = random() < 0.5 and "bar" or nil }) end,
    function() b:legend(random() < 0.5 and "outside" or "best") end,
    function() c:set { grid = random() < 0.5 } end,
    function() fig:set { title = ("figure "):rep(random(0, 2)) } end,
    function() fig:set { theme = random() < 0.5 and "dark" or "paper" } end,
    function()
      if extra then extra:remove() end
      extra = not extra and b:line { y = list(5), label = "extra" } or nil
    end,
    function() end,
  }
end

t.test("only what changed is drawn again, and nothing is missing", function()
  math.randomseed(11)
  local fig = plot.figure { size = { 180, 150 }, rows = 2, cols = 2, theme = "paper" }
  local list = changes(math.random, fig)
  local path, want, did = t.tmp("changes.gif"), {}, {}
  local gif = fig:gif(path, { scale = 1 })
  for k = 1, 120 do
    did[k] = k <= 2 * #list and (k + 1) // 2 or math.random(#list)
    list[did[k]]()
    gif:frame()
    want[k] = fig:pixels { scale = 1 }
  end
  gif:close()
  local got = read(path)
  t.eq(#got, #want)
  for k = 1, #want do
    local most, rms = distance(got[k].rgb, want[k])
    t.ok(rms < 3.5 and most < 80, ("frame %d, after change %d: RMS %.2f, at most %d"):format(
      k, did[k], rms, most))
  end
end)
