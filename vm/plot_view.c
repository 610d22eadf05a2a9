/* plot_view.c -- limits, dragging, keys and pictures of one window, without SDL. */
#include "vm/plot_view.h"

#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALL = 7, X = 1, Y = 2, Y2 = 4 }; /* sets of dimensions */

#define CLICK 4    /* pixels that a press may move and still be a click */
#define STEP 1.2   /* zoom for one step of the wheel */
#define NOTE_S 4.0

td_plot_view *td_plot_view_new(td_plot_figure *f, double scale) {
  td_plot_view *v = calloc(1, sizeof *v);
  if (v) v->canvas = td_plot_canvas_new();
  if (!v || !v->canvas) {
    free(v);
    td_plot_fail("out of memory");
    return NULL;
  }
  v->figure = td_plot_figure_keep(f);
  v->scale = scale;
  v->moved = true;
  return v;
}

void td_plot_view_free(td_plot_view *v) {
  if (!v) return;
  td_plot_painter_close(&v->painter);
  cairo_surface_destroy(v->out);
  td_plot_canvas_free(v->canvas);
  td_plot_figure_drop(v->figure);
  free(v->own);
  free(v);
}

/* ---- limits -------------------------------------------------------------- */
/* Room for what is changed in n axes. */
static bool reserve(td_plot_view *v, int n) {
  if (n <= v->nown) return true;
  td_plot_own *own = realloc(v->own, (size_t)n * sizeof *own);
  if (!own) return false;
  v->own = own;
  while (v->nown < n) own[v->nown++] = (td_plot_own){.grid = -1, .log = -1};
  return true;
}

static void apply_own(td_plot_axes_options *o, const td_plot_own *own) {
  if (own->grid >= 0) o->grid = own->grid;
  if (own->log >= 0) o->scale[TD_PLOT_Y] = own->log;
  for (int d = 0; d < 3; d++) {
    if (own->has[d]) o->lim[d] = own->lim[d];
    else if (own->fit) o->lim[d] = (td_plot_limits){NAN, NAN};
    if (o->scale[d] == TD_PLOT_SCALE_LOG &&
        (o->lim[d].lo <= 0 || o->lim[d].hi <= 0))
      o->lim[d] = (td_plot_limits){NAN, NAN};
  }
}

td_plot_figure *td_plot_view_snapshot(td_plot_view *v) {
  td_plot_figure *s = td_plot_snapshot(v->figure);
  if (!s) return NULL;
  for (int i = 0; i < s->naxes && i < v->nown; i++)
    apply_own(&s->axes[i]->o, &v->own[i]);
  s->o.size.v[0] = v->page_w / v->scale;
  s->o.size.v[1] = v->page_h / v->scale;
  return s;
}

/* Limits of a scale whose parts from unit a to unit b fill it from now on; false
** where numbers end. */
static bool part_of(const td_plot_scale *s, double a, double b, td_plot_limits *l) {
  double lo = td_plot_scale_from_unit(s, a), hi = td_plot_scale_from_unit(s, b);
  double most = fmax(fabs(lo), fabs(hi)), least = fmin(fabs(lo), fabs(hi));
  if (!isfinite(lo) || !isfinite(hi) || most > 1e300) return false;
  if (!(fabs(hi - lo) > 1e-13 * most) || fabs(hi - lo) < 1e-300) return false;
  if (s->log && (lo <= 0 || hi <= 0 || least < 1e-300)) return false;
  *l = (td_plot_limits){lo, hi};
  return true;
}

/* Gives axes i, and those that are linked to it, limits along d. */
static void set_limits(td_plot_view *v, int i, int d, td_plot_limits l) {
  const td_plot_layout *layout = td_plot_canvas_layout(v->canvas);
  const td_plot_axes *ax = layout->axes[i].axes;
  for (int k = 0; k < layout->n; k++) {
    if (!td_plot_axes_linked(ax, layout->axes[k].axes, (td_plot_dim)d)) continue;
    v->own[k].has[d] = true;
    v->own[k].lim[d] = l;
  }
  v->moved = true;
}

/* Units a to b along x and y fill axes i; `from` are its scales. */
static void show_part(td_plot_view *v, int i, const td_plot_scale from[3],
                      unsigned dims, const double a[2], const double b[2]) {
  const td_plot_layout *layout = td_plot_canvas_layout(v->canvas);
  if (!layout || i >= layout->n || !reserve(v, layout->n)) return;
  td_plot_limits l[3];
  if (!layout->axes[i].y2) dims &= ~(unsigned)Y2;
  if (layout->axes[i].axes->o.equal) dims |= X | Y;
  for (int d = 0; d < 3; d++)
    if (dims >> d & 1 && !part_of(&from[d], a[d > 0], b[d > 0], &l[d])) return;
  for (int d = 0; d < 3; d++)
    if (dims >> d & 1) set_limits(v, i, d, l[d]);
}

int td_plot_view_axes(const td_plot_view *v, double x, double y, unsigned *strip) {
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  double px = x / v->scale, py = y / v->scale;
  for (int i = 0; l && i < l->n; i++) {
    const td_plot_axes_layout *a = &l->axes[i];
    const td_plot_rect *b = &a->box;
    bool across = px >= b->x0 && px <= b->x1, along = py >= b->y0 && py <= b->y1;
    if (a->images) continue;
    double room[4]; /* beside the box */
    for (int k = 0; k < 4; k++) room[k] = fmax(a->margin[k], 12);
    unsigned dims = 0;
    if (across && along) dims = ALL;
    else if (across && py > b->y1 && py < b->y1 + room[3]) dims = X;
    else if (along && px < b->x0 && px > b->x0 - room[0]) dims = Y;
    else if (along && a->y2 && px > b->x1 && px < b->x1 + room[1]) dims = Y2;
    if (!dims || (!strip && dims != ALL)) continue;
    if (strip) *strip = dims;
    return i;
  }
  return -1;
}

static void unit_at(const td_plot_view *v, const td_plot_rect *b, double x, double y,
                    double u[2]) {
  u[0] = (x / v->scale - b->x0) / (b->x1 - b->x0);
  u[1] = (b->y1 - y / v->scale) / (b->y1 - b->y0);
}

static void keep_scales(td_plot_view *v, int i) {
  const td_plot_axes_layout *a = &td_plot_canvas_layout(v->canvas)->axes[i];
  v->box = a->box;
  for (int d = 0; d < 3; d++) v->from[d] = a->axis[d].scale;
}

/* Back to what the script says, or to all of the data, below the pointer or
** everywhere. */
static void reset(td_plot_view *v, int only, bool fit) {
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  if (!l || !reserve(v, l->n)) return;
  for (int i = 0; i < l->n; i++) {
    bool linked = only < 0;
    for (int d = 0; d < 2 && !linked; d++)
      linked = td_plot_axes_linked(l->axes[only].axes, l->axes[i].axes, (td_plot_dim)d);
    if (!linked) continue;
    memset(v->own[i].has, 0, sizeof v->own[i].has);
    v->own[i].fit = fit;
  }
  v->moved = true;
}

/* ---- the overlay --------------------------------------------------------- */
/* Offers e to the overlay; true when it takes it. */
static bool offer(td_plot_view *v, td_plot_event *e) {
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  td_plot_lock();
  const td_plot_overlay_class *k = v->figure->overlay;
  void *self = v->figure->overlay_self;
  td_plot_unlock();
  if (!k || !k->event || !l) return false;
  td_plot_event o = *e;
  o.layout = l;
  o.x = v->x / v->scale, o.y = v->y / v->scale;
  o.axes = v->drag == TD_PLOT_GRAB ? v->axes : td_plot_view_axes(v, v->x, v->y, NULL);
  if (o.axes >= l->n) o.axes = -1;
  for (int d = 0; d < 3; d++) o.at[d] = NAN;
  if (o.axes >= 0) {
    const td_plot_axes_layout *a = &l->axes[o.axes];
    double ux = (o.x - a->box.x0) / (a->box.x1 - a->box.x0);
    double uy = (a->box.y1 - o.y) / (a->box.y1 - a->box.y0);
    for (int d = 0; d < (a->y2 ? 3 : 2); d++)
      o.at[d] = td_plot_scale_from_unit(&a->axis[d].scale, d ? uy : ux);
  }
  bool taken = k->event(self, &o);
  v->touched |= taken;
  return taken;
}

/* Ends what is dragged, without what its end would do. */
static void cancel(td_plot_view *v) {
  td_plot_event e = {.kind = TD_PLOT_CANCEL, .button = v->button};
  if (v->drag == TD_PLOT_GRAB) offer(v, &e);
  v->drag = TD_PLOT_IDLE;
}

void td_plot_view_resize(td_plot_view *v, int w, int h) {
  if (w == v->w && h == v->h) return;
  cancel(v);
  v->w = v->page_w = w, v->h = v->page_h = h;
  v->moved = true;
}

/* ---- the pointer --------------------------------------------------------- */
static void press(td_plot_view *v, td_plot_event *e) {
  if (v->help) {
    v->help = false;
    return;
  }
  if (v->drag != TD_PLOT_IDLE) return;
  v->button = e->button;
  int i = td_plot_view_axes(v, v->x, v->y, NULL);
  if (offer(v, e)) {
    v->drag = TD_PLOT_GRAB;
    v->axes = i;
    return;
  }
  if (i < 0) return;
  if (e->button == TD_PLOT_LEFT && e->clicks == 2) {
    reset(v, i, true);
    return;
  }
  bool box = e->button == TD_PLOT_RIGHT || e->mods & TD_PLOT_SHIFT;
  v->drag = box ? TD_PLOT_BOX : TD_PLOT_PAN;
  v->axes = i;
  v->fromx = v->x, v->fromy = v->y;
  keep_scales(v, i);
}

/* The box that was drawn, or the limits that keep the axes' shape. */
static void zoom_to_box(td_plot_view *v) {
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  if (!l || v->axes >= l->n) return;
  if (fabs(v->x - v->fromx) < CLICK || fabs(v->y - v->fromy) < CLICK) return;
  double p[2], q[2], a[2], b[2];
  unit_at(v, &v->box, v->fromx, v->fromy, p);
  unit_at(v, &v->box, v->x, v->y, q);
  for (int k = 0; k < 2; k++) {
    a[k] = fmin(fmax(fmin(p[k], q[k]), 0), 1);
    b[k] = fmin(fmax(fmax(p[k], q[k]), 0), 1);
  }
  if (l->axes[v->axes].axes->o.equal) {
    double side = fmax(b[0] - a[0], b[1] - a[1]) / 2;
    for (int k = 0; k < 2; k++) {
      double middle = (a[k] + b[k]) / 2;
      a[k] = middle - side, b[k] = middle + side;
    }
  }
  show_part(v, v->axes, v->from, ALL, a, b);
}

static void release(td_plot_view *v, td_plot_event *e) {
  if (v->drag == TD_PLOT_IDLE || e->button != v->button) return;
  if (v->drag == TD_PLOT_GRAB) offer(v, e);
  bool box = v->drag == TD_PLOT_BOX;
  v->drag = TD_PLOT_IDLE;
  if (box) zoom_to_box(v);
}

static void move(td_plot_view *v, td_plot_event *e) {
  if (v->drag == TD_PLOT_IDLE || v->drag == TD_PLOT_GRAB) {
    e->kind = v->drag == TD_PLOT_IDLE ? TD_PLOT_HOVER : TD_PLOT_DRAG;
    e->button = v->drag == TD_PLOT_IDLE ? 0 : v->button;
    v->covered = offer(v, e) && v->drag == TD_PLOT_IDLE;
    return;
  }
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  if (v->drag != TD_PLOT_PAN || !l || v->axes >= l->n) return;
  double p[2], q[2], a[2], b[2];
  unit_at(v, &v->box, v->fromx, v->fromy, p);
  unit_at(v, &v->box, v->x, v->y, q);
  for (int k = 0; k < 2; k++) a[k] = p[k] - q[k], b[k] = 1 + a[k];
  if (a[0] != 0 || a[1] != 0) show_part(v, v->axes, v->from, ALL, a, b);
}

static void turn_wheel(td_plot_view *v, td_plot_event *e) {
  unsigned dims;
  if (!v->inside || v->drag != TD_PLOT_IDLE || offer(v, e)) return;
  int i = td_plot_view_axes(v, v->x, v->y, &dims);
  if (i < 0) return;
  double u[2], a[2], b[2], factor = pow(STEP, -e->steps);
  keep_scales(v, i);
  unit_at(v, &v->box, v->x, v->y, u);
  for (int k = 0; k < 2; k++) {
    a[k] = u[k] * (1 - factor);
    b[k] = a[k] + factor;
  }
  show_part(v, i, v->from, dims, a, b);
}

/* ---- keys ---------------------------------------------------------------- */
static void note(td_plot_view *v, double now, const char *text) {
  snprintf(v->note, sizeof v->note, "%s", text);
  v->note_until = now + NOTE_S;
  v->touched = true;
}

void td_plot_view_save(td_plot_view *v, double now) {
  char path[64], text[sizeof v->note];
  int k = 1;
  do snprintf(path, sizeof path, "figure-%d.png", k);
  while (access(path, F_OK) == 0 && k++ < 100000);
  td_plot_figure *s = td_plot_view_snapshot(v);
  td_plot_output o = {.scale = fmax(2, v->scale)};
  if (s) td_plot_snapshot_overlay(s, v->figure);
  if (s && td_plot_save(s, path, &o) == 0)
    snprintf(text, sizeof text, "saved %s", path);
  else snprintf(text, sizeof text, "not saved: %.200s", td_plot_error());
  td_plot_figure_drop(s);
  note(v, now, text);
}

/* Turns a choice over: between what the script says and the other value. */
static void toggle(td_plot_view *v, int only, char key) {
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  if (!l || !reserve(v, l->n)) return;
  for (int i = 0; i < l->n; i++) {
    if (only >= 0 && i != only) continue;
    const td_plot_axes_options *o = &l->axes[i].axes->o;
    if (key == 'g') { /* "auto" shows lines where there is no picture below */
      bool on = o->grid > 1 || (o->grid == 0 && !l->axes[i].image);
      v->own[i].grid = on ? 1 : 2;
    } else {
      v->own[i].log = o->scale[TD_PLOT_Y] == TD_PLOT_SCALE_LOG
                          ? TD_PLOT_SCALE_LINEAR : TD_PLOT_SCALE_LOG;
      v->own[i].has[TD_PLOT_Y] = false;
    }
  }
  v->moved = true;
}

static void press_key(td_plot_view *v, td_plot_event *e) {
  int i = v->inside ? td_plot_view_axes(v, v->x, v->y, NULL) : -1;
  if (e->key == TD_PLOT_KEY_ESCAPE && v->drag != TD_PLOT_IDLE) {
    cancel(v);
    return;
  }
  if (offer(v, e)) return;
  switch (e->key) {
    case 's': td_plot_view_save(v, e->time); break;
    case 'g': case 'l': toggle(v, i, (char)e->key); break;
    case 'f': reset(v, i, true); break;
    case 'h': reset(v, i, false); break;
    case '?': v->help = !v->help; break;
    case TD_PLOT_KEY_ESCAPE: v->help = false; break;
    case '+': case '-':
      v->scale = fmin(fmax(v->scale * (e->key == '+' ? 1.1 : 1 / 1.1), 0.5), 8);
      v->moved = true;
      break;
    default: break;
  }
}

void td_plot_view_input(td_plot_view *v, td_plot_event e) {
  v->touched = true;
  if (e.kind == TD_PLOT_PRESS || e.kind == TD_PLOT_RELEASE || e.kind == TD_PLOT_HOVER ||
      e.kind == TD_PLOT_DRAG) {
    v->inside = true;
    v->x = e.x, v->y = e.y;
  }
  switch (e.kind) {
    case TD_PLOT_PRESS: press(v, &e); break;
    case TD_PLOT_RELEASE: release(v, &e); break;
    case TD_PLOT_HOVER: case TD_PLOT_DRAG: move(v, &e); break;
    case TD_PLOT_WHEEL: turn_wheel(v, &e); break;
    case TD_PLOT_KEY: press_key(v, &e); break;
    case TD_PLOT_CANCEL: cancel(v); break;
    case TD_PLOT_LEAVE:
      v->inside = v->covered = false;
      offer(v, &e);
      break;
  }
}
