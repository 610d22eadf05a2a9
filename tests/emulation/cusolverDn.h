/* cusolverDn.h -- the part of cuSOLVER that gpu/ uses, over a LAPACK of the host. */
#ifndef TD_EMULATION_CUSOLVERDN_H
#define TD_EMULATION_CUSOLVERDN_H
#include "cublasLt.h"

enum cusolverStatus_t { CUSOLVER_STATUS_SUCCESS = 0, CUSOLVER_STATUS_ALLOC_FAILED = 2,
                        CUSOLVER_STATUS_INVALID_VALUE = 3, CUSOLVER_STATUS_INTERNAL_ERROR = 7 };
enum cublasFillMode_t { CUBLAS_FILL_MODE_LOWER = 0, CUBLAS_FILL_MODE_UPPER = 1 };
enum cusolverEigMode_t { CUSOLVER_EIG_MODE_NOVECTOR = 0, CUSOLVER_EIG_MODE_VECTOR = 1 };
typedef struct emu_solver *cusolverDnHandle_t;
typedef struct emu_solver_params *cusolverDnParams_t;

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *h);
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t *p);
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t h, cudaStream_t s);

#define SIZES size_t *device, size_t *host
#define WORK void *device, size_t device_room, void *host, size_t host_room, int *info
cusolverStatus_t cusolverDnXpotrf_bufferSize(cusolverDnHandle_t h, cusolverDnParams_t p,
  cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, const void *a, int64_t lda, cudaDataType_t how, SIZES);
cusolverStatus_t cusolverDnXpotrf(cusolverDnHandle_t h, cusolverDnParams_t p, cublasFillMode_t uplo,
  int64_t n, cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t how, WORK);
cusolverStatus_t cusolverDnXgetrf_bufferSize(cusolverDnHandle_t h, cusolverDnParams_t p, int64_t m, int64_t n,
  cudaDataType_t ta, const void *a, int64_t lda, cudaDataType_t how, SIZES);
cusolverStatus_t cusolverDnXgetrf(cusolverDnHandle_t h, cusolverDnParams_t p, int64_t m, int64_t n,
  cudaDataType_t ta, void *a, int64_t lda, int64_t *pivots, cudaDataType_t how, WORK);
cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t h, cusolverDnParams_t p,
  cusolverEigMode_t mode, cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, const void *a, int64_t lda,
  cudaDataType_t tw, const void *w, cudaDataType_t how, SIZES);
cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t h, cusolverDnParams_t p, cusolverEigMode_t mode,
  cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t tw, void *w,
  cudaDataType_t how, WORK);
cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t h, cusolverDnParams_t p,
  cusolverEigMode_t mode, cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, const void *a, int64_t lda,
  cudaDataType_t tw, const void *w, cudaDataType_t how, SIZES, int64_t count);
cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t h, cusolverDnParams_t p, cusolverEigMode_t mode,
  cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t tw, void *w,
  cudaDataType_t how, WORK, int64_t count);
cusolverStatus_t cusolverDnXgesvd_bufferSize(cusolverDnHandle_t h, cusolverDnParams_t p, signed char u,
  signed char vt, int64_t m, int64_t n, cudaDataType_t ta, const void *a, int64_t lda, cudaDataType_t ts,
  const void *s, cudaDataType_t tu, const void *pu, int64_t ldu, cudaDataType_t tv, const void *pvt,
  int64_t ldvt, cudaDataType_t how, SIZES);
cusolverStatus_t cusolverDnXgesvd(cusolverDnHandle_t h, cusolverDnParams_t p, signed char u, signed char vt,
  int64_t m, int64_t n, cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t ts, void *s,
  cudaDataType_t tu, void *pu, int64_t ldu, cudaDataType_t tv, void *pvt, int64_t ldvt, cudaDataType_t how,
  WORK);

#endif
