# nb.sh -- the command `tide nb`: running, converting, making notebooks, and what goes wrong.
. tests/check.sh

cd "$tmp" || exit 1
export TIDE_HEADLESS=1
nb() { "$TIDE" nb "$@" 2>&1 </dev/null; echo "status $?"; }
last() { nb "$@" | tail -n 1; }

cat >good.lua <<'END'
-- %% [markdown]
-- # Good
-- %%
local x = 6
x * 7
-- %%
print("printed", arg and #arg or 0)
END
cat >bad.lua <<'END'
-- %%
print "first"
-- %%
local y = 1

local z = y.a.b
-- %%
print "never"
END

# ---- making ----
same "new" "$(nb new fresh.ipynb)" "fresh.ipynb is written
status 0"
has "not twice" "$(nb new fresh.ipynb)" "fresh.ipynb is there already"
same "from a script" "$(last new good.ipynb --from good.lua)" "status 0"
same "another script" "$(last new bad.ipynb --from=bad.lua)" "status 0"
has "a script that is not there" "$(nb new x.ipynb --from no.lua)" "no.lua: No such file"
check "leaves nothing" test ! -e x.ipynb
same "a new one runs" "$(last fresh.ipynb)" "status 0"

# ---- running ----
has "runs in place" "$(nb good.ipynb)" "good.ipynb: 2 cells in "
has "keeps a result" "$(cat good.ipynb)" '"42"'
has "keeps what was printed" "$(cat good.ipynb)" '"printed\t'
cp good.ipynb before.ipynb
same "runs again" "$(last good.ipynb)" "status 0"
check "with the same bytes" cmp good.ipynb before.ipynb
same "--quiet" "$(nb good.ipynb --quiet)" "status 0"
same "-o leaves the file" "$(last fresh.ipynb -o other.ipynb)" "status 0"
check "and writes the other" test -s other.ipynb

cp bad.ipynb before.ipynb
out=$(nb bad.ipynb)
has "an error names the cell" "$out" "bad.ipynb: cell 2 failed (1 of 3 cells of code had run)"
has "and the line" "$out" "In[2]:3: attempt to index a number value"
has "and shows it" "$out" "3 | local z = y.a.b"
has "and leaves status 1" "$out" "status 1"
check "and the file as it was" cmp bad.ipynb before.ipynb
same "--allow-errors goes on" "$(last bad.ipynb --allow-errors -o all.ipynb)" "status 0"
has "and keeps the error" "$(cat all.ipynb)" '"output_type": "error"'
has "and what follows" "$(cat all.ipynb)" '"never\n"'
same "--check" "$(last good.ipynb --check)" "status 0"
same "--check of one with an error" "$(last bad.ipynb --check)" "status 1"
check "writes nothing" cmp bad.ipynb before.ipynb
same "--clear" "$(last all.ipynb --clear)" "status 0"
check "takes outputs out" sh -c '! grep -q never.n all.ipynb'

# ---- several: each for itself, all of them ----
out=$(nb good.ipynb bad.ipynb fresh.ipynb)
has "the first of three" "$out" "good.ipynb: 2 cells"
has "the last of three" "$out" "fresh.ipynb: "
has "one of them failed" "$out" "status 1"
same "threads and seed are passed on" "$("$TIDE" --seed 5 nb good.ipynb fresh.ipynb --quiet; echo $?)" 0

# ---- converting ----
has "--to html" "$(nb good.ipynb --to html)" "good.html is written"
has "the page" "$(cat good.html)" "<title>Good</title>"
same "--no-run" "$(nb bad.ipynb --to html --no-run --quiet)" "status 0"
has "--to lua" "$(nb good.ipynb --to lua -o made.lua)" "made.lua is written"
same "is a program" "$("$TIDE" made.lua)" "42
printed	0"

# ---- mistakes ----
has "no such notebook" "$(nb no.ipynb)" "tide nb: no.ipynb: No such file"
same "leaves status 1" "$(last no.ipynb)" "status 1"
has "no notebook" "$(nb good.lua)" "good.lua is no notebook: line 1"
sed 's/"language": "lua"/"language": "python"/' good.ipynb >python.ipynb
has "cells of another language" "$(nb python.ipynb)" "python.ipynb: its cells are python, not Lua"
has "a place that cannot be written" "$(nb good.ipynb -o missing/good.ipynb)" "missing/good.ipynb cannot be written: "
has "an unknown option" "$(nb --chekc good.ipynb)" "unrecognized option '--chekc' (did you mean '--check'?)"
has "an unknown format" "$(nb good.ipynb --to pdf)" "--to is html or lua, not 'pdf'"
has "a scale" "$(nb good.ipynb --scale 99)" "--scale is from 0.5 to 8, not '99'"
has "a missing value" "$(nb good.ipynb -o)" "-o needs a value"
has "-o for several" "$(nb good.ipynb bad.ipynb -o x)" "-o names one file, and there are 2"
has "help" "$(nb --help)" "usage: tide nb"
same "help succeeds" "$(last --help)" "status 0"
same "nothing at all" "$(last)" "status 1"

# ---- Ctrl-C ends a run and leaves the file ----
printf -- '-- %%%%\nio.open("started", "w"):close()\nwhile true do end\n' >loop.lua
nb new loop.ipynb --from loop.lua >/dev/null
cp loop.ipynb before.ipynb
# a child of a shell in the background ignores Ctrl-C unless it is a job of its own
set -m
"$TIDE" nb loop.ipynb >loop.out 2>&1 </dev/null &
pid=$!
set +m
until [ -e started ]; do kill -0 $pid 2>/dev/null || break; sleep 0.05; done
kill -INT $pid
wait $pid
same "Ctrl-C leaves status 1" $? 1
has "and says so" "$(cat loop.out)" "interrupted!"
check "and the file as it was" cmp loop.ipynb before.ipynb

# ---- a notebook of the workshop ----
cd "$OLDPWD" || exit 1
same "the first of the workshop runs" "$(last notebooks/01-tensors.ipynb --check)" "status 0"
