/* cpu_linear.c -- CPU kernels of linear, a product that adds the bias at its end, and of its
** gradients. */
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

#define GRADIENT(real, type) \
  td_gemm_##type(&(td_block_##type){ w->shape[0], w->shape[1], g->shape[0], \
    (const real *)g->data, (const real *)x->data, (real *)w->data, g->stride[1], g->stride[0], \
    x->stride[0], x->stride[1], w->shape[1], 1, 0, NULL })
static td_status k_linear_grad(const td_call *c, td_tensor **out) {
  const td_tensor *g = c->in[0], *x = c->in[1], *w = out[0];
  if (w->dtype == TD_F64) GRADIENT(double, f64); else GRADIENT(float, f32);
  if (td_interrupt_flag) return td_fail(TD_EINTR, "interrupted");
  td_op *sum = &td_ops[TD_OP_sum];
  td_call q = { .op = sum, .be = c->be, .nin = 1, .in = c->in, .nlist = 1, .nattr = 1 };
  return td__kernel(sum, c->be)(&q, &out[1]);
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_linear)[] = {
  { "linear", k_linear }, { "linear_grad", k_linear_grad }, { 0 },
};
