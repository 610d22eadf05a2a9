/* lua_td.c -- the tensor box, checks of arguments, and tide.scope. */
#include "lua_td.h"
#include <string.h>

static const char box_magic, box_meta, scope_list;   /* their addresses count */
static int scopes;                    /* open tide.scope calls */

/* ---- boxes ---- */

/* Notes the box on top in the list of the open tide.scope. */
static void note_in_scope(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_list) == LUA_TTABLE) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  lua_pop(L, 1);
}

td_tensor **td_lua_box(lua_State *L) {
  luaL_checkstack(L, 8, "too many tensors");
  td__lua_gc(L);
  td_lua_boxed *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->magic = &box_magic;
  b->t = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &box_meta);
  lua_setmetatable(L, -2);
  if (scopes) note_in_scope(L);
  return &b->t;
}

/* tide.unscoped(f, ...): calls f so that the tensors it makes outlive the open
** tide.scope; for state that is made when first needed. */
int td__lua_unscoped(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_list);
  lua_insert(L, 1);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_list);
  int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_list);
  return status ? lua_error(L) : lua_gettop(L) - 1;
}

td_lua_boxed *td_lua_test_box(lua_State *L, int i) {
  td_lua_boxed *b = lua_touserdata(L, i);
  return b && lua_rawlen(L, i) == sizeof *b && b->magic == &box_magic ? b : NULL;
}

td_tensor *td_lua_test(lua_State *L, int i) {
  td_lua_boxed *b = td_lua_test_box(L, i);
  if (b && !b->t)
    td_lua_argerror(L, i, "this tensor was freed (by free(), a <close> "
                    "variable or tide.scope)");
  return b ? b->t : NULL;
}

td_tensor *td_lua_check(lua_State *L, int i) {
  td_tensor *t = td_lua_test(L, i);
  if (!t) td_lua_typeerror(L, i, "tensor");
  return t;
}

td_tensor *td_lua_opt(lua_State *L, int i) {
  return lua_isnoneornil(L, i) ? NULL : td_lua_check(L, i);
}

void td_lua_push(lua_State *L, td_tensor *t) {
  if (t) *td_lua_box(L) = td_keep(t);
  else lua_pushnil(L);
}

int td_lua_finish(lua_State *L, td_tensor **b, td_tensor *y, int mark) {
  *b = td_keep(y);
  td_scope_close(mark);
  return y ? 1 : td_lua_raise(L);
}

void td_lua_free_box(td_lua_boxed *b) {
  td_tensor *t = b->t;
  b->t = NULL;
  td_drop(t);
}

/* __gc, __close and x:free(): a tensor may be freed any number of times. */
static int l_free(lua_State *L) {
  td_lua_boxed *b = td_lua_test_box(L, 1);
  if (!b) return td_lua_typeerror(L, 1, "tensor");
  td_lua_free_box(b);
  return 0;
}

int td__lua_open_box(lua_State *L) {
  luaL_newmetatable(L, TD_LUA_TENSOR);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &box_meta);
  lua_pushcfunction(L, l_free);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, l_free);
  lua_setfield(L, -2, "__close");
  return 1;
}

/* ---- arguments ---- */

static const char *const dtype_names[] = {
#define X(id, name, size) #name,
  TD_DTYPES(X)
#undef X
  "float32", "float64", "bfloat16", "int64", "int32", "uint8", NULL
};

td_dtype td_lua_dtype(lua_State *L, int i) {
  td_dtype d = TD_F32;
  if (lua_type(L, i) != LUA_TSTRING) td_lua_typeerror(L, i, "name of a dtype");
  const char *s = lua_tostring(L, i);
  if (!td_dtype_parse(s, &d)) {
    const char *near = td_lua_nearest(s, dtype_names);
    td_lua_error(L, "unknown dtype '%s'%s (dtypes: bool, u8, i32, i64, bf16, "
                 "f32, f64)", s,
                 near ? lua_pushfstring(L, "; did you mean '%s'?", near) : "");
  }
  return d;
}

td_backend *td_lua_device(lua_State *L, int i) {
  if (lua_type(L, i) != LUA_TSTRING) td_lua_typeerror(L, i, "name of a device");
  td_backend *b = td_device(lua_tostring(L, i));
  if (!b) td_lua_raise(L);
  return b;
}

int64_t td_lua_position(lua_State *L, int64_t v, int64_t n, const char *what) {
  if (v == 0)
    td_lua_error(L, "%s: there is no position 0; the first is 1, the last %I "
                 "or -1", what, (LUAI_UACINT)n);
  if (v > n || v < -n)
    td_lua_error(L, "%s: position %I is out of range 1 to %I", what,
                 (LUAI_UACINT)v, (LUAI_UACINT)n);
  return v > 0 ? v - 1 : v + n;
}

td_list td_lua_list(lua_State *L, int i) {
  td_tensor *one = td_lua_test(L, i);
  if (!one && lua_type(L, i) != LUA_TTABLE)
    td_lua_typeerror(L, i, "tensor or table of tensors");
  int n = one ? 1 : (int)lua_rawlen(L, i);
  td_tensor **v = lua_newuserdatauv(L, sizeof *v * (size_t)(n + 1), 0);
  for (int k = 0; k < n; k++) {
    if (one) { v[k] = one; continue; }
    lua_rawgeti(L, i, k + 1);
    td_lua_boxed *b = td_lua_test_box(L, -1);
    if (!b)
      td_lua_argerror(L, i, lua_pushfstring(L, "entry %d is a %s, not a tensor",
                                            k + 1, luaL_typename(L, -1)));
    if (!b->t)
      td_lua_argerror(L, i, lua_pushfstring(L, "entry %d was freed", k + 1));
    v[k] = b->t;
    lua_pop(L, 1);
  }
  return (td_list){ n, v };
}

/* ---- tide.scope(f, ...) ---- */

/* Puts every tensor inside value i into the set at `keep`. */
static void collect(lua_State *L, int i, int keep) {
  bool box = td_lua_test_box(L, i) != NULL;
  if (!box && lua_type(L, i) != LUA_TTABLE) return;
  luaL_checkstack(L, 6, "results of tide.scope are nested too deeply");
  lua_pushvalue(L, i);
  bool seen = lua_rawget(L, keep) != LUA_TNIL;
  lua_pop(L, 1);
  if (seen) return;
  lua_pushvalue(L, i);
  lua_pushboolean(L, 1);
  lua_rawset(L, keep);
  if (box) return;
  lua_pushnil(L);
  while (lua_next(L, i)) {
    collect(L, lua_gettop(L), keep);
    collect(L, lua_gettop(L) - 1, keep);
    lua_pop(L, 1);
  }
}

/* Leaves the scope whose guard is argument 1: frees what its list holds beyond
** the set of kept boxes, which move to the enclosing scope. */
static void leave(lua_State *L, int guard, int keep) {
  lua_getiuservalue(L, guard, 1);               /* list of this scope */
  int list = lua_gettop(L);
  if (lua_type(L, list) != LUA_TTABLE) { lua_settop(L, list - 1); return; }
  lua_pushnil(L);
  lua_setiuservalue(L, guard, 1);
  scopes--;
  lua_getiuservalue(L, guard, 2);               /* enclosing list, or nil */
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_list);
  for (lua_Integer k = (lua_Integer)lua_rawlen(L, list); k > 0; k--) {
    lua_rawgeti(L, list, k);
    bool kept = false;
    if (keep) {
      lua_pushvalue(L, -1);
      kept = lua_rawget(L, keep) != LUA_TNIL;
      lua_pop(L, 1);
    }
    if (kept) note_in_scope(L);
    else td_lua_free_box(lua_touserdata(L, -1));
    lua_pop(L, 1);
  }
  lua_settop(L, list - 1);
}

static int l_leave(lua_State *L) {
  leave(L, 1, 0);
  return 0;
}

static void push_guard(lua_State *L) {
  lua_newuserdatauv(L, 0, 2);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_list);
  lua_setiuservalue(L, -2, 2);
  if (luaL_newmetatable(L, "tide.Scope")) {
    lua_pushcfunction(L, l_leave);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
}

/* Results lie above the guard. */
static int scope_done(lua_State *L, int status, lua_KContext unused) {
  (void)status;
  (void)unused;
  lua_newtable(L);
  int keep = lua_gettop(L);
  for (int i = 2; i < keep; i++) collect(L, i, keep);
  leave(L, 1, keep);
  lua_settop(L, keep - 1);
  return keep - 2;
}

/* The call cannot yield: another coroutine's tensors would get into the list.  A
** job can, since its list goes with it. */
int td__lua_scope(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  push_guard(L);
  lua_insert(L, 1);
  lua_getiuservalue(L, 1, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_list);
  scopes++;
  lua_toclose(L, 1);
  lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0,
            td__lua_is_job(L) ? scope_done : NULL);
  return scope_done(L, LUA_OK, 0);
}

void td__lua_scope_swap(lua_State *L, int *count) {
  int open = scopes;
  scopes = *count;
  *count = open;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_list);
  lua_insert(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_list);
}
