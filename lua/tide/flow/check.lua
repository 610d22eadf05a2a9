-- check.lua -- checks of arguments that the parts of the flow library share.  Each
-- raises an error that starts with `name`, the function the user called.

local tide = require "tide"
local tensor = tide.tensor

local check = {}

-- A field: something to be called as v(z, t).
function check.field(name, v)
  if tide.callable(v) then return end
  local hint = ""
  if type(v) == "table" and v.sample then
    hint = v.exact and "; a target's exact field is target.exact"
      or "; a target is no field: train one with flow.train"
  end
  tide.raise(("%s: the field must be a function or a net, called as v(z, t), not a %s%s")
    :format(name, tide.type(v), hint))
end

local function what(x)
  return tensor.is_tensor(x) and "of shape " .. tensor.shape_text(x) or "a " .. type(x)
end

-- Points of any shape (B, ...).
function check.points(name, x)
  if not tensor.is_tensor(x) or x:dim() < 2 then
    tide.raise(("%s: points must be a tensor of shape (B, D) or (B, ...), not %s")
      :format(name, what(x)))
  end
end

-- Points that must be vectors.
function check.vectors(name, x)
  if not tensor.is_tensor(x) or x:dim() ~= 2 then
    tide.raise(("%s: points must be vectors, a tensor of shape (B, D), not %s; " ..
      "x:flatten(2, -1) makes vectors of pictures"):format(name, what(x)))
  end
end

function check.callable(name, key, f)
  if f ~= nil and not tide.callable(f) then
    tide.raise(("%s: %s must be a function, not a %s"):format(name, key, tide.type(f)))
  end
end

-- A number in [low, high], or in [low, high) where `open`.
function check.number(name, key, x, low, high, open)
  if type(x) ~= "number" or not (x >= low and (open and x < high or x <= high)) then
    tide.raise(("%s: %s must be a number from %g to %s%g, not %s"):format(name, key,
      low, open and "below " or "", high, tostring(x)))
  end
end

local function same_shape(a, b)
  local same = a:dim() == b:dim()
  for d = 1, same and a:dim() or 0 do same = same and a:size(d) == b:size(d) end
  return same
end

function check.same_shape(name, key, x, z)
  if not tensor.is_tensor(x) or not same_shape(x, z) then
    tide.raise(("%s: %s must be a tensor of shape %s, not %s"):format(name, key,
      tensor.shape_text(z), tensor.is_tensor(x) and tensor.shape_text(x) or "a " .. type(x)))
  end
end

-- What a field returned must have the shape of the points.
function check.velocity(name, out, z)
  if not tensor.is_tensor(out) then
    tide.raise(("%s: the field returned a %s, not a tensor"):format(name, type(out)))
  end
  if not same_shape(out, z) then
    tide.raise(("%s: the field returned %s for points of shape %s"):format(name,
      tensor.shape_text(out), tensor.shape_text(z)))
  end
end

function check.path(name, p)
  if type(p) ~= "table" or not p.interpolate then
    tide.raise(("%s: path must be a path, as flow.path.linear() gives, not %s")
      :format(name, tostring(p)))
  end
end

return check
