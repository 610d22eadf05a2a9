/* plot_view.h -- what one window shows and how it answers, without a window.
**
** A view keeps pixels in three layers: a canvas that follows the figure, with the
** limits that the person chose; the figure's overlay (plot_overlay.h); and texts
** that lie on top. Input is offered to the overlay first. Places are pixels from
** the top left. A view belongs to one thread.
**
** plot_view.c      limits, input
** plot_view_draw.c pictures
** plot_view_top.c  what lies on top */
#ifndef TD_PLOT_VIEW_H
#define TD_PLOT_VIEW_H
#include "vm/plot_draw.h"
#include "vm/plot_overlay.h"

/* What the person changed in one axes. */
#define TD_PLOT_HIDDEN 16 /* entries of a legend */
typedef struct td_plot_own {
  bool has[3];           /* limits of its own along x, y, y2 */
  td_plot_limits lim[3];
  bool fit;              /* limits from the data, whatever the script says */
  int grid, log;         /* -1: as the script says; else the options' values */
  int nhidden;
  struct {
    int serial, part;    /* of an artist; -1 or a class of its points */
  } hidden[TD_PLOT_HIDDEN];
} td_plot_own;

/* Limits that another window takes over: of axes with this word in option link. */
typedef struct td_plot_linked {
  char word[64];
  int dim;               /* TD_PLOT_X or TD_PLOT_Y */
  bool has, fit;         /* as in td_plot_own */
  td_plot_limits lim;
} td_plot_linked;
#define TD_PLOT_LINKS 16
#define TD_PLOT_PAST 50  /* views to go back to */

typedef struct td_plot_view {
  td_plot_figure *figure; /* owned */
  td_plot_canvas *canvas;
  double scale;           /* pixels per point */
  double full_w, full_h;  /* pixels of the page as it was made; 0: any size is right */
  bool several;           /* parts of a page, which need more room */
  double fit;             /* 1, or how much smaller all is in a window that is smaller */
  int w, h;
  int page_w, page_h;     /* what the overlay's panel leaves to the axes */
  td_plot_theme theme;    /* of the picture */
  unsigned asked;         /* of the panel's, what was taken */
  unsigned drawn;         /* figure->changes in the picture */
  unsigned over_drawn;    /* figure->overlay_changes */
  td_plot_own *own;
  int nown;
  td_plot_own *past[TD_PLOT_PAST]; /* nown of each, but for what came later */
  int npast, place;       /* views that are kept; that is seen, or npast: a newer one */
  double wheel;           /* when the wheel was turned last */
  td_plot_linked linked[TD_PLOT_LINKS]; /* for other windows; whoever takes them sets */
  int nlinked;                          /* this to 0 */
  char title[200];        /* of the figure */
  bool moved, touched;    /* the picture, or only what lies on top, is old */
  /* the pointer: */
  bool inside;
  double x, y;
  enum { TD_PLOT_IDLE, TD_PLOT_PAN, TD_PLOT_BOX, TD_PLOT_GRAB } drag;
  int button;             /* that is held */
  int axes;               /* that are dragged; GRAB, the overlay's: or -1 */
  bool far;               /* PAN: the pointer has left its place */
  bool covered;           /* the overlay has something below the pointer */
  double fromx, fromy;
  td_plot_scale from[3];  /* when the drag began, as the box */
  td_plot_rect box;
  /* on top: */
  bool help;
  char note[300];
  double note_until;
  cairo_surface_t *out;   /* the picture with what lies on top */
  td_plot_painter painter;
  td_plot_pixel_box top;  /* where something lies on top */
} td_plot_view;

/* Keeps the figure; NULL when out of memory. */
td_plot_view *td_plot_view_new(td_plot_figure *f, double scale);
void td_plot_view_free(td_plot_view *v);
void td_plot_view_resize(td_plot_view *v, int w, int h);

/* Has the figure changed since the last picture? Is something else to be drawn? */
bool td_plot_view_behind(const td_plot_view *v);
bool td_plot_view_touched(const td_plot_view *v, double now);
/* When it wants to be drawn without being touched; INFINITY: never. */
double td_plot_view_alarm(const td_plot_view *v);
/* Draws; `dirty` gets the pixels that changed. */
int td_plot_view_draw(td_plot_view *v, double now, td_plot_region *dirty);
/* The figure as it is seen: limits of the person, size; NULL when out of memory. */
td_plot_figure *td_plot_view_snapshot(td_plot_view *v);
/* Saves what is seen with a free name in the working directory: figure-N.png, or
** figure-N.svg and figure-N.pdf. */
void td_plot_view_save(td_plot_view *v, double now, bool vectors);
/* Takes over limits of another window. */
void td_plot_view_follow(td_plot_view *v, const td_plot_linked *l);
/* Draws what lies on top and returns where (plot_view_top.c). */
td_plot_pixel_box td_plot_view_top(td_plot_view *v);
/* The axes below the pointer, or -1; with `strip` also where their labels stand,
** which sets the dimensions that are meant. */
int td_plot_view_axes(const td_plot_view *v, double x, double y, unsigned *strip);
/* Opaque xRGB, rows of `stride` pixels; NULL before the first picture. */
const uint32_t *td_plot_view_pixels(const td_plot_view *v, int *w, int *h,
                                    ptrdiff_t *stride);

/* ---- input --------------------------------------------------------------- */
/* Something that the person did, with x and y in pixels (of the window, not of a
** KEY); `axes`, `at` and `layout` are filled in here. MOTION is HOVER or DRAG. */
void td_plot_view_input(td_plot_view *v, td_plot_event e);
#endif
