/* rng.c -- random streams: a seed and how far it has been used.  The numbers
** come from Philox (philox.h) in each backend. */
#include "op.h"

static td_rng standard, *current = &standard;

td_rng *td_rng_current(void) { return current; }

td_rng *td_rng_use(td_rng *r) {
  td_rng *old = current;
  current = r ? r : &standard;
  return old;
}

void td_seed(uint64_t seed) { *current = (td_rng){ seed, 0 }; }

td_rng td__rng_take(int64_t counters) {
  td_rng piece = *current;
  current->offset += (uint64_t)counters;
  return piece;
}
