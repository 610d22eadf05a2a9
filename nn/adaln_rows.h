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
} NAME(tile);

static size_t NAME(tile_room)(const net *n) {
  int64_t rows = n->points * (1 + n->tangents), w = NAME(padded)(n->width);
  int64_t layers = n->keep ? 2 * n->blocks + 1 : 1;
  return sizeof(real) * (size_t)(rows * (2 * NAME(padded)(n->dim) + (layers + 3) * w) + 7 * w);
}

static void NAME(tile_open)(NAME(tile) *t, const net *n, real *room) {
  int64_t rows = n->points * (1 + n->tangents), w = NAME(padded)(n->width);
  t->net = n;
#define TAKE(p, count) t->p = room; room += (count)
  TAKE(x, rows * NAME(padded)(n->dim));
  TAKE(out, rows * NAME(padded)(n->dim));
  TAKE(h, rows * w * (n->keep ? n->blocks + 1 : 1));
  TAKE(pre, n->keep ? rows * w * n->blocks : 0);
  TAKE(a, rows * w);
  TAKE(b, rows * w);
  TAKE(g, rows * w);
  TAKE(factor, w);
  TAKE(offset, w);
  TAKE(mods, 4 * w);
  TAKE(slope, w);
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

INLINE real NAME(dot)(const real *a, const real *b, int64_t n) {
  NAME(wide) s = { 0 };
  real one = 0;
  int64_t i = 0;
  for (; i + NAME(lane) <= n; i += NAME(lane)) s += VECTOR(a) * VECTOR(b);
  for (; i < n; i++) one += a[i] * b[i];
  return one + NAME(lanes_sum)(s);
}
/* the mean of u (x - mean) */
INLINE real NAME(along)(const real *u, const real *x, real mean, int64_t n) {
  NAME(wide) s = { 0 };
  real one = 0;
  int64_t i = 0;
  for (; i + NAME(lane) <= n; i += NAME(lane)) s += VECTOR(u) * (VECTOR(x) - mean);
  for (; i < n; i++) one += u[i] * (x[i] - mean);
  return (one + NAME(lanes_sum)(s)) / (real)n;
}
#undef VECTOR

/* ---- the first norm and product ----
**
** What the first norm sees lies in dim + 1 directions: the columns of the input's
** weight and its bias.  Where points share modulations, those directions go through
** the product once for all of them: (xhat factor + offset) W^T + bias is a sum of
** entries, with xhat = r (sum of z_d columns + bias), all centred.  The Gram matrix of
** the directions gives their products with xhat. */

/* The directions, centred: the column d of the input's weight, or its bias. */
static void NAME(direction)(const net *n, int64_t d, real *y) {
  const real *w = (const real *)n->w[0]->data, *b = (const real *)n->w[1]->data;
  double mean = 0;
  for (int64_t k = 0; k < n->width; k++) {
    y[k] = d < n->dim ? w[k * n->dim + d] : b[k];
    mean += y[k];
  }
  for (int64_t k = 0; k < n->width; k++) y[k] -= (real)(mean / (double)n->width);
}

static int64_t NAME(entry_size)(const net *n) {
  return (n->dim + 2) * NAME(padded)(n->width);
}

/* Entries of a group: offset with the bias of the product, then the directions.
** room: as many numbers, and seven rows. */
static void NAME(make_entry)(const net *n, int64_t group, real *room, real *entry) {
  int64_t ld = NAME(padded)(n->width);
  NAME(tile) t = { .net = n };
  real *rows = room + 7 * ld;
  t.factor = room;
  t.offset = room + ld;
  t.mods = room + 2 * ld;
  NAME(take_modulation)(&t, group, 0);
  memcpy(rows, t.offset, sizeof(real) * (size_t)n->width);
  for (int64_t d = 0; d <= n->dim; d++) {
    real *y = rows + (d + 1) * ld;
    NAME(direction)(n, d, y);
    for (int64_t k = 0; k < n->width; k++) y[k] *= t.factor[k];
  }
  NAME(product)(n->dim + 2, n->width, n->width, rows, ld, (const real *)n->packed[1],
                bias_of(n, 1), 1, entry, ld);
}

/* Exit of a group: p_d of `meet`, then p_d times the gate, taken back through the last
** product.  room as for entries. */
static void NAME(make_exit)(const net *n, int64_t group, real *room, real *exit) {
  int64_t ld = NAME(padded)(n->width), w = n->width;
  const real *out = (const real *)n->w[position(n, n->matrices - 1)]->data;
  real *rows = room + 7 * ld;
  NAME(tile) t = { .net = n, .factor = room, .offset = room + ld, .mods = room + 2 * ld };
  NAME(take_modulation)(&t, group, n->blocks);
  const real *gate = NAME(modulation)(&t, group, (3 * n->blocks - 1) * w, w);
  for (int64_t d = 0; d < n->dim; d++) {
    real *p = exit + d * ld;
    double mean = 0;
    for (int64_t k = 0; k < w; k++) {
      p[k] = out[d * w + k] * t.factor[k];
      mean += p[k];
    }
    for (int64_t k = 0; k < w; k++) {
      p[k] -= (real)(mean / (double)w);
      rows[d * ld + k] = p[k] * gate[k];
    }
  }
  NAME(product)(n->dim, w, w, rows, ld, (const real *)n->back[n->matrices - 2], NULL, n->dim,
                exit + n->dim * ld, ld);
}

static void NAME(make_gram)(const net *n, real *room, double *gram) {
  real *a = room, *b = room + n->width;
  for (int64_t d = 0; d < n->dim; d++) {
    NAME(direction)(n, d, a);
    for (int64_t e = 0; e <= n->dim; e++) {
      double s = 0;
      NAME(direction)(n, e, b);
      for (int64_t k = 0; k < n->width; k++) s += (double)a[k] * b[k];
      gram[d * (n->dim + 1) + e] = s;
    }
  }
}

/* y = sum of c[d] entry[d], plus the entry of the bias */
INLINE void NAME(combine)(const net *n, const real *entry, const real *c, bool bias,
                          real *y) {
  int64_t ld = NAME(padded)(n->width);
  const real *last = entry + (n->dim + 1) * ld;
  for (int64_t k = 0; k < n->width; k++) y[k] = bias ? last[k] : 0;
  for (int64_t d = 0; d < n->dim; d++) {
    const real *e = entry + (d + 1) * ld;
    for (int64_t k = 0; k < n->width; k++) y[k] += c[d] * e[k];
  }
}

/* pre = the first product, tangents with it in t->b */
static void NAME(enter)(NAME(tile) *t, const real *h, real *pre) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width), lx = NAME(padded)(n->dim);
  for (int64_t i = 0; i < t->points; i++) {
    const real *x = h + i * ld;
    const real *entry = (const real *)n->entry + NAME(group)(t, i) * NAME(entry_size)(n);
    real *y = pre + i * ld, mean, r;
    NAME(moments)(x, n->width, (real)n->eps, &mean, &r);
    NAME(combine)(n, entry, t->x + i * lx, true, t->slope);
    for (int64_t k = 0; k < n->width; k++) y[k] = entry[k] + r * t->slope[k];
    for (int64_t d = 1; d <= n->tangents; d++) {
      int64_t row = d * t->points + i;
      real *out = t->b + row * ld, s = r * r * r * NAME(along)(h + row * ld, x, mean, n->width);
      NAME(combine)(n, entry, t->x + row * lx, false, out);
      for (int64_t k = 0; k < n->width; k++) out[k] = r * out[k] - s * t->slope[k];
    }
  }
}

/* The way back through them: what they add to the gradient in z, to t->out, when t->a
** is that of the product. */
static void NAME(leave)(NAME(tile) *t) {
  const net *n = t->net;
  int64_t ld = NAME(padded)(n->width), lx = NAME(padded)(n->dim), dim = n->dim;
  for (int64_t i = 0; i < t->points; i++) {
    const real *entry = (const real *)n->entry + NAME(group)(t, i) * NAME(entry_size)(n);
    const real *z = t->x + i * lx;
    real *y = t->out + i * lx, mean, r;
    NAME(moments)(t->h + i * ld, n->width, (real)n->eps, &mean, &r);
    double along = NAME(dot)(entry + (dim + 1) * ld, t->a + i * ld, n->width);
    for (int64_t d = 0; d < dim; d++) {
      y[d] = NAME(dot)(entry + (d + 1) * ld, t->a + i * ld, n->width);
      along += (double)z[d] * y[d];
    }
    along *= (double)r * r / (double)n->width;
    for (int64_t d = 0; d < dim; d++) {
      const double *g = n->gram + d * (dim + 1);
      double s = g[dim];
      for (int64_t e = 0; e < dim; e++) s += g[e] * (double)z[e];
      y[d] = r * (real)((double)y[d] - s * along);
    }
  }
}

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
  real *h = t->h, *pre = n->keep ? t->pre : t->b;
  NAME(load)(t);
  NAME(apply)(t, 0, t->x, h);
  for (int64_t i = 0; i < n->blocks; i++) {
    real *next = n->keep ? h + all : h;
    if (i == 0 && n->entry) {
      NAME(enter)(t, h, pre);
    } else {
      NAME(normalise)(t, h, i);
      NAME(apply)(t, (int)(2 * i) + 1, t->a, pre);
    }
    NAME(activate)(t, pre, t->b);
    if (n->meet && i == n->blocks - 1) return;
    NAME(apply)(t, (int)(2 * i) + 2, t->b, t->a);
    NAME(add_gated)(t, h, next, i);
    h = next;
    if (n->keep) pre += all;
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
    if (i == 0 && n->entry) {
      NAME(leave)(t);
      break;
    }
    NAME(apply_back)(t, (int)(2 * i) + 1, t->a, t->b);
    NAME(normalise_back)(t, t->h + i * all, i, true);
  }
  NAME(apply_back)(t, 0, t->g, t->x);
  int64_t lx = NAME(padded)(n->dim);
  for (int64_t i = 0; n->blocks && n->entry && i < t->points; i++)
    for (int64_t d = 0; d < n->dim; d++) t->x[i * lx + d] += t->out[i * lx + d];
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

/* The end of a trace where the last product has not been done (t->b is what it would
** see).  Seen backwards from the output it takes one row for each point, xhat, and the
** rows of the group's exit, instead of one for each tangent:
**   trace = sum over d of r (<p_d, dh_d> - <p_d, xhat> <xhat, dh_d> / width),
** dh_d = (tangent d of h) + gate * W (tangent d of t->b), p_d the output's weights times
** the last factor, centred. */
static void NAME(meet)(NAME(tile) *t) {
  net flat = *t->net;                  /* the points alone */
  NAME(tile) v = *t;
  int64_t ld = NAME(padded)(flat.width), w = flat.width, dim = flat.dim;
  int last = (int)(2 * flat.blocks);
  flat.tangents = 0;
  v.net = &flat;
  v.rows = t->points;
  NAME(apply)(&v, last, t->b, t->a);
  NAME(add_gated)(&v, t->h, t->g, flat.blocks - 1);
  NAME(normalise)(&v, t->g, flat.blocks);
  NAME(apply)(&v, last + 1, t->a, t->out);
  real mean, r;
  for (int64_t i = 0; i < t->points; i++) {        /* g = xhat, a = gate * xhat */
    const real *gate = NAME(modulation)(t, NAME(group)(t, i), (3 * flat.blocks - 1) * w, w);
    real *x = t->g + i * ld;
    NAME(moments)(x, w, (real)flat.eps, &mean, &r);
    t->x[i * NAME(padded)(dim)] = r;               /* z is not needed any more */
    for (int64_t k = 0; k < w; k++) {
      x[k] = (x[k] - mean) * r;
      t->a[i * ld + k] = gate[k] * x[k];
    }
  }
  NAME(apply_back)(&v, last, t->a, t->b);
  for (int64_t i = 0; i < t->points; i++) {
    const real *p = (const real *)flat.exit + NAME(group)(t, i) * 2 * dim * ld;
    const real *x = t->g + i * ld, *q = t->b + i * ld;
    double sum = 0;
    for (int64_t d = 0; d < dim; d++, p += ld) {
      const real *dh = t->h + ((d + 1) * t->points + i) * ld;
      const real *du = t->b + ((d + 1) * t->points + i) * ld;
      double along = (double)NAME(dot)(x, dh, w) + NAME(dot)(q, du, w);
      sum += (double)NAME(dot)(p, dh, w) + NAME(dot)(p + dim * ld, du, w) -
        NAME(dot)(p, x, w) * along / (double)w;
    }
    ((real *)flat.result[1]->data)[t->first + i] =
      (real)((double)t->x[i * NAME(padded)(dim)] * sum);
  }
}

static void NAME(run_tile)(void *tile, int64_t first) {
  NAME(tile) *t = tile;
  const net *n = t->net;
  int64_t left = n->count - first;
  t->first = first;
  t->points = left < n->points ? left : n->points;
  t->rows = t->points * (1 + n->tangents);
  NAME(forward)(t);
  if (n->keep) {
    NAME(residual)(t);
    return;
  }
  if (n->meet) NAME(meet)(t);
  else if (n->tangents) NAME(store_trace)(t);
  NAME(store_velocity)(t);
}
#undef NAME
#undef real
