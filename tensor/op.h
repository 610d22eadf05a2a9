/* op.h -- internal: what an op is, how one is applied, and what a backend must
** provide.  Included by the core, by nn/ for its fused ops, and by plug-ins. */
#ifndef TD_OP_H
#define TD_OP_H
#include "tensor.h"

#define TD_MAXARG 10       /* declared arguments of an op */
#define TD_MAXATTR 8       /* of which numbers */
#define TD_MAXOUT 3
#define TD_MAXBACKEND 4    /* kinds of backend: cpu and plug-ins */

/* ---- tensors ---- */
typedef struct td_buffer {
  int refs;
  int saved;               /* graph nodes that need its values */
  uint32_t version;        /* grows with every in-place change */
  size_t bytes;
  td_backend *be;
  void *mem;
  int slot;                /* 1 + its place in the capture that records, or 0 */
  struct td_buffer *next;  /* in the cache of freed ones */
  char *changed;           /* "add_ at file:line": last change of a saved one */
  struct td_map *map;      /* mem is of a mapped file (tensor/map.h), or NULL */
} td_buffer;

typedef struct td_node td_node;

/* `refs` counts owners of the struct, `holds` those that also need the data: a
** node that only wants the shape of an input keeps the struct, not the bytes. */
struct td_tensor {
  int refs, holds;
  uint8_t dtype, ndim;
  uint8_t number;          /* 0, or 1 integer, 2 float: made by td_int, td_num */
  bool requires_grad;      /* leaf asked for */
  bool is_view;            /* made by a view op */
  bool is_past;            /* stands for values that were overwritten */
  int out;                 /* which result of node */
  uint32_t version;        /* of buf when this handle was made or changed it */
  td_node *node;           /* how it was made; NULL for leaves */
  td_buffer *buf;          /* NULL for numbers and for released data */
  td_backend *be;          /* of buf, also when that is gone; NULL: numbers */
  char *data;              /* first element */
  int64_t shape[TD_MAXDIM], stride[TD_MAXDIM];   /* strides in elements */
  td_tensor *grad;         /* of a leaf; detached */
  uint32_t mark;           /* used by the reverse sweep */
  int slot;
  uint64_t id;
  union { double f; int64_t i; char b[8]; } num;   /* the value of a number */
};

typedef struct td_spec {   /* what a rule says of one result */
  td_dtype dtype;
  int ndim;
  int64_t shape[TD_MAXDIM];
} td_spec;

/* ---- one application of an op ---- */
typedef union td_attr { double f; int64_t i; } td_attr;
typedef struct td_op td_op;
typedef struct td_call {
  td_op *op;
  td_backend *be;          /* device of the results (set by td_apply) */
  int nin;                 /* tensors, lists flattened; a missing O is NULL */
  td_tensor **in;
  int nattr;               /* F, I, B, D, P, Y arguments in order */
  td_attr attr[TD_MAXATTR];
  int nlist;               /* the A or S argument; -1: default */
  int64_t list[TD_MAXDIM];
  td_rng rng;              /* piece of the stream, for TD_RANDOM ops */
} td_call;

/* What a gradient rule gets and fills: gin[i] for every i with want(b, i).
** Values it reads must be declared in td_rule.saves; shapes are always there. */
typedef struct td_back {
  const td_call *call;     /* in[] as they were, attributes */
  td_tensor **in;
  td_tensor **y;           /* results; values only where saved */
  td_tensor **g;           /* upstream gradients; NULL: nothing flows in */
  const bool *want;
  td_tensor **gin;
} td_back;

/* bits of td_rule.saves[i]: what the gradient of input i reads */
#define TD_IN(i) (1u << (i))
#define TD_OUT(k) (1u << (16 + (k)))
#define TD_SAVES 8

enum {                     /* td_rule.flags */
  TD_INPLACE = 1,          /* x:name_() may write into the first tensor */
  TD_FLOATS = 2,           /* integer tensors become f32 */
  TD_CONTIG = 4,           /* kernels see contiguous inputs only */
  TD_RANDOM = 8,           /* takes a piece of the random stream */
  TD_MIXED = 16,           /* tensor arguments keep their own types */
  TD_FLOATONLY = 32,       /* f32 or f64 (bf16 through f32), nothing else */
  TD_ELEMENTWISE = 64,     /* result i depends on elements i of the inputs */
  TD_ONCE = 128,           /* fused gradient: cannot be differentiated again */
  TD_INDEX0 = 256,         /* result 0 holds positions (1-based in Lua) */
  TD_INDEX1 = 512,         /* result 1 does */
  TD_ANYDEVICE = 1024,     /* further inputs may be on other devices */
  TD_BF16_OK = 2048,       /* kernels of all devices take bf16 themselves */
  TD_PRODUCT = 4096,       /* a product of matrices: td_autocast narrows it */
  TD_LINES = 8192,         /* kernels see inputs whose last dim lies in one piece */
};
typedef struct td_rule {
  td_status (*infer)(const td_call *c, td_spec *out);   /* K: checks, shapes */
  td_status (*view)(const td_call *c, td_tensor *out);  /* V: shape, stride, data */
  td_tensor *(*compose)(const td_call *c);              /* C1 */
  void (*vjp)(td_back *b);                              /* NULL: no gradient */
  const char *cases;       /* test inputs, see tests/device/test_ops.c */
  unsigned saves[TD_SAVES];            /* by wanted input (the last serves all further) */
  unsigned flags;
  double lo, hi;           /* domain of test values */
  unsigned writes;         /* U: bit k set: tensor argument k is changed */
  /* Is row i of the results (first dim) made of row i of some inputs and of the
  ** others as a whole?  Says which are cut.  NULL: as td_rows_each for
  ** elementwise ops, else no. */
  bool (*rows)(const td_call *c, td_tensor *const *out, bool *cut);
  /* How many counters of the random stream a call takes; NULL: those of a draw of
  ** the first result. */
  int64_t (*draws)(td_tensor *const *out);
} td_rule;

typedef struct td_arg {
  char kind;               /* first letter of the kind in ops.def */
  bool optional;
  double dflt;
  char name[16];
} td_arg;

typedef td_status (*td_kernel)(const td_call *c, td_tensor **out);
struct td_op {
  const char *name;
  const char *cls;         /* "K1", "V1", ... */
  const char *args;        /* "T x,A dim,B keepdim" */
  const char *doc;
  const td_rule *rule;
  /* filled in by td_ops_register */
  int nout;
  int narg;
  int ntensor;             /* tensor arguments, a list counted once */
  bool has_list;           /* an M argument */
  td_arg arg[TD_MAXARG];
  td_kernel kernel[TD_MAXBACKEND];
  bool bf16[TD_MAXBACKEND];            /* takes bf16 itself; others get f32 */
  td_op *next;             /* all ops, in order of registration */
};

/* Adds ops to the registry (called once for each list, before first use). */
void td_ops_register(td_op *ops, int n);
td_op *td_ops_first(void);
td_op *td_op_find(const char *name);
extern td_op td_ops[];               /* those of tensor/ops.def */
enum td_opid {
#define OP(cls, name, args, doc) TD_OP_##name,
#include "tensor/ops.def"
  TD_OP_COUNT
};
void td_core_init(void);             /* registry and CPU backend; idempotent */

/* Applies an op: promotes, checks, allocates, runs, records.  out gets
** op->nout tensors owned by the open scope.  With inplace the first tensor is
** overwritten and becomes out[0]. */
td_status td_apply(td_call *c, td_tensor **out, bool inplace);
td_tensor *td_apply1(td_call *c);            /* one result, or NULL */
td_tensor *td_apply_(td_op *op, td_tensor *x, int nattr, const double *attr);

/* ---- shared by rules ---- */
bool td_rows_each(const td_call *c, td_tensor *const *out, bool *cut);
bool td_rows_first(const td_call *c, td_tensor *const *out, bool *cut);
bool td_rows_product(const td_call *c, td_tensor *const *out, bool *cut);
bool td_rows_two(const td_call *c, td_tensor *const *out, bool *cut);
bool td_rows_dim(const td_call *c, td_tensor *const *out, bool *cut);
bool td_rows_reduce(const td_call *c, td_tensor *const *out, bool *cut);
td_tensor *td_sum_to(td_tensor *g, const td_tensor *like);
td_status td_infer_same(const td_call *c, td_spec *out);      /* as in[0] */
td_status td_infer_broadcast(const td_call *c, td_spec *out); /* all inputs */
td_status td_dim(const char *op, int64_t *d, int ndim);       /* wraps, checks */
/* Dims of a reduction as flags; also says how many elements are combined. */
td_status td_dims_mask(const td_call *c, bool *mask, int64_t *count);
td_tensor *td_zeros_like(const td_tensor *t);
td_tensor *td_ones_like(const td_tensor *t);
void td_spec_of(const td_tensor *t, td_spec *s);
const char *td_spec_text(const td_tensor *t, char *buf, size_t n); /* "f32 (2,3)" */
const char *td_shape_text(int ndim, const int64_t *shape, char *buf, size_t n);

/* ---- internals of the core ---- */
td_tensor *td__new_struct(void);             /* refs 1, nothing else; not in scope */
td_tensor *td__scoped(td_tensor *t);         /* hands it to the scope, or drops */
td_tensor *td__alias(td_tensor *t);          /* same data, no node, no grad */
td_buffer *td__buffer(td_backend *b, size_t bytes);
void td__buffer_drop(td_buffer *b);
void *td__small_alloc(size_t n);             /* structs, nodes: free lists */
void td__small_free(void *p, size_t n);
void td__struct_ref(td_tensor *t);           /* the struct without its data */
void td__struct_drop(td_tensor *t);
void td__node_drop(td_node *n);
td_status td__record(const td_call *c, td_tensor **out);
td_status td__mark_changed(td_tensor *t, const char *op);
void td__interrupt_hold(bool on);            /* Ctrl-C waits: for what must end */
void *td__scratch(size_t n);                 /* for kernels, on any thread; NULL */
void td__scratch_drop(void *p);
void *td__system_alloc(size_t n);            /* the replaceable allocator */
void td__system_free(void *p);
td_rng td__rng_take(int64_t counters);       /* 128-bit counters used up */
int64_t td__draws(const td_tensor *t);       /* how many a draw of t uses up */
int64_t td__draws_of(const td_op *op, td_tensor *const *out);   /* ... a call of op */

/* ---- backends ---- */
#define TD_BACKEND_ABI 3
typedef struct td_kernel_entry { const char *op; td_kernel run; } td_kernel_entry;

/* A call of a step that a device is to run as a graph.  The calls of a lane follow one
** another; of other lanes a call waits for those named.  The random position of a call
** counts from the one that its step is given. */
enum { TD_LANES = 3 };
typedef struct td_graph_call {
  const td_call *call;
  td_kernel run;
  td_tensor **out;
  int lane;
  int waits;               /* for so many calls of other lanes, */
  int wait[TD_LANES];      /* these, which come before it in the list */
  bool awaited;            /* by one of another lane */
} td_graph_call;
/* What a launch does: the calls, `steps` times over.  With turns, before each step the
** numbers (no dims, f32 or f64) take the values of that step, and after it the bytes of
** the results are copied to where that step is told. */
typedef struct td_graph_plan {
  const td_graph_call *call;
  int n, steps;
  bool turns;
  td_tensor **number, **result;
  int numbers, results;
} td_graph_plan;
typedef struct td_graph_turn { /* of one step */
  td_rng from;             /* where the random stream stands */
  const double *value;     /* of the numbers */
  char **into;             /* for the results */
} td_graph_turn;
typedef struct td_graph td_graph;

struct td_backend {
  int abi;
  const char *name;                    /* "cpu", "cuda", "cuda:1" */
  int slot;                            /* in td_op.kernel; set at registration */
  void *(*alloc)(td_backend *b, size_t n);       /* NULL: out of memory */
  void (*free)(td_backend *b, void *p, size_t n);
  td_status (*copy_in)(td_backend *b, void *dst, const void *src, size_t n);
  td_status (*copy_out)(td_backend *b, void *dst, const void *src, size_t n);
  td_status (*copy)(td_backend *b, void *dst, const void *src, size_t n);
  td_status (*sync)(td_backend *b);
  const char *(*describe)(td_backend *b);
  void (*trim)(td_backend *b);         /* give cached memory back; may be NULL */
  /* Copies to the host that nobody waits for; NULL: copy_out serves.  One holds what src
  ** has behind the work so far; src must stay as it is until the end, which waits for the
  ** copy, or gives it up where dst is NULL. */
  td_status (*fetch_begin)(td_backend *b, const void *src, size_t n, void **fetch);
  bool (*fetch_done)(td_backend *b, void *fetch);
  td_status (*fetch_end)(td_backend *b, void *fetch, void *dst);
  /* Seconds that kernels took between a call with NULL and the next, which waits; NULL: the
  ** host's clock serves. */
  td_status (*timer)(td_backend *b, double *seconds);
  /* Steps as one launch; NULL: calls are run one after the other.  A step that
  ** cannot be a graph is an error of graph_make.  A launch gets plan.steps turns. */
  td_status (*graph_make)(td_backend *b, const td_graph_plan *plan, td_graph **graph,
                          int *nodes);
  td_status (*graph_launch)(td_backend *b, td_graph *graph, const td_graph_turn *turn);
  double (*graph_seconds)(td_backend *b, td_graph *graph);   /* of its last launch; waits */
  void (*graph_free)(td_backend *b, td_graph *graph);
  const td_kernel_entry *const *kernels;   /* lists ended by {0}, list by NULL */
  const char *const *bf16;             /* ops whose kernels take it, beside those of
                                       ** TD_BF16_OK, to NULL; may be NULL */
  td_memory memory;                    /* kept by the core */
  void *self;
};
/* A plug-in exports this; host gives it what it needs of the program. */
typedef struct td_host {
  td_status (*fail)(td_status code, const char *fmt, ...);
  const bool *tf32;                    /* td_tf32, as it is now */
  td_status (*on_cpu)(const td_call *c, td_tensor **out);   /* td__on_cpu */
} td_host;
typedef int (*td_backend_init_fn)(int abi, const td_host *host,
                                  td_backend **list, int max);
td_status td__backend_add(td_backend *b);
/* For kernels of ops that are better done by the CPU: runs its kernel on copies there, and
** copies the results back. */
td_status td__on_cpu(const td_call *c, td_tensor **out);

/* CPU kernels: a file compiled per instruction set exports one table per copy;
** TD_CPU_TABLE declares the copies (absent ones are NULL), TD_CPU_PICK chooses
** the best this machine runs, td_cpu_add gives a list to the CPU backend. */
#define TD_CPU_TABLE(t) \
  extern const td_kernel_entry t##_base[] __attribute__((weak)); \
  extern const td_kernel_entry t##_v3[] __attribute__((weak)); \
  extern const td_kernel_entry t##_v4[] __attribute__((weak));
#define TD_CPU_PICK(t) td_cpu_pick(t##_base, t##_v3, t##_v4)
const td_kernel_entry *td_cpu_pick(const td_kernel_entry *base,
                                   const td_kernel_entry *v3,
                                   const td_kernel_entry *v4);
void td_cpu_add(const td_kernel_entry *list);
td_kernel td__kernel(td_op *op, td_backend *b);
extern bool td__tf32;                 /* see td_tf32 */
void td__backends_rebind(void);       /* after ops or kernels were added */

/* ---- for kernels ---- */
static inline int64_t td__numel(const td_tensor *t) {
  int64_t n = 1;
  for (int d = 0; d < t->ndim; d++) n *= t->shape[d];
  return n;
}
bool td__contiguous(const td_tensor *t);
#endif
