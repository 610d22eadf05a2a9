-- data.lua -- data.load and data.save by extension, their options and errors, data sets, batches.
local t = require("tests.check")
local tide = require("tide")
local tensor, data = tide.tensor, tide.data

local function same(a, b, text)
  t.eq(a.shape, b.shape, text)
  t.eq(a.dtype, b.dtype, text)
  t.ok(a:equal(b), text)
end

local function trip(name, x, o)
  data.save(t.tmp(name), x, o)
  return data.load(t.tmp(name))
end

local x = tensor.randn(4, 3)

t.test("one tensor, by extension", function()
  for _, name in ipairs { "x.npy", "x.NPY", "x.npy.gz", "x.idx", "x.idx.gz", "x-idx2-float",
    "x-idx2-float.gz",
    "x.idx2", "a.b.npy" } do
    same(trip(name, x), x, name)
  end
  same(trip("x.csv", x):to("f32"), x, "csv")
  same(trip("x.csv.gz", x:to("f64")), x:to("f64"), "csv.gz")
  same(trip("x.npz", x).arr_0, x, "npz")
  same(trip("x.safetensors", x).tensor, x, "safetensors")
  local picture = (tensor.rand(5, 4, 3) * 255):to("u8")
  same(trip("x.png", picture), picture, "png")
  same(trip("x.npy", x:t()), x:t():contiguous(), "transposed")
  same(trip("x.npy", x:to("bf16")), x:to("bf16"):to("f32"), "bf16")
  same(trip("x.npy", tensor.ones(2, { requires_grad = true }) * 2), tensor.full({ 2 }, 2), "with a graph")
end)

t.test("tables of tensors, with names and metadata", function()
  local all = { b = x, a = tensor.arange(1, 3, { dtype = "i64" }), c = tensor.ones(2, { dtype = "bool" }),
    ['"ü\\'] = tensor.zeros(2, 0), d = x:to("bf16") }
  for _, name in ipairs { "m.npz", "m.safetensors" } do
    local got, names = trip(name, all)
    t.eq(names, { '"ü\\', "a", "b", "c", "d" }, name)
    for k, v in pairs(all) do
      same(got[k], name == "m.npz" and k == "d" and v:to("f32") or v, name .. " " .. k)
    end
    got, names = data.load(t.tmp(name), { only = { "c", "a" } })
    t.eq(names, { "a", "c" })
    t.eq(got.b, nil)
    same(data.load(t.tmp(name), { only = "b" }).b, x)
    t.raises("there is no tensor 'z' in it", data.load, t.tmp(name), { only = { "a", "z" } })
    t.raises("a list of names is needed, not of number", data.load, t.tmp(name), { only = { 1 } })
  end
  data.save(t.tmp("m.safetensors"), all, { metadata = { epoch = 3, ["ü"] = 'a "b"\n' } })
  local _, _, notes = data.load(t.tmp("m.safetensors"))
  t.eq(notes, { epoch = "3", ["ü"] = 'a "b"\n' })
  data.save(t.tmp("empty.npz"), {})
  t.eq(next((data.load(t.tmp("empty.npz")))), nil)
  data.save(t.tmp("empty.safetensors"), {})
  t.eq(next((data.load(t.tmp("empty.safetensors")))), nil)
  t.raises("m.npz", data.save, t.tmp("m.npz/x.npz"), all)
end)

t.test("compress makes an npz smaller", function()
  local function size(o)
    data.save(t.tmp("z.npz"), { z = tensor.zeros(1000) }, o)
    same(data.load(t.tmp("z.npz")).z, tensor.zeros(1000))
    local f = io.open(t.tmp("z.npz"), "rb")
    local n = f:seek("end")
    f:close()
    return n
  end
  t.ok(size() > 4000 and size { compress = true } < 500)
end)

t.test("csv with names of columns", function()
  local names = { "step", 'a "quoted", name', "3" }
  data.save(t.tmp("h.csv"), x, { header = names })
  local y, got = data.load(t.tmp("h.csv"), { header = true })
  t.eq(got, names)
  same(y:to("f32"), x)
  data.save(t.tmp("c.csv"), { step = tensor.arange(1, 3, { dtype = "i64" }), loss = tensor.full({ 3 }, 0.5) },
    { header = { "step", "loss" } })
  local f = io.open(t.tmp("c.csv"))
  t.eq(f:read("a"), "step,loss\n1,0.5\n2,0.5\n3,0.5\n")
  f:close()
  y, got = data.load(t.tmp("c.csv"))
  t.eq(got, { "step", "loss" })
  t.near(y, { { 1, 0.5 }, { 2, 0.5 }, { 3, 0.5 } }, 0)
  data.save(t.tmp("c.csv"), { b = tensor.ones(1), a = tensor.zeros(1) })
  t.eq(select(2, data.load(t.tmp("c.csv"))), { "a", "b" })
  t.raises("line 1, column 1: 'a' is not a number", data.load, t.tmp("c.csv"), { header = false })
  t.raises("a header of 2 names for 3 columns", data.save, t.tmp("h.csv"), x, { header = { "a", "b" } })
  t.raises("list of names, not of number", data.save, t.tmp("h.csv"), x, { header = { 1, 2, 3 } })
  t.raises("list of names, not a string", data.save, t.tmp("h.csv"), x, { header = "a,b,c" })
  t.raises("no column 'q'", data.save, t.tmp("h.csv"), { a = tensor.ones(2) }, { header = { "q" } })
  t.raises("one dim and one length", data.save, t.tmp("h.csv"), { a = tensor.ones(2), b = tensor.ones(3) })
  t.raises("(rows, columns), not (2,2,2)", data.save, t.tmp("h.csv"), tensor.ones(2, 2, 2))
end)

t.test("every type survives where the format has it", function()
  for _, d in ipairs { "bool", "u8", "i32", "i64", "bf16", "f32", "f64" } do
    for _, shape in ipairs { {}, { 0 }, { 5 }, { 2, 0, 3 }, { 1, 2, 1, 2, 1, 2, 1, 2 } } do
      local y = (tensor.rand(shape) * 3):to(d)
      same(trip("y.safetensors", y).tensor, y, d)
      local stored = d == "bf16" and "f32" or d
      same(trip("y.npy", y), y:to(stored), d)
      same(trip("y.npz", y).arr_0, y:to(stored), d)
      if d ~= "i64" then same(trip("y.idx", y), y:to(d == "bool" and "u8" or stored), d) end
    end
  end
end)

t.test("errors of data.load", function()
  local err = t.raises("missing.npy: cannot be opened: No such file", function()
    local _ = data.load(t.tmp("missing.npy"))
  end)
  t.ok(err:find("^tests/lua/data.lua:%d+: "), err)
  t.raises("no format is known by this extension (known: bin, csv, idx, npy, npz, png, safetensors)",
    data.load, "x")
  t.raises("did you mean .npy?", data.load, "x.npyy")
  t.raises("no format is known", data.load, "folder.npy/x")
  t.raises(".png files are not read or written as .gz", data.load, "x.png.gz")
  t.raises("the path must be a string, not a table", data.load, {})
  t.raises("the path must be a string, not a tensor", data.load, x)
  t.raises("the path must be a string, not a nil", data.load)
  t.raises("NUL byte", data.load, "a\0b.npy")
  require("tide.data.core").mkdir(t.tmp("folder.npy"))
  t.raises("folder.npy: is a folder, not a file", data.load, t.tmp("folder.npy"))
  data.save(t.tmp("x.npz"), x)
  os.rename(t.tmp("x.npz"), t.tmp("wrong.npy"))
  t.raises("wrong.npy: is not an npy file; it starts like a zip or npz file", data.load, t.tmp("wrong.npy"))
  os.rename(t.tmp("wrong.npy"), t.tmp("wrong.safetensors"))
  t.raises("is not a safetensors file", data.load, t.tmp("wrong.safetensors"))
  os.rename(t.tmp("wrong.safetensors"), t.tmp("wrong.png"))
  t.raises("is not a PNG file; it starts like a zip", data.load, t.tmp("wrong.png"))
  t.raises("(.npy): unknown option 'only' (options: map)", data.load, t.tmp("x.npy"), { only = "a" })
  t.raises("unknown option 'olny'; did you mean 'only'?", data.load, t.tmp("x.npz"), { olny = "a" })
end)

t.test("a file cut short names field and offset, and the session goes on", function()
  data.save(t.tmp("cut.npy"), tensor.zeros(100))
  local f = io.open(t.tmp("cut.npy"), "rb")
  local bytes = f:read("a")
  f:close()
  f = io.open(t.tmp("cut.npy"), "wb")
  f:write(bytes:sub(1, -5))
  f:close()
  t.raises("cut.npy: npy data needs 400 bytes at offset 128", data.load, t.tmp("cut.npy"))
  same(trip("cut.npy", x), x)
end)

t.test("errors of data.save", function()
  t.raises("a .npy file holds one tensor, not a table; .npz and .safetensors hold", data.save, "x.npy",
    { a = x })
  t.raises("an IDX file holds one tensor, not a nil", data.save, "x.idx")
  t.raises("holds a tensor or a table of tensors, not a number", data.save, "x.npz", 3)
  t.raises("tensors under names are needed, not a tensor under 1", data.save, "x.npz", { x })
  t.raises("tensors under names are needed, not a string under 'a'", data.save, "x.safetensors", { a = "b" })
  t.raises("a name or note has a NUL byte", data.save, t.tmp("x.npz"), { ["a\0b"] = x })
  t.raises("metadata must be a table of strings by name, not a string", data.save, "x.safetensors", x,
    { metadata = "{}" })
  t.raises("not a table under k", data.save, "x.safetensors", x, { metadata = { k = {} } })
  t.raises(".npy files take no options, got 'metadata'", data.save, "x.npy", x, { metadata = {} })
  t.raises("unknown option 'metdata'; did you mean 'metadata'?", data.save, "x.safetensors", x,
    { metdata = {} })
  t.raises("options expected as a table, got number", data.save, "x.npz", x, 3)
  t.raises("its folder does not exist", data.save, t.tmp("none/x.npy"), x)
  t.raises("IDX files have no i64", data.save, t.tmp("l.idx"), tensor.ones(2, { dtype = "i64" }))
  t.raises("channels come last", data.save, t.tmp("l.png"), tensor.ones(3, 9, 9))
  t.raises("is NaN, which has no colour", data.save, t.tmp("l.png"), tensor.full({ 2, 2 }, 0 / 0))
  t.raises("freed", data.save, t.tmp("l.npy"), (function() local y = tensor.ones(2) y:free() return y end)())
  for _, name in ipairs { "l.idx", "l.png", "l.npy", "l.png.part" } do
    t.eq(io.open(t.tmp(name)), nil, name)
  end
end)

t.test("files leave no memory behind", function()
  for _, name in ipairs { "m.npz", "m.safetensors", "x.npy", "x.csv", "x.png" } do
    data.load(t.tmp(name))
    pcall(data.load, t.tmp(name), { only = { "zzz" } })
  end
  collectgarbage()
  collectgarbage()
  local before = tide.memory().tensors
  for _ = 1, 3 do
    for _, name in ipairs { "m.npz", "m.safetensors", "x.npy", "x.csv", "x.png" } do
      data.load(t.tmp(name))
      pcall(data.load, t.tmp(name), { only = { "zzz" } })
    end
  end
  collectgarbage()
  collectgarbage()
  t.eq(tide.memory().tensors, before)
end)

---- data sets ----

t.test("fashion_mnist from a folder of IDX files", function()
  local images, labels, names = data.fashion_mnist { dir = "tests/data" }
  t.eq(images.shape, { 6, 28, 28 })
  t.eq(images.dtype, "f32")
  t.near(images[1][1][3]:item(), 2 / 255)
  t.eq(labels.dtype, "i64")
  t.eq(labels:totable(), { 1, 2, 3, 4, 5, 6 })
  t.eq({ #names, names[1], names[10] }, { 10, "T-shirt/top", "Ankle boot" })
  images = data.fashion_mnist { dir = "tests/data", split = "test", dtype = "u8" }
  t.eq(images.dtype, "u8")
  t.eq(images:size(1), 2)
  t.eq(images[1][1][3]:item(), 2)
end)

t.test("fashion_mnist: what is missing is named", function()

     t.raises("there is no train-images-idx3-ubyte.gz in /nowhere; install Debian's package " ..
    "dataset-fashion-mnist", data.fashion_mnist, { dir = "/nowhere" })
  t.raises("split must be 'train' or 'test', not 'valid'", data.fashion_mnist, { split = "valid" })
  t.raises("dir must be a string", data.fashion_mnist, { dir = 3 })
  t.raises("unknown option 'spilt'; did you mean 'split'?", data.fashion_mnist, { spilt = "test" })
  data.save(t.tmp("train-images-idx3-ubyte"), tensor.zeros(3, 2, 2, { dtype = "u8" }))
  data.save(t.tmp("train-labels-idx1-ubyte"), tensor.zeros(2, { dtype = "u8" }))
  t.raises("does not hold 3 labels", data.fashion_mnist, { dir = t.tmp(""):gsub("/$", "") })
  data.save(t.tmp("train-images-idx3-ubyte"), tensor.zeros(3, 2))
  t.raises("holds f32 of 2 dims, not u8 of 3", data.fashion_mnist, { dir = t.tmp(""):gsub("/$", "") })
end)

t.test("idx_images: any folder of that kind", function()
  local x, y = data.idx_images("tests/data", { dtype = "u8" })
  local want = data.fashion_mnist { dir = "tests/data", dtype = "u8" }
  same(x, want)
  t.eq(y:totable(), { 1, 2, 3, 4, 5, 6 })
  t.raises("there is no file in /nowhere with 'train' and images-idx", data.idx_images, "/nowhere")
  local dir = t.tmp("kind")
  require("tide.data.core").mkdir(dir)
  for _, kind in ipairs { "a-test", "b-test" } do
    data.save(dir .. "/" .. kind .. "-images-idx3-ubyte", tensor.zeros(2, 4, 5, { dtype = "u8" }))
  end
  t.raises("several files (a-test-images-idx3-ubyte, b-test", data.idx_images, dir, { split = "test" })
  t.raises("dir must be a string", data.idx_images)
end)

local function cifar(n, from)
  return { images = (tensor.arange(0, n * 3072 - 1) % 251):reshape(n, 3, 32, 32):to("u8"),
    labels = ((tensor.arange(0, n - 1) + from) % 10):to("u8") }
end

t.test("CIFAR-10: files, folders, and what they may not hold", function()
  local dir = t.tmp("cifar")
  require("tide.data.core").mkdir(dir .. "/cifar-10-batches-bin")
  local one, two = cifar(3, 0), cifar(2, 8)
  data.save(dir .. "/cifar-10-batches-bin/data_batch_1.bin", one)
  data.save(dir .. "/cifar-10-batches-bin/data_batch_2.bin", two)
  data.save(dir .. "/cifar-10-batches-bin/test_batch.bin", two)
  local got, names = data.load(dir .. "/cifar-10-batches-bin/data_batch_1.bin")
  t.eq(names, { "images", "labels" })
  same(got.images, one.images)
  same(got.labels, one.labels)
  local x, y, classes = data.cifar10(dir)
  t.eq(x.shape, { 5, 3, 32, 32 })
  t.near(x[4][1][1][3]:item(), 2 / 255)
  t.eq(y:totable(), { 1, 2, 3, 9, 10 })
  t.eq({ classes[1], classes[10] }, { "airplane", "truck" })
  x, y = data.cifar10(dir, { split = "test", dtype = "u8", map = true })
  same(x:contiguous(), two.images)
  t.eq(y:totable(), { 9, 10 })
  same((data.cifar10({ dir .. "/cifar-10-batches-bin/test_batch.bin" }, { dtype = "u8" })), two.images)
  t.raises("no data_batch_1.bin in /nowhere", data.cifar10, "/nowhere")
  local f = io.open(t.tmp("odd.bin"), "wb")
  f:write(("\11" .. ("x"):rep(3072)))
  f:close()
  t.raises("odd.bin: CIFAR-10 label, offset 0: 11 is not a class from 0 to 9", data.load, t.tmp("odd.bin"))
  f = io.open(t.tmp("odd.bin"), "wb")
  f:write(("x"):rep(3074))
  f:close()
  t.raises("odd.bin: is not a CIFAR-10 file: 3074 bytes are no whole number of records of 3073 bytes " ..
    "(but of CIFAR-100 records); the last starts at offset 3073", data.load, t.tmp("odd.bin"))
  t.raises("label 1 is 11; CIFAR-10 has 0 to 9", data.save, t.tmp("odd.bin"), { images = two.images,
    labels = two.labels + 3 })
  t.raises("not (2,3,32,32) and nothing", data.save, t.tmp("odd.bin"), { images = two.images })
end)

---- mapped files ----

t.test("mapped files: equal to those that are read, private when written to", function()
  local all = { a = tensor.randn(5, 3), b = tensor.arange(1, 7, { dtype = "i64" }),
    c = tensor.ones(3, { dtype = "bool" }), d = tensor.zeros(0, 2) }
  data.save(t.tmp("map.safetensors"), all)
  for k, v in pairs((data.load(t.tmp("map.safetensors"), { map = true }))) do same(v, all[k], k) end
  same(data.load(t.tmp("map.safetensors"), { only = "b", map = true }).b, all.b)
  local bytes = (tensor.rand(4, 5, 6) * 255):to("u8")
  for _, name in ipairs { "map.npy", "map.idx", "map.npy.gz" } do
    data.save(t.tmp(name), bytes)
    local m = data.load(t.tmp(name), { map = true })
    same(m, bytes, name)
    m:add_(1)
    same(m, bytes + 1, name)
    same(data.load(t.tmp(name)), bytes, name)
    data.save(t.tmp(name), m)          -- over the file it is mapped from
    same(m, bytes + 1, name)
    same(data.load(t.tmp(name)), bytes + 1, name)
  end
  same(data.load("tests/data/numpy.npy", { map = true }):contiguous(), data.load("tests/data/numpy.npy"))
  t.raises("unknown option 'mpa'", data.load, t.tmp("map.npy"), { mpa = true })
  t.raises(".png files take no options, got 'map'", data.load, "x.png", { map = true })
end)

local function cut(path, n)
  assert(os.execute(("truncate -s %d '%s'"):format(n, path)))
end

t.test("a mapped file that is cut short is an error, and the session goes on", function()
  local path = t.tmp("shrink.npy")
  data.save(path, tensor.ones(100000))
  local m = data.load(path, { map = true })
  t.eq(m:sum():item(), 100000)
  local other = data.load(path, { map = true })
  cut(path, 200000)
  for _, f in ipairs { function() return m:sum() end, function() return m:get(7) end,
    function() return m:add_(1) end, function() return m:totable() end, function() return tostring(m) end,
    function() return m:narrow(1, 1, 5):clone() end, function() data.save(t.tmp("copy.npy"), m) end,
    function() return other * 2 end } do
    t.raises("shrink.npy: the file was cut short", f)
  end
  t.eq(io.open(t.tmp("copy.npy")), nil)
  m, other = nil, nil
  collectgarbage()
  t.raises("npy data needs 400000 bytes", data.load, path, { map = true })
  same(tensor.ones(3) * 2, tensor.full({ 3 }, 2))
end)

t.test("shuffle and split keep rows together", function()
  local rows, labels = tensor.arange(1, 10):reshape(10, 1), tensor.arange(1, 10)
  local a, b = data.shuffle({ rows, labels }, { generator = tide.generator(3) })
  t.ok(a:flatten():equal(b) and not b:equal(labels))
  t.near(b:sort(), labels, 0)
  local first, rest = data.split(rows, 0.7)
  t.eq({ first:size(1), rest:size(1), rest:get(1, 1) }, { 7, 3, 8 })
  local x1, x2, y1, y2 = data.split({ rows, labels }, 10)
  t.eq({ x1:size(1), x2:size(1), y1:size(1), y2:size(1) }, { 10, 0, 10, 0 })
  t.raises("from 0 to 10", data.split, rows, 11)
  t.raises("from 0 to 10", data.split, rows, 1.5)
  t.raises("as many rows each", data.shuffle, { rows, tensor.zeros(3) })
end)

---- batches ----

t.test("batches: every row once in an epoch, with its label", function()
  local rows, labels = tensor.arange(1, 10):reshape(10, 1), tensor.arange(1, 10)
  for _, shuffle in ipairs { true, false } do
    local seen, steps = {}, 0
    for step, xb, yb in data.batches(rows, { batch = 4, epochs = 1, labels = labels, drop_last = false,
      shuffle = shuffle }) do
      steps = step
      t.ok(xb:select(2, 1):equal(yb))
      for _, v in ipairs(yb:totable()) do seen[v] = (seen[v] or 0) + 1 end
    end
    t.eq(steps, 3)
    t.eq(#seen, 10)
    for _, n in ipairs(seen) do t.eq(n, 1) end
  end
  local n = 0
  for step, xb in data.batches(rows, { batch = 4, epochs = 3 }) do
    t.eq(xb:size(1), 4)
    n = step
  end
  t.eq(n, 6)
  for step in data.batches(rows, { batch = 10 }) do
    if step == 5 then break end
  end
end)

t.test("batches: errors", function()
  local rows = tensor.zeros(10, 2)
  t.raises("a batch of 11 from 10 rows", data.batches, rows, { batch = 11 })
  t.raises("a batch of 0 from 10 rows", data.batches, rows, { batch = 0 })
  t.raises("a batch of x from 10 rows", data.batches, rows, { batch = "x" })
  t.raises("labels must be a tensor of 10 rows", data.batches, rows, { batch = 5, labels = tensor.ones(9) })
  t.raises("epochs must be a whole number from 1, not 0", data.batches, rows, { batch = 5, epochs = 0 })
  t.raises("a tensor of rows is needed, not table", data.batches, {})
  t.raises("unknown option 'bacth'", data.batches, rows, { bacth = 5 })
end)
