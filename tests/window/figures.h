/* figures.h -- figures made in C, for the tests of windows. */
#ifndef TD_TEST_FIGURES_H
#define TD_TEST_FIGURES_H
#include "tests/test.h"
#include "vm/plot_view.h"

static inline td_plot_figure *make_figure(int cols, double w, double h) {
  td_plot_figure *f = td_plot_figure_new(1, cols);
  td_plot_figure_options o;
  td_plot_options_copy(TD_PLOT_OWNER_FIGURE, &o, &f->o);
  o.size = (td_plot_list){2, {w, h}};
  td_plot_figure_commit(f, &o);
  return f;
}

/* Axes with these limits; NaN: from the data. */
static inline td_plot_axes *make_axes(td_plot_figure *f, int col, td_plot_limits x,
                                      td_plot_limits y) {
  td_plot_axes *ax = td_plot_axes_at(f, 0, col, 1, 1);
  td_plot_axes_options o;
  td_plot_options_copy(TD_PLOT_OWNER_AXES, &o, &ax->o);
  o.lim[0] = x, o.lim[1] = y;
  td_plot_axes_commit(ax, &o);
  return ax;
}

static inline int set_numbers(td_plot_artist *a, size_t n, const double *x,
                              const double *y) {
  td_plot_artist_options o;
  td_plot_options_copy(1u << a->kind, &o, &a->o);
  td_plot_data_numbers(&o.x, x, 1, &n);
  td_plot_data_numbers(&o.y, y, 1, &n);
  o.counted = NULL;
  int rc = td_plot_artist_commit(a, &o);
  if (rc) td_plot_options_drop(1u << a->kind, &o);
  return rc;
}

static inline td_plot_artist *add_artist(td_plot_axes *ax, td_plot_kind kind,
                                         const char *label, size_t n, const double *x,
                                         const double *y) {
  td_plot_artist_options o;
  td_plot_options_copy(1u << kind, &o, td_plot_options_default(1u << kind));
  td_plot_data_numbers(&o.x, x, 1, &n);
  td_plot_data_numbers(&o.y, y, 1, &n);
  if (label) td_plot_data_strings(&o.label, label, strlen(label) + 1, 1);
  return td_plot_artist_add(ax, kind, NULL, &o);
}

static inline td_plot_artist *add_heatmap(td_plot_axes *ax, size_t n, double far) {
  td_plot_artist_options o;
  size_t dim[] = {n, n};
  double *z = malloc(n * n * sizeof *z);
  td_plot_options_copy(1u << TD_PLOT_HEATMAP, &o,
                       td_plot_options_default(1u << TD_PLOT_HEATMAP));
  for (size_t i = 0; i < n * n; i++) z[i] = sin(0.1 * (double)i);
  td_plot_data_numbers(&o.z, z, 2, dim);
  free(z);
  o.extent = (td_plot_list){4, {-far, far, -far, far}};
  return td_plot_artist_add(ax, TD_PLOT_HEATMAP, NULL, &o);
}

/* A number from 0 to 1 that follows from the state. */
static inline double draw_number(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 33) / (double)(1u << 31);
}
#endif
