/* peak.c -- what the processor itself reaches: fused multiply-adds in registers, and memory.
**
**   build/tests/bench/peak [threads]     prints one JSON object: GF/s and GB/s
**
** The least disturbed of several runs counts.  Nothing of the library is used. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHAINS = 12, TURNS = 200000, RUNS = 20, MOST = 256 };
static const size_t BYTES = (size_t)64 << 20;     /* of each thread: beyond any cache */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static volatile float sink;

/* CHAINS independent chains of multiply-adds, WIDTH numbers wide: enough to fill two
** units of four cycles' latency.  The compiler contracts x * b + c where it may. */
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define BORN(k) v x##k = b + (float)k;
#define TURN(k) x##k = x##k * b + c;
#define ADDED(k) sum += x##k;
#define FMA(name, isa, width) \
  isa static double name(void) { \
    typedef float v __attribute__((vector_size(4 * width))); \
    v b = { 0 }, c = { 0 }, sum = { 0 }; \
    b += .999999f; \
    c += 1e-7f; \
    EACH(BORN) \
    for (int i = 0; i < TURNS; i++) { EACH(TURN) } \
    EACH(ADDED) \
    sink = sum[0]; \
    return 2. * width * CHAINS * TURNS; \
  }
#if defined __x86_64__
FMA(fma_base, , 4)
FMA(fma_v3, __attribute__((target("avx2,fma"))), 8)
FMA(fma_v4, __attribute__((target("avx512f,fma"))), 16)
static double fma_best(void) {
  if (__builtin_cpu_supports("avx512f")) return fma_v4();
  return __builtin_cpu_supports("avx2") ? fma_v3() : fma_base();
}
#else
FMA(fma_best, , 4)
#endif

typedef struct job {
  enum { ARITHMETIC, COPY, READ } what;
  float *from, *to;
  double done;
} job;

static void *work(void *arg) {
  job *j = arg;
  if (j->what == ARITHMETIC) {
    j->done = fma_best();
  } else if (j->what == COPY) {
    memcpy(j->to, j->from, BYTES);
    j->done = 2. * (double)BYTES;
  } else {
    typedef float v __attribute__((vector_size(64)));
    v sum = { 0 };
    for (size_t i = 0; i < BYTES / sizeof(v); i++) sum += ((const v *)j->from)[i];
    sink = sum[0];
    j->done = (double)BYTES;
  }
  return NULL;
}

/* Best rate of n threads together, in units of 1e9 per second. */
static double rate(job *jobs, int n, int what) {
  double best = 0;
  for (int run = 0; run < RUNS; run++) {
    pthread_t id[MOST];
    double done = 0, start = now();
    for (int i = 0; i < n; i++) jobs[i].what = what;
    for (int i = 1; i < n; i++)
      if (pthread_create(&id[i], NULL, work, &jobs[i])) exit(1);
    work(&jobs[0]);
    for (int i = 1; i < n; i++) pthread_join(id[i], NULL);
    double spent = now() - start;
    for (int i = 0; i < n; i++) done += jobs[i].done;
    if (done / spent > best) best = done / spent;
  }
  return best / 1e9;
}

int main(int argc, char **argv) {
  static job jobs[MOST];
  int n = argc > 1 ? atoi(argv[1]) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (n < 1 || n > MOST) return 1;
  for (int i = 0; i < n; i++) {
    jobs[i].from = aligned_alloc(64, BYTES);
    jobs[i].to = aligned_alloc(64, BYTES);
    if (!jobs[i].from || !jobs[i].to) return 1;
    memset(jobs[i].from, 1, BYTES);
    memset(jobs[i].to, 1, BYTES);
  }
  printf("{\"threads\": %d, \"fma_one\": %.1f, \"fma\": %.1f, \"copy\": %.1f, \"read\": %.1f}\n", n,
         rate(jobs, 1, ARITHMETIC), rate(jobs, n, ARITHMETIC), rate(jobs, n, COPY),
         rate(jobs, n, READ));
  return 0;
}
