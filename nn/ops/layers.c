/* layers.c -- rules of linear, embedding and the small fused ops of layers. */
#include "nn/nn.h"
#include "tensor/op.h"
#include <math.h>
#include <string.h>

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

/* x as a matrix whose rows are what lies along the last dim */
static td_tensor *as_rows(td_tensor *x) {
  if (!x || x->ndim == 2) return x;
  int64_t rows = 1, n = x->shape[x->ndim - 1];
  for (int d = 0; d < x->ndim - 1; d++) rows *= x->shape[d];
  return td_reshape(x, TD_INTS(rows, n));
}

/* ---- linear ---- */

static td_status linear_infer(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0], *w = c->in[1], *bias = c->in[2];
  if (w->ndim != 2)
    return td_fail(TD_ESHAPE, "linear: the weight must be a matrix (out, in), "
                   "not of shape %s", TEXT(w));
  if (x->ndim < 1 || x->shape[x->ndim - 1] != w->shape[1])
    return td_fail(TD_ESHAPE, "linear: the last dim of x must have the %lld "
      "inputs of the weight of shape %s; x has shape %s",
      (long long)w->shape[1], TEXT(w), TEXT(x));
  if (bias && (bias->ndim != 1 || bias->shape[0] != w->shape[0]))
    return td_fail(TD_ESHAPE, "linear: the bias must have the %lld outputs of "
      "the weight of shape %s; it has shape %s", (long long)w->shape[0],
      TEXT(w), TEXT(bias));
  td_spec_of(x, out);
  out->shape[out->ndim - 1] = w->shape[0];
  return TD_OK;
}

static void linear_back(td_back *b) {
  td_tensor *x = b->in[0], *w = b->in[1], *g = as_rows(b->g[0]), *grads[2];
  bool bias = b->call->nin > 2 && b->want[2];
  if (b->want[0])
    b->gin[0] = x->ndim == 2 ? td_mm(g, w) :
      td_reshape(td_mm(g, w), (td_ints){ x->ndim, x->shape });
  if (b->want[1] && bias) {
    if (td_linear_grad(grads, g, as_rows(x))) return;
    b->gin[1] = grads[0], b->gin[2] = grads[1];
  } else if (b->want[1]) {
    b->gin[1] = td_mm(td_transpose(g, 0, 1), as_rows(x));
  } else if (bias) {
    b->gin[2] = td_sum(g, TD_INTS(0), false);
  }
}
const td_rule td_rule_linear = {
  .infer = linear_infer, .vjp = linear_back,
  .saves = { TD_IN(1), TD_IN(0), 0, 0 },
  .flags = TD_FLOATONLY | TD_CONTIG | TD_PRODUCT,
  .cases = "3x4;5x4;5 3x4;5x4;- 4;3x4;3 2x3x4;5x4;5 2x1x3x2;1x2;1 0x3;2x3;2 "
           "3x0;2x0;2 1x70;3x70;3",
  .lo = -1, .hi = 1, .rows = td_rows_product,
};

static td_status linear_grad_infer(const td_call *c, td_spec *out) {
  const td_tensor *g = c->in[0], *x = c->in[1];
  if (g->ndim != 2 || x->ndim != 2 || g->shape[0] != x->shape[0])
    return td_fail(TD_ESHAPE, "linear_grad: g and x must be matrices of as many rows, not of "
                   "shapes %s and %s", TEXT(g), TEXT(x));
  out[0] = (td_spec){ g->dtype, 2, { g->shape[1], x->shape[1] } };
  out[1] = (td_spec){ g->dtype, 1, { g->shape[1] } };
  return TD_OK;
}

/* With upstream a and c for both, the sum to differentiate is <g, x a^T + 1 c^T>. */
static void linear_grad_back(td_back *b) {
  td_tensor *g = b->in[0], *a = b->g[0], *c = b->g[1];
  if (b->want[0])
    b->gin[0] = a ? td_linear(b->in[1], a, c) : td_expand(c, (td_ints){ 2, g->shape });
  if (b->want[1] && a) b->gin[1] = td_mm(g, a);
}
const td_rule td_rule_linear_grad = {
  .infer = linear_grad_infer, .vjp = linear_grad_back,
  .saves = { TD_IN(1), TD_IN(0), 0, 0 }, .flags = TD_FLOATONLY | TD_PRODUCT,
  .cases = "3x4;3x5 1x2;1x3 70x3;70x2 0x2;0x3 3x0;3x2 3x2;3x0 5x1;5x1", .lo = -1, .hi = 1,
};

/* ---- embedding ---- */

static td_tensor *embedding(const td_call *c) {
  td_tensor *w = c->in[0], *index = c->in[1];
  if (w->ndim != 2)
    return td_fail_null(TD_ESHAPE, "embedding: the weight must be a matrix "
                        "(entries, features), not of shape %s", TEXT(w));
  if (index->ndim == TD_MAXDIM)
    return td_fail_null(TD_ESHAPE, "embedding: the index has %d dims, one too "
                        "many", TD_MAXDIM);
  int64_t shape[TD_MAXDIM];
  memcpy(shape, index->shape, sizeof shape);
  shape[index->ndim] = w->shape[1];
  td_tensor *flat = index->ndim == 1 ? index :
    td_reshape(index, TD_INTS(td_numel(index)));
  td_tensor *rows = td_index_select(w, 0, flat);
  return index->ndim == 1 ? rows :
    td_reshape(rows, (td_ints){ index->ndim + 1, shape });
}
const td_rule td_rule_embedding = {
  .compose = embedding, .cases = "5x3;@4:5 5x3;@2x3:5 4x2;@s:4 4x2;@0:4",
  .lo = -1, .hi = 1,
};

/* ---- modulate and addcmul ---- */

/* As td_infer_broadcast, for inputs of which some are missing. */
static td_status present_infer(const td_call *c, td_spec *out) {
  td_tensor *in[3];
  td_call q = *c;
  q.in = in;
  q.nin = 0;
  for (int i = 0; i < c->nin; i++)
    if (c->in[i]) in[q.nin++] = c->in[i];
  return td_infer_broadcast(&q, out);
}

/* sum_to(g * a): the gradient of a factor */
static td_tensor *times(td_tensor *g, td_tensor *a, const td_tensor *like) {
  return td_sum_to(td_mul(g, a), like);
}

static void modulate_back(td_back *b) {
  td_tensor *x = b->in[0], *shift = b->in[1], *scale = b->in[2], *g = b->g[0];
  if (b->want[0]) b->gin[0] = td_sum_to(td_modulate(g, NULL, scale), x);
  if (b->want[1]) b->gin[1] = td_sum_to(g, shift);
  if (b->want[2]) b->gin[2] = times(g, x, scale);
}
const td_rule td_rule_modulate = {
  .infer = present_infer, .vjp = modulate_back,
  .saves = { TD_IN(2), 0, TD_IN(0), 0 },
  .flags = TD_FLOATONLY | TD_ELEMENTWISE | TD_INPLACE,
  .cases = "3x4;3x4;3x4 3x4;1x4;1x4 3x4;4;4 2x3x4;2x1x4;2x1x4 3x4;-;3x4 "
           "s;s;s 4;3x4;3x1 3x4;3x1;1 0x4;4;0x4 3x4;-;s 2x3;2x1;1x3",
  .lo = -1, .hi = 1,
};

static void addcmul_back(td_back *b) {
  td_tensor *g = b->g[0], *grads[2];
  if (b->want[0]) b->gin[0] = td_sum_to(g, b->in[0]);
  if (b->want[1] && b->want[2]) {
    if (td_addcmul_grad(grads, g, b->in[1], b->in[2])) return;
    for (int k = 0; k < 2; k++) b->gin[1 + k] = td_sum_to(grads[k], b->in[1 + k]);
  } else {
    if (b->want[1]) b->gin[1] = times(g, b->in[2], b->in[1]);
    if (b->want[2]) b->gin[2] = times(g, b->in[1], b->in[2]);
  }
}
const td_rule td_rule_addcmul = {
  .infer = td_infer_broadcast, .vjp = addcmul_back,
  .saves = { 0, TD_IN(2), TD_IN(1), 0 },
  .flags = TD_FLOATONLY | TD_ELEMENTWISE | TD_INPLACE,
  .cases = "3x4;3x4;3x4 3x4;1x4;3x4 3x4;4;3x4 2x3x4;2x1x4;2x3x4 s;s;s "
           "4;3x4;3x1 3x1;1x4;3x4 0x4;4;0x4 3x4;s;3x4",
  .lo = -1, .hi = 1,
};

/* g b and g a */
static td_status addcmul_grad_infer(const td_call *c, td_spec *out) {
  td_status st = td_infer_broadcast(c, out);
  out[1] = out[0];
  return st;
}
static void addcmul_grad_back(td_back *b) {
  td_tensor *g = b->in[0], *a = b->in[1], *f = b->in[2], *p = b->g[0], *q = b->g[1];
  if (b->want[0])
    b->gin[0] = td_sum_to(!q ? td_mul(p, f) : p ? td_addcmul(td_mul(q, a), p, f) : td_mul(q, a), g);
  if (b->want[1] && q) b->gin[1] = times(g, q, a);
  if (b->want[2] && p) b->gin[2] = times(g, p, f);
}
const td_rule td_rule_addcmul_grad = {
  .infer = addcmul_grad_infer, .vjp = addcmul_grad_back,
  .saves = { TD_IN(1) | TD_IN(2), TD_IN(0), TD_IN(0), 0 }, .flags = TD_FLOATONLY,
  .cases = "3x4;3x4;3x4 3x4;1x4;3x4 2x3x4;2x1x4;2x3x4 s;s;s 3x4;4;3x1 0x4;4;0x4",
  .lo = -1, .hi = 1, .rows = td_rows_each,
};

/* ---- sinusoid ---- */

static td_status sinusoid_infer(const td_call *c, td_spec *out) {
  int64_t dim = c->attr[0].i;
  if (dim < 2 || dim % 2)
    return td_fail(TD_EARG, "sinusoid: dim must be even and at least 2, not "
                   "%lld: half are cosines, half sines", (long long)dim);
  if (!(c->attr[1].f > 0))
    return td_fail(TD_EARG, "sinusoid: max_period must be positive, not %g",
                   c->attr[1].f);
  td_spec_of(c->in[0], out);
  if (out->ndim == TD_MAXDIM)
    return td_fail(TD_ESHAPE, "sinusoid: t has %d dims, one too many",
                   TD_MAXDIM);
  out->shape[out->ndim++] = dim;
  return TD_OK;
}

/* d cos(tf) = -f sin(tf), d sin(tf) = f cos(tf); y holds both */
static void sinusoid_back(td_back *b) {
  td_tensor *y = b->y[0], *g = b->g[0];
  int last = g->ndim - 1;
  int64_t half = b->call->attr[0].i / 2;
  double rate = -log(b->call->attr[1].f) / (double)half;
  td_tensor *f = td_exp(td_arange(td_device_of(g), td_type(g), 0, rate, half));
  td_tensor *gcos = td_slice(g, last, 0, half, 1);
  td_tensor *gsin = td_slice(g, last, half, half, 1);
  td_tensor *turn = td_sub(td_mul(gsin, td_slice(y, last, 0, half, 1)),
                           td_mul(gcos, td_slice(y, last, half, half, 1)));
  b->gin[0] = td_sum(td_mul(turn, f), TD_INTS(last), false);
}
const td_rule td_rule_sinusoid = {
  .infer = sinusoid_infer, .vjp = sinusoid_back, .saves = { TD_OUT(0) },
  .flags = TD_FLOATS | TD_FLOATONLY | TD_CONTIG,
  .cases = "3;#6;#10000 s;#2;#10 2x3;#8;#.5 0;#4;#10000 1x40;#10;#100",
  .lo = -3, .hi = 3, .rows = td_rows_first,
};
