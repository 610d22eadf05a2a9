/* lua_grad.c -- backward, tensor.grad, and whether gradients are recorded. */
#include <string.h>
#include "lua_td.h"

/* ---- marking leaves ---- */

static int l_requires_grad_(lua_State *L) {
  td_tensor *x = td_lua_check(L, 1);
  bool on = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
  if (td_requires_grad(x, on)) return td_lua_raise(L);
  lua_settop(L, 1);
  return 1;
}

/* ---- backward ---- */

static unsigned flags_of(lua_State *L, int opt) {
  unsigned flags = 0;
  if (td_lua_flag(L, opt, "retain") || td_lua_flag(L, opt, "retain_graph"))
    flags |= TD_RETAIN_GRAPH;
  if (td_lua_flag(L, opt, "create_graph"))
    flags |= TD_CREATE_GRAPH | TD_RETAIN_GRAPH;
  return flags;
}

/* y:backward({gradient=, retain=, create_graph=}), y:backward(gradient) */
static int l_backward(lua_State *L) {
  static const char *const names[] = { "retain", "create_graph", "gradient",
                                       "retain_graph", NULL };
  td_tensor *y = td_lua_check(L, 1), *gy = NULL;
  unsigned flags = 0;
  if (td_lua_test_box(L, 2)) {
    gy = td_lua_check(L, 2);
  } else if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    td_lua_keys(L, 2, "backward", names);
    flags = flags_of(L, 2);
    lua_getfield(L, 2, "gradient");
    gy = td_lua_opt(L, -1);
  }
  td__lua_gc(L);
  int mark = td_scope_open();
  td_own(td_keep(y));
  if (gy) td_own(td_keep(gy));
  td_error_clear();
  td_status st = td_backward(y, gy, flags);
  td_scope_close(mark);
  return st ? td_lua_raise(L) : 0;
}

/* ---- tensor.grad ---- */

typedef struct request {
  td_list y, x, gy;
  unsigned flags;
  bool allow_unused;
} request;

static void read_request(lua_State *L, request *r) {
  static const char *const names[] = { "create_graph", "grad_outputs", "retain",
                                       "allow_unused", "retain_graph", NULL };
  *r = (request){ .y = td_lua_list(L, 1) };
  r->x = td_lua_list(L, 2);
  if (lua_isnoneornil(L, 3)) return;
  luaL_checktype(L, 3, LUA_TTABLE);
  td_lua_keys(L, 3, "grad", names);
  r->flags = flags_of(L, 3);
  r->allow_unused = td_lua_flag(L, 3, "allow_unused");
  if (lua_getfield(L, 3, "grad_outputs") == LUA_TNIL) return;
  r->gy = td_lua_list(L, lua_gettop(L));
  if (r->gy.n != r->y.n)
    td_lua_error(L, "grad: %d grad_outputs for %d outputs", r->gy.n, r->y.n);
}

static td_status differentiate(const request *r, td_tensor **gx) {
  for (int i = 0; i < r->y.n; i++) td_own(td_keep(r->y.v[i]));
  for (int i = 0; i < r->x.n; i++) td_own(td_keep(r->x.v[i]));
  for (int i = 0; i < r->gy.n; i++) td_own(td_keep(r->gy.v[i]));
  td_error_clear();
  td_status st = td_grad(r->y.n, r->y.v, r->gy.n ? r->gy.v : NULL, r->x.n,
                         r->x.v, gx, r->flags);
  for (int i = 0; !st && !r->allow_unused && i < r->x.n; i++)
    if (!gx[i])
      st = td_fail(TD_EGRAD, "grad: the outputs do not depend on input %d; "
                   "{allow_unused=true} gives nil instead", i + 1);
  return st;
}

/* tensor.grad(outputs, inputs, {create_graph=, grad_outputs=, retain=,
** allow_unused=}): like inputs, a tensor or a table */
static int l_grad(lua_State *L) {
  request r;
  lua_settop(L, 3);
  read_request(L, &r);
  int n = r.x.n;
  bool single = td_lua_test_box(L, 2) != NULL;
  size_t room = (size_t)(n + 1);
  td_tensor ***box = lua_newuserdatauv(L, sizeof *box * room, 0);
  td_tensor **gx = lua_newuserdatauv(L, sizeof *gx * room, 0);
  lua_createtable(L, n, 0);
  int result = lua_gettop(L);
  for (int i = 0; i < n; i++) {
    box[i] = td_lua_box(L);
    lua_rawseti(L, -2, i + 1);
    gx[i] = NULL;
  }
  int mark = td_scope_open();
  td_status st = differentiate(&r, gx);
  for (int i = 0; !st && i < n; i++) *box[i] = td_keep(gx[i]);
  td_scope_close(mark);
  if (st) return td_lua_raise(L);
  for (int i = 0; i < n; i++) {
    if (*box[i]) continue;
    lua_pushnil(L);                   /* an input without influence */
    lua_rawseti(L, result, i + 1);
  }
  if (single) lua_rawgeti(L, result, 1);
  return 1;
}

/* ---- recording on and off ---- */

typedef struct guard { bool open, old; } guard;

static int l_restore(lua_State *L) {
  guard *g = luaL_checkudata(L, 1, "tide.GradMode");
  if (g->open) td__lua_set_recording(L, g->old);
  g->open = false;
  return 0;
}

/* tide.grad_mode(on): switches recording in this coroutine; closing the result
** switches back */
static int l_grad_mode(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  guard *g = lua_newuserdatauv(L, sizeof *g, 0);
  g->open = false;
  if (luaL_newmetatable(L, "tide.GradMode")) {
    lua_pushcfunction(L, l_restore);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  td__lua_enter(L);
  g->old = td_grad_enabled();
  td__lua_set_recording(L, lua_toboolean(L, 1));
  g->open = true;
  return 1;
}

/* tide.autocast(dtype, f, ...): f must not yield, or others would get its type */
static int l_restore_products(lua_State *L) {
  guard *g = lua_touserdata(L, 1);
  if (g->open) td_autocast(g->old ? TD_BF16 : TD_F32);
  g->open = false;
  return 0;
}

static int l_autocast(lua_State *L) {
  td_dtype d = td_lua_dtype(L, 1);
  if (d != TD_BF16 && d != TD_F32)
    td_lua_error(L, "autocast: products are made in bf16 or f32, not %s",
                 td_dtype_name(d));
  if (lua_isnoneornil(L, 2))
    td_lua_error(L, "autocast: a function to call is missing");
  guard *g = lua_newuserdatauv(L, sizeof *g, 0);
  g->open = false;
  if (luaL_newmetatable(L, "tide.Autocast")) {
    lua_pushcfunction(L, l_restore_products);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  lua_insert(L, 2);                     /* dtype, guard, f, arguments */
  lua_toclose(L, 2);
  g->old = td_autocast(d) == TD_BF16;
  g->open = true;
  lua_call(L, lua_gettop(L) - 3, LUA_MULTRET);
  return lua_gettop(L) - 2;
}

/* tide.precision(mode?): what it was */
static int l_precision(lua_State *L) {
  static const char *const modes[] = { "strict", "tf32" };
  const char *mode = luaL_optstring(L, 1, NULL);
  bool on = mode && !strcmp(mode, "tf32"), old = td_tf32(on);
  if (!mode) td_tf32(old);
  else if (!on && strcmp(mode, "strict")) {
    td_tf32(old);
    td_lua_error(L, "precision: \"strict\" or \"tf32\", not '%s'", mode);
  }
  lua_pushstring(L, modes[old]);
  return 1;
}

static int l_grad_enabled(lua_State *L) {
  td__lua_enter(L);
  lua_pushboolean(L, td_grad_enabled());
  return 1;
}

void td__lua_autograd(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "requires_grad_", l_requires_grad_ }, { "backward", l_backward },
    { "grad", l_grad }, { NULL, NULL }
  };
  luaL_setfuncs(L, methods, 0);
}

void td__lua_grad_mode(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "grad_mode", l_grad_mode }, { "grad_enabled", l_grad_enabled },
    { "autocast", l_autocast }, { "precision", l_precision }, { NULL, NULL }
  };
  luaL_setfuncs(L, functions, 0);
}
