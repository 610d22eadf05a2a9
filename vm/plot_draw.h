/* plot_draw.h -- drawing of figures with cairo and pango.
**
** A painter draws on one target: pixels in memory, or a cairo surface that keeps
** vectors. Drawing a figure is these steps:
**
**   td_plot_layout_make   boxes, ticks and labels, from the model and the fonts
**   td_plot_draw_page     background and heading
**   td_plot_draw_back     per axes: face, heatmaps, grid lines
**   td_plot_draw_artist   per axes: the others, in the order of td_plot_draw_list
**   td_plot_draw_front    per axes: frame, ticks, labels, colour bars, legend
**
** td_plot_draw does all of it. A canvas keeps what the steps drew and repeats
** only those that something has changed. Coordinates are points from the top
** left of the page. */
#ifndef TD_PLOT_DRAW_H
#define TD_PLOT_DRAW_H

#include "vm/plot.h"

/* As cairo and pango declare them; their headers stay in the .c files. */
typedef struct _cairo cairo_t;
typedef struct _cairo_surface cairo_surface_t;
typedef struct _PangoContext PangoContext;

typedef struct td_plot_rgba {
  double r, g, b, a;
} td_plot_rgba;

/* ---- painters (plot_painter.c) ------------------------------------------- */
typedef struct td_plot_sprite td_plot_sprite;
typedef struct td_plot_glyphs td_plot_glyphs;

typedef struct td_plot_painter {
  cairo_t *cr;
  cairo_surface_t *image; /* pixels to write to, or NULL: vectors only */
  double scale;           /* device pixels per point */
  double x, y;            /* page position of pixel (0, 0) */
  const td_plot_theme *theme; /* = &own: its scale is 1 */
  td_plot_theme own;
  bool text, clear; /* clear: no background */
  PangoContext *pango;
  td_plot_glyphs *glyphs;   /* layouts made so far */
  td_plot_sprite *sprites;  /* marker images made so far */
  uint8_t *mask;            /* coverage for a pen, as large as the image; 0 */
  bool mask_taken;
} td_plot_painter;

/* Starts a painter on a surface whose unit is 1/scale points; it draws into the
** pixels itself when the surface is an image. -1 with a message. */
int td_plot_painter_open(td_plot_painter *p, cairo_surface_t *surface,
                         double scale, double x, double y,
                         const td_plot_figure_options *o);
void td_plot_painter_close(td_plot_painter *p);
void td_plot_painter_theme(td_plot_painter *p, const td_plot_theme *theme);
td_plot_rgba td_plot_painter_color(const td_plot_painter *p,
                                   const td_plot_color *c, td_plot_rgba other);
td_plot_rgba td_plot_cycle_color(const td_plot_painter *p, int k);
void td_plot_set_color(td_plot_painter *p, td_plot_rgba c, double alpha);
static inline int td_plot_clamp(double v, int lo, int hi) {
  return v < lo ? lo : v > hi ? hi : (int)v;
}
/* v moved to the nearest pixel edge. */
double td_plot_snap_x(const td_plot_painter *p, double v);
double td_plot_snap_y(const td_plot_painter *p, double v);
/* The pixels of the painter's image that a rectangle of the page covers. */
typedef struct td_plot_pixel_box {
  int x0, y0, x1, y1;
} td_plot_pixel_box;
td_plot_pixel_box td_plot_pixels_of(const td_plot_painter *p, td_plot_rect r);
/* Makes a hold b, too; what lies in both (empty boxes hold nothing). */
void td_plot_box_add(td_plot_pixel_box *a, td_plot_pixel_box b);
td_plot_pixel_box td_plot_box_cut(td_plot_pixel_box a, td_plot_pixel_box b);
/* Pixels as a few boxes that do not overlap (plot_region.c). */
#define TD_PLOT_BOXES 8
typedef struct td_plot_region {
  int n;
  td_plot_pixel_box box[TD_PLOT_BOXES];
} td_plot_region;
void td_plot_region_add(td_plot_region *r, td_plot_pixel_box b);
td_plot_pixel_box td_plot_region_bounds(const td_plot_region *r);
/* Paints a colour on the image through a mask of coverages: that of pixel (x, y)
** is mask[(x - x0) * dx + (y - y0) * dy]. */
void td_plot_paint_mask(td_plot_painter *p, td_plot_pixel_box box,
                        const uint8_t *mask, ptrdiff_t dx, ptrdiff_t dy,
                        td_plot_rgba color, double alpha);
/* The opaque pixel of a colour, and a pixel that such a one covers by c of 255. */
static inline uint32_t td_plot_pixel(td_plot_rgba c) {
  return 0xff000000u | (uint32_t)(c.r * 255 + 0.5) << 16 |
         (uint32_t)(c.g * 255 + 0.5) << 8 | (uint32_t)(c.b * 255 + 0.5);
}
static inline uint32_t td_plot_mix(uint32_t dst, uint32_t src, uint32_t c) {
  uint32_t rb = (dst & 0xff00ff) * (255 - c) + (src & 0xff00ff) * c + 0x800080;
  uint32_t ag = (dst >> 8 & 0xff00ff) * (255 - c) + (src >> 8 & 0xff00ff) * c +
                0x800080;
  rb = (rb + (rb >> 8 & 0xff00ff)) >> 8 & 0xff00ff; /* x / 255, rounded */
  ag = (ag + (ag >> 8 & 0xff00ff)) & 0xff00ff00;
  return rb | ag;
}

/* ---- text (plot_text.c) -------------------------------------------------- */
typedef enum {
  TD_PLOT_BASELINE, TD_PLOT_TOP, TD_PLOT_MIDDLE, TD_PLOT_BOTTOM
} td_plot_valign;

typedef struct td_plot_style {
  double size; /* points */
  bool bold;
} td_plot_style;

void td_plot_text_size(td_plot_painter *p, const char *text, td_plot_style s,
                       double *w, double *h);
/* halign: 0 the text starts at x, 0.5 is centred, 1 ends there. Angle in
** degrees, counter-clockwise about (x, y). */
void td_plot_text_draw(td_plot_painter *p, const char *text, td_plot_style s,
                       td_plot_rgba color, double x, double y, double halign,
                       td_plot_valign valign, double angle);
void td_plot_glyphs_drop(td_plot_painter *p);

/* ---- layout (plot_layout.c) ---------------------------------------------- */
typedef struct td_plot_axis {
  td_plot_scale scale;
  td_plot_ticks ticks;
  double labels; /* widest (y) or highest (x) tick label */
} td_plot_axis;

typedef struct td_plot_axes_layout {
  const td_plot_axes *axes;
  td_plot_rect box;
  td_plot_axis axis[3];
  bool y2, image; /* has a second y axis; has a heatmap or images */
  const td_plot_artist *images; /* what shapes the box, or NULL */
  int nbars;
  td_plot_rect bar[TD_PLOT_COLORBARS];
  td_plot_axis bar_axis[TD_PLOT_COLORBARS];
  double margin[4]; /* left, right, top, bottom: what stands around the box */
  double inset;     /* the part of the right margin that is not shared */
  td_plot_rect legend; /* empty: none */
  int legend_place; /* inside the box: which of the candidates, from 0; or -1 */
} td_plot_axes_layout;

typedef struct td_plot_layout {
  td_plot_rect page;
  double title; /* height of the heading */
  int n;
  td_plot_axes_layout *axes;
} td_plot_layout;

td_plot_scale td_plot_class_range(const td_plot_artist *a);
int td_plot_layout_make(td_plot_painter *p, const td_plot_figure *f,
                        td_plot_layout *l);
void td_plot_layout_drop(td_plot_layout *l);
td_plot_style td_plot_label_style(const td_plot_painter *p);
td_plot_style td_plot_title_style(const td_plot_painter *p);

/* Distances between a tick and its label, and on to the name of the axis. */
double td_plot_tick_pad(const td_plot_painter *p);
double td_plot_label_pad(const td_plot_painter *p);
/* Width that tick labels and name of a y axis take beside the box. */
double td_plot_axis_depth(td_plot_painter *p, const td_plot_axis *a,
                          const char *label);

/* From data to the page. */
typedef struct td_plot_map {
  td_plot_scale x, y;
  td_plot_rect box;
} td_plot_map;

static inline td_plot_map td_plot_layout_map(const td_plot_axes_layout *a,
                                             bool y2) {
  return (td_plot_map){a->axis[0].scale, a->axis[y2 ? 2 : 1].scale, a->box};
}
static inline double td_plot_map_x(const td_plot_map *m, double v) {
  return m->box.x0 + td_plot_scale_to_unit(&m->x, v) * (m->box.x1 - m->box.x0);
}
static inline double td_plot_map_y(const td_plot_map *m, double v) {
  return m->box.y1 - td_plot_scale_to_unit(&m->y, v) * (m->box.y1 - m->box.y0);
}

/* ---- drawing (plot_draw.c, plot_frame.c) --------------------------------- */
void td_plot_draw(td_plot_painter *p, const td_plot_figure *f,
                  const td_plot_layout *l);
void td_plot_draw_page(td_plot_painter *p, const td_plot_figure *f,
                       const td_plot_layout *l);
void td_plot_draw_background(td_plot_painter *p);
void td_plot_draw_back(td_plot_painter *p, const td_plot_axes_layout *a);
void td_plot_draw_front(td_plot_painter *p, const td_plot_axes_layout *a);
/* The marks of the figure's overlay, if it has one. */
void td_plot_draw_marks(td_plot_painter *p, const td_plot_figure *f,
                        const td_plot_layout *l);
/* True for artists that td_plot_draw_back draws. */
bool td_plot_artist_is_back(const td_plot_artist *a);
/* The others, first ones first; free the list. */
const td_plot_artist **td_plot_draw_list(const td_plot_axes *ax, int *n);
double td_plot_artist_order(const td_plot_artist *a);
td_plot_rgba td_plot_artist_color(const td_plot_painter *p,
                                  const td_plot_artist *a);
double td_plot_artist_width(const td_plot_painter *p, const td_plot_artist *a);

/* ---- one artist (plot_artist.c and others) ----------------------------- */
void td_plot_draw_artist(td_plot_painter *p, const td_plot_axes_layout *a,
                         const td_plot_artist *artist);
void td_plot_draw_heatmap(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist *a);

void td_plot_draw_markers(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist *a);
void td_plot_draw_quiver(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a);
void td_plot_draw_arrow(td_plot_painter *p, const td_plot_map *m,
                        const td_plot_artist *a);
void td_plot_draw_stream(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a);
void td_plot_draw_mesh(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a);
void td_plot_draw_span(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a);
void td_plot_draw_band(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a);
void td_plot_draw_histogram(td_plot_painter *p, const td_plot_map *m,
                            const td_plot_artist *a);
void td_plot_draw_bars(td_plot_painter *p, const td_plot_map *m,
                       const td_plot_artist *a);
void td_plot_draw_errorbar(td_plot_painter *p, const td_plot_map *m,
                           const td_plot_artist *a);
void td_plot_draw_ellipse(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist *a);
void td_plot_draw_images(td_plot_painter *p, const td_plot_map *m,
                         const td_plot_artist *a);

/* Page positions of n data points, x first; free it. */
double *td_plot_positions(const td_plot_map *m, const td_plot_artist_options *o,
                          size_t n);
/* Colour number k of option c; false: nothing to draw (NaN). */
bool td_plot_value_color(const td_plot_artist *a, size_t k, td_plot_rgba *out);
td_plot_rgba td_plot_bars_color(const td_plot_painter *p, const td_plot_artist *a,
                                size_t series);
double td_plot_artist_fill(const td_plot_artist *a); /* opacity of the inside */
void td_plot_clip(td_plot_painter *p, td_plot_rect box); /* until cairo_restore */
/* v, or a place so far from `box` that cairo still draws the same there. */
static inline double td_plot_near(double v, double box) {
  return v < box - 2e4 ? box - 2e4 : v > box + 2e4 ? box + 2e4 : v;
}
/* The width as whole pixels, and what to add to a place that was snapped to the
** grid of pixels, so that a line there fills whole ones. */
double td_plot_crisp(const td_plot_painter *p, double width, double *shift);
/* A sharp line along x or y, in the colour that is set. */
void td_plot_rule(td_plot_painter *p, double x0, double y0, double x1, double y1,
                  double width);
/* The head of an arrow with its tip at x, y; dx, dy has length 1. */
void td_plot_draw_head(td_plot_painter *p, double x, double y, double dx,
                       double dy, double length);
/* An error bar with caps, along x when it lies. */
void td_plot_draw_whisker(td_plot_painter *p, const td_plot_map *m,
                          const td_plot_artist_options *o, td_plot_rgba color,
                          bool lie, double middle, double lo, double hi);

/* A sheet of images in points: an image is w x h, its cell dx x dy. */
typedef struct td_plot_sheet {
  double w, h, dx, dy, gap, fontsize;
} td_plot_sheet;
/* The largest sheet inside width x height. */
td_plot_sheet td_plot_images_fit(const td_plot_painter *p,
                                 const td_plot_artist *a, double width,
                                 double height);
/* The marker of points of class v, for marker = "class". */
td_plot_marker td_plot_class_marker(double v);

/* A line through page positions: clipped to the box, broken at NaN. Start, add
** points, finish. One pen of a painter draws at a time. */
typedef struct td_plot_pen {
  td_plot_painter *p;
  td_plot_rect clip;
  const td_plot_list *dash;
  td_plot_rgba color;
  double alpha, width;
  double phase;      /* length since the dashes began */
  double x, y;       /* last point */
  double px, py;     /* where the cairo path ends */
  bool down;         /* x and y hold a point */
  bool open;         /* px and py hold one */
  bool drawn;        /* something since the pen went down */
  bool masked;       /* collects coverage in the painter's mask */
  bool group;        /* collects opaque strokes, to be faded at the end */
  int segments;      /* in the cairo path */
  td_plot_pixel_box box, touched; /* masked: where it may draw, where it did */
} td_plot_pen;

void td_plot_pen_start(td_plot_pen *pen, td_plot_painter *p, td_plot_rect clip,
                       td_plot_rgba color, double alpha, double width,
                       const td_plot_list *dash, size_t points);
void td_plot_pen_to(td_plot_pen *pen, double x, double y);
void td_plot_pen_up(td_plot_pen *pen);
void td_plot_pen_finish(td_plot_pen *pen);

/* A line through data points (plot_curve.c); NaN is a gap. */
typedef struct td_plot_curve {
  size_t n;
  const double *x, *y; /* data */
  td_plot_rgba color;
  double alpha, width;
  const td_plot_list *dash; /* or NULL */
  bool rises;               /* it is known that x never falls and has no NaN */
} td_plot_curve;

/* True when x never turns back; NaN does not count. */
bool td_plot_runs_one_way(const double *x, size_t n);
void td_plot_draw_curve(td_plot_painter *p, const td_plot_map *m,
                        const td_plot_curve *curve);

typedef struct td_plot_points {
  size_t n;
  const double *x, *y;        /* page positions */
  const double *size;         /* diameters; nsize is 1 or n */
  size_t nsize;
  const uint8_t (*rgba)[4];   /* one each, or NULL: fill */
  const uint8_t *shape;       /* one each, or NULL: marker */
  td_plot_marker marker;
  td_plot_rgba fill, edge;    /* edge.a == 0: no rim */
  double edgewidth, alpha;
} td_plot_points;

void td_plot_draw_points(td_plot_painter *p, td_plot_rect clip,
                         const td_plot_points *points);
void td_plot_sprites_drop(td_plot_painter *p);

/* ---- legend (plot_legend.c) ---------------------------------------------- */
/* 0 by 0 when there is none. */
void td_plot_legend_size(td_plot_painter *p, const td_plot_axes *ax, double *w,
                         double *h);
/* Finds the legend's place; was: the axes in the last picture, or NULL; calm: it stays
** there. */
void td_plot_legend_place(td_plot_painter *p, td_plot_axes_layout *a,
                          const td_plot_axes_layout *was, bool calm);
void td_plot_legend_draw(td_plot_painter *p, const td_plot_axes_layout *a);
/* The artist that the entry at x, y stands for, or NULL; part: its class, or -1. */
const td_plot_artist *td_plot_legend_at(td_plot_painter *p, const td_plot_axes_layout *a,
                                        double x, double y, int *part);
enum { TD_PLOT_LEGEND_AUTO, TD_PLOT_LEGEND_NONE, TD_PLOT_LEGEND_BEST,
       TD_PLOT_LEGEND_CORNERS, TD_PLOT_LEGEND_OUTSIDE = 11 };

/* ---- pictures in memory (plot_save.c, plot_png.c) ------------------------ */
int td_plot_status(int cairo_status); /* 0, or -1 with a message */
/* Pixels for a figure, `clear` with an alpha channel; NULL with a message. */
cairo_surface_t *td_plot_new_image(const td_plot_figure *f, double scale,
                                   bool clear);
int td_plot_write_png(cairo_surface_t *image, double scale, td_plot_bytes *out);
/* Pixels of cairo's as bytes r, g, b (, a) with the alpha taken out of them. */
void td_plot_straight_row(const uint32_t *row, int w, int channels, bool opaque,
                          unsigned char *out);
/* Beside the file's place first, then renamed. */
int td_plot_write_file(const char *path, const td_plot_bytes *bytes);

/* ---- snapshots (plot_canvas.c) ------------------------------------------- */
/* A copy of the figure that shares its arrays: cheap, never changes, and may be
** drawn and dropped on another thread. Drop it as a figure. */
td_plot_figure *td_plot_snapshot(const td_plot_figure *f);
/* Gives the snapshot a copy of the figure's overlay, which is drawn with it. */
void td_plot_snapshot_overlay(td_plot_figure *snapshot, const td_plot_figure *f);

/* ---- canvases (plot_canvas.c) -------------------------------------------- */
/* Pixels that follow a figure. Each call draws a newer snapshot of it and draws
** as little as it can: parts that did not change are kept. A canvas belongs to
** one thread at a time. */
typedef struct td_plot_canvas td_plot_canvas;
td_plot_canvas *td_plot_canvas_new(void); /* NULL when out of memory */
void td_plot_canvas_free(td_plot_canvas *c);
/* Takes over the snapshot. `dirty` gets the pixels that may have changed. */
int td_plot_canvas_draw(td_plot_canvas *c, td_plot_figure *snapshot, double scale,
                        td_plot_region *dirty);
/* The layout of what it shows, until the next draw; NULL: it shows nothing. */
const td_plot_layout *td_plot_canvas_layout(const td_plot_canvas *c);
/* Premultiplied ARGB, rows of `stride` pixels; until the next draw. */
const uint32_t *td_plot_canvas_pixels(const td_plot_canvas *c, int *w, int *h,
                                      ptrdiff_t *stride);

#endif
