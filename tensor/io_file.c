/* io_file.c -- files as bytes: mapped for reading, replaced whole in writing. */
#include "io.h"
#include "op.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

td_status td_map_open(td_map *m, const char *path) {
  struct stat s;
  *m = (td_map){ .path = path };
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &s)) {
    td_fail(TD_EIO, "%s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return TD_EIO;
  }
  if (!S_ISREG(s.st_mode)) {
    close(fd);
    return td_fail(TD_EIO, "%s: not a regular file", path);
  }
  m->n = (size_t)s.st_size;
  m->base = m->n ? mmap(NULL, m->n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
  close(fd);
  if (m->base == MAP_FAILED) {
    m->base = NULL;
    return td_fail(TD_EIO, "%s: cannot be mapped: %s", path, strerror(errno));
  }
  m->p = m->base;
  return TD_OK;
}

void td_map_close(td_map *m) {
  if (m->base) munmap(m->base, m->n);
  m->base = NULL;
}

const unsigned char *td_map_at(const td_map *m, uint64_t at, uint64_t n,
                               const char *field) {
  if (at <= m->n && n <= m->n - at) return m->p + at;
  return td_fail_null(TD_EIO, "%s: %s needs %llu bytes at offset %llu, but the "
    "file has %zu: it is damaged or was cut short", m->path, field,
    (unsigned long long)n, (unsigned long long)at, m->n);
}

/* ---- writing ---- */

td_status td_writer_open(td_writer *w, const char *path) {
  size_t n = strlen(path) + 32;
  *w = (td_writer){ .path = path, .temporary = malloc(n) };
  if (!w->temporary) return td_fail(TD_ENOMEM, "%s: out of memory", path);
  snprintf(w->temporary, n, "%s.%ld.part", path, (long)getpid());
  w->file = fopen(w->temporary, "wb");
  if (w->file) return TD_OK;
  td_fail(TD_EIO, "%s: cannot be written: %s", path, strerror(errno));
  free(w->temporary);
  w->temporary = NULL;
  return TD_EIO;
}

void td_writer_put(td_writer *w, const void *p, size_t n) {
  if (n && fwrite(p, 1, n, w->file) != n) w->failed = true;
}

/* The folder entry is flushed too, so that the new name survives a crash. */
static void sync_folder(const char *path) {
  char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
  if (slash) *(slash == copy ? slash + 1 : slash) = 0;
  int fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  free(copy);
}

td_status td_writer_close(td_writer *w, td_status st) {
  if (!w->temporary) return st;
  bool ok = !w->failed && !st && !fflush(w->file) && !fsync(fileno(w->file));
  int why = errno;
  ok = !fclose(w->file) && ok;
  if (ok && rename(w->temporary, w->path)) {
    ok = false;
    why = errno;
  }
  if (ok) sync_folder(w->path);
  else unlink(w->temporary);
  free(w->temporary);
  w->temporary = NULL;
  if (st || ok) return st;
  return td_fail(TD_EIO, "%s: writing failed: %s", w->path, strerror(why));
}

/* ---- shared ---- */

td_tensor *td_io_host(td_tensor *t, bool bf16_ok) {
  bool old = td_grad_enable(false);
  td_tensor *h = td_to_device(t, td_cpu());
  if (h && h->dtype == TD_BF16 && !bf16_ok) h = td_cast(h, TD_F32);
  h = td_contiguous(h);
  td_grad_enable(old);
  return h;
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
  char *copy = malloc(len + 1);
  if (!copy) return td_fail(TD_ENOMEM, "out of memory for a name");
  memcpy(copy, name, len);
  copy[len] = 0;
  a->name[a->n] = copy;
  a->t[a->n++] = t;
  return TD_OK;
}

void td_archive_free(td_archive *a) {
  for (int i = 0; i < a->n; i++) free(a->name[i]);
  free(a->name);
  free(a->t);
  free(a->metadata);
  *a = (td_archive){ 0 };
}
