/* plot_values.c -- from Lua values to options of figures, and back. */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lua/lua_td.h"
#include "vm/plot_lua.h"

#define DRAFT "tide.plot.draft"

int td_plot_lua_fail(lua_State *L) {
  return td_lua_error(L, "%s", td_plot_error());
}

/* ---- drafts -------------------------------------------------------------- */
td_plot_draft *td_plot_lua_draft(lua_State *L, unsigned owner, const void *from) {
  td_plot_draft *d = lua_newuserdatauv(L, sizeof *d, 0);
  memset(d, 0, sizeof *d);
  d->owner = owner;
  td_plot_options_copy(owner, &d->o, from);
  luaL_setmetatable(L, DRAFT);
  return d;
}

static int draft_gc(lua_State *L) {
  td_plot_draft *d = luaL_checkudata(L, 1, DRAFT);
  td_plot_options_drop(d->owner, &d->o);
  td_plot_late_drop(&d->late);
  return 0;
}

void td_plot_lua_open_drafts(lua_State *L) {
  luaL_newmetatable(L, DRAFT);
  lua_pushcfunction(L, draft_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

/* ---- numbers ------------------------------------------------------------- */
typedef struct field { /* for messages: "scatter: x" */
  lua_State *L;
  const char *owner, *name;
  bool unseen; /* of a tensor only the shape counts: its numbers come later */
} field;

static int wrong(const field *f, const char *wanted, int idx) {
  return td_lua_error(f->L, "%s: %s must be %s, got %s", f->owner, f->name,
                      wanted, luaL_typename(f->L, idx));
}

/* The value at the top becomes a number or a table: objects with a method
** totable give theirs. */
static void plain(const field *f) {
  lua_State *L = f->L;
  int type = lua_type(L, -1);
  if (type == LUA_TNUMBER) return;
  bool object = type == LUA_TTABLE || type == LUA_TUSERDATA;
  if (object && luaL_getmetafield(L, -1, "__index") != LUA_TNIL) {
    lua_pop(L, 1);
    if (lua_getfield(L, -1, "totable") == LUA_TFUNCTION) {
      lua_pushvalue(L, -2);
      lua_call(L, 1, 1);
      lua_replace(L, -2);
      return;
    }
    lua_pop(L, 1);
  }
  if (type != LUA_TTABLE) wrong(f, "numbers (a table or a tensor)", -1);
}

/* Fills v with the numbers of the value at the top, which has this shape. */
static void fill(const field *f, double **v, const size_t *dim, int ndim) {
  lua_State *L = f->L;
  plain(f);
  if (ndim == 0) {
    if (lua_type(L, -1) != LUA_TNUMBER) {
      if (lua_istable(L, -1))
        td_lua_error(L, "%s: the rows of %s have unequal depths", f->owner,
                     f->name);
      wrong(f, "numbers", -1);
    }
    *(*v)++ = lua_tonumber(L, -1);
    return;
  }
  if (!lua_istable(L, -1) || (size_t)luaL_len(L, -1) != dim[0])
    td_lua_error(L, "%s: the rows of %s have unequal lengths", f->owner, f->name);
  luaL_checkstack(L, 4, "nested too deeply");
  for (size_t i = 0; i < dim[0]; i++) {
    lua_geti(L, -1, (lua_Integer)i + 1);
    fill(f, v, dim + 1, ndim - 1);
    lua_pop(L, 1);
  }
}

static double *tensor_numbers(const field *f, td_tensor *t, size_t *n,
                              size_t dim[4], int *ndim) {
  *ndim = td_ndim(t);
  if (*ndim > 4)
    td_lua_error(f->L, "%s: %s has %d dims, at most 4 are drawn", f->owner,
                 f->name, *ndim);
  for (int k = 0; k < *ndim; k++) dim[k] = (size_t)td_shape(t)[k];
  *n = (size_t)td_numel(t);
  double *v = lua_newuserdatauv(f->L, (*n + 1) * sizeof *v, 0);
  for (size_t i = 0; f->unseen && i < *n; i++) v[i] = NAN;
  if (f->unseen) return v;
  int mark = td_scope_open();
  td_status status = td_read_f64(t, v);
  td_scope_close(mark);
  if (status) td_lua_raise(f->L);
  return v;
}

/* Numbers of the value at idx (a number, nested tables, a tensor) in memory that
** stays on the stack. */
static double *numbers(const field *f, int idx, size_t *n, size_t dim[4],
                       int *ndim) {
  lua_State *L = f->L;
  td_tensor *t = td_lua_test(L, idx);
  if (t) return tensor_numbers(f, t, n, dim, ndim);
  lua_pushvalue(L, idx);
  plain(f);
  lua_pushvalue(L, -1);
  *ndim = 0, *n = 1;
  while (lua_istable(L, -1)) {
    if (*ndim == 4)
      td_lua_error(L, "%s: %s is nested too deeply", f->owner, f->name);
    *n *= dim[(*ndim)++] = (size_t)luaL_len(L, -1);
    lua_geti(L, -1, 1);
    if (lua_isnil(L, -1)) break;
    plain(f);
    lua_replace(L, -2);
  }
  lua_settop(L, lua_gettop(L) - (lua_isnil(L, -1) ? 2 : 1));
  double *v = lua_newuserdatauv(L, (*n + 1) * sizeof *v, 0), *at = v;
  lua_insert(L, -2);
  if (*n) fill(f, &at, dim, *ndim);
  lua_pop(L, 1);
  return v;
}

/* ---- colours ------------------------------------------------------------- */
td_plot_color td_plot_lua_color(lua_State *L, int idx, const char *what) {
  td_plot_color c = {.kind = TD_PLOT_COLOR_RGBA, .a = 1};
  if (lua_type(L, idx) == LUA_TSTRING) {
    if (td_plot_color_parse(lua_tostring(L, idx), &c))
      td_lua_error(L, "%s: %s", what, td_plot_error());
    return c;
  }
  double *part[] = {&c.r, &c.g, &c.b, &c.a};
  lua_Integer n = lua_istable(L, idx) ? luaL_len(L, idx) : 0;
  if (n != 3 && n != 4)
    td_lua_error(L, "%s: a colour is a name, \"#rrggbb\" or {r, g, b [, a]} with "
                 "parts from 0 to 1, got %s", what, luaL_typename(L, idx));
  for (int k = 0; k < n; k++) {
    lua_geti(L, idx, k + 1);
    *part[k] = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(*part[k] >= 0 && *part[k] <= 1))
      td_lua_error(L, "%s: the parts of a colour are numbers from 0 to 1", what);
    lua_pop(L, 1);
  }
  return c;
}

static const char *title(const field *f, char *out, size_t size) {
  snprintf(out, size, "%s: %s", f->owner, f->name);
  return out;
}

/* A list of colours as n x 4 numbers. */
static void read_color_names(const field *f, int idx, td_plot_data *d) {
  lua_State *L = f->L;
  char what[96];
  title(f, what, sizeof what);
  size_t n = (size_t)luaL_len(L, idx), dim[] = {n, 4};
  double *v = lua_newuserdatauv(L, n * 4 * sizeof *v, 0);
  td_plot_theme theme = td_plot_theme_default();
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, idx, (lua_Integer)i + 1);
    td_plot_color c = td_plot_lua_color(L, lua_gettop(L), what);
    lua_pop(L, 1);
    if (c.kind == TD_PLOT_COLOR_CYCLE) c = theme.cycle[c.cycle];
    double rgba[] = {c.r, c.g, c.b, c.kind == TD_PLOT_COLOR_NONE ? 0 : c.a};
    memcpy(v + 4 * i, rgba, sizeof rgba);
  }
  if (td_plot_data_numbers(d, v, 2, dim)) td_plot_lua_fail(L);
}

static void read_colors(const field *f, int idx, td_plot_data *d) {
  lua_State *L = f->L;
  if (lua_istable(L, idx)) {
    int type = lua_geti(L, idx, 1);
    lua_pop(L, 1);
    if (type == LUA_TSTRING) {
      read_color_names(f, idx, d);
      return;
    }
  }
  size_t n, dim[4];
  int ndim;
  double *v = numbers(f, idx, &n, dim, &ndim);
  if (ndim == 2 && (dim[1] == 3 || dim[1] == 4)) {
    size_t rows = dim[0], k = dim[1];
    double *rgba = lua_newuserdatauv(L, (rows * 4 + 1) * sizeof *rgba, 0);
    for (size_t i = 0; i < rows * 4; i++) {
      double c = i % 4 < k ? v[i / 4 * k + i % 4] : 1;
      if (!(c >= 0 && c <= 1) && !f->unseen)
        td_lua_error(L, "%s: the parts of a colour are numbers from 0 to 1",
                     f->owner);
      rgba[i] = c;
    }
    dim[1] = 4;
    if (td_plot_data_numbers(d, rgba, 2, dim)) td_plot_lua_fail(L);
    return;
  }
  if (ndim == 2 && dim[1] == 1) ndim = 1;
  if (ndim != 1)
    td_lua_error(L, "%s: %s is a list of values, or n x 3 or n x 4 colours",
                 f->owner, f->name);
  if (td_plot_data_numbers(d, v, 1, &n)) td_plot_lua_fail(L);
}

/* ---- the other kinds ----------------------------------------------------- */
static void read_data(const field *f, int idx, td_plot_data *d) {
  size_t n, dim[4];
  int ndim;
  double *v = numbers(f, idx, &n, dim, &ndim);
  if (td_plot_data_numbers(d, v, ndim, dim)) td_plot_lua_fail(f->L);
  if (ndim == 0) d->dim[0] = 1;
}

/* Splits n x 2 (or steps x paths x 2) numbers into two fields. */
static void read_pairs(const field *f, int idx, td_plot_data *d) {
  lua_State *L = f->L;
  size_t n, dim[4] = {0};
  int ndim;
  double *v = numbers(f, idx, &n, dim, &ndim);
  if (n == 0) ndim = 2, dim[0] = 0, dim[1] = 2;
  if (ndim < 1 || dim[ndim - 1] != 2)
    td_lua_error(L, "%s: %s must be n x 2 numbers", f->owner, f->name);
  size_t half = n / 2;
  double *part = lua_newuserdatauv(L, (n + 1) * sizeof *part, 0);
  for (size_t i = 0; i < n; i++) part[i % 2 * half + i / 2] = v[i];
  if (ndim > 3)
    td_lua_error(L, "%s: %s must be n x 2 or rows x columns x 2 numbers, got %d "
                 "dimensions", f->owner, f->name, ndim);
  if (ndim == 1) dim[0] = 1;
  for (int k = 0; k < 2; k++)
    if (td_plot_data_numbers(&d[k], part + (size_t)k * half, ndim > 2 ? 2 : 1, dim))
      td_plot_lua_fail(L);
}

static void read_strings(const field *f, int idx, td_plot_data *d) {
  lua_State *L = f->L;
  luaL_Buffer b;
  size_t count = 1;
  if (lua_isstring(L, idx)) {
    luaL_buffinit(L, &b);
    lua_pushvalue(L, idx);
    luaL_addvalue(&b);
    luaL_addchar(&b, 0);
  } else if (lua_istable(L, idx)) {
    count = (size_t)luaL_len(L, idx);
    luaL_buffinit(L, &b);
    for (size_t i = 1; i <= count; i++) {
      if (lua_geti(L, idx, (lua_Integer)i) == LUA_TNIL || !lua_isstring(L, -1))
        td_lua_error(L, "%s: %s[%d] must be a string, got %s", f->owner, f->name,
                     (int)i, luaL_typename(L, -1));
      luaL_addvalue(&b);
      luaL_addchar(&b, 0);
    }
  } else {
    wrong(f, "a string or a list of strings", idx);
    return;
  }
  luaL_pushresult(&b);
  size_t n;
  const char *s = lua_tolstring(L, -1, &n);
  if (td_plot_data_strings(d, s, n, count)) td_plot_lua_fail(L);
}

static double read_end(const field *f, int idx) {
  lua_State *L = f->L;
  if (lua_type(L, idx) == LUA_TNUMBER) {
    if (isnan(lua_tonumber(L, idx)))
      td_lua_error(L, "%s: %s has nan for an end; \"auto\" stands for an end from the data",
                   f->owner, f->name);
    return lua_tonumber(L, idx);
  }
  if (lua_isnil(L, idx) || (lua_isboolean(L, idx) && !lua_toboolean(L, idx)))
    return NAN;
  if (lua_type(L, idx) == LUA_TSTRING && !strcmp(lua_tostring(L, idx), "auto"))
    return NAN;
  wrong(f, "{lo, hi}, each a number or \"auto\"", idx);
  return NAN;
}

static void read_limits(const field *f, int idx, td_plot_limits *out) {
  lua_State *L = f->L;
  *out = (td_plot_limits){NAN, NAN};
  if (lua_type(L, idx) == LUA_TSTRING && !strcmp(lua_tostring(L, idx), "auto"))
    return;
  if (!lua_istable(L, idx) || luaL_len(L, idx) > 2)
    wrong(f, "{lo, hi} or \"auto\"", idx);
  lua_geti(L, idx, 1);
  lua_geti(L, idx, 2);
  out->lo = read_end(f, lua_gettop(L) - 1);
  out->hi = read_end(f, lua_gettop(L));
}

static int unknown_word(const field *f, const char *word, const char *choices) {
  char near[400];
  return td_lua_error(f->L, "%s: %s = '%s' is unknown%s", f->owner, f->name, word,
                      td_plot_suggest(word, choices, near, sizeof near));
}

static void read_choice(const field *f, const td_plot_option *o, int idx,
                        int *out) {
  lua_State *L = f->L;
  if (lua_isboolean(L, idx) && !strncmp(o->choices, "auto|", 5)) {
    *out = lua_toboolean(L, idx) ? 2 : 1;
    return;
  }
  if (!lua_isstring(L, idx)) {
    wrong(f, lua_pushfstring(L, "one of %s", o->choices), idx);
    return;
  }
  lua_pushvalue(L, idx); /* a number (of columns) counts as its text */
  const char *word = lua_tostring(L, -1);
  *out = td_plot_choice_find(o, word);
  if (*out < 0) unknown_word(f, word, o->choices);
}

static void read_list(const field *f, const td_plot_option *o, int idx,
                      td_plot_list *out) {
  static const td_plot_list dashes[] = {
    {0, {0}}, {2, {4.2, 2.2}}, {2, {1.2, 1.7}}, {4, {4.2, 1.8, 1.2, 1.8}}
  };
  lua_State *L = f->L;
  if (o->choices && lua_type(L, idx) == LUA_TSTRING) {
    int k = td_plot_choice_find(o, lua_tostring(L, idx));
    if (k < 0) unknown_word(f, lua_tostring(L, idx), o->choices);
    *out = dashes[k];
    return;
  }
  size_t n, dim[4];
  int ndim;
  double *v = numbers(f, idx, &n, dim, &ndim);
  if (ndim != 1 || (double)n < o->lo || (double)n > o->hi)
    td_lua_error(L, "%s: %s takes %d%s numbers", f->owner, f->name, (int)o->hi,
                 o->lo < o->hi ? " or fewer" : "");
  out->n = (int)n;
  double sum = 0;
  for (size_t i = 0; i < n; i++) out->v[i] = v[i], sum += v[i];
  for (size_t i = 0; o->choices && i < n; i++)
    if (!(v[i] >= 0) || !(sum > 0) || !isfinite(sum))
      td_lua_error(L, "%s: lengths in %s must be at least 0, not all 0", f->owner,
                   f->name);
}

static void read_number(const field *f, const td_plot_option *o, int idx,
                        double *out) {
  lua_State *L = f->L;
  if (lua_type(L, idx) != LUA_TNUMBER) wrong(f, "a number", idx);
  double v = lua_tonumber(L, idx);
  if (!(v >= o->lo && v <= o->hi) || isinf(v)) {
    char range[96];
    if (isinf(o->hi))
      snprintf(range, sizeof range, "finite%s, got %g",
               o->lo == 0 ? " and at least 0" : "", v);
    else
      snprintf(range, sizeof range, "from %g to %g, got %g", o->lo, o->hi, v);
    td_lua_error(L, "%s: %s must be %s", f->owner, f->name, range);
  }
  *out = v;
}

static void read_cycle(const field *f, int idx, td_plot_color *out) {
  lua_State *L = f->L;
  char what[96];
  lua_Integer n = lua_istable(L, idx) ? luaL_len(L, idx) : 0;
  if (n < 1 || n > 64) wrong(f, "a list of colours", idx);
  for (int k = 0; k < TD_PLOT_CYCLE; k++) {
    lua_geti(L, idx, k % n + 1);
    out[k] = td_plot_lua_color(L, lua_gettop(L), title(f, what, sizeof what));
    if (out[k].kind != TD_PLOT_COLOR_RGBA)
      td_lua_error(L, "%s: write #rrggbb or a name", what);
    lua_pop(L, 1);
  }
}

void td_plot_lua_theme(lua_State *L, int idx, td_plot_theme *theme) {
  const td_plot_theme *base = NULL;
  idx = lua_absindex(L, idx);
  if (lua_type(L, idx) == LUA_TSTRING) {
    base = td_plot_theme_find(lua_tostring(L, idx));
  } else if (lua_istable(L, idx)) {
    if (lua_getfield(L, idx, "base") == LUA_TSTRING)
      base = td_plot_theme_find(lua_tostring(L, -1));
    else if (lua_isnil(L, -1))
      base = theme;
    lua_pop(L, 1);
  } else {
    td_lua_error(L, "theme: a name (%s) or a table of options, got %s",
                 td_plot_theme_names(), luaL_typename(L, idx));
  }
  if (!base) td_plot_lua_fail(L);
  if (base != theme) *theme = *base;
  if (lua_istable(L, idx))
    td_plot_lua_apply(L, idx, TD_PLOT_OWNER_THEME, theme, "|base|");
}

/* ---- one option ---------------------------------------------------------- */
static void read_option(const field *f, const td_plot_option *o, int idx,
                        void *at) {
  lua_State *L = f->L;
  char what[96];
  switch (o->kind) {
    case TD_PLOT_OPT_NUMBER: read_number(f, o, idx, at); break;
    case TD_PLOT_OPT_BOOL:
      if (!lua_isboolean(L, idx)) wrong(f, "true or false", idx);
      *(bool *)at = lua_toboolean(L, idx);
      break;
    case TD_PLOT_OPT_CHOICE: read_choice(f, o, idx, at); break;
    case TD_PLOT_OPT_STRING:
      if (!lua_isstring(L, idx)) wrong(f, "a string", idx);
      read_strings(f, idx, at);
      break;
    case TD_PLOT_OPT_STRINGS: read_strings(f, idx, at); break;
    case TD_PLOT_OPT_COLOR:
      *(td_plot_color *)at = td_plot_lua_color(L, idx, title(f, what, sizeof what));
      break;
    case TD_PLOT_OPT_DATA: read_data(f, idx, at); break;
    case TD_PLOT_OPT_COLORS: read_colors(f, idx, at); break;
    case TD_PLOT_OPT_PAIRS: read_pairs(f, idx, at); break;
    case TD_PLOT_OPT_LIMITS: read_limits(f, idx, at); break;
    case TD_PLOT_OPT_LIST: read_list(f, o, idx, at); break;
    case TD_PLOT_OPT_CMAP:
      if (lua_type(L, idx) != LUA_TSTRING) wrong(f, "the name of a colour map", idx);
      *(int *)at = td_plot_cmap_find(lua_tostring(L, idx));
      if (*(int *)at < 0) td_lua_error(L, "%s: %s", f->owner, td_plot_error());
      break;
    case TD_PLOT_OPT_THEME: td_plot_lua_theme(L, idx, at); break;
    case TD_PLOT_OPT_CYCLE: read_cycle(f, idx, at); break;
    case TD_PLOT_OPT_FONT:
      if (lua_type(L, idx) != LUA_TSTRING || lua_rawlen(L, idx) > 63)
        wrong(f, "a string of at most 63 bytes", idx);
      strcpy(at, lua_tostring(L, idx));
      break;
  }
}

void td_plot_lua_read(lua_State *L, unsigned owner, const td_plot_option *o, int idx,
                      void *options) {
  field f = {L, td_plot_owner_name(owner), o->name, false};
  read_option(&f, o, lua_absindex(L, idx), (char *)options + o->offset);
}

/* late: where values go that are still on their way, or NULL: all are waited for */
static void apply(lua_State *L, int idx, unsigned owner, void *options, const char *skip,
                  td_plot_late *late) {
  idx = lua_absindex(L, idx);
  const char *name = td_plot_owner_name(owner);
  if (lua_isnoneornil(L, idx)) return;
  if (!lua_istable(L, idx))
    td_lua_error(L, "%s: a table of options is needed, got %s", name,
                 luaL_typename(L, idx));
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    char key[72];
    if (lua_type(L, -2) != LUA_TSTRING)
      td_lua_error(L, "%s: options are given by name, as in {title = ...}; "
                   "[%s] is not", name, luaL_tolstring(L, -2, NULL));
    snprintf(key, sizeof key, "|%.64s|", lua_tostring(L, -2));
    if (!strstr(skip, key)) {
      const td_plot_option *o = td_plot_option_find(owner, lua_tostring(L, -2), skip);
      if (!o) td_plot_lua_fail(L);
      field f = {L, name, o->name, false};
      td_plot_data *at = (td_plot_data *)((char *)options + o->offset);
      int value = lua_gettop(L);
      bool reset = lua_isboolean(L, value) && !lua_toboolean(L, value) &&
                   o->kind != TD_PLOT_OPT_BOOL &&
                   (o->kind != TD_PLOT_OPT_CHOICE || strncmp(o->choices, "auto|", 5));
      td_tensor *far = late && !reset ? td_plot_late_tensor(L, o, value) : NULL;
      f.unseen = far != NULL;
      if (reset) td_plot_option_reset(owner, o, options);
      else read_option(&f, o, value, at);
      if (far) td_plot_late_begin(L, late, o, far, at);
      lua_settop(L, value);
    }
    lua_pop(L, 1);
  }
}

void td_plot_lua_apply(lua_State *L, int idx, unsigned owner, void *options,
                       const char *skip) {
  apply(L, idx, owner, options, skip, NULL);
}

void td_plot_lua_apply_draft(lua_State *L, int idx, td_plot_draft *d, const char *skip) {
  apply(L, idx, d->owner, &d->o, skip, &d->late);
}

/* ---- back to Lua --------------------------------------------------------- */
static void push_data(lua_State *L, const td_plot_data *d) {
  const double *v = td_plot_numbers(d);
  if (!v) {
    lua_pushnil(L);
    return;
  }
  bool rows = d->ndim >= 2;
  size_t n = rows ? d->dim[0] : d->n, k = rows && n ? d->n / n : 1;
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    if (rows) lua_createtable(L, (int)k, 0);
    for (size_t j = 0; j < k; j++) {
      lua_pushnumber(L, v[i * k + j]);
      lua_rawseti(L, -2, (lua_Integer)(rows ? j : i) + 1);
    }
    if (rows) lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_numbers(lua_State *L, const double *v, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushnumber(L, v[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_color(lua_State *L, const td_plot_color *c) {
  if (c->kind == TD_PLOT_COLOR_AUTO) lua_pushnil(L);
  else if (c->kind == TD_PLOT_COLOR_NONE) lua_pushliteral(L, "none");
  else if (c->kind == TD_PLOT_COLOR_CYCLE) lua_pushfstring(L, "C%d", c->cycle + 1);
  else push_numbers(L, (const double[]){c->r, c->g, c->b, c->a}, 4);
}

void td_plot_lua_push(lua_State *L, const td_plot_option *o, const void *options) {
  const void *at = (const char *)options + o->offset;
  const char *word;
  int n;
  switch (o->kind) {
    case TD_PLOT_OPT_NUMBER:
      if (isnan(*(const double *)at)) lua_pushnil(L);
      else lua_pushnumber(L, *(const double *)at);
      break;
    case TD_PLOT_OPT_BOOL: lua_pushboolean(L, *(const bool *)at); break;
    case TD_PLOT_OPT_CHOICE:
      word = td_plot_choice_name(o->choices, *(const int *)at, &n);
      lua_pushlstring(L, word ? word : "", (size_t)n);
      break;
    case TD_PLOT_OPT_STRING: case TD_PLOT_OPT_STRINGS:
      lua_pushstring(L, td_plot_text(at, 0));
      break;
    case TD_PLOT_OPT_COLOR: push_color(L, at); break;
    case TD_PLOT_OPT_DATA: case TD_PLOT_OPT_COLORS: push_data(L, at); break;
    case TD_PLOT_OPT_PAIRS: {
      const td_plot_data *x = at, *y = x + 1;
      lua_createtable(L, (int)x->n, 0);
      for (size_t i = 0; i < x->n; i++) {
        push_numbers(L, (const double[]){td_plot_numbers(x)[i],
                                         td_plot_numbers(y)[i]}, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
      }
      break;
    }
    case TD_PLOT_OPT_LIMITS: {
      const td_plot_limits *l = at;
      const double end[] = {l->lo, l->hi};
      lua_createtable(L, 2, 0);
      for (int k = 0; k < 2; k++) {
        if (isnan(end[k])) lua_pushliteral(L, "auto");
        else lua_pushnumber(L, end[k]);
        lua_rawseti(L, -2, k + 1);
      }
      break;
    }
    case TD_PLOT_OPT_LIST:
      push_numbers(L, ((const td_plot_list *)at)->v, ((const td_plot_list *)at)->n);
      break;
    case TD_PLOT_OPT_CMAP:
      lua_pushstring(L, td_plot_cmap_get(*(const int *)at)->name);
      break;
    case TD_PLOT_OPT_THEME: lua_pushstring(L, ((const td_plot_theme *)at)->name); break;
    case TD_PLOT_OPT_FONT: lua_pushstring(L, at); break;
    case TD_PLOT_OPT_CYCLE:
      lua_createtable(L, TD_PLOT_CYCLE, 0);
      for (int k = 0; k < TD_PLOT_CYCLE; k++) {
        push_color(L, (const td_plot_color *)at + k);
        lua_rawseti(L, -2, k + 1);
      }
      break;
  }
}
