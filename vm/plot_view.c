/* plot_view.c -- limits, dragging, keys and pictures of one window, without SDL. */
#include "vm/plot_view.h"

#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/plot_panel.h"

enum { ALL = 7, X = 1, Y = 2, Y2 = 4 }; /* sets of dimensions */

#define CLICK 4    /* pixels that a press may move and still be a click */
#define STEP 1.2   /* zoom for one step of the wheel */
#define NOTE_S 4.0
#define BURST_S 0.7 /* steps of the wheel that come so soon are one move */

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
  v->fit = 1;
  v->moved = true;
  return v;
}

void td_plot_view_free(td_plot_view *v) {
  if (!v) return;
  td_plot_painter_close(&v->painter);
  cairo_surface_destroy(v->out);
  td_plot_canvas_free(v->canvas);
  td_plot_figure_drop(v->figure);
  for (int i = 0; i < v->npast; i++) free(v->past[i]);
  free(v->own);
  free(v);
}

/* ---- limits -------------------------------------------------------------- */
static void forget_past(td_plot_view *v, int from) {
  while (v->npast > from) free(v->past[--v->npast]);
  v->place = v->npast;
}

/* Room for what is changed in n axes. */
static bool reserve(td_plot_view *v, int n) {
  if (n <= v->nown) return true;
  td_plot_own *own = realloc(v->own, (size_t)n * sizeof *own);
  if (!own) return false;
  forget_past(v, 0); /* it was of fewer axes */
  v->own = own;
  while (v->nown < n) own[v->nown++] = (td_plot_own){.grid = -1, .log = -1};
  return true;
}

/* Keeps what is seen in the list of views, at its place; later ones are forgotten. */
static void keep_view(td_plot_view *v) {
  td_plot_own *own = v->nown ? malloc((size_t)v->nown * sizeof *own) : NULL;
  if (!own) return;
  memcpy(own, v->own, (size_t)v->nown * sizeof *own);
  forget_past(v, v->place);
  if (v->npast == TD_PLOT_PAST) {
    free(v->past[0]);
    memmove(v->past, v->past + 1, --v->npast * sizeof *v->past);
  }
  v->past[v->npast++] = own;
  v->place = v->npast;
}

/* Before a move or a zoom. */
static void begin_move(td_plot_view *v) {
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  if (l && reserve(v, l->n)) keep_view(v);
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

static void hide(td_plot_axes *ax, const td_plot_own *own) {
  for (int k = 0; k < own->nhidden; k++)
    for (int i = 0; i < ax->nartists; i++) {
      td_plot_artist *a = ax->artists[i];
      int part = own->hidden[k].part;
      if (a->serial != own->hidden[k].serial || !a->o.visible) continue;
      if (part >= 0) a->hidden_parts |= (uint64_t)1 << part;
      else a->o.visible = false, a->hidden = true;
    }
}

/* Tells the figure what limits the person chose, or takes those that Lua asks for. */
static void exchange_looks(td_plot_view *v, const td_plot_figure *s) {
  td_plot_lock();
  td_plot_panel *p = td_plot_panel_find(v->figure);
  bool asked = p && p->asked != v->asked, good = p && td_plot_looks(p, s->naxes);
  if (asked) good = good && reserve(v, s->naxes), v->asked = p->taken = p->asked;
  for (int i = 0; good && i < s->naxes; i++) {
    td_plot_look *look = &p->look[i];
    for (int d = 0; asked && d < 2; d++) {
      v->own[i].has[d] = look->has;
      v->own[i].lim[d] = (td_plot_limits){look->lim[2 * d], look->lim[2 * d + 1]};
    }
    look->has = i < v->nown && (v->own[i].has[0] || v->own[i].has[1]);
    for (int d = 0; look->has && d < 2; d++) {
      td_plot_scale now = td_plot_axes_scale(s->axes[i], (td_plot_dim)d);
      bool has = v->own[i].has[d];
      look->lim[2 * d] = has ? v->own[i].lim[d].lo : now.lo;
      look->lim[2 * d + 1] = has ? v->own[i].lim[d].hi : now.hi;
    }
  }
  td_plot_unlock();
}

td_plot_figure *td_plot_view_snapshot(td_plot_view *v) {
  td_plot_figure *past = td_plot_frames_figure(v->figure); /* what a scrub bar shows */
  td_plot_figure *s = td_plot_snapshot(past ? past : v->figure);
  td_plot_figure_drop(past);
  if (!s) return NULL;
  exchange_looks(v, s);
  for (int i = 0; i < s->naxes && i < v->nown; i++) {
    apply_own(&s->axes[i]->o, &v->own[i]);
    hide(s->axes[i], &v->own[i]);
  }
  s->calm = v->drag == TD_PLOT_PAN;
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

/* ---- links --------------------------------------------------------------- */
static const char *link_word(const td_plot_axes *ax, int d) {
  if (d > TD_PLOT_Y) return NULL;
  const char *word = td_plot_text(&ax->o.link[d], 0);
  return word ? word : td_plot_text(&ax->o.link[2], 0);
}

static bool is_linked(const td_plot_axes *a, const td_plot_axes *b, int d) {
  const char *one = link_word(a, d), *other = link_word(b, d);
  return (one && other && !strcmp(one, other)) ||
         td_plot_axes_linked(a, b, (td_plot_dim)d);
}

/* Remembers for other windows what axes i show along d. */
static void tell_linked(td_plot_view *v, const td_plot_axes *ax, int i, int d) {
  const char *word = link_word(ax, d);
  td_plot_linked l = {.dim = d, .has = v->own[i].has[d], .fit = v->own[i].fit,
                      .lim = v->own[i].lim[d]};
  if (!word) return;
  snprintf(l.word, sizeof l.word, "%s", word);
  int k = 0;
  while (k < v->nlinked && (strcmp(v->linked[k].word, l.word) || v->linked[k].dim != d)) k++;
  if (k == TD_PLOT_LINKS) return;
  v->linked[k] = l;
  if (k == v->nlinked) v->nlinked++;
}

void td_plot_view_follow(td_plot_view *v, const td_plot_linked *l) {
  const td_plot_layout *layout = td_plot_canvas_layout(v->canvas);
  if (!layout || !reserve(v, layout->n)) return;
  for (int i = 0; i < layout->n; i++) {
    const char *word = link_word(layout->axes[i].axes, l->dim);
    if (!word || strncmp(word, l->word, sizeof l->word - 1)) continue;
    bool positive = l->lim.lo > 0 && l->lim.hi > 0;
    if (l->has && layout->axes[i].axis[l->dim].scale.log && !positive) continue;
    v->own[i].has[l->dim] = l->has;
    v->own[i].fit = l->fit;
    if (l->has) v->own[i].lim[l->dim] = l->lim;
    v->moved = true;
  }
}

/* Gives axes i, and those that are linked to it, limits along d. */
static void set_limits(td_plot_view *v, int i, int d, td_plot_limits l) {
  const td_plot_layout *layout = td_plot_canvas_layout(v->canvas);
  const td_plot_axes *ax = layout->axes[i].axes;
  for (int k = 0; k < layout->n; k++) {
    if (!is_linked(ax, layout->axes[k].axes, d)) continue;
    if (layout->axes[k].axis[d].scale.log && !(l.lo > 0 && l.hi > 0)) continue;
    v->own[k].has[d] = true;
    v->own[k].lim[d] = l;
  }
  tell_linked(v, ax, i, d);
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
  begin_move(v);
  for (int i = 0; i < l->n; i++) {
    bool linked = only < 0;
    for (int d = 0; d < 2 && !linked; d++)
      linked = is_linked(l->axes[only].axes, l->axes[i].axes, d);
    if (!linked) continue;
    memset(v->own[i].has, 0, sizeof v->own[i].has);
    v->own[i].fit = fit;
    for (int d = 0; d < 2; d++) tell_linked(v, l->axes[i].axes, i, d);
  }
  v->moved = true;
}

/* Goes to the view before (-1) or after (1) what is seen. */
static void go(td_plot_view *v, int step) {
  if (step < 0 && v->place == v->npast && v->npast) { /* to come forward to it again */
    int place = v->place;
    keep_view(v);
    v->place = v->npast > place ? place : v->npast - 1;
  }
  if (v->place + step < 0 || v->place + step >= v->npast) return;
  v->place += step;
  for (int i = 0; i < v->nown; i++) {
    const td_plot_own *past = &v->past[v->place][i];
    memcpy(v->own[i].has, past->has, sizeof past->has);
    memcpy(v->own[i].lim, past->lim, sizeof past->lim);
    v->own[i].fit = past->fit;
  }
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  for (int i = 0; l && i < l->n && i < v->nown; i++)
    for (int d = 0; d < 2; d++) tell_linked(v, l->axes[i].axes, i, d);
  v->moved = true;
}

/* ---- the legend ---------------------------------------------------------- */
/* Hides or shows what the entry of a legend at the pointer stands for. */
static bool click_legend(td_plot_view *v, bool look) {
  const td_plot_layout *l = td_plot_canvas_layout(v->canvas);
  for (int i = 0; l && v->out && i < l->n; i++) {
    int part = -1, k = 0;
    const td_plot_artist *a = td_plot_legend_at(
        &v->painter, &l->axes[i], v->x / v->scale, v->y / v->scale, &part);
    if (!a || (part >= 0 && (a->kind != TD_PLOT_SCATTER || part > 63))) continue;
    if (look) return true;
    if (!reserve(v, l->n)) return true;
    td_plot_own *own = &v->own[i];
    while (k < own->nhidden &&
           (own->hidden[k].serial != a->serial || own->hidden[k].part != part))
      k++;
    if (k < own->nhidden) {
      own->hidden[k] = own->hidden[--own->nhidden];
    } else if (k < TD_PLOT_HIDDEN) {
      own->hidden[k].serial = a->serial, own->hidden[k].part = part;
      own->nhidden++;
    }
    return v->moved = true;
  }
  return false;
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

/* Letters of a window that gets smaller stay as large as they are while there is room. */
static double fit_of(const td_plot_view *v, int w, int h) {
  if (!(v->full_w > 0 && v->full_h > 0)) return 1;
  double room = v->several ? 0.85 : 0.5;
  return fmin(1, fmax(fmin(w / v->full_w, h / v->full_h) / room, 0.5));
}

void td_plot_view_resize(td_plot_view *v, int w, int h) {
  if (w == v->w && h == v->h) return;
  cancel(v);
  double fit = fit_of(v, w, h);
  v->scale *= fit / v->fit;
  v->fit = fit;
  if (!v->out) v->page_w = w, v->page_h = h;
  v->w = w, v->h = h;
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
  if (e->button == TD_PLOT_BACK || e->button == TD_PLOT_FORWARD) {
    go(v, e->button == TD_PLOT_BACK ? -1 : 1);
    return;
  }
  if (e->button == TD_PLOT_LEFT && click_legend(v, false)) return;
  if (i < 0) return;
  if (e->button == TD_PLOT_LEFT && e->clicks == 2) {
    reset(v, i, true);
    return;
  }
  bool box = e->button == TD_PLOT_RIGHT || e->mods & TD_PLOT_SHIFT;
  v->drag = box ? TD_PLOT_BOX : TD_PLOT_PAN;
  v->axes = i;
  v->fromx = v->x, v->fromy = v->y;
  v->far = false;
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
  begin_move(v);
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
  if (!v->far && (a[0] != 0 || a[1] != 0)) begin_move(v), v->far = true;
  if (v->far) show_part(v, v->axes, v->from, ALL, a, b);
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
  if (e->time > v->wheel + BURST_S) begin_move(v);
  v->wheel = e->time;
  show_part(v, i, v->from, dims, a, b);
}

/* ---- keys ---------------------------------------------------------------- */
static void note(td_plot_view *v, double now, const char *text) {
  snprintf(v->note, sizeof v->note, "%s", text);
  v->note_until = now + NOTE_S;
  v->touched = true;
}

void td_plot_view_save(td_plot_view *v, double now, bool vectors) {
  static const char *const ends[] = {"png", "svg", "pdf"};
  char path[64], text[sizeof v->note], name[32];
  bool taken = true;
  for (int k = 1; taken && k < 100000; k++) {
    snprintf(name, sizeof name, "figure-%d", k);
    taken = false;
    for (int i = 0; i < 3; i++) {
      snprintf(path, sizeof path, "%s.%s", name, ends[i]);
      taken |= access(path, F_OK) == 0;
    }
  }
  td_plot_figure *s = td_plot_view_snapshot(v);
  td_plot_output o = {.scale = fmax(2, v->scale)};
  int rc = s ? 0 : -1;
  if (s) td_plot_snapshot_overlay(s, v->figure);
  if (s) s->like = td_plot_canvas_layout(v->canvas), s->calm = true;
  for (int i = vectors ? 1 : 0; rc == 0 && i < (vectors ? 3 : 1); i++) {
    snprintf(path, sizeof path, "%s.%s", name, ends[i]);
    rc = td_plot_save(s, path, &o);
  }
  if (rc) snprintf(text, sizeof text, "not saved: %.200s", td_plot_error());
  else if (vectors) snprintf(text, sizeof text, "saved %s.svg and %s.pdf", name, name);
  else snprintf(text, sizeof text, "saved %s", path);
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
  if (e->mods & TD_PLOT_CTRL && e->key != 's') return;
  switch (e->key) {
    case 's': td_plot_view_save(v, e->time, e->mods & TD_PLOT_SHIFT); break;
    case 'S': td_plot_view_save(v, e->time, true); break;
    case 'b': case TD_PLOT_KEY_BACKSPACE: go(v, -1); break;
    case 'n': go(v, 1); break;
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
