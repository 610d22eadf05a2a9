/* plot_images.c -- sheets of small images: pixels stay pixels.
**
** The box of the axes is a table of cells; images stand at x = column, y = row.
** Each is drawn with whole device pixels to a pixel of its own where that costs
** little size, and averaged over areas where it is shown smaller than it is. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>

#include "vm/plot_draw.h"

/* ---- sizes --------------------------------------------------------------- */
static double device(const td_plot_painter *p) { return p->image ? p->scale : 2; }

/* Up to whole device pixels. */
static double whole(const td_plot_painter *p, double v) {
  return ceil(v * device(p) - 1e-6) / device(p);
}

static double label_room(const td_plot_painter *p, const td_plot_artist *a,
                         double fontsize) {
  return a->o.names.blob && p->text ? whole(p, 1.25 * fontsize) : 0;
}

td_plot_sheet td_plot_images_fit(const td_plot_painter *p,
                                 const td_plot_artist *a, double width,
                                 double height) {
  td_plot_stack s = td_plot_artist_stack(&a->o);
  td_plot_sheet t = {
    .gap = whole(p, isnan(a->o.gap) ? 2 : a->o.gap),
    .fontsize = isnan(a->o.fontsize) ? 0.9 * p->theme->fontsize : a->o.fontsize
  };
  double label = label_room(p, a, t.fontsize);
  double cw = width / (double)s.columns - t.gap;
  double ch = height / (double)s.rows - t.gap - label;
  double w = (double)s.w, h = (double)s.h;
  double k = w > 0 && h > 0 ? fmin(cw / w, ch / h) * device(p) : 1;
  double least = fmax(1 / fmax(fmin(w, h), 1), 1e-3);
  if (!(k > least)) k = least; /* nothing fits: specks */
  double even = floor(k + 1e-6);
  if (even >= 1 && even > 0.84 * k) k = even;
  t.w = fmax(w * k, 1) / device(p), t.h = fmax(h * k, 1) / device(p);
  if (k < 1 || k != even) t.w = whole(p, t.w), t.h = whole(p, t.h);
  t.dx = t.w + t.gap, t.dy = t.h + t.gap + label;
  return t;
}

/* ---- colours ------------------------------------------------------------- */
static uint32_t pack(const double c[4]) {
  uint32_t out = (uint32_t)(c[3] * 255 + 0.5) << 24;
  for (int k = 0; k < 3; k++)
    out |= (uint32_t)(c[k] * c[3] * 255 + 0.5) << (16 - 8 * k);
  return out;
}

typedef struct source {
  td_plot_stack s;
  const td_plot_norm *norm;
  const td_plot_cmap *cmap; /* NULL: grey */
  double bad[4], alpha;
} source;

static double part(const source *q, size_t image, size_t channel, size_t i) {
  size_t pixels = q->s.h * q->s.w, c = q->s.channels;
  return q->s.v[q->s.last ? (image * pixels + i) * c + channel
                          : (image * c + channel) * pixels + i];
}

static uint32_t color(const source *q, size_t image, size_t i) {
  double c[4] = {0, 0, 0, 1};
  uint8_t rgb[3];
  bool bad = false;
  if (q->s.channels == 1 && q->cmap) {
    bad = !td_plot_cmap_color(q->cmap, q->norm, part(q, image, 0, i), rgb);
    for (int k = 0; k < 3 && !bad; k++) c[k] = rgb[k] / 255.0;
  } else if (q->s.channels == 1) {
    c[0] = c[1] = c[2] = td_plot_norm_at(q->norm, part(q, image, 0, i));
    bad = isnan(c[0]);
  } else {
    for (size_t k = 0; k < q->s.channels; k++) {
      c[k] = td_plot_norm_at(q->norm, part(q, image, k, i));
      bad |= isnan(c[k]);
    }
  }
  if (bad)
    for (int k = 0; k < 4; k++) c[k] = q->bad[k];
  c[3] *= q->alpha;
  return pack(c);
}

/* ---- pixels -------------------------------------------------------------- */
static void enlarge(const uint32_t *from, size_t w, size_t h, uint32_t *to,
                    ptrdiff_t stride, int tw, int th) {
  for (int y = 0; y < th; y++) {
    const uint32_t *row = from + (size_t)((y + 0.5) * (double)h / th) * w;
    for (int x = 0; x < tw; x++)
      to[y * stride + x] = row[(size_t)((x + 0.5) * (double)w / tw)];
  }
}

/* The mean of the source pixels under each pixel, by the area they share. */
static void reduce(const uint32_t *from, size_t w, size_t h, uint32_t *to,
                   ptrdiff_t stride, int tw, int th) {
  double fx = (double)w / tw, fy = (double)h / th;
  for (int y = 0; y < th; y++)
    for (int x = 0; x < tw; x++) {
      double sum[4] = {0}, total = 0;
      for (size_t j = (size_t)(y * fy); j < h && (double)j < (y + 1) * fy; j++) {
        double wy = fmin((double)j + 1, (y + 1) * fy) - fmax((double)j, y * fy);
        for (size_t i = (size_t)(x * fx); i < w && (double)i < (x + 1) * fx; i++) {
          double wx = fmin((double)i + 1, (x + 1) * fx) - fmax((double)i, x * fx);
          for (int k = 0; k < 4; k++)
            sum[k] += wx * wy * (from[j * w + i] >> 8 * k & 255);
          total += wx * wy;
        }
      }
      uint32_t out = 0;
      for (int k = 0; k < 4 && total > 0; k++)
        out |= (uint32_t)(sum[k] / total + 0.5) << 8 * k;
      to[y * stride + x] = out;
    }
}

/* Device pixels along the sides of an image. Vectors get the image itself, each
** pixel a block, because viewers of SVG smooth what they enlarge. */
static void pixel_size(const td_plot_painter *p, const td_plot_stack *s,
                       const td_plot_sheet *t, int *w, int *h) {
  if (p->image) {
    *w = td_plot_clamp(t->w * p->scale + 0.5, 1, 32000);
    *h = td_plot_clamp(t->h * p->scale + 0.5, 1, 32000);
    return;
  }
  double all = (double)(s->n * s->w * s->h), big = (double)(s->w > s->h ? s->w : s->h);
  int k = td_plot_clamp(fmin(sqrt(4e6 / all), 1024 / big), 1, 64);
  *w = (int)s->w * k, *h = (int)s->h * k;
}

static void paint(td_plot_painter *p, cairo_surface_t *image, double x, double y,
                  const td_plot_sheet *t) {
  cairo_t *cr = p->cr;
  /* viewers of PDF round outwards: an edge on a pixel's border must not count as
  ** one in the next pixel */
  double in = p->image ? 0 : 0.01;
  cairo_save(cr);
  cairo_translate(cr, td_plot_snap_x(p, x) + in, td_plot_snap_y(p, y) + in);
  cairo_scale(cr, (t->w - 2 * in) / cairo_image_surface_get_width(image),
              (t->h - 2 * in) / cairo_image_surface_get_height(image));
  cairo_set_source_surface(cr, image, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
  cairo_paint(cr);
  cairo_restore(cr);
}

static void draw_one(td_plot_painter *p, const source *q, size_t k, double x,
                     double y, const td_plot_sheet *t, uint32_t *pixels) {
  int w, h;
  size_t n = q->s.w * q->s.h;
  for (size_t i = 0; i < n; i++) pixels[i] = color(q, k, i);
  pixel_size(p, &q->s, t, &w, &h);
  cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, w, h);
  uint32_t *to = (uint32_t *)(void *)cairo_image_surface_get_data(image);
  ptrdiff_t stride = cairo_image_surface_get_stride(image) / 4;
  if (to) {
    bool small = (size_t)w < q->s.w || (size_t)h < q->s.h;
    (small ? reduce : enlarge)(pixels, q->s.w, q->s.h, to, stride, w, h);
    cairo_surface_mark_dirty(image);
    paint(p, image, x, y, t);
  }
  cairo_surface_destroy(image);
}

/* ---- all ----------------------------------------------------------------- */
static void draw_titles(td_plot_painter *p, const td_plot_map *m,
                        const td_plot_artist *a) {
  td_plot_style style = {p->theme->fontsize, false};
  const char *text;
  for (size_t k = 0; (text = td_plot_text(&a->o.cols, k)); k++)
    td_plot_text_draw(p, text, style, td_plot_artist_color(p, a),
                      td_plot_map_x(m, (double)k + 1),
                      m->box.y0 - 0.4 * style.size, 0.5, TD_PLOT_BASELINE, 0);
}

void td_plot_draw_images(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a) {
  source q = {
    .s = td_plot_artist_stack(&a->o), .norm = &a->norm, .alpha = a->o.alpha,
    .cmap = a->o.cmap < 0 ? NULL : td_plot_cmap_get(a->o.cmap)
  };
  if (!q.s.n || !q.s.w || !q.s.h) return;
  td_plot_rgba bad = td_plot_painter_color(p, &p->theme->bad,
                                           (td_plot_rgba){.7, .7, .7, 1});
  q.bad[0] = bad.r, q.bad[1] = bad.g, q.bad[2] = bad.b, q.bad[3] = bad.a;
  double cw = fabs(td_plot_map_x(m, 2) - td_plot_map_x(m, 1));
  double ch = fabs(td_plot_map_y(m, 2) - td_plot_map_y(m, 1));
  if (!(cw > 0 && ch > 0 && cw < 1e5 && ch < 1e5)) return;
  td_plot_sheet t = td_plot_images_fit(p, a, cw * (double)q.s.columns + 1e-6,
                                       ch * (double)q.s.rows + 1e-6);
  td_plot_style style = {t.fontsize, false};
  uint32_t *pixels = malloc(q.s.w * q.s.h * sizeof *pixels);
  for (size_t k = 0; pixels && k < q.s.n; k++) {
    double cx = td_plot_map_x(m, (double)(k % q.s.columns) + 1);
    double cy = td_plot_map_y(m, (double)(k / q.s.columns) + 1);
    double y = cy - (t.dy - t.gap) / 2;
    if (cx < m->box.x0 - cw / 4 || cx > m->box.x1 + cw / 4 ||
        cy < m->box.y0 - ch / 4 || cy > m->box.y1 + ch / 4)
      continue;
    draw_one(p, &q, k, cx - t.w / 2, y, &t, pixels);
    const char *text = td_plot_text(&a->o.names, k);
    if (text)
      td_plot_text_draw(p, text, style, td_plot_artist_color(p, a), cx,
                        y + t.h + 0.25 * style.size, 0.5, TD_PLOT_TOP, 0);
  }
  free(pixels);
  draw_titles(p, m, a);
}
