-- growth.lua -- how time and memory grow with the sizes of the work.
--
--   tide tests/bench/growth.lua KIND SPEC    does one unit of work and prints the most bytes that
--                                            tensors and this process took

package.path = "./?.lua;" .. package.path
local tide = require "tide"
local json = require "tide.json"
local work = require "tests.bench.work"
local rounds = require "tests.bench.rounds"

local growth = {}

---- time ----

-- Least squares of y = a + b x: a, b and how much of the variance that explains.
function growth.fit(x, y)
  local n, sx, sy, sxx, sxy, syy = #x, 0, 0, 0, 0, 0
  for i = 1, n do
    sx, sy = sx + x[i], sy + y[i]
    sxx, sxy, syy = sxx + x[i] ^ 2, sxy + x[i] * y[i], syy + y[i] ^ 2
  end
  local b = (n * sxy - sx * sy) / (n * sxx - sx * sx)
  local r = (n * sxy - sx * sy) / math.sqrt((n * sxx - sx * sx) * (n * syy - sy * sy))
  return (sy - b * sx) / n, b, r * r
end

local net = { dim = 2, hidden = 256, blocks = 3, lr = 1e-3 }

-- What grows: kind of work, what is given for one size, the sizes, and the power of the
-- size that the time should follow.
local CURVES = {
  { id = "batch", title = "a training step, against the batch", kind = "train",
    sizes = { 64, 128, 256, 512, 1024, 2048 }, small = { 16, 32, 64 },
    spec = function(n) return { batch = n } end },
  { id = "width", title = "a training step of 256 points, against the square of the width", kind = "train",
    sizes = { 128, 256, 512, 768, 1024 }, small = { 16, 32, 48 }, power = 2,
    spec = function(n) return { batch = 256, hidden = n } end },
  { id = "depth", title = "a training step, against the number of blocks", kind = "train",
    sizes = { 1, 2, 4, 6, 8 }, small = { 1, 2, 3 },
    spec = function(n) return { batch = 256, blocks = n } end },
  { id = "latents", title = "a step of latents, against their number", kind = "latents",
    sizes = { 256, 512, 1024, 2048, 4096, 8192 }, small = { 64, 128, 256 },
    spec = function(n) return { points = n, groups = n // 16 } end },
  { id = "cells", title = "a landscape, against its cells", kind = "landscape",
    sizes = { 8, 16, 32, 64 }, small = { 4, 8, 16 }, scale = 256,
    spec = function(n) return { n = { 256, n }, draws = 4 } end },
  { id = "draws", title = "a landscape, against its draws", kind = "landscape",
    sizes = { 4, 8, 16, 32 }, small = { 2, 4, 6 },
    spec = function(n) return { n = { 256, 8 }, draws = n } end },
  { id = "evaluations", title = "sampling, against evaluations of the field", kind = "sample",
    sizes = { 4, 8, 16, 32 }, small = { 2, 4, 8 }, scale = 4,
    spec = function(n) return { points = 2000, steps = n } end },
  { id = "likelihood", title = "exact likelihood, against evaluations of the field", kind = "likelihood",
    sizes = { 2, 4, 8, 16 }, small = { 2, 4, 8 }, scale = 4,
    spec = function(n) return { points = 1000, steps = n } end },
  { id = "densities", title = "kernel densities, against the number of points", kind = "kde",
    sizes = { 512, 1024, 2048, 4096 }, small = { 64, 128, 256 },
    spec = function(n) return { points = n, samples = 20000, bandwidth = 0.1 } end },
}

local function curve(c, o)
  local result = { id = c.id, title = c.title, x = {}, y = {} }
  local made = {}
  for i, n in ipairs(o.quick and c.small or c.sizes) do
    local spec = {}
    for k, v in pairs(net) do spec[k] = v end
    if o.quick then spec.hidden, spec.blocks = 16, 1 end
    for k, v in pairs(c.spec(n)) do spec[k] = v end
    tide.seed(1)
    made[i] = work[c.kind](spec)
    result.x[i] = (n * (c.scale or 1)) ^ (c.power or 1)
  end
  -- the least of several turns: sizes take turns, so that what disturbs one disturbs all
  for turn = 1, o.quick and 1 or 4 do
    for i, w in ipairs(made) do
      local t = rounds.ours(w, o.quick and 0 or 0.05)
      if turn == 1 or t < result.y[i] then result.y[i] = t end
    end
  end
  result.offset, result.slope, result.r2 = growth.fit(result.x, result.y)
  return result
end

function growth.times(o)
  local list = {}
  for i, c in ipairs(CURVES) do
    list[i] = curve(c, o)
    o.say(("growth of %-62s R^2 %.4f"):format(c.title, list[i].r2))
  end
  return list
end

---- memory ----

-- Bytes that this process holds, as the system counts them.
local function resident()
  local f = io.open "/proc/self/statm"
  if not f then return 0 end
  local pages = f:read "a":match "^%d+ (%d+)"
  f:close()
  return tonumber(pages) * 4096
end

function growth.megabytes(list)
  local t = {}
  for i, b in ipairs(list) do t[i] = ("%.1f"):format(b / 1e6) end
  return table.concat(t, ", ")
end

-- Work whose length grows: sizes, and what is given for one size.
local LENGTHS = {
  { title = "a landscape of 64 x 64 cells, against its draws", kind = "landscape", sizes = { 4, 16, 64 },
    spec = function(n) return { n = 64, draws = n } end },
  { title = "a landscape of 8 draws, against its lines of 64 cells", kind = "landscape",
    sizes = { 256, 1024, 4096 }, spec = function(n) return { n = { 64, n }, draws = 8 } end },
  { title = "sampling 2,000 points by RK4, against its steps", kind = "sample", sizes = { 4, 16, 64 },
    spec = function(n) return { points = 2000, steps = n } end },
  { title = "exact likelihood of 2,000 points by RK4, against its steps", kind = "likelihood",
    sizes = { 4, 16, 64 }, spec = function(n) return { points = 2000, steps = n } end },
}

-- Bytes at most of tensors and of the process, in a process of its own.
local function measured(program, kind, spec)
  local f = io.popen(("'%s' tests/bench/growth.lua %s '%s'"):format(program, kind,
    (json.encode(spec):gsub("%s*\n%s*", " "))))
  local bytes, process = f:read("n", "n")
  f:close()
  return bytes or error("growth.lua gave no figures for " .. kind, 0), process
end

local function lengths(o)
  local list = {}
  for i, l in ipairs(LENGTHS) do
    list[i] = { title = l.title, x = o.quick and { l.sizes[1] } or l.sizes, bytes = {}, process = {} }
    for k, n in ipairs(list[i].x) do
      local spec = { dim = 2, hidden = o.quick and 16 or 128, blocks = 2 }
      for key, v in pairs(l.spec(n)) do spec[key] = v end
      list[i].bytes[k], list[i].process[k] = measured(o.program, l.kind, spec)
    end
    o.say(("memory of %-60s %s MB"):format(l.title, growth.megabytes(list[i].bytes)))
  end
  return list
end

-- Many replays of a training step: bytes handed out to tensors, and growth of the process.
function growth.replays(count)
  local w = work.train { dim = 2, hidden = 16, blocks = 1, batch = 32, lr = 1e-3 }
  w.run(100)
  collectgarbage()
  collectgarbage()
  local bytes, rss = tide.memory().total, resident()
  w.run(count)
  collectgarbage()
  return { count = count, bytes = tide.memory().total - bytes, resident = resident() - rss }
end

function growth.memory(o)
  local r = { lengths = lengths(o), replays = growth.replays(o.quick and 1000 or 100000) }
  o.say(("memory of %d replays: %d bytes handed out, the process grew by %.1f KB"):format(
    r.replays.count, r.replays.bytes, r.replays.resident / 1024))
  return r
end

if arg and arg[0] and arg[0]:find "growth%.lua$" then
  tide.progress.enabled = false
  work[arg[1]](assert(json.decode(arg[2]))).run(1)
  local f = io.open "/proc/self/status"
  local most = f and f:read "a":match "VmHWM:%s*(%d+) kB" or 0
  print(tide.memory().peak, most * 1024)
end

return growth
