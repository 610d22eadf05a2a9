/* test_io_write.c -- a saved file is whole or not there: killed writers, folders
** that cannot be written, full disks, links. time limit: 120 s */
#include "tests/io.h"
#include "tensor/op.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static td_tensor *filled(int64_t n, double v) {
  return td_full(td_cpu(), TD_F64, 1, &n, v);
}

static td_status save(const char *path, td_tensor *t) {
  td_archive a = { 0 };
  td_status st;
  if (io_has(path, ".csv")) return td_csv_write(path, t, NULL);
  if (io_has(path, ".idx")) return td_idx_write(path, t);
  if (io_has(path, ".png"))
    return td_png_write(path, td_cast(td_unsqueeze(t, 0), TD_U8));
  if (io_has(path, ".npy")) return td_npy_write(path, t);
  td_archive_add(&a, "x", 1, t);
  if (io_has(path, ".npz")) st = td_npz_write(path, &a, io_has(path, "pack"));
  else st = td_safetensors_write(path, &a);
  td_archive_free(&a);
  return st;
}

static const char *const names[] = { "x.npy", "x.npy.gz", "x.npz", "pack.npz",
  "x.safetensors", "x.csv", "x.idx", "x.png" };
enum { NAMES = sizeof names / sizeof *names };

static int entries(void) {             /* in the folder of this program */
  char command[128];
  int n = -1;
  snprintf(command, sizeof command, "ls -A '%s' | wc -l", io_folder);
  FILE *f = popen(command, "r");
  if (!f || fscanf(f, "%d", &n) != 1) n = -1;
  if (f) pclose(f);
  return n;
}

/* ---- killed ---- */

/* Saves for ever: each time another value in another number of places. */
_Noreturn static void save_for_ever(const char *path) {
  for (int i = 1; ; i++) {
    int mark = td_scope_open();
    save(path, filled(1000 + 3000 * (i % 7), i % 200));
    td_scope_close(mark);
  }
}

static void check_whole(const char *path) {
  td_archive a = { 0 };
  if (access(path, F_OK)) return;      /* killed before the first was there */
  if (io_read(path, &a)) {
    FAIL("%s", td_error());
    return;
  }
  td_tensor *same = td_eq(a.t[0], td_amax(a.t[0], TD_ALL, false));
  td_tensor *all = td_amin(td_cast(same, TD_F64), TD_ALL, false);
  double one = 0;
  CHECK(!td_item(all, &one, NULL) && one == 1);
  CHECK_INT(td_numel(a.t[0]) % 3000, 1000);
  td_archive_free(&a);
}

TEST(kill_9_leaves_whole_files) {
  srand(7);
  for (int round = 0; round < 4 * NAMES; round++) {
    const char *path = io_path(names[round % NAMES]);
    int mark = td_scope_open();
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (!child) save_for_ever(path);
    struct timespec t = { 0, 1000000L * (5 + rand() % 60) };
    nanosleep(&t, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    check_whole(path);
    td_scope_close(mark);
  }
  /* What the killed ones left is taken over, not added to. */
  for (int i = 0; i < NAMES; i++) CHECK(!save(io_path(names[i]), filled(9, 1)));
  CHECK_INT(entries(), NAMES);
}

TEST(two_writers_of_one_file) {
  const char *path = io_path("two.npy");
  pid_t child[3];
  fflush(stdout);
  for (int i = 0; i < 3; i++)
    if (!(child[i] = fork())) save_for_ever(path);
  for (int i = 0; i < 100; i++) {
    struct timespec t = { 0, 2000000L };
    int mark = td_scope_open();
    nanosleep(&t, NULL);
    check_whole(path);
    td_scope_close(mark);
  }
  for (int i = 0; i < 3; i++) {
    kill(child[i], SIGKILL);
    waitpid(child[i], NULL, 0);
  }
  check_whole(path);
}

/* Who finds the place beside the file taken writes at another one. */
TEST(a_writer_that_is_at_it) {
  char text[8] = { 0 };
  const char *path = io_path("busy.npy");
  int fd = open(io_path("busy.npy.part"), O_RDWR | O_CREAT, 0666);
  REQUIRE(fd >= 0 && !flock(fd, LOCK_EX) && write(fd, "theirs", 6) == 6);
  CHECK(!save(path, filled(1000, 2)));
  check_whole(path);
  CHECK(pread(fd, text, 7, 0) == 6 && !strcmp(text, "theirs"));
  close(fd);
  CHECK(!access(io_path("busy.npy.part"), F_OK));
  CHECK(!save(path, filled(4000, 2)));
  CHECK(access(io_path("busy.npy.part"), F_OK));
  check_whole(path);
}

/* ---- places ---- */

TEST(places_that_cannot_be_written) {
  for (int i = 0; i < NAMES; i++) {
    char path[200];
    snprintf(path, sizeof path, "%s/none/%s", io_folder, names[i]);
    CHECK_INT(save(path, filled(3, 1)), TD_EIO);
    CHECK_ERROR(TD_EIO, "cannot be written: its folder does not exist");
    snprintf(path, sizeof path, "%s/folder-%s", io_folder, names[i]);
    CHECK(!mkdir(path, 0777));
    CHECK_INT(save(path, filled(3, 1)), TD_EIO);
    CHECK_ERROR(TD_EIO, "cannot be written: Is a directory");
    td_archive a = { 0 };
    CHECK_INT(io_read(path, &a), TD_EIO);
    CHECK_ERROR(TD_EIO, "is a folder, not a file");
    CHECK_INT(io_read(io_path("missing.npy"), &a), TD_EIO);
    CHECK_ERROR(TD_EIO, "missing.npy: cannot be opened: No such file");
  }
  CHECK(!mkfifo(io_path("pipe.npy"), 0666));
  CHECK(save(io_path("pipe.npy"), filled(3, 1)));
  CHECK_ERROR(TD_EIO, "not a regular file");
  CHECK(!td_npy_read(io_path("pipe.npy"), false));
  CHECK_ERROR(TD_EIO, "is not a regular file");
  CHECK(td_npy_write("/dev/null", filled(3, 1)));
  CHECK_ERROR(TD_EIO, "not a regular file");
}

/* The status of f in a process of its own, which may give up its rights. */
static int apart(int (*f)(void)) {
  int status = -1;
  fflush(stdout);
  pid_t child = fork();
  if (!child) _exit(f());
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static bool says(const char *part) { return strstr(td_error(), part) != NULL; }

static int as_nobody(void) {
  if (!geteuid() && setuid(65534)) return 1;
  if (!save(io_path("closed/x.npy"), filled(3, 1))) return 2;
  if (!says("cannot be written: Permission denied")) return 3;
  if (!save(io_path("mine.npy"), filled(3, 2))) return 4;
  if (!says("cannot be written: Permission denied")) return 5;
  if (td_npy_read(io_path("closed/y.npy"), false)) return 6;
  return says("cannot be opened: Permission denied") ? 0 : 7;
}

TEST(rights) {
  CHECK(!mkdir(io_path("closed"), 0755));
  CHECK(!save(io_path("closed/y.npy"), filled(3, 1)));
  CHECK(!save(io_path("mine.npy"), filled(3, 1)));
  CHECK(!chmod(io_path("closed"), 0500) && !chmod(io_folder, 0777));
  CHECK(!chmod(io_path("mine.npy"), 0444));
  CHECK_INT(apart(as_nobody), 0);
  CHECK(!chmod(io_path("closed"), 0755));
}

static int disk_full(void) {
  struct rlimit most = { 5000, 5000 };
  signal(SIGXFSZ, SIG_IGN);
  if (setrlimit(RLIMIT_FSIZE, &most)) return 1;
  for (int i = 0; i < NAMES; i++) {
    td_tensor *t = td_arange(td_cpu(), TD_F64, 0, 12.9898, 100000);
    t = td_add(td_mul(td_sin(td_mul(t, t)), td_num(127)), td_num(128));
    if (!save(io_path(names[i]), t)) return 10 + i;
    if (!says("writing failed: File too large")) return 30 + i;
  }
  return 0;
}

TEST(full_disk) {
  for (int i = 0; i < NAMES; i++) CHECK(!save(io_path(names[i]), filled(1000, 3)));
  int before = entries();
  CHECK_INT(apart(disk_full), 0);
  CHECK_INT(entries(), before);
  for (int i = 0; i < NAMES; i++) check_whole(io_path(names[i]));
}

TEST(interrupted) {
  for (int i = 0; i < NAMES; i++) {
    td_archive a = { 0 };
    td_tensor *t = td_cast(filled(1000, 4), TD_F64);
    const char *path = io_path(names[i]);
    CHECK(!save(path, t));
    td_tensor *u = td_unsqueeze(td_cast(t, TD_U8), 0);
    td_interrupt_flag = 1;
    CHECK_INT(io_has(path, ".png") ? td_png_write(path, u) : save(path, t), TD_EINTR);
    CHECK_INT(io_read(path, &a), TD_EINTR);
    td_interrupt_flag = 0;
    CHECK(!io_read(path, &a));
    td_archive_free(&a);
  }
}

TEST(links_and_modes_stay) {
  struct stat s;
  const char *file = io_path("real.npy"), *link = io_path("link.npy");
  CHECK(!save(file, filled(3, 1)));
  CHECK(!chmod(file, 0640));
  CHECK(!symlink("real.npy", link));
  CHECK(!save(link, filled(4, 2)));
  CHECK(!lstat(link, &s) && S_ISLNK(s.st_mode));
  CHECK(!stat(file, &s) && (s.st_mode & 0777) == 0640);
  CHECK_INT(td_numel(td_npy_read(file, false)), 4);
  CHECK(!chdir(io_folder));
  CHECK(!save("here.npy", filled(5, 1)));
  CHECK_INT(td_numel(td_npy_read("here.npy", false)), 5);
}
