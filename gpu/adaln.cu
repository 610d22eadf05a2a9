/* adaln.cu -- a network of modulated residual blocks as a whole: adaln, adaln_trace,
** adaln_residual, adaln_pack (rules: nn/ops/adaln.c; the CPU's: nn/adaln_rows.h).
**
** Points go through all layers a chunk at a time, so memory does not grow with their
** number.  Products are gpu_multiply's; what lies between two of them is one kernel.  Rows
** of a chunk: the points, then their first tangents, then their second ...  What the CPU
** packs is not read: cuBLASLt takes the weights as they lie. */
#include "gpu/block.h"
#include "tensor/vmath.h"

#ifdef TD_EMULATION
const int64_t ROOM = 16 << 10;                 /* bytes of a chunk: tests have several */
#else
const int64_t ROOM = (int64_t)256 << 20;
#endif
enum { WARPS = GPU_BLOCK / 32 };

template <class T> struct net {
  const T *z, *u, *mod, *place, *noise;
  int64_t count, dim, width, blocks, tangents;
  int64_t rows_of_mod, length, each;           /* rows and their length; points that share one */
  double eps;
  int64_t first, points, rows;                 /* of the chunk */
  T *x, *out;                                  /* (rows, dim) */
  T *h, *pre, *a, *b, *g;                      /* (rows, width) */
};

/* A warp for each of `count` rows, or for each point of the chunk. */
#define EACH_ROW(i, lane, count) \
  int lane = (int)threadIdx.x % 32; \
  for (int64_t i = blockIdx.x * (int64_t)WARPS + threadIdx.x / 32; i < (count); \
       i += (int64_t)gridDim.x * WARPS)
#define EACH_POINT(i, lane) EACH_ROW(i, lane, n.points)

/* ---- modulations ---- */

/* What a group takes of the modulation: a row, or four of them by the cubic through them. */
template <class T> struct modulation { const T *row; int64_t length; bool cubic; T w[4]; };

template <class T> __device__ static modulation<T> modulation_of(const net<T> &n, int64_t i) {
  int64_t group = (n.first + i) / n.each;
  modulation<T> m = { n.mod + group * n.length, n.length, false, { 1, 0, 0, 0 } };
  if (!n.place) return m;
  double last = (double)(n.rows_of_mod - 1), p = (double)n.place[group];
  p = p >= 0 ? p <= last ? p : last : 0;
  m.cubic = !(n.rows_of_mod < 4 || p == floor(p));
  int64_t s = m.cubic ? (int64_t)p - 1 : (int64_t)(p + .5);
  if (m.cubic) s = s < 0 ? 0 : s > n.rows_of_mod - 4 ? n.rows_of_mod - 4 : s;
  double u = p - (double)s;
  m.row = n.mod + s * n.length;
  if (!m.cubic) return m;
  m.w[0] = (T)(-(u - 1) * (u - 2) * (u - 3) / 6);
  m.w[1] = (T)(u * (u - 2) * (u - 3) / 2);
  m.w[2] = (T)(-u * (u - 1) * (u - 3) / 2);
  m.w[3] = (T)(u * (u - 1) * (u - 2) / 6);
  return m;
}
template <class T> __device__ static T entry(const modulation<T> &m, int64_t k) {
  const T *p = m.row + k;
  if (!m.cubic) return *p;
  return m.w[0] * p[0] + m.w[1] * p[m.length] + m.w[2] * p[2 * m.length] + m.w[3] * p[3 * m.length];
}

/* Of the norm before a block, or before the output: (xhat w + b)(1 + scale) + shift. */
template <class T> struct norm_at { int64_t block; const T *w, *b; };

template <class T> __device__ static T factor_of(const net<T> &n, const norm_at<T> &q,
                                                 const modulation<T> &m, int64_t k) {
  T s = 1 + entry(m, (3 * q.block + 1) * n.width + k);
  return q.w ? q.w[k] * s : s;
}
template <class T> __device__ static T offset_of(const net<T> &n, const norm_at<T> &q,
                                                 const modulation<T> &m, int64_t k) {
  T shift = entry(m, 3 * q.block * n.width + k);
  return q.b ? q.b[k] * (1 + entry(m, (3 * q.block + 1) * n.width + k)) + shift : shift;
}

/* ---- layer norm ---- */


template <class T> struct moments { T mean, r; };
template <class T> __device__ static moments<T> moments_of(const T *x, const net<T> &n, int lane) {
  moments<T> s;
  T sum = 0, squares = 0;
  for (int64_t k = lane; k < n.width; k += 32) sum += x[k];
  s.mean = gpu_warp_sum(sum) / (T)n.width;
  for (int64_t k = lane; k < n.width; k += 32) squares += (x[k] - s.mean) * (x[k] - s.mean);
  s.r = 1 / (T)sqrt(gpu_warp_sum(squares) / (T)n.width + (T)n.eps);
  return s;
}

/* a = h normalised and modulated, tangents with it */
template <class T> __global__ void normalise(net<T> n, const T *h, norm_at<T> q) {
  EACH_POINT(i, lane) {
    const T *x = h + i * n.width;
    moments<T> s = moments_of(x, n, lane);
    modulation<T> m = modulation_of(n, i);
    for (int64_t k = lane; k < n.width; k += 32)
      n.a[i * n.width + k] = (x[k] - s.mean) * s.r * factor_of(n, q, m, k) + offset_of(n, q, m, k);
    for (int64_t d = 1; d <= n.tangents; d++) {
      int64_t row = (d * n.points + i) * n.width;
      const T *u = h + row;
      T sum = 0, along = 0;
      for (int64_t k = lane; k < n.width; k += 32) {
        sum += u[k];
        along += u[k] * (x[k] - s.mean);
      }
      sum = gpu_warp_sum(sum) / (T)n.width;
      along = gpu_warp_sum(along) / (T)n.width * s.r * s.r;
      for (int64_t k = lane; k < n.width; k += 32)
        n.a[row + k] = s.r * (u[k] - sum - (x[k] - s.mean) * along) * factor_of(n, q, m, k);
    }
  }
}

/* g = (add: g +) the gradient at h when b is that of h normalised and modulated */
template <class T> __global__ void normalise_back(net<T> n, const T *h, norm_at<T> q, bool add) {
  EACH_POINT(i, lane) {
    const T *x = h + i * n.width;
    T *b = n.b + i * n.width, *g = n.g + i * n.width, sum = 0, along = 0;
    moments<T> s = moments_of(x, n, lane);
    modulation<T> m = modulation_of(n, i);
    for (int64_t k = lane; k < n.width; k += 32) {
      b[k] *= factor_of(n, q, m, k);
      sum += b[k];
      along += b[k] * (x[k] - s.mean);
    }
    sum = gpu_warp_sum(sum) / (T)n.width;
    along = gpu_warp_sum(along) / (T)n.width * s.r * s.r;
    for (int64_t k = lane; k < n.width; k += 32)
      g[k] = (add ? g[k] : (T)0) + s.r * (b[k] - sum - (x[k] - s.mean) * along);
  }
}

/* ---- element by element ---- */

/* x = the points and their tangents */
template <class T> __global__ void load(net<T> n) {
  GPU_EACH(at, n.rows * n.dim) {
    int64_t row = at / n.dim, k = at - row * n.dim, d = row / n.points, i = row - d * n.points;
    int64_t from = (n.first + i) * n.dim + k;
    n.x[at] = d == 0 ? n.z[from] : n.noise ? n.noise[from] : (T)(k == d - 1);
  }
}

/* ---- between products, row by row: no index is divided, a point's modulation is looked up once ---- */

/* The bias in the rows of points, 0 in those of tangents: what a product is added to. */
template <class T> __global__ void spread(net<T> n, const T *bias, T *y, int64_t columns) {
  EACH_ROW(i, lane, n.rows)
    for (int64_t k = lane; k < columns; k += 32) y[i * columns + k] = i < n.points ? bias[k] : (T)0;
}

/* b = silu(pre + bias), tangents with it */
template <class T> __global__ void activate(net<T> n, const T *pre, const T *bias) {
  EACH_POINT(i, lane)
    for (int64_t k = lane, at = i * n.width + k; k < n.width; k += 32, at += 32) {
      T p = pre[at] + bias[k], s = TD_SIGMOID(p), slope = s * (1 + p * (1 - s));
      n.b[at] = p * s;
      for (int64_t d = 1, to = at + n.points * n.width; d <= n.tangents; d++, to += n.points * n.width)
        n.b[to] = pre[to] * slope;
    }
}
/* a times the slope of silu at pre + bias */
template <class T> __global__ void activate_back(net<T> n, const T *pre, const T *bias) {
  EACH_POINT(i, lane)
    for (int64_t k = lane, at = i * n.width + k; k < n.width; k += 32, at += 32) {
      T p = pre[at] + bias[k], s = TD_SIGMOID(p);
      n.a[at] *= s * (1 + p * (1 - s));
    }
}

/* to = h + gate * (a + bias) */
template <class T> __global__ void add_gated(net<T> n, const T *h, const T *bias, T *to, int64_t block) {
  EACH_POINT(i, lane) {
    modulation<T> m = modulation_of(n, i);
    for (int64_t k = lane, at = i * n.width + k; k < n.width; k += 32, at += 32) {
      T gate = entry(m, (3 * block + 2) * n.width + k);
      to[at] = h[at] + gate * (n.a[at] + bias[k]);
      for (int64_t d = 1, on = at + n.points * n.width; d <= n.tangents; d++, on += n.points * n.width)
        to[on] = h[on] + gate * n.a[on];
    }
  }
}
template <class T> __global__ void gate_back(net<T> n, int64_t block) {
  EACH_POINT(i, lane) {
    modulation<T> m = modulation_of(n, i);
    for (int64_t k = lane, at = i * n.width + k; k < n.width; k += 32, at += 32)
      n.b[at] = n.g[at] * entry(m, (3 * block + 2) * n.width + k);
  }
}

/* ---- what becomes of a chunk: a thread for each point ---- */

template <class T> __global__ void store_velocity(net<T> n, T *v) {
  GPU_EACH(at, n.points * n.dim) v[n.first * n.dim + at] = n.out[at];
}
template <class T> __global__ void store_trace(net<T> n, T *trace) {
  GPU_EACH(i, n.points) {
    T s = 0;
    for (int64_t d = 1; d <= n.tangents; d++) {
      int64_t row = (d * n.points + i) * n.dim;
      if (!n.noise) s += n.out[row + d - 1];
      else for (int64_t k = 0; k < n.dim; k++) s += n.out[row + k] * n.x[row + k];
    }
    trace[n.first + i] = s;
  }
}
/* |v - u|^2 and v - u; out = the gradient in v of the former */
template <class T> __global__ void residual(net<T> n, T *sum, T *apart) {
  GPU_EACH(i, n.points) {
    T s = 0;
    for (int64_t k = 0; k < n.dim; k++) {
      int64_t at = (n.first + i) * n.dim + k;
      T e = n.out[i * n.dim + k] - n.u[at];
      apart[at] = e;
      s += e * e;
      n.out[i * n.dim + k] = 2 * e;
    }
    sum[n.first + i] = s;
  }
}

/* ---- all layers ---- */

enum { NORM = 0, FC1 = 2, FC2 = 4 };           /* weights of a block, each with its bias */

/* A call under way.  With `keep` all layers stay, to go back: block i has its own h, pre. */
template <class T> struct run {
  const td_call *c;
  net<T> n;
  td_tensor **w;
  bool keep;

  const T *weight(int64_t block, int which) const {
    return (const T *)w[block < 0 ? which : 2 + 6 * block + which]->data;
  }
  int64_t step() const { return keep ? n.rows * n.width : 0; }
  norm_at<T> norm(int64_t block) const {
    norm_at<T> q = { block, NULL, NULL };
    if (block < n.blocks) q.w = weight(block, NORM), q.b = weight(block, NORM + 1);
    return q;
  }
  template <class... P> td_status go(void (*kernel)(net<T>, P...), int64_t items,
                                     typename gpu_same<P>::type... args) const {
    return gpu_launch(c, kernel, gpu_grid(items), dim3(GPU_BLOCK), 0, n, args...);
  }
  /* y (rows, out) = x w^T for w (out, in), or with `back` y (rows, in) = x w; plus beta y */
  td_status multiply(const T *x, const T *m, int64_t out, int64_t in, T *y, bool back, double beta) const {
    gpu_product p = {};
    p.count = 1, p.m = n.rows, p.n = back ? in : out, p.k = back ? out : in;
    p.a = (const char *)x, p.b = (const char *)m, p.c = (char *)y;
    p.ai = p.k, p.ak = 1;
    p.bk = back ? in : 1, p.bj = back ? 1 : in;
    p.beta = beta;
    return gpu_multiply(c, p, w[0]->dtype);
  }
  /* The first and the last product: their bias is there before. */
  td_status outer(const T *x, const td_tensor *m, const td_tensor *bias, T *y) const {
    int64_t out = m->shape[0], in = m->shape[1];
    td_status st = go(spread<T>, n.rows * 32, (const T *)bias->data, y, out);
    return st ? st : multiply(x, (const T *)m->data, out, in, y, false, 1);
  }

  td_status forward() const {
    const td_tensor *const *last = (const td_tensor *const *)w + 2 + 6 * n.blocks;
    int64_t size = n.width, threads = n.points * 32;
    td_status st = go(load<T>, n.rows * n.dim);
    if (!st) st = outer(n.x, w[0], w[1], n.h);
    for (int64_t i = 0; !st && i < n.blocks; i++) {
      T *h = n.h + i * step(), *pre = n.pre + i * step();
      st = go(normalise<T>, threads, h, norm(i));
      if (!st) st = multiply(n.a, weight(i, FC1), size, size, pre, false, 0);
      if (!st) st = go(activate<T>, threads, pre, weight(i, FC1 + 1));
      if (!st) st = multiply(n.b, weight(i, FC2), size, size, n.a, false, 0);
      if (!st) st = go(add_gated<T>, threads, h, weight(i, FC2 + 1), h + step(), i);
    }
    if (!st) st = go(normalise<T>, threads, n.h + n.blocks * step(), norm(n.blocks));
    return st ? st : outer(n.a, last[0], last[1], n.out);
  }

  /* From out to the gradient in z, at `slope`. */
  td_status backward(T *slope) const {
    const td_tensor *last = w[2 + 6 * n.blocks];
    int64_t size = n.width, threads = n.points * 32;
    td_status st = multiply(n.out, (const T *)last->data, n.dim, size, n.b, true, 0);
    if (!st) st = go(normalise_back<T>, threads, n.h + n.blocks * step(), norm(n.blocks), false);
    for (int64_t i = n.blocks - 1; !st && i >= 0; i--) {
      st = go(gate_back<T>, threads, i);
      if (!st) st = multiply(n.b, weight(i, FC2), size, size, n.a, true, 0);
      if (!st) st = go(activate_back<T>, threads, n.pre + i * step(), weight(i, FC1 + 1));
      if (!st) st = multiply(n.a, weight(i, FC1), size, size, n.b, true, 0);
      if (!st) st = go(normalise_back<T>, threads, n.h + i * step(), norm(i), true);
    }
    return st ? st : multiply(n.g, (const T *)w[0]->data, size, n.dim, slope, true, 0);
  }

  td_status chunk(td_tensor **out) const {
    td_status st = forward();
    if (!st && keep) {
      st = go(residual<T>, n.points, (T *)out[0]->data, (T *)out[2]->data);
      return st ? st : backward((T *)out[1]->data + n.first * n.dim);
    }
    if (!st) st = go(store_velocity<T>, n.points * n.dim, (T *)out[0]->data);
    return st || !n.tangents ? st : go(store_trace<T>, n.points, (T *)out[1]->data);
  }
};

/* ---- chunks ---- */

/* Elements for each row: those of (rows, dim), then of (rows, width). */
template <class T> static int64_t row_size(const run<T> &r) {
  int64_t layers = r.keep ? 2 * r.n.blocks + 1 + 3 : 4;
  return 2 * r.n.dim + layers * r.n.width;
}

template <class T> static void place(run<T> *r, T *room, int64_t rows) {
  net<T> *n = &r->n;
  int64_t size = rows * n->width;
  n->h = room, room += size * (r->keep ? n->blocks + 1 : 1);
  n->a = room, room += size;
  n->b = room, room += size;
  n->g = n->pre = room, room += size;
  if (r->keep) n->pre = room, room += size * n->blocks;
  n->x = room, room += rows * n->dim;
  n->out = room;
}

/* The modulation is input `at`, followed by the places; weights are from `first` on. */
template <class T> static td_status run_net(const td_call *c, run<T> r, int at, int first, td_tensor **out) {
  const td_tensor *mod = c->in[at], *places = c->in[at + 1];
  net<T> *n = &r.n;
  void *room;
  r.c = c;
  r.w = c->in + first;
  n->z = (const T *)c->in[0]->data;
  n->count = c->in[0]->shape[0];
  n->width = r.w[0]->shape[0], n->dim = r.w[0]->shape[1];
  n->blocks = (c->nin - first - 4) / 6;
  n->eps = c->attr[0].f;
  n->mod = (const T *)mod->data;
  n->rows_of_mod = mod->shape[0], n->length = mod->shape[1];
  n->place = places ? (const T *)places->data : NULL;
  if (!n->count) return TD_OK;
  n->each = n->count / (places ? places : mod)->shape[0];
  int64_t of_point = (1 + n->tangents) * row_size(r) * (int64_t)sizeof(T), points = ROOM / of_point;
  points = points < 1 ? 1 : points > n->count ? n->count : points;
  td_status st = gpu_scratch(c, (size_t)(points * of_point), &room);
  for (; !st && n->first < n->count; n->first += points) {
    n->points = n->count - n->first < points ? n->count - n->first : points;
    n->rows = n->points * (1 + n->tangents);
    place(&r, (T *)room, n->rows);
    st = r.chunk(out);
  }
  return st;
}

template <class T> static td_status run_adaln(const td_call *c, td_tensor **out) {
  run<T> r = {};
  return run_net(c, r, 1, 4, out);
}
template <class T> static td_status run_trace(const td_call *c, td_tensor **out) {
  run<T> r = {};
  r.n.noise = c->in[3] ? (const T *)c->in[3]->data : NULL;
  r.n.tangents = r.n.noise ? 1 : c->in[0]->shape[1];
  return run_net(c, r, 1, 5, out);
}
template <class T> static td_status run_residual(const td_call *c, td_tensor **out) {
  run<T> r = {};
  r.keep = true;
  r.n.u = (const T *)c->in[1]->data;
  return run_net(c, r, 2, 5, out);
}
#define KERNEL(name) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    return out[0]->dtype == TD_F64 ? run_##name<double>(c, out) : run_##name<float>(c, out); \
  }
KERNEL(adaln)
KERNEL(trace)
KERNEL(residual)

static td_status k_pack(const td_call *c, td_tensor **out) {
  gpu *g = gpu_of(c);
  size_t bytes = (size_t)(td__numel(out[0]) * gpu_size(out[0]->dtype));
  td_status st = gpu_enter(g);
  return st || !bytes ? st : gpu_check(cudaMemsetAsync(out[0]->data, 0, bytes, g->stream), c->op->name);
}

const td_kernel_entry gpu_adaln_kernels[] = {
  { "adaln", k_adaln }, { "adaln_trace", k_trace }, { "adaln_residual", k_residual },
  { "adaln_pack", k_pack }, { NULL, NULL }
};
