/* cpu_random.c -- CPU kernels of random draws.  Compiled without contraction of
** multiply and add, so that every instruction set gives the same numbers. */
#include "convert.h"
#include "isa.h"
#include "loop.h"
#include "op.h"
#include "philox.h"
#include <string.h>

#define COUNTERS TD_PHILOX_BLOCK
typedef uint32_t words[4][COUNTERS];

/* One block of numbers: PER * COUNTERS elements from the words of its counters. */
#define MAKER(T, name) \
  static void name##_##T(td_c_##T *y, words w, const td_call *c)

/* Fills n elements from element `begin` of the draw on, block by block. */
#define DRAW(T, name) \
  static void name##_fill_##T(char *const *ptr, int64_t n, int64_t begin, \
                              const void *ctx) { \
    enum { PER = sizeof(td_c_##T) == 8 ? 2 : 4 }; \
    const td_call *c = ctx; \
    td_c_##T *y = (td_c_##T *)(void *)ptr[0], rest[PER * COUNTERS]; \
    uint64_t counter = c->rng.offset + (uint64_t)(begin / PER); \
    words w; \
    for (; n > 0; counter += COUNTERS) { \
      td_philox_block(c->rng.seed, counter, w); \
      bool whole = n >= PER * COUNTERS; \
      name##_##T(whole ? y : rest, w, c); \
      if (!whole) memcpy(y, rest, (size_t)n * sizeof *y); \
      y += PER * COUNTERS; \
      n -= PER * COUNTERS; \
    } \
  }

static td_status draw(const td_call *c, td_tensor *out, const td_loop_fn *fns) {
  td_loop_fn fn = fns[out->dtype];
  if (!fn)
    return td_fail(TD_EDTYPE, "%s: not available for %s", c->op->name,
                   td_dtype_name(out->dtype));
  td_loop_fill(out, fn, c);
  return TD_OK;
}

/* ---- uniform: high itself, reached by rounding only, is stepped back from ---- */

MAKER(f32, uniform) {
  float low = (float)c->attr[0].f, high = (float)c->attr[1].f;
  float span = (float)(c->attr[1].f - c->attr[0].f);
  float last = nextafterf(high, low);
  for (int j = 0; j < COUNTERS; j++)
    for (int k = 0; k < 4; k++) {
      float v = low + span * td_uniform_f32(w[k][j]);
      y[4 * j + k] = v < high ? v : last;
    }
}
MAKER(f64, uniform) {
  double low = c->attr[0].f, high = c->attr[1].f, span = high - low;
  double last = nextafter(high, low);
  for (int j = 0; j < COUNTERS; j++)
    for (int k = 0; k < 2; k++) {
      double v = low + span * td_uniform_f64(w[2 * k][j], w[2 * k + 1][j]);
      y[2 * j + k] = v < high ? v : last;
    }
}
DRAW(f32, uniform)
DRAW(f64, uniform)
static td_status k_uniform(const td_call *c, td_tensor **out) {
  static const td_loop_fn fns[TD_DTYPE_COUNT] = {
    [TD_F32] = uniform_fill_f32, [TD_F64] = uniform_fill_f64 };
  return draw(c, out[0], fns);
}

/* ---- normal ---- */

MAKER(f32, normal) {
  float mean = (float)c->attr[0].f, std = (float)c->attr[1].f;
  float z[4][COUNTERS];
  for (int j = 0; j < COUNTERS; j++)
    td_normal_f32(w[0][j], w[1][j], &z[0][j], &z[1][j]);
  for (int j = 0; j < COUNTERS; j++)
    td_normal_f32(w[2][j], w[3][j], &z[2][j], &z[3][j]);
  for (int j = 0; j < COUNTERS; j++)
    for (int k = 0; k < 4; k++) y[4 * j + k] = mean + std * z[k][j];
}
MAKER(f64, normal) {
  double mean = c->attr[0].f, std = c->attr[1].f;
  double even[COUNTERS], odd[COUNTERS];
  for (int j = 0; j < COUNTERS; j++) {
    uint32_t v[4] = { w[0][j], w[1][j], w[2][j], w[3][j] };
    td_normal_f64(v, &even[j], &odd[j]);
  }
  for (int j = 0; j < COUNTERS; j++) {
    y[2 * j] = mean + std * even[j];
    y[2 * j + 1] = mean + std * odd[j];
  }
}
DRAW(f32, normal)
DRAW(f64, normal)
static td_status k_normal(const td_call *c, td_tensor **out) {
  static const td_loop_fn fns[TD_DTYPE_COUNT] = {
    [TD_F32] = normal_fill_f32, [TD_F64] = normal_fill_f64 };
  return draw(c, out[0], fns);
}

/* ---- bernoulli, integers ---- */

#define BERNOULLI4(T, name) \
  MAKER(T, name) { \
    double p = c->attr[0].f; \
    for (int j = 0; j < COUNTERS; j++) \
      for (int k = 0; k < 4; k++) \
        y[4 * j + k] = (td_c_##T)(td_uniform_f32(w[k][j]) < p); \
  } \
  DRAW(T, name)
#define BERNOULLI2(T, name) \
  MAKER(T, name) { \
    double p = c->attr[0].f; \
    for (int j = 0; j < COUNTERS; j++) \
      for (int k = 0; k < 2; k++) \
        y[2 * j + k] = (td_c_##T)(td_uniform_f64(w[2 * k][j], \
                                                 w[2 * k + 1][j]) < p); \
  } \
  DRAW(T, name)

static uint64_t range_of(const td_call *c) {
  return (uint64_t)c->attr[1].i - (uint64_t)c->attr[0].i + 1;
}
#define INTEGERS4(T, name) \
  MAKER(T, name) { \
    uint64_t range = range_of(c); \
    for (int j = 0; j < COUNTERS; j++) \
      for (int k = 0; k < 4; k++) \
        y[4 * j + k] = td__set_##T(td_integer((uint64_t)w[k][j] << 32, \
                                              c->attr[0].i, range)); \
  } \
  DRAW(T, name)
#define INTEGERS2(T, name) \
  MAKER(T, name) { \
    uint64_t range = range_of(c); \
    for (int j = 0; j < COUNTERS; j++) \
      for (int k = 0; k < 2; k++) \
        y[2 * j + k] = td__set_##T( \
          td_integer((uint64_t)w[2 * k][j] << 32 | w[2 * k + 1][j], \
                     c->attr[0].i, range)); \
  } \
  DRAW(T, name)

#define EACH(X2, X4, name) X4(b8, name) X4(u8, name) X4(i32, name) \
  X2(i64, name) X4(f32, name) X2(f64, name)
#define FNS(name) { [TD_BOOL] = name##_fill_b8, [TD_U8] = name##_fill_u8, \
  [TD_I32] = name##_fill_i32, [TD_I64] = name##_fill_i64, \
  [TD_F32] = name##_fill_f32, [TD_F64] = name##_fill_f64 }
EACH(BERNOULLI2, BERNOULLI4, bernoulli)
EACH(INTEGERS2, INTEGERS4, integers)
static td_status k_bernoulli(const td_call *c, td_tensor **out) {
  static const td_loop_fn fns[TD_DTYPE_COUNT] = FNS(bernoulli);
  return draw(c, out[0], fns);
}
static td_status k_integers(const td_call *c, td_tensor **out) {
  static const td_loop_fn fns[TD_DTYPE_COUNT] = FNS(integers);
  return draw(c, out[0], fns);
}

extern const td_kernel_entry TD_ISA_NAME(td_cpu_random)[];
const td_kernel_entry TD_ISA_NAME(td_cpu_random)[] = {
  { "uniform", k_uniform }, { "normal", k_normal },
  { "bernoulli", k_bernoulli }, { "integers", k_integers }, { NULL, NULL }
};
