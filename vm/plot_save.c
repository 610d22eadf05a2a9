/* plot_save.c -- figures as PNG, SVG and PDF, in memory and in files. */
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <cairo.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/plot_draw.h"
#include "vm/plot_panel.h"

const bool td_plot_can_save = true;

static const char *const names[] = {"png", "svg", "pdf"};
enum { PNG, SVG, PDF };

#define MOST_PIXELS 32767 /* of a side of an image of cairo's */

int td_plot_status(int status) {
  if (!status) return 0;
  return td_plot_fail("drawing: %s", cairo_status_to_string((cairo_status_t)status));
}

static int find_format(const char *path) {
  const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
  if (!dot || (slash && dot < slash))
    return td_plot_fail("'%s': the name must end in .png, .svg or .pdf", path);
  for (int k = 0; k < 3; k++)
    if (strcasecmp(dot + 1, names[k]) == 0) return k;
  return td_plot_fail("'%s': cannot write .%s; the name must end in .png, .svg "
                      "or .pdf", path, dot + 1);
}

static cairo_status_t collect(void *context, const unsigned char *data,
                              unsigned n) {
  td_plot_bytes *b = context;
  if (b->n + n > b->capacity) {
    size_t more = (b->n + n) * 2 + 4096;
    unsigned char *p = realloc(b->data, more);
    if (!p) return CAIRO_STATUS_NO_MEMORY;
    b->data = p, b->capacity = more;
  }
  memcpy(b->data + b->n, data, n);
  b->n += n;
  return CAIRO_STATUS_SUCCESS;
}

static int draw_on(cairo_surface_t *surface, double scale, bool clear,
                   const td_plot_figure *f) {
  td_plot_painter p;
  td_plot_layout l = {.axes = NULL};
  int rc = td_plot_painter_open(&p, surface, scale, 0, 0, &f->o);
  p.clear = clear;
  if (rc == 0) rc = td_plot_layout_make(&p, f, &l);
  if (rc == 0) {
    td_plot_draw(&p, f, &l);
    if (f->strip[0] + f->strip[1] > 0)
      f->overlay->draw(f->overlay_self, &p, &l, l.page.x1 + f->strip[0],
                       l.page.y1 + f->strip[1], TD_PLOT_OVERLAY_PANEL);
    rc = td_plot_status(cairo_status(p.cr));
  }
  td_plot_layout_drop(&l);
  td_plot_painter_close(&p);
  return rc;
}

cairo_surface_t *td_plot_new_image(const td_plot_figure *f, double scale,
                                   bool clear) {
  double w = (f->o.size.v[0] + f->strip[0]) * scale;
  double h = (f->o.size.v[1] + f->strip[1]) * scale;
  if (!(w >= 1 && h >= 1 && w <= MOST_PIXELS && h <= MOST_PIXELS)) {
    td_plot_fail("a picture has 1 to %d pixels a side, this one would have "
                 "%.0f x %.0f; choose a smaller size or scale", MOST_PIXELS, w, h);
    return NULL;
  }
  cairo_surface_t *image = cairo_image_surface_create(
      clear ? CAIRO_FORMAT_ARGB32 : CAIRO_FORMAT_RGB24, (int)floor(w + 0.5),
      (int)floor(h + 0.5));
  if (td_plot_status(cairo_surface_status(image)) == 0) return image;
  cairo_surface_destroy(image);
  return NULL;
}

static cairo_surface_t *render(const td_plot_figure *f, double scale, bool clear) {
  cairo_surface_t *image = td_plot_new_image(f, scale, clear);
  if (!image) return NULL;
  if (draw_on(image, scale, clear, f) == 0) {
    cairo_surface_flush(image);
    return image;
  }
  cairo_surface_destroy(image);
  return NULL;
}

static int encode_png(const td_plot_figure *f, const td_plot_output *o,
                      td_plot_bytes *out) {
  cairo_surface_t *image = render(f, o->scale, o->transparent);
  if (!image) return -1;
  int rc = td_plot_write_png(image, o->scale, out);
  cairo_surface_destroy(image);
  return rc;
}

static int encode_vectors(const td_plot_figure *f, int format, bool clear,
                          td_plot_bytes *out) {
  double w = f->o.size.v[0] + f->strip[0], h = f->o.size.v[1] + f->strip[1];
  cairo_surface_t *s;
  if (format == SVG) {
    s = cairo_svg_surface_create_for_stream(collect, out, w, h);
    cairo_svg_surface_set_document_unit(s, CAIRO_SVG_UNIT_PT);
  } else {
    s = cairo_pdf_surface_create_for_stream(collect, out, w, h);
    const char *title = td_plot_text(&f->o.title, 0);
    cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATOR, "Springtide");
    if (title)
      cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_TITLE, title);
  }
  int rc = draw_on(s, 1, clear, f);
  cairo_surface_finish(s);
  if (rc == 0) rc = td_plot_status(cairo_surface_status(s));
  cairo_surface_destroy(s);
  return rc;
}

/* Makes room for the panel; a size that was asked for includes it. */
static void add_strip(td_plot_figure *s, const td_plot_output *o) {
  td_plot_panel_room(s, s->o.size.v[0], &s->strip[0], &s->strip[1]);
  for (int k = 0; k < 2; k++)
    if (o->size[k] > 0) s->o.size.v[k] = fmax(s->o.size.v[k] - s->strip[k], 16);
}

/* A snapshot of the figure as this output wants it; NULL with a message. */
static td_plot_figure *prepare(const td_plot_figure *f, const td_plot_output *o) {
  td_plot_figure *past = o->widgets ? td_plot_frames_figure(f) : NULL;
  td_plot_figure *s = td_plot_snapshot(past ? past : f);
  td_plot_figure_drop(past);
  if (!s) return NULL;
  td_plot_snapshot_overlay(s, f);
  s->like = f->like, s->calm = f->calm;
  for (int k = 0; k < 2; k++)
    if (o->size[k] > 0) s->o.size.v[k] = o->size[k];
  if (o->widgets) add_strip(s, o);
  return s;
}

static int encode(const td_plot_figure *f, int format, const td_plot_output *o,
                  td_plot_bytes *out) {
  *out = (td_plot_bytes){.data = NULL};
  td_plot_figure *s = prepare(f, o);
  if (!s) return -1;
  int rc = format == PNG ? encode_png(s, o, out)
                         : encode_vectors(s, format, o->transparent, out);
  td_plot_figure_drop(s);
  if (rc) {
    free(out->data);
    *out = (td_plot_bytes){.data = NULL};
  }
  return rc;
}

int td_plot_encode(const td_plot_figure *f, const char *format,
                   const td_plot_output *o, td_plot_bytes *out) {
  for (int k = 0; k < 3; k++)
    if (strcasecmp(format, names[k]) == 0) return encode(f, k, o, out);
  return td_plot_fail("'%s' is not a format; use \"png\", \"svg\", \"pdf\" or "
                      "\"rgba\"", format);
}

/* ---- pixels -------------------------------------------------------------- */
static int take_pixels(cairo_surface_t *image, int channels, td_plot_bytes *out,
                       int *width, int *height) {
  int w = cairo_image_surface_get_width(image);
  int h = cairo_image_surface_get_height(image);
  cairo_surface_flush(image);
  const unsigned char *from = cairo_image_surface_get_data(image);
  int stride = cairo_image_surface_get_stride(image);
  bool opaque = cairo_image_surface_get_format(image) == CAIRO_FORMAT_RGB24;
  out->n = out->capacity = (size_t)channels * (size_t)w * (size_t)h;
  out->data = malloc(out->n + 1);
  if (!out->data) return td_plot_fail("out of memory");
  for (int i = 0; i < h; i++)
    td_plot_straight_row((const uint32_t *)(const void *)(from + i * stride), w,
                         channels, opaque,
                         out->data + (size_t)i * (size_t)w * (size_t)channels);
  *width = w, *height = h;
  return 0;
}

int td_plot_pixels(const td_plot_figure *f, const td_plot_output *o, int channels,
                   td_plot_bytes *out, int *width, int *height) {
  td_plot_figure *s = prepare(f, o);
  cairo_surface_t *image = s ? render(s, o->scale, o->transparent) : NULL;
  td_plot_figure_drop(s);
  if (!image) return -1;
  int rc = take_pixels(image, channels, out, width, height);
  cairo_surface_destroy(image);
  return rc;
}

int td_plot_read_png(const char *path, td_plot_bytes *out, int *width,
                     int *height) {
  cairo_surface_t *image = cairo_image_surface_create_from_png(path);
  cairo_status_t status = cairo_surface_status(image);
  cairo_format_t format = cairo_image_surface_get_format(image);
  int rc;
  if (status)
    rc = td_plot_fail("'%s': %s", path, cairo_status_to_string(status));
  else if (format != CAIRO_FORMAT_ARGB32 && format != CAIRO_FORMAT_RGB24)
    rc = td_plot_fail("'%s': not 8 bits a colour", path);
  else
    rc = take_pixels(image, 3, out, width, height);
  cairo_surface_destroy(image);
  return rc;
}

int td_plot_box(const td_plot_figure *f, int i, double scale, double box[4]) {
  cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1);
  td_plot_painter p;
  td_plot_layout l = {.axes = NULL};
  int rc = td_plot_painter_open(&p, image, scale, 0, 0, &f->o);
  if (rc == 0) rc = td_plot_layout_make(&p, f, &l);
  if (rc == 0) {
    const td_plot_rect *r = &l.axes[i].box;
    box[0] = r->x0, box[1] = r->y0, box[2] = r->x1, box[3] = r->y1;
  }
  td_plot_layout_drop(&l);
  td_plot_painter_close(&p);
  cairo_surface_destroy(image);
  return rc;
}

/* ---- files --------------------------------------------------------------- */
static int write_all(int fd, const td_plot_bytes *b) {
  for (size_t done = 0; done < b->n;) {
    ssize_t n = write(fd, b->data + done, b->n - done);
    if (n < 0 && errno != EINTR) return -1;
    if (n > 0) done += (size_t)n;
  }
  return fsync(fd);
}

int td_plot_write_file(const char *path, const td_plot_bytes *bytes) {
  size_t room = strlen(path) + 32;
  char *temp = malloc(room);
  if (!temp) return td_plot_fail("out of memory");
  snprintf(temp, room, "%s.%ld.tmp", path, (long)getpid());
  int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int bad = fd < 0;
  if (!bad) {
    bad = write_all(fd, bytes) != 0;
    int why = errno;
    if (close(fd)) bad = 1;
    else errno = why;
    if (!bad) bad = rename(temp, path) != 0;
  }
  int rc = 0;
  if (bad) {
    rc = td_plot_fail("cannot write '%s': %s", path, strerror(errno));
    if (fd >= 0) unlink(temp);
  }
  free(temp);
  return rc;
}

int td_plot_save(const td_plot_figure *f, const char *path,
                 const td_plot_output *o) {
  td_plot_bytes bytes;
  int format = find_format(path);
  if (format < 0 || encode(f, format, o, &bytes)) return -1;
  int rc = td_plot_write_file(path, &bytes);
  free(bytes.data);
  return rc;
}
