/* blas.cu -- matrix products: cuBLAS where rows or columns lie in one piece, a kernel of our
** own for all other strides and for integers. */
#include "gpu/gpu.h"
#include <cublas_v2.h>

static td_status blas_check(const td_call *c, cublasStatus_t s) {
  return s == CUBLAS_STATUS_SUCCESS ? TD_OK :
    gpu_fail(s == CUBLAS_STATUS_ALLOC_FAILED ? TD_ENOMEM : TD_EDEVICE, "%s: cuBLAS: %s", c->op->name,
             cublasGetStatusString(s));
}

static td_status handle_of(const td_call *c, cublasHandle_t *h) {
  gpu *g = gpu_of(c);
  td_status st = gpu_enter(g);
  if (!st && !g->blas) {
    cublasHandle_t made;
    st = blas_check(c, cublasCreate(&made));
    if (!st) st = blas_check(c, cublasSetStream(made, g->stream));
    if (!st) st = blas_check(c, cublasSetMathMode(made, CUBLAS_PEDANTIC_MATH));
    if (!st) g->blas = made;
  }
  *h = (cublasHandle_t)g->blas;
  return st;
}

/* cuBLAS counts in columns, so c^T = b^T a^T is asked for.  A matrix of rows x cols with
** strides (i, j): is it row-major (n: as it is) or column-major (t), and how far apart? */
static bool layout(int64_t i, int64_t j, int64_t rows, int64_t cols, cublasOperation_t *op, int *ld) {
  if ((j == 1 || cols == 1) && (i >= cols || rows == 1) && i <= INT32_MAX) {
    *op = CUBLAS_OP_N;
    *ld = (int)(rows == 1 && i < cols ? cols : i);
  } else if ((i == 1 || rows == 1) && (j >= rows || cols == 1) && j <= INT32_MAX) {
    *op = CUBLAS_OP_T;
    *ld = (int)(cols == 1 && j < rows ? rows : j);
  } else {
    return false;
  }
  if (*ld < 1) *ld = 1;
  return true;
}

static td_status by_cublas(const td_call *c, const gpu_product *p, bool wide, bool *done) {
  cublasOperation_t oa, ob;
  int la, lb;
  cublasHandle_t h;
  *done = false;
  if (p->m > INT32_MAX || p->n > INT32_MAX || p->k > INT32_MAX || p->count > INT32_MAX ||
      !layout(p->ai, p->ak, p->m, p->k, &oa, &la) || !layout(p->bk, p->bj, p->k, p->n, &ob, &lb))
    return TD_OK;
  *done = true;
  td_status st = handle_of(c, &h);
  if (st) return st;
  int m = (int)p->m, n = (int)p->n, k = (int)p->k;
  float one_f = 1, beta_f = (float)p->beta;
  double one = 1;
  if (wide)
    return blas_check(c, cublasDgemmStridedBatched(h, ob, oa, n, m, k, &one, (const double *)p->b, lb,
      p->bb, (const double *)p->a, la, p->ab, &p->beta, (double *)p->c, n, p->m * p->n, (int)p->count));
  return blas_check(c, cublasSgemmStridedBatched(h, ob, oa, n, m, k, &one_f, (const float *)p->b, lb,
    p->bb, (const float *)p->a, la, p->ab, &beta_f, (float *)p->c, n, p->m * p->n, (int)p->count));
}

/* ---- any strides, any type: tiles of 16 x 16 ---- */

enum { TILE = 16 };
template <class T, class L> __global__ void product(gpu_product p) {
  TD_SHARED(T, as, TILE * TILE);
  TD_SHARED(T, bs, TILE * TILE);
  int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
  int64_t j = blockIdx.x * (int64_t)TILE + tx, i = blockIdx.y * (int64_t)TILE + ty;
  for (int64_t z = blockIdx.z; z < p.count; z += gridDim.z) {
    const T *a = (const T *)p.a + z * p.ab, *b = (const T *)p.b + z * p.bb;
    L sum = 0;
    for (int64_t at = 0; at < p.k; at += TILE) {
      as[ty * TILE + tx] = i < p.m && at + tx < p.k ? a[i * p.ai + (at + tx) * p.ak] : (T)0;
      bs[ty * TILE + tx] = j < p.n && at + ty < p.k ? b[(at + ty) * p.bk + j * p.bj] : (T)0;
      __syncthreads();
      for (int l = 0; l < TILE; l++) sum += (L)as[ty * TILE + l] * (L)bs[l * TILE + tx];
      __syncthreads();
    }
    T *y = (T *)p.c + (z * p.m + i) * p.n + j;
    if (i < p.m && j < p.n) *y = (T)(p.beta != 0 ? sum + (L)*y : sum);
  }
}

template <class T, class L> static td_status by_tiles(const td_call *c, gpu_product p) {
  int64_t rows = (p.m + TILE - 1) / TILE;
  if (rows > 65535)
    return gpu_fail(TD_ENOSUP, "%s: more than a million rows of such strides; use x:contiguous()",
                    c->op->name);
  dim3 grid((unsigned)((p.n + TILE - 1) / TILE), (unsigned)rows,
            (unsigned)(p.count < 65535 ? p.count : 65535));
  return gpu_launch(c, product<T, L>, grid, dim3(TILE, TILE), 0, p);
}

td_status gpu_multiply(const td_call *c, gpu_product p, int dtype) {
  bool done = false;
  td_status st = TD_OK;
  if (!p.count || !p.m || !p.n) return TD_OK;
  if ((dtype == TD_F32 || dtype == TD_F64) && p.k) st = by_cublas(c, &p, dtype == TD_F64, &done);
  if (st || done) return st;
  switch (dtype) {
    case TD_F32: return by_tiles<float, double>(c, p);
    case TD_F64: return by_tiles<double, double>(c, p);
    case TD_I64: return by_tiles<int64_t, uint64_t>(c, p);
    case TD_I32: return by_tiles<int32_t, uint32_t>(c, p);
    case TD_U8: return by_tiles<uint8_t, uint32_t>(c, p);
    default: return gpu_no_type(c, dtype);
  }
}

/* ---- mm, bmm ---- */

static td_status k_mm(const td_call *c, td_tensor **out) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  int d = a->ndim - 2;
  gpu_product p = {};
  p.count = d ? a->shape[0] : 1;
  p.m = a->shape[d], p.k = a->shape[d + 1], p.n = b->shape[d + 1];
  p.a = a->data, p.b = b->data, p.c = out[0]->data;
  p.ab = d ? a->stride[0] : 0, p.bb = d ? b->stride[0] : 0;
  p.ai = a->stride[d], p.ak = a->stride[d + 1];
  p.bk = b->stride[d], p.bj = b->stride[d + 1];
  return gpu_multiply(c, p, out[0]->dtype);
}

/* ---- linear: the bias goes into the result first ---- */

template <class T> __global__ void bias_rows(T *y, const T *bias, int64_t n, int64_t each) {
  GPU_EACH(i, n) y[i] = bias[i % each];
}

static td_status k_linear(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0], *w = c->in[1], *bias = c->in[2];
  bool wide = out[0]->dtype == TD_F64;
  gpu_product p = {};
  p.count = 1, p.n = w->shape[0], p.k = w->shape[1], p.m = 1;
  for (int d = 0; d < x->ndim - 1; d++) p.m *= x->shape[d];
  p.a = x->data, p.b = w->data, p.c = out[0]->data;
  p.ai = p.k, p.ak = 1, p.bk = 1, p.bj = p.k;
  p.beta = bias != NULL;
  if (!p.m || !p.n) return TD_OK;
  if (bias) {
    td_status st = wide ?
      gpu_launch(c, bias_rows<double>, gpu_grid(p.m * p.n), dim3(GPU_BLOCK), 0,
                 (double *)p.c, (const double *)bias->data, p.m * p.n, p.n) :
      gpu_launch(c, bias_rows<float>, gpu_grid(p.m * p.n), dim3(GPU_BLOCK), 0,
                 (float *)p.c, (const float *)bias->data, p.m * p.n, p.n);
    if (st) return st;
  }
  return gpu_multiply(c, p, out[0]->dtype);
}

const td_kernel_entry gpu_blas_kernels[] = {
  { "mm", k_mm }, { "bmm", k_mm }, { "linear", k_linear }, { NULL, NULL }
};
