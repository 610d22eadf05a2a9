/* test_golden.c -- results of every op as a GPU gave them, against those of the CPU and of the
** kernels on the emulation.
**
** TIDE_GOLDEN=FILE DEVICE=cuda records them (make gpu-check does); files in tests/gpu/golden are
** what was recorded.  A line holds an op, a case of its rule and all results in f32.  Inputs
** follow from the case, so they are not written. */
#include "tests/test.h"
#include "tests/op_walk.h"
#include "tests/plugin.h"
#include <dirent.h>

static td_backend *where;
static results got;

/* ---- recording ---- */

static FILE *record;
static int recorded;

static bool on_device(const op_case *k) {
  inputs v;
  if (k->op->rule->flags & TD_RANDOM || !inputs_make(&v, k, TD_F32)) return false;
  results_of(&got, k, v.x, PLAIN, where);
  return !got.st;
}

static void record_case(const op_case *k) {
  if (!on_device(k)) return;
  fprintf(record, "%s %.*s", k->op->name, k->len, k->text);
  for (int i = 0; i < got.n; i++) {
    fprintf(record, " |");
    for (int64_t e = 0; e < got.numel[i]; e++) fprintf(record, " %.9g", got.v[i][e]);
  }
  fputc('\n', record);
  recorded++;
}

static void record_to(const char *path) {
  recorded = 0;
  if (!(record = fopen(path, "w"))) { FAIL("%s cannot be written", path); return; }
  each_case(record_case);
  fclose(record);
  printf("# %s: %d cases of %s\n", path, recorded, where->name);
}

/* ---- comparing ---- */

static struct { char *text; size_t length; int found, wrong; double worst; } golden;

static bool golden_read(const char *path) {
  FILE *f = fopen(path, "r");
  size_t size = 0;
  free(golden.text);
  memset(&golden, 0, sizeof golden);
  ssize_t n = f ? getdelim(&golden.text, &size, 0, f) : -1;
  if (f) fclose(f);
  golden.length = n > 0 ? (size_t)n : 0;
  return n > 0;
}

/* What follows the case in its line, or NULL. */
static const char *golden_line(const op_case *k) {
  char key[600];
  snprintf(key, sizeof key, "\n%s %.*s |", k->op->name, k->len, k->text);
  const char *at = strncmp(golden.text, key + 1, strlen(key + 1)) ? strstr(golden.text, key) :
    golden.text - 1;
  return at ? at + strlen(key) - 1 : NULL;
}

static bool golden_results(const char *s, const results *like, results *want) {
  *want = *like;
  for (int i = 0; i < like->n; i++) {
    while (*s == ' ') s++;
    if (*s++ != '|') return false;
    for (int64_t e = 0; e < like->numel[i]; e++) {
      char *end;
      want->v[i][e] = strtod(s, &end);
      if (end == s) return false;
      s = end;
    }
  }
  return *s == '\n' || !*s;
}

static void compare_case(const op_case *k) {
  static results want;
  const char *line = golden_line(k);
  if (!line || !on_device(k)) return;
  golden.found++;
  double d = golden_results(line, &got, &want) ? results_apart(k, &got, &want) : INFINITY;
  golden.wrong += !(d < 2e-5);
  golden.worst = fmax(golden.worst, d);
}

static void compare(td_backend *b) {
  where = b;
  golden.found = golden.wrong = 0;
  golden.worst = 0;
  each_case(compare_case);
}

static bool device_is_cuda(void) {
  const char *d = getenv("DEVICE");
  return d && !strncmp(d, "cuda", 4);
}

TEST(what_a_gpu_gave) {
  DIR *dir = opendir("tests/gpu/golden");
  struct dirent *entry;
  int files = 0;
  if (!device_is_cuda() && !plugin_load_emulated()) FAIL("no emulation of CUDA: %s", td_error());
  where = device_is_cuda() ? test_device() : td_device("cuda");
  REQUIRE(where);
  td_backend *cuda = where;
  const char *path = getenv("TIDE_GOLDEN");
  if (path) record_to(path);
  while (dir && (entry = readdir(dir))) {
    char name[600];
    if (!strstr(entry->d_name, ".txt")) continue;
    snprintf(name, sizeof name, "tests/gpu/golden/%s", entry->d_name);
    if (!golden_read(name)) { FAIL("%s cannot be read", name); continue; }
    files++;
    for (int i = 0; i < 2; i++) {
      compare(i ? cuda : td_cpu());
      printf("# %s: %d cases, off by %.1e on %s\n", name, golden.found, golden.worst, where->name);
      if (golden.wrong || golden.found < 500)
        FAIL("%s: %d of %d cases differ on %s", name, golden.wrong, golden.found, where->name);
    }
  }
  if (dir) closedir(dir);
  if (!files && !path) SKIP("no GPU has recorded results yet");
}

/* A record is read back as it was written, and a number that is changed is seen. */
TEST(a_record_is_compared) {
  char path[] = "/tmp/tide-golden-XXXXXX";
  int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  where = td_cpu();
  record_to(path);
  CHECK(recorded > 500 && golden_read(path));
  compare(td_cpu());
  CHECK_INT(golden.found, recorded);
  CHECK_INT(golden.wrong, 0);
  char *sum = strstr(golden.text, "\nadd ");
  REQUIRE(sum && (sum = strchr(sum, '|')) && (sum = strchr(sum, '.')));
  sum[-1] = sum[-1] == '7' ? '2' : '7';
  compare(td_cpu());
  CHECK_INT(golden.wrong, 1);
  free(golden.text);
  memset(&golden, 0, sizeof golden);
  fclose(fdopen(fd, "r"));
  remove(path);
}
