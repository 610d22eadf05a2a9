#!/bin/sh
# embed.sh -- writes assembly that holds the Lua library: sh .make/embed.sh lua/tide/*.lua > FILE.S
#
# lua/tide/init.lua is module "tide", lua/tide/flow/exact.lua is "tide.flow.exact".
# The table that C sees is declared in lua/embed.h.
set -eu
echo '/* lua_embed.S -- the Lua library, written by .make/embed.sh. */'
i=0
for f in "$@"; do
  name=$(echo "$f" | sed 's|^lua/||; s|\.lua$||; s|/init$||; s|/|.|g')
  printf '.section .rodata\nname%d: .asciz "%s"\n' $i "$name"
  printf 'data%d: .incbin "%s"\nend%d: .byte 0\n' $i "$f" $i
  i=$((i + 1))
done
echo '.section .data.rel.ro,"aw"'
echo '.balign 8'
echo '.globl td__embedded'
echo 'td__embedded:'
n=$i i=0
while [ $i -lt $n ]; do
  echo ".quad name$i, data$i, end$i - data$i"
  i=$((i + 1))
done
echo '.quad 0, 0, 0'
echo '.section .note.GNU-stack,"",%progbits'
