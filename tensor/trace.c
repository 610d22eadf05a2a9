/* trace.c -- counts what ops cost, and finds the first value that is not finite. */
#include "trace.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLACES = 1 << 12, ROWS = 1 << 14 };   /* slots of the two hash tables */

bool td__tracing;
static bool profiling;
static int nan_level;

static void update_switch(void) { td__tracing = profiling || nan_level; }

/* ---- places ---- */

static char *places[PLACES];          /* slot 0 stays empty */
static int place_count;

static uint64_t mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9E3779B97F4A7C15u;
  return h ^ h >> 29;
}

static int intern(const char *name) {
  uint64_t h = 1;
  for (const char *p = name; *p; p++) h = mix(h, (unsigned char)*p);
  for (int i = (int)(h % (PLACES - 1)) + 1; ; i = i % (PLACES - 1) + 1) {
    if (places[i] && strcmp(places[i], name) == 0) return i;
    if (places[i]) continue;
    if (place_count > PLACES / 2 || !(places[i] = strdup(name))) return 0;
    place_count++;
    return i;
  }
}

const char *td_trace_place(int place) {
  return place > 0 && places[place] ? places[place] : "?";
}

/* ---- where we are ---- */

static struct {
  int depth;                          /* ops within ops */
  int place;                          /* of the outermost */
  const td_op *of;                    /* the sweep is at a node of this op, */
  int of_place;                       /* recorded there */
  td_backend *timing;                 /* device that times the running one, or NULL */
  double child_seconds;               /* of ops that the running one called */
  int64_t child_bytes;
} now;

static int locate(void) {
  char text[160] = "";
  td__locate(text, sizeof text);
  return text[0] ? intern(text) : 0;
}

int td__trace_here(void) { return now.depth ? now.place : locate(); }

void td__trace_gradient(const td_op *op, int place) {
  now.of = op;
  now.of_place = place;
}

/* ---- the profile ---- */

static td_trace_row *rows;            /* as they came */
static int row_count;
static int *slots;                    /* hash table: 1 + index of the row */

td_status td_trace_profile(bool on) {
  if (on) {
    if (!rows) rows = malloc(sizeof *rows * (ROWS / 2 + 1));
    if (!slots) slots = malloc(sizeof *slots * ROWS);
    if (!rows || !slots) return td_fail(TD_ENOMEM, "out of memory for a profile");
    memset(slots, 0, sizeof *slots * ROWS);
    row_count = 0;
  }
  profiling = on;
  update_switch();
  return TD_OK;
}

bool td_trace_profiling(void) { return profiling; }

int td_trace_rows(const td_trace_row **list) {
  *list = rows;
  return row_count;
}

/* The row of an op at a place.  When there are too many, further ones share the
** last. */
static td_trace_row *row_of(const td_op *op, bool inplace, int place,
                            const td_op *of) {
  uint64_t h = mix(mix(mix((uint64_t)inplace, (uintptr_t)op), (uintptr_t)of),
                   (uint64_t)place);
  for (unsigned i = h % ROWS; ; i = (i + 1) % ROWS) {
    td_trace_row *r = &rows[slots[i] - 1];
    if (!slots[i]) {
      if (row_count == ROWS / 2) return &rows[row_count - 1];
      rows[row_count] = (td_trace_row){ .op = op, .inplace = inplace,
                                        .place = place, .of = of };
      slots[i] = ++row_count;
      return &rows[row_count - 1];
    }
    if (r->op == op && r->inplace == inplace && r->place == place && r->of == of)
      return r;
  }
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- values that are not finite ---- */

static bool is_bad(td_dtype type, const char *p, bool infinite) {
  double v = 0;
  float f;
  if (type == TD_F64) {
    memcpy(&v, p, sizeof v);
  } else {
    uint32_t bits = 0;
    if (type == TD_F32) {
      memcpy(&bits, p, sizeof bits);
    } else {                              /* bf16: the upper half */
      uint16_t half;
      memcpy(&half, p, sizeof half);
      bits = (uint32_t)half << 16;
    }
    memcpy(&f, &bits, sizeof f);
    v = f;
  }
  return infinite ? isinf(v) : isnan(v);
}

/* On the CPU, also in the rows of a captured step. */
static int64_t count_here(const td_tensor *t, bool infinite) {
  int64_t n = td__numel(t), bad = 0, at[TD_MAXDIM] = { 0 };
  size_t size = td_dtype_size((td_dtype)t->dtype);
  const char *p = t->data;
  for (int64_t i = 0; i < n; i++) {
    bad += is_bad((td_dtype)t->dtype, p, infinite);
    for (int d = t->ndim - 1; d >= 0; d--) {
      p += t->stride[d] * (int64_t)size;
      if (++at[d] < t->shape[d]) break;
      p -= at[d] * t->stride[d] * (int64_t)size;
      at[d] = 0;
    }
  }
  return bad;
}

/* How many there are in t; elsewhere by ops that are not traced themselves. */
static int64_t count_bad(td_tensor *t, bool infinite) {
  double f = 0;
  int64_t i = 0;
  if (!t || t->number || !t->data || !td_dtype_is_float(td_type(t))) return 0;
  if (t->be == td_cpu()) return count_here(t, infinite);
  bool grad = td_grad_enable(false);
  td__tracing = false;
  int mark = td_scope_open();
  td_tensor *bad = infinite ? td_isinf(t) : td_isnan(t);
  if (td_item(td_sum(td_cast(bad, TD_I64), TD_ALL, false), &f, &i)) {
    td_error_clear();
    i = 0;
  }
  td_scope_close(mark);
  td_grad_enable(grad);
  update_switch();
  return i;
}

static int64_t all_bad(td_tensor *t) {
  return count_bad(t, false) + (nan_level > 1 ? count_bad(t, true) : 0);
}

static void append(char *buf, size_t size, const char *fmt, ...)
  __attribute__((format(printf, 3, 4)));
static void append(char *buf, size_t size, const char *fmt, ...) {
  size_t n = strlen(buf);
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(buf + n, size - n, fmt, ap);
  va_end(ap);
}

static td_status complain(const td_call *c, td_tensor *y, bool inplace) {
  char text[768] = "", shape[160];
  int64_t n = td__numel(y), nans = count_bad(y, false);
  int64_t infs = nan_level > 1 ? count_bad(y, true) : 0;
  append(text, sizeof text, "%s has ", td_spec_text(y, shape, sizeof shape));
  if (nans) append(text, sizeof text, "%lld NaN", (long long)nans);
  if (infs) append(text, sizeof text, "%s%lld infinite", nans ? " and " : "",
                   (long long)infs);
  append(text, sizeof text, " of %lld values", (long long)n);
  if (now.of)
    append(text, sizeof text, ", in the gradient of %s at %s", now.of->name,
           td_trace_place(now.of_place));
  const char *before = "; arguments: ";
  for (int i = 0; i < c->nin && i < 6; i++) {
    td_tensor *t = c->in[i];
    if (!t || t->number) continue;
    append(text, sizeof text, "%s%s%s", before,
           td_spec_text(t, shape, sizeof shape),
           (i || !inplace) && t != y && all_bad(t) ? " (had some already)" : "");
    before = ", ";
  }
  if (c->nin > 6) append(text, sizeof text, ", ...");
  bool update = c->op->cls[0] == 'U';
  return td_fail(TD_EARG, "debug.nan: %s%s: %s %s", c->op->name,
                 inplace ? "_" : "", update ? "a tensor after the update" :
                 "the result", text);
}

static td_status check(const td_call *c, td_tensor **out, bool inplace) {
  char kind = c->op->cls[0];
  if (kind == 'V' || kind == 'C') return TD_OK;
  if (kind == 'U') {
    for (int i = 0; i < c->nin; i++)
      if (all_bad(c->in[i])) return complain(c, c->in[i], inplace);
    return TD_OK;
  }
  for (int k = 0; k < c->op->nout; k++)
    if (all_bad(out[k])) return complain(c, out[k], inplace);
  return TD_OK;
}

void td_trace_nan(int level) {
  nan_level = level;
  update_switch();
}
int td_trace_nan_level(void) { return nan_level; }

/* ---- one op ---- */

static int64_t bytes_handed_out(void) {
  return td_memory_stats(NULL).total;
}

/* What an op costs on a device is known when it is over. */
static td_status settle(const td_call *c) {
  return profiling && c->be && c->be != td_cpu() ? td_device_sync(c->be) : TD_OK;
}

/* The device that can say itself what a kernel takes there, or NULL. */
static td_backend *timer_of(const td_call *c) {
  if (!profiling || c->op->cls[0] == 'V' || c->op->cls[0] == 'C') return NULL;
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] && c->in[i]->be && c->in[i]->be->timer) return c->in[i]->be;
  return NULL;
}

td_status td__trace_apply(td_call *c, td_tensor **out, bool inplace,
                          td_status (*apply)(td_call *, td_tensor **, bool)) {
  double outer_seconds = now.child_seconds;
  int64_t outer_bytes = now.child_bytes;
  if (now.depth == 0) now.place = now.of ? now.of_place : locate();
  int place = now.place;
  now.child_seconds = 0;
  now.child_bytes = 0;
  now.depth++;
  int64_t bytes = bytes_handed_out();
  double spent = seconds(), there = 0;
  td_backend *outer = now.timing, *timer = timer_of(c);
  now.timing = timer;
  td_status st = timer ? timer->timer(timer, NULL) : TD_OK;
  c->be = NULL;                /* composed ops and views have none */
  if (!st) st = apply(c, out, inplace);
  if (!st) st = timer ? timer->timer(timer, &there) : settle(c);
  now.timing = outer;
  if (!st && outer) st = outer->timer(outer, NULL);    /* its own kernel comes after this one */
  spent = seconds() - spent;
  bytes = bytes_handed_out() - bytes;
  if (profiling) {
    td_trace_row *r = row_of(c->op, inplace, place, now.of);
    r->calls++;
    r->seconds += timer ? there : spent - now.child_seconds;
    r->bytes += bytes - now.child_bytes;
  }
  if (!st && nan_level) st = check(c, out, inplace);
  now.depth--;
  now.child_seconds = outer_seconds + spent;
  now.child_bytes = outer_bytes + bytes;
  return st;
}

td_status td__trace_note(const td_call *c, td_tensor **out, int place, td_kernel run) {
  double spent = seconds(), there = 0;
  td_backend *timer = profiling ? c->be : NULL;
  if (timer && !timer->timer) timer = NULL;
  td_status st = timer ? timer->timer(timer, NULL) : TD_OK;
  if (!st) st = run(c, out);
  if (!st) st = timer ? timer->timer(timer, &there) : settle(c);
  if (st) return st;
  if (profiling) {
    td_trace_row *r = row_of(c->op, false, place, NULL);
    r->calls++;
    r->seconds += timer ? there : seconds() - spent;
  }
  return nan_level ? check(c, out, false) : TD_OK;
}
