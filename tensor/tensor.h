/* tensor.h -- the public API of the core: tensors, scopes, errors, gradients.
**
** Ownership: a function that makes a tensor returns it owned by the innermost
** open scope; td_keep adds an owner, td_drop removes one.  NULL means failure
** (see td_error) and a NULL argument yields NULL, so nested expressions need
** one check at the end.  Indices and dims are 0-based here; negative dims count
** from the end.  One thread uses the API at a time; kernels run on a pool. */
#ifndef TD_TENSOR_H
#define TD_TENSOR_H
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TD_VERSION "0.1.0"
#define TD_MAXDIM 8

/* ---- element types, in the order of promotion ---- */
#define TD_DTYPES(X) \
  X(BOOL, bool, 1) X(U8, u8, 1) X(I32, i32, 4) X(I64, i64, 8) \
  X(BF16, bf16, 2) X(F32, f32, 4) X(F64, f64, 8)
typedef enum td_dtype {
#define X(id, name, size) TD_##id,
  TD_DTYPES(X)
#undef X
  TD_DTYPE_COUNT
} td_dtype;
const char *td_dtype_name(td_dtype d);          /* "f32" */
bool td_dtype_parse(const char *s, td_dtype *d); /* also PyTorch's long names */
size_t td_dtype_size(td_dtype d);                /* bytes of one element */
static inline bool td_dtype_is_float(td_dtype d) { return d >= TD_BF16; }

/* ---- status codes ---- */
#define TD_STATUS(X) \
  X(OK, "no error") \
  X(ENOMEM, "out of memory") \
  X(ESHAPE, "shapes do not agree") \
  X(EARG, "bad argument") \
  X(EDTYPE, "wrong element type") \
  X(EDEVICE, "device failure") \
  X(ENOSUP, "not supported") \
  X(EGRAD, "gradient not available") \
  X(EIO, "file error") \
  X(EINTR, "interrupted")
typedef enum td_status {
#define X(name, text) TD_##name,
  TD_STATUS(X)
#undef X
} td_status;

/* The last failure on this thread: td_fail stores code and text and returns the
** code; td_fail_null does the same and returns NULL. */
td_status td_fail(td_status code, const char *fmt, ...)
  __attribute__((format(printf, 2, 3)));
void *td_fail_null(td_status code, const char *fmt, ...)
  __attribute__((format(printf, 2, 3)));
const char *td_error(void);          /* text of the last failure */
td_status td_error_code(void);       /* its code; TD_OK after td_error_clear */
void td_error_clear(void);

/* Set by a signal handler: running operations return TD_EINTR until it is 0. */
extern volatile sig_atomic_t td_interrupt_flag;
void td_interrupt(void);             /* sets it, now or when it may be set again */

typedef struct td_tensor td_tensor;
typedef struct td_backend td_backend;
typedef struct td_ints { int n; const int64_t *v; } td_ints; /* n < 0: default */
typedef struct td_list { int n; td_tensor **v; } td_list;
#define TD_INTS(...) ((td_ints){ \
  (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), \
  (int64_t[]){ __VA_ARGS__ } })
#define TD_ALL ((td_ints){ -1, NULL })
#define TD_LIST(...) ((td_list){ \
  (int)(sizeof((td_tensor *[]){ __VA_ARGS__ }) / sizeof(td_tensor *)), \
  (td_tensor *[]){ __VA_ARGS__ } })

/* ---- scopes own every tensor made since they were opened ---- */
int td_scope_open(void);
void td_scope_close(int mark);
td_tensor *td_keep(td_tensor *t);    /* one more owner; pair with td_drop */
void td_drop(td_tensor *t);          /* NULL is fine */
td_tensor *td_own(td_tensor *t);     /* give a kept tensor to the open scope */

/* ---- devices ---- */
td_backend *td_device(const char *name);  /* "cpu", "cuda", "cuda:1" */
td_backend *td_cpu(void);
const char *td_device_name(const td_backend *b);
int td_device_count(void);
td_backend *td_device_at(int i);
const char *td_device_describe(const td_backend *b);  /* one line for people */
td_backend *td_backend_load(const char *path); /* a plug-in; NULL and td_error */
const char *td_backend_note(void);        /* what was looked for and why not */
td_status td_device_sync(td_backend *b);

/* ---- making and looking at tensors ---- */
td_tensor *td_empty(td_backend *b, td_dtype dt, int ndim, const int64_t *shape);
td_tensor *td_empty_like(const td_tensor *t);   /* contiguous, same spec */
td_tensor *td_full(td_backend *b, td_dtype dt, int n, const int64_t *shape,
                   double v);
td_tensor *td_arange(td_backend *b, td_dtype dt, double start, double step,
                     int64_t n);
td_tensor *td_num(double v);         /* a number: takes the others' type, device */
td_tensor *td_int(int64_t v);        /* an integer number, likewise */
td_tensor *td_detach(td_tensor *t);  /* shares memory, not the graph */
td_tensor *td_to_device(td_tensor *t, td_backend *b);
td_tensor *td_contiguous(td_tensor *t);  /* itself when it is contiguous */

int td_ndim(const td_tensor *t);
const int64_t *td_shape(const td_tensor *t);
const int64_t *td_stride(const td_tensor *t);   /* in elements */
int64_t td_numel(const td_tensor *t);
td_dtype td_type(const td_tensor *t);
td_backend *td_device_of(const td_tensor *t);
bool td_is_contiguous(const td_tensor *t);
bool td_is_number(const td_tensor *t);          /* made by td_num or td_int */
uint64_t td_id(const td_tensor *t);
bool td_shares_memory(const td_tensor *a, const td_tensor *b);

/* Bulk access in row-major order, converting; the host side has numel items. */
td_status td_read_f64(td_tensor *t, double *dst);
td_status td_write_f64(td_tensor *t, const double *src);
td_status td_read_i64(td_tensor *t, int64_t *dst);
td_status td_read_bytes(td_tensor *t, void *dst);        /* raw, its own type */
td_status td_write_bytes(td_tensor *t, const void *src);
/* One element by index (ndim values): no temporaries on the CPU. */
td_status td_get(td_tensor *t, const int64_t *index, double *f, int64_t *i);
td_status td_set(td_tensor *t, const int64_t *index, double f);
td_status td_item(td_tensor *t, double *f, int64_t *i);  /* numel must be 1 */
void *td_data_cpu(td_tensor *t);     /* host pointer, or NULL and td_error */
/* Several lines of text for people; at most `edge` items from both ends of a
** long dim.  The caller frees it with free(). */
char *td_format(td_tensor *t, int edge);

/* ---- gradients ---- */
td_status td_requires_grad(td_tensor *t, bool on);
bool td_needs_grad(const td_tensor *t);   /* a leaf that requires, or has a node */
bool td_is_leaf(const td_tensor *t);
td_tensor *td_gradient(td_tensor *t);     /* .grad, or NULL (no error) */
td_status td_set_gradient(td_tensor *t, td_tensor *g);   /* NULL clears */
bool td_grad_enabled(void);
bool td_grad_enable(bool on);             /* returns what it was */
/* Products of f32 matrices take and give this type instead while it is bf16;
** gradients reach the f32 tensors.  Returns what it was (TD_F32: as they come). */
td_dtype td_autocast(td_dtype products);
/* Products of f32 on a GPU round their inputs to TF32, 10 bits of fraction; on the CPU
** nothing changes.  Returns what it was.  A captured step keeps what it was made with. */
bool td_tf32(bool on);
enum { TD_RETAIN_GRAPH = 1, TD_CREATE_GRAPH = 2 };
/* Accumulates into .grad of every leaf; gy NULL means 1 (y has one element). */
td_status td_backward(td_tensor *y, td_tensor *gy, unsigned flags);
/* Gradients of sum_k <y_k, gy_k> with respect to each x; gx[i] is NULL where
** nothing depends on x[i].  gy, or an entry of it, may be NULL: ones. */
td_status td_grad(int ny, td_tensor **y, td_tensor **gy,
                  int nx, td_tensor **x, td_tensor **gx, unsigned flags);
/* Names the place ("file:line") of the running script for messages. */
void td_set_locator(void (*locate)(char *buf, size_t size));

/* ---- random streams: Philox counters ---- */
typedef struct td_rng { uint64_t seed, offset; } td_rng;
void td_seed(uint64_t seed);              /* restarts the current stream */
td_rng *td_rng_current(void);
td_rng *td_rng_use(td_rng *r);            /* NULL: the default; returns the old */

/* ---- memory ---- */
typedef struct td_memory {
  int64_t live;                           /* bytes in tensors now */
  int64_t cached;                         /* bytes kept for reuse */
  int64_t peak;                           /* most bytes live so far */
  int64_t total;                          /* bytes ever handed out */
} td_memory;
td_memory td_memory_stats(const td_backend *b);   /* NULL: all devices */
int64_t td_live_tensors(void);
void td_memory_trim(void);                /* give cached memory back */
/* Called when memory runs out, before the one retry (e.g. collect garbage). */
void td_set_reclaim(void (*reclaim)(void));
/* The system allocator, replaceable before first use; defaults to the C one. */
typedef struct td_allocator {
  void *(*alloc)(size_t size);            /* 64-byte aligned, or NULL */
  void (*free)(void *p);
} td_allocator;
void td_set_allocator(td_allocator a);

/* ---- copies to the host that nobody waits for ---- */
typedef struct td_fetch td_fetch;
/* The values that t has behind the work so far, whatever changes it later. */
td_fetch *td_fetch_begin(td_tensor *t);
bool td_fetch_done(const td_fetch *f);    /* are they there?  (NULL: yes) */
/* A contiguous tensor on the CPU, owned by the scope; waits if they are not there yet.
** Ends f in any case. */
td_tensor *td_fetch_end(td_fetch *f);
void td_fetch_drop(td_fetch *f);          /* gives up without waiting */

/* ---- a step that is recorded once and replayed ---- */
typedef struct td_capture td_capture;
typedef struct td_capture_info {
  int calls;                              /* kernel calls in a replay */
  int stages;                             /* groups of calls that run together */
  int nodes;                              /* a device runs all as one graph of so
                                          ** many, or 0 */
  int waits;                              /* of its branches for each other */
  const char *why;                        /* it could have done so, but; or "" */
  size_t planned;                         /* bytes of short-lived tensors ... */
  size_t arena;                           /* ... which lie in so many, */
  size_t scratch;                         /* and in so many of each thread */
  size_t kept;                            /* bytes of results and constants */
} td_capture_info;
/* Everything computed from begin to finish belongs to the step.  What the step
** keeps beyond its end must be held by then, and all else dropped.  The stop of
** a failed step; finish stops too, and fails when the step cannot be replayed.
** Reading values on the host cannot be replayed: it fails, or with lenient it
** works and finish fails. */
td_capture *td_capture_begin(bool lenient);
void td_capture_stop(td_capture *c);
/* Switched on, what follows is not part of the step; returns what it was. */
bool td_capture_aside(bool on);
/* What was made aside is a constant of the step, the same at each replay. */
void td_capture_constant(td_tensor *t);
td_status td_capture_finish(td_capture *c);
/* Runs the step again on the tensors it used then: those from outside as they
** are now, with the next random numbers; results are overwritten. */
td_status td_capture_replay(td_capture *c);
/* For several replays in one launch of a device: how many make one, 0: none do, -1: failed.
** Up to `steps` are asked for.  Numbers (no dims, f32 or f64) are looked up for each replay;
** the results (contiguous) of each are kept in rows of stacks. */
int td_capture_run(td_capture *c, int64_t steps, td_list numbers, td_list results);
/* Says what the next replay looks up and in which row it keeps its results; the last of
** those that make a launch launches.  After td_capture_run, once for each. */
td_status td_capture_turn(td_capture *c, const double *value, td_list stacks, int64_t row);
td_capture_info td_capture_stats(const td_capture *c);
/* What its last replay as a graph took on the device; waits.  0: not known; launches are timed
** from the first question on. */
double td_capture_seconds(const td_capture *c);
/* Call i with its stage, "2 by rows: mm f32 (256,128), f32 (128,128) -> f32
** (256,128)"; NULL past the last. */
const char *td_capture_call(const td_capture *c, int i, char *buf, size_t n);
void td_capture_free(td_capture *c);
bool td_capturing(void);                  /* is a step being recorded? */

/* ---- threads of the CPU backend ---- */
void td_threads_set(int n);               /* 0: one per processor */
const char *td_blas_describe(void);       /* name and release of the BLAS */
int td_threads(void);

/* ---- one prototype per line of ops.def ---- */
#include "op_proto.h"
#endif
