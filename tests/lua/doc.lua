-- doc.lua -- the documentation table: every example runs, every op has an entry.
local t = require("tests.check")
local tide = require("tide")
local doc = require("tide.doc")

for _, name in ipairs(doc.names()) do
  local e = doc.all()[name]
  if e.example then
    t.test("example of " .. name, function()
      local err = doc.run_example(e)
      if err then error(err, 0) end
    end)
  end
end

t.test("every op has a signature, a text and an example", function()
  for _, op in ipairs(tide.ops()) do
    local e = doc.get("tensor." .. op.name)
    t.ok(e.sig and #e.sig > 0, op.name .. " has no signature")
    t.ok(#e.text > 0, op.name .. " has no text")
    t.ok(e.example, op.name .. " has no example")
    t.ok(e.returns, op.name .. " does not say what it returns")
  end
end)

local function of(module, names)
  local found = {}
  for _, name in ipairs(names) do
    if name:match("^%w+") == module then found[#found + 1] = name end
  end
  return found
end

t.test("every function of tensor and tide is documented", function()
  t.eq(of("tensor", doc.missing()), {})
  t.eq(of("tide", doc.missing()), {})
end)

t.test("nothing is documented that is not there", function()
  t.eq(of("tensor", doc.stale()), {})
  t.eq(of("tide", doc.stale()), {})
end)

t.test("entries are found by name, short name, method and value", function()
  local want = doc.all()["tensor.sum"]
  t.ok(doc.get("tensor.sum") == want)
  t.ok(doc.get("sum") == want)
  t.ok(doc.get("x:sum") == want)
  t.ok(doc.get("tide.tensor.sum") == want)
  t.ok(doc.get(tide.tensor.sum) == want)
  t.ok(doc.get("no such thing") == nil)
end)

t.test("help knows modules, entries and near misses", function()
  local text = require("tide.help").text
  t.ok(text():find("flow", 1, true))
  t.ok(text("tensor"):find("tensor.matmul", 1, true))
  t.ok(text(tide.tensor):find("tensor.matmul", 1, true))
  t.ok(text(tide.tensor.sum):find("keepdim", 1, true))
  t.ok(text("sofmax"):find("Did you mean tensor.softmax", 1, true))
  t.ok(text("tensro"):find("Did you mean tensor?", 1, true))
  t.ok(text("targets"):find("flow.targets has checkerboard", 1, true))
  t.ok(text(tide.tensor.ones(1)):find("tensor.matmul", 1, true))
end)

t.test("pages lead to pages that are there", function()
  for _, topic in ipairs(doc.topics()) do
    local text = doc.all()["topic." .. topic].text
    for line in (text .. "\n"):gmatch("(.-)\n") do
      local n = utf8.len(line)
      t.ok(n and n <= 90, topic .. ": a long line: " .. line)
      for name in line:gmatch("%f[?]%?([%l]+)%f[^%l.:(]") do
        t.ok(name == "name" or require("tide.help").known(name), ("?%s leads to ?%s"):format(topic, name))
      end
    end
  end
end)

-- Of entries that are not made from the registry too.
t.test("every entry says what it takes and gives, and has an example", function()
  local without = { ["tensor.cuda"] = "needs a GPU", ["tensor.Tensor"] = "a class" }
  local lack = {}
  for _, name in ipairs(doc.names()) do
    local e = doc.all()[name]
    if not e.inplace and not e.title and not without[name] then
      local takes = e.sig:match("%((.*)%)")
      if #e.text == 0 or not e.returns or not e.example or (takes and takes ~= "" and #e.args == 0) then
        lack[#lack + 1] = name
      end
      for _, a in ipairs(e.args) do
        if not a[2] or a[2] == "" then lack[#lack + 1] = name .. ": " .. a[1] end
      end
    end
  end
  t.eq(lack, {})
end)

t.test("the manual and the stubs are written", function()
  local dir = t.tmp("manual")
  os.execute("mkdir -p '" .. dir .. "'")
  doc.write(dir)
  local f = assert(io.open(dir .. "/tensor.md"))
  local manual = f:read("a")
  f:close()
  t.ok(manual:find("### tensor.sum", 1, true))
  local prompt = assert(io.open(dir .. "/prompt.md")):read("a")
  t.ok(prompt:find("## The prompt", 1, true) and prompt:find("| Tracebacks | yes |", 1, true))
  for line in prompt:gmatch("\n(|[^\n]+)") do
    t.ok(line:find("^| .- | yes | .* |$") or line:find("^| .- | no | .+ |$")
      or line:find("^|%-%-%-|") or line:find("^| feature"), line)
  end
  local stubs = assert(io.open(dir .. "/tide.d.lua")):read("a")
  t.ok(stubs:find("function Tensor:sum(dim, keepdim) end", 1, true))
  t.ok(load(stubs), "the stubs are not valid Lua")
end)
