/* plot_pen.c -- long lines for cairo: clipped, broken at NaN, in short strokes.
**
** Cairo's coordinates end at 8 million, its time for one stroke grows faster
** than the stroke's length, and a NaN makes it draw a wrong line without a
** word. All of that is dealt with here. */
#include <cairo.h>
#include <math.h>

#include "vm/plot_draw.h"

#define STROKE 24 /* segments in one stroke, on pixels */

void td_plot_pen_start(td_plot_pen *pen, td_plot_painter *p, td_plot_rect clip,
                       td_plot_rgba color, double alpha, double width,
                       const td_plot_list *dash, size_t points) {
  double far = 8 + 2 * width;
  *pen = (td_plot_pen){
    .p = p, .alpha = color.a * alpha,
    .clip = {clip.x0 - far, clip.y0 - far, clip.x1 + far, clip.y1 + far},
    .dash = dash && dash->n ? dash : NULL
  };
  cairo_t *cr = p->cr;
  cairo_save(cr);
  cairo_rectangle(cr, clip.x0, clip.y0, clip.x1 - clip.x0, clip.y1 - clip.y0);
  cairo_clip(cr);
  cairo_new_path(cr);
  /* joints of see-through strokes would show: draw opaque, then fade */
  pen->group = p->image && pen->alpha < 1 && points > STROKE;
  if (pen->group) cairo_push_group(cr);
  cairo_set_source_rgba(cr, color.r, color.g, color.b,
                        pen->group ? 1 : pen->alpha);
  cairo_set_line_width(cr, width);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(cr, pen->dash ? CAIRO_LINE_CAP_BUTT : CAIRO_LINE_CAP_ROUND);
}

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
  cairo_t *cr = pen->p->cr;
  td_plot_pen_up(pen);
  flush(pen, false);
  if (pen->group) {
    cairo_pop_group_to_source(cr);
    cairo_paint_with_alpha(cr, pen->alpha);
  }
  cairo_restore(cr);
}
