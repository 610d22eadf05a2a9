/* test_shape.c -- what shape ops, reductions and indexing answer: values known
** by hand, types, views that share memory, and errors that say what to do. */
#include "tests/test.h"
#include "tensor/op.h"

static td_tensor *count_up(td_dtype dt, int64_t n) {
  td_device("cpu");
  return td_arange(td_cpu(), dt, 0, 1, n);
}
static td_tensor *grid(int n, const int64_t *shape) {
  int64_t all = 1;
  for (int d = 0; d < n; d++) all *= shape[d];
  return td_view(count_up(TD_F32, all), (td_ints){ n, shape });
}
/* 0, 1, 2, ... in the shape given */
#define GRID(...) grid((int)(sizeof((int64_t[]){ __VA_ARGS__ }) / 8), \
                       (int64_t[]){ __VA_ARGS__ })

static td_tensor *list_of(td_dtype dt, int n, const double *v) {
  td_device("cpu");
  td_tensor *t = td_empty(td_cpu(), TD_F64, 1, &(int64_t){ n });
  return td_write_f64(t, v) ? NULL : td_cast(t, dt);
}
#define N_OF(...) (int)(sizeof((double[]){ __VA_ARGS__ }) / sizeof(double))
#define LIST(dt, ...) list_of(dt, N_OF(__VA_ARGS__), (double[]){ __VA_ARGS__ })
#define VEC(...) LIST(TD_F64, __VA_ARGS__)
#define IDX(...) LIST(TD_I64, __VA_ARGS__)

#define IS(t, ...) \
  CHECK_VALUES(t, N_OF(__VA_ARGS__), ((double[]){ __VA_ARGS__ }), 1e-6)
static void check_shape(int line, td_tensor *t, const char *want) {
  char text[160];
  if (!t) test_fail(__FILE__, line, "no tensor: %s", td_error());
  else if (strcmp(td_shape_text(td_ndim(t), td_shape(t), text, sizeof text), want))
    test_fail(__FILE__, line, "shape %s, not %s", text, want);
}
#define SHAPE(t, want) check_shape(__LINE__, t, want)
#define VIEW_OF(t, x) CHECK((t) && td_shares_memory(t, x))
#define FAILS(expr, code, part) \
  do { CHECK(!(expr)); CHECK_ERROR(code, part); } while (0)

/* ---- views and reshape ---- */

TEST(reshape_is_a_view_where_it_can_be) {
  td_tensor *x = GRID(2, 3, 4), *t = td_permute(x, TD_INTS(0, 2, 1)), *y;
  SHAPE(y = td_reshape(x, TD_INTS(6, -1)), "(6,4)");
  VIEW_OF(y, x);
  SHAPE(y = td_reshape(t, TD_INTS(2, 2, 2, 3)), "(2,2,2,3)");  /* (2,4,3) */
  VIEW_OF(y, x);
  SHAPE(y = td_reshape(t, TD_INTS(8, 3)), "(8,3)");
  CHECK(!td_shares_memory(y, x));
  IS(td_select(y, 0, 1), 1, 5, 9);
  SHAPE(y = td_reshape(td_slice(x, 2, 0, 2, 2), TD_INTS(12)), "(12)");
  VIEW_OF(y, x);                   /* every second element of all */
  IS(td_slice(y, 0, 2, 3, 1), 4, 6, 8);
  SHAPE(y = td_reshape(td_slice(x, 2, 0, 2, 1), TD_INTS(2, 6)), "(2,6)");
  CHECK(!td_shares_memory(y, x));
  IS(y, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21);
}

TEST(view_of_expanded) {
  td_tensor *x = td_expand(GRID(3), TD_INTS(4, 3)), *y;
  SHAPE(y = td_view(x, TD_INTS(2, 2, 3)), "(2,2,3)");
  VIEW_OF(y, x);
  FAILS(td_view(x, TD_INTS(12)), TD_ESHAPE, "use reshape");
  IS(td_reshape(x, TD_INTS(12)), 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2);
  SHAPE(td_view(td_expand(GRID(1), TD_INTS(6)), TD_INTS(2, 3)), "(2,3)");
}

/* Against copies, over many shapes, orders of dims and gaps. */
TEST(views_of_all_kinds) {
  static const int64_t shapes[][4] = {
    { 24, 1, 1, 1 }, { 2, 12, 1, 1 }, { 4, 6, 1, 1 }, { 2, 3, 4, 1 },
    { 1, 24, 1, 1 }, { 2, 1, 12, 1 }, { 3, 2, 2, 2 }, { 2, 2, 3, 2 },
    { 6, 2, 2, 1 }, { 12, 2, 1, 1 }, { 1, 1, 1, 24 }, { 8, 3, 1, 1 },
  };
  static const int64_t orders[][4] = {
    { 0, 1, 2, 3 }, { 1, 0, 2, 3 }, { 3, 2, 1, 0 }, { 0, 2, 1, 3 },
  };
  enum { NS = sizeof shapes / sizeof *shapes };
  int views = 0;
  double a[24], b[24];
  for (int i = 0; i < NS; i++)
    for (int o = 0; o < 4; o++)
      for (int gaps = 0; gaps < 2; gaps++)
        for (int j = 0; j < NS; j++) {
          int mark = td_scope_open();
          td_tensor *x = grid(4, shapes[i]);
          if (gaps) x = td_slice(td_tile(x, TD_INTS(1, 1, 1, 2)), 3, 0,
                                 shapes[i][3], 2);
          x = td_permute(x, (td_ints){ 4, orders[o] });
          td_tensor *flat = td_view(td_clone(x), (td_ints){ 4, shapes[j] });
          td_tensor *y = td_view(x, (td_ints){ 4, shapes[j] });
          views += y != NULL;
          if (!y) y = td_reshape(x, (td_ints){ 4, shapes[j] });
          CHECK(!td_read_f64(flat, a) && !td_read_f64(y, b));
          CHECK(memcmp(a, b, sizeof a) == 0);
          td_scope_close(mark);
        }
  td_error_clear();
  CHECK(views > 300);
  CHECK(views < 2 * 4 * NS * NS);
}

TEST(reshape_errors) {
  td_tensor *x = GRID(2, 3);
  FAILS(td_reshape(x, TD_INTS(4, 2)), TD_ESHAPE,
        "the 6 elements of shape (2,3) do not fit shape (4,2)");
  FAILS(td_reshape(x, TD_INTS(4, -1)), TD_ESHAPE, "(4,-1)");
  FAILS(td_reshape(x, TD_INTS(-1, -1)), TD_ESHAPE, "one of them may be -1");
  FAILS(td_reshape(x, TD_INTS(-2, 3)), TD_ESHAPE, "(-2,3)");
  FAILS(td_reshape(td_slice(x, 0, 0, 0, 1), TD_INTS(-1, 0)), TD_ESHAPE, "(0,3)");
  FAILS(td_reshape(x, TD_ALL), TD_EARG, "give the shape");
  FAILS(td_reshape(x, TD_INTS(INT64_MAX, 3)), TD_ESHAPE, "reshape");
}

TEST(transposed_and_permuted) {
  td_tensor *x = GRID(2, 3);
  IS(td_t(x), 0, 3, 1, 4, 2, 5);
  VIEW_OF(td_t(x), x);
  SHAPE(td_t(GRID(3)), "(3)");
  SHAPE(td_transpose(GRID(2, 3, 4), -1, 0), "(4,3,2)");
  SHAPE(td_permute(GRID(2, 3, 4), TD_INTS(-1, 0, 1)), "(4,2,3)");
  FAILS(td_t(GRID(2, 3, 4)), TD_ESHAPE, "transpose or permute");
  FAILS(td_permute(x, TD_INTS(0)), TD_EARG, "each of the 2 dims of shape (2,3)");
  FAILS(td_permute(x, TD_INTS(0, 0)), TD_EARG, "named twice");
  FAILS(td_permute(x, TD_INTS(0, 2)), TD_EARG, "no dim 3");
  FAILS(td_transpose(x, 0, 2), TD_EARG, "transpose: there is no dim 3");
}

TEST(dims_of_one) {
  td_tensor *x = GRID(1, 3, 1);
  SHAPE(td_squeeze(x, TD_ALL), "(3)");
  SHAPE(td_squeeze(x, TD_INTS(0)), "(3,1)");
  SHAPE(td_squeeze(x, TD_INTS(1)), "(1,3,1)");
  SHAPE(td_unsqueeze(GRID(3), 0), "(1,3)");
  SHAPE(td_unsqueeze(GRID(3), 1), "(3,1)");
  SHAPE(td_unsqueeze(GRID(3), -1), "(3,1)");
  SHAPE(td_unsqueeze(GRID(3), -2), "(1,3)");
  FAILS(td_unsqueeze(GRID(3), 2), TD_EARG, "shape (3) has 2 places");
  FAILS(td_unsqueeze(GRID(1, 1, 1, 1, 1, 1, 1, 1), 0), TD_ESHAPE, "8 dims");
}

TEST(expand) {
  td_tensor *x = GRID(3, 1), *y = td_expand(x, TD_INTS(2, -1, 2));
  SHAPE(y, "(2,3,2)");
  VIEW_OF(y, x);
  IS(y, 0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2);
  FAILS(td_expand(x, TD_INTS(2, 2)), TD_ESHAPE, "(3,1) does not expand to (2,2)");
  FAILS(td_expand(x, TD_INTS(3)), TD_ESHAPE, "at least 2 sizes");
  FAILS(td_expand(x, TD_INTS(1, 1, 1, 1, 1, 1, 1, 3, 1)), TD_EARG, "8 dims");
  FAILS(td_expand(GRID(1), TD_INTS(INT64_MAX)), TD_ESHAPE, "can be counted");
  FAILS(td_expand(GRID(3), TD_INTS(-1, 3)), TD_ESHAPE, "(-1,3)");
}

TEST(parts) {
  td_tensor *x = GRID(3, 4);
  IS(td_slice(x, 1, 1, 2, 2), 1, 3, 5, 7, 9, 11);
  IS(td_narrow(x, 0, 1, 2), 4, 5, 6, 7, 8, 9, 10, 11);
  IS(td_narrow(x, 1, -1, 1), 3, 7, 11);
  IS(td_select(x, 0, -1), 8, 9, 10, 11);
  IS(td_select(td_select(x, 0, 1), 0, 2), 6);
  SHAPE(td_slice(x, 0, 3, 0, 1), "(0,4)");
  IS(td_diagonal(x, 0, 1), 0, 5, 10);
  SHAPE(td_diagonal(GRID(2, 3, 2), 0, 2), "(3,2)");
  IS(td_diagonal(GRID(2, 3, 2), 0, 2), 0, 7, 2, 9, 4, 11);
  IS(td_unslice(GRID(2), 0, 5, 1, 2), 0, 0, 0, 1, 0);
  FAILS(td_slice(x, 0, 0, 4, 1), TD_EARG, "do not fit a dim of size 3");
  FAILS(td_slice(x, 0, -1, 1, 1), TD_EARG, "(3,4)");
  FAILS(td_slice(x, 0, 0, INT64_MAX, INT64_MAX), TD_EARG, "size 3");
  FAILS(td_slice(x, 0, 0, 1, 0), TD_EARG, "step");
  FAILS(td_slice(x, 0, 0, -1, 1), TD_EARG, "length");
  FAILS(td_select(x, 1, 4), TD_EARG, "no position 5 in a dim of size 4");
  FAILS(td_select(x, 1, -5), TD_EARG, "no position -5");
  FAILS(td_select(td_num(1), 0, 0), TD_ESHAPE, "0-dim");
  FAILS(td_diagonal(x, 1, 1), TD_ESHAPE, "two different dims");
  FAILS(td_diagonal(GRID(3), 0, 0), TD_ESHAPE, "(3)");
  FAILS(td_unslice(GRID(3), 0, 4, 0, 2), TD_EARG, "size 4");
}

TEST(joins) {
  td_tensor *a = GRID(2, 2), *b = GRID(1, 2);
  IS(td_cat(TD_LIST(a, b), 0), 0, 1, 2, 3, 0, 1);
  IS(td_cat(TD_LIST(a, td_t(b)), -1), 0, 1, 0, 2, 3, 1);
  IS(td_stack(TD_LIST(GRID(2), td_add(GRID(2), td_num(5))), 0), 0, 1, 5, 6);
  IS(td_stack(TD_LIST(GRID(2), td_add(GRID(2), td_num(5))), -1), 0, 5, 1, 6);
  IS(td_stack(TD_LIST(td_num(1), td_select(GRID(3), 0, 2)), 0), 1, 2);
  CHECK_INT(td_type(td_cat(TD_LIST(GRID(2), IDX(1, 2)), 0)), TD_F32);
  CHECK_INT(td_type(td_cat(TD_LIST(VEC(1), GRID(2)), 0)), TD_F64);
  FAILS(td_cat((td_list){ 0, NULL }, 0), TD_EARG, "at least one");
  FAILS(td_stack((td_list){ 0, NULL }, 0), TD_EARG, "at least one");
  FAILS(td_concat((td_list){ 0, NULL }, 0), TD_EARG, "at least one");
  FAILS(td_cat(TD_LIST(a, GRID(3)), 0), TD_ESHAPE, "(2,2) and (3)");
  FAILS(td_cat(TD_LIST(a, GRID(2, 3)), 0), TD_ESHAPE, "(2,2) and (2,3)");
  FAILS(td_cat(TD_LIST(td_num(1), td_num(2)), 0), TD_ESHAPE, "use stack");
  FAILS(td_cat(TD_LIST(a, a), 2), TD_EARG, "no dim 3");
  FAILS(td_stack(TD_LIST(a, b), 0), TD_ESHAPE, "(2,2) and (1,2)");
  FAILS(td_stack(TD_LIST(a, a), 4), TD_EARG, "places for a new dim");
}

TEST(long_lists) {
  td_tensor *v[500];
  for (int i = 0; i < 500; i++) v[i] = td_full(td_cpu(), TD_F32, 0, NULL, i);
  td_tensor *s = td_stack((td_list){ 500, v }, 0);
  SHAPE(s, "(500)");
  IS(td_sum(s, TD_ALL, false), 499 * 250);
  for (int i = 0; i < 500; i++) td_requires_grad(v[i], true);
  s = td_sum(td_square(td_stack((td_list){ 500, v }, 0)), TD_ALL, false);
  REQUIRE(!td_backward(s, NULL, 0));
  IS(td_gradient(v[499]), 998);
}

TEST(repeats) {
  td_tensor *x = GRID(2, 2);
  IS(td_tile(x, TD_INTS(1, 2)), 0, 1, 0, 1, 2, 3, 2, 3);
  IS(td_tile(GRID(2), TD_INTS(2, 2)), 0, 1, 0, 1, 0, 1, 0, 1);
  SHAPE(td_tile(x, TD_INTS(3)), "(2,6)");
  SHAPE(td_tile(x, TD_INTS(0, 1)), "(0,2)");
  CHECK(!td_shares_memory(td_tile(x, TD_INTS(1)), x));
  FAILS(td_tile(x, TD_INTS(-1)), TD_EARG, "negative");
  FAILS(td_tile(x, TD_ALL), TD_EARG, "counts");
  IS(td_flip(x, TD_INTS(1)), 1, 0, 3, 2);
  IS(td_flip(x, TD_ALL), 3, 2, 1, 0);
  IS(td_roll(GRID(4), 1, 0), 3, 0, 1, 2);
  IS(td_roll(GRID(4), -5, 0), 1, 2, 3, 0);
  CHECK(!td_shares_memory(td_roll(x, 4, 1), x));
  SHAPE(td_flatten(GRID(2, 3, 2), 1, -1), "(2,6)");
  SHAPE(td_flatten(td_num(3), 0, -1), "(1)");
  FAILS(td_flatten(GRID(2, 3), 1, 0), TD_EARG, "(2,3)");
}

/* ---- reductions ---- */

TEST(types_of_reductions) {
  td_tensor *i = LIST(TD_I32, 1, 2, 6), *b = LIST(TD_BOOL, 1, 0, 1);
  td_tensor *u = LIST(TD_U8, 200, 100, 1), *f = LIST(TD_F32, 1, 2, 6);
#define TYPE(expr, dt) CHECK_STR(td_dtype_name(td_type(expr)), #dt)
  TYPE(td_sum(i, TD_ALL, false), i64);
  TYPE(td_sum(f, TD_ALL, false), f32);
  TYPE(td_prod(u, TD_ALL, false), i64);
  TYPE(td_cumsum(b, 0), i64);
  TYPE(td_mean(i, TD_ALL, false), f32);
  TYPE(td_mean(VEC(1, 2), TD_ALL, false), f64);
  TYPE(td_var(i, TD_ALL, false, 1), f32);
  TYPE(td_norm(i, 1, TD_ALL, false), f32);
  TYPE(td_norm(i, 0, TD_ALL, false), f32);
  TYPE(td_norm(u, INFINITY, TD_ALL, false), f32);
  TYPE(td_amax(u, TD_ALL, false), u8);
  TYPE(td_argmax(u, 0, false), i64);
  TYPE(td_any(f, TD_ALL, false), bool);
  TYPE(td_softmax(i, 0), f32);
  TYPE(td_logsumexp(i, TD_ALL, false), f32);
  TYPE(td_nonzero(f), i64);
  TYPE(td_argsort(f, 0, false), i64);
  TYPE(td_masked_fill(u, b, 3), u8);
  TYPE(td_masked_fill(b, b, 0), bool);
  IS(td_sum(b, TD_ALL, false), 2);
  IS(td_sum(u, TD_ALL, false), 301);
  IS(td_prod(u, TD_ALL, false), 20000);
  IS(td_mean(i, TD_ALL, false), 3);
}

TEST(reductions) {
  td_tensor *x = GRID(2, 3);
  SHAPE(td_sum(x, TD_INTS(-1), true), "(2,1)");
  SHAPE(td_sum(x, TD_ALL, true), "(1,1)");
  SHAPE(td_sum(x, TD_ALL, false), "()");
  IS(td_sum(x, TD_INTS(0), false), 3, 5, 7);
  IS(td_sum(x, TD_INTS(), false), 0, 1, 2, 3, 4, 5);
  IS(td_mean(x, TD_INTS(1), false), 1, 4);
  IS(td_var(x, TD_INTS(1), false, 1), 1, 1);
  IS(td_var(x, TD_INTS(1), false, 0), 2 / 3., 2 / 3.);
  IS(td_std(GRID(5), TD_ALL, false, 1), sqrt(2.5));
  IS(td_norm(x, 2, TD_ALL, false), sqrt(55));
  IS(td_norm(x, 0, TD_ALL, false), 5);
  IS(td_norm(x, 3, TD_INTS(1), false), cbrt(9), cbrt(216));
  IS(td_norm(td_neg(x), INFINITY, TD_INTS(0), false), 3, 4, 5);
  IS(td_argmax(x, 1, false), 2, 2);
  IS(td_amin(x, TD_ALL, false), 0);
  td_tensor *none = td_slice(x, 0, 0, 0, 1);
  IS(td_sum(none, TD_INTS(0), false), 0, 0, 0);
  IS(td_prod(none, TD_INTS(0), false), 1, 1, 1);
  IS(td_all(none, TD_INTS(0), false), 1, 1, 1);
  IS(td_logsumexp(none, TD_ALL, false), -INFINITY);
  IS(td_mean(none, TD_ALL, false), NAN);
  IS(td_var(GRID(1), TD_ALL, false, 1), NAN);
  FAILS(td_amax(none, TD_INTS(0), false), TD_ESHAPE, "(0,3)");
  FAILS(td_argmin(none, 0, false), TD_ESHAPE, "argmin");
  FAILS(td_sum(x, TD_INTS(2), false), TD_EARG, "sum: there is no dim 3");
  FAILS(td_sum(x, TD_INTS(1, -1), false), TD_EARG, "named twice");
  FAILS(td_norm(x, -1, TD_ALL, false), TD_EARG, "not -1");
  FAILS(td_norm(x, NAN, TD_ALL, false), TD_EARG, "norm: p must be");
}

TEST(nan_and_infinity) {
  td_tensor *x = VEC(1, NAN, 3);
  IS(td_amax(x, TD_ALL, false), NAN);
  IS(td_amin(x, TD_ALL, false), NAN);
  IS(td_argmax(x, 0, false), 1);
  IS(td_sum(x, TD_ALL, false), NAN);
  IS(td_norm(x, 2, TD_ALL, false), NAN);
  IS(td_logsumexp(VEC(1000, 1000), TD_ALL, false), 1000 + log(2));
  IS(td_softmax(VEC(1000, 0), 0), 1, 0);
  IS(td_log_softmax(VEC(1000, 0), 0), 0, -1000);
  IS(td_logsumexp(VEC(INFINITY, 1), TD_ALL, false), INFINITY);
}

TEST(orders) {
  td_tensor *out[2], *x = VEC(3, 1, NAN, 1, 2);
  REQUIRE(!td_sort(out, x, 0, false));
  IS(out[0], 1, 1, 2, 3, NAN);
  IS(out[1], 1, 3, 4, 0, 2);
  REQUIRE(!td_sort(out, x, 0, true));
  IS(out[0], NAN, 3, 2, 1, 1);
  IS(out[1], 2, 0, 4, 1, 3);
  REQUIRE(!td_topk(out, VEC(3, 1, 5, 1, 2), 2, 0, true));
  IS(out[0], 5, 3);
  IS(out[1], 2, 0);
  REQUIRE(!td_topk(out, VEC(3, 1, 5, 1, 2), 3, 0, false));
  IS(out[0], 1, 1, 2);
  IS(td_argsort(VEC(3, 1, 2), 0, false), 1, 2, 0);
  IS(td_cumsum(VEC(1, 2, 3), 0), 1, 3, 6);
  FAILS(!td_topk(out, x, 6, 0, true), TD_EARG, "k = 6, but the dim has 5");
  FAILS(!td_topk(out, x, -1, 0, true), TD_EARG, "(5)");
}

/* ---- indexing ---- */

TEST(picking) {
  td_tensor *x = GRID(3, 4);
  IS(td_index_select(x, 0, IDX(2, 0, 2)), 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
  IS(td_index_select(x, 1, LIST(TD_I32, 3, 3)), 3, 3, 7, 7, 11, 11);
  IS(td_gather(x, 1, td_view(IDX(3, 0, 1), TD_INTS(3, 1))), 3, 4, 9);
  IS(td_scatter_add(td_zeros_like(GRID(3)), 0, IDX(1, 1, 2), VEC(1, 2, 4)),
     0, 3, 4);
  IS(td_index_add(GRID(2, 2), 0, IDX(1, 1), GRID(2, 2)), 0, 1, 4, 7);
  IS(td_nonzero(td_view(VEC(0, 5, 0, 7), TD_INTS(2, 2))), 0, 1, 1, 1);
  SHAPE(td_nonzero(td_zeros_like(x)), "(0,2)");
  SHAPE(td_nonzero(td_select(GRID(3), 0, 2)), "(1,0)");
  FAILS(td_index_select(x, 0, IDX(3)), TD_EARG, "index_select");
  FAILS(td_index_select(x, 0, IDX(-1)), TD_EARG, "index_select");
  FAILS(td_gather(GRID(3), 0, IDX(3)), TD_EARG, "gather");
  FAILS(td_scatter_add(GRID(3), 0, IDX(9), VEC(1)), TD_EARG, "scatter_add");
  FAILS(td_index_add(GRID(3), 0, IDX(-4), VEC(1)), TD_EARG, "index_add");
  FAILS(td_index_select(x, 0, VEC(1)), TD_EDTYPE, "f64");
  FAILS(td_index_select(x, 0, td_cast(x, TD_I64)), TD_ESHAPE, "(3,4)");
  FAILS(td_gather(x, 1, IDX(1)), TD_ESHAPE, "index of shape (1)");
  FAILS(td_gather(x, 1, td_cast(GRID(4, 1), TD_I64)), TD_ESHAPE, "(4,1)");
  FAILS(td_scatter_add(GRID(3), 0, IDX(1), VEC(1, 2)), TD_ESHAPE, "src (2)");
  FAILS(td_index_add(x, 0, IDX(1), GRID(1, 3)), TD_ESHAPE, "src of shape (1,3)");
}

TEST(masks) {
  td_tensor *x = GRID(2, 2), *m = LIST(TD_BOOL, 1, 0);
  IS(td_masked_fill(x, m, -1), -1, 1, -1, 3);
  IS(td_masked_fill(LIST(TD_I64, 1, 2), m, 9), 9, 2);
  FAILS(td_masked_fill(GRID(2), td_gt(x, td_num(1)), 0), TD_ESHAPE, "(2,2)");
  FAILS(td_masked_fill(x, LIST(TD_BOOL, 1, 0, 1), 0), TD_ESHAPE, "(3)");
  FAILS(td_masked_fill(LIST(TD_I64, 1, 2), m, .5), TD_EDTYPE, "i64");
  FAILS(td_masked_fill(LIST(TD_I64, 1, 2), m, NAN), TD_EDTYPE, "i64");
}
