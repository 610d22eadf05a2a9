/* pool.c -- worker threads that spin for a while between jobs, then sleep. */
#define _GNU_SOURCE
#include "pool.h"
#include "tensor.h"
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

/* Waking a sleeping thread costs tens of microseconds, most operations less, so
** an idle worker first watches the job number for about this long. */
#define SPIN_NS 80000
#define SPINS_PER_LOOK 64       /* pauses between looks at the clock */
#define CACHE_LINE 64

/* The chunks are dealt to the threads in equal runs, so that a thread meets the
** same part of the data in one operation after another; who has finished takes
** from the runs of others. */
typedef struct run {
  _Alignas(CACHE_LINE) atomic_llong next;
  int64_t end;
} run;

/* A job is open while chunks may be taken.  A worker counts itself in `inside`
** before it looks at `open`, and the caller closes the job before it waits for
** inside == 0: so either the worker sees a closed job or the caller sees the
** worker, and a worker that wakes late never touches the next job's fields. */
static struct {
  atomic_bool busy;             /* a caller owns the pool */
  atomic_int want;              /* threads asked for; 0: not decided yet */
  int workers;                  /* running; changed by the owner only */
  bool stoppable;               /* chunks may be left out after an interrupt */
  pthread_t thread[TD_THREADS_MAX];

  _Alignas(CACHE_LINE) atomic_uint number;      /* of the job */
  atomic_bool open, quit;
  void (*f)(void *ctx, int64_t chunk);
  void *ctx;
  int nruns;
  run runs[TD_THREADS_MAX];

  _Alignas(CACHE_LINE) atomic_int inside;       /* workers that hold the job */
  atomic_int asleep;
  pthread_mutex_t lock;         /* guards sleeping only */
  pthread_cond_t wake;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

static inline void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int processors(void) {
  long n = 0;
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
  if (n < 1) n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n > TD_THREADS_MAX ? TD_THREADS_MAX : (int)n;
}

static bool stopped(void) {
  return pool.stoppable && td_interrupt_flag;
}

/* Takes chunks, thread `me` from its own run first, until none is left. */
static void work(int me) {
  int n = pool.nruns;
  for (int k = 0; k < n; k++) {
    run *r = &pool.runs[(me + k) % n];
    for (;;) {
      int64_t c = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
      if (c >= r->end) break;
      if (stopped()) return;
      pool.f(pool.ctx, c);
    }
  }
}

/* Returns when the job number is no longer `seen`. */
static void await_job(unsigned seen) {
  int64_t start = now_ns();
  do {
    for (int i = 0; i < SPINS_PER_LOOK; i++) {
      if (atomic_load_explicit(&pool.number, memory_order_acquire) != seen)
        return;
      pause_cpu();
    }
  } while (now_ns() - start < SPIN_NS);
  pthread_mutex_lock(&pool.lock);
  atomic_fetch_add(&pool.asleep, 1);
  while (atomic_load(&pool.number) == seen)
    pthread_cond_wait(&pool.wake, &pool.lock);
  atomic_fetch_sub(&pool.asleep, 1);
  pthread_mutex_unlock(&pool.lock);
}

static void *worker(void *arg) {
  int me = (int)(intptr_t)arg;
  unsigned seen = 0;
  for (;;) {
    await_job(seen);
    seen = atomic_load(&pool.number);
    if (atomic_load(&pool.quit)) return NULL;
    atomic_fetch_add(&pool.inside, 1);
    if (atomic_load(&pool.open)) work(me);
    atomic_fetch_sub(&pool.inside, 1);
  }
}

/* Makes the change of the job number visible and wakes up to n sleepers. */
static void announce(int n) {
  atomic_fetch_add(&pool.number, 1);
  int asleep = atomic_load(&pool.asleep);
  if (!asleep) return;
  pthread_mutex_lock(&pool.lock);
  if (n >= asleep) pthread_cond_broadcast(&pool.wake);
  else for (int i = 0; i < n; i++) pthread_cond_signal(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
}

static void after_fork(void) {      /* in the child: the workers are gone */
  pthread_mutex_init(&pool.lock, NULL);
  pthread_cond_init(&pool.wake, NULL);
  pool.workers = 0;
  atomic_store(&pool.number, 0);
  atomic_store(&pool.open, false);
  atomic_store(&pool.inside, 0);
  atomic_store(&pool.asleep, 0);
  atomic_store(&pool.busy, false);
}

static void at_fork(void) {
  pthread_atfork(NULL, NULL, after_fork);
}

/* The next two are called by the owner of the pool. */
static void stop_workers(void) {
  if (!pool.workers) return;
  atomic_store(&pool.quit, true);
  announce(TD_THREADS_MAX);
  for (int i = 0; i < pool.workers; i++) pthread_join(pool.thread[i], NULL);
  pool.workers = 0;
  atomic_store(&pool.quit, false);
  atomic_store(&pool.number, 0);
}

/* No handler must ever run there, so every signal is masked but SIGBUS, which belongs to
** the thread that causes it (tensor/map.c). */
bool td_thread_start(pthread_t *t, void *(*run)(void *), void *arg) {
  size_t least = 2u << 20, size = 0;
  pthread_attr_t a;
  sigset_t all, old;
  if (pthread_attr_init(&a)) return false;
  if (pthread_attr_getstacksize(&a, &size) || size < least) pthread_attr_setstacksize(&a, least);
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  bool good = pthread_create(t, &a, run, arg) == 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&a);
  return good;
}

static void start_workers(int n) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, at_fork);
  while (pool.workers < n) {
    void *me = (void *)(intptr_t)(pool.workers + 1);
    if (!td_thread_start(&pool.thread[pool.workers], worker, me)) break;
    pool.workers++;
  }
  if (pool.workers < n) td_threads_set(pool.workers + 1);  /* the system's limit */
}

static bool acquire(void) {
  return !atomic_exchange_explicit(&pool.busy, true, memory_order_acquire);
}
static void release(void) {
  atomic_store_explicit(&pool.busy, false, memory_order_release);
}

/* Waits for the workers that still hold the job; gives the processor away when
** that takes long, since one of them may be waiting for it. */
static void await_workers(void) {
  for (int i = 0; atomic_load(&pool.inside); i++) {
    if (i < 4096) pause_cpu();
    else sched_yield();
  }
}

void td_parallel(int64_t nchunks, void (*f)(void *, int64_t), void *ctx) {
  int want = td_threads();
  if (nchunks <= 1 || want == 1 || !acquire()) {
    for (int64_t i = 0; i < nchunks && !stopped(); i++) f(ctx, i);
    return;
  }
  if (pool.workers != want - 1) {
    if (pool.workers > want - 1) stop_workers();
    start_workers(want - 1);
  }
  int n = nchunks < want ? (int)nchunks : want;
  pool.f = f;
  pool.ctx = ctx;
  pool.nruns = n;
  for (int i = 0; i < n; i++) {
    atomic_store_explicit(&pool.runs[i].next, nchunks * i / n,
                          memory_order_relaxed);
    pool.runs[i].end = nchunks * (i + 1) / n;
  }
  atomic_store(&pool.open, true);
  announce(n - 1);
  work(0);
  atomic_store(&pool.open, false);
  await_workers();
  release();
}

bool td_parallel_stoppable(bool on) {
  bool was = pool.stoppable;
  pool.stoppable = on;
  return was;
}

typedef struct range {
  int64_t n, grain;
  void (*f)(void *, int64_t, int64_t);
  void *ctx;
} range;

static void range_chunk(void *ctx, int64_t c) {
  range *r = ctx;
  int64_t begin = c * r->grain, left = r->n - begin;
  r->f(r->ctx, begin, begin + (left < r->grain ? left : r->grain));
}

void td_parallel_range(int64_t n, int64_t grain,
                       void (*f)(void *, int64_t, int64_t), void *ctx) {
  if (grain < 1) grain = 1;
  range r = { n, grain, f, ctx };
  if (n > 0) td_parallel((n - 1) / grain + 1, range_chunk, &r);
}

void td_threads_set(int n) {
  if (n < 1) n = processors();
  atomic_store(&pool.want, n > TD_THREADS_MAX ? TD_THREADS_MAX : n);
}

int td_threads(void) {
  int n = atomic_load_explicit(&pool.want, memory_order_relaxed);
  if (n) return n;
  td_threads_set(0);
  return atomic_load(&pool.want);
}

/* Without this a worker would run on in code that is no longer mapped.  When a
** job is running, another thread is ending the process: leave it alone. */
__attribute__((destructor)) void td_threads_stop(void) {
  if (!acquire()) return;
  stop_workers();
  release();
}
