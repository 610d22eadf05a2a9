/* update.c -- rules of the ops that optimisers use: many tensors in one go. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

/* How long each of the n lists at the head of the call is, or -1. */
static int64_t list_length(const td_call *c, int lists, int singles) {
  int64_t all = c->nin - singles;
  if (all >= 0 && all % lists == 0) return all / lists;
  td_fail(TD_EARG, "%s: the %d lists of tensors must have equal lengths",
          c->op->name, lists);
  return -1;
}

static td_status check_number(const td_call *c, int i, const char *what) {
  const td_tensor *t = c->in[i];
  if (td__numel(t) == 1) return TD_OK;
  return td_fail(TD_ESHAPE, "%s: %s must be one number, not of shape %s",
                 c->op->name, what, TEXT(t));
}

/* The lists agree in shape, entry by entry, and hold floating point numbers. */
static td_status check_lists(const td_call *c, int lists, int64_t n) {
  const td_op *op = c->op;
  for (int64_t i = 0; i < n; i++) {
    const td_tensor *p = c->in[i];
    for (int k = 0; k < lists; k++) {
      const td_tensor *t = c->in[k * n + i];
      bool same = t->ndim == p->ndim;
      for (int d = 0; same && d < p->ndim; d++)
        same = t->shape[d] == p->shape[d];
      if (!same)
        return td_fail(TD_ESHAPE, "%s: entry %lld of %s has shape %s, of %s %s",
          op->name, (long long)i + 1, op->arg[0].name, TEXT(p),
          op->arg[k].name, TEXT(t));
      if (!td_dtype_is_float((td_dtype)t->dtype))
        return td_fail(TD_EDTYPE, "%s: entry %lld of %s is %s; only floating "
          "point numbers can be updated", op->name, (long long)i + 1,
          op->arg[k].name, td_dtype_name((td_dtype)t->dtype));
    }
  }
  return TD_OK;
}

/* Every update: lists first, then single numbers, `lr` or the like last. */
static td_status check_update(const td_call *c, int lists, int singles) {
  int64_t n = list_length(c, lists, singles);
  if (n < 0) return td_error_code();
  td_status st = check_lists(c, lists, n);
  for (int k = 0; !st && k < singles; k++)
    st = check_number(c, (int)(lists * n) + k, c->op->arg[lists + k].name);
  return st;
}

static td_status adam_infer(const td_call *c, td_spec *out) {
  (void)out;
  td_status st = check_update(c, 4, 2);
  if (st) return st;
  const td_tensor *step = c->in[c->nin - 2];
  if (step->dtype == TD_I64 && step->buf) return TD_OK;
  return td_fail(TD_EDTYPE, "%s: step must be a tensor of i64 that can count, "
                 "not %s", c->op->name, td_dtype_name((td_dtype)step->dtype));
}
static td_status sgd_infer(const td_call *c, td_spec *out) {
  (void)out;
  return check_update(c, 2, 1);
}
static td_status momentum_infer(const td_call *c, td_spec *out) {
  (void)out;
  return check_update(c, 3, 1);
}
static td_status scale_infer(const td_call *c, td_spec *out) {
  (void)out;
  return check_update(c, 1, 1);
}
/* The widest type of the list; f32 for an empty one. */
static td_status grad_norm_infer(const td_call *c, td_spec *out) {
  td_status st = check_lists(c, 1, c->nin);
  *out = (td_spec){ .dtype = c->nin ? TD_BF16 : TD_F32 };
  for (int i = 0; i < c->nin; i++)
    if (c->in[i]->dtype > out->dtype) out->dtype = (td_dtype)c->in[i]->dtype;
  return st;
}

static void grad_norm_back(td_back *b) {
  td_tensor *unit = td_div(b->g[0], b->y[0]);
  for (int i = 0; i < b->call->nin; i++)
    if (b->want[i])
      b->gin[i] = td_cast(td_mul(b->in[i], unit), td_type(b->in[i]));
}

#define FLAGS TD_MIXED | TD_BF16_OK
#define ADAM_CASES \
  "{3x4|5};{3x4|5};{3x4|5};{3x4|5};@s:5;s;#.9;#.99;#.01;#.1 " \
  "{s};{s};{s};{s};@s:5;s;#0;#0;#.01;#0 {0};{0};{0};{0};@s:5;s;#.9;#.9;#1;#0"

const td_rule td_rule_adam_ = {
  .infer = adam_infer, .flags = FLAGS, .writes = 1 | 4 | 8 | 16,
  .cases = ADAM_CASES, .lo = .1, .hi = 1,
};
const td_rule td_rule_adamw_ = {
  .infer = adam_infer, .flags = FLAGS, .writes = 1 | 4 | 8 | 16,
  .cases = ADAM_CASES, .lo = .1, .hi = 1,
};
const td_rule td_rule_sgd_ = {
  .infer = sgd_infer, .flags = FLAGS, .writes = 1,
  .cases = "{3x4|5};{3x4|5};s;#.1 {s};{s};s;#0 {0};{0};s;#.1",
};
const td_rule td_rule_momentum_ = {
  .infer = momentum_infer, .flags = FLAGS, .writes = 1 | 4,
  .cases = "{3x4|5};{3x4|5};{3x4|5};s;#.9;#.1;#0 {5};{5};{5};s;#.9;#0;#1",
};
const td_rule td_rule_ema_ = {
  .infer = sgd_infer, .flags = FLAGS, .writes = 1,
  .cases = "{3x4|5};{3x4|5};s {s};{s};s {0};{0};s",
};
const td_rule td_rule_scale_ = {
  .infer = scale_infer, .flags = FLAGS, .writes = 1,
  .cases = "{3x4|5};s {s};s {0};s",
};
const td_rule td_rule_grad_norm = {
  .infer = grad_norm_infer, .vjp = grad_norm_back,
  .saves = { TD_IN(0) | TD_OUT(0), TD_IN(1) | TD_OUT(0), TD_IN(2) | TD_OUT(0),
             [3 ... TD_SAVES - 1] = 0xfff8u | TD_OUT(0) },     /* further ones: all of them */
  .flags = FLAGS, .cases = "{3x4|5} {s} {0|2x2} {2x3|s|3}", .lo = -1, .hi = 1,
};
