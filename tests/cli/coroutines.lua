-- coroutines.lua -- every way in which a coroutine is made, run, ended and asked.
local function show(...)
  local out = table.pack(...)
  for i = 1, out.n do
    local v = out[i]
    out[i] = (type(v) == "table" or type(v) == "function" or type(v) == "thread")
      and type(v) or tostring(v)
  end
  print(table.concat(out, " | "))
end

-- values in and out
local co = coroutine.create(function(...)
  show("start", ...)
  show("got", coroutine.yield(1, nil, 3, nil))
  show("got", coroutine.yield())
  return "end", nil
end)
show(coroutine.resume(co, "a", nil, "c", nil))
show(coroutine.status(co), coroutine.isyieldable(co))
show(coroutine.resume(co))
show(coroutine.resume(co, nil, nil))
show(coroutine.status(co))
show(coroutine.resume(co))
show(coroutine.resume(co, 1, 2))

-- who runs, who waits
local outer
outer = coroutine.create(function()
  local me, main = coroutine.running()
  show(me == outer, main, coroutine.status(outer))
  local inner = coroutine.create(function()
    show(coroutine.status(outer))
    show(coroutine.resume(outer))
    show(pcall(coroutine.close, outer))
    show(coroutine.isyieldable())
  end)
  show(coroutine.resume(inner))
  show(coroutine.resume(outer))
  show(pcall(coroutine.close, outer))
end)
show(coroutine.resume(outer))
show(select(2, coroutine.running()), coroutine.isyieldable())

-- errors
local function bad(v) return coroutine.create(function() error(v) end) end
show(coroutine.resume(bad("text")))
show(coroutine.resume(bad({})))
show(coroutine.resume(bad(nil)))
co = bad("text")
coroutine.resume(co)
show(coroutine.status(co), coroutine.close(co))
show(debug.traceback(co))
show(pcall(coroutine.wrap(function() error("text") end)))
show(pcall(coroutine.wrap(function() error("text", 0) end)))
show(pcall(coroutine.wrap(function() error({}) end)))
show(pcall(coroutine.wrap(function() error(nil) end)))
local gen = coroutine.wrap(function() coroutine.yield(1) end)
show(gen(), gen(), pcall(gen))
gen = coroutine.wrap(function() return gen() end)
show(pcall(gen))

-- generators in loops, yields across pcall, metamethods, iterators and sort
for i, v in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i, i * i) end end) do
  show(i, v)
end
co = coroutine.wrap(function()
  show(pcall(function()
    show(coroutine.yield("in pcall"))
    error("after the yield")
  end))
  show(xpcall(function(...)
    show(...)
    coroutine.yield("in xpcall")
    error({})
  end, function(e) return type(e) .. " handled" end, 1, nil, 3))
  show(pcall(coroutine.yield, "direct"))
  show(pcall(pcall, coroutine.yield, "twice"))
  local t = setmetatable({}, { __index = function(_, k) return coroutine.yield(k) end })
  show(t.field)
  show(pcall(table.sort, { 2, 1 }, function() coroutine.yield() end))
  return "done"
end)
for _ = 1, 6 do show(co("in")) end

-- to-be-closed variables
local function closer(name, fail)
  return setmetatable({}, { __close = function(_, e)
    show("close", name, e)
    if fail then error(fail, 0) end
  end })
end
co = coroutine.create(function()
  local _ <close> = closer("a")
  local _ <close> = closer("b", "b fails")
  local _ <close> = closer("c")
  coroutine.yield(1)
end)
show(coroutine.resume(co))
show(coroutine.close(co))
show(coroutine.status(co))
co = coroutine.create(function()
  local _ <close> = closer("d")
  error("dies")
end)
show(coroutine.resume(co))
show(coroutine.close(co))
co = coroutine.wrap(function()
  local _ <close> = closer("e", "e fails")
  local _ <close> = closer("f")
  error("dies")
end)
show(pcall(co))
show(coroutine.close(coroutine.create(print)))
co = coroutine.wrap(function()
  local _ <close> = setmetatable({}, { __close = function() coroutine.yield("in close") end })
  return "value"
end)
show(pcall(co))
show(pcall(co))

-- many values, deep nesting, hooks, collection
show(select("#", coroutine.wrap(function(...) return coroutine.yield(...) end)(
  table.unpack({}, 1, 200))))
show(coroutine.resume(coroutine.create(function() return table.unpack({}, 1, 1e6) end)))
local function nest(n)
  if n == 0 then return "bottom" end
  return coroutine.wrap(nest)(n - 1)
end
show(nest(100))
local lines = 0
debug.sethook(function() lines = lines + 1 end, "l")
coroutine.wrap(function()
  local a = 1
  return a
end)()
debug.sethook()
show(lines > 0, debug.gethook())
co = coroutine.create(function()
  coroutine.yield()
end)
debug.sethook(co, function(e) show("hook", e) end, "c")
coroutine.resume(co)
show(select(2, debug.gethook(co)))
for _ = 1, 1000 do coroutine.wrap(function() coroutine.yield() end)() end
collectgarbage()
show(type(coroutine.wrap(print)), debug.getinfo(coroutine.wrap, "S").what,
  debug.getinfo(pcall, "S").what)
error(coroutine.wrap(function() return "last" end)())
