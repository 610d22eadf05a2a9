/* plot_view_draw.c -- pictures of one window: the canvas, the overlay, what lies on top. */
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vm/plot_view.h"

typedef struct over { /* the figure's overlay, or none */
  const td_plot_overlay_class *k;
  void *self;
  double w, h; /* of the window in points */
} over;

static over overlay_of(const td_plot_view *v) {
  td_plot_lock();
  over o = {v->figure->overlay, v->figure->overlay_self, v->w / v->scale,
            v->h / v->scale};
  td_plot_unlock();
  return o;
}

/* ---- when ---------------------------------------------------------------- */
bool td_plot_view_behind(const td_plot_view *v) {
  return atomic_load(&v->figure->changes) != v->drawn;
}

bool td_plot_view_touched(const td_plot_view *v, double now) {
  return v->moved || v->touched || td_plot_view_alarm(v) <= now ||
         atomic_load(&v->figure->overlay_changes) != v->over_drawn;
}

double td_plot_view_alarm(const td_plot_view *v) {
  return *v->note ? v->note_until : INFINITY;
}

/* ---- the image ----------------------------------------------------------- */
/* An image of the window's size: 0 it is there, 1 it is new, -1 a failure. */
static int open_out(td_plot_view *v, const td_plot_theme *theme) {
  if (v->out && cairo_image_surface_get_width(v->out) == v->w &&
      cairo_image_surface_get_height(v->out) == v->h && v->painter.scale == v->scale &&
      memcmp(&v->theme, theme, sizeof *theme) == 0)
    return 0;
  td_plot_painter_close(&v->painter);
  cairo_surface_destroy(v->out);
  v->out = NULL;
  v->theme = *theme;
  if (v->w < 1 || v->h < 1) return td_plot_fail("the window is empty");
  v->out = cairo_image_surface_create(CAIRO_FORMAT_RGB24, v->w, v->h);
  if (td_plot_status(cairo_surface_status(v->out))) {
    cairo_surface_destroy(v->out);
    v->out = NULL;
    return -1;
  }
  td_plot_figure_options o = {.theme = *theme, .text = true};
  return td_plot_painter_open(&v->painter, v->out, v->scale, 0, 0, &o) ? -1 : 1;
}

/* Divides the window; true when the page of the axes has another size now. */
static bool divide(td_plot_view *v) {
  over o = overlay_of(v);
  double right = 0, below = 0;
  if (o.k && o.k->room && v->out)
    o.k->room(o.self, &v->painter, o.w, o.h, &right, &below);
  int w = v->w - td_plot_clamp(right * v->scale + 0.5, 0, v->w);
  int h = v->h - td_plot_clamp(below * v->scale + 0.5, 0, v->h);
  if (w < 16 * v->scale) w = td_plot_clamp(16 * v->scale, 1, v->w);
  if (h < 16 * v->scale) h = td_plot_clamp(16 * v->scale, 1, v->h);
  bool other = w != v->page_w || h != v->page_h;
  v->page_w = w, v->page_h = h;
  return other;
}

/* What lies below overlay and top, in this box. */
static void restore(td_plot_view *v, td_plot_pixel_box b) {
  int w, h;
  ptrdiff_t stride, to = cairo_image_surface_get_stride(v->out) / 4;
  const uint32_t *from = td_plot_canvas_pixels(v->canvas, &w, &h, &stride);
  cairo_surface_flush(v->out);
  uint32_t *out = (void *)cairo_image_surface_get_data(v->out);
  td_plot_rgba white = {1, 1, 1, 1};
  uint32_t empty = td_plot_pixel(
      td_plot_painter_color(&v->painter, &v->painter.theme->background, white));
  b = td_plot_box_cut(b, (td_plot_pixel_box){0, 0, v->w, v->h});
  for (int i = b.y0; from && out && i < b.y1; i++) {
    int x = i >= h ? b.x0 : b.x1 < w ? b.x1 : w > b.x0 ? w : b.x0;
    if (x > b.x0)
      memcpy(out + i * to + b.x0, from + i * stride + b.x0, 4 * (size_t)(x - b.x0));
    for (; x < b.x1; x++) out[i * to + x] = empty;
  }
  cairo_surface_mark_dirty_rectangle(v->out, b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0);
}

static void clip_to(const td_plot_painter *p, const td_plot_region *r) {
  cairo_new_path(p->cr);
  for (int i = 0; i < r->n; i++) {
    const td_plot_pixel_box *b = &r->box[i];
    cairo_rectangle(p->cr, b->x0 / p->scale, b->y0 / p->scale, (b->x1 - b->x0) / p->scale,
                    (b->y1 - b->y0) / p->scale);
  }
  cairo_clip(p->cr);
}

/* ---- all of it ----------------------------------------------------------- */
/* A new picture of the figure. */
static int draw_canvas(td_plot_view *v, td_plot_region *dirty) {
  td_plot_figure *s = td_plot_view_snapshot(v);
  if (!s) return -1;
  const char *title = td_plot_text(&s->o.title, 0);
  snprintf(v->title, sizeof v->title, "%s", title && *title ? title : "Springtide");
  int made = open_out(v, &s->o.theme);
  bool divided = divide(v);
  s->o.size.v[0] = v->page_w / v->scale;
  s->o.size.v[1] = v->page_h / v->scale;
  s->like = td_plot_canvas_layout(v->canvas);
  if (made < 0) td_plot_figure_drop(s);
  if (made < 0 || td_plot_canvas_draw(v->canvas, s, v->scale, dirty)) return -1;
  if (made || divided) td_plot_region_add(dirty, (td_plot_pixel_box){0, 0, v->w, v->h});
  return 0;
}

int td_plot_view_draw(td_plot_view *v, double now, td_plot_region *dirty) {
  unsigned changes = atomic_load(&v->figure->changes);
  unsigned over_changes = atomic_load(&v->figure->overlay_changes);
  dirty->n = 0;
  if (*v->note && v->note_until <= now) *v->note = 0;
  if (over_changes != v->over_drawn && divide(v)) v->moved = true;
  v->touched = false;
  v->over_drawn = over_changes;
  if (v->moved || changes != v->drawn) {
    v->moved = false;
    v->drawn = changes;
    if (draw_canvas(v, dirty)) return -1;
  }
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  if (!l || !v->out) return -1;
  td_plot_painter *p = &v->painter;
  td_plot_region_add(dirty, v->top);
  over o = overlay_of(v);
  if (o.k && o.k->draw) {
    td_plot_rect r = {0, 0, o.w, o.h};
    if (o.k->dirty) r = o.k->dirty(o.self, p, l, o.w, o.h);
    if (r.x1 > r.x0 && r.y1 > r.y0) td_plot_region_add(dirty, td_plot_pixels_of(p, r));
  }
  for (int i = 0; i < dirty->n; i++) restore(v, dirty->box[i]);
  if (o.k && o.k->draw && dirty->n) {
    cairo_save(p->cr);
    clip_to(p, dirty);
    o.k->draw(o.self, p, l, o.w, o.h, TD_PLOT_OVERLAY_MARKS | TD_PLOT_OVERLAY_PANEL);
    cairo_restore(p->cr);
  }
  v->top = td_plot_view_top(v);
  td_plot_region_add(dirty, v->top);
  return td_plot_status(cairo_status(p->cr));
}

const uint32_t *td_plot_view_pixels(const td_plot_view *v, int *w, int *h,
                                    ptrdiff_t *stride) {
  if (!v->out) return NULL;
  *w = cairo_image_surface_get_width(v->out);
  *h = cairo_image_surface_get_height(v->out);
  *stride = cairo_image_surface_get_stride(v->out) / 4;
  cairo_surface_flush(v->out);
  return (const void *)cairo_image_surface_get_data(v->out);
}
