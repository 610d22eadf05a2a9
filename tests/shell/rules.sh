#!/bin/bash
# rules.sh -- make check sees each rule broken: a small tree in which one file at a time is wrong.
set -eu
. tests/check.sh
project=$PWD
mkdir -p "$tmp"/{tensor/ops,nn/ops,lua/tide,vm,tests/shell}
cp tests/rules.sh tests/check.sh "$tmp/tests/"
cd "$tmp"
echo '# rules.except -- none.' >tests/rules.except
printf '/* add.c -- adds. */\n#include "tensor/tensor.h"\n' >tensor/add.c

# broken WHAT FILE LINE...: with these lines below its purpose, the file breaks exactly one rule.
broken() {
  local what=$1 file=$2 out open='/*' close=' */'
  shift 2
  case $file in *.lua) open='--' close='' ;; esac
  { echo "$open ${file##*/} -- a file.$close"; printf '%s\n' "$@"; } >"$file"
  out=$(bash tests/rules.sh build 2>&1) || true
  same "$what" "$(echo "$out" | grep -c '^not ok') $(echo "$out" | grep '^# ' | sed 's/^# //; s/[: ].*//' | sort -u)" \
    "1 $file"
  rm "$file"
}

same "a tree in order" "$(bash tests/rules.sh build | tail -n 1 | sed 's/.*passed, //')" "0 failed"
broken "Lua's header in the core" tensor/a.c '#include <lua.h>'
broken "cairo at the prompt" vm/repl.c '#include <cairo.h>'
broken "readline outside the prompt" vm/main.c '#include <readline/readline.h>'
broken "cblas outside its file" tensor/a.c '# include <cblas.h>'
broken "CUDA in the core" nn/a.c '#include <cuda_runtime.h>'
broken "the core seeing a network" tensor/a.c '#include "nn/nn.h"'
broken "a network seeing the op registry" nn/a.c '#include "tensor/op.h"'
broken "the binding seeing the program" lua/a.c '#include "vm/vm.h"'
broken "printf in the core" tensor/a.c 'void td_f(void) { printf("a"); }'
broken "exit in the core" nn/a.c 'void td_f(void) {' '  exit(1);' '}'
broken "td_drop in an op" tensor/ops/a.c 'void td_f(td_tensor *t) { td_drop(t); }'
broken "a tab" vm/a.c "$(printf 'int\ttd_x;')"
broken "blanks at the end" lua/tide/a.lua 'local x = 1 '
broken "a long line" lua/tide/a.lua "-- $(printf '%0120d' 0)"
broken "a note for later" lua/tide/a.lua '-- TO''DO: more'
broken "a long file" vm/a.c "$(yes '' | head -n 801; echo 'int td_x;')"
broken "a long function" vm/a.c 'int f(int a,' '      int b) {' "$(for i in {1..60}; do echo "  a += $i;"; done)" '}'
broken "a long Lua function" lua/tide/a.lua 'local function f(a)' "$(for i in {1..60}; do echo "  a = $i"; done)" 'end'
echo 'int td_x;' >vm/a.c
same "a file that does not say what it is for" \
  "$(bash tests/rules.sh build | grep '^# ')" '# vm/a.c: the first line must say "a.c -- what it is for"'
rm vm/a.c
mkdir other
has "a folder that does not belong" "$(bash tests/rules.sh build)" "# other/ is not"
rmdir other
printf '/* a.c -- comments may say printf( and exit(. */\nconst char *td_s = "printf(";\n' >tensor/a.c
same "words in comments and strings are no calls" \
  "$(bash tests/rules.sh build | tail -n 1 | sed 's/.*passed, //')" "0 failed"
mkdir -p build/obj
echo 'int helper(void) { return 1; }' >"$tmp/helper.c"
cc -c -o build/obj/helper.o "$tmp/helper.c"
has "a symbol without td_" "$(bash tests/rules.sh build)" "helper does not start with td_"
cd "$project"
