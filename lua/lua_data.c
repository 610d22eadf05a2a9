/* lua_data.c -- module "tide.data.core": files of tensors, and folders. */
#include "lua_td.h"
#include "tensor/io.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- reading ---- */

typedef td_tensor *(*read_one)(const char *path);

static int push_one(lua_State *L, read_one f) {
  const char *path = luaL_checkstring(L, 1);
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  return td_lua_finish(L, b, f(path), mark);
}

/* The archive of a call in progress, freed whatever happens. */
static int l_archive_gc(lua_State *L) {
  td_archive_free(lua_touserdata(L, 1));
  return 0;
}
static td_archive *new_archive(lua_State *L) {
  td_archive *a = lua_newuserdatauv(L, sizeof *a, 0);
  memset(a, 0, sizeof *a);
  if (luaL_newmetatable(L, "tide.archive")) {
    lua_pushcfunction(L, l_archive_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return a;
}

/* Tensors of an archive move into boxes while a scope still owns them; boxes
** are made before, because making one may raise. */
static int push_many(lua_State *L, td_status (*f)(const char *, td_archive *)) {
  const char *path = luaL_checkstring(L, 1);
  td_archive *a = new_archive(L);
  int mark = td_scope_open();
  td_status st = f(path, a);
  for (int i = 0; i < a->n; i++) td_keep(a->t[i]);
  td_scope_close(mark);
  if (st) return td_lua_raise(L);
  lua_createtable(L, 0, a->n);
  for (int i = 0; i < a->n; i++) {
    td_tensor **b = td_lua_box(L);
    *b = a->t[i];
    lua_setfield(L, -2, a->name[i]);
  }
  lua_createtable(L, a->n, 0);
  for (int i = 0; i < a->n; i++) {
    lua_pushstring(L, a->name[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushstring(L, a->metadata);
  return 3;
}

static int l_npy_read(lua_State *L) { return push_one(L, td_npy_read); }
static int l_safetensors_read(lua_State *L) {
  return push_many(L, td_safetensors_read);
}

/* ---- writing ---- */

static int finish(lua_State *L, td_status st) {
  return st ? td_lua_raise(L) : 0;
}
static int l_npy_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  return finish(L, td_npy_write(path, td_lua_check(L, 2)));
}

/* Argument 2 maps names to tensors, 3 lists the names in order, 4 may be the
** text of the metadata. */
static int l_safetensors_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  td_archive *a = new_archive(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
  if (!lua_isnoneornil(L, 4)) a->metadata = strdup(luaL_checkstring(L, 4));
  for (lua_Integer i = 1; i <= n; i++) {
    size_t len;
    lua_rawgeti(L, 3, i);
    const char *name = luaL_checklstring(L, -1, &len);
    lua_getfield(L, 2, name);
    td_tensor *t = td_lua_check(L, lua_gettop(L));
    if (td_archive_add(a, name, len, t)) return td_lua_raise(L);
    lua_pop(L, 2);
  }
  return finish(L, td_safetensors_write(path, a));
}

/* ---- folders ---- */

/* tide.mkdir(path): makes a folder and those above it. */
static int l_mkdir(lua_State *L) {
  size_t n;
  const char *path = luaL_checklstring(L, 1, &n);
  char *copy = memcpy(lua_newuserdatauv(L, n + 1, 0), path, n + 1);
  for (char *p = copy + 1; ; p++) {
    if (*p && *p != '/') continue;
    char c = *p;
    *p = 0;
    struct stat s;
    if (*copy && mkdir(copy, 0777) && (stat(copy, &s) || !S_ISDIR(s.st_mode)))
      return td_lua_error(L, "cannot make the folder %s: %s", copy,
                          strerror(errno));
    if (!(*p = c)) return 0;
  }
}

static const luaL_Reg functions[] = {
  { "npy_read", l_npy_read }, { "npy_write", l_npy_write },
  { "safetensors_read", l_safetensors_read },
  { "safetensors_write", l_safetensors_write },
  { "mkdir", l_mkdir }, { NULL, NULL }
};

static int open_data_core(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void announce(void) {
  td_lua_module("tide.data.core", open_data_core);
}
