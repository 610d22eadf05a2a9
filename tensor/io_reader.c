/* io_reader.c -- bytes of a file in order, plain or compressed. */
#include "io.h"
#include "map.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define AHEAD 65536u             /* bytes read ahead */
#define PIECE (16u << 20)        /* between two looks at the interrupt flag */
#define MOST_PACKED 1032         /* deflate makes nothing smaller than this */

td_status td_reader_fail(const td_reader *r, const char *fmt, ...) {
  char text[384];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (r->entry)
    return td_fail(TD_EIO, "%s, entry '%.60s': %s", r->path, r->entry, text);
  return td_fail(TD_EIO, "%s: %s", r->path, text);
}

const char *td_io_guess(const unsigned char *p, size_t n) {
  static const struct { const char *start; size_t n; const char *name; } all[] = {
    { "\x93NUMPY", 6, "an npy file" }, { "PK", 2, "a zip or npz file" },
    { "\x89PNG", 4, "a PNG picture" }, { "\x1f\x8b", 2, "a gzip file" },
    { "\xff\xd8\xff", 3, "a JPEG picture" }, { "\x89HDF", 4, "an HDF5 file" },
    { "\x80\x02", 2, "a Python pickle" }, { "\x80\x04", 2, "a Python pickle" },
    { "\0\0\x08", 3, "an IDX file" }, { "\0\0\x0d", 3, "an IDX file" },
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (n >= all[i].n && !memcmp(p, all[i].start, all[i].n)) return all[i].name;
  return n > 8 && p[8] == '{' ? "a safetensors file" : "nothing known";
}

/* ---- raw bytes ---- */

/* At most n bytes of the piece; 0 at its end, -1 after an error. */
static int64_t pull(td_reader *r, void *p, size_t n) {
  uint64_t left = r->size - r->taken;
  if (n > left) n = (size_t)left;
  if (n > PIECE) n = PIECE;
  while (n) {
    if (td_interrupt_flag) return td_fail(TD_EINTR, "interrupted"), -1;
    ssize_t k = pread(r->fd, p, n, (off_t)(r->from + r->taken));
    if (k > 0) {
      r->taken += (uint64_t)k;
      return k;
    }
    if (!k) return td_reader_fail(r, "it was cut short while it was read"), -1;
    if (errno != EINTR)
      return td_reader_fail(r, "cannot be read: %s", strerror(errno)), -1;
  }
  return 0;
}

/* ---- compressed bytes ---- */

static td_status start_inflate(td_reader *r) {
  z_stream *z = calloc(1, sizeof *z);
  if (!z || inflateInit2(z, r->gzip ? 15 + 16 : -15) != Z_OK) {
    free(z);
    return td_fail(TD_ENOMEM, "%s: out of memory", r->path);
  }
  r->z = z;
  return TD_OK;
}

/* More input for zlib: how many bytes, 0 at the end, -1 after an error. */
static int64_t feed(td_reader *r, z_stream *z) {
  int64_t k = pull(r, r->buf, AHEAD);
  if (k > 0) {
    z->next_in = r->buf;
    z->avail_in = (uInt)k;
  }
  return k;
}

/* A gzip file may have several members; bytes after them are ignored, as the
** program gzip does. */
static int next_member(td_reader *r, z_stream *z) {
  if (!r->gzip) return 0;
  if (!z->avail_in && feed(r, z) < 0) return -1;
  return z->avail_in && *z->next_in == 0x1f && inflateReset(z) == Z_OK;
}

static int64_t unpack(td_reader *r, void *dst, size_t n) {
  z_stream *z = r->z;
  if (n > PIECE) n = PIECE;
  z->next_out = dst;
  z->avail_out = (uInt)n;
  while (z->avail_out && !r->ended) {
    int64_t k = z->avail_in ? 1 : feed(r, z);
    if (k < 0) return -1;
    if (!k)
      return td_reader_fail(r, "the compressed data is cut short at offset %llu",
                            (unsigned long long)(r->from + r->taken)), -1;
    int e = inflate(z, Z_NO_FLUSH);
    if (e == Z_STREAM_END) {
      int more = next_member(r, z);
      if (more < 0) return -1;
      r->ended = !more;
    } else if (e == Z_MEM_ERROR) {
      return td_fail(TD_ENOMEM, "%s: out of memory", r->path), -1;
    } else if (e != Z_OK && e != Z_BUF_ERROR) {
      return td_reader_fail(r, "the compressed data is damaged near offset %llu "
        "(%s)", (unsigned long long)(r->from + r->taken - z->avail_in),
        z->msg ? z->msg : "unknown"), -1;
    }
  }
  return (int64_t)(n - z->avail_out);
}

/* ---- content ---- */

static int64_t some(td_reader *r, void *dst, size_t n) {
  if (r->z) return unpack(r, dst, n);
  if (r->lo == r->hi) {
    if (n >= AHEAD) return pull(r, dst, n);
    int64_t k = pull(r, r->buf, AHEAD);
    if (k <= 0) return k;
    r->lo = 0;
    r->hi = (size_t)k;
  }
  if (n > r->hi - r->lo) n = r->hi - r->lo;
  memcpy(dst, r->buf + r->lo, n);
  r->lo += n;
  return (int64_t)n;
}

int64_t td_reader_some(td_reader *r, void *dst, size_t n) {
  int64_t k = n ? some(r, dst, n) : 0;
  if (k <= 0) return k;
  r->at += (uint64_t)k;
  if (r->check) r->crc = (uint32_t)crc32_z(r->crc, dst, (size_t)k);
  return k;
}

static td_status too_short(td_reader *r, uint64_t n, const char *field) {
  return td_reader_fail(r, "%s needs %llu bytes at offset %llu, but there are "
    "not as many: the file is damaged or was cut short", field,
    (unsigned long long)n, (unsigned long long)r->at);
}

td_status td_reader_holds(td_reader *r, uint64_t n, const char *field) {
  uint64_t left = r->size - r->taken + (r->hi - r->lo);
  if (r->z) {
    left += ((z_stream *)r->z)->avail_in;
    left = r->ended ? 0 : left > UINT64_MAX / (2 * MOST_PACKED) ? UINT64_MAX :
      left * MOST_PACKED + AHEAD;
  }
  return n <= left ? TD_OK : too_short(r, n, field);
}

td_status td_reader_get(td_reader *r, void *dst, uint64_t n, const char *field) {
  char *p = dst;
  uint64_t left = n;
  td_status st = td_reader_holds(r, n, field);
  while (!st && left) {
    int64_t k = td_reader_some(r, p, (size_t)left);
    if (k < 0) return td_error_code();
    if (!k) return too_short(r, left, field);
    p += k;
    left -= (uint64_t)k;
  }
  return st;
}

td_status td_reader_skip(td_reader *r, uint64_t n, const char *field) {
  char scratch[4096];
  td_status st = td_reader_holds(r, n, field);
  while (!st && n) {
    if (!r->z && r->lo == r->hi) {
      r->taken += n;
      r->at += n;
      return TD_OK;
    }
    size_t k = n < sizeof scratch ? (size_t)n : sizeof scratch;
    if (!r->z && k > r->hi - r->lo) k = r->hi - r->lo;
    st = td_reader_get(r, scratch, k, field);
    n -= k;
  }
  return st;
}

td_status td_reader_finish(td_reader *r, bool exact) {
  char scratch[4096];
  uint64_t end = r->at;
  if (!r->z && !r->check && !exact) return TD_OK;
  for (;;) {
    int64_t k = td_reader_some(r, scratch, sizeof scratch);
    if (k < 0) return td_error_code();
    if (!k) return TD_OK;
    if (exact)
      return td_reader_fail(r, "there are bytes after offset %llu, where its "
        "header says it ends", (unsigned long long)end);
  }
}

/* ---- opening ---- */

static td_status open_file(td_reader *r, const char *path) {
  struct stat s;
  /* Without O_NONBLOCK opening a pipe would wait for a writer. */
  r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (r->fd < 0 || fstat(r->fd, &s))
    return td_fail(TD_EIO, "%s: cannot be opened: %s", path, strerror(errno));
  if (S_ISDIR(s.st_mode))
    return td_fail(TD_EIO, "%s: is a folder, not a file", path);
  if (!S_ISREG(s.st_mode))
    return td_fail(TD_EIO, "%s: is not a regular file", path);
  r->size = (uint64_t)s.st_size;
  r->buf = malloc(AHEAD);
  return r->buf ? TD_OK : td_fail(TD_ENOMEM, "%s: out of memory", path);
}

/* Content that starts like a gzip file is taken for one. */
static td_status sniff(td_reader *r) {
  int64_t k = pull(r, r->buf, AHEAD);
  if (k < 0) return td_error_code();
  if (k < 2 || r->buf[0] != 0x1f || r->buf[1] != 0x8b) {
    r->hi = (size_t)k;
    return TD_OK;
  }
  r->gzip = true;
  td_status st = start_inflate(r);
  if (st) return st;
  ((z_stream *)r->z)->next_in = r->buf;
  ((z_stream *)r->z)->avail_in = (uInt)k;
  return TD_OK;
}

td_status td_reader_open(td_reader *r, const char *path, bool gunzip) {
  *r = (td_reader){ .path = path, .fd = -1, .owns = true };
  td_status st = open_file(r, path);
  if (!st && gunzip) st = sniff(r);
  if (st) td_reader_close(r);
  return st;
}

td_status td_reader_part(td_reader *r, const td_reader *whole, uint64_t from,
                         uint64_t size, bool deflated) {
  *r = (td_reader){ .path = whole->path, .fd = whole->fd, .from = from,
                    .size = size };
  if (from > whole->size || size > whole->size - from)
    return td_fail(TD_EIO, "%s: %llu bytes at offset %llu are needed, but the "
      "file has %llu: it is damaged or was cut short", r->path,
      (unsigned long long)size, (unsigned long long)from,
      (unsigned long long)whole->size);
  if (!(r->buf = malloc(AHEAD)))
    return td_fail(TD_ENOMEM, "%s: out of memory", r->path);
  td_status st = deflated ? start_inflate(r) : TD_OK;
  if (st) td_reader_close(r);
  return st;
}

void td_reader_close(td_reader *r) {
  if (r->z) inflateEnd(r->z);
  free(r->z);
  free(r->buf);
  td__map_drop(r->mapping);
  r->mapping = NULL;
  if (r->owns && r->fd >= 0) close(r->fd);
  r->z = r->buf = NULL;
  r->fd = -1;
}
