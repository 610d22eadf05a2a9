/* plot_stream.c -- a vector field drawn as streamlines with arrow heads. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>

#include "vm/plot_draw.h"

typedef struct stream {
  td_plot_painter *p;
  const td_plot_map *m;
  const td_plot_artist *a;
  td_plot_grid g;
  td_plot_rect area;    /* of the page that has a field */
  td_plot_rgba color;
  double width, head, fastest;
  bool by_speed;
} stream;

/* Points of the page per unit of data at v. */
static double stretch(const td_plot_scale *s, double length, double v) {
  return s->log ? length / (log(s->hi / s->lo) * v) : length / (s->hi - s->lo);
}

static bool field(void *context, double x, double y, double dir[2],
                  double *speed) {
  const stream *s = context;
  const td_plot_map *m = s->m;
  double w = m->box.x1 - m->box.x0, h = m->box.y1 - m->box.y0;
  double vx = td_plot_scale_from_unit(&m->x, (x + s->area.x0 - m->box.x0) / w);
  double vy = td_plot_scale_from_unit(&m->y, (m->box.y1 - s->area.y0 - y) / h);
  double u = td_plot_grid_at(&s->g, td_plot_numbers(&s->a->o.u), vx, vy);
  double v = td_plot_grid_at(&s->g, td_plot_numbers(&s->a->o.v), vx, vy);
  double px = u * stretch(&m->x, w, vx), py = -v * stretch(&m->y, h, vy);
  double big = fmax(fabs(px), fabs(py));
  *speed = hypot(u, v);
  if (!(big > 0) || !isfinite(big)) return false;
  px /= big, py /= big; /* the squares of tiny fields must not vanish */
  double length = hypot(px, py);
  dir[0] = px / length, dir[1] = py / length;
  return true;
}

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
  td_plot_draw_head(s->p, s->area.x0 + xys[3 * k] + head / 2 * dx / d,
                    s->area.y0 + xys[3 * k + 1] + head / 2 * dy / d, dx / d, dy / d,
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
      td_plot_pen_to(&pen, s->area.x0 + xys[3 * k], s->area.y0 + xys[3 * k + 1]);
    if (k < n) /* up to where the next piece starts */
      td_plot_pen_to(&pen, s->area.x0 + xys[3 * k], s->area.y0 + xys[3 * k + 1]);
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
/* Where on the page the grid is. */
static td_plot_rect covered(const td_plot_map *m, const td_plot_grid *g) {
  double x0 = td_plot_map_x(m, g->x0), x1 = td_plot_map_x(m, g->x1);
  double y0 = td_plot_map_y(m, g->y0), y1 = td_plot_map_y(m, g->y1);
  if (isnan(x0)) x0 = m->box.x0; /* not above 0 on a log scale */
  if (isnan(y0)) y0 = m->box.y1;
  return (td_plot_rect){fmax(fmin(x0, x1), m->box.x0), fmax(fmin(y0, y1), m->box.y0),
                        fmin(fmax(x0, x1), m->box.x1), fmin(fmax(y0, y1), m->box.y1)};
}

void td_plot_draw_stream(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  stream s = {
    .p = p, .m = m, .a = a, .g = td_plot_artist_grid(o),
    .color = td_plot_artist_color(p, a), .width = td_plot_artist_width(p, a),
    .by_speed = o->cmap >= 0 && o->color.kind == TD_PLOT_COLOR_AUTO
  };
  if (!s.g.nx || !s.g.ny) return;
  s.head = isnan(o->head) ? 3.4 + 2.2 * s.width : o->head;
  for (size_t i = 0; i < o->u.n; i++) {
    double speed = hypot(td_plot_numbers(&o->u)[i], td_plot_numbers(&o->v)[i]);
    if (isfinite(speed)) s.fastest = fmax(s.fastest, speed);
  }
  s.area = covered(m, &s.g);
  td_plot_clip(p, m->box);
  td_plot_stream_trace(s.area.x1 - s.area.x0, s.area.y1 - s.area.y0, o->spacing,
                       field, &s, draw_stream_line, &s);
  cairo_restore(p->cr);
}
