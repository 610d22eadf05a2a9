/* cublas.cpp -- cuBLAS of the emulation: checks what cuBLAS asks for, then calls the host's. */
#include "cublas_v2.h"
#include "emulation.h"

extern "C" {
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);
void cblas_dgemm(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda,
                 const double *b, int ldb, double beta, double *c, int ldc);
}

struct emu_blas { cudaStream_t stream; };
enum { COLUMNS = 102, NO_TRANS = 111, TRANS = 112 };

const char *cublasGetStatusString(cublasStatus_t s) {
  return s == CUBLAS_STATUS_SUCCESS ? "success" : s == CUBLAS_STATUS_INVALID_VALUE ? "invalid value" : "failure";
}
cublasStatus_t cublasCreate(cublasHandle_t *h) { *h = new emu_blas(); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetStream(cublasHandle_t h, cudaStream_t s) {
  h->stream = s;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }

/* The matrix must be memory of the device, aligned to its elements, with columns that do
** not overlap. */
static bool fits(const void *p, size_t size, int rows, int cols, int ld, long long step, int count) {
  if (rows < 0 || cols < 0 || ld < 1 || ld < rows || (uintptr_t)p % size) return false;
  if (!rows || !cols || !count) return true;
  long long last = (long long)(cols - 1) * ld + rows + (long long)(count - 1) * step;
  return emu_ours(p, (size_t)last * size);
}

template <class T, class F>
static cublasStatus_t gemm(cublasHandle_t h, bool ta, bool tb, int m, int n, int k, T alpha, const T *a,
                           int lda, long long sa, const T *b, int ldb, long long sb, T beta, T *c,
                           int ldc, long long sc, int count, F host) {
  if (!fits(a, sizeof(T), ta ? k : m, ta ? m : k, lda, sa, count) ||
      !fits(b, sizeof(T), tb ? n : k, tb ? k : n, ldb, sb, count) ||
      !fits(c, sizeof(T), m, n, ldc, sc, count)) return CUBLAS_STATUS_INVALID_VALUE;
  emu_enqueue(h->stream, [=] {
    emu_open();
    for (int i = 0; i < count; i++)
      host(COLUMNS, ta ? TRANS : NO_TRANS, tb ? TRANS : NO_TRANS, m, n, k, alpha, a + i * sa, lda,
           b + i * sb, ldb, beta, c + i * sc, ldc);
    emu_close();
  });
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
  int m, int n, int k, const float *alpha, const float *a, int lda, long long sa, const float *b,
  int ldb, long long sb, const float *beta, float *c, int ldc, long long sc, int count) {
  return gemm<float>(h, ta == CUBLAS_OP_T, tb == CUBLAS_OP_T, m, n, k, *alpha, a, lda, sa, b, ldb, sb,
                     *beta, c, ldc, sc, count, cblas_sgemm);
}
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
  int m, int n, int k, const double *alpha, const double *a, int lda, long long sa, const double *b,
  int ldb, long long sb, const double *beta, double *c, int ldc, long long sc, int count) {
  return gemm<double>(h, ta == CUBLAS_OP_T, tb == CUBLAS_OP_T, m, n, k, *alpha, a, lda, sa, b, ldb, sb,
                      *beta, c, ldc, sc, count, cblas_dgemm);
}
