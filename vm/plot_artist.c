/* plot_artist.c -- how each kind of artist is drawn. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

/* ---- shared -------------------------------------------------------------- */
double *td_plot_positions(const td_plot_map *m, const td_plot_artist_options *o,
                          size_t n) {
  double *xy = malloc((2 * n + 1) * sizeof *xy);
  const double *x = td_plot_numbers(&o->x), *y = td_plot_numbers(&o->y);
  for (size_t i = 0; xy && i < n; i++) {
    xy[i] = td_plot_map_x(m, x[i]);
    xy[n + i] = td_plot_map_y(m, y[i]);
  }
  return xy;
}

static td_plot_rgba rgb8(const uint8_t *c) {
  return (td_plot_rgba){c[0] / 255.0, c[1] / 255.0, c[2] / 255.0, 1};
}

bool td_plot_value_color(const td_plot_artist *a, size_t k, td_plot_rgba *out) {
  const td_plot_data *c = &a->o.c;
  const double *v = td_plot_numbers(c);
  if (c->ndim == 2) {
    *out = (td_plot_rgba){v[4 * k], v[4 * k + 1], v[4 * k + 2], v[4 * k + 3]};
    return true;
  }
  uint8_t rgb[3];
  if (!td_plot_cmap_color(td_plot_cmap_get(a->o.cmap), &a->norm, v[k], rgb))
    return false;
  *out = rgb8(rgb);
  return true;
}

static double default_size(size_t n) {
  return n <= 300 ? 5.5 : n <= 1500 ? 4.5 : n <= 6000 ? 3.2 : 2;
}

/* ---- points -------------------------------------------------------------- */
/* 8 markers with 8 or 10 colours: the first 40 classes all look different. */
td_plot_marker td_plot_class_marker(double v) {
  static const td_plot_marker cycle[] = {
    TD_PLOT_CIRCLE, TD_PLOT_TRIANGLE, TD_PLOT_SQUARE, TD_PLOT_DIAMOND,
    TD_PLOT_TRIANGLE_DOWN, TD_PLOT_STAR, TD_PLOT_PLUS, TD_PLOT_CROSS
  };
  double k = fmod(floor(v + 0.5), 64);
  if (!isfinite(k)) return TD_PLOT_CIRCLE;
  int i = (int)(k < 0 ? k + 64 : k);
  return cycle[(i + i / 8) % 8];
}

static void class_shapes(const td_plot_artist *a, size_t n, uint8_t *shape) {
  const double *v = td_plot_numbers(&a->o.c);
  for (size_t i = 0; i < n; i++) shape[i] = (uint8_t)td_plot_class_marker(v[i]);
}

static uint8_t (*point_colors(td_plot_painter *p, const td_plot_artist *a,
                              size_t n))[4] {
  uint8_t (*rgba)[4] = malloc((n + 1) * sizeof *rgba);
  td_plot_rgba bad = td_plot_painter_color(p, &p->theme->bad,
                                           (td_plot_rgba){.7, .7, .7, 1});
  for (size_t i = 0; rgba && i < n; i++) {
    td_plot_rgba c;
    if (!td_plot_value_color(a, i, &c)) c = bad;
    rgba[i][0] = (uint8_t)(c.r * 255 + 0.5);
    rgba[i][1] = (uint8_t)(c.g * 255 + 0.5);
    rgba[i][2] = (uint8_t)(c.b * 255 + 0.5);
    rgba[i][3] = (uint8_t)(c.a * 255 + 0.5);
  }
  const double *v = td_plot_numbers(&a->o.c);
  for (size_t i = 0; rgba && a->hidden_parts && a->o.c.ndim == 1 && i < n; i++) {
    double k = floor(v[i] + 0.5);
    if (k >= 0 && k < 64 && a->hidden_parts >> (int)k & 1) rgba[i][3] = 0;
  }
  return rgba;
}

void td_plot_draw_markers(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  size_t n = o->x.n;
  double standard = default_size(n) * p->theme->pointsize, *xy = td_plot_positions(m, o, n);
  td_plot_points q = {
    .n = n, .x = xy, .y = xy ? xy + n : NULL, .nsize = 1, .size = &standard,
    .fill = td_plot_artist_color(p, a), .alpha = o->alpha,
    .edgewidth = o->edgewidth
  };
  if (o->size.blob) q.size = td_plot_numbers(&o->size), q.nsize = o->size.n;
  bool rim = a->kind == TD_PLOT_SCATTER && n <= 2000 && q.size[0] >= 3;
  td_plot_rgba face = td_plot_painter_color(p, &p->theme->face, q.fill);
  if (!rim) face.a = 0;
  q.edge = td_plot_painter_color(p, &o->edge, face);
  uint8_t (*rgba)[4] = o->c.blob ? point_colors(p, a, n) : NULL, *shape = NULL;
  if (o->marker == 1 && o->c.blob && o->c.ndim == 1 && (shape = malloc(n + 1)))
    class_shapes(a, n, shape);
  q.rgba = (const uint8_t (*)[4])rgba;
  q.shape = shape;
  q.marker = o->marker >= 2 ? (td_plot_marker)(o->marker - 2) : TD_PLOT_CIRCLE;
  if (xy) td_plot_draw_points(p, m->box, &q);
  free(xy);
  free(rgba);
  free(shape);
}

/* ---- lines --------------------------------------------------------------- */
static void draw_line(td_plot_painter *p, const td_plot_map *m,
                      const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  td_plot_curve q = {
    .n = o->x.n, .x = td_plot_numbers(&o->x), .y = td_plot_numbers(&o->y),
    .color = td_plot_artist_color(p, a), .alpha = o->alpha, .dash = &o->dash,
    .width = td_plot_artist_width(p, a), .rises = td_plot_data_rises(&o->x)
  };
  double *smooth = NULL;
  if (o->smooth > 0) smooth = malloc((q.n + 1) * sizeof *smooth);
  if (smooth) {
    td_plot_smooth(q.y, q.n, o->smooth, smooth);
    td_plot_curve raw = q;
    raw.alpha *= 0.28, raw.width *= 0.7;
    td_plot_draw_curve(p, m, &raw);
    q.y = smooth;
  }
  td_plot_draw_curve(p, m, &q);
  free(smooth);
  if (o->marker != 0) td_plot_draw_markers(p, m, a);
}

static void draw_rule(td_plot_painter *p, const td_plot_map *m,
                      const td_plot_artist *a) {
  bool across = a->kind == TD_PLOT_HLINE;
  const td_plot_data *d = across ? &a->o.y : &a->o.x;
  for (size_t i = 0; i < d->n; i++) {
    double v = td_plot_numbers(d)[i];
    double at = across ? td_plot_map_y(m, v) : td_plot_map_x(m, v);
    td_plot_pen pen;
    td_plot_pen_start(&pen, p, m->box, td_plot_artist_color(p, a), a->o.alpha,
                      td_plot_artist_width(p, a), &a->o.dash, 2);
    td_plot_pen_to(&pen, across ? m->box.x0 : at, across ? at : m->box.y1);
    td_plot_pen_to(&pen, across ? m->box.x1 : at, across ? at : m->box.y0);
    td_plot_pen_finish(&pen);
  }
}

/* ---- contours ------------------------------------------------------------ */
typedef struct contour {
  td_plot_pen pen;
  const td_plot_map *m;
} contour;

static void contour_line(void *context, const double *xy, size_t n, bool closed) {
  contour *c = context;
  td_plot_pen_up(&c->pen);
  for (size_t i = 0; i < n + closed; i++) {
    size_t k = i % n;
    td_plot_pen_to(&c->pen, td_plot_map_x(c->m, xy[2 * k]),
                   td_plot_map_y(c->m, xy[2 * k + 1]));
  }
  td_plot_pen_up(&c->pen);
}

static void draw_contour(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a) {
  double levels[128];
  int n = td_plot_contour_levels(a, levels, 128);
  td_plot_grid g = td_plot_artist_grid(&a->o);
  for (int i = 0; i < n; i++) {
    td_plot_rgba color = td_plot_artist_color(p, a);
    uint8_t rgb[3];
    if (a->o.cmap >= 0 && a->o.color.kind == TD_PLOT_COLOR_AUTO &&
        td_plot_cmap_color(td_plot_cmap_get(a->o.cmap), &a->norm, levels[i], rgb))
      color = rgb8(rgb);
    contour c = {.m = m};
    td_plot_pen_start(&c.pen, p, m->box, color, a->o.alpha,
                      td_plot_artist_width(p, a), &a->o.dash, 1000);
    td_plot_contour_trace(&g, levels[i], contour_line, &c);
    td_plot_pen_finish(&c.pen);
  }
}

/* ---- paths --------------------------------------------------------------- */
#define BANDS 12 /* steps of fading */

/* Draws steps s0 to s1 of path j. */
static void path_part(td_plot_pen *pen, const double *xy, size_t total,
                      size_t paths, size_t j, size_t s0, size_t s1) {
  for (size_t s = s0; s <= s1; s++)
    td_plot_pen_to(pen, xy[s * paths + j], xy[total + s * paths + j]);
  td_plot_pen_up(pen);
}

static void draw_heads(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a, const double *xy, size_t steps,
                       size_t paths) {
  double standard = 4 * p->theme->pointsize;
  td_plot_points q = {
    .n = paths, .x = xy + (steps - 1) * paths, .nsize = 1, .size = &standard,
    .y = xy + (2 * steps - 1) * paths, .alpha = a->o.alpha,
    .fill = td_plot_artist_color(p, a), .edgewidth = 0.4,
    .edge = td_plot_painter_color(p, &p->theme->face, (td_plot_rgba){1, 1, 1, 1})
  };
  if (a->o.size.blob)
    q.size = td_plot_numbers(&a->o.size), q.nsize = a->o.size.n;
  uint8_t (*rgba)[4] = a->o.c.blob ? point_colors(p, a, paths) : NULL;
  q.rgba = (const uint8_t (*)[4])rgba;
  q.marker = a->o.marker >= 2 ? (td_plot_marker)(a->o.marker - 2) : TD_PLOT_CIRCLE;
  td_plot_draw_points(p, m->box, &q);
  free(rgba);
}

static void draw_paths(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  if (!o->x.n) return;
  size_t paths = o->x.ndim == 2 ? o->x.dim[1] : 1, steps = o->x.n / paths;
  size_t first = 0, bands = o->fade && steps > 2 ? BANDS : 1;
  if (!isnan(o->tail) && o->tail + 1 < (double)steps)
    first = steps - 1 - (size_t)o->tail;
  size_t moves = steps - 1 - first;
  if (bands > moves) bands = moves ? moves : 1;
  double *xy = td_plot_positions(m, o, o->x.n), width = td_plot_artist_width(p, a);
  for (size_t b = 0; xy && moves && b < bands; b++) {
    size_t s0 = first + moves * b / bands, s1 = first + moves * (b + 1) / bands;
    double alpha = o->alpha * (bands > 1 ? 0.08 + 0.92 * (double)(b + 1) /
                                                      (double)bands : 1);
    td_plot_rgba color = td_plot_artist_color(p, a);
    td_plot_pen pen = {.p = NULL};
    for (size_t j = 0; j < paths; j++) {
      if (o->c.blob && !td_plot_value_color(a, j, &color)) continue;
      if (o->c.blob && pen.p) td_plot_pen_finish(&pen);
      if (o->c.blob || !pen.p)
        td_plot_pen_start(&pen, p, m->box, color, alpha, width, &o->dash,
                          o->c.blob ? s1 - s0 : (s1 - s0) * paths);
      path_part(&pen, xy, o->x.n, paths, j, s0, s1);
    }
    if (pen.p) td_plot_pen_finish(&pen);
  }
  if (xy && o->marker != 0) draw_heads(p, m, a, xy, steps, paths);
  free(xy);
}

/* ---- text ---------------------------------------------------------------- */
static void draw_label(td_plot_painter *p, const td_plot_artist *a,
                       const char *text, double x, double y, double halign,
                       td_plot_valign valign) {
  const td_plot_artist_options *o = &a->o;
  td_plot_style s = {isnan(o->fontsize) ? p->theme->fontsize : o->fontsize,
                     o->bold};
  td_plot_rgba color = td_plot_artist_color(p, a);
  td_plot_rgba box = td_plot_painter_color(p, &o->box, (td_plot_rgba){0, 0, 0, 0});
  color.a *= o->alpha;
  if (box.a > 0 && p->text) {
    double w, h, pad = 0.35 * s.size, cap = 0.73 * s.size;
    td_plot_text_size(p, text, s, &w, &h);
    double top = valign == TD_PLOT_TOP ? 0 : valign == TD_PLOT_MIDDLE ? -cap / 2 :
                 valign == TD_PLOT_BOTTOM ? -1.0 * s.size : -cap;
    double extra = h > 1.6 * s.size ? h - 1.17 * s.size : 0;
    cairo_save(p->cr);
    cairo_translate(p->cr, x, y);
    cairo_rotate(p->cr, -o->angle * M_PI / 180);
    td_plot_set_color(p, box, o->alpha);
    cairo_rectangle(p->cr, -halign * w - pad, top - pad, w + 2 * pad,
                    cap + extra + 2 * pad);
    cairo_fill(p->cr);
    cairo_restore(p->cr);
  }
  td_plot_text_draw(p, text, s, color, x, y, halign, valign, o->angle);
}

static void draw_text(td_plot_painter *p, const td_plot_map *m,
                      const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  if (o->at) { /* top-left top top-right left center ... */
    int col = (o->at - 1) % 3, row = (o->at - 1) / 3;
    double pad = 5, w = m->box.x1 - m->box.x0, h = m->box.y1 - m->box.y0;
    static const td_plot_valign v[] = {TD_PLOT_TOP, TD_PLOT_MIDDLE,
                                       TD_PLOT_BOTTOM};
    const char *text = td_plot_text(&o->text, 0);
    if (text)
      draw_label(p, a, text, m->box.x0 + pad + (w - 2 * pad) * col / 2,
                 m->box.y0 + pad + (h - 2 * pad) * row / 2, col / 2.0, v[row]);
    return;
  }
  for (size_t i = 0; i < o->x.n; i++) {
    const char *text = td_plot_text(&o->text, o->text.dim[0] > 1 ? i : 0);
    double x = td_plot_map_x(m, td_plot_numbers(&o->x)[i]);
    double y = td_plot_map_y(m, td_plot_numbers(&o->y)[i]);
    bool inside = x >= m->box.x0 - 1 && x <= m->box.x1 + 1 &&
                  y >= m->box.y0 - 1 && y <= m->box.y1 + 1;
    if (text && inside)
      draw_label(p, a, text, x, y, o->halign / 2.0, (td_plot_valign)o->valign);
  }
}

/* ---- all ----------------------------------------------------------------- */
static void draw_kind(td_plot_painter *p, const td_plot_map *m,
                      const td_plot_artist *a) {
  switch (a->kind) {
    case TD_PLOT_SCATTER: td_plot_draw_markers(p, m, a); break;
    case TD_PLOT_LINE: draw_line(p, m, a); break;
    case TD_PLOT_HEATMAP: td_plot_draw_heatmap(p, m, a); break;
    case TD_PLOT_CONTOUR: draw_contour(p, m, a); break;
    case TD_PLOT_QUIVER: td_plot_draw_quiver(p, m, a); break;
    case TD_PLOT_PATHS: draw_paths(p, m, a); break;
    case TD_PLOT_TEXT: draw_text(p, m, a); break;
    case TD_PLOT_HLINE: case TD_PLOT_VLINE: draw_rule(p, m, a); break;
    case TD_PLOT_IMAGES: td_plot_draw_images(p, m, a); break;
    case TD_PLOT_STREAM: td_plot_draw_stream(p, m, a); break;
    case TD_PLOT_MESH: td_plot_draw_mesh(p, m, a); break;
    case TD_PLOT_HISTOGRAM: td_plot_draw_histogram(p, m, a); break;
    case TD_PLOT_BAND: td_plot_draw_band(p, m, a); break;
    case TD_PLOT_ERRORBAR: td_plot_draw_errorbar(p, m, a); break;
    case TD_PLOT_SPAN: td_plot_draw_span(p, m, a); break;
    case TD_PLOT_ARROW: td_plot_draw_arrow(p, m, a); break;
    case TD_PLOT_BARS: td_plot_draw_bars(p, m, a); break;
    case TD_PLOT_ELLIPSE: td_plot_draw_ellipse(p, m, a); break;
    case TD_PLOT_KINDS: break;
  }
}

/* Whether a file of vectors gets this artist as an image. */
static bool is_heavy(const td_plot_artist *a) {
  if (a->o.rasterize) return a->o.rasterize == 2;
  const td_plot_artist_options *o = &a->o;
  switch (a->kind) {
    case TD_PLOT_SCATTER: case TD_PLOT_ERRORBAR: return o->x.n > 4000;
    case TD_PLOT_PATHS: return o->x.n > 20000;
    case TD_PLOT_MESH: return o->x.n > 10000;
    case TD_PLOT_QUIVER: case TD_PLOT_ARROW: case TD_PLOT_ELLIPSE:
      return o->x.n > 5000;
    case TD_PLOT_LINE: /* one that runs one way is thinned out instead */
      return (o->marker && o->x.n > 4000) ||
             (o->x.n > 20000 && !td_plot_runs_one_way(td_plot_numbers(&o->x), o->x.n));
    default: return false;
  }
}

static void draw_as_image(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist *a) {
  double scale = 300.0 / 72, w = m->box.x1 - m->box.x0, h = m->box.y1 - m->box.y0;
  cairo_surface_t *image = cairo_image_surface_create(
      CAIRO_FORMAT_ARGB32, (int)ceil(w * scale), (int)ceil(h * scale));
  td_plot_figure_options o = {.theme = *p->theme, .text = p->text};
  td_plot_painter inner;
  if (td_plot_painter_open(&inner, image, scale, m->box.x0, m->box.y0, &o) == 0) {
    draw_kind(&inner, m, a);
    cairo_save(p->cr);
    cairo_translate(p->cr, m->box.x0, m->box.y0);
    cairo_scale(p->cr, 1 / scale, 1 / scale);
    cairo_set_source_surface(p->cr, image, 0, 0);
    cairo_paint(p->cr);
    cairo_restore(p->cr);
  }
  td_plot_painter_close(&inner);
  cairo_surface_destroy(image);
}

void td_plot_draw_artist(td_plot_painter *p, const td_plot_axes_layout *l,
                         const td_plot_artist *a) {
  if (!a->o.visible || !(a->o.alpha > 0)) return;
  td_plot_map m = td_plot_layout_map(l, a->o.axis == 1);
  if (!p->image && is_heavy(a)) draw_as_image(p, &m, a);
  else draw_kind(p, &m, a);
}
