/* lua_td.h -- what the C parts of the Lua library share: the tensor box, checks
** of arguments, options, the one way to raise, and when to collect garbage.
**
** Every function that makes tensors keeps this order, so that an error leaves
** nothing behind: check the arguments (may raise, holds nothing); anchor empty
** boxes with td_lua_box; open a scope and call the core; fill the boxes, close
** the scope, and only then raise or return. */
#ifndef TD_LUA_TD_H
#define TD_LUA_TD_H
#include <lauxlib.h>
#include <lua.h>
#include "tensor/op.h"

#define TD_LUA_TENSOR "tide.Tensor"

typedef struct td_lua_boxed {
  const void *magic;       /* tells a box from any other userdata, at no cost */
  td_tensor *t;            /* NULL: being filled, or freed */
} td_lua_boxed;

/* ---- lua_td.c: boxes and arguments ---- */
/* A new box on the stack; first gives the collector its due, so everything
** still needed must be on the stack or held by the core. */
td_tensor **td_lua_box(lua_State *L);
td_lua_boxed *td_lua_test_box(lua_State *L, int i);   /* NULL: not a tensor */
td_tensor *td_lua_test(lua_State *L, int i);          /* raises when freed */
td_tensor *td_lua_check(lua_State *L, int i);         /* raises; never NULL */
td_tensor *td_lua_opt(lua_State *L, int i);           /* NULL for nil or none */
/* Pushes a tensor that something else owns; nil for NULL. */
void td_lua_push(lua_State *L, td_tensor *t);
/* Keeps y in the anchored box b, closes the scope and raises when y is NULL. */
int td_lua_finish(lua_State *L, td_tensor **b, td_tensor *y, int mark);
void td_lua_free_box(td_lua_boxed *b);
int td__lua_open_box(lua_State *L);    /* registers the metatable: on the stack */
int td__lua_scope(lua_State *L);       /* tide.scope */
int td__lua_unscoped(lua_State *L);    /* tide.unscoped */

td_dtype td_lua_dtype(lua_State *L, int i);
td_backend *td_lua_device(lua_State *L, int i);
/* A position (1-based, negative from the end) among n; returns it 0-based. */
int64_t td_lua_position(lua_State *L, int64_t v, int64_t n, const char *what);
/* The tensors of list i (one tensor, or a table) in a buffer on the stack. */
td_list td_lua_list(lua_State *L, int i);

/* ---- lua_error.c: the one way to raise ---- */
/* These start with the user's file and line and never return. */
int td_lua_raise(lua_State *L);        /* what the core says went wrong */
int td_lua_error(lua_State *L, const char *fmt, ...);
int td_lua_argerror(lua_State *L, int arg, const char *text);
int td_lua_typeerror(lua_State *L, int arg, const char *wanted);
void td_lua_where(lua_State *L);       /* pushes "file:line: " of the user */
/* Is table i made of options only: string keys, no list part? */
bool td_lua_is_options(lua_State *L, int i);
/* Raises for a key of table i that is not in names (ended by NULL). */
void td_lua_keys(lua_State *L, int i, const char *what,
                 const char *const *names);
/* Of the names (ended by NULL) the one most like key, or NULL. */
const char *td_lua_nearest(const char *key, const char *const *names);

/* ---- lua_gc.c: Lua's collector and the memory it cannot see ---- */
extern lua_State *td__lua_current;     /* runs an op now; NULL: unknown */
void td__lua_enter(lua_State *L);      /* before the core is called */
void td__lua_set_recording(lua_State *L, bool on);  /* of this coroutine */
void td__lua_gc(lua_State *L);         /* the same, and pays the collector's debt */
void td__lua_gc_open(lua_State *L);
bool td_lua_flag(lua_State *L, int opt, const char *name);  /* of table opt */

/* ---- lua_job.c: coroutines that run in slices ---- */
typedef struct td_lua_slice {
  lua_State *job;          /* coroutine of the job that runs; NULL: none does */
  double until;            /* td__lua_clock at which safe points yield */
  bool apart;              /* without an end: runs in the midst of what waits for it */
  bool through;            /* every coroutine between job and the one that runs
                           ** may be left */
  bool nested;             /* the program passes yields on through coroutines */
  bool leaving;            /* the job is being left: pass the yield on */
  bool cancel;             /* an error is to be raised in the job */
  bool used;               /* there has been a job */
  int shields;             /* open shield() calls: no interrupt, no yield */
  void (*watch)(lua_State *L, bool begins);   /* of the program, or NULL: L runs */
  void (*unshielded)(void);                   /* of the program, or NULL */
} td_lua_slice;
extern td_lua_slice td__lua_slice;
double td__lua_clock(void);            /* seconds, as tide.clock() */
bool td__lua_can_leave(lua_State *L);  /* may a yield in L end the slice? */
bool td__lua_is_job(lua_State *L);     /* the job's own coroutine, none inside */
void td__lua_arm_cancel(lua_State *L); /* raise it in L, at the next step */
/* Exchanges the list of the open tide.scope with the value on top, and their
** number with *count. */
void td__lua_scope_swap(lua_State *L, int *count);

/* ---- lua_screen.c: the live line of a terminal ---- */
void td_lua_screen_clear(lua_State *L);   /* when no bar is drawn any more */

/* ---- what the parts add to the tables; each finds its table on top ---- */
void td__lua_ops(lua_State *L);        /* lua_op.c: every op */
void td__lua_new(lua_State *L);        /* lua_new.c: constructors */
void td__lua_methods(lua_State *L);    /* lua_tensor.c */
void td__lua_autograd(lua_State *L);   /* lua_grad.c */
void td__lua_index(lua_State *L);      /* lua_index.c: metatable on top */
void td__lua_meta(lua_State *L);       /* lua_tensor.c: likewise */
void td__lua_tide(lua_State *L);       /* lua_tide.c: the module table */
void td__lua_grad_mode(lua_State *L);  /* lua_grad.c: likewise */
void td__lua_random(lua_State *L);     /* lua_random.c: likewise */

int td_lua_op(lua_State *L);           /* closure over a td_op: applies it */
int td__lua_op_list(lua_State *L);     /* tide.ops */
void td__lua_errors(lua_State *L);     /* tide.raise, tide.nearest */
void td__lua_locate(char *buf, size_t size);
/* Pushes the function that applies the op of that name. */
void td_lua_push_op(lua_State *L, const char *name, bool inplace);
int td_lua_to(lua_State *L);           /* x:to(...) */
int td_lua_tostring(lua_State *L);

/* What constructors use unless told otherwise. */
typedef struct td_lua_spec {
  td_dtype dtype;
  td_backend *be;
  td_rng *rng;             /* generator to draw from, or NULL */
  bool requires_grad;
} td_lua_spec;
extern td_dtype td__lua_dtype;
td_backend *td__lua_device_default(void);
void td__lua_device_set(td_backend *b);
td_rng *td_lua_generator(lua_State *L, int i);  /* raises */

/* ---- lua_tide.c: modules written in C or embedded as Lua ---- */
/* Makes require(name) open a module written in C.  Call it before the library
** is opened, e.g. from a function with attribute constructor. */
void td_lua_module(const char *name, lua_CFunction open);
/* Tells require where the embedded modules are, without loading anything. */
void td_lua_preload(lua_State *L);
int luaopen_tide(lua_State *L);
#endif
