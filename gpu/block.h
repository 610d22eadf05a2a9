/* block.h -- sums and maxima over the threads of a warp or block, the same for all of them. */
#ifndef TD_GPU_BLOCK_H
#define TD_GPU_BLOCK_H
#include "gpu/gpu.h"

template <class T> __device__ static inline T gpu_warp_sum(T v) {
  for (int step = 16; step; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
  return v;
}
template <class T> __device__ static inline T gpu_warp_max(T v) {
  for (int step = 16; step; step /= 2) {
    T w = __shfl_xor_sync(0xffffffffu, v, step);
    v = w > v ? w : v;
  }
  return v;
}

/* part: shared, 32 values.  The block has a multiple of 32 threads. */
template <class T> __device__ static inline T gpu_block_sum(T v, T *part) {
  int lane = (int)(threadIdx.x & 31), warp = (int)(threadIdx.x >> 5);
  v = gpu_warp_sum(v);
  __syncthreads();             /* part may still be read from the last time */
  if (lane == 0) part[warp] = v;
  __syncthreads();
  return gpu_warp_sum(lane < (int)(blockDim.x >> 5) ? part[lane] : (T)0);
}
template <class T> __device__ static inline T gpu_block_max(T v, T *part) {
  int lane = (int)(threadIdx.x & 31), warp = (int)(threadIdx.x >> 5);
  v = gpu_warp_max(v);
  __syncthreads();
  if (lane == 0) part[warp] = v;
  __syncthreads();
  return gpu_warp_max(part[lane < (int)(blockDim.x >> 5) ? lane : 0]);
}

#endif
