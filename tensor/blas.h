/* blas.h -- matrix products on the CPU, for kernels of the core and of nn/.
**
** Elements stand apart by strides: (i, l) of a at a[i * ai + l * ak].  beta = 0
** overwrites c, whatever it held.  Results are the same for every number of
** threads, and rows of a result are the same whichever rows are computed with
** them.  When td_interrupt_flag is set the product is left unfinished and the
** caller fails with TD_EINTR. */
#ifndef TD_BLAS_H
#define TD_BLAS_H
#include <stdbool.h>
#include <stdint.h>

/* c (m,n) = alpha * a (m,k) b (k,n) + beta * c + bias (n), which may be NULL */
#define TD_BLOCK(real, type) \
  typedef struct td_block_##type { \
    int64_t m, n, k; \
    const real *a, *b; \
    real *c; \
    int64_t ai, ak, bk, bj, ldc;         /* strides; rows of c are ldc apart */ \
    real alpha, beta; \
    const real *bias; \
  } td_block_##type;
TD_BLOCK(float, f32)
TD_BLOCK(double, f64)
#undef TD_BLOCK
void td_gemm_f32(const td_block_f32 *p);
void td_gemm_f64(const td_block_f64 *p);

/* The rows of a product of m rows that are worth a tile of their own. */
int64_t td_product_tile(int64_t m);
/* Set on a thread while it computes such a tile by itself: no further cuts. */
extern _Thread_local bool td__in_tile;

/* Keeps OpenBLAS to one thread; called before anything of it is used. */
void td__blas_pin(void);

/* ---- compiled once per instruction set ---- */

/* tensor/cpu_gemm.c: on the calling thread, by any strides */
typedef struct td_gemms {
  void (*f32)(const td_block_f32 *p);
  void (*f64)(const td_block_f64 *p);
} td_gemms;

/* tensor/cpu_product.c */

/* c = alpha a b + beta c with any strides; one of m, n, k is at most
** TD_SKINNY. */
#define TD_SKINNY 4
#define TD_PRODUCT(real, type) \
  typedef struct td_skinny_##type { \
    int64_t m, n, k; \
    real alpha, beta; \
    const real *a, *b; \
    real *c; \
    int64_t ai, ak, bk, bj, ci, cj;      /* strides by index */ \
  } td_skinny_##type; \
  /* c (m,n), rows ldc apart: distances of rows of a (m,d) and of b (n,d) */ \
  typedef struct td_distance_##type { \
    int64_t m, n, d; \
    const real *a, *b; \
    real *c; \
    int64_t ai, ad, bj, bd, ldc; \
  } td_distance_##type;
TD_PRODUCT(float, f32)
TD_PRODUCT(double, f64)
#undef TD_PRODUCT

typedef struct td_products {
  void (*skinny_f32)(const td_skinny_f32 *s);
  void (*skinny_f64)(const td_skinny_f64 *s);
  void (*distance_f32)(const td_distance_f32 *s);
  void (*distance_f64)(const td_distance_f64 *s);
} td_products;
const td_products *td__products(void);      /* those of this machine */
#endif
