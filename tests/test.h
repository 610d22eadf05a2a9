/* test.h -- a C test program in one header: cases, checks, TAP output.
**
** A file in tests/none or tests/device includes this once and defines cases:
**
**   TEST(sum_of_empty) { CHECK_NEAR(total, 0, 0); }
**
** Each case runs in a scope of its own and must leave no tensor alive.  A
** failed check is reported and the case goes on; REQUIRE leaves the case.
** Programs in tests/device start with TEST_NEEDS_DEVICE and use test_device().
** Arguments on the command line select cases whose name contains one of them. */
#ifndef TD_TEST_H
#define TD_TEST_H
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/tensor.h"

typedef struct test_case {
  const char *name;
  void (*run)(void);
  struct test_case *next;
} test_case;

static test_case *test_first, **test_last = &test_first;
static int test_failures;       /* failed checks of the running case */
static const char *test_skip;   /* reason, when the case skipped itself */
static bool test_wants_device;  /* the program needs $DEVICE */

enum { TEST_MAX_REPORTS = 10 }; /* failed checks shown per case */

#define TEST(id) \
  static void test_run_##id(void); \
  __attribute__((constructor)) static void test_add_##id(void) { \
    static test_case c = { #id, test_run_##id, NULL }; \
    *test_last = &c; \
    test_last = &c.next; \
  } \
  static void test_run_##id(void)

#define TEST_NEEDS_DEVICE \
  __attribute__((constructor)) static void test_add_device(void) { \
    test_wants_device = true; \
  }

/* The device that the tests of tests/device are about: $DEVICE, else the CPU. */
static inline td_backend *test_device(void) {
  const char *name = getenv("DEVICE");
  return td_device(name && *name ? name : "cpu");
}

/* Counts a failure and reports it; `what` is printf-like. */
__attribute__((format(printf, 3, 4), unused))
static void test_fail(const char *file, int line, const char *what, ...) {
  va_list ap;
  test_failures++;
  if (test_failures > TEST_MAX_REPORTS) return;
  printf("# %s:%d: ", file, line);
  va_start(ap, what);
  vprintf(what, ap);
  va_end(ap);
  putchar('\n');
}

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(reason) do { test_skip = (reason); return; } while (0)
#define CHECK(cond) \
  do { if (!(cond)) FAIL("not true: %s", #cond); } while (0)
#define REQUIRE(cond) \
  do { if (!(cond)) { \
    FAIL("not true: %s (%s)", #cond, td_error()); return; \
  } } while (0)
#define CHECK_INT(got, want) \
  do { \
    int64_t g_ = (got), w_ = (want); \
    if (g_ != w_) \
      FAIL("%s is %" PRId64 ", not %" PRId64, #got, g_, w_); \
  } while (0)
/* |got - want| <= tol; NaN equals NaN, an infinity equals itself. */
#define CHECK_NEAR(got, want, tol) \
  do { \
    double g_ = (got), w_ = (want), t_ = (tol); \
    if (!(g_ == w_ || (isnan(g_) && isnan(w_)) || fabs(g_ - w_) <= t_)) \
      FAIL("%s is %.17g, not %.17g (off by %.3g, allowed %.3g)", #got, g_, \
           w_, fabs(g_ - w_), t_); \
  } while (0)
#define CHECK_STR(got, want) \
  do { \
    const char *g_ = (got), *w_ = (want); \
    if (!g_ || !w_ || strcmp(g_, w_) != 0) \
      FAIL("%s is \"%s\", not \"%s\"", #got, g_ ? g_ : "(null)", \
           w_ ? w_ : "(null)"); \
  } while (0)
/* The text `got` contains `part`. */
#define CHECK_HAS(got, part) \
  do { \
    const char *g_ = (got), *p_ = (part); \
    if (!g_ || !strstr(g_, p_)) \
      FAIL("%s is \"%s\" and lacks \"%s\"", #got, g_ ? g_ : "(null)", p_); \
  } while (0)
/* The call failed with `code`, and td_error() contains `part`. */
#define CHECK_ERROR(code, part) \
  do { \
    CHECK_INT(td_error_code(), (code)); \
    CHECK_HAS(td_error(), (part)); \
    td_error_clear(); \
  } while (0)
/* The tensor holds exactly n values, each within tol of want[i]. */
#define CHECK_VALUES(t, n, want, tol) \
  test_values(__FILE__, __LINE__, (t), (n), (want), (tol))

__attribute__((unused))
static void test_values(const char *file, int line, td_tensor *t, int64_t n,
                        const double *want, double tol) {
  if (!t) { test_fail(file, line, "no tensor: %s", td_error()); return; }
  if (td_numel(t) != n) {
    test_fail(file, line, "%" PRId64 " values, not %" PRId64, td_numel(t), n);
    return;
  }
  double *got = malloc((size_t)(n ? n : 1) * sizeof *got);
  if (!got || td_read_f64(t, got) != TD_OK)
    test_fail(file, line, "cannot read: %s", td_error());
  else
    for (int64_t i = 0; i < n; i++)
      if (!(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])) ||
            fabs(got[i] - want[i]) <= tol))
        test_fail(file, line, "value %" PRId64 " is %.17g, not %.17g", i,
                  got[i], want[i]);
  free(got);
}

static bool test_selected(const char *name, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strstr(name, argv[i])) return true;
  return argc < 2;
}

/* Runs one case; 1 when it failed. */
static int test_case_run(const test_case *c, int number) {
  int64_t live = td_live_tensors();
  test_failures = 0;
  test_skip = NULL;
  td_error_clear();
  int mark = td_scope_open();
  c->run();
  td_scope_close(mark);
  if (td_live_tensors() != live)
    FAIL("%s leaves %" PRId64 " tensors alive", c->name,
         td_live_tensors() - live);
  if (test_failures > TEST_MAX_REPORTS)
    printf("# and %d more\n", test_failures - TEST_MAX_REPORTS);
  printf("%sok %d - %s%s%s\n", test_failures ? "not " : "", number, c->name,
         test_skip ? " # SKIP " : "", test_skip ? test_skip : "");
  return test_failures != 0;
}

int main(int argc, char **argv) {
  int count = 0, failed = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (test_wants_device && !test_device()) {
    printf("1..0 # SKIP %s\n", td_error());
    return 0;
  }
  for (test_case *c = test_first; c; c = c->next)
    count += test_selected(c->name, argc, argv);
  printf("1..%d\n", count);
  count = 0;
  for (test_case *c = test_first; c; c = c->next)
    if (test_selected(c->name, argc, argv))
      failed += test_case_run(c, ++count);
  return failed != 0;
}
#endif
