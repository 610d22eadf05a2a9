-- images.lua -- how close pictures are to those they should be.

local tide = require "tide"
local check = require "tide.metrics.check"
local tensor = tide.tensor

local M = {}

local function same_shape(name, x, y)
  if not tensor.is_tensor(x) or not tensor.is_tensor(y) or x:numel() == 0
     or table.concat(x.shape, ",") ~= table.concat(y.shape, ",") then
    tide.raise(name .. ": wants two tensors of one shape, with something in them")
  end
end

-- Peak signal-to-noise ratio in dB.
function M.psnr(x, y, o)
  o = tide.options("metrics.psnr", o, { peak = 1 })
  same_shape("metrics.psnr", x, y)
  check.positive("metrics.psnr", "peak", o.peak)
  local mse = (x:detach():to("f64") - y:detach():to("f64")):square():mean():item()
  return 10 * math.log(o.peak * o.peak / mse, 10)
end

-- The matrix (n - window + 1, n) that averages with a Gaussian window.
local function averages(n, window, sigma)
  local weight, sum = {}, 0
  for i = 1, window do
    weight[i] = math.exp(-0.5 * ((i - (window + 1) / 2) / sigma) ^ 2)
    sum = sum + weight[i]
  end
  local m = {}
  for i = 1, n - window + 1 do
    m[i] = {}
    for j = 1, n do m[i][j] = (weight[j - i + 1] or 0) / sum end
  end
  return tensor.from(m, { dtype = "f64" })
end

-- Structural similarity (Wang et al. 2004) of pictures (..., H, W), averaged over
-- the places where the window fits: one number for each picture.
local function similarity(x, y, o)
  local rows = averages(x:size(-2), o.window, o.sigma)
  local columns = averages(x:size(-1), o.window, o.sigma):t()
  local function smooth(a) return rows:matmul(a):matmul(columns) end
  local c1, c2 = (0.01 * o.peak) ^ 2, (0.03 * o.peak) ^ 2
  local mx, my = smooth(x), smooth(y)
  local vx, vy = smooth(x * x) - mx * mx, smooth(y * y) - my * my
  local cov = smooth(x * y) - mx * my
  local map = (mx * my * 2 + c1) * (cov * 2 + c2)
    / ((mx * mx + my * my + c1) * (vx + vy + c2))
  return map:mean { -1, -2 }
end

-- The mean over all pictures; reduction = "none" gives each its own.
function M.ssim(x, y, o)
  o = tide.options("metrics.ssim", o,
    { peak = 1, window = 11, sigma = 1.5, reduction = "mean" })
  same_shape("metrics.ssim", x, y)
  for _, key in ipairs { "peak", "sigma" } do check.positive("metrics.ssim", key, o[key]) end
  tide.count("metrics.ssim", "window", o.window, 1)
  if o.reduction ~= "mean" and o.reduction ~= "none" then
    tide.raise("metrics.ssim: reduction is 'mean' or 'none', not '" .. tostring(o.reduction) .. "'")
  end
  if x:dim() < 2 or x:size(-1) < o.window or x:size(-2) < o.window or o.window % 2 == 0 then
    tide.raise(("metrics.ssim: pictures (...,H,W) of at least the window's %d pixels a side " ..
      "are needed, and an odd window; got (%s)"):format(o.window, table.concat(x.shape, ",")))
  end
  return tide.no_grad(function()
    local s = similarity(x:detach():to("f64"), y:detach():to("f64"), o)
    return o.reduction == "mean" and s:mean():item() or s
  end)
end

return M
