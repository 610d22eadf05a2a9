/* repl.c -- the prompt: reads entries, runs them, shows values. */
#include "vm/vm.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensor/tensor.h"

static const char session_key = 0;    /* the session, in the registry */

bool vm_stdin_is_terminal(void) {
  return isatty(STDIN_FILENO);
}

void vm_banner(void) {
  printf("Springtide %s (%s)   help() for help, Ctrl-D to leave\n", TD_VERSION,
         LUA_RELEASE);
  fflush(stdout);
}

/* The reader that fits: line editing where a person types. */
static const vm_reader *choose_reader(void) {
#ifndef TD_HEADLESS
  if (vm_stdin_is_terminal()) return &vm_reader_readline;
#endif
  return &vm_reader_plain;
}

/* ---- reading ----
**
** What is complete, what is shown and how locals carry over is decided in
** lua/tide/shell/statement.lua. */

enum { RAW = 1, PROMPT, PROMPT2, ENTRY };   /* stack indices while reading */

/* (name, default): global `name` as text, or the default. */
static int prompt_text(lua_State *L) {
  if (lua_getglobal(L, lua_tostring(L, 1)) == LUA_TNIL)
    lua_settop(L, 2);
  else
    luaL_tolstring(L, -1, NULL);
  return 1;
}

/* Leaves the text of a prompt at index `at`. */
static void find_prompt(lua_State *L, int at, const char *name,
                        const char *standard) {
  lua_pushcfunction(L, prompt_text);
  lua_pushstring(L, name);
  lua_pushstring(L, standard);
  vm_interrupt_enter(L);
  int status = lua_pcall(L, 2, 1, 0);
  vm_interrupt_leave(L);
  if (status != LUA_OK || !lua_isstring(L, -1)) {
    lua_pop(L, 1);
    lua_pushstring(L, standard);
  }
  lua_replace(L, at);
}

/* Adds a line to the text at index RAW. */
static int read_line(lua_State *L, const vm_reader *reader) {
  bool first = lua_isnil(L, RAW);
  if (first) find_prompt(L, PROMPT, "_PROMPT", "> ");
  else find_prompt(L, PROMPT2, "_PROMPT2", ">> ");
  char *line = NULL;
  int got = reader->read(L, lua_tostring(L, first ? PROMPT : PROMPT2), &line);
  if (got == VM_READ_LINE) {
    if (first) lua_pushstring(L, line);
    else lua_pushfstring(L, "%s\n%s", lua_tostring(L, RAW), line);
    lua_replace(L, RAW);
  }
  free(line);
  return got;
}

/* Leaves at index ENTRY what session:read makes of the text; false, with the
** error on top, when that fails. */
static bool parse(lua_State *L) {
  lua_settop(L, PROMPT2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &session_key);
  lua_getfield(L, -1, "read");
  lua_insert(L, -2);
  for (int i = RAW; i <= PROMPT2; i++) lua_pushvalue(L, i);
  return lua_pcall(L, 4, 1, 0) == LUA_OK;
}

/* A field of the entry as text that lives as long as the entry. */
static const char *entry_text(lua_State *L, const char *field) {
  lua_getfield(L, ENTRY, field);
  const char *text = lua_tostring(L, -1);
  lua_pop(L, 1);
  return text ? text : "";
}

/* Leaves an entry that can run at index 1, or nothing on the stack when there is
** nothing to run. */
static int read_entry(lua_State *L, const vm_reader *reader) {
  lua_settop(L, 0);
  lua_settop(L, PROMPT2);
  bool ended = false;
  for (;;) {
    int got = read_line(L, reader);
    if (got == VM_READ_INTERRUPT) return got;
    if (got == VM_READ_END && lua_isnil(L, RAW)) return got;
    ended = got == VM_READ_END;       /* the error stands */
    if (!ended && !parse(L)) {
      vm_report(L, LUA_ERRRUN);
      return VM_READ_LINE;
    }
    if (ended || strcmp(entry_text(L, "status"), "incomplete") != 0) break;
  }
  const char *status = entry_text(L, "status");
  bool runs = !ended && !strcmp(status, "complete");
  if (strcmp(status, "empty")) reader->remember(entry_text(L, "text"));
  if (ended || !strcmp(status, "invalid")) vm_message(entry_text(L, "error"));
  lua_replace(L, 1);
  lua_settop(L, runs);
  return VM_READ_LINE;
}

/* ---- showing ---- */

/* Pushes the function that shows n values, with the arguments that come before
** them: what suits people on a terminal, else print.  How much was pushed. */
static int push_shower(lua_State *L, int n) {
  int top = lua_gettop(L);
  if (vm_stdin_is_terminal() && isatty(STDOUT_FILENO)) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tide.shell.show");
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
      lua_getfield(L, -1, "values");
      lua_replace(L, -2);
      lua_pushinteger(L, n);
      return 2;
    }
  }
  lua_settop(L, top);
  lua_getglobal(L, "print");
  return 1;
}

/* Shows the values from index 2 on. */
static void show(lua_State *L) {
  int n = lua_gettop(L) - 1;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  int pushed = push_shower(L, n);
  lua_rotate(L, 2, pushed);
  vm_interrupt_enter(L);
  int status = lua_pcall(L, n + pushed - 1, 0, 0);
  vm_interrupt_leave(L);
  if (status != LUA_OK) {
    lua_pushfstring(L, "error calling 'print' (%s)",
                    luaL_tolstring(L, -1, NULL));
    vm_message(lua_tostring(L, -1));
  }
}

/* A person at the prompt need not see the C frame that runs it. */
static void trim_traceback(lua_State *L) {
  static const char frame[] = "\n\t[C]: in ?";
  size_t length, n = sizeof frame - 1;
  const char *text = lua_tolstring(L, -1, &length);
  if (!text || length < n || strcmp(text + length - n, frame) != 0) return;
  lua_pushlstring(L, text, length - n);
  lua_replace(L, -2);
}

/* Runs the pieces of the entry at index 1 up to the first that fails. */
static void run_entry(lua_State *L) {
  bool terminal = vm_stdin_is_terminal();
  for (;;) {
    lua_settop(L, 1);
    lua_getfield(L, 1, "next");
    int status = lua_pcall(L, 0, 3, 0);
    if (status != LUA_OK || lua_isnil(L, 2)) {
      if (status == LUA_OK) lua_settop(L, 3);     /* nil, a message */
      if (!lua_isnil(L, -1)) vm_report(L, LUA_ERRRUN);
      return;
    }
    bool shows = lua_toboolean(L, 3), expression = lua_toboolean(L, 4);
    lua_settop(L, 2);
    status = vm_call(L, 0, LUA_MULTRET);
    if (status != LUA_OK) {
      if (terminal) trim_traceback(L);
      vm_report(L, status);
      return;
    }
    if (lua_gettop(L) < 2) continue;
    if (expression || shows) {
      lua_pushvalue(L, 2);
      lua_setglobal(L, "_");
    }
    if (shows) show(L);
  }
}

static bool open_session(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tide.shell.statement");
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_OK) {
    lua_getfield(L, -1, "session");
    lua_pushboolean(L, !vm_stdin_is_terminal());
    status = lua_pcall(L, 1, 1, 0);
  }
  if (vm_report(L, status) != LUA_OK) return false;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &session_key);
  return true;
}

/* At the end of input: does the session end?  A person is asked once when jobs
** would be lost; a script waits for its jobs. */
static bool may_leave(lua_State *L, bool asked) {
  int n = vm_jobs_count(L);
  if (!vm_stdin_is_terminal()) {
    vm_jobs_finish(L);
    return true;
  }
  if (n == 0 || asked) return true;
  printf("\n%d %s; Ctrl-D again cancels %s and leaves\n", n,
         n == 1 ? "job is not over" : "jobs are not over", n == 1 ? "it" : "them");
  return false;
}

void vm_repl(lua_State *L) {
  const vm_reader *reader = choose_reader();
  const char *name = vm_progname();
  if (!open_session(L)) return;
  vm_progname_set(NULL);
  vm_interrupt_prompt(true);
  reader->open(L);
  vm_jobs_prompt(L);
  for (bool asked = false; !vm_interrupt_leaving();) {
    int got = read_entry(L, reader);
    if (got == VM_READ_END && may_leave(L, asked)) break;
    asked = got == VM_READ_END;
    if (got == VM_READ_LINE && lua_gettop(L) > 0) run_entry(L);
    vm_jobs_statement(L);
  }
  vm_jobs_prompt(NULL);
  reader->close();
  vm_jobs_cancel(L);
  vm_interrupt_prompt(false);
  lua_settop(L, 0);
  putchar('\n');
  fflush(stdout);
  if (vm_interrupt_leaving()) raise(vm_interrupt_leaving());
  vm_progname_set(name);
}
