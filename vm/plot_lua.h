/* plot_lua.h -- what the two halves of the Lua binding of figures share. */
#ifndef TD_PLOT_LUA_H
#define TD_PLOT_LUA_H
#include <lua.h>

#include "vm/plot.h"

/* Options that are being changed: a copy that Lua's collector owns until it is
** committed, so that an error half-way leaves the figure as it was. */
typedef struct td_plot_draft {
  unsigned owner;
  union {
    td_plot_figure_options figure;
    td_plot_axes_options axes;
    td_plot_bar_options bar;
    td_plot_theme theme;
    td_plot_artist_options artist;
  } o;
} td_plot_draft;

td_plot_figure *td_plot_lua_figure(lua_State *L, int idx);
td_plot_figure *td_plot_lua_left(lua_State *L, int idx); /* NULL: it was collected */
td_plot_axes *td_plot_lua_axes(lua_State *L, int idx); /* user value 1: its Figure */
int td_plot_lua_fail(lua_State *L); /* raises td_plot_error() */
/* Pushes a draft with a copy of `from`. */
td_plot_draft *td_plot_lua_draft(lua_State *L, unsigned owner, const void *from);
void td_plot_lua_open_drafts(lua_State *L);
/* Reads the options in table `idx` into options of this owner; keys in `skip`
** ("|id|row|") belong to the caller. */
void td_plot_lua_apply(lua_State *L, int idx, unsigned owner, void *options,
                       const char *skip);
/* Pushes the value of an option. */
void td_plot_lua_push(lua_State *L, const td_plot_option *o, const void *options);
td_plot_color td_plot_lua_color(lua_State *L, int idx, const char *what);
void td_plot_lua_theme(lua_State *L, int idx, td_plot_theme *theme);
#endif
