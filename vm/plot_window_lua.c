/* plot_window_lua.c -- module tide.plot.window: show, close, due and wait for Lua. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "lua/lua_td.h"
#include "vm/plot_lua.h"
#include "vm/plot_window.h"

/* show(figure): true; or false and why there are no windows */
static int l_show(lua_State *L) {
  int rc = td_plot_window_show(td_plot_lua_figure(L, 1));
  if (rc == TD_PLOT_NOT_SHOWN) td_lua_error(L, "show: %s", td_plot_error());
  lua_pushboolean(L, rc == TD_PLOT_SHOWN);
  lua_pushstring(L, rc == TD_PLOT_SHOWN ? NULL : td_plot_error());
  return 2;
}

static int l_close(lua_State *L) {
  td_plot_window_close(td_plot_lua_figure(L, 1));
  return 0;
}

static int l_due(lua_State *L) {
  lua_pushboolean(L, td_plot_window_due(td_plot_lua_figure(L, 1)));
  return 1;
}

/* changes(figure): a number that is another one after each change */
static int l_changes(lua_State *L) {
  td_plot_figure *f = td_plot_lua_figure(L, 1);
  lua_pushinteger(L, (lua_Integer)atomic_load(&f->changes));
  return 1;
}

/* spent(figure): frames since the last call, seconds of processor and clock for them */
static int l_spent(lua_State *L) {
  td_plot_window_cost c = td_plot_window_spent(td_plot_lua_figure(L, 1));
  lua_pushinteger(L, c.frames);
  lua_pushnumber(L, c.cpu);
  lua_pushnumber(L, c.wall);
  return 3;
}

/* open(figure or nil, ms): waits for the answer false, but no longer */
static int l_open(lua_State *L) {
  td_plot_figure *f = lua_isnil(L, 1) ? NULL : td_plot_lua_figure(L, 1);
  lua_pushboolean(L, td_plot_window_open(f, (int)luaL_checkinteger(L, 2)));
  return 1;
}

/* __index of figures: fig.open beside the methods, which are upvalue 1 */
static int figure_index(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING && !strcmp(lua_tostring(L, 2), "open")) {
    lua_pushboolean(L, td_plot_window_open(td_plot_lua_figure(L, 1), 0));
    return 1;
  }
  lua_settop(L, 2);
  lua_gettable(L, lua_upvalueindex(1));
  return 1;
}

int luaopen_tide_plot_window(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"show", l_show}, {"close", l_close}, {"due", l_due}, {"open", l_open},
    {"spent", l_spent},
    {"changes", l_changes}, {NULL, NULL}
  };
  luaL_newlib(L, functions);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tide.plot.core"); /* makes the class of figures */
  lua_call(L, 1, 1);
  if (luaL_getmetatable(L, "tide.plot.Figure") == LUA_TTABLE) {
    lua_getfield(L, -2, "Figure");
    lua_pushcclosure(L, figure_index, 1);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 2);
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.plot.window", luaopen_tide_plot_window);
}
