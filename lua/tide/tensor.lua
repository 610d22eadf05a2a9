-- tensor.lua -- functions and methods of tensors that are made of ops.
local tide = require("tide")
local tensor = tide.tensor

local function raise(text, ...)
  tide.raise(text:format(...))
end

-- Position of a dim given as 1.. or -1..
local function which(what, x, dim)
  local n = x:dim()
  if math.type(dim) ~= "integer" or dim == 0 or dim > n or dim < -n then
    raise("%s: there is no dim %s in a tensor of %d dims (they count from 1)",
      what, tostring(dim), n)
  end
  return dim > 0 and dim or n + 1 + dim
end

-- ---- names that mean the same ----

tensor.clip, tensor.clip_ = tensor.clamp, tensor.clamp_
tensor.concatenate = tensor.cat
tensor.multiply, tensor.divide, tensor.subtract = tensor.mul, tensor.div, tensor.sub
tensor.negative = tensor.neg

-- ---- dims that have a usual value ----

local stack, diagonal = tensor.stack, tensor.diagonal

function tensor.stack(list, dim)
  return stack(list, dim or 1)
end

function tensor.diagonal(x, dim0, dim1)
  return diagonal(x, dim0 or 1, dim1 or 2)
end

-- ---- small ones ----

function tensor.zero_(x)
  return x:fill_(0)
end

function tensor.mv(a, x)
  return a:matmul(x)
end

function tensor.cuda(x)
  return x:to("cuda")
end

-- "(2,3)", as in messages; of a tensor or a table of sizes.
function tensor.shape_text(x)
  return "(" .. table.concat(tensor.is_tensor(x) and x.shape or x, ",") .. ")"
end

-- ---- largest and smallest ----

local function extreme(name, all, position, pair)
  tensor[name] = function(x, dim, keepdim)
    if tensor.is_tensor(dim) or not tensor.is_tensor(x) then return pair(x, dim) end
    if type(dim) == "table" then
      local o = tide.options(name, dim, { "dim", "keepdim" })
      dim, keepdim = o.dim, o.keepdim
    end
    if dim == nil then return all(x) end
    dim = which(name, x, dim)
    local at = position(x, dim, true)
    local value = x:gather(dim, at)
    if keepdim then return value, at end
    return value:squeeze(dim), at:squeeze(dim)
  end
end
extreme("max", tensor.amax, tensor.argmax, tensor.maximum)
extreme("min", tensor.amin, tensor.argmin, tensor.minimum)

-- Without a dim: the position among all elements in row-major order.
for _, name in ipairs { "argmax", "argmin" } do
  local along = tensor[name]
  tensor[name] = function(x, dim, ...)
    if dim == nil and select("#", ...) == 0 and tensor.is_tensor(x) then
      return along(x:flatten(), 1)
    end
    return along(x, dim, ...)
  end
end

-- Median and quantiles along a dim, of all elements without one; between two
-- elements the quantile is interpolated.
function tensor.quantile(x, q, dim)
  if dim == nil then x, dim = x:flatten(), 1 end
  dim = which("quantile", x, dim)
  local n = x:size(dim)
  if n == 0 then raise("quantile: dim %d has no elements", dim) end
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then
    raise("quantile: q must be a number from 0 to 1, not %s", tostring(q))
  end
  local sorted = x:sort(dim)
  local at = q * (n - 1)
  local low = math.floor(at)
  local a = sorted:select(dim, low + 1)
  if at == low then return a end
  return a + (sorted:select(dim, low + 2) - a) * (at - low)
end

function tensor.median(x, dim)
  return x:quantile(0.5, dim)
end

function tensor.var_mean(x, ...)
  return x:var(...), x:mean(...)
end

function tensor.std_mean(x, ...)
  return x:std(...), x:mean(...)
end

-- ---- taking apart ----

-- Parts along a dim: of `size` each (the last may be smaller), or of the sizes in a table.
function tensor.split(x, size, dim)
  dim = which("split", x, dim or 1)
  local n, parts, at = x:size(dim), {}, 1
  if type(size) == "number" then
    size = tide.count("split", "size", size, 1)
    for first = 1, n, size do
      parts[#parts + 1] = x:narrow(dim, first, math.min(size, n - first + 1))
    end
    return parts
  end
  if type(size) ~= "table" then
    raise("split: a positive size or a table of sizes is needed, not %s", tostring(size))
  end
  for i, k in ipairs(size) do
    if math.type(k) ~= "integer" or k < 0 or at + k - 1 > n then
      raise("split: the sizes {%s} do not add up to %d, the size of dim %d",
        table.concat(size, ", "), n, dim)
    end
    parts[i] = x:narrow(dim, at, k)
    at = at + k
  end
  if at ~= n + 1 then
    raise("split: the sizes {%s} do not add up to %d, the size of dim %d",
      table.concat(size, ", "), n, dim)
  end
  return parts
end

-- At most `count` parts of equal size (the last may be smaller).
function tensor.chunk(x, count, dim)
  dim = which("chunk", x, dim or 1)
  count = tide.count("chunk", "the number of parts", count, 1)
  local n = x:size(dim)
  return x:split(math.max(1, (n + count - 1) // count), dim)
end

-- A table of all positions along a dim, which disappears.
function tensor.unbind(x, dim)
  dim = which("unbind", x, dim or 1)
  local parts = {}
  for i = 1, x:size(dim) do parts[i] = x:select(dim, i) end
  return parts
end

-- ---- putting together ----

function tensor.vstack(list)
  local rows = {}
  for i, x in ipairs(list) do rows[i] = x:dim() < 2 and x:reshape(1, -1) or x end
  return tensor.cat(rows, 1)
end

function tensor.hstack(list)
  return tensor.cat(list, list[1] and list[1]:dim() > 1 and 2 or 1)
end

-- Grids of coordinates from vectors: row-major, the first varies along dim 1.
function tensor.meshgrid(...)
  local vectors, n, shape, grids = { ... }, select("#", ...), {}, {}
  for i, v in ipairs(vectors) do shape[i] = v:numel() end
  for i, v in ipairs(vectors) do
    local at = {}
    for d = 1, n do at[d] = d == i and -1 or 1 end
    grids[i] = v:reshape(at):expand(shape)
  end
  return table.unpack(grids, 1, n)
end

-- ---- shapes ----

function tensor.view_as(x, other)
  return x:view(other.shape)
end

function tensor.reshape_as(x, other)
  return x:reshape(other.shape)
end

function tensor.expand_as(x, other)
  return x:expand(other.shape)
end

function tensor.movedim(x, from, to)
  from, to = which("movedim", x, from), which("movedim", x, to)
  local order = {}
  for d = 1, x:dim() do
    if d ~= from then order[#order + 1] = d end
  end
  table.insert(order, to, from)
  return x:permute(order)
end

-- Dim `dim` replaced by dims of the given sizes; one of them may be -1.
function tensor.unflatten(x, dim, sizes)
  dim = which("unflatten", x, dim)
  local shape = x.shape
  table.remove(shape, dim)
  local known, free = 1, nil
  for i, k in ipairs(sizes) do
    if k == -1 then free = i else known = known * k end
    table.insert(shape, dim + i - 1, k)
  end
  if free and known > 0 then shape[dim + free - 1] = x:size(dim) // known end
  return x:reshape(shape)
end

-- ---- comparing ----

-- |a - b| <= atol + rtol |b|, elementwise; equal infinities are close, NaN never.
function tensor.isclose(a, b, o)
  o = tide.options("isclose", o, { rtol = 1e-5, atol = 1e-8 })
  local near = (a - b):abs():le(tensor.abs(b) * o.rtol + o.atol)
  return near:logical_or(tensor.eq(a, b))
end

function tensor.allclose(a, b, o)
  return a:isclose(b, o):all():item()
end

-- Same shape and same values: true or false.
function tensor.equal(a, b)
  return tensor.shape_text(a) == tensor.shape_text(b) and a:eq(b):all():item()
end

-- ---- arithmetic ----

-- a + w (b - a)
function tensor.lerp(a, b, w)
  return a + (b - a) * w
end

-- x scaled to p-norm 1 along a dim (the last by default)
function tensor.normalize(x, o)
  o = tide.options("normalize", o, { p = 2, dim = -1, eps = 1e-12 })
  return x / x:norm(o.p, o.dim, true):clamp(o.eps)
end

function tensor.dist(a, b, p)
  return (a - b):norm(p or 2)
end

-- ---- drawing ----

-- n positions (with replacement), position i with a probability proportional to weights[i].
function tensor.multinomial(weights, n, o)
  o = tide.options("multinomial", o, { "generator" })
  if weights:dim() ~= 1 or weights:numel() == 0 then
    raise("multinomial: weights must be a vector that is not empty, not of shape %s",
      tensor.shape_text(weights))
  end
  local sums = weights:double():cumsum(1)
  local total = sums:get(-1)
  if not (total > 0 and total < math.huge) or weights:lt(0):any():item() then
    raise("multinomial: weights must not be negative, and their sum must be positive")
  end
  local u = tensor.rand(n, { dtype = "f64", device = weights.device, generator = o.generator })
  local at = sums:unsqueeze(1):le(u:unsqueeze(2) * total):long():sum(2) + 1
  return at:clamp(1, weights:numel()):long()
end

return tensor
