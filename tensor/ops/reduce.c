/* reduce.c -- rules of the ops that combine, scan or order elements along dims:
** sums and extremes, statistics, norms, softmax, cumsum, sort. */
#include "tensor/op.h"
#include <math.h>

/* Where the attributes of a reduction (x, dims, keepdim) stand. */
#define KEEPDIM(c) ((c)->attr[0].i != 0)

static td_ints dims_of(const td_call *c) {
  return (td_ints){ c->nlist, c->list };
}

/* ---- results of reductions ---- */

static void drop_dims(const td_tensor *x, const bool *mask, bool keep,
                      td_spec *out) {
  out->dtype = x->dtype;
  out->ndim = 0;
  for (int d = 0; d < x->ndim; d++)
    if (!mask[d]) out->shape[out->ndim++] = x->shape[d];
    else if (keep) out->shape[out->ndim++] = 1;
}

static td_status infer_reduce(const td_call *c, td_spec *out) {
  bool mask[TD_MAXDIM];
  td_status st = td_dims_mask(c, mask, NULL);
  if (!st) drop_dims(c->in[0], mask, KEEPDIM(c), out);
  return st;
}

/* Sums and products of integers are i64. */
static td_status infer_sum(const td_call *c, td_spec *out) {
  td_status st = infer_reduce(c, out);
  if (!td_dtype_is_float(c->in[0]->dtype)) out->dtype = TD_I64;
  return st;
}

static td_status infer_truth(const td_call *c, td_spec *out) {
  td_status st = infer_reduce(c, out);
  out->dtype = TD_BOOL;
  return st;
}

static td_status no_extreme(const td_call *c) {
  char shape[128];
  return td_fail(TD_ESHAPE, "%s: there is no element to pick along an empty dim "
                 "of shape %s", c->op->name, td_shape_text(c->in[0]->ndim,
                 c->in[0]->shape, shape, sizeof shape));
}

static td_status infer_extreme(const td_call *c, td_spec *out) {
  bool mask[TD_MAXDIM];
  int64_t count;
  td_status st = td_dims_mask(c, mask, &count);
  if (st) return st;
  if (count == 0) return no_extreme(c);
  drop_dims(c->in[0], mask, KEEPDIM(c), out);
  return TD_OK;
}

static td_status infer_position(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0];
  bool mask[TD_MAXDIM] = { false };
  int64_t dim = c->attr[0].i;
  mask[dim] = true;
  if (x->ndim > 0 && x->shape[dim] == 0) return no_extreme(c);
  drop_dims(x, mask, c->attr[1].i != 0, out);
  out->dtype = TD_I64;
  return TD_OK;
}

/* ---- gradients of reductions ---- */

/* A result seen with its reduced dims kept as 1, so that it broadcasts. */
static td_tensor *kept(const td_call *c, td_tensor *t) {
  bool mask[TD_MAXDIM];
  td_spec s;
  if (!t || KEEPDIM(c) || td_dims_mask(c, mask, NULL)) return t;
  drop_dims(c->in[0], mask, true, &s);
  return td_reshape(t, (td_ints){ s.ndim, s.shape });
}

static void vjp_sum(td_back *b) {
  const td_tensor *x = b->in[0];
  b->gin[0] = td_expand(kept(b->call, b->g[0]), (td_ints){ x->ndim, x->shape });
}
const td_rule td_rule_sum = {
  .infer = infer_sum, .vjp = vjp_sum,
  .cases = "2x3;*;#0 2x3x2;[0,2];#1 2x3x2;[-2];#0 s;*;#0 s;*;#1 0x3;[0];#0 "
           "2x0;[0];#0 2x0;*;#0 2x3;[];#0 1x4;[0];#0",
  .rows = td_rows_reduce
};

/* Products of all other elements along the last dim, by pairing: right where
** elements are 0, and differentiable any number of times. */
static td_tensor *others(td_tensor *x) {
  if (!x) return NULL;
  int last = x->ndim - 1;
  int64_t n = x->shape[last], half = n / 2;
  if (half == 0) return td_ones_like(x);
  td_tensor *a = td_slice(x, last, 0, half, 1);
  td_tensor *b = td_slice(x, last, half, half, 1);
  td_tensor *rest = td_slice(x, last, 2 * half, n - 2 * half, 1);
  td_tensor *up = others(td_concat(TD_LIST(td_mul(a, b), rest), last));
  td_tensor *pair = td_slice(up, last, 0, half, 1);
  return td_concat(TD_LIST(td_mul(pair, b), td_mul(pair, a),
                           td_slice(up, last, half, n - 2 * half, 1)), last);
}

/* Moves the reduced dims to the end, merges them, and undoes both. */
static void vjp_prod(td_back *b) {
  td_tensor *x = b->in[0];
  bool mask[TD_MAXDIM];
  int64_t order[TD_MAXDIM], back[TD_MAXDIM], shape[TD_MAXDIM], count;
  int n = 0, rows = 0;
  if (td_dims_mask(b->call, mask, &count)) return;
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1) rows = n;
    for (int d = 0; d < x->ndim; d++) {
      if (mask[d] != pass) continue;
      shape[n] = x->shape[d];
      back[d] = n;
      order[n++] = d;
    }
  }
  td_tensor *m = td_permute(x, (td_ints){ n, order });
  int64_t flat[TD_MAXDIM + 1];
  for (int d = 0; d < rows; d++) flat[d] = shape[d];
  flat[rows] = count;
  if (rows == TD_MAXDIM) m = td_ones_like(m);      /* nothing is reduced */
  else m = others(td_reshape(m, (td_ints){ rows + 1, flat }));
  m = td_permute(td_reshape(m, (td_ints){ n, shape }), (td_ints){ n, back });
  b->gin[0] = td_mul(kept(b->call, b->g[0]), m);
}
const td_rule td_rule_prod = {
  .infer = infer_sum, .vjp = vjp_prod, .saves = { TD_IN(0) },
  .cases = "5;*;#0 2x3x2;[0,2];#1 2x4;[-1];#0 s;*;#0 0x3;[0];#0 2x0;[0];#0 "
           "2x3;[];#0 7;[0];#0",
  .rows = td_rows_reduce
};

/* Elements equal to the result share its gradient. */
static void vjp_extreme(td_back *b) {
  const td_call *c = b->call;
  td_tensor *hit = td_eq(b->in[0], kept(c, b->y[0]));
  td_tensor *count = td_sum(hit, dims_of(c), true);
  b->gin[0] = td_mul(td_div(kept(c, b->g[0]), td_cast(count, b->g[0]->dtype)),
                     hit);
}
#define EXTREME_CASES "5;*;#0 2x3x2;[0,2];#1 2x4;[-1];#0 s;*;#0 0x3;[1];#0 " \
  "2x3;[];#0"
const td_rule td_rule_amax = {
  .infer = infer_extreme, .vjp = vjp_extreme,
  .saves = { TD_IN(0) | TD_OUT(0) }, .cases = EXTREME_CASES,
  .rows = td_rows_reduce
};
const td_rule td_rule_amin = {
  .infer = infer_extreme, .vjp = vjp_extreme,
  .saves = { TD_IN(0) | TD_OUT(0) }, .cases = EXTREME_CASES,
  .rows = td_rows_reduce
};

#define POSITION_CASES "5;#0 2x3;#-1;#1 2x3x2;#1 s;#0 0x3;#1"
const td_rule td_rule_argmax = {
  .infer = infer_position, .flags = TD_INDEX0, .cases = POSITION_CASES
};
const td_rule td_rule_argmin = {
  .infer = infer_position, .flags = TD_INDEX0, .cases = POSITION_CASES
};

#define TRUTH_CASES "?5;* ?2x3;[1];#1 2x3x2;[0,-1] s;* 0x3;[0] 2x0;[1];#0"
const td_rule td_rule_any = {
  .infer = infer_truth, .cases = TRUTH_CASES, .rows = td_rows_reduce
};
const td_rule td_rule_all = {
  .infer = infer_truth, .cases = TRUTH_CASES, .rows = td_rows_reduce
};

/* The weights are exp(x - y); where every x is -inf they are 0. */
static void vjp_logsumexp(td_back *b) {
  td_tensor *y = kept(b->call, b->y[0]);
  y = td_masked_fill(y, td_eq(y, td_num(-INFINITY)), 0);
  b->gin[0] = td_mul(kept(b->call, b->g[0]), td_exp(td_sub(b->in[0], y)));
}
const td_rule td_rule_logsumexp = {
  .infer = infer_reduce, .vjp = vjp_logsumexp, .flags = TD_FLOATS,
  .saves = { TD_IN(0) | TD_OUT(0) },
  .cases = "5;*;#0 2x3x2;[0,2];#1 2x4;[-1];#0 s;*;#0 0x3;[0];#0 2x0;[0];#0",
  .rows = td_rows_reduce
};

/* ---- statistics ---- */

static td_tensor *over(td_tensor *sum, double n) {
  return td_div(sum, td_num(n));
}

static td_tensor *mean(const td_call *c) {
  int64_t n;
  if (td_dims_mask(c, (bool[TD_MAXDIM]){ false }, &n)) return NULL;
  return over(td_sum(c->in[0], dims_of(c), KEEPDIM(c)), (double)n);
}
const td_rule td_rule_mean = {
  .compose = mean, .cases = "2x3;*;#0 2x3x2;[0,2];#1 2x3;[-1];#0 s;*;#0 2x0;[0];#0"
};

static td_tensor *variance(const td_call *c) {
  int64_t n;
  if (td_dims_mask(c, (bool[TD_MAXDIM]){ false }, &n)) return NULL;
  double rest = (double)n - (double)c->attr[1].i;
  td_tensor *x = c->in[0];
  td_tensor *d = td_sub(x, td_mean(x, dims_of(c), true));
  return over(td_sum(td_square(d), dims_of(c), KEEPDIM(c)), rest > 0 ? rest : 0);
}
#define VAR_CASES "5;*;#0;#1 2x3x2;[0,2];#1;#1 4x3;[0];#0;#0 2x3;[-1] 2x0;[0]"
const td_rule td_rule_var = { .compose = variance, .cases = VAR_CASES };

/* f(s) where s is not 0, else 0 with gradient 0: for functions whose slope at 0
** is infinite. */
static td_tensor *zero_at_zero(td_tensor *s, double power) {
  bool graph = s && td_grad_enabled() && td_needs_grad(s);
  td_tensor *zero = graph ? td_eq(s, td_num(0)) : NULL;
  if (graph) s = td_where(zero, td_num(1), s);
  s = power == .5 ? td_sqrt(s) : td_pow(s, td_num(power));
  return graph ? td_where(zero, td_num(0), s) : s;
}

static td_tensor *deviation(const td_call *c) {
  return zero_at_zero(td_var(c->in[0], dims_of(c), KEEPDIM(c), c->attr[1].i), .5);
}
const td_rule td_rule_std = { .compose = deviation, .cases = VAR_CASES };

static td_tensor *norm(const td_call *c) {
  td_tensor *x = c->in[0];
  td_ints dims = dims_of(c);
  double p = c->attr[0].f;
  bool keep = c->attr[1].i != 0;
  if (!(p >= 0))
    return td_fail_null(TD_EARG, "norm: p must be 0, 1, 2, inf or another "
                        "positive number, not %g", p);
  if (!td_dtype_is_float(x->dtype)) x = td_cast(x, TD_F32);
  if (!x) return NULL;
  if (p == 0)
    return td_cast(td_sum(td_ne(x, td_num(0)), dims, keep), x->dtype);
  if (p == 1) return td_sum(td_abs(x), dims, keep);
  if (p == 2) return zero_at_zero(td_sum(td_square(x), dims, keep), .5);
  if (isinf(p)) return td_amax(td_abs(x), dims, keep);
  x = zero_at_zero(td_abs(x), p);
  return zero_at_zero(td_sum(x, dims, keep), 1 / p);
}
const td_rule td_rule_norm = {
  .compose = norm,
  .cases = "5 2x3;#2;[1];#1 2x3x2;#2;[0,-1] 2x3;#1;[0] 4;#3;* 2x3;#1.5;[1] "
           "2x3;#inf;[1] 5;#0;* 2x3;#.5;[0] s;#2;* 2x0;#2;[1] 1;#2;*",
};

/* ---- softmax ---- */

static void vjp_softmax(td_back *b) {
  td_tensor *y = b->y[0], *gy = td_mul(b->g[0], y);
  td_tensor *s = td_sum(gy, TD_INTS(b->call->attr[0].i), true);
  b->gin[0] = td_sub(gy, td_mul(y, s));
}
#define SOFTMAX_CASES "5;#0 2x3 2x3;#0 2x3x2;#1 s;#0 0x3;#1 2x0;#1"
const td_rule td_rule_softmax = {
  .infer = td_infer_same, .vjp = vjp_softmax, .flags = TD_FLOATS,
  .saves = { TD_OUT(0) }, .cases = SOFTMAX_CASES,
  .rows = td_rows_dim
};

static void vjp_log_softmax(td_back *b) {
  td_tensor *s = td_sum(b->g[0], TD_INTS(b->call->attr[0].i), true);
  b->gin[0] = td_sub(b->g[0], td_mul(td_exp(b->y[0]), s));
}
const td_rule td_rule_log_softmax = {
  .infer = td_infer_same, .vjp = vjp_log_softmax, .flags = TD_FLOATS,
  .saves = { TD_OUT(0) }, .cases = SOFTMAX_CASES,
  .rows = td_rows_dim
};

/* ---- scans and orders ---- */

static td_status infer_cumsum(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  if (!td_dtype_is_float(out->dtype)) out->dtype = TD_I64;
  return TD_OK;
}
static void vjp_cumsum(td_back *b) {
  int64_t dim = b->call->attr[0].i;
  td_tensor *g = td_cumsum(td_flip(b->g[0], TD_INTS(dim)), dim);
  b->gin[0] = td_flip(g, TD_INTS(dim));
}
const td_rule td_rule_cumsum = {
  .infer = infer_cumsum, .vjp = vjp_cumsum,
  .cases = "5;#0 2x3;#0 2x3;#-1 2x3x2;#1 s;#0 0x3;#0 2x0;#1"
};

/* Sorted and picked values send their gradient back by position. */
static void vjp_picked(td_back *b, int64_t dim) {
  if (!b->g[0]) return;
  b->gin[0] = td_scatter_add(td_zeros_like(b->in[0]), dim, b->y[1], b->g[0]);
}

static td_status infer_sort(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], &out[0]);
  td_spec_of(c->in[0], &out[1]);
  out[1].dtype = TD_I64;
  return TD_OK;
}
static void vjp_sort(td_back *b) { vjp_picked(b, b->call->attr[0].i); }
#define SORT_CASES "7 2x3;#0;#1 2x3;#-1;#0 2x3x2;#1;#1 s;#0;#0 0x3;#1 2x0;#1"
const td_rule td_rule_sort = {
  .infer = infer_sort, .vjp = vjp_sort, .flags = TD_INDEX1,
  .saves = { TD_OUT(1) }, .cases = SORT_CASES
};

static td_status infer_topk(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0];
  int64_t k = c->attr[0].i, dim = c->attr[1].i;
  char shape[128];
  int64_t n = x->ndim ? x->shape[dim] : 1;
  if (k < 0 || k > n)
    return td_fail(TD_EARG, "topk: k = %lld, but the dim has %lld elements "
                   "(shape %s)", (long long)k, (long long)n,
                   td_shape_text(x->ndim, x->shape, shape, sizeof shape));
  infer_sort(c, out);
  if (x->ndim) out[0].shape[dim] = out[1].shape[dim] = k;
  return x->ndim || k == 1 ? TD_OK :
    td_fail(TD_EARG, "topk: a 0-dim tensor has one element, so k must be 1");
}
static void vjp_topk(td_back *b) { vjp_picked(b, b->call->attr[1].i); }
const td_rule td_rule_topk = {
  .infer = infer_topk, .vjp = vjp_topk, .flags = TD_INDEX1,
  .saves = { TD_OUT(1) },
  .cases = "7;#3 2x4;#2;#-1;#0 4x3;#3;#0;#1 3;#3;#0 3;#0;#0 s;#1 0x3;#2;#1"
};

static td_tensor *argsort(const td_call *c) {
  td_tensor *out[2];
  bool old = td_grad_enable(false);
  td_status st = td_sort(out, c->in[0], c->attr[0].i, c->attr[1].i != 0);
  td_grad_enable(old);
  return st ? NULL : out[1];
}
const td_rule td_rule_argsort = {
  .compose = argsort, .flags = TD_INDEX0, .cases = SORT_CASES
};
