/* lines.h -- a tensor as lines along one dim, with the matching lines of the results. */
#ifndef TD_GPU_LINES_H
#define TD_GPU_LINES_H
#include "gpu/gpu.h"

/* Some dims of a tensor, counted in row-major order; strides in bytes. */
struct gpu_part { int ndim; int64_t n, shape[TD_MAXDIM], stride[TD_MAXDIM]; };

__device__ static inline int64_t gpu_part_at(const gpu_part &p, int64_t i) {
  int64_t at = 0;
  for (int d = p.ndim - 1; d > 0; d--) {
    int64_t rest = i / p.shape[d];
    at += (i - rest * p.shape[d]) * p.stride[d];
    i = rest;
  }
  return p.ndim ? at + i * p.stride[0] : at;
}

/* t[0] is the tensor, then up to two results that have the same other dims. */
struct gpu_line_of { char *p; gpu_part where; int64_t step; };
struct gpu_lines {
  int64_t n, count;            /* elements of a line of t[0], lines */
  gpu_line_of t[3];
};

static inline gpu_lines gpu_lines_of(const td_tensor *x, int nout, td_tensor **out, int64_t dim) {
  gpu_lines l = {};
  l.n = x->ndim ? x->shape[dim] : 1;
  for (int k = 0; k <= nout; k++) {
    const td_tensor *t = k ? out[k - 1] : x;
    gpu_line_of *o = &l.t[k];
    o->p = t->data;
    o->where.n = 1;
    o->step = t->ndim ? t->stride[dim] * gpu_size(t->dtype) : 0;
    for (int d = 0; d < x->ndim; d++) {
      if (d == dim || x->shape[d] == 1) continue;
      o->where.n *= x->shape[d];
      o->where.shape[o->where.ndim] = x->shape[d];
      o->where.stride[o->where.ndim++] = t->stride[d] * gpu_size(t->dtype);
    }
  }
  l.count = l.t[0].where.n;
  return l;
}
__device__ static inline char *gpu_line(const gpu_lines &l, int k, int64_t line) {
  return l.t[k].p + gpu_part_at(l.t[k].where, line);
}

#endif
