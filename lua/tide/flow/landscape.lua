-- landscape.lua -- values of a function on a grid of the plane.

local tide = require "tide"
local tensor = tide.tensor
local check = require "tide.flow.check"

local landscape = {}

-- Values of f((B,2) points) -> (B) on an n x n grid, in batches.  z has row = y
-- and column = x, as heatmaps want it.  Of a target it is the NLL.
function landscape.landscape(f, o)
  o = tide.options("flow.landscape", o, {
    "report", "device", xlim = { -3, 3 }, ylim = { -3, 3 }, n = 64, batch = 16384,
    dtype = "f32" })
  local target = type(f) == "table" and f.nll_grid and f or nil
  if not target then check.callable("flow.landscape", "f", f or false) end
  tide.count("flow.landscape", "batch", o.batch, 1)
  local n = type(o.n) == "table" and o.n or { o.n, o.n }
  local nx, ny = tide.count("flow.landscape", "n", n[1], 1), tide.count("flow.landscape", "n", n[2], 1)
  for _, key in ipairs { "xlim", "ylim" } do
    if type(o[key]) ~= "table" or #o[key] ~= 2 then
      tide.raise(("flow.landscape: %s must be two numbers, as {-3, 3}"):format(key))
    end
  end
  local spec = { dtype = o.dtype, device = o.device }
  local x = tensor.linspace(o.xlim[1], o.xlim[2], nx, spec)
  local y = tensor.linspace(o.ylim[1], o.ylim[2], ny, spec)
  local points = tensor.stack({
    x:unsqueeze(1):expand(ny, nx):flatten(),
    y:unsqueeze(2):expand(ny, nx):flatten(),
  }, 2)
  if target then
    return { z = target:nll_grid(x, y), x = x, y = y, points = points }
  end
  local parts, total = {}, nx * ny
  local bar <close> = tide.progress { label = "landscape", total = total, unit = "point" }
  tide.no_grad(function()
    for from = 1, total, o.batch do
      local count = math.min(o.batch, total - from + 1)
      parts[#parts + 1] = f(points:narrow(1, from, count)):detach()
      bar:update(from + count - 1)
      if o.report then o.report(from + count - 1, total) end
    end
  end)
  return { z = tensor.cat(parts):reshape(ny, nx), x = x, y = y,
           points = points }
end

return landscape
