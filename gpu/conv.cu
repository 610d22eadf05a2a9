/* conv.cu -- conv2d, its adjoint and the gradient of its weight: pixels laid out as columns
** (im2col), a few samples at a time, and one batched product. */
#include "gpu/gpu.h"

/* In terms of the convolution from (n, c, h, w) to (n, o, oh, ow); k = c kh kw. */
struct gpu_conv {
  int64_t n, c, h, w, o, oh, ow, kh, kw, stride, pad, k;
};
static const int64_t COLUMN_BYTES = 64 << 20;      /* of columns at a time */

static gpu_conv sizes(const td_call *c, const td_tensor *small, const td_tensor *large, int64_t kh,
                      int64_t kw) {
  gpu_conv v = {};
  v.n = large->shape[0], v.c = large->shape[1], v.h = large->shape[2], v.w = large->shape[3];
  v.o = small->shape[1], v.oh = small->shape[2], v.ow = small->shape[3];
  v.kh = kh, v.kw = kw, v.stride = c->attr[0].i, v.pad = c->attr[1].i;
  v.k = v.c * kh * kw;
  return v;
}

/* col (samples, K, L): zero outside of the pictures. */
template <class T> __global__ void columns(gpu_conv v, const T *x, T *col, int64_t samples) {
  int64_t each = v.oh * v.ow;
  GPU_EACH(i, samples * v.k * each) {
    int64_t at = i % each, row = i / each % v.k, n = i / each / v.k;
    int64_t kx = row % v.kw, ky = row / v.kw % v.kh, ch = row / v.kw / v.kh;
    int64_t y = at / v.ow * v.stride + ky - v.pad, z = at % v.ow * v.stride + kx - v.pad;
    bool out = y < 0 || y >= v.h || z < 0 || z >= v.w;
    col[i] = out ? (T)0 : x[((n * v.c + ch) * v.h + y) * v.w + z];
  }
}

/* Its adjoint: each pixel collects what was taken from it, plus the bias of its channel. */
template <class T> __global__ void uncolumns(gpu_conv v, const T *col, const T *bias, T *x, int64_t samples) {
  int64_t each = v.oh * v.ow;
  GPU_EACH(i, samples * v.c * v.h * v.w) {
    int64_t z = i % v.w, y = i / v.w % v.h, ch = i / v.w / v.h % v.c, n = i / v.w / v.h / v.c;
    T sum = 0;
    for (int64_t ky = 0; ky < v.kh; ky++) {
      int64_t oy = y + v.pad - ky;
      if (oy < 0 || oy % v.stride || oy / v.stride >= v.oh) continue;
      for (int64_t kx = 0; kx < v.kw; kx++) {
        int64_t ox = z + v.pad - kx;
        if (ox < 0 || ox % v.stride || ox / v.stride >= v.ow) continue;
        int64_t row = (ch * v.kh + ky) * v.kw + kx;
        sum += col[(n * v.k + row) * each + oy / v.stride * v.ow + ox / v.stride];
      }
    }
    x[i] = bias ? sum + bias[ch] : sum;
  }
}

template <class T>
__global__ void channel_bias(T *y, const T *bias, int64_t n, int64_t channels, int64_t each) {
  GPU_EACH(i, n) y[i] = bias[i / each % channels];
}
template <class T> __global__ void add_parts(const T *part, T *y, int64_t size, int64_t parts, bool first) {
  GPU_EACH(i, size) {
    T s = first ? (T)0 : y[i];
    for (int64_t p = 0; p < parts; p++) s += part[p * size + i];
    y[i] = s;
  }
}

/* Runs one(begin, samples, scratch) on as many samples at a time as fit. */
template <class F> static td_status by_lots(const td_call *c, int64_t n, int64_t bytes, F one) {
  int64_t lot = COLUMN_BYTES / (bytes ? bytes : 1);
  lot = lot < 1 ? 1 : lot > n ? n : lot;
  void *scratch;
  td_status st = gpu_scratch(c, (size_t)(lot * bytes), &scratch);
  for (int64_t at = 0; !st && at < n; at += lot) st = one(at, n - at < lot ? n - at : lot, (char *)scratch);
  return st;
}

template <class T> static td_status forward(const td_call *c, td_tensor *out) {
  const td_tensor *w = c->in[1], *bias = c->in[2];
  gpu_conv v = sizes(c, out, c->in[0], w->shape[2], w->shape[3]);
  int64_t each = v.oh * v.ow, size = td__numel(out);
  const T *x = (const T *)c->in[0]->data;
  T *y = (T *)out->data;
  td_status st = TD_OK;
  if (bias) st = gpu_launch(c, channel_bias<T>, gpu_grid(size), dim3(GPU_BLOCK), 0, y,
                            (const T *)bias->data, size, v.o, each);
  return st ? st : by_lots(c, v.n, v.k * each * (int64_t)sizeof(T), [&](int64_t at, int64_t n, char *col) {
    td_status s = gpu_launch(c, columns<T>, gpu_grid(n * v.k * each), dim3(GPU_BLOCK), 0, v,
                             x + at * v.c * v.h * v.w, (T *)col, n);
    gpu_product p = {};
    p.count = n, p.m = v.o, p.n = each, p.k = v.k;
    p.a = w->data, p.b = col, p.c = (char *)(y + at * v.o * each);
    p.ai = v.k, p.ak = 1, p.bb = v.k * each, p.bk = each, p.bj = 1;
    p.beta = bias != NULL;
    return s ? s : gpu_multiply(c, p, out->dtype);
  });
}

template <class T> static td_status adjoint(const td_call *c, td_tensor *out) {
  const td_tensor *w = c->in[1], *bias = c->in[2];
  gpu_conv v = sizes(c, c->in[0], out, w->shape[2], w->shape[3]);
  int64_t each = v.oh * v.ow, plane = v.c * v.h * v.w;
  return by_lots(c, v.n, v.k * each * (int64_t)sizeof(T), [&](int64_t at, int64_t n, char *col) {
    gpu_product p = {};
    p.count = n, p.m = v.k, p.n = each, p.k = v.o;
    p.a = w->data, p.b = c->in[0]->data + at * v.o * each * (int64_t)sizeof(T), p.c = col;
    p.ai = 1, p.ak = v.k, p.bb = v.o * each, p.bk = each, p.bj = 1;
    td_status s = gpu_multiply(c, p, out->dtype);
    return s ? s : gpu_launch(c, uncolumns<T>, gpu_grid(n * plane), dim3(GPU_BLOCK), 0, v, (const T *)col,
                              bias ? (const T *)bias->data : NULL, (T *)out->data + at * plane, n);
  });
}

template <class T> static td_status weights(const td_call *c, td_tensor *out) {
  gpu_conv v = sizes(c, c->in[0], c->in[1], c->list[0], c->list[1]);
  int64_t each = v.oh * v.ow, size = v.o * v.k;
  return by_lots(c, v.n, (v.k * each + size) * (int64_t)sizeof(T), [&](int64_t at, int64_t n, char *col) {
    T *part = (T *)col + n * v.k * each;
    td_status s = gpu_launch(c, columns<T>, gpu_grid(n * v.k * each), dim3(GPU_BLOCK), 0, v,
                             (const T *)c->in[1]->data + at * v.c * v.h * v.w, (T *)col, n);
    gpu_product p = {};
    p.count = n, p.m = v.o, p.n = v.k, p.k = each;
    p.a = c->in[0]->data + at * v.o * each * (int64_t)sizeof(T), p.b = col, p.c = (char *)part;
    p.ab = v.o * each, p.ai = each, p.ak = 1, p.bb = v.k * each, p.bk = 1, p.bj = each;
    if (!s) s = gpu_multiply(c, p, out->dtype);
    return s ? s : gpu_launch(c, add_parts<T>, gpu_grid(size), dim3(GPU_BLOCK), 0, (const T *)part,
                              (T *)out->data, size, n, at == 0);
  });
}

#define KERNEL(name, what) \
  static td_status name(const td_call *c, td_tensor **out) { \
    if (!td__numel(out[0])) return TD_OK; \
    return out[0]->dtype == TD_F64 ? what<double>(c, out[0]) : what<float>(c, out[0]); \
  }
KERNEL(k_conv2d, forward)
KERNEL(k_conv_transpose2d, adjoint)

static td_status k_conv2d_weight_grad(const td_call *c, td_tensor **out) {
  td_tensor *y = out[0];
  size_t bytes = (size_t)(td__numel(y) * gpu_size(y->dtype));
  if (!bytes) return TD_OK;
  if (c->in[1]->shape[0] == 0) {
    td_status st = gpu_enter(gpu_of(c));
    return st ? st : gpu_check(cudaMemsetAsync(y->data, 0, bytes, gpu_of(c)->stream), c->op->name);
  }
  return y->dtype == TD_F64 ? weights<double>(c, y) : weights<float>(c, y);
}

const td_kernel_entry gpu_conv_kernels[] = {
  { "conv2d", k_conv2d }, { "conv_transpose2d", k_conv_transpose2d },
  { "conv2d_weight_grad", k_conv2d_weight_grad }, { NULL, NULL }
};
