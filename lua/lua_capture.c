/* lua_capture.c -- module tide.capture.core: recording a step and replaying it.
**
** lua/tide/capture.lua is what users call; here is what must be C. */
#include "lua_td.h"

#define CAPTURE "tide.Capture"

static td_capture **check(lua_State *L) {
  return luaL_checkudata(L, 1, CAPTURE);
}

/* record(lenient, f, ...): runs f(...) while recording; returns a capture that is
** not finished yet, and f's results. */
static int l_record(lua_State *L) {
  bool lenient = lua_toboolean(L, 1);
  lua_remove(L, 1);
  td_capture **c = lua_newuserdatauv(L, sizeof *c, 0);
  *c = NULL;
  luaL_setmetatable(L, CAPTURE);
  lua_insert(L, 1);
  td__lua_enter(L);
  if (!(*c = td_capture_begin(lenient))) return td_lua_raise(L);
  int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  td_capture_stop(*c);
  if (status == LUA_OK) return lua_gettop(L);
  td_capture_free(*c);
  *c = NULL;
  return lua_error(L);
}

/* aside(f, ...): calls f so that its work is not part of the step. */
static int l_aside(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (!td_capturing()) {
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
  }
  td_capture_aside(true);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  td_capture_aside(false);
  return status ? lua_error(L) : lua_gettop(L);
}

/* finish(capture): plans; the step's garbage must have been collected.  Nil and why
** when the step cannot be replayed. */
static int l_finish(lua_State *L) {
  td_capture **c = check(L);
  td__lua_enter(L);
  if (!td_capture_finish(*c)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, td_error());
  td_error_clear();
  return 2;
}

static int l_replay(lua_State *L) {
  td_capture **c = check(L);
  td__lua_enter(L);
  return td_capture_replay(*c) ? td_lua_raise(L) : 0;
}

/* run(capture, steps, numbers, results): how many steps a launch does, or 0. */
static int l_run(lua_State *L) {
  td_capture **c = check(L);
  td_list numbers = td_lua_list(L, 3), results = td_lua_list(L, 4);
  td__lua_enter(L);
  int n = td_capture_run(*c, luaL_checkinteger(L, 2), numbers, results);
  if (n < 0) return td_lua_raise(L);
  lua_pushinteger(L, n);
  return 1;
}

/* turn(capture, values, stacks, row) */
static int l_turn(lua_State *L) {
  td_capture **c = check(L);
  lua_Integer n = luaL_len(L, 2);
  double *value = lua_newuserdatauv(L, sizeof *value * ((size_t)n + 1), 0);
  for (lua_Integer i = 0; i < n; i++) {
    lua_geti(L, 2, i + 1);
    value[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  td_list stacks = td_lua_list(L, 3);
  td__lua_enter(L);
  return td_capture_turn(*c, value, stacks, luaL_checkinteger(L, 4) - 1) ? td_lua_raise(L) : 0;
}

static int l_stats(lua_State *L) {
  td_capture_info s = td_capture_stats(*check(L));
  lua_createtable(L, 0, 10);
  lua_pushinteger(L, s.calls);
  lua_setfield(L, -2, "calls");
  lua_pushinteger(L, s.stages);
  lua_setfield(L, -2, "stages");
  lua_pushinteger(L, s.nodes);
  lua_setfield(L, -2, "nodes");
  lua_pushinteger(L, s.waits);
  lua_setfield(L, -2, "waits");
  lua_pushstring(L, s.why);
  lua_setfield(L, -2, "why");
  lua_pushinteger(L, (lua_Integer)s.scratch);
  lua_setfield(L, -2, "scratch");
  lua_pushinteger(L, (lua_Integer)s.planned);
  lua_setfield(L, -2, "planned");
  lua_pushinteger(L, (lua_Integer)s.arena);
  lua_setfield(L, -2, "arena");
  lua_pushinteger(L, (lua_Integer)s.kept);
  lua_setfield(L, -2, "kept");
  return 1;
}

static int l_seconds(lua_State *L) {
  double s = td_capture_seconds(*check(L));
  if (s > 0) lua_pushnumber(L, s);
  else lua_pushnil(L);
  return 1;
}

static int l_calls(lua_State *L) {
  const td_capture *c = *check(L);
  char text[2048];
  lua_newtable(L);
  for (int i = 0; td_capture_call(c, i, text, sizeof text); i++) {
    lua_pushstring(L, text);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int l_recording(lua_State *L) {
  lua_pushboolean(L, td_capturing());
  return 1;
}

static int l_gc(lua_State *L) {
  td_capture **c = check(L);
  td_capture_free(*c);
  *c = NULL;
  return 0;
}

static int open_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "record", l_record }, { "finish", l_finish }, { "replay", l_replay },
    { "run", l_run }, { "turn", l_turn },
    { "stats", l_stats }, { "seconds", l_seconds }, { "calls", l_calls }, { "recording", l_recording },
    { "aside", l_aside }, { "free", l_gc },
    { NULL, NULL },
  };
  luaL_newmetatable(L, CAPTURE);
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.capture.core", open_core);
}
