/* plot_mesh.c -- a warped grid: its cells, denser where space is compressed. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>

#include "vm/plot_draw.h"

typedef struct mesh {
  size_t rows, cols;
  double *x, *y; /* page positions of the corners */
} mesh;

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The corners of a cell, around it. */
static void corners(const mesh *g, size_t i, size_t j, size_t at[4]) {
  at[0] = i * g->cols + j, at[1] = at[0] + 1;
  at[2] = at[1] + g->cols, at[3] = at[0] + g->cols;
}

static double area(const mesh *g, const size_t at[4]) {
  double sum = 0;
  for (int k = 0; k < 4; k++) {
    size_t a = at[k], b = at[(k + 1) % 4];
    sum += g->x[a] * g->y[b] - g->x[b] * g->y[a];
  }
  return fabs(sum) / 2;
}

/* Of all cells that have one; 0: none has. */
static double median_area(const mesh *g) {
  size_t cells = (g->rows - 1) * (g->cols - 1), n = 0, at[4];
  double *v = malloc((cells + 1) * sizeof *v), median = 0;
  for (size_t i = 0; v && i + 1 < g->rows; i++)
    for (size_t j = 0; j + 1 < g->cols; j++) {
      corners(g, i, j, at);
      double one = area(g, at);
      if (isfinite(one) && one > 0) v[n++] = one;
    }
  if (n) {
    qsort(v, n, sizeof *v, ascending);
    median = v[n / 2];
  }
  free(v);
  return median;
}

static void draw_cell(td_plot_painter *p, const td_plot_map *m, const mesh *g,
                      const size_t at[4], td_plot_rgba c, double alpha) {
  for (int k = 0; k < 4; k++) {
    double x = g->x[at[k]], y = g->y[at[k]];
    if (!isfinite(x) || !isfinite(y)) {
      cairo_new_path(p->cr);
      return;
    }
    cairo_line_to(p->cr, td_plot_near(x, m->box.x0), td_plot_near(y, m->box.y0));
  }
  cairo_close_path(p->cr);
  td_plot_set_color(p, c, alpha);
  cairo_fill(p->cr);
}

/* A cell of d times the usual density lets through what d layers would. */
static void draw_cells(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a, const mesh *g) {
  const td_plot_artist_options *o = &a->o;
  const double *z = td_plot_numbers(&o->z);
  double fill = isnan(o->fill) && z ? 1 : td_plot_artist_fill(a);
  double median = o->density && !z ? median_area(g) : 0;
  td_plot_rgba color = td_plot_artist_color(p, a);
  if (!(fill > 0)) return;
  cairo_save(p->cr);
  cairo_set_antialias(p->cr, CAIRO_ANTIALIAS_NONE); /* no gaps between cells */
  for (size_t i = 0; i + 1 < g->rows; i++)
    for (size_t j = 0; j + 1 < g->cols; j++) {
      size_t at[4];
      uint8_t c[3];
      double alpha = fill;
      corners(g, i, j, at);
      double one = area(g, at);
      if (median > 0) alpha = one > 0 ? 1 - pow(1 - fill, median / one) : 1;
      if (z) {
        const td_plot_cmap *map = td_plot_cmap_get(o->cmap);
        if (!td_plot_cmap_color(map, &a->norm, z[i * (g->cols - 1) + j], c)) continue;
        color = (td_plot_rgba){c[0] / 255.0, c[1] / 255.0, c[2] / 255.0, 1};
      }
      if (alpha > 0.002) draw_cell(p, m, g, at, color, alpha * o->alpha);
    }
  cairo_restore(p->cr);
}

static void draw_lines(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a, const mesh *g) {
  td_plot_rgba color = td_plot_artist_color(p, a);
  if (a->o.z.blob) color = (td_plot_rgba){1, 1, 1, 0.6};
  color = td_plot_painter_color(p, &a->o.edge, color);
  if (!(color.a > 0)) return;
  td_plot_pen pen;
  td_plot_pen_start(&pen, p, m->box, color, a->o.alpha * 0.8,
                    td_plot_artist_width(p, a), NULL, g->rows * g->cols);
  for (size_t i = 0; i < g->rows; i++) {
    for (size_t j = 0; j < g->cols; j++)
      td_plot_pen_to(&pen, g->x[i * g->cols + j], g->y[i * g->cols + j]);
    td_plot_pen_up(&pen);
  }
  for (size_t j = 0; j < g->cols; j++) {
    for (size_t i = 0; i < g->rows; i++)
      td_plot_pen_to(&pen, g->x[i * g->cols + j], g->y[i * g->cols + j]);
    td_plot_pen_up(&pen);
  }
  td_plot_pen_finish(&pen);
}

void td_plot_draw_mesh(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  if (!o->x.n) return;
  mesh g = {.rows = o->x.dim[0], .cols = o->x.dim[1]};
  g.x = td_plot_positions(m, o, o->x.n);
  if (!g.x) return;
  g.y = g.x + o->x.n;
  td_plot_clip(p, m->box);
  draw_cells(p, m, a, &g);
  cairo_restore(p->cr);
  draw_lines(p, m, a, &g);
  free(g.x);
}
