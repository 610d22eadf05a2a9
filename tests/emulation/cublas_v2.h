/* cublas_v2.h -- the part of cuBLAS that gpu/ uses, over a BLAS of the host. */
#ifndef TD_EMULATION_CUBLAS_H
#define TD_EMULATION_CUBLAS_H
#include "cuda_runtime.h"

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_NOT_INITIALIZED, CUBLAS_STATUS_ALLOC_FAILED,
                      CUBLAS_STATUS_INVALID_VALUE, CUBLAS_STATUS_EXECUTION_FAILED };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasMath_t { CUBLAS_DEFAULT_MATH, CUBLAS_PEDANTIC_MATH, CUBLAS_TF32_TENSOR_OP_MATH };
typedef struct emu_blas *cublasHandle_t;

const char *cublasGetStatusString(cublasStatus_t s);
cublasStatus_t cublasCreate(cublasHandle_t *h);
cublasStatus_t cublasSetStream(cublasHandle_t h, cudaStream_t s);
cublasStatus_t cublasSetMathMode(cublasHandle_t h, cublasMath_t mode);
cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
  int m, int n, int k, const float *alpha, const float *a, int lda, long long sa, const float *b,
  int ldb, long long sb, const float *beta, float *c, int ldc, long long sc, int count);
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
  int m, int n, int k, const double *alpha, const double *a, int lda, long long sa, const double *b,
  int ldb, long long sb, const double *beta, double *c, int ldc, long long sc, int count);

#endif
