/* io_npy.c -- NumPy's .npy: a magic string, a header that is a Python literal
** {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, then the data. */
#include "io.h"
#include "op.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- element types ---- */

typedef struct kind {
  char letter;
  int size;
  td_dtype dtype;          /* what it becomes here */
  td_dtype stored;         /* TD_DTYPE_COUNT: needs conversion by `wide` */
} kind;
static const kind kinds[] = {
  { 'f', 4, TD_F32, TD_F32 }, { 'f', 8, TD_F64, TD_F64 },
  { 'i', 4, TD_I32, TD_I32 }, { 'i', 8, TD_I64, TD_I64 },
  { 'u', 1, TD_U8, TD_U8 }, { 'b', 1, TD_BOOL, TD_BOOL },
  { 'f', 2, TD_F32, TD_DTYPE_COUNT }, { 'i', 1, TD_I32, TD_DTYPE_COUNT },
  { 'i', 2, TD_I32, TD_DTYPE_COUNT }, { 'u', 2, TD_I32, TD_DTYPE_COUNT },
  { 'u', 4, TD_I64, TD_DTYPE_COUNT },
};

static const kind *find_kind(char letter, int size) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].letter == letter && kinds[i].size == size) return &kinds[i];
  return NULL;
}

static float half(uint16_t h) {
  uint32_t sign = (uint32_t)(h >> 15) << 31, e = h >> 10 & 31, m = h & 1023;
  union { uint32_t u; float f; } v;
  if (e == 31) v.u = sign | 0x7f800000u | m << 13;
  else if (e) v.u = sign | (e + 112) << 23 | m << 13;
  else {
    v.f = (float)m * 0x1p-24f;
    v.u |= sign;
  }
  return v.f;
}

/* One element of a type that is not stored here, as a double (all fit). */
static double wide(const kind *k, const unsigned char *b) {
  uint32_t u = 0;
  for (int i = 0; i < k->size; i++) u |= (uint32_t)b[i] << 8 * i;
  if (k->letter == 'f') return half((uint16_t)u);
  if (k->letter == 'u') return u;
  return k->size == 1 ? (int8_t)u : (int16_t)u;
}

/* ---- the header ---- */

typedef struct header {
  const kind *k;
  bool swap, fortran;
  int ndim;
  int64_t shape[TD_MAXDIM];
  uint64_t data;           /* where it starts */
} header;

/* The text after 'key': in a header that ends with a NUL. */
static const char *value_of(const char *text, const char *key) {
  char quoted[32];
  snprintf(quoted, sizeof quoted, "'%s'", key);
  const char *p = strstr(text, quoted);
  if (!p) return NULL;
  p += strlen(quoted);
  while (*p == ' ' || *p == ':') p++;
  return p;
}

static bool parse_shape(const char *p, header *h) {
  if (*p++ != '(') return false;
  for (h->ndim = 0; ; ) {
    while (*p == ' ' || *p == ',') p++;
    if (*p == ')') return true;
    char *end;
    long long n = strtoll(p, &end, 10);
    if (end == p || n < 0 || h->ndim == TD_MAXDIM) return false;
    h->shape[h->ndim++] = n;
    p = *end == 'L' ? end + 1 : end;
  }
}

static td_status bad_header(const char *name, const char *what) {
  return td_fail(TD_EIO, "%s: npy header: %s", name, what);
}

static td_status parse_text(const char *text, const char *name, header *h) {
  const char *d = value_of(text, "descr"), *f = value_of(text, "fortran_order"),
    *s = value_of(text, "shape");
  if (!d || !f || !s)
    return bad_header(name, "descr, fortran_order or shape is missing");
  if (*d != '\'') return bad_header(name, "records are not supported");
  char order = d[1];
  h->k = find_kind(d[2], atoi(d + 3));
  if (!strchr("<>|=", order) || !h->k) {
    char type[8] = { 0 };
    snprintf(type, sizeof type, "%.6s", d + 1);
    return td_fail(TD_EIO, "%s: npy header: element type %s is not supported",
                   name, type);
  }
  h->swap = order == '>' && h->k->size > 1;
  h->fortran = *f == 'T';
  return parse_shape(s, h) ? TD_OK : bad_header(name, "the shape is damaged, or "
                                                "has more than 8 dims");
}

static td_status read_header(const td_map *m, const char *name, header *h) {
  const unsigned char *p = td_map_at(m, 0, 10, "npy header");
  if (!p) return TD_EIO;
  if (memcmp(p, "\x93NUMPY", 6)) return bad_header(name, "not an npy file");
  bool two = p[6] >= 2;
  uint64_t start = two ? 12 : 10, n = p[8] | (uint64_t)p[9] << 8;
  if (two && !(p = td_map_at(m, 0, 12, "npy header"))) return TD_EIO;
  if (two) n |= (uint64_t)p[10] << 16 | (uint64_t)p[11] << 24;
  if (!(p = td_map_at(m, start, n, "npy header text"))) return TD_EIO;
  if (n > 1 << 16) return bad_header(name, "it is longer than 64 KB");
  char *text = malloc(n + 1);
  if (!text) return td_fail(TD_ENOMEM, "%s: out of memory", name);
  memcpy(text, p, n);
  text[n] = 0;
  td_status st = parse_text(text, name, h);
  free(text);
  h->data = start + n;
  return st;
}

/* ---- reading ---- */

static void swap_bytes(unsigned char *p, int64_t n, int size) {
  for (int64_t i = 0; i < n; i++, p += size)
    for (int a = 0, b = size - 1; a < b; a++, b--) {
      unsigned char t = p[a];
      p[a] = p[b];
      p[b] = t;
    }
}

static void widen(const kind *k, bool swap, const unsigned char *src,
                  td_tensor *t, int64_t n) {
  unsigned char one[4];
  for (int64_t i = 0; i < n; i++, src += k->size) {
    memcpy(one, src, (size_t)k->size);
    if (swap) swap_bytes(one, 1, k->size);
    double v = wide(k, one);
    if (k->dtype == TD_F32) ((float *)t->data)[i] = (float)v;
    else if (k->dtype == TD_I32) ((int32_t *)t->data)[i] = (int32_t)v;
    else ((int64_t *)t->data)[i] = (int64_t)v;
  }
}

td_tensor *td_npy_parse(const td_map *m, const char *name) {
  header h = { 0 };
  int64_t count = 1, shape[TD_MAXDIM], order[TD_MAXDIM];
  if (read_header(m, name, &h)) return NULL;
  for (int d = 0; d < h.ndim; d++)
    if (__builtin_mul_overflow(count, h.shape[d], &count) || count > 1LL << 56)
      return td_fail_null(TD_EIO, "%s: npy header: the shape is too large", name);
  const unsigned char *src = td_map_at(m, h.data,
    (uint64_t)count * (uint64_t)h.k->size, "npy data");
  if (!src) return NULL;
  for (int d = 0; d < h.ndim; d++) {
    shape[d] = h.shape[h.fortran ? h.ndim - 1 - d : d];
    order[d] = h.ndim - 1 - d;
  }
  td_tensor *t = td_empty(td_cpu(), h.k->dtype, h.ndim, shape);
  if (!t) return NULL;
  if (h.k->stored == TD_DTYPE_COUNT) {
    widen(h.k, h.swap, src, t, count);
  } else {
    memcpy(t->data, src, (size_t)count * (size_t)h.k->size);
    if (h.swap) swap_bytes((unsigned char *)t->data, count, h.k->size);
  }
  if (h.k->dtype == TD_BOOL)
    for (int64_t i = 0; i < count; i++) t->data[i] = t->data[i] != 0;
  return h.fortran && h.ndim > 1 ?
    td_contiguous(td_permute(t, (td_ints){ h.ndim, order })) : t;
}

td_tensor *td_npy_read(const char *path) {
  td_map m;
  if (td_map_open(&m, path)) return NULL;
  td_tensor *t = td_npy_parse(&m, path);
  td_map_close(&m);
  return t;
}

/* ---- writing ---- */

char *td_npy_header(const td_tensor *t, size_t *n) {
  static const char *const names[] = { [TD_BOOL] = "|b1", [TD_U8] = "|u1",
    [TD_I32] = "<i4", [TD_I64] = "<i8", [TD_BF16] = "<f4", [TD_F32] = "<f4",
    [TD_F64] = "<f8" };
  char *h = malloc(384);
  if (!h) return td_fail_null(TD_ENOMEM, "npy: out of memory");
  memcpy(h, "\x93NUMPY\1\0", 8);
  int at = 10 + snprintf(h + 10, 374, "{'descr': '%s', 'fortran_order': False, "
                         "'shape': (", names[t->dtype]);
  for (int d = 0; d < t->ndim; d++)
    at += snprintf(h + at, (size_t)(384 - at), "%lld,%s",
                   (long long)t->shape[d], d + 1 < t->ndim ? " " : "");
  at += snprintf(h + at, (size_t)(384 - at), "), }");
  while (at % 64 != 63) h[at++] = ' ';      /* data starts at a multiple of 64 */
  h[at++] = '\n';
  h[8] = (char)((at - 10) & 255);
  h[9] = (char)((at - 10) >> 8);
  *n = (size_t)at;
  return h;
}

td_status td_npy_write(const char *path, td_tensor *t) {
  td_writer w;
  size_t n;
  int mark = td_scope_open();
  td_tensor *h = td_io_host(t, false);
  char *head = h ? td_npy_header(h, &n) : NULL;
  td_status st = head ? td_writer_open(&w, path) : td_error_code();
  if (!st) {
    td_writer_put(&w, head, n);
    td_writer_put(&w, h->data, (size_t)td__numel(h) * td_dtype_size(h->dtype));
    st = td_writer_close(&w, TD_OK);
  }
  free(head);
  td_scope_close(mark);
  return st;
}
