/* plot_arrow.c -- arrows: their heads, fields of them, and single ones. */
#include <cairo.h>
#include <math.h>

#include "vm/plot_draw.h"

void td_plot_draw_head(td_plot_painter *p, double x, double y, double dx,
                       double dy, double length) {
  double bx = x - length * dx, by = y - length * dy, half = 0.36 * length;
  cairo_move_to(p->cr, x, y);
  cairo_line_to(p->cr, bx - half * dy, by + half * dx);
  cairo_line_to(p->cr, bx + half * dy, by - half * dx);
  cairo_close_path(p->cr);
  cairo_fill(p->cr);
}

/* An arrow from (x, y) on the page; its head takes at most half of it. */
static void shaft(td_plot_painter *p, double x, double y, double dx, double dy,
                  double width, double head) {
  cairo_t *cr = p->cr;
  double length = hypot(dx, dy);
  if (!(length > 0) || !isfinite(length) || length > 1e5 ||
      fabs(x) > 1e5 || fabs(y) > 1e5) return;
  head = fmin(0.45 * length, head);
  double ux = dx / length, uy = dy / length;
  double tx = x + dx, ty = y + dy, inside = 0.85 * head;
  cairo_move_to(cr, x, y);
  cairo_line_to(cr, tx - inside * ux, ty - inside * uy);
  cairo_set_line_width(cr, width);
  cairo_stroke(cr);
  if (head > 0) td_plot_draw_head(p, tx, ty, ux, uy, head);
}

/* ---- fields -------------------------------------------------------------- */
/* Page length of an arrow of length 1: the longest spans the mean spacing. */
static double quiver_scale(const td_plot_map *m, const td_plot_artist_options *o,
                           double sx, double sy) {
  const double *u = td_plot_numbers(&o->u), *v = td_plot_numbers(&o->v);
  double longest = 0, w = m->box.x1 - m->box.x0, h = m->box.y1 - m->box.y0;
  for (size_t i = 0; i < o->u.n; i++) {
    double l = hypot(u[i] * sx, v[i] * sy);
    if (isfinite(l) && l > longest) longest = l;
  }
  double spacing = fmin(sqrt(w * h / (double)(o->u.n ? o->u.n : 1)),
                        0.2 * fmin(w, h));
  return longest > 0 ? 0.95 * spacing / longest : 0;
}

void td_plot_draw_quiver(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  size_t n = o->x.n;
  const double *x = td_plot_numbers(&o->x), *y = td_plot_numbers(&o->y);
  const double *u = td_plot_numbers(&o->u), *v = td_plot_numbers(&o->v);
  if (!u) return;
  double sx = (m->box.x1 - m->box.x0) / (m->x.hi - m->x.lo);
  double sy = (m->box.y1 - m->box.y0) / (m->y.hi - m->y.lo);
  double k = isnan(o->scale) ? quiver_scale(m, o, sx, sy) : o->scale;
  double width = td_plot_artist_width(p, a);
  td_plot_rgba color = td_plot_artist_color(p, a);
  double head = isnan(o->head) ? 2.2 + 2.6 * width : o->head;
  td_plot_clip(p, m->box);
  for (size_t i = 0; i < n; i++) {
    double px = td_plot_map_x(m, x[i]), py = td_plot_map_y(m, y[i]);
    double dx = k * u[i] * sx, dy = -k * v[i] * sy;
    if (m->x.log) dx = td_plot_map_x(m, x[i] + k * u[i]) - px;
    if (m->y.log) dy = td_plot_map_y(m, y[i] + k * v[i]) - py;
    if (!isfinite(px) || !isfinite(py) || (o->c.blob && !td_plot_value_color(a, i, &color)))
      continue;
    td_plot_set_color(p, color, o->alpha);
    shaft(p, px, py, dx, dy, width, head);
  }
  cairo_restore(p->cr);
}

/* ---- single arrows ------------------------------------------------------- */
void td_plot_draw_arrow(td_plot_painter *p, const td_plot_map *m,
                        const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  const double *x = td_plot_numbers(&o->x), *y = td_plot_numbers(&o->y);
  const double *tx = td_plot_numbers(&o->tx), *ty = td_plot_numbers(&o->ty);
  const double *u = td_plot_numbers(&o->u), *v = td_plot_numbers(&o->v);
  double width = td_plot_artist_width(p, a);
  double head = isnan(o->head) ? 4.5 + 2.4 * width : o->head;
  if (!tx && !u) return;
  td_plot_clip(p, m->box);
  cairo_set_dash(p->cr, o->dash.v, o->dash.n, 0);
  td_plot_set_color(p, td_plot_artist_color(p, a), o->alpha);
  for (size_t i = 0; i < o->x.n; i++) {
    double px = td_plot_map_x(m, x[i]), py = td_plot_map_y(m, y[i]);
    double ex = td_plot_map_x(m, tx ? tx[i] : x[i] + u[i]);
    double ey = td_plot_map_y(m, ty ? ty[i] : y[i] + v[i]);
    if (isfinite(px + py + ex + ey)) shaft(p, px, py, ex - px, ey - py, width, head);
  }
  cairo_restore(p->cr);
}
