/* io_archive.c -- lists of named tensors. */
#include "io.h"
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *s, size_t n) {
  char *p = malloc(n + 1);
  if (!p) return td_fail_null(TD_ENOMEM, "out of memory for a name");
  memcpy(p, s, n);
  p[n] = 0;
  return p;
}

td_status td_archive_add(td_archive *a, const char *name, size_t len,
                         td_tensor *t) {
  if (!t) return td_error_code();
  if (a->n == a->cap) {
    int cap = a->cap ? a->cap * 2 : 16;
    char **names = realloc(a->name, sizeof *names * (size_t)cap);
    if (names) a->name = names;
    td_tensor **ts = names ? realloc(a->t, sizeof *ts * (size_t)cap) : NULL;
    if (ts) a->t = ts;
    if (!names || !ts) return td_fail(TD_ENOMEM, "out of memory for names");
    a->cap = cap;
  }
  char *copy = copy_text(name, len);
  if (!copy) return TD_ENOMEM;
  a->name[a->n] = copy;
  a->t[a->n++] = t;
  return TD_OK;
}

td_status td_archive_note(td_archive *a, const char *key, size_t key_len,
                          const char *value, size_t len) {
  if (a->nnote == a->cap_note) {
    int cap = a->cap_note ? a->cap_note * 2 : 16;
    char **more = realloc(a->note, sizeof *more * (size_t)cap * 2);
    if (!more) return td_fail(TD_ENOMEM, "out of memory for notes");
    a->note = more;
    a->cap_note = cap;
  }
  char *k = copy_text(key, key_len), *v = k ? copy_text(value, len) : NULL;
  if (!v) {
    free(k);
    return TD_ENOMEM;
  }
  a->note[2 * a->nnote] = k;
  a->note[2 * a->nnote++ + 1] = v;
  return TD_OK;
}

void td_archive_free(td_archive *a) {
  for (int i = 0; i < a->n; i++) free(a->name[i]);
  for (int i = 0; i < 2 * a->nnote; i++) free(a->note[i]);
  free(a->name);
  free(a->t);
  free(a->note);
  *a = (td_archive){ .only = a->only };
}

bool td_archive_wants(const td_archive *a, const char *name) {
  if (!a->only) return true;
  for (const char *const *p = a->only; *p; p++)
    if (!strcmp(*p, name)) return true;
  return false;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

td_status td_archive_check(const td_archive *a, const char *path) {
  char **sorted = malloc(sizeof *sorted * (size_t)(a->n + 1));
  td_status st = TD_OK;
  if (!sorted) return td_fail(TD_ENOMEM, "%s: out of memory", path);
  if (a->n) memcpy(sorted, a->name, sizeof *sorted * (size_t)a->n);
  qsort(sorted, (size_t)a->n, sizeof *sorted, by_text);
  for (int i = 1; !st && i < a->n; i++)
    if (!strcmp(sorted[i - 1], sorted[i]))
      st = td_fail(TD_EIO, "%s: the name '%.60s' stands twice", path, sorted[i]);
  for (const char *const *p = a->only; !st && p && *p; p++)
    if (!bsearch(p, sorted, (size_t)a->n, sizeof *sorted, by_text))
      st = td_fail(TD_EIO, "%s: there is no tensor '%.60s' in it; read without "
                   "'only', it shows its names", path, *p);
  free(sorted);
  return st;
}

/* ---- UTF-8 ---- */

/* Bytes of the code point at s, or 0 when it is damaged, too long or 0. */
static size_t point(const unsigned char *s, size_t n) {
  static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
  size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 :
    s[0] >> 3 == 30 ? 4 : 0;
  if (!len || len > n) return 0;
  uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);
  for (size_t i = 1; i < len; i++) {
    if (s[i] >> 6 != 2) return 0;
    c = c << 6 | (s[i] & 63u);
  }
  bool surrogate = c >= 0xd800 && c < 0xe000;
  return c < least[len] || c > 0x10ffff || surrogate ? 0 : len;
}

bool td_io_utf8(const char *s, size_t n) {
  while (n) {
    size_t k = point((const unsigned char *)s, n);
    if (!k) return false;
    s += k;
    n -= k;
  }
  return true;
}
