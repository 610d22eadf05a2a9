-- kernels.lua -- kernels at sizes where tiles, panels and chunks end amid the data, on the CPU and
-- on the emulation: the same numbers and the same errors.  Run by tests/shell/gpu.sh.
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow

local spec = {}                          -- type and device of what is made
local function device_of(name) spec.device = name tide.set_device(name) end

-- Draws are the same bits on every device.
local function draw(...) return tensor.randn(table.pack(...), spec) end
local function symmetric(...)
  local x = draw(...)
  return (x + x:transpose(-2, -1)) / 2
end
local function definite(n)
  local x = draw(n, n)
  return x:matmul(x:t()) / n + tensor.eye(n, spec)
end

-- What f returns, as tensors on the CPU.
local function on(name, dtype, f)
  device_of(name)
  spec.dtype = dtype
  tide.seed(3)
  local list = table.pack(f())
  for i = 1, list.n do list[i] = list[i]:detach():to("cpu"):to("f64") end
  return list
end

local function same(what, f, room)
  for _, dtype in ipairs { "f32", "f64" } do
    local a, b = on("cpu", dtype, f), on("cuda", dtype, f)
    for i = 1, a.n do
      local most = math.max(1, a[i]:abs():max():item())
      local apart = (a[i] - b[i]):abs():max():item() / most
      local limit = (room or 1) * (dtype == "f32" and 1e-5 or 1e-13)
      assert(apart < limit, ("%s, %s: result %d differs by %g"):format(what, dtype, i, apart))
    end
  end
end

local function same_error(what, f, part)
  local list = {}
  for i, name in ipairs { "cpu", "cuda" } do
    device_of(name)
    spec.dtype = "f64"
    list[i] = select(2, pcall(f))
    assert(type(list[i]) == "string" and list[i]:find(part, 1, true), what .. ": " .. tostring(list[i]))
  end
  assert(list[1] == list[2], what .. ": " .. list[1] .. " / " .. list[2])
end

---- distances ----

same("cdist", function() return draw(70, 37):cdist(draw(33, 37)), draw(5, 3):t():cdist(draw(19, 5)) end)
same("knn", function() return draw(67, 3):knn(draw(300, 3), 20) end)
same("kde", function()
  local x, data = draw(67, 2), draw(45, 2)
  return x:kde(data, .3), x:kde_mean(data, .3), draw(3, 70):kde_mean(draw(20, 70), 4),
    (x * 1000):kde(data, .1), draw(9):kde_grid(draw(8), data, .2)
end)
same("knn of what is equal", function()
  local data = tensor.zeros(600, 2, spec)
  return select(2, draw(3, 2):knn(data, 600))
end)

---- decompositions and solvers ----

same("eigh", function() return symmetric(3, 20, 20):eigh() end, 10)
same("svd", function()
  local x, y = draw(33, 20), draw(2, 9, 14)
  local u, s, vt = x:svd()
  local u2, s2, vt2 = y:svd()
  return u, s, vt, u2, s2, vt2
end, 10)
same("solve", function()
  local a, b = definite(70), draw(2, 70, 35)
  return a:solve(b), a:solve(draw(70)), a:cholesky()
end, 10)
same("solve_triangular", function()
  local a, list = definite(70), {}
  for _, upper in ipairs { false, true } do
    for _, turned in ipairs { false, true } do
      list[#list + 1] = a:solve_triangular(draw(70, 33), upper, turned)
    end
  end
  return table.unpack(list)
end, 10)
same("sqrtm", function() return definite(20):sqrtm(), definite(20):sylvester(draw(20, 20)) end, 10)
same("assignment", function() return draw(12, 15):assignment() end)

local bad = { { 1, 2 }, { 2, 1 } }
local function of(x) return tensor.from(x, spec) end
same_error("cholesky", function() return of(bad):cholesky() end, "leading minor of order 2")
same_error("sqrtm", function() return of(bad):sqrtm() end, "smallest eigenvalue is -1")
same_error("eigh", function() return of { { 0, 1 }, { 2, 0 } }:eigh() end, "differ by up to 1")
same_error("svd", function() return of { { 0, 0 / 0 } }:svd() end, "NaN")
same_error("solve", function() return of { { 1, 1 }, { 1, 1 } }:solve(of { 1, 2 }) end, "singular (pivot 2")
same_error("solve_triangular", function()
  return of { { { 1, 0 }, { 0, 1 } }, { { 1, 0 }, { 1, 0 } } }:solve_triangular(of { 1, 2 }, false, false)
end, "matrix 2 of 2: the matrix is singular (element 2")
same_error("assignment", function() return of { { 1, 1 / 0 } }:assignment() end, "column 2")

---- updates of tensors as they lie ----

same("adam_", function()
  local p, g = { draw(6, 5):t(), draw(9000), draw(4):to("bf16") }, { draw(5, 6), draw(9000), draw(4) }
  local m, s = {}, {}
  for i, x in ipairs(p) do
    m[i] = tensor.zeros(x.shape, { device = spec.device, dtype = "f64" })
    s[i] = tensor.zeros(x.shape, spec)
  end
  tensor.adam_(p, g, m, s, tensor.zeros({}, { device = spec.device, dtype = "i64" }), .1, .9, .99, 1e-8, 0)
  return p[1], p[2], p[3]:to("f64"), m[1], tensor.grad_norm({ g[1]:t(), g[2], p[3] })
end, 1)

---- flow matching ----

for _, shape in ipairs { { 5, 2 }, { 3, 70 }, { 41, 3, 2 }, { 130, 200 }, { 9 } } do
  same("lines and squared errors", function()
    local rows = shape[1]
    local x1, g = draw(table.unpack(shape)):requires_grad_(true), draw(rows)
    local z, u, t = x1:line_draw(.25)
    local mean, each = z:squared_error(u, true), z:squared_error(u)
    ;(mean + (each * g):sum()):backward()
    local groups = rows % 3 == 0 and 3 or 1
    local p, q = x1:line_points(z, t:narrow(1, 1, groups))
    return z, u, t, mean, each, x1.grad, p, q
  end)
end

for _, n in ipairs { 1, 6, 301, 1030 } do
  same("strata and points of mixtures", function()
    local means = draw(5, n % 3 + 1)
    local steps = tensor.from({ .1, .3, .35, .8, .999 }, spec)
    local y, from = steps:mixture_draw(means, means:cos(), n)
    return tensor.empty(n, spec):strata(.25), y, from
  end)
end

---- frozen networks as a whole ----

same("a frozen network", function()
  local v = flow.VelocityMLP { dim = 3, hidden = 20, blocks = 3, dtype = spec.dtype }
  tide.no_grad(function()
    for _, p in ipairs(v:parameters()) do p:add_(draw(table.unpack(p.shape)) * .2) end
  end)
  v:freeze()
  local z, u, t, list = draw(50, 3), draw(50, 3), tensor.rand(50, spec), {}
  local function keep(...) for _, x in ipairs { ... } do list[#list + 1] = x end end
  assert(v:runs_whole(z))
  tide.no_grad(function() keep(v(z, .3), v(z, t), v:tabulated { nodes = 9 } (z, t)) end)
  keep(v:trace(z, .4))
  keep(v:trace(z, t, nil, u))
  for _, when in ipairs { .5, t } do
    local q = z:clone():requires_grad_(true)
    local r = v:squared_residual(q, when, nil, u)
    r:sum():backward()
    keep(r, q.grad)
  end
  return table.unpack(list)
end, 3)
print "ok"
