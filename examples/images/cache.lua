-- cache.lua -- what the examples on images share: functions of many rows in pieces, and
-- nets that are trained once and kept.

local tide = require "tide"
local tensor = tide.tensor

local cache = {}

-- f on rows of x in pieces, without gradients: latents, images, features.
function cache.map(f, x)
  return tide.no_grad(function()
    local parts = {}
    for from = 1, x:size(1), 2000 do
      parts[#parts + 1] = f(x:narrow(1, from, math.min(2000, x:size(1) - from + 1)))
    end
    return tensor.cat(parts)
  end)
end

-- A 64-bit hash (FNV-1a) as text.
local function hash(text)
  local h = 0xcbf29ce484222325
  for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(h)
end

-- Where a net with this key is kept.
function cache.path(dir, name, key)
  return ("%s/%s-%s.safetensors"):format(dir, name, hash(key))
end

-- Weights of net from the cache, or trained now and put there.  The key says all that
-- they depend on; seeds of the user are not among it.
function cache.net(net, dir, name, key, train)
  local path = cache.path(dir, name, key)
  local ok, weights, _, metadata = pcall(tide.data.load, path)
  if ok and metadata.key == key then
    net:load_state_dict(weights)
  else
    train(net)
    tide.data.save(path, net:state_dict(), { metadata = { key = key } })
  end
  return net:freeze(), ok
end

return cache
