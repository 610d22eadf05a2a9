/* cpu_norm.c -- CPU kernels of layer_norm, gated_norm, rms_norm, group_norm and their gradients. */
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

/* A loop over a row; what it writes may be what it reads, but never shifted. */
#define EACH _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)

typedef struct rows {
  const td_tensor *like;   /* whose rows are counted; others broadcast to it */
  const td_tensor *g, *x, *shift, *scale, *gate, *f, *add;   /* by rows, or NULL */
  const void *w, *b;       /* for all rows */
  void *y, *h;             /* results, row by row */
  int64_t n, count;        /* length of a row, how many */
  int64_t per, sums;       /* rows in a chunk of sums over rows, numbers that it sums up */
  double eps;
  bool centre;             /* layer_norm, not rms_norm */
  /* of group_norm: a row is a group of channels */
  const void *gx, *gg;
  void *dw, *db;           /* (samples, channels) */
  int64_t samples, each, inner;
  bool w_own, b_own;       /* weight or bias differ from sample to sample */
} rows;

/* Row k of t, or NULL. */
static inline const void *line(const td_tensor *t, const rows *r, int64_t k) {
  if (!t) return NULL;
  const td_tensor *like = r->like;
  int64_t at = 0;
  for (int d = like->ndim - 2, e = t->ndim - 2; e >= 0; d--, e--) {
    int64_t rest = d ? k / like->shape[d] : 0;
    if (t->shape[e] > 1) at += (k - rest * like->shape[d]) * t->stride[e];
    k = rest;
  }
  return t->data + at * (t->dtype == TD_F64 ? 8 : 4);
}

#define real float
#define NAME(x) x##_f32
#include "nn/norm_rows.h"
#define real double
#define NAME(x) x##_f64
#include "nn/norm_rows.h"

static const void *data(const td_tensor *t) { return t ? t->data : NULL; }

static rows rows_of(const td_call *c, const td_tensor *x) {
  int64_t n = x->shape[x->ndim - 1];
  return (rows){ .x = x, .like = x, .n = n, .count = n ? td__numel(x) / n : 0,
                 .eps = c->attr[0].f, .centre = c->op->name[0] != 'r' };
}

static int64_t grain(const rows *r) {
  int64_t k = 8192 / r->n;
  return k > 0 ? k : 1;
}

static td_status each_row(rows *r, const td_tensor *out, void (*f64)(void *, int64_t, int64_t),
                          void (*f32)(void *, int64_t, int64_t)) {
  if (r->count) td_parallel_range(r->count, grain(r), out->dtype == TD_F64 ? f64 : f32, r);
  return TD_OK;
}

static td_status k_norm(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[0]);
  r.w = data(c->in[1]);
  if (c->nin > 2) r.b = data(c->in[2]), r.shift = c->in[3], r.scale = c->in[4];
  r.y = out[0]->data;
  return each_row(&r, out[0], norm_rows_f64, norm_rows_f32);
}

static td_status k_gated_norm(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[0]);
  r.gate = c->in[1], r.f = c->in[2];
  r.w = data(c->in[3]), r.b = data(c->in[4]), r.shift = c->in[5], r.scale = c->in[6];
  r.h = out[0]->data, r.y = out[1]->data;
  return each_row(&r, out[0], norm_rows_f64, norm_rows_f32);
}

static td_status k_modulated_grad(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[1]);
  r.g = c->in[0], r.w = data(c->in[2]), r.b = data(c->in[3]);
  r.scale = c->in[4], r.add = c->in[5];
  r.y = out[0]->data, r.h = out[1]->data;
  return each_row(&r, out[0], modulated_rows_f64, modulated_rows_f32);
}

static td_status k_norm_grad(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[1]);
  r.g = c->in[0];
  r.w = data(c->in[2]);
  r.y = out[0]->data;
  return each_row(&r, out[0], grad_rows_f64, grad_rows_f32);
}

/* At most 32 chunks, summed one after the other. */
static td_status k_norm_weight_grad(const td_call *c, td_tensor **out) {
  rows r = rows_of(c, c->in[1]);
  r.g = c->in[0];
  r.scale = c->nin > 2 ? c->in[2] : NULL;
  r.sums = c->op->nout * r.n;
  r.per = (r.count + 31) / 32;
  if (r.per < 32) r.per = 32;
  int64_t chunks = (r.count + r.per - 1) / r.per;
  bool wide = out[0]->dtype == TD_F64;
  r.y = td__scratch((size_t)(chunks * r.sums) * td_dtype_size(out[0]->dtype));
  if (!r.y) return td_error_code();
  td_parallel(chunks, wide ? wgrad_chunk_f64 : wgrad_chunk_f32, &r);
  for (int k = 0; k < c->op->nout; k++)
    if (wide) add_chunks_f64(&r, chunks, k * r.n, (double *)out[k]->data);
    else add_chunks_f32(&r, chunks, k * r.n, (float *)out[k]->data);
  td__scratch_drop(r.y);
  return TD_OK;
}

static rows groups_of(const td_call *c, const td_tensor *x) {
  int64_t groups = c->attr[0].i, n = x->shape[0], channels = x->shape[1];
  rows r = { .gx = x->data, .samples = n, .count = n * groups, .each = channels / groups,
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
  r.gg = c->in[0]->data;
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
  { "layer_norm_modulated_grad", k_modulated_grad }, { "gated_norm", k_gated_norm },
  { "layer_norm_weight_grad", k_norm_weight_grad }, { "rms_norm", k_norm },
  { "group_norm", k_group_norm }, { "group_norm_grad", k_group_norm_grad },
  { "rms_norm_grad", k_norm_grad }, { "rms_norm_weight_grad", k_norm_weight_grad }, { 0 },
};
