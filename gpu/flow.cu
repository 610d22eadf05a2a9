/* flow.cu -- flow matching: points on lines between noise and data, squared errors.
** Compiled without contraction of multiply and add: a draw gives the points of its noise. */
#include "gpu/block.h"
#include "tensor/philox.h"

template <class T> static T *data(const td_tensor *t) { return (T *)t->data; }
static int64_t row_size(const td_tensor *x) {
  int64_t n = 1;
  for (int d = 1; d < x->ndim; d++) n *= x->shape[d];
  return n;
}
#define KERNEL(name, of) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return (of)->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }

/* ---- points on lines: z = x0 + t (x1 - x0), u = x1 - x0 ---- */

template <class T> __global__ void line_points(const T *x0, const T *x1, const T *t, T *z, T *u, int64_t n,
                                           int64_t each) {
  GPU_EACH(i, n) {
    T a = x0[i], d = x1[i] - a;
    u[i] = d;
    z[i] = a + d * t[i / each];
  }
}
template <class T> static td_status run_line_points(const td_call *c, td_tensor **out) {
  int64_t n = td__numel(out[0]);
  return n ? gpu_launch(c, line_points<T>, gpu_grid(n), dim3(GPU_BLOCK), 0, data<T>(c->in[0]),
                        data<T>(c->in[1]), data<T>(c->in[2]), data<T>(out[0]), data<T>(out[1]), n,
                        n / td__numel(c->in[2])) : TD_OK;
}
KERNEL(line_points, out[0])

/* The numbers of one counter: as `uniform` and `normal` of random.cu make them. */
template <class T> struct draws;
template <> struct draws<float> {
  static const int PER = 4;
  static __device__ inline float uniform(const uint32_t *w, int j) {
    return td_uniform_f32(j & 2 ? (j & 1 ? w[3] : w[2]) : j & 1 ? w[1] : w[0]);
  }
  static __device__ inline void normal(const uint32_t *w, float *y) {
    td_normal_f32(w[0], w[1], &y[0], &y[1]);
    td_normal_f32(w[2], w[3], &y[2], &y[3]);
  }
};
template <> struct draws<double> {
  static const int PER = 2;
  static __device__ inline double uniform(const uint32_t *w, int j) {
    return td_uniform_f64(j ? w[2] : w[0], j ? w[3] : w[1]);
  }
  static __device__ inline void normal(const uint32_t *w, double *y) { td_normal_f64(w, &y[0], &y[1]); }
};

/* The normals of counter k, and number i of a draw. */
template <class T> __device__ static inline void normals(td_rng rng, int64_t k, T *y) {
  uint32_t w[4];
  td_philox(rng.seed, rng.offset + (uint64_t)k, w);
  draws<T>::normal(w, y);
}
template <class T> __device__ static inline T uniform_at(td_rng rng, int64_t i) {
  uint32_t w[4];
  td_philox(rng.seed, rng.offset + (uint64_t)(i / draws<T>::PER), w);
  return draws<T>::uniform(w, (int)(i % draws<T>::PER));
}
static int64_t counters(size_t size, int64_t n) { return size == 8 ? (n + 1) / 2 : (n + 3) / 4; }
/* The place of the stream in a graph: relative to that of its launch. */
__device__ static inline td_rng place_of(td_rng rng, const td_rng *from) {
  if (from) {
    rng.seed = from->seed;
    rng.offset += from->offset;
  }
  return rng;
}

/* Thread k makes the noise of counter k, looks up the times of its rows, and writes those of
** the rows it has the first number of; of rows without numbers, that of row k. */
template <class T> __global__ void line_draw(td_rng rng, const td_rng *from, const T *x1, T *z, T *u,
                                             T *t, int64_t rows, int64_t size, T most) {
  const int PER = draws<T>::PER;
  int64_t n = rows * size, at = (rows + PER - 1) / PER;
  rng = place_of(rng, from);
  GPU_EACH(k, size ? (n + PER - 1) / PER : rows) {
    T noise[PER], time = 0;
    int64_t last = -1;
    if (!size) t[k] = uniform_at<T>(rng, k) * most;
    normals(rng, at + k, noise);
    for (int j = 0; j < PER && k * PER + j < n; j++) {
      int64_t i = k * PER + j, row = i / size;
      if (row != last) time = uniform_at<T>(rng, last = row) * most;
      if (i == row * size) t[row] = time;
      T d = x1[i] - noise[j];
      u[i] = d;
      z[i] = noise[j] + d * time;
    }
  }
}
template <class T> static td_status run_line_draw(const td_call *c, td_tensor **out) {
  int64_t rows = out[2]->shape[0], size = row_size(out[0]);
  int64_t threads = size ? counters(sizeof(T), rows * size) : rows;
  return rows ? gpu_launch(c, line_draw<T>, gpu_grid(threads), dim3(GPU_BLOCK), 0, c->rng,
                           gpu_graph_from(gpu_of(c)), data<T>(c->in[0]), data<T>(out[0]),
                           data<T>(out[1]), data<T>(out[2]), rows, size, (T)(1 - c->attr[0].f)) : TD_OK;
}
KERNEL(line_draw, out[0])

/* ---- strata: the order of n keys is the place of each among them ---- */

/* Number i of t goes where key i stands: where number j of the draw is, and i with it. */
template <class T> __device__ static inline void put(td_rng rng, const double *key, T *t, int64_t i,
                                                     int64_t n, T most) {
  int64_t rank = 0;
  for (int64_t j = 0; j < n; j++) rank += key[j] < key[i] || (key[j] == key[i] && j < i);
  T v = (uniform_at<T>(rng, rank) + (T)i) / (T)n;
  t[rank] = v * most;
}
enum { ONE_BLOCK = 1024 };

/* One block makes all keys and all times. */
template <class T> __global__ void strata(td_rng rng, const td_rng *from, int64_t at, T *t, int64_t n,
                                          T most) {
  TD_SHARED(double, key, ONE_BLOCK);
  rng = place_of(rng, from);
  td_rng keys = rng;
  keys.offset += (uint64_t)at;
  for (int64_t i = threadIdx.x; i < n; i += GPU_BLOCK) key[i] = uniform_at<double>(keys, i);
  __syncthreads();
  for (int64_t i = threadIdx.x; i < n; i += GPU_BLOCK) put(rng, key, t, i, n, most);
}
static __global__ void make_keys(td_rng rng, const td_rng *from, double *key, int64_t n) {
  rng = place_of(rng, from);
  GPU_EACH(i, n) key[i] = uniform_at<double>(rng, i);
}
template <class T> __global__ void many_strata(td_rng rng, const td_rng *from, const double *key, T *t,
                                               int64_t n, T most) {
  rng = place_of(rng, from);
  GPU_EACH(i, n) put(rng, key, t, i, n, most);
}
template <class T> static td_status run_strata(const td_call *c, td_tensor **out) {
  int64_t n = out[0]->shape[0], at = counters(sizeof(T), n);
  const td_rng *from = gpu_graph_from(gpu_of(c));
  T *t = data<T>(out[0]), most = (T)(1 - c->attr[0].f);
  td_rng keys = c->rng;
  void *key;
  if (!n) return TD_OK;
  if (n <= ONE_BLOCK)
    return gpu_launch(c, strata<T>, dim3(1), dim3(GPU_BLOCK), 0, c->rng, from, at, t, n, most);
  keys.offset += (uint64_t)at;
  td_status st = gpu_scratch(c, sizeof(double) * (size_t)n, &key);
  if (!st) st = gpu_launch(c, make_keys, gpu_grid(n), dim3(GPU_BLOCK), 0, keys, from, (double *)key, n);
  return st ? st : gpu_launch(c, many_strata<T>, gpu_grid(n), dim3(GPU_BLOCK), 0, c->rng, from,
                              (const double *)key, t, n, most);
}
KERNEL(strata, out[0])

/* ---- mixtures ---- */

template <class T> struct mixture {
  const T *steps, *means, *spread;
  T *y;
  int64_t *pick, n, count, size;
};

template <class T> __device__ static inline int64_t pick_of(const mixture<T> &m, td_rng rng, int64_t row) {
  T u = uniform_at<T>(rng, row);
  int64_t k = 0;
  for (int64_t i = 0; i < m.count; i++) k += u > m.steps[i];
  return k < m.count ? k : m.count - 1;
}
/* Thread k makes the normals of counter k; who has the first number of a row, or of a row
** without numbers its own, writes which component it is of. */
template <class T> __global__ void mixture_draw(td_rng rng, const td_rng *from, int64_t at, mixture<T> m) {
  const int PER = draws<T>::PER;
  int64_t n = m.n * m.size, threads = m.size ? (n + PER - 1) / PER : m.n;
  rng = place_of(rng, from);
  GPU_EACH(k, threads) {
    T noise[PER];
    int64_t last = -1, pick = 0;
    if (!m.size) m.pick[k] = pick_of(m, rng, k);
    normals(rng, at + k, noise);
    for (int j = 0; j < PER && k * PER + j < n; j++) {
      int64_t i = k * PER + j, row = i / m.size, from_row = i - row * m.size;
      if (row != last) pick = pick_of(m, rng, last = row);
      if (!from_row) m.pick[row] = pick;
      m.y[i] = noise[j] * m.spread[pick * m.size + from_row] + m.means[pick * m.size + from_row];
    }
  }
}
template <class T> static td_status run_mixture_draw(const td_call *c, td_tensor **out) {
  mixture<T> m = { data<T>(c->in[0]), data<T>(c->in[1]), data<T>(c->in[2]), data<T>(out[0]),
                   data<int64_t>(out[1]), out[0]->shape[0], c->in[0]->shape[0], row_size(out[0]) };
  int64_t threads = m.size ? counters(sizeof(T), m.n * m.size) : m.n;
  return threads ? gpu_launch(c, mixture_draw<T>, gpu_grid(threads), dim3(GPU_BLOCK), 0, c->rng,
                              gpu_graph_from(gpu_of(c)), counters(sizeof(T), m.n), m) : TD_OK;
}
KERNEL(mixture_draw, out[0])

/* ---- the squared error: sums in double ---- */

template <class T> __device__ static inline double square_of(const T *a, const T *b, int64_t i) {
  double d = (double)(a[i] - b[i]);
  return d * d;
}

/* A thread for each row, or a block. */
template <class T> __global__ void rows_by_thread(const T *a, const T *b, T *y, int64_t rows, int64_t size) {
  GPU_EACH(r, rows) {
    double sum = 0;
    for (int64_t i = r * size; i < (r + 1) * size; i++) sum += square_of(a, b, i);
    y[r] = (T)sum;
  }
}
template <class T> __global__ void rows_by_block(const T *a, const T *b, T *y, int64_t rows, int64_t size) {
  TD_SHARED(double, part, 32);
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    double sum = 0;
    for (int64_t i = threadIdx.x; i < size; i += GPU_BLOCK) sum += square_of(a, b, r * size + i);
    sum = gpu_block_sum(sum, part);
    if (threadIdx.x == 0) y[r] = (T)sum;
  }
}

/* The sum of all squares over `count`; of several blocks each leaves its part in y. */
template <class T, class Y> __global__ void whole(const T *a, const T *b, Y *y, int64_t n, double count) {
  TD_SHARED(double, part, 32);
  double sum = 0;
  GPU_EACH(i, n) sum += square_of(a, b, i);
  sum = gpu_block_sum(sum, part);
  if (threadIdx.x == 0) y[blockIdx.x] = (Y)(sum / count);
}
template <class T> __global__ void add_parts(const double *parts, T *y, int n, double count) {
  TD_SHARED(double, part, 32);
  double sum = 0;
  for (int i = (int)threadIdx.x; i < n; i += GPU_BLOCK) sum += parts[i];
  sum = gpu_block_sum(sum, part);
  if (threadIdx.x == 0) y[0] = (T)(sum / count);
}

enum { SHORT = 64,             /* so few elements are one thread's work, */
       BLOCK_MOST = 16384,     /* so many one block's, */
       PARTS_MOST = 256 };     /* else so many blocks sum */

template <class T> static td_status run_mean(const td_call *c, td_tensor *y) {
  const T *a = data<T>(c->in[0]), *b = data<T>(c->in[1]);
  int64_t n = td__numel(c->in[0]), parts = (n + BLOCK_MOST - 1) / BLOCK_MOST;
  double count = (double)c->in[0]->shape[0];
  dim3 block(GPU_BLOCK);
  void *room;
  if (n <= BLOCK_MOST) return gpu_launch(c, whole<T, T>, dim3(1), block, 0, a, b, data<T>(y), n, count);
  if ((parts *= 8) > PARTS_MOST) parts = PARTS_MOST;
  td_status st = gpu_scratch(c, sizeof(double) * (size_t)parts, &room);
  if (!st) st = gpu_launch(c, whole<T, double>, dim3((unsigned)parts), block, 0, a, b, (double *)room, n, 1.);
  return st ? st : gpu_launch(c, add_parts<T>, dim3(1), block, 0, (const double *)room, data<T>(y),
                              (int)parts, count);
}
template <class T> static td_status run_squared_error(const td_call *c, td_tensor **out) {
  if (c->attr[0].i) return run_mean<T>(c, out[0]);
  int64_t rows = out[0]->shape[0], size = row_size(c->in[0]);
  if (!rows) return TD_OK;
  bool few = size <= SHORT;
  return gpu_launch(c, few ? rows_by_thread<T> : rows_by_block<T>, few ? gpu_grid(rows) : gpu_blocks(rows),
                    dim3(GPU_BLOCK), 0, data<T>(c->in[0]), data<T>(c->in[1]), data<T>(out[0]), rows, size);
}
KERNEL(squared_error, out[0])

template <class T> __global__ void error_grad(const T *g, const T *a, const T *b, T *y, int64_t n,
                                              int64_t each, T scale) {
  GPU_EACH(i, n) y[i] = g[each ? i / each : 0] * scale * (2 * (a[i] - b[i]));
}
template <class T> static td_status run_squared_error_grad(const td_call *c, td_tensor **out) {
  int64_t n = td__numel(out[0]);
  return n ? gpu_launch(c, error_grad<T>, gpu_grid(n), dim3(GPU_BLOCK), 0, data<T>(c->in[0]),
                        data<T>(c->in[1]), data<T>(c->in[2]), data<T>(out[0]), n,
                        c->in[0]->ndim ? row_size(c->in[1]) : 0, (T)c->attr[0].f) : TD_OK;
}
KERNEL(squared_error_grad, out[0])

const td_kernel_entry gpu_flow_kernels[] = {
  { "line_points", k_line_points }, { "line_draw", k_line_draw }, { "strata", k_strata },
  { "mixture_draw", k_mixture_draw }, { "squared_error", k_squared_error },
  { "squared_error_grad", k_squared_error_grad }, { NULL, NULL }
};
