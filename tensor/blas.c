/* blas.c -- matrix products and distances on the CPU.
**
** The only file that knows cblas.  OpenBLAS computes tiles of the result, one
** thread each; which tiles depends on the shape alone.  Products with a side of
** at most TD_SKINNY go to the loops of cpu_product.c. */
#include "blas.h"
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "op.h"
#include "pool.h"

extern void openblas_set_num_threads(int n);   /* not in every cblas.h */
extern char *openblas_get_config(void);

extern const td_products td_cpu_products_base __attribute__((weak));
extern const td_products td_cpu_products_v3 __attribute__((weak));
extern const td_products td_cpu_products_v4 __attribute__((weak));
static const td_products *products;     /* those of this machine */
_Thread_local bool td__in_tile;

void td__blas_pin(void) {
  if (products) return;
  openblas_set_num_threads(1);
  products =                    /* only the choice is borrowed, not the type */
    (const void *)td_cpu_pick((const void *)&td_cpu_products_base,
                              (const void *)&td_cpu_products_v3,
                              (const void *)&td_cpu_products_v4);
}

const char *td_blas_describe(void) { return openblas_get_config(); }

const td_products *td__products(void) {
  td__blas_pin();
  return products;
}

/* ---- one product: c (m,n) = alpha a b + beta c ---- */

typedef struct gemm {
  td_dtype dt;
  bool ta, tb;
  int64_t m, n, k;
  double alpha, beta;
  const char *a, *b;
  char *c;
  int64_t lda, ldb, ldc;
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

/* The part of c from (i, j), mi by nj, over k from k0 for kk. */
static void compute(const gemm *g, int64_t i, int64_t mi, int64_t j, int64_t nj,
                    int64_t k0, int64_t kk, double beta, char *c, int64_t ldc) {
  int64_t e = (int64_t)td_dtype_size(g->dt);
  const char *a = g->a + e * (g->ta ? k0 * g->lda + i : i * g->lda + k0);
  const char *b = g->b + e * (g->tb ? j * g->ldb + k0 : k0 * g->ldb + j);
  enum CBLAS_TRANSPOSE ta = g->ta ? CblasTrans : CblasNoTrans;
  enum CBLAS_TRANSPOSE tb = g->tb ? CblasTrans : CblasNoTrans;
  if (g->dt == TD_F64)
    cblas_dgemm(CblasRowMajor, ta, tb, (int)mi, (int)nj, (int)kk, g->alpha,
                (const double *)a, (int)g->lda, (const double *)b,
                (int)g->ldb, beta, (double *)c, (int)ldc);
  else
    cblas_sgemm(CblasRowMajor, ta, tb, (int)mi, (int)nj, (int)kk,
                (float)g->alpha, (const float *)a, (int)g->lda,
                (const float *)b, (int)g->ldb, (float)beta, (float *)c,
                (int)ldc);
}

#define SKINNY(real, type) do { \
    td_skinny_##type s = { mi, nj, g->k, (real)g->alpha, (real)g->beta, \
      (const real *)g->a + (g->ta ? i : i * g->lda), \
      (const real *)g->b + (g->tb ? j * g->ldb : j), \
      (real *)g->c + i * g->ldc + j, \
      g->ta ? 1 : g->lda, g->ta ? g->lda : 1, \
      g->tb ? 1 : g->ldb, g->tb ? g->ldb : 1, g->ldc, 1 }; \
    products->skinny_##type(&s); \
  } while (0)
static void compute_skinny(const gemm *g, int64_t i, int64_t mi, int64_t j,
                           int64_t nj) {
  if (g->dt == TD_F64) SKINNY(double, f64); else SKINNY(float, f32);
}

/* Long enough along another side for the loops to pay.  The few rows of a last
** tile are computed as the others were. */
static bool is_skinny(const gemm *g) {
  if (g->k <= TD_SKINNY) return g->n >= 8;
  return (g->n <= TD_SKINNY || (g->m <= TD_SKINNY && !td__in_tile)) && g->k >= 16;
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
      c[j] = g->beta == 0 ? s : s + (real)g->beta * c[j]; \
    } \
  } while (0)
static void add_parts(const gemm *g, int64_t np) {
  for (int64_t i = 0; i < g->m; i++)
    if (g->dt == TD_F64) ADD_PARTS(double); else ADD_PARTS(float);
}

/* BLAS treats the last rows of a call differently, hence fixed places.  A tile by
** itself is not cut again. */
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

static void scale_c(const gemm *g) {
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++)
      if (g->dt == TD_F64) {
        double *c = (double *)g->c + i * g->ldc + j;
        *c = g->beta == 0 ? 0 : *c * g->beta;
      } else {
        float *c = (float *)g->c + i * g->ldc + j;
        *c = g->beta == 0 ? 0 : *c * (float)g->beta;
      }
}

/* On the calling thread alone. */
static void gemm_small(gemm *g) {
  int64_t tm = td__in_tile ? g->m : td_product_tile(g->m), row = g->ldc * (int64_t)td_dtype_size(g->dt);
  if (!g->k) scale_c(g);
  else if (is_skinny(g)) compute_skinny(g, 0, g->m, 0, g->n);
  else
    for (int64_t i = 0; i < g->m; i += tm)
      compute(g, i, least(tm, g->m - i), 0, g->n, 0, g->k, g->beta, g->c + i * row, g->ldc);
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

void td_gemm_f32(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                 float alpha, const float *a, int64_t lda,
                 const float *b, int64_t ldb,
                 float beta, float *c, int64_t ldc) {
  gemm g = { .dt = TD_F32, .ta = ta, .tb = tb, .m = m, .n = n, .k = k,
             .alpha = alpha, .beta = beta, .a = (const char *)a,
             .b = (const char *)b, .c = (char *)c, .lda = lda, .ldb = ldb,
             .ldc = ldc };
  gemm_run(&g);
}

void td_gemm_f64(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                 double alpha, const double *a, int64_t lda,
                 const double *b, int64_t ldb,
                 double beta, double *c, int64_t ldc) {
  gemm g = { .dt = TD_F64, .ta = ta, .tb = tb, .m = m, .n = n, .k = k,
             .alpha = alpha, .beta = beta, .a = (const char *)a,
             .b = (const char *)b, .c = (char *)c, .lda = lda, .ldb = ldb,
             .ldc = ldc };
  gemm_run(&g);
}

/* ---- operands: strided tensors as BLAS wants them ---- */

typedef struct operand {
  const char *p;
  bool t;                       /* stored transposed */
  int64_t ld;
  int64_t batch;                /* elements from one matrix to the next */
  void *copy;                   /* when no layout of BLAS fits */
} operand;

/* Row-major, or with `t` column-major: one dim is contiguous and the other
** does not overlap it. */
static bool blas_layout(int64_t rows, int64_t cols, int64_t sr, int64_t sc,
                        operand *o) {
  if ((sc == 1 || cols <= 1) && (rows <= 1 || sr >= cols)) {
    o->t = false;
    o->ld = rows <= 1 ? cols : sr;
  } else if ((sr == 1 || rows <= 1) && (cols <= 1 || sc >= rows)) {
    o->t = true;
    o->ld = cols <= 1 ? rows : sc;
  } else {
    return false;
  }
  if (o->ld < 1) o->ld = 1;
  return o->ld <= INT_MAX;
}

#define COPY_MATRICES(type) do { \
    type *d = o->copy; \
    for (int64_t b = 0; b < n; b++) \
      for (int64_t i = 0; i < rows; i++) { \
        const type *s = (const type *)x->data + b * sb + i * sr; \
        for (int64_t j = 0; j < cols; j++) *d++ = s[j * sc]; \
      } \
  } while (0)
static td_status operand_of(const td_tensor *x, operand *o) {
  int d = x->ndim - 2;
  int64_t n = d ? x->shape[0] : 1, sb = d ? x->stride[0] : 0;
  int64_t rows = x->shape[d], cols = x->shape[d + 1];
  int64_t sr = x->stride[d], sc = x->stride[d + 1];
  *o = (operand){ .p = x->data, .batch = sb };
  if (blas_layout(rows, cols, sr, sc, o)) return TD_OK;
  size_t e = td_dtype_size(x->dtype);
  if (!(o->copy = td__scratch((size_t)(n * rows * cols) * e)))
    return td_error_code();
  if (e == 8) COPY_MATRICES(uint64_t); else COPY_MATRICES(uint32_t);
  o->p = o->copy;
  o->t = false;
  o->ld = cols > 1 ? cols : 1;
  o->batch = rows * cols;
  return TD_OK;
}

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
  operand a, b;
  int64_t n, group;
} batched;

static gemm entry(const batched *q, int64_t i) {
  int64_t e = (int64_t)td_dtype_size(q->one.dt);
  gemm g = q->one;
  g.a = q->a.p + i * q->a.batch * e;
  g.b = q->b.p + i * q->b.batch * e;
  g.c = q->one.c + i * g.m * g.n * e;
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
    batched q = { .n = d ? a->shape[0] : 1,
      .one = { .dt = out[0]->dtype, .m = a->shape[d], .k = a->shape[d + 1],
               .n = b->shape[d + 1], .alpha = 1, .c = out[0]->data } };
    if (q.one.m > INT_MAX || q.one.n > INT_MAX || q.one.k > INT_MAX)
      return td_fail(TD_ENOSUP, "%s: a side has more than %d elements",
                     c->op->name, INT_MAX);
    st = operand_of(a, &q.a);
    if (!st) st = operand_of(b, &q.b);
    q.one.ta = q.a.t;
    q.one.tb = q.b.t;
    q.one.lda = q.a.ld;
    q.one.ldb = q.b.ld;
    q.one.ldc = q.one.n > 1 ? q.one.n : 1;
    if (!st) run_batched(&q);
    td__scratch_drop(q.a.copy);
    td__scratch_drop(q.b.copy);
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
