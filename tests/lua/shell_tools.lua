-- shell_tools.lua -- reports of errors, help, who, time, bench, reload, edit, saved sessions.
local t = require("tests.check")
local tide = require("tide")
local tensor, nn = tide.tensor, tide.nn

-- What f writes to stdout.
local function output(f, ...)
  local path, core = t.tmp("output"), require("tide.shell.core")
  core.copy_output(path)
  local ok, err = pcall(f, ...)
  core.copy_output()
  local file <close> = io.open(path)
  local text = file:read("a")
  print("# " .. text:gsub("\n", "\n# "))
  if not ok then error(err, 0) end
  return text
end

local function write(path, text)
  local f <close> = assert(io.open(path, "w"))
  f:write(text)
end

-- ---- errors ----

local trace = require("tide.shell.trace")

-- The report of an error in a text that runs like an entry of the prompt.
local function report(text)
  trace.source("entry", text)
  local _, err = xpcall(assert(load(text, "=entry")), function(e)
    local r = trace.text(e)
    return r
  end)
  return err
end

t.test("an error shows its line and a mark", function()
  local r = report("local t = {}\nlocal y = t.x.z\nreturn y")
  t.ok(r:find("^entry:2: attempt to index a nil value %(field 'x'%)\n    2 | local y = t.x.z\n" ..
    "      |             %^\n"), r)
  r = report("nope(1)")
  t.ok(r:find("    1 | nope(1)\n      | ^^^^\n", 1, true), r)
  r = report("error('plain')")
  t.ok(r:find(">   1 | error('plain')\n", 1, true), r)
  r = report("local a = tensor\nlocal s = ('\u{e4}'):len() + a")
  t.ok(r:find("2 | ", 1, true), r)
end)

t.test("frames of the library are left out", function()
  local r = report("local flow = require('tide').flow\nlocal function f() flow.train(1) return 1 end\nf()")
  t.ok(r:find("entry:2: flow.train: the field must be", 1, true), r)
  t.ok(r:find("\n\tentry:2: in local 'f'", 1, true) or r:find("\n\tentry:2: in upvalue 'f'", 1, true), r)
  t.ok(r:find("(in tide: flow.train)", 1, true), r)
  t.ok(not r:find("tide/flow", 1, true), r)
end)

t.test("a deep stack is short", function()
  local r = report("local function f() return 1 + f() end\nf()")
  t.ok(r:find("stack overflow", 1, true) and r:find("(20 times)", 1, true), r)
  t.ok(r:find("skipping %d+ levels"), r)
  t.ok(select(2, r:gsub("\n", "")) < 20, r)
end)

t.test("error objects", function()
  t.ok(report("error({ code = 3 })"):find("(error object is a table value) {code = 3}", 1, true))
  t.eq(report("error(setmetatable({}, { __tostring = function() return 'it speaks' end }))"), "it speaks")
  t.ok(report("error()"):find("(error object is a nil value)", 1, true))
  t.ok(report("error(setmetatable({}, { __tostring = error }))"):find("error object is a table", 1, true))
end)

t.test("an error in a coroutine", function()
  local co = coroutine.create(load("local x\nlocal function inner() x.y = 1 end\ninner()", "=entry"))
  trace.source("entry", "local x\nlocal function inner() x.y = 1 end\ninner()")
  local _, err = coroutine.resume(co)
  local r = trace.text(err, { thread = co })
  t.ok(r:find("2 | local function inner() x.y = 1 end", 1, true), r)
  t.ok(r:find("entry:2: in", 1, true) and r:find("entry:3: in", 1, true), r)
end)

t.test("files are read for their line", function()
  local path = t.tmp("bad.lua")
  write(path, "local x = 1\n\tlocal y = x.a.b\n")
  local _, err = xpcall(dofile, trace.report, path)
  t.ok(err:find("2 |   local y = x.a.b\n", 1, true), err)
  t.ok(trace.line(path .. ":2: attempt to index a nil value (field 'a')"):find("\n      |               %^$"))
  t.eq(trace.line("no place"), nil)
  t.eq(trace.line("/nowhere.lua:3: bad"), nil)
end)

t.test("a text that does not load", function()
  local text = "local x = 1\nx = = 2"
  local _, err = load(text, "=stdin")
  t.eq(trace.syntax(err, text), "stdin:2: unexpected symbol near '='\n    2 | x = = 2\n      |   ^")
  text = "f("
  _, err = load(text, "=stdin")
  t.ok(trace.syntax(err, text):find("1 | f(\n      |   ^", 1, true))
end)

-- ---- help ----

local help = require("tide.help")

t.test("help finds values, methods, instances, pages", function()
  local function first(x) return (help.text(x):match("^[^\n]*")) end
  t.eq(first(nn.Linear), "nn.Linear")
  t.eq(first(nn.Linear(2, 2)), "nn.Linear")
  t.eq(first(tensor.ones(1).sum), "tensor.sum")
  t.eq(first("parameters"), "nn.Module:parameters")
  t.eq(first("tools"), "Tools of the prompt")
  t.ok(help.text(nn.Module):find("Methods: .*:parameters"))
  local text, known = help.text("nosuchthing")
  t.ok(text:find("no entry 'nosuchthing'", 1, true) and not known)
end)

t.test("help on a user's function shows the comment above it", function()
  local path = t.tmp("mine.lua")
  write(path, "local x = 1\n\n-- Doubles a number.\n-- Twice.\nfunction mine(a)\n  return a * 2\nend\n")
  dofile(path)
  t.ok(help.text(mine):find("function%(a%)  .*mine.lua:5\n\nDoubles a number.\nTwice.$"))
  mine = nil
end)

t.test("a search ranks names before texts", function()
  local found = help.find("softmax")
  t.eq(found[1].name, "tensor.softmax")
  t.ok(found[#found].score < found[1].score)
  t.ok(#help.find("softmax label") >= 1)
  t.eq(#help.find("zzzz"), 0)
end)

t.test("questions at the prompt", function()
  local query = require("tide.shell.help").query
  t.ok(output(query, "?tensor.sum"):find("^tensor.sum\n"))
  t.ok(output(query, "?? softmax"):find("tensor.log_softmax", 1, true))
  t.ok(output(query, "?"):find("At the prompt", 1, true))
  net = nn.Linear(2, 2)
  t.ok(output(query, "?net"):find("^nn.Linear\n"))
  t.ok(output(query, "?net:parameters"):find("^nn.Module:parameters\n"))
  x = tensor.ones(1)
  t.ok(output(query, "?x:sum"):find("^tensor.sum\n"))
  net, x = nil, nil
end)

-- ---- tools ----

t.test("who lists variables with tensors, largest first", function()
  small, big, net, other = tensor.ones(3), { tensor.ones(100), { tensor.ones(100) } }, nn.Linear(2, 2), 5
  local text = output(tide.who)
  small, big, net, other = nil, nil, nil, nil
  t.ok(text:gsub(" +", " "):find("\nbig table 2 tensors f32 cpu 800 B\n" ..
    "net Linear 6 parameters f32 cpu 24 B\nsmall tensor (3) f32 cpu 12 B\n" ..
    "3 variables with tensors, 836 B; others: 1 number\n", 1, true), text)
end)

t.test("time returns what f returns", function()
  local values
  local text = output(function()
    values = table.pack(tide.time(function(a) return a, nil, 3 end, 1))
  end)
  t.eq({ values.n, values[1], values[3] }, { 3, 1, 3 })
  t.ok(text:find("CPU", 1, true) and text:find("tensors 0 B", 1, true))
  t.raises("give a function", tide.time, 5)
end)

t.test("bench compares medians with the fastest of them", function()
  local function spin(n) return function() for _ = 1, n do end end end
  local r = tide.bench({ fast = spin(1000), slow = spin(50000) }, { seconds = 0.02 })
  local text = tostring(r)
  local best = math.min(r.slow.median, r.fast.median)
  t.near(r.slow.ratio, r.slow.median / best, 1e-12)
  t.near(r.fast.ratio, r.fast.median / best, 1e-12)
  t.ok(r.slow.low <= r.slow.median and r.slow.median <= r.slow.high and r.slow.calls > 0)
  t.ok(text:find("ratio", 1, true))
  t.raises("give a function", tide.bench, {})
end)

t.test("a profile is printed and values returned", function()
  local values
  local text = output(function()
    values = table.pack(tide.profile(function() return tensor.ones(3):exp():sum():item(), "b" end))
  end)
  t.eq(values[2], "b")
  t.ok(text:find("exp", 1, true) and text:find("shell_tools.lua:", 1, true), text)
end)

t.test("commands of the shell", function()
  local command = require("tide.shell.tools").command
  t.eq(output(command, "!true"), "")
  t.eq(output(command, "!exit 3"), "[status 3]\n")
  t.eq(output(command, "! kill -9 $$"), "[signal 9]\n")
end)

-- ---- reload and edit ----

package.path = t.tmp("?.lua") .. ";" .. package.path

t.test("reload fills the loaded table, classes and closures", function()
  write(t.tmp("live.lua"), [[
local nn = require("tide").nn
local M = { _keep = { "cache" }, cache = {}, gone = 1 }
M.Net = nn.Module:extend("Net")
function M.Net:forward(x) return x + 1 end
function M.count() M.calls = (M.calls or 0) + 1 return "old", M.calls end
return M]])
  local live = require("live")
  local net, cache = live.Net(), live.cache
  live.count()
  cache.x = 1
  write(t.tmp("live.lua"), [[
local nn = require("tide").nn
local M = { _keep = { "cache" }, cache = {} }
local function helper() return M end
M.Net = nn.Module:extend("Net")
function M.Net:forward(x) return x + 2 end
function M.count() M.calls = (M.calls or 0) + 1 return "new", helper() end
return M]])
  t.ok(tide.reload("live") == live)
  t.eq(net(1), 3)
  t.ok(getmetatable(net) == live.Net)
  t.eq(live.gone, nil)
  t.ok(live.cache == cache and cache.x == 1)
  local word, table_seen = live.count()
  t.eq(word, "new")
  t.ok(table_seen == live and live.calls == 1)
end)

t.test("a file that fails changes nothing", function()
  local live = require("live")
  write(t.tmp("live.lua"), "local M = {} error('bad file') return M")
  t.raises("bad file", tide.reload, live)
  t.eq(live.count(), "new")
  write(t.tmp("live.lua"), "local M = {")
  t.raises("live.lua:1: ", tide.reload, "live")
  t.raises("not loaded", tide.reload, "never")
  t.raises("part of the program", tide.reload, "tide.nn")
  t.raises("give a module", tide.reload, {})
end)

t.test("a module that is a function is replaced", function()
  write(t.tmp("fun.lua"), "return function() return 1 end")
  require("fun")
  write(t.tmp("fun.lua"), "return function() return 2 end")
  t.eq(tide.reload("fun")(), 2)
  t.eq(require("fun")(), 2)
end)

-- An editor that notes how it was called and replaces 1 by 2 in the file.
local function with_editor(f)
  local script = t.tmp("editor")
  write(script, "#!/bin/sh\necho \"$@\" >" .. t.tmp("called") ..
    "\nfor f; do :; done\nsed -i 's/return 1/return 2/' \"$f\"\n")
  os.execute("chmod +x " .. script)
  local getenv = os.getenv
  os.getenv = function(name)
    if name == "VISUAL" then return nil end
    if name == "EDITOR" then return script end
    return getenv(name)
  end
  local ok, err = pcall(f)
  os.getenv = getenv
  if not ok then error(err, 0) end
  local file <close> = io.open(t.tmp("called"))
  return file and file:read("l")
end

t.test("edit opens at the line and reloads", function()
  write(t.tmp("edited.lua"), "local M = {}\n\nfunction M.f()\n  return 1\nend\nreturn M\n")
  local edited = require("edited")
  local called = with_editor(function()
    t.eq(output(tide.edit, edited.f), "reloaded edited\n")
  end)
  t.ok(called:find("^%+3 .*edited.lua$"), called)
  t.eq(edited.f(), 2)
  called = with_editor(function() t.eq(output(tide.edit, "edited"), "") end)
  t.ok(called:find("^/.*edited.lua$"), called)
  t.raises("not from a file", tide.edit, print)
  t.raises("not from a file", tide.edit, tide.nn.Linear)
  t.raises("give a function", tide.edit, 5)
end)

-- ---- sessions ----

local session = require("tide.shell.session")

t.test("a session becomes a script", function()
  local code, n = session.script { "x = 1", "x + 1", "= x", "y = tensor.ones(2);",
    "local function f()\n  return y\nend", "f():sum();", "save_session 'a'", "show(x)" }
  t.eq(n, 7)
  t.eq(code, [[
local tide = require("tide")
local tensor = tide.tensor
local show = tide.show

x = 1
tide.show(x + 1)
tide.show( x)
y = tensor.ones(2);
local function f()
  return y
end
f():sum();
show(x)
]])
  t.ok(load(code))
  code = session.script { "1 + 1", "print(_)", "2;" }
  t.ok(code:find("_ = 1 + 1\ntide.show(_)\nprint(_)\n_ = 2\n", 1, true), code)
end)

t.test("a transcript has what is shown, without colours", function()
  local path = t.tmp("transcript")
  tide.transcript(path)
  session.entered("a = 1\nb = 2")
  print("one")
  io.write("\27[31mtwo\27[0m\n")
  io.stdout:write("three\n")
  io.stderr:write("# four\n")
  tide.transcript(false)
  print("# five")
  local f <close> = io.open(path)
  t.eq(f:read("a"), "> a = 1\n>> b = 2\none\ntwo\nthree\n# four\n")
  t.raises("none is being written", tide.transcript, false)
  t.raises("No such file", tide.transcript, t.tmp("no/such/folder"))
end)
