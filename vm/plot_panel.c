/* plot_panel.c -- the list of widgets of a figure: made, found, bounded, copied. */
#include "vm/plot_panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

td_plot_panel *td_plot_panel_find(const td_plot_figure *f) {
  return f->overlay == &td_plot_panel_class ? f->overlay_self : NULL;
}

td_plot_panel *td_plot_panel_of(td_plot_figure *f) {
  td_plot_panel *p = td_plot_panel_find(f);
  if (p) return p;
  p = calloc(1, sizeof *p);
  if (!p) {
    td_plot_fail("out of memory");
    return NULL;
  }
  p->figure = f;
  if (td_plot_overlay_set(f, &td_plot_panel_class, p)) return p;
  free(p);
  td_plot_fail("this figure has another overlay");
  return NULL;
}

bool td_plot_looks(td_plot_panel *p, int n) {
  if (n <= p->nlook) return true;
  td_plot_look *look = realloc(p->look, (size_t)n * sizeof *look);
  if (!look) return false;
  p->look = look;
  while (p->nlook < n) look[p->nlook++] = (td_plot_look){.has = false};
  return true;
}

/* ---- widgets ------------------------------------------------------------- */
static void widget_drop(td_plot_widget *w) {
  td_plot_data_drop(&w->label);
  td_plot_data_drop(&w->choices);
  td_plot_data_drop(&w->format);
  td_plot_data_drop(&w->note);
  td_plot_blob_drop(w->ink);
}

td_plot_widget *td_plot_widget_add(td_plot_panel *p, td_plot_widget_kind kind) {
  td_plot_widget *w = realloc(p->widget, ((size_t)p->n + 1) * sizeof *w);
  if (!w) {
    td_plot_fail("out of memory");
    return NULL;
  }
  p->widget = w;
  w += p->n++;
  *w = (td_plot_widget){.kind = kind, .serial = ++p->serial, .axes = -1, .phase = -1,
                        .lo = {-INFINITY, -INFINITY}, .hi = {INFINITY, INFINITY}};
  return w;
}

td_plot_widget *td_plot_widget_find(const td_plot_panel *p, int serial) {
  for (int i = 0; i < p->n; i++)
    if (p->widget[i].serial == serial) return &p->widget[i];
  return NULL;
}

void td_plot_widget_remove(td_plot_panel *p, int serial) {
  td_plot_widget *w = td_plot_widget_find(p, serial);
  if (!w) return;
  widget_drop(w);
  memmove(w, w + 1, (size_t)(p->widget + p->n - w - 1) * sizeof *w);
  p->n--;
  td_plot_hand *h = &p->hand;
  if (h->held == serial) h->held = 0;
  if (h->hover == serial) h->hover = 0;
  if (h->focus == serial) h->focus = 0;
  if (h->open == serial) h->open = 0;
}

static double bound(const td_plot_widget *w, int d, double v) {
  double lo = w->lo[d], hi = w->hi[d];
  if (w->snap[d] > 0 && !w->log) {
    double from = isfinite(lo) ? lo : 0;
    v = from + round((v - from) / w->snap[d]) * w->snap[d];
    if (v > hi) v -= w->snap[d];
    if (v < lo) v += w->snap[d];
  }
  if (w->integer) v = round(v);
  return fmin(fmax(v, lo), hi);
}

void td_plot_widget_bound(const td_plot_widget *w, double v[4]) {
  switch (w->kind) {
    case TD_PLOT_WIDGET_SLIDER: case TD_PLOT_WIDGET_XLINE:
      v[0] = bound(w, 0, v[0]);
      break;
    case TD_PLOT_WIDGET_YLINE: v[0] = bound(w, 1, v[0]); break;
    case TD_PLOT_WIDGET_POINT: case TD_PLOT_WIDGET_BOX:
      for (int k = 0; k < (w->kind == TD_PLOT_WIDGET_BOX ? 4 : 2); k++)
        v[k] = bound(w, k % 2, v[k]);
      break;
    default: break;
  }
}

double td_plot_slider_at(const td_plot_widget *w, double unit) {
  double v[4], u = fmin(fmax(unit, 0), 1);
  v[0] = w->log ? w->lo[0] * pow(w->hi[0] / w->lo[0], u)
                : w->lo[0] + u * (w->hi[0] - w->lo[0]);
  td_plot_widget_bound(w, v);
  if (w->log && !w->integer) { /* three digits are as many as a hand can choose */
    char text[32];
    snprintf(text, sizeof text, "%.3g", v[0]);
    v[0] = fmin(fmax(strtod(text, NULL), w->lo[0]), w->hi[0]);
  }
  return v[0];
}

double td_plot_slider_unit(const td_plot_widget *w, double v) {
  double u = w->log ? log(v / w->lo[0]) / log(w->hi[0] / w->lo[0])
                    : (v - w->lo[0]) / (w->hi[0] - w->lo[0]);
  return fmin(fmax(u, 0), 1);
}

/* Decimals that tell two steps apart. */
static int decimals(double step) {
  for (int k = 0; k < 8; k++) {
    double t = step * pow(10, k);
    if (fabs(t - round(t)) < 1e-6 * t) return k;
  }
  return 8;
}

void td_plot_slider_text(const td_plot_widget *w, double v, char *out, size_t size) {
  const char *format = td_plot_text(&w->format, 0);
  double range = w->hi[0] - w->lo[0];
  if (format) snprintf(out, size, format, v); /* checked when it was set */
  else if (w->integer) snprintf(out, size, "%.0f", v);
  else if (w->log) snprintf(out, size, "%.3g", v);
  else if (w->snap[0] > 0) snprintf(out, size, "%.*f", decimals(w->snap[0]), v);
  else snprintf(out, size, "%.*f", (int)fmax(0, 2 - floor(log10(range))), v);
}

/* ---- copies -------------------------------------------------------------- */
td_plot_panel *td_plot_panel_copy(const td_plot_panel *p) {
  td_plot_panel *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->widget = malloc(((size_t)p->n + 1) * sizeof *c->widget);
  if (!c->widget) {
    free(c);
    return NULL;
  }
  c->n = p->n, c->columns = p->columns, c->beside = p->beside, c->hand = p->hand;
  c->first = p->first, c->last = p->last, c->shown = p->shown;
  if (p->figure) { /* no copy */
    c->shown = td_plot_frames_shown(p);
    c->last = td_plot_frames_step(p, td_plot_frames_count(p) - 1);
    c->first = td_plot_frames_step(p, 0);
  }
  for (int i = 0; i < p->n; i++) {
    td_plot_widget *w = &c->widget[i];
    *w = p->widget[i];
    td_plot_blob_keep(w->label.blob);
    td_plot_blob_keep(w->choices.blob);
    td_plot_blob_keep(w->format.blob);
    td_plot_blob_keep(w->note.blob);
    if (!w->ink) continue;
    size_t bytes = (size_t)(w->nx * w->ny) * sizeof(float);
    w->ink = td_plot_blob_new(bytes); /* strokes change it in place */
    if (w->ink) memcpy(w->ink->memory, p->widget[i].ink->memory, bytes);
  }
  return c;
}

void td_plot_panel_drop(td_plot_panel *p) {
  if (!p) return;
  td_plot_frames_close(p);
  td_plot_queue_clear(&p->queue);
  for (int i = 0; i < p->n; i++) widget_drop(&p->widget[i]);
  free(p->widget);
  free(p->seen);
  free(p->look);
  free(p);
}
