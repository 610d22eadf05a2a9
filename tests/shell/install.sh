#!/bin/bash
# install.sh -- what make install copies works there, and make uninstall removes it.
set -eu
. tests/check.sh
to=$tmp/pre
sh .make/install.sh install "$BUILD" "$to" >/dev/null
same "the installed program runs" "$(cd / && "$to/bin/tide" -e 'print(require("tide").version ~= nil)')" true
check "the licence is there" test -f "$to/share/doc/springtide/LICENSE"

man=$to/share/man/man1/tide.1
missing=
for option in $("$TIDE" --help | grep -oE '^  (-[a-zA-Z-]|--[a-z]+)( |$)'); do
  sed 's/\\-/-/g' "$man" | grep -qE -- "^\.BI? \"?$option( |\$)" || missing="$missing $option"
done
same "the manual page has every option" "$missing" ""
words=$("$TIDE" --help | sed -n 's/^       [^ ]*tide \([a-z]*\) .*/\1/p')
same "and every command" "$(for w in $words; do grep -q "^.B tide $w" "$man" || echo "$w"; done)" ""
if command -v man >/dev/null && command -v groff >/dev/null; then
  same "man finds nothing to complain of" \
    "$(LC_ALL=C MANROFFSEQ='' MANWIDTH=80 man --warnings -l "$man" 2>&1 >/dev/null)" ""
else
  skip "man finds nothing to complain of" "there is no man or groff"
fi

# offers LINE: what bash would offer at the end of it.
offers() {
  PATH="$to/bin:$PATH" bash -c '
    . "$1/share/bash-completion/completions/tide"
    COMP_LINE=$2 COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    case $2 in *" ") COMP_WORDS+=(""); COMP_CWORD=$((COMP_CWORD + 1)) ;; esac
    _tide tide 2>/dev/null
    printf "%s\n" "${COMPREPLY[@]}"' - "$to" "$1" | sort | tr '\n' ' '
}
for option in $("$TIDE" --help | grep -oE '^  --[a-z]+'); do
  same "bash completes $option" "$(offers "tide $option")" "$option "
  check "zsh knows $option" grep -qE -- "'$option[=[]" vm/_tide
done
same "commands" "$(offers "tide he")" "help "
same "values of --color" "$(offers "tide --color a")" "always auto "
same "names of the documentation" "$(offers "tide help flow.alig")" "flow.align flow.align_loss "
has "scripts" "$(offers "tide examples/")" "examples/toy.lua"
has "options of an example" "$(offers "tide examples/toy.lua --tar")" "--target"
has "installed examples" "$(offers "tide toy")" "share/doc/springtide/examples/toy.lua"
if command -v zsh >/dev/null; then
  check "zsh reads its completion" zsh -n vm/_tide
else
  skip "zsh reads its completion" "there is no zsh"
fi

if [ -f "$BUILD/tide.so" ]; then
  lua=$(command -v lua5.4 || command -v lua)
  module() { (cd / && LUA_CPATH_5_4="$to/lib/lua/5.4/?.so" "$lua" -e "$1" 2>&1); }
  same "stock Lua loads the installed module" \
    "$(module 'local t = require "tide"; print(t.tensor.ones(2, 3):sum():item())')" 6.0
  same "and does so twice in one process" \
    "$(module 'require "tide"; package.loaded.tide = nil; print(type(require "tide"))')" table
  same "the module shows one symbol" \
    "$(nm -D --defined-only "$BUILD/tide.so" | awk '{print $3}')" luaopen_tide
else
  skip "stock Lua loads the installed module" "this build has no module"
fi

sh .make/install.sh uninstall "$BUILD" "$to"
same "uninstall leaves nothing" "$(find "$to" ! -type d)" ""

head=$BUILD/headless/tide
if [ -x "$head" ]; then
  same "the headless program needs nothing but the C library" \
    "$(ldd "$head" | grep -vE 'linux-vdso|ld-linux|lib(c|m|dl|pthread)\.so')" ""
  same "and computes" "$("$head" -e 'print(require("tide").tensor.ones(2, 3):sum():item())')" 6.0
  same "and solves with LAPACK" \
    "$("$head" -e 'print(require("tide").tensor.eye(3):inverse():sum():item())')" 3.0
else
  skip "the headless program" "make headless builds it"
fi
