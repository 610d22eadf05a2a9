/* test_kernels.c -- elementwise CPU kernels against the obvious loop, over random
** shapes, layouts and types; conversions; long inputs on several threads. */
#include "tests/layout.h"
#include "tensor/op.h"

enum { ROUNDS = 300, MOST = 40000 };

static const td_dtype numbers[] = { TD_U8, TD_I32, TD_I64, TD_BF16, TD_F32, TD_F64 };
static td_dtype some_type(void) { return numbers[below(6)]; }

/* ---- arithmetic ---- */

typedef struct binary {
  td_tensor *(*op)(td_tensor *, td_tensor *);
  double (*f)(double, double);
} binary;
static double f_add(double a, double b) { return a + b; }
static double f_mul(double a, double b) { return a * b; }
static double f_max(double a, double b) { return a > b ? a : b; }
static double f_lt(double a, double b) { return a < b; }
static double f_eq(double a, double b) { return a == b; }
static double f_rem(double a, double b) { return a - b * floor(a / b); }
static double f_fdiv(double a, double b) { return floor(a / b); }
static const binary binaries[] = {
  { td_add, f_add }, { td_mul, f_mul }, { td_maximum, f_max }, { td_lt, f_lt },
  { td_eq, f_eq }, { td_remainder, f_rem }, { td_floor_divide, f_fdiv },
};

static void compare(const char *what, td_tensor *y, const double *want,
                    int64_t n) {
  if (!y) { FAIL("%s: %s", what, td_error()); return; }
  if (td_numel(y) != n) { FAIL("%s: %lld values", what, (long long)td_numel(y)); return; }
  double *got = values(y);
  for (int64_t i = 0; i < n; i++)
    if (got[i] != want[i] && !(isnan(got[i]) && isnan(want[i]))) {
      FAIL("%s: value %lld is %g, not %g", what, (long long)i, got[i], want[i]);
      break;
    }
  free(got);
}

TEST(binary_layouts) {
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    shape s = random_shape(MOST), sa = s, sb = shrunk(&s);
    if (below(2)) { shape t = sa; sa = sb; sb = t; }
    td_dtype dt = some_type();
    const binary *op = &binaries[below(7)];
    td_tensor *a = random_tensor(dt, &sa, 0, 9), *b = random_tensor(dt, &sb, 1, 5);
    REQUIRE(a && b);
    double *va = values(a), *vb = values(b);
    int64_t n = numel(&s);
    double *want = malloc((size_t)(n + 1) * sizeof *want);
    for (int64_t i = 0; i < n; i++)
      want[i] = op->f(va[broadcast_index(i, &s, &sa)],
                      vb[broadcast_index(i, &s, &sb)]);
    compare("binary", op->op(a, b), want, n);
    free(va); free(vb); free(want);
    td_scope_close(mark);
  }
}

static td_status in_place(int op, td_tensor *x, td_tensor *b) {
  td_tensor *in[2] = { x, b }, *out[TD_MAXOUT];
  td_call c = { .op = &td_ops[op], .nin = b ? 2 : 1, .in = in, .nlist = -1 };
  return td_apply(&c, out, true);
}

TEST(in_place_layouts) {
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    shape s = random_shape(MOST), sb = shrunk(&s);
    td_dtype dt = some_type();
    td_tensor *x = random_tensor(dt, &s, 0, 9), *b = random_tensor(dt, &sb, 1, 5);
    REQUIRE(x && b);
    if (below(4) == 0) { b = x; sb = s; }
    double *va = values(x), *vb = values(b);
    int64_t n = numel(&s);
    for (int64_t i = 0; i < n; i++) {
      double t = vb[broadcast_index(i, &s, &sb)];
      va[i] = b == x ? 2 * va[i] : va[i] + t;
    }
    REQUIRE(in_place(TD_OP_add, x, b) == TD_OK);
    compare("add_", x, va, n);
    for (int64_t i = 0; i < n; i++) va[i] = va[i] * va[i];
    REQUIRE(in_place(TD_OP_square, x, NULL) == TD_OK);
    if (dt == TD_U8) for (int64_t i = 0; i < n; i++) va[i] = fmod(va[i], 256);
    compare("square_", x, va, n);
    free(va); free(vb);
    td_scope_close(mark);
  }
}

TEST(where_and_clamp) {
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    shape s = random_shape(MOST), sc = shrunk(&s), sb = shrunk(&s);
    td_dtype dt = some_type();
    td_tensor *c = random_tensor(TD_BOOL, &sc, 0, 1);
    td_tensor *a = random_tensor(dt, &s, 0, 9), *b = random_tensor(dt, &sb, 10, 19);
    REQUIRE(a && b && c);
    double *va = values(a), *vb = values(b), *vc = values(c);
    int64_t n = numel(&s);
    double *want = malloc((size_t)(n + 1) * sizeof *want);
    for (int64_t i = 0; i < n; i++)
      want[i] = vc[broadcast_index(i, &s, &sc)] ? va[i] :
        vb[broadcast_index(i, &s, &sb)];
    compare("where", td_where(c, a, b), want, n);
    for (int64_t i = 0; i < n; i++)
      want[i] = va[i] < 3 ? 3 : va[i] > 7 ? 7 : va[i];
    compare("clamp", td_clamp(a, 2.5 + .5, 7), want, n);
    free(va); free(vb); free(vc); free(want);
    td_scope_close(mark);
  }
}

TEST(integers) {
  int64_t n = 3;
  td_tensor *a = td_empty(td_cpu(), TD_I64, 1, &n);
  td_tensor *b = td_empty(td_cpu(), TD_I64, 1, &n);
  REQUIRE(!td_write_f64(a, (double[]){ -7, 7, -8 }));
  REQUIRE(!td_write_f64(b, (double[]){ 2, -2, -1 }));
  CHECK_VALUES(td_remainder(a, b), 3, ((double[]){ 1, -1, 0 }), 0);
  CHECK_VALUES(td_floor_divide(a, b), 3, ((double[]){ -4, -4, 8 }), 0);
  CHECK_VALUES(td_clamp(a, -7.5, .5), 3, ((double[]){ -7, 0, -7 }), 0);
  CHECK(!td_remainder(a, td_int(0)));
  CHECK_ERROR(TD_EARG, "divided by 0");
  CHECK(!td_floor_divide(a, td_int(0)));
  CHECK_ERROR(TD_EARG, "divided by 0");
  int64_t least[3] = { INT64_MIN, INT64_MAX, -1 };
  REQUIRE(!td_write_bytes(a, least));
  int64_t got[3];
  REQUIRE(!td_read_bytes(td_abs(a), got));
  CHECK_INT(got[0], INT64_MIN);
  CHECK_INT(got[1], INT64_MAX);
  REQUIRE(!td_read_bytes(td_floor_divide(a, td_int(-1)), got));
  CHECK_INT(got[0], INT64_MIN);
}

TEST(nan_in_extremes) {
  int64_t n = 4;
  td_tensor *a = td_empty(td_cpu(), TD_F32, 1, &n), *b = td_empty_like(a);
  REQUIRE(!td_write_f64(a, (double[]){ NAN, 1, 2, -INFINITY }));
  REQUIRE(!td_write_f64(b, (double[]){ 1, NAN, 1, INFINITY }));
  CHECK_VALUES(td_maximum(a, b), 4, ((double[]){ NAN, NAN, 2, INFINITY }), 0);
  CHECK_VALUES(td_minimum(a, b), 4, ((double[]){ NAN, NAN, 1, -INFINITY }), 0);
  CHECK_VALUES(td_relu(a), 4, ((double[]){ NAN, 1, 2, 0 }), 0);
  CHECK_VALUES(td_clamp(a, 0, 1), 4, ((double[]){ NAN, 1, 1, 0 }), 0);
  CHECK_VALUES(td_isnan(a), 4, ((double[]){ 1, 0, 0, 0 }), 0);
  CHECK_VALUES(td_isinf(a), 4, ((double[]){ 0, 0, 0, 1 }), 0);
  CHECK_VALUES(td_isfinite(a), 4, ((double[]){ 0, 1, 1, 0 }), 0);
}

/* Far arguments leave the fast reduction; the whole line must stay right. */
TEST(sine_of_large_numbers) {
  enum { N = 1000 };
  int64_t n = N;
  double v[N];
  for (int i = 0; i < N; i++) v[i] = (float)(ldexp(1 + i * 1e-3, i % 100 - 20));
  td_tensor *x = td_empty(td_cpu(), TD_F32, 1, &n);
  REQUIRE(!td_write_f64(x, v));
  td_tensor *s = td_sin(x), *c = td_cos(x), *t = td_tan(x);
  REQUIRE(s && c && t);
  double *vs = values(s), *vc = values(c), *vt = values(t);
  for (int i = 0; i < N; i++) {
    CHECK_NEAR(vs[i], sin(v[i]), 2e-7);
    CHECK_NEAR(vc[i], cos(v[i]), 2e-7);
    CHECK_NEAR(vt[i] / tan(v[i]), 1, 4e-7);
  }
  free(vs); free(vc); free(vt);
}

/* ---- moves and conversions ---- */

TEST(clone_and_copy) {
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    shape s = random_shape(MOST), sb = shrunk(&s);
    td_tensor *x = random_tensor(some_type(), &s, 0, 9);
    td_tensor *y = random_tensor(some_type(), &sb, 10, 200);
    REQUIRE(x && y);
    double *vx = values(x), *vy = values(y);
    int64_t n = numel(&s);
    td_tensor *z = td_clone(x);
    REQUIRE(z && td_is_contiguous(z));
    compare("clone", z, vx, n);
    for (int64_t i = 0; i < n; i++) vx[i] = vy[broadcast_index(i, &s, &sb)];
    compare("copy", td_copy(x, y), vx, n);
    REQUIRE(in_place(TD_OP_copy, x, y) == TD_OK);
    compare("copy_", x, vx, n);
    free(vx); free(vy);
    td_scope_close(mark);
  }
}

/* What `v` becomes in type dt, by the rules of convert.h. */
static double converted(double v, td_dtype dt) {
  double lo = dt == TD_U8 ? 0 : dt == TD_I32 ? -0x1p31 : -0x1p63;
  double hi = dt == TD_U8 ? 255 : dt == TD_I32 ? 0x1p31 - 1 : 0x1p63;
  switch (dt) {
    case TD_BOOL: return v != 0;
    case TD_F64: return v;
    case TD_F32: return (float)v;
    case TD_BF16: {
      if (isnan(v) || isinf(v) || v == 0) return v;
      int e;
      frexp(v, &e);
      return ldexp(rint(ldexp((float)v, 8 - e)), e - 8);
    }
    default: return isnan(v) ? 0 : v <= lo ? lo : v >= hi ? hi : trunc(v);
  }
}

TEST(conversions) {
  static const double v[] = { 0, -0., 1, -1, 1.5, -1.5, 2.75, 200, 255, 256, 300,
    -129, 0x1p31, -0x1p31, -0x1p40, 0x1p63, 1e30, -1e30, INFINITY, -INFINITY, NAN,
    1.00390625, 1.01171875, 3.0e-3, 65535, 65281, 1e9 };
  int64_t n = sizeof v / sizeof *v;
  td_dtype from[] = { TD_F64, TD_F32 };
  for (int f = 0; f < 2; f++)
    for (int to = 0; to < TD_DTYPE_COUNT; to++) {
      td_tensor *x = td_empty(td_cpu(), from[f], 1, &n);
      REQUIRE(x && !td_write_f64(x, v));
      double *got = values(td_cast(x, (td_dtype)to)), *vx = values(x);
      for (int64_t i = 0; i < n; i++) {
        if (to == TD_I64 && vx[i] >= 0x1p63) {     /* 2^63 - 1 reads as 2^63 */
          CHECK(got[i] == 0x1p63);
          continue;
        }
        double want = converted(vx[i], (td_dtype)to);
        if (!(got[i] == want || (isnan(got[i]) && isnan(want))))
          FAIL("%g to %s is %.9g, not %.9g", vx[i], td_dtype_name((td_dtype)to),
               got[i], want);
      }
      free(got); free(vx);
    }
}

TEST(fills) {
  for (int round = 0; round < 50; round++) {
    int mark = td_scope_open();
    shape s = random_shape(MOST);
    int64_t n = numel(&s);
    td_tensor *x = random_tensor(some_type(), &s, 0, 9);
    REQUIRE(x);
    double *want = malloc((size_t)(n + 1) * sizeof *want);
    for (int64_t i = 0; i < n; i++) want[i] = 7;
    REQUIRE(td_apply_(&td_ops[TD_OP_fill], x, 1, (double[]){ 7 }));
    compare("fill_", x, want, n);
    x = random_tensor(TD_F64, &s, 0, 9);
    for (int64_t i = 0; i < n; i++) want[i] = 3 - .5 * (double)i;
    REQUIRE(x && td_apply_(&td_ops[TD_OP_ramp], x, 2, (double[]){ 3, -.5 }));
    compare("ramp_", x, want, n);
    free(want);
    td_scope_close(mark);
  }
}

TEST(triangles) {
  for (int round = 0; round < 100; round++) {
    int mark = td_scope_open();
    shape s = { 3, { 1 + below(3), below(9), below(9) } };
    int64_t k = below(9) - 4, rows = s.size[1], cols = s.size[2], n = numel(&s);
    td_tensor *x = random_tensor(some_type(), &s, 1, 9);
    REQUIRE(x);
    double *v = values(x), *w = values(x);
    for (int64_t i = 0; i < n; i++) {
      int64_t r = i / cols % rows, c = i % cols;
      if (c - r > k) v[i] = 0;
      if (c - r < k) w[i] = 0;
    }
    compare("tril", td_tril(x, k), v, n);
    compare("triu", td_triu(x, k), w, n);
    free(v); free(w);
    td_scope_close(mark);
  }
}

/* ---- many elements, several threads ---- */

TEST(long_inputs) {
  shape shapes[] = { { 1, { 300001 } }, { 2, { 100003, 3 } }, { 2, { 3, 100003 } },
                     { 3, { 70, 41, 65 } }, { 2, { 501, 602 } } };
  for (int k = 0; k < 5; k++)
    for (int threads = 1; threads <= 3; threads += 2) {
      int mark = td_scope_open();
      td_threads_set(threads);
      shape s = shapes[k];
      int64_t n = numel(&s);
      for (int round = 0; round < 6; round++) {
        shape sb = shrunk(&s);
        td_tensor *a = random_tensor(TD_F32, &s, -99, 99);
        td_tensor *b = random_tensor(TD_F32, &sb, -99, 99);
        REQUIRE(a && b);
        double *va = values(a), *vb = values(b);
        for (int64_t i = 0; i < n; i++)
          va[i] += vb[broadcast_index(i, &s, &sb)];
        compare("long add", td_add(a, b), va, n);
        REQUIRE(in_place(TD_OP_add, a, b) == TD_OK);
        compare("long add_", a, va, n);
        compare("long clone", td_clone(a), va, n);
        free(va); free(vb);
      }
      td_scope_close(mark);
    }
  td_threads_set(0);
}
