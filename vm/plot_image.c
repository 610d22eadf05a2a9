/* plot_image.c -- heatmaps: a colour for each pixel, or for each cell. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

/* A rectangle of pixels to fill, and where on the page its corner lies. */
typedef struct target {
  uint32_t *pixels;
  ptrdiff_t stride; /* in pixels */
  int w, h;
  double x, y, step; /* page position of the corner; points per pixel */
} target;

typedef struct shades {
  uint32_t *cell; /* premultiplied ARGB of every cell */
  double *value;  /* bilinear: position in the colour map */
  uint32_t map[256], bad;
} shades;

static uint32_t pack(double r, double g, double b, double a) {
  return (uint32_t)(a * 255 + 0.5) << 24 | (uint32_t)(r * a * 255 + 0.5) << 16 |
         (uint32_t)(g * a * 255 + 0.5) << 8 | (uint32_t)(b * a * 255 + 0.5);
}

static void fill_map(const td_plot_painter *p, const td_plot_artist *a,
                     shades *s) {
  const td_plot_cmap *m = td_plot_cmap_get(a->o.cmap);
  for (int k = 0; k < m->n; k++)
    s->map[k] = pack(m->rgb[k][0] / 255.0, m->rgb[k][1] / 255.0,
                     m->rgb[k][2] / 255.0, a->o.alpha);
  td_plot_rgba bad = td_plot_painter_color(p, &p->theme->bad,
                                           (td_plot_rgba){0.7, 0.7, 0.7, 1});
  s->bad = pack(bad.r, bad.g, bad.b, bad.a * a->o.alpha);
}

static uint32_t shade(const shades *s, const td_plot_cmap *m,
                      const td_plot_norm *norm, double v) {
  uint8_t rgb[3];
  if (!m->classes) {
    double t = td_plot_norm_at(norm, v);
    return isnan(t) ? s->bad : s->map[(int)(t * 255 + 0.5)];
  }
  if (!td_plot_cmap_color(m, norm, v, rgb)) return s->bad;
  for (int k = 0; k < m->n; k++)
    if (memcmp(m->rgb[k], rgb, 3) == 0) return s->map[k];
  return s->bad;
}

static bool shade_cells(const td_plot_artist *a, const td_plot_grid *g,
                        bool smooth, shades *s) {
  const td_plot_cmap *m = td_plot_cmap_get(a->o.cmap);
  size_t n = g->nx * g->ny;
  if (smooth) {
    s->value = malloc(n * sizeof *s->value);
    for (size_t i = 0; s->value && i < n; i++)
      s->value[i] = td_plot_norm_at(&a->norm, g->z[i]);
    return s->value != NULL;
  }
  s->cell = malloc(n * sizeof *s->cell);
  for (size_t i = 0; s->cell && i < n; i++)
    s->cell[i] = shade(s, m, &a->norm, g->z[i]);
  return s->cell != NULL;
}

/* ---- for each pixel, its cell -------------------------------------------- */
/* Along one side: the cell of each pixel centre (-1 outside), and for smooth
** pictures the place between two cell centres. */
static void find_cells(const td_plot_grid *g, const td_plot_map *m,
                       td_plot_dim dim, const target *t, long *cell,
                       double *between) {
  int n = dim == TD_PLOT_X ? t->w : t->h;
  for (int i = 0; i < n; i++) {
    double v;
    if (dim == TD_PLOT_X) {
      double at = t->x + (i + 0.5) * t->step;
      v = td_plot_scale_from_unit(&m->x, (at - m->box.x0) /
                                             (m->box.x1 - m->box.x0));
    } else {
      double at = t->y + (i + 0.5) * t->step;
      v = td_plot_scale_from_unit(&m->y, (m->box.y1 - at) /
                                             (m->box.y1 - m->box.y0));
    }
    long k = cell[i] = td_plot_grid_cell(g, dim, v);
    if (!between || k < 0) continue;
    size_t count = dim == TD_PLOT_X ? g->nx : g->ny;
    double c = td_plot_grid_center(g, dim, (size_t)k);
    if (v < c && k > 0) cell[i] = --k;
    if ((size_t)k + 1 >= count) { /* beyond the last centre */
      between[i] = 0;
      continue;
    }
    double a = td_plot_grid_center(g, dim, (size_t)k);
    double b = td_plot_grid_center(g, dim, (size_t)k + 1);
    between[i] = v < a ? 0 : (v - a) / (b - a);
  }
}

static uint32_t mixed(const shades *s, const td_plot_grid *g, long i, long j,
                      double fy, double fx) {
  const double *v = s->value + (size_t)i * g->nx + (size_t)j;
  size_t up = fy > 0 ? g->nx : 0, right = fx > 0 ? 1 : 0;
  double t = (1 - fy) * ((1 - fx) * v[0] + fx * v[right]) +
             fy * ((1 - fx) * v[up] + fx * v[up + right]);
  return isnan(t) ? s->bad : s->map[(int)(t * 255 + 0.5)];
}

static inline uint32_t over(uint32_t dst, uint32_t src) {
  uint32_t keep = 255 - (src >> 24), out = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    uint32_t v = (dst >> shift & 255) * keep + 127;
    out |= (v / 255 + (src >> shift & 255)) << shift;
  }
  return out;
}

static int fill_pixels(const td_plot_grid *g, const td_plot_map *m,
                       const shades *s, const target *t) {
  long *col = malloc((size_t)(t->w + t->h) * sizeof *col), *row = col + t->w;
  double *fx = malloc((size_t)(t->w + t->h) * sizeof *fx), *fy = fx + t->w;
  if (col && fx) {
    find_cells(g, m, TD_PLOT_X, t, col, s->value ? fx : NULL);
    find_cells(g, m, TD_PLOT_Y, t, row, s->value ? fy : NULL);
    for (int i = 0; i < t->h; i++) {
      uint32_t *d = t->pixels + i * t->stride;
      if (row[i] < 0) continue;
      const uint32_t *cell = s->cell ? s->cell + (size_t)row[i] * g->nx : NULL;
      for (int j = 0; j < t->w; j++) {
        if (col[j] < 0) continue;
        uint32_t c = cell ? cell[col[j]]
                          : mixed(s, g, row[i], col[j], fy[i], fx[j]);
        d[j] = c >> 24 == 255 ? c : over(d[j], c);
      }
    }
  }
  int rc = col && fx ? 0 : td_plot_fail("out of memory");
  free(col);
  free(fx);
  return rc;
}

/* ---- targets ------------------------------------------------------------- */
/* The part of the painter's own pixels that the box covers. */
static target own_pixels(td_plot_painter *p, const td_plot_map *m) {
  td_plot_pixel_box b = td_plot_pixels_of(p, m->box);
  ptrdiff_t stride = cairo_image_surface_get_stride(p->image) / 4;
  cairo_surface_flush(p->image);
  uint32_t *pixels = (uint32_t *)(void *)cairo_image_surface_get_data(p->image);
  return (target){
    .pixels = pixels ? pixels + b.y0 * stride + b.x0 : NULL, .stride = stride,
    .w = b.x1 - b.x0, .h = b.y1 - b.y0, .step = 1 / p->scale,
    .x = p->x + b.x0 / p->scale, .y = p->y + b.y0 / p->scale
  };
}

static void paint_image(td_plot_painter *p, const td_plot_map *m,
                        cairo_surface_t *image, double x, double y, double w,
                        double h) {
  cairo_t *cr = p->cr;
  if (!(w > 1e-6 && h > 1e-6 && w < 1e6 && h < 1e6)) return;
  cairo_save(cr);
  cairo_rectangle(cr, m->box.x0, m->box.y0, m->box.x1 - m->box.x0,
                  m->box.y1 - m->box.y0);
  cairo_clip(cr);
  cairo_translate(cr, x, y);
  cairo_scale(cr, w / cairo_image_surface_get_width(image),
              h / cairo_image_surface_get_height(image));
  cairo_set_source_surface(cr, image, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
  cairo_paint(cr);
  cairo_restore(cr);
}

/* Vectors, even cells on linear axes: the cells that show, each a block of
** pixels, because viewers of SVG smooth what they enlarge. */
static void embed_cells(td_plot_painter *p, const td_plot_map *m,
                        const td_plot_grid *g, const shades *s) {
  double xa = fmin(m->x.lo, m->x.hi), xb = fmax(m->x.lo, m->x.hi);
  double ya = fmin(m->y.lo, m->y.hi), yb = fmax(m->y.lo, m->y.hi);
  long j0 = td_plot_grid_cell(g, TD_PLOT_X, fmax(xa, g->x0));
  long j1 = td_plot_grid_cell(g, TD_PLOT_X, fmin(xb, g->x1));
  long i0 = td_plot_grid_cell(g, TD_PLOT_Y, fmax(ya, g->y0));
  long i1 = td_plot_grid_cell(g, TD_PLOT_Y, fmin(yb, g->y1));
  if (j0 < 0 || j1 < 0 || i0 < 0 || i1 < 0) return;
  long nx = j1 - j0 + 1, ny = i1 - i0 + 1, big = nx > ny ? nx : ny;
  int k = big >= 1024 ? 1 : (int)(1024 / big);
  cairo_surface_t *image = cairo_image_surface_create(
      CAIRO_FORMAT_ARGB32, (int)nx * k, (int)ny * k);
  uint32_t *d = (uint32_t *)(void *)cairo_image_surface_get_data(image);
  ptrdiff_t stride = cairo_image_surface_get_stride(image) / 4;
  bool left = m->x.hi < m->x.lo, down = m->y.hi < m->y.lo;
  for (long i = 0; d && i < ny * k; i++)
    for (long j = 0; j < nx * k; j++) {
      long r = down ? i / k : ny - 1 - i / k, c = left ? nx - 1 - j / k : j / k;
      d[i * stride + j] = s->cell[(size_t)(i0 + r) * g->nx + (size_t)(j0 + c)];
    }
  cairo_surface_mark_dirty(image);
  double x0 = td_plot_map_x(m, td_plot_grid_edge(g, TD_PLOT_X, (size_t)j0));
  double x1 = td_plot_map_x(m, td_plot_grid_edge(g, TD_PLOT_X, (size_t)j1 + 1));
  double y0 = td_plot_map_y(m, td_plot_grid_edge(g, TD_PLOT_Y, (size_t)i0));
  double y1 = td_plot_map_y(m, td_plot_grid_edge(g, TD_PLOT_Y, (size_t)i1 + 1));
  paint_image(p, m, image, fmin(x0, x1), fmin(y0, y1), fabs(x1 - x0),
              fabs(y1 - y0));
  cairo_surface_destroy(image);
}

/* False when a zoom makes cells many times larger than the box. */
static bool cells_are_small(const td_plot_map *m, const td_plot_grid *g) {
  double w = (g->x1 - g->x0) / (double)g->nx, h = (g->y1 - g->y0) / (double)g->ny;
  return w < 20 * fabs(m->x.hi - m->x.lo) && h < 20 * fabs(m->y.hi - m->y.lo);
}

/* Vectors, all else: the box at 300 dots per inch. */
static void embed_pixels(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_grid *g, const shades *s) {
  double step = 72.0 / 300, w = m->box.x1 - m->box.x0, h = m->box.y1 - m->box.y0;
  cairo_surface_t *image = cairo_image_surface_create(
      CAIRO_FORMAT_ARGB32, (int)ceil(w / step), (int)ceil(h / step));
  target t = {
    .pixels = (uint32_t *)(void *)cairo_image_surface_get_data(image),
    .stride = cairo_image_surface_get_stride(image) / 4,
    .w = cairo_image_surface_get_width(image),
    .h = cairo_image_surface_get_height(image), .step = step,
    .x = m->box.x0, .y = m->box.y0
  };
  if (t.pixels && fill_pixels(g, m, s, &t) == 0) {
    cairo_surface_mark_dirty(image);
    paint_image(p, m, image, t.x, t.y, t.w * step, t.h * step);
  }
  cairo_surface_destroy(image);
}

void td_plot_draw_heatmap(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist *a) {
  td_plot_grid g = td_plot_artist_grid(&a->o);
  shades s = {.cell = NULL};
  if (!g.nx || !g.ny) return;
  bool smooth = a->o.interp == 1 && !td_plot_cmap_get(a->o.cmap)->classes;
  fill_map(p, a, &s);
  if (shade_cells(a, &g, smooth, &s)) {
    if (p->image) {
      target t = own_pixels(p, m);
      if (t.pixels && t.w > 0 && t.h > 0) fill_pixels(&g, m, &s, &t);
      cairo_surface_mark_dirty(p->image);
    } else if (!smooth && !m->x.log && !m->y.log && !g.x && !g.y &&
               cells_are_small(m, &g)) {
      embed_cells(p, m, &g, &s);
    } else {
      embed_pixels(p, m, &g, &s);
    }
  }
  free(s.cell);
  free(s.value);
}
