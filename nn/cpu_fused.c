/* cpu_fused.c -- CPU kernels of the small fused ops: modulate, addcmul
** and sinusoid. */
#include "tensor/isa.h"
#include "tensor/loop.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include "tensor/vmath.h"
#include <string.h>

/* ---- modulate, addcmul: x, a and b broadcast to the result ---- */

#define TERNARY(name, type, formula) \
  static void name(char *const *p, int64_t n, int64_t begin, const void *ctx) { \
    type *y = (type *)p[0]; \
    const type *x = (type *)p[1], *a = (type *)p[2], *b = (type *)p[3]; \
    (void)begin; (void)ctx; (void)b; \
    TD_IVDEP for (int64_t i = 0; i < n; i++) y[i] = formula; \
  }
/* the result may be one of the operands, but never a shifted one */
#define TD_IVDEP _Pragma("GCC ivdep")

TERNARY(modulate_f32, float, x[i] + x[i] * a[i] + b[i])
TERNARY(modulate_f64, double, x[i] + x[i] * a[i] + b[i])
TERNARY(addcmul_f32, float, x[i] + a[i] * b[i])
TERNARY(addcmul_f64, double, x[i] + a[i] * b[i])
#define BINARY(name, type, formula) \
  static void name(char *const *p, int64_t n, int64_t begin, const void *ctx) { \
    type *y = (type *)p[0]; \
    const type *x = (type *)p[1], *a = (type *)p[2]; \
    (void)begin; (void)ctx; \
    TD_IVDEP for (int64_t i = 0; i < n; i++) y[i] = formula; \
  }
BINARY(scale_f32, float, x[i] + x[i] * a[i])
BINARY(scale_f64, double, x[i] + x[i] * a[i])

static td_status k_modulate(const td_call *c, td_tensor **out) {
  td_tensor *shift = c->in[1], *in[3] = { c->in[0], c->in[2], shift };
  bool wide = out[0]->dtype == TD_F64;
  if (shift) td_loop(out[0], 3, in, wide ? modulate_f64 : modulate_f32, NULL);
  else td_loop(out[0], 2, in, wide ? scale_f64 : scale_f32, NULL);
  return TD_OK;
}
static td_status k_addcmul(const td_call *c, td_tensor **out) {
  td_loop(out[0], 3, c->in,
          out[0]->dtype == TD_F64 ? addcmul_f64 : addcmul_f32, NULL);
  return TD_OK;
}

/* da = g b, and db = g a, which is written through the last operand */
#define PAIR(name, type) \
  static void name(char *const *p, int64_t n, int64_t begin, const void *ctx) { \
    type *da = (type *)p[0], *db = (type *)p[4]; \
    const type *g = (type *)p[1], *a = (type *)p[2], *b = (type *)p[3]; \
    (void)begin; (void)ctx; \
    TD_IVDEP for (int64_t i = 0; i < n; i++) { da[i] = g[i] * b[i]; db[i] = g[i] * a[i]; } \
  }
PAIR(pair_f32, float)
PAIR(pair_f64, double)

static td_status k_addcmul_grad(const td_call *c, td_tensor **out) {
  td_tensor *in[] = { c->in[0], c->in[1], c->in[2], out[1] };
  td_loop(out[0], 4, in, out[0]->dtype == TD_F64 ? pair_f64 : pair_f32, NULL);
  return TD_OK;
}

/* ---- sinusoid ---- */

typedef struct wave {
  const td_tensor *t, *y;
  const double *rate;      /* max_period^(-i/half), monotone */
  int64_t half;
} wave;

static void turn_f32(float t, const double *restrict rate, float *restrict c,
                     float *restrict s, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t q;
    float a = td__trig_split(t * (float)rate[i], &q);
    c[i] = td__sin_quadrant(a, q + 1);
    s[i] = td__sin_quadrant(a, q);
  }
}

static void wave_f32(void *ctx, int64_t begin, int64_t end) {
  const wave *w = ctx;
  double most = fmax(w->rate[0], w->rate[w->half - 1]);
  for (int64_t r = begin; r < end; r++) {
    float t = ((const float *)w->t->data)[r];
    float *c = (float *)w->y->data + r * 2 * w->half, *s = c + w->half;
    if (fabs(t * most) <= TD_TRIG_MAX) {
      turn_f32(t, w->rate, c, s, w->half);
      continue;
    }
    for (int64_t i = 0; i < w->half; i++) {
      c[i] = cosf(t * (float)w->rate[i]);
      s[i] = sinf(t * (float)w->rate[i]);
    }
  }
}

static void wave_f64(void *ctx, int64_t begin, int64_t end) {
  const wave *w = ctx;
  for (int64_t r = begin; r < end; r++) {
    double t = ((const double *)w->t->data)[r];
    double *y = (double *)w->y->data + r * 2 * w->half;
    for (int64_t i = 0; i < w->half; i++) {
      y[i] = cos(t * w->rate[i]);
      y[w->half + i] = sin(t * w->rate[i]);
    }
  }
}

static td_status k_sinusoid(const td_call *c, td_tensor **out) {
  int64_t half = c->attr[0].i / 2, n = td__numel(c->in[0]);
  double *rate = td__scratch(sizeof *rate * (size_t)half);
  if (!rate) return td_error_code();
  wave w = { c->in[0], out[0], rate, half };
  for (int64_t i = 0; i < half; i++)
    rate[i] = exp(-log(c->attr[1].f) * (double)i / (double)half);
  td_parallel_range(n, 1 + 1024 / half, out[0]->dtype == TD_F64 ?
                    wave_f64 : wave_f32, &w);
  td__scratch_drop(rate);
  return TD_OK;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_fused)[] = {
  { "modulate", k_modulate }, { "addcmul", k_addcmul },
  { "addcmul_grad", k_addcmul_grad },
  { "sinusoid", k_sinusoid }, { 0 },
};
