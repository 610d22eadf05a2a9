/* cpu_norm.c -- CPU kernels of layer_norm, rms_norm, group_norm and their gradients. */
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined __AVX512F__
#define VEC 64
#elif defined __AVX__
#define VEC 32
#else
#define VEC 16
#endif

typedef struct rows {
  const void *g, *x, *w, *b;
  void *y;
  int64_t n, count;        /* length of a row, how many */
  int64_t per;             /* rows in a chunk of sums over rows */
  double eps;
  bool centre;             /* layer_norm, not rms_norm */
  /* of group_norm: a row is a group of channels */
  void *dw, *db;           /* (samples, channels) */
  int64_t samples, each, inner;
  bool w_own, b_own;       /* weight or bias differ from sample to sample */
} rows;

#define real float
#define NAME(x) x##_f32
#include "nn/norm_rows.h"
#define real double
#define NAME(x) x##_f64
#include "nn/norm_rows.h"

static const void *data(const td_tensor *t) { return t ? t->data : NULL; }

static rows rows_of(const td_call *c, const td_tensor *x) {
  int64_t n = x->shape[x->ndim - 1];
  return (rows){ .x = x->data, .n = n, .count = n ? td__numel(x) / n : 0,
                 .eps = c->attr[0].f, .centre = c->op->name[0] == 'l' };
}

static int64_t grain(const rows *r) {
  int64_t k = 8192 / r->n;
  return k > 0 ? k : 1;
}

static td_status k_norm(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[0]);
  r.w = data(c->in[1]);
  r.b = c->nin > 2 ? data(c->in[2]) : NULL;
  r.y = out[0]->data;
  if (!r.count) return TD_OK;
  td_parallel_range(r.count, grain(&r), out[0]->dtype == TD_F64 ?
                    norm_rows_f64 : norm_rows_f32, &r);
  return TD_OK;
}

static td_status k_norm_grad(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[1]);
  r.g = c->in[0]->data;
  r.w = data(c->in[2]);
  r.y = out[0]->data;
  if (!r.count) return TD_OK;
  td_parallel_range(r.count, grain(&r), out[0]->dtype == TD_F64 ?
                    grad_rows_f64 : grad_rows_f32, &r);
  return TD_OK;
}

/* At most 32 chunks, summed one after the other. */
static td_status k_norm_weight_grad(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[1]);
  r.g = c->in[0]->data;
  r.per = (r.count + 31) / 32;
  if (r.per < 32) r.per = 32;
  int64_t chunks = (r.count + r.per - 1) / r.per;
  bool wide = out[0]->dtype == TD_F64;
  r.y = td__scratch((size_t)(chunks * r.n) * td_dtype_size(out[0]->dtype));
  if (!r.y) return td_error_code();
  td_parallel(chunks, wide ? wgrad_chunk_f64 : wgrad_chunk_f32, &r);
  if (wide) add_chunks_f64(&r, chunks, (double *)out[0]->data);
  else add_chunks_f32(&r, chunks, (float *)out[0]->data);
  td__scratch_drop(r.y);
  return TD_OK;
}

static rows groups_of(const td_call *c, const td_tensor *x) {
  int64_t groups = c->attr[0].i, n = x->shape[0], channels = x->shape[1];
  rows r = { .x = x->data, .samples = n, .count = n * groups, .each = channels / groups,
             .eps = c->attr[1].f, .centre = true };
  int64_t pictures = n * channels;
  r.inner = pictures ? td__numel(x) / pictures : 0;
  r.n = r.each * r.inner;
  return r;
}

static td_status k_group_norm(const td_call *c, td_tensor **out) {
  const td_tensor *w = c->in[1], *b = c->in[2];
  rows r = groups_of(c, c->in[0]);
  r.w = data(w), r.w_own = w && w->ndim == 2;
  r.b = data(b), r.b_own = b && b->ndim == 2;
  r.y = out[0]->data;
  if (!r.n) return TD_OK;
  td_parallel_range(r.count, grain(&r), out[0]->dtype == TD_F64 ?
                    norm_groups_f64 : norm_groups_f32, &r);
  return TD_OK;
}

static td_status k_group_norm_grad(const td_call *c, td_tensor **out) {
  const td_tensor *w = c->in[2];
  rows r = groups_of(c, c->in[1]);
  r.g = c->in[0]->data;
  r.w = data(w), r.w_own = w && w->ndim == 2;
  r.y = out[0]->data, r.dw = out[1]->data, r.db = out[2]->data;
  if (!r.n)
    for (int i = 1; i < 3; i++)
      memset(out[i]->data, 0, (size_t)td__numel(out[i]) * td_dtype_size(out[i]->dtype));
  else
    td_parallel_range(r.count, grain(&r), out[0]->dtype == TD_F64 ?
                      grad_groups_f64 : grad_groups_f32, &r);
  return TD_OK;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_norm)[] = {
  { "layer_norm", k_norm }, { "layer_norm_grad", k_norm_grad },
  { "layer_norm_weight_grad", k_norm_weight_grad }, { "rms_norm", k_norm },
  { "group_norm", k_group_norm }, { "group_norm_grad", k_group_norm_grad },
  { "rms_norm_grad", k_norm_grad }, { "rms_norm_weight_grad", k_norm_weight_grad }, { 0 },
};
