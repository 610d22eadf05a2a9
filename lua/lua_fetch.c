/* lua_fetch.c -- module tide.fetch.core: values of tensors on the host that nobody waits for.
**
** begin(t) gives what becomes of t's values as they are behind the work so far: f:done(),
** f:take() (waits; once).  For the library's own use. */
#include "lua_td.h"

#define FETCH "tide.Fetch"

static td_fetch **check(lua_State *L) { return luaL_checkudata(L, 1, FETCH); }

static int l_begin(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  td_fetch **f = lua_newuserdatauv(L, sizeof *f, 0);
  *f = NULL;
  luaL_setmetatable(L, FETCH);
  td__lua_enter(L);
  *f = td_fetch_begin(t);
  return *f ? 1 : td_lua_raise(L);
}

static int l_done(lua_State *L) {
  lua_pushboolean(L, td_fetch_done(*check(L)));
  return 1;
}

static int l_take(lua_State *L) {
  td_fetch **f = check(L), *mine = *f;
  if (!mine) return td_lua_error(L, "take: these values have been taken");
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  td__lua_enter(L);
  *f = NULL;
  return td_lua_finish(L, b, td_fetch_end(mine), mark);
}

static int l_gc(lua_State *L) {
  td_fetch **f = check(L);
  td_fetch_drop(*f);
  *f = NULL;
  return 0;
}

static int open_core(lua_State *L) {
  static const luaL_Reg functions[] = { { "begin", l_begin }, { NULL, NULL } };
  static const luaL_Reg methods[] = { { "done", l_done }, { "take", l_take }, { NULL, NULL } };
  luaL_newmetatable(L, FETCH);
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.fetch.core", open_core);
}
