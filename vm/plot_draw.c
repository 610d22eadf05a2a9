/* plot_draw.c -- a whole figure, and what artists look like by default. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>

#include "vm/plot_draw.h"
#include "vm/plot_overlay.h"

double td_plot_artist_order(const td_plot_artist *a) {
  return isnan(a->o.order) ? td_plot_kinds[a->kind].order : a->o.order;
}

td_plot_rgba td_plot_artist_color(const td_plot_painter *p,
                                  const td_plot_artist *a) {
  td_plot_rgba black = {0, 0, 0, 1}, standard;
  switch (td_plot_kinds[a->kind].color) {
    case TD_PLOT_BY_WHITE: standard = (td_plot_rgba){1, 1, 1, 0.75}; break;
    case TD_PLOT_BY_INK:
      standard = td_plot_painter_color(p, &p->theme->ink, black);
      break;
    case TD_PLOT_BY_MUTED:
      standard = td_plot_painter_color(p, &p->theme->muted, black);
      break;
    default: standard = td_plot_cycle_color(p, a->cycle);
  }
  return td_plot_painter_color(p, &a->o.color, standard);
}

double td_plot_artist_width(const td_plot_painter *p, const td_plot_artist *a) {
  if (!isnan(a->o.width)) return a->o.width;
  return td_plot_kinds[a->kind].width * p->theme->linewidth;
}

bool td_plot_artist_is_back(const td_plot_artist *a) {
  return a->kind == TD_PLOT_HEATMAP && td_plot_artist_order(a) < 1;
}

typedef struct ranked {
  const td_plot_artist *artist;
  double order;
  int at;
} ranked;

static int by_order(const void *a, const void *b) {
  const ranked *p = a, *q = b;
  if (p->order != q->order) return p->order < q->order ? -1 : 1;
  return p->at - q->at;
}

/* Lowest order first; artists of the same order as they came. */
const td_plot_artist **td_plot_draw_list(const td_plot_axes *ax, int *n) {
  ranked *all = malloc(((size_t)ax->nartists + 1) * sizeof *all);
  const td_plot_artist **list = malloc(((size_t)ax->nartists + 1) * sizeof *list);
  int m = 0;
  for (int i = 0; all && list && i < ax->nartists; i++) {
    const td_plot_artist *a = ax->artists[i];
    if (!td_plot_artist_is_back(a))
      all[m++] = (ranked){a, td_plot_artist_order(a), i};
  }
  if (m) qsort(all, (size_t)m, sizeof *all, by_order);
  for (int i = 0; i < m; i++) list[i] = all[i].artist;
  free(all);
  *n = m;
  return list;
}

void td_plot_draw_page(td_plot_painter *p, const td_plot_figure *f,
                       const td_plot_layout *l) {
  td_plot_rgba black = {0, 0, 0, 1};
  td_plot_rgba ink = td_plot_painter_color(p, &p->theme->ink, black);
  td_plot_style s = td_plot_title_style(p);
  s.size *= 1.15;
  td_plot_draw_background(p);
  td_plot_text_draw(p, td_plot_text(&f->o.title, 0), s, ink, l->page.x1 / 2,
                    0.7 * p->theme->gap + 0.95 * s.size, 0.5, TD_PLOT_BASELINE, 0);
}

void td_plot_draw_background(td_plot_painter *p) {
  td_plot_rgba none = {0, 0, 0, 0};
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->background, none), 1);
  if (!p->clear) cairo_paint(p->cr);
}

void td_plot_draw_marks(td_plot_painter *p, const td_plot_figure *f,
                        const td_plot_layout *l) {
  if (!f->overlay || !f->overlay->draw) return;
  cairo_save(p->cr);
  f->overlay->draw(f->overlay_self, p, l, l->page.x1, l->page.y1,
                   TD_PLOT_OVERLAY_MARKS);
  cairo_restore(p->cr);
}

void td_plot_draw(td_plot_painter *p, const td_plot_figure *f,
                  const td_plot_layout *l) {
  td_plot_draw_page(p, f, l);
  for (int i = 0; i < l->n; i++) td_plot_draw_back(p, &l->axes[i]);
  for (int i = 0; i < l->n; i++) {
    int n;
    const td_plot_artist **list = td_plot_draw_list(l->axes[i].axes, &n);
    for (int k = 0; k < n; k++) td_plot_draw_artist(p, &l->axes[i], list[k]);
    free(list);
    td_plot_draw_front(p, &l->axes[i]);
  }
  td_plot_draw_marks(p, f, l);
}
