/* op.c -- the registry, and td_apply: the one way anything gets computed. */
#include "map.h"
#include "op.h"
#include "pool.h"
#include "trace.h"
#include "capture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the ops of ops.def ---- */

#define OP(cls, name, args, doc) extern const td_rule td_rule_##name;
#include "tensor/ops.def"
td_op td_ops[TD_OP_COUNT] = {
#define OP(cls, name, args, doc) { #name, #cls, args, doc, &td_rule_##name, \
                                   0, 0, 0, 0, {{0}}, {0}, {0}, 0 },
#include "tensor/ops.def"
};

static td_op *first_op, **last_op = &first_op;
static void parse_kind(td_arg *a, const char *k, size_t n) {
  char text[16] = { 0 };
  a->kind = k[0];
  a->optional = n > 1 || k[0] == 'B' || k[0] == 'A' || k[0] == 'O';
  for (size_t i = 1; i < n && i < sizeof text; i++)
    text[i - 1] = k[i] == 'n' && i == 1 ? '-' : k[i] == 'p' ? '.' : k[i];
  a->dflt = strtod(text, NULL);
}

/* "T x,A dim,B keepdim" becomes op->arg[] */
static void parse_args(td_op *op) {
  for (const char *p = op->args; *p && op->narg < TD_MAXARG; ) {
    td_arg *a = &op->arg[op->narg++];
    size_t n = strcspn(p, " "), m = strcspn(p + n + 1, ",");
    parse_kind(a, p, n);
    memcpy(a->name, p + n + 1, m < sizeof a->name ? m : sizeof a->name - 1);
    if (strchr("TOCXM", a->kind)) op->ntensor++;
    if (a->kind == 'M') op->has_list = true;
    p += n + 1 + m;
    if (*p) p++;
  }
}

void td_ops_register(td_op *ops, int n) {
  for (int i = 0; i < n; i++) {
    ops[i].nout = ops[i].cls[1] - '0';
    parse_args(&ops[i]);
    *last_op = &ops[i];
    last_op = &ops[i].next;
  }
}
td_op *td_ops_first(void) { return first_op; }

td_op *td_op_find(const char *name) {
  for (td_op *op = first_op; op; op = op->next)
    if (!strcmp(op->name, name)) return op;
  return NULL;
}

/* ---- checks shared by rules ---- */

td_status td_dim(const char *op, int64_t *d, int ndim) {
  int64_t n = ndim ? ndim : 1;
  if (*d < -n || *d >= n)
    return td_fail(TD_EARG, "%s: there is no dim %lld in a tensor of %d dims",
                   op, (long long)(*d < 0 || *d == INT64_MAX ? *d : *d + 1), ndim);
  if (*d < 0) *d += n;
  return TD_OK;
}

td_status td_infer_same(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  return TD_OK;
}

/* A number has no type to give. */
static td_dtype type_of_result(const td_call *c) {
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] && !c->in[i]->number) return c->in[i]->dtype;
  return c->in[0]->dtype;
}

td_status td_infer_broadcast(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  out->dtype = type_of_result(c);
  for (int i = 1; i < c->nin; i++) {
    const td_tensor *b = c->in[i];
    int n = out->ndim > b->ndim ? out->ndim : b->ndim;
    int64_t shape[TD_MAXDIM];
    for (int k = 1; k <= n; k++) {
      int64_t p = k <= out->ndim ? out->shape[out->ndim - k] : 1;
      int64_t q = k <= b->ndim ? b->shape[b->ndim - k] : 1;
      if (p != q && p != 1 && q != 1) {
        char s[128], t[128];
        return td_fail(TD_ESHAPE, "%s: shapes %s and %s do not broadcast: sizes "
          "%lld and %lld differ and neither is 1", c->op->name,
          td_shape_text(out->ndim, out->shape, s, sizeof s),
          td_shape_text(b->ndim, b->shape, t, sizeof t),
          (long long)p, (long long)q);
      }
      shape[n - k] = p == 1 ? q : p;
    }
    out->ndim = n;
    memcpy(out->shape, shape, sizeof *shape * (size_t)n);
  }
  return TD_OK;
}

td_status td_dims_mask(const td_call *c, bool *mask, int64_t *count) {
  const td_tensor *x = c->in[0];
  int64_t n = 1;
  memset(mask, c->nlist < 0, TD_MAXDIM);
  for (int i = 0; i < c->nlist; i++) {
    int64_t d = c->list[i];
    td_status st = td_dim(c->op->name, &d, x->ndim);
    if (st) return st;
    if (mask[d])
      return td_fail(TD_EARG, "%s: dim %lld is named twice", c->op->name,
                     (long long)d + 1);
    mask[d] = true;
  }
  for (int d = 0; d < x->ndim; d++) if (mask[d]) n *= x->shape[d];
  if (count) *count = n;
  return TD_OK;
}

/* ---- getting arguments ready ---- */

static bool same_layout(const td_tensor *a, const td_tensor *b) {
  return a->data == b->data && a->ndim == b->ndim && a->dtype == b->dtype &&
    !memcmp(a->shape, b->shape, sizeof *a->shape * a->ndim) &&
    !memcmp(a->stride, b->stride, sizeof *a->stride * a->ndim);
}

/* A number in the type dt: itself when it can be changed, else another. */
static td_tensor *number_as(td_tensor *t, td_dtype dt) {
  if (t->dtype == dt) return t;
  bool is_float = td_dtype_is_float(t->dtype);
  double f = t->dtype == TD_F32 ? *(float *)t->data : is_float ? t->num.f : 0;
  int64_t i = is_float ? 0 : t->dtype == TD_I32 ? *(int32_t *)t->data :
    t->dtype == TD_I64 ? t->num.i : *(uint8_t *)t->data;
  td_tensor *y = is_float ? td_num(f) : td_int(i);
  if (!y) return NULL;
  y->number = t->number;
  y->dtype = (uint8_t)dt;
  if (!is_float) f = (double)i; else i = (int64_t)f;
  switch (dt) {
    case TD_BOOL: *(uint8_t *)y->data = f != 0; break;
    case TD_U8: *(uint8_t *)y->data = (uint8_t)i; break;
    case TD_I32: *(int32_t *)y->data = (int32_t)i; break;
    case TD_I64: y->num.i = i; break;
    case TD_F64: y->num.f = f; break;
    default:                       /* bf16 numbers are kept as f32 */
      y->dtype = TD_F32;
      *(float *)y->data = (float)f;
  }
  return y;
}

/* The common type of the tensors; numbers only decide the kind. */
static td_dtype common_type(const td_call *c, const char *kinds, unsigned flags) {
  int best = -1, number = 0;
  for (int i = 0; i < c->nin; i++) {
    const td_tensor *t = c->in[i];
    if (!t || kinds[i] == 'C' || kinds[i] == 'X') continue;
    if (t->number) number = t->number > number ? t->number : number;
    else if (t->dtype > best) best = t->dtype;
  }
  if (best < 0) best = number == 2 ? TD_F32 : TD_I64;
  else if (number == 2 && best < TD_BF16) best = TD_F32;
  else if (number == 1 && best == TD_BOOL) best = TD_I64;
  if ((flags & TD_FLOATS) && best < TD_BF16) best = TD_F32;
  return (td_dtype)best;
}

static td_tensor *convert(const td_call *c, td_tensor *t, char kind,
                          td_dtype common) {
  const td_op *op = c->op;
  td_dtype want = kind == 'C' ? TD_BOOL : kind == 'X' ? TD_I64 : common;
  if (kind == 'X' && (td_dtype_is_float(t->dtype) || t->dtype == TD_BOOL))
    return td_fail_null(TD_EDTYPE, "%s: positions must be integers, not %s; "
                        "convert with x:to(\"i64\")", op->name,
                        td_dtype_name(t->dtype));
  if (t->number) t = number_as(t, want);
  if (t && t->number && !(op->rule->flags & TD_ELEMENTWISE)) {
    double v = want == TD_F32 || want == TD_BF16 ? *(float *)t->data :
      want == TD_F64 ? t->num.f : (double)t->num.i;
    return td_full(c->be, want, 0, NULL, v);
  }
  return t && t->dtype != want && !t->number ? td_cast(t, want) : t;
}

/* Which kind of argument each input is: lists are flattened. */
static void input_kinds(const td_call *c, char *kinds) {
  const td_op *op = c->op;
  int lists = 0, at = 0;
  for (int a = 0; a < op->narg; a++) lists += op->arg[a].kind == 'M';
  int each = lists ? (c->nin - (op->ntensor - lists)) / lists : 0;
  for (int a = 0; a < op->narg; a++) {
    char k = op->arg[a].kind;
    if (!strchr("TOCXM", k)) continue;
    for (int i = k == 'M' ? each : 1; i > 0 && at < c->nin; i--)
      kinds[at++] = k == 'M' ? 'T' : k;
  }
}

static td_status find_device(td_call *c) {
  c->be = NULL;
  for (int i = 0; i < c->nin; i++) {
    td_tensor *t = c->in[i];
    if (!t || t->number) continue;
    td_backend *b = td_device_of(t);
    if (!c->be) c->be = b;
    else if (c->be != b && !(c->op->rule->flags & TD_ANYDEVICE)) {
      return td_fail(TD_EDEVICE, "%s: one tensor is on %s, another on %s; move "
        "one of them with x:to(\"%s\")", c->op->name, c->be->name, b->name,
        c->be->name);
    }
  }
  if (!c->be) c->be = td_cpu();
  return TD_OK;
}

static td_status normalise_dims(td_call *c) {
  const td_op *op = c->op;
  int at = 0;
  for (int a = 0; a < op->narg; a++) {
    char k = op->arg[a].kind;
    if (k == 'D') {
      td_status st = td_dim(op->name, &c->attr[at].i,
                            c->nin ? c->in[0]->ndim : 0);
      if (st) return st;
    }
    if (strchr("FIBDPY", k)) at++;
  }
  return TD_OK;
}

static _Thread_local td_dtype products = TD_F32;
bool td__tf32;
td_dtype td_autocast(td_dtype d) {
  td_dtype old = products;
  products = d;
  return old;
}
bool td_tf32(bool on) {
  bool old = td__tf32;
  td__tf32 = on;
  return old;
}

static td_status prepare(td_call *c) {
  unsigned flags = c->op->rule->flags;
  char few[32], *kinds = few;
  td_status st = find_device(c);
  if (st || (st = normalise_dims(c))) return st;
  if (c->nin > 32 && !(kinds = malloc((size_t)c->nin)))
    return td_fail(TD_ENOMEM, "out of memory for a list of %d", c->nin);
  input_kinds(c, kinds);
  td_dtype common = common_type(c, kinds, flags);
  if ((flags & TD_PRODUCT) && common == TD_F32) common = products;
  if ((flags & TD_FLOATONLY) && common < TD_BF16)
    st = td_fail(TD_EDTYPE, "%s: needs f32 or f64, not %s; convert with "
                 "x:to(\"f32\")", c->op->name, td_dtype_name(common));
  for (int i = 0; !st && i < c->nin; i++) {
    td_tensor *t = c->in[i];
    if (!t) continue;
    bool own = (flags & TD_MIXED) && kinds[i] != 'C' && kinds[i] != 'X' &&
      !t->number;
    if (!own && (t->dtype != (kinds[i] == 'C' ? TD_BOOL : kinds[i] == 'X' ?
                 TD_I64 : common) || t->number))
      if (!(c->in[i] = convert(c, t, kinds[i], common)))
        st = td_error_code();
  }
  if (kinds != few) free(kinds);
  return st;
}

/* ---- running a kernel ---- */

td_kernel td__kernel(td_op *op, td_backend *b) { return op->kernel[b->slot]; }

static td_status run_kernel(const td_call *c, td_tensor **out) {
  td_kernel k = td__kernel(c->op, c->be);
  if (!k)
    return td_fail(TD_ENOSUP, "%s: not available on %s; move the tensors with "
                   "x:to(\"cpu\")", c->op->name, c->be->name);
  if (!td__recording) return k(c, out);
  td_capture *r = td__recording;       /* what a kernel calls is its own affair */
  td__recording = NULL;
  td_status st = k(c, out);
  td__recording = r;
  if (!st) td__capture_note(c, k, out);
  return st;
}

/* Zeros of a file that was cut short must not become results. */
static td_status run(const td_call *c, td_tensor **out) {
  td_status st = td__maps ? td__map_check_all(c->in, c->nin) : TD_OK;
  if (!st) st = run_kernel(c, out);
  return st || !td__maps ? st : td__map_check_all(c->in, c->nin);
}

/* Where bf16 is a storage type only: compute in f32, round the results. */
static td_status run_bf16(const td_call *c, td_tensor **out) {
  td_tensor *in[16], *wide[TD_MAXOUT];
  td_call q = *c;
  if (c->nin > 16)
    return td_fail(TD_EDTYPE, "%s: lists of bf16 tensors are not supported; "
                   "convert with x:to(\"f32\")", c->op->name);
  q.in = in;
  for (int i = 0; i < c->nin; i++) {
    in[i] = c->in[i];
    if (in[i] && in[i]->dtype == TD_BF16 && !(in[i] = td_cast(in[i], TD_F32)))
      return td_error_code();
  }
  for (int k = 0; k < c->op->nout; k++) {
    wide[k] = out[k];
    if (out[k]->dtype == TD_BF16 && !(wide[k] = td_empty(c->be, TD_F32,
        out[k]->ndim, out[k]->shape))) return td_error_code();
  }
  td_status st = run(&q, wide);
  for (int k = 0; !st && k < c->op->nout; k++)
    if (wide[k] != out[k]) {
      td_call w = { .op = &td_ops[TD_OP_copy], .be = c->be, .nin = 2,
                    .in = (td_tensor *[]){ out[k], wide[k] } };
      st = run(&w, &out[k]);
    }
  return st;
}

static bool uses_bf16(const td_call *c, td_tensor **out) {
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] && c->in[i]->dtype == TD_BF16) return true;
  for (int k = 0; k < c->op->nout; k++)
    if (out[k]->dtype == TD_BF16) return true;
  return false;
}

/* t as kernels want it by the flags of their rule */
static td_tensor *laid_out(td_tensor *t, unsigned flags) {
  int last = t->ndim - 1;
  if (flags & TD_LINES && (last < 0 || t->stride[last] == 1 || t->shape[last] == 1)) return t;
  return td_contiguous(t);
}

/* Kernels that want contiguous inputs get copies; the graph keeps the
** originals.  Gradients of the copies are nobody's business. */
static td_status execute(const td_call *c, td_tensor **out) {
  td_call q = *c;
  td_tensor *few[16], **in = few;
  td_status st = TD_OK;
  bool grad = td_grad_enable(false);
  unsigned flags = c->op->rule->flags;
  if (flags & (TD_CONTIG | TD_LINES)) {
    if (c->nin > 16 && !(in = malloc(sizeof *in * (size_t)c->nin)))
      st = td_fail(TD_ENOMEM, "out of memory for a list of %d", c->nin);
    for (int i = 0; !st && i < c->nin; i++)
      if ((in[i] = c->in[i]) && !(in[i] = laid_out(in[i], flags)))
        st = td_error_code();
    q.in = in;
  }
  if (!st)
    st = !(flags & TD_BF16_OK) && !c->op->bf16[c->be->slot] &&
      uses_bf16(c, out) ? run_bf16(&q, out) : run(&q, out);
  if (in != few) free(in);
  td_grad_enable(grad);
  return st;
}

/* What the host has filled inside a captured step is the same at each replay. */
static td_status read_source(td_tensor *t, void *host) {
  bool aside = td__recording && t->buf && td__capture_constant(t->buf);
  if (aside) td_capture_aside(true);
  td_status st = td_read_bytes(t, host);
  if (aside) td_capture_aside(false);
  return st;
}

/* A source on another device is carried over the host first. */
static td_status fetch_inputs(td_call *c) {
  for (int i = 1; i < c->nin; i++) {
    td_tensor *t = c->in[i];
    if (!t || t->number || td_device_of(t) == c->be) continue;
    td_tensor *y = td_empty(c->be, t->dtype, t->ndim, t->shape);
    size_t n = (size_t)td__numel(t) * td_dtype_size(t->dtype);
    void *host = y ? malloc(n + 1) : NULL;
    td_status st = !y ? td_error_code() : !host ?
      td_fail(TD_ENOMEM, "out of memory for %zu bytes of staging", n) :
      read_source(t, host);
    if (!st) st = c->be->copy_in(c->be, y->data, host, n);
    free(host);
    if (st) return st;
    c->in[i] = y;
  }
  return TD_OK;
}

/* ---- the classes of ops ---- */

static td_status check_values(const td_call *c) {
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] && !c->in[i]->data && !c->in[i]->number)
      return td_fail(TD_EARG, "%s: the data of an argument was released "
                     "(a gradient rule read a value it did not save)",
                     c->op->name);
  return TD_OK;
}

static td_status apply_view(td_call *c, td_tensor **out) {
  if (c->in[0]->number) {
    td_tensor *t = convert(c, c->in[0], 'T', c->in[0]->dtype);
    if (!t) return td_error_code();
    c->in[0] = t;
  }
  if (!(out[0] = td__alias(c->in[0]))) return td_error_code();
  out[0]->is_view = true;
  td_status st = c->op->rule->view(c, out[0]);
  return st ? st : td__record(c, out);
}

/* A counter of the stream serves four 4-byte elements or two of 8 bytes. */
int64_t td__draws(const td_tensor *t) {
  int64_t each = td_dtype_size(t->dtype) == 8 ? 2 : 4;
  return (td__numel(t) + each - 1) / each;
}
int64_t td__draws_of(const td_op *op, td_tensor *const *out) {
  return op->rule->draws ? op->rule->draws(out) : td__draws(out[0]);
}

/* Fills tensors that nobody else has seen: an interrupt leaves them unfinished,
** and they are given up. */
static td_status execute_fresh(const td_call *c, td_tensor **out) {
  bool was = td_parallel_stoppable(true);
  td_status st = execute(c, out);
  td_parallel_stoppable(was);
  return !st && td_interrupt_flag
    ? td_fail(TD_EINTR, "%s: interrupted", c->op->name) : st;
}

static td_status apply_fresh(td_call *c, td_tensor **out) {
  td_spec spec[TD_MAXOUT];
  td_tensor **in = c->in, *near[4];
  td_status st = c->op->rule->infer(c, spec);
  for (int k = 0; !st && k < c->op->nout; k++)
    if (!(out[k] = td_empty(c->be, spec[k].dtype, spec[k].ndim, spec[k].shape)))
      st = td_error_code();
  if (st) return st;
  if (c->op->rule->flags & TD_RANDOM) c->rng = td__rng_take(td__draws_of(c->op, out));
  if (c->op->rule->flags & TD_ANYDEVICE) {
    memcpy(near, in, sizeof *in * (size_t)c->nin);
    c->in = near;
    st = fetch_inputs(c);
  }
  if (!st) st = execute_fresh(c, out);
  c->in = in;
  return st ? st : td__record(c, out);
}

bool td__writes(const td_call *c, int i) {
  const td_op *op = c->op;
  int lists = 0, at = 0, tensor = 0;
  if (!op->rule->writes) return false;
  for (int a = 0; a < op->narg; a++) lists += op->arg[a].kind == 'M';
  int each = lists ? (c->nin - (op->ntensor - lists)) / lists : 0;
  for (int a = 0; a < op->narg; a++) {
    char k = op->arg[a].kind;
    if (!strchr("TOCXM", k)) continue;
    at += k == 'M' ? each : 1;
    if (i < at) return op->rule->writes >> tensor & 1;
    tensor++;
  }
  return false;
}

static td_status mark_written(const td_call *c) {
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] && td__writes(c, i)) {
      td_status st = td__mark_changed(c->in[i], c->op->name);
      if (st) return st;
    }
  return TD_OK;
}

static td_status apply_update(td_call *c) {
  td_status st = c->op->rule->infer ? c->op->rule->infer(c, NULL) : TD_OK;
  if (!st) st = execute(c, NULL);
  return st ? st : mark_written(c);
}

/* ---- in place ---- */

static td_status inplace_allowed(const td_call *c, const td_tensor *x) {
  const char *name = c->op->name;
  bool grad = false;
  if (!(c->op->rule->flags & TD_INPLACE))
    return td_fail(TD_ENOSUP, "%s_: there is no in-place form", name);
  if (x->number) return td_fail(TD_EARG, "%s_: a number cannot change", name);
  for (int d = 0; d < x->ndim; d++)
    if (x->stride[d] == 0 && x->shape[d] > 1)
      return td_fail(TD_EARG, "%s_: several elements of an expanded tensor "
                     "share memory; clone() it first", name);
  if (!td_grad_enabled()) return TD_OK;
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] && td_needs_grad(c->in[i])) grad = true;
  if (!grad) return TD_OK;
  if (x->requires_grad && !x->node)
    return td_fail(TD_EGRAD, "%s_: a leaf that requires a gradient cannot be "
                   "changed in place; work under tide.no_grad", name);
  if (x->is_view)
    return td_fail(TD_EGRAD, "%s_: changing a view in place inside a gradient "
                   "graph is not supported; build the result with cat, stack "
                   "or where", name);
  return TD_OK;
}

/* Hands x the new node and takes the old one into a shadow that stands for x
** as it was; the shadow replaces x among the inputs. */
static td_tensor *shadow_of(td_call *c, td_tensor *x) {
  td_tensor *s = td__alias(x);
  if (!s) return NULL;
  s->node = x->node;
  s->out = x->out;
  s->requires_grad = x->requires_grad;
  s->is_past = true;
  x->node = NULL;
  for (int i = 0; i < c->nin; i++) if (c->in[i] == x) c->in[i] = s;
  return s;
}

/* Other inputs that overlap x without being laid out as x are copied. */
static td_status separate(td_call *c, td_tensor *x) {
  for (int i = 0; i < c->nin; i++) {
    td_tensor *t = c->in[i];
    if (t && t != x && t->buf && t->buf == x->buf && !same_layout(t, x))
      if (!(c->in[i] = td_clone(t))) return td_error_code();
  }
  return TD_OK;
}

static td_status write_into(td_tensor *x, td_tensor *src, td_backend *be) {
  td_call q = { .op = &td_ops[TD_OP_copy], .be = be, .nin = 2,
                .in = (td_tensor *[]){ x, src } };
  return execute(&q, &x);
}

static td_status fits(const td_call *c, const td_tensor *x, const td_spec *s) {
  char a[160], b[160];
  if (s->ndim != x->ndim || memcmp(s->shape, x->shape,
                                   sizeof *x->shape * x->ndim))
    return td_fail(TD_ESHAPE, "%s_: the result of shape %s does not fit into "
      "the tensor of shape %s", c->op->name,
      td_shape_text(s->ndim, s->shape, a, sizeof a),
      td_shape_text(x->ndim, x->shape, b, sizeof b));
  if (td_dtype_is_float(s->dtype) && !td_dtype_is_float(x->dtype))
    return td_fail(TD_EDTYPE, "%s_: the result is %s and cannot be stored in a "
      "tensor of %s", c->op->name, td_dtype_name(s->dtype),
      td_dtype_name(x->dtype));
  return TD_OK;
}

static td_status apply_inplace(td_call *c, td_tensor *x, td_tensor **out) {
  td_spec spec[TD_MAXOUT];
  unsigned flags = c->op->rule->flags;
  td_tensor *fresh;
  td_status st = c->op->rule->infer(c, spec);
  if (st || (st = fits(c, x, spec)) || (st = separate(c, x))) return st;
  if ((flags & TD_ANYDEVICE) && (st = fetch_inputs(c))) return st;
  if (flags & TD_RANDOM) c->rng = td__rng_take(td__draws_of(c->op, &x));
  bool direct = (flags & TD_ELEMENTWISE) && spec[0].dtype == x->dtype;
  if (direct) {
    st = execute(c, &x);
  } else {
    fresh = td_empty(c->be, spec[0].dtype, spec[0].ndim, spec[0].shape);
    st = !fresh ? td_error_code() : execute_fresh(c, &fresh);
    if (!st) st = write_into(x, fresh, c->be);
  }
  if (st) return st;
  uint32_t before = x->buf->version;
  if ((st = td__mark_changed(x, c->op->name))) return st;
  out[0] = x;
  if (!td_grad_enabled()) return TD_OK;
  td_tensor *s = shadow_of(c, x);
  if (!s) return td_error_code();
  s->version = before;
  return td__record(c, out);
}

/* ---- the door ---- */

static td_status apply(td_call *c, td_tensor **out, bool inplace) {
  const td_op *op = c->op;
  td_tensor *x = c->nin ? c->in[0] : NULL;
  td_status st;
  if (td_interrupt_flag) return td_fail(TD_EINTR, "interrupted");
  for (int i = 0, a = 0; i < c->nin; i++) {
    if (c->in[i]) continue;
    for (a = 0; a < op->narg && op->arg[a].kind != 'O'; a++) { }
    if (a == op->narg)
      return td_error_code() ? td_error_code() :
        td_fail(TD_EARG, "%s: a tensor is missing", op->name);
  }
  if (inplace && (st = inplace_allowed(c, x))) return st;
  if (op->cls[0] == 'C') {
    out[0] = op->rule->compose(c);
    return out[0] ? TD_OK : td_error_code();
  }
  if ((st = prepare(c))) return st;
  if (op->cls[0] == 'V') return apply_view(c, out);
  if ((st = check_values(c))) return st;
  if (op->cls[0] == 'U') return apply_update(c);
  return inplace ? apply_inplace(c, x, out) : apply_fresh(c, out);
}

td_status td_apply(td_call *c, td_tensor **out, bool inplace) {
  if (td__tracing) return td__trace_apply(c, out, inplace, apply);
  return apply(c, out, inplace);
}

td_tensor *td_apply1(td_call *c) {
  td_tensor *out[TD_MAXOUT] = { NULL };
  return td_apply(c, out, false) ? NULL : out[0];
}

td_tensor *td_apply_(td_op *op, td_tensor *x, int nattr, const double *attr) {
  td_tensor *in[1] = { x }, *out[TD_MAXOUT];
  td_call c = { .op = op, .nin = 1, .in = in, .nattr = nattr, .nlist = -1 };
  for (int i = 0, a = 0; i < nattr && a < op->narg; a++) {
    if (!strchr("FIBDPY", op->arg[a].kind)) continue;
    if (op->arg[a].kind == 'F') c.attr[i].f = attr[i];
    else c.attr[i].i = (int64_t)attr[i];
    i++;
  }
  return td_apply(&c, out, true) ? NULL : out[0];
}
