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

/* Memory to be asked for while blocks are computed: runs of whole lines, `pitch`
** bytes apart. */
typedef struct NAME(ahead) {
  const char *at, *end;        /* the next line, and where its run ends */
  int64_t pitch, skip;         /* skip: from the end of a run to the next one */
  int64_t each;                /* lines for each block */
} NAME(ahead);

INLINE void NAME(ask)(NAME(ahead) *q) {
  AHEAD(q->at);
  q->at += LINE;
  if (q->at < q->end) return;
  q->at += q->skip;
  q->end += q->pitch;
}

/* What a block of registers needs: `rows` of a, `wide` vectors of a row of b. */
typedef struct NAME(step) {
  const real *a, *b;
  real *c;
  int64_t ai, ak, bk, ldc, k;
  real alpha, beta;            /* beta of this stretch */
  const real *bias;            /* added at the first stretch, or NULL */
  NAME(ahead) *ahead;
} NAME(step);

INLINE void NAME(term)(const int rows, const int wide, NAME(vec) (*sum)[WIDE],
                       const real *a, const real *b, const int64_t ai) {
  NAME(vec) x[WIDE];
  UNROLL for (int v = 0; v < wide; v++) x[v] = LOAD(b + v * LANES);
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int v = 0; v < wide; v++) sum[i][v] += a[i * ai] * x[v];
}

/* The usual ends have code of their own: what lies between two blocks is waited for. */
#define EACH(value) do { \
    UNROLL for (int i = 0; i < rows; i++) \
      UNROLL for (int v = 0; v < wide; v++) { \
        real *c = s->c + i * s->ldc + v * LANES; \
        STORE(c, value); \
      } \
  } while (0)
INLINE void NAME(put)(const int rows, const int wide, const NAME(step) *s,
                      NAME(vec) (*sum)[WIDE]) {
  NAME(vec) bias[WIDE] = { 0 };
  for (int v = 0; s->bias && v < wide; v++) bias[v] = LOAD(s->bias + v * LANES);
  if (s->alpha == 1 && s->beta == 0 && !s->bias) EACH(sum[i][v]);
  else if (s->alpha == 1 && s->beta == 0) EACH(sum[i][v] + bias[v]);
  else if (s->beta == 0) EACH(s->alpha * sum[i][v] + bias[v]);
  else if (s->alpha == 1 && s->beta == 1 && !s->bias) EACH(sum[i][v] + LOAD(c));
  else EACH(s->alpha * sum[i][v] + bias[v] + s->beta * LOAD(c));
}
#undef EACH

INLINE void NAME(registers)(const int rows, const int wide, const NAME(step) *s,
                            const int64_t ai, const int64_t ak) {
  NAME(vec) sum[ROWS][WIDE];
  const real *a = s->a, *b = s->b;
  int64_t p = s->k;
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int v = 0; v < wide; v++) sum[i][v] = (NAME(vec)){ 0 };
  for (int64_t n = s->ahead->each; n > 0 && p >= TERMS; n--, p -= TERMS) {
    NAME(ask)(s->ahead);
    UNROLL for (int l = 0; l < TERMS; l++, a += ak, b += s->bk)
      NAME(term)(rows, wide, sum, a, b, ai);
  }
  for (; p > 0; p--, a += ak, b += s->bk) NAME(term)(rows, wide, sum, a, b, ai);
  NAME(put)(rows, wide, s, sum);
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

/* p[l * COLS + j] = b[j * bj + l] for QUAD values of j, and k values of l. */
INLINE void NAME(turn_columns)(real *restrict p, const real *restrict b, int64_t bj,
                               const int64_t k) {
  for (int64_t l = 0; l < k; l += QUAD) {
    NAME(quad) x[QUAD];
    UNROLL for (int i = 0; i < QUAD; i++)
      x[i] = *(const NAME(loose_quad) *)(b + i * bj + l);
    NAME(turn)(x);
    UNROLL for (int i = 0; i < QUAD; i++)
      *(NAME(loose_quad) *)(p + (l + i) * COLS) = x[i];
  }
}

/* Columns of b that are contiguous, a panel of them: a cache line of each is used up
** at once. */
static void NAME(pack_columns)(real *restrict p, const real *restrict b, int64_t bj,
                               int64_t k) {
  enum { STEP = LINE / sizeof(real) };
  int64_t l = 0;
  for (; l + STEP <= k; l += STEP)
    for (int64_t j = 0; j < COLS; j += QUAD) {
      UNROLL for (int i = 0; i < QUAD; i++)
        AHEAD(b + (j + i) * bj + l + LINES_AHEAD * STEP);
      NAME(turn_columns)(p + l * COLS + j, b + j * bj + l, bj, STEP);
    }
  for (; l < k; l++)
    for (int64_t j = 0; j < COLS; j++) p[l * COLS + j] = b[j * bj + l];
}

/* Rows of b that are contiguous, n of their entries, a whole number of panels. */
INLINE void NAME(pack_rows)(real *restrict p, const real *restrict b, int64_t bk,
                            int64_t k, int64_t n, const int64_t width) {
  for (int64_t l = 0; l < k; l++)
    for (int64_t j = 0; j < n; j += width) {
      AHEAD(b + (l + ROWS_AHEAD) * bk + j);
      if (sizeof *p * (size_t)width > 64) AHEAD(b + (l + ROWS_AHEAD) * bk + j + width / 2);
      memcpy(p + j * k + l * width, b + l * bk + j, sizeof *p * (size_t)width);
    }
}

/* Panels of n columns over k terms; the last one is filled up with zeros. */
static void NAME(pack)(real *restrict p, const real *restrict b, int64_t bk, int64_t bj,
                       int64_t k, int64_t n) {
  int64_t whole = bj == 1 || bk == 1 ? n - n % COLS : 0;
  if (bj == 1) NAME(pack_rows)(p, b, bk, k, whole, COLS);
  for (int64_t j = 0; bj != 1 && j < whole; j += COLS)
    NAME(pack_columns)(p + j * k, b + j * bj, bj, k);
  for (int64_t j = whole; j < n; j += COLS) {
    int64_t cols = n - j < COLS ? n - j : COLS;
    real *q = p + j * k;
    if (cols < COLS) memset(q, 0, sizeof *q * (size_t)(k * COLS));
    for (int64_t l = 0; l < k; l++)
      for (int64_t c = 0; c < cols; c++) q[l * COLS + c] = b[l * bk + (j + c) * bj];
  }
}

/* ---- the product ---- */

/* A part of the product: rows [i, i + m), columns [j, j + n), terms [l, l + k). */
typedef struct NAME(part) {
  int64_t i, j, l, m, n, k;
  int64_t most;                /* rows of a part */
  bool terms_last;             /* the order of parts: terms in the outermost loop */
} NAME(part);

/* May columns of b, and those of a, be read where they lie? */
INLINE bool NAME(near_b)(const BLOCK *s) {
  return s->bj == 1 && (s->m <= DIRECT || s->bk * (int64_t)sizeof(real) <= NEAR);
}
INLINE bool NAME(near_a)(const BLOCK *s) {
  return s->ai != 1 || s->ak * (int64_t)sizeof(real) <= NEAR || s->n <= 2 * COLS;
}

/* Panels of b are packed into room here, the rows of a into side (or NULL) before. */
static void NAME(panels)(const BLOCK *s, const NAME(part) *t, NAME(ahead) *ahead, real *room,
                         const real *side) {
  NAME(step) u = { .ldc = s->ldc, .k = t->k, .alpha = s->alpha,
                   .beta = t->l ? 1 : s->beta, .ahead = ahead };
  const real *a = s->a + t->i * s->ai + t->l * s->ak;
  const real *b = s->b + t->j * s->bj + t->l * s->bk;
  int64_t loose = NAME(near_b)(s) ? t->n - t->n % COLS : 0;    /* not packed */
  if (loose < t->n)
    NAME(pack)(room + loose * t->k, b + loose * s->bj, s->bk, s->bj, t->k, t->n - loose);
  for (int64_t i = 0; i < t->m; i += ROWS) {
    int64_t rows = t->m - i < ROWS ? t->m - i : ROWS;
    bool packed = side && rows == ROWS;
    u.a = packed ? side + i * t->k : a + i * s->ai;
    u.ai = packed ? 1 : s->ai;
    u.ak = packed ? ROWS : s->ak;
    for (int64_t j = 0; j < t->n; j += COLS) {
      u.b = j < loose ? b + j : room + j * t->k;
      u.bk = j < loose ? s->bk : COLS;
      u.c = s->c + (t->i + i) * s->ldc + t->j + j;
      u.bias = s->bias && !t->l ? s->bias + t->j + j : NULL;
      NAME(block)(&u, rows, t->n - j < COLS ? t->n - j : COLS);
    }
  }
}

/* So small that packing would take longer; the same chains. */
static void NAME(tiny)(const BLOCK *s) {
  for (int64_t i = 0; i < s->m; i++)
    for (int64_t j = 0; j < s->n; j++) {
      const real *a = s->a + i * s->ai, *b = s->b + j * s->bj;
      real x = 0, *c = s->c + i * s->ldc + j;
      for (int64_t l = 0; l < s->k; l++) x += a[l * s->ak] * b[l * s->bk];
      if (s->alpha != 1) x *= s->alpha;
      if (s->bias) x += s->bias[j];
      if (s->beta == 1) x += *c;
      else if (s->beta != 0) x += s->beta * *c;
      *c = x;
    }
}

static void NAME(clip)(const BLOCK *s, NAME(part) *t) {
  t->m = s->m - t->i < t->most ? s->m - t->i : t->most;
  t->n = s->n - t->j < COLS * PANELS ? s->n - t->j : COLS * PANELS;
  t->k = s->k - t->l < STRETCH ? s->k - t->l : STRETCH;
}

/* Goes on to the next part; false after the last. */
static bool NAME(next)(const BLOCK *s, NAME(part) *t) {
  if (!t->terms_last && (t->l += STRETCH) >= s->k) t->l = 0;
  if ((t->terms_last || !t->l) && (t->j += COLS * PANELS) >= s->n) {
    t->j = 0;
    if ((t->i += t->most) >= s->m) {
      t->i = 0;
      if (!t->terms_last || (t->l += STRETCH) >= s->k) return false;
    }
  }
  NAME(clip)(s, t);
  return true;
}

/* What part u reads of b, to be asked for while t is computed. */
static NAME(ahead) NAME(look)(const BLOCK *s, const NAME(part) *t, const NAME(part) *u) {
  bool rows = s->bj == 1;
  if ((!rows && s->bk != 1) || (t->j == u->j && t->l == u->l)) return (NAME(ahead)){ 0 };
  const char *at = (const char *)(s->b + u->j * s->bj + u->l * s->bk);
  int64_t run = (rows ? u->n : u->k) * (int64_t)sizeof(real), lines = (run + LINE - 1) / LINE;
  int64_t pitch = (rows ? s->bk : s->bj) * (int64_t)sizeof(real);
  int64_t blocks = ((t->m - 1) / ROWS + 1) * ((t->n - 1) / COLS + 1);
  return (NAME(ahead)){ at, at + run, pitch, pitch - lines * LINE,
                        (lines * (rows ? u->k : u->n) - 1) / blocks + 1 };
}

/* The longer one of columns and terms is walked along once. */
static void NAME(gemm)(const BLOCK *s) {
  _Alignas(64) real room[STRETCH * COLS * PANELS], side[STRETCH * ROWS * BLOCKS];
  if (s->m * s->n * s->k <= TINY) {
    NAME(tiny)(s);
    return;
  }
  bool near = NAME(near_a)(s);
  NAME(part) t = { .most = near ? s->m : ROWS * BLOCKS, .terms_last = !near || s->k > s->n };
  NAME(clip)(s, &t);
  for (bool more = true; more; ) {
    NAME(part) u = t;
    more = NAME(next)(s, &u);
    NAME(ahead) ahead = more ? NAME(look)(s, &t, &u) : (NAME(ahead)){ 0 };
    if (!near && !t.j)
      NAME(pack_rows)(side, s->a + t.i + t.l * s->ak, s->ak, t.k, t.m - t.m % ROWS, ROWS);
    NAME(panels)(s, &t, &ahead, room, near ? NULL : side);
    t = u;
  }
}

#undef LOAD
#undef STORE
#undef COLS
