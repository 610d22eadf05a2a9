/* jobs.c -- jobs and the program: slices while the prompt waits, the end of scripts
** and of the session. */
#include "vm/vm.h"

#include <lauxlib.h>
#include <stdio.h>
#include <unistd.h>

#include "lua/lua_td.h"

enum { IDLE_MS = 250 };               /* between looks at jobs that cannot go on */

/* Calls tide.job.FUNCTION() for `results` values, shielded from Ctrl-C when asked;
** a Lua status, with the error on the stack. */
static int call_job(lua_State *L, const char *function, bool shielded,
                    int results) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 8, "no room for jobs");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "tide.job.core");
  lua_getfield(L, -1, "shield");
  lua_getfield(L, -3, "tide.job");
  lua_getfield(L, -1, function);
  lua_replace(L, top + 1);            /* function, core, shield, job */
  lua_pushvalue(L, top + 3);
  lua_replace(L, top + 2);
  lua_settop(L, top + 2);             /* function, shield */
  if (shielded) lua_insert(L, top + 1);
  else lua_settop(L, top + 1);
  if (shielded) return lua_pcall(L, 1, results, 0);
  return vm_call(L, 0, results);
}

/* ---- while the prompt waits ---- */

static void show_status(lua_State *L, int index) {
  if (lua_isnil(L, index)) return;
  vm_prompt_status(lua_tostring(L, index));       /* false: NULL */
}

static int idle(vm_source *s, lua_State *L) {
  (void)s;
  static bool live;
  if (!td__lua_slice.used) return -1;
  if (call_job(L, "_idle", true, 3) != LUA_OK) {
    vm_message(luaL_tolstring(L, -1, NULL));
    return IDLE_MS;
  }
  bool ran = lua_toboolean(L, -3), was_live = live;
  live = lua_tointeger(L, -2) > 0;
  if (live || was_live) show_status(L, lua_gettop(L));
  return ran ? 0 : live ? IDLE_MS : -1;
}

static lua_State *prompt;             /* where the prompt runs, or NULL */

void vm_jobs_prompt(lua_State *L) {
  static vm_source source = { .idle = idle, .fd = -1 };
  if (L) vm_source_add(&source);
  else vm_source_remove(&source);
  prompt = L;
}

void vm_jobs_leave(void) {
  if (prompt) vm_jobs_cancel(prompt);
}

void vm_jobs_statement(lua_State *L) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 4, "no room for the end of a statement");
  td_lua_screen_clear(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "tide.progress") == LUA_TTABLE) {
    lua_getfield(L, -1, "_forget");
    lua_pcall(L, 0, 0, 0);
  }
  lua_settop(L, top);
}

/* ---- ends ---- */

int vm_jobs_count(lua_State *L) {
  if (!td__lua_slice.used) return 0;
  int top = lua_gettop(L);
  int n = call_job(L, "_live", true, 1) == LUA_OK ? (int)lua_tointeger(L, -1) : 0;
  lua_settop(L, top);
  return n;
}

bool vm_jobs_finish(lua_State *L) {
  if (!td__lua_slice.used) return true;
  int top = lua_gettop(L);
  int status = vm_report(L, call_job(L, "_finish", false, 1));
  bool good = status == LUA_OK && lua_toboolean(L, -1);
  lua_settop(L, top);
  if (status != LUA_OK) vm_jobs_cancel(L);
  return good;
}

void vm_jobs_cancel(lua_State *L) {
  if (!td__lua_slice.used) return;
  int top = lua_gettop(L);
  if (call_job(L, "_cancel_all", true, 0) != LUA_OK)
    vm_message(luaL_tolstring(L, -1, NULL));
  lua_settop(L, top);
}
