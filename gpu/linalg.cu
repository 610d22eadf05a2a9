/* linalg.cu -- decompositions and solvers: cuSOLVER's factors, kernels of our own for what comes
** before and after them, and the host for the assignment.
**
** As in tensor/lapack.c: cuSOLVER sees columns where we have rows, leading dims count matrices,
** a symmetric argument means its symmetric part.  Whether all went well is known only when
** the work is done, so these ops wait for it, and a step with one of them is not a graph. */
#include "gpu/lines.h"
#include "gpu/block.h"
#include "tensor/matrix.h"
#include <cusolverDn.h>
#include <stdlib.h>

/* ---- an op under way ---- */

enum { GPUS = 8, ALIGN = 256 };
static struct { cusolverDnHandle_t h; cusolverDnParams_t params; } solvers[GPUS];      /* by device */

template <class T> struct job {
  const td_call *c;
  gpu *g;
  cusolverDnHandle_t h;
  cusolverDnParams_t params;
  int64_t n, count;            /* side of a matrix, matrices */
  size_t device, host;         /* bytes that cuSOLVER works with */
  void *work, *host_work;
  double *figure;              /* of each matrix, for its message, */
  int *found, *info;           /* what kernels found, and cuSOLVER's code */
  const char *positive;        /* what that means */
};
template <class T> static cudaDataType_t type_of() { return sizeof(T) == 8 ? CUDA_R_64F : CUDA_R_32F; }

static td_status check(const td_call *c, cusolverStatus_t s) {
  return s == CUSOLVER_STATUS_SUCCESS ? TD_OK :
    gpu_fail(s == CUSOLVER_STATUS_ALLOC_FAILED ? TD_ENOMEM : TD_EDEVICE, "%s: cuSOLVER: status %d",
             c->op->name, (int)s);
}

static td_status on_host_only(const td_call *c) {
  return gpu_of(c)->making ? gpu_fail(TD_ENOSUP, "%s: waits for its result", c->op->name) : TD_OK;
}

/* An op on matrices of side n. */
template <class T> static td_status begin(job<T> *j, const td_call *c, int64_t n, const char *positive) {
  gpu *g = gpu_of(c);
  const td_tensor *x = c->in[0];
  *j = job<T>();
  j->c = c, j->g = g, j->n = n, j->positive = positive;
  j->count = 1;
  for (int d = 0; d < x->ndim - 2; d++) j->count *= x->shape[d];
  if (n > TD_MATRIX_MOST) return td_matrix_large(gpu_fail, c->op->name, n);
  td_status st = on_host_only(c);
  if (!st) st = gpu_enter(g);
  if (!st && !solvers[g->id].params) {
    if (!solvers[g->id].h) st = check(c, cusolverDnCreate(&solvers[g->id].h));
    if (!st) st = check(c, cusolverDnCreateParams(&solvers[g->id].params));
  }
  j->h = solvers[g->id].h, j->params = solvers[g->id].params;
  return st ? st : check(c, cusolverDnSetStream(j->h, g->stream));
}
static int64_t side_of(const td_call *c) { return c->in[0]->shape[c->in[0]->ndim - 1]; }

static size_t rounded(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }
static size_t reports(int64_t count) { return (size_t)count * (sizeof(double) + 2 * sizeof(int)); }

/* Room for what was asked of cuSOLVER, for reports, and `bytes` of the op's own at *own. */
template <class T> static td_status take_room(job<T> *j, size_t bytes, void **own) {
  void *room;
  size_t all = rounded(reports(j->count));
  td_status st = gpu_scratch(j->c, all + rounded(j->device) + bytes, &room);
  if (st) return st;
  j->figure = (double *)room;
  j->found = (int *)(j->figure + j->count);
  j->info = j->found + j->count;
  j->work = (char *)room + all;
  *own = (char *)j->work + rounded(j->device);
  j->host_work = malloc(j->host + 1);
  if (!j->host_work) return gpu_fail(TD_ENOMEM, "%s: out of memory", j->c->op->name);
  return gpu_check(cudaMemsetAsync(room, 0, reports(j->count), j->g->stream), j->c->op->name);
}

/* Waits; the failure of the first matrix that failed. */
template <class T> static td_status end(job<T> *j, td_status st) {
  char *all = st ? NULL : (char *)malloc(reports(j->count) + 1);
  free(j->host_work);
  if (st) return st;
  if (!all) return gpu_fail(TD_ENOMEM, "%s: out of memory", j->c->op->name);
  st = gpu_check(cudaMemcpyAsync(all, j->figure, reports(j->count), cudaMemcpyDeviceToHost, j->g->stream),
                 j->c->op->name);
  if (!st) st = gpu_check(cudaStreamSynchronize(j->g->stream), j->c->op->name);
  const double *figure = (const double *)all;
  const int *found = (const int *)(figure + j->count), *info = found + j->count;
  for (int64_t i = 0; !st && i < j->count; i++) {
    int code = found[i] ? found[i] : info[i] < 0 ? TD_MATRIX_NOT_FINITE : info[i];
    if (code) st = td_matrix_failed(gpu_fail, j->c->op->name, j->count, i, code, figure[i], j->positive);
  }
  free(all);
  return st;
}

/* ---- matrices are looked at while they are copied: a block for each ---- */

/* y = (x + x^T) / 2; found: null where nothing is looked for */
template <class T> __global__ void take_symmetric(const T *x, T *y, int64_t n, int64_t count, int *found,
                                                  double *figure) {
  TD_SHARED(double, part, 32);
  for (int64_t m = blockIdx.x; m < count; m += gridDim.x) {
    const T *from = x + m * n * n;
    T *to = y + m * n * n;
    double bad = 0, apart = 0, most = 0;
    for (int64_t e = threadIdx.x; e < n * n; e += GPU_BLOCK) {
      T a = from[e], b = from[e % n * n + e / n];
      bad += (double)(a * 0);
      apart = fmax(apart, fabs((double)a - (double)b));
      most = fmax(most, fabs((double)a));
      to[e] = (a + b) / 2;
    }
    if (!found) continue;
    bad = gpu_block_sum(bad, part);
    apart = gpu_block_max(apart, part);
    most = gpu_block_max(most, part);
    int code = bad != 0 ? TD_MATRIX_NOT_FINITE : apart > TD_MATRIX_APART * most ? TD_MATRIX_ASYMMETRIC : 0;
    for (int64_t e = threadIdx.x; code && e < n * n; e += GPU_BLOCK) to[e] = e % n == e / n;
    if (threadIdx.x == 0) found[m] = code, figure[m] = apart;
  }
}

/* y = x (rows, columns), or its transpose; the identity where x is not finite */
template <class T> __global__ void take_finite(const T *x, T *y, int64_t rows, int64_t columns, bool turn,
                                               int64_t count, int *found) {
  TD_SHARED(double, part, 32);
  for (int64_t m = blockIdx.x; m < count; m += gridDim.x) {
    const T *from = x + m * rows * columns;
    T *to = y + m * rows * columns;
    double bad = 0;
    for (int64_t e = threadIdx.x; e < rows * columns; e += GPU_BLOCK) bad += (double)(from[e] * 0);
    bad = gpu_block_sum(bad, part);
    for (int64_t e = threadIdx.x; e < rows * columns; e += GPU_BLOCK) {
      int64_t i = e / columns, k = e - i * columns;
      to[turn ? k * rows + i : e] = bad != 0 ? (T)(i == k) : from[e];
    }
    if (threadIdx.x == 0) found[m] = bad != 0 ? TD_MATRIX_NOT_FINITE : 0;
  }
}

template <class T, class... P> static td_status by_matrix(const job<T> &j, void (*kernel)(P...),
                                                          typename gpu_same<P>::type... args) {
  return gpu_launch(j.c, kernel, gpu_blocks(j.count), dim3(GPU_BLOCK), 0, args...);
}
template <class T, class... P> static td_status by_element(const job<T> &j, int64_t n, void (*kernel)(P...),
                                                           typename gpu_same<P>::type... args) {
  return n ? gpu_launch(j.c, kernel, gpu_grid(n), dim3(GPU_BLOCK), 0, args...) : TD_OK;
}

/* ---- cholesky ---- */

template <class T> __global__ void clear_upper(T *y, int64_t n, int64_t all) {
  GPU_EACH(e, all) if (e % n > e / n % n) y[e] = 0;
}

template <class T> static td_status run_cholesky(const td_call *c, td_tensor **out) {
  job<T> j;
  void *own;
  int64_t n = side_of(c), all = td__numel(out[0]);
  T *y = (T *)out[0]->data;
  const cublasFillMode_t upper = CUBLAS_FILL_MODE_UPPER;
  if (!all) return TD_OK;
  td_status st = begin(&j, c, n, TD_MATRIX_INDEFINITE);
  if (!st) st = check(c, cusolverDnXpotrf_bufferSize(j.h, j.params, upper, n, type_of<T>(), y, n,
                                                     type_of<T>(), &j.device, &j.host));
  if (!st) st = take_room(&j, 0, &own);
  if (!st) st = by_matrix(j, take_symmetric<T>, (const T *)c->in[0]->data, y, n, j.count, j.found, j.figure);
  for (int64_t i = 0; !st && i < j.count; i++)
    st = check(c, cusolverDnXpotrf(j.h, j.params, upper, n, type_of<T>(), y + i * n * n, n, type_of<T>(),
                                   j.work, j.device, j.host_work, j.host, j.info + i));
  if (!st) st = by_element(j, all, clear_upper<T>, y, n, all);
  return end(&j, st);
}

/* ---- eigenvectors: one for each row of v ---- */

/* Signs are fixed: the first of the large elements becomes positive. */
template <class T> struct vectors {
  const T *from;
  T *to;
  int64_t n, every, apart, step;               /* elements; from: matrices, vectors and elements apart */
  int64_t to_every, to_apart, to_step;
};
/* Vectors of `a` with their signs, those of `b`, where there are any, with the same. */
template <class T> __global__ void settle(vectors<T> a, vectors<T> b, int64_t k, int64_t all) {
  int lane = (int)threadIdx.x % 32;
  for (int64_t v = (blockIdx.x * (int64_t)blockDim.x + threadIdx.x) / 32; v < all;
       v += (int64_t)gridDim.x * blockDim.x / 32) {
    int64_t m = v / k, r = v - m * k, first = INT64_MAX;
    const T *x = a.from + m * a.every + r * a.apart;
    T most = 0;
    for (int64_t i = lane; i < a.n; i += 32) most = fmax(most, fabs(x[i * a.step]));
    most = gpu_warp_max(most);
    for (int64_t i = lane; i < a.n && first == INT64_MAX; i += 32)
      if (fabs(x[i * a.step]) >= most / 2) first = i;
    first = -gpu_warp_max(-first);
    T sign = first < a.n && x[first * a.step] < 0 ? (T)-1 : (T)1;
    for (int64_t i = lane; i < a.n; i += 32)
      a.to[m * a.to_every + r * a.to_apart + i * a.to_step] = sign * x[i * a.step];
    for (int64_t i = lane; i < b.n; i += 32)
      b.to[m * b.to_every + r * b.to_apart + i * b.to_step] =
        sign * b.from[m * b.every + r * b.apart + i * b.step];
  }
}

template <class T> static td_status ask_eig(job<T> *j, const T *v, const T *w) {
  const cudaDataType_t t = type_of<T>();
  const cusolverEigMode_t both = CUSOLVER_EIG_MODE_VECTOR;
  const cublasFillMode_t lower = CUBLAS_FILL_MODE_LOWER;
  return check(j->c, j->count > 1 ?
    cusolverDnXsyevBatched_bufferSize(j->h, j->params, both, lower, j->n, t, v, j->n, t, w, t, &j->device,
                                      &j->host, j->count) :
    cusolverDnXsyevd_bufferSize(j->h, j->params, both, lower, j->n, t, v, j->n, t, w, t, &j->device,
                                &j->host));
}
/* Replaces the matrices v by their eigenvectors, one per row; w: eigenvalues, ascending. */
template <class T> static td_status eig(job<T> *j, T *v, T *w) {
  const cudaDataType_t t = type_of<T>();
  const cusolverEigMode_t both = CUSOLVER_EIG_MODE_VECTOR;
  const cublasFillMode_t lower = CUBLAS_FILL_MODE_LOWER;
  return check(j->c, j->count > 1 ?
    cusolverDnXsyevBatched(j->h, j->params, both, lower, j->n, t, v, j->n, t, w, t, j->work, j->device,
                           j->host_work, j->host, j->info, j->count) :
    cusolverDnXsyevd(j->h, j->params, both, lower, j->n, t, v, j->n, t, w, t, j->work, j->device,
                     j->host_work, j->host, j->info));
}
/* Of the symmetric matrices x; v, w: with `more` elements behind them, room for them. */
template <class T> static td_status eig_of(job<T> *j, const td_call *c, int64_t more, T **v, T **w) {
  int64_t n = side_of(c);
  void *own;
  td_status st = begin(j, c, n, TD_MATRIX_DIVERGED);
  if (!st) st = ask_eig(j, (const T *)NULL, (const T *)NULL);
  int64_t values = (j->count * n + ALIGN - 1) / ALIGN * ALIGN;
  if (!st) st = take_room(j, sizeof(T) * (size_t)(values + j->count * n * n + more), &own);
  if (st) return st;
  *w = (T *)own;
  *v = *w + values;
  st = by_matrix(*j, take_symmetric<T>, (const T *)c->in[0]->data, *v, n, j->count, j->found, j->figure);
  return st ? st : eig(j, *v, *w);
}

template <class T> static td_status run_eigh(const td_call *c, td_tensor **out) {
  job<T> j;
  T *v, *w;
  int64_t n = side_of(c);
  if (!td__numel(out[1])) return TD_OK;
  td_status st = eig_of(&j, c, 0, &v, &w);
  if (!st)
    st = gpu_check(cudaMemcpyAsync(out[0]->data, w, sizeof(T) * (size_t)(j.count * n),
                                   cudaMemcpyDeviceToDevice, j.g->stream), c->op->name);
  vectors<T> a = { v, (T *)out[1]->data, n, n * n, n, 1, n * n, 1, n }, none = {};
  if (!st) st = by_element(j, j.count * n * 32, settle<T>, a, none, n, j.count * n);
  return end(&j, st);
}

/* ---- svd: of the transpose where there are more columns, which is how a row lies ---- */

template <class T> static td_status run_svd(const td_call *c, td_tensor **out) {
  job<T> j;
  const td_tensor *x = c->in[0];
  int64_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1], k = m < n ? m : n, most = m < n ? n : m;
  bool wide = n >= m;
  const cudaDataType_t t = type_of<T>();
  void *own;
  if (!td__numel(x)) return TD_OK;
  td_status st = begin(&j, c, k, TD_MATRIX_DIVERGED);
  if (!st && most > INT32_MAX) st = td_matrix_large(gpu_fail, c->op->name, most);
  if (!st)
    st = check(c, cusolverDnXgesvd_bufferSize(j.h, j.params, 'S', 'S', most, k, t, NULL, most, t, NULL, t,
                                              NULL, most, t, NULL, k, t, &j.device, &j.host));
  if (!st) st = take_room(&j, sizeof(T) * (size_t)(j.count * (2 * most * k + k * k)), &own);
  if (st) return end(&j, st);
  T *a = (T *)own, *u = a + j.count * most * k, *vt = u + j.count * most * k, *s = (T *)out[1]->data;
  st = by_matrix(j, take_finite<T>, (const T *)x->data, a, m, n, !wide, j.count, j.found);
  for (int64_t i = 0; !st && i < j.count; i++)
    st = check(c, cusolverDnXgesvd(j.h, j.params, 'S', 'S', most, k, t, a + i * most * k, most, t, s + i * k,
                                   t, u + i * most * k, most, t, vt + i * k * k, k, t, j.work, j.device,
                                   j.host_work, j.host, j.info + i));
  vectors<T> tall = { u, NULL, most, most * k, most, 1, 0, 0, 0 };
  vectors<T> small = { vt, NULL, k, k * k, 1, k, 0, 0, 0 };
  vectors<T> left = wide ? small : tall, right = wide ? tall : small;
  left.to = (T *)out[0]->data, left.to_every = m * k, left.to_apart = 1, left.to_step = k;
  right.to = (T *)out[2]->data, right.to_every = k * n, right.to_apart = n, right.to_step = 1;
  if (!st) st = by_element(j, j.count * k * 32, settle<T>, left, right, k, j.count * k);
  return end(&j, st);
}

/* ---- triangles ---- */

/* Which of the matrices of x belongs to a result: its batch dims broadcast. */
static gpu_part matrices_of(const td_tensor *y, int ycore, const td_tensor *x, int xcore) {
  gpu_part p = {};
  int64_t step = 1;
  p.ndim = y->ndim - ycore;
  p.n = 1;
  for (int d = p.ndim - 1, e = x->ndim - xcore - 1; d >= 0; d--, e--) {
    p.n *= p.shape[d] = y->shape[d];
    if (e < 0 || x->shape[e] == 1) continue;
    p.stride[d] = step;
    step *= x->shape[e];
  }
  return p;
}

/* The results under way: x (count; n, r), of triangles whose elements (i, k) are si and sk
** apart, solved from the first row on or, `upper`, from the last. */
template <class T> struct triangle {
  const T *t;
  gpu_part which;
  T *x;
  int64_t n, r, si, sk;
  bool upper, unit;
};
enum { PANEL = 32, TURNS = 4 };                /* blocks of 32 x 8 threads */

template <class T> __device__ static int64_t row_at(const triangle<T> &q, int64_t i) {
  return q.upper ? q.n - 1 - i : i;
}
/* ts = PANEL x PANEL of the triangle from (i, k) on; beyond the last row the identity. */
template <class T>
__device__ static void load_triangle(const triangle<T> &q, const T *t, int64_t i, int64_t k, T *ts) {
  int tx = (int)threadIdx.x;
  for (int l = (int)threadIdx.y; l < PANEL; l += PANEL / TURNS)
    ts[l * (PANEL + 1) + tx] = i + l < q.n && k + tx < q.n ?
      t[row_at(q, i + l) * q.si + row_at(q, k + tx) * q.sk] : (T)(i == k && l == tx);
}

/* Columns of 32: each panel of rows loses what the panels before it hold, then is solved. */
template <class T> __global__ void substitute(triangle<T> q) {
  TD_SHARED(T, ts, PANEL * (PANEL + 1));
  TD_SHARED(T, xs, PANEL * (PANEL + 1));
  int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
  int64_t across = (q.r + PANEL - 1) / PANEL;
  for (int64_t b = blockIdx.x; b < q.which.n * across; b += gridDim.x) {
    const T *t = q.t + gpu_part_at(q.which, b / across) * q.n * q.n;
    int64_t col = b % across * PANEL + tx;
    T *x = q.x + b / across * q.n * q.r + col;
    for (int64_t i = 0; i < q.n; i += PANEL) {
      T sum[TURNS];
      for (int w = 0; w < TURNS; w++) {
        int64_t row = i + ty + w * (PANEL / TURNS);
        sum[w] = row < q.n && col < q.r ? x[row_at(q, row) * q.r] : (T)0;
      }
      for (int64_t k = 0; k < i; k += PANEL) {
        __syncthreads();
        load_triangle(q, t, i, k, ts);
        for (int l = ty; l < PANEL; l += PANEL / TURNS)
          xs[l * (PANEL + 1) + tx] = col < q.r ? x[row_at(q, k + l) * q.r] : (T)0;
        __syncthreads();
        for (int l = 0; l < PANEL; l++)
          for (int w = 0; w < TURNS; w++)
            sum[w] -= ts[(ty + w * (PANEL / TURNS)) * (PANEL + 1) + l] * xs[l * (PANEL + 1) + tx];
      }
      __syncthreads();
      load_triangle(q, t, i, i, ts);
      for (int w = 0; w < TURNS; w++) xs[(ty + w * (PANEL / TURNS)) * (PANEL + 1) + tx] = sum[w];
      for (int l = 0; l < PANEL; l++) {
        __syncthreads();
        if (!q.unit && ty == 0) xs[l * (PANEL + 1) + tx] /= ts[l * (PANEL + 1) + l];
        __syncthreads();
        for (int k = ty; k < PANEL; k += PANEL / TURNS)
          if (k > l) xs[k * (PANEL + 1) + tx] -= ts[k * (PANEL + 1) + l] * xs[l * (PANEL + 1) + tx];
      }
      __syncthreads();
      for (int k = ty; k < PANEL; k += PANEL / TURNS)
        if (i + k < q.n && col < q.r) x[row_at(q, i + k) * q.r] = xs[k * (PANEL + 1) + tx];
    }
  }
}
template <class T> static td_status run_substitute(const td_call *c, const triangle<T> &q) {
  return gpu_launch(c, substitute<T>, gpu_blocks(q.which.n * ((q.r + PANEL - 1) / PANEL)),
                    dim3(PANEL, PANEL / TURNS), 0, q);
}

/* x = the right-hand sides, each as often as it is needed */
template <class T> __global__ void copy_sides(const T *b, gpu_part which, T *x, int64_t size, int64_t all) {
  GPU_EACH(e, all) x[e] = b[gpu_part_at(which, e / size) * size + e % size];
}
template <class T> static td_status take_sides(const td_call *c, td_tensor **out, triangle<T> *q) {
  const td_tensor *a = c->in[0], *b = c->in[1], *y = out[0];
  int core = b->ndim < 2 ? 1 : 2;
  int64_t all = td__numel(y);
  q->n = side_of(c);
  q->r = core == 1 ? 1 : b->shape[b->ndim - 1];
  q->x = (T *)y->data;
  q->which = matrices_of(y, core, a, 2);
  return gpu_launch(c, copy_sides<T>, gpu_grid(all), dim3(GPU_BLOCK), 0, (const T *)b->data,
                    matrices_of(y, core, b, core), q->x, q->n * q->r, all);
}

template <class T> __global__ void find_zero(const T *a, int64_t n, int64_t count, int *info) {
  GPU_EACH(m, count)
    for (int64_t i = 0; i < n && !info[m]; i++) if (a[m * n * n + i * (n + 1)] == 0) info[m] = (int)i + 1;
}

template <class T> static td_status run_triangular(const td_call *c, td_tensor **out) {
  job<T> j;
  triangle<T> q = {};
  bool turned = c->attr[1].i != 0;
  void *own;
  if (!td__numel(out[0])) return TD_OK;
  td_status st = begin(&j, c, side_of(c), TD_MATRIX_NO_DIAGONAL);
  if (!st) st = take_room(&j, 0, &own);
  if (!st) st = take_sides(c, out, &q);
  q.t = (const T *)c->in[0]->data;
  q.si = turned ? 1 : q.n, q.sk = turned ? q.n : 1;
  q.upper = (c->attr[0].i != 0) != turned;
  if (!st) st = by_element(j, j.count, find_zero<T>, q.t, q.n, j.count, j.info);
  if (!st) st = run_substitute(c, q);
  return end(&j, st);
}

/* ---- solve: with a^T = P L U to cuSOLVER, x = P L^-T U^-T b ---- */

template <class T> __global__ void swap_back(triangle<T> q, const int64_t *pivots) {
  GPU_EACH(e, q.which.n * q.r) {
    int64_t m = e / q.r;
    const int64_t *p = pivots + gpu_part_at(q.which, m) * q.n;
    T *x = q.x + m * q.n * q.r + e % q.r;
    for (int64_t i = q.n - 1; i >= 0; i--) {
      int64_t k = p[i] - 1;
      T was = x[i * q.r];
      x[i * q.r] = x[k * q.r];
      x[k * q.r] = was;
    }
  }
}

template <class T> static td_status run_solve(const td_call *c, td_tensor **out) {
  job<T> j;
  triangle<T> q = {};
  int64_t n = side_of(c);
  void *own;
  if (!td__numel(out[0])) return TD_OK;
  td_status st = begin(&j, c, n, TD_MATRIX_SINGULAR);
  if (!st) st = check(c, cusolverDnXgetrf_bufferSize(j.h, j.params, n, n, type_of<T>(), NULL, n, type_of<T>(),
                                                     &j.device, &j.host));
  size_t pivot_bytes = rounded(sizeof(int64_t) * (size_t)(j.count * n));
  if (!st) st = take_room(&j, pivot_bytes + sizeof(T) * (size_t)(j.count * n * n), &own);
  if (st) return end(&j, st);
  int64_t *pivots = (int64_t *)own;
  T *lu = (T *)((char *)own + pivot_bytes);
  st = by_matrix(j, take_finite<T>, (const T *)c->in[0]->data, lu, n, n, false, j.count, j.found);
  for (int64_t i = 0; !st && i < j.count; i++)
    st = check(c, cusolverDnXgetrf(j.h, j.params, n, n, type_of<T>(), lu + i * n * n, n, pivots + i * n,
                                   type_of<T>(), j.work, j.device, j.host_work, j.host, j.info + i));
  if (!st) st = take_sides(c, out, &q);
  q.t = lu, q.si = n, q.sk = 1;
  if (!st) st = run_substitute(c, q);
  q.upper = q.unit = true;
  if (!st) st = run_substitute(c, q);
  if (!st) st = by_element(j, q.which.n * q.r, swap_back<T>, q, (const int64_t *)pivots);
  return end(&j, st);
}

/* ---- sqrtm and sylvester: by eigenvectors ---- */

/* y = a b, a^T b or a b^T, all (count, n, n), never rounded to TF32 */
template <class T>
static td_status multiply(const job<T> &j, bool ta, bool tb, const T *a, const T *b, T *y) {
  gpu_product p = {};
  p.count = j.count, p.m = p.n = p.k = j.n;
  p.a = (const char *)a, p.b = (const char *)b, p.c = (char *)y;
  p.ab = p.bb = j.n * j.n;
  p.ai = ta ? 1 : j.n, p.ak = ta ? j.n : 1;
  p.bk = tb ? 1 : j.n, p.bj = tb ? j.n : 1;
  p.exact = true;
  return gpu_multiply(j.c, p, sizeof(T) == 8 ? TD_F64 : TD_F32);
}
template <class T> __device__ static double largest(const T *w, int64_t n) {
  return fmax(fabs((double)w[0]), fabs((double)w[n - 1]));
}

/* Rows of v times the fourth root of their eigenvalue; noise becomes 0. */
template <class T> __global__ void scale_rows(T *v, const T *w, int64_t n, int64_t count, double noise,
                                              int *found, double *figure) {
  for (int64_t m = blockIdx.x; m < count; m += gridDim.x) {
    const T *own = w + m * n;
    double most = largest(own, n);
    if (threadIdx.x == 0 && !found[m] && own[0] < -sqrt(noise) * most)
      found[m] = TD_MATRIX_NEGATIVE, figure[m] = own[0];
    for (int64_t e = threadIdx.x; e < n * n; e += GPU_BLOCK) {
      double x = own[e / n];
      v[m * n * n + e] *= x > noise * most ? (T)sqrt(sqrt(x)) : (T)0;
    }
  }
}
template <class T> static td_status run_sqrtm(const td_call *c, td_tensor **out) {
  job<T> j;
  T *v, *w;
  int64_t n = side_of(c), all = td__numel(out[0]);
  if (!all) return TD_OK;
  td_status st = eig_of(&j, c, all, &v, &w);
  double noise = td_matrix_noise(sizeof(T) == 8, n);
  if (!st) st = by_matrix(j, scale_rows<T>, v, w, n, j.count, noise, j.found, j.figure);
  if (!st) st = multiply(j, true, false, v, v, v + all);
  if (!st) st = by_matrix(j, take_symmetric<T>, v + all, (T *)out[0]->data, n, j.count, NULL, NULL);
  return end(&j, st);
}

/* Elements over the sum of the eigenvalues of their row and column, and 0 where that is noise. */
template <class T> __global__ void divide_by_sums(T *x, const T *w, int64_t n, double noise, int64_t all) {
  GPU_EACH(e, all) {
    const T *own = w + e / (n * n) * n;
    T sum = own[e / n % n] + own[e % n];
    x[e] = fabs((double)sum) > noise * largest(own, n) ? x[e] / sum : (T)0;
  }
}
template <class T> static td_status run_sylvester(const td_call *c, td_tensor **out) {
  job<T> j;
  T *v, *w, *x = (T *)out[0]->data;
  int64_t n = side_of(c), all = td__numel(out[0]);
  if (!all) return TD_OK;
  td_status st = eig_of(&j, c, all, &v, &w);
  double noise = 4 * td_matrix_noise(sizeof(T) == 8, n);
  if (!st) st = multiply<T>(j, false, false, v, (const T *)c->in[1]->data, v + all);
  if (!st) st = multiply<T>(j, false, true, v + all, v, x);
  if (!st) st = by_element(j, all, divide_by_sums<T>, x, w, n, noise, all);
  if (!st) st = multiply<T>(j, true, false, v, x, v + all);
  if (!st) st = multiply<T>(j, false, false, v + all, v, x);
  return end(&j, st);
}

/* ---- assignment: one path after the other, which is work for the host ---- */

static td_status k_assignment(const td_call *c, td_tensor **out) {
  td_status st = on_host_only(c);
  return st ? st : gpu_on_cpu(c, out);
}

#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return out[0]->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }
KERNEL(cholesky)
KERNEL(eigh)
KERNEL(svd)
KERNEL(solve)
KERNEL(triangular)
KERNEL(sqrtm)
KERNEL(sylvester)

const td_kernel_entry gpu_linalg_kernels[] = {
  { "cholesky", k_cholesky }, { "eigh", k_eigh }, { "svd", k_svd }, { "solve", k_solve },
  { "solve_triangular", k_triangular }, { "sqrtm", k_sqrtm }, { "sylvester", k_sylvester },
  { "assignment", k_assignment }, { NULL, NULL }
};
