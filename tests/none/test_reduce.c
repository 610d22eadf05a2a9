/* test_reduce.c -- CPU kernels of reductions, scans, orders and indexing against
** the obvious loop, over random shapes, layouts and types. */
#include "tests/layout.h"
#include "tensor/op.h"

enum { ROUNDS = 400, MOST = 60000 };

static const td_dtype types[] = { TD_BOOL, TD_U8, TD_I32, TD_I64, TD_BF16,
                                  TD_F32, TD_F64 };

static void compare(const char *what, td_tensor *y, const double *want,
                    int64_t n, double tol) {
  if (!y) { FAIL("%s: %s", what, td_error()); return; }
  if (td_numel(y) != n) { FAIL("%s: %lld values", what, (long long)td_numel(y)); return; }
  double *got = values(y);
  for (int64_t i = 0; i < n; i++)
    if (!(got[i] == want[i] || fabs(got[i] - want[i]) <= tol * (1 + fabs(want[i])) ||
          (isnan(got[i]) && isnan(want[i])))) {
      FAIL("%s: value %lld is %.9g, not %.9g", what, (long long)i, got[i], want[i]);
      break;
    }
  free(got);
}

/* ---- reductions ---- */

typedef td_tensor *(*reduction)(td_tensor *, td_ints, bool);
enum { SUM, PROD, AMAX, AMIN, ANY, ALL, LSE, NREDUCE };
static const reduction reductions[] = { td_sum, td_prod, td_amax, td_amin, td_any,
                                        td_all, td_logsumexp };
static const double starts[] = { 0, 1, -INFINITY, INFINITY, 0, 1, 0 };

static void fold(int which, double *s, double v) {
  switch (which) {
    case SUM: *s += v; break;
    case PROD: *s *= v; break;
    case AMAX: if (v > *s || isnan(v)) *s = v; break;
    case AMIN: if (v < *s || isnan(v)) *s = v; break;
    case ANY: if (v != 0) *s = 1; break;
    case ALL: if (v == 0) *s = 0; break;
    default: *s += exp(v);
  }
}

/* The result of reducing v over the dims of mask, in row-major order. */
static double *reduced(int which, const double *v, const shape *s,
                       const bool *mask, int64_t *count) {
  int64_t n = numel(s), m = 1;
  for (int d = 0; d < s->n; d++) if (!mask[d]) m *= s->size[d];
  double *y = malloc((size_t)(m + 1) * sizeof *y);
  for (int64_t i = 0; i < m; i++) y[i] = starts[which];
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i, at = 0, step = 1;
    for (int d = s->n - 1; d >= 0; d--) {
      int64_t k = rest % s->size[d];
      rest /= s->size[d];
      if (mask[d]) continue;
      at += k * step;
      step *= s->size[d];
    }
    fold(which, &y[at], v[i]);
  }
  if (which == LSE) for (int64_t i = 0; i < m; i++) y[i] = log(y[i]);
  *count = m;
  return y;
}

static void check_reduction(td_tensor *x, const shape *s, int which) {
  bool mask[TD_MAXDIM] = { false }, empty = numel(s) == 0;
  int64_t dims[TD_MAXDIM], m;
  int n = 0;
  for (int d = 0; d < s->n; d++)
    if ((mask[d] = below(2))) dims[n++] = below(2) ? d : d - s->n;
  if (empty && (which == AMAX || which == AMIN)) return;
  double *v = values(x), *want = reduced(which, v, s, mask, &m);
  td_dtype dt = td_type(x);
  double tol = which == LSE ? (dt == TD_BF16 ? 1e-2 : dt == TD_F64 ? 1e-12 : 1e-6)
    : dt == TD_BF16 ? 4e-3 : 0;
  char what[80];
  snprintf(what, sizeof what, "reduction %d of %s", which, td_dtype_name(dt));
  compare(what, reductions[which](x, (td_ints){ n, dims }, below(2)), want, m, tol);
  free(v);
  free(want);
}

TEST(reductions_of_any_layout) {
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    shape s = random_shape(MOST);
    td_dtype dt = types[below(7)];
    int which = (int)below(NREDUCE);
    int64_t lo = which == PROD ? 1 : which == ALL ? 1 : 0;
    int64_t hi = dt == TD_BOOL || which == PROD ? 1 : which == ANY ? 0 : 9;
    td_tensor *x = random_tensor(dt, &s, lo, hi);
    REQUIRE(x);
    if ((which == ANY || which == ALL || which == PROD) && numel(&s)) {
      int64_t at[TD_MAXDIM];
      for (int d = 0; d < s.n; d++) at[d] = below(s.size[d]);
      REQUIRE(!td_set(x, at, which == ALL ? 0 : dt == TD_BOOL ? 1 : 2));
    }
    check_reduction(x, &s, which);
    td_scope_close(mark);
  }
}

/* Long ones are cut into pieces, by rows, by columns and in between. */
TEST(long_reductions) {
  shape shapes[] = { { 1, { 400003 } }, { 2, { 3, 150001 } }, { 2, { 150001, 3 } },
    { 2, { 1000, 300 } }, { 3, { 7, 300, 150 } }, { 3, { 300, 2, 300 } },
    { 4, { 3, 70, 5, 200 } } };
  for (int k = 0; k < 7; k++)
    for (int threads = 1; threads <= 3; threads++) {
      td_threads_set(threads);
      for (int round = 0; round < 6; round++) {
        int mark = td_scope_open();
        td_tensor *x = random_tensor(round & 1 ? TD_F32 : TD_I64, &shapes[k], -9, 9);
        REQUIRE(x);
        check_reduction(x, &shapes[k], (int)(SUM + 2 * below(2)));
        td_scope_close(mark);
      }
    }
  td_threads_set(0);
}

static td_tensor *normals(td_dtype dt, int n, const int64_t *size) {
  td_tensor *t = td_empty(td_cpu(), dt, n, size);
  return t ? td_normal(t, 0, 1) : NULL;
}

/* The same bytes whatever the number of threads. */
TEST(threads_change_nothing) {
  int64_t sizes[3][3] = { { 1, 1, 900001 }, { 3001, 1, 307 }, { 50, 401, 33 } };
  for (int k = 0; k < 3; k++)
    for (int dim = -1; dim < 3; dim++) {
      int mark = td_scope_open();
      td_tensor *x = normals(TD_F32, 3, sizes[k]);
      REQUIRE(x);
      float *first = NULL, *again = NULL;
      for (int threads = 1; threads <= 5; threads += 2) {
        td_threads_set(threads);
        int64_t d = dim;
        td_tensor *y = td_sum(x, dim < 0 ? TD_ALL : (td_ints){ 1, &d }, false);
        td_tensor *z = td_logsumexp(x, dim < 0 ? TD_ALL : (td_ints){ 1, &d }, false);
        REQUIRE(y && z);
        size_t bytes = (size_t)td_numel(y) * sizeof(float);
        float *now = malloc(2 * bytes);
        REQUIRE(!td_read_bytes(y, now) && !td_read_bytes(z, (char *)now + bytes));
        if (first) {
          CHECK(memcmp(first, now, 2 * bytes) == 0);
          again = now;
          free(again);
        } else {
          first = now;
        }
      }
      free(first);
      td_scope_close(mark);
    }
  td_threads_set(0);
}

/* A million floats near 1: pairwise or better, not one after the other. */
TEST(sums_are_accurate) {
  int64_t n = 1000000, two[2] = { 500000, 2 };
  td_tensor *x = td_full(td_cpu(), TD_F32, 1, &n, .1);
  double one = 0;
  REQUIRE(!td_item(td_sum(x, TD_ALL, false), &one, NULL));
  CHECK_NEAR(one, 1e6 * (double).1f, 2e-2);
  td_tensor *y = td_sum(td_view(x, (td_ints){ 2, two }), TD_INTS(0), false);
  CHECK_VALUES(y, 2, ((double[]){ 5e5 * (double).1f, 5e5 * (double).1f }), 1e-2);
  REQUIRE(!td_item(td_logsumexp(x, TD_ALL, false), &one, NULL));
  CHECK_NEAR(one, .1 + log(1e6), 2e-6);
}

TEST(nan_wins_and_infinities_hold) {
  int64_t n[2] = { 2, 100 };
  td_tensor *x = td_full(td_cpu(), TD_F32, 2, n, 1);
  REQUIRE(!td_set(x, (int64_t[]){ 0, 70 }, NAN));
  REQUIRE(!td_set(x, (int64_t[]){ 1, 3 }, 5));
  for (int dim = 0; dim < 2; dim++) {
    td_tensor *hi = td_amax(x, TD_INTS(dim), false);
    td_tensor *lo = td_amin(x, TD_INTS(dim), false);
    double v;
    REQUIRE(hi && lo && !td_get(hi, (int64_t[]){ dim ? 0 : 70 }, &v, NULL));
    CHECK(isnan(v));
    REQUIRE(!td_get(lo, (int64_t[]){ dim ? 0 : 70 }, &v, NULL));
    CHECK(isnan(v));
    REQUIRE(!td_get(hi, (int64_t[]){ dim ? 1 : 3 }, &v, NULL));
    CHECK_NEAR(v, 5, 0);
  }
  CHECK_VALUES(td_argmax(x, 1, false), 2, ((double[]){ 70, 3 }), 0);
  CHECK_VALUES(td_argmin(x, 1, false), 2, ((double[]){ 70, 0 }), 0);
  td_tensor *y = td_full(td_cpu(), TD_F64, 2, n, -INFINITY);
  CHECK_VALUES(td_logsumexp(y, TD_INTS(1), false), 2,
               ((double[]){ -INFINITY, -INFINITY }), 0);
  REQUIRE(!td_set(y, (int64_t[]){ 1, 3 }, INFINITY));
  CHECK_VALUES(td_logsumexp(y, TD_INTS(1), false), 2,
               ((double[]){ -INFINITY, INFINITY }), 0);
  td_tensor *low = td_full(td_cpu(), TD_F64, 2, n, -1e5);   /* exp(1e5) overflows */
  double want = -1e5 + log((double)n[1]);
  CHECK_VALUES(td_logsumexp(low, TD_INTS(1), false), 2, ((double[]){ want, want }), 1e-9);
  CHECK_VALUES(td_logsumexp(low, TD_ALL, false), 1, ((double[]){ want + log(2) }), 1e-9);
}

/* ---- along one dim ---- */

/* Calls f for every line of v along dim with its elements brought together. */
static void each_line(double *v, const shape *s, int dim,
                      void (*f)(double *line, int64_t n, double *extra, int64_t at),
                      double *extra) {
  int64_t inner = 1, outer = 1, n = s->n ? s->size[dim] : 1;
  for (int d = 0; d < s->n; d++)
    if (d < dim) outer *= s->size[d];
    else if (d > dim) inner *= s->size[d];
  double *line = malloc((size_t)(n + 1) * sizeof *line);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++) {
      double *base = v + o * n * inner + i;
      for (int64_t k = 0; k < n; k++) line[k] = base[k * inner];
      f(line, n, extra, o * inner + i);
      for (int64_t k = 0; k < n; k++) base[k * inner] = line[k];
    }
  free(line);
}
static void line_cumsum(double *x, int64_t n, double *extra, int64_t at) {
  (void)extra; (void)at;
  for (int64_t k = 1; k < n; k++) x[k] += x[k - 1];
}
static void line_softmax(double *x, int64_t n, double *extra, int64_t at) {
  double s = 0;
  (void)extra; (void)at;
  for (int64_t k = 0; k < n; k++) s += exp(x[k]);
  for (int64_t k = 0; k < n; k++) x[k] = exp(x[k]) / s;
}
static void line_argmax(double *x, int64_t n, double *extra, int64_t at) {
  int64_t best = 0;
  for (int64_t k = 1; k < n; k++) if (x[k] > x[best]) best = k;
  extra[at] = (double)best;
}

TEST(lines_of_any_layout) {
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    shape s = random_shape(MOST);
    td_dtype dt = types[below(7)];
    int dim = s.n ? (int)below(s.n) : 0;
    int64_t n = numel(&s), len = s.n ? s.size[dim] : 1;
    td_tensor *x = random_tensor(dt, &s, 0, dt == TD_BOOL ? 1 : 9);
    REQUIRE(x);
    double *v = values(x), *w = malloc((size_t)(n + 1) * sizeof *w);
    double tol = dt == TD_BF16 ? 1e-2 : dt == TD_F64 ? 1e-13 : 1e-6;
    memcpy(w, v, (size_t)n * sizeof *w);
    each_line(w, &s, dim, line_cumsum, NULL);
    compare("cumsum", td_cumsum(x, dim), w, n, tol);
    memcpy(w, v, (size_t)n * sizeof *w);
    each_line(w, &s, dim, line_softmax, NULL);
    compare("softmax", td_softmax(x, dim), w, n, tol);
    for (int64_t i = 0; i < n; i++) w[i] = log(w[i]);
    compare("log_softmax", td_log_softmax(x, dim), w, n, tol);
    if (len && n) {
      each_line(v, &s, dim, line_argmax, w);
      compare("argmax", td_argmax(x, dim, below(2)), w, n / len, 0);
    }
    free(v); free(w);
    td_scope_close(mark);
  }
}

/* ---- orders ---- */

typedef struct item { double v; int64_t at; } item;
static int ascending(const void *a, const void *b) {
  const item *x = a, *y = b;
  if (isnan(x->v) != isnan(y->v)) return isnan(x->v) ? 1 : -1;
  if (x->v != y->v && !isnan(x->v)) return x->v < y->v ? -1 : 1;
  return x->at < y->at ? -1 : 1;
}
static int descending(const void *a, const void *b) {
  const item *x = a, *y = b;
  if (isnan(x->v) != isnan(y->v)) return isnan(x->v) ? -1 : 1;
  if (x->v != y->v && !isnan(x->v)) return x->v > y->v ? -1 : 1;
  return x->at < y->at ? -1 : 1;
}

/* Compares the first k of each line of `len`, sorted, with values and places. */
static void check_order(td_tensor **out, const double *v, int64_t lines,
                        int64_t len, int64_t k, bool down) {
  double *got = values(out[0]), *at = values(out[1]);
  item *line = malloc((size_t)(len + 1) * sizeof *line);
  for (int64_t r = 0; r < lines; r++) {
    for (int64_t i = 0; i < len; i++) line[i] = (item){ v[r * len + i], i };
    qsort(line, (size_t)len, sizeof *line, down ? descending : ascending);
    for (int64_t i = 0; i < k; i++)
      if ((int64_t)at[r * k + i] != line[i].at ||
          !(got[r * k + i] == line[i].v || isnan(line[i].v))) {
        FAIL("line %lld, place %lld of %lld: %g from %g, not %g from %lld",
             (long long)r, (long long)i, (long long)len, got[r * k + i],
             at[r * k + i], line[i].v, (long long)line[i].at);
        i = k, r = lines;
      }
  }
  free(got); free(at); free(line);
}

TEST(sort_and_topk) {
  static const int64_t lengths[] = { 1, 2, 5, 31, 32, 33, 100, 3000 };
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    int64_t len = lengths[below(8)];
    shape s = { 2, { 1 + below(5), len } };
    td_dtype dt = types[below(7)];
    int64_t wide = dt == TD_BOOL ? 1 : dt == TD_U8 ? 255 : below(2) ? 5 : 100000;
    td_tensor *x = random_tensor(dt, &s, td_dtype_is_float(dt) || dt >= TD_I32 ?
                                 -wide : 0, wide), *out[2];
    REQUIRE(x);
    if (dt >= TD_F32 && len > 4) REQUIRE(!td_set(x, (int64_t[]){ 0, 3 }, NAN));
    bool down = below(2), turn = below(2);
    int64_t k = 1 + below(len), at = turn ? 0 : 1;
    double *v = values(x);
    if (turn) x = td_t(x);
    REQUIRE(!td_sort(out, x, at, down));
    if (turn) { out[0] = td_t(out[0]); out[1] = td_t(out[1]); }
    check_order(out, v, s.size[0], len, len, down);
    REQUIRE(!td_topk(out, x, k, at, down));
    if (turn) { out[0] = td_t(out[0]); out[1] = td_t(out[1]); }
    check_order(out, v, s.size[0], len, k, down);
    free(v);
    td_scope_close(mark);
  }
}

TEST(equal_zeros_keep_their_order) {
  int64_t n = 5;
  for (int dt = TD_F32; dt <= TD_F64; dt++) {
    td_tensor *x = td_empty(td_cpu(), (td_dtype)dt, 1, &n), *out[2];
    REQUIRE(x && !td_write_f64(x, (double[]){ 0., -0., 0., -1, -0. }));
    REQUIRE(!td_sort(out, x, 0, false));
    CHECK_VALUES(out[1], 5, ((double[]){ 3, 0, 1, 2, 4 }), 0);
    REQUIRE(!td_sort(out, x, 0, true));
    CHECK_VALUES(out[1], 5, ((double[]){ 0, 1, 2, 4, 3 }), 0);
  }
}

/* ---- indexing ---- */

TEST(index_ops_of_any_layout) {
  for (int round = 0; round < ROUNDS; round++) {
    int mark = td_scope_open();
    shape s = { 3, { 1 + below(6), 1 + below(40), 1 + below(6) } }, si = s, ss = s;
    td_dtype dt = types[1 + below(6)];
    int dim = (int)below(3);
    int64_t m = below(50), in = 1, n = numel(&s);
    si.size[dim] = m;
    ss.size[dim] = m;
    for (int d = dim + 1; d < 3; d++) in *= s.size[d];
    td_tensor *x = random_tensor(dt, &s, 0, 9), *src = random_tensor(dt, &ss, 0, 3);
    td_tensor *each = random_tensor(TD_I64, &si, 0, s.size[dim] - 1);
    td_tensor *some = random_tensor(TD_I32, &(shape){ 1, { m } }, 0, s.size[dim] - 1);
    REQUIRE(x && src && each && some);
    double *v = values(x), *e = values(each), *o = values(some), *f = values(src);
    int64_t ni = numel(&si);
    double *w = malloc((size_t)(ni + 1) * sizeof *w), *a = values(x), *b = values(x);
    double *u = malloc((size_t)(ni + 1) * sizeof *u);
    for (int64_t i = 0; i < ni; i++) {
      int64_t k = i / in % m, base = i / in / m * s.size[dim] * in + i % in;
      w[i] = v[base + (int64_t)e[i] * in];
      u[i] = v[base + (int64_t)o[k] * in];
      a[base + (int64_t)e[i] * in] += f[i];
      b[base + (int64_t)o[k] * in] += f[i];
    }
    double tol = dt == TD_BF16 ? 8e-3 : 0;
    compare("gather", td_gather(x, dim, each), w, ni, 0);
    compare("index_select", td_index_select(x, dim, some), u, ni, 0);
    compare("scatter_add", td_scatter_add(x, dim, each, src), a, n, tol);
    compare("index_add", td_index_add(x, dim, some, src), b, n, tol);
    free(v); free(e); free(o); free(f); free(w); free(u); free(a); free(b);
    td_scope_close(mark);
  }
}

TEST(positions_out_of_range) {
  int64_t n = 5, m = 2;
  td_tensor *x = td_full(td_cpu(), TD_F32, 1, &n, 1);
  td_tensor *at = td_empty(td_cpu(), TD_I64, 1, &m);
  double bad[] = { -1, 5 };
  for (int k = 0; k < 2; k++) {
    REQUIRE(!td_write_f64(at, (double[]){ 0, bad[k] }));
    CHECK(!td_gather(x, 0, at));
    CHECK_ERROR(TD_EARG, k ? "position 6" : "position 0");
    CHECK(!td_index_select(x, 0, at));
    CHECK_ERROR(TD_EARG, "from 1 to 5");
    CHECK(!td_scatter_add(x, 0, at, td_full(td_cpu(), TD_F32, 1, &m, 1)));
    CHECK_ERROR(TD_EARG, "does not exist");
    CHECK(!td_index_add(x, 0, at, td_full(td_cpu(), TD_F32, 1, &m, 1)));
    CHECK_ERROR(TD_EARG, "does not exist");
  }
}

TEST(joins_flips_nonzero) {
  for (int round = 0; round < 200; round++) {
    int mark = td_scope_open();
    shape s = { 2, { 1 + below(9), 1 + below(70) } }, t = { 2, { s.size[0], below(9) } };
    td_dtype dt = types[below(7)];
    td_tensor *x = random_tensor(dt, &s, 0, 1), *y = random_tensor(dt, &t, 0, 1);
    REQUIRE(x && y);
    int64_t r = s.size[0], c = s.size[1], d = t.size[1], hits = 0;
    double *vx = values(x), *vy = values(y);
    double *join = malloc((size_t)(r * (c + d)) * sizeof *join);
    double *flip = malloc((size_t)(r * c) * sizeof *flip);
    double *spot = malloc((size_t)(2 * r * c) * sizeof *spot);
    double *wide = calloc((size_t)(r * (2 * c + 3)), sizeof *wide);
    for (int64_t i = 0; i < r; i++) {
      for (int64_t j = 0; j < c; j++) {
        join[i * (c + d) + j] = vx[i * c + j];
        flip[(r - 1 - i) * c + c - 1 - j] = vx[i * c + j];
        wide[i * (2 * c + 3) + 1 + 2 * j] = vx[i * c + j];
        if (vx[i * c + j] == 0) continue;
        spot[2 * hits] = (double)i;
        spot[2 * hits++ + 1] = (double)j;
      }
      for (int64_t j = 0; j < d; j++) join[i * (c + d) + c + j] = vy[i * d + j];
    }
    compare("cat", td_cat(TD_LIST(x, y), 1), join, r * (c + d), 0);
    compare("flip", td_flip(x, TD_ALL), flip, r * c, 0);
    compare("nonzero", td_nonzero(x), spot, 2 * hits, 0);
    compare("unslice", td_unslice(x, 1, 2 * c + 3, 1, 2), wide, r * (2 * c + 3), 0);
    free(vx); free(vy); free(join); free(flip); free(spot); free(wide);
    td_scope_close(mark);
  }
}
