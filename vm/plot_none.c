/* plot_none.c -- stands in for what draws, and for windows, where there is no cairo. */
#ifdef TD_HEADLESS
#include "vm/plot.h"
#include "vm/plot_window.h"

const bool td_plot_can_save = false;

static int refuse(void) {
  return td_plot_fail("this build of tide has no drawing: figures can be made "
                      "but not saved (plot.can_save is false); the full build "
                      "draws PNG, SVG and PDF");
}

int td_plot_encode(const td_plot_figure *f, const char *format,
                   const td_plot_output *o, td_plot_bytes *out) {
  (void)f, (void)format, (void)o, (void)out;
  return refuse();
}

int td_plot_save(const td_plot_figure *f, const char *path,
                 const td_plot_output *o) {
  (void)f, (void)path, (void)o;
  return refuse();
}

int td_plot_pixels(const td_plot_figure *f, const td_plot_output *o, int channels,
                   td_plot_bytes *out, int *width, int *height) {
  (void)f, (void)o, (void)channels, (void)out, (void)width, (void)height;
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

td_plot_gif *td_plot_gif_open(const char *path, double scale, double fps, int loop) {
  (void)path, (void)scale, (void)fps, (void)loop;
  refuse();
  return NULL;
}

int td_plot_gif_frame(td_plot_gif *g, const td_plot_figure *f) {
  (void)g, (void)f;
  return refuse();
}

int td_plot_gif_close(td_plot_gif *g) {
  (void)g;
  return refuse();
}

void td_plot_gif_free(td_plot_gif *g) { (void)g; }

int td_plot_window_host(int (*lua)(int, char **), int argc, char **argv) {
  return lua(argc, argv);
}

int td_plot_window_show(td_plot_figure *f) {
  (void)f;
  td_plot_fail("this build of tide has no windows");
  return TD_PLOT_NO_WINDOWS;
}

void td_plot_window_close(const td_plot_figure *f) { (void)f; }

bool td_plot_window_open(const td_plot_figure *f, int ms) {
  (void)f, (void)ms;
  return false;
}

td_plot_window_cost td_plot_window_spent(const td_plot_figure *f) {
  (void)f;
  return (td_plot_window_cost){.frames = 0};
}

int td_plot_window_news(void) { return -1; }

bool td_plot_window_due(const td_plot_figure *f) {
  (void)f;
  return false;
}
#endif
