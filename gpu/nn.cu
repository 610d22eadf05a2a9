/* nn.cu -- layers that are one pass over memory: norms, modulation, sinusoid. */
#include "gpu/block.h"
#include "tensor/vmath.h"

/* ---- modulate, addcmul: x, a and b broadcast to the result ---- */

template <class T> __global__ void madd(gpu_layout l, bool modulate, bool shift) {
  GPU_EACH(i, l.n) {
    int64_t at[4];
    gpu_offsets(l, i, 4, at);
    T x = gpu_read<T>(l.t[1], at[1]), a = gpu_read<T>(l.t[2], at[2]);
    T b = shift ? gpu_read<T>(l.t[3], at[3]) : (T)0;
    *(T *)(l.t[0].p + at[0]) = modulate ? x + x * a + b : x + a * b;
  }
}

static td_status run_madd(const td_call *c, td_tensor *out, td_tensor *const *in, bool modulate,
                          bool shift) {
  gpu_layout l = gpu_layout_of(out, 3, in);
  return l.n ? gpu_launch(c, out->dtype == TD_F64 ? madd<double> : madd<float>, gpu_grid(l.n),
                          dim3(GPU_BLOCK), 0, l, modulate, shift) : TD_OK;
}
static td_status k_modulate(const td_call *c, td_tensor **out) {
  td_tensor *shift = c->in[1], *in[] = { c->in[0], c->in[2], shift ? shift : c->in[2] };
  return run_madd(c, out[0], in, true, shift != NULL);
}
static td_status k_addcmul(const td_call *c, td_tensor **out) {
  return run_madd(c, out[0], c->in, false, true);
}

/* ---- sinusoid ---- */

template <class T> __global__ void wave(const T *t, T *y, int64_t n, int64_t half, double rate) {
  GPU_EACH(i, n * half) {
    int64_t row = i / half, k = i - row * half;
    double turn = (double)t[row] * exp(-rate * (double)k / (double)half);
    y[row * 2 * half + k] = (T)cos(turn);
    y[row * 2 * half + half + k] = (T)sin(turn);
  }
}
static td_status k_sinusoid(const td_call *c, td_tensor **out) {
  int64_t n = td__numel(c->in[0]), half = c->attr[0].i / 2;
  double rate = log(c->attr[1].f);
  if (!n) return TD_OK;
  if (out[0]->dtype == TD_F64)
    return gpu_launch(c, wave<double>, gpu_grid(n * half), dim3(GPU_BLOCK), 0,
                      (const double *)c->in[0]->data, (double *)out[0]->data, n, half, rate);
  return gpu_launch(c, wave<float>, gpu_grid(n * half), dim3(GPU_BLOCK), 0,
                    (const float *)c->in[0]->data, (float *)out[0]->data, n, half, rate);
}

/* ---- norms: a block for each row ---- */

template <class T> struct norm_rows {
  const T *g, *x, *w, *b;
  T *y;
  int64_t n, count;
  double eps;
  bool centre;                 /* layer_norm, not rms_norm */
};

enum { NORM_BLOCK = 128 };
struct stats { double mean, r; };

template <class T> __device__ static stats stats_of(const norm_rows<T> &q, const T *x, double *part) {
  stats s;
  double sum = 0;
  s.mean = 0;
  if (q.centre) {
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) sum += (double)x[i];
    s.mean = gpu_block_sum(sum, part) / (double)q.n;
  }
  sum = 0;
  for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
    double d = (double)x[i] - s.mean;
    sum += d * d;
  }
  s.r = 1 / sqrt(gpu_block_sum(sum, part) / (double)q.n + q.eps);
  return s;
}

template <class T> __global__ void norm(norm_rows<T> q) {
  TD_SHARED(double, part, 32);
  for (int64_t k = blockIdx.x; k < q.count; k += gridDim.x) {
    const T *x = q.x + k * q.n;
    stats s = stats_of(q, x, part);
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
      T v = (T)(((double)x[i] - s.mean) * s.r);
      if (q.w) v *= q.w[i];
      q.y[k * q.n + i] = q.b ? v + q.b[i] : v;
    }
  }
}

/* y = r (h - <h> - xhat <h xhat>), h = g w */
template <class T> __global__ void norm_grad(norm_rows<T> q) {
  TD_SHARED(double, part, 32);
  for (int64_t k = blockIdx.x; k < q.count; k += gridDim.x) {
    const T *x = q.x + k * q.n, *g = q.g + k * q.n;
    stats s = stats_of(q, x, part);
    double h = 0, hx = 0;
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
      double u = (double)g[i] * (q.w ? (double)q.w[i] : 1.);
      h += u;
      hx += u * ((double)x[i] - s.mean);
    }
    h = gpu_block_sum(h, part) / (double)q.n;
    hx = gpu_block_sum(hx, part) * s.r * s.r / (double)q.n;
    if (!q.centre) h = 0;
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
      double u = (double)g[i] * (q.w ? (double)q.w[i] : 1.);
      q.y[k * q.n + i] = (T)(s.r * (u - h - ((double)x[i] - s.mean) * hx));
    }
  }
}

/* Row p of part: the sum of g xhat over every gridDim-th row from p on. */
template <class T> __global__ void norm_weight_grad(norm_rows<T> q, double *sums) {
  TD_SHARED(double, part, 32);
  double *mine = sums + blockIdx.x * q.n;
  for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) mine[i] = 0;
  for (int64_t k = blockIdx.x; k < q.count; k += gridDim.x) {
    const T *x = q.x + k * q.n, *g = q.g + k * q.n;
    stats s = stats_of(q, x, part);
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK)
      mine[i] += (double)g[i] * ((double)x[i] - s.mean) * s.r;
  }
}
template <class T> __global__ void add_rows(const double *sums, T *y, int64_t n, int rows) {
  GPU_EACH(i, n) {
    double s = 0;
    for (int r = 0; r < rows; r++) s += sums[r * n + i];
    y[i] = (T)s;
  }
}

template <class T> static norm_rows<T> rows_of(const td_call *c, const td_tensor *x) {
  norm_rows<T> q = {};
  q.n = x->shape[x->ndim - 1];
  q.x = (const T *)x->data;
  q.count = q.n ? td__numel(x) / q.n : 0;
  q.eps = c->attr[0].f;
  q.centre = c->op->name[0] == 'l';
  return q;
}
template <class T> static const T *data(const td_tensor *t) { return t ? (const T *)t->data : NULL; }

template <class T> static td_status run_norm(const td_call *c, td_tensor **out) {
  norm_rows<T> q = rows_of<T>(c, c->in[0]);
  q.w = data<T>(c->in[1]);
  q.b = c->nin > 2 ? data<T>(c->in[2]) : NULL;
  q.y = (T *)out[0]->data;
  return q.count ? gpu_launch(c, norm<T>, gpu_blocks(q.count), dim3(NORM_BLOCK), 0, q) : TD_OK;
}
template <class T> static td_status run_norm_grad(const td_call *c, td_tensor **out) {
  norm_rows<T> q = rows_of<T>(c, c->in[1]);
  q.g = data<T>(c->in[0]);
  q.w = data<T>(c->in[2]);
  q.y = (T *)out[0]->data;
  return q.count ? gpu_launch(c, norm_grad<T>, gpu_blocks(q.count), dim3(NORM_BLOCK), 0, q) : TD_OK;
}
template <class T> static td_status run_weight_grad(const td_call *c, td_tensor **out) {
  norm_rows<T> q = rows_of<T>(c, c->in[1]);
  q.g = data<T>(c->in[0]);
  int64_t n = td__numel(out[0]);
  int rows = q.count < 64 ? (int)q.count : 64;
  void *sums = NULL;
  if (!n) return TD_OK;
  td_status st = gpu_scratch(c, sizeof(double) * (size_t)(n * (rows ? rows : 1)), &sums);
  if (!st && rows)
    st = gpu_launch(c, norm_weight_grad<T>, dim3((unsigned)rows), dim3(NORM_BLOCK), 0, q, (double *)sums);
  if (!st)
    st = gpu_launch(c, add_rows<T>, gpu_grid(n), dim3(GPU_BLOCK), 0, (const double *)sums,
                    (T *)out[0]->data, n, rows);
  return st;
}
#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return out[0]->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }
KERNEL(norm)
KERNEL(norm_grad)
KERNEL(weight_grad)

const td_kernel_entry gpu_nn_kernels[] = {
  { "modulate", k_modulate }, { "addcmul", k_addcmul }, { "sinusoid", k_sinusoid },
  { "layer_norm", k_norm }, { "layer_norm_grad", k_norm_grad },
  { "layer_norm_weight_grad", k_weight_grad }, { "rms_norm", k_norm },
  { "rms_norm_grad", k_norm_grad }, { "rms_norm_weight_grad", k_weight_grad }, { NULL, NULL }
};
