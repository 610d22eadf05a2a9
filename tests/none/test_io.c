/* test_io.c -- files of tensors: round trips, files of other programs, messages
** about damaged ones, and writing that is whole or not at all. */
#include "tests/io.h"
#include "tensor/op.h"
#include <locale.h>

#define DATA "tests/data/"

/* ---- tensors to write ---- */

/* Counts from -5 in f64, cast; u8 wraps around, bool is "odd". */
static td_tensor *counted(td_dtype dt, int n, const int64_t *shape) {
  td_tensor *t = td_empty(td_cpu(), TD_F64, n, shape);
  double *v = t ? td_data_cpu(t) : NULL;
  for (int64_t i = 0; t && i < td_numel(t); i++) {
    double x = (double)(i % 251) - 5;
    v[i] = dt == TD_U8 && x < 0 ? x + 256 : dt == TD_BOOL ? fmod(x, 2) != 0 : x;
  }
  return td_cast(t, dt);
}

static const struct { int n; int64_t v[TD_MAXDIM]; } shapes[] = {
  { 0, { 0 } }, { 1, { 0 } }, { 1, { 1 } }, { 1, { 7 } }, { 2, { 3, 4 } },
  { 2, { 0, 3 } }, { 2, { 4, 1 } }, { 3, { 2, 3, 4 } }, { 3, { 40, 50, 60 } },
  { 8, { 1, 2, 1, 3, 2, 1, 2, 1 } },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Layouts that are not contiguous. */
static td_tensor *layout(td_tensor *t, int how) {
  int64_t order[TD_MAXDIM];
  int n = td_ndim(t);
  if (how == 1) {
    for (int d = 0; d < n; d++) order[d] = n - 1 - d;
    return td_permute(t, (td_ints){ n, order });
  }
  if (how == 2 && n && td_shape(t)[0] > 1)
    return td_slice(t, 0, 1, td_shape(t)[0] / 2, 2);
  if (how == 3) return td_expand(td_unsqueeze(t, 0), TD_INTS(3, -1));
  return t;
}

static void check_same(td_tensor *got, td_tensor *want, td_dtype dt,
                       const char *where) {
  if (!got || !want) {
    FAIL("%s: %s", where, td_error());
    return;
  }
  bool same = td_ndim(got) == td_ndim(want) && td_type(got) == dt;
  for (int d = 0; same && d < td_ndim(got); d++)
    same = td_shape(got)[d] == td_shape(want)[d];
  int64_t n = td_numel(want), a = 0;
  double *x = malloc(8 * (size_t)n + 8), *y = malloc(8 * (size_t)n + 8);
  if (same && !td_read_f64(got, x) && !td_read_f64(want, y))
    while (a < n && (x[a] == y[a] || (isnan(x[a]) && isnan(y[a])))) a++;
  if (!same || a < n)
    FAIL("%s: %s (%d dims) came back as %s (%d dims), value %d differs", where,
         td_dtype_name(dt), td_ndim(want), td_dtype_name(td_type(got)),
         td_ndim(got), (int)a);
  free(x);
  free(y);
}

static void round_trip(const char *name, td_tensor *t, td_dtype back) {
  td_archive in = { 0 }, out = { 0 };
  const char *path = io_path(name);
  td_status st = TD_OK;
  td_archive_add(&in, "x", 1, t);
  if (io_has(name, ".safetensors")) st = td_safetensors_write(path, &in);
  else if (io_has(name, ".npz")) st = td_npz_write(path, &in, io_has(name, "pack"));
  else if (io_has(name, ".idx")) st = td_idx_write(path, t);
  else st = td_npy_write(path, t);
  td_archive_free(&in);
  if (st || io_read(path, &out)) FAIL("%s: %s", name, td_error());
  else check_same(out.t[0], t, back, name);
  td_archive_free(&out);
}

TEST(every_type_and_shape) {
  static const char *const names[] = { "x.npy", "x.npy.gz", "x.npz", "pack.npz",
    "x.safetensors", "x.idx", "x.idx.gz" };
  for (int dt = 0; dt < TD_DTYPE_COUNT; dt++)
    for (int s = 0; s < SHAPES; s++)
      for (int how = 0; how < 4; how++) {
        if (how == 3 && shapes[s].n != 1) continue;
        int mark = td_scope_open();
        td_tensor *t = layout(counted((td_dtype)dt, shapes[s].n, shapes[s].v), how);
        for (size_t f = 0; t && f < sizeof names / sizeof *names; f++) {
          bool idx = io_has(names[f], ".idx");
          td_dtype back = dt == TD_BF16 && f != 4 ? TD_F32 :
            idx && dt == TD_BOOL ? TD_U8 : (td_dtype)dt;
          if (!idx || dt != TD_I64) round_trip(names[f], t, back);
        }
        CHECK(t);
        td_scope_close(mark);
      }
}

TEST(idx_has_no_i64) {
  td_tensor *t = counted(TD_I64, 1, (int64_t[]){ 3 });
  CHECK_INT(td_idx_write(io_path("l.idx"), t), TD_EDTYPE);
  CHECK_ERROR(TD_EDTYPE, "IDX files have no i64");
  CHECK(access(io_path("l.idx"), F_OK));
}

/* ---- files of other programs ---- */

static td_tensor *wanted(td_dtype dt) {
  return counted(dt, 3, (int64_t[]){ 2, 3, 4 });
}

/* What NumPy's types become here. */
static const struct { const char *name; td_dtype dt; } kinds[] = {
  { "f2", TD_F32 }, { "f4", TD_F32 }, { "f8", TD_F64 }, { "i1", TD_I32 },
  { "i2", TD_I32 }, { "i4", TD_I32 }, { "i8", TD_I64 }, { "u1", TD_U8 },
  { "u2", TD_I32 }, { "u4", TD_I64 }, { "b1", TD_BOOL }, { "big_f4", TD_F32 },
  { "big_i2", TD_I32 }, { "big_i8", TD_I64 }, { "fortran", TD_F32 },
  { "name/\xc3\xbc", TD_I32 },
};

static td_tensor *expected(const char *name, td_dtype dt) {
  td_tensor *t = wanted(dt);
  int64_t wrap = !strcmp(name, "u2") ? 1 << 16 : !strcmp(name, "u4") ? 1LL << 32 : 0;
  return wrap ? td_where(td_lt(t, td_int(0)), td_add(t, td_int(wrap)), t) : t;
}

static void check_kinds(const td_archive *a, const char *path) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    td_tensor *t = io_named(a, kinds[i].name);
    if (t) check_same(t, td_cast(expected(kinds[i].name, kinds[i].dt), kinds[i].dt),
                      kinds[i].dt, kinds[i].name);
    else if (i < 11) FAIL("%s has no %s", path, kinds[i].name);
  }
  td_tensor *u8 = td_sub(io_named(a, "u8"), td_int(5));
  check_same(u8, wanted(TD_I64), TD_I64, "u8");
  check_same(io_named(a, "zero_dim"), td_full(td_cpu(), TD_F32, 0, NULL, 7.5),
             TD_F32, "zero_dim");
  td_tensor *empty = io_named(a, "empty");
  REQUIRE(empty);
  CHECK_INT(td_ndim(empty), 2);
  CHECK_INT(td_shape(empty)[1], 3);
}

TEST(files_of_numpy) {
  td_archive a = { 0 };
  const double special[] = { NAN, INFINITY, -INFINITY, -0., 1e-40f };
  const double halves[] = { 65504, -65504, 0x1p-24, 0x1p-14, INFINITY, -INFINITY,
    NAN, -0., 0.333251953125 };
  REQUIRE(!td_npz_read(DATA "numpy.npz", &a));
  check_kinds(&a, "numpy.npz");
  CHECK_VALUES(io_named(&a, "special"), 5, special, 0);
  CHECK_VALUES(io_named(&a, "halves"), 9, halves, 0);
  CHECK_INT(td_ndim(io_named(&a, "eight")), 8);
  CHECK_STR(a.name[0], "f2");
  td_archive_free(&a);
  REQUIRE(!td_npz_read(DATA "numpy_packed.npz", &a));
  CHECK_INT(a.n, 4);
  check_same(io_named(&a, "fortran"), wanted(TD_F32), TD_F32, "packed");
  td_archive_free(&a);
  REQUIRE(!td_npz_read(DATA "streamed.npz", &a));
  CHECK_INT(a.n, 1);
  check_same(io_named(&a, "x"), wanted(TD_F32), TD_F32, "streamed");
  td_archive_free(&a);
  REQUIRE(!td_npz_read(DATA "zip64.npz", &a));
  check_same(io_named(&a, "x"), wanted(TD_F32), TD_F32, "zip64");
  td_archive_free(&a);
  check_same(td_npy_read(DATA "numpy.npy", false), wanted(TD_F64), TD_F64, "npy 1.0");
  check_same(td_npy_read(DATA "numpy_v2.npy", false), wanted(TD_I32), TD_I32, "npy 2.0");
  check_same(td_npy_read(DATA "numpy_v3.npy", false), wanted(TD_F32), TD_F32, "npy 3.0");
}

TEST(what_numpy_has_and_tensors_have_not) {
  CHECK(!td_npy_read(DATA "numpy_text.npy", false));
  CHECK_ERROR(TD_EIO, "numpy_text.npy: npy header, offset 20: element type '<U2'");
  CHECK(!td_npy_read(DATA "numpy_complex.npy", false));
  CHECK_ERROR(TD_EIO, "element type '<c16' is not supported");
  CHECK(!td_npy_read(DATA "numpy_record.npy", false));
  CHECK_ERROR(TD_EIO, "records are not supported");
  CHECK(!td_npy_read(DATA "numpy_u8_large.npy", false));
  CHECK_ERROR(TD_EIO, "element 1 is above 9223372036854775807");
  td_archive a = { 0 };
  CHECK(td_npz_read(DATA "bzip2.npz", &a));
  CHECK_ERROR(TD_EIO, "bzip2.npz, entry 'x': is packed by zip method 12");
}

TEST(files_of_safetensors) {
  td_archive a = { 0 };
  REQUIRE(!td_safetensors_read(DATA "python.safetensors", &a));
  check_kinds(&a, "python.safetensors");
  check_same(io_named(&a, "quote \" back \\ tab \t \xc3\xbc \xe2\x82\xac"),
             wanted(TD_I32), TD_I32, "a name with escapes");
  REQUIRE(a.nnote == 2);
  for (int i = 0; i < 2; i++) {
    bool made = !strcmp(a.note[2 * i], "made by");
    CHECK_STR(a.note[2 * i], made ? "made by" : "line\nbreak");
    CHECK_STR(a.note[2 * i + 1], made ? "python" : "\"\xc3\xbc\"");
  }
  td_archive_free(&a);
}

TEST(names_and_notes_come_back) {
  static const char *const names[] = { "b.weight", "a", "\"\\/\b\f\n\r\t\x01\x7f",
    "\xf0\x9f\x8c\x8a", "" };
  td_archive a = { 0 }, b = { 0 };
  td_dtype types[] = { TD_BOOL, TD_BF16, TD_F64, TD_U8, TD_F32 };
  for (int i = 0; i < 5; i++)
    td_archive_add(&a, names[i], strlen(names[i]),
                   counted(types[i], 2, (int64_t[]){ 3, i }));
  td_archive_note(&a, "k", 1, "v\"\n\xc3\xbc", 5);
  td_archive_note(&a, "", 0, "", 0);
  REQUIRE(!td_safetensors_write(io_path("n.safetensors"), &a));
  REQUIRE(!td_safetensors_read(io_path("n.safetensors"), &b));
  CHECK_INT(b.nnote, 2);
  CHECK_STR(b.note[1], "v\"\n\xc3\xbc");
  for (int i = 0; i < 5; i++) {
    CHECK_STR(b.name[i], names[i]);
    check_same(b.t[i], a.t[i], types[i], names[i]);
  }
  td_archive_free(&b);
  REQUIRE(!td_npz_write(io_path("n.npz"), &a, false));
  REQUIRE(!td_npz_read(io_path("n.npz"), &b));
  for (int i = 0; i < 5; i++) CHECK_STR(b.name[i], names[i]);
  td_archive_free(&b);
  td_archive_add(&a, "a", 1, a.t[0]);
  CHECK(td_npz_write(io_path("twice.npz"), &a, false));
  CHECK_ERROR(TD_EIO, "the name 'a' stands twice");
  CHECK(td_safetensors_write(io_path("twice.safetensors"), &a));
  CHECK_ERROR(TD_EIO, "the name 'a' stands twice");
  free(a.name[5]);
  a.name[5] = strdup("bad \xff");
  CHECK(td_npz_write(io_path("bad.npz"), &a, false));
  CHECK_ERROR(TD_EARG, "not UTF-8");
  CHECK(td_safetensors_write(io_path("bad.safetensors"), &a));
  CHECK_ERROR(TD_EARG, "not UTF-8");
  free(a.name[5]);
  a.name[5] = strdup("__metadata__");
  CHECK(td_safetensors_write(io_path("bad.safetensors"), &a));
  CHECK_ERROR(TD_EARG, "__metadata__");
  td_archive_free(&a);
}

/* A zip directory counts to 65,534; what has more needs the zip64 fields. */
TEST(many_tensors) {
  enum { MANY = 70000 };
  static const char *const last[] = { "69999", NULL };
  td_archive a = { 0 }, b = { .only = last };
  td_tensor *t = counted(TD_U8, 1, (int64_t[]){ 1 });
  char name[16];
  for (int i = 0; i < MANY; i++) {
    int n = snprintf(name, sizeof name, "%d", i);
    REQUIRE(!td_archive_add(&a, name, (size_t)n, t));
  }
  for (int i = 0; i < 2; i++) {
    const char *path = io_path(i ? "many.safetensors" : "many.npz");
    REQUIRE(!(i ? td_safetensors_write(path, &a) : td_npz_write(path, &a, false)));
    REQUIRE(!io_read(path, &b));
    CHECK_INT(b.n, 1);
    td_archive_free(&b);
    b.only = NULL;
    REQUIRE(!io_read(path, &b));
    CHECK_INT(b.n, MANY);
    CHECK_STR(b.name[1234], "1234");
    td_archive_free(&b);
    b.only = last;
    CHECK(!unlink(path));
  }
  td_archive_free(&a);
}

TEST(large_ones_are_skipped) {
  static const char *const last[] = { "z", NULL };
  td_archive a = { 0 }, b = { .only = last };
  td_archive_add(&a, "a", 1, counted(TD_F64, 1, (int64_t[]){ 100000 }));
  td_archive_add(&a, "z", 1, wanted(TD_F32));
  REQUIRE(!td_safetensors_write(io_path("s.safetensors"), &a));
  REQUIRE(!td_safetensors_read(io_path("s.safetensors"), &b));
  CHECK_INT(b.n, 1);
  check_same(b.t[0], a.t[1], TD_F32, "skipped");
  td_archive_free(&a);
  td_archive_free(&b);
}

TEST(only_some_tensors) {
  static const char *const some[] = { "f8", "zero_dim", NULL };
  static const char *const more[] = { "f8", "nothing", NULL };
  static const char *const files[] = { DATA "numpy.npz", DATA "python.safetensors" };
  for (int i = 0; i < 2; i++) {
    td_archive a = { .only = some };
    REQUIRE(!io_read(files[i], &a));
    CHECK_INT(a.n, 2);
    check_same(io_named(&a, "f8"), wanted(TD_F64), TD_F64, files[i]);
    td_archive_free(&a);
    a.only = more;
    CHECK(io_read(files[i], &a));
    CHECK_ERROR(TD_EIO, "there is no tensor 'nothing'");
  }
}

TEST(idx_files) {
  static const struct { const char *path; td_dtype dt; } files[] = {
    { DATA "u1.idx", TD_U8 }, { DATA "i1.idx", TD_I32 }, { DATA "i2.idx", TD_I32 },
    { DATA "i4.idx", TD_I32 }, { DATA "f4.idx", TD_F32 }, { DATA "f8.idx", TD_F64 },
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    check_same(td_idx_read(files[i].path, false), wanted(files[i].dt), files[i].dt,
               files[i].path);
  td_tensor *t = td_idx_read(DATA "train-images-idx3-ubyte.gz", false);
  REQUIRE(t);
  CHECK_INT(td_shape(t)[0], 6);
  CHECK_INT(((unsigned char *)td_data_cpu(t))[4000], 4000 % 251);
}

/* ---- damaged files ---- */

static void refuse(const char *name, const void *p, size_t n, const char *part) {
  td_archive a = { 0 };
  io_write(io_path(name), p, n);
  if (!io_read(io_path(name), &a)) {
    FAIL("%s was read; it should fail with \"%s\"", name, part);
    td_archive_free(&a);
    return;
  }
  CHECK_HAS(td_error(), name);
  CHECK_ERROR(TD_EIO, part);
}

static size_t make_npy(char *p, const char *header, size_t data) {
  size_t n = strlen(header);
  memcpy(p, "\x93NUMPY\1\0", 8);
  p[8] = (char)(n & 255);
  p[9] = (char)(n >> 8);
  memcpy(p + 10, header, n);
  memset(p + 10 + n, 1, data);
  return 10 + n + data;
}

TEST(npy_headers) {
  static const struct { const char *header, *part; size_t data; } bad[] = {
    { "", "expected '{'", 8 },
    { "{", "expected a string", 8 },
    { "{}", "is missing", 8 },
    { "{'descr': '<f4'}", "is missing", 8 },
    { "{'descr': '<f4', 'shape': (2,), 'fortran_order': 0}", "True or False", 8 },
    { "{'descr': '<f4', 'shape': (2, 'fortran_order': False}", "a size", 8 },
    { "{'descr': '<f4', 'shape': (2,", "expected a size", 8 },
    { "{'descr': '<f4", "does not belong", 8 },
    { "{'descr': '<f40', 'shape': (), 'fortran_order': True}", "'<f40' is not", 4 },
    { "{'descr': 'f', 'shape': (), 'fortran_order': True}", "'f' is not", 4 },
    { "{'descr': '', 'shape': (), 'fortran_order': True}", "'' is not", 4 },
    { "{'descr': '|O', 'shape': (), 'fortran_order': True}", "'|O' is not", 4 },
    { "{'descr': '<w2', 'shape': (), 'fortran_order': True}", "'<w2' is not", 4 },
    { "{'descr': '<f4', 'descr': '<f4'}", "stands twice", 4 },
    { "{'what': '<f4'}", "not known", 4 },
    { "{'descr': '<f4', 'shape': (3,), 'fortran_order': True}",
      "npy data needs 12 bytes at offset 64", 11 },
    { "{'descr': '<f4', 'shape': (-1,), 'fortran_order': True}", "a size", 8 },
    { "{'descr': '<f4', 'shape': (99999999999999999999,), 'fortran_order': True}",
      "too large", 8 },
    { "{'descr': '<f4', 'shape': (4611686018427387904, 4), 'fortran_order': True}",
      "the shape is too large", 8 },
    { "{'descr': '|u1', 'shape': (0, 4294967296, 16777217), 'fortran_order': True}",
      "the shape is too large", 8 },
    { "{'descr': '<f8', 'shape': (72057594037927935,), 'fortran_order': True}",
      "npy data needs 576460752303423480 bytes", 8 },
    { "{'descr': '<f4', 'shape': (1,1,1,1,1,1,1,1,1), 'fortran_order': True}",
      "more than 8 dims", 8 },
    { "{'descr': '<f4', 'shape': (), 'fortran_order': True} x", "text after", 4 },
  };
  char p[512];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    refuse("h.npy", p, make_npy(p, bad[i].header, bad[i].data), bad[i].part);
  size_t n = make_npy(p, "{'descr': '<f4', 'shape': (), 'fortran_order': True}", 4);
  p[12] = 0;
  refuse("h.npy", p, n, "NUL byte");
  p[6] = 9;
  refuse("h.npy", p, n, "npy version 9.0");
  refuse("h.npy", "\x89PNG\r\n\x1a\n1234", 12, "it starts like a PNG picture");
  refuse("h.npy", "", 0, "npy header needs 10 bytes at offset 0");
  make_npy(p, "{'descr': '|b1', 'shape': (3,), 'fortran_order': False,}", 3);
  memcpy(p + 10 + 56, "\0\2\xff", 3);          /* only 0 and 1 may be inside */
  io_write(io_path("b.npy"), p, 10 + 56 + 3);
  td_tensor *t = td_npy_read(io_path("b.npy"), false);
  CHECK(t && !memcmp(td_data_cpu(t), "\0\1\1", 3));
}

static void refuse_header(const char *json, const char *part) {
  unsigned char p[1024] = { 0 };
  size_t n = strlen(json);
  p[0] = (unsigned char)n;
  p[1] = (unsigned char)(n >> 8);
  memcpy(p + 8, json, n);
  refuse("h.safetensors", p, 8 + n + 8, part);
}

TEST(safetensors_headers) {
#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
  refuse_header("", "expected '{'");
  refuse_header("{" A, "expected '}'");
  refuse_header("{" A "}x", "text after the header");
  refuse_header("{" A ",}", "offset 62: expected '\"'");
  refuse_header("{" A "," A "}", "'a' stands twice");
  refuse_header("{\"a", "a string does not end");
  refuse_header("{\"a\\", "a string does not end");
  refuse_header("{\"a\\u12", "a damaged \\u escape");
  refuse_header("{\"\\ud83c\":{}}", "not UTF-8");
  refuse_header("{\"\\ud83c\\u0041\":{}}", "a damaged \\u escape");
  refuse_header("{\"\\u0000\":{}}", "not UTF-8");
  refuse_header("{\"\xff\":{}}", "not UTF-8");
  refuse_header("{\"\xc0\xaf\":{}}", "not UTF-8");
  refuse_header("{\"\\q\":{}}", "an escape");
  refuse_header("{\"a\n\":{}}", "control character");
  refuse_header("{\"a\":[[[[[[[[[[[[[[[[[[", "expected '{'");
  refuse_header("{\"a\":{\"dtype\":{\"x\":1}}}", "expected '\"'");
  refuse_header("{\"a\":{\"dtype\":\"F32\"}}", "is missing");
  refuse_header("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", "stands twice");
  refuse_header("{\"a\":{\"dtype\":\"F8_E4M3\"}}", "type 'F8_E4M3' is not");
  refuse_header("{\"a\":{\"shape\":[1,]}}", "expected a whole number");
  refuse_header("{\"a\":{\"shape\":[-1]}}", "expected a whole number");
  refuse_header("{\"a\":{\"shape\":[1.5]}}", "expected ']'");
  refuse_header("{\"a\":{\"shape\":[1,1,1,1,1,1,1,1,1]}}", "list is too long");
  refuse_header("{\"a\":{\"shape\":[99999999999999999999]}}", "too large");
  refuse_header("{\"a\":{\"data_offsets\":[0]}}", "two numbers");
  refuse_header("{\"a\":{\"more\":1}}", "a field that is not");
  refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",
                "its shape takes 12 bytes, its data_offsets span 8");
  refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
                "span -8");
  refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],"
                "\"data_offsets\":[0,8]}}", "the shape is too large");
  refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
                "starts at data offset 4, but the one before it ends at 0");
  refuse_header("{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
                "\"data_offsets\":[4,12]}}", "the one before it ends at 8");
  refuse_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]}}",
                "safetensors data needs 9 bytes");
  refuse_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[0,7]}}",
                "there are bytes after offset");
  refuse_header("{\"__metadata__\":{\"a\":1}}", "expected '\"'");
  refuse_header("{\"__metadata__\":{},\"__metadata__\":{}}", "stands twice");
  unsigned char p[16] = "\xff\xff\xff\xff\xff\xff\xff\xff{}";
  refuse("h.safetensors", p, 10, "18446744073709551615 bytes long");
  memset(p + 3, 0, 5);
  refuse("h.safetensors", p, 10, "header needs 16777215 bytes at offset 8");
  static const char wave[] = "\x24\0\0\0\0\0\0\0{\"__metadata__\":{\"\":\"\\ud83C\\udf0a\"}}";
  td_archive a = { 0 };
  io_write(io_path("1.safetensors"), wave, 8 + 0x24);
  REQUIRE(!td_safetensors_read(io_path("1.safetensors"), &a) && a.nnote == 1);
  CHECK_STR(a.note[1], "\xf0\x9f\x8c\x8a");
  td_archive_free(&a);
  io_write(io_path("0.safetensors"), "\2\0\0\0\0\0\0\0{}", 10);
  CHECK(!td_safetensors_read(io_path("0.safetensors"), &a) && a.n == 0);
  td_archive_free(&a);
}

/* Puts a value of `bytes` bytes into a copy of an npz file. */
static void refuse_npz(const char *from, const char *sign, int at, int bytes,
                       uint64_t v, const char *part) {
  size_t n;
  unsigned char *p = io_slurp(from, &n);
  for (size_t i = n - 4; p && i < n; i--) {
    if (memcmp(p + i, sign, 4)) continue;
    for (int b = 0; b < bytes; b++) p[i + (size_t)(at + b)] = (unsigned char)(v >> 8 * b);
    break;
  }
  refuse("h.npz", p, n, part);
  free(p);
}

TEST(npz_directories) {
  td_archive a = { 0 };
  td_archive_add(&a, "x", 1, counted(TD_F32, 1, (int64_t[]){ 5 }));
  td_archive_add(&a, "y", 1, counted(TD_F32, 1, (int64_t[]){ 5 }));
  char from[160], packed[160];
  snprintf(from, sizeof from, "%s", io_path("good.npz"));
  snprintf(packed, sizeof packed, "%s", io_path("packed.npz"));
  REQUIRE(!td_npz_write(from, &a, false) && !td_npz_write(packed, &a, true));
  td_archive_free(&a);
  static const char end[] = "PK\5\6", dir[] = "PK\1\2", local[] = "PK\3\4";
  refuse_npz(from, end, 0, 4, 0, "the directory at its end is missing");
  refuse_npz(from, end, 10, 2, 3, "directory is damaged");
  refuse_npz(from, end, 12, 4, 40, "directory is damaged");
  refuse_npz(from, end, 12, 4, 0x7fffffff, "longer than the file");
  refuse_npz(from, end, 16, 4, 0xfffffff0, "bytes at offset 4294967280");
  refuse_npz(from, end, 16, 4, 0xffffffff, "zip64 directory is missing");
  refuse_npz(from, dir, 8, 2, 1, "entry 'y': is encrypted");
  refuse_npz(from, dir, 16, 4, 1, "entry 'y': its bytes do not agree");
  refuse_npz(from, dir, 20, 4, 7, "stored, but with two sizes");
  refuse_npz(packed, dir, 20, 4, 7, "entry 'y': the compressed data is cut short");
  refuse_npz(packed, dir, 20, 4, 70000, "longer than the file");
  refuse_npz(packed, dir, 24, 4, 7, "entry 'y': its bytes do not agree");
  refuse_npz(from, dir, 24, 4, 0xffffffff, "zip64 field");
  refuse_npz(from, dir, 28, 2, 60000, "cut short");
  refuse_npz(from, dir, 42, 4, 1, "a wrong place, 1, for it");
  refuse_npz(from, dir, 42, 4, 0, "a wrong place, 0, for it");
  refuse_npz(from, dir, 46, 1, 0, "NUL byte");
  refuse_npz(from, dir, 46, 1, 'z', "entry 'z': the directory gives a wrong");
  refuse_npz(from, local, 26, 2, 60000, "a wrong place");
  refuse_npz(from, local, 28, 2, 60000, "are needed, but the file has");
  size_t n;
  unsigned char *p = io_slurp(from, &n);
  for (size_t i = 0; i + 5 < n; i++) if (!memcmp(p + i, "y.npy", 5)) p[i] = 'x';
  refuse("h.npz", p, n, "the name 'x' stands twice");
  free(p);
  refuse("h.npz", "PK", 2, "it starts like a zip or npz file");
  refuse("h.npz", "", 0, "not a whole npz file");
}

TEST(idx_headers) {
  refuse("h.idx", "\0\0\x08", 3, "IDX header needs 4 bytes");
  refuse("h.idx", "\0\0\x07\1\0\0\0\0", 8, "element type 7 is not known");
  refuse("h.idx", "\1\0\x08\1\0\0\0\0", 8, "not an IDX file");
  refuse("h.idx", "\0\0\x08\x09", 4, "9 dims; at most 8");
  refuse("h.idx", "\0\0\x08\2\0\0\0\0", 8, "IDX sizes needs 8 bytes at offset 4");
  refuse("h.idx", "\0\0\x08\1\0\0\0\2\1", 9, "IDX data needs 2 bytes at offset 8");
  refuse("h.idx", "\0\0\x08\1\0\0\0\1\1\1", 10, "there are bytes after offset 9");
  refuse("h.idx", "\0\0\x0e\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
         16, "the shape is too large");
}

/* ---- csv ---- */

static void csv(const char *text, int64_t rows, int64_t columns, const double *v,
                const char *names) {
  char *got = NULL;
  io_write(io_path("x.csv"), text, strlen(text));
  td_tensor *t = td_csv_read(io_path("x.csv"), TD_CSV_GUESS, &got);
  if (!t) {
    FAIL("\"%s\": %s", text, td_error());
    return;
  }
  CHECK_INT(td_shape(t)[0], rows);
  CHECK_INT(td_shape(t)[1], columns);
  if (v) CHECK_VALUES(t, rows * columns, v, 0);
  if (!names) CHECK(!got);
  for (int64_t i = 0; names && got && i < columns; i++) {
    const char *g = got;
    for (int64_t k = 0; k < i; k++) g += strlen(g) + 1;
    CHECK_STR(g, names);
    names += strlen(names) + 1;
  }
  free(got);
}

TEST(csv_files) {
  const double v[] = { 1, 2, 3, 4 }, odd[] = { -1.5e-3, INFINITY, NAN, NAN };
  csv("", 0, 0, NULL, NULL);
  csv("\n\n", 0, 0, NULL, NULL);
  csv("1,2\n3,4\n", 2, 2, v, NULL);
  csv("1,2\r\n3,4", 2, 2, v, NULL);
  csv("1,2\r3,4\r", 2, 2, v, NULL);
  csv("\xef\xbb\xbf" "1,2\n\n 3 ,\t4 \n\n", 2, 2, v, NULL);
  csv("\"1\",\"2\"\n3,\"4\"\n", 2, 2, v, NULL);
  csv("-1.5E-3,+inf,nan,\n", 1, 4, odd, NULL);
  csv("1\n2\n3\n4\n", 4, 1, v, NULL);
  csv("a,b\n1,2\n3,4\n", 2, 2, v, "a\0b");
  csv("\"a,\"\"x\"\"\", b c \n1,2\n", 1, 2, v, "a,\"x\"\0b c");
  csv("\"two\nlines\",b\n1,2\n", 1, 2, v, "two\nlines\0b");
  csv("a,,b\n", 0, 3, NULL, "a\0\0b");
  refuse("b.csv", "1,2\n3\n", 6, "b.csv, line 2: has 1 fields, but the first line has 2");
  refuse("b.csv", "1,2\n\n3,x4\n", 10, "b.csv, line 3, column 2: 'x4' is not a number");
  refuse("b.csv", "a,b\n1,2\n3,4,5\n", 14, "line 3: has 3 fields");
  refuse("b.csv", "a,2\n1,2\n", 8, "line 1, column 1: 'a' is not a number, but other");
  refuse("b.csv", "1;2\n3;4\n", 8, "column 1: '3;4' is not a number; fields must be");
  refuse("b.csv", "0x10\n1\n0x10\n", 12, "line 3, column 1: '0x10'");
  refuse("b.csv", "1\n1 2\n", 6, "line 2, column 1: '1 2'");
  refuse("b.csv", "1\n\"1", 4, "line 2, column 1: a quote that does not end");
  refuse("b.csv", "1\n\"1\"2", 6, "text after a quote");
  refuse("b.csv", "1\0,2", 4, "line 1, column 1: a NUL byte");
}

TEST(csv_written) {
  const double special[] = { NAN, -NAN, INFINITY, -INFINITY, .1, 1. / 3, 1e300,
    5e-324, -0., 123456789012345678., 1e21, 3 };
  char *names = NULL;
  td_tensor *t = td_empty(td_cpu(), TD_F64, 2, (int64_t[]){ 4, 3 });
  td_write_f64(t, special);
  REQUIRE(!td_csv_write(io_path("s.csv"), t, "a,b,c"));
  check_same(td_csv_read(io_path("s.csv"), TD_CSV_GUESS, &names), t, TD_F64, "csv");
  CHECK_STR(names, "a");
  free(names);
  CHECK(!td_csv_read(io_path("s.csv"), TD_CSV_NUMBERS, &names));
  CHECK_ERROR(TD_EIO, "line 1, column 1: 'a' is not a number");
  td_tensor *f = td_cast(td_div(td_arange(td_cpu(), TD_F64, 0, 1, 1000),
                                td_num(7)), TD_F32);
  REQUIRE(!td_csv_write(io_path("f.csv.gz"), f, NULL));
  td_tensor *g = td_csv_read(io_path("f.csv.gz"), TD_CSV_GUESS, &names);
  check_same(td_cast(g, TD_F32), td_reshape(f, TD_INTS(1000, 1)), TD_F32, "f32");
  for (int dt = TD_BOOL; dt <= TD_I64; dt++) {
    t = counted((td_dtype)dt, 2, (int64_t[]){ 50, 7 });
    REQUIRE(!td_csv_write(io_path("i.csv"), t, NULL));
    g = td_csv_read(io_path("i.csv"), TD_CSV_GUESS, &names);
    check_same(td_cast(g, (td_dtype)dt), t, (td_dtype)dt, "integers as csv");
  }
  CHECK(td_csv_write(io_path("c.csv"), wanted(TD_F32), NULL));
  CHECK_ERROR(TD_ESHAPE, "(rows, columns), not (2,3,4)");
  t = td_csv_read(io_path("s.csv"), TD_CSV_NAMES, &names);
  CHECK_INT(td_shape(t)[0], 4);
  free(names);
}

TEST(csv_in_another_locale) {
  static const char *const tries[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8" };
  char *names = NULL;
  char command[200];
  bool set = false;
  snprintf(command, sizeof command, "localedef -f UTF-8 -i de_DE '%s/de_DE.UTF-8' "
           "2>/dev/null", io_folder);
  for (int i = 0; i < 3 && !set; i++) set = setlocale(LC_NUMERIC, tries[i]);
  if (!set && !system(command)) {
    setenv("LOCPATH", io_folder, 1);
    set = setlocale(LC_NUMERIC, "de_DE.UTF-8");
  }
  td_tensor *t = td_full(td_cpu(), TD_F64, 1, (int64_t[]){ 2 }, 1.5);
  REQUIRE(!td_csv_write(io_path("d.csv"), t, NULL));
  const double v[] = { 1.5, 1.5 };
  CHECK_VALUES(td_csv_read(io_path("d.csv"), TD_CSV_GUESS, &names), 2, v, 0);
  setlocale(LC_NUMERIC, "C");
  if (!set) SKIP("no locale with a decimal comma");
}
