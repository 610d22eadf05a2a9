/* norm.c -- rules of layer_norm, gated_norm and rms_norm and of their gradients.
**
** With xhat the normalised row and r the factor that scales it, the Jacobian
** of both layers is the symmetric matrix
**     L = r (I - 1 1^T / n - xhat xhat^T / n)     without 1 1^T for rms_norm
** so the gradient is one op, u -> L u, and what differentiates it again is made
** of L and of plain ops: gradients of every order exist.
**
** layer_norm is modulated on the way: y = (xhat weight + bias) (1 + scale) + shift, where
** shift and scale are rows that broadcast to x. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

/* Which of the two families an op belongs to: layer_... or rms_... */
static bool centred(const td_call *c) { return c->op->name[0] == 'l'; }

static double eps_of(const td_back *b) { return b->call->attr[0].f; }

/* ---- the functions of both families ---- */

static td_tensor *normal(const td_back *b, td_tensor *x) {
  return centred(b->call) ? td_layer_norm(x, NULL, NULL, eps_of(b), NULL, NULL) :
    td_rms_norm(x, NULL, eps_of(b));
}
static td_tensor *jacobian(const td_back *b, td_tensor *u, td_tensor *x,
                           td_tensor *w) {
  return centred(b->call) ? td_layer_norm_grad(u, x, w, eps_of(b)) :
    td_rms_norm_grad(u, x, w, eps_of(b));
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

/* Does t, or nothing, broadcast to x, with a last dim as long? */
static td_status check_lines(const td_call *c, const td_tensor *x, int i, const char *what) {
  const td_tensor *t = c->in[i];
  if (!t) return TD_OK;
  int skip = x->ndim - t->ndim;
  bool ok = t->ndim > 0 && skip >= 0 && t->shape[t->ndim - 1] == x->shape[x->ndim - 1];
  for (int d = 0; ok && d < t->ndim - 1; d++)
    ok = t->shape[d] == 1 || t->shape[d] == x->shape[d + skip];
  return ok ? TD_OK :
    td_fail(TD_ESHAPE, "%s: the %s must be a row for each row of x of shape %s, or for several of "
            "them; it has shape %s", c->op->name, what, TEXT(x), TEXT(t));
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
  if (!st && c->nin > 2) st = check_lines(c, c->in[0], 3, "shift");
  if (!st && c->nin > 2) st = check_lines(c, c->in[0], 4, "scale");
  td_spec_of(c->in[0], out);
  return st;
}

static td_status gated_infer(const td_call *c, td_spec *out) {
  static const char *const what[] = { "", "gate", "y", "weight", "bias", "shift", "scale" };
  const td_tensor *x = c->in[0];
  td_status st = x->ndim ? TD_OK : td_fail(TD_ESHAPE, "gated_norm: x needs at least one dim");
  for (int i = 1; !st && i < 7; i++)
    st = i == 3 || i == 4 ? check_row(c, x, i, what[i]) : check_lines(c, x, i, what[i]);
  for (int k = 0; k < 2; k++) td_spec_of(x, &out[k]);
  return st;
}

/* Rows of x and those that belong to it, each by itself. */
static bool rows_by_line(const td_call *c, td_tensor *const *out, bool *cut) {
  return out[0]->ndim > 1 && td_rows_each(c, out, cut);
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

static td_status modulated_infer(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[1];
  td_status st = same_shapes(c);
  if (!st) st = check_row(c, x, 2, "weight");
  if (!st) st = check_row(c, x, 3, "bias");
  if (!st) st = check_lines(c, x, 4, "scale");
  if (!st) st = check_lines(c, x, 5, "gradient to add");
  for (int k = 0; k < 2; k++) td_spec_of(x, &out[k]);
  return st;
}

static td_status wgrad_infer(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[1];
  td_status st = same_shapes(c);
  if (!st && c->nin > 2) st = check_lines(c, x, 2, "scale");
  for (int k = 0; !st && k < c->op->nout; k++)
    out[k] = (td_spec){ (td_dtype)x->dtype, 1, { x->shape[x->ndim - 1] } };
  return st;
}

/* ---- gradients ---- */

static void rms_back(td_back *b) {
  td_tensor *x = b->in[0], *g = b->g[0];
  if (b->want[0]) b->gin[0] = td_rms_norm_grad(g, x, b->in[1], eps_of(b));
  if (b->want[1]) b->gin[1] = td_rms_norm_weight_grad(g, x, eps_of(b));
}

/* Gradients of layer_norm at x, g upstream: those of weight, bias, shift and scale, which are the
** inputs from `at` on, and with `dx` that of x, to which `add` is added. */
static td_tensor *layer_back(td_back *b, int at, td_tensor *g, td_tensor *x, bool dx, td_tensor *add) {
  td_tensor *const *in = b->in + at, **gin = b->gin + at, *grads[2], *scale = in[3];
  const bool *want = b->want + at;
  if (want[0] || want[1]) {
    if (td_layer_norm_weight_grad(grads, g, x, eps_of(b), scale)) return NULL;
    for (int k = 0; k < 2; k++) if (want[k]) gin[k] = grads[k];
  }
  if (want[2]) gin[2] = td_sum_to(g, in[2]);
  if (!dx && !want[3]) return NULL;
  if (!scale) {
    td_tensor *y = td_layer_norm_grad(g, x, in[0], eps_of(b));
    return add ? td_add(y, add) : y;
  }
  if (td_layer_norm_modulated_grad(grads, g, x, in[0], in[1], scale, eps_of(b), add)) return NULL;
  if (want[3]) gin[3] = td_sum_to(grads[1], scale);
  return grads[0];
}

static void layer_norm_back(td_back *b) {
  td_tensor *dx = layer_back(b, 1, b->g[0], b->in[0], b->want[0], NULL);
  if (b->want[0]) b->gin[0] = dx;
}

/* h = x + gate y, and layer_norm(h) */
static void gated_back(td_back *b) {
  bool deep = b->want[0] || b->want[1] || b->want[2];
  td_tensor *gate = b->in[1], *y = b->in[2], *dh = b->g[0], *grads[2];
  if (b->g[1]) dh = layer_back(b, 3, b->g[1], b->y[0], deep, dh);
  if (b->want[0]) b->gin[0] = td_sum_to(dh, b->in[0]);
  if (!b->want[1] && !b->want[2]) return;
  if (td_addcmul_grad(grads, dh, gate, y)) return;
  if (b->want[1]) b->gin[1] = td_sum_to(grads[0], gate);
  if (b->want[2]) b->gin[2] = td_sum_to(grads[1], y);
}

/* With y = L(x) h and upstream g, the gradient of <g, y> in x for h held:
**   -r (xhat <g, y> + <h, xhat> L g + <g, xhat> y),  <,> row means */
static td_tensor *along(const td_back *b, td_tensor *g, td_tensor *lg, td_tensor *h, td_tensor *xhat,
                        td_tensor *y, td_tensor *x) {
  td_tensor *sum = td_mul(xhat, row_mean(td_mul(g, y)));
  sum = td_addcmul(sum, row_mean(td_mul(h, xhat)), lg);
  sum = td_addcmul(sum, row_mean(td_mul(g, xhat)), y);
  return td_neg(td_mul(sum, scale_of(b, x)));
}

/* y = L(x) (w u) */
static void grad_back(td_back *b) {
  td_tensor *u = b->in[0], *x = b->in[1], *w = b->in[2], *g = b->g[0];
  td_tensor *lg = jacobian(b, g, x, NULL);
  if (b->want[0]) b->gin[0] = w ? td_mul(lg, w) : lg;
  if (b->want[2]) b->gin[2] = sum_rows(td_mul(lg, u), w);
  if (b->want[1])
    b->gin[1] = along(b, g, lg, w ? td_mul(u, w) : u, normal(b, x), b->y[0], x);
}

/* Of v = L(x) (w u) + add and s = g (xhat w + bias), where u = g (1 + scale): upstream p and q
** for them, so with k = g q the sum to differentiate is <p, L(w u)> + <k, xhat w + bias>. */
static void modulated_back(td_back *b) {
  td_tensor *g = b->in[0], *x = b->in[1], *w = b->in[2], *scale = b->in[4], *add = b->in[5];
  td_tensor *p = b->g[0] ? b->g[0] : td_zeros_like(g), *q = b->g[1];
  const bool *want = b->want;
  if (want[5]) b->gin[5] = td_sum_to(p, add);
  if (want[3] && q) b->gin[3] = sum_rows(td_mul(g, q), b->in[3]);
  if (!want[0] && !want[1] && !want[2] && !want[4]) return;
  td_tensor *lp = jacobian(b, p, x, NULL), *du = w && (want[0] || want[4]) ? td_mul(lp, w) : lp;
  if (want[0]) {
    td_tensor *sum = td_modulate(du, NULL, scale);
    b->gin[0] = q ? td_addcmul(sum, q, td_layer_norm(x, w, b->in[3], eps_of(b), NULL, NULL)) : sum;
  }
  if (want[4]) b->gin[4] = td_sum_to(td_mul(du, g), scale);
  if (!want[1] && !want[2]) return;
  td_tensor *u = td_modulate(g, NULL, scale), *k = q ? td_mul(g, q) : NULL, *xhat = normal(b, x);
  if (want[1]) {
    td_tensor *y = add ? td_sub(b->y[0], add) : b->y[0];
    b->gin[1] = along(b, p, lp, w ? td_mul(u, w) : u, xhat, y, x);
    if (q) b->gin[1] = td_add(b->gin[1], jacobian(b, k, x, w));
  }
  if (want[2]) {
    td_tensor *sum = td_mul(lp, u);
    b->gin[2] = sum_rows(q ? td_addcmul(sum, k, xhat) : sum, w);
  }
}

/* y = sum over rows of u xhat, and of u for layer_norm, with u = g (1 + scale) where there is a
** scale */
static void wgrad_back(td_back *b) {
  td_tensor *g = b->in[0], *x = b->in[1], *a = b->g[0];
  bool layer = centred(b->call);
  td_tensor *c = layer ? b->g[1] : NULL, *scale = layer ? b->in[2] : NULL;
  td_tensor *du = a ? td_mul(normal(b, x), a) : NULL;
  if (c) du = du ? td_add(du, c) : td_expand(c, (td_ints){ x->ndim, x->shape });
  if (b->want[0]) b->gin[0] = scale ? td_modulate(du, NULL, scale) : du;
  if (b->want[1] && a) b->gin[1] = jacobian(b, scale ? td_modulate(g, NULL, scale) : g, x, a);
  if (layer && b->want[2]) b->gin[2] = td_sum_to(td_mul(du, g), scale);
}

#define RMS_SAVES { TD_IN(0) | TD_IN(1), TD_IN(0), 0, 0 }
#define AFFINE(i) TD_IN(i) | TD_IN((i) + 1) | TD_IN((i) + 3)      /* weight, bias, scale */
#define LAYER_SAVES { TD_IN(0) | AFFINE(1), TD_IN(0) | TD_IN(4), TD_IN(0) | TD_IN(4), 0, \
  TD_IN(0) | AFFINE(1) }
#define GATED_SAVES { TD_OUT(0) | AFFINE(3), TD_OUT(0) | AFFINE(3) | TD_IN(1) | TD_IN(2), \
  TD_OUT(0) | AFFINE(3) | TD_IN(1) | TD_IN(2), TD_OUT(0) | TD_IN(6), TD_OUT(0) | TD_IN(6), 0, \
  TD_OUT(0) | AFFINE(3) }
#define GRAD_SAVES { TD_IN(1) | TD_IN(2), \
  TD_IN(0) | TD_IN(1) | TD_IN(2) | TD_OUT(0), TD_IN(0) | TD_IN(1), 0 }
#define MODULATED_SAVES { TD_IN(1) | TD_IN(2) | TD_IN(3) | TD_IN(4), \
  TD_IN(0) | TD_IN(1) | TD_IN(2) | TD_IN(4) | TD_IN(5) | TD_OUT(0), TD_IN(0) | TD_IN(1) | TD_IN(4), \
  TD_IN(0), TD_IN(0) | TD_IN(1) | TD_IN(2), 0 }
#define WGRAD_SAVES { TD_IN(1) | TD_IN(2), TD_IN(0) | TD_IN(1) | TD_IN(2), TD_IN(0) | TD_IN(1) }
#define RMS_WGRAD_SAVES { TD_IN(1), TD_IN(0) | TD_IN(1) }
#define FLAGS TD_FLOATONLY | TD_CONTIG
#define LINES TD_FLOATONLY | TD_LINES

const td_rule td_rule_layer_norm = {
  .infer = norm_infer, .vjp = layer_norm_back, .saves = LAYER_SAVES, .flags = LINES,
  .cases = "3x4;4;4;#.1 3x4;-;-;#.1 2x3x5;5;-;#.01 2x3;-;3;#.1 5;5;5;#.1 "
           "0x4;4;4;#.1 3x1;1;1;#.1 3x0;0;0;#.1 2x37;37;37;#.00001 3x4;4;4;#.1;3x4;3x4 "
           "3x4;-;-;#.1;1x4;1x4 2x3x5;5;-;#.1;2x1x5;2x3x5 2x3x5;-;5;#.1;5;1x5 5;5;5;#.1;-;5 "
           "3x4;4;-;#.1;3x4;- 0x4;4;4;#.1;0x4;4 2x3x0;0;-;#.1;3x0;0",
  .lo = -2, .hi = 2, .rows = rows_by_line,
};
const td_rule td_rule_layer_norm_modulated_grad = {
  .infer = modulated_infer, .vjp = modulated_back, .saves = MODULATED_SAVES, .flags = LINES,
  .cases = "3x4;3x4;4;4;3x4;#.1;3x4 3x4;3x4;-;-;1x4;#.1 2x3x5;2x3x5;5;-;2x1x5;#.1 "
           "2x3x5;2x3x5;-;5;5;#.1;3x5 5;5;5;5;5;#.1;5 0x4;0x4;4;4;0x4;#.1;0x4 2x37;2x37;37;37;2x37;#.1",
  .lo = -2, .hi = 2, .rows = rows_by_line,
};
const td_rule td_rule_gated_norm = {
  .infer = gated_infer, .vjp = gated_back, .saves = GATED_SAVES, .flags = LINES,
  .cases = "3x4;3x4;3x4;4;4;#.1;3x4;3x4 3x4;1x4;3x4;-;-;#.1;1x4;1x4 2x3x5;2x1x5;2x3x5;5;-;#.1;2x1x5;2x1x5 "
           "2x3x5;5;3x5;-;5;#.1 5;5;5;5;5;#.1;5;5 0x4;0x4;0x4;4;4;#.1;4;4 2x37;37;2x37;37;37;#.1;-;37",
  .lo = -2, .hi = 2, .rows = rows_by_line,
};
const td_rule td_rule_layer_norm_grad = {
  .infer = grad_infer, .vjp = grad_back, .saves = GRAD_SAVES, .flags = FLAGS,
  .cases = "3x4;3x4;4;#.1 3x4;3x4;-;#.1 2x3x5;2x3x5;5;#.1 5;5;5;#.1 "
           "0x4;0x4;4;#.1 2x37;2x37;37;#.1",
  .lo = -2, .hi = 2, .rows = td_rows_two,
};
const td_rule td_rule_layer_norm_weight_grad = {
  .infer = wgrad_infer, .vjp = wgrad_back, .saves = WGRAD_SAVES, .flags = LINES,
  .cases = "3x4;3x4;#.1 2x3x5;2x3x5;#.1 5;5;#.1 0x4;0x4;#.1 70x3;70x3;#.1 3x4;3x4;#.1;3x4 "
           "2x3x5;2x3x5;#.1;2x1x5 70x3;70x3;#.1;3",
  .lo = -2, .hi = 2,
};
const td_rule td_rule_rms_norm = {
  .infer = norm_infer, .vjp = rms_back, .saves = RMS_SAVES, .flags = FLAGS,
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
  .infer = wgrad_infer, .vjp = wgrad_back, .saves = RMS_WGRAD_SAVES, .flags = FLAGS,
  .cases = "3x4;3x4;#.1 2x3x5;2x3x5;#.1 5;5;#.1 0x4;0x4;#.1 70x3;70x3;#.1",
  .lo = -2, .hi = 2,
};
