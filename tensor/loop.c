/* loop.c -- brings operands of any layout to kernels that know one. */
#include "loop.h"
#include "pool.h"
#include <stdlib.h>
#include <string.h>

#define MAX_OPERANDS (1 + TD_LOOP_INPUTS)
#define SMALL 128               /* elements that are repeated without a plan */
#define SHORT_RUN 32            /* inner runs below this are tiled together */

/* ---- lines ---- */

#define LINE(T) do { \
    T *d = (T *)(void *)dst; \
    for (int64_t i = 0; i < n; i++, src += from, d = (T *)(void *)((char *)d + to)) \
      *d = *(const T *)(const void *)src; \
  } while (0)

static inline void line(char *dst, int64_t to, const char *src, int64_t from,
                        int64_t n, int size) {
  switch (size) {
    case 1: LINE(uint8_t); break;
    case 2: LINE(uint16_t); break;
    case 4: LINE(uint32_t); break;
    default: LINE(uint64_t);
  }
}

void td_line_gather(char *dst, const char *src, int64_t n, int64_t stride,
                    int size) {
  if (stride == size) memcpy(dst, src, (size_t)(n * size));
  else line(dst, size, src, stride, n, size);
}
void td_line_scatter(char *dst, const char *src, int64_t n, int64_t stride,
                     int size) {
  if (stride == size) memcpy(dst, src, (size_t)(n * size));
  else line(dst, stride, src, size, n, size);
}

static void repeat(char *dst, const char *value, int64_t n, int size) {
  char many[64];
  int64_t bytes = n * size;
  for (int i = 0; i < 64; i += size) memcpy(many + i, value, (size_t)size);
  for (; bytes >= 64; bytes -= 64, dst += 64) memcpy(dst, many, 64);
  memcpy(dst, many, (size_t)bytes);
}

/* m rows of n elements, from any layout to any other */
#define RECTANGLE(T) do { \
    for (int64_t j = 0; j < m; j++) \
      for (int64_t i = 0; i < n; i++) \
        *(T *)(void *)(dst + j * dj + i * di) = \
          *(const T *)(const void *)(src + j * sj + i * si); \
  } while (0)

static void rectangle(char *dst, int64_t dj, int64_t di, const char *src,
                      int64_t sj, int64_t si, int64_t m, int64_t n, int size) {
  switch (size) {
    case 1: RECTANGLE(uint8_t); break;
    case 2: RECTANGLE(uint16_t); break;
    case 4: RECTANGLE(uint32_t); break;
    default: RECTANGLE(uint64_t);
  }
}

/* ---- the plan: dims merged, strides in bytes, dim ndim-1 innermost ---- */

typedef struct operand {
  char *data;
  int size;
  bool dense;                   /* contiguous in the order of the plan */
  bool constant;                /* one element for all */
  bool periodic;                /* depends on the innermost index only */
  int64_t stride[TD_MAXDIM];
} operand;

typedef struct plan {
  int nop, ndim;
  bool has_out;
  int64_t shape[TD_MAXDIM], n;
  operand op[MAX_OPERANDS];
  td_loop_fn fn;
  const void *ctx;
} plan;

static void add_operand(plan *p, const td_tensor *t, const td_tensor *space) {
  operand *o = &p->op[p->nop++];
  o->data = t->data;
  o->size = (int)td_dtype_size(t->dtype);
  int lead = space->ndim - t->ndim;
  for (int d = 0; d < space->ndim; d++)
    o->stride[d] = d < lead || t->shape[d - lead] == 1 ? 0 :
      t->stride[d - lead] * o->size;
}

static void drop_dim(plan *p, int d) {
  p->ndim--;
  for (int k = d; k < p->ndim; k++) {
    p->shape[k] = p->shape[k + 1];
    for (int i = 0; i < p->nop; i++)
      p->op[i].stride[k] = p->op[i].stride[k + 1];
  }
}

static int64_t size_of(int64_t stride) { return stride < 0 ? -stride : stride; }

/* Orders dims so that the first operand is walked through memory forwards. */
static void sort_dims(plan *p) {
  for (int d = 1; d < p->ndim; d++)
    for (int k = d; k > 0 && size_of(p->op[0].stride[k - 1]) <
                             size_of(p->op[0].stride[k]); k--) {
      int64_t t = p->shape[k];
      p->shape[k] = p->shape[k - 1];
      p->shape[k - 1] = t;
      for (int i = 0; i < p->nop; i++) {
        int64_t *s = p->op[i].stride;
        t = s[k];
        s[k] = s[k - 1];
        s[k - 1] = t;
      }
    }
}

static bool mergeable(const plan *p, int d) {   /* d with d + 1 */
  for (int i = 0; i < p->nop; i++) {
    const int64_t *s = p->op[i].stride;
    if (s[d] != s[d + 1] * p->shape[d + 1]) return false;
  }
  return true;
}

static void classify(plan *p, operand *o) {
  int64_t want = o->size;
  o->dense = o->constant = o->periodic = true;
  for (int d = p->ndim - 1; d >= 0; d--) {
    if (o->stride[d] != want) o->dense = false;
    if (o->stride[d]) {
      o->constant = false;
      if (d < p->ndim - 1) o->periodic = false;
    }
    want *= p->shape[d];
  }
}

static void make_plan(plan *p, td_tensor *out, int nin, td_tensor *const *in,
                      bool ordered) {
  const td_tensor *space = out ? out : in[0];
  p->nop = 0;
  p->has_out = out != NULL;
  p->ndim = space->ndim;
  p->n = td__numel(space);
  memcpy(p->shape, space->shape, sizeof p->shape);
  if (out) add_operand(p, out, space);
  for (int i = 0; i < nin; i++) add_operand(p, in[i], space);
  for (int d = p->ndim - 1; d >= 0; d--) if (p->shape[d] == 1) drop_dim(p, d);
  if (!ordered) sort_dims(p);
  for (int d = p->ndim - 2; d >= 0; d--)
    if (mergeable(p, d)) {
      p->shape[d + 1] *= p->shape[d];
      drop_dim(p, d);
    }
  if (p->ndim == 0) {           /* one element */
    p->ndim = 1;
    p->shape[0] = 1;
    for (int i = 0; i < p->nop; i++) p->op[i].stride[0] = p->op[i].size;
  }
  for (int i = 0; i < p->nop; i++) classify(p, &p->op[i]);
}

/* ---- walking ---- */

typedef struct place { int64_t index[TD_MAXDIM]; } place;

static void place_at(const plan *p, int64_t i, place *at) {
  for (int d = p->ndim - 1; d >= 0; d--) {
    at->index[d] = i % p->shape[d];
    i /= p->shape[d];
  }
}

static char *address(const plan *p, const operand *o, const place *at) {
  char *a = o->data;
  for (int d = 0; d < p->ndim; d++) a += at->index[d] * o->stride[d];
  return a;
}

/* Moves on by n elements that do not cross the end of the innermost run. */
static void advance(const plan *p, place *at, int64_t n) {
  int d = p->ndim - 1;
  at->index[d] += n;
  while (d > 0 && at->index[d] == p->shape[d]) {
    at->index[d] = 0;
    at->index[--d]++;
  }
}

/* Copies n elements from `at` on, in the order of the plan, between the operand
** and a buffer. */
static void exchange(const plan *p, const operand *o, place at, char *buf,
                     int64_t n, bool store) {
  int last = p->ndim - 1;
  int64_t run = p->shape[last], step = o->stride[last];
  while (n > 0) {
    int64_t k = run - at.index[last];
    if (k > n) k = n;
    char *a = address(p, o, &at);
    if (store) line(a, step, buf, o->size, k, o->size);
    else if (step == 0) repeat(buf, a, k, o->size);
    else line(buf, o->size, a, step, k, o->size);
    buf += k * o->size;
    n -= k;
    advance(p, &at, k);
  }
}

/* The same for whole innermost runs, which are short. */
static void exchange_runs(const plan *p, const operand *o, place at, char *buf,
                          int64_t n, bool store) {
  int last = p->ndim - 1;
  int64_t run = p->shape[last], step = o->stride[last], size = o->size;
  for (int64_t rows = n / run; rows > 0; ) {
    int64_t m = p->shape[last - 1] - at.index[last - 1];
    int64_t down = o->stride[last - 1];
    if (m > rows) m = rows;
    char *a = address(p, o, &at);
    if (store) rectangle(a, down, step, buf, run * size, size, m, run, o->size);
    else rectangle(buf, run * size, size, a, down, step, m, run, o->size);
    buf += m * run * size;
    rows -= m;
    at.index[last] = run;       /* at the end of the last of these runs */
    at.index[last - 1] += m - 1;
    advance(p, &at, 0);
  }
}

/* A buffer per operand, and what it holds now. */
typedef struct tile {
  _Alignas(64) char mem[MAX_OPERANDS][TD_LOOP_TILE * 8];
  const char *from[MAX_OPERANDS];
  int64_t filled[MAX_OPERANDS];
} tile;

/* Long inner runs: each is handed over as it lies, unless an operand repeats
** one element or steps over some. */
static void run_long(const plan *p, int64_t begin, int64_t end, tile *t) {
  int last = p->ndim - 1;
  bool direct = true;
  place at;
  place_at(p, begin, &at);
  for (int i = 0; i < p->nop; i++)
    if (p->op[i].stride[last] != p->op[i].size) direct = false;
  while (begin < end) {
    char *ptr[MAX_OPERANDS + 1] = { NULL }, **q = ptr + !p->has_out;
    char *home = NULL;
    int64_t n = p->shape[last] - at.index[last];
    if (n > end - begin) n = end - begin;
    if (!direct && n > TD_LOOP_TILE) n = TD_LOOP_TILE;
    for (int i = 0; i < p->nop; i++) {
      const operand *o = &p->op[i];
      int64_t step = o->stride[last];
      char *a = address(p, o, &at);
      q[i] = a;
      if (step == o->size) continue;
      q[i] = t->mem[i];
      if (p->has_out && i == 0) {
        home = a;
      } else if (step) {
        td_line_gather(q[i], a, n, step, o->size);
      } else if (t->from[i] != a || t->filled[i] < n) {
        repeat(q[i], a, n, o->size);
        t->from[i] = a;
        t->filled[i] = n;
      }
    }
    p->fn(ptr, n, begin, p->ctx);
    if (home)
      td_line_scatter(home, q[0], n, p->op[0].stride[last], p->op[0].size);
    begin += n;
    advance(p, &at, n);
  }
}

/* Short inner runs: tiles that hold many of them, and only whole ones. */
static void run_short(const plan *p, int64_t begin, int64_t end, tile *t) {
  int last = p->ndim - 1;
  int64_t length = TD_LOOP_TILE - TD_LOOP_TILE % (4 * p->shape[last]);
  for (; begin < end; begin += length) {
    char *ptr[MAX_OPERANDS + 1] = { NULL }, **q = ptr + !p->has_out;
    int64_t n = end - begin < length ? end - begin : length;
    bool store = p->has_out && !p->op[0].dense;
    place at;
    place_at(p, begin, &at);
    for (int i = 0; i < p->nop; i++) {
      const operand *o = &p->op[i];
      q[i] = t->mem[i];
      if (o->dense) {
        q[i] = o->data + begin * o->size;
      } else if (p->has_out && i == 0) {
        continue;
      } else if (o->constant || o->periodic) {
        /* tiles start at the same place of the period */
        if (t->filled[i] < n) exchange_runs(p, o, at, q[i], n, false);
        if (t->filled[i] < n) t->filled[i] = n;
      } else {
        exchange_runs(p, o, at, q[i], n, false);
      }
    }
    p->fn(ptr, n, begin, p->ctx);
    if (store) exchange_runs(p, &p->op[0], at, q[0], n, true);
  }
}

static bool all_dense(const plan *p) {
  for (int i = 0; i < p->nop; i++) if (!p->op[i].dense) return false;
  return true;
}

static void piece(void *ctx, int64_t begin, int64_t end) {
  const plan *p = ctx;
  if (all_dense(p)) {
    char *ptr[MAX_OPERANDS + 1] = { NULL }, **q = ptr + !p->has_out;
    for (int i = 0; i < p->nop; i++)
      q[i] = p->op[i].data + begin * p->op[i].size;
    p->fn(ptr, end - begin, begin, p->ctx);
    return;
  }
  tile t;
  memset(t.from, 0, sizeof t.from);
  memset(t.filled, 0, sizeof t.filled);
  if (p->shape[p->ndim - 1] > SHORT_RUN || p->ndim == 1) run_long(p, begin, end, &t);
  else run_short(p, begin, end, &t);
}

/* A piece begins where a period of a short inner run begins. */
static void launch(plan *p) {
  int64_t run = p->shape[p->ndim - 1];
  int64_t grain = TD_LOOP_GRAIN;
  if (run <= SHORT_RUN) grain = (grain / (4 * run) + 1) * 4 * run;
  if (p->n <= grain) piece(p, 0, p->n);
  else td_parallel_range(p->n, grain, piece, p);
}

/* ---- entrances ---- */

static bool same_dense(const td_tensor *a, const td_tensor *b) {
  return a->ndim == b->ndim &&
    !memcmp(a->shape, b->shape, sizeof *a->shape * a->ndim) && td__contiguous(a);
}

/* Small dense operands, the most frequent case, need no plan; nor does a single
** element that goes with each of the others. */
static bool at_once(td_tensor *out, int nin, td_tensor *const *in, td_loop_fn fn,
                    const void *ctx) {
  const td_tensor *space = out ? out : in[0];
  if (!td__contiguous(space)) return false;
  int64_t n = td__numel(space);
  if (n == 0) return true;
  if (n > TD_LOOP_GRAIN) return false;
  char *ptr[MAX_OPERANDS], few[TD_LOOP_INPUTS][SMALL * 8];
  ptr[0] = out ? out->data : NULL;
  for (int i = 0; i < nin; i++) {
    ptr[i + 1] = in[i]->data;
    if (same_dense(in[i], space)) continue;
    if (n > SMALL || in[i]->ndim) return false;
    repeat(ptr[i + 1] = few[i], in[i]->data, n, (int)td_dtype_size(in[i]->dtype));
  }
  fn(ptr, n, 0, ctx);
  return true;
}

void td_loop(td_tensor *out, int nin, td_tensor *const *in, td_loop_fn fn,
             const void *ctx) {
  plan p;
  if (at_once(out, nin, in, fn, ctx)) return;
  make_plan(&p, out, nin, in, false);
  if (p.n == 0) return;
  p.fn = fn;
  p.ctx = ctx;
  launch(&p);
}

static void piece_in_order(void *ctx, int64_t begin, int64_t end) {
  const plan *p = ctx;
  tile t;
  if (p->op[0].dense) {
    char *q[1] = { p->op[0].data + begin * p->op[0].size };
    p->fn(q, end - begin, begin, p->ctx);
    return;
  }
  for (; begin < end; begin += TD_LOOP_TILE) {
    int64_t n = end - begin < TD_LOOP_TILE ? end - begin : TD_LOOP_TILE;
    char *q[1] = { t.mem[0] };
    place at;
    place_at(p, begin, &at);
    p->fn(q, n, begin, p->ctx);
    exchange(p, &p->op[0], at, t.mem[0], n, true);
  }
}

void td_loop_fill(td_tensor *out, td_loop_fn fn, const void *ctx) {
  plan p;
  make_plan(&p, out, 0, NULL, true);
  p.fn = fn;
  p.ctx = ctx;
  td_parallel_range(p.n, TD_LOOP_GRAIN, piece_in_order, &p);
}

/* ---- moves ---- */

#define BLOCK 16                /* side of a block that is transposed at once */

/* The source is dense along dim `other` and the result along the last: copied
** by blocks, so that both sides use whole cache lines. */
typedef struct transpose { const plan *p; int other; } transpose;

static void transpose_stripe(void *ctx, int64_t begin, int64_t end) {
  const transpose *t = ctx;
  const plan *p = t->p;
  int last = p->ndim - 1, k = t->other;
  const operand *d = &p->op[0], *s = &p->op[1];
  int64_t rows = p->shape[k], cols = p->shape[last];
  int64_t stripes = (rows + BLOCK - 1) / BLOCK;
  for (int64_t w = begin; w < end; w++) {
    int64_t rest = w / stripes, j = w % stripes * BLOCK;
    char *to = d->data + j * d->stride[k];
    const char *from = s->data + j * s->stride[k];
    for (int e = last - 1; e >= 0; e--) {
      if (e == k) continue;
      to += rest % p->shape[e] * d->stride[e];
      from += rest % p->shape[e] * s->stride[e];
      rest /= p->shape[e];
    }
    int64_t m = rows - j < BLOCK ? rows - j : BLOCK;
    for (int64_t i = 0; i < cols; i += BLOCK)
      rectangle(to + i * d->stride[last], d->stride[k], d->stride[last],
                from + i * s->stride[last], s->stride[k], s->stride[last], m,
                cols - i < BLOCK ? cols - i : BLOCK, d->size);
  }
}

static bool move_transposed(const plan *p) {
  int last = p->ndim - 1;
  const operand *d = &p->op[0], *s = &p->op[1];
  transpose t = { p, -1 };
  if (d->stride[last] != d->size || s->stride[last] == s->size) return false;
  for (int k = 0; k < last; k++) if (s->stride[k] == s->size) t.other = k;
  if (t.other < 0 || p->shape[t.other] < 4 || p->shape[last] < 4) return false;
  int64_t rows = p->shape[t.other], stripes = (rows + BLOCK - 1) / BLOCK;
  int64_t work = BLOCK * p->shape[last];
  td_parallel_range(p->n / rows / p->shape[last] * stripes,
                    TD_LOOP_GRAIN / work + 1, transpose_stripe, &t);
  return true;
}

static void move_piece(void *ctx, int64_t begin, int64_t end) {
  const plan *p = ctx;
  const operand *d = &p->op[0], *s = &p->op[1];
  int last = p->ndim - 1;
  place at;
  place_at(p, begin, &at);
  while (begin < end) {
    int64_t n = p->shape[last] - at.index[last];
    if (n > end - begin) n = end - begin;
    char *to = address(p, d, &at);
    const char *from = address(p, s, &at);
    int64_t dt = d->stride[last], st = s->stride[last];
    if (dt == d->size && st == d->size && n > 8)
      memcpy(to, from, (size_t)(n * d->size));
    else if (dt == d->size && st == 0)
      repeat(to, from, n, d->size);
    else
      line(to, dt, from, st, n, d->size);
    begin += n;
    advance(p, &at, n);
  }
}

void td_loop_move(td_tensor *out, td_tensor *in) {
  plan p;
  make_plan(&p, out, 1, &in, false);
  if (p.n == 0 || (out->data == in->data && p.op[0].dense && p.op[1].dense))
    return;
  if (!move_transposed(&p)) td_parallel_range(p.n, TD_LOOP_GRAIN, move_piece, &p);
}
