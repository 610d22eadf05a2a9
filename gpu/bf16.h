/* bf16.h -- an element of type bf16 in kernels: read as f32, rounded when it is stored. */
#ifndef TD_GPU_BF16_H
#define TD_GPU_BF16_H
#include "gpu/gpu.h"
#include "tensor/convert.h"

struct gpu_bf16 {
  uint16_t bits;
  gpu_bf16() = default;
  __host__ __device__ explicit gpu_bf16(float x) : bits(td__to_bf16(x)) {}
  __host__ __device__ operator float() const { return td__of_bf16(bits); }
};

#endif
