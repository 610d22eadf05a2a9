/* lua_notebook.c -- module "tide.notebook.core": holds what a cell writes to stdout
** and stderr, from Lua, from C and from children alike. */
#include "lua_td.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct held {
  int to;                             /* 1 or 2 */
  int real;                           /* what it was; -1: not held */
  FILE *file;                         /* what is written goes here */
  off_t taken;                        /* so much of it was taken */
} held[2] = { { 1, -1, NULL, 0 }, { 2, -1, NULL, 0 } };
static int input = -1;                /* stdin as it was */

static void flush(void) {
  fflush(stdout);
  fflush(stderr);
}

static void release(void) {
  flush();
  for (int i = 0; i < 2; i++) {
    struct held *h = &held[i];
    if (h->real >= 0) {
      dup2(h->real, h->to);
      close(h->real);
    }
    if (h->file) fclose(h->file);
    h->real = -1;
    h->file = NULL;
  }
  if (input >= 0) {
    dup2(input, 0);
    close(input);
    input = -1;
  }
}

/* release(): stdout, stderr and stdin are what they were */
static int l_release(lua_State *L) {
  (void)L;
  release();
  return 0;
}

static bool hold(struct held *h) {
  h->file = tmpfile();
  h->real = h->file ? fcntl(h->to, F_DUPFD_CLOEXEC, 3) : -1;
  h->taken = 0;
  return h->real >= 0 && fcntl(fileno(h->file), F_SETFL, O_APPEND) == 0 &&
         dup2(fileno(h->file), h->to) >= 0;
}

/* hold(): from now on what is written is kept for take; stdin is empty */
static int l_hold(lua_State *L) {
  release();
  bool good = hold(&held[0]) && hold(&held[1]);
  int saved = errno;
  if (!good) {
    release();
    return td_lua_error(L, "nb: no file to hold what cells print: %s",
                        strerror(saved));
  }
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) {
    input = fcntl(0, F_DUPFD_CLOEXEC, 3);
    dup2(null, 0);
    close(null);
  }
  clearerr(stdin);
  return 0;
}

static void push_new(lua_State *L, struct held *h) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (h->file) {
    char *place = luaL_prepbuffer(&b);
    ssize_t n = pread(fileno(h->file), place, LUAL_BUFFERSIZE, h->taken);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    luaL_addsize(&b, (size_t)n);
    h->taken += n;
  }
  luaL_pushresult(&b);
}

/* take(): what was written to stdout, and to stderr, since the last call */
static int l_take(lua_State *L) {
  flush();
  push_new(L, &held[0]);
  push_new(L, &held[1]);
  return 2;
}

/* say(text): to the real stderr */
static int l_say(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  int fd = held[1].real >= 0 ? held[1].real : 2;
  while (n > 0) {
    ssize_t done = write(fd, text, n);
    if (done < 0 && errno != EINTR) break;
    if (done > 0) {
      text += done;
      n -= (size_t)done;
    }
  }
  return 0;
}

/* is_terminal(): is the real stderr one? */
static int l_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(held[1].real >= 0 ? held[1].real : 2));
  return 1;
}

static int open_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "hold", l_hold }, { "release", l_release }, { "take", l_take },
    { "say", l_say }, { "is_terminal", l_is_terminal }, { NULL, NULL }
  };
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void announce(void) {
  td_lua_module("tide.notebook.core", open_core);
}
