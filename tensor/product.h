/* product.h -- products with a short side, and distances, for one type.
**
** Included by cpu_product.c once for each type, with `real` the element, `vec`
** a vector of LANES of them, `loose` the same at any address, NAME(x) and
** SQRT(x).  A block of results stays in registers while the loops walk along
** the summed dimension; what is read again and again is packed into a small
** array on the stack. */

#define LOAD(p) (*(const loose *)(p))
#define STORE(p, v) (*(loose *)(p) = (v))

/* The sum of all lanes, by halves as far as 16 bytes. */
static inline real NAME(total)(vec v) {
  typedef real part __attribute__((vector_size(16)));
  part p[sizeof(vec) / sizeof(part)];
  memcpy(p, &v, sizeof v);
  UNROLL for (size_t w = sizeof(vec) / sizeof(part) / 2; w; w /= 2)
    UNROLL for (size_t l = 0; l < w; l++) p[l] += p[l + w];
  real s = p[0][0] + p[0][1];
  return sizeof(part) == 2 * sizeof(real) ? s :
    s + (p[0][sizeof(part) / sizeof(real) - 2] +
         p[0][sizeof(part) / sizeof(real) - 1]);
}

/* x (p,k) times y (k,q), q <= TD_SKINNY; result (i,j) goes to c. */
typedef struct NAME(narrow) {
  int64_t p, q, k;
  const real *x, *y;
  int64_t xi, xk, yk, yj;
  real alpha, beta, *c;
  int64_t ci, cj;
} NAME(narrow);

static inline void NAME(put)(const NAME(narrow) *o, int64_t i, int64_t j,
                             real s) {
  real *c = o->c + i * o->ci + j * o->cj;
  *c = o->beta == 0 ? o->alpha * s : o->alpha * s + o->beta * *c;
}

/* ---- x contiguous along k: dot products ---- */

INLINE void NAME(dot_rows)(const int rows, const int q, int64_t n,
                           const NAME(narrow) *o, const real *x,
                           real (*y)[PACK], int64_t i) {
  vec acc[DOT_ROWS][TD_SKINNY] = { 0 };
  int64_t k = 0;
  for (; k + LANES <= n; k += LANES) {
    vec v[TD_SKINNY];
    UNROLL for (int j = 0; j < q; j++) v[j] = LOAD(y[j] + k);
    UNROLL for (int r = 0; r < rows; r++) {
      vec u = LOAD(x + r * o->xi + k);
      UNROLL for (int j = 0; j < q; j++) acc[r][j] += u * v[j];
    }
  }
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < q; j++) {
      real s = NAME(total)(acc[r][j]);
      for (int64_t l = k; l < n; l++) s += x[r * o->xi + l] * y[j][l];
      NAME(put)(o, i + r, j, s);
    }
}

INLINE void NAME(dot_all)(const int rows, const int q, int64_t n,
                          const NAME(narrow) *o, const real *x,
                          real (*y)[PACK]) {
  int64_t i = 0;
  for (; i + rows <= o->p; i += rows)
    NAME(dot_rows)(rows, q, n, o, x + i * o->xi, y, i);
  for (; i < o->p; i++) NAME(dot_rows)(1, q, n, o, x + i * o->xi, y, i);
}

static void NAME(dots)(NAME(narrow) o) {
  real y[TD_SKINNY][PACK];
  for (int64_t k = 0; k < o.k; k += PACK) {
    int64_t n = o.k - k < PACK ? o.k - k : PACK;
    const real *x = o.x + k;
    for (int64_t j = 0; j < o.q; j++)
      for (int64_t l = 0; l < n; l++)
        y[j][l] = o.y[(k + l) * o.yk + j * o.yj];
    switch (o.q) {
      case 1: NAME(dot_all)(8, 1, n, &o, x, y); break;
      case 2: NAME(dot_all)(4, 2, n, &o, x, y); break;
      case 3: NAME(dot_all)(4, 3, n, &o, x, y); break;
      default: NAME(dot_all)(4, 4, n, &o, x, y);
    }
    o.beta = 1;
  }
}

/* ---- x contiguous along i: weighted sums of its rows ---- */

INLINE void NAME(sum_block)(const int vecs, const int q, int64_t n,
                            const NAME(narrow) *o, const real *x,
                            real (*y)[TD_SKINNY], int64_t i) {
  vec acc[SUM_VECS][TD_SKINNY] = { 0 };
  for (int64_t k = 0; k < n; k++)
    UNROLL for (int v = 0; v < vecs; v++) {
      vec u = LOAD(x + k * o->xk + v * LANES);
      UNROLL for (int j = 0; j < q; j++) acc[v][j] += u * y[k][j];
    }
  for (int v = 0; v < vecs; v++)
    for (int j = 0; j < q; j++) {
      real s[LANES];
      memcpy(s, &acc[v][j], sizeof s);
      for (int l = 0; l < LANES; l++)
        NAME(put)(o, i + v * LANES + l, j, s[l]);
    }
}

/* The last few columns, fewer than LANES: turned into rows for dot products. */
static void NAME(sum_rest)(int64_t n, const NAME(narrow) *o, const real *x,
                           int64_t k, int64_t i) {
  real t[LANES][PACK];
  NAME(narrow) r = *o;
  r.p = o->p - i;
  for (int64_t e = 0; e < r.p; e++)
    for (int64_t l = 0; l < n; l++) t[e][l] = x[l * o->xk + e];
  r.k = n;
  r.x = t[0];
  r.xi = PACK;
  r.xk = 1;
  r.y = o->y + k * o->yk;
  r.c = o->c + i * o->ci;
  NAME(dots)(r);
}

INLINE void NAME(sum_all)(const int q, int64_t n, const NAME(narrow) *o,
                          const real *x, real (*y)[TD_SKINNY], int64_t k) {
  int64_t i = 0;
  for (; i + SUM_VECS * LANES <= o->p; i += SUM_VECS * LANES)
    NAME(sum_block)(SUM_VECS, q, n, o, x + i, y, i);
  for (; i + LANES <= o->p; i += LANES)
    NAME(sum_block)(1, q, n, o, x + i, y, i);
  if (i < o->p) NAME(sum_rest)(n, o, x + i, k, i);
}

static void NAME(sums)(NAME(narrow) o) {
  real y[PACK][TD_SKINNY];
  for (int64_t k = 0; k < o.k; k += PACK) {
    int64_t n = o.k - k < PACK ? o.k - k : PACK;
    const real *x = o.x + k * o.xk;
    for (int64_t j = 0; j < o.q; j++)
      for (int64_t l = 0; l < n; l++)
        y[l][j] = o.y[(k + l) * o.yk + j * o.yj];
    switch (o.q) {
      case 1: NAME(sum_all)(1, n, &o, x, y, k); break;
      case 2: NAME(sum_all)(2, n, &o, x, y, k); break;
      case 3: NAME(sum_all)(3, n, &o, x, y, k); break;
      default: NAME(sum_all)(4, n, &o, x, y, k);
    }
    o.beta = 1;
  }
}

/* ---- short k: every row of c is a combination of k rows of b ---- */

INLINE void NAME(combine)(const int k, int64_t n, const real *w,
                          const real *const *b, real beta, real *c) {
  if (beta == 0)
    for (int64_t j = 0; j < n; j++) {
      real s = w[0] * b[0][j];
      UNROLL for (int l = 1; l < k; l++) s += w[l] * b[l][j];
      c[j] = s;
    }
  else
    for (int64_t j = 0; j < n; j++) {
      real s = w[0] * b[0][j];
      UNROLL for (int l = 1; l < k; l++) s += w[l] * b[l][j];
      c[j] = s + beta * c[j];
    }
}

/* The columns [j0, j0 + n) of all rows; cj is 1. */
static void NAME(rank_part)(const NAME(td_skinny) *s, int64_t j0, int64_t n) {
  real pack[TD_SKINNY][PACK];
  const real *b[TD_SKINNY] = { NULL };
  for (int64_t l = 0; l < s->k; l++) {
    b[l] = s->b + l * s->bk + j0;
    if (s->bj == 1) continue;
    for (int64_t j = 0; j < n; j++)
      pack[l][j] = s->b[l * s->bk + (j0 + j) * s->bj];
    b[l] = pack[l];
  }
  for (int64_t i = 0; i < s->m; i++) {
    real w[TD_SKINNY], *c = s->c + i * s->ci + j0;
    for (int64_t l = 0; l < s->k; l++)
      w[l] = s->alpha * s->a[i * s->ai + l * s->ak];
    switch (s->k) {
      case 1: NAME(combine)(1, n, w, b, s->beta, c); break;
      case 2: NAME(combine)(2, n, w, b, s->beta, c); break;
      case 3: NAME(combine)(3, n, w, b, s->beta, c); break;
      default: NAME(combine)(4, n, w, b, s->beta, c);
    }
  }
}

static void NAME(skinny)(const NAME(td_skinny) *s) {
  if (s->k <= TD_SKINNY && s->cj == 1) {
    for (int64_t j = 0; j < s->n; j += PACK)
      NAME(rank_part)(s, j, s->n - j < PACK ? s->n - j : PACK);
    return;
  }
  NAME(narrow) o = { s->m, s->n, s->k, s->a, s->b, s->ai, s->ak, s->bk, s->bj,
                     s->alpha, s->beta, s->c, s->ci, s->cj };
  if (s->n > TD_SKINNY)         /* c^T = b^T a^T */
    o = (NAME(narrow)){ s->n, s->m, s->k, s->b, s->a, s->bj, s->bk, s->ak,
                        s->ai, s->alpha, s->beta, s->c, s->cj, s->ci };
  if (o.xi == 1) NAME(sums)(o); else NAME(dots)(o);
}

/* ---- distances: rows of a against blocks of DIST_VECS * LANES rows of b ---- */

INLINE void NAME(square_block)(const int rows, int64_t d, const real *a,
                               int64_t ai, int64_t ad,
                               real (*b)[DIST_VECS * LANES],
                               real (*sum)[DIST_VECS * LANES]) {
  vec acc[DIST_ROWS][DIST_VECS];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < DIST_VECS; v++)
      acc[r][v] = LOAD(sum[r] + v * LANES);
  for (int64_t k = 0; k < d; k++) {
    vec w[DIST_VECS];
    UNROLL for (int v = 0; v < DIST_VECS; v++) w[v] = LOAD(b[k] + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      real x = a[r * ai + k * ad];
      UNROLL for (int v = 0; v < DIST_VECS; v++) {
        vec e = w[v] - x;
        acc[r][v] += e * e;
      }
    }
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < DIST_VECS; v++)
      STORE(sum[r] + v * LANES, acc[r][v]);
}

/* Adds the squares of features [k, k + d) for n columns from j; the last time
** round the root is taken. */
INLINE void NAME(distance_rows)(const int rows, const NAME(td_distance) *s,
                                int64_t i, int64_t j, int64_t n, int64_t k,
                                int64_t d, real (*b)[DIST_VECS * LANES]) {
  real sum[DIST_ROWS][DIST_VECS * LANES] = { { 0 } };
  for (int r = 0; k && r < rows; r++)
    memcpy(sum[r], s->c + (i + r) * s->ldc + j, sizeof(real) * (size_t)n);
  NAME(square_block)(rows, d, s->a + i * s->ai + k * s->ad, s->ai, s->ad, b,
                     sum);
  if (k + d == s->d)
    for (int r = 0; r < rows; r++)
      for (int l = 0; l < DIST_VECS * LANES; l++) sum[r][l] = SQRT(sum[r][l]);
  for (int r = 0; r < rows; r++)
    memcpy(s->c + (i + r) * s->ldc + j, sum[r], sizeof(real) * (size_t)n);
}

static void NAME(distance)(const NAME(td_distance) *s) {
  real b[DIST_PACK][DIST_VECS * LANES] = { { 0 } };
  for (int64_t j = 0; j < s->n; j += DIST_VECS * LANES) {
    int64_t n = s->n - j < DIST_VECS * LANES ? s->n - j : DIST_VECS * LANES;
    for (int64_t k = 0; k < s->d; k += DIST_PACK) {
      int64_t d = s->d - k < DIST_PACK ? s->d - k : DIST_PACK, i = 0;
      for (int64_t e = 0; e < d; e++)
        for (int64_t l = 0; l < n; l++)
          b[e][l] = s->b[(j + l) * s->bj + (k + e) * s->bd];
      for (; i + DIST_ROWS <= s->m; i += DIST_ROWS)
        NAME(distance_rows)(DIST_ROWS, s, i, j, n, k, d, b);
      for (; i < s->m; i++) NAME(distance_rows)(1, s, i, j, n, k, d, b);
    }
  }
}

#undef LOAD
#undef STORE
