/* cuda_runtime.h -- the part of CUDA that gpu/ uses, on the host: kernels are C++ functions
** that run thread by thread on fibers.
**
** What it can find: wrong indices and tails, missing or diverging barriers (TIDE_FIBERS=
** reverse or a number shuffles the order of threads), device memory touched by the host,
** memory that was never written (it holds NaN), addresses that an element may not have,
** launches that are too large, operations that a capture does not allow.
** What it cannot: races between blocks, the memory model, speed. */
#ifndef TD_EMULATION_CUDA_RUNTIME_H
#define TD_EMULATION_CUDA_RUNTIME_H
#define TD_EMULATION 1
#include <float.h>
#include <functional>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- the language ---- */
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint3 { unsigned x, y, z; };
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct emu_thread {
  uint3 thread, block;
  dim3 threads, blocks;
};
extern emu_thread *emu_now;      /* the one that runs */
#define threadIdx (emu_now->thread)
#define blockIdx (emu_now->block)
#define blockDim (emu_now->threads)
#define gridDim (emu_now->blocks)
const int warpSize = 32;

void *emu_shared(size_t bytes);  /* the same for all threads of a block, in order of calls */
void *emu_shared_dynamic();
void emu_barrier();              /* __syncthreads */
void emu_warp_barrier(unsigned mask);
uint64_t emu_exchange(unsigned mask, uint64_t bits, int from);   /* of that lane */
unsigned emu_ballot(unsigned mask, bool value);
#define TD_SHARED(type, name, n) type *name = (type *)emu_shared(sizeof(type) * (size_t)(n))
#define TD_SHARED_DYNAMIC(type, name) type *name = (type *)emu_shared_dynamic()

static inline void __syncthreads() { emu_barrier(); }
static inline void __syncwarp(unsigned mask = ~0u) { emu_warp_barrier(mask); }
static inline void __threadfence() {}
static inline long long clock64() { static long long now; return now += 1000; }
static inline unsigned __ballot_sync(unsigned mask, bool v) { return emu_ballot(mask, v); }
static inline bool __any_sync(unsigned mask, bool v) { return emu_ballot(mask, v) != 0; }

template <class T> T emu_shuffle(unsigned mask, T v, int from) {
  uint64_t bits = 0;
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  memcpy(&bits, &v, sizeof v);
  bits = emu_exchange(mask, bits, from);
  memcpy(&v, &bits, sizeof v);
  return v;
}
static inline int emu_lane() {
  return (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}
template <class T> T __shfl_sync(unsigned m, T v, int lane) { return emu_shuffle(m, v, lane); }
template <class T> T __shfl_xor_sync(unsigned m, T v, int x) { return emu_shuffle(m, v, emu_lane() ^ x); }
template <class T> T __shfl_down_sync(unsigned m, T v, unsigned d) {
  int from = emu_lane() + (int)d;
  return emu_shuffle(m, v, from < 32 ? from : emu_lane());
}
template <class T> T __shfl_up_sync(unsigned m, T v, unsigned d) {
  int from = emu_lane() - (int)d;
  return emu_shuffle(m, v, from >= 0 ? from : emu_lane());
}

template <class T> T atomicAdd(T *p, T v) { T was = *p; *p = was + v; return was; }
template <class T> T atomicMax(T *p, T v) { T was = *p; *p = v > was ? v : was; return was; }
template <class T> T atomicMin(T *p, T v) { T was = *p; *p = v < was ? v : was; return was; }
template <class T> T atomicExch(T *p, T v) { T was = *p; *p = v; return was; }
template <class T> T atomicCAS(T *p, T old, T v) { T was = *p; if (was == old) *p = v; return was; }
template <class T> T atomicOr(T *p, T v) { T was = *p; *p = was | v; return was; }
static inline uint64_t __umul64hi(uint64_t a, uint64_t b) {
  return (uint64_t)((unsigned __int128)a * b >> 64);
}
template <class T> T __ldg(const T *p) { return *p; }

/* ---- the runtime ---- */
enum cudaError_t {
  cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35, cudaErrorNoDevice = 100, cudaErrorIllegalAddress = 700,
  cudaErrorIllegalInstruction = 715, cudaErrorMisalignedAddress = 716, cudaErrorAssert = 710,
  cudaErrorHardwareStackError = 714, cudaErrorLaunchFailure = 719, cudaErrorNotReady = 600,
  cudaErrorStreamCaptureUnsupported = 900, cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureUnjoined = 904, cudaErrorStreamCaptureIsolation = 905,
  cudaErrorStreamCaptureImplicit = 906,
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                      cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal,
                             cudaStreamCaptureModeRelaxed };
const unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;
typedef struct emu_stream *cudaStream_t;
typedef struct emu_event *cudaEvent_t;
typedef struct emu_graph *cudaGraph_t, *cudaGraphExec_t;
typedef struct emu_graph_node *cudaGraphNode_t;
typedef struct emu_pool *cudaMemPool_t;
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
struct cudaDeviceProp { char name[256]; int major, minor, multiProcessorCount; size_t totalGlobalMem; };

const char *cudaGetErrorString(cudaError_t e);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int id);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int id);
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total);
cudaError_t cudaMalloc(void **p, size_t n);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t n);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMallocAsync(void **p, size_t n, cudaStream_t s);
cudaError_t cudaFreeAsync(void *p, cudaStream_t s);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int id);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr what, void *value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t e);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t cudaEventQuery(cudaEvent_t e);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags);
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t n, cudaMemcpyKind kind, cudaStream_t s);
cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s);
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

cudaError_t emu_launch(const std::function<void()> &body, dim3 grid, dim3 block, size_t shared,
                       cudaStream_t s);
template <class F, class... A>
cudaError_t emulate(F kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t s, A... args) {
  static_assert((sizeof(A) + ... + 0) <= 4096, "the arguments of a kernel take at most 4 KB");
  return emu_launch([=] { kernel(args...); }, grid, block, shared, s);
}

#endif
