/* blas.cu -- matrix products: cuBLASLt where rows or columns lie in one piece, a kernel of
** our own for all other strides, for integers, and where cuBLASLt knows no way.
**
** f32 is computed in f32, or with tide.precision("tf32") by tensor cores that round their
** inputs to 10 bits; bf16 is summed in f32.  What cuBLASLt is asked once, its answer for a
** shape, is kept; each lane has a workspace, so that products of a graph may run side by
** side and nothing is allocated in one. */
#include "gpu/bf16.h"
#include <cublasLt.h>
#include <string.h>

/* ---- one product ---- */

/* What an answer depends on. */
struct shape {
  int64_t m, n, k, count, lda, ldb, sa, sb;
  int dtype, align;            /* bytes that all addresses are multiples of */
  bool ta, tb, add, bias, sums, tf32;
};
struct plan {
  shape s;
  bool asked, there;           /* there is a way */
  cublasLtMatmulDesc_t op;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulAlgo_t algo;
};

enum { PLANS = 512, WORKSPACE = 32 << 20, GPUS = 8 };
struct library {
  cublasLtHandle_t lt;
  plan plans[PLANS];
};
static library *libraries[GPUS];        /* by device */

static td_status blas_check(const char *op, cublasStatus_t s) {
  return s == CUBLAS_STATUS_SUCCESS ? TD_OK :
    gpu_fail(s == CUBLAS_STATUS_ALLOC_FAILED ? TD_ENOMEM : TD_EDEVICE, "%s: cuBLASLt: status %d",
             op, (int)s);
}

td_status gpu_blas_ready(gpu *g) {
  td_status st = gpu_enter(g);
  if (!st && !libraries[g->id]) {
    library *l = new library();
    st = blas_check(g->name, cublasLtCreate(&l->lt));
    if (st) delete l;
    else libraries[g->id] = l;
  }
  if (!st && !g->blas) st = gpu_check(cudaMalloc(&g->blas, WORKSPACE), "workspace of cuBLASLt");
  return st;
}

/* ---- what cuBLASLt is asked ---- */

static cudaDataType_t type_of(int dtype) {
  return dtype == TD_F64 ? CUDA_R_64F : dtype == TD_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}
static bool made(cublasStatus_t s) { return s == CUBLAS_STATUS_SUCCESS; }

static bool matrix(cublasLtMatrixLayout_t *l, const shape *s, int64_t rows, int64_t cols, int64_t ld,
                   int64_t step) {
  int32_t count = (int32_t)s->count;
  return made(cublasLtMatrixLayoutCreate(l, type_of(s->dtype), (uint64_t)rows, (uint64_t)cols, ld)) &&
    made(cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count)) &&
    made(cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                                          sizeof step));
}

/* cuBLASLt counts in columns, so c^T = b^T a^T is asked for: its first matrix is our b. */
static bool describe(plan *p) {
  const shape *s = &p->s;
  bool wide = s->dtype == TD_F64;
  cublasComputeType_t how = wide ? CUBLAS_COMPUTE_64F : s->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 :
    CUBLAS_COMPUTE_32F;
  cublasOperation_t ta = s->ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb = s->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasLtEpilogue_t after = s->bias ? CUBLASLT_EPILOGUE_BIAS : s->sums ? CUBLASLT_EPILOGUE_BGRADB :
    CUBLASLT_EPILOGUE_DEFAULT;
  const void *beside = (const void *)(uintptr_t)(s->bias || s->sums ? s->align : 0);   /* its alignment */
  return made(cublasLtMatmulDescCreate(&p->op, how, wide ? CUDA_R_64F : CUDA_R_32F)) &&
    made(cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_TRANSA, &tb, sizeof tb)) &&
    made(cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_TRANSB, &ta, sizeof ta)) &&
    made(cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_EPILOGUE, &after, sizeof after)) &&
    made(cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &beside, sizeof beside)) &&
    matrix(&p->b, s, s->tb ? s->k : s->n, s->tb ? s->n : s->k, s->ldb, s->sb) &&
    matrix(&p->a, s, s->ta ? s->m : s->k, s->ta ? s->k : s->m, s->lda, s->sa) &&
    matrix(&p->c, s, s->n, s->m, s->n, s->m * s->n);
}

/* Sums of parts are made in the type that is computed in, in a fixed order. */
static bool prefer(cublasLtMatmulPreference_t *q, const shape *s) {
  static const cublasLtMatmulPreferenceAttributes_t aligned[] = {
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES };
  size_t room = WORKSPACE;
  uint32_t sums = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, align = (uint32_t)s->align;
  bool ok = made(cublasLtMatmulPreferenceCreate(q)) &&
    made(cublasLtMatmulPreferenceSetAttribute(*q, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room,
                                              sizeof room)) &&
    made(cublasLtMatmulPreferenceSetAttribute(*q, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &sums,
                                              sizeof sums));
  for (int i = 0; i < 4; i++)
    ok = ok && made(cublasLtMatmulPreferenceSetAttribute(*q, aligned[i], &align, sizeof align));
  return ok;
}

static void forget(plan *p) {
  if (p->op) cublasLtMatmulDescDestroy(p->op);
  if (p->a) cublasLtMatrixLayoutDestroy(p->a);
  if (p->b) cublasLtMatrixLayoutDestroy(p->b);
  if (p->c) cublasLtMatrixLayoutDestroy(p->c);
  memset(p, 0, sizeof *p);
}

static void ask(cublasLtHandle_t lt, plan *p) {
  cublasLtMatmulHeuristicResult_t best;
  cublasLtMatmulPreference_t q = NULL;
  int found = 0;
  p->asked = true;
  p->there = describe(p) && prefer(&q, &p->s) &&
    made(cublasLtMatmulAlgoGetHeuristic(lt, p->op, p->b, p->a, p->c, p->c, q, 1, &best, &found)) && found;
  if (p->there) p->algo = best.algo;
  if (q) cublasLtMatmulPreferenceDestroy(q);
}

/* The plan of a shape; where all its places are taken, an older one gives way. */
static plan *plan_of(library *l, const shape *s) {
  uint64_t h = 1469598103934665603u;
  const unsigned char *bytes = (const unsigned char *)s;
  for (size_t i = 0; i < sizeof *s; i++) h = (h ^ bytes[i]) * 1099511628211u;
  plan *first = NULL;
  for (int i = 0; i < 8; i++) {
    plan *p = &l->plans[(h + (uint64_t)i) % PLANS];
    if (p->asked && !memcmp(&p->s, s, sizeof *s)) return p;
    if (!first && !p->asked) first = p;
  }
  if (!first) forget(first = &l->plans[h % PLANS]);
  memcpy(&first->s, s, sizeof *s);
  ask(l->lt, first);
  return first;
}

/* ---- layouts ---- */

/* A matrix of rows x cols with strides (i, j): row-major, or its transpose is (t), and how
** far apart rows (columns) are. */
static bool layout(int64_t i, int64_t j, int64_t rows, int64_t cols, bool *t, int64_t *ld) {
  if ((j == 1 || cols == 1) && (i >= cols || rows == 1)) {
    *t = false;
    *ld = rows == 1 && i < cols ? cols : i;
  } else if ((i == 1 || rows == 1) && (j >= rows || cols == 1)) {
    *t = true;
    *ld = cols == 1 && j < rows ? rows : j;
  } else {
    return false;
  }
  if (*ld < 1) *ld = 1;
  return true;
}

/* The largest power of two up to 16 that divides all addresses, also between matrices. */
static int alignment(const gpu_product *p, const char *bias, int64_t size) {
  uint64_t all = (uint64_t)p->a | (uint64_t)p->b | (uint64_t)p->c | (uint64_t)bias | 16;
  if (p->count > 1) all |= (uint64_t)((p->ab | p->bb | p->m * p->n) * size);
  return (int)(all & -all);
}

/* What a product does beside itself: adds a bias to each row of c, or writes the sums of each
** row of a, its transpose read column by column. */
struct beside { const char *bias; char *sums; };

static bool shape_of(const gpu_product *p, beside by, int dtype, shape *s) {
  memset(s, 0, sizeof *s);     /* it is compared as bytes */
  s->m = p->m, s->n = p->n, s->k = p->k, s->count = p->count;
  if (s->count > INT32_MAX || !layout(p->ai, p->ak, p->m, p->k, &s->ta, &s->lda) ||
      !layout(p->bk, p->bj, p->k, p->n, &s->tb, &s->ldb)) return false;
  s->sa = p->ab, s->sb = p->bb;
  s->dtype = dtype;
  s->add = p->beta != 0;
  s->bias = by.bias != NULL;
  s->sums = by.sums != NULL;
  s->tf32 = dtype == TD_F32 && *gpu_tf32 && !p->exact;
  s->align = alignment(p, by.bias ? by.bias : by.sums, gpu_size(dtype));
  return true;
}

/* *done: cuBLASLt did it; without an error and not done, it knows no way. */
static td_status by_cublas(const td_call *c, const gpu_product *p, beside by, int dtype, bool *done) {
  gpu *g = gpu_of(c);
  shape s;
  *done = false;
  if (!shape_of(p, by, dtype, &s)) return TD_OK;
  td_status st = gpu_blas_ready(g);
  if (st) return st;
  plan *q = plan_of(libraries[g->id], &s);
  if (!q->there) return TD_OK;
  *done = true;
  const void *at = by.bias ? by.bias : by.sums;
  if (at)
    st = blas_check(c->op->name, cublasLtMatmulDescSetAttribute(q->op, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                                &at, sizeof at));
  double one = 1;
  float one_f = 1, beta_f = (float)p->beta;
  bool wide = dtype == TD_F64;
  return st ? st : blas_check(c->op->name, cublasLtMatmul(libraries[g->id]->lt, q->op,
    wide ? (void *)&one : &one_f, p->b, q->b, p->a, q->a, wide ? (void *)&p->beta : &beta_f, p->c, q->c,
    p->c, q->c, &q->algo, g->blas, WORKSPACE, g->stream));
}

/* ---- any strides, any type: tiles of 16 x 16 ---- */

enum { TILE = 16 };
template <class T, class L> __global__ void product(gpu_product p, const T *bias) {
  TD_SHARED(L, as, TILE * TILE);
  TD_SHARED(L, bs, TILE * TILE);
  int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
  int64_t j = blockIdx.x * (int64_t)TILE + tx, i = blockIdx.y * (int64_t)TILE + ty;
  for (int64_t z = blockIdx.z; z < p.count; z += gridDim.z) {
    const T *a = (const T *)p.a + z * p.ab, *b = (const T *)p.b + z * p.bb;
    L sum = 0;
    for (int64_t at = 0; at < p.k; at += TILE) {
      as[ty * TILE + tx] = i < p.m && at + tx < p.k ? (L)a[i * p.ai + (at + tx) * p.ak] : (L)0;
      bs[ty * TILE + tx] = j < p.n && at + ty < p.k ? (L)b[(at + ty) * p.bk + j * p.bj] : (L)0;
      __syncthreads();
      for (int l = 0; l < TILE; l++) sum += as[ty * TILE + l] * bs[l * TILE + tx];
      __syncthreads();
    }
    if (i >= p.m || j >= p.n) continue;
    T *y = (T *)p.c + (z * p.m + i) * p.n + j;
    if (bias) sum += (L)bias[j];
    *y = (T)(p.beta != 0 ? sum + (L)*y : sum);
  }
}

template <class T, class L> static td_status by_tiles(const td_call *c, gpu_product p, const char *bias) {
  int64_t rows = (p.m + TILE - 1) / TILE;
  if (rows > 65535)
    return gpu_fail(TD_ENOSUP, "%s: more than a million rows of such strides; use x:contiguous()",
                    c->op->name);
  dim3 grid((unsigned)((p.n + TILE - 1) / TILE), (unsigned)rows,
            (unsigned)(p.count < 65535 ? p.count : 65535));
  return gpu_launch(c, product<T, L>, grid, dim3(TILE, TILE), 0, p, (const T *)bias);
}

/* c = a b + beta c + bias, the same for all rows. */
static td_status multiply(const td_call *c, gpu_product p, const char *bias, int dtype) {
  bool done = false, real = dtype == TD_F32 || dtype == TD_F64 || dtype == TD_BF16;
  td_status st = TD_OK;
  if (!p.count || !p.m || !p.n) return TD_OK;
  if (real && p.k && !(bias && dtype == TD_F64)) st = by_cublas(c, &p, { bias, NULL }, dtype, &done);
  if (st || done) return st;
  switch (dtype) {
    case TD_F32: return by_tiles<float, double>(c, p, bias);
    case TD_F64: return by_tiles<double, double>(c, p, bias);
    case TD_BF16: return by_tiles<gpu_bf16, float>(c, p, bias);
    case TD_I64: return by_tiles<int64_t, uint64_t>(c, p, bias);
    case TD_I32: return by_tiles<int32_t, uint32_t>(c, p, bias);
    case TD_U8: return by_tiles<uint8_t, uint32_t>(c, p, bias);
    default: return gpu_no_type(c, dtype);
  }
}

td_status gpu_multiply(const td_call *c, gpu_product p, int dtype) { return multiply(c, p, NULL, dtype); }

/* ---- mm, bmm, linear ---- */

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
  return multiply(c, p, NULL, out[0]->dtype);
}

static td_status k_linear(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0], *w = c->in[1], *bias = c->in[2];
  gpu_product p = {};
  p.count = 1, p.n = w->shape[0], p.k = w->shape[1], p.m = 1;
  for (int d = 0; d < x->ndim - 1; d++) p.m *= x->shape[d];
  p.a = x->data, p.b = w->data, p.c = out[0]->data;
  p.ai = p.k, p.ak = 1, p.bk = 1, p.bj = p.k;
  return multiply(c, p, bias ? bias->data : NULL, out[0]->dtype);
}

/* y[j] = the sum of column j of g; a block takes 32 columns. */
enum { SUM_ROWS = 8 };
template <class T, class L> __global__ void column_sums(const T *g, T *y, int64_t rows, int64_t n,
                                                        int64_t gi, int64_t gj) {
  TD_SHARED(L, part, 32 * SUM_ROWS);
  int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
  for (int64_t from = blockIdx.x * (int64_t)32; from < n; from += (int64_t)gridDim.x * 32) {
    int64_t j = from + tx;
    L sum = 0;
    for (int64_t i = ty; j < n && i < rows; i += SUM_ROWS) sum += (L)g[i * gi + j * gj];
    part[ty * 32 + tx] = sum;
    __syncthreads();
    if (ty == 0 && j < n) {
      for (int k = 1; k < SUM_ROWS; k++) sum += part[k * 32 + tx];
      y[j] = (T)sum;
    }
    __syncthreads();
  }
}
template <class T, class L> static td_status run_sums(const td_call *c, td_tensor *y) {
  const td_tensor *g = c->in[0];
  return gpu_launch(c, column_sums<T, L>, gpu_blocks((g->shape[1] + 31) / 32), dim3(32, SUM_ROWS), 0,
                    (const T *)g->data, (T *)y->data, g->shape[0], g->shape[1], g->stride[0],
                    g->stride[1]);
}

/* g^T x, and the sums of the columns of g: by cuBLASLt on the way where it can. */
static td_status k_linear_grad(const td_call *c, td_tensor **out) {
  const td_tensor *g = c->in[0], *x = c->in[1];
  int dtype = out[0]->dtype;
  gpu_product p = {};
  p.count = 1, p.m = g->shape[1], p.n = x->shape[1], p.k = g->shape[0];
  p.a = g->data, p.b = x->data, p.c = out[0]->data;
  p.ai = g->stride[1], p.ak = g->stride[0], p.bk = x->stride[0], p.bj = x->stride[1];
  bool done = false;
  td_status st = TD_OK;
  if (!p.m) return TD_OK;
  if (dtype != TD_F64 && p.n && p.k) st = by_cublas(c, &p, { NULL, out[1]->data }, dtype, &done);
  if (st || done) return st;
  if ((st = multiply(c, p, NULL, dtype))) return st;
  return dtype == TD_F64 ? run_sums<double, double>(c, out[1]) :
    dtype == TD_F32 ? run_sums<float, double>(c, out[1]) : run_sums<gpu_bf16, float>(c, out[1]);
}

const td_kernel_entry gpu_blas_kernels[] = {
  { "mm", k_mm }, { "bmm", k_mm }, { "linear", k_linear }, { "linear_grad", k_linear_grad },
  { NULL, NULL }
};
