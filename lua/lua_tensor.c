/* lua_tensor.c -- methods and operators of tensors that are not ops. */
#include "lua_td.h"
#include <stdlib.h>
#include <string.h>

/* ---- what a tensor is ---- */

static int l_ndim(lua_State *L) {
  lua_pushinteger(L, td_ndim(td_lua_check(L, 1)));
  return 1;
}

static int l_numel(lua_State *L) {
  lua_pushinteger(L, td_numel(td_lua_check(L, 1)));
  return 1;
}

static int l_stride(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  lua_createtable(L, td_ndim(t), 0);
  for (int d = 0; d < td_ndim(t); d++) {
    lua_pushinteger(L, td_stride(t)[d]);
    lua_rawseti(L, -2, d + 1);
  }
  return 1;
}

static int l_is_contiguous(lua_State *L) {
  lua_pushboolean(L, td_is_contiguous(td_lua_check(L, 1)));
  return 1;
}

static int l_is_float(lua_State *L) {
  lua_pushboolean(L, td_dtype_is_float(td_type(td_lua_check(L, 1))));
  return 1;
}

static int l_shares_memory(lua_State *L) {
  lua_pushboolean(L, td_shares_memory(td_lua_check(L, 1), td_lua_check(L, 2)));
  return 1;
}

static int l_is_tensor(lua_State *L) {
  lua_pushboolean(L, td_lua_test_box(L, 1) != NULL);
  return 1;
}

/* x:free(): later uses are errors, __gc finds nothing to do */
static int l_free(lua_State *L) {
  td_lua_boxed *b = td_lua_test_box(L, 1);
  if (!b) return td_lua_typeerror(L, 1, "tensor");
  td_lua_free_box(b);
  return 0;
}

/* ---- other forms of a tensor ---- */

static int l_detach(lua_State *L) {
  td_tensor **b = td_lua_box(L), *x = td_lua_check(L, 1);
  int mark = td_scope_open();
  return td_lua_finish(L, b, td_detach(x), mark);
}

static int l_contiguous(lua_State *L) {
  td_tensor *x = td_lua_check(L, 1);
  if (td_is_contiguous(x)) {
    lua_settop(L, 1);
    return 1;
  }
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  return td_lua_finish(L, b, td_contiguous(x), mark);
}

/* One target of to(): the name of a dtype or device, or a tensor to be like. */
static void read_target(lua_State *L, int i, td_lua_spec *s) {
  td_tensor *like = td_lua_test(L, i);
  td_dtype d;
  if (like) {
    s->dtype = td_type(like);
    s->be = td_device_of(like);
  } else if (lua_type(L, i) != LUA_TSTRING) {
    td_lua_typeerror(L, i, "dtype, device or tensor");
  } else if (td_dtype_parse(lua_tostring(L, i), &d)) {
    s->dtype = d;
  } else {
    s->be = td_device(lua_tostring(L, i));
    if (!s->be) td_lua_raise(L);
  }
}

static void read_targets(lua_State *L, td_lua_spec *s) {
  static const char *const names[] = { "dtype", "device", NULL };
  int top = lua_gettop(L);
  if (top < 2) td_lua_typeerror(L, 2, "dtype, device or tensor");
  for (int i = 2; i <= top; i++) {
    if (lua_type(L, i) != LUA_TTABLE) {
      read_target(L, i, s);
      continue;
    }
    td_lua_keys(L, i, "to", names);
    if (lua_getfield(L, i, "dtype") != LUA_TNIL) s->dtype = td_lua_dtype(L, -1);
    if (lua_getfield(L, i, "device") != LUA_TNIL) s->be = td_lua_device(L, -1);
  }
}

/* x itself when it is already what was asked for */
static int convert(lua_State *L, const td_lua_spec *s) {
  td_tensor *x = td_lua_check(L, 1);
  if (s->dtype == td_type(x) && s->be == td_device_of(x)) {
    lua_settop(L, 1);
    return 1;
  }
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  td_tensor *y = x;
  if (s->dtype != td_type(x)) y = td_cast(y, s->dtype);
  return td_lua_finish(L, b, td_to_device(y, s->be), mark);
}

int td_lua_to(lua_State *L) {
  td_tensor *x = td_lua_check(L, 1);
  td_lua_spec s = { .dtype = td_type(x), .be = td_device_of(x) };
  read_targets(L, &s);
  return convert(L, &s);
}

/* x:float() and the like: the dtype is an upvalue */
static int l_as(lua_State *L) {
  td_tensor *x = td_lua_check(L, 1);
  td_lua_spec s = { .be = td_device_of(x) };
  s.dtype = (td_dtype)lua_tointeger(L, lua_upvalueindex(1));
  return convert(L, &s);
}

static int l_cpu(lua_State *L) {
  td_lua_spec s = { .dtype = td_type(td_lua_check(L, 1)), .be = td_cpu() };
  return convert(L, &s);
}

static void add_conversions(lua_State *L) {
  static const struct { const char *name; td_dtype d; } as[] = {
    { "float", TD_F32 }, { "double", TD_F64 }, { "bfloat16", TD_BF16 },
    { "long", TD_I64 }, { "int", TD_I32 }, { "byte", TD_U8 },
    { "bool", TD_BOOL }
  };
  for (size_t i = 0; i < sizeof as / sizeof *as; i++) {
    lua_pushinteger(L, as[i].d);
    lua_pushcclosure(L, l_as, 1);
    lua_setfield(L, -2, as[i].name);
  }
}

/* ---- as text ---- */

static int take_text(lua_State *L) {
  lua_pushstring(L, lua_touserdata(L, 1));
  return 1;
}

/* tostring(x), x:format([edge]).  Making a Lua string can fail, so it happens
** in a protected call and the C string is freed whatever comes of it. */
int td_lua_tostring(lua_State *L) {
  td_lua_boxed *b = td_lua_test_box(L, 1);
  int edge = (int)luaL_optinteger(L, 2, 3);
  if (!b) return td_lua_typeerror(L, 1, "tensor");
  if (!b->t) {
    lua_pushliteral(L, "tensor(freed)");
    return 1;
  }
  td__lua_enter(L);
  char *text = td_format(b->t, edge);
  if (!text) return td_lua_raise(L);
  lua_pushcfunction(L, take_text);
  lua_pushlightuserdata(L, text);
  int status = lua_pcall(L, 1, 1, 0);
  free(text);
  return status ? lua_error(L) : 1;
}

/* ---- operators ---- */

static int l_len(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  if (!td_ndim(t))
    return td_lua_error(L, "#x: a tensor of 0 dims has no length");
  lua_pushinteger(L, td_shape(t)[0]);
  return 1;
}

static int l_unm(lua_State *L) {
  td_tensor **b = td_lua_box(L), *x = td_lua_check(L, 1);
  int mark = td_scope_open();
  td_error_clear();
  return td_lua_finish(L, b, td_neg(x), mark);
}

static int l_eq(lua_State *L) {
  td_lua_boxed *a = td_lua_test_box(L, 1), *b = td_lua_test_box(L, 2);
  lua_pushboolean(L, a && b && a->t && a->t == b->t);
  return 1;
}

static int l_order(lua_State *L) {
  return td_lua_error(L, "tensors are compared with methods: a:lt(b), a:le(b), "
                      "a:gt(b), a:ge(b), a:eq(b) give a tensor of booleans");
}

/* pairs(x) goes through the rows, as ipairs(x) does */
static int l_pairs(lua_State *L) {
  lua_getglobal(L, "ipairs");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 3);
  return 3;
}

static int l_concat(lua_State *L) {
  return td_lua_error(L, "a tensor cannot be joined with '..': use "
                      "tostring(x), x:item(), or tensor.cat{a, b}");
}

void td__lua_meta(lua_State *L) {
  static const struct { const char *event, *op; } operators[] = {
    { "__add", "add" }, { "__sub", "sub" }, { "__mul", "mul" },
    { "__div", "div" }, { "__mod", "remainder" }, { "__pow", "pow" },
    { "__idiv", "floor_divide" }
  };
  static const luaL_Reg others[] = {
    { "__unm", l_unm }, { "__len", l_len }, { "__eq", l_eq },
    { "__lt", l_order }, { "__le", l_order }, { "__concat", l_concat },
    { "__pairs", l_pairs },
    { "__tostring", td_lua_tostring }, { NULL, NULL }
  };
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    td_lua_push_op(L, operators[i].op, false);
    lua_setfield(L, -2, operators[i].event);
  }
  luaL_setfuncs(L, others, 0);
}

void td__lua_methods(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "dim", l_ndim }, { "ndim", l_ndim }, { "numel", l_numel },
    { "stride", l_stride }, { "is_contiguous", l_is_contiguous },
    { "is_float", l_is_float }, { "shares_memory", l_shares_memory },
    { "is_tensor", l_is_tensor }, { "free", l_free }, { "detach", l_detach },
    { "contiguous", l_contiguous }, { "to", td_lua_to }, { "cpu", l_cpu },
    { "format", td_lua_tostring }, { NULL, NULL }
  };
  luaL_setfuncs(L, methods, 0);
  add_conversions(L);
}
