/* cpu_picture.c -- CPU kernels of changes of size: each pixel repeated, and sums of squares of
** pixels. */
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include <string.h>

typedef struct sizes {
  const void *x;
  void *y;
  int64_t w, f;                /* width of the smaller picture, factor */
} sizes;

#define GRAIN 4096             /* pixels of the smaller pictures at a time */

/* A row of the smaller picture for `f` rows of the larger one. */
#define KERNELS(real, suffix) \
  static void repeat_##suffix(void *ctx, int64_t begin, int64_t end) { \
    const sizes *s = ctx; \
    int64_t wide = s->w * s->f; \
    for (int64_t r = begin; r < end; r++) { \
      const real *x = (const real *)s->x + r * s->w; \
      real *y = (real *)s->y + r * s->f * wide; \
      if (s->f == 2) for (int64_t i = 0; i < s->w; i++) y[2 * i] = y[2 * i + 1] = x[i]; \
      else for (int64_t i = 0; i < wide; i++) y[i] = x[i / s->f]; \
      for (int64_t k = 1; k < s->f; k++) memcpy(y + k * wide, y, sizeof(real) * (size_t)wide); \
    } \
  } \
  static void gather_##suffix(void *ctx, int64_t begin, int64_t end) { \
    const sizes *s = ctx; \
    int64_t wide = s->w * s->f; \
    for (int64_t r = begin; r < end; r++) { \
      const real *x = (const real *)s->x + r * s->f * wide; \
      real *y = (real *)s->y + r * s->w; \
      memset(y, 0, sizeof(real) * (size_t)s->w); \
      for (int64_t k = 0; k < s->f; k++, x += wide) { \
        if (s->f == 2) for (int64_t i = 0; i < s->w; i++) y[i] += x[2 * i] + x[2 * i + 1]; \
        else for (int64_t i = 0; i < wide; i++) y[i / s->f] += x[i]; \
      } \
    } \
  }
KERNELS(float, f32)
KERNELS(double, f64)

static td_status run(const td_call *c, td_tensor **out, const td_tensor *small,
                     void (*f32)(void *, int64_t, int64_t), void (*f64)(void *, int64_t, int64_t)) {
  sizes s = { c->in[0]->data, out[0]->data, small->shape[3], c->attr[0].i };
  int64_t rows = s.w ? td__numel(small) / s.w : 0;
  if (rows)
    td_parallel_range(rows, GRAIN / s.w + 1, out[0]->dtype == TD_F64 ? f64 : f32, &s);
  return TD_OK;
}
static td_status k_upsample2d(const td_call *c, td_tensor **out) {
  return run(c, out, c->in[0], repeat_f32, repeat_f64);
}
static td_status k_sum_pool2d(const td_call *c, td_tensor **out) {
  return run(c, out, out[0], gather_f32, gather_f64);
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_picture)[] = {
  { "upsample2d", k_upsample2d }, { "sum_pool2d", k_sum_pool2d }, { 0 },
};
