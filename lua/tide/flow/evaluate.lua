-- evaluate.lua -- calling a field many times at points of the same shape, as solvers do.
-- A net that runs as a whole goes tile by tile of points by itself.  Others are recorded
-- once and replayed, so that they do too and the memory they need does not grow with the
-- number of points.

local tide = require "tide"
local tensor = tide.tensor

local ROWS = 256        -- fewer points are not worth recording for

-- f(z, t) for a number t, where f calls the net v.  Only nets that take one time for
-- all points as a tensor of one element are recorded; other fields are called as they are.
-- graph: f builds graphs, and so calls the net layer by layer.
local function evaluator(v, f, z, graph)
  local known = type(v) == "table" and v.grouped and z:size(1) >= ROWS
  if not known or not tide.capture.enabled then return f end
  if not graph and v.runs_whole and v:runs_whole(z) then return f end
  local step = tide.capture(f, { fallback = true })
  local spec = { dtype = z.dtype, device = z.device }
  return function(points, t)
    local results = table.pack(step(points, tensor.full({ 1 }, t, spec)))
    for i = 1, results.n do results[i] = results[i]:clone() end   -- replays overwrite them
    return table.unpack(results, 1, results.n)
  end
end

-- The field for many calls: of a net that runs as a whole at z, a snapshot.
local function settled(v, z)
  local can = type(v) == "table" and v.snapshot and v:runs_whole(z)
  return can and v:snapshot() or v
end

return { evaluator = evaluator, settled = settled }
