/* io_cifar.c -- the binary version of CIFAR-10: records of a label (one byte, 0 to
** 9) and an image (3 x 32 x 32 bytes: red, green, blue, each row by row). */
#include "io.h"
#include "op.h"
#include <string.h>

enum { IMAGE = 3 * 32 * 32, RECORD = 1 + IMAGE, CLASSES = 10 };

/* Labels (N) and images (N,3,32,32) as views of records (N,RECORD). */
static td_status split(td_tensor *records, td_archive *out) {
  int64_t n = records ? records->shape[0] : 0;
  td_tensor *x = td_view(td_slice(records, 1, 1, IMAGE, 1), TD_INTS(n, 3, 32, 32));
  td_tensor *y = td_select(records, 1, 0);
  if (!out->map) {
    x = td_clone(x);
    y = td_clone(y);
  }
  if (!x || !y) return td_error_code();
  td_status st = td_archive_wants(out, "images") ?
    td_archive_add(out, "images", 6, x) : TD_OK;
  if (!st && td_archive_wants(out, "labels"))
    st = td_archive_add(out, "labels", 6, y);
  return st;
}

/* Labels of a mapped file are not looked at: that would read all of it. */
static td_status check_labels(td_reader *r, const td_tensor *records) {
  const unsigned char *p = (const unsigned char *)records->data;
  for (int64_t i = 0; i < records->shape[0]; i++)
    if (p[i * RECORD] >= CLASSES)
      return td_reader_fail(r, "CIFAR-10 label, offset %lld: %d is not a class "
        "from 0 to 9; is this CIFAR-10?", (long long)i * RECORD, p[i * RECORD]);
  return TD_OK;
}

static td_status parse(td_reader *r, td_archive *out) {
  if (r->size == 0 || r->size % RECORD)
    return td_reader_fail(r, "is not a CIFAR-10 file: %llu bytes are no whole "
      "number of records of %d bytes%s; the last starts at offset %llu",
      (unsigned long long)r->size, RECORD, r->size && r->size % (RECORD + 1) == 0 ?
      " (but of CIFAR-100 records)" : "",
      (unsigned long long)(r->size / RECORD * RECORD));
  td_tensor *t = td_kind_read(r, td_kind_find('u', 1), false, 2,
    (int64_t[]){ (int64_t)(r->size / RECORD), RECORD }, "CIFAR-10 records");
  td_status st = t ? TD_OK : td_error_code();
  if (!st && !out->map) st = check_labels(r, t);
  return st ? st : split(t, out);
}

td_status td_cifar_read(const char *path, td_archive *out) {
  td_reader r;
  td_status st = td_reader_open(&r, path, false);
  if (st) return st;
  r.map = out->map;
  st = parse(&r, out);
  if (!st) st = td_archive_check(out, path);
  td_reader_close(&r);
  if (st) td_archive_free(out);
  return st;
}

/* ---- writing ---- */

static td_tensor *find(const td_archive *a, const char *name) {
  for (int i = 0; i < a->n; i++)
    if (!strcmp(a->name[i], name)) return td_io_host(a->t[i], false);
  return NULL;
}

static td_status check(const char *path, const td_archive *a, const td_tensor *x,
                       const td_tensor *y) {
  char s[128] = "nothing", l[128] = "nothing";
  if (x) td_shape_text(x->ndim, x->shape, s, sizeof s);
  if (y) td_shape_text(y->ndim, y->shape, l, sizeof l);
  if (a->n != 2 || !x || !y || x->dtype != TD_U8 || y->dtype != TD_U8 ||
      x->ndim != 4 || y->ndim != 1 || x->shape[0] != y->shape[0] ||
      x->shape[0] < 1 || x->shape[1] != 3 || x->shape[2] != 32 || x->shape[3] != 32)
    return td_fail(TD_ESHAPE, "%s: a CIFAR-10 file holds u8 images (N,3,32,32) and "
      "u8 labels (N) from 0 to 9, at least one, not %s and %s", path, s, l);
  for (int64_t i = 0; i < y->shape[0]; i++)
    if (((unsigned char *)y->data)[i] >= CLASSES)
      return td_fail(TD_EARG, "%s: label %lld is %d; CIFAR-10 has 0 to 9", path,
                     (long long)i + 1, ((unsigned char *)y->data)[i]);
  return TD_OK;
}

td_status td_cifar_write(const char *path, const td_archive *a) {
  td_writer w;
  int mark = td_scope_open();
  td_error_clear();
  td_tensor *x = find(a, "images"), *y = find(a, "labels");
  td_status st = td_error_code();
  if (!st) st = check(path, a, x, y);
  if (!st) st = td_writer_open(&w, path);
  if (!st) {
    for (int64_t i = 0; i < x->shape[0]; i++) {
      td_writer_put(&w, y->data + i, 1);
      td_writer_put(&w, x->data + i * IMAGE, IMAGE);
    }
    st = td_writer_close(&w, st);
  }
  td_scope_close(mark);
  return st;
}
