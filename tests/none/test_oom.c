/* test_oom.c -- every allocation of a script fails once: nothing may leak or
** crash, the failure must be reported, and everything must work afterwards. */
#include "tests/test.h"
#include "tests/fault.h"
#include "tensor/op.h"
#include "nn/nn.h"

/* ---- failing allocations ---- */

#if TEST_EVERY
#define COVERS "every allocation"
static void install(void) { }

#else
/* Under a sanitizer: the library's replaceable allocator. */
#define COVERS "every tensor and node"
static void *failing_alloc(size_t n) {
  void *p = NULL;
  if (fails() || posix_memalign(&p, 64, n ? n : 64)) return NULL;
  blocks++;
  return p;
}
static void counted_free(void *p) {
  blocks -= p != NULL;
  free(p);
}
static void install(void) {
  td_set_allocator((td_allocator){ failing_alloc, counted_free });
}
#endif

/* ---- scripts ---- */

#define TRY(x) do { if (!(x)) return td_error_code(); } while (0)
#define OK(x) do { td_status st_ = (x); if (st_) return st_; } while (0)

static td_tensor *given(int n, const int64_t *shape) {
  double v[64];
  for (int i = 0; i < 64; i++) v[i] = .1 + .05 * i;
  td_tensor *t = td_empty(td_cpu(), TD_F64, n, shape);
  return td_write_f64(t, v) ? NULL : td_cast(t, TD_F32);
}
#define GIVEN(...) given((int)(sizeof((int64_t[]){ __VA_ARGS__ }) / 8), \
                         (int64_t[]){ __VA_ARGS__ })

static td_status in_place(const char *op, td_tensor *x, td_tensor *y) {
  td_tensor *in[2] = { x, y }, *out[TD_MAXOUT];
  td_call c = { .op = td_op_find(op), .nin = y ? 2 : 1, .in = in, .nlist = -1 };
  return td_apply(&c, out, true);
}

/* A network, its loss, backward, and one step with momentum. */
static td_status training(void) {
  td_tensor *x = GIVEN(4, 3), *w = GIVEN(3, 5), *v = GIVEN(5, 2);
  td_tensor *m = td_full(td_cpu(), TD_F32, 2, (int64_t[]){ 3, 5 }, 0);
  OK(td_requires_grad(w, true));
  OK(td_requires_grad(v, true));
  for (int step = 0; step < 2; step++) {
    td_tensor *h = td_tanh(td_matmul(x, w));
    td_tensor *y = td_log_softmax(td_matmul(h, v), -1);
    td_tensor *loss = td_neg(td_mean(td_select(y, 1, 0), TD_ALL, false));
    OK(td_backward(loss, NULL, 0));
    bool old = td_grad_enable(false);
    td_tensor *g = td_gradient(w);
    td_status st = g ? in_place("mul", m, td_num(.9)) : TD_ENOMEM;
    if (!st) st = in_place("add", m, g);
    if (!st) st = in_place("sub", w, td_mul(m, td_num(.01)));
    td_grad_enable(old);
    OK(st);
    OK(td_set_gradient(w, NULL));
    OK(td_set_gradient(v, NULL));
  }
  return TD_OK;
}

static td_status second_order(void) {
  td_tensor *x = GIVEN(3, 3), *g, *h;
  OK(td_requires_grad(x, true));
  td_tensor *y = td_prod(td_sub(x, td_amax(x, TD_INTS(1), true)), TD_INTS(1),
                         false);
  y = td_add(td_sum(y, TD_ALL, false), td_norm(x, 3, TD_ALL, false));
  TRY(y);
  OK(td_grad(1, &y, NULL, 1, &x, &g, TD_CREATE_GRAPH));
  y = td_sum(td_square(g), TD_ALL, false);
  TRY(y);
  return td_grad(1, &y, NULL, 1, &x, &h, 0);
}

/* Lists, copies between types and layouts, counts, draws, errors. */
static td_status odds_and_ends(void) {
  td_tensor *x = GIVEN(4, 6), *t = td_transpose(x, 0, 1), *out[2], *v[40];
  char text[64];
  for (int i = 0; i < 40; i++) v[i] = td_select(x, 0, i % 4);
  TRY(td_stack((td_list){ 40, v }, 1));
  TRY(td_add(td_cast(t, TD_BF16), td_cast(t, TD_BF16)));
  TRY(td_var(td_cast(t, TD_I32), TD_INTS(0), false, 1));
  OK(td_sort(out, t, 0, true));
  TRY(td_gather(t, 0, out[1]));
  TRY(td_nonzero(td_gt(t, td_num(1))));
  TRY(td_tile(td_flip(t, TD_ALL), TD_INTS(2, 1)));
  TRY(td_normal(t, 0, 1));
  TRY(td_masked_fill(t, td_gt(t, td_num(1)), 3));
  double f[24];
  OK(td_read_f64(t, f));
  OK(td_write_f64(td_clone(t), f));
  OK(td_get(t, (int64_t[]){ 1, 1 }, f, NULL));
  OK(td_set(td_clone(t), (int64_t[]){ 1, 1 }, 3));
  if (td_add(x, t)) return td_fail(TD_EARG, "shapes that do not fit");
  if (td_error_code() == TD_ENOMEM) return TD_ENOMEM;
  snprintf(text, sizeof text, "%s", td_error());
  td_error_clear();
  return strstr(text, "broadcast") ? TD_OK : td_fail(TD_EARG, "%s", text);
}

/* ---- the test ---- */

typedef struct counts { long runs, reported, survived; } counts;

static td_status run(td_status (*script)(void)) {
  int mark = td_scope_open();
  td_error_clear();
  td_status st = script();
  td_scope_close(mark);
  return st;
}

static void settle(void) {
  fault.on = false;
  td_memory_trim();
}

static void each_allocation(td_status (*script)(void), bool lasting,
                            counts *n) {
  int64_t tensors = td_live_tensors();
  settle();
  long held_before = blocks;
  int64_t bytes = td_memory_stats(NULL).live;
  for (n->runs = 0; n->runs < 100000; n->runs++) {
    fault.lasting = lasting;
    fault.left = n->runs;
    fault.failed = 0;
    fault.on = true;
    td_status st = run(script);
    settle();
    if (!fault.failed) {
      if (st) FAIL("without a failure: %s", td_error());
      break;
    }
    if (st == TD_ENOMEM) n->reported++;
    else if (st) FAIL("allocation %ld: %s", n->runs, td_error());
    else n->survived++;
    if (lasting && !st) FAIL("allocation %ld: no failure reported", n->runs);
    if (td_live_tensors() != tensors || td_memory_stats(NULL).live != bytes)
      FAIL("allocation %ld: %d tensors left", n->runs,
           (int)(td_live_tensors() - tensors));
    if (blocks != held_before)
      FAIL("allocation %ld: %ld blocks left", n->runs, blocks - held_before);
    if (!td_grad_enabled()) FAIL("allocation %ld: graphs are off", n->runs);
    tensors = td_live_tensors();
    held_before = blocks;
    if (test_failures > TEST_MAX_REPORTS) break;
  }
}

static void check_script(td_status (*script)(void)) {
  counts once = { 0 }, lasting = { 0 };
  td_nn_init();
  install();
  td_threads_set(1);
  CHECK_INT(run(script), TD_OK);           /* starts what stays: the scope array */
  each_allocation(script, false, &once);
  each_allocation(script, true, &lasting);
  CHECK(once.runs > 20 && lasting.reported == lasting.runs);
  CHECK_INT(run(script), TD_OK);
  printf("# %s: %ld fail once (%ld reported, %ld made good), %ld for good\n",
         COVERS, once.runs, once.reported, once.survived, lasting.runs);
}

TEST(training) { check_script(training); }
TEST(second_order) { check_script(second_order); }
TEST(odds_and_ends) { check_script(odds_and_ends); }

TEST(more_than_there_is) {
  int64_t n = (int64_t)1 << 46, half[2] = { (int64_t)1 << 40, (int64_t)1 << 40 };
  CHECK(!td_empty(td_cpu(), TD_F32, 1, &n));
  CHECK_ERROR(TD_ENOMEM, "asked");
  CHECK(!td_empty(td_cpu(), TD_F32, 2, half));
  CHECK_ERROR(TD_ENOMEM, "memory");
  td_tensor *x = td_full(td_cpu(), TD_F32, 1, &(int64_t){ 1 }, 2);
  CHECK(!td_clone(td_expand(x, TD_INTS((int64_t)1 << 46))));
  CHECK_ERROR(TD_ENOMEM, "asked");
  CHECK_NEAR(td_item(td_square(x), &(double){ 0 }, NULL), TD_OK, 0);
}
