/* rows.c -- which kernels work row by row: shared answers for td_rule.rows. */
#include "tensor/op.h"

static bool same_rows(const td_tensor *t, const td_tensor *out) {
  return t && !t->number && t->ndim == out->ndim && t->shape[0] == out->shape[0];
}

/* Operands broadcast against the result: those that have its first dim are cut. */
bool td_rows_each(const td_call *c, td_tensor *const *out, bool *cut) {
  if (out[0]->ndim == 0) return false;
  for (int i = 0; i < c->nin; i++) {
    const td_tensor *t = c->in[i];
    cut[i] = same_rows(t, out[0]);
    if (t && !cut[i] && t->ndim == out[0]->ndim && t->shape[0] != 1) return false;
  }
  return true;
}

/* The first input is cut, the others are needed whole. */
bool td_rows_first(const td_call *c, td_tensor *const *out, bool *cut) {
  if (c->in[0]->ndim < 1 || out[0]->ndim < 2) return false;
  cut[0] = true;
  return c->in[0]->shape[0] == out[0]->shape[0];
}

/* Products: the first input is cut where its rows lie in one piece each.  Long
** sums are not: their terms are grouped by the shape of the whole product. */
#define SUM_MOST 4095
bool td_rows_product(const td_call *c, td_tensor *const *out, bool *cut) {
  const td_tensor *a = c->in[0];
  int64_t k = a->ndim ? a->shape[a->ndim - 1] : 1;
  if (a->ndim < 2 || (a->stride[a->ndim - 1] != 1 && k > 1) || k > SUM_MOST) return false;
  return td_rows_first(c, out, cut);
}

/* The first two. */
bool td_rows_two(const td_call *c, td_tensor *const *out, bool *cut) {
  if (!td_rows_first(c, out, cut)) return false;
  cut[1] = true;
  return c->in[1]->ndim > 0 && c->in[1]->shape[0] == out[0]->shape[0];
}

/* All of them, for ops along a dim (attribute 0) that is not the first. */
bool td_rows_dim(const td_call *c, td_tensor *const *out, bool *cut) {
  if (out[0]->ndim < 2 || c->attr[0].i == 0) return false;
  for (int i = 0; i < c->nin; i++) {
    cut[i] = true;
    if (c->in[i]->shape[0] != out[0]->shape[0]) return false;
  }
  return true;
}

/* Reductions over dims that are not the first. */
bool td_rows_reduce(const td_call *c, td_tensor *const *out, bool *cut) {
  bool mask[TD_MAXDIM];
  if (c->in[0]->ndim < 1 || td_dims_mask(c, mask, NULL) || mask[0]) return false;
  cut[0] = true;
  return out[0]->ndim > 0;
}
