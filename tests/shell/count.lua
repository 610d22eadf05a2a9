-- count.lua -- work whose instructions tests/shell/count.sh counts: calls of tide.clock stand
-- between the sections, one eager op and one captured training step.
package.path = "./?.lua;" .. package.path
local tide = require "tide"
local tensor = tide.tensor
local work = require "tests.bench.work"

local OPS, STEPS = 2000, 2

local a, b = tensor.ones(16), tensor.ones(16)
local function add(n)
  for _ = 1, n do local _ = a + b end
end
add(3000)                      -- the collector has found its pace
tide.clock()
add(OPS)
tide.clock()                   -- ends the section of ops

local step = work.train({ dim = 2, hidden = 128, blocks = 3, batch = 128, lr = 1e-4 }).step
for _ = 1, 3 do step() end     -- as it is, recorded, replayed
tide.clock()
for _ = 1, STEPS do step() end
tide.clock()                   -- ends the section of steps
print(OPS, STEPS)
