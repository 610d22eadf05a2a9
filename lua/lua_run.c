/* lua_run.c -- module "tide.run.core": what records of runs and checkpoints need
** of the system: folders, whole files, processes, the machine. */
#include "lua_td.h"
#include "tensor/io.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* list(dir): the names in a folder but for . and .., in no order; nil and a
** reason when it cannot be read. */
static int l_list(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  DIR *d = opendir(path);
  if (!d) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(errno));
    return 2;
  }
  lua_newtable(L);
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    lua_pushstring(L, e->d_name);
    lua_rawseti(L, -2, ++n);
  }
  closedir(d);
  return 1;
}

static int l_is_folder(lua_State *L) {
  struct stat s;
  lua_pushboolean(L, !stat(luaL_checkstring(L, 1), &s) && S_ISDIR(s.st_mode));
  return 1;
}

/* new_folder(path): makes one that is not there yet: true, or false where there
** is something of that name; its parent must exist. */
static int l_new_folder(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  bool made = !mkdir(path, 0777);
  if (!made && errno != EEXIST)
    return td_lua_error(L, "cannot make the folder %s: %s", path,
                        strerror(errno));
  lua_pushboolean(L, made);
  return 1;
}

/* write(path, text): the whole file at once, as tensors are written. */
static int l_write(lua_State *L) {
  size_t n;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &n);
  td_writer w;
  td_status st = td_writer_open(&w, path);
  if (!st) td_writer_put(&w, text, n);
  if (!st) st = td_writer_close(&w, TD_OK);
  return st ? td_lua_raise(L) : 0;
}

/* keep(path, other): the file gets a second name, which replaces what had it.
** Where links are not known it is renamed.  False when there is no file. */
static int l_keep(lua_State *L) {
  const char *path = luaL_checkstring(L, 1), *other = luaL_checkstring(L, 2);
  const char *part = lua_pushfstring(L, "%s.part", other);
  unlink(part);
  int failed = link(path, part) ? rename(path, other) : rename(part, other);
  if (failed && errno != ENOENT)
    return td_lua_error(L, "%s cannot be kept as %s: %s", path, other,
                        strerror(errno));
  lua_pushboolean(L, !failed);
  return 1;
}

static int l_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* Has it ended, and its parent not noticed yet?  Known where there is /proc. */
static bool is_zombie(lua_Integer pid) {
  char text[512];
  snprintf(text, sizeof text, "/proc/%lld/stat", (long long)pid);
  FILE *f = fopen(text, "r");
  if (!f) return false;
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  const char *name_end = strrchr(text, ')');
  return name_end && name_end[1] == ' ' && strchr("ZX", name_end[2]);
}

/* alive(pid): is there such a process on this machine? */
static int l_alive(lua_State *L) {
  lua_Integer pid = luaL_checkinteger(L, 1);
  bool there = pid > 0 && (!kill((pid_t)pid, 0) || errno == EPERM);
  lua_pushboolean(L, there && !is_zombie(pid));
  return 1;
}

/* machine(): names of the computer, the system, Lua and the BLAS, and how many
** processors there are. */
static int l_machine(lua_State *L) {
  struct utsname u;
  if (uname(&u)) memset(&u, 0, sizeof u);
  lua_createtable(L, 0, 5);
  lua_pushliteral(L, LUA_RELEASE);
  lua_setfield(L, -2, "lua");
  lua_pushstring(L, td_blas_describe());
  lua_setfield(L, -2, "blas");
  lua_pushstring(L, u.nodename);
  lua_setfield(L, -2, "host");
  lua_pushfstring(L, "%s %s %s", u.sysname, u.release, u.machine);
  lua_setfield(L, -2, "system");
  lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
  lua_setfield(L, -2, "processors");
  return 1;
}

static const luaL_Reg functions[] = {
  { "list", l_list }, { "is_folder", l_is_folder },
  { "new_folder", l_new_folder }, { "write", l_write }, { "keep", l_keep },
  { "pid", l_pid }, { "alive", l_alive }, { "machine", l_machine },
  { NULL, NULL }
};

static int open_run_core(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void announce(void) {
  td_lua_module("tide.run.core", open_run_core);
}
