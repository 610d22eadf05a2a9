/* cpu_index.c -- CPU kernels that pick, place and rearrange elements. */
#include "convert.h"
#include "isa.h"
#include "loop.h"
#include "op.h"
#include "order.h"
#include "pool.h"
#include "reduce.h"
#include <stdatomic.h>
#include <string.h>

/* ---- positions are checked before anything is moved ---- */

typedef struct range_check { int64_t size; atomic_llong bad; atomic_bool any; } range_check;

static void check_piece(char *const *ptr, int64_t n, int64_t begin,
                        const void *ctx) {
  (void)begin;
  range_check *r = (range_check *)ctx;
  const int64_t *x = (const int64_t *)(const void *)ptr[1];
  uint64_t size = (uint64_t)r->size;
  int bad = 0;
  for (int64_t i = 0; i < n; i++) bad |= (uint64_t)x[i] >= size;
  if (!bad) return;
  int64_t i = 0;
  while ((uint64_t)x[i] < size) i++;
  atomic_store(&r->bad, x[i]);
  atomic_store(&r->any, true);
}

static td_status check_positions(const td_call *c, int64_t size) {
  range_check r = { size, 0, false };
  if (td__numel(c->in[1])) td_loop(NULL, 1, &c->in[1], check_piece, &r);
  return !r.any ? TD_OK :
    td_fail(TD_EARG, "%s: position %lld does not exist; positions along this dim "
            "go from 1 to %lld", c->op->name, (long long)r.bad + 1,
            (long long)size);
}

/* ---- gather, scatter_add: one position per element ---- */

typedef struct pick {
  td_lines l;                   /* of index; result 0: out, 1: x or src */
  int size;
  void (*add)(char *y, const char *x);
} pick;

static void gather_lines(void *ctx, int64_t begin, int64_t end, char *scratch) {
  const pick *p = ctx;
  const int64_t *step = p->l.step;
  (void)scratch;
  for (int64_t k = begin; k < end; k++) {
    const char *at = td_line_at(&p->l, 0, k), *x = td_line_at(&p->l, 2, k);
    char *y = td_line_at(&p->l, 1, k);
    for (int64_t i = 0; i < p->l.n; i++, at += step[0], y += step[1]) {
      const char *from = x + *(const int64_t *)(const void *)at * step[2];
      switch (p->size) {
        case 1: memcpy(y, from, 1); break;
        case 2: memcpy(y, from, 2); break;
        case 4: memcpy(y, from, 4); break;
        default: memcpy(y, from, 8);
      }
    }
  }
}

static td_status k_gather(const td_call *c, td_tensor **out) {
  td_tensor *x = c->in[0], *index = c->in[1];
  int64_t dim = c->attr[0].i;
  td_status st = check_positions(c, x->ndim ? x->shape[dim] : 1);
  if (st || td__numel(index) == 0) return st;
  pick p = { .size = (int)td_dtype_size(x->dtype) };
  td_lines_of(&p.l, index, dim, 2, (td_tensor *[]){ out[0], x }, true);
  return td_lines_run(&p.l, p.l.n, 0, gather_lines, &p);
}

#define ADD(T, L) \
  static void add_##T(char *y, const char *x) { \
    td_c_##T *a = (td_c_##T *)(void *)y; \
    *a = (td_c_##T)((L)*a + (L)*(const td_c_##T *)(const void *)x); \
  } \
  static void add_row_##T(char *y, const char *x, int64_t n) { \
    td_c_##T *a = (td_c_##T *)(void *)y; \
    const td_c_##T *b = (const td_c_##T *)(const void *)x; \
    _Pragma("GCC ivdep") \
    for (int64_t i = 0; i < n; i++) a[i] = (td_c_##T)((L)a[i] + (L)b[i]); \
  }
ADD(u8, uint8_t)
ADD(i32, uint32_t)
ADD(i64, uint64_t)
ADD(f32, float)
ADD(f64, double)
static void add_b8(char *y, const char *x) { *y = *y | *x; }
static void add_row_b8(char *y, const char *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = y[i] | x[i];
}
#define BY_TYPE(name) { [TD_BOOL] = name##_b8, [TD_U8] = name##_u8, \
  [TD_I32] = name##_i32, [TD_I64] = name##_i64, [TD_F32] = name##_f32, \
  [TD_F64] = name##_f64 }

/* Lines that differ in another dim never meet, and a line is added in order. */
static void scatter_lines(void *ctx, int64_t begin, int64_t end, char *scratch) {
  const pick *p = ctx;
  const int64_t *step = p->l.step;
  (void)scratch;
  for (int64_t k = begin; k < end; k++) {
    const char *at = td_line_at(&p->l, 0, k), *x = td_line_at(&p->l, 2, k);
    char *y = td_line_at(&p->l, 1, k);
    for (int64_t i = 0; i < p->l.n; i++, at += step[0], x += step[2])
      p->add(y + *(const int64_t *)(const void *)at * step[1], x);
  }
}

static td_status k_scatter_add(const td_call *c, td_tensor **out) {
  static void (*const add[TD_DTYPE_COUNT])(char *, const char *) = BY_TYPE(add);
  td_tensor *x = c->in[0], *index = c->in[1];
  int64_t dim = c->attr[0].i;
  td_status st = check_positions(c, x->ndim ? x->shape[dim] : 1);
  if (st) return st;
  td_loop_move(out[0], x);
  if (td__numel(index) == 0) return TD_OK;
  pick p = { .add = add[x->dtype] };
  td_lines_of(&p.l, index, dim, 2, (td_tensor *[]){ out[0], c->in[2] }, true);
  return td_lines_run(&p.l, p.l.n, 0, scatter_lines, &p);
}

/* ---- index_select, index_add: whole slices ---- */

/* Contiguous x is (outer, n, inner) around the dim; slices of `bytes`. */
typedef struct slices {
  int64_t outer, n, inner, m;   /* m positions */
  int64_t bytes;                /* of inner elements */
  const int64_t *at;
  char *out;
  const char *x;
  void (*add)(char *, const char *, int64_t);
} slices;

static slices slices_of(const td_tensor *x, int64_t dim, const td_tensor *index,
                        td_tensor *out) {
  slices s = { 1, x->shape[dim], 1, index->shape[0], 0,
               (const int64_t *)(const void *)index->data, out->data, x->data,
               NULL };
  for (int d = 0; d < x->ndim; d++)
    if (d < dim) s.outer *= x->shape[d];
    else if (d > dim) s.inner *= x->shape[d];
  s.bytes = s.inner * (int64_t)td_dtype_size(x->dtype);
  return s;
}

static void select_slices(void *ctx, int64_t begin, int64_t end) {
  const slices *s = ctx;
  char *y = s->out + begin * s->bytes;
  for (int64_t k = begin; k < end; k++, y += s->bytes) {
    const char *x = s->x + (k / s->m * s->n + s->at[k % s->m]) * s->bytes;
    switch (s->bytes) {
      case 4: memcpy(y, x, 4); break;
      case 8: memcpy(y, x, 8); break;
      default: memcpy(y, x, (size_t)s->bytes);
    }
  }
}

static td_status k_index_select(const td_call *c, td_tensor **out) {
  int64_t dim = c->attr[0].i;
  td_status st = check_positions(c, c->in[0]->shape[dim]);
  if (st || td__numel(out[0]) == 0) return st;
  td_tensor *x = td_contiguous(c->in[0]), *index = td_contiguous(c->in[1]);
  if (!x || !index) return td_error_code();
  slices s = slices_of(x, dim, index, out[0]);
  td_parallel_range(s.outer * s.m, TD_LOOP_GRAIN / s.inner + 1, select_slices, &s);
  return TD_OK;
}

/* The slices of one outer position are added one after the other. */
static void add_slices(void *ctx, int64_t begin, int64_t end) {
  const slices *s = ctx;
  for (int64_t o = begin; o < end; o++)
    for (int64_t j = 0; j < s->m; j++)
      s->add(s->out + (o * s->n + s->at[j]) * s->bytes,
             s->x + (o * s->m + j) * s->bytes, s->inner);
}

static td_status k_index_add(const td_call *c, td_tensor **out) {
  static void (*const add[TD_DTYPE_COUNT])(char *, const char *, int64_t) =
    BY_TYPE(add_row);
  int64_t dim = c->attr[0].i;
  td_status st = check_positions(c, c->in[0]->shape[dim]);
  if (st) return st;
  td_loop_move(out[0], c->in[0]);
  if (td__numel(c->in[2]) == 0) return TD_OK;
  td_tensor *index = td_contiguous(c->in[1]), *src = td_contiguous(c->in[2]);
  if (!index || !src) return td_error_code();
  slices s = slices_of(out[0], dim, index, out[0]);
  s.x = src->data;
  s.add = add[out[0]->dtype];
  td_parallel_range(s.outer, TD_LOOP_GRAIN / (s.m * s.inner) + 1, add_slices, &s);
  return TD_OK;
}

/* ---- nonzero ---- */

static bool is_zero(const td_tensor *x, int64_t i) {
  switch ((td_dtype)x->dtype) {
    case TD_BOOL: case TD_U8: return x->data[i] == 0;
    case TD_I32: return ((int32_t *)(void *)x->data)[i] == 0;
    case TD_I64: return ((int64_t *)(void *)x->data)[i] == 0;
    case TD_F32: return ((float *)(void *)x->data)[i] == 0;
    case TD_F64: return ((double *)(void *)x->data)[i] == 0;
    default: return (((uint16_t *)(void *)x->data)[i] & 0x7fff) == 0;
  }
}

static td_status k_nonzero(const td_call *c, td_tensor **out) {
  td_tensor *x = td_contiguous(c->in[0]);
  if (!x) return td_error_code();
  int64_t *y = (int64_t *)(void *)out[0]->data, rows = out[0]->shape[0];
  int64_t n = td__numel(x), row = 0;
  for (int64_t i = 0; i < n && row < rows; i++) {
    if (is_zero(x, i)) continue;
    int64_t rest = i;
    for (int d = x->ndim - 1; d >= 0; d--) {
      y[row * x->ndim + d] = rest % x->shape[d];
      rest /= x->shape[d];
    }
    row++;
  }
  return TD_OK;
}

/* ---- joins and rearrangements: moves between views ---- */

/* t from position `start` on, n positions `step` apart along dim */
static td_tensor part_of(const td_tensor *t, int64_t dim, int64_t start,
                         int64_t n, int64_t step) {
  td_tensor v = *t;
  v.data += start * v.stride[dim] * (int64_t)td_dtype_size(t->dtype);
  v.shape[dim] = n;
  v.stride[dim] *= step;
  return v;
}

static td_status k_concat(const td_call *c, td_tensor **out) {
  int64_t dim = c->attr[0].i, at = 0;
  for (int i = 0; i < c->nin; i++) {
    int64_t n = c->in[i]->shape[dim];
    td_tensor to = part_of(out[0], dim, at, n, 1);
    td_loop_move(&to, c->in[i]);
    at += n;
  }
  return TD_OK;
}

static td_status k_unslice(const td_call *c, td_tensor **out) {
  td_tensor *x = c->in[0], *y = out[0];
  int64_t dim = c->attr[0].i;
  memset(y->data, 0, (size_t)td__numel(y) * td_dtype_size(y->dtype));
  if (td__numel(x) == 0) return TD_OK;
  td_tensor to = part_of(y, dim, c->attr[2].i, x->shape[dim], c->attr[3].i);
  td_loop_move(&to, x);
  return TD_OK;
}

static td_status k_flip(const td_call *c, td_tensor **out) {
  bool mask[TD_MAXDIM];
  td_status st = td_dims_mask(c, mask, NULL);
  td_tensor from = *c->in[0];
  if (st || td__numel(&from) == 0) return st;
  for (int d = 0; d < from.ndim; d++)
    if (mask[d]) from = part_of(&from, d, from.shape[d] - 1, from.shape[d], -1);
  td_loop_move(out[0], &from);
  return TD_OK;
}

extern const td_kernel_entry TD_ISA_NAME(td_cpu_index)[];
const td_kernel_entry TD_ISA_NAME(td_cpu_index)[] = {
  { "gather", k_gather }, { "scatter_add", k_scatter_add },
  { "index_select", k_index_select }, { "index_add", k_index_add },
  { "nonzero", k_nonzero }, { "concat", k_concat }, { "unslice", k_unslice },
  { "flip", k_flip }, { "sort", td_order_sort }, { "topk", td_order_topk },
  { NULL, NULL }
};
