-- data.lua -- documentation of files, data sets and batches.
return {
["data.load"] = {
  text = "Reads a file by its extension. One tensor: .npy; .idx, also under names such as " ..
    "train-images-idx3-ubyte; .png as u8, or i32 for 16 bits, of shape (H,W) for grey and (H,W,C) for 2 " ..
    "to 4 channels; .csv as f64 (rows, columns), then the names of the columns if the first line has " ..
    "them. Many tensors: .npz and .safetensors as a table of tensors by name, then their names in file " ..
    "order, then the metadata. .npy, .idx and .csv files may be compressed as .gz. Numbers of widths " ..
    "that tensors do not have become the next type that holds them: f16 becomes f32, u16 becomes i32.",
  args = { { "path", "string" }, { "options", "table",
    "header (.csv): true if the first line holds names, false if numbers; only (.npz, .safetensors): " ..
    "the name or names of the tensors to read", optional = true } },
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
os.remove(path)]] },
["data.save"] = {
  text = "Writes a tensor, or a table of tensors under names, in the format of the extension. The file " ..
    "appears when it is whole: written beside its place as PATH.part, flushed to the disk, renamed. .npy, " ..
    ".idx and .csv files are compressed if the path ends in .gz. A .csv file takes a tensor (rows, " ..
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
