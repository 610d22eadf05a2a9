/* products.c -- rates of matrix products, distances and decompositions.
**
**   build/tests/bench/products [threads]     OPENBLAS_CORETYPE, TIDE_ISA as set
**
** Rates with one thread and with several are taken in turns, so that a busy
** machine disturbs both alike; each is the best of several. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "tensor/op.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int threads;
static td_tensor *a, *b;

static td_tensor *f_mm(void) { return td_mm(a, b); }
static td_tensor *f_bmm(void) { return td_bmm(a, b); }
static td_tensor *f_cdist(void) { return td_cdist(a, b); }
static td_tensor *f_cholesky(void) { return td_cholesky(a); }
static td_tensor *f_solve(void) { return td_solve(a, b); }
static td_tensor *f_eigh(void) {
  td_tensor *o[2];
  return td_eigh(o, a) ? NULL : o[0];
}
static td_tensor *f_svd(void) {
  td_tensor *o[3];
  return td_svd(o, a) ? NULL : o[0];
}

/* Seconds of one call. */
static double once(td_tensor *(*f)(void), int n) {
  int reps = 0;
  td_threads_set(n);
  double start = now(), spent;
  do {
    int mark = td_scope_open();
    if (!f()) {
      printf("%s\n", td_error());
      exit(1);
    }
    td_scope_close(mark);
    reps++;
    spent = now() - start;
  } while (spent < .005);
  return spent / reps;
}

static void row(const char *name, td_tensor *(*f)(void), double flop) {
  double one = 1e9, all = 1e9, start = now();
  for (int i = 0; i < 3 || (i < 25 && now() - start < 1); i++) {
    double t = once(f, 1), u = once(f, threads);
    if (t < one) one = t;
    if (u < all) all = u;
  }
  printf("  %-26s %10.1f us %7.1f GF/s %10.1f us %7.1f GF/s\n", name,
         one * 1e6, flop / one / 1e9, all * 1e6, flop / all / 1e9);
}

static td_tensor *draw(int n, const int64_t *shape) {
  td_tensor *t = td_full(td_cpu(), TD_F32, n, shape, 0);
  return td_keep(td_normal(t, 0, 1));
}
static td_tensor *matrix(int64_t m, int64_t n) {
  return draw(2, (int64_t[]){ m, n });
}

static void products(void) {
  static const int s[][3] = {                   /* m, n, k */
    { 256, 512, 512 }, { 1000, 512, 512 }, { 512, 512, 256 },
    { 256, 7168, 512 }, { 256, 1024, 1024 }, { 128, 128, 256 }, { 64, 64, 64 },
    { 256, 512, 2 }, { 256, 2, 512 }, { 512, 2, 256 }, { 1, 7168, 512 },
    { 64, 64, 60000 }, { 2048, 2048, 2048 },
  };
  for (size_t i = 0; i < sizeof s / sizeof *s; i++)
    for (int how = 0; how < 3; how++) {         /* NN, NT, TN */
      char name[64];
      int m = s[i][0], n = s[i][1], k = s[i][2];
      a = how == 2 ? td_t(matrix(k, m)) : matrix(m, k);
      b = how == 1 ? td_t(matrix(n, k)) : matrix(k, n);
      snprintf(name, sizeof name, "mm %dx%dx%d %s", m, n, k,
               how == 0 ? "NN" : how == 1 ? "NT" : "TN");
      row(name, f_mm, 2. * m * n * k);
    }
  a = draw(3, (int64_t[]){ 1000, 32, 32 });
  b = draw(3, (int64_t[]){ 1000, 32, 32 });
  row("bmm 1000 of 32x32x32", f_bmm, 2. * 1000 * 32 * 32 * 32);
}

static void others(void) {
  char name[64];
  for (int d = 2; d < 1000; d *= 20) {
    a = matrix(2000, d);
    b = matrix(2000, d);
    snprintf(name, sizeof name, "cdist 2000x2000, d %d", d);
    row(name, f_cdist, 3. * 2000 * 2000 * d);
  }
  for (int n = 64; n <= 512; n *= 8) {
    double n3 = (double)n * n * n;
    td_tensor *x = matrix(n, n);
    a = td_add(x, td_t(x));
    snprintf(name, sizeof name, "eigh %d", n);
    row(name, f_eigh, 9 * n3);
    a = td_mm(x, td_t(x));
    snprintf(name, sizeof name, "cholesky %d", n);
    row(name, f_cholesky, n3 / 3);
    a = x;
    snprintf(name, sizeof name, "svd %d", n);
    row(name, f_svd, 20 * n3);
    b = matrix(n, n);
    snprintf(name, sizeof name, "solve %d, as many columns", n);
    row(name, f_solve, 8 * n3 / 3);
  }
}

int main(int argc, char **argv) {
  td_device("cpu");
  threads = argc > 1 ? atoi(argv[1]) : td_threads();
  printf("%s: 1 thread, %d threads\n", td_device_describe(td_cpu()), threads);
  products();
  others();
  return 0;
}
