/* test_ops.c -- every op of the registry against its rule's cases: gradients of
** first and second order, layouts, element types, in-place forms, devices.
**
** time limit: 240 s
** TIDE_OP=name limits the run to one op. */
#include "tests/test.h"
#include "tests/op_case.h"
#include "tests/plugin.h"
#include "nn/nn.h"
#include <sys/wait.h>

/* ---- walking the registry ---- */

static op_case now;                  /* the case under test */
#define BAD(fmt, ...) \
  FAIL("%s %.*s: " fmt, now.op->name, now.len, now.text, ##__VA_ARGS__)

static bool selected(const td_op *op) {
  const char *only = getenv("TIDE_OP");
  return !only || !strcmp(only, op->name);
}

static void each_case(void (*test)(const op_case *)) {
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

/* Random ops have tests of their own (tests/none/test_random.c). */
TEST(cases) {
  int ops = 0, cases = 0;
  td_nn_init();
  for (td_op *op = td_ops_first(); op; op = op->next, ops++) {
    const char *s = op->rule->cases;
    if ((!s || !*s) && !(op->rule->flags & TD_RANDOM))
      FAIL("%s: no cases", op->name);
    while (s && case_next(op, &s, &now)) {
      cases++;
      if (now.bad) BAD("%s", now.bad);
    }
  }
  printf("# %d ops, %d cases\n", ops, cases);
  CHECK(ops > 100 && cases > 3 * ops);
}

/* ---- layouts ---- */

enum layout { PLAIN, COPIED, TRANSPOSED, GAPS, SPREAD, SPREAD_COPY };

static td_tensor *reversed(td_tensor *x) {
  int64_t order[TD_MAXDIM];
  int n = td_ndim(x);
  for (int d = 0; d < n; d++) order[d] = n - 1 - d;
  return td_permute(x, (td_ints){ n, order });
}

/* Every second element of memory that holds NaN (or 77) in between. */
static td_tensor *with_gaps(td_tensor *x, td_tensor **whole) {
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
static td_tensor *spread(td_tensor *x) {
  for (int d = 0; d < td_ndim(x); d++)
    if (td_shape(x)[d] > 1)
      return td_expand(td_slice(x, d, 0, 1, 1),
                       (td_ints){ td_ndim(x), td_shape(x) });
  return x;
}

/* The values of x in another layout, connected to x. */
static td_tensor *laid_out(td_tensor *x, enum layout how) {
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

static td_tensor *laid_input(const op_case *k, int i, td_tensor *x,
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
static bool pose(problem *p, const op_case *k, td_backend *b, td_dtype dt,
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
static td_tensor *total(td_tensor **t, int n, int seed) {
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
static td_tensor *value(const problem *p, enum layout how) {
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

static td_status sweep(const problem *p, td_tensor *s, td_tensor **g,
                       unsigned flags) {
  memset(g, 0, sizeof *g * (size_t)p->n);
  if (!s) return td_error_code();
  if (!td_needs_grad(s)) return TD_OK;
  return td_grad(1, &s, NULL, p->n, (td_tensor **)p->wanted, g, flags);
}

/* Order 0: the value; order 1: its gradients, weighed. */
static td_tensor *objective(const problem *p, enum layout how, int order) {
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
static td_status gradient(const problem *p, enum layout how, int order,
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

/* Central differences, five points, in f64. */
static void numeric(const problem *p, int order, grads *out) {
  static const double at[4] = { -2, -1, 1, 2 }, weight[4] = { 1, -8, 8, -1 };
  const double h = 2e-4;
  for (int i = 0; i < p->n; i++) {
    double *x = td_data_cpu(p->wanted[i]);
    for (int64_t e = 0; e < td_numel(p->wanted[i]); e++) {
      double x0 = x[e], sum = 0, f = NAN;
      for (int k = 0; k < 4; k++) {
        int mark = td_scope_open();
        x[e] = x0 + at[k] * h;
        td_tensor *s = objective(p, PLAIN, order);
        if (!s || td_item(s, &f, NULL)) f = NAN;
        sum += weight[k] * f;
        td_scope_close(mark);
      }
      x[e] = x0;
      out->v[i][e] = sum / (12 * h);
    }
  }
}

/* Largest difference of two lists, relative to the largest value. */
static double distance(int64_t n, const double *a, const double *b) {
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

static double apart(const problem *p, const grads *a, const grads *b) {
  double worst = 0;
  for (int i = 0; i < p->n; i++)
    worst = fmax(worst, distance(td_numel(p->wanted[i]), a->v[i], b->v[i]));
  return worst;
}

/* ---- gradients ---- */

static struct { int checked, once; double worst[2]; const char *op[2]; } seen;

/* A fused gradient may refuse to be differentiated again, and says so. */
static bool refuses(td_status st) {
  return st == TD_ENOSUP && strstr(td_error(), "cannot be differentiated");
}

static bool against_numbers(const problem *p, int order, grads *g) {
  static grads want;
  td_status st = gradient(p, PLAIN, order, g);
  if (refuses(st)) { seen.once++; return false; }
  if (st) { BAD("order %d: %s", order + 1, td_error()); return false; }
  numeric(p, order, &want);
  double d = apart(p, g, &want);
  if (!(d < 1e-6)) BAD("order %d: gradient off by %.2g", order + 1, d);
  if (d >= seen.worst[order]) {
    seen.worst[order] = d;
    seen.op[order] = p->k->op->name;
  }
  seen.checked++;
  return true;
}

/* Values beside which rounding errors say nothing: at ties of eigenvalues. */
static bool sensible(const problem *p, const grads *g) {
  for (int i = 0; i < p->n; i++)
    for (int64_t e = 0; e < td_numel(p->wanted[i]); e++)
      if (!(fabs(g->v[i][e]) < 1e6)) return false;
  return true;
}

/* Only view says that a layout will not do. */
static bool needs_copy(const op_case *k, td_status st) {
  return st == TD_ESHAPE && !strcmp(k->op->name, "view") &&
    strstr(td_error(), "without a copy");
}

static void other_layouts(const problem *p, int order, const grads *want) {
  static const char *const names[] = {
    "plain", "dropped", "transposed", "gaps", "spread", "spread"
  };
  static grads g, copy;
  for (int how = COPIED; how <= SPREAD; how++) {
    td_status st = gradient(p, how, order, &g);
    if (needs_copy(p->k, st)) continue;
    if (how == SPREAD) {
      td_status other = gradient(p, SPREAD_COPY, order, &copy);
      if (st != other) BAD("order %d, spread: %s", order + 1, td_error());
      want = &copy;
    } else if (st) {
      BAD("order %d, %s: %s", order + 1, names[how], td_error());
    }
    if (st || !sensible(p, want)) continue;
    double d = apart(p, &g, want);
    if (!(d < 1e-9))
      BAD("order %d: %s input changes the gradient by %.2g", order + 1,
          names[how], d);
  }
}

/* Each input alone: its gradient needs nothing that others had saved. */
static void one_by_one(const problem *p, const grads *want) {
  static grads g;
  problem q;
  for (int i = 0; i < p->n && p->n > 1; i++) {
    int at = p->which[i];
    if (!pose(&q, p->k, td_cpu(), TD_F64, at)) return;
    td_status st = gradient(&q, COPIED, 0, &g);
    double d = distance(td_numel(p->wanted[i]), g.v[0], want->v[i]);
    if (st) BAD("input %d alone: %s", at + 1, td_error());
    else if (!(d < 1e-9)) BAD("input %d alone: off by %.2g", at + 1, d);
    if (!st && gradient(&q, COPIED, 1, &g) && !refuses(td_error_code()))
      BAD("input %d alone, order 2: %s", at + 1, td_error());
  }
}

static void check_gradients(const op_case *k) {
  static grads g;
  problem p;
  if (k->op->cls[0] == 'U' || !pose(&p, k, td_cpu(), TD_F64, -1)) return;
  for (int order = 0; order < 2; order++) {
    if (!against_numbers(&p, order, &g)) break;
    other_layouts(&p, order, &g);
    if (order == 0) one_by_one(&p, &g);
  }
}

TEST(gradients) {
  each_case(check_gradients);
  printf("# %d gradients; worst of first order %.1e (%s), of second %.1e (%s); "
         "%d fused ones refuse a second time\n", seen.checked, seen.worst[0],
         seen.op[0] ? seen.op[0] : "", seen.worst[1],
         seen.op[1] ? seen.op[1] : "", seen.once);
}

/* ---- what rules save ---- */

/* With one declared value withheld, some case must fail: else it is kept for
** nothing.  `op->rule` is replaced by a copy that lacks the bit. */
static struct { int input; bool missed, tried; } withheld;

static void try_withheld(const op_case *k) {
  static grads g;
  problem p;
  int i = withheld.input;
  if (withheld.missed || i >= k->nin || !case_is_float(&k->in[i])) return;
  if (!pose(&p, k, td_cpu(), TD_F64, i)) return;
  withheld.tried = true;
  withheld.missed = gradient(&p, COPIED, 0, &g) != TD_OK;
}

/* In a process of its own: a rule may well crash without its results. */
static void try_cases(td_op *op) {
  const char *s = op->rule->cases;
  int answer[2];
  if (pipe(answer)) return;
  pid_t child = fork();
  if (child == 0) {
    freopen("/dev/null", "w", stderr);
    while (case_next(op, &s, &now)) {
      int mark = td_scope_open();
      try_withheld(&now);
      td_scope_close(mark);
    }
    _exit(write(answer[1], &withheld, sizeof withheld) < 0);
  }
  close(answer[1]);
  if (read(answer[0], &withheld, sizeof withheld) <= 0)
    withheld.tried = withheld.missed = true;
  close(answer[0]);
  waitpid(child, &(int){ 0 }, 0);
}

static void check_saved_bit(td_op *op, int input, unsigned bit) {
  const td_rule *rule = op->rule;
  td_rule weak = *rule;
  weak.saves[input] &= ~bit;
  withheld.input = input;
  withheld.missed = withheld.tried = false;
  op->rule = &weak;
  try_cases(op);
  op->rule = rule;
  if (withheld.tried && !withheld.missed)
    FAIL("%s saves value %#x for the gradient of input %d but never reads it",
         op->name, bit, input + 1);
}

TEST(saved_values) {
  td_nn_init();
  for (td_op *op = td_ops_first(); op; op = op->next)
    for (int input = 0; input < 4 && selected(op); input++)
      for (int b = 0; b < 32; b++)
        if (op->rule->saves[input] >> b & 1 && op->rule->cases)
          check_saved_bit(op, input, 1u << b);
}

/* ---- values: layouts and element types ---- */

/* Inputs of a case in another type; `exact` are the same values in f64. */
typedef struct inputs { td_tensor *x[CASE_INPUTS], *exact[CASE_INPUTS]; } inputs;

/* Small whole numbers for integers; types without sign get no negative ones. */
static td_tensor *in_type(td_tensor *x, td_dtype dt) {
  if (td_dtype_is_float(dt)) return td_cast(x, dt);
  x = td_round(td_mul(x, td_num(2)));
  return td_cast(dt == TD_U8 || dt == TD_BOOL ? td_abs(x) : x, dt);
}

static bool inputs_make(inputs *v, const op_case *k, td_dtype dt) {
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

static void results_of(results *r, const op_case *k, td_tensor *const *x,
                       enum layout how, td_backend *b) {
  td_tensor *in[CASE_INPUTS], *out[TD_MAXOUT];
  int mark = td_scope_open();
  bool update = k->op->cls[0] == 'U';
  for (int i = 0; i < k->nin; i++)
    in[i] = td_to_device(laid_input(k, i, td_clone(x[i]), how), b);
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
static bool sign_is_free(const td_op *op) {
  return !strcmp(op->name, "eigh") || !strcmp(op->name, "svd");
}

static double results_apart(const op_case *k, const results *a,
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

static results got, want;

static void check_layouts(const op_case *k) {
  inputs v;
  if (!inputs_make(&v, k, TD_F64)) { BAD("%s", td_error()); return; }
  results_of(&want, k, v.x, PLAIN, td_cpu());
  if (want.st) { BAD("%s", td_error()); return; }
  for (int how = TRANSPOSED; how <= SPREAD; how++) {
    results_of(&got, k, v.x, how, td_cpu());
    if (needs_copy(k, got.st)) continue;
    if (how == SPREAD) results_of(&want, k, v.x, SPREAD_COPY, td_cpu());
    if (got.st != want.st) { BAD("layout %d: %s", how, td_error()); continue; }
    double d = results_apart(k, &got, &want);
    if (!(d < 1e-12)) BAD("layout %d changes the result by %.2g", how, d);
  }
}
TEST(layouts) { each_case(check_layouts); }

/* Integer results that do not fit their type wrap: nothing to compare. */
static void forget_wrapped(results *r, const results *exact) {
  for (int i = 0; i < r->n; i++)
    for (int64_t e = 0; e < r->numel[i]; e++) {
      double w = exact->v[i][e];
      bool fits = isfinite(w) && (r->dt[i] != TD_U8 || (w >= 0 && w <= 255));
      if (!td_dtype_is_float(r->dt[i]) && !fits) r->v[i][e] = w;
    }
}

/* These put numbers into the type of x as it can hold them. */
static bool truncates(const td_op *op) {
  return !strcmp(op->name, "fill") || !strcmp(op->name, "ramp");
}

/* Rounding to integers would spoil definite and regular matrices. */
static bool free_inputs(const op_case *k) {
  for (int i = 0; i < k->nin; i++)
    if (strchr("SYL", k->in[i].kind)) return false;
  return true;
}

static void check_type(const op_case *k, td_dtype dt, double tolerance) {
  inputs v;
  bool exact = td_dtype_is_float(dt);
  if (!exact && !free_inputs(k)) return;
  if (!inputs_make(&v, k, dt)) { BAD("%s", td_error()); return; }
  results_of(&got, k, v.x, PLAIN, td_cpu());
  if (got.st == TD_EDTYPE && dt != TD_F32 && dt != TD_F64) return;
  if (got.st) { BAD("%s: %s", td_dtype_name(dt), td_error()); return; }
  results_of(&want, k, v.exact, PLAIN, td_cpu());
  if (want.st) { BAD("%s: %s", td_dtype_name(dt), td_error()); return; }
  for (int i = 0; i < got.n && exact && strcmp(k->op->name, "cast"); i++)
    if (td_dtype_is_float(got.dt[i]) && got.dt[i] != dt &&
        k->in[0].kind != '-' && k->op->cls[0] != 'U')
      BAD("a result of %s inputs is %s", td_dtype_name(dt),
          td_dtype_name(got.dt[i]));
  if (dt == TD_BOOL || (!exact && truncates(k->op))) return;
  forget_wrapped(&got, &want);
  double d = results_apart(k, &got, &want);
  if (!(d < tolerance))
    BAD("%s is off by %.2g", td_dtype_name(dt), d);
}

static void check_types(const op_case *k) {
  check_type(k, TD_F32, 2e-5);
  check_type(k, TD_BF16, 5e-2);
  check_type(k, TD_I64, 2e-5);
  check_type(k, TD_I32, 2e-5);
  check_type(k, TD_U8, 2e-5);
  check_type(k, TD_BOOL, 0);
}
TEST(types) { each_case(check_types); }

/* A number stands for a 0-dim tensor and takes the type of the others. */
static void check_number_type(const op_case *k, td_dtype dt) {
  inputs v;
  bool any = false, other = false;
  if (k->op->cls[0] == 'U' || !inputs_make(&v, k, dt)) return;
  results_of(&want, k, v.x, PLAIN, td_cpu());
  for (int i = 0; i < k->nin; i++) {
    double f;
    if (!case_is_float(&k->in[i])) continue;
    if (k->in[i].ndim) { other = true; continue; }
    any = true;
    if (td_item(v.exact[i], &f, NULL)) return;
    v.x[i] = td_num(f);
  }
  if (!any || !other || want.st) return;
  td_tensor *out[TD_MAXOUT];
  td_status st = case_apply(k, v.x, out, false);
  if (st) { BAD("with a number: %s", td_error()); return; }
  for (int i = 0; i < k->op->nout; i++) {
    if (td_type(out[i]) != want.dt[i])
      BAD("with a number the result is %s", td_dtype_name(td_type(out[i])));
    if (td_read_f64(out[i], got.v[i])) BAD("%s", td_error());
    double d = distance(want.numel[i], got.v[i], want.v[i]);
    if (!(d < 1e-6)) BAD("a number changes the result by %.2g", d);
  }
}
static void check_number_inputs(const op_case *k) {
  check_number_type(k, TD_F32);
  check_number_type(k, TD_F64);
  check_number_type(k, TD_BF16);
}
TEST(number_inputs) { each_case(check_number_inputs); }

/* ---- in place ---- */

/* Runs the in-place form on in[0], which then holds the result. */
static bool run_in_place(const op_case *k, td_tensor **in, const char *what) {
  td_tensor *out[TD_MAXOUT], *x = in[0];
  uint32_t before = x->buf->version;
  td_status st = case_apply(k, in, out, true);
  if (st) BAD("in place, %s: %s", what, td_error());
  else if (out[0] != x) BAD("in place, %s: another tensor comes back", what);
  else if (x->buf->version == before) BAD("in place, %s: same version", what);
  return !st;
}

static void same_values(const op_case *k, td_tensor *a, td_tensor *b,
                        double tolerance, const char *what) {
  (void)k;
  td_tensor *c = td_cast(b, td_type(a));
  if (!c || td_read_f64(a, got.v[0]) || td_read_f64(c, want.v[0])) {
    BAD("in place, %s: %s", what, td_error());
    return;
  }
  double d = distance(td_numel(a), got.v[0], want.v[0]);
  if (!(d <= tolerance)) BAD("in place, %s: off by %.2g", what, d);
}

/* The memory between the elements of a layout with gaps. */
static void check_gaps(td_tensor *whole, td_tensor *view) {
  int64_t n = td_numel(whole), held = 0;
  double filler = td_dtype_is_float(td_type(whole)) ? NAN : 77;
  if (td_ndim(view) == 0 || td_read_f64(whole, got.v[0])) return;
  for (int64_t e = 0; e < n; e++) {
    double v = got.v[0][e];
    held += e % td_shape(whole)[td_ndim(whole) - 1] % 2 == 0 &&
      !(v == filler || (isnan(v) && isnan(filler)));
  }
  if (held) BAD("in place: writes between the elements of a view");
}

static bool in_place_fits(const op_case *k, td_tensor **in, td_tensor *y) {
  td_tensor *x = in[0], *out[TD_MAXOUT];
  if (td_ndim(x) == td_ndim(y) &&
      !memcmp(td_shape(x), td_shape(y), sizeof(int64_t) * (size_t)td_ndim(x)) &&
      (td_dtype_is_float(td_type(x)) || !td_dtype_is_float(td_type(y))))
    return true;
  if (!case_apply(k, in, out, true))
    BAD("in place: the result of another shape or type is stored");
  return false;
}

static void check_in_place_type(const op_case *k, td_dtype dt) {
  static const enum layout layouts[] = { PLAIN, TRANSPOSED, GAPS };
  inputs v;
  td_tensor *out[TD_MAXOUT], *whole = NULL;
  if (!inputs_make(&v, k, dt) || case_apply(k, v.x, out, false)) return;
  td_tensor *y = out[0];
  for (int l = 0; l < 3; l++) {
    td_tensor *in[CASE_INPUTS];
    memcpy(in, v.x, sizeof in);
    in[0] = layouts[l] == GAPS ? with_gaps(v.x[0], &whole) :
      laid_out(td_clone(v.x[0]), layouts[l]);
    if (!in_place_fits(k, in, y) || !run_in_place(k, in, "values")) return;
    same_values(k, in[0], y, dt == TD_F64 ? 1e-13 : dt == TD_F32 ? 1e-6 : 0,
                td_dtype_name(dt));
    if (layouts[l] == GAPS) check_gaps(whole, in[0]);
  }
}

/* Other inputs that are x itself, or overlap its memory. */
static void check_in_place_alias(const op_case *k) {
  td_tensor *out[TD_MAXOUT];
  if (k->nin != 2 || k->in[1].kind != 't' || k->in[0].ndim == 0 ||
      case_numel(&k->in[0]) != case_numel(&k->in[1])) return;
  td_tensor *x = case_leaf(k, 0, td_cpu(), TD_F64);
  td_tensor *same[2] = { td_clone(x), NULL }, *twice[2] = { x, x };
  same[1] = same[0];
  if (case_apply(k, twice, out, false)) { BAD("%s", td_error()); return; }
  if (run_in_place(k, same, "with itself"))
    same_values(k, same[0], out[0], 1e-13, "with itself");
  int64_t n = td_shape(x)[0] - 1;
  if (n < 1) return;
  td_tensor *apart[2] = { td_slice(x, 0, 0, n, 1),
                          td_clone(td_slice(x, 0, 1, n, 1)) };
  td_tensor *base = td_clone(x);
  td_tensor *over[2] = { td_slice(base, 0, 0, n, 1),
                         td_slice(base, 0, 1, n, 1) };
  if (case_apply(k, apart, out, false)) { BAD("%s", td_error()); return; }
  if (run_in_place(k, over, "overlapping"))
    same_values(k, over[0], out[0], 1e-13, "overlapping");
}

/* In a graph: the gradient is that of the plain form, or an error that says
** what was overwritten when the rule needs the old values. */
static void check_in_place_graph(const op_case *k) {
  static grads g, want_g;
  problem p;
  td_tensor *in[CASE_INPUTS], *out[TD_MAXOUT], *gx[CASE_INPUTS];
  unsigned need = 0;
  if (!pose(&p, k, td_cpu(), TD_F64, -1) || !td_needs_grad(p.leaf[0])) return;
  if (gradient(&p, PLAIN, 0, &want_g)) return;
  for (int i = 0; i < k->nin; i++) {
    in[i] = p.leaf[i];
    if (i == 0) in[0] = td_mul(in[0], td_num(1));
    if (case_is_float(&k->in[i])) need |= k->op->rule->saves[i < 3 ? i : 3];
  }
  if (case_apply(k, in, out, true)) return;         /* does not fit */
  td_status st = sweep(&p, total(out, 1, 0), gx, 0);
  if (need & TD_IN(0)) {
    if (st != TD_EGRAD || !strstr(td_error(), "changed in place"))
      BAD("in place: an overwritten value is not noticed (%s)", td_error());
    return;
  }
  if (st) { BAD("in place, gradient: %s", td_error()); return; }
  memset(&g, 0, sizeof g);
  for (int i = 0; i < p.n; i++) if (gx[i]) td_read_f64(gx[i], g.v[i]);
  double d = apart(&p, &g, &want_g);
  if (!(d < 1e-12)) BAD("in place: gradient off by %.2g", d);
}

static void check_in_place(const op_case *k) {
  if (k->op->cls[0] == 'U') return;
  if (!(k->op->rule->flags & TD_INPLACE)) {
    td_tensor *in[CASE_INPUTS], *out[TD_MAXOUT];
    for (int i = 0; i < k->nin; i++) in[i] = case_leaf(k, i, td_cpu(), TD_F64);
    if (case_apply(k, in, out, true) != TD_ENOSUP) BAD("an in-place form?");
    return;
  }
  check_in_place_type(k, TD_F64);
  check_in_place_type(k, TD_F32);
  check_in_place_type(k, TD_BF16);
  check_in_place_type(k, TD_I32);
  check_in_place_type(k, TD_U8);
  check_in_place_alias(k);
  check_in_place_graph(k);
}
TEST(in_place) { each_case(check_in_place); }

/* ---- other devices against the CPU ---- */

static td_backend *other_device;
static struct { int cases, refused; double worst, worst_grad; } parity;

/* A refusal is right when the op itself has no kernel there, or is composed. */
static bool lacks_kernel(const td_op *op) {
  return op->cls[0] == 'C' || !op->kernel[other_device->slot];
}

static void check_parity(const op_case *k) {
  static grads a, b;
  inputs v;
  problem p, q;
  if (!inputs_make(&v, k, TD_F32)) return;
  results_of(&want, k, v.x, PLAIN, td_cpu());
  results_of(&got, k, v.x, PLAIN, other_device);
  if (got.st == TD_ENOSUP && lacks_kernel(k->op)) { parity.refused++; return; }
  if (got.st || want.st) { BAD("%s", td_error()); return; }
  double d = results_apart(k, &got, &want);
  if (!(d < 1e-5)) BAD("%s differs by %.2g", other_device->name, d);
  parity.cases++;
  parity.worst = fmax(parity.worst, d);
  if (k->op->cls[0] == 'U' || sign_is_free(k->op) ||
      !pose(&p, k, td_cpu(), TD_F32, -1) ||
      !pose(&q, k, other_device, TD_F32, -1)) return;
  td_status st = gradient(&p, PLAIN, 0, &a), other = gradient(&q, PLAIN, 0, &b);
  if (other == TD_ENOSUP) return;
  if (st != other) { BAD("gradient on %s: %s", other_device->name, td_error());
                     return; }
  d = apart(&q, &b, &a);
  if (!(d < 1e-4)) BAD("gradient on %s differs by %.2g", other_device->name, d);
  parity.worst_grad = fmax(parity.worst_grad, d);
}

static void print_coverage(void) {
  int kernels = 0, there = 0, column = 0;
  for (td_op *op = td_ops_first(); op; op = op->next) {
    if (op->cls[0] != 'K' && op->cls[0] != 'U') continue;
    kernels++;
    there += op->kernel[other_device->slot] != NULL;
  }
  printf("# %s: %d of %d kernels; %d cases agree to %.1e, gradients to %.1e; "
         "%d refused\n", other_device->name, there, kernels, parity.cases,
         parity.worst, parity.worst_grad, parity.refused);
  for (td_op *op = td_ops_first(); op; op = op->next) {
    if ((op->cls[0] != 'K' && op->cls[0] != 'U') ||
        op->kernel[other_device->slot]) continue;
    column = printf("%s%s", column ? " " : "# without: ", op->name);
  }
  if (column) putchar('\n');
}

TEST(parity) {
  plugin_load();
  test_device();
  for (int i = 0; i < td_device_count(); i++) {
    other_device = td_device_at(i);
    if (other_device == td_cpu() || strchr(other_device->name, ':')) continue;
    memset(&parity, 0, sizeof parity);
    each_case(check_parity);
    print_coverage();
  }
}
