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
  uint8_t *span[PHASES * PHASES]; /* of each row: first column with something, and end */
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

/* Finds the spans; those of sprites too wide for them are whole rows. */
static void find_spans(td_plot_sprite *s) {
  uint8_t *span = s->memory + 2u * PHASES * PHASES * (size_t)s->side * (size_t)s->side;
  for (int k = 0; k < PHASES * PHASES; k++) {
    s->span[k] = span;
    for (int r = 0; r < s->side; r++, span += 2) {
      const uint8_t *row = s->mask[k][0] + r * s->side;
      int lo = 0, hi = s->side;
      while (lo < hi && !row[lo]) lo++;
      while (hi > lo && !row[hi - 1]) hi--;
      span[0] = (uint8_t)(s->side < 256 ? lo : 0);
      span[1] = (uint8_t)(s->side < 256 ? hi : 255);
    }
  }
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
                                    (size_t)side * (size_t)(side + 1));
  if (!s) return NULL;
  s->marker = m, s->size = size, s->edge = rim;
  s->side = side, s->half = half;
  fill_sprite(s, size / 8.0, rim / 8.0);
  find_spans(s);
  s->next = p->sprites;
  return p->sprites = s;
}

/* ---- stamping ------------------------------------------------------------ */
typedef struct stamp {
  uint32_t *pixels;
  ptrdiff_t stride;
  td_plot_pixel_box box; /* where drawing is allowed */
  uint32_t fill, edge;
  uint32_t alpha;        /* 0 to 255 */
  bool rim;
} stamp;

static inline uint32_t fade(uint32_t cover, uint32_t alpha) {
  uint32_t v = cover * alpha + 128;
  return (v + (v >> 8)) >> 8;
}

static void stamp_one(const stamp *t, const td_plot_sprite *s, double px,
                      double py) {
  int ix = (int)floor(px), iy = (int)floor(py);
  int phase = (int)((py - iy) * PHASES) * PHASES + (int)((px - ix) * PHASES);
  int left = ix - s->half, top = iy - s->half;
  const td_plot_pixel_box *b = &t->box;
  int c0 = left < b->x0 ? b->x0 - left : 0, r0 = top < b->y0 ? b->y0 - top : 0;
  int c1 = left + s->side > b->x1 ? b->x1 - left : s->side;
  int r1 = top + s->side > b->y1 ? b->y1 - top : s->side;
  bool wide = s->side > 255;
  for (int r = r0; r < r1; r++) {
    const uint8_t *outer = s->mask[phase][0] + r * s->side;
    const uint8_t *inner = s->mask[phase][1] + r * s->side;
    const uint8_t *span = s->span[phase] + 2 * r;
    uint32_t *d = t->pixels + (top + r) * t->stride + left;
    int c = span[0] > c0 ? span[0] : c0, end = !wide && span[1] < c1 ? span[1] : c1;
    for (; c < end; c++) {
      uint32_t e = outer[c], src = t->fill;
      if (!e) continue;
      if (t->rim) src = td_plot_mix(t->edge, t->fill, inner[c] * 255u / e);
      e = fade(e, t->alpha);
      d[c] = e == 255 ? src : td_plot_mix(d[c], src, e);
    }
  }
}

static void set_fill(stamp *t, const td_plot_points *q, size_t i) {
  double alpha = q->alpha * (q->rgba ? q->rgba[i][3] / 255.0 : q->fill.a);
  const uint8_t *c = q->rgba ? q->rgba[i] : NULL;
  t->fill = c ? 0xff000000u | (uint32_t)(c[0] << 16 | c[1] << 8 | c[2])
              : td_plot_pixel(q->fill);
  t->alpha = (uint32_t)(alpha * 255 + 0.5);
}

static void stamp_points(td_plot_painter *p, td_plot_rect clip,
                         const td_plot_points *q) {
  cairo_surface_t *im = p->image;
  td_plot_pixel_box box = td_plot_pixels_of(p, clip);
  cairo_surface_flush(im);
  stamp t = {
    .pixels = (uint32_t *)(void *)cairo_image_surface_get_data(im),
    .stride = cairo_image_surface_get_stride(im) / 4, .box = box,
    .edge = td_plot_pixel(q->edge)
  };
  double edge = q->edge.a > 0 ? q->edgewidth * p->scale : 0;
  t.rim = edge > 0;
  set_fill(&t, q, 0);
  const td_plot_sprite *s = NULL;
  double d = -1;
  int shape = -1;
  for (size_t i = 0; t.pixels && i < q->n; i++) {
    double x = (q->x[i] - p->x) * p->scale, y = (q->y[i] - p->y) * p->scale;
    if (!(x > box.x0 - 4e3 && x < box.x1 + 4e3 && y > box.y0 - 4e3 &&
          y < box.y1 + 4e3))
      continue;
    double size = q->size[q->nsize > 1 ? i : 0] * p->scale;
    int m = q->shape ? q->shape[i] : (int)q->marker;
    if (size != d || m != shape || !s)
      s = sprite(p, (td_plot_marker)m, size, edge);
    d = size, shape = m;
    if (!s) break;
    if (q->rgba) set_fill(&t, q, i);
    if (size > 0 && t.alpha) stamp_one(&t, s, x, y);
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
    if (q->rgba && !q->rgba[i][3]) continue;
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
