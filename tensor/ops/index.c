/* index.c -- rules of the ops that pick and place elements by position. */
#include "tensor/op.h"
#include <math.h>
#include <string.h>

#define TEXT_OF(t) \
  td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

static bool same_shape(const td_tensor *a, const td_tensor *b) {
  return a->ndim == b->ndim &&
    !memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape);
}

/* ---- one position per element ---- */

/* index must fit x in all dims but the one along which it points. */
static td_status check_index(const td_call *c) {
  const td_tensor *x = c->in[0], *index = c->in[1];
  bool ok = x->ndim == index->ndim;
  for (int d = 0; ok && d < x->ndim; d++)
    ok = d == c->attr[0].i || index->shape[d] <= x->shape[d];
  return ok ? TD_OK :
    td_fail(TD_ESHAPE, "%s: index of shape %s does not fit a tensor of shape "
            "%s; it needs as many dims and, but for the dim it points along, "
            "sizes no larger", c->op->name, TEXT_OF(index), TEXT_OF(x));
}

static td_status infer_gather(const td_call *c, td_spec *out) {
  td_spec_of(c->in[1], out);
  out->dtype = c->in[0]->dtype;
  return check_index(c);
}
static void vjp_gather(td_back *b) {
  b->gin[0] = td_scatter_add(td_zeros_like(b->in[0]), b->call->attr[0].i,
                             b->in[1], b->g[0]);
}
const td_rule td_rule_gather = {
  .infer = infer_gather, .vjp = vjp_gather, .flags = TD_BF16_OK,
  .saves = { TD_IN(1) },
  .cases = "5;#0;@3:5 2x4;#-1;@2x3:4 3x2;#0;@4x2:3 3x4;#1;@2x2:4 s;#0;@s:1 "
           "3;#0;@0:3 2x3x2;#1;@2x5x2:3"
};

static td_status infer_scatter_add(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0], *index = c->in[1], *src = c->in[2];
  td_spec_of(x, out);
  if (!same_shape(index, src))
    return td_fail(TD_ESHAPE, "scatter_add: index has shape %s but src %s; each "
                   "element of src needs a position", TEXT_OF(index),
                   TEXT_OF(src));
  return check_index(c);
}
static void vjp_scatter_add(td_back *b) {
  if (b->want[0]) b->gin[0] = b->g[0];
  if (b->want[2]) b->gin[2] = td_gather(b->g[0], b->call->attr[0].i, b->in[1]);
}
const td_rule td_rule_scatter_add = {
  .infer = infer_scatter_add, .vjp = vjp_scatter_add, .flags = TD_INPLACE,
  .saves = { 0, 0, TD_IN(1) },
  .cases = "5;#0;@3:5;3 2x4;#-1;@2x3:4;2x3 3x2;#0;@4x2:3;4x2 "
           "3x4;#1;@2x2:4;2x2 s;#0;@s:1;s 3;#0;@0:3;0"
};

/* ---- whole slices by position ---- */

static td_status check_vector(const td_call *c) {
  const td_tensor *x = c->in[0], *index = c->in[1];
  if (index->ndim != 1)
    return td_fail(TD_ESHAPE, "%s: index must be a vector, not of shape %s",
                   c->op->name, TEXT_OF(index));
  if (x->ndim == 0)
    return td_fail(TD_ESHAPE, "%s: a 0-dim tensor has no positions",
                   c->op->name);
  return TD_OK;
}

static td_status infer_index_select(const td_call *c, td_spec *out) {
  td_status st = check_vector(c);
  td_spec_of(c->in[0], out);
  if (!st) out->shape[c->attr[0].i] = c->in[1]->shape[0];
  return st;
}
static void vjp_index_select(td_back *b) {
  b->gin[0] = td_index_add(td_zeros_like(b->in[0]), b->call->attr[0].i,
                           b->in[1], b->g[0]);
}
const td_rule td_rule_index_select = {
  .infer = infer_index_select, .vjp = vjp_index_select, .flags = TD_BF16_OK,
  .saves = { TD_IN(1) },
  .cases = "5;#0;@3:5 2x4;#-1;@6:4 3x2;#0;@4:3 2x3x2;#1;@2:3 3x2;#0;@0:3 "
           "3x0;#0;@2:3"
};

static td_status infer_index_add(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0], *index = c->in[1], *src = c->in[2];
  int64_t dim = c->attr[0].i;
  td_status st = check_vector(c);
  td_spec_of(x, out);
  if (st) return st;
  bool ok = src->ndim == x->ndim;
  for (int d = 0; ok && d < x->ndim; d++)
    ok = src->shape[d] == (d == dim ? index->shape[0] : x->shape[d]);
  return ok ? TD_OK :
    td_fail(TD_ESHAPE, "index_add: src of shape %s does not fit %lld positions "
            "in a tensor of shape %s", TEXT_OF(src), (long long)index->shape[0],
            TEXT_OF(x));
}
static void vjp_index_add(td_back *b) {
  if (b->want[0]) b->gin[0] = b->g[0];
  if (b->want[2])
    b->gin[2] = td_index_select(b->g[0], b->call->attr[0].i, b->in[1]);
}
const td_rule td_rule_index_add = {
  .infer = infer_index_add, .vjp = vjp_index_add, .flags = TD_INPLACE,
  .saves = { 0, 0, TD_IN(1) },
  .cases = "5;#0;@3:5;3 2x4;#-1;@6:4;2x6 3x2;#0;@4:3;4x2 2x3x2;#1;@2:3;2x2x2 "
           "3x2;#0;@0:3;0x2 3x0;#0;@2:3;2x0"
};

/* ---- conditions ---- */

/* How many rows there are depends on the values: they are counted first, on
** the device of x, and the number is read. */
static td_status infer_nonzero(const td_call *c, td_spec *out) {
  td_tensor *x = c->in[0];
  int64_t count = 0;
  int mark = td_scope_open();
  bool old = td_grad_enable(false);
  td_status st = td_item(td_sum(td_ne(x, td_num(0)), TD_ALL, false), NULL,
                         &count);
  td_grad_enable(old);
  td_scope_close(mark);
  *out = (td_spec){ .dtype = TD_I64, .ndim = 2, .shape = { count, x->ndim } };
  return st;
}
const td_rule td_rule_nonzero = {
  .infer = infer_nonzero, .flags = TD_INDEX0, .cases = "?5 ?2x3 ?2x3x2 2x3 ?s 0x3"
};

static td_tensor *masked_fill(const td_call *c) {
  td_tensor *x = c->in[0], *mask = c->in[1];
  double v = c->attr[0].f;
  int more = x->ndim - mask->ndim;
  bool ok = more >= 0;
  for (int d = 0; ok && d < mask->ndim; d++)
    ok = mask->shape[d] == 1 || mask->shape[d] == x->shape[d + more];
  if (!ok)
    return td_fail_null(TD_ESHAPE, "masked_fill: a mask of shape %s does not "
                        "broadcast to shape %s", TEXT_OF(mask), TEXT_OF(x));
  if (td_dtype_is_float(x->dtype)) return td_where(mask, td_num(v), x);
  if (!(fabs(v) < 0x1p63) || v != floor(v))
    return td_fail_null(TD_EDTYPE, "masked_fill: %g cannot be stored in a tensor "
                        "of %s; convert it with x:to(\"f32\")", v,
                        td_dtype_name(x->dtype));
  return td_cast(td_where(mask, td_int((int64_t)v), x), x->dtype);
}
const td_rule td_rule_masked_fill = {
  .compose = masked_fill,
  .cases = "5;?5;#1.5 2x3;?3;#-2 2x3;?2x1;#0 s;?s;#1 0x3;?3;#1"
};
