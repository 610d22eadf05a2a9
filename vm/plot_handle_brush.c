/* plot_handle_brush.c -- the sheet of a brush: strokes make cells darker or lighter. */
#include <math.h>
#include <string.h>

#include "vm/plot_panel.h"

int td_plot_brush_open(td_plot_widget *w) {
  size_t bytes = (size_t)(w->nx * w->ny) * sizeof(float);
  td_plot_blob *b = td_plot_blob_new(bytes);
  if (!b) return -1;
  memset(b->memory, 0, bytes);
  td_plot_blob_drop(w->ink);
  w->ink = b;
  return 0;
}

void td_plot_brush_clear(td_plot_widget *w) {
  if (w->ink) memset(w->ink->memory, 0, (size_t)(w->nx * w->ny) * sizeof(float));
  w->changes++;
}

/* Squared distance of a point from a segment, both in brush widths. */
static double far(const double a[2], const double b[2], double x, double y) {
  double dx = b[0] - a[0], dy = b[1] - a[1], l = dx * dx + dy * dy;
  double t = l > 0 ? ((x - a[0]) * dx + (y - a[1]) * dy) / l : 0;
  t = fmin(fmax(t, 0), 1);
  x -= a[0] + t * dx, y -= a[1] + t * dy;
  return x * x + y * y;
}

/* The cells from lo to hi of n that lie between these places. */
static void cells(double from, double to, double lo, double hi, int n, int out[2]) {
  double d = (hi - lo) / n;
  double a = floor((fmin(from, to) - lo) / d), b = ceil((fmax(from, to) - lo) / d);
  out[0] = (int)fmin(fmax(a, 0), n), out[1] = (int)fmin(fmax(b, 0), n);
}

/* Full within half the radius, then fading; strokes over strokes add nothing there, so
** that a shape does not depend on how slowly it was drawn. */
void td_plot_brush_stroke(td_plot_widget *w, const double from[2], const double to[2],
                          bool erase) {
  if (!w->ink || !isfinite(from[0] + from[1] + to[0] + to[1])) return;
  float *ink = (float *)(void *)w->ink->memory;
  double r = w->size / 2, rx[2], ry[2];
  int cx[2], cy[2];
  for (int k = 0; k < 2; k++) rx[k] = (k ? to : from)[0] / r, ry[k] = (k ? to : from)[1] / r;
  double a[2] = {rx[0], ry[0]}, b[2] = {rx[1], ry[1]};
  cells(fmin(from[0], to[0]) - r, fmax(from[0], to[0]) + r, w->lo[0], w->hi[0], w->nx, cx);
  cells(fmin(from[1], to[1]) - r, fmax(from[1], to[1]) + r, w->lo[1], w->hi[1], w->ny, cy);
  double dx = (w->hi[0] - w->lo[0]) / w->nx, dy = (w->hi[1] - w->lo[1]) / w->ny;
  for (int i = cy[0]; i < cy[1]; i++)
    for (int j = cx[0]; j < cx[1]; j++) {
      double x = (w->lo[0] + (j + 0.5) * dx) / r, y = (w->lo[1] + (i + 0.5) * dy) / r;
      double d = sqrt(far(a, b, x, y));
      float soft = (float)fmin(fmax(2 - 2 * d, 0), 1), *p = &ink[i * w->nx + j];
      if (erase) *p = fminf(*p, 1 - soft);
      else *p = fmaxf(*p, soft);
    }
  w->changes++;
}
