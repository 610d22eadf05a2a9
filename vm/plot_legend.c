/* plot_legend.c -- names of artists, in the corner with the least data. */
#include <cairo.h>
#include <math.h>

#include "vm/plot_draw.h"

#define MAX_ENTRIES 32

/* An artist, or one part of it (a class of points). */
typedef struct entry {
  const td_plot_artist *artist;
  const char *text;
  int part; /* the class; -1: all of it */
} entry;

typedef struct legend {
  int n, columns, rows;
  entry entry[MAX_ENTRIES];
  double swatch, line, pad, gap;   /* lengths in points */
  double column[8], w, h;
} legend;

/* Does a colour bar carry the label of this artist? */
static bool named_by_bar(const td_plot_axes *ax, const td_plot_artist *a) {
  bool by_value = a->kind == TD_PLOT_STREAM ? a->o.cmap >= 0
                                            : a->o.c.blob && a->o.c.ndim == 1;
  for (int i = 0; i < ax->nbars; i++)
    if (ax->bars[i].artist == a->serial && !ax->bars[i].o.label.blob)
      return by_value && !td_plot_cmap_get(a->o.cmap)->classes;
  return false;
}

static void add_entries(legend *g, const td_plot_axes *ax,
                        const td_plot_artist *a) {
  if (!(td_plot_kinds[a->kind].flags & TD_PLOT_ENTRY) || !(a->o.visible || a->hidden) ||
      !a->o.legend || named_by_bar(ax, a))
    return;
  const td_plot_data *parts = &a->o.classes; /* of points, or series of bars */
  const char *text;
  if (!parts->blob) {
    text = td_plot_text(&a->o.label, 0);
    if (text && g->n < MAX_ENTRIES) g->entry[g->n++] = (entry){a, text, -1};
    return;
  }
  int first = a->kind == TD_PLOT_BARS ? 0 : td_plot_class_first(a);
  for (int k = 0; (text = td_plot_text(parts, (size_t)k)); k++)
    if (*text && g->n < MAX_ENTRIES)
      g->entry[g->n++] = (entry){a, text, first + k};
}

static td_plot_style entry_style(const td_plot_painter *p) {
  return (td_plot_style){p->theme->fontsize, false};
}

static void measure(td_plot_painter *p, const td_plot_axes *ax, legend *g) {
  double fs = p->theme->fontsize, w, h;
  *g = (legend){.swatch = 2.2 * fs, .line = 1.55 * fs, .pad = 0.6 * fs,
                .gap = 0.6 * fs};
  if (ax->o.legend == TD_PLOT_LEGEND_NONE || !p->text) return;
  for (int i = 0; i < ax->nartists; i++) add_entries(g, ax, ax->artists[i]);
  if (!g->n) return;
  bool marks = true; /* points need less room than lines */
  for (int i = 0; i < g->n; i++) {
    const td_plot_artist *a = g->entry[i].artist;
    marks &= a->kind == TD_PLOT_SCATTER || a->kind == TD_PLOT_ERRORBAR;
  }
  if (marks) g->swatch = 1.1 * fs;
  g->columns = ax->o.columns + 1;
  if (g->columns > g->n) g->columns = g->n;
  g->rows = (g->n + g->columns - 1) / g->columns;
  g->w = 2 * g->pad + (g->columns - 1) * 2 * g->gap;
  for (int i = 0; i < g->n; i++) {
    td_plot_text_size(p, g->entry[i].text, entry_style(p), &w, &h);
    double *c = &g->column[i / g->rows], need = g->swatch + g->gap + w;
    if (need > *c) g->w += need - *c, *c = need;
  }
  g->h = 2 * g->pad + g->rows * g->line - 0.35 * fs;
}

void td_plot_legend_size(td_plot_painter *p, const td_plot_axes *ax, double *w,
                         double *h) {
  legend g;
  measure(p, ax, &g);
  *w = g.w, *h = g.h;
}

/* ---- the emptiest place -------------------------------------------------- */
#define CELLS 48 /* the box as CELLS x CELLS counts of what is drawn there */

typedef struct crowd {
  td_plot_rect box;
  float cell[CELLS][CELLS];
} crowd;

static void mark(crowd *c, double x, double y, float weight) {
  double u = (x - c->box.x0) / (c->box.x1 - c->box.x0) * CELLS;
  double v = (y - c->box.y0) / (c->box.y1 - c->box.y0) * CELLS;
  if (u >= 0 && u < CELLS && v >= 0 && v < CELLS)
    c->cell[(int)v][(int)u] += weight;
}

static void mark_segment(crowd *c, double x0, double y0, double x1, double y1) {
  double step = fmax(fabs(x1 - x0) / (c->box.x1 - c->box.x0),
                     fabs(y1 - y0) / (c->box.y1 - c->box.y0)) * CELLS;
  int n = step < 1 ? 1 : step > 4 * CELLS ? 4 * CELLS : (int)step;
  for (int k = 0; k <= n; k++)
    mark(c, x0 + (x1 - x0) * k / n, y0 + (y1 - y0) * k / n, 1);
}

/* A value on the page; what a log scale cannot show is at its lower end. */
static double value_at(const td_plot_map *m, bool x, double v) {
  double at = x ? td_plot_map_x(m, v) : td_plot_map_y(m, v);
  return isfinite(at) ? at : x ? m->box.x0 : m->box.y1;
}

/* A filled strip across place `at` from value lo to hi. */
static void mark_strip(crowd *c, const td_plot_map *m, bool lie, double at,
                       double lo, double hi) {
  double p = value_at(m, !lie, at), v0 = value_at(m, lie, lo), v1 = value_at(m, lie, hi);
  if (isnan(lo) || isnan(hi)) return;
  v0 = fmin(fmax(v0, lie ? c->box.x0 : c->box.y0), lie ? c->box.x1 : c->box.y1);
  v1 = fmin(fmax(v1, lie ? c->box.x0 : c->box.y0), lie ? c->box.x1 : c->box.y1);
  if (lie) mark_segment(c, v0, p, v1, p);
  else mark_segment(c, p, v0, p, v1);
}

#define STRIPS 96 /* across what is filled */

/* What is filled, strip by strip; false: this kind is not. */
static bool mark_area(crowd *c, const td_plot_map *m, const td_plot_artist *a) {
  const td_plot_data *d0 = &a->made[0], *d1 = &a->made[1];
  const double *u = td_plot_numbers(d0), *v = td_plot_numbers(d1);
  if (a->kind == TD_PLOT_HISTOGRAM) {
    double lo = d0->n ? u[0] : 0, hi = d0->n ? u[d0->n - 1] : 0;
    for (size_t s = 0, k = 0; s < STRIPS && d1->n; s++) {
      double at = lo + (hi - lo) * ((double)s + 0.5) / STRIPS;
      while (k + 1 < d1->n && u[k + 1] < at) k++;
      mark_strip(c, m, a->o.horizontal, at, 0, v[k]);
    }
    return true;
  }
  if (a->kind == TD_PLOT_BAND) {
    size_t stride = d0->n / 2000 + 1;
    for (size_t i = 0; i < d0->n; i += stride)
      mark_strip(c, m, false, td_plot_numbers(&a->o.x)[i], u[i], v[i]);
    return true;
  }
  if (a->kind != TD_PLOT_BARS) return false;
  size_t n = a->o.y.blob ? a->o.y.dim[0] : 0, k = td_plot_bars_series(&a->o);
  for (size_t i = 0; i < n && n < 1000; i++)
    for (size_t s = 0; s < k; s++) {
      td_plot_bar_place b = td_plot_bars_place(&a->o, i, s);
      for (int j = 0; j < 8; j++)
        mark_strip(c, m, a->o.horizontal, b.a + (b.b - b.a) * (j + 0.5) / 8, b.lo,
                   b.hi * (a->o.numbers || a->o.yerr.blob ? 1.08 : 1));
    }
  return true;
}

static void mark_artist(crowd *c, const td_plot_axes_layout *l,
                        const td_plot_artist *a) {
  td_plot_map m = td_plot_layout_map(l, a->o.axis == 1);
  const double *x = td_plot_numbers(&a->o.x), *y = td_plot_numbers(&a->o.y);
  size_t n = a->o.x.n < a->o.y.n ? a->o.x.n : a->o.y.n;
  size_t stride = n > 20000 ? n / 20000 + 1 : 1;
  bool line = a->kind == TD_PLOT_LINE || a->kind == TD_PLOT_MESH;
  double lx = NAN, ly = NAN;
  if (!a->o.visible || td_plot_kinds[a->kind].order < 1 ||
      a->kind == TD_PLOT_CONTOUR || a->kind == TD_PLOT_STREAM ||
      mark_area(c, &m, a))
    return;
  for (size_t i = 0; i < n; i += stride) {
    double px = td_plot_map_x(&m, x[i]), py = td_plot_map_y(&m, y[i]);
    if (line && isfinite(px + py + lx + ly)) mark_segment(c, lx, ly, px, py);
    else if (isfinite(px + py)) mark(c, px, py, a->kind == TD_PLOT_TEXT ? 20 : 1);
    lx = px, ly = py;
  }
}

static double covered(const crowd *c, const td_plot_rect *r) {
  double sum = 0;
  for (int i = 0; i < CELLS; i++)
    for (int j = 0; j < CELLS; j++) {
      double x = c->box.x0 + (j + 0.5) / CELLS * (c->box.x1 - c->box.x0);
      double y = c->box.y0 + (i + 0.5) / CELLS * (c->box.y1 - c->box.y0);
      if (x > r->x0 && x < r->x1 && y > r->y0 && y < r->y1)
        sum += sqrt(c->cell[i][j]);
    }
  return sum;
}

/* The rectangle of place k, in the order of the words of option `legend`. */
static td_plot_rect candidate(const td_plot_rect *box, const legend *g, int k) {
  static const double u[] = {1, 0, 0, 1, .5, .5, 0, 1};
  static const double v[] = {0, 0, 1, 1, 0, 1, .5, .5};
  double pad = 0.8 * g->pad;
  double x = box->x0 + pad + u[k] * (box->x1 - box->x0 - g->w - 2 * pad);
  double y = box->y0 + pad + v[k] * (box->y1 - box->y0 - g->h - 2 * pad);
  return (td_plot_rect){x, y, x + g->w, y + g->h};
}

/* The emptiest place; `kept`, when not -1, stays while it is not much worse. */
static int best_place(const td_plot_axes_layout *a, const legend *g, int kept) {
  crowd c = {.box = a->box};
  for (int i = 0; i < a->axes->nartists; i++)
    mark_artist(&c, a, a->axes->artists[i]);
  double least = INFINITY, sums[8];
  int best = 0;
  for (int k = 0; k < 8; k++) {
    td_plot_rect r = candidate(&a->box, g, k);
    sums[k] = covered(&c, &r) + (k >= 4 ? 0.5 : 0); /* corners look calmer */
    if (sums[k] < least - 1e-9) least = sums[k], best = k;
  }
  return kept >= 0 && sums[kept] < 1.5 * least + 6 ? kept : best;
}

void td_plot_legend_place(td_plot_painter *p, td_plot_axes_layout *a,
                          const td_plot_axes_layout *was, bool calm) {
  legend g;
  measure(p, a->axes, &g);
  int where = a->axes->o.legend, place = where - TD_PLOT_LEGEND_CORNERS;
  a->legend = (td_plot_rect){0, 0, 0, 0};
  a->legend_place = -1;
  if (!g.n) return;
  if (where == TD_PLOT_LEGEND_OUTSIDE) {
    double x = a->box.x1 + a->margin[1] - g.w;
    a->legend = (td_plot_rect){x, a->box.y0, x + g.w, a->box.y0 + g.h};
    return;
  }
  int kept = was && was->axes->o.legend == where ? was->legend_place : -1;
  if (place < 0) place = calm && kept >= 0 ? kept : best_place(a, &g, kept);
  a->legend_place = place;
  a->legend = candidate(&a->box, &g, place);
}

/* ---- drawing ------------------------------------------------------------- */
static td_plot_rgba swatch_color(td_plot_painter *p, const entry *e) {
  const td_plot_artist *a = e->artist;
  td_plot_rgba color = td_plot_artist_color(p, a);
  uint8_t rgb[3];
  if (a->kind == TD_PLOT_BARS)
    return td_plot_bars_color(p, a, e->part < 0 ? 0 : (size_t)e->part);
  if (!a->o.c.blob || a->o.c.ndim != 1 || a->o.color.kind != TD_PLOT_COLOR_AUTO)
    return color;
  const td_plot_cmap *m = td_plot_cmap_get(a->o.cmap);
  double v = m->classes ? 0 : td_plot_norm_inverse(&a->norm, 0.5);
  if (td_plot_cmap_color(m, &a->norm, e->part >= 0 ? e->part : v, rgb))
    color = (td_plot_rgba){rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0, 1};
  return color;
}

static void swatch_marker(td_plot_painter *p, const legend *g, const entry *e,
                          td_plot_rect clip, double x, double y) {
  const td_plot_artist *a = e->artist;
  double cx = x + g->swatch / 2, fs = p->theme->fontsize;
  double given = a->o.size.blob && a->o.size.n ? td_plot_numbers(&a->o.size)[0] : 5;
  double size = fmin(fmax(given, (e->part < 0 ? 0.55 : 0.7) * fs), 1.1 * fs);
  td_plot_points q = {
    .n = 1, .x = &cx, .y = &y, .size = &size, .nsize = 1,
    .fill = swatch_color(p, e), .alpha = fmax(a->o.alpha, 0.6),
    .edgewidth = a->o.edgewidth, .marker = TD_PLOT_CIRCLE
  };
  if (a->o.marker >= 2) q.marker = (td_plot_marker)(a->o.marker - 2);
  else if (e->part >= 0 && a->o.marker == 1) q.marker = td_plot_class_marker(e->part);
  q.edge = td_plot_painter_color(p, &a->o.edge, (td_plot_rgba){0, 0, 0, 0});
  td_plot_draw_points(p, clip, &q);
}

/* A patch, with the line that a band has in its middle. */
static void swatch_area(td_plot_painter *p, const legend *g, const entry *e,
                        double x, double y) {
  const td_plot_artist *a = e->artist;
  td_plot_rgba c = swatch_color(p, e);
  double h = 0.8 * p->theme->fontsize, fill = td_plot_artist_fill(a);
  if (a->kind == TD_PLOT_HISTOGRAM && a->o.style == 1) fill = 0;
  cairo_rectangle(p->cr, x, y - h / 2, g->swatch, h);
  td_plot_set_color(p, c, a->o.alpha * fill);
  bool line = a->kind == TD_PLOT_BAND && a->o.y.blob;
  bool rim = a->kind != TD_PLOT_BAND && a->kind != TD_PLOT_SPAN;
  if (rim) cairo_fill_preserve(p->cr);
  else cairo_fill(p->cr);
  if (line) cairo_move_to(p->cr, x, y), cairo_line_to(p->cr, x + g->swatch, y);
  td_plot_set_color(p, c, a->o.alpha);
  cairo_set_line_width(p->cr, fmax(td_plot_artist_width(p, a), 0.6));
  if (rim || line) cairo_stroke(p->cr);
}

static void draw_swatch(td_plot_painter *p, const legend *g, const entry *e,
                        double x, double y) {
  const td_plot_artist *a = e->artist;
  if (td_plot_kinds[a->kind].flags & TD_PLOT_AREA) {
    swatch_area(p, g, e, x, y);
    return;
  }
  td_plot_rect clip = {x - 9, y - 2 * g->line, x + g->swatch + 9, y + 2 * g->line};
  if (a->kind != TD_PLOT_SCATTER) {
    td_plot_pen pen;
    td_plot_pen_start(&pen, p, clip, swatch_color(p, e), a->o.alpha,
                      fmax(td_plot_artist_width(p, a), 0.8), &a->o.dash, 2);
    double dx = g->swatch / 2, dy = 0.55 * p->theme->fontsize;
    bool up = a->kind == TD_PLOT_ERRORBAR;
    td_plot_pen_to(&pen, x + (up ? dx : 0), y - (up ? dy : 0));
    td_plot_pen_to(&pen, x + (up ? 1 : 2) * dx, y + (up ? dy : 0));
    td_plot_pen_finish(&pen);
  }
  if (a->kind == TD_PLOT_SCATTER || a->o.marker != 0)
    swatch_marker(p, g, e, clip, x, y);
}

static bool is_hidden(const entry *e) {
  return e->artist->hidden ||
         (e->part >= 0 && e->part < 64 && e->artist->hidden_parts >> e->part & 1);
}

static void rounded(cairo_t *cr, const td_plot_rect *r, double radius) {
  cairo_new_path(cr);
  cairo_arc(cr, r->x1 - radius, r->y0 + radius, radius, -M_PI / 2, 0);
  cairo_arc(cr, r->x1 - radius, r->y1 - radius, radius, 0, M_PI / 2);
  cairo_arc(cr, r->x0 + radius, r->y1 - radius, radius, M_PI / 2, M_PI);
  cairo_arc(cr, r->x0 + radius, r->y0 + radius, radius, M_PI, 1.5 * M_PI);
  cairo_close_path(cr);
}

static void draw_at(td_plot_painter *p, const legend *g, const td_plot_rect *r) {
  td_plot_rgba black = {0, 0, 0, 1};
  td_plot_rgba ink = td_plot_painter_color(p, &p->theme->ink, black);
  rounded(p->cr, r, 2);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->face, black), 0.86);
  cairo_fill_preserve(p->cr);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->grid, black), 1);
  cairo_set_line_width(p->cr, p->theme->framewidth);
  cairo_stroke(p->cr);
  double x = r->x0 + g->pad;
  for (int i = 0; i < g->n; i++) {
    int row = i % g->rows, col = i / g->rows;
    if (row == 0 && col > 0) x += g->column[col - 1] + 2 * g->gap;
    double y = r->y0 + g->pad + row * g->line + 0.6 * p->theme->fontsize;
    td_plot_rgba color = ink;
    if (is_hidden(&g->entry[i])) color.a *= 0.4;
    else draw_swatch(p, g, &g->entry[i], x, y);
    td_plot_text_draw(p, g->entry[i].text, entry_style(p), color,
                      x + g->swatch + g->gap, y, 0, TD_PLOT_MIDDLE, 0);
  }
}

void td_plot_legend_draw(td_plot_painter *p, const td_plot_axes_layout *a) {
  legend g;
  measure(p, a->axes, &g);
  if (g.n) draw_at(p, &g, &a->legend);
}

const td_plot_artist *td_plot_legend_at(td_plot_painter *p, const td_plot_axes_layout *a,
                                        double x, double y, int *part) {
  legend g;
  measure(p, a->axes, &g);
  const td_plot_rect *r = &a->legend;
  if (!g.n || !(x >= r->x0 && x <= r->x1 && y >= r->y0 && y <= r->y1)) return NULL;
  double left = r->x0 + g.pad;
  int col = 0;
  while (col + 1 < g.columns && x > left + g.column[col] + g.gap)
    left += g.column[col++] + 2 * g.gap;
  int row = td_plot_clamp((y - r->y0 - g.pad) / g.line + 0.15, 0, g.rows - 1);
  int i = col * g.rows + row;
  if (i >= g.n) return NULL;
  *part = g.entry[i].part;
  return g.entry[i].artist;
}
