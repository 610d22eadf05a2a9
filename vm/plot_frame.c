/* plot_frame.c -- what stands around the data: frame, ticks, labels, bars. */
#include <cairo.h>
#include <math.h>
#include <string.h>

#include "vm/plot_draw.h"

static const td_plot_rgba black = {0, 0, 0, 1};

static td_plot_rgba ink(const td_plot_painter *p) {
  return td_plot_painter_color(p, &p->theme->ink, black);
}
static td_plot_rgba muted(const td_plot_painter *p) {
  return td_plot_painter_color(p, &p->theme->muted, black);
}

/* Vectors get the same lines as pixels would at the usual scale. */
double td_plot_crisp(const td_plot_painter *p, double width, double *shift) {
  double scale = p->image ? p->scale : 2, px = fmax(1, floor(width * scale + 0.5));
  *shift = (int)px % 2 ? 0.5 / scale : 0;
  return px / scale;
}

void td_plot_rule(td_plot_painter *p, double x0, double y0, double x1, double y1,
                  double width) {
  cairo_t *cr = p->cr;
  double shift, w = td_plot_crisp(p, width, &shift), half = shift > 0 ? w / 2 : 0;
  if (x0 == x1) x0 = x1 = td_plot_snap_x(p, x0 - half) + shift;
  if (y0 == y1) y0 = y1 = td_plot_snap_y(p, y0 - half) + shift;
  cairo_set_line_width(cr, w);
  cairo_move_to(cr, x0, y0);
  cairo_line_to(cr, x1, y1);
  cairo_stroke(cr);
}

/* ---- grid lines ---------------------------------------------------------- */
static bool wants_grid(const td_plot_axes_layout *a, int dim) {
  switch (a->axes->o.grid) {
    case 0: /* categories need no lines */
      return !a->image && !td_plot_axes_bars(a->axes, (td_plot_dim)dim);
    case 1: return false;
    case 2: return true;
    default: return a->axes->o.grid - 3 == dim;
  }
}

static void draw_grid(td_plot_painter *p, const td_plot_axes_layout *a) {
  td_plot_map m = td_plot_layout_map(a, false);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->grid, black), 1);
  cairo_set_line_cap(p->cr, CAIRO_LINE_CAP_BUTT);
  for (int d = 0; d < 2; d++) {
    const td_plot_ticks *t = &a->axis[d].ticks;
    for (int i = 0; i < t->n && wants_grid(a, d); i++) {
      double at = d ? td_plot_map_y(&m, t->at[i]) : td_plot_map_x(&m, t->at[i]);
      if (!isfinite(at)) continue;
      if (d) td_plot_rule(p, a->box.x0, at, a->box.x1, at, p->theme->gridwidth);
      else td_plot_rule(p, at, a->box.y0, at, a->box.y1, p->theme->gridwidth);
    }
  }
}

void td_plot_draw_back(td_plot_painter *p, const td_plot_axes_layout *a) {
  const td_plot_axes *ax = a->axes;
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->face, black), 1);
  cairo_rectangle(p->cr, a->box.x0, a->box.y0, a->box.x1 - a->box.x0,
                  a->box.y1 - a->box.y0);
  if (p->clear) cairo_new_path(p->cr);
  else cairo_fill(p->cr);
  for (int i = 0; i < ax->nartists; i++)
    if (td_plot_artist_is_back(ax->artists[i]))
      td_plot_draw_artist(p, a, ax->artists[i]);
  draw_grid(p, a);
}

/* ---- ticks --------------------------------------------------------------- */
/* The colour that all artists on one y axis share, else that of the theme. */
static td_plot_rgba axis_color(const td_plot_painter *p,
                               const td_plot_axes_layout *a, int dim,
                               td_plot_rgba plain) {
  const td_plot_axes *ax = a->axes;
  const td_plot_color *own = dim == TD_PLOT_Y2 ? &ax->o.y2color : &ax->o.ycolor;
  if (dim == TD_PLOT_X) return plain;
  td_plot_rgba found = plain;
  int colors = 0;
  for (int i = 0; a->y2 && i < ax->nartists; i++) {
    const td_plot_artist *s = ax->artists[i];
    if ((s->kind != TD_PLOT_LINE && s->kind != TD_PLOT_SCATTER) ||
        !s->o.visible || (s->o.axis == 1) != (dim == TD_PLOT_Y2))
      continue;
    td_plot_rgba c = td_plot_artist_color(p, s);
    if (s->o.c.blob || (colors && memcmp(&c, &found, sizeof c))) colors = 99;
    else found = c, colors++;
  }
  return td_plot_painter_color(p, own, colors && colors < 99 ? found : plain);
}

/* One tick at `at` along side `dim`; x is the page place of a y axis. */
static void tick(td_plot_painter *p, const td_plot_axes_layout *a, int dim,
                 double at, double length) {
  double w = p->theme->framewidth;
  if (dim == TD_PLOT_X) td_plot_rule(p, at, a->box.y1, at, a->box.y1 + length, w);
  if (dim == TD_PLOT_Y) td_plot_rule(p, a->box.x0 - length, at, a->box.x0, at, w);
  if (dim == TD_PLOT_Y2) td_plot_rule(p, a->box.x1, at, a->box.x1 + length, at, w);
}

static void draw_ticks(td_plot_painter *p, const td_plot_axes_layout *a, int dim) {
  const td_plot_axis *axis = &a->axis[dim];
  td_plot_map m = td_plot_layout_map(a, dim == TD_PLOT_Y2);
  td_plot_rgba color = axis_color(p, a, dim, muted(p));
  td_plot_style style = {p->theme->fontsize, false};
  double out = p->theme->ticklength, pad = out + td_plot_tick_pad(p);
  td_plot_set_color(p, color, 1);
  for (int i = 0; i < axis->ticks.nminor; i++) {
    double v = axis->ticks.minor[i];
    tick(p, a, dim, dim ? td_plot_map_y(&m, v) : td_plot_map_x(&m, v), 0.6 * out);
  }
  for (int i = 0; i < axis->ticks.n; i++) {
    double v = axis->ticks.at[i];
    double at = dim ? td_plot_map_y(&m, v) : td_plot_map_x(&m, v);
    const char *text = axis->ticks.label[i];
    td_plot_set_color(p, color, 1);
    if (!a->images || a->axes->o.frame > 1) tick(p, a, dim, at, out);
    if (dim == TD_PLOT_X)
      td_plot_text_draw(p, text, style, color, at, a->box.y1 + pad, 0.5,
                        TD_PLOT_TOP, 0);
    else if (dim == TD_PLOT_Y)
      td_plot_text_draw(p, text, style, color, a->box.x0 - pad, at, 1,
                        TD_PLOT_MIDDLE, 0);
    else
      td_plot_text_draw(p, text, style, color, a->box.x1 + pad, at, 0,
                        TD_PLOT_MIDDLE, 0);
  }
}

/* ---- names --------------------------------------------------------------- */
static void draw_factor(td_plot_painter *p, const td_plot_axes_layout *a, int dim) {
  const char *text = a->axis[dim].ticks.factor;
  td_plot_style style = {p->theme->fontsize, false};
  td_plot_rgba color = axis_color(p, a, dim, muted(p));
  double above = a->box.y0 - 0.45 * p->theme->fontsize;
  if (dim == TD_PLOT_X)
    td_plot_text_draw(p, text, style, color, a->box.x1,
                      a->box.y1 + p->theme->ticklength + td_plot_tick_pad(p) +
                          a->axis[0].labels + 0.6 * p->theme->fontsize,
                      1, TD_PLOT_TOP, 0);
  else
    td_plot_text_draw(p, text, style, color,
                      dim == TD_PLOT_Y ? a->box.x0 : a->box.x1, above,
                      dim == TD_PLOT_Y ? 0 : 1, TD_PLOT_BASELINE, 0);
}

/* (a), (b), ... as papers call the parts of a figure. */
static void draw_letter(td_plot_painter *p, const td_plot_axes_layout *a) {
  const td_plot_figure *f = a->axes->figure;
  td_plot_style s = td_plot_title_style(p);
  int k = 0;
  while (f->axes[k] != a->axes) k++;
  char text[8] = {'(', (char)('a' + k % 26), ')'};
  s.bold = true;
  td_plot_text_draw(p, text, s, ink(p),
                    a->box.x0 - td_plot_axis_depth(p, &a->axis[1],
                                                   td_plot_text(&a->axes->o.label[1], 0)),
                    a->box.y0 - a->margin[2] + 0.95 * s.size, 0, TD_PLOT_BASELINE, 0);
}

static void draw_names(td_plot_painter *p, const td_plot_axes_layout *a) {
  const td_plot_axes_options *o = &a->axes->o;
  td_plot_style s = td_plot_label_style(p);
  double cx = (a->box.x0 + a->box.x1) / 2, cy = (a->box.y0 + a->box.y1) / 2;
  double below = a->box.y1 + p->theme->ticklength + td_plot_tick_pad(p) +
                 a->axis[0].labels + 0.3 * td_plot_label_pad(p);
  td_plot_text_draw(p, td_plot_text(&o->label[0], 0), s, ink(p), cx,
                    below + 0.1 * s.size, 0.5, TD_PLOT_TOP, 0);
  const char *y = td_plot_text(&o->label[1], 0), *y2 = td_plot_text(&o->label[2], 0);
  if (y)
    td_plot_text_draw(p, y, s, axis_color(p, a, TD_PLOT_Y, ink(p)),
                      a->box.x0 - td_plot_axis_depth(p, &a->axis[1], y) + s.size,
                      cy, 0.5, TD_PLOT_BASELINE, 90);
  if (y2 && a->y2)
    td_plot_text_draw(p, y2, s, axis_color(p, a, TD_PLOT_Y2, ink(p)),
                      a->box.x1 + td_plot_axis_depth(p, &a->axis[2], y2) - s.size,
                      cy, 0.5, TD_PLOT_BASELINE, -90);
  const char *title = td_plot_text(&o->title, 0);
  if (title)
    td_plot_text_draw(p, title, td_plot_title_style(p), ink(p), cx,
                      a->box.y0 - a->margin[2] + 0.95 * td_plot_title_style(p).size,
                      0.5, TD_PLOT_BASELINE, 0);
  if (a->axes->figure->o.letters) draw_letter(p, a);
  for (int d = 0; d < (a->y2 ? 3 : 2); d++) draw_factor(p, a, d);
}

/* ---- the frame ----------------------------------------------------------- */
static void draw_box(td_plot_painter *p, const td_plot_axes_layout *a) {
  int style = a->axes->o.frame;
  const td_plot_rect *b = &a->box;
  double w = p->theme->framewidth;
  if (style == 0)
    style = a->images ? 1 : a->image || a->axes->o.equal ? 2 : 3;
  if (style == 1) return;
  cairo_set_line_cap(p->cr, CAIRO_LINE_CAP_SQUARE);
  td_plot_set_color(p, muted(p), 1);
  td_plot_rule(p, b->x0, b->y1, b->x1, b->y1, w);
  if (style == 2) td_plot_rule(p, b->x0, b->y0, b->x1, b->y0, w);
  td_plot_set_color(p, axis_color(p, a, TD_PLOT_Y, muted(p)), 1);
  td_plot_rule(p, b->x0, b->y0, b->x0, b->y1, w);
  if (style == 2 || a->y2) {
    td_plot_set_color(p, axis_color(p, a, TD_PLOT_Y2, muted(p)), 1);
    td_plot_rule(p, b->x1, b->y0, b->x1, b->y1, w);
  }
  cairo_set_line_cap(p->cr, CAIRO_LINE_CAP_BUTT);
}

/* ---- colour bars --------------------------------------------------------- */
static void fill_classes(td_plot_painter *p, const td_plot_rect *r,
                         const td_plot_cmap *m, const td_plot_scale *s) {
  int first = (int)(s->lo + 0.5), n = (int)(s->hi - s->lo + 0.5);
  double h = (r->y1 - r->y0) / n;
  for (int k = 0; k < n; k++) {
    const uint8_t *c = m->rgb[first + k];
    double y0 = td_plot_snap_y(p, r->y1 - (k + 1) * h);
    cairo_set_source_rgb(p->cr, c[0] / 255.0, c[1] / 255.0, c[2] / 255.0);
    cairo_rectangle(p->cr, r->x0, y0, r->x1 - r->x0,
                    td_plot_snap_y(p, r->y1 - k * h) - y0);
    cairo_fill(p->cr);
  }
}

static void fill_bar(td_plot_painter *p, const td_plot_rect *r,
                     const td_plot_cmap *m) {
  cairo_t *cr = p->cr;
  cairo_pattern_t *g = cairo_pattern_create_linear(0, r->y1, 0, r->y0);
  for (int k = 0; k < 256; k += 3)
    cairo_pattern_add_color_stop_rgb(g, k / 255.0, m->rgb[k][0] / 255.0,
                                     m->rgb[k][1] / 255.0, m->rgb[k][2] / 255.0);
  cairo_set_source(cr, g);
  cairo_rectangle(cr, r->x0, r->y0, r->x1 - r->x0, r->y1 - r->y0);
  cairo_fill(cr);
  cairo_pattern_destroy(g);
}

static void draw_bar(td_plot_painter *p, const td_plot_rect *r,
                     const td_plot_axis *axis, const td_plot_artist *a,
                     const char *label) {
  const td_plot_cmap *m = td_plot_cmap_get(a->o.cmap);
  td_plot_style style = {p->theme->fontsize, false};
  td_plot_style name = td_plot_label_style(p);
  double out = 0.7 * p->theme->ticklength, w = p->theme->framewidth;
  if (m->classes) fill_classes(p, r, m, &axis->scale);
  else fill_bar(p, r, m);
  td_plot_set_color(p, muted(p), 1);
  td_plot_rule(p, r->x0, r->y0, r->x1, r->y0, w);
  td_plot_rule(p, r->x0, r->y1, r->x1, r->y1, w);
  td_plot_rule(p, r->x0, r->y0, r->x0, r->y1, w);
  td_plot_rule(p, r->x1, r->y0, r->x1, r->y1, w);
  for (int i = 0; i < axis->ticks.n; i++) {
    double t = m->classes ? td_plot_scale_to_unit(&axis->scale, axis->ticks.at[i])
                          : td_plot_norm_at(&a->norm, axis->ticks.at[i]);
    double y = r->y1 - t * (r->y1 - r->y0);
    td_plot_set_color(p, muted(p), 1);
    td_plot_rule(p, r->x1, y, r->x1 + out, y, w);
    td_plot_text_draw(p, axis->ticks.label[i], style, muted(p),
                      r->x1 + p->theme->ticklength + td_plot_tick_pad(p), y, 0,
                      TD_PLOT_MIDDLE, 0);
  }
  td_plot_text_draw(p, axis->ticks.factor, style, muted(p), r->x0,
                    r->y0 - 0.45 * style.size, 0, TD_PLOT_BASELINE, 0);
  if (label)
    td_plot_text_draw(p, label, name, ink(p),
                      r->x1 + td_plot_axis_depth(p, axis, label) - 0.3 * name.size,
                      (r->y0 + r->y1) / 2, 0.5, TD_PLOT_BASELINE, 90);
}

static void draw_bars(td_plot_painter *p, const td_plot_axes_layout *a) {
  const td_plot_axes *ax = a->axes;
  for (int i = 0, k = 0; i < ax->nbars && k < a->nbars; i++) {
    const td_plot_artist *artist = td_plot_artist_find(ax, ax->bars[i].artist);
    if (!artist) continue;
    const char *label = td_plot_text(&ax->bars[i].o.label, 0);
    if (!label) label = td_plot_text(&artist->o.label, 0);
    draw_bar(p, &a->bar[k], &a->bar_axis[k], artist, label);
    k++;
  }
}

void td_plot_draw_front(td_plot_painter *p, const td_plot_axes_layout *a) {
  draw_box(p, a);
  for (int d = 0; d < (a->y2 ? 3 : 2); d++) draw_ticks(p, a, d);
  draw_names(p, a);
  draw_bars(p, a);
  td_plot_legend_draw(p, a);
}
