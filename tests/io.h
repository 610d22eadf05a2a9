/* io.h -- what the tests of files share: a folder of their own, files made of
** text, all readers by extension. */
#ifndef TD_TEST_IO_H
#define TD_TEST_IO_H
#include "tests/test.h"
#include "tensor/io.h"
#include "tensor/op.h"
#include <unistd.h>

static char io_folder[64];

__attribute__((constructor)) static void io_make_folder(void) {
  td_core_init();
  bool memory = !access("/dev/shm", W_OK | X_OK);   /* where fsync is no wait */
  snprintf(io_folder, sizeof io_folder, "%s/tide-io-XXXXXX",
           memory ? "/dev/shm" : "/tmp");
  if (!mkdtemp(io_folder)) perror(io_folder);
}
__attribute__((destructor)) static void io_remove_folder(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", io_folder);
  if (system(command)) perror(command);
}

/* A path in that folder; the last 8 that were asked for stay valid. */
__attribute__((unused)) static const char *io_path(const char *name) {
  static char paths[8][160];
  static int next;
  char *p = paths[next++ % 8];
  snprintf(p, sizeof paths[0], "%s/%s", io_folder, name);
  return p;
}

/* The bytes of a file; the caller frees them. */
__attribute__((unused)) static unsigned char *io_slurp(const char *path,
                                                       size_t *n) {
  FILE *f = fopen(path, "rb");
  *n = 0;
  if (!f) return NULL;
  unsigned char *p = malloc(1 << 20);
  *n = p ? fread(p, 1, 1 << 20, f) : 0;
  fclose(f);
  return p;
}

__attribute__((unused)) static void io_write(const char *path, const void *p,
                                             size_t n) {
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(p, 1, n, f) != n) perror(path);
  if (f) fclose(f);
}

static inline bool io_has(const char *path, const char *part) {
  return strstr(path, part) != NULL;
}

/* Reads by the extension, as data.load does: the tensors are in *out. */
__attribute__((unused)) static td_status io_read(const char *path,
                                                 td_archive *out) {
  char *names = NULL;
  td_tensor *t;
  if (io_has(path, ".npz")) return td_npz_read(path, out);
  if (io_has(path, ".safetensors")) return td_safetensors_read(path, out);
  if (io_has(path, ".bin")) return td_cifar_read(path, out);
  if (io_has(path, ".csv")) t = td_csv_read(path, TD_CSV_GUESS, &names);
  else if (io_has(path, ".png")) t = td_png_read(path);
  else if (io_has(path, "idx")) t = td_idx_read(path, out->map);
  else t = td_npy_read(path, out->map);
  free(names);
  td_status st = t ? td_archive_add(out, "x", 1, t) : td_error_code();
  if (st) td_archive_free(out);
  return st;
}

__attribute__((unused)) static td_tensor *io_named(const td_archive *a,
                                                   const char *name) {
  for (int i = 0; i < a->n; i++)
    if (!strcmp(a->name[i], name)) return a->t[i];
  return NULL;
}
#endif
