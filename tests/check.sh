# check.sh -- cases and checks for shell tests; a test says `. tests/check.sh` and then calls these.
#
#   same "prints its argument" "$($TIDE -e 'print(1)')" 1
#   check "leaves status 1" status_is 1 $TIDE -e 'error()'
#
# $TIDE is the program under test, $BUILD its folder, $tmp a fresh folder. The plan is printed at exit.
count=0 failed=0
TIDE=${TIDE:-$PWD/build/tide} BUILD=${BUILD:-$PWD/build}
tmp=$(mktemp -d)
trap 'status=$?; trap - EXIT; finish' EXIT

finish() {
  rm -rf "$tmp"
  echo "1..$count"
  [ -z "${SUMMARY-}" ] || echo "$((count - failed)) passed, $failed failed"
  if [ "$status" -eq 0 ] && [ "$failed" -gt 0 ]; then status=1; fi
  exit "$status"
}

# result STATUS NAME [REASON...]: prints one TAP line.
result() {
  count=$((count + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $count - $2"
  else
    failed=$((failed + 1))
    echo "not ok $count - $2"
    shift 2
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
  fi
}

# check NAME COMMAND...: the command succeeds.
check() {
  local name=$1 out code=0
  shift
  out=$("$@" 2>&1) || code=$?
  result "$code" "$name" "$* left status $code" "$out"
}

# status_is N COMMAND...: the command's exit status is N.
status_is() {
  local want=$1 got=0
  shift
  "$@" || got=$?
  [ "$got" -eq "$want" ] || { echo "status $got, not $want"; return 1; }
}

# same NAME GOT WANT: equal texts.
same() {
  local code=0
  [ "$2" = "$3" ] || code=1
  result $code "$1" "got:  $2" "want: $3"
}

# has NAME TEXT PART: the text contains the part.
has() {
  case $2 in
  *"$3"*) result 0 "$1" ;;
  *) result 1 "$1" "\"$3\" is not in: $2" ;;
  esac
}

# skip NAME REASON
skip() {
  count=$((count + 1))
  echo "ok $count - $1 # SKIP $2"
}
