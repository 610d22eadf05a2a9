/* plot_theme.c -- colours, widths and sizes of text that go together. */
#include "vm/plot.h"

#include <pthread.h>
#include <string.h>

#define RGB(hex) \
  {.kind = TD_PLOT_COLOR_RGBA, .r = ((hex) >> 16 & 255) / 255.0, \
   .g = ((hex) >> 8 & 255) / 255.0, .b = ((hex) & 255) / 255.0, .a = 1}

/* Okabe and Ito's colour-blind-safe set, strongest on white first. */
#define OKABE_ITO \
  {RGB(0x0072b2), RGB(0xd55e00), RGB(0x009e73), RGB(0xcc79a7), \
   RGB(0xe69f00), RGB(0x56b4e9), RGB(0xf0e442), RGB(0x999999)}
#define ON_BLACK \
  {RGB(0x56b4e9), RGB(0xe69f00), RGB(0x2cc799), RGB(0xe08bbd), \
   RGB(0xf0e442), RGB(0xff7a3d), RGB(0xa8a8a8), RGB(0x3f9be0)}
#define FONT "DejaVu Sans, Liberation Sans, Helvetica, Arial, sans-serif"

static const td_plot_theme themes[] = {
  {.name = "paper", .font = FONT, .fontsize = 8, .labelsize = 1.1,
   .titlesize = 1.25, .linewidth = 1.4, .framewidth = 0.6, .gridwidth = 0.5,
   .ticklength = 3, .gap = 10, .pointsize = 1, .scale = 1,
   .background = RGB(0xffffff),
   .face = RGB(0xffffff), .grid = RGB(0xe4e6ea), .ink = RGB(0x1b1f24),
   .muted = RGB(0x4a5058), .bad = RGB(0xb9bdc3), .cycle = OKABE_ITO},
  {.name = "dark", .font = FONT, .fontsize = 8, .labelsize = 1.1,
   .titlesize = 1.25, .linewidth = 1.4, .framewidth = 0.6, .gridwidth = 0.5,
   .ticklength = 3, .gap = 10, .pointsize = 1, .scale = 1,
   .background = RGB(0x14171c),
   .face = RGB(0x1b1f26), .grid = RGB(0x2d333c), .ink = RGB(0xeceff4),
   .muted = RGB(0xa9b1bd), .bad = RGB(0x59606a), .cycle = ON_BLACK},
  {.name = "projector", .font = FONT, .fontsize = 13, .labelsize = 1.1,
   .titlesize = 1.2, .linewidth = 2.6, .framewidth = 1.1, .gridwidth = 0.8,
   .ticklength = 5, .gap = 14, .pointsize = 1.6, .scale = 1,
   .background = RGB(0xffffff),
   .face = RGB(0xffffff), .grid = RGB(0xdcdfe4), .ink = RGB(0x000000),
   .muted = RGB(0x22262b), .bad = RGB(0xb0b4ba), .cycle = OKABE_ITO},
  {.name = "notebook", .font = FONT, .fontsize = 10, .labelsize = 1.05,
   .titlesize = 1.15, .linewidth = 1.6, .framewidth = 0.7, .gridwidth = 0.6,
   .ticklength = 3.5, .gap = 10, .pointsize = 1.15, .scale = 1,
   .background = RGB(0xffffff), .face = RGB(0xffffff), .grid = RGB(0xe4e6ea),
   .ink = RGB(0x1b1f24), .muted = RGB(0x4a5058), .bad = RGB(0xb9bdc3),
   .cycle = OKABE_ITO}
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static td_plot_theme standard;

const char *td_plot_theme_names(void) { return "paper|dark|projector|notebook"; }

const td_plot_theme *td_plot_theme_find(const char *name) {
  for (size_t i = 0; i < sizeof themes / sizeof *themes; i++)
    if (strcmp(themes[i].name, name) == 0) return &themes[i];
  char near[128];
  td_plot_fail("theme: there is no theme '%s'%s", name,
               td_plot_suggest(name, td_plot_theme_names(), near, sizeof near));
  return NULL;
}

td_plot_theme td_plot_theme_default(void) {
  pthread_mutex_lock(&lock);
  if (!standard.name[0]) standard = themes[0];
  td_plot_theme t = standard;
  pthread_mutex_unlock(&lock);
  return t;
}

void td_plot_theme_set_default(const td_plot_theme *t) {
  pthread_mutex_lock(&lock);
  standard = *t;
  pthread_mutex_unlock(&lock);
}
