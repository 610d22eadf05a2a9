/* plot_painter.c -- a cairo context with a theme, a scale and caches. */
#include <cairo.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <string.h>

#include "vm/plot_draw.h"

int td_plot_painter_open(td_plot_painter *p, cairo_surface_t *surface,
                         double scale, double x, double y,
                         const td_plot_figure_options *o) {
  memset(p, 0, sizeof *p);
  p->scale = scale;
  p->x = x, p->y = y;
  p->theme = &o->theme;
  p->text = o->text;
  p->cr = cairo_create(surface);
  if (cairo_status(p->cr))
    return td_plot_fail("drawing: %s",
                        cairo_status_to_string(cairo_status(p->cr)));
  if (cairo_surface_get_type(surface) == CAIRO_SURFACE_TYPE_IMAGE)
    p->image = surface;
  cairo_scale(p->cr, scale, scale);
  cairo_translate(p->cr, -x, -y);
  p->pango = pango_font_map_create_context(pango_cairo_font_map_get_default());
  pango_cairo_context_set_resolution(p->pango, 72);
  /* the same layout at every scale and on every target */
  cairo_font_options_t *font = cairo_font_options_create();
  cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY);
  pango_cairo_context_set_font_options(p->pango, font);
  cairo_font_options_destroy(font);
  pango_context_set_round_glyph_positions(p->pango, FALSE);
  return 0;
}

void td_plot_painter_close(td_plot_painter *p) {
  td_plot_glyphs_drop(p);
  td_plot_sprites_drop(p);
  if (p->pango) g_object_unref(p->pango);
  if (p->cr) cairo_destroy(p->cr);
  memset(p, 0, sizeof *p);
}

td_plot_rgba td_plot_cycle_color(const td_plot_painter *p, int k) {
  const td_plot_color *c = &p->theme->cycle[k % TD_PLOT_CYCLE];
  return (td_plot_rgba){c->r, c->g, c->b, c->a};
}

td_plot_rgba td_plot_painter_color(const td_plot_painter *p,
                                   const td_plot_color *c, td_plot_rgba other) {
  switch (c->kind) {
    case TD_PLOT_COLOR_RGBA: return (td_plot_rgba){c->r, c->g, c->b, c->a};
    case TD_PLOT_COLOR_CYCLE: return td_plot_cycle_color(p, c->cycle);
    case TD_PLOT_COLOR_NONE: return (td_plot_rgba){0, 0, 0, 0};
    default: return other;
  }
}

void td_plot_set_color(td_plot_painter *p, td_plot_rgba c, double alpha) {
  cairo_set_source_rgba(p->cr, c.r, c.g, c.b, c.a * alpha);
}

/* Vectors keep to the grid that pictures have by default, so that both have the
** same boxes. */
static double snap(const td_plot_painter *p, double v, double origin) {
  double grid = p->image ? p->scale : 2;
  return floor((v - origin) * grid + 0.5) / grid + origin;
}

double td_plot_snap_x(const td_plot_painter *p, double v) {
  return snap(p, v, p->x);
}

double td_plot_snap_y(const td_plot_painter *p, double v) {
  return snap(p, v, p->y);
}

td_plot_pixel_box td_plot_pixels_of(const td_plot_painter *p, td_plot_rect r) {
  int w = cairo_image_surface_get_width(p->image);
  int h = cairo_image_surface_get_height(p->image);
  td_plot_pixel_box b = {
    td_plot_clamp(floor((r.x0 - p->x) * p->scale + 0.5), 0, w),
    td_plot_clamp(floor((r.y0 - p->y) * p->scale + 0.5), 0, h),
    td_plot_clamp(floor((r.x1 - p->x) * p->scale + 0.5), 0, w),
    td_plot_clamp(floor((r.y1 - p->y) * p->scale + 0.5), 0, h)
  };
  if (b.x1 < b.x0) b.x1 = b.x0;
  if (b.y1 < b.y0) b.y1 = b.y0;
  return b;
}
