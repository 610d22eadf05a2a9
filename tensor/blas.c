/* blas.c -- matrix products and distances on the CPU: how they are cut.
**
** The kernels are in cpu_gemm.c, and in cpu_product.c for products with a side of
** at most TD_SKINNY; here a product is cut into tiles, one thread each.  Of
** OpenBLAS only the decompositions of lapack.c are used. */
#include "blas.h"
#include <math.h>
#include <string.h>
#include "op.h"
#include "pool.h"

extern void openblas_set_num_threads(int n);
extern char *openblas_get_config(void);

#define COPIES(type, name) \
  extern const type name##_base __attribute__((weak)); \
  extern const type name##_v3 __attribute__((weak)); \
  extern const type name##_v4 __attribute__((weak));
/* only the choice is borrowed, not the type */
#define PICK(name) \
  (const void *)td_cpu_pick((const void *)&name##_base, (const void *)&name##_v3, \
                            (const void *)&name##_v4)
COPIES(td_products, td_cpu_products)
COPIES(td_gemms, td_cpu_gemms)
static const td_products *products;     /* those of this machine */
static const td_gemms *gemms;
_Thread_local bool td__in_tile;

void td__blas_pin(void) {
  if (products) return;
  openblas_set_num_threads(1);
  gemms = PICK(td_cpu_gemms);
  products = PICK(td_cpu_products);
}

const char *td_blas_describe(void) { return openblas_get_config(); }

const td_products *td__products(void) {
  td__blas_pin();
  return products;
}

/* ---- one product: c (m,n) = alpha a b + beta c + bias ---- */

typedef struct gemm {
  td_dtype dt;
  int64_t m, n, k;
  double alpha, beta;
  const char *a, *b, *bias;
  char *c;
  int64_t ai, ak, bk, bj, ldc;
  int64_t tm, tn, tk;           /* size of a tile; tk < k: partial sums */
  int64_t nm, nn;               /* tiles along m and n */
  char *part;                   /* partial sums, (k / tk, m, n) */
} gemm;

enum {
  SPLITS = 16,                  /* most partial sums along k */
  K_LEAST = 2048,               /* of a partial sum */
  ROUND = 16,                   /* tiles begin at multiples of this */
};
#define PARALLEL_FLOP 2e6       /* below: not worth waking threads for */
#define TILE_FLOP 4e6           /* least work of a tile */

static double flop(double m, double n, double k) { return 2 * m * n * k; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }

/* n cut into equal parts of at most `size`: the size of a part. */
static int64_t even(int64_t n, int64_t size) {
  int64_t part = pieces(n, pieces(n, size));
  part = pieces(part, ROUND) * ROUND;
  return least(part, n);
}

#define BLOCK(real, type, function) do { \
    td_block_##type p = { mi, nj, kk, (const real *)g->a + i * g->ai + k0 * g->ak, \
      (const real *)g->b + k0 * g->bk + j * g->bj, (real *)c, g->ai, g->ak, \
      g->bk, g->bj, ldc, (real)g->alpha, (real)beta, \
      g->bias && !g->part ? (const real *)g->bias + j : NULL }; \
    function(&p); \
  } while (0)
/* The part of c from (i, j), mi by nj, over k from k0 for kk. */
static void compute(const gemm *g, int64_t i, int64_t mi, int64_t j, int64_t nj,
                    int64_t k0, int64_t kk, double beta, char *c, int64_t ldc) {
  if (g->dt == TD_F64) BLOCK(double, f64, gemms->f64);
  else BLOCK(float, f32, gemms->f32);
}

#define ADD_BIAS(real) \
  for (int64_t r = i; r < i + mi; r++) \
    for (int64_t q = j; q < j + nj; q++) \
      ((real *)g->c)[r * g->ldc + q] += ((const real *)g->bias)[q]
#define SKINNY(real, type) do { \
    td_skinny_##type s = { mi, nj, g->k, (real)g->alpha, (real)g->beta, \
      (const real *)g->a + i * g->ai, (const real *)g->b + j * g->bj, \
      (real *)g->c + i * g->ldc + j, g->ai, g->ak, g->bk, g->bj, g->ldc, 1 }; \
    products->skinny_##type(&s); \
    if (g->bias) ADD_BIAS(real); \
  } while (0)
static void compute_skinny(const gemm *g, int64_t i, int64_t mi, int64_t j,
                           int64_t nj) {
  if (g->dt == TD_F64) SKINNY(double, f64); else SKINNY(float, f32);
}

/* Long enough along another side for the loops to pay, and contiguous somehow.  The
** few rows of a last tile are computed as the others were. */
static bool is_skinny(const gemm *g) {
  if (g->k <= TD_SKINNY) return g->n >= 8;
  if (g->k < 16) return false;
  if (g->n <= TD_SKINNY) return g->ai == 1 || g->ak == 1;
  return g->m <= TD_SKINNY && !td__in_tile && (g->bk == 1 || g->bj == 1);
}

/* A tile of the result, or of one partial sum. */
static void tile(void *ctx, int64_t t) {
  const gemm *g = ctx;
  if (td_interrupt_flag) return;
  int64_t s = t / (g->nm * g->nn);
  int64_t i = t / g->nn % g->nm * g->tm, mi = least(g->tm, g->m - i);
  int64_t j = t % g->nn * g->tn, nj = least(g->tn, g->n - j);
  if (is_skinny(g)) {
    compute_skinny(g, i, mi, j, nj);
  } else if (!g->part) {
    compute(g, i, mi, j, nj, 0, g->k, g->beta, g->c + (i * g->ldc + j) *
            (int64_t)td_dtype_size(g->dt), g->ldc);
  } else {
    int64_t k = s * g->tk;
    compute(g, i, mi, j, nj, k, least(g->tk, g->k - k), 0, g->part +
            ((s * g->m + i) * g->n + j) * (int64_t)td_dtype_size(g->dt), g->n);
  }
}

#define ADD_PARTS(real) do { \
    const real *p = (const real *)g->part + i * g->n; \
    real *c = (real *)g->c + i * g->ldc; \
    for (int64_t j = 0; j < g->n; j++) { \
      real s = 0; \
      for (int64_t k = 0; k < np; k++) s += p[k * g->m * g->n + j]; \
      if (g->beta != 0) s += (real)g->beta * c[j]; \
      c[j] = g->bias ? s + ((const real *)g->bias)[j] : s; \
    } \
  } while (0)
static void add_parts(const gemm *g, int64_t np) {
  for (int64_t i = 0; i < g->m; i++)
    if (g->dt == TD_F64) ADD_PARTS(double); else ADD_PARTS(float);
}

int64_t td_product_tile(int64_t m) {
  return m >= 2048 ? 512 : m >= 256 ? 128 : m > 128 ? 64 : m;
}

/* How many tiles: each costs a packing of its operands, so no more than keep
** some threads busy, and more only for work that takes long. */
static double tiles_wanted(double work) {
  double small = work / TILE_FLOP, medium = work / (8 * TILE_FLOP);
  if (small > 2) small = 2;
  if (medium > 8) medium = 8;
  return fmax(fmax(small, medium), work / 1e9);
}

static void plan(gemm *g) {
  double want = tiles_wanted(flop((double)g->m, (double)g->n, (double)g->k));
  int64_t tn = g->n;
  g->tm = td_product_tile(g->m);
  while (g->tm == g->m && (double)(pieces(g->m, g->tm) * pieces(g->n, tn)) * 1.01 < want &&
         tn > 2 * ROUND) tn = (tn + 1) / 2;
  g->tn = even(g->n, tn);
}

/* Skinny: pieces of the long side. */
static void plan_skinny(gemm *g) {
  double row = 2 * (double)g->k;
  if (g->m >= g->n) row *= (double)g->n; else row *= (double)g->m;
  int64_t size = (int64_t)(PARALLEL_FLOP / 4 / row) + 1;
  size = pieces(size, 64) * 64;
  g->tm = g->m >= g->n ? least(size, g->m) : g->m;
  g->tn = g->m >= g->n ? g->n : least(size, g->n);
}

/* Few tiles over a long k: partial sums, added in their order. */
static int64_t split_k(gemm *g) {
  int64_t tiles = g->nm * g->nn;
  if (is_skinny(g) || g->k < 2 * K_LEAST || tiles > SPLITS / 2) return 1;
  int64_t np = least(SPLITS / tiles, g->k / K_LEAST);
  g->tk = pieces(g->k, np);
  np = pieces(g->k, g->tk);
  g->part = td__scratch((size_t)(np * g->m * g->n) * td_dtype_size(g->dt));
  return g->part ? np : 1;      /* without memory: one long sum */
}

/* k is 0: nothing but beta and the bias. */
#define SCALE(real) do { \
    real *c = (real *)g->c + i * g->ldc + j; \
    *c = (g->beta == 0 ? 0 : *c * (real)g->beta) + \
      (g->bias ? ((const real *)g->bias)[j] : 0); \
  } while (0)
static void scale_c(const gemm *g) {
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++)
      if (g->dt == TD_F64) SCALE(double); else SCALE(float);
}

/* On the calling thread alone. */
static void gemm_small(const gemm *g) {
  if (!g->k) scale_c(g);
  else if (is_skinny(g)) compute_skinny(g, 0, g->m, 0, g->n);
  else compute(g, 0, g->m, 0, g->n, 0, g->k, g->beta, g->c, g->ldc);
}

static void gemm_run(gemm *g) {
  td__blas_pin();
  if (!g->m || !g->n) return;
  if (td__in_tile || flop((double)g->m, (double)g->n, (double)g->k) < PARALLEL_FLOP) {
    gemm_small(g);
    return;
  }
  if (is_skinny(g)) plan_skinny(g); else plan(g);
  g->nm = pieces(g->m, g->tm);
  g->nn = pieces(g->n, g->tn);
  int64_t np = split_k(g);
  td_parallel(g->nm * g->nn * np, tile, g);
  if (!g->part) return;
  add_parts(g, np);
  td__scratch_drop(g->part);
}

#define GEMM(type, id) \
  void td_gemm_##type(const td_block_##type *p) { \
    gemm g = { .dt = id, .m = p->m, .n = p->n, .k = p->k, .alpha = p->alpha, \
      .beta = p->beta, .a = (const char *)p->a, .b = (const char *)p->b, \
      .bias = (const char *)p->bias, .c = (char *)p->c, .ai = p->ai, .ak = p->ak, \
      .bk = p->bk, .bj = p->bj, .ldc = p->ldc }; \
    gemm_run(&g); \
  }
GEMM(f32, TD_F32)
GEMM(f64, TD_F64)

/* ---- integers: they wrap ---- */

#define INTEGER_MM(type) do { \
    type *y = (type *)out->data + s * m * n; \
    const type *p = (const type *)a->data + (da ? s * a->stride[0] : 0); \
    const type *q = (const type *)b->data + (db ? s * b->stride[0] : 0); \
    for (int64_t i = 0; i < m && !td_interrupt_flag; i++) \
      for (int64_t l = 0; l < k; l++) { \
        type u = p[i * a->stride[da] + l * a->stride[da + 1]]; \
        const type *v = q + l * b->stride[db]; \
        for (int64_t j = 0; j < n; j++) \
          y[i * n + j] += u * v[j * b->stride[db + 1]]; \
      } \
  } while (0)
static td_status integer_mm(const td_call *c, td_tensor *out) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  int da = a->ndim - 2, db = b->ndim - 2;
  int64_t m = a->shape[da], k = a->shape[da + 1], n = b->shape[db + 1];
  int64_t batch = da ? a->shape[0] : 1;
  memset(out->data, 0, (size_t)(batch * m * n) * td_dtype_size(out->dtype));
  for (int64_t s = 0; s < batch; s++)
    if (out->dtype == TD_I64) INTEGER_MM(uint64_t); else INTEGER_MM(uint32_t);
  return TD_OK;
}

/* ---- mm and bmm ---- */

typedef struct batched {
  gemm one;
  int64_t ab, bb;               /* elements from one matrix to the next */
  int64_t n, group;
} batched;

static gemm entry(const batched *q, int64_t i) {
  int64_t e = (int64_t)td_dtype_size(q->one.dt);
  gemm g = q->one;
  g.a += i * q->ab * e;
  g.b += i * q->bb * e;
  g.c += i * g.m * g.n * e;
  return g;
}

static void run_group(void *ctx, int64_t chunk) {
  const batched *q = ctx;
  int64_t stop = least((chunk + 1) * q->group, q->n);
  for (int64_t i = chunk * q->group; i < stop && !td_interrupt_flag; i++) {
    gemm g = entry(q, i);
    gemm_small(&g);
  }
}

/* Large matrices are cut into tiles one after the other; small ones are dealt
** out whole, some at a time. */
static void run_batched(batched *q) {
  const gemm *g = &q->one;
  double work = flop((double)g->m, (double)g->n, (double)g->k);
  if (q->n == 1 || work >= 8 * TILE_FLOP) {
    for (int64_t i = 0; i < q->n && !td_interrupt_flag; i++) {
      gemm one = entry(q, i);
      gemm_run(&one);
    }
    return;
  }
  td__blas_pin();
  if (!q->n || !g->m || !g->n) return;
  q->group = work * (double)q->n < PARALLEL_FLOP ? q->n :
    (int64_t)(PARALLEL_FLOP / 4 / (work + 1)) + 1;
  td_parallel(pieces(q->n, q->group), run_group, q);
}

/* mm and bmm: the first dim counts matrices when there are three. */
static td_status k_mm(const td_call *c, td_tensor **out) {
  const td_tensor *a = c->in[0], *b = c->in[1];
  int d = a->ndim - 2;
  td_status st = TD_OK;
  if (!td_dtype_is_float(out[0]->dtype)) {
    st = integer_mm(c, out[0]);
  } else {
    int64_t n = b->shape[d + 1];
    batched q = { .n = d ? a->shape[0] : 1,
      .ab = d ? a->stride[0] : 0, .bb = d ? b->stride[0] : 0,
      .one = { .dt = out[0]->dtype, .m = a->shape[d], .k = a->shape[d + 1],
               .n = n, .alpha = 1, .a = a->data, .b = b->data, .c = out[0]->data,
               .ai = a->stride[d], .ak = a->stride[d + 1],
               .bk = b->stride[d], .bj = b->stride[d + 1], .ldc = n } };
    run_batched(&q);
  }
  if (!st && td_interrupt_flag)
    st = td_fail(TD_EINTR, "%s: interrupted", c->op->name);
  return st;
}

/* ---- cdist ---- */

enum { CDIST_ROWS = 64, CDIST_COLS = 256 };

typedef struct cdist {
  td_dtype dt;
  const td_tensor *a, *b;
  td_tensor *y;
  int64_t cols;                 /* blocks along n */
} cdist;

#define DISTANCE(real, type) do { \
    td_distance_##type s = { mi, nj, q->a->shape[1], \
      (const real *)q->a->data + i * q->a->stride[0], \
      (const real *)q->b->data + j * q->b->stride[0], \
      (real *)q->y->data + i * n + j, q->a->stride[0], q->a->stride[1], \
      q->b->stride[0], q->b->stride[1], n }; \
    products->distance_##type(&s); \
  } while (0)
static void cdist_block(void *ctx, int64_t t) {
  const cdist *q = ctx;
  int64_t m = q->a->shape[0], n = q->b->shape[0];
  int64_t i = t / q->cols * CDIST_ROWS, mi = least(CDIST_ROWS, m - i);
  int64_t j = t % q->cols * CDIST_COLS, nj = least(CDIST_COLS, n - j);
  if (td_interrupt_flag) return;
  if (q->dt == TD_F64) DISTANCE(double, f64); else DISTANCE(float, f32);
}

static td_status k_cdist(const td_call *c, td_tensor **out) {
  cdist q = { out[0]->dtype, c->in[0], c->in[1], out[0], 0 };
  int64_t m = q.a->shape[0], n = q.b->shape[0], d = q.a->shape[1];
  if (!m || !n) return TD_OK;
  if (!d) {
    memset(out[0]->data, 0, (size_t)(m * n) * td_dtype_size(out[0]->dtype));
    return TD_OK;
  }
  td__blas_pin();
  q.cols = pieces(n, CDIST_COLS);
  int64_t blocks = pieces(m, CDIST_ROWS) * q.cols;
  if (flop((double)m, (double)n, (double)d) < PARALLEL_FLOP / 2)
    for (int64_t t = 0; t < blocks; t++) cdist_block(&q, t);
  else
    td_parallel(blocks, cdist_block, &q);
  if (td_interrupt_flag) return td_fail(TD_EINTR, "cdist: interrupted");
  return TD_OK;
}

const td_kernel_entry td_cpu_blas[] = {
  { "mm", k_mm }, { "bmm", k_mm }, { "cdist", k_cdist }, { 0 },
};
