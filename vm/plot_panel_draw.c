/* plot_panel_draw.c -- how controls and players look, in the theme of the figure. */
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"
#include "vm/plot_panel.h"

static const td_plot_rgba black = {0, 0, 0, 1}, white = {1, 1, 1, 1};

typedef struct look { /* what the drawing of a strip needs everywhere */
  td_plot_painter *p;
  const td_plot_panel *panel;
  double fs;
  td_plot_rgba ink, muted, faint, paper, accent;
} look;

static td_plot_rgba mix(td_plot_rgba a, td_plot_rgba b, double t) {
  return (td_plot_rgba){a.r + t * (b.r - a.r), a.g + t * (b.g - a.g),
                        a.b + t * (b.b - a.b), 1};
}

static look look_of(td_plot_painter *p, const td_plot_panel *panel) {
  look k = {.p = p, .panel = panel, .fs = p->theme->fontsize};
  k.ink = td_plot_painter_color(p, &p->theme->ink, black);
  k.muted = td_plot_painter_color(p, &p->theme->muted, black);
  k.paper = td_plot_painter_color(p, &p->theme->background, white);
  k.faint = mix(k.paper, k.ink, 0.14);
  k.accent = td_plot_cycle_color(p, 0);
  return k;
}

/* ---- shapes ---------------------------------------------------------------- */
static void fill(look *k, td_plot_rgba c, double alpha) {
  td_plot_set_color(k->p, c, alpha);
  cairo_fill(k->p->cr);
}

static void stroke(look *k, td_plot_rgba c, double width) {
  td_plot_set_color(k->p, c, 1);
  cairo_set_line_width(k->p->cr, width * k->fs);
  cairo_stroke(k->p->cr);
}

static void rounded(look *k, td_plot_rect r, double radius) {
  cairo_t *cr = k->p->cr;
  double m = fmin(radius, fmin(r.x1 - r.x0, r.y1 - r.y0) / 2);
  cairo_new_path(cr);
  cairo_arc(cr, r.x1 - m, r.y0 + m, m, -M_PI / 2, 0);
  cairo_arc(cr, r.x1 - m, r.y1 - m, m, 0, M_PI / 2);
  cairo_arc(cr, r.x0 + m, r.y1 - m, m, M_PI / 2, M_PI);
  cairo_arc(cr, r.x0 + m, r.y0 + m, m, M_PI, 3 * M_PI / 2);
  cairo_close_path(cr);
}

static void disc(look *k, double x, double y, double r) {
  cairo_new_path(k->p->cr);
  cairo_arc(k->p->cr, x, y, r, 0, 2 * M_PI);
}

static void line(look *k, double x0, double y0, double x1, double y1) {
  cairo_new_path(k->p->cr);
  cairo_set_line_cap(k->p->cr, CAIRO_LINE_CAP_ROUND);
  cairo_move_to(k->p->cr, x0, y0);
  cairo_line_to(k->p->cr, x1, y1);
}

static void polygon(look *k, const double *xy, int n) {
  cairo_new_path(k->p->cr);
  for (int i = 0; i < n; i++) cairo_line_to(k->p->cr, xy[2 * i], xy[2 * i + 1]);
  cairo_close_path(k->p->cr);
}

/* An arrow that goes round: it begins again. */
static void circling(look *k, double x, double y, double r, td_plot_rgba c, double width) {
  cairo_new_path(k->p->cr);
  cairo_set_line_cap(k->p->cr, CAIRO_LINE_CAP_BUTT);
  cairo_arc(k->p->cr, x, y, r, -0.25 * M_PI, 1.4 * M_PI);
  stroke(k, c, width);
  double a = -0.25 * M_PI, s = fmax(0.5 * r, 1.6 * width * k->fs);
  double tx = x + r * cos(a), ty = y + r * sin(a);
  double xy[] = {tx - 1.1 * s, ty - 0.2 * s, tx + 0.9 * s, ty + 0.5 * s,
                 tx + 0.5 * s, ty - 1.2 * s};
  polygon(k, xy, 3);
  fill(k, c, 1);
}

static void text(look *k, const char *s, td_plot_rgba c, bool bold, double x, double y,
                 double halign) {
  td_plot_text_draw(k->p, s, (td_plot_style){k->fs, bold}, c, x, y, halign,
                    TD_PLOT_MIDDLE, 0);
}

static double width_of(look *k, const char *s, bool bold) {
  double w, h;
  td_plot_text_size(k->p, s, (td_plot_style){k->fs, bold}, &w, &h);
  return w;
}

/* Text that ends in dots where it is wider than `room`. */
static void fitted(look *k, const char *s, td_plot_rgba c, double x, double y, double room) {
  char cut[240];
  size_t n = strlen(s);
  if (width_of(k, s, false) <= room) {
    text(k, s, c, false, x, y, 0);
    return;
  }
  for (n = n < 230 ? n : 230; n > 0; n--) {
    if (((unsigned char)s[n] & 0xc0) == 0x80) continue;
    snprintf(cut, sizeof cut, "%.*s\xe2\x80\xa6", (int)n, s);
    if (width_of(k, cut, false) <= room) break;
  }
  if (n > 0) text(k, cut, c, false, x, y, 0);
}

/* ---- controls -------------------------------------------------------------- */
static bool is_hot(const look *k, const td_plot_widget *w) {
  return k->panel->hand.hover == w->serial || k->panel->hand.held == w->serial;
}

static void ring(look *k, const td_plot_widget *w, td_plot_rect r, double radius) {
  if (k->panel->hand.focus != w->serial) return;
  double m = 0.3 * k->fs;
  rounded(k, (td_plot_rect){r.x0 - m, r.y0 - m, r.x1 + m, r.y1 + m}, radius + m);
  stroke(k, mix(k->paper, k->accent, 0.6), 0.14);
}

/* Name, and whether it resets; what is left of it stands at `right`. */
static void draw_name(look *k, const td_plot_spot *s, const char *right) {
  const char *label = td_plot_text(&s->w->label, 0);
  double fs = k->fs, y = s->cell.y0 + 0.6 * fs, room = s->cell.x1 - s->cell.x0;
  double used = right ? width_of(k, right, false) + fs : 0;
  double name = label ? fmin(width_of(k, label, false), room - used - 1.6 * fs) : 0;
  td_plot_rgba c = s->w->fixed ? mix(k->paper, k->ink, 0.45) : k->ink;
  if (label) fitted(k, label, c, s->cell.x0, y, room - used - (s->w->live ? 0 : 1.6 * fs));
  if (!s->w->live) circling(k, s->cell.x0 + name + 0.95 * fs, y, 0.36 * fs,
                            td_plot_cycle_color(k->p, 1), 0.13);
  if (right) text(k, right, k->muted, false, s->cell.x1, y, 1);
  const char *hint = "starts again";
  if (!s->w->live && is_hot(k, s->w) &&
      name + 1.9 * fs + width_of(k, hint, false) < room - used)
    text(k, hint, td_plot_cycle_color(k->p, 1), false, s->cell.x0 + name + 1.9 * fs, y, 0);
}

static void draw_knob(look *k, double x, double y, td_plot_rgba c, bool hot) {
  double fs = k->fs;
  if (hot) {
    disc(k, x, y, 1.05 * fs);
    fill(k, c, 0.18);
  }
  disc(k, x, y, 0.62 * fs);
  fill(k, c, 1);
  disc(k, x, y, 0.36 * fs);
  fill(k, k->paper, 1);
}

static void draw_track(look *k, td_plot_rect t, double unit, td_plot_rgba c) {
  line(k, t.x0, t.y0, t.x1, t.y0);
  stroke(k, k->faint, 0.34);
  if (unit <= 0) return;
  line(k, t.x0, t.y0, t.x0 + unit * (t.x1 - t.x0), t.y0);
  stroke(k, c, 0.34);
}

static void draw_slider(look *k, const td_plot_spot *s) {
  const td_plot_widget *w = s->w;
  const td_plot_hand *h = &k->panel->hand;
  char value[64];
  double v = h->held == w->serial ? h->shown : w->v[0];
  double unit = td_plot_slider_unit(w, v);
  td_plot_rect t = td_plot_spot_track(s, k->fs);
  td_plot_rgba c = w->fixed ? mix(k->paper, k->ink, 0.35) : k->accent;
  td_plot_slider_text(w, v, value, sizeof value);
  draw_name(k, s, value);
  ring(k, w, (td_plot_rect){t.x0 - 0.7 * k->fs, t.y0 - 0.7 * k->fs, t.x1 + 0.7 * k->fs,
                            t.y0 + 0.7 * k->fs}, 0.7 * k->fs);
  draw_track(k, t, unit, c);
  draw_knob(k, t.x0 + unit * (t.x1 - t.x0), t.y0, c, is_hot(k, w));
}

static void draw_toggle(look *k, const td_plot_spot *s) {
  td_plot_rect b = td_plot_spot_body(s, k->fs);
  bool on = s->w->v[0] != 0;
  double r = (b.y1 - b.y0) / 2, y = (b.y0 + b.y1) / 2;
  draw_name(k, s, NULL);
  ring(k, s->w, b, r);
  rounded(k, b, r);
  fill(k, on ? k->accent : mix(k->paper, k->ink, is_hot(k, s->w) ? 0.38 : 0.28), 1);
  disc(k, on ? b.x1 - r : b.x0 + r, y, 0.74 * r);
  fill(k, k->paper, 1);
  text(k, on ? "on" : "off", k->muted, false, b.x1 + 0.7 * k->fs, y, 0);
}

static void draw_menu(look *k, const td_plot_spot *s) {
  td_plot_rect b = td_plot_spot_body(s, k->fs);
  double fs = k->fs, y = (b.y0 + b.y1) / 2, x = b.x1 - 1.1 * fs;
  const char *choice = td_plot_text(&s->w->choices, (size_t)s->w->v[0]);
  draw_name(k, s, NULL);
  ring(k, s->w, b, 0.35 * fs);
  rounded(k, b, 0.35 * fs);
  fill(k, mix(k->paper, k->ink, is_hot(k, s->w) ? 0.10 : 0.05), 1);
  rounded(k, b, 0.35 * fs);
  stroke(k, mix(k->paper, k->ink, 0.3), 0.09);
  if (choice) fitted(k, choice, k->ink, b.x0 + 0.8 * fs, y, b.x1 - b.x0 - 3 * fs);
  double xy[] = {x - 0.42 * fs, y - 0.2 * fs, x + 0.42 * fs, y - 0.2 * fs, x, y + 0.32 * fs};
  polygon(k, xy, 3);
  fill(k, k->muted, 1);
}

static void draw_button(look *k, const td_plot_spot *s) {
  td_plot_rect b = td_plot_spot_body(s, k->fs);
  const char *label = td_plot_text(&s->w->label, 0);
  const td_plot_hand *h = &k->panel->hand;
  bool down = h->held == s->w->serial && h->hover == s->w->serial;
  ring(k, s->w, b, 0.5 * k->fs);
  rounded(k, b, 0.5 * k->fs);
  fill(k, mix(k->paper, k->accent, down ? 0.45 : is_hot(k, s->w) ? 0.24 : 0.14), 1);
  double w = label ? width_of(k, label, true) : 0, room = b.x1 - b.x0 - k->fs;
  double y = (b.y0 + b.y1) / 2, x = (b.x0 + b.x1) / 2;
  if (!s->w->live) circling(k, x - fmin(w, room) / 2 - 0.3 * k->fs, y, 0.4 * k->fs,
                            td_plot_cycle_color(k->p, 1), 0.13), x += 0.7 * k->fs;
  if (label && w <= room) text(k, label, mix(k->accent, k->ink, 0.35), true, x, y, 0.5);
  else if (label) fitted(k, label, k->ink, b.x0 + 0.5 * k->fs, y, room);
}

/* One paragraph for each line of the text, broken where it is wide. */
static void draw_text(look *k, const td_plot_spot *s) {
  const char *note = td_plot_text(&s->w->note, 0);
  double fs = k->fs, y = s->cell.y0 + 0.75 * fs, room = s->cell.x1 - s->cell.x0;
  char row[400];
  size_t n = 0;
  int left = (int)fmax(s->w->size, 1);
  for (; note && *note && left > 0; left--, y += 1.5 * fs) {
    size_t end = 0, fit = 0;
    while (end <= strlen(note) && end < sizeof row - 1) {
      if (note[end] == ' ' || note[end] == '\n' || !note[end]) {
        snprintf(row, sizeof row, "%.*s", (int)end, note);
        if (fit > 0 && left > 1 && width_of(k, row, false) > room) break;
        fit = end;
        if (note[end] != ' ') break;
      }
      end++;
    }
    n = fit ? fit : end;
    snprintf(row, sizeof row, "%.*s", (int)n, note);
    fitted(k, row, k->ink, s->cell.x0, y, room);
    note += n;
    if (*note) note++;
  }
}

static void draw_list(look *k, const td_plot_spot *s) {
  double h, fs = k->fs;
  td_plot_rect b = td_plot_spot_list(s, fs, &h);
  rounded(k, b, 0.35 * fs);
  fill(k, k->paper, 1);
  rounded(k, b, 0.35 * fs);
  stroke(k, mix(k->paper, k->ink, 0.4), 0.09);
  for (size_t i = 0; i < s->w->choices.dim[0]; i++) {
    double y = b.y0 + 0.3 * fs + (double)i * h;
    bool here = k->panel->hand.choice == (int)i, now = (int)s->w->v[0] == (int)i;
    if (here) {
      rounded(k, (td_plot_rect){b.x0 + 0.25 * fs, y, b.x1 - 0.25 * fs, y + h}, 0.3 * fs);
      fill(k, mix(k->paper, k->accent, 0.18), 1);
    }
    if (now) disc(k, b.x0 + 0.85 * fs, y + h / 2, 0.22 * fs), fill(k, k->accent, 1);
    fitted(k, td_plot_text(&s->w->choices, i), k->ink, b.x0 + 1.5 * fs, y + h / 2,
           b.x1 - b.x0 - 2 * fs);
  }
}

/* ---- players --------------------------------------------------------------- */
static void draw_icon(look *k, int part, td_plot_rect r, const td_plot_widget *w,
                      td_plot_rgba c) {
  double x = (r.x0 + r.x1) / 2, y = (r.y0 + r.y1) / 2, m = 0.26 * (r.x1 - r.x0);
  double play[] = {x - 0.7 * m, y - m, x + 1.05 * m, y, x - 0.7 * m, y + m};
  double step[] = {x - 0.95 * m, y - 0.9 * m, x + 0.45 * m, y, x - 0.95 * m, y + 0.9 * m};
  switch (part) {
    case TD_PLOT_PART_RESET: circling(k, x, y, 0.85 * m, c, 0.2); return;
    case TD_PLOT_PART_PLAY:
      if (!w->playing) polygon(k, play, 3);
      for (int i = 0; w->playing && i < 2; i++) {
        double at = x + (i ? 0.18 : -0.78) * m;
        cairo_rectangle(k->p->cr, at, y - 0.9 * m, 0.6 * m, 1.8 * m);
      }
      break;
    case TD_PLOT_PART_STEP:
      polygon(k, step, 3);
      cairo_rectangle(k->p->cr, x + 0.5 * m, y - 0.9 * m, 0.36 * m, 1.8 * m);
      break;
    case TD_PLOT_PART_PHASE: /* a part of a step */
      polygon(k, step, 3);
      for (int i = 0; i < 3; i++)
        cairo_rectangle(k->p->cr, x + 0.5 * m, y - 0.9 * m + i * 0.7 * m, 0.36 * m, 0.4 * m);
      break;
    default: /* slow: a clock */
      disc(k, x, y, 0.95 * m);
      stroke(k, c, 0.17);
      line(k, x, y, x, y - 0.55 * m);
      stroke(k, c, 0.17);
      line(k, x, y, x + 0.4 * m, y + 0.2 * m);
      stroke(k, c, 0.17);
      return;
  }
  fill(k, c, 1);
}

static void draw_part(look *k, const td_plot_spot *s, int part) {
  const td_plot_hand *h = &k->panel->hand;
  td_plot_rect r = td_plot_spot_part(s, k->fs, part);
  if (r.x1 <= r.x0) return;
  bool hot = h->hover == s->w->serial && h->hover_part == part;
  bool down = hot && h->held == s->w->serial && h->part == part;
  bool main = part == TD_PLOT_PART_PLAY, on = part == TD_PLOT_PART_SLOW && s->w->slow;
  double x = (r.x0 + r.x1) / 2, y = (r.y0 + r.y1) / 2, radius = (r.x1 - r.x0) / 2;
  disc(k, x, y, radius);
  if (main) fill(k, mix(k->accent, k->ink, down ? 0.35 : hot ? 0.18 : 0), 1);
  else fill(k, mix(k->paper, on ? k->accent : k->ink, on ? 0.3 : down ? 0.26 : hot ? 0.16 : 0.08), 1);
  draw_icon(k, part, r, s->w, main ? k->paper : k->ink);
}

/* The bar through the steps that were kept. */
static void draw_scrub(look *k, const td_plot_spot *s) {
  const td_plot_panel *p = k->panel;
  double fs = k->fs, first = p->first, last = p->last;
  td_plot_rect t = td_plot_spot_track(s, fs), f = td_plot_spot_part(s, fs, TD_PLOT_PART_FOLLOW);
  if (!(last > first)) return;
  bool newest = !isfinite(p->shown);
  double unit = newest ? 1 : fmin(fmax((p->shown - first) / (last - first), 0), 1);
  td_plot_rgba c = newest ? k->accent : td_plot_cycle_color(k->p, 1);
  bool hot = p->hand.hover == s->w->serial;
  draw_track(k, t, unit, c);
  draw_knob(k, t.x0 + unit * (t.x1 - t.x0), t.y0, c, hot && p->hand.hover_part == TD_PLOT_PART_SCRUB);
  rounded(k, f, 0.9 * fs);
  fill(k, mix(k->paper, newest ? k->accent : k->ink, newest ? 0.2 : hot ? 0.16 : 0.08), 1);
  text(k, "newest", newest ? mix(k->accent, k->ink, 0.35) : k->muted, false,
       (f.x0 + f.x1) / 2, (f.y0 + f.y1) / 2, 0.5);
}

static void draw_phases(look *k, const td_plot_spot *s) {
  double fs = k->fs, x = s->cell.x0, y = s->cell.y1 - 1.4 * fs;
  bool narrow = s->cell.x1 - s->cell.x0 < 36 * fs; /* only the one that is done */
  const char *note = td_plot_text(&s->w->note, 0);
  for (size_t i = 0; s->w->choices.blob && i < s->w->choices.dim[0]; i++) {
    const char *name = td_plot_text(&s->w->choices, i);
    bool now = s->w->phase == (int)i;
    if (narrow && !now) continue;
    double w = width_of(k, name, false);
    td_plot_rect r = {x, y - 0.8 * fs, x + w + 1.4 * fs, y + 0.8 * fs};
    rounded(k, r, 0.8 * fs);
    fill(k, now ? k->accent : mix(k->paper, k->ink, 0.07), 1);
    text(k, name, now ? k->paper : k->muted, false, x + 0.7 * fs, y, 0);
    x = r.x1 + 0.5 * fs;
  }
  if (note) fitted(k, note, k->ink, x + 0.5 * fs, y, s->cell.x1 - x - 0.5 * fs);
}

static void draw_player(look *k, const td_plot_spot *s) {
  char count[64];
  double fs = k->fs, shown = k->panel->shown;
  for (int part = 0; part < TD_PLOT_PART_SCRUB; part++) draw_part(k, s, part);
  td_plot_rect scrub = td_plot_spot_part(s, fs, TD_PLOT_PART_SCRUB);
  double y = (scrub.y0 + scrub.y1) / 2;
  snprintf(count, sizeof count, "step %.0f", isfinite(shown) ? shown : s->w->step);
  td_plot_rect follow = td_plot_spot_part(s, fs, TD_PLOT_PART_FOLLOW);
  bool narrow = follow.y1 < scrub.y1 - 0.5 * fs;
  text(k, count, isfinite(shown) ? td_plot_cycle_color(k->p, 1) : k->ink, false,
       narrow ? s->cell.x0 : scrub.x0 - 7.0 * fs,
       narrow ? (follow.y0 + follow.y1) / 2 : y, 0);
  draw_scrub(k, s);
  if (s->w->phased) draw_phases(k, s);
  else if (td_plot_text(&s->w->note, 0) && !(k->panel->last > k->panel->first))
    fitted(k, td_plot_text(&s->w->note, 0), k->ink, scrub.x0, y, s->cell.x1 - scrub.x0);
}

/* ---- the strip ------------------------------------------------------------- */
static bool is_clipped(const td_plot_painter *p, td_plot_rect r) {
  double x0, y0, x1, y1;
  cairo_clip_extents(p->cr, &x0, &y0, &x1, &y1);
  return r.x1 + 8 < x0 || r.x0 - 8 > x1 || r.y1 + 8 < y0 || r.y0 - 8 > y1;
}

static void draw_spot(look *k, const td_plot_spot *s) {
  switch (s->w->kind) {
    case TD_PLOT_WIDGET_SLIDER: draw_slider(k, s); break;
    case TD_PLOT_WIDGET_TOGGLE: draw_toggle(k, s); break;
    case TD_PLOT_WIDGET_MENU: draw_menu(k, s); break;
    case TD_PLOT_WIDGET_BUTTON: draw_button(k, s); break;
    case TD_PLOT_WIDGET_TEXT: draw_text(k, s); break;
    case TD_PLOT_WIDGET_PLAYER: draw_player(k, s); break;
    default: break;
  }
}

void td_plot_strip_draw(const td_plot_panel *p, td_plot_painter *painter,
                        const td_plot_strip *strip) {
  look k = look_of(painter, p);
  if (strip->n == 0) return;
  cairo_save(painter->cr);
  const td_plot_rect *b = &strip->box;
  bool beside = b->y0 == 0 && b->x0 > 0;
  cairo_rectangle(painter->cr, b->x0, b->y0, b->x1 - b->x0, b->y1 - b->y0);
  fill(&k, mix(k.paper, k.ink, 0.025), 1);
  line(&k, b->x0, b->y0, beside ? b->x0 : b->x1, beside ? b->y1 : b->y0);
  stroke(&k, k.faint, 0.09);
  for (int i = 0; i < strip->n; i++)
    if (!is_clipped(painter, strip->spot[i].cell)) draw_spot(&k, &strip->spot[i]);
  for (int i = 0; i < strip->n; i++)
    if (strip->spot[i].w->serial == p->hand.open) draw_list(&k, &strip->spot[i]);
  cairo_restore(painter->cr);
}
