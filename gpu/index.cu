/* index.cu -- ops that pick, place and rearrange elements.  Sums over positions that meet are
** taken in the order of the positions, so results do not change between runs. */
#include "gpu/gpu.h"
#include "tensor/convert.h"

/* ---- positions are checked before anything is moved ---- */

static __global__ void find_outside(gpu_layout l, int64_t size, int *flag) {
  GPU_EACH(i, l.n) {
    int64_t at[2];
    gpu_offsets(l, i, 2, at);
    int64_t x = gpu_read<int64_t>(l.t[1], at[1]);
    if (x < 0 || x >= size) *flag = 1;
  }
}

static td_status check_positions(const td_call *c, int64_t size) {
  gpu_layout l = gpu_layout_of(c->in[1], 1, &c->in[1]);
  int *flag, bad = 0;
  if (!l.n) return TD_OK;
  td_status st = gpu_flag_clear(gpu_of(c), &flag);
  if (!st) st = gpu_launch(c, find_outside, gpu_grid(l.n), dim3(GPU_BLOCK), 0, l, size, flag);
  if (!st) st = gpu_flag_read(gpu_of(c), &bad);
  return st ? st : !bad ? TD_OK :
    gpu_fail(TD_EARG, "%s: a position does not exist; positions along this dim go from 1 to %lld",
             c->op->name, (long long)size);
}

/* ---- moves of elements of any size ---- */

template <class T> __global__ void move(gpu_layout l) {
  GPU_EACH(i, l.n) {
    int64_t at[2];
    gpu_offsets(l, i, 2, at);
    *(T *)(l.t[0].p + at[0]) = gpu_read<T>(l.t[1], at[1]);
  }
}
static td_status run_move(const td_call *c, const td_tensor *to, td_tensor *from) {
  void (*const fns[])(gpu_layout) = { move<uint8_t>, move<uint16_t>, move<uint32_t>, move<uint64_t> };
  gpu_layout l = gpu_layout_of(to, 1, &from);
  int size = (int)gpu_size(to->dtype);
  return l.n ? gpu_launch(c, fns[size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3], gpu_grid(l.n),
                          dim3(GPU_BLOCK), 0, l) : TD_OK;
}

/* t from position `start` on, n positions `step` apart along dim */
static td_tensor part_of(const td_tensor *t, int64_t dim, int64_t start, int64_t n, int64_t step) {
  td_tensor v = *t;
  if (!v.ndim) return v;
  v.data += start * v.stride[dim] * gpu_size(t->dtype);
  v.shape[dim] = n;
  v.stride[dim] *= step;
  return v;
}

static td_status k_concat(const td_call *c, td_tensor **out) {
  int64_t dim = c->attr[0].i, at = 0;
  td_status st = TD_OK;
  for (int i = 0; !st && i < c->nin; i++) {
    int64_t n = c->in[i]->shape[dim];
    td_tensor to = part_of(out[0], dim, at, n, 1);
    st = run_move(c, &to, c->in[i]);
    at += n;
  }
  return st;
}

static td_status clear(const td_call *c, td_tensor *y) {
  gpu *g = gpu_of(c);
  size_t bytes = (size_t)(td__numel(y) * gpu_size(y->dtype));
  td_status st = gpu_enter(g);
  return st || !bytes ? st : gpu_check(cudaMemsetAsync(y->data, 0, bytes, g->stream), c->op->name);
}

static td_status k_unslice(const td_call *c, td_tensor **out) {
  td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i;
  td_status st = clear(c, out[0]);
  if (st || !td__numel(x)) return st;
  td_tensor to = part_of(out[0], dim, c->attr[2].i, x->shape[dim], c->attr[3].i);
  return run_move(c, &to, x);
}

static td_status k_flip(const td_call *c, td_tensor **out) {
  td_tensor from = *c->in[0];
  if (!td__numel(&from)) return TD_OK;
  for (int d = 0; d < from.ndim; d++) {
    bool turned = c->nlist < 0;
    for (int i = 0; i < c->nlist; i++)
      turned |= (c->list[i] < 0 ? c->list[i] + from.ndim : c->list[i]) == d;
    if (turned) from = part_of(&from, d, from.shape[d] - 1, from.shape[d], -1);
  }
  return run_move(c, out[0], &from);
}

/* ---- gather, scatter_add: one position per element.  In a graph positions that do not exist
** are found when it has run: nothing is moved there. ---- */

template <class T> __global__ void gather(gpu_layout l, int64_t step, int64_t size) {
  GPU_EACH(i, l.n) {
    int64_t at[3];
    gpu_offsets(l, i, 3, at);
    int64_t from = gpu_read<int64_t>(l.t[1], at[1]);
    if (from < 0 || from >= size) continue;
    *(T *)(l.t[0].p + at[0]) = *(const T *)(l.t[2].p + at[2] + from * step);
  }
}

/* x seen along the other dims only: the positions say where along dim. */
static td_tensor without(const td_tensor *x, int64_t dim, const td_tensor *like) {
  td_tensor v = *x;
  for (int d = 0; d < v.ndim; d++) v.shape[d] = like->shape[d];
  if (v.ndim) v.stride[dim] = 0;
  return v;
}

/* y = x at the positions along dim; index has the shape of y. */
static td_status run_gather(const td_call *c, td_tensor *y, td_tensor *index, const td_tensor *x,
                            int64_t dim) {
  td_tensor flat = without(x, dim, y), *in[] = { index, &flat };
  gpu_layout l = gpu_layout_of(y, 2, in);
  int64_t step = x->ndim ? x->stride[dim] * gpu_size(x->dtype) : 0;
  void (*const fns[])(gpu_layout, int64_t, int64_t) = { gather<uint8_t>, gather<uint8_t>, gather<uint32_t>,
    gather<uint64_t>, gather<uint16_t>, gather<uint32_t>, gather<uint64_t> };
  return gpu_launch(c, fns[x->dtype], gpu_grid(l.n), dim3(GPU_BLOCK), 0, l, step,
                    x->ndim ? x->shape[dim] : 1);
}

static td_status k_gather(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i;
  td_status st = check_positions(c, x->ndim ? x->shape[dim] : 1);
  return st || !td__numel(out[0]) ? st : run_gather(c, out[0], c->in[1], x, dim);
}

/* Places of y that meet belong to one line along dim: a thread for each line. */
struct gpu_adding { gpu_layout l; int64_t n, size, index, out, src; };   /* steps along dim in bytes */
template <class T, bool BOOL> __global__ void scatter(gpu_adding a) {
  GPU_EACH(i, a.l.n) {
    int64_t at[3];
    gpu_offsets(a.l, i, 3, at);
    for (int64_t j = 0; j < a.n; j++) {
      int64_t to = *(const int64_t *)(a.l.t[1].p + at[1] + j * a.index);
      if (to < 0 || to >= a.size) continue;
      T *y = (T *)(a.l.t[0].p + at[0] + to * a.out);
      T x = *(const T *)(a.l.t[2].p + at[2] + j * a.src);
      *y = BOOL ? (T)(*y != 0 || x != 0) : (T)(*y + x);
    }
  }
}
typedef void (*scatter_fn)(gpu_adding);
static const scatter_fn scatters[TD_DTYPE_COUNT] = {
  scatter<uint8_t, true>, scatter<uint8_t, false>, scatter<uint32_t, false>,
  scatter<uint64_t, false>, NULL, scatter<float, false>, scatter<double, false> };

/* y, positions and src as seen along all dims but `dim`. */
static td_status run_scatter(const td_call *c, td_tensor *y, td_tensor *index, td_tensor *src, int64_t dim) {
  gpu_adding a = {};
  td_tensor one[3] = { *y, *index, *src };
  a.n = src->ndim ? src->shape[dim] : 1;
  a.size = y->ndim ? y->shape[dim] : 1;
  int64_t *steps[] = { &a.out, &a.index, &a.src };
  for (int k = 0; k < 3; k++)
    if (one[k].ndim) *steps[k] = one[k].stride[dim] * gpu_size(one[k].dtype);
  for (int d = 0; d < y->ndim; d++)
    for (int k = 0; k < 3; k++) one[k].shape[d] = d == dim ? 1 : src->shape[d];
  td_tensor *in[] = { &one[1], &one[2] };
  a.l = gpu_layout_of(&one[0], 2, in);
  if (!a.l.n || !a.n) return TD_OK;
  if (!scatters[y->dtype]) return gpu_no_type(c, y->dtype);
  return gpu_launch(c, scatters[y->dtype], gpu_grid(a.l.n), dim3(GPU_BLOCK), 0, a);
}

static td_status k_scatter_add(const td_call *c, td_tensor **out) {
  td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i;
  td_status st = check_positions(c, x->ndim ? x->shape[dim] : 1);
  if (!st) st = run_move(c, out[0], x);
  if (st || !td__numel(c->in[1])) return st;
  td_tensor src = *c->in[2];                  /* as many as there are positions */
  for (int d = 0; d < src.ndim; d++) src.shape[d] = c->in[1]->shape[d];
  return run_scatter(c, out[0], c->in[1], &src, dim);
}

/* ---- index_select, index_add: whole slices, the positions repeated over other dims ---- */

static td_tensor spread(const td_tensor *index, const td_tensor *like, int64_t dim, int64_t n) {
  td_tensor v = *index;
  v.ndim = like->ndim;
  for (int d = 0; d < v.ndim; d++) {
    v.shape[d] = d == dim ? n : like->shape[d];
    v.stride[d] = d == dim ? index->stride[0] : 0;
  }
  return v;
}

static td_status k_index_select(const td_call *c, td_tensor **out) {
  int64_t dim = c->attr[0].i;
  td_tensor *x = c->in[0];
  td_status st = check_positions(c, x->shape[dim]);
  if (st || !td__numel(out[0])) return st;
  td_tensor index = spread(c->in[1], x, dim, c->in[1]->shape[0]);
  return run_gather(c, out[0], &index, x, dim);
}

static td_status k_index_add(const td_call *c, td_tensor **out) {
  int64_t dim = c->attr[0].i;
  td_status st = check_positions(c, c->in[0]->shape[dim]);
  if (!st) st = run_move(c, out[0], c->in[0]);
  if (st || !td__numel(c->in[2])) return st;
  td_tensor index = spread(c->in[1], c->in[2], dim, c->in[1]->shape[0]);
  return run_scatter(c, out[0], &index, c->in[2], dim);
}

/* ---- nonzero: the host said how many there are; one thread finds them in order ---- */

template <class T> __global__ void find_nonzero(gpu_layout l, gpu_layout dims, int64_t *y, int64_t rows) {
  int64_t row = 0;
  for (int64_t i = 0; i < l.n && row < rows; i++) {
    int64_t at[2], rest = i;
    gpu_offsets(l, i, 2, at);
    if (gpu_read<T>(l.t[1], at[1]) == 0) continue;
    for (int d = dims.ndim - 1; d >= 0; d--) {
      y[row * dims.ndim + d] = rest % dims.shape[d];
      rest /= dims.shape[d];
    }
    row++;
  }
}
static td_status k_nonzero(const td_call *c, td_tensor **out) {
  td_tensor *x = c->in[0];
  gpu_layout l = gpu_layout_of(x, 1, &x), dims = {};
  dims.ndim = x->ndim;
  for (int d = 0; d < x->ndim; d++) dims.shape[d] = x->shape[d];
  void (*const fns[])(gpu_layout, gpu_layout, int64_t *, int64_t) = {
    find_nonzero<uint8_t>, find_nonzero<uint8_t>, find_nonzero<int32_t>, find_nonzero<int64_t>,
    NULL, find_nonzero<float>, find_nonzero<double> };
  if (!out[0]->shape[0]) return TD_OK;
  if (!fns[x->dtype]) return gpu_no_type(c, x->dtype);
  return gpu_launch(c, fns[x->dtype], dim3(1), dim3(1), 0, l, dims, (int64_t *)out[0]->data,
                    out[0]->shape[0]);
}

const td_kernel_entry gpu_index_kernels[] = {
  { "concat", k_concat }, { "unslice", k_unslice }, { "flip", k_flip }, { "gather", k_gather },
  { "scatter_add", k_scatter_add }, { "index_select", k_index_select }, { "index_add", k_index_add },
  { "nonzero", k_nonzero }, { NULL, NULL }
};
