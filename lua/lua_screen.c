/* lua_screen.c -- a line at the bottom of the terminal that prints do not disturb.
**
** The live line (a progress bar) stands below all that is printed.  While there
** is one, stdout and stderr are streams that take it away before they write; it
** comes back when it is drawn next. */
#define _GNU_SOURCE                   /* fopencookie */
#include "lua_td.h"
#include <errno.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool live;                     /* the line is on the screen */
static bool midway;                   /* what was printed does not end its line */

static void put(int fd, const char *text, size_t n) {
  while (n > 0) {
    ssize_t done = write(fd, text, n);
    if (done < 0 && errno != EINTR) return;
    if (done > 0) {
      text += done;
      n -= (size_t)done;
    }
  }
}

static void erase(void) {
  if (live) put(STDERR_FILENO, "\r\033[K", 4);
  live = false;
}

/* ---- the streams ---- */

#ifdef __GLIBC__
static struct stream {
  int fd;
  FILE *real, *other;                 /* other takes the place of real */
  luaL_Stream *file;                  /* Lua's own handle of it, or NULL */
  bool taken;
} streams[2] = { { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };

static ssize_t take(void *cookie, const char *text, size_t n) {
  struct stream *s = cookie;
  erase();
  fwrite(text, 1, n, s->real);
  fflush(s->real);
  if (n) midway = text[n - 1] != '\n';
  return (ssize_t)n;
}

static luaL_Stream *handle(lua_State *L, const char *name) {
  luaL_Stream *p = NULL;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_IOLIBNAME) == LUA_TTABLE) {
    lua_getfield(L, -1, name);
    p = luaL_testudata(L, -1, LUA_FILEHANDLE);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return p && p->closef ? p : NULL;
}

static void redirect(lua_State *L, struct stream *s, bool on) {
  FILE **standard = s->fd == STDOUT_FILENO ? &stdout : &stderr;
  if (s->taken == on) return;
  if (on) {
    cookie_io_functions_t f = { .write = take };
    if (!s->other && !(s->other = fopencookie(s, "w", f))) return;
    setvbuf(s->other, NULL, s->fd == STDOUT_FILENO ? _IOLBF : _IONBF, BUFSIZ);
    s->real = *standard;
    s->file = handle(L, s->fd == STDOUT_FILENO ? "stdout" : "stderr");
    if (s->file && s->file->f != s->real) s->file = NULL;
    fflush(s->real);
    *standard = s->other;
    if (s->file) s->file->f = s->other;
  } else {
    fflush(s->other);
    *standard = s->real;
    if (s->file) s->file->f = s->real;
  }
  s->taken = on;
}

static void redirect_all(lua_State *L, bool on) {
  for (int i = 0; i < 2; i++)
    if (!on || isatty(streams[i].fd)) redirect(L, &streams[i], on);
}
#else
static void redirect_all(lua_State *L, bool on) {
  (void)L;
  (void)on;
}
#endif

void td_lua_screen_clear(lua_State *L) {
  redirect_all(L, false);
  erase();
  midway = false;
}

/* ---- what Lua sees ---- */

/* Columns of the terminal that stderr is, or nothing: no terminal, or one that
** cannot move its cursor. */
static int l_columns(lua_State *L) {
  struct winsize size = { 0 };
  const char *term = getenv("TERM");
  if (!isatty(STDERR_FILENO) || !term || !strcmp(term, "dumb")) return 0;
  ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
  lua_pushinteger(L, size.ws_col ? size.ws_col : 80);
  return 1;
}

/* show(text): makes it the live line, unless a line is being printed; show()
** takes the line away. */
static int l_show(lua_State *L) {
  size_t n;
  const char *text = luaL_optstring(L, 1, NULL);
  if (!text) {
    td_lua_screen_clear(L);
    return 0;
  }
  fflush(stdout);
  redirect_all(L, true);
  if (midway) return 0;
  lua_pushfstring(L, "\r%s\033[K\r", text);
  text = lua_tolstring(L, -1, &n);
  put(STDERR_FILENO, text, n);
  live = true;
  return 0;
}

static int open_screen(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "columns", l_columns }, { "show", l_show }, { NULL, NULL }
  };
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.screen", open_screen);
}
