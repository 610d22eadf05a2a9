/* test_linalg.c -- products and decompositions: values against plain loops and
** identities, layouts, thread counts, equal eigenvalues, and what is refused.
** Gradients and small shapes are covered by test_ops.c. */
#include <signal.h>
#include <sys/time.h>
#include "tests/test.h"
#include "tensor/op.h"

TEST_NEEDS_DEVICE

/* ---- making and comparing ---- */

/* Numbers in [-1, 1) without pattern, on the device under test. */
static td_tensor *numbers(td_dtype dt, int ndim, const int64_t *shape,
                          uint64_t seed) {
  td_tensor *t = td_empty(td_cpu(), TD_F64, ndim, shape);
  int64_t n = t ? td_numel(t) : 0;
  double *v = malloc((size_t)(n + 1) * sizeof *v);
  for (int64_t i = 0; v && i < n; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    v[i] = (double)(seed >> 11) * 0x1p-52 - 1;
  }
  if (!v || td_write_f64(t, v)) t = NULL;
  free(v);
  return td_to_device(td_cast(t, dt), test_device());
}
static td_tensor *matrix(td_dtype dt, int64_t m, int64_t n, uint64_t seed) {
  return numbers(dt, 2, (int64_t[]){ m, n }, seed);
}
static td_tensor *eye(td_dtype dt, int64_t n) {
  td_tensor *one = td_full(test_device(), dt, 2, (int64_t[]){ n, n }, 1);
  return td_tril(td_triu(one, 0), 0);
}
static td_tensor *values(int n, int m, const double *v) {
  td_tensor *t = td_empty(td_cpu(), TD_F64, m ? 2 : 1, (int64_t[]){ n, m });
  return t && !td_write_f64(t, v) ? td_to_device(t, test_device()) : NULL;
}
static td_tensor *mt(td_tensor *x) { return td_transpose(x, -2, -1); }

/* Largest |a - b| over largest |b|; infinity when something is wrong. */
static double apart(td_tensor *a, td_tensor *b) {
  double d = INFINITY, s = 0;
  if (!a || !b) return INFINITY;
  a = td_cast(a, TD_F64);
  b = td_cast(b, TD_F64);
  if (td_numel(a) == 0) return 0;
  if (td_item(td_amax(td_abs(td_sub(a, b)), TD_ALL, false), &d, NULL) ||
      td_item(td_amax(td_abs(b), TD_ALL, false), &s, NULL)) return INFINITY;
  return d / (s > 0 ? s : 1);
}

static bool same_bytes(td_tensor *a, td_tensor *b) {
  size_t n = a ? (size_t)td_numel(a) * td_dtype_size(td_type(a)) : 0;
  char *p = malloc(n + 1), *q = malloc(n + 1);
  bool same = a && b && p && q && !td_read_bytes(a, p) &&
    !td_read_bytes(b, q) && !memcmp(p, q, n);
  free(p);
  free(q);
  return same;
}

/* a (m,k) b (k,n) by plain loops in f64. */
static td_tensor *plain_mm(td_tensor *a, td_tensor *b) {
  int64_t m = td_shape(a)[0], k = td_shape(a)[1], n = td_shape(b)[1];
  double *p = malloc((size_t)(m * k + 1) * sizeof *p);
  double *q = malloc((size_t)(k * n + 1) * sizeof *q);
  double *y = calloc((size_t)(m * n + 1), sizeof *y);
  td_tensor *t = td_empty(td_cpu(), TD_F64, 2, (int64_t[]){ m, n });
  if (p && q && y && !td_read_f64(a, p) && !td_read_f64(b, q)) {
    for (int64_t i = 0; i < m; i++)
      for (int64_t l = 0; l < k; l++)
        for (int64_t j = 0; j < n; j++)
          y[i * n + j] += p[i * k + l] * q[l * n + j];
    if (td_write_f64(t, y)) t = NULL;
  } else {
    t = NULL;
  }
  free(p);
  free(q);
  free(y);
  return td_to_device(t, test_device());
}

/* ---- products ---- */

/* Shapes that reach every path: narrow in each side, odd sizes, tiles, sums
** along k in parts. */
static const int64_t shapes[][3] = {
  { 1, 1, 1 }, { 3, 5, 2 }, { 70, 33, 1 }, { 70, 33, 3 }, { 300, 1200, 4 },
  { 1, 50, 40 }, { 50, 1, 40 }, { 3, 50, 1030 }, { 50, 4, 1030 },
  { 2, 2, 5000 }, { 4, 3, 20 }, { 1100, 2, 513 }, { 2, 1100, 513 },
  { 37, 41, 43 }, { 130, 129, 131 }, { 257, 300, 65 }, { 20, 24, 9000 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

enum { LAYOUTS = 4 };
/* The matrix (m,n) in memory of another layout: as it is, transposed, one row
** repeated, every second row and column of a larger one. */
static td_tensor *laid_out(td_dtype dt, int64_t m, int64_t n, int how,
                           uint64_t seed) {
  if (how == 0) return matrix(dt, m, n, seed);
  if (how == 1) return mt(matrix(dt, n, m, seed));
  if (how == 2) return td_expand(matrix(dt, 1, n, seed), TD_INTS(m, n));
  td_tensor *big = matrix(dt, 2 * m, 2 * n, seed);
  return td_slice(td_slice(big, 0, 0, m, 2), 1, 1, n, 2);
}

static void check_mm(td_dtype dt, double tolerance) {
  for (int s = 0; s < SHAPES; s++)
    for (int how = 0; how < LAYOUTS * LAYOUTS; how++) {
      int mark = td_scope_open();
      int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
      td_tensor *a = laid_out(dt, m, k, how / LAYOUTS, 1);
      td_tensor *b = laid_out(dt, k, n, how % LAYOUTS, 2);
      td_tensor *miss = td_abs(td_sub(td_mm(a, b), plain_mm(a, b)));
      double d = INFINITY;       /* beside k, the most a sum can be */
      if (td_item(td_amax(miss, TD_ALL, false), &d, NULL) ||
          !(d < tolerance * (double)k))
        FAIL("(%d,%d)(%d,%d) %s, layouts %d: off by %.2g", (int)m, (int)k,
             (int)k, (int)n, td_dtype_name(dt), how, d);
      td_scope_close(mark);
    }
}
TEST(mm_f64) { check_mm(TD_F64, 1e-15); }
TEST(mm_f32) { check_mm(TD_F32, 5e-7); }

TEST(mm_integers) {
  int64_t big = (int64_t)1 << 31;
  double v[] = { 1, 2, 3, 4, 5, 6 }, want[] = { 14, 32, 32, 77 };
  td_tensor *x = td_cast(values(2, 3, v), TD_I64);
  CHECK_VALUES(td_mm(x, mt(x)), 4, want, 0);
  x = td_cast(x, TD_I32);
  CHECK_VALUES(td_mm(x, mt(x)), 4, want, 0);
  td_tensor *b = td_full(test_device(), TD_I64, 2, (int64_t[]){ 1, 1 },
                         (double)big);
  CHECK_VALUES(td_mm(b, td_mul(b, td_int(2))), 1, (double[]){ -0x1p63 }, 0);
  CHECK(!td_mm(td_cast(x, TD_BOOL), td_cast(mt(x), TD_BOOL)));
  CHECK_ERROR(TD_EDTYPE, "bool");
}

TEST(mm_empty_and_nan) {
  td_tensor *y = td_mm(matrix(TD_F32, 2, 0, 1), matrix(TD_F32, 0, 3, 1));
  CHECK_VALUES(y, 6, ((double[6]){ 0 }), 0);
  y = td_bmm(numbers(TD_F32, 3, (int64_t[]){ 2, 2, 0 }, 1),
             numbers(TD_F32, 3, (int64_t[]){ 2, 0, 1 }, 1));
  CHECK_VALUES(y, 4, ((double[4]){ 0 }), 0);
  /* 0 times NaN is NaN on every path */
  for (int s = 0; s < SHAPES; s++) {
    int mark = td_scope_open();
    int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
    double nans;
    td_tensor *a = td_full(test_device(), TD_F32, 2, (int64_t[]){ m, k }, 0);
    td_tensor *b = td_full(test_device(), TD_F32, 2, (int64_t[]){ k, n }, NAN);
    td_tensor *all = td_sum(td_isnan(td_mm(a, b)), TD_ALL, false);
    REQUIRE(!td_item(all, &nans, NULL));
    CHECK_NEAR(nans, (double)(m * n), 0);
    td_scope_close(mark);
  }
}

TEST(batches) {
  static const int64_t sizes[][4] = {
    { 3, 5, 4, 6 }, { 200, 17, 19, 18 }, { 3, 260, 140, 250 }, { 40, 1, 64, 9 },
  };
  for (int s = 0; s < 4; s++) {
    int64_t n = sizes[s][0], m = sizes[s][1], k = sizes[s][2], q = sizes[s][3];
    td_tensor *a = numbers(TD_F64, 3, (int64_t[]){ n, m, k }, 3);
    td_tensor *b = td_transpose(numbers(TD_F64, 3, (int64_t[]){ n, q, k }, 4),
                                1, 2);
    td_tensor *one = td_expand(td_slice(b, 0, 0, 1, 1), TD_INTS(n, k, q));
    td_tensor *y = td_bmm(a, b), *z = td_bmm(a, one);
    for (int64_t i = 0; i < n; i += n / 3) {
      td_tensor *ai = td_select(a, 0, i);
      CHECK(apart(td_select(y, 0, i), plain_mm(ai, td_select(b, 0, i))) < 1e-14);
      CHECK(apart(td_select(z, 0, i), plain_mm(ai, td_select(b, 0, 0))) < 1e-14);
    }
  }
}

/* The same numbers for every number of threads. */
TEST(threads) {
  td_tensor *mm[SHAPES + 1], *other;
  for (int threads = 1; threads <= 5; threads += 2) {
    td_threads_set(threads);
    for (int s = 0; s <= SHAPES; s++) {
      int64_t big[3] = { 300, 700, 333 };
      const int64_t *z = s < SHAPES ? shapes[s] : big;
      td_tensor *y = td_mm(matrix(TD_F32, z[0], z[2], 5),
                           matrix(TD_F32, z[2], z[1], 6));
      if (threads == 1) mm[s] = y;
      else if (!same_bytes(y, mm[s])) FAIL("shape %d, %d threads", s, threads);
    }
    td_tensor *a = matrix(TD_F32, 333, 7, 7), *b = matrix(TD_F32, 900, 7, 8);
    static td_tensor *dist, *bmm;
    td_tensor *c = numbers(TD_F32, 3, (int64_t[]){ 90, 30, 31 }, 9);
    if (threads == 1) dist = td_cdist(a, b);
    CHECK(same_bytes(td_cdist(a, b), dist));
    if (threads == 1) bmm = td_bmm(c, mt(c));
    CHECK(same_bytes(other = td_bmm(c, mt(c)), bmm));
  }
  td_threads_set(0);
}

static void on_alarm(int sig) {
  (void)sig;
  td_interrupt_flag = 1;
}
TEST(interrupt) {
  struct itimerval soon = { .it_value = { .tv_usec = 30000 } };
  td_tensor *a = td_full(test_device(), TD_F64, 2, (int64_t[]){ 4000, 4000 }, 1);
  REQUIRE(a);
  signal(SIGALRM, on_alarm);
  setitimer(ITIMER_REAL, &soon, NULL);
  td_tensor *y = td_mm(a, a);
  td_interrupt_flag = 0;
  signal(SIGALRM, SIG_DFL);
  CHECK(!y);
  CHECK_ERROR(TD_EINTR, "mm: interrupted");
}

TEST(product_errors) {
  td_tensor *a = matrix(TD_F32, 2, 3, 1), *v = numbers(TD_F32, 1,
                                                       (int64_t[]){ 3 }, 1);
  td_tensor *c = numbers(TD_F32, 3, (int64_t[]){ 2, 2, 3 }, 1);
  CHECK(!td_mm(a, a));
  CHECK_ERROR(TD_ESHAPE, "(2,3) and (2,3): the inner sizes 3 and 2 differ");
  CHECK(!td_mm(a, v));
  CHECK_ERROR(TD_ESHAPE, "matmul takes vectors");
  CHECK(!td_matmul(a, td_num(2)));
  CHECK_ERROR(TD_ESHAPE, "0 dims");
  CHECK(!td_matmul(c, numbers(TD_F32, 3, (int64_t[]){ 3, 3, 2 }, 1)));
  CHECK_ERROR(TD_ESHAPE, "batch sizes 2 and 3");
  CHECK(!td_bmm(c, numbers(TD_F32, 3, (int64_t[]){ 1, 3, 2 }, 1)));
  CHECK_ERROR(TD_ESHAPE, "2 and 1 matrices");
  CHECK(!td_dot(v, a));
  CHECK_ERROR(TD_ESHAPE, "dot: needs two vectors");
  CHECK(!td_trace(v));
  CHECK_ERROR(TD_ESHAPE, "trace: needs a matrix");
  CHECK(!td_cov(td_slice(a, 0, 0, 1, 1), 1));
  CHECK_ERROR(TD_EARG, "nothing to divide by");
  CHECK(!td_cdist(a, matrix(TD_F32, 2, 4, 1)));
  CHECK_ERROR(TD_ESHAPE, "points of 3 and of 4 dims");
}

/* ---- distances and covariance ---- */

/* Points far from the origin: no digits are lost to it, in the distance or in
** its gradient. */
TEST(cdist_far_away) {
  double at[] = { 10000, -20000 }, step[] = { 3. / 1024, 4. / 1024 };
  td_tensor *a = td_cast(values(1, 2, at), TD_F32);
  td_tensor *b = td_add(a, td_cast(values(1, 2, step), TD_F32));
  td_tensor *both = td_requires_grad(a, true) ? NULL : td_cdist(a, b);
  CHECK_VALUES(both, 1, (double[]){ 5. / 1024 }, 0);
  REQUIRE(!td_backward(both, NULL, 0));
  CHECK_VALUES(td_gradient(a), 2, ((double[]){ -.6, -.8 }), 1e-6);
}

TEST(cdist_blocks) {
  for (int d = 1; d < 300; d = d * 3 + 1) {
    td_tensor *a = matrix(TD_F64, 67, d, 1), *b = matrix(TD_F64, 71, d, 2);
    td_tensor *gap = td_sub(td_unsqueeze(a, 1), td_unsqueeze(b, 0));
    td_tensor *want = td_sqrt(td_sum(td_square(gap), TD_INTS(-1), false));
    CHECK(apart(td_cdist(a, b), want) < 1e-14);
    CHECK(apart(td_cdist(td_contiguous(mt(a)), td_contiguous(mt(a))),
                td_cdist(mt(a), mt(a))) == 0);
  }
}

TEST(cdist_coinciding) {
  double v[] = { 1, 2, 1, 2, 4, 6 };
  td_tensor *x = values(3, 2, v), *g, *h;
  REQUIRE(!td_requires_grad(x, true));
  td_tensor *y = td_cdist(x, x);
  CHECK_VALUES(y, 9, ((double[]){ 0, 0, 5, 0, 0, 5, 5, 5, 0 }), 0);
  y = td_sum(y, TD_ALL, false);
  REQUIRE(!td_grad(1, &y, NULL, 1, &x, &g, TD_CREATE_GRAPH));
  CHECK_VALUES(g, 6, ((double[]){ -1.2, -1.6, -1.2, -1.6, 2.4, 3.2 }), 1e-14);
  g = td_sum(td_square(g), TD_ALL, false);
  REQUIRE(!td_grad(1, &g, NULL, 1, &x, &h, 0));
  double s;
  REQUIRE(!td_item(td_sum(td_isfinite(h), TD_ALL, false), &s, NULL));
  CHECK_NEAR(s, 6, 0);
}

TEST(cov_values) {
  double v[] = { 1, 2, 3, 6, 5, 4 };
  CHECK_VALUES(td_cov(values(3, 2, v), 1), 4,
               ((double[]){ 4, 2, 2, 4 }), 1e-14);
  CHECK_VALUES(td_cov(td_cast(values(3, 2, v), TD_I64), 0), 4,
               ((double[]){ 8. / 3, 4. / 3, 4. / 3, 8. / 3 }), 1e-6);
}

/* ---- decompositions ---- */

static td_tensor *positive(td_dtype dt, int64_t n, uint64_t seed) {
  td_tensor *x = matrix(dt, n, n, seed);
  return td_add(td_mul(td_mm(x, mt(x)), td_num(1. / (double)n)),
                td_mul(eye(dt, n), td_num(.1)));
}
static td_tensor *symmetric(td_dtype dt, int64_t n, uint64_t seed) {
  td_tensor *x = matrix(dt, n, n, seed);
  return td_add(x, mt(x));
}

static void check_identities(td_dtype dt, int64_t n, double tolerance) {
  td_tensor *s = positive(dt, n, 1), *y = symmetric(dt, n, 2);
  td_tensor *a = matrix(dt, n, n + 3, 3), *b = matrix(dt, n, 3, 4), *out[3];
  td_tensor *l = td_cholesky(s);
  CHECK(apart(td_mm(l, mt(l)), s) < tolerance);
  CHECK(apart(td_triu(l, 1), td_mul(l, td_num(0))) == 0);
  REQUIRE(!td_eigh(out, y));
  CHECK(apart(td_mm(td_mul(out[1], out[0]), mt(out[1])), y) < tolerance);
  CHECK(apart(td_mm(mt(out[1]), out[1]), eye(dt, n)) < tolerance);
  for (int wide = 0; wide < 2; wide++) {
    td_tensor *x = wide ? a : mt(a);
    REQUIRE(!td_svd(out, x));
    CHECK(apart(td_mm(td_mul(out[0], out[1]), out[2]), x) < tolerance);
    CHECK(apart(td_mm(mt(out[0]), out[0]), eye(dt, n)) < tolerance);
    CHECK(apart(td_mm(out[2], mt(out[2])), eye(dt, n)) < tolerance);
  }
  td_tensor *m = td_add(matrix(dt, n, n, 5), td_mul(eye(dt, n), td_num(3)));
  CHECK(apart(td_mm(m, td_solve(m, b)), b) < tolerance);
  CHECK(apart(td_mm(m, td_inverse(m)), eye(dt, n)) < tolerance);
  CHECK(apart(td_mm(l, td_solve_triangular(l, b, false, false)), b) <
        10 * tolerance);
  CHECK(apart(td_mm(mt(l), td_solve_triangular(l, b, false, true)), b) <
        10 * tolerance);
  CHECK(apart(td_mm(mt(l), td_solve_triangular(mt(l), b, true, false)), b) <
        10 * tolerance);
  td_tensor *r = td_sqrtm(s), *q = td_sylvester(s, y);
  CHECK(apart(td_mm(r, r), s) < tolerance);
  CHECK(apart(td_add(td_mm(s, q), td_mm(q, s)), y) < 10 * tolerance);
}
TEST(identities) {
  static const int64_t sizes[] = { 1, 2, 7, 40, 130 };
  for (int i = 0; i < 5; i++) {
    check_identities(TD_F64, sizes[i], 1e-12);
    check_identities(TD_F32, sizes[i], 2e-4);
  }
}

TEST(batches_of_matrices) {
  int64_t n = 100;
  td_tensor *x = numbers(TD_F64, 3, (int64_t[]){ n, 6, 6 }, 1), *w[2], *one[2];
  td_tensor *s = td_matmul(x, mt(x));
  REQUIRE(!td_eigh(w, s));
  td_tensor *b = matrix(TD_F64, 6, 2, 2), *y = td_solve(s, b);
  td_tensor *z = td_solve(td_select(s, 0, 3), td_unsqueeze(b, 0));
  for (int64_t i = 0; i < n; i += 33) {
    REQUIRE(!td_eigh(one, td_select(s, 0, i)));
    CHECK(apart(td_select(w[0], 0, i), one[0]) == 0);
    CHECK(apart(td_select(w[1], 0, i), one[1]) == 0);
    CHECK(apart(td_select(y, 0, i), td_solve(td_select(s, 0, i), b)) == 0);
  }
  CHECK(apart(td_select(z, 0, 0), td_select(y, 0, 3)) == 0);
}

TEST(known_values) {
  double v[] = { 4, 2, 2, 5 }, d[] = { 2, 0, 0, 9 };
  td_tensor *w[3];
  CHECK_VALUES(td_cholesky(values(2, 2, v)), 4, ((double[]){ 2, 0, 1, 2 }),
               1e-15);
  CHECK_VALUES(td_logdet(values(2, 2, v)), 1, (double[]){ log(16) }, 1e-14);
  CHECK_VALUES(td_sqrtm(values(2, 2, d)), 4,
               ((double[]){ sqrt(2), 0, 0, 3 }), 1e-14);
  REQUIRE(!td_eigh(w, values(2, 2, d)));
  CHECK_VALUES(w[0], 2, ((double[]){ 2, 9 }), 1e-14);
  CHECK_VALUES(w[1], 4, ((double[]){ 1, 0, 0, 1 }), 0);
  REQUIRE(!td_svd(w, values(2, 2, (double[]){ 0, -3, 2, 0 })));
  CHECK_VALUES(w[1], 2, ((double[]){ 3, 2 }), 1e-15);
  CHECK_VALUES(w[0], 4, ((double[]){ 1, 0, 0, 1 }), 1e-15);
  CHECK_VALUES(w[2], 4, ((double[]){ 0, -1, 1, 0 }), 1e-15);
}

/* The root of a multiple of the identity: all eigenvalues are equal, and the
** gradient is exact to any order: d tr(C x^1/2) = tr(C dx) / (2 sqrt(c)). */
TEST(sqrtm_of_equal_eigenvalues) {
  double c[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
  td_tensor *x = td_mul(eye(TD_F64, 3), td_num(4)), *w = values(3, 3, c), *g, *h;
  REQUIRE(!td_requires_grad(x, true));
  td_tensor *y = td_sum(td_mul(td_sqrtm(x), w), TD_ALL, false);
  REQUIRE(!td_grad(1, &y, NULL, 1, &x, &g, TD_CREATE_GRAPH));
  CHECK_VALUES(g, 9, ((double[]){ .25, .75, 1.25, .75, 1.25, 1.75, 1.25, 1.75,
                                  2.25 }), 1e-14);
  /* f(x) = tr(C x^1/2): second derivative along E is -tr(C E E) / 32 */
  td_tensor *e = symmetric(TD_F64, 3, 5);
  td_tensor *along = td_sum(td_mul(g, e), TD_ALL, false);
  REQUIRE(!td_grad(1, &along, NULL, 1, &x, &h, 0));
  double got, want;
  REQUIRE(!td_item(td_sum(td_mul(h, e), TD_ALL, false), &got, NULL));
  REQUIRE(!td_item(td_trace(td_mm(w, td_mm(e, e))), &want, NULL));
  CHECK_NEAR(got, -want / 32, 1e-13);
}

/* Rank 1 of 3: the root is exact, the gradient finite. */
TEST(sqrtm_of_low_rank) {
  double v[] = { 1, 2, 2 };
  td_tensor *u = td_unsqueeze(values(3, 0, v), 1), *x = td_mm(u, mt(u)), *g;
  x = td_detach(x);
  REQUIRE(!td_requires_grad(x, true));
  td_tensor *y = td_sqrtm(x);
  CHECK(apart(td_mul(y, td_num(3)), x) < 1e-14);
  y = td_trace(y);
  REQUIRE(!td_grad(1, &y, NULL, 1, &x, &g, 0));
  CHECK(apart(td_mul(g, td_num(54)), x) < 1e-12);       /* u u^T / (2 * 27) */
}

/* Functions of the eigenvalues alone have their gradient even where some are
** equal; eigenvectors add nothing that is not finite. */
TEST(eigh_of_equal_eigenvalues) {
  td_tensor *x = td_mul(eye(TD_F64, 3), td_num(2)), *w[2], *g;
  REQUIRE(!td_requires_grad(x, true));
  REQUIRE(!td_eigh(w, x));
  td_tensor *y = td_add(td_sum(td_square(w[0]), TD_ALL, false),
                        td_mul(td_sum(w[1], TD_ALL, false), td_num(0)));
  REQUIRE(!td_grad(1, &y, NULL, 1, &x, &g, 0));
  CHECK(apart(g, td_mul(x, td_num(2))) < 1e-15);
}

TEST(decomposition_errors) {
  double indefinite[] = { 1, 2, 0, 2, 1, 0, 0, 0, 1 };
  double singular[] = { 1, 2, 2, 4 }, askew[] = { 1, 5, 0, 1 };
  double nan[] = { 1, NAN, NAN, 1 }, inf[] = { INFINITY, 0, 0, 1 };
  td_tensor *out[3], *x = values(3, 3, indefinite), *v = values(2, 0, nan);
  CHECK(!td_cholesky(x));
  CHECK_ERROR(TD_EARG, "leading minor of order 2 is not positive");
  td_tensor *two = td_stack(TD_LIST(eye(TD_F64, 3), x), 0);
  CHECK(!td_logdet(two));
  CHECK_ERROR(TD_EARG, "logdet: matrix 2 of 2: not positive definite");
  CHECK(!td_sqrtm(x));
  CHECK_ERROR(TD_EARG, "smallest eigenvalue is -1");
  CHECK(!td_inverse(values(2, 2, singular)));
  CHECK_ERROR(TD_EARG, "inverse: the matrix is singular (pivot 2 is 0)");
  CHECK(!td_solve_triangular(values(2, 2, (double[]){ 1, 0, 1, 0 }),
                             values(2, 0, askew), false, false));
  CHECK_ERROR(TD_EARG, "element 2 of its diagonal is 0");
  CHECK(td_eigh(out, values(2, 2, askew)));
  CHECK_ERROR(TD_EARG, "not symmetric: elements across the diagonal differ by "
              "up to 5");
  CHECK(td_eigh(out, values(2, 2, nan)));
  CHECK_ERROR(TD_EARG, "eigh: holds NaN or infinity");
  CHECK(td_svd(out, values(2, 2, inf)));
  CHECK_ERROR(TD_EARG, "svd: holds NaN or infinity");
  CHECK(!td_cholesky(matrix(TD_F32, 2, 3, 1)));
  CHECK_ERROR(TD_ESHAPE, "needs a square matrix (or a batch of them), not (2,3)");
  CHECK(!td_solve(x, v));
  CHECK_ERROR(TD_ESHAPE, "the right-hand side has 2 rows, not 3");
  CHECK(!td_solve(two, numbers(TD_F64, 3, (int64_t[]){ 3, 3, 1 }, 1)));
  CHECK_ERROR(TD_ESHAPE, "batch sizes 2 and 3");
  CHECK(td_svd(out, v));
  CHECK_ERROR(TD_ESHAPE, "svd: needs a matrix");
  CHECK(!td_cholesky(td_cast(x, TD_I64)));
  CHECK_ERROR(TD_EDTYPE, "cholesky: needs f32 or f64, not i64");
}
