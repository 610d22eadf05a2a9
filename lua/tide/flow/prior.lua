-- prior.lua -- flow.prior: what latents of any dimension can be aligned to, by one
-- interface: a target of the plane, a mixture, rows of a tensor, or vectors in a file.
--
-- prior:sample(n) draws to train a flow with; prior:reference(n) and prior:fresh(n)
-- are two sets without a common point, to measure distances between.  A prior made
-- of vectors keeps one row in five for fresh().  All are scaled alike: the standard
-- deviation over all entries is 1.

local tide = require "tide"
local tensor = tide.tensor
local check = require "tide.flow.check"

local HELD_OUT = 5                     -- one row in so many
local STREAM = 20250607                -- of what depends on no seed of the user

local Prior = {}
Prior.__index = Prior

function Prior:sample(n, o) return self.draw(n, o) end

local function fixed(stream)
  return { generator = tide.generator(STREAM + stream) }
end

-- The same points in every call; fewer than n where a prior of vectors has no more.
function Prior:reference(n)
  if not self.rows then return self.draw(n, fixed(1)) end
  return self.rows:narrow(1, 1, math.min(n, self.rows:size(1)))
end

function Prior:fresh(n)
  if not self.rows then return self.draw(n, fixed(2)) end
  return self.held_out:narrow(1, 1, math.min(n, self.held_out:size(1)))
end

function Prior:nll(y)
  if not self.target then
    tide.raise(("flow.prior: the density of '%s' is not known"):format(self.name))
  end
  return self.target:nll(y)
end

function Prior:__tostring()
  return ("flow.prior %s: %d-D, %s"):format(self.name, self.dim, self.rows and
    ("%d vectors and %d held out"):format(self.rows:size(1), self.held_out:size(1))
    or "drawn at will")
end

---- where it comes from ----

local function of_target(target)
  return setmetatable({ name = target.name, dim = target.dim, target = target,
    draw = function(n, o) return target:sample(n, o) end,
    modes = target.modes, mode_std = target.mode_std }, Prior)
end

-- Gaussians with means from N(0, I) and one std, scaled to unit variance.
local function mixture(o)
  local means = tensor.randn(o.modes, o.dim, {
    dtype = "f64", generator = tide.generator(STREAM) })
  local scale = math.sqrt((means - means:mean()):square():mean():item() + o.std ^ 2)
  local field = tide.flow.exact.mixture { means = (means - means:mean()) / scale,
                                          std = o.std / scale }
  return setmetatable({ name = "mixture", dim = o.dim, target = field, exact = field,
    modes = field.means, mode_std = o.std / scale,
    draw = function(n, spec) return field:sample(n, spec) end }, Prior)
end

local function projection_of(x, o)
  local from, to = x:size(2), o.dim or x:size(2)
  local kind = o.projection or from ~= to and "random"
  if not kind then return nil end
  if kind == "random" then return tide.flow.project.random(from, to, fixed(3)) end
  if kind == "avgpool" then return tide.flow.project.avgpool(from, to) end
  if kind == "pca" then return tide.flow.project.pca(x, to) end
  tide.raise("flow.prior: projection is 'random', 'avgpool' or 'pca', not " ..
             tostring(kind))
end

local function of_vectors(x, name, o)
  check.vectors("flow.prior", x)
  x = x:detach():to("f32")
  local n = x:size(1)
  if n < 2 * HELD_OUT then
    tide.raise(("flow.prior: %d vectors are too few; at least %d"):format(n, 2 * HELD_OUT))
  end
  if not x:isfinite():all():item() then
    tide.raise("flow.prior: the vectors hold entries that are not finite")
  end
  local map = projection_of(x, o)
  if map then x = map(x) end
  x = x - x:mean(1, true)
  local scale = x:std { correction = 0 }:item()
  if not (scale > 0) then tide.raise("flow.prior: the vectors are all equal") end
  x = x:index_select(1, tensor.randperm(n, fixed(4))) / scale
  local kept = n - n // HELD_OUT
  local rows = x:narrow(1, 1, kept):contiguous()
  return setmetatable({ name = name, dim = x:size(2), rows = rows,
    projection = map and map.name, held_out = x:narrow(1, kept + 1, n - kept):contiguous(),
    draw = function(count, spec)
      local pick = tensor.randint(1, kept, { count },
                                  { generator = spec and spec.generator })
      return rows:index_select(1, pick)
    end }, Prior)
end

-- One tensor of a file: the only one, or the one that is named behind a colon.
local function read(path)
  local file, key = path:match("^(.+):([^:/]+)$")
  local x, names = tide.data.load(file or path)
  if tensor.is_tensor(x) then return x end
  if not key and #names == 1 then key = names[1] end
  if not key or not x[key] then
    tide.raise(("flow.prior: %s holds %s; name one as FILE:NAME"):format(file or path,
      table.concat(names, ", ", 1, math.min(#names, 8))))
  end
  return x[key]
end

local function is_file_name(source) return source:find("[./]") ~= nil end

local function prior(source, o)
  o = tide.options("flow.prior", o, { "dim", "projection", modes = 10, std = 0.3 })
  if o.dim then tide.count("flow.prior", "dim", o.dim, 1) end
  if tensor.is_tensor(source) then return of_vectors(source, "vectors", o) end
  if type(source) == "table" and source.sample then return of_target(source) end
  if type(source) ~= "string" then
    tide.raise("flow.prior: give the name of a target, a target, a tensor of vectors or " ..
               "a file, not a " .. tide.type(source))
  end
  if source == "mixture" then
    o.dim = o.dim or 2
    return mixture(o)
  end
  if is_file_name(source) then
    return of_vectors(read(source), source:match("[^/]*$"), o)
  end
  local make = tide.flow.targets[source]
  if not make or source == "points" or source == "image" then
    local known = { "mixture" }
    for name in pairs(tide.flow.targets) do
      if name ~= "points" and name ~= "image" then known[#known + 1] = name end
    end
    table.sort(known)
    tide.raise(("flow.prior: there is no target '%s' (targets: %s)"):format(source,
      table.concat(known, ", ")))
  end
  if o.dim and o.dim ~= 2 then
    tide.raise(("flow.prior: '%s' lies in the plane, latents have %d dimensions; for " ..
      "them take 'mixture', a tensor or a file"):format(source, o.dim))
  end
  return of_target(make())
end

return { prior = prior }
