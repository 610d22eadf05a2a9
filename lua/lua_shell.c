/* lua_shell.c -- module "tide.shell.core": what the Lua parts of the prompt need
** of the system: terminals, and a copy of all output for transcripts. */
#define _GNU_SOURCE                   /* fopencookie */
#include "lua_td.h"
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* isatty(fd) */
static int l_isatty(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* size(fd): rows and columns of the terminal there, or nothing */
static int l_size(lua_State *L) {
  struct winsize w = { 0 };
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &w) || !w.ws_col)
    return 0;
  lua_pushinteger(L, w.ws_row);
  lua_pushinteger(L, w.ws_col);
  return 2;
}

/* ---- a copy of what is shown ---- */

#ifdef __GLIBC__
static struct {
  FILE *copy;                         /* NULL: no transcript is written */
  FILE *out, *err;                    /* what stdout and stderr were */
  int escape;                         /* 1: after ESC, 2: in a colour code */
} tee;

/* Leaves colours out of the copy. */
static void put_copy(const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char c = s[i];
    if (tee.escape == 0 && c != '\033') putc(c, tee.copy);
    if (tee.escape == 0) tee.escape = c == '\033';
    else if (tee.escape == 1) tee.escape = c == '[' ? 2 : 0;
    else if (c >= '@' && c <= '~') tee.escape = 0;
  }
  fflush(tee.copy);
}

static ssize_t write_both(void *to, const char *s, size_t n) {
  fwrite(s, 1, n, to);
  fflush(to);
  put_copy(s, n);
  return (ssize_t)n;
}

static FILE *doubled(FILE *to) {
  cookie_io_functions_t f = { .write = write_both };
  FILE *both = fopencookie(to, "w", f);
  if (both) setvbuf(both, NULL, _IONBF, 0);
  return both;
}

/* Lua's io library holds the streams by pointer. */
static void give_stream(lua_State *L, const char *name, FILE *f) {
  lua_getglobal(L, "io");
  lua_getfield(L, -1, name);
  luaL_Stream *s = luaL_testudata(L, -1, LUA_FILEHANDLE);
  if (s && s->closef) s->f = f;
  lua_pop(L, 2);
}

static void tee_stop(lua_State *L) {
  if (!tee.copy) return;
  FILE *out = stdout, *err = stderr;
  stdout = tee.out;
  stderr = tee.err;
  give_stream(L, "stdout", stdout);
  give_stream(L, "stderr", stderr);
  fclose(out);
  fclose(err);
  fclose(tee.copy);
  tee.copy = NULL;
}

static int l_copy_end(lua_State *L) {
  tee_stop(L);
  return 0;
}

/* copy_output(path): from now on the file gets what is shown, too; nil and a
** message when it cannot be written.  copy_output() ends that. */
static int l_copy_output(lua_State *L) {
  const char *path = luaL_optstring(L, 1, NULL);
  tee_stop(L);
  if (!path) return 0;
  FILE *copy = fopen(path, "w");
  FILE *out = copy ? doubled(stdout) : NULL;
  FILE *err = out ? doubled(stderr) : NULL;
  if (!err) {
    int result = luaL_fileresult(L, 0, path);
    if (out) fclose(out);
    if (copy) fclose(copy);
    return result;
  }
  tee.copy = copy;
  tee.out = stdout;
  tee.err = stderr;
  tee.escape = 0;
  stdout = out;
  stderr = err;
  give_stream(L, "stdout", out);
  give_stream(L, "stderr", err);
  lua_pushboolean(L, 1);
  return 1;
}

/* copy_text(text): into the transcript alone, e.g. what was typed */
static int l_copy_text(lua_State *L) {
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  if (tee.copy) put_copy(s, n);
  lua_pushboolean(L, tee.copy != NULL);
  return 1;
}
#else
static int l_copy_output(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "transcripts need the GNU C library");
  return 2;
}
static int l_copy_text(lua_State *L) {
  lua_pushboolean(L, 0);
  return 1;
}
static int l_copy_end(lua_State *L) {
  (void)L;
  return 0;
}
#endif

static int open_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "isatty", l_isatty }, { "size", l_size },
    { "copy_output", l_copy_output }, { "copy_text", l_copy_text },
    { NULL, NULL }
  };
  luaL_newlib(L, functions);
  lua_newuserdatauv(L, 0, 0);         /* the streams are put back at the end */
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_copy_end);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  luaL_ref(L, LUA_REGISTRYINDEX);
  return 1;
}

__attribute__((constructor)) static void announce(void) {
  td_lua_module("tide.shell.core", open_core);
}
