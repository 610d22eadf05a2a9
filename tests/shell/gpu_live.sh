# gpu_live.sh -- figures and progress bars of a loop whose tensors are on a device, on the emulation of CUDA.
. tests/check.sh
export TD_BACKEND_PATH=$BUILD/tests/emulated.so

figures() { LUA_PATH="./?.lua;;" $TIDE tests/emulation/live.lua; }
check "figures of tensors that a device still works on" figures

# Nobody waits for the device between the marks: not the first pictures, not the loop.
cat >"$tmp/loop.lua" <<'END_LUA'
local tide = require "tide"
local tensor = tide.tensor
tide.set_device "cuda"
local fig = tide.plot.figure { cols = 2 }
local ax, map = fig:axes {}, fig:axes {}
local line = ax:line {}
local x, loss = tensor.randn(300, 2), nil
tensor.ones(1):item()
io.stderr:write "begin\n"
local points = ax:scatter(x)
local heat = map:heatmap { z = x:narrow(1, 1, 2) }
local bar <close> = tide.progress { label = "fit", total = 200 }
for i = 1, 200 do
  x = x * 0.99
  loss = x:square():mean()
  points:set { xy = x }
  heat:set { z = x:narrow(1, i, 2) }
  line:push(i, loss)
  ax:scatter(x:narrow(1, i, 2), { id = "few", c = { 1, 2 } })
  if fig:due() then heat:set { label = "seen" } end
  bar:update(i, { loss = loss })
end
io.stderr:write "end\n"
print(#line:get "x", math.abs(line:get "y" [200] - loss:item()) < 1e-12)
END_LUA
out=$(TIDE_EMULATE_WAITS=1 $TIDE "$tmp/loop.lua" 2>"$tmp/err")
same "the loop's last values" "$out" "200	true"
same "no wait in the loop" "$(sed -n '/^begin/,/^end/p' "$tmp/err")" "begin
end"
has "who looks waits" "$(sed '1,/^end/d' "$tmp/err")" "the host waits"
