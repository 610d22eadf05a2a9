-- machine.lua -- which machine this is and what it can reach: arithmetic, memory, products.

local tide = require "tide"
local json = require "tide.json"
local tensor = tide.tensor

local machine = {}

local function read(path)
  local f = io.open(path)
  if not f then return "" end
  local text = f:read "a"
  f:close()
  return text
end

-- Load of the last minute, as far as the system says.
function machine.load() return tonumber(read "/proc/loadavg":match "^%S+") or 0 / 0 end

function machine.about()
  local info = read "/proc/cpuinfo"
  local function field(name) return info:match("\n?" .. name .. "%s*: ([^\n]*)") end
  local cpu = field "model name" or "unknown processor"
  local cores = select(2, info:gsub("processor%s*:", ""))
  local family, model = field "cpu family", field "model"
  local kind = family and (" family %s model %s"):format(family, model) or ""
  local slug = ("%s%s %d cores"):format(cpu, kind, cores):lower():gsub("%b()", ""):gsub("[^%w]+", "-")
  return { cpu = cpu .. kind, cores = cores, threads = tide.threads(), tide = tide.version,
           backend = tide.devices()[1].description, slug = slug:gsub("^%-", ""):gsub("%-$", "") }
end

-- Best rate of f, which does `amount` of 1e9 somethings, over about `seconds`.
local function best(amount, seconds, f)
  local least, start = math.huge, tide.clock()
  f()
  repeat
    local from = tide.clock()
    f()
    least = math.min(least, tide.clock() - from)
  until tide.clock() - start > seconds
  return amount / least
end

-- m x k times k x n
local function product(m, n, k, seconds)
  local a, b = tensor.randn(m, k), tensor.randn(k, n)
  return { shape = { m, n, k }, rate = best(2e-9 * m * n * k, seconds, function()
    local y = a:matmul(b)
    y:free()
  end) }
end

function machine.ceilings(program, quick)
  local c = {}
  local f = io.popen(("'%s/tests/bench/peak' %d 2>/dev/null"):format(program:match "^(.*)/" or ".",
                                                                 tide.threads()))
  local text = f:read "a"
  f:close()
  c.machine = json.decode(text) or nil
  local seconds = quick and 0.01 or 0.6
  c.products = { product(256, 128, 128, seconds), product(256, 512, 512, seconds),
                 product(1000, 512, 512, seconds), product(256, 1024, 1024, seconds),
                 product(2048, 2048, 2048, seconds) }
  c.product = 0
  for _, p in ipairs(c.products) do c.product = math.max(c.product, p.rate) end
  local n = quick and 100000 or 16000000
  local p = { tensor.zeros(n, { requires_grad = true }) }
  local opt = tide.optim.Adam(p, { lr = 1e-3 })
  p[1].grad = tensor.ones(n)
  c.adam = best(28e-9 * n, seconds, function() opt:step() end)
  return c
end

-- What a device is called, as in names of files.
function machine.device(name)
  for _, d in ipairs(tide.devices()) do
    if d.name == name then
      local gpu = d.description:match "^[^,]*"
      return { gpu = gpu, slug = (gpu:lower():gsub("[^%w]+", "-")) }
    end
  end
end

-- Rates of the device that is set: products of large matrices by precision, copies and Adam.
function machine.device_ceilings(quick)
  local n, seconds, c = quick and 64 or 8192, quick and 0.01 or 0.5, { products = {} }
  local function rate(f, amount)
    return best(amount, seconds, function()
      f()
      tide.sync()
    end)
  end
  for _, kind in ipairs { "product", "tf32", "bf16" } do
    local dtype = kind == "bf16" and "bf16" or "f32"
    local a, b = tensor.randn(n, n):to(dtype), tensor.randn(n, n):to(dtype)
    tide.precision(kind == "tf32" and "tf32" or "strict")
    c[kind] = rate(function() a:matmul(b):free() end, 2e-9 * n ^ 3)
    c.products[#c.products + 1] = { shape = { n, n, n }, rate = c[kind],
                                    kind = kind == "product" and "f32" or kind }
  end
  tide.precision "strict"
  local m = quick and 100000 or 2 ^ 28
  local from, to = tensor.randn(m), tensor.zeros(m)
  c.copy = rate(function() to:copy_(from) end, 8e-9 * m)
  from, to = nil, nil
  m = quick and 100000 or 64000000
  local p = { tensor.randn(m, { requires_grad = true }) }
  local opt = tide.optim.Adam(p, { lr = 1e-3 })
  p[1].grad = tensor.ones(m)
  c.adam = rate(function() opt:step() end, 28e-9 * m)
  return c
end

-- The ceilings in words.
function machine.text(c)
  local m, shapes = c.machine, {}
  for i, p in ipairs(c.products) do
    shapes[i] = ("%s%s %.0f"):format(table.concat(p.shape, "x"), p.kind and " " .. p.kind or "", p.rate)
  end
  return (m and ("multiply-adds %.0f GF/s (one core %.0f), copy %.1f GB/s, read %.1f GB/s\n"):format(
      m.fma, m.fma_one, m.copy, m.read) or "") ..
    ("products, GF/s: %s\nAdam %.1f GB/s"):format(table.concat(shapes, ", "), c.adam) ..
    (c.copy and (", copy %.1f GB/s"):format(c.copy) or "")
end

return machine
