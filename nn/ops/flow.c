/* flow.c -- rules of what a step of flow matching is made of: points on straight lines
** between noise and data with their velocities, and the squared error. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

static td_status check_like(const td_call *c, const td_tensor *a, const td_tensor *b,
                            const char *names) {
  bool same = a->ndim == b->ndim;
  for (int d = 0; same && d < a->ndim; d++) same = a->shape[d] == b->shape[d];
  if (!same)
    return td_fail(TD_ESHAPE, "%s: %s must have one shape, not %s and %s", c->op->name, names,
                   TEXT(a), TEXT(b));
  return a->ndim ? TD_OK :
    td_fail(TD_ESHAPE, "%s: points are rows (B, ...), not a single number", c->op->name);
}

/* How many numbers a row has. */
static int64_t row_size(const td_tensor *x) {
  int64_t n = 1;
  for (int d = 1; d < x->ndim; d++) n *= x->shape[d];
  return n;
}

/* ---- points on lines ---- */

static td_status line_points_infer(const td_call *c, td_spec *out) {
  const td_tensor *x0 = c->in[0], *t = c->in[2];
  td_status st = check_like(c, x0, c->in[1], "x0 and x1");
  int64_t times = td__numel(t);
  if (!st && (times ? x0->shape[0] % times : x0->shape[0]))
    st = td_fail(TD_ESHAPE, "line_points: t must be one time, or one for each of several groups of "
                 "equal size of the %lld points; it has shape %s", (long long)x0->shape[0], TEXT(t));
  td_spec_of(x0, &out[0]);
  td_spec_of(x0, &out[1]);
  return st;
}

static bool line_points_rows(const td_call *c, td_tensor *const *out, bool *cut) {
  const td_tensor *t = c->in[2];
  cut[0] = cut[1] = true;
  cut[2] = t->ndim > 0 && t->shape[0] == out[0]->shape[0];
  return cut[2] || td__numel(t) == 1;
}

/* x as a matrix with a row for each of the times */
static td_tensor *by_times(td_tensor *x, const td_tensor *t) {
  int64_t rows = td__numel(t);
  return td_reshape(x, TD_INTS(rows, td__numel(x) / rows));
}

/* The gradient of x1 in z = x0 + t (x1 - x0) and u = x1 - x0; either may be missing. */
static td_tensor *back_to_x1(td_tensor *gz, td_tensor *gu, td_tensor *t, const td_tensor *x) {
  if (!gz || td__numel(x) == 0) return gu ? gu : td_zeros_like(x);
  td_tensor *column = td_reshape(t, TD_INTS(td__numel(t), 1)), *g = by_times(gz, t);
  g = gu ? td_addcmul(by_times(gu, t), g, column) : td_mul(g, column);
  return td_reshape(g, (td_ints){ x->ndim, x->shape });
}

static void line_points_back(td_back *b) {
  td_tensor *gz = b->g[0], *gu = b->g[1], *t = b->in[2];
  td_tensor *g1 = b->want[0] || b->want[1] ? back_to_x1(gz, gu, t, b->in[1]) : NULL;
  if (b->want[0]) b->gin[0] = gz ? td_sub(gz, g1) : td_neg(g1);
  if (b->want[1]) b->gin[1] = g1;
  if (!b->want[2]) return;
  b->gin[2] = !gz || td__numel(gz) == 0 ? td_zeros_like(t) :
    td_reshape(td_sum(by_times(td_mul(gz, b->y[1]), t), TD_INTS(1), false),
               (td_ints){ t->ndim, t->shape });
}
const td_rule td_rule_line_points = {
  .infer = line_points_infer, .vjp = line_points_back, .rows = line_points_rows,
  .saves = { TD_IN(2), TD_IN(2), TD_OUT(1) }, .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "3x2;3x2;3 4x3;4x3;s 4x2x3;4x2x3;2 6;6;3 5x1;5x1;1 0x2;0x2;0 3x0;3x0;3 0x2;0x2;s",
  .lo = -1, .hi = 1,
};

static td_status line_draw_infer(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0];
  double eps = c->attr[0].f;
  if (x->ndim == 0)
    return td_fail(TD_ESHAPE, "line_draw: points are rows (B, ...), not a single number");
  if (!(eps >= 0 && eps < 1))
    return td_fail(TD_EARG, "line_draw: eps must lie in [0, 1), it is %g", eps);
  for (int k = 0; k < 3; k++) td_spec_of(x, &out[k]);
  out[2].ndim = 1;
  return TD_OK;
}
/* first the times, then the noise */
static int64_t line_draw_draws(td_tensor *const *out) {
  return td__draws(out[2]) + td__draws(out[0]);
}
static void line_draw_back(td_back *b) {
  b->gin[0] = back_to_x1(b->g[0], b->g[1], b->y[2], b->in[0]);
}
const td_rule td_rule_line_draw = {
  .infer = line_draw_infer, .vjp = line_draw_back, .draws = line_draw_draws,
  .saves = { TD_OUT(2) }, .flags = TD_FLOATONLY | TD_CONTIG | TD_RANDOM,
};

/* ---- other draws ---- */

/* What n numbers of so many bytes take of the stream. */
static int64_t counters(size_t bytes, int64_t n) {
  int64_t each = bytes == 8 ? 2 : 4;
  return (n + each - 1) / each;
}
static size_t bytes_of(const td_tensor *t) { return td_dtype_size((td_dtype)t->dtype); }

static td_status strata_infer(const td_call *c, td_spec *out) {
  double eps = c->attr[0].f;
  if (c->in[0]->ndim != 1)
    return td_fail(TD_ESHAPE, "strata: needs a vector, not shape %s", TEXT(c->in[0]));
  if (!(eps >= 0 && eps < 1))
    return td_fail(TD_EARG, "strata: eps must lie in [0, 1), it is %g", eps);
  return td_infer_same(c, out);
}
static int64_t strata_draws(td_tensor *const *out) {
  return td__draws(out[0]) + counters(8, out[0]->shape[0]);
}
static void no_gradient(td_back *b) { if (b->want[0]) b->gin[0] = td_zeros_like(b->g[0]); }
const td_rule td_rule_strata = {
  .infer = strata_infer, .vjp = no_gradient, .draws = strata_draws,
  .flags = TD_FLOATONLY | TD_CONTIG | TD_RANDOM,
};

static td_status mixture_infer(const td_call *c, td_spec *out) {
  const td_tensor *steps = c->in[0], *means = c->in[1];
  int64_t n = c->attr[0].i;
  if (means->ndim != 2 || steps->ndim != 1 || steps->shape[0] != means->shape[0] || !steps->shape[0])
    return td_fail(TD_ESHAPE, "mixture_draw: steps must be (K) and means (K,D) with K > 0, not %s "
                   "and %s", TEXT(steps), TEXT(means));
  if (n < 0) return td_fail(TD_EARG, "mixture_draw: n must not be negative, it is %lld", (long long)n);
  td_spec_of(means, &out[0]);
  out[0].shape[0] = n;
  out[1] = (td_spec){ .dtype = TD_I64, .ndim = 1, .shape = { n } };
  return check_like(c, means, c->in[2], "means and spread");
}
static int64_t mixture_draws(td_tensor *const *out) {
  return counters(bytes_of(out[0]), out[0]->shape[0]) + td__draws(out[0]);
}
const td_rule td_rule_mixture_draw = {
  .infer = mixture_infer, .draws = mixture_draws,
  .flags = TD_FLOATONLY | TD_CONTIG | TD_RANDOM | TD_INDEX1,
};

/* ---- the squared error ---- */

static td_status error_infer(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  out->ndim = c->attr[0].i ? 0 : 1;
  return check_like(c, c->in[0], c->in[1], "a and b");
}
static bool error_rows(const td_call *c, td_tensor *const *out, bool *cut) {
  (void)out;
  cut[0] = cut[1] = true;
  return !c->attr[0].i;
}
static void error_back(td_back *b) {
  td_tensor *x = b->in[0];
  double scale = b->call->attr[0].i && x->shape[0] ? 1 / (double)x->shape[0] : 1;
  td_tensor *g = td_squared_error_grad(b->g[0], x, b->in[1], scale);
  if (b->want[0]) b->gin[0] = g;
  if (b->want[1]) b->gin[1] = td_neg(g);
}
const td_rule td_rule_squared_error = {
  .infer = error_infer, .vjp = error_back, .rows = error_rows,
  .saves = { TD_IN(0) | TD_IN(1), TD_IN(0) | TD_IN(1) }, .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "3x2;3x2;#0 3x2;3x2;#1 2x3x4;2x3x4;#0 2x3x4;2x3x4;#1 5;5;#0 5;5;#1 1x40;1x40;#1 "
           "0x2;0x2;#0 3x0;3x0;#0 3x0;3x0;#1",
  .lo = -1, .hi = 1,
};

static td_status error_grad_infer(const td_call *c, td_spec *out) {
  const td_tensor *g = c->in[0], *a = c->in[1];
  td_status st = check_like(c, a, c->in[2], "a and b");
  if (!st && g->ndim && (g->ndim != 1 || g->shape[0] != a->shape[0]))
    st = td_fail(TD_ESHAPE, "squared_error_grad: g must be a number or have one for each of the "
                 "%lld rows, not shape %s", (long long)a->shape[0], TEXT(g));
  td_spec_of(a, out);
  return st;
}
static bool error_grad_rows(const td_call *c, td_tensor *const *out, bool *cut) {
  (void)out;
  cut[0] = c->in[0]->ndim > 0;
  cut[1] = cut[2] = true;
  return true;
}
/* 2 scale g (a - b): g is a number or one for each row */
static void error_grad_back(td_back *b) {
  td_tensor *g = b->in[0], *up = b->g[0], *a = b->in[1], *k = td_num(2 * b->call->attr[0].f);
  if (b->want[0]) {
    td_tensor *each = td_mul(td_mul(td_sub(a, b->in[2]), up), k);
    b->gin[0] = g->ndim == 0 ? td_sum(each, TD_ALL, false) :
      td_sum(td_reshape(each, TD_INTS(a->shape[0], row_size(a))), TD_INTS(1), false);
  }
  if (!b->want[1] && !b->want[2]) return;
  td_tensor *column = g;
  if (g->ndim && a->ndim > 1) {
    int64_t shape[TD_MAXDIM] = { a->shape[0], 1, 1, 1, 1, 1, 1, 1 };
    column = td_reshape(g, (td_ints){ a->ndim, shape });
  }
  td_tensor *ga = td_mul(td_mul(up, column), k);
  if (b->want[1]) b->gin[1] = ga;
  if (b->want[2]) b->gin[2] = td_neg(ga);
}
const td_rule td_rule_squared_error_grad = {
  .infer = error_grad_infer, .vjp = error_grad_back, .rows = error_grad_rows,
  .saves = { TD_IN(1) | TD_IN(2), TD_IN(0), TD_IN(0) }, .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "s;3x2;3x2 3;3x2;3x2;#.5 2;2x3x4;2x3x4 s;2x3x4;2x3x4;#2 5;5;5 s;5;5 0;0x2;0x2 "
           "s;0x2;0x2 3;3x0;3x0 s;1x40;1x40",
  .lo = -1, .hi = 1,
};
