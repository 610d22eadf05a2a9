/* io_npz.c -- NumPy's .npz: a zip archive of .npy files.
**
** Only the directory at the end of the archive is believed; the header in front
** of an entry just says how long it is itself.  Entries larger than 4 GB use
** the zip64 fields. */
#include "io.h"
#include "op.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define NO32 0xffffffffu         /* "see the zip64 field" */
#define NO16 0xffffu
enum { LOCAL = 30, CENTRAL = 46, END = 22, END64 = 56, LOCATOR = 20 };

static uint64_t get(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
  return v;
}

static void set(unsigned char *p, int bytes, uint64_t v) {
  for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static td_status no_memory(const char *path) {
  return td_fail(TD_ENOMEM, "%s: out of memory", path);
}

/* ---- the directory ---- */

typedef struct directory {
  uint64_t n, size, at;
} directory;

static td_status read_at(const td_reader *whole, uint64_t at, uint64_t n,
                         void *dst) {
  td_reader r;
  td_status st = td_reader_part(&r, whole, at, n, false);
  if (st) return st;
  st = td_reader_get(&r, dst, n, "zip header");
  td_reader_close(&r);
  return st;
}

static td_status read_end64(const td_reader *r, uint64_t end, directory *d) {
  unsigned char p[END64];
  if (end < LOCATOR) return td_reader_fail(r, "the zip64 directory is missing");
  td_status st = read_at(r, end - LOCATOR, LOCATOR, p);
  if (!st && get(p, 4) != 0x07064b50)
    st = td_reader_fail(r, "the zip64 directory is missing");
  if (!st) st = read_at(r, get(p + 8, 8), END64, p);
  if (!st && get(p, 4) != 0x06064b50)
    st = td_reader_fail(r, "the zip64 directory is damaged");
  if (!st) *d = (directory){ get(p + 32, 8), get(p + 40, 8), get(p + 48, 8) };
  return st;
}

/* The last record of the archive is found from its end; a comment may follow. */
static td_status find_directory(const td_reader *r, directory *d) {
  unsigned char start[16];
  uint64_t n = r->size < END + NO16 ? r->size : END + NO16, from = r->size - n;
  unsigned char *p = malloc(n + 1);
  if (!p) return no_memory(r->path);
  td_status st = read_at(r, from, n, p);
  int64_t at = (int64_t)n - END;
  if (!st)
    while (at >= 0 && (get(p + at, 4) != 0x06054b50 ||
                       get(p + at + 20, 2) != n - END - (uint64_t)at)) at--;
  if (!st && at < 0) {
    size_t k = r->size < sizeof start ? (size_t)r->size : sizeof start;
    st = read_at(r, 0, k, start);
    if (!st)
      st = td_reader_fail(r, "is not a whole npz file: the directory at its end "
        "is missing; it starts like %s", td_io_guess(start, k));
  }
  if (!st) {
    const unsigned char *e = p + at;
    *d = (directory){ get(e + 10, 2), get(e + 12, 4), get(e + 16, 4) };
    if (d->n == NO16 || d->size == NO32 || d->at == NO32)
      st = read_end64(r, from + (uint64_t)at, d);
  }
  free(p);
  return st;
}

/* ---- entries ---- */

typedef struct entry {
  char *name;              /* without ".npy" */
  int method, flags;
  uint32_t crc;
  uint64_t packed, size, at;
} entry;

/* Fields that are too small for their value have it in an extra field. */
static bool extra64(const unsigned char *x, uint64_t n, entry *e) {
  uint64_t *const fields[] = { &e->size, &e->packed, &e->at };
  while (n >= 4) {
    uint64_t len = get(x + 2, 2);
    if (len > n - 4) return false;
    if (get(x, 2) == 1) {
      const unsigned char *p = x + 4, *end = p + len;
      for (int i = 0; i < 3; i++) {
        if (*fields[i] != NO32) continue;
        if (end - p < 8) return false;
        *fields[i] = get(p, 8);
        p += 8;
      }
      return true;
    }
    x += 4 + len;
    n -= 4 + len;
  }
  return e->size != NO32 && e->packed != NO32 && e->at != NO32;
}

/* Reads the entry at p; *used is its length.  Entries that are no .npy files
** have no name. */
static td_status parse_entry(const td_reader *r, const unsigned char *p,
                             uint64_t left, entry *e, uint64_t *used) {
  *e = (entry){ 0 };
  if (left < CENTRAL || get(p, 4) != 0x02014b50)
    return td_reader_fail(r, "the zip directory is damaged");
  uint64_t name = get(p + 28, 2), extra = get(p + 30, 2);
  *used = CENTRAL + name + extra + get(p + 32, 2);
  if (*used > left) return td_reader_fail(r, "the zip directory is cut short");
  e->flags = (int)get(p + 8, 2);
  e->method = (int)get(p + 10, 2);
  e->crc = (uint32_t)get(p + 16, 4);
  e->packed = get(p + 20, 4);
  e->size = get(p + 24, 4);
  e->at = get(p + 42, 4);
  if (!extra64(p + CENTRAL + name, extra, e))
    return td_reader_fail(r, "the zip64 field of an entry is damaged");
  if (name < 4 || memcmp(p + CENTRAL + name - 4, ".npy", 4)) return TD_OK;
  if (memchr(p + CENTRAL, 0, name))
    return td_reader_fail(r, "a NUL byte in the name of an entry");
  e->name = malloc(name - 3);
  if (!e->name) return no_memory(r->path);
  memcpy(e->name, p + CENTRAL, name - 4);
  e->name[name - 4] = 0;
  return TD_OK;
}

static td_status check_entry(const td_reader *r, const entry *e) {
  if (e->flags & 1) return td_reader_fail(r, "is encrypted");
  if (e->method != 0 && e->method != 8)
    return td_reader_fail(r, "is packed by zip method %d; only stored and "
                          "deflated entries are supported", e->method);
  if (e->method == 0 && e->size != e->packed)
    return td_reader_fail(r, "is stored, but with two sizes");
  return TD_OK;
}

static td_tensor *read_content(td_reader *r, const entry *e) {
  r->check = true;
  td_tensor *t = td_npy_parse(r);
  if (!t || td_reader_finish(r, false)) return NULL;
  if (r->at == e->size && r->crc == e->crc) return t;
  td_reader_fail(r, "its bytes do not agree with their checksum");
  return NULL;
}

/* Where the content of an entry starts, behind a header with the same name. */
static td_status find_content(const td_reader *r, const entry *e,
                              uint64_t *from) {
  unsigned char p[LOCAL];
  size_t name = strlen(e->name);
  td_status st = read_at(r, e->at, LOCAL, p);
  if (st) return st;
  char *s = malloc(name + 1);
  if (!s) return no_memory(r->path);
  bool right = get(p, 4) == 0x04034b50 && get(p + 26, 2) == name + 4;
  if (right) st = read_at(r, e->at + LOCAL, name, s);
  if (!st && (!right || memcmp(s, e->name, name)))
    st = td_reader_fail(r, "the directory gives a wrong place, %llu, for it",
                        (unsigned long long)e->at);
  free(s);
  *from = e->at + LOCAL + name + 4 + get(p + 28, 2);
  return st;
}

static td_tensor *read_entry(const td_reader *whole, const entry *e) {
  td_reader r, part = *whole;
  uint64_t from = 0;
  part.entry = e->name;
  if (check_entry(&part, e) || find_content(&part, e, &from)) return NULL;
  if (td_reader_part(&r, whole, from, e->packed, e->method == 8)) return NULL;
  r.entry = e->name;
  td_tensor *t = read_content(&r, e);
  td_reader_close(&r);
  return t;
}

/* ---- reading ---- */

/* Entries may not share bytes: a small file could unpack to any size. */
static td_status read_entries(const td_reader *r, const directory *d,
                              const unsigned char *p, td_archive *out) {
  uint64_t at = 0, total = 0, used = 0;
  td_status st = TD_OK;
  for (uint64_t i = 0; !st && i < d->n; i++, at += used) {
    entry e;
    if ((st = parse_entry(r, p + at, d->size - at, &e, &used))) break;
    if (__builtin_add_overflow(total, e.packed, &total) || total > r->size)
      st = td_reader_fail(r, "its entries are longer than the file");
    if (!st && e.name && td_archive_wants(out, e.name)) {
      td_tensor *t = read_entry(r, &e);
      st = t ? td_archive_add(out, e.name, strlen(e.name), t) : td_error_code();
    }
    free(e.name);
  }
  return st ? st : td_archive_check(out, r->path);
}

td_status td_npz_read(const char *path, td_archive *out) {
  td_reader r;
  directory d = { 0 };
  td_status st = td_reader_open(&r, path, false);
  if (st) return st;
  st = find_directory(&r, &d);
  if (!st && d.size > r.size)
    st = td_reader_fail(&r, "the zip directory is longer than the file");
  unsigned char *p = st ? NULL : malloc(d.size + 1);
  if (!st && !p) st = no_memory(path);
  if (!st) st = read_at(&r, d.at, d.size, p);
  if (!st) st = read_entries(&r, &d, p, out);
  free(p);
  td_reader_close(&r);
  if (st) td_archive_free(out);
  return st;
}

/* ---- writing ---- */

#define DATE 0x0021              /* 1980-01-01: the same content, the same file */

typedef struct zip {
  td_writer w;
  unsigned char *dir;            /* the directory so far */
  size_t n, cap;
} zip;

/* The fields that both headers have, from "version needed" on: 26 bytes. */
static void common(unsigned char *p, const entry *e, bool big) {
  size_t name = strlen(e->name) + 4;
  set(p, 2, big ? 45 : 20);
  set(p + 2, 2, (uint64_t)e->flags);
  set(p + 4, 2, (uint64_t)e->method);
  set(p + 6, 2, 0);
  set(p + 8, 2, DATE);
  set(p + 10, 4, e->crc);
  set(p + 14, 4, big ? NO32 : e->packed);
  set(p + 18, 4, big ? NO32 : e->size);
  set(p + 22, 2, name);
}

/* The header in front of an entry; a big one has 20 bytes of sizes behind it. */
static void put_local(zip *z, const entry *e, bool big, bool again) {
  unsigned char p[LOCAL] = "PK\3\4", x[20] = { 1, 0, 16, 0 };
  size_t name = strlen(e->name);
  common(p + 4, e, big);
  set(p + 28, 2, big ? 20 : 0);
  set(x + 4, 8, e->size);
  set(x + 12, 8, e->packed);
  if (again) {
    td_writer_patch(&z->w, e->at, p, LOCAL);
    if (big) td_writer_patch(&z->w, e->at + LOCAL + name + 4, x, 20);
    return;
  }
  td_writer_put(&z->w, p, LOCAL);
  td_writer_put(&z->w, e->name, name);
  td_writer_put(&z->w, ".npy", 4);
  if (big) td_writer_put(&z->w, x, 20);
}

/* Adds an entry to the directory. */
static td_status list(zip *z, const entry *e) {
  size_t name = strlen(e->name), most = CENTRAL + name + 4 + 28;
  bool big = e->size >= NO32 || e->packed >= NO32 || e->at >= NO32;
  if (z->n + most > z->cap) {
    size_t cap = (z->n + most) * 2;
    unsigned char *d = realloc(z->dir, cap);
    if (!d) return no_memory(z->w.path);
    z->dir = d;
    z->cap = cap;
  }
  unsigned char *p = z->dir + z->n;
  memset(p, 0, most);
  memcpy(p, "PK\1\2", 4);
  set(p + 4, 2, 45);             /* made by: version 4.5, MS-DOS attributes */
  common(p + 6, e, big);
  set(p + 30, 2, big ? 28 : 0);
  set(p + 42, 4, big ? NO32 : e->at);
  memcpy(p + CENTRAL, e->name, name);
  memcpy(p + CENTRAL + name, ".npy", 4);
  z->n += CENTRAL + name + 4;
  if (!big) return TD_OK;
  p = z->dir + z->n;
  set(p, 2, 1);
  set(p + 2, 2, 24);
  set(p + 4, 8, e->size);
  set(p + 12, 8, e->packed);
  set(p + 20, 8, e->at);
  z->n += 28;
  return TD_OK;
}

static td_status put_entry(zip *z, const char *name, td_tensor *t, bool compress) {
  size_t n, bytes;
  td_tensor *h = td_io_host(t, false);
  char *head = h ? td_npy_header(h, &n) : NULL;
  if (!head) return td_error_code();
  bytes = (size_t)td__numel(h) * td_dtype_size(h->dtype);
  entry e = { (char *)name, compress ? 8 : 0, 0, 0, n + bytes, n + bytes, z->w.n };
  for (const char *p = name; *p; p++)
    if ((unsigned char)*p >= 128) e.flags = 1 << 11;       /* UTF-8 */
  bool big = n + bytes > NO32 - (NO32 >> 8);   /* packed might become longer */
  e.crc = (uint32_t)crc32_z(0, (unsigned char *)head, n);
  e.crc = (uint32_t)crc32_z(e.crc, (unsigned char *)h->data, bytes);
  put_local(z, &e, big, false);
  uint64_t from = z->w.n;
  td_status st = compress ? td_writer_pack(&z->w, false) : TD_OK;
  td_writer_put(&z->w, head, n);
  td_io_put(&z->w, h);
  td_writer_unpack(&z->w);
  free(head);
  e.packed = z->w.n - from;
  if (compress) put_local(z, &e, big, true);
  return st ? st : list(z, &e);
}

static void put_end(zip *z, uint64_t n) {
  unsigned char p[END64] = "PK\6\6", l[LOCATOR] = "PK\6\7", e[END] = "PK\5\6";
  uint64_t at = z->w.n, size = z->n;
  td_writer_put(&z->w, z->dir, z->n);
  if (n >= NO16 || size >= NO32 || at >= NO32) {
    set(p + 4, 8, END64 - 12);
    set(p + 12, 2, 45);
    set(p + 14, 2, 45);
    set(p + 24, 8, n);
    set(p + 32, 8, n);
    set(p + 40, 8, size);
    set(p + 48, 8, at);
    set(l + 8, 8, z->w.n);
    set(l + 16, 4, 1);
    td_writer_put(&z->w, p, END64);
    td_writer_put(&z->w, l, LOCATOR);
  }
  set(e + 8, 2, n < NO16 ? n : NO16);
  set(e + 10, 2, n < NO16 ? n : NO16);
  set(e + 12, 4, size < NO32 ? size : NO32);
  set(e + 16, 4, at < NO32 ? at : NO32);
  td_writer_put(&z->w, e, END);
}

static td_status check_names(const char *path, const td_archive *a) {
  for (int i = 0; i < a->n; i++) {
    size_t n = strlen(a->name[i]);
    if (n > NO16 - 4 || !td_io_utf8(a->name[i], n))
      return td_fail(TD_EARG, "%s: the name '%.60s' is not UTF-8, or too long",
                     path, a->name[i]);
  }
  return td_archive_check(a, path);
}

td_status td_npz_write(const char *path, const td_archive *a, bool compress) {
  zip z = { 0 };
  td_status st = check_names(path, a);
  if (!st) st = td_writer_open(&z.w, path);
  if (st) return st;
  for (int i = 0; !st && i < a->n; i++) {
    int mark = td_scope_open();
    st = put_entry(&z, a->name[i], a->t[i], compress);
    td_scope_close(mark);
  }
  if (!st) put_end(&z, (uint64_t)a->n);
  st = td_writer_close(&z.w, st);
  free(z.dir);
  return st;
}
