-- data.lua -- documentation of files, data sets and batches.
return {
["data.load"] = {
  text = "Reads a file by its extension. One tensor: .npy; .idx, also under names such as " ..
    "train-images-idx3-ubyte; .png as u8, or i32 for 16 bits, of shape (H,W) for grey and (H,W,C) for 2 " ..
    "to 4 channels; .csv as f64 (rows, columns), then the names of the columns if the first line has " ..
    "them. Many tensors: .npz and .safetensors as a table of tensors by name, then their names in file " ..
    "order, then the metadata; .bin (CIFAR-10) likewise, with images u8 (N,3,32,32) and labels u8 (N) " ..
    "from 0. .npy, .idx and .csv files may be compressed as .gz. Numbers of widths " ..
    "that tensors do not have become the next type that holds them: f16 becomes f32, u16 becomes i32.",
  args = { { "path", "string" }, { "options", "table",
    "header (.csv): true if the first line holds names, false if numbers; only (.npz, .safetensors): " ..
    "the name or names of the tensors to read; map (.npy, .idx, .safetensors, .bin) [false]: tensors over " ..
    "the mapped file, which open at once and page in on demand. What the file does not hold as tensors do " ..
    "(compressed, of other types or byte order, bool) is read. Writing to a mapped tensor changes a " ..
    "private copy of the page, never the file. Labels of a mapped .bin file are not checked. A file that " ..
    "is cut short while it is mapped makes every use of its tensors an error", optional = true } },
  returns = "tensor, or table of tensors, names and metadata",
  errors = "Files that are missing, damaged or cut short: the message names file, field and offset, " ..
    "or line and column.",
  source = "NumPy's npy format 1.0 to 3.0; safetensors 0.4; RFC 4180; the IDX format of MNIST",
  example = [[
local path = os.tmpname() .. ".npy"
data.save(path, tensor.eye(3))
assert(data.load(path):equal(tensor.eye(3)))
os.remove(path)
path = os.tmpname() .. ".csv"
data.save(path, tensor.from{ { 1, 2 }, { 3, 4 } }, { header = { "step", "loss" } })
local x, names = data.load(path)
assert(x:size(1) == 2 and names[2] == "loss")
os.remove(path)
path = os.tmpname() .. ".npy"
data.save(path, tensor.ones(1000, 32))
local big = data.load(path, { map = true })
assert(big:narrow(1, 999, 2):sum():item() == 64)
os.remove(path)]] },
["data.save"] = {
  text = "Writes a tensor, or a table of tensors under names, in the format of the extension. The file " ..
    "appears when it is whole: written beside its place as PATH.part, flushed to the disk, renamed. .npy, " ..
    ".idx and .csv files are compressed if the path ends in .gz. A .bin file (CIFAR-10) takes a table of " ..
    "images u8 (N,3,32,32) and labels u8 (N) from 0 to 9. A .csv file takes a tensor (rows, " ..
    "columns), or a table of columns by name. A .png file takes (H,W) or (H,W,C) with 1 to 4 channels: " ..
    "u8, floats from 0 to 1 (what lies outside is cut), or i32 from 0 to 65535 for 16 bits.",
  args = { { "path", "string" }, { "x", "tensor|table" },
    { "options", "table", "metadata (.safetensors): strings by name; compress (.npz) [false]; header " ..
      "(.csv): names of the columns", optional = true } },
  returns = "nothing",
  errors = "A folder that cannot be written, a full disk, an unknown extension, a tensor that the " ..
    "format cannot hold.",
  example = [[
local path = os.tmpname() .. ".safetensors"
data.save(path, { a = tensor.ones(2), b = tensor.zeros(3) }, { metadata = { epoch = 7 } })
local t, names, metadata = data.load(path)
assert(t.b:numel() == 3 and names[1] == "a" and metadata.epoch == "7")
os.remove(path)]] },
["data.fashion_mnist"] = {
  text = "Fashion-MNIST: 60,000 images of clothes to train with and 10,000 to test, of 28 x 28 grey " ..
    "pixels, in 10 classes. The files come from Debian's package dataset-fashion-mnist; dir names " ..
    "another folder with IDX files of the same names (MNIST and its kin).",
  args = { { "options", "table", "split: 'train' or 'test' ['train'], dir " ..
    "['/usr/share/datasets/fashion-mnist'], dtype ['f32': from 0 to 1; 'u8': from 0 to 255]",
    optional = true } },
  returns = "images (N,28,28), classes i64 (N) from 1 to 10, and a list of the names of the classes",
  errors = "No such files; the message names the package.",
  source = "Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747",
  example = [[
local there, x, y, names = pcall(data.fashion_mnist, { split = "test" })
if there then assert(x:size(1) == 10000 and names[y[1]:item()] == "Ankle boot") end]] },
["data.idx_images"] = {
  text = "Images and labels from any folder with IDX files named like those of MNIST: 'train', or 't10k' " ..
    "or 'test', with images-idx3-ubyte and labels-idx1-ubyte in the name, compressed or not.",
  args = { { "dir", "string" }, { "options", "table", "split: 'train' or 'test' ['train'], " ..
    "dtype ['f32': from 0 to 1; 'u8': from 0 to 255]", optional = true } },
  returns = "images (N,H,W), classes i64 (N): the file's labels plus 1",
  errors = "No such file, or several.", source = "the IDX format of MNIST, LeCun, Cortes and Burges 1998",
  example = [[
local dir = os.tmpname()
os.remove(dir)
require("tide.data.core").mkdir(dir)
data.save(dir .. "/my-train-images-idx3-ubyte", tensor.full({ 2, 4, 4 }, 255):to("u8"))
data.save(dir .. "/my-train-labels-idx1-ubyte", tensor.zeros(2):to("u8"))
local x, y = data.idx_images(dir)
assert(x:max():item() == 1 and y:get(1) == 1)
for _, name in ipairs{ "images-idx3", "labels-idx1" } do
  os.remove(dir .. "/my-train-" .. name .. "-ubyte")
end
os.remove(dir)]] },
["data.cifar10"] = {
  text = "CIFAR-10 from its binary version: a folder with data_batch_*.bin and test_batch.bin (or with " ..
    "cifar-10-batches-bin in it), one file, or a list of files.",
  args = { { "dir", "string|table" }, { "options", "table", "split: 'train' or 'test' ['train'], " ..
    "dtype ['f32': from 0 to 1; 'u8': from 0 to 255], map [false]: as in data.load; with dtype 'u8' " ..
    "images of a single file stay mapped", optional = true } },
  returns = "images (N,3,32,32), classes i64 (N) from 1 to 10, and a list of the names of the classes",
  errors = "No such files; files that are not whole records.",
  source = "Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
  example = [[
local path = os.tmpname() .. ".bin"
data.save(path, { images = tensor.zeros(2, 3, 32, 32):to("u8"), labels = tensor.full({ 2 }, 9):to("u8") })
local x, y, names = data.cifar10(path)
assert(x:size(1) == 2 and names[y:get(2)] == "truck")
os.remove(path)]] },
["data.shuffle"] = {
  text = "Rows in a new random order, the same order for all tensors of a list.",
  args = { { "x", "tensor|table", "(N, ...), or a list of them" },
    { "options", "table", "generator", optional = true } },
  returns = "as many tensors", errors = "Tensors of different numbers of rows.",
  example = [[
local x = tensor.arange(1, 9)
local a, b = data.shuffle{ x, x * 2 }
assert((a * 2):equal(b))]] },
["data.split"] = {
  text = "The first rows and the rest, as views. Shuffle before if rows have an order.",
  args = { { "x", "tensor|table", "(N, ...), or a list of them" },
    { "first", "number", "how many rows, or a share such as 0.9" } },
  returns = "first part and rest, of each tensor in turn", errors = "More rows than there are.",
  example = [[
local train, valid = data.split(tensor.randn(10, 2), 0.8)
assert(train:size(1) == 8 and valid:size(1) == 2)]] },
["data.batches"] = {
  text = "An iterator over batches of rows, shuffled anew in each epoch; endless unless epochs is given. " ..
    "It is a source for flow.train, and has state_dict and load_state_dict: where it stands.",
  args = { { "x", "tensor", "(N, ...)" },
    { "options", "table", "batch [64], labels (N, ...), epochs, shuffle [true], drop_last [true], generator",
      optional = true } },
  returns = "an iterator of step, rows of x, rows of labels", errors = "A batch larger than the data.",
  example = [[
local n = 0
for _, rows in data.batches(tensor.randn(10, 2), { batch = 5, epochs = 2 }) do n = n + rows:size(1) end
assert(n == 20)]] },
}
