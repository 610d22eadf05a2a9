/* kernels.c -- time per element of CPU kernels, against a copy of the same bytes.
**
**   build/tests/bench/kernels [threads]     TIDE_ISA=base|v3|v4 chooses the code */
#include "tensor/op.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* One thread is timed by its processor time, which others disturb less. */
static clockid_t watch = CLOCK_MONOTONIC;
static double now(void) {
  struct timespec t;
  clock_gettime(watch, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t rows = 256, cols = 512;
static td_tensor *x, *y, *row, *col, *t, *out, *ids, *few;

/* Best of several runs, in nanoseconds per element of n. */
#define TIME(name, n, expr) do { \
    double best = 1e9; \
    for (int round = 0; round < 25; round++) { \
      int reps = 0; \
      double start = now(), spent; \
      do { \
        for (int k = 0; k < ((n) < 100 ? 100 : 1); k++) { \
          int mark = td_scope_open(); \
          if (!(expr)) { printf("%s: %s\n", name, td_error()); exit(1); } \
          td_scope_close(mark); \
          reps++; \
        } \
      } while ((spent = now() - start) < .003); \
      if (spent / reps < best) best = spent / reps; \
    } \
    printf("  %-34s %9.3f ns/element %10.2f us\n", name, best / (double)(n) * 1e9, \
           best * 1e6); \
  } while (0)

static td_tensor *in_place(int op, td_tensor *a, td_tensor *b) {
  td_tensor *in[2] = { a, b }, *o[TD_MAXOUT];
  td_call c = { .op = &td_ops[op], .nin = 2, .in = in, .nlist = -1 };
  return td_apply(&c, o, true) ? NULL : a;
}
static td_tensor *fresh(void) { return td_empty(td_cpu(), TD_F32, 2, (int64_t[]){ rows, cols }); }
static td_tensor *first(td_status st, td_tensor **o) { return st ? NULL : o[0]; }

static void elementwise(int64_t n) {
  printf("elementwise, %lld x %lld f32\n", (long long)rows, (long long)cols);
  TIME("clone", n, td_clone(x));
  TIME("add", n, td_add(x, y));
  TIME("add_ in place", n, in_place(TD_OP_add, out, y));
  TIME("mul by a number", n, td_mul(x, td_num(3)));
  TIME("add a row", n, td_add(x, row));
  TIME("mul by a column", n, td_mul(x, col));
  TIME("add a transpose", n, td_add(x, t));
  TIME("clone a transpose", n, td_clone(t));
  TIME("lt", n, td_lt(x, y));
  TIME("where", n, td_where(td_lt(x, y), x, y));
  TIME("relu", n, td_relu(x));
  TIME("exp", n, td_exp(x));
  TIME("silu", n, td_silu(x));
  TIME("silu_grad", n, td_silu_grad(x, y));
  TIME("gelu", n, td_gelu(x));
  TIME("tanh", n, td_tanh(x));
  TIME("erf", n, td_erf(x));
  TIME("sin", n, td_sin(x));
  TIME("softplus", n, td_softplus(x));
  TIME("log of the square", n, td_log(td_square(x)));
  TIME("pow", n, td_pow(td_abs(x), y));
  TIME("cast to bf16", n, td_cast(x, TD_BF16));
  TIME("cast to f64", n, td_cast(x, TD_F64));
}

static void reductions(int64_t n) {
  td_tensor *o[3];
  printf("reductions, %lld x %lld f32\n", (long long)rows, (long long)cols);
  TIME("sum", n, td_sum(x, TD_ALL, false));
  TIME("sum of rows", n, td_sum(x, TD_INTS(1), false));
  TIME("sum of columns", n, td_sum(x, TD_INTS(0), false));
  TIME("amax of rows", n, td_amax(x, TD_INTS(1), false));
  TIME("amax of columns", n, td_amax(x, TD_INTS(0), false));
  TIME("logsumexp of rows", n, td_logsumexp(x, TD_INTS(1), false));
  TIME("softmax of rows", n, td_softmax(x, 1));
  TIME("argmax of rows", n, td_argmax(x, 1, false));
  TIME("cumsum of rows", n, td_cumsum(x, 1));
  TIME("sort rows", n, first(td_sort(o, x, 1, false), o));
  TIME("topk 5 of rows", n, first(td_topk(o, x, 5, 1, true), o));
  TIME("index_select rows", n, td_index_select(x, 0, ids));
}

static void narrow(int64_t n) {
  printf("narrow, %lld x 2 f32\n", (long long)n);
  td_tensor *two = td_empty(td_cpu(), TD_F32, 1, (int64_t[]){ 2 });
  two = td_fill(two, 2);
  td_tensor *one = td_clone(td_slice(few, 1, 0, 1, 1));
  TIME("add a row of 2", 2 * n, td_add(few, two));
  TIME("mul by a column", 2 * n, td_mul(few, one));
  TIME("sum over 2", 2 * n, td_sum(few, TD_INTS(1), false));
  TIME("sum of columns", 2 * n, td_sum(few, TD_INTS(0), false));
}

static void random_draws(int64_t n) {
  printf("random, %lld f32\n", (long long)n);
  TIME("uniform", n, td_uniform(out, 0, 1));
  TIME("normal", n, td_normal(out, 0, 1));
  TIME("bernoulli", n, td_bernoulli(out, .5));
}

static void small(void) {
  int64_t n = 16;
  td_tensor *a = td_normal(td_empty(td_cpu(), TD_F32, 1, &n), 0, 1);
  printf("overhead, 16 f32\n");
  TIME("add", 1, td_add(a, a));
  TIME("mul by a number", 1, td_mul(a, td_num(2)));
  TIME("add a 0-dim", 1, td_add(a, td_sum(a, TD_ALL, false)));
  TIME("sum", 1, td_sum(a, TD_ALL, false));
  TIME("tanh", 1, td_tanh(a));
}

int main(int argc, char **argv) {
  if (!td_device("cpu")) return 1;
  td_threads_set(argc > 1 ? atoi(argv[1]) : 1);
  if (argc > 2) rows = atoi(argv[2]);
  if (td_threads() == 1) watch = CLOCK_PROCESS_CPUTIME_ID;
  int64_t n = rows * cols, m = 100000;
  printf("%s, %d thread(s)\n", td_device_describe(td_cpu()), td_threads());
  td_grad_enable(false);
  td_scope_open();
  x = td_normal(fresh(), 0, 1);
  y = td_normal(fresh(), 0, 1);
  out = td_normal(fresh(), 0, 1);
  row = td_clone(td_slice(x, 0, 0, 1, 1));
  col = td_clone(td_slice(x, 1, 0, 1, 1));
  t = td_normal(td_empty(td_cpu(), TD_F32, 2, (int64_t[]){ cols, rows }), 0, 1);
  t = td_t(t);
  ids = td_integers(td_empty(td_cpu(), TD_I64, 1, &rows), 0, rows - 1);
  few = td_normal(td_empty(td_cpu(), TD_F32, 2, (int64_t[]){ m, 2 }), 0, 1);
  elementwise(n);
  reductions(n);
  narrow(m);
  random_draws(n);
  small();
  return 0;
}
