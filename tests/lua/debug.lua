-- debug.lua -- tide.debug: the first NaN is named with its line, and what ops cost.
local t = require("tests.check")
local tide = require("tide")
local tensor, nn, optim = tide.tensor, tide.nn, tide.optim

local function here(back) return debug.getinfo(2, "l").currentline - (back or 0) end

-- The error of f with the watch on.
local function caught(f, level)
  tide.debug.nan(level == nil or level)
  local ok, err = pcall(f)
  tide.debug.nan(false)
  return not ok and err or nil
end

local function has(err, ...)
  t.ok(err, "there was no error")
  for _, part in ipairs { ... } do t.ok(err:find(part, 1, true), part .. " is not in: " .. err) end
end

t.test("forward", function()
  local x = tensor.from { 1, 0, -1 }
  local err = caught(function() return x:log() end)
  has(err, "debug.lua:" .. here(1), "log: the result f32 (3) has 1 NaN and 1 infinite of 3 values",
    "arguments: f32 (3)")
  t.ok(not caught(function() return x:exp() end))
  t.ok(x:log():isnan():any():item())
end)

t.test("NaN alone", function()
  local x = tensor.from { 1, 0 }
  t.ok(not caught(function() return x:log() end, "nan"))
  has(caught(function() return x:log() * 0 end, "nan"), "mul: the result f32 (2) has 1 NaN of 2")
end)

t.test("an argument that had some already is named", function()
  local bad = tensor.zeros(2):log()
  has(caught(function() return bad + 1 end), "add: ", "f32 (2) (had some already)")
end)

t.test("backward names the op of the forward pass and its line", function()
  local x = tensor.zeros(3, { requires_grad = true })
  local y, line
  local err = caught(function()
    y, line = x:sqrt(), here()
    y:sum():backward()
  end)
  has(err, "in the gradient of sqrt at", "debug.lua:" .. line)
end)

t.test("in place, of f64 and bf16, not contiguous", function()
  has(caught(function() tensor.ones(3):div_(0) end), "div_: the result f32 (3) has 3 infinite")
  has(caught(function() return tensor.zeros(2, { dtype = "f64" }):log() end), "log: the result f64 (2)")
  has(caught(function() return tensor.zeros(2, { dtype = "bf16" }):log() end), "bf16 (2)")
  local x = tensor.from { { 1, 2 }, { 0, 3 } }:t()
  has(caught(function() return x:log() end), "log: the result f32 (2,2) has 1 infinite of 4")
end)

t.test("steps of optimisers", function()
  local w = tensor.ones(2, { requires_grad = true })
  local g = tensor.zeros(2):log()
  for _, make in ipairs { optim.Adam, optim.SGD } do
    local opt = make({ w }, { lr = 0.1 })
    w.grad = g
    has(caught(function() opt:step() end), "debug.lua:" .. here(), "a tensor after the update",
      "(had some already)")
    tide.no_grad(function() w:fill_(1) end)
  end
end)

t.test("it says what it was, and what it takes", function()
  t.eq(tide.debug.nan("nan"), false)
  t.eq(tide.debug.nan(true), "nan")
  t.eq(tide.debug.nan(false), true)
  t.raises("true, false or \"nan\"", tide.debug.nan, "inf")
end)

local function sums(rows)
  local by = {}
  for _, r in ipairs(rows) do
    local key = r.op .. (r.of and " of " .. r.of or "")
    by[key] = by[key] or { calls = 0, bytes = 0, lines = {} }
    by[key].calls = by[key].calls + r.calls
    by[key].bytes = by[key].bytes + r.bytes
    by[key].lines[tonumber(r.line:match("%d+$")) or 0] = true
  end
  return by
end

t.test("a profile counts calls and bytes by op and line", function()
  local x, line = tensor.ones(1000)
  local rows, a, b = tide.debug.profile(function(n)
    for _ = 1, n do x:exp() end
    line = here(1)
    return n, nil
  end, 7)
  local by = sums(rows)
  t.eq({ a, b }, { 7, nil })
  t.eq(by.exp.calls, 7)
  t.ok(by.exp.bytes >= 7 * 4000 and by.exp.bytes < 7 * 4600, by.exp.bytes)
  t.ok(by.exp.lines[line])
  local inside = 0
  for _, r in ipairs(rows) do
    t.ok(r.seconds >= 0)
    inside = inside + r.seconds
  end
  t.ok(inside <= rows.seconds)
end)

t.test("the backward pass is booked on the forward line", function()
  local net, line = nn.Linear(4, 4)
  local x = tensor.randn(3, 4)
  local rows = tide.debug.profile(function()
    local y = net(x):tanh()
    line = here(1)
    y:sum():backward()
  end)
  local by = sums(rows)
  t.ok(by["tanh_grad of tanh"].lines[line])
  t.ok(by["linear_grad of linear"].calls >= 1 and by["linear_grad of linear"].lines[line])
  t.ok(by.mm == nil)
end)

t.test("an error ends the profile, profiles do not nest", function()
  t.raises("oops", tide.debug.profile, function() error("oops") end)
  t.raises("another one is running", tide.debug.profile, function()
    tide.debug.profile(function() end)
  end)
  t.ok(tide.debug.profile(function() end))
  t.raises("give a function", tide.debug.profile, 5)
end)

t.test("replays of a captured step are counted, on the lines that recorded them", function()
  local w, line = tensor.randn(8, 8)
  local step = tide.capture(function(x)
    local y = x:matmul(w):tanh()
    line = here(1)
    return y:sum(2)
  end)
  local x = tensor.randn(64, 8)
  for _ = 1, 3 do step(x) end
  local by = sums(tide.debug.profile(function() step(x) end))
  t.ok(by.mm.calls >= 1 and by.mm.lines[line])
  t.ok(by.tanh.calls >= 1 and by.tanh.lines[line])
end)

t.test("debug.nan sees what a replay computes", function()
  local step = tide.capture(function(x) return (x:matmul(x:t()):log() * 2):sum(2) end)
  local good, bad = tensor.ones(64, 4), tensor.ones(64, 4)
  bad[3]:neg_()
  for _ = 1, 3 do step(good) end
  local was = tide.debug.nan(true)
  local ok, why = pcall(step, bad)
  local fine = pcall(step, good)
  tide.debug.nan(was)
  t.ok(not ok and why:find("debug.nan: log", 1, true), why)
  t.ok(fine)
end)

-- Last: the names of so many lines are kept.
t.test("many lines and ops do not get lost", function()
  local code = {}
  for i = 1, 3000 do code[i] = "x:neg()" end
  local f = load("local x = ...\n" .. table.concat(code, "\n"), "=many")
  local rows = tide.debug.profile(f, tensor.ones(1))
  local calls = 0
  for _, r in ipairs(rows) do calls = calls + (r.op == "neg" and r.calls or 0) end
  t.eq(calls, 3000)
end)
