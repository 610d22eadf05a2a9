/* plot_png.c -- pictures as PNG, tuned for figures: fast, and as small. */
#include <cairo.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

/* Flat areas and sharp edges pack best without a filter; on figures level 3 is
** as small as libpng's standard and takes a third of the time. */
#define LEVEL 3

static void collect(png_structp png, png_bytep data, png_size_t n) {
  td_plot_bytes *b = png_get_io_ptr(png);
  if (b->n + n > b->capacity) {
    size_t more = (b->n + n) * 2 + 65536;
    unsigned char *p = realloc(b->data, more);
    if (!p) png_error(png, "out of memory");
    b->data = p, b->capacity = more;
  }
  memcpy(b->data + b->n, data, n);
  b->n += n;
}

static void on_flush(png_structp png) { (void)png; }

static void on_error(png_structp png, png_const_charp text) {
  td_plot_fail("png: %s", text);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png, (void)text;
}

/* One pixel with its alpha taken out of the colours. */
static uint32_t straight(uint32_t v) {
  uint32_t a = v >> 24, out = v & 0xff000000;
  if (!a || a == 255) return v;
  for (int shift = 0; shift < 24; shift += 8) {
    uint32_t c = ((v >> shift & 255) * 255 + a / 2) / a;
    out |= (c > 255 ? 255 : c) << shift;
  }
  return out;
}

void td_plot_straight_row(const uint32_t *row, int w, int channels, bool opaque,
                          unsigned char *out) {
  for (int j = 0; j < w; j++, out += channels) {
    uint32_t v = opaque ? row[j] | 0xff000000 : straight(row[j]);
    out[0] = (unsigned char)(v >> 16);
    out[1] = (unsigned char)(v >> 8);
    out[2] = (unsigned char)v;
    if (channels == 4) out[3] = (unsigned char)(v >> 24);
  }
}

/* Holds no C objects of its own: an error jumps out of it. */
static void write_image(png_structp png, png_infop info, cairo_surface_t *image,
                        double scale, unsigned char *row) {
  int w = cairo_image_surface_get_width(image);
  int h = cairo_image_surface_get_height(image);
  int stride = cairo_image_surface_get_stride(image) / 4;
  bool opaque = cairo_image_surface_get_format(image) == CAIRO_FORMAT_RGB24;
  const uint32_t *pixels = (const void *)cairo_image_surface_get_data(image);
  png_uint_32 density = (png_uint_32)(scale * 72 / 0.0254 + 0.5); /* per metre */
  png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, 8,
               opaque ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGB_ALPHA,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_pHYs(png, info, density, density, PNG_RESOLUTION_METER);
  png_set_compression_level(png, LEVEL);
  png_set_compression_buffer_size(png, 65536);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
  png_write_info(png, info);
  for (int i = 0; i < h; i++) {
    td_plot_straight_row(pixels + (ptrdiff_t)i * stride, w, opaque ? 3 : 4, opaque,
                         row);
    png_write_row(png, row);
  }
  png_write_end(png, info);
}

int td_plot_write_png(cairo_surface_t *image, double scale, td_plot_bytes *out) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error,
                                            on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  unsigned char *row = malloc(4 * (size_t)cairo_image_surface_get_width(image) + 4);
  int rc = 0;
  if (!info || !row) {
    rc = td_plot_fail("png: out of memory");
  } else if (setjmp(png_jmpbuf(png))) {
    rc = -1;
  } else {
    png_set_write_fn(png, out, collect, on_flush);
    write_image(png, info, image, scale, row);
  }
  png_destroy_write_struct(&png, &info);
  free(row);
  return rc;
}
