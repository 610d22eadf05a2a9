#!/bin/sh
# budget.sh -- what kernels may use of a GPU: sh tests/gpu/budget.sh BUDGET [--write] LOG...
#
# A LOG is what ptxas says (-Xptxas -v) of one file. A kernel uses as much as its greediest instance, on any
# architecture: registers of a thread, shared memory of a block that is known beforehand, and bytes of a stack,
# spilled registers among them, which lie in slow memory. Each line of BUDGET says how much a kernel may use; one
# that uses more, or is not listed, is an error, and so is a line without a kernel. --write makes the lines anew, with room
# for other versions of the compiler.
set -eu
budget=$1
shift
write=
if [ "${1-}" = --write ]; then
  write=1
  shift
fi
used=$(mktemp)
trap 'rm -f "$used"' EXIT

# file kernel registers shared stack
for log in "$@"; do
  file=$(echo "$log" | sed 's|.*/gpu/|gpu/|; s|\.cu\..*|.cu|')
  c++filt <"$log" | awk -v file="$file" '
    /Compiling entry function/ {
      name = $0
      sub(/.*entry function \047/, "", name)
      sub(/\047 for .*/, "", name)
      sub(/^void /, "", name)
      sub(/[<(].*/, "", name)
      stack = 0
    }
    /bytes stack frame/ { stack = $1 + $5 }
    /Used [0-9]+ registers/ {
      registers = shared = 0
      for (i = 1; i < NF; i++) {
        if ($(i + 1) ~ /^registers/) registers = $i
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
      }
      print file, name, registers, shared, stack
    }'
done | awk '
  { k = $1 " " $2 }
  !(k in r) || $3 > r[k] { r[k] = $3 }
  !(k in s) || $4 > s[k] { s[k] = $4 }
  !(k in f) || $5 > f[k] { f[k] = $5 }
  END { for (k in r) print k, r[k], s[k], f[k] }' | sort >"$used"

if [ ! -s "$used" ]; then
  echo "budget.sh: there is no kernel in these logs" >&2
  exit 1
fi
if [ -n "$write" ]; then
  {
    echo "# budget.txt -- what kernels may use, checked by make cuda-check, written by make cuda-check BUDGET=write."
    awk 'BEGIN { printf "# %-18s %-24s %9s %8s %6s\n", "file", "kernel", "registers", "shared", "stack" }
      { printf "%-20s %-24s %9d %8d %6d\n", $1, $2, int(($3 + 11) / 8) * 8, $4, $5 }' "$used"
  } >"$budget"
  echo "$budget: $(wc -l <"$used") kernels"
  exit 0
fi
awk -v budget="$budget" '
  FILENAME == budget { if ($1 !~ /^#/) { k = $1 " " $2; r[k] = $3; s[k] = $4; f[k] = $5; listed[k] = 1 }; next }
  { k = $1 " " $2; there[k] = 1; n++ }
  !(k in listed) { print k ": is not in " budget; bad++; next }
  $3 > r[k] { print k ": " $3 " registers, " r[k] " allowed"; bad++ }
  $4 > s[k] { print k ": " $4 " bytes of shared memory, " s[k] " allowed"; bad++ }
  $5 > f[k] { print k ": " $5 " bytes of stack and spills, " f[k] " allowed"; bad++ }
  END {
    for (k in listed) if (!(k in there)) { print k ": is in " budget " and nowhere else"; bad++ }
    if (bad) print "make cuda-check BUDGET=write accepts what there is"
    else print n " kernels are within their budgets"
    exit bad != 0
  }' "$budget" "$used"
