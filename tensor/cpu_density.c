/* cpu_density.c -- Gaussian kernel densities, exact: every sample counts for
** every point, down to exp(-64) of the nearest, with a running maximum so that
** nothing under- or overflows. */
#include "blas.h"
#include "isa.h"
#include "op.h"
#include "pool.h"
#include "vmath.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  TILE = 512,              /* samples at a time: stay in the nearest cache */
  ROWS = 16,               /* points that one chunk of work handles */
  NOTHING = 64,            /* exp(-64) of the largest term is lost in rounding */
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

/* exp of one number is a call in f64, and slow where it underflows. */
#define WEIGHT_float(t) TD_EXP(t)
#define WEIGHT_double(t) ((t) > -NOTHING ? TD_EXP(t) : 0)

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
      real top = max_##real(e, count, -INFINITY); \
      if (top > m) { \
        double shrink = m == -INFINITY ? 0 : exp((double)m - top); \
        s *= shrink; \
        for (int64_t d = 0; mean && d < q->dim; d++) mean[d] *= shrink; \
        m = top; \
      } \
      if (m == -INFINITY || top < m - NOTHING) continue; \
      for (int j = 0; j < count; j++) e[j] = WEIGHT_##real(e[j] - m); \
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

/* ---- on a grid: the kernel is a product of one of x and one of y, so the sums
** over samples are a matrix product ---- */

enum { SAMPLES = 4096 };   /* of one product */
#define FLUSH -345         /* log of a weight; below it is 0: products stay normal */
#define LEAST 1e-125       /* sums below: terms that were lost might count */

typedef struct grid {
  int64_t a, b, n;         /* lines along x and y; samples */
  const double *x, *y, *data;
  double h, *wx, *wy;      /* (a, SAMPLES), (b, SAMPLES) */
  double *z;               /* (b, a) */
  int64_t from, count;     /* the samples under way */
} grid;

/* Weights of samples for lines begin..end: those along x come first. */
static void line_weights(void *ctx, int64_t begin, int64_t end) {
  const grid *g = ctx;
  double scale = -.5 / (g->h * g->h);
  for (int64_t i = begin; i < end; i++) {
    bool along = i < g->a;
    double at = along ? g->x[i] : g->y[i - g->a];
    const double *s = g->data + (along ? 0 : g->n) + g->from;
    double *w = along ? g->wx + i * SAMPLES : g->wy + (i - g->a) * SAMPLES;
    for (int64_t j = 0; j < g->count; j++) {
      double t = at - s[j];
      t *= t * scale;
      w[j] = t > FLUSH ? TD_EXP(t) : 0;
    }
  }
}

/* log of the sums; cells far from all samples are computed one by one. */
static void grid_rows(void *ctx, int64_t begin, int64_t end) {
  const grid *g = ctx;
  job q = { .data = g->data, .dim = 2, .n = g->n, .h = g->h };
  double norm = log((double)g->n) + 2 * log(g->h) + log(2 * M_PI);
  for (int64_t i = begin; i < end; i++)
    for (int64_t j = 0; j < g->a && !td_interrupt_flag; j++) {
      double *z = g->z + i * g->a + j, p[2] = { g->x[j], g->y[i] };
      bool near = *z > LEAST;
      if (isnan(p[0]) || isnan(p[1])) *z = NAN;
      else *z = (near ? log(*z) : point_double(&q, p, NULL)) - norm;
    }
}

static td_status fill_grid(grid *g) {
  td__products();
  for (g->from = 0; g->from < g->n; g->from += SAMPLES) {
    int64_t left = g->n - g->from;
    if (td_interrupt_flag) break;
    g->count = left < SAMPLES ? left : SAMPLES;
    td_parallel_range(g->a + g->b, 8, line_weights, g);
    td_gemm_f64(&(td_block_f64){ g->b, g->a, g->count, g->wy, g->wx, g->z,
      SAMPLES, 1, 1, SAMPLES, g->a, 1, g->from ? 1 : 0, NULL });
  }
  td_parallel_range(g->b, 1, grid_rows, g);
  return td_interrupt_flag ? td_fail(TD_EINTR, "kde_grid: interrupted") : TD_OK;
}

static td_tensor *work(int64_t rows, int64_t columns) {
  return td_empty(td_cpu(), TD_F64, 2, (int64_t[]){ rows, columns });
}

static td_status k_kde_grid(const td_call *c, td_tensor **out) {
  int mark = td_scope_open();
  int64_t a = c->in[0]->shape[0], b = c->in[1]->shape[0];
  td_tensor *x = td_cast(c->in[0], TD_F64), *y = td_cast(c->in[1], TD_F64);
  td_tensor *data = td_clone(td_transpose(td_cast(c->in[2], TD_F64), 0, 1));
  td_tensor *wx = work(a, SAMPLES), *wy = work(b, SAMPLES), *z = work(b, a);
  td_status st = td_error_code();
  if (x && y && data && wx && wy && z) {
    grid g = { a, b, c->in[2]->shape[0], (double *)x->data, (double *)y->data,
               (double *)data->data, c->attr[0].f, (double *)wx->data,
               (double *)wy->data, (double *)z->data, 0, 0 };
    st = a && b ? fill_grid(&g) : TD_OK;
    td_tensor *r = st ? NULL : td_cast(z, out[0]->dtype);
    if (r) memcpy(out[0]->data, r->data, td_dtype_size(r->dtype) * (size_t)(a * b));
    else if (!st) st = td_error_code();
  }
  td_scope_close(mark);
  return st;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_density)[] = {
  { "kde", k_kde }, { "kde_mean", k_kde_mean }, { "kde_grid", k_kde_grid }, { 0 }
};
