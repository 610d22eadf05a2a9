/* cpu_elementwise.c -- CPU kernels of elementwise ops: the formulas of
** elementwise.def as loops over dense pieces, conversions, fills, choices. */
#include "convert.h"
#include "isa.h"
#include "loop.h"
#include "op.h"
#include "vmath.h"
#include <stdatomic.h>

/* Integers may wrap; comparisons of u8 with its own limits are meant. */
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wbool-compare"
#define WRAPS __attribute__((no_sanitize("signed-integer-overflow")))

#define LOOP_HEAD(fn) \
  WRAPS static void fn(char *const *ptr, int64_t n, int64_t begin, \
                       const void *ctx) { \
    (void)begin; (void)ctx;
#define EACH _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)
#define PTR(T, k) ((T *)(void *)ptr[k])

static td_status no_type(const td_call *c, td_dtype t) {
  return td_fail(TD_EDTYPE, "%s: not available for %s; convert with "
                 "x:to(\"f32\")", c->op->name, td_dtype_name(t));
}

/* Runs the loop of the inputs' type. */
static td_status by_type(const td_call *c, td_tensor *out,
                         const td_loop_fn *fns) {
  td_loop_fn fn = fns[c->in[0]->dtype];
  if (!fn) return no_type(c, c->in[0]->dtype);
  td_loop(out, c->nin, c->in, fn, c);
  return TD_OK;
}

/* ---- elementwise.def ---- */

/* what the result of a formula is stored as: kind, type */
#define OUT_F(T) td_c_##T
#define OUT_N(T) td_c_##T
#define OUT_B(T) uint8_t
#define STORE_b8(v) ((v) != 0)
#define STORE_u8(v) (uint8_t)(v)
#define STORE_i32(v) (int32_t)(v)
#define STORE_i64(v) (int64_t)(v)
#define STORE_f32(v) (v)
#define STORE_f64(v) (v)
#define KEEP_F(T, v) (v)
#define KEEP_N(T, v) STORE_##T(v)
#define KEEP_B(T, v) (uint8_t)(v)

/* the types a kind covers */
#define TYPES_F(X, ...) X(f32, __VA_ARGS__) X(f64, __VA_ARGS__)
#define TYPES_N(X, ...) X(b8, __VA_ARGS__) X(u8, __VA_ARGS__) \
  X(i32, __VA_ARGS__) X(i64, __VA_ARGS__) TYPES_F(X, __VA_ARGS__)
#define TYPES_B TYPES_N
#define ID_b8 TD_BOOL
#define ID_u8 TD_U8
#define ID_i32 TD_I32
#define ID_i64 TD_I64
#define ID_bf16 TD_BF16
#define ID_f32 TD_F32
#define ID_f64 TD_F64
#define ENTRY(T, name) [ID_##T] = name##_##T,

#define KERNEL(name, kind) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    static const td_loop_fn fns[TD_DTYPE_COUNT] = { TYPES_##kind(ENTRY, name) }; \
    return by_type(c, out[0], fns); \
  }

#define LOOP1(T, name, kind, formula) \
  LOOP_HEAD(name##_##T) \
    typedef td_c_##T real; \
    OUT_##kind(T) *y = PTR(OUT_##kind(T), 0); \
    const real *xs = PTR(const real, 1); \
    EACH { const real x = xs[i]; y[i] = KEEP_##kind(T, formula); } \
  }
#define UNARY(name, kind, formula, grad, saves, lo, hi, doc) \
  TYPES_##kind(LOOP1, name, kind, formula) \
  KERNEL(name, kind)

#define LOOP2(T, name, kind, formula) \
  LOOP_HEAD(name##_##T) \
    typedef td_c_##T real; \
    OUT_##kind(T) *y = PTR(OUT_##kind(T), 0); \
    const real *as = PTR(const real, 1), *bs = PTR(const real, 2); \
    EACH { \
      const real a = as[i], b = bs[i]; \
      y[i] = KEEP_##kind(T, formula); \
    } \
  }
#define BINARY(name, kind, formula, ga, gb, sa, sb, lo, hi, doc) \
  TYPES_##kind(LOOP2, name, kind, formula) \
  KERNEL(name, kind)
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

/* ---- sine, cosine, tangent: libm where the reduction of vmath.h ends ---- */

#define TRIG_BLOCK 256
#define TRIG(name, libm) \
  LOOP_HEAD(name##_any_f32) \
    for (int64_t at = 0; at < n; at += TRIG_BLOCK) { \
      int64_t m = n - at < TRIG_BLOCK ? n - at : TRIG_BLOCK; \
      const float *x = PTR(const float, 1) + at; \
      float *y = PTR(float, 0) + at; \
      int far = 0; \
      for (int64_t i = 0; i < m; i++) far |= td__absf(x[i]) > TD_TRIG_MAX; \
      if (far) for (int64_t i = 0; i < m; i++) y[i] = libm(x[i]); \
      else name##_f32((char *[]){ (char *)y, (char *)x }, m, 0, ctx); \
    } \
  } \
  static td_status k_##name##_any(const td_call *c, td_tensor **out) { \
    static const td_loop_fn fns[TD_DTYPE_COUNT] = { \
      [TD_F32] = name##_any_f32, [TD_F64] = name##_f64 }; \
    return by_type(c, out[0], fns); \
  }
TRIG(sin, sinf)
TRIG(cos, cosf)
TRIG(tan, tanf)

/* ---- integer division: a divisor of 0 is an error, found beforehand ---- */

#define ZERO(T, name) \
  LOOP_HEAD(name##_##T) \
    const td_c_##T *b = PTR(const td_c_##T, 1); \
    int hit = 0; \
    for (int64_t i = 0; i < n; i++) hit |= b[i] == 0; \
    if (hit) atomic_store((atomic_int *)ctx, 1); \
  }
ZERO(b8, zero)
ZERO(u8, zero)
ZERO(i32, zero)
ZERO(i64, zero)

static td_status check_divisor(const td_call *c) {
  static const td_loop_fn fns[TD_DTYPE_COUNT] = { [TD_BOOL] = zero_b8,
    [TD_U8] = zero_u8, [TD_I32] = zero_i32, [TD_I64] = zero_i64 };
  atomic_int hit = 0;
  td_loop_fn fn = fns[c->in[1]->dtype];
  if (fn && td__numel(c->in[0])) td_loop(NULL, 1, &c->in[1], fn, &hit);
  return !hit ? TD_OK :
    td_fail(TD_EARG, "%s: an integer is divided by 0; convert to f32 for inf "
            "or NaN", c->op->name);
}
static td_status k_remainder_checked(const td_call *c, td_tensor **out) {
  td_status st = check_divisor(c);
  return st ? st : k_remainder(c, out);
}
static td_status k_floor_divide_checked(const td_call *c, td_tensor **out) {
  td_status st = check_divisor(c);
  return st ? st : k_floor_divide(c, out);
}

/* ---- where, clamp ---- */

#define WHERE(bits) \
  LOOP_HEAD(where_##bits) \
    uint##bits##_t *y = PTR(uint##bits##_t, 0); \
    const uint8_t *w = PTR(const uint8_t, 1); \
    const uint##bits##_t *a = PTR(const uint##bits##_t, 2); \
    const uint##bits##_t *b = PTR(const uint##bits##_t, 3); \
    EACH { \
      uint##bits##_t mask = (uint##bits##_t)-(w[i] != 0); \
      y[i] = (uint##bits##_t)((a[i] & mask) | (b[i] & ~mask)); \
    } \
  }
WHERE(8)
WHERE(16)
WHERE(32)
WHERE(64)

static td_status k_where(const td_call *c, td_tensor **out) {
  size_t size = td_dtype_size(out[0]->dtype);
  td_loop(out[0], 3, c->in, size == 1 ? where_8 : size == 2 ? where_16 :
          size == 4 ? where_32 : where_64, NULL);
  return TD_OK;
}

/* Integers are limited to the integers within [min, max]. */
#define CLAMP(T, name) \
  LOOP_HEAD(name##_##T) \
    const td_call *c = ctx; \
    double min = c->attr[0].f, max = c->attr[1].f; \
    td_c_##T lo = td__set_##T((td_c_##T).5 == 0 ? ceil(min) : min); \
    td_c_##T hi = td__set_##T((td_c_##T).5 == 0 ? floor(max) : max); \
    td_c_##T *y = PTR(td_c_##T, 0); \
    const td_c_##T *x = PTR(const td_c_##T, 1); \
    EACH { \
      td_c_##T v = x[i] < lo ? lo : x[i]; \
      y[i] = v > hi ? hi : v; \
    } \
  }
TYPES_N(CLAMP, clamp)
KERNEL(clamp, N)

/* ---- conversions ---- */

#define CONVERT(S, T, ...) \
  LOOP_HEAD(S##_to_##T) \
    td_c_##T *y = PTR(td_c_##T, 0); \
    const td_c_##S *x = PTR(const td_c_##S, 1); \
    EACH y[i] = td__set_##T(td__get_##S(x[i])); \
  }
#define ALL_TO(X, T) X(b8, T) X(u8, T) X(i32, T) X(i64, T) X(bf16, T) \
  X(f32, T) X(f64, T)
#define FROM_ENTRY(S, T) [ID_##S] = S##_to_##T,
#define CONVERSIONS(T) \
  ALL_TO(CONVERT, T) \
  static const td_loop_fn to_##T[TD_DTYPE_COUNT] = { ALL_TO(FROM_ENTRY, T) };
CONVERSIONS(b8)
CONVERSIONS(u8)
CONVERSIONS(i32)
CONVERSIONS(i64)
CONVERSIONS(bf16)
CONVERSIONS(f32)
CONVERSIONS(f64)
static const td_loop_fn *const conversions[TD_DTYPE_COUNT] = {
  [TD_BOOL] = to_b8, [TD_U8] = to_u8, [TD_I32] = to_i32, [TD_I64] = to_i64,
  [TD_BF16] = to_bf16, [TD_F32] = to_f32, [TD_F64] = to_f64,
};

static void convert(td_tensor *out, td_tensor *x) {
  if (out->dtype == x->dtype) td_loop_move(out, x);
  else td_loop(out, 1, &x, conversions[out->dtype][x->dtype], NULL);
}

static td_status k_cast(const td_call *c, td_tensor **out) {
  convert(out[0], c->in[0]);
  return TD_OK;
}
static td_status k_clone(const td_call *c, td_tensor **out) {
  convert(out[0], c->in[0]);
  return TD_OK;
}
static td_status k_copy(const td_call *c, td_tensor **out) {
  convert(out[0], c->in[1]);
  return TD_OK;
}

/* ---- fill, ramp ---- */

#define ALL_TYPES(X, ...) TYPES_N(X, __VA_ARGS__) X(bf16, __VA_ARGS__)

#define FILL(T, name) \
  LOOP_HEAD(name##_##T) \
    td_c_##T v = td__set_##T(*(const double *)ctx), *y = PTR(td_c_##T, 0); \
    for (int64_t i = 0; i < n; i++) y[i] = v; \
  }
ALL_TYPES(FILL, fill)
static td_status k_fill(const td_call *c, td_tensor **out) {
  static const td_loop_fn fns[TD_DTYPE_COUNT] = { ALL_TYPES(ENTRY, fill) };
  td_loop_fill(out[0], fns[out[0]->dtype], &c->attr[0].f);
  return TD_OK;
}

#define RAMP(T, name) \
  LOOP_HEAD(name##_##T) \
    const td_call *c = ctx; \
    double start = c->attr[0].f, step = c->attr[1].f; \
    td_c_##T *y = PTR(td_c_##T, 0); \
    for (int64_t i = 0; i < n; i++) { \
      double v = start + step * (double)(begin + i); \
      y[i] = td__set_##T(v); \
    } \
  }
ALL_TYPES(RAMP, ramp)
static td_status k_ramp(const td_call *c, td_tensor **out) {
  static const td_loop_fn fns[TD_DTYPE_COUNT] = { ALL_TYPES(ENTRY, ramp) };
  td_loop_fill(out[0], fns[out[0]->dtype], c);
  return TD_OK;
}

/* ---- triangles: a copy, then zeros; the result is contiguous ---- */

static td_status triangle(const td_call *c, td_tensor *y, bool lower) {
  int64_t size = (int64_t)td_dtype_size(y->dtype);
  int64_t cols = y->shape[y->ndim - 1], rows = y->shape[y->ndim - 2];
  td_loop_move(y, c->in[0]);
  if (rows == 0 || cols == 0) return TD_OK;
  int64_t all = td__numel(y) / cols, diagonal = c->attr[0].i;
  diagonal = diagonal < -rows ? -rows : diagonal > cols ? cols : diagonal;
  for (int64_t r = 0; r < all; r++) {
    /* columns below cut belong to the lower part */
    int64_t cut = r % rows + diagonal + (lower ? 1 : 0);
    cut = cut < 0 ? 0 : cut > cols ? cols : cut;
    char *row = y->data + r * cols * size;
    if (lower) memset(row + cut * size, 0, (size_t)((cols - cut) * size));
    else memset(row, 0, (size_t)(cut * size));
  }
  return TD_OK;
}
static td_status k_tril(const td_call *c, td_tensor **out) {
  return triangle(c, out[0], true);
}
static td_status k_triu(const td_call *c, td_tensor **out) {
  return triangle(c, out[0], false);
}

/* ---- the table; of two entries with one name the later counts ---- */

extern const td_kernel_entry TD_ISA_NAME(td_cpu_elementwise)[];
const td_kernel_entry TD_ISA_NAME(td_cpu_elementwise)[] = {
#define UNARY(name, kind, formula, grad, saves, lo, hi, doc) { #name, k_##name },
#define BINARY(name, kind, formula, ga, gb, sa, sb, lo, hi, doc) \
  { #name, k_##name },
#include "tensor/elementwise.def"
  { "sin", k_sin_any }, { "cos", k_cos_any }, { "tan", k_tan_any },
  { "remainder", k_remainder_checked },
  { "floor_divide", k_floor_divide_checked },
  { "where", k_where }, { "clamp", k_clamp }, { "copy", k_copy },
  { "cast", k_cast }, { "clone", k_clone }, { "fill", k_fill },
  { "ramp", k_ramp }, { "tril", k_tril }, { "triu", k_triu },
  { NULL, NULL }
};
