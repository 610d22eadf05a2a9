/* io.h -- tensors in files.  Readers check every length before they use it and
** say which file, field and offset is wrong; writers never leave half a file:
** they write beside it, flush to the disk, and rename. */
#ifndef TD_IO_H
#define TD_IO_H
#include "tensor.h"

/* A named list, in file order.  Names belong to the list; tensors to the scope
** they were read in. */
typedef struct td_archive {
  int n, cap;
  char **name;
  td_tensor **t;
  char *metadata;          /* safetensors: text of "__metadata__", or NULL */
} td_archive;
td_status td_archive_add(td_archive *a, const char *name, size_t len,
                         td_tensor *t);
void td_archive_free(td_archive *a);      /* the list, not the tensors */

td_tensor *td_npy_read(const char *path);
td_status td_npy_write(const char *path, td_tensor *t);
td_status td_npz_read(const char *path, td_archive *out);
td_status td_npz_write(const char *path, const td_archive *a);
td_status td_safetensors_read(const char *path, td_archive *out);
td_status td_safetensors_write(const char *path, const td_archive *a);
/* Rows of numbers, f64 (rows, columns); *header gets the first line when it has
** no numbers (free it), else NULL. */
td_tensor *td_csv_read(const char *path, char **header);
td_status td_csv_write(const char *path, td_tensor *t, const char *header);
/* u8 (or i32 for 16 bits), shape (H,W) grey or (H,W,C). */
td_tensor *td_png_read(const char *path);
/* u8, or floats in [0,1]; (H,W), (H,W,1), (H,W,3) or (H,W,4). */
td_status td_png_write(const char *path, td_tensor *t);
td_tensor *td_idx_read(const char *path);     /* plain or gzip */
td_status td_idx_write(const char *path, td_tensor *t);

/* ---- shared by the formats (io_file.c) ---- */
typedef struct td_map {    /* a file as bytes */
  const char *path;
  const unsigned char *p;
  size_t n;
  void *base;              /* of the mapping, or NULL */
} td_map;
td_status td_map_open(td_map *m, const char *path);
void td_map_close(td_map *m);
/* Bytes [at, at + n) or an error that names the field. */
const unsigned char *td_map_at(const td_map *m, uint64_t at, uint64_t n,
                               const char *field);

typedef struct td_writer { /* a file that appears only when it is whole */
  const char *path;
  char *temporary;
  void *file;              /* FILE * */
  bool failed;
} td_writer;
td_status td_writer_open(td_writer *w, const char *path);
void td_writer_put(td_writer *w, const void *p, size_t n);
td_status td_writer_close(td_writer *w, td_status st);  /* st: so far */

/* npy content in memory, for npz: name is used in messages. */
td_tensor *td_npy_parse(const td_map *m, const char *name);
/* The header of an npy file for t (malloced), whose bytes follow it. */
char *td_npy_header(const td_tensor *t, size_t *n);
/* t on the host, contiguous, in a type the format has. */
td_tensor *td_io_host(td_tensor *t, bool bf16_ok);
#endif
