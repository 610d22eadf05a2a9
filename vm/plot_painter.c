/* plot_painter.c -- a cairo context with a theme, a scale and caches. */
#include <cairo.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

int td_plot_painter_open(td_plot_painter *p, cairo_surface_t *surface,
                         double scale, double x, double y,
                         const td_plot_figure_options *o) {
  memset(p, 0, sizeof *p);
  p->scale = scale;
  p->x = x, p->y = y;
  td_plot_painter_theme(p, &o->theme);
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

/* The knob `scale` turned into lengths. */
void td_plot_painter_theme(td_plot_painter *p, const td_plot_theme *theme) {
  td_plot_theme *t = &p->own;
  *t = *theme;
  double *const lengths[] = {&t->fontsize, &t->linewidth, &t->framewidth,
                             &t->gridwidth, &t->ticklength, &t->gap, &t->pointsize};
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
    *lengths[k] *= t->scale;
  t->scale = 1;
  p->theme = t;
}

void td_plot_painter_close(td_plot_painter *p) {
  td_plot_glyphs_drop(p);
  td_plot_sprites_drop(p);
  free(p->mask);
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

#define BLOCK 16 /* columns at a time: masks may be stored column by column */

void td_plot_paint_mask(td_plot_painter *p, td_plot_pixel_box box,
                        const uint8_t *mask, ptrdiff_t dx, ptrdiff_t dy,
                        td_plot_rgba color, double alpha) {
  cairo_surface_flush(p->image);
  ptrdiff_t stride = cairo_image_surface_get_stride(p->image) / 4;
  uint32_t *pixels = (uint32_t *)(void *)cairo_image_surface_get_data(p->image);
  uint32_t src = td_plot_pixel(color);
  uint32_t opacity = (uint32_t)(color.a * alpha * 255 + 0.5);
  for (int b = box.x0; pixels && b < box.x1; b += BLOCK) {
    int end = b + BLOCK < box.x1 ? b + BLOCK : box.x1;
    for (int i = box.y0; i < box.y1; i++) {
      uint32_t *d = pixels + i * stride;
      const uint8_t *m = mask + (b - box.x0) * dx + (i - box.y0) * dy;
      uint64_t all[2];
      if (dx == 1 && end - b == BLOCK && !(memcpy(all, m, BLOCK), all[0] | all[1]))
        continue;
      for (int j = b; j < end; j++, m += dx)
        if (*m) d[j] = td_plot_mix(d[j], src, (*m * opacity + 127) / 255);
    }
  }
  cairo_surface_mark_dirty(p->image);
}
