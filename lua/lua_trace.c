/* lua_trace.c -- module "tide.debug.core": what the core's trace of ops says. */
#include "lua_td.h"
#include "tensor/trace.h"

static void set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

/* profile(true) starts counting; profile(false) ends it and returns a list of
** {op=, line=, of=, calls=, bytes=, seconds=}: `of` in a backward pass is the op
** whose gradient it is, and `line` that op's */
static int l_profile(lua_State *L) {
  const td_trace_row *r;
  bool on = lua_toboolean(L, 1);
  if (td_trace_profile(on)) return td_lua_raise(L);
  if (on) return 0;
  int n = td_trace_rows(&r);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++, r++) {
    lua_createtable(L, 0, 6);
    lua_pushfstring(L, "%s%s", r->op->name, r->inplace ? "_" : "");
    lua_setfield(L, -2, "op");
    set_text(L, "line", td_trace_place(r->place));
    if (r->of) set_text(L, "of", r->of->name);
    lua_pushinteger(L, r->calls);
    lua_setfield(L, -2, "calls");
    lua_pushinteger(L, r->bytes);
    lua_setfield(L, -2, "bytes");
    lua_pushnumber(L, r->seconds);
    lua_setfield(L, -2, "seconds");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int l_profiling(lua_State *L) {
  lua_pushboolean(L, td_trace_profiling());
  return 1;
}

/* nan([level]): 0 off, 1 NaN, 2 infinities too; returns what it was */
static int l_nan(lua_State *L) {
  lua_pushinteger(L, td_trace_nan_level());
  if (lua_isinteger(L, 1)) td_trace_nan((int)lua_tointeger(L, 1));
  return 1;
}

static int open_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "profile", l_profile }, { "profiling", l_profiling }, { "nan", l_nan },
    { NULL, NULL }
  };
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void announce(void) {
  td_lua_module("tide.debug.core", open_core);
}
