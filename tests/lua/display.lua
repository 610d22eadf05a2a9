-- display.lua -- values as notebooks show them: mime bundles, outputs that are replaced, live figures.
local t = require "tests.check"
local tide = require "tide"
local display = require "tide.shell.display"
local tensor, nn, plot = tide.tensor, tide.nn, tide.plot

local function html(x) return display.bundle(x)["text/html"] end

local function cells(text)
  local _, n = text:gsub("<td>", "")
  return n
end

t.test("tensors are tables of their edges", function()
  t.eq(cells(html(tensor.ones(3, 4))), 12)
  t.eq(cells(html(tensor.arange(5))), 5)
  t.eq(cells(html(tensor.ones(12, 12))), 144)
  t.eq(cells(html(tensor.ones(13, 13))), 121)
  t.eq(cells(html(tensor.ones(1000, 2))), 22)
  t.eq(html(tensor.ones(2, 3, 4)), nil)
  t.eq(html(tensor.zeros(0, 3)), nil)
  local x = tensor.arange(400):reshape(20, 20)
  local values = {}
  for v in html(x):gmatch("<td>([^<]*)</td>") do values[#values + 1] = v end
  t.eq(table.concat(values, " ", 1, 11), "1 2 3 4 5 &hellip; 16 17 18 19 20")
  t.eq(values[111 + 10], "400")
  t.ok(html(tensor.ones(2, { dtype = "bool" })):find("true", 1, true))
  t.ok(html(tensor.ones(2):requires_grad_()):find("requires grad", 1, true))
end)

t.test("modules, files, mime tables and values of one's own", function()
  local m = html(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
  t.ok(m:find("9 parameters", 1, true) and m:find("Linear(2, 3)", 1, true))
  t.ok(m:find("weight 3&times;2, bias 3", 1, true))
  t.eq(display.bundle({ ["text/html"] = "<b>" })["text/html"], "<b>")
  t.eq(display.bundle({ 1, 2 })["text/plain"], "{1, 2}")
  local odd = setmetatable({}, { __display = function(_, o)
    return { ["text/plain"] = "odd " .. tostring(o.id) }
  end })
  t.eq(display.bundle(odd, { id = "x" })["text/plain"], "odd x")
  local path = os.tmpname()
  os.rename(path, path .. ".svg")
  t.eq(display.bundle({ file = path .. ".svg" })["image/svg+xml"], "")
  os.remove(path .. ".svg")
  t.raises("the name must end in", function() display.bundle({ file = "x.doc" }) end)
  t.raises("No such file", function() display.bundle({ file = "/nowhere/x.png" }) end)
  t.raises("did you mean 'format'", function() display.bundle(1, { fromat = "png" }) end)
end)

t.test("base64 is that of everybody else", function()
  local known = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", ["foob\0\xff"] = "Zm9vYgD/" }
  for plain, code in pairs(known) do t.eq(display.base64(plain), code) end
  local data = display.encoded { ["image/png"] = "foo", ["text/plain"] = "foo", ["image/svg+xml"] = "foo",
    ["application/json"] = "foo" }
  t.eq(data["image/png"] .. data["text/plain"] .. data["image/svg+xml"] .. data["application/json"],
    "Zm9vfoofoofoo")
end)

t.test("figures have the size of the page, and twice the dots", function()
  if not plot.can_save then return end
  local fig = plot.figure { size = { 150, 90 } }
  local data, metadata = display.bundle(fig)
  t.eq(metadata["image/png"].width, 200)
  t.eq(string.unpack(">I4", data["image/png"], 17), 400)
  data, metadata = display.bundle(fig, { format = "svg" })
  t.ok(data["image/svg+xml"]:find("<svg", 1, true) and metadata["image/svg+xml"].height == 120)
  t.raises("png", function() display.bundle(fig, { format = "pdf" }) end)
end)

-- Calls f with a notebook that notes what it is sent.
local function in_notebook(f)
  local log = {}
  display.open {
    display = function(data, _, id, update) log[#log + 1] = { data = data, id = id, update = update } end,
    clear = function(wait) log[#log + 1] = { wait = wait } end }
  display.cell = (display.cell or 0) + 1
  local ok, err = pcall(f, log)
  display.open(nil)
  assert(ok, err)
end

t.test("outputs are replaced and cleared", function()
  in_notebook(function(log)
    t.ok(tide.in_notebook())
    local d = tide.display("one")
    d:update("two")
    tide.clear_output(true)
    t.eq(log[1].data["text/plain"] .. log[2].data["text/plain"], "onetwo")
    t.eq(log[1].id, log[2].id)
    t.ok(not log[1].update and log[2].update and log[3].wait)
    t.ok(tide.display("three") and log[4].id ~= log[1].id)
  end)
  t.ok(not tide.in_notebook())
end)

t.test("a figure is drawn when it has changed, once more at the end, and not when it is gone", function()
  if not plot.can_save then return end
  in_notebook(function(log)
    local fig = plot.figure { size = { 40, 40 } }
    local line = fig:axes {}:line { y = { 0, 1 } }
    t.eq(fig:show(), fig)
    t.eq(#log, 1)
    t.ok(display.is_known(fig) and not display.is_known(plot.figure {}) and display.is_known(io.stdout))
    display.refresh(true)
    t.eq(#log, 1)
    line:set { y = { 1, 0 } }
    display.refresh(true)
    t.ok(#log == 2 and log[2].update and log[2].id == log[1].id)
    local wait = display.idle()
    t.eq(wait, -1)
    line:set { y = { 2, 0 } }
    repeat wait = display.idle() until wait == -1
    t.ok(#log >= 3 and string.unpack(">I4", log[#log].data["image/png"], 17) == 107)
    display.cell = display.cell + 1
    fig:show()
    t.ok(not log[#log].update and log[#log].id ~= log[1].id)
    fig:close()
    line:set { y = { 3, 0 } }
    local n = #log
    display.refresh(true)
    t.eq(#log, n)
    for _ = 1, 20 do plot.figure { size = { 20, 20 } }:show() end
    collectgarbage()
    display.refresh(true)
    collectgarbage()
    display.refresh(true)
    t.eq(display.idle(), -1)
  end)
end)
