/* io_types.c -- element types that files have, and the way from them to tensors
** and back. */
#include "io.h"
#include "map.h"
#include <string.h>
#include <zlib.h>

static const td_kind kinds[] = {
  { 'f', 4, TD_F32, true }, { 'f', 8, TD_F64, true }, { 'w', 2, TD_BF16, true },
  { 'i', 4, TD_I32, true }, { 'i', 8, TD_I64, true },
  { 'u', 1, TD_U8, true }, { 'b', 1, TD_BOOL, true },
  { 'f', 2, TD_F32, false }, { 'i', 1, TD_I32, false }, { 'i', 2, TD_I32, false },
  { 'u', 2, TD_I32, false }, { 'u', 4, TD_I64, false }, { 'u', 8, TD_I64, false },
};

const td_kind *td_kind_find(char letter, int size) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].letter == letter && kinds[i].size == size) return &kinds[i];
  return NULL;
}

void td_io_swap(void *data, int64_t n, size_t size) {
  unsigned char *p = data;
  for (int64_t i = 0; i < n; i++, p += size)
    for (size_t a = 0, b = size - 1; a < b; a++, b--) {
      unsigned char t = p[a];
      p[a] = p[b];
      p[b] = t;
    }
}

/* ---- conversions ---- */

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

/* n elements of kind k become elements at..at + n - 1 of t; the first that does
** not fit, or -1. */
static int64_t widen(const td_kind *k, const unsigned char *src, td_tensor *t,
                     int64_t at, int64_t n) {
  for (int64_t i = 0; i < n; i++, src += k->size) {
    uint64_t u = 0;
    for (int b = 0; b < k->size; b++) u |= (uint64_t)src[b] << 8 * b;
    if (k->letter == 'f') ((float *)t->data)[at + i] = half((uint16_t)u);
    else if (k->dtype == TD_I64) {
      if (u > INT64_MAX) return at + i;
      ((int64_t *)t->data)[at + i] = (int64_t)u;
    } else {
      ((int32_t *)t->data)[at + i] = k->letter == 'u' ? (int32_t)u :
        k->size == 1 ? (int8_t)u : (int16_t)u;
    }
  }
  return -1;
}

static td_status read_wide(td_reader *r, const td_kind *k, bool swap,
                           td_tensor *t, int64_t n, const char *field) {
  unsigned char some[4096];
  int64_t most = (int64_t)sizeof some / k->size;
  for (int64_t at = 0; at < n; at += most) {
    int64_t m = n - at < most ? n - at : most;
    td_status st = td_reader_get(r, some, (uint64_t)(m * k->size), field);
    if (st) return st;
    if (swap) td_io_swap(some, m, (size_t)k->size);
    int64_t bad = widen(k, some, t, at, m);
    if (bad >= 0)
      return td_reader_fail(r, "%s: element %lld is above %lld, the most that an "
        "i64 holds", field, (long long)bad, (long long)INT64_MAX);
  }
  return TD_OK;
}

/* What the file has as tensors have it need not be read. */
static td_tensor *map_kind(td_reader *r, const td_kind *k, uint64_t at, int ndim,
                           const int64_t *shape, uint64_t n, const char *field) {
  if (!r->mapping) r->mapping = td__map_open(r->path, r->fd, r->size);
  td_tensor *t = r->mapping ?
    td__map_tensor(r->mapping, at, k->dtype, ndim, shape) : NULL;
  return t && td_reader_skip(r, n, field) ? NULL : t;
}

td_tensor *td_kind_read(td_reader *r, const td_kind *k, bool swap, int ndim,
                        const int64_t *shape, const char *field) {
  int64_t count = 1, most = 1;         /* most: with sizes of 0 left out */
  for (int d = 0; d < ndim; d++) {
    if (__builtin_mul_overflow(most, shape[d] ? shape[d] : 1, &most) ||
        most > 1LL << 56) {
      td_reader_fail(r, "%s: the shape is too large", field);
      return NULL;
    }
    if (!shape[d]) count = 0;
  }
  count *= most;
  uint64_t bytes = (uint64_t)count * (uint64_t)k->size;
  if (td_reader_holds(r, bytes, field)) return NULL;
  uint64_t at = r->from + r->at;
  if (r->map && count && k->same && (!swap || k->size == 1) && !r->z &&
      k->dtype != TD_BOOL && at % (uint64_t)k->size == 0)
    return map_kind(r, k, at, ndim, shape, bytes, field);
  td_tensor *t = td_empty(td_cpu(), k->dtype, ndim, shape);
  if (!t) return NULL;
  if (!k->same) return read_wide(r, k, swap, t, count, field) ? NULL : t;
  if (td_reader_get(r, t->data, bytes, field)) return NULL;
  if (swap) td_io_swap(t->data, count, (size_t)k->size);
  if (k->dtype == TD_BOOL)
    for (int64_t i = 0; i < count; i++) t->data[i] = t->data[i] != 0;
  return t;
}

/* ---- writing ---- */

td_tensor *td_io_host(td_tensor *t, bool bf16_ok) {
  if (t && !t->data)
    return td_fail_null(TD_EARG, "the data of this tensor was released");
  if (t && td__maps && td__map_check_all(&t, 1)) return NULL;
  bool old = td_grad_enable(false);
  td_tensor *h = td_to_device(t, td_cpu());
  if (h && h->dtype == TD_BF16 && !bf16_ok) h = td_cast(h, TD_F32);
  h = td_contiguous(h);
  td_grad_enable(old);
  return h;
}

void td_io_put(td_writer *w, const td_tensor *host) {
  td_writer_put(w, host->data,
                (size_t)td__numel(host) * td_dtype_size(host->dtype));
}

uint32_t td_io_crc(uint32_t crc, const void *p, size_t n) {
  return n ? (uint32_t)crc32_z(crc, p, n) : crc;
}
