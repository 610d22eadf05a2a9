/* io_npy.c -- NumPy's .npy: a magic string, a header that is a Python literal
** {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, then the data. */
#include "io.h"
#include "op.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_HEADER 65536

/* ---- the header ---- */

typedef struct header {
  const td_kind *k;
  bool swap, fortran;
  int ndim;
  int64_t shape[TD_MAXDIM];
  unsigned seen;           /* bits: descr, fortran_order, shape */
} header;

typedef struct text {      /* of the header, ended by a NUL */
  const char *p, *start;
  td_reader *r;
  uint64_t at;             /* where it starts in the file */
} text;

static bool bad(text *x, const char *what) {
  td_reader_fail(x->r, "npy header, offset %llu: %s",
                 (unsigned long long)(x->at + (uint64_t)(x->p - x->start)), what);
  return false;
}
static void space(text *x) {
  while (*x->p == ' ' || *x->p == '\n' || *x->p == '\t' || *x->p == '\r') x->p++;
}
static bool take(text *x, char c) {
  space(x);
  if (*x->p != c) return false;
  x->p++;
  return true;
}
static bool want(text *x, char c) {
  char what[] = "expected ' '";
  what[10] = c;
  return take(x, c) || bad(x, what);
}

/* A short string in quotes of either kind; there are no escapes in it. */
static bool string(text *x, char *s, size_t size) {
  space(x);
  char quote = *x->p;
  size_t n = 0;
  if (quote != '\'' && quote != '"') return bad(x, "expected a string");
  const char *end = strchr(x->p + 1, quote);
  if (!end || (n = (size_t)(end - x->p) - 1) >= size)
    return bad(x, "a string that does not belong here");
  memcpy(s, x->p + 1, n);
  s[n] = 0;
  x->p = end + 1;
  return true;
}

static bool descr(text *x, header *h) {
  char s[32], what[96];
  space(x);
  if (*x->p == '[') return bad(x, "records are not supported");
  const char *from = x->p;
  if (!string(x, s, sizeof s)) return false;
  size_t n = strlen(s);
  if (n >= 3 && strspn(s + 2, "0123456789") == n - 2 && n <= 5 &&
      strchr("<>|=", s[0]) && s[1] != 'w')
    h->k = td_kind_find(s[1], atoi(s + 2));
  h->swap = s[0] == '>';
  if (h->k) return true;
  x->p = from;
  snprintf(what, sizeof what, "element type '%s' is not supported; "
           "use x.astype(...) in NumPy", s);
  return bad(x, what);
}

static bool boolean(text *x, bool *v) {
  space(x);
  *v = !strncmp(x->p, "True", 4);
  if (!*v && strncmp(x->p, "False", 5)) return bad(x, "expected True or False");
  x->p += *v ? 4 : 5;
  return true;
}

static bool number(text *x, int64_t *v) {
  space(x);
  const char *from = x->p;
  for (*v = 0; *x->p >= '0' && *x->p <= '9'; x->p++)
    if (__builtin_mul_overflow(*v, 10, v) ||
        __builtin_add_overflow(*v, *x->p - '0', v))
      return bad(x, "a size is too large");
  if (x->p == from) return bad(x, "expected a size");
  if (*x->p == 'L') x->p++;            /* written by Python 2 */
  return true;
}

static bool shape(text *x, header *h) {
  if (!want(x, '(')) return false;
  for (h->ndim = 0; !take(x, ')'); ) {
    if (h->ndim == TD_MAXDIM) return bad(x, "there are more than 8 dims");
    if (!number(x, &h->shape[h->ndim++])) return false;
    if (!take(x, ',')) return want(x, ')');
  }
  return true;
}

static bool item(text *x, header *h) {
  char key[32];
  if (!string(x, key, sizeof key) || !want(x, ':')) return false;
  unsigned bit = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 :
    !strcmp(key, "shape") ? 4 : 0;
  if (!bit || h->seen & bit)
    return bad(x, bit ? "a key stands twice" : "a key that is not known");
  h->seen |= bit;
  return bit == 1 ? descr(x, h) : bit == 2 ? boolean(x, &h->fortran) :
    shape(x, h);
}

static bool parse_text(text *x, header *h) {
  if (!want(x, '{')) return false;
  while (!take(x, '}')) {
    if (!item(x, h)) return false;
    if (take(x, ',')) continue;
    if (!want(x, '}')) return false;
    break;
  }
  space(x);
  if (*x->p) return bad(x, "text after the header");
  return h->seen == 7 || bad(x, "descr, fortran_order or shape is missing");
}

static td_status read_header(td_reader *r, header *h) {
  unsigned char p[12];
  td_status st = td_reader_get(r, p, 10, "npy header");
  if (st) return st;
  if (memcmp(p, "\x93NUMPY", 6))
    return td_reader_fail(r, "is not an npy file; it starts like %s",
                          td_io_guess(p, 10));
  if (p[6] < 1 || p[6] > 3)
    return td_reader_fail(r, "npy version %d.%d is not known", p[6], p[7]);
  uint32_t n = p[8] | (uint32_t)p[9] << 8;
  if (p[6] > 1) {
    if ((st = td_reader_get(r, p + 10, 2, "npy header length"))) return st;
    n |= (uint32_t)p[10] << 16 | (uint32_t)p[11] << 24;
  }
  if (n > MOST_HEADER)
    return td_reader_fail(r, "the npy header is longer than 64 KB");
  char *s = malloc(n + 1);
  if (!s) return td_fail(TD_ENOMEM, "%s: out of memory", r->path);
  text x = { s, s, r, r->at };
  st = td_reader_get(r, s, n, "npy header text");
  s[n] = 0;
  if (!st && strlen(s) < n)
    st = td_reader_fail(r, "npy header text: a NUL byte in it");
  if (!st && !parse_text(&x, h)) st = TD_EIO;
  free(s);
  return st;
}

/* ---- reading ---- */

td_tensor *td_npy_parse(td_reader *r) {
  header h = { 0 };
  int64_t sizes[TD_MAXDIM], order[TD_MAXDIM];
  if (read_header(r, &h)) return NULL;
  for (int d = 0; d < h.ndim; d++) {
    sizes[d] = h.shape[h.fortran ? h.ndim - 1 - d : d];
    order[d] = h.ndim - 1 - d;
  }
  td_tensor *t = td_kind_read(r, h.k, h.swap, h.ndim, sizes, "npy data");
  if (!t || !h.fortran || h.ndim < 2) return t;
  t = td_permute(t, (td_ints){ h.ndim, order });
  return r->map ? t : td_contiguous(t);
}

td_tensor *td_npy_read(const char *path, bool map) {
  td_reader r;
  if (td_reader_open(&r, path, true)) return NULL;
  r.map = map;
  td_tensor *t = td_npy_parse(&r);
  if (t && td_reader_finish(&r, false)) t = NULL;
  td_reader_close(&r);
  return t;
}

/* ---- writing ---- */

char *td_npy_header(const td_tensor *t, size_t *n) {
  static const char *const names[] = { [TD_BOOL] = "|b1", [TD_U8] = "|u1",
    [TD_I32] = "<i4", [TD_I64] = "<i8", [TD_BF16] = "<f4", [TD_F32] = "<f4",
    [TD_F64] = "<f8" };
  enum { SIZE = 384 };      /* 8 dims of 20 digits, and the words around them */
  char *h = malloc(SIZE);
  if (!h) return td_fail_null(TD_ENOMEM, "npy: out of memory");
  memcpy(h, "\x93NUMPY\1\0", 8);
  int at = 10 + snprintf(h + 10, SIZE - 10, "{'descr': '%s', 'fortran_order': "
                         "False, 'shape': (", names[t->dtype]);
  for (int d = 0; d < t->ndim; d++)
    at += snprintf(h + at, (size_t)(SIZE - at), "%lld,%s",
                   (long long)t->shape[d], d + 1 < t->ndim ? " " : "");
  at += snprintf(h + at, (size_t)(SIZE - at), "), }");
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
    if (td_io_is_gz(path)) st = td_writer_pack(&w, true);
    td_writer_put(&w, head, n);
    td_io_put(&w, h);
    st = td_writer_close(&w, st);
  }
  free(head);
  td_scope_close(mark);
  return st;
}
