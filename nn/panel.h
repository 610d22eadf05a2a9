/* panel.h -- products with a packed right side, for one type: included with `real`,
** VEC (bytes of a vector) and NAME(x) defined.
**
** The right side (k,n) lies in panels of two vectors of columns, k rows each, so that
** the innermost loop reads it in order.  A block of results stays in registers: each
** is summed along k in its order, whichever rows stand beside it. */

typedef real NAME(wide) __attribute__((vector_size(VEC)));
typedef real NAME(any)                 /* a vector anywhere in memory */
  __attribute__((vector_size(VEC), aligned(sizeof(real)), may_alias));
enum {
  NAME(lane) = VEC / sizeof(real),
  NAME(panel) = 2 * NAME(lane),        /* columns of a panel */
};

/* n as a whole number of panels */
INLINE int64_t NAME(padded)(int64_t n) {
  return (n + NAME(panel) - 1) / NAME(panel) * NAME(panel);
}

/* Panel j of b (k,n), whose element (p,j) stands at b[p * bk + j * bj]; columns
** beyond n are 0. */
static void NAME(pack)(const real *b, int64_t bk, int64_t bj, int64_t k, int64_t n,
                       int64_t j, real *to) {
  int64_t from = j * NAME(panel), have = n - from;
  if (have > NAME(panel)) have = NAME(panel);
  b += from * bj;
  to += from * k;
  for (int64_t p = 0; p < k; p += 16) {
    int64_t end = p + 16 < k ? p + 16 : k;
    if (bj == 1 && have == NAME(panel))
      for (int64_t q = p; q < end; q++)
        memcpy(to + q * NAME(panel), b + q * bk, sizeof(real) * NAME(panel));
    else
      for (int64_t c = 0; c < NAME(panel); c++)
        for (int64_t q = p; q < end; q++)
          to[q * NAME(panel) + c] = c < have ? b[q * bk + c * bj] : 0;
  }
}

/* rows x panel results: c = a b, plus the bias or plus what c holds */
INLINE void NAME(block)(const int rows, int64_t k, const real *a, int64_t lda,
                        const real *b, const real *bias, real *c, int64_t ldc) {
  NAME(wide) sum[BLOCK_ROWS][2];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < 2; v++)
      sum[r][v] = *(const NAME(any) *)((bias ? bias : c + r * ldc) + v * NAME(lane));
  for (int64_t p = 0; p < k; p++) {
    NAME(wide) w[2];
    UNROLL for (int v = 0; v < 2; v++)
      w[v] = *(const NAME(any) *)(b + p * NAME(panel) + v * NAME(lane));
    UNROLL for (int r = 0; r < rows; r++) {
      real x = a[r * lda + p];
      UNROLL for (int v = 0; v < 2; v++) sum[r][v] += w[v] * x;
    }
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < 2; v++)
      *(NAME(any) *)(c + r * ldc + v * NAME(lane)) = sum[r][v];
}

static void NAME(blocks)(int64_t m, int64_t k, const real *a, int64_t lda,
                         const real *b, const real *bias, real *c, int64_t ldc) {
  int64_t i = 0;
#define ROWS_OF(n) \
  for (; i + n <= m; i += n) \
    NAME(block)(n, k, a + i * lda, lda, b, bias, c + i * ldc, ldc)
  ROWS_OF(BLOCK_ROWS);
  ROWS_OF(4);
  ROWS_OF(1);
#undef ROWS_OF
}

/* c (m,n) = a (m,k) b, with the bias added to the first `biased` rows; rows of c have
** room for whole panels. */
static void NAME(product)(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
                          const real *b, const real *bias, int64_t biased,
                          real *c, int64_t ldc) {
  enum { DEPTH = 2048 / sizeof(real) };      /* of a panel that stays near */
  for (int64_t j = 0; j < n; j += NAME(panel), b += k * NAME(panel)) {
    real none[NAME(panel)] = { 0 }, some[NAME(panel)] = { 0 };
    for (int64_t l = 0; bias && l < NAME(panel) && j + l < n; l++) some[l] = bias[j + l];
    for (int64_t p = 0; p < k; p += DEPTH) {
      int64_t d = k - p < DEPTH ? k - p : DEPTH;
      const real *part = b + p * NAME(panel);
      NAME(blocks)(biased, d, a + p, lda, part, p ? NULL : some, c + j, ldc);
      NAME(blocks)(m - biased, d, a + biased * lda + p, lda, part, p ? NULL : none,
                   c + biased * ldc + j, ldc);
    }
  }
}
