-- shell_statement.lua -- entries of the prompt: what is complete, what is shown, locals that stay.
local t = require "tests.check"
local statement = require "tide.shell.statement"

-- Runs an entry; the values that are shown, piece after piece, as one string, or the error.
local function run(session, text)
  local entry = session:read(text)
  if entry.status == "invalid" then return "invalid: " .. entry.error end
  if entry.status ~= "complete" then return entry.status end
  local out = {}
  while true do
    local f, shows = entry:next()
    if not f then
      if shows then out[#out + 1] = "failed: " .. shows end
      return table.concat(out, " | ")
    end
    local values = table.pack(pcall(f))
    if not values[1] then return "error: " .. tostring(values[2]) end
    if shows and values.n > 1 then
      for i = 2, values.n do values[i] = tostring(values[i]) end
      out[#out + 1] = table.concat(values, " ", 2, values.n)
    end
  end
end

local function one(text) return run(statement.session(), text) end

t.test("expressions are shown, statements are not", function()
  t.eq(one("1 + 1, 'x'"), "2 x")
  t.eq(one("= 6 * 7"), "42")
  t.eq(one("=(1)\n+2"), "3")
  t.eq(one("shell_x = 5"), "")
  t.eq(one("return 5, 6"), "5 6")
  t.eq(one("(function() end)()"), "")
  shell_x = nil
end)

t.test("the last expression or call of several statements is shown", function()
  t.eq(one("local x = 6\nx * 7"), "42")
  t.eq(one("local x = 6; x * 7"), "42")
  t.eq(one("local function f() return 1, 2 end f()"), "1 2")
  t.eq(one("local t = {}\nt.x = 1\nt.x, t.y"), "1 nil")
  t.eq(one("for i = 1, 2 do end string.rep('ab', 2) -- done"), "abab")
  t.eq(one("local x = 1\nx\nx = x + 1\nx\nx = 7"), "1 | 2")
end)

t.test("a semicolon at the end silences", function()
  t.eq(one("1 + 1;"), "")
  t.eq(one("local x = 6\nx * 7;"), "")
  t.eq(one("local x = 6\nx;\nx + 1"), "7")
  t.eq(one("local f = tostring f(1);"), "")
  t.eq(one("return 5;"), "")
  t.eq(one("'a;' -- b;"), "a;")
end)

t.test("an error at the end names the last line", function()
  local function why(text) return statement.session():read(text).error end
  t.ok(why("x ="):find("^[^:]*:1: unexpected symbol near <eof>"), why("x ="))
  t.ok(why("x = 1\ny ="):find("^[^:]*:2: "), why("x = 1\ny ="))
end)

t.test("what is empty", function()
  for _, text in ipairs { "", "  \n\n", "-- a comment", "--[[ two\nlines ]]", "> ", "\r\n" } do
    t.eq(one(text), "empty", text)
  end
end)

t.test("what wants more lines", function()
  for _, text in ipairs { "do", "for i = 1, 2 do", "f(", "{1,", "x =", "1 +", "[[a", "--[[ a", "a.b:",
    "if x then", "return function()", "local t = {", "= (1 +", "local x = 1\nx +", "repeat",
    "x = 1 y", "> f(", "> do\n>> x()" } do
    t.eq(one(text), "incomplete", text)
  end
  t.eq(statement.session():read("do if x then f({").indent, 8)
end)

t.test("what no further line can mend", function()
  for _, text in ipairs { "x = = 1", "print('a", "break", "prnt x", "1 2", "goto nowhere", "f())",
    "local x = 1\nprnt x", "x y\n", "return 1 2", "x = 1 2" } do
    t.ok(one(text):find("^invalid: stdin:%d+: "), text .. " gave " .. one(text))
  end
end)

t.test("lines keep their numbers", function()
  t.ok(one("local x = 1\n\nx\nerror('here')"):find("stdin:4: here"))
  t.ok(one("local x = 1\n\nx\nx.y.z"):find("stdin:4: attempt"))
  t.ok(one("local a = 1\nlocal b = a\nerror('here')"):find("stdin:3: here"))
end)

t.test("locals carry over", function()
  local s = statement.session()
  t.eq(run(s, "local x, y = 1, 2"), "")
  t.eq(run(s, "x + y"), "3")
  t.eq(rawget(_G, "x"), nil)
  t.eq(run(s, "x = x + 10; return x"), "11")
  t.eq(run(s, "x"), "11")
  t.eq(s:locals().x, 11)
  t.eq(run(s, "local function f(n) if n == 0 then return x end return f(n - 1) end"), "")
  t.eq(run(s, "f(3)"), "11")
end)

t.test("closures and later entries share a local", function()
  local s = statement.session()
  run(s, "local n = 0\nfunction shell_count() n = n + 1 return n end")
  t.eq(run(s, "shell_count(), shell_count(), n"), "1 2 2")
  run(s, "n = 40")
  t.eq(run(s, "shell_count()"), "41")
  run(s, "local n = 'another'")
  t.eq(run(s, "shell_count(), n"), "42 another")
  shell_count = nil
end)

t.test("a local is born behind its statement", function()
  local s = statement.session()
  t.eq(run(s, "local print = print"), "")
  t.eq(run(s, "print == _G.print"), "true")
  shell_g = "global"
  t.eq(run(s, "local a = shell_g local shell_g = 'local' return a, shell_g"), "global local")
  t.eq(run(s, "shell_g, _G.shell_g"), "local global")
  t.eq(run(s, "local shell_g = shell_g .. 's'"), "")
  t.eq(run(s, "shell_g"), "locals")
  shell_g = nil
end)

t.test("only locals of the outermost block stay", function()
  local s = statement.session()
  run(s, "do local inner = 1 end local function f() local deep = 2 end if true then local z = 1 end")
  t.eq(run(s, "inner, deep, z, type(f)"), "nil nil nil function")
end)

t.test("constants stay constant", function()
  local s = statement.session()
  run(s, "local k <const>, c <const> = 7, {}")
  run(s, "local only <const> = 'compiled in'")
  t.eq(run(s, "k, type(c), only"), "7 table compiled in")
  for _, name in ipairs { "k", "c", "only" } do
    t.ok(run(s, name .. " = 1"):find("attempt to assign to const variable '" .. name .. "'"))
  end
  t.eq(run(s, "local k = k + 1"), "")
  t.eq(run(s, "k = k + 1; k"), "9")
end)

t.test("what is to be closed is closed behind its entry, and does not stay", function()
  local s = statement.session()
  shell_log = {}
  run(s, "local a, f <close> = 5, setmetatable({}, { __close = function() shell_log[1] = 'closed' end })")
  t.eq(shell_log, { "closed" })
  t.eq(run(s, "a, f"), "5 nil")
  shell_log = nil
end)

t.test("locals from before an error stay", function()
  local s = statement.session()
  t.ok(run(s, "local before = 1\nerror('middle')\nlocal after = 2"):find("stdin:2: middle"))
  t.eq(run(s, "before, after"), "1 nil")
end)

t.test("locals behind a label, varargs and many names", function()
  local s = statement.session()
  t.eq(run(s, "goto done\nlocal skipped = 1\n::done::"), "")
  t.eq(run(s, "select('#', ...)"), "0")
  t.eq(run(s, "local one = 1 return select('#', ...)"), "0")
  local names = {}
  for i = 1, 300 do
    names[i] = "v" .. i
    t.eq(run(s, "local v" .. i .. " = " .. i), "")
  end
  t.eq(run(s, "v1 + v300"), "301")
end)

t.test("pasted transcripts lose prompts and outputs", function()
  t.eq(one("> 1 + 1\n2\n> 'a'\na"), "2 | a")
  t.eq(one("> x = 5\n> x * 2"), "10")
  t.eq(one("> for i = 1, 2 do\n>> shell_i = i\n>> end\noutput 1\noutput 2\n> shell_i"), "2")
  t.eq(one("> local function f()\n  return 3\nend\n> f()\n3\n>"), "3")
  t.eq(one("> f(\n> g()"):match("^invalid"), "invalid")
  local e = statement.session():read("> 1 + 1\n2\n> do\n>> end\n")
  t.eq(e.text, "1 + 1\ndo\nend")
  e = statement.session():read("lab> 7\n7", "lab> ", "...> ")
  t.eq(e.text, "7")
  t.eq(one("2\n> 1"), "true")
  shell_i, x = nil, nil
end)

t.test("a plain session does what lua does", function()
  local s = statement.session(true)
  t.eq(run(s, "local x = 1"), "")
  t.eq(run(s, "x"), "nil")
  t.eq(run(s, "local f = tostring f(1)"), "")
  t.eq(run(s, "return 5;"), "5")
  t.eq(run(s, "=7"), "7")
  t.ok(run(s, "> 1"):find("^invalid"))
  t.ok(run(s, "local x = 1\nx"):find("^incomplete"))
  t.ok(run(s, "?x"):find("^invalid"))
end)

t.test("CR LF and CR end lines", function()
  t.eq(one("local a = 1\r\nlocal b = 2\r\na + b"), "3")
  t.eq(one("local a = [[x\r\ny]] return #a"), "3")
end)

t.test("an entry of thousands of lines", function()
  local lines = {}
  for i = 1, 5000 do lines[i] = ("function shell_f(x) return x + %d end shell_f(1)"):format(i) end
  lines[#lines + 1] = "shell_f(1)"
  t.eq(one(table.concat(lines, "\n")), "5001")
  shell_f = nil
end)

t.test("texts that are no Lua at all", function()
  math.randomseed(7)
  local words = { "local", "x", "=", "function", "(", ")", "end", "\n", ";", "'", "[[", "--", "1", "::",
    "> ", ">> ", "return", "{", "}", ",", "..", "<const>", "if", "then", "\r", "\0", "\200", "do", "for" }
  for _ = 1, 4000 do
    local text = {}
    for i = 1, math.random(1, 12) do text[i] = words[math.random(#words)] end
    local entry = statement.session():read(table.concat(text, " "))
    t.ok(entry.status)
  end
end)
