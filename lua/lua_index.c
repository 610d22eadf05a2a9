/* lua_index.c -- x[...] and x[...] = v: positions, ranges, masks, index tensors.
**
**   x[2]  x[-1]            one position of the first dim, which disappears
**   x[{1,3}]  x[{1,-1,2}]  a range, both ends included, with a step; {} is all
**   x[{ {1,3}, 2 }]        one entry for each dim: ranges, positions, tensors
**   x[mask]  x[positions]  selected elements or rows, a copy
** What is not a copy is a view: it shares memory with x. */
#include "lua_td.h"
#include <string.h>

typedef struct part {                 /* what is taken along one dim */
  enum { ALL, RANGE, POSITION, TENSOR } kind;
  int64_t start, length, step;
  td_tensor *t;
} part;

/* ---- reading an index ---- */

static int64_t entry(lua_State *L, int i, int k) {
  int exact;
  lua_rawgeti(L, i, k);
  lua_Integer v = lua_tointegerx(L, -1, &exact);
  if (!exact)
    td_lua_error(L, "index: a range is {first, last, step} of integers, not %s",
                 luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return v;
}

static part read_range(lua_State *L, int i, int64_t size) {
  part p = { ALL, 0, size, 1, NULL };
  int n = (int)lua_rawlen(L, i);
  if (!n) {
    if (td_lua_is_options(L, i))
      td_lua_error(L, "index: a range has no named entries");
    return p;
  }
  if (n > 3) td_lua_error(L, "index: a range is {first, last, step}, but this "
                          "has %d entries", n);
  int64_t first = entry(L, i, 1), last = n > 1 ? entry(L, i, 2) : first;
  p.kind = RANGE;
  p.step = n > 2 ? entry(L, i, 3) : 1;
  if (p.step < 1)
    td_lua_error(L, "index: the step of a range is %I, but must be positive; "
                 "use x:flip(dim) to reverse", (LUAI_UACINT)p.step);
  if (last >= 0 && first == last + 1) {         /* {3,2} and {1,0}: empty */
    p.start = first > 0 && first <= size + 1 ? first - 1 : 0;
    p.length = 0;
    return p;
  }
  p.start = td_lua_position(L, first, size, "index");
  int64_t stop = td_lua_position(L, last, size, "index");
  if (stop < p.start)
    td_lua_error(L, "index: the range {%I,%I} ends before it starts",
                 (LUAI_UACINT)first, (LUAI_UACINT)last);
  p.length = (stop - p.start) / p.step + 1;
  return p;
}

/* The index at stack index i, for a dim of the given size. */
static part read_part(lua_State *L, int i, int64_t size) {
  part p = { POSITION, 0, 1, 1, NULL };
  int exact;
  switch (lua_type(L, i)) {
    case LUA_TTABLE:
      return read_range(L, i, size);
    case LUA_TNUMBER:
      p.start = lua_tointegerx(L, i, &exact);
      if (!exact)
        td_lua_error(L, "index: %s is not a whole number",
                     luaL_tolstring(L, i, NULL));
      p.start = td_lua_position(L, p.start, size, "index");
      return p;
    default:
      if (!(p.t = td_lua_test(L, i)))
        td_lua_error(L, "index: a %s cannot index a tensor; use a number, a "
                     "range {first, last}, or a tensor", luaL_typename(L, i));
      p.kind = TENSOR;
      return p;
  }
}

/* Has the table at i an entry for each dim, rather than being one range? */
static bool is_multiple(lua_State *L, int i) {
  int n = (int)lua_rawlen(L, i);
  bool multiple = false;
  for (int k = 1; k <= n && !multiple; k++) {
    multiple = lua_rawgeti(L, i, k) != LUA_TNUMBER;
    lua_pop(L, 1);
  }
  return multiple;
}

static int read_index(lua_State *L, int i, const td_tensor *x, part *parts) {
  int ndim = td_ndim(x);
  bool multiple = lua_type(L, i) == LUA_TTABLE && is_multiple(L, i);
  int n = multiple ? (int)lua_rawlen(L, i) : 1;
  if (n > ndim)
    td_lua_error(L, "index: %d entries for a tensor of %d dims", n, ndim);
  for (int k = 0; k < n; k++) {
    if (multiple) lua_rawgeti(L, i, k + 1);
    parts[k] = read_part(L, multiple ? -1 : i, td_shape(x)[k]);
    if (multiple) lua_pop(L, 1);
  }
  return n;
}

/* ---- taking parts ---- */

/* Positions (0-based, a vector) where a mask that covers the first dims of x
** holds, those dims being seen as one. */
static td_tensor *mask_positions(td_tensor *mask) {
  td_tensor *flat = td_reshape(mask, TD_INTS(-1));
  return td_reshape(td_nonzero(flat), TD_INTS(-1));
}

static bool mask_fits(const td_tensor *x, int dim, const td_tensor *mask) {
  int n = td_ndim(mask);
  char a[128], b[128];
  if (dim + n <= td_ndim(x) &&
      !memcmp(td_shape(x) + dim, td_shape(mask), sizeof(int64_t) * (size_t)n))
    return true;
  td_fail(TD_ESHAPE, "index: a mask of shape %s does not fit a tensor of shape "
          "%s", td_shape_text(n, td_shape(mask), a, sizeof a),
          td_shape_text(td_ndim(x), td_shape(x), b, sizeof b));
  return false;
}

/* x with n dims from `dim` on replaced by those of shape s. */
static td_tensor *with_dims(td_tensor *x, int dim, int n, int ns,
                            const int64_t *s) {
  int64_t shape[2 * TD_MAXDIM];
  int total = 0;
  if (!x) return NULL;
  for (int d = 0; d < dim; d++) shape[total++] = td_shape(x)[d];
  for (int d = 0; d < ns; d++) shape[total++] = s[d];
  for (int d = dim + n; d < td_ndim(x); d++) shape[total++] = td_shape(x)[d];
  if (total > TD_MAXDIM)
    return td_fail_null(TD_ESHAPE, "index: the result would have %d dims",
                        total);
  return td_reshape(x, (td_ints){ total, shape });
}

/* Checks positions on the host (a device's kernel does so itself) and makes
** them 0-based: a vector. */
static td_tensor *index_positions(td_tensor *t, int64_t size) {
  td_dtype d = td_type(t);
  if (td_dtype_is_float(d))
    return td_fail_null(TD_EDTYPE, "index: positions must be integers, not %s; "
                        "convert with x:long()", td_dtype_name(d));
  if (td_device_of(t) == td_cpu() && td_numel(t)) {
    int64_t low, high;
    if (td_item(td_amin(t, TD_ALL, false), NULL, &low) ||
        td_item(td_amax(t, TD_ALL, false), NULL, &high)) return NULL;
    if (low < 1 || high > size)
      return td_fail_null(TD_EARG, "index: position %lld is out of range 1 to "
                          "%lld", (long long)(low < 1 ? low : high),
                          (long long)size);
  }
  return td_sub(td_reshape(t, TD_INTS(-1)), td_int(1));
}

static td_tensor *take_tensor(td_tensor *x, int dim, td_tensor *t) {
  int n = td_ndim(t);
  if (td_type(t) == TD_BOOL) {
    int64_t count = td_numel(t);
    if (!mask_fits(x, dim, t)) return NULL;
    return td_index_select(with_dims(x, dim, n, 1, &count), dim,
                           mask_positions(t));
  }
  td_tensor *at = index_positions(t, td_shape(x)[dim]);
  td_tensor *y = td_index_select(x, dim, at);
  return n == 1 ? y : with_dims(y, dim, 1, n, td_shape(t));
}

/* Dims that x loses or gains shift those that follow. */
static td_tensor *take(td_tensor *x, const part *parts, int n) {
  for (int k = 0, dim = 0; x && k < n; k++) {
    const part *p = &parts[k];
    int before = td_ndim(x);
    switch (p->kind) {
      case ALL: break;
      case RANGE: x = td_slice(x, dim, p->start, p->length, p->step); break;
      case POSITION: x = td_select(x, dim, p->start); break;
      default: x = take_tensor(x, dim, p->t);
    }
    if (x) dim += 1 + td_ndim(x) - before;
  }
  return x;
}

/* ---- fields ---- */

static void push_shape(lua_State *L, const td_tensor *t) {
  int n = td_ndim(t);
  lua_createtable(L, n, 0);
  for (int d = 0; d < n; d++) {
    lua_pushinteger(L, td_shape(t)[d]);
    lua_rawseti(L, -2, d + 1);
  }
}

static int get_field(lua_State *L, td_tensor *t, const char *name) {
  if (!strcmp(name, "shape")) push_shape(L, t);
  else if (!strcmp(name, "dtype")) lua_pushstring(L, td_dtype_name(td_type(t)));
  else if (!strcmp(name, "device"))
    lua_pushstring(L, td_device_name(td_device_of(t)));
  else if (!strcmp(name, "grad")) td_lua_push(L, td_gradient(t));
  else if (!strcmp(name, "requires_grad")) lua_pushboolean(L, td_needs_grad(t));
  else if (!strcmp(name, "is_leaf")) lua_pushboolean(L, td_is_leaf(t));
  else lua_pushnil(L);
  return 1;
}

/* Does a loop over ipairs(x) ask for the position behind the last? */
static bool is_end(lua_State *L, const td_tensor *x) {
  lua_Debug caller;
  return lua_isinteger(L, 2) && td_ndim(x) && lua_tointeger(L, 2) == td_shape(x)[0] + 1 &&
         lua_getstack(L, 1, &caller) && lua_getinfo(L, "nS", &caller) &&
         *caller.what == 'C' && !strcmp(caller.namewhat, "for iterator");
}

static int l_index(lua_State *L) {
  part parts[TD_MAXDIM];
  if (lua_type(L, 2) == LUA_TSTRING) {
    const char *name = lua_tostring(L, 2);
    lua_pushvalue(L, 2);                /* x.grad is a field, not tensor.grad */
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL && strcmp(name, "grad"))
      return 1;
    return get_field(L, td_lua_check(L, 1), name);
  }
  td_tensor **b, *x = td_lua_check(L, 1);
  if (is_end(L, x)) return 0;
  b = td_lua_box(L);
  int n = read_index(L, 2, x, parts);
  int mark = td_scope_open();
  td_error_clear();
  td_tensor *y = take(x, parts, n);
  if (y == x) y = td_detach(x);       /* x[{}]: a handle of its own */
  return td_lua_finish(L, b, y, mark);
}

/* ---- assignment ---- */

static td_status copy_into(td_tensor *x, td_tensor *v) {
  td_call q = { .op = &td_ops[TD_OP_copy], .nin = 2,
                .in = (td_tensor *[]){ x, v } };
  td_tensor *out[TD_MAXOUT];
  return x && v ? td_apply(&q, out, true) : td_error_code();
}

/* v is one value, or one for each place where the mask holds. */
static td_status set_masked(td_tensor *x, td_tensor *mask, td_tensor *v) {
  if (!mask_fits(x, 0, mask)) return td_error_code();
  td_tensor *wide = mask;
  for (int d = td_ndim(mask); wide && d < td_ndim(x); d++)
    wide = td_unsqueeze(wide, -1);
  if (td_is_number(v) || td_ndim(v) == 0)
    return copy_into(x, td_where(wide, v, x));
  int64_t count = td_numel(mask);
  td_tensor *at = mask_positions(mask);
  td_tensor *rows = with_dims(td_where(wide, td_int(0), x), 0, td_ndim(mask),
                              1, &count);
  if (!at || !rows) return td_error_code();
  if (td_shape(v)[0] != td_numel(at))
    return td_fail(TD_ESHAPE, "index: the mask selects %lld places, but there "
                   "are %lld values", (long long)td_numel(at),
                   (long long)td_shape(v)[0]);
  if (td_type(v) != td_type(x)) v = td_cast(v, td_type(x));
  td_tensor *y = td_index_add(rows, 0, at, v);
  return copy_into(x, td_reshape(y, (td_ints){ td_ndim(x), td_shape(x) }));
}

/* Row by row in order, so that the last of equal positions wins. */
static td_status set_rows(td_tensor *x, td_tensor *at, td_tensor *v,
                          int64_t *host) {
  int64_t n = td_numel(at);
  td_tensor *flat = index_positions(at, td_shape(x)[0]);
  if (!flat || td_read_i64(flat, host)) return td_error_code();
  if (!td_is_number(v) && td_ndim(v) == td_ndim(x)) {
    if (td_shape(v)[0] != n && td_shape(v)[0] != 1)
      return td_fail(TD_ESHAPE, "index: %lld rows for %lld positions",
                     (long long)td_shape(v)[0], (long long)n);
  }
  bool rows = !td_is_number(v) && td_ndim(v) == td_ndim(x) && td_ndim(x) > 0;
  for (int64_t k = 0; k < n; k++) {
    int mark = td_scope_open();
    td_tensor *src = rows ? td_select(v, 0, td_shape(v)[0] == 1 ? 0 : k) : v;
    td_status st = copy_into(td_select(x, 0, host[k]), src);
    td_scope_close(mark);
    if (st) return st;
  }
  return TD_OK;
}

static td_status assign(td_tensor *x, const part *parts, int n, td_tensor *v,
                        int64_t *host) {
  for (int k = 0; k < n; k++)
    if (parts[k].kind == TENSOR && n > 1)
      return td_fail(TD_ENOSUP, "index: assignment through a tensor works as "
                     "x[tensor] = value, not among several entries");
  if (parts[0].kind != TENSOR) return copy_into(take(x, parts, n), v);
  td_tensor *t = parts[0].t;
  return td_type(t) == TD_BOOL ? set_masked(x, t, v) : set_rows(x, t, v, host);
}

static int set_field(lua_State *L, td_tensor *t) {
  const char *name = lua_tostring(L, 2);
  td_status st = TD_OK;
  if (!strcmp(name, "grad")) {
    st = td_set_gradient(t, td_lua_opt(L, 3));
  } else if (!strcmp(name, "requires_grad")) {
    st = td_requires_grad(t, lua_toboolean(L, 3));
  } else {
    return td_lua_error(L, "a tensor has no field '%s' to set (fields: grad, "
                        "requires_grad)", name);
  }
  return st ? td_lua_raise(L) : 0;
}

static int l_newindex(lua_State *L) {
  part parts[TD_MAXDIM];
  td_tensor *x = td_lua_check(L, 1), *v = NULL;
  int64_t *host = NULL;
  td_error_clear();
  if (lua_type(L, 2) == LUA_TSTRING) return set_field(L, x);
  if (!lua_isnumber(L, 3) && !lua_isboolean(L, 3)) v = td_lua_check(L, 3);
  td__lua_gc(L);
  int n = read_index(L, 2, x, parts);
  if (n && parts[0].kind == TENSOR)
    host = lua_newuserdatauv(L, 8 * (size_t)td_numel(parts[0].t) + 8, 0);
  int mark = td_scope_open();
  if (!v)
    v = lua_isboolean(L, 3) ? td_int(lua_toboolean(L, 3)) :
      lua_isinteger(L, 3) ? td_int(lua_tointeger(L, 3)) :
      td_num(lua_tonumber(L, 3));
  td_status st = v ? assign(x, parts, n, v, host) : td_error_code();
  td_scope_close(mark);
  return st ? td_lua_raise(L) : 0;
}

/* ---- single elements, without temporaries ---- */

static void read_place(lua_State *L, int first, const td_tensor *t,
                       const char *what, int64_t *at) {
  int n = lua_gettop(L) - first + 1;
  if (n != td_ndim(t))
    td_lua_error(L, "%s: %d positions for a tensor of %d dims", what, n,
                 td_ndim(t));
  for (int d = 0; d < n; d++) {
    int exact;
    lua_Integer v = lua_tointegerx(L, first + d, &exact);
    if (!exact)
      td_lua_error(L, "%s: position %s is not an integer", what,
                   luaL_tolstring(L, first + d, NULL));
    at[d] = td_lua_position(L, v, td_shape(t)[d], what);
  }
}

static void push_value(lua_State *L, td_dtype d, double f, int64_t i) {
  if (d == TD_BOOL) lua_pushboolean(L, i != 0);
  else if (td_dtype_is_float(d)) lua_pushnumber(L, f);
  else lua_pushinteger(L, i);
}

static int l_get(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  int64_t at[TD_MAXDIM], i;
  double f;
  read_place(L, 2, t, "get", at);
  if (td_get(t, at, &f, &i)) return td_lua_raise(L);
  push_value(L, td_type(t), f, i);
  return 1;
}

/* x:set(value, i, j, ...) */
static int l_set(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  int64_t at[TD_MAXDIM];
  if (!lua_isnumber(L, 2) && !lua_isboolean(L, 2))
    td_lua_typeerror(L, 2, "number");
  double v = lua_isboolean(L, 2) ? lua_toboolean(L, 2) : lua_tonumber(L, 2);
  read_place(L, 3, t, "set", at);
  td__lua_enter(L);
  if (td_set(t, at, v)) return td_lua_raise(L);
  lua_settop(L, 1);
  return 1;
}

static int l_item(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  int64_t i;
  double f;
  if (td_item(t, &f, &i)) return td_lua_raise(L);
  push_value(L, td_type(t), f, i);
  return 1;
}

/* ---- to tables ---- */

typedef struct sink { td_dtype dtype; int ndim; const int64_t *shape;
                      const double *f; const int64_t *i; } sink;

static void push_level(lua_State *L, sink *s, int depth) {
  if (depth == s->ndim) {
    push_value(L, s->dtype, s->f ? *s->f++ : 0, s->i ? *s->i++ : 0);
    return;
  }
  int64_t n = s->shape[depth];
  lua_createtable(L, n < 1 << 30 ? (int)n : 0, 0);
  for (int64_t k = 1; k <= n; k++) {
    push_level(L, s, depth + 1);
    lua_rawseti(L, -2, k);
  }
}

static int l_totable(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  sink s = { td_type(t), td_ndim(t), td_shape(t), NULL, NULL };
  luaL_checkstack(L, TD_MAXDIM + 8, "totable");
  void *host = lua_newuserdatauv(L, 8 * (size_t)td_numel(t) + 8, 0);
  td__lua_enter(L);
  td_status st;
  if (td_dtype_is_float(s.dtype)) st = td_read_f64(t, (double *)(s.f = host));
  else st = td_read_i64(t, (int64_t *)(s.i = host));
  if (st) return td_lua_raise(L);
  push_level(L, &s, 0);
  return 1;
}

static int l_size(lua_State *L) {
  td_tensor *t = td_lua_check(L, 1);
  if (lua_isnoneornil(L, 2)) {
    push_shape(L, t);
    return 1;
  }
  int64_t d = luaL_checkinteger(L, 2), n = td_ndim(t);
  if (d == 0)
    return td_lua_error(L, "size: there is no dim 0; dims count from 1 (-1 is "
                        "the last)");
  if (d > n || d < -n)
    return td_lua_error(L, "size: there is no dim %I in a tensor of %I dims",
                        (LUAI_UACINT)d, (LUAI_UACINT)n);
  lua_pushinteger(L, td_shape(t)[d > 0 ? d - 1 : d + n]);
  return 1;
}

/* The table of methods lies below the metatable on top. */
void td__lua_index(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "get", l_get }, { "set", l_set }, { "item", l_item },
    { "totable", l_totable }, { "size", l_size }, { NULL, NULL }
  };
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 0);
  lua_pushcclosure(L, l_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_newindex);
  lua_setfield(L, -2, "__newindex");
}
