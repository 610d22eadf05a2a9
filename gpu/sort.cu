/* sort.cu -- sort and topk: a block sorts a line's pairs of key and position (bitonic). */
#include "gpu/lines.h"
#include "tensor/vmath.h"

struct pair { uint64_t key; int64_t at; };

/* Keys ascend as unsigned integers; NaN last, -0 equals 0. */
__device__ static inline uint64_t key_of(float x) {
  uint32_t u = td__bits(x == 0 ? 0.f : x);
  return x != x ? UINT32_MAX : (u >> 31 ? ~u : u | 0x80000000u);
}
__device__ static inline uint64_t key_of(double x) {
  uint64_t u = td__bits64(x == 0 ? 0. : x);
  return x != x ? UINT64_MAX : (u >> 63 ? ~u : u | 1ull << 63);
}
__device__ static inline uint64_t key_of(int32_t x) { return (uint32_t)x ^ 0x80000000u; }
__device__ static inline uint64_t key_of(int64_t x) { return (uint64_t)x ^ 1ull << 63; }
__device__ static inline uint64_t key_of(uint8_t x) { return x; }

/* Equal keys by position, which makes the order stable; what fills up the line, with the
** largest of both, comes last. */
__device__ static inline bool after(const pair &a, const pair &b) {
  return a.key > b.key || (a.key == b.key && a.at > b.at);
}

/* Lines [first, first + gridDim.x); room has `size` pairs for each, a power of 2. */
template <class T> __global__ void order(gpu_lines l, int64_t first, pair *room, int64_t size,
                                         int64_t k, bool descending) {
  pair *v = room + blockIdx.x * size;
  int64_t line = first + blockIdx.x;
  const char *x = gpu_line(l, 0, line);
  for (int64_t i = threadIdx.x; i < size; i += GPU_BLOCK) {
    pair p;
    p.key = UINT64_MAX;
    p.at = INT64_MAX;
    if (i < l.n) {
      p.key = key_of(*(const T *)(x + i * l.t[0].step)) ^ (descending ? UINT64_MAX : 0);
      p.at = i;
    }
    v[i] = p;
  }
  for (int64_t run = 2; run <= size; run *= 2)
    for (int64_t gap = run / 2; gap; gap /= 2) {
      __syncthreads();
      for (int64_t i = threadIdx.x; i < size; i += GPU_BLOCK) {
        int64_t j = i ^ gap;
        if (j < i || after(v[i], v[j]) != ((i & run) == 0)) continue;
        pair p = v[i];
        v[i] = v[j];
        v[j] = p;
      }
    }
  __syncthreads();
  char *y = gpu_line(l, 1, line), *at = gpu_line(l, 2, line);
  for (int64_t i = threadIdx.x; i < k; i += GPU_BLOCK) {
    *(T *)(y + i * l.t[1].step) = *(const T *)(x + v[i].at * l.t[0].step);
    *(int64_t *)(at + i * l.t[2].step) = v[i].at;
  }
}

static const int64_t ROOM = 64 << 20;              /* bytes of pairs at a time */

static td_status run(const td_call *c, td_tensor **out, int64_t dim, int64_t k, bool descending) {
  void (*const fns[TD_DTYPE_COUNT])(gpu_lines, int64_t, pair *, int64_t, int64_t, bool) = {
    order<uint8_t>, order<uint8_t>, order<int32_t>, order<int64_t>, NULL, order<float>, order<double> };
  gpu_lines l = gpu_lines_of(c->in[0], 2, out, dim);
  int64_t size = 1;
  void *room;
  if (!td__numel(out[0])) return TD_OK;
  if (!fns[c->in[0]->dtype]) return gpu_no_type(c, c->in[0]->dtype);
  while (size < l.n) size *= 2;
  int64_t bytes = size * (int64_t)sizeof(pair), lot = ROOM / bytes;
  lot = lot < 1 ? 1 : lot > l.count ? l.count : lot;
  td_status st = gpu_scratch(c, (size_t)(lot * bytes), &room);
  for (int64_t at = 0; !st && at < l.count; at += lot) {
    int64_t lines = l.count - at < lot ? l.count - at : lot;
    st = gpu_launch(c, fns[c->in[0]->dtype], dim3((unsigned)lines), dim3(GPU_BLOCK), 0, l, at,
                    (pair *)room, size, k, descending);
  }
  return st;
}

static td_status k_sort(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i;
  return run(c, out, dim, x->ndim ? x->shape[dim] : 1, c->attr[1].i != 0);
}
static td_status k_topk(const td_call *c, td_tensor **out) {
  return run(c, out, c->attr[1].i, c->attr[0].i, c->attr[2].i != 0);
}

const td_kernel_entry gpu_sort_kernels[] = { { "sort", k_sort }, { "topk", k_topk }, { NULL, NULL } };
