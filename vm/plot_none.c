/* plot_none.c -- stands in for plot_save.c where there is no cairo. */
#ifdef TD_HEADLESS
#include "vm/plot.h"

const bool td_plot_can_save = false;

static int refuse(void) {
  return td_plot_fail("this build of tide has no drawing: figures can be made "
                      "but not saved (plot.can_save is false); the full build "
                      "draws PNG, SVG and PDF");
}

int td_plot_encode(const td_plot_figure *f, const char *format, double scale,
                   td_plot_bytes *out) {
  (void)f, (void)format, (void)scale, (void)out;
  return refuse();
}

int td_plot_save(const td_plot_figure *f, const char *path, double scale) {
  (void)f, (void)path, (void)scale;
  return refuse();
}

int td_plot_pixels(const td_plot_figure *f, double scale, td_plot_bytes *out,
                   int *width, int *height) {
  (void)f, (void)scale, (void)out, (void)width, (void)height;
  return refuse();
}

int td_plot_read_png(const char *path, td_plot_bytes *out, int *width,
                     int *height) {
  (void)path, (void)out, (void)width, (void)height;
  return refuse();
}

int td_plot_box(const td_plot_figure *f, int i, double scale, double box[4]) {
  (void)f, (void)i, (void)scale, (void)box;
  return refuse();
}
#endif
