-- project.lua -- linear maps from features of dimension d_in to latents of
-- dimension d_out: the three of Table 2 (a).

local tide = require "tide"
local tensor = tide.tensor

local project = {}

local Projection = {}
Projection.__index = Projection

function Projection:__call(x)
  if self.mean then x = x - self.mean end
  return x:matmul(self.weight)
end

local function make(name, weight, mean)
  return setmetatable({ name = name, weight = weight, mean = mean }, Projection)
end

-- W with independent N(0, 1/d_out) entries: lengths are kept on average.
function project.random(d_in, d_out, o)
  o = tide.options("flow.project.random", o, { "generator", dtype = "f32" })
  local w = tensor.randn(d_in, d_out, { dtype = o.dtype, generator = o.generator })
  return make("random", w / math.sqrt(d_out))
end

-- Means of d_in / d_out neighbours.
function project.avgpool(d_in, d_out, o)
  o = tide.options("flow.project.avgpool", o, { dtype = "f32" })
  if d_in % d_out ~= 0 then
    tide.raise(("flow.project.avgpool: %d features do not split evenly into %d")
               :format(d_in, d_out))
  end
  local k = d_in // d_out
  local w = tensor.eye(d_out, { dtype = o.dtype }):unsqueeze(2)
    :expand(d_out, k, d_out):reshape(d_in, d_out)
  return make("avgpool", w / k)
end

-- The leading principal directions of samples x (N, d_in).
function project.pca(x, d_out)
  local mean = x:mean(1, true)
  local values, vectors = (x - mean):cov():eigh()
  local d = x:size(2)
  if d_out > d then
    tide.raise(("flow.project.pca: %d directions of %d features"):format(d_out, d))
  end
  local w = vectors:narrow(2, d - d_out + 1, d_out):flip(2):contiguous()
  local p = make("pca", w, mean)
  p.variances = values:narrow(1, d - d_out + 1, d_out):flip(1)
  return p
end

return project
