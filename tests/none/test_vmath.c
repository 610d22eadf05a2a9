/* test_vmath.c -- the functions of vmath.h against libm in double: a sweep through
** all floats, special values, both with and without fused multiply-add. */
#include "tests/test.h"
#include "tensor/convert.h"
#include "tensor/vmath.h"

enum { STRIDE = 4999, BATCH = 1024 };    /* every 4999th float, a prime */

#if defined(__x86_64__)
#define FUSED __attribute__((target("avx2,fma")))
static bool have_fused(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
#define FUSED
static bool have_fused(void) { return true; }
#endif

/* Error of y in units of the last place of a float near the true value. */
static double ulps(float y, double want) {
  float w = (float)want;
  int e;
  if (isnan(want)) return isnan(y) ? 0 : 1e9;
  if (isnan(y)) return 1e9;
  if (isinf(w) || isinf(y)) {
    if (y == w) return 0;
    bool near = fabs((double)y) >= FLT_MAX * (1 - 0x1p-22) || fabs(want) > FLT_MAX *
      (1 - 0x1p-22);
    return near && (y > 0) == (w > 0) ? 1 : 1e9;
  }
  if (want == 0 && y == 0) return signbit(y) == signbit(w) ? 0 : 1e9;
  frexp(want, &e);
  return fabs(y - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

/* name, reference, largest error allowed in ulp */
#define FUNCTIONS(X) \
  X(exp, exp, 1.1) X(expm1, expm1, 1.8) X(log, log, 1.0) X(log1p, log1p, 1.8) \
  X(sin, sin, 1.7) X(cos, cos, 1.7) X(tan, tan, 2.8) X(asin, asin, 1.9) \
  X(acos, acos, 1.3) X(atan, atan, 1.4) X(sinh, sinh, 2.5) X(cosh, cosh, 1.6) \
  X(tanh, tanh, 2.8) X(sigmoid, sigmoid, 2.6) X(softplus, softplus, 2.9) \
  X(erf, erf, 1.4) X(erfc, erfc, 4.3) X(floor, floor, 0) X(ceil, ceil, 0) \
  X(round, rint, 0) X(trunc, trunc, 0)

typedef struct function {
  const char *name;
  void (*plain)(const float *x, float *y, int n);
  void (*fused)(const float *x, float *y, int n);
  double (*want)(double);
  double tol;
} function;

#define LOOPS(name, want, tol) \
  static void plain_##name(const float *x, float *y, int n) { \
    for (int i = 0; i < n; i++) y[i] = td__##name##f(x[i]); \
  } \
  FUSED static void fused_##name(const float *x, float *y, int n) { \
    for (int i = 0; i < n; i++) y[i] = td__##name##f(x[i]); \
  }
FUNCTIONS(LOOPS)
#define ROW(name, want, tol) { #name, plain_##name, fused_##name, want, tol },
static const function functions[] = { FUNCTIONS(ROW) };

static void check(const function *f, const float *x, int n) {
  float y[BATCH];
  bool trig = f->want == sin || f->want == cos || f->want == tan;
  for (int fused = 0; fused <= have_fused(); fused++) {
    (fused ? f->fused : f->plain)(x, y, n);
    for (int i = 0; i < n; i++) {
      if (trig && fabsf(x[i]) > TD_TRIG_MAX && isfinite(x[i])) continue;
      double e = ulps(y[i], f->want(x[i]));
      if (e > f->tol)
        FAIL("%s(%.9g) is %.9g, not %.9g: %.2f ulp%s", f->name, x[i], y[i],
             f->want(x[i]), e, fused ? " (fused)" : "");
    }
  }
}

TEST(all_floats) {
  for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
    float x[BATCH];
    int n = 0;
    for (uint64_t u = 0; u < 1ull << 32; u += STRIDE) {
      x[n++] = td__float((uint32_t)u);
      if (n == BATCH) {
        check(&functions[k], x, n);
        n = 0;
      }
    }
    check(&functions[k], x, n);
  }
}

static const float special[] = { 0, -0.f, INFINITY, -INFINITY, NAN, 1, -1, .5f,
  -.5f, 2, -2, 3, -3, 1.5f, 2.5f, -2.5f, FLT_MIN, -FLT_MIN, 1e-45f, -1e-45f, FLT_MAX,
  -FLT_MAX, 88.72284f, 88.72285f, -87.3366f, -103.972f, -104, 8388607.5f, 8388609.f,
  16777215.f, -16777215.f, 16777216.f, 1e30f, -1e30f, .9f, 10.05f, -.99999994f };
enum { SPECIAL = sizeof special / sizeof *special };

TEST(special_values) {
  for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
    check(&functions[k], special, SPECIAL);
}

/* ---- two arguments ---- */

static double power(double x, double y) { return pow(x, y); }
#define LOOPS2(name) \
  static void plain_##name(const float *a, const float *b, float *y, int n) { \
    for (int i = 0; i < n; i++) y[i] = td__##name##f(a[i], b[i]); \
  } \
  FUSED static void fused_##name(const float *a, const float *b, float *y, int n) { \
    for (int i = 0; i < n; i++) y[i] = td__##name##f(a[i], b[i]); \
  }
LOOPS2(pow)
LOOPS2(atan2)

static void check2(const float *a, const float *b, int n) {
  static void (*const f[2][2])(const float *, const float *, float *, int) = {
    { plain_pow, fused_pow }, { plain_atan2, fused_atan2 } };
  static double (*const want[2])(double, double) = { power, atan2 };
  static const double tol[2] = { .51, 1.7 };
  float y[BATCH];
  for (int k = 0; k < 2; k++)
    for (int fused = 0; fused <= have_fused(); fused++) {
      f[k][fused](a, b, y, n);
      for (int i = 0; i < n; i++) {
        double e = ulps(y[i], want[k](a[i], b[i]));
        if (e > tol[k])
          FAIL("%s(%.9g, %.9g) is %.9g, not %.9g: %.2f ulp", k ? "atan2" : "pow",
               a[i], b[i], y[i], want[k](a[i], b[i]), e);
      }
    }
}

TEST(pairs) {
  float a[BATCH], b[BATCH];
  int n = 0;
  uint32_t s = 1;
  for (int i = 0; i < SPECIAL; i++)
    for (int j = 0; j < SPECIAL; j++) {
      a[n] = special[i];
      b[n++] = special[j];
      if (n == BATCH) { check2(a, b, n); n = 0; }
    }
  check2(a, b, n);
  for (int round = 0; round < 400; round++) {
    for (int i = 0; i < BATCH; i++) {
      a[i] = td__float(s = s * 1664525u + 1013904223u);
      b[i] = td__float(s = s * 1664525u + 1013904223u);
      if (round & 1) {
        a[i] = ldexpf((float)(s >> 8), -20);
        b[i] = round & 2 ? (float)((int)(s % 61) - 30) : (float)(int32_t)s * 0x1p-27f;
      }
    }
    check2(a, b, BATCH);
  }
}

/* ---- derivatives: the limits far out, and a few values by hand ---- */

TEST(activation_derivatives) {
  for (int i = -400; i <= 400; i++) {
    float b = (float)i * .1f;
    CHECK_NEAR(TD_SILU_GRAD(1.f, b), td__silu_grad(1, b), 4e-7);
    CHECK_NEAR(TD_SILU_GRAD2(1.f, b), td__silu_grad2(1, b), 4e-7);
    CHECK_NEAR(TD_GELU_GRAD(1.f, b), td__gelu_grad(1, b), 4e-7);
    double h = 1e-5, up = (double)b + h, dn = (double)b - h;
    CHECK_NEAR(td__silu_grad(1, b),
               (up * sigmoid(up) - dn * sigmoid(dn)) / (2 * h), 1e-9);
    CHECK_NEAR(td__silu_grad2(1, b),
               (td__silu_grad(1, up) - td__silu_grad(1, dn)) / (2 * h), 1e-9);
    CHECK_NEAR(td__gelu_grad(1, b),
               .5 * (up * erfc(-up * M_SQRT1_2) - dn * erfc(-dn * M_SQRT1_2)) /
               (2 * h), 1e-9);
  }
  CHECK(TD_SILU_GRAD(2.f, INFINITY) == 2 && TD_SILU_GRAD(2.f, -INFINITY) == 0);
  CHECK(TD_GELU_GRAD(2.f, INFINITY) == 2 && TD_GELU_GRAD(2.f, -INFINITY) == 0);
  CHECK(TD_SILU_GRAD2(2.f, INFINITY) == 0 && isnan(TD_SILU_GRAD(1.f, (float)NAN)));
}

TEST(types_choose_functions) {
  CHECK(sizeof TD_EXP(1.f) == sizeof(float) && sizeof TD_EXP(1.) == sizeof(double));
  CHECK_NEAR(TD_EXP(1.), exp(1), 0);
  CHECK_INT(TD_ABS((int64_t)-5), 5);
  CHECK_INT(TD_ABS((int32_t)-5), 5);
  CHECK_INT(TD_FLOOR((uint8_t)7), 7);
  CHECK_NEAR(TD_FLOOR(-1.5f), -2, 0);
  CHECK_INT(TD_REMAINDER((int32_t)-7, (int32_t)3), 2);
  CHECK_INT(TD_FLOORDIV((int64_t)-7, (int64_t)3), -3);
  CHECK_NEAR(TD_REMAINDER(-7.5, 2.), .5, 0);
  CHECK_NEAR(TD_REMAINDER(7.5f, -2.f), -.5, 0);
  CHECK(TD_MAXREAL(1.f) == FLT_MAX && TD_MAXREAL((uint8_t)1) == 255);
}

TEST(bf16_rounds_to_nearest_even) {
  CHECK_INT(td__to_bf16(1), 0x3f80);
  CHECK_INT(td__to_bf16(1.00390625f), 0x3f80);      /* a half above even */
  CHECK_INT(td__to_bf16(1.01171875f), 0x3f82);      /* a half above odd */
  CHECK_INT(td__to_bf16(1.00390637f), 0x3f81);
  CHECK_INT(td__to_bf16(INFINITY), 0x7f80);
  CHECK_INT(td__to_bf16(FLT_MAX), 0x7f80);
  CHECK(isnan(td__of_bf16(td__to_bf16(NAN))));
  CHECK(isnan(td__of_bf16(td__to_bf16(td__float(0x7f800001u)))));
  for (uint32_t h = 0; h < 0x10000; h++) {
    float x = td__of_bf16((uint16_t)h);
    if (!isnan(x)) CHECK_INT(td__to_bf16(x), h);
  }
}
