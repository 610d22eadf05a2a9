/* test_io_fuzz.c -- damaged files never crash a reader: cut at every byte, every
** byte changed, random changes, and every allocation failing. time limit: 120 s
**
** FUZZ_SECONDS=300 goes on with random changes for so long; the seed is printed. */
#include "tests/io.h"
#include "tests/fault.h"
#include "tensor/op.h"
#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <zlib.h>

#define DATA "tests/data/"

/* ---- the corpus: what other programs wrote, and what is written here ---- */

typedef struct sample { char name[80]; unsigned char *p; size_t n; } sample;
static sample corpus[64];
static int samples;

static void add_sample(const char *path, const char *name) {
  sample *s = &corpus[samples];
  if (samples == 64 || !(s->p = io_slurp(path, &s->n)) || !s->n) return;
  snprintf(s->name, sizeof s->name, "%s", name);
  samples++;
}

static void write_own(void) {
  td_archive a = { 0 };
  td_tensor *t = td_arange(td_cpu(), TD_F32, 0, .5, 6);
  td_archive_add(&a, "layer.weight", 12, td_reshape(t, TD_INTS(2, 3)));
  td_archive_add(&a, "b", 1, td_cast(t, TD_BF16));
  td_archive_note(&a, "epoch", 5, "3", 1);
  td_safetensors_write(io_path("own.safetensors"), &a);
  td_npz_write(io_path("own.npz"), &a, true);
  td_archive_free(&a);
  td_npy_write(io_path("own.npy.gz"), t);
  td_csv_write(io_path("own.csv"), td_reshape(t, TD_INTS(2, 3)), "a,\"b\nc\",d");
  io_write(io_path("two.csv"), "1,\"2.5\"\r\n\n nan,-inf\r\n3e4,", 25);
  a = (td_archive){ 0 };
  td_archive_add(&a, "images", 6, td_full(td_cpu(), TD_U8, 4,
                                          (int64_t[]){ 1, 3, 32, 32 }, 77));
  td_archive_add(&a, "labels", 6, td_full(td_cpu(), TD_U8, 1,
                                          (int64_t[]){ 1 }, 9));
  td_cifar_write(io_path("own.bin"), &a);
  td_archive_free(&a);
  static const char *const own[] = { "own.safetensors", "own.npz", "own.npy.gz",
                                     "own.csv", "two.csv", "own.bin" };
  for (int i = 0; i < 6; i++) add_sample(io_path(own[i]), own[i]);
}

static bool make_corpus(void) {
  if (samples) return true;
  write_own();
  DIR *d = opendir(DATA);
  if (!d) return false;
  for (struct dirent *e; (e = readdir(d)); ) {
    char path[300];
    snprintf(path, sizeof path, DATA "%s", e->d_name);
    if (e->d_name[0] != '.' && !io_has(path, ".py")) add_sample(path, e->d_name);
  }
  closedir(d);
  return samples > 20;
}

/* ---- one damaged file ---- */

static long read_whole, refused;

/* Reads a file, mapped or not; the sum of all bytes that came of it. */
static bool take(const char *path, bool map, double *sum) {
  td_archive a = { .map = map };
  int mark = td_scope_open();
  td_error_clear();
  bool ok = !io_read(path, &a);
  double v;
  *sum = 0;
  for (int i = 0; i < a.n; i++) {      /* every byte of a result can be read */
    td_tensor *s = td_sum(td_cast(a.t[i], TD_F64), TD_ALL, false);
    if (td_item(s, &v, NULL)) FAIL("%s: %s", path, td_error());
    *sum += v;
  }
  if (!ok && !strstr(td_error(), path) && td_error_code() != TD_ENOMEM)
    FAIL("%s: the message does not say which file: %s", path, td_error());
  td_archive_free(&a);
  td_scope_close(mark);
  return ok;
}

/* Reads the bytes as a file of that name: tensors, or an error with the path.
** Mapped it is the same, but for labels, which are not looked at then. */
static bool try(const char *name, const unsigned char *p, size_t n) {
  char path[200];
  double read, mapped;
  snprintf(path, sizeof path, "%s/%s", io_folder, name);
  int fd = open(path, O_WRONLY | O_CREAT, 0666);
  if (fd < 0 || (n && write(fd, p, n) != (ssize_t)n) || ftruncate(fd, (off_t)n))
    FAIL("%s: cannot be written", path);
  close(fd);
  bool ok = take(path, false, &read);
  if (ok) read_whole++;
  else refused++;
  if (io_has(name, ".npz") || io_has(name, ".png") || io_has(name, ".csv"))
    return ok;
  bool also = take(path, true, &mapped);
  if (ok ? !also || (read != mapped && read == read) :
      also && !io_has(name, ".bin"))
    FAIL("%s: mapped it is another: %d %g, %d %g", name, ok, read, also, mapped);
  return ok;
}

/* Does a start of this file never make sense?  Rows of a csv file do. */
static bool strict(const char *name) { return !io_has(name, ".csv"); }

TEST(samples_are_read) {
  REQUIRE(make_corpus());
  for (int i = 0; i < samples; i++) {
    bool bad = io_has(corpus[i].name, "numpy_text") || io_has(corpus[i].name, "bzip2") ||
      io_has(corpus[i].name, "numpy_complex") || io_has(corpus[i].name, "_record") ||
      io_has(corpus[i].name, "u8_large");
    if (try(corpus[i].name, corpus[i].p, corpus[i].n) == bad)
      FAIL("%s: %s", corpus[i].name, td_error());
  }
}

TEST(cut_at_every_byte) {
  REQUIRE(make_corpus());
  for (int i = 0; i < samples; i++)
    for (size_t n = 0; n < corpus[i].n; n++)
      if (try(corpus[i].name, corpus[i].p, n) && strict(corpus[i].name))
        FAIL("%s is read when only %zu of %zu bytes are there", corpus[i].name, n,
             corpus[i].n);
}

TEST(every_byte_changed) {
  static const unsigned char flips[] = { 0x01, 0x80, 0xff };
  REQUIRE(make_corpus());
  for (int i = 0; i < samples; i++)
    for (size_t at = 0; at < corpus[i].n; at++)
      for (int k = 0; k < 3; k++) {
        corpus[i].p[at] ^= flips[k];
        try(corpus[i].name, corpus[i].p, corpus[i].n);
        corpus[i].p[at] ^= flips[k];
      }
}

/* ---- random changes ---- */

static uint64_t state;
static uint32_t draw(uint32_t n) {     /* 0..n - 1 */
  state = state * 6364136223846793005u + 1442695040888963407u;
  return n ? (uint32_t)(state >> 33) % n : 0;
}

static void set_number(unsigned char *p, size_t n) {
  static const uint64_t odd[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff,
    0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull };
  size_t bytes = (size_t)1 << draw(4), at = draw((uint32_t)n);
  uint64_t v = odd[draw(13)];
  bool big = draw(2);
  for (size_t b = 0; b < bytes && at + b < n; b++)
    p[at + b] = (unsigned char)(v >> 8 * (big ? bytes - 1 - b : b));
}

static size_t change(unsigned char *p, size_t n, size_t room) {
  static const char marks[] = "0123456789-.,:;'\"\\[]{}()<>|=eFTuxn \n\r\t";
  if (!n) return n;
  size_t at = draw((uint32_t)n), len = 1 + draw(16), to = draw((uint32_t)n);
  switch (draw(7)) {
    case 0: p[at] = (unsigned char)draw(256); break;
    case 1: p[at] = (unsigned char)marks[draw(sizeof marks - 1)]; break;
    case 2: set_number(p, n); break;
    case 3:                            /* a piece is lost */
      if (len > n - at) len = n - at;
      memmove(p + at, p + at + len, n - at - len);
      return n - len;
    case 4:                            /* a piece stands twice */
      if (n + len > room || at + len > n) return n;
      memmove(p + at + len, p + at, n - at);
      return n + len;
    case 5:                            /* a piece lands elsewhere */
      if (at + len <= n && to + len <= n) memmove(p + to, p + at, len);
      break;
    default: return 1 + draw((uint32_t)n);
  }
  return n;
}

/* Makes the checksums of PNG chunks right, so that more of the reader is seen. */
static void mend_png(unsigned char *p, size_t n) {
  size_t at = 8;
  while (n >= 12 && at <= n - 12) {
    size_t len = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 |
      (size_t)p[at + 2] << 8 | p[at + 3];
    if (len > n - at - 12) return;
    uint32_t crc = (uint32_t)crc32(0, p + at + 4, (uInt)len + 4);
    for (int b = 0; b < 4; b++)
      p[at + 8 + len + (size_t)b] = (unsigned char)(crc >> (24 - 8 * b));
    at += 12 + len;
  }
}

TEST(random_changes) {
  static unsigned char p[16384];
  const char *seconds = getenv("FUZZ_SECONDS"), *seed = getenv("FUZZ_SEED");
  time_t end = time(NULL) + (seconds ? atoi(seconds) : 0);
  state = seed ? strtoull(seed, NULL, 10) : seconds ? (uint64_t)time(NULL) : 7;
  printf("# seed %llu\n", (unsigned long long)state);
  REQUIRE(make_corpus());
  for (long k = 0; k < 20000 || time(NULL) < end; k++) {
    sample *s = &corpus[draw((uint32_t)samples)];
    size_t n = s->n < sizeof p / 2 ? s->n : sizeof p / 2;
    memcpy(p, s->p, n);
    for (uint32_t c = 1 + draw(6); c; c--) n = change(p, n, sizeof p);
    if (io_has(s->name, ".png") && draw(4)) mend_png(p, n);
    try(s->name, p, n);
  }
  printf("# %ld files read, %ld refused\n", read_whole, refused);
  CHECK(read_whole > 1000 && refused > 1000);
}

/* ---- memory ---- */

TEST(every_allocation_fails) {
  if (!TEST_EVERY) SKIP("the sanitizer owns the allocator");
  REQUIRE(make_corpus());
  for (int i = 0; i < samples; i++) {
    char path[200];
    bool through = false;
    snprintf(path, sizeof path, "%s/oom-%.80s", io_folder, corpus[i].name);
    io_write(path, corpus[i].p, corpus[i].n);
    for (long k = 0; !through && k < 2000; k++) {
      td_archive a = { .map = k % 2 };
      int64_t live = td_live_tensors();
      int mark = td_scope_open();
      td_memory_trim();
      long before = blocks;
      fault.on = true;
      fault.left = k;
      td_status st = io_read(path, &a);
      through = fault.left >= 0;
      fault.on = false;
      if (!through && st && st != TD_ENOMEM && st != TD_EIO)
        FAIL("%s: allocation %ld: status %d: %s", corpus[i].name, k, st, td_error());
      td_archive_free(&a);
      td_scope_close(mark);
      td_memory_trim();
      CHECK_INT(td_live_tensors(), live);
      if (blocks != before)
        FAIL("%s: allocation %ld leaks %ld blocks", path, k, blocks - before);
    }
    CHECK(through);
  }
}

static td_status write_one(const char *name, td_tensor *t, const td_archive *a) {
  const char *path = io_path(name);
  if (io_has(name, ".npz")) return td_npz_write(path, a, io_has(name, "pack"));
  if (io_has(name, ".safetensors")) return td_safetensors_write(path, a);
  if (io_has(name, ".csv")) return td_csv_write(path, t, "a,b");
  if (io_has(name, ".idx")) return td_idx_write(path, t);
  if (io_has(name, ".bin")) return td_cifar_write(path, a);
  if (io_has(name, ".png")) return td_png_write(path, t);
  return td_npy_write(path, t);
}

TEST(every_allocation_of_a_writer_fails) {
  static const char *const names[] = { "w.npy", "w.npy.gz", "w.npz", "pack.npz",
    "w.safetensors", "w.csv", "w.idx", "w.png" };
  if (!TEST_EVERY) SKIP("the sanitizer owns the allocator");
  td_archive a = { 0 };
  td_tensor *t = td_transpose(td_full(td_cpu(), TD_F32, 2, (int64_t[]){ 2, 9 }, .5),
                              0, 1);
  td_archive_add(&a, "x", 1, t);
  td_archive_add(&a, "y", 1, t);
  td_archive_note(&a, "k", 1, "v", 1);
  for (int i = 0; i < 8; i++) {
    bool through = false;
    for (long k = 0; !through && k < 2000; k++) {
      td_memory_trim();
      long before = blocks;
      fault.on = true;
      fault.left = k;
      td_status st = write_one(names[i], t, &a);
      through = fault.left >= 0;
      fault.on = false;
      td_memory_trim();
      if (blocks != before)
        FAIL("%s: allocation %ld leaks %ld blocks", names[i], k, blocks - before);
      if (st ? st != TD_ENOMEM && st != TD_EIO : access(io_path(names[i]), F_OK) != 0)
        FAIL("%s: allocation %ld: status %d: %s", names[i], k, st, td_error());
      if (st && !access(io_path(names[i]), F_OK))
        FAIL("%s: allocation %ld left a file", names[i], k);
      unlink(io_path(names[i]));
      char part[40];
      snprintf(part, sizeof part, "%s.part", names[i]);
      CHECK(access(io_path(part), F_OK));
    }
    CHECK(through);
  }
  td_archive_free(&a);
}
