# gpu.sh -- the kernels of gpu/ on an emulation of CUDA, driven from Lua: the same script, the same numbers.
. tests/check.sh
export TD_BACKEND_PATH=$BUILD/tests/emulated.so

cat >"$tmp/both.lua" <<'END'
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow

-- A flow trained and latents aligned on both devices: how far apart are all numbers?
local function run(device)
  tide.seed(3)
  tide.set_device(device)
  local v = flow.VelocityMLP { dim = 2, hidden = 8, blocks = 1 }
  local target = flow.targets.mog()
  local fit = flow.train(v, function(n) return target:sample(n, { device = device }) end,
                         { steps = 5, batch = 16, every = 1 })
  v:freeze()
  local move = flow.align(v, tensor.randn(16, 2), { steps = 4, every = 2 })
  assert(move.y.device == device and v:parameters()[1].device == device)
  return { tensor.from(fit.losses, { device = "cpu" }), tensor.from(move.curve.align, { device = "cpu" }),
           move.y:detach():to("cpu") }
end
local a, b, worst = run "cpu", run "cuda", 0
for i = 1, #a do worst = math.max(worst, (a[i] - b[i]):abs():max():item()) end
print(worst < 1e-5 and "the same" or worst)

-- draws are the same bits
local function draws(device)
  tide.seed(1)
  local list = {}
  for _, dtype in ipairs { "f32", "f64" } do
    local o = { dtype = dtype, device = device }
    list[#list + 1] = tensor.randn(7, 3, o):to("cpu")
    list[#list + 1] = tensor.rand(1000, o):to("cpu")
  end
  list[#list + 1] = tensor.randint(-5, 9, { 50 }, { device = device }):to("cpu")
  list[#list + 1] = tensor.randperm(33, { device = device }):to("cpu")
  return list
end
local x, y, equal = draws "cpu", draws "cuda", true
for i = 1, #x do equal = equal and x[i]:equal(y[i]) end
print(equal and "the same bits" or "other bits")

tide.set_device("cpu")
print(select(2, pcall(function() return tensor.ones(2) + tensor.ones(2, { device = "cuda" }) end)))
print(select(2, pcall(function() return tensor.ones(2, { device = "cuda", dtype = "i64" }) // 0 end)))
END

run() { $TIDE "$@" 2>&1 | grep -v '^flow\.'; }
out=$(run "$tmp/both.lua")
same "training, alignment and draws" "$(echo "$out" | head -n 2)" "the same
the same bits"
has "operands on two devices" "$out" 'x:to('
has "an integer divided by 0" "$out" "an integer is divided by 0"
for order in reverse 5; do
  same "whatever the order of threads: $order" "$(TIDE_FIBERS=$order run "$tmp/both.lua" | head -n 2)" "the same
the same bits"
done
has "the device is described" "$($TIDE -e 'local tide = require "tide"
  print(tide.tensor.ones(1, { device = "cuda" }).device, tide.devices()[2].description)')" "emulated GPU"
check "kernels at sizes that end amid tiles and chunks" env TIDE_FIBERS=5 $TIDE tests/emulation/kernels.lua

# an example as it is, from a picture to figures
$TIDE -e 'local tide = require "tide"
  local ink = tide.tensor.ones(12, 24)
  ink:narrow(1, 4, 5):narrow(2, 4, 16):fill_(0)
  tide.data.save("'$tmp'/ink.png", ink)'
check "an example with --device cuda" $TIDE examples/word.lua --device cuda --image "$tmp/ink.png" --loss align \
  --steps 2 --align-steps 2 --latents 16 --width 8 --blocks 1 --out "$tmp/word"
has "its figures" "$(cat "$tmp/word/summary.json" 2>&1)" '"on_ink"'
