-- data.lua -- documentation of files and batches.
return {
["data.load"] = {
  text = "Reads a file by its extension. .npy gives a tensor; .safetensors a table of tensors by name, " ..
    "then their names in file order and the metadata text.",
  args = { { "path", "string" } }, returns = "tensor or table",
  errors = "Files that are missing, damaged or cut short: the message names file, field and offset.",
  source = "the npy format 1.0 to 3.0 of NumPy; safetensors 0.4",
  example = [[
local path = os.tmpname() .. ".npy"
data.save(path, tensor.eye(3))
assert(data.load(path):equal(tensor.eye(3)))
os.remove(path)]] },
["data.save"] = {
  text = "Writes a tensor, or a table of tensors under names, in the format of the extension. The file " ..
    "appears when it is whole: written beside its place, flushed to the disk, renamed.",
  args = { { "path", "string" }, { "x", "tensor|table" },
    { "options", "table", "metadata: text of a JSON object (.safetensors)", optional = true } },
  returns = "nothing", errors = "A folder that cannot be written, a full disk, an unknown extension.",
  example = [[
local path = os.tmpname() .. ".safetensors"
data.save(path, { a = tensor.ones(2), b = tensor.zeros(3) })
assert(data.load(path).b:numel() == 3)
os.remove(path)]] },
["data.batches"] = {
  text = "An iterator over batches of rows, shuffled anew in each epoch; endless unless epochs is given.",
  args = { { "x", "tensor", "(N, ...)" },
    { "options", "table", "batch [64], labels (N, ...), epochs, shuffle [true], drop_last [true], generator",
      optional = true } },
  returns = "an iterator of step, rows of x, rows of labels", errors = "A batch larger than the data.",
  example = [[
local n = 0
for _, rows in data.batches(tensor.randn(10, 2), { batch = 5, epochs = 2 }) do n = n + rows:size(1) end
assert(n == 20)]] },
}
