/* cpu_density.c -- Gaussian kernel densities, exact: every sample counts for
** every point, with a running maximum so that nothing under- or overflows. */
#include "isa.h"
#include "op.h"
#include "pool.h"
#include "vmath.h"
#include <math.h>
#include <stdlib.h>

enum {
  TILE = 512,              /* samples at a time: stay in the nearest cache */
  ROWS = 16,               /* points that one chunk of work handles */
};

/* Squared distances of one point to a tile of samples, times scale; data is
** transposed, (D, N). */
#define DISTANCES(real) \
  static inline void distances_##real(const real *x, int64_t dim, \
      const real *data, int64_t n, int64_t from, int count, real scale, \
      real *e) { \
    for (int j = 0; j < count; j++) e[j] = 0; \
    for (int64_t d = 0; d < dim; d++) { \
      const real *col = data + d * n + from, xd = x[d]; \
      for (int j = 0; j < count; j++) { \
        real t = xd - col[j]; \
        e[j] += t * t; \
      } \
    } \
    for (int j = 0; j < count; j++) e[j] *= scale; \
  }
DISTANCES(float)
DISTANCES(double)

/* A sum by 16 running parts: vectorises and does not depend on the width. */
#define LANES 16
#define SUM_TILE(real) \
  static inline real max_##real(const real *e, int count, real m) { \
    real part[LANES]; \
    int j = 0; \
    for (int k = 0; k < LANES; k++) part[k] = m; \
    for (; j + LANES <= count; j += LANES) \
      for (int k = 0; k < LANES; k++) \
        part[k] = e[j + k] > part[k] ? e[j + k] : part[k]; \
    for (; j < count; j++) m = e[j] > m ? e[j] : m; \
    for (int k = 0; k < LANES; k++) m = part[k] > m ? part[k] : m; \
    return m; \
  } \
  static inline real sum_##real(const real *e, int count) { \
    real part[LANES] = { 0 }, s = 0; \
    int j = 0; \
    for (; j + LANES <= count; j += LANES) \
      for (int k = 0; k < LANES; k++) part[k] += e[j + k]; \
    for (; j < count; j++) s += e[j]; \
    for (int k = 0; k < LANES; k++) s += part[k]; \
    return s; \
  }
SUM_TILE(float)
SUM_TILE(double)

typedef struct job {
  const void *x, *data;    /* (B,D) and (D,N) */
  int64_t rows, dim, n;
  double h;
  void *y;                 /* (B), or (B,D) for means */
} job;

/* log of the mean of exp(-|x - s|^2 / 2h^2), and optionally the mean of samples
** under those weights: one sweep, rescaled whenever the maximum grows. */
#define POINT(real) \
  static real point_##real(const job *q, const real *x, double *mean) { \
    real e[TILE], m = -INFINITY; \
    double s = 0; \
    const real *data = q->data, scale = (real)(-.5 / (q->h * q->h)); \
    for (int64_t d = 0; mean && d < q->dim; d++) mean[d] = 0; \
    for (int64_t from = 0; from < q->n; from += TILE) { \
      int count = (int)(q->n - from < TILE ? q->n - from : TILE); \
      distances_##real(x, q->dim, data, q->n, from, count, scale, e); \
      real top = max_##real(e, count, m); \
      if (top > m) { \
        double shrink = m == -INFINITY ? 0 : exp((double)m - top); \
        s *= shrink; \
        for (int64_t d = 0; mean && d < q->dim; d++) mean[d] *= shrink; \
        m = top; \
      } \
      if (m == -INFINITY) continue; \
      for (int j = 0; j < count; j++) e[j] = TD_EXP(e[j] - m); \
      s += sum_##real(e, count); \
      for (int64_t d = 0; mean && d < q->dim; d++) { \
        const real *col = data + d * q->n + from; \
        real t[TILE]; \
        for (int j = 0; j < count; j++) t[j] = e[j] * col[j]; \
        mean[d] += sum_##real(t, count); \
      } \
    } \
    for (int64_t d = 0; mean && d < q->dim; d++) mean[d] /= s; \
    return (real)(m + log(s)); \
  } \
  static void log_rows_##real(void *ctx, int64_t begin, int64_t end) { \
    const job *q = ctx; \
    const real *x = q->x; \
    double norm = log((double)q->n) + \
      (double)q->dim * (log(q->h) + .5 * log(2 * M_PI)); \
    for (int64_t i = begin; i < end; i++) { \
      bool nan = false; \
      for (int64_t d = 0; d < q->dim; d++) nan |= isnan(x[i * q->dim + d]); \
      ((real *)q->y)[i] = nan ? (real)NAN : \
        (real)(point_##real(q, x + i * q->dim, NULL) - norm); \
    } \
  } \
  static void mean_rows_##real(void *ctx, int64_t begin, int64_t end) { \
    const job *q = ctx; \
    double few[64], *mean = q->dim <= 64 ? few : \
      malloc(sizeof *mean * (size_t)q->dim); \
    for (int64_t i = begin; i < end; i++) { \
      real *y = (real *)q->y + i * q->dim; \
      if (mean) point_##real(q, (const real *)q->x + i * q->dim, mean); \
      for (int64_t d = 0; d < q->dim; d++) y[d] = mean ? (real)mean[d] : NAN; \
    } \
    if (mean != few) free(mean); \
  }
POINT(float)
POINT(double)

/* The samples come transposed, so that a tile of one coordinate is in a row. */
static td_status density(const td_call *c, td_tensor *y,
                         void (*f32)(void *, int64_t, int64_t),
                         void (*f64)(void *, int64_t, int64_t)) {
  const td_tensor *x = c->in[0], *data = c->in[1];
  int mark = td_scope_open();
  td_tensor *t = td_clone(td_transpose(c->in[1], 0, 1));
  if (t) {
    job q = { x->data, t->data, x->shape[0], x->shape[1], data->shape[0],
              c->attr[0].f, y->data };
    td_parallel_range(q.rows, ROWS, x->dtype == TD_F64 ? f64 : f32, &q);
  }
  td_scope_close(mark);
  return t ? TD_OK : td_error_code();
}
static td_status k_kde(const td_call *c, td_tensor **out) {
  return density(c, out[0], log_rows_float, log_rows_double);
}
static td_status k_kde_mean(const td_call *c, td_tensor **out) {
  return density(c, out[0], mean_rows_float, mean_rows_double);
}

const td_kernel_entry TD_ISA_NAME(td_cpu_density)[] = {
  { "kde", k_kde }, { "kde_mean", k_kde_mean }, { 0 }
};
