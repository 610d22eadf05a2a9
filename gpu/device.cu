/* device.cu -- CUDA devices as backends: memory, copies, errors, and the plug-in's door. */
#include "gpu/gpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

td_status (*gpu_fail)(td_status code, const char *fmt, ...);
td_status (*gpu_on_cpu)(const td_call *c, td_tensor **out);
const bool *gpu_tf32;

/* ---- errors ---- */

/* After these the context is lost, and nothing on the device can be used any more. */
static bool sticky(cudaError_t e) {
  return e == cudaErrorIllegalAddress || e == cudaErrorLaunchFailure ||
         e == cudaErrorMisalignedAddress || e == cudaErrorAssert ||
         e == cudaErrorHardwareStackError || e == cudaErrorIllegalInstruction;
}

td_status gpu_check(cudaError_t e, const char *what) {
  if (e == cudaSuccess) return TD_OK;
  cudaGetLastError();
  if (e == cudaErrorMemoryAllocation)
    return gpu_fail(TD_ENOMEM, "%s: the GPU is out of memory", what);
  return gpu_fail(TD_EDEVICE, "%s: %s%s", what, cudaGetErrorString(e), sticky(e) ?
    "; an op before this one may be the cause (TIDE_SYNC=1 names it); the GPU cannot be used "
    "any more in this process" : "");
}

bool gpu_waits() {
  static const bool on = getenv("TIDE_SYNC") && atoi(getenv("TIDE_SYNC"));
  return on;
}

td_status gpu_launched(gpu *g, cudaError_t e, const char *op) {
  if (e == cudaSuccess && gpu_waits()) e = cudaStreamSynchronize(g->stream);
  return gpu_check(e, op);
}

td_status gpu_no_type(const td_call *c, int dtype) {
  static const char *const names[] = {
#define X(id, name, size) #name,
    TD_DTYPES(X)
#undef X
  };
  return gpu_fail(TD_EDTYPE, "%s: not available for %s; convert with x:to(\"f32\")",
                  c->op->name, names[dtype]);
}

/* ---- a device ---- */

/* What the pool has freed it keeps for later, until it is asked to give it back. */
static td_status keep_freed(gpu *g) {
  uint64_t all = UINT64_MAX;
  td_status st = gpu_check(cudaDeviceGetDefaultMemPool(&g->pool, g->id), g->name);
  return st ? st : gpu_check(cudaMemPoolSetAttribute(g->pool, cudaMemPoolAttrReleaseThreshold, &all),
                             g->name);
}

static td_status first_use(gpu *g) {
  td_status st = gpu_check(cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking), g->name);
  if (!st) st = keep_freed(g);
  if (!st) st = gpu_check(cudaMalloc((void **)&g->flag, 2 * sizeof *g->flag), g->name);
  if (!st) st = gpu_check(cudaMemsetAsync(g->flag, 0, 2 * sizeof *g->flag, g->stream), g->name);
  g->ready = !st;
  return st;
}

td_status gpu_enter(gpu *g) {
  static thread_local int current = -1;
  if (current != g->id || !g->ready) {
    td_status st = gpu_check(cudaSetDevice(g->id), g->name);
    if (st) return st;
    current = g->id;
  }
  return g->ready ? TD_OK : first_use(g);
}

td_status gpu_flag_clear(gpu *g, int **flag) {
  td_status st = gpu_enter(g);
  if (!st && !g->making) st = gpu_check(cudaMemsetAsync(g->flag, 0, sizeof *g->flag, g->stream), "flag");
  if (g->making) g->flagged = true;
  *flag = g->making ? g->flag + 1 : g->flag;
  return st;
}

td_status gpu_flag_read(gpu *g, int *value) {
  *value = 0;
  if (g->making) return TD_OK;
  td_status st = gpu_check(cudaMemcpyAsync(value, g->flag, sizeof *value, cudaMemcpyDeviceToHost,
                                           g->stream), "flag");
  return st ? st : gpu_check(cudaStreamSynchronize(g->stream), "flag");
}

/* Memory comes from the stream-ordered pool: what is freed while kernels still use it goes
** to those that come after them, and nobody waits. */
static cudaError_t pool_alloc(gpu *g, void **p, size_t n) {
  cudaError_t e = cudaMallocAsync(p, n, g->stream);
  if (e == cudaErrorMemoryAllocation) *p = NULL;
  return e;
}

td_status gpu_scratch(const td_call *c, size_t bytes, void **p) {
  gpu *g = gpu_of(c);
  td_status st = gpu_enter(g);
  if (!st && g->making) return gpu_graph_scratch(g, bytes, p);
  if (!st && bytes > g->scratch_size) {
    if (g->scratch) cudaFreeAsync(g->scratch, g->stream);
    g->scratch = NULL;
    g->scratch_size = 0;
    st = gpu_check(pool_alloc(g, &g->scratch, bytes), c->op->name);
    if (!st) g->scratch_size = bytes;
  }
  *p = g->scratch;
  return st;
}

static void *device_alloc(td_backend *b, size_t n) {
  gpu *g = (gpu *)b->self;
  void *p = NULL;
  if (gpu_enter(g)) return NULL;
  if (pool_alloc(g, &p, n) == cudaSuccess) return p;
  cudaGetLastError();
  return NULL;
}

static void device_free(td_backend *b, void *p, size_t n) {
  gpu *g = (gpu *)b->self;
  (void)n;
  if (!gpu_enter(g)) cudaFreeAsync(p, g->stream);
}

/* Waits, since memory is given back only when nothing uses it any more. */
static void device_trim(td_backend *b) {
  gpu *g = (gpu *)b->self;
  if (!g->ready || gpu_enter(g)) return;
  if (g->scratch) cudaFreeAsync(g->scratch, g->stream);
  g->scratch = NULL;
  g->scratch_size = 0;
  if (cudaStreamSynchronize(g->stream) == cudaSuccess) cudaMemPoolTrimTo(g->pool, 0);
}

static td_status copy_within(td_backend *b, void *dst, const void *src, size_t n) {
  gpu *g = (gpu *)b->self;
  td_status st = gpu_enter(g);
  return st ? st : gpu_check(cudaMemcpyAsync(dst, src, n, cudaMemcpyDeviceToDevice, g->stream), "copy");
}

td_status gpu_elapsed(const cudaEvent_t *between, double *seconds) {
  float ms = 0;
  td_status st = gpu_check(cudaEventSynchronize(between[1]), "timer");
  if (!st) st = gpu_check(cudaEventElapsedTime(&ms, between[0], between[1]), "timer");
  *seconds = 1e-3 * (double)ms;
  return st;
}

static td_status device_sync(td_backend *b) {
  gpu *g = (gpu *)b->self;
  td_status st = gpu_enter(g);
  if (!st) st = gpu_check(cudaStreamSynchronize(g->stream), "sync");
  return st ? st : gpu_flag_check(g);
}

static __global__ void delay(long long cycles) {
  long long from = clock64();
  while (clock64() - from < cycles) {}
}

/* The device is kept busy while what is timed is being launched: the time is that of the
** kernels, without waiting for them to come. */
static td_status device_timer(td_backend *b, double *seconds) {
  gpu *g = (gpu *)b->self;
  td_status st = gpu_enter(g);
  for (int k = 0; !st && k < 2; k++)
    if (!g->timer[k]) st = gpu_check(cudaEventCreateWithFlags(&g->timer[k], 0), "timer");
  if (!st && !seconds) st = gpu_start(g, "timer", delay, dim3(1), dim3(1), 0, 50000);
  if (!st) st = gpu_check(cudaEventRecord(g->timer[seconds != NULL], g->stream), "timer");
  return st || !seconds ? st : gpu_elapsed(g->timer, seconds);
}

static const char *describe(td_backend *b) {
  gpu *g = (gpu *)b->self;
  size_t free_bytes = 0, total = 0;
  if (!gpu_enter(g)) cudaMemGetInfo(&free_bytes, &total);
  cudaDeviceProp p;
  if (cudaGetDeviceProperties(&p, g->id) != cudaSuccess) return g->name;
  snprintf(g->text, sizeof g->text, "%.100s, %.1f GiB, %.1f GiB free", p.name,
           (double)total / (1 << 30), (double)free_bytes / (1 << 30));
  return g->text;
}

/* ---- layouts ---- */

static gpu_view view_of(const td_tensor *t, const td_tensor *out) {
  gpu_view v = {};
  if (t->number) { v.bits = t->num.i; return v; }
  v.p = t->data;
  int64_t size = gpu_size(t->dtype);
  int skip = out->ndim - t->ndim;
  for (int d = 0; d < t->ndim; d++)
    v.stride[skip + d] = t->shape[d] == 1 ? 0 : t->stride[d] * size;
  return v;
}

static bool joins(const gpu_layout *l, int k, int d) {
  for (int o = 0; o < k; o++)
    if (l->t[o].stride[d] != l->t[o].stride[d + 1] * l->shape[d + 1]) return false;
  return true;
}

gpu_layout gpu_layout_of(const td_tensor *out, int nin, td_tensor *const *in) {
  gpu_layout l = {};
  l.ndim = out->ndim;
  l.n = td__numel(out);
  for (int d = 0; d < l.ndim; d++) l.shape[d] = out->shape[d];
  l.t[0] = view_of(out, out);
  for (int i = 0; i < nin; i++) l.t[1 + i] = view_of(in[i], out);
  for (int d = l.ndim - 2; d >= 0; d--) {
    if (!joins(&l, 1 + nin, d)) continue;
    l.shape[d] *= l.shape[d + 1];
    for (int e = d + 1; e < l.ndim - 1; e++) l.shape[e] = l.shape[e + 1];
    for (int o = 0; o <= nin; o++) {
      l.t[o].stride[d] = l.t[o].stride[d + 1];
      for (int e = d + 1; e < l.ndim - 1; e++) l.t[o].stride[e] = l.t[o].stride[e + 1];
    }
    l.ndim--;
  }
  return l;
}

/* ---- the plug-in ---- */

static const td_kernel_entry *const lists[] = {
  gpu_map_kernels, gpu_reduce_kernels, gpu_random_kernels, gpu_nn_kernels,
  gpu_update_kernels, gpu_blas_kernels, gpu_index_kernels,
  gpu_conv_kernels, gpu_attention_kernels, gpu_sort_kernels, gpu_adaln_kernels, gpu_distance_kernels,
  gpu_linalg_kernels, gpu_picture_kernels, gpu_flow_kernels, NULL
};

static void make(gpu *g, int id) {
  g->id = id;
  snprintf(g->name, sizeof g->name, id ? "cuda:%d" : "cuda", id);
  td_backend *b = &g->be;
  b->abi = TD_BACKEND_ABI;
  b->name = g->name;
  b->alloc = device_alloc, b->free = device_free;
  b->copy_in = gpu_copy_in, b->copy_out = gpu_copy_out, b->copy = copy_within;
  b->sync = device_sync, b->describe = describe, b->trim = device_trim;
  b->fetch_begin = gpu_fetch_begin, b->fetch_done = gpu_fetch_done, b->fetch_end = gpu_fetch_end;
  b->timer = device_timer;
  b->graph_make = gpu_graph_make, b->graph_launch = gpu_graph_launch, b->graph_free = gpu_graph_free;
  b->graph_seconds = gpu_graph_seconds;
  b->kernels = lists;
  b->bf16 = gpu_bf16_ops;
  b->self = g;
}

extern "C" __attribute__((visibility("default")))
int td_backend_init(int abi, const td_host *host, td_backend **list, int max) {
  static gpu devices[8];
  if (abi != TD_BACKEND_ABI) return -1;
  gpu_fail = host->fail;
  gpu_on_cpu = host->on_cpu;
  gpu_tf32 = host->tf32;
  int n = 0;
  cudaError_t e = cudaGetDeviceCount(&n);
  if (e != cudaSuccess || n == 0) {
    gpu_fail(TD_EDEVICE, "no GPU: %s", e != cudaSuccess ? cudaGetErrorString(e) : "none is there");
    cudaGetLastError();
    return 0;
  }
  if (n > max) n = max;
  if (n > 8) n = 8;
  for (int i = 0; i < n; i++) {
    make(&devices[i], i);
    list[i] = &devices[i].be;
  }
  return n;
}
