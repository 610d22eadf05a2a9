/* plot_text.c -- labels with pango: UTF-8, sub- and superscripts, cached. */
#include <cairo.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"

#define MAX_KEPT 300
#define CAP_HEIGHT 0.73 /* of capitals and digits, relative to the size */

struct td_plot_glyphs {
  td_plot_glyphs *next;
  td_plot_style style;
  PangoLayout *layout;
  double w, h, baseline; /* points */
  int lines;
  char text[];
};

void td_plot_glyphs_drop(td_plot_painter *p) {
  while (p->glyphs) {
    td_plot_glyphs *g = p->glyphs;
    p->glyphs = g->next;
    g_object_unref(g->layout);
    free(g);
  }
}

static PangoLayout *make_layout(td_plot_painter *p, const char *text,
                                td_plot_style s) {
  size_t room = strlen(text) * 12 + 64;
  char *markup = malloc(room);
  PangoLayout *l = pango_layout_new(p->pango);
  PangoFontDescription *d = pango_font_description_new();
  pango_font_description_set_family(d, p->theme->font);
  pango_font_description_set_size(d, (int)(s.size * PANGO_SCALE + 0.5));
  if (s.bold) pango_font_description_set_weight(d, PANGO_WEIGHT_BOLD);
  pango_layout_set_font_description(l, d);
  pango_font_description_free(d);
  pango_layout_set_alignment(l, PANGO_ALIGN_CENTER);
  if (markup) {
    td_plot_markup(text, markup, room);
    if (g_utf8_validate(markup, -1, NULL)) {
      pango_layout_set_markup(l, markup, -1);
    } else { /* bytes that are no UTF-8 must not stop the picture */
      char *valid = g_utf8_make_valid(text, -1);
      pango_layout_set_text(l, valid, -1);
      g_free(valid);
    }
  }
  free(markup);
  return l;
}

static td_plot_glyphs *glyphs(td_plot_painter *p, const char *text,
                              td_plot_style s) {
  int kept = 0;
  for (td_plot_glyphs *g = p->glyphs; g; g = g->next, kept++)
    if (g->style.size == s.size && g->style.bold == s.bold &&
        strcmp(g->text, text) == 0)
      return g;
  if (kept >= MAX_KEPT) td_plot_glyphs_drop(p); /* texts that count up */
  td_plot_glyphs *g = malloc(sizeof *g + strlen(text) + 1);
  if (!g) return NULL;
  strcpy(g->text, text);
  g->style = s;
  g->layout = make_layout(p, text, s);
  PangoRectangle r;
  pango_layout_get_extents(g->layout, NULL, &r);
  g->w = (double)r.width / PANGO_SCALE;
  g->h = (double)r.height / PANGO_SCALE;
  g->baseline = (double)pango_layout_get_baseline(g->layout) / PANGO_SCALE;
  g->lines = pango_layout_get_line_count(g->layout);
  g->next = p->glyphs;
  return p->glyphs = g;
}

void td_plot_text_size(td_plot_painter *p, const char *text, td_plot_style s,
                       double *w, double *h) {
  td_plot_glyphs *g = p->text && text && *text ? glyphs(p, text, s) : NULL;
  *w = g ? g->w : 0;
  *h = g ? g->h : 0;
}

void td_plot_text_draw(td_plot_painter *p, const char *text, td_plot_style s,
                       td_plot_rgba color, double x, double y, double halign,
                       td_plot_valign valign, double angle) {
  td_plot_glyphs *g = p->text && text && *text ? glyphs(p, text, s) : NULL;
  if (!g || !isfinite(x) || !isfinite(y)) return;
  double last = g->h - g->baseline; /* below the first baseline */
  double dy = -g->baseline;
  if (valign == TD_PLOT_TOP) dy += CAP_HEIGHT * s.size;
  if (valign == TD_PLOT_MIDDLE)
    dy = g->lines > 1 ? -g->h / 2 : dy + CAP_HEIGHT / 2 * s.size;
  if (valign == TD_PLOT_BOTTOM) dy -= last;
  cairo_save(p->cr);
  cairo_translate(p->cr, x, y);
  if (angle != 0) cairo_rotate(p->cr, -angle * M_PI / 180);
  cairo_translate(p->cr, -halign * g->w, dy);
  td_plot_set_color(p, color, 1);
  cairo_move_to(p->cr, 0, 0);
  pango_cairo_show_layout(p->cr, g->layout);
  cairo_restore(p->cr);
}
