/* conv.c -- rules of conv2d, conv_transpose2d and conv2d_weight_grad.
**
** With A(w) the linear map x -> conv2d(x, w), the three are A(w) x, its adjoint A(w)^T g
** and the gradient of <g, A(w) x> with respect to w.  Each one's gradients are the other
** two, so gradients of every order exist.  The bias is added last. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

enum { STEP_MOST = 1 << 20 };    /* keeps what is computed of sizes within 64 bits */

static int64_t stride_of(const td_call *c) { return c->attr[0].i; }
static int64_t pad_of(const td_call *c) { return c->attr[1].i; }

static td_status check(const td_call *c, const td_tensor *pictures, const td_tensor *weight) {
  const char *name = c->op->name;
  if (pictures->ndim != 4)
    return td_fail(TD_ESHAPE, "%s: pictures must have shape (samples, channels, height, width), "
                   "not %s", name, TEXT(pictures));
  if (weight && weight->ndim != 4)
    return td_fail(TD_ESHAPE, "%s: the weight must have four dims, the last two of them height and "
                   "width of the kernel; it has shape %s", name, TEXT(weight));
  if (stride_of(c) < 1 || stride_of(c) > STEP_MOST || pad_of(c) < 0 || pad_of(c) > STEP_MOST)
    return td_fail(TD_EARG, "%s: stride must be from 1, pad from 0 to %d pixels; they are %lld and %lld",
                   name, STEP_MOST, (long long)stride_of(c), (long long)pad_of(c));
  return TD_OK;
}

static td_status check_channels(const td_call *c, int64_t inputs, int64_t outputs) {
  const td_tensor *x = c->in[0], *w = c->in[1], *bias = c->in[2];
  if (x->shape[1] != inputs)
    return td_fail(TD_ESHAPE, "%s: pictures of shape %s have %lld channels, the weight of shape %s "
                   "wants %lld", c->op->name, TEXT(x), (long long)x->shape[1], TEXT(w),
                   (long long)inputs);
  if (bias && (bias->ndim != 1 || bias->shape[0] != outputs))
    return td_fail(TD_ESHAPE, "%s: the bias must have the %lld output channels; it has shape %s",
                   c->op->name, (long long)outputs, TEXT(bias));
  return TD_OK;
}

/* ---- conv2d ---- */

static td_status conv_infer(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0], *w = c->in[1];
  td_status st = check(c, x, w);
  if (!st) st = check_channels(c, w->shape[1], w->shape[0]);
  if (st) return st;
  td_spec_of(x, out);
  out->shape[1] = w->shape[0];
  for (int d = 2; d < 4; d++) {
    int64_t room = x->shape[d] + 2 * pad_of(c) - w->shape[d];
    if (w->shape[d] < 1 || room < 0)
      return td_fail(TD_ESHAPE, "conv2d: a kernel of %lld x %lld does not fit into pictures of "
        "%lld x %lld with a border of %lld", (long long)w->shape[2], (long long)w->shape[3],
        (long long)x->shape[2], (long long)x->shape[3], (long long)pad_of(c));
    out->shape[d] = room / stride_of(c) + 1;
  }
  return TD_OK;
}

/* A(w)^T g, of the size of `like` */
static td_tensor *adjoint(const td_call *c, td_tensor *g, td_tensor *w, const td_tensor *like) {
  int64_t s = stride_of(c), p = pad_of(c), extra[2];
  for (int d = 0; d < 2; d++)
    extra[d] = like->shape[2 + d] - ((g->shape[2 + d] - 1) * s - 2 * p + w->shape[2 + d]);
  return td_conv_transpose2d(g, w, NULL, s, p, extra[0], extra[1]);
}

static td_tensor *weight_grad(const td_call *c, td_tensor *g, td_tensor *x, const td_tensor *w) {
  return td_conv2d_weight_grad(g, x, TD_INTS(w->shape[2], w->shape[3]), stride_of(c), pad_of(c));
}

/* Sums over samples and pixels; in two steps, each along what lies side by side. */
static td_tensor *over_channels(td_tensor *g) {
  return td_sum(td_sum(g, TD_INTS(2, 3), false), TD_INTS(0), false);
}

static void conv_back(td_back *b) {
  const td_call *c = b->call;
  td_tensor *x = b->in[0], *w = b->in[1], *g = b->g[0];
  if (b->want[0]) b->gin[0] = adjoint(c, g, w, x);
  if (b->want[1]) b->gin[1] = weight_grad(c, g, x, w);
  if (b->want[2]) b->gin[2] = over_channels(g);
}
const td_rule td_rule_conv2d = {
  .infer = conv_infer, .vjp = conv_back, .saves = { TD_IN(1), TD_IN(0), 0, 0 },
  .flags = TD_FLOATONLY | TD_CONTIG | TD_PRODUCT,
  .cases = "2x3x5x4;2x3x3x3;2;#1;#1 1x2x4x4;3x2x3x2;-;#1;#0 3x1x6x5;2x1x3x3;2;#2;#1 "
           "2x2x3x3;4x2x1x1;4 1x1x5x5;1x1x2x2;-;#3;#0 0x2x3x3;2x2x3x3;2;#1;#1 "
           "20x1x2x2;2x1x2x2;-;#1;#1",
  .lo = -1, .hi = 1,
};

/* ---- conv_transpose2d ---- */

static td_status transpose_infer(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0], *w = c->in[1];
  td_status st = check(c, x, w);
  if (!st) st = check_channels(c, w->shape[0], w->shape[1]);
  if (st) return st;
  td_spec_of(x, out);
  out->shape[1] = w->shape[1];
  for (int d = 2; d < 4; d++) {
    int64_t extra = c->attr[d].i;
    if (extra < 0 || extra >= stride_of(c))
      return td_fail(TD_EARG, "conv_transpose2d: extra rows and columns must be from 0 to %lld, "
                     "less than the stride; not %lld", (long long)stride_of(c) - 1, (long long)extra);
    out->shape[d] = (x->shape[d] - 1) * stride_of(c) - 2 * pad_of(c) + w->shape[d] + extra;
    if (x->shape[d] < 1 || w->shape[d] < 1 || out->shape[d] < 1)
      return td_fail(TD_ESHAPE, "conv_transpose2d: nothing is left of pictures of %lld x %lld after "
        "a border of %lld is cut off", (long long)x->shape[2], (long long)x->shape[3],
        (long long)pad_of(c));
  }
  return TD_OK;
}

static void transpose_back(td_back *b) {
  const td_call *c = b->call;
  td_tensor *x = b->in[0], *w = b->in[1], *g = b->g[0];
  if (b->want[0]) b->gin[0] = td_conv2d(g, w, NULL, stride_of(c), pad_of(c));
  if (b->want[1]) b->gin[1] = weight_grad(c, x, g, w);
  if (b->want[2]) b->gin[2] = over_channels(g);
}
const td_rule td_rule_conv_transpose2d = {
  .infer = transpose_infer, .vjp = transpose_back, .saves = { TD_IN(1), TD_IN(0), 0, 0 },
  .flags = TD_FLOATONLY | TD_CONTIG | TD_PRODUCT,
  .cases = "2x3x3x2;3x2x3x3;2;#1;#1;#0;#0 1x2x3x3;2x3x2x2;3;#2;#0;#0;#0 "
           "2x1x2x3;1x2x3x3;-;#2;#1;#1;#0 1x2x2x2;2x1x4x4;-;#2;#1 0x2x3x3;2x1x2x2;1",
  .lo = -1, .hi = 1,
};

/* ---- conv2d_weight_grad ---- */

static td_status weight_infer(const td_call *c, td_spec *out) {
  const td_tensor *g = c->in[0], *x = c->in[1];
  td_status st = check(c, x, NULL);
  if (!st) st = check(c, g, NULL);
  if (st) return st;
  if (c->nlist != 2 || c->list[0] < 1 || c->list[1] < 1 || c->list[0] > STEP_MOST ||
      c->list[1] > STEP_MOST)
    return td_fail(TD_EARG, "conv2d_weight_grad: size must be height and width of the kernel");
  bool fits = g->shape[0] == x->shape[0];
  for (int d = 2; d < 4; d++) {
    int64_t room = x->shape[d] + 2 * pad_of(c) - c->list[d - 2];
    fits = fits && room >= 0 && g->shape[d] == room / stride_of(c) + 1;
  }
  if (!fits)
    return td_fail(TD_ESHAPE, "conv2d_weight_grad: g of shape %s is not the shape of a convolution "
      "of x of shape %s with a kernel of %lld x %lld", TEXT(g), TEXT(x), (long long)c->list[0],
      (long long)c->list[1]);
  *out = (td_spec){ .dtype = (td_dtype)x->dtype, .ndim = 4,
                    .shape = { g->shape[1], x->shape[1], c->list[0], c->list[1] } };
  return TD_OK;
}

static void weight_back(td_back *b) {
  const td_call *c = b->call;
  td_tensor *g = b->in[0], *x = b->in[1], *u = b->g[0];
  if (b->want[0]) b->gin[0] = td_conv2d(x, u, NULL, stride_of(c), pad_of(c));
  if (b->want[1]) b->gin[1] = adjoint(c, g, u, x);
}
const td_rule td_rule_conv2d_weight_grad = {
  .infer = weight_infer, .vjp = weight_back, .saves = { TD_IN(1), TD_IN(0), 0, 0 },
  .flags = TD_FLOATONLY | TD_CONTIG | TD_PRODUCT,
  .cases = "2x2x5x4;2x3x5x4;[3,3];#1;#1 1x2x2x2;1x1x5x5;[2,2];#3;#0 3x2x3x3;3x1x6x5;[3,3];#2;#1 "
           "0x2x3x3;0x1x3x3;[1,1] 14x2x3x3;14x1x2x2;[2,2];#1;#1",
  .lo = -1, .hi = 1,
};
