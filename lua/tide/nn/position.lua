-- position.lua -- where tokens lie: sines and cosines of their places, or learned rows.

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local init = require "tide.nn.initialize"

local position = {}

-- n, or {n1, n2, ...} along several dims, as a list.
local function grid_of(name, grid, size)
  grid = type(grid) == "table" and grid or { grid }
  local count = 1
  for _, n in ipairs(grid) do
    if math.type(n) ~= "integer" or n < 1 then
      tide.raise(("nn.%s: places must be a whole number of at least 1 along each dim, not %s")
        :format(name, tostring(n)))
    end
    count = count * n
  end
  if #grid == 0 or math.type(size) ~= "integer" or size < 1 then
    tide.raise(("nn.%s: give a number of places (or one for each dim) and a size"):format(name))
  end
  return grid, count
end

-- Features (n, size) of n places in a row, or (h w, size) of a grid {h, w}, row after row: an
-- equal share of the features for each dim, cosines and then sines of place * 1e4^(-i/k), i < k.
function position.sincos_positions(grid, size, o)
  o = tide.options("nn.sincos_positions", o, { "dtype", "device" })
  local sizes, count = grid_of("sincos_positions", grid, size)
  local share = size // #sizes
  if share * #sizes ~= size or share % 2 ~= 0 then
    tide.raise(("nn.sincos_positions: the size must be a multiple of %d, not %d"):format(
      2 * #sizes, size))
  end
  local parts, before = {}, 1
  for d, n in ipairs(sizes) do
    local after = count // (before * n)
    local features = tensor.arange(0, n - 1, { dtype = o.dtype or "f32", device = o.device })
      :sinusoid(share)
    parts[d] = features:reshape(1, n, 1, share):expand(before, n, after, share)
      :reshape(count, share)
    before = before * n
  end
  return tensor.cat(parts, 2)
end

-- nn.PositionalEmbedding(places, size, {learned=false}) adds a row for each place to tokens
-- (batch, places, size); places is n or {h, w}.
local PositionalEmbedding = base.Module:extend("PositionalEmbedding")
position.PositionalEmbedding = PositionalEmbedding
function PositionalEmbedding:init(grid, size, o)
  o = tide.options("nn.PositionalEmbedding", o, { "dtype", "device", learned = false })
  local spec = { dtype = o.dtype, device = o.device }
  local _, count = grid_of("PositionalEmbedding", grid, size)
  if o.learned then
    self.weight = base.Parameter(init.normal_(tensor.empty(count, size, spec), 0, 0.02))
  else
    self:register_buffer("weight", position.sincos_positions(grid, size, spec),
                         { persistent = false })
  end
end
function PositionalEmbedding:forward(x)
  local w = self.weight
  if not tensor.is_tensor(x) or x:dim() ~= 3 or x:size(2) ~= w:size(1) or x:size(3) ~= w:size(2) then
    tide.raise(("nn.PositionalEmbedding: tokens (batch, %d, %d) are needed, not %s"):format(
      w:size(1), w:size(2), tensor.is_tensor(x) and tensor.shape_text(x) or "a " .. type(x)))
  end
  return x + w
end
function PositionalEmbedding:extra() return table.concat(self.weight.shape, ", ") end

return position
