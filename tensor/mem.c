/* mem.c -- who owns what: scopes, small blocks, buffers and their cache.
**
** Small blocks (tensor structs, graph nodes) come from free lists by size.
** Buffers come from their backend through a cache of freed ones: sizes are
** rounded to a class (four per power of two), each class has a list, and the
** cache is emptied when memory runs out or grows past what is in use. */
#include "map.h"
#include "capture.h"
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 64

static void *system_alloc(size_t n) {
  void *p = NULL;
  return posix_memalign(&p, ALIGN, n ? n : ALIGN) ? NULL : p;
}
static td_allocator allocator = { system_alloc, free };
static void (*reclaim)(void);
static bool reclaiming;

void td_set_allocator(td_allocator a) { allocator = a; }
void td_set_reclaim(void (*f)(void)) { reclaim = f; }
void *td__system_alloc(size_t n) { return allocator.alloc(n); }
void td__system_free(void *p) { allocator.free(p); }

/* Lets the program free what it can, once; false when that is under way. */
static bool make_room(void) {
  if (reclaiming) return false;
  reclaiming = true;
  td_memory_trim();
  if (reclaim) reclaim();
  td_memory_trim();
  reclaiming = false;
  return true;
}

/* ---- small blocks ---- */

#define SMALL_STEP 64
#define SMALL_MAX 1024
typedef struct small { struct small *next; } small;
static _Thread_local small *small_free[SMALL_MAX / SMALL_STEP + 1];

void *td__small_alloc(size_t n) {
  size_t c = (n + SMALL_STEP - 1) / SMALL_STEP;
  void *p;
  if (n <= SMALL_MAX && small_free[c]) {
    p = small_free[c];
    small_free[c] = small_free[c]->next;
    return p;
  }
  p = allocator.alloc(n <= SMALL_MAX ? c * SMALL_STEP : n);
  if (!p && make_room())
    p = allocator.alloc(n <= SMALL_MAX ? c * SMALL_STEP : n);
  if (!p) td_fail(TD_ENOMEM, "out of memory for %zu bytes of bookkeeping", n);
  return p;
}

void td__small_free(void *p, size_t n) {
  if (!p) return;
  if (n > SMALL_MAX) { allocator.free(p); return; }
  size_t c = (n + SMALL_STEP - 1) / SMALL_STEP;
  ((small *)p)->next = small_free[c];
  small_free[c] = p;
}

static void small_trim(void) {
  for (size_t c = 0; c <= SMALL_MAX / SMALL_STEP; c++)
    while (small_free[c]) {
      small *p = small_free[c];
      small_free[c] = p->next;
      allocator.free(p);
    }
}

/* ---- what a thread keeps until it ends ---- */

static void scratch_forget(void);
static void scope_forget(void);
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

static void thread_ends(void *mark) {
  (void)mark;
  scratch_forget();
  scope_forget();
  small_trim();
}
static void thread_start(void) { pthread_key_create(&thread_key, thread_ends); }
/* From now on this thread has something to give back. */
static void thread_keeps(void) {
  pthread_once(&thread_once, thread_start);
  pthread_setspecific(thread_key, &thread_key);
}

/* ---- scratch memory of kernels ---- */

/* Kernels run on any thread and often, so each thread keeps its last blocks. */
#define SCRATCH_KEPT 6
typedef struct scratch {
  struct scratch *next;
  size_t size;
  _Alignas(ALIGN) char mem[];
} scratch;
static _Thread_local struct { scratch *list; int n; } spare;

static void scratch_forget(void) {
  for (scratch *s = spare.list, *next; s; s = next) {
    next = s->next;
    allocator.free(s);
  }
  spare.list = NULL;
  spare.n = 0;
}

void *td__scratch(size_t n) {
  scratch **best = NULL;
  for (scratch **p = &spare.list; *p; p = &(*p)->next)
    if ((*p)->size >= n && (!best || (*p)->size < (*best)->size)) best = p;
  scratch *s = best ? *best : NULL;
  if (s) {
    *best = s->next;
    spare.n--;
    return s->mem;
  }
  s = allocator.alloc(sizeof *s + n);
  if (!s)
    return td_fail_null(TD_ENOMEM, "out of memory for %zu bytes of scratch", n);
  s->size = n;
  return s->mem;
}

/* The oldest of too many goes. */
void td__scratch_drop(void *p) {
  if (!p) return;
  scratch *s = (scratch *)((char *)p - offsetof(scratch, mem));
  s->next = spare.list;
  spare.list = s;
  if (++spare.n > SCRATCH_KEPT) {
    scratch **last = &spare.list;
    while ((*last)->next) last = &(*last)->next;
    allocator.free(*last);
    *last = NULL;
    spare.n--;
  }
  if (spare.n == 1) thread_keeps();
}

/* ---- scopes ---- */

static _Thread_local struct { td_tensor **v; int n, cap; } scope;

static void scope_forget(void) {
  free(scope.v);
  scope.v = NULL;
  scope.n = scope.cap = 0;
}

int td_scope_open(void) { return scope.n; }
void td_scope_close(int mark) {
  while (scope.n > mark) td_drop(scope.v[--scope.n]);
  if (!scope.n && scope.cap > 4096) scope_forget();     /* a rare large one */
}

td_tensor *td__scoped(td_tensor *t) {
  if (!t) return NULL;
  if (scope.n == scope.cap) {
    int cap = scope.cap ? scope.cap * 2 : 64;
    td_tensor **v = realloc(scope.v, (size_t)cap * sizeof *v);
    if (!v) {
      td_drop(t);
      return td_fail_null(TD_ENOMEM, "out of memory for a scope of %d", cap);
    }
    if (!scope.v) thread_keeps();
    scope.v = v;
    scope.cap = cap;
  }
  return scope.v[scope.n++] = t;
}
td_tensor *td_own(td_tensor *t) { return td__scoped(t); }

/* ---- buffers ---- */

#define CLASSES 192                  /* 4 per power of two, from 64 bytes */
#define CACHE_FLOOR (64 << 20)       /* always worth keeping */
typedef struct cache { td_backend *be; td_buffer *list[CLASSES]; } cache;
static cache caches[16];
static int64_t live_tensors;

/* The class that holds n bytes, and its true size, which is in that class. */
static int size_class(size_t n, size_t *size) {
  n = (n + ALIGN - 1) / ALIGN * ALIGN;
  if (n <= ALIGN) { *size = ALIGN; return 0; }
  int log = 63 - __builtin_clzll(n - 1);      /* 2^log < n <= 2^(log+1) */
  size_t base = (size_t)1 << log, step = base / 4;
  size_t k = (n - base + step - 1) / step;    /* 1..4 */
  *size = base + k * step;
  return (log - 6) * 4 + (int)k;
}

static cache *cache_of(td_backend *b) {
  cache *c = caches;
  while (c->be && c->be != b) c++;
  c->be = b;
  return c;
}

static void cache_trim(cache *c) {
  for (int k = 0; k < CLASSES; k++)
    while (c->list[k]) {
      td_buffer *b = c->list[k];
      c->list[k] = b->next;
      c->be->free(c->be, b->mem, b->bytes);
      td__small_free(b, sizeof *b);
    }
  c->be->memory.cached = 0;
  if (c->be->trim) c->be->trim(c->be);
}

void td_memory_trim(void) {
  for (cache *c = caches; c->be; c++) cache_trim(c);
  small_trim();
}

static void *out_of_memory(td_backend *b, size_t n) {
  td_memory *m = &b->memory;
  return td_fail_null(TD_ENOMEM,
    "out of memory on %s: %.1f MB asked, %.1f MB held by tensors; free some "
    "(t:free(), collectgarbage()) or use a smaller batch", b->name,
    (double)n / 1e6, (double)m->live / 1e6);
}

static td_buffer *buffer_new(td_backend *b, size_t size) {
  td_buffer *buf = td__small_alloc(sizeof *buf);
  if (!buf) return NULL;
  void *mem = b->alloc(b, size);
  if (!mem && make_room()) mem = b->alloc(b, size);
  if (mem) {
    buf->mem = mem;
    return buf;
  }
  td__small_free(buf, sizeof *buf);
  return out_of_memory(b, size);
}

td_buffer *td__buffer(td_backend *b, size_t bytes) {
  td_memory *m = &b->memory;
  size_t size;
  if (bytes > (size_t)1 << 52) return out_of_memory(b, bytes);
  td_buffer **list = &cache_of(b)->list[size_class(bytes, &size)];
  td_buffer *buf = *list;
  if (buf) {
    *list = buf->next;
    m->cached -= (int64_t)size;
  } else if (!(buf = buffer_new(b, size))) {
    return NULL;
  }
  *buf = (td_buffer){ .refs = 1, .bytes = size, .be = b, .mem = buf->mem };
  m->live += (int64_t)size;
  m->total += (int64_t)size;
  if (m->live > m->peak) m->peak = m->live;
  if (td__recording) td__capture_born(buf);
  return buf;
}

void td__buffer_drop(td_buffer *b) {
  if (!b || --b->refs) return;
  if (td__watching) td__capture_gone(b);
  td_memory *m = &b->be->memory;
  free(b->changed);
  if (b->map) {            /* the system's memory, not ours */
    td__map_drop(b->map);
    td__small_free(b, sizeof *b);
    return;
  }
  m->live -= (int64_t)b->bytes;
  int64_t keep = m->live > CACHE_FLOOR ? m->live : CACHE_FLOOR;
  if (m->cached + (int64_t)b->bytes <= keep) {
    size_t size;
    td_buffer **list = &cache_of(b->be)->list[size_class(b->bytes, &size)];
    b->next = *list;
    *list = b;
    m->cached += (int64_t)b->bytes;
  } else {
    b->be->free(b->be, b->mem, b->bytes);
    td__small_free(b, sizeof *b);
  }
}

td_memory td_memory_stats(const td_backend *b) {
  td_memory sum = { 0 };
  for (int i = 0; i < td_device_count(); i++) {
    td_backend *d = td_device_at(i);
    if (b && d != b) continue;
    sum.live += d->memory.live;
    sum.cached += d->memory.cached;
    sum.peak += d->memory.peak;
    sum.total += d->memory.total;
  }
  return sum;
}

/* ---- tensor structs ---- */

td_tensor *td__new_struct(void) {
  static uint64_t next;
  td_tensor *t = td__small_alloc(sizeof *t);
  if (!t) return NULL;
  memset(t, 0, sizeof *t);
  t->refs = t->holds = 1;
  t->id = ++next;
  live_tensors++;
  return t;
}

int64_t td_live_tensors(void) { return live_tensors; }

td_tensor *td_keep(td_tensor *t) {
  if (t) { t->refs++; t->holds++; }
  return t;
}

void td__struct_ref(td_tensor *t) { t->refs++; }

void td__struct_drop(td_tensor *t) {
  if (!t || --t->refs) return;
  td_drop(t->grad);
  live_tensors--;
  td__small_free(t, sizeof *t);
}

void td_drop(td_tensor *t) {
  if (!t) return;
  if (!--t->holds) {
    td_node *node = t->node;
    td__buffer_drop(t->buf);
    t->buf = NULL;
    t->data = NULL;
    t->node = NULL;
    td__node_drop(node);
  }
  td__struct_drop(t);
}
