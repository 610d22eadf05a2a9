/* attention.c -- rules of attention, computed in tiles, and of its gradient. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

static td_status check(const td_call *c, const td_tensor *q, const td_tensor *k,
                       const td_tensor *v) {
  int n = q->ndim;
  bool ok = n >= 2 && k->ndim == n && v->ndim == n && q->shape[n - 1] == k->shape[n - 1] &&
            k->shape[n - 2] == v->shape[n - 2];
  for (int d = 0; ok && d < n - 2; d++)
    ok = q->shape[d] == k->shape[d] && q->shape[d] == v->shape[d];
  if (!ok)
    return td_fail(TD_ESHAPE, "%s: wants q (..., n, d), k (..., m, d) and v (..., m, e); the shapes "
                   "are %s, %s and %s", c->op->name, TEXT(q), TEXT(k), TEXT(v));
  if (k->shape[n - 2] == 0)
    return td_fail(TD_ESHAPE, "%s: there are no keys to attend to; k has shape %s", c->op->name,
                   TEXT(k));
  return TD_OK;
}

static td_status attention_infer(const td_call *c, td_spec *out) {
  const td_tensor *q = c->in[0], *v = c->in[2];
  td_status st = check(c, q, c->in[1], v);
  if (st) return st;
  td_spec_of(q, &out[0]);
  out[0].shape[q->ndim - 1] = v->shape[v->ndim - 1];
  td_spec_of(q, &out[1]);
  out[1].ndim--;
  return TD_OK;
}

/* With P the softmax and s the log of its sums, ds = P (g v^T - <g, y> + gs). */
static void attention_back(td_back *b) {
  td_tensor *q = b->in[0], *y = b->y[0], *g = b->g[0], *grads[3];
  if (!g) g = td_zeros_like(y);
  td_tensor *delta = td_sum(td_mul(g, y), TD_INTS(y->ndim - 1), false);
  if (b->g[1]) delta = td_sub(delta, b->g[1]);
  if (td_attention_grad(grads, g, q, b->in[1], b->in[2], b->y[1], delta, b->call->attr[0].f))
    return;
  for (int i = 0; i < 3; i++) b->gin[i] = grads[i];
}
#define ALL TD_IN(0) | TD_IN(1) | TD_IN(2) | TD_OUT(0) | TD_OUT(1)
const td_rule td_rule_attention = {
  .infer = attention_infer, .vjp = attention_back, .saves = { ALL, ALL, ALL, 0 },
  .flags = TD_FLOATONLY | TD_CONTIG,
  .cases = "3x4;5x4;5x2;#.5 2x3x2;2x4x2;2x4x3;#1 2x2x3x2;2x2x3x2;2x2x3x2;#.7 1x2;1x2;1x1;#1 "
           "0x2;3x2;3x1;#1 70x1;3x1;3x1;#1 2x1;140x1;140x1;#1",
  .lo = -1, .hi = 1,
};

static td_status grad_infer(const td_call *c, td_spec *out) {
  const td_tensor *g = c->in[0], *q = c->in[1], *v = c->in[3];
  td_status st = check(c, q, c->in[2], v);
  if (st) return st;
  bool ok = g->ndim == q->ndim && g->shape[g->ndim - 1] == v->shape[v->ndim - 1];
  for (int i = 4; i < 6; i++) ok = ok && c->in[i]->ndim == q->ndim - 1;
  for (int d = 0; ok && d < q->ndim - 1; d++)
    ok = g->shape[d] == q->shape[d] && c->in[4]->shape[d] == q->shape[d] &&
         c->in[5]->shape[d] == q->shape[d];
  if (!ok)
    return td_fail(TD_ESHAPE, "attention_grad: g of shape %s, lse of shape %s and delta of shape %s "
                   "do not belong to q of shape %s", TEXT(g), TEXT(c->in[4]), TEXT(c->in[5]), TEXT(q));
  for (int k = 0; k < 3; k++) td_spec_of(c->in[1 + k], &out[k]);
  return TD_OK;
}

/* With upstream a, b, c for the gradients of q, k, v, the rule of their sum
**   <M, P (g v^T - delta)> + <P, g c^T>,   M = scale (a k^T + q b^T),   P = exp(scale q k^T - lse)
** by plain ops, which hold all scores: whoever differentiates twice pays for it. */
static void grad_back(td_back *b) {
  td_tensor *g = b->in[0], *q = b->in[1], *k = b->in[2], *v = b->in[3];
  int last = q->ndim - 1;
  double f = b->call->attr[0].f;
  td_tensor *scale = td_num(f), *up[3];
  for (int i = 0; i < 3; i++) up[i] = b->g[i] ? b->g[i] : td_zeros_like(b->in[1 + i]);
#define T(x) td_transpose(x, last - 1, last)
#define ROWS(x) td_unsqueeze(x, last)
  td_tensor *p = td_exp(td_sub(td_mul(td_matmul(q, T(k)), scale), ROWS(b->in[4])));
  td_tensor *m = td_mul(td_add(td_matmul(up[0], T(k)), td_matmul(q, T(up[1]))), scale);
  td_tensor *rest = td_sub(td_matmul(g, T(v)), ROWS(b->in[5]));
  td_tensor *ds = td_mul(p, rest), *w = td_mul(m, p);
  td_tensor *u = td_mul(p, td_add(td_mul(m, rest), td_matmul(g, T(up[2]))));
  if (b->want[0]) b->gin[0] = td_add(td_matmul(w, v), td_matmul(p, up[2]));
  if (b->want[1]) b->gin[1] = td_mul(td_add(td_matmul(u, k), td_matmul(ds, up[1])), scale);
  if (b->want[2]) b->gin[2] = td_mul(td_add(td_matmul(T(u), q), td_matmul(T(ds), up[0])), scale);
  if (b->want[3]) b->gin[3] = td_matmul(T(w), g);
  if (b->want[4]) b->gin[4] = td_neg(td_sum(u, TD_INTS(last), false));
  if (b->want[5]) b->gin[5] = td_neg(td_sum(w, TD_INTS(last), false));
#undef T
#undef ROWS
}
#define INPUTS TD_IN(0) | TD_IN(1) | TD_IN(2) | TD_IN(3) | TD_IN(4) | TD_IN(5)
const td_rule td_rule_attention_grad = {
  .infer = grad_infer, .vjp = grad_back, .flags = TD_FLOATONLY | TD_CONTIG,
  .saves = { INPUTS, INPUTS, INPUTS, INPUTS, INPUTS, INPUTS },
  .cases = "3x2;3x4;5x4;5x2;3;3;#.5 2x3x3;2x3x2;2x4x2;2x4x3;2x3;2x3;#1 0x1;0x2;3x2;3x1;0;0;#1",
  .lo = -1, .hi = 1,
};
