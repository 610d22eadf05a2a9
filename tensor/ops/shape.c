/* shape.c -- rules of the ops that change shape: views, joins, repeats. */
#include "tensor/op.h"
#include <string.h>

#define OPNAME(c) ((c)->op->name)

/* A shape as text, in a buffer that lives to the end of the enclosing block. */
#define TEXT(n, shape) td_shape_text(n, shape, (char[160]){ 0 }, 160)
#define TEXT_OF(t) TEXT((t)->ndim, (t)->shape)

static td_ints shape_of(const td_tensor *t) {
  return (td_ints){ t->ndim, t->shape };
}

static void vjp_reshape(td_back *b) {
  b->gin[0] = td_reshape(b->g[0], shape_of(b->in[0]));
}

/* Sizes that a tensor can have: none negative, and their product (but for zeros)
** is a number of bytes, as it must be in memory. */
static bool plausible(int n, const int64_t *shape) {
  int64_t bytes = 8;
  for (int d = 0; d < n; d++)
    if (shape[d] < 0 ||
        (shape[d] > 0 && __builtin_mul_overflow(bytes, shape[d], &bytes)))
      return false;
  return true;
}

/* A position that may count from the end (-1 is the last of n). */
static bool wrap(int64_t *p, int64_t n) {
  if (*p < 0) *p += n;
  return *p >= 0 && *p < n;
}

/* Composed ops get their dims as the caller gave them. */
static bool dim_ok(const td_call *c, int64_t *dim) {
  return td_dim(OPNAME(c), dim, c->in[0]->ndim) == TD_OK;
}

/* ---- view and reshape ---- */

/* The shape asked for, with -1 replaced by what is left over. */
static td_status asked_shape(const td_call *c, int64_t *shape) {
  const td_tensor *x = c->in[0];
  int64_t n = td__numel(x), known = 1;
  int open = -1;
  if (c->nlist < 0)
    return td_fail(TD_EARG, "%s: give the shape, one size may be -1", OPNAME(c));
  for (int d = 0; d < c->nlist; d++) {
    shape[d] = c->list[d];
    if (shape[d] == -1 && open < 0) shape[open = d] = 1;
  }
  if (!plausible(c->nlist, shape))
    return td_fail(TD_ESHAPE, "%s: %s is no shape; sizes count from 0 up and one "
                   "of them may be -1", OPNAME(c), TEXT(c->nlist, c->list));
  for (int d = 0; d < c->nlist; d++) known *= shape[d];
  if (open >= 0 && known > 0 && n % known == 0)
    shape[open] = n / known;
  else if (open >= 0 || known != n)
    return td_fail(TD_ESHAPE, "%s: the %lld elements of shape %s do not fit "
                   "shape %s", OPNAME(c), (long long)n, TEXT_OF(x),
                   TEXT(c->nlist, c->list));
  return TD_OK;
}

/* Finds strides that show x as `shape` without moving data.  The dims of x fall
** into runs in which each stride continues the one after it; every run must be
** covered by dims of the new shape exactly. */
static bool view_strides(const td_tensor *x, int n, const int64_t *shape,
                         int64_t *stride) {
  int v = n - 1;
  if (td__numel(x) == 0 || x->ndim == 0) {
    int64_t s = 1;
    for (; v >= 0; v--) {
      stride[v] = s;
      s *= shape[v] > 0 ? shape[v] : 1;
    }
    return true;
  }
  int64_t base = x->stride[x->ndim - 1], run = 1, done = 1;
  for (int d = x->ndim - 1; d >= 0; d--) {
    run *= x->shape[d];
    if (d > 0 && (x->shape[d - 1] == 1 || x->stride[d - 1] == run * base))
      continue;
    for (; v >= 0 && (done < run || shape[v] == 1); v--) {
      stride[v] = done * base;
      done *= shape[v];
    }
    if (done != run) return false;
    if (d > 0) base = x->stride[d - 1];
    run = done = 1;
  }
  return v < 0;
}

static td_status view_view(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  int64_t shape[TD_MAXDIM], stride[TD_MAXDIM];
  td_status st = asked_shape(c, shape);
  if (st) return st;
  if (!view_strides(x, c->nlist, shape, stride))
    return td_fail(TD_ESHAPE, "view: shape %s with strides %s cannot be seen "
                   "as %s without a copy; use reshape", TEXT_OF(x),
                   TEXT(x->ndim, x->stride), TEXT(c->nlist, shape));
  out->ndim = (uint8_t)c->nlist;
  memcpy(out->shape, shape, (size_t)c->nlist * sizeof *shape);
  memcpy(out->stride, stride, (size_t)c->nlist * sizeof *stride);
  return TD_OK;
}
const td_rule td_rule_view = {
  .view = view_view, .vjp = vjp_reshape,
  .cases = "2x3x2;[3,4] 2x3;[-1] 2x3;[3,-1,1] 4;[2,2] s;[1,1] 1x1;[] "
           "0x3;[0] 0x3;[3,0,2]"
};

static td_tensor *reshape(const td_call *c) {
  td_tensor *x = c->in[0];
  int64_t shape[TD_MAXDIM], stride[TD_MAXDIM];
  if (asked_shape(c, shape)) return NULL;
  if (!view_strides(x, c->nlist, shape, stride)) x = td_clone(x);
  return td_view(x, (td_ints){ c->nlist, shape });
}
const td_rule td_rule_reshape = {
  .compose = reshape,
  .cases = "2x3x2;[3,4] 2x3;[-1] 2x3;[6,-1] 3x2x2;[2,-1,3] s;[1] 1;[] "
           "0x2;[2,0] 2x3;[2,3]"
};

static td_tensor *flatten(const td_call *c) {
  const td_tensor *x = c->in[0];
  int64_t start = c->attr[0].i, stop = c->attr[1].i, shape[TD_MAXDIM];
  int n = 0;
  if (!dim_ok(c, &start) || !dim_ok(c, &stop)) return NULL;
  if (x->ndim == 0) return td_view(c->in[0], TD_INTS(1));
  if (start > stop)
    return td_fail_null(TD_EARG, "flatten: the first dim comes after the last, "
                        "for a tensor of shape %s", TEXT_OF(x));
  for (int d = 0; d < x->ndim; d++)
    if (d > start && d <= stop) shape[n - 1] *= x->shape[d];
    else shape[n++] = x->shape[d];
  return td_reshape(c->in[0], (td_ints){ n, shape });
}
const td_rule td_rule_flatten = {
  .compose = flatten,
  .cases = "2x3x2;#0;#-1 2x3x2;#1;#2 2x3x2;#0;#1 2x3;#1;#1 s 0x2"
};

/* ---- dims in another order ---- */

static td_status view_permute(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  bool seen[TD_MAXDIM] = { false };
  if (c->nlist != x->ndim)
    return td_fail(TD_EARG, "permute: name each of the %d dims of shape %s once",
                   x->ndim, TEXT_OF(x));
  for (int d = 0; d < x->ndim; d++) {
    int64_t from = c->list[d];
    td_status st = td_dim("permute", &from, x->ndim);
    if (st) return st;
    if (seen[from])
      return td_fail(TD_EARG, "permute: a dim is named twice for shape %s; name "
                     "each once", TEXT_OF(x));
    seen[from] = true;
    out->shape[d] = x->shape[from];
    out->stride[d] = x->stride[from];
  }
  return TD_OK;
}
static void vjp_permute(td_back *b) {
  int64_t back[TD_MAXDIM];
  int n = b->in[0]->ndim;
  for (int d = 0; d < n; d++) {
    int64_t from = b->call->list[d];
    back[from < 0 ? from + n : from] = d;
  }
  b->gin[0] = td_permute(b->g[0], (td_ints){ n, back });
}
const td_rule td_rule_permute = {
  .view = view_permute, .vjp = vjp_permute,
  .cases = "2x3x4;[2,0,1] 2x3;[-1,0] 2x3;[0,1] 3;[0] s;[] 0x2;[1,0]"
};

static td_status view_transpose(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  int64_t i = c->attr[0].i, j = c->attr[1].i;
  out->shape[i] = x->shape[j];
  out->shape[j] = x->shape[i];
  out->stride[i] = x->stride[j];
  out->stride[j] = x->stride[i];
  return TD_OK;
}
static void vjp_transpose(td_back *b) {
  b->gin[0] = td_transpose(b->g[0], b->call->attr[0].i, b->call->attr[1].i);
}
const td_rule td_rule_transpose = {
  .view = view_transpose, .vjp = vjp_transpose,
  .cases = "2x3;#0;#1 2x3x4;#-1;#0 2x3x4;#1;#1 0x2;#0;#1"
};

static td_tensor *matrix_t(const td_call *c) {
  td_tensor *x = c->in[0];
  if (x->ndim > 2)
    return td_fail_null(TD_ESHAPE, "t: needs a matrix, not shape %s; use "
                        "transpose or permute", TEXT_OF(x));
  return x->ndim == 2 ? td_transpose(x, 0, 1) : td_view(x, shape_of(x));
}
const td_rule td_rule_t = { .compose = matrix_t, .cases = "2x3 3 s 0x2" };

/* ---- dims of size 1 ---- */

static td_status view_squeeze(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  bool mask[TD_MAXDIM];
  int64_t count;
  int n = 0;
  td_status st = td_dims_mask(c, mask, &count);
  if (st) return st;
  for (int d = 0; d < x->ndim; d++) {
    if (mask[d] && x->shape[d] == 1) continue;
    out->shape[n] = x->shape[d];
    out->stride[n++] = x->stride[d];
  }
  out->ndim = (uint8_t)n;
  return TD_OK;
}
const td_rule td_rule_squeeze = {
  .view = view_squeeze, .vjp = vjp_reshape,
  .cases = "1x3x1;* 1x3x1;[0] 1x3x1;[-1,0] 2x3;[1] 1;* s;* 1x0;*"
};

static td_status view_unsqueeze(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  int64_t at = c->attr[0].i;
  if (x->ndim == TD_MAXDIM)
    return td_fail(TD_ESHAPE, "unsqueeze: shape %s has %d dims already, the most "
                   "there can be", TEXT_OF(x), TD_MAXDIM);
  if (!wrap(&at, x->ndim + 1))
    return td_fail(TD_EARG, "unsqueeze: a tensor of shape %s has %d places for "
                   "a new dim", TEXT_OF(x), x->ndim + 1);
  for (int d = x->ndim; d > at; d--) {
    out->shape[d] = x->shape[d - 1];
    out->stride[d] = x->stride[d - 1];
  }
  out->shape[at] = 1;
  out->stride[at] = at < x->ndim ? x->shape[at] * x->stride[at] : 1;
  out->ndim = (uint8_t)(x->ndim + 1);
  return TD_OK;
}
const td_rule td_rule_unsqueeze = {
  .view = view_unsqueeze, .vjp = vjp_reshape,
  .cases = "2x3;#0 2x3;#1 2x3;#-1 s;#0 0x2;#1"
};

/* ---- expand ---- */

static td_status view_expand(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  int more = c->nlist - x->ndim;
  if (c->nlist < 0 || more < 0)
    return td_fail(TD_ESHAPE, "expand: shape %s has %d dims, so give at least "
                   "%d sizes", TEXT_OF(x), x->ndim, x->ndim);
  for (int d = 0; d < c->nlist; d++) {
    int64_t want = c->list[d], has = d < more ? 1 : x->shape[d - more];
    if (want == -1 && d >= more) want = has;
    if (want < 0 || (has != want && has != 1))
      return td_fail(TD_ESHAPE, "expand: shape %s does not expand to %s; only "
                     "dims of size 1 grow, -1 keeps a size", TEXT_OF(x),
                     TEXT(c->nlist, c->list));
    out->shape[d] = want;
    out->stride[d] = has == want && d >= more ? x->stride[d - more] : 0;
  }
  out->ndim = (uint8_t)c->nlist;
  if (!plausible(out->ndim, out->shape))
    return td_fail(TD_ESHAPE, "expand: shape %s has more elements than can be "
                   "counted", TEXT(out->ndim, out->shape));
  return TD_OK;
}
static void vjp_expand(td_back *b) {
  b->gin[0] = td_sum_to(b->g[0], b->in[0]);
}
const td_rule td_rule_expand = {
  .view = view_expand, .vjp = vjp_expand,
  .cases = "2x1;[2,3] 3;[2,-1] 1x3;[4,2,3] s;[2,2] 2x3;[2,3] s;[] 1x2;[0,2]"
};

/* ---- parts ---- */

/* Checks that positions start, start + step, ... (n of them) lie in [0, size). */
static td_status check_part(const td_call *c, int64_t start, int64_t n,
                            int64_t step, int64_t size) {
  const td_tensor *x = c->in[0];
  if (step < 1)
    return td_fail(TD_EARG, "%s: step must be at least 1; flip reverses the "
                   "order", OPNAME(c));
  if (n < 0)
    return td_fail(TD_EARG, "%s: a length is never negative", OPNAME(c));
  if (start < 0 || start > size || (n > 0 && n - 1 > (size - 1 - start) / step) ||
      (n > 0 && start == size))
    return td_fail(TD_EARG, "%s: %lld positions, %lld apart and the first after "
                   "%lld others, do not fit a dim of size %lld (shape %s)",
                   OPNAME(c), (long long)n, (long long)step, (long long)start,
                   (long long)size, TEXT_OF(x));
  return TD_OK;
}

static td_status view_slice(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i, start = c->attr[1].i, n = c->attr[2].i,
    step = c->attr[3].i;
  if (x->ndim == 0)
    return td_fail(TD_ESHAPE, "slice: a 0-dim tensor has no positions");
  td_status st = check_part(c, start, n, step, x->shape[dim]);
  if (st) return st;
  out->shape[dim] = n;
  if (n > 1) out->stride[dim] = step * x->stride[dim];
  if (n > 0)
    out->data += start * x->stride[dim] * (int64_t)td_dtype_size(x->dtype);
  return TD_OK;
}
static void vjp_slice(td_back *b) {
  const td_call *c = b->call;
  int64_t dim = c->attr[0].i;
  b->gin[0] = td_unslice(b->g[0], dim, b->in[0]->shape[dim], c->attr[1].i,
                         c->attr[3].i);
}
const td_rule td_rule_slice = {
  .view = view_slice, .vjp = vjp_slice,
  .cases = "5;#0;#1;#3 5;#0;#0;#3;#2 3x4;#1;#1;#2;#2 3x4;#0;#2;#1 "
           "2x3x2;#-2;#0;#3 3x2;#0;#3;#0 0x2;#1;#0;#2"
};

static td_status infer_unslice(const td_call *c, td_spec *out) {
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i, size = c->attr[1].i;
  if (x->ndim == 0)
    return td_fail(TD_ESHAPE, "unslice: a 0-dim tensor has no dim to grow");
  td_status st = check_part(c, c->attr[2].i, x->shape[dim], c->attr[3].i, size);
  if (st) return st;
  td_spec_of(x, out);
  out->shape[dim] = size;
  return TD_OK;
}
static void vjp_unslice(td_back *b) {
  const td_call *c = b->call;
  int64_t dim = c->attr[0].i;
  b->gin[0] = td_slice(b->g[0], dim, c->attr[2].i, b->in[0]->shape[dim],
                       c->attr[3].i);
}
const td_rule td_rule_unslice = {
  .infer = infer_unslice, .vjp = vjp_unslice, .flags = TD_BF16_OK,
  .cases = "3;#0;#5;#1 2x3;#1;#7;#1;#2 2x3;#0;#2;#0 2x3x2;#-2;#6;#0;#2 "
           "0x2;#0;#3;#1 2x0;#0;#4;#1;#2"
};

static td_tensor *narrow(const td_call *c) {
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i, start = c->attr[1].i;
  if (!dim_ok(c, &dim)) return NULL;
  if (start < 0 && x->ndim > 0) start += x->shape[dim];
  return td_slice(c->in[0], dim, start, c->attr[2].i, 1);
}
const td_rule td_rule_narrow = {
  .compose = narrow, .cases = "5;#0;#1;#3 3x4;#1;#-2;#2 3x4;#-2;#2;#1 3;#0;#1;#0"
};

static td_tensor *select_one(const td_call *c) {
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i, at = c->attr[1].i;
  if (!dim_ok(c, &dim)) return NULL;
  if (x->ndim == 0)
    return td_fail_null(TD_ESHAPE, "select: a 0-dim tensor has no positions");
  if (!wrap(&at, x->shape[dim])) {
    int64_t asked = c->attr[1].i;
    asked += asked >= 0 && asked < INT64_MAX;
    return td_fail_null(TD_EARG, "select: there is no position %lld in a dim of "
                        "size %lld (shape %s)", (long long)asked,
                        (long long)x->shape[dim], TEXT_OF(x));
  }
  return td_squeeze(td_slice(c->in[0], dim, at, 1, 1), TD_INTS(dim));
}
const td_rule td_rule_select = {
  .compose = select_one,
  .cases = "3x4;#0;#1 3x4;#1;#-1 2x3x2;#-2;#2 3;#0;#0 2x0;#0;#1"
};

/* The diagonal runs over two dims at once: one dim with the sum of strides. */
static td_status view_diagonal(const td_call *c, td_tensor *out) {
  const td_tensor *x = c->in[0];
  int64_t i = c->attr[0].i, j = c->attr[1].i;
  int n = 0;
  if (x->ndim < 2 || i == j)
    return td_fail(TD_ESHAPE, "diagonal: needs two different dims of a matrix "
                   "or more, not of shape %s", TEXT_OF(x));
  for (int d = 0; d < x->ndim; d++) {
    if (d == i || d == j) continue;
    out->shape[n] = x->shape[d];
    out->stride[n++] = x->stride[d];
  }
  out->shape[n] = x->shape[i] < x->shape[j] ? x->shape[i] : x->shape[j];
  out->stride[n] = x->stride[i] + x->stride[j];
  out->ndim = (uint8_t)(n + 1);
  return TD_OK;
}
/* In a flat matrix (m,n) the diagonal is every (n+1)th element. */
static void vjp_diagonal(td_back *b) {
  const td_tensor *x = b->in[0];
  int64_t i = b->call->attr[0].i, j = b->call->attr[1].i;
  int64_t m = x->shape[i], n = x->shape[j], shape[TD_MAXDIM], back[TD_MAXDIM];
  int last = x->ndim - 2, k = 0;
  for (int d = 0; d < x->ndim; d++) {
    if (d == i || d == j) continue;
    shape[k] = x->shape[d];
    back[d] = k++;
  }
  shape[last] = m;
  shape[last + 1] = n;
  back[i] = last;
  back[j] = last + 1;
  int64_t len = m < n ? m : n, span = (n + 1) * len;
  td_tensor *g = td_unslice(b->g[0], last, span > m * n ? span : m * n, 0, n + 1);
  g = td_view(td_slice(g, last, 0, m * n, 1), (td_ints){ x->ndim, shape });
  b->gin[0] = td_permute(g, (td_ints){ x->ndim, back });
}
const td_rule td_rule_diagonal = {
  .view = view_diagonal, .vjp = vjp_diagonal,
  .cases = "3x3;#0;#1 2x4;#0;#1 4x2;#0;#1 2x3x2;#0;#2 2x3x3;#-1;#1 0x2;#0;#1"
};

/* ---- joins ---- */

static td_status no_list(const char *what) {
  return td_fail(TD_EARG, "%s: needs a list of at least one tensor", what);
}

static td_status infer_concat(const td_call *c, td_spec *out) {
  if (c->nin == 0) return no_list("cat");
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i;
  if (x->ndim == 0)
    return td_fail(TD_ESHAPE, "cat: 0-dim tensors have no dim to join along; "
                   "use stack");
  td_spec_of(x, out);
  for (int i = 1; i < c->nin; i++) {
    const td_tensor *y = c->in[i];
    bool ok = y->ndim == x->ndim;
    for (int d = 0; ok && d < x->ndim; d++)
      ok = d == dim || y->shape[d] == x->shape[d];
    if (!ok)
      return td_fail(TD_ESHAPE, "cat: shapes %s and %s do not join; they may "
                     "differ only in the size of the joined dim", TEXT_OF(x),
                     TEXT_OF(y));
    if (y->dtype != x->dtype)
      return td_fail(TD_EDTYPE, "cat: %s and %s do not join",
                     td_dtype_name(x->dtype), td_dtype_name(y->dtype));
    if (__builtin_add_overflow(out->shape[dim], y->shape[dim], &out->shape[dim]))
      return td_fail(TD_ESHAPE, "cat: the joined dim is too long");
  }
  return TD_OK;
}
static void vjp_concat(td_back *b) {
  int64_t dim = b->call->attr[0].i, at = 0;
  for (int i = 0; i < b->call->nin; i++) {
    int64_t n = b->in[i]->shape[dim];
    if (b->want[i]) b->gin[i] = td_slice(b->g[0], dim, at, n, 1);
    at += n;
  }
}
const td_rule td_rule_concat = {
  .infer = infer_concat, .vjp = vjp_concat, .flags = TD_BF16_OK,
  .cases = "{2x3|2x1};#1 {2x3|1x3|2x3};#0 {3};#0 {2x2x2|2x1x2};#-2 {0x2|2x2};#0 "
           "{2x0|2x0};#1",
  .rows = td_rows_dim
};

static td_tensor *cat(const td_call *c) {
  int64_t dim = c->attr[0].i;
  if (c->nin == 0) return no_list("cat"), NULL;
  return td_concat((td_list){ c->nin, c->in }, dim);
}
const td_rule td_rule_cat = {
  .compose = cat,
  .cases = "{2x3|2x1};#1 {2x3|1x3|2x3};#0 {3} {2x2x2|2x1x2};#-2 {0|2}"
};

static td_tensor *stack(const td_call *c) {
  if (c->nin == 0) return no_list("stack"), NULL;
  const td_tensor *x = c->in[0];
  int64_t at = c->attr[0].i;
  if (!wrap(&at, x->ndim + 1))
    return td_fail_null(TD_EARG, "stack: tensors of shape %s have %d places for "
                        "a new dim", TEXT_OF(x), x->ndim + 1);
  for (int i = 1; i < c->nin; i++)
    if (c->in[i]->ndim != x->ndim ||
        memcmp(c->in[i]->shape, x->shape, (size_t)x->ndim * sizeof *x->shape))
      return td_fail_null(TD_ESHAPE, "stack: shapes %s and %s differ; cat joins "
                          "along a dim that is there", TEXT_OF(x),
                          TEXT_OF(c->in[i]));
  size_t bytes = (size_t)c->nin * sizeof(td_tensor *);
  td_tensor **part = td__small_alloc(bytes), *y = NULL;
  if (!part) return NULL;
  for (int i = 0; i < c->nin; i++) part[i] = td_unsqueeze(c->in[i], at);
  y = td_concat((td_list){ c->nin, part }, at);
  td__small_free(part, bytes);
  return y;
}
const td_rule td_rule_stack = {
  .compose = stack,
  .cases = "{2x3|2x3};#0 {2x3|2x3};#1 {2|2|2};#-1 {s|s};#0 {0|0};#0"
};

/* ---- repeats and reversals ---- */

/* Repeats one dim: (A,n,B) is seen as (A,count,n,B) and then copied. */
static td_tensor *tile_dim(td_tensor *x, int dim, int64_t count) {
  int64_t flat[3] = { 1, 0, 1 }, shape[TD_MAXDIM];
  if (!x) return NULL;
  for (int d = 0; d < x->ndim; d++) {
    shape[d] = x->shape[d];
    if (d < dim) flat[0] *= shape[d];
    if (d > dim) flat[2] *= shape[d];
  }
  flat[1] = shape[dim];
  if (__builtin_mul_overflow(count, shape[dim], &shape[dim]))
    return td_fail_null(TD_ESHAPE, "tile: the result is too large");
  td_tensor *y = td_unsqueeze(td_reshape(x, (td_ints){ 3, flat }), 1);
  y = td_expand(y, TD_INTS(flat[0], count, flat[1], flat[2]));
  return td_reshape(y, (td_ints){ x->ndim, shape });
}

static td_tensor *tile(const td_call *c) {
  td_tensor *x = c->in[0];
  int64_t shape[TD_MAXDIM];
  int n = c->nlist > x->ndim ? c->nlist : x->ndim;
  if (c->nlist < 0) return td_fail_null(TD_EARG, "tile: give the counts");
  for (int d = 0; d < n; d++)
    shape[d] = d < n - x->ndim ? 1 : x->shape[d - (n - x->ndim)];
  td_tensor *y = td_reshape(x, (td_ints){ n, shape });
  for (int i = 0; i < c->nlist; i++) {
    if (c->list[i] < 0)
      return td_fail_null(TD_EARG, "tile: a count is never negative");
    if (c->list[i] != 1) y = tile_dim(y, n - c->nlist + i, c->list[i]);
  }
  return y && td_shares_memory(y, x) ? td_clone(y) : y;
}
const td_rule td_rule_tile = {
  .compose = tile,
  .cases = "2x3;[2,2] 3;[2,3] 2x3;[2] 2x1;[1,1] s;[3] 2x3;[0,1] 0x2;[2,2] s;[]"
};

static td_status infer_flip(const td_call *c, td_spec *out) {
  bool mask[TD_MAXDIM];
  int64_t count;
  td_spec_of(c->in[0], out);
  return td_dims_mask(c, mask, &count);
}
static void vjp_flip(td_back *b) {
  b->gin[0] = td_flip(b->g[0], (td_ints){ b->call->nlist, b->call->list });
}
const td_rule td_rule_flip = {
  .infer = infer_flip, .vjp = vjp_flip, .flags = TD_BF16_OK,
  .cases = "3;* 2x3;[1] 2x3x2;[0,-1] 2x3;* s;* 0x2;*"
};

static td_tensor *roll(const td_call *c) {
  td_tensor *x = c->in[0];
  int64_t dim = c->attr[1].i;
  if (!dim_ok(c, &dim)) return NULL;
  int64_t n = x->ndim ? x->shape[dim] : 0;
  int64_t shift = n ? c->attr[0].i % n : 0;
  if (shift < 0) shift += n;
  if (shift == 0) return td_clone(x);
  return td_concat(TD_LIST(td_slice(x, dim, n - shift, shift, 1),
                           td_slice(x, dim, 0, n - shift, 1)), dim);
}
const td_rule td_rule_roll = {
  .compose = roll, .cases = "5;#2;#0 5;#-1;#0 2x3;#4;#-1 2x3;#3;#1 0x2;#1;#0"
};
