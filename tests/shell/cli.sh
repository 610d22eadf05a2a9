# cli.sh -- on plain Lua the program does what lua5.4 does: same output, same errors, same exit status. time limit: 300 s
#
# Each line of tests/cli/cases.txt runs twice, with `lua` meaning the one and then the other.
. tests/check.sh

reference=$(command -v lua5.4 || command -v lua)
if [ -z "$reference" ]; then
  echo "1..0 # SKIP there is no lua5.4 to compare with"
  trap - EXIT
  exit 0
fi
mkdir -p "$tmp/lua/bin" "$tmp/tide/bin" "$tmp/home"
ln -s "$reference" "$tmp/lua/bin/lua"
ln -s "$(realpath "$TIDE")" "$tmp/tide/bin/lua"

# run WHICH COMMAND: leaves out, err and status in $tmp/WHICH.
run() {
  rm -rf "$tmp/work"
  cp -R tests/cli "$tmp/work"
  (
    cd "$tmp/work" || exit 99
    timeout 20 env -i HOME="$tmp/home" PATH="$tmp/$1/bin:/usr/bin:/bin" LC_ALL=C TERM=dumb \
      sh -c "$2" >"$tmp/$1/out" 2>"$tmp/$1/err" </dev/null
    echo $? >"$tmp/$1/status"
  )
}

compare() {
  for part in status out err; do
    cmp -s "$tmp/lua/$part" "$tmp/tide/$part" && continue
    echo "$part differs:"
    diff -a "$tmp/lua/$part" "$tmp/tide/$part" | head -n 20
    return 1
  done
}

# Lua 5.4.6 takes the end of its arguments after `--` for a script that it cannot open.
slip=$("$reference" -- </dev/null >/dev/null 2>&1 || echo yes)

while IFS= read -r line; do
  case $line in '' | \#*) continue ;; esac
  case $slip$line in 'yeslua --' | 'yeslua -- <'*) continue ;; esac
  run lua "$line"
  run tide "$line"
  check "$line" compare
done <tests/cli/cases.txt
