/* plot_panel_none.c -- widgets where nothing is drawn: the model works, nobody sees it. */
#ifdef TD_HEADLESS
#include <math.h>

#include "vm/plot_panel.h"

static void drop(void *self) { td_plot_panel_drop(self); }
const td_plot_overlay_class td_plot_panel_class = {.drop = drop};

bool td_plot_panel_input(td_plot_panel *p, td_plot_event *e) {
  (void)p, (void)e;
  return false;
}

int td_plot_frames_open(td_plot_panel *p, int keep, size_t bytes) {
  (void)p, (void)keep, (void)bytes;
  return 0;
}

void td_plot_frames_close(td_plot_panel *p) { (void)p; }

int td_plot_frames_add(td_plot_panel *p, double step) {
  (void)p, (void)step;
  return 0;
}

void td_plot_frames_clear(td_plot_panel *p) { (void)p; }

int td_plot_frames_count(const td_plot_panel *p) {
  (void)p;
  return 0;
}

size_t td_plot_frames_bytes(const td_plot_panel *p) {
  (void)p;
  return 0;
}

double td_plot_frames_step(const td_plot_panel *p, int k) {
  (void)p, (void)k;
  return NAN;
}

void td_plot_frames_seek(td_plot_panel *p, double step) { (void)p, (void)step; }

td_plot_figure *td_plot_frames_figure(const td_plot_figure *f) {
  (void)f;
  return NULL;
}

double td_plot_frames_shown(const td_plot_panel *p) {
  (void)p;
  return INFINITY;
}
#endif
