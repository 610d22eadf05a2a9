# gpu_graph.sh -- captured steps as graphs, memory and errors of a device, on an emulation of CUDA.
. tests/check.sh
export TD_BACKEND_PATH=$BUILD/tests/emulated.so

# steps as graphs, in any order that their edges allow
check "graphs" env TIDE_EMULATE_MEMORY=192 $TIDE tests/emulation/graph.lua all
for order in reverse 5; do
  check "graphs, $order" env TIDE_FIBERS=$order $TIDE tests/emulation/graph.lua
done
check "what may not be captured" "$BUILD/tests/emulation_rules"
check "what may not be captured, in reverse" env TIDE_FIBERS=reverse "$BUILD/tests/emulation_rules"

# errors: the first kernel of the third op touches memory that is not there
cat >"$tmp/fault.lua" <<'END'
local tide = require "tide"
tide.set_device "cuda"
local x = tide.tensor.ones(4)
local step = tide.capture(function(y) return (x * y):exp() end)
if arg[1] then print(pcall(function() for _ = 1, 3 do step(x) end end), step:stats() and step:stats().why) end
print(select(2, pcall(function() return x:exp():log():sum():item() end)))
print(select(2, pcall(function() return tide.tensor.ones(1) end)))
END
out=$(TIDE_EMULATE_FAULT=3 $TIDE "$tmp/fault.lua" 2>&1)
has "a lost device: what may be the cause" "$out" "illegal memory access was encountered; an op before this one may be the cause (TIDE_SYNC=1 names it)"
has "a lost device is of no use any more" "$out" "the GPU cannot be used any more in this process"
out=$(TIDE_SYNC=1 TIDE_EMULATE_FAULT=3 $TIDE "$tmp/fault.lua" 2>&1 | head -n 1)
has "TIDE_SYNC=1 names the op" "$out" "log: an illegal memory access"
has "with TIDE_SYNC=1 steps go call by call" "$(TIDE_SYNC=1 $TIDE "$tmp/fault.lua" capture 2>&1)" "each call is waited for"
