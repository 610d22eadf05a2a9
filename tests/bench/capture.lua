-- capture.lua -- steps as they are and captured, turn by turn: training of velocity
-- nets, and a likelihood.  Times are the best of all turns; results must agree.
package.path = "./?.lua;" .. package.path
local tide = require "tide"
local steps = require "tests.steps"
local tensor, flow, optim = tide.tensor, tide.flow, tide.optim
tide.progress.enabled = false

local function training(hidden, blocks, batch)
  local net = flow.VelocityMLP { dim = 2, hidden = hidden, blocks = blocks }
  local step = steps.plain(net, optim.Adam(net:parameters(), { lr = 1e-4 }))
  local x = flow.targets.mog():sample(batch)
  return function() return step(x) end
end

local function clock(f)
  local start = tide.clock()
  f()
  return (tide.clock() - start) * 1e3
end

local function compare(name, turns, eager, captured)
  local a, b = math.huge, math.huge
  for _ = 1, turns do
    a, b = math.min(a, clock(eager)), math.min(b, clock(captured))
  end
  print(("%-44s eager %8.2f ms   captured %8.2f ms   ratio %.2f"):format(name, a, b, a / b))
end

for _, c in ipairs { { 128, 3, 256, 200 }, { 512, 4, 256, 20 } } do
  local hidden, blocks, batch, turns = table.unpack(c)
  local step = training(hidden, blocks, batch)
  local captured = tide.capture(training(hidden, blocks, batch))
  for _ = 1, 3 do
    step()
    captured()
  end
  compare(("training, hidden %d x %d, batch %d"):format(hidden, blocks, batch), turns, step, captured)
end

local v = flow.VelocityMLP { dim = 2, hidden = 128, blocks = 3 }:freeze()
local y = tensor.randn(10000, 2)
local function likelihood(on)
  return function()
    tide.capture.enabled = on
    local p = flow.log_likelihood(v, y, { steps = 5 })
    tide.capture.enabled = true
    return p
  end
end
assert(likelihood(true)():equal(likelihood(false)()), "captured and eager likelihoods differ")
compare("log likelihood, 10,000 points, rk4 x 5", 3, likelihood(false), likelihood(true))
