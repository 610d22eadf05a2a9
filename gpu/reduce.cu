/* reduce.cu -- sums, products, extremes, truths, logsumexp over any dims; softmax and
** running sums along one.  What is combined is so in an order that depends on shapes alone. */
#include "gpu/lines.h"
#include "tensor/vmath.h"

/* ---- x as results times what is combined into each ---- */

struct gpu_reduction {
  gpu_view x;
  gpu_part kept, gone;
  char *y, *z;                 /* contiguous results */
};

static void add_dim(gpu_part *p, int64_t n, int64_t stride) {
  p->n *= n;
  if (n == 1) return;
  if (p->ndim && p->stride[p->ndim - 1] == stride * n) {    /* joins the one before */
    p->shape[p->ndim - 1] *= n;
    p->stride[p->ndim - 1] = stride;
    return;
  }
  p->shape[p->ndim] = n;
  p->stride[p->ndim++] = stride;
}

static gpu_reduction reduction_of(const td_tensor *x, const bool *mask, td_tensor **out, int nout) {
  gpu_reduction r = {};
  r.x = gpu_layout_of(x, 1, (td_tensor *const *)&x).t[1];
  r.kept.n = r.gone.n = 1;
  int64_t size = gpu_size(x->dtype);
  for (int d = 0; d < x->ndim; d++) {
    int64_t stride = x->shape[d] == 1 ? 0 : x->stride[d] * size;
    add_dim(mask[d] ? &r.gone : &r.kept, x->shape[d], stride);
  }
  r.y = out[0]->data;
  if (nout > 1) r.z = out[1]->data;
  return r;
}

/* ---- three ways to go: a thread for each result, a block, or a block for a few neighbours ---- */

/* What is combined is cut into `pieces` where few results would leave the device idle; then
** each piece's is kept in room (pieces, kept) and combined in order. */
template <class R> struct gpu_parts { int64_t pieces; typename R::acc *room; };

__device__ static inline int64_t piece_end(const gpu_reduction &r, int64_t pieces, int64_t k) {
  return r.gone.n / pieces * k + (k < pieces ? 0 : r.gone.n % pieces);
}
template <class R> __device__ static inline void take_from(const gpu_reduction &r, typename R::acc &a,
                                                           int64_t home, int64_t i) {
  R::take(a, gpu_read<typename R::in>(r.x, home + gpu_part_at(r.gone, i)), i);
}
template <class R> __device__ static inline void leave(const gpu_reduction &r, const gpu_parts<R> &p,
                                                       int64_t o, const typename R::acc &a) {
  if (p.room) p.room[blockIdx.y * r.kept.n + o] = a;
  else ((typename R::out *)r.y)[o] = R::store(a);
}

/* R: types in, out and acc; start(), take(acc, x, i), merge(acc, acc), store(acc). */
template <class R> __global__ void by_thread(gpu_reduction r) {
  GPU_EACH(o, r.kept.n) {
    int64_t home = gpu_part_at(r.kept, o);
    typename R::acc a = R::start();
    for (int64_t i = 0; i < r.gone.n; i++) take_from<R>(r, a, home, i);
    ((typename R::out *)r.y)[o] = R::store(a);
  }
}

template <class R> __global__ void by_block(gpu_reduction r, gpu_parts<R> p) {
  TD_SHARED(typename R::acc, part, GPU_BLOCK);
  int me = (int)threadIdx.x;
  int64_t begin = piece_end(r, p.pieces, blockIdx.y), end = piece_end(r, p.pieces, blockIdx.y + 1);
  for (int64_t o = blockIdx.x; o < r.kept.n; o += gridDim.x) {
    int64_t home = gpu_part_at(r.kept, o);
    typename R::acc a = R::start();
    for (int64_t i = begin + me; i < end; i += GPU_BLOCK) take_from<R>(r, a, home, i);
    part[me] = a;
    for (int half = GPU_BLOCK / 2; half; half /= 2) {
      __syncthreads();
      if (me < half) R::merge(part[me], part[me + half]);
    }
    if (me == 0) leave(r, p, o, part[0]);
    __syncthreads();
  }
}

/* SIDE results that are neighbours in memory, SIDE threads for each. */
enum { SIDE = 32 };
template <class R>
__global__ void __launch_bounds__(SIDE * SIDE) by_columns(gpu_reduction r, gpu_parts<R> p) {
  TD_SHARED(typename R::acc, part, SIDE * SIDE);
  int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
  int64_t begin = piece_end(r, p.pieces, blockIdx.y), end = piece_end(r, p.pieces, blockIdx.y + 1);
  for (int64_t first = blockIdx.x * (int64_t)SIDE; first < r.kept.n; first += gridDim.x * (int64_t)SIDE) {
    int64_t o = first + tx, home = o < r.kept.n ? gpu_part_at(r.kept, o) : 0;
    typename R::acc a = R::start();
    for (int64_t i = begin + ty; i < end && o < r.kept.n; i += SIDE) take_from<R>(r, a, home, i);
    part[ty * SIDE + tx] = a;
    for (int half = SIDE / 2; half; half /= 2) {
      __syncthreads();
      if (ty < half) R::merge(part[ty * SIDE + tx], part[(ty + half) * SIDE + tx]);
    }
    if (ty == 0 && o < r.kept.n) leave(r, p, o, part[tx]);
    __syncthreads();
  }
}

template <class R> __global__ void combine(gpu_reduction r, gpu_parts<R> p) {
  GPU_EACH(o, r.kept.n) {
    typename R::acc a = p.room[o];
    for (int64_t k = 1; k < p.pieces; k++) R::merge(a, p.room[k * r.kept.n + o]);
    ((typename R::out *)r.y)[o] = R::store(a);
  }
}

enum { SHORT = 32,             /* so few elements are one thread's work */
       MANY = 1 << 15,         /* so many results fill the device with a thread each */
       BLOCKS = 256,           /* about so many blocks fill it */
       PIECE = 4096 };         /* fewer elements are not worth a block */

template <class R> td_status run(const td_call *c, const gpu_reduction *r) {
  const gpu_part *k = &r->kept;
  bool beside = k->ndim && k->stride[k->ndim - 1] == (int64_t)sizeof(typename R::in);
  if (!k->n) return TD_OK;
  if (r->gone.n <= SHORT || (beside && k->n >= MANY))
    return gpu_launch(c, by_thread<R>, gpu_grid(k->n), dim3(GPU_BLOCK), 0, *r);
  beside = beside && k->shape[k->ndim - 1] >= SIDE;
  dim3 grid = gpu_blocks(beside ? (k->n + SIDE - 1) / SIDE : k->n);
  int64_t most = r->gone.n / (beside ? PIECE / 4 : PIECE), pieces = BLOCKS / grid.x;
  gpu_parts<R> p = { pieces < 1 || most < 2 ? 1 : pieces < most ? pieces : most, NULL };
  void *room = NULL;
  td_status st = p.pieces == 1 ? TD_OK :
    gpu_scratch(c, sizeof(typename R::acc) * (size_t)(p.pieces * k->n), &room);
  if (st) return st;
  p.room = (typename R::acc *)room;
  grid.y = (unsigned)p.pieces;
  st = beside ? gpu_launch(c, by_columns<R>, grid, dim3(SIDE, SIDE), 0, *r, p) :
                gpu_launch(c, by_block<R>, grid, dim3(GPU_BLOCK), 0, *r, p);
  return st || !room ? st : gpu_launch(c, combine<R>, gpu_grid(k->n), dim3(GPU_BLOCK), 0, *r, p);
}

typedef td_status (*reduce_fn)(const td_call *, const gpu_reduction *);

static void mask_of(const td_call *c, bool *mask) {
  for (int d = 0; d < c->in[0]->ndim; d++) mask[d] = c->nlist < 0;
  for (int i = 0; i < c->nlist; i++)
    mask[c->list[i] < 0 ? c->list[i] + c->in[0]->ndim : c->list[i]] = true;
}

static td_status reduce(const td_call *c, td_tensor **out, const reduce_fn *fns) {
  bool mask[TD_MAXDIM];
  mask_of(c, mask);
  gpu_reduction r = reduction_of(c->in[0], mask, out, 1);
  reduce_fn fn = fns[c->in[0]->dtype];
  return fn ? fn(c, &r) : gpu_no_type(c, c->in[0]->dtype);
}

#define TABLE(name) { run<name<uint8_t>>, run<name<uint8_t>>, run<name<int32_t>>, \
  run<name<int64_t>>, NULL, run<name<float>>, run<name<double>> }
#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    static const reduce_fn fns[TD_DTYPE_COUNT] = TABLE(name##_of); \
    return reduce(c, out, fns); \
  }

/* ---- what is combined: floats in double, integers in i64 ---- */

template <class T> struct wide { typedef int64_t acc, out; };
template <> struct wide<float> { typedef double acc; typedef float out; };
template <> struct wide<double> { typedef double acc, out; };

#define FOLD(name, initial, step) \
  template <class T> struct name##_of { \
    typedef T in; \
    typedef typename wide<T>::acc acc; \
    typedef typename wide<T>::out out; \
    static __device__ inline acc start() { return initial; } \
    static __device__ inline void take(acc &a, T x, int64_t) { merge(a, (acc)x); } \
    static __device__ inline void merge(acc &a, acc x) { step; } \
    static __device__ inline out store(acc a) { return (out)a; } \
  };
FOLD(sum, 0, a += x)
FOLD(prod, 1, a *= x)
KERNEL(sum)
KERNEL(prod)

#define TRUTH(name, initial, step) \
  template <class T> struct name##_of { \
    typedef T in; \
    typedef uint8_t out; \
    typedef int acc; \
    static __device__ inline int start() { return initial; } \
    static __device__ inline void take(int &a, T x, int64_t) { merge(a, x != 0); } \
    static __device__ inline void merge(int &a, int x) { step; } \
    static __device__ inline uint8_t store(int a) { return (uint8_t)a; } \
  };
TRUTH(any, 0, a |= x)
TRUTH(all, 1, a &= x)
KERNEL(any)
KERNEL(all)

/* The largest or smallest and where it first stands; a NaN is before all others. */
template <class T> struct best { T x; int64_t at; };    /* at -1: none yet */
template <class T> __device__ static inline bool before(const best<T> &a, const best<T> &b, bool max) {
  bool an = a.x != a.x, bn = b.x != b.x;
  if (a.at < 0 || b.at < 0) return b.at < 0;
  if (an || bn) return an == bn ? a.at < b.at : an;
  return a.x == b.x ? a.at < b.at : max ? a.x > b.x : a.x < b.x;
}
#define EXTREME(name, max, result, value) \
  template <class T> struct name##_of { \
    typedef T in; \
    typedef result out; \
    typedef best<T> acc; \
    static __device__ inline acc start() { acc a; a.x = 0; a.at = -1; return a; } \
    static __device__ inline void take(acc &a, T x, int64_t i) { \
      acc b; \
      b.x = x; \
      b.at = i; \
      merge(a, b); \
    } \
    static __device__ inline void merge(acc &a, const acc &b) { if (before(b, a, max)) a = b; } \
    static __device__ inline out store(const acc &a) { return a.value; } \
  };
EXTREME(amax, true, T, x)
EXTREME(amin, false, T, x)
EXTREME(argmax, true, int64_t, at)
EXTREME(argmin, false, int64_t, at)
KERNEL(amax)
KERNEL(amin)

template <template <class> class R>
static td_status position(const td_call *c, td_tensor **out) {
  static const reduce_fn fns[TD_DTYPE_COUNT] = TABLE(R);
  bool mask[TD_MAXDIM] = { false };
  mask[c->attr[0].i] = true;
  gpu_reduction r = reduction_of(c->in[0], mask, out, 1);
  return fns[c->in[0]->dtype](c, &r);
}

/* ---- logsumexp: the largest so far, and the sum of exp(x - it) ---- */

struct peak { double a, b; };
__device__ static inline double shift_of(double a) { return isinf(a) ? 0 : a; }
__device__ static inline double moved(const peak &p, double to) {
  return p.b == 0 ? 0 : p.b * exp(shift_of(p.a) - to);
}
template <class T> struct logsumexp_of {
  typedef T in, out;
  typedef peak acc;
  static __device__ inline peak start() { peak p; p.a = -INFINITY; p.b = 0; return p; }
  static __device__ inline void take(peak &p, T x, int64_t) {
    peak q;
    q.a = x;
    q.b = exp((double)x - shift_of(x));
    merge(p, q);
  }
  static __device__ inline void merge(peak &p, const peak &q) {
    double top = q.a > p.a || q.a != q.a ? q.a : p.a, d = shift_of(top);
    p.b = moved(p, d) + moved(q, d);
    p.a = top;
  }
  static __device__ inline T store(const peak &p) { return (T)(shift_of(p.a) + log(p.b)); }
};
static td_status k_logsumexp(const td_call *c, td_tensor **out) {
  static const reduce_fn fns[TD_DTYPE_COUNT] = { NULL, NULL, NULL, NULL, NULL,
    run<logsumexp_of<float>>, run<logsumexp_of<double>> };
  return reduce(c, out, fns);
}

/* ---- along one dim: softmax, its log, running sums ---- */

template <class T> __device__ static T together(T *part, T mine, bool largest) {
  int me = (int)threadIdx.x;
  __syncthreads();
  part[me] = mine;
  for (int half = GPU_BLOCK / 2; half; half /= 2) {
    __syncthreads();
    if (me >= half) continue;
    T a = part[me], b = part[me + half];
    part[me] = !largest ? a + b : b > a || b != b ? b : a;
  }
  __syncthreads();
  return part[0];
}

/* A block for each line. */
template <class T> __global__ void softmax(gpu_lines l, bool log_of) {
  TD_SHARED(double, part, GPU_BLOCK);
  for (int64_t k = blockIdx.x; k < l.count; k += gridDim.x) {
    const char *x = gpu_line(l, 0, k);
    char *y = gpu_line(l, 1, k);
    double top = -INFINITY, sum = 0;
    for (int64_t i = threadIdx.x; i < l.n; i += GPU_BLOCK) {
      double v = *(const T *)(x + i * l.t[0].step);
      top = v > top || v != v ? v : top;
    }
    top = together(part, top, true);
    for (int64_t i = threadIdx.x; i < l.n; i += GPU_BLOCK)
      sum += (double)TD_EXP((T)(*(const T *)(x + i * l.t[0].step) - (T)top));
    sum = together(part, sum, false);
    T less = (T)log(sum), scale = (T)(1 / sum);
    for (int64_t i = threadIdx.x; i < l.n; i += GPU_BLOCK) {
      T v = *(const T *)(x + i * l.t[0].step) - (T)top;
      *(T *)(y + i * l.t[1].step) = log_of ? v - less : TD_EXP(v) * scale;
    }
  }
}
static td_status k_softmax(const td_call *c, td_tensor **out) {
  gpu_lines l = gpu_lines_of(c->in[0], 1, out, c->attr[0].i);
  if (!l.count || !l.n) return TD_OK;
  return gpu_launch(c, out[0]->dtype == TD_F64 ? softmax<double> : softmax<float>,
                    gpu_blocks(l.count), dim3(GPU_BLOCK), 0, l, c->op->name[0] == 'l');
}

template <class T, class L, class O> __global__ void cumsum(gpu_lines l) {
  GPU_EACH(k, l.count) {
    const char *x = gpu_line(l, 0, k);
    char *y = gpu_line(l, 1, k);
    L s = 0;
    for (int64_t i = 0; i < l.n; i++)
      *(O *)(y + i * l.t[1].step) = (O)(s += (L)*(const T *)(x + i * l.t[0].step));
  }
}
static td_status k_cumsum(const td_call *c, td_tensor **out) {
  static void (*const fns[TD_DTYPE_COUNT])(gpu_lines) = {
    cumsum<uint8_t, int64_t, int64_t>, cumsum<uint8_t, int64_t, int64_t>,
    cumsum<int32_t, int64_t, int64_t>, cumsum<int64_t, uint64_t, int64_t>, NULL,
    cumsum<float, double, float>, cumsum<double, double, double> };
  gpu_lines l = gpu_lines_of(c->in[0], 1, out, c->attr[0].i);
  return l.count && l.n ? gpu_launch(c, fns[c->in[0]->dtype], gpu_grid(l.count),
                                       dim3(GPU_BLOCK), 0, l) : TD_OK;
}

const td_kernel_entry gpu_reduce_kernels[] = {
  { "sum", k_sum }, { "prod", k_prod }, { "amax", k_amax }, { "amin", k_amin },
  { "argmax", position<argmax_of> }, { "argmin", position<argmin_of> }, { "any", k_any },
  { "all", k_all }, { "logsumexp", k_logsumexp }, { "softmax", k_softmax },
  { "log_softmax", k_softmax }, { "cumsum", k_cumsum }, { NULL, NULL }
};
