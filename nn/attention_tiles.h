/* attention_tiles.h -- attention for one type: included by cpu_attention.c with `real`,
** EXP, LOG and NAME(x).  A tile is a block of queries against a block of keys; only tiles
** of the scores ever exist, so the memory needed grows with n and not with n^2. */

/* Scores of a tile, (rows, cols) with rows TILE_K apart. */
static void NAME(scores)(const attention *a, int64_t b, int64_t i, int64_t rows, int64_t j,
                         int64_t cols, real *s) {
  NAME(row_product)(false, true, rows, cols, a->d, (real)a->scale,
                (const real *)a->q + (b * a->n + i) * a->d, a->d,
                (const real *)a->k + (b * a->m + j) * a->d, a->d, 0, s, TILE_K);
}

static real NAME(largest)(const real *s, int64_t n, real most) {
  for (int64_t j = 0; j < n; j++) most = s[j] > most ? s[j] : most;
  return most;
}

/* s = exp(s - shift); returns the sum */
static real NAME(weigh)(real *s, int64_t n, real shift) {
  for (int64_t j = 0; j < n; j++) s[j] = EXP(s[j] - shift);
  real sum = 0;
  for (int64_t j = 0; j < n; j++) sum += s[j];
  return sum;
}

/* Softmax as the keys come: what was summed under a smaller maximum is scaled down. */
static void NAME(forward)(const attention *a, int64_t b, int64_t i, int64_t rows, real *s) {
  real most[TILE_Q], sum[TILE_Q] = { 0 };
  real *y = (real *)a->y + (b * a->n + i) * a->dv, *lse = (real *)a->lse_out + b * a->n + i;
  memset(y, 0, sizeof(real) * (size_t)(rows * a->dv));
  for (int64_t r = 0; r < rows; r++) most[r] = -(real)INFINITY;
  for (int64_t j = 0; j < a->m; j += TILE_K) {
    int64_t cols = a->m - j < TILE_K ? a->m - j : TILE_K;
    NAME(scores)(a, b, i, rows, j, cols, s);
    for (int64_t r = 0; r < rows; r++) {
      real top = NAME(largest)(s + r * TILE_K, cols, most[r]);
      real shrink = top > most[r] ? EXP(most[r] - top) : 1;
      sum[r] = sum[r] * shrink + NAME(weigh)(s + r * TILE_K, cols, top);
      most[r] = top;
      for (int64_t e = 0; j && e < a->dv; e++) y[r * a->dv + e] *= shrink;
    }
    NAME(row_product)(false, false, rows, a->dv, cols, 1, s, TILE_K,
                  (const real *)a->v + (b * a->m + j) * a->dv, a->dv, 1, y, a->dv);
  }
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t e = 0; e < a->dv; e++) y[r * a->dv + e] /= sum[r];
    lse[r] = most[r] + LOG(sum[r]);
  }
}

/* The scores are computed again: p = exp(s - lse); ds = p (g v^T - delta). */
static void NAME(backward)(const attention *a, int64_t b, int64_t i, int64_t rows, real *p) {
  real *dp = p + TILE_Q * TILE_K;
  int64_t at = b * a->n + i;
  const real *g = (const real *)a->g + at * a->dv, *q = (const real *)a->q + at * a->d;
  const real *lse = (const real *)a->lse + at, *delta = (const real *)a->delta + at;
  for (int64_t j = 0; j < a->m; j += TILE_K) {
    int64_t cols = a->m - j < TILE_K ? a->m - j : TILE_K, key = b * a->m + j;
    NAME(scores)(a, b, i, rows, j, cols, p);
    for (int64_t r = 0; r < rows; r++) NAME(weigh)(p + r * TILE_K, cols, lse[r]);
    NAME(row_product)(true, false, cols, a->dv, rows, 1, p, TILE_K, g, a->dv, 1,
                  (real *)a->gv + key * a->dv, a->dv);
    NAME(row_product)(false, true, rows, cols, a->dv, 1, g, a->dv,
                  (const real *)a->v + key * a->dv, a->dv, 0, dp, TILE_K);
    for (int64_t r = 0; r < rows; r++)
      for (int64_t l = 0; l < cols; l++)
        dp[r * TILE_K + l] = p[r * TILE_K + l] * (dp[r * TILE_K + l] - delta[r]);
    NAME(row_product)(false, false, rows, a->d, cols, (real)a->scale, dp, TILE_K,
                  (const real *)a->k + key * a->d, a->d, 1, (real *)a->gq + at * a->d, a->d);
    NAME(row_product)(true, false, cols, a->d, rows, (real)a->scale, dp, TILE_K, q, a->d, 1,
                  (real *)a->gk + key * a->d, a->d);
  }
}

/* A chunk is a block of queries, or backward all queries of one batch entry, since they
** add to the same keys. */
static void NAME(chunk)(void *ctx, int64_t chunk) {
  attention *a = ctx;
  real *s = td__scratch(sizeof(real) * 2 * TILE_Q * TILE_K);
  if (!s) { atomic_store(&a->failed, true); return; }
  int64_t blocks = (a->n + TILE_Q - 1) / TILE_Q;
  int64_t b = a->g ? chunk : chunk / blocks;
  int64_t i = a->g ? 0 : chunk % blocks * TILE_Q, end = a->g ? a->n : i + 1;
  for (; i < end && !td_interrupt_flag; i += TILE_Q) {
    int64_t rows = a->n - i < TILE_Q ? a->n - i : TILE_Q;
    if (a->g) NAME(backward)(a, b, i, rows, s);
    else NAME(forward)(a, b, i, rows, s);
  }
  td__scratch_drop(s);
}
