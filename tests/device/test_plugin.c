/* test_plugin.c -- devices: loading a plug-in, moving tensors to it and back,
** and what is said when something is not there or in the wrong place. */
#include "tests/test.h"
#include "tests/plugin.h"
#include "tensor/op.h"

static td_backend *fake;
#define NEED_FAKE \
  do { \
    fake = plugin_load(); \
    if (!fake) { FAIL("no plug-in: %s", td_error()); return; } \
  } while (0)

static td_tensor *on_cpu(int n, ...) {
  double v[16];
  va_list ap;
  va_start(ap, n);
  for (int i = 0; i < n; i++) v[i] = va_arg(ap, double);
  va_end(ap);
  td_tensor *t = td_empty(td_cpu(), TD_F32, 1, &(int64_t){ n });
  return td_write_f64(t, v) ? NULL : t;
}
static td_tensor *on_fake(td_tensor *t) { return td_to_device(t, fake); }
#define IS(t, n, ...) CHECK_VALUES(t, n, ((double[]){ __VA_ARGS__ }), 1e-6)

TEST(there_is_always_the_cpu) {
  CHECK(td_device("cpu") == td_cpu());
  CHECK_STR(td_device_name(td_cpu()), "cpu");
  CHECK_HAS(td_device_describe(td_cpu()), "cpu");
  CHECK_INT(td_device_sync(td_cpu()), TD_OK);
  CHECK(td_device_count() >= 1 && td_device_at(0) == td_cpu());
  CHECK(!td_device_at(-1) && !td_device_at(td_device_count()));
}

TEST(missing_device) {
  CHECK(!td_device("warp"));
  CHECK_HAS(td_error(), "there is no device 'warp'");
  CHECK_HAS(td_error(), "cpu");
  CHECK_INT(td_error_code(), TD_EDEVICE);
  td_error_clear();
}

TEST(missing_and_wrong_files) {
  CHECK(!td_backend_load("/nowhere/libnothing.so"));
  CHECK_ERROR(TD_EDEVICE, "/nowhere/libnothing.so");
  CHECK(!td_backend_load(plugin_path("old")));
  CHECK_ERROR(TD_EDEVICE, "another version");
  CHECK(!td_backend_load("libm.so.6"));
  CHECK_ERROR(TD_EDEVICE, "not a device plug-in");
}

TEST(plugin_is_there) {
  NEED_FAKE;
  CHECK(td_device("fake") == fake);
  CHECK(td_device("fake:1") && td_device("fake:1") != fake);
  CHECK_STR(td_device_name(fake), "fake");
  CHECK_STR(td_device_describe(fake), "fake device");
  CHECK_INT(td_device_sync(fake), TD_OK);
  CHECK(!td_backend_load(plugin_path("fake")));   /* once is enough */
  CHECK_ERROR(TD_EDEVICE, "already");
}

TEST(there_and_back) {
  NEED_FAKE;
  td_tensor *x = on_cpu(4, 1., 2., 3., 4.), *y = on_fake(x);
  REQUIRE(y);
  CHECK(td_device_of(y) == fake && td_type(y) == TD_F32);
  IS(y, 4, 1, 2, 3, 4);
  CHECK(on_fake(y) == y);
  td_tensor *z = td_to_device(y, td_cpu());
  CHECK(td_device_of(z) == td_cpu() && !td_shares_memory(x, z));
  IS(z, 4, 1, 2, 3, 4);
  for (int d = 0; d < TD_DTYPE_COUNT; d++) {
    td_tensor *t = td_cast(x, (td_dtype)d), *u = on_fake(t);
    CHECK_INT(td_type(u), d);
    IS(u, 4, d == TD_BOOL ? 1 : 1, d == TD_BOOL ? 1 : 2, d == TD_BOOL ? 1 : 3,
       d == TD_BOOL ? 1 : 4);
  }
  CHECK(td_numel(on_fake(td_slice(x, 0, 0, 0, 1))) == 0);
  IS(on_fake(td_select(x, 0, 2)), 1, 3);
}

TEST(views_move_too) {
  NEED_FAKE;
  td_tensor *x = td_view(on_cpu(6, 1., 2., 3., 4., 5., 6.), TD_INTS(2, 3));
  td_tensor *t = td_transpose(x, 0, 1);
  IS(on_fake(t), 6, 1, 4, 2, 5, 3, 6);
  IS(td_to_device(td_transpose(on_fake(x), 0, 1), td_cpu()), 6, 1, 4, 2, 5, 3, 6);
  IS(td_slice(on_fake(x), 1, 1, 2, 1), 4, 2, 3, 5, 6);
  IS(td_expand(on_fake(on_cpu(1, 7.)), TD_INTS(3)), 3, 7, 7, 7);
}

TEST(between_two_devices) {
  NEED_FAKE;
  td_backend *other = td_device("fake:1");
  td_tensor *x = on_fake(on_cpu(3, 1., 2., 3.)), *y = td_to_device(x, other);
  REQUIRE(y);
  CHECK(td_device_of(y) == other);
  IS(td_square(y), 3, 1, 4, 9);
  CHECK(!td_add(x, y));
  CHECK_HAS(td_error(), "fake");
  CHECK_HAS(td_error(), "fake:1");
  CHECK_ERROR(TD_EDEVICE, "move one of them");
}

TEST(elements) {
  NEED_FAKE;
  td_tensor *x = td_view(on_fake(on_cpu(4, 1., 2., 3., 4.)), TD_INTS(2, 2));
  double f = 0;
  int64_t at[2] = { 1, 0 }, i = 0;
  CHECK_INT(td_get(x, at, &f, &i), TD_OK);
  CHECK_NEAR(f, 3, 0);
  CHECK_INT(i, 3);
  CHECK_INT(td_set(x, at, 9), TD_OK);
  IS(x, 4, 1, 2, 9, 4);
  CHECK_INT(td_item(td_sum(x, TD_ALL, false), &f, NULL), TD_OK);
  CHECK_NEAR(f, 16, 0);
  CHECK(!td_data_cpu(x));
  CHECK_ERROR(TD_EDEVICE, "fake");
  char *text = td_format(x, 3);
  CHECK_HAS(text, "fake");
  CHECK_HAS(text, "9");
  free(text);
}

TEST(numbers_go_anywhere) {
  NEED_FAKE;
  td_tensor *x = on_fake(on_cpu(2, 1., 2.));
  IS(td_add(td_mul(x, td_num(3)), td_int(1)), 2, 4, 7);
  IS(td_sub(td_num(1), x), 2, 0, -1);
  IS(td_where(td_gt(x, td_num(1.5)), td_num(0), x), 2, 1, 0);
  IS(td_masked_fill(x, td_gt(x, td_num(1.5)), 5), 2, 1, 5);
  IS(td_clamp(x, 0, 1.5), 2, 1, 1.5);
  td_tensor *base = td_full(fake, TD_F32, 1, &(int64_t){ 3 }, 0);
  IS(td_full(fake, TD_F32, 1, &(int64_t){ 2 }, 7), 2, 7, 7);
  IS(td_arange(fake, TD_I64, 1, 2, 3), 3, 1, 3, 5);
  IS(td_zeros_like(base), 3, 0, 0, 0);
}

TEST(wrong_device) {
  NEED_FAKE;
  td_tensor *x = on_cpu(2, 1., 2.), *y = on_fake(x);
  CHECK(!td_add(x, y));
  CHECK_HAS(td_error(), "add");
  CHECK_ERROR(TD_EDEVICE, "one tensor is on cpu, another on fake");
  CHECK(!td_cat(TD_LIST(y, x), 0));
  CHECK_ERROR(TD_EDEVICE, "one tensor is on fake, another on cpu");
  IS(td_add(td_to_device(y, td_cpu()), x), 2, 2, 4);
}

TEST(missing_kernel) {
  NEED_FAKE;
  td_tensor *y = on_fake(on_cpu(2, 0., 0.));
  CHECK(!td_erfc(y));
  CHECK_ERROR(TD_ENOSUP, "erfc: not available on fake");
  IS(td_erfc(td_to_device(y, td_cpu())), 2, 1, 1);
  IS(td_erf(y), 2, 0, 0);
}

TEST(copy_between_places) {
  NEED_FAKE;
  td_tensor *x = on_cpu(3, 1., 2., 3.);
  td_tensor *y = td_full(fake, TD_F64, 1, &(int64_t){ 3 }, 0), *out[TD_MAXOUT];
  td_call c = { .op = td_op_find("copy"), .nin = 2, .nlist = -1,
                .in = (td_tensor *[]){ y, x } };
  CHECK_INT(td_apply(&c, out, true), TD_OK);
  IS(y, 3, 1, 2, 3);
  CHECK(td_device_of(y) == fake && td_type(y) == TD_F64);
  double v[3] = { 7, 8, 9 };
  CHECK_INT(td_write_f64(td_slice(y, 0, 1, 2, 1), v), TD_OK);
  IS(y, 3, 1, 7, 8);
}

TEST(gradients_stay_there) {
  NEED_FAKE;
  td_tensor *x = on_fake(on_cpu(3, 1., 2., 3.)), *out[2];
  REQUIRE(!td_requires_grad(x, true));
  REQUIRE(!td_sort(out, td_square(x), 0, true));
  td_tensor *y = td_mul(td_exp(td_neg(out[0])), td_norm(x, 2, TD_ALL, false));
  REQUIRE(!td_backward(td_mean(y, TD_ALL, false), NULL, 0));
  CHECK(td_device_of(td_gradient(x)) == fake);
  td_tensor *w = on_cpu(3, 1., 2., 3.);
  REQUIRE(!td_requires_grad(w, true));
  REQUIRE(!td_sort(out, td_square(w), 0, true));
  y = td_mul(td_exp(td_neg(out[0])), td_norm(w, 2, TD_ALL, false));
  REQUIRE(!td_backward(td_mean(y, TD_ALL, false), NULL, 0));
  double want[3];
  REQUIRE(!td_read_f64(td_gradient(w), want));
  CHECK_VALUES(td_gradient(x), 3, want, 1e-7);
}

/* A move is an op like any other: the gradient travels home. */
TEST(gradients_travel) {
  NEED_FAKE;
  td_tensor *x = on_cpu(3, 1., 2., 3.);
  REQUIRE(!td_requires_grad(x, true));
  td_tensor *y = td_to_device(td_mul(x, td_num(2)), fake);
  td_tensor *s = td_sum(td_square(y), TD_ALL, false);
  REQUIRE(!td_backward(td_to_device(s, td_cpu()), NULL, 0));
  CHECK(td_device_of(td_gradient(x)) == td_cpu());
  IS(td_gradient(x), 3, 8, 16, 24);
}

TEST(random_draws_are_the_same_everywhere) {
  NEED_FAKE;
  double want[100];
  td_tensor *x = td_full(td_cpu(), TD_F32, 1, &(int64_t){ 100 }, 0);
  td_seed(3);
  REQUIRE(!td_read_f64(td_normal(x, 0, 1), want));
  td_seed(3);
  CHECK_VALUES(td_normal(on_fake(x), 0, 1), 100, want, 0);
}

TEST(memory_of_a_device) {
  NEED_FAKE;
  td_backend *small = td_device("fake:1");
  int64_t before = td_memory_stats(small).live, n = 100000;
  int mark = td_scope_open();
  td_tensor *x = td_full(small, TD_F32, 1, &n, 1);
  CHECK(td_memory_stats(small).live - before >= 4 * n);
  CHECK(td_memory_stats(fake).live < td_memory_stats(NULL).live);
  td_tensor *y = td_add(x, x);                    /* 800 kB of 1 MB */
  CHECK(y && !td_add(x, y));
  CHECK_HAS(td_error(), "out of memory on fake:1");
  CHECK_ERROR(TD_ENOMEM, "MB");
  td_scope_close(mark);
  CHECK_INT(td_memory_stats(small).live, before);
  CHECK(td_full(small, TD_F64, 1, &n, 1) != NULL);  /* the cache was given back */
}

/* The tests of gradients, run on this device instead of the CPU. */
TEST(gradient_tests_pass_there) {
  char exe[4096], command[14000];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  exe[n > 0 ? n : 0] = 0;
  char *slash = strrchr(exe, '/');
  if (slash) *slash = 0;
  snprintf(command, sizeof command,
           "TD_BACKEND_PATH='%s' DEVICE=fake '%s/test_grad' >'%s/on_fake.log'",
           plugin_path("fake"), exe, exe);
  int status = system(command);
  if (status) FAIL("status %d: see %s/on_fake.log", status, exe);
  snprintf(command, sizeof command, "grep -q '^1..0' '%s/on_fake.log'", exe);
  CHECK(system(command) != 0);                   /* it did not skip */
}
