/* attention.cu -- attention and its gradient, a block for each query or key.  Scores exist in
** tiles of TILE only; nothing is added by atomics, so results do not change between runs. */
#include "gpu/block.h"
#include "tensor/vmath.h"

const int64_t TILE = 128;      /* threads of a block, and keys or queries at a time */

template <class T> struct attention {
  const T *q, *k, *v, *g, *lse, *delta;   /* (b,n,d) (b,m,d) (b,m,e); (b,n,e) (b,n) (b,n) */
  T *y, *lse_out, *gq, *gk, *gv;
  int64_t b, n, m, d, e;
  double scale;
};

template <class T> __device__ static inline T dot(const T *a, const T *b, int64_t n) {
  T s = 0;
  for (int64_t i = 0; i < n; i++) s += a[i] * b[i];
  return s;
}

template <class T> __device__ static inline T block_max(T v, T *part) {
  for (int step = 16; step; step /= 2) {
    T o = __shfl_xor_sync(0xffffffffu, v, step);
    v = o > v ? o : v;
  }
  __syncthreads();
  if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = v;
  __syncthreads();
  T most = part[0];
  for (int w = 1; w < TILE / 32; w++) most = part[w] > most ? part[w] : most;
  return most;
}

/* One query: softmax as the keys come. */
template <class T> __global__ void forward(attention<T> a) {
  TD_SHARED(T, p, TILE);
  TD_SHARED(T, part, 32);
  int me = (int)threadIdx.x;
  for (int64_t row = blockIdx.x; row < a.b * a.n; row += gridDim.x) {
    const T *q = a.q + row * a.d, *k = a.k + row / a.n * a.m * a.d, *v = a.v + row / a.n * a.m * a.e;
    T *y = a.y + row * a.e, most = -(T)INFINITY, sum = 0;
    for (int64_t j = 0; j < a.m; j += TILE) {
      int64_t cols = a.m - j < TILE ? a.m - j : TILE;
      T s = me < cols ? (T)a.scale * dot(q, k + (j + me) * a.d, a.d) : -(T)INFINITY;
      T top = block_max(s, part);
      top = top > most ? top : most;
      T shrink = j ? TD_EXP((T)(most - top)) : (T)0;
      T w = me < cols ? TD_EXP((T)(s - top)) : (T)0;
      p[me] = w;
      sum = sum * shrink + gpu_block_sum(w, part);
      most = top;
      for (int64_t e = me; e < a.e; e += TILE) {
        T t = j ? y[e] * shrink : (T)0;
        for (int64_t l = 0; l < cols; l++) t += p[l] * v[(j + l) * a.e + e];
        y[e] = t;
      }
      __syncthreads();
    }
    for (int64_t e = me; e < a.e; e += TILE) y[e] /= sum;
    if (me == 0) a.lse_out[row] = most + TD_LOG(sum);
  }
}

/* One query: gq = scale sum_j ds_j k_j with ds = p (g v^T - delta), p = exp(s - lse). */
template <class T> __global__ void back_query(attention<T> a) {
  TD_SHARED(T, ds, TILE);
  int me = (int)threadIdx.x;
  for (int64_t row = blockIdx.x; row < a.b * a.n; row += gridDim.x) {
    const T *q = a.q + row * a.d, *g = a.g + row * a.e;
    const T *k = a.k + row / a.n * a.m * a.d, *v = a.v + row / a.n * a.m * a.e;
    for (int64_t j = 0; j < a.m; j += TILE) {
      int64_t cols = a.m - j < TILE ? a.m - j : TILE;
      __syncthreads();
      if (me < cols) {
        T p = TD_EXP((T)((T)a.scale * dot(q, k + (j + me) * a.d, a.d) - a.lse[row]));
        ds[me] = p * (dot(g, v + (j + me) * a.e, a.e) - a.delta[row]) * (T)a.scale;
      }
      __syncthreads();
      for (int64_t i = me; i < a.d; i += TILE) {
        T t = j ? a.gq[row * a.d + i] : (T)0;
        for (int64_t l = 0; l < cols; l++) t += ds[l] * k[(j + l) * a.d + i];
        a.gq[row * a.d + i] = t;
      }
    }
  }
}

/* One key: gv = sum_i p_i g_i and gk = scale sum_i ds_i q_i over the queries. */
template <class T> __global__ void back_key(attention<T> a) {
  TD_SHARED(T, ps, TILE);
  TD_SHARED(T, ds, TILE);
  int me = (int)threadIdx.x;
  for (int64_t row = blockIdx.x; row < a.b * a.m; row += gridDim.x) {
    int64_t batch = row / a.m;
    const T *k = a.k + row * a.d, *v = a.v + row * a.e;
    const T *q = a.q + batch * a.n * a.d, *g = a.g + batch * a.n * a.e;
    for (int64_t j = 0; j < a.n || j == 0; j += TILE) {
      int64_t count = a.n - j < TILE ? a.n - j : TILE;
      __syncthreads();
      if (me < count) {
        int64_t i = j + me, at = batch * a.n + i;
        T p = TD_EXP((T)((T)a.scale * dot(q + i * a.d, k, a.d) - a.lse[at]));
        ps[me] = p;
        ds[me] = p * (dot(g + i * a.e, v, a.e) - a.delta[at]) * (T)a.scale;
      }
      __syncthreads();
      for (int64_t i = me; i < a.d; i += TILE) {
        T t = j ? a.gk[row * a.d + i] : (T)0;
        for (int64_t l = 0; l < count; l++) t += ds[l] * q[(j + l) * a.d + i];
        a.gk[row * a.d + i] = t;
      }
      for (int64_t e = me; e < a.e; e += TILE) {
        T t = j ? a.gv[row * a.e + e] : (T)0;
        for (int64_t l = 0; l < count; l++) t += ps[l] * g[(j + l) * a.e + e];
        a.gv[row * a.e + e] = t;
      }
    }
  }
}

template <class T> static attention<T> sizes(const td_call *c, int first) {
  const td_tensor *q = c->in[first], *k = c->in[first + 1], *v = c->in[first + 2];
  attention<T> a = {};
  int last = q->ndim - 1;
  a.q = (const T *)q->data, a.k = (const T *)k->data, a.v = (const T *)v->data;
  a.n = q->shape[last - 1], a.m = k->shape[last - 1], a.d = q->shape[last], a.e = v->shape[last];
  a.b = 1;
  for (int d = 0; d < last - 1; d++) a.b *= q->shape[d];
  a.scale = c->attr[0].f;
  return a;
}

template <class T> static td_status run_forward(const td_call *c, td_tensor **out) {
  attention<T> a = sizes<T>(c, 0);
  a.y = (T *)out[0]->data, a.lse_out = (T *)out[1]->data;
  return a.b * a.n > 0 ? gpu_launch(c, forward<T>, gpu_blocks(a.b * a.n), dim3((unsigned)TILE), 0, a) : TD_OK;
}
template <class T> static td_status run_back(const td_call *c, td_tensor **out) {
  attention<T> a = sizes<T>(c, 1);
  a.g = (const T *)c->in[0]->data, a.lse = (const T *)c->in[4]->data, a.delta = (const T *)c->in[5]->data;
  a.gq = (T *)out[0]->data, a.gk = (T *)out[1]->data, a.gv = (T *)out[2]->data;
  dim3 block((unsigned)TILE);
  td_status st = a.b * a.n > 0 ? gpu_launch(c, back_query<T>, gpu_blocks(a.b * a.n), block, 0, a) : TD_OK;
  return st || a.b * a.m <= 0 ? st : gpu_launch(c, back_key<T>, gpu_blocks(a.b * a.m), block, 0, a);
}
#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return out[0]->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }
KERNEL(forward)
KERNEL(back)

const td_kernel_entry gpu_attention_kernels[] = {
  { "attention", k_forward }, { "attention_grad", k_back }, { NULL, NULL }
};
