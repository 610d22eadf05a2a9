/* plot.c -- figures, axes and artists: made, checked, changed, dropped. */
#include "vm/plot.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_overlay.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void td_plot_lock(void) { pthread_mutex_lock(&lock); }
void td_plot_unlock(void) { pthread_mutex_unlock(&lock); }

/* The end of a change of f, which may be NULL. */
static void changed(td_plot_figure *f) {
  if (f) atomic_fetch_add(&f->changes, 1);
  td_plot_unlock();
  void (*tell)(void) = f ? atomic_load(&f->on_change) : NULL;
  if (tell) tell();
}

/* Room for one more in an array of pointers. */
static int reserve(void *array, int n) {
  void **p = realloc(*(void ***)array, ((size_t)n + 1) * sizeof *p);
  if (!p) return td_plot_fail("out of memory");
  *(void ***)array = p;
  return 0;
}

/* ---- figures ------------------------------------------------------------- */
td_plot_figure *td_plot_figure_new(int rows, int cols) {
  if (rows < 1 || cols < 1 || rows > 64 || cols > 64) {
    td_plot_fail("figure: rows and cols are 1 to 64, got %d and %d", rows, cols);
    return NULL;
  }
  td_plot_figure *f = calloc(1, sizeof *f);
  if (!f) {
    td_plot_fail("out of memory");
    return NULL;
  }
  atomic_init(&f->refs, 1);
  f->rows = rows, f->cols = cols;
  td_plot_options_copy(TD_PLOT_OWNER_FIGURE, &f->o,
                       td_plot_options_default(TD_PLOT_OWNER_FIGURE));
  return f;
}

td_plot_figure *td_plot_figure_keep(td_plot_figure *f) {
  if (f) atomic_fetch_add(&f->refs, 1);
  return f;
}

/* What td_plot_artist_check worked out. */
static void made_drop(td_plot_artist *a) {
  td_plot_data_drop(&a->norm.rank);
  for (int k = 0; k < 2; k++) td_plot_data_drop(&a->made[k]);
}

static void artist_free(td_plot_artist *a) {
  td_plot_options_drop(1u << a->kind, &a->o);
  made_drop(a);
  free(a->id);
  free(a);
}

static void axes_free(td_plot_axes *ax) {
  for (int i = 0; i < ax->nartists; i++) artist_free(ax->artists[i]);
  for (int i = 0; i < ax->nbars; i++)
    td_plot_options_drop(TD_PLOT_OWNER_BAR, &ax->bars[i].o);
  td_plot_options_drop(TD_PLOT_OWNER_AXES, &ax->o);
  free(ax->artists);
  free(ax);
}

void td_plot_figure_drop(td_plot_figure *f) {
  if (!f || atomic_fetch_sub(&f->refs, 1) != 1) return;
  for (int i = 0; i < f->naxes; i++) axes_free(f->axes[i]);
  td_plot_options_drop(TD_PLOT_OWNER_FIGURE, &f->o);
  if (f->overlay && f->overlay->drop) f->overlay->drop(f->overlay_self);
  free(f->axes);
  free(f);
}

bool td_plot_overlay_set(td_plot_figure *f, const td_plot_overlay_class *k, void *self) {
  td_plot_lock();
  bool free_place = !f->overlay;
  if (free_place) f->overlay_self = self, f->overlay = k;
  changed(f);
  return free_place;
}

void td_plot_overlay_changed(td_plot_figure *f) {
  atomic_fetch_add(&f->overlay_changes, 1);
  void (*tell)(void) = atomic_load(&f->on_change);
  if (tell) tell();
}

static int check_shares(const char *what, const td_plot_data *d, int count) {
  if (!d->blob) return 0;
  if (d->n != (size_t)count)
    return td_plot_fail("figure: %s has %zu numbers for %d %s", what, d->n,
                        count, strcmp(what, "widths") ? "rows" : "columns");
  for (size_t i = 0; i < d->n; i++)
    if (!(td_plot_numbers(d)[i] > 0 && isfinite(td_plot_numbers(d)[i])))
      return td_plot_fail("figure: %s must be above 0", what);
  return 0;
}

int td_plot_figure_commit(td_plot_figure *f, td_plot_figure_options *o) {
  if (check_shares("widths", &o->widths, f->cols) ||
      check_shares("heights", &o->heights, f->rows))
    return -1;
  for (int k = 0; k < 2; k++)
    if (!(o->size.v[k] >= 16 && o->size.v[k] <= 20000))
      return td_plot_fail("figure: size is {width, height} in points, each 16 "
                          "to 20000, got %g", o->size.v[k]);
  td_plot_lock();
  td_plot_options_drop(TD_PLOT_OWNER_FIGURE, &f->o);
  f->o = *o;
  memset(o, 0, sizeof *o);
  changed(f);
  return 0;
}

/* ---- axes ---------------------------------------------------------------- */
static td_plot_axes *axes_covering(const td_plot_figure *f, int row, int col) {
  for (int i = 0; i < f->naxes; i++) {
    td_plot_axes *ax = f->axes[i];
    if (row >= ax->row && row < ax->row + ax->rowspan && col >= ax->col &&
        col < ax->col + ax->colspan)
      return ax;
  }
  return NULL;
}

int td_plot_free_cell(const td_plot_figure *f, int *row, int *col) {
  for (*row = 0; *row < f->rows; ++*row)
    for (*col = 0; *col < f->cols; ++*col)
      if (!axes_covering(f, *row, *col)) return 0;
  return td_plot_fail("axes: all %d cells of the figure are taken; give rows= "
                      "and cols= to plot.figure, or row= and col= here",
                      f->rows * f->cols);
}

static int check_cells(const td_plot_figure *f, int row, int col, int rowspan,
                       int colspan) {
  if (row < 0 || rowspan < 1 || row + rowspan > f->rows)
    return td_plot_fail("axes: row %d with rowspan %d is outside a figure of "
                        "%d row%s", row + 1, rowspan, f->rows,
                        f->rows == 1 ? "" : "s");
  if (col < 0 || colspan < 1 || col + colspan > f->cols)
    return td_plot_fail("axes: col %d with colspan %d is outside a figure of "
                        "%d column%s", col + 1, colspan, f->cols,
                        f->cols == 1 ? "" : "s");
  for (int r = row; r < row + rowspan; r++)
    for (int c = col; c < col + colspan; c++) {
      const td_plot_axes *other = axes_covering(f, r, c);
      if (other && (other->row != row || other->col != col ||
                    other->rowspan != rowspan || other->colspan != colspan))
        return td_plot_fail("axes: row %d, col %d belongs to other axes already",
                            r + 1, c + 1);
    }
  return 0;
}

td_plot_axes *td_plot_axes_at(td_plot_figure *f, int row, int col, int rowspan,
                              int colspan) {
  if (check_cells(f, row, col, rowspan, colspan)) return NULL;
  td_plot_axes *ax = axes_covering(f, row, col);
  if (ax) return ax;
  ax = calloc(1, sizeof *ax);
  if (!ax) {
    td_plot_fail("out of memory");
    return NULL;
  }
  ax->figure = f;
  ax->row = row, ax->col = col, ax->rowspan = rowspan, ax->colspan = colspan;
  td_plot_options_copy(TD_PLOT_OWNER_AXES, &ax->o,
                       td_plot_options_default(TD_PLOT_OWNER_AXES));
  td_plot_lock();
  int rc = reserve(&f->axes, f->naxes);
  if (rc == 0) f->axes[f->naxes++] = ax;
  changed(f);
  if (rc == 0) return ax;
  axes_free(ax);
  return NULL;
}

/* name: of the axis, before the words */
static int check_ticks(const char *owner, const char *name, const td_plot_data *ticks,
                       const td_plot_data *labels) {
  for (size_t i = 0; ticks->blob && i < ticks->n; i++)
    if (!isfinite(td_plot_numbers(ticks)[i]))
      return td_plot_fail("%s: %sticks must be finite", owner, name);
  if (labels->blob && (!ticks->blob || labels->dim[0] != ticks->n))
    return td_plot_fail("%s: %sticklabels has %zu texts for %zu %sticks", owner, name,
                        labels->dim[0], ticks->n, name);
  return 0;
}

static int check_axis(const td_plot_axes_options *o, int d) {
  static const char *const name[] = {"x", "y", "y2"};
  double lo = o->lim[d].lo, hi = o->lim[d].hi;
  if (isinf(lo) || isinf(hi) || fabs(lo) > 1e300 || fabs(hi) > 1e300)
    return td_plot_fail("axes: %slim must be finite", name[d]);
  if (lo == hi)
    return td_plot_fail("axes: %slim = {%g, %g} is empty", name[d], lo, hi);
  if (o->scale[d] == TD_PLOT_SCALE_LOG && (lo <= 0 || hi <= 0))
    return td_plot_fail("axes: a log scale needs %slim above 0, got {%g, %g}",
                        name[d], lo, hi);
  return check_ticks("axes", name[d], &o->ticks[d], &o->ticklabels[d]);
}

int td_plot_axes_commit(td_plot_axes *ax, td_plot_axes_options *o) {
  for (int d = 0; d < 3; d++)
    if (check_axis(o, d)) return -1;
  td_plot_lock();
  td_plot_options_drop(TD_PLOT_OWNER_AXES, &ax->o);
  ax->o = *o;
  memset(o, 0, sizeof *o);
  changed(ax->figure);
  return 0;
}

int td_plot_bar_add(td_plot_axes *ax, const td_plot_artist *a,
                    td_plot_bar_options *o) {
  if (!(td_plot_kinds[a->kind].flags & TD_PLOT_MAP))
    return td_plot_fail("colorbar: a %s has no colour map",
                        td_plot_kind_name(a->kind));
  if (check_ticks("colorbar", "", &o->ticks, &o->ticklabels)) return -1;
  int i = 0;
  while (i < ax->nbars && ax->bars[i].artist != a->serial) i++;
  if (i == TD_PLOT_COLORBARS)
    return td_plot_fail("colorbar: axes have at most %d colour bars",
                        TD_PLOT_COLORBARS);
  td_plot_lock();
  if (i < ax->nbars) td_plot_options_drop(TD_PLOT_OWNER_BAR, &ax->bars[i].o);
  else ax->nbars++;
  ax->bars[i].artist = a->serial;
  ax->bars[i].o = *o;
  memset(o, 0, sizeof *o);
  changed(ax->figure);
  return 0;
}

/* ---- artists ------------------------------------------------------------- */
int td_plot_artist_try(td_plot_kind kind, td_plot_artist_options *o) {
  td_plot_artist a = {.kind = kind, .o = *o};
  int rc = td_plot_artist_check(&a);
  *o = a.o;
  made_drop(&a);
  return rc;
}

int td_plot_artist_commit(td_plot_artist *a, td_plot_artist_options *o) {
  td_plot_artist next = {.kind = a->kind, .o = *o};
  if (td_plot_artist_check(&next)) {
    *o = next.o; /* what the check filled in is dropped with the rest */
    made_drop(&next);
    return -1;
  }
  td_plot_lock();
  td_plot_options_drop(1u << a->kind, &a->o);
  made_drop(a);
  a->o = next.o;
  a->norm = next.norm;
  memcpy(a->made, next.made, sizeof a->made);
  memset(o, 0, sizeof *o);
  changed(a->axes ? a->axes->figure : NULL);
  return 0;
}

td_plot_artist *td_plot_artist_find(const td_plot_axes *ax, int serial) {
  for (int i = 0; i < ax->nartists; i++)
    if (ax->artists[i]->serial == serial) return ax->artists[i];
  return NULL;
}

td_plot_artist *td_plot_artist_by_id(const td_plot_axes *ax, td_plot_kind kind,
                                     const char *id) {
  for (int i = 0; i < ax->nartists; i++) {
    td_plot_artist *a = ax->artists[i];
    if (a->kind == kind && a->id && strcmp(a->id, id) == 0) return a;
  }
  return NULL;
}

td_plot_artist *td_plot_artist_add(td_plot_axes *ax, td_plot_kind kind,
                                   const char *id, td_plot_artist_options *o) {
  td_plot_artist *a = id ? td_plot_artist_by_id(ax, kind, id) : NULL;
  if (a) return td_plot_artist_commit(a, o) ? NULL : a;
  a = calloc(1, sizeof *a);
  if (a) {
    a->kind = kind;
    a->id = id ? strdup(id) : NULL;
  }
  if (!a || (id && !a->id)) {
    free(a);
    td_plot_fail("out of memory");
    return NULL;
  }
  bool colored = o->color.kind != TD_PLOT_COLOR_AUTO || o->c.blob;
  td_plot_lock();
  int rc = reserve(&ax->artists, ax->nartists);
  td_plot_unlock();
  if (rc || td_plot_artist_commit(a, o)) {
    artist_free(a);
    return NULL;
  }
  td_plot_lock();
  a->axes = ax;
  a->serial = ++ax->serial;
  a->cycle = ax->cycle % TD_PLOT_CYCLE;
  if (td_plot_kinds[kind].flags & TD_PLOT_TAKES && !colored) ax->cycle++;
  ax->artists[ax->nartists++] = a;
  changed(ax->figure);
  return a;
}

static void remove_bar(td_plot_axes *ax, int serial) {
  for (int i = 0; i < ax->nbars; i++)
    if (ax->bars[i].artist == serial) {
      td_plot_options_drop(TD_PLOT_OWNER_BAR, &ax->bars[i].o);
      memmove(&ax->bars[i], &ax->bars[i + 1],
              (size_t)(--ax->nbars - i) * sizeof *ax->bars);
      return;
    }
}

void td_plot_artist_remove(td_plot_axes *ax, int serial) {
  td_plot_lock();
  remove_bar(ax, serial);
  for (int i = 0; i < ax->nartists; i++)
    if (ax->artists[i]->serial == serial) {
      artist_free(ax->artists[i]);
      memmove(&ax->artists[i], &ax->artists[i + 1],
              (size_t)(--ax->nartists - i) * sizeof *ax->artists);
      break;
    }
  changed(ax->figure);
}

/* Appends in place where there is room: readers of the block look only at
** what was there before. */
static int append(td_plot_data *d, double v) {
  if (!d->blob || (d->n + 1) * sizeof v > d->blob->capacity) {
    td_plot_blob *b = td_plot_blob_new((d->n * 2 + 64) * sizeof v);
    if (!b) return -1;
    if (d->n) memcpy(b->memory, d->blob->memory, d->n * sizeof v);
    td_plot_blob_drop(d->blob);
    d->blob = b;
    d->ndim = 1;
  }
  d->blob->memory[d->n++] = v;
  d->dim[0] = d->n;
  d->ndim = 1;
  return 0;
}

int td_plot_artist_grows(const td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  if (a->kind != TD_PLOT_LINE && a->kind != TD_PLOT_SCATTER)
    return td_plot_fail("push: a %s cannot grow; a line and a scatter can",
                        td_plot_kind_name(a->kind));
  if (o->c.blob || o->size.n > 1)
    return td_plot_fail("push: this scatter has a c or a size for each point; "
                        "use set");
  return 0;
}

int td_plot_artist_push(td_plot_artist *a, double x, double y) {
  td_plot_artist_options *o = &a->o;
  if (td_plot_artist_grows(a)) return -1;
  bool counted = o->counted == o->x.blob;
  td_plot_data old = o->x;
  int rc = -1;
  td_plot_lock();
  if (append(&o->x, x) == 0) {
    rc = append(&o->y, y);
    if (rc) o->x.n--, o->x.dim[0]--;
    else if (counted && old.blob) o->counted = o->x.blob;
  }
  changed(a->axes ? a->axes->figure : NULL);
  return rc;
}
