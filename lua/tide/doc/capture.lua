-- capture.lua -- documentation of tide.capture: steps recorded once and replayed.
return {
["tide.capture"] = {
  text = "Wraps a function so that its work is recorded and then replayed without Lua, without " ..
    "asking for memory and without building graphs: a training step, gradients and optimiser " ..
    "included. The first call runs the function as it is (optimisers make their state then), the " ..
    "second is recorded, all others replay it with the same numbers that the function itself " ..
    "would give. Arguments that are tensors are copied to fixed places; everything else the step " ..
    "uses is read and changed where it lies, so the step must change what it keeps in place " ..
    "(x:add_(y), opt:step()). Random draws go on along the current stream. Results are tensors " ..
    "that the next call overwrites: clone() what is to stay. What Lua computes inside the step " ..
    "is fixed when it is recorded; learning rates of optimisers are looked up at each call. " ..
    "A step whose work is all on one GPU is replayed as one CUDA graph: a call puts it in the queue " ..
    "and returns at once, reading a result waits for it. Under tide.profile, debug.nan and " ..
    "TIDE_SYNC=1, and when it works on several devices, it goes call by call. " ..
    "With tide.capture.enabled = false functions wrapped from then on run as they are.",
  args = { { "step", "function", "of tensors and fixed values, returning tensors" },
    { "options", "table", "warmup: calls before the one that is recorded, default 1; " ..
      "fallback: a step that cannot be recorded, and a call with other arguments, run as " ..
      "they are instead of raising, default false", optional = true } },
  returns = "captured step: call it like the function; s:reset() forgets the recording, s:stats() " ..
    "gives {calls=, stages=, planned=, arena=, scratch=, kept=} (the last four in bytes), nodes= " ..
    "of the graph or 0, waits= of its branches for each other, seconds= that its last launch took " ..
    "there (from the second time on that stats are asked for), why= a GPU has none; s:run(n, ...) is n " ..
    "calls with the same arguments and returns, for each result that is a tensor, a stack (n, ...) of " ..
    "its values, and the last of others: on a GPU one launch does up to 16 of them, and nothing " ..
    "waits; " ..
    "s:calls() lists the kernel calls by stages, s.why says what cannot be replayed",
  errors = "Reading values on the host inside the step (item, print, nonzero), arguments of " ..
    "another shape, type or device than recorded, a tensor of the step that was replaced, " ..
    "draws from a generator of its own. On a GPU a position that does not exist (index_select, " ..
    "gather) is found when a value is next read.",
  example = [[
local w = tensor.zeros(3, { requires_grad = true })
local opt = optim.SGD({ w }, { lr = 0.1 })
local step = tide.capture(function(x, y)
  opt:zero_grad()
  local loss = (x:matmul(w) - y):square():mean()
  loss:backward()
  opt:step()
  return loss
end)
local x = tensor.randn(64, 3)
local y = x:matmul(tensor.from{1, -2, 3})
for i = 1, 100 do step(x, y) end
assert((w - tensor.from{1, -2, 3}):abs():max():item() < 0.05)
local losses = step:run(50, x, y)
assert(losses:size(1) == 50 and losses[50]:item() <= losses[1]:item())]] },
["tide.capture.recording"] = {
  text = "Is a step being recorded?", args = {}, returns = "boolean",
  example = [[assert(not tide.capture.recording())]] },
["tide.capture.at_replay"] = {
  text = "Inside a step that is being recorded: runs f(...) before each replay, for what the " ..
    "step counts in Lua. Elsewhere it does nothing.",
  args = { { "f", "function" }, { "...", "any", "its arguments", optional = true } },
  returns = "nothing",
  example = [[
local n = 0
local x = tensor.zeros(2)
local step = tide.capture(function()
  n = n + 1
  tide.capture.at_replay(function() n = n + 1 end)
  x:add_(1)
end)
for i = 1, 5 do step() end
assert(n == 5 and x[1]:item() == 5)]] },
["tide.capture.number"] = {
  text = "A number that may differ from call to call: get() as it is, and inside a step that is " ..
    "being recorded a tensor of no dims that is set to get() before each replay.",
  args = { { "get", "function", "returns a number" },
    { "among", "table", "tensors it is used with: it takes their widest type and their device, " ..
      "as a number does; default: f64 on the default device", optional = true } },
  returns = "number, or tensor of no dims",
  example = [[
local rate, x = 1, tensor.zeros(2)
local step = tide.capture(function() x:add_(tide.capture.number(function() return rate end)) end)
for i = 1, 4 do rate = i; step() end
assert(x[1]:item() == 1 + 2 + 3 + 4)]] },
}
