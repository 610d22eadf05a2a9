/* plot_pen.c -- lines from place to place: clipped, broken at NaN, fast.
**
** On pixels a solid line is a mask of coverages, each the largest that one of
** its pieces gives: joints and crossings of a see-through line are no darker
** than the rest, and the time grows with the length only. Dashes and vectors go
** to cairo, whose coordinates end at 8 million, whose time for one stroke grows
** faster than the stroke's length, and which draws a wrong line without a word
** when it meets a NaN: so they are clipped, cut up and broken here. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

#define STROKE 24 /* segments in one stroke, on pixels */

static bool take_mask(td_plot_painter *p) {
  if (!p->image || p->mask_taken) return false;
  if (!p->mask)
    p->mask = calloc((size_t)cairo_image_surface_get_width(p->image) *
                         (size_t)cairo_image_surface_get_height(p->image) + 1, 1);
  return p->mask_taken = p->mask != NULL;
}

static void start_cairo(td_plot_pen *pen, td_plot_rect clip, size_t points) {
  cairo_t *cr = pen->p->cr;
  td_plot_rgba c = pen->color;
  cairo_save(cr);
  cairo_rectangle(cr, clip.x0, clip.y0, clip.x1 - clip.x0, clip.y1 - clip.y0);
  cairo_clip(cr);
  cairo_new_path(cr);
  /* joints of see-through strokes would show: draw opaque, then fade */
  pen->group = pen->p->image && c.a * pen->alpha < 1 && points > STROKE;
  if (pen->group) cairo_push_group(cr);
  cairo_set_source_rgba(cr, c.r, c.g, c.b, pen->group ? 1 : c.a * pen->alpha);
  cairo_set_line_width(cr, pen->width);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(cr, pen->dash ? CAIRO_LINE_CAP_BUTT : CAIRO_LINE_CAP_ROUND);
}

void td_plot_pen_start(td_plot_pen *pen, td_plot_painter *p, td_plot_rect clip,
                       td_plot_rgba color, double alpha, double width,
                       const td_plot_list *dash, size_t points) {
  double far = 8 + 2 * width;
  *pen = (td_plot_pen){
    .p = p, .color = color, .alpha = alpha, .width = width,
    .clip = {clip.x0 - far, clip.y0 - far, clip.x1 + far, clip.y1 + far},
    .dash = dash && dash->n ? dash : NULL
  };
  pen->masked = !pen->dash && take_mask(p);
  if (!pen->masked) {
    start_cairo(pen, clip, points);
    return;
  }
  pen->box = td_plot_pixels_of(p, clip);
  pen->touched = (td_plot_pixel_box){pen->box.x1, pen->box.y1, pen->box.x0,
                                     pen->box.y0};
}

/* ---- pixels -------------------------------------------------------------- */
/* A segment in pixels with its round ends. */
typedef struct capsule {
  float x, y, ux, uy, length, reach, most;
} capsule;

static inline float coverage(const capsule *c, float x, float y) {
  float dx = x - c->x, dy = y - c->y, along = dx * c->ux + dy * c->uy;
  float off = dx * c->uy - dy * c->ux;
  float past = along < 0 ? along : along > c->length ? along - c->length : 0;
  float d = past != 0 ? sqrtf(past * past + off * off) : fabsf(off);
  d = c->reach - d;
  return d < c->most ? d : c->most;
}

static void widen(td_plot_pixel_box *b, const td_plot_pixel_box *with) {
  if (with->x0 < b->x0) b->x0 = with->x0;
  if (with->y0 < b->y0) b->y0 = with->y0;
  if (with->x1 > b->x1) b->x1 = with->x1;
  if (with->y1 > b->y1) b->y1 = with->y1;
}

static void stamp(td_plot_pen *pen, double x0, double y0, double x1, double y1) {
  td_plot_painter *p = pen->p;
  x0 = (x0 - p->x) * p->scale, x1 = (x1 - p->x) * p->scale;
  y0 = (y0 - p->y) * p->scale, y1 = (y1 - p->y) * p->scale;
  double radius = pen->width * p->scale / 2, length = hypot(x1 - x0, y1 - y0);
  double ux = length > 0 ? (x1 - x0) / length : 1;
  double uy = length > 0 ? (y1 - y0) / length : 0, reach = radius + 0.5;
  const td_plot_pixel_box *b = &pen->box;
  td_plot_pixel_box at = {
    td_plot_clamp(floor(fmin(x0, x1) - reach), b->x0, b->x1),
    td_plot_clamp(floor(fmin(y0, y1) - reach), b->y0, b->y1),
    td_plot_clamp(ceil(fmax(x0, x1) + reach), b->x0, b->x1),
    td_plot_clamp(ceil(fmax(y0, y1) + reach), b->y0, b->y1)
  };
  if (at.x0 >= at.x1 || at.y0 >= at.y1) return;
  widen(&pen->touched, &at);
  capsule c = {(float)x0, (float)y0, (float)ux, (float)uy, (float)length,
               (float)reach, (float)fmin(1, 2 * radius)};
  size_t stride = (size_t)cairo_image_surface_get_width(p->image);
  bool level = fabs(uy) < 1e-3;
  double half = level ? 0 : reach / fabs(uy), slant = level ? 0 : ux / uy;
  for (int i = at.y0; i < at.y1; i++) {
    uint8_t *m = p->mask + (size_t)i * stride;
    double mid = x0 + (i + 0.5 - y0) * slant;
    int from = level ? at.x0 : td_plot_clamp(floor(mid - half), at.x0, at.x1);
    int to = level ? at.x1 : td_plot_clamp(ceil(mid + half), at.x0, at.x1);
    for (int j = from; j < to; j++) {
      float v = coverage(&c, (float)j + 0.5f, (float)i + 0.5f);
      uint8_t now = v > 0 ? (uint8_t)(v * 255 + 0.5f) : 0;
      if (now > m[j]) m[j] = now;
    }
  }
}

static void finish_mask(td_plot_pen *pen) {
  td_plot_painter *p = pen->p;
  td_plot_pixel_box t = pen->touched;
  size_t stride = (size_t)cairo_image_surface_get_width(p->image);
  p->mask_taken = false;
  if (t.x0 >= t.x1 || t.y0 >= t.y1) return;
  uint8_t *first = p->mask + (size_t)t.y0 * stride + (size_t)t.x0;
  td_plot_paint_mask(p, t, first, 1, (ptrdiff_t)stride, pen->color, pen->alpha);
  for (int i = t.y0; i < t.y1; i++)
    memset(first + (size_t)(i - t.y0) * stride, 0, (size_t)(t.x1 - t.x0));
}

/* ---- cairo --------------------------------------------------------------- */
static void flush(td_plot_pen *pen, bool go_on) {
  cairo_t *cr = pen->p->cr;
  if (pen->segments) {
    if (pen->dash)
      cairo_set_dash(cr, pen->dash->v, pen->dash->n, pen->phase);
    double length = 0;
    if (pen->dash && go_on) {
      cairo_path_t *path = cairo_copy_path_flat(cr);
      double x = 0, y = 0;
      for (int i = 0; i < path->num_data; i += path->data[i].header.length) {
        const cairo_path_data_t *d = &path->data[i];
        if (d->header.type == CAIRO_PATH_LINE_TO)
          length += hypot(d[1].point.x - x, d[1].point.y - y);
        x = d[1].point.x, y = d[1].point.y;
      }
      cairo_path_destroy(path);
    }
    cairo_stroke(cr);
    pen->phase = go_on ? pen->phase + length : 0;
    pen->segments = 0;
  }
  cairo_new_path(cr);
  pen->open = false;
  if (go_on) {
    cairo_move_to(cr, pen->px, pen->py);
    pen->open = true;
  }
}

enum { LEFT = 1, RIGHT = 2, ABOVE = 4, BELOW = 8 };

static int outside(const td_plot_rect *r, double x, double y) {
  return (x < r->x0 ? LEFT : x > r->x1 ? RIGHT : 0) |
         (y < r->y0 ? ABOVE : y > r->y1 ? BELOW : 0);
}

/* The part of a segment inside the clip rectangle (Cohen and Sutherland: ends
** are set on the border itself, so it works for ends however far away). */
static bool clip_segment(const td_plot_rect *r, double *x0, double *y0,
                         double *x1, double *y1) {
  for (int round = 0; round < 8; round++) {
    int a = outside(r, *x0, *y0), b = outside(r, *x1, *y1);
    if (!(a | b)) return true;
    if (a & b) return false;
    int side = a ? a : b;
    double dx = *x1 - *x0, dy = *y1 - *y0, x, y;
    if (side & (LEFT | RIGHT)) {
      x = side & LEFT ? r->x0 : r->x1;
      y = *y0 + dy * ((x - *x0) / dx);
    } else {
      y = side & ABOVE ? r->y0 : r->y1;
      x = *x0 + dx * ((y - *y0) / dy);
    }
    if (a) *x0 = x, *y0 = y;
    else *x1 = x, *y1 = y;
  }
  return false;
}

static void segment(td_plot_pen *pen, double x0, double y0, double x1, double y1) {
  if (!clip_segment(&pen->clip, &x0, &y0, &x1, &y1)) return;
  if (pen->masked) {
    stamp(pen, x0, y0, x1, y1);
    pen->drawn = true;
    return;
  }
  cairo_t *cr = pen->p->cr;
  if (!pen->open || x0 != pen->px || y0 != pen->py) {
    if (pen->dash) flush(pen, false);
    cairo_move_to(cr, x0, y0);
  }
  cairo_line_to(cr, x1, y1);
  pen->px = x1, pen->py = y1;
  pen->open = pen->drawn = true;
  pen->segments++;
  if (pen->p->image && pen->segments >= STROKE) flush(pen, true);
}

void td_plot_pen_up(td_plot_pen *pen) {
  if (pen->down && !pen->drawn && !pen->dash) /* a lone point is a dot */
    segment(pen, pen->x, pen->y, pen->x, pen->y);
  if (pen->dash) flush(pen, false);
  pen->down = pen->drawn = pen->open = false;
}

void td_plot_pen_to(td_plot_pen *pen, double x, double y) {
  if (!isfinite(x) || !isfinite(y)) {
    td_plot_pen_up(pen);
    return;
  }
  if (pen->down && (x != pen->x || y != pen->y))
    segment(pen, pen->x, pen->y, x, y);
  pen->x = x, pen->y = y;
  pen->down = true;
}

void td_plot_pen_finish(td_plot_pen *pen) {
  td_plot_pen_up(pen);
  if (pen->masked) {
    finish_mask(pen);
    return;
  }
  cairo_t *cr = pen->p->cr;
  flush(pen, false);
  if (pen->group) {
    cairo_pop_group_to_source(cr);
    cairo_paint_with_alpha(cr, pen->color.a * pen->alpha);
  }
  cairo_restore(cr);
}
