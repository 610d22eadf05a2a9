/* map.cu -- elementwise ops: the formulas of elementwise.def for every type, over any
** strides; choices, limits, conversions, fills, triangles. */
#include "gpu/bf16.h"

#ifdef __NVCC__
#pragma nv_diag_suppress 186   /* comparisons of u8 with its own limits are meant */
#endif

typedef td_status (*map_fn)(const td_call *c, td_tensor *out, int nin, td_tensor *const *in);

/* ---- one kernel for each formula and type ---- */

/* F has types out and in and out at(in...) */
template <class F> __global__ void map1(gpu_layout l) {
  GPU_EACH(i, l.n) {
    int64_t at[2];
    gpu_offsets(l, i, 2, at);
    *(typename F::out *)(l.t[0].p + at[0]) = F::at(gpu_read<typename F::in>(l.t[1], at[1]));
  }
}
template <class F> __global__ void map2(gpu_layout l) {
  GPU_EACH(i, l.n) {
    int64_t at[3];
    gpu_offsets(l, i, 3, at);
    *(typename F::out *)(l.t[0].p + at[0]) =
      F::at(gpu_read<typename F::in>(l.t[1], at[1]), gpu_read<typename F::in>(l.t[2], at[2]));
  }
}

template <class F> td_status run1(const td_call *c, td_tensor *out, int nin, td_tensor *const *in) {
  gpu_layout l = gpu_layout_of(out, nin, in);
  return l.n ? gpu_launch(c, map1<F>, gpu_grid(l.n), dim3(GPU_BLOCK), 0, l) : TD_OK;
}
/* Numbers beside tensors of bf16 come as f32. */
static gpu_layout layout_for(size_t size, td_tensor *out, int nin, td_tensor *const *in) {
  gpu_layout l = gpu_layout_of(out, nin, in);
  for (int i = 0; i < nin && size == sizeof(gpu_bf16); i++)
    if (in[i]->number) l.t[1 + i].bits = td__to_bf16(*(const float *)in[i]->num.b);
  return l;
}
template <class F> td_status run2(const td_call *c, td_tensor *out, int nin, td_tensor *const *in) {
  gpu_layout l = layout_for(sizeof(typename F::in), out, nin, in);
  return l.n ? gpu_launch(c, map2<F>, gpu_grid(l.n), dim3(GPU_BLOCK), 0, l) : TD_OK;
}

/* T: how an element lies in memory; BOOL: it is a truth value.  What a result is stored
** as, by the kind of the op: */
template <class T, bool BOOL, class V> __device__ static inline T keep(V v) {
  return BOOL ? (T)(v != 0) : (T)v;
}
#define OUT_F T
#define OUT_N T
#define OUT_B uint8_t
#define KEEP_F(v) (v)
#define KEEP_N(v) keep<T, BOOL>(v)
#define KEEP_B(v) (uint8_t)((v) != 0)

#define UNARY(name, kind, formula, grad, saves, lo, hi, doc) \
  template <class T, bool BOOL> struct name##_of { \
    typedef T in; \
    typedef OUT_##kind out; \
    static __device__ inline out at(T x) { \
      typedef T real; \
      (void)sizeof(real); \
      return KEEP_##kind(formula); \
    } \
  };
#define BINARY(name, kind, formula, ga, gb, sa, sb, lo, hi, doc) \
  template <class T, bool BOOL> struct name##_of { \
    typedef T in; \
    typedef OUT_##kind out; \
    static __device__ inline out at(T a, T b) { \
      typedef T real; \
      (void)sizeof(real); \
      return KEEP_##kind(formula); \
    } \
  };
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

/* A formula for bf16 computes in f32. */
template <class F> struct narrow {
  typedef gpu_bf16 in;
  typedef gpu_bf16 out;
  static __device__ inline out at(in x) { return gpu_bf16((float)F::at((float)x)); }
  static __device__ inline out at(in a, in b) { return gpu_bf16((float)F::at((float)a, (float)b)); }
};
template <class F> struct narrow_truth : narrow<F> {
  typedef uint8_t out;
  static __device__ inline out at(gpu_bf16 x) { return F::at((float)x); }
  static __device__ inline out at(gpu_bf16 a, gpu_bf16 b) { return F::at((float)a, (float)b); }
};

/* by element type, in the order of td_dtype: bool u8 i32 i64 bf16 f32 f64 */
#define TABLE_F(run, name) NULL, NULL, NULL, NULL, run<narrow<name##_of<float, false>>>, \
  run<name##_of<float, false>>, run<name##_of<double, false>>
#define TABLE_ALL(run, name, narrow) run<name##_of<uint8_t, true>>, run<name##_of<uint8_t, false>>, \
  run<name##_of<int32_t, false>>, run<name##_of<int64_t, false>>, \
  run<narrow<name##_of<float, false>>>, run<name##_of<float, false>>, run<name##_of<double, false>>
#define TABLE_N(run, name) TABLE_ALL(run, name, narrow)
#define TABLE_B(run, name) TABLE_ALL(run, name, narrow_truth)

static td_status by_type(const td_call *c, td_tensor *out, const map_fn *fns) {
  const td_tensor *x = c->in[c->nin > 1 && c->in[0]->number];
  map_fn fn = fns[x->dtype];
  return fn ? fn(c, out, c->nin, c->in) : gpu_no_type(c, x->dtype);
}

#define KERNEL(run, name, kind) \
  static td_status k_##name(const td_call *c, td_tensor **out) { \
    static const map_fn fns[TD_DTYPE_COUNT] = { TABLE_##kind(run, name) }; \
    return by_type(c, out[0], fns); \
  }
#define UNARY(name, kind, formula, grad, saves, lo, hi, doc) KERNEL(run1, name, kind)
#define BINARY(name, kind, formula, ga, gb, sa, sb, lo, hi, doc) KERNEL(run2, name, kind)
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

/* ---- integer division: a divisor of 0 is an error, found beforehand ---- */

template <class T> __global__ void find_zero(gpu_layout l, int *flag) {
  GPU_EACH(i, l.n) {
    int64_t at[2];
    gpu_offsets(l, i, 2, at);
    if (gpu_read<T>(l.t[1], at[1]) == 0) *flag = 1;
  }
}

static td_status check_divisor(const td_call *c, const td_tensor *out) {
  void (*const fns[TD_DTYPE_COUNT])(gpu_layout, int *) = {
    find_zero<uint8_t>, find_zero<uint8_t>, find_zero<int32_t>, find_zero<int64_t> };
  gpu_layout l = gpu_layout_of(out, 1, &c->in[1]);
  int *flag, hit = 0;
  if (!fns[c->in[1]->dtype] || !l.n) return TD_OK;
  td_status st = gpu_flag_clear(gpu_of(c), &flag);
  if (!st) st = gpu_launch(c, fns[c->in[1]->dtype], gpu_grid(l.n), dim3(GPU_BLOCK), 0, l, flag);
  if (!st) st = gpu_flag_read(gpu_of(c), &hit);
  if (!st && hit)
    st = gpu_fail(TD_EARG, "%s: an integer is divided by 0; convert to f32 for inf or NaN", c->op->name);
  return st;
}
static td_status k_remainder_checked(const td_call *c, td_tensor **out) {
  td_status st = check_divisor(c, out[0]);
  return st ? st : k_remainder(c, out);
}
static td_status k_floor_divide_checked(const td_call *c, td_tensor **out) {
  td_status st = check_divisor(c, out[0]);
  return st ? st : k_floor_divide(c, out);
}

/* ---- where, clamp ---- */

template <class T> __global__ void choose(gpu_layout l) {
  GPU_EACH(i, l.n) {
    int64_t at[4];
    gpu_offsets(l, i, 4, at);
    bool first = gpu_read<uint8_t>(l.t[1], at[1]) != 0;
    *(T *)(l.t[0].p + at[0]) = first ? gpu_read<T>(l.t[2], at[2]) : gpu_read<T>(l.t[3], at[3]);
  }
}

static td_status k_where(const td_call *c, td_tensor **out) {
  gpu_layout l = layout_for((size_t)gpu_size(out[0]->dtype), out[0], 3, c->in);
  if (!l.n) return TD_OK;
  void (*const fns[])(gpu_layout) = { choose<uint8_t>, choose<uint8_t>, choose<uint32_t>,
    choose<uint64_t>, choose<uint16_t>, choose<uint32_t>, choose<uint64_t> };
  return gpu_launch(c, fns[out[0]->dtype], gpu_grid(l.n), dim3(GPU_BLOCK), 0, l);
}

template <class T> __global__ void limit(gpu_layout l, T low, T high) {
  GPU_EACH(i, l.n) {
    int64_t at[2];
    gpu_offsets(l, i, 2, at);
    T x = gpu_read<T>(l.t[1], at[1]);
    x = x < low ? low : x;
    *(T *)(l.t[0].p + at[0]) = x > high ? high : x;
  }
}

/* Integers are limited to the integers within [min, max]. */
static td_status k_clamp(const td_call *c, td_tensor **out) {
  gpu_layout l = gpu_layout_of(out[0], 1, c->in);
  double low = c->attr[0].f, high = c->attr[1].f;
  if (!l.n) return TD_OK;
#define CLAMP(id, T, name, low, high) case id: \
    return gpu_launch(c, limit<T>, gpu_grid(l.n), dim3(GPU_BLOCK), 0, l, \
                      td__set_##name(low), td__set_##name(high));
  switch (out[0]->dtype) {
    CLAMP(TD_BOOL, uint8_t, b8, ceil(low), floor(high))
    CLAMP(TD_U8, uint8_t, u8, ceil(low), floor(high))
    CLAMP(TD_I32, int32_t, i32, ceil(low), floor(high))
    CLAMP(TD_I64, int64_t, i64, ceil(low), floor(high))
    CLAMP(TD_F32, float, f32, low, high)
    CLAMP(TD_F64, double, f64, low, high)
    default: return gpu_no_type(c, out[0]->dtype);
  }
}

/* ---- conversions ---- */

#define TYPES(X, ...) X(b8, __VA_ARGS__) X(u8, __VA_ARGS__) X(i32, __VA_ARGS__) \
  X(i64, __VA_ARGS__) X(bf16, __VA_ARGS__) X(f32, __VA_ARGS__) X(f64, __VA_ARGS__)
#define CONVERT(S, T) \
  struct S##_to_##T { \
    typedef td_c_##S in; \
    typedef td_c_##T out; \
    static __device__ inline out at(in x) { return td__set_##T(td__get_##S(x)); } \
  };
#define CONVERT_FROM(T, dummy) CONVERT(b8, T) CONVERT(u8, T) CONVERT(i32, T) CONVERT(i64, T) \
  CONVERT(bf16, T) CONVERT(f32, T) CONVERT(f64, T)
TYPES(CONVERT_FROM, 0)
#define ROW(T, dummy) { run1<b8_to_##T>, run1<u8_to_##T>, run1<i32_to_##T>, run1<i64_to_##T>, \
  run1<bf16_to_##T>, run1<f32_to_##T>, run1<f64_to_##T> },
static const map_fn conversions[TD_DTYPE_COUNT][TD_DTYPE_COUNT] = { TYPES(ROW, 0) };

static td_status convert(const td_call *c, td_tensor *out, td_tensor *x) {
  return conversions[out->dtype][x->dtype](c, out, 1, &x);
}
static td_status k_convert(const td_call *c, td_tensor **out) {
  return convert(c, out[0], c->in[0]);
}
static td_status k_copy(const td_call *c, td_tensor **out) {
  return convert(c, out[0], c->in[1]);
}

/* ---- fill, ramp, triangles: by the place of the element ---- */

template <class T> __global__ void fill(gpu_layout l, T value) {
  GPU_EACH(i, l.n) {
    int64_t at;
    gpu_offsets(l, i, 1, &at);
    *(T *)(l.t[0].p + at) = value;
  }
}
static td_status k_fill(const td_call *c, td_tensor **out) {
  gpu_layout l = gpu_layout_of(out[0], 0, NULL);
  double v = c->attr[0].f;
  if (!l.n) return TD_OK;
  switch (out[0]->dtype) {
#define FILL(T, id) case id: \
    return gpu_launch(c, fill<td_c_##T>, gpu_grid(l.n), dim3(GPU_BLOCK), 0, l, td__set_##T(v));
    FILL(b8, TD_BOOL) FILL(u8, TD_U8) FILL(i32, TD_I32) FILL(i64, TD_I64)
    FILL(bf16, TD_BF16) FILL(f32, TD_F32) FILL(f64, TD_F64)
    default: return TD_OK;
  }
}

#define RAMP(T, dummy) \
  static __global__ void ramp_##T(gpu_layout l, double start, double step) { \
    GPU_EACH(i, l.n) { \
      int64_t at; \
      gpu_offsets(l, i, 1, &at); \
      *(td_c_##T *)(l.t[0].p + at) = td__set_##T(start + step * (double)i); \
    } \
  }
TYPES(RAMP, 0)
static td_status k_ramp(const td_call *c, td_tensor **out) {
  gpu_layout l = gpu_layout_of(out[0], 0, NULL);
#define ENTRY(T, dummy) ramp_##T,
  void (*const fns[])(gpu_layout, double, double) = { TYPES(ENTRY, 0) };
  return l.n ? gpu_launch(c, fns[out[0]->dtype], gpu_grid(l.n), dim3(GPU_BLOCK), 0, l,
                          c->attr[0].f, c->attr[1].f) : TD_OK;
}

/* The result is contiguous; rows and columns are those of its last two dims. */
template <class T> __global__ void triangle(gpu_layout l, int64_t rows, int64_t cols,
                                            int64_t diagonal, bool lower) {
  GPU_EACH(i, l.n) {
    int64_t at[2], above = i % cols - (i / cols % rows + diagonal);
    gpu_offsets(l, i, 2, at);
    bool kept = lower ? above <= 0 : above >= 0;
    *(T *)(l.t[0].p + at[0]) = kept ? gpu_read<T>(l.t[1], at[1]) : (T)0;
  }
}
static td_status k_triangle(const td_call *c, td_tensor **out) {
  const td_tensor *y = out[0];
  gpu_layout l = gpu_layout_of(y, 1, c->in);
  if (!l.n) return TD_OK;
  int64_t cols = y->shape[y->ndim - 1], rows = y->shape[y->ndim - 2], d = c->attr[0].i;
  d = d < -rows ? -rows : d > cols ? cols : d;
  void (*const fns[])(gpu_layout, int64_t, int64_t, int64_t, bool) = {
    triangle<uint8_t>, triangle<uint8_t>, triangle<uint32_t>, triangle<uint64_t>,
    triangle<uint16_t>, triangle<uint32_t>, triangle<uint64_t> };
  return gpu_launch(c, fns[y->dtype], gpu_grid(l.n), dim3(GPU_BLOCK), 0, l, rows, cols, d,
                    c->op->name[3] == 'l');
}

/* ---- the list; of two entries with one name the later counts ---- */

const char *const gpu_bf16_ops[] = {
#define UNARY(name, kind, formula, grad, saves, lo, hi, doc) #name,
#define BINARY(name, kind, formula, ga, gb, sa, sb, lo, hi, doc) #name,
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY
  "where", "mm", "bmm", "linear", "linear_grad", NULL
};

const td_kernel_entry gpu_map_kernels[] = {
#define UNARY(name, kind, formula, grad, saves, lo, hi, doc) { #name, k_##name },
#define BINARY(name, kind, formula, ga, gb, sa, sb, lo, hi, doc) { #name, k_##name },
#include "tensor/elementwise.def"
  { "remainder", k_remainder_checked }, { "floor_divide", k_floor_divide_checked },
  { "where", k_where }, { "clamp", k_clamp }, { "copy", k_copy }, { "cast", k_convert },
  { "clone", k_convert }, { "fill", k_fill }, { "ramp", k_ramp }, { "tril", k_triangle },
  { "triu", k_triangle }, { NULL, NULL }
};
