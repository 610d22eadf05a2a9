/* random.cu -- random draws: the numbers of the CPU, bit by bit.  Compiled without
** contraction of multiply and add. */
#include "gpu/gpu.h"
#include "tensor/convert.h"
#include "tensor/philox.h"

/* D: type T, PER elements from the four words of one counter: make(words, two numbers, y) */
template <class D> __global__ void draw(gpu_layout l, td_rng rng, const td_rng *from, td_attr a,
                                        td_attr b) {
  if (from) {
    rng.seed = from->seed;
    rng.offset += from->offset;
  }
  GPU_EACH(k, (l.n + D::PER - 1) / D::PER) {
    uint32_t w[4];
    typename D::T y[4];
    td_philox(rng.seed, rng.offset + (uint64_t)k, w);
    D::make(w, a, b, y);
    for (int j = 0; j < D::PER && k * D::PER + j < l.n; j++) {
      int64_t at;
      gpu_offsets(l, k * D::PER + j, 1, &at);
      *(typename D::T *)(l.t[0].p + at) = y[j];
    }
  }
}

/* The draw goes through the elements in the order of their indices, so neighbouring dims
** may be joined but never exchanged. */
template <class D> td_status run(const td_call *c, td_tensor *out) {
  gpu_layout l = gpu_layout_of(out, 0, NULL);
  return l.n ? gpu_launch(c, draw<D>, gpu_grid((l.n + D::PER - 1) / D::PER), dim3(GPU_BLOCK), 0, l,
                          c->rng, gpu_graph_from(gpu_of(c)), c->attr[0], c->attr[1]) : TD_OK;
}
typedef td_status (*draw_fn)(const td_call *, td_tensor *);

static td_status by_type(const td_call *c, td_tensor *out, const draw_fn *fns) {
  draw_fn fn = fns[out->dtype];
  return fn ? fn(c, out) : gpu_no_type(c, out->dtype);
}

#define DRAW(name, type, per) \
  struct name { \
    typedef type T; \
    static const int PER = per; \
    static __device__ inline void make(const uint32_t *w, td_attr a, td_attr b, T *y); \
  }; \
  __device__ inline void name::make(const uint32_t *w, td_attr a, td_attr b, T *y)

/* ---- uniform: high itself, reached by rounding only, is stepped back from ---- */

DRAW(uniform_f32, float, 4) {
  float low = (float)a.f, high = (float)b.f, span = (float)(b.f - a.f);
  for (int k = 0; k < 4; k++) {
    float v = low + span * td_uniform_f32(w[k]);
    y[k] = v < high ? v : nextafterf(high, low);
  }
}
DRAW(uniform_f64, double, 2) {
  double span = b.f - a.f;
  for (int k = 0; k < 2; k++) {
    double v = a.f + span * td_uniform_f64(w[2 * k], w[2 * k + 1]);
    y[k] = v < b.f ? v : nextafter(b.f, a.f);
  }
}

DRAW(normal_f32, float, 4) {
  float mean = (float)a.f, std = (float)b.f;
  td_normal_f32(w[0], w[1], &y[0], &y[1]);
  td_normal_f32(w[2], w[3], &y[2], &y[3]);
  for (int k = 0; k < 4; k++) y[k] = mean + std * y[k];
}
DRAW(normal_f64, double, 2) {
  td_normal_f64(w, &y[0], &y[1]);
  for (int k = 0; k < 2; k++) y[k] = a.f + b.f * y[k];
}

/* ---- bernoulli, integers ---- */

#define BERNOULLI4(id) DRAW(bernoulli_##id, td_c_##id, 4) { \
  (void)b; \
  for (int k = 0; k < 4; k++) y[k] = (T)(td_uniform_f32(w[k]) < a.f); \
}
#define BERNOULLI2(id) DRAW(bernoulli_##id, td_c_##id, 2) { \
  (void)b; \
  for (int k = 0; k < 2; k++) y[k] = (T)(td_uniform_f64(w[2 * k], w[2 * k + 1]) < a.f); \
}
#define RANGE ((uint64_t)b.i - (uint64_t)a.i + 1)
#define INTEGERS4(id) DRAW(integers_##id, td_c_##id, 4) { \
  for (int k = 0; k < 4; k++) y[k] = td__set_##id(td_integer((uint64_t)w[k] << 32, a.i, RANGE)); \
}
#define INTEGERS2(id) DRAW(integers_##id, td_c_##id, 2) { \
  for (int k = 0; k < 2; k++) \
    y[k] = td__set_##id(td_integer((uint64_t)w[2 * k] << 32 | w[2 * k + 1], a.i, RANGE)); \
}
#define EACH(X2, X4) X4(b8) X4(u8) X4(i32) X2(i64) X4(f32) X2(f64)
EACH(BERNOULLI2, BERNOULLI4)
EACH(INTEGERS2, INTEGERS4)

#define KERNEL(name, ...) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    static const draw_fn fns[TD_DTYPE_COUNT] = { __VA_ARGS__ }; \
    return by_type(c, out[0], fns); \
  }
#define FLOATS(name) NULL, NULL, NULL, NULL, NULL, run<name##_f32>, run<name##_f64>
#define ALL(name) run<name##_b8>, run<name##_u8>, run<name##_i32>, run<name##_i64>, NULL, \
  run<name##_f32>, run<name##_f64>
KERNEL(uniform, FLOATS(uniform))
KERNEL(normal, FLOATS(normal))
KERNEL(bernoulli, ALL(bernoulli))
KERNEL(integers, ALL(integers))

const td_kernel_entry gpu_random_kernels[] = {
  { "uniform", k_uniform }, { "normal", k_normal }, { "bernoulli", k_bernoulli },
  { "integers", k_integers }, { NULL, NULL }
};
