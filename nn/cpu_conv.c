/* cpu_conv.c -- CPU kernels of conv2d, its adjoint and the gradient of its weight: the
** pixels that each place of the result meets are laid out as columns, and one product
** does the sums (im2col). */
#include "tensor/blas.h"
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include <stdatomic.h>
#include <string.h>

enum { LOT_COLUMNS = 256,    /* columns of a product, at least where there are samples */
       PARTS_MOST = 16 };    /* partial sums of a weight's gradient */
enum what { FORWARD, ADJOINT, WEIGHTS };

/* All of it in terms of the convolution from (n, c, h, w) to (n, o, oh, ow). */
typedef struct conv {
  enum what what;
  const void *x, *g, *weight, *bias;     /* g: like the result of the convolution */
  void *y, *part;
  int64_t n, c, h, w, o, oh, ow, kh, kw, stride, pad;
  int64_t k;                             /* c * kh * kw */
  int64_t lot, per;                      /* samples in a lot, lots in a chunk */
  atomic_bool failed;
} conv;

#define real float
#define NAME(x) x##_f32
#include "nn/row_product.h"
#include "nn/conv_lots.h"
#undef real
#undef NAME
#define real double
#define NAME(x) x##_f64
#include "nn/row_product.h"
#include "nn/conv_lots.h"

static void sizes(conv *v, const td_tensor *small, const td_tensor *large) {
  v->n = large->shape[0];
  v->c = large->shape[1], v->h = large->shape[2], v->w = large->shape[3];
  v->o = small->shape[1], v->oh = small->shape[2], v->ow = small->shape[3];
  v->k = v->c * v->kh * v->kw;
  int64_t each = v->oh * v->ow;
  v->lot = each >= LOT_COLUMNS || each == 0 ? 1 : (LOT_COLUMNS + each - 1) / each;
  v->per = 1;
}

static td_status run(conv *v, td_tensor *out) {
  bool wide = out->dtype == TD_F64;
  int64_t lots = (v->n + v->lot - 1) / v->lot, chunks = (lots + v->per - 1) / v->per;
  td_parallel(chunks, wide ? chunk_f64 : chunk_f32, v);
  if (atomic_load(&v->failed)) return td_fail(TD_ENOMEM, "%s", "convolution: out of memory for columns");
  if (v->what == WEIGHTS && wide) add_parts_f64(v, chunks, (double *)out->data);
  else if (v->what == WEIGHTS) add_parts_f32(v, chunks, (float *)out->data);
  return td_interrupt_flag ? td_fail(TD_EINTR, "interrupted") : TD_OK;
}

static const void *data(const td_tensor *t) { return t ? t->data : NULL; }

static td_status k_conv2d(const td_call *c, td_tensor **out) {
  const td_tensor *w = c->in[1];
  conv v = { .what = FORWARD, .x = c->in[0]->data, .weight = w->data, .bias = data(c->in[2]),
             .y = out[0]->data, .kh = w->shape[2], .kw = w->shape[3],
             .stride = c->attr[0].i, .pad = c->attr[1].i };
  sizes(&v, out[0], c->in[0]);
  return td__numel(out[0]) ? run(&v, out[0]) : TD_OK;
}

static td_status k_conv_transpose2d(const td_call *c, td_tensor **out) {
  const td_tensor *w = c->in[1];
  conv v = { .what = ADJOINT, .g = c->in[0]->data, .weight = w->data, .bias = data(c->in[2]),
             .y = out[0]->data, .kh = w->shape[2], .kw = w->shape[3],
             .stride = c->attr[0].i, .pad = c->attr[1].i };
  sizes(&v, c->in[0], out[0]);
  return td__numel(out[0]) ? run(&v, out[0]) : TD_OK;
}

static td_status k_conv2d_weight_grad(const td_call *c, td_tensor **out) {
  conv v = { .what = WEIGHTS, .g = c->in[0]->data, .x = c->in[1]->data,
             .kh = c->list[0], .kw = c->list[1], .stride = c->attr[0].i, .pad = c->attr[1].i };
  sizes(&v, c->in[0], c->in[1]);
  size_t bytes = (size_t)td__numel(out[0]) * td_dtype_size(out[0]->dtype);
  if (v.n == 0 || bytes == 0) {
    memset(out[0]->data, 0, bytes);
    return TD_OK;
  }
  int64_t lots = (v.n + v.lot - 1) / v.lot;
  v.per = (lots + PARTS_MOST - 1) / PARTS_MOST;
  v.part = td__scratch(bytes * (size_t)((lots + v.per - 1) / v.per));
  if (!v.part) return td_error_code();
  td_status st = run(&v, out[0]);
  td__scratch_drop(v.part);
  return st;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_conv)[] = {
  { "conv2d", k_conv2d }, { "conv_transpose2d", k_conv_transpose2d },
  { "conv2d_weight_grad", k_conv2d_weight_grad }, { 0 },
};
