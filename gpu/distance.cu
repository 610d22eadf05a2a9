/* distance.cu -- distances between points and what is made of them: cdist, knn, kde, kde_mean,
** kde_grid.  Distances are of differences, so nothing cancels, and all but those that cdist
** answers with are gone when they have been looked at. */
#include "gpu/gpu.h"
#include "tensor/vmath.h"

/* ---- tiles: 64 points against 16, four distances for each of 16 x 16 threads ---- */

enum { SIDE = 16, EACH = 4, ROWS = SIDE * EACH };

/* Points in rows of any strides (in elements), or the crossings of two lines. */
template <class In> struct points {
  const In *p, *other;         /* or the lines x and y */
  int64_t count, dim, i, k;    /* or dim 2, and i: the entries of x */
};
template <class In> static points<In> points_of(const td_tensor *t) {
  points<In> s = { (const In *)t->data, NULL, t->shape[0], t->shape[1], t->stride[0], t->stride[1] };
  return s;
}
template <class In> __device__ static In coordinate(const points<In> &s, int64_t row, int64_t k) {
  return !s.other ? s.p[row * s.i + k * s.k] : k ? s.other[row / s.i] : s.p[row % s.i];
}

/* Room that threads share, and squared distances e of points row + 16 r + threadIdx.y to the
** one at col + threadIdx.x; beyond the last it is as if they were at 0. */
#define TILES(T) TD_SHARED(T, as, ROWS * SIDE); TD_SHARED(T, bs, SIDE * (SIDE + 1))
template <class T, class In> __device__ static void squares(const points<In> &a, int64_t row,
    const points<In> &b, int64_t col, T *as, T *bs, T *e) {
  int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
  for (int r = 0; r < EACH; r++) e[r] = 0;
  for (int64_t at = 0; at < a.dim; at += SIDE) {
    int deep = a.dim - at < SIDE ? (int)(a.dim - at) : SIDE;
    __syncthreads();           /* the last tiles may still be read */
    for (int r = 0; r < EACH; r++) {
      int64_t i = row + SIDE * r + ty;
      as[(SIDE * r + ty) * SIDE + tx] = tx < deep && i < a.count ? (T)coordinate(a, i, at + tx) : (T)0;
    }
    bs[ty * (SIDE + 1) + tx] = tx < deep && col + ty < b.count ? (T)coordinate(b, col + ty, at + tx) : (T)0;
    __syncthreads();
    for (int l = 0; l < deep; l++) {
      T y = bs[tx * (SIDE + 1) + l];
      for (int r = 0; r < EACH; r++) {
        T d = as[(SIDE * r + ty) * SIDE + l] - y;
        e[r] += d * d;
      }
    }
  }
}
static int64_t tiles(int64_t n, int64_t size) { return (n + size - 1) / size; }

/* ---- cdist ---- */

template <class T> __global__ void distances(points<T> a, points<T> b, T *y) {
  TILES(T);
  T e[EACH];
  int64_t across = (b.count + SIDE - 1) / SIDE, all = (a.count + ROWS - 1) / ROWS * across;
  for (int64_t t = blockIdx.x; t < all; t += gridDim.x) {
    int64_t row = t / across * ROWS, col = t % across * SIDE, j = col + threadIdx.x;
    squares(a, row, b, col, as, bs, e);
    for (int r = 0; r < EACH; r++) {
      int64_t i = row + SIDE * r + threadIdx.y;
      if (i < a.count && j < b.count) y[i * b.count + j] = (T)sqrt(e[r]);
    }
  }
}
template <class T> static td_status run_distances(const td_call *c, points<T> a, points<T> b, T *y) {
  int64_t n = tiles(a.count, ROWS) * tiles(b.count, SIDE);
  return n ? gpu_launch(c, distances<T>, gpu_blocks(n), dim3(SIDE, SIDE), 0, a, b, y) : TD_OK;
}
template <class T> static td_status run_cdist(const td_call *c, td_tensor **out) {
  return run_distances(c, points_of<T>(c->in[0]), points_of<T>(c->in[1]), (T *)out[0]->data);
}

/* ---- knn: a block takes the nearest that is left, k times ---- */

/* Distances in order, NaN last, those that are equal by position. */
template <class T> struct candidate { T e; int64_t at; };
template <class T> __device__ static bool before(const candidate<T> &a, const candidate<T> &b) {
  return a.e < b.e || (b.e != b.e && a.e == a.e) ||
    (!(b.e < a.e) && (a.e != a.e) == (b.e != b.e) && a.at < b.at);
}
template <class T> __device__ static candidate<T> first_of(candidate<T> v) {
  for (int step = 16; step; step /= 2) {
    candidate<T> w = { __shfl_xor_sync(~0u, v.e, step), __shfl_xor_sync(~0u, v.at, step) };
    if (before(w, v)) v = w;
  }
  return v;
}
/* Of every GPU_BLOCK-th distance, from the thread's own on, the first behind `last`. */
template <class T>
__device__ static candidate<T> next_behind(const T *e, int64_t n, const candidate<T> &last) {
  candidate<T> best = { (T)NAN, INT64_MAX };
  for (int64_t j = threadIdx.x; j < n; j += GPU_BLOCK) {
    candidate<T> v = { e[j], j };
    if (before(v, best) && before(last, v)) best = v;
  }
  return best;
}

/* Each thread knows the best of its own; whose was taken looks for the next. */
template <class T> __global__ void nearest(const T *e, int64_t n, int64_t k, T *near, int64_t *at) {
  TD_SHARED(candidate<T>, part, GPU_BLOCK / 32);
  int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
  e += blockIdx.x * n, near += blockIdx.x * k, at += blockIdx.x * k;
  candidate<T> none = { (T)-INFINITY, -1 }, mine = next_behind(e, n, none);
  for (int64_t i = 0; i < k; i++) {
    candidate<T> best = first_of(mine);
    __syncthreads();           /* part may still be read */
    if (lane == 0) part[warp] = best;
    __syncthreads();
    best = first_of(part[lane % (GPU_BLOCK / 32)]);
    if (threadIdx.x == 0) {
      near[i] = best.e;
      at[i] = best.at;
    }
    if (mine.at == best.at) mine = next_behind(e, n, best);
  }
}

#ifdef TD_EMULATION
const int64_t ROOM = 16 << 10;                 /* bytes of distances at a time: tests have several */
#else
const int64_t ROOM = 64 << 20;
#endif

template <class T> static td_status run_knn(const td_call *c, td_tensor **out) {
  points<T> x = points_of<T>(c->in[0]), data = points_of<T>(c->in[1]);
  int64_t all = x.count, n = data.count, k = c->attr[0].i, lot = ROOM / (n * (int64_t)sizeof(T) + 1);
  void *room;
  lot = lot < 1 ? 1 : lot > GPU_GRID_MOST ? GPU_GRID_MOST : lot;
  if (lot > all) lot = all;
  if (!all || !k) return TD_OK;
  td_status st = gpu_scratch(c, (size_t)(lot * n) * sizeof(T), &room);
  for (int64_t at = 0; !st && at < all; at += lot) {
    x.p = (const T *)c->in[0]->data + at * x.i;
    x.count = all - at < lot ? all - at : lot;
    st = run_distances(c, x, data, (T *)room);
    if (!st)
      st = gpu_launch(c, nearest<T>, dim3((unsigned)x.count), dim3(GPU_BLOCK), 0, (const T *)room, n, k,
                      (T *)out[0]->data + at * k, (int64_t *)out[1]->data + at * k);
  }
  return st;
}

/* ---- Gaussian kernels: every sample counts, under a running maximum ---- */

/* A sum of exp, as most * e^top with the largest term taken out. */
template <class T> struct log_sum { T top; double sum; };
template <class T> __device__ static void add(log_sum<T> &s, T e) {
  if (e > s.top) {
    s.sum *= exp((double)s.top - (double)e);
    s.top = e;
  }
  if (e != (T)-INFINITY) s.sum += (double)TD_EXP(e - s.top);
}
/* Of the 16 threads of a row, the same for all. */
template <class T> __device__ static double total(log_sum<T> s) {
  for (int step = SIDE / 2; step; step /= 2) {
    T top = __shfl_xor_sync(~0u, s.top, step);
    double sum = __shfl_xor_sync(~0u, s.sum, step), mine = (double)s.top;
    double most = mine > top ? mine : (double)top;
    s.sum = (s.sum == 0 ? 0 : s.sum * exp(mine - most)) + (sum == 0 ? 0 : sum * exp((double)top - most));
    s.top = (T)most;
  }
  return (double)s.top + log(s.sum);
}

/* y = log of the sum of exp(scale |x - s|^2) less norm; T: the type that is computed in. */
template <class T, class In, class Out>
__global__ void densities(points<In> x, points<In> data, double scale, double norm, Out *y) {
  TILES(T);
  T e[EACH];
  for (int64_t row = blockIdx.x * (int64_t)ROWS; row < x.count; row += gridDim.x * (int64_t)ROWS) {
    log_sum<T> s[EACH];
    for (int r = 0; r < EACH; r++) s[r].top = (T)-INFINITY, s[r].sum = 0;
    for (int64_t col = 0; col < data.count; col += SIDE) {
      squares(x, row, data, col, as, bs, e);
      for (int r = 0; r < EACH && col + threadIdx.x < data.count; r++) add(s[r], e[r] * (T)scale);
    }
    for (int r = 0; r < EACH; r++) {
      double all = total(s[r]) - norm;
      int64_t i = row + SIDE * r + threadIdx.y;
      if (threadIdx.x == 0 && i < x.count) y[i] = (Out)all;
    }
  }
}
template <class T, class In, class Out>
static td_status run_densities(const td_call *c, points<In> x, points<In> data, double norm, Out *y) {
  double h = c->attr[0].f;
  return x.count ? gpu_launch(c, densities<T, In, Out>, gpu_blocks(tiles(x.count, ROWS)), dim3(SIDE, SIDE), 0,
                              x, data, -.5 / (h * h), norm, y) : TD_OK;
}
/* What makes the sum a density. */
static double norm_of(const td_call *c, int64_t n, int64_t dim) {
  return log((double)n) + (double)dim * (log(c->attr[0].f) + .5 * log(2 * M_PI));
}

template <class T> static td_status run_kde(const td_call *c, td_tensor **out) {
  points<T> x = points_of<T>(c->in[0]), data = points_of<T>(c->in[1]);
  return run_densities<T>(c, x, data, norm_of(c, data.count, x.dim), (T *)out[0]->data);
}

/* As on the CPU in f64, whatever comes. */
template <class In> static td_status run_grid(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0], *y = c->in[1];
  points<In> data = points_of<In>(c->in[2]);
  points<In> cells = { (const In *)x->data, (const In *)y->data, x->shape[0] * y->shape[0], 2,
                       x->shape[0], 0 };
  return run_densities<double>(c, cells, data, norm_of(c, data.count, 2), (In *)out[0]->data);
}

/* Means of 64 of the coordinates, under weights that sum to 1 since `all` is known. */
template <class T> __global__ void means(points<T> x, points<T> data, double scale, const double *all, T *y) {
  TILES(T);
  TD_SHARED(T, ws, ROWS * SIDE);
  TD_SHARED(T, ds, SIDE * ROWS);
  int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
  T e[EACH];
  int64_t parts = (x.dim + ROWS - 1) / ROWS, count = (x.count + ROWS - 1) / ROWS * parts;
  for (int64_t t = blockIdx.x; t < count; t += gridDim.x) {
    int64_t row = t / parts * ROWS, from = t % parts * ROWS;
    double sum[EACH][EACH] = {};
    for (int64_t col = 0; col < data.count; col += SIDE) {
      squares(x, row, data, col, as, bs, e);
      __syncthreads();         /* the last weights may still be read */
      for (int r = 0; r < EACH; r++) {
        int64_t i = row + SIDE * r + ty, k = from + SIDE * r + tx;
        bool there = i < x.count && col + tx < data.count;
        ws[(SIDE * r + ty) * SIDE + tx] = there ? TD_EXP((T)((double)(e[r] * (T)scale) - all[i])) : (T)0;
        ds[ty * ROWS + SIDE * r + tx] =
          k < x.dim && col + ty < data.count ? coordinate(data, col + ty, k) : (T)0;
      }
      __syncthreads();
      for (int l = 0; l < SIDE; l++)
        for (int r = 0; r < EACH; r++)
          for (int q = 0; q < EACH; q++)
            sum[r][q] += (double)ws[(SIDE * r + ty) * SIDE + l] * (double)ds[l * ROWS + SIDE * q + tx];
    }
    for (int r = 0; r < EACH; r++)
      for (int q = 0; q < EACH; q++) {
        int64_t i = row + SIDE * r + ty, k = from + SIDE * q + tx;
        if (i < x.count && k < x.dim) y[i * x.dim + k] = (T)sum[r][q];
      }
  }
}

template <class T> static td_status run_mean(const td_call *c, td_tensor **out) {
  points<T> x = points_of<T>(c->in[0]), data = points_of<T>(c->in[1]);
  int64_t n = tiles(x.count, ROWS) * tiles(x.dim, ROWS);
  double h = c->attr[0].f;
  void *all;
  if (!n) return TD_OK;
  td_status st = gpu_scratch(c, sizeof(double) * (size_t)x.count, &all);
  if (!st) st = run_densities<T>(c, x, data, 0, (double *)all);
  return st ? st : gpu_launch(c, means<T>, gpu_blocks(n), dim3(SIDE, SIDE), 0, x, data, -.5 / (h * h),
                              (const double *)all, (T *)out[0]->data);
}

#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return out[0]->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }
KERNEL(cdist)
KERNEL(knn)
KERNEL(kde)
KERNEL(mean)
KERNEL(grid)

const td_kernel_entry gpu_distance_kernels[] = {
  { "cdist", k_cdist }, { "knn", k_knn }, { "kde", k_kde }, { "kde_mean", k_mean },
  { "kde_grid", k_grid }, { NULL, NULL }
};
