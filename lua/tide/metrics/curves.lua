-- curves.lua -- how two series of numbers go together.

local tide = require "tide"
local tensor = tide.tensor

local M = {}

local function vector(x, name)
  if type(x) == "table" then x = tensor.from(x, { dtype = "f64" }) end
  if not tensor.is_tensor(x) then
    tide.raise(name .. ": wants tensors or tables of numbers, not " .. type(x))
  end
  return x:detach():to("f64"):flatten()
end

local function pair(name, x, y)
  local a, b = vector(x, name), vector(y, name)
  if a:numel() ~= b:numel() or a:numel() < 2 then
    tide.raise(("%s: wants two equally long series of at least 2 values, not %d and %d")
      :format(name, a:numel(), b:numel()))
  end
  return a, b
end

local function correlation(a, b)
  a, b = a - a:mean(), b - b:mean()
  local d = math.sqrt(a:square():sum():item() * b:square():sum():item())
  return a:dot(b):item() / d            -- NaN where a series is constant
end

function M.pearson(x, y)
  return correlation(pair("metrics.pearson", x, y))
end

-- Ranks from 1; equal values share the mean of theirs.
local function ranks(x)
  local n = x:numel()
  local sorted, order = x:sort(1)
  local values, at = sorted:totable(), order:totable()
  local r = {}
  local i = 1
  while i <= n do
    local j = i
    while j < n and values[j + 1] == values[i] do j = j + 1 end
    for k = i, j do r[at[k]] = (i + j) / 2 end
    i = j + 1
  end
  return tensor.from(r, { dtype = "f64" })
end

function M.spearman(x, y)
  local a, b = pair("metrics.spearman", x, y)
  if a:isnan():any():item() or b:isnan():any():item() then return 0 / 0 end
  return correlation(ranks(a), ranks(b))
end

return M
