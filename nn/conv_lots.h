/* conv_lots.h -- convolutions for one type: included by cpu_conv.c with `real` and NAME(x).
**
** A lot is a few neighbouring samples whose pixels lie side by side as the columns of
** one product, so that small pictures make products of a useful size too. */

/* Row r of the columns of one sample: what element (c, ky, kx) of the kernel meets at
** each place of the result, zero outside of the picture. */
static void NAME(gather_row)(const conv *v, const real *x, int64_t r, real *to) {
  int64_t kx = r % v->kw, ky = r / v->kw % v->kh;
  x += r / v->kw / v->kh * v->h * v->w;
  for (int64_t oy = 0; oy < v->oh; oy++, to += v->ow) {
    int64_t y = oy * v->stride + ky - v->pad;
    bool out = y < 0 || y >= v->h;
    for (int64_t ox = 0; ox < v->ow; ox++) {
      int64_t at = ox * v->stride + kx - v->pad;
      to[ox] = out || at < 0 || at >= v->w ? 0 : x[y * v->w + at];
    }
  }
}

/* The adjoint: adds them back to where they came from. */
static void NAME(scatter_row)(const conv *v, const real *from, int64_t r, real *x) {
  int64_t kx = r % v->kw, ky = r / v->kw % v->kh;
  x += r / v->kw / v->kh * v->h * v->w;
  for (int64_t oy = 0; oy < v->oh; oy++, from += v->ow) {
    int64_t y = oy * v->stride + ky - v->pad;
    if (y < 0 || y >= v->h) continue;
    for (int64_t ox = 0; ox < v->ow; ox++) {
      int64_t at = ox * v->stride + kx - v->pad;
      if (at >= 0 && at < v->w) x[y * v->w + at] += from[ox];
    }
  }
}

/* Columns (K, samples * L) of the samples from n on. */
static void NAME(columns)(const conv *v, int64_t n, int64_t samples, real *col) {
  int64_t each = v->oh * v->ow;
  for (int64_t r = 0; r < v->k; r++)
    for (int64_t s = 0; s < samples; s++)
      NAME(gather_row)(v, (const real *)v->x + (n + s) * v->c * v->h * v->w, r,
                       col + (r * samples + s) * each);
}

static void NAME(uncolumns)(const conv *v, int64_t n, int64_t samples, const real *col) {
  int64_t each = v->oh * v->ow, plane = v->h * v->w;
  real *x = (real *)v->y + n * v->c * plane;
  for (int64_t i = 0; i < samples * v->c * plane; i++)
    x[i] = v->bias ? ((const real *)v->bias)[i / plane % v->c] : 0;
  for (int64_t r = 0; r < v->k; r++)
    for (int64_t s = 0; s < samples; s++)
      NAME(scatter_row)(v, col + (r * samples + s) * each, r, x + s * v->c * plane);
}

/* (samples, O, L) to (O, samples * L), and back with the bias added. */
static void NAME(outputs_in)(const conv *v, int64_t n, int64_t samples, real *m) {
  int64_t each = v->oh * v->ow;
  const real *g = (const real *)v->g + n * v->o * each;
  for (int64_t s = 0; s < samples; s++)
    for (int64_t o = 0; o < v->o; o++)
      memcpy(m + (o * samples + s) * each, g + (s * v->o + o) * each, sizeof(real) * (size_t)each);
}

static void NAME(outputs_out)(const conv *v, int64_t n, int64_t samples, const real *m) {
  int64_t each = v->oh * v->ow;
  real *y = (real *)v->y + n * v->o * each;
  for (int64_t s = 0; s < samples; s++)
    for (int64_t o = 0; o < v->o; o++) {
      real b = v->bias ? ((const real *)v->bias)[o] : 0;
      const real *from = m + (o * samples + s) * each;
      real *to = y + (s * v->o + o) * each;
      for (int64_t i = 0; i < each; i++) to[i] = from[i] + b;
    }
}

/* One lot of the convolution, of its adjoint, and its share of the weight's gradient. */

static void NAME(forward)(const conv *v, int64_t n, int64_t samples, real *col, real *m) {
  int64_t wide = samples * v->oh * v->ow;
  NAME(columns)(v, n, samples, col);
  NAME(row_product)(false, false, v->o, wide, v->k, 1, v->weight, v->k, col, wide, 0, m, wide);
  NAME(outputs_out)(v, n, samples, m);
}

static void NAME(adjoint)(const conv *v, int64_t n, int64_t samples, real *col, real *m) {
  int64_t wide = samples * v->oh * v->ow;
  NAME(outputs_in)(v, n, samples, m);
  NAME(row_product)(true, false, v->k, wide, v->o, 1, v->weight, v->k, m, wide, 0, col, wide);
  NAME(uncolumns)(v, n, samples, col);
}

static void NAME(weights)(const conv *v, int64_t n, int64_t samples, real *col, real *m,
                          bool first, real *dw) {
  int64_t wide = samples * v->oh * v->ow;
  NAME(outputs_in)(v, n, samples, m);
  NAME(columns)(v, n, samples, col);
  NAME(row_product)(false, true, v->o, v->k, wide, 1, m, wide, col, wide, !first, dw, v->k);
}

/* One chunk: the lots that follow one another from chunk * v->per on. */
static void NAME(chunk)(void *ctx, int64_t chunk) {
  conv *v = ctx;
  size_t wide = (size_t)(v->lot * v->oh * v->ow);
  real *col = td__scratch(sizeof(real) * wide * (size_t)(v->k + v->o));
  if (!col) { atomic_store(&v->failed, true); return; }
  int64_t begin = chunk * v->per * v->lot, end = begin + v->per * v->lot;
  if (end > v->n) end = v->n;
  for (int64_t n = begin; n < end && !td_interrupt_flag; n += v->lot) {
    int64_t samples = end - n < v->lot ? end - n : v->lot;
    real *m = col + (int64_t)wide * v->k;
    if (v->what == FORWARD) NAME(forward)(v, n, samples, col, m);
    else if (v->what == ADJOINT) NAME(adjoint)(v, n, samples, col, m);
    else NAME(weights)(v, n, samples, col, m, n == begin, (real *)v->part + chunk * v->o * v->k);
  }
  td__scratch_drop(col);
}

static void NAME(add_parts)(const conv *v, int64_t parts, real *dw) {
  int64_t size = v->o * v->k;
  memcpy(dw, v->part, sizeof(real) * (size_t)size);
  for (int64_t p = 1; p < parts; p++)
    for (int64_t i = 0; i < size; i++) dw[i] += ((const real *)v->part)[p * size + i];
}
