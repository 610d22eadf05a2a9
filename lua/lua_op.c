/* lua_op.c -- ONE function that binds every op of the registry to Lua.
**
** Arguments come by position, by name in a trailing table, or both; a list may
** be a table or plain arguments.  Dims and positions count from 1 in Lua. */
#include "lua_td.h"
#include <math.h>
#include <string.h>

enum { FEW = 24 };                    /* inputs without a buffer of their own */

typedef struct number { int slot; bool is_float; double f; int64_t i; } number;
typedef struct positions { int slot; int n; int64_t *v; } positions;

typedef struct reader {               /* the arguments of one call */
  lua_State *L;
  td_call c;
  bool inplace;
  int at, top;                        /* next positional argument, last one */
  int options;                        /* stack index of the options, or 0 */
  int named;                          /* first argument looked for by name */
  int cap;                            /* room in c.in */
  int nnumber, nposition;
  number num[TD_MAXARG];              /* numbers given for tensors */
  positions pos[TD_MAXARG];           /* indices: a tensor (v NULL) or a table */
  td_tensor *few[FEW];
} reader;

/* ---- complaints ---- */

static const char *full_name(const reader *r) {
  return r->inplace ? lua_pushfstring(r->L, "%s_", r->c.op->name) :
    r->c.op->name;
}

static int bad(reader *r, const td_arg *a, int i, const char *wanted) {
  const char *got = luaL_typename(r->L, i);
  if (luaL_getmetafield(r->L, i, "__name") == LUA_TSTRING)
    got = lua_tostring(r->L, -1);
  if (lua_type(r->L, i) == LUA_TNUMBER)
    got = lua_pushfstring(r->L, "%s", luaL_tolstring(r->L, i, NULL));
  return td_lua_error(r->L, "%s: argument '%s' must be %s, not %s",
                      full_name(r), a->name, wanted, got);
}

/* "a, b, [dim]" */
static const char *arguments(const reader *r) {
  luaL_Buffer b;
  luaL_buffinit(r->L, &b);
  for (int k = 0; k < r->c.op->narg; k++) {
    const td_arg *a = &r->c.op->arg[k];
    if (k) luaL_addstring(&b, ", ");
    if (a->optional) luaL_addchar(&b, '[');
    luaL_addstring(&b, a->name);
    if (a->optional) luaL_addchar(&b, ']');
  }
  luaL_pushresult(&b);
  return lua_tostring(r->L, -1);
}

static int missing(reader *r, const td_arg *a) {
  const char *how = r->named < 0 ? "nil" : "missing";
  return td_lua_error(r->L, "%s: argument '%s' is %s; arguments are (%s)",
                      full_name(r), a->name, how, arguments(r));
}

/* ---- values ---- */

static int64_t integer(reader *r, const td_arg *a, int i) {
  int exact;
  int64_t v = lua_tointegerx(r->L, i, &exact);
  if (lua_type(r->L, i) != LUA_TNUMBER || !exact)
    bad(r, a, i, "an integer");
  return v;
}

/* A dim or position: 1-based in Lua, negative from the end in both worlds. */
static int64_t shifted(reader *r, const td_arg *a, int i, bool dim) {
  int64_t v = integer(r, a, i);
  if (v == 0)
    td_lua_error(r->L, "%s: '%s' is 0, but %s count from 1 (-1 is the last)",
                 full_name(r), a->name, dim ? "dims" : "positions");
  return v > 0 ? v - 1 : v;
}

/* One more place among the inputs. */
static int slot(reader *r) {
  td_call *c = &r->c;
  if (c->nin == r->cap) {
    int cap = 2 * r->cap;
    td_tensor **v = lua_newuserdatauv(r->L, sizeof *v * (size_t)cap, 0);
    memcpy(v, c->in, sizeof *v * (size_t)c->nin);
    c->in = v;
    r->cap = cap;
  }
  c->in[c->nin] = NULL;
  return c->nin++;
}

static void read_tensor(reader *r, const td_arg *a, int i) {
  lua_State *L = r->L;
  td_lua_boxed *b = td_lua_test_box(L, i);
  int s = slot(r);
  if (b && b->t) {
    r->c.in[s] = b->t;
  } else if (b) {
    td_lua_error(L, "%s: argument '%s' is a tensor that was freed",
                 full_name(r), a->name);
  } else if (lua_type(L, i) == LUA_TNUMBER && !(r->inplace && s == 0)) {
    bool is_float = !lua_isinteger(L, i);
    r->num[r->nnumber++] = (number){ s, is_float, lua_tonumber(L, i),
                                     is_float ? 0 : lua_tointeger(L, i) };
  } else if (lua_isboolean(L, i) && a->kind == 'C') {
    r->num[r->nnumber++] = (number){ s, false, 0, lua_toboolean(L, i) };
  } else {
    bad(r, a, i, a->kind == 'C' ? "a tensor or a boolean" :
        r->inplace && s == 0 ? "a tensor" : "a tensor or a number");
  }
}

/* Positions: a tensor of integers, or a table of them. */
static void read_positions(reader *r, const td_arg *a, int i) {
  lua_State *L = r->L;
  positions *p = &r->pos[r->nposition++];
  td_lua_boxed *b = td_lua_test_box(L, i);
  *p = (positions){ .n = 0 };
  if (b) {
    read_tensor(r, a, i);
    p->slot = r->c.nin - 1;
    td_dtype d = td_type(b->t);
    if (td_dtype_is_float(d) || d == TD_BOOL)
      td_lua_error(L, "%s: argument '%s' holds positions and must be of an "
                   "integer type, not %s; convert with x:long()",
                   full_name(r), a->name, td_dtype_name(d));
    return;
  }
  if (lua_type(L, i) != LUA_TTABLE)
    bad(r, a, i, "a tensor or table of positions");
  p->slot = slot(r);
  p->n = (int)lua_rawlen(L, i);
  p->v = lua_newuserdatauv(L, sizeof *p->v * (size_t)(p->n + 1), 0);
  for (int k = 0; k < p->n; k++) {
    lua_rawgeti(L, i, k + 1);
    p->v[k] = integer(r, a, -1) - 1;
    if (p->v[k] < 0)
      td_lua_error(L, "%s: entry %d of '%s' is %I, but positions count from 1",
                   full_name(r), k + 1, a->name, (LUAI_UACINT)(p->v[k] + 1));
    lua_pop(L, 1);
  }
}

static void read_list(reader *r, const td_arg *a, int i) {
  lua_State *L = r->L;
  if (lua_type(L, i) != LUA_TTABLE) bad(r, a, i, "a table of tensors");
  int n = (int)lua_rawlen(L, i);
  for (int k = 0; k < n; k++) {
    lua_rawgeti(L, i, k + 1);
    td_lua_boxed *b = td_lua_test_box(L, -1);
    if (!b || !b->t)
      td_lua_error(L, "%s: entry %d of '%s' is %s, not a tensor", full_name(r),
                   k + 1, a->name, b ? "freed" : luaL_typename(L, -1));
    lua_pop(L, 1);
    int s = slot(r);
    r->c.in[s] = b->t;
  }
}

/* ---- dims and sizes ---- */

static void add_to_list(reader *r, const td_arg *a, int i) {
  td_call *c = &r->c;
  if (c->nlist == TD_MAXDIM)
    td_lua_error(r->L, "%s: '%s' has more than %d entries", full_name(r),
                 a->name, TD_MAXDIM);
  int64_t v = a->kind == 'A' ? shifted(r, a, i, true) : integer(r, a, i);
  c->list[c->nlist++] = v;
}

/* Has a list of n entries names beside them, as in x:sum{1, keepdim=true}? */
static bool has_names(lua_State *L, int i, int n) {
  lua_pushnil(L);
  for (int k = 0; lua_next(L, i); k++) {
    lua_pop(L, 1);
    if (k < n) continue;
    lua_pop(L, 1);
    return true;
  }
  return false;
}

/* A table, or the integers that follow. */
static void read_ints(reader *r, const td_arg *a, int i) {
  lua_State *L = r->L;
  int type = lua_type(L, i);
  r->c.nlist = 0;
  if (type == LUA_TTABLE) {
    int n = (int)lua_rawlen(L, i);
    for (int k = 1; k <= n; k++) {
      lua_rawgeti(L, i, k);
      add_to_list(r, a, -1);
      lua_pop(L, 1);
    }
    if (i == r->top && i < r->at && !r->options && has_names(L, i, n))
      r->options = i;
    return;
  }
  if (type != LUA_TNUMBER)
    bad(r, a, i, a->kind == 'A' ? "a dim or a table of dims" :
        "sizes or a table of sizes");
  add_to_list(r, a, i);
  while (i < r->at && r->at <= r->top && lua_type(L, r->at) == LUA_TNUMBER)
    add_to_list(r, a, r->at++);
}

static void read_attr(reader *r, const td_arg *a, int i) {
  lua_State *L = r->L;
  td_attr *v = &r->c.attr[r->c.nattr++];
  switch (a->kind) {
    case 'F':
      if (lua_type(L, i) != LUA_TNUMBER) bad(r, a, i, "a number");
      v->f = lua_tonumber(L, i);
      break;
    case 'B':
      if (!lua_isboolean(L, i)) bad(r, a, i, "true or false");
      v->i = lua_toboolean(L, i);
      break;
    case 'D': v->i = shifted(r, a, i, true); break;
    case 'P': v->i = shifted(r, a, i, false); break;
    case 'Y': v->i = td_lua_dtype(L, i); break;
    default: v->i = integer(r, a, i);
  }
}

/* ---- one argument after the other ---- */

/* Where argument k is on the stack; 0 when it was not given. */
static int find(reader *r, int k) {
  lua_State *L = r->L;
  if (r->at <= r->top) {
    int i = r->at++;
    return lua_isnil(L, i) ? 0 : i;
  }
  if (r->named < 0) r->named = k;
  if (!r->options) return 0;
  lua_pushstring(L, r->c.op->arg[k].name);
  if (lua_rawget(L, r->options) != LUA_TNIL) return lua_gettop(L);
  lua_pop(L, 1);
  return 0;
}

static void use_default(reader *r, const td_arg *a) {
  td_call *c = &r->c;
  if (!a->optional) missing(r, a);
  if (strchr("TOCX", a->kind)) {
    slot(r);
  } else if (strchr("FIBDPY", a->kind)) {
    if (a->kind == 'F') c->attr[c->nattr++].f = a->dflt;
    else c->attr[c->nattr++].i = (int64_t)a->dflt;
  }
}

static void read_argument(reader *r, int k) {
  const td_arg *a = &r->c.op->arg[k];
  int i = find(r, k);
  if (!i) { use_default(r, a); return; }
  switch (a->kind) {
    case 'T': case 'O': case 'C': read_tensor(r, a, i); break;
    case 'X': read_positions(r, a, i); break;
    case 'M': read_list(r, a, i); break;
    case 'A': case 'S': read_ints(r, a, i); break;
    default: read_attr(r, a, i);
  }
}

/* Every key of the options must have been an argument looked for by name. */
static void check_options(reader *r) {
  lua_State *L = r->L;
  const char *names[TD_MAXARG + 1];
  int n = 0;
  if (r->named >= 0)
    for (int k = r->named; k < r->c.op->narg; k++)
      names[n++] = r->c.op->arg[k].name;
  names[n] = NULL;
  if (!lua_rawlen(L, r->options)) {
    td_lua_keys(L, r->options, full_name(r), names);
    return;
  }
  lua_newtable(L);                    /* a list with options: only its names */
  lua_pushnil(L);
  while (lua_next(L, r->options)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TNUMBER) continue;
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, -4);
  }
  td_lua_keys(L, -1, full_name(r), names);
}

static void read_arguments(reader *r) {
  lua_State *L = r->L;
  const td_op *op = r->c.op;
  if (r->top > 0 && td_lua_is_options(L, r->top)) r->options = r->top--;
  for (int k = 0; k < op->narg; k++) read_argument(r, k);
  if (r->at <= r->top)
    td_lua_error(L, "%s: too many arguments (%d); arguments are (%s)",
                 full_name(r), r->top, arguments(r));
  if (r->options) check_options(r);
}

/* ---- the call ---- */

/* Makes tensors of numbers and tables, and positions 0-based. */
static td_status complete(reader *r) {
  td_call *c = &r->c;
  for (int k = 0; k < r->nnumber; k++) {
    const number *n = &r->num[k];
    c->in[n->slot] = n->is_float ? td_num(n->f) : td_int(n->i);
    if (!c->in[n->slot]) return td_error_code();
  }
  for (int k = 0; k < r->nposition; k++) {
    const positions *p = &r->pos[k];
    td_tensor *t = c->in[p->slot];
    if (p->v) {
      td_backend *be = c->in[0] ? td_device_of(c->in[0]) : td_cpu();
      int64_t n = p->n;
      t = td_empty(be, TD_I64, 1, &n);
      if (!t || td_write_bytes(t, p->v)) return td_error_code();
    } else {
      t = td_sub(t, td_int(1));
    }
    if (!(c->in[p->slot] = t)) return td_error_code();
  }
  return TD_OK;
}

/* An op composed of others has made a new tensor: x takes its values. */
static td_status store(td_tensor *x, td_tensor **out) {
  td_call q = { .op = &td_ops[TD_OP_copy], .nin = 2,
                .in = (td_tensor *[]){ x, out[0] } };
  return out[0] == x ? TD_OK : td_apply(&q, out, true);
}

static td_status call(reader *r, td_tensor **out) {
  td_call *c = &r->c;
  unsigned flags = c->op->rule->flags;
  td_tensor *x = c->in[0];
  td_error_clear();
  td_status st = complete(r);
  if (!st) st = td_apply(c, out, r->inplace);
  if (!st && r->inplace) st = store(x, out);
  if (!st && (flags & TD_INDEX0) && !(out[0] = td_add(out[0], td_int(1))))
    st = td_error_code();
  if (!st && (flags & TD_INDEX1) && !(out[1] = td_add(out[1], td_int(1))))
    st = td_error_code();
  return st;
}

/* The inputs are held, so that a finaliser which frees one does no harm. */
static td_status run(reader *r, td_tensor ***box) {
  td_call *c = &r->c;
  td_tensor *out[TD_MAXOUT] = { NULL };
  td_tensor *few[FEW], **in = few;
  int n = c->nin;
  if (n > FEW) in = lua_newuserdatauv(r->L, sizeof *in * (size_t)n, 0);
  memcpy(in, c->in, sizeof *in * (size_t)n);
  int mark = td_scope_open();
  for (int i = 0; i < n; i++) td_keep(in[i]);
  td_status st = call(r, out);
  for (int k = 0; !st && k < c->op->nout && !r->inplace; k++)
    *box[k] = td_keep(out[k]);
  for (int i = 0; i < n; i++) td_drop(in[i]);
  td_scope_close(mark);
  return st;
}

static int apply(lua_State *L, bool inplace) {
  reader r;
  td_tensor **box[TD_MAXOUT];
  r.L = L;
  r.c.op = lua_touserdata(L, lua_upvalueindex(1));
  r.c.nin = r.c.nattr = r.nnumber = r.nposition = r.options = 0;
  r.c.nlist = r.named = -1;
  r.c.in = r.few;
  r.cap = FEW;
  r.inplace = inplace;
  r.at = 1;
  int top = r.top = lua_gettop(L), nout = inplace ? 0 : r.c.op->nout;
  if (nout) {
    for (int k = 0; k < nout; k++) box[k] = td_lua_box(L);
  } else {
    luaL_checkstack(L, 8, "too many arguments");
    td__lua_gc(L);
  }
  luaL_checkstack(L, 2 * TD_MAXARG + 8, "too many arguments");
  read_arguments(&r);
  if (run(&r, box)) return td_lua_raise(L);
  if (inplace) lua_pushvalue(L, 1);
  else lua_settop(L, top + nout);
  return inplace ? 1 : nout;
}

int td_lua_op(lua_State *L) { return apply(L, false); }
static int op_inplace(lua_State *L) { return apply(L, true); }

/* ---- binding ---- */

void td_lua_push_op(lua_State *L, const char *name, bool inplace) {
  lua_pushlightuserdata(L, td_op_find(name));
  lua_pushcclosure(L, inplace ? op_inplace : td_lua_op, 1);
}

/* Parts of other ops, 0-based or without use of their own. */
static bool internal(const char *name) {
  static const char *const names[] = { "slice", "unslice", "concat", "ramp" };
  size_t n = strlen(name);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(name, names[i])) return true;
  return (n > 5 && !strcmp(name + n - 5, "_grad")) ||
    (n > 6 && (!strcmp(name + n - 6, "_grad2") ||
               !strcmp(name + n - 6, "_wgrad")));
}

void td__lua_ops(lua_State *L) {
  for (td_op *op = td_ops_first(); op; op = op->next) {
    if (internal(op->name)) continue;
    lua_pushlightuserdata(L, op);
    lua_pushcclosure(L, td_lua_op, 1);
    lua_setfield(L, -2, op->name);
    if (!(op->rule->flags & TD_INPLACE)) continue;
    lua_pushfstring(L, "%s_", op->name);
    lua_pushlightuserdata(L, op);
    lua_pushcclosure(L, op_inplace, 1);
    lua_rawset(L, -3);
  }
}

/* What the documentation needs of an argument: {name=, kind=, default=}. */
static void push_argument(lua_State *L, const td_arg *a) {
  lua_createtable(L, 0, 3);
  lua_pushlstring(L, &a->kind, 1);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, a->name);
  lua_setfield(L, -2, "name");
  lua_pushboolean(L, a->optional);
  lua_setfield(L, -2, "optional");
  if (a->optional && strchr("FID", a->kind)) {
    double v = a->kind == 'D' && a->dflt >= 0 ? a->dflt + 1 : a->dflt;
    if (v == floor(v) && fabs(v) < 1e15) lua_pushinteger(L, (lua_Integer)v);
    else lua_pushnumber(L, v);
    lua_setfield(L, -2, "default");
  }
}

/* tide.ops(): a list of {name=, doc=, args={...}, results=, inplace=} */
int td__lua_op_list(lua_State *L) {
  int n = 0;
  lua_newtable(L);
  for (td_op *op = td_ops_first(); op; op = op->next) {
    if (internal(op->name)) continue;
    lua_createtable(L, 0, 6);
    lua_pushstring(L, op->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, op->doc);
    lua_setfield(L, -2, "doc");
    lua_pushinteger(L, op->nout);
    lua_setfield(L, -2, "results");
    lua_pushboolean(L, op->rule->flags & TD_INPLACE);
    lua_setfield(L, -2, "inplace");
    lua_createtable(L, op->narg, 0);
    for (int a = 0; a < op->narg; a++) {
      push_argument(L, &op->arg[a]);
      lua_rawseti(L, -2, a + 1);
    }
    lua_setfield(L, -2, "args");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}
