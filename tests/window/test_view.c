/* test_view.c -- one window without a window: input, limits, layers, odd data.
**
** time limit: 200 s */
#include "tests/window/figures.h"

#define W 480
#define H 320

static const td_plot_limits ten = {0, 10}, from_data = {NAN, NAN};
static const double xs[] = {1, 3, 5, 9}, ys[] = {2, 8, 4, 6};

static td_plot_view *open_view(td_plot_figure *f) {
  td_plot_view *v = td_plot_view_new(f, 1.5);
  td_plot_figure_drop(f);
  td_plot_view_resize(v, W, H);
  return v;
}

static int draw(td_plot_view *v, td_plot_region *dirty) {
  td_plot_region r;
  return td_plot_view_draw(v, 0, dirty ? dirty : &r);
}

static void put(td_plot_view *v, td_plot_event_kind kind, double x, double y, int button) {
  td_plot_view_input(v, (td_plot_event){.kind = kind, .x = x, .y = y, .button = button,
                                        .clicks = 1});
}

static void type(td_plot_view *v, int key) {
  td_plot_view_input(v, (td_plot_event){.kind = TD_PLOT_KEY, .key = key});
}

static const td_plot_axes_layout *layout(const td_plot_view *v, int i) {
  return &td_plot_canvas_layout(v->canvas)->axes[i];
}

/* The pixel at these parts of the box of axes i. */
static void place(const td_plot_view *v, int i, double ux, double uy, double *x, double *y) {
  td_plot_rect b = layout(v, i)->box;
  *x = floor((b.x0 + ux * (b.x1 - b.x0)) * v->scale);
  *y = floor((b.y1 - uy * (b.y1 - b.y0)) * v->scale);
}

/* Does a new view of the same figure, with the same choices of the person and the same
** layout, show the same? */
static bool same_as_new(td_plot_view *v) {
  td_plot_view *n = td_plot_view_new(v->figure, v->scale);
  td_plot_view_resize(n, v->w, v->h);
  n->own = malloc((size_t)v->nown * sizeof *n->own + 1);
  if (v->nown) memcpy(n->own, v->own, (size_t)v->nown * sizeof *n->own);
  n->nown = v->nown;
  n->page_w = v->page_w, n->page_h = v->page_h;
  td_plot_figure *f = td_plot_view_snapshot(n);
  td_plot_region r;
  f->like = td_plot_canvas_layout(v->canvas), f->calm = true;
  int w, h, rc = td_plot_canvas_draw(n->canvas, f, n->scale, &r);
  if (rc == 0) rc = draw(n, NULL);
  n->inside = v->inside, n->x = v->x, n->y = v->y, n->help = v->help;
  n->drag = v->drag, n->axes = v->axes, n->fromx = v->fromx, n->fromy = v->fromy;
  n->covered = v->covered;
  n->touched = true;
  if (rc == 0) rc = draw(n, NULL);
  ptrdiff_t s, t;
  const uint32_t *a = td_plot_view_pixels(v, &w, &h, &s);
  const uint32_t *b = td_plot_view_pixels(n, &w, &h, &t);
  bool same = rc == 0 && a && b && s == t;
  for (int i = 0; same && i < h; i++)
    for (int j = 0; j < w; j++)
      same &= (a[i * s + j] & 0xffffff) == (b[i * t + j] & 0xffffff);
  n->drag = TD_PLOT_IDLE;
  td_plot_view_free(n);
  return same;
}

/* How many pixels have this colour. */
static int count_pixels(const td_plot_view *v, uint32_t rgb) {
  int w, h, n = 0;
  ptrdiff_t s;
  const uint32_t *p = td_plot_view_pixels(v, &w, &h, &s);
  for (int i = 0; i < h; i++)
    for (int j = 0; j < w; j++) n += (p[i * s + j] & 0xffffff) == rgb;
  return n;
}

/* ---- limits -------------------------------------------------------------- */
TEST(a_drag_of_many_motions_moves_the_limits_once) {
  td_plot_view *v = open_view(make_figure(1, 320, 200));
  add_artist(make_axes(v->figure, 0, ten, ten), TD_PLOT_LINE, NULL, 4, xs, ys);
  REQUIRE(draw(v, NULL) == 0);
  double x0, y0, x1, y1;
  place(v, 0, 0.2, 0.2, &x0, &y0);
  place(v, 0, 0.7, 0.5, &x1, &y1);
  td_plot_rect b = layout(v, 0)->box;
  put(v, TD_PLOT_PRESS, x0, y0, TD_PLOT_LEFT);
  for (int k = 1; k <= 500; k++)
    put(v, TD_PLOT_HOVER, x0 + (x1 - x0) * k / 500, y0 + (y1 - y0) * k / 500, 0);
  put(v, TD_PLOT_RELEASE, x1, y1, TD_PLOT_LEFT);
  REQUIRE(draw(v, NULL) == 0);
  const td_plot_scale *x = &layout(v, 0)->axis[0].scale, *y = &layout(v, 0)->axis[1].scale;
  double du = (x1 - x0) / v->scale / (b.x1 - b.x0), dv = (y0 - y1) / v->scale / (b.y1 - b.y0);
  CHECK_NEAR(x->lo, -10 * du, 1e-9);
  CHECK_NEAR(x->hi, 10 - 10 * du, 1e-9);
  CHECK_NEAR(y->lo, -10 * dv, 1e-9);
  CHECK(same_as_new(v));
  /* back, and forward again */
  double there = x->lo;
  type(v, 'b');
  REQUIRE(draw(v, NULL) == 0);
  CHECK_NEAR(layout(v, 0)->axis[0].scale.lo, 0, 0);
  type(v, 'b');
  type(v, 'n');
  REQUIRE(draw(v, NULL) == 0);
  CHECK_NEAR(layout(v, 0)->axis[0].scale.lo, there, 0);
  type(v, 'n');
  REQUIRE(draw(v, NULL) == 0);
  CHECK_NEAR(layout(v, 0)->axis[0].scale.lo, there, 0);
  td_plot_view_free(v);
}

TEST(a_press_that_does_not_move_is_no_view_of_its_own) {
  td_plot_view *v = open_view(make_figure(1, 320, 200));
  add_artist(make_axes(v->figure, 0, ten, ten), TD_PLOT_LINE, NULL, 4, xs, ys);
  REQUIRE(draw(v, NULL) == 0);
  put(v, TD_PLOT_PRESS, 200, 150, TD_PLOT_LEFT);
  put(v, TD_PLOT_RELEASE, 200, 150, TD_PLOT_LEFT);
  CHECK_INT(v->npast, 0);
  put(v, TD_PLOT_RELEASE, 200, 150, TD_PLOT_LEFT);
  put(v, TD_PLOT_PRESS, -100, 9999, TD_PLOT_LEFT);
  put(v, TD_PLOT_RELEASE, -100, 9999, TD_PLOT_LEFT);
  td_plot_view_free(v);
}

TEST(zooms_end_where_numbers_do) {
  for (int log = 0; log < 2; log++) {
    td_plot_view *v = open_view(make_figure(1, 320, 200));
    td_plot_axes *ax = make_axes(v->figure, 0, (td_plot_limits){1, 10}, (td_plot_limits){1, 10});
    add_artist(ax, TD_PLOT_LINE, NULL, 4, xs, ys);
    add_artist(ax, TD_PLOT_SCATTER, NULL, 4, xs, ys);
    if (log) add_heatmap(ax, 8, 9);
    REQUIRE(draw(v, NULL) == 0);
    if (log) type(v, 'l');
    for (int way = 1; way >= -1; way -= 2) {
      double least = INFINITY, most = 0;
      for (int k = 0; k < 400; k++) {
        put(v, TD_PLOT_HOVER, 200, 150, 0);
        td_plot_view_input(v, (td_plot_event){.kind = TD_PLOT_WHEEL, .steps = way * 2,
                                              .time = k});
        if (draw(v, NULL)) FAIL("not drawn: %s", td_plot_error());
        const td_plot_scale *s = &layout(v, 0)->axis[0].scale;
        double span = s->hi - s->lo;
        if (!(span > 0) || !isfinite(span)) FAIL("limits %g to %g", s->lo, s->hi);
        least = fmin(least, span), most = fmax(most, span);
      }
      if (way > 0) CHECK(least < 1e-11);
      else CHECK(log || most > 1e12); /* log y has no more decades */
    }
    CHECK_INT(v->npast, TD_PLOT_PAST);
    td_plot_view_free(v);
  }
}

TEST(linked_axes_move_together) {
  td_plot_view *v[2];
  for (int k = 0; k < 2; k++) {
    v[k] = open_view(make_figure(2, 400, 200));
    for (int c = 0; c < 2; c++) {
      td_plot_axes *ax = make_axes(v[k]->figure, c, ten, ten);
      td_plot_axes_options o;
      td_plot_options_copy(TD_PLOT_OWNER_AXES, &o, &ax->o);
      td_plot_data_strings(&o.link[c == 0 ? 2 : 0], "one", 4, 1); /* link, linkx */
      td_plot_axes_commit(ax, &o);
      add_artist(ax, TD_PLOT_LINE, NULL, 4, xs, ys);
    }
    REQUIRE(draw(v[k], NULL) == 0);
  }
  double x, y;
  place(v[0], 0, 0.5, 0.5, &x, &y);
  put(v[0], TD_PLOT_PRESS, x, y, TD_PLOT_LEFT);
  put(v[0], TD_PLOT_HOVER, x + 30, y + 20, 0);
  put(v[0], TD_PLOT_RELEASE, x + 30, y + 20, TD_PLOT_LEFT);
  for (int i = 0; i < v[0]->nlinked; i++) td_plot_view_follow(v[1], &v[0]->linked[i]);
  CHECK_INT(v[0]->nlinked, 2);
  for (int k = 0; k < 2; k++) {
    REQUIRE(draw(v[k], NULL) == 0);
    for (int c = 0; c < 2; c++) {
      CHECK_NEAR(layout(v[k], c)->axis[0].scale.lo, layout(v[0], 0)->axis[0].scale.lo, 0);
      CHECK_NEAR(layout(v[k], c)->axis[1].scale.lo,
                 c ? 0 : layout(v[0], 0)->axis[1].scale.lo, 0);
    }
    CHECK(layout(v[k], 0)->axis[0].scale.lo < 0);
    CHECK(same_as_new(v[k]));
  }
  for (int k = 0; k < 2; k++) td_plot_view_free(v[k]);
}

/* ---- the legend ---------------------------------------------------------- */
TEST(a_click_on_a_name_hides_and_shows) {
  td_plot_view *v = open_view(make_figure(1, 320, 200));
  td_plot_axes *ax = make_axes(v->figure, 0, ten, from_data);
  td_plot_artist *a = add_artist(ax, TD_PLOT_LINE, "one", 4, xs, ys);
  double high[] = {200, 300, 400, 500};
  add_artist(ax, TD_PLOT_LINE, "two", 4, xs, high);
  REQUIRE(draw(v, NULL) == 0);
  td_plot_rect r = layout(v, 0)->legend;
  CHECK(r.x1 > r.x0);
  CHECK(layout(v, 0)->axis[1].scale.hi > 400);
  double x = (r.x0 + r.x1) / 2 * v->scale, y = (r.y0 + 0.72 * (r.y1 - r.y0)) * v->scale;
  put(v, TD_PLOT_PRESS, x, y, TD_PLOT_LEFT);
  put(v, TD_PLOT_RELEASE, x, y, TD_PLOT_LEFT);
  put(v, TD_PLOT_LEAVE, 0, 0, 0);
  REQUIRE(draw(v, NULL) == 0);
  CHECK(layout(v, 0)->axis[1].scale.hi < 20); /* limits forget it */
  CHECK_NEAR(layout(v, 0)->legend.y0, r.y0, 1);
  CHECK(layout(v, 0)->axes->artists[1]->hidden);
  CHECK(!layout(v, 0)->axes->artists[0]->hidden);
  CHECK(v->figure->axes[0]->artists[1]->o.visible); /* the figure is as it was */
  put(v, TD_PLOT_PRESS, x, y, TD_PLOT_LEFT);
  put(v, TD_PLOT_RELEASE, x, y, TD_PLOT_LEFT);
  put(v, TD_PLOT_LEAVE, 0, 0, 0);
  REQUIRE(draw(v, NULL) == 0);
  CHECK(layout(v, 0)->axis[1].scale.hi > 400);
  CHECK(same_as_new(v));
  (void)a;
  td_plot_view_free(v);
}

TEST(a_legend_stays_where_it_is_while_a_person_drags) {
  td_plot_view *v = open_view(make_figure(1, 320, 200));
  td_plot_axes *ax = make_axes(v->figure, 0, (td_plot_limits){-3, 3}, (td_plot_limits){-3, 3});
  double x[400], y[400];
  uint64_t state = 7;
  for (int i = 0; i < 400; i++) x[i] = draw_number(&state) * 3, y[i] = draw_number(&state) * 3;
  add_artist(ax, TD_PLOT_SCATTER, "points", 400, x, y); /* upper right */
  REQUIRE(draw(v, NULL) == 0);
  int place0 = layout(v, 0)->legend_place;
  double px, py;
  place(v, 0, 0.5, 0.5, &px, &py);
  put(v, TD_PLOT_PRESS, px, py, TD_PLOT_LEFT);
  for (int k = 1; k < 40; k++) {
    put(v, TD_PLOT_HOVER, px - 5 * k, py + 3 * (k % 10), 0);
    REQUIRE(draw(v, NULL) == 0);
    CHECK_INT(layout(v, 0)->legend_place, place0);
  }
  put(v, TD_PLOT_RELEASE, px, py, TD_PLOT_LEFT);
  td_plot_view_free(v);
}

/* ---- the overlay --------------------------------------------------------- */
typedef struct thing { /* a square that can be dragged, and a panel below */
  double x, y, seenx, seeny, below;
  int presses, drags, releases, cancels, hovers, keys, drawn, dropped, copies;
  bool held;
  double at[3];
} thing;

static td_plot_rect around(double x, double y) {
  return (td_plot_rect){x - 5, y - 5, x + 5, y + 5};
}

static void thing_room(void *self, struct td_plot_painter *p, double w, double h,
                       double *right, double *below) {
  (void)p, (void)w, (void)h, (void)right;
  *below = ((thing *)self)->below;
}

static td_plot_rect thing_dirty(void *self, struct td_plot_painter *p,
                                const struct td_plot_layout *l, double w, double h) {
  thing *t = self;
  (void)p, (void)l, (void)w, (void)h;
  if (t->x == t->seenx && t->y == t->seeny) return (td_plot_rect){0, 0, 0, 0};
  td_plot_rect a = around(t->x, t->y), b = around(t->seenx, t->seeny);
  t->seenx = t->x, t->seeny = t->y;
  return (td_plot_rect){fmin(a.x0, b.x0), fmin(a.y0, b.y0), fmax(a.x1, b.x1),
                        fmax(a.y1, b.y1)};
}

static void thing_draw(void *self, struct td_plot_painter *p,
                       const struct td_plot_layout *l, double w, double h, unsigned parts) {
  thing *t = self;
  (void)l, (void)w, (void)h;
  t->drawn++;
  td_plot_rgba red = {1, 0, 0, 1};
  td_plot_set_color(p, red, 1);
  double lw = 8;
  if (parts & TD_PLOT_OVERLAY_MARKS) td_plot_rule(p, t->x - 4, t->y, t->x + 4, t->y, lw);
}

static bool thing_event(void *self, const td_plot_event *e) {
  thing *t = self;
  bool on = fabs(e->x - t->x) < 5 && fabs(e->y - t->y) < 5;
  switch (e->kind) {
    case TD_PLOT_PRESS:
      t->presses += on;
      t->held = on;
      return on;
    case TD_PLOT_DRAG:
      t->drags++;
      t->x = e->x, t->y = e->y;
      memcpy(t->at, e->at, sizeof t->at);
      return true;
    case TD_PLOT_RELEASE: t->releases++; return true;
    case TD_PLOT_CANCEL: t->cancels++; return true;
    case TD_PLOT_HOVER: t->hovers++; return on;
    case TD_PLOT_KEY: t->keys++; return e->key == 's';
    default: return false;
  }
}

static void *thing_copy(const void *self) {
  thing *t = malloc(sizeof *t);
  *t = *(const thing *)self;
  ((thing *)self)->copies++;
  return t;
}

static thing last; /* as it was dropped */
static void thing_drop(void *self) {
  last = *(thing *)self;
  free(self);
}

static const td_plot_overlay_class things = {
  thing_room, thing_dirty, thing_draw, thing_event, thing_copy, thing_drop
};

static td_plot_view *view_with_thing(thing **t) {
  td_plot_view *v = open_view(make_figure(1, 320, 200));
  add_artist(make_axes(v->figure, 0, ten, ten), TD_PLOT_LINE, NULL, 4, xs, ys);
  *t = calloc(1, sizeof **t);
  (*t)->x = (*t)->seenx = 160, (*t)->y = (*t)->seeny = 100;
  CHECK(td_plot_overlay_set(v->figure, &things, *t));
  CHECK(!td_plot_overlay_set(v->figure, &things, *t));
  return v;
}

TEST(what_lies_above_is_asked_first) {
  thing *t;
  td_plot_view *v = view_with_thing(&t);
  REQUIRE(draw(v, NULL) == 0);
  put(v, TD_PLOT_PRESS, 240, 150, TD_PLOT_LEFT);
  CHECK_INT(t->presses, 1);
  for (int k = 1; k <= 20; k++) put(v, TD_PLOT_HOVER, 240 + 2 * k, 150 - k, 0);
  CHECK_INT(t->drags, 20);
  double lo = layout(v, 0)->axis[0].scale.lo;
  td_plot_region dirty;
  REQUIRE(draw(v, &dirty) == 0);
  CHECK_NEAR(layout(v, 0)->axis[0].scale.lo, lo, 0); /* nothing was panned */
  td_plot_pixel_box b = td_plot_region_bounds(&dirty);
  CHECK(b.x1 - b.x0 <= 60 && b.y1 - b.y0 <= 40); /* little was drawn */
  CHECK(count_pixels(v, 0xff0000) > 50);
  CHECK(same_as_new(v));
  td_plot_rect box = layout(v, 0)->box;
  CHECK_NEAR(t->at[0], 10 * (t->x - box.x0) / (box.x1 - box.x0), 1e-9);
  put(v, TD_PLOT_HOVER, -50, 900, 0); /* far outside: still its drag, with a place */
  CHECK(t->at[0] < 0 && t->at[1] < 0);
  put(v, TD_PLOT_RELEASE, 200, 100, TD_PLOT_RIGHT); /* another button */
  CHECK_INT(t->releases, 0);
  put(v, TD_PLOT_RELEASE, 200, 100, TD_PLOT_LEFT);
  CHECK_INT(t->releases, 1);
  type(v, 's'); /* taken: no file is saved */
  CHECK_INT(t->keys, 1);
  CHECK(!*v->note);
  put(v, TD_PLOT_PRESS, 300, 200, TD_PLOT_LEFT); /* not on it: the window's */
  put(v, TD_PLOT_HOVER, 330, 200, 0);
  CHECK_INT(v->drag, TD_PLOT_PAN);
  put(v, TD_PLOT_RELEASE, 330, 200, TD_PLOT_LEFT);
  td_plot_view_free(v);
  CHECK_INT(last.releases, 1);
}

TEST(a_drag_that_is_broken_off_is_cancelled) {
  thing *t;
  td_plot_view *v = view_with_thing(&t);
  REQUIRE(draw(v, NULL) == 0);
  put(v, TD_PLOT_PRESS, 240, 150, TD_PLOT_LEFT);
  type(v, TD_PLOT_KEY_ESCAPE);
  CHECK_INT(t->cancels, 1);
  put(v, TD_PLOT_RELEASE, 240, 150, TD_PLOT_LEFT);
  CHECK_INT(t->releases, 0);
  put(v, TD_PLOT_PRESS, 240, 150, TD_PLOT_LEFT);
  td_plot_view_resize(v, W + 20, H);
  CHECK_INT(t->cancels, 2);
  td_plot_view_free(v);
}

TEST(in_a_small_window_all_is_smaller) {
  td_plot_view *v = open_view(make_figure(1, 300, 200));
  v->full_w = W, v->full_h = H;
  td_plot_view_resize(v, W / 2, 2 * H);
  CHECK_NEAR(v->scale, 1.5, 1e-9); /* letters of one part stay for long */
  td_plot_view_resize(v, W / 4, H);
  CHECK_NEAR(v->scale, 0.75, 1e-9);
  type(v, '+');
  td_plot_view_resize(v, W, H);
  CHECK_NEAR(v->scale, 1.5 * 1.1, 1e-9);
  type(v, '-');
  v->several = true;
  td_plot_view_resize(v, W, H * 85 / 100);
  CHECK_NEAR(v->scale, 1.5, 0.01);
  td_plot_view_resize(v, W, H * 6 / 10);
  CHECK_NEAR(v->scale, 1.5 * 0.6 / 0.85, 0.01);
  td_plot_view_resize(v, W, 20);
  CHECK_NEAR(v->scale, 0.75, 1e-9);
  td_plot_view_free(v);
}

TEST(a_panel_gets_its_strip) {
  thing *t;
  td_plot_view *v = view_with_thing(&t);
  REQUIRE(draw(v, NULL) == 0);
  CHECK_NEAR(td_plot_canvas_layout(v->canvas)->page.y1, H / 1.5, 1e-9);
  t->below = 60;
  td_plot_overlay_changed(v->figure);
  CHECK(td_plot_view_touched(v, 0));
  REQUIRE(draw(v, NULL) == 0);
  CHECK(!td_plot_view_touched(v, 0));
  CHECK_NEAR(td_plot_canvas_layout(v->canvas)->page.y1, (H - 90) / 1.5, 1e-9);
  int w, h;
  ptrdiff_t s;
  const uint32_t *p = td_plot_view_pixels(v, &w, &h, &s);
  CHECK_INT(w, W);
  CHECK_INT(h, H);
  CHECK_INT(p[(H - 5) * s + 7] & 0xffffff, 0xffffff);
  t->below = 5000; /* more than there is: axes keep a little */
  td_plot_overlay_changed(v->figure);
  REQUIRE(draw(v, NULL) == 0);
  CHECK(v->page_h >= 1);
  td_plot_view_free(v);
}

TEST(files_show_what_lies_above) {
  thing *t;
  td_plot_view *v = view_with_thing(&t);
  td_plot_bytes with = {.n = 0}, without = {.n = 0};
  td_plot_output o = {.scale = 1};
  int w, h, red = 0;
  REQUIRE(td_plot_pixels(v->figure, &o, 3, &with, &w, &h) == 0);
  for (int i = 0; i < w * h; i++)
    red += with.data[3 * i] == 255 && !with.data[3 * i + 1] && !with.data[3 * i + 2];
  CHECK(red > 30);
  td_plot_figure *s = td_plot_snapshot(v->figure);
  CHECK(!s->overlay);
  td_plot_snapshot_overlay(s, v->figure);
  CHECK_INT(t->copies, 2);
  t->x = 30;
  REQUIRE(td_plot_pixels(s, &o, 3, &without, &w, &h) == 0);
  CHECK(memcmp(with.data, without.data, with.n) == 0); /* of then, not of now */
  td_plot_figure_drop(s);
  free(with.data);
  free(without.data);
  td_plot_view_free(v);
}

/* ---- layers -------------------------------------------------------------- */
/* One step of what persons and scripts may do. */
static void do_something(td_plot_view *v, uint64_t *state, td_plot_artist **a) {
  double x = draw_number(state) * W, y = draw_number(state) * H, px[50], py[50];
  switch ((int)(draw_number(state) * 14)) {
    case 0: put(v, TD_PLOT_PRESS, x, y, 1 + (int)(draw_number(state) * 3)); break;
    case 1: put(v, TD_PLOT_RELEASE, x, y, v->button); break;
    case 2: case 3: case 4: put(v, TD_PLOT_HOVER, x, y, 0); break;
    case 5:
      td_plot_view_input(v, (td_plot_event){.kind = TD_PLOT_WHEEL,
                                            .steps = draw_number(state) * 2 - 1});
      break;
    case 6: type(v, "ghfbn"[(int)(draw_number(state) * 5)]); break;
    case 7: type(v, draw_number(state) < 0.3 ? '?' : TD_PLOT_KEY_ESCAPE); break;
    case 8: put(v, TD_PLOT_LEAVE, 0, 0, 0); break;
    case 9: td_plot_artist_push(a[0], draw_number(state) * 10, draw_number(state) * 10); break;
    case 10: td_plot_artist_push(a[2], draw_number(state) * 10, 0); break;
    case 11: td_plot_overlay_changed(v->figure); break;
    case 12:
      td_plot_view_resize(v, W + 20 * (int)(draw_number(state) * 4), H);
      break;
    default:
      for (int i = 0; i < 50; i++)
        px[i] = draw_number(state) * 10, py[i] = draw_number(state) * 10;
      set_numbers(a[1], 50, px, py);
  }
}

TEST(what_is_drawn_again_is_what_changed) {
  uint64_t state = 1;
  thing *t;
  td_plot_view *v = open_view(make_figure(2, 400, 220));
  td_plot_axes *ax = make_axes(v->figure, 0, ten, ten), *bx = make_axes(v->figure, 1, ten, ten);
  add_heatmap(ax, 16, 8);
  td_plot_artist *a[] = {add_artist(ax, TD_PLOT_LINE, NULL, 4, xs, ys),
                         add_artist(ax, TD_PLOT_SCATTER, NULL, 4, xs, ys),
                         add_artist(bx, TD_PLOT_LINE, NULL, 4, xs, ys)};
  t = calloc(1, sizeof *t);
  t->x = t->seenx = 90, t->y = t->seeny = 80, t->below = 20;
  td_plot_overlay_set(v->figure, &things, t);
  for (int k = 0; k < 400; k++) {
    do_something(v, &state, a);
    if (draw(v, NULL)) FAIL("step %d: %s", k, td_plot_error());
    if (k % 3) continue;
    if (!same_as_new(v)) FAIL("step %d: the picture is not that of a new window", k);
  }
  td_plot_view_free(v);
}

TEST(windows_of_all_sizes) {
  uint64_t state = 3;
  td_plot_view *v = open_view(make_figure(2, 400, 220));
  add_artist(make_axes(v->figure, 0, ten, from_data), TD_PLOT_LINE, "name", 4, xs, ys);
  add_heatmap(make_axes(v->figure, 1, ten, ten), 16, 8);
  for (int k = 0; k < 150; k++) {
    double u = draw_number(&state);
    td_plot_view_resize(v, (int)(u * u * 900), (int)(draw_number(&state) * 500));
    put(v, TD_PLOT_HOVER, draw_number(&state) * 900, draw_number(&state) * 500, 0);
    draw(v, NULL); /* one of no pixels has no picture, and that is all */
  }
  td_plot_view_resize(v, W, H);
  REQUIRE(draw(v, NULL) == 0);
  CHECK(same_as_new(v));
  td_plot_view_free(v);
}

/* ---- odd data ------------------------------------------------------------ */
TEST(odd_data_are_no_trouble) {
  static const double odd[][4] = {
    {NAN, NAN, NAN, NAN}, {1, INFINITY, -INFINITY, 2}, {5, 5, 5, 5}, {1, NAN, 3, 4},
    {1e300, -1e300, 1e-300, 0}, {0, 0, 0, 0}, {1e-320, 2e-320, 0, 1}, {-1, -2, -3, -4}
  };
  td_plot_view *v = open_view(make_figure(2, 400, 220));
  td_plot_axes *ax = make_axes(v->figure, 0, from_data, from_data);
  td_plot_axes *bx = make_axes(v->figure, 1, from_data, from_data);
  td_plot_artist *a = add_artist(ax, TD_PLOT_LINE, "a", 4, xs, ys);
  td_plot_artist *b = add_artist(bx, TD_PLOT_SCATTER, NULL, 4, xs, ys);
  add_artist(bx, TD_PLOT_LINE, NULL, 0, xs, ys);
  int n = sizeof odd / sizeof *odd;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      for (size_t count = 0; count <= 4; count += count ? 3 : 1) {
        set_numbers(a, count, odd[i], odd[j]);
        set_numbers(b, count, odd[j], odd[i]);
        put(v, TD_PLOT_HOVER, 100, 100, 0);
        type(v, j % 2 ? 'l' : 'f');
        if (draw(v, NULL)) FAIL("%d, %d: %s", i, j, td_plot_error());
        for (int d = 0; d < 2; d++) {
          const td_plot_scale *s = &layout(v, 0)->axis[d].scale;
          if (!isfinite(s->lo) || !isfinite(s->hi) || s->lo == s->hi)
            FAIL("%d, %d: limits %g to %g", i, j, s->lo, s->hi);
        }
      }
  set_numbers(a, 4, xs, ys);
  set_numbers(b, 4, xs, ys);
  put(v, TD_PLOT_LEAVE, 0, 0, 0);
  REQUIRE(draw(v, NULL) == 0);
  CHECK(same_as_new(v));
  td_plot_view_free(v);
}

/* Limits of data that grow are those of all of them, however they are found. */
TEST(extents_of_growing_data) {
  td_plot_figure *f = make_figure(1, 320, 200);
  td_plot_artist *a = add_artist(make_axes(f, 0, from_data, from_data), TD_PLOT_LINE, NULL, 0,
                                 xs, ys);
  uint64_t state = 5;
  double lo = INFINITY, hi = -INFINITY, least = INFINITY;
  for (int k = 0; k < 5000; k++) {
    double y = k % 97 == 0 ? NAN : k % 89 == 0 ? INFINITY : draw_number(&state) * 20 - 10;
    td_plot_artist_push(a, k, y);
    if (isfinite(y)) lo = fmin(lo, y), hi = fmax(hi, y);
    if (isfinite(y) && y > 0) least = fmin(least, y);
    if (k % 500 && k < 4990) continue;
    td_plot_extent e = td_plot_data_extent(&a->o.y, 0, a->o.y.n);
    CHECK_NEAR(e.lo, lo, 0);
    CHECK_NEAR(e.hi, hi, 0);
    CHECK_NEAR(e.least, least, 0);
    CHECK(td_plot_data_rises(&a->o.x));
    CHECK(!td_plot_data_rises(&a->o.y) || k < 2);
  }
  for (int k = 0; k < 200; k++) {
    size_t from = (size_t)(draw_number(&state) * 5000), to = (size_t)(draw_number(&state) * 5001);
    td_plot_extent e = td_plot_data_extent(&a->o.y, from, to);
    lo = INFINITY;
    for (size_t i = from; i < to; i++)
      if (isfinite(td_plot_numbers(&a->o.y)[i])) lo = fmin(lo, td_plot_numbers(&a->o.y)[i]);
    CHECK_NEAR(e.lo, lo, 0);
  }
  td_plot_artist_push(a, 10, 0);
  CHECK(!td_plot_data_rises(&a->o.x));
  td_plot_figure_drop(f);
}
