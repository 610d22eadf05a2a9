/* lua_tide.c -- the module "tide": devices, threads, memory, and how the parts
** of the library are found.
**
** luaopen_tide builds the tensor table and the module table, tells require
** where the embedded Lua files are, and runs lua/tide/init.lua.  Everything
** else (tide.nn, tide.flow, ...) is loaded when it is first used. */
#include "lua_td.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "embed.h"
#include "nn/nn.h"

/* ---- devices and types ---- */

static int l_devices(lua_State *L) {
  int n = td_device_count();
  lua_createtable(L, n, 1);
  for (int i = 0; i < n; i++) {
    td_backend *b = td_device_at(i);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, td_device_name(b));
    lua_setfield(L, -2, "name");
    lua_pushstring(L, td_device_describe(b));
    lua_setfield(L, -2, "description");
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushstring(L, td_backend_note());
  lua_setfield(L, -2, "note");
  return 1;
}

static int l_device(lua_State *L) {
  lua_pushstring(L, td_device_name(td__lua_device_default()));
  return 1;
}

static int l_set_device(lua_State *L) {
  td__lua_device_set(td_lua_device(L, 1));
  return 0;
}

static int l_dtype(lua_State *L) {
  lua_pushstring(L, td_dtype_name(td__lua_dtype));
  return 1;
}

static int l_set_dtype(lua_State *L) {
  td_dtype d = td_lua_dtype(L, 1);
  if (!td_dtype_is_float(d))
    return td_lua_error(L, "set_dtype: the default must be bf16, f32 or f64, "
                        "not %s", td_dtype_name(d));
  td__lua_dtype = d;
  return 0;
}

static int l_load_backend(lua_State *L) {
  td_backend *b = td_backend_load(luaL_checkstring(L, 1));
  if (!b) return td_lua_raise(L);
  lua_pushstring(L, td_device_name(b));
  return 1;
}

static int l_sync(lua_State *L) {
  td_backend *b = lua_isnoneornil(L, 1) ? NULL : td_lua_device(L, 1);
  for (int i = 0; i < td_device_count(); i++)
    if (!b || b == td_device_at(i))
      if (td_device_sync(td_device_at(i))) return td_lua_raise(L);
  return 0;
}

/* ---- threads, time, memory ---- */

static int l_threads(lua_State *L) {
  lua_pushinteger(L, td_threads());
  return 1;
}

static int l_set_threads(lua_State *L) {
  int exact;
  lua_Integer n = lua_tointegerx(L, 1, &exact);
  if (lua_type(L, 1) != LUA_TNUMBER || !exact || n < 0 || n > 4096)
    return td_lua_error(L, "set_threads: a number of threads is needed (0: one "
                        "per processor), not %s", luaL_tolstring(L, 1, NULL));
  td_threads_set((int)n);
  return 0;
}

static int l_clock(lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (double)t.tv_sec + 1e-9 * (double)t.tv_nsec);
  return 1;
}

static const char *bytes_text(lua_State *L, const char *field) {
  static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
  char text[32];
  int u = 0;
  lua_getfield(L, 1, field);
  double n = lua_tonumber(L, -1);
  for (; n >= 1024 && u < 4; u++) n /= 1024;
  snprintf(text, sizeof text, u && n < 100 ? "%.1f %s" : "%.0f %s", n, units[u]);
  return lua_pushstring(L, text);
}

/* __tostring of what tide.memory returns */
static int l_memory_text(lua_State *L) {
  lua_getfield(L, 1, "tensors");
  lua_Integer n = lua_tointeger(L, -1);
  lua_pushfstring(L, "%I tensor%s: %s live, %s at most, %s cached, %s handed out "
                  "so far", (LUAI_UACINT)n, n == 1 ? "" : "s", bytes_text(L, "live"),
                  bytes_text(L, "peak"), bytes_text(L, "cached"),
                  bytes_text(L, "total"));
  return 1;
}

static int l_memory(lua_State *L) {
  td_backend *b = lua_isnoneornil(L, 1) ? NULL : td_lua_device(L, 1);
  td_memory m = td_memory_stats(b);
  const struct { const char *name; int64_t v; } fields[] = {
    { "live", m.live }, { "cached", m.cached }, { "peak", m.peak },
    { "total", m.total }, { "tensors", td_live_tensors() }
  };
  lua_createtable(L, 0, 5);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_pushinteger(L, fields[i].v);
    lua_setfield(L, -2, fields[i].name);
  }
  if (luaL_newmetatable(L, "tide.Memory")) {
    lua_pushcfunction(L, l_memory_text);
    lua_setfield(L, -2, "__tostring");
  }
  lua_setmetatable(L, -2);
  return 1;
}

static int l_trim(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  td_memory_trim();
  return 0;
}

/* ---- modules ---- */

enum { MODULES = 16 };
static struct { const char *name; lua_CFunction open; } modules[MODULES];
static int module_count;

void td_lua_module(const char *name, lua_CFunction open) {
  if (module_count < MODULES) {
    modules[module_count].name = name;
    modules[module_count++].open = open;
  }
}

static const td_embedded_file *embedded(const char *name) {
  const td_embedded_file *f = td__embedded;
  while (f->name && strcmp(f->name, name)) f++;
  return f->name ? f : NULL;
}

/* The chunk name marks functions of the library: td_lua_where passes them. */
static void load_embedded(lua_State *L, const td_embedded_file *f) {
  const char *chunk = luaL_gsub(L, f->name, ".", "/");
  chunk = lua_pushfstring(L, "=%s.lua", strcmp(f->name, "tide") ? chunk :
                          "tide/init");
  if (luaL_loadbufferx(L, (const char *)f->data, f->size, chunk, "t"))
    lua_error(L);
  lua_replace(L, -3);                 /* over the two strings */
  lua_pop(L, 1);
}

/* What package.preload holds: loads and runs an embedded file.  The library is
** opened first, so that a script may begin with require "tide.flow". */
static int l_loader(lua_State *L) {
  const td_embedded_file *f = lua_touserdata(L, lua_upvalueindex(1));
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tide");
  lua_call(L, 1, 0);
  load_embedded(L, f);
  lua_pushstring(L, f->name);
  lua_call(L, 1, 1);
  return 1;
}

void td_lua_preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const td_embedded_file *f = td__embedded; f->name; f++) {
    if (!strcmp(f->name, "tide")) continue;
    lua_pushlightuserdata(L, (void *)f);
    lua_pushcclosure(L, l_loader, 1);
    lua_setfield(L, -2, f->name);
  }
  for (int i = 0; i < module_count; i++) {
    lua_pushcfunction(L, modules[i].open);
    lua_setfield(L, -2, modules[i].name);
  }
  lua_pop(L, 1);
}

/* tide.submodules([name]): the embedded modules right below it ("tide") */
static int l_submodules(lua_State *L) {
  size_t len;
  int n = 0;
  const char *name = luaL_optlstring(L, 1, "tide", &len);
  lua_newtable(L);
  for (const td_embedded_file *f = td__embedded; f->name; f++) {
    if (strncmp(f->name, name, len) || f->name[len] != '.') continue;
    if (strchr(f->name + len + 1, '.')) continue;
    lua_pushstring(L, f->name + len + 1);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* __index of the module: tide.flow is require "tide.flow" */
static int l_find(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  const char *name = lua_pushfstring(L, "tide.%s", lua_tostring(L, 2));
  if (!embedded(name)) return 0;
  lua_getglobal(L, "require");
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

/* ---- opening ---- */

void td__lua_tide(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "devices", l_devices }, { "device", l_device },
    { "set_device", l_set_device }, { "dtype", l_dtype },
    { "set_dtype", l_set_dtype }, { "load_backend", l_load_backend },
    { "sync", l_sync }, { "threads", l_threads },
    { "set_threads", l_set_threads }, { "clock", l_clock },
    { "memory", l_memory }, { "trim", l_trim }, { "scope", td__lua_scope },
    { "unscoped", td__lua_unscoped },
    { "ops", td__lua_op_list }, { "submodules", l_submodules }, { NULL, NULL }
  };
  luaL_setfuncs(L, functions, 0);
  td__lua_errors(L);
  td__lua_grad_mode(L);
  td__lua_random(L);
  lua_pushliteral(L, TD_VERSION);
  lua_setfield(L, -2, "version");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_find);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

/* The table of functions and methods, which is also tide.tensor. */
static void open_tensor(lua_State *L) {
  lua_newtable(L);
  td__lua_ops(L);
  td__lua_new(L);
  td__lua_methods(L);
  td__lua_autograd(L);
  td__lua_open_box(L);
  td__lua_index(L);
  td__lua_meta(L);
  lua_pop(L, 1);
}

int luaopen_tide(lua_State *L) {
  luaL_checkversion(L);
  td_nn_init();                       /* and the core */
  td__lua_gc_open(L);
  td_set_locator(td__lua_locate);
  td_lua_preload(L);
  lua_newtable(L);
  td__lua_tide(L);
  open_tensor(L);
  lua_setfield(L, -2, "tensor");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "tide");        /* for what init.lua requires */
  lua_pop(L, 1);
  load_embedded(L, embedded("tide"));
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  return 1;
}
