/* tensor.c -- making tensors, looking at them, and moving them to and from the
** host.  Everything here is about layout and bytes; numbers change in ops. */
#include "map.h"
#include "op.h"
#include "capture.h"
#include <math.h>
#include <string.h>

/* ---- layout ---- */

bool td__contiguous(const td_tensor *t) {
  int64_t want = 1;
  for (int d = t->ndim - 1; d >= 0; d--) {
    if (t->shape[d] != 1 && t->stride[d] != want) return false;
    want *= t->shape[d];
  }
  return true;
}

static void set_shape(td_tensor *t, int ndim, const int64_t *shape) {
  int64_t stride = 1;
  t->ndim = (uint8_t)ndim;
  for (int d = ndim - 1; d >= 0; d--) {
    t->shape[d] = shape[d];
    t->stride[d] = stride;
    stride *= shape[d] > 0 ? shape[d] : 1;
  }
}

/* Checks a shape and finds the bytes it takes. */
static td_status check_shape(td_dtype dt, int ndim, const int64_t *shape,
                             size_t *bytes) {
  char text[160];
  if (ndim < 0 || ndim > TD_MAXDIM)
    return td_fail(TD_ESHAPE, "a tensor has at most %d dims, not %d",
                   TD_MAXDIM, ndim);
  int64_t n = (int64_t)td_dtype_size(dt);
  bool empty = false;
  for (int d = 0; d < ndim; d++) {
    if (shape[d] < 0)
      return td_fail(TD_ESHAPE, "a size is negative in shape %s",
                     td_shape_text(ndim, shape, text, sizeof text));
    if (shape[d] == 0) empty = true;
    else if (__builtin_mul_overflow(n, shape[d], &n))
      return td_fail(TD_ENOMEM, "shape %s has more elements than there is "
                     "memory on any machine",
                     td_shape_text(ndim, shape, text, sizeof text));
  }
  *bytes = empty ? 0 : (size_t)n;
  return TD_OK;
}

td_tensor *td_empty(td_backend *b, td_dtype dt, int ndim, const int64_t *shape) {
  size_t bytes = 0;
  if (!b || check_shape(dt, ndim, shape, &bytes)) return NULL;
  td_tensor *t = td__new_struct();
  if (!t) return NULL;
  t->dtype = (uint8_t)dt;
  set_shape(t, ndim, shape);
  if (!(t->buf = td__buffer(b, bytes))) {
    td_drop(t);
    return NULL;
  }
  t->data = t->buf->mem;
  t->be = b;
  return td__scoped(t);
}

td_tensor *td_empty_like(const td_tensor *t) {
  return t ? td_empty(td_device_of(t), t->dtype, t->ndim, t->shape) : NULL;
}

td_tensor *td__alias(td_tensor *t) {
  if (!t) return NULL;
  td_tensor *a = td__new_struct();
  if (!a) return NULL;
  a->dtype = t->dtype;
  a->ndim = t->ndim;
  a->number = t->number;
  a->num = t->num;
  /* Only results of ops must still hold what they held: leaves are as they are. */
  a->version = t->node || t->is_past || !t->buf ? t->version : t->buf->version;
  memcpy(a->shape, t->shape, sizeof a->shape);
  memcpy(a->stride, t->stride, sizeof a->stride);
  if ((a->buf = t->buf)) a->buf->refs++;
  a->be = t->be;
  a->data = t->number ? a->num.b : t->data;
  return td__scoped(a);
}

td_tensor *td_detach(td_tensor *t) { return td__alias(t); }

static td_tensor *number(int kind, td_dtype dt) {
  td_tensor *t = td__new_struct();
  if (!t) return NULL;
  t->number = (uint8_t)kind;
  t->dtype = (uint8_t)dt;
  t->data = t->num.b;
  return td__scoped(t);
}

/* The storage of a number always holds it in its own type, so kernels read it
** like any 0-dim tensor. */
td_tensor *td_num(double v) {
  td_tensor *t = number(2, TD_F64);
  if (t) t->num.f = v;
  return t;
}
td_tensor *td_int(int64_t v) {
  td_tensor *t = number(1, TD_I64);
  if (t) t->num.i = v;
  return t;
}

td_tensor *td_full(td_backend *b, td_dtype dt, int n, const int64_t *shape,
                   double v) {
  td_tensor *t = td_empty(b, dt, n, shape);
  return t ? td_apply_(&td_ops[TD_OP_fill], t, 1, &v) : NULL;
}

td_tensor *td_arange(td_backend *b, td_dtype dt, double start, double step,
                     int64_t n) {
  td_tensor *t = td_empty(b, dt, 1, &n);
  double a[2] = { start, step };
  return t ? td_apply_(&td_ops[TD_OP_ramp], t, 2, a) : NULL;
}

static td_tensor *filled_like(const td_tensor *t, double v) {
  if (!t) return NULL;
  return td_full(td_device_of(t), t->dtype, t->ndim, t->shape, v);
}
td_tensor *td_zeros_like(const td_tensor *t) { return filled_like(t, 0); }
td_tensor *td_ones_like(const td_tensor *t) { return filled_like(t, 1); }

/* ---- looking ---- */

int td_ndim(const td_tensor *t) { return t->ndim; }
const int64_t *td_shape(const td_tensor *t) { return t->shape; }
const int64_t *td_stride(const td_tensor *t) { return t->stride; }
int64_t td_numel(const td_tensor *t) { return td__numel(t); }
td_dtype td_type(const td_tensor *t) { return t->dtype; }
td_backend *td_device_of(const td_tensor *t) {
  return t->be ? t->be : td_cpu();
}
bool td_is_contiguous(const td_tensor *t) { return td__contiguous(t); }
bool td_is_number(const td_tensor *t) { return t->number != 0; }
uint64_t td_id(const td_tensor *t) { return t->id; }
bool td_shares_memory(const td_tensor *a, const td_tensor *b) {
  return a->buf && a->buf == b->buf;
}
void td_spec_of(const td_tensor *t, td_spec *s) {
  s->dtype = t->dtype;
  s->ndim = t->ndim;
  memcpy(s->shape, t->shape, sizeof s->shape);
}
td_tensor *td_contiguous(td_tensor *t) {
  return !t || td__contiguous(t) ? t : td_clone(t);
}

/* ---- moving ---- */

/* A contiguous tensor on the host with t's values, outside the graph. */
static td_tensor *to_host(td_tensor *t) {
  if (!t) return NULL;
  if (!t->data)
    return td_fail_null(TD_EARG, "the data of this tensor was released");
  if (!t->number && td__capture_no_read("reading values")) return NULL;
  if (td__maps && td__map_check_all(&t, 1)) return NULL;
  bool old = td_grad_enable(false);
  td_tensor *c = td_contiguous(t), *h = c;
  td_backend *b = td_device_of(t);
  if (c && b != td_cpu()) {
    h = td_empty(td_cpu(), c->dtype, c->ndim, c->shape);
    size_t n = (size_t)td__numel(c) * td_dtype_size(c->dtype);
    if (h && b->copy_out(b, h->data, c->data, n)) h = NULL;
  }
  td_grad_enable(old);
  return h;
}

/* The result of moving is a leaf unless t is in the graph; then the way back
** is recorded by the op `copy`, whose rule sends the gradient home. */
td_tensor *td_to_device(td_tensor *t, td_backend *b) {
  if (!t || !b) return NULL;
  if (td_device_of(t) == b) return t;
  td_tensor *y = td_empty(b, t->dtype, t->ndim, t->shape);
  return y ? td_copy(y, t) : NULL;
}

td_status td_read_bytes(td_tensor *t, void *dst) {
  int mark = td_scope_open();
  td_tensor *h = to_host(t);
  if (h) memcpy(dst, h->data, (size_t)td__numel(h) * td_dtype_size(h->dtype));
  td_scope_close(mark);
  return h ? TD_OK : td_error_code();
}

/* Writing happens through copy_, so it bumps the version and any layout and
** device will do. */
static td_status overwrite(td_tensor *t, td_tensor *src) {
  td_call c = { .op = &td_ops[TD_OP_copy], .nin = 2,
                .in = (td_tensor *[]){ t, src } };
  td_tensor *out[TD_MAXOUT];
  return src ? td_apply(&c, out, true) : td_error_code();
}

td_status td_write_bytes(td_tensor *t, const void *src) {
  if (!t) return td_error_code();
  int mark = td_scope_open();
  td_tensor *h = td_empty(td_cpu(), t->dtype, t->ndim, t->shape);
  if (h) memcpy(h->data, src, (size_t)td__numel(h) * td_dtype_size(h->dtype));
  td_status st = overwrite(t, h);
  td_scope_close(mark);
  return st;
}

td_status td_write_f64(td_tensor *t, const double *src) {
  if (!t) return td_error_code();
  int mark = td_scope_open();
  td_tensor *h = td_empty(td_cpu(), TD_F64, t->ndim, t->shape);
  if (h) memcpy(h->data, src, (size_t)td__numel(h) * sizeof *src);
  td_status st = overwrite(t, h);
  td_scope_close(mark);
  return st;
}

static td_status read_as(td_tensor *t, td_dtype dt, void *dst) {
  int mark = td_scope_open();
  bool old = td_grad_enable(false);
  td_tensor *c = t && t->dtype != dt ? td_cast(t, dt) : t;
  td_grad_enable(old);
  td_status st = c ? td_read_bytes(c, dst) : td_error_code();
  td_scope_close(mark);
  return st;
}
td_status td_read_f64(td_tensor *t, double *dst) { return read_as(t, TD_F64, dst); }
td_status td_read_i64(td_tensor *t, int64_t *dst) { return read_as(t, TD_I64, dst); }

void *td_data_cpu(td_tensor *t) {
  if (!t) return NULL;
  if (t->buf && t->buf->be != td_cpu())
    return td_fail_null(TD_EDEVICE, "the tensor is on %s; move it with "
                        "x:to(\"cpu\")", t->buf->be->name);
  return t->data;
}

/* ---- single elements ---- */

static double bf16_value(uint16_t h) {
  union { uint32_t u; float f; } v = { .u = (uint32_t)h << 16 };
  return v.f;
}

static void load(td_dtype dt, const void *p, double *f, int64_t *i) {
  switch (dt) {
    case TD_BOOL: case TD_U8: *f = (double)(*i = *(const uint8_t *)p); break;
    case TD_I32: *f = (double)(*i = *(const int32_t *)p); break;
    case TD_I64: *f = (double)(*i = *(const int64_t *)p); break;
    case TD_BF16: *i = (int64_t)(*f = bf16_value(*(const uint16_t *)p)); break;
    case TD_F32: *i = (int64_t)(*f = *(const float *)p); break;
    default: *i = (int64_t)(*f = *(const double *)p);
  }
}

static td_status element(td_tensor *t, const int64_t *index, char **p) {
  char shape[128];
  if (!t) return td_error_code();
  if (!t->data) return td_fail(TD_EARG, "the data of this tensor was released");
  td_status st = td__maps ? td__map_check_all(&t, 1) : TD_OK;
  if (st) return st;
  *p = t->data;
  for (int d = 0; d < t->ndim; d++) {
    if (index[d] < 0 || index[d] >= t->shape[d])
      return td_fail(TD_EARG, "position %lld is outside dim %d of shape %s",
                     (long long)index[d], d,
                     td_shape_text(t->ndim, t->shape, shape, sizeof shape));
    *p += index[d] * t->stride[d] * (int64_t)td_dtype_size(t->dtype);
  }
  return TD_OK;
}

td_status td_get(td_tensor *t, const int64_t *index, double *f, int64_t *i) {
  char *p, host[8];
  td_status st = element(t, index, &p);
  if (!st && !t->number) st = td__capture_no_read("reading a value");
  if (st) return st;
  td_backend *b = td_device_of(t);
  if (b != td_cpu()) {
    if ((st = b->copy_out(b, host, p, td_dtype_size(t->dtype)))) return st;
    p = host;
  }
  double fv;
  int64_t iv;
  load(t->dtype, p, &fv, &iv);
  if (f) *f = fv;
  if (i) *i = iv;
  return TD_OK;
}

/* Builds a 0-dim view of the element and fills it: versions and devices are
** then taken care of where they always are. */
td_status td_set(td_tensor *t, const int64_t *index, double v) {
  char *p;
  td_status st = element(t, index, &p);
  if (st) return st;
  int mark = td_scope_open();
  td_tensor *e = td__alias(t);
  if (e) {
    e->ndim = 0;
    e->data = p;
    if (td_needs_grad(t) && td_grad_enabled())
      st = td_fail(TD_EGRAD, "set: the tensor is part of a gradient graph; "
                   "detach it or work under no_grad");
    else if (!td_apply_(&td_ops[TD_OP_fill], e, 1, &v)) st = td_error_code();
    else t->version = t->buf->version;
  }
  td_scope_close(mark);
  return e ? st : td_error_code();
}

td_status td_item(td_tensor *t, double *f, int64_t *i) {
  char shape[128];
  int64_t zeros[TD_MAXDIM] = { 0 };
  if (!t) return td_error_code();
  if (td__numel(t) != 1)
    return td_fail(TD_ESHAPE, "item: needs a tensor with one element, not %s",
                   td_shape_text(t->ndim, t->shape, shape, sizeof shape));
  return td_get(t, zeros, f, i);
}
