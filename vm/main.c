/* main.c -- starts Lua and runs what the command line asks for. */
#include "vm/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensor/tensor.h"
#include "vm/plot_window.h"

/* ---- the library's globals, for -e and the prompt only ---- */

static const char *const lazy_names[] = {
  "tide", "tensor", "nn", "optim", "flow", "plot", "data", "metrics", "help",
  "show", "who", "time", "bench", "profile", "edit", "reload", "save_session",
  "transcript", "spawn", "jobs", NULL
};

/* __index of the cache behind _G: loads the library at the first use of one of
** its names.  Any other missing global stays nil. */
static int find_lazy(lua_State *L) {
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  int i = 0;
  while (lazy_names[i] && strcmp(lazy_names[i], name) != 0) i++;
  if (!lazy_names[i]) return 0;
  lua_getglobal(L, "require");
  lua_pushliteral(L, VM_MODULE);
  lua_call(L, 1, 1);
  if (i > 0) lua_getfield(L, -1, name);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

/* Puts the cache behind _G, or takes it away.  A metatable that a program gave
** to _G is left alone. */
static void lazy_globals(lua_State *L, bool on) {
  static const char key = 0;          /* registry key of our metatable */
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);         /* metatable of _G */
    lua_newtable(L);                  /* its __index: the cache */
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, find_lazy);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  lua_pushglobaltable(L);             /* ours, _G */
  bool has = lua_getmetatable(L, -1);
  bool ours = has && lua_rawequal(L, -1, -3);
  if (has) lua_pop(L, 1);
  if (on && !has) {
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
  } else if (!on && ours) {
    lua_pushnil(L);
    lua_setmetatable(L, -2);
  }
  lua_pop(L, 2);
}

/* ---- our own options: each is one call into the library ---- */

/* tide.FUNCTION(value on top); an error names the option. */
static bool set_option(lua_State *L, const char *option, const char *function) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, VM_MODULE);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_OK) {
    lua_getfield(L, -1, function);
    lua_replace(L, -2);
    lua_insert(L, -2);                /* function, value */
    status = lua_pcall(L, 1, 0, 0);
  }
  if (status == LUA_OK) return true;
  lua_pushfstring(L, "%s: %s", option, luaL_tolstring(L, -1, NULL));
  vm_message(lua_tostring(L, -1));
  return false;
}

static bool apply_options(lua_State *L, const vm_options *o) {
  if (o->headless) setenv("TIDE_HEADLESS", "1", 1);
  if (o->color) setenv("TIDE_COLOR", o->color, 1);
  if (o->has_threads) {
    lua_pushinteger(L, o->threads);
    if (!set_option(L, "--threads", "set_threads")) return false;
  }
  if (o->device) {
    lua_pushstring(L, o->device);
    if (!set_option(L, "--device", "set_device")) return false;
  }
  if (o->has_seed) {
    lua_pushinteger(L, o->seed);
    if (!set_option(L, "--seed", "seed")) return false;
  }
  return true;
}

/* ---- the user's settings ---- */

/* $XDG_CONFIG_HOME/tide/init.lua, or that of ~/.config, for people at a prompt:
** an error in it is reported, and that is all. */
static void run_config(lua_State *L) {
  const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  const char *path = NULL;
  int top = lua_gettop(L);
  if (config && config[0] == '/')
    path = lua_pushfstring(L, "%s/tide/init.lua", config);
  else if (home && home[0] == '/')
    path = lua_pushfstring(L, "%s/.config/tide/init.lua", home);
  if (path && access(path, F_OK) == 0) vm_do_file(L, path);
  lua_settop(L, top);
}

/* ---- the order of things ---- */

/* -e, -l and -W in the order in which they stand. */
static bool run_options(lua_State *L, const vm_options *o) {
  for (int i = 1; i < o->script;) {
    vm_arg a;
    vm_arg_decode(o->argv + i, &a);
    int status = LUA_OK;
    if (a.kind == 'e') {
      lazy_globals(L, true);
      status = vm_do_string(L, a.value, "=(command line)");
      if (!o->interactive) lazy_globals(L, false);
    } else if (a.kind == 'l') {
      status = vm_do_library(L, a.value);
    } else if (a.kind == 'W') {
      lua_warning(L, "@on", 0);
    }
    if (status != LUA_OK) return false;
    i += a.width;
  }
  return true;
}

/* tide help [name]: what help(name) shows at the prompt; false when there is no
** such entry. */
static bool run_help(lua_State *L, const vm_options *o) {
  const char *name = o->script + 1 < o->argc ? o->argv[o->script + 1] : NULL;
  lua_getglobal(L, "require");
  lua_pushliteral(L, VM_MODULE ".help");
  int status = vm_call(L, 1, 1);
  if (status == LUA_OK) {
    lua_getfield(L, -1, "command");
    lua_pushstring(L, name);          /* NULL pushes nil */
    status = vm_call(L, 1, 1);
  }
  return vm_report(L, status) == LUA_OK && lua_toboolean(L, -1);
}

/* tide runs ... and its like: MODULE.main(arguments) returns whether all went well. */
static bool run_command(lua_State *L, const vm_options *o) {
  lazy_globals(L, true);              /* for cells of notebooks */
  lua_getglobal(L, "require");
  lua_pushstring(L, o->module);
  int status = vm_call(L, 1, 1);
  if (status == LUA_OK) {
    lua_getfield(L, -1, "main");
    lua_newtable(L);
    for (int i = o->script + 1; i < o->argc; i++) {
      lua_pushstring(L, o->argv[i]);
      lua_rawseti(L, -2, i - o->script);
    }
    status = vm_call(L, 1, 1);
  }
  return vm_report(L, status) == LUA_OK && lua_toboolean(L, -1);
}

static void print_version(void) {
  puts(LUA_COPYRIGHT);
  fflush(stdout);
}

/* At the prompt: the display is gone. */
static void tell_news(vm_source *s, lua_State *L) {
  uint64_t count;
  (void)L;
  if (read(s->fd, &count, sizeof count) > 0)
    vm_prompt_message("tide: " TD_PLOT_GONE_TEXT);
}

static void run_prompt(lua_State *L) {
  static vm_source source = {.ready = tell_news};
  source.fd = vm_stdin_is_terminal() ? td_plot_window_news() : -1;
  if (source.fd >= 0) vm_source_add(&source);
  vm_events_prompt();
  vm_repl(L);
}

static bool run_all(lua_State *L, const vm_options *o) {
  bool bare = o->script >= o->argc && !o->execute && !o->version;
  bool prompt = o->interactive || (bare && vm_stdin_is_terminal());
  if (o->version || (o->interactive && !vm_stdin_is_terminal()))
    print_version();
  if (prompt && vm_stdin_is_terminal()) vm_banner();
  if (o->no_environment) {            /* the package library looks at it */
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  if (prompt && vm_stdin_is_terminal()) vm_screen_take();
  luaL_openlibs(L);
  vm_interrupt_init(L);
  vm_arg_table(L, o);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_tide);
  lua_setfield(L, -2, VM_MODULE);
  lua_pop(L, 1);
  td_lua_preload(L);
  if (!apply_options(L, o)) return false;
  if (prompt) lazy_globals(L, true);
  if (!o->no_environment && vm_do_init(L) != LUA_OK) return false;
  if (prompt && vm_stdin_is_terminal() && !o->no_environment) run_config(L);
  if (!run_options(L, o)) return false;
  if (o->help) return run_help(L, o);
  if (o->module) return run_command(L, o);
  if (o->script < o->argc && vm_do_script(L, o) != LUA_OK) return false;
  if (prompt) {
    lazy_globals(L, true);
    if (vm_stdin_is_terminal() && isatty(STDOUT_FILENO)) vm_print_tables(L);
    run_prompt(L);
  } else if (bare) {
    vm_do_file(L, NULL);
  }
  return true;
}

static int protected_run(lua_State *L) {
  const vm_options *o = lua_touserdata(L, 2);
  bool good = run_all(L, o);
  if (good) good = vm_jobs_finish(L);
  vm_jobs_cancel(L);
  lua_pushboolean(L, good);
  return 1;
}

int vm_lua_main(int argc, char **argv) {
  vm_options o;
  vm_signals_take();
  if (argc > 0 && argv[0][0]) vm_progname_set(argv[0]);
  if (!vm_options_parse(argc, argv, &o)) return EXIT_FAILURE;
  if (o.show_usage) {
    vm_usage(false);
    return EXIT_SUCCESS;
  }
  if (o.show_version) {
    printf("Springtide %s\n", TD_VERSION);
    print_version();
    return EXIT_SUCCESS;
  }
  lua_State *L = luaL_newstate();
  if (!L) {
    vm_message("cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, protected_run);
  lua_pushinteger(L, argc);           /* two arguments as in lua: a stack that */
  lua_pushlightuserdata(L, &o);       /* overflows does so at the same depth */
  int status = lua_pcall(L, 2, 1, 0);
  bool good = lua_toboolean(L, -1);
  vm_report(L, status);
  lua_close(L);
  return status == LUA_OK && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Lua gets a thread of its own, which takes the signals that are held here; this
** one sleeps until there is a window. */
int main(int argc, char **argv) {
  vm_signals_hold();
  return td_plot_window_host(vm_lua_main, argc, argv);
}
