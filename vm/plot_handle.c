/* plot_handle.c -- points, lines, boxes and brushes in axes: looks, and how they move. */
#include <cairo.h>
#include <math.h>
#include <string.h>

#include "vm/plot_draw.h"
#include "vm/plot_panel.h"

#define NEAR 6.0 /* points from a mark in which it is grabbed */

static const td_plot_rgba black = {0, 0, 0, 1}, white = {1, 1, 1, 1};

/* The axes that a mark is in, or NULL: they are gone. */
static const td_plot_axes_layout *axes_of(const td_plot_widget *w, const td_plot_layout *l) {
  return w->axes >= 0 && w->axes < l->n && td_plot_widget_in_axes(w->kind) && !w->hidden
             ? &l->axes[w->axes] : NULL;
}

/* Places on the page of its values: x0, y0, x1, y1; a line goes across its axes. */
static td_plot_rect place_of(const td_plot_widget *w, const td_plot_axes_layout *a) {
  td_plot_map m = td_plot_layout_map(a, false);
  td_plot_rect r = a->box;
  switch (w->kind) {
    case TD_PLOT_WIDGET_XLINE: r.x0 = r.x1 = td_plot_map_x(&m, w->v[0]); break;
    case TD_PLOT_WIDGET_YLINE: r.y0 = r.y1 = td_plot_map_y(&m, w->v[0]); break;
    case TD_PLOT_WIDGET_BOX:
      r = (td_plot_rect){td_plot_map_x(&m, w->v[0]), td_plot_map_y(&m, w->v[1]),
                         td_plot_map_x(&m, w->v[2]), td_plot_map_y(&m, w->v[3])};
      break;
    case TD_PLOT_WIDGET_BRUSH: break;
    default:
      r.x0 = r.x1 = td_plot_map_x(&m, w->v[0]);
      r.y0 = r.y1 = td_plot_map_y(&m, w->v[1]);
  }
  const td_plot_rect *b = &a->box;
  return (td_plot_rect){td_plot_near(r.x0, b->x0), td_plot_near(r.y0, b->y0),
                        td_plot_near(r.x1, b->x0), td_plot_near(r.y1, b->y0)};
}

/* ---- looks ----------------------------------------------------------------- */
static td_plot_rgba color_of(const td_plot_widget *w, td_plot_painter *p) {
  return w->color.kind == TD_PLOT_COLOR_AUTO ? td_plot_cycle_color(p, 1)
                                             : td_plot_painter_color(p, &w->color, black);
}

static void stroke(td_plot_painter *p, td_plot_rgba c, double alpha, double width) {
  td_plot_set_color(p, c, alpha);
  cairo_set_line_width(p->cr, width);
  cairo_stroke(p->cr);
}

static void disc(td_plot_painter *p, double x, double y, double r) {
  cairo_new_path(p->cr);
  cairo_arc(p->cr, x, y, r, 0, 2 * M_PI);
}

static double size_of(const td_plot_widget *w, const td_plot_painter *p) {
  return w->size * p->theme->pointsize;
}

static void draw_label(const td_plot_widget *w, td_plot_painter *p, double x, double y) {
  const char *s = td_plot_text(&w->label, 0);
  if (!s) return;
  td_plot_style style = {p->theme->fontsize, true};
  double tw, th, pad = 0.3 * style.size;
  td_plot_text_size(p, s, style, &tw, &th);
  cairo_rectangle(p->cr, x - pad, y - th / 2 - pad / 2, tw + 2 * pad, th + pad);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->face, white), 0.75);
  cairo_fill(p->cr);
  td_plot_text_draw(p, s, style, td_plot_painter_color(p, &p->theme->ink, black), x, y, 0,
                    TD_PLOT_MIDDLE, 0);
}

/* A knob with a light rim, seen on any picture. */
static void draw_knob(td_plot_painter *p, td_plot_rgba c, double x, double y, double size,
                      bool hot) {
  td_plot_rgba face = td_plot_painter_color(p, &p->theme->face, white);
  if (hot) {
    disc(p, x, y, size / 2 + 5);
    td_plot_set_color(p, c, 0.25);
    cairo_fill(p->cr);
  }
  disc(p, x, y, size / 2 + 1.2);
  td_plot_set_color(p, face, 1);
  cairo_fill(p->cr);
  disc(p, x, y, size / 2);
  td_plot_set_color(p, c, 1);
  cairo_fill(p->cr);
  disc(p, x, y, size / 5);
  td_plot_set_color(p, face, 1);
  cairo_fill(p->cr);
}

static void draw_line(td_plot_painter *p, const td_plot_widget *w, td_plot_rect r, bool hot) {
  td_plot_rgba c = color_of(w, p), face = td_plot_painter_color(p, &p->theme->face, white);
  double width = p->theme->linewidth;
  for (int pass = 0; pass < 2; pass++) {
    cairo_move_to(p->cr, r.x0, r.y0);
    cairo_line_to(p->cr, r.x1, r.y1);
    stroke(p, pass ? c : face, pass ? 1 : 0.7, width * (pass ? 1 : 2.4));
  }
  bool upright = w->kind == TD_PLOT_WIDGET_XLINE;
  double size = size_of(w, p), m = 0.9 * size;
  double x = upright ? r.x0 : r.x1 - m, y = upright ? r.y0 + m : r.y0;
  draw_knob(p, c, x, y, size, hot);
  draw_label(w, p, upright ? x + size : r.x0 + 4, upright ? y : y - size);
}

static void draw_box(td_plot_painter *p, const td_plot_widget *w, td_plot_rect r, bool hot) {
  td_plot_rgba c = color_of(w, p), face = td_plot_painter_color(p, &p->theme->face, white);
  cairo_rectangle(p->cr, r.x0, r.y0, r.x1 - r.x0, r.y1 - r.y0);
  td_plot_set_color(p, c, hot ? 0.2 : 0.1);
  cairo_fill_preserve(p->cr);
  td_plot_set_color(p, face, 0.7);
  cairo_set_line_width(p->cr, 2.4 * p->theme->linewidth);
  cairo_stroke_preserve(p->cr);
  stroke(p, c, 1, p->theme->linewidth);
  for (int k = 0; k < 4; k++)
    draw_knob(p, c, k % 2 ? r.x1 : r.x0, k / 2 ? r.y1 : r.y0, 0.7 * size_of(w, p), false);
  draw_label(w, p, fmin(r.x0, r.x1) + 6, fmin(r.y0, r.y1) + p->theme->fontsize);
}

/* The sheet as a picture: cells that hold ink cover what is below. */
static void draw_sheet(td_plot_painter *p, const td_plot_widget *w,
                       const td_plot_axes_layout *a) {
  if (!w->ink) return;
  const float *ink = (const float *)(const void *)w->ink->memory;
  cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, w->nx, w->ny);
  td_plot_map m = td_plot_layout_map(a, false);
  td_plot_rgba c = color_of(w, p);
  double x0 = td_plot_map_x(&m, w->lo[0]), x1 = td_plot_map_x(&m, w->hi[0]);
  double y0 = td_plot_map_y(&m, w->hi[1]), y1 = td_plot_map_y(&m, w->lo[1]);
  if (cairo_surface_status(s) == CAIRO_STATUS_SUCCESS && x1 != x0 && y1 != y0) {
    unsigned char *bytes = cairo_image_surface_get_data(s);
    int stride = cairo_image_surface_get_stride(s);
    for (int i = 0; i < w->ny; i++) {
      uint32_t *row = (uint32_t *)(void *)(bytes + (ptrdiff_t)(w->ny - 1 - i) * stride);
      for (int j = 0; j < w->nx; j++) {
        double t = 0.6 * ink[i * w->nx + j];
        row[j] = (uint32_t)(255 * t) << 24 | (uint32_t)(255 * t * c.r) << 16 |
                 (uint32_t)(255 * t * c.g) << 8 | (uint32_t)(255 * t * c.b);
      }
    }
    cairo_surface_mark_dirty(s);
    td_plot_clip(p, a->box);
    cairo_translate(p->cr, x0, y0);
    cairo_scale(p->cr, (x1 - x0) / w->nx, (y1 - y0) / w->ny);
    cairo_set_source_surface(p->cr, s, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(p->cr), CAIRO_FILTER_BILINEAR);
    cairo_paint(p->cr);
    cairo_restore(p->cr);
  }
  cairo_surface_destroy(s);
}

/* Half the width of a brush on the page, along x. */
static double brush_radius(const td_plot_widget *w, const td_plot_axes_layout *a, int d) {
  const td_plot_scale *s = &a->axis[d].scale;
  double length = d ? a->box.y1 - a->box.y0 : a->box.x1 - a->box.x0;
  return fmin(fabs(w->size / 2 / (s->hi - s->lo)) * length, 2000);
}

static void draw_brush(td_plot_painter *p, const td_plot_panel *panel,
                       const td_plot_widget *w, const td_plot_axes_layout *a) {
  const td_plot_hand *h = &panel->hand;
  draw_sheet(p, w, a);
  if (!h->inside || h->hover != w->serial) return;
  td_plot_clip(p, a->box);
  cairo_save(p->cr);
  cairo_translate(p->cr, h->px, h->py);
  cairo_scale(p->cr, brush_radius(w, a, 0), brush_radius(w, a, 1));
  disc(p, 0, 0, 1);
  cairo_restore(p->cr);
  stroke(p, td_plot_painter_color(p, &p->theme->ink, black), 0.8, 1);
  cairo_restore(p->cr);
}

void td_plot_marks_draw(const td_plot_panel *panel, td_plot_painter *p,
                        const td_plot_layout *l) {
  for (int pass = 0; pass < 2; pass++) /* brushes lie below */
    for (int i = 0; i < panel->n; i++) {
      const td_plot_widget *w = &panel->widget[i];
      const td_plot_axes_layout *a = axes_of(w, l);
      if (!a || (w->kind == TD_PLOT_WIDGET_BRUSH) != (pass == 0)) continue;
      const td_plot_hand *h = &panel->hand;
      bool hot = h->hover == w->serial || h->held == w->serial || h->focus == w->serial;
      td_plot_rect r = place_of(w, a);
      if (pass == 0) {
        draw_brush(p, panel, w, a);
        continue;
      }
      td_plot_clip(p, (td_plot_rect){a->box.x0 - 1, a->box.y0 - 1, a->box.x1 + 1, a->box.y1 + 1});
      if (w->kind == TD_PLOT_WIDGET_POINT) {
        draw_knob(p, color_of(w, p), r.x0, r.y0, size_of(w, p), hot && !w->fixed);
        draw_label(w, p, r.x0 + size_of(w, p) / 2 + 6, r.y0);
      } else if (w->kind == TD_PLOT_WIDGET_BOX) {
        draw_box(p, w, r, hot && !w->fixed);
      } else {
        draw_line(p, w, r, hot && !w->fixed);
      }
      cairo_restore(p->cr);
    }
}

td_plot_rect td_plot_mark_reach(const td_plot_panel *panel, const td_plot_widget *w,
                                td_plot_painter *p, const td_plot_layout *l) {
  const td_plot_axes_layout *a = axes_of(w, l);
  if (!a) return (td_plot_rect){0, 0, 0, 0};
  if (w->kind == TD_PLOT_WIDGET_BRUSH) {
    (void)panel;
    return a->box;
  }
  td_plot_rect r = place_of(w, a);
  double m = size_of(w, p) + 8, right = m, tw, th;
  const char *label = td_plot_text(&w->label, 0);
  if (label) {
    td_plot_text_size(p, label, (td_plot_style){p->theme->fontsize, true}, &tw, &th);
    right += tw + p->theme->fontsize;
    m = fmax(m, th);
  }
  double x0 = fmin(r.x0, r.x1), x1 = fmax(r.x0, r.x1);
  double y0 = fmin(r.y0, r.y1), y1 = fmax(r.y0, r.y1);
  return (td_plot_rect){fmax(x0 - m, a->box.x0 - 2), fmax(y0 - m, a->box.y0 - 2),
                        fmin(x1 + right, a->box.x1 + 2), fmin(y1 + m, a->box.y1 + 2)};
}

/* ---- hands ------------------------------------------------------------------- */
enum { INSIDE = 0, LEFT = 1, RIGHT = 2, LOW = 4, HIGH = 8 }; /* sides of a box */

static bool hits(const td_plot_widget *w, const td_plot_axes_layout *a, double x, double y,
                 int *part) {
  td_plot_rect r = place_of(w, a);
  const td_plot_rect *b = &a->box;
  *part = INSIDE;
  if (x < b->x0 - NEAR || x > b->x1 + NEAR || y < b->y0 - NEAR || y > b->y1 + NEAR)
    return false;
  switch (w->kind) {
    case TD_PLOT_WIDGET_POINT: return hypot(x - r.x0, y - r.y0) < fmax(w->size / 2, 4) + 4;
    case TD_PLOT_WIDGET_XLINE: return fabs(x - r.x0) < NEAR;
    case TD_PLOT_WIDGET_YLINE: return fabs(y - r.y0) < NEAR;
    case TD_PLOT_WIDGET_BRUSH:
      return x >= b->x0 && x <= b->x1 && y >= b->y0 && y <= b->y1;
    default: break;
  }
  if (x < fmin(r.x0, r.x1) - NEAR || x > fmax(r.x0, r.x1) + NEAR ||
      y < fmin(r.y0, r.y1) - NEAR || y > fmax(r.y0, r.y1) + NEAR)
    return false;
  if (fabs(x - r.x0) < NEAR) *part |= LEFT;
  else if (fabs(x - r.x1) < NEAR) *part |= RIGHT;
  if (fabs(y - r.y0) < NEAR) *part |= LOW;
  else if (fabs(y - r.y1) < NEAR) *part |= HIGH;
  return true;
}

td_plot_widget *td_plot_mark_at(const td_plot_panel *p, const td_plot_layout *l, double x,
                                double y, int *part) {
  static const int order[] = {TD_PLOT_WIDGET_POINT, TD_PLOT_WIDGET_XLINE,
                              TD_PLOT_WIDGET_YLINE, TD_PLOT_WIDGET_BOX,
                              TD_PLOT_WIDGET_BRUSH};
  for (int k = 0; k < 5; k++)
    for (int i = p->n - 1; i >= 0; i--) {
      td_plot_widget *w = &p->widget[i];
      const td_plot_axes_layout *a = axes_of(w, l);
      if (a && (int)w->kind == order[k] && !w->fixed && hits(w, a, x, y, part)) return w;
    }
  return NULL;
}

void td_plot_mark_hold(td_plot_panel *p, td_plot_widget *w, int part,
                       const td_plot_layout *l, double x, double y) {
  const td_plot_axes_layout *a = axes_of(w, l);
  td_plot_hand *h = &p->hand;
  if (!a) return;
  td_plot_rect r = place_of(w, a);
  memcpy(h->from, w->v, sizeof h->from);
  h->part = part;
  h->grip[0] = (part & RIGHT ? r.x1 : r.x0) - x;
  h->grip[1] = (part & HIGH ? r.y1 : r.y0) - y;
}

static double data_x(const td_plot_axes_layout *a, double x) {
  return td_plot_scale_from_unit(&a->axis[0].scale, (x - a->box.x0) / (a->box.x1 - a->box.x0));
}
static double data_y(const td_plot_axes_layout *a, double y) {
  return td_plot_scale_from_unit(&a->axis[1].scale, (a->box.y1 - y) / (a->box.y1 - a->box.y0));
}

/* A box that moves as a whole keeps its size, and stays inside its limits. */
static void move_box(const td_plot_widget *w, double v[4], const double from[4], double x,
                     double y) {
  for (int d = 0; d < 2; d++) {
    double size = from[2 + d] - from[d], at = d ? y : x;
    double lo = w->lo[d], hi = w->hi[d];
    at = fmin(fmax(at, lo - fmin(size, 0)), hi - fmax(size, 0));
    double moved[4] = {at, at, at, at};
    td_plot_widget_bound(w, moved);
    v[d] = moved[d], v[2 + d] = moved[d] + size;
  }
}

void td_plot_mark_move(td_plot_panel *p, td_plot_widget *w, const td_plot_layout *l,
                       double px, double py) {
  const td_plot_axes_layout *a = axes_of(w, l);
  td_plot_hand *h = &p->hand;
  if (!a) return;
  double x = data_x(a, px + h->grip[0]), y = data_y(a, py + h->grip[1]), v[4];
  if (!isfinite(x) || !isfinite(y)) return;
  memcpy(v, w->v, sizeof v);
  switch (w->kind) {
    case TD_PLOT_WIDGET_XLINE: v[0] = x; break;
    case TD_PLOT_WIDGET_YLINE: v[0] = y; break;
    case TD_PLOT_WIDGET_POINT: v[0] = x, v[1] = y; break;
    default:
      if (h->part == INSIDE) {
        move_box(w, v, h->from, x, y);
        break;
      }
      if (h->part & (LEFT | RIGHT)) v[h->part & RIGHT ? 2 : 0] = x;
      if (h->part & (LOW | HIGH)) v[h->part & HIGH ? 3 : 1] = y;
  }
  if (w->kind != TD_PLOT_WIDGET_BOX || h->part != INSIDE) td_plot_widget_bound(w, v);
  memcpy(w->v, v, sizeof v);
  w->changes++;
}

void td_plot_mark_nudge(td_plot_widget *w, const td_plot_layout *l, double dx, double dy) {
  const td_plot_axes_layout *a = axes_of(w, l);
  if (!a || w->kind == TD_PLOT_WIDGET_BRUSH) return;
  double width = (a->box.x1 - a->box.x0) / 100, height = (a->box.y1 - a->box.y0) / 100;
  td_plot_rect r = place_of(w, a);
  double x = data_x(a, r.x0 + dx * width), y = data_y(a, r.y0 - dy * height), v[4];
  double sx = w->snap[0], sy = w->snap[1]; /* at least to the next line of the grid */
  memcpy(v, w->v, sizeof v);
  double from[2] = {w->v[0], w->kind == TD_PLOT_WIDGET_YLINE ? w->v[0] : w->v[1]};
  if (dx != 0 && fabs(x - from[0]) < sx) x = from[0] + copysign(sx, x - from[0]);
  if (dy != 0 && fabs(y - from[1]) < sy) y = from[1] + copysign(sy, y - from[1]);
  if (w->kind == TD_PLOT_WIDGET_XLINE) v[0] = x;
  else if (w->kind == TD_PLOT_WIDGET_YLINE) v[0] = y;
  else if (w->kind == TD_PLOT_WIDGET_BOX) move_box(w, v, w->v, x, y);
  else v[0] = x, v[1] = y;
  if (w->kind != TD_PLOT_WIDGET_BOX) td_plot_widget_bound(w, v);
  memcpy(w->v, v, sizeof v);
  w->changes++;
}
