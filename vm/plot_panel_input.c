/* plot_panel_input.c -- what the pointer and the keys do to widgets. */
#include "vm/plot_draw.h"
#include "vm/plot_panel.h"

static void *copy(const void *self) { return td_plot_panel_copy(self); }
static void drop(void *self) { td_plot_panel_drop(self); }

const td_plot_overlay_class td_plot_panel_class = {.copy = copy, .drop = drop};
