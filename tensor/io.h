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
  char **name;             /* UTF-8, each once */
  td_tensor **t;
  int nnote, cap_note;
  char **note;             /* safetensors' "__metadata__": key, value, ... */
  const char *const *only; /* reading: the names wanted, ended by NULL; or all */
  bool map;                /* reading: tensors over the mapped file, where the
                           ** format is plain and has the type as it is */
} td_archive;
td_status td_archive_add(td_archive *a, const char *name, size_t len,
                         td_tensor *t);
td_status td_archive_note(td_archive *a, const char *key, size_t key_len,
                          const char *value, size_t len);
void td_archive_free(td_archive *a);      /* the list, not the tensors */

/* Numbers of other widths are read as the next type that holds them all: f16 as
** f32; i8, i16, u16 as i32; u32 as i64; u64 as i64 if they fit.  Files of one
** array may be compressed with gzip; they are written so if the path ends in
** ".gz". */
td_tensor *td_npy_read(const char *path, bool map);     /* map: as above */
td_status td_npy_write(const char *path, td_tensor *t);   /* bf16 as f32 */
td_status td_npz_read(const char *path, td_archive *out);
td_status td_npz_write(const char *path, const td_archive *a, bool compress);
td_status td_safetensors_read(const char *path, td_archive *out);
td_status td_safetensors_write(const char *path, const td_archive *a);

typedef enum td_csv_names { TD_CSV_GUESS, TD_CSV_NAMES, TD_CSV_NUMBERS }
  td_csv_names;            /* what the first line of a csv file is */
/* Rows of numbers, f64 (rows, columns); an empty field is NaN.  *names gets the
** names of the columns, each ended by a NUL (free it), or NULL.  A guess takes
** the first line for names when no field of it is a number. */
td_tensor *td_csv_read(const char *path, td_csv_names first, char **names);
/* (rows, columns), or one column, or one number; header: a line, or NULL. */
td_status td_csv_write(const char *path, td_tensor *t, const char *header);

/* u8, or i32 for 16 bits; shape (H,W) grey, (H,W,2) with alpha, (H,W,3) colour,
** (H,W,4) with alpha. */
td_tensor *td_png_read(const char *path);
/* The same shapes and (H,W,1); u8, floats in [0,1] as 8 bits (what is outside
** becomes 0 or 1), bool, or i32 and i64 in [0,65535] as 16 bits. */
td_status td_png_write(const char *path, td_tensor *t);
td_tensor *td_idx_read(const char *path, bool map);
td_status td_idx_write(const char *path, td_tensor *t);
/* CIFAR-10 binary: "images" u8 (N,3,32,32) and "labels" u8 (N). */
td_status td_cifar_read(const char *path, td_archive *out);
td_status td_cifar_write(const char *path, const td_archive *a);

/* ---- reading: a file, or a piece of one, from its start on (io_reader.c) ---- */
typedef struct td_reader {
  const char *path, *entry;     /* for messages; entry: of an archive, or NULL */
  int fd;
  bool owns;                    /* fd */
  bool check;                   /* keep crc */
  bool ended;                   /* compressed content is complete */
  bool gzip;
  uint32_t crc;                 /* of the content delivered */
  uint64_t from, size;          /* the piece of the file */
  uint64_t taken;               /* of it, read so far */
  uint64_t at;                  /* content delivered so far */
  unsigned char *buf;           /* bytes lo..hi - 1 were read ahead */
  size_t lo, hi;
  void *z;                      /* of zlib, for compressed content */
  bool map;                     /* tensors need not be read: they may be mapped */
  struct td_map *mapping;       /* of the file, once it is */
} td_reader;
td_status td_reader_open(td_reader *r, const char *path, bool gunzip);
/* A piece of a file that is open, which must stay so. */
td_status td_reader_part(td_reader *r, const td_reader *whole, uint64_t from,
                         uint64_t size, bool deflated);
void td_reader_close(td_reader *r);
/* Fails unless n more bytes can come: to be asked before memory is. */
td_status td_reader_holds(td_reader *r, uint64_t n, const char *field);
td_status td_reader_get(td_reader *r, void *dst, uint64_t n, const char *field);
td_status td_reader_skip(td_reader *r, uint64_t n, const char *field);
/* At most n bytes; 0 at the end, -1 after an error. */
int64_t td_reader_some(td_reader *r, void *dst, size_t n);
/* Reads what is left, so that checksums are compared; exact: that is nothing. */
td_status td_reader_finish(td_reader *r, bool exact);
/* "path: " or "path, entry 'x': ", then the text. */
td_status td_reader_fail(const td_reader *r, const char *fmt, ...)
  __attribute__((format(printf, 2, 3)));
/* What kind of file starts with these bytes, for messages. */
const char *td_io_guess(const unsigned char *p, size_t n);

/* ---- writing: a file that appears only when it is whole (io_writer.c) ---- */
typedef struct td_writer {
  const char *path;
  char *target, *temporary;
  void *file;              /* FILE * */
  void *z;                 /* of zlib, while content is compressed */
  unsigned char *buf;      /* its output */
  uint64_t n;              /* bytes in the file so far */
  int error;               /* errno of the first failure, or -1: interrupted */
  int mode;                /* of the file that is replaced, or -1 */
} td_writer;
td_status td_writer_open(td_writer *w, const char *path);
void td_writer_put(td_writer *w, const void *p, size_t n);
/* Puts n bytes over those at an earlier place. */
void td_writer_patch(td_writer *w, uint64_t at, const void *p, size_t n);
/* What is put from now on is compressed: as a gzip file, or plain deflate. */
td_status td_writer_pack(td_writer *w, bool gzip);
void td_writer_unpack(td_writer *w);
td_status td_writer_close(td_writer *w, td_status st);  /* st: so far */
bool td_io_is_gz(const char *path);

/* ---- element types that files have (io_types.c) ---- */
typedef struct td_kind {
  char letter;             /* f i u b as in NumPy; w: bf16 */
  int size;
  td_dtype dtype;          /* what it becomes here */
  bool same;               /* without conversion */
} td_kind;
const td_kind *td_kind_find(char letter, int size);
/* A tensor with the next elements of r; swap: their bytes come big end first. */
td_tensor *td_kind_read(td_reader *r, const td_kind *k, bool swap, int ndim,
                        const int64_t *shape, const char *field);
void td_io_swap(void *p, int64_t n, size_t size);   /* the bytes of n elements */
/* t on the host, contiguous, in a type the format has. */
td_tensor *td_io_host(td_tensor *t, bool bf16_ok);
void td_io_put(td_writer *w, const td_tensor *host);  /* all its bytes */
/* CRC-32 goes on from crc (at first 0) over n bytes. */
uint32_t td_io_crc(uint32_t crc, const void *p, size_t n);

/* ---- archives (io_archive.c) ---- */
bool td_archive_wants(const td_archive *a, const char *name);
/* Fails for names that stand twice, and for those in `only` that do not. */
td_status td_archive_check(const td_archive *a, const char *path);
/* Is this the UTF-8 of code points, none of them 0? */
bool td_io_utf8(const char *s, size_t n);

/* npy content, for npz too. */
td_tensor *td_npy_parse(td_reader *r);
/* The header of an npy file for t (malloced), whose bytes follow it. */
char *td_npy_header(const td_tensor *t, size_t *n);
#endif
