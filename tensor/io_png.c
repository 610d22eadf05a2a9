/* io_png.c -- pictures as PNG, through libpng.
**
** libpng leaves by longjmp when something is wrong.  Both jumps end in this
** file: what must be freed lives in a struct of the caller, and the functions
** that call libpng own nothing. */
#include "io.h"
#include "op.h"
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SIDE 1000000        /* pixels; what libpng itself allows */
#define MOST_CHUNK (8u << 20)    /* bytes of a text or profile beside the picture */
#define MOST_PACKED 1032         /* deflate makes nothing smaller than this */

/* ---- errors ---- */

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

/* ---- reading ---- */

typedef struct reading {
  td_reader r;
  png_structp png;
  png_infop info;
  td_tensor *t;
  png_bytep *row;
  bool failed;             /* the message of the core is set */
} reading;

static _Noreturn void on_read_error(png_structp png, png_const_charp text) {
  reading *x = png_get_error_ptr(png);
  if (!x->failed)
    td_reader_fail(&x->r, "the PNG data is damaged near offset %llu: %s",
                   (unsigned long long)x->r.at, text);
  x->failed = true;
  png_longjmp(png, 1);
}

/* Leaves with the message that the core has. */
static _Noreturn void give_up(reading *x) {
  x->failed = true;
  png_longjmp(x->png, 1);
}

static void on_read(png_structp png, png_bytep p, size_t n) {
  reading *x = png_get_io_ptr(png);
  if (td_reader_get(&x->r, p, n, "PNG data")) give_up(x);
}

/* No picture unpacks to more than deflate allows: a header that says so lies. */
static void check_size(reading *x) {
  uint64_t w = png_get_image_width(x->png, x->info);
  uint64_t h = png_get_image_height(x->png, x->info);
  uint64_t bytes = h * png_get_rowbytes(x->png, x->info);
  if (bytes / MOST_PACKED <= x->r.size) return;
  td_reader_fail(&x->r, "the PNG header says %llu x %llu pixels, which do not "
    "fit into a file of %llu bytes", (unsigned long long)w,
    (unsigned long long)h, (unsigned long long)x->r.size);
  give_up(x);
}

/* Grey, colour, with or without alpha; 8 or 16 bits. */
static void set_form(reading *x) {
  int color = png_get_color_type(x->png, x->info);
  int bits = png_get_bit_depth(x->png, x->info);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(x->png);
  if (color == PNG_COLOR_TYPE_GRAY && bits < 8)
    png_set_expand_gray_1_2_4_to_8(x->png);
  if (png_get_valid(x->png, x->info, PNG_INFO_tRNS))
    png_set_tRNS_to_alpha(x->png);
  png_set_interlace_handling(x->png);
  png_read_update_info(x->png, x->info);
}

/* Rows of 16 bits are read into the second half of where they will stand. */
static void read_pixels(reading *x) {
  int64_t h = png_get_image_height(x->png, x->info);
  int64_t w = png_get_image_width(x->png, x->info);
  int64_t c = png_get_channels(x->png, x->info), shape[3] = { h, w, c };
  bool wide = png_get_bit_depth(x->png, x->info) == 16;
  size_t packed = png_get_rowbytes(x->png, x->info);
  size_t bytes = (size_t)(w * c) * (wide ? 4 : 1);
  if (bytes != packed * (wide ? 2 : 1)) png_error(x->png, "odd length of rows");
  x->t = td_empty(td_cpu(), wide ? TD_I32 : TD_U8, c == 1 ? 2 : 3, shape);
  if (!x->t) give_up(x);
  x->row = malloc(sizeof *x->row * (size_t)h);
  if (!x->row) {
    td_fail(TD_ENOMEM, "%s: out of memory", x->r.path);
    give_up(x);
  }
  for (int64_t i = 0; i < h; i++)
    x->row[i] = (png_bytep)x->t->data + (size_t)(i + 1) * bytes - packed;
  png_read_image(x->png, x->row);
  png_read_end(x->png, NULL);
  if (!wide) return;
  for (int64_t i = 0; i < h; i++) {
    int32_t *to = (int32_t *)x->t->data + i * w * c;
    for (int64_t k = 0; k < w * c; k++) {
      const unsigned char *p = x->row[i] + 2 * k;
      int32_t v = p[0] << 8 | p[1];
      memcpy(to + k, &v, sizeof v);
    }
  }
}

static void read_picture(reading *x) {
  x->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, x, on_read_error,
                                  on_warning);
  x->info = x->png ? png_create_info_struct(x->png) : NULL;
  if (!x->info) {
    if (!x->failed) td_fail(TD_ENOMEM, "%s: out of memory", x->r.path);
    x->failed = true;
    return;
  }
  if (setjmp(png_jmpbuf(x->png))) return;
  png_set_read_fn(x->png, x, on_read);
  png_set_sig_bytes(x->png, 8);
  png_set_user_limits(x->png, MOST_SIDE, MOST_SIDE);
  png_set_chunk_malloc_max(x->png, MOST_CHUNK);
  png_read_info(x->png, x->info);
  check_size(x);
  set_form(x);
  read_pixels(x);
}

td_tensor *td_png_read(const char *path) {
  reading x = { 0 };
  unsigned char start[8];
  if (td_reader_open(&x.r, path, false)) return NULL;
  int64_t n = td_reader_some(&x.r, start, sizeof start);
  if (n >= 0 && (n < 8 || png_sig_cmp(start, 0, 8))) {
    td_reader_fail(&x.r, "is not a PNG file; it starts like %s",
                   td_io_guess(start, (size_t)n));
    x.failed = true;
  } else if (n == 8) {
    read_picture(&x);
  }
  if (x.png) png_destroy_read_struct(&x.png, &x.info, NULL);
  free(x.row);
  td_reader_close(&x.r);
  return x.failed ? NULL : x.t;
}

/* ---- writing ---- */

typedef struct writing {
  td_writer w;
  png_structp png;
  png_infop info;
  const td_tensor *t;
  int64_t h, wide, c;      /* rows, columns, channels */
  int bits;
  unsigned char *row;
  bool failed;
} writing;

static _Noreturn void on_write_error(png_structp png, png_const_charp text) {
  writing *x = png_get_error_ptr(png);
  if (!x->failed) td_fail(TD_EIO, "%s: %s", x->w.path, text);
  x->failed = true;
  png_longjmp(png, 1);
}

static void on_write(png_structp png, png_bytep p, size_t n) {
  td_writer_put(&((writing *)png_get_io_ptr(png))->w, p, n);
}
static void on_flush(png_structp png) { (void)png; }

/* Samples of row i as bytes; the place of one that has no colour, or -1. */
static int64_t fill_row(writing *x, int64_t i) {
  int64_t n = x->wide * x->c;
  for (int64_t k = 0; k < n; k++) {
    int64_t at = i * n + k, v = 0;
    double f = 0;
    switch (x->t->dtype) {
      case TD_BOOL: x->row[k] = x->t->data[at] ? 255 : 0; continue;
      case TD_U8: x->row[k] = ((unsigned char *)x->t->data)[at]; continue;
      case TD_I32: v = ((int32_t *)x->t->data)[at]; break;
      case TD_I64: v = ((int64_t *)x->t->data)[at]; break;
      case TD_F32: f = ((float *)x->t->data)[at]; break;
      default: f = ((double *)x->t->data)[at]; break;
    }
    if (x->bits == 16) {
      if (v < 0 || v > 65535) return k;
      x->row[2 * k] = (unsigned char)(v >> 8);
      x->row[2 * k + 1] = (unsigned char)v;
    } else {
      if (isnan(f)) return k;
      x->row[k] = (unsigned char)(255 * (f < 0 ? 0 : f > 1 ? 1 : f) + .5);
    }
  }
  return -1;
}

static _Noreturn void bad_sample(writing *x, int64_t row, int64_t k) {
  td_fail(TD_EARG, "%s: the sample in row %lld, column %lld, channel %lld is %s",
    x->w.path, (long long)row + 1, (long long)(k / x->c) + 1,
    (long long)(k % x->c) + 1, x->bits == 16 ?
    "not in 0..65535, as integers must be" : "NaN, which has no colour");
  x->failed = true;
  png_longjmp(x->png, 1);
}

static void write_picture(writing *x) {
  static const int colors[] = { 0, PNG_COLOR_TYPE_GRAY,
    PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA };
  x->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, x, on_write_error,
                                   on_warning);
  x->info = x->png ? png_create_info_struct(x->png) : NULL;
  x->row = malloc((size_t)(x->wide * x->c * x->bits / 8));
  if (!x->info || !x->row) {
    if (!x->failed) td_fail(TD_ENOMEM, "%s: out of memory", x->w.path);
    x->failed = true;
    return;
  }
  if (setjmp(png_jmpbuf(x->png))) return;
  png_set_write_fn(x->png, x, on_write, on_flush);
  png_set_user_limits(x->png, MOST_SIDE, MOST_SIDE);
  png_set_IHDR(x->png, x->info, (png_uint_32)x->wide, (png_uint_32)x->h, x->bits,
               colors[x->c], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(x->png, x->info);
  for (int64_t i = 0; i < x->h && !x->w.error; i++) {
    int64_t k = fill_row(x, i);
    if (k >= 0) bad_sample(x, i, k);
    png_write_row(x->png, x->row);
  }
  if (!x->w.error) png_write_end(x->png, x->info);
}

static td_status check_shape(const char *path, const td_tensor *t) {
  char text[128];
  td_shape_text(t->ndim, t->shape, text, sizeof text);
  if (t->ndim < 2 || t->ndim > 3 || (t->ndim == 3 && t->shape[2] > 4) ||
      (t->ndim == 3 && t->shape[2] < 1))
    return td_fail(TD_ESHAPE, "%s: a picture is (rows, columns), or (rows, "
      "columns, channels) with 1 to 4 of them, not %s%s", path, text,
      t->ndim == 3 && t->shape[0] <= 4 ?
      "; channels come last: use x:permute(2, 3, 1)" : "");
  for (int d = 0; d < 2; d++)
    if (t->shape[d] < 1 || t->shape[d] > MOST_SIDE)
      return td_fail(TD_ESHAPE, "%s: a PNG file has 1 to %d rows and columns, "
                     "not %s", path, MOST_SIDE, text);
  return TD_OK;
}

td_status td_png_write(const char *path, td_tensor *t) {
  writing x = { 0 };
  if (!t) return td_error_code();
  td_status st = check_shape(path, t);
  int mark = td_scope_open();
  if (!st && !(x.t = td_io_host(t, false))) st = td_error_code();
  if (!st) st = td_writer_open(&x.w, path);
  if (!st) {
    bool whole = x.t->dtype == TD_I32 || x.t->dtype == TD_I64;
    x.h = x.t->shape[0];
    x.wide = x.t->shape[1];
    x.c = x.t->ndim == 3 ? x.t->shape[2] : 1;
    x.bits = whole ? 16 : 8;
    write_picture(&x);
    if (x.png) png_destroy_write_struct(&x.png, &x.info);
    free(x.row);
    st = td_writer_close(&x.w, x.failed ? td_error_code() : TD_OK);
  }
  td_scope_close(mark);
  return st;
}
