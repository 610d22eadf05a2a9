-- data.lua -- sets of images by name or place, for the examples on images.
--
--   local d = require("images.data").load("fashion", { train = 60000, test = 10000 })
--
-- d.train and d.test are (N, channels, height, width) in [-1, 1], d.labels and
-- d.test_labels count from 1; d.names has the names of classes where there are any.

local tide = require "tide"
local core = require "tide.data.core"
local tensor = tide.tensor

local images = {}

images.HELP = "fashion; a folder with IDX files or with CIFAR-10's binary ones; FILE.npy with " ..
  "images (N,H,W) or (N,C,H,W), and FILE-labels.npy with classes from 1 (without, images are " ..
  "compared in the features of a random net)"

local function has(dir, pattern)
  for _, name in ipairs(core.list(dir) or {}) do
    if name:lower():find(pattern) then return true end
  end
end

-- The last tenth of the images is for tests.
local function read_npy(path)
  local x = tide.data.load(path)
  if not tensor.is_tensor(x) or x:dim() < 3 or x:dim() > 4 or x:size(1) < 10 then
    error(("--data: %s does not hold images (N,H,W) or (N,C,H,W), at least 10 of them"):format(path), 0)
  end
  x = x.dtype == "u8" and x:to("f32") / 255 or x:to("f32")
  if not (x:min():item() >= 0 and x:max():item() <= 1) then
    error(("--data: images of %s must be bytes, or numbers from 0 to 1"):format(path), 0)
  end
  local labels, beside = nil, path:gsub("%.npy$", "-labels.npy")
  if core.is_file(beside) then labels = tide.data.load(beside):to("i64") end
  labels = labels or tensor.ones(x:size(1), { dtype = "i64" })
  if labels:dim() ~= 1 or labels:size(1) ~= x:size(1) or labels:min():item() < 1 then
    error(("--data: %s must hold %d classes, counted from 1"):format(beside, x:size(1)), 0)
  end
  local n = x:size(1) - x:size(1) // 10
  local a, b, c, d = tide.data.split({ x, labels }, n)
  return function(split)
    if split == "train" then return a, c end
    return b, d
  end
end

local function reader(place)
  if place == "fashion" then
    return function(split) return tide.data.fashion_mnist { split = split } end
  elseif place:find "%.npy$" then
    return read_npy(place)
  elseif has(place, "data_batch.*%.bin$") or has(place, "^cifar%-10%-batches%-bin$") then
    return function(split) return tide.data.cifar10(place, { split = split }) end
  end
  return function(split) return tide.data.idx_images(place, { split = split }) end
end

function images.load(place, o)
  local read = reader(place)
  local function part(split, most)
    local x, labels, names = read(split)
    local n = math.min(x:size(1), most)
    x = x:narrow(1, 1, n):to(tide.device()) * 2 - 1
    if x:dim() == 3 then x = x:unsqueeze(2) end
    return x, labels:narrow(1, 1, n):to(tide.device()), names
  end
  local d = { place = place }
  d.train, d.labels, d.names = part("train", o.train)
  d.test, d.test_labels = part("test", o.test)
  d.channels, d.height, d.width = d.train:size(2), d.train:size(3), d.train:size(4)
  d.shape = { d.channels, d.height, d.width }
  d.classes = math.max(d.labels:max():item(), d.test_labels:max():item())
  d.key = ("%d images, sum %.9g"):format(d.train:size(1), d.train:sum():item())
  return d
end

return images
