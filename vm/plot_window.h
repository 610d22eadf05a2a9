/* plot_window.h -- windows that show figures, on a thread of their own.
**
** plot_window.c      the functions below: what Lua's thread asks of the windows
** plot_window_loop.c the thread of the windows: SDL, events, pace
** plot_view.c        one window without SDL: limits, keys, what lies on top
**
** A figure is changed by one thread, Lua's. The windows' thread takes snapshots,
** so it pans, zooms and repaints whatever Lua does. In the program the windows'
** thread is that of main(), which sleeps until the first window; in a module of
** stock Lua it is started with the first window. SDL is opened then, too. */
#ifndef TD_PLOT_WINDOW_H
#define TD_PLOT_WINDOW_H
#include "vm/plot.h"

/* Runs lua(argc, argv) on a thread of its own and lends the calling one to windows;
** returns what it returned. */
int td_plot_window_host(int (*lua)(int, char **), int argc, char **argv);

enum { TD_PLOT_SHOWN, TD_PLOT_NO_WINDOWS, TD_PLOT_NOT_SHOWN };
/* Opens a window unless the figure has one. NO_WINDOWS: there is no display, or
** none is wanted; td_plot_error() says why. NOT_SHOWN: a failure. */
int td_plot_window_show(td_plot_figure *f);
/* Closes the figure's window, if it has one. */
void td_plot_window_close(const td_plot_figure *f);
/* Has the figure (NULL: has any) a window? Waits up to ms for the answer no. */
bool td_plot_window_open(const td_plot_figure *f, int ms);
/* True now and then: so seldom that drawing takes no more than its share. */
bool td_plot_window_due(const td_plot_figure *f);
/* What drawing and showing took since the last call: so many frames, seconds of
** the processor and of the clock. */
typedef struct td_plot_window_cost {
  unsigned frames;
  double cpu, wall;
} td_plot_window_cost;
td_plot_window_cost td_plot_window_spent(const td_plot_figure *f);
/* Closes all windows for good; false when their thread does not answer. */
bool td_plot_window_quit(void);
/* A descriptor that can be read when the display is gone, for a prompt that shows
** the text below in its own way; else it goes to stderr. -1: none. */
int td_plot_window_news(void);
#define TD_PLOT_GONE_TEXT \
  "the display is gone: windows are closed, the program goes on"

/* ---- between the two threads (plot_window.c, plot_window_loop.c) ---------- */
#define TD_PLOT_SHARE 0.08 /* of a core that drawing may take while Lua computes */
#define TD_PLOT_PAUSE 0.016 /* seconds between frames, at least */

typedef enum {
  TD_PLOT_ASKED, TD_PLOT_OPEN, TD_PLOT_CLOSING, TD_PLOT_GONE
} td_plot_window_state;

typedef struct td_plot_window {
  td_plot_figure *figure; /* owned */
  void *own;              /* the loop's */
  /* under the lock: */
  td_plot_window_state state;
  char error[200];        /* GONE without having been open */
  double pause;           /* between two frames */
  td_plot_window_cost cost;
  double due;             /* when td_plot_window_due is true again */
  int waiters;            /* threads that look at this struct */
  struct td_plot_window *next;
} td_plot_window;

typedef struct td_plot_desk {
  td_plot_window *windows;
  bool quit;              /* asked for */
  atomic_bool asleep;     /* the loop waits for a wake */
  int wake;               /* eventfd, or -1 */
} td_plot_desk;

extern td_plot_desk td__plot_desk;
extern bool td__plot_any_driver; /* for tests: also a driver of SDL that shows nothing */
void td__plot_desk_lock(void);
void td__plot_desk_unlock(bool tell); /* tell: whoever waits looks again */
double td__plot_clock(void);          /* seconds */
/* Runs until quit or until the display is lost; says in `why` (200 bytes) why it
** could not start, or what happened, else "". */
void td__plot_window_loop(char *why);
/* Called once windows can be opened; the other way to end is to return. */
void td__plot_window_ready(void);
#endif
