/* convert.h -- one element from one type to another: T_get reads an element as
** a C value, T_set makes one of any C value.
**
** Floats become integers by cutting the fraction off; NaN becomes 0 and values
** out of range the nearest end, on every machine.  Integers wrap.  bf16 rounds
** to nearest, halves to even. */
#ifndef TD_CONVERT_H
#define TD_CONVERT_H
#include "vmath.h"

typedef uint8_t td_c_b8, td_c_u8;   /* how elements lie in memory; b8: bool */
typedef int32_t td_c_i32;
typedef int64_t td_c_i64;
typedef uint16_t td_c_bf16;
typedef float td_c_f32;
typedef double td_c_f64;

TD_HD uint16_t td__to_bf16(float x) {
  uint32_t u = td__bits(x);
  uint32_t r = (u + 0x7fffu + ((u >> 16) & 1)) >> 16;
  uint32_t nan = (u >> 16) | 0x40u;
  return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : r);
}
TD_HD float td__of_bf16(uint16_t h) { return td__float((uint32_t)h << 16); }

#define TD__CUT(name, real, T, lo, hi, min, max) \
TD_HD T name(real x) { \
  real y = x != x ? 0 : x; \
  y = y < (real)(lo) ? (real)(lo) : y; \
  return y >= (real)(hi) ? (max) : y <= (real)(lo) ? (min) : (T)y; \
}
TD__CUT(td__cut_u8f, float, uint8_t, 0, 256, 0, UINT8_MAX)
TD__CUT(td__cut_u8, double, uint8_t, 0, 256, 0, UINT8_MAX)
TD__CUT(td__cut_i32f, float, int32_t, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX)
TD__CUT(td__cut_i32, double, int32_t, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX)
TD__CUT(td__cut_i64f, float, int64_t, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX)
TD__CUT(td__cut_i64, double, int64_t, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX)

/* the values that kernels compute with */
#define td__get_b8(p) ((uint8_t)(p))
#define td__get_u8(p) (p)
#define td__get_i32(p) (p)
#define td__get_i64(p) (p)
#define td__get_bf16(p) td__of_bf16(p)
#define td__get_f32(p) (p)
#define td__get_f64(p) (p)

TD_HD uint8_t td__wrap_u8(int64_t v) { return (uint8_t)v; }
TD_HD int32_t td__wrap_i32(int64_t v) { return (int32_t)v; }
TD_HD int64_t td__wrap_i64(int64_t v) { return v; }
#ifdef __cplusplus
#define TD__CUTS(T, C) \
TD_HD C td__any_cut_##T(float v) { return td__cut_##T##f(v); } \
TD_HD C td__any_cut_##T(double v) { return td__cut_##T(v); } \
TD_HD C td__any_cut_##T(int64_t v) { return td__wrap_##T(v); } \
TD_HD C td__any_cut_##T(int32_t v) { return td__wrap_##T(v); }
TD__CUTS(u8, uint8_t)
TD__CUTS(i32, int32_t)
TD__CUTS(i64, int64_t)
#define TD__CUT_BY(T, v) td__any_cut_##T(v)
#else
#define TD__CUT_BY(T, v) \
  _Generic((v), float: td__cut_##T##f, double: td__cut_##T, \
           default: td__wrap_##T)(v)
#endif

#define td__set_b8(v) ((uint8_t)((v) != 0))
#define td__set_u8(v) TD__CUT_BY(u8, v)
#define td__set_i32(v) TD__CUT_BY(i32, v)
#define td__set_i64(v) TD__CUT_BY(i64, v)
#define td__set_bf16(v) td__to_bf16((float)(v))
#define td__set_f32(v) ((float)(v))
#define td__set_f64(v) ((double)(v))

#endif
