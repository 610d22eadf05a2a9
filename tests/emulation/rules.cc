// rules.cc -- the emulation refuses what CUDA refuses while a graph is captured, and finds races in graphs.
#include "cuda_runtime.h"
#include <stdio.h>

static int count, failed;
static void ok(bool good, const char *name) {
  printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
  failed += !good;
}

static cudaStream_t s, t;
static char *mem;

/* What the forbidden call and the end of the capture say. */
template <class F> static bool refuses(F call, cudaError_t want) {
  cudaGraph_t g = NULL;
  cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal);
  cudaMemsetAsync(mem, 0, 4, s);
  cudaError_t e = call();
  bool good = e == want && cudaStreamEndCapture(s, &g) == cudaErrorStreamCaptureInvalidated && !g;
  return good && cudaStreamSynchronize(s) == cudaSuccess;
}

static cudaEvent_t mark() {
  cudaEvent_t e;
  cudaEventCreateWithFlags(&e, cudaEventDisableTiming);
  return e;
}

/* Bytes 0 to 7 are written on one branch, 4 to 11 on another that may join before or after. */
static bool branches(bool join) {
  cudaGraph_t g = NULL;
  cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal);
  cudaMemsetAsync(mem, 1, 12, s);
  cudaEvent_t fork = mark(), end = mark();
  cudaEventRecord(fork, s);
  cudaStreamWaitEvent(t, fork, 0);
  cudaMemsetAsync(mem + 4, 2, 8, t);
  cudaEventRecord(end, t);
  if (join) cudaStreamWaitEvent(s, end, 0);
  cudaMemsetAsync(mem, 3, 8, s);
  cudaError_t e = cudaStreamEndCapture(s, &g);
  if (!join) return e == cudaErrorStreamCaptureUnjoined && !g;
  cudaGraphExec_t x;
  size_t n = 0;
  char got[12], want[12] = { 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2 };
  cudaGraphGetNodes(g, NULL, &n);
  cudaGraphInstantiate(&x, g, 0);
  for (int i = 0; i < 5; i++) cudaGraphLaunch(x, s);
  cudaMemcpyAsync(got, mem, 12, cudaMemcpyDeviceToHost, s);
  return n == 3 && !memcmp(got, want, 12);
}

int main() {
  void *p = NULL, *pinned;
  char host[4];
  cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking);
  cudaMalloc((void **)&mem, 64);
  cudaMallocHost(&pinned, 64);
  cudaEvent_t e = mark(), before = mark();
  cudaEventRecord(before, t);
  const cudaError_t no = cudaErrorStreamCaptureUnsupported;
  ok(refuses([] { return cudaStreamSynchronize(s); }, no), "waiting for the stream");
  ok(refuses([&] { cudaEventRecord(e, s); return cudaEventSynchronize(e); }, no), "waiting for an event");
  ok(refuses([&] { return cudaMalloc(&p, 4); }, no), "asking for memory");
  ok(refuses([&] { return cudaMallocAsync(&p, 4, s); }, no), "asking for memory in order");
  ok(refuses([] { return cudaFree(mem); }, no), "freeing memory");
  ok(refuses([&] { return cudaMemcpyAsync(host, mem, 4, cudaMemcpyDeviceToHost, s); }, no),
     "copying to memory that is not pinned");
  ok(refuses([] { return cudaMemsetAsync(mem, 0, 4, 0); }, cudaErrorStreamCaptureImplicit), "the legacy stream");
  ok(refuses([&] { return cudaStreamWaitEvent(s, before, 0); }, cudaErrorStreamCaptureIsolation),
     "waiting for work from before");
  ok(branches(false), "a branch that does not join");
  ok(branches(true), "a branch that joins");
  cudaMemsetAsync(mem, 7, 4, s);
  *(char *)pinned = 1;
  cudaMemcpyAsync(mem, pinned, 1, cudaMemcpyHostToDevice, s);
  *(char *)pinned = 2;                       /* too early: the copy has not been made */
  cudaMemcpyAsync(host, mem, 4, cudaMemcpyDeviceToHost, s);
  ok(host[0] == 2 && host[1] == 7, "pinned memory is read when the copy's turn comes");
  ok(cudaMalloc(&p, (size_t)2 << 30) == cudaErrorMemoryAllocation, "more memory than there is");
  printf("1..%d\n", count);
  return failed != 0;
}
