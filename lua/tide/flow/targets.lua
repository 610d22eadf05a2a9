-- targets.lua -- two-dimensional distributions to align to, and others made of
-- points or a picture.
--
-- t:sample(n) draws, t:nll(y) is -log density of each row of y: in closed form
-- where there is one (t.exact), else of a kernel density estimate with 100,000
-- samples and bandwidth 0.1, exact far away.  Points are divided by one number,
-- t.scale: the standard deviation over all entries.

local tide = require "tide"
local tensor = tide.tensor
local exact = require "tide.flow.exact"

local targets = {}

local KDE_SAMPLES, KDE_BANDWIDTH = 100000, 0.1
local SCALE_SAMPLES = 200000

local Target = {}
Target.__index = Target
Target.pure = true                 -- draws are ops and nothing else

function Target:sample(n, o)
  o = tide.options("sample", o, { "generator", "device", dtype = "f32" })
  o.device = o.device or tide.device()
  n = tide.count("sample", "n", n, 0)
  return tide.no_grad(self.draw, n, o)
end

function Target:log_prob(y)
  if self.exact then return self.exact:log_prob(y) end
  if self.density then return self.density(y) end
  return tide.metrics.kde_log_density(y, self:kernels():to(y.dtype):to(y.device),
                                      { bandwidth = self.bandwidth or KDE_BANDWIDTH })
end

-- The samples that a kernel estimate rests on.
function Target:kernels()
  self.reference = self.reference
    or self:sample(KDE_SAMPLES, { generator = tide.generator(20250606) })
  return self.reference
end

function Target:nll(y) return -self:log_prob(y) end

-- The NLL at the crossings of lines x (A) and y (B): (B,A); kernel estimates all at
-- once, by matrix products.
function Target:nll_grid(x, y)
  if self.dim ~= 2 then tide.raise("nll_grid: the target is not two-dimensional") end
  local a, b = x:numel(), y:numel()
  if not self.exact and not self.density then
    return -tide.metrics.kde_grid(x, y, self:kernels():to(x.dtype):to(x.device),
                                  { bandwidth = self.bandwidth or KDE_BANDWIDTH })
  end
  return self:nll(tensor.stack({ x:unsqueeze(1):expand(b, a):flatten(),
    y:unsqueeze(2):expand(b, a):flatten() }, 2)):reshape(b, a)
end

function Target:__tostring()
  return ("flow.targets.%s: %d-D, %s density, scale %.4f"):format(self.name,
    self.dim, (self.exact or self.density) and "exact" or "kernel", self.scale)
end

---- mixtures: everything in closed form ----

-- The variance over all entries of a mixture with these means and this std.
local function entry_std(means, std)
  local sum, square, n = 0, 0, 0
  for _, m in ipairs(means) do
    for _, x in ipairs(m) do
      sum, square, n = sum + x, square + x * x, n + 1
    end
  end
  return math.sqrt(square / n - (sum / n) ^ 2 + std * std)
end

local function mixture(name, means, std)
  local scale = entry_std(means, std)
  local scaled = {}
  for k, m in ipairs(means) do scaled[k] = { m[1] / scale, m[2] / scale } end
  local field = exact.mixture { means = scaled, std = std / scale }
  return setmetatable({
    name = name, dim = 2, scale = scale, exact = field, modes = field.means,
    mode_std = std / scale,
    draw = function(n, o) return field:sample(n, o) end,
  }, Target)
end

-- Gaussians on a circle: section 5.1 of the paper with the defaults.
function targets.mog(o)
  o = tide.options("flow.targets.mog", o, { modes = 5, radius = 3, std = 0.3 })
  local means = {}
  for k = 1, o.modes do
    local a = 2 * math.pi * (k - 1) / o.modes + math.pi / 2
    means[k] = { o.radius * math.cos(a), o.radius * math.sin(a) }
  end
  return mixture("mog", means, o.std)
end

function targets.grid(o)
  o = tide.options("flow.targets.grid", o, { n = 4, spacing = 1, std = 0.1 })
  local means, middle = {}, (o.n + 1) / 2
  for i = 1, o.n do
    for j = 1, o.n do
      means[#means + 1] = { (i - middle) * o.spacing, (j - middle) * o.spacing }
    end
  end
  return mixture("grid", means, o.std)
end

function targets.gaussian(o)
  o = tide.options("flow.targets.gaussian", o, { std = 1 })
  return mixture("gaussian", { { 0, 0 } }, o.std)
end

---- curves with noise ----

-- draw(n, o) gives points before scaling; the scale is measured once on a fixed
-- stream, so that it never depends on the user's seed.
local function from_draw(name, draw, extra)
  local t = extra or {}
  t.name, t.dim, t.scale = name, 2, 1
  t.draw = function(n, o) return draw(n, o) / t.scale end
  setmetatable(t, Target)
  local x = t:sample(SCALE_SAMPLES, { generator = tide.generator(20250605),
                                      dtype = "f64" })
  t.scale = x:std { correction = 0 }:item()
  return t
end

local function spec_of(o)
  return { dtype = o.dtype, device = o.device, generator = o.generator }
end
local function uniform(n, o) return tensor.rand(n, spec_of(o)) end
local function with_noise(x, y, noise, o)
  local p = tensor.stack({ x, y }, 2)
  return p:addcmul(tensor.randn(p.shape, spec_of(o)), noise)
end

function targets.moons(o)
  o = tide.options("flow.targets.moons", o, { radius = 2, noise = 0.1 })
  local r = o.radius
  return from_draw("moons", function(n, s)
    local a = uniform(n, s) * math.pi
    local upper = uniform(n, s):lt(0.5)
    local x = tensor.where(upper, a:cos() * r, (1 - a:cos()) * r) - r / 2
    local y = tensor.where(upper, a:sin() * r, (0.5 - a:sin()) * r) - r / 4
    return with_noise(x, y, o.noise, s)
  end)
end

function targets.rings(o)
  o = tide.options("flow.targets.rings", o, { rings = 3, radius = 4, noise = 0.1 })
  return from_draw("rings", function(n, s)
    local a = uniform(n, s) * (2 * math.pi)
    local r = ((uniform(n, s) * o.rings):floor() + 1)
      :clamp { max = o.rings } * (o.radius / o.rings)
    return with_noise(r * a:cos(), r * a:sin(), o.noise, s)
  end)
end

-- r grows in proportion to the angle, points spread evenly along the curve
function targets.spiral(o)
  o = tide.options("flow.targets.spiral", o, { turns = 3, radius = 4, noise = 0.1 })
  return from_draw("spiral", function(n, s)
    local f = uniform(n, s):sqrt()
    local a = f * (2 * math.pi * o.turns)
    return with_noise(f * a:cos() * o.radius, f * a:sin() * o.radius, o.noise, s)
  end)
end

-- a spiral that starts away from the centre, even in the angle
function targets.swissroll(o)
  o = tide.options("flow.targets.swissroll", o,
                   { turns = 3, radius = 4, start = 0.2, noise = 0.1 })
  return from_draw("swissroll", function(n, s)
    local u = uniform(n, s)
    local r = (u * (1 - o.start) + o.start) * o.radius
    local a = u * (2 * math.pi * o.turns) + 1.5 * math.pi
    return with_noise(r * a:cos(), r * a:sin(), o.noise, s)
  end)
end

function targets.pinwheel(o)
  o = tide.options("flow.targets.pinwheel", o,
    { arms = 5, radius = 2, radial_std = 0.5, tangential_std = 0.15, rate = 0.35 })
  return from_draw("pinwheel", function(n, s)
    local p = tensor.randn(n, 2, spec_of(s))
    local along = p:select(2, 1) * o.radial_std + o.radius
    local across = p:select(2, 2) * o.tangential_std
    local arm = (uniform(n, s) * o.arms):floor()
    local turn = arm * (2 * math.pi / o.arms) + along:exp() * (o.rate / 4)
    return tensor.stack({ along * turn:cos() - across * turn:sin(),
                          along * turn:sin() + across * turn:cos() }, 2)
  end)
end

-- Squares of alternating colour on [-n/2, n/2]^2, uniform on the dark ones.
function targets.checkerboard(o)
  o = tide.options("flow.targets.checkerboard", o, { n = 4 })
  if o.n < 2 or o.n % 2 ~= 0 then
    tide.raise("flow.targets.checkerboard: n must be even, not " .. tostring(o.n))
  end
  local half = o.n / 2
  local t = from_draw("checkerboard", function(n, s)
    local x = uniform(n, s) * o.n - half
    local row = (uniform(n, s) * half):floor() * 2
    local y = row + uniform(n, s) + (x:floor() % 2) - half
    return tensor.stack({ x, y }, 2)
  end)
  t.scale = math.sqrt(o.n * o.n / 12)
  local inside_log_p = math.log(2 / (o.n * o.n)) + 2 * math.log(t.scale)
  t.density = function(y)
    local p = y * t.scale
    local x, z = p:select(2, 1), p:select(2, 2)
    local dark = ((x:floor() + z:floor() + half) % 2):eq(0)
    local inside = tensor.maximum(x:abs(), z:abs()):lt(half)
    return tensor.where(dark:logical_and(inside),
      tensor.full(y:size(1), inside_log_p, { dtype = y.dtype, device = y.device }),
      -math.huge)
  end
  return t
end

---- from points ----

-- Scott's rule for points whose entries have standard deviation 1.
local function scott(n, dim) return n ^ (-1 / (dim + 4)) end

-- Rows of a tensor (N, D), or of a file with one, as a distribution; its density is
-- a kernel estimate.
function targets.points(x, o)
  o = tide.options("flow.targets.points", o,
                   { normalize = true, bandwidth = "scott", name = "points" })
  if type(x) == "string" then x = tide.data.load(x) end
  if not tensor.is_tensor(x) or x:dim() ~= 2 or x:size(1) < 2 then
    tide.raise("flow.targets.points: needs a tensor of shape (N, D) with N > 1, or a file with one")
  end
  x = x:detach():to("f32")
  local scale = o.normalize and x:std { correction = 0 }:item() or 1
  if not (scale > 0 and scale < math.huge) then
    tide.raise("flow.targets.points: the points are all equal, or not finite")
  end
  local h = o.bandwidth
  if h == "scott" then
    h = scott(x:size(1), x:size(2)) * (o.normalize and 1 or x:std { correction = 0 }:item())
  end
  if type(h) ~= "number" or not (h > 0 and h < math.huge) then
    tide.raise("flow.targets.points: bandwidth must be 'scott' or a positive number, not " ..
      tostring(h))
  end
  return setmetatable({
    name = o.name, dim = x:size(2), scale = scale, bandwidth = h,
    reference = x:size(1) <= KDE_SAMPLES and x / scale or nil,
    draw = function(n, s)
      local rows = tensor.randint(1, x:size(1), { n }, { generator = s.generator, device = x.device })
      return x:index_select(1, rows):to(s.dtype):to(s.device) / scale
    end,
  }, Target)
end

---- from a picture ----

-- Picks a column for each row of cumulative probabilities (n, w): 1-based.
local function pick(u, cumulative)
  local w = cumulative:size(2)
  return u:unsqueeze(2):gt(cumulative):sum(2):clamp { max = w - 1 } + 1
end

-- How much ink each pixel (H, W) has: its opacity where the picture has any that
-- differs, else how much darker it is than the brightest.
local function ink(picture, o)
  local img = tensor.is_tensor(picture) and picture or tide.data.load(picture)
  if img:dim() < 2 or img:dim() > 3 or img:numel() == 0
     or (img:dim() == 3 and img:size(3) > 4) then
    tide.raise(("flow.targets.image: a picture is (H,W) or (H,W,C) with 1 to 4 channels, not (%s)")
      :format(table.concat(img.shape, ",")))
  end
  img = img:detach():to("f64")
  local channels = img:dim() == 3 and img:size(3) or 1
  local alpha = channels % 2 == 0 and img:select(3, channels) or nil
  if o.from == "alpha" and not alpha then
    tide.raise("flow.targets.image: the picture has no alpha channel")
  end
  if alpha and o.from ~= "darkness" and (o.from == "alpha" or alpha:min():item() < alpha:max():item()) then
    return alpha
  end
  if img:dim() == 3 then img = img:narrow(3, 1, channels > 2 and 3 or 1):mean(3) end
  img = img / math.max(img:max():item(), 1e-12)
  return o.invert and img or 1 - img
end

-- The ink of a picture as a density, constant on each pixel.  The picture spans
-- [-1, 1] in its longer direction before scaling, y upwards; its middle stays at 0.
-- With an extent it lies there, and nothing is scaled.
function targets.image(picture, o)
  o = tide.options("flow.targets.image", o, { "extent", invert = false, from = "auto",
    name = "image" })
  if o.extent ~= nil and (type(o.extent) ~= "table" or #o.extent ~= 4
     or not (o.extent[1] < o.extent[2] and o.extent[3] < o.extent[4])) then
    tide.raise("flow.targets.image: extent is {x0, x1, y0, y1}, the lower ones first")
  end
  if o.from ~= "auto" and o.from ~= "darkness" and o.from ~= "alpha" then
    tide.raise("flow.targets.image: from is 'auto', 'darkness' or 'alpha', not " .. tostring(o.from))
  end
  local dark = ink(picture, o):flip(1):contiguous()        -- row 1 below
  local total = dark:sum():item()
  if not (total > 0 and total < math.huge) then
    tide.raise("flow.targets.image: the picture has nothing dark in it; pass " ..
      "{invert=true} for a bright figure on black")
  end
  local p = dark / total
  local h, w = p:size(1), p:size(2)
  local x0, y0 = -w / math.max(h, w), -h / math.max(h, w)
  local dx, dy = 2 / math.max(h, w), 2 / math.max(h, w)
  if o.extent then
    x0, y0 = o.extent[1], o.extent[3]
    dx, dy = (o.extent[2] - x0) / w, (o.extent[4] - y0) / h
  end
  local rows = p:sum(2)
  local row_steps = rows:cumsum(1):unsqueeze(1)
  local column_steps = (p / rows:clamp { min = 1e-300 }:unsqueeze(2)):cumsum(2)
  local function draw(n, s)
    local spec = { dtype = "f64", device = p.device, generator = s.generator }
    local out = {}
    for from = 1, n, 4096 do
      local m = math.min(4096, n - from + 1)
      local r = pick(tensor.rand(m, spec), row_steps:expand(m, h))
      local c = pick(tensor.rand(m, spec), column_steps:index_select(1, r))
      local x = (c - 1 + tensor.rand(m, spec)) * dx + x0
      local y = (r - 1 + tensor.rand(m, spec)) * dy + y0
      out[#out + 1] = tensor.stack({ x, y }, 2)
    end
    if #out == 0 then return tensor.zeros(0, 2, { dtype = s.dtype, device = s.device }) end
    return tensor.cat(out):to(s.dtype):to(s.device)
  end
  local t = from_draw(o.name, draw)
  if o.extent then t.scale = 1 end
  local log_p = (p / (dx * dy)):log():flatten()
  t.density = function(points)
    local q = points:detach():to("f64") * t.scale
    local c = ((q:select(2, 1) - x0) / dx):floor()
    local r = ((q:select(2, 2) - y0) / dy):floor()
    local inside = c:ge(0):logical_and(c:lt(w))
      :logical_and(r:ge(0)):logical_and(r:lt(h))
    local at = (r:clamp(0, h - 1) * w + c:clamp(0, w - 1)):to("i64") + 1
    local value = log_p:to(q.device):index_select(1, at) + 2 * math.log(t.scale)
    return tensor.where(inside, value, -math.huge):to(points.dtype)
  end
  return t
end

return targets
