/* plot_lua.c -- module tide.plot.core: figures, axes and artists for Lua.
**
** A handle keeps its figure alive; axes live as long as the figure, and artists
** are found by their serial number, so that a handle of a removed artist gives
** an error and nothing worse. lua/tide/plot.lua adds the friendly forms. */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/lua_td.h"
#include "vm/plot_lua.h"

#define FIGURE "tide.plot.Figure"
#define AXES "tide.plot.Axes"
#define ARTIST "tide.plot.Artist"
#define GIF "tide.plot.Gif"

typedef struct handle {
  td_plot_figure *figure; /* owned */
  td_plot_axes *axes;     /* Axes, Artist */
  int serial;             /* Artist */
  td_plot_kind kind;
} handle;

static handle *push_handle(lua_State *L, td_plot_figure *f, const char *type) {
  handle *h = lua_newuserdatauv(L, sizeof *h, 1); /* of axes: their Figure */
  *h = (handle){.figure = NULL};
  luaL_setmetatable(L, type);
  h->figure = td_plot_figure_keep(f);
  return h;
}

static handle *check(lua_State *L, int idx, const char *type) {
  handle *h = luaL_testudata(L, idx, type);
  if (!h) td_lua_typeerror(L, idx, type);
  /* A weak table still has keys whose finaliser has run. */
  if (!h->figure) td_lua_error(L, "this %s has been collected", type);
  return h;
}

td_plot_figure *td_plot_lua_figure(lua_State *L, int idx) {
  return check(L, idx, FIGURE)->figure;
}

td_plot_figure *td_plot_lua_left(lua_State *L, int idx) {
  const handle *h = luaL_testudata(L, idx, FIGURE);
  return h ? h->figure : NULL;
}
static td_plot_figure *check_figure(lua_State *L) {
  return td_plot_lua_figure(L, 1);
}
td_plot_axes *td_plot_lua_axes(lua_State *L, int idx) {
  return check(L, idx, AXES)->axes;
}
static td_plot_axes *check_axes(lua_State *L) { return td_plot_lua_axes(L, 1); }

static td_plot_artist *artist_of(lua_State *L, const handle *h) {
  td_plot_artist *a = td_plot_artist_find(h->axes, h->serial);
  if (!a) td_lua_error(L, "this %s was removed from its axes",
                       td_plot_kind_name(h->kind));
  return a;
}

static int handle_gc(lua_State *L) {
  handle *h = lua_touserdata(L, 1);
  td_plot_figure_drop(h->figure);
  h->figure = NULL;
  return 0;
}

static int handle_eq(lua_State *L) {
  const handle *a = lua_touserdata(L, 1), *b = lua_touserdata(L, 2);
  lua_pushboolean(L, a && b && lua_rawlen(L, 1) == sizeof *a &&
                         lua_rawlen(L, 2) == sizeof *b &&
                         a->figure == b->figure && a->axes == b->axes &&
                         a->serial == b->serial);
  return 1;
}

/* An integer option of the table at idx, at least 1. */
static int count_option(lua_State *L, int idx, const char *what, const char *key,
                        int standard) {
  int n = standard;
  if (!lua_istable(L, idx)) return n;
  if (lua_getfield(L, idx, key) != LUA_TNIL) {
    int exact;
    lua_Integer v = lua_tointegerx(L, -1, &exact);
    if (!exact || lua_type(L, -1) != LUA_TNUMBER || v < 1 || v > 64)
      td_lua_error(L, "%s: %s is a whole number from 1 to 64, got %s", what, key,
                   luaL_tolstring(L, -1, NULL));
    n = (int)v;
  }
  lua_pop(L, 1);
  return n;
}

/* ---- figures ------------------------------------------------------------- */
static int set_figure(lua_State *L, td_plot_figure *f, int idx, const char *skip) {
  td_plot_draft *d = td_plot_lua_draft(L, TD_PLOT_OWNER_FIGURE, &f->o);
  td_plot_lua_apply(L, idx, TD_PLOT_OWNER_FIGURE, &d->o, skip);
  if (td_plot_figure_commit(f, &d->o.figure)) td_plot_lua_fail(L);
  lua_pop(L, 1);
  return 0;
}

static int l_figure(lua_State *L) {
  lua_settop(L, 1);
  int rows = count_option(L, 1, "figure", "rows", 1);
  int cols = count_option(L, 1, "figure", "cols", 1);
  handle *h = push_handle(L, NULL, FIGURE);
  h->figure = td_plot_figure_new(rows, cols);
  if (!h->figure) td_plot_lua_fail(L);
  set_figure(L, h->figure, 1, "|rows|cols|");
  return 1;
}

static int l_figure_set(lua_State *L) {
  lua_settop(L, 2);
  set_figure(L, check_figure(L), 2, "||");
  lua_settop(L, 1);
  return 1;
}

static int get(lua_State *L, unsigned owner, const void *options) {
  const td_plot_option *o = td_plot_option_find(owner, luaL_checkstring(L, 2), NULL);
  if (!o) td_plot_lua_fail(L);
  td_plot_lua_push(L, o, options);
  return 1;
}

static int l_figure_get(lua_State *L) {
  return get(L, TD_PLOT_OWNER_FIGURE, &check_figure(L)->o);
}

static void set_axes(lua_State *L, td_plot_axes *ax, int idx, const char *skip) {
  td_plot_draft *d = td_plot_lua_draft(L, TD_PLOT_OWNER_AXES, &ax->o);
  td_plot_lua_apply(L, idx, TD_PLOT_OWNER_AXES, &d->o, skip);
  if (td_plot_axes_commit(ax, &d->o.axes)) td_plot_lua_fail(L);
  lua_pop(L, 1);
}

/* Options are read before the axes are made: a bad one leaves no axes behind. */
static int l_axes(lua_State *L) {
  lua_settop(L, 2);
  static const char own[] = "|row|col|rowspan|colspan|";
  td_plot_figure *f = check_figure(L);
  int row = count_option(L, 2, "axes", "row", 0) - 1;
  int col = count_option(L, 2, "axes", "col", 0) - 1;
  if (row < 0 && col < 0) {
    if (td_plot_free_cell(f, &row, &col)) td_plot_lua_fail(L);
  }
  if (row < 0) row = 0;
  if (col < 0) col = 0;
  int rowspan = count_option(L, 2, "axes", "rowspan", 1);
  int colspan = count_option(L, 2, "axes", "colspan", 1);
  td_plot_draft *d = td_plot_lua_draft(
      L, TD_PLOT_OWNER_AXES, td_plot_options_default(TD_PLOT_OWNER_AXES));
  td_plot_lua_apply(L, 2, TD_PLOT_OWNER_AXES, &d->o, own);
  handle *h = push_handle(L, f, AXES);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  h->axes = td_plot_axes_at(f, row, col, rowspan, colspan);
  if (!h->axes) td_plot_lua_fail(L);
  set_axes(L, h->axes, 2, own);
  return 1;
}

/* Options of pictures, from the table at idx; keys in `skip` are the caller's. */
static td_plot_output output_options(lua_State *L, int idx, const char *what,
                                     const char *skip) {
  td_plot_output o = {.scale = 2};
  if (lua_isnoneornil(L, idx)) return o;
  if (!lua_istable(L, idx)) td_lua_typeerror(L, idx, "table of options");
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    double v = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    bool dpi = !strcmp(key, "dpi");
    char word[64];
    snprintf(word, sizeof word, "|%.60s|", key);
    if (dpi || !strcmp(key, "scale")) {
      if (!(v > 0 && v <= (dpi ? 7200 : 100)))
        td_lua_error(L, "%s: %s must be a number above 0, at most %d", what, key,
                     dpi ? 7200 : 100);
      o.scale = dpi ? v / 72 : v;
    } else if (!strcmp(key, "transparent")) {
      o.transparent = lua_toboolean(L, -1);
    } else if (!strcmp(key, "widgets")) {
      o.widgets = lua_toboolean(L, -1);
    } else if (!strcmp(key, "size")) {
      for (int k = 0; k < 2; k++) {
        if (!lua_istable(L, -1) || lua_geti(L, -1, k + 1) != LUA_TNUMBER ||
            !((o.size[k] = lua_tonumber(L, -1)) >= 16 && o.size[k] <= 20000))
          td_lua_error(L, "%s: size is {width, height} in points, each 16 to 20000",
                       what);
        lua_pop(L, 1);
      }
    } else if (!strstr(skip, word) || !*key) {
      char near[200], all[96];
      snprintf(all, sizeof all, "scale|dpi|size|transparent|widgets%.40s", skip);
      all[strlen(all) - 1] = 0;
      td_lua_error(L, "%s: unknown option '%s'%s", what, luaL_tolstring(L, -2, NULL),
                   td_plot_suggest(key, all, near, sizeof near));
    }
  }
  return o;
}

static int l_save(lua_State *L) {
  lua_settop(L, 3);
  td_plot_figure *f = check_figure(L);
  if (lua_type(L, 2) != LUA_TSTRING) td_lua_typeerror(L, 2, "file name");
  td_plot_output o = output_options(L, 3, "save", "|");
  td_plot_late_settle(L, f);
  if (td_plot_save(f, lua_tostring(L, 2), &o)) td_plot_lua_fail(L);
  lua_settop(L, 1);
  return 1;
}

static int push_pixels(lua_State *L, td_plot_bytes *b, int w, int h) {
  lua_pushlstring(L, (const char *)b->data, b->n);
  free(b->data);
  lua_pushinteger(L, w);
  lua_pushinteger(L, h);
  return 3;
}

static int l_pixels(lua_State *L) {
  lua_settop(L, 2);
  td_plot_figure *f = check_figure(L);
  td_plot_bytes b = {.data = NULL};
  int w, h;
  td_plot_output o = output_options(L, 2, "pixels", "|");
  td_plot_late_settle(L, f);
  if (td_plot_pixels(f, &o, 3, &b, &w, &h)) td_plot_lua_fail(L);
  return push_pixels(L, &b, w, h);
}

/* fig:render{format=, scale=, wait=, ...}: the bytes; of "rgba" with width and height */
static int l_render(lua_State *L) {
  lua_settop(L, 2);
  td_plot_figure *f = check_figure(L);
  td_plot_bytes b = {.data = NULL};
  td_plot_output o = output_options(L, 2, "render", "|format|wait|");
  const char *format = "png";
  int w, h;
  bool wait = !lua_istable(L, 2) || lua_getfield(L, 2, "wait") == LUA_TNIL || lua_toboolean(L, -1);
  if (wait) td_plot_late_settle(L, f);
  if (lua_istable(L, 2) && lua_getfield(L, 2, "format") != LUA_TNIL)
    format = luaL_tolstring(L, -1, NULL);
  if (!strcmp(format, "rgba")) {
    if (td_plot_pixels(f, &o, 4, &b, &w, &h)) td_plot_lua_fail(L);
    return push_pixels(L, &b, w, h);
  }
  if (td_plot_encode(f, format, &o, &b)) td_plot_lua_fail(L);
  lua_pushlstring(L, (const char *)b.data, b.n);
  free(b.data);
  return 1;
}

/* ---- moving pictures ----------------------------------------------------- */
typedef struct recording {
  td_plot_figure *figure; /* owned */
  td_plot_gif *gif;       /* owned; NULL: closed */
} recording;

static recording *check_gif(lua_State *L) {
  recording *r = luaL_testudata(L, 1, GIF);
  if (!r) td_lua_typeerror(L, 1, GIF);
  return r;
}

/* fig:gif(path [, {fps=, loop=, scale=, dpi=}]) */
static int l_gif(lua_State *L) {
  lua_settop(L, 3);
  td_plot_figure *f = check_figure(L);
  if (lua_type(L, 2) != LUA_TSTRING) td_lua_typeerror(L, 2, "file name");
  td_plot_output o = output_options(L, 3, "gif", "|fps|loop|");
  double fps = 20;
  int loop = 0;
  if (o.transparent || o.widgets || o.size[0] > 0)
    td_lua_error(L, "gif: transparent, widgets and size are for single pictures");
  if (lua_istable(L, 3)) {
    if (lua_getfield(L, 3, "fps") != LUA_TNIL) fps = lua_tonumber(L, -1);
    if (!(fps >= 0.01 && fps <= 50))
      td_lua_error(L, "gif: fps is a number from 0.01 to 50 (viewers slow down what "
                   "is faster)");
    if (lua_getfield(L, 3, "loop") == LUA_TBOOLEAN) loop = lua_toboolean(L, -1) - 1;
    else if (!lua_isnil(L, -1)) {
      lua_Integer n = lua_tointeger(L, -1);
      if (n < 1 || n > 65535)
        td_lua_error(L, "gif: loop is true (for ever), false (once) or a whole number "
                     "from 1 to 65535");
      loop = n == 1 ? -1 : (int)n - 1; /* the format counts repeats */
    }
  }
  recording *r = lua_newuserdatauv(L, sizeof *r, 0);
  *r = (recording){.figure = NULL};
  luaL_setmetatable(L, GIF);
  r->figure = td_plot_figure_keep(f);
  r->gif = td_plot_gif_open(lua_tostring(L, 2), o.scale, fps, loop);
  if (!r->gif) td_plot_lua_fail(L);
  return 1;
}

static int l_gif_frame(lua_State *L) {
  recording *r = check_gif(L);
  if (!r->gif) td_lua_error(L, "gif: frame() after close()");
  td_plot_late_settle(L, r->figure);
  if (td_plot_gif_frame(r->gif, r->figure)) td_plot_lua_fail(L);
  lua_settop(L, 1);
  return 1;
}

static int gif_gc(lua_State *L) {
  recording *r = lua_touserdata(L, 1);
  td_plot_gif_free(r->gif);
  td_plot_figure_drop(r->figure);
  *r = (recording){.figure = NULL};
  return 0;
}

/* Also at the end of a block; a second time does nothing. */
static int l_gif_close(lua_State *L) {
  recording *r = check_gif(L);
  if (!r->gif) return 0;
  int rc = td_plot_gif_close(r->gif);
  gif_gc(L);
  if (rc) td_plot_lua_fail(L);
  return 0;
}

static int l_read_png(lua_State *L) {
  td_plot_bytes b = {.data = NULL};
  int w, h;
  if (td_plot_read_png(luaL_checkstring(L, 1), &b, &w, &h)) td_plot_lua_fail(L);
  return push_pixels(L, &b, w, h);
}

static int l_figure_tostring(lua_State *L) {
  const td_plot_figure *f = check_figure(L);
  const double *size = f->o.size.v;
  char text[128];
  snprintf(text, sizeof text, "figure of %g x %g points, %d x %d cells, %d axes",
           size[0], size[1], f->rows, f->cols, f->naxes);
  lua_pushstring(L, text);
  return 1;
}

/* ---- axes ---------------------------------------------------------------- */
static int l_axes_set(lua_State *L) {
  lua_settop(L, 2);
  set_axes(L, check_axes(L), 2, "||");
  lua_settop(L, 1);
  return 1;
}

/* Limits come as drawn, other options as set. */
static int l_axes_get(lua_State *L) {
  static const char *const lim[] = {"xlim", "ylim", "y2lim"};
  const td_plot_axes *ax = check_axes(L);
  for (int d = 0; d < 3; d++) {
    if (strcmp(luaL_checkstring(L, 2), lim[d])) continue;
    td_plot_late_settle(L, ax->figure);
    td_plot_scale s = td_plot_axes_scale(ax, (td_plot_dim)d);
    lua_createtable(L, 2, 0);
    lua_pushnumber(L, s.lo);
    lua_rawseti(L, -2, 1);
    lua_pushnumber(L, s.hi);
    lua_rawseti(L, -2, 2);
    return 1;
  }
  return get(L, TD_PLOT_OWNER_AXES, &ax->o);
}

static int axes_index(const td_plot_axes *ax) {
  int i = 0;
  while (ax->figure->axes[i] != ax) i++;
  return i;
}

/* ax:box{scale=}: left, top, right, bottom in pixels */
static int l_axes_box(lua_State *L) {
  lua_settop(L, 2);
  const td_plot_axes *ax = check_axes(L);
  double scale = output_options(L, 2, "box", "|").scale, box[4];
  td_plot_late_settle(L, ax->figure);
  if (td_plot_box(ax->figure, axes_index(ax), scale, box)) td_plot_lua_fail(L);
  for (int k = 0; k < 4; k++) lua_pushnumber(L, box[k] * scale);
  return 4;
}

static const td_plot_artist *artist_argument(lua_State *L, int idx,
                                             const td_plot_axes *ax) {
  const handle *h = check(L, idx, ARTIST);
  if (h->axes != ax) td_lua_error(L, "colorbar: this artist is in other axes");
  return artist_of(L, h);
}

static int l_colorbar(lua_State *L) {
  lua_settop(L, 3);
  td_plot_axes *ax = check_axes(L);
  const td_plot_artist *a = artist_argument(L, 2, ax);
  td_plot_draft *d = td_plot_lua_draft(
      L, TD_PLOT_OWNER_BAR, td_plot_options_default(TD_PLOT_OWNER_BAR));
  td_plot_lua_apply(L, 3, TD_PLOT_OWNER_BAR, &d->o, "||");
  if (td_plot_bar_add(ax, a, &d->o.bar)) td_plot_lua_fail(L);
  lua_settop(L, 1);
  return 1;
}

/* ax:add(kind, options) */
static int l_add(lua_State *L) {
  td_plot_axes *ax = check_axes(L);
  lua_settop(L, 3);
  int kind = td_plot_kind_find(luaL_checkstring(L, 2));
  if (kind < 0) td_lua_error(L, "there is no artist '%s'", lua_tostring(L, 2));
  const char *id = NULL;
  if (lua_istable(L, 3) && lua_getfield(L, 3, "id") != LUA_TNIL) {
    if (!lua_isstring(L, -1))
      td_lua_error(L, "%s: id must be a string", td_plot_kind_name(kind));
    id = lua_tostring(L, -1);
  }
  const void *from = td_plot_options_default(1u << kind);
  const td_plot_artist *old = id ? td_plot_artist_by_id(ax, kind, id) : NULL;
  if (old) from = td_plot_late_options(L, old);
  td_plot_draft *d = td_plot_lua_draft(L, 1u << kind, from);
  td_plot_lua_apply_draft(L, 3, d, "|id|");
  handle *h = push_handle(L, ax->figure, ARTIST);
  td_plot_artist *a = td_plot_late_add(L, ax, kind, id, d);
  if (!a) td_plot_lua_fail(L);
  h->axes = ax, h->serial = a->serial, h->kind = a->kind;
  return 1;
}

static int l_clear(lua_State *L) {
  td_plot_axes *ax = check_axes(L);
  while (ax->nartists) td_plot_artist_remove(ax, ax->artists[0]->serial);
  td_plot_lock();
  ax->cycle = 0;
  td_plot_unlock();
  lua_settop(L, 1);
  return 1;
}

static int l_artists(lua_State *L) {
  td_plot_axes *ax = check_axes(L);
  lua_createtable(L, ax->nartists, 0);
  for (int i = 0; i < ax->nartists; i++) {
    handle *h = push_handle(L, ax->figure, ARTIST);
    h->axes = ax, h->serial = ax->artists[i]->serial;
    h->kind = ax->artists[i]->kind;
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int l_axes_tostring(lua_State *L) {
  const td_plot_axes *ax = check_axes(L);
  lua_pushfstring(L, "axes at row %d, col %d with %d artist%s", ax->row + 1,
                  ax->col + 1, ax->nartists, ax->nartists == 1 ? "" : "s");
  return 1;
}

/* ---- artists ------------------------------------------------------------- */
static int l_artist_set(lua_State *L) {
  lua_settop(L, 2);
  td_plot_artist *a = artist_of(L, check(L, 1, ARTIST));
  td_plot_draft *d = td_plot_lua_draft(L, 1u << a->kind, td_plot_late_options(L, a));
  td_plot_lua_apply_draft(L, 2, d, "||");
  a = artist_of(L, check(L, 1, ARTIST)); /* reading may have run Lua code */
  if (td_plot_late_commit(a, d)) td_plot_lua_fail(L);
  lua_settop(L, 1);
  return 1;
}

static int l_artist_get(lua_State *L) {
  const handle *h = check(L, 1, ARTIST);
  const td_plot_artist *a = artist_of(L, h);
  const char *key = luaL_checkstring(L, 2);
  if (!strcmp(key, "kind")) lua_pushstring(L, td_plot_kind_name(a->kind));
  else if (!strcmp(key, "id")) lua_pushstring(L, a->id);
  else {
    const td_plot_option *o = td_plot_option_find(1u << a->kind, key, NULL);
    if (o && td_plot_late_is(L, a, o)) td_plot_late_settle(L, h->figure);
    return get(L, 1u << a->kind, td_plot_late_options(L, artist_of(L, h)));
  }
  return 1;
}

/* shape(artist, field): sizes of numbers, also of those that are still to come */
static int l_shape(lua_State *L) {
  const td_plot_artist *a = artist_of(L, check(L, 1, ARTIST));
  const td_plot_option *o = td_plot_option_find(1u << a->kind, luaL_checkstring(L, 2), NULL);
  if (!o) td_plot_lua_fail(L);
  const char *options = (const char *)td_plot_late_options(L, a);
  const td_plot_data *d = (const td_plot_data *)(const void *)(options + o->offset);
  for (int k = 0; k < d->ndim; k++) lua_pushinteger(L, (lua_Integer)d->dim[k]);
  return d->ndim;
}

static int l_artist_push(lua_State *L) {
  lua_settop(L, 3);
  td_plot_artist *a = artist_of(L, check(L, 1, ARTIST));
  if (td_plot_late_push(L, a, 2)) td_plot_lua_fail(L);
  lua_settop(L, 1);
  return 1;
}

/* Appends a list of {x, y, speed} to the list of lines at the top. */
static void push_streamline(void *context, const double *xys, size_t n) {
  lua_State *L = context;
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_createtable(L, 3, 0);
    for (int k = 0; k < 3; k++) {
      lua_pushnumber(L, xys[3 * i + (size_t)k]);
      lua_rawseti(L, -2, k + 1);
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* streamlines(artist, w, h): the lines that a box of w x h points shows */
static int l_streamlines(lua_State *L) {
  const handle *h = check(L, 1, ARTIST);
  td_plot_late_settle(L, h->figure);
  const td_plot_artist *a = artist_of(L, h);
  td_plot_scale x = td_plot_axes_scale(h->axes, TD_PLOT_X);
  td_plot_scale y = td_plot_axes_scale(h->axes, TD_PLOT_Y);
  double width = luaL_checknumber(L, 2), height = luaL_checknumber(L, 3);
  lua_newtable(L);
  double spacing = isnan(a->o.spacing) ? 10 : a->o.spacing;
  if (td_plot_streamlines(a, &x, &y, width, height, spacing, push_streamline, L))
    td_plot_lua_fail(L);
  return 1;
}

/* bins(artist): edges and heights of a histogram */
static int l_bins(lua_State *L) {
  const handle *h = check(L, 1, ARTIST);
  td_plot_late_settle(L, h->figure);
  const td_plot_artist *a = artist_of(L, h);
  for (int k = 0; k < 2; k++) {
    lua_createtable(L, (int)a->made[k].n, 0);
    for (size_t i = 0; i < a->made[k].n; i++) {
      lua_pushnumber(L, td_plot_numbers(&a->made[k])[i]);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
  }
  return 2;
}

static int l_artist_remove(lua_State *L) {
  const handle *h = check(L, 1, ARTIST);
  td_plot_artist_remove(h->axes, h->serial);
  return 0;
}

static int l_artist_tostring(lua_State *L) {
  const handle *h = check(L, 1, ARTIST);
  const td_plot_artist *a = td_plot_artist_find(h->axes, h->serial);
  const char *label = a ? td_plot_text(&a->o.label, 0) : NULL;
  lua_pushfstring(L, label ? "%s \"%s\"" : "%s", td_plot_kind_name(h->kind), label);
  if (!a) lua_pushliteral(L, " (removed)"), lua_concat(L, 2);
  return 1;
}

/* ---- themes, colours, and what tests look at ----------------------------- */
static int l_theme(lua_State *L) {
  lua_settop(L, 1);
  td_plot_theme t = td_plot_theme_default();
  if (!lua_isnoneornil(L, 1)) {
    td_plot_lua_theme(L, 1, &t);
    td_plot_theme_set_default(&t);
  }
  lua_pushstring(L, t.name);
  return 1;
}

static int l_colormaps(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < td_plot_cmap_count(); i++) {
    lua_pushstring(L, td_plot_cmap_get(i)->name);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* colormap(name [, colours [, classes]]): adds one; returns its colours */
static int l_colormap(lua_State *L) {
  lua_settop(L, 3);
  const char *name = luaL_checkstring(L, 1);
  if (!lua_isnoneornil(L, 2)) {
    td_plot_color c[16];
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer n = luaL_len(L, 2);
    for (int k = 0; k < n && k < 16; k++) {
      lua_geti(L, 2, k + 1);
      c[k] = td_plot_lua_color(L, lua_gettop(L), "colormap");
      if (c[k].kind != TD_PLOT_COLOR_RGBA)
        td_lua_error(L, "colormap: write #rrggbb or a name");
      lua_pop(L, 1);
    }
    if (td_plot_cmap_add(name, c, (int)n, lua_toboolean(L, 3))) td_plot_lua_fail(L);
  }
  int i = td_plot_cmap_find(name);
  if (i < 0) td_plot_lua_fail(L);
  const td_plot_cmap *m = td_plot_cmap_get(i);
  lua_createtable(L, m->n, 0);
  for (int k = 0; k < m->n; k++) {
    lua_createtable(L, 3, 0);
    for (int d = 0; d < 3; d++) {
      lua_pushnumber(L, m->rgb[k][d] / 255.0);
      lua_rawseti(L, -2, d + 1);
    }
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

/* ticks(lo, hi [, want [, log [, keep]]]): values, labels, factor, minor */
static int l_ticks(lua_State *L) {
  td_plot_scale s = {luaL_checknumber(L, 1), luaL_checknumber(L, 2),
                     lua_toboolean(L, 4)};
  td_plot_ticks t;
  td_plot_ticks_choose(&s, luaL_optnumber(L, 3, 6), luaL_optnumber(L, 5, 0), &t);
  lua_createtable(L, t.n, 0);
  lua_createtable(L, t.n, 0);
  for (int i = 0; i < t.n; i++) {
    lua_pushnumber(L, t.at[i]);
    lua_rawseti(L, -3, i + 1);
    lua_pushstring(L, t.label[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushstring(L, t.factor);
  lua_createtable(L, t.nminor, 0);
  for (int i = 0; i < t.nminor; i++) {
    lua_pushnumber(L, t.minor[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 4;
}

static int l_markup(lua_State *L) {
  char out[1024];
  td_plot_markup(luaL_checkstring(L, 1), out, sizeof out);
  lua_pushstring(L, out);
  return 1;
}

/* raise(text): an error at the user's line */
static int l_raise(lua_State *L) {
  return td_lua_error(L, "%s", luaL_checkstring(L, 1));
}

/* What a user writes for an option of this kind. */
static const char *type_of(const td_plot_option *o) {
  switch (o->kind) {
    case TD_PLOT_OPT_NUMBER: return "number";
    case TD_PLOT_OPT_BOOL: return "boolean";
    case TD_PLOT_OPT_CHOICE:
      return strncmp(o->choices, "auto|", 5) ? "string" : "string|boolean";
    case TD_PLOT_OPT_STRING: case TD_PLOT_OPT_FONT: case TD_PLOT_OPT_CMAP:
      return "string";
    case TD_PLOT_OPT_DATA: return "table|tensor|number";
    case TD_PLOT_OPT_COLORS: case TD_PLOT_OPT_PAIRS: return "table|tensor";
    case TD_PLOT_OPT_LIST: return o->choices ? "table|string" : "table";
    case TD_PLOT_OPT_CYCLE: return "table";
    default: return "string|table";
  }
}

/* smooth(list, weight): what option `smooth` of a line draws */
static int l_smooth(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  double beta = luaL_checknumber(L, 2);
  size_t n = (size_t)luaL_len(L, 1);
  double *y = lua_newuserdatauv(L, (2 * n + 1) * sizeof *y, 0);
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, 1, (lua_Integer)i + 1);
    y[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  td_plot_smooth(y, n, beta, y + n);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushnumber(L, y[n + i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* options(owner): {{name=, type=, doc=}...}; owner is "figure", "scatter" ... */
static int l_options(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  static const unsigned others[] = {TD_PLOT_OWNER_FIGURE, TD_PLOT_OWNER_AXES,
                                    TD_PLOT_OWNER_BAR, TD_PLOT_OWNER_THEME};
  int kind = td_plot_kind_find(name), n = 0;
  unsigned owner = kind >= 0 ? 1u << kind : 0;
  for (int k = 0; k < 4; k++)
    if (!strcmp(name, td_plot_owner_name(others[k]))) owner = others[k];
  lua_newtable(L);
  for (int i = 0; i < td_plot_options_count; i++) {
    const td_plot_option *o = &td_plot_options[i];
    if (!(o->owners & owner)) continue;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, o->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, o->doc);
    lua_setfield(L, -2, "doc");
    lua_pushstring(L, type_of(o));
    lua_setfield(L, -2, "type");
    lua_pushstring(L, o->choices);
    lua_setfield(L, -2, "choices");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* ---- opening ------------------------------------------------------------- */
static const luaL_Reg figure_methods[] = {
  {"set", l_figure_set}, {"get", l_figure_get}, {"axes", l_axes},
  {"save", l_save}, {"render", l_render}, {"pixels", l_pixels}, {"gif", l_gif},
  {NULL, NULL}
};
static const luaL_Reg axes_methods[] = {
  {"set", l_axes_set}, {"get", l_axes_get}, {"add", l_add},
  {"colorbar", l_colorbar}, {"clear", l_clear}, {"artists", l_artists},
  {"box", l_axes_box}, {NULL, NULL}
};
static const luaL_Reg gif_methods[] = {
  {"frame", l_gif_frame}, {"close", l_gif_close}, {NULL, NULL}
};
static const luaL_Reg artist_methods[] = {
  {"set", l_artist_set}, {"get", l_artist_get}, {"push", l_artist_push},
  {"remove", l_artist_remove}, {NULL, NULL}
};

#define HANDLE_META(tostring) \
  {{"__gc", handle_gc}, {"__eq", handle_eq}, {"__tostring", tostring}, {NULL, NULL}}
static const luaL_Reg figure_meta[] = HANDLE_META(l_figure_tostring);
static const luaL_Reg axes_meta[] = HANDLE_META(l_axes_tostring);
static const luaL_Reg artist_meta[] = HANDLE_META(l_artist_tostring);
static const luaL_Reg gif_meta[] = {
  {"__gc", gif_gc}, {"__close", l_gif_close}, {NULL, NULL}
};

/* Leaves the table of methods in field `name` of the module on top. */
static void open_class(lua_State *L, const char *type, const char *name,
                       const luaL_Reg *methods, const luaL_Reg *meta) {
  luaL_newmetatable(L, type);
  luaL_setfuncs(L, meta, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_setfield(L, -3, name);
  lua_pop(L, 1);
}

int luaopen_tide_plot_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"figure", l_figure}, {"theme", l_theme}, {"colormaps", l_colormaps},
    {"colormap", l_colormap}, {"ticks", l_ticks}, {"markup", l_markup},
    {"options", l_options}, {"read_png", l_read_png}, {"raise", l_raise},
    {"smooth", l_smooth}, {"streamlines", l_streamlines}, {"bins", l_bins},
    {"shape", l_shape},
    {NULL, NULL}
  };
  td_plot_lua_open_drafts(L);
  luaL_newlib(L, functions);
  open_class(L, FIGURE, "Figure", figure_methods, figure_meta);
  open_class(L, AXES, "Axes", axes_methods, axes_meta);
  open_class(L, ARTIST, "Artist", artist_methods, artist_meta);
  open_class(L, GIF, "Gif", gif_methods, gif_meta);
  lua_pushboolean(L, td_plot_can_save);
  lua_setfield(L, -2, "can_save");
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.plot.core", luaopen_tide_plot_core);
}
