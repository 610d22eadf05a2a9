#!/bin/bash
# install.sh -- what make install copies works there, and make uninstall removes it.
set -eu
. tests/check.sh
to=$tmp/pre
sh .make/install.sh install "$BUILD" "$to" >/dev/null
same "the installed program runs" "$(cd / && "$to/bin/tide" -e 'print(require("tide").version ~= nil)')" true
check "the licence is there" test -f "$to/share/doc/springtide/LICENSE"

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
