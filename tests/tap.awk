# tap.awk -- reads what one test printed, judges it, prints one line and, on failure, the reason.
#
# A program that prints no TAP at all counts as one case, by its exit status.
# Needs: status name number limit start end, and out: the file for "passed failed skipped".

/^1\.\.[0-9]+/ {
  plan = substr($1, 4) + 0
  planned = 1
  if (plan == 0 && /# *SKIP/) { skipped++; reason = $0; sub(/.*# *SKIP */, "", reason) }
}
/^ok / { if (/# *SKIP/) skipped++; else passed++; seen++ }
/^not ok / { failed++; seen++ }
{ text[NR] = $0 }

END {
  why = ""
  if (status == 124 || status == 137) why = "ran past its time limit of " limit " s"
  else if (status > 128) why = "died of signal " (status - 128)
  else if (status != 0 && !failed) why = "left status " status
  else if (planned && seen < plan) why = "planned " plan " cases, ran " seen
  else if (!planned && seen) why = "printed no plan"
  if (planned && seen < plan) failed += plan - seen
  else if (why != "") failed++
  if (!seen && !why && !skipped) passed++
  printf "%s %d %s (%s%.2f s)%s\n", failed ? "not ok" : "ok", number, name,
    seen ? seen " cases, " : "", end - start, reason != "" ? " # SKIP " reason : ""
  if (failed) {
    first = NR > 200 ? NR - 200 : 1
    for (i = first; i <= NR; i++)
      if (text[i] !~ /^ok /) print "    " text[i]
    if (why != "") print "    " name ": " why
  }
  printf "%d %d %d\n", passed, failed, skipped > out
}
