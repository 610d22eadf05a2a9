/* io_safetensors.c -- the safetensors format: the length of a header (8 bytes,
** little end first), the header as JSON, then the data of all tensors.
**
** The header maps names to {"dtype","shape","data_offsets"}; the small parser
** here reads just that, strictly. */
#include "io.h"
#include "op.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[TD_DTYPE_COUNT] = {
  [TD_BOOL] = "BOOL", [TD_U8] = "U8", [TD_I32] = "I32", [TD_I64] = "I64",
  [TD_BF16] = "BF16", [TD_F32] = "F32", [TD_F64] = "F64",
};

/* ---- a reader of the header's JSON ---- */

typedef struct text {
  const char *p, *end, *start, *path;
  bool failed;
} text;

static bool bad(text *j, const char *what) {
  if (!j->failed)
    td_fail(TD_EIO, "%s: safetensors header, offset %td: %s", j->path,
            j->p - j->start + 8, what);
  j->failed = true;
  return false;
}
static void space(text *j) {
  while (j->p < j->end && strchr(" \t\r\n", *j->p)) j->p++;
}
static bool take(text *j, char c) {
  space(j);
  if (j->p < j->end && *j->p == c) return j->p++, true;
  return false;
}
static bool want(text *j, char c) {
  char what[] = "expected ' '";
  what[10] = c;
  return take(j, c) || bad(j, what);
}

/* A string as it stands between the quotes; escapes are kept. */
static bool string(text *j, const char **s, size_t *n) {
  if (!want(j, '"')) return false;
  *s = j->p;
  while (j->p < j->end && *j->p != '"') j->p += *j->p == '\\' ? 2 : 1;
  if (j->p >= j->end) return bad(j, "a string does not end");
  *n = (size_t)(j->p++ - *s);
  return true;
}
static bool is(const char *s, size_t n, const char *word) {
  return n == strlen(word) && !memcmp(s, word, n);
}

static bool integer(text *j, int64_t *v) {
  space(j);
  *v = 0;
  const char *from = j->p;
  for (; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++)
    if (__builtin_mul_overflow(*v, 10, v) ||
        __builtin_add_overflow(*v, *j->p - '0', v))
      return bad(j, "a number is too large");
  return j->p > from || bad(j, "expected a whole number");
}

/* At most `most` numbers; returns how many, or -1. */
static int integers(text *j, int64_t *v, int most) {
  int n = 0;
  if (!want(j, '[')) return -1;
  if (take(j, ']')) return 0;
  do {
    if (n == most) return bad(j, "the list is too long"), -1;
    if (!integer(j, &v[n++])) return -1;
  } while (take(j, ','));
  return want(j, ']') ? n : -1;
}

/* Any flat object of strings, kept as text. */
static bool metadata(text *j, char **out) {
  const char *s, *from;
  size_t n;
  space(j);
  from = j->p;
  if (!want(j, '{')) return false;
  if (!take(j, '}')) {
    do {
      if (!string(j, &s, &n) || !want(j, ':') || !string(j, &s, &n))
        return false;
    } while (take(j, ','));
    if (!want(j, '}')) return false;
  }
  free(*out);
  *out = strndup(from, (size_t)(j->p - from));
  return true;
}

/* ---- reading ---- */

typedef struct entry {
  td_dtype dtype;
  int ndim;
  int64_t shape[TD_MAXDIM], at[2];
} entry;

static bool dtype_of(text *j, entry *e) {
  const char *s;
  size_t n;
  if (!string(j, &s, &n)) return false;
  for (int d = 0; d < TD_DTYPE_COUNT; d++)
    if (is(s, n, names[d])) return e->dtype = (td_dtype)d, true;
  return bad(j, "an element type that is not BOOL, U8, I32, I64, BF16, F32, F64");
}

static bool parse_entry(text *j, entry *e) {
  unsigned seen = 0;
  const char *s;
  size_t n;
  if (!want(j, '{')) return false;
  do {
    if (!string(j, &s, &n) || !want(j, ':')) return false;
    if (is(s, n, "dtype")) seen |= dtype_of(j, e) ? 1 : 0;
    else if (is(s, n, "shape"))
      seen |= (e->ndim = integers(j, e->shape, TD_MAXDIM)) >= 0 ? 2 : 0;
    else if (is(s, n, "data_offsets"))
      seen |= integers(j, e->at, 2) == 2 ? 4 : 0;
    else bad(j, "a field that is not dtype, shape or data_offsets");
    if (j->failed) return false;
  } while (take(j, ','));
  if (!want(j, '}')) return false;
  return seen == 7 || bad(j, "dtype, shape or data_offsets is missing");
}

static td_tensor *load_entry(const td_map *m, uint64_t data, const entry *e,
                             const char *name, size_t n) {
  char field[80];
  int64_t bytes = (int64_t)td_dtype_size(e->dtype);
  snprintf(field, sizeof field, "tensor '%.*s'", (int)(n < 60 ? n : 60), name);
  for (int d = 0; d < e->ndim; d++)
    if (__builtin_mul_overflow(bytes, e->shape[d], &bytes))
      return td_fail_null(TD_EIO, "%s: %s: the shape is too large", m->path,
                          field);
  if (e->at[0] > e->at[1] || e->at[1] - e->at[0] != bytes)
    return td_fail_null(TD_EIO, "%s: %s: its shape takes %lld bytes, its "
      "data_offsets span %lld", m->path, field, (long long)bytes,
      (long long)(e->at[1] - e->at[0]));
  const unsigned char *p = td_map_at(m, data + (uint64_t)e->at[0],
                                     (uint64_t)bytes, field);
  td_tensor *t = p ? td_empty(td_cpu(), e->dtype, e->ndim, e->shape) : NULL;
  if (t) memcpy(t->data, p, (size_t)bytes);
  return t;
}

static td_status parse(const td_map *m, td_archive *out) {
  const unsigned char *p = td_map_at(m, 0, 8, "safetensors header length");
  uint64_t n = 0;
  if (!p) return TD_EIO;
  for (int i = 0; i < 8; i++) n |= (uint64_t)p[i] << 8 * i;
  if (!(p = td_map_at(m, 8, n, "safetensors header"))) return TD_EIO;
  text j = { (const char *)p, (const char *)p + n, (const char *)p, m->path, 0 };
  if (!want(&j, '{')) return TD_EIO;
  if (take(&j, '}')) return TD_OK;
  do {
    const char *s;
    size_t len;
    entry e;
    if (!string(&j, &s, &len) || !want(&j, ':')) return TD_EIO;
    if (is(s, len, "__metadata__")) {
      if (!metadata(&j, &out->metadata)) return TD_EIO;
      continue;
    }
    if (!parse_entry(&j, &e)) return TD_EIO;
    td_tensor *t = load_entry(m, 8 + n, &e, s, len);
    td_status st = t ? td_archive_add(out, s, len, t) : td_error_code();
    if (st) return st;
  } while (take(&j, ','));
  return want(&j, '}') ? TD_OK : TD_EIO;
}

td_status td_safetensors_read(const char *path, td_archive *out) {
  td_map m;
  td_status st = td_map_open(&m, path);
  if (!st) st = parse(&m, out);
  td_map_close(&m);
  if (st) td_archive_free(out);
  return st;
}

/* ---- writing ---- */

typedef struct out { char *p; size_t n, cap; bool failed; } out;

static void put(out *o, const char *s, size_t n) {
  if (o->n + n + 16 > o->cap) {
    char *p = realloc(o->p, o->cap = (o->n + n) * 2 + 1024);
    if (!p) { o->failed = true; return; }
    o->p = p;
  }
  memcpy(o->p + o->n, s, n);
  o->n += n;
}
static void put_text(out *o, const char *s) { put(o, s, strlen(s)); }
static void put_number(out *o, int64_t v) {
  char b[32];
  put(o, b, (size_t)snprintf(b, sizeof b, "%lld", (long long)v));
}

/* Names come back as they went in: what JSON must escape is refused. */
static td_status check_name(const char *path, const char *name) {
  for (const char *p = name; *p; p++)
    if (*p == '"' || *p == '\\' || (unsigned char)*p < 32)
      return td_fail(TD_EARG, "%s: the name '%s' has a quote, a backslash or a "
                     "control character", path, name);
  return TD_OK;
}

static td_status header(out *o, const char *path, const td_archive *a,
                        td_tensor **host) {
  int64_t at = 0;
  put_text(o, "{");
  if (a->metadata) {
    put_text(o, "\"__metadata__\":");
    put_text(o, a->metadata);
  }
  for (int i = 0; i < a->n; i++) {
    td_status st = check_name(path, a->name[i]);
    if (st) return st;
    if (!(host[i] = td_io_host(a->t[i], true))) return td_error_code();
    const td_tensor *t = host[i];
    put_text(o, i || a->metadata ? ",\"" : "\"");
    put_text(o, a->name[i]);
    put_text(o, "\":{\"dtype\":\"");
    put_text(o, names[t->dtype]);
    put_text(o, "\",\"shape\":[");
    for (int d = 0; d < t->ndim; d++) {
      if (d) put_text(o, ",");
      put_number(o, t->shape[d]);
    }
    put_text(o, "],\"data_offsets\":[");
    put_number(o, at);
    put_text(o, ",");
    put_number(o, at += td__numel(t) * (int64_t)td_dtype_size(t->dtype));
    put_text(o, "]}");
  }
  put_text(o, "}");
  while (o->n % 8) put_text(o, " ");
  return o->failed ? td_fail(TD_ENOMEM, "%s: out of memory", path) : TD_OK;
}

td_status td_safetensors_write(const char *path, const td_archive *a) {
  out o = { 0 };
  td_writer w = { 0 };
  unsigned char length[8];
  int mark = td_scope_open();
  td_tensor **host = calloc((size_t)a->n + 1, sizeof *host);
  td_status st = host ? header(&o, path, a, host) :
    td_fail(TD_ENOMEM, "%s: out of memory", path);
  if (!st) st = td_writer_open(&w, path);
  if (!st) {
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(o.n >> 8 * i);
    td_writer_put(&w, length, 8);
    td_writer_put(&w, o.p, o.n);
    for (int i = 0; i < a->n; i++)
      td_writer_put(&w, host[i]->data,
                    (size_t)td__numel(host[i]) * td_dtype_size(host[i]->dtype));
    st = td_writer_close(&w, TD_OK);
  }
  free(o.p);
  free(host);
  td_scope_close(mark);
  return st;
}
