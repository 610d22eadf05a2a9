/* update.cu -- optimiser steps and norms over lists of tensors: up to BATCH of them in one
** launch, a block for each CHUNK elements.  Tensors that are views, of mixed types or bf16 go
** one by one, element by element in f64, as on the CPU. */
#include "gpu/bf16.h"
#include "gpu/block.h"

enum { BATCH = 80, LISTS = 4, CHUNK = 4096 };

/* Contiguous tensors of f32 or of f64. */
struct gpu_batch {
  char *p[BATCH][LISTS];
  int64_t n[BATCH];
  int first[BATCH + 1];        /* number of the first chunk of each */
  int count;
};

/* One tensor of each list, as it lies. */
struct gpu_loose { gpu_layout l; int type[LISTS], lists, chunks; };

enum rule { ADAM, SGD, MOMENTUM, EMA, SCALE };
struct gpu_update {
  enum rule rule;
  bool decoupled, nesterov;
  double beta1, beta2, eps, decay, momentum;
  gpu_view rate;               /* learning rate, EMA's decay, scale's factor */
  int rate_type;
  const int64_t *step;         /* Adam: steps done before this one */
};

static_assert(sizeof(gpu_batch) + sizeof(gpu_update) + sizeof(int) <= 4096, "what a launch can carry");

__device__ static double load(const gpu_view &v, int64_t at, int type) {
  switch (type) {
    case TD_F32: return gpu_read<float>(v, at);
    case TD_F64: return gpu_read<double>(v, at);
    case TD_BF16: return (double)(float)gpu_read<gpu_bf16>(v, at);
    case TD_I64: return (double)gpu_read<int64_t>(v, at);
    case TD_I32: return (double)gpu_read<int32_t>(v, at);
    default: return (double)gpu_read<uint8_t>(v, at);
  }
}
__device__ static void store(const gpu_view &v, int64_t at, int type, double x) {
  if (type == TD_F64) *(double *)(v.p + at) = x;
  else if (type == TD_F32) *(float *)(v.p + at) = (float)x;
  else *(gpu_bf16 *)(v.p + at) = (gpu_bf16)(float)x;
}

/* Numbers that hold for all elements of a step. */
struct factors { double lr, size, root, shrink; };

__device__ static factors factors_of(const gpu_update &u) {
  factors f;
  f.lr = load(u.rate, 0, u.rate_type);
  f.size = f.root = f.shrink = 1;
  if (u.rule == ADAM) {
    double t = (double)(*u.step + 1);
    f.size = f.lr / (1 - pow(u.beta1, t));
    f.root = 1 / sqrt(1 - pow(u.beta2, t));
    if (u.decoupled) f.shrink = 1 - f.lr * u.decay;
  }
  return f;
}

template <class T> __device__ static void step_one(const gpu_update &u, const factors &f, T *const *v,
                                                   int64_t i) {
  T decay = u.decoupled ? (T)0 : (T)u.decay;
  switch (u.rule) {
    case ADAM: {
      T g = v[1][i] + decay * v[0][i];
      T m = v[2][i] + (T)(1 - u.beta1) * (g - v[2][i]);
      T s = (T)u.beta2 * v[3][i] + (T)(1 - u.beta2) * g * g;
      v[2][i] = m;
      v[3][i] = s;
      v[0][i] = (T)f.shrink * v[0][i] - (T)f.size * m / ((T)sqrt(s) * (T)f.root + (T)u.eps);
      break;
    }
    case SGD:
      v[0][i] -= (T)f.lr * (v[1][i] + decay * v[0][i]);
      break;
    case MOMENTUM: {
      T g = v[1][i] + decay * v[0][i], keep = (T)u.momentum;
      T w = keep * v[2][i] + g;
      v[2][i] = w;
      v[0][i] -= (T)f.lr * (u.nesterov ? g + keep * w : w);
      break;
    }
    case EMA: v[0][i] += (T)(1 - f.lr) * (v[1][i] - v[0][i]); break;
    case SCALE: v[0][i] *= (T)f.lr;
  }
}

/* Lists that a rule changes. */
__device__ static bool written(enum rule r, int list) {
  return list == 0 || (r == ADAM && list > 1) || (r == MOMENTUM && list == 2);
}

/* Elements that are moved as one. */
template <class T> struct alignas(16) pack { enum { N = 16 / sizeof(T) }; T x[N]; };

template <class T>
__device__ static void step_pack(const gpu_update &u, const factors &f, int lists, T *const *v, int64_t i) {
  pack<T> here[LISTS];
  T *own[LISTS];
  for (int l = 0; l < LISTS; l++) {
    own[l] = here[l].x;
    if (l < lists) here[l] = *(const pack<T> *)(v[l] + i);
  }
  for (int j = 0; j < pack<T>::N; j++) step_one(u, f, own, j);
  for (int l = 0; l < LISTS; l++)
    if (l < lists && written(u.rule, l)) *(pack<T> *)(v[l] + i) = here[l];
}

template <class T> __global__ void update(gpu_batch b, gpu_update u, int lists) {
  TD_SHARED(factors, f, 1);
  const int N = pack<T>::N;
  int k = 0;
  while (b.first[k + 1] <= (int)blockIdx.x) k++;
  int64_t begin = (int64_t)((int)blockIdx.x - b.first[k]) * CHUNK;
  int64_t end = begin + CHUNK < b.n[k] ? begin + CHUNK : b.n[k];
  T *v[LISTS];
  uintptr_t low = 0;
  for (int l = 0; l < LISTS; l++) low |= (uintptr_t)(v[l] = (T *)b.p[k][l]);
  int64_t packed = low % sizeof(pack<T>) ? begin : end - (end - begin) % N;
  if (threadIdx.x == 0) *f = factors_of(u);
  __syncthreads();
  for (int64_t i = begin + (int64_t)threadIdx.x * N; i < packed; i += GPU_BLOCK * N)
    step_pack(u, *f, lists, v, i);
  for (int64_t i = packed + threadIdx.x; i < end; i += GPU_BLOCK) step_one(u, *f, v, i);
}

static __global__ void update_loose(gpu_loose s, gpu_update u) {
  factors f = factors_of(u);
  GPU_EACH(i, s.l.n) {
    int64_t at[LISTS];
    double x[LISTS], *v[LISTS];
    gpu_offsets(s.l, i, s.lists, at);
    for (int k = 0; k < LISTS; k++) {
      x[k] = k < s.lists ? load(s.l.t[k], at[k], s.type[k]) : 0;
      v[k] = x + k;
    }
    step_one<double>(u, f, v, 0);
    for (int k = 0; k < s.lists; k++)
      if (written(u.rule, k)) store(s.l.t[k], at[k], s.type[k], x[k]);
  }
}

static __global__ void count_up(int64_t *step) { ++*step; }

/* ---- lists ---- */

static int chunks_of(int64_t n) { return (int)((n + CHUNK - 1) / CHUNK); }

/* Does tensor `at` of each of the lists lie as kernels of batches want it? */
static bool plain(const td_call *c, int lists, int64_t n, int64_t at) {
  int type = c->in[at]->dtype;
  bool same = type == TD_F32 || type == TD_F64;
  for (int l = 0; l < lists; l++) {
    const td_tensor *t = c->in[l * n + at];
    same &= t->dtype == type && gpu_contiguous(t);
  }
  return same;
}
static gpu_loose loose(const td_call *c, int lists, int64_t n, int64_t at) {
  gpu_loose s = {};
  td_tensor *in[LISTS];
  s.lists = lists;
  for (int l = 0; l < lists; l++) s.type[l] = (in[l] = c->in[l * n + at])->dtype;
  s.l = gpu_layout_of(in[0], lists - 1, in + 1);
  s.chunks = chunks_of(s.l.n);
  return s;
}

/* Launches f on batches of the tensors [0, n) of `lists` lists, and g on each of the others. */
template <class F, class G> static td_status each_batch(const td_call *c, int lists, int64_t n, F f, G g) {
  td_status st = TD_OK;
  for (int64_t at = 0; !st && at < n; ) {
    gpu_batch b = {};
    td_dtype type = TD_F32;
    for (; !st && at < n && b.count < BATCH; at++) {
      int64_t size = td__numel(c->in[at]);
      if (!size) continue;
      if (!plain(c, lists, n, at)) {
        st = g(loose(c, lists, n, at));
        continue;
      }
      if (b.count && c->in[at]->dtype != type) break;
      type = (td_dtype)c->in[at]->dtype;
      for (int l = 0; l < lists; l++) b.p[b.count][l] = c->in[l * n + at]->data;
      b.n[b.count] = size;
      b.first[b.count + 1] = b.first[b.count] + chunks_of(size);
      b.count++;
    }
    for (int k = b.count; k < BATCH; k++) b.first[k + 1] = b.first[b.count];
    if (!st && b.count) st = f(b, type, dim3((unsigned)b.first[b.count]));
  }
  return st;
}

static td_status run(const td_call *c, gpu_update u, int lists, int singles) {
  const td_tensor *rate = c->in[c->nin - 1];
  u.rate = gpu_layout_of(rate, 1, (td_tensor *const *)&rate).t[1];
  u.rate_type = rate->dtype;
  return each_batch(c, lists, (c->nin - singles) / lists, [&](gpu_batch b, td_dtype type, dim3 grid) {
    return type == TD_F64 ? gpu_launch(c, update<double>, grid, dim3(GPU_BLOCK), 0, b, u, lists) :
                            gpu_launch(c, update<float>, grid, dim3(GPU_BLOCK), 0, b, u, lists);
  }, [&](gpu_loose s) {
    return gpu_launch(c, update_loose, gpu_grid(s.l.n), dim3(GPU_BLOCK), 0, s, u);
  });
}

static td_status adam(const td_call *c, bool decoupled) {
  gpu_update u = {};
  u.rule = ADAM;
  u.decoupled = decoupled;
  u.beta1 = c->attr[0].f, u.beta2 = c->attr[1].f, u.eps = c->attr[2].f, u.decay = c->attr[3].f;
  int64_t *step = (int64_t *)c->in[c->nin - 2]->data;
  u.step = step;
  td_status st = run(c, u, 4, 2);
  return st ? st : gpu_launch(c, count_up, dim3(1), dim3(1), 0, step);
}
static td_status k_adam(const td_call *c, td_tensor **) { return adam(c, false); }
static td_status k_adamw(const td_call *c, td_tensor **) { return adam(c, true); }
static td_status k_sgd(const td_call *c, td_tensor **) {
  gpu_update u = {};
  u.rule = SGD;
  u.decay = c->attr[0].f;
  return run(c, u, 2, 1);
}
static td_status k_momentum(const td_call *c, td_tensor **) {
  gpu_update u = {};
  u.rule = MOMENTUM;
  u.momentum = c->attr[0].f, u.decay = c->attr[1].f, u.nesterov = c->attr[2].i != 0;
  return run(c, u, 3, 1);
}
static td_status k_ema(const td_call *c, td_tensor **) {
  gpu_update u = {};
  u.rule = EMA;
  return run(c, u, 2, 1);
}
static td_status k_scale(const td_call *c, td_tensor **) {
  gpu_update u = {};
  u.rule = SCALE;
  return run(c, u, 1, 1);
}

/* ---- grad_norm: the sum of squares of each chunk, then of these ---- */

template <class T> __global__ void squares(gpu_batch b, double *sums) {
  TD_SHARED(double, part, 32);
  int k = 0;
  while (b.first[k + 1] <= (int)blockIdx.x) k++;
  int64_t begin = (int64_t)((int)blockIdx.x - b.first[k]) * CHUNK;
  int64_t end = begin + CHUNK < b.n[k] ? begin + CHUNK : b.n[k];
  double s = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += GPU_BLOCK) {
    double x = (double)((const T *)b.p[k][0])[i];
    s += x * x;
  }
  s = gpu_block_sum(s, part);
  if (threadIdx.x == 0) sums[blockIdx.x] = s;
}
static __global__ void squares_loose(gpu_loose t, double *sums) {
  TD_SHARED(double, part, 32);
  int64_t begin = (int64_t)blockIdx.x * CHUNK, end = begin + CHUNK < t.l.n ? begin + CHUNK : t.l.n;
  double s = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += GPU_BLOCK) {
    int64_t at;
    gpu_offsets(t.l, i, 1, &at);
    double x = load(t.l.t[0], at, t.type[0]);
    s += x * x;
  }
  s = gpu_block_sum(s, part);
  if (threadIdx.x == 0) sums[blockIdx.x] = s;
}
template <class T> __global__ void root(const double *sums, int64_t n, void *y) {
  TD_SHARED(double, part, 32);
  double s = 0;
  for (int64_t i = threadIdx.x; i < n; i += GPU_BLOCK) s += sums[i];
  s = gpu_block_sum(s, part);
  if (threadIdx.x == 0) *(T *)y = (T)sqrt(s);
}

static td_status k_grad_norm(const td_call *c, td_tensor **out) {
  int64_t chunks = 0, done = 0;
  void *sums = NULL;
  for (int i = 0; i < c->nin; i++) chunks += chunks_of(td__numel(c->in[i]));
  td_status st = gpu_scratch(c, sizeof(double) * (size_t)(chunks + 1), &sums);
  if (!st)
    st = each_batch(c, 1, c->nin, [&](gpu_batch b, td_dtype type, dim3 grid) {
      double *at = (double *)sums + done;
      done += grid.x;
      return type == TD_F64 ? gpu_launch(c, squares<double>, grid, dim3(GPU_BLOCK), 0, b, at) :
                              gpu_launch(c, squares<float>, grid, dim3(GPU_BLOCK), 0, b, at);
    }, [&](gpu_loose s) {
      double *at = (double *)sums + done;
      done += s.chunks;
      return gpu_launch(c, squares_loose, dim3((unsigned)s.chunks), dim3(GPU_BLOCK), 0, s, at);
    });
  if (st) return st;
  void (*const last)(const double *, int64_t, void *) = out[0]->dtype == TD_F64 ? root<double> :
    out[0]->dtype == TD_BF16 ? root<gpu_bf16> : root<float>;
  return gpu_launch(c, last, dim3(1), dim3(GPU_BLOCK), 0, (const double *)sums, chunks,
                    (void *)out[0]->data);
}

const td_kernel_entry gpu_update_kernels[] = {
  { "adam_", k_adam }, { "adamw_", k_adamw }, { "sgd_", k_sgd }, { "momentum_", k_momentum },
  { "ema_", k_ema }, { "scale_", k_scale }, { "grad_norm", k_grad_norm }, { NULL, NULL }
};
