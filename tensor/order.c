/* order.c -- sort and topk: elements become unsigned keys in the order asked
** for, so that one sort serves every type. */
#include "order.h"
#include "convert.h"
#include "reduce.h"
#include <string.h>

#define FEW 48                  /* sorted by insertion */
#define SMALL_K 64              /* topk up to here keeps a sorted list */

typedef struct pair { uint64_t key; int64_t at; } pair;

/* ---- keys: ascending as unsigned integers; NaN last, -0 equals 0 ---- */

static uint64_t key_f32(float x) {
  uint32_t u = td__bits(x == 0 ? 0.f : x);
  return x != x ? UINT32_MAX : (u >> 31 ? ~u : u | 0x80000000u);
}
static uint64_t key_f64(double x) {
  uint64_t u = td__bits64(x == 0 ? 0. : x);
  return x != x ? UINT64_MAX : (u >> 63 ? ~u : u | 1ull << 63);
}
static uint64_t key_i32(int32_t x) { return (uint32_t)x ^ 0x80000000u; }
static uint64_t key_i64(int64_t x) { return (uint64_t)x ^ 1ull << 63; }
static uint64_t key_u8(uint8_t x) { return x; }

#define KEYS(T) \
  static void keys_##T(uint64_t *key, const char *x, int64_t n, int64_t step, \
                       uint64_t flip) { \
    for (int64_t i = 0; i < n; i++, x += step) \
      key[i] = key_##T(*(const td_c_##T *)(const void *)x) ^ flip; \
  }
KEYS(u8)
KEYS(i32)
KEYS(i64)
KEYS(f32)
KEYS(f64)

/* ---- sorting pairs by key, stable ---- */

static void insertion(pair *v, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    pair p = v[i];
    int64_t j = i;
    for (; j > 0 && v[j - 1].key > p.key; j--) v[j] = v[j - 1];
    v[j] = p;
  }
}

/* Byte by byte from the lowest; bytes that all keys share are left out.  v is
** sorted in place, tmp has as much room; keys differ in the lowest `bytes`. */
static void radix(pair *v, pair *tmp, int64_t n, int bytes) {
  int64_t count[8][256];
  memset(count, 0, sizeof *count * (size_t)bytes);
  for (int64_t i = 0; i < n; i++)
    for (int b = 0; b < bytes; b++) count[b][v[i].key >> 8 * b & 255]++;
  pair *from = v, *to = tmp;
  for (int b = 0; b < bytes; b++) {
    int64_t *c = count[b], sum = 0;
    if (c[v[0].key >> 8 * b & 255] == n) continue;
    for (int k = 0; k < 256; k++) {
      int64_t m = c[k];
      c[k] = sum;
      sum += m;
    }
    for (int64_t i = 0; i < n; i++) to[c[from[i].key >> 8 * b & 255]++] = from[i];
    pair *t = from;
    from = to;
    to = t;
  }
  if (from != v) memcpy(v, from, (size_t)n * sizeof *v);
}

static void sort_pairs(pair *v, pair *tmp, int64_t n, int bytes) {
  if (n <= FEW) insertion(v, n);
  else radix(v, tmp, n, bytes);
}

/* The k smallest keys in order: a sorted list that later keys must beat. */
static void smallest(pair *v, int64_t k, const uint64_t *key, int64_t n) {
  for (int64_t i = 0; i < k; i++) v[i] = (pair){ key[i], i };
  insertion(v, k);
  for (int64_t i = k; i < n; i++) {
    if (key[i] >= v[k - 1].key) continue;
    int64_t j = k - 1;
    for (; j > 0 && v[j - 1].key > key[i]; j--) v[j] = v[j - 1];
    v[j] = (pair){ key[i], i };
  }
}

/* ---- lines ---- */

typedef struct job {
  td_lines l;
  int64_t k;
  bool few;                     /* k is small beside n */
  int size;
  uint64_t flip;                /* all ones: descending */
  void (*keys)(uint64_t *, const char *, int64_t, int64_t, uint64_t);
} job;

static void put(const job *j, int64_t line, const pair *v) {
  char *x = td_line_at(&j->l, 0, line), *y = td_line_at(&j->l, 1, line);
  char *at = td_line_at(&j->l, 2, line);
  for (int64_t i = 0; i < j->k; i++, y += j->l.step[1], at += j->l.step[2]) {
    memcpy(y, x + v[i].at * j->l.step[0], (size_t)j->size);
    memcpy(at, &v[i].at, sizeof v[i].at);
  }
}

static void order_lines(void *ctx, int64_t begin, int64_t end, char *scratch) {
  const job *j = ctx;
  int64_t n = j->l.n;
  pair *v = (pair *)(void *)scratch, *tmp = v + (j->few ? j->k : n);
  uint64_t *key = (uint64_t *)(void *)tmp;      /* read before tmp is used */
  for (int64_t line = begin; line < end; line++) {
    j->keys(key, td_line_at(&j->l, 0, line), n, j->l.step[0], j->flip);
    if (j->few) {
      smallest(v, j->k, key, n);
    } else {
      for (int64_t i = 0; i < n; i++) v[i] = (pair){ key[i], i };
      sort_pairs(v, tmp, n, j->size);
    }
    put(j, line, v);
  }
}

static td_status order(const td_call *c, td_tensor **out, int64_t dim, int64_t k,
                       bool descending) {
  static void (*const keys[TD_DTYPE_COUNT])(uint64_t *, const char *, int64_t,
                                            int64_t, uint64_t) = {
    [TD_BOOL] = keys_u8, [TD_U8] = keys_u8, [TD_I32] = keys_i32,
    [TD_I64] = keys_i64, [TD_F32] = keys_f32, [TD_F64] = keys_f64 };
  const td_tensor *x = c->in[0];
  if (td__numel(out[0]) == 0) return TD_OK;
  job j = { .k = k, .size = (int)td_dtype_size(x->dtype), .keys = keys[x->dtype],
            .flip = descending ? UINT64_MAX : 0 };
  if (!j.keys)
    return td_fail(TD_EDTYPE, "%s: not available for %s", c->op->name,
                   td_dtype_name(x->dtype));
  td_lines_of(&j.l, x, dim, 2, out, true);
  j.few = k <= SMALL_K && k < j.l.n;
  return td_lines_run(&j.l, 16 * j.l.n, sizeof(pair) * 2 * (size_t)j.l.n,
                      order_lines, &j);
}

td_status td_order_sort(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  int64_t dim = c->attr[0].i;
  return order(c, out, dim, x->ndim ? x->shape[dim] : 1, c->attr[1].i != 0);
}
td_status td_order_topk(const td_call *c, td_tensor **out) {
  return order(c, out, c->attr[1].i, c->attr[0].i, c->attr[2].i != 0);
}
