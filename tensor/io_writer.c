/* io_writer.c -- files that are replaced whole: written beside their place,
** flushed to the disk, renamed.
**
** The file beside it is PATH.part.  A lock tells a running writer from a killed
** one, whose remains the next writer takes over. */
#include "io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE (16u << 20)        /* between two looks at the interrupt flag */
#define PACKED 65536u            /* output of zlib at a time */

bool td_io_is_gz(const char *path) {
  size_t n = strlen(path);
  return n >= 3 && !strcmp(path + n - 3, ".gz");
}

/* ---- opening ---- */

static td_status cannot(td_writer *w, int why) {
  return td_fail(TD_EIO, "%s: cannot be written: %s", w->path,
                 why == ENOENT ? "its folder does not exist" : strerror(why));
}

/* Finds what will be replaced: behind links, only plain files one may write. */
static td_status find_target(td_writer *w) {
  struct stat s;
  w->target = realpath(w->path, NULL);
  if (!w->target) {
    if (errno != ENOENT) return cannot(w, errno);
    w->target = strdup(w->path);
    return w->target ? TD_OK : td_fail(TD_ENOMEM, "%s: out of memory", w->path);
  }
  if (stat(w->target, &s)) return cannot(w, errno);
  if (S_ISDIR(s.st_mode)) return cannot(w, EISDIR);
  if (!S_ISREG(s.st_mode))
    return td_fail(TD_EIO, "%s: cannot be written: it is not a regular file",
                   w->path);
  if (access(w->target, W_OK)) return cannot(w, errno);
  w->mode = s.st_mode & 0777;
  return TD_OK;
}

/* Is the file behind fd still the one of this name? */
static bool still_there(int fd, const char *path) {
  struct stat a, b;
  return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev &&
    a.st_ino == b.st_ino;
}

/* The descriptor of the empty file beside it, or -1. */
static int open_beside(td_writer *w, size_t size) {
  snprintf(w->temporary, size, "%s.part", w->target);
  for (int tries = 0; tries < 8; tries++) {
    int fd = open(w->temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
      close(fd);               /* another writer is at it, or locks are not known */
      break;
    }
    if (still_there(fd, w->temporary)) {
      if (!ftruncate(fd, 0)) return fd;
      close(fd);
      return -1;
    }
    close(fd);
  }
  for (int i = 0; i < 1000; i++) {
    snprintf(w->temporary, size, "%s.%ld-%d.part", w->target, (long)getpid(), i);
    int fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

td_status td_writer_open(td_writer *w, const char *path) {
  *w = (td_writer){ .path = path, .mode = -1 };
  td_status st = find_target(w);
  size_t n = st ? 0 : strlen(w->target) + 48;
  if (!st && !(w->temporary = malloc(n)))
    st = td_fail(TD_ENOMEM, "%s: out of memory", path);
  int fd = st ? -1 : open_beside(w, n);
  if (!st && fd < 0) st = cannot(w, errno);
  if (!st && !(w->file = fdopen(fd, "wb"))) {
    st = td_fail(TD_ENOMEM, "%s: out of memory", path);
    unlink(w->temporary);
    close(fd);
  }
  if (!st) return TD_OK;
  free(w->temporary);
  free(w->target);
  w->temporary = w->target = NULL;
  return st;
}

/* ---- writing ---- */

static void failed(td_writer *w, int why) {
  if (!w->error) w->error = why;
}

static void put(td_writer *w, const void *p, size_t n) {
  const char *from = p;
  while (n && !w->error) {
    size_t k = n < PIECE ? n : PIECE;
    errno = 0;
    if (td_interrupt_flag) failed(w, -1);
    else if (fwrite(from, 1, k, w->file) != k) failed(w, errno ? errno : EIO);
    from += k;
    n -= k;
    w->n += k;
  }
}

/* Lets zlib work until it has taken its input, or given all its output. */
static void deflate_all(td_writer *w, int flush) {
  z_stream *z = w->z;
  int e;
  do {
    z->next_out = w->buf;
    z->avail_out = PACKED;
    e = deflate(z, flush);
    put(w, w->buf, PACKED - z->avail_out);
  } while (!w->error && (flush == Z_FINISH ? e == Z_OK : z->avail_out == 0));
}

void td_writer_put(td_writer *w, const void *p, size_t n) {
  z_stream *z = w->z;
  if (!z) {
    put(w, p, n);
    return;
  }
  const unsigned char *from = p;
  while (n && !w->error) {
    size_t k = n < PIECE ? n : PIECE;
    z->next_in = (unsigned char *)from;
    z->avail_in = (uInt)k;
    deflate_all(w, Z_NO_FLUSH);
    from += k;
    n -= k;
  }
}

void td_writer_patch(td_writer *w, uint64_t at, const void *p, size_t n) {
  if (w->error) return;
  if (fseeko(w->file, (off_t)at, SEEK_SET) || fwrite(p, 1, n, w->file) != n ||
      fseeko(w->file, 0, SEEK_END))
    failed(w, errno);
}

td_status td_writer_pack(td_writer *w, bool gzip) {
  z_stream *z = calloc(1, sizeof *z);
  w->buf = malloc(PACKED);
  if (!z || !w->buf ||
      deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip ? 15 + 16 : -15, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    free(z);
    free(w->buf);
    w->buf = NULL;
    return td_fail(TD_ENOMEM, "%s: out of memory", w->path);
  }
  w->z = z;
  return TD_OK;
}

void td_writer_unpack(td_writer *w) {
  if (!w->z) return;
  deflate_all(w, Z_FINISH);
  deflateEnd(w->z);
  free(w->z);
  free(w->buf);
  w->z = w->buf = NULL;
}

/* ---- the end ---- */

/* The folder entry is flushed too, so that the new name survives a crash. */
static void sync_folder(char *path) {
  char *slash = strrchr(path, '/');
  if (slash) *(slash == path ? slash + 1 : slash) = 0;
  int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

/* The lock is held until the file has its name: nobody else may empty it. */
static void give_name(td_writer *w) {
  int fd = fileno(w->file);
  if (fflush(w->file) || fsync(fd)) failed(w, errno);
  else if (w->mode >= 0 && fchmod(fd, (mode_t)w->mode)) failed(w, errno);
  else if (rename(w->temporary, w->target)) failed(w, errno);
}

td_status td_writer_close(td_writer *w, td_status st) {
  if (!w->temporary) return st;
  td_writer_unpack(w);
  if (!st && !w->error) give_name(w);
  if (st || w->error) unlink(w->temporary);
  fclose(w->file);
  if (!st && !w->error) sync_folder(w->target);
  free(w->temporary);
  free(w->target);
  w->temporary = w->target = NULL;
  if (st || !w->error) return st;
  if (w->error < 0) return td_fail(TD_EINTR, "interrupted");
  return td_fail(TD_EIO, "%s: writing failed: %s", w->path, strerror(w->error));
}
