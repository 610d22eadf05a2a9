-- condition.lua -- what a field gets as its third argument: nothing; a tensor with a row
-- for each point (labels, features); or {labels=, image=}, where image is channels that a
-- net of pictures reads beside the points.

local tide = require "tide"
local tensor = tide.tensor

local condition = {}

-- Labels and image of a condition.
function condition.split(c)
  if c == nil or tensor.is_tensor(c) then return c, nil end
  return c.labels, c.image
end

-- The condition made of both.
function condition.join(labels, image)
  if image == nil then return labels end
  return { labels = labels, image = image }
end

-- The condition whose parts are f of the parts of c.
function condition.map(c, f)
  local labels, image = condition.split(c)
  return condition.join(labels and f(labels), image and f(image))
end

-- Rows of several conditions of one kind, one after the other.
function condition.cat(list)
  local labels, images = {}, {}
  for i, c in ipairs(list) do labels[i], images[i] = condition.split(c) end
  return condition.join(labels[1] and tensor.cat(labels, 1), images[1] and tensor.cat(images, 1))
end

-- Refuses what is no condition; name is the function the user called.
function condition.check(name, c)
  if c == nil or tensor.is_tensor(c) then return end
  if type(c) ~= "table" then
    tide.raise(("%s: labels must be a tensor or {labels=, image=}, not a %s"):format(name, tide.type(c)))
  end
  for key, x in pairs(c) do
    if (key ~= "labels" and key ~= "image") or not tensor.is_tensor(x) then
      tide.raise(("%s: a condition holds tensors labels and image; %s is a %s")
        :format(name, tostring(key), tide.type(x)))
    end
  end
end

return condition
