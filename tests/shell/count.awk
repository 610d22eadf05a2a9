# count.awk -- sums what callgrind counted in one program: in products of matrices (the files named
# gemm), and in all the rest: -v program=PATH
#
# Costs stand on lines that start with a position; a line after `calls=` is what the callee
# took, which is counted there.  Names are given once, "(3) name", and then by number.
function name(kind, text, id) {
  id = text
  sub(/ .*/, "", id)
  if (sub(/^\([0-9]+\) /, "", text)) names[kind, id] = text
  return names[kind, id]
}
/^ob=/ { object = name("ob", substr($0, 4)); next }
/^cob=/ { name("ob", substr($0, 5)); next }
/^f[lie]=/ { file = name("fl", substr($0, 4)); next }
/^cf[li]=/ { name("fl", substr($0, 5)); next }
/^calls=/ { callee = 1; next }
/^[0-9+*-]/ {
  if (callee) callee = 0
  else if (object == program && file ~ /gemm/) products += $2
  else if (object == program) rest += $2
}
END { printf "%.0f %.0f\n", rest, products }
