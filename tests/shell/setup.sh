#!/bin/bash
# setup.sh -- the package set-up on machines that are faked: what it asks for, installs and prints.
set -eu
. tests/check.sh
cc=$(command -v gcc) pkg=$(command -v pkg-config)

# fake NAME SCRIPT: a program in $tmp/bin, which is all that PATH names in these tests.
fake() {
  rm -f "$tmp/bin/$1" # it may be a link to the real one
  printf '#!/bin/sh\n%s\n' "$2" >"$tmp/bin/$1"
  chmod +x "$tmp/bin/$1"
}

# A machine without any library, with the programs that every system has.
machine() {
  rm -rf "$tmp/bin" "$tmp/calls" "$tmp/installed"
  mkdir "$tmp/bin"
  for p in sh awk sed cat sort tr mktemp dirname mkdir mv rm grep id tail head env touch; do
    ln -s "$(command -v $p)" "$tmp/bin/$p"
  done
  ln -s "$cc" "$tmp/bin/cc"
  ln -s "$cc" "$tmp/bin/gcc"
  fake pkg-config "[ -f $tmp/installed ] && exec $pkg \"\$@\"; exit 1"
  fake id 'echo 0'
}

setup() {
  local code=0
  PATH=$tmp/bin sh .make/setup.sh "$1" "$tmp/out/config.mk" >"$tmp/text" 2>&1 || code=$?
  cat "$tmp/text"
  return $code
}

machine
fake apt-get "echo \"\$*\" >>$tmp/calls; touch $tmp/installed"
code=0
text=$(TIDE_NO_INSTALL=1 setup build) || code=$?
same "TIDE_NO_INSTALL stops with status 1" $code 1
has "and prints the command" "$text" "apt-get install -y --no-install-recommends"
has "and says why a package is needed" "$text" "decompositions"
check "and runs nothing" test ! -e "$tmp/calls"
check "and leaves no configuration" test ! -e "$tmp/out/config.mk"

check "as root the packages are installed" setup build
same "by one call of apt-get" "$(grep -c . "$tmp/calls")" 1
has "which names the library of Lua" "$(cat "$tmp/calls")" liblua5.4-dev
has "and the configuration has the flags" "$(cat "$tmp/out/config.mk")" -lopenblas
rm "$tmp/calls"
check "a second set-up" setup build
check "installs nothing" test ! -e "$tmp/calls"

machine
fake apt-get "echo \"\$*\" >>$tmp/calls
case \"\$*\" in *update*) touch $tmp/fresh ;; *) [ -f $tmp/fresh ] && touch $tmp/installed ;; esac"
check "stale package lists are updated" setup build
same "between two tries" "$(sed 's/.*\(install\|update\).*/\1/' "$tmp/calls" | tr '\n' ' ')" \
  "install update install "

machine
fake id 'echo 1000'
fake apt-get "touch $tmp/installed"
code=0
text=$(setup build) || code=$?
same "an ordinary user without sudo is stopped" $code 1
has "with what to run as root" "$text" "as root run"
fake sudo "echo \"\$*\" >>$tmp/calls; exec \"\$@\""
check "an ordinary user with sudo is served" setup build
has "through sudo" "$(cat "$tmp/calls")" apt-get

machine
fake apt-get "echo 'E: no network'; exit 100"
code=0
text=$(setup build) || code=$?
same "a failing apt-get stops the set-up" $code 1
has "and is shown" "$text" "E: no network"

for m in "dnf sudo dnf install" "pacman sudo pacman -S" "brew brew install"; do
  machine
  fake "${m%% *}" "echo \"\$*\" >>$tmp/calls"
  code=0
  text=$(setup build) || code=$?
  same "${m%% *} is left to the user" "$code $(test -e "$tmp/calls"; echo $?)" "1 1"
  has "with its command" "$text" "${m#* } "
done

machine
fake pkg-config "case \"\$*\" in *pangocairo*) exit 1 ;; esac; exec $pkg \"\$@\""
fake apt-get ''
text=$(TIDE_NO_INSTALL=1 setup build) || true
has "only what is missing is asked for" "$text" "recommends libpango1.0-dev"
