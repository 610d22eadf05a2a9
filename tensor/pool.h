/* pool.h -- the library's own worker threads.
**
** Work is a number of chunks; the caller takes part and returns when all are
** done.  Which thread runs which chunk is not fixed, so a chunk writes only what
** is its own; chunk sizes depend on shapes and never on the number of threads,
** which is what keeps results the same for every thread count.  A chunk must not
** fail, jump out or wait for another chunk.  Calls from inside a chunk, and calls
** while another thread uses the pool, run on the calling thread alone. */
#ifndef TD_POOL_H
#define TD_POOL_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TD_THREADS_MAX 64

/* Starts a thread that gets no signals, and a stack of at least 2 MB whatever the C
** library and the shell's limits say; kernels and drawing count on 1 MB. */
bool td_thread_start(pthread_t *t, void *(*run)(void *), void *arg);

/* Runs f(ctx, 0) .. f(ctx, nchunks - 1), in any order. */
void td_parallel(int64_t nchunks, void (*f)(void *ctx, int64_t chunk),
                 void *ctx);

/* Runs f on [0, n) cut into pieces of `grain` items (the last may be shorter).
** Nothing is called for n <= 0. */
void td_parallel_range(int64_t n, int64_t grain,
                       void (*f)(void *ctx, int64_t begin, int64_t end),
                       void *ctx);

/* From now on chunks may be left out once td_interrupt_flag is set: for results
** that are given up then.  Returns what it was. */
bool td_parallel_stoppable(bool on);

/* How many threads work, the caller included.  n < 1: one per processor that
** this process may use.  Takes effect at the next parallel call. */
void td_threads_set(int n);
int td_threads(void);

/* Ends the workers; the next parallel call makes new ones.  Called by itself
** when the library is unloaded. */
void td_threads_stop(void);

#endif
