/* norm_rows.h -- layer_norm, gated_norm and rms_norm for one type: included by cpu_norm.c
** with `real`, VEC (bytes of a vector) and NAME(x) defined.
**
** A row is read a few times, but from the first-level cache after the first.
** Sums run in a fixed order: lanes, then lanes folded in half again and again. */

typedef real NAME(vec) __attribute__((vector_size(VEC)));
typedef real NAME(loose)               /* a vector anywhere in memory */
  __attribute__((vector_size(VEC), aligned(sizeof(real)), may_alias));
enum { NAME(lanes) = VEC / sizeof(real) };

INLINE real NAME(fold)(NAME(vec) v) {
  real s[NAME(lanes)];
  memcpy(s, &v, sizeof s);
  for (int w = NAME(lanes) / 2; w; w /= 2)
    for (int l = 0; l < w; l++) s[l] += s[l + w];
  return s[0];
}

/* sum of f(i) over [0, n), f an expression of the names X and I */
#define SUM_OVER(n, total, vector_term, scalar_term) do { \
  NAME(vec) s0_ = { 0 }, s1_ = { 0 }; \
  int64_t i = 0; \
  for (; i + 2 * NAME(lanes) <= (n); i += 2 * NAME(lanes)) { \
    { const int64_t o = i; s0_ += vector_term; } \
    { const int64_t o = i + NAME(lanes); s1_ += vector_term; } \
  } \
  total = NAME(fold)(s0_ + s1_); \
  for (; i < (n); i++) total += scalar_term; \
} while (0)
#define AT(p) (*(const NAME(loose) *)((p) + o))

typedef struct NAME(stats) { real mean, r; } NAME(stats);

INLINE NAME(stats) NAME(stats_of)(const real *x, int64_t n, real eps,
                                  bool centre) {
  real mean = 0, power;
  if (centre) {
    SUM_OVER(n, mean, AT(x), x[i]);
    mean /= (real)n;
  }
  SUM_OVER(n, power, (AT(x) - mean) * (AT(x) - mean),
           (x[i] - mean) * (x[i] - mean));
  return (NAME(stats)){ mean, 1 / (real)sqrt(power / (real)n + eps) };
}

INLINE void NAME(norm_row)(const real *x, const real *w, const real *b, real *y,
                           int64_t n, real eps, bool centre) {
  NAME(stats) s = NAME(stats_of)(x, n, eps, centre);
  if (w && b)
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - s.mean) * s.r * w[i] + b[i];
  else if (w)
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - s.mean) * s.r * w[i];
  else if (b)
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - s.mean) * s.r + b[i];
  else
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - s.mean) * s.r;
}

/* y = y (1 + scale) + shift */
INLINE void NAME(modulate_row)(real *y, const real *shift, const real *scale, int64_t n) {
  if (scale && shift) EACH y[i] = y[i] + y[i] * scale[i] + shift[i];
  else if (scale) EACH y[i] = y[i] + y[i] * scale[i];
  else if (shift) EACH y[i] = y[i] + shift[i];
}

/* y = r (h - <h> - xhat <h xhat>), h = g w; y may be g */
INLINE void NAME(grad_row)(NAME(stats) s, const real *g, const real *x, const real *w, real *y,
                           int64_t n, bool centre) {
  real h = 0, hx;
  if (w) {
    if (centre) SUM_OVER(n, h, AT(g) * AT(w), g[i] * w[i]);
    SUM_OVER(n, hx, AT(g) * AT(w) * (AT(x) - s.mean),
             g[i] * w[i] * (x[i] - s.mean));
  } else {
    if (centre) SUM_OVER(n, h, AT(g), g[i]);
    SUM_OVER(n, hx, AT(g) * (AT(x) - s.mean), g[i] * (x[i] - s.mean));
  }
  h /= (real)n;
  hx *= s.r * s.r / (real)n;
  if (w) EACH y[i] = s.r * (g[i] * w[i] - h - (x[i] - s.mean) * hx);
  else EACH y[i] = s.r * (g[i] - h - (x[i] - s.mean) * hx);
}

static void NAME(norm_rows)(void *ctx, int64_t begin, int64_t end) {
  const rows *r = ctx;
  const real *w = r->w, *b = r->b;
  int64_t n = r->n;
  for (int64_t k = begin; k < end; k++) {
    const real *x = line(r->x, r, k);
    real *y = (real *)r->y + k * n;
    if (r->gate) {               /* h = x + gate y, in its place */
      const real *gate = line(r->gate, r, k), *f = line(r->f, r, k);
      real *h = (real *)r->h + k * n;
      EACH h[i] = x[i] + gate[i] * f[i];
      x = h;
    }
    if (r->centre) NAME(norm_row)(x, w, b, y, n, (real)r->eps, true);
    else NAME(norm_row)(x, w, NULL, y, n, (real)r->eps, false);
    NAME(modulate_row)(y, line(r->shift, r, k), line(r->scale, r, k), n);
  }
}

static void NAME(grad_rows)(void *ctx, int64_t begin, int64_t end) {
  const rows *r = ctx;
  int64_t n = r->n;
  for (int64_t k = begin; k < end; k++) {
    const real *x = line(r->x, r, k), *g = line(r->g, r, k);
    real *y = (real *)r->y + k * n;
    NAME(stats) s = NAME(stats_of)(x, n, (real)r->eps, r->centre);
    if (r->centre) NAME(grad_row)(s, g, x, r->w, y, n, true);
    else NAME(grad_row)(s, g, x, r->w, y, n, false);
  }
}

/* y and h are the gradients of x and of the scale. */
static void NAME(modulated_rows)(void *ctx, int64_t begin, int64_t end) {
  const rows *r = ctx;
  const real *w = r->w, *b = r->b;
  int64_t n = r->n;
  for (int64_t k = begin; k < end; k++) {
    const real *x = line(r->x, r, k), *g = line(r->g, r, k), *scale = line(r->scale, r, k);
    const real *add = line(r->add, r, k);
    real *y = (real *)r->y + k * n, *d = (real *)r->h + k * n;
    NAME(stats) s = NAME(stats_of)(x, n, (real)r->eps, true);
    if (w && b) EACH d[i] = g[i] * ((x[i] - s.mean) * s.r * w[i] + b[i]);
    else if (w) EACH d[i] = g[i] * ((x[i] - s.mean) * s.r * w[i]);
    else if (b) EACH d[i] = g[i] * ((x[i] - s.mean) * s.r + b[i]);
    else EACH d[i] = g[i] * ((x[i] - s.mean) * s.r);
    EACH y[i] = g[i] + g[i] * scale[i];
    NAME(grad_row)(s, y, x, w, y, n, true);
    if (add) EACH y[i] += add[i];
  }
}

/* Row c of r->y: the sums of g xhat and, for layer_norm, of g over the rows of chunk c. */
static void NAME(wgrad_chunk)(void *ctx, int64_t c) {
  const rows *r = ctx;
  int64_t n = r->n, end = (c + 1) * r->per < r->count ? (c + 1) * r->per : r->count;
  real *sum = (real *)r->y + c * r->sums, *plain = sum + n;
  for (int64_t i = 0; i < r->sums; i++) sum[i] = 0;
  for (int64_t k = c * r->per; k < end; k++) {
    const real *g = line(r->g, r, k), *x = line(r->x, r, k), *scale = line(r->scale, r, k);
    NAME(stats) s = NAME(stats_of)(x, n, (real)r->eps, r->centre);
    if (!r->centre) EACH sum[i] += g[i] * (x[i] - s.mean) * s.r;
    else if (!scale) EACH { sum[i] += g[i] * (x[i] - s.mean) * s.r; plain[i] += g[i]; }
    else EACH {
      real u = g[i] + g[i] * scale[i];
      sum[i] += u * (x[i] - s.mean) * s.r;
      plain[i] += u;
    }
  }
}

static void NAME(add_chunks)(const rows *r, int64_t chunks, int64_t from, real *y) {
  const real *part = r->y;
  for (int64_t i = 0; i < r->n; i++) y[i] = 0;
  for (int64_t c = 0; c < chunks; c++, part += r->sums)
    for (int64_t i = 0; i < r->n; i++) y[i] += part[from + i];
}

/* ---- groups of channels: `inner` numbers for each channel, `each` channels in a group ---- */

static void NAME(norm_groups)(void *ctx, int64_t begin, int64_t end) {
  const rows *r = ctx;
  for (int64_t k = begin; k < end; k++) {
    const real *x = (const real *)r->gx + k * r->n;
    real *y = (real *)r->y + k * r->n;
    NAME(stats) s = NAME(stats_of)(x, r->n, (real)r->eps, true);
    for (int64_t c = 0; c < r->each; c++, x += r->inner, y += r->inner) {
      int64_t at = k % (r->count / r->samples) * r->each + c, own = k * r->each + c;
      real w = r->w ? ((const real *)r->w)[r->w_own ? own : at] * s.r : s.r;
      real b = r->b ? ((const real *)r->b)[r->b_own ? own : at] : 0;
      for (int64_t i = 0; i < r->inner; i++) y[i] = (x[i] - s.mean) * w + b;
    }
  }
}

/* The sums of g and of g xhat over each channel, then dx as in grad_row. */
static void NAME(grad_groups)(void *ctx, int64_t begin, int64_t end) {
  const rows *r = ctx;
  for (int64_t k = begin; k < end; k++) {
    const real *x = (const real *)r->gx + k * r->n, *g = (const real *)r->gg + k * r->n;
    real *y = (real *)r->y + k * r->n, h = 0, hx = 0;
    real *dw = (real *)r->dw + k * r->each, *db = (real *)r->db + k * r->each;
    NAME(stats) s = NAME(stats_of)(x, r->n, (real)r->eps, true);
    const real *w = r->w ? (const real *)r->w +
      (r->w_own ? k : k % (r->count / r->samples)) * r->each : NULL;
    for (int64_t c = 0; c < r->each; c++, x += r->inner, g += r->inner) {
      real sum, with;
      SUM_OVER(r->inner, sum, AT(g), g[i]);
      SUM_OVER(r->inner, with, AT(g) * (AT(x) - s.mean), g[i] * (x[i] - s.mean));
      db[c] = sum, dw[c] = with * s.r;
      h += w ? w[c] * sum : sum, hx += w ? w[c] * with : with;
    }
    x -= r->n, g -= r->n;
    h /= (real)r->n, hx *= s.r * s.r / (real)r->n;
    for (int64_t c = 0; c < r->each; c++, x += r->inner, g += r->inner, y += r->inner) {
      real u = w ? w[c] : 1;
      for (int64_t i = 0; i < r->inner; i++) y[i] = s.r * (g[i] * u - h - (x[i] - s.mean) * hx);
    }
  }
}
#undef SUM_OVER
#undef AT
#undef NAME
#undef real
