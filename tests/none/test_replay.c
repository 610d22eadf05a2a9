/* test_replay.c -- a captured training step is replayed 100,000 times: no byte is asked of
** the system or handed to a tensor, and the process does not grow.  And an interrupt in
** the middle of one leaves it out or lets it end, whichever call it meets. */
#include "tests/test.h"
#include "nn/nn.h"
#include "tensor/capture.h"

/* ---- counting what is asked of the C library ---- */

#if defined __GLIBC__ && !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define COUNTED true
static long asked;
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t a, size_t b);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t a, size_t n);

static void *count(void *p) {
  __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
  return p;
}
void *malloc(size_t n) { return count(__libc_malloc(n)); }
void *calloc(size_t a, size_t b) { return count(__libc_calloc(a, b)); }
void *realloc(void *p, size_t n) { return count(__libc_realloc(p, n)); }
void *aligned_alloc(size_t a, size_t n) { return count(__libc_memalign(a, n)); }
int posix_memalign(void **p, size_t a, size_t n) {
  *p = count(__libc_memalign(a, n));
  return *p ? 0 : 12;
}
#else
#define COUNTED false
static long asked;
#endif

/* Pages that this process holds, 0 where the system does not say. */
static long resident(void) {
  long all, held = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f) return 0;
  if (fscanf(f, "%ld %ld", &all, &held) != 2) held = 0;
  fclose(f);
  return held;
}

/* ---- the step ---- */

typedef struct net {
  int64_t batch;
  td_tensor *w, *v, *mean[2], *square[2], *step, *rate;
} net;

static td_tensor *zeros(int64_t m, int64_t n) {
  return td_full(td_cpu(), TD_F32, 2, (int64_t[]){ m, n }, 0);
}

static net make(int64_t batch, int64_t width) {
  net a = { .batch = batch };
  a.w = td_normal(zeros(2, width), 0, 1), a.v = td_normal(zeros(width, 2), 0, 1);
  a.mean[0] = zeros(2, width), a.square[0] = zeros(2, width);
  a.mean[1] = zeros(width, 2), a.square[1] = zeros(width, 2);
  a.step = td_full(td_cpu(), TD_I64, 0, NULL, 0);
  a.rate = td_full(td_cpu(), TD_F64, 0, NULL, 1e-3);
  td_requires_grad(a.w, true);
  td_requires_grad(a.v, true);
  return a;
}

/* Draws points and noise, regresses one on the other, and takes a step of Adam. */
static td_status train(net *a) {
  td_tensor *x = td_normal(zeros(a->batch, 2), 0, 1);
  td_tensor *y = td_normal(zeros(a->batch, 2), 0, 1);
  td_tensor *out = td_matmul(td_silu(td_matmul(x, a->w)), a->v);
  td_tensor *loss = td_mean(td_square(td_sub(out, y)), TD_ALL, false);
  td_status st = td_backward(loss, NULL, 0);
  if (st) return st;
  td_tensor *p[2] = { a->w, a->v }, *g[2] = { td_gradient(a->w), td_gradient(a->v) };
  bool old = td_grad_enable(false);
  st = td_adam_((td_list){ 2, p }, (td_list){ 2, g }, (td_list){ 2, a->mean },
                (td_list){ 2, a->square }, a->step, a->rate, .9, .999, 1e-8, 0);
  td_grad_enable(old);
  td_set_gradient(a->w, NULL);
  td_set_gradient(a->v, NULL);
  return st;
}

static td_capture *record(net *a) {
  int mark = td_scope_open();
  td_capture *c = td_capture_begin(false);
  td_status st = c ? train(a) : td_error_code();
  td_scope_close(mark);
  if (c) td_capture_stop(c);
  if (!st && c) st = td_capture_finish(c);
  if (!st) return c;
  td_capture_free(c);
  return NULL;
}

static void check_replays(net a, int replays) {
  td_capture *c = record(&a);
  REQUIRE(c != NULL);
  for (int i = 0; i < 100; i++) CHECK(!td_capture_replay(c));   /* threads have started */
  int64_t handed_out = td_memory_stats(NULL).total;
  long pages = resident(), before = asked;
  td_status st = TD_OK;
  for (int i = 0; i < replays && !st; i++) st = td_capture_replay(c);
  CHECK(!st);
  before = asked - before;
  CHECK(td_memory_stats(NULL).total == handed_out);
  if (td_threads() == 1) {        /* others may wake late and touch their stacks then */
    if (COUNTED) CHECK_INT(before, 0);
    CHECK(resident() - pages < 64);
  }
  int64_t steps = 0;
  CHECK(!td_get(a.step, NULL, NULL, &steps));
  CHECK_INT(steps, replays + 101);
  td_capture_free(c);
}

TEST(a_small_step_100000_times) {
  td_nn_init();
  td_threads_set(1);
  check_replays(make(4, 8), 100000);
}

TEST(a_step_on_several_threads) {
  td_nn_init();
  td_threads_set(4);
  check_replays(make(512, 64), 300);
  td_threads_set(0);
}

/* ---- an interrupt in the middle ---- */

enum { STATE = 8 };

typedef struct averaged {      /* a net, and averages of its weights */
  net net;
  td_tensor *shadow[2], *decay;
} averaged;

static averaged make_averaged(void) {
  td_seed(3);
  averaged a = { .net = make(128, 64) };
  a.shadow[0] = zeros(2, 64), a.shadow[1] = zeros(64, 2);
  a.decay = td_full(td_cpu(), TD_F64, 0, NULL, .9);
  return a;
}

/* The averages follow Adam: changes of one step are made by calls of several stages. */
static td_capture *record_averaged(averaged *a) {
  int mark = td_scope_open();
  td_seed(5);
  td_capture *c = td_capture_begin(false);
  td_status st = c ? train(&a->net) : td_error_code();
  bool old = td_grad_enable(false);
  td_tensor *w[2] = { a->net.w, a->net.v };
  if (!st) st = td_ema_((td_list){ 2, a->shadow }, (td_list){ 2, w }, a->decay);
  td_grad_enable(old);
  td_scope_close(mark);
  if (c) td_capture_stop(c);
  if (!st && c) st = td_capture_finish(c);
  if (!st) return c;
  td_capture_free(c);
  return NULL;
}

/* What a step changes: copies of it all, one after the other. */
static char *state_of(const averaged *a, size_t *size) {
  const net *n = &a->net;
  td_tensor *all[STATE] = { n->w, n->v, n->mean[0], n->mean[1], n->square[0], n->square[1],
                            a->shadow[0], a->shadow[1] };
  size_t bytes = 0;
  for (int i = 0; i < STATE; i++) bytes += all[i]->buf->bytes;
  char *copy = malloc(bytes + sizeof(int64_t)), *at = copy;
  for (int i = 0; copy && i < STATE; i++) {
    memcpy(at, all[i]->data, all[i]->buf->bytes);
    at += all[i]->buf->bytes;
  }
  if (copy) memcpy(at, n->step->data, sizeof(int64_t));
  *size = bytes + sizeof(int64_t);
  return copy;
}

static td_kernel met;
static td_status interrupted(const td_call *c, td_tensor **out) {
  td_interrupt();
  return met(c, out);
}

/* Interrupts call i of a replay; true: the step was finished.  false: it was left out. */
static bool interrupt_call(int i) {
  averaged a = make_averaged(), twin = make_averaged();
  size_t size;
  td_capture *c = record_averaged(&a), *plain = record_averaged(&twin);
  if (!c || !plain) {
    FAIL("no step: %s", td_error());
    return false;
  }
  met = c->note[i].run;
  c->note[i].run = interrupted;
  char *before = state_of(&a, &size);
  td_seed(7);
  td_status st = td_capture_replay(c);
  CHECK(td_interrupt_flag);             /* it is not lost */
  td_interrupt_flag = 0;
  CHECK_INT(st, st ? TD_EINTR : TD_OK);
  td_seed(7);
  td_capture_replay(plain);
  char *after = state_of(&a, &size), *want = st ? before : state_of(&twin, &size);
  if (memcmp(after, want, size)) FAIL("interrupted in %s: half a step", c->note[i].call.op->name);
  if (want != before) free(want);
  free(before);
  free(after);
  td_capture_free(c);
  td_capture_free(plain);
  return !st;
}

static void interrupt_everywhere(int threads) {
  td_nn_init();
  td_threads_set(threads);
  int finished = 0, calls;
  averaged a = make_averaged();
  td_capture *c = record_averaged(&a);
  REQUIRE(c != NULL);
  calls = c->n;
  CHECK(c->nstage > 3);
  td_capture_free(c);
  for (int i = 0; i < calls; i++) {
    int mark = td_scope_open();
    finished += interrupt_call(i);
    td_scope_close(mark);
  }
  CHECK(finished > 0 && finished < calls);
  td_threads_set(0);
}
TEST(interrupt_on_one_thread) { interrupt_everywhere(1); }
TEST(interrupt_on_two_threads) { interrupt_everywhere(2); }
