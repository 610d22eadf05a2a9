/* picture.cu -- layers of pictures: group norm, pixels repeated, sums over squares of pixels. */
#include "gpu/block.h"

/* ---- group norm: a block for each group of channels of each sample ---- */

template <class T> struct groups {
  const T *g, *x, *w, *b;
  T *y, *dw, *db;
  int64_t count, per, each, inner;     /* groups in all, in a sample; channels in one, their pixels */
  double eps;
  bool w_own, b_own;                   /* weight or bias differ from sample to sample */
};

enum { GROUP_BLOCK = 128 };
struct group_stats { double mean, r; };

template <class T> __device__ static group_stats stats_of(const groups<T> &q, const T *x, double *part) {
  int64_t n = q.each * q.inner;
  group_stats s;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += GROUP_BLOCK) sum += (double)x[i];
  s.mean = gpu_block_sum(sum, part) / (double)n;
  sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += GROUP_BLOCK) {
    double d = (double)x[i] - s.mean;
    sum += d * d;
  }
  s.r = 1 / sqrt(gpu_block_sum(sum, part) / (double)n + q.eps);
  return s;
}

/* Of group k, the first entry of what has one number for each channel. */
template <class T> __device__ static const T *of_group(const groups<T> &q, const T *w, bool own, int64_t k) {
  return w ? w + (own ? k : k % q.per) * q.each : w;
}

template <class T> __global__ void group_norm(groups<T> q) {
  TD_SHARED(double, part, 32);
  int64_t n = q.each * q.inner;
  for (int64_t k = blockIdx.x; k < q.count; k += gridDim.x) {
    const T *x = q.x + k * n, *w = of_group(q, q.w, q.w_own, k), *b = of_group(q, q.b, q.b_own, k);
    group_stats s = stats_of(q, x, part);
    for (int64_t i = threadIdx.x; i < n; i += GROUP_BLOCK) {
      double v = ((double)x[i] - s.mean) * s.r;
      if (w) v *= (double)w[i / q.inner];
      if (b) v += (double)b[i / q.inner];
      q.y[k * n + i] = (T)v;
    }
  }
}

template <class T> __global__ void group_norm_grad(groups<T> q) {
  TD_SHARED(double, part, 32);
  int64_t n = q.each * q.inner;
  for (int64_t k = blockIdx.x; k < q.count; k += gridDim.x) {
    const T *x = q.x + k * n, *g = q.g + k * n, *w = of_group(q, q.w, q.w_own, k);
    group_stats s = stats_of(q, x, part);
    double h = 0, hx = 0;
    for (int64_t c = 0; c < q.each; c++) {
      double sum = 0, with = 0;
      for (int64_t i = c * q.inner + threadIdx.x; i < (c + 1) * q.inner; i += GROUP_BLOCK) {
        sum += (double)g[i];
        with += (double)g[i] * ((double)x[i] - s.mean);
      }
      sum = gpu_block_sum(sum, part);
      with = gpu_block_sum(with, part);
      if (threadIdx.x == 0) {
        q.db[k * q.each + c] = (T)sum;
        q.dw[k * q.each + c] = (T)(with * s.r);
      }
      h += w ? (double)w[c] * sum : sum;
      hx += w ? (double)w[c] * with : with;
    }
    h /= (double)n;
    hx *= s.r * s.r / (double)n;
    for (int64_t i = threadIdx.x; i < n; i += GROUP_BLOCK) {
      double u = (double)g[i] * (w ? (double)w[i / q.inner] : 1.);
      q.y[k * n + i] = (T)(s.r * (u - h - ((double)x[i] - s.mean) * hx));
    }
  }
}

template <class T> static groups<T> groups_of(const td_call *c, const td_tensor *x, const td_tensor *w) {
  groups<T> q = {};
  int64_t channels = x->shape[1], pictures = x->shape[0] * channels;
  q.x = (const T *)x->data;
  q.per = c->attr[0].i;
  q.count = x->shape[0] * q.per;
  q.each = channels / q.per;
  q.inner = pictures ? td__numel(x) / pictures : 0;
  q.eps = c->attr[1].f;
  q.w = w ? (const T *)w->data : NULL;
  q.w_own = w && w->ndim == 2;
  return q;
}

template <class T> static td_status run_group_norm(const td_call *c, td_tensor **out) {
  const td_tensor *b = c->in[2];
  groups<T> q = groups_of<T>(c, c->in[0], c->in[1]);
  q.b = b ? (const T *)b->data : NULL;
  q.b_own = b && b->ndim == 2;
  q.y = (T *)out[0]->data;
  return td__numel(out[0]) ?
    gpu_launch(c, group_norm<T>, gpu_blocks(q.count), dim3(GROUP_BLOCK), 0, q) : TD_OK;
}

template <class T> __global__ void zero(T *a, T *b, int64_t n) {
  GPU_EACH(i, n) a[i] = b[i] = (T)0;
}

template <class T> static td_status run_group_norm_grad(const td_call *c, td_tensor **out) {
  groups<T> q = groups_of<T>(c, c->in[1], c->in[2]);
  q.g = (const T *)c->in[0]->data;
  q.y = (T *)out[0]->data, q.dw = (T *)out[1]->data, q.db = (T *)out[2]->data;
  int64_t n = td__numel(out[1]);
  if (!n) return TD_OK;
  if (!td__numel(out[0])) return gpu_launch(c, zero<T>, gpu_grid(n), dim3(GPU_BLOCK), 0, q.dw, q.db, n);
  return gpu_launch(c, group_norm_grad<T>, gpu_blocks(q.count), dim3(GROUP_BLOCK), 0, q);
}

/* ---- changes of size: w is the width of the larger picture ---- */

template <class T> __global__ void repeat(const T *x, T *y, int64_t n, int64_t w, int64_t f) {
  GPU_EACH(i, n) y[i] = x[i / w / f * (w / f) + i % w / f];
}

template <class T> __global__ void gather(const T *x, T *y, int64_t n, int64_t w, int64_t f) {
  GPU_EACH(i, n) {
    const T *from = x + i / (w / f) * f * w + i % (w / f) * f;
    T sum = 0;
    for (int64_t r = 0; r < f; r++)
      for (int64_t k = 0; k < f; k++) sum += from[r * w + k];
    y[i] = sum;
  }
}

template <class T> static td_status run_size(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  bool up = c->op->name[0] == 'u';
  int64_t n = td__numel(out[0]), w = up ? out[0]->shape[3] : x->shape[3];
  return n ? gpu_launch(c, up ? repeat<T> : gather<T>, gpu_grid(n), dim3(GPU_BLOCK), 0,
                        (const T *)x->data, (T *)out[0]->data, n, w, c->attr[0].i) : TD_OK;
}

#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return out[0]->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }
KERNEL(group_norm)
KERNEL(group_norm_grad)
KERNEL(size)

const td_kernel_entry gpu_picture_kernels[] = {
  { "group_norm", k_group_norm }, { "group_norm_grad", k_group_norm_grad },
  { "upsample2d", k_size }, { "sum_pool2d", k_size }, { NULL, NULL }
};
