/* copy.cu -- copies between the host and a device, through a ring of pinned slots: to the
** device they do not wait for it, from the device one slot is emptied while others fill.
** Those that nobody waits for have pinned memory and a stream of their own. */
#include "gpu/gpu.h"
#include <string.h>

const int SLOTS = 16;
const size_t SLOT = 512 << 10;

/* A copy that nobody waits for.  Pinning takes long, so those that are over serve again. */
struct gpu_fetch {
  char *mem;                   /* pinned: a word for the flag, then the bytes */
  size_t room, n;
  cudaEvent_t begun, done;
  bool busy, flagged;
  gpu_fetch *next;
};
const size_t FETCH_HEAD = 64, FETCH_LEAST = 4096;

struct gpu_staging {
  char *mem;                   /* the slots, and a word for the flag */
  cudaEvent_t done[SLOTS];     /* the last copy through a slot is over */
  int next;
  cudaStream_t aside;          /* of copies that nobody waits for */
  gpu_fetch *fetches;          /* all that were ever begun */
};

static td_status ready(gpu *g) {
  td_status st = gpu_enter(g);
  if (st || g->staging) return st;
  gpu_staging *s = new gpu_staging();
  st = gpu_check(cudaMallocHost((void **)&s->mem, SLOTS * SLOT + sizeof(int)), "pinned memory");
  for (int k = 0; !st && k < SLOTS; k++)
    st = gpu_check(cudaEventCreateWithFlags(&s->done[k], cudaEventDisableTiming), "pinned memory");
  if (!st) g->staging = s;
  return st;
}

static size_t part(size_t n, size_t at) { return n - at < SLOT ? n - at : SLOT; }

td_status gpu_copy_in(td_backend *b, void *dst, const void *src, size_t n) {
  gpu *g = (gpu *)b->self;
  td_status st = ready(g);
  for (size_t at = 0; !st && at < n; at += SLOT) {
    int k = g->staging->next;
    char *slot = g->staging->mem + (size_t)k * SLOT;
    g->staging->next = (k + 1) % SLOTS;
    st = gpu_check(cudaEventSynchronize(g->staging->done[k]), "copy");
    if (st) break;
    memcpy(slot, (const char *)src + at, part(n, at));
    st = gpu_check(cudaMemcpyAsync((char *)dst + at, slot, part(n, at), cudaMemcpyHostToDevice,
                                   g->stream), "copy");
    if (!st) st = gpu_check(cudaEventRecord(g->staging->done[k], g->stream), "copy");
  }
  return st;
}

/* Slot k, which holds bytes [at, ...) of the source as soon as its event has come. */
static td_status empty(gpu *g, int k, char *dst, size_t n, size_t at) {
  td_status st = gpu_check(cudaEventSynchronize(g->staging->done[k]), "copy");
  if (!st) memcpy(dst + at, g->staging->mem + (size_t)k * SLOT, part(n, at));
  return st;
}

td_status gpu_copy_out(td_backend *b, void *dst, const void *src, size_t n) {
  gpu *g = (gpu *)b->self;
  td_status st = ready(g);
  if (st) return st;
  size_t out = 0, in = 0;      /* asked for, arrived; slot 0 is that of byte 0 */
  while (!st && in < n) {
    if (out < n && out - in < SLOTS * SLOT) {
      int k = (int)(out / SLOT % SLOTS);
      st = gpu_check(cudaMemcpyAsync(g->staging->mem + (size_t)k * SLOT, (const char *)src + out,
                                     part(n, out), cudaMemcpyDeviceToHost, g->stream), "copy");
      if (!st) st = gpu_check(cudaEventRecord(g->staging->done[k], g->stream), "copy");
      out += SLOT;
    } else {
      st = empty(g, (int)(in / SLOT % SLOTS), (char *)dst, n, in);
      in += SLOT;
    }
  }
  return st ? st : gpu_flag_check(g);
}

/* ---- the flag of graphs ---- */

static td_status flag_found(gpu *g) {
  td_status st = gpu_check(cudaMemsetAsync(g->flag + 1, 0, sizeof *g->flag, g->stream), "flag");
  return st ? st : gpu_fail(TD_EARG, "a captured step met a position that does not exist, or divided "
    "an integer by 0; its results since then are not to be used (step:reset() and run it with "
    "{ warmup = 1e9 } to see where)");
}

td_status gpu_flag_check(gpu *g) {
  if (!g->flagged) return TD_OK;
  td_status st = ready(g);
  if (st) return st;
  int *word = (int *)(g->staging->mem + SLOTS * SLOT);
  st = gpu_check(cudaMemcpyAsync(word, g->flag + 1, sizeof *word, cudaMemcpyDeviceToHost, g->stream),
                 "flag");
  if (!st) st = gpu_check(cudaStreamSynchronize(g->stream), "flag");
  return st || !*word ? st : flag_found(g);
}

/* ---- copies that nobody waits for ---- */

static bool over(const gpu_fetch *f) {
  cudaError_t e = cudaEventQuery(f->done);
  if (e != cudaSuccess) cudaGetLastError();
  return e != cudaErrorNotReady;             /* what failed is said at the end */
}

/* One that is over and large enough, but not wasteful; else a new one. */
static td_status fetch_find(gpu *g, size_t n, gpu_fetch **found) {
  gpu_staging *s = g->staging;
  for (gpu_fetch *f = s->fetches; f; f = f->next)
    if (!f->busy && f->room >= n && f->room <= 4 * n + FETCH_LEAST) {
      *found = f;
      return TD_OK;
    }
  gpu_fetch *f = new gpu_fetch();
  f->room = n > FETCH_LEAST ? n : FETCH_LEAST;
  td_status st = gpu_check(cudaMallocHost((void **)&f->mem, FETCH_HEAD + f->room), "pinned memory");
  if (!st) st = gpu_check(cudaEventCreateWithFlags(&f->begun, cudaEventDisableTiming), "pinned memory");
  if (!st) st = gpu_check(cudaEventCreateWithFlags(&f->done, cudaEventDisableTiming), "pinned memory");
  if (st) {
    if (f->begun) cudaEventDestroy(f->begun);
    cudaFreeHost(f->mem);
    delete f;
    return st;
  }
  f->next = s->fetches;
  *found = s->fetches = f;
  return TD_OK;
}

td_status gpu_fetch_begin(td_backend *b, const void *src, size_t n, void **fetch) {
  gpu *g = (gpu *)b->self;
  gpu_fetch *f = NULL;
  td_status st = ready(g);
  gpu_staging *s = g->staging;
  if (!st && !s->aside)
    st = gpu_check(cudaStreamCreateWithFlags(&s->aside, cudaStreamNonBlocking), g->name);
  if (!st) st = fetch_find(g, n, &f);
  if (!st) st = gpu_check(cudaEventRecord(f->begun, g->stream), "copy");
  if (!st) st = gpu_check(cudaStreamWaitEvent(s->aside, f->begun, 0), "copy");
  if (!st)
    st = gpu_check(cudaMemcpyAsync(f->mem + FETCH_HEAD, src, n, cudaMemcpyDeviceToHost, s->aside), "copy");
  if (!st && g->flagged)
    st = gpu_check(cudaMemcpyAsync(f->mem, g->flag + 1, sizeof(int), cudaMemcpyDeviceToHost,
                                   s->aside), "flag");
  if (!st) st = gpu_check(cudaEventRecord(f->done, s->aside), "copy");
  if (st) return st;
  f->n = n;
  f->busy = true;
  f->flagged = g->flagged;
  *fetch = f;
  return TD_OK;
}

bool gpu_fetch_done(td_backend *, void *fetch) { return over((gpu_fetch *)fetch); }

td_status gpu_fetch_end(td_backend *b, void *fetch, void *dst) {
  gpu *g = (gpu *)b->self;
  gpu_fetch *f = (gpu_fetch *)fetch;
  td_status st = gpu_enter(g);
  f->busy = false;
  if (!st) st = gpu_check(cudaEventSynchronize(f->done), "copy");
  if (st || !dst) return st;
  memcpy(dst, f->mem + FETCH_HEAD, f->n);
  return f->flagged && *(int *)f->mem ? flag_found(g) : TD_OK;
}
