-- target.lua -- the targets of the lab, all of them with exact fields and densities.
--
-- mog and grid are mixtures.  moons, rings, spiral and swissroll are curves with normal
-- noise: their density is an integral of Gaussians along the curve, here a sum over
-- pieces of one and a half widths, which differs from it by less than one in a thousand.
-- A drawn target is a mixture with a Gaussian on each of its points.

local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local Field = require "tide.lab.field"

local M = {}

M.names = { "mog", "grid", "moons", "rings", "spiral", "swissroll" }

local NOISE = 0.1                    -- of flow.targets, before scaling
local FINE = 4096                    -- points of a curve that pieces are made of
local PIECE = 1.5                    -- length of a piece over the width of the noise

---- curves as flow.targets draws them: for u in (0, 1) ----

local pi, sqrt, floor, cos, sin = math.pi, math.sqrt, math.floor, math.cos, math.sin

local curves = {}

function curves.moons(u)
  local r = 2
  local a = 2 * u % 1 * pi
  if u < 0.5 then return cos(a) * r - r / 2, sin(a) * r - r / 4 end
  return (1 - cos(a)) * r - r / 2, (0.5 - sin(a)) * r - r / 4
end

function curves.rings(u)
  local r, a = (floor(3 * u) + 1) * 4 / 3, 3 * u % 1 * 2 * pi
  return r * cos(a), r * sin(a)
end

function curves.spiral(u)
  local f = sqrt(u)
  local a = f * 2 * pi * 3
  return f * cos(a) * 4, f * sin(a) * 4
end

function curves.swissroll(u)
  local r, a = (u * 0.8 + 0.2) * 4, u * 2 * pi * 3 + 1.5 * pi
  return r * cos(a), r * sin(a)
end

-- Means and weights of pieces of about equal length.
local function pieces(curve, length)
  local means, weights = {}, {}
  local x0, y0, walked, n, sx, sy = nil, nil, 0, 0, 0, 0
  local function close()
    if n == 0 then return end
    means[#means + 1], weights[#weights + 1] = { sx / n, sy / n }, n / FINE
    walked, n, sx, sy = 0, 0, 0, 0
  end
  for i = 1, FINE do
    local x, y = curve((i - 0.5) / FINE)
    local d = x0 and sqrt((x - x0) ^ 2 + (y - y0) ^ 2) or 0
    if d > length or walked + d / 2 > length then close() end   -- a jump starts anew
    if n > 0 then walked = walked + d end
    n, sx, sy, x0, y0 = n + 1, sx + x, sy + y, x, y
  end
  close()
  return means, weights
end

---- targets ----

local Target = {}
Target.__index = Target

function Target:sample(n, o) return self.source:sample(n, o) end
function Target:nll(y) return self.field:nll(y) end

local function named(name)
  local source = flow.targets[name]()
  local t = { name = name, key = name, source = source }
  if source.exact then
    t.field = Field.new(source.modes, source.mode_std)
    t.modes, t.std = source.modes, source.mode_std
  else
    t.std = NOISE / source.scale
    local means, weights = pieces(curves[name], PIECE * NOISE)
    t.field = Field.new(tensor.from(means, { dtype = "f64" }) / source.scale, t.std, weights)
  end
  return setmetatable(t, Target)
end

local DRAWN_MAX, WIDTH = 500, 0.1     -- Gaussians of a drawn target, and their width

-- What a person drew: points (N,2) where they are to lie, and how much each counts.
local function drawn(points, o)
  if not tensor.is_tensor(points) or points:dim() ~= 2 or points:size(2) ~= 2
     or points:size(1) < 1 then
    tide.raise("lab: a drawn target is a tensor of points (N, 2) with N > 0")
  end
  points = points:detach():to("f64")
  if not points:isfinite():all():item() then
    tide.raise("lab: the points of a drawn target must be finite")
  end
  local n, weights = points:size(1), o.weights
  if n > DRAWN_MAX then
    local pick = tensor.randperm(n, { generator = tide.generator(7) }):narrow(1, 1, DRAWN_MAX)
    points = points:index_select(1, pick)
    weights = weights and weights:index_select(1, pick)
  end
  M.drawings = (M.drawings or 0) + 1
  local field = Field.new(points, o.width or WIDTH, weights)
  return setmetatable({ name = "draw", key = "draw" .. M.drawings, source = field,
                        field = field, std = field.std }, Target)
end

local made = {}

-- A target by name; of "draw" with points, and { width =, weights = } of their Gaussians.
function M.make(name, points, o)
  if name == "draw" then
    if not points then tide.raise "lab: draw a target first, or give its points" end
    return drawn(points, o or {})
  end
  if not curves[name] and name ~= "mog" and name ~= "grid" then
    local names = { "draw", table.unpack(M.names) }
    local near = type(name) == "string" and tide.nearest(name, names)
    tide.raise(("lab: there is no target '%s'%s (targets: %s, draw)"):format(tostring(name),
      near and ("; did you mean '%s'?"):format(near) or "", table.concat(M.names, ", ")))
  end
  made[name] = made[name] or named(name)
  return made[name]
end

return M
