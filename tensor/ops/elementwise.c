/* elementwise.c -- rules of the ops whose results depend on one element of each
** input: those of elementwise.def, and where, clamp, copy, fill, cast, ... */
#include "tensor/op.h"
#include <math.h>

/* adjoint of broadcasting: sums g until it has the shape of like */
td_tensor *td_sum_to(td_tensor *g, const td_tensor *like) {
  if (!g) return NULL;
  int lead = g->ndim - like->ndim, n = 0;
  int64_t dims[TD_MAXDIM], shape[TD_MAXDIM];
  for (int d = 0; d < g->ndim; d++)
    if (d < lead || (like->shape[d - lead] == 1 && g->shape[d] != 1))
      dims[n++] = d;
  if (!n) return g;
  g = td_sum(g, (td_ints){ n, dims }, n > lead);
  if (!lead || n == lead) return g;
  for (int d = 0; d < like->ndim; d++) shape[d] = like->shape[d];
  return td_view(g, (td_ints){ like->ndim, shape });
}

static td_status infer_bool(const td_call *c, td_spec *out) {
  td_status st = td_infer_broadcast(c, out);
  out->dtype = TD_BOOL;
  return st;
}

/* ---- helpers of the gradients in elementwise.def ---- */

static td_tensor *rsub(td_tensor *x, double c) { return td_sub(td_num(c), x); }

/* 1 where a > b, 1/2 where they are equal: ties share */
static td_tensor *gt_half(td_tensor *a, td_tensor *b) {
  if (!a || !b) return NULL;
  td_tensor *gt = td_cast(td_gt(a, b), a->dtype);
  td_tensor *ge = td_cast(td_ge(a, b), a->dtype);
  return td_mul(td_add(gt, ge), td_num(.5));
}
/* b - 1; a number stays one, and so takes the type of what it meets */
static td_tensor *less_one(td_tensor *b) {
  double v;
  if (!b || !b->number) return td_sub(b, td_num(1));
  return td_item(b, &v, NULL) ? NULL : td_num(v - 1);
}
/* y log a, and 0 where y is 0 */
static td_tensor *mul_log(td_tensor *y, td_tensor *a) {
  double v = 0;
  if (a && a->number && td_item(a, &v, NULL)) return NULL;
  td_tensor *l = a && a->number ? td_num(log(v)) : td_log(a);
  return td_where(td_eq(y, td_num(0)), td_zeros_like(y), td_mul(y, l));
}
/* g times the third derivative of silu: with s = sigmoid and q = s (1 - s),
** q (3 - 6 s) + x q (1 - 6 q) ... built from the derivatives of s */
static td_tensor *silu_third(td_tensor *g, td_tensor *x) {
  td_tensor *s = td_sigmoid(x);
  td_tensor *q = td_mul(s, rsub(s, 1));                     /* s'   */
  td_tensor *s2 = td_mul(q, rsub(td_mul(s, td_num(2)), 1)); /* s''  */
  td_tensor *s3 = td_sub(td_mul(s2, rsub(td_mul(s, td_num(2)), 1)),
                         td_mul(td_square(q), td_num(2)));  /* s''' */
  return td_mul(g, td_add(td_mul(s2, td_num(3)), td_mul(x, s3)));
}
/* g times the second derivative of gelu: (2 - x^2) phi(x) */
static td_tensor *gelu_second(td_tensor *g, td_tensor *x) {
  td_tensor *x2 = td_square(x);
  td_tensor *phi = td_mul(td_exp(td_mul(x2, td_num(-.5))),
                          td_num(0.39894228040143267794));
  return td_mul(g, td_mul(rsub(x2, 2), phi));
}

/* ---- unary ---- */

#define G b_->g[0]
#define NONE NULL
#define X TD_IN(0)
#define Y TD_OUT(0)
#define FLAGS_F (TD_INPLACE | TD_ELEMENTWISE | TD_FLOATS)
#define FLAGS_N (TD_INPLACE | TD_ELEMENTWISE)
#define FLAGS_B TD_ELEMENTWISE
#define INFER_F td_infer_broadcast
#define INFER_N td_infer_broadcast
#define INFER_B infer_bool
#define VJP_F(name) vjp_##name
#define VJP_N(name) vjp_##name
#define VJP_B(name) NULL

#define UNARY(name, kind, formula, grad, save, l_, h_, doc) \
  __attribute__((unused)) static void vjp_##name(td_back *b_) { \
    td_tensor *x = b_->in[0], *y = b_->y[0]; \
    (void)x; (void)y; \
    if (b_->want[0]) b_->gin[0] = grad; \
  } \
  const td_rule td_rule_##name = { .infer = INFER_##kind, \
    .vjp = VJP_##kind(name), .cases = "2x3 s 0x3 5 2x1x3", \
    .saves = { save }, .flags = FLAGS_##kind, .lo = l_, .hi = h_ };
#include "tensor/elementwise.def"
#undef UNARY
#undef X

/* ---- binary ---- */

#define A TD_IN(0)
#define B TD_IN(1)
#define BINARY(name, kind, formula, ga, gb, save_a, save_b, l_, h_, doc) \
  __attribute__((unused)) static void vjp_##name(td_back *b_) { \
    td_tensor *a = b_->in[0], *b = b_->in[1], *y = b_->y[0]; \
    (void)a; (void)b; (void)y; \
    if (b_->want[0]) b_->gin[0] = td_sum_to(ga, a); \
    if (b_->want[1]) b_->gin[1] = td_sum_to(gb, b); \
  } \
  const td_rule td_rule_##name = { .infer = INFER_##kind, \
    .vjp = VJP_##kind(name), \
    .cases = "2x3;2x3 2x3;3 2x1;4 3;2x2x3 s;2x3 2;s s;s 0x3;3 2x0;2x1", \
    .saves = { save_a, save_b }, .flags = FLAGS_##kind, .lo = l_, .hi = h_ };
#include "tensor/elementwise.def"
#undef BINARY
#undef A
#undef B
#undef Y

/* ---- where, clamp, copy, fill, ... ---- */

static td_status infer_where(const td_call *c, td_spec *out) {
  td_status st = td_infer_broadcast(c, out);
  out->dtype = c->in[c->in[1]->number ? 2 : 1]->dtype;
  return st;
}
static void vjp_where(td_back *b) {
  td_tensor *zero = td_num(0);
  if (b->want[1])
    b->gin[1] = td_sum_to(td_where(b->in[0], b->g[0], zero), b->in[1]);
  if (b->want[2])
    b->gin[2] = td_sum_to(td_where(b->in[0], zero, b->g[0]), b->in[2]);
}
const td_rule td_rule_where = { .infer = infer_where, .vjp = vjp_where,
  .cases = "?2x3;2x3;2x3 ?3;2x3;s ?2x1;3;2x3 ?s;2;2 ?0x3;3;3",
  .saves = { 0, TD_IN(0), TD_IN(0) }, .flags = TD_ELEMENTWISE,
  .lo = -2, .hi = 2 };

static void vjp_clamp(td_back *b) {
  td_tensor *x = b->in[0];
  double lo = b->call->attr[0].f, hi = b->call->attr[1].f;
  td_tensor *in = td_logical_and(td_ge(x, td_num(lo)), td_le(x, td_num(hi)));
  if (b->want[0]) b->gin[0] = td_where(in, b->g[0], td_num(0));
}
const td_rule td_rule_clamp = { .infer = td_infer_same, .vjp = vjp_clamp,
  .cases = "2x3;#-1;#1 5;#0;#inf s;#-1;#1 0;#0;#1", .saves = { TD_IN(0) },
  .flags = TD_INPLACE | TD_ELEMENTWISE, .lo = -2, .hi = 2 };

static td_status infer_copy(const td_call *c, td_spec *out) {
  td_spec both;
  td_status st = td_infer_broadcast(c, &both);
  char a[160], b[160];
  td_spec_of(c->in[0], out);
  if (st) return st;
  for (int d = 0; d < both.ndim; d++)
    if (both.ndim != out->ndim || both.shape[d] != out->shape[d])
      return td_fail(TD_ESHAPE, "copy: a source of shape %s does not fit a "
        "tensor of shape %s",
        td_shape_text(c->in[1]->ndim, c->in[1]->shape, a, sizeof a),
        td_shape_text(out->ndim, out->shape, b, sizeof b));
  return TD_OK;
}
static void vjp_copy(td_back *b) {
  td_tensor *src = b->in[1], *g;
  if (b->want[0]) b->gin[0] = td_zeros_like(b->g[0]);
  if (!b->want[1]) return;
  g = td_sum_to(b->g[0], src);
  if (g && g->dtype != src->dtype) g = td_cast(g, src->dtype);
  b->gin[1] = td_to_device(g, td_device_of(src));
}
const td_rule td_rule_copy = { .infer = infer_copy, .vjp = vjp_copy,
  .cases = "2x3;2x3 2x3;3 2x3;s s;s 0x3;3",
  .flags = TD_INPLACE | TD_ELEMENTWISE | TD_MIXED | TD_ANYDEVICE | TD_BF16_OK,
  .lo = -2, .hi = 2 };

static void vjp_zero(td_back *b) {
  if (b->want[0]) b->gin[0] = td_zeros_like(b->g[0]);
}
const td_rule td_rule_fill = { .infer = td_infer_same, .vjp = vjp_zero,
  .cases = "2x3;#1.5 s;#2 0x3;#1",
  .flags = TD_INPLACE | TD_ELEMENTWISE | TD_BF16_OK, .lo = -2, .hi = 2 };
const td_rule td_rule_ramp = { .infer = td_infer_same, .vjp = vjp_zero,
  .cases = "2x3;#1;#.5 5;#0;#1 s;#3;#1 0;#0;#1", .flags = TD_INPLACE,
  .lo = -2, .hi = 2 };

static td_status infer_cast(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  out->dtype = (td_dtype)c->attr[0].i;
  return TD_OK;
}
static void vjp_cast(td_back *b) {
  if (b->want[0]) b->gin[0] = td_cast(b->g[0], b->in[0]->dtype);
}
const td_rule td_rule_cast = { .infer = infer_cast, .vjp = vjp_cast,
  .cases = "2x3;%f64 s;%f64 0x3;%f64 4;%i64",
  .flags = TD_ELEMENTWISE | TD_MIXED | TD_BF16_OK, .lo = -2, .hi = 2 };

static void vjp_clone(td_back *b) { if (b->want[0]) b->gin[0] = b->g[0]; }
const td_rule td_rule_clone = { .infer = td_infer_same, .vjp = vjp_clone,
  .cases = "2x3 s 0x3", .flags = TD_ELEMENTWISE | TD_BF16_OK,
  .lo = -2, .hi = 2 };

static td_status infer_matrix(const td_call *c, td_spec *out) {
  char s[128];
  td_spec_of(c->in[0], out);
  if (out->ndim >= 2) return TD_OK;
  return td_fail(TD_ESHAPE, "%s: needs a matrix (or a batch of them), not "
                 "shape %s", c->op->name,
                 td_shape_text(out->ndim, out->shape, s, sizeof s));
}
static void vjp_tril(td_back *b) {
  if (b->want[0]) b->gin[0] = td_tril(b->g[0], b->call->attr[0].i);
}
static void vjp_triu(td_back *b) {
  if (b->want[0]) b->gin[0] = td_triu(b->g[0], b->call->attr[0].i);
}
#define TRIANGLES "3x3;#0 2x4;#1 2x3x2;#-1 0x3;#0"
const td_rule td_rule_tril = { .infer = infer_matrix, .vjp = vjp_tril,
  .cases = TRIANGLES, .flags = TD_INPLACE, .lo = -2, .hi = 2 };
const td_rule td_rule_triu = { .infer = infer_matrix, .vjp = vjp_triu,
  .cases = TRIANGLES, .flags = TD_INPLACE, .lo = -2, .hi = 2 };
