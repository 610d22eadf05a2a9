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

static void add_entries(legend *g, const td_plot_artist *a) {
  if (!(td_plot_kinds[a->kind].flags & TD_PLOT_ENTRY) || !a->o.visible ||
      !a->o.legend)
    return;
  const td_plot_data *parts = &a->o.classes;
  const char *text;
  if (!parts->blob) {
    text = td_plot_text(&a->o.label, 0);
    if (text && g->n < MAX_ENTRIES) g->entry[g->n++] = (entry){a, text, -1};
    return;
  }
  int first = td_plot_class_first(a);
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
  for (int i = 0; i < ax->nartists; i++) add_entries(g, ax->artists[i]);
  if (!g->n) return;
  bool marks = true; /* points need less room than lines */
  for (int i = 0; i < g->n; i++) marks &= g->entry[i].artist->kind == TD_PLOT_SCATTER;
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

static void mark_artist(crowd *c, const td_plot_axes_layout *l,
                        const td_plot_artist *a) {
  td_plot_map m = td_plot_layout_map(l, a->o.axis == 1);
  const double *x = td_plot_numbers(&a->o.x), *y = td_plot_numbers(&a->o.y);
  size_t n = a->o.x.n < a->o.y.n ? a->o.x.n : a->o.y.n;
  size_t stride = n > 20000 ? n / 20000 + 1 : 1;
  bool line = a->kind == TD_PLOT_LINE;
  double lx = NAN, ly = NAN;
  if (!a->o.visible || a->kind == TD_PLOT_HEATMAP || a->kind == TD_PLOT_CONTOUR)
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

static td_plot_rect best_place(const td_plot_axes_layout *a, const legend *g) {
  crowd c = {.box = a->box};
  for (int i = 0; i < a->axes->nartists; i++)
    mark_artist(&c, a, a->axes->artists[i]);
  td_plot_rect best = candidate(&a->box, g, 0);
  double least = INFINITY;
  for (int k = 0; k < 8; k++) {
    td_plot_rect r = candidate(&a->box, g, k);
    double sum = covered(&c, &r) + (k >= 4 ? 0.5 : 0); /* corners look calmer */
    if (sum < least - 1e-9) least = sum, best = r;
  }
  return best;
}

/* ---- drawing ------------------------------------------------------------- */
static td_plot_rgba swatch_color(td_plot_painter *p, const entry *e) {
  const td_plot_artist *a = e->artist;
  td_plot_rgba color = td_plot_artist_color(p, a);
  uint8_t rgb[3];
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

static void draw_swatch(td_plot_painter *p, const legend *g, const entry *e,
                        double x, double y) {
  const td_plot_artist *a = e->artist;
  td_plot_rect clip = {x - 9, y - 2 * g->line, x + g->swatch + 9, y + 2 * g->line};
  if (a->kind != TD_PLOT_SCATTER) {
    td_plot_pen pen;
    td_plot_pen_start(&pen, p, clip, swatch_color(p, e), a->o.alpha,
                      fmax(td_plot_artist_width(p, a), 0.8), &a->o.dash, 2);
    td_plot_pen_to(&pen, x, y);
    td_plot_pen_to(&pen, x + g->swatch, y);
    td_plot_pen_finish(&pen);
  }
  if (a->kind == TD_PLOT_SCATTER || a->o.marker != 0)
    swatch_marker(p, g, e, clip, x, y);
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
    draw_swatch(p, g, &g->entry[i], x, y);
    td_plot_text_draw(p, g->entry[i].text, entry_style(p), ink,
                      x + g->swatch + g->gap, y, 0, TD_PLOT_MIDDLE, 0);
  }
}

void td_plot_legend_draw(td_plot_painter *p, const td_plot_axes_layout *a) {
  legend g;
  measure(p, a->axes, &g);
  if (!g.n) return;
  int where = a->axes->o.legend;
  td_plot_rect r;
  if (where == TD_PLOT_LEGEND_OUTSIDE) {
    double x = a->box.x1 + a->margin[1] - g.w;
    r = (td_plot_rect){x, a->box.y0, x + g.w, a->box.y0 + g.h};
  } else if (where >= TD_PLOT_LEGEND_CORNERS) {
    r = candidate(&a->box, &g, where - TD_PLOT_LEGEND_CORNERS);
  } else {
    r = best_place(a, &g);
  }
  draw_at(p, &g, &r);
}
