/* lua_error.c -- the one way to raise, and checks of option tables. */
#include "lua_td.h"
#include <stdlib.h>
#include <string.h>

/* ---- where the user is ---- */

/* Functions of the embedded library have chunk names that start like this. */
#define LIBRARY "=tide/"

/* Finds the innermost line of the user's own code, or else of the library. */
static bool find_line(lua_State *L, lua_Debug *ar) {
  lua_Debug own;
  bool found = false;
  for (int level = 0; lua_getstack(L, level, ar); level++) {
    lua_getinfo(L, "Sl", ar);
    if (ar->currentline <= 0) continue;
    if (strncmp(ar->source, LIBRARY, sizeof LIBRARY - 1)) return true;
    if (!found) own = *ar;
    found = true;
  }
  if (found) *ar = own;
  return found;
}

void td_lua_where(lua_State *L) {
  lua_Debug ar;
  if (find_line(L, &ar))
    lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
  else
    lua_pushliteral(L, "");
}

/* For the core, which notes who changed a tensor in place. */
void td__lua_locate(char *buf, size_t size) {
  lua_Debug ar;
  buf[0] = 0;
  if (td__lua_current && find_line(td__lua_current, &ar))
    snprintf(buf, size, "%s:%d", ar.short_src, ar.currentline);
}

/* ---- raising ---- */

int td_lua_error(lua_State *L, const char *fmt, ...) {
  va_list ap;
  td_lua_where(L);
  va_start(ap, fmt);
  lua_pushvfstring(L, fmt, ap);
  va_end(ap);
  lua_concat(L, 2);
  return lua_error(L);
}

int td_lua_raise(lua_State *L) {
  if (td_error_code() == TD_EINTR) return td_lua_error(L, "interrupted!");
  return td_lua_error(L, "%s", td_error());
}

int td_lua_argerror(lua_State *L, int arg, const char *text) {
  lua_Debug ar;
  const char *name = "?", *what = "argument";
  if (lua_getstack(L, 0, &ar)) {
    lua_getinfo(L, "n", &ar);
    if (ar.name) name = ar.name;
    if (!strcmp(ar.namewhat, "method") && --arg == 0) what = "self, argument";
  }
  return td_lua_error(L, "%s: bad %s %d (%s)", name, what, arg, text);
}

int td_lua_typeerror(lua_State *L, int arg, const char *wanted) {
  const char *got = luaL_typename(L, arg);
  if (luaL_getmetafield(L, arg, "__name") == LUA_TSTRING)
    got = lua_tostring(L, -1);
  return td_lua_argerror(L, arg, lua_pushfstring(L, "%s expected, got %s",
                                                 wanted, got));
}

/* tide.raise(text): raises with the line of the user's code, not the library's */
static int l_raise(lua_State *L) {
  return td_lua_error(L, "%s", luaL_checkstring(L, 1));
}

/* ---- likely spellings ---- */

#define LONGEST 31

static int least(int a, int b, int c) {
  int m = a < b ? a : b;
  return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap neighbours) that turn a into b. */
static int distance(const char *a, const char *b) {
  int n = (int)strlen(a), m = (int)strlen(b);
  int row[3][LONGEST + 2];
  if (n > LONGEST || m > LONGEST) return LONGEST;
  for (int j = 0; j <= m; j++) row[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= m; j++) {
      now[j] = least(up[j] + 1, now[j - 1] + 1,
                     up[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
          up2[j - 2] + 1 < now[j])
        now[j] = up2[j - 2] + 1;
    }
  }
  return row[n % 3][m];
}

/* How unlike two words are; one that starts with the other is close. */
static int unlike(const char *key, const char *name) {
  size_t n = strlen(key), m = strlen(name), least_len = n < m ? n : m;
  if (least_len >= 2 && !strncmp(key, name, least_len)) return 1;
  return distance(key, name);
}

const char *td_lua_nearest(const char *key, const char *const *names) {
  const char *best = NULL;
  int limit = 2 + (int)strlen(key) / 4;
  for (; *names; names++) {
    int d = unlike(key, *names);
    if (d < limit && d < (int)strlen(*names)) {
      limit = d;
      best = *names;
    }
  }
  return best;
}

/* tide.nearest(word, list): the entry most like word, or nil */
static int l_nearest(lua_State *L) {
  const char *key = luaL_checkstring(L, 1), *best = NULL;
  int limit = 2 + (int)strlen(key) / 4;
  luaL_checktype(L, 2, LUA_TTABLE);
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) {
    const char *name = lua_tostring(L, -1);
    int d = unlike(key, name);
    if (d < limit && d < (int)strlen(name)) {
      limit = d;
      best = name;                /* stays alive: the list holds it */
    }
    lua_pop(L, 1);
  }
  lua_pushstring(L, best);
  return 1;
}

/* ---- option tables ---- */

bool td_lua_is_options(lua_State *L, int i) {
  if (lua_type(L, i) != LUA_TTABLE || lua_rawlen(L, i)) return false;
  i = lua_absindex(L, i);
  lua_pushnil(L);
  if (!lua_next(L, i)) return false;
  bool named = lua_type(L, -2) == LUA_TSTRING;
  lua_pop(L, 2);
  return named;
}

static bool among(const char *key, const char *const *names) {
  for (; *names; names++) if (!strcmp(key, *names)) return true;
  return false;
}

static int unknown_key(lua_State *L, const char *what, const char *key,
                       const char *const *names) {
  const char *near = td_lua_nearest(key, names);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 0; names[i]; i++) {
    if (i) luaL_addstring(&b, ", ");
    luaL_addstring(&b, names[i]);
  }
  luaL_pushresult(&b);
  const char *all = lua_tostring(L, -1);
  if (!names[0])
    return td_lua_error(L, "%s: takes no options, got '%s'", what, key);
  if (near)
    return td_lua_error(L, "%s: unknown option '%s'; did you mean '%s'? "
                        "(options: %s)", what, key, near, all);
  return td_lua_error(L, "%s: unknown option '%s' (options: %s)", what, key, all);
}

void td_lua_keys(lua_State *L, int i, const char *what,
                 const char *const *names) {
  i = lua_absindex(L, i);
  lua_pushnil(L);
  while (lua_next(L, i)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      td_lua_error(L, "%s: options are given by name, as in {%s=...}", what,
                   names[0] ? names[0] : "name");
    if (!among(lua_tostring(L, -1), names))
      unknown_key(L, what, lua_tostring(L, -1), names);
  }
}

bool td_lua_flag(lua_State *L, int opt, const char *name) {
  if (!opt || lua_isnoneornil(L, opt)) return false;
  lua_getfield(L, opt, name);
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

void td__lua_errors(lua_State *L) {
  lua_pushcfunction(L, l_raise);
  lua_setfield(L, -2, "raise");
  lua_pushcfunction(L, l_nearest);
  lua_setfield(L, -2, "nearest");
}
