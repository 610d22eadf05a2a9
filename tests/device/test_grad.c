/* test_grad.c -- what the gradient graph promises: accumulation, masks, in-place
** changes, graphs used twice, long chains, what is freed when. */
#include "tests/test.h"
#include "tensor/op.h"

TEST_NEEDS_DEVICE

/* ---- helpers ---- */

static td_tensor *vec_of(td_dtype dt, int n, const double *v) {
  td_tensor *t = td_empty(test_device(), dt, 1, &(int64_t){ n });
  return td_write_f64(t, v) ? NULL : t;
}
#define N_OF(...) (int)(sizeof((double[]){ __VA_ARGS__ }) / sizeof(double))
#define VEC(...) vec_of(TD_F64, N_OF(__VA_ARGS__), (double[]){ __VA_ARGS__ })
#define IS(t, ...) \
  CHECK_VALUES(t, N_OF(__VA_ARGS__), ((double[]){ __VA_ARGS__ }), 1e-12)

static td_tensor *leaf(td_tensor *t) {
  return td_requires_grad(t, true) ? NULL : t;
}
static td_tensor *total(td_tensor *t) { return td_sum(t, TD_ALL, false); }

static td_tensor *grad_of(td_tensor *y, td_tensor *x, unsigned flags) {
  td_tensor *g;
  return td_grad(1, &y, NULL, 1, &x, &g, flags) ? NULL : g;
}

static td_tensor *in_place(const char *op, td_tensor *x, td_tensor *other) {
  td_tensor *in[2] = { x, other }, *out[TD_MAXOUT];
  td_call c = { .op = td_op_find(op), .nin = other ? 2 : 1, .in = in,
                .nlist = -1 };
  return td_apply(&c, out, true) ? NULL : out[0];
}

/* ---- accumulation ---- */

TEST(leaf_accumulates) {
  td_tensor *x = leaf(VEC(1, 2, 3));
  CHECK(td_is_leaf(x) && td_needs_grad(x) && !td_gradient(x));
  REQUIRE(!td_backward(total(td_square(x)), NULL, 0));
  IS(td_gradient(x), 2, 4, 6);
  CHECK(!td_needs_grad(td_gradient(x)));
  REQUIRE(!td_backward(total(td_mul(x, td_num(10))), NULL, 0));
  IS(td_gradient(x), 12, 14, 16);
  CHECK(!td_set_gradient(x, NULL));
  CHECK(!td_gradient(x));
  REQUIRE(!td_backward(total(x), NULL, 0));
  IS(td_gradient(x), 1, 1, 1);
}

TEST(gradients_have_their_own_memory) {
  td_tensor *a = leaf(VEC(1, 2)), *b = leaf(VEC(3, 4));
  REQUIRE(!td_backward(total(td_add(a, b)), NULL, 0));
  td_tensor *g = td_gradient(a);
  CHECK(td_is_contiguous(g) && !td_shares_memory(g, td_gradient(b)));
  REQUIRE(in_place("mul", g, td_num(5)));
  IS(td_gradient(a), 5, 5);
  IS(td_gradient(b), 1, 1);
}

TEST(given_gradient_is_not_changed) {
  td_tensor *x = leaf(VEC(1, 2)), *gy = VEC(3, 5), *y = td_clone(x);
  td_tensor *z = td_add(y, y);
  REQUIRE(!td_backward(z, gy, 0));
  IS(td_gradient(x), 6, 10);
  IS(gy, 3, 5);
  CHECK(!td_shares_memory(gy, td_gradient(x)));
}

TEST(used_twice) {
  td_tensor *x = leaf(VEC(2, 3));
  td_tensor *y = td_mul(x, x), *z = td_add(td_mul(y, x), y);
  REQUIRE(!td_backward(total(z), NULL, 0));
  IS(td_gradient(x), 3 * 4 + 2 * 2, 3 * 9 + 2 * 3);
}

TEST(leaf_as_output) {
  td_tensor *x = leaf(VEC(2));
  REQUIRE(!td_backward(x, NULL, 0));
  IS(td_gradient(x), 1);
  IS(grad_of(x, x, 0), 1);
}

TEST(one_result_of_many) {
  td_tensor *x = leaf(VEC(3, 1, 2)), *out[2];
  REQUIRE(!td_sort(out, x, 0, false));
  CHECK(td_needs_grad(out[0]) && !td_needs_grad(out[1]));
  REQUIRE(!td_backward(out[0], VEC(10, 20, 30), 0));
  IS(td_gradient(x), 30, 10, 20);
}

/* ---- td_grad ---- */

TEST(grad_of_intermediate) {
  td_tensor *x = leaf(VEC(1, 2)), *y = td_mul(x, td_num(3)), *z = td_square(y);
  td_tensor *xs[3] = { x, y, x }, *g[3], *s = total(z);
  REQUIRE(!td_grad(1, &s, NULL, 3, xs, g, 0));
  IS(g[0], 18, 36);
  IS(g[1], 6, 12);
  IS(g[2], 18, 36);
  CHECK(!td_gradient(x));
}

TEST(unused_inputs_give_null) {
  td_tensor *x = leaf(VEC(1, 2)), *w = leaf(VEC(5));
  td_tensor *other = td_exp(w), *y = total(td_sin(x));
  td_tensor *xs[3] = { w, x, other }, *g[3];
  REQUIRE(!td_grad(1, &y, NULL, 3, xs, g, 0));
  CHECK(!g[0] && g[1] && !g[2]);
  IS(g[1], cos(1), cos(2));
}

TEST(several_outputs) {
  td_tensor *x = leaf(VEC(1, 2));
  td_tensor *ys[3] = { td_square(x), td_mul(x, td_num(10)), total(x) };
  td_tensor *gy[3] = { VEC(1, 100), NULL, NULL }, *g;
  REQUIRE(!td_grad(3, ys, gy, 1, &x, &g, 0));
  IS(g, 2 + 10 + 1, 400 + 10 + 1);
}

TEST(grad_of_constant) {
  td_tensor *x = VEC(1, 2), *w = leaf(VEC(1)), *y = total(td_exp(w)), *g;
  CHECK_INT(td_grad(1, &y, NULL, 1, &x, &g, 0), TD_EGRAD);
  CHECK_ERROR(TD_EGRAD, "does not require a gradient");
  CHECK_INT(td_backward(total(x), NULL, 0), TD_EGRAD);
  CHECK_ERROR(TD_EGRAD, "nothing here requires a gradient");
}

/* ---- higher order ---- */

TEST(third_derivative) {
  td_tensor *x = leaf(VEC(.5, 2)), *g = td_mul(td_square(x), td_square(x));
  double want[3][2] = { { .5, 32 }, { 3, 48 }, { 12, 48 } };
  for (int order = 0; order < 3; order++) {
    g = grad_of(total(g), x, TD_CREATE_GRAPH);
    REQUIRE(g);
    CHECK(td_needs_grad(g));
    CHECK_VALUES(g, 2, want[order], 1e-12);
  }
}

/* d/dw of |d loss/dx|^2, where x is not a leaf */
TEST(gradient_penalty) {
  td_tensor *w = leaf(VEC(3)), *x0 = leaf(VEC(1, 2));
  td_tensor *x = td_mul(x0, td_num(1)), *y = total(td_mul(w, td_square(x)));
  td_tensor *g = grad_of(y, x, TD_CREATE_GRAPH);
  IS(g, 6, 12);
  REQUIRE(!td_backward(total(td_square(g)), NULL, 0));
  IS(td_gradient(w), 2 * 3 * 4 * (1 + 4));       /* (2 w x)^2 */
  IS(td_gradient(x0), 2 * 36 * 1, 2 * 36 * 2);
}

TEST(backward_that_stays_differentiable) {
  td_tensor *x = leaf(VEC(2));
  td_tensor *y = total(td_mul(td_square(x), x));
  REQUIRE(!td_backward(y, NULL, TD_CREATE_GRAPH));
  IS(td_gradient(x), 12);
  CHECK(!td_needs_grad(td_gradient(x)));         /* stored ones are detached */
  IS(grad_of(y, x, 0), 12);                      /* the graph is still there */
}

/* ---- graphs used twice ---- */

TEST(backward_twice) {
  td_tensor *x = leaf(VEC(2, 3)), *y = total(td_square(x));
  REQUIRE(!td_backward(y, NULL, 0));
  CHECK_INT(td_backward(y, NULL, 0), TD_EGRAD);
  CHECK_HAS(td_error(), "backward twice");
  CHECK_HAS(td_error(), "retain");
  td_error_clear();
  IS(td_gradient(x), 4, 6);                      /* nothing was added */
}

TEST(retained_graph) {
  td_tensor *x = leaf(VEC(2, 3)), *y = total(td_square(x));
  for (int k = 1; k <= 3; k++) {
    REQUIRE(!td_backward(y, NULL, k < 3 ? TD_RETAIN_GRAPH : 0));
    IS(td_gradient(x), 4 * k, 6 * k);
  }
  CHECK_INT(td_backward(y, NULL, 0), TD_EGRAD);
  CHECK_ERROR(TD_EGRAD, "backward twice");
}

/* A part that two graphs share is used up by the first. */
TEST(shared_part) {
  td_tensor *x = leaf(VEC(2)), *common = td_square(x);
  td_tensor *a = total(td_exp(common)), *b = total(td_sin(common));
  REQUIRE(!td_backward(a, NULL, 0));
  CHECK_INT(td_backward(b, NULL, 0), TD_EGRAD);
  CHECK_ERROR(TD_EGRAD, "backward twice");
}

/* ---- switches ---- */

TEST(no_grad) {
  td_tensor *x = leaf(VEC(2));
  bool old = td_grad_enable(false);
  CHECK(old && !td_grad_enabled());
  td_tensor *y = td_square(x);
  td_grad_enable(old);
  CHECK(!td_needs_grad(y) && td_is_leaf(y));
  CHECK(td_needs_grad(td_mul(y, x)));
}

TEST(detach) {
  td_tensor *x = leaf(VEC(2)), *y = td_square(x), *d = td_detach(y);
  CHECK(!td_needs_grad(d) && td_shares_memory(d, y));
  REQUIRE(!td_backward(total(td_mul(d, x)), NULL, 0));
  IS(td_gradient(x), 4);
}

TEST(requires_grad_errors) {
  td_tensor *i = td_cast(VEC(1, 2), TD_I64), *x = leaf(VEC(1));
  CHECK_INT(td_requires_grad(i, true), TD_EDTYPE);
  CHECK_ERROR(TD_EDTYPE, "i64");
  CHECK_INT(td_requires_grad(td_exp(x), true), TD_EGRAD);
  CHECK_ERROR(TD_EGRAD, "detach");
  CHECK(!td_needs_grad(td_argmax(x, 0, false)));
  CHECK(!td_needs_grad(td_gt(x, td_num(0))));
  CHECK(!td_needs_grad(td_cast(x, TD_I64)));
}

TEST(wrong_outputs) {
  td_tensor *x = leaf(VEC(1, 2)), *y = td_square(x);
  CHECK_INT(td_backward(y, NULL, 0), TD_ESHAPE);
  CHECK_ERROR(TD_ESHAPE, "(2)");
  CHECK_INT(td_backward(y, VEC(1, 2, 3), 0), TD_ESHAPE);
  CHECK_ERROR(TD_ESHAPE, "(3)");
  REQUIRE(!td_backward(y, VEC(1, 1), 0));        /* the graph is unharmed */
  IS(td_gradient(x), 2, 4);
}

TEST(types_of_gradients) {
  td_tensor *x = leaf(vec_of(TD_F32, 2, (double[]){ 1, 2 }));
  td_tensor *w = leaf(VEC(3, 4)), *y = total(td_mul(x, w));
  CHECK_INT(td_type(y), TD_F64);
  REQUIRE(!td_backward(y, NULL, 0));
  CHECK_INT(td_type(td_gradient(x)), TD_F32);
  CHECK_INT(td_type(td_gradient(w)), TD_F64);
  IS(td_gradient(x), 3, 4);
  CHECK_INT(td_set_gradient(x, VEC(1, 2)), TD_ESHAPE);
  CHECK_ERROR(TD_ESHAPE, "f64");
}

/* ---- changes in place ---- */

static void here(char *buf, size_t size) { snprintf(buf, size, "toy.lua:7"); }

TEST(changed_value_is_an_error) {
  td_tensor *x = leaf(VEC(1, 2)), *y = td_mul(x, td_num(2)), *z = td_sin(y);
  td_set_locator(here);
  REQUIRE(in_place("add", y, td_num(1)));
  td_set_locator(NULL);
  CHECK_INT(td_backward(total(z), NULL, 0), TD_EGRAD);
  CHECK_HAS(td_error(), "sin");
  CHECK_HAS(td_error(), "add_ at toy.lua:7");
  td_error_clear();
}

TEST(changed_result_is_an_error) {
  td_tensor *x = leaf(VEC(1, 2)), *y = td_exp(td_mul(x, td_num(1)));
  td_tensor *z = td_mul(y, td_num(3));
  REQUIRE(in_place("mul", y, td_num(2)));
  CHECK_INT(td_backward(total(z), NULL, 0), TD_EGRAD);
  CHECK_HAS(td_error(), "exp");
  td_error_clear();
}

/* What nobody needs may change: sums read no values. */
TEST(harmless_change) {
  td_tensor *x = leaf(VEC(1, 2)), *y = td_mul(x, td_num(2));
  td_tensor *z = td_add(y, td_num(1));
  REQUIRE(in_place("exp", z, NULL));             /* z is now exp(2x + 1) */
  REQUIRE(in_place("mul", y, td_num(0)));        /* y no longer matters */
  REQUIRE(!td_backward(total(z), NULL, 0));
  CHECK_VALUES(td_gradient(x), 2, ((double[]){ 2 * exp(3), 2 * exp(5) }), 1e-10);
}

TEST(chain_in_place) {
  td_tensor *x = leaf(VEC(1, 2)), *y = td_mul(x, td_num(1));
  REQUIRE(in_place("mul", y, td_num(3)));
  REQUIRE(in_place("exp", in_place("add", y, x), NULL));
  REQUIRE(!td_backward(total(td_neg(y)), NULL, 0));
  double want[2] = { -4 * exp(4), -4 * exp(8) };
  CHECK_VALUES(td_gradient(x), 2, want, 1e-8);
}

/* A constant becomes part of the graph when something that needs a gradient is
** added to it. */
TEST(constant_joins_the_graph) {
  td_tensor *x = leaf(VEC(1, 2)), *acc = VEC(10, 20);
  REQUIRE(in_place("add", acc, td_square(x)));
  CHECK(td_needs_grad(acc));
  REQUIRE(!td_backward(total(acc), NULL, 0));
  IS(td_gradient(x), 2, 4);
}

/* Gradients of slices are joined: apart, side by side, overlapping, along two dims, empty. */
TEST(slices) {
  td_tensor *x = leaf(VEC(1, 2, 3, 4, 5, 6)), *y = td_mul(x, td_num(1));
#define PART(start, n, by) total(td_mul(td_slice(y, 0, start, n, 1), td_num(by)))
  td_tensor *sum = td_add(PART(3, 3, 3), PART(0, 2, 2));
  REQUIRE(!td_backward(sum, NULL, TD_RETAIN_GRAPH));
  IS(td_gradient(x), 2, 2, 0, 3, 3, 3);
  td_set_gradient(x, NULL);
  sum = td_add(td_add(sum, PART(1, 3, 5)), td_add(total(y), PART(2, 0, 9)));
  REQUIRE(!td_backward(sum, NULL, 0));
  IS(td_gradient(x), 3, 8, 6, 9, 4, 4);
  td_set_gradient(x, NULL);
  td_tensor *m = td_view(td_mul(x, td_num(1)), TD_INTS(2, 3));
  sum = td_add(total(td_slice(m, 0, 1, 1, 1)), total(td_slice(m, 1, 0, 2, 1)));
  REQUIRE(!td_backward(td_add(sum, total(td_slice(m, 1, 2, 1, 1))), NULL, 0));
  IS(td_gradient(x), 1, 1, 1, 2, 2, 2);
}

/* ... and may be differentiated again. */
TEST(slices_twice) {
  td_tensor *x = leaf(VEC(1, 2, 3, 4)), *y = td_square(x), *g = NULL;
  td_tensor *a = td_slice(y, 0, 0, 1, 1), *b = td_slice(y, 0, 2, 2, 1);
  td_tensor *sum = td_add(total(td_square(a)), total(td_square(b)));
  REQUIRE(!td_grad(1, &sum, NULL, 1, &x, &g, TD_CREATE_GRAPH));
  IS(g, 4, 0, 108, 256);                         /* 4 x^3 */
  REQUIRE(!td_backward(total(g), NULL, 0));
  IS(td_gradient(x), 12, 0, 108, 192);
}

TEST(leaves_and_views_in_place) {
  td_tensor *x = leaf(VEC(1, 2, 3));
  CHECK(!in_place("add", x, td_num(1)));
  CHECK_ERROR(TD_EGRAD, "no_grad");
  td_tensor *y = td_mul(x, td_num(1)), *part = td_slice(y, 0, 0, 2, 1);
  CHECK(!in_place("mul", part, td_num(2)));
  CHECK_ERROR(TD_EGRAD, "view");
  td_tensor *wide = td_expand(VEC(1), TD_INTS(3));
  CHECK(!in_place("add", wide, td_num(1)));
  CHECK_ERROR(TD_EARG, "clone");
  bool old = td_grad_enable(false);
  REQUIRE(in_place("add", x, td_num(1)));        /* an optimiser's step */
  td_grad_enable(old);
  IS(x, 2, 3, 4);
  CHECK(td_is_leaf(x) && td_needs_grad(x));
  REQUIRE(!td_backward(total(td_square(x)), NULL, 0));
  IS(td_gradient(x), 4, 6, 8);
}

/* A leaf that an op still needs may not change before the sweep. */
TEST(leaf_changed_too_early) {
  td_tensor *x = leaf(VEC(1, 2)), *y = total(td_square(x));
  bool old = td_grad_enable(false);
  REQUIRE(in_place("mul", x, td_num(2)));
  td_grad_enable(old);
  CHECK_INT(td_backward(y, NULL, 0), TD_EGRAD);
  CHECK_ERROR(TD_EGRAD, "square");
}

TEST(changed_through_the_base) {
  td_tensor *x = leaf(VEC(1, 2)), *y = td_mul(x, td_num(1));
  td_tensor *v = td_view(y, TD_INTS(2, 1));
  REQUIRE(in_place("mul", y, td_num(2)));
  CHECK(!td_exp(v));                             /* v shows new values, old graph */
  CHECK_HAS(td_error(), "changed in place");
  td_error_clear();
  CHECK(td_exp(td_view(y, TD_INTS(2, 1))) != NULL);
}

TEST(views_carry_gradients) {
  td_tensor *x = leaf(VEC(1, 2, 3, 4, 5, 6));
  td_tensor *m = td_transpose(td_view(x, TD_INTS(2, 3)), 0, 1);   /* (3,2) */
  td_tensor *row = td_select(m, 0, 1), *twice = td_expand(row, TD_INTS(2, 2));
  REQUIRE(!td_backward(total(td_square(twice)), NULL, 0));
  IS(td_gradient(x), 0, 8, 0, 0, 20, 0);
  CHECK(td_is_contiguous(td_gradient(x)));
}

/* ---- masks: what is not wanted costs nothing ---- */

static struct { td_op *op; td_kernel real; int runs; } count[4];
#define COUNTER(i) \
  static td_status counted_##i(const td_call *c, td_tensor **out) { \
    count[i].runs++; \
    return count[i].real(c, out); \
  }
COUNTER(0) COUNTER(1) COUNTER(2) COUNTER(3)

static void counting(const char *a, const char *b, const char *c, const char *d) {
  static const td_kernel hooks[4] = { counted_0, counted_1, counted_2, counted_3 };
  const char *names[4] = { a, b, c, d };
  int slot = test_device()->slot;
  for (int i = 0; i < 4; i++) {
    if (count[i].op) count[i].op->kernel[slot] = count[i].real;
    count[i].op = names[i] ? td_op_find(names[i]) : NULL;
    count[i].runs = 0;
    if (!count[i].op) continue;
    count[i].real = count[i].op->kernel[slot];
    count[i].op->kernel[slot] = hooks[i];
  }
}
static int runs(int i) { return count[i].runs; }

TEST(frozen_inputs_cost_nothing) {
  td_tensor *x = leaf(VEC(1, 2)), *w = VEC(3, 4), *g;
  td_tensor *y = total(td_mul(td_exp(td_mul(x, w)), w));
  counting("mul", "exp", "sum", "add");
  REQUIRE(!td_backward(y, NULL, TD_RETAIN_GRAPH));
  CHECK_INT(runs(0), 3);             /* one for each mul, one for exp */
  CHECK_INT(runs(1), 0);
  CHECK_INT(runs(2), 0);
  counting("mul", "exp", "sum", "add");
  /* x needs a gradient, but only that of w2 is asked for: the branch of x is
  ** left alone */
  td_tensor *w2 = leaf(VEC(5, 6)), *z = total(td_mul(td_exp(td_mul(x, w)), w2));
  counting("mul", "exp", "sum", "add");
  REQUIRE(!td_grad(1, &z, NULL, 1, &w2, &g, 0));
  CHECK_INT(runs(0), 1);
  CHECK_INT(runs(1), 0);
  counting(NULL, NULL, NULL, NULL);
}

/* ---- memory ---- */

static int64_t live_bytes(void) { return td_memory_stats(test_device()).live; }

static td_tensor *kept_in_scope(td_tensor *(*f)(td_tensor *), td_tensor *x) {
  int mark = td_scope_open();
  td_tensor *y = td_keep(f(x));
  td_scope_close(mark);
  return td_own(y);
}
static td_tensor *sums_only(td_tensor *x) {
  return total(td_add(td_sub(td_add(x, td_num(1)), td_num(2)), x));
}
static td_tensor *needs_values(td_tensor *x) {
  return total(td_sin(td_sin(td_sin(x))));
}

TEST(values_are_kept_only_where_read) {
  td_tensor *x = leaf(td_full(test_device(), TD_F64, 1, &(int64_t){ 1 << 16 }, 1));
  int64_t one = (1 << 16) * 8, before = live_bytes();
  td_tensor *y = kept_in_scope(sums_only, x);
  CHECK(live_bytes() - before < one);
  REQUIRE(!td_backward(y, NULL, 0));
  td_set_gradient(x, NULL);
  y = kept_in_scope(needs_values, x);
  CHECK(live_bytes() - before >= 2 * one);       /* sin(x), sin(sin(x)) */
  CHECK(live_bytes() - before < 3 * one);
  REQUIRE(!td_backward(y, NULL, 0));
  CHECK(live_bytes() - before < 2 * one);        /* only the gradient is left */
}

TEST(graph_dies_with_its_results) {
  td_tensor *x = leaf(VEC(1, 2));
  int64_t before = td_live_tensors();
  int mark = td_scope_open();
  td_tensor *y = td_exp(td_sin(td_square(x)));
  CHECK(y && td_live_tensors() > before);
  td_scope_close(mark);
  CHECK_INT(td_live_tensors(), before);
}

enum { CHAIN = 200000 };
static td_tensor *chain(td_tensor *x) {
  td_tensor *y = td_keep(td_mul(x, td_num(1)));
  for (int i = 0; y && i < CHAIN; i++) {
    int mark = td_scope_open();
    td_tensor *next = td_keep(td_add(y, td_num(1)));
    td_scope_close(mark);
    td_drop(y);
    y = next;
  }
  return td_own(y);
}

TEST(long_chain) {
  td_tensor *x = leaf(VEC(1)), *y = chain(x);
  REQUIRE(y);
  IS(y, CHAIN + 1);
  REQUIRE(!td_backward(y, NULL, 0));
  IS(td_gradient(x), 1);
}

TEST(long_chain_dropped_unused) {
  td_tensor *x = leaf(VEC(1));
  int64_t before = td_live_tensors();
  int mark = td_scope_open();
  CHECK(chain(x) != NULL);
  td_scope_close(mark);
  CHECK_INT(td_live_tensors(), before);
}

/* Doubling at every step: 2^60 paths, but 60 nodes. */
TEST(many_paths) {
  td_tensor *x = leaf(VEC(1)), *y = td_mul(x, td_num(1));
  for (int i = 0; i < 60; i++) y = td_add(y, y);
  REQUIRE(!td_backward(y, NULL, 0));
  IS(td_gradient(x), 0x1p60);
}

TEST(interrupted_sweep) {
  td_tensor *x = leaf(VEC(1, 2)), *y = total(td_square(x));
  td_interrupt_flag = 1;
  CHECK_INT(td_backward(y, NULL, 0), TD_EINTR);
  td_interrupt_flag = 0;
  td_error_clear();
  REQUIRE(!td_backward(y, NULL, 0));
  IS(td_gradient(x), 2, 4);
}

/* ---- corners of the rules ---- */

static td_tensor *slope(td_tensor *(*f)(td_tensor *), td_tensor *x) {
  return grad_of(f(x), x, 0);
}
static td_tensor *norm2(td_tensor *x) { return td_norm(x, 2, TD_ALL, false); }
static td_tensor *norm15(td_tensor *x) { return td_norm(x, 1.5, TD_ALL, false); }
static td_tensor *std1(td_tensor *x) { return td_std(x, TD_ALL, false, 1); }
static td_tensor *prod_of(td_tensor *x) { return td_prod(x, TD_ALL, false); }
static td_tensor *top(td_tensor *x) { return td_amax(x, TD_ALL, false); }
static td_tensor *lse(td_tensor *x) { return td_logsumexp(x, TD_ALL, false); }

TEST(slopes_at_zero) {
  IS(slope(norm2, leaf(VEC(0, 0))), 0, 0);
  IS(slope(norm15, leaf(VEC(0, 0))), 0, 0);
  IS(slope(norm15, leaf(VEC(0, 4))), 0, 1);
  IS(slope(std1, leaf(VEC(3, 3, 3))), 0, 0, 0);
  IS(slope(norm2, leaf(VEC(0, 3, 4))), 0, .6, .8);
}

TEST(product_with_zeros) {
  IS(slope(prod_of, leaf(VEC(2, 3, 5, 7))), 105, 70, 42, 30);
  IS(slope(prod_of, leaf(VEC(2, 0, 5))), 0, 10, 0);
  IS(slope(prod_of, leaf(VEC(0, 3, 0))), 0, 0, 0);
  td_tensor *x = leaf(VEC(0, 3, 0));
  td_tensor *g = grad_of(prod_of(x), x, TD_CREATE_GRAPH);
  IS(grad_of(td_select(g, 0, 0), x, 0), 0, 0, 3);
}

TEST(shared_extremes) {
  IS(slope(top, leaf(VEC(1, 4, 4, 2))), 0, .5, .5, 0);
  IS(slope(lse, leaf(VEC(-INFINITY, -INFINITY))), 0, 0);
  IS(slope(lse, leaf(VEC(-INFINITY, 3))), 0, 1);
}
