/* vmath.h -- elementary functions that compilers turn into vector code.
**
** Single precision: no branch, no table, no call, so that a loop over one of
** these becomes SIMD code on every instruction set and the same text serves CUDA.
** Each covers all inputs: infinities, NaN, signed zeros and subnormals included.
** Polynomials are minimax fits made for this file.  Largest errors over all
** floats, in units in the last place (ulp) of the result, the larger of those
** without and with fused multiply-add (tests/none/test_vmath.c checks them):
**
**   exp 1.0     expm1 1.7   log 1.0    log1p 1.7  sin 1.6      cos 1.6
**   tan 2.6     asin 1.8    acos 1.2   atan 1.3   sinh 2.3     cosh 1.5
**   tanh 2.6    sigmoid 2.5 erf 1.3    erfc 4.1   softplus 2.7 pow 0.51
**   atan2 1.6   floor, ceil, round, trunc exact
**
** td__sinf, td__cosf and td__tanf hold for |x| <= TD_TRIG_MAX; a kernel hands
** larger arguments to libm.  Double precision is libm throughout.
**
** TD_EXP(x) and its like choose by the type of x; the formulas of
** elementwise.def are written with them. */
#ifndef TD_VMATH_H
#define TD_VMATH_H
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define TD_HD static __host__ __device__ __forceinline__
#else
#define TD_HD static inline __attribute__((always_inline, unused))
#endif

#define TD_TRIG_MAX 1e6f

/* ---- bits and choices ---- */
TD_HD uint32_t td__bits(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}
TD_HD float td__float(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}
TD_HD uint64_t td__bits64(double x) {
  uint64_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}
TD_HD double td__double(uint64_t u) {
  double x;
  memcpy(&x, &u, sizeof x);
  return x;
}
TD_HD float td__absf(float x) { return td__float(td__bits(x) & 0x7fffffffu); }
/* |x| with the sign of s */
TD_HD float td__signf(float x, float s) {
  return td__float((td__bits(x) & 0x7fffffffu) | (td__bits(s) & 0x80000000u));
}
TD_HD float td__sqrtf(float x) { return sqrtf(x); }

/* Adding this to a small x leaves round(x) in the low bits of the sum. */
#define TD__MAGIC 12582912.f             /* 1.5 * 2^23 */
#define TD__MAGIC_BITS 0x4b400000u
#define TD__MAGIC64 6755399441055744.    /* 1.5 * 2^52 */

TD_HD float td__pow2f(int32_t n) {       /* 2^n for -126 <= n <= 127 */
  return td__float((uint32_t)(n + 127) << 23);
}

/* ---- rounding ---- */
TD_HD float td__roundf(float x) {        /* halves to even */
#if defined(__SSE4_1__) || defined(__CUDA_ARCH__) || !defined(__x86_64__)
  return rintf(x);
#else
  float a = td__absf(x), r = (a + 8388608.f) - 8388608.f;
  return td__signf(a < 8388608.f ? r : a, x);
#endif
}
TD_HD float td__floorf(float x) {
#if defined(__SSE4_1__) || defined(__CUDA_ARCH__) || !defined(__x86_64__)
  return floorf(x);
#else
  float r = td__roundf(x);
  return td__signf(r > x ? r - 1 : r, x);
#endif
}
TD_HD float td__ceilf(float x) { return -td__floorf(-x); }
TD_HD float td__truncf(float x) {
  return td__signf(td__floorf(td__absf(x)), x);
}

/* ---- exponential family ---- */
#define TD__LOG2E 0x1.715476p+0f
#define TD__LN2_HI 0x1.63p-1f            /* short: n * LN2_HI is exact */
#define TD__LN2_LO -0x1.bd0106p-13f      /* ln 2 - LN2_HI */

/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2 */
TD_HD float td__exp_poly(float r) {
  float q = 0x1.6ab2bcp-10f;
  q = q * r + 0x1.122c7ap-7f;
  q = q * r + 0x1.55579ep-5f;
  q = q * r + 0x1.5554aap-3f;
  return q * r + 0x1.fffffep-2f;
}

/* exp(x) = 2^n * e with e in [.7, 1.42]; x in [-150, 150] or NaN */
TD_HD float td__exp_split(float x, int32_t *n) {
  float t = x * TD__LOG2E + TD__MAGIC;
  float f = t - TD__MAGIC;
  float r = (x - f * TD__LN2_HI) - f * TD__LN2_LO;
  *n = (int32_t)(td__bits(t) - TD__MAGIC_BITS);
  return 1 + (r + r * r * td__exp_poly(r));
}

/* exp(x) 2^-k: two factors, so that results may be subnormal or overflow */
TD_HD float td__exp_scaled(float x, int32_t k) {
  int32_t n, half;
  x = x > 91 ? 91.f : x;
  x = x < -105 ? -105.f : x;
  float e = td__exp_split(x, &n);
  n -= k;
  half = n >> 1;
  return e * td__pow2f(half) * td__pow2f(n - half);
}
TD_HD float td__expf(float x) { return td__exp_scaled(x, 0); }

/* exp(-x) for x >= 0 where results below 1e-38 do not matter */
TD_HD float td__exp_neg(float x) {
  int32_t n;
  float e = td__exp_split(x > 87 ? -87.f : -x, &n);
  return e * td__pow2f(n);
}

TD_HD float td__expm1f(float x) {
  float c = x > 89 ? 89.f : x;
  c = c < -30 ? -30.f : c;
  float t = c * TD__LOG2E + TD__MAGIC;
  float f = t - TD__MAGIC;
  float r = (c - f * TD__LN2_HI) - f * TD__LN2_LO;
  float m = r + r * r * td__exp_poly(r);
  /* half of 2^n m + (2^n - 1), since 2^128 is no float */
  float s = td__pow2f((int32_t)(td__bits(t) - TD__MAGIC_BITS) - 1);
  float y = (s * m + (s - .5f)) * 2;
  return td__absf(x) < 0x1p-25f ? x : y;
}

TD_HD float td__sigmoidf(float x) {
  float e = td__expf(-td__absf(x));
  return (x < 0 ? e : 1.f) / (1 + e);
}

TD_HD float td__tanhf(float x) {
  float a = td__absf(x);
  a = a > 10 ? 10.f : a;
  float t = td__expm1f(2 * a);
  return td__signf(t / (t + 2), x);
}
TD_HD float td__sinhf(float x) {
  float a = td__absf(x), t = td__expm1f(a);
  float y = a < 80 ? .5f * (t + t / (t + 1)) : td__exp_scaled(a, 1);
  return td__signf(y, x);
}
TD_HD float td__coshf(float x) {
  float e = td__exp_scaled(td__absf(x), 1);
  return e + .25f / e;
}

/* ---- logarithms ---- */
/* log(1 + f) - f, for f in [-1/3, 1/3] */
TD_HD float td__log_tail(float f) {
  float p = -0x1.080592p-3f, ff = f * f;
  p = p * f + 0x1.1e66b8p-3f;
  p = p * f - 0x1.f3113cp-4f;
  p = p * f + 0x1.1ed718p-3f;
  p = p * f - 0x1.559dccp-3f;
  p = p * f + 0x1.99d028p-3f;
  p = p * f - 0x1.fffef0p-3f;
  p = p * f + 0x1.555506p-2f;
  return ff * (p * f - .5f);
}

/* x = 2^n m with m in [2/3, 4/3), for positive normal x */
TD_HD float td__log_split(float x, int32_t *n) {
  uint32_t u = td__bits(x) - 0x3f2aaaabu;
  *n = (int32_t)u >> 23;
  return td__float((u & 0x7fffffu) + 0x3f2aaaabu);
}

TD_HD float td__logf(float x) {
  int32_t n;
  int tiny = x < FLT_MIN;
  float f = td__log_split(tiny ? x * 0x1p23f : x, &n) - 1;
  float e = (float)n - (tiny ? 23.f : 0.f);
  float y = e * TD__LN2_HI + (f + (td__log_tail(f) + e * TD__LN2_LO));
  y = x > 0 ? y : (x == 0 ? -INFINITY : NAN);
  return x == INFINITY ? x : y;
}

TD_HD float td__log1pf(float x) {
  int32_t n;
  float u = 1 + x;
  /* what the sum lost; for |x| > 1 the other term was the exact one */
  float lost = x > 1 ? 1 - (u - x) : x - (u - 1);
  float m = td__log_split(u, &n);
  /* lost 2^-n; beyond 2^60 it is nothing */
  float f = (m - 1) + lost * td__pow2f(n > 60 ? -60 : -n);
  float e = (float)n;
  float y = e * TD__LN2_HI + (f + (td__log_tail(f) + e * TD__LN2_LO));
  y = u > 0 ? y : (u == 0 ? -INFINITY : NAN);
  y = x == INFINITY ? x : y;
  return td__absf(x) < 0x1p-25f ? x : y;
}

TD_HD float td__softplusf(float x) {
  /* log(1 + u) = 2 atanh(u / (2 + u)), and u <= 1 */
  float u = td__expf(-td__absf(x));
  float s = u / (2 + u), z = s * s;
  float p = 0x1.1eca18p-2f;
  p = p * z + 0x1.1ec040p-2f;
  p = p * z + 0x1.99d1ccp-2f;
  p = p * z + 0x1.555502p-1f;
  float y = 2 * s + s * z * p;
  return x > 0 ? x + y : y;
}

/* ---- trigonometry ---- */
/* x = q pi/2 + r with |r| <= pi/4, in double: exact enough up to TD_TRIG_MAX */
TD_HD float td__trig_split(float x, uint32_t *q) {
  double t = (double)x * 0x1.45f306dc9c883p-1 + TD__MAGIC64;
  double n = t - TD__MAGIC64;
  *q = (uint32_t)td__bits64(t);
  return (float)(((double)x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a626331p-34);
}
TD_HD float td__sin_poly(float r) {
  float z = r * r, p = -0x1.9953fep-13f;
  p = p * z + 0x1.110778p-7f;
  p = p * z - 0x1.555546p-3f;
  return r + r * z * p;
}
TD_HD float td__cos_poly(float r) {
  float z = r * r, p = 0x1.99e80cp-16f;
  p = p * z - 0x1.6c0c28p-10f;
  p = p * z + 0x1.55554ap-5f;
  return 1 + z * (p * z - .5f);
}
/* sine of r + q pi/2 */
TD_HD float td__sin_quadrant(float r, uint32_t q) {
  float y = q & 1 ? td__cos_poly(r) : td__sin_poly(r);
  return td__float(td__bits(y) ^ ((q & 2) << 30));
}
TD_HD float td__sinf(float x) {
  uint32_t q;
  float r = td__trig_split(x, &q);
  return x == 0 ? x : td__sin_quadrant(r, q);
}
TD_HD float td__cosf(float x) {
  uint32_t q;
  float r = td__trig_split(x, &q);
  return td__sin_quadrant(r, q + 1);
}
TD_HD float td__tanf(float x) {
  uint32_t q;
  float r = td__trig_split(x, &q), z = r * r, p = 0x1.1e91c2p-8f;
  p = p * z + 0x1.9c0db6p-14f;
  p = p * z + 0x1.62cb30p-7f;
  p = p * z + 0x1.5cc0d4p-6f;
  p = p * z + 0x1.bad9c2p-5f;
  p = p * z + 0x1.110d9ep-3f;
  p = p * z + 0x1.555560p-2f;
  float t = r + r * z * p;
  float y = q & 1 ? -1 / t : t;
  return x == 0 ? x : y;
}

#define TD__PI_2 0x1.921fb6p+0f          /* pi / 2 and what it lacks */
#define TD__PI_2_LO -0x1.777a5cp-25f

TD_HD float td__asin_tail(float x) {     /* asin(x) - x for |x| <= 1/2 */
  float z = x * x, p = 0x1.595c90p-5f;
  p = p * z + 0x1.8c3e28p-6f;
  p = p * z + 0x1.747bbap-5f;
  p = p * z + 0x1.330204p-4f;
  p = p * z + 0x1.5555c8p-3f;
  return x * z * p;
}
TD_HD float td__asinf(float x) {
  float a = td__absf(x);
  int big = a > .5f;
  float s = big ? td__sqrtf(.5f - .5f * a) : a;
  float t = td__asin_tail(s);
  float y = big ? TD__PI_2 - (2 * s + (2 * t - TD__PI_2_LO)) : s + t;
  return td__signf(y, x);
}
TD_HD float td__acosf(float x) {
  float a = td__absf(x);
  int big = a > .5f;
  float s = big ? td__sqrtf(.5f - .5f * a) : x;
  float t = td__asin_tail(s);
  float mid = TD__PI_2 - (s + (t - TD__PI_2_LO));
  float end = 2 * (s + t);
  end = x < 0 ? 2 * TD__PI_2 - (end - 2 * TD__PI_2_LO) : end;
  return big ? end : mid;
}

TD_HD float td__atan_tail(float x) {     /* atan(x) - x for |x| <= 1 */
  float z = x * x, p = -0x1.d32d2ep-10f;
  p = p * z + 0x1.6410a4p-7f;
  p = p * z - 0x1.fd6f88p-6f;
  p = p * z + 0x1.da24b4p-5f;
  p = p * z - 0x1.580810p-4f;
  p = p * z + 0x1.c08c1ap-4f;
  p = p * z - 0x1.242084p-3f;
  p = p * z + 0x1.9991e4p-3f;
  p = p * z - 0x1.55553ep-2f;
  return x * z * p;
}
TD_HD float td__atanf(float x) {
  float a = td__absf(x);
  int big = a > 1;
  float r = big ? 1 / a : a;
  float t = td__atan_tail(r);
  float y = big ? TD__PI_2 - (r + (t - TD__PI_2_LO)) : r + t;
  return td__signf(y, x);
}
/* atan2 in two parts would lose digits for tiny quotients, so the quotient of
** the smaller by the larger is formed once and unfolded. */
TD_HD float td__atan2f(float y, float x) {
  float a = td__absf(y), b = td__absf(x);
  float lo = a < b ? a : b, hi = a < b ? b : a;
  float r = hi == 0 ? 0.f : (lo == INFINITY ? 1.f : lo / hi);
  float t = td__atan_tail(r);
  float v = a > b ? TD__PI_2 - (r + (t - TD__PI_2_LO)) : r + t;
  v = td__bits(x) >> 31 ? 2 * TD__PI_2 - (v - 2 * TD__PI_2_LO) : v;
  return a != a || b != b ? x + y : td__signf(v, y);
}

/* ---- error function ---- */
TD_HD float td__erf_small(float x) {     /* |x| <= .9 */
  float z = x * x, p = -0x1.3ba9d6p-11f;
  p = p * z + 0x1.479c9ep-8f;
  p = p * z - 0x1.b69b96p-6f;
  p = p * z + 0x1.ce1b86p-4f;
  p = p * z - 0x1.8126ecp-2f;
  p = p * z + 0x1.06eba6p-3f;
  return x + x * p;
}
TD_HD float td__erff(float x) {
  float a = td__absf(x), c = a > 3.95f ? 3.95f : a;
  float p = -0x1.9fb426p-13f;            /* -log(1 - erf(a)) from .9 on */
  p = p * c + 0x1.91cd6cp-9f;
  p = p * c - 0x1.6d9cf6p-6f;
  p = p * c + 0x1.aa7326p-4f;
  p = p * c + 0x1.4621bap-1f;
  p = p * c + 0x1.20b752p+0f;
  p = p * c + 0x1.5d10fap-13f;
  float large = td__signf(1 - td__exp_neg(p), x);
  return a < .9f ? td__erf_small(x) : large;
}
/* erfc(a) exp(a^2) (1 + 2a) is smooth; t folds [.5, 10.1] to [-.67, .6] */
TD_HD float td__erfcf(float x) {
  float a = td__absf(x);
  a = a > 10.5f ? 10.5f : a;
  float t = (2 - a) / (2 + a);
  float p = -0x1.66e010p-10f;
  p = p * t - 0x1.f191aap-11f;
  p = p * t + 0x1.1e34d8p-7f;
  p = p * t + 0x1.045f8ep-7f;
  p = p * t - 0x1.bc3c56p-5f;
  p = p * t - 0x1.4ff522p-3f;
  p = p * t - 0x1.54075ep-3f;
  p = p * t + 0x1.7bf59ep-4f;
  p = p * t + 0x1.46e80ep+0f;
  /* a^2 = h + l exactly, by halves of 12 bits */
  float h = a * a, ah = td__float(td__bits(a) & 0xfffff000u), al = a - ah;
  float l = ((ah * ah - h) + 2 * ah * al) + al * al;
  float e = td__expf(-h);
  float y = (e - e * l) * (p / (1 + 2 * a));
  y = x < 0 ? 2 - y : y;
  return td__absf(x) < .5f ? 1 - td__erf_small(x) : y;
}

/* ---- power: log2 and 2^ in double, which leaves half an ulp ---- */
TD_HD double td__log2_wide(float x) {    /* x > 0, finite */
  uint64_t u = td__bits64((double)x) - 0x3fe5555555555555ull;
  /* arithmetic shift of the upper half: 64-bit ones are slow as vectors */
  int32_t n = (int32_t)(uint32_t)(u >> 32) >> 20;
  double m = td__double((u & 0xfffffffffffffull) + 0x3fe5555555555555ull);
  double s = (m - 1) / (m + 1), z = s * s;
  double p = 0x1.01149d99818dcp-2;
  p = p * z + 0x1.0aec1d505b954p-2;
  p = p * z + 0x1.4856f796742d8p-2;
  p = p * z + 0x1.a61737b589590p-2;
  p = p * z + 0x1.2776c533d1158p-1;
  p = p * z + 0x1.ec709dc388952p-1;
  p = p * z + 0x1.71547652b8308p+1;
  return (double)n + s * p;
}
TD_HD float td__exp2_wide(double t) {    /* rounds once, when narrowed */
  t = t > 200 ? 200. : t;
  t = t < -200 ? -200. : t;
  double w = t + TD__MAGIC64, g = t - (w - TD__MAGIC64);
  double p = 0x1.fe1757ef11a5dp-17;
  p = p * g + 0x1.446a43e64d3b7p-13;
  p = p * g + 0x1.5d8a7108017b4p-10;
  p = p * g + 0x1.3b29dc143fbcep-7;
  p = p * g + 0x1.c6b08aae569fap-5;
  p = p * g + 0x1.ebfbe0a4f32c4p-3;
  p = p * g + 0x1.62e42ff116c05p-1;
  p = p * g + 0x1.ffffffffab9a9p-1;
  return (float)(p * td__double((td__bits64(w) + 1023) << 52));
}
TD_HD float td__powf(float x, float y) {
  float a = td__absf(x), b = td__absf(y);
  float fin = a > FLT_MAX ? FLT_MAX : (a == 0 ? 1 : a);
  double l = td__log2_wide(fin);
  l = a == INFINITY ? 1e300 : (a == 0 ? -1e300 : l);
  float v = td__exp2_wide((double)y * l);
  int integer = td__truncf(y) == y;
  int odd = integer & (td__truncf(y * .5f) * 2 != y);
  v = a == 1 ? 1.f : v;
  v = (x < 0) & !integer & (b < INFINITY) & (a < INFINITY) ? NAN : v;
  v = td__float(td__bits(v) ^ (odd ? td__bits(x) & 0x80000000u : 0u));
  v = (x != x) | (y != y) ? NAN : v;
  return (y == 0) | (x == 1) ? 1.f : v;
}

/* ---- double precision: libm ---- */
TD_HD double td__abs(double x) { return fabs(x); }
TD_HD double td__sqrt(double x) { return sqrt(x); }
TD_HD double td__floor(double x) { return floor(x); }
TD_HD double td__ceil(double x) { return ceil(x); }
TD_HD double td__round(double x) { return rint(x); }
TD_HD double td__trunc(double x) { return trunc(x); }
TD_HD double td__exp(double x) { return exp(x); }
TD_HD double td__expm1(double x) { return expm1(x); }
TD_HD double td__log(double x) { return log(x); }
TD_HD double td__log1p(double x) { return log1p(x); }
TD_HD double td__sin(double x) { return sin(x); }
TD_HD double td__cos(double x) { return cos(x); }
TD_HD double td__tan(double x) { return tan(x); }
TD_HD double td__asin(double x) { return asin(x); }
TD_HD double td__acos(double x) { return acos(x); }
TD_HD double td__atan(double x) { return atan(x); }
TD_HD double td__sinh(double x) { return sinh(x); }
TD_HD double td__cosh(double x) { return cosh(x); }
TD_HD double td__tanh(double x) { return tanh(x); }
TD_HD double td__erf(double x) { return erf(x); }
TD_HD double td__erfc(double x) { return erfc(x); }
TD_HD double td__pow(double x, double y) { return pow(x, y); }
TD_HD double td__atan2(double y, double x) { return atan2(y, x); }
TD_HD double td__sigmoid(double x) { return 1 / (1 + exp(-x)); }
TD_HD double td__softplus(double x) {
  return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

/* ---- both precisions: derivatives of activations, remainders ----
** Far out the products would be inf * 0, so b is first limited to a range
** outside of which the result no longer changes. */
#define TD__BOTH(real, f) \
TD_HD real td__silu_grad##f(real a, real b) { \
  b = b > 1000 ? (real)1000 : b < -1000 ? (real)-1000 : b; \
  real e = td__exp##f(-td__abs##f(b)), r = 1 / (1 + e); \
  real s = b < 0 ? e * r : r, c = b < 0 ? r : e * r; \
  return a * (s + b * (s * c)); \
} \
TD_HD real td__silu_grad2##f(real a, real b) { \
  b = b > 1000 ? (real)1000 : b < -1000 ? (real)-1000 : b; \
  real e = td__exp##f(-td__abs##f(b)), r = 1 / (1 + e); \
  real s = b < 0 ? e * r : r, c = b < 0 ? r : e * r; \
  return a * (s * c * (2 + b * (c - s))); \
} \
TD_HD real td__gelu_grad##f(real a, real b) { \
  b = b > 100 ? (real)100 : b < -100 ? (real)-100 : b; \
  real phi = (real).39894228040143267794 * td__exp##f((real)-.5 * b * b); \
  real cum = (real).5 * (1 + td__erf##f(b * (real).70710678118654752440)); \
  return a * (cum + b * phi); \
} \
TD_HD real td__remainder##f(real a, real b) { \
  real r = fmod##f(a, b); \
  return r != 0 && (r < 0) != (b < 0) ? r + b : r; \
} \
TD_HD real td__floordiv##f(real a, real b) { return td__floor##f(a / b); }
TD__BOTH(float, f)
TD__BOTH(double, )

/* ---- integers: what the formulas need; b is not 0 ---- */
#define TD__SIGNED(T, U, sfx) \
TD_HD T td__abs_##sfx(T x) { return x < 0 ? (T)(0 - (U)x) : x; } \
TD_HD T td__same_##sfx(T x) { return x; } \
TD_HD T td__remainder_##sfx(T a, T b) { \
  if (b == -1) return 0; \
  T r = a % b; \
  return r != 0 && (r < 0) != (b < 0) ? r + b : r; \
} \
TD_HD T td__floordiv_##sfx(T a, T b) { \
  if (b == -1) return (T)(0 - (U)a); \
  return a / b - (a % b != 0 && (a < 0) != (b < 0)); \
}
TD__SIGNED(int32_t, uint32_t, i32)
TD__SIGNED(int64_t, uint64_t, i64)
TD_HD uint8_t td__same_u8(uint8_t x) { return x; }
TD_HD uint8_t td__remainder_u8(uint8_t a, uint8_t b) { return a % b; }
TD_HD uint8_t td__floordiv_u8(uint8_t a, uint8_t b) { return a / b; }

/* ---- by the type of the argument ---- */
#ifdef __cplusplus
#define TD__OVERLOAD1(name) \
TD_HD float td__any_##name(float x) { return td__##name##f(x); } \
TD_HD double td__any_##name(double x) { return td__##name(x); }
#define TD__OVERLOAD2(name) \
TD_HD float td__any_##name(float a, float b) { return td__##name##f(a, b); } \
TD_HD double td__any_##name(double a, double b) { return td__##name(a, b); }
#define TD__SAME(name) \
TD_HD int32_t td__any_##name(int32_t x) { return x; } \
TD_HD int64_t td__any_##name(int64_t x) { return x; } \
TD_HD uint8_t td__any_##name(uint8_t x) { return x; } \
TD_HD bool td__any_##name(bool x) { return x; }
#define TD__OVERLOADI(name) \
TD_HD int32_t td__any_##name(int32_t a, int32_t b) { return td__##name##_i32(a, b); } \
TD_HD int64_t td__any_##name(int64_t a, int64_t b) { return td__##name##_i64(a, b); } \
TD_HD uint8_t td__any_##name(uint8_t a, uint8_t b) { return td__##name##_u8(a, b); }
TD__OVERLOAD1(sqrt) TD__OVERLOAD1(exp) TD__OVERLOAD1(expm1) TD__OVERLOAD1(log)
TD__OVERLOAD1(log1p) TD__OVERLOAD1(sin) TD__OVERLOAD1(cos) TD__OVERLOAD1(tan)
TD__OVERLOAD1(asin) TD__OVERLOAD1(acos) TD__OVERLOAD1(atan) TD__OVERLOAD1(sinh)
TD__OVERLOAD1(cosh) TD__OVERLOAD1(tanh) TD__OVERLOAD1(erf) TD__OVERLOAD1(erfc)
TD__OVERLOAD1(sigmoid) TD__OVERLOAD1(softplus)
TD__OVERLOAD1(floor) TD__OVERLOAD1(ceil) TD__OVERLOAD1(round) TD__OVERLOAD1(trunc)
TD__SAME(floor) TD__SAME(ceil) TD__SAME(round) TD__SAME(trunc)
TD__OVERLOAD1(abs)
TD_HD int32_t td__any_abs(int32_t x) { return td__abs_i32(x); }
TD_HD int64_t td__any_abs(int64_t x) { return td__abs_i64(x); }
TD_HD uint8_t td__any_abs(uint8_t x) { return x; }
TD_HD bool td__any_abs(bool x) { return x; }
TD__OVERLOAD2(pow) TD__OVERLOAD2(atan2) TD__OVERLOAD2(silu_grad)
TD__OVERLOAD2(silu_grad2) TD__OVERLOAD2(gelu_grad)
TD__OVERLOAD2(remainder) TD__OVERLOAD2(floordiv)
TD__OVERLOADI(remainder) TD__OVERLOADI(floordiv)
TD_HD float td__any_maxreal(float) { return FLT_MAX; }
TD_HD double td__any_maxreal(double) { return DBL_MAX; }
TD_HD int32_t td__any_maxreal(int32_t) { return INT32_MAX; }
TD_HD int64_t td__any_maxreal(int64_t) { return INT64_MAX; }
TD_HD uint8_t td__any_maxreal(uint8_t) { return UINT8_MAX; }
TD_HD bool td__any_maxreal(bool) { return true; }
#define TD__F1(name, x) td__any_##name(x)
#define TD__F2(name, a, b) td__any_##name(a, b)
#define TD__R1(name, x) td__any_##name(x)
#define TD__I2(name, a, b) td__any_##name(a, b)
#define TD_ABS(x) td__any_abs(x)
#define TD_MAXREAL(x) td__any_maxreal(x)
#else
#define TD__F1(name, x) \
  _Generic((x), float: td__##name##f, default: td__##name)(x)
#define TD__F2(name, a, b) \
  _Generic((a), float: td__##name##f, default: td__##name)(a, b)
#define TD__R1(name, x) \
  _Generic((x), float: td__##name##f, double: td__##name, \
           int32_t: td__same_i32, int64_t: td__same_i64, \
           default: td__same_u8)(x)
#define TD__I2(name, a, b) \
  _Generic((a), float: td__##name##f, double: td__##name, \
           int32_t: td__##name##_i32, int64_t: td__##name##_i64, \
           default: td__##name##_u8)(a, b)
#define TD_ABS(x) \
  _Generic((x), float: td__absf, double: td__abs, int32_t: td__abs_i32, \
           int64_t: td__abs_i64, default: td__same_u8)(x)
#define TD_MAXREAL(x) \
  _Generic((x), float: FLT_MAX, double: DBL_MAX, int32_t: INT32_MAX, \
           int64_t: INT64_MAX, default: UINT8_MAX)
#endif

#define TD_SQRT(x) TD__F1(sqrt, x)
#define TD_EXP(x) TD__F1(exp, x)
#define TD_EXPM1(x) TD__F1(expm1, x)
#define TD_LOG(x) TD__F1(log, x)
#define TD_LOG1P(x) TD__F1(log1p, x)
#define TD_SIN(x) TD__F1(sin, x)
#define TD_COS(x) TD__F1(cos, x)
#define TD_TAN(x) TD__F1(tan, x)
#define TD_ASIN(x) TD__F1(asin, x)
#define TD_ACOS(x) TD__F1(acos, x)
#define TD_ATAN(x) TD__F1(atan, x)
#define TD_SINH(x) TD__F1(sinh, x)
#define TD_COSH(x) TD__F1(cosh, x)
#define TD_TANH(x) TD__F1(tanh, x)
#define TD_SIGMOID(x) TD__F1(sigmoid, x)
#define TD_SOFTPLUS(x) TD__F1(softplus, x)
#define TD_ERF(x) TD__F1(erf, x)
#define TD_ERFC(x) TD__F1(erfc, x)
#define TD_FLOOR(x) TD__R1(floor, x)
#define TD_CEIL(x) TD__R1(ceil, x)
#define TD_ROUND(x) TD__R1(round, x)
#define TD_TRUNC(x) TD__R1(trunc, x)
#define TD_POW(a, b) TD__F2(pow, a, b)
#define TD_ATAN2(a, b) TD__F2(atan2, a, b)
#define TD_SILU_GRAD(a, b) TD__F2(silu_grad, a, b)
#define TD_SILU_GRAD2(a, b) TD__F2(silu_grad2, a, b)
#define TD_GELU_GRAD(a, b) TD__F2(gelu_grad, a, b)
#define TD_REMAINDER(a, b) TD__I2(remainder, a, b)
#define TD_FLOORDIV(a, b) TD__I2(floordiv, a, b)

#endif
