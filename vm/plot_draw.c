/* plot_draw.c -- a whole figure, and what artists look like by default. */
#include <cairo.h>
#include <math.h>

#include "vm/plot_draw.h"

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

/* All but what td_plot_draw_back drew, lowest order first; artists of the same
** order in the order in which they came. */
void td_plot_draw_data(td_plot_painter *p, const td_plot_axes_layout *a) {
  const td_plot_axes *ax = a->axes;
  double done = -INFINITY;
  for (;;) {
    double next = INFINITY;
    for (int i = 0; i < ax->nartists; i++) {
      double order = td_plot_artist_order(ax->artists[i]);
      if (order > done && order < next) next = order;
    }
    if (next == INFINITY) return;
    for (int i = 0; i < ax->nartists; i++) {
      const td_plot_artist *artist = ax->artists[i];
      bool back = next < 1 && artist->kind == TD_PLOT_HEATMAP;
      if (!back && td_plot_artist_order(artist) == next)
        td_plot_draw_artist(p, a, artist);
    }
    done = next;
  }
}

void td_plot_draw(td_plot_painter *p, const td_plot_figure *f,
                  const td_plot_layout *l) {
  td_plot_rgba black = {0, 0, 0, 1};
  td_plot_rgba ink = td_plot_painter_color(p, &p->theme->ink, black);
  td_plot_set_color(p, td_plot_painter_color(p, &p->theme->background,
                                             (td_plot_rgba){0, 0, 0, 0}), 1);
  cairo_paint(p->cr);
  td_plot_style s = td_plot_title_style(p);
  s.size *= 1.15;
  td_plot_text_draw(p, td_plot_text(&f->o.title, 0), s, ink, l->page.x1 / 2,
                    0.7 * p->theme->gap + 0.95 * s.size, 0.5, TD_PLOT_BASELINE, 0);
  for (int i = 0; i < l->n; i++) {
    td_plot_draw_back(p, &l->axes[i]);
    td_plot_draw_data(p, &l->axes[i]);
    td_plot_draw_front(p, &l->axes[i]);
  }
}
