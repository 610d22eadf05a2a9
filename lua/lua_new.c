/* lua_new.c -- constructors: zeros ones full empty eye arange linspace rand
** randn randint randperm from, and their _like forms. */
#include "lua_td.h"
#include <math.h>
#include <string.h>

td_dtype td__lua_dtype = TD_F32;
static td_backend *device;
td_backend *td__lua_device_default(void) { return device ? device : td_cpu(); }
void td__lua_device_set(td_backend *b) { device = b; }

/* ---- options and sizes ---- */

typedef td_lua_spec spec;

static const char *const option_names[] = {
  "dtype", "device", "requires_grad", "generator", NULL
};

static bool field(lua_State *L, int opt, const char *name) {
  lua_pushstring(L, name);
  if (lua_rawget(L, opt) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

/* Reads the options at index i (may be none); values not named are s's own. */
static void read_options(lua_State *L, int i, const char *what, spec *s) {
  if (lua_gettop(L) > i)
    td_lua_error(L, "%s: too many arguments after '%s'", what,
                 luaL_tolstring(L, i, NULL));
  if (lua_isnoneornil(L, i)) return;
  if (lua_type(L, i) != LUA_TTABLE)
    td_lua_error(L, "%s: options expected as a table, got %s", what,
                 luaL_typename(L, i));
  td_lua_keys(L, i, what, option_names);
  if (field(L, i, "dtype")) s->dtype = td_lua_dtype(L, -1);
  if (field(L, i, "device")) s->be = td_lua_device(L, -1);
  if (field(L, i, "requires_grad")) s->requires_grad = lua_toboolean(L, -1);
  if (field(L, i, "generator")) s->rng = td_lua_generator(L, -1);
}

static spec default_spec(void) {
  return (spec){ td__lua_dtype, td__lua_device_default(), NULL, false };
}

static int64_t one_size(lua_State *L, int i, const char *what) {
  int exact;
  lua_Integer n = lua_tointegerx(L, i, &exact);
  if (lua_type(L, i) != LUA_TNUMBER || !exact)
    td_lua_error(L, "%s: sizes must be integers, not %s", what,
                 luaL_tolstring(L, i, NULL));
  if (n < 0) td_lua_error(L, "%s: size %I is negative", what, (LUAI_UACINT)n);
  return n;
}

/* Sizes from index i on: a table, or numbers.  Returns the index behind. */
static int read_shape(lua_State *L, int i, const char *what, int64_t *shape,
                      int *ndim) {
  int top = lua_gettop(L), n = 0;
  bool table = i <= top && lua_type(L, i) == LUA_TTABLE &&
    !td_lua_is_options(L, i);
  int count = table ? (int)lua_rawlen(L, i) : 0;
  if (!table)
    while (i + count <= top && lua_type(L, i + count) == LUA_TNUMBER) count++;
  if (!table && !count && i <= top && lua_type(L, i) == LUA_TNIL)
    td_lua_error(L, "%s: the size is nil; {} makes a 0-dim tensor", what);
  if (count > TD_MAXDIM)
    td_lua_error(L, "%s: %d sizes, but a tensor has at most %d dims", what,
                 count, TD_MAXDIM);
  for (; n < count; n++) {
    if (table) lua_rawgeti(L, i, n + 1);
    shape[n] = one_size(L, table ? -1 : i + n, what);
    if (table) lua_pop(L, 1);
  }
  *ndim = n;
  return table ? i + 1 : i + count;
}

static int deliver(lua_State *L, td_tensor **b, td_tensor *y, int mark,
                   const spec *s) {
  if (y && s->requires_grad && td_requires_grad(y, true)) y = NULL;
  return td_lua_finish(L, b, y, mark);
}

/* ---- one function for each way of filling ---- */

typedef struct filler {               /* how a new tensor gets its values */
  enum { EMPTY, CONSTANT, DRAW } how;
  td_op *op;                          /* DRAW: run in place */
  double a, b;                        /* CONSTANT: a; DRAW: its arguments */
} filler;

static td_tensor *fill(const filler *f, const spec *s, int ndim,
                       const int64_t *shape) {
  if (f->how == CONSTANT) return td_full(s->be, s->dtype, ndim, shape, f->a);
  td_tensor *t = td_empty(s->be, s->dtype, ndim, shape);
  if (f->how == EMPTY || !t) return t;
  td_rng *old = s->rng ? td_rng_use(s->rng) : NULL;
  t = td_apply_(f->op, t, 2, (double[]){ f->a, f->b });
  if (s->rng) td_rng_use(old);
  return t;
}

static int build(lua_State *L, const filler *f, const spec *s, int ndim,
                 const int64_t *shape) {
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  return deliver(L, b, fill(f, s, ndim, shape), mark, s);
}

/* name(sizes..., options) */
static int sized(lua_State *L, const char *what, const filler *f) {
  int64_t shape[TD_MAXDIM];
  int ndim;
  spec s = default_spec();
  read_options(L, read_shape(L, 1, what, shape, &ndim), what, &s);
  return build(L, f, &s, ndim, shape);
}

/* name_like(x, options): `first` is the index of the options */
static int like(lua_State *L, const char *what, const filler *f, int first) {
  td_tensor *x = td_lua_check(L, 1);
  spec s = { td_type(x), td_device_of(x), NULL, false };
  read_options(L, first, what, &s);
  return build(L, f, &s, td_ndim(x), td_shape(x));
}

#define NORMAL { DRAW, &td_ops[TD_OP_normal], 0, 1 }
#define UNIFORM { DRAW, &td_ops[TD_OP_uniform], 0, 1 }
#define BOTH(name, ...) \
  static int l_##name(lua_State *L) { \
    const filler f = __VA_ARGS__; \
    return sized(L, #name, &f); \
  } \
  static int l_##name##_like(lua_State *L) { \
    const filler f = __VA_ARGS__; \
    return like(L, #name "_like", &f, 2); \
  }
BOTH(empty, { EMPTY, NULL, 0, 0 })
BOTH(zeros, { CONSTANT, NULL, 0, 0 })
BOTH(ones, { CONSTANT, NULL, 1, 0 })
BOTH(rand, UNIFORM)
BOTH(randn, NORMAL)

static double number(lua_State *L, int i, const char *what, const char *name) {
  if (lua_type(L, i) == LUA_TBOOLEAN) return lua_toboolean(L, i);
  if (lua_type(L, i) != LUA_TNUMBER)
    td_lua_error(L, "%s: '%s' must be a number, not %s", what, name,
                 luaL_typename(L, i));
  return lua_tonumber(L, i);
}

/* full(shape, value, options); a number is the shape of a vector */
static int l_full(lua_State *L) {
  int64_t shape[TD_MAXDIM];
  int ndim = 0;
  spec s = default_spec();
  if (lua_type(L, 1) == LUA_TNUMBER) {
    shape[0] = one_size(L, 1, "full");
    ndim = 1;
  } else if (lua_type(L, 1) == LUA_TTABLE) {
    read_shape(L, 1, "full", shape, &ndim);
  } else {
    td_lua_error(L, "full: a shape is expected first, as in full({2, 3}, 1)");
  }
  filler f = { CONSTANT, NULL, number(L, 2, "full", "value"), 0 };
  if (lua_isboolean(L, 2)) s.dtype = TD_BOOL;
  read_options(L, 3, "full", &s);
  return build(L, &f, &s, ndim, shape);
}

static int l_full_like(lua_State *L) {
  filler f = { CONSTANT, NULL, number(L, 2, "full_like", "value"), 0 };
  return like(L, "full_like", &f, 3);
}

/* ---- random integers ---- */

static int64_t whole(lua_State *L, int i, const char *what, const char *name) {
  int exact;
  lua_Integer v = lua_tointegerx(L, i, &exact);
  if (lua_type(L, i) != LUA_TNUMBER || !exact)
    td_lua_error(L, "%s: '%s' must be an integer, not %s", what, name,
                 luaL_tolstring(L, i, NULL));
  return v;
}

/* randint(low, high, sizes..., options): both ends included */
static int l_randint(lua_State *L) {
  int64_t shape[TD_MAXDIM];
  int ndim;
  spec s = default_spec();
  s.dtype = TD_I64;
  int64_t low = whole(L, 1, "randint", "low");
  int64_t high = whole(L, 2, "randint", "high");
  if (high < low)
    td_lua_error(L, "randint: 'high' (%I) is below 'low' (%I)",
                 (LUAI_UACINT)high, (LUAI_UACINT)low);
  read_options(L, read_shape(L, 3, "randint", shape, &ndim), "randint", &s);
  const filler f = { DRAW, &td_ops[TD_OP_integers], (double)low, (double)high };
  return build(L, &f, &s, ndim, shape);
}

/* randperm(n, options): the positions 1..n in random order */
static int l_randperm(lua_State *L) {
  int64_t n = one_size(L, 1, "randperm");
  spec s = default_spec(), draws;
  const filler f = UNIFORM;
  s.dtype = TD_I64;
  read_options(L, 2, "randperm", &s);
  draws = s;
  draws.dtype = TD_F64;
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  td_tensor *y = td_argsort(fill(&f, &draws, 1, &n), 0, false);
  y = td_add(y, td_int(1));
  if (y && s.dtype != TD_I64) y = td_cast(y, s.dtype);
  return deliver(L, b, y, mark, &s);
}

/* ---- sequences ---- */

static int sequence(lua_State *L, const spec *s, double start, double step,
                    int64_t n, const double *last) {
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  td_tensor *y = td_arange(s->be, s->dtype, start, step, n);
  if (y && last && n > 1 && td_set(y, &(int64_t){ n - 1 }, *last)) y = NULL;
  return deliver(L, b, y, mark, s);
}

/* arange(stop), which counts from 1, or arange(start, stop [, step]); options
** last.  stop is included, as in a for loop, allowing for rounding of step. */
static int l_arange(lua_State *L) {
  double v[3] = { 0, 0, 1 };
  int n = 0;
  spec s = default_spec();
  while (n < 3 && lua_type(L, n + 1) == LUA_TNUMBER) {
    v[n] = lua_tonumber(L, n + 1);
    n++;
  }
  if (!n) td_lua_typeerror(L, 1, "number");
  if (n == 1) { v[1] = v[0]; v[0] = 1; }
  read_options(L, n + 1, "arange", &s);
  double count = floor((v[1] - v[0]) / v[2] + 1e-9) + 1;
  if (v[2] == 0 || !isfinite(count))
    td_lua_error(L, "arange: cannot count from %f to %f in steps of %f",
                 (LUAI_UACNUMBER)v[0], (LUAI_UACNUMBER)v[1],
                 (LUAI_UACNUMBER)v[2]);
  if (count > 1e15) td_lua_error(L, "arange: that is too many elements");
  return sequence(L, &s, v[0], v[2], count > 0 ? (int64_t)count : 0, NULL);
}

static int l_linspace(lua_State *L) {
  spec s = default_spec();
  double a = number(L, 1, "linspace", "start");
  double b = number(L, 2, "linspace", "stop");
  int64_t n = one_size(L, 3, "linspace");
  read_options(L, 4, "linspace", &s);
  return sequence(L, &s, a, n > 1 ? (b - a) / (double)(n - 1) : 0, n, &b);
}

static int l_eye(lua_State *L) {
  int64_t shape[2];
  spec s = default_spec();
  shape[0] = shape[1] = one_size(L, 1, "eye");
  bool wide = lua_type(L, 2) == LUA_TNUMBER;
  if (wide) shape[1] = one_size(L, 2, "eye");
  read_options(L, wide ? 3 : 2, "eye", &s);
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  td_tensor *y = td_full(s.be, s.dtype, 2, shape, 0);
  td_tensor *d = td_diagonal(y, 0, 1);
  if (!d || !td_apply_(&td_ops[TD_OP_fill], d, 1, &(double){ 1 })) y = NULL;
  return deliver(L, b, y, mark, &s);
}

/* ---- from a nested table ---- */

typedef struct source {
  int ndim;
  int64_t shape[TD_MAXDIM];
  bool mixed;                         /* the type is given: booleans are 0, 1 */
  bool boolean;                       /* what the first entry is */
  double *f;                          /* where values go: f, or i */
  int64_t *i;
  int64_t at[TD_MAXDIM];              /* position of the entry being read */
} source;

static const char *place(lua_State *L, const source *s, int depth) {
  lua_pushstring(L, depth ? "entry " : "the value");
  for (int d = 0; d < depth; d++) {
    lua_pushfstring(L, "[%I]", (LUAI_UACINT)s->at[d]);
    lua_concat(L, 2);
  }
  return lua_tostring(L, -1);
}

/* The shape is that of the first entries; the value is at index 1. */
static int64_t measure(lua_State *L, source *s) {
  int64_t n = 1;
  lua_pushvalue(L, 1);
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (s->ndim == TD_MAXDIM)
      td_lua_error(L, "from: more than %d nested tables", TD_MAXDIM);
    int64_t len = (int64_t)lua_rawlen(L, -1);
    s->shape[s->ndim++] = len;
    n *= len;
    if (!len) {
      lua_pushnil(L);
      if (lua_next(L, -2))
        td_lua_error(L, "from: a table of named entries is no list of numbers");
      break;
    }
    lua_rawgeti(L, -1, 1);
    lua_replace(L, -2);
  }
  s->boolean = lua_isboolean(L, -1);
  lua_pop(L, 1);
  return n;
}

static void read_leaf(lua_State *L, source *s, int depth) {
  int type = lua_type(L, -1), exact = 1;
  bool boolean = type == LUA_TBOOLEAN;
  if (td_lua_test_box(L, -1))
    td_lua_error(L, "from: %s is a tensor; join tensors with stack or cat",
                 place(L, s, depth));
  if (!boolean && type != LUA_TNUMBER)
    td_lua_error(L, "from: %s is a %s, not a number", place(L, s, depth),
                 lua_typename(L, type));
  if (!s->mixed && boolean != s->boolean)
    td_lua_error(L, "from: %s is a %s among %ss; name a dtype to mix them",
                 place(L, s, depth), lua_typename(L, type),
                 s->boolean ? "boolean" : "number");
  if (s->f) {
    *s->f++ = boolean ? lua_toboolean(L, -1) : lua_tonumber(L, -1);
  } else {
    *s->i++ = boolean ? lua_toboolean(L, -1) : lua_tointegerx(L, -1, &exact);
    if (!exact)
      td_lua_error(L, "from: %s is %f, which no integer type holds",
                   place(L, s, depth), lua_tonumber(L, -1));
  }
}

static void read_level(lua_State *L, source *s, int depth) {
  if (depth == s->ndim) { read_leaf(L, s, depth); return; }
  if (lua_type(L, -1) != LUA_TTABLE)
    td_lua_error(L, "from: %s is a %s where its neighbours are tables",
                 place(L, s, depth), luaL_typename(L, -1));
  int64_t n = (int64_t)lua_rawlen(L, -1);
  if (n != s->shape[depth])
    td_lua_error(L, "from: %s has %I values where the first has %I",
                 place(L, s, depth), (LUAI_UACINT)n,
                 (LUAI_UACINT)s->shape[depth]);
  for (s->at[depth] = 1; s->at[depth] <= n; s->at[depth]++) {
    lua_rawgeti(L, -1, s->at[depth]);
    read_level(L, s, depth + 1);
    lua_pop(L, 1);
  }
}

static bool has_dtype(lua_State *L, int opt) {
  if (lua_type(L, opt) != LUA_TTABLE) return false;
  lua_getfield(L, opt, "dtype");
  bool is = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return is;
}

static td_tensor *on_host(const spec *s, const source *src, void *data) {
  bool is_float = td_dtype_is_float(s->dtype);
  td_tensor *t = td_empty(td_cpu(), is_float ? s->dtype : TD_I64, src->ndim,
                          src->shape);
  if (!t || (is_float ? td_write_f64(t, data) : td_write_bytes(t, data)))
    return NULL;
  return td_type(t) != s->dtype ? td_cast(t, s->dtype) : t;
}

/* For a device only the move is part of a captured step. */
static td_tensor *write_out(const spec *s, const source *src, void *data) {
  bool aside = s->be != td_cpu() && td_capturing();
  if (aside) td_capture_aside(true);
  td_tensor *t = on_host(s, src, data);
  if (aside) td_capture_aside(false);
  if (aside) td_capture_constant(t);
  return td_to_device(t, s->be);
}

/* from(value, options): a number, a boolean, or nested tables of them */
static int l_from(lua_State *L) {
  spec s = default_spec();
  source src = { .mixed = has_dtype(L, 2) };
  luaL_checkstack(L, 2 * TD_MAXDIM + 16, "from");
  if (td_lua_test_box(L, 1))
    td_lua_error(L, "from: this is a tensor already; copy it with x:clone()");
  int64_t n = measure(L, &src);
  if (src.boolean && !src.mixed) s.dtype = TD_BOOL;
  read_options(L, 2, "from", &s);
  lua_settop(L, 1);
  void *data = lua_newuserdatauv(L, 8 * (size_t)(n + 1), 0);
  if (td_dtype_is_float(s.dtype)) src.f = data; else src.i = data;
  lua_pushvalue(L, 1);
  if (n || !src.ndim) read_level(L, &src, 0);
  td_tensor **b = td_lua_box(L);
  int mark = td_scope_open();
  return deliver(L, b, write_out(&s, &src, data), mark, &s);
}

void td__lua_new(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "empty", l_empty }, { "zeros", l_zeros }, { "ones", l_ones },
    { "full", l_full }, { "rand", l_rand }, { "randn", l_randn },
    { "empty_like", l_empty_like }, { "zeros_like", l_zeros_like },
    { "ones_like", l_ones_like }, { "full_like", l_full_like },
    { "rand_like", l_rand_like }, { "randn_like", l_randn_like },
    { "randint", l_randint }, { "randperm", l_randperm },
    { "arange", l_arange }, { "linspace", l_linspace }, { "eye", l_eye },
    { "from", l_from }, { NULL, NULL }
  };
  luaL_setfuncs(L, functions, 0);
}
