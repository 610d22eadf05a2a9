/* plot_view_top.c -- what lies on top of a window's picture: the value below the
** pointer, the box of a zoom, the list of keys, messages. */
#include <cairo.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/plot_panel.h"
#include "vm/plot_view.h"

#define LINES 20
#define NEAR 8.0 /* points from the pointer in which the nearest datum counts */

typedef struct panel {
  int n;
  char line[LINES][200];
} panel;

__attribute__((format(printf, 2, 3)))
static void add(panel *t, const char *format, ...) {
  va_list args;
  if (t->n == LINES) return;
  va_start(args, format);
  vsnprintf(t->line[t->n++], sizeof t->line[0], format, args);
  va_end(args);
}

static void unite(td_plot_rect *a, td_plot_rect b) {
  if (a->x0 >= a->x1) *a = b;
  *a = (td_plot_rect){fmin(a->x0, b.x0), fmin(a->y0, b.y0), fmax(a->x1, b.x1),
                      fmax(a->y1, b.y1)};
}

/* ---- panels of text ------------------------------------------------------ */
static const td_plot_rgba black = {0, 0, 0, 1};

static td_plot_style style_of(const td_plot_painter *p) {
  return (td_plot_style){p->theme->fontsize, false};
}

static void measure(td_plot_painter *p, const panel *t, double *w, double *h) {
  *w = *h = 0;
  for (int i = 0; i < t->n; i++) {
    double lw, lh;
    td_plot_text_size(p, t->line[i], style_of(p), &lw, &lh);
    *w = fmax(*w, lw);
  }
  *h = (t->n - 1) * 1.4 * p->theme->fontsize + 0.75 * p->theme->fontsize;
}

/* Draws the panel inside the page with its upper left corner near x, y; lines
** start with a column of width `key` where they have a tab. */
static td_plot_rect draw_panel(td_plot_painter *p, const panel *t, double x, double y,
                               double w, double h, double key) {
  double size = p->theme->fontsize, pad = 0.7 * size, shift, width;
  width = td_plot_crisp(p, p->theme->framewidth, &shift);
  td_plot_rect r = {td_plot_snap_x(p, x), td_plot_snap_y(p, y),
                    td_plot_snap_x(p, x + w + 2 * pad),
                    td_plot_snap_y(p, y + h + 2 * pad)};
  cairo_rectangle(p->cr, r.x0 + shift, r.y0 + shift, r.x1 - r.x0, r.y1 - r.y0);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->background, black), 0.97);
  cairo_fill_preserve(p->cr);
  cairo_set_line_width(p->cr, width);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->muted, black), 1);
  cairo_stroke(p->cr);
  td_plot_rgba ink = td_plot_painter_color(p, &p->theme->ink, black);
  for (int i = 0; i < t->n; i++) {
    char left[64];
    const char *tab = strchr(t->line[i], '\t');
    double at = y + pad + i * 1.4 * size;
    td_plot_style s = style_of(p);
    if (tab) {
      snprintf(left, sizeof left, "%.*s", (int)(tab - t->line[i]), t->line[i]);
      td_plot_text_draw(p, left, (td_plot_style){size, true}, ink, x + pad, at, 0,
                        TD_PLOT_TOP, 0);
    }
    td_plot_text_draw(p, tab ? tab + 1 : t->line[i], s, ink,
                      x + pad + (tab ? key : 0), at, 0, TD_PLOT_TOP, 0);
  }
  return (td_plot_rect){r.x0 - 2, r.y0 - 2, r.x1 + 2, r.y1 + 2};
}

/* What the digits do, if anything: they are for the first menu that wants them. */
static void add_digits(panel *t, const td_plot_panel *grab) {
  char name[40];
  int n = 0;
  td_plot_lock();
  for (int i = 0; grab && n == 0 && i < grab->n; i++) {
    const td_plot_widget *w = &grab->widget[i];
    if (w->kind != TD_PLOT_WIDGET_MENU || !w->keys) continue;
    n = (int)fmin((double)w->choices.dim[0], 9);
    memcpy(name, w->name, sizeof name);
  }
  td_plot_unlock();
  if (n > 0) add(t, "1 to %d\tchoose %s", n, name);
}

static td_plot_rect draw_help(td_plot_view *v) {
  static const char *const keys[] = {
    "drag\tmoves the picture", "wheel\tzooms at the pointer, beside an axis only that",
    "right drag\tzooms to a box (also Shift and drag)",
    "double click\tshows all of the data", "f\tshows all of the data",
    "h\thome: what the script shows", "b  n\tback to the last view, and on again",
    "g\tgrid lines on and off",
    "l\tlogarithmic y on and off", "+  -\tlarger and smaller letters",
    "s\tsaves figure-N.png here", "S\tsaves figure-N.svg and .pdf",
    "a name\tclicked in a legend, goes or comes back", "?\tthis list"
  };
  static const char *const grabs[] = {
    "Tab, arrows\tgo to a control or a handle, and change it",
    "Space . ,\tof a run: play or pause, one step, one phase",
    "r  m  [ ]\tfrom the beginning, slow motion, back and forth"
  };
  td_plot_painter *p = &v->painter;
  panel t = {.n = 0};
  double key, w, h;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) add(&t, "%s", keys[i]);
  const td_plot_panel *grab = td_plot_panel_find(v->figure);
  for (int i = 0; grab && grab->n && i < 3; i++) add(&t, "%s", grabs[i]);
  add_digits(&t, grab);
  td_plot_text_size(p, "double click", (td_plot_style){p->theme->fontsize, true}, &key, &h);
  key += p->theme->fontsize;
  panel right = t;
  for (int i = 0; i < t.n; i++)
    snprintf(right.line[i], sizeof right.line[i], "%s", strchr(t.line[i], '\t') + 1);
  measure(p, &right, &w, &h);
  double pad = 1.4 * p->theme->fontsize;
  return draw_panel(p, &t, fmax((v->w / v->scale - w - key - pad) / 2, 0),
                    fmax((v->h / v->scale - h - pad) / 2, 0), w + key, h, key);
}

/* ---- the value below the pointer ----------------------------------------- */
/* v with as many digits as a pixel of size `pixel` tells apart. */
static void format_at(double v, double pixel, char *out, size_t size) {
  double step = pow(10, floor(log10(fabs(pixel))));
  if (!(step > 0) || !isfinite(step)) {
    snprintf(out, size, "%.6g", v);
    return;
  }
  double digits = v == 0 ? 1 : floor(log10(fabs(v))) - floor(log10(step)) + 1;
  double rounded = fabs(v) < 1e15 * step ? round(v / step) * step : v;
  snprintf(out, size, "%.*g", td_plot_clamp(digits, 1, 15), rounded + 0.0);
}

static void add_place(panel *t, const td_plot_axes_layout *a, double ux, double uy,
                      double dx, double dy) {
  char x[40], y[40], y2[40] = "";
  const td_plot_scale *s[3] = {&a->axis[0].scale, &a->axis[1].scale, &a->axis[2].scale};
  double vx = td_plot_scale_from_unit(s[0], ux), vy = td_plot_scale_from_unit(s[1], uy);
  format_at(vx, td_plot_scale_from_unit(s[0], ux + dx) - vx, x, sizeof x);
  format_at(vy, td_plot_scale_from_unit(s[1], uy + dy) - vy, y, sizeof y);
  if (a->y2) {
    double v2 = td_plot_scale_from_unit(s[2], uy);
    format_at(v2, td_plot_scale_from_unit(s[2], uy + dy) - v2, y2, sizeof y2);
  }
  add(t, *y2 ? "x %s   y %s   y2 %s" : "x %s   y %s", x, y, y2);
}

/* The cell of the uppermost heatmap. */
static void add_cell(panel *t, const td_plot_axes *ax, double x, double y) {
  for (int i = ax->nartists - 1; i >= 0; i--) {
    const td_plot_artist *h = ax->artists[i];
    if (h->kind != TD_PLOT_HEATMAP || !h->o.visible) continue;
    td_plot_grid g = td_plot_artist_grid(&h->o);
    long j = td_plot_grid_cell(&g, TD_PLOT_X, x);
    long k = td_plot_grid_cell(&g, TD_PLOT_Y, y);
    if (j < 0 || k < 0 || !g.z) continue;
    const char *label = td_plot_text(&h->o.label, 0);
    add(t, "%.60s %.5g   row %ld, column %ld", label ? label : "value",
        g.z[(size_t)k * g.nx + (size_t)j], k + 1, j + 1);
    return;
  }
}

typedef struct datum {
  const td_plot_artist *artist;
  size_t k;
  double x, y, far; /* on the page; distance, squared */
} datum;

/* The point of the axes next to px, py. */
static datum nearest(const td_plot_axes_layout *a, double px, double py) {
  datum d = {.artist = NULL, .far = NEAR * NEAR};
  for (int i = 0; i < a->axes->nartists; i++) {
    const td_plot_artist *t = a->axes->artists[i];
    if ((t->kind != TD_PLOT_SCATTER && t->kind != TD_PLOT_LINE) || !t->o.visible)
      continue;
    td_plot_map m = td_plot_layout_map(a, t->o.axis == 1);
    const double *x = td_plot_numbers(&t->o.x), *y = td_plot_numbers(&t->o.y);
    size_t n = t->o.x.n < t->o.y.n ? t->o.x.n : t->o.y.n, k = 0;
    if (td_plot_data_rises(&t->o.x)) { /* only those not too far to a side */
      double u = (px - a->box.x0) / (a->box.x1 - a->box.x0);
      double du = NEAR / (a->box.x1 - a->box.x0);
      double p = td_plot_scale_from_unit(&m.x, u - du), q = td_plot_scale_from_unit(&m.x, u + du);
      size_t end = td_plot_data_first(&t->o.x, fmax(p, q), true);
      k = td_plot_data_first(&t->o.x, fmin(p, q), false);
      if (end < n) n = end;
    }
    for (; x && y && k < n; k++) {
      double dx = td_plot_map_x(&m, x[k]) - px, dy = td_plot_map_y(&m, y[k]) - py;
      double far = dx * dx + dy * dy;
      if (far <= d.far) d = (datum){t, k, px + dx, py + dy, far};
    }
  }
  return d;
}

static void add_datum(panel *t, const datum *d) {
  const td_plot_artist_options *o = &d->artist->o;
  const char *label = td_plot_text(&o->label, 0);
  char value[60] = "";
  if (o->c.blob && o->c.ndim == 1 && d->k < o->c.n)
    snprintf(value, sizeof value, "   value %.5g", td_plot_numbers(&o->c)[d->k]);
  add(t, "%.60s #%zu (%.5g, %.5g)%s",
      label ? label : td_plot_kind_name(d->artist->kind), d->k + 1,
      td_plot_numbers(&o->x)[d->k], td_plot_numbers(&o->y)[d->k], value);
}

static td_plot_rect draw_ring(td_plot_view *v, const datum *d) {
  td_plot_painter *p = &v->painter;
  cairo_new_path(p->cr);
  cairo_arc(p->cr, d->x, d->y, 5, 0, 2 * M_PI);
  cairo_set_line_width(p->cr, 1.25);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->ink, black), 1);
  cairo_stroke(p->cr);
  return (td_plot_rect){d->x - 8, d->y - 8, d->x + 8, d->y + 8};
}

static td_plot_rect draw_value(td_plot_view *v) {
  td_plot_rect r = {0, 0, 0, 0};
  int i = td_plot_view_axes(v, v->x, v->y, NULL);
  if (i < 0) return r;
  td_plot_painter *p = &v->painter;
  const td_plot_axes_layout *a = &td_plot_canvas_layout(v->canvas)->axes[i];
  double px = v->x / v->scale, py = v->y / v->scale, w, h;
  const td_plot_rect *names = &a->legend; /* they are clicked */
  if (px >= names->x0 && px <= names->x1 && py >= names->y0 && py <= names->y1) return r;
  double bw = a->box.x1 - a->box.x0, bh = a->box.y1 - a->box.y0;
  double ux = (px - a->box.x0) / bw, uy = (a->box.y1 - py) / bh;
  panel t = {.n = 0};
  add_place(&t, a, ux, uy, 1 / (bw * v->scale), 1 / (bh * v->scale));
  add_cell(&t, a->axes, td_plot_scale_from_unit(&a->axis[0].scale, ux),
           td_plot_scale_from_unit(&a->axis[1].scale, uy));
  datum d = nearest(a, px, py);
  if (d.artist) {
    add_datum(&t, &d);
    r = draw_ring(v, &d);
  }
  measure(p, &t, &w, &h);
  double pad = 1.4 * p->theme->fontsize;
  double x = px + 12, y = py + 14;
  if (x + w + pad > v->w / v->scale) x = px - 12 - w - pad;
  if (y + h + pad > v->h / v->scale) y = py - 12 - h - pad;
  unite(&r, draw_panel(p, &t, fmax(x, 0), fmax(y, 0), w, h, 0));
  return r;
}

/* ---- all of it ----------------------------------------------------------- */
static td_plot_rect draw_band(td_plot_view *v) {
  td_plot_painter *p = &v->painter;
  const td_plot_rect *b = &td_plot_canvas_layout(v->canvas)->axes[v->axes].box;
  double x0 = fmax(fmin(v->fromx, v->x) / v->scale, b->x0);
  double x1 = fmin(fmax(v->fromx, v->x) / v->scale, b->x1);
  double y0 = fmax(fmin(v->fromy, v->y) / v->scale, b->y0);
  double y1 = fmin(fmax(v->fromy, v->y) / v->scale, b->y1);
  td_plot_rgba ink = td_plot_painter_color(p, &p->theme->ink, black);
  cairo_rectangle(p->cr, x0, y0, x1 - x0, y1 - y0);
  td_plot_set_color(p, ink, 0.1);
  cairo_fill_preserve(p->cr);
  cairo_set_line_width(p->cr, 1);
  td_plot_set_color(p, ink, 0.8);
  cairo_stroke(p->cr);
  return (td_plot_rect){x0 - 2, y0 - 2, x1 + 2, y1 + 2};
}

static td_plot_rect draw_note(td_plot_view *v) {
  panel t = {.n = 0};
  double w, h;
  add(&t, "%.190s", v->note);
  measure(&v->painter, &t, &w, &h);
  double pad = 1.4 * v->painter.theme->fontsize;
  return draw_panel(&v->painter, &t, fmax((v->w / v->scale - w - pad) / 2, 0),
                    v->h / v->scale - h - 2 * pad, w, h, 0);
}

td_plot_pixel_box td_plot_view_top(td_plot_view *v) {
  td_plot_rect r = {0, 0, 0, 0};
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  if (v->drag == TD_PLOT_BOX && v->axes < l->n) unite(&r, draw_band(v));
  else if (v->inside && v->drag == TD_PLOT_IDLE && !v->help && !v->covered)
    unite(&r, draw_value(v));
  if (v->help) unite(&r, draw_help(v));
  if (*v->note) unite(&r, draw_note(v));
  return td_plot_pixels_of(&v->painter, r);
}
