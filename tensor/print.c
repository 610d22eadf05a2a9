/* print.c -- how a tensor looks to people: a header line and its values, or
** only the ends of long dims.  What is not shown is neither read nor copied. */
#include "op.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_UP_TO 400                 /* elements that are shown without cuts */
#define MOST 500                      /* elements shown of any tensor */
#define COLUMNS 80
#define DIGITS 4                      /* decimals at most */

/* ---- text that grows ---- */

typedef struct text {
  char *p;
  size_t n, cap;
  bool failed;
} text;

static void put(text *s, const char *fmt, ...)
  __attribute__((format(printf, 2, 3)));
static void put(text *s, const char *fmt, ...) {
  char few[128];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(few, sizeof few, fmt, ap);
  va_end(ap);
  if (s->failed || n < 0) return;
  if (n >= (int)sizeof few) n = (int)sizeof few - 1;
  if (s->n + (size_t)n + 1 > s->cap) {
    size_t cap = 2 * s->cap + 256;
    char *p = realloc(s->p, cap);
    if (!p) { s->failed = true; return; }
    s->p = p;
    s->cap = cap;
  }
  memcpy(s->p + s->n, few, (size_t)n + 1);
  s->n += (size_t)n;
}

/* ---- what is shown ---- */

typedef struct shown {
  td_tensor *t;
  bool cut[TD_MAXDIM];                /* only `edge` items from both ends */
  int edge;
  int64_t size[TD_MAXDIM];            /* items shown along each dim */
  int64_t total;
  double *f;                          /* the values: f, or i */
  int64_t *i;
} shown;

static void choose(shown *s, int edge) {
  const td_tensor *t = s->t;
  bool all = td__numel(t) <= ALL_UP_TO;
  for (s->edge = edge < 1 ? 1 : edge; ; s->edge--) {
    s->total = 1;
    for (int d = 0; d < t->ndim; d++) {
      s->cut[d] = !all && t->shape[d] > 2 * s->edge;
      s->size[d] = s->cut[d] ? 2 * s->edge : t->shape[d];
      s->total *= s->size[d];
    }
    if (s->total <= MOST || s->edge == 1) return;
  }
}

/* Reads the block at the low or high end of each cut dim, by the bits of
** `high`, into its place among the shown values. */
static td_status read_block(shown *s, unsigned high, void *block) {
  int n = s->t->ndim;
  int64_t from[TD_MAXDIM], size[TD_MAXDIM], at[TD_MAXDIM] = { 0 }, count = 1;
  td_tensor *v = s->t;
  for (int d = 0; d < n; d++) {
    bool end = high >> d & 1;
    from[d] = end ? s->edge : 0;
    size[d] = s->cut[d] ? s->edge : s->size[d];
    count *= size[d];
    if (s->cut[d])
      v = td_slice(v, d, end ? s->t->shape[d] - s->edge : 0, s->edge, 1);
  }
  td_status st = s->f ? td_read_f64(v, block) : td_read_i64(v, block);
  for (int64_t k = 0; !st && k < count; k++) {
    int64_t to = 0;
    for (int d = 0; d < n; d++) to = to * s->size[d] + from[d] + at[d];
    if (s->f) s->f[to] = ((double *)block)[k];
    else s->i[to] = ((int64_t *)block)[k];
    for (int d = n - 1; d >= 0 && ++at[d] == size[d]; d--) at[d] = 0;
  }
  return st;
}

static td_status read_values(shown *s, void *block) {
  unsigned cuts = 0;
  td_status st = TD_OK;
  for (int d = 0; d < s->t->ndim; d++) cuts |= (unsigned)s->cut[d] << d;
  bool grad = td_grad_enable(false);
  for (unsigned high = 0; !st && high <= cuts; high++) {
    if (high & ~cuts) continue;
    int mark = td_scope_open();
    st = read_block(s, high, block);
    td_scope_close(mark);
  }
  td_grad_enable(grad);
  return st;
}

/* ---- how numbers look ---- */

typedef struct style {
  enum { LOGICAL, INTEGER, WHOLE, FIXED, SCIENTIFIC } kind;
  int digits;
  int width;
} style;

/* Decimals that v needs, at most DIGITS. */
static int decimals(double v) {
  double scaled = nearbyint(fabs(v) * 1e4);
  int n = DIGITS;
  while (n > 0 && fmod(scaled, 10) == 0) {
    scaled /= 10;
    n--;
  }
  return n;
}

static int one(const shown *s, const style *y, int64_t k, char *buf, size_t n) {
  if (y->kind == LOGICAL) return snprintf(buf, n, s->i[k] ? "true" : "false");
  if (y->kind == INTEGER) return snprintf(buf, n, "%lld", (long long)s->i[k]);
  double v = s->f[k];
  if (isnan(v)) return snprintf(buf, n, "nan");
  if (isinf(v)) return snprintf(buf, n, v < 0 ? "-inf" : "inf");
  if (y->kind == SCIENTIFIC) return snprintf(buf, n, "%.*e", DIGITS, v);
  if (y->kind == WHOLE) return snprintf(buf, n, "%.0f.", v);
  return snprintf(buf, n, "%.*f", y->digits, v);
}

static style choose_style(const shown *s) {
  style y = { WHOLE, 0, 0 };
  double most = 0, least = INFINITY;
  char buf[64];
  if (s->t->dtype == TD_BOOL) y.kind = LOGICAL;
  else if (!s->f) y.kind = INTEGER;
  for (int64_t k = 0; s->f && k < s->total; k++) {
    double v = fabs(s->f[k]);
    if (!isfinite(v)) continue;
    if (v > most) most = v;
    if (v > 0 && v < least) least = v;
    if (v != floor(v)) y.kind = FIXED;
    if (decimals(v) > y.digits) y.digits = decimals(v);
  }
  if (y.kind == FIXED && !y.digits) y.digits = 1;
  if (y.kind == FIXED && (most >= 1e6 || least < 1e-4)) y.kind = SCIENTIFIC;
  if (y.kind == WHOLE && most >= 1e9) y.kind = SCIENTIFIC;
  for (int64_t k = 0; k < s->total; k++) {
    int n = one(s, &y, k, buf, sizeof buf);
    if (n > y.width) y.width = n;
  }
  return y;
}

/* ---- brackets ---- */

static void put_row(text *out, const shown *s, const style *y, int depth,
                    int64_t base) {
  int64_t n = s->size[depth];
  int column = depth + 1;
  char buf[64];
  put(out, "[");
  for (int64_t k = 0; k < n; k++) {
    bool gap = s->cut[depth] && k == s->edge;
    int need = y->width + 2 + (gap ? 5 : 0);
    if (k && column + need > COLUMNS) {
      put(out, "\n%*s", depth + 1, "");
      column = depth + 1;
    } else if (k) {
      put(out, " ");
    }
    if (gap) put(out, "..., ");
    one(s, y, base + k, buf, sizeof buf);
    put(out, "%*s%s", y->width, buf, k + 1 < n ? "," : "");
    column += need;
  }
  put(out, "]");
}

static void put_level(text *out, const shown *s, const style *y, int depth,
                      int64_t base) {
  int ndim = s->t->ndim;
  if (depth == ndim - 1) { put_row(out, s, y, depth, base); return; }
  int64_t n = s->size[depth], step = 1;
  for (int d = depth + 1; d < ndim; d++) step *= s->size[d];
  put(out, "[");
  for (int64_t k = 0; k < n; k++) {
    if (s->cut[depth] && k == s->edge) put(out, "%*s...,\n", depth + 1, "");
    if (k) put(out, "%*s", depth + 1, "");
    put_level(out, s, y, depth + 1, base + k * step);
    if (k + 1 < n) put(out, depth < ndim - 2 ? ",\n\n" : ",\n");
  }
  put(out, "]");
}

/* ---- the whole ---- */

static void put_header(text *out, const td_tensor *t) {
  put(out, "tensor(");
  for (int d = 0; d < t->ndim; d++)
    put(out, "%s%lld", d ? "x" : "", (long long)t->shape[d]);
  put(out, "%s%s, %s", t->ndim ? ", " : "", td_dtype_name(td_type(t)),
      td_device_name(td_device_of(t)));
  if (!td_is_leaf(t)) put(out, ", in graph");
  else if (td_needs_grad(t)) put(out, ", requires_grad");
  put(out, ")");
}

/* A single number is shown with as many digits as its type is good for. */
static void put_scalar(text *out, const shown *s) {
  td_dtype d = td_type(s->t);
  style y = choose_style(s);
  char buf[64];
  if (s->f && isfinite(s->f[0]))
    snprintf(buf, sizeof buf, "%.*g", d == TD_F64 ? 10 : d == TD_F32 ? 6 : 3,
             s->f[0]);
  else
    one(s, &y, 0, buf, sizeof buf);
  put(out, " %s", buf);
}

static void put_values(text *out, const shown *s) {
  if (s->t->ndim == 0) {
    put_scalar(out, s);
  } else if (s->total == 0) {
    put(out, " empty");
  } else {
    style y = choose_style(s);
    put(out, "\n");
    put_level(out, s, &y, 0, 0);
  }
}

char *td_format(td_tensor *t, int edge) {
  shown s = { .t = t };
  text out = { 0 };
  if (!t) return NULL;
  choose(&s, edge);
  size_t bytes = sizeof(double) * (size_t)(s.total + 1);
  void *values = malloc(bytes), *block = malloc(bytes);
  if (td_dtype_is_float(td_type(t))) s.f = values;
  else s.i = values;
  td_status st = values && block ? read_values(&s, block) :
    td_fail(TD_ENOMEM, "out of memory for %zu bytes of text", bytes);
  if (!st) {
    put_header(&out, t);
    put_values(&out, &s);
    if (out.failed) st = td_fail(TD_ENOMEM, "out of memory for the text of a "
                                 "tensor");
  }
  free(values);
  free(block);
  if (!st) return out.p;
  free(out.p);
  return NULL;
}
