/* events.c -- what a person does in windows, while the prompt waits for a key. */
#include "vm/vm.h"

#include <lauxlib.h>

#include "vm/plot_panel.h"

enum { FAILED_MS = 250 };             /* until the next look after an error */

/* tide.plot.event._idle(); ms until it wants to look again. */
static int listen_once(lua_State *L) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 8, "no room for events");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "tide.plot.event") != LUA_TTABLE) {
    lua_settop(L, top);
    return -1;
  }
  lua_getfield(L, -1, "_idle");
  int ms = FAILED_MS;
  if (vm_report(L, vm_call(L, 0, 1)) == LUA_OK) ms = (int)lua_tointeger(L, -1);
  lua_settop(L, top);
  return ms;
}

static int idle(vm_source *s, lua_State *L) {
  (void)s;
  return listen_once(L);
}

static void ready(vm_source *s, lua_State *L) {
  (void)s;
  td_plot_queue_quiet();
  listen_once(L);
}

void vm_events_prompt(void) {
  static vm_source source = { .idle = idle, .ready = ready };
  source.fd = td_plot_queue_fd();
  if (source.fd >= 0) vm_source_add(&source);
}
