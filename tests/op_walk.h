/* op_walk.h -- walks the cases of all ops: inputs in any layout and type, results
** as numbers, gradients.  Include after tests/test.h.
**
** TIDE_OP=name limits the walk to one op. */
#ifndef TD_OP_WALK_H
#define TD_OP_WALK_H
#include "tests/op_case.h"
#include "nn/nn.h"

/* ---- walking the registry ---- */

static op_case now;                  /* the case under test */
#define BAD(fmt, ...) \
  FAIL("%s %.*s: " fmt, now.op->name, now.len, now.text, ##__VA_ARGS__)

static inline bool selected(const td_op *op) {
  const char *only = getenv("TIDE_OP");
  return !only || !strcmp(only, op->name);
}

static inline void each_case(void (*test)(const op_case *)) {
  td_nn_init();
  for (td_op *op = td_ops_first(); op; op = op->next) {
    const char *s = op->rule->cases;
    while (s && selected(op) && case_next(op, &s, &now)) {
      int mark = td_scope_open();
      if (!now.bad) test(&now);
      td_scope_close(mark);
    }
  }
}

/* ---- layouts ---- */

enum layout { PLAIN, COPIED, TRANSPOSED, GAPS, SPREAD, SPREAD_COPY };

static inline td_tensor *reversed(td_tensor *x) {
  int64_t order[TD_MAXDIM];
  int n = td_ndim(x);
  for (int d = 0; d < n; d++) order[d] = n - 1 - d;
  return td_permute(x, (td_ints){ n, order });
}

/* Every second element of memory that holds NaN (or 77) in between. */
static inline td_tensor *with_gaps(td_tensor *x, td_tensor **whole) {
  int last = td_ndim(x) - 1;
  if (last < 0) return *whole = td_clone(x);
  int64_t n = td_shape(x)[last], all = 2 * n + 1;
  td_tensor *big = td_unslice(x, last, all, 1, 2);
  td_tensor *ours = td_full(td_device_of(x), TD_I64, 1, &n, 1);
  ours = td_ne(td_unslice(ours, 0, all, 1, 2), td_num(0));
  double filler = td_dtype_is_float(td_type(x)) ? NAN : 77;
  if (td_type(x) != TD_BOOL)
    big = td_masked_fill(big, td_logical_not(ours), filler);
  return td_slice(*whole = big, last, 1, n, 2);
}

/* The first position along some dim, repeated over that dim without a copy. */
static inline td_tensor *spread(td_tensor *x) {
  for (int d = 0; d < td_ndim(x); d++)
    if (td_shape(x)[d] > 1)
      return td_expand(td_slice(x, d, 0, 1, 1),
                       (td_ints){ td_ndim(x), td_shape(x) });
  return x;
}

/* The values of x in another layout, connected to x. */
static inline td_tensor *laid_out(td_tensor *x, enum layout how) {
  td_tensor *whole;
  if (!x) return NULL;
  switch (how) {
    case COPIED: return td_clone(x);
    case TRANSPOSED: return reversed(td_clone(reversed(x)));
    case GAPS: return with_gaps(x, &whole);
    case SPREAD: return spread(x);
    case SPREAD_COPY: return td_clone(spread(x));
    default: return x;
  }
}

static inline td_tensor *laid_input(const op_case *k, int i, td_tensor *x,
                             enum layout how) {
  char kind = k->in[i].kind;
  if (kind != 't' && how >= SPREAD) how = PLAIN;
  return laid_out(x, how);
}

/* ---- numbers to differentiate ---- */

typedef struct problem {
  const op_case *k;
  td_tensor *leaf[CASE_INPUTS], *wanted[CASE_INPUTS];
  int which[CASE_INPUTS];          /* input that wanted[] is */
  int n;                           /* of wanted */
} problem;
typedef struct grads { double v[CASE_INPUTS][CASE_VALUES]; } grads;

/* only < 0: every floating point input wants a gradient. */
static inline bool pose(problem *p, const op_case *k, td_backend *b, td_dtype dt,
                 int only) {
  p->k = k;
  p->n = 0;
  for (int i = 0; i < k->nin; i++) {
    p->leaf[i] = case_leaf(k, i, b, dt);
    if (!p->leaf[i] && k->in[i].kind != '-') {
      BAD("cannot make input %d: %s", i + 1, td_error());
      return false;
    }
    if (!case_is_float(&k->in[i]) || (only >= 0 && only != i)) continue;
    td_requires_grad(p->leaf[i], true);
    p->which[p->n] = i;
    p->wanted[p->n++] = p->leaf[i];
  }
  return true;
}

/* Floating point tensors, weighed and added up; 0 when there are none. */
static inline td_tensor *total(td_tensor **t, int n, int seed) {
  td_tensor *s = NULL;
  for (int i = 0; i < n; i++) {
    if (!t[i] || !td_dtype_is_float(td_type(t[i]))) continue;
    td_tensor *part = td_mul(t[i], case_weights(t[i], seed + i));
    part = td_sum(part, TD_ALL, false);
    if (!(s = s ? td_add(s, part) : part)) return NULL;
  }
  return s ? s : td_full(td_cpu(), TD_F64, 0, NULL, 0);
}

/* The op's results as one number.  Inputs and results are dropped on the way:
** only what the rule saves is left for the sweep. */
static inline td_tensor *value(const problem *p, enum layout how) {
  const op_case *k = p->k;
  td_tensor *in[CASE_INPUTS], *out[TD_MAXOUT], *s;
  int mark = td_scope_open();
  for (int i = 0; i < k->nin; i++)
    in[i] = laid_input(k, i, case_shaped(k->in[i].kind, p->leaf[i]), how);
  s = case_apply(k, in, out, false) ? NULL : total(out, k->op->nout, 0);
  td_keep(s);
  td_scope_close(mark);
  return td_own(s);
}

static inline td_status sweep(const problem *p, td_tensor *s, td_tensor **g,
                       unsigned flags) {
  memset(g, 0, sizeof *g * (size_t)p->n);
  if (!s) return td_error_code();
  if (!td_needs_grad(s)) return TD_OK;
  return td_grad(1, &s, NULL, p->n, (td_tensor **)p->wanted, g, flags);
}

/* Order 0: the value; order 1: its gradients, weighed. */
static inline td_tensor *objective(const problem *p, enum layout how, int order) {
  if (order == 0) return value(p, how);
  td_tensor *g[CASE_INPUTS], *s;
  int mark = td_scope_open();
  s = value(p, how);
  s = sweep(p, s, g, TD_CREATE_GRAPH) ? NULL : total(g, p->n, 5);
  td_keep(s);
  td_scope_close(mark);
  return td_own(s);
}

/* Gradient of the objective; a gradient looks like what it belongs to. */
static inline td_status gradient(const problem *p, enum layout how, int order,
                          grads *out) {
  td_tensor *g[CASE_INPUTS];
  int mark = td_scope_open();
  td_status st = sweep(p, objective(p, how, order), g, 0);
  memset(out, 0, sizeof *out);
  for (int i = 0; !st && i < p->n; i++) {
    if (!g[i]) continue;
    td_tensor *x = p->wanted[i];
    if (td_type(g[i]) != td_type(x) || td_device_of(g[i]) != td_device_of(x))
      BAD("the gradient of input %d is %s on %s", p->which[i] + 1,
          td_dtype_name(td_type(g[i])), td_device_name(td_device_of(g[i])));
    st = td_read_f64(g[i], out->v[i]);
  }
  td_scope_close(mark);
  return st;
}

/* Largest difference of two lists, relative to the largest value. */
static inline double distance(int64_t n, const double *a, const double *b) {
  double scale = .01, worst = 0;
  for (int64_t e = 0; e < n; e++)
    if (isfinite(b[e])) scale = fmax(scale, fabs(b[e]));
  for (int64_t e = 0; e < n; e++) {
    if (a[e] == b[e] || (isnan(a[e]) && isnan(b[e]))) continue;
    double d = fabs(a[e] - b[e]) / scale;
    worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
  }
  return worst;
}

static inline double apart(const problem *p, const grads *a, const grads *b) {
  double worst = 0;
  for (int i = 0; i < p->n; i++)
    worst = fmax(worst, distance(td_numel(p->wanted[i]), a->v[i], b->v[i]));
  return worst;
}

/* Only view says that a layout will not do. */
static inline bool needs_copy(const op_case *k, td_status st) {
  return st == TD_ESHAPE && !strcmp(k->op->name, "view") &&
    strstr(td_error(), "without a copy");
}

/* ---- inputs and results in any type ---- */

/* Inputs of a case in another type; `exact` are the same values in f64. */
typedef struct inputs { td_tensor *x[CASE_INPUTS], *exact[CASE_INPUTS]; } inputs;

/* Small whole numbers for integers; types without sign get no negative ones. */
static inline td_tensor *in_type(td_tensor *x, td_dtype dt) {
  if (td_dtype_is_float(dt)) return td_cast(x, dt);
  x = td_round(td_mul(x, td_num(2)));
  return td_cast(dt == TD_U8 || dt == TD_BOOL ? td_abs(x) : x, dt);
}

static inline bool inputs_make(inputs *v, const op_case *k, td_dtype dt) {
  for (int i = 0; i < k->nin; i++) {
    td_tensor *t = case_leaf(k, i, td_cpu(), TD_F64);
    v->x[i] = v->exact[i] = t;
    if (k->in[i].kind == '-') continue;
    if (case_is_float(&k->in[i])) {
      v->x[i] = in_type(case_shaped(k->in[i].kind, t), dt);
      v->exact[i] = td_cast(v->x[i], TD_F64);
    }
    if (!v->x[i] || !v->exact[i]) return false;
  }
  return true;
}

/* Results as f64; an update's results are its inputs afterwards. */
typedef struct results {
  td_status st;
  int n;
  td_dtype dt[CASE_INPUTS];
  int64_t numel[CASE_INPUTS];
  double v[CASE_INPUTS][4 * CASE_VALUES];
} results;

static inline void results_of(results *r, const op_case *k, td_tensor *const *x,
                       enum layout how, td_backend *b) {
  td_tensor *in[CASE_INPUTS], *out[TD_MAXOUT];
  int mark = td_scope_open();
  bool update = k->op->cls[0] == 'U';
  for (int i = 0; i < k->nin; i++)
    in[i] = laid_input(k, i, td_to_device(td_clone(x[i]), b), how);
  r->st = case_apply(k, in, out, false);
  r->n = r->st ? 0 : update ? k->nin : k->op->nout;
  for (int i = 0; !r->st && i < r->n; i++) {
    td_tensor *t = update ? in[i] : out[i];
    r->dt[i] = td_type(t);
    r->numel[i] = td_numel(t);
    if (r->numel[i] > 4 * CASE_VALUES) r->st = td_fail(TD_EARG, "large result");
    else r->st = td_read_f64(t, r->v[i]);
  }
  td_scope_close(mark);
}

/* Vectors of decompositions are known but for their sign. */
static inline bool sign_is_free(const td_op *op) {
  return !strcmp(op->name, "eigh") || !strcmp(op->name, "svd");
}

static inline double results_apart(const op_case *k, const results *a,
                            const results *b) {
  static double p[4 * CASE_VALUES], q[4 * CASE_VALUES];
  double worst = 0;
  for (int i = 0; i < b->n; i++) {
    if (a->numel[i] != b->numel[i]) return INFINITY;
    for (int64_t e = 0; e < b->numel[i]; e++) {
      bool sign = sign_is_free(k->op);
      p[e] = sign ? fabs(a->v[i][e]) : a->v[i][e];
      q[e] = sign ? fabs(b->v[i][e]) : b->v[i][e];
    }
    worst = fmax(worst, distance(b->numel[i], p, q));
  }
  return worst;
}
#endif
