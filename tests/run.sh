#!/bin/sh
# run.sh -- runs the tests: sh tests/run.sh BUILD KIND... [-- WORD]
#
# Kinds: none, device, window (C programs), lua, shell. Each test is a process of its own with a time
# limit: LIMIT seconds (default 120), or what its first ten lines say as `time limit: N s`. JOBS
# (default 2) run at a time. A program speaks TAP: a plan, and one line per case. A crash, a
# time-out, a status that is not 0, a missing plan or fewer cases than planned are failures.
# A program that prints no TAP is one case. The last line counts the cases.
set -u
unset MAKEFLAGS MAKELEVEL

# One test, called back through xargs: run.sh --one BUILD NUMBER FILE
one() {
  build=$1 number=$2 file=$3
  name=${file#tests/}
  log=$build/log/$(echo "$name" | tr / -)
  limit=$(head -n 10 "$file" | sed -n 's/.*time limit: *\([0-9]*\) *s.*/\1/p' | head -n 1)
  limit=${limit:-${LIMIT:-120}}
  [ -z "${SAN-}" ] || limit=$((limit * 5))
  case $file in
  tests/lua/*) set -- "$build/tide" "$file" ;;
  tests/shell/*) set -- bash "$file" ;;
  *) set -- "$build/${file%.c}" ;;
  esac
  start=$(date +%s.%N)
  timeout -k 5 "$limit" "$@" >"$log" 2>&1 </dev/null
  status=$?
  end=$(date +%s.%N)
  awk -v status=$status -v name="$name" -v number="$number" -v limit="$limit" \
    -v start="$start" -v end="$end" -v out="$log.count" -f tests/tap.awk "$log"
}

if [ "$1" = --one ]; then
  shift
  one "$@"
  exit 0
fi

build=$1
shift
case $build in /*) ;; *) build=$PWD/$build ;; esac
case ${DEVICE-} in cuda*) export TD_BACKEND_PATH="${TD_BACKEND_PATH:-$build/libtide_cuda.so}" ;; esac
files='' word=''
while [ $# -gt 0 ]; do
  case $1 in
  --) word=${2-}; break ;;
  none | device | window) pattern="tests/$1/*.c" ;;
  lua) pattern="tests/lua/*.lua" ;;
  shell) pattern="tests/shell/*.sh" ;;
  *) echo "run.sh: no tests of kind '$1'" >&2; exit 2 ;;
  esac
  for f in $pattern; do
    [ -f "$f" ] || continue
    files="$files $f"
  done
  shift
done
if [ -n "$word" ]; then
  all=$files files=''
  for f in $all; do case $f in *"$word"*) files="$files $f" ;; esac; done
fi

rm -rf "$build/log"
mkdir -p "$build/log"
export BUILD="$build" TIDE="$build/tide" SAN="${SAN-}" DEVICE="${DEVICE:-cpu}"
export LUA_PATH_5_4="./?.lua;./?/init.lua;;" LC_ALL=C
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_CPATH LUA_CPATH_5_4
unset DISPLAY WAYLAND_DISPLAY # tests open windows on displays of their own
if [ -n "$SAN" ]; then
  export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0:allocator_may_return_null=1
  export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
  export UBSAN_OPTIONS=print_stacktrace=1
fi
n=0
for f in $files; do
  n=$((n + 1))
  echo "$build $n $f"
done | xargs -r -P "${JOBS:-2}" -n 3 sh tests/run.sh --one
cat "$build"/log/*.count 2>/dev/null | awk -v word="$word" '
  { passed += $1; failed += $2; skipped += $3 }
  END {
    if (!NR) { print "no tests ran" (word ? ": none has \"" word "\" in its name" : ""); failed++ }
    printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
    exit failed != 0
  }'
