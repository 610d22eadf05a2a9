/* error.c -- the last failure of each thread, and the names of codes and types. */
#include "op.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

volatile sig_atomic_t td_interrupt_flag;
static volatile sig_atomic_t held, waiting;

void td_interrupt(void) {
  if (held) waiting = 1;
  else td_interrupt_flag = 1;
}

void td__interrupt_hold(bool on) {
  held = on;
  if (on || !waiting) return;
  waiting = 0;
  td_interrupt_flag = 1;
}

static _Thread_local struct {
  td_status code;
  char text[512];
} last;

static void store(td_status code, const char *fmt, va_list ap) {
  last.code = code;
  vsnprintf(last.text, sizeof last.text, fmt, ap);
}

td_status td_fail(td_status code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  store(code, fmt, ap);
  va_end(ap);
  return code;
}

void *td_fail_null(td_status code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  store(code, fmt, ap);
  va_end(ap);
  return NULL;
}

const char *td_error(void) {
  static const char *const names[] = {
#define X(name, text) text,
    TD_STATUS(X)
#undef X
  };
  return last.text[0] ? last.text : names[last.code];
}

td_status td_error_code(void) { return last.code; }

void td_error_clear(void) {
  last.code = TD_OK;
  last.text[0] = 0;
}

/* ---- element types ---- */

static const struct { const char *name; size_t size; } types[] = {
#define X(id, name, size) { #name, size },
  TD_DTYPES(X)
#undef X
};

const char *td_dtype_name(td_dtype d) { return types[d].name; }
size_t td_dtype_size(td_dtype d) { return types[d].size; }

bool td_dtype_parse(const char *s, td_dtype *d) {
  static const struct { const char *name; td_dtype d; } others[] = {
    { "float", TD_F32 }, { "float32", TD_F32 }, { "double", TD_F64 },
    { "float64", TD_F64 }, { "bfloat16", TD_BF16 }, { "long", TD_I64 },
    { "int64", TD_I64 }, { "int", TD_I32 }, { "int32", TD_I32 },
    { "uint8", TD_U8 }, { "byte", TD_U8 },
  };
  for (int i = 0; i < TD_DTYPE_COUNT; i++)
    if (!strcmp(s, types[i].name)) return *d = (td_dtype)i, true;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (!strcmp(s, others[i].name)) return *d = others[i].d, true;
  return false;
}

/* ---- shapes as text ---- */

const char *td_shape_text(int ndim, const int64_t *shape, char *buf, size_t n) {
  size_t at = (size_t)snprintf(buf, n, "(");
  for (int d = 0; d < ndim && at < n; d++)
    at += (size_t)snprintf(buf + at, n - at, d ? ",%lld" : "%lld",
                           (long long)shape[d]);
  if (at < n) snprintf(buf + at, n - at, ")");
  return buf;
}

const char *td_spec_text(const td_tensor *t, char *buf, size_t n) {
  char shape[128];
  snprintf(buf, n, "%s %s", types[t->dtype].name,
           td_shape_text(t->ndim, t->shape, shape, sizeof shape));
  return buf;
}
