-- memory.lua -- the collector and tensor memory, freeing, scopes, running out.
local t = require("tests.check")
local tide = require("tide")
local tensor = tide.tensor

local MB = 1e6

-- Most bytes alive while f(1..n) runs.
local function peak(n, f)
  collectgarbage()
  local most = 0
  for i = 1, n do
    f(i)
    most = math.max(most, tide.memory().live)
  end
  return most
end

local function rolling()
  local window = {}
  return peak(1000, function(i) window[i % 5 + 1] = tensor.empty(1000000) end)
end

for _, mode in ipairs { "incremental", "generational" } do
  t.test("five live tensors of 4 MB in a loop stay under 100 MB, " .. mode, function()
    collectgarbage(mode)
    local most = rolling()
    collectgarbage("incremental")
    t.ok(most < 100 * MB, most / MB .. " MB")
  end)

  t.test("small tensors beside a large Lua heap stay under 100 MB, " .. mode, function()
    local heap = {}
    for i = 1, 300000 do heap[i] = { i } end
    collectgarbage(mode)
    local most = peak(10000, function() local _ = tensor.empty(10000) end)
    collectgarbage("incremental")
    t.ok(most < 100 * MB, most / MB .. " MB")
    t.ok(#heap == 300000)
  end)
end

t.test("a loop over small tensors does not pile them up", function()
  collectgarbage()
  local a, b = tensor.ones(1), tensor.ones(1)
  local most = 0
  for _ = 1, 30 do
    for _ = 1, 50000 do local _ = a + b end
    most = math.max(most, tide.memory().tensors)
  end
  t.ok(most < 60000, most .. " tensors")
end)

t.test("a stopped collector is left alone", function()
  collectgarbage()
  local before = tide.memory().live
  collectgarbage("stop")
  for _ = 1, 30 do tensor.empty(1000000) end
  local live = tide.memory().live - before
  collectgarbage("restart")
  collectgarbage()
  t.ok(live > 110 * MB, live / MB .. " MB")
  t.ok(tide.memory().live - before < 10 * MB)
end)

t.test("free and <close> give memory back at once", function()
  collectgarbage()
  local before = tide.memory().live
  local x = tensor.zeros(1000000)
  t.ok(tide.memory().live - before >= 4 * MB)
  x:free()
  t.ok(tide.memory().live - before < MB)
  x:free()
  do
    local y <close> = tensor.zeros(1000000)
    t.ok(y:numel() == 1000000)
  end
  t.ok(tide.memory().live - before < MB)
  t.eq(tostring(x), "tensor(freed)")
end)

t.test("a view outlives the tensor it was made from", function()
  local x = tensor.ones(10)
  local v = x[{ 1, 2 }]
  x:free()
  t.near(v, { 1, 1 })
end)

t.test("a scope frees what it does not return", function()
  collectgarbage()
  local before = tide.memory().tensors
  local inner
  local a, list = tide.scope(function(n)
    inner = tensor.zeros(n)
    local keep = inner + 1
    return keep:sum(), { x = { keep }, [1] = "text" }
  end, 3)
  t.eq(tide.memory().tensors - before, 2)
  t.near(a, 3)
  t.near(list.x[1], { 1, 1, 1 })
  t.raises("freed", function() return inner + 1 end)
end)

t.test("scopes nest, and end with an error", function()
  local outer, kept
  tide.scope(function()
    kept = tide.scope(function()
      outer = tensor.ones(2)
      return outer * 2
    end)
    t.near(kept, { 2, 2 })
    t.raises("freed", function() return outer + 1 end)
  end)
  t.raises("freed", function() return kept + 1 end)
  local lost
  t.raises("stop here", tide.scope, function()
    lost = tensor.ones(1)
    error("stop here")
  end)
  t.raises("freed", function() return lost + 1 end)
  local after = tensor.ones(1)
  collectgarbage()
  t.near(after, { 1 })
  t.raises("yield", coroutine.wrap(function() tide.scope(coroutine.yield) end))
  t.near(tensor.ones(1) + 1, { 2 })
end)

t.test("a scope keeps what the graph needs", function()
  local w = tensor.ones(2, { requires_grad = true })
  local loss = tide.scope(function() return ((w * 3) * (w * 2)):sum() end)
  loss:backward()
  t.near(w.grad, { 12, 12 })
end)

t.test("backward frees the values of the graph", function()
  collectgarbage()
  local w = tensor.ones(1000000, { requires_grad = true })
  local before = tide.memory().live
  local loss
  do
    local y = w
    for _ = 1, 5 do y = (y * y):exp() * 0.1 end
    loss = y:sum()
  end
  collectgarbage()
  local graph = tide.memory().live - before
  loss:backward()
  collectgarbage()
  t.ok(graph > 20 * MB, "graph of " .. graph / MB .. " MB")
  t.ok(tide.memory().live - before < 5 * MB)
end)

t.test("a training loop does not grow", function()
  local w = tensor.randn(64, 64, { requires_grad = true })
  local x = tensor.randn(32, 64)
  local function step()
    local loss = (x:matmul(w):tanh() - x):square():mean()
    w.grad = nil
    loss:backward()
    tide.no_grad(function() w:sub_(w.grad * 0.01) end)
  end
  for _ = 1, 20 do step() end
  collectgarbage()
  local tensors, live = tide.memory().tensors, tide.memory().live
  for _ = 1, 200 do step() end
  collectgarbage()
  t.eq(tide.memory().tensors, tensors)
  t.eq(tide.memory().live, live)
end)

t.test("errors leave no tensor behind", function()
  local x, y = tensor.zeros(2, 3), tensor.zeros(4)
  local function wrong()
    pcall(function() return x + y end)
    pcall(function() return x:sum(5) end)
    pcall(function() return x:index_select(1, { 9 }) end)
    pcall(function() return tensor.from { 1, "a" } end)
    pcall(function() return tensor.cat { x, y } end)
    pcall(function() return x[{ 9, 9 }] end)
    pcall(function() return x:to("nowhere") end)
    pcall(function() x[1] = y end)
    pcall(function() return tensor.grad(x, y) end)
  end
  wrong()
  collectgarbage()
  local before = tide.memory().tensors
  for _ = 1, 50 do wrong() end
  collectgarbage()
  t.eq(tide.memory().tensors, before)
end)

t.test("more memory than there is: an error, and the session goes on", function()
  t.raises("memory", tensor.zeros, 1 << 21, 1 << 21)
  t.raises("memory", tensor.empty, 1 << 40, 1 << 40)
  t.raises("memory", function() return tensor.ones(1, 1):expand(1 << 22, 1 << 22) + 1 end)
  t.near(tensor.ones(2) + 1, { 2, 2 })
end)

t.test("memory statistics add up", function()
  local m = tide.memory("cpu")
  t.ok(m.peak >= m.live and m.total >= m.peak and m.cached >= 0)
  tide.trim()
  t.eq(tide.memory().cached, 0)
end)

t.test("finalisers of scripts may use tensors", function()
  local seen = 0
  local x = tensor.ones(3)
  for _ = 1, 200 do
    setmetatable({}, { __gc = function() seen = seen + (x + 1):sum():item() end })
    local _ = tensor.empty(100000) * 2
  end
  collectgarbage()
  t.ok(seen > 0)
end)

t.test("tensors made in coroutines live and die as others", function()
  local co = coroutine.wrap(function()
    local x = tensor.ones(2)
    while true do
      x = x + 1
      coroutine.yield(x)
    end
  end)
  co()
  collectgarbage()
  t.near(co(), { 3, 3 })
  co = nil
  collectgarbage()
end)
