#!/bin/sh
# size.sh -- counts files, lines and the longest file of each folder.
set -eu
printf '%-10s %6s %8s   %s\n' folder files lines longest
for d in tensor nn gpu lua vm examples tests .make; do
  [ -d "$d" ] || continue
  find "$d" -type f \( -name '*.[chS]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.def' \
    -o -name '*.lua' -o -name '*.sh' \) -exec wc -l {} + | awk -v d="$d" '
    $2 != "total" { files++; lines += $1; if ($1 > max) { max = $1; name = $2 } }
    END { printf "%-10s %6d %8d   %s (%d)\n", d, files, lines, name, max }'
done
