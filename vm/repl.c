/* repl.c -- the prompt: reads statements, runs them, shows values. */
#include "vm/vm.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensor/tensor.h"

typedef struct statement {
  int status;                         /* of loading: LUA_OK or an error */
  bool more;                          /* further lines could complete it */
  bool expression;                    /* its values are to be shown */
  bool quiet;                         /* ... but it ends in ';' */
} statement;

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

/* ---- reading ---- */

/* (name, default): global `name` as text, or the default. */
static int prompt_text(lua_State *L) {
  if (lua_getglobal(L, lua_tostring(L, 1)) == LUA_TNIL)
    lua_settop(L, 2);
  else
    luaL_tolstring(L, -1, NULL);
  return 1;
}

/* Pushes a line and returns VM_READ_LINE, or pushes nothing. */
static int read_line(lua_State *L, const vm_reader *reader, bool first) {
  const char *standard = first ? "> " : ">> ";
  lua_pushcfunction(L, prompt_text);
  lua_pushstring(L, first ? "_PROMPT" : "_PROMPT2");
  lua_pushstring(L, standard);
  vm_interrupt_enter(L);
  int status = lua_pcall(L, 2, 1, 0);
  vm_interrupt_leave(L);
  if (status != LUA_OK) {
    lua_pop(L, 1);
    lua_pushstring(L, standard);
  }
  char *line = NULL;
  int got = reader->read(L, lua_tostring(L, -1), &line);
  lua_pop(L, 1);
  if (got == VM_READ_LINE) lua_pushstring(L, line);
  free(line);
  return got;
}

/* Loads before..code..after, where the code lies at index 1. */
static int load(lua_State *L, const char *before, const char *after) {
  lua_pushstring(L, before);
  lua_pushvalue(L, 1);
  lua_pushstring(L, after);
  lua_concat(L, 3);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  int status = luaL_loadbuffer(L, text, length, "=stdin");
  lua_remove(L, -2);
  return status;
}

static bool ends_at_eof(lua_State *L, int status) {
  static const char mark[] = "<eof>";
  size_t length, n = sizeof mark - 1;
  if (status != LUA_ERRSYNTAX) return false;
  const char *text = lua_tolstring(L, -1, &length);
  return length >= n && strcmp(text + length - n, mark) == 0;
}

/* Is the last thing in the code a semicolon, and not one in a comment?  A
** return takes one, never two. */
static bool ends_in_semicolon(lua_State *L) {
  size_t n;
  const char *code = lua_tolstring(L, 1, &n);
  while (n > 0 && strchr(" \t\r\n", code[n - 1])) n--;
  if (n == 0 || code[n - 1] != ';') return false;
  bool twice = load(L, "return ", "\n;") != LUA_OK;
  lua_pop(L, 1);
  return twice;
}

/* Loads the code at index 1 as an expression, or else as statements, and pushes
** the function or the error.  The newline closes short strings and comments, so
** that only what really spans lines asks for more. */
static void compile(lua_State *L, statement *s) {
  s->status = load(L, "return ", "\n");
  s->more = ends_at_eof(L, s->status);
  s->expression = s->status == LUA_OK;
  s->quiet = s->expression && ends_in_semicolon(L);
  if (s->expression) return;
  lua_pop(L, 1);
  s->status = load(L, "", "\n");
  s->more = s->status != LUA_OK && (s->more || ends_at_eof(L, s->status));
}

static bool is_blank(const char *s) {
  return s[strspn(s, " \t\r\n")] == '\0';
}

/* Leaves a function, or an error, alone on the stack, unless reading ended
** otherwise than with VM_READ_LINE. */
static int read_statement(lua_State *L, const vm_reader *reader, statement *s) {
  lua_settop(L, 0);
  int got = read_line(L, reader, true);
  if (got != VM_READ_LINE) return got;
  lua_pushvalue(L, 1);                /* 2: what the history keeps */
  if (lua_tostring(L, 1)[0] == '=') { /* "=x" shows x, as in old Lua */
    lua_pushfstring(L, "return %s", lua_tostring(L, 1) + 1);
    lua_replace(L, 1);
  }
  while (compile(L, s), s->more) {
    got = read_line(L, reader, false);
    if (got == VM_READ_INTERRUPT) return got;
    if (got == VM_READ_END) break;    /* the error stands */
    lua_remove(L, -2);                /* the error gives way to the line */
    for (int i = 1; i <= 2; i++) {
      lua_pushvalue(L, i);
      lua_pushliteral(L, "\n");
      lua_pushvalue(L, 3);
      lua_concat(L, 3);
      lua_replace(L, i);
    }
    lua_settop(L, 2);
  }
  if (!is_blank(lua_tostring(L, 2))) reader->remember(lua_tostring(L, 2));
  lua_replace(L, 1);
  lua_settop(L, 1);
  return VM_READ_LINE;
}

/* ---- showing ---- */

static void show(lua_State *L, const statement *s) {
  int n = lua_gettop(L);
  if (n == 0) return;
  if (s->expression) {
    lua_pushvalue(L, 1);
    lua_setglobal(L, "_");
  }
  if (s->quiet) return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  lua_getglobal(L, "print");
  lua_insert(L, 1);
  vm_interrupt_enter(L);
  int status = lua_pcall(L, n, 0, 0);
  vm_interrupt_leave(L);
  if (status != LUA_OK) {
    lua_pushfstring(L, "error calling 'print' (%s)", lua_tostring(L, -1));
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

void vm_repl(lua_State *L) {
  const vm_reader *reader = choose_reader();
  bool terminal = vm_stdin_is_terminal();
  const char *name = vm_progname();
  vm_progname_set(NULL);
  vm_interrupt_prompt(true);
  reader->open();
  statement s = { 0 };
  int got;
  while ((got = read_statement(L, reader, &s)) != VM_READ_END) {
    if (got == VM_READ_INTERRUPT) continue;
    int status = s.status;
    if (status == LUA_OK) status = vm_call(L, 0, LUA_MULTRET);
    if (status == LUA_OK) {
      show(L, &s);
    } else {
      if (terminal) trim_traceback(L);
      vm_report(L, status);
    }
  }
  reader->close();
  vm_interrupt_prompt(false);
  lua_settop(L, 0);
  putchar('\n');
  fflush(stdout);
  vm_progname_set(name);
}
