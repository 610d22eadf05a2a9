/* plot_layout.c -- where the boxes of axes stand, and which ticks they get.
**
** Each axes needs room around its box for labels and colour bars. Columns share
** the widest margins, so that boxes line up; what is left is divided by the
** columns' weights. Axes of equal aspect take no more than their shape needs
** and leave the rest to columns that can use it. Ticks depend on the size of
** the box and the box on the ticks: two rounds settle both. */
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

enum { LEFT, RIGHT, TOP, BOTTOM };

td_plot_style td_plot_label_style(const td_plot_painter *p) {
  return (td_plot_style){p->theme->fontsize * p->theme->labelsize, false};
}
td_plot_style td_plot_title_style(const td_plot_painter *p) {
  return (td_plot_style){p->theme->fontsize * p->theme->titlesize, false};
}
double td_plot_tick_pad(const td_plot_painter *p) {
  return 0.32 * p->theme->fontsize;
}
double td_plot_label_pad(const td_plot_painter *p) {
  return 0.3 * p->theme->fontsize;
}

static td_plot_style tick_style(const td_plot_painter *p) {
  return (td_plot_style){p->theme->fontsize, false};
}

/* ---- ticks --------------------------------------------------------------- */
/* Widest or highest label of an axis. */
static double measure(td_plot_painter *p, const td_plot_ticks *t, bool wide) {
  double most = 0;
  for (int i = 0; i < t->n; i++) {
    double w, h;
    td_plot_text_size(p, t->label[i], tick_style(p), &w, &h);
    most = fmax(most, wide ? w : h);
  }
  return most;
}

/* True when two labels along x touch. */
static bool crowded(td_plot_painter *p, const td_plot_axis *a, double length) {
  double end = -1e9, gap = p->theme->fontsize;
  bool flip = a->scale.hi < a->scale.lo;
  for (int k = 0; k < a->ticks.n; k++) {
    int i = flip ? a->ticks.n - 1 - k : k;
    double w, h, x = length * td_plot_scale_to_unit(&a->scale, a->ticks.at[i]);
    td_plot_text_size(p, a->ticks.label[i], tick_style(p), &w, &h);
    if (x - w / 2 < end + gap && end > -1e9) return true;
    end = x + w / 2;
  }
  return false;
}

/* Titles of parts that stand at 1, 2, 3 ... */
static void name_ticks(const td_plot_data *names, td_plot_ticks *t) {
  *t = (td_plot_ticks){.step = 1};
  size_t n = names->blob ? names->dim[0] : 0;
  for (size_t k = 0; k < n && t->n < TD_PLOT_TICKS; k++) {
    t->at[t->n] = (double)k + 1;
    snprintf(t->label[t->n++], sizeof *t->label, "%s", td_plot_text(names, k));
  }
}

/* A line for each word. */
static void break_names(td_plot_ticks *t) {
  for (int i = 0; i < t->n; i++)
    for (char *s = t->label[i]; *s; s++)
      if (*s == ' ') *s = '\n';
}

/* Does a neighbour below (x) or to the left (y) carry the labels of this axis? */
static bool labelled_beside(const td_plot_axes *ax, td_plot_dim dim) {
  const td_plot_figure *f = ax->figure;
  if (dim == TD_PLOT_Y2 || !f->o.share[dim]) return false;
  for (int i = 0; i < f->naxes; i++) {
    const td_plot_axes *b = f->axes[i];
    bool beside = dim == TD_PLOT_X ? b->row > ax->row && b->col == ax->col
                                   : b->col < ax->col && b->row == ax->row;
    if (beside && td_plot_axes_linked(ax, b, dim)) return true;
  }
  return false;
}

/* The step of the last picture, for limits that follow the data: while these drift,
** labels stay. */
static double kept_step(const td_plot_axes *ax, int dim, const td_plot_scale *s) {
  const td_plot_layout *like = ax->figure->like;
  int i = 0;
  while (ax->figure->axes[i] != ax) i++;
  if (!like || i >= like->n || s->log || !isnan(ax->o.lim[dim].lo) ||
      !isnan(ax->o.lim[dim].hi))
    return 0;
  const td_plot_axis *was = &like->axes[i].axis[dim];
  double ratio = (s->hi - s->lo) / (was->scale.hi - was->scale.lo);
  return was->scale.log || !(ratio > 0.8 && ratio < 1.25) ? 0 : was->ticks.step;
}

static void choose_ticks(td_plot_painter *p, const td_plot_axes *ax, int dim,
                         double length, td_plot_axis *a) {
  a->scale = td_plot_axes_scale(ax, (td_plot_dim)dim);
  const td_plot_data *given = &ax->o.ticks[dim];
  const td_plot_artist *bars = td_plot_axes_bars(ax, (td_plot_dim)dim);
  double want = length / (p->theme->fontsize * (dim == TD_PLOT_X ? 4.8 : 4.2));
  if (given->blob) {
    td_plot_ticks_fixed(&a->scale, given, &ax->o.ticklabels[dim], &a->ticks);
  } else if (td_plot_axes_images(ax)) {
    static const td_plot_data none;
    const td_plot_artist *im = td_plot_axes_images(ax);
    name_ticks(dim == TD_PLOT_Y ? &im->o.rows : &none, &a->ticks);
  } else if (bars && bars->o.names.blob) {
    name_ticks(&bars->o.names, &a->ticks);
    if (dim == TD_PLOT_X && crowded(p, a, length)) break_names(&a->ticks);
  } else {
    td_plot_ticks_choose(&a->scale, fmax(want, 2.6), kept_step(ax, dim, &a->scale),
                         &a->ticks);
    for (int k = 0; k < 5 && dim == TD_PLOT_X && crowded(p, a, length); k++) {
      want = fmin(want, a->ticks.n) * 0.75;
      td_plot_ticks_choose(&a->scale, want, 0, &a->ticks);
    }
  }
  if (labelled_beside(ax, (td_plot_dim)dim)) {
    for (int i = 0; i < a->ticks.n; i++) a->ticks.label[i][0] = 0;
    a->ticks.factor[0] = 0;
  }
  a->labels = measure(p, &a->ticks, dim != TD_PLOT_X);
}

/* The classes that a colour bar shows: those in the data, all when the data go
** round the map more than once. Half a class stands out at both ends. */
td_plot_scale td_plot_class_range(const td_plot_artist *a) {
  int n = td_plot_cmap_get(a->o.cmap)->n;
  double lo = floor(a->norm.lo + 0.5), hi = floor(a->norm.hi + 0.5);
  if (!(lo >= 0 && hi < n && lo <= hi)) lo = 0, hi = n - 1;
  return (td_plot_scale){lo - 0.5, hi + 0.5, false};
}

static void bar_ticks(td_plot_painter *p, const td_plot_artist *a,
                      const td_plot_bar *bar, double length, td_plot_axis *out) {
  double want = length / (p->theme->fontsize * 4.2);
  const td_plot_cmap *m = td_plot_cmap_get(a->o.cmap);
  out->scale = (td_plot_scale){a->norm.lo, a->norm.hi, false};
  if (m->classes) {
    out->scale = td_plot_class_range(a);
    td_plot_ticks_choose(&out->scale, out->scale.hi - out->scale.lo, 0,
                         &out->ticks);
  } else if (bar->o.ticks.blob) {
    td_plot_ticks_fixed(&out->scale, &bar->o.ticks, &bar->o.ticklabels,
                        &out->ticks);
  } else {
    td_plot_ticks_norm(&a->norm, fmax(want, 2.6), &out->ticks);
  }
  out->labels = measure(p, &out->ticks, true);
}

/* ---- margins of one axes ------------------------------------------------- */
static double label_height(td_plot_painter *p, const char *text) {
  double w, h;
  td_plot_text_size(p, text, td_plot_label_style(p), &w, &h);
  return h;
}

double td_plot_axis_depth(td_plot_painter *p, const td_plot_axis *a,
                          const char *label) {
  double depth = p->theme->ticklength + td_plot_tick_pad(p) + a->labels;
  if (label && p->text) depth += td_plot_label_pad(p) + label_height(p, label);
  return depth;
}

static const char *bar_label(const td_plot_bar *bar, const td_plot_artist *a) {
  const char *own = td_plot_text(&bar->o.label, 0);
  return own ? own : td_plot_text(&a->o.label, 0);
}

static double bars_width(td_plot_painter *p, td_plot_axes_layout *l,
                         double height) {
  const td_plot_axes *ax = l->axes;
  double total = 0;
  l->nbars = 0;
  for (int i = 0; i < ax->nbars; i++) {
    const td_plot_artist *a = td_plot_artist_find(ax, ax->bars[i].artist);
    if (!a) continue;
    td_plot_axis *axis = &l->bar_axis[l->nbars++];
    bar_ticks(p, a, &ax->bars[i], height, axis);
    total += 0.8 * p->theme->fontsize + ax->bars[i].o.width +
             td_plot_axis_depth(p, axis, bar_label(&ax->bars[i], a));
  }
  return total;
}

/* How far the outermost x labels stand out of the box. */
static void overhang(td_plot_painter *p, const td_plot_axis *x, double w,
                     double *left, double *right) {
  for (int i = 0; i < x->ticks.n; i++) {
    double tw, th, at = w * td_plot_scale_to_unit(&x->scale, x->ticks.at[i]);
    td_plot_text_size(p, x->ticks.label[i], tick_style(p), &tw, &th);
    *left = fmax(*left, tw / 2 - at);
    *right = fmax(*right, at + tw / 2 - w);
  }
}

static void measure_axes(td_plot_painter *p, td_plot_axes_layout *l, double w,
                         double h) {
  const td_plot_axes *ax = l->axes;
  const char *title = td_plot_text(&ax->o.title, 0);
  const char *xlabel = td_plot_text(&ax->o.label[0], 0);
  double tw, th, line = 1.25 * p->theme->fontsize;
  for (int d = 0; d < (l->y2 ? 3 : 2); d++)
    choose_ticks(p, ax, d, d == TD_PLOT_X ? w : h, &l->axis[d]);
  double *m = l->margin;
  m[LEFT] = td_plot_axis_depth(p, &l->axis[1], td_plot_text(&ax->o.label[1], 0));
  m[RIGHT] = l->y2 ? td_plot_axis_depth(p, &l->axis[2],
                                        td_plot_text(&ax->o.label[2], 0)) : 0;
  double beside = bars_width(p, l, h);
  if (ax->o.legend == TD_PLOT_LEGEND_OUTSIDE) {
    td_plot_legend_size(p, ax, &tw, &th);
    beside += tw > 0 ? tw + p->theme->fontsize : 0;
  }
  m[RIGHT] += beside;
  overhang(p, &l->axis[0], w, &m[LEFT], &m[RIGHT]);
  /* wide things beside a wide box would tear the columns below it apart */
  l->inset = ax->colspan > 1 ? beside : 0;
  m[BOTTOM] = p->theme->ticklength + td_plot_tick_pad(p) + l->axis[0].labels;
  if (xlabel || l->axis[0].ticks.factor[0])
    m[BOTTOM] += p->text ? 0.3 * td_plot_label_pad(p) +
                               label_height(p, xlabel ? xlabel : "x") : 0;
  m[TOP] = 0.5 * p->theme->fontsize;
  bool factor = l->axis[1].ticks.factor[0] || (l->y2 && l->axis[2].ticks.factor[0]);
  for (int i = 0; i < l->nbars; i++) factor |= l->bar_axis[i].ticks.factor[0] != 0;
  if (factor && p->text) m[TOP] += line;
  if (!title && ax->figure->o.letters) title = "(a)";
  td_plot_text_size(p, title, td_plot_title_style(p), &tw, &th);
  if (th > 0) m[TOP] += th + 0.1 * p->theme->fontsize;
  if (l->images && l->images->o.cols.blob && p->text)
    m[TOP] += 1.4 * p->theme->fontsize;
}

/* ---- the grid of cells --------------------------------------------------- */
typedef struct tracks { /* columns or rows */
  int n;
  double before[64], inner[64], after[64], start[64]; /* start of inner */
} tracks;

/* Axes whose box has a shape of its own. */
static bool shaped(const td_plot_axes_layout *l) {
  return l->axes->o.equal || l->images;
}

/* Width per height. */
static double aspect(const td_plot_painter *p, const td_plot_axes_layout *l) {
  if (l->images) {
    td_plot_stack s = td_plot_artist_stack(&l->images->o);
    double bw = l->box.x1 - l->box.x0, bh = l->box.y1 - l->box.y0;
    td_plot_sheet sheet = td_plot_images_fit(p, l->images, bw > 8 ? bw : 300,
                                             bh > 8 ? bh : 300);
    return sheet.dx * (double)s.columns / (sheet.dy * (double)s.rows);
  }
  double w = fabs(l->axis[0].scale.hi - l->axis[0].scale.lo);
  double h = fabs(l->axis[1].scale.hi - l->axis[1].scale.lo);
  if (l->axis[0].scale.log)
    w = fabs(log10(l->axis[0].scale.hi) - log10(l->axis[0].scale.lo));
  if (l->axis[1].scale.log)
    h = fabs(log10(l->axis[1].scale.hi) - log10(l->axis[1].scale.lo));
  double r = w / h;
  return isfinite(r) && r > 1e-3 && r < 1e3 ? r : 1;
}

static void gather_margins(const td_plot_layout *l, const td_plot_figure *f,
                           tracks *cols, tracks *rows) {
  cols->n = f->cols, rows->n = f->rows;
  for (int i = 0; i < 64; i++)
    cols->before[i] = cols->after[i] = rows->before[i] = rows->after[i] = 0;
  for (int i = 0; i < l->n; i++) {
    const td_plot_axes_layout *a = &l->axes[i];
    int c0 = a->axes->col, c1 = c0 + a->axes->colspan - 1;
    int r0 = a->axes->row, r1 = r0 + a->axes->rowspan - 1;
    cols->before[c0] = fmax(cols->before[c0], a->margin[LEFT]);
    cols->after[c1] = fmax(cols->after[c1], a->margin[RIGHT] - a->inset);
    rows->before[r0] = fmax(rows->before[r0], a->margin[TOP]);
    rows->after[r1] = fmax(rows->after[r1], a->margin[BOTTOM]);
  }
}

/* Divides `space` by weights; no track above its cap. Returns what is left. */
static double divide(tracks *t, double space, const double *weight,
                     const double *cap) {
  bool full[64] = {false};
  double left = space;
  for (int round = 0; round <= t->n; round++) {
    double total = 0, share = left;
    bool again = false;
    for (int i = 0; i < t->n; i++)
      if (!full[i]) total += weight ? weight[i] : 1;
    if (!(total > 0)) return fmax(left, 0);
    for (int i = 0; i < t->n; i++) {
      if (full[i]) continue;
      t->inner[i] = share * (weight ? weight[i] : 1) / total;
      if (t->inner[i] <= cap[i]) continue;
      t->inner[i] = cap[i];
      full[i] = again = true;
      left -= cap[i];
    }
    if (!again) return 0;
  }
  return fmax(left, 0);
}

/* The most that a column of equal axes alone can use; and the height of rows
** that have equal axes: the others in such a row line up with them. */
static void find_caps(const td_plot_painter *p, const td_plot_layout *l,
                      bool columns, const tracks *other, double *cap) {
  for (int i = 0; i < 64; i++) cap[i] = 0;
  for (int i = 0; i < l->n; i++) {
    const td_plot_axes_layout *a = &l->axes[i];
    int at = columns ? a->axes->col : a->axes->row;
    int span = columns ? a->axes->colspan : a->axes->rowspan;
    int o0 = columns ? a->axes->row : a->axes->col;
    int o1 = o0 + (columns ? a->axes->rowspan : a->axes->colspan) - 1;
    double across = other->start[o1] + other->inner[o1] - other->start[o0];
    double need = columns ? across * aspect(p, a) : across / aspect(p, a);
    for (int k = at; k < at + span; k++)
      if (shaped(a) && span == 1) cap[k] = fmax(cap[k], need);
      else if (columns || span > 1) cap[k] = INFINITY;
  }
  for (int i = 0; i < 64; i++)
    if (cap[i] == 0) cap[i] = INFINITY;
}

static void place(tracks *t, double from, double gap, double extra) {
  double at = from + extra / 2 / t->n;
  for (int i = 0; i < t->n; i++) {
    t->start[i] = at + t->before[i];
    at = t->start[i] + t->inner[i] + t->after[i] + gap + extra / t->n;
  }
}

static double free_space(const tracks *t, double length, double gap) {
  double used = gap * (t->n - 1);
  for (int i = 0; i < t->n; i++) used += t->before[i] + t->after[i];
  return fmax(length - used, 8.0 * t->n);
}

static void solve(const td_plot_painter *p, const td_plot_figure *f,
                  const td_plot_layout *l, tracks *cols, tracks *rows) {
  const td_plot_theme *theme = p->theme;
  double edge = 0.7 * theme->gap, gap = theme->gap, cap[64], none[64];
  double top = edge + l->title;
  double w = l->page.x1 - 2 * edge, h = l->page.y1 - edge - top;
  const double *widths = td_plot_numbers(&f->o.widths);
  const double *heights = td_plot_numbers(&f->o.heights);
  for (int i = 0; i < 64; i++) none[i] = INFINITY;
  gather_margins(l, f, cols, rows);
  double fw = free_space(cols, w, gap), fh = free_space(rows, h, gap);
  divide(rows, fh, heights, none);
  place(rows, top, gap, 0);
  find_caps(p, l, true, rows, cap);
  double extra = divide(cols, fw, widths, widths ? none : cap);
  place(cols, edge, gap, extra);
  find_caps(p, l, false, cols, cap);
  extra = divide(rows, fh, heights, heights ? none : cap);
  place(rows, top, gap, extra);
}

/* ---- boxes --------------------------------------------------------------- */
static void set_box(td_plot_painter *p, td_plot_axes_layout *a,
                    const tracks *cols, const tracks *rows) {
  int c0 = a->axes->col, c1 = c0 + a->axes->colspan - 1;
  int r0 = a->axes->row, r1 = r0 + a->axes->rowspan - 1;
  double x0 = cols->start[c0], x1 = cols->start[c1] + cols->inner[c1];
  double y0 = rows->start[r0], y1 = rows->start[r1] + rows->inner[r1];
  x1 = fmax(x1 - a->inset, x0 + 8);
  if (a->images) {
    td_plot_stack s = td_plot_artist_stack(&a->images->o);
    td_plot_sheet sheet = td_plot_images_fit(p, a->images, x1 - x0, y1 - y0);
    double w = sheet.dx * (double)s.columns, h = sheet.dy * (double)s.rows;
    x0 = td_plot_snap_x(p, (x0 + x1 - w) / 2), x1 = x0 + w;
    y0 = td_plot_snap_y(p, (y0 + y1 - h) / 2), y1 = y0 + h;
  } else if (a->axes->o.equal) {
    double w = x1 - x0, h = y1 - y0, r = aspect(p, a);
    if (w > h * r) x0 += (w - h * r) / 2, x1 = x0 + h * r;
    else y0 += (h - w / r) / 2, y1 = y0 + w / r;
  }
  a->box = (td_plot_rect){td_plot_snap_x(p, x0), td_plot_snap_y(p, y0),
                          td_plot_snap_x(p, x1), td_plot_snap_y(p, y1)};
}

static void set_bars(td_plot_painter *p, td_plot_axes_layout *a) {
  const td_plot_axes *ax = a->axes;
  double x = a->box.x1;
  if (a->y2)
    x += td_plot_axis_depth(p, &a->axis[2], td_plot_text(&ax->o.label[2], 0));
  int k = 0;
  for (int i = 0; i < ax->nbars && k < a->nbars; i++) {
    const td_plot_artist *artist = td_plot_artist_find(ax, ax->bars[i].artist);
    if (!artist) continue;
    x += 0.8 * p->theme->fontsize;
    a->bar[k] = (td_plot_rect){
      td_plot_snap_x(p, x), a->box.y0,
      td_plot_snap_x(p, x + ax->bars[i].o.width), a->box.y1
    };
    x += ax->bars[i].o.width + td_plot_axis_depth(p, &a->bar_axis[k],
                                                  bar_label(&ax->bars[i], artist));
    k++;
  }
}

static bool has_image(const td_plot_axes *ax) {
  for (int i = 0; i < ax->nartists; i++)
    if (td_plot_kinds[ax->artists[i]->kind].flags & TD_PLOT_GRID &&
        ax->artists[i]->o.visible)
      return true;
  return false;
}

static bool has_heading(const td_plot_axes_layout *a) {
  return a->axes->o.title.blob || a->axes->figure->o.letters;
}

/* Titles of one row stand on one line: the upper margin becomes the largest. */
static void align_titles(td_plot_layout *l) {
  for (int i = 0; i < l->n; i++)
    for (int j = 0; j < l->n; j++) {
      td_plot_axes_layout *a = &l->axes[i];
      const td_plot_axes_layout *b = &l->axes[j];
      if (b->axes->row == a->axes->row && fabs(b->box.y0 - a->box.y0) < 1 &&
          has_heading(a) && has_heading(b))
        a->margin[TOP] = fmax(a->margin[TOP], b->margin[TOP]);
    }
}

int td_plot_layout_make(td_plot_painter *p, const td_plot_figure *f,
                        td_plot_layout *l) {
  *l = (td_plot_layout){
    .page = {0, 0, f->o.size.v[0], f->o.size.v[1]}, .n = f->naxes
  };
  l->axes = calloc((size_t)f->naxes + 1, sizeof *l->axes);
  if (!l->axes) return td_plot_fail("out of memory");
  double tw, th;
  td_plot_style s = td_plot_title_style(p);
  s.size *= 1.15;
  td_plot_text_size(p, td_plot_text(&f->o.title, 0), s, &tw, &th);
  l->title = th > 0 ? th + 0.9 * p->theme->fontsize : 0;
  for (int i = 0; i < l->n; i++) {
    td_plot_axes_layout *a = &l->axes[i];
    a->axes = f->axes[i];
    a->y2 = td_plot_axes_has_y2(a->axes);
    a->images = td_plot_axes_images(a->axes);
    a->image = a->images || has_image(a->axes);
    measure_axes(p, a, 0.75 * l->page.x1 / f->cols * a->axes->colspan,
                 0.75 * l->page.y1 / f->rows * a->axes->rowspan);
  }
  tracks cols, rows;
  for (int round = 0; round < 3; round++) {
    solve(p, f, l, &cols, &rows);
    for (int i = 0; i < l->n; i++) {
      td_plot_axes_layout *a = &l->axes[i];
      set_box(p, a, &cols, &rows);
      if (round < 2)
        measure_axes(p, a, a->box.x1 - a->box.x0, a->box.y1 - a->box.y0);
      else
        set_bars(p, a);
    }
  }
  align_titles(l);
  for (int i = 0; i < l->n; i++)
    td_plot_legend_place(p, &l->axes[i], f->like && i < f->like->n ? &f->like->axes[i] : NULL,
                         f->calm);
  return 0;
}

void td_plot_layout_drop(td_plot_layout *l) {
  free(l->axes);
  l->axes = NULL;
}
