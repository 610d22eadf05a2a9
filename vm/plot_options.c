/* plot_options.c -- the table of options, their defaults, copies and names. */
#include "lua/lua_td.h"
#include "vm/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { /* letters of the kinds */
#define KIND(kind, name, letter, ...) letter = 1 << TD_PLOT_##kind,
#include "vm/plot_kinds.def"
#undef KIND
  ALL = (1 << TD_PLOT_KINDS) - 1
};

#define ROW(owners, type, name, kind, field, ...) \
  {owners, name, TD_PLOT_OPT_##kind, offsetof(type, field), __VA_ARGS__},
#define FIGURE(name, kind, field, ...) \
  ROW(TD_PLOT_OWNER_FIGURE, td_plot_figure_options, name, kind, field, __VA_ARGS__)
#define AXES(name, kind, field, ...) \
  ROW(TD_PLOT_OWNER_AXES, td_plot_axes_options, name, kind, field, __VA_ARGS__)
#define BAR(name, kind, field, ...) \
  ROW(TD_PLOT_OWNER_BAR, td_plot_bar_options, name, kind, field, __VA_ARGS__)
#define THEME(name, kind, field, ...) \
  ROW(TD_PLOT_OWNER_THEME, td_plot_theme, name, kind, field, __VA_ARGS__)
#define ARTIST(owners, name, kind, field, ...) \
  ROW(owners, td_plot_artist_options, name, kind, field, __VA_ARGS__)

const td_plot_option td_plot_options[] = {
#include "vm/plot_options.def"
};
const int td_plot_options_count =
    (int)(sizeof td_plot_options / sizeof *td_plot_options);

/* ---- owners -------------------------------------------------------------- */
enum {
  TAKES = TD_PLOT_TAKES, ENTRY = TD_PLOT_ENTRY, MAP = TD_PLOT_MAP,
  GRID = TD_PLOT_GRID, AREA = TD_PLOT_AREA
};

const td_plot_kind_info td_plot_kinds[TD_PLOT_KINDS] = {
#define KIND(kind, name, letter, order, width, fill, color, flags) \
  {name, order, width, fill, TD_PLOT_BY_##color, flags},
#include "vm/plot_kinds.def"
#undef KIND
};

int td_plot_kind_find(const char *name) {
  for (int k = 0; k < TD_PLOT_KINDS; k++)
    if (strcmp(name, td_plot_kinds[k].name) == 0) return k;
  return -1;
}

static int owner_kind(unsigned owner) {
  for (int k = 0; k < TD_PLOT_KINDS; k++)
    if (owner == 1u << k) return k;
  return -1;
}

const char *td_plot_owner_name(unsigned owner) {
  switch (owner) {
    case TD_PLOT_OWNER_FIGURE: return "figure";
    case TD_PLOT_OWNER_AXES: return "axes";
    case TD_PLOT_OWNER_BAR: return "colorbar";
    case TD_PLOT_OWNER_THEME: return "theme";
    default: return td_plot_kinds[owner_kind(owner)].name;
  }
}

size_t td_plot_owner_size(unsigned owner) {
  switch (owner) {
    case TD_PLOT_OWNER_FIGURE: return sizeof(td_plot_figure_options);
    case TD_PLOT_OWNER_AXES: return sizeof(td_plot_axes_options);
    case TD_PLOT_OWNER_BAR: return sizeof(td_plot_bar_options);
    case TD_PLOT_OWNER_THEME: return sizeof(td_plot_theme);
    default: return sizeof(td_plot_artist_options);
  }
}

/* ---- words --------------------------------------------------------------- */
const char *td_plot_choice_name(const char *choices, int k, int *n) {
  while (k-- > 0 && choices) {
    choices = strchr(choices, '|');
    if (choices) choices++;
  }
  *n = choices ? (int)strcspn(choices, "|") : 0;
  return choices;
}

int td_plot_choice_find(const td_plot_option *o, const char *word) {
  const char *w;
  for (int k = 0, n; (w = td_plot_choice_name(o->choices, k, &n)); k++)
    if (strlen(word) == (size_t)n && memcmp(w, word, (size_t)n) == 0) return k;
  return -1;
}

const char *td_plot_suggest(const char *word, const char *choices, char *out,
                            size_t size) {
  enum { MOST = 96, LETTERS = 32 };
  char words[MOST][LETTERS];
  const char *list[MOST + 1], *w;
  int count = 0;
  for (int n; count < MOST && (w = td_plot_choice_name(choices, count, &n));) {
    snprintf(words[count], LETTERS, "%.*s", n, w);
    list[count] = words[count];
    count++;
  }
  list[count] = NULL;
  const char *near = td_lua_nearest(word, list);
  if (near) {
    snprintf(out, size, "; did you mean '%s'?", near);
    return out;
  }
  size_t used = (size_t)snprintf(out, size, "; there is ");
  for (int i = 0; i < count && used < size; i++)
    used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
                             words[i]);
  return out;
}

const td_plot_option *td_plot_option_find(unsigned owner, const char *name,
                                          const char *more) {
  char all[2048] = "", near[400];
  size_t used = more && strlen(more) > 2 ? strlen(more) - 2 : 0;
  if (used) snprintf(all, used + 1, "%s", more + 1);
  for (int i = 0; i < td_plot_options_count; i++) {
    const td_plot_option *o = &td_plot_options[i];
    if (!(o->owners & owner)) continue;
    if (strcmp(o->name, name) == 0) return o;
    int n = snprintf(all + used, sizeof all - used, "%s%s", used ? "|" : "",
                     o->name);
    if (n > 0 && used + (size_t)n < sizeof all) used += (size_t)n;
  }
  td_plot_fail("%s: unknown option '%s'%s", td_plot_owner_name(owner), name,
               td_plot_suggest(name, all, near, sizeof near));
  return NULL;
}

/* ---- defaults ------------------------------------------------------------ */
#define COLOR_AUTO {.kind = TD_PLOT_COLOR_AUTO}
#define COLOR_NONE {.kind = TD_PLOT_COLOR_NONE}
#define LIM_AUTO {NAN, NAN}
#define ARTIST_BASE \
  .edge = COLOR_AUTO, .box = COLOR_NONE, .clip = LIM_AUTO, .width = NAN, \
  .edgewidth = 0.4, .alpha = 1, .order = NAN, .scale = NAN, .tail = NAN, \
  .vmin = NAN, .vmax = NAN, .vcenter = NAN, .fontsize = NAN, .cmap = -1, \
  .visible = true, .legend = true, .fade = true, .columns = NAN, .gap = NAN, \
  .range = LIM_AUTO, .fill = NAN, .spacing = NAN, .head = NAN, .cap = NAN, \
  .room = 0.8, .density = true

static const td_plot_artist_options plain = {ARTIST_BASE};
static const td_plot_artist_options points = {
  ARTIST_BASE, .marker = 2 + TD_PLOT_CIRCLE
};
static const td_plot_artist_options ovals = {
  ARTIST_BASE, .sigmas = {1, {2}}
};
static const td_plot_axes_options axes_defaults = {
  .lim = {LIM_AUTO, LIM_AUTO, LIM_AUTO}, .margin = 0.04
};
static const td_plot_bar_options bar_defaults = {.width = 9};

const void *td_plot_options_default(unsigned owner) {
  static _Thread_local td_plot_figure_options figure;
  static _Thread_local td_plot_theme theme;
  switch (owner) {
    case TD_PLOT_OWNER_FIGURE:
      figure = (td_plot_figure_options){
        .size = {.n = 2, .v = {640, 420}}, .text = true,
        .theme = td_plot_theme_default()
      };
      return &figure;
    case TD_PLOT_OWNER_AXES: return &axes_defaults;
    case TD_PLOT_OWNER_BAR: return &bar_defaults;
    case TD_PLOT_OWNER_THEME:
      theme = td_plot_theme_default();
      return &theme;
    case S: case E: return &points;
    case O: return &ovals;
    default: return &plain;
  }
}

/* ---- copies -------------------------------------------------------------- */
static bool holds_blob(td_plot_opt_kind kind) {
  return kind == TD_PLOT_OPT_DATA || kind == TD_PLOT_OPT_STRING ||
         kind == TD_PLOT_OPT_STRINGS || kind == TD_PLOT_OPT_COLORS;
}

/* Bit i of the answer: option i is the first of its owner to use its field,
** so that two names for one field (legend) count once. */
static bool first_of_field(int i, unsigned owner) {
  for (int j = 0; j < i; j++)
    if ((td_plot_options[j].owners & owner) &&
        td_plot_options[j].offset == td_plot_options[i].offset &&
        holds_blob(td_plot_options[j].kind))
      return false;
  return true;
}

void td_plot_options_copy(unsigned owner, void *dst, const void *src) {
  memcpy(dst, src, td_plot_owner_size(owner));
  for (int i = 0; i < td_plot_options_count; i++) {
    const td_plot_option *o = &td_plot_options[i];
    if (!(o->owners & owner) || !holds_blob(o->kind)) continue;
    if (first_of_field(i, owner))
      td_plot_blob_keep(((td_plot_data *)((char *)dst + o->offset))->blob);
  }
}

void td_plot_options_drop(unsigned owner, void *options) {
  for (int i = 0; i < td_plot_options_count; i++) {
    const td_plot_option *o = &td_plot_options[i];
    if ((o->owners & owner) && holds_blob(o->kind))
      td_plot_data_drop((td_plot_data *)((char *)options + o->offset));
  }
}

size_t td_plot_option_size(td_plot_opt_kind kind) {
  switch (kind) {
    case TD_PLOT_OPT_NUMBER: return sizeof(double);
    case TD_PLOT_OPT_BOOL: return sizeof(bool);
    case TD_PLOT_OPT_CHOICE:
    case TD_PLOT_OPT_CMAP: return sizeof(int);
    case TD_PLOT_OPT_COLOR: return sizeof(td_plot_color);
    case TD_PLOT_OPT_LIMITS: return sizeof(td_plot_limits);
    case TD_PLOT_OPT_LIST: return sizeof(td_plot_list);
    case TD_PLOT_OPT_THEME: return sizeof(td_plot_theme);
    case TD_PLOT_OPT_FONT: return 64;
    case TD_PLOT_OPT_CYCLE: return TD_PLOT_CYCLE * sizeof(td_plot_color);
    default: return sizeof(td_plot_data);
  }
}

void td_plot_option_reset(unsigned owner, const td_plot_option *o,
                          void *options) {
  char *field = (char *)options + o->offset;
  const char *standard = (const char *)td_plot_options_default(owner) + o->offset;
  if (holds_blob(o->kind)) td_plot_data_drop((td_plot_data *)field);
  if (o->kind == TD_PLOT_OPT_PAIRS)
    for (int k = 0; k < 2; k++) td_plot_data_drop((td_plot_data *)field + k);
  else
    memcpy(field, standard, td_plot_option_size(o->kind));
}
