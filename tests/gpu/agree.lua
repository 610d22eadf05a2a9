-- agree.lua -- a training on the GPU against the same one on the CPU: tide tests/gpu/agree.lua [STEPS]
--
-- The small toy for 100 steps from one seed: losses may differ by 1e-4 on the way, latents that are then
-- aligned by 1e-3. On the GPU twice: both runs must give the same bits, replayed as graphs or step by step.

local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local steps = tonumber(arg[1]) or 100
tide.progress.enabled = false

local function run(device)
  tide.seed(3)
  tide.set_device(device)
  local v = flow.VelocityMLP { dim = 2, hidden = 32, blocks = 2 }
  local target = flow.targets.mog()
  local fit = flow.train(v, function(n) return target:sample(n, { device = device }) end,
    { steps = steps, batch = 64, every = 1 })
  v:freeze()
  local move = flow.align(v, tensor.randn(64, 2), { steps = math.max(2, steps // 5), every = 1 })
  assert(move.y.device == device and v:parameters()[1].device == device, "not on " .. device)
  assert(#fit.losses == steps, #fit.losses .. " losses")
  tide.set_device("cpu")
  return tensor.from(fit.losses), move.y:detach():to("cpu")
end

local worst = 0
local function far(name, a, b, allowed)
  local d = (a - b):abs():max():item()
  print(("%-44s %.2g (allowed %.2g)"):format(name, d, allowed))
  worst = math.max(worst, d / math.max(allowed, 1e-30))
end

local losses, latents = run "cpu"
local first, moved = run "cuda"
far(("losses of %d steps, CPU and GPU"):format(steps), losses, first, 1e-4)
far("latents, CPU and GPU", latents, moved, 1e-3)
local again, moved_again = run "cuda"
far("losses of two runs on the GPU", first, again, 0)
far("latents of two runs on the GPU", moved, moved_again, 0)
tide.capture.enabled = false
local eager = run "cuda"
far("losses with and without captured steps", first, eager, 0)
print(worst <= 1 and "they agree" or "THEY DIFFER")
os.exit(worst <= 1, true)
