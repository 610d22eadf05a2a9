/* decomp.c -- rules of decompositions and solvers of square matrices.
**
** Leading dims count matrices.  A symmetric argument stands for its symmetric
** part (x + x^T) / 2, so gradients of it are symmetric.
**
** The gradient through eigenvectors divides by differences of eigenvalues, that
** through singular vectors by differences of squared singular values.  Where two
** are equal the vectors are not determined and their terms are left out: exact
** for functions of the values alone, finite for all.  A matrix function that is
** smooth there needs an op of its own, as sqrtm is. */
#include "tensor/op.h"
#include <stdio.h>
#include <string.h>

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[128]){ 0 }, 128)

/* ---- shared ---- */

static td_status check_square(const td_call *c) {
  const td_tensor *x = c->in[0];
  if (x->ndim >= 2 && x->shape[x->ndim - 1] == x->shape[x->ndim - 2])
    return TD_OK;
  return td_fail(TD_ESHAPE, "%s: needs a square matrix (or a batch of them), "
                 "not %s", c->op->name, TEXT(x));
}

static td_status infer_square(const td_call *c, td_spec *out) {
  td_status st = check_square(c);
  td_spec_of(c->in[0], out);
  return st;
}

static td_tensor *mt(td_tensor *x) { return td_transpose(x, -2, -1); }
static td_tensor *half_sum(td_tensor *x) {
  return td_mul(td_add(x, mt(x)), td_num(.5));
}
/* scales the columns, or the rows, of x by a vector */
static td_tensor *columns(td_tensor *x, td_tensor *v) {
  return td_mul(x, td_unsqueeze(v, -2));
}
static td_tensor *rows(td_tensor *x, td_tensor *v) {
  return td_mul(x, td_unsqueeze(v, -1));
}

/* Differences relative to the largest element below which eigenvalues count as
** equal, for n of them. */
static double noise(const td_tensor *x, int64_t n) {
  double eps = x->dtype == TD_F64 ? 2.3e-16 : x->dtype == TD_F32 ? 1.2e-7 : 8e-3;
  return 4 * eps * (double)n;
}

/* 1 / (v_j - v_i), and 0 where they are equal. */
static td_tensor *inverse_gaps(td_tensor *v, double tolerance) {
  if (!v) return NULL;
  td_tensor *gap = td_sub(td_unsqueeze(v, -2), td_unsqueeze(v, -1));
  td_tensor *scale = td_amax(td_abs(v), TD_INTS(-1), true);
  td_tensor *none = td_le(td_abs(gap), td_unsqueeze(
    td_mul(scale, td_num(tolerance)), -1));
  return td_where(none, td_num(0),
                  td_reciprocal(td_where(none, td_num(1), gap)));
}

/* ---- cholesky: Murray 2016, "Differentiation of the Cholesky decomposition",
** arXiv:1602.07527, eq. 10 ---- */

/* The lower triangle with half of the diagonal. */
static td_tensor *phi(td_tensor *x) {
  return td_mul(td_add(td_tril(x, 0), td_tril(x, -1)), td_num(.5));
}

/* gx = sym(L^-T phi(L^T gL) L^-1) */
static void vjp_cholesky(td_back *b) {
  td_tensor *l = b->y[0];
  td_tensor *p = phi(td_matmul(mt(l), td_tril(b->g[0], 0)));
  td_tensor *s = td_solve_triangular(l, p, false, true);
  s = mt(td_solve_triangular(l, mt(s), false, true));
  b->gin[0] = half_sum(s);
}

const td_rule td_rule_cholesky = {
  .infer = infer_square, .vjp = vjp_cholesky,
  .cases = "S3x3 S1x1 S2x3x3 S5x5 S0x0 S0x2x2",
  .saves = { TD_OUT(0) }, .flags = TD_FLOATONLY | TD_CONTIG,
  .lo = -1, .hi = 1,
};

/* ---- eigh ---- */

static td_status infer_eigh(const td_call *c, td_spec *out) {
  td_status st = infer_square(c, &out[1]);
  out[0] = out[1];
  out[0].ndim--;
  return st;
}

/* gx = V (diag(gw) + F o V^T gV) V^T, F_ij = 1 / (w_j - w_i); only the part of
** V^T gV that turns the vectors counts, so it is made antisymmetric first. */
static void vjp_eigh(td_back *b) {
  td_tensor *w = b->y[0], *v = b->y[1], *gw = b->g[0], *gv = b->g[1];
  td_tensor *gx = NULL, *vt = mt(v);
  if (w->shape[w->ndim - 1] == 0) {
    b->gin[0] = td_zeros_like(b->in[0]);
    return;
  }
  if (gw) gx = rows(vt, gw);
  if (gv) {
    td_tensor *turn = td_matmul(vt, gv);
    turn = td_mul(td_sub(turn, mt(turn)), td_num(.5));
    turn = td_mul(turn, inverse_gaps(w, noise(w, w->shape[w->ndim - 1])));
    turn = td_matmul(turn, vt);
    gx = gx ? td_add(gx, turn) : turn;
  }
  b->gin[0] = half_sum(td_matmul(v, gx));
}

const td_rule td_rule_eigh = {
  .infer = infer_eigh, .vjp = vjp_eigh,
  .cases = "Y3x3 Y1x1 Y2x3x3 Y5x5 Y0x0 Y0x2x2",
  .saves = { TD_OUT(0) | TD_OUT(1) }, .flags = TD_FLOATONLY | TD_CONTIG,
  .lo = -2, .hi = 2,
};

/* ---- svd ---- */

static td_status infer_svd(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0];
  if (x->ndim < 2)
    return td_fail(TD_ESHAPE, "svd: needs a matrix (or a batch of them), not %s",
                   TEXT(x));
  int d = x->ndim - 2;
  int64_t k = x->shape[d] < x->shape[d + 1] ? x->shape[d] : x->shape[d + 1];
  td_spec_of(x, &out[0]);
  out[2] = out[1] = out[0];
  out[0].shape[d + 1] = out[2].shape[d] = out[1].shape[d] = k;
  out[1].ndim--;
  return TD_OK;
}

static td_tensor *skew(td_tensor *x) { return td_sub(x, mt(x)); }

/* 1 / s, and 0 where s is nothing but noise. */
static td_tensor *inverse_values(td_tensor *s, double tolerance) {
  td_tensor *scale = td_amax(s, TD_INTS(-1), true);
  td_tensor *none = td_le(s, td_mul(scale, td_num(tolerance)));
  return td_where(none, td_num(0), td_reciprocal(td_where(none, td_num(1), s)));
}

/* x less its part in the space of the columns of u */
static td_tensor *outside(td_tensor *x, td_tensor *u) {
  return td_sub(x, td_matmul(u, td_matmul(mt(u), x)));
}

/* gx = U [ (skew(U^T gU) o E) S + S (skew(V^T gV) o E) + diag(gs) ] V^T
**    + (1 - U U^T) gU S^-1 V^T + U S^-1 gV^T (1 - V V^T),
** E_ij = 1 / (s_j^2 - s_i^2). */
static void vjp_svd(td_back *b) {
  td_tensor *u = b->y[0], *s = b->y[1], *vt = b->y[2];
  td_tensor *gu = b->g[0], *gs = b->g[1], *gvt = b->g[2];
  int64_t m = u->shape[u->ndim - 2], k = u->shape[u->ndim - 1];
  int64_t n = vt->shape[vt->ndim - 1];
  td_tensor *core = NULL, *rest = NULL, *e = NULL, *inv = NULL;
  if (k == 0) {
    b->gin[0] = td_zeros_like(b->in[0]);
    return;
  }
  double tolerance = noise(s, m > n ? m : n);
  if (gu || gvt) {
    e = inverse_gaps(td_square(s), tolerance);
    inv = inverse_values(s, tolerance);
  }
  if (gs) core = rows(vt, gs);
  if (gu) {
    td_tensor *t = columns(td_mul(skew(td_matmul(mt(u), gu)), e), s);
    t = td_matmul(t, vt);
    core = core ? td_add(core, t) : t;
    if (m > k) rest = td_matmul(columns(outside(gu, u), inv), vt);
  }
  if (gvt) {
    td_tensor *t = rows(td_mul(skew(td_matmul(vt, mt(gvt))), e), s);
    t = td_matmul(t, vt);
    if (n > k) t = td_add(t, rows(mt(outside(mt(gvt), mt(vt))), inv));
    core = core ? td_add(core, t) : t;
  }
  core = td_matmul(u, core);
  b->gin[0] = rest ? td_add(core, rest) : core;
}

const td_rule td_rule_svd = {
  .infer = infer_svd, .vjp = vjp_svd,
  .cases = "3x3 4x2 2x4 1x3 3x1 1x1 2x3x2 5x3 0x3 3x0 0x2x2",
  .saves = { TD_OUT(0) | TD_OUT(1) | TD_OUT(2) },
  .flags = TD_FLOATONLY | TD_CONTIG, .lo = -2, .hi = 2,
};

/* ---- solve and solve_triangular ---- */

/* b is one vector, or matrices whose leading dims broadcast against a's. */
static td_status infer_solve(const td_call *c, td_spec *out) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  td_status st = check_square(c);
  if (st) return st;
  if (b->ndim == 0)
    return td_fail(TD_ESHAPE, "%s: the right-hand side needs a dim", c->op->name);
  int core = b->ndim == 1 ? 1 : 2, na = a->ndim - 2, nb = b->ndim - core;
  int64_t n = a->shape[a->ndim - 1];
  if (b->shape[b->ndim - core] != n)
    return td_fail(TD_ESHAPE, "%s: %s and %s: the right-hand side has %lld rows, "
                   "not %lld", c->op->name, TEXT(a), TEXT(b),
                   (long long)b->shape[b->ndim - core], (long long)n);
  int lead = na > nb ? na : nb;
  out->dtype = a->dtype;
  out->ndim = lead + core;
  for (int k = 1; k <= lead; k++) {
    int64_t p = k <= na ? a->shape[na - k] : 1;
    int64_t q = k <= nb ? b->shape[nb - k] : 1;
    if (p != q && p != 1 && q != 1)
      return td_fail(TD_ESHAPE, "%s: %s and %s: the batch sizes %lld and %lld "
                     "differ and neither is 1", c->op->name, TEXT(a), TEXT(b),
                     (long long)p, (long long)q);
    out->shape[lead - k] = p == 1 ? q : p;
  }
  for (int k = 0; k < core; k++)
    out->shape[lead + k] = b->shape[b->ndim - core + k];
  return TD_OK;
}

/* x as a column when the right-hand sides are vectors */
static td_tensor *column(td_tensor *x, const td_tensor *b) {
  return b->ndim == 1 ? td_unsqueeze(x, -1) : x;
}

/* A right-hand side of the shape that X has: a vector beside a batch of
** matrices becomes a column. */
static td_tensor *uncolumn(td_tensor *x, const td_tensor *b) {
  return b->ndim == 1 ? td_squeeze(x, TD_INTS(-1)) : x;
}

/* gb = a^-T g; ga = -gb X^T */
static void vjp_solve(td_back *q) {
  td_tensor *a = q->in[0], *b = q->in[1];
  td_tensor *gb = td_solve(mt(a), column(q->g[0], b));
  if (q->want[0])
    q->gin[0] = td_neg(td_sum_to(td_matmul(gb, mt(column(q->y[0], b))), a));
  if (q->want[1]) q->gin[1] = td_sum_to(uncolumn(gb, b), b);
}

const td_rule td_rule_solve = {
  .infer = infer_solve, .vjp = vjp_solve,
  .cases = "L3x3;3x2 L3x3;3 L1x1;1 S2x3x3;2x3x2 L2x3x3;3 L3x3;2x3x1 "
           "S2x1x2x2;3x2x2 L0x0;0x2 L3x3;3x0 L2x2x2;1x2x1",
  .saves = { TD_IN(0) | TD_OUT(0), TD_IN(0) },
  .flags = TD_FLOATONLY | TD_CONTIG, .lo = -1, .hi = 1,
};

/* As solve, with the gradient kept to the triangle that is read. */
static void vjp_solve_triangular(td_back *q) {
  td_tensor *a = q->in[0], *b = q->in[1];
  bool upper = q->call->attr[0].i, transposed = q->call->attr[1].i;
  td_tensor *gb = td_solve_triangular(a, column(q->g[0], b), upper, !transposed);
  if (q->want[0]) {
    td_tensor *x = column(q->y[0], b);
    td_tensor *ga = transposed ? td_matmul(x, mt(gb)) : td_matmul(gb, mt(x));
    ga = td_neg(td_sum_to(ga, a));
    q->gin[0] = upper ? td_triu(ga, 0) : td_tril(ga, 0);
  }
  if (q->want[1]) q->gin[1] = td_sum_to(uncolumn(gb, b), b);
}

const td_rule td_rule_solve_triangular = {
  .infer = infer_solve, .vjp = vjp_solve_triangular,
  .cases = "L3x3;3x2;#0;#0 L3x3;3x2;#0;#1 S3x3;3x2;#1;#0 S3x3;3x2;#1;#1 "
           "L3x3;3;#0;#0 L3x3;3;#0;#1 L2x3x3;3x1;#0;#0 L3x3;2x3x1;#0;#1 "
           "L0x0;0x2;#0;#0 L2x2x2;2;#0;#1",
  .saves = { TD_IN(0) | TD_OUT(0), TD_IN(0) },
  .flags = TD_FLOATONLY | TD_CONTIG, .lo = -1, .hi = 1,
};

/* ---- inverse and logdet ---- */

/* The result y, or a failure told in the name of op. */
static td_tensor *told_by(const char *op, td_tensor *y) {
  char text[512];
  if (y) return y;
  snprintf(text, sizeof text, "%s", td_error());
  const char *rest = strchr(text, ':');
  return td_fail_null(td_error_code(), "%s%s%s", op, rest ? "" : ": ",
                      rest ? rest : text);
}

static td_tensor *compose_inverse(const td_call *c) {
  td_tensor *x = c->in[0];
  if (check_square(c)) return NULL;
  int64_t n = x->shape[x->ndim - 1];
  td_dtype dt = td_dtype_is_float(x->dtype) ? x->dtype : TD_F32;
  td_tensor *ones = td_full(td_device_of(x), dt, 2, (int64_t[]){ n, n }, 1);
  return told_by("inverse", td_solve(x, td_tril(td_triu(ones, 0), 0)));
}
const td_rule td_rule_inverse = {
  .compose = compose_inverse,
  .cases = "L3x3 S3x3 S2x3x3 L1x1 L0x0 S0x2x2", .lo = -1, .hi = 1,
};

static td_tensor *compose_logdet(const td_call *c) {
  if (check_square(c)) return NULL;
  td_tensor *l = told_by("logdet", td_cholesky(c->in[0]));
  return td_mul(td_sum(td_log(td_diagonal(l, -2, -1)), TD_INTS(-1), false),
                td_num(2));
}
const td_rule td_rule_logdet = {
  .compose = compose_logdet,
  .cases = "S3x3 S1x1 S2x3x3 S0x0 S0x2x2", .lo = -1, .hi = 1,
};

/* ---- sqrtm and sylvester ---- */

/* Y Y = x gives dY Y + Y dY = dx.  Equal eigenvalues need no care, and where x
** has rank to spare the gradient is 0. */
static void vjp_sqrtm(td_back *b) {
  b->gin[0] = td_sylvester(b->y[0], half_sum(b->g[0]));
}

const td_rule td_rule_sqrtm = {
  .infer = infer_square, .vjp = vjp_sqrtm,
  .cases = "S3x3 S1x1 S2x3x3 S5x5 S0x0 S0x2x2",
  .saves = { TD_OUT(0) }, .flags = TD_FLOATONLY | TD_CONTIG,
  .lo = -1, .hi = 1,
};

static td_status infer_sylvester(const td_call *c, td_spec *out) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  td_status st = infer_square(c, out);
  if (st) return st;
  if (a->ndim != b->ndim ||
      memcmp(a->shape, b->shape, sizeof *a->shape * a->ndim))
    return td_fail(TD_ESHAPE, "sylvester: %s and %s: both must have one shape",
                   TEXT(a), TEXT(b));
  return TD_OK;
}

/* The map from b to X is its own adjoint: Z = X(g) is the gradient of b, and
** a dX + dX a = -(da X + X da) gives ga = -(Z X^T + X^T Z). */
static void vjp_sylvester(td_back *q) {
  td_tensor *z = td_sylvester(q->in[0], q->g[0]);
  if (q->want[0]) {
    td_tensor *xt = mt(q->y[0]);
    q->gin[0] = td_neg(half_sum(td_add(td_matmul(z, xt), td_matmul(xt, z))));
  }
  if (q->want[1]) q->gin[1] = z;
}

const td_rule td_rule_sylvester = {
  .infer = infer_sylvester, .vjp = vjp_sylvester,
  .cases = "S3x3;3x3 S1x1;1x1 S2x3x3;2x3x3 S0x0;0x0",
  .saves = { TD_IN(0) | TD_OUT(0), TD_IN(0) },
  .flags = TD_FLOATONLY | TD_CONTIG, .lo = -1, .hi = 1,
};
