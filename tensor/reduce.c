/* reduce.c -- how reductions walk memory: along rows or across columns, cut into
** pieces whose sizes depend on shapes only, joined in order. */
#include "reduce.h"
#include "loop.h"
#include "pool.h"
#include <string.h>

#define PIECE 65536             /* elements of a piece of one long reduction */
#define MAX_PIECES 256
#define GATHER_ROWS 16
#define SCRATCHES 64            /* working spaces at most */
#define FEW 32                  /* so many columns are folded into wider rows */

typedef struct dim { int64_t size, step, out; } dim;   /* steps in bytes */

/* Output elements are counted over the kept dims; with cols, dim `kin` of them
** is walked TD_REDUCE_COLS at a time, else one at a time.  Each is a reduction
** over the dims red[], the last of them innermost. */
typedef struct plan {
  const td_reducer *r;
  const char *data;
  char *out;
  int size, out_size;           /* of an element */
  int nkeep, nred;
  dim keep[TD_MAXDIM], red[TD_MAXDIM];
  int64_t n;                    /* elements of one reduction */
  bool cols;
  dim kin;                      /* taken out of keep when cols */
  int64_t blocks;               /* of kin */
  int64_t items;                /* independent reductions, or blocks of them */
  int64_t pieces, piece;        /* of each item; elements, or rows */
  td_acc *part;                 /* items x pieces x width, when pieces > 1 */
  int64_t width;
} plan;

static int64_t size_of(int64_t step) { return step < 0 ? -step : step; }

static void split_dims(plan *p, const td_tensor *x, const bool *mask) {
  int64_t out = p->out_size;
  for (int d = x->ndim - 1; d >= 0; d--) {
    if (mask[d] || x->shape[d] == 1) continue;
    p->keep[p->nkeep++] = (dim){ x->shape[d], x->stride[d] * p->size, out };
    out *= x->shape[d];
  }
  for (int d = 0; d < x->ndim; d++) {
    if (!mask[d]) continue;
    p->n *= x->shape[d];
    if (x->shape[d] == 1) continue;
    int k = p->nred++;
    dim e = { x->shape[d], x->stride[d] * p->size, 0 };
    for (; k > 0 && size_of(p->red[k - 1].step) < size_of(e.step); k--)
      p->red[k] = p->red[k - 1];
    p->red[k] = e;
  }
}

/* keep[] is innermost first, red[] innermost last. */
static void merge_dims(plan *p) {
  int k = 0;
  for (int d = 1; d < p->nkeep; d++) {
    dim *a = &p->keep[k], *b = &p->keep[d];
    if (b->step == a->step * a->size && b->out == a->out * a->size)
      a->size *= b->size;
    else p->keep[++k] = *b;
  }
  if (p->nkeep) p->nkeep = k + 1;
  k = 0;
  for (int d = 1; d < p->nred; d++) {
    dim *a = &p->red[k], *b = &p->red[d];
    if (a->step == b->step * b->size) {
      a->size *= b->size;
      a->step = b->step;
    } else {
      p->red[++k] = *b;
    }
  }
  if (p->nred) p->nred = k + 1;
  else p->red[p->nred++] = (dim){ 1, p->size, 0 };
}

/* Rows when the innermost reduced dim is dense and long, else across the kept
** dim whose elements lie closest together. */
static void choose_way(plan *p) {
  dim *r = &p->red[p->nred - 1];
  int best = -1;
  for (int d = 0; d < p->nkeep; d++)
    if (best < 0 || size_of(p->keep[d].step) < size_of(p->keep[best].step))
      best = d;
  p->cols = best >= 0 && p->keep[best].size > 1 &&
    (size_of(p->keep[best].step) < size_of(r->step) || r->size < 16);
  p->items = p->width = p->blocks = 1;
  if (p->cols) {
    p->kin = p->keep[best];
    p->nkeep--;
    for (int d = best; d < p->nkeep; d++) p->keep[d] = p->keep[d + 1];
    p->width = p->kin.size < TD_REDUCE_COLS ? p->kin.size : TD_REDUCE_COLS;
    p->items = p->blocks = (p->kin.size + TD_REDUCE_COLS - 1) / TD_REDUCE_COLS;
  }
  for (int d = 0; d < p->nkeep; d++) p->items *= p->keep[d].size;
  p->pieces = 1;
  p->piece = p->n;
  int64_t work = p->n * p->width;
  if (p->items >= 64 || work < 2 * PIECE) return;
  p->pieces = (work + PIECE - 1) / PIECE;
  if (p->pieces > MAX_PIECES) p->pieces = MAX_PIECES;
  if (p->pieces > p->n) p->pieces = p->n;
  p->piece = (p->n + p->pieces - 1) / p->pieces;
  p->pieces = (p->n + p->piece - 1) / p->piece;
}

/* Where item `i` starts in x and in the result, and how many columns it has. */
static const char *item_at(const plan *p, int64_t i, char **out, int64_t *m) {
  const char *a = p->data;
  char *o = p->out;
  *m = 1;
  if (p->cols) {
    int64_t first = i % p->blocks * TD_REDUCE_COLS;
    i /= p->blocks;
    *m = p->kin.size - first;
    if (*m > TD_REDUCE_COLS) *m = TD_REDUCE_COLS;
    a += first * p->kin.step;
    o += first * p->kin.out;
  }
  for (int d = 0; d < p->nkeep; d++) {
    int64_t k = i % p->keep[d].size;
    i /= p->keep[d].size;
    a += k * p->keep[d].step;
    o += k * p->keep[d].out;
  }
  *out = o;
  return a;
}

/* Columns that are not neighbours are brought together, some rows at a time. */
static void cols_gathered(const plan *p, td_acc *acc, const char *a, int64_t m,
                          int64_t rows, int64_t stride) {
  _Alignas(64) char buf[GATHER_ROWS * TD_REDUCE_COLS * 8];
  for (int64_t r = 0; r < rows; r += GATHER_ROWS) {
    int64_t k = rows - r < GATHER_ROWS ? rows - r : GATHER_ROWS;
    for (int64_t j = 0; j < k; j++)
      td_line_gather(buf + j * m * p->size, a + (r + j) * stride, m,
                     p->kin.step, p->size);
    p->r->cols(acc, buf, m, k, m * p->size);
  }
}

/* A few dense columns: several rows are taken as one wide row. */
static void cols_folded(const plan *p, td_acc *acc, const char *a, int64_t m,
                        int64_t rows, int64_t stride) {
  td_acc wide[TD_REDUCE_COLS];
  int64_t fold = TD_REDUCE_COLS / m, w = fold * m, k = rows / fold;
  for (int64_t j = 0; j < w; j++) wide[j] = p->r->start;
  p->r->cols(wide, a, w, k, w * p->size);
  for (int64_t f = 0; f < fold; f++) p->r->merge(acc, wide + f * m, m);
  if (rows > k * fold)
    p->r->cols(acc, a + k * fold * stride, m, rows - k * fold, stride);
}

static void run(const plan *p, td_acc *acc, const char *a, int64_t m, int64_t n,
                int64_t stride) {
  if (!p->cols) p->r->row(acc, a, n, stride);
  else if (p->kin.step != p->size) cols_gathered(p, acc, a, m, n, stride);
  else if (m <= FEW && n >= 2 * TD_REDUCE_COLS && stride == m * p->size)
    cols_folded(p, acc, a, m, n, stride);
  else p->r->cols(acc, a, m, n, stride);
}

/* Elements (or rows) begin .. end of a reduction that starts at a. */
static void reduce_part(const plan *p, td_acc *acc, const char *a, int64_t m,
                        int64_t begin, int64_t end) {
  int last = p->nred - 1;
  int64_t inner = p->red[last].size, step = p->red[last].step;
  for (int64_t j = 0; j < m; j++) acc[j] = p->r->start;
  while (begin < end) {
    int64_t rest = begin / inner, at = begin % inner;
    int64_t n = inner - at < end - begin ? inner - at : end - begin;
    const char *q = a + at * step;
    for (int d = last - 1; d >= 0; d--) {
      q += rest % p->red[d].size * p->red[d].step;
      rest /= p->red[d].size;
    }
    run(p, acc, q, m, n, step);
    begin += n;
  }
}

static void store(const plan *p, char *out, const td_acc *acc, int64_t m) {
  if (!p->cols || p->kin.out == p->out_size) {
    p->r->store(out, acc, m);
    return;
  }
  for (int64_t j = 0; j < m; j++) p->r->store(out + j * p->kin.out, acc + j, 1);
}

static void whole_items(void *ctx, int64_t begin, int64_t end) {
  const plan *p = ctx;
  td_acc acc[TD_REDUCE_COLS];
  char *out;
  int64_t m;
  for (int64_t i = begin; i < end; i++) {
    const char *a = item_at(p, i, &out, &m);
    reduce_part(p, acc, a, m, 0, p->n);
    store(p, out, acc, m);
  }
}

static void one_piece(void *ctx, int64_t w) {
  const plan *p = ctx;
  int64_t begin = w % p->pieces * p->piece, m;
  char *out;
  const char *a = item_at(p, w / p->pieces, &out, &m);
  reduce_part(p, p->part + w * p->width, a, m, begin,
              p->n - begin < p->piece ? p->n : begin + p->piece);
}

static void join_pieces(const plan *p) {
  char *out;
  int64_t m;
  for (int64_t i = 0; i < p->items; i++) {
    td_acc *acc = p->part + i * p->pieces * p->width;
    item_at(p, i, &out, &m);
    for (int64_t k = 1; k < p->pieces; k++)
      p->r->merge(acc, acc + k * p->width, m);
    store(p, out, acc, m);
  }
}

td_status td_reduce(const td_call *c, td_tensor *out, const td_reducer *r) {
  const td_tensor *x = c->in[0];
  bool mask[TD_MAXDIM];
  td_status st = td_dims_mask(c, mask, NULL);
  if (st || td__numel(out) == 0) return st;
  plan p = { .r = r, .data = x->data, .out = out->data, .n = 1,
             .size = (int)td_dtype_size(x->dtype),
             .out_size = (int)td_dtype_size(out->dtype) };
  split_dims(&p, x, mask);
  merge_dims(&p);
  choose_way(&p);
  if (p.pieces == 1) {
    int64_t work = p.n * p.width;
    td_parallel_range(p.items, work ? TD_LOOP_GRAIN / work + 1 : p.items,
                      whole_items, &p);
    return TD_OK;
  }
  p.part = td__scratch(sizeof *p.part * (size_t)(p.items * p.pieces * p.width));
  if (!p.part) return td_error_code();
  td_parallel(p.items * p.pieces, one_piece, &p);
  join_pieces(&p);
  td__scratch_drop(p.part);
  return TD_OK;
}

/* ---- lines ---- */

void td_lines_of(td_lines *l, const td_tensor *x, int64_t dim, int nout,
                 td_tensor *const *out, bool keepdim) {
  const td_tensor *t[3] = { x, nout > 0 ? out[0] : NULL,
                            nout > 1 ? out[1] : NULL };
  memset(l, 0, sizeof *l);
  l->n = x->ndim ? x->shape[dim] : 1;
  l->count = 1;
  for (int d = 0; d < x->ndim; d++) {
    if (d == dim) continue;
    l->shape[l->ndim++] = x->shape[d];
    l->count *= x->shape[d];
  }
  for (int k = 0; k <= nout; k++) {
    int64_t size = (int64_t)td_dtype_size(t[k]->dtype);
    bool has = x->ndim && (k == 0 || keepdim);
    l->data[k] = t[k]->data;
    l->step[k] = has ? t[k]->stride[dim] * size : size;
    for (int d = 0, e = 0; d < l->ndim; d++, e++) {
      if (has && e == dim) e++;
      l->stride[k][d] = t[k]->stride[e] * size;
    }
  }
}

char *td_line_at(const td_lines *l, int which, int64_t line) {
  char *a = l->data[which];
  for (int d = l->ndim - 1; d >= 0; d--) {
    a += line % l->shape[d] * l->stride[which][d];
    line /= l->shape[d];
  }
  return a;
}

typedef struct lines_job {
  void (*f)(void *, int64_t, int64_t, char *);
  void *ctx;
  int64_t grain;
  size_t each;
  char *mem;
} lines_job;

static void some_lines(void *ctx, int64_t begin, int64_t end) {
  lines_job *j = ctx;
  size_t piece = (size_t)(begin / j->grain);
  j->f(j->ctx, begin, end, j->mem ? j->mem + piece * j->each : NULL);
}

td_status td_lines_run(const td_lines *l, int64_t cost, size_t scratch,
                       void (*f)(void *, int64_t, int64_t, char *), void *ctx) {
  lines_job j = { f, ctx, cost > 0 ? TD_LOOP_GRAIN / cost + 1 : l->count, 0, NULL };
  if (l->count == 0) return TD_OK;
  if (scratch) {
    int64_t least = (l->count + SCRATCHES - 1) / SCRATCHES;
    if (j.grain < least) j.grain = least;
    j.each = (scratch + 63) / 64 * 64;
    j.mem = td__scratch((size_t)((l->count - 1) / j.grain + 1) * j.each);
    if (!j.mem) return td_error_code();
  }
  td_parallel_range(l->count, j.grain, some_lines, &j);
  td__scratch_drop(j.mem);
  return TD_OK;
}
