# gpu_use.sh -- products, their precision, and figures of tensors that lie on a GPU, on the emulation of CUDA.
. tests/check.sh
export TD_BACKEND_PATH=$BUILD/tests/emulated.so

cat >"$tmp/products.lua" <<'END'
local tide = require "tide"
local tensor = tide.tensor

-- The largest difference of f on the GPU and on the CPU, relative to the largest value.
local function off(f, ...)
  local there, here = {}, {}
  for i, x in ipairs { ... } do there[i], here[i] = x:to("cuda"), x end
  local y, z = f(table.unpack(there)):to("cpu"):to("f32"), f(table.unpack(here)):to("f32")
  return ((y - z):abs():max() / z:abs():max()):item()
end
tide.seed(1)
local a, b, bias = tensor.randn(33, 20), tensor.randn(20, 17), tensor.randn(17)
local function mm(x, y) return x:matmul(y) end
local function linear(x, w, c) return x:linear(w:t(), c) end

-- plain; with a bias; rows that start anywhere; a transpose; every second column; a batch with one matrix
local function layouts(most)
  local good = true
  for i, case in ipairs {
    { mm, a, b }, { linear, a, b, bias },
    { function(x, y) return x:narrow(2, 2, 7):matmul(y:narrow(1, 3, 7)) end, a, b },
    { function(x, y) return x:t():matmul(y) end, a, tensor.randn(33, 5) },
    { function(x, y) return x:view(33, 10, 2):select(3, 2):matmul(y:narrow(1, 1, 10)) end, a, b },
    { function(x, y) return x:bmm(y:unsqueeze(1):expand(3, 20, 17)) end, tensor.randn(3, 11, 20), b },
  } do
    local d = off(table.unpack(case))
    if not (d < most) then print("case " .. i .. " is off by", d) good = false end
  end
  return good
end
print("strict", layouts(1e-6))
print("it was", tide.precision("tf32"))
local d = off(mm, a, b)
print("tf32", d > 1e-6 and d < 1e-3, layouts(1e-3))
local step = tide.capture(function(x, y) return x:matmul(y) end)
local x, y = a:to("cuda"), b:to("cuda")
for _ = 1, 3 do step(x, y) end
local before = step(x, y):to("cpu")
tide.precision("strict")
print("a captured step keeps its mode", step(x, y):to("cpu"):equal(before))
print("bf16", tide.autocast("bf16", off, mm, a, b) < 2e-2, tide.autocast("bf16", off, linear, a, b, bias) < 2e-2)
print(select(2, pcall(tide.precision, "fast")))
END
out=$($TIDE "$tmp/products.lua" 2>&1)
same "products in any layout and precision" "$(echo "$out" | head -n 5)" "strict	true
it was	strict
tf32	true	true
a captured step keeps its mode	true
bf16	true	true"
has "another precision" "$out" '"strict" or "tf32", not '

cat >"$tmp/figures.lua" <<'END'
local tide = require "tide"
local tensor, plot = tide.tensor, tide.plot

-- The same figure of tensors on either device, changed while a loop runs.
local function draw(device)
  tide.seed(2)
  local x = tensor.randn(200, 2):to(device)
  local fig = plot.figure()
  local ax = fig:axes {}
  local points = ax:scatter(x)
  ax:heatmap(tide.metrics.kde_grid(tensor.linspace(-2, 2, 12):to(device), tensor.linspace(-2, 2, 9):to(device),
    x, { bandwidth = 0.5 }):mul(16):round())
  for _ = 1, 3 do
    x = x * 0.5
    points:set { x = x:select(2, 1), y = x:select(2, 2) }
  end
  return fig:render { format = "png" }
end
print(draw("cpu") == draw("cuda"))
END
if $TIDE -e 'os.exit(plot.can_save)'; then
  same "figures of tensors on a GPU" "$($TIDE "$tmp/figures.lua" 2>&1)" true
else
  skip "figures of tensors on a GPU" "this build has no drawing"
fi

cat >"$tmp/train.lua" <<'END'
local tide = require "tide"
tide.set_device "cuda"
tide.flow.train(tide.flow.VelocityMLP { dim = 2, hidden = 32, blocks = 2 }, tide.flow.targets.mog(),
  { steps = 4, batch = 64, every = 4 })
END
check "steps that are no graphs run on one thread" env TIDE_SYNC=1 $TIDE --threads 2 "$tmp/train.lua"
check "the benchmark runs on a device" $TIDE tests/bench/run.lua --device cuda --quick --rounds 1 --seconds 0.001 \
  --only paper_tf32 --out "$tmp/gpu.json"
has "its results name the GPU" "$(cat "$tmp/gpu.json")" '"slug": "emulated-gpu"'
check "and make a page" $TIDE tests/bench/report.lua "$tmp/gpu.json" "$tmp"
