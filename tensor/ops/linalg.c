/* linalg.c -- rules of products: mm, bmm, matmul, dot, outer, trace, cdist, cov. */
#include "tensor/op.h"
#include <string.h>

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[128]){ 0 }, 128)

/* ---- mm and bmm ---- */

static td_status check_product(const td_call *c, int ndim, const char *hint) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  const char *name = c->op->name;
  if (a->ndim != ndim || b->ndim != ndim)
    return td_fail(TD_ESHAPE, "%s: needs two tensors of %d dims, not %s and %s; "
                   "%s", name, ndim, TEXT(a), TEXT(b), hint);
  if (a->shape[ndim - 1] != b->shape[ndim - 2])
    return td_fail(TD_ESHAPE, "%s: %s and %s: the inner sizes %lld and %lld "
                   "differ; is one of them to be transposed?", name, TEXT(a),
                   TEXT(b), (long long)a->shape[ndim - 1],
                   (long long)b->shape[ndim - 2]);
  if (a->dtype < TD_I32)
    return td_fail(TD_EDTYPE, "%s: there is no product of %s matrices; convert "
                   "with x:to(\"f32\")", name, td_dtype_name(a->dtype));
  return TD_OK;
}

static td_status infer_mm(const td_call *c, td_spec *out) {
  td_status st = check_product(c, 2, "matmul takes vectors and batches too");
  if (st) return st;
  *out = (td_spec){ c->in[0]->dtype, 2,
                    { c->in[0]->shape[0], c->in[1]->shape[1] } };
  return TD_OK;
}

static void vjp_mm(td_back *b) {
  td_tensor *g = b->g[0];
  if (b->want[0]) b->gin[0] = td_mm(g, td_transpose(b->in[1], 0, 1));
  if (b->want[1]) b->gin[1] = td_mm(td_transpose(b->in[0], 0, 1), g);
}

const td_rule td_rule_mm = {
  .infer = infer_mm, .vjp = vjp_mm,
  .cases = "2x3;3x4 1x5;5x1 3x3;3x3 6x5;5x7 0x3;3x2 2x0;0x3 2x3;3x0",
  .saves = { TD_IN(1), TD_IN(0) }, .flags = TD_PRODUCT, .lo = -2, .hi = 2, .rows = td_rows_product,
};

static td_status infer_bmm(const td_call *c, td_spec *out) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  td_status st = check_product(c, 3, "matmul takes other numbers of dims");
  if (st) return st;
  if (a->shape[0] != b->shape[0])
    return td_fail(TD_ESHAPE, "bmm: %s and %s: %lld and %lld matrices; matmul "
                   "repeats a batch of one", TEXT(a), TEXT(b),
                   (long long)a->shape[0], (long long)b->shape[0]);
  *out = (td_spec){ a->dtype, 3, { a->shape[0], a->shape[1], b->shape[2] } };
  return TD_OK;
}

static void vjp_bmm(td_back *b) {
  td_tensor *g = b->g[0];
  if (b->want[0]) b->gin[0] = td_bmm(g, td_transpose(b->in[1], 1, 2));
  if (b->want[1]) b->gin[1] = td_bmm(td_transpose(b->in[0], 1, 2), g);
}

const td_rule td_rule_bmm = {
  .infer = infer_bmm, .vjp = vjp_bmm,
  .cases = "2x3x2;2x2x4 1x2x3;1x3x1 3x1x5;3x5x6 0x2x3;0x3x2 2x2x0;2x0x3",
  .saves = { TD_IN(1), TD_IN(0) }, .flags = TD_PRODUCT, .lo = -2, .hi = 2, .rows = td_rows_two,
};

/* ---- matmul: any numbers of dims, out of mm and bmm ---- */

/* x with its dims before the last two set to `batch`: repeated where they were
** 1 or absent, then merged into one.  Nothing is copied where strides allow. */
static td_tensor *batched(td_tensor *x, int nbatch, const int64_t *batch) {
  int64_t shape[TD_MAXDIM], count = 1;
  if (!x) return NULL;
  for (int d = 0; d < nbatch; d++) count *= shape[d] = batch[d];
  shape[nbatch] = x->shape[x->ndim - 2];
  shape[nbatch + 1] = x->shape[x->ndim - 1];
  x = td_expand(x, (td_ints){ nbatch + 2, shape });
  return td_reshape(x, TD_INTS(count, shape[nbatch], shape[nbatch + 1]));
}

/* Leading dims of a and b broadcast against each other. */
static td_status join_batch(const td_tensor *a, const td_tensor *b, int *n,
                            int64_t *batch) {
  *n = (a->ndim > b->ndim ? a->ndim : b->ndim) - 2;
  for (int k = 1; k <= *n; k++) {
    int64_t p = k <= a->ndim - 2 ? a->shape[a->ndim - 2 - k] : 1;
    int64_t q = k <= b->ndim - 2 ? b->shape[b->ndim - 2 - k] : 1;
    if (p != q && p != 1 && q != 1)
      return td_fail(TD_ESHAPE, "matmul: %s and %s: the batch sizes %lld and "
                     "%lld differ and neither is 1", TEXT(a), TEXT(b),
                     (long long)p, (long long)q);
    batch[*n - k] = p == 1 ? q : p;
  }
  return TD_OK;
}

/* Both have two dims or more.  The rows of a batch times one matrix are one
** product; anything else goes matrix by matrix. */
static td_tensor *matrices(td_tensor *a, td_tensor *b) {
  int64_t shape[TD_MAXDIM], batch[TD_MAXDIM], rows = 1;
  int n;
  if (!a || !b) return NULL;
  if (a->ndim == 2 && b->ndim == 2) return td_mm(a, b);
  int64_t k = a->shape[a->ndim - 1], m = b->shape[b->ndim - 1];
  td_tensor *y;
  if (b->ndim == 2) {
    n = a->ndim - 2;
    for (int d = 0; d <= n; d++) rows *= batch[d] = a->shape[d];
    y = td_mm(td_reshape(a, TD_INTS(rows, k)), b);
  } else {
    if (join_batch(a, b, &n, batch)) return NULL;
    y = td_bmm(batched(a, n, batch), batched(b, n, batch));
  }
  memcpy(shape, batch, sizeof *shape * (size_t)n);
  shape[n] = a->shape[a->ndim - 2];
  shape[n + 1] = m;
  return td_reshape(y, (td_ints){ n + 2, shape });
}

static td_tensor *compose_matmul(const td_call *c) {
  td_tensor *a = c->in[0], *b = c->in[1];
  if (!a->ndim || !b->ndim)
    return td_fail_null(TD_ESHAPE, "matmul: %s and %s: a tensor of 0 dims is "
                        "multiplied with *", TEXT(a), TEXT(b));
  int64_t p = a->shape[a->ndim - 1];
  int64_t q = b->shape[b->ndim > 1 ? b->ndim - 2 : 0];
  if (p != q)
    return td_fail_null(TD_ESHAPE, "matmul: %s and %s: the inner sizes %lld and "
                        "%lld differ; is one of them to be transposed?",
                        TEXT(a), TEXT(b), (long long)p, (long long)q);
  bool row = a->ndim == 1, column = b->ndim == 1;
  if (row) a = td_unsqueeze(a, 0);
  if (column) b = td_unsqueeze(b, 1);
  td_tensor *y = matrices(a, b);
  if (column) y = td_squeeze(y, TD_INTS(-1));
  if (row) y = td_squeeze(y, TD_INTS(column ? -1 : -2));
  return y;
}

const td_rule td_rule_matmul = {
  .compose = compose_matmul,
  .cases = "3;3 2x3;3 3;3x2 2x3;3x4 2x2x3;3x4 2x3;2x3x2 2x1x2x3;3x3x2 2x2x3;3 "
           "3;2x3x2 2x3x4;1x4x1 0x3;3 0;0 2x0x3;3x2 0;0x2",
  .lo = -2, .hi = 2,
};

/* ---- vectors and small things ---- */

static td_status needs_vectors(const td_call *c) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  if (a->ndim == 1 && b->ndim == 1) return TD_OK;
  return td_fail(TD_ESHAPE, "%s: needs two vectors, not %s and %s; flatten() "
                 "makes one", c->op->name, TEXT(a), TEXT(b));
}

static td_tensor *compose_dot(const td_call *c) {
  td_tensor *a = c->in[0], *b = c->in[1];
  if (needs_vectors(c)) return NULL;
  if (a->shape[0] != b->shape[0])
    return td_fail_null(TD_ESHAPE, "dot: vectors of %lld and of %lld elements",
                        (long long)a->shape[0], (long long)b->shape[0]);
  return td_squeeze(td_mm(td_unsqueeze(a, 0), td_unsqueeze(b, 1)), TD_ALL);
}
const td_rule td_rule_dot = {
  .compose = compose_dot, .cases = "3;3 1;1 40;40 0;0", .lo = -2, .hi = 2,
};

static td_tensor *compose_outer(const td_call *c) {
  if (needs_vectors(c)) return NULL;
  return td_mul(td_unsqueeze(c->in[0], 1), td_unsqueeze(c->in[1], 0));
}
const td_rule td_rule_outer = {
  .compose = compose_outer, .cases = "3;2 1;4 0;3 2;0", .lo = -2, .hi = 2,
};

static td_tensor *compose_trace(const td_call *c) {
  td_tensor *x = c->in[0];
  if (x->ndim != 2)
    return td_fail_null(TD_ESHAPE, "trace: needs a matrix, not %s", TEXT(x));
  return td_sum(td_diagonal(x, 0, 1), TD_ALL, false);
}
const td_rule td_rule_trace = {
  .compose = compose_trace, .cases = "3x3 2x4 4x2 1x1 0x0 0x3",
  .lo = -2, .hi = 2,
};

/* Samples in rows, centred; no rows leave nothing to average. */
static td_tensor *compose_cov(const td_call *c) {
  td_tensor *x = c->in[0];
  int64_t correction = c->attr[0].i;
  if (x->ndim != 2)
    return td_fail_null(TD_ESHAPE, "cov: needs a matrix with one sample in each "
                        "row, not %s", TEXT(x));
  double n = (double)x->shape[0] - (double)correction;
  if (n <= 0)
    return td_fail_null(TD_EARG, "cov: %lld samples less a correction of %lld "
                        "leave nothing to divide by", (long long)x->shape[0],
                        (long long)correction);
  td_tensor *d = td_sub(x, td_mean(x, TD_INTS(0), true));
  return td_div(td_mm(td_transpose(d, 0, 1), d), td_num(n));
}
const td_rule td_rule_cov = {
  .compose = compose_cov, .cases = "4x3;#1 3x2;#0 1x2;#0 5x1;#1 3x0;#1",
  .lo = -2, .hi = 2,
};

/* ---- cdist ---- */

static td_status infer_cdist(const td_call *c, td_spec *out) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  if (a->ndim != 2 || b->ndim != 2)
    return td_fail(TD_ESHAPE, "cdist: needs two matrices with one point in each "
                   "row, not %s and %s", TEXT(a), TEXT(b));
  if (a->shape[1] != b->shape[1])
    return td_fail(TD_ESHAPE, "cdist: points of %lld and of %lld dims (%s and "
                   "%s)", (long long)a->shape[1], (long long)b->shape[1],
                   TEXT(a), TEXT(b));
  *out = (td_spec){ a->dtype, 2, { a->shape[0], b->shape[0] } };
  return TD_OK;
}

/* d y_ij / d a_i = (a_i - b_j) / y_ij, and 0 where the points coincide.  The
** sum over j is sum_j w_ij a_i - (w b)_i with w = g / y; taking a constant
** point from both sides changes nothing but the rounding. */
static void vjp_cdist(td_back *q) {
  td_tensor *a = q->in[0], *b = q->in[1], *y = q->y[0];
  td_tensor *same = td_eq(y, td_num(0));
  td_tensor *w = td_where(same, td_num(0),
                          td_div(q->g[0], td_where(same, td_num(1), y)));
  if (b->shape[0] > 0) {
    td_tensor *middle = td_detach(td_mean(b, TD_INTS(0), true));
    a = td_sub(a, middle);
    b = td_sub(b, middle);
  }
  if (q->want[0])
    q->gin[0] = td_sub(td_mul(a, td_sum(w, TD_INTS(1), true)), td_mm(w, b));
  if (q->want[1]) {
    td_tensor *wt = td_transpose(w, 0, 1);
    q->gin[1] = td_sub(td_mul(b, td_sum(wt, TD_INTS(1), true)), td_mm(wt, a));
  }
}

const td_rule td_rule_cdist = {
  .infer = infer_cdist, .vjp = vjp_cdist,
  .cases = "3x2;4x2 1x1;1x1 2x5;3x5 9x3;33x3 0x2;3x2 3x2;0x2 2x0;3x0",
  .saves = { TD_IN(0) | TD_IN(1) | TD_OUT(0), TD_IN(0) | TD_IN(1) | TD_OUT(0) },
  .flags = TD_FLOATS, .lo = -2, .hi = 2,
};
