/* cpu_assign.c -- the cheapest assignment of rows to columns: shortest augmenting
** paths with dual prices, after cheap steps that settle most rows (Jonker and
** Volgenant 1987; the form for n <= m of Crouse 2016). */
#include "isa.h"
#include "op.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct problem {
  const double *cost;      /* (n,m) */
  int64_t n, m;
  double *u, *v;           /* prices of rows and columns: cost - u - v >= 0 */
  double *dist;            /* of columns on the way; -inf: done */
  double *final;           /* of columns that are done */
  int64_t *row_of, *column_of, *from;   /* -1: none */
  int64_t *done;           /* columns, in order */
} problem;

static void reduce_columns(problem *p) {
  memcpy(p->v, p->cost, sizeof *p->v * (size_t)p->m);
  for (int64_t i = 1; i < p->n; i++)
    for (int64_t j = 0; j < p->m; j++) {
      double c = p->cost[i * p->m + j];
      p->v[j] = c < p->v[j] ? c : p->v[j];
    }
}

/* Prices that are feasible, and rows whose best column is still free. */
static void reduce(problem *p) {
  if (p->n == p->m) reduce_columns(p);  /* columns left over must cost nothing */
  for (int64_t i = 0; i < p->n; i++) {
    const double *c = p->cost + i * p->m;
    int64_t best = 0;
    for (int64_t j = 1; j < p->m; j++)
      if (c[j] - p->v[j] < c[best] - p->v[best]) best = j;
    p->u[i] = c[best] - p->v[best];
    if (p->row_of[best] >= 0) continue;
    p->row_of[best] = i;
    p->column_of[i] = best;
  }
}

/* Gives row i its best column at a price that leaves it even with the second
** best; the row that had it, or -1.  Sets *strict: the price fell. */
static int64_t bid(problem *p, int64_t i, bool *strict) {
  const double *c = p->cost + i * p->m, *v = p->v;
  double low = INFINITY, second = INFINITY;
  int64_t best = 0, next = 0;
  for (int64_t j = 0; j < p->m; j++) {
    double r = c[j] - v[j];
    if (r >= second) continue;
    if (r < low) {
      second = low;
      next = best;
      low = r;
      best = j;
    } else {
      second = r;
      next = j;
    }
  }
  if (p->m == 1) second = low;         /* there is no other */
  *strict = low < second;
  if (*strict) p->v[best] -= second - low;
  else if (p->row_of[best] >= 0) best = next;
  int64_t old = p->row_of[best];
  p->u[i] = second;
  p->row_of[best] = i;
  p->column_of[i] = best;
  if (old >= 0) p->column_of[old] = -1;
  return old;
}

/* Rows without a column bid for one; a row that is outbid bids again while prices
** fall, but not for ever: they may fall by next to nothing. */
static void auction(problem *p) {
  for (int64_t i = 0, left = 16 * p->n; i < p->n && left > 0; i++) {
    int64_t row = p->column_of[i] < 0 ? i : -1;
    for (bool strict = true; row >= 0 && strict && left > 0; left--)
      row = bid(p, row, &strict);
  }
}

/* Distances over row i, which stands `base` away; the nearest open column. */
static int64_t look(problem *p, int64_t i, double base) {
  const double *c = p->cost + i * p->m, *v = p->v;
  double *dist = p->dist, shift = base - p->u[i], least = INFINITY;
  for (int64_t j = 0; j < p->m; j++) {
    double r = c[j] - v[j] + shift;
    if (r < dist[j]) {
      dist[j] = r;
      p->from[j] = i;
    }
  }
  for (int64_t j = 0; j < p->m; j++) {
    double d = dist[j] == -INFINITY ? INFINITY : dist[j];
    least = d < least ? d : least;
  }
  int64_t j = 0;
  while (dist[j] != least) j++;
  return j;
}

/* A shortest path from row `start` to a free column; then prices, then the
** matching along the path. */
static void augment(problem *p, int64_t start) {
  int64_t i = start, ndone = 0, j;
  double base = 0;
  for (int64_t k = 0; k < p->m; k++) p->dist[k] = INFINITY;
  for (;;) {
    j = look(p, i, base);
    base = p->final[j] = p->dist[j];
    p->dist[j] = -INFINITY;
    if (p->row_of[j] < 0) break;
    p->done[ndone++] = j;
    i = p->row_of[j];
  }
  p->u[start] += base;
  for (int64_t k = 0; k < ndone; k++) {
    int64_t d = p->done[k];
    p->u[p->row_of[d]] += base - p->final[d];
    p->v[d] -= base - p->final[d];
  }
  do {
    int64_t next;
    i = p->from[j];
    next = p->column_of[i];
    p->row_of[j] = i;
    p->column_of[i] = j;
    j = next;
  } while (i != start);
}

static td_status solve(problem *p) {
  for (int64_t i = 0; i < p->n; i++) p->column_of[i] = -1;
  for (int64_t j = 0; j < p->m; j++) p->row_of[j] = -1;
  reduce(p);
  for (int pass = 0; pass < 2 && !td_interrupt_flag; pass++) auction(p);
  for (int64_t i = 0; i < p->n; i++) {
    if (p->column_of[i] >= 0) continue;
    if (td_interrupt_flag) return td_fail(TD_EINTR, "assignment: interrupted");
    augment(p, i);
  }
  return TD_OK;
}

static td_status assign(const td_tensor *cost, td_tensor *out) {
  int64_t n = cost->shape[0], m = cost->shape[1];
  for (int64_t i = 0; i < n * m; i++)
    if (!isfinite(((double *)cost->data)[i]))
      return td_fail(TD_EARG, "assignment: the cost in row %lld, column %lld is "
        "%g; costs must be finite", (long long)(i / m) + 1,
        (long long)(i % m) + 1, ((double *)cost->data)[i]);
  if (!n) return TD_OK;
  double *f = calloc((size_t)(n + 3 * m), sizeof *f);
  int64_t *k = malloc(sizeof *k * (size_t)(3 * m));
  problem p = { (const double *)cost->data, n, m, f, f + n, f + n + m, f + n + 2 * m,
                k, (int64_t *)out->data, k + m, k + 2 * m };
  td_status st = f && k ? solve(&p) :
    td_fail(TD_ENOMEM, "assignment: out of memory");
  free(f);
  free(k);
  return st;
}

static td_status k_assignment(const td_call *c, td_tensor **out) {
  int mark = td_scope_open();
  td_tensor *cost = td_cast(c->in[0], TD_F64);
  td_status st = cost ? assign(cost, out[0]) : td_error_code();
  td_scope_close(mark);
  return st;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_assign)[] = {
  { "assignment", k_assignment }, { 0 }
};
