/* plot_panel_place.c -- where controls and the parts of a player stand on the page.
**
** Everything follows from the size of letters and the width of the window, so that
** nothing moves when a value changes. */
#include <math.h>
#include <stdlib.h>

#include "vm/plot_panel.h"

/* Lengths in sizes of letters. */
#define PAD 1.2      /* around the strip */
#define GAP 2.0      /* between controls that stand side by side */
#define CELL 13.0    /* a control is at least so wide, */
#define WIDEST 26.0  /* and at most */
#define ROW 3.9      /* from one row to the next */
#define LINE 1.5     /* from one line of text to the next */
#define BESIDE 17.0  /* width of a strip beside the axes */
#define PLAYER 3.4
#define BUTTON 2.5   /* of a player */

static bool is_seen(const td_plot_widget *w) {
  return !td_plot_widget_in_axes(w->kind) && !w->hidden;
}

static bool is_cell(const td_plot_widget *w) {
  return is_seen(w) && w->kind != TD_PLOT_WIDGET_TEXT && w->kind != TD_PLOT_WIDGET_PLAYER;
}

static int columns_of(const td_plot_panel *p, double fs, double width) {
  int n = 0;
  for (int i = 0; i < p->n; i++) n += is_cell(&p->widget[i]);
  if (n < 1) return 1;
  if (p->columns > 0) return p->columns;
  int most = (int)((width - (2 * PAD - GAP) * fs) / ((CELL + GAP) * fs));
  if (p->beside || most < 1) return 1;
  int rows = (n + most - 1) / most;
  return (n + rows - 1) / rows;
}

/* The bar of a player stands below its buttons where there is no room beside them. */
static bool is_narrow(double width, double fs) { return width < 36 * fs; }

static double height_of(const td_plot_widget *w, double fs, double width) {
  if (w->kind == TD_PLOT_WIDGET_TEXT) return (fmax(w->size, 1) * LINE + 0.6) * fs;
  if (w->kind == TD_PLOT_WIDGET_PLAYER)
    return (PLAYER + (is_narrow(width, fs) ? 4.4 : 0) + (w->phased ? 1.9 : 0)) * fs;
  return ROW * fs;
}

/* Places all; returns the height. `spot` may be NULL. */
static double place(const td_plot_panel *p, double fs, double x0, double y0, double width,
                    td_plot_spot *spot, int *count) {
  int columns = columns_of(p, fs, width), k = 0, n = 0;
  double gap = GAP * fs, y = y0 + 0.8 * fs, inner = width - 2 * PAD * fs;
  double cell = fmin((inner - (columns - 1) * gap) / columns, WIDEST * fs);
  bool any = false;
  for (int pass = 0; pass < 2; pass++) /* a player comes first */
    for (int i = 0; i < p->n; i++) {
      const td_plot_widget *w = &p->widget[i];
      if (!is_seen(w) || (w->kind == TD_PLOT_WIDGET_PLAYER) != (pass == 0)) continue;
      bool wide = !is_cell(w);
      if (k > 0 && (wide || k == columns)) y += ROW * fs, k = 0;
      double x = x0 + PAD * fs + (wide ? 0 : k * (cell + gap)), h = height_of(w, fs, inner);
      if (spot)
        spot[n++] =
            (td_plot_spot){w, {x, y, x + (wide ? inner : cell), y + h}, p->beside};
      if (wide) y += h;
      else k++;
      any = true;
    }
  if (k > 0) y += ROW * fs;
  if (count) *count = n;
  return any ? y + 0.5 * fs - y0 : 0;
}

void td_plot_strip_room(const td_plot_panel *p, double fs, double w, double *right,
                        double *below) {
  *right = *below = 0;
  double h = place(p, fs, 0, 0, p->beside ? BESIDE * fs : w, NULL, NULL);
  if (h > 0 && p->beside) *right = BESIDE * fs;
  else *below = ceil(h);
}

td_plot_strip td_plot_strip_make(const td_plot_panel *p, double fs, double w, double h) {
  td_plot_strip s = {.n = 0};
  double right, below;
  td_plot_strip_room(p, fs, w, &right, &below);
  if (right == 0 && below == 0) return s;
  s.spot = malloc(((size_t)p->n + 1) * sizeof *s.spot);
  if (!s.spot) return s;
  s.box = (td_plot_rect){right > 0 ? w - right : 0, below > 0 ? h - below : 0, w, h};
  place(p, fs, s.box.x0, s.box.y0, s.box.x1 - s.box.x0, s.spot, &s.n);
  return s;
}

/* ---- parts ----------------------------------------------------------------- */
td_plot_rect td_plot_spot_body(const td_plot_spot *s, double fs) {
  const td_plot_rect *c = &s->cell;
  switch (s->w->kind) {
    case TD_PLOT_WIDGET_BUTTON:
      return (td_plot_rect){c->x0, c->y0 + 0.9 * fs, c->x1, c->y0 + 3.1 * fs};
    case TD_PLOT_WIDGET_TOGGLE:
      return (td_plot_rect){c->x0, c->y0 + 1.65 * fs, c->x0 + 2.5 * fs, c->y0 + 3.0 * fs};
    default:
      return (td_plot_rect){c->x0, c->y0 + 1.35 * fs, c->x1, c->y0 + 3.2 * fs};
  }
}

td_plot_rect td_plot_spot_part(const td_plot_spot *s, double fs, int part) {
  const td_plot_rect *c = &s->cell;
  bool phased = s->w->phased;
  double y = c->y0 + 0.2 * fs, h = BUTTON * fs;
  int order[TD_PLOT_PARTS] = {0, 1, 2, phased ? 3 : -1, phased ? 4 : 3, 0, 0};
  double bar = c->x0 + ((phased ? 5 : 4) * (BUTTON + 0.5) + 7.5) * fs;
  double newest = c->x1 - 5.0 * fs, low = y + h + 0.4 * fs;
  if (part >= TD_PLOT_PART_SCRUB && is_narrow(c->x1 - c->x0, fs)) {
    if (part == TD_PLOT_PART_FOLLOW)
      return (td_plot_rect){newest, low, c->x1, low + h - 0.7 * fs};
    return (td_plot_rect){c->x0, low + 2.0 * fs, c->x1, low + 3.8 * fs};
  }
  switch (part) {
    case TD_PLOT_PART_SCRUB:
      return (td_plot_rect){bar, y, fmax(newest - 1.0 * fs, bar + 2 * fs), y + h};
    case TD_PLOT_PART_FOLLOW:
      return (td_plot_rect){newest, y + 0.35 * fs, c->x1, y + h - 0.35 * fs};
    default:
      if (order[part] < 0) return (td_plot_rect){0, 0, 0, 0};
      double x = c->x0 + order[part] * (BUTTON + 0.5) * fs;
      return (td_plot_rect){x, y, x + h, y + h};
  }
}

td_plot_rect td_plot_spot_track(const td_plot_spot *s, double fs) {
  td_plot_rect c = s->cell;
  if (s->w->kind == TD_PLOT_WIDGET_PLAYER) {
    c = td_plot_spot_part(s, fs, TD_PLOT_PART_SCRUB);
    double y = (c.y0 + c.y1) / 2;
    return (td_plot_rect){c.x0 + 0.7 * fs, y, c.x1 - 0.7 * fs, y};
  }
  double y = c.y0 + 2.3 * fs;
  return (td_plot_rect){c.x0 + 0.7 * fs, y, c.x1 - 0.7 * fs, y};
}

td_plot_rect td_plot_spot_list(const td_plot_spot *s, double fs, double *line) {
  td_plot_rect b = td_plot_spot_body(s, fs);
  int n = (int)s->w->choices.dim[0];
  double room = s->beside ? INFINITY : b.y0 - 1.0 * fs;
  *line = fmin(1.75 * fs, room / (n > 0 ? n : 1));
  double h = n * *line + 0.6 * fs;
  if (s->beside) return (td_plot_rect){b.x0, b.y1 + 0.3 * fs, b.x1, b.y1 + 0.3 * fs + h};
  return (td_plot_rect){b.x0, b.y0 - 0.3 * fs - h, b.x1, b.y0 - 0.3 * fs};
}
