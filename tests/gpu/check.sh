#!/bin/bash
# check.sh -- everything that only a GPU can show, in at most LIMIT seconds (default 470):
#
#   bash tests/gpu/check.sh [BUILD | PACK.tar.xz]     the folder of a headless build with the plug-in (default
#                                                     build/headless), or what `make gpu-pack` made of one
#
# Ops and gradients against the CPU, a training against the CPU, the benchmark against PyTorch and JAX (PYTHON, default
# python3, or none), examples, compute-sanitizer. Each part has a limit of its own and says in a line how
# it went; what fails or hangs costs no other part. Logs, results and golden files go to OUT (default
# build/gpu-check). EMULATED=1 tries the script itself without a GPU, with small sizes.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:-build/headless}
out=${OUT:-build/gpu-check}
python=${PYTHON:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd)
log=$out/log.txt
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: >"$log"
slower=${EMULATED:+20} slower=${slower:-1}
begun=$SECONDS limit=${LIMIT:-$((470 * slower))} failed=0 passed=0

case $build in
*.tar.xz)
  tar -xJf "$build" -C "$tmp" 2>>"$log" || "$python" -m tarfile -e "$build" "$tmp" || exit 2
  build=$tmp/gpu ;;
esac
build=$(cd "$build" && pwd) || exit 2
tide=$build/tide
export BUILD=$build DEVICE=cuda LUA_PATH_5_4="./?.lua;./?/init.lua;;" LC_ALL=C
plugin=$build/libtide_cuda.so
[ -z "${EMULATED-}" ] || plugin=$build/tests/emulated.so
export TD_BACKEND_PATH=$plugin               # tests do not lie beside it
if [ ! -f "$plugin" ]; then
  echo "check.sh: there is no $plugin; make HEADLESS=1 cuda builds it" >&2
  exit 2
elif ldd "$plugin" | grep -q 'not found'; then
  # CUDA's libraries: those of Python's packages, which peers use too, or of the toolkit
  for lib in $("$python" -c 'import sys, glob
for p in sys.path: print(*glob.glob(p + "/nvidia/*/lib"), sep="\n")' 2>/dev/null) /usr/local/cuda/lib64; do
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$lib
  done
  export LD_LIBRARY_PATH
fi
command -v compute-sanitizer >/dev/null || PATH=$PATH:/usr/local/cuda/bin
{ nvidia-smi; ldd "$plugin"; } >>"$log" 2>&1

# part NAME SECONDS COMMAND...: the last line of what it says is shown.
part() {
  local name=$1 most=$(($2 * slower)) start=$SECONDS status word left=$((limit - (SECONDS - begun)))
  shift 2
  if [ $left -lt 5 ]; then
    echo "left out  $name: no time is left"
    failed=$((failed + 1))
    return 1
  fi
  [ "$most" -le $left ] || most=$left
  echo "==== $name: $*" >>"$log"
  timeout -k 3 "$most" "$@" >"$tmp/part" 2>&1 </dev/null
  status=$?
  cat "$tmp/part" >>"$log"
  word=ok
  if [ $status -ne 0 ]; then
    word=FAILED
    [ $status -ne 124 ] || word="TOO LONG"
    failed=$((failed + 1))
    grep -iE 'error|differ|not ok|failed|#' "$tmp/part" | head -n 6 | cut -c 1-200 | sed 's/^/          /'
  else
    passed=$((passed + 1))
  fi
  printf '%-9s %s, %d s: %s\n' "$word" "$name" $((SECONDS - start)) "$(grep -v '^ *$' "$tmp/part" | tail -n 1 | cut -c 1-150)"
  return $status
}

parity() {
  "$build/tests/device/test_results" parity >"$tmp/parity" 2>&1
  local status=$?
  grep -v '^1\.\.\|^ok' "$tmp/parity"
  return $status
}
same_seed() { "$tide" tests/gpu/agree.lua "$1"; }
device_line() { "$tide" -e 'local good, why = pcall(tensor.ones, 1, { device = "cuda" })
  for _, d in ipairs(tide.devices()) do if d.name == "cuda" then print(d.description) end end
  if not good then print(why) os.exit(1) end'; }
gradients() { "$build/tests/device/test_grad" | tail -n 3; return "${PIPESTATUS[0]}"; }
golden() { TIDE_GOLDEN=$out/golden.txt "$build/tests/device/test_golden" what; }
bench() {
  "$tide" tests/bench/run.lua --device cuda --minutes $((4 * slower)) --limit 60 --out "$out/bench.json" --rounds 3 --seconds 0.3 \
    --peers "$python" ${EMULATED:+--quick --seconds 0.001 --rounds 1 --peer_device cpu --only toy,prior,latents,landscape_tf32,likelihood} ${BENCH-}
}
example() { local script=$1; shift; "$tide" "examples/$script.lua" --device cuda --out "$tmp/$script" "$@"; }
frame() { FRAME=$tmp/frame.png "$tide" -e 'local img = tensor.ones(20, 60)
  img:narrow(1, 5, 10):narrow(2, 5, 50):fill_(0)
  img:narrow(1, 8, 4):narrow(2, 10, 40):fill_(1)
  data.save(os.getenv "FRAME", img)'; }
sanitize() { # TOOL: a few steps of training, eager and as a graph, and every op
  local check=(compute-sanitizer --tool "$1" --error-exitcode 9 --print-limit 20)
  "${check[@]}" "$tide" tests/gpu/agree.lua 4 && "${check[@]}" "$build/tests/device/test_results" parity
}
few=30 points=40 batch=
[ -z "${EMULATED-}" ] || few=2 points=10 batch="--batch 16"
export -f parity same_seed device_line gradients golden bench example frame sanitize
export build out tide tmp python slower EMULATED=${EMULATED-} BENCH=${BENCH-}
run() { part "$1" "$2" bash -c "$3"; }

run "the device" 30 device_line || { echo "without a GPU there is nothing more to check; see $log"; exit 1; }
run "every op and its gradient, against the CPU" 90 parity
run "gradients" 60 gradients
run "a training, against the CPU and itself" 60 "same_seed ${EMULATED:+6}"
run "results for tests without a GPU" 40 golden
run "benchmark" 240 bench
run "example: toy" 40 "example toy --target rings --steps $few --align-steps $few --latents $points --width 16 --blocks 1 --grid 8 --draws 8 $batch"
run "example: bound" 30 "example bound --points $points --samples $points --steps $few --grid 8"
run "example: word" 40 "frame && example word --image \$tmp/frame.png --loss align --steps $few --align-steps $few --latents $points --width 16 --blocks 1 $batch"
run "TIDE_SYNC=1" 30 "TIDE_SYNC=1 same_seed 4"
if command -v compute-sanitizer >/dev/null && [ -z "$EMULATED" ]; then
  for tool in memcheck racecheck synccheck initcheck; do run "compute-sanitizer: $tool" 60 "sanitize $tool"; done
else
  echo "left out  compute-sanitizer: it is not here"
fi

name=$(grep -o '"slug": "[^"]*"' "$out/bench.json" 2>/dev/null | head -n 1 | cut -d '"' -f 4)
if [ -n "$name" ] && [ -z "$EMULATED" ]; then
  mkdir -p tests/gpu/golden
  cp "$out/bench.json" "tests/bench/results/$name.json"
  [ ! -s "$out/golden.txt" ] || cp "$out/golden.txt" "tests/gpu/golden/$name.txt"
  echo "results: tests/bench/results/$name.json, tests/gpu/golden/$name.txt (copies in $out)"
fi
sed -n '/^work  /,/^results/p' "$log"
echo "$passed passed, $failed failed, $((SECONDS - begun)) s; log: $log"
[ $failed -eq 0 ]
