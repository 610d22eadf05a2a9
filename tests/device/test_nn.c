/* test_nn.c -- nn's C functions: updates of many tensors against plain loops in
** double, the same bits for every number of threads, versions and complaints. */
#include "tests/test.h"
#include "nn/nn.h"
#include "tensor/op.h"

TEST_NEEDS_DEVICE

enum { LISTS = 4, TENSORS = 4 };
static const int64_t sizes[TENSORS] = { 5, 40000, 1, 16384 };

typedef struct lists { td_tensor *t[LISTS][TENSORS]; } lists;

/* Lists of vectors with values in [lo, lo + 1). */
static bool lists_make(lists *l, td_dtype dt, double lo) {
  td_nn_init();
  for (int k = 0; k < LISTS; k++)
    for (int i = 0; i < TENSORS; i++) {
      td_tensor *like = td_empty(test_device(), dt, 1, &sizes[i]);
      if (!(l->t[k][i] = td_uniform(like, lo, lo + 1))) return false;
    }
  return true;
}
static td_list list(lists *l, int k) { return (td_list){ TENSORS, l->t[k] }; }

static double *values(td_tensor *t) {
  double *v = malloc(sizeof *v * (size_t)(td_numel(t) + 1));
  if (!v || td_read_f64(t, v)) { free(v); return NULL; }
  return v;
}

static td_status adam(lists *l, td_tensor *step, bool decoupled) {
  td_tensor *lr = td_num(.125);
  return decoupled ?
    td_adamw_(list(l, 0), list(l, 1), list(l, 2), list(l, 3), step, lr,
              .75, .5, .25, .0625) :
    td_adam_(list(l, 0), list(l, 1), list(l, 2), list(l, 3), step, lr,
             .75, .5, .25, .0625);
}

/* One element of one step, straight from the definition. */
static double adam_element(double p, double g, double m, double s, int64_t t,
                           bool decoupled) {
  if (decoupled) p -= .125 * .0625 * p;
  else g += .0625 * p;
  m = .75 * m + .25 * g;
  s = .5 * s + .5 * g * g;
  double mean = m / (1 - pow(.75, (double)t));
  double root = sqrt(s / (1 - pow(.5, (double)t)));
  return p - .125 * mean / (root + .25);
}

static void check_adam(td_dtype dt, bool decoupled, double tolerance) {
  lists l;
  double *before[LISTS][TENSORS];
  REQUIRE(lists_make(&l, dt, .5));
  td_tensor *step = td_full(test_device(), TD_I64, 0, NULL, 2);
  for (int k = 0; k < LISTS; k++)
    for (int i = 0; i < TENSORS; i++) before[k][i] = values(l.t[k][i]);
  REQUIRE(adam(&l, step, decoupled) == TD_OK);
  CHECK_VALUES(step, 1, (double[]){ 3 }, 0);
  for (int i = 0; i < TENSORS; i++) {
    double worst = 0, *after = values(l.t[0][i]);
    REQUIRE(after && before[0][i]);
    for (int64_t e = 0; e < sizes[i]; e++) {
      double want = adam_element(before[0][i][e], before[1][i][e],
                                 before[2][i][e], before[3][i][e], 3, decoupled);
      worst = fmax(worst, fabs(after[e] - want));
    }
    CHECK(worst <= tolerance);
    free(after);
  }
  for (int k = 0; k < LISTS; k++)
    for (int i = 0; i < TENSORS; i++) free(before[k][i]);
}
TEST(adam_f32) { check_adam(TD_F32, false, 1e-6); }
TEST(adam_f64) { check_adam(TD_F64, false, 1e-14); }
TEST(adamw_f32) { check_adam(TD_F32, true, 1e-6); }
TEST(adamw_f64) { check_adam(TD_F64, true, 1e-14); }

TEST(grad_norm) {
  lists l;
  double sum = 0, norm;
  REQUIRE(lists_make(&l, TD_F32, -.5));
  for (int i = 0; i < TENSORS; i++) {
    double *v = values(l.t[0][i]);
    REQUIRE(v);
    for (int64_t e = 0; e < sizes[i]; e++) sum += v[e] * v[e];
    free(v);
  }
  td_tensor *y = td_grad_norm(list(&l, 0));
  REQUIRE(y && td_item(y, &norm, NULL) == TD_OK);
  CHECK_NEAR(norm, sqrt(sum), 1e-5 * norm);
  CHECK_VALUES(td_grad_norm((td_list){ 0, NULL }), 1, (double[]){ 0 }, 0);
}

/* The same draws and steps with 1, 2 and 3 threads. */
TEST(threads_do_not_matter) {
  double *first = NULL;
  int threads = td_threads();
  for (int n = 1; n <= 3; n++) {
    lists l;
    td_threads_set(n);
    td_seed(7);
    REQUIRE(lists_make(&l, TD_F32, 0));
    td_tensor *step = td_full(test_device(), TD_I64, 0, NULL, 0);
    td_tensor *x = td_reshape(l.t[0][1], TD_INTS(200, 200));
    td_tensor *norm[2];
    REQUIRE(!td_layer_norm_weight_grad(norm, x, td_square(x), 1e-5, NULL));
    REQUIRE(adam(&l, step, false) == TD_OK);
    td_tensor *parts[] = { l.t[0][0], l.t[0][1], l.t[2][3],
                           td_reshape(td_grad_norm(list(&l, 0)), TD_INTS(1)),
                           norm[0], norm[1] };
    td_tensor *all = td_cat((td_list){ 6, parts }, 0);
    double *v = all ? values(all) : NULL;
    REQUIRE(v);
    if (!first) { first = v; continue; }
    CHECK(!memcmp(first, v, sizeof *v * (size_t)td_numel(all)));
    free(v);
  }
  free(first);
  td_threads_set(threads);
}

TEST(updates_are_noticed) {
  lists l;
  REQUIRE(lists_make(&l, TD_F32, 0));
  td_tensor *step = td_full(test_device(), TD_I64, 0, NULL, 0);
  uint32_t before[LISTS];
  for (int k = 0; k < LISTS; k++) before[k] = l.t[k][2]->buf->version;
  REQUIRE(adam(&l, step, false) == TD_OK);
  for (int k = 0; k < LISTS; k++)
    CHECK_INT(l.t[k][2]->buf->version != before[k], k != 1);
  CHECK(step->buf->version > 0);
}

TEST(complaints) {
  lists l;
  REQUIRE(lists_make(&l, TD_F32, 0));
  td_tensor *two = td_full(test_device(), TD_F32, 1, (int64_t[]){ 2 }, 1);
  td_list a = list(&l, 0), b = list(&l, 1), less = { TENSORS - 1, l.t[1] };
  CHECK(td_sgd_(a, less, td_num(1), 0) != TD_OK);
  CHECK_ERROR(TD_EARG, "equal lengths");
  CHECK(td_sgd_(a, b, two, 0) != TD_OK);
  CHECK_ERROR(TD_ESHAPE, "lr must be one number, not of shape (2)");
  CHECK(td_adam_(a, b, b, b, td_num(1), td_num(1), 0, 0, 0, 0) != TD_OK);
  CHECK_ERROR(TD_EDTYPE, "step must be a tensor of i64");
  l.t[1][0] = td_full(test_device(), TD_I64, 1, sizes, 1);
  CHECK(td_sgd_(a, b, td_num(1), 0) != TD_OK);
  CHECK_ERROR(TD_EDTYPE, "entry 1 of grads is i64");
  CHECK(!td_linear(two, two, NULL));
  CHECK_ERROR(TD_ESHAPE, "the weight must be a matrix");
  CHECK(!td_layer_norm(two, l.t[0][0], NULL, 0, NULL, NULL));
  CHECK_ERROR(TD_ESHAPE, "one number for each of the 2 entries");
  CHECK(!td_linear(NULL, two, NULL));
  td_error_clear();
}
