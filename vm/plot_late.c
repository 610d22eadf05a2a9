/* plot_late.c -- values of artists that are still on their way from a device.
**
** Nobody waits for a device because of a figure: set and add check shapes, begin to fetch
** the numbers and keep a draft of the options, in which blocks of NaN stand for them.  When
** all of a draft is there it is committed as a whole, at a safe point.  An artist has at
** most two drafts: one that is on its way and arrives whatever comes after it, and one that
** is the newest: a loop that sets values faster than they come shows whole ones of them. */
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "lua/lua_td.h"
#include "vm/plot_lua.h"

typedef struct draft {
  td_plot_artist_options o;
  td_plot_late late;
} draft;

typedef struct push { /* numbers, or what fetches them */
  double v[2];
  td_fetch *fetch[2];
} push;

typedef struct waiting { /* what comes to an artist */
  td_plot_figure *figure; /* owned, and with it the axes; the artist may be gone */
  td_plot_axes *axes;
  int serial, n;
  td_plot_kind kind;
  draft d[2];             /* n of them, the older first */
  push *push;             /* in order; there are none while there are drafts */
  int npush, room;
  struct waiting *next;
} waiting;

static waiting *first;
static bool busy; /* in arrive */

/* ---- values ---------------------------------------------------------------- */
static bool holds_numbers(const td_plot_option *o) {
  return o->kind == TD_PLOT_OPT_DATA || o->kind == TD_PLOT_OPT_COLORS ||
         o->kind == TD_PLOT_OPT_PAIRS;
}

td_tensor *td_plot_late_tensor(lua_State *L, const td_plot_option *o, int idx) {
  td_tensor *t = holds_numbers(o) ? td_lua_test(L, idx) : NULL;
  return t && td_device_of(t) != td_cpu() ? t : NULL;
}

static td_plot_data *field_of(td_plot_artist_options *o, const td_plot_late_value *c, int k) {
  return (td_plot_data *)(void *)((char *)o + c->option->offset) + k;
}

static int fields_of(const td_plot_late_value *c) {
  return c->option->kind == TD_PLOT_OPT_PAIRS ? 2 : 1;
}

static td_fetch *fetch(lua_State *L, td_tensor *t) {
  td_fetch *f = td_fetch_begin(t);
  if (!f) td_lua_raise(L);
  return f;
}

void td_plot_late_begin(lua_State *L, td_plot_late *l, const td_plot_option *o, td_tensor *t,
                        td_plot_data *at) {
  td_plot_late_value *c = &l->of[l->n];
  *c = (td_plot_late_value){.option = o, .fetch = fetch(L, t)};
  l->n++;
  for (int k = 0; k < fields_of(c); k++) {
    at[k].blob->coming = true;
    c->blob[k] = td_plot_blob_keep(at[k].blob);
  }
}

static void coming_drop(td_plot_late_value *c) {
  td_fetch_drop(c->fetch);
  for (int k = 0; k < 2; k++) td_plot_blob_drop(c->blob[k]);
}

void td_plot_late_drop(td_plot_late *l) {
  while (l->n) coming_drop(&l->of[--l->n]);
}

/* ---- who waits ------------------------------------------------------------- */
static waiting *find(const td_plot_artist *a) {
  waiting *w = first;
  while (w && (w->axes != a->axes || w->serial != a->serial)) w = w->next;
  return w;
}

static waiting *find_or_make(const td_plot_artist *a) {
  waiting *w = find(a), **last = &first;
  if (w) return w;
  w = calloc(1, sizeof *w);
  if (!w) {
    td_plot_fail("out of memory");
    return NULL;
  }
  w->figure = td_plot_figure_keep(a->axes->figure);
  w->axes = a->axes, w->serial = a->serial, w->kind = a->kind;
  while (*last) last = &(*last)->next;
  return *last = w;
}

static void draft_drop(td_plot_kind kind, draft *d) {
  td_plot_options_drop(1u << kind, &d->o);
  td_plot_late_drop(&d->late);
}

/* Gives up all that comes to this artist. */
static void clear(waiting *w) {
  while (w->n) draft_drop(w->kind, &w->d[--w->n]);
  for (int i = 0; i < w->npush; i++)
    for (int k = 0; k < 2; k++) td_fetch_drop(w->push[i].fetch[k]);
  w->npush = 0;
}

static void sweep(void) {
  for (waiting **at = &first, *w; (w = *at);) {
    if (w->n || w->npush) {
      at = &w->next;
      continue;
    }
    *at = w->next;
    td_plot_figure_drop(w->figure);
    free(w->push);
    free(w);
  }
}

/* ---- what arrives ---------------------------------------------------------- */
/* Pushes the tensor that *f fetches. */
static td_tensor *arrived(lua_State *L, td_fetch **f) {
  td_tensor **box = td_lua_box(L);
  int mark = td_scope_open();
  *box = td_keep(td_fetch_end(*f));
  *f = NULL;
  td_scope_close(mark);
  if (!*box) td_lua_raise(L);
  return *box;
}

static bool is_there(const waiting *w) {
  const td_plot_late *l = &w->d[0].late;
  bool there = true;
  for (int i = 0; w->n && i < l->n; i++) there = there && td_fetch_done(l->of[i].fetch);
  for (int k = 0; !w->n && w->npush && k < 2; k++)
    there = there && td_fetch_done(w->push[0].fetch[k]);
  return there;
}

/* The numbers take the place of what stands for them, in the newer draft as well. */
static void fill_in(waiting *w, const td_plot_late_value *c, td_plot_artist_options *from) {
  for (int i = 0; i < w->n; i++)
    for (int k = 0; k < fields_of(c); k++) {
      td_plot_data *to = field_of(&w->d[i].o, c, k);
      if (to->blob != c->blob[k]) continue;
      td_plot_data_drop(to);
      *to = *field_of(from, c, k);
      td_plot_blob_keep(to->blob);
    }
}

static void arrive_draft(lua_State *L, waiting *w) {
  unsigned owner = 1u << w->kind;
  td_plot_late *l = &w->d[0].late;
  while (l->n) {
    td_plot_late_value *c = &l->of[l->n - 1];
    arrived(L, &c->fetch);
    td_plot_draft *read = td_plot_lua_draft(L, owner, td_plot_options_default(owner));
    td_plot_lua_read(L, owner, c->option, -2, &read->o);
    fill_in(w, c, &read->o.artist);
    coming_drop(c);
    l->n--;
    lua_pop(L, 2);
  }
  td_plot_artist *a = td_plot_artist_find(w->axes, w->serial);
  if (a && td_plot_artist_commit(a, &w->d[0].o)) td_plot_lua_fail(L);
  draft_drop(w->kind, &w->d[0]);
  w->d[0] = w->d[1];
  memset(&w->d[1], 0, sizeof w->d[1]);
  w->n--;
}

static void arrive_push(lua_State *L, waiting *w) {
  push *p = &w->push[0];
  for (int k = 0; k < 2; k++)
    if (p->fetch[k]) {
      if (td_read_f64(arrived(L, &p->fetch[k]), &p->v[k])) td_lua_raise(L);
      lua_pop(L, 1);
    }
  td_plot_artist *a = td_plot_artist_find(w->axes, w->serial);
  if (a && td_plot_artist_push(a, p->v[0], p->v[1])) td_plot_lua_fail(L);
  memmove(p, p + 1, (size_t)--w->npush * sizeof *p);
}

static int l_arrive_one(lua_State *L) {
  waiting *w = lua_touserdata(L, 1);
  if (w->n) arrive_draft(L, w);
  else if (w->npush) arrive_push(L, w);
  return 0;
}

/* Brings into the figure (NULL: all of them) what is there, or waits for all of it.  What
** fails is given up. */
static void arrive(lua_State *L, const td_plot_figure *f, bool wait) {
  if (!first || busy) return;
  busy = true;
  int rc = LUA_OK;
  luaL_checkstack(L, 4, "figures");
  for (waiting *w = first; w && rc == LUA_OK; w = w->next) {
    if (f && f != w->figure) continue;
    while (rc == LUA_OK && (w->n || w->npush) && (wait || is_there(w))) {
      lua_pushcfunction(L, l_arrive_one);
      lua_pushlightuserdata(L, w);
      rc = lua_pcall(L, 1, 0, 0);
      if (rc != LUA_OK) clear(w);
    }
  }
  sweep();
  busy = false;
  if (rc != LUA_OK) lua_error(L);
}

void td_plot_late_settle(lua_State *L, const td_plot_figure *f) { arrive(L, f, true); }

/* ---- what is set ----------------------------------------------------------- */
const td_plot_artist_options *td_plot_late_options(lua_State *L, const td_plot_artist *a) {
  arrive(L, NULL, false);
  waiting *w = find(a);
  if (w && w->npush) {
    arrive(L, w->figure, true);
    w = find(a);
  }
  return w && w->n ? &w->d[w->n - 1].o : &a->o;
}

bool td_plot_late_is(lua_State *L, const td_plot_artist *a, const td_plot_option *o) {
  const char *options = (const char *)td_plot_late_options(L, a);
  const td_plot_data *d = (const td_plot_data *)(const void *)(options + o->offset);
  bool pairs = o->kind == TD_PLOT_OPT_PAIRS;
  return holds_numbers(o) && (td_plot_coming(d) || (pairs && td_plot_coming(d + 1)));
}

/* The newer options, and of both what of theirs is still to come. */
static void join(td_plot_kind kind, draft *to, td_plot_draft *from) {
  td_plot_late old = to->late;
  td_plot_options_drop(1u << kind, &to->o);
  to->o = from->o.artist;
  to->late.n = 0;
  for (int i = 0; i < old.n; i++) {
    td_plot_late_value *c = &old.of[i];
    bool wanted = false;
    for (int k = 0; k < fields_of(c); k++)
      wanted = wanted || field_of(&to->o, c, k)->blob == c->blob[k];
    if (wanted) to->late.of[to->late.n++] = *c;
    else coming_drop(c);
  }
  for (int i = 0; i < from->late.n; i++) to->late.of[to->late.n++] = from->late.of[i];
  memset(&from->o, 0, sizeof from->o);
  from->late.n = 0;
}

int td_plot_late_commit(td_plot_artist *a, td_plot_draft *d) {
  waiting *w = find(a);
  if ((!w || !w->n) && !d->late.n) return td_plot_artist_commit(a, &d->o.artist);
  if (td_plot_artist_try(a->kind, &d->o.artist) || !(w = find_or_make(a))) return -1;
  if (!w->n || (w->n == 1 && d->late.n)) w->n++;
  join(a->kind, &w->d[w->n - 1], d);
  if (w->n > 1 || w->d[0].late.n) return 0;
  w->n = 0; /* all that was to come has been replaced */
  int rc = td_plot_artist_commit(a, &w->d[0].o);
  draft_drop(a->kind, &w->d[0]);
  if (!busy) sweep();
  return rc;
}

td_plot_artist *td_plot_late_add(lua_State *L, td_plot_axes *ax, td_plot_kind kind,
                                 const char *id, td_plot_draft *d) {
  td_plot_artist *a = id ? td_plot_artist_by_id(ax, kind, id) : NULL;
  if (a) return td_plot_late_commit(a, d) ? NULL : a;
  if (!d->late.n) return td_plot_artist_add(ax, kind, id, &d->o.artist);
  td_plot_draft *unseen = td_plot_lua_draft(L, d->owner, &d->o);
  unseen->o.artist.visible = false;
  a = td_plot_artist_add(ax, kind, id, &unseen->o.artist);
  lua_pop(L, 1);
  if (!a || td_plot_late_commit(a, d) == 0) return a;
  td_plot_artist_remove(ax, a->serial);
  return NULL;
}

/* Is what is pushed, a number or a tensor of one element, on a device? */
static bool is_far(lua_State *L, int idx) {
  td_tensor *t = td_lua_test(L, idx);
  if (!t && lua_type(L, idx) != LUA_TNUMBER)
    td_lua_error(L, "push: numbers are needed, as in push(x, y) or push(y), got %s",
                 luaL_typename(L, idx));
  if (t && td_numel(t) != 1)
    td_lua_error(L, "push: a tensor of one element is needed, got one of %d", (int)td_numel(t));
  return t && td_device_of(t) != td_cpu();
}

static td_status read_pushed(lua_State *L, int idx, double *v, td_fetch **f) {
  td_tensor *t = td_lua_test(L, idx);
  if (!t) *v = lua_tonumber(L, idx);
  else if (td_device_of(t) == td_cpu()) return td_read_f64(t, v);
  else if (!(*f = td_fetch_begin(t))) return td_error_code();
  return TD_OK;
}

static push *new_push(waiting *w) {
  if (w->npush == w->room) {
    int room = 2 * w->room + 16;
    push *p = realloc(w->push, (size_t)room * sizeof *p);
    if (!p) {
      td_plot_fail("out of memory");
      return NULL;
    }
    w->push = p, w->room = room;
  }
  return &w->push[w->npush];
}

int td_plot_late_push(lua_State *L, td_plot_artist *a, int idx) {
  int n = lua_isnoneornil(L, idx + 1) ? 1 : 2;
  bool far = false;
  for (int k = 0; k < n; k++) far = is_far(L, idx + k) || far;
  if (td_plot_artist_grows(a)) return -1;
  arrive(L, NULL, false);
  waiting *w = find(a);
  if (w && w->n) {
    arrive(L, w->figure, true);
    w = find(a);
  }
  push p = {.v = {(double)a->o.x.n + (w ? w->npush : 0) + 1}};
  td_status st = TD_OK;
  int mark = td_scope_open();
  for (int k = 0; k < n && !st; k++)
    st = read_pushed(L, idx + k, &p.v[k + 2 - n], &p.fetch[k + 2 - n]);
  td_scope_close(mark);
  if (!st && !w && !far) return td_plot_artist_push(a, p.v[0], p.v[1]);
  push *to = !st && (w = find_or_make(a)) ? new_push(w) : NULL;
  if (to) {
    *to = p;
    w->npush++;
    return 0;
  }
  for (int k = 0; k < 2; k++) td_fetch_drop(p.fetch[k]);
  return st ? td_lua_raise(L) : -1;
}

/* ---- module tide.plot.late ------------------------------------------------- */
/* arrive(): brings in what is there; is something still to come? */
static int l_arrive(lua_State *L) {
  arrive(L, NULL, false);
  lua_pushboolean(L, first != NULL);
  return 1;
}

/* settle([figure]): waits for all that is to come */
static int l_settle(lua_State *L) {
  arrive(L, lua_isnoneornil(L, 1) ? NULL : td_plot_lua_figure(L, 1), true);
  return 0;
}

int luaopen_tide_plot_late(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"arrive", l_arrive}, {"settle", l_settle}, {NULL, NULL}
  };
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.plot.late", luaopen_tide_plot_late);
}
