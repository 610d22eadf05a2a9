/* plot_data.c -- messages, shared blocks, and the numbers and texts in them. */
#include "vm/plot.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ------------------------------------------------------------ */
static _Thread_local char message[512];

int td_plot_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return -1;
}

const char *td_plot_error(void) { return message; }

/* ---- blocks -------------------------------------------------------------- */
td_plot_blob *td_plot_blob_new(size_t bytes) {
  td_plot_blob *b = NULL;
  if (bytes < SIZE_MAX - sizeof *b) b = malloc(sizeof *b + (bytes ? bytes : 1));
  if (!b) {
    td_plot_fail("out of memory: a figure asked for %zu bytes", bytes);
    return NULL;
  }
  atomic_init(&b->refs, 1);
  b->capacity = bytes;
  b->coming = false;
  b->blocks = NULL;
  return b;
}

td_plot_blob *td_plot_blob_keep(td_plot_blob *b) {
  if (b) atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
  return b;
}

void td_plot_blob_drop(td_plot_blob *b) {
  if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
  free(b->blocks);
  free(b);
}

/* ---- data ---------------------------------------------------------------- */
int td_plot_data_numbers(td_plot_data *d, const double *v, int ndim,
                         const size_t *dim) {
  size_t n = 1;
  for (int k = 0; k < ndim; k++) n *= dim[k];
  td_plot_blob *b = td_plot_blob_new(n * sizeof *v);
  if (!b) return -1;
  if (n) memcpy(b->memory, v, n * sizeof *v);
  td_plot_data_drop(d);
  *d = (td_plot_data){.blob = b, .n = n, .ndim = ndim};
  for (int k = 0; k < ndim; k++) d->dim[k] = dim[k];
  return 0;
}

int td_plot_data_strings(td_plot_data *d, const char *bytes, size_t nbytes,
                         size_t count) {
  td_plot_blob *b = td_plot_blob_new(nbytes);
  if (!b) return -1;
  memcpy(b->memory, bytes, nbytes);
  td_plot_data_drop(d);
  *d = (td_plot_data){.blob = b, .n = nbytes, .ndim = 1, .dim = {count}};
  return 0;
}

void td_plot_data_drop(td_plot_data *d) {
  td_plot_blob_drop(d->blob);
  *d = (td_plot_data){.blob = NULL};
}

/* ---- extents ------------------------------------------------------------- */
#define BLOCK 1024 /* numbers */

struct td_plot_blocks {
  size_t n, room;  /* blocks that are known; that there is place for */
  size_t rising;   /* so many numbers never fall, or all of the n * BLOCK */
  td_plot_extent of[];
};

static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void widen(td_plot_extent *e, td_plot_extent f) {
  e->lo = f.lo < e->lo ? f.lo : e->lo;
  e->hi = f.hi > e->hi ? f.hi : e->hi;
  e->least = f.least < e->least ? f.least : e->least;
}

static void scan(td_plot_extent *e, const double *v, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double a = v[i];
    if (!(fabs(a) <= DBL_MAX)) continue;
    widen(e, (td_plot_extent){a, a, a > 0 ? a : INFINITY});
  }
}

static size_t rise(const double *v, size_t i, size_t n) {
  if (i == 0 && n && v[0] == v[0]) i = 1;
  while (i > 0 && i < n && v[i] >= v[i - 1]) i++;
  return i;
}

/* Under the lock: the blocks of the first n numbers, or NULL when out of memory. */
static const struct td_plot_blocks *blocks_of(td_plot_blob *b, size_t n) {
  struct td_plot_blocks *k = b->blocks;
  if (!k || k->room < n / BLOCK) {
    size_t room = b->capacity / sizeof(double) / BLOCK + 1;
    k = realloc(k, sizeof *k + room * sizeof *k->of);
    if (!k) return NULL;
    if (!b->blocks) k->n = k->rising = 0;
    k->room = room;
    b->blocks = k;
  }
  for (; k->n < n / BLOCK; k->n++) {
    k->of[k->n] = (td_plot_extent){INFINITY, -INFINITY, INFINITY};
    scan(&k->of[k->n], b->memory + k->n * BLOCK, BLOCK);
    if (k->rising == k->n * BLOCK)
      k->rising = rise(b->memory, k->rising, (k->n + 1) * BLOCK);
  }
  return k;
}

td_plot_extent td_plot_data_extent(const td_plot_data *d, size_t from, size_t to) {
  td_plot_extent e = {INFINITY, -INFINITY, INFINITY};
  const double *v = td_plot_numbers(d);
  size_t a = (from + BLOCK - 1) / BLOCK, z = to / BLOCK; /* whole blocks */
  if (to > d->n || from >= to) return e;
  if (a < z) {
    pthread_mutex_lock(&blocks_lock);
    const struct td_plot_blocks *k = blocks_of(d->blob, to);
    for (size_t i = a; k && i < z; i++) widen(&e, k->of[i]);
    pthread_mutex_unlock(&blocks_lock);
    if (!k) scan(&e, v + a * BLOCK, (z - a) * BLOCK);
    scan(&e, v + from, a * BLOCK - from);
    from = z * BLOCK;
  }
  scan(&e, v + from, to - from);
  return e;
}

bool td_plot_data_rises(const td_plot_data *d) {
  const double *v = td_plot_numbers(d);
  size_t i = 0;
  if (d->n >= BLOCK) {
    pthread_mutex_lock(&blocks_lock);
    const struct td_plot_blocks *k = blocks_of(d->blob, d->n);
    i = k ? k->rising : 0;
    pthread_mutex_unlock(&blocks_lock);
    if (i < d->n / BLOCK * BLOCK) return false;
  }
  return rise(v, i, d->n) >= d->n;
}

size_t td_plot_data_first(const td_plot_data *d, double v, bool more) {
  const double *x = td_plot_numbers(d);
  size_t a = 0, left = d->n;
  while (left > 0) {
    size_t half = left / 2;
    if (more ? x[a + half] <= v : x[a + half] < v) a += half + 1, left -= half + 1;
    else left = half;
  }
  return a;
}

const char *td_plot_text(const td_plot_data *d, size_t k) {
  if (!d->blob || k >= d->dim[0]) return NULL;
  const char *s = (const char *)d->blob->memory;
  while (k--) s += strlen(s) + 1;
  return s;
}

void td_plot_smooth(const double *y, size_t n, double beta, double *out) {
  double mean = 0, weight = 0;
  for (size_t i = 0; i < n; i++) {
    if (isfinite(y[i])) {
      mean = beta * mean + (1 - beta) * y[i];
      weight = beta * weight + (1 - beta);
    }
    out[i] = isfinite(y[i]) ? mean / weight : NAN;
  }
}

/* ---- markup -------------------------------------------------------------- */
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         c == '_' || (unsigned char)c >= 0x80;
}

/* Bytes of the UTF-8 letter at s. */
static size_t letter(const char *s) {
  size_t n = 1;
  while (((unsigned char)s[n] & 0xc0) == 0x80) n++;
  return n;
}

/* What stands after _ or ^ at s: {group}, digits, or one letter that ends a
** word. Gives its start and length and returns the end, or NULL: no script. */
static const char *script(const char *s, const char **start, size_t *n) {
  if (*s == '{') {
    const char *end = strchr(s, '}');
    *start = s + 1;
    *n = end ? (size_t)(end - s - 1) : 0;
    return end ? end + 1 : NULL;
  }
  size_t m = 0;
  if (is_digit(*s))
    while (is_digit(s[m])) m++;
  else if (is_word(*s) && *s != '_')
    m = letter(s);
  *start = s;
  *n = m;
  return m && !is_word(s[m]) ? s + m : NULL;
}

typedef struct writer {
  char *out;
  size_t used, size;
} writer;

static void put(writer *w, const char *s, size_t n) {
  if (w->used + n + 1 > w->size) return;
  memcpy(w->out + w->used, s, n);
  w->used += n;
  w->out[w->used] = 0;
}

static void put_escaped(writer *w, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const char *e = s[i] == '&' ? "&amp;" : s[i] == '<' ? "&lt;" :
                    s[i] == '>' ? "&gt;" : NULL;
    if (e) put(w, e, strlen(e));
    else put(w, s + i, 1);
  }
}

void td_plot_markup(const char *s, char *out, size_t size) {
  writer w = {out, 0, size > 16 ? size - 8 : 0}; /* room to close a tag */
  if (size) *out = 0;
  for (const char *first = s; *s;) {
    const char *start, *end;
    size_t n;
    if (*s == '\\' && (s[1] == '_' || s[1] == '^' || s[1] == '\\')) {
      put(&w, s + 1, 1);
      s += 2;
    } else if ((*s == '_' || *s == '^') && s > first &&
               (end = script(s + 1, &start, &n))) {
      put(&w, *s == '_' ? "<sub>" : "<sup>", 5);
      put_escaped(&w, start, n);
      w.size += 8;
      put(&w, *s == '_' ? "</sub>" : "</sup>", 6);
      w.size -= 8;
      s = end;
    } else {
      put_escaped(&w, s, 1);
      s++;
    }
  }
}
