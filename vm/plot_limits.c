/* plot_limits.c -- limits from the data, scales, and the cells of grids. */
#include "vm/plot.h"

#include <math.h>
#include <string.h>

#define FAR 1e300 /* limits stay inside, so that hi - lo is finite */

/* ---- scales -------------------------------------------------------------- */
/* Finite values stay finite, however far outside they are. */
double td_plot_scale_to_unit(const td_plot_scale *s, double v) {
  double u;
  if (s->log) u = v > 0 ? (log(v) - log(s->lo)) / (log(s->hi) - log(s->lo)) : NAN;
  else u = (v - s->lo) / (s->hi - s->lo);
  if (isinf(u) && isfinite(v)) u = u > 0 ? FAR : -FAR;
  return u;
}

double td_plot_scale_from_unit(const td_plot_scale *s, double u) {
  if (!s->log) return s->lo + u * (s->hi - s->lo);
  return exp(log(s->lo) * (1 - u) + log(s->hi) * u);
}

/* ---- grids --------------------------------------------------------------- */
td_plot_grid td_plot_artist_grid(const td_plot_artist_options *o) {
  const td_plot_data *z = o->z.blob ? &o->z : &o->u; /* of a stream */
  td_plot_grid g = {
    .nx = z->blob ? z->dim[1] : 0, .ny = z->blob ? z->dim[0] : 0,
    .z = td_plot_numbers(z), .x = td_plot_numbers(&o->x),
    .y = td_plot_numbers(&o->y)
  };
  if (o->extent.n == 4) {
    g.x = g.y = NULL;
    g.x0 = o->extent.v[0], g.x1 = o->extent.v[1];
    g.y0 = o->extent.v[2], g.y1 = o->extent.v[3];
    return g;
  }
  /* without an extent cells are 1 wide and 1-based centres are whole numbers */
  g.x0 = 0.5, g.x1 = (double)g.nx + 0.5;
  g.y0 = 0.5, g.y1 = (double)g.ny + 0.5;
  if (g.x && g.nx) {
    g.x0 = td_plot_grid_edge(&g, TD_PLOT_X, 0);
    g.x1 = td_plot_grid_edge(&g, TD_PLOT_X, g.nx);
  }
  if (g.y && g.ny) {
    g.y0 = td_plot_grid_edge(&g, TD_PLOT_Y, 0);
    g.y1 = td_plot_grid_edge(&g, TD_PLOT_Y, g.ny);
  }
  return g;
}

double td_plot_grid_center(const td_plot_grid *g, td_plot_dim dim, size_t k) {
  const double *v = dim == TD_PLOT_X ? g->x : g->y;
  if (v) return v[k];
  size_t n = dim == TD_PLOT_X ? g->nx : g->ny;
  double a = dim == TD_PLOT_X ? g->x0 : g->y0, b = dim == TD_PLOT_X ? g->x1 : g->y1;
  return a + (b - a) * ((double)k + 0.5) / (double)n;
}

double td_plot_grid_edge(const td_plot_grid *g, td_plot_dim dim, size_t k) {
  const double *v = dim == TD_PLOT_X ? g->x : g->y;
  size_t n = dim == TD_PLOT_X ? g->nx : g->ny;
  if (!v) {
    double a = dim == TD_PLOT_X ? g->x0 : g->y0;
    double b = dim == TD_PLOT_X ? g->x1 : g->y1;
    return k == n ? b : a + (b - a) * (double)k / (double)n;
  }
  if (n == 1) return v[0] + ((double)k - 0.5);
  if (k == 0) return v[0] - (v[1] - v[0]) / 2;
  if (k == n) return v[n - 1] + (v[n - 1] - v[n - 2]) / 2;
  return (v[k - 1] + v[k]) / 2;
}

long td_plot_grid_cell(const td_plot_grid *g, td_plot_dim dim, double v) {
  size_t n = dim == TD_PLOT_X ? g->nx : g->ny;
  double a = dim == TD_PLOT_X ? g->x0 : g->y0, b = dim == TD_PLOT_X ? g->x1 : g->y1;
  if (!(v >= a && v <= b) || n == 0) return -1;
  if (!(dim == TD_PLOT_X ? g->x : g->y)) {
    size_t k = (size_t)((v - a) / (b - a) * (double)n);
    return (long)(k < n ? k : n - 1);
  }
  size_t lo = 0, hi = n; /* edge lo <= v < edge hi */
  while (hi - lo > 1) {
    size_t mid = (lo + hi) / 2;
    if (td_plot_grid_edge(g, dim, mid) <= v) lo = mid;
    else hi = mid;
  }
  return (long)lo;
}

/* Between which two centres v lies (j and j + 1), and where. */
static bool between(const td_plot_grid *g, td_plot_dim dim, double v, size_t *j,
                    double *f) {
  size_t n = dim == TD_PLOT_X ? g->nx : g->ny;
  long k = td_plot_grid_cell(g, dim, v);
  if (k < 0) return false;
  if (k > 0 && v < td_plot_grid_center(g, dim, (size_t)k)) k--;
  *j = (size_t)k, *f = 0;
  if (*j + 1 >= n) return true;
  double a = td_plot_grid_center(g, dim, *j), b = td_plot_grid_center(g, dim, *j + 1);
  *f = v <= a ? 0 : (v - a) / (b - a);
  return true;
}

double td_plot_grid_at(const td_plot_grid *g, const double *z, double x, double y) {
  size_t i, j;
  double fx, fy;
  if (!between(g, TD_PLOT_X, x, &j, &fx) || !between(g, TD_PLOT_Y, y, &i, &fy))
    return NAN;
  const double *v = z + i * g->nx + j;
  size_t up = fy > 0 ? g->nx : 0, right = fx > 0 ? 1 : 0;
  return (1 - fy) * ((1 - fx) * v[0] + fx * v[right]) +
         fy * ((1 - fx) * v[up] + fx * v[up + right]);
}

/* ---- limits -------------------------------------------------------------- */
typedef struct range {
  double lo, hi;               /* of all data */
  double fixed_lo, fixed_hi;   /* of grids: no margin beyond these */
  bool positive;
  bool hidden;                 /* also of what a person has hidden */
} range;

static void include(range *r, double v) {
  if (!isfinite(v) || (r->positive && v <= 0)) return;
  if (v < r->lo) r->lo = v;
  if (v > r->hi) r->hi = v;
}

static void include_grid(range *r, const td_plot_artist *a, td_plot_dim dim) {
  td_plot_grid g = td_plot_artist_grid(&a->o);
  size_t n = dim == TD_PLOT_X ? g.nx : g.ny;
  if (!g.nx || !g.ny) return;
  double lo = td_plot_grid_edge(&g, dim, 0), hi = td_plot_grid_edge(&g, dim, n);
  if (a->kind == TD_PLOT_CONTOUR) {
    lo = td_plot_grid_center(&g, dim, 0);
    hi = td_plot_grid_center(&g, dim, n - 1);
  }
  if (r->positive && lo <= 0) lo = td_plot_grid_center(&g, dim, 0);
  include(r, lo);
  include(r, hi);
  if (lo < r->fixed_lo) r->fixed_lo = lo;
  if (hi > r->fixed_hi) r->fixed_hi = hi;
}

/* A value beyond which there is no margin. */
static void include_fixed(range *r, double lo, double hi) {
  include(r, lo);
  include(r, hi);
  if (!r->positive || lo > 0) r->fixed_lo = fmin(r->fixed_lo, lo);
  if (!r->positive || hi > 0) r->fixed_hi = fmax(r->fixed_hi, hi);
}

/* The foot of bars; on a log scale, room below the lowest. */
static void include_foot(range *r, double lowest) {
  if (!r->positive) {
    if (lowest >= 0) include_fixed(r, 0, -INFINITY);
    include(r, 0);
  } else if (lowest > 0) {
    include_fixed(r, lowest / 2, -INFINITY);
  }
}

/* Images and categories stand at whole numbers. */
static void include_table(range *r, size_t n) {
  if (n) include_fixed(r, 0.5, (double)n + 0.5);
}

static void include_histogram(range *r, const td_plot_artist *a, td_plot_dim dim) {
  const td_plot_data *edge = &a->made[0], *height = &a->made[1];
  if (!edge->n) return;
  if ((dim == TD_PLOT_X) != a->o.horizontal) {
    include(r, td_plot_numbers(edge)[0]);
    include(r, td_plot_numbers(edge)[edge->n - 1]);
    return;
  }
  double lowest = INFINITY;
  for (size_t k = 0; k < height->n; k++) {
    double v = td_plot_numbers(height)[k];
    include(r, v);
    if (v < lowest && (v > 0 || !r->positive)) lowest = v;
  }
  include_foot(r, lowest);
}

static void include_bars(range *r, const td_plot_artist *a, td_plot_dim dim) {
  const td_plot_artist_options *o = &a->o;
  size_t n = o->y.blob ? o->y.dim[0] : 0, k = td_plot_bars_series(o);
  if ((dim == TD_PLOT_X) != o->horizontal) {
    include_table(r, n);
    return;
  }
  double lowest = INFINITY;
  for (size_t i = 0; i < n; i++)
    for (size_t s = 0; s < k; s++) {
      double e[2], v = td_plot_bars_place(o, i, s).hi;
      if (!isfinite(v)) continue;
      td_plot_error_at(&o->yerr, i * k + s, o->y.n, e);
      include(r, v - e[0]);
      include(r, v + e[1]);
      if (v - e[0] < lowest && (v > 0 || !r->positive)) lowest = fmin(v, v - e[0]);
    }
  if (lowest < INFINITY) include_foot(r, lowest);
}

static void include_errors(range *r, const td_plot_artist *a, td_plot_dim dim) {
  const td_plot_artist_options *o = &a->o;
  const td_plot_data *d = dim == TD_PLOT_X ? &o->x : &o->y;
  const td_plot_data *err = dim == TD_PLOT_X ? &o->xerr : &o->yerr;
  for (size_t i = 0; err->blob && i < d->n; i++) {
    double e[2], v = td_plot_numbers(d)[i];
    td_plot_error_at(err, i, d->n, e);
    include(r, v - e[0]);
    include(r, v + e[1]);
  }
}

static void include_ellipses(range *r, const td_plot_artist *a, td_plot_dim dim) {
  const td_plot_artist_options *o = &a->o;
  const double *v = td_plot_numbers(dim == TD_PLOT_X ? &o->x : &o->y);
  const double *cov = td_plot_numbers(&o->cov), *rad = td_plot_numbers(&o->radius);
  double k = 0;
  for (int i = 0; i < o->sigmas.n; i++) k = fmax(k, o->sigmas.v[i]);
  for (size_t i = 0; i < o->x.n; i++) {
    double reach = k;
    if (rad) reach = rad[o->radius.n > 1 ? i : 0];
    else if (cov)
      reach = k * sqrt(fmax(cov[(o->cov.n > 4 ? 4 * i : 0) +
                                (dim == TD_PLOT_X ? 0 : 3)], 0));
    include(r, v[i] - reach);
    include(r, v[i] + reach);
  }
}

static void include_part(range *r, const td_plot_data *d, size_t from, size_t to) {
  td_plot_extent e = td_plot_data_extent(d, from, to);
  include(r, r->positive ? e.least : e.lo);
  include(r, e.hi);
}

static void include_all(range *r, const td_plot_data *d) { include_part(r, d, 0, d->n); }

/* Where arrows end. */
static void include_tips(range *r, const td_plot_artist *a, td_plot_dim dim) {
  const td_plot_artist_options *o = &a->o;
  const td_plot_data *from = dim == TD_PLOT_X ? &o->x : &o->y;
  const td_plot_data *step = dim == TD_PLOT_X ? &o->u : &o->v;
  include_all(r, dim == TD_PLOT_X ? &o->tx : &o->ty);
  for (size_t i = 0; i < step->n && i < from->n; i++)
    include(r, td_plot_numbers(from)[i] + td_plot_numbers(step)[i]);
}

/* Points; x: when not NULL, only those with an x inside count. */
static void include_points(range *r, const td_plot_artist *a, td_plot_dim dim,
                           const td_plot_data *d, const td_plot_limits *x) {
  const double *v = td_plot_numbers(d), *at = td_plot_numbers(&a->o.x);
  if (!x || !at || a->o.x.n != d->n || dim == TD_PLOT_X) {
    include_all(r, d);
  } else if (td_plot_data_rises(&a->o.x)) {
    include_part(r, d, td_plot_data_first(&a->o.x, x->lo, false),
                 td_plot_data_first(&a->o.x, x->hi, true));
  } else {
    for (size_t i = 0; i < d->n; i++)
      if (at[i] >= x->lo && at[i] <= x->hi) include(r, v[i]);
  }
}

/* x: limits of x that are given, or NULL. */
static void include_artist(range *r, const td_plot_artist *a, td_plot_dim dim,
                           const td_plot_limits *x) {
  const td_plot_artist_options *o = &a->o;
  const td_plot_data *d = dim == TD_PLOT_X ? &o->x : &o->y;
  if (!o->visible && !(a->hidden && r->hidden)) return;
  if (dim != TD_PLOT_X && (o->axis == 1) != (dim == TD_PLOT_Y2)) return;
  switch (a->kind) {
    case TD_PLOT_TEXT: return;
    case TD_PLOT_HEATMAP: case TD_PLOT_CONTOUR: case TD_PLOT_STREAM:
      include_grid(r, a, dim);
      return;
    case TD_PLOT_IMAGES:
      include_table(r, dim == TD_PLOT_X ? td_plot_artist_stack(o).columns
                                        : td_plot_artist_stack(o).rows);
      return;
    case TD_PLOT_HISTOGRAM: include_histogram(r, a, dim); return;
    case TD_PLOT_BARS: include_bars(r, a, dim); return;
    case TD_PLOT_SPAN: include_all(r, d); return;
    case TD_PLOT_ELLIPSE: include_ellipses(r, a, dim); return;
    case TD_PLOT_BAND:
      for (int k = 0; k < 2 && dim != TD_PLOT_X; k++)
        include_points(r, a, dim, &a->made[k], x);
      break;
    case TD_PLOT_ERRORBAR: include_errors(r, a, dim); break;
    case TD_PLOT_ARROW: include_tips(r, a, dim); break;
    default: break;
  }
  include_points(r, a, dim, d, x);
}

static double clamp(double v) { return v < -FAR ? -FAR : v > FAR ? FAR : v; }

/* Makes room around the data, in the units of the scale. */
static void pad(range *r, double share, bool log_scale) {
  if (log_scale) {
    double ratio = log(r->hi) - log(r->lo);
    double grow = ratio > 1e-4 ? exp(ratio * share) : 3;
    if (r->lo != r->fixed_lo) r->lo = fmax(r->lo / grow, 1e-307);
    if (r->hi != r->fixed_hi) r->hi = fmin(r->hi * grow, FAR);
    if (!(r->hi > r->lo)) r->lo = fmax(r->lo / 3, 1e-307), r->hi *= 3;
    return;
  }
  double lo = clamp(r->lo), hi = clamp(r->hi), span = hi - lo;
  double size = fmax(fabs(lo), fabs(hi));
  if (!(span > size * 1e-12)) { /* one value, or as good as one */
    double room = size > 0 ? size * 0.05 : 0.5;
    r->lo = clamp(lo - room), r->hi = clamp(hi + room);
    if (!(r->hi > r->lo)) r->lo = -0.5, r->hi = 0.5;
    return;
  }
  r->lo = lo == r->fixed_lo ? lo : clamp(lo - span * share);
  r->hi = hi == r->fixed_hi ? hi : clamp(hi + span * share);
}

bool td_plot_axes_linked(const td_plot_axes *a, const td_plot_axes *b,
                         td_plot_dim dim) {
  if (a == b) return true;
  if (dim == TD_PLOT_Y2) return false;
  const char *one = td_plot_text(&a->o.share[dim], 0);
  const char *other = td_plot_text(&b->o.share[dim], 0);
  if (one || other) return one && other && strcmp(one, other) == 0;
  switch (a->figure->o.share[dim]) {
    case 1: return true;
    case 2: return a->row == b->row;
    case 3: return a->col == b->col;
    default: return false;
  }
}

/* The limits that these axes, or others linked to them, were given. */
static td_plot_limits given_limits(const td_plot_axes *ax, td_plot_dim dim) {
  const td_plot_figure *f = ax->figure;
  td_plot_limits l = ax->o.lim[dim];
  for (int i = 0; i < f->naxes && (isnan(l.lo) || isnan(l.hi)); i++) {
    if (!td_plot_axes_linked(ax, f->axes[i], dim)) continue;
    if (isnan(l.lo)) l.lo = f->axes[i]->o.lim[dim].lo;
    if (isnan(l.hi)) l.hi = f->axes[i]->o.lim[dim].hi;
  }
  if (l.lo == l.hi || (ax->o.scale[dim] == TD_PLOT_SCALE_LOG &&
                       (l.lo <= 0 || l.hi <= 0)))
    return ax->o.lim[dim]; /* theirs do not fit here */
  return l;
}

static void include_linked(range *r, const td_plot_axes *ax, td_plot_dim dim,
                           const td_plot_limits *x) {
  const td_plot_figure *f = ax->figure;
  for (int i = 0; i < f->naxes; i++)
    if (td_plot_axes_linked(ax, f->axes[i], dim))
      for (int k = 0; k < f->axes[i]->nartists; k++)
        include_artist(r, f->axes[i]->artists[k], dim, x);
}

static td_plot_scale from_data(const td_plot_axes *ax, td_plot_dim dim) {
  const td_plot_limits *x = NULL;
  td_plot_limits given = given_limits(ax, TD_PLOT_X);
  if (dim != TD_PLOT_X && (!isnan(given.lo) || !isnan(given.hi))) {
    if (isnan(given.lo)) given.lo = -INFINITY;
    if (isnan(given.hi)) given.hi = INFINITY;
    if (given.lo > given.hi)
      given = (td_plot_limits){given.hi, given.lo};
    x = &given;
  }
  td_plot_scale s = {.log = ax->o.scale[dim] == TD_PLOT_SCALE_LOG};
  range r = {INFINITY, -INFINITY, INFINITY, -INFINITY, s.log, false};
  include_linked(&r, ax, dim, x);
  r.hidden = r.lo > r.hi;
  if (r.hidden) include_linked(&r, ax, dim, x);
  if (r.lo > r.hi && x) include_linked(&r, ax, dim, NULL); /* none is in view */
  if (r.lo > r.hi) {
    s.lo = s.log ? 1 : 0, s.hi = s.log ? 10 : 1;
    return s;
  }
  pad(&r, ax->o.margin, s.log);
  s.lo = r.lo, s.hi = r.hi;
  return s;
}

/* Row 1 of images and of lying bars is on top. */
static bool from_the_top(const td_plot_axes *ax, td_plot_dim dim) {
  return dim == TD_PLOT_Y && (td_plot_axes_images(ax) || td_plot_axes_bars(ax, dim));
}

td_plot_scale td_plot_axes_scale(const td_plot_axes *ax, td_plot_dim dim) {
  td_plot_limits given = given_limits(ax, dim);
  td_plot_scale s = {given.lo, given.hi, ax->o.scale[dim] == TD_PLOT_SCALE_LOG};
  if (!isnan(s.lo) && !isnan(s.hi)) return s;
  td_plot_scale data = from_data(ax, dim);
  if (isnan(s.lo) && isnan(s.hi) && from_the_top(ax, dim))
    return (td_plot_scale){data.hi, data.lo, s.log};
  if (isnan(s.lo)) s.lo = data.lo;
  if (isnan(s.hi)) s.hi = data.hi;
  if (s.lo < s.hi) return s;
  /* the given end lies beyond the data */
  double room = s.log ? 0 : fmax(fabs(s.lo) * 0.05, 0.5);
  if (isnan(given.lo)) s.lo = s.log ? s.hi / 10 : s.hi - room;
  else s.hi = s.log ? s.lo * 10 : s.lo + room;
  return s;
}

const td_plot_artist *td_plot_axes_images(const td_plot_axes *ax) {
  for (int i = 0; i < ax->nartists; i++)
    if (ax->artists[i]->kind == TD_PLOT_IMAGES && ax->artists[i]->o.visible &&
        td_plot_artist_stack(&ax->artists[i]->o).n)
      return ax->artists[i];
  return NULL;
}

const td_plot_artist *td_plot_axes_bars(const td_plot_axes *ax, td_plot_dim dim) {
  for (int i = 0; i < ax->nartists; i++) {
    const td_plot_artist *a = ax->artists[i];
    if (a->kind == TD_PLOT_BARS && a->o.visible && a->o.y.n &&
        (dim == TD_PLOT_X) != a->o.horizontal && dim != TD_PLOT_Y2)
      return a;
  }
  return NULL;
}

bool td_plot_axes_has_y2(const td_plot_axes *ax) {
  if (ax->o.label[TD_PLOT_Y2].blob || ax->o.ticks[TD_PLOT_Y2].blob) return true;
  for (int i = 0; i < ax->nartists; i++)
    if (ax->artists[i]->o.axis == 1 &&
        (ax->artists[i]->o.visible || ax->artists[i]->hidden))
      return true;
  return false;
}
