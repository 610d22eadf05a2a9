/* plot_region.c -- a few boxes of pixels that together hold all that changed. */
#include "vm/plot_draw.h"

static double area(td_plot_pixel_box b) {
  return b.x1 > b.x0 && b.y1 > b.y0 ? (double)(b.x1 - b.x0) * (b.y1 - b.y0) : 0;
}

void td_plot_box_add(td_plot_pixel_box *a, td_plot_pixel_box b) {
  if (area(b) == 0) return;
  if (area(*a) == 0) *a = b;
  a->x0 = b.x0 < a->x0 ? b.x0 : a->x0, a->y0 = b.y0 < a->y0 ? b.y0 : a->y0;
  a->x1 = b.x1 > a->x1 ? b.x1 : a->x1, a->y1 = b.y1 > a->y1 ? b.y1 : a->y1;
}

td_plot_pixel_box td_plot_box_cut(td_plot_pixel_box a, td_plot_pixel_box b) {
  td_plot_pixel_box c = {a.x0 > b.x0 ? a.x0 : b.x0, a.y0 > b.y0 ? a.y0 : b.y0,
                         a.x1 < b.x1 ? a.x1 : b.x1, a.y1 < b.y1 ? a.y1 : b.y1};
  return area(c) > 0 ? c : (td_plot_pixel_box){0, 0, 0, 0};
}

/* Pixels that a box around both has too many. */
static double waste(td_plot_pixel_box a, td_plot_pixel_box b) {
  td_plot_pixel_box both = a;
  td_plot_box_add(&both, b);
  return area(both) + area(td_plot_box_cut(a, b)) - area(a) - area(b);
}

static bool touch(td_plot_pixel_box a, td_plot_pixel_box b) {
  return area(td_plot_box_cut(a, b)) > 0;
}

void td_plot_region_add(td_plot_region *r, td_plot_pixel_box b) {
  if (area(b) == 0) return;
  for (;;) { /* no two boxes overlap: nothing is painted twice */
    int with = -1;
    double least = 0;
    for (int i = 0; i < r->n; i++) {
      double w = waste(r->box[i], b);
      bool must = touch(r->box[i], b) || w < 1000;
      if (!must && r->n < TD_PLOT_BOXES) continue;
      if (must) w = -1;
      if (with < 0 || w < least) with = i, least = w;
    }
    if (with < 0) break;
    td_plot_box_add(&b, r->box[with]);
    r->box[with] = r->box[--r->n];
  }
  r->box[r->n++] = b;
}

td_plot_pixel_box td_plot_region_bounds(const td_plot_region *r) {
  td_plot_pixel_box b = {0, 0, 0, 0};
  for (int i = 0; i < r->n; i++) td_plot_box_add(&b, r->box[i]);
  return b;
}
