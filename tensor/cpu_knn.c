/* cpu_knn.c -- nearest neighbours, exact: blocks of distances that stay in the
** cache, and beside them, for each point, a sorted list of the k best so far.
**
** Distances are of differences, so nothing cancels.  Data is walked in order and
** equal distances keep that order: the result does not depend on threads. */
#include "blas.h"
#include "isa.h"
#include "op.h"
#include "pool.h"
#include <math.h>
#include <stdlib.h>

enum {
  ROWS = 64,               /* points that one chunk of work handles */
  COLS = 512,              /* rows of data in a block */
  GROUP = 64,              /* distances looked at together */
};

typedef struct job {
  const td_products *products;
  const td_tensor *x, *data;
  int64_t k;
  td_tensor *near, *at;    /* (B,k) */
  bool failed;             /* a chunk had no memory */
} job;

/* NaN counts as farthest, as it does in sort. */
#define KNN(real, type) \
  static bool nearer_##real(real a, real b) { \
    return a < b || (b != b && a == a); \
  } \
  /* Puts v, of row `from`, among the first n entries of a list of k. */ \
  static void insert_##real(real v, int64_t from, int64_t n, int64_t k, \
                            real *best, int64_t *at) { \
    int64_t p = n < k ? n : k - 1; \
    for (; p && nearer_##real(v, best[p - 1]); p--) { \
      best[p] = best[p - 1]; \
      at[p] = at[p - 1]; \
    } \
    best[p] = v; \
    at[p] = from; \
  } \
  /* Distances e of `count` rows from `from` on go into the list.  Most groups \
  ** have none that belongs there. */ \
  static void keep_##real(const real *e, int64_t count, int64_t from, \
                          int64_t k, real *best, int64_t *at) { \
    int64_t j = 0; \
    for (; j < count && from + j < k; j++) \
      insert_##real(e[j], from + j, from + j, k, best, at); \
    for (; j < count; j += GROUP) { \
      real worst = best[k - 1]; \
      int64_t n = count - j < GROUP ? count - j : GROUP; \
      int hits = 0; \
      if (n == GROUP) \
        for (int l = 0; l < GROUP; l++) hits += !(e[j + l] >= worst); \
      if (n == GROUP && !hits) continue; \
      for (int64_t l = 0; l < n; l++) \
        if (nearer_##real(e[j + l], best[k - 1])) \
          insert_##real(e[j + l], from + j + l, k, k, best, at); \
    } \
  } \
  static void rows_##real(void *ctx, int64_t begin, int64_t end) { \
    job *q = ctx; \
    int64_t dim = q->x->shape[1], n = q->data->shape[0], m = end - begin; \
    real *e = malloc(sizeof *e * (size_t)(m * COLS)); \
    if (!e) q->failed = true; \
    for (int64_t j = 0; e && j < n && !td_interrupt_flag; j += COLS) { \
      int64_t count = n - j < COLS ? n - j : COLS; \
      td_distance_##type s = { m, count, dim, \
        (const real *)q->x->data + begin * dim, \
        (const real *)q->data->data + j * dim, e, dim, 1, dim, 1, COLS }; \
      q->products->distance_##type(&s); \
      for (int64_t i = 0; i < m; i++) \
        keep_##real(e + i * COLS, count, j, q->k, \
                    (real *)q->near->data + (begin + i) * q->k, \
                    (int64_t *)q->at->data + (begin + i) * q->k); \
    } \
    free(e); \
  }
KNN(float, f32)
KNN(double, f64)

static td_status k_knn(const td_call *c, td_tensor **out) {
  job q = { td__products(), c->in[0], c->in[1], c->attr[0].i, out[0], out[1],
            false };
  td_parallel_range(q.x->shape[0], ROWS, q.x->dtype == TD_F64 ? rows_double :
                    rows_float, &q);
  if (q.failed) return td_fail(TD_ENOMEM, "knn: out of memory");
  return td_interrupt_flag ? td_fail(TD_EINTR, "knn: interrupted") : TD_OK;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_knn)[] = { { "knn", k_knn }, { 0 } };
