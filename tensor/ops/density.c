/* density.c -- rules of Gaussian kernel densities. */
#include "tensor/op.h"

static td_status check(const td_call *c) {
  const td_tensor *x = c->in[0], *data = c->in[1];
  char a[128], b[128];
  if (x->ndim != 2 || data->ndim != 2 || x->shape[1] != data->shape[1])
    return td_fail(TD_ESHAPE, "%s: points (B,D) and data (N,D) are wanted, not "
      "%s and %s", c->op->name, td_shape_text(x->ndim, x->shape, a, sizeof a),
      td_shape_text(data->ndim, data->shape, b, sizeof b));
  if (data->shape[0] == 0)
    return td_fail(TD_EARG, "%s: there is no data", c->op->name);
  if (!(c->attr[0].f > 0))
    return td_fail(TD_EARG, "%s: the bandwidth must be positive, not %g",
                   c->op->name, c->attr[0].f);
  return TD_OK;
}
static td_status infer_kde(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  out->ndim = 1;
  return check(c);
}
static td_status infer_kde_mean(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  return check(c);
}

/* softmax over data of -|x - s|^2 / 2h^2: (B,N) */
static td_tensor *weights(td_tensor *x, td_tensor *data, double h) {
  return td_softmax(td_mul(td_square(td_cdist(x, data)),
                           td_num(-.5 / (h * h))), 1);
}
static td_tensor *row_sum(td_tensor *a) { return td_sum(a, TD_INTS(1), true); }
static td_tensor *column_sum(td_tensor *a) {
  return td_transpose(td_sum(a, TD_INTS(0), true), 0, 1);
}
static td_tensor *over_h2(td_tensor *a, double h) {
  return td_mul(a, td_num(1 / (h * h)));
}

static void vjp_kde(td_back *b) {
  td_tensor *x = b->in[0], *data = b->in[1];
  double h = b->call->attr[0].f;
  td_tensor *g = td_unsqueeze(b->g[0], 1);
  if (b->want[0])
    b->gin[0] = over_h2(td_mul(g, td_sub(td_kde_mean(x, data, h), x)), h);
  if (b->want[1]) {
    td_tensor *q = td_mul(weights(x, data, h), g);
    b->gin[1] = over_h2(td_sub(td_mm(td_transpose(q, 0, 1), x),
                               td_mul(column_sum(q), data)), h);
  }
}
const td_rule td_rule_kde = { .infer = infer_kde, .vjp = vjp_kde,
  .cases = "2x2;5x2;#.7 3x1;4x1;#1 0x2;3x2;#1",
  .saves = { TD_IN(0) | TD_IN(1), TD_IN(0) | TD_IN(1) },
  .flags = TD_CONTIG | TD_FLOATONLY, .lo = -1, .hi = 1 };

/* m = sum_j w_j s_j.  With Q = W * (G S^T - <G, m>): dx = Q S / h^2 and
** dS = W^T G + (Q^T x - (Q^T 1) S) / h^2. */
static void vjp_kde_mean(td_back *b) {
  td_tensor *x = b->in[0], *data = b->in[1], *g = b->g[0];
  double h = b->call->attr[0].f;
  td_tensor *w = weights(x, data, h);
  td_tensor *m = td_mm(w, data);
  td_tensor *q = td_mul(w, td_sub(td_mm(g, td_transpose(data, 0, 1)),
                                  row_sum(td_mul(g, m))));
  if (b->want[0]) b->gin[0] = over_h2(td_mm(q, data), h);
  if (b->want[1])
    b->gin[1] = td_add(td_mm(td_transpose(w, 0, 1), g),
      over_h2(td_sub(td_mm(td_transpose(q, 0, 1), x),
                     td_mul(column_sum(q), data)), h));
}
const td_rule td_rule_kde_mean = { .infer = infer_kde_mean,
  .vjp = vjp_kde_mean, .cases = "2x2;5x2;#.7 3x1;4x1;#1 0x2;3x2;#1",
  .saves = { TD_IN(0) | TD_IN(1), TD_IN(0) | TD_IN(1) },
  .flags = TD_CONTIG | TD_FLOATONLY, .lo = -1, .hi = 1 };
