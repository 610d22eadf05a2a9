/* cpu_reduce.c -- CPU kernels of reductions, softmax and running sums.
**
** Floats are added in independent lanes over short blocks, blocks in double:
** fast, accurate, and the same on every instruction set. */
#include "convert.h"
#include "isa.h"
#include "loop.h"
#include "op.h"
#include "reduce.h"
#include "vmath.h"
#include <string.h>

#define LANES 64
#define BLOCK 1024              /* elements between two roundings to double */
#define BLOCK_ROWS 32           /* rows, likewise */

#define LOAD(T, p) (*(const td_c_##T *)(const void *)(p))
#define VEC _Pragma("GCC ivdep")

/* ---- sum ---- */

/* T: element type; L: type of a lane */
#define SUM_ROW(T, L, total) \
  static void sum_row_##T(td_acc *acc, const char *p, int64_t n, int64_t step) { \
    for (int64_t at = 0; at < n; at += BLOCK, p += BLOCK * step) { \
      int64_t m = n - at < BLOCK ? n - at : BLOCK, i = 0; \
      L lane[LANES] = { 0 }, few[4] = { 0 }; \
      const td_c_##T *x = (const td_c_##T *)(const void *)p; \
      if (step == sizeof *x && m >= LANES) { \
        for (; i + LANES <= m; i += LANES) \
          VEC for (int k = 0; k < LANES; k++) lane[k] += (L)x[i + k]; \
        for (int w = LANES / 2; w; w /= 2) \
          VEC for (int k = 0; k < w; k++) lane[k] += lane[k + w]; \
      } \
      for (; i < m; i++) few[i % 4] += (L)LOAD(T, p + i * step); \
      acc->total += lane[0] + ((few[0] + few[1]) + (few[2] + few[3])); \
    } \
  }
SUM_ROW(b8, int64_t, i)
SUM_ROW(u8, int64_t, i)
SUM_ROW(i32, int64_t, i)
SUM_ROW(i64, uint64_t, i)
SUM_ROW(f32, float, a)
SUM_ROW(f64, double, a)

#define SUM_COLS(T, L, total) \
  static void sum_cols_##T(td_acc *acc, const char *p, int64_t m, \
                           int64_t rows, int64_t step) { \
    L sum[TD_REDUCE_COLS]; \
    for (int64_t at = 0; at < rows; at += BLOCK_ROWS) { \
      int64_t k = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS, r = 0; \
      memset(sum, 0, sizeof sum); \
      for (; r + 4 <= k; r += 4, p += 4 * step) { \
        const td_c_##T *x = (const td_c_##T *)(const void *)p; \
        const td_c_##T *y = (const td_c_##T *)(const void *)(p + step); \
        const td_c_##T *z = (const td_c_##T *)(const void *)(p + 2 * step); \
        const td_c_##T *w = (const td_c_##T *)(const void *)(p + 3 * step); \
        VEC for (int64_t j = 0; j < m; j++) \
          sum[j] += ((L)x[j] + (L)y[j]) + ((L)z[j] + (L)w[j]); \
      } \
      for (; r < k; r++, p += step) { \
        const td_c_##T *x = (const td_c_##T *)(const void *)p; \
        VEC for (int64_t j = 0; j < m; j++) sum[j] += (L)x[j]; \
      } \
      for (int64_t j = 0; j < m; j++) acc[j].total += sum[j]; \
    } \
  }
SUM_COLS(b8, int64_t, i)
SUM_COLS(u8, int64_t, i)
SUM_COLS(i32, int64_t, i)
SUM_COLS(i64, uint64_t, i)
SUM_COLS(f32, float, a)
SUM_COLS(f64, double, a)

static void merge_sum_a(td_acc *acc, const td_acc *other, int64_t n) {
  for (int64_t j = 0; j < n; j++) acc[j].a += other[j].a;
}
static void merge_sum_i(td_acc *acc, const td_acc *other, int64_t n) {
  for (int64_t j = 0; j < n; j++)
    acc[j].i = (int64_t)((uint64_t)acc[j].i + (uint64_t)other[j].i);
}
#define STORE(T, total) \
  static void store_##T##_##total(char *out, const td_acc *acc, int64_t n) { \
    td_c_##T *y = (td_c_##T *)(void *)out; \
    for (int64_t j = 0; j < n; j++) y[j] = (td_c_##T)acc[j].total; \
  }
STORE(f32, a)
STORE(f64, a)
STORE(i64, i)
STORE(i32, i)
STORE(u8, i)

#define REDUCER(id, name, T, S, total, init) \
  [id] = { { init }, name##_row_##T, name##_cols_##T, merge_##name##_##total, \
           store_##S##_##total }
#define ZERO_A .a = 0
#define ZERO_I .i = 0
static const td_reducer sums[TD_DTYPE_COUNT] = {
  REDUCER(TD_BOOL, sum, b8, i64, i, ZERO_I),
  REDUCER(TD_U8, sum, u8, i64, i, ZERO_I),
  REDUCER(TD_I32, sum, i32, i64, i, ZERO_I),
  REDUCER(TD_I64, sum, i64, i64, i, ZERO_I),
  REDUCER(TD_F32, sum, f32, f32, a, ZERO_A),
  REDUCER(TD_F64, sum, f64, f64, a, ZERO_A),
};

static td_status reduce(const td_call *c, td_tensor *out, const td_reducer *by) {
  const td_reducer *r = &by[c->in[0]->dtype];
  if (r->row) return td_reduce(c, out, r);
  return td_fail(TD_EDTYPE, "%s: not available for %s; convert with "
                 "x:to(\"f32\")", c->op->name, td_dtype_name(c->in[0]->dtype));
}
static td_status k_sum(const td_call *c, td_tensor **out) {
  return reduce(c, out[0], sums);
}

/* ---- the other reductions of one value: a plain fold ---- */

/* FOLD(name, T, L, total, step text): the step updates s by the element v */
#define FOLD(name, T, L, total, update) \
  static void name##_row_##T(td_acc *acc, const char *p, int64_t n, \
                             int64_t step) { \
    L lane[LANES]; \
    const td_c_##T *x = (const td_c_##T *)(const void *)p; \
    int64_t i = 0; \
    L s = (L)acc->total; \
    if (step == sizeof *x && n >= 2 * LANES) { \
      for (int k = 0; k < LANES; k++) lane[k] = (L)x[k]; \
      for (i = LANES; i + LANES <= n; i += LANES) \
        VEC for (int k = 0; k < LANES; k++) { \
          L s = lane[k]; \
          const L v = (L)x[i + k]; \
          update; \
          lane[k] = s; \
        } \
      for (int w = LANES / 2; w; w /= 2) \
        VEC for (int k = 0; k < w; k++) { \
          L s = lane[k]; \
          const L v = lane[k + w]; \
          update; \
          lane[k] = s; \
        } \
      const L v = lane[0]; \
      update; \
    } \
    for (; i < n; i++) { const L v = (L)LOAD(T, p + i * step); update; } \
    acc->total = s; \
  } \
  static void name##_cols_##T(td_acc *acc, const char *p, int64_t m, \
                              int64_t rows, int64_t step) { \
    L part[TD_REDUCE_COLS]; \
    for (int64_t j = 0; j < m; j++) part[j] = (L)acc[j].total; \
    for (int64_t r = 0; r < rows; r++, p += step) { \
      const td_c_##T *x = (const td_c_##T *)(const void *)p; \
      VEC for (int64_t j = 0; j < m; j++) { \
        L s = part[j]; \
        const L v = (L)x[j]; \
        update; \
        part[j] = s; \
      } \
    } \
    for (int64_t j = 0; j < m; j++) acc[j].total = part[j]; \
  }
#define MERGE(name, L, total, update) \
  static void merge_##name##_##total(td_acc *acc, const td_acc *other, \
                                     int64_t n) { \
    for (int64_t j = 0; j < n; j++) { \
      L s = acc[j].total; \
      const L v = other[j].total; \
      update; \
      acc[j].total = s; \
    } \
  }

#define LARGER s = (v > s) | (v != v) ? v : s
#define SMALLER s = (v < s) | (v != v) ? v : s
#define TIMES s *= v
#define TIMES_I s = (int64_t)((uint64_t)s * (uint64_t)v)

#define EACH_TYPE(X, name, update) \
  X(name, b8, uint8_t, i, update) X(name, u8, uint8_t, i, update) \
  X(name, i32, int32_t, i, update) X(name, i64, int64_t, i, update) \
  X(name, f32, float, a, update) X(name, f64, double, a, update)
EACH_TYPE(FOLD, amax, LARGER)
EACH_TYPE(FOLD, amin, SMALLER)
MERGE(amax, double, a, LARGER)
MERGE(amax, int64_t, i, LARGER)
MERGE(amin, double, a, SMALLER)
MERGE(amin, int64_t, i, SMALLER)
FOLD(prod, b8, int64_t, i, TIMES_I)
FOLD(prod, u8, int64_t, i, TIMES_I)
FOLD(prod, i32, int64_t, i, TIMES_I)
FOLD(prod, i64, int64_t, i, TIMES_I)
FOLD(prod, f32, double, a, TIMES)
FOLD(prod, f64, double, a, TIMES)
MERGE(prod, double, a, TIMES)
MERGE(prod, int64_t, i, TIMES_I)

#define EXTREMES(name, bmin, imin32, imin64, inf) { \
  REDUCER(TD_BOOL, name, b8, u8, i, .i = bmin), \
  REDUCER(TD_U8, name, u8, u8, i, .i = bmin), \
  REDUCER(TD_I32, name, i32, i32, i, .i = imin32), \
  REDUCER(TD_I64, name, i64, i64, i, .i = imin64), \
  REDUCER(TD_F32, name, f32, f32, a, .a = inf), \
  REDUCER(TD_F64, name, f64, f64, a, .a = inf), \
}
static const td_reducer maxima[TD_DTYPE_COUNT] =
  EXTREMES(amax, 0, INT32_MIN, INT64_MIN, -INFINITY);
static const td_reducer minima[TD_DTYPE_COUNT] =
  EXTREMES(amin, UINT8_MAX, INT32_MAX, INT64_MAX, INFINITY);
static const td_reducer products[TD_DTYPE_COUNT] = {
  REDUCER(TD_BOOL, prod, b8, i64, i, .i = 1),
  REDUCER(TD_U8, prod, u8, i64, i, .i = 1),
  REDUCER(TD_I32, prod, i32, i64, i, .i = 1),
  REDUCER(TD_I64, prod, i64, i64, i, .i = 1),
  REDUCER(TD_F32, prod, f32, f32, a, .a = 1),
  REDUCER(TD_F64, prod, f64, f64, a, .a = 1),
};
static td_status k_amax(const td_call *c, td_tensor **out) {
  return reduce(c, out[0], maxima);
}
static td_status k_amin(const td_call *c, td_tensor **out) {
  return reduce(c, out[0], minima);
}
static td_status k_prod(const td_call *c, td_tensor **out) {
  return reduce(c, out[0], products);
}

/* ---- any, all: lanes count what is not 0 ---- */

#define TRUTH(T) \
  FOLD(any, T, td_c_##T, i, s = (td_c_##T)((s != 0) | (v != 0))) \
  FOLD(all, T, td_c_##T, i, s = (td_c_##T)((s != 0) & (v != 0)))
TRUTH(b8)
TRUTH(u8)
TRUTH(i32)
TRUTH(i64)
TRUTH(f32)
TRUTH(f64)
MERGE(any, int64_t, i, s |= v)
MERGE(all, int64_t, i, s &= v)
#define TRUTHS(name, init) { \
  REDUCER(TD_BOOL, name, b8, u8, i, .i = init), \
  REDUCER(TD_U8, name, u8, u8, i, .i = init), \
  REDUCER(TD_I32, name, i32, u8, i, .i = init), \
  REDUCER(TD_I64, name, i64, u8, i, .i = init), \
  REDUCER(TD_F32, name, f32, u8, i, .i = init), \
  REDUCER(TD_F64, name, f64, u8, i, .i = init), \
}
static const td_reducer anys[TD_DTYPE_COUNT] = TRUTHS(any, 0);
static const td_reducer alls[TD_DTYPE_COUNT] = TRUTHS(all, 1);
static td_status k_any(const td_call *c, td_tensor **out) {
  return reduce(c, out[0], anys);
}
static td_status k_all(const td_call *c, td_tensor **out) {
  return reduce(c, out[0], alls);
}

/* ---- logsumexp: a is the largest element so far, b the sum of exp(x - a) ---- */

/* What is subtracted before exp: nothing where that would make inf - inf. */
static double shift_of(double max) {
  return max == INFINITY || max == -INFINITY ? 0 : max;
}

/* The sum b over exp(x - a) as one over exp(x - d); 0 stays 0 where exp overflows. */
static double lse_shift(double b, double a, double d) {
  return b == 0 ? 0 : b * exp(shift_of(a) - d);
}

static void lse_merge(td_acc *acc, const td_acc *other, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    double s = acc[j].a;
    const double v = other[j].a;
    LARGER;
    double d = shift_of(s);
    acc[j].b = lse_shift(acc[j].b, acc[j].a, d) + lse_shift(other[j].b, other[j].a, d);
    acc[j].a = s;
  }
}

/* sum of exp(x[i] - m), x dense */
#define SUM_EXP(T, EXP) \
  static double sum_exp_##T(const td_c_##T *x, int64_t n, td_c_##T m) { \
    td_c_##T lane[LANES] = { 0 }; \
    double sum = 0; \
    int64_t i = 0; \
    for (; i + LANES <= n; i += LANES) \
      VEC for (int k = 0; k < LANES; k++) lane[k] += EXP(x[i + k] - m); \
    for (int64_t k = 0; i < n; i++, k++) lane[k] += EXP(x[i] - m); \
    for (int k = 0; k < LANES; k++) sum += lane[k]; \
    return sum; \
  }
SUM_EXP(f32, td__expf)
SUM_EXP(f64, exp)

#define LSE(T, EXP) \
  static void lse_row_##T(td_acc *acc, const char *p, int64_t n, int64_t step) { \
    td_c_##T buf[BLOCK]; \
    for (int64_t at = 0; at < n; at += BLOCK, p += BLOCK * step) { \
      int64_t m = n - at < BLOCK ? n - at : BLOCK; \
      const td_c_##T *x = (const td_c_##T *)(const void *)p; \
      if (step != sizeof *x) { \
        td_line_gather((char *)buf, p, m, step, sizeof *x); \
        x = buf; \
      } \
      td_acc top = { .a = -INFINITY }; \
      amax_row_##T(&top, (const char *)x, m, sizeof *x); \
      top.b = sum_exp_##T(x, m, (td_c_##T)shift_of(top.a)); \
      lse_merge(acc, &top, 1); \
    } \
  } \
  static void lse_cols_##T(td_acc *acc, const char *p, int64_t m, \
                           int64_t rows, int64_t step) { \
    td_acc top[TD_REDUCE_COLS]; \
    td_c_##T max[TD_REDUCE_COLS], sum[TD_REDUCE_COLS]; \
    for (int64_t at = 0; at < rows; at += BLOCK_ROWS, p += BLOCK_ROWS * step) { \
      int64_t k = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS; \
      for (int64_t j = 0; j < m; j++) top[j].a = -INFINITY; \
      amax_cols_##T(top, p, m, k, step); \
      for (int64_t j = 0; j < m; j++) { \
        max[j] = (td_c_##T)shift_of(top[j].a); \
        sum[j] = 0; \
      } \
      for (int64_t r = 0; r < k; r++) { \
        const td_c_##T *x = (const td_c_##T *)(const void *)(p + r * step); \
        VEC for (int64_t j = 0; j < m; j++) sum[j] += EXP(x[j] - max[j]); \
      } \
      for (int64_t j = 0; j < m; j++) top[j].b = sum[j]; \
      lse_merge(acc, top, m); \
    } \
  } \
  static void lse_store_##T(char *out, const td_acc *acc, int64_t n) { \
    td_c_##T *y = (td_c_##T *)(void *)out; \
    for (int64_t j = 0; j < n; j++) \
      y[j] = (td_c_##T)(shift_of(acc[j].a) + log(acc[j].b)); \
  }
LSE(f32, td__expf)
LSE(f64, exp)
static td_status k_logsumexp(const td_call *c, td_tensor **out) {
  static const td_reducer by[TD_DTYPE_COUNT] = {
    [TD_F32] = { { .a = -INFINITY }, lse_row_f32, lse_cols_f32, lse_merge,
                 lse_store_f32 },
    [TD_F64] = { { .a = -INFINITY }, lse_row_f64, lse_cols_f64, lse_merge,
                 lse_store_f64 },
  };
  return reduce(c, out[0], by);
}

/* ---- ops on lines ---- */

typedef struct line_job line_job;
struct line_job {
  td_lines l;
  int size;                     /* of an element of x */
  bool max;                     /* argmax, softmax: not log */
  void (*f)(const line_job *job, const char *x, char *y);   /* dense x and y */
  int out_size;
};

/* Calls f for each line; lines that are not dense go through a buffer. */
static void each_line(void *ctx, int64_t begin, int64_t end, char *buf) {
  const line_job *j = ctx;
  int64_t n = j->l.n, in = j->size, out = j->out_size;
  bool gather = j->l.step[0] != in, scatter = out && j->l.step[1] != out;
  for (int64_t k = begin; k < end; k++) {
    char *x = td_line_at(&j->l, 0, k), *home = td_line_at(&j->l, 1, k), *y = home;
    if (gather) td_line_gather(buf, x, n, j->l.step[0], j->size);
    if (scatter) y = buf + n * 8;
    j->f(j, gather ? buf : x, y);
    if (scatter) td_line_scatter(home, y, n, j->l.step[1], j->out_size);
  }
}

static td_status run_lines(line_job *j, int64_t cost) {
  bool dense = j->l.step[0] == j->size &&
    (!j->out_size || j->l.step[1] == j->out_size);
  return td_lines_run(&j->l, cost * j->l.n, dense ? 0 : (size_t)j->l.n * 16 + 1,
                      each_line, j);
}

/* ---- argmax, argmin: the first of equals, the first NaN before all ---- */

#define ARG(T, total) \
  static void arg_##T(const line_job *j, const char *p, char *y) { \
    const td_c_##T *x = (const td_c_##T *)(const void *)p; \
    td_acc top = { .total = x[0] }; \
    if (j->max) amax_row_##T(&top, p, j->l.n, sizeof *x); \
    else amin_row_##T(&top, p, j->l.n, sizeof *x); \
    td_c_##T v = (td_c_##T)top.total; \
    int64_t i = 0; \
    if (v != v) while (x[i] == x[i]) i++; \
    else while (x[i] != v) i++; \
    memcpy(y, &i, sizeof i); \
  }
ARG(b8, i)
ARG(u8, i)
ARG(i32, i)
ARG(i64, i)
ARG(f32, a)
ARG(f64, a)

static td_status position(const td_call *c, td_tensor **out, bool max) {
  static void (*const by[TD_DTYPE_COUNT])(const line_job *, const char *,
                                          char *) = {
    [TD_BOOL] = arg_b8, [TD_U8] = arg_u8, [TD_I32] = arg_i32,
    [TD_I64] = arg_i64, [TD_F32] = arg_f32, [TD_F64] = arg_f64 };
  const td_tensor *x = c->in[0];
  line_job j = { .size = (int)td_dtype_size(x->dtype), .max = max,
                 .f = by[x->dtype] };
  td_lines_of(&j.l, x, c->attr[0].i, 1, out, c->attr[1].i != 0);
  return run_lines(&j, 1);
}
static td_status k_argmax(const td_call *c, td_tensor **out) {
  return position(c, out, true);
}
static td_status k_argmin(const td_call *c, td_tensor **out) {
  return position(c, out, false);
}

/* ---- softmax and its log ---- */

#define SOFTMAX(T, EXP) \
  static void softmax_##T(const line_job *j, const char *p, char *q) { \
    const td_c_##T *x = (const td_c_##T *)(const void *)p; \
    td_c_##T *y = (td_c_##T *)(void *)q; \
    int64_t n = j->l.n; \
    td_acc top = { .a = -INFINITY }; \
    amax_row_##T(&top, p, n, sizeof *x); \
    td_c_##T m = (td_c_##T)top.a; \
    VEC for (int64_t i = 0; i < n; i++) y[i] = EXP(x[i] - m); \
    td_acc sum = { .a = 0 }; \
    sum_row_##T(&sum, q, n, sizeof *y); \
    td_c_##T r = (td_c_##T)(1 / sum.a); \
    VEC for (int64_t i = 0; i < n; i++) y[i] *= r; \
  } \
  static void log_softmax_##T(const line_job *j, const char *p, char *q) { \
    const td_c_##T *x = (const td_c_##T *)(const void *)p; \
    td_c_##T *y = (td_c_##T *)(void *)q; \
    int64_t n = j->l.n; \
    td_acc top = { .a = -INFINITY }; \
    amax_row_##T(&top, p, n, sizeof *x); \
    td_c_##T m = (td_c_##T)top.a; \
    td_c_##T s = (td_c_##T)log(sum_exp_##T(x, n, m)); \
    VEC for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) - s; \
  }
SOFTMAX(f32, td__expf)
SOFTMAX(f64, exp)

static td_status softmax(const td_call *c, td_tensor **out, bool log) {
  const td_tensor *x = c->in[0];
  bool wide = x->dtype == TD_F64;
  if (td__numel(x) == 0) return TD_OK;
  line_job j = { .size = (int)td_dtype_size(x->dtype) };
  j.out_size = j.size;
  j.f = log ? (wide ? log_softmax_f64 : log_softmax_f32)
    : (wide ? softmax_f64 : softmax_f32);
  td_lines_of(&j.l, x, c->attr[0].i, 1, out, true);
  return run_lines(&j, 4);
}
static td_status k_softmax(const td_call *c, td_tensor **out) {
  return softmax(c, out, false);
}
static td_status k_log_softmax(const td_call *c, td_tensor **out) {
  return softmax(c, out, true);
}

/* ---- running sums ---- */

#define CUMSUM(T, L, O) \
  static void cumsum_##T(const line_job *j, const char *p, char *q) { \
    const td_c_##T *x = (const td_c_##T *)(const void *)p; \
    O *y = (O *)(void *)q; \
    L s = 0; \
    for (int64_t i = 0; i < j->l.n; i++) y[i] = (O)(s += (L)x[i]); \
  }
CUMSUM(b8, int64_t, int64_t)
CUMSUM(u8, int64_t, int64_t)
CUMSUM(i32, int64_t, int64_t)
CUMSUM(i64, uint64_t, int64_t)
CUMSUM(f32, double, float)
CUMSUM(f64, double, double)

static td_status k_cumsum(const td_call *c, td_tensor **out) {
  static void (*const by[TD_DTYPE_COUNT])(const line_job *, const char *,
                                          char *) = {
    [TD_BOOL] = cumsum_b8, [TD_U8] = cumsum_u8, [TD_I32] = cumsum_i32,
    [TD_I64] = cumsum_i64, [TD_F32] = cumsum_f32, [TD_F64] = cumsum_f64 };
  const td_tensor *x = c->in[0];
  if (td__numel(x) == 0) return TD_OK;
  line_job j = { .size = (int)td_dtype_size(x->dtype), .f = by[x->dtype],
                 .out_size = (int)td_dtype_size(out[0]->dtype) };
  td_lines_of(&j.l, x, c->attr[0].i, 1, out, true);
  return run_lines(&j, 2);
}

extern const td_kernel_entry TD_ISA_NAME(td_cpu_reduce)[];
const td_kernel_entry TD_ISA_NAME(td_cpu_reduce)[] = {
  { "sum", k_sum }, { "prod", k_prod }, { "amax", k_amax }, { "amin", k_amin },
  { "argmax", k_argmax }, { "argmin", k_argmin }, { "any", k_any },
  { "all", k_all }, { "logsumexp", k_logsumexp }, { "softmax", k_softmax },
  { "log_softmax", k_log_softmax }, { "cumsum", k_cumsum }, { NULL, NULL }
};
