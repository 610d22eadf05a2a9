/* plot_curve.c -- curves through data points, fast however many there are.
**
** Where x runs one way, a curve on pixels is drawn by columns: each column of
** SUB to a pixel keeps the lowest and highest place that the curve reaches in
** it, widened by a round pen. That is the exact stroke at the columns' centres,
** costs the same for a million points as for a thousand, keeps every spike, and
** meets itself without darker joints when it is see-through. Dashes, vectors
** and curves that turn back go to the pen. */
#include <cairo.h> /* also tells a build without drawing to leave this out */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

#define SUB 8   /* columns in a pixel */
#define FEW 24  /* so few points the pen draws as fast */
#define FAR 1e15

/* ---- from data to device pixels ------------------------------------------ */
/* place = from + (v - lo) * step, or through the scale where that is not safe */
typedef struct ruler {
  double lo, step, from, length;
  const td_plot_scale *scale;
  bool slow;
} ruler;

static ruler ruler_make(const td_plot_scale *s, double from, double length) {
  ruler r = {s->lo, length / (s->hi - s->lo), from, length, s, s->log};
  if (!isfinite(r.step) || !(fabs(s->hi - s->lo) > 1e-290)) r.slow = true;
  return r;
}

static inline double place(const ruler *r, double v) {
  double at = r->slow ? r->from + td_plot_scale_to_unit(r->scale, v) * r->length
                      : r->from + (v - r->lo) * r->step;
  if (fabs(at) <= FAR || isnan(v) || isinf(v)) return isinf(v) ? NAN : at;
  return isnan(at) ? NAN : at > 0 ? FAR : -FAR;
}

bool td_plot_runs_one_way(const double *x, size_t n) {
  bool up = false, down = false;
  double last = NAN;
  for (size_t i = 0; i < n; i++) {
    up |= x[i] > last;
    down |= x[i] < last;
    if (x[i] == x[i]) last = x[i];
  }
  return !(up && down);
}

/* ---- columns ------------------------------------------------------------- */
typedef struct columns {
  int w, h;       /* pixels of the box */
  long n;         /* columns, with `reach` more at both sides of the box */
  long reach;
  double radius;  /* of the pen, in pixels */
  double *lo, *hi, *half; /* half: height of the pen `k` columns off its middle */
  long first, last; /* columns that this piece of the curve has touched */
  double x, y;    /* its last point */
  bool down;
  int32_t *sum;   /* coverage of one column of pixels; 1 is SUB * 256 */
  int32_t *step;
  uint8_t *mask;  /* column by column */
  int *top, *bottom;
} columns;

static void columns_free(columns *c) {
  free(c->lo);
  free(c->sum);
  free(c->mask);
  free(c->top);
}

static bool columns_make(columns *c, int w, int h, double radius) {
  *c = (columns){.w = w, .h = h, .radius = radius};
  c->reach = (long)ceil(radius * SUB) + 1;
  c->n = (long)w * SUB + 2 * c->reach;
  c->lo = malloc(sizeof *c->lo * (size_t)(2 * c->n + c->reach + 1));
  c->sum = calloc(2 * ((size_t)h + 2), sizeof *c->sum);
  c->mask = calloc((size_t)w * (size_t)h + 1, 1);
  c->top = malloc(sizeof *c->top * 2 * ((size_t)w + 1));
  if (!c->lo || !c->sum || !c->mask || !c->top) return false;
  c->hi = c->lo + c->n, c->half = c->hi + c->n;
  c->step = c->sum + h + 2, c->bottom = c->top + w + 1;
  for (int i = 0; i < w; i++) c->top[i] = h, c->bottom[i] = 0;
  for (long k = 0; k <= c->reach; k++) {
    double dx = (double)k / SUB, left = radius * radius - dx * dx;
    c->half[k] = left > 0 ? sqrt(left) : -1;
  }
  return true;
}

static inline void touch(columns *c, long k, double y) {
  while (c->last < k) { /* columns come in order, either way */
    c->last++;
    c->lo[c->last] = INFINITY, c->hi[c->last] = -INFINITY;
  }
  while (c->first > k) {
    c->first--;
    c->lo[c->first] = INFINITY, c->hi[c->first] = -INFINITY;
  }
  if (y < c->lo[k]) c->lo[k] = y;
  if (y > c->hi[k]) c->hi[k] = y;
}

/* The part of a segment in each column between its ends. */
static void cross(columns *c, double x0, double y0, double x1, double y1) {
  if (x0 > x1) {
    double x = x0, y = y0;
    x0 = x1, y0 = y1, x1 = x, y1 = y;
  }
  double slope = (y1 - y0) / (x1 - x0), n = (double)c->n;
  if (x0 < 0) y0 += slope * -x0, x0 = 0;
  if (x1 > n) y1 -= slope * (x1 - n), x1 = n;
  if (!(x0 < x1)) return;
  long k0 = (long)x0, k1 = (long)x1;
  if (k1 >= c->n) k1 = c->n - 1;
  touch(c, k0, y0);
  for (long k = k0 + 1; k <= k1; k++) {
    double y = y0 + slope * ((double)k - x0);
    touch(c, k - 1, y);
    touch(c, k, y);
  }
  touch(c, k1, y1);
}

/* Adds the stroke from `lo` to `hi` in one column of the pixel column. */
static inline void cover(columns *c, int column, double lo, double hi) {
  if (lo < 0) lo = 0;
  if (hi > c->h) hi = c->h;
  if (!(lo < hi)) return;
  int a = (int)lo, b = (int)hi;
  if (a < c->top[column]) c->top[column] = a;
  if (b >= c->bottom[column]) c->bottom[column] = b < c->h ? b + 1 : c->h;
  if (a == b) {
    c->sum[a] += (int32_t)((hi - lo) * 256 + 0.5);
    return;
  }
  c->sum[a] += (int32_t)((a + 1 - lo) * 256 + 0.5);
  c->sum[b] += (int32_t)((hi - b) * 256 + 0.5);
  c->step[a + 1]++;
  c->step[b]--;
}

/* Puts the sums of one column of pixels into the mask and clears them. */
static void settle(columns *c, int column) {
  uint8_t *mask = c->mask + (size_t)column * (size_t)c->h;
  int32_t inside = 0;
  for (int i = c->top[column]; i < c->bottom[column]; i++) {
    inside += c->step[i];
    int v = mask[i] + (c->sum[i] + inside * 256) * 255 / (SUB * 256);
    mask[i] = (uint8_t)(v > 255 ? 255 : v);
    c->sum[i] = c->step[i] = 0;
  }
  c->sum[c->h] = c->step[c->h] = 0;
  c->step[c->bottom[column]] = 0;
}

/* Ends a piece: widens its columns by the pen and adds them to the mask. */
static void lift(columns *c) {
  if (c->down && c->x >= 0 && c->x < (double)c->n) /* also for a lone point */
    touch(c, (long)c->x, c->y);
  c->down = false;
  if (c->first > c->last) return;
  long from = c->first - c->reach, to = c->last + c->reach;
  int column = -1;
  for (long k = from < c->reach ? c->reach : from;
       k <= to && k < c->n - c->reach; k++) {
    double lo = INFINITY, hi = -INFINITY;
    long j0 = k - c->reach < c->first ? c->first : k - c->reach;
    long j1 = k + c->reach > c->last ? c->last : k + c->reach;
    for (long j = j0; j <= j1; j++) {
      double half = c->half[j < k ? k - j : j - k];
      if (half < 0) continue;
      if (c->lo[j] - half < lo) lo = c->lo[j] - half;
      if (c->hi[j] + half > hi) hi = c->hi[j] + half;
    }
    int at = (int)((k - c->reach) / SUB);
    if (at != column && column >= 0) settle(c, column);
    column = at;
    cover(c, column, lo, hi);
  }
  if (column >= 0) settle(c, column);
  c->first = c->n, c->last = c->n - 1;
}

/* x in columns, y in pixels of the box. */
static inline void line_to(columns *c, double x, double y) {
  if (!c->down) {
    long k = x < 0 ? 0 : x < (double)c->n ? (long)x : c->n - 1;
    c->first = k, c->last = k - 1;
  } else if ((long)x == (long)c->x && x >= 0 && x < (double)c->n) {
    touch(c, (long)x, y);
    touch(c, (long)x, c->y);
  } else {
    cross(c, c->x, c->y, x, y);
  }
  c->x = x, c->y = y;
  c->down = true;
}

/* ---- curves -------------------------------------------------------------- */
/* Draws points i to n; most of many stand in the column of the one before. */
static void run(columns *c, const ruler *x, const ruler *y, const td_plot_curve *q,
                size_t i, size_t n) {
  bool fast = !x->slow && !y->slow;
  for (; i < n; i++) {
    double px = x->from + (q->x[i] - x->lo) * x->step;
    double py = y->from + (q->y[i] - y->lo) * y->step;
    long k = (long)c->x;
    if (fast && c->down && px >= (double)k && px < (double)k + 1 && k >= c->first &&
        k <= c->last && px < (double)c->n && fabs(py) <= FAR) {
      double lo = fmin(c->y, py), hi = fmax(c->y, py);
      c->lo[k] = lo < c->lo[k] ? lo : c->lo[k];
      c->hi[k] = hi > c->hi[k] ? hi : c->hi[k];
      c->x = px, c->y = py;
      continue;
    }
    px = place(x, q->x[i]), py = place(y, q->y[i]);
    if (px != px || py != py) lift(c);
    else line_to(c, px, py);
  }
  lift(c);
}

/* The points of a rising x that can be seen, with one more at each end. */
static void in_view(const td_plot_curve *q, const ruler *x, long n, size_t *from,
                    size_t *to) {
  size_t end[2];
  if (x->slow || !(x->step > 0)) return;
  for (int k = 0; k < 2; k++) {
    size_t a = 0, left = q->n;
    while (left > 0) { /* the first that stands at this end or behind it */
      size_t half = left / 2;
      double px = x->from + (q->x[a + half] - x->lo) * x->step;
      if (k ? px <= (double)n : px < 0) a += half + 1, left -= half + 1;
      else left = half;
    }
    end[k] = a;
  }
  *from = end[0] > 0 ? end[0] - 1 : 0;
  *to = end[1] < q->n ? end[1] + 1 : q->n;
}

static bool draw_columns(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_curve *q) {
  td_plot_pixel_box box = td_plot_pixels_of(p, m->box);
  int w = box.x1 - box.x0, h = box.y1 - box.y0;
  columns c;
  if (w < 1 || h < 1) return true;
  bool ok = columns_make(&c, w, h, fmax(q->width * p->scale / 2, 0.05));
  if (ok) {
    double bw = (m->box.x1 - m->box.x0) * p->scale;
    double bh = (m->box.y1 - m->box.y0) * p->scale;
    ruler x = ruler_make(&m->x, ((m->box.x0 - p->x) * p->scale - box.x0) * SUB +
                                    (double)c.reach, bw * SUB);
    ruler y = ruler_make(&m->y, (m->box.y1 - p->y) * p->scale - box.y0, -bh);
    c.first = c.n, c.last = c.n - 1;
    size_t from = 0, to = q->n;
    if (q->rises) in_view(q, &x, c.n, &from, &to);
    run(&c, &x, &y, q, from, to);
    int top = h, bottom = 0;
    for (int j = 0; j < w; j++) {
      if (c.top[j] < top) top = c.top[j];
      if (c.bottom[j] > bottom) bottom = c.bottom[j];
    }
    box.y1 = box.y0 + bottom, box.y0 += top;
    td_plot_paint_mask(p, box, c.mask + top, h, 1, q->color, q->alpha);
  }
  columns_free(&c);
  return ok;
}

/* ---- through the pen ----------------------------------------------------- */
/* Of consecutive points in one column only the first, the lowest, the highest
** and the last can be seen. */
typedef struct bundle {
  long at;
  double x[4], y[4]; /* first, low, high, last */
  size_t low, high;  /* order of these two */
  bool any;
} bundle;

static void bundle_flush(td_plot_pen *pen, bundle *c) {
  if (!c->any) return;
  int second = c->low <= c->high ? 1 : 2;
  td_plot_pen_to(pen, c->x[0], c->y[0]);
  td_plot_pen_to(pen, c->x[second], c->y[second]);
  td_plot_pen_to(pen, c->x[3 - second], c->y[3 - second]);
  td_plot_pen_to(pen, c->x[3], c->y[3]);
  c->any = false;
}

static void bundle_add(bundle *c, size_t i, double x, double y) {
  if (!c->any)
    for (int k = 0; k < 4; k++) c->x[k] = x, c->y[k] = y, c->low = c->high = i;
  c->any = true;
  if (y < c->y[1]) c->x[1] = x, c->y[1] = y, c->low = i;
  if (y > c->y[2]) c->x[2] = x, c->y[2] = y, c->high = i;
  c->x[3] = x, c->y[3] = y;
}

static void draw_with_pen(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_curve *q) {
  double per_point = p->image ? p->scale : 4; /* columns in a point */
  bool dense = (double)q->n > 4 * per_point * (m->box.x1 - m->box.x0);
  td_plot_pen pen;
  td_plot_pen_start(&pen, p, m->box, q->color, q->alpha, q->width, q->dash, q->n);
  bundle c = {.any = false};
  for (size_t i = 0; i < q->n; i++) {
    double px = td_plot_map_x(m, q->x[i]), py = td_plot_map_y(m, q->y[i]);
    if (!dense || !isfinite(px) || !isfinite(py)) {
      bundle_flush(&pen, &c);
      td_plot_pen_to(&pen, px, py);
      continue;
    }
    double at = fmin(fmax((px - m->box.x0) * per_point, -1e6), 1e6);
    long col = (long)floor(at);
    if (c.any && col != c.at) bundle_flush(&pen, &c);
    c.at = col;
    bundle_add(&c, i, px, py);
  }
  bundle_flush(&pen, &c);
  td_plot_pen_finish(&pen);
}

void td_plot_draw_curve(td_plot_painter *p, const td_plot_map *m,
                        const td_plot_curve *q) {
  bool dashed = q->dash && q->dash->n;
  if (p->image && !dashed && q->n > FEW &&
      (q->rises || td_plot_runs_one_way(q->x, q->n)) && draw_columns(p, m, q))
    return;
  draw_with_pen(p, m, q);
}
