/* test_io_png.c -- pictures: what they are read as, written as, and refused for. */
#include "tests/io.h"
#include "tensor/op.h"
#include <zlib.h>

#define DATA "tests/data/"

/* Pixel (y, x) of the grey pictures there, and channel c of the coloured ones. */
static int grey(int y, int x) { return (y * 7 + x) * 7 & 255; }
static int colour(int y, int x, int c) { return ((y * 7 + x) * 3 + c) * 2 & 255; }

static void check_picture(const char *name, td_dtype dt, int channels,
                          int (*sample)(int y, int x, int c)) {
  char path[80];
  snprintf(path, sizeof path, DATA "%s", name);
  td_tensor *t = td_png_read(path);
  if (!t) {
    FAIL("%s: %s", name, td_error());
    return;
  }
  CHECK_INT(td_type(t), dt);
  CHECK_INT(td_ndim(t), channels == 1 ? 2 : 3);
  CHECK_INT(td_numel(t), 35 * channels);
  double v[35 * 4];
  if (td_numel(t) > 35 * 4 || td_read_f64(t, v)) return;
  for (int i = 0; i < 35 * channels; i++) {
    int k = i / channels, want = sample(k / 7, k % 7, i % channels);
    if (v[i] != want) FAIL("%s: sample %d is %g, not %d", name, i, v[i], want);
  }
}

static int s_grey(int y, int x, int c) { return (void)c, grey(y, x); }
static int s_rgb(int y, int x, int c) { return colour(y, x, c); }
static int s_rgba(int y, int x, int c) {
  return c < 3 ? colour(y, x, c) : grey(y, x);
}
static int s_palette(int y, int x, int c) { return (void)c, grey(y, x); }
static int s_bits(int y, int x, int c) { return (void)c, grey(y, x) % 2 * 255; }
static int s_grey2(int y, int x, int c) { return (void)c, grey(y, x) % 4 * 85; }
static int s_grey16(int y, int x, int c) {
  return (void)c, (grey(y, x) * 257 + 3) & 65535;
}
static int s_rgb16(int y, int x, int c) { return colour(y, x, c) * 200; }
static int s_transparent(int y, int x, int c) {
  return c < 3 ? colour(y, x, c) : y || x ? 255 : 0;
}

TEST(pictures_of_others) {
  check_picture("grey.png", TD_U8, 1, s_grey);
  check_picture("rgb.png", TD_U8, 3, s_rgb);
  check_picture("rgba.png", TD_U8, 4, s_rgba);
  check_picture("palette.png", TD_U8, 3, s_palette);
  check_picture("bits.png", TD_U8, 1, s_bits);
  check_picture("grey2.png", TD_U8, 1, s_grey2);
  check_picture("grey16.png", TD_I32, 1, s_grey16);
  check_picture("rgb16.png", TD_I32, 3, s_rgb16);
  check_picture("interlaced.png", TD_U8, 3, s_rgb);
  check_picture("transparent.png", TD_U8, 4, s_transparent);
}

/* Written, read, and compared with `want`. */
static void trip(td_tensor *t, td_tensor *want) {
  const char *path = io_path("t.png");
  int64_t n = td_numel(want);
  double *v = malloc(8 * (size_t)n);
  if (td_png_write(path, t) || td_read_f64(want, v)) FAIL("%s", td_error());
  td_tensor *back = td_png_read(path);
  CHECK(back && td_type(back) == td_type(want) && td_ndim(back) == td_ndim(want));
  CHECK_VALUES(back, n, v, 0);
  free(v);
}

static td_tensor *ramp(td_dtype dt, double step, td_ints shape, int64_t n) {
  return td_cast(td_reshape(td_arange(td_cpu(), TD_F64, 0, step, n), shape), dt);
}

TEST(pictures_come_back) {
  td_tensor *u8 = ramp(TD_U8, 1, TD_INTS(15, 17), 255);
  trip(u8, u8);
  trip(td_unsqueeze(u8, 2), u8);
  trip(td_transpose(u8, 0, 1), td_contiguous(td_transpose(u8, 0, 1)));
  for (int c = 2; c <= 4; c++) {
    td_tensor *t = td_contiguous(td_expand(td_unsqueeze(u8, 2), TD_INTS(-1, -1, c)));
    trip(t, t);
  }
  td_tensor *i32 = ramp(TD_I32, 257, TD_INTS(16, 16), 256);
  trip(i32, i32);
  trip(td_cast(i32, TD_I64), i32);
  td_tensor *wide = ramp(TD_I32, 1, TD_INTS(500, 131, 1), 65500);
  trip(wide, td_select(wide, 2, 0));
  trip(td_div(td_cast(u8, TD_F64), td_num(255)), u8);
  trip(td_div(td_cast(u8, TD_F32), td_num(255)), u8);
  trip(td_cast(td_full(td_cpu(), TD_F32, 2, (int64_t[]){ 1, 1 }, 1), TD_BF16),
       td_full(td_cpu(), TD_U8, 2, (int64_t[]){ 1, 1 }, 255));
  trip(td_cast(td_full(td_cpu(), TD_F32, 2, (int64_t[]){ 1, 1 }, 1), TD_BOOL),
       td_full(td_cpu(), TD_U8, 2, (int64_t[]){ 1, 1 }, 255));
  td_tensor *f = td_empty(td_cpu(), TD_F32, 2, (int64_t[]){ 1, 6 });
  td_write_f64(f, (double[]){ -.5, 0, .5, 1, 7, INFINITY });
  td_tensor *w = td_empty(td_cpu(), TD_U8, 2, (int64_t[]){ 1, 6 });
  td_write_f64(w, (double[]){ 0, 0, 128, 255, 255, 255 });
  trip(f, w);
}

TEST(what_is_no_picture) {
  const char *path = io_path("no.png");
  td_tensor *t = td_full(td_cpu(), TD_F32, 3, (int64_t[]){ 3, 28, 28 }, 0);
  CHECK_INT(td_png_write(path, t), TD_ESHAPE);
  CHECK_ERROR(TD_ESHAPE, "not (3,28,28); channels come last: use x:permute(2, 3, 1)");
  CHECK(td_png_write(path, td_full(td_cpu(), TD_F32, 1, (int64_t[]){ 3 }, 0)));
  CHECK_ERROR(TD_ESHAPE, "not (3)");
  CHECK(td_png_write(path, td_full(td_cpu(), TD_F32, 2, (int64_t[]){ 0, 3 }, 0)));
  CHECK_ERROR(TD_ESHAPE, "1 to 1000000 rows and columns, not (0,3)");
  CHECK(td_png_write(path, td_full(td_cpu(), TD_F32, 2, (int64_t[]){ 2, 3 }, NAN)));
  CHECK_ERROR(TD_EARG, "row 1, column 1, channel 1 is NaN");
  CHECK(td_png_write(path, td_full(td_cpu(), TD_I32, 2, (int64_t[]){ 2, 3 }, -1)));
  CHECK_ERROR(TD_EARG, "is not in 0..65535");
  CHECK(access(path, F_OK));
  CHECK(access(io_path("no.png.part"), F_OK));
}

/* ---- damaged ones ---- */

static void set32(unsigned char *p, uint32_t v) {
  for (int b = 0; b < 4; b++) p[b] = (unsigned char)(v >> (24 - 8 * b));
}

static void refuse(const unsigned char *p, size_t n, const char *part) {
  io_write(io_path("bad.png"), p, n);
  if (td_png_read(io_path("bad.png"))) FAIL("read; not: %s", part);
  CHECK_HAS(td_error(), "bad.png: ");
  CHECK_ERROR(TD_EIO, part);
}

TEST(damaged_pictures) {
  size_t n;
  unsigned char *p = io_slurp(DATA "grey.png", &n);
  REQUIRE(p);
  refuse((unsigned char *)"\x93NUMPY\1", 8, "not a PNG file; it starts like an npy");
  refuse(p, 7, "is not a PNG file");
  refuse(p, 8, "PNG data needs 8 bytes at offset 8");
  refuse(p, n - 5, "PNG data needs");
  p[n - 20] ^= 1;
  refuse(p, n, "the PNG data is damaged near offset");
  p[n - 20] ^= 1;
  uint32_t sizes[][2] = { { 1000000, 1000000 }, { 0, 5 }, { 0x7fffffff, 1 },
                          { 0xffffffff, 0xffffffff }, { 1000001, 1 } };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    set32(p + 16, sizes[i][0]);
    set32(p + 20, sizes[i][1]);
    set32(p + 29, (uint32_t)crc32(0, p + 12, 17));
    refuse(p, n, i ? "damaged near offset 33" :
           "says 1000000 x 1000000 pixels, which do not fit into a file of");
  }
  set32(p + 16, 7);
  set32(p + 20, 900);                  /* more rows than there are: data ends */
  set32(p + 29, (uint32_t)crc32(0, p + 12, 17));
  refuse(p, n, "PNG data is damaged");
  free(p);
}
