/* adaln_rows.h -- a tile of points through the whole network, for one type: included
** by cpu_adaln.c with `real`, VEC and NAME(x) defined.
**
** Rows of a tile: the points, then their first tangents, then their second ...  All
** arrays have rows of whole panels; what is kept for the way back has one array for
** each block. */
#include "nn/panel.h"

typedef struct NAME(tile) {
  const net *net;
  int64_t first, points, rows;
  real *x, *out;               /* (rows, dim) */
  real *h, *pre;               /* (rows, width) before and inside the blocks */
  real *a, *b, *g;
  real *factor, *offset;       /* of a normalised row, by the modulation */
  real *mods, *slope;
  real *mean, *r;              /* of the rows of h that stand before a layer norm */
} NAME(tile);

static size_t NAME(tile_room)(const net *n) {
  int64_t rows = n->points * (1 + n->tangents), w = NAME(padded)(n->width);
  int64_t layers = n->back ? 2 * n->blocks + 1 : 1;
  return sizeof(real) * (size_t)(rows * (2 * NAME(padded)(n->dim) + (layers + 3) * w) +
                                 7 * w + 2 * NAME(padded)(n->points));
}

static void NAME(tile_open)(NAME(tile) *t, const net *n, real *room) {
  int64_t rows = n->points * (1 + n->tangents), w = NAME(padded)(n->width);
  t->net = n;
#define TAKE(p, count) t->p = room; room += (count)
  TAKE(x, rows * NAME(padded)(n->dim));
  TAKE(out, rows * NAME(padded)(n->dim));
  TAKE(h, rows * w * (n->back ? n->blocks + 1 : 1));
  TAKE(pre, n->back ? rows * w * n->blocks : 0);
  TAKE(a, rows * w);
  TAKE(b, rows * w);
  TAKE(g, rows * w);
  TAKE(factor, w);
  TAKE(offset, w);
  TAKE(mods, 4 * w);
  TAKE(slope, w);
  TAKE(mean, NAME(padded)(n->points));
  TAKE(r, NAME(padded)(n->points));
#undef TAKE
}

/* ---- modulations ---- */

/* Which entry of the places, or row of the modulation, a point takes. */
INLINE int64_t NAME(group)(const NAME(tile) *t, int64_t i) {
  return (t->first + i) / t->net->each;
}

/* `count` numbers from `at` on of the modulation of a group; between rows by the
** cubic through four of them. */
static const real *NAME(modulation)(const NAME(tile) *t, int64_t group, int64_t at,
                                    int64_t count) {
  const net *n = t->net;
  const real *all = (const real *)n->mod->data + at;
  if (!n->place) return all + group * n->length;
  int64_t rows = n->mod->shape[0];
  double p = ((const real *)n->place->data)[group];
  p = p >= 0 ? p <= (double)(rows - 1) ? p : (double)(rows - 1) : 0;
  if (rows < 4 || p == floor(p)) return all + (int64_t)(p + .5) * n->length;
  int64_t s = (int64_t)p - 1;
  s = s < 0 ? 0 : s > rows - 4 ? rows - 4 : s;
  double u = p - (double)s;
  real w[4] = { (real)(-(u - 1) * (u - 2) * (u - 3) / 6), (real)(u * (u - 2) * (u - 3) / 2),
                (real)(-u * (u - 1) * (u - 3) / 2), (real)(u * (u - 1) * (u - 2) / 6) };
  const real *m = all + s * n->length;
  for (int64_t i = 0; i < count; i++)
    t->mods[i] = w[0] * m[i] + w[1] * m[n->length + i] + w[2] * m[2 * n->length + i] +
      w[3] * m[3 * n->length + i];
  return t->mods;
}

/* (xhat w + b)(1 + scale) + shift = xhat factor + offset */
static void NAME(take_modulation)(NAME(tile) *t, int64_t group, int64_t block) {
  const net *n = t->net;
  const real *m = NAME(modulation)(t, group, 3 * n->width * block, 2 * n->width);
  const real *shift = m, *scale = m + n->width;
  bool affine = block < n->blocks;
  const real *w = affine ? weight(n, block, NORM) : NULL;
  const real *b = affine ? weight(n, block, NORM + 1) : NULL;
  for (int64_t i = 0; i < n->width; i++) {
    t->factor[i] = affine ? w[i] * (1 + scale[i]) : 1 + scale[i];
    t->offset[i] = affine ? b[i] * (1 + scale[i]) + shift[i] : shift[i];
  }
}

/* ---- layer norm of one row ---- */

INLINE real NAME(lanes_sum)(NAME(wide) v) {
  real s[NAME(lane)];
  memcpy(s, &v, sizeof s);
  for (int w = NAME(lane) / 2; w; w /= 2)
    for (int l = 0; l < w; l++) s[l] += s[l + w];
  return s[0];
}
#define VECTOR(p) (*(const NAME(any) *)((p) + i))

INLINE void NAME(moments)(const real *x, int64_t n, real eps, real *mean, real *r) {
  NAME(wide) s = { 0 }, q = { 0 };
  real one = 0, two = 0;
  int64_t i = 0;
  for (; i + NAME(lane) <= n; i += NAME(lane)) s += VECTOR(x);
  for (; i < n; i++) one += x[i];
  one = (one + NAME(lanes_sum)(s)) / (real)n;
  for (i = 0; i + NAME(lane) <= n; i += NAME(lane))
    q += (VECTOR(x) - one) * (VECTOR(x) - one);
  for (; i < n; i++) two += (x[i] - one) * (x[i] - one);
  *mean = one;
  *r = 1 / (real)sqrt((two + NAME(lanes_sum)(q)) / (real)n + eps);
}

/* The Jacobian of normalising x, which is symmetric, times u: r (u - <u> - xhat <xhat u>). */
INLINE void NAME(jacobian)(const real *x, real mean, real r, const real *u, real *y,
                           int64_t n) {
  NAME(wide) s = { 0 }, q = { 0 };
  real one = 0, two = 0;
  int64_t i = 0;
  for (; i + NAME(lane) <= n; i += NAME(lane)) {
    s += VECTOR(u);
    q += VECTOR(u) * (VECTOR(x) - mean);
  }
  for (; i < n; i++) {
    one += u[i];
    two += u[i] * (x[i] - mean);
  }
  one = (one + NAME(lanes_sum)(s)) / (real)n;
  two = (two + NAME(lanes_sum)(q)) / (real)n * r * r;
  for (i = 0; i < n; i++) y[i] = r * (u[i] - one - (x[i] - mean) * two);
}
#undef VECTOR

/* ---- forward ---- */

/* a = h normalised and modulated, tangents with it */
static void NAME(normalise)(NAME(tile) *t, const real *h, int64_t block) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width), last = -1;
  for (int64_t i = 0; i < t->points; i++) {
    const real *x = h + i * ld;
    real *y = t->a + i * ld, mean, r;
    int64_t group = NAME(group)(t, i);
    if (group != last) NAME(take_modulation)(t, last = group, block);
    NAME(moments)(x, n->width, (real)n->eps, &mean, &r);
    for (int64_t k = 0; k < n->width; k++)
      y[k] = (x[k] - mean) * r * t->factor[k] + t->offset[k];
    for (int64_t d = 1; d <= n->tangents; d++) {
      y += t->points * ld;
      NAME(jacobian)(x, mean, r, h + (d * t->points + i) * ld, y, n->width);
      for (int64_t k = 0; k < n->width; k++) y[k] *= t->factor[k];
    }
  }
}

/* b = silu(x), tangents (in b already) with it */
static void NAME(activate)(NAME(tile) *t, const real *x, real *b) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width);
  for (int64_t i = 0; i < t->points; i++) {
    const real *p = x + i * ld;
    real *y = b + i * ld;
    if (!n->tangents) {
      for (int64_t k = 0; k < n->width; k++) y[k] = p[k] * TD_SIGMOID(p[k]);
      continue;
    }
    for (int64_t k = 0; k < n->width; k++) {
      real s = TD_SIGMOID(p[k]);
      t->slope[k] = s * (1 + p[k] * (1 - s));
      y[k] = p[k] * s;
    }
    for (int64_t d = 1; d <= n->tangents; d++) {
      y += t->points * ld;
      for (int64_t k = 0; k < n->width; k++) y[k] *= t->slope[k];
    }
  }
}

/* to = h + gate * a */
static void NAME(add_gated)(NAME(tile) *t, const real *h, real *to, int64_t block) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width), last = -1, at = (3 * block + 2) * n->width;
  const real *gate = NULL;
  for (int64_t i = 0; i < t->points; i++) {
    int64_t group = NAME(group)(t, i);
    if (group != last) gate = NAME(modulation)(t, last = group, at, n->width);
    for (int64_t d = 0; d <= n->tangents; d++) {
      int64_t row = (d * t->points + i) * ld;
      for (int64_t k = 0; k < n->width; k++)
        to[row + k] = h[row + k] + gate[k] * t->a[row + k];
    }
  }
}

/* y = x W^T + bias for matrix m of the network */
static void NAME(apply)(NAME(tile) *t, int m, const real *x, real *y) {
  const net *n = t->net;
  int64_t in = inputs(n, m), out = outputs(n, m);
  NAME(product)(t->rows, out, in, x, NAME(padded)(in), (const real *)n->packed[m],
                bias_of(n, m), t->points, y, NAME(padded)(out));
}

static void NAME(load)(NAME(tile) *t) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->dim);
  const real *z = (const real *)n->z->data + t->first * n->dim;
  for (int64_t i = 0; i < t->points; i++)
    memcpy(t->x + i * ld, z + i * n->dim, sizeof(real) * (size_t)n->dim);
  for (int64_t d = 0; d < n->tangents; d++)
    for (int64_t i = 0; i < t->points; i++) {
      real *x = t->x + ((d + 1) * t->points + i) * ld;
      if (n->noise)
        memcpy(x, (const real *)n->noise->data + (t->first + i) * n->dim,
               sizeof(real) * (size_t)n->dim);
      else
        for (int64_t k = 0; k < n->dim; k++) x[k] = k == d;
    }
}

static void NAME(forward)(NAME(tile) *t) {
  const net *n = t->net;
  int64_t all = t->rows * NAME(padded)(n->width);
  real *h = t->h, *pre = n->back ? t->pre : t->b;
  NAME(load)(t);
  NAME(apply)(t, 0, t->x, h);
  for (int64_t i = 0; i < n->blocks; i++) {
    real *next = n->back ? h + all : h;
    NAME(normalise)(t, h, i);
    NAME(apply)(t, (int)(2 * i) + 1, t->a, pre);
    NAME(activate)(t, pre, t->b);
    NAME(apply)(t, (int)(2 * i) + 2, t->b, t->a);
    NAME(add_gated)(t, h, next, i);
    h = next;
    if (n->back) pre += all;
  }
  NAME(normalise)(t, h, n->blocks);
  NAME(apply)(t, (int)(2 * n->blocks) + 1, t->a, t->out);
}

/* ---- backward, of the sum of g * v: from t->out (points, dim) to t->x ---- */

/* y = x W for matrix m */
static void NAME(apply_back)(NAME(tile) *t, int m, const real *x, real *y) {
  const net *n = t->net;
  int64_t in = inputs(n, m), out = outputs(n, m);
  NAME(product)(t->rows, in, out, x, NAME(padded)(out), (const real *)n->back[m], NULL,
                t->rows, y, NAME(padded)(in));
}

/* g += the gradient at h when b is that of h normalised and modulated */
static void NAME(normalise_back)(NAME(tile) *t, const real *h, int64_t block, bool add) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width), last = -1;
  for (int64_t i = 0; i < t->points; i++) {
    const real *x = h + i * ld;
    real *b = t->b + i * ld, *g = t->g + i * ld, mean, r;
    int64_t group = NAME(group)(t, i);
    if (group != last) NAME(take_modulation)(t, last = group, block);
    NAME(moments)(x, n->width, (real)n->eps, &mean, &r);
    for (int64_t k = 0; k < n->width; k++) b[k] *= t->factor[k];
    NAME(jacobian)(x, mean, r, b, add ? t->slope : g, n->width);
    for (int64_t k = 0; add && k < n->width; k++) g[k] += t->slope[k];
  }
}

static void NAME(gate_back)(NAME(tile) *t, int64_t block) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width), last = -1, at = (3 * block + 2) * n->width;
  const real *gate = NULL;
  for (int64_t i = 0; i < t->points; i++) {
    int64_t group = NAME(group)(t, i);
    if (group != last) gate = NAME(modulation)(t, last = group, at, n->width);
    for (int64_t k = 0; k < n->width; k++)
      t->b[i * ld + k] = t->g[i * ld + k] * gate[k];
  }
}

static void NAME(activate_back)(NAME(tile) *t, const real *pre) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width);
  for (int64_t i = 0; i < t->points; i++)
    for (int64_t k = 0; k < n->width; k++) {
      real x = pre[i * ld + k], s = TD_SIGMOID(x);
      t->a[i * ld + k] *= s * (1 + x * (1 - s));
    }
}

static void NAME(backward)(NAME(tile) *t) {
  const net *n = t->net;
  int64_t all = t->rows * NAME(padded)(n->width);
  NAME(apply_back)(t, (int)(2 * n->blocks) + 1, t->out, t->b);
  NAME(normalise_back)(t, t->h + n->blocks * all, n->blocks, false);
  for (int64_t i = n->blocks - 1; i >= 0; i--) {
    NAME(gate_back)(t, i);
    NAME(apply_back)(t, (int)(2 * i) + 2, t->b, t->a);
    NAME(activate_back)(t, t->pre + i * all);
    NAME(apply_back)(t, (int)(2 * i) + 1, t->a, t->b);
    NAME(normalise_back)(t, t->h + i * all, i, true);
  }
  NAME(apply_back)(t, 0, t->g, t->x);
}

/* ---- what becomes of a tile ---- */

static void NAME(store_velocity)(const NAME(tile) *t) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->dim);
  real *v = (real *)n->result[0]->data + t->first * n->dim;
  for (int64_t i = 0; i < t->points; i++)
    memcpy(v + i * n->dim, t->out + i * ld, sizeof(real) * (size_t)n->dim);
}

static void NAME(store_trace)(const NAME(tile) *t) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->dim);
  real *trace = (real *)n->result[1]->data + t->first;
  for (int64_t i = 0; i < t->points; i++) {
    real s = 0;
    for (int64_t d = 0; d < n->tangents; d++) {
      const real *y = t->out + ((d + 1) * t->points + i) * ld;
      const real *x = t->x + ((d + 1) * t->points + i) * ld;
      if (!n->noise) s += y[d];
      else for (int64_t k = 0; k < n->dim; k++) s += y[k] * x[k];
    }
    trace[i] = s;
  }
}

/* |v - u|^2, v - u, and the gradient in z of the former */
static void NAME(residual)(NAME(tile) *t) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->dim), size = n->dim;
  const real *u = (const real *)n->u->data + t->first * size;
  real *sum = (real *)n->result[0]->data + t->first;
  real *slope = (real *)n->result[1]->data + t->first * size;
  real *apart = (real *)n->result[2]->data + t->first * size;
  for (int64_t i = 0; i < t->points; i++) {
    real *v = t->out + i * ld, s = 0;
    for (int64_t k = 0; k < size; k++) {
      real e = v[k] - u[i * size + k];
      apart[i * size + k] = e;
      s += e * e;
      v[k] = 2 * e;
    }
    sum[i] = s;
  }
  NAME(backward)(t);
  for (int64_t i = 0; i < t->points; i++)
    memcpy(slope + i * size, t->x + i * ld, sizeof(real) * (size_t)size);
}

static void NAME(run_tile)(void *tile, int64_t first) {
  NAME(tile) *t = tile;
  const net *n = t->net;
  int64_t left = n->count - first;
  t->first = first;
  t->points = left < n->points ? left : n->points;
  t->rows = t->points * (1 + n->tangents);
  NAME(forward)(t);
  if (n->back) {
    NAME(residual)(t);
    return;
  }
  NAME(store_velocity)(t);
  if (n->tangents) NAME(store_trace)(t);
}
#undef NAME
#undef real
