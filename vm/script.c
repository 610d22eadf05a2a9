/* script.c -- runs chunks the way the stand-alone interpreter does: the same
** messages, tracebacks and globals. */
#include "vm/vm.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What follows this mark in a module name is not part of the variable's name:
** lua's own constant is not public in every release of 5.4. */
#define VM_IGNORE_MARK "-"

static const char *progname = "tide";

void vm_progname_set(const char *name) {
  progname = name;
}

const char *vm_progname(void) {
  return progname;
}

void vm_message(const char *text) {
  if (progname) fprintf(stderr, "%s: ", progname);
  fprintf(stderr, "%s\n", text);
  fflush(stderr);
}

int vm_report(lua_State *L, int status) {
  if (status != LUA_OK) {
    const char *text = lua_tostring(L, -1);
    vm_message(text ? text : "(error message not a string)");
    lua_pop(L, 1);
  }
  return status;
}

/* Calls tide.shell.trace.FUNCTION(error at index 1) and leaves its text on the
** stack; false, with nothing there, when that is not possible. */
static bool trace(lua_State *L, const char *function) {
  int top = lua_gettop(L);
  if (!lua_checkstack(L, 8)) return false;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tide.shell.trace");
  bool done = lua_pcall(L, 1, 1, 0) == LUA_OK;
  if (done) {
    lua_getfield(L, -1, function);
    lua_pushvalue(L, 1);
    done = lua_pcall(L, 1, 1, 0) == LUA_OK && lua_isstring(L, -1);
  }
  if (done) lua_replace(L, top + 1);
  lua_settop(L, top + done);
  return done;
}

/* What a person at a terminal gets: at the prompt a report of its own, from a
** script the line of source. */
static bool explain_to_person(lua_State *L, const char *text) {
  bool at_prompt = !progname && vm_stdin_is_terminal();
  if (!isatty(STDERR_FILENO)) return false;
  if (at_prompt) return trace(L, "handle");
  if (!text || !trace(L, "line")) return false;
  luaL_traceback(L, L, lua_pushfstring(L, "%s\n%s", text, lua_tostring(L, -1)), 1);
  return true;
}

/* Message handler: an error object with __tostring speaks for itself, any other
** value gets a traceback. */
static int explain(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (explain_to_person(L, text)) return 1;
  if (!text) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
      return 1;
    text = lua_pushfstring(L, "(error object is a %s value)",
                           luaL_typename(L, 1));
  }
  luaL_traceback(L, L, text, 1);
  return 1;
}

/* The message at index 1 with the line of source that it points at, if any. */
static int explain_line(lua_State *L) {
  if (!trace(L, "line")) return 1;
  lua_pushliteral(L, "\n");
  lua_insert(L, 2);
  lua_concat(L, 3);
  return 1;
}

int vm_call(lua_State *L, int nargs, int nresults) {
  int handler = lua_gettop(L) - nargs;
  lua_pushcfunction(L, explain);
  lua_insert(L, handler);
  vm_interrupt_enter(L);
  int status = lua_pcall(L, nargs, nresults, handler);
  vm_interrupt_leave(L);
  lua_remove(L, handler);
  return status;
}

/* Adds the line of source to the message of a chunk that does not load. */
static void explain_syntax(lua_State *L, int status) {
  if (status != LUA_ERRSYNTAX || !isatty(STDERR_FILENO)) return;
  lua_pushcfunction(L, explain_line);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

/* Runs the chunk that a load just left on the stack. */
static int run_loaded(lua_State *L, int status) {
  explain_syntax(L, status);
  if (status == LUA_OK) status = vm_call(L, 0, 0);
  return vm_report(L, status);
}

int vm_do_string(lua_State *L, const char *code, const char *chunkname) {
  return run_loaded(L, luaL_loadbuffer(L, code, strlen(code), chunkname));
}

int vm_do_file(lua_State *L, const char *name) {
  return run_loaded(L, luaL_loadfile(L, name));
}

int vm_do_library(lua_State *L, const char *spec) {
  const char *equals = strchr(spec, '=');
  const char *module = equals ? equals + 1 : spec;
  size_t length = equals ? (size_t)(equals - spec) : strlen(spec);
#if LUA_VERSION_RELEASE_NUM >= 50406
  if (!equals) length = strcspn(spec, VM_IGNORE_MARK);  /* mod-v2 is global mod */
#endif
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  int status = vm_call(L, 1, 1);
  if (status == LUA_OK) {
    lua_pushglobaltable(L);
    lua_pushlstring(L, spec, length);
    lua_rotate(L, -3, -1);
    lua_settable(L, -3);
    lua_pop(L, 1);
  }
  return vm_report(L, status);
}

/* Has value i something to print beyond its address? */
static bool speaks(lua_State *L, int i) {
  if (lua_type(L, i) != LUA_TTABLE) return true;
  if (!luaL_getmetafield(L, i, "__tostring") &&
      !luaL_getmetafield(L, i, "__name")) return false;
  lua_pop(L, 1);
  return true;
}

/* print at the prompt: shows what is in plain tables, up to a point.  All else is
** as ever; the stock function is the upvalue. */
static int l_print(lua_State *L) {
  int n = lua_gettop(L), i = 1;
  while (i <= n && speaks(L, i)) i++;
  if (i <= n) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tide.shell.show");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "print");
    lua_replace(L, -2);
    lua_insert(L, 1);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, i <= n ? 2 : 1);
  lua_call(L, n + (i <= n), 0);
  return 0;
}

void vm_print_tables(lua_State *L) {
  lua_getglobal(L, "print");
  lua_pushcclosure(L, l_print, 1);
  lua_setglobal(L, "print");
}

int vm_do_init(lua_State *L) {
  const char *chunkname = "=LUA_INIT_5_4";
  const char *init = getenv(chunkname + 1);
  if (!init) {
    chunkname = "=LUA_INIT";
    init = getenv(chunkname + 1);
  }
  if (!init) return LUA_OK;
  if (init[0] == '@') return vm_do_file(L, init + 1);
  return vm_do_string(L, init, chunkname);
}

/* Global 'arg': the script at 0, its arguments above, what came before below. */
void vm_arg_table(lua_State *L, const vm_options *o) {
  int origin = o->script < o->argc ? o->script : 0;
  lua_createtable(L, o->argc - origin, origin + 1);
  for (int i = 0; i < o->argc; i++) {
    lua_pushstring(L, o->argv[i]);
    lua_rawseti(L, -2, i - origin);
  }
  lua_setglobal(L, "arg");
}

/* Pushes arg[1], arg[2], ... as they are now: earlier chunks may have changed
** them. */
static int push_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE)
    luaL_error(L, "'arg' is not a table");
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  int table = lua_gettop(L);
  for (int i = 1; i <= n; i++) lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return n;
}

int vm_do_script(lua_State *L, const vm_options *o) {
  const char *name = o->argv[o->script];
  bool dash = strcmp(name, "-") == 0 &&
              strcmp(o->argv[o->script - 1], "--") != 0;
  int status = luaL_loadfile(L, dash ? NULL : name);
  const char *meant = status == LUA_ERRFILE ? vm_command_like(name) : NULL;
  if (meant) {
    lua_pushfstring(L, "%s (did you mean the command '%s'?)", lua_tostring(L, -1), meant);
    lua_remove(L, -2);
  }
  explain_syntax(L, status);
  if (status == LUA_OK) {
    int n = push_arguments(L);
    status = vm_call(L, n, LUA_MULTRET);
  }
  return vm_report(L, status);
}
