/* density.c -- rules of Gaussian kernel densities, neighbours and assignments. */
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

/* Gradients for x and data from g (B,1). */
static td_tensor *from_x(td_tensor *g, td_tensor *x, td_tensor *data, double h) {
  return over_h2(td_mul(g, td_sub(td_kde_mean(x, data, h), x)), h);
}
static td_tensor *from_data(td_tensor *g, td_tensor *x, td_tensor *data,
                            double h) {
  td_tensor *q = td_mul(weights(x, data, h), g);
  return over_h2(td_sub(td_mm(td_transpose(q, 0, 1), x),
                        td_mul(column_sum(q), data)), h);
}

static void vjp_kde(td_back *b) {
  td_tensor *x = b->in[0], *data = b->in[1], *g = td_unsqueeze(b->g[0], 1);
  double h = b->call->attr[0].f;
  if (b->want[0]) b->gin[0] = from_x(g, x, data, h);
  if (b->want[1]) b->gin[1] = from_data(g, x, data, h);
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

/* ---- on a grid ---- */

static td_status infer_kde_grid(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0], *y = c->in[1], *data = c->in[2];
  char a[3][128];
  if (x->ndim != 1 || y->ndim != 1 || data->ndim != 2 || data->shape[1] != 2)
    return td_fail(TD_ESHAPE, "kde_grid: lines x (A) and y (B) and data (N,2) are "
      "wanted, not %s, %s and %s", td_shape_text(x->ndim, x->shape, a[0], 128),
      td_shape_text(y->ndim, y->shape, a[1], 128),
      td_shape_text(data->ndim, data->shape, a[2], 128));
  if (data->shape[0] == 0) return td_fail(TD_EARG, "kde_grid: there is no data");
  if (!(c->attr[0].f > 0))
    return td_fail(TD_EARG, "kde_grid: the bandwidth must be positive, not %g",
                   c->attr[0].f);
  *out = (td_spec){ x->dtype, 2, { y->shape[0], x->shape[0] } };
  return TD_OK;
}

/* As kde at all crossings (B A, 2). */
static void vjp_kde_grid(td_back *q) {
  td_tensor *x = q->in[0], *y = q->in[1], *data = q->in[2];
  int64_t a = x->shape[0], b = y->shape[0];
  double h = q->call->attr[0].f;
  td_tensor *points = td_reshape(td_stack(TD_LIST(
    td_expand(td_unsqueeze(x, 0), TD_INTS(b, a)),
    td_expand(td_unsqueeze(y, 1), TD_INTS(b, a))), 2), TD_INTS(b * a, 2));
  td_tensor *g = td_reshape(q->g[0], TD_INTS(b * a, 1));
  if (q->want[0] || q->want[1]) {
    td_tensor *p = td_reshape(from_x(g, points, data, h), TD_INTS(b, a, 2));
    q->gin[0] = td_sum(td_select(p, 2, 0), TD_INTS(0), false);
    q->gin[1] = td_sum(td_select(p, 2, 1), TD_INTS(1), false);
  }
  if (q->want[2]) q->gin[2] = from_data(g, points, data, h);
}
#define ALL (TD_IN(0) | TD_IN(1) | TD_IN(2))
const td_rule td_rule_kde_grid = { .infer = infer_kde_grid,
  .vjp = vjp_kde_grid, .saves = { ALL, ALL, ALL },
  .cases = "3;2;5x2;#.7 1;4;4x2;#1 0;2;3x2;#1",
  .flags = TD_CONTIG | TD_FLOATONLY, .lo = -1, .hi = 1 };

/* ---- neighbours ---- */

static td_status infer_knn(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0], *data = c->in[1];
  int64_t k = c->attr[0].i;
  char a[128], b[128];
  if (x->ndim != 2 || data->ndim != 2 || x->shape[1] != data->shape[1] ||
      !x->shape[1])
    return td_fail(TD_ESHAPE, "knn: points (B,D) and data (N,D) are wanted, not "
      "%s and %s", td_shape_text(x->ndim, x->shape, a, sizeof a),
      td_shape_text(data->ndim, data->shape, b, sizeof b));
  if (k < 1 || k > data->shape[0])
    return td_fail(TD_EARG, "knn: k = %lld neighbours among %lld rows",
                   (long long)k, (long long)data->shape[0]);
  out[0] = (td_spec){ x->dtype, 2, { x->shape[0], k } };
  out[1] = (td_spec){ TD_I64, 2, { x->shape[0], k } };
  return TD_OK;
}

/* Each distance moves with its two ends; 0 where they coincide, as cdist. */
static void vjp_knn(td_back *b) {
  td_tensor *x = b->in[0], *data = b->in[1], *near = b->y[0];
  int64_t n = x->shape[0], dim = x->shape[1], k = near->shape[1];
  td_tensor *at = td_reshape(b->y[1], TD_INTS(n * k));
  td_tensor *same = td_eq(near, td_num(0));
  td_tensor *w = td_where(same, td_num(0),
                          td_div(b->g[0], td_where(same, td_num(1), near)));
  td_tensor *ends = td_reshape(td_index_select(data, 0, at),
                               TD_INTS(n, k, dim));
  td_tensor *pull = td_mul(td_unsqueeze(w, 2), td_sub(td_unsqueeze(x, 1), ends));
  if (b->want[0]) b->gin[0] = td_sum(pull, TD_INTS(1), false);
  if (b->want[1])
    b->gin[1] = td_index_add(td_zeros_like(data), 0, at,
                             td_neg(td_reshape(pull, TD_INTS(n * k, dim))));
}
#define BOTH (TD_IN(0) | TD_IN(1) | TD_OUT(0) | TD_OUT(1))
const td_rule td_rule_knn = { .infer = infer_knn,
  .vjp = vjp_knn, .saves = { BOTH, BOTH }, .cases = "2x2;5x2;#2 3x1;4x1;#4 0x2;3x2;#1",
  .flags = TD_CONTIG | TD_FLOATONLY | TD_INDEX1, .lo = -1, .hi = 1 };

/* ---- assignments ---- */

/* The kernel works in f64, whatever comes: prices are sums of many costs. */
static td_status infer_assignment(const td_call *c, td_spec *out) {
  const td_tensor *cost = c->in[0];
  char a[128];
  if (cost->ndim != 2 || cost->shape[0] > cost->shape[1])
    return td_fail(TD_ESHAPE, "assignment: a matrix of costs with no more rows "
      "than columns is wanted, not %s%s",
      td_shape_text(cost->ndim, cost->shape, a, sizeof a),
      cost->ndim == 2 ? "; use x:t()" : "");
  *out = (td_spec){ TD_I64, 1, { cost->shape[0] } };
  return TD_OK;
}
const td_rule td_rule_assignment = { .infer = infer_assignment,
  .cases = "3x3 2x4 1x1 0x3",
  .flags = TD_CONTIG | TD_FLOATONLY | TD_INDEX0, .lo = -1, .hi = 1 };
