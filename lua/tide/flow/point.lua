-- point.lua -- points of any shape (B, ...): numbers, pictures, tokens.  Sums over "the
-- dimensions" go over everything after the first dim.

local point = {}

-- The sum over each point, (B).
function point.sum(x)
  local dims = {}
  for d = 2, x:dim() do dims[d - 1] = d end
  return x:sum(dims)
end

-- How many numbers a point has.
function point.size(x)
  local n = 1
  for d = 2, x:dim() do n = n * x:size(d) end
  return n
end

-- The shape of one point, {...}.
function point.shape(x) return table.move(x.shape, 2, x:dim(), 1, {}) end

-- One time for each of n points, of times for as many groups of them; numbers stay.
function point.times(t, n)
  if type(t) == "number" or t:dim() == 0 or t:size(1) == n or t:size(1) == 1 then return t end
  local g = t:size(1)
  return t:unsqueeze(2):expand(g, n // g):reshape(n)
end

-- t ready to multiply x: (B), or (G) for G groups of rows, becomes (B, 1, ...); numbers stay.
function point.column(t, x)
  if type(t) == "number" or t:dim() == 0 then return t end
  t = point.times(t, x:size(1))
  local shape = { t:size(1) }
  for d = 2, x:dim() do shape[d] = 1 end
  return t:reshape(shape)
end

return point
