/* test_philox.c -- words of the generator made into numbers: ranges, extremes, and
** normals against Box and Muller in long double. */
#include "tests/test.h"
#include "tensor/philox.h"

TEST(uniforms_stay_in_their_interval) {
  CHECK(td_uniform_f32(0) == 0 && td_uniform_f32(~0u) == 1 - 0x1p-24f);
  CHECK(td_uniform_f64(0, 0) == 0 && td_uniform_f64(~0u, ~0u) == 1 - 0x1p-53);
  CHECK(td_uniform_open_f32(0) == 0x1p-32f && td_uniform_open_f32(~0u) == 1);
  CHECK(td_uniform_open_f64(0, 0) == 0x1p-54 && td_uniform_open_f64(~0u, ~0u) <= 1);
}

static const uint32_t ends[] = { 0, 1, 2, 3, 0x3fffffff, 0x40000000, 0x40000001,
  0x7fffffff, 0x80000000, 0x80000001, 0xbfffffff, 0xc0000000, 0xfffffffe, ~0u };
enum { ENDS = sizeof ends / sizeof *ends };

/* The angle that the words v choose: quarter turn and an offset within pi/4. */
static long double angle(uint64_t v) {
  long double quarter = (long double)(v >> 62);
  return 1.570796326794896619231321691639751442L * (quarter + (long double)(int64_t)(v << 2) * 0x1p-64L);
}

static void check_f32(uint32_t u, uint32_t v) {
  float even, odd;
  td_normal_f32(u, v, &even, &odd);
  long double r = sqrtl(-2 * logl(td_uniform_open_f32(u)));
  long double a = angle((uint64_t)v << 32);
  CHECK_NEAR(even, (double)(r * cosl(a)), 4e-7 * (double)r + 1e-12);
  CHECK_NEAR(odd, (double)(r * sinl(a)), 4e-7 * (double)r + 1e-12);
}

static void check_f64(const uint32_t w[4]) {
  double even, odd;
  td_normal_f64(w, &even, &odd);
  long double r = sqrtl(-2 * logl(td_uniform_open_f64(w[0], w[1])));
  long double a = angle((uint64_t)w[2] << 32 | w[3]);
  CHECK_NEAR(even, (double)(r * cosl(a)), 8e-16 * (double)r + 1e-20);
  CHECK_NEAR(odd, (double)(r * sinl(a)), 8e-16 * (double)r + 1e-20);
}

TEST(normals_are_box_muller) {
  for (int i = 0; i < ENDS; i++)
    for (int j = 0; j < ENDS; j++) {
      check_f32(ends[i], ends[j]);
      check_f64((uint32_t[]){ ends[i], ends[j], ends[j], ends[i] });
    }
  for (uint64_t k = 0; k < 20000; k++) {
    uint32_t w[4];
    td_philox(5, k, w);
    check_f32(w[0], w[1]);
    check_f64(w);
  }
}

TEST(every_direction_is_reached) {
  int seen[8] = { 0 };
  for (uint64_t k = 0; k < 4000; k++) {
    uint32_t w[4];
    float x, y;
    td_philox(9, k, w);
    td_normal_f32(w[0], w[1], &x, &y);
    seen[(x > 0) + 2 * (y > 0) + 4 * (fabsf(x) > fabsf(y))]++;
  }
  for (int k = 0; k < 8; k++) CHECK(seen[k] > 400 && seen[k] < 600);
}

TEST(integers_cover_their_range) {
  CHECK_INT(td_integer(0, -5, 11), -5);
  CHECK_INT(td_integer(~0ull, -5, 11), 5);
  CHECK_INT(td_integer(1ull << 63, 0, 10), 5);
  CHECK_INT(td_integer(~0ull, INT64_MIN, 0), INT64_MAX);
  CHECK_INT(td_integer(~0ull, 7, 1), 7);
}
