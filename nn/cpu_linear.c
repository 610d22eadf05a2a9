/* cpu_linear.c -- CPU kernel of linear: the bias goes into the result first,
** the product is added to it. */
#include "tensor/blas.h"
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include <string.h>

typedef struct fill {
  char *y;
  const char *bias;
  size_t row;              /* bytes */
} fill;

static void fill_rows(void *ctx, int64_t begin, int64_t end) {
  const fill *f = ctx;
  for (int64_t i = begin; i < end; i++)
    memcpy(f->y + (size_t)i * f->row, f->bias, f->row);
}

static td_status k_linear(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0], *w = c->in[1], *bias = c->in[2];
  td_tensor *y = out[0];
  int64_t n = w->shape[0], k = w->shape[1], m = 1;
  for (int d = 0; d < x->ndim - 1; d++) m *= x->shape[d];
  if (m == 0 || n == 0) return TD_OK;
  if (bias) {
    fill f = { y->data, bias->data, (size_t)n * td_dtype_size(y->dtype) };
    td_parallel_range(m, 1 + 8192 / n, fill_rows, &f);
  }
  if (y->dtype == TD_F64)
    td_gemm_f64(false, true, m, n, k, 1, (double *)x->data, k,
                (double *)w->data, k, bias != NULL, (double *)y->data, n);
  else
    td_gemm_f32(false, true, m, n, k, 1, (float *)x->data, k,
                (float *)w->data, k, bias != NULL, (float *)y->data, n);
  return td_interrupt_flag ? td_fail(TD_EINTR, "interrupted") : TD_OK;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_linear)[] = {
  { "linear", k_linear }, { 0 },
};
