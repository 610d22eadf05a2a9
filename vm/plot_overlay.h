/* plot_overlay.h -- what lies above a figure and can be grabbed: the seam between
** windows and handles, controls, brushes.
**
** A figure has at most one overlay, which holds all of them. It is set once, by
** Lua's thread, and dropped with the figure. A window keeps the picture of the axes
** and draws the overlay above it, so a change of the overlay draws no data again.
**
** Threads: the windows' thread calls room, dirty, draw and event; Lua's thread draws
** files. Neither holds a lock then: an overlay takes td_plot_lock, or one of its
** own, around its own state. What it has to tell Lua it puts in a queue. When Lua
** changes it, it calls td_plot_overlay_changed, without a lock.
**
** Places and lengths are points from the top left of the window, which is also
** that of the page. */
#ifndef TD_PLOT_OVERLAY_H
#define TD_PLOT_OVERLAY_H
#include "vm/plot.h"

struct td_plot_painter;
struct td_plot_layout;

typedef enum {
  TD_PLOT_PRESS,   /* taken: what follows up to RELEASE or CANCEL is ours, too */
  TD_PLOT_DRAG,    /* the pointer moves while a button is held */
  TD_PLOT_RELEASE,
  TD_PLOT_CANCEL,  /* a drag ends without release: Escape, another size */
  TD_PLOT_HOVER,   /* it moves otherwise; taken: no value is shown there */
  TD_PLOT_LEAVE,   /* it left the window */
  TD_PLOT_WHEEL,
  TD_PLOT_KEY
} td_plot_event_kind;

enum { TD_PLOT_LEFT = 1, TD_PLOT_MIDDLE_BUTTON, TD_PLOT_RIGHT, TD_PLOT_BACK,
       TD_PLOT_FORWARD };
enum { TD_PLOT_SHIFT = 1, TD_PLOT_CTRL = 2, TD_PLOT_ALT = 4 };
enum { /* keys that are no characters */
  TD_PLOT_KEY_ESCAPE = 27, TD_PLOT_KEY_ENTER = 13, TD_PLOT_KEY_TAB = 9,
  TD_PLOT_KEY_BACKSPACE = 8, TD_PLOT_KEY_DELETE = 127,
  TD_PLOT_KEY_LEFT = 256, TD_PLOT_KEY_RIGHT, TD_PLOT_KEY_UP, TD_PLOT_KEY_DOWN,
  TD_PLOT_KEY_HOME, TD_PLOT_KEY_END, TD_PLOT_KEY_PAGE_UP, TD_PLOT_KEY_PAGE_DOWN
};

typedef struct td_plot_event {
  td_plot_event_kind kind;
  double x, y;
  int axes;       /* below the pointer, or -1; in a drag those where it began */
  double at[3];   /* the place in these axes: x, y, y2 in units of the data */
  int button;     /* PRESS, DRAG, RELEASE */
  int clicks;     /* PRESS: 2 for a double click */
  int key;        /* KEY: a character of ASCII or one of the above */
  unsigned mods;
  double steps;   /* WHEEL: upwards */
  double time;    /* td__plot_clock() */
  const struct td_plot_layout *layout; /* of what is seen; until event returns */
} td_plot_event;

enum { /* parts of an overlay */
  TD_PLOT_OVERLAY_MARKS = 1, /* on the axes: also in files */
  TD_PLOT_OVERLAY_PANEL = 2  /* beside them */
};

/* Members may be NULL. */
typedef struct td_plot_overlay_class {
  /* The strips to the right and below (of a window of w x h) that belong to the panel;
  ** the page of the axes is what is left. Asked before each new layout. */
  void (*room)(void *self, struct td_plot_painter *p, double w, double h,
               double *right, double *below);
  /* What must be drawn again since dirty was called last, in this layout: where
  ** things are, and where they were. NULL: everything, always. Not called for files. */
  td_plot_rect (*dirty)(void *self, struct td_plot_painter *p,
                        const struct td_plot_layout *l, double w, double h);
  /* Draws these parts; what a window need not see again is clipped away. The panel's
  ** strips are filled with the theme's background. */
  void (*draw)(void *self, struct td_plot_painter *p, const struct td_plot_layout *l,
               double w, double h, unsigned parts);
  /* True: taken, the window does nothing with it. */
  bool (*event)(void *self, const td_plot_event *e);
  /* A copy for a snapshot that may be drawn and dropped on any thread; called in
  ** td_plot_lock. NULL, or when it returns NULL: snapshots show no overlay. */
  void *(*copy)(const void *self);
  void (*drop)(void *self);
} td_plot_overlay_class;

/* Gives f an overlay; false when it has one already. */
bool td_plot_overlay_set(td_plot_figure *f, const td_plot_overlay_class *k, void *self);
/* After each change of the overlay that windows should show. Never waits. */
void td_plot_overlay_changed(td_plot_figure *f);
#endif
