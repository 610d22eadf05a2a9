/* test_io_map.c -- mapped files: what is shared and what is private, files that are
** cut short under a tensor, signals that are not ours. */
#include "tests/io.h"
#include "tensor/map.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { N = 1 << 20 };

static td_tensor *mapped(const char *name, int64_t n) {
  const char *path = io_path(name);
  td_status st = td_npy_write(path, td_full(td_cpu(), TD_F32, 1, &n, 1));
  return st ? NULL : td_npy_read(path, true);
}
static double sum(td_tensor *t) {
  double v = -1;
  return td_item(td_sum(t, TD_ALL, false), &v, NULL) ? -1 : v;
}

TEST(nothing_is_read_or_counted) {
  int mark = td_scope_open();
  int64_t before = td_memory_stats(td_cpu()).live;
  td_tensor *t = mapped("map.npy", N);
  REQUIRE(t);
  CHECK(t->buf->map && td__maps == 1);
  CHECK_INT(td_memory_stats(td_cpu()).live, before + 4 * N);  /* what was written */
  CHECK_NEAR(sum(t), N, 0);
  td_scope_close(mark);
  CHECK_INT(td__maps, 0);
  CHECK_INT(td_memory_stats(td_cpu()).live, before);
}

TEST(writing_is_private) {
  td_tensor *t = mapped("private.npy", 1000);
  td_tensor *twin = td_npy_read(io_path("private.npy"), true);
  REQUIRE(t && twin);
  ((float *)td_data_cpu(t))[3] = 101;
  CHECK_NEAR(sum(t), 1100, 0);
  CHECK_NEAR(sum(twin), 1000, 0);
  CHECK_NEAR(sum(td_npy_read(io_path("private.npy"), false)), 1000, 0);
}

/* What lies behind the new end reads as zeros; then every use is an error. */
TEST(cut_short_under_the_reader) {
  td_tensor *t = mapped("cut.npy", N);
  REQUIRE(t);
  const float *p = (const float *)t->data;
  CHECK(p[N - 1] == 1);
  REQUIRE(!truncate(io_path("cut.npy"), 8192));
  CHECK(p[5] == 1 && p[N - 1] == 0 && p[N / 2] == 0);
  CHECK_NEAR(sum(t), -1, 0);
  CHECK(strstr(td_error(), "cut.npy: the file was cut short"));
  CHECK(!td_mul(t, t) && !td_slice(td_neg(t), 0, 0, 5, 1));
  double v;
  CHECK(td_get(t, (int64_t[]){ 2 }, &v, NULL) == TD_EIO);
  CHECK(td_npy_write(io_path("other.npy"), t) == TD_EIO);
  CHECK(access(io_path("other.npy"), F_OK));
}

static void *cutter(void *path) {
  usleep(3000);
  if (truncate(path, 4096)) perror(path);
  return NULL;
}

/* While kernels run on all threads: a sum is right, or an error. */
TEST(cut_short_under_kernels) {
  for (int k = 0; k < 5; k++) {
    char path[200];
    pthread_t thread;
    int mark = td_scope_open(), right = 0;
    td_tensor *t = mapped("race.npy", 4 * N);
    REQUIRE(t);
    snprintf(path, sizeof path, "%s", io_path("race.npy"));
    REQUIRE(!pthread_create(&thread, NULL, cutter, path));
    for (double v = 0; v != -1; right++) {
      v = sum(td_exp(td_log(t)));
      if (v != -1 && v != 4 * N) FAIL("a sum of %g after %d", v, right);
    }
    pthread_join(thread, NULL);
    CHECK(strstr(td_error(), "race.npy"));
    td_scope_close(mark);
  }
}

/* A fault in a mapping that is not ours ends the process, as it did before. */
TEST(other_faults_stay_what_they_are) {
  td_tensor *t = mapped("ours.npy", 1000);
  REQUIRE(t && td__maps);
  io_write(io_path("theirs"), "x", 1);
  pid_t child = fork();
  if (!child) {
    int fd = open(io_path("theirs"), O_RDWR), null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (ftruncate(fd, 0)) _exit(0);
    _exit(p[0] == 'x' ? 0 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(!WIFEXITED(status) || WEXITSTATUS(status));
}

TEST(what_cannot_be_mapped_is_read) {
  int64_t n = 5;
  td_tensor *x = td_full(td_cpu(), TD_BOOL, 1, &n, 1);
  REQUIRE(!td_npy_write(io_path("bool.npy"), x));
  td_tensor *t = td_npy_read(io_path("bool.npy"), true);
  REQUIRE(t);
  CHECK(!t->buf->map);
  REQUIRE(!td_npy_write(io_path("x.npy.gz"), td_cast(x, TD_F32)));
  t = td_npy_read(io_path("x.npy.gz"), true);
  REQUIRE(t);
  CHECK(!t->buf->map);
  CHECK_NEAR(sum(t), 5, 0);
  t = td_idx_read("tests/data/f4.idx", true);      /* big end first */
  REQUIRE(t);
  CHECK(!t->buf->map);
  CHECK_INT(td__maps, 0);
}
