/* norm.c -- rules of layer_norm and rms_norm and of their gradients.
**
** With xhat the normalised row and r the factor that scales it, the Jacobian
** of both layers is the symmetric matrix
**     L = r (I - 1 1^T / n - xhat xhat^T / n)     without 1 1^T for rms_norm
** so the gradient is one op, u -> L u, and what differentiates it again is made
** of L and of plain ops: gradients of every order exist. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

/* Which of the two families an op belongs to: layer_... or rms_... */
static bool centred(const td_call *c) { return c->op->name[0] == 'l'; }

static double eps_of(const td_back *b) { return b->call->attr[0].f; }

/* ---- the functions of both families ---- */

static td_tensor *normal(const td_back *b, td_tensor *x) {
  return centred(b->call) ? td_layer_norm(x, NULL, NULL, eps_of(b)) :
    td_rms_norm(x, NULL, eps_of(b));
}
static td_tensor *jacobian(const td_back *b, td_tensor *u, td_tensor *x,
                           td_tensor *w) {
  return centred(b->call) ? td_layer_norm_grad(u, x, w, eps_of(b)) :
    td_rms_norm_grad(u, x, w, eps_of(b));
}
static td_tensor *weight_grad(const td_back *b, td_tensor *g, td_tensor *x) {
  return centred(b->call) ? td_layer_norm_weight_grad(g, x, eps_of(b)) :
    td_rms_norm_weight_grad(g, x, eps_of(b));
}

static td_tensor *row_mean(td_tensor *x) {
  return x ? td_mean(x, TD_INTS(td_ndim(x) - 1), true) : NULL;
}

/* r of every row, by plain ops */
static td_tensor *scale_of(const td_back *b, td_tensor *x) {
  td_tensor *power = centred(b->call) ?
    td_var(x, TD_INTS(td_ndim(x) - 1), true, 0) : row_mean(td_square(x));
  return td_rsqrt(td_add(power, td_num(eps_of(b))));
}

static td_tensor *sum_rows(td_tensor *g, const td_tensor *like) {
  return td_sum_to(g, like);
}

/* ---- shapes ---- */

static td_status check_row(const td_call *c, const td_tensor *x, int i,
                           const char *what) {
  const td_tensor *w = c->in[i];
  int64_t n = x->shape[x->ndim - 1];
  if (!w || (w->ndim == 1 && w->shape[0] == n)) return TD_OK;
  return td_fail(TD_ESHAPE, "%s: the %s must have one number for each of the "
    "%lld entries of the last dim of x; it has shape %s", c->op->name, what,
    (long long)n, TEXT(w));
}

static td_status norm_infer(const td_call *c, td_spec *out) {
  if (c->in[0]->ndim < 1)
    return td_fail(TD_ESHAPE, "%s: x needs at least one dim", c->op->name);
  td_status st = check_row(c, c->in[0], 1, "weight");
  if (!st && c->nin > 2) st = check_row(c, c->in[0], 2, "bias");
  td_spec_of(c->in[0], out);
  return st;
}

static td_status same_shapes(const td_call *c) {
  const td_tensor *g = c->in[0], *x = c->in[1];
  bool same = g->ndim == x->ndim && x->ndim > 0;
  for (int d = 0; same && d < x->ndim; d++) same = g->shape[d] == x->shape[d];
  return same ? TD_OK :
    td_fail(TD_ESHAPE, "%s: g of shape %s and x of shape %s must agree and have "
            "at least one dim", c->op->name, TEXT(g), TEXT(x));
}

static td_status grad_infer(const td_call *c, td_spec *out) {
  td_status st = same_shapes(c);
  if (!st) st = check_row(c, c->in[1], 2, "weight");
  td_spec_of(c->in[1], out);
  return st;
}

static td_status wgrad_infer(const td_call *c, td_spec *out) {
  td_status st = same_shapes(c);
  if (st) return st;
  *out = (td_spec){ .dtype = (td_dtype)c->in[1]->dtype, .ndim = 1 };
  out->shape[0] = c->in[1]->shape[c->in[1]->ndim - 1];
  return TD_OK;
}

/* ---- gradients ---- */

static void norm_back(td_back *b) {
  td_tensor *x = b->in[0], *w = b->in[1], *g = b->g[0];
  if (b->want[0]) b->gin[0] = jacobian(b, g, x, w);
  if (b->want[1]) b->gin[1] = weight_grad(b, g, x);
  if (b->call->nin > 2 && b->want[2]) b->gin[2] = sum_rows(g, b->in[2]);
}

/* y = L(x) (w u): with h = w u and upstream g,
**   dx = -r (xhat <g, y> + <h, xhat> L g + <g, xhat> y),  <,> row means */
static void grad_back(td_back *b) {
  td_tensor *u = b->in[0], *x = b->in[1], *w = b->in[2], *g = b->g[0];
  td_tensor *lg = jacobian(b, g, x, NULL);
  if (b->want[0]) b->gin[0] = w ? td_mul(lg, w) : lg;
  if (b->want[2]) b->gin[2] = sum_rows(td_mul(lg, u), w);
  if (!b->want[1]) return;
  td_tensor *h = w ? td_mul(u, w) : u, *y = b->y[0], *xhat = normal(b, x);
  td_tensor *sum = td_mul(xhat, row_mean(td_mul(g, y)));
  sum = td_addcmul(sum, row_mean(td_mul(h, xhat)), lg);
  sum = td_addcmul(sum, row_mean(td_mul(g, xhat)), y);
  b->gin[1] = td_neg(td_mul(sum, scale_of(b, x)));
}

/* y = sum over rows of u xhat */
static void wgrad_back(td_back *b) {
  td_tensor *u = b->in[0], *x = b->in[1], *g = b->g[0];
  if (b->want[0]) b->gin[0] = td_mul(normal(b, x), g);
  if (b->want[1]) b->gin[1] = jacobian(b, u, x, g);
}

#define NORM_SAVES { TD_IN(0) | TD_IN(1), TD_IN(0), 0, 0 }
#define GRAD_SAVES { TD_IN(1) | TD_IN(2), \
  TD_IN(0) | TD_IN(1) | TD_IN(2) | TD_OUT(0), TD_IN(0) | TD_IN(1), 0 }
#define WGRAD_SAVES { TD_IN(1), TD_IN(0) | TD_IN(1), 0, 0 }
#define FLAGS TD_FLOATONLY | TD_CONTIG

const td_rule td_rule_layer_norm = {
  .infer = norm_infer, .vjp = norm_back, .saves = NORM_SAVES, .flags = FLAGS,
  .cases = "3x4;4;4;#.1 3x4;-;-;#.1 2x3x5;5;-;#.01 2x3;-;3;#.1 5;5;5;#.1 "
           "0x4;4;4;#.1 3x1;1;1;#.1 3x0;0;0;#.1 2x37;37;37;#.00001",
  .lo = -2, .hi = 2, .rows = td_rows_first,
};
const td_rule td_rule_layer_norm_grad = {
  .infer = grad_infer, .vjp = grad_back, .saves = GRAD_SAVES, .flags = FLAGS,
  .cases = "3x4;3x4;4;#.1 3x4;3x4;-;#.1 2x3x5;2x3x5;5;#.1 5;5;5;#.1 "
           "0x4;0x4;4;#.1 2x37;2x37;37;#.1",
  .lo = -2, .hi = 2, .rows = td_rows_two,
};
const td_rule td_rule_layer_norm_weight_grad = {
  .infer = wgrad_infer, .vjp = wgrad_back, .saves = WGRAD_SAVES, .flags = FLAGS,
  .cases = "3x4;3x4;#.1 2x3x5;2x3x5;#.1 5;5;#.1 0x4;0x4;#.1 70x3;70x3;#.1",
  .lo = -2, .hi = 2,
};
const td_rule td_rule_rms_norm = {
  .infer = norm_infer, .vjp = norm_back, .saves = NORM_SAVES, .flags = FLAGS,
  .cases = "3x4;4;#.1 3x4;-;#.1 2x3x5;5;#.01 5;5;#.1 0x4;4;#.1 3x1;1;#.1 "
           "3x0;0;#.1 2x37;37;#.00001",
  .lo = -2, .hi = 2, .rows = td_rows_first,
};
const td_rule td_rule_rms_norm_grad = {
  .infer = grad_infer, .vjp = grad_back, .saves = GRAD_SAVES, .flags = FLAGS,
  .cases = "3x4;3x4;4;#.1 3x4;3x4;-;#.1 2x3x5;2x3x5;5;#.1 5;5;5;#.1 "
           "0x4;0x4;4;#.1 2x37;2x37;37;#.1",
  .lo = -2, .hi = 2, .rows = td_rows_two,
};
const td_rule td_rule_rms_norm_weight_grad = {
  .infer = wgrad_infer, .vjp = wgrad_back, .saves = WGRAD_SAVES, .flags = FLAGS,
  .cases = "3x4;3x4;#.1 2x3x5;2x3x5;#.1 5;5;#.1 0x4;0x4;#.1 70x3;70x3;#.1",
  .lo = -2, .hi = 2,
};
