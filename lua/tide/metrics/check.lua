-- check.lua -- what every measure asks of its arguments.

local tide = require "tide"
local tensor = tide.tensor

local M = {}

-- Two sets of rows of the same length, at least one row each.
function M.samples(name, x, y)
  if not tensor.is_tensor(x) or not tensor.is_tensor(y)
     or x:dim() ~= 2 or y:dim() ~= 2 or x:size(2) ~= y:size(2)
     or x:numel() == 0 or y:numel() == 0 then
    local function text(v)
      return tensor.is_tensor(v) and "(" .. table.concat(v.shape, ",") .. ")" or tide.type(v)
    end
    tide.raise(("%s: wants samples of shapes (N,D) and (M,D), at least one of each, not %s and %s")
      :format(name, text(x), text(y)))
  end
end

-- k nearest neighbours, one more if each row meets itself: how many to look for.
function M.neighbours(name, k, rows, drop_self)
  k = tide.count(name, "k", k, 1)
  k = drop_self and k + 1 or k
  if k > rows then tide.raise(("%s: %d neighbours among %d rows"):format(name, k, rows)) end
  return k
end

function M.positive(name, what, v)
  if type(v) ~= "number" or not (v > 0 and v < math.huge) then
    tide.raise(("%s: %s must be a positive number, not %s"):format(name, what, tostring(v)))
  end
end

return M
