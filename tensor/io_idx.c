/* io_idx.c -- the IDX format of the MNIST family: two zero bytes, the type, the
** number of dims, their sizes (4 bytes each) and the data, big end first. */
#include "io.h"
#include "op.h"
#include <stdlib.h>
#include <string.h>

static const struct { unsigned char code; char letter; int size; } types[] = {
  { 0x08, 'u', 1 }, { 0x09, 'i', 1 }, { 0x0b, 'i', 2 }, { 0x0c, 'i', 4 },
  { 0x0d, 'f', 4 }, { 0x0e, 'f', 8 },
};
enum { TYPES = sizeof types / sizeof *types };

static uint32_t big_end(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static const td_kind *kind_of(td_reader *r, const unsigned char *p) {
  if (p[0] || p[1]) {
    td_reader_fail(r, "is not an IDX file: it starts like %s", td_io_guess(p, 4));
    return NULL;
  }
  for (int i = 0; i < TYPES; i++)
    if (types[i].code == p[2]) return td_kind_find(types[i].letter, types[i].size);
  td_reader_fail(r, "IDX header, offset 2: element type %d is not known", p[2]);
  return NULL;
}

static td_tensor *parse(td_reader *r) {
  unsigned char p[4 + 4 * TD_MAXDIM];
  int64_t shape[TD_MAXDIM];
  if (td_reader_get(r, p, 4, "IDX header")) return NULL;
  const td_kind *k = kind_of(r, p);
  int n = p[3];
  if (!k) return NULL;
  if (n > TD_MAXDIM) {
    td_reader_fail(r, "IDX header, offset 3: %d dims; at most %d are supported",
                   n, TD_MAXDIM);
    return NULL;
  }
  if (td_reader_get(r, p, 4u * (unsigned)n, "IDX sizes")) return NULL;
  for (int d = 0; d < n; d++) shape[d] = big_end(p + 4 * d);
  td_tensor *t = td_kind_read(r, k, k->size > 1, n, shape, "IDX data");
  return t && td_reader_finish(r, true) ? NULL : t;
}

td_tensor *td_idx_read(const char *path, bool map) {
  td_reader r;
  if (td_reader_open(&r, path, true)) return NULL;
  r.map = map;
  td_tensor *t = parse(&r);
  td_reader_close(&r);
  return t;
}

/* ---- writing ---- */

static td_status header(const char *path, const td_tensor *h, unsigned char *p) {
  memset(p, 0, 4 + 4 * TD_MAXDIM);
  for (int i = 0; i < TYPES; i++) {
    const td_kind *k = td_kind_find(types[i].letter, types[i].size);
    if (k->same && k->dtype == h->dtype) p[2] = types[i].code;
  }
  if (h->dtype == TD_BOOL) p[2] = 0x08;
  if (!p[2])
    return td_fail(TD_EDTYPE, "%s: IDX files have no %s; convert with "
                   "x:to(\"i32\") or x:to(\"f64\")", path, td_dtype_name(h->dtype));
  p[3] = h->ndim;
  for (int d = 0; d < h->ndim; d++) {
    if (h->shape[d] > UINT32_MAX)
      return td_fail(TD_ESHAPE, "%s: sizes in an IDX file are below 2^32, not "
                     "%lld", path, (long long)h->shape[d]);
    for (int b = 0; b < 4; b++)
      p[4 + 4 * d + b] = (unsigned char)(h->shape[d] >> (24 - 8 * b));
  }
  return TD_OK;
}

/* The bytes of each element are turned round in pieces. */
static void put_swapped(td_writer *w, const td_tensor *h) {
  char some[4096];
  size_t size = td_dtype_size(h->dtype), left = (size_t)td__numel(h) * size;
  for (const char *p = h->data; left; ) {
    size_t n = left < sizeof some ? left : sizeof some;
    memcpy(some, p, n);
    td_io_swap(some, (int64_t)(n / size), size);
    td_writer_put(w, some, n);
    p += n;
    left -= n;
  }
}

td_status td_idx_write(const char *path, td_tensor *t) {
  td_writer w;
  unsigned char head[4 + 4 * TD_MAXDIM];
  int mark = td_scope_open();
  td_tensor *h = td_io_host(t, false);
  td_status st = h ? header(path, h, head) : td_error_code();
  if (!st) st = td_writer_open(&w, path);
  if (!st) {
    if (td_io_is_gz(path)) st = td_writer_pack(&w, true);
    td_writer_put(&w, head, 4 + 4 * (size_t)h->ndim);
    put_swapped(&w, h);
    st = td_writer_close(&w, st);
  }
  td_scope_close(mark);
  return st;
}
