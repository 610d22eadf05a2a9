/* plot_check.c -- what the options of each kind of artist must hold together,
** and what is worked out from them once. */
#include "vm/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- values that have colours --------------------------------------------- */
static int make_norm(td_plot_artist *a, const double *v, size_t n) {
  if (td_plot_norm_make(&a->norm, &a->o, v, n) == 0) return 0;
  char why[400];
  strncpy(why, td_plot_error(), sizeof why - 1);
  why[sizeof why - 1] = 0;
  return td_plot_fail("%s: %s", td_plot_kind_name(a->kind), why);
}

/* ---- points and grids ---------------------------------------------------- */
static int count_x(td_plot_artist_options *o, const td_plot_data *y) {
  if (o->x.blob && o->x.blob != o->counted) {
    o->counted = NULL;
    return 0;
  }
  if (!y->blob || (o->x.blob && o->x.n == y->n)) return 0;
  size_t n = y->n;
  td_plot_blob *b = td_plot_blob_new(n * sizeof(double));
  if (!b) return -1;
  for (size_t i = 0; i < n; i++) b->memory[i] = (double)(i + 1);
  td_plot_data_drop(&o->x);
  o->x = (td_plot_data){.blob = b, .n = n, .ndim = 1, .dim = {n}};
  o->counted = b;
  return 0;
}

static int check_length(const char *kind, const char *key, size_t n,
                        const char *than, size_t m) {
  if (n == m) return 0;
  return td_plot_fail("%s: %s has %zu value%s and %s has %zu", kind, key, n,
                      n == 1 ? "" : "s", than, m);
}

/* Colours and sizes go with m points (or paths). */
static int check_points(const char *kind, const td_plot_artist_options *o,
                        size_t m) {
  if (o->c.blob && check_length(kind, "c", o->c.dim[0], "x", m)) return -1;
  if (o->size.blob && o->size.n != 1 &&
      check_length(kind, "size", o->size.n, "x", m))
    return -1;
  for (size_t i = 0; o->size.blob && i < o->size.n; i++)
    if (td_plot_numbers(&o->size)[i] < 0 || td_plot_numbers(&o->size)[i] > 1000)
      return td_plot_fail("%s: size is a diameter in points, 0 to 1000, got %g",
                          kind, td_plot_numbers(&o->size)[i]);
  return 0;
}

/* z: the values, under the name `what`. */
static int check_grid(const char *kind, const char *what,
                      const td_plot_artist_options *o, const td_plot_data *z) {
  static const char *const key[] = {"x", "y"};
  if (o->extent.n) {
    const double *e = o->extent.v;
    for (int k = 0; k < 4; k += 2)
      if (!(e[k] < e[k + 1]) || !isfinite(e[k]) || !isfinite(e[k + 1]))
        return td_plot_fail("%s: extent is {x0, x1, y0, y1} with x0 < x1 and "
                            "y0 < y1", kind);
  }
  if (!z->blob) return 0;
  if (z->ndim != 2)
    return td_plot_fail("%s: %s is a grid (row = y, column = x), got %d "
                        "dimension%s", kind, what, z->ndim,
                        z->ndim == 1 ? "" : "s");
  const td_plot_data *axis[] = {&o->x, &o->y};
  for (int d = 0; d < 2; d++) {
    size_t m = z->dim[1 - d];
    if (!axis[d]->blob) continue;
    if (axis[d]->n != m)
      return td_plot_fail("%s: %s has %zu values for %zu %s of %s", kind, key[d],
                          axis[d]->n, m, d ? "rows" : "columns", what);
    const double *v = td_plot_numbers(axis[d]);
    for (size_t i = 0; i < m && !td_plot_coming(axis[d]); i++)
      if (!isfinite(v[i]) || (i && !(v[i] > v[i - 1])))
        return td_plot_fail("%s: %s must rise from cell to cell", kind, key[d]);
  }
  return 0;
}

static int check_pairs(td_plot_kind kind, td_plot_artist_options *o) {
  const char *name = td_plot_kind_name(kind);
  bool counts = kind == TD_PLOT_SCATTER || kind == TD_PLOT_LINE ||
                kind == TD_PLOT_ERRORBAR;
  if (counts && count_x(o, &o->y)) return -1;
  if (!o->x.blob != !o->y.blob)
    return td_plot_fail("%s: needs x and y (or xy), got %s only", name,
                        o->x.blob ? "x" : "y");
  if (check_length(name, "x", o->x.n, "y", o->y.n)) return -1;
  size_t m = o->x.n;
  if (kind == TD_PLOT_PATHS) {
    if (o->x.ndim > 2) return td_plot_fail("paths: x is steps x paths");
    m = o->x.ndim == 2 ? o->x.dim[1] : o->x.blob ? 1 : 0;
  }
  if (kind == TD_PLOT_QUIVER) {
    if (!o->u.blob != !o->v.blob)
      return td_plot_fail("quiver: needs u and v (or uv)");
    if (o->u.blob && (check_length(name, "u", o->u.n, "x", m) ||
                      check_length(name, "v", o->v.n, "x", m)))
      return -1;
  }
  if (kind == TD_PLOT_TEXT) {
    if (o->at == 0 && o->text.blob && o->x.blob && o->text.dim[0] != 1 &&
        o->text.dim[0] != m)
      return td_plot_fail("text: %zu texts for %zu points", o->text.dim[0], m);
    return 0;
  }
  return check_points(name, o, m);
}

/* ---- classes ------------------------------------------------------------- */
int td_plot_class_first(const td_plot_artist *a) {
  const double *c = td_plot_numbers(&a->o.c);
  for (size_t i = 0; i < a->o.c.n; i++)
    if (c[i] > -0.5 && c[i] < 0.5) return 0;
  return 1;
}

static int check_classes(td_plot_artist *a) {
  td_plot_artist_options *o = &a->o;
  if (!o->classes.blob) return 0;
  if (!o->c.blob || o->c.ndim != 1)
    return td_plot_fail("scatter: classes names the values in c, so c must hold "
                        "a class for each point");
  if (o->cmap < 0)
    o->cmap = td_plot_cmap_find(o->classes.dim[0] > 8 ? "petroff" : "okabe");
  return o->cmap < 0 ? -1 : 0;
}

/* ---- images -------------------------------------------------------------- */
td_plot_stack td_plot_artist_stack(const td_plot_artist_options *o) {
  const td_plot_data *d = &o->z;
  td_plot_stack s = {.v = td_plot_numbers(d), .channels = 1};
  if (!d->n || d->ndim < 2) return s;
  const size_t *dim = d->dim;
  s.n = d->ndim > 2 ? dim[0] : 1;
  if (d->ndim < 4) {
    s.h = dim[d->ndim - 2], s.w = dim[d->ndim - 1];
  } else {
    size_t k = dim[1];
    bool first = o->channels == 1 ||
                 (o->channels == 0 && (k == 1 || k == 3 || k == 4));
    s.channels = first ? k : dim[3];
    s.h = dim[first ? 2 : 1], s.w = dim[first ? 3 : 2];
    s.last = !first;
  }
  s.columns = isnan(o->columns) ? (size_t)ceil(sqrt((double)s.n))
                                : (size_t)o->columns;
  size_t cols = o->cols.blob ? o->cols.dim[0] : 0;
  size_t rows = o->rows.blob ? o->rows.dim[0] : 0;
  if (cols && isnan(o->columns)) s.columns = cols;
  else if (rows && isnan(o->columns)) s.columns = (s.n + rows - 1) / rows;
  if (s.columns > s.n) s.columns = s.n;
  s.rows = (s.n + s.columns - 1) / s.columns;
  return s;
}

static int check_images(td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  const td_plot_data *d = &o->z;
  if (!d->blob) return 0;
  if (d->ndim < 2)
    return td_plot_fail("images: N x H x W, N x C x H x W or N x H x W x C "
                        "numbers are needed, got %d dimension%s", d->ndim,
                        d->ndim == 1 ? "" : "s");
  td_plot_stack s = td_plot_artist_stack(o);
  if (s.n && s.channels != 1 && s.channels != 3 && s.channels != 4)
    return td_plot_fail("images: images have 1, 3 or 4 channels (grey, RGB, "
                        "RGBA), got %zu x %zu x %zu x %zu", d->dim[0], d->dim[1],
                        d->dim[2], d->dim[3]);
  if (s.w > 16384 || s.h > 16384)
    return td_plot_fail("images: an image has at most 16384 pixels a side");
  if (o->names.blob && o->names.dim[0] != s.n)
    return td_plot_fail("images: %zu labels for %zu images", o->names.dim[0], s.n);
  if (o->rows.blob && o->rows.dim[0] != s.rows)
    return td_plot_fail("images: %zu titles in rows for %zu row%s of images",
                        o->rows.dim[0], s.rows, s.rows == 1 ? "" : "s");
  if (o->cols.blob && o->cols.dim[0] != s.columns)
    return td_plot_fail("images: %zu titles in cols for %zu column%s of images",
                        o->cols.dim[0], s.columns, s.columns == 1 ? "" : "s");
  td_plot_norm *norm = &a->norm;
  if (make_norm(a, s.v, d->n)) return -1;
  /* the usual ranges of pixels, so that pictures of one set look alike */
  double lo = norm->lo, hi = norm->hi;
  bool unit = lo >= -0.5 && hi <= 1.5, bytes = lo >= 0 && hi > 64 && hi <= 255;
  if (isnan(o->vmin) && (unit || bytes)) norm->lo = 0;
  if (isnan(o->vmax) && (unit || bytes)) norm->hi = unit ? 1 : 255;
  if (!(norm->lo < norm->hi)) norm->lo = lo, norm->hi = hi;
  return 0;
}

/* ---- histograms, bands, bars, error bars --------------------------------- */
static int check_error(const char *kind, const char *key, const td_plot_data *d,
                       size_t n) {
  bool pairs = d->ndim == 2 && d->dim[0] == n && d->dim[1] == 2;
  if (!d->blob || d->n == 1 || d->n == n || pairs) return 0;
  return td_plot_fail("%s: %s is one number, one for each of %zu values, or %zu x "
                      "2; got %zu numbers", kind, key, n, n, d->n);
}

void td_plot_error_at(const td_plot_data *d, size_t i, size_t n, double out[2]) {
  const double *v = td_plot_numbers(d);
  bool pairs = d->ndim > 1 && d->n == 2 * n;
  for (int k = 0; k < 2; k++)
    out[k] = !v ? 0 : fabs(v[pairs ? 2 * i + (size_t)k : d->n == 1 ? 0 : i]);
}

static int make_edge(td_plot_data *to, const td_plot_artist_options *o, int side) {
  const td_plot_data *given = side ? &o->hi : &o->lo;
  if (!o->spread.blob) return td_plot_data_numbers(to, td_plot_numbers(given), 1, &o->x.n);
  td_plot_blob *b = td_plot_blob_new(o->x.n * sizeof(double));
  if (!b) return -1;
  for (size_t i = 0; i < o->x.n; i++) {
    double e[2], y = td_plot_numbers(&o->y)[i];
    td_plot_error_at(&o->spread, i, o->x.n, e);
    b->memory[i] = side ? y + e[1] : y - e[0];
  }
  *to = (td_plot_data){.blob = b, .n = o->x.n, .ndim = 1, .dim = {o->x.n}};
  return 0;
}

static int check_band(td_plot_artist *a) {
  td_plot_artist_options *o = &a->o;
  const td_plot_data *main = o->y.blob ? &o->y : &o->lo;
  if (!main->blob && !o->x.blob && !o->hi.blob) return 0;
  if (!main->blob || !(o->spread.blob ? o->y.blob != NULL : o->lo.blob && o->hi.blob))
    return td_plot_fail("band: needs lo and hi, or y and spread");
  if (count_x(o, main)) return -1;
  size_t n = o->x.n;
  if (check_length("band", main == &o->y ? "y" : "lo", main->n, "x", n)) return -1;
  if (o->spread.blob ? check_error("band", "spread", &o->spread, n)
                     : check_length("band", "lo", o->lo.n, "x", n) ||
                           check_length("band", "hi", o->hi.n, "x", n))
    return -1;
  return make_edge(&a->made[0], o, 0) || make_edge(&a->made[1], o, 1) ? -1 : 0;
}

size_t td_plot_bars_series(const td_plot_artist_options *o) {
  return o->y.ndim == 2 ? o->y.dim[1] : o->y.blob ? 1 : 0;
}

td_plot_bar_place td_plot_bars_place(const td_plot_artist_options *o, size_t i,
                                     size_t s) {
  size_t k = td_plot_bars_series(o);
  const double *row = td_plot_numbers(&o->y) + i * k;
  double left = (double)i + 1 - o->room / 2;
  if (!o->stacked)
    return (td_plot_bar_place){0, row[s], left + o->room * (double)s / (double)k,
                               left + o->room * (double)(s + 1) / (double)k};
  double base = 0; /* what is below 0 hangs, the rest stands */
  for (size_t j = 0; j < s; j++)
    if (isfinite(row[j]) && (row[j] < 0) == (row[s] < 0)) base += row[j];
  return (td_plot_bar_place){base, base + row[s], left, left + o->room};
}

static int check_bars(const td_plot_artist_options *o) {
  if (!o->y.blob) return 0;
  if (o->y.ndim > 2)
    return td_plot_fail("bars: y is a list, or categories x series, got %d "
                        "dimensions", o->y.ndim);
  size_t n = o->y.dim[0], k = td_plot_bars_series(o);
  if (o->names.blob && o->names.dim[0] != n)
    return td_plot_fail("bars: %zu categories for %zu rows of y",
                        o->names.dim[0], n);
  if (o->classes.blob && o->classes.dim[0] != k)
    return td_plot_fail("bars: %zu classes for %zu series (columns of y)",
                        o->classes.dim[0], k);
  bool pairs = o->yerr.ndim > 1 && o->yerr.n == 2 * n * k;
  if (!o->yerr.blob || o->yerr.n == n * k || o->yerr.n == 1 || pairs) return 0;
  return td_plot_fail("bars: yerr has %zu numbers for %zu bars", o->yerr.n, n * k);
}

static int check_span(const td_plot_artist_options *o) {
  const td_plot_data *d[] = {&o->x, &o->y};
  for (int k = 0; k < 2; k++) {
    bool ok = d[k]->n == 2 || (d[k]->ndim == 2 && d[k]->dim[1] == 2);
    if (d[k]->blob && d[k]->n && !ok)
      return td_plot_fail("span: %s is {from, to}, or n x 2 numbers, got %zu",
                          k ? "y" : "x", d[k]->n);
  }
  return 0;
}

/* ---- arrows, ellipses ---------------------------------------------------- */
static int check_arrow(const td_plot_artist_options *o) {
  if (o->tx.blob && o->u.blob)
    return td_plot_fail("arrow: give to or vec, not both; `to = false` takes the "
                        "old one away");
  const td_plot_data *end[] = {&o->y, &o->tx, &o->ty, &o->u, &o->v};
  static const char *const key[] = {"y", "to", "to", "vec", "vec"};
  for (int k = 0; k < 5; k++)
    if (end[k]->blob && check_length("arrow", key[k], end[k]->n, "from", o->x.n))
      return -1;
  if (!o->x.blob != !o->y.blob || !o->tx.blob != !o->ty.blob ||
      !o->u.blob != !o->v.blob)
    return td_plot_fail("arrow: points are pairs: from = {x, y}, to = {x, y}");
  return 0;
}

static int check_ellipse(const td_plot_artist_options *o) {
  size_t n = o->x.n;
  if (o->cov.blob && o->cov.n != 4 && o->cov.n != 4 * n)
    return td_plot_fail("ellipse: cov is 2 x 2, or %zu x 2 x 2 for %zu points; "
                        "got %zu numbers", n, n, o->cov.n);
  if (o->radius.blob && o->radius.n != 1 &&
      check_length("ellipse", "radius", o->radius.n, "x", n))
    return -1;
  for (int k = 0; k < o->sigmas.n; k++)
    if (!(o->sigmas.v[k] > 0 && isfinite(o->sigmas.v[k])))
      return td_plot_fail("ellipse: sigmas must be above 0");
  return 0;
}

/* ---- grids of points, fields --------------------------------------------- */
static int check_mesh(const td_plot_artist_options *o) {
  const td_plot_data *x = &o->x, *y = &o->y, *z = &o->z;
  if (!x->blob && !y->blob) return 0;
  bool same = x->ndim == 2 && y->ndim == 2 && x->dim[0] == y->dim[0] &&
              x->dim[1] == y->dim[1];
  if (!same)
    return td_plot_fail("mesh: points are rows x columns x 2 (xy), or x and y, "
                        "each rows x columns");
  size_t rows = x->dim[0], cols = x->dim[1];
  if (z->blob && (z->ndim != 2 || z->dim[0] + 1 != rows || z->dim[1] + 1 != cols))
    return td_plot_fail("mesh: z holds a value for each of (%zu - 1) x (%zu - 1) "
                        "cells, got %zu", rows, cols, z->n);
  return 0;
}

static int check_stream(td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  if (!o->u.blob && !o->v.blob) return 0;
  if (!o->u.blob || !o->v.blob || o->u.ndim != 2 || o->v.ndim != 2 ||
      o->u.dim[0] != o->v.dim[0] || o->u.dim[1] != o->v.dim[1])
    return td_plot_fail("stream: u and v are grids of the same size (row = y, "
                        "column = x), or uv is rows x columns x 2");
  if (check_grid("stream", "u", o, &o->u)) return -1;
  size_t n = o->u.n;
  double *speed = malloc((n + 1) * sizeof *speed);
  if (!speed) return td_plot_fail("out of memory");
  for (size_t i = 0; i < n; i++)
    speed[i] = hypot(td_plot_numbers(&o->u)[i], td_plot_numbers(&o->v)[i]);
  int rc = make_norm(a, speed, n);
  free(speed);
  return rc;
}

/* ---- all ----------------------------------------------------------------- */
static int check_levels(const td_plot_data *levels) {
  for (size_t i = 0; i < levels->n && !td_plot_coming(levels); i++)
    if (!isfinite(td_plot_numbers(levels)[i]))
      return td_plot_fail("contour: levels must be finite");
  return 0;
}

/* Artists of points; colours and sizes go with them. */
static int check_marks(td_plot_artist *a) {
  td_plot_artist_options *o = &a->o;
  const char *name = td_plot_kind_name(a->kind);
  if (check_pairs(a->kind, o)) return -1;
  if (a->kind == TD_PLOT_SCATTER && check_classes(a)) return -1;
  if (a->kind == TD_PLOT_ELLIPSE && check_ellipse(o)) return -1;
  if (a->kind == TD_PLOT_ERRORBAR)
    return check_error(name, "xerr", &o->xerr, o->x.n) ||
                   check_error(name, "yerr", &o->yerr, o->x.n) ? -1 : 0;
  if (a->kind == TD_PLOT_LINE || a->kind == TD_PLOT_TEXT) return 0;
  if (o->c.blob && o->c.ndim == 2) return 0;
  return make_norm(a, td_plot_numbers(&o->c), o->c.n);
}

int td_plot_artist_check(td_plot_artist *a) {
  td_plot_artist_options *o = &a->o;
  a->norm = (td_plot_norm){.center = NAN};
  switch (a->kind) {
    case TD_PLOT_HLINE: case TD_PLOT_VLINE: return 0;
    case TD_PLOT_CONTOUR:
      if (check_levels(&o->levels)) return -1;
      /* fall through */
    case TD_PLOT_HEATMAP:
      if (check_grid(td_plot_kind_name(a->kind), "z", o, &o->z)) return -1;
      return make_norm(a, td_plot_numbers(&o->z), o->z.n);
    case TD_PLOT_MESH:
      return check_mesh(o) ? -1 : make_norm(a, td_plot_numbers(&o->z), o->z.n);
    case TD_PLOT_IMAGES: return check_images(a);
    case TD_PLOT_STREAM: return check_stream(a);
    case TD_PLOT_HISTOGRAM: return td_plot_bins_make(a);
    case TD_PLOT_BAND: return check_band(a);
    case TD_PLOT_BARS: return check_bars(o);
    case TD_PLOT_SPAN: return check_span(o);
    case TD_PLOT_ARROW: return check_arrow(o);
    default: return check_marks(a);
  }
}
