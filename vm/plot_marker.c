/* plot_marker.c -- points: stamped into pixels, or as paths for vectors.
**
** Ten thousand arcs cost cairo tens of milliseconds, ten thousand copies of a
** small mask a few. So each marker is drawn by cairo once, as coverage masks at
** 4 x 4 places within a pixel, and blended from there. Both ways draw the same
** outlines, and tests hold them against each other. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

#define PHASES 4
#define MAX_SPRITES 96

/* Masks of one marker: rim and inside together, then the inside alone, for each
** phase; `side` squared bytes each. The centre is `half` + phase / PHASES. */
struct td_plot_sprite {
  td_plot_sprite *next;
  td_plot_marker marker;
  int size, edge; /* in 1/8 pixels */
  int side, half;
  uint8_t *mask[PHASES * PHASES][2];
  uint8_t memory[];
};

void td_plot_sprites_drop(td_plot_painter *p) {
  while (p->sprites) {
    td_plot_sprite *s = p->sprites;
    p->sprites = s->next;
    free(s);
  }
}

/* ---- outlines ------------------------------------------------------------ */
static bool is_stroke(td_plot_marker m) {
  return m == TD_PLOT_CROSS || m == TD_PLOT_PLUS;
}

static void polygon(cairo_t *cr, double x, double y, double r, int n,
                    double inner, double turn) {
  int corners = inner > 0 ? 2 * n : n;
  for (int k = 0; k < corners; k++) {
    double a = turn + 2 * M_PI * k / corners - M_PI / 2;
    double d = inner > 0 && k % 2 ? r * inner : r;
    cairo_line_to(cr, x + d * cos(a), y + d * sin(a));
  }
  cairo_close_path(cr);
}

/* The outline of a marker as big to the eye as a circle of diameter d. */
static void outline(cairo_t *cr, td_plot_marker m, double x, double y, double d) {
  double r = d / 2;
  cairo_new_path(cr);
  switch (m) {
    case TD_PLOT_TRIANGLE: polygon(cr, x, y, 1.3 * r, 3, 0, 0); break;
    case TD_PLOT_TRIANGLE_DOWN: polygon(cr, x, y, 1.3 * r, 3, 0, M_PI); break;
    case TD_PLOT_SQUARE: polygon(cr, x, y, 1.25 * r, 4, 0, M_PI / 4); break;
    case TD_PLOT_DIAMOND: polygon(cr, x, y, 1.3 * r, 4, 0, 0); break;
    case TD_PLOT_STAR: polygon(cr, x, y, 1.35 * r, 5, 0.45, 0); break;
    case TD_PLOT_CROSS: case TD_PLOT_PLUS: {
      double a = m == TD_PLOT_PLUS ? r * 1.05 : r * 0.8, b = m == TD_PLOT_PLUS ? 0 : a;
      cairo_move_to(cr, x - a, y - b);
      cairo_line_to(cr, x + a, y + b);
      cairo_move_to(cr, x + b, y - a);
      cairo_line_to(cr, x - b, y + a);
      break;
    }
    default: cairo_arc(cr, x, y, r, 0, 2 * M_PI);
  }
}

static double stroke_width(double d) { return fmax(d * 0.22, 0.4); }

/* Puts rim and inside (or the inside alone) of a marker into an A8 mask. */
static void draw_mask(cairo_t *cr, td_plot_marker m, double x, double y,
                      double d, double edge, bool inside) {
  outline(cr, m, x, y, d);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  if (is_stroke(m)) {
    cairo_set_line_width(cr, stroke_width(d));
    cairo_stroke(cr);
    return;
  }
  cairo_fill_preserve(cr);
  cairo_set_line_width(cr, edge);
  if (edge > 0) {
    if (inside) cairo_set_operator(cr, CAIRO_OPERATOR_DEST_OUT);
    cairo_stroke(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_OVER);
  }
  cairo_new_path(cr);
}

/* ---- sprites ------------------------------------------------------------- */
static void fill_sprite(td_plot_sprite *s, double d, double edge) {
  cairo_surface_t *a8 = cairo_image_surface_create(CAIRO_FORMAT_A8, s->side,
                                                   s->side);
  size_t area = (size_t)s->side * (size_t)s->side;
  int stride = cairo_image_surface_get_stride(a8);
  for (int k = 0; k < PHASES * PHASES * 2; k++) {
    int phase = k / 2;
    double x = s->half + (phase % PHASES + 0.5) / PHASES;
    double y = s->half + (phase / PHASES + 0.5) / PHASES;
    cairo_t *cr = cairo_create(a8);
    cairo_set_operator(cr, CAIRO_OPERATOR_CLEAR);
    cairo_paint(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_OVER);
    draw_mask(cr, s->marker, x, y, d, edge, k % 2);
    cairo_destroy(cr);
    cairo_surface_flush(a8);
    const uint8_t *from = cairo_image_surface_get_data(a8);
    s->mask[phase][k % 2] = s->memory + (size_t)k * area;
    for (int i = 0; from && i < s->side; i++)
      memcpy(s->mask[phase][k % 2] + i * s->side, from + i * stride,
             (size_t)s->side);
  }
  cairo_surface_destroy(a8);
}

/* d and edge in pixels. */
static const td_plot_sprite *sprite(td_plot_painter *p, td_plot_marker m,
                                    double d, double edge) {
  int size = (int)(d * 8 + 0.5), rim = (int)(edge * 8 + 0.5), kept = 0;
  if (is_stroke(m)) rim = 0;
  for (td_plot_sprite *s = p->sprites; s; s = s->next, kept++)
    if (s->marker == m && s->size == size && s->edge == rim) return s;
  if (kept >= MAX_SPRITES) td_plot_sprites_drop(p);
  int half = (int)ceil(size / 16.0 * 1.4 + rim / 16.0) + 1, side = 2 * half + 1;
  td_plot_sprite *s = calloc(1, sizeof *s + 2u * PHASES * PHASES *
                                    (size_t)side * (size_t)side);
  if (!s) return NULL;
  s->marker = m, s->size = size, s->edge = rim;
  s->side = side, s->half = half;
  fill_sprite(s, size / 8.0, rim / 8.0);
  s->next = p->sprites;
  return p->sprites = s;
}

/* ---- stamping ------------------------------------------------------------ */
typedef struct stamp {
  uint8_t *pixels;
  int stride, x0, y0, x1, y1; /* where drawing is allowed */
  int fill[3], edge[3];       /* b g r, 0 to 255 */
  int alpha;                  /* 0 to 256 */
  bool rim;
} stamp;

static inline uint8_t blend(int dst, int src, int cover) {
  int v = dst * (65280 - cover) + src; /* cover: 0 to 255 * 256 */
  return (uint8_t)((v + 32640) / 65280);
}

static void stamp_one(const stamp *t, const td_plot_sprite *s, double px,
                      double py) {
  int ix = (int)floor(px), iy = (int)floor(py);
  int phase = (int)((py - iy) * PHASES) * PHASES + (int)((px - ix) * PHASES);
  int left = ix - s->half, top = iy - s->half;
  int c0 = left < t->x0 ? t->x0 - left : 0, r0 = top < t->y0 ? t->y0 - top : 0;
  int c1 = left + s->side > t->x1 ? t->x1 - left : s->side;
  int r1 = top + s->side > t->y1 ? t->y1 - top : s->side;
  const uint8_t *outer = s->mask[phase][0], *inner = s->mask[phase][1];
  for (int r = r0; r < r1; r++) {
    uint8_t *d = t->pixels + (ptrdiff_t)(top + r) * t->stride + 4 * (left + c0);
    for (int c = c0; c < c1; c++, d += 4) {
      int e = outer[r * s->side + c];
      if (!e) continue;
      int f = t->rim ? inner[r * s->side + c] : e;
      int cover = e * t->alpha;
      for (int k = 0; k < 3; k++)
        d[k] = blend(d[k], (t->fill[k] * f + t->edge[k] * (e - f)) * t->alpha,
                     cover);
      d[3] = blend(d[3], 255 * cover, cover);
    }
  }
}

static void set_fill(stamp *t, const td_plot_points *q, size_t i) {
  double alpha = q->alpha;
  if (q->rgba) {
    for (int k = 0; k < 3; k++) t->fill[k] = q->rgba[i][2 - k];
    alpha *= q->rgba[i][3] / 255.0;
  } else {
    t->fill[0] = (int)(q->fill.b * 255 + 0.5);
    t->fill[1] = (int)(q->fill.g * 255 + 0.5);
    t->fill[2] = (int)(q->fill.r * 255 + 0.5);
    alpha *= q->fill.a;
  }
  t->alpha = (int)(alpha * 256 + 0.5);
}

static void stamp_points(td_plot_painter *p, td_plot_rect clip,
                         const td_plot_points *q) {
  cairo_surface_t *im = p->image;
  td_plot_pixel_box box = td_plot_pixels_of(p, clip);
  cairo_surface_flush(im);
  stamp t = {
    .pixels = cairo_image_surface_get_data(im),
    .stride = cairo_image_surface_get_stride(im),
    .x0 = box.x0, .y0 = box.y0, .x1 = box.x1, .y1 = box.y1,
    .edge = {(int)(q->edge.b * 255 + 0.5), (int)(q->edge.g * 255 + 0.5),
             (int)(q->edge.r * 255 + 0.5)}
  };
  double edge = q->edge.a > 0 ? q->edgewidth * p->scale : 0;
  t.rim = edge > 0;
  set_fill(&t, q, 0);
  const td_plot_sprite *s = NULL;
  double d = -1;
  int shape = -1;
  for (size_t i = 0; t.pixels && i < q->n; i++) {
    double x = (q->x[i] - p->x) * p->scale, y = (q->y[i] - p->y) * p->scale;
    if (!(x > t.x0 - 4e3 && x < t.x1 + 4e3 && y > t.y0 - 4e3 && y < t.y1 + 4e3))
      continue;
    double size = q->size[q->nsize > 1 ? i : 0] * p->scale;
    int m = q->shape ? q->shape[i] : (int)q->marker;
    if (size != d || m != shape || !s)
      s = sprite(p, (td_plot_marker)m, size, edge);
    d = size, shape = m;
    if (!s) break;
    if (q->rgba) set_fill(&t, q, i);
    if (size > 0) stamp_one(&t, s, x, y);
  }
  cairo_surface_mark_dirty(im);
}

/* ---- paths --------------------------------------------------------------- */
static void path_points(td_plot_painter *p, td_plot_rect clip,
                        const td_plot_points *q) {
  cairo_t *cr = p->cr;
  cairo_save(cr);
  cairo_rectangle(cr, clip.x0, clip.y0, clip.x1 - clip.x0, clip.y1 - clip.y0);
  cairo_clip(cr);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  for (size_t i = 0; i < q->n; i++) {
    double d = q->size[q->nsize > 1 ? i : 0], x = q->x[i], y = q->y[i];
    if (!(x > clip.x0 - d && x < clip.x1 + d && y > clip.y0 - d &&
          y < clip.y1 + d) || !(d > 0))
      continue;
    td_plot_rgba fill = q->fill;
    if (q->rgba)
      fill = (td_plot_rgba){q->rgba[i][0] / 255.0, q->rgba[i][1] / 255.0,
                            q->rgba[i][2] / 255.0, q->rgba[i][3] / 255.0};
    td_plot_marker m = q->shape ? (td_plot_marker)q->shape[i] : q->marker;
    outline(cr, m, x, y, d);
    td_plot_set_color(p, fill, q->alpha);
    if (is_stroke(m)) {
      cairo_set_line_width(cr, stroke_width(d));
      cairo_stroke(cr);
    } else if (q->edge.a > 0 && q->edgewidth > 0) {
      cairo_fill_preserve(cr);
      td_plot_set_color(p, q->edge, q->alpha * fill.a);
      cairo_set_line_width(cr, q->edgewidth);
      cairo_stroke(cr);
    } else {
      cairo_fill(cr);
    }
  }
  cairo_restore(cr);
}

void td_plot_draw_points(td_plot_painter *p, td_plot_rect clip,
                         const td_plot_points *q) {
  if (!q->n) return;
  if (p->image) stamp_points(p, clip, q);
  else path_points(p, clip, q);
}
