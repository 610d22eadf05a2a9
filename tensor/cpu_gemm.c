/* cpu_gemm.c -- products of matrices: blocks of the result stay in registers while
** the loops walk along the summed dimension.
**
** Each element of a result is one chain of multiply-adds for each STRETCH of the
** summed dimension, in order.  So it does not depend on which rows and columns
** are computed together: a product may be cut anywhere, with the same bits. */
#include "blas.h"
#include "isa.h"
#include <string.h>

#if defined(__AVX512F__)
enum { VECTOR = 64, ROWS = 8, NEAR = 2048, BLOCKS = 32 };
#elif defined(__AVX2__)
enum { VECTOR = 32, ROWS = 6, NEAR = 1024, BLOCKS = 16 };
#else
enum { VECTOR = 16, ROWS = 6, NEAR = 1024, BLOCKS = 16 };
#endif
/* Rows at most NEAR bytes apart are read where they lie; others are packed first,
** BLOCKS blocks of them at a time. */
enum {
  WIDE = 2,             /* vectors of columns in a block */
  STRETCH = 256,        /* terms summed in one go */
  PANELS = 4,           /* panels of b that are packed at a time */
  LINE = 64,            /* bytes that come from memory together */
  TERMS = 4,            /* between two lines that are asked for in advance */
  ROWS_AHEAD = 8, LINES_AHEAD = 8,      /* the same while packing */
  TINY = 128,           /* multiply-adds that go without blocks */
  DIRECT = 32,          /* so few rows read b where it lies, if they can */
};
#define INLINE static inline __attribute__((always_inline))
#define AHEAD(p) __builtin_prefetch(p, 0, 2)
#define UNROLL _Pragma("GCC unroll 8")

#define real float
#define LANES (VECTOR / 4)
#define QUAD 4          /* elements of 16 bytes */
#define NAME(x) x##_f32
#define BLOCK td_block_f32
#include "gemm.h"
#undef real
#undef LANES
#undef QUAD
#undef NAME
#undef BLOCK

#define real double
#define LANES (VECTOR / 8)
#define QUAD 2
#define NAME(x) x##_f64
#define BLOCK td_block_f64
#include "gemm.h"

const td_gemms TD_ISA_NAME(td_cpu_gemms) = { gemm_f32, gemm_f64 };
