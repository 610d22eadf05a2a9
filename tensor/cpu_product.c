/* cpu_product.c -- vectorised loops for what BLAS is slow at: products where one
** side is at most TD_SKINNY long, and distances between rows. */
#include "blas.h"
#include "isa.h"
#include <math.h>
#include <string.h>

#if defined(__AVX512F__)
enum { VECTOR = 64 };
#elif defined(__AVX2__)
enum { VECTOR = 32 };
#else
enum { VECTOR = 16 };
#endif
enum {
  PACK = 1024,          /* elements of the summed dimension packed at a time */
  DOT_ROWS = 8,         /* most rows of x taken together */
  SUM_VECS = 4,         /* vectors of columns taken together */
  DIST_ROWS = 4, DIST_VECS = 2,         /* block of distances */
  DIST_PACK = 128,      /* features packed at a time */
};
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

typedef float vec_f32 __attribute__((vector_size(VECTOR)));
typedef float loose_f32
  __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef double vec_f64 __attribute__((vector_size(VECTOR)));
typedef double loose_f64
  __attribute__((vector_size(VECTOR), aligned(8), may_alias));

#define real float
#define vec vec_f32
#define loose loose_f32
#define LANES (VECTOR / 4)
#define NAME(x) x##_f32
#define SQRT sqrtf
#include "product.h"
#undef real
#undef vec
#undef loose
#undef LANES
#undef NAME
#undef SQRT

#define real double
#define vec vec_f64
#define loose loose_f64
#define LANES (VECTOR / 8)
#define NAME(x) x##_f64
#define SQRT sqrt
#include "product.h"

const td_products TD_ISA_NAME(td_cpu_products) = {
  skinny_f32, skinny_f64, distance_f32, distance_f64,
};
