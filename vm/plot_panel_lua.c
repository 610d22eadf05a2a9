/* plot_panel_lua.c -- module tide.plot.grab: widgets of figures and their queue.
**
** What a caller may give is checked in lua/tide/plot/; here are plain getters and
** setters of a widget, found by its figure and its serial number. */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/lua_td.h"
#include "vm/plot_lua.h"
#include "vm/plot_panel.h"

static const char *const kind_names[] = {
#define W(kind, name) name,
  WIDGETS(W)
#undef W
  NULL
};
static const char *const news_names[] = {
#define N(kind, name) name,
  NEWS(N)
#undef N
  NULL
};

static td_plot_panel *panel(lua_State *L) {
  td_plot_panel *p = td_plot_panel_of(td_plot_lua_figure(L, 1));
  if (!p) td_plot_lua_fail(L);
  return p;
}

/* The widget whose number is argument 2: only Lua's thread adds and removes. */
static td_plot_widget *widget(lua_State *L, td_plot_panel **p) {
  *p = panel(L);
  td_plot_widget *w = td_plot_widget_find(*p, (int)luaL_checkinteger(L, 2));
  if (!w) td_lua_error(L, "this control or handle was removed from its figure");
  return w;
}

static void tell(td_plot_panel *p) { td_plot_overlay_changed(p->figure); }

/* ---- fields -------------------------------------------------------------- */
typedef struct field {
  const char *name;
  enum { NUMBERS, NUMBER, WHOLE, FLAG, NAME, TEXTS, COLOR } type;
  size_t at;
  int n; /* of NUMBERS */
} field;

#define AT(member) offsetof(td_plot_widget, member)
static const field fields[] = {
  {"v", NUMBERS, AT(v), 4}, {"start", NUMBERS, AT(start), 4},
  {"lo", NUMBERS, AT(lo), 2}, {"hi", NUMBERS, AT(hi), 2}, {"snap", NUMBERS, AT(snap), 2},
  {"log", FLAG, AT(log), 0}, {"integer", FLAG, AT(integer), 0},
  {"live", FLAG, AT(live), 0}, {"hidden", FLAG, AT(hidden), 0},
  {"fixed", FLAG, AT(fixed), 0}, {"keys", FLAG, AT(keys), 0}, {"name", NAME, AT(name), 0},
  {"label", TEXTS, AT(label), 0}, {"choices", TEXTS, AT(choices), 0},
  {"format", TEXTS, AT(format), 0}, {"note", TEXTS, AT(note), 0},
  {"color", COLOR, AT(color), 0}, {"size", NUMBER, AT(size), 0},
  {"playing", FLAG, AT(playing), 0}, {"slow", FLAG, AT(slow), 0},
  {"phased", FLAG, AT(phased), 0}, {"over", FLAG, AT(over), 0},
  {"phase", WHOLE, AT(phase), 0}, {"step", NUMBER, AT(step), 0},
  {"erase", FLAG, AT(erase), 0}, {"axes", WHOLE, AT(axes), 0},
  {"nx", WHOLE, AT(nx), 0}, {"ny", WHOLE, AT(ny), 0}
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const field *find_field(lua_State *L, const char *name) {
  for (int i = 0; i < FIELDS; i++)
    if (!strcmp(fields[i].name, name)) return &fields[i];
  td_lua_error(L, "a widget has no field '%s'", name);
  return NULL;
}

/* A string or a list of them at the top, into *out. */
static void read_texts(lua_State *L, td_plot_data *out) {
  luaL_Buffer b;
  int n = 1, at = lua_gettop(L);
  *out = (td_plot_data){.blob = NULL};
  if (lua_isnil(L, at) || (lua_isboolean(L, at) && !lua_toboolean(L, at))) return;
  luaL_buffinit(L, &b);
  if (lua_istable(L, at)) n = (int)luaL_len(L, at);
  for (int k = 1; k <= n; k++) {
    if (lua_istable(L, at)) lua_geti(L, at, k);
    else lua_pushvalue(L, at);
    lua_pushstring(L, luaL_checkstring(L, -1)); /* ends at the first zero byte */
    lua_remove(L, -2);
    luaL_addvalue(&b);
    luaL_addchar(&b, 0);
  }
  luaL_pushresult(&b);
  size_t bytes;
  const char *s = lua_tolstring(L, -1, &bytes);
  if (td_plot_data_strings(out, s, bytes, (size_t)n)) td_plot_lua_fail(L);
  lua_pop(L, 1);
}

/* Reads the value at the top into the field of *w. */
static void read_field(lua_State *L, const field *f, td_plot_widget *w) {
  void *to = (char *)w + f->at;
  td_plot_data texts;
  switch (f->type) {
    case NUMBERS:
      for (int k = 0; k < f->n; k++) {
        if (lua_geti(L, -1, k + 1) != LUA_TNIL) ((double *)to)[k] = luaL_checknumber(L, -1);
        lua_pop(L, 1);
      }
      break;
    case NUMBER: *(double *)to = luaL_checknumber(L, -1); break;
    case WHOLE: *(int *)to = (int)luaL_checkinteger(L, -1); break;
    case FLAG: *(bool *)to = lua_toboolean(L, -1); break;
    case NAME:
      strncpy(to, luaL_checkstring(L, -1), sizeof w->name - 1);
      break;
    case TEXTS:
      read_texts(L, &texts);
      td_plot_data_drop(to);
      *(td_plot_data *)to = texts;
      break;
    case COLOR: *(td_plot_color *)to = td_plot_lua_color(L, lua_gettop(L), "color"); break;
  }
}

/* The fields of table idx; those that are shared with the old widget are kept by the
** new one, which takes its place as a whole. */
static void read_fields(lua_State *L, int idx, td_plot_panel *p, int serial,
                        const char *skip) {
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    const field *f = find_field(L, luaL_checkstring(L, -2));
    if (!strcmp(f->name, skip)) continue;
    td_plot_widget draft = {.kind = 0}, *w = td_plot_widget_find(p, serial);
    if (f->type == NUMBERS) memcpy((char *)&draft + f->at, (char *)w + f->at,
                                   (size_t)f->n * sizeof(double));
    read_field(L, f, &draft); /* may raise: nothing is held, nothing changed */
    size_t size = f->type == NUMBERS ? (size_t)f->n * sizeof(double)
                  : f->type == NUMBER ? sizeof(double) : f->type == WHOLE ? sizeof(int)
                  : f->type == FLAG ? sizeof(bool) : f->type == NAME ? sizeof draft.name
                  : f->type == COLOR ? sizeof(td_plot_color) : sizeof(td_plot_data);
    td_plot_lock();
    if (f->type == TEXTS) td_plot_data_drop((td_plot_data *)(void *)((char *)w + f->at));
    memcpy((char *)w + f->at, (char *)&draft + f->at, size);
    w->changes++;
    td_plot_unlock();
  }
}

/* add(figure, kind, fields): its serial number */
static int l_add(lua_State *L) {
  td_plot_panel *p = panel(L);
  int kind = luaL_checkoption(L, 2, NULL, kind_names);
  luaL_checktype(L, 3, LUA_TTABLE);
  td_plot_lock();
  td_plot_widget *w = td_plot_widget_add(p, (td_plot_widget_kind)kind);
  int serial = w ? w->serial : 0;
  if (w) w->hidden = true; /* until it is complete */
  td_plot_unlock();
  if (!w) td_plot_lua_fail(L);
  read_fields(L, 3, p, serial, "hidden");
  w = td_plot_widget_find(p, serial);
  if (w->kind == TD_PLOT_WIDGET_BRUSH && td_plot_brush_open(w)) {
    td_plot_lock();
    td_plot_widget_remove(p, serial);
    td_plot_unlock();
    td_plot_lua_fail(L);
  }
  lua_getfield(L, 3, "hidden");
  td_plot_lock();
  w->hidden = lua_toboolean(L, -1);
  td_plot_unlock();
  tell(p);
  lua_pushinteger(L, serial);
  return 1;
}

/* set(figure, serial, fields) */
static int l_set(lua_State *L) {
  td_plot_panel *p;
  int serial = widget(L, &p)->serial;
  luaL_checktype(L, 3, LUA_TTABLE);
  read_fields(L, 3, p, serial, "");
  tell(p);
  return 0;
}

/* get(figure, serial, field) of numbers and flags */
static int l_get(lua_State *L) {
  td_plot_panel *p;
  const td_plot_widget *w = widget(L, &p);
  const field *f = find_field(L, luaL_checkstring(L, 3));
  const void *from = (const char *)w + f->at;
  double v[4];
  td_plot_lock(); /* the hand of a person may be at it */
  if (f->type == NUMBERS) memcpy(v, from, (size_t)f->n * sizeof *v);
  td_plot_unlock();
  if (f->type == NUMBERS) {
    for (int k = 0; k < f->n; k++) lua_pushnumber(L, v[k]);
    return f->n;
  }
  if (f->type == NUMBER) lua_pushnumber(L, *(const double *)from);
  else if (f->type == WHOLE) lua_pushinteger(L, *(const int *)from);
  else if (f->type == FLAG) lua_pushboolean(L, *(const bool *)from);
  else if (f->type == NAME) lua_pushstring(L, from);
  else if (f->type == TEXTS) lua_pushstring(L, td_plot_text(from, 0));
  else return 0;
  return 1;
}

/* bound(figure, serial, v1 ...): the values as the limits and snap allow them */
static int l_bound(lua_State *L) {
  td_plot_panel *p;
  const td_plot_widget *w = widget(L, &p);
  double v[4] = {0};
  int n = lua_gettop(L) - 2;
  for (int k = 0; k < n && k < 4; k++) v[k] = luaL_checknumber(L, 3 + k);
  td_plot_widget_bound(w, v);
  for (int k = 0; k < n && k < 4; k++) lua_pushnumber(L, v[k]);
  return n < 4 ? n : 4;
}

static int l_remove(lua_State *L) {
  td_plot_panel *p = panel(L);
  int serial = (int)luaL_checkinteger(L, 2);
  td_plot_lock();
  td_plot_widget_remove(p, serial);
  td_plot_unlock();
  tell(p);
  return 0;
}

/* columns(figure, n, beside): how controls stand; n = 0: as many as fit */
static int l_columns(lua_State *L) {
  td_plot_panel *p = panel(L);
  int n = (int)luaL_checkinteger(L, 2);
  td_plot_lock();
  p->columns = n;
  p->beside = lua_toboolean(L, 3);
  td_plot_unlock();
  tell(p);
  return 0;
}

/* ---- the queue ----------------------------------------------------------- */
/* take(figure): nothing; or serial, what, and four values */
static int l_take(lua_State *L) {
  const td_plot_figure *f = td_plot_lua_left(L, 1);
  td_plot_panel *p = f ? td_plot_panel_find(f) : NULL;
  td_plot_news n;
  if (!p) return 0;
  td_plot_lock();
  bool some = td_plot_queue_take(&p->queue, &n);
  td_plot_unlock();
  if (!some) return 0;
  lua_pushinteger(L, n.serial);
  lua_pushstring(L, news_names[n.kind]);
  for (int k = 0; k < 4; k++) lua_pushnumber(L, n.v[k]);
  lua_pushnumber(L, n.time);
  return 7;
}

/* post(figure, serial, what [, v1, v2, v3, v4, time]): as if a person had done it */
static int l_post(lua_State *L) {
  td_plot_panel *p;
  td_plot_news n = {.serial = widget(L, &p)->serial};
  n.kind = (td_plot_news_kind)luaL_checkoption(L, 3, NULL, news_names);
  for (int k = 0; k < 4; k++) n.v[k] = luaL_optnumber(L, 4 + k, 0);
  n.time = luaL_optnumber(L, 8, 0);
  td_plot_lock();
  td_plot_queue_add(&p->queue, n);
  td_plot_unlock();
  return 0;
}

static int l_pending(lua_State *L) {
  lua_pushboolean(L, td_plot_queue_pending() > 0);
  return 1;
}

static int l_wait(lua_State *L) {
  td_plot_queue_wait((int)luaL_checkinteger(L, 1));
  return 0;
}

/* input(figure, {kind =, x =, y =, button =, clicks =, key =, shift =, steps =}): what a
** window does with an event; whether the overlay takes it */
static int l_input(lua_State *L) {
  static const char *const kinds[] = {"press", "drag", "release", "cancel", "hover",
                                      "leave", "wheel", "key", NULL};
  td_plot_panel *p = panel(L);
  td_plot_event e = {.button = TD_PLOT_LEFT, .clicks = 1, .axes = -1};
  lua_getfield(L, 2, "kind");
  e.kind = (td_plot_event_kind)luaL_checkoption(L, -1, NULL, kinds);
  static const char *const names[] = {"x", "y", "button", "clicks", "key", "steps", "time"};
  double v[7] = {0, 0, TD_PLOT_LEFT, 1, 0, 0, 0};
  for (int k = 0; k < 7; k++) {
    if (lua_getfield(L, 2, names[k]) != LUA_TNIL) v[k] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  e.x = v[0], e.y = v[1], e.button = (int)v[2], e.clicks = (int)v[3], e.key = (int)v[4];
  e.steps = v[5], e.time = v[6];
  lua_getfield(L, 2, "shift");
  e.mods = lua_toboolean(L, -1) ? TD_PLOT_SHIFT : 0;
  lua_pushboolean(L, td_plot_panel_input(p, &e));
  return 1;
}

/* ---- brushes ------------------------------------------------------------- */
/* stroke(figure, serial, {x, y, x, y ...}, erase) */
static int l_stroke(lua_State *L) {
  td_plot_panel *p;
  td_plot_widget *w = widget(L, &p);
  lua_Integer n = luaL_len(L, 3) / 2;
  double from[2] = {0, 0}, to[2];
  for (lua_Integer i = 0; i < n; i++) {
    for (int k = 0; k < 2; k++) {
      lua_geti(L, 3, 2 * i + k + 1);
      to[k] = luaL_checknumber(L, -1);
      lua_pop(L, 1);
    }
    td_plot_lock();
    td_plot_brush_stroke(w, i ? from : to, to, lua_toboolean(L, 4));
    td_plot_unlock();
    memcpy(from, to, sizeof to);
  }
  tell(p);
  return 0;
}

static int l_wipe(lua_State *L) {
  td_plot_panel *p;
  td_plot_widget *w = widget(L, &p);
  td_plot_lock();
  td_plot_brush_clear(w);
  td_plot_unlock();
  tell(p);
  return 0;
}

/* ink(figure, serial [, rows]): the rows from the lowest; sets them when given */
static int l_ink(lua_State *L) {
  td_plot_panel *p;
  td_plot_widget *w = widget(L, &p);
  float *ink = (float *)(void *)w->ink->memory;
  bool write = lua_istable(L, 3);
  if (!write) lua_createtable(L, w->ny, 0);
  for (int i = 0; i < w->ny; i++) {
    if (write) lua_geti(L, 3, i + 1);
    else lua_createtable(L, w->nx, 0);
    for (int j = 0; j < w->nx; j++) {
      if (write) lua_geti(L, -1, j + 1);
      td_plot_lock();
      if (write) ink[i * w->nx + j] = (float)lua_tonumber(L, -1);
      float v = ink[i * w->nx + j];
      td_plot_unlock();
      if (write) lua_pop(L, 1);
      else lua_pushnumber(L, v), lua_rawseti(L, -2, j + 1);
    }
    if (write) lua_pop(L, 1);
    else lua_rawseti(L, -2, i + 1);
  }
  if (!write) return 1;
  w->changes++;
  tell(p);
  return 0;
}

/* ---- frames -------------------------------------------------------------- */
/* record(figure, keep, bytes) or record(figure, false) */
static int l_record(lua_State *L) {
  td_plot_panel *p = panel(L);
  if (!lua_toboolean(L, 2)) {
    td_plot_frames_close(p);
    return 0;
  }
  if (td_plot_frames_open(p, (int)luaL_checkinteger(L, 2), (size_t)luaL_checknumber(L, 3)))
    td_plot_lua_fail(L);
  return 0;
}

static int l_frame(lua_State *L) {
  td_plot_panel *p = panel(L);
  td_plot_late_settle(L, p->figure);
  if (td_plot_frames_add(p, luaL_checknumber(L, 2))) td_plot_lua_fail(L);
  tell(p);
  return 0;
}

static int l_forget(lua_State *L) {
  td_plot_frames_clear(panel(L));
  return 0;
}

/* frames(figure): the steps that are kept, bytes, and the step that is shown */
static int l_frames(lua_State *L) {
  td_plot_panel *p = panel(L);
  int n = td_plot_frames_count(p);
  lua_createtable(L, n, 0);
  for (int k = 0; k < n; k++) {
    lua_pushnumber(L, td_plot_frames_step(p, k));
    lua_rawseti(L, -2, k + 1);
  }
  lua_pushinteger(L, (lua_Integer)td_plot_frames_bytes(p));
  lua_pushnumber(L, td_plot_frames_shown(p));
  return 3;
}

static int l_seek(lua_State *L) {
  td_plot_panel *p = panel(L);
  td_plot_frames_seek(p, luaL_checknumber(L, 2));
  tell(p);
  return 0;
}

/* axes(ax): the figure and the number of the axes in it */
static int l_axes(lua_State *L) {
  const td_plot_axes *ax = td_plot_lua_axes(L, 1);
  lua_getiuservalue(L, 1, 1);
  int i = 0;
  while (ax->figure->axes[i] != ax) i++;
  lua_pushinteger(L, i);
  return 2;
}

/* views(figure): for each axes {x0, x1, y0, y1} as its window shows it, or false where
** it shows what the script says; and whether the window has what look() asked for */
static int l_views(lua_State *L) {
  td_plot_panel *p = panel(L);
  int n = p->figure->naxes;
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    td_plot_look look = {.has = false};
    td_plot_lock();
    if (i < p->nlook) look = p->look[i];
    td_plot_unlock();
    if (look.has) lua_createtable(L, 4, 0);
    else lua_pushboolean(L, false);
    for (int k = 0; look.has && k < 4; k++) {
      lua_pushnumber(L, look.lim[k]);
      lua_rawseti(L, -2, k + 1);
    }
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushboolean(L, p->taken == p->asked);
  return 2;
}

/* look(figure, axes, {x0, x1, y0, y1} or false): the window shows these limits */
static int l_look(lua_State *L) {
  td_plot_panel *p = panel(L);
  int i = (int)luaL_checkinteger(L, 2) - 1;
  td_plot_look look = {.has = lua_istable(L, 3)};
  if (i < 0 || i >= p->figure->naxes) td_lua_error(L, "look: there are no such axes");
  for (int k = 0; look.has && k < 4; k++) {
    lua_geti(L, 3, k + 1);
    look.lim[k] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  td_plot_lock();
  bool good = td_plot_looks(p, p->figure->naxes);
  if (good) p->look[i] = look;
  p->asked++;
  td_plot_unlock();
  if (!good) td_lua_error(L, "out of memory");
  atomic_fetch_add(&p->figure->changes, 1); /* the axes are drawn again */
  tell(p);
  return 0;
}

/* place(figure, serial [, part]): x0, y0, x1, y1 in points of a window of the figure's
** size: the line of a slider, the body of another control, a part of a player; part -1:
** the list of a menu */
static int l_place(lua_State *L) {
  td_plot_panel *p;
  int serial = widget(L, &p)->serial, part = (int)luaL_optinteger(L, 3, 0);
  const td_plot_figure_options *o = &p->figure->o;
  double fs = o->theme.fontsize * o->theme.scale, right, below, h;
  td_plot_strip_room(p, fs, o->size.v[0], &right, &below);
  td_plot_strip s = td_plot_strip_make(p, fs, o->size.v[0] + right, o->size.v[1] + below);
  td_plot_rect r = {0, 0, 0, 0};
  for (int i = 0; i < s.n; i++) {
    const td_plot_spot *t = &s.spot[i];
    if (t->w->serial != serial) continue;
    if (part < 0) r = td_plot_spot_list(t, fs, &h);
    else if (t->w->kind == TD_PLOT_WIDGET_PLAYER) r = td_plot_spot_part(t, fs, part);
    else if (t->w->kind == TD_PLOT_WIDGET_SLIDER) r = td_plot_spot_track(t, fs);
    else r = td_plot_spot_body(t, fs);
  }
  free(s.spot);
  lua_pushnumber(L, r.x0);
  lua_pushnumber(L, r.y0);
  lua_pushnumber(L, r.x1);
  lua_pushnumber(L, r.y1);
  return 4;
}

int luaopen_tide_plot_grab(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"add", l_add}, {"set", l_set}, {"get", l_get}, {"bound", l_bound},
    {"remove", l_remove}, {"columns", l_columns}, {"take", l_take}, {"post", l_post},
    {"pending", l_pending}, {"wait", l_wait}, {"stroke", l_stroke}, {"wipe", l_wipe},
    {"ink", l_ink}, {"record", l_record}, {"frame", l_frame}, {"forget", l_forget},
    {"frames", l_frames}, {"seek", l_seek}, {"axes", l_axes},
    {"views", l_views}, {"look", l_look}, {"input", l_input},
    {"place", l_place}, {NULL, NULL}
  };
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.plot.grab", luaopen_tide_plot_grab);
}
