#!/bin/bash
# runner.sh -- the test runner itself: a failure, a crash, a time-out and a missing plan are all seen.
set -eu
. tests/check.sh
project=$PWD
mkdir -p "$tmp/tests/shell" "$tmp/tests/lua" "$tmp/build"
cp tests/run.sh tests/tap.awk tests/check.lua tests/check.sh "$tmp/tests/"
ln -s "$TIDE" "$tmp/build/tide"
cd "$tmp"

# outcome NAME WANT: runs the tests that are there; the last line must be WANT.
outcome() {
  local out code=0 want_code=0
  out=$(sh tests/run.sh build lua shell 2>&1) || code=$?
  case $2 in *" 0 failed"*) ;; *) want_code=1 ;; esac
  same "$1" "$code $(echo "$out" | tail -n 1)" "$want_code $2"
  rm -f tests/shell/* tests/lua/*
}

outcome "no test at all" "0 passed, 1 failed"
echo 'exit 0' >tests/shell/a.sh
same "a word that is in no name" "$(sh tests/run.sh build shell -- b.sh 2>&1)" \
  "$(printf 'no tests ran: none has "b.sh" in its name\n0 passed, 1 failed')"
outcome "a silent program is one case" "1 passed, 0 failed"
echo 'exit 3' >tests/shell/a.sh
outcome "a status" "0 passed, 1 failed"
printf 'echo 1..2\necho ok 1 - a\necho not ok 2 - b\n' >tests/shell/a.sh
outcome "a case that fails" "1 passed, 1 failed"
printf 'echo 1..3\necho ok 1 - a\n' >tests/shell/a.sh
outcome "fewer cases than planned" "1 passed, 2 failed"
printf 'echo 1..1\necho ok 1 - a\nexit 1\n' >tests/shell/a.sh
outcome "a status after good cases" "1 passed, 1 failed"
printf 'echo ok 1 - a\n' >tests/shell/a.sh
outcome "a missing plan" "1 passed, 1 failed"
printf 'echo 1..1\nkill -SEGV $$\n' >tests/shell/a.sh
outcome "a crash" "0 passed, 1 failed"
printf '# time limit: 1 s\nsleep 20\n' >tests/shell/a.sh
outcome "a time-out" "0 passed, 1 failed"
printf 'echo 1..2\necho "ok 1 - a # SKIP why"\necho ok 2 - b\n' >tests/shell/a.sh
outcome "a skipped case" "1 passed, 0 failed, 1 skipped"
printf 'echo "1..0 # SKIP why"\n' >tests/shell/a.sh
outcome "a skipped program" "0 passed, 0 failed, 1 skipped"

head='local t = require "tests.check"
'
echo "$head"'t.test("a", function() t.eq({ 1, { 2 } }, { 1, { 2 } }) end)' >tests/lua/a.lua
outcome "a Lua case" "1 passed, 0 failed"
echo "$head"'t.test("a", function() t.eq({ 1, { 2 } }, { 1, { 3 } }) end)' >tests/lua/a.lua
outcome "unequal tables" "0 passed, 1 failed"
echo "$head"'t.test("a", function() t.near({ 1, 2 }, { 1, 2.1 }) end)' >tests/lua/a.lua
outcome "numbers apart" "0 passed, 1 failed"
echo "$head"'t.test("a", function() t.near(0 / 0, 1) end)' >tests/lua/a.lua
outcome "NaN is not near 1" "0 passed, 1 failed"
echo "$head"'t.test("a", function() t.raises("x", function() end) end)' >tests/lua/a.lua
outcome "an error that does not come" "0 passed, 1 failed"
echo "$head"'t.test("a", function() end) error("stop")' >tests/lua/a.lua
outcome "an error between the cases" "1 passed, 1 failed"
cd "$project"
