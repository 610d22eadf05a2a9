/* cusolver.cpp -- cuSOLVER of the emulation: checks what cuSOLVER asks for, then calls the host's
** LAPACK when the turn of the call comes, and spoils the room that it was given to work in. */
#include "cusolverDn.h"
#include "emulation.h"
#include <vector>

#define BOTH(name, ...) extern "C" void s##name##_(__VA_ARGS__); extern "C" void d##name##_(__VA_ARGS__);
typedef const int *in;
BOTH(potrf, const char *uplo, in n, void *a, in lda, int *info, size_t)
BOTH(getrf, in m, in n, void *a, in lda, int *pivots, int *info)
BOTH(syevd, const char *job, const char *uplo, in n, void *a, in lda, void *w, void *work, in lwork,
  int *iwork, in liwork, int *info, size_t, size_t)
BOTH(gesvd, const char *ju, const char *jv, in m, in n, void *a, in lda, void *s, void *u, in ldu, void *vt,
     in ldvt, void *work, in lwork, int *info, size_t, size_t)
#define CALL(type, name, ...) \
  do { if ((type) == CUDA_R_64F) d##name##_(__VA_ARGS__); else s##name##_(__VA_ARGS__); } while (0)

struct emu_solver { cudaStream_t stream; };
struct emu_solver_params { int unused; };
static const cusolverStatus_t OK = CUSOLVER_STATUS_SUCCESS, BAD = CUSOLVER_STATUS_INVALID_VALUE;
static const size_t DEVICE = 4096, HOST = 64; /* bytes of room, for every call */

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *h) { *h = new emu_solver(); return OK; }
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t *p) { *p = new emu_solver_params(); return OK; }
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t h, cudaStream_t s) { h->stream = s; return OK; }

static size_t size_of(cudaDataType_t t) { return t == CUDA_R_64F ? 8 : 4; }
static bool known(cudaDataType_t t, cudaDataType_t how) {
  return t == how && (t == CUDA_R_64F || t == CUDA_R_32F);
}
/* A matrix of columns that lies on the device and is aligned to its elements. */
static bool ours(cudaDataType_t t, const void *p, int64_t rows, int64_t cols, int64_t ld) {
  return rows > 0 && cols > 0 && ld >= rows && (uintptr_t)p % size_of(t) == 0 &&
    emu_ours(p, size_of(t) * (size_t)((cols - 1) * ld + rows));
}
static cusolverStatus_t sizes(bool fits, SIZES) {
  *device = DEVICE, *host = HOST;
  return fits ? OK : BAD;
}

/* What all calls have in common: room, and a turn.  The work answers with LAPACK's code; what of
** the results a failure leaves is not to be used. */
template <class F> static cusolverStatus_t run(cusolverDnHandle_t h, bool fits, int64_t count, WORK, F work) {
  if (emu_forbidden()) return CUSOLVER_STATUS_INTERNAL_ERROR;
  if (!fits || device_room < DEVICE || host_room < HOST || !host || (uintptr_t)device % 16 ||
      !emu_ours(device, device_room) || !emu_ours(info, sizeof *info * (size_t)count)) return BAD;
  memset(host, 0xff, HOST);
  return emu_enqueue(h->stream, [=] {
    emu_open();
    memset(device, 0xff, DEVICE);
    for (int64_t i = 0; i < count; i++) info[i] = work(i);
    emu_close();
  }) == cudaSuccess ? OK : CUSOLVER_STATUS_INTERNAL_ERROR;
}
#define ROOM device, device_room, host, host_room, info

cusolverStatus_t cusolverDnXpotrf_bufferSize(cusolverDnHandle_t, cusolverDnParams_t, cublasFillMode_t,
  int64_t n, cudaDataType_t ta, const void *, int64_t lda, cudaDataType_t how, SIZES) {
  return sizes(known(ta, how) && n > 0 && lda >= n, device, host);
}
cusolverStatus_t cusolverDnXpotrf(cusolverDnHandle_t h, cusolverDnParams_t, cublasFillMode_t uplo, int64_t n,
  cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t how, WORK) {
  return run(h, known(ta, how) && ours(ta, a, n, n, lda), 1, ROOM, [=](int64_t) {
    int side = (int)n, ld = (int)lda, code = 0;
    CALL(ta, potrf, uplo == CUBLAS_FILL_MODE_UPPER ? "U" : "L", &side, a, &ld, &code, 1);
    return code;
  });
}

cusolverStatus_t cusolverDnXgetrf_bufferSize(cusolverDnHandle_t, cusolverDnParams_t, int64_t m, int64_t n,
  cudaDataType_t ta, const void *, int64_t lda, cudaDataType_t how, SIZES) {
  return sizes(known(ta, how) && m > 0 && n > 0 && lda >= m, device, host);
}
cusolverStatus_t cusolverDnXgetrf(cusolverDnHandle_t h, cusolverDnParams_t, int64_t m, int64_t n,
  cudaDataType_t ta, void *a, int64_t lda, int64_t *pivots, cudaDataType_t how, WORK) {
  int64_t k = m < n ? m : n;
  bool fits = known(ta, how) && ours(ta, a, m, n, lda) && (uintptr_t)pivots % 8 == 0 &&
    emu_ours(pivots, sizeof *pivots * (size_t)k);
  return run(h, fits, 1, ROOM, [=](int64_t) {
    int rows = (int)m, cols = (int)n, ld = (int)lda, code = 0;
    std::vector<int> p((size_t)k);
    CALL(ta, getrf, &rows, &cols, a, &ld, p.data(), &code);
    for (size_t i = 0; i < p.size(); i++) pivots[i] = p[i];
    return code;
  });
}

static int eig(cudaDataType_t t, cublasFillMode_t uplo, int64_t n, char *a, int64_t lda, char *w) {
  int side = (int)n, ld = (int)lda, lwork = (int)(1 + 6 * n + 2 * n * n), liwork = (int)(3 + 5 * n), code = 0;
  std::vector<double> work((size_t)lwork);
  std::vector<int> iwork((size_t)liwork);
  CALL(t, syevd, "V", uplo == CUBLAS_FILL_MODE_UPPER ? "U" : "L", &side, a, &ld, w, work.data(), &lwork,
       iwork.data(), &liwork, &code, 1, 1);
  return code;
}
cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t, cusolverDnParams_t,
  cusolverEigMode_t mode, cublasFillMode_t, int64_t n, cudaDataType_t ta, const void *, int64_t lda,
  cudaDataType_t tw, const void *, cudaDataType_t how, SIZES, int64_t count) {
  return sizes(mode == CUSOLVER_EIG_MODE_VECTOR && known(ta, how) && known(tw, how) && n > 0 && lda >= n &&
               count > 0, device, host);
}
cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t h, cusolverDnParams_t, cusolverEigMode_t mode,
  cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t tw, void *w,
  cudaDataType_t how, WORK, int64_t count) {
  bool fits = mode == CUSOLVER_EIG_MODE_VECTOR && known(ta, how) && known(tw, how) &&
    ours(ta, a, n, n * count, lda) && ours(tw, w, n, count, n);
  return run(h, fits, count, ROOM, [=](int64_t i) {
    return eig(ta, uplo, n, (char *)a + i * lda * n * (int64_t)size_of(ta), lda,
               (char *)w + i * n * (int64_t)size_of(tw));
  });
}
cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t h, cusolverDnParams_t p,
  cusolverEigMode_t mode, cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, const void *a, int64_t lda,
  cudaDataType_t tw, const void *w, cudaDataType_t how, SIZES) {
  return cusolverDnXsyevBatched_bufferSize(h, p, mode, uplo, n, ta, a, lda, tw, w, how, device, host, 1);
}
cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t h, cusolverDnParams_t p, cusolverEigMode_t mode,
  cublasFillMode_t uplo, int64_t n, cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t tw, void *w,
  cudaDataType_t how, WORK) {
  return cusolverDnXsyevBatched(h, p, mode, uplo, n, ta, a, lda, tw, w, how, ROOM, 1);
}

/* cuSOLVER wants at least as many rows as columns. */
cusolverStatus_t cusolverDnXgesvd_bufferSize(cusolverDnHandle_t, cusolverDnParams_t, signed char u,
  signed char vt, int64_t m, int64_t n, cudaDataType_t ta, const void *, int64_t lda, cudaDataType_t ts,
  const void *, cudaDataType_t tu, const void *, int64_t ldu, cudaDataType_t tv, const void *, int64_t ldvt,
  cudaDataType_t how, SIZES) {
  return sizes(u == 'S' && vt == 'S' && known(ta, how) && ts == ta && tu == ta && tv == ta && n > 0 &&
               m >= n && lda >= m && ldu >= m && ldvt >= n, device, host);
}
cusolverStatus_t cusolverDnXgesvd(cusolverDnHandle_t h, cusolverDnParams_t, signed char u, signed char vt,
  int64_t m, int64_t n, cudaDataType_t ta, void *a, int64_t lda, cudaDataType_t ts, void *s,
  cudaDataType_t tu, void *pu, int64_t ldu, cudaDataType_t tv, void *pvt, int64_t ldvt, cudaDataType_t how,
  WORK) {
  bool fits = u == 'S' && vt == 'S' && m >= n && known(ta, how) && ts == ta && tu == ta && tv == ta &&
    ours(ta, a, m, n, lda) && ours(ts, s, n, 1, n) && ours(tu, pu, m, n, ldu) && ours(tv, pvt, n, n, ldvt);
  return run(h, fits, 1, ROOM, [=](int64_t) {
    int rows = (int)m, cols = (int)n, la = (int)lda, lu = (int)ldu, lv = (int)ldvt, code = 0;
    int lwork = (int)(6 * n + m + 64);
    std::vector<double> work((size_t)lwork);
    CALL(ta, gesvd, "S", "S", &rows, &cols, a, &la, s, pu, &lu, pvt, &lv, work.data(), &lwork, &code, 1, 1);
    return code;
  });
}
