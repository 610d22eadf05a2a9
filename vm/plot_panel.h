/* plot_panel.h -- what a person grabs in a figure: handles, controls, a player.
**
** plot_panel.c        the model: a list of widgets, which is the figure's overlay
** plot_event.c        what was done to them, queued for Lua
** plot_panel_lua.c    module tide.plot.grab: both, for Lua
** plot_panel_place.c  where they are on the page
** plot_panel_draw.c   how the strip below the axes looks
** plot_panel_input.c  what the pointer and the keys do
** plot_handle.c       what lies in axes: looks, and moves
** plot_record.c       pictures of steps that are over
**
** The first three know no drawing, so the model is the same without windows. Two
** threads change it, Lua's and that of the windows, under td_plot_lock. A value that
** a person changes is changed at once, whatever Lua does; what Lua is to hear of it
** waits in the queue until it asks. */
#ifndef TD_PLOT_PANEL_H
#define TD_PLOT_PANEL_H
#include "vm/plot.h"
#include "vm/plot_overlay.h"

#define WIDGETS(W) \
  W(SLIDER, "slider") W(TOGGLE, "toggle") W(MENU, "menu") W(BUTTON, "button") \
  W(TEXT, "text") W(PLAYER, "player") \
  W(POINT, "point") W(XLINE, "x") W(YLINE, "y") W(BOX, "rect") W(BRUSH, "brush")
typedef enum {
#define W(kind, name) TD_PLOT_WIDGET_##kind,
  WIDGETS(W)
#undef W
  TD_PLOT_WIDGETS
} td_plot_widget_kind;

static inline bool td_plot_widget_in_axes(td_plot_widget_kind k) {
  return k >= TD_PLOT_WIDGET_POINT;
}

/* Values v: of a slider one number; of a toggle 0 or 1; of a menu the number of the
** choice, from 0; of a point x and y; of a line x or y; of a box x0, y0, x1, y1; of a
** player the step that is shown. */
typedef struct td_plot_widget {
  td_plot_widget_kind kind;
  int serial;             /* unique in its figure */
  int axes;               /* number of the axes; -1: in the panel */
  unsigned changes;       /* how often it was changed */
  double v[4], start[4];  /* now, and where a double click takes it back to */
  double lo[2], hi[2];    /* limits, of x and y; of a slider the first */
  double snap[2];         /* values are multiples of it, from lo; 0: any */
  bool log, integer, live, hidden, fixed; /* fixed: seen, but not to be moved */
  bool keys;              /* of a menu: the digits choose */
  char name[40];
  td_plot_data label, choices, format;
  td_plot_color color;
  double size;            /* of a mark, in points; of a brush, in units of x */
  /* TD_PLOT_WIDGET_PLAYER: */
  bool playing, slow, phased, over;
  int phase;              /* the one that is being done, from 0; -1: none */
  double step;            /* how many are done */
  td_plot_data note;
  /* TD_PLOT_WIDGET_BRUSH: */
  bool erase;
  int nx, ny;             /* cells; row 0 is the lowest */
  td_plot_blob *ink;      /* 0 to 1 for each; written by whoever holds the lock */
} td_plot_widget;

/* ---- the queue (plot_event.c) -------------------------------------------- */
#define NEWS(N) \
  N(PRESS, "press") N(DRAG, "drag") N(RELEASE, "release") N(HOVER, "hover") \
  N(LEAVE, "leave") N(PLAY, "play") N(STEP, "step") N(PHASE, "phase") \
  N(RESET, "reset") N(SLOW, "slow") N(SEEK, "seek")
typedef enum {
#define N(kind, name) TD_PLOT_NEWS_##kind,
  NEWS(N)
#undef N
  TD_PLOT_NEWS
} td_plot_news_kind;

typedef struct td_plot_news {
  td_plot_news_kind kind;
  int serial;       /* of the widget */
  double v[4];      /* its values then */
  double time;      /* seconds of td__plot_clock */
} td_plot_news;

#define TD_PLOT_QUEUE 256
typedef struct td_plot_queue {
  td_plot_news item[TD_PLOT_QUEUE];
  int first, n;
} td_plot_queue;

/* Adds one and wakes who waits. A drag or a hover replaces the one before of the same
** widget, so there is at most one of each between a press and a release. When the
** queue is full the oldest drag or hover makes room; else the new one is dropped. */
void td_plot_queue_add(td_plot_queue *q, td_plot_news n);
bool td_plot_queue_take(td_plot_queue *q, td_plot_news *out);
void td_plot_queue_clear(td_plot_queue *q);
/* How many wait in all queues; needs no lock. */
int td_plot_queue_pending(void);
/* A descriptor that can be read while some wait, made when first asked for; -1:
** none. */
int td_plot_queue_fd(void);
/* After reading it is quiet until the next one is added. */
void td_plot_queue_quiet(void);
/* Waits up to ms for something to be added. */
void td_plot_queue_wait(int ms);

/* ---- the panel ----------------------------------------------------------- */
typedef struct td_plot_frames td_plot_frames; /* plot_record.c */

/* What the pointer does; only the windows' thread looks at it. */
typedef struct td_plot_hand {
  int held, part;         /* serial of the widget that is dragged, or 0; which part */
  int hover, hover_part;
  int focus;              /* that keys go to */
  int open;               /* menu whose list is open, */
  int choice;             /* and the line of it below the pointer, or -1 */
  int last;               /* that was pressed before, if it was not moved then */
  double from[4];         /* values when the drag began */
  double grip[2];         /* from the pointer to what it holds, in points */
  double shown;           /* of a slider that tells only when it is let go */
  double at[3];           /* place of the pointer in the axes */
  double px, py;          /* and on the page */
  bool inside;            /* a brush's ring is seen */
} td_plot_hand;

/* The limits of axes in a window, where a person chose them. */
typedef struct td_plot_look {
  bool has;
  double lim[4]; /* x0, x1, y0, y1 */
} td_plot_look;

typedef struct td_plot_panel {
  td_plot_figure *figure; /* not owned: the figure owns the panel; NULL in copies */
  int n, serial;
  td_plot_widget *widget;
  int columns;            /* that controls stand in; 0: as many as fit */
  bool beside;            /* to the right of the axes instead of below */
  td_plot_queue queue;
  td_plot_frames *frames; /* or NULL */
  double first, last, shown; /* of a copy: steps of its frames; NaN: none */
  td_plot_hand hand;
  td_plot_look *look; /* of each axes; told by the window, or asked of it */
  int nlook;
  unsigned asked, taken; /* how often Lua changed them; when the window last looked */
  /* what was drawn last, for the windows' thread: */
  struct td_plot_seen *seen;
  int nseen;
} td_plot_panel;

/* The panel of a figure, made when there is none; NULL with a message. */
td_plot_panel *td_plot_panel_of(td_plot_figure *f);
/* The same, NULL where none was made. */
td_plot_panel *td_plot_panel_find(const td_plot_figure *f);
/* Room for what n axes show; with the lock held; false: out of memory. */
bool td_plot_looks(td_plot_panel *p, int n);
/* The next four want the lock held. Widgets move when others are added. */
td_plot_widget *td_plot_widget_add(td_plot_panel *p, td_plot_widget_kind kind);
td_plot_widget *td_plot_widget_find(const td_plot_panel *p, int serial);
void td_plot_widget_remove(td_plot_panel *p, int serial);
/* Puts values inside the limits and onto the grid of snap. */
void td_plot_widget_bound(const td_plot_widget *w, double v[4]);
/* A slider's value from its place, 0 to 1, and back. */
double td_plot_slider_at(const td_plot_widget *w, double unit);
double td_plot_slider_unit(const td_plot_widget *w, double v);
/* How a value is written: by its format, or short. */
void td_plot_slider_text(const td_plot_widget *w, double v, char *out, size_t size);

/* Copies for drawing and for snapshots: widgets alone. */
td_plot_panel *td_plot_panel_copy(const td_plot_panel *p);
void td_plot_panel_drop(td_plot_panel *p);

extern const td_plot_overlay_class td_plot_panel_class;
/* The strips beside and below a page that is w points wide; 0 without controls. */
void td_plot_panel_room(const td_plot_figure *f, double w, double *right, double *below);

/* ---- the strip (plot_panel_place.c, plot_panel_draw.c) --------------------- */
/* Where a widget stands on the page. Lengths are in points; fs is the size of letters. */
typedef struct td_plot_spot {
  const td_plot_widget *w;
  td_plot_rect cell;
  bool beside;       /* its strip is beside the axes: lists open downwards */
} td_plot_spot;

typedef struct td_plot_strip {
  td_plot_rect box;  /* empty: there are no controls */
  int n;
  td_plot_spot *spot; /* free it */
} td_plot_strip;

enum { /* parts of a player */
  TD_PLOT_PART_RESET, TD_PLOT_PART_PLAY, TD_PLOT_PART_STEP, TD_PLOT_PART_PHASE,
  TD_PLOT_PART_SLOW, TD_PLOT_PART_SCRUB, TD_PLOT_PART_FOLLOW, TD_PLOT_PARTS
};

/* The room that the strip takes of a window that is w wide. */
void td_plot_strip_room(const td_plot_panel *p, double fs, double w, double *right,
                        double *below);
/* The strip of a window of w x h; no spots when out of memory. */
td_plot_strip td_plot_strip_make(const td_plot_panel *p, double fs, double w, double h);
/* Of a slider and a scrub bar: the line that the knob is on, from x0 to x1. */
td_plot_rect td_plot_spot_track(const td_plot_spot *s, double fs);
/* The box of a menu, the switch of a toggle, the body of a button. */
td_plot_rect td_plot_spot_body(const td_plot_spot *s, double fs);
td_plot_rect td_plot_spot_part(const td_plot_spot *s, double fs, int part);
/* The list of an open menu, in a window of this height, and the height of a line. */
td_plot_rect td_plot_spot_list(const td_plot_spot *s, double fs, double *line);
struct td_plot_painter;
struct td_plot_layout;
void td_plot_strip_draw(const td_plot_panel *p, struct td_plot_painter *painter,
                        const td_plot_strip *strip);
bool td_plot_panel_event(td_plot_panel *p, const td_plot_event *e);
/* The same without a window: lays the figure out as a window of its size would, and fills
** in the rest of the event; false in a build without drawing. */
bool td_plot_panel_input(td_plot_panel *p, td_plot_event *e);

/* ---- in axes (plot_handle.c) ------------------------------------------------- */
void td_plot_marks_draw(const td_plot_panel *p, struct td_plot_painter *painter,
                        const struct td_plot_layout *l);
/* What a mark covers, with its halo and its label. */
td_plot_rect td_plot_mark_reach(const td_plot_panel *p, const td_plot_widget *w,
                                struct td_plot_painter *painter,
                                const struct td_plot_layout *l);
/* The mark at this place of the page, and its part; NULL: none. */
td_plot_widget *td_plot_mark_at(const td_plot_panel *p, const struct td_plot_layout *l,
                                double x, double y, int *part);
/* Takes hold of it there; then moves it. */
void td_plot_mark_hold(td_plot_panel *p, td_plot_widget *w, int part,
                       const struct td_plot_layout *l, double x, double y);
void td_plot_mark_move(td_plot_panel *p, td_plot_widget *w,
                       const struct td_plot_layout *l, double x, double y);
/* By so many hundredths of the axes. */
void td_plot_mark_nudge(td_plot_widget *w, const struct td_plot_layout *l, double dx,
                        double dy);

/* ---- brushes (plot_handle_brush.c) ----------------------------------------- */
/* Makes the sheet of a brush; -1: out of memory. */
int td_plot_brush_open(td_plot_widget *w);
/* A stroke from one place to another, both x, y in units of the data. Lock held. */
void td_plot_brush_stroke(td_plot_widget *w, const double from[2], const double to[2],
                          bool erase);
void td_plot_brush_clear(td_plot_widget *w);

/* ---- frames (plot_record.c) ------------------------------------------------ */
/* Keeps at most `keep` pictures of the figure and `bytes` of data that only they
** hold: every second one goes when there are more. */
int td_plot_frames_open(td_plot_panel *p, int keep, size_t bytes);
void td_plot_frames_close(td_plot_panel *p);
/* Keeps the figure as it is, as that of a step; a later picture of a step that is
** there, or of an earlier one, forgets those from there on. */
int td_plot_frames_add(td_plot_panel *p, double step);
void td_plot_frames_clear(td_plot_panel *p);
int td_plot_frames_count(const td_plot_panel *p);
size_t td_plot_frames_bytes(const td_plot_panel *p);
double td_plot_frames_step(const td_plot_panel *p, int k);
/* Shows the picture of the last step up to this one; infinity: what comes. */
void td_plot_frames_seek(td_plot_panel *p, double step);
/* The figure as it was at the step that is shown, or NULL: it is what comes. Drop it. */
td_plot_figure *td_plot_frames_figure(const td_plot_figure *f);
/* The step that is shown; infinity when it is what comes. */
double td_plot_frames_shown(const td_plot_panel *p);
/* td_plot_frames_seek with the lock held; and the frame `by` further on, or what comes. */
void td_plot_frames_point(td_plot_panel *p, double step);
double td_plot_frames_next(const td_plot_panel *p, int by);
#endif
