/* gpu.h -- what the files of the CUDA backend share: the device, launches, layouts.
**
** The same sources build in two ways: nvcc makes libtide_cuda.so; a C++ compiler, with
** tests/emulation/ in place of CUDA's headers, makes a plug-in whose kernels run on the
** host, for the tests.  TD_SHARED(type, name, n) declares shared memory in both. */
#ifndef TD_GPU_H
#define TD_GPU_H
#include <cuda_runtime.h>
#ifndef TD_EMULATION
#define TD_SHARED(type, name, n) __shared__ type name[n]
#endif
extern "C" {
#include "tensor/op.h"
}

/* ---- devices ---- */

/* What calls that run at the same time must not share. */
struct gpu_lane {
  cudaStream_t stream;         /* its calls run on it, in order */
  void *blas;                  /* the cuBLAS handle, made when it is first needed */
  void *scratch;
  size_t scratch_size;
};

struct gpu_staging;

/* A device is the lane that calls go to: its own, and while a graph is made (graph.cu) one
** of the graph's. */
struct gpu : gpu_lane {
  td_backend be;
  int id;                      /* CUDA's number */
  bool ready;                  /* stream and flags made; done at the first use */
  int *flag;                   /* of the running op; then of the steps that are graphs */
  cudaMemPool_t pool;
  gpu_staging *staging;        /* pinned memory (copy.cu) */
  gpu_lane branch[TD_LANES];   /* where graphs are made */
  td_graph *making;            /* the one that is being made, or null */
  cudaEvent_t timer[2];        /* made when a time is first asked for */
  bool flagged;                /* a graph uses its flag */
  char name[16], text[160];
};

static inline gpu *gpu_of(const td_call *c) { return (gpu *)c->be->self; }

/* The host's td_fail. */
extern td_status (*gpu_fail)(td_status code, const char *fmt, ...);
/* Runs a call on the CPU, through copies of its inputs and results. */
extern td_status (*gpu_on_cpu)(const td_call *c, td_tensor **out);
/* The host's choice: products of f32 by tensor cores that round their inputs to TF32. */
extern const bool *gpu_tf32;

/* Makes this device current, and ready at its first use. */
td_status gpu_enter(gpu *g);
/* TD_OK, or the failure of `what` in the words of the CUDA runtime. */
td_status gpu_check(cudaError_t e, const char *what);
/* After a launch: errors of the launch itself; with TIDE_SYNC=1 it waits for the kernel,
** so that an error names the op that caused it. */
td_status gpu_launched(gpu *g, cudaError_t e, const char *op);

/* A word on the device that kernels set to tell the host something: set to 0, and read
** back after all work before it.  In a graph it reads as 0, and a kernel that sets it makes
** the next copy to the host fail: what follows in the step must bear what was found. */
td_status gpu_flag_clear(gpu *g, int **flag);
td_status gpu_flag_read(gpu *g, int *value);
/* TD_OK, or the failure of a step that is a graph, found after the work was waited for. */
td_status gpu_flag_check(gpu *g);
/* Memory of the device for one op to work with; the next op gets the same. */
td_status gpu_scratch(const td_call *c, size_t bytes, void **p);
/* Seconds between two events; waits for the second. */
td_status gpu_elapsed(const cudaEvent_t *between, double *seconds);
/* With TIDE_SYNC=1 each launch is waited for. */
bool gpu_waits();

/* ---- steps as graphs (gpu/graph.cu) ---- */
td_status gpu_graph_make(td_backend *b, const td_graph_plan *plan, td_graph **graph, int *nodes);
td_status gpu_graph_launch(td_backend *b, td_graph *graph, const td_graph_turn *turn);
double gpu_graph_seconds(td_backend *b, td_graph *graph);
void gpu_graph_free(td_backend *b, td_graph *graph);
/* Where the random stream stands when a graph is launched, to which positions in its calls
** are relative; null outside of graphs. */
const td_rng *gpu_graph_from(const gpu *g);
td_status gpu_graph_scratch(gpu *g, size_t bytes, void **p);

/* ---- copies (gpu/copy.cu) ---- */
td_status gpu_copy_in(td_backend *b, void *dst, const void *src, size_t n);
td_status gpu_copy_out(td_backend *b, void *dst, const void *src, size_t n);
td_status gpu_fetch_begin(td_backend *b, const void *src, size_t n, void **fetch);
bool gpu_fetch_done(td_backend *b, void *fetch);
td_status gpu_fetch_end(td_backend *b, void *fetch, void *dst);

/* ---- launches ---- */

template <class T> struct gpu_same { typedef T type; };

/* Runs kernel(args...) on the stream of the device; errors name `op`. */
template <class... P>
td_status gpu_start(gpu *g, const char *op, void (*kernel)(P...), dim3 grid, dim3 block,
                    size_t shared, typename gpu_same<P>::type... args) {
  td_status st = gpu_enter(g);
  if (st) return st;
#ifdef TD_EMULATION
  cudaError_t e = emulate(kernel, grid, block, shared, g->stream, args...);
#else
  void *list[] = { (void *)&args..., nullptr };
  cudaError_t e = cudaLaunchKernel((const void *)kernel, grid, block, list, shared, g->stream);
#endif
  return gpu_launched(g, e, op);
}
template <class... P>
td_status gpu_launch(const td_call *c, void (*kernel)(P...), dim3 grid, dim3 block,
                     size_t shared, typename gpu_same<P>::type... args) {
  return gpu_start(gpu_of(c), c->op->name, kernel, grid, block, shared, args...);
}

const int GPU_BLOCK = 256;
const int64_t GPU_GRID_MOST = 1 << 16;

/* A block for each of n items, or, where there are too many, for every so many of them. */
static inline dim3 gpu_blocks(int64_t n) {
  return dim3((unsigned)(n < GPU_GRID_MOST ? n : GPU_GRID_MOST));
}
/* Blocks of GPU_BLOCK threads for n items, which kernels visit with GPU_EACH. */
static inline dim3 gpu_grid(int64_t n) { return gpu_blocks((n + GPU_BLOCK - 1) / GPU_BLOCK); }
#define GPU_EACH(i, n) \
  for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < (n); \
       i += (int64_t)gridDim.x * blockDim.x)

/* ---- layouts ---- */

static inline int64_t gpu_size(int dtype) {              /* bytes of an element */
  return dtype <= TD_U8 ? 1 : dtype == TD_BF16 ? 2 : dtype == TD_I32 || dtype == TD_F32 ? 4 : 8;
}
static inline bool gpu_contiguous(const td_tensor *t) {
  int64_t n = 1;
  for (int d = t->ndim - 1; d >= 0; n *= t->shape[d--])
    if (t->shape[d] != 1 && t->stride[d] != n) return false;
  return true;
}
/* The failure of an op that has no kernel for a type. */
td_status gpu_no_type(const td_call *c, int dtype);

/* A tensor of any strides, or a number (p is null). */
struct gpu_view {
  char *p;
  int64_t stride[TD_MAXDIM];   /* bytes */
  int64_t bits;                /* the number, in its type */
};

/* Operands that are walked together: t[0] is the result. */
enum { GPU_OPERANDS = 5 };
struct gpu_layout {
  int ndim;
  int64_t n;
  int64_t shape[TD_MAXDIM];
  gpu_view t[GPU_OPERANDS];
};

/* The result and the inputs broadcast to it; neighbouring dims that lie in one piece
** everywhere are joined. */
gpu_layout gpu_layout_of(const td_tensor *out, int nin, td_tensor *const *in);

/* Byte offsets of element i of the walk in the first k operands. */
__device__ static inline void gpu_offsets(const gpu_layout &l, int64_t i, int k, int64_t *at) {
  for (int o = 0; o < k; o++) at[o] = 0;
  for (int d = l.ndim - 1; d >= 0; d--) {
    int64_t rest = d ? i / l.shape[d] : 0, r = i - rest * l.shape[d];
    for (int o = 0; o < k; o++) at[o] += r * l.t[o].stride[d];
    i = rest;
  }
}

template <class T> __device__ static inline T gpu_read(const gpu_view &v, int64_t at) {
  if (v.p) return *(const T *)(v.p + at);
  T x;
  memcpy(&x, &v.bits, sizeof x);
  return x;
}

/* ---- products (gpu/blas.cu) ---- */

/* Makes what products of the device need that cannot be made inside a graph. */
td_status gpu_blas_ready(gpu *g);

/* c (b,m,n), contiguous, = a (b,m,k) b (b,k,n) + beta c; strides in elements. */
struct gpu_product {
  int64_t count, m, n, k;
  const char *a, *b;
  char *c;
  int64_t ab, ai, ak, bb, bk, bj;
  double beta;
  bool exact;                  /* never rounded to TF32 */
};
td_status gpu_multiply(const td_call *c, gpu_product p, int dtype);

/* ---- lists of kernels, one for each file ---- */
extern const char *const gpu_bf16_ops[];        /* whose kernels take bf16 */
extern const td_kernel_entry gpu_map_kernels[], gpu_reduce_kernels[], gpu_random_kernels[],
  gpu_nn_kernels[], gpu_update_kernels[], gpu_blas_kernels[], gpu_index_kernels[],
  gpu_conv_kernels[], gpu_attention_kernels[], gpu_sort_kernels[], gpu_adaln_kernels[],
  gpu_distance_kernels[], gpu_linalg_kernels[], gpu_picture_kernels[], gpu_flow_kernels[];

#endif
