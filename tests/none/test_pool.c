/* test_pool.c -- the thread pool: every chunk once, nesting, callers, signals, fork. */
#define _GNU_SOURCE /* pthread_setattr_default_np */
#include "tests/test.h"
#include "tensor/pool.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N 5000
static atomic_int hits[N];
static atomic_int off_main, unmasked;
static pthread_t main_thread;

static void hit(void *ctx, int64_t i) {
  (void)ctx;
  atomic_fetch_add(&hits[i], 1);
}

static void clear(void) {
  for (int i = 0; i < N; i++) atomic_store(&hits[i], 0);
}

static int all_once(int n) {
  for (int i = 0; i < N; i++) if (atomic_load(&hits[i]) != (i < n)) return 0;
  return 1;
}

TEST(every_chunk_once) {
  int counts[] = { 0, 1, 2, 3, 7, 63, 64, 65, 1000, N };
  for (int threads = 1; threads <= 9; threads += 2) {
    td_threads_set(threads);
    CHECK(td_threads() == threads);
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
      clear();
      td_parallel(counts[k], hit, NULL);
      CHECK(all_once(counts[k]));
    }
  }
  clear();
  td_parallel(-3, hit, NULL);
  CHECK(all_once(0));
}

static void range(void *ctx, int64_t begin, int64_t end) {
  int64_t grain = *(int64_t *)ctx;
  CHECK(begin < end && end - begin <= grain && begin % grain == 0);
  for (int64_t i = begin; i < end; i++) hit(NULL, i);
}

TEST(ranges) {
  td_threads_set(3);
  for (int64_t n = 0; n < 40; n++)
    for (int64_t grain = 1; grain < 12; grain++) {
      clear();
      td_parallel_range(n, grain, range, &grain);
      CHECK(all_once((int)n));
    }
}

/* The caller's plain writes are seen by the chunks and theirs by the caller,
** over many jobs in quick succession and over pauses in which workers sleep. */
static void square(void *ctx, int64_t i) {
  int64_t *v = ctx;
  v[i] = v[i] * v[i] + i;
}

TEST(many_jobs) {
  int64_t v[37], want[37];
  td_threads_set(4);
  for (int job = 0; job < 3000; job++) {
    int n = 2 + job % 36;
    for (int i = 0; i < n; i++) {
      v[i] = job + i;
      want[i] = v[i] * v[i] + i;
    }
    td_parallel(n, square, v);
    CHECK(memcmp(v, want, (size_t)n * sizeof *v) == 0);
    if (job % 500 == 0) nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
    if (job % 1000 == 999) td_threads_set(2 + job / 1000 % 3 * 3);
  }
}

static void hit_from(void *ctx, int64_t i) {
  hit(NULL, *(int64_t *)ctx + i);
}

static void nested(void *ctx, int64_t i) {
  (void)ctx;
  int64_t base = i * 50;
  td_parallel(50, hit_from, &base);
}

TEST(nested) {
  td_threads_set(4);
  clear();
  td_parallel(20, nested, NULL);
  CHECK(all_once(1000));
}

/* Several threads may call at once; whoever finds the pool taken works alone. */
static void *caller(void *arg) {
  int64_t base = (intptr_t)arg * 1000;
  for (int k = 0; k < 200; k++) td_parallel(1000, hit_from, &base);
  return NULL;
}

TEST(callers) {
  pthread_t t[4];
  td_threads_set(3);
  clear();
  for (intptr_t i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, caller, (void *)i);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < 4000; i++) CHECK(atomic_load(&hits[i]) == 200);
}

/* Workers take part, and no signal can reach them. */
static void look_at_mask(void *ctx, int64_t i) {
  (void)ctx;
  (void)i;
  nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
  if (pthread_equal(pthread_self(), main_thread)) return;
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  atomic_fetch_add(&off_main, 1);
  if (!sigismember(&now, SIGINT) || !sigismember(&now, SIGWINCH) ||
      !sigismember(&now, SIGTERM) || !sigismember(&now, SIGALRM))
    atomic_fetch_add(&unmasked, 1);
}

TEST(workers) {
  main_thread = pthread_self();
  td_threads_stop();
  td_threads_set(4);
  td_parallel(40, look_at_mask, NULL);
  CHECK(atomic_load(&off_main) > 0);
  CHECK(atomic_load(&unmasked) == 0);
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  CHECK(!sigismember(&now, SIGINT));
}

TEST(fork) {
#ifndef __SANITIZE_THREAD__      /* which forbids threads after a fork */
  td_threads_set(3);
  clear();
  td_parallel(100, hit, NULL);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    clear();
    td_parallel(N, hit, NULL);
    td_threads_stop();
    _exit(all_once(N) ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  clear();
  td_parallel(N, hit, NULL);
  CHECK(all_once(N));
#endif
}

#ifdef __GLIBC__
/* Far into the stack, as kernels go. */
static void *use_stack(void *sum) {
  volatile char deep[1500000];
  for (size_t i = 0; i < sizeof deep; i += 1000) deep[i] = 1;
  for (size_t i = 0; i < sizeof deep; i += 1000) *(int *)sum += deep[i];
  return NULL;
}

TEST(stacks_do_not_depend_on_limits) {
  pthread_attr_t was, small;
  pthread_t t;
  int sum = 0;
  REQUIRE(pthread_getattr_default_np(&was) == 0 && pthread_attr_init(&small) == 0);
  pthread_attr_setstacksize(&small, 128 << 10);
  REQUIRE(pthread_setattr_default_np(&small) == 0);
  REQUIRE(td_thread_start(&t, use_stack, &sum));
  pthread_join(t, NULL);
  pthread_setattr_default_np(&was);
  CHECK_INT(sum, 1500);
}
#endif

TEST(limits) {
  td_threads_set(100000);
  CHECK_INT(td_threads(), TD_THREADS_MAX);
  td_threads_set(0);
  CHECK(td_threads() >= 1 && td_threads() <= TD_THREADS_MAX);
}
