# kill.sh -- training that is killed at random moments: every file is whole, and what goes on from
# it ends with the same numbers, bit by bit, as training that was left alone.
# time limit: 300 s
. tests/check.sh

cat >"$tmp/train.lua" <<'END'
local tide = require "tide"
local dir = arg[1]
tide.seed(11)
local v = tide.flow.VelocityMLP { dim = 2, hidden = 16, blocks = 1 }
local rows = tide.flow.targets.mog():sample(300)
local batches = tide.data.batches(rows, { batch = 32 })
local run = tide.run { path = dir, overwrite = arg[2] ~= "resume", resume = arg[2] == "resume" }
print "begins"
io.stdout:flush()
local trained = tide.flow.train(v, batches, {
  steps = 120, batch = 32, accumulate = 2, optimizer = "AdamW", weight_decay = 0.01, clip = 1, ema = 0.95,
  schedule = tide.optim.lr.cosine { warmup = 10 }, every = 3, log = run,
  validate = { every = 10, batch = 64, best = true },
  checkpoint = { path = dir .. "/a.ckpt", every = 2, keep = 1 }, resume = arg[2] == "resume" })
run:finish()
local text, names = {}, {}
for name in pairs(v:state_dict()) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  for _, x in ipairs(v:state_dict()[name]:flatten():totable()) do text[#text + 1] = ("%a"):format(x) end
end
for _, list in ipairs { trained.losses, trained.steps_of, trained.validation.loss, { trained.best.loss } } do
  for _, x in ipairs(list) do text[#text + 1] = ("%a"):format(x) end
end
for _, x in ipairs(tide.tensor.randn(4):totable()) do text[#text + 1] = ("%a"):format(x) end
local f = assert(io.open(dir .. "/result", "w"))
f:write(table.concat(text, "\n"), "\n")
f:close()
END

# Is each checkpoint that has its name a whole one, and metrics.csv made of whole lines?
cat >"$tmp/look.lua" <<'END'
local tide = require "tide"
for _, name in ipairs { "/a.ckpt", "/a.ckpt.1" } do
  local f = io.open(arg[1] .. name)
  if f then
    f:close()
    local _, at = tide.checkpoint.load(arg[1] .. name)
    assert(at == arg[1] .. name, name .. " is damaged")
  end
end
assert(not tostring(tide.runs(arg[1])):find "damaged")
END

"$TIDE" "$tmp/train.lua" "$tmp/whole" >/dev/null || exit 1
metrics() { cut -d , -f 1,3- "$1/metrics.csv"; }

# When the loop begins and ends, in milliseconds.
now() { echo $(($(date +%s%N) / 1000000)); }
mkfifo "$tmp/begins"
start=$(now)
"$TIDE" "$tmp/train.lua" "$tmp/timed" >"$tmp/begins" &
read -r _ <"$tmp/begins"
began=$(now)
wait $!
span=$(($(now) - began))

RANDOM=5
killed=0 half=0 same=0 lines=0
for i in $(seq 20); do
  dir=$tmp/$i
  "$TIDE" "$tmp/train.lua" "$dir" >"$tmp/begins" 2>/dev/null &
  read -r _ <"$tmp/begins"
  sleep "$(awk "BEGIN { print $RANDOM / 32768 * $span / 1000 }")"
  kill -9 $! 2>/dev/null
  wait $! 2>/dev/null
  [ -f "$dir/result" ] || killed=$((killed + 1))
  "$TIDE" "$tmp/look.lua" "$dir" || half=$((half + 1))
  "$TIDE" "$tmp/train.lua" "$dir" resume >/dev/null
  cmp -s "$dir/result" "$tmp/whole/result" && same=$((same + 1))
  [ "$(metrics "$dir")" = "$(metrics "$tmp/whole")" ] && lines=$((lines + 1))
done
check "most were killed on the way ($killed of 20)" test "$killed" -ge 5
same "no half file is ever seen" "$half" 0
same "each ends with the same numbers, bit by bit" "$same" 20
same "each has the same metrics" "$lines" 20
same "a run left alone twice is the same" "$(cksum <"$tmp/timed/result")" "$(cksum <"$tmp/whole/result")"
