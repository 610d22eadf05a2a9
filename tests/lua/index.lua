-- index.lua -- x[...], x[...] = v, get and set.
local t = require("tests.check")
local tide = require("tide")
local tensor = tide.tensor

local function grid()                -- 1 2 3 4 / 5 6 7 8 / 9 10 11 12
  return tensor.arange(12):reshape(3, 4)
end
local function positions(list) return tensor.from(list, { dtype = "i64" }) end

t.test("a number takes one position of the first dim", function()
  local x = grid()
  t.near(x[1], { 1, 2, 3, 4 })
  t.near(x[-1], { 9, 10, 11, 12 })
  t.near(x[2][3], 7)
  t.near(x[2.0], { 5, 6, 7, 8 })
  t.eq(x[1][1].shape, {})
end)

t.test("a range includes both ends", function()
  local x = grid()
  t.near(x[{ 2, 3 }], { { 5, 6, 7, 8 }, { 9, 10, 11, 12 } })
  t.near(x[{ -2, -1 }], { { 5, 6, 7, 8 }, { 9, 10, 11, 12 } })
  t.near(x[{ 1, -1, 2 }], { { 1, 2, 3, 4 }, { 9, 10, 11, 12 } })
  t.near(x[{ 2 }], { { 5, 6, 7, 8 } })
  t.eq(x[{}].shape, { 3, 4 })
  t.eq(x[{ 2, 1 }].shape, { 0, 4 })
  t.eq(x[{ 4, 3 }].shape, { 0, 4 })
  t.eq(x[{ 1, 0 }].shape, { 0, 4 })
end)

t.test("several entries index several dims", function()
  local x = grid()
  t.near(x[{ {}, 2 }], { 2, 6, 10 })
  t.near(x[{ { 1, 2 }, { 3, 4 } }], { { 3, 4 }, { 7, 8 } })
  t.near(x[{ { 1, 2 }, -1 }], { 4, 8 })
  t.near(x[{ {}, { 1, -1, 3 } }], { { 1, 4 }, { 5, 8 }, { 9, 12 } })
  t.near(x[{ {}, positions { 4, 1 } }], { { 4, 1 }, { 8, 5 }, { 12, 9 } })
  t.near(x[{ positions { 3 }, { 1, 2 } }], { { 9, 10 } })
  t.near(x[{ {}, tensor.from { true, false, false, true } }], { { 1, 4 }, { 5, 8 }, { 9, 12 } })
  local y = tensor.arange(24):reshape(2, 3, 4)
  t.near(y[{ 2, {}, 1 }], { 13, 17, 21 })
  t.near(y[{ {}, 2 }], { { 5, 6, 7, 8 }, { 17, 18, 19, 20 } })
end)

t.test("masks select elements or rows", function()
  local x = grid()
  t.near(x[x:gt(9)], { 10, 11, 12 })
  t.near(x[tensor.from { true, false, true }], { { 1, 2, 3, 4 }, { 9, 10, 11, 12 } })
  t.eq(x[x:gt(99)].shape, { 0 })
end)

t.test("tensors of positions select rows and give their shape", function()
  local x = grid()
  t.near(x[positions { 3, 1 }], { { 9, 10, 11, 12 }, { 1, 2, 3, 4 } })
  t.eq(x[positions { { 3, 1 }, { 1, 1 } }].shape, { 2, 2, 4 })
  t.eq(x[positions(2)].shape, { 4 })
  t.eq(x[positions {}].shape, { 0, 4 })
end)

t.test("what is no copy is a view", function()
  local x = grid()
  for _, view in ipairs { x[1], x[{ 1, 2 }], x[{}], x[{ {}, 2 }] } do t.ok(view:shares_memory(x)) end
  t.ok(not x[x:gt(0)]:shares_memory(x))
  x[{ {}, 2 }]:fill_(0)
  t.near(x:sum(1), { 15, 0, 21, 24 })
end)

t.test("gradients flow through every kind of index", function()
  local x = grid():requires_grad_()
  local y = x[1]:sum() + x[{ 2, 3 }]:sum() * 10 + x[{ {}, 2 }]:sum() * 100
    + x[positions { 1, 1 }]:sum() * 1000
  y:backward()
  t.near(x.grad, { { 2001, 2101, 2001, 2001 }, { 10, 110, 10, 10 }, { 10, 110, 10, 10 } })
  local z = grid():requires_grad_()
  z[z:gt(11)]:sum():backward()
  t.near(z.grad:sum(), 1)
end)

t.test("assignment of numbers and tensors", function()
  local x = tensor.zeros(3, 4)
  x[1] = 5
  t.near(x:sum(2), { 20, 0, 0 })
  x[{ {}, 2 }] = tensor.from { 1, 2, 3 }
  t.near(x, { { 5, 1, 5, 5 }, { 0, 2, 0, 0 }, { 0, 3, 0, 0 } })
  x[{ { 2, 3 }, { 3, 4 } }] = -1
  t.near(x, { { 5, 1, 5, 5 }, { 0, 2, -1, -1 }, { 0, 3, -1, -1 } })
  x[2][1] = 9
  t.near(x:get(2, 1), 9)
  x[{}] = 0
  t.near(x:sum(), 0)
  local m = tensor.zeros(2, { dtype = "bool" })
  m[1] = true
  t.eq(m:totable(), { true, false })
end)

t.test("assignment through masks", function()
  local x = grid()
  x[x:gt(6)] = 0
  t.near(x, { { 1, 2, 3, 4 }, { 5, 6, 0, 0 }, { 0, 0, 0, 0 } })
  x[x:le(0)] = tensor.arange(6)
  t.near(x, { { 1, 2, 3, 4 }, { 5, 6, 1, 2 }, { 3, 4, 5, 6 } })
  x[tensor.from { false, true, false }] = 0 / 0
  t.ok(x[2]:isnan():all():item() and not x[1]:isnan():any():item())
  x[tensor.from { true, true, false }] = tensor.zeros(2, 4)
  t.near(x, { { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, { 3, 4, 5, 6 } })
  t.raises("selects 4 places, but there are 3 values", function()
    local y = tensor.ones(4)
    y[y:gt(0)] = tensor.zeros(3)
  end)
end)

t.test("assignment through positions: the last one wins", function()
  local x = tensor.zeros(4)
  x[positions { 2, 4, 2 }] = tensor.from { 1, 2, 3 }
  t.near(x, { 0, 3, 0, 2 })
  x[positions { 1, 3 }] = 7
  t.near(x, { 7, 3, 7, 2 })
  local y = tensor.zeros(3, 2)
  y[positions { 3, 1 }] = tensor.from { { 1, 2 }, { 3, 4 } }
  t.near(y, { { 3, 4 }, { 0, 0 }, { 1, 2 } })
  y[positions { 2, 3 }] = tensor.from { 8, 9 }
  t.near(y, { { 3, 4 }, { 8, 9 }, { 8, 9 } })
end)

t.test("get and set reach single elements", function()
  local x = grid()
  t.eq(x:get(2, 3), 7.0)
  t.eq(x:get(-1, -1), 12.0)
  t.eq(x:t():get(3, 2), 7.0)
  x:set(0.5, 2, 3):set(1.5, -1, -1)
  t.eq({ x:get(2, 3), x:get(3, 4) }, { 0.5, 1.5 })
  t.eq(tensor.from(4):get(), 4.0)
  t.eq(math.type(positions { 5 }:get(1)), "integer")
  t.eq(tensor.from { true }:get(1), true)
end)

t.test("loops go through the rows and end", function()
  for _, each in ipairs { ipairs, pairs } do
    local x, rows = grid(), {}
    for i, row in each(x) do rows[i] = row end
    t.eq(#rows, 3)
    t.ok(rows[3]:equal(x[3]))
    t.raises("1 entries for a tensor of 0 dims", function() for _ in each(tensor.from(1)) do end end)
  end
  for _ in ipairs(tensor.zeros(0, 2)) do error "there is no row" end
end)

t.test("wrong indices say what would be right", function()
  local x = grid()
  local function at(i) return function() return x[i] end end
  t.raises("there is no position 0; the first is 1, the last 3 or -1", at(0))
  t.raises("position 4 is out of range 1 to 3", at(4))
  t.raises("position -4 is out of range 1 to 3", at(-4))
  t.raises("1.5 is not a whole number", at(1.5))
  t.raises("position 5 is out of range 1 to 4", at { {}, 5 })
  t.raises("there is no position 0", at { 0, 2 })
  t.raises("out of range 1 to 3", at { 1, 4 })
  t.raises("ends before it starts", at { 3, 1 })
  t.raises("step of a range is 0", at { 1, 3, 0 })
  t.raises("has 4 entries", at { 1, 2, 1, 1 })
  t.raises("no named entries", at { from = 1 })
  t.raises("3 entries for a tensor of 2 dims", at { {}, {}, {} })
  t.raises("a boolean cannot index", at(true))
  t.raises("a mask of shape (2) does not fit a tensor of shape (3,4)", at(tensor.from { true, false }))
  t.raises("positions must be integers, not f32; convert with x:long()", at(tensor.from { 1 }))
  t.raises("position 4 is out of range 1 to 3", at(positions { 1, 4 }))
  t.raises("position 0 is out of range 1 to 3", at(positions { 0 }))
  t.raises("0 dims", function() return #tensor.from(1) end)
  t.raises("1 entries for a tensor of 0 dims", function() return tensor.from(1)[1] end)
  t.raises("position 0", function() return x:get(0, 1) end)
  t.raises("1 positions for a tensor of 2 dims", function() return x:get(1) end)
  t.raises("position 9 is out of range", function() x:set(1, 1, 9) end)
  t.raises("no field 'foo' to set", function() x.foo = 1 end)
  t.raises("shapes", function() x[1] = tensor.zeros(3) end)
end)
