/* update_rows.h -- one stretch of an update for one type: included by
** cpu_update.c with `real`, SQRT and NAME(x) defined.  v[k] is a stretch of list
** k; stretches do not overlap. */

static void NAME(adam)(const update *u, real *const *v, int64_t n) {
  real *restrict p = v[0], *restrict m = v[2], *restrict s = v[3];
  const real *restrict grad = v[1];
  const real keep = (real)u->beta2, c1 = (real)(1 - u->beta1);
  const real c2 = (real)(1 - u->beta2), eps = (real)u->eps;
  const real size = (real)u->size, root = (real)u->root;
  const real decay = u->decoupled ? 0 : (real)u->decay;
  const real shrink = u->decoupled ? (real)(1 - u->lr * u->decay) : 1;
  for (int64_t i = 0; i < n; i++) {
    real g = grad[i] + decay * p[i];
    m[i] += c1 * (g - m[i]);
    s[i] = keep * s[i] + c2 * g * g;
    p[i] = shrink * p[i] - size * m[i] / (SQRT(s[i]) * root + eps);
  }
}

static void NAME(sgd)(const update *u, real *const *v, int64_t n) {
  real *restrict p = v[0];
  const real *restrict g = v[1];
  const real lr = (real)u->lr, decay = (real)u->decay;
  for (int64_t i = 0; i < n; i++) p[i] -= lr * (g[i] + decay * p[i]);
}

static void NAME(momentum)(const update *u, real *const *v, int64_t n) {
  real *restrict p = v[0], *restrict w = v[2];
  const real *restrict grad = v[1];
  const real lr = (real)u->lr, decay = (real)u->decay;
  const real keep = (real)u->momentum;
  for (int64_t i = 0; i < n; i++) {
    real g = grad[i] + decay * p[i];
    w[i] = keep * w[i] + g;
    p[i] -= lr * (u->nesterov ? g + keep * w[i] : w[i]);
  }
}

static void NAME(ema)(const update *u, real *const *v, int64_t n) {
  real *restrict s = v[0];
  const real *restrict p = v[1];
  const real rate = (real)(1 - u->lr);
  for (int64_t i = 0; i < n; i++) s[i] += rate * (p[i] - s[i]);
}

static void NAME(scale)(const update *u, real *const *v, int64_t n) {
  real *restrict x = v[0];
  const real factor = (real)u->lr;
  for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

/* The sum of squares of a stretch goes to the slot of its chunk, in double. */
static void NAME(squares)(const update *u, real *const *v, int64_t n) {
  const real *x = v[0];
  double s[8] = { 0 };
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int l = 0; l < 8; l++) s[l] += (double)x[i + l] * (double)x[i + l];
  for (; i < n; i++) s[0] += (double)x[i] * (double)x[i];
  *u->sum += ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}
#undef NAME
#undef SQRT
#undef real
