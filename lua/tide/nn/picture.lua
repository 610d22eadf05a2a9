-- picture.lua -- what velocity nets of pictures read: points of their shape, and channels
-- beside them.

local tide = require "tide"
local tensor = tide.tensor
local condition = require "tide.nn.condition"

local picture = {}

-- A size in pixels, n or {h, w}, as {h, w}.
function picture.size(title, size)
  size = type(size) == "table" and size or { size, size }
  for d = 1, 2 do
    if math.type(size[d]) ~= "integer" or size[d] < 1 then
      tide.raise(("%s: size must be the pixels of a picture, a whole number or {height, width}")
        :format(title))
    end
  end
  return size
end

-- Are all sizes of x but the first, and but that of `skip`, those of shape?
local function fits(x, shape, skip)
  local same = tensor.is_tensor(x) and x:dim() == #shape + 1
  for d, n in ipairs(shape) do same = same and (d == skip or x:size(d + 1) == n) end
  return same
end

local function text(x) return tensor.is_tensor(x) and tensor.shape_text(x) or "a " .. type(x) end

-- The points z of a net, with the image of the condition c as further channels, and the
-- labels of c.  net.shape is the shape of a point (the first of three dims are channels, the
-- last of two), net.beside the number of channels the image must have.
function picture.read(net, z, c)
  local shape, along = net.shape, #net.shape == 3 and 1 or 2
  if not fits(z, shape) then
    tide.raise(("%s: points must be (n, %s), not %s"):format(net.title, table.concat(shape, ", "), text(z)))
  end
  condition.check(net.title, c)
  local labels, image = condition.split(c)
  if net.beside == 0 then
    if image then tide.raise(net.title .. ": this network reads no image; make it with extra=") end
    return z, labels
  end
  local n = z:size(1)
  if not image or not fits(image, shape, along) or image:size(along + 1) ~= net.beside or
     (image:size(1) ~= n and image:size(1) ~= 1) then
    tide.raise(("%s: this network reads an image of %d channels beside its points; call it as " ..
      "v(z, t, {image=, labels=}) with %d pictures as large as the points, not %s"):format(
      net.title, net.beside, n, image and text(image) or "without one"))
  end
  if image:size(1) ~= n then
    local sizes = image.shape
    sizes[1] = n
    image = image:expand(sizes)
  end
  return tensor.cat({ z, image }, along + 1), labels
end

return picture
