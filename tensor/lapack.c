/* lapack.c -- decompositions and solvers on the CPU, by LAPACK.
**
** LAPACK is called through its Fortran symbols and sees columns where we have
** rows: our x is x^T to it.  Each kernel is arranged so that this costs no
** copies.  Leading dims count matrices.  A symmetric argument means its
** symmetric part (x + x^T) / 2, which is also what gradients are taken of; a
** matrix far from symmetric is refused. */
#include <limits.h>
#include <math.h>
#include <string.h>
#include "blas.h"
#include "matrix.h"
#include "op.h"
#include "pool.h"

/* Every routine for float and for double.  Fortran passes the lengths of its
** character arguments (`len`) behind the others. */
#define BOTH(name, ...) \
  extern void s##name##_(__VA_ARGS__); \
  extern void d##name##_(__VA_ARGS__);
typedef const char *flag;
typedef const int *in;
typedef size_t len;
BOTH(potrf, flag uplo, in n, void *a, in lda, int *info, len)
BOTH(getrf, in m, in n, void *a, in lda, int *pivot, int *info)
BOTH(syevd, flag job, flag uplo, in n, void *a, in lda, void *w, void *work,
     in lwork, int *iwork, in liwork, int *info, len, len)
BOTH(gesdd, flag job, in m, in n, void *a, in lda, void *s, void *u, in ldu,
     void *vt, in ldvt, void *work, in lwork, int *iwork, int *info, len)
BOTH(gesvd, flag jobu, flag jobvt, in m, in n, void *a, in lda, void *s,
     void *u, in ldu, void *vt, in ldvt, void *work, in lwork, int *info,
     len, len)
BOTH(trsm, flag side, flag uplo, flag trans, flag diag, in m, in n,
     const void *alpha, const void *a, in lda, void *b, in ldb,
     len, len, len, len)
#define CALL(dt, name, ...) do { \
    if ((dt) == TD_F64) d##name##_(__VA_ARGS__); \
    else s##name##_(__VA_ARGS__); \
  } while (0)

/* Runs statements with `real` bound to the element type. */
#define TYPED(dt, ...) do { \
    if ((dt) == TD_F64) { typedef double real; __VA_ARGS__ } \
    else { typedef float real; __VA_ARGS__ } \
  } while (0)

/* ---- many matrices ---- */

enum { CHUNKS = 16 };           /* work areas; more matrices share them */
#define CHUNK_FLOP 1e6          /* worth a chunk of its own */
#define AREA_MOST (256e6)       /* bytes of work areas, unless one needs more */

typedef struct job {
  const td_call *c;
  td_tensor **out;
  td_dtype dt;
  int n;                        /* side of a matrix (svd: shorter side) */
  int64_t count;                /* matrices */
  double flop;                  /* of one */
  size_t work;                  /* bytes of the work area of a chunk */
  const char *failed;           /* what a positive code means; may have %d */
  int (*run)(struct job *j, int64_t i, char *work, double *detail);
  char *area;
  int64_t group;                /* matrices in a chunk */
  int info[CHUNKS];             /* first failure of each chunk, */
  int64_t at[CHUNKS];           /* the matrix, */
  double detail[CHUNKS];        /* and a figure for the message */
} job;

static void run_chunk(void *ctx, int64_t k) {
  job *j = ctx;
  char *work = j->area + (size_t)k * j->work;
  int64_t stop = (k + 1) * j->group;
  if (stop > j->count) stop = j->count;
  if (j->work >= sizeof(int64_t)) *(int64_t *)work = -1;  /* nothing factored */
  for (int64_t i = k * j->group; i < stop && !td_interrupt_flag; i++) {
    j->info[k] = j->run(j, i, work, &j->detail[k]);
    j->at[k] = i;
    if (j->info[k]) return;
  }
}

static td_status report(const job *j, int k) {
  return td_matrix_failed(td_fail, j->c->op->name, j->count, j->at[k], j->info[k], j->detail[k],
                          j->failed);
}

/* Runs every matrix; fails with the first that failed. */
static td_status run_job(job *j) {
  if (!j->count || !j->n) return TD_OK;
  td__blas_pin();
  int64_t chunks = (int64_t)((double)j->count * j->flop / CHUNK_FLOP) + 1;
  if (chunks > CHUNKS) chunks = CHUNKS;
  while (chunks > 1 && (double)j->work * (double)chunks > AREA_MOST) chunks /= 2;
  j->group = (j->count + chunks - 1) / chunks;
  chunks = (j->count + j->group - 1) / j->group;
  j->work = (j->work + 63) / 64 * 64;
  td_buffer *area = td__buffer(td_cpu(), j->work * (size_t)chunks);
  if (!area) return td_error_code();
  j->area = area->mem;
  td_parallel(chunks, run_chunk, j);
  td__buffer_drop(area);
  for (int k = 0; k < chunks; k++)
    if (j->info[k]) return report(j, k);
  if (td_interrupt_flag)
    return td_fail(TD_EINTR, "%s: interrupted", j->c->op->name);
  return TD_OK;
}

/* A job on square matrices in the last two dims of the first argument. */
static td_status square_job(job *j, const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  int64_t n = x->shape[x->ndim - 1];
  if (n > TD_MATRIX_MOST) return td_matrix_large(td_fail, c->op->name, n);
  *j = (job){ .c = c, .out = out, .dt = out[0]->dtype, .n = (int)n,
              .count = 1, .flop = 10.0 * (double)n * (double)n * (double)n };
  for (int d = 0; d < x->ndim - 2; d++) j->count *= x->shape[d];
  return TD_OK;
}

/* The i-th matrix of `size` elements in x. */
static char *matrix(const job *j, const td_tensor *x, int64_t i, int64_t size) {
  return x->data + (size_t)(i * size) * td_dtype_size(j->dt);
}

/* ---- pieces ---- */

/* y = (x + x^T) / 2 */
static int copy_symmetric(const job *j, const void *from, void *to,
                          double *detail) {
  int64_t n = j->n;
  TYPED(j->dt,
    const real *x = from;
    real *y = to;
    real bad = 0, apart = 0, most = 0;
    for (int64_t r = 0; r < n; r++)
      for (int64_t s = 0; s <= r; s++) {
        real a = x[r * n + s], b = x[s * n + r];
        real d = (real)fabs(a - b), big = (real)fabs(a);
        bad += a * 0 + b * 0;
        if (d > apart) apart = d;
        if (big > most) most = big;
        y[r * n + s] = y[s * n + r] = (a + b) / 2;
      }
    *detail = apart;
    if (bad != 0) return TD_MATRIX_NOT_FINITE;
    if (apart > (real)TD_MATRIX_APART * most) return TD_MATRIX_ASYMMETRIC;
  );
  return TD_MATRIX_OK;
}

static int copy_finite(td_dtype dt, int64_t n, const void *from, void *to) {
  TYPED(dt,
    const real *x = from;
    real *y = to;
    real bad = 0;
    for (int64_t i = 0; i < n; i++) {
      bad += x[i] * 0;
      y[i] = x[i];
    }
    if (bad != 0) return TD_MATRIX_NOT_FINITE;
  );
  return TD_MATRIX_OK;
}

/* A vector is known up to its sign: the first of its large elements becomes
** positive, so that every machine gives the same one.  True: was turned. */
static bool turned(td_dtype dt, int64_t n, const void *v, int64_t stride) {
  TYPED(dt,
    const real *x = v;
    real most = 0;
    for (int64_t i = 0; i < n; i++) {
      real a = (real)fabs(x[i * stride]);
      if (a > most) most = a;
    }
    for (int64_t i = 0; i < n; i++)
      if (fabs(x[i * stride]) >= most / 2) return x[i * stride] < 0;
  );
  return false;
}

static void negate(td_dtype dt, int64_t n, void *v, int64_t stride) {
  TYPED(dt,
    real *x = v;
    for (int64_t i = 0; i < n; i++) x[i * stride] = -x[i * stride];
  );
}

static void transpose(td_dtype dt, int64_t n, void *m) {
  TYPED(dt,
    real *x = m;
    for (int64_t r = 0; r < n; r++)
      for (int64_t s = 0; s < r; s++) {
        real t = x[r * n + s];
        x[r * n + s] = x[s * n + r];
        x[s * n + r] = t;
      }
  );
}

/* c = a b, a^T b or a b^T, all (n,n). */
static void multiply(td_dtype dt, bool ta, bool tb, int64_t n, const void *a,
                     const void *b, void *c) {
  int64_t ai = ta ? 1 : n, bk = tb ? 1 : n, ak = n + 1 - ai, bj = n + 1 - bk;
  if (dt == TD_F64)
    td_gemm_f64(&(td_block_f64){ n, n, n, a, b, c, ai, ak, bk, bj, n, 1, 0, NULL });
  else
    td_gemm_f32(&(td_block_f32){ n, n, n, a, b, c, ai, ak, bk, bj, n, 1, 0, NULL });
}

static int eig_lwork(int n) { return 1 + 6 * n + 2 * n * n; }
static int eig_liwork(int n) { return 3 + 5 * n; }
static size_t eig_bytes(const job *j) {
  return (size_t)eig_lwork(j->n) * td_dtype_size(j->dt) +
    (size_t)eig_liwork(j->n) * sizeof(int);
}

/* Replaces a symmetric a by its eigenvectors, one per row. */
static int eig(const job *j, void *a, void *w, char *work) {
  int info = 0, lwork = eig_lwork(j->n), liwork = eig_liwork(j->n);
  int *iwork = (int *)(work + (size_t)lwork * td_dtype_size(j->dt));
  CALL(j->dt, syevd, "V", "L", &j->n, a, &j->n, w, work, &lwork, iwork, &liwork,
       &info, 1, 1);
  return info < 0 ? TD_MATRIX_NOT_FINITE : info;
}

/* ---- cholesky ---- */

static int one_cholesky(job *j, int64_t i, char *work, double *detail) {
  int64_t n = j->n;
  void *y = matrix(j, j->out[0], i, n * n);
  int info = copy_symmetric(j, matrix(j, j->c->in[0], i, n * n), y, detail);
  (void)work;
  if (info) return info;
  CALL(j->dt, potrf, "U", &j->n, y, &j->n, &info, 1);
  TYPED(j->dt,
    real *l = y;
    for (int64_t r = 0; r < n; r++)
      for (int64_t s = r + 1; s < n; s++) l[r * n + s] = 0;
  );
  return info;
}

static td_status k_cholesky(const td_call *c, td_tensor **out) {
  job j;
  td_status st = square_job(&j, c, out);
  if (st) return st;
  j.flop /= 30;
  j.run = one_cholesky;
  j.failed = TD_MATRIX_INDEFINITE;
  return run_job(&j);
}

/* ---- eigh ---- */

static int one_eigh(job *j, int64_t i, char *work, double *detail) {
  int64_t n = j->n;
  char *v = matrix(j, j->out[1], i, n * n);
  int info = copy_symmetric(j, matrix(j, j->c->in[0], i, n * n), v, detail);
  if (!info) info = eig(j, v, matrix(j, j->out[0], i, n), work);
  for (int64_t r = 0; !info && r < n; r++) {
    char *row = v + (size_t)(r * n) * td_dtype_size(j->dt);
    if (turned(j->dt, n, row, 1)) negate(j->dt, n, row, 1);
  }
  transpose(j->dt, n, v);
  return info;
}

static td_status k_eigh(const td_call *c, td_tensor **out) {
  job j;
  td_status st = square_job(&j, c, out);
  if (st) return st;
  j.run = one_eigh;
  j.failed = TD_MATRIX_DIVERGED;
  j.work = eig_bytes(&j);
  return run_job(&j);
}

/* ---- svd: LAPACK's U is our Vt and its Vt our U ---- */

typedef struct sides { int m, n, lwork; } sides;

/* m and n of LAPACK's view, and the length of its work array (0: too long). */
static sides svd_sides(const job *j) {
  const td_tensor *x = j->c->in[0];
  sides s = { (int)x->shape[x->ndim - 1], (int)x->shape[x->ndim - 2], -1 };
  int64_t k = j->n, most = s.m > s.n ? s.m : s.n;
  double ask = 0;
  float ask32 = 0;
  int info = 0, query = -1, pivots;
  CALL(j->dt, gesdd, "S", &s.m, &s.n, NULL, &s.m, NULL, NULL, &s.m, NULL, &j->n,
       j->dt == TD_F64 ? (void *)&ask : &ask32, &query, &pivots, &info, 1);
  if (j->dt != TD_F64) ask = (double)ask32 * 1.000001;
  int64_t least = 4 * k * k + 7 * k, other = 3 * k + most;
  if (other > least) least = other;
  if (ask > (double)least) least = (int64_t)ask + 1;
  s.lwork = least > INT_MAX ? 0 : (int)least;
  return s;
}

static int one_svd(job *j, int64_t i, char *work, double *detail) {
  sides s = svd_sides(j);
  size_t e = td_dtype_size(j->dt);
  int64_t size = (int64_t)s.m * s.n;
  const char *x = matrix(j, j->c->in[0], i, size);
  char *u = matrix(j, j->out[0], i, (int64_t)s.n * j->n);
  char *d = matrix(j, j->out[1], i, j->n);
  char *vt = matrix(j, j->out[2], i, (int64_t)j->n * s.m);
  char *a = work + 8 * (size_t)j->n * sizeof(int);
  char *w = a + (size_t)size * e;
  int info = copy_finite(j->dt, size, x, a);
  (void)detail;
  if (info) return info;
  CALL(j->dt, gesdd, "S", &s.m, &s.n, a, &s.m, d, vt, &s.m, u, &j->n, w,
       &s.lwork, (int *)work, &info, 1);
  if (info > 0) {               /* rare: the slower method always converges */
    copy_finite(j->dt, size, x, a);
    CALL(j->dt, gesvd, "S", "S", &s.m, &s.n, a, &s.m, d, vt, &s.m, u, &j->n, w,
         &s.lwork, &info, 1, 1);
  }
  for (int64_t r = 0; !info && r < j->n; r++)
    if (turned(j->dt, s.n, u + (size_t)r * e, j->n)) {
      negate(j->dt, s.n, u + (size_t)r * e, j->n);
      negate(j->dt, s.m, vt + (size_t)(r * s.m) * e, 1);
    }
  return info < 0 ? TD_MATRIX_NOT_FINITE : info;
}

static td_status k_svd(const td_call *c, td_tensor **out) {
  const td_tensor *x = c->in[0];
  int64_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1];
  int64_t k = m < n ? m : n;
  job j = { .c = c, .out = out, .dt = out[0]->dtype, .n = (int)k, .count = 1,
            .flop = 10.0 * (double)m * (double)n * (double)k,
            .run = one_svd, .failed = TD_MATRIX_DIVERGED };
  for (int d = 0; d < x->ndim - 2; d++) j.count *= x->shape[d];
  if (!k || !j.count) return TD_OK;
  sides s = { 0, 0, 0 };
  if (m <= INT_MAX && n <= INT_MAX) s = svd_sides(&j);
  if (!s.lwork)
    return td_fail(TD_ENOSUP, "svd: (%lld,%lld) is larger than LAPACK can take",
                   (long long)m, (long long)n);
  j.work = 8 * (size_t)k * sizeof(int) +
    (size_t)(m * n + s.lwork) * td_dtype_size(j.dt);
  return run_job(&j);
}

/* ---- solve and solve_triangular ---- */

/* Which matrix of x belongs to the i-th result: batch dims broadcast. */
static int64_t batch_entry(const td_tensor *y, int ycore, const td_tensor *x,
                           int xcore, int64_t i) {
  int64_t at = 0, step = 1;
  int ny = y->ndim - ycore, nx = x->ndim - xcore;
  for (int d = 1; d <= nx && d <= ny; d++) {
    int64_t size = y->shape[ny - d], index = i % size;
    i /= size;
    if (x->shape[nx - d] == 1) continue;
    at += index * step;
    step *= x->shape[nx - d];
  }
  return at;
}

/* The right-hand sides: r columns, copied into the result. */
static char *take_rhs(const job *j, int64_t i, int *r) {
  const td_tensor *b = j->c->in[1], *y = j->out[0];
  int core = b->ndim < 2 ? 1 : 2;
  *r = core == 1 ? 1 : (int)b->shape[b->ndim - 1];
  int64_t size = (int64_t)j->n * *r;
  int64_t at = batch_entry(y, core, b, core, i);
  return memcpy(matrix(j, y, i, size), matrix(j, b, at, size),
                (size_t)size * td_dtype_size(j->dt));
}

/* x = x a^-1 with LAPACK's eyes, that is a^T ours. */
static void trsm(const job *j, flag uplo, flag trans, flag diag, int r,
                 const void *a, void *x) {
  double one = 1;
  float one32 = 1;
  CALL(j->dt, trsm, "R", uplo, trans, diag, &r, &j->n,
       j->dt == TD_F64 ? (void *)&one : &one32, a, &j->n, x, &r, 1, 1, 1, 1);
}

static void swap_rows(td_dtype dt, int64_t r, void *x, int64_t a, int64_t b) {
  TYPED(dt,
    real *p = (real *)x + a * r;
    real *q = (real *)x + b * r;
    for (int64_t k = 0; k < r; k++) {
      real t = p[k];
      p[k] = q[k];
      q[k] = t;
    }
  );
}

/* With a^T = P L U: x^T = b^T U^-1 L^-1 P^T.  The work area holds which matrix
** it has the factors of, the pivots and the factors. */
static int one_solve(job *j, int64_t i, char *work, double *detail) {
  const td_tensor *a = j->c->in[0];
  int64_t n = j->n, *have = (int64_t *)work;
  int core = j->c->in[1]->ndim < 2 ? 1 : 2, r, info = 0;
  int64_t at = batch_entry(j->out[0], core, a, 2, i);
  int *pivot = (int *)(work + sizeof(int64_t));
  char *lu = work + sizeof(int64_t) + ((size_t)n + 1) / 2 * 2 * sizeof(int);
  (void)detail;
  if (*have != at) {
    info = copy_finite(j->dt, n * n, matrix(j, a, at, n * n), lu);
    if (!info) CALL(j->dt, getrf, &j->n, &j->n, lu, &j->n, pivot, &info);
    if (info) return info;
    *have = at;
  }
  char *x = take_rhs(j, i, &r);
  if (!r) return TD_MATRIX_OK;
  trsm(j, "U", "N", "N", r, lu, x);
  trsm(j, "L", "N", "U", r, lu, x);
  for (int64_t k = n - 1; k >= 0; k--)
    if (pivot[k] - 1 != k) swap_rows(j->dt, r, x, k, pivot[k] - 1);
  return TD_MATRIX_OK;
}

static td_status solve_job(job *j, const td_call *c, td_tensor **out) {
  td_status st = square_job(j, c, out);
  const td_tensor *y = out[0], *b = c->in[1];
  int core = b->ndim < 2 ? 1 : 2;
  if (st) return st;
  if (core == 2 && b->shape[b->ndim - 1] > INT_MAX)
    return td_fail(TD_ENOSUP, "%s: b has too many columns", c->op->name);
  j->count = 1;
  for (int d = 0; d < y->ndim - core; d++) j->count *= y->shape[d];
  j->flop /= 15;
  return TD_OK;
}

static td_status k_solve(const td_call *c, td_tensor **out) {
  job j;
  td_status st = solve_job(&j, c, out);
  if (st) return st;
  size_t n = (size_t)j.n;
  j.run = one_solve;
  j.failed = TD_MATRIX_SINGULAR;
  j.work = sizeof(int64_t) + (n + 1) / 2 * 2 * sizeof(int) +
    n * n * td_dtype_size(j.dt);
  return run_job(&j);
}

static int zero_on_diagonal(const job *j, const void *a) {
  TYPED(j->dt,
    for (int64_t k = 0; k < j->n; k++)
      if (((const real *)a)[k * j->n + k] == 0) return (int)k + 1;
  );
  return TD_MATRIX_OK;
}

static int one_triangular(job *j, int64_t i, char *work, double *detail) {
  const td_tensor *a = j->c->in[0];
  bool upper = j->c->attr[0].i, transposed = j->c->attr[1].i;
  int core = j->c->in[1]->ndim < 2 ? 1 : 2, r;
  int64_t at = batch_entry(j->out[0], core, a, 2, i);
  const char *t = matrix(j, a, at, (int64_t)j->n * j->n);
  int info = zero_on_diagonal(j, t);
  (void)work; (void)detail;
  if (info) return info;
  char *x = take_rhs(j, i, &r);
  if (r)
    trsm(j, upper ? "L" : "U", transposed ? "T" : "N", "N", r, t, x);
  return TD_MATRIX_OK;
}

static td_status k_solve_triangular(const td_call *c, td_tensor **out) {
  job j;
  td_status st = solve_job(&j, c, out);
  if (st) return st;
  j.run = one_triangular;
  j.failed = TD_MATRIX_NO_DIAGONAL;
  return run_job(&j);
}

/* ---- sqrtm and sylvester ---- */

static double epsilon(const job *j) {
  return td_matrix_noise(j->dt == TD_F64, j->n);
}

/* Rows of v times the fourth root of their eigenvalue; noise becomes 0.  A
** truly negative eigenvalue is an error. */
static int scale_rows(const job *j, void *vectors, const void *values,
                      double *detail) {
  int64_t n = j->n;
  TYPED(j->dt,
    real *v = vectors;
    const real *w = values;
    double most = fmax(fabs(w[0]), fabs(w[n - 1]));
    double noise = epsilon(j) * most;
    if (w[0] < -sqrt(epsilon(j)) * most) {
      *detail = w[0];
      return TD_MATRIX_NEGATIVE;
    }
    for (int64_t r = 0; r < n; r++) {
      real s = w[r] > noise ? (real)sqrt(sqrt(w[r])) : 0;
      for (int64_t k = 0; k < n; k++) v[r * n + k] *= s;
    }
  );
  return TD_MATRIX_OK;
}

/* The work area of the next two: eigenvalues, eigenvectors, another matrix,
** what eig needs. */
typedef struct eig_area { char *w, *v, *m, *rest; } eig_area;
static eig_area eig_split(const job *j, char *work) {
  size_t n = (size_t)j->n, e = td_dtype_size(j->dt);
  char *v = work + (n + 1) / 2 * 2 * e, *m = v + n * n * e;
  return (eig_area){ work, v, m, m + n * n * e };
}
static size_t eig_area_bytes(const job *j) {
  size_t n = (size_t)j->n;
  return (n + 1 + 2 * n * n) * td_dtype_size(j->dt) + eig_bytes(j);
}

static int one_sqrtm(job *j, int64_t i, char *work, double *detail) {
  int64_t n = j->n;
  eig_area a = eig_split(j, work);
  int info = copy_symmetric(j, matrix(j, j->c->in[0], i, n * n), a.v, detail);
  if (!info) info = eig(j, a.v, a.w, a.rest);
  if (!info) info = scale_rows(j, a.v, a.w, detail);
  if (info) return info;
  multiply(j->dt, true, false, n, a.v, a.v, a.m);
  return copy_symmetric(j, a.m, matrix(j, j->out[0], i, n * n), detail);
}

static td_status k_sqrtm(const td_call *c, td_tensor **out) {
  job j;
  td_status st = square_job(&j, c, out);
  if (st) return st;
  j.run = one_sqrtm;
  j.failed = TD_MATRIX_DIVERGED;
  j.work = eig_area_bytes(&j);
  return run_job(&j);
}

/* m[r][s] / (w[r] + w[s]), and 0 where the sum is nothing but noise. */
static void divide_by_sums(const job *j, void *matrix, const void *values) {
  int64_t n = j->n;
  TYPED(j->dt,
    real *m = matrix;
    const real *w = values;
    real noise = (real)(4 * epsilon(j) * fmax(fabs(w[0]), fabs(w[n - 1])));
    for (int64_t r = 0; r < n; r++)
      for (int64_t s = 0; s < n; s++) {
        real sum = w[r] + w[s];
        m[r * n + s] = fabs(sum) > noise ? m[r * n + s] / sum : 0;
      }
  );
}

static int one_sylvester(job *j, int64_t i, char *work, double *detail) {
  int64_t n = j->n;
  eig_area a = eig_split(j, work);
  void *x = matrix(j, j->out[0], i, n * n);
  int info = copy_symmetric(j, matrix(j, j->c->in[0], i, n * n), a.v, detail);
  if (!info) info = eig(j, a.v, a.w, a.rest);
  if (info) return info;
  multiply(j->dt, false, false, n, a.v, matrix(j, j->c->in[1], i, n * n), a.m);
  multiply(j->dt, false, true, n, a.m, a.v, x);
  divide_by_sums(j, x, a.w);
  multiply(j->dt, true, false, n, a.v, x, a.m);
  multiply(j->dt, false, false, n, a.m, a.v, x);
  return TD_MATRIX_OK;
}

static td_status k_sylvester(const td_call *c, td_tensor **out) {
  job j;
  td_status st = square_job(&j, c, out);
  if (st) return st;
  j.run = one_sylvester;
  j.failed = TD_MATRIX_DIVERGED;
  j.work = eig_area_bytes(&j);
  return run_job(&j);
}

const td_kernel_entry td_cpu_lapack[] = {
  { "cholesky", k_cholesky }, { "eigh", k_eigh }, { "svd", k_svd },
  { "solve", k_solve }, { "solve_triangular", k_solve_triangular },
  { "sqrtm", k_sqrtm }, { "sylvester", k_sylvester }, { 0 },
};
