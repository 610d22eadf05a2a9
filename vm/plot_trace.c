/* plot_trace.c -- evenly spaced streamlines.
**
** B. Jobard and W. Lefer, "Creating evenly-spaced streamlines of arbitrary
** density", Visualization in Scientific Computing '97: a line grows both ways
** from its seed until it comes nearer than half the spacing to another; seeds
** stand one spacing beside the lines drawn so far. Places that no line leads to
** are found on a lattice at the end. */
#include "vm/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_POINTS 400000

/* Direction, of length 1, and speed at a place; false where there is none. */
typedef bool field_fn(void *context, double x, double y, double dir[2],
                      double *speed);

typedef struct point {
  double x, y, speed, s; /* s: length along the line from its seed */
  int line, next;        /* next: in the same cell of the net */
} point;

typedef struct tracer {
  double w, h, spacing, step;
  field_fn *field;
  void *context;
  point *p;
  int n, capacity, line;
  int *cell, nx, ny; /* a net of cells one spacing wide: their last points */
  double sx, sy, sdir[2]; /* the seed of the present line */
} tracer;

static int *cell_at(tracer *t, double x, double y) {
  int i = (int)(x / t->spacing), j = (int)(y / t->spacing);
  i = i < 0 ? 0 : i >= t->nx ? t->nx - 1 : i;
  j = j < 0 ? 0 : j >= t->ny ? t->ny - 1 : j;
  return &t->cell[j * t->nx + i];
}

static bool add(tracer *t, double x, double y, double speed, double s) {
  if (t->n == t->capacity) {
    int more = t->capacity ? 2 * t->capacity : 4096;
    point *p = more > MOST_POINTS ? NULL : realloc(t->p, (size_t)more * sizeof *p);
    if (!p) return false;
    t->p = p, t->capacity = more;
  }
  int *cell = cell_at(t, x, y);
  t->p[t->n] = (point){x, y, speed, s, t->line, *cell};
  *cell = t->n++;
  return true;
}

/* Takes points back, the newest first. */
static void forget(tracer *t, int n) {
  while (t->n > n) {
    const point *p = &t->p[--t->n];
    *cell_at(t, p->x, p->y) = p->next;
  }
}

/* Is a point of another line nearer than `far`, or of this line nearer than
** `own` though far away along it? */
static bool crowded(tracer *t, double x, double y, double s, double far,
                    double own) {
  int i0 = (int)(x / t->spacing), j0 = (int)(y / t->spacing);
  for (int j = j0 > 0 ? j0 - 1 : 0; j <= j0 + 1 && j < t->ny; j++)
    for (int i = i0 > 0 ? i0 - 1 : 0; i <= i0 + 1 && i < t->nx; i++)
      for (int k = t->cell[j * t->nx + i]; k >= 0; k = t->p[k].next) {
        const point *p = &t->p[k];
        double d = (p->x - x) * (p->x - x) + (p->y - y) * (p->y - y);
        if (p->line != t->line ? d < far * far
                               : d < own * own && fabs(p->s - s) > 1.5 * t->spacing)
          return true;
      }
  return false;
}

/* One step of Runge and Kutta's fourth order along the directions. */
static bool advance(tracer *t, double *x, double *y, double sign, double dir[2]) {
  double k[4][2], speed, h = sign * t->step;
  static const double at[] = {0, 0.5, 0.5, 1};
  for (int i = 0; i < 4; i++) {
    double px = *x + (i ? at[i] * h * k[i - 1][0] : 0);
    double py = *y + (i ? at[i] * h * k[i - 1][1] : 0);
    if (!t->field(t->context, px, py, k[i], &speed)) return false;
  }
  double dx = (k[0][0] + 2 * k[1][0] + 2 * k[2][0] + k[3][0]) / 6;
  double dy = (k[0][1] + 2 * k[1][1] + 2 * k[2][1] + k[3][1]) / 6;
  if (dx * dx + dy * dy < 0.25 || dx * dir[0] + dy * dir[1] < 0) return false; /* a centre */
  *x += h * dx, *y += h * dy;
  dir[0] = k[0][0], dir[1] = k[0][1];
  return true;
}

/* The last piece of a line, up to the border. */
static void reach_border(tracer *t, double x, double y, double nx, double ny,
                         double s) {
  double u = 1, dir[2], speed;
  if (nx < 0) u = fmin(u, x / (x - nx));
  if (nx > t->w) u = fmin(u, (t->w - x) / (nx - x));
  if (ny < 0) u = fmin(u, y / (y - ny));
  if (ny > t->h) u = fmin(u, (t->h - y) / (ny - y));
  x += u * (nx - x), y += u * (ny - y);
  if (t->field(t->context, x, y, dir, &speed)) add(t, x, y, speed, s);
}

/* Grows the line from its seed, forward or backward; true when it closes. */
static bool grow(tracer *t, double sign) {
  double x = t->sx, y = t->sy, dir[2] = {t->sdir[0], t->sdir[1]}, here[2], speed;
  int limit = (int)(8 * (t->w + t->h) / t->step);
  for (int i = 1; i <= limit; i++) {
    double nx = x, ny = y, s = sign * i * t->step;
    if (!advance(t, &nx, &ny, sign, dir)) return false;
    if (!(nx >= 0 && nx <= t->w && ny >= 0 && ny <= t->h)) {
      reach_border(t, x, y, nx, ny, s);
      return false;
    }
    double dx = t->sx - nx, dy = t->sy - ny, d = sqrt(dx * dx + dy * dy);
    double beside = fabs(dx * t->sdir[1] - dy * t->sdir[0]);
    bool closing = sign > 0 && s > 2 * t->spacing && d < 0.6 * t->spacing &&
                   beside < 0.15 * t->spacing &&
                   dx * t->sdir[0] + dy * t->sdir[1] > -t->step;
    if (closing && d <= 1.01 * t->step) {
      add(t, t->sx, t->sy, t->p[t->n - 1].speed, s);
      return true;
    }
    if (crowded(t, nx, ny, s, 0.5 * t->spacing, closing ? 0 : 0.4 * t->spacing) ||
        !t->field(t->context, nx, ny, here, &speed) || !add(t, nx, ny, speed, s))
      return false;
    x = nx, y = ny;
  }
  return false;
}

/* A line through this seed, unless it comes out short. */
static bool trace(tracer *t, double x, double y, td_plot_stream_fn *emit,
                  void *emit_context) {
  int first = t->n;
  double speed;
  if (!(x >= 0 && x <= t->w && y >= 0 && y <= t->h) ||
      crowded(t, x, y, 0, 0.98 * t->spacing, 0) ||
      !t->field(t->context, x, y, t->sdir, &speed))
    return false;
  t->sx = x, t->sy = y;
  if (!add(t, x, y, speed, 0)) return false;
  bool closed = grow(t, 1);
  int turn = t->n;
  if (!closed) grow(t, -1);
  int n = t->n - first, back = t->n - turn;
  double *xys = n * t->step < 1.6 * t->spacing ? NULL
                                               : malloc((size_t)n * 3 * sizeof *xys);
  if (!xys) {
    forget(t, first);
    return false;
  }
  for (int k = 0; k < n; k++) { /* the backward half first, from its end */
    const point *p = &t->p[k < back ? t->n - 1 - k : first + k - back];
    xys[3 * k] = p->x, xys[3 * k + 1] = p->y, xys[3 * k + 2] = p->speed;
  }
  emit(emit_context, xys, (size_t)n);
  free(xys);
  t->line++;
  return true;
}

static int trace_all(double w, double h, double spacing,
                     field_fn *field, void *field_context,
                     td_plot_stream_fn *emit, void *emit_context) {
  tracer t = {
    .w = w, .h = h, .spacing = fmax(spacing, sqrt(w * h) / 400), .field = field,
    .context = field_context
  };
  if (!(w > 0 && h > 0) || !isfinite(w * h)) return 0;
  t.step = fmin(t.spacing / 8, 1.25);
  t.step = fmax(t.step, t.spacing / 24);
  t.nx = (int)(w / t.spacing) + 1, t.ny = (int)(h / t.spacing) + 1;
  size_t cells = (size_t)t.nx * (size_t)t.ny;
  t.cell = malloc(cells * sizeof *t.cell);
  if (!t.cell) return td_plot_fail("out of memory");
  memset(t.cell, 0xff, cells * sizeof *t.cell);
  trace(&t, w / 2, h / 2, emit, emit_context);
  double gap = 1.01 * t.spacing;
  for (int round = 0, k = 0; round <= t.nx * t.ny; round++) {
    for (; k < t.n; k++) { /* beside what there is */
      double dir[2], speed, x = t.p[k].x, y = t.p[k].y;
      if (k % 3 || !field(field_context, x, y, dir, &speed)) continue;
      trace(&t, x - gap * dir[1], y + gap * dir[0], emit, emit_context);
      trace(&t, x + gap * dir[1], y - gap * dir[0], emit, emit_context);
    }
    if (round < t.nx * t.ny)
      trace(&t, (round % t.nx + 0.5) * t.spacing, (round / t.nx + 0.5) * t.spacing,
            emit, emit_context);
  }
  free(t.p);
  free(t.cell);
  return 0;
}

/* ---- the field of an artist ---------------------------------------------- */
typedef struct view {
  const td_plot_artist *a;
  td_plot_grid g;
  td_plot_scale x, y;
  double w, h;           /* of the box */
  double x0, y0, x1, y1; /* the part of it that has a field */
  td_plot_stream_fn *emit;
  void *context;
} view;

/* Length on the page per unit of data at v. */
static double stretch(const td_plot_scale *s, double length, double v) {
  return s->log ? length / (log(s->hi / s->lo) * v) : length / (s->hi - s->lo);
}

static bool field_at(void *context, double x, double y, double dir[2],
                     double *speed) {
  const view *s = context;
  double vx = td_plot_scale_from_unit(&s->x, (x + s->x0) / s->w);
  double vy = td_plot_scale_from_unit(&s->y, 1 - (y + s->y0) / s->h);
  double u = td_plot_grid_at(&s->g, td_plot_numbers(&s->a->o.u), vx, vy);
  double v = td_plot_grid_at(&s->g, td_plot_numbers(&s->a->o.v), vx, vy);
  double px = u * stretch(&s->x, s->w, vx), py = -v * stretch(&s->y, s->h, vy);
  double big = fmax(fabs(px), fabs(py));
  *speed = hypot(u, v);
  if (!(big > 0) || isnan(px) || isnan(py) || isinf(big)) return false;
  px /= big, py /= big; /* the squares of tiny fields must not vanish */
  double length = sqrt(px * px + py * py);
  dir[0] = px / length, dir[1] = py / length;
  return true;
}

static void emit_moved(void *context, const double *xys, size_t n) {
  const view *s = context;
  double *moved = malloc(3 * n * sizeof *moved);
  for (size_t i = 0; moved && i < 3 * n; i++)
    moved[i] = xys[i] + (i % 3 == 0 ? s->x0 : i % 3 == 1 ? s->y0 : 0);
  if (moved) s->emit(s->context, moved, n);
  free(moved);
}

/* Where a range of data is along a side: its ends from 0 to 1. */
static void part_of(const td_plot_scale *s, double a, double b, double *lo,
                    double *hi) {
  double u = td_plot_scale_to_unit(s, a), v = td_plot_scale_to_unit(s, b);
  if (isnan(u)) u = 0; /* not above 0 on a log scale */
  if (isnan(v)) v = 0;
  *lo = fmin(fmax(fmin(u, v), 0), 1), *hi = fmin(fmax(fmax(u, v), 0), 1);
}

int td_plot_streamlines(const td_plot_artist *a, const td_plot_scale *x,
                        const td_plot_scale *y, double w, double h,
                        double spacing, td_plot_stream_fn *emit,
                        void *context) {
  view s = {
    .a = a, .g = td_plot_artist_grid(&a->o), .x = *x, .y = *y, .w = w, .h = h,
    .emit = emit, .context = context
  };
  double lo, hi;
  if (!s.g.nx || !s.g.ny) return 0;
  part_of(x, s.g.x0, s.g.x1, &lo, &hi);
  s.x0 = lo * w, s.x1 = hi * w;
  part_of(y, s.g.y0, s.g.y1, &lo, &hi);
  s.y0 = (1 - hi) * h, s.y1 = (1 - lo) * h;
  return trace_all(s.x1 - s.x0, s.y1 - s.y0, spacing, field_at, &s,
                   emit_moved, &s);
}
