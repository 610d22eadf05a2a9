/* conv_planes.h -- convolutions for one type: included by cpu_conv.c with `real`, LANES of them
** in a vector, and NAME(x).  See there for planes, taps and phases. */

typedef real NAME(vec) __attribute__((vector_size(VECTOR)));
typedef real NAME(loose) __attribute__((vector_size(VECTOR), aligned(sizeof(real)), may_alias));
#define LOAD(p) (*(const NAME(loose) *)(p))
#define STORE(p, v) (*(NAME(loose) *)(p) = (v))

/* ---- planes ---- */

/* Copies a sample's channels into their planes.  Of the pixels of a cell of step x step, those
** that a tap can meet go to planes of their own. */
static void NAME(fill)(const conv *v, const real *x, real *planes) {
  int64_t s = v->step, plane = v->plane_h * v->pitch;
  for (int64_t c = 0; c < v->from_c; c++)
    for (int64_t y = 0; y < v->from_h; y++, x += v->from_w) {
      int64_t cell = (y + v->top) / s, in = (y + v->top) % s;
      if (cell >= v->plane_h || in >= v->cell_h) continue;
      real *row = planes + (c * v->cell_h + in) * v->cell_w * plane + cell * v->pitch;
      for (int64_t k = 0; k < v->cell_w; k++, row += plane) {
        int64_t shift = v->left - k, at = shift > 0 ? (shift + s - 1) / s : 0;
        int64_t end = v->from_w + shift > 0 ? (v->from_w - 1 + shift) / s + 1 : 0;
        if (end > v->pitch) end = v->pitch;
        if (s == 1 && end > at) memcpy(row + at, x + at - shift, sizeof(real) * (size_t)(end - at));
        else for (; at < end; at++) row[at] = x[at * s - shift];
      }
    }
}

/* ---- sums over taps ---- */

/* Outputs of ROWS channels at `wide` vectors of places. */
INLINE void NAME(block)(const int wide, const real *x, const int64_t *offset, int64_t taps,
                        const real *w, real *to, int64_t ld) {
  NAME(vec) sum[ROWS][WIDE];
  UNROLL for (int i = 0; i < ROWS; i++)
    UNROLL for (int j = 0; j < wide; j++) sum[i][j] = (NAME(vec)){ 0 };
  for (int64_t k = 0; k < taps; k++, w += ROWS) {
    const real *at = x + offset[k];
    NAME(vec) p[WIDE];
    UNROLL for (int j = 0; j < wide; j++) p[j] = LOAD(at + j * LANES);
    UNROLL for (int i = 0; i < ROWS; i++)
      UNROLL for (int j = 0; j < wide; j++) sum[i][j] += w[i] * p[j];
  }
  UNROLL for (int i = 0; i < ROWS; i++)
    UNROLL for (int j = 0; j < wide; j++) STORE(to + i * ld + j * LANES, sum[i][j]);
}

static void NAME(places)(const real *x, const int64_t *offset, int64_t taps, const real *w,
                         real *to, int64_t vectors) {
  int64_t ld = STRIP * LANES;
  for (; vectors >= WIDE; vectors -= WIDE, x += WIDE * LANES, to += WIDE * LANES)
    NAME(block)(WIDE, x, offset, taps, w, to, ld);
  if (vectors == 2) NAME(block)(2, x, offset, taps, w, to, ld);
  else if (vectors == 1) NAME(block)(1, x, offset, taps, w, to, ld);
}

/* Places [from, to) of one channel, counted along the planes, to where they belong. */
static void NAME(put)(const phase *f, int64_t pitch, const real *sums, int64_t from, int64_t to,
                      real bias, real *y) {
  for (int64_t row = from / pitch; row < f->rows && row * pitch < to; row++) {
    int64_t begin = row * pitch, end = begin + f->columns;
    if (begin < from) begin = from;
    if (end > to) end = to;
    real *out = y + row * f->step_y;
    if (f->step_x == 1)
      for (int64_t i = begin; i < end; i++) out[i - row * pitch] = sums[i - from] + bias;
    else
      for (int64_t i = begin; i < end; i++) out[(i - row * pitch) * f->step_x] = sums[i - from] + bias;
  }
}

/* One phase of a sample: a strip of places at a time, for all channels. */
static void NAME(sums)(const conv *v, const phase *f, const real *planes, real *y) {
  real room[ROWS * STRIP * LANES];
  int64_t count = f->rows > 0 ? (f->rows - 1) * v->pitch + f->columns : 0;
  for (int64_t from = 0; from < count; from += STRIP * LANES) {
    int64_t to = from + STRIP * LANES < count ? from + STRIP * LANES : count;
    for (int64_t c = 0; c < v->to_c; c += ROWS) {
      NAME(places)(planes + from, f->offset, f->taps, (const real *)f->weight + c * f->taps, room,
                   (to - from + LANES - 1) / LANES);
      for (int64_t i = 0; i < ROWS && c + i < v->to_c; i++)
        NAME(put)(f, v->pitch, room + i * STRIP * LANES, from, to,
                  v->bias ? ((const real *)v->bias)[c + i] : 0,
                  y + (c + i) * v->to_h * v->to_w + f->start);
    }
  }
}

/* The weights of a phase, ROWS channels of the result beside each other. */
static void NAME(pack)(const conv *v, phase *f) {
  const real *w = v->weight;
  real *to = f->weight;
  for (int64_t c = 0; c < v->to_c; c += ROWS)
    for (int64_t k = 0; k < f->taps; k++)
      for (int64_t i = 0; i < ROWS; i++) {
        int64_t row = c + i, from = k / (f->ny * f->nx), tap = k % (f->ny * f->nx);
        int64_t ky = f->ky + tap / f->nx * f->step_k, kx = f->kx + tap % f->nx * f->step_k;
        int64_t at = v->what == ADJOINT ? from * v->to_c + row : row * v->from_c + from;
        *to++ = row < v->to_c ? w[(at * v->kh + ky) * v->kw + kx] : 0;
      }
}

/* ---- the gradient of the weight ---- */

/* Rows a[0..ROWS) of the planes times `wide` vectors of channels of g, summed over the places
** of `samples` samples, `size` numbers of planes apart. */
INLINE void NAME(outer)(const int wide, const conv *v, int64_t samples, int64_t size,
                        const real *const *a, const real *g, int64_t ld, real *dw) {
  NAME(vec) sum[ROWS][WIDE];
  UNROLL for (int i = 0; i < ROWS; i++)
    UNROLL for (int j = 0; j < wide; j++) sum[i][j] = (NAME(vec)){ 0 };
  for (int64_t n = 0; n < samples; n++)
    for (int64_t y = 0; y < v->g_h; y++)
      for (int64_t at = n * size + y * v->pitch, end = at + v->g_w; at < end; at++, g += ld) {
        NAME(vec) p[WIDE];
        UNROLL for (int j = 0; j < wide; j++) p[j] = LOAD(g + j * LANES);
        UNROLL for (int i = 0; i < ROWS; i++)
          UNROLL for (int j = 0; j < wide; j++) sum[i][j] += a[i][at] * p[j];
      }
  UNROLL for (int i = 0; i < ROWS; i++)
    UNROLL for (int j = 0; j < wide; j++) {
      real *to = dw + i * ld + j * LANES;
      STORE(to, LOAD(to) + sum[i][j]);
    }
}

/* g of one sample, (o, places) to (places, o) with rows of `ld`; the rest of a row stays. */
static void NAME(turn)(const real *g, int64_t o, int64_t places, int64_t ld, real *to) {
  for (int64_t c = 0; c < o; c += 8)
    for (int64_t p = 0; p < places; p++)
      for (int64_t i = c; i < c + 8 && i < o; i++) to[p * ld + i] = g[i * places + p];
}

/* Adds the share of some samples to dw: (taps rounded up to ROWS, ld). */
static void NAME(weights)(const conv *v, int64_t samples, int64_t size, const real *planes,
                          const real *g, int64_t ld, real *dw) {
  const phase *f = v->phase;
  for (int64_t k = 0; k < f->taps; k += ROWS) {
    const real *a[ROWS];
    for (int i = 0; i < ROWS; i++) a[i] = planes + f->offset[k + i < f->taps ? k + i : k];
    int64_t o = 0;
    real *to = dw + k * ld;
    for (; o + 2 * LANES <= ld; o += 2 * LANES)
      NAME(outer)(2, v, samples, size, a, g + o, ld, to + o);
    if (o < ld) NAME(outer)(1, v, samples, size, a, g + o, ld, to + o);
  }
}

static void NAME(add_parts)(const conv *v, int64_t parts, int64_t ld, real *dw) {
  int64_t taps = v->phase->taps, size = round_up(taps, ROWS) * ld;
  for (int64_t k = 0; k < taps; k++)
    for (int64_t o = 0; o < v->g_c; o++) {
      real sum = 0;
      for (int64_t p = 0; p < parts; p++) sum += ((const real *)v->part)[p * size + k * ld + o];
      dw[o * taps + k] = sum;
    }
}

/* ---- a chunk of samples ---- */

static void NAME(output)(const conv *v, const real *planes, real *y) {
  int64_t pixels = v->to_h * v->to_w;
  for (int64_t i = 0; v->gaps && i < v->to_c * pixels; i++)
    y[i] = v->bias ? ((const real *)v->bias)[i / pixels] : 0;
  for (int64_t f = 0; f < v->phases; f++) NAME(sums)(v, v->phase + f, planes, y);
}

static void NAME(chunk)(void *ctx, int64_t chunk) {
  conv *v = ctx;
  int64_t ld = round_up(v->g_c, LANES), places = v->g_h * v->g_w, lot = v->lot;
  int64_t size = v->from_c * v->cell_h * v->cell_w * v->plane_h * v->pitch;
  int64_t turned = v->what == WEIGHTS ? places * ld : 0;
  size_t bytes = sizeof(real) * (size_t)(lot * (size + turned) + WIDE * LANES);
  real *planes = td__scratch(bytes), *g = planes + lot * size + WIDE * LANES;
  if (!planes) { atomic_store(&v->failed, true); return; }
  memset(planes, 0, bytes);
  int64_t end = least((chunk + 1) * v->per, v->n), each = v->from_c * v->from_h * v->from_w;
  for (int64_t n = chunk * v->per; n < end && !td_interrupt_flag; n += lot) {
    int64_t samples = least(lot, end - n);
    for (int64_t i = 0; i < samples; i++) {
      NAME(fill)(v, (const real *)v->from + (n + i) * each, planes + i * size);
      if (v->what == WEIGHTS)
        NAME(turn)((const real *)v->g + (n + i) * v->g_c * places, v->g_c, places, ld, g + i * turned);
    }
    if (v->what == WEIGHTS)
      NAME(weights)(v, samples, size, planes, g, ld,
                    (real *)v->part + chunk * round_up(v->phase->taps, ROWS) * ld);
    else NAME(output)(v, planes, (real *)v->to + n * v->to_c * v->to_h * v->to_w);
  }
  td__scratch_drop(planes);
}
#undef LOAD
#undef STORE
