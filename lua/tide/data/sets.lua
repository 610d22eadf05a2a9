-- sets.lua -- data sets that systems have as packages.

local tide = require "tide"
local core = require "tide.data.core"

local M = {}

local PACKAGE = "dataset-fashion-mnist"
local PLACE = "/usr/share/datasets/fashion-mnist"

local classes = {
  "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
  "Bag", "Ankle boot",
}

-- One of the four files, as it is or compressed.
local function find(dir, name)
  for _, path in ipairs { dir .. "/" .. name .. ".gz", dir .. "/" .. name } do
    if core.is_file(path) then return path end
  end
  tide.raise(("data.fashion_mnist: there is no %s.gz in %s; install Debian's package %s " ..
    "(sudo apt-get install %s), or name the folder with the IDX files by {dir=...}")
    :format(name, dir, PACKAGE, PACKAGE))
end

-- Images (N, 28, 28), their classes counted from 1, and the names of the classes.
function M.fashion_mnist(o)
  o = tide.options("data.fashion_mnist", o, { split = "train", dir = PLACE, dtype = "f32" })
  local stem = ({ train = "train", test = "t10k" })[o.split]
  if not stem then
    tide.raise(("data.fashion_mnist: split must be 'train' or 'test', not '%s'")
      :format(tostring(o.split)))
  end
  if type(o.dir) ~= "string" then
    tide.raise("data.fashion_mnist: dir must be a string, not a " .. tide.type(o.dir))
  end
  local images = find(o.dir, stem .. "-images-idx3-ubyte")
  local labels = find(o.dir, stem .. "-labels-idx1-ubyte")
  local x, y = core.idx_read(images), core.idx_read(labels)
  if x.dtype ~= "u8" or x:dim() ~= 3 then
    tide.raise(("data.fashion_mnist: %s holds %s of %d dims, not u8 of 3"):format(images,
      x.dtype, x:dim()))
  end
  if y:dim() ~= 1 or y:size(1) ~= x:size(1) then
    tide.raise(("data.fashion_mnist: %s does not hold %d labels, one for each image")
      :format(labels, x:size(1)))
  end
  if o.dtype ~= "u8" then x = x:to(o.dtype):mul_(1 / 255) end
  return x, y:to("i64"):add_(1), classes
end

return M
