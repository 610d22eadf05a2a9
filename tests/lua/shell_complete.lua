-- shell_complete.lua -- completion: what could stand at a place, without ever running the user's code.
local t = require "tests.check"
local complete = require("tide.shell.complete").at
local options_of = require "tide.shell.options"
local doc = require "tide.doc"
local tide = require "tide"

local function trap() error("was run") end
local trapped = setmetatable({}, { __index = trap, __pairs = trap, __len = trap, __tostring = trap,
  __name = trap, __eq = trap, __call = trap })
local files = { ["."] = { "two words.txt", "a'b", ".hidden", "sub" }, sub = {}, ["sub/"] = { "x.npy" } }
local env = {
  locals = {
    x = tide.tensor.zeros(2), linear = tide.nn.Linear(2, 3), trapped = trapped, train = tide.flow.train,
    t = { 10, 20, foo = 1, ["a b"] = 2, call = print, deep = { deeper = { leaf = 1 } } },
    object = setmetatable({ own = 1 }, { __index = { method = function() end, field = 2 } }),
    mine = function(first, ...) return first, ... end,
  },
  list = function(dir) return files[dir] end,
}

-- The candidates for a text with the cursor at its end, "|" between them, with what fits behind.
local function at(text, behind)
  local answer = complete(text .. (behind or ""), #text, env)
  local out = {}
  for i, item in ipairs(answer.items) do out[i] = item.text .. item.suffix end
  return table.concat(out, "|"), answer
end

t.test("names: globals, locals, keywords, modules that are not loaded", function()
  t.eq(at("prin"), "print(")
  t.eq(at("x = whi"), "while ")
  t.eq(at("optim"), "optim.")
  t.eq(at("trai"), "train(")
  t.eq(at("local number_of = 1 return numb"), "number_of")
  t.eq(at("prin", "("), "print")
  t.eq(at("nothing_like_this"), "")
end)

t.test("fields and methods", function()
  t.eq(at("flow.targets.mo"), "mog(|moons(")
  t.eq(at("tide.flow.targets.moo"), "moons(")
  t.eq(at("tide.se"), "seed(|set_device(|set_dtype(|set_threads(")
  t.eq(at("t.deep.deeper.l"), "leaf")
  t.eq(at("t['deep'].dee"), "deeper")
  t.eq(at("object."), "field|method(|own")
  t.eq(at("object:"), "method(")
  t.eq(at("t:"), "call(")
  t.eq(at("x.sha"), "shape")
  t.eq(at("x:logsu"), "logsumexp(")
  t.eq(at("tensor.ones(2):logsu"), "logsumexp(")
  t.eq(at("('text'):rep"), "rep(")
  t.eq(at("linear:paramet"), "parameters(")
  t.ok(at("io.stdout:"):find("write(", 1, true))
end)

t.test("keys", function()
  t.eq(at("t["), '"a b"]|"call"]|"deep"]|"foo"]|1]|2]')
  t.eq(at("t[1"), "1]")
  t.eq(at("t['f"), "foo']")
  t.eq(at('t["a '), 'a b"]')
end)

t.test("options and their values", function()
  t.eq(at("flow.train(v, s, { stra"), "stratified = ")
  t.eq(at("train(v, s, { stra"), "stratified = ")
  t.eq(at("flow.train(v, s, { steps = 5, stra"), "stratified = ")
  t.eq(at("flow.VelocityMLP { hidd"), "hidden = ")
  t.eq(at("ax:heatmap(z, { cma"), "cmap = ")
  t.eq(at("flow.align_loss(v, y, { weight = '"), "likelihood'|uniform'")
  t.eq(at("flow.integrate(v, y, { solver = 'h"), "heun'")
  t.ok(not at("flow.train(v, s, { report = function() stra"):find("stratified"))
end)

t.test("every option that the documentation lists is a name", function()
  local prose = { "or", "and", "the", "a", "of", "as", "any", "default", "with", "for", "is", "that" }
  for _, word in ipairs(prose) do prose[word] = true end
  local found = 0
  for name, e in pairs(doc.all()) do
    for _, o in ipairs(options_of(e)) do
      found = found + 1
      t.ok(o.name:find("^[%a_][%w_]*$") and not prose[o.name], name .. ": " .. o.name)
    end
  end
  t.ok(found > 200)
end)

t.test("strings: modules, files, documentation", function()
  t.ok(at('require "tide.flow.pa'):find('tide.flow.path"', 1, true))
  t.eq(at('help "flow.alig'), 'flow.align"|flow.align_loss"')
  t.eq(at('data.load "tw'), 'two words.txt"')
  t.eq(at('data.load("s'), 'sub/')
  t.eq(at('data.load("sub/'), 'x.npy"')
  t.eq(at("f('a"), "a\\'b'")
  t.eq(at("f[[a"), "a'b")
  t.eq(at("f'.h"), ".hidden'")
  t.eq(select(2, at('data.load("sub/')).from, #'data.load("sub/' + 1)
end)

t.test("signatures", function()
  local function signature(text)
    local s = select(2, at(text)).signature
    return s and s.sig
  end
  for _, text in ipairs { "flow.align", "flow.align(", "flow.align(v, y", "flow.align(v, { steps = 1, ",
    "flow.align(v, tensor.zeros(2), {" } do
    t.ok(signature(text):find("^flow.align%("), text)
  end
  t.eq(signature("mine("), "mine(first, ...)")
  t.eq(signature("x + 1"), nil)
  t.ok(signature("x:sum("):find("sum(", 1, true))
end)

t.test("nothing of the user's is run", function()
  for _, text in ipairs { "trapped.", "trapped:", "trapped[", "trapped.a.b.", "trapped", "trapped(",
    "trapped.x:", "trapped { a", "trapped 'x", "trapped().", "#trapped." } do
    t.eq(type(at(text)), "string", text)
  end
end)

t.test("endless metatables, huge tables, comments", function()
  local a, b = {}, { found = 1 }
  setmetatable(a, { __index = b })
  setmetatable(b, { __index = a })
  env.locals.loop = a
  t.eq(at("loop."), "found")
  local chain = { last = 1 }
  for _ = 1, 40 do chain = setmetatable({}, { __index = chain }) end
  env.locals.chain = chain
  t.eq(at("chain."), "")
  local huge = {}
  for i = 1, 3e5 do huge["key" .. i] = i end
  env.locals.huge = huge
  local _, answer = at("huge.")
  t.ok(#answer.items > 100 and #answer.items <= 2000)
  t.eq(at("-- pri"), "")
  t.eq(at("--[[ pri"), "")
  t.eq(at("x = 'pri"), "")
end)

t.test("texts that are no Lua", function()
  math.randomseed(5)
  local words = { "flow", ".", ":", "(", ")", "{", "}", "[", "]", "'", '"', "[[", "train", "x", "t", "=", ",",
    "local", "function", "end", "do", "trapped", "1", "..", "\n", "--", "\200", "require", "help" }
  for _ = 1, 3000 do
    local text = {}
    for i = 1, math.random(1, 9) do text[i] = words[math.random(#words)] end
    local s = table.concat(text)
    t.ok(complete(s, math.random(0, #s), env).items)
  end
end)
