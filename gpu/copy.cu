/* copy.cu -- copies between the host and a device, through a ring of pinned slots: to the
** device they do not wait for it, from the device one slot is emptied while others fill. */
#include "gpu/gpu.h"
#include <string.h>

const int SLOTS = 16;
const size_t SLOT = 512 << 10;

struct gpu_staging {
  char *mem;                   /* the slots, and a word for the flag */
  cudaEvent_t done[SLOTS];     /* the last copy through a slot is over */
  int next;
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

td_status gpu_flag_check(gpu *g) {
  if (!g->flagged) return TD_OK;
  td_status st = ready(g);
  if (st) return st;
  int *word = (int *)(g->staging->mem + SLOTS * SLOT), *flag = g->flag + 1;
  st = gpu_check(cudaMemcpyAsync(word, flag, sizeof *flag, cudaMemcpyDeviceToHost, g->stream), "flag");
  if (!st) st = gpu_check(cudaStreamSynchronize(g->stream), "flag");
  if (st || !*word) return st;
  st = gpu_check(cudaMemsetAsync(flag, 0, sizeof *flag, g->stream), "flag");
  return st ? st : gpu_fail(TD_EARG, "a captured step met a position that does not exist, or divided "
    "an integer by 0; its results since then are not to be used (step:reset() and run it with "
    "{ warmup = 1e9 } to see where)");
}
