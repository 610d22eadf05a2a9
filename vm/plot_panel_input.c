/* plot_panel_input.c -- what the pointer and the keys do to widgets; the panel as overlay.
**
** All here runs on the windows' thread but for td_plot_panel_event, which tests call on
** theirs. It changes values at once, under the lock, and tells Lua by the queue. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"
#include "vm/plot_panel.h"
#include "vm/plot_window.h"

typedef struct touch { /* one event, and what it happens to */
  td_plot_panel *p;
  const td_plot_event *e;
  td_plot_strip strip;
  double fs;
} touch;

static void post(const touch *t, const td_plot_widget *w, td_plot_news_kind kind) {
  td_plot_news n = {.kind = kind, .serial = w->serial, .time = t->e->time};
  memcpy(n.v, w->v, sizeof n.v);
  td_plot_queue_add(&t->p->queue, n);
}

static bool inside(td_plot_rect r, double x, double y) {
  return x >= r.x0 && x <= r.x1 && y >= r.y0 && y <= r.y1;
}

static const td_plot_spot *spot_of(const touch *t, int serial) {
  for (int i = 0; i < t->strip.n; i++)
    if (t->strip.spot[i].w->serial == serial) return &t->strip.spot[i];
  return NULL;
}

/* The control at the pointer, and its part. */
static const td_plot_spot *spot_at(const touch *t, int *part) {
  double x = t->e->x, y = t->e->y;
  *part = 0;
  for (int i = 0; i < t->strip.n; i++) {
    const td_plot_spot *s = &t->strip.spot[i];
    if (s->w->fixed || !inside(s->cell, x, y)) continue;
    switch (s->w->kind) {
      case TD_PLOT_WIDGET_SLIDER:
        if (y > td_plot_spot_track(s, t->fs).y0 - t->fs) return s;
        break;
      case TD_PLOT_WIDGET_PLAYER:
        for (*part = 0; *part < TD_PLOT_PARTS; ++*part)
          if (inside(td_plot_spot_part(s, t->fs, *part), x, y)) return s;
        break;
      case TD_PLOT_WIDGET_TEXT: break;
      case TD_PLOT_WIDGET_TOGGLE: return s;
      default:
        if (inside(td_plot_spot_body(s, t->fs), x, y)) return s;
    }
  }
  return NULL;
}

/* ---- one control ----------------------------------------------------------- */
static td_plot_widget *own(const touch *t, const td_plot_spot *s) {
  return td_plot_widget_find(t->p, s->w->serial);
}

static void slide(touch *t, const td_plot_spot *s, td_plot_news_kind kind) {
  td_plot_widget *w = own(t, s);
  td_plot_rect r = td_plot_spot_track(s, t->fs);
  double unit = (t->e->x + t->p->hand.grip[0] - r.x0) / (r.x1 - r.x0);
  double v = td_plot_slider_at(w, unit);
  if (v == t->p->hand.shown && kind == TD_PLOT_NEWS_DRAG) return;
  if (t->e->kind == TD_PLOT_DRAG) t->p->hand.last = 0;
  t->p->hand.shown = v;
  w->changes++;
  if (!w->live) return;
  w->v[0] = v;
  post(t, w, kind);
}

/* By keys and the wheel: n steps, or hundredths of the range. */
static void step_slider(touch *t, td_plot_widget *w, int n) {
  double v[4] = {w->v[0]}, unit = td_plot_slider_unit(w, w->v[0]);
  if (w->snap[0] > 0 && !w->log) v[0] += n * w->snap[0];
  else v[0] = td_plot_slider_at(w, unit + n * 0.02);
  if (w->integer && v[0] == w->v[0]) v[0] += n > 0 ? 1 : -1;
  td_plot_widget_bound(w, v);
  if (v[0] == w->v[0]) return;
  w->v[0] = v[0];
  w->changes++;
  post(t, w, TD_PLOT_NEWS_RELEASE);
}

static void choose(touch *t, td_plot_widget *w, int choice) {
  int n = (int)w->choices.dim[0];
  if (n == 0) return;
  choice = choice < 0 ? 0 : choice >= n ? n - 1 : choice;
  if ((int)w->v[0] == choice) return;
  w->v[0] = choice;
  w->changes++;
  post(t, w, TD_PLOT_NEWS_RELEASE);
}

static void flip(touch *t, td_plot_widget *w) {
  w->v[0] = w->v[0] == 0;
  w->changes++;
  post(t, w, TD_PLOT_NEWS_RELEASE);
}

static void back_to_start(touch *t, td_plot_widget *w) {
  memcpy(w->v, w->start, sizeof w->v);
  w->changes++;
  t->p->hand.shown = w->v[0];
  post(t, w, TD_PLOT_NEWS_RELEASE);
}

/* ---- players --------------------------------------------------------------- */
static void scrub(touch *t, const td_plot_spot *s) {
  td_plot_rect r = td_plot_spot_track(s, t->fs);
  int n = td_plot_frames_count(t->p);
  double first = td_plot_frames_step(t->p, 0), last = td_plot_frames_step(t->p, n - 1);
  double unit = (t->e->x - r.x0) / (r.x1 - r.x0);
  if (!(last > first)) return;
  unit = fmin(fmax(unit, 0), 1);
  td_plot_widget *w = own(t, s);
  w->v[0] = unit >= 1 ? last : floor(first + unit * (last - first) + 0.5);
  w->changes++;
  td_plot_frames_point(t->p, w->v[0]);
  post(t, w, TD_PLOT_NEWS_SEEK);
}

static void show_step(touch *t, td_plot_widget *w, double step) {
  w->v[0] = step;
  w->changes++;
  td_plot_frames_point(t->p, step);
  post(t, w, TD_PLOT_NEWS_SEEK);
}

static void push_part(touch *t, td_plot_widget *w, int part) {
  static const td_plot_news_kind kinds[] = {
    TD_PLOT_NEWS_RESET, TD_PLOT_NEWS_PLAY, TD_PLOT_NEWS_STEP, TD_PLOT_NEWS_PHASE,
    TD_PLOT_NEWS_SLOW
  };
  if (part < TD_PLOT_PART_SCRUB) post(t, w, kinds[part]);
  else if (part == TD_PLOT_PART_FOLLOW) show_step(t, w, INFINITY);
}

/* ---- the pointer ------------------------------------------------------------- */
/* The line of the open list at the pointer, or -1. */
static int list_line(const touch *t, const td_plot_spot *s) {
  double h;
  td_plot_rect r = td_plot_spot_list(s, t->fs, &h);
  if (!inside(r, t->e->x, t->e->y)) return -1;
  int k = (int)floor((t->e->y - r.y0 - 0.3 * t->fs) / h);
  return k < 0 ? 0 : k >= (int)s->w->choices.dim[0] ? (int)s->w->choices.dim[0] - 1 : k;
}

/* A press while a list is open chooses from it, or only closes it. */
static bool press_list(touch *t) {
  td_plot_hand *h = &t->p->hand;
  const td_plot_spot *s = spot_of(t, h->open);
  h->open = 0;
  int line = s ? list_line(t, s) : -1;
  if (line >= 0) choose(t, own(t, s), line);
  return true;
}

/* The second of two clicks on a widget, with no drag between them. */
static bool is_double(touch *t, const td_plot_widget *w) {
  bool again = t->e->clicks == 2 && t->p->hand.last == w->serial;
  t->p->hand.last = again ? 0 : w->serial;
  return again;
}

static void press_spot(touch *t, const td_plot_spot *s, int part) {
  td_plot_hand *h = &t->p->hand;
  td_plot_widget *w = own(t, s);
  h->held = w->serial, h->part = part;
  h->hover = w->serial, h->hover_part = part;
  h->focus = 0;
  if (w->kind == TD_PLOT_WIDGET_SLIDER && is_double(t, w)) {
    h->held = 0;
    back_to_start(t, w);
  } else if (w->kind == TD_PLOT_WIDGET_SLIDER) {
    td_plot_rect r = td_plot_spot_track(s, t->fs);
    double knob = r.x0 + td_plot_slider_unit(w, w->v[0]) * (r.x1 - r.x0);
    bool on = fabs(t->e->x - knob) < t->fs;
    h->grip[0] = on ? knob - t->e->x : 0;
    h->shown = w->v[0];
    if (!on) slide(t, s, TD_PLOT_NEWS_DRAG);
  } else if (w->kind == TD_PLOT_WIDGET_MENU) {
    h->open = w->serial;
    h->choice = -1;
  } else if (w->kind == TD_PLOT_WIDGET_PLAYER && part == TD_PLOT_PART_SCRUB) {
    scrub(t, s);
  }
}

static bool press_mark(touch *t) {
  td_plot_hand *h = &t->p->hand;
  const td_plot_event *e = t->e;
  int part;
  td_plot_widget *w = td_plot_mark_at(t->p, e->layout, e->x, e->y, &part);
  if (!w) return false;
  bool brush = w->kind == TD_PLOT_WIDGET_BRUSH;
  if (e->button != TD_PLOT_LEFT && !(brush && e->button == TD_PLOT_RIGHT)) return false;
  h->focus = 0;
  post(t, w, TD_PLOT_NEWS_PRESS);
  if (!brush && is_double(t, w)) {
    back_to_start(t, w);
    return true;
  }
  h->held = h->hover = w->serial;
  td_plot_mark_hold(t->p, w, part, e->layout, e->x, e->y);
  if (!brush) return true;
  h->part = e->button == TD_PLOT_RIGHT || e->mods & TD_PLOT_SHIFT || w->erase;
  memcpy(h->at, e->at, sizeof h->at);
  td_plot_brush_stroke(w, e->at, e->at, h->part);
  post(t, w, TD_PLOT_NEWS_DRAG);
  return true;
}

static bool press(touch *t) {
  int part;
  if (t->p->hand.open) return press_list(t);
  const td_plot_spot *s = spot_at(t, &part);
  if (s && t->e->button == TD_PLOT_LEFT) press_spot(t, s, part);
  else if (!inside(t->strip.box, t->e->x, t->e->y)) return press_mark(t);
  return true; /* between controls: nothing, and not the window's either */
}

/* A place in the axes even where the pointer left them. */
static void paint_to(touch *t, td_plot_widget *w) {
  td_plot_hand *h = &t->p->hand;
  if (!isfinite(t->e->at[0]) || !isfinite(t->e->at[1])) return;
  td_plot_brush_stroke(w, h->at, t->e->at, h->part);
  memcpy(h->at, t->e->at, sizeof h->at);
}

static void drag(touch *t) {
  td_plot_hand *h = &t->p->hand;
  td_plot_widget *w = td_plot_widget_find(t->p, h->held);
  const td_plot_spot *s = spot_of(t, h->held);
  int part;
  h->px = t->e->x, h->py = t->e->y;
  if (h->open) {
    const td_plot_spot *m = spot_of(t, h->open);
    if (m) h->choice = list_line(t, m);
    return;
  }
  if (!w) return;
  if (w->kind == TD_PLOT_WIDGET_SLIDER && s) {
    slide(t, s, TD_PLOT_NEWS_DRAG);
  } else if (w->kind == TD_PLOT_WIDGET_PLAYER && h->part == TD_PLOT_PART_SCRUB && s) {
    scrub(t, s);
  } else if (w->kind == TD_PLOT_WIDGET_BRUSH) {
    paint_to(t, w);
    post(t, w, TD_PLOT_NEWS_DRAG);
  } else if (td_plot_widget_in_axes(w->kind)) {
    double old[4];
    memcpy(old, w->v, sizeof old);
    td_plot_mark_move(t->p, w, t->e->layout, t->e->x, t->e->y);
    if (!memcmp(old, w->v, sizeof old)) return;
    h->last = 0;
    post(t, w, TD_PLOT_NEWS_DRAG);
  } else { /* a button is pushed only while the pointer is on it */
    const td_plot_spot *here = spot_at(t, &part);
    bool on = here && here->w->serial == h->held && part == h->part;
    h->hover = on ? h->held : 0, h->hover_part = part;
  }
}

static void release(touch *t) {
  td_plot_hand *h = &t->p->hand;
  td_plot_widget *w = td_plot_widget_find(t->p, h->held);
  const td_plot_spot *m = h->open ? spot_of(t, h->open) : NULL;
  int line = m ? list_line(t, m) : -1;
  if (line >= 0) { /* dragged from the box to a line */
    choose(t, own(t, m), line);
    h->open = 0;
  }
  h->held = 0;
  if (!w) return;
  if (w->kind == TD_PLOT_WIDGET_SLIDER) {
    w->v[0] = h->shown;
    w->changes++;
    post(t, w, TD_PLOT_NEWS_RELEASE);
  } else if (td_plot_widget_in_axes(w->kind)) {
    post(t, w, TD_PLOT_NEWS_RELEASE);
  } else if (h->hover == w->serial) {
    if (w->kind == TD_PLOT_WIDGET_TOGGLE) flip(t, w);
    else if (w->kind == TD_PLOT_WIDGET_BUTTON) post(t, w, TD_PLOT_NEWS_RELEASE);
    else if (w->kind == TD_PLOT_WIDGET_PLAYER) push_part(t, w, h->part);
  }
}

/* What was held goes back to where it was. */
static void cancel(touch *t) {
  td_plot_hand *h = &t->p->hand;
  td_plot_widget *w = td_plot_widget_find(t->p, h->held);
  h->held = h->open = 0;
  if (!w || w->kind == TD_PLOT_WIDGET_BRUSH) return;
  if (td_plot_widget_in_axes(w->kind)) memcpy(w->v, h->from, sizeof w->v);
  else if (w->kind != TD_PLOT_WIDGET_SLIDER) return;
  w->changes++;
  post(t, w, TD_PLOT_NEWS_RELEASE);
}

static bool hover(touch *t) {
  td_plot_hand *h = &t->p->hand;
  int part = 0, was = h->hover;
  h->px = t->e->x, h->py = t->e->y;
  const td_plot_spot *open = h->open ? spot_of(t, h->open) : NULL;
  if (open) {
    h->choice = list_line(t, open);
    return true;
  }
  const td_plot_spot *s = spot_at(t, &part);
  bool strip = inside(t->strip.box, t->e->x, t->e->y);
  td_plot_widget *w = s || strip ? NULL : td_plot_mark_at(t->p, t->e->layout, t->e->x,
                                                          t->e->y, &part);
  h->hover = s ? s->w->serial : w ? w->serial : 0;
  h->hover_part = part;
  h->inside = w && w->kind == TD_PLOT_WIDGET_BRUSH;
  td_plot_widget *left = was != h->hover ? td_plot_widget_find(t->p, was) : NULL;
  if (left && td_plot_widget_in_axes(left->kind)) post(t, left, TD_PLOT_NEWS_LEAVE);
  if (w && was != h->hover) post(t, w, TD_PLOT_NEWS_HOVER);
  return strip || (w && w->kind != TD_PLOT_WIDGET_BRUSH);
}

static bool wheel(touch *t) {
  int part;
  const td_plot_spot *s = spot_at(t, &part);
  int n = t->e->steps > 0 ? 1 : -1;
  if (!s) return inside(t->strip.box, t->e->x, t->e->y);
  td_plot_widget *w = own(t, s);
  if (w->kind == TD_PLOT_WIDGET_SLIDER) step_slider(t, w, n);
  else if (w->kind == TD_PLOT_WIDGET_MENU) choose(t, w, (int)w->v[0] - n);
  return true;
}

/* ---- keys -------------------------------------------------------------------- */
static bool takes_focus(const td_plot_widget *w) {
  return !w->hidden && !w->fixed && w->kind != TD_PLOT_WIDGET_TEXT &&
         w->kind != TD_PLOT_WIDGET_PLAYER && w->kind != TD_PLOT_WIDGET_BRUSH;
}

static bool next_focus(td_plot_panel *p, int by) {
  int at = -1, seen = 0;
  for (int i = 0; i < p->n; i++) {
    if (p->widget[i].serial == p->hand.focus) at = i;
    seen += takes_focus(&p->widget[i]);
  }
  if (seen == 0) return false;
  if (at < 0 && by < 0) at = 0;
  do at = (at + by + p->n) % p->n;
  while (!takes_focus(&p->widget[at]));
  p->hand.focus = p->widget[at].serial;
  return true;
}

/* Arrows and enter, for the widget that has the focus. */
static bool key_focus(touch *t, td_plot_widget *w) {
  int key = t->e->key, big = t->e->mods & TD_PLOT_SHIFT ? 5 : 1;
  int dx = (key == TD_PLOT_KEY_RIGHT) - (key == TD_PLOT_KEY_LEFT);
  int dy = (key == TD_PLOT_KEY_UP) - (key == TD_PLOT_KEY_DOWN);
  bool enter = key == TD_PLOT_KEY_ENTER || key == ' ';
  if (key == TD_PLOT_KEY_BACKSPACE && w->kind != TD_PLOT_WIDGET_BUTTON) {
    back_to_start(t, w);
    return true;
  }
  if (td_plot_widget_in_axes(w->kind)) {
    if (!dx && !dy) return false;
    td_plot_mark_nudge(w, t->e->layout, dx * big, dy * big);
    post(t, w, TD_PLOT_NEWS_DRAG);
    post(t, w, TD_PLOT_NEWS_RELEASE);
    return true;
  }
  if (dx || dy) {
    if (w->kind == TD_PLOT_WIDGET_SLIDER) step_slider(t, w, (dx + dy) * big);
    else if (w->kind == TD_PLOT_WIDGET_MENU) choose(t, w, (int)w->v[0] + dx - dy);
    else if (w->kind == TD_PLOT_WIDGET_TOGGLE && (dx + dy > 0) == (w->v[0] == 0)) flip(t, w);
    return true;
  }
  if (enter && w->kind == TD_PLOT_WIDGET_TOGGLE) flip(t, w);
  else if (enter && w->kind == TD_PLOT_WIDGET_BUTTON) post(t, w, TD_PLOT_NEWS_RELEASE);
  else return false;
  return true;
}

static bool key_player(touch *t, td_plot_widget *w) {
  switch (t->e->key) {
    case ' ': post(t, w, TD_PLOT_NEWS_PLAY); return true;
    case '.': post(t, w, TD_PLOT_NEWS_STEP); return true;
    case ',': post(t, w, w->phased ? TD_PLOT_NEWS_PHASE : TD_PLOT_NEWS_STEP); return true;
    case 'r': post(t, w, TD_PLOT_NEWS_RESET); return true;
    case 'm': post(t, w, TD_PLOT_NEWS_SLOW); return true;
    case '[': case ']':
      show_step(t, w, td_plot_frames_next(t->p, t->e->key == ']' ? 1 : -1));
      return true;
    case TD_PLOT_KEY_HOME: show_step(t, w, td_plot_frames_step(t->p, 0)); return true;
    case TD_PLOT_KEY_END: show_step(t, w, INFINITY); return true;
    default: return false;
  }
}

/* The digits 1 to 9, for the first menu that wants them. */
static bool key_menu(touch *t) {
  int choice = t->e->key - '1';
  if (choice < 0 || choice > 8) return false;
  for (int i = 0; i < t->p->n; i++) {
    td_plot_widget *w = &t->p->widget[i];
    if (w->kind == TD_PLOT_WIDGET_MENU && w->keys && choice < (int)w->choices.dim[0]) {
      choose(t, w, choice);
      return true;
    }
  }
  return false;
}

static bool press_key(touch *t) {
  td_plot_hand *h = &t->p->hand;
  td_plot_widget *w = td_plot_widget_find(t->p, h->focus);
  if (t->e->key == TD_PLOT_KEY_TAB)
    return next_focus(t->p, t->e->mods & TD_PLOT_SHIFT ? -1 : 1);
  if (t->e->key == TD_PLOT_KEY_ESCAPE && (h->open || h->focus)) {
    h->open = h->focus = 0;
    return true;
  }
  if ((w && key_focus(t, w)) || key_menu(t)) return true;
  for (int i = 0; i < t->p->n; i++)
    if (t->p->widget[i].kind == TD_PLOT_WIDGET_PLAYER && !t->p->widget[i].hidden)
      return key_player(t, &t->p->widget[i]);
  return false;
}

/* ---- the overlay --------------------------------------------------------------- */
/* Size of letters, as painters have it. */
static double letters(const td_plot_figure *f) {
  return f->o.theme.fontsize * f->o.theme.scale;
}

static bool take(touch *t) {
  td_plot_hand *h = &t->p->hand;
  switch (t->e->kind) {
    case TD_PLOT_PRESS: return press(t);
    case TD_PLOT_DRAG: drag(t); return true;
    case TD_PLOT_RELEASE: release(t); return true;
    case TD_PLOT_CANCEL: cancel(t); return true;
    case TD_PLOT_HOVER: return hover(t);
    case TD_PLOT_LEAVE:
      h->hover = 0, h->inside = false;
      return true;
    case TD_PLOT_WHEEL: return wheel(t);
    case TD_PLOT_KEY: return press_key(t);
  }
  return false;
}

bool td_plot_panel_event(td_plot_panel *p, const td_plot_event *e) {
  double w = e->layout->page.x1, h = e->layout->page.y1, right, below;
  td_plot_lock();
  touch t = {.p = p, .e = e, .fs = letters(p->figure)};
  /* the page is what the strip leaves of the window */
  td_plot_strip_room(p, t.fs, w, &right, &below);
  t.strip = td_plot_strip_make(p, t.fs, w + right, h + below);
  bool taken = take(&t);
  td_plot_unlock();
  free(t.strip.spot);
  return taken;
}

bool td_plot_panel_input(td_plot_panel *p, td_plot_event *e) {
  cairo_surface_t *sheet = cairo_recording_surface_create(CAIRO_CONTENT_COLOR, NULL);
  td_plot_figure *s = td_plot_snapshot(p->figure);
  td_plot_painter painter = {.cr = NULL};
  td_plot_layout l = {.axes = NULL};
  bool taken = false;
  if (s && td_plot_painter_open(&painter, sheet, 1, 0, 0, &s->o) == 0 &&
      td_plot_layout_make(&painter, s, &l) == 0) {
    e->layout = &l;
    e->at[0] = e->at[1] = e->at[2] = NAN;
    for (int i = 0; i < l.n; i++) {
      const td_plot_rect *b = &l.axes[i].box;
      if (!inside(*b, e->x, e->y)) continue;
      e->axes = i;
      e->at[0] = td_plot_scale_from_unit(&l.axes[i].axis[0].scale,
                                         (e->x - b->x0) / (b->x1 - b->x0));
      e->at[1] = td_plot_scale_from_unit(&l.axes[i].axis[1].scale,
                                         (b->y1 - e->y) / (b->y1 - b->y0));
    }
    taken = td_plot_panel_event(p, e);
  }
  td_plot_layout_drop(&l);
  td_plot_painter_close(&painter);
  td_plot_figure_drop(s);
  cairo_surface_destroy(sheet);
  return taken;
}

static bool event(void *self, const td_plot_event *e) { return td_plot_panel_event(self, e); }

void td_plot_panel_room(const td_plot_figure *f, double w, double *right, double *below) {
  const td_plot_panel *p = td_plot_panel_find(f);
  *right = *below = 0;
  td_plot_lock();
  if (p) td_plot_strip_room(p, letters(f), w, right, below);
  td_plot_unlock();
}

static void room(void *self, td_plot_painter *p, double w, double h, double *right,
                 double *below) {
  (void)h;
  td_plot_lock();
  td_plot_strip_room(self, p->theme->fontsize, w, right, below);
  td_plot_unlock();
}

struct td_plot_seen { /* how a widget was drawn */
  int serial;
  unsigned changes;
  double look[6];
  td_plot_rect reach;
};

static void add_rect(td_plot_rect *a, td_plot_rect b) {
  if (!(b.x1 > b.x0)) return;
  if (!(a->x1 > a->x0)) *a = b;
  *a = (td_plot_rect){fmin(a->x0, b.x0), fmin(a->y0, b.y0), fmax(a->x1, b.x1),
                      fmax(a->y1, b.y1)};
}

/* What of the hand shows in this widget. */
static void look_at(const td_plot_panel *p, const td_plot_widget *w, struct td_plot_seen *s) {
  const td_plot_hand *h = &p->hand;
  bool hot = h->hover == w->serial, held = h->held == w->serial;
  bool brush = hot && h->inside, player = w->kind == TD_PLOT_WIDGET_PLAYER;
  s->serial = w->serial;
  s->changes = w->changes;
  s->look[0] = hot + 2 * held + 4 * (h->focus == w->serial) + 8 * (h->open == w->serial);
  s->look[1] = hot ? h->hover_part : -1;
  s->look[2] = h->open == w->serial ? h->choice : held ? h->shown : 0;
  s->look[3] = player ? td_plot_frames_shown(p) : brush ? h->px : 0;
  s->look[4] = player ? td_plot_frames_step(p, td_plot_frames_count(p) - 1) : brush ? h->py : 0;
  s->look[5] = player ? td_plot_frames_count(p) : 0;
  if (isnan(s->look[4])) s->look[4] = -1;
}

static td_plot_rect reach_of(const td_plot_panel *p, const td_plot_widget *w,
                             td_plot_painter *painter, const td_plot_layout *l,
                             const td_plot_strip *strip) {
  double fs = painter->theme->fontsize, h;
  td_plot_rect r = {0, 0, 0, 0};
  if (td_plot_widget_in_axes(w->kind)) return td_plot_mark_reach(p, w, painter, l);
  for (int i = 0; i < strip->n; i++) {
    const td_plot_spot *s = &strip->spot[i];
    if (s->w->serial != w->serial) continue;
    r = (td_plot_rect){s->cell.x0 - fs, s->cell.y0 - 0.5 * fs, s->cell.x1 + fs,
                       s->cell.y1 + 0.5 * fs};
    if (p->hand.open != w->serial) continue;
    td_plot_rect list = td_plot_spot_list(s, fs, &h);
    add_rect(&r, (td_plot_rect){list.x0 - 2, list.y0 - 2, list.x1 + 2, list.y1 + 2});
  }
  return r;
}

static td_plot_rect compare(td_plot_panel *p, td_plot_painter *painter,
                            const td_plot_layout *l, const td_plot_strip *strip) {
  td_plot_rect all = {0, 0, 0, 0};
  struct td_plot_seen *now = calloc((size_t)p->n + 1, sizeof *now);
  if (!now) return (td_plot_rect){0, 0, l->page.x1, l->page.y1};
  for (int i = 0; i < p->n; i++) {
    look_at(p, &p->widget[i], &now[i]);
    now[i].reach = reach_of(p, &p->widget[i], painter, l, strip);
    int k = 0;
    while (k < p->nseen && p->seen[k].serial != now[i].serial) k++;
    bool same = k < p->nseen && !memcmp(&p->seen[k], &now[i], sizeof *now);
    if (!same) add_rect(&all, now[i].reach);
    if (!same && k < p->nseen) add_rect(&all, p->seen[k].reach);
    if (k < p->nseen) p->seen[k].serial = 0;
  }
  for (int k = 0; k < p->nseen; k++) /* what is gone */
    if (p->seen[k].serial) add_rect(&all, p->seen[k].reach);
  if (p->nseen != p->n) add_rect(&all, strip->box);
  free(p->seen);
  p->seen = now, p->nseen = p->n;
  return all;
}

static td_plot_rect dirty(void *self, td_plot_painter *painter, const td_plot_layout *l,
                          double w, double h) {
  td_plot_panel *p = self;
  td_plot_lock();
  td_plot_strip strip = td_plot_strip_make(p, painter->theme->fontsize, w, h);
  td_plot_rect r = compare(p, painter, l, &strip);
  td_plot_unlock();
  free(strip.spot);
  return r;
}

static void draw(void *self, td_plot_painter *painter, const td_plot_layout *l, double w,
                 double h, unsigned parts) {
  td_plot_lock();
  td_plot_panel *p = td_plot_panel_copy(self);
  td_plot_unlock();
  if (!p) return;
  if (parts & TD_PLOT_OVERLAY_MARKS) td_plot_marks_draw(p, painter, l);
  if (parts & TD_PLOT_OVERLAY_PANEL) {
    td_plot_strip strip = td_plot_strip_make(p, painter->theme->fontsize, w, h);
    td_plot_strip_draw(p, painter, &strip);
    free(strip.spot);
  }
  td_plot_panel_drop(p);
}

static void *copy(const void *self) { return td_plot_panel_copy(self); }
static void drop(void *self) { td_plot_panel_drop(self); }

const td_plot_overlay_class td_plot_panel_class = {
  .room = room, .dirty = dirty, .draw = draw, .event = event, .copy = copy, .drop = drop
};
