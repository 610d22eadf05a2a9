/* plot_check.c -- what the options of each kind of artist must hold together,
** and what is worked out from them once. */
#include "vm/plot.h"

#include <math.h>
#include <string.h>

/* ---- points and grids ---------------------------------------------------- */
static int count_x(td_plot_artist_options *o) {
  if (o->x.blob && o->x.blob != o->counted) {
    o->counted = NULL;
    return 0;
  }
  if (!o->y.blob || (o->x.blob && o->x.n == o->y.n)) return 0;
  size_t n = o->y.n;
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

static int check_grid(const char *kind, const td_plot_artist_options *o) {
  static const char *const key[] = {"x", "y"};
  if (o->extent.n) {
    const double *e = o->extent.v;
    for (int k = 0; k < 4; k += 2)
      if (!(e[k] < e[k + 1]) || !isfinite(e[k]) || !isfinite(e[k + 1]))
        return td_plot_fail("%s: extent is {x0, x1, y0, y1} with x0 < x1 and "
                            "y0 < y1", kind);
  }
  if (!o->z.blob) return 0;
  if (o->z.ndim != 2)
    return td_plot_fail("%s: z is a grid (row = y, column = x), got %d "
                        "dimension%s", kind, o->z.ndim,
                        o->z.ndim == 1 ? "" : "s");
  const td_plot_data *axis[] = {&o->x, &o->y};
  for (int d = 0; d < 2; d++) {
    size_t m = o->z.dim[1 - d];
    if (!axis[d]->blob) continue;
    if (axis[d]->n != m)
      return td_plot_fail("%s: %s has %zu values for %zu %s of z", kind, key[d],
                          axis[d]->n, m, d ? "rows" : "columns");
    const double *v = td_plot_numbers(axis[d]);
    for (size_t i = 0; i < m; i++)
      if (!isfinite(v[i]) || (i && !(v[i] > v[i - 1])))
        return td_plot_fail("%s: %s must rise from cell to cell", kind, key[d]);
  }
  return 0;
}

static int check_pairs(td_plot_kind kind, td_plot_artist_options *o) {
  const char *name = td_plot_kind_name(kind);
  if ((kind == TD_PLOT_SCATTER || kind == TD_PLOT_LINE) && count_x(o)) return -1;
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
  if (o->cols.blob && isnan(o->columns)) s.columns = o->cols.dim[0];
  else if (o->rows.blob && isnan(o->columns))
    s.columns = (s.n + o->rows.dim[0] - 1) / o->rows.dim[0];
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
  if (td_plot_norm_make(norm, o, s.v, d->n)) return -1;
  /* the usual ranges of pixels, so that pictures of one set look alike */
  double lo = norm->lo, hi = norm->hi;
  bool unit = lo >= -0.5 && hi <= 1.5, bytes = !unit && lo >= 0 && hi <= 255;
  if (isnan(o->vmin) && (unit || bytes)) norm->lo = 0;
  if (isnan(o->vmax) && (unit || bytes)) norm->hi = unit ? 1 : 255;
  if (!(norm->lo < norm->hi)) norm->lo = lo, norm->hi = hi;
  return 0;
}

/* ---- all ----------------------------------------------------------------- */
static int check_levels(const td_plot_data *levels) {
  for (size_t i = 0; i < levels->n; i++)
    if (!isfinite(td_plot_numbers(levels)[i]))
      return td_plot_fail("contour: levels must be finite");
  return 0;
}

static int make_norm(td_plot_artist *a, const td_plot_data *d) {
  if (td_plot_norm_make(&a->norm, &a->o, td_plot_numbers(d), d->n) == 0) return 0;
  char why[400];
  strncpy(why, td_plot_error(), sizeof why - 1);
  why[sizeof why - 1] = 0;
  return td_plot_fail("%s: %s", td_plot_kind_name(a->kind), why);
}

int td_plot_artist_check(td_plot_artist *a) {
  td_plot_artist_options *o = &a->o;
  a->norm = (td_plot_norm){.center = NAN};
  switch (a->kind) {
    case TD_PLOT_HLINE: case TD_PLOT_VLINE: return 0;
    case TD_PLOT_HEATMAP: case TD_PLOT_CONTOUR:
      if (check_grid(td_plot_kind_name(a->kind), o)) return -1;
      if (a->kind == TD_PLOT_CONTOUR && check_levels(&o->levels)) return -1;
      return make_norm(a, &o->z);
    case TD_PLOT_IMAGES: return check_images(a);
    default: break;
  }
  if (check_pairs(a->kind, o)) return -1;
  if (a->kind == TD_PLOT_SCATTER && check_classes(a)) return -1;
  if (a->kind == TD_PLOT_LINE || a->kind == TD_PLOT_TEXT) return 0;
  return o->c.blob && o->c.ndim == 2 ? 0 : make_norm(a, &o->c);
}
