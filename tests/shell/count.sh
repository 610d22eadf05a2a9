# count.sh -- how many instructions an eager op and a captured training step take, against
# tests/shell/count.txt. time limit: 300 s
#
# Valgrind counts, so that the load of a machine does not matter.  What differs between machines is
# left out or fixed: only the program's own instructions count, with the kernels for any x86-64 and one
# thread.  Another compiler than those in the file may take half as many again.
. tests/check.sh

compiler=$(${CC:-cc} -dumpversion 2>/dev/null | sed 's/^/gcc-/; s/\..*//')
leave() {
  skip "instructions of an eager op and of a captured step" "$1"
  exit 0
}
[ "$(uname -m)" = x86_64 ] || leave "the counts are of x86-64"
command -v valgrind >/dev/null || leave "there is no valgrind"
grep -q -e '-O2 -g' "$BUILD/gen/flags" || leave "this build is not optimised as usual"

TIDE_ISA=base OPENBLAS_CORETYPE=Nehalem LUA_PATH='./?.lua;;' valgrind -q --tool=callgrind \
  --callgrind-out-file="$tmp/out" --dump-before=l_clock "$TIDE" --threads 1 tests/shell/count.lua \
  >"$tmp/said" 2>"$tmp/log" || { cat "$tmp/log" "$tmp/said"; exit 1; }
read -r ops steps <"$tmp/said"
[ -f "$tmp/out.4" ] || leave "valgrind does not find the functions of this program"

# counts PART TIMES: instructions of one time, and those of its products
counts() {
  awk -v program="$(realpath "$TIDE")" -f tests/shell/count.awk "$tmp/out.$1" |
    awk -v n="$2" '{ printf "%.0f %.0f\n", $1 / n, $2 / n }'
}
set -- $(counts 2 "$ops") $(counts 4 "$steps")
op=$1 step=$3 products=$4
echo "# $compiler: op $op, step $step, products $products"

if [ "${TIDE_COUNT-}" = write ]; then
  line="$compiler $op $step $products"
  grep -v "^$compiler " tests/shell/count.txt >"$tmp/new"
  { cat "$tmp/new"; echo "$line"; } >tests/shell/count.txt
fi

known=$(grep "^$compiler " tests/shell/count.txt) percent=10
[ -n "$known" ] || { known=$(grep '^gcc-' tests/shell/count.txt | tail -n 1) percent=60; }
set -- $known

# within NAME GOT WANT PERCENT
within() {
  local code=0
  [ "$2" -gt 0 ] && [ "$2" -le $(($3 + $3 * $4 / 100)) ] || code=1
  result $code "$1" "$2 instructions, at most $4 % more than $3 are allowed;" \
    "when that is meant to be: TIDE_COUNT=write sh tests/shell/count.sh, and say why in the commit"
}
within "an eager op takes no more instructions than it did" "$op" "$2" $percent
within "a captured step takes no more instructions than it did" "$step" "$3" $percent
within "its products take no more instructions than they did" "$products" "$4" $percent
