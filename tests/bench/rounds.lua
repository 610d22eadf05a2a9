-- rounds.lua -- measuring one row: who does the same work and agrees, which variant of each
-- peer is the fastest, and rounds in which all take turns.

local tide = require "tide"
local work = require "tests.bench.work"

local rounds = {}

-- Differences that are allowed, relative; "accuracy" is absolute, of log densities.
local ALLOWED = { loss = 1e-5, gradient = 1e-5, after = 1e-4, values = 1e-4, accuracy = 1e-5 }
-- Where products round their inputs, each side's errors are its own.
local ROUNDED = { loss = 1e-2, gradient = 5e-2, after = 2e-2, values = 1e-2, accuracy = 1e-2 }

---- numbers ----

function rounds.quantile(list, q)
  local s = table.move(list, 1, #list, 1, {})
  table.sort(s)
  return s[math.max(1, math.min(#s, math.ceil(q * #s)))]
end

function rounds.median(list)
  local s = table.move(list, 1, #list, 1, {})
  table.sort(s)
  return (s[(#s + 1) // 2] + s[#s // 2 + 1]) / 2
end

-- Seconds of one unit: what rounds gave, and what is told of them.
local function summary(list)
  return { rounds = list, median = rounds.median(list), least = rounds.quantile(list, 0),
           p90 = rounds.quantile(list, 0.9) }
end

---- our side ----

-- Seconds of n units; on a device also until the host was through with them.
local function timed(w, n)
  tide.sync()
  local start = tide.clock()
  w.run(n)
  local host = tide.clock() - start
  tide.sync()
  return (tide.clock() - start) / n, host / n
end

-- Works for about `seconds`; seconds of one unit.
function rounds.ours(w, seconds)
  if not w.each then
    w.run(2)                              -- the second call of a captured step records it
    w.each = timed(w, 1)
  end
  w.each, w.host = timed(w, math.max(1, math.ceil(seconds / w.each)))
  return w.each
end

---- peers ----

-- nil, or what differs too much.
local function differs(errors, ours, spec)
  local list = spec.precision and ROUNDED or ALLOWED
  for what, e in pairs(errors) do
    local allowed = what == "accuracy" and math.max(list.accuracy, ours.accuracy or 0) or list[what]
    if not (e <= allowed) then
      return ("not equal: %s differs by %.2g, allowed %.2g"):format(what, e, allowed)
    end
  end
end

local function variants_of(peer, row, o)
  local list = {}
  for _, v in ipairs(peer.variants[row.kind] or {}) do
    local quick = o.quick or o.hurried
    if o.full or not v.full and not (quick and v.compile) then list[#list + 1] = v end
  end
  return list
end

-- Asks every peer for its i-th variant at once, so that they get ready side by side.
local function get_ready(row, spec, peers, folder, ours, o)
  local candidates = {}
  local most = 0
  for _, p in ipairs(peers) do most = math.max(most, #variants_of(p, row, o)) end
  for i = 1, most do
    local asked = {}
    for _, p in ipairs(peers) do
      local v = variants_of(p, row, o)[i]
      if v then
        p:send { ["do"] = "prepare", id = i, kind = row.kind, spec = spec, variant = v, folder = folder,
                 threads = tide.threads(), limit = o.limit }
        asked[#asked + 1] = { peer = p, id = i, variant = v.name, group = v.group }
      end
    end
    for _, c in ipairs(asked) do
      local reply, why = c.peer:receive()
      if reply then
        c.errors, c.prepare = reply.errors, reply.seconds
        why = differs(c.errors, ours, spec)
      end
      c.failed = why
      candidates[#candidates + 1] = c
      o.say(("    %s, %s: %s"):format(c.peer.peer, c.variant, why or "agrees"))
    end
  end
  return candidates
end

local function one_round(c, seconds)
  local reply, why = c.peer:ask { ["do"] = "round", id = c.id, seconds = seconds }
  if not reply then
    c.failed = why
    return nil
  end
  return reply.seconds / reply.units
end

-- The fastest variant of each peer in each group of variants.
local function fastest(candidates, o)
  local best, order = {}, {}
  for _, c in ipairs(candidates) do
    local trial = not c.failed and one_round(c, o.seconds * 0.4)
    if trial then
      c.trial = trial
      local key = c.peer.name .. " " .. c.group
      if not best[key] then order[#order + 1] = key end
      if not best[key] or trial < best[key].trial then best[key] = c end
    end
  end
  local list = {}
  for _, key in ipairs(order) do list[#list + 1] = best[key] end
  return list
end

local function drop(candidates)
  for _, c in ipairs(candidates) do
    if not c.peer.dead then c.peer:ask { ["do"] = "drop", id = c.id } end
  end
end

---- a row ----

-- What is written of a side.
local function record(c)
  return { peer = c.peer.peer, variant = c.variant, group = c.group, errors = c.errors,
           failed = c.failed, prepare = c.prepare, trial = c.trial }
end

-- Ratios of the rounds of a peer to ours, and whether they all are on one side.
local function compare(side, times, ours, want)
  for k, v in pairs(summary(times)) do side[k] = v end
  side.ratios = {}
  local above, below = true, true
  for i, t in ipairs(times) do
    local r = t / ours[i]
    side.ratios[i] = r
    above, below = above and r > 1, below and r < 1
  end
  side.ratio = rounds.median(side.ratios)
  side.one_sided = above or below
  side.want = want and want[side.group]
end

-- Measures a row: what is written to the file of results.
function rounds.measure(row, peers, o)
  local spec = o.quick and row.quick or row.spec
  tide.seed(1)
  tide.precision(spec.precision == "tf32" and "tf32" or "strict")
  local ours = work[row.kind](spec, o.folder)
  local candidates = get_ready(row, spec, peers, o.folder, ours, o)
  local chosen = fastest(candidates, o)
  local times, mine = {}, {}
  rounds.ours(ours, 0)
  for i = 1, o.rounds do
    mine[i] = rounds.ours(ours, o.seconds)
    for k, c in ipairs(chosen) do
      times[k] = times[k] or {}
      times[k][i] = not c.failed and one_round(c, o.seconds) or nil
    end
  end
  drop(candidates)
  tide.precision "strict"
  local result = { id = row.id, title = row.title, spec = spec, ours = summary(mine), peers = {}, tried = {},
                   flops = row.flops and row.flops(spec), full = row.full, note = ours.note,
                   accuracy = ours.accuracy, bytes = row.bytes and row.bytes(spec) }
  if o.device ~= "cpu" then
    local stats = tide.type(ours.step) ~= "function" and ours.step.stats and ours.step:stats()
    result.host, result.nodes = ours.host, stats and stats.nodes or nil
  end
  for _, c in ipairs(candidates) do result.tried[#result.tried + 1] = record(c) end
  for k, c in ipairs(chosen) do
    if not c.failed then
      local side = record(c)
      compare(side, times[k], mine, row.want)
      result.peers[#result.peers + 1] = side
    end
  end
  table.sort(result.peers, function(a, b)
    if a.group ~= b.group then return a.group < b.group end
    return a.median < b.median
  end)
  return result
end

return rounds
