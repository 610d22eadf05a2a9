/* cpu_attention.c -- CPU kernels of attention and its gradient, tile by tile (Dao et al.
** 2022, arXiv 2205.14135). */
#include "tensor/blas.h"
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include "tensor/vmath.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { TILE_Q = 64, TILE_K = 128 };

typedef struct attention {
  const void *q, *k, *v;         /* (b, n, d), (b, m, d), (b, m, dv) */
  const void *g, *lse, *delta;   /* backward: (b, n, dv), (b, n), (b, n) */
  void *y, *lse_out, *gq, *gk, *gv;
  int64_t n, m, d, dv;
  double scale;
  atomic_bool failed;
} attention;

#define real float
#define EXP td__expf
#define LOG logf
#define NAME(x) x##_f32
#include "nn/row_product.h"
#include "nn/attention_tiles.h"
#undef real
#undef EXP
#undef LOG
#undef NAME
#define real double
#define EXP td__exp
#define LOG log
#define NAME(x) x##_f64
#include "nn/row_product.h"
#include "nn/attention_tiles.h"

static void sizes(attention *a, const td_tensor *q, const td_tensor *k, const td_tensor *v) {
  int last = q->ndim - 1;
  a->q = q->data, a->k = k->data, a->v = v->data;
  a->n = q->shape[last - 1], a->m = k->shape[last - 1];
  a->d = q->shape[last], a->dv = v->shape[last];
}

static td_status run(attention *a, int64_t chunks, const td_tensor *out) {
  td_parallel(chunks, out->dtype == TD_F64 ? chunk_f64 : chunk_f32, a);
  if (atomic_load(&a->failed)) return td_fail(TD_ENOMEM, "attention: out of memory for a tile");
  return td_interrupt_flag ? td_fail(TD_EINTR, "interrupted") : TD_OK;
}

static int64_t batch_of(const td_tensor *q) {
  int64_t b = 1;
  for (int d = 0; d < q->ndim - 2; d++) b *= q->shape[d];
  return b;
}

static td_status k_attention(const td_call *c, td_tensor **out) {
  attention a = { .y = out[0]->data, .lse_out = out[1]->data, .scale = c->attr[0].f };
  sizes(&a, c->in[0], c->in[1], c->in[2]);
  return run(&a, batch_of(c->in[0]) * ((a.n + TILE_Q - 1) / TILE_Q), out[0]);
}

static td_status k_attention_grad(const td_call *c, td_tensor **out) {
  attention a = { .g = c->in[0]->data, .lse = c->in[4]->data, .delta = c->in[5]->data,
                  .gq = out[0]->data, .gk = out[1]->data, .gv = out[2]->data,
                  .scale = c->attr[0].f };
  sizes(&a, c->in[1], c->in[2], c->in[3]);
  for (int k = 0; k < 3; k++)
    memset(out[k]->data, 0, (size_t)td__numel(out[k]) * td_dtype_size(out[k]->dtype));
  return run(&a, a.n ? batch_of(c->in[1]) : 0, out[0]);
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_attention)[] = {
  { "attention", k_attention }, { "attention_grad", k_attention_grad }, { 0 },
};
