# bench.sh -- the benchmarks run, without peers, with one that answers and with peers that fail, and
# a page is made of what they write. time limit: 300 s
. tests/check.sh

bench() { $TIDE tests/bench/run.lua --quick "$@"; }

check "all rows run without a peer" bench --out "$tmp/all.json"
check "and make a page" $TIDE tests/bench/report.lua "$tmp/all.json" "$tmp"
has "with every row" "$(cat "$tmp/speed.md")" "exact likelihood"
has "with how times grow" "$(cat "$tmp/speed.md")" "against the batch"
has "and what replays ask for" "$(cat "$tmp/speed.md")" "training step handed out 0 bytes"
if $TIDE -e 'os.exit(plot.can_save)'; then check "the picture is there" test -s "$tmp/all-growth.png"
else skip "the picture is there" "this build has no drawing"; fi

# A peer in shell, in place of the interpreter: it says that it agrees, and needs 1 s for a unit.
cat >"$tmp/agrees" <<'END'
#!/bin/sh
while read -r line; do
  case $line in
  *hello*) echo '{"peer": "Shell", "version": "1", "settings": "none", "variants": {"train": [
    {"name": "slow", "group": "best"}, {"name": "wrong", "group": "best"}]}}' | tr -d '\n'; echo ;;
  *wrong*) echo '{"errors": {"loss": 0.1}, "seconds": 0, "each": 1}' ;;
  *prepare*) echo '{"errors": {"loss": 1e-9}, "seconds": 0, "each": 1}' ;;
  *round*) echo '{"units": 2, "seconds": 2}' ;;
  *quit*) exit ;;
  *) echo '{}' ;;
  esac
done
END
# One that dies in the middle.
sed 's/\*round\*.*/*round*) echo "out of luck" >\&2; exit 1 ;;/' "$tmp/agrees" >"$tmp/dies"
chmod +x "$tmp/agrees" "$tmp/dies"

text=$(bench --only toy --peers "$tmp/agrees" --out "$tmp/a.json" 2>&1)
has "a peer's variant is timed" "$text" "Shell, slow"
has "one that computes something else is not" "$text" "wrong: not equal: loss differs by 0.1"
has "its time is written" "$(cat "$tmp/a.json")" '"median": 1'
text=$(bench --only toy --peers "$tmp/dies" --out "$tmp/b.json" 2>&1)
has "a peer that dies is survived" "$text" "no peer"
has "and what it said last is kept" "$(cat "$tmp/b.json")" "it ended: out of luck"
text=$(bench --only toy --peers /nonexistent --out "$tmp/c.json" 2>&1)
has "a missing interpreter is said" "$text" "peer: no torch"
check "and the results are written" test -s "$tmp/c.json"
check "an unknown option is an error" status_is 1 $TIDE tests/bench/run.lua --nonsense
