/* random.c -- rules of the random draws.  They take the shape and type of their
** argument, never its values, and have no gradient. */
#include "tensor/op.h"

static td_status infer_interval(const td_call *c, td_spec *out) {
  double lo = c->attr[0].f, hi = c->attr[1].f;
  if (!(lo <= hi))
    return td_fail(TD_EARG, "uniform: low %g is above high %g", lo, hi);
  return td_infer_same(c, out);
}
static td_status infer_normal(const td_call *c, td_spec *out) {
  if (!(c->attr[1].f >= 0))
    return td_fail(TD_EARG, "normal: std is %g; it must not be negative",
                   c->attr[1].f);
  return td_infer_same(c, out);
}
static td_status infer_bernoulli(const td_call *c, td_spec *out) {
  double p = c->attr[0].f;
  if (!(p >= 0 && p <= 1))
    return td_fail(TD_EARG, "bernoulli: p is %g; it must lie in [0, 1]", p);
  return td_infer_same(c, out);
}
static td_status infer_integers(const td_call *c, td_spec *out) {
  int64_t lo = c->attr[0].i, hi = c->attr[1].i;
  if (lo > hi)
    return td_fail(TD_EARG, "integers: low %lld is above high %lld",
                   (long long)lo, (long long)hi);
  return td_infer_same(c, out);
}

/* x without history: nothing flows back through a draw */
static void vjp_none(td_back *b) {
  if (b->want[0]) b->gin[0] = td_zeros_like(b->g[0]);
}
#define FLAGS (TD_INPLACE | TD_RANDOM | TD_ELEMENTWISE)
const td_rule td_rule_uniform = { .infer = infer_interval, .vjp = vjp_none,
  .flags = FLAGS | TD_FLOATONLY };
const td_rule td_rule_normal = { .infer = infer_normal, .vjp = vjp_none,
  .flags = FLAGS | TD_FLOATONLY };
const td_rule td_rule_bernoulli = { .infer = infer_bernoulli, .vjp = vjp_none,
  .flags = FLAGS };
const td_rule td_rule_integers = { .infer = infer_integers, .vjp = vjp_none,
  .flags = FLAGS };
