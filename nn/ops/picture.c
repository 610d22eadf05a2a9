/* picture.c -- rules of group_norm, of changes of size, and of their gradients. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

/* ---- group_norm ----
**
** With xhat and r as in norm.c, for rows that are groups of channels, and L their Jacobian,
** the gradients are dx = L(w g), dw = sum of g xhat, db = sum of g over each channel of each
** sample. */

static int64_t groups_of(const td_back *b) { return b->call->attr[0].i; }
static double eps_of(const td_back *b) { return b->call->attr[1].f; }

static td_status check_x(const td_call *c, const td_tensor *x) {
  int64_t groups = c->attr[0].i;
  if (x->ndim < 2)
    return td_fail(TD_ESHAPE, "%s: x must have shape (samples, channels, ...), not %s", c->op->name,
                   TEXT(x));
  if (groups < 1 || x->shape[1] % groups)
    return td_fail(TD_ESHAPE, "%s: the %lld channels of x of shape %s do not split into %lld groups",
                   c->op->name, (long long)x->shape[1], TEXT(x), (long long)groups);
  return TD_OK;
}

static td_status check_channels(const td_call *c, const td_tensor *x, const td_tensor *w,
                                const char *what) {
  bool ok = !w || (w->ndim == 1 && w->shape[0] == x->shape[1]) ||
            (w->ndim == 2 && w->shape[0] == x->shape[0] && w->shape[1] == x->shape[1]);
  return ok ? TD_OK :
    td_fail(TD_ESHAPE, "%s: the %s must have one number for each channel of x of shape %s, or for "
            "each of each sample; it has shape %s", c->op->name, what, TEXT(x), TEXT(w));
}

static td_status norm_infer(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0];
  td_status st = check_x(c, x);
  if (!st) st = check_channels(c, x, c->in[1], "weight");
  if (!st) st = check_channels(c, x, c->in[2], "bias");
  td_spec_of(x, out);
  return st;
}

static td_tensor *like_weight(td_tensor *sums, const td_tensor *w) {
  return w->ndim == 2 ? sums : td_sum(sums, TD_INTS(0), false);
}

static void norm_back(td_back *b) {
  td_tensor *grads[3];
  if (td_group_norm_grad(grads, b->g[0], b->in[0], b->in[1], groups_of(b), eps_of(b))) return;
  if (b->want[0]) b->gin[0] = grads[0];
  for (int i = 1; i < 3; i++)
    if (b->want[i]) b->gin[i] = like_weight(grads[i], b->in[i]);
}
#define NEEDS TD_IN(0) | TD_IN(1)
const td_rule td_rule_group_norm = {
  .infer = norm_infer, .vjp = norm_back, .saves = { NEEDS, NEEDS, NEEDS, 0 },
  .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "2x4x3;4;4;#2;#.1 2x4x2x3;2x4;2x4;#4;#.1 3x2x5;-;-;#1;#.1 2x6x3;6;-;#3;#.01 2x3;3;2x3;#1;#.1 "
           "0x4x2;4;4;#2;#.1 2x2x0;2;2;#1;#.1 1x4x37;1x4;-;#2;#.1",
  .lo = -2, .hi = 2,
};

static td_status grad_infer(const td_call *c, td_spec *out) {
  const td_tensor *g = c->in[0], *x = c->in[1];
  td_status st = check_x(c, x);
  bool same = g->ndim == x->ndim;
  for (int d = 0; same && d < x->ndim; d++) same = g->shape[d] == x->shape[d];
  if (!st && !same)
    st = td_fail(TD_ESHAPE, "group_norm_grad: g of shape %s and x of shape %s must agree", TEXT(g), TEXT(x));
  if (!st) st = check_channels(c, x, c->in[2], "weight");
  for (int i = 0; i < 3; i++) td_spec_of(x, &out[i]);
  out[1].ndim = out[2].ndim = 2;
  return st;
}

/* Shapes to compute in: (n, channels, pixels), (n groups, numbers), (n or 1, channels, 1). */
static td_tensor *pixels(td_tensor *t, const td_tensor *x) {
  int64_t channels = x->shape[0] * x->shape[1];
  return td_reshape(t, TD_INTS(x->shape[0], x->shape[1], channels ? td__numel(x) / channels : 0));
}
static td_tensor *in_groups(const td_back *b, td_tensor *t, const td_tensor *x) {
  int64_t count = x->shape[0] * groups_of(b);
  return td_reshape(t, TD_INTS(count, count ? td__numel(x) / count : 0));
}
static td_tensor *over_pixels(td_tensor *w) {
  return td_unsqueeze(w->ndim == 1 ? td_unsqueeze(w, 0) : w, 2);
}
static td_tensor *row_mean(td_tensor *t) { return t ? td_mean(t, TD_INTS(1), true) : NULL; }

/* The derivative of <a, L(h)> in x for h held, as in norm.c. */
static td_tensor *along(const td_back *b, td_tensor *a, td_tensor *la, td_tensor *h, td_tensor *xhat,
                        td_tensor *y, td_tensor *x) {
  td_tensor *r = td_rsqrt(td_add(td_var(x, TD_INTS(1), true, 0), td_num(eps_of(b))));
  td_tensor *sum = td_mul(xhat, row_mean(td_mul(a, y)));
  sum = td_addcmul(sum, row_mean(td_mul(h, xhat)), la);
  sum = td_addcmul(sum, row_mean(td_mul(a, xhat)), y);
  return td_neg(td_mul(sum, r));
}

/* Upstream a, dw and db for the three gradients: the sum to differentiate is
**   <a, L(w g)> + <dw, sum of g xhat> + <db, sum of g>. */
static void grad_back(td_back *b) {
  td_tensor *g = b->in[0], *x = b->in[1], *w = b->in[2];
  td_tensor *a = b->g[0] ? b->g[0] : td_zeros_like(x);
  td_tensor *gx = in_groups(b, x, x), *ga = in_groups(b, a, x), *gg = pixels(g, x);
  td_tensor *la = td_layer_norm_grad(ga, gx, NULL, eps_of(b)), *la3 = la ? pixels(la, x) : NULL;
  td_tensor *xhat = td_layer_norm(gx, NULL, NULL, eps_of(b), NULL, NULL);
  td_tensor *xhat3 = xhat ? pixels(xhat, x) : NULL;
  td_tensor *dw = b->g[1] ? over_pixels(b->g[1]) : NULL, *db = b->g[2] ? over_pixels(b->g[2]) : NULL;
  if (b->want[0]) {
    td_tensor *sum = w ? td_mul(la3, over_pixels(w)) : la3;
    if (dw) sum = td_addcmul(sum, xhat3, dw);
    if (db) sum = td_add(sum, db);
    b->gin[0] = td_reshape(sum, (td_ints){ x->ndim, x->shape });
  }
  if (b->want[2]) b->gin[2] = like_weight(td_sum(td_mul(gg, la3), TD_INTS(2), false), w);
  if (!b->want[1]) return;
  td_tensor *h = in_groups(b, w ? td_mul(gg, over_pixels(w)) : gg, x);
  td_tensor *sum = along(b, ga, la, h, xhat, in_groups(b, b->y[0], x), gx);
  if (dw)
    sum = td_add(sum, td_layer_norm_grad(in_groups(b, td_mul(gg, dw), x), gx, NULL, eps_of(b)));
  b->gin[1] = td_reshape(sum, (td_ints){ x->ndim, x->shape });
}
#define ALL TD_IN(0) | TD_IN(1) | TD_IN(2) | TD_OUT(0)
#define GRAD_SAVES { TD_IN(1) | TD_IN(2), ALL, TD_IN(0) | TD_IN(1), 0 }
const td_rule td_rule_group_norm_grad = {
  .infer = grad_infer, .vjp = grad_back, .saves = GRAD_SAVES,
  .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "2x4x3;2x4x3;4;#2;#.1 2x4x2x3;2x4x2x3;2x4;#4;#.1 3x2x5;3x2x5;-;#1;#.1 "
           "0x4x2;0x4x2;4;#2;#.1 1x2x37;1x2x37;2;#2;#.1",
  .lo = -2, .hi = 2,
};

/* ---- changes of size ---- */

static td_status check_factor(const td_call *c, bool divides) {
  const td_tensor *x = c->in[0];
  int64_t f = c->attr[0].i;
  if (x->ndim != 4)
    return td_fail(TD_ESHAPE, "%s: pictures must have shape (samples, channels, height, width), not %s",
                   c->op->name, TEXT(x));
  if (f < 1 || f > 1 << 20)
    return td_fail(TD_EARG, "%s: the factor must be from 1 to %d, not %lld", c->op->name, 1 << 20,
                   (long long)f);
  if (divides && (x->shape[2] % f || x->shape[3] % f))
    return td_fail(TD_ESHAPE, "%s: pictures of %lld x %lld pixels do not split into squares of %lld",
                   c->op->name, (long long)x->shape[2], (long long)x->shape[3], (long long)f);
  return TD_OK;
}

static td_status up_infer(const td_call *c, td_spec *out) {
  td_status st = check_factor(c, false);
  if (st) return st;
  td_spec_of(c->in[0], out);
  out->shape[2] *= c->attr[0].i, out->shape[3] *= c->attr[0].i;
  return TD_OK;
}
static td_status pool_infer(const td_call *c, td_spec *out) {
  td_status st = check_factor(c, true);
  if (st) return st;
  td_spec_of(c->in[0], out);
  out->shape[2] /= c->attr[0].i, out->shape[3] /= c->attr[0].i;
  return TD_OK;
}
static void up_back(td_back *b) { b->gin[0] = td_sum_pool2d(b->g[0], b->call->attr[0].i); }
static void pool_back(td_back *b) { b->gin[0] = td_upsample2d(b->g[0], b->call->attr[0].i); }

const td_rule td_rule_upsample2d = {
  .infer = up_infer, .vjp = up_back, .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "2x3x2x4;#2 1x2x3x1;#3 2x1x3x3;#1 0x2x2x2;#2", .lo = -1, .hi = 1, .rows = td_rows_first,
};
const td_rule td_rule_sum_pool2d = {
  .infer = pool_infer, .vjp = pool_back, .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "2x3x4x8;#2 1x2x3x9;#3 2x1x3x3;#1 0x2x2x2;#2 1x1x4x36;#4", .lo = -1, .hi = 1,
  .rows = td_rows_first,
};
