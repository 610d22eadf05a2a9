/* plot_lua.h -- what the two halves of the Lua binding of figures share. */
#ifndef TD_PLOT_LUA_H
#define TD_PLOT_LUA_H
#include <lua.h>

#include "tensor/tensor.h"
#include "vm/plot.h"

/* Values of options that are on their way from a device (plot_late.c). */
typedef struct td_plot_late_value {
  const td_plot_option *option;
  td_fetch *fetch;        /* owned */
  td_plot_blob *blob[2];  /* owned: stand in for the numbers; of pairs there are two */
} td_plot_late_value;

enum { TD_PLOT_LATE = 24 }; /* fields of numbers that an artist may have */
typedef struct td_plot_late {
  int n;
  td_plot_late_value of[TD_PLOT_LATE];
} td_plot_late;

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
  td_plot_late late; /* of an artist */
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
/* The same into an artist's draft; numbers that lie on a device come later. */
void td_plot_lua_apply_draft(lua_State *L, int idx, td_plot_draft *d, const char *skip);
/* Reads one option. */
void td_plot_lua_read(lua_State *L, unsigned owner, const td_plot_option *o, int idx,
                      void *options);
/* Pushes the value of an option. */
void td_plot_lua_push(lua_State *L, const td_plot_option *o, const void *options);
td_plot_color td_plot_lua_color(lua_State *L, int idx, const char *what);
void td_plot_lua_theme(lua_State *L, int idx, td_plot_theme *theme);

/* ---- what comes later (plot_late.c) ---- */
/* The tensor at idx if this option may wait for its numbers, else NULL. */
td_tensor *td_plot_late_tensor(lua_State *L, const td_plot_option *o, int idx);
/* Starts to fetch t, for which the NaN in *at (and the field after it) stand; may raise. */
void td_plot_late_begin(lua_State *L, td_plot_late *l, const td_plot_option *o, td_tensor *t,
                        td_plot_data *at);
void td_plot_late_drop(td_plot_late *l);
/* The options as they will be when all has come. */
const td_plot_artist_options *td_plot_late_options(lua_State *L, const td_plot_artist *a);
/* Is the value of this option still to come? */
bool td_plot_late_is(lua_State *L, const td_plot_artist *a, const td_plot_option *o);
/* Commits the draft, now or when all of it has come; takes over what it holds. */
int td_plot_late_commit(td_plot_artist *a, td_plot_draft *d);
/* The draft's artist, which is not seen before all of it has come; NULL with a message. */
td_plot_artist *td_plot_late_add(lua_State *L, td_plot_axes *ax, td_plot_kind kind,
                                 const char *id, td_plot_draft *d);
/* Appends numbers, or tensors of one element, at idx and idx + 1; the second may be missing. */
int td_plot_late_push(lua_State *L, td_plot_artist *a, int idx);
/* Waits for all that comes to this figure (NULL: to any); raises what goes wrong with it. */
void td_plot_late_settle(lua_State *L, const td_plot_figure *f);
#endif
