/* plot_view.h -- what one window shows and how it answers, without a window.
**
** A view keeps pixels: a canvas that follows the figure, with the limits that the
** person chose, and above it texts that lie on top. Places are pixels from the
** top left. A view belongs to one thread. */
#ifndef TD_PLOT_VIEW_H
#define TD_PLOT_VIEW_H
#include "vm/plot_draw.h"

/* What the person changed in one axes. */
typedef struct td_plot_own {
  bool has[3];           /* limits of its own along x, y, y2 */
  td_plot_limits lim[3];
  bool fit;              /* limits from the data, whatever the script says */
  int grid, log;         /* -1: as the script says; else the options' values */
} td_plot_own;

typedef struct td_plot_view {
  td_plot_figure *figure; /* owned */
  td_plot_canvas *canvas;
  double scale;           /* pixels per point */
  int w, h;
  td_plot_theme theme;    /* of the picture */
  unsigned drawn;         /* figure->changes in the picture */
  td_plot_own *own;
  int nown;
  bool moved, touched;    /* the picture, or only what lies on top, is old */
  /* the pointer: */
  bool inside;
  double x, y;
  enum { TD_PLOT_IDLE, TD_PLOT_PAN, TD_PLOT_BOX } drag;
  int axes;               /* that are dragged */
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
int td_plot_view_draw(td_plot_view *v, double now, td_plot_pixel_box *dirty);
/* Saves what is seen as a PNG with a free name in the working directory. */
void td_plot_view_save(td_plot_view *v, double now);
/* Draws what lies on top and returns where (plot_view_top.c). */
td_plot_pixel_box td_plot_view_top(td_plot_view *v);
/* The axes below the pointer, or -1; with `strip` also where their labels stand,
** which sets the dimensions that are meant. */
int td_plot_view_axes(const td_plot_view *v, double x, double y, unsigned *strip);
/* Opaque xRGB, rows of `stride` pixels; NULL before the first picture. */
const uint32_t *td_plot_view_pixels(const td_plot_view *v, int *w, int *h,
                                    ptrdiff_t *stride);

/* ---- input --------------------------------------------------------------- */
enum { TD_PLOT_LEFT = 1, TD_PLOT_MIDDLE_BUTTON, TD_PLOT_RIGHT };
void td_plot_view_press(td_plot_view *v, double x, double y, int button,
                        bool shift, int clicks);
void td_plot_view_release(td_plot_view *v, double x, double y, int button);
void td_plot_view_move(td_plot_view *v, double x, double y);
void td_plot_view_leave(td_plot_view *v);
void td_plot_view_wheel(td_plot_view *v, double steps);
void td_plot_view_key(td_plot_view *v, char key, double now); /* 27: escape */
#endif
