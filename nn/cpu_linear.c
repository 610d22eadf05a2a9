/* cpu_linear.c -- CPU kernel of linear: a product that adds the bias at its end. */
#include "tensor/blas.h"
#include "tensor/isa.h"
#include "tensor/op.h"

#define PRODUCT(real, type) \
  td_gemm_##type(&(td_block_##type){ m, n, k, (const real *)x->data, \
    (const real *)w->data, (real *)y->data, k, 1, 1, k, n, 1, 0, \
    bias ? (const real *)bias->data : NULL })
static td_status k_linear(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0], *w = c->in[1], *bias = c->in[2];
  td_tensor *y = out[0];
  int64_t n = w->shape[0], k = w->shape[1], m = 1;
  for (int d = 0; d < x->ndim - 1; d++) m *= x->shape[d];
  if (y->dtype == TD_F64) PRODUCT(double, f64); else PRODUCT(float, f32);
  return td_interrupt_flag ? td_fail(TD_EINTR, "interrupted") : TD_OK;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_linear)[] = {
  { "linear", k_linear }, { 0 },
};
