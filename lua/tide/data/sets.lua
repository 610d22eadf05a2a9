-- sets.lua -- data sets that systems have as packages.

local tide = require "tide"
local core = require "tide.data.core"
local tensor = tide.tensor

local M = {}

local PACKAGE = "dataset-fashion-mnist"
local PLACE = "/usr/share/datasets/fashion-mnist"

local classes = {
  "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
  "Bag", "Ankle boot",
}

local cifar_classes = {
  "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
}

---- what the sets share ----

local function check(what, dir, o)
  if type(dir) ~= "string" then
    tide.raise(("%s: dir must be a string, not a %s"):format(what, tide.type(dir)))
  end
  if o.split ~= "train" and o.split ~= "test" then
    tide.raise(("%s: split must be 'train' or 'test', not '%s'"):format(what, tostring(o.split)))
  end
end

-- Bytes as they are, or from 0 to 1 in a floating type; labels counted from 1.
local function finish(x, y, dtype)
  if dtype ~= "u8" then x = x:to(dtype):mul_(1 / 255) end
  return x, y:to("i64"):add_(1)
end

---- IDX ----

local function read_pair(what, images, labels, dtype)
  local x, y = core.idx_read(images), core.idx_read(labels)
  if x.dtype ~= "u8" or x:dim() ~= 3 then
    tide.raise(("%s: %s holds %s of %d dims, not u8 of 3"):format(what, images, x.dtype, x:dim()))
  end
  if y:dim() ~= 1 or y:size(1) ~= x:size(1) then
    tide.raise(("%s: %s does not hold %d labels, one for each image")
      :format(what, labels, x:size(1)))
  end
  return finish(x, y, dtype)
end

-- One of the four files, as it is or compressed.
local function find(dir, name)
  for _, path in ipairs { dir .. "/" .. name .. ".gz", dir .. "/" .. name } do
    if core.is_file(path) then return path end
  end
  tide.raise(("data.fashion_mnist: there is no %s.gz in %s; install Debian's package %s " ..
    "(make demo-images, or sudo apt-get install %s), or name the folder with the IDX files " ..
    "by {dir=...}"):format(name, dir, PACKAGE, PACKAGE))
end

-- Images (N, 28, 28), their classes counted from 1, and the names of the classes.
function M.fashion_mnist(o)
  o = tide.options("data.fashion_mnist", o, { split = "train", dir = PLACE, dtype = "f32" })
  check("data.fashion_mnist", o.dir, o)
  local stem = ({ train = "train", test = "t10k" })[o.split]
  local images = find(o.dir, stem .. "-images-idx3-ubyte")
  local labels = find(o.dir, stem .. "-labels-idx1-ubyte")
  local x, y = read_pair("data.fashion_mnist", images, labels, o.dtype)
  return x, y, classes
end

-- The one file of a folder whose name has these words.
local function only_file(dir, split, kind)
  local found = {}
  for _, name in ipairs(core.list(dir) or {}) do
    local low = name:lower()
    local of_split = split == "train" and low:find("train", 1, true)
      or split == "test" and (low:find("t10k", 1, true) or low:find("test", 1, true))
    if of_split and low:find(kind .. "[.-]idx%d") and not low:find("%.part$") then
      found[#found + 1] = name
    end
  end
  table.sort(found)
  -- the same file twice, once compressed
  if #found == 2 and found[2] == found[1] .. ".gz" then found[2] = nil end
  if #found == 1 then return dir .. "/" .. found[1] end
  tide.raise(("data.idx_images: %s in %s with %s and %s-idx in its name; names are as those of " ..
    "MNIST, such as train-images-idx3-ubyte.gz"):format(#found == 0 and "there is no file" or
    "there are several files (" .. table.concat(found, ", ") .. ")", dir,
    split == "train" and "'train'" or "'t10k' or 'test'", kind))
end

-- Images (N, H, W) and classes from 1 of any folder with IDX files.
function M.idx_images(dir, o)
  o = tide.options("data.idx_images", o, { split = "train", dtype = "f32" })
  check("data.idx_images", dir, o)
  return read_pair("data.idx_images", only_file(dir, o.split, "images"),
    only_file(dir, o.split, "labels"), o.dtype)
end

---- CIFAR-10 ----

local function cifar_files(dir, split)
  local files = {}
  for _, folder in ipairs { dir, dir .. "/cifar-10-batches-bin" } do
    for _, name in ipairs(core.list(folder) or {}) do
      if name:find(split == "train" and "^data_batch.*%.bin$" or "^test_batch.*%.bin$") then
        files[#files + 1] = folder .. "/" .. name
      end
    end
    if #files > 0 then break end
  end
  table.sort(files)
  if #files > 0 then return files end
  tide.raise(("data.cifar10: there is no %s in %s; the files are those of cifar-10-binary.tar.gz " ..
    "(https://www.cs.toronto.edu/~kriz/cifar.html)"):format(
    split == "train" and "data_batch_1.bin" or "test_batch.bin", dir))
end

-- Images (N, 3, 32, 32), their classes from 1, and the names of the classes.
function M.cifar10(dir, o)
  o = tide.options("data.cifar10", o, { split = "train", dtype = "f32", map = false })
  local files = dir
  if type(dir) ~= "table" then
    check("data.cifar10", dir, o)
    files = core.is_file(dir) and { dir } or cifar_files(dir, o.split)
  end
  local images, labels = {}, {}
  for i, path in ipairs(files) do
    local t = core.cifar_read(path, nil, o.map)
    images[i], labels[i] = t.images, t.labels
  end
  if #images == 0 then tide.raise("data.cifar10: the list of files is empty") end
  local x = #images == 1 and images[1] or tensor.cat(images)
  local y = #labels == 1 and labels[1] or tensor.cat(labels)
  x, y = finish(x, y, o.dtype)
  return x, y, cifar_classes
end

return M
