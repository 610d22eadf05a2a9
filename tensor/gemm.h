/* gemm.h -- products of matrices for one type.
**
** Included by cpu_gemm.c once for each type, with `real` the element, LANES of
** them in a vector, QUAD in 16 bytes, NAME(x), and BLOCK, the product to compute.
** A panel is COLS columns of b, packed: row after row, COLS entries each. */

typedef real NAME(vec) __attribute__((vector_size(VECTOR)));
typedef real NAME(loose)
  __attribute__((vector_size(VECTOR), aligned(sizeof(real)), may_alias));
typedef real NAME(quad) __attribute__((vector_size(16)));
typedef real NAME(loose_quad)
  __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
#define LOAD(p) (*(const NAME(loose) *)(p))
#define STORE(p, v) (*(NAME(loose) *)(p) = (v))
#define COLS (WIDE * LANES)

/* What a block of registers needs: `rows` of a, `wide` vectors of a row of b. */
typedef struct NAME(step) {
  const real *a, *b;
  real *c;
  int64_t ai, ak, bk, ldc, k;
  real alpha, beta;            /* beta of this stretch */
  const real *bias;            /* added at the first stretch, or NULL */
} NAME(step);

INLINE void NAME(put)(const NAME(step) *s, NAME(vec) x, int i, int v) {
  real *c = s->c + i * s->ldc + v * LANES;
  if (s->alpha != 1) x *= s->alpha;
  if (s->bias) x += LOAD(s->bias + v * LANES);
  if (s->beta == 1) x += LOAD(c);
  else if (s->beta != 0) x += s->beta * LOAD(c);
  STORE(c, x);
}

INLINE void NAME(registers)(const int rows, const int wide, const NAME(step) *s,
                            const int64_t ai, const int64_t ak) {
  NAME(vec) sum[ROWS][WIDE];
  const real *a = s->a, *b = s->b;
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int v = 0; v < wide; v++) sum[i][v] = (NAME(vec)){ 0 };
  for (int64_t p = s->k; p > 0; p--, a += ak, b += s->bk) {
    NAME(vec) x[WIDE];
    UNROLL for (int v = 0; v < wide; v++) x[v] = LOAD(b + v * LANES);
    UNROLL for (int i = 0; i < rows; i++)
      UNROLL for (int v = 0; v < wide; v++) sum[i][v] += a[i * ai] * x[v];
  }
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int v = 0; v < wide; v++) NAME(put)(s, sum[i][v], i, v);
}

/* One of a's strides is 1: which one is known where the loops are. */
INLINE void NAME(any_strides)(const int rows, const int wide,
                              const NAME(step) *s) {
  if (s->ak == 1) NAME(registers)(rows, wide, s, s->ai, 1);
  else if (s->ai == 1) NAME(registers)(rows, wide, s, 1, s->ak);
  else NAME(registers)(rows, wide, s, s->ai, s->ak);
}

static void NAME(full_rows)(const NAME(step) *s) {
  NAME(any_strides)(ROWS, WIDE, s);
}
static void NAME(half_rows)(const NAME(step) *s) {
  NAME(any_strides)(ROWS, 1, s);
}
static void NAME(four_rows)(const NAME(step) *s) {
  NAME(any_strides)(4, WIDE, s);
}
static void NAME(one_row)(const NAME(step) *s) {
  NAME(any_strides)(1, WIDE, s);
}

/* Fewer rows than a block has, in smaller blocks. */
static void NAME(few_rows)(const NAME(step) *all, int64_t rows) {
  NAME(step) s = *all;
  for (; rows >= 4; rows -= 4, s.a += 4 * s.ai, s.c += 4 * s.ldc)
    NAME(four_rows)(&s);
  for (; rows > 0; rows--, s.a += s.ai, s.c += s.ldc) NAME(one_row)(&s);
}

/* Fewer columns, by way of a block of its own. */
static void NAME(block)(const NAME(step) *s, int64_t rows, int64_t cols) {
  if (cols == COLS) {
    if (rows == ROWS) NAME(full_rows)(s);
    else NAME(few_rows)(s, rows);
    return;
  }
  real c[ROWS * COLS], bias[COLS];
  NAME(step) own = *s;
  own.c = c;
  own.ldc = COLS;
  for (int64_t i = 0; s->beta != 0 && i < rows; i++)
    memcpy(c + i * COLS, s->c + i * s->ldc, sizeof *c * (size_t)cols);
  if (s->bias) {
    memcpy(bias, s->bias, sizeof *c * (size_t)cols);
    own.bias = bias;
  }
  if (rows == ROWS && cols <= LANES) NAME(half_rows)(&own);
  else if (rows == ROWS) NAME(full_rows)(&own);
  else NAME(few_rows)(&own, rows);
  for (int64_t i = 0; i < rows; i++)
    memcpy(s->c + i * s->ldc, c + i * COLS, sizeof *c * (size_t)cols);
}

/* ---- packing ---- */

/* QUAD rows and columns of 16 bytes: x[j] holds row j and gets column j. */
INLINE void NAME(turn)(NAME(quad) *x) {
#if QUAD == 4
  NAME(quad) a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5);
  NAME(quad) b = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
  NAME(quad) c = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
  NAME(quad) d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
  x[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
  x[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  x[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
  x[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
#else
  NAME(quad) a = __builtin_shufflevector(x[0], x[1], 0, 2);
  x[1] = __builtin_shufflevector(x[0], x[1], 1, 3);
  x[0] = a;
#endif
}

/* p[l * width + j] = b[j * bj + l] for QUAD values of j, and `k` values of l. */
INLINE void NAME(turn_columns)(real *restrict p, const real *restrict b, int64_t bj,
                               int64_t k, const int64_t width) {
  for (int64_t l = 0; l < k; l += QUAD) {
    NAME(quad) x[QUAD];
    UNROLL for (int i = 0; i < QUAD; i++)
      x[i] = *(const NAME(loose_quad) *)(b + i * bj + l);
    NAME(turn)(x);
    UNROLL for (int i = 0; i < QUAD; i++)
      *(NAME(loose_quad) *)(p + (l + i) * width) = x[i];
  }
}

/* Columns of b that are contiguous: a cache line of each is used up at once. */
static void NAME(pack_columns)(real *restrict p, const real *restrict b, int64_t bj,
                               int64_t k, int64_t n, const int64_t width) {
  enum { LINE = 64 / sizeof(real) };
  int64_t l = 0, j;
  for (; l + LINE <= k; l += LINE) {
    for (j = 0; j + QUAD <= n; j += QUAD)
      NAME(turn_columns)(p + l * width + j, b + j * bj + l, bj, LINE, width);
    for (; j < n; j++)
      for (int i = 0; i < LINE; i++) p[(l + i) * width + j] = b[j * bj + l + i];
  }
  for (; l < k; l++)
    for (j = 0; j < n; j++) p[l * width + j] = b[j * bj + l];
}

/* p[l * width + j] = b[l * bk + j * bj], with zeros beyond n. */
INLINE void NAME(pack)(real *restrict p, const real *restrict b, int64_t bk,
                       int64_t bj, int64_t k, int64_t n, const int64_t width) {
  if (n < width) memset(p, 0, sizeof *p * (size_t)(k * width));
  if (bj == 1 && n == width) {
    for (int64_t l = 0; l < k; l++, p += width, b += bk)
      memcpy(p, b, sizeof *p * (size_t)width);
  } else if (bk == 1) {
    NAME(pack_columns)(p, b, bj, k, n, width);
  } else {
    for (int64_t l = 0; l < k; l++)
      for (int64_t j = 0; j < n; j++) p[l * width + j] = b[l * bk + j * bj];
  }
}

/* ---- the product ---- */

/* Columns [j, j + n) over terms [l, l + k).  Panels of b are packed unless few
** rows would use them. */
static void NAME(panels)(const BLOCK *s, int64_t j, int64_t n, int64_t l, int64_t k,
                         real *room, real *side) {
  NAME(step) t = { .ai = s->ai, .ak = s->ak, .ldc = s->ldc, .k = k,
                   .alpha = s->alpha, .beta = l ? 1 : s->beta };
  const real *b = s->b + j * s->bj + l * s->bk;
  bool direct = s->bj == 1 &&
    (s->m <= DIRECT || s->bk * (int64_t)sizeof(real) <= NEAR);
  for (int64_t q = 0; q < n; q += COLS)
    if (!direct || n - q < COLS)
      NAME(pack)(room + q * k, b + q * s->bj, s->bk, s->bj, k,
                 n - q < COLS ? n - q : COLS, COLS);
  for (int64_t i = 0; i < s->m; i += ROWS) {
    int64_t rows = s->m - i < ROWS ? s->m - i : ROWS;
    t.a = s->a + i * s->ai + l * s->ak;
    t.ai = s->ai;
    t.ak = s->ak;
    if (s->ak * (int64_t)sizeof(real) > NEAR && rows == ROWS && n > 2 * COLS) {
      NAME(pack)(side, t.a, s->ak, s->ai, k, ROWS, ROWS);
      t.a = side;
      t.ai = 1;
      t.ak = ROWS;
    }
    for (int64_t q = 0; q < n; q += COLS) {
      bool as_is = direct && n - q >= COLS;
      t.b = as_is ? b + q : room + q * k;
      t.bk = as_is ? s->bk : COLS;
      t.c = s->c + i * s->ldc + j + q;
      t.bias = s->bias && !l ? s->bias + j + q : NULL;
      NAME(block)(&t, rows, n - q < COLS ? n - q : COLS);
    }
  }
}

static void NAME(gemm)(const BLOCK *s) {
  _Alignas(64) real room[STRETCH * COLS * PANELS], side[STRETCH * ROWS];
  for (int64_t l = 0; l < s->k; l += STRETCH) {
    int64_t k = s->k - l < STRETCH ? s->k - l : STRETCH;
    for (int64_t j = 0; j < s->n; j += COLS * PANELS)
      NAME(panels)(s, j, s->n - j < COLS * PANELS ? s->n - j : COLS * PANELS, l, k,
                   room, side);
  }
}

#undef LOAD
#undef STORE
#undef COLS
