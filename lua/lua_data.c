/* lua_data.c -- module "tide.data.core": files of tensors, and folders. */
#include "lua_td.h"
#include "tensor/io.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- reading one tensor ---- */

typedef td_tensor *(*read_one)(const char *path, bool map);

/* read(path [, map]) */
static int push_one(lua_State *L, read_one f) {
  const char *path = luaL_checkstring(L, 1);
  bool map = lua_toboolean(L, 2);
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  return td_lua_finish(L, b, f(path, map), mark);
}

static td_tensor *png_read(const char *path, bool map) {
  (void)map;
  return td_png_read(path);
}
static int l_npy_read(lua_State *L) { return push_one(L, td_npy_read); }
static int l_png_read(lua_State *L) { return push_one(L, png_read); }
static int l_idx_read(lua_State *L) { return push_one(L, td_idx_read); }

/* Text of the C heap that is freed whatever happens. */
static int l_text_gc(lua_State *L) {
  char **s = lua_touserdata(L, 1);
  free(*s);
  *s = NULL;
  return 0;
}
static char **new_text(lua_State *L) {
  char **s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = NULL;
  if (luaL_newmetatable(L, "tide.text")) {
    lua_pushcfunction(L, l_text_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return s;
}

/* csv_read(path [, header]): the tensor, and the names of its columns or nil */
static int l_csv_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  td_csv_names first = lua_isnoneornil(L, 2) ? TD_CSV_GUESS :
    lua_toboolean(L, 2) ? TD_CSV_NAMES : TD_CSV_NUMBERS;
  char **names = new_text(L);
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  td_lua_finish(L, b, td_csv_read(path, first, names), mark);
  if (!*names) return 1;
  int64_t n = td_shape(*b)[1];
  const char *s = *names;
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 1; i <= n; i++, s += strlen(s) + 1) {
    lua_pushstring(L, s);
    lua_rawseti(L, -2, i);
  }
  return 2;
}

/* ---- reading many ---- */

/* The archive of a call in progress, freed whatever happens, with those of its
** tensors that it still owns. */
static int l_archive_gc(lua_State *L) {
  td_archive *a = lua_touserdata(L, 1);
  for (int i = 0; i < a->n; i++) td_drop(a->t[i]);
  td_archive_free(a);
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

/* The strings of list i in a buffer on the stack, ended by NULL. */
static const char **strings(lua_State *L, int i) {
  luaL_checktype(L, i, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, i);
  const char **v = lua_newuserdatauv(L, sizeof *v * (size_t)(n + 1), 0);
  for (lua_Integer k = 0; k < n; k++) {
    if (lua_rawgeti(L, i, k + 1) != LUA_TSTRING)
      td_lua_error(L, "a list of names is needed, not of %s",
                   luaL_typename(L, -1));
    v[k] = lua_tostring(L, -1);          /* stays alive: the list holds it */
    lua_pop(L, 1);
  }
  v[n] = NULL;
  return v;
}

static void push_notes(lua_State *L, const td_archive *a) {
  lua_createtable(L, 0, a->nnote);
  for (int i = 0; i < a->nnote; i++) {
    lua_pushstring(L, a->note[2 * i + 1]);
    lua_setfield(L, -2, a->note[2 * i]);
  }
}

/* read(path [, names [, map]]): tensors by name, the names in file order, the metadata.
** Tensors leave the scope for the archive, and the archive for boxes. */
static int push_many(lua_State *L, td_status (*f)(const char *, td_archive *)) {
  const char *path = luaL_checkstring(L, 1);
  td_archive *a = new_archive(L);
  if (!lua_isnoneornil(L, 2)) a->only = strings(L, 2);
  a->map = lua_toboolean(L, 3);
  int mark = td_scope_open();
  td_status st = f(path, a);
  for (int i = 0; i < a->n; i++) td_keep(a->t[i]);
  td_scope_close(mark);
  if (st) return td_lua_raise(L);
  lua_createtable(L, 0, a->n);
  for (int i = 0; i < a->n; i++) {
    td_tensor **b = td_lua_box(L);
    *b = a->t[i];
    a->t[i] = NULL;
    lua_setfield(L, -2, a->name[i]);
  }
  lua_createtable(L, a->n, 0);
  for (int i = 0; i < a->n; i++) {
    lua_pushstring(L, a->name[i]);
    lua_rawseti(L, -2, i + 1);
  }
  push_notes(L, a);
  return 3;
}

static int l_safetensors_read(lua_State *L) {
  return push_many(L, td_safetensors_read);
}
static int l_npz_read(lua_State *L) { return push_many(L, td_npz_read); }
static int l_cifar_read(lua_State *L) { return push_many(L, td_cifar_read); }

/* ---- writing ---- */

static int finish(lua_State *L, td_status st) {
  return st ? td_lua_raise(L) : 0;
}
static int l_npy_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  return finish(L, td_npy_write(path, td_lua_check(L, 2)));
}
static int l_png_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  return finish(L, td_png_write(path, td_lua_check(L, 2)));
}
static int l_idx_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  return finish(L, td_idx_write(path, td_lua_check(L, 2)));
}
/* csv_write(path, x [, header line]) */
static int l_csv_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  td_tensor *t = td_lua_check(L, 2);
  return finish(L, td_csv_write(path, t, luaL_optstring(L, 3, NULL)));
}

/* A string that C can hold: its end is the first NUL. */
static const char *check_text(lua_State *L, int i, size_t *n) {
  const char *s = lua_type(L, i) == LUA_TSTRING ? lua_tolstring(L, i, n) : NULL;
  if (!s) td_lua_error(L, "names are strings, not %s", luaL_typename(L, i));
  if (strlen(s) != *n) td_lua_error(L, "a name or note has a NUL byte in it");
  return s;
}

/* Argument 2 maps names to tensors, 3 lists the names in order.  The tensors
** belong to the table; the archive gets a share, so that its end is the same. */
static td_archive *collect(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  td_archive *a = new_archive(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
  for (lua_Integer i = 1; i <= n; i++) {
    size_t len;
    lua_rawgeti(L, 3, i);
    const char *name = check_text(L, -1, &len);
    lua_getfield(L, 2, name);
    td_tensor *t = td_lua_check(L, lua_gettop(L));
    if (td_archive_add(a, name, len, t)) td_lua_raise(L);
    td_keep(t);
    lua_pop(L, 2);
  }
  return a;
}

/* Argument 4: the metadata, a table of strings by name, or nil. */
static int l_safetensors_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 4);
  td_archive *a = collect(L);
  if (lua_istable(L, 4))
    for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1)) {
      size_t n, m;
      const char *key = check_text(L, -2, &n), *value = check_text(L, -1, &m);
      if (td_archive_note(a, key, n, value, m)) return td_lua_raise(L);
    }
  return finish(L, td_safetensors_write(path, a));
}

static int l_cifar_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 3);
  return finish(L, td_cifar_write(path, collect(L)));
}

/* Argument 4: compress? */
static int l_npz_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 4);
  td_archive *a = collect(L);
  return finish(L, td_npz_write(path, a, lua_toboolean(L, 4)));
}

/* ---- checksums ---- */

/* crc32(crc, x): goes on from crc over the bytes of a string or of a tensor's elements */
static int l_crc32(lua_State *L) {
  uint32_t crc = (uint32_t)luaL_checkinteger(L, 1);
  size_t n;
  if (lua_type(L, 2) == LUA_TSTRING) {
    const char *s = lua_tolstring(L, 2, &n);
    crc = td_io_crc(crc, s, n);
  } else {
    td_tensor *t = td_lua_check(L, 2);
    int mark = td_scope_open();
    td_tensor *host = td_io_host(t, true);
    if (host)
      crc = td_io_crc(crc, host->data, (size_t)td_numel(t) * td_dtype_size(td_type(t)));
    td_scope_close(mark);
    if (!host) return td_lua_raise(L);
  }
  lua_pushinteger(L, crc);
  return 1;
}

/* ---- folders ---- */

/* mkdir(path): makes a folder and those above it. */
static int l_mkdir(lua_State *L) {
  size_t n;
  const char *path = luaL_checklstring(L, 1, &n);
  char *copy = memcpy(lua_newuserdatauv(L, n + 1, 0), path, n + 1);
  for (char *p = copy + 1; n; p++) {
    if (*p && *p != '/') continue;
    char c = *p;
    *p = 0;
    struct stat s;
    if (mkdir(copy, 0777) && (stat(copy, &s) || !S_ISDIR(s.st_mode)))
      return td_lua_error(L, "cannot make the folder %s: %s", copy,
                          strerror(errno));
    if (!(*p = c)) return 0;
  }
  return td_lua_error(L, "cannot make a folder without a name");
}

/* is_file(path): can it be opened as a file? */
static int l_is_file(lua_State *L) {
  struct stat s;
  lua_pushboolean(L, !stat(luaL_checkstring(L, 1), &s) && S_ISREG(s.st_mode));
  return 1;
}

/* list(path): the names of what is in a folder, but for . and .., or nil */
static int l_list(lua_State *L) {
  DIR *d = opendir(luaL_checkstring(L, 1));
  if (!d) return 0;
  luaL_checkstack(L, 4, NULL);
  lua_newtable(L);
  int n = 0;
  for (struct dirent *e; (e = readdir(d)); ) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    lua_pushstring(L, e->d_name);
    lua_rawseti(L, -2, ++n);
  }
  closedir(d);
  return 1;
}

static const luaL_Reg functions[] = {
  { "npy_read", l_npy_read }, { "npy_write", l_npy_write },
  { "npz_read", l_npz_read }, { "npz_write", l_npz_write },
  { "safetensors_read", l_safetensors_read },
  { "safetensors_write", l_safetensors_write },
  { "cifar_read", l_cifar_read }, { "cifar_write", l_cifar_write },
  { "csv_read", l_csv_read }, { "csv_write", l_csv_write },
  { "png_read", l_png_read }, { "png_write", l_png_write },
  { "idx_read", l_idx_read }, { "idx_write", l_idx_write },
  { "list", l_list }, { "mkdir", l_mkdir }, { "is_file", l_is_file },
  { "crc32", l_crc32 }, { NULL, NULL }
};

static int open_data_core(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}

__attribute__((constructor)) static void announce(void) {
  td_lua_module("tide.data.core", open_data_core);
}
