/* test_results.c -- results of every op: any layout and element type of the
** inputs, forms in place, and every device against the CPU.
**
** time limit: 240 s */
#include "tests/test.h"
#include "tests/op_walk.h"
#include "tests/plugin.h"

/* ---- layouts and element types ---- */

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
    if (case_is_float(&k->in[i])) need |= k->op->rule->saves[i < TD_SAVES ? i : TD_SAVES - 1];
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

/* ---- memory that overlaps, at sizes where it shows ---- */

static void check_overlap(td_tensor *x, td_tensor *other) {
  td_tensor *in[2] = { x, other }, *out[TD_MAXOUT];
  td_call c = { .op = td_op_find("sub"), .nin = 2, .in = in, .nlist = -1 };
  td_tensor *want_t = td_sub(td_clone(x), td_clone(other));
  int64_t n = td_numel(x);
  double *a = malloc(sizeof *a * (size_t)n), *b = malloc(sizeof *b * (size_t)n);
  if (td_apply(&c, out, true) || td_read_f64(x, a) || td_read_f64(want_t, b))
    FAIL("%s", td_error());
  else
    CHECK(memcmp(a, b, sizeof *a * (size_t)n) == 0);
  free(a);
  free(b);
}

TEST(overlap) {
  td_nn_init();
  td_tensor *v = td_arange(td_cpu(), TD_F64, 0, .5, 5000);
  td_tensor *x = td_square(v), *low = td_slice(x, 0, 0, 4999, 1);
  check_overlap(td_slice(x, 0, 1, 4999, 1), low);
  check_overlap(low, td_slice(x, 0, 1, 4999, 1));
  check_overlap(td_slice(x, 0, 1, 2000, 2), td_slice(x, 0, 0, 2000, 1));
  td_tensor *m = td_view(td_slice(x, 0, 0, 4900, 1), TD_INTS(70, 70));
  check_overlap(m, td_transpose(m, 0, 1));
  check_overlap(m, td_flip(m, TD_ALL));
  check_overlap(m, td_select(m, 0, 3));        /* broadcast from within */
  check_overlap(m, m);
}

/* ---- bad arguments ---- */

/* Whatever the arguments, there is a result or an error with a text. */
static void try_call(const op_case *k, td_tensor **in) {
  td_tensor *out[TD_MAXOUT];
  int mark = td_scope_open();
  td_status st = case_apply(k, in, out, false);
  if (st && (td_error_code() != st || !*td_error())) BAD("an error without text");
  for (int i = 0; !st && i < k->op->nout; i++)
    if (!out[i]) BAD("no error and no result");
    else if (td_numel(out[i]) < 0) BAD("a result of negative size");
  td_error_clear();
  td_scope_close(mark);
}

static const int64_t odd_integers[] = {
  INT64_MIN, INT64_MIN + 1, -1000000007, -9, -2, -1, 0, 1, 2, 3, 8, 9,
  INT64_MAX / 8, INT64_MAX
};
static const double odd_numbers[] = { NAN, INFINITY, -INFINITY, -1, 0, 1e300 };
#define COUNT_OF(a) ((int)(sizeof(a) / sizeof *(a)))

static void odd_attributes(op_case *k, td_tensor **in) {
  for (int a = 0, at = 0; a < k->op->narg; a++) {
    char kind = k->op->arg[a].kind;
    if (!strchr("FIBDP", kind)) { at += kind == 'Y'; continue; }
    td_attr was = k->attr[at];
    int n = kind == 'F' ? COUNT_OF(odd_numbers) : COUNT_OF(odd_integers);
    for (int i = 0; i < n && kind != 'B'; i++) {
      if (kind == 'F') k->attr[at].f = odd_numbers[i];
      else k->attr[at].i = odd_integers[i];
      try_call(k, in);
    }
    k->attr[at++] = was;
  }
}

static void odd_lists(op_case *k, td_tensor **in) {
  int n = k->nlist;
  for (int d = 0; d < n; d++) {
    int64_t was = k->list[d];
    for (int i = 0; i < COUNT_OF(odd_integers); i++) {
      k->list[d] = odd_integers[i];
      try_call(k, in);
    }
    k->list[d] = was;
  }
  if (n < 0) return;
  for (k->nlist = -1; k->nlist <= n + 1 && k->nlist <= TD_MAXDIM; k->nlist++)
    try_call(k, in);
  k->nlist = n;
}

static void odd_inputs(op_case *k, td_tensor **in) {
  static const int64_t shapes[][4] = {
    { 0, 0 }, { 1, 0 }, { 1, 1 }, { 1, 7 }, { 2, 2, 3 }, { 2, 0, 2 },
    { 3, 1, 5, 2 }, { 3, 2, 0, 3 }
  };
  static const td_dtype types[] = { TD_F32, TD_I64, TD_BOOL };
  for (int i = 0; i < k->nin; i++) {
    td_tensor *was = in[i];
    for (int s = 0; s < COUNT_OF(shapes); s++)
      for (int t = 0; t < 3; t++) {
        in[i] = td_full(td_cpu(), types[t], (int)shapes[s][0], &shapes[s][1], 1);
        try_call(k, in);
      }
    in[i] = td_full(td_cpu(), TD_I64, td_ndim(was ? was : in[i]),
                    td_shape(was ? was : in[i]), -5);
    try_call(k, in);                              /* positions out of range */
    in[i] = td_num(NAN);
    try_call(k, in);
    in[i] = was;
  }
}

static void check_bad_arguments(const op_case *k) {
  static op_case odd;
  td_tensor *in[CASE_INPUTS];
  odd = *k;
  for (int i = 0; i < k->nin; i++)
    in[i] = case_shaped(k->in[i].kind, case_leaf(k, i, td_cpu(), TD_F32));
  odd_attributes(&odd, in);
  odd_lists(&odd, in);
  odd_inputs(&odd, in);
}
TEST(bad_arguments) { each_case(check_bad_arguments); }

/* ---- other devices against the CPU ---- */

static td_backend *other_device;
static struct { int cases, narrow, refused; double worst, worst_grad; } parity;

/* A refusal is right when the op itself has no kernel there, or is composed. */
static bool lacks_kernel(const td_op *op) {
  return op->cls[0] == 'C' || !op->kernel[other_device->slot];
}

/* bf16: that of products and formulas in kernels of their own, of others through f32. */
static void check_parity_bf16(const op_case *k) {
  inputs v;
  if (!inputs_make(&v, k, TD_BF16)) return;
  results_of(&want, k, v.x, PLAIN, td_cpu());
  results_of(&got, k, v.x, PLAIN, other_device);
  if (want.st || (got.st == TD_ENOSUP && lacks_kernel(k->op))) return;
  if (got.st) { BAD("bf16: %s", td_error()); return; }
  double d = results_apart(k, &got, &want);
  if (!(d < 2e-2)) BAD("bf16 on %s differs by %.2g", other_device->name, d);
  parity.narrow++;
}

/* Views of the device's memory. */
static void check_parity_layouts(const op_case *k) {
  inputs v;
  if (!inputs_make(&v, k, TD_F32)) return;
  results_of(&want, k, v.x, PLAIN, td_cpu());
  for (int how = TRANSPOSED; how <= GAPS; how++) {
    results_of(&got, k, v.x, how, other_device);
    if (needs_copy(k, got.st) || (got.st == TD_ENOSUP && lacks_kernel(k->op))) continue;
    if (got.st != want.st) { BAD("layout %d: %s", how, td_error()); continue; }
    double d = results_apart(k, &got, &want);
    if (!(d < 1e-5)) BAD("layout %d on %s differs by %.2g", how, other_device->name, d);
  }
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
         "%d in bf16; %d refused\n", other_device->name, there, kernels, parity.cases,
         parity.worst, parity.worst_grad, parity.narrow, parity.refused);
  for (td_op *op = td_ops_first(); op; op = op->next) {
    if ((op->cls[0] != 'K' && op->cls[0] != 'U') ||
        op->kernel[other_device->slot]) continue;
    column = printf("%s%s", column ? " " : "# without: ", op->name);
  }
  if (column) putchar('\n');
  if (!strcmp(other_device->name, "cuda") && there < kernels)
    FAIL("%d of the ops have no CUDA kernel: write them in gpu/", kernels - there);
}

TEST(parity) {
  const char *d = getenv("DEVICE");            /* a GPU: with the plug-in itself */
  bool gpu = d && !strncmp(d, "cuda", 4);
  if (!gpu) plugin_load();
  if (!gpu && !plugin_load_emulated()) FAIL("no emulation of CUDA: %s", td_error());
  if (!test_device()) FAIL("%s", td_error());
  for (int i = 0; i < td_device_count(); i++) {
    other_device = td_device_at(i);
    if (other_device == td_cpu() || strchr(other_device->name, ':')) continue;
    memset(&parity, 0, sizeof parity);
    each_case(check_parity);
    each_case(check_parity_bf16);
    each_case(check_parity_layouts);
    print_coverage();
  }
}
