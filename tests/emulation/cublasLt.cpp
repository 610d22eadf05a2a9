/* cublasLt.cpp -- cuBLASLt of the emulation: checks what cuBLASLt asks for, then calls the host's
** BLAS.  It refuses what the real one may refuse, and fills the workspace that it is given. */
#include "cublasLt.h"
#include "emulation.h"
#include <algorithm>
#include <vector>

extern "C" {
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);
void cblas_dgemm(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda,
                 const double *b, int ldb, double beta, double *c, int ldc);
}

struct emu_lt { int unused; };
struct emu_matmul {
  cublasComputeType_t how;
  cudaDataType_t scale;
  cublasOperation_t ta, tb;
  cublasLtEpilogue_t after;
  const void *bias;            /* read, or the sums that are written */
};
struct emu_matrix { cudaDataType_t type; uint64_t rows, cols; int64_t ld, step; int32_t count; };
struct emu_preference { size_t room; uint32_t sums, align[4]; };

enum { COLUMNS = 102, NO_TRANS = 111, TRANS = 112 };
static const size_t NEEDED = 4096;            /* bytes of workspace, of every product */
static const cublasStatus_t OK = CUBLAS_STATUS_SUCCESS, BAD = CUBLAS_STATUS_INVALID_VALUE;

template <class T> static cublasStatus_t set(T *to, const void *value, size_t size) {
  if (size != sizeof *to) return BAD;
  memcpy(to, value, size);
  return OK;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *h) { *h = new emu_lt(); return OK; }
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t how, cudaDataType_t scale) {
  *d = new emu_matmul{ how, scale, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL };
  return OK;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) { delete d; return OK; }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t what,
                                              const void *value, size_t size) {
  switch (what) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(&d->ta, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(&d->tb, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return set(&d->after, value, size);
    default: return set(&d->bias, value, size);
  }
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType_t type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  *l = new emu_matrix{ type, rows, cols, ld, 0, 1 };
  return OK;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) { delete l; return OK; }
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t what,
                                                const void *value, size_t size) {
  return what == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT ? set(&l->count, value, size) : set(&l->step, value, size);
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p) {
  *p = new emu_preference{ 0, 7, { 256, 256, 256, 256 } };
  return OK;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) { delete p; return OK; }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
  cublasLtMatmulPreferenceAttributes_t what, const void *value, size_t size) {
  switch (what) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return set(&p->room, value, size);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return set(&p->sums, value, size);
    default: return set(&p->align[what - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, size);
  }
}

/* ---- checks ---- */

static size_t size_of(cudaDataType_t t) { return t == CUDA_R_64F ? 8 : t == CUDA_R_16BF ? 2 : 4; }

/* Types that go together, shapes that fit, columns that do not overlap. */
static bool fits(const emu_matmul *d, const emu_matrix *a, const emu_matrix *b, const emu_matrix *c) {
  bool wide = c->type == CUDA_R_64F, tf32 = d->how == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (a->type != c->type || b->type != c->type || wide != (d->how == CUBLAS_COMPUTE_64F) ||
      d->scale != (wide ? CUDA_R_64F : CUDA_R_32F) || (tf32 && c->type != CUDA_R_32F)) return false;
  uint64_t k = d->ta ? a->rows : a->cols;
  for (const emu_matrix *l : { a, b, c })
    if (l->ld < (int64_t)l->rows || l->count != c->count || !l->rows || !l->cols) return false;
  return (d->ta ? a->cols : a->rows) == c->rows && (d->tb ? b->cols : b->rows) == k &&
    (d->tb ? b->rows : b->cols) == c->cols && (c->count == 1 || c->step >= c->ld * (int64_t)c->cols);
}

/* An answer holds for what was asked: it is remembered in the algorithm. */
static cublasLtMatmulAlgo_t answer(const emu_matmul *d, const emu_matrix *a, const emu_matrix *b,
                                   const emu_matrix *c, uint64_t align) {
  cublasLtMatmulAlgo_t x = {};
  x.data[0] = align;
  x.data[1] = (uint64_t)d->how + 100 * (uint64_t)d->ta + 1000 * (uint64_t)d->tb + 10000 * (uint64_t)d->after;
  int at = 2;
  for (const emu_matrix *l : { a, b, c })
    x.data[at++] = l->rows + 31 * l->cols + 977 * (uint64_t)l->ld + 7919 * (uint64_t)l->step + (uint64_t)l->count;
  return x;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t d,
  cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t y,
  cublasLtMatmulPreference_t p, int most, cublasLtMatmulHeuristicResult_t *list, int *found) {
  *found = 0;
  if (!fits(d, a, b, c) || c != y || most < 1) return BAD;
  uint32_t align = std::min(std::min(p->align[0], p->align[1]), std::min(p->align[2], p->align[3]));
  bool bias = d->after != CUBLASLT_EPILOGUE_DEFAULT;
  if (p->room < NEEDED || p->sums & 1 || (bias && (c->type == CUDA_R_64F || (uintptr_t)d->bias % align)) || align < 4)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  list[0] = { answer(d, a, b, c, align), NEEDED, OK };
  *found = 1;
  return OK;
}

static bool ours(const emu_matrix *l, const void *p, uint64_t align) {
  int64_t last = ((int64_t)l->cols - 1) * l->ld + (int64_t)l->rows + (l->count - 1) * l->step;
  bool between = l->count == 1 || (uint64_t)l->step * size_of(l->type) % align == 0;
  return (uintptr_t)p % align == 0 && between && emu_ours(p, (size_t)last * size_of(l->type));
}

/* ---- the product ---- */

static float of_bf16(uint16_t h) { uint32_t u = (uint32_t)h << 16; float f; memcpy(&f, &u, 4); return f; }
static uint16_t to_bf16(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return f != f ? 0x7fc0 : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
/* TF32 keeps 10 bits of fraction. */
static float to_tf32(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  if (f == f && (u & 0x7f800000) != 0x7f800000) u = (u + 0xfff + (u >> 13 & 1)) & ~0x1fffu;
  memcpy(&f, &u, 4);
  return f;
}

/* A matrix as floats, with the same columns. */
static std::vector<float> floats(const emu_matrix &l, const void *p, bool tf32) {
  size_t n = (size_t)(((int64_t)l.cols - 1) * l.ld + (int64_t)l.rows);
  std::vector<float> v(n);
  for (size_t i = 0; i < n; i++)
    v[i] = l.type == CUDA_R_16BF ? of_bf16(((const uint16_t *)p)[i]) : ((const float *)p)[i];
  if (tf32) for (float &f : v) f = to_tf32(f);
  return v;
}

static void one_f32(const emu_matmul &d, const emu_matrix &la, const emu_matrix &lb, const emu_matrix &lc,
                    float alpha, const void *a, const void *b, float beta, void *c) {
  bool tf32 = d.how == CUBLAS_COMPUTE_32F_FAST_TF32, half = lc.type == CUDA_R_16BF;
  std::vector<float> x = floats(la, a, tf32), w = floats(lb, b, tf32), y(lc.rows * lc.cols);
  int m = (int)lc.rows, n = (int)lc.cols, k = (int)(d.ta ? la.rows : la.cols);
  cblas_sgemm(COLUMNS, d.ta ? TRANS : NO_TRANS, d.tb ? TRANS : NO_TRANS, m, n, k, alpha, x.data(),
              (int)la.ld, w.data(), (int)lb.ld, 0, y.data(), m);
  for (int j = 0; j < n; j++)
    for (int i = 0; i < m; i++) {
      float v = y[(size_t)j * (size_t)m + (size_t)i];
      size_t at = (size_t)(j * lc.ld + i);
      if (beta != 0) v += beta * (half ? of_bf16(((uint16_t *)c)[at]) : ((float *)c)[at]);
      if (d.after == CUBLASLT_EPILOGUE_BIAS)
        v += half ? of_bf16(((const uint16_t *)d.bias)[i]) : ((const float *)d.bias)[i];
      if (half) ((uint16_t *)c)[at] = to_bf16(v);
      else ((float *)c)[at] = v;
    }
  for (int j = 0; d.after == CUBLASLT_EPILOGUE_BGRADB && j < n; j++) {     /* sums over k of b */
    double sum = 0;
    for (int l = 0; l < k; l++) sum += w[(size_t)(d.tb ? l * lb.ld + j : j * lb.ld + l)];
    if (half) ((uint16_t *)d.bias)[j] = to_bf16((float)sum);
    else ((float *)d.bias)[j] = (float)sum;
  }
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t d, const void *alpha, const void *a,
  cublasLtMatrixLayout_t la, const void *b, cublasLtMatrixLayout_t lb, const void *beta, const void *c,
  cublasLtMatrixLayout_t lc, void *y, cublasLtMatrixLayout_t ly, const cublasLtMatmulAlgo_t *algo,
  void *workspace, size_t room, cudaStream_t s) {
  uint64_t align = algo->data[0];
  cublasLtMatmulAlgo_t asked = answer(d, la, lb, lc, align);
  bool bias = d->after != CUBLASLT_EPILOGUE_DEFAULT, wide = lc->type == CUDA_R_64F;
  uint64_t beside = d->after == CUBLASLT_EPILOGUE_BIAS ? lc->rows : lc->cols;
  if (!fits(d, la, lb, lc) || memcmp(&asked, algo, sizeof asked) || c != y || lc != ly ||
      !ours(la, a, align) || !ours(lb, b, align) || !ours(lc, y, align) || room < NEEDED ||
      (uintptr_t)workspace % 16 || !emu_ours(workspace, room) ||
      (bias && ((uintptr_t)d->bias % align || !emu_ours(d->bias, beside * size_of(lc->type))))) return BAD;
  emu_matmul e = *d;
  emu_matrix fa = *la, fb = *lb, fc = *lc;
  double by = wide ? *(const double *)alpha : *(const float *)alpha;
  double keep = wide ? *(const double *)beta : *(const float *)beta;
  return emu_enqueue(s, [=] {
    emu_open();
    memset(workspace, 0xff, NEEDED);
    int m = (int)fc.rows, n = (int)fc.cols, k = (int)(e.ta ? fa.rows : fa.cols);
    for (int i = 0; i < fc.count; i++) {
      const char *pa = (const char *)a + i * fa.step * (int64_t)size_of(fa.type);
      const char *pb = (const char *)b + i * fb.step * (int64_t)size_of(fb.type);
      char *pc = (char *)y + i * fc.step * (int64_t)size_of(fc.type);
      if (wide)
        cblas_dgemm(COLUMNS, e.ta ? TRANS : NO_TRANS, e.tb ? TRANS : NO_TRANS, m, n, k, by, (const double *)pa,
                    (int)fa.ld, (const double *)pb, (int)fb.ld, keep, (double *)pc, (int)fc.ld);
      else
        one_f32(e, fa, fb, fc, (float)by, pa, pb, (float)keep, pc);
    }
    emu_close();
  }) == cudaSuccess ? OK : BAD;
}
