/* io_safetensors.c -- the safetensors format: the length of a header (8 bytes,
** little end first), the header as JSON, then the data of all tensors.
**
** The header maps names to {"dtype","shape","data_offsets"}; the small parser
** here reads just that, strictly.  As the format demands, names stand once, and
** the tensors fill the data without gaps, overlaps or a rest. */
#include "io.h"
#include "op.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_HEADER 100000000u         /* what the format allows */

static const struct { const char *name; char letter; int size; } types[] = {
  { "F32", 'f', 4 }, { "F64", 'f', 8 }, { "BF16", 'w', 2 }, { "I64", 'i', 8 },
  { "I32", 'i', 4 }, { "U8", 'u', 1 }, { "BOOL", 'b', 1 }, { "F16", 'f', 2 },
  { "I16", 'i', 2 }, { "I8", 'i', 1 }, { "U16", 'u', 2 }, { "U32", 'u', 4 },
  { "U64", 'u', 8 },
};
enum { TYPES = sizeof types / sizeof *types };

/* ---- a reader of the header's JSON ---- */

typedef struct text {
  const char *p, *end, *start;
  td_reader *r;
  char *word;              /* the last string, without escapes, NUL at its end */
  size_t n;
} text;

static bool bad(text *j, const char *what) {
  td_reader_fail(j->r, "safetensors header, offset %llu: %s",
                 (unsigned long long)(j->p - j->start) + 8, what);
  return false;
}
static void space(text *j) {
  while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' ||
                           *j->p == '\r')) j->p++;
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

/* Four hexadecimal digits, or -1. */
static int32_t hex4(text *j) {
  int32_t v = 0;
  if (j->end - j->p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    char c = *j->p++;
    int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
      c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (d < 0) return -1;
    v = v * 16 + d;
  }
  return v;
}

static void put_point(text *j, uint32_t c) {
  static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
  int len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (int i = len - 1; i >= 0; i--, c >>= 6)
    j->word[j->n + (size_t)i] = (char)(i ? 0x80 | (c & 63) :
                                       len == 1 ? c : lead[len] | c);
  j->n += (size_t)len;
}

/* What follows \u: perhaps the first half of a pair.  Halves that stand alone
** are found when the UTF-8 is checked. */
static bool code_point(text *j) {
  int32_t c = hex4(j);
  if (c < 0) return bad(j, "a damaged \\u escape");
  if (c >> 10 == 0xd800 >> 10 && j->end - j->p >= 2 && j->p[0] == '\\' &&
      j->p[1] == 'u') {
    j->p += 2;
    int32_t low = hex4(j);
    if (low >> 10 != 0xdc00 >> 10) return bad(j, "a damaged \\u escape");
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  }
  put_point(j, (uint32_t)c);
  return true;
}

static bool escape(text *j) {
  static const char codes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (j->p == j->end) return bad(j, "a string does not end");
  char c = *j->p++;
  if (c == 'u') return code_point(j);
  const char *at = c ? strchr(codes, c) : NULL;
  if (!at) return bad(j, "an escape that JSON does not have");
  j->word[j->n++] = meant[at - codes];
  return true;
}

/* Leaves the string in j->word, which is never longer than the header. */
static bool string(text *j) {
  if (!want(j, '"')) return false;
  for (j->n = 0; ; ) {
    if (j->p == j->end) return bad(j, "a string does not end");
    char c = *j->p++;
    if (c == '"') break;
    if ((unsigned char)c < 32) return bad(j, "a control character in a string");
    if (c != '\\') j->word[j->n++] = c;
    else if (!escape(j)) return false;
  }
  j->word[j->n] = 0;
  return td_io_utf8(j->word, j->n) || bad(j, "a string that is not UTF-8");
}
static bool is(const text *j, const char *word) {
  return j->n == strlen(word) && !memcmp(j->word, word, j->n);
}

static bool integer(text *j, int64_t *v) {
  space(j);
  const char *from = j->p;
  for (*v = 0; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++)
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

static bool notes(text *j, td_archive *out) {
  if (!want(j, '{')) return false;
  if (take(j, '}')) return true;
  do {
    if (!string(j) || !want(j, ':')) return false;
    char *key = strdup(j->word);
    size_t n = j->n;
    if (!key) return td_fail(TD_ENOMEM, "%s: out of memory", j->r->path), false;
    bool ok = string(j) && !td_archive_note(out, key, n, j->word, j->n);
    free(key);
    if (!ok) return false;
  } while (take(j, ','));
  return want(j, '}');
}

/* ---- the tensors of the header ---- */

typedef struct entry {
  const td_kind *kind;
  char *name;
  int ndim, place;         /* place: in the header */
  int64_t shape[TD_MAXDIM], at[2];
} entry;
typedef struct entries { entry *v; int n, cap; } entries;

static const td_kind *kind_of(text *j) {
  if (!string(j)) return NULL;
  for (int i = 0; i < TYPES; i++)
    if (is(j, types[i].name)) return td_kind_find(types[i].letter, types[i].size);
  char what[80];
  snprintf(what, sizeof what, "element type '%.20s' is not supported", j->word);
  bad(j, what);
  return NULL;
}

static bool field(text *j, entry *e, unsigned *seen) {
  if (!string(j) || !want(j, ':')) return false;
  unsigned bit = is(j, "dtype") ? 1 : is(j, "shape") ? 2 :
    is(j, "data_offsets") ? 4 : 0;
  if (!bit || *seen & bit)
    return bad(j, bit ? "a field stands twice" :
               "a field that is not dtype, shape or data_offsets");
  *seen |= bit;
  if (bit == 1) return (e->kind = kind_of(j)) != NULL;
  if (bit == 2) return (e->ndim = integers(j, e->shape, TD_MAXDIM)) >= 0;
  int n = integers(j, e->at, 2);
  return n == 2 || (n >= 0 && bad(j, "data_offsets are two numbers"));
}

static bool fits(text *j, const entry *e) {
  int64_t bytes = e->kind->size;
  char what[160];
  for (int d = 0; d < e->ndim; d++)
    if (__builtin_mul_overflow(bytes, e->shape[d], &bytes))
      return bad(j, "the shape is too large");
  if (e->at[0] <= e->at[1] && e->at[1] - e->at[0] == bytes) return true;
  snprintf(what, sizeof what, "tensor '%.40s': its shape takes %lld bytes, its "
           "data_offsets span %lld", e->name, (long long)bytes,
           (long long)(e->at[1] - e->at[0]));
  return bad(j, what);
}

static bool parse_entry(text *j, entries *all) {
  if (all->n == all->cap) {
    int cap = all->cap ? all->cap * 2 : 16;
    entry *v = realloc(all->v, sizeof *v * (size_t)cap);
    if (!v) return td_fail(TD_ENOMEM, "%s: out of memory", j->r->path), false;
    all->v = v;
    all->cap = cap;
  }
  entry *e = &all->v[all->n];
  *e = (entry){ .name = strdup(j->word), .place = all->n };
  if (!e->name) return td_fail(TD_ENOMEM, "%s: out of memory", j->r->path), false;
  all->n++;
  unsigned seen = 0;
  if (!want(j, ':') || !want(j, '{')) return false;
  do
    if (!field(j, e, &seen)) return false;
  while (take(j, ','));
  if (!want(j, '}')) return false;
  if (seen != 7) return bad(j, "dtype, shape or data_offsets is missing");
  return fits(j, e);
}

static bool parse_header(text *j, entries *all, td_archive *out) {
  bool noted = false;
  if (!want(j, '{')) return false;
  if (!take(j, '}')) {
    do {
      if (!string(j)) return false;
      if (!is(j, "__metadata__")) {
        if (!parse_entry(j, all)) return false;
      } else {
        if (noted) return bad(j, "__metadata__ stands twice");
        noted = true;
        if (!want(j, ':') || !notes(j, out)) return false;
      }
    } while (take(j, ','));
    if (!want(j, '}')) return false;
  }
  space(j);
  return j->p == j->end || bad(j, "text after the header");
}

/* ---- reading ---- */

static int by_offset(const void *a, const void *b) {
  const entry *x = a, *y = b;
  for (int i = 0; i < 2; i++)
    if (x->at[i] != y->at[i]) return x->at[i] < y->at[i] ? -1 : 1;
  return x->place - y->place;
}

/* Sorts by offset; the tensors must stand side by side. */
static td_status check_places(td_reader *r, entries *all) {
  int64_t at = 0;
  if (all->n) qsort(all->v, (size_t)all->n, sizeof *all->v, by_offset);
  for (int i = 0; i < all->n; at = all->v[i++].at[1])
    if (all->v[i].at[0] != at)
      return td_reader_fail(r, "tensor '%.60s' starts at data offset %lld, but "
        "the one before it ends at %lld", all->v[i].name,
        (long long)all->v[i].at[0], (long long)at);
  return td_reader_holds(r, (uint64_t)at, "safetensors data");
}

static td_status load(td_reader *r, const entries *all, td_archive *out) {
  td_tensor **t = calloc((size_t)all->n + 1, sizeof *t);
  const char **name = calloc((size_t)all->n + 1, sizeof *name);
  td_status st = t && name ? TD_OK : td_fail(TD_ENOMEM, "%s: out of memory",
                                             r->path);
  for (int i = 0; !st && i < all->n; i++) {
    const entry *e = &all->v[i];
    char what[96];
    snprintf(what, sizeof what, "tensor '%.60s'", e->name);
    if (!td_archive_wants(out, e->name)) {
      st = td_reader_skip(r, (uint64_t)(e->at[1] - e->at[0]), what);
      continue;
    }
    name[e->place] = e->name;
    t[e->place] = td_kind_read(r, e->kind, false, e->ndim, e->shape, what);
    if (!t[e->place]) st = td_error_code();
  }
  if (!st) st = td_reader_finish(r, true);
  for (int i = 0; !st && i < all->n; i++)
    if (name[i]) st = td_archive_add(out, name[i], strlen(name[i]), t[i]);
  free(t);
  free(name);
  return st ? st : td_archive_check(out, r->path);
}

static td_status check_names(td_reader *r, const entries *all) {
  td_archive a = { 0 };
  td_status st = TD_OK;
  a.name = malloc(sizeof *a.name * (size_t)(all->n + 1));
  if (!a.name) return td_fail(TD_ENOMEM, "%s: out of memory", r->path);
  for (a.n = 0; a.n < all->n; a.n++) a.name[a.n] = all->v[a.n].name;
  st = td_archive_check(&a, r->path);
  free(a.name);
  return st;
}

static td_status read_all(td_reader *r, td_archive *out) {
  unsigned char p[8];
  uint64_t n = 0;
  td_status st = td_reader_get(r, p, 8, "safetensors header length");
  if (st) return st;
  for (int i = 0; i < 8; i++) n |= (uint64_t)p[i] << 8 * i;
  if (n > MOST_HEADER)
    return td_reader_fail(r, "is not a safetensors file: its header would be "
      "%llu bytes long; it starts like %s", (unsigned long long)n,
      td_io_guess(p, 8));
  if ((st = td_reader_holds(r, n, "safetensors header"))) return st;
  char *s = malloc(2 * n + 2);           /* the header, and room for one word */
  if (!s) return td_fail(TD_ENOMEM, "%s: out of memory", r->path);
  text j = { s, s + n, s, r, s + n, 0 };
  entries all = { 0 };
  st = td_reader_get(r, s, n, "safetensors header");
  if (!st && !parse_header(&j, &all, out)) st = td_error_code();
  if (!st) st = check_names(r, &all);
  if (!st) st = check_places(r, &all);
  if (!st) st = load(r, &all, out);
  for (int i = 0; i < all.n; i++) free(all.v[i].name);
  free(all.v);
  free(s);
  return st;
}

td_status td_safetensors_read(const char *path, td_archive *out) {
  td_reader r;
  td_status st = td_reader_open(&r, path, false);
  if (st) return st;
  r.map = out->map;
  st = read_all(&r, out);
  td_reader_close(&r);
  if (st) td_archive_free(out);
  return st;
}

/* ---- writing ---- */

typedef struct out { char *p; size_t n, cap; bool failed; } out;

static void put(out *o, const char *s, size_t n) {
  if (!o->failed && o->n + n > o->cap) {
    size_t cap = (o->n + n) * 2 + 1024;
    char *p = realloc(o->p, cap);
    if (p) {
      o->p = p;
      o->cap = cap;
    } else {
      o->failed = true;
    }
  }
  if (o->failed) return;
  memcpy(o->p + o->n, s, n);
  o->n += n;
}
static void put_text(out *o, const char *s) { put(o, s, strlen(s)); }
static void put_number(out *o, int64_t v) {
  char b[32];
  put(o, b, (size_t)snprintf(b, sizeof b, "%lld", (long long)v));
}

static td_status put_string(out *o, const char *path, const char *s) {
  if (!td_io_utf8(s, strlen(s)))
    return td_fail(TD_EARG, "%s: the name '%.60s' is not UTF-8", path, s);
  put_text(o, "\"");
  for (; *s; s++) {
    char b[8];
    if ((unsigned char)*s < 32) {
      snprintf(b, sizeof b, "\\u%04x", *s);
      put_text(o, b);
    } else {
      if (*s == '"' || *s == '\\') put_text(o, "\\");
      put(o, s, 1);
    }
  }
  put_text(o, "\"");
  return TD_OK;
}

static td_status put_notes(out *o, const char *path, const td_archive *a) {
  td_status st = TD_OK;
  if (!a->nnote) return st;
  put_text(o, "\"__metadata__\":{");
  for (int i = 0; !st && i < 2 * a->nnote; i++) {
    st = put_string(o, path, a->note[i]);
    put_text(o, i % 2 == 0 ? ":" : i + 1 < 2 * a->nnote ? "," : "}");
  }
  return st;
}

static int64_t bytes_of(const td_tensor *t) {
  return td__numel(t) * (int64_t)td_dtype_size(t->dtype);
}

static td_status put_entry(out *o, const char *path, const char *name,
                           const td_tensor *t, int64_t at) {
  td_status st = put_string(o, path, name);
  put_text(o, ":{\"dtype\":\"");
  for (int i = 0; i < TYPES; i++) {
    const td_kind *k = td_kind_find(types[i].letter, types[i].size);
    if (k->same && k->dtype == t->dtype) put_text(o, types[i].name);
  }
  put_text(o, "\",\"shape\":[");
  for (int d = 0; d < t->ndim; d++) {
    if (d) put_text(o, ",");
    put_number(o, t->shape[d]);
  }
  put_text(o, "],\"data_offsets\":[");
  put_number(o, at);
  put_text(o, ",");
  put_number(o, at + bytes_of(t));
  put_text(o, "]}");
  return st;
}

/* Data is ordered by the size of elements, the largest first, so that each
** tensor is aligned; order[] says which comes when. */
static void order_by_size(const td_archive *a, td_tensor **host, int *order,
                          int64_t *at) {
  int k = 0;
  int64_t offset = 0;
  for (size_t size = 8; size; size /= 2)
    for (int i = 0; i < a->n; i++) {
      if (td_dtype_size(host[i]->dtype) != size) continue;
      order[k++] = i;
      at[i] = offset;
      offset += bytes_of(host[i]);
    }
}

static td_status header(out *o, const char *path, const td_archive *a,
                        td_tensor **host, int *order, int64_t *at) {
  td_status st = td_archive_check(a, path);
  for (int i = 0; !st && i < a->n; i++)
    if (!(host[i] = td_io_host(a->t[i], true))) st = td_error_code();
  if (st) return st;
  order_by_size(a, host, order, at);
  put_text(o, "{");
  st = put_notes(o, path, a);
  for (int i = 0; !st && i < a->n; i++) {
    if (!strcmp(a->name[i], "__metadata__"))
      return td_fail(TD_EARG, "%s: a tensor cannot be called __metadata__", path);
    if (i || a->nnote) put_text(o, ",");
    st = put_entry(o, path, a->name[i], host[i], at[i]);
  }
  put_text(o, "}");
  while (!o->failed && o->n % 8) put_text(o, " ");
  if (!st && o->failed) st = td_fail(TD_ENOMEM, "%s: out of memory", path);
  if (!st && o->n > MOST_HEADER)
    st = td_fail(TD_EARG, "%s: so many names do not fit into the header", path);
  return st;
}

td_status td_safetensors_write(const char *path, const td_archive *a) {
  out o = { 0 };
  td_writer w = { 0 };
  unsigned char length[8];
  int mark = td_scope_open();
  size_t n = (size_t)a->n + 1;
  td_tensor **host = calloc(n, sizeof *host);
  int *order = calloc(n, sizeof *order);
  int64_t *at = calloc(n, sizeof *at);
  td_status st = host && order && at ? header(&o, path, a, host, order, at) :
    td_fail(TD_ENOMEM, "%s: out of memory", path);
  if (!st) st = td_writer_open(&w, path);
  if (!st) {
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(o.n >> 8 * i);
    td_writer_put(&w, length, 8);
    td_writer_put(&w, o.p, o.n);
    for (int i = 0; i < a->n; i++) td_io_put(&w, host[order[i]]);
    st = td_writer_close(&w, TD_OK);
  }
  free(o.p);
  free(host);
  free(order);
  free(at);
  td_scope_close(mark);
  return st;
}
