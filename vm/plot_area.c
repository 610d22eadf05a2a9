/* plot_area.c -- what is filled: histograms, bars, bands, spans, ellipses. */
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "vm/plot_draw.h"

/* ---- shared -------------------------------------------------------------- */
void td_plot_clip(td_plot_painter *p, td_plot_rect box) {
  cairo_save(p->cr);
  cairo_rectangle(p->cr, box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
  cairo_clip(p->cr);
}

double td_plot_artist_fill(const td_plot_artist *a) {
  return isnan(a->o.fill) ? td_plot_kinds[a->kind].fill : a->o.fill;
}

/* Page position of a value along x or y; what a log scale cannot show, and what
** is infinite, is at the end it would lie beyond. */
static double along(const td_plot_map *m, bool x, double v) {
  const td_plot_scale *s = x ? &m->x : &m->y;
  double end = s->lo < s->hi ? -1e4 : 1e4;
  double lo = x ? m->box.x0 + end : m->box.y1 - end;
  double hi = x ? m->box.x1 - end : m->box.y0 + end;
  if (isinf(v)) return v > 0 ? hi : lo;
  if (s->log && v <= 0) return lo;
  double at = x ? td_plot_map_x(m, v) : td_plot_map_y(m, v);
  return td_plot_near(at, x ? m->box.x0 : m->box.y0);
}

/* ---- spans --------------------------------------------------------------- */
void td_plot_draw_span(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a) {
  const td_plot_data *d[] = {&a->o.x, &a->o.y};
  const td_plot_rect *b = &m->box;
  td_plot_clip(p, *b);
  td_plot_set_color(p, td_plot_artist_color(p, a),
                    a->o.alpha * td_plot_artist_fill(a));
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i + 1 < d[k]->n; i += 2) {
      const double *v = td_plot_numbers(d[k]) + i;
      if (isnan(v[0]) || isnan(v[1])) continue;
      double from = along(m, k == 0, v[0]), to = along(m, k == 0, v[1]);
      if (k == 0) cairo_rectangle(p->cr, from, b->y0, to - from, b->y1 - b->y0);
      else cairo_rectangle(p->cr, b->x0, from, b->x1 - b->x0, to - from);
      cairo_fill(p->cr);
    }
  cairo_restore(p->cr);
}

/* ---- bands --------------------------------------------------------------- */
#define COLUMNS 4 /* in a point: a dense band needs no more corners */

typedef struct corner {
  double x, lo, hi; /* on the page */
} corner;

static void fill_run(td_plot_painter *p, const corner *c, size_t n) {
  if (n < 2) return;
  for (size_t i = 0; i < n; i++) cairo_line_to(p->cr, c[i].x, c[i].hi);
  for (size_t i = n; i-- > 0;) cairo_line_to(p->cr, c[i].x, c[i].lo);
  cairo_close_path(p->cr);
  cairo_fill(p->cr);
}

static void fill_band(td_plot_painter *p, const td_plot_map *m,
                      const td_plot_artist *a) {
  const double *x = td_plot_numbers(&a->o.x);
  const double *lo = td_plot_numbers(&a->made[0]), *hi = td_plot_numbers(&a->made[1]);
  size_t n = a->o.x.n, used = 0;
  bool dense = (double)n > 2 * COLUMNS * (m->box.x1 - m->box.x0);
  corner *run = malloc((n + 1) * sizeof *run);
  for (size_t i = 0; run && i < n; i++) {
    corner c = {td_plot_map_x(m, x[i]), along(m, false, lo[i]),
                along(m, false, hi[i])};
    if (!isfinite(c.x) || isnan(lo[i]) || isnan(hi[i])) {
      fill_run(p, run, used);
      used = 0;
      continue;
    }
    c.x = td_plot_near(c.x, m->box.x0);
    corner *last = used ? &run[used - 1] : NULL;
    if (dense && used > 1 && fabs(c.x - last->x) < 1.0 / COLUMNS) {
      last->lo = fmax(last->lo, c.lo), last->hi = fmin(last->hi, c.hi);
      continue;
    }
    run[used++] = c;
  }
  fill_run(p, run, used);
  free(run);
}

void td_plot_draw_band(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  if (!a->made[0].n) return;
  td_plot_clip(p, m->box);
  td_plot_set_color(p, td_plot_artist_color(p, a), o->alpha * td_plot_artist_fill(a));
  fill_band(p, m, a);
  cairo_restore(p->cr);
  if (!o->y.blob) return;
  td_plot_curve line = {
    .n = o->x.n, .x = td_plot_numbers(&o->x), .y = td_plot_numbers(&o->y),
    .color = td_plot_artist_color(p, a), .alpha = o->alpha, .dash = &o->dash,
    .width = td_plot_artist_width(p, a)
  };
  td_plot_draw_curve(p, m, &line);
}

/* ---- histograms ---------------------------------------------------------- */
/* Corners of the outline, from the base of the first bin to that of the last;
** its lines fill whole pixels. Returns their width. */
static double outline(const td_plot_painter *p, const td_plot_map *m,
                      const td_plot_artist *a, double *xy) {
  double shift, width = td_plot_crisp(p, td_plot_artist_width(p, a), &shift);
  const double *edge = td_plot_numbers(&a->made[0]);
  const double *height = td_plot_numbers(&a->made[1]);
  size_t n = a->made[1].n;
  bool lie = a->o.horizontal;
  for (size_t k = 0; k < 2 * n + 2; k++) {
    double v = k == 0 || k == 2 * n + 1 ? 0 : height[(k - 1) / 2];
    double e = along(m, !lie, edge[k == 0 ? 0 : k == 2 * n + 1 ? n : k / 2]);
    double h = along(m, lie, isfinite(v) ? v : 0);
    xy[2 * k] = td_plot_snap_x(p, lie ? h : e) + shift;
    xy[2 * k + 1] = td_plot_snap_y(p, lie ? e : h) + shift;
  }
  return width;
}

void td_plot_draw_histogram(td_plot_painter *p, const td_plot_map *m,
                            const td_plot_artist *a) {
  size_t n = a->made[1].n, corners = 2 * n + 2;
  double *xy = n ? malloc(2 * corners * sizeof *xy) : NULL;
  td_plot_rgba color = td_plot_artist_color(p, a);
  if (!xy) return;
  double width = outline(p, m, a, xy);
  if (a->o.style == 0) {
    td_plot_clip(p, m->box);
    for (size_t k = 0; k < corners; k++)
      cairo_line_to(p->cr, xy[2 * k], xy[2 * k + 1]);
    cairo_close_path(p->cr);
    td_plot_set_color(p, color, a->o.alpha * td_plot_artist_fill(a));
    cairo_fill(p->cr);
    cairo_restore(p->cr);
  }
  td_plot_pen pen;
  td_plot_pen_start(&pen, p, m->box, td_plot_painter_color(p, &a->o.edge, color),
                    a->o.alpha, width, &a->o.dash, corners);
  cairo_set_line_join(p->cr, CAIRO_LINE_JOIN_MITER);
  for (size_t k = 0; k < corners; k++)
    td_plot_pen_to(&pen, xy[2 * k], xy[2 * k + 1]);
  td_plot_pen_finish(&pen);
  free(xy);
}

/* ---- bars ---------------------------------------------------------------- */
td_plot_rgba td_plot_bars_color(const td_plot_painter *p, const td_plot_artist *a,
                                size_t series) {
  if (a->o.color.kind != TD_PLOT_COLOR_AUTO || td_plot_bars_series(&a->o) < 2)
    return td_plot_artist_color(p, a);
  return td_plot_cycle_color(p, a->cycle + (int)series);
}

/* A little off an end, towards the other, where there is room for it. */
static double shrunk(double end, double other, double by) {
  if (fabs(end - other) < 6 * by) return end;
  return end < other ? end + by : end - by;
}

/* The rectangle of a bar on the page, on whole pixels, with a gap to its
** neighbours: ends along the value axis, then across. */
static td_plot_rect bar_rect(const td_plot_painter *p, const td_plot_map *m,
                             const td_plot_artist *a, td_plot_bar_place b) {
  bool lie = a->o.horizontal;
  double v0 = along(m, lie, b.lo), v1 = along(m, lie, b.hi);
  double c0 = along(m, !lie, b.a), c1 = along(m, !lie, b.b);
  double from = shrunk(c0, c1, 0.4), to = shrunk(c1, c0, 0.4);
  if (b.lo != 0) v0 = shrunk(v0, v1, 0.8); /* stands on another */
  td_plot_rect r = lie ? (td_plot_rect){v0, from, v1, to}
                       : (td_plot_rect){from, v0, to, v1};
  return (td_plot_rect){td_plot_snap_x(p, r.x0), td_plot_snap_y(p, r.y0),
                        td_plot_snap_x(p, r.x1), td_plot_snap_y(p, r.y1)};
}

static void bar_number(td_plot_painter *p, const td_plot_artist *a,
                       const td_plot_rect *r, double value, double reach) {
  char text[64];
  double size = isnan(a->o.fontsize) ? 0.85 * p->theme->fontsize : a->o.fontsize;
  td_plot_style style = {size, false};
  td_plot_rgba ink = td_plot_painter_color(p, &p->theme->ink, (td_plot_rgba){0, 0, 0, 1});
  td_plot_format(value, text, sizeof text);
  bool down = value < 0;
  if (a->o.horizontal)
    td_plot_text_draw(p, text, style, ink, reach + (down ? -0.35 : 0.35) * size,
                      (r->y0 + r->y1) / 2, down ? 1 : 0, TD_PLOT_MIDDLE, 0);
  else
    td_plot_text_draw(p, text, style, ink, (r->x0 + r->x1) / 2,
                      reach + (down ? 0.35 : -0.35) * size, 0.5,
                      down ? TD_PLOT_TOP : TD_PLOT_BASELINE, 0);
}

/* One bar with its error and number. */
static void draw_bar(td_plot_painter *p, const td_plot_map *m,
                     const td_plot_artist *a, size_t i, size_t s) {
  const td_plot_artist_options *o = &a->o;
  size_t k = td_plot_bars_series(o);
  td_plot_bar_place b = td_plot_bars_place(o, i, s);
  if (!isfinite(b.hi)) return;
  td_plot_rect r = bar_rect(p, m, a, b);
  td_plot_rgba black = {0, 0, 0, 1};
  double at = o->horizontal ? r.x1 : r.y1, far = at, e[2] = {0, 0};
  td_plot_clip(p, m->box);
  cairo_rectangle(p->cr, r.x0, r.y0, r.x1 - r.x0, r.y1 - r.y0);
  td_plot_set_color(p, td_plot_bars_color(p, a, s), o->alpha * td_plot_artist_fill(a));
  cairo_fill_preserve(p->cr);
  td_plot_set_color(p, td_plot_painter_color(p, &o->edge, (td_plot_rgba){0, 0, 0, 0}),
                    o->alpha);
  cairo_set_line_width(p->cr, td_plot_artist_width(p, a));
  cairo_stroke(p->cr);
  cairo_restore(p->cr);
  if (o->yerr.blob) {
    td_plot_error_at(&o->yerr, i * k + s, o->y.n, e);
    double middle = o->horizontal ? (r.y0 + r.y1) / 2 : (r.x0 + r.x1) / 2;
    td_plot_rgba ink = td_plot_painter_color(p, &p->theme->ink, black);
    double lo = along(m, o->horizontal, b.hi - e[0]);
    double hi = along(m, o->horizontal, b.hi + e[1]);
    td_plot_draw_whisker(p, m, o, ink, o->horizontal, middle, lo, hi);
    if (isfinite(e[0] + e[1])) far = b.hi < 0 ? lo : hi;
  }
  if (o->numbers && at >= (o->horizontal ? m->box.x0 : m->box.y0) - 1 &&
      at <= (o->horizontal ? m->box.x1 : m->box.y1) + 1)
    bar_number(p, a, &r, td_plot_numbers(&o->y)[i * k + s], far);
}

void td_plot_draw_bars(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a) {
  size_t k = td_plot_bars_series(&a->o);
  if (!a->o.y.n) return;
  for (size_t i = 0; i < a->o.y.dim[0]; i++)
    for (size_t s = 0; s < k; s++) draw_bar(p, m, a, i, s);
}

/* ---- error bars ---------------------------------------------------------- */
void td_plot_draw_whisker(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist_options *o, td_plot_rgba color,
                          bool lie, double middle, double lo, double hi) {
  double width = isnan(o->width) ? 0.7 * p->theme->linewidth : o->width;
  double cap = isnan(o->cap) ? 2.5 * p->theme->pointsize : o->cap;
  if (!isfinite(middle) || !isfinite(lo) || !isfinite(hi) || lo == hi) return;
  td_plot_clip(p, m->box);
  td_plot_set_color(p, color, o->alpha);
  if (lie) td_plot_rule(p, lo, middle, hi, middle, width);
  else td_plot_rule(p, middle, lo, middle, hi, width);
  for (int end = 0; end < 2 && cap > 0; end++) {
    double at = end ? hi : lo;
    if (lie) td_plot_rule(p, at, middle - cap, at, middle + cap, width);
    else td_plot_rule(p, middle - cap, at, middle + cap, at, width);
  }
  cairo_restore(p->cr);
}

void td_plot_draw_errorbar(td_plot_painter *p, const td_plot_map *m,
                           const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  const double *x = td_plot_numbers(&o->x), *y = td_plot_numbers(&o->y);
  td_plot_rgba color = td_plot_artist_color(p, a);
  for (size_t i = 0; i < o->x.n; i++) {
    double e[2], px = td_plot_map_x(m, x[i]), py = td_plot_map_y(m, y[i]);
    if (!isfinite(px) || !isfinite(py)) continue;
    if (o->yerr.blob) {
      td_plot_error_at(&o->yerr, i, o->x.n, e);
      td_plot_draw_whisker(p, m, o, color, false, px, along(m, false, y[i] - e[0]),
                           along(m, false, y[i] + e[1]));
    }
    if (o->xerr.blob) {
      td_plot_error_at(&o->xerr, i, o->x.n, e);
      td_plot_draw_whisker(p, m, o, color, true, py, along(m, true, x[i] - e[0]),
                           along(m, true, x[i] + e[1]));
    }
  }
  if (o->marker != 0) td_plot_draw_markers(p, m, a);
}

/* ---- ellipses ------------------------------------------------------------ */
#define AROUND 96

/* Lower triangle of the covariance of ellipse i; false: it has none. */
static bool half_axes(const td_plot_artist_options *o, size_t i, double l[3]) {
  const double *c = td_plot_numbers(&o->cov), *r = td_plot_numbers(&o->radius);
  l[0] = l[2] = r ? r[o->radius.n > 1 ? i : 0] : 1, l[1] = 0;
  if (r) return isfinite(l[0]);
  if (!c) return true;
  c += o->cov.n > 4 ? 4 * i : 0;
  l[0] = sqrt(fmax(c[0], 0));
  l[1] = l[0] > 0 ? (c[1] + c[2]) / 2 / l[0] : 0;
  l[2] = sqrt(fmax(c[3] - l[1] * l[1], 0));
  return isfinite(c[0] + c[1] + c[2] + c[3]) && isfinite(l[1]);
}

static void ellipse_path(cairo_t *cr, const td_plot_map *m, double x, double y,
                         const double l[3], double k) {
  for (int i = 0; i < AROUND; i++) {
    double t = 2 * M_PI * i / AROUND, u = k * cos(t), v = k * sin(t);
    cairo_line_to(cr, along(m, true, x + l[0] * u),
                  along(m, false, y + l[1] * u + l[2] * v));
  }
  cairo_close_path(cr);
}

void td_plot_draw_ellipse(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  td_plot_rgba color = td_plot_artist_color(p, a);
  double fill = td_plot_artist_fill(a), l[3];
  td_plot_clip(p, m->box);
  cairo_set_dash(p->cr, o->dash.v, o->dash.n, 0);
  cairo_set_line_width(p->cr, td_plot_artist_width(p, a));
  int rings = o->radius.blob && !o->cov.blob ? 1 : o->sigmas.n;
  for (size_t i = 0; i < o->x.n; i++) {
    double x = td_plot_numbers(&o->x)[i], y = td_plot_numbers(&o->y)[i];
    if (!isfinite(x) || !isfinite(y) || !half_axes(o, i, l) ||
        (o->c.blob && !td_plot_value_color(a, i, &color)))
      continue;
    for (int k = 0; k < rings; k++) {
      bool circle = o->radius.blob && !o->cov.blob;
      ellipse_path(p->cr, m, x, y, l, circle ? 1 : o->sigmas.v[k]);
      td_plot_set_color(p, color, o->alpha * fill);
      cairo_fill_preserve(p->cr);
      td_plot_set_color(p, color, o->alpha);
      cairo_stroke(p->cr);
    }
  }
  cairo_restore(p->cr);
}
