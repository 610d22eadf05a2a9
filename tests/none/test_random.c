/* test_random.c -- random draws: the generator itself, moments and
** distributions, and numbers that depend on the seed alone. */
#include "tests/test.h"
#include "tensor/op.h"
#include "tensor/philox.h"
#include <stdio.h>
#include <unistd.h>

static td_tensor *blank(td_dtype dt, int64_t n) {
  td_device("cpu");
  return td_full(td_cpu(), dt, 1, &n, 0);
}

static double *values(td_tensor *t) {
  static double *v;
  free(v);
  v = malloc(sizeof *v * (size_t)(t ? td_numel(t) : 1));
  if (!v || td_read_f64(t, v)) FAIL("cannot read: %s", td_error());
  return v;
}

static void same_bytes(td_tensor *a, td_tensor *b, const char *what) {
  size_t n = (size_t)(a ? td_numel(a) * (int64_t)td_dtype_size(td_type(a)) : 0);
  char *p = malloc(n + 1), *q = malloc(n + 1);
  if (!a || !b || td_numel(a) != td_numel(b) || td_read_bytes(a, p) ||
      td_read_bytes(b, q)) FAIL("%s: %s", what, td_error());
  else if (memcmp(p, q, n)) FAIL("%s: other numbers", what);
  free(p);
  free(q);
}

/* ---- the generator ---- */

/* Known answers of philox4x32-10: key, counter, words. */
TEST(philox_known_answers) {
  static const struct { uint32_t key[2], counter[4], want[4]; } known[] = {
    { { 0, 0 }, { 0, 0, 0, 0 },
      { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { { ~0u, ~0u }, { ~0u, ~0u, ~0u, ~0u },
      { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { { 0xa4093822, 0x299f31d0 },
      { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
      { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
  };
  for (int k = 0; k < 3; k++) {
    const uint32_t *c = known[k].counter;
    uint32_t w[4] = { c[0], c[1], c[2], c[3] };
    td_philox_words(&w[0], &w[1], &w[2], &w[3],
                    known[k].key[0] | (uint64_t)known[k].key[1] << 32);
    for (int i = 0; i < 4; i++) CHECK_INT(w[i], known[k].want[i]);
  }
}

TEST(blocks_are_rows_of_counters) {
  static const uint64_t at[] = { 0, 1000, 0xffffffe0u };   /* one carries */
  uint32_t block[4][TD_PHILOX_BLOCK], w[4];
  for (int k = 0; k < 3; k++) {
    td_philox_block(0x123456789abcdefu, at[k], block);
    for (int j = 0; j < TD_PHILOX_BLOCK; j++) {
      td_philox(0x123456789abcdefu, at[k] + (uint64_t)j, w);
      for (int i = 0; i < 4; i++) CHECK_INT(block[i][j], w[i]);
    }
  }
}

/* ---- distributions ---- */

typedef struct moments { double mean, var, skew, kurt, min, max; } moments;

static moments moments_of(const double *v, int64_t n) {
  moments m = { .min = INFINITY, .max = -INFINITY };
  for (int64_t i = 0; i < n; i++) {
    m.mean += v[i] / (double)n;
    m.min = fmin(m.min, v[i]);
    m.max = fmax(m.max, v[i]);
  }
  for (int64_t i = 0; i < n; i++) {
    double d = v[i] - m.mean;
    m.var += d * d / (double)n;
    m.skew += d * d * d / (double)n;
    m.kurt += d * d * d * d / (double)n;
  }
  m.skew /= pow(m.var, 1.5);
  m.kurt /= m.var * m.var;
  return m;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Largest gap between the empirical distribution and cdf, times sqrt(n); for
** draws from cdf it exceeds 1.95 in one case of a thousand. */
static double kolmogorov(double *v, int64_t n, double (*cdf)(double)) {
  double worst = 0;
  qsort(v, (size_t)n, sizeof *v, ascending);
  for (int64_t i = 0; i < n; i++) {
    double f = cdf(v[i]);
    worst = fmax(worst, fmax(f - (double)i / (double)n,
                             (double)(i + 1) / (double)n - f));
  }
  return worst * sqrt((double)n);
}
static double flat(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static double bell(double x) { return .5 * erfc(-x * M_SQRT1_2); }

enum { MANY = 400000 };

static void check_uniform(td_dtype dt) {
  td_seed(11);
  double *v = values(td_uniform(blank(dt, MANY), 0, 1));
  moments m = moments_of(v, MANY);
  double err = sqrt(1. / 12 / MANY);
  CHECK_NEAR(m.mean, .5, 4 * err);
  CHECK_NEAR(m.var, 1. / 12, 4 * sqrt(1. / 180 / MANY));
  CHECK_NEAR(m.kurt, 1.8, .02);
  CHECK(m.min >= 0 && m.max < 1 && m.min < 1e-4 && m.max > 1 - 1e-4);
  CHECK(kolmogorov(v, MANY, flat) < 1.95);
}
TEST(uniform_f32) { check_uniform(TD_F32); }
TEST(uniform_f64) { check_uniform(TD_F64); }

TEST(uniform_interval) {
  double *v = values(td_uniform(blank(TD_F32, 100000), -3, 7));
  moments m = moments_of(v, 100000);
  CHECK_NEAR(m.mean, 2, .05);
  CHECK(m.min >= -3 && m.max < 7 && m.min < -2.99 && m.max > 6.99);
  v = values(td_uniform(blank(TD_F32, 100), 2, 2));
  for (int i = 0; i < 100; i++) CHECK_NEAR(v[i], 2, 0);
}

/* The upper end stays out, even where rounding would reach it. */
TEST(uniform_is_half_open) {
  double *v = values(td_uniform(blank(TD_F32, MANY), 1e6, 1e6 + .25));
  for (int i = 0; i < MANY; i++)
    if (!(v[i] >= 1e6 && v[i] < 1e6 + .25)) FAIL("%.9g is outside", v[i]);
}

static void check_normal(td_dtype dt) {
  td_seed(12);
  double *v = values(td_normal(blank(dt, MANY), 0, 1));
  moments m = moments_of(v, MANY);
  CHECK_NEAR(m.mean, 0, 4 / sqrt(MANY));
  CHECK_NEAR(m.var, 1, 4 * sqrt(2. / MANY));
  CHECK_NEAR(m.skew, 0, 4 * sqrt(6. / MANY));
  CHECK_NEAR(m.kurt, 3, 4 * sqrt(24. / MANY));
  CHECK(m.max > 4 && m.max < 7 && m.min < -4 && m.min > -7);
  CHECK(kolmogorov(v, MANY, bell) < 1.95);
}
TEST(normal_f32) { check_normal(TD_F32); }
TEST(normal_f64) { check_normal(TD_F64); }

/* Neighbours, and values four apart (the lanes of one counter), are not
** related: correlations of values and of squares. */
static void check_independence(td_tensor *t, const char *what) {
  double *v = values(t), mean[2] = { 0 }, var[2] = { 0 };
  int64_t n = t ? td_numel(t) : 0;
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < 2; k++) mean[k] += (k ? v[i] * v[i] : v[i]) / (double)n;
  for (int lag = 0; lag <= 8; lag++)
    for (int k = 0; k < 2; k++) {
      double sum = 0;
      for (int64_t i = lag; i < n; i++) {
        double a = (k ? v[i] * v[i] : v[i]) - mean[k];
        double b = (k ? v[i - lag] * v[i - lag] : v[i - lag]) - mean[k];
        sum += a * b / (double)n;
      }
      if (lag == 0) var[k] = sum;
      else if (!(fabs(sum / var[k]) < 4.5 / sqrt((double)n)))
        FAIL("%s: correlation %.4f at lag %d, power %d", what, sum / var[k],
             lag, k + 1);
    }
}
TEST(independence) {
  td_seed(13);
  check_independence(td_uniform(blank(TD_F32, MANY), -1, 1), "uniform f32");
  check_independence(td_uniform(blank(TD_F64, MANY), -1, 1), "uniform f64");
  check_independence(td_normal(blank(TD_F32, MANY), 0, 1), "normal f32");
  check_independence(td_normal(blank(TD_F64, MANY), 0, 1), "normal f64");
}

TEST(mean_and_std_of_normal) {
  td_seed(14);
  moments m = moments_of(values(td_normal(blank(TD_F64, 100000), 5, .25)), 100000);
  CHECK_NEAR(m.mean, 5, .005);
  CHECK_NEAR(sqrt(m.var), .25, .005);
  double *v = values(td_normal(blank(TD_F32, 10), 3, 0));
  for (int i = 0; i < 10; i++) CHECK_NEAR(v[i], 3, 0);
}

TEST(bernoulli) {
  static const double p[] = { 0, .001, .3, .5, .999, 1 };
  td_seed(15);
  for (int k = 0; k < 6; k++) {
    double *v = values(td_bernoulli(blank(TD_F32, MANY), p[k])), sum = 0;
    for (int i = 0; i < MANY; i++) {
      if (v[i] != 0 && v[i] != 1) FAIL("%g is neither 0 nor 1", v[i]);
      sum += v[i];
    }
    CHECK_NEAR(sum / MANY, p[k], 4.5 * sqrt(p[k] * (1 - p[k]) / MANY));
  }
  CHECK_INT(td_type(td_bernoulli(blank(TD_BOOL, 4), .5)), TD_BOOL);
}

static void check_integers(td_dtype dt, int64_t lo, int64_t hi) {
  int n = 200000, cells = (int)(hi - lo + 1);
  double *count = calloc((size_t)cells, sizeof *count), chi = 0;
  double *v = values(td_integers(blank(dt, n), lo, hi));
  for (int i = 0; i < n; i++) {
    if (v[i] < (double)lo || v[i] > (double)hi || v[i] != floor(v[i]))
      FAIL("%g is not an integer from %d to %d", v[i], (int)lo, (int)hi);
    else count[(int)(v[i] - (double)lo)]++;
  }
  for (int c = 0; c < cells; c++) {
    double want = (double)n / cells;
    chi += (count[c] - want) * (count[c] - want) / want;
  }
  /* chi^2 with k degrees of freedom: mean k, variance 2k */
  if (!(fabs(chi - (cells - 1)) <= 4.5 * sqrt(2. * cells) + 1))
    FAIL("chi^2 is %.1f for %d cells", chi, cells);
  free(count);
}
TEST(integers) {
  td_seed(16);
  check_integers(TD_I64, 0, 9);
  check_integers(TD_I64, -3, 3);
  check_integers(TD_I32, 1, 100);
  check_integers(TD_F32, 0, 1);
  check_integers(TD_U8, 0, 255);
  check_integers(TD_I64, 7, 7);
}

/* An interval of 3/4 of all 64-bit integers: a draw by plain remainder would
** fall below its middle twice as often as above. */
TEST(wide_integers) {
  int64_t lo = INT64_MIN, hi = INT64_MIN / 2 + INT64_MAX;
  int64_t *v = malloc(sizeof *v * 100000), low = 0;
  REQUIRE(!td_read_i64(td_integers(blank(TD_I64, 100000), lo, hi), v));
  for (int i = 0; i < 100000; i++) {
    if (v[i] > hi) FAIL("outside");
    low += (uint64_t)v[i] - (uint64_t)lo < ((uint64_t)hi - (uint64_t)lo) / 2;
  }
  CHECK_NEAR((double)low / 100000, .5, .01);
  free(v);
}

/* ---- what the numbers depend on ---- */

TEST(same_seed_same_numbers) {
  td_seed(42);
  td_tensor *a = td_normal(blank(TD_F32, 1000), 0, 1);
  td_tensor *b = td_normal(blank(TD_F32, 1000), 0, 1);
  td_seed(42);
  same_bytes(td_normal(blank(TD_F32, 1000), 0, 1), a, "first");
  same_bytes(td_normal(blank(TD_F32, 1000), 0, 1), b, "second");
  double *v = values(td_eq(a, b)), equal = 0;
  for (int i = 0; i < 1000; i++) equal += v[i];
  CHECK(equal < 5);
  td_seed(43);
  v = values(td_eq(td_normal(blank(TD_F32, 1000), 0, 1), a));
  equal = 0;
  for (int i = 0; i < 1000; i++) equal += v[i];
  CHECK(equal < 5);
}

typedef td_tensor *(*draw_fn)(td_tensor *x);
static td_tensor *draw_uniform(td_tensor *x) { return td_uniform(x, -1, 1); }
static td_tensor *draw_normal(td_tensor *x) { return td_normal(x, 0, 1); }
static td_tensor *draw_bernoulli(td_tensor *x) { return td_bernoulli(x, .3); }
static td_tensor *draw_integers(td_tensor *x) { return td_integers(x, 0, 99); }
static const draw_fn draws[] = {
  draw_uniform, draw_normal, draw_bernoulli, draw_integers
};
static const char *const names[] = {
  "uniform", "normal", "bernoulli", "integers"
};
static const td_dtype types[] = { TD_F32, TD_F64 };
#define EACH_DRAW(k, t) \
  for (int k = 0; k < 4; k++) for (int t = 0; t < 2; t++)

TEST(threads_do_not_matter) {
  EACH_DRAW(k, t) {
    td_tensor *first = NULL;
    for (int threads = 1; threads <= 5; threads++) {
      td_threads_set(threads);
      td_seed(1);
      td_tensor *x = draws[k](blank(types[t], 300001));
      if (!first) first = x;
      same_bytes(x, first, names[k]);
    }
  }
  td_threads_set(0);
}

/* One draw of many is the same as draws of its parts: every counter serves a
** fixed number of elements (4, or 2 of 8 bytes). */
TEST(splitting_does_not_matter) {
  static const int64_t parts[] = { 4, 64, 1000, 3, 0, 2 };
  EACH_DRAW(k, t) {
    td_tensor *v[6];
    int64_t all = 0;
    int n = types[t] == TD_F64 ? 3 : 4;  /* 3 elements end inside a counter */
    td_seed(2);
    for (int i = 0; i < n; i++) {
      v[i] = draws[k](blank(types[t], parts[i]));
      all += parts[i];
    }
    td_seed(2);
    td_tensor *whole = draws[k](blank(types[t], all));
    same_bytes(td_cat((td_list){ n, v }, 0), whole, names[k]);
  }
}

/* Longer draws begin like shorter ones, whatever the shape. */
TEST(shape_does_not_matter) {
  EACH_DRAW(k, t) {
    int64_t shape[3] = { 7, 5, 3 };
    td_seed(3);
    td_tensor *flat = draws[k](blank(types[t], 105));
    td_seed(3);
    td_tensor *cube = draws[k](td_full(td_cpu(), types[t], 3, shape, 0));
    same_bytes(td_reshape(cube, TD_INTS(105)), flat, names[k]);
    td_seed(3);
    same_bytes(td_slice(draws[k](blank(types[t], 5000)), 0, 0, 105, 1), flat,
               names[k]);
  }
}

static td_tensor *in_place(const char *op, td_tensor *x, double a, double b) {
  double attr[2] = { a, b };
  return td_apply_(td_op_find(op), x, 2, attr);
}

/* In place, and over memory in another order: still row-major positions. */
TEST(layout_does_not_matter) {
  for (int t = 0; t < 2; t++) {
    int64_t shape[2] = { 30, 50 }, turned[2] = { 50, 30 }, wide[2] = { 30, 100 };
    td_seed(4);
    td_tensor *want = td_normal(td_full(td_cpu(), types[t], 2, shape, 0), 1, 2);
    td_tensor *x = td_full(td_cpu(), types[t], 2, shape, 0);
    td_seed(4);
    same_bytes(in_place("normal", x, 1, 2), want, "in place");
    x = td_transpose(td_full(td_cpu(), types[t], 2, turned, 0), 0, 1);
    td_seed(4);
    same_bytes(in_place("normal", x, 1, 2), want, "transposed");
    td_tensor *whole = td_full(td_cpu(), types[t], 2, wide, 0);
    x = td_slice(whole, 1, 0, 50, 2);
    td_seed(4);
    same_bytes(in_place("normal", x, 1, 2), want, "with gaps");
    double *v = values(td_slice(whole, 1, 1, 50, 2));
    for (int i = 0; i < 1500; i++) CHECK_NEAR(v[i], 0, 0);
  }
}

TEST(bf16_rounds_the_f32_draw) {
  td_seed(5);
  td_tensor *wide = td_normal(blank(TD_F32, 1000), 0, 1);
  td_seed(5);
  td_tensor *x = td_normal(blank(TD_BF16, 1000), 0, 1);
  CHECK_INT(td_type(x), TD_BF16);
  same_bytes(x, td_cast(wide, TD_BF16), "bf16");
}

TEST(streams) {
  td_rng mine = { 7, 0 }, saved;
  td_seed(7);
  td_tensor *want = td_normal(blank(TD_F32, 10), 0, 1);
  td_rng *old = td_rng_use(&mine);
  same_bytes(td_normal(blank(TD_F32, 10), 0, 1), want, "a stream of its own");
  CHECK_INT((int64_t)mine.offset, 3);
  saved = mine;
  want = td_uniform(blank(TD_F64, 9), 0, 1);
  CHECK_INT((int64_t)(mine.offset - saved.offset), 5);
  mine = saved;
  same_bytes(td_uniform(blank(TD_F64, 9), 0, 1), want, "a saved stream");
  td_rng_use(old);
  CHECK(td_rng_current() == old);
}

TEST(draws_have_no_gradient) {
  td_tensor *x = blank(TD_F32, 3), *y;
  td_requires_grad(x, true);
  y = td_normal(x, 0, 1);
  CHECK(y && (!td_needs_grad(y) || !td_backward(y, y, 0)));
  if (td_gradient(x)) {
    double *v = values(td_gradient(x));
    for (int i = 0; i < 3; i++) CHECK_NEAR(v[i], 0, 0);
  }
}

TEST(empty_and_single) {
  EACH_DRAW(k, t) {
    uint64_t before = td_rng_current()->offset;
    CHECK(draws[k](blank(types[t], 0)) != NULL);
    CHECK_INT((int64_t)(td_rng_current()->offset - before), 0);
    CHECK(draws[k](td_full(td_cpu(), types[t], 0, NULL, 0)) != NULL);
    CHECK_INT((int64_t)(td_rng_current()->offset - before), 1);
  }
}

TEST(wrong_parameters) {
  td_tensor *x = blank(TD_F32, 3), *i = blank(TD_I64, 3);
  CHECK(!td_uniform(x, 2, 1));
  CHECK_ERROR(TD_EARG, "uniform: low 2 is above high 1");
  CHECK(!td_uniform(x, NAN, 1));
  CHECK_ERROR(TD_EARG, "uniform");
  CHECK(!td_normal(x, 0, -1));
  CHECK_ERROR(TD_EARG, "std");
  CHECK(!td_bernoulli(x, 1.5));
  CHECK_ERROR(TD_EARG, "1.5");
  CHECK(!td_integers(x, 3, 2));
  CHECK_ERROR(TD_EARG, "low 3");
  CHECK(!td_normal(i, 0, 1));
  CHECK_ERROR(TD_EDTYPE, "normal");
}

/* ---- the same on every machine ---- */

static uint64_t digest(uint64_t h, td_tensor *t) {
  size_t n = (size_t)td_numel(t) * td_dtype_size(td_type(t));
  unsigned char *p = malloc(n);
  if (!p || td_read_bytes(t, p)) { FAIL("%s", td_error()); n = 0; }
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
  free(p);
  return h;
}

/* Prints a number for all draws; the next case runs it under other instruction
** sets and compares. */
TEST(numbers_of_this_machine) {
  uint64_t h = 0xcbf29ce484222325u;
  td_seed(99);
  EACH_DRAW(k, t) h = digest(h, draws[k](blank(types[t], 10007)));
  printf("# digest %016" PRIx64 "\n", h);
}

static uint64_t digest_under(const char *isa) {
  char exe[4096], command[4400], line[256];
  uint64_t h = 0;
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  exe[n > 0 ? n : 0] = 0;
  snprintf(command, sizeof command,
           "TIDE_ISA=%s '%s' numbers_of_this_machine", isa, exe);
  FILE *f = popen(command, "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "# digest %" SCNx64, &h) == 1) break;
  if (f) pclose(f);
  return h;
}

TEST(instruction_sets_agree) {
  uint64_t want = digest_under("base");
  CHECK(want != 0);
  CHECK(digest_under("v3") == want);
  CHECK(digest_under("v4") == want);
}
