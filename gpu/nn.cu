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

/* g b, and g a, which is written through the last operand */
template <class T> __global__ void pair(gpu_layout l) {
  GPU_EACH(i, l.n) {
    int64_t at[5];
    gpu_offsets(l, i, 5, at);
    T g = gpu_read<T>(l.t[1], at[1]), a = gpu_read<T>(l.t[2], at[2]), b = gpu_read<T>(l.t[3], at[3]);
    *(T *)(l.t[0].p + at[0]) = g * b;
    *(T *)(l.t[4].p + at[4]) = g * a;
  }
}
static td_status k_addcmul_grad(const td_call *c, td_tensor **out) {
  td_tensor *in[] = { c->in[0], c->in[1], c->in[2], out[1] };
  gpu_layout l = gpu_layout_of(out[0], 4, in);
  return l.n ? gpu_launch(c, out[0]->dtype == TD_F64 ? pair<double> : pair<float>, gpu_grid(l.n),
                          dim3(GPU_BLOCK), 0, l) : TD_OK;
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

template <class T> struct rows_of { const T *p; int64_t stride[TD_MAXDIM]; };   /* p null: none */

template <class T> struct norm_rows {
  int ndim;                    /* dims before the last of x: rows are counted over them */
  int64_t shape[TD_MAXDIM];
  rows_of<T> g, x, shift, scale, gate, f, add;
  const T *w, *b;              /* for all rows */
  T *y, *h;                    /* results, row by row */
  int64_t n, count;
  double eps;
  bool centre;                 /* layer_norm, not rms_norm */
};

template <class T> __device__ static const T *line(const norm_rows<T> &q, const rows_of<T> &r, int64_t k) {
  if (!r.p) return NULL;
  int64_t at = 0;
  for (int d = q.ndim - 1; d >= 0; d--) {
    int64_t rest = d ? k / q.shape[d] : 0;
    at += (k - rest * q.shape[d]) * r.stride[d];
    k = rest;
  }
  return r.p + at;
}

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
    const T *x = line(q, q.x, k), *shift = line(q, q.shift, k), *scale = line(q, q.scale, k);
    if (q.gate.p) {            /* a thread reads what it wrote itself */
      const T *gate = line(q, q.gate, k), *f = line(q, q.f, k);
      T *h = q.h + k * q.n;
      for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) h[i] = x[i] + gate[i] * f[i];
      x = h;
    }
    stats s = stats_of(q, x, part);
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
      T v = (T)(((double)x[i] - s.mean) * s.r);
      if (q.w) v *= q.w[i];
      if (q.b) v += q.b[i];
      if (scale) v += v * scale[i];
      if (shift) v += shift[i];
      q.y[k * q.n + i] = v;
    }
  }
}

/* y = r (h - <h> - xhat <h xhat>) + add, h = g (1 + scale) w; with a scale also its gradient,
** g (xhat w + b). */
template <class T> __global__ void norm_grad(norm_rows<T> q) {
  TD_SHARED(double, part, 32);
  for (int64_t k = blockIdx.x; k < q.count; k += gridDim.x) {
    const T *x = line(q, q.x, k), *g = line(q, q.g, k), *scale = line(q, q.scale, k);
    const T *add = line(q, q.add, k);
    stats s = stats_of(q, x, part);
    double h = 0, hx = 0;
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
      double u = (double)(scale ? g[i] + g[i] * scale[i] : g[i]) * (q.w ? (double)q.w[i] : 1.);
      h += u;
      hx += u * ((double)x[i] - s.mean);
    }
    h = gpu_block_sum(h, part) / (double)q.n;
    hx = gpu_block_sum(hx, part) * s.r * s.r / (double)q.n;
    if (!q.centre) h = 0;
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
      double w = q.w ? (double)q.w[i] : 1., d = (double)x[i] - s.mean;
      double u = (double)(scale ? g[i] + g[i] * scale[i] : g[i]) * w;
      q.y[k * q.n + i] = (T)(s.r * (u - h - d * hx) + (add ? (double)add[i] : 0.));
      if (scale) q.h[k * q.n + i] = (T)((double)g[i] * (d * s.r * w + (q.b ? (double)q.b[i] : 0.)));
    }
  }
}

/* Row p of sums: those of u xhat, and for layer_norm of u, over every gridDim-th row from p on;
** u = g (1 + scale). */
template <class T> __global__ void norm_weight_grad(norm_rows<T> q, double *sums) {
  TD_SHARED(double, part, 32);
  int64_t width = q.centre ? 2 * q.n : q.n;
  double *mine = sums + blockIdx.x * width;
  for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
    mine[i] = 0;
    if (q.centre) mine[q.n + i] = 0;
  }
  for (int64_t k = blockIdx.x; k < q.count; k += gridDim.x) {
    const T *x = line(q, q.x, k), *g = line(q, q.g, k), *scale = line(q, q.scale, k);
    stats s = stats_of(q, x, part);
    for (int64_t i = threadIdx.x; i < q.n; i += NORM_BLOCK) {
      double u = (double)(scale ? g[i] + g[i] * scale[i] : g[i]);
      mine[i] += u * ((double)x[i] - s.mean) * s.r;
      if (q.centre) mine[q.n + i] += u;
    }
  }
}
/* The first n sums go to y, the others to z. */
template <class T> __global__ void add_rows(const double *sums, T *y, T *z, int64_t n, int64_t width,
                                            int rows) {
  GPU_EACH(i, width) {
    double s = 0;
    for (int r = 0; r < rows; r++) s += sums[r * width + i];
    if (i < n) y[i] = (T)s;
    else z[i - n] = (T)s;
  }
}

template <class T> static const T *data(const td_tensor *t) { return t ? (const T *)t->data : NULL; }

/* The rows of t, which broadcast to those of x. */
template <class T> static rows_of<T> lines(const td_tensor *t, const td_tensor *x) {
  rows_of<T> r = {};
  r.p = data<T>(t);
  for (int d = x->ndim - 2, e = t ? t->ndim - 2 : -1; e >= 0; d--, e--)
    r.stride[d] = t->shape[e] > 1 ? t->stride[e] : 0;
  return r;
}

template <class T> static norm_rows<T> norm_of(const td_call *c, const td_tensor *x) {
  norm_rows<T> q = {};
  q.ndim = x->ndim - 1;
  for (int d = 0; d < q.ndim; d++) q.shape[d] = x->shape[d];
  q.n = x->shape[q.ndim];
  q.x = lines<T>(x, x);
  q.count = q.n ? td__numel(x) / q.n : 0;
  q.eps = c->attr[0].f;
  q.centre = c->op->name[0] != 'r';
  return q;
}
template <class T> static td_status each_row(const td_call *c, const norm_rows<T> &q,
                                             void (*kernel)(norm_rows<T>)) {
  return q.count ? gpu_launch(c, kernel, gpu_blocks(q.count), dim3(NORM_BLOCK), 0, q) : TD_OK;
}

template <class T> static td_status run_norm(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  norm_rows<T> q = norm_of<T>(c, x);
  q.w = data<T>(c->in[1]);
  if (c->nin > 2) {
    q.b = data<T>(c->in[2]);
    q.shift = lines<T>(c->in[3], x), q.scale = lines<T>(c->in[4], x);
  }
  q.y = (T *)out[0]->data;
  return each_row(c, q, norm<T>);
}
template <class T> static td_status run_gated(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  norm_rows<T> q = norm_of<T>(c, x);
  q.gate = lines<T>(c->in[1], x), q.f = lines<T>(c->in[2], x);
  q.w = data<T>(c->in[3]), q.b = data<T>(c->in[4]);
  q.shift = lines<T>(c->in[5], x), q.scale = lines<T>(c->in[6], x);
  q.h = (T *)out[0]->data, q.y = (T *)out[1]->data;
  return each_row(c, q, norm<T>);
}
template <class T> static td_status run_norm_grad(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[1];
  norm_rows<T> q = norm_of<T>(c, x);
  q.g = lines<T>(c->in[0], x);
  q.w = data<T>(c->in[2]);
  q.y = (T *)out[0]->data;
  return each_row(c, q, norm_grad<T>);
}
template <class T> static td_status run_modulated_grad(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[1];
  norm_rows<T> q = norm_of<T>(c, x);
  q.g = lines<T>(c->in[0], x);
  q.w = data<T>(c->in[2]), q.b = data<T>(c->in[3]);
  q.scale = lines<T>(c->in[4], x), q.add = lines<T>(c->in[5], x);
  q.y = (T *)out[0]->data, q.h = (T *)out[1]->data;
  return each_row(c, q, norm_grad<T>);
}
template <class T> static td_status run_weight_grad(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[1];
  norm_rows<T> q = norm_of<T>(c, x);
  q.g = lines<T>(c->in[0], x);
  if (c->nin > 2) q.scale = lines<T>(c->in[2], x);
  int64_t width = c->op->nout * q.n;
  int rows = q.count < 64 ? (int)q.count : 64;
  void *sums = NULL;
  if (!width) return TD_OK;
  td_status st = gpu_scratch(c, sizeof(double) * (size_t)(width * (rows ? rows : 1)), &sums);
  if (!st && rows)
    st = gpu_launch(c, norm_weight_grad<T>, dim3((unsigned)rows), dim3(NORM_BLOCK), 0, q, (double *)sums);
  T *z = c->op->nout > 1 ? (T *)out[1]->data : NULL;
  if (!st)
    st = gpu_launch(c, add_rows<T>, gpu_grid(width), dim3(GPU_BLOCK), 0, (const double *)sums,
                    (T *)out[0]->data, z, q.n, width, rows);
  return st;
}
#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return out[0]->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }
KERNEL(norm)
KERNEL(gated)
KERNEL(norm_grad)
KERNEL(modulated_grad)
KERNEL(weight_grad)

const td_kernel_entry gpu_nn_kernels[] = {
  { "modulate", k_modulate }, { "addcmul", k_addcmul }, { "addcmul_grad", k_addcmul_grad },
  { "sinusoid", k_sinusoid },
  { "layer_norm", k_norm }, { "layer_norm_grad", k_norm_grad }, { "gated_norm", k_gated },
  { "layer_norm_modulated_grad", k_modulated_grad },
  { "layer_norm_weight_grad", k_weight_grad }, { "rms_norm", k_norm },
  { "rms_norm_grad", k_norm_grad }, { "rms_norm_weight_grad", k_weight_grad }, { NULL, NULL }
};
