#!/bin/bash
# rules.sh -- the project's rules that a machine can check: bash tests/rules.sh BUILD (make check)
#
# Exceptions stand in tests/rules.except, one a line: `path reason` for a long file,
# `path:function reason` for a long function.
set -u
LC_ALL=C
export LC_ALL
build=${1:-build}
SUMMARY=yes # the last line counts, as that of make test does
. tests/check.sh

max_file=800 max_function=60 max_column=110
shopt -s nullglob globstar
core=(tensor/**/*.[ch] tensor/*.def nn/**/*.[ch] nn/*.def gpu/**/*.{cu,cuh,c,h})
c_files=({tensor,nn,gpu,lua,vm,tests}/**/*.{c,h,cu,cuh})
lua_files=({lua,examples}/**/*.lua tests/{*.lua,lua/**/*.lua,bench/**/*.lua}) # other folders of tests/ hold inputs
sources=("${c_files[@]}" "${lua_files[@]}" {tensor,nn,lua,vm}/**/*.def tests/*.{sh,awk} tests/shell/*.sh .make/* .ci/run
  Makefile .gitignore .editorconfig .clang-format)

# rule NAME TEXT: passes when the text (offending lines) is empty.
rule() {
  local code=0
  [ -z "$2" ] || code=1
  result $code "$1" "$2"
}

# only NAME PATTERN ALLOWED-PATHS: #include lines that match stay in those paths.
only() {
  rule "$1" "$(grep -nEH "^ *# *include *[<\"]($2)" "${c_files[@]}" | grep -vE "^($3)")"
}

excepted() { grep -qE "^$1([ 	]|$)" tests/rules.except; }

folders() {
  for d in */; do
    case ${d%/} in
    tensor | nn | gpu | lua | vm | examples | notebooks | tests | build | runs) ;;
    *) git check-ignore -q "$d" 2>/dev/null || echo "$d is not one of the project's folders" ;;
    esac
  done
}

purpose() {
  for f in "${sources[@]}"; do
    [ -f "$f" ] || continue
    head -n 2 "$f" | grep -qE "^(/\*|--|#|//) ${f##*/} -- [^ ]" ||
      echo "$f: the first line must say \"${f##*/} -- what it is for\""
  done
}

long_files() {
  for f in "${c_files[@]}" "${lua_files[@]}"; do
    n=$(wc -l <"$f")
    if [ "$n" -gt $max_file ] && ! excepted "$f"; then echo "$f: $n lines, at most $max_file"; fi
  done
}

long_functions() {
  awk -v max=$max_function '
    FNR == 1 { start = 0 }
    FILENAME ~ /\.lua$/ {
      if (/^(local )?function / || /^[A-Za-z_.:]+ *= *function/ || /^local [A-Za-z_]+ *= *function/) {
        start = FNR; name = $0
      } else if (/^end/ && start) report()
      next
    }
    /^[A-Za-z_].*\(/ && !/;[ \t]*$/ && !/= *{/ { start = FNR; name = $0 }
    /^}/ && start { report() }
    function report(  n, id) {
      n = FNR - start + 1
      start = 0
      if (n <= max) return
      id = name
      sub(/ *= *function.*/, "", id)
      sub(/\(.*/, FILENAME ~ /^tests.*\.c$/ ? "&" : "", id)
      sub(/^TEST\(/, "", id); sub(/\).*/, "", id)
      sub(/.*[ *]/, "", id)
      print FILENAME ":" id " " n
    }' "${c_files[@]}" "${lua_files[@]}" | while read -r where n; do
    excepted "$where" || echo "$where: $n lines, at most $max_function"
  done
}

# Symbols that the core and the binding define for the linker, and what the products show.
symbols() {
  find "$build/obj" -name '*.o' ! -path '*/tests/*' ! -path '*/gpu/*' -exec nm -A -g --defined-only {} + 2>/dev/null |
    awk '$3 !~ /^(td_|luaopen_|main$|__asan|__odr_asan|DW\.ref)/ && !(/obj\/vm\// && $3 ~ /^vm_/) {
      print $1, $3 " does not start with td_" }'
  [ ! -f "$build/tide.so" ] || nm -D --defined-only "$build/tide.so" |
    awk '$3 != "luaopen_tide" { print "tide.so shows " $3 }'
  [ ! -f "$build/tide" ] || nm -D --defined-only "$build/tide" |
    awk '$3 !~ /^(lua_|luaL_|luaopen_|td_)/ && $2 ~ /[TDBR]/ && $3 !~ /^(_|stdin|stdout|stderr|rl_|history_)/ {
      print "tide shows " $3 }'
  for plugin in "$build/tests/emulated.so" "$build/libtide_cuda.so"; do
    [ ! -f "$plugin" ] || nm -D --defined-only "$plugin" |
      awk -v p="${plugin##*/}" '$2 ~ /[TDBRVW]/ && $3 != "td_backend_init" { print p " shows " $3 }'
  done
}

# Quoted includes: what each folder may see of the others.
directions() {
  grep -nEHo '^ *# *include *"[^"]*"' "${c_files[@]}" | sed 's/ *# *include *"/ /; s/"$//' |
    while read -r where what; do
      f=${where%%:*}
      allowed=0
      case $f in
      tests/*) continue ;;
      tensor/*) case $what in tensor/* | ../*) ;; */*) allowed=1 ;; esac ;;
      nn/ops/* | nn/cpu_*) case $what in nn/* | tensor/*) ;; */*) allowed=1 ;; esac ;;
      nn/*) case $what in nn/* | tensor/tensor.h | tensor/op_proto.h) ;; */*) allowed=1 ;; esac ;;
      gpu/*) case $what in
        tensor/op.h | tensor/convert.h | tensor/matrix.h | tensor/philox.h | tensor/vmath.h | gpu/* | *.def) ;;
        */*) allowed=1 ;;
        esac ;;
      lua/*) case $what in tensor/* | nn/* | lua/*) ;; */*) allowed=1 ;; esac ;;
      vm/*) case $what in gpu/*) allowed=1 ;; esac ;;
      esac
      [ $allowed = 0 ] || echo "$where may not include $what"
    done
}

# C without comments and strings, so that words in them do not count.
bare() {
  awk '
    FNR == 1 { inside = 0 }
    {
      line = $0; out = ""
      gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
      while (line != "") {
        if (inside) {
          i = index(line, "*/")
          if (!i) break
          line = substr(line, i + 2); inside = 0
        } else {
          i = index(line, "/*"); j = index(line, "//")
          if (j && (!i || j < i)) { out = out substr(line, 1, j - 1); break }
          if (!i) { out = out line; break }
          out = out substr(line, 1, i - 1); line = substr(line, i + 2); inside = 1
        }
      }
      print FILENAME ":" FNR ":" out
    }' "$@"
}

manners() {
  bare "${core[@]}" |
    grep -E '[^a-zA-Z0-9_](exit|_exit|abort|assert|printf|fprintf|vprintf|puts|putchar|perror|longjmp) *\(' |
    grep -vE 'format *\( *printf'
}

rule "no other folders at the top" "$(folders)"
rule "every file says what it is for" "$(purpose)"
only "Lua's headers stay in lua/ and vm/" 'lua\.h|lauxlib\.h|lualib\.h' 'lua/|vm/'
only "SDL, cairo and pango stay in vm/plot_*.c" 'SDL|cairo|pango' 'vm/plot_[^/]*\.c|tests/window/'
only "libzmq, cJSON and OpenSSL stay in vm/kernel*" '(zmq|cjson/|openssl/)' 'vm/kernel[^/]*\.[ch]'
only "readline stays in vm/repl*.c" 'readline|editline' 'vm/repl[^/]*\.c'
only "CUDA stays in gpu/" 'cuda|cublas|curand|cusolver' 'gpu/|tests/emulation/'
only "cblas.h stays in tensor/blas.c" 'cblas|openblas|f77blas' 'tensor/blas\.c'
rule "folders include only what is to their left" "$(directions)"
rule "no exit, abort or printf in tensor/, nn/, gpu/" "$(manners)"
rule "no td_drop where scopes own temporaries" "$(bare {tensor,nn}/ops/*.c | grep -E '[^a-z_]td_drop *\(')"
rule "only td_ symbols are exported" "$(symbols)"
rule "files have at most $max_file lines" "$(long_files)"
rule "functions have at most $max_function lines" "$(long_functions)"
rule "lines have at most $max_column columns" \
  "$(awk -v max=$max_column 'length > max { print FILENAME ":" FNR ": " length " columns" }' \
    "${c_files[@]}" "${lua_files[@]}")"
rule "no trailing blanks, no tabs" "$(grep -nE '[[:blank:]]$|	' "${c_files[@]}" "${lua_files[@]}")"
rule "nothing is left to do later" \
  "$(grep -snE '\b(TO''DO|FIX''ME|XX''X)\b' "${sources[@]}" *.md)"
rule "exceptions are still needed" "$(while read -r path _; do
  case $path in '' | \#*) continue ;; esac
  [ -f "${path%%:*}" ] || echo "tests/rules.except names $path, which is gone"
done <tests/rules.except)"
# doc WHICH TEXT: names that the documentation table of the built program gives as missing or stale.
doc() {
  "$build/tide" -l tide -e "for _, n in ipairs(require('tide.doc').$1()) do print(n .. ' $2') end" 2>&1
}
if [ -x "$build/tide" ] && [ -f lua/tide/doc.lua ]; then
  rule "every public function is documented" "$(doc missing "has no entry in lua/tide/doc")"
  rule "nothing else is" "$(doc stale "has an entry in lua/tide/doc and is no function")"
fi
