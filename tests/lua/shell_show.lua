-- shell_show.lua -- how values are shown: limits, order, cycles, strings, metatables, colours.
local t = require("tests.check")
local tide = require("tide")
local show = require("tide.shell.show")
local tensor, nn = tide.tensor, tide.nn

local function text(x, o)
  o = o or {}
  o.width = o.width or 80
  return tide.format(x, o)
end

local function lines(s) return select(2, s:gsub("\n", "")) + 1 end

t.test("plain values", function()
  t.eq(text(12), "12")
  t.eq(text(1.5), "1.5")
  t.eq(text(nil), "nil")
  t.eq(text(true), "true")
  t.eq(text("a\nb\"c"), "a\nb\"c")
  t.eq(text("\27[31m\0"), "\\e[31m\\0")
  t.eq(text("\xff\xc3\xa4"), "\\xFF\xc3\xa4")
end)

t.test("keys come in order and are quoted where needed", function()
  t.eq(text({ 1, 2, b = 1, a = 2, ["x y"] = 3, [10] = 4, [-1] = 5, [true] = 6, ["end"] = 7 }),
    '{1, 2, [-1] = 5, [10] = 4, a = 2, b = 1, ["end"] = 7, ["x y"] = 3, [true] = 6}')
  t.eq(text({}), "{}")
  t.eq(text({ "a\n", "\"" }), [[{"a\n", "\""}]])
end)

t.test("depth is limited", function()
  t.eq(text({ { { { { 1 } } } } }), "{{{{{...}}}}}")
  t.eq(text({ { 1 }, x = {} }, { depth = 1 }), "{{...}, x = {}}")
end)

t.test("cycles end, shared tables do not", function()
  local c = { name = "c" }
  c.self, c.inner = c, { back = c }
  t.eq(text(c), '{inner = {back = <cycle>}, name = "c", self = <cycle>}')
  local shared = { 1 }
  t.eq(text({ shared, shared }), "{{1}, {1}}")
  local deep = { title = ("x"):rep(70), a = { b = { title = ("y"):rep(70) } } }
  deep.a.b.up = deep.a
  t.ok(text(deep):find("<cycle to .a>", 1, true), text(deep))
end)

t.test("long lists fill lines and end with a count", function()
  local list = {}
  for i = 1, 1e6 do list[i] = i end
  local s = text(list)
  t.ok(s:find("  1, 2, 3,", 1, true) and s:find("\n  ... 999,900 more\n", 1, true), s)
  t.ok(lines(s) < 10)
  for line in s:gmatch("[^\n]+") do t.ok(#line <= 80, line) end
  t.ok(text(list, { items = 5 }):find("1, 2, 3, 4, 5, ... 999,995 more", 1, true))
end)

t.test("a table of tables ends after some lines", function()
  local rows = {}
  for i = 1, 1e5 do rows[i] = { name = ("row %d"):format(i), values = { i, i + 1 } } end
  local s = text(rows)
  t.ok(lines(s) <= 60, lines(s))
  t.ok(s:find("... 99,950 more", 1, true), s:sub(-200))
  local wide = {}
  for i = 1, 100 do
    wide[i] = {}
    for j = 1, 100 do wide[i][j] = { j, ("x"):rep(60) } end
  end
  s = text(wide)
  t.ok(lines(s) <= 160, lines(s))
end)

t.test("what is not shown is not looked at", function()
  local calls = 0
  local meta = { __tostring = function()
    calls = calls + 1
    return "object"
  end }
  local list = {}
  for i = 1, 1e5 do list[i] = setmetatable({}, meta) end
  text(list)
  t.ok(calls <= 400, calls)
  local keys = {}
  for i = 1, 3e5 do keys["k" .. i] = i end
  local s = text(keys, { items = 10 })
  t.ok(lines(s) < 15 and s:find("... over %d+,%d+ more"), s)
end)

t.test("strings in tables are cut", function()
  local s = text({ ("x"):rep(1000) }, { string = 10 })
  t.eq(s, '{"xxxxxxxxxx" (990 more bytes)}')
  t.eq(text({ "\u{e4}\u{e4}\u{e4}" }, { string = 3 }), '{"\u{e4}" (4 more bytes)}')
  t.ok(#text(("long line "):rep(1e5)) < 10000)
  t.ok(lines(text(("line\n"):rep(1e5))) < 60)
end)

t.test("__tostring and __name are respected, errors do no harm", function()
  t.eq(text(setmetatable({}, { __tostring = function() return "I" end })), "I")
  t.eq(text(setmetatable({ 1 }, { __name = "Thing" })), "Thing {1}")
  t.ok(text(setmetatable({}, { __tostring = function() error("no words") end }))
    :find("<error in __tostring: .*no words>"))
  t.ok(text({ setmetatable({}, { __tostring = function() return {} end }) }):find("must return"))
  t.ok(text(setmetatable({}, { __index = function() error("read") end })) == "{}")
  local broken = setmetatable({}, { __pairs = function() error("p") end, __len = function() error("l") end })
  broken[1] = 5
  t.eq(text(broken), "{5}")
  t.raises("interrupted!", text, setmetatable({}, { __tostring = function() error("interrupted!", 0) end }))
end)

t.test("tensors in tables take a line", function()
  t.eq(text({ x = tensor.ones(4, 3) }), "{x = tensor(4x3, f32, cpu)}")
  t.eq(text({ tensor.from { 1, 2 } }), "{tensor(2, f32, cpu) [1., 2.]}")
  t.eq(text(tensor.ones(2)), tostring(tensor.ones(2)))
  local freed = tensor.ones(2)
  freed:free()
  t.ok(text({ freed }):find("freed"))
end)

t.test("modules show the shapes of their parameters", function()
  local net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
  net[1].weight:requires_grad_(false)
  t.eq(text(net), [[
Sequential  9 parameters, 36 B
  1 Linear(2, 3)
    weight (3, 2) frozen
    bias (3)
  2 Tanh]])
  local Own = nn.Module:extend("Own")
  function Own.__tostring() return "my own text" end
  t.eq(text(Own()), "my own text")
  t.eq(text({ net = nn.Tanh() }), "{net = Tanh}")
end)

t.test("functions show signatures or places", function()
  t.eq(text(tide.tensor.softmax), "function " .. require("tide.doc").get("softmax").sig)
  t.eq(text(string.rep), "function string.rep (of Lua)")
  t.ok(text(function(a, b, ...) return a, b, ... end)
    :find("^function%(a, b, %.%.%.%)  .*shell_show.lua:%d+$"))
  t.ok(text(nn.Linear):find("^class nn.Linear%("))
  t.ok(text(coroutine.create(print)):find("^coroutine %(suspended"))
end)

t.test("colours are codes around the same text", function()
  local color = require("tide.shell.color")
  local x = { 1, "a", true, { x = print }, ("y"):rep(300) }
  t.eq(color.strip(text(x, { color = true })), text(x))
  t.ok(text(x, { color = true }):find("\27[36m1\27[0m", 1, true))
end)

t.test("the echo puts short values on one line", function()
  local out = {}
  local stdout = io.stdout
  io.stdout = { write = function(_, ...) out[#out + 1] = table.concat({ ... }) end }
  show.values(3, 1, nil, "a")
  show.values(2, tensor.ones(2), 1)
  show.values(0)
  io.stdout = stdout
  t.eq(out, { "1\tnil\ta\n", tostring(tensor.ones(2)) .. "\n1\n" })
end)

t.test("print shows plain tables only", function()
  local seen
  local function stock(...) seen = { n = select("#", ...), ... } end
  local object = setmetatable({}, { __tostring = function() return "o" end })
  show.print(stock, { 1, 2 }, "a", object, nil)
  t.eq(seen.n, 4)
  t.eq(seen[1], "{1, 2}")
  t.ok(seen[3] == object and seen[2] == "a")
end)

t.test("options are checked", function()
  t.raises("did you mean 'depth'", tide.format, 1, { dept = 1 })
end)
