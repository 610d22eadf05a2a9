-- checkpoint.lua -- tide.checkpoint: what comes back, damaged files, copies that are
-- kept; where generators, batches and schedules stand.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn, optim, data = tide.tensor, tide.nn, tide.optim, tide.data
local checkpoint = tide.checkpoint

local read, write = t.read, t.write

t.test("values come back as they were", function()
  local path, long, whole = t.tmp "values", {}, {}
  for i = 1, 40 do long[i], whole[i] = 1 / i, i * 3 end
  long[7] = 0 / 0
  local given = {
    number = 0.1, float = 3.0, integer = math.maxinteger, least = math.mininteger,
    inf = math.huge, minus = -math.huge, zero = -0.0, yes = true, no = false,
    text = "a \"b\"\n\0\255\\", long = long, whole = whole, mixed = { 1, 2.5, "x" },
    empty = {}, nested = { [0] = "zero", [10] = "ten", a = { { 1 }, { 2, 3 } } },
    x = tensor.randn(2, 3), scalar = tensor.from(7, { dtype = "i64" }),
    half = tensor.randn(4):to "bf16", none = tensor.zeros(0, 2),
    ["model.a"] = tensor.ones(1), model = { a = tensor.zeros(1) },
  }
  checkpoint.save(path, given)
  local back = checkpoint.load(path)
  for _, key in ipairs { "number", "float", "integer", "least", "inf", "minus", "zero", "yes", "no",
                         "text", "whole", "mixed", "empty", "nested" } do
    t.eq(back[key], given[key], key)
  end
  t.eq(math.type(back.float), "float")
  t.eq(math.type(back.integer), "integer")
  t.ok(1 / back.zero < 0)
  t.ok(back.long[7] ~= back.long[7])
  for i = 1, 40 do t.ok(i == 7 or back.long[i] == long[i]) end
  for _, key in ipairs { "x", "scalar", "half", "none" } do
    t.eq(back[key].dtype, given[key].dtype)
    t.ok(back[key]:equal(given[key]), key)
  end
  t.eq(back["model.a"]:item(), 1)
  t.eq(back.model.a:item(), 0)
end)

t.test("what cannot be kept is named", function()
  local path, ring = t.tmp "bad", {}
  ring.again = { ring }
  t.raises("'a.f' is a function", checkpoint.save, path, { a = { f = print } })
  t.raises("contains itself", checkpoint.save, path, { ring = ring })
  t.raises("keys are strings or", checkpoint.save, path, { a = { [0.5] = 1 } })
  t.raises("by name", checkpoint.save, path, nn.Linear(1, 1))
  t.raises("keep must be", checkpoint.save, path, {}, { keep = -1 })
  t.ok(not checkpoint.exists(path))
  checkpoint.save(path, { a = 1 })
  t.raises("holds no 'model' (it holds a)", checkpoint.load, path, { model = nn.Linear(1, 1) })
  t.raises("'a' is a number", checkpoint.load, path, { a = 1 })
end)

t.test("the random stream goes on where it was", function()
  local path, g = t.tmp "random", tide.generator(5)
  tensor.randn(3, { generator = g })
  tide.seed(9)
  tensor.randn(5)
  checkpoint.save(path, { g = g })
  local a, b = tensor.randn(4), tensor.randn(4, { generator = g })
  checkpoint.load(path, { g = g }, { random = false })
  t.ok(tensor.randn(4, { generator = g }):equal(b))
  t.ok(not tensor.randn(4):equal(a))
  checkpoint.load(path, { g = g })
  t.ok(tensor.randn(4):equal(a))
end)

-- A loop of one's own: data in epochs, a schedule, averages.
local function new_loop()
  tide.seed(4)
  local net = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Dropout(0.2), nn.Linear(8, 1))
  local opt = optim.AdamW(net, { lr = 1e-2 })
  local x = tensor.randn(30, 3)
  local l = { model = net, optimizer = opt, ema = optim.EMA(net, { decay = 0.9 }),
              schedule = optim.lr.Scheduler(opt, optim.lr.cosine { warmup = 3 }, { steps = 30 }),
              batches = data.batches(x, { batch = 8, labels = x:sum(2, true),
                                          generator = tide.generator(2) }) }
  return l, function()
    local _, xb, yb = l.batches()
    opt:zero_grad()
    local loss = nn.mse_loss(net(xb), yb)
    loss:backward()
    l.schedule:step()
    opt:step()
    l.ema:update()
    return loss:item()
  end
end

t.test("a loop of one's own goes on bit by bit", function()
  local path = t.tmp "loop"
  local l, step = new_loop()
  for _ = 1, 13 do step() end
  checkpoint.save(path, l)
  local rest = {}
  for i = 1, 17 do rest[i] = step() end
  local again, go = new_loop()
  for _ = 1, 5 do go() end
  checkpoint.load(path, again)
  t.eq(again.batches.epoch, 5)
  for i = 1, 17 do t.eq(go(), rest[i]) end
  for name, p in pairs(l.model:state_dict()) do
    t.ok(again.model:state_dict()[name]:equal(p), name)
  end
  for i, p in ipairs(l.ema.shadow) do t.ok(again.ema.shadow[i]:equal(p)) end
end)

t.test("states of other things are refused", function()
  local b = data.batches(tensor.ones(5, 1), { batch = 2 })
  t.raises("not the state of data.batches", b.load_state_dict, b, {})
  t.raises("5 rows; there are 6", function()
    data.batches(tensor.ones(6, 1), { batch = 2 }):load_state_dict(b:state_dict())
  end)
  local opt = optim.SGD({ tensor.ones(1):requires_grad_() })
  local s = optim.lr.Scheduler(opt, optim.lr.linear(), { steps = 2 })
  t.raises("not the state of a schedule", s.load_state_dict, s, { count = 1, base = {} })
end)

t.test("averages that are applied when they are kept", function()
  local path, net = t.tmp "ema", nn.Linear(2, 1)
  local ema = optim.EMA(net, { decay = 0.5 })
  nn.init.zeros_(net.weight)
  ema:update()
  ema:apply()
  checkpoint.save(path, { net = net, ema = ema })
  local other = nn.Linear(2, 1)
  local back = optim.EMA(other, { decay = 0.5 })
  checkpoint.load(path, { net = other, ema = back })
  t.ok(other.weight:equal(net.weight))
  back:restore()
  t.near(other.weight:abs():sum(), 0, 0)
end)

t.test("keep leaves files before it, and load falls back to them", function()
  local path = t.tmp "kept"
  for i = 1, 4 do checkpoint.save(path, { i = i }, { keep = 2 }) end
  t.eq(checkpoint.load(path).i, 4)
  t.eq(checkpoint.load(path .. ".1").i, 3)
  t.eq(checkpoint.load(path .. ".2").i, 2)
  t.ok(not checkpoint.exists(path .. ".3"))
  local whole = read(path)
  write(path, whole:sub(1, #whole // 2))
  local back, at, damage = checkpoint.load(path)
  t.eq(back.i, 3)
  t.eq(at, path .. ".1")
  t.ok(tostring(damage):find(path, 1, true))
  os.remove(path)
  t.ok(checkpoint.exists(path))
  t.eq(checkpoint.load(path).i, 3)
end)

t.test("damaged files are errors that name the file", function()
  local path = t.tmp "damaged"
  local err = t.raises(path, checkpoint.load, path)
  t.ok(not err:find ":%d+: .*:%d+: ", "the place is named twice: " .. err)
  data.save(path .. ".safetensors", { a = tensor.ones(1) })
  t.raises("not a checkpoint", checkpoint.load, path .. ".safetensors")
  checkpoint.save(path, { list = { 1, "x", tensor.ones(3) }, n = 3 })
  local whole = read(path)
  for i = 1, #whole - 1, 7 do
    write(path, whole:sub(1, i))
    t.raises(path, checkpoint.load, path)
  end
  math.randomseed(3)
  for _ = 1, 300 do
    local at = math.random(#whole)
    write(path, whole:sub(1, at - 1) .. string.char(math.random(0, 255)) .. whole:sub(at + 1))
    local ok, err = pcall(checkpoint.load, path)
    t.ok(ok or tostring(err):find(path, 1, true), tostring(err))
  end
end)

t.test("a bit that has changed is found; files without a checksum are read", function()
  local path, x = t.tmp "bit", tensor.randn(20)
  checkpoint.save(path, { x = x, half = tensor.randn(3):to "bf16", list = { 1, 2 }, n = 3 })
  local whole = read(path)
  local from = #whole - 20 * 4 - 3 * 2
  local function flipped(at, bit)
    return whole:sub(1, at - 1) .. string.char(whole:byte(at) ~ 1 << bit) .. whole:sub(at + 1)
  end
  for bit = 0, 7 do
    for _, at in ipairs { from + 1, from + 40, #whole - 5, #whole } do
      write(path, flipped(at, bit))
      t.raises("bit: the checkpoint is damaged: its contents", checkpoint.load, path)
    end
  end
  -- of the header: what is read without a complaint is what was kept
  local read_on = 0
  for at = 9, from do
    write(path, flipped(at, at % 7))
    local ok, back = pcall(checkpoint.load, path)
    if ok then
      read_on = read_on + 1
      t.ok(back.x:equal(x) and back.n == 3 and back.list[2] == 2)
    end
  end
  t.ok(read_on < 60, read_on)
  local old, lacks = whole:gsub('"crc32":', '"crc31":')
  t.eq(lacks, 1)
  write(path, old)
  t.ok(checkpoint.load(path).x:equal(x))
end)

t.test("json reads what it writes", function()
  local json = require "tide.json"
  local v = { a = { 1, 2.5, 0.1, 1e300 }, s = "h\"i\n\127\\\u{e9}", e = {}, t = true, f = false, one = 1.0 }
  local text = json.encode(v, true)
  t.eq(json.decode(text), v)
  t.eq(math.type(json.decode(text).one), "float")
  for i = 1, #text - 1 do t.ok(select(2, json.decode(text:sub(1, i)))) end
  t.eq(json.decode('"\\ud83d\\ude00\\/"'), "\u{1f600}/")
  t.eq(select(2, json.decode('{\n "a": [1,]}')), "line 2, column 10: neither a value nor an end")
  t.ok(select(2, json.decode(("["):rep(5000))):find "deep")
end)
