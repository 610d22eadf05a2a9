/* plot_stream.c -- a vector field drawn as streamlines with arrow heads. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>

#include "vm/plot_draw.h"

typedef struct stream {
  td_plot_painter *p;
  const td_plot_map *m;
  const td_plot_artist *a;
  td_plot_rgba color;
  double width, head, fastest;
  bool by_speed;
} stream;

/* ---- drawing a line ------------------------------------------------------ */
static td_plot_rgba color_at(const stream *s, double speed) {
  uint8_t c[3];
  if (!s->by_speed || !td_plot_cmap_color(td_plot_cmap_get(s->a->o.cmap),
                                          &s->a->norm, speed, c))
    return s->color;
  return (td_plot_rgba){c[0] / 255.0, c[1] / 255.0, c[2] / 255.0, 1};
}

static double width_at(const stream *s, double speed) {
  if (!s->a->o.taper || !(s->fastest > 0)) return s->width;
  return s->width * (0.35 + 1.25 * sqrt(speed / s->fastest));
}

/* Speeds that look the same have the same number. */
static int look(const stream *s, double speed) {
  int k = 0;
  if (s->by_speed) k = (int)(40 * td_plot_norm_at(&s->a->norm, speed));
  if (s->a->o.taper && s->fastest > 0) k = k * 16 + (int)(12 * speed / s->fastest);
  return k;
}

static void draw_head(const stream *s, const double *xys, size_t n, size_t k) {
  size_t a = k > 2 ? k - 2 : 0, b = k + 2 < n ? k + 2 : n - 1;
  double dx = xys[3 * b] - xys[3 * a], dy = xys[3 * b + 1] - xys[3 * a + 1];
  double d = hypot(dx, dy), head = s->head;
  if (!(d > 0)) return;
  if (s->a->o.taper) head *= 0.6 + 0.4 * width_at(s, xys[3 * k + 2]) / s->width;
  td_plot_set_color(s->p, color_at(s, xys[3 * k + 2]), s->a->o.alpha);
  td_plot_draw_head(s->p, s->m->box.x0 + xys[3 * k] + head / 2 * dx / d,
                    s->m->box.y0 + xys[3 * k + 1] + head / 2 * dy / d, dx / d, dy / d,
                    head);
}

static void draw_stream_line(void *context, const double *xys, size_t n) {
  const stream *s = context;
  const td_plot_artist_options *o = &s->a->o;
  double length = 0;
  for (size_t i = 0; i < n;) {
    int now = look(s, xys[3 * i + 2]);
    td_plot_pen pen;
    td_plot_pen_start(&pen, s->p, s->m->box, color_at(s, xys[3 * i + 2]), o->alpha,
                      width_at(s, xys[3 * i + 2]), NULL, n);
    size_t k = i;
    for (; k < n && look(s, xys[3 * k + 2]) == now; k++)
      td_plot_pen_to(&pen, s->m->box.x0 + xys[3 * k], s->m->box.y0 + xys[3 * k + 1]);
    if (k < n) /* up to where the next piece starts */
      td_plot_pen_to(&pen, s->m->box.x0 + xys[3 * k], s->m->box.y0 + xys[3 * k + 1]);
    td_plot_pen_finish(&pen);
    i = k;
  }
  for (size_t i = 1; i < n; i++)
    length += hypot(xys[3 * i] - xys[3 * i - 3], xys[3 * i + 1] - xys[3 * i - 2]);
  if (!(s->head > 0) || length < 2 * s->head) return;
  int heads = 1 + (int)(length / 160);
  double done = 0, next = length / heads / 2;
  for (size_t i = 1; i < n; i++) {
    done += hypot(xys[3 * i] - xys[3 * i - 3], xys[3 * i + 1] - xys[3 * i - 2]);
    if (done < next) continue;
    draw_head(s, xys, n, i);
    next += length / heads;
  }
}

/* ---- the artist ---------------------------------------------------------- */
void td_plot_draw_stream(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  stream s = {
    .p = p, .m = m, .a = a,
    .color = td_plot_artist_color(p, a), .width = td_plot_artist_width(p, a),
    .by_speed = o->cmap >= 0 && o->color.kind == TD_PLOT_COLOR_AUTO
  };
  s.head = isnan(o->head) ? 3.4 + 2.2 * s.width : o->head;
  for (size_t i = 0; i < o->u.n; i++) {
    double speed = hypot(td_plot_numbers(&o->u)[i], td_plot_numbers(&o->v)[i]);
    if (isfinite(speed)) s.fastest = fmax(s.fastest, speed);
  }
  double spacing = isnan(o->spacing) ? 10 * p->theme->pointsize : o->spacing;
  td_plot_clip(p, m->box);
  td_plot_streamlines(a, &m->x, &m->y, m->box.x1 - m->box.x0,
                      m->box.y1 - m->box.y0, spacing, draw_stream_line, &s);
  cairo_restore(p->cr);
}
