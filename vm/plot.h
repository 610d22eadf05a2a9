/* plot.h -- the figure model: figures, axes, artists, limits, ticks, colours.
**
** Nothing in this header draws: plot_draw.h does that with cairo, and a build
** without drawing (TD_HEADLESS) still has everything below.
**
** A figure is retained: it owns a copy of all that it shows, so it can be drawn
** again at any time, at any scale, on any target, while no user code runs.
**
** What a user can set is one line in plot_options.def. Options live in plain
** structs without ownership of their own: a struct is copied with
** td_plot_options_copy, changed, checked, and swapped in as a whole
** (td_plot_artist_commit, td_plot_axes_commit). A failed change leaves no trace.
** Arrays and strings are shared, counted and never overwritten below a reader's
** length, so a copy of the options is a cheap snapshot of the picture. One thread
** changes figures; others may take snapshots meanwhile, each in a short lock.
**
** Lengths are points (1/72 inch) unless said otherwise; y of the page grows
** downwards. */
#ifndef TD_PLOT_H
#define TD_PLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- errors: functions return 0, or -1 with a message for this thread ---- */
int td_plot_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
const char *td_plot_error(void);

typedef struct td_plot_rect {
  double x0, y0, x1, y1; /* y0 is the upper side */
} td_plot_rect;

/* ---- shared blocks: arrays of numbers and strings ------------------------ */
typedef struct td_plot_blob {
  atomic_int refs;
  size_t capacity; /* bytes of memory */
  bool coming;     /* stands for numbers that are on their way: all NaN, not to be judged */
  struct td_plot_blocks *blocks; /* what td_plot_data_extent knows, or NULL */
  double memory[];
} td_plot_blob;

td_plot_blob *td_plot_blob_new(size_t bytes); /* NULL when out of memory */
td_plot_blob *td_plot_blob_keep(td_plot_blob *b);
void td_plot_blob_drop(td_plot_blob *b);

/* Numbers, row by row; or strings, one after the other, each ending in a zero
** byte (dim[0] of them, n bytes in all). */
typedef struct td_plot_data {
  td_plot_blob *blob; /* NULL: not given */
  size_t n;
  int ndim;
  size_t dim[4];
} td_plot_data;

/* ---- option types -------------------------------------------------------- */
typedef struct td_plot_color {
  enum { TD_PLOT_COLOR_AUTO, TD_PLOT_COLOR_NONE, TD_PLOT_COLOR_CYCLE,
         TD_PLOT_COLOR_RGBA } kind;
  int cycle; /* CYCLE: which colour of the theme */
  double r, g, b, a;
} td_plot_color;

typedef struct td_plot_limits { /* NaN: chosen from the data */
  double lo, hi;
} td_plot_limits;

typedef struct td_plot_list { /* a few numbers */
  int n;
  double v[8];
} td_plot_list;

/* How a colour is found for a value. Worked out when data are set. */
typedef enum { TD_PLOT_LINEAR, TD_PLOT_LOG, TD_PLOT_QUANTILE } td_plot_norm_kind;
typedef struct td_plot_norm {
  td_plot_norm_kind kind;
  double lo, hi;     /* values at the two ends of the colour map */
  double center;     /* value in the middle, or NaN */
  td_plot_data rank; /* QUANTILE: sorted values, evenly spaced in rank */
} td_plot_norm;

/* ---- themes -------------------------------------------------------------- */
#define TD_PLOT_CYCLE 8
typedef struct td_plot_theme {
  char name[16];
  char font[64];
  double fontsize;  /* of tick labels and legends */
  double labelsize; /* of axis labels, relative to fontsize */
  double titlesize; /* of axes titles, relative to fontsize */
  double linewidth, framewidth, gridwidth, ticklength;
  double gap;       /* between axes, and around the figure */
  double pointsize; /* of points whose size is not given, relative to paper */
  double scale;     /* of all of these */
  td_plot_color background, face, grid, ink, muted, bad;
  td_plot_color cycle[TD_PLOT_CYCLE];
} td_plot_theme;

const td_plot_theme *td_plot_theme_find(const char *name); /* NULL: no such */
const char *td_plot_theme_names(void);                     /* "paper|dark|..." */
td_plot_theme td_plot_theme_default(void);
void td_plot_theme_set_default(const td_plot_theme *t);

/* ---- artists ------------------------------------------------------------- */
typedef enum {
#define KIND(kind, ...) TD_PLOT_##kind,
#include "vm/plot_kinds.def"
#undef KIND
  TD_PLOT_KINDS
} td_plot_kind;

enum { /* flags of a kind, as plot_kinds.def explains them */
  TD_PLOT_TAKES = 1, TD_PLOT_ENTRY = 2, TD_PLOT_MAP = 4, TD_PLOT_GRID = 8,
  TD_PLOT_AREA = 16
};
enum { /* its colour when none is given */
  TD_PLOT_BY_CYCLE, TD_PLOT_BY_INK, TD_PLOT_BY_MUTED, TD_PLOT_BY_WHITE
};

typedef struct td_plot_kind_info {
  const char *name;
  double order, width; /* of drawing; of lines, relative to the theme's */
  double fill;         /* opacity of what is filled */
  int color, flags;
} td_plot_kind_info;

extern const td_plot_kind_info td_plot_kinds[TD_PLOT_KINDS];
static inline const char *td_plot_kind_name(td_plot_kind kind) {
  return td_plot_kinds[kind].name;
}
int td_plot_kind_find(const char *name); /* -1: no such */

typedef enum {
  TD_PLOT_CIRCLE, TD_PLOT_TRIANGLE, TD_PLOT_TRIANGLE_DOWN, TD_PLOT_SQUARE,
  TD_PLOT_DIAMOND, TD_PLOT_CROSS, TD_PLOT_PLUS, TD_PLOT_STAR, TD_PLOT_MARKERS
} td_plot_marker; /* option "marker" has "none" and "class" in front */

typedef struct td_plot_artist_options {
  td_plot_data label, text;
  td_plot_data x, y, z, c, u, v; /* xy and uv fill two of them */
  td_plot_data size, levels;
  td_plot_data classes, names, rows, cols; /* texts of parts */
  td_plot_data tx, ty, lo, hi, spread, xerr, yerr, bins, weights, cov, radius;
  td_plot_color color, edge, box;
  td_plot_limits clip, range;
  td_plot_list dash, extent, sigmas;
  double width, edgewidth, alpha, order, smooth, scale, tail;
  double vmin, vmax, vcenter, fontsize, angle;
  double columns, gap, fill, spacing, head, cap, room;
  int marker, axis, cmap, norm, interp, rasterize, at, halign, valign;
  int channels, stat, style;
  bool visible, legend, fade, bold;
  bool horizontal, stacked, taper, density, numbers;
  const td_plot_blob *counted; /* x when it only counts 1, 2, 3 ... */
} td_plot_artist_options;

typedef struct td_plot_artist {
  td_plot_kind kind;
  struct td_plot_axes *axes; /* that it is in */
  int serial;       /* unique in its axes; a handle finds the artist by it */
  int cycle;        /* which colour of the theme, when none is given */
  char *id;         /* or NULL */
  td_plot_artist_options o;
  td_plot_norm norm; /* of c (points), z (grids) or speed (streams) */
  bool hidden;       /* in a window, by a person: not visible, but in the legend */
  uint64_t hidden_parts; /* the same for classes of points, as bits */
  td_plot_data made[2]; /* histogram: edges and heights; band: lower and upper */
} td_plot_artist;

/* Checks the options of `a` and works out what follows from them (plot_check.c);
** -1 with a message. */
int td_plot_artist_check(td_plot_artist *a);
/* The value in c that the first of the names in option classes is for: 0 or 1. */
int td_plot_class_first(const td_plot_artist *a);

/* Counts values of a histogram into made[0], edges, and made[1], heights
** (plot_bins.c). */
int td_plot_bins_make(td_plot_artist *a);

/* Errors of value i of n, below and above; 0 where there are none. */
void td_plot_error_at(const td_plot_data *err, size_t i, size_t n, double out[2]);

/* The bar of series s in category i: along the value axis from lo to hi, across
** from a to b. */
typedef struct td_plot_bar_place {
  double lo, hi, a, b;
} td_plot_bar_place;
size_t td_plot_bars_series(const td_plot_artist_options *o);
td_plot_bar_place td_plot_bars_place(const td_plot_artist_options *o, size_t i,
                                     size_t s);

/* What artist `images` shows: n images, row by row, `columns` in a row. */
typedef struct td_plot_stack {
  size_t n, h, w, channels, rows, columns;
  bool last; /* the channels of a pixel stand together */
  const double *v;
} td_plot_stack;
td_plot_stack td_plot_artist_stack(const td_plot_artist_options *o);

/* ---- axes ---------------------------------------------------------------- */
typedef enum { TD_PLOT_X, TD_PLOT_Y, TD_PLOT_Y2 } td_plot_dim;
enum { TD_PLOT_SCALE_LINEAR, TD_PLOT_SCALE_LOG };

typedef struct td_plot_axes_options {
  td_plot_data title, label[3], ticks[3], ticklabels[3], share[2], link[3];
  td_plot_limits lim[3];
  td_plot_color ycolor, y2color;
  double margin;
  int scale[3], grid, frame, legend, columns;
  bool equal;
} td_plot_axes_options;

typedef struct td_plot_bar_options {
  td_plot_data label, ticks, ticklabels;
  double width;
} td_plot_bar_options;

#define TD_PLOT_COLORBARS 3
typedef struct td_plot_bar {
  int artist; /* serial */
  td_plot_bar_options o;
} td_plot_bar;

typedef struct td_plot_figure td_plot_figure;
typedef struct td_plot_axes {
  td_plot_figure *figure;
  int row, col, rowspan, colspan; /* from 0 */
  td_plot_axes_options o;
  td_plot_artist **artists;
  int nartists, serial, cycle;
  td_plot_bar bars[TD_PLOT_COLORBARS];
  int nbars;
} td_plot_axes;

/* ---- figures ------------------------------------------------------------- */
typedef struct td_plot_figure_options {
  td_plot_data title, widths, heights;
  td_plot_list size;
  td_plot_theme theme;
  int share[2];
  bool text, letters;
} td_plot_figure_options;

struct td_plot_figure {
  atomic_int refs;
  int rows, cols;
  td_plot_figure_options o;
  td_plot_axes **axes;
  int naxes;
  /* of a snapshot: the last picture, whose steps between ticks and places of legends
  ** stay where that is possible, or NULL; and whether they stay in any case */
  const struct td_plot_layout *like;
  bool calm;
  const struct td_plot_overlay_class *overlay; /* plot_overlay.h; or NULL */
  void *overlay_self;                  /* owned */
  double strip[2];                     /* of a snapshot: room beside and below the page
                                       ** for the panel, which is drawn there */
  atomic_uint overlay_changes;         /* how often that was changed */
  atomic_uint changes;                 /* how often all else was changed */
  _Atomic(void (*)(void)) on_change;   /* or NULL; called after each change */
};

/* Held while something is put in its place, and while a snapshot is taken. */
void td_plot_lock(void);
void td_plot_unlock(void);

td_plot_figure *td_plot_figure_new(int rows, int cols);
td_plot_figure *td_plot_figure_keep(td_plot_figure *f);
void td_plot_figure_drop(td_plot_figure *f);
/* The axes at these cells, made when there are none; NULL with a message. */
td_plot_axes *td_plot_axes_at(td_plot_figure *f, int row, int col, int rowspan,
                              int colspan);
/* The first cell without axes; -1 when all are taken. */
int td_plot_free_cell(const td_plot_figure *f, int *row, int *col);

/* Adds an artist, or, when one of this kind has this id, changes that one.
** Takes over what `o` holds on success and leaves it empty. */
td_plot_artist *td_plot_artist_add(td_plot_axes *ax, td_plot_kind kind,
                                   const char *id, td_plot_artist_options *o);
td_plot_artist *td_plot_artist_find(const td_plot_axes *ax, int serial);
td_plot_artist *td_plot_artist_by_id(const td_plot_axes *ax, td_plot_kind kind,
                                     const char *id);
int td_plot_artist_commit(td_plot_artist *a, td_plot_artist_options *o);
/* The checks of a commit, and what they fill in, without one. */
int td_plot_artist_try(td_plot_kind kind, td_plot_artist_options *o);
void td_plot_artist_remove(td_plot_axes *ax, int serial);
/* May numbers be appended?  0, or -1 with a message. */
int td_plot_artist_grows(const td_plot_artist *a);
/* Appends to a line or scatter; NaN is a gap. */
int td_plot_artist_push(td_plot_artist *a, double x, double y);
int td_plot_axes_commit(td_plot_axes *ax, td_plot_axes_options *o);
int td_plot_figure_commit(td_plot_figure *f, td_plot_figure_options *o);
int td_plot_bar_add(td_plot_axes *ax, const td_plot_artist *a,
                    td_plot_bar_options *o);

/* ---- options (plot_options.c) -------------------------------------------- */
enum { /* who has an option: an artist kind is bit 1 << kind */
  TD_PLOT_OWNER_FIGURE = 1 << 27,
  TD_PLOT_OWNER_AXES = 1 << 28,
  TD_PLOT_OWNER_BAR = 1 << 29,
  TD_PLOT_OWNER_THEME = 1 << 30
};

typedef enum {
  TD_PLOT_OPT_NUMBER,  /* double; NaN is "not given" */
  TD_PLOT_OPT_BOOL,
  TD_PLOT_OPT_CHOICE,  /* int; one of `choices`, from 0 */
  TD_PLOT_OPT_STRING,  /* td_plot_data of one string */
  TD_PLOT_OPT_STRINGS, /* td_plot_data of one or more */
  TD_PLOT_OPT_COLOR,
  TD_PLOT_OPT_DATA,    /* td_plot_data of numbers */
  TD_PLOT_OPT_COLORS,  /* td_plot_data: n values, or n x 4 colours */
  TD_PLOT_OPT_PAIRS,   /* n x 2 numbers into this field and the next */
  TD_PLOT_OPT_LIMITS,
  TD_PLOT_OPT_LIST,
  TD_PLOT_OPT_CMAP,    /* int: which colour map */
  TD_PLOT_OPT_THEME,
  TD_PLOT_OPT_FONT,    /* char[64] */
  TD_PLOT_OPT_CYCLE    /* TD_PLOT_CYCLE colours */
} td_plot_opt_kind;

typedef struct td_plot_option {
  unsigned owners;
  const char *name;
  td_plot_opt_kind kind;
  size_t offset;
  double lo, hi;       /* allowed values; for a LIST how many */
  const char *choices; /* "a|b|c" */
  const char *doc;
} td_plot_option;

extern const td_plot_option td_plot_options[];
extern const int td_plot_options_count;

const char *td_plot_owner_name(unsigned owner);
size_t td_plot_owner_size(unsigned owner);
/* NULL with a message that names the nearest valid key, those of "|more|keys|" or NULL among them. */
const td_plot_option *td_plot_option_find(unsigned owner, const char *name,
                                          const char *more);
const void *td_plot_options_default(unsigned owner);
/* dst gets its own references; what it held before is forgotten, not freed. */
void td_plot_options_copy(unsigned owner, void *dst, const void *src);
void td_plot_options_drop(unsigned owner, void *options);
void td_plot_option_reset(unsigned owner, const td_plot_option *o, void *options);
int td_plot_choice_find(const td_plot_option *o, const char *word);
size_t td_plot_option_size(td_plot_opt_kind kind); /* of the field */
/* Word k of a "a|b|c" list; its length goes to *n. */
const char *td_plot_choice_name(const char *choices, int k, int *n);
/* Writes "; did you mean 'x'?", or which words of a "a|b|c" list there are. */
const char *td_plot_suggest(const char *word, const char *choices, char *out,
                            size_t size);

/* ---- data (plot_data.c) -------------------------------------------------- */
static inline const double *td_plot_numbers(const td_plot_data *d) {
  return d->blob ? d->blob->memory : NULL;
}
static inline bool td_plot_coming(const td_plot_data *d) { return d->blob && d->blob->coming; }
/* The smallest, the largest and the smallest positive of the finite numbers from
** place `from` up to, without, `to`; where there are none lo > hi, least infinite. What
** was looked at once is not looked at again. */
typedef struct td_plot_extent {
  double lo, hi, least;
} td_plot_extent;
td_plot_extent td_plot_data_extent(const td_plot_data *d, size_t from, size_t to);
/* True when no number is smaller than the one before, and none is NaN. */
bool td_plot_data_rises(const td_plot_data *d);
/* The place of the first of rising numbers that is v or more; or more than v. */
size_t td_plot_data_first(const td_plot_data *d, double v, bool more);
const char *td_plot_text(const td_plot_data *d, size_t k); /* NULL: none */
int td_plot_data_numbers(td_plot_data *d, const double *v, int ndim,
                         const size_t *dim);
int td_plot_data_strings(td_plot_data *d, const char *bytes, size_t nbytes,
                         size_t count);
void td_plot_data_drop(td_plot_data *d);

/* ---- limits and scales (plot_limits.c) ----------------------------------- */
typedef struct td_plot_scale {
  double lo, hi;
  bool log;
} td_plot_scale;

/* The limits as drawn: given ones, else from the data; always finite, never
** empty, positive on a log scale. */
td_plot_scale td_plot_axes_scale(const td_plot_axes *ax, td_plot_dim dim);
bool td_plot_axes_has_y2(const td_plot_axes *ax);
/* Do these axes of one figure have the same limits along x or y? */
bool td_plot_axes_linked(const td_plot_axes *a, const td_plot_axes *b,
                         td_plot_dim dim);
/* The first visible bars with categories along this axis, or NULL. */
const td_plot_artist *td_plot_axes_bars(const td_plot_axes *ax, td_plot_dim dim);
/* The first visible images in these axes, or NULL. */
const td_plot_artist *td_plot_axes_images(const td_plot_axes *ax);
double td_plot_scale_to_unit(const td_plot_scale *s, double v);   /* lo -> 0 */
double td_plot_scale_from_unit(const td_plot_scale *s, double u);

/* A grid of cells: where column j (0-based) lies. */
typedef struct td_plot_grid {
  size_t nx, ny;
  const double *z;           /* ny x nx, row = y */
  const double *x, *y;       /* centres, or NULL: evenly spaced */
  double x0, x1, y0, y1;     /* outer edges */
} td_plot_grid;

td_plot_grid td_plot_artist_grid(const td_plot_artist_options *o);
double td_plot_grid_center(const td_plot_grid *g, td_plot_dim dim, size_t k);
double td_plot_grid_edge(const td_plot_grid *g, td_plot_dim dim, size_t k);
/* The cell that holds v, or -1. */
long td_plot_grid_cell(const td_plot_grid *g, td_plot_dim dim, double v);

/* ---- ticks (plot_ticks.c) ------------------------------------------------ */
#define TD_PLOT_TICKS 48
typedef struct td_plot_ticks {
  int n, nminor;
  double at[TD_PLOT_TICKS], minor[4 * TD_PLOT_TICKS];
  char label[TD_PLOT_TICKS][64]; /* markup of td_plot_markup */
  char factor[64];               /* what labels are to be multiplied by, or "" */
  double step;                   /* 0 where steps are uneven */
} td_plot_ticks;

/* About `want` ticks inside the limits. `keep`, when not 0, is the step of the
** last picture: it stays while it gives a fair number of ticks. */
void td_plot_ticks_choose(const td_plot_scale *s, double want, double keep,
                          td_plot_ticks *t);
/* Ticks that the user chose. */
void td_plot_ticks_fixed(const td_plot_scale *s, const td_plot_data *at,
                         const td_plot_data *labels, td_plot_ticks *t);
/* Even ticks along a colour bar whose scale is not that of the values. */
void td_plot_ticks_norm(const td_plot_norm *norm, double want, td_plot_ticks *t);
/* Three significant digits, as a label. */
void td_plot_format(double v, char *out, size_t size);

/* ---- colours (plot_color.c, plot_colormap.c) ----------------------------- */
/* "red", "#rrggbb", "C1".. (colours of the theme), "none"; -1 with a message. */
int td_plot_color_parse(const char *text, td_plot_color *out);
td_plot_color td_plot_rgb(unsigned hex);

typedef struct td_plot_cmap {
  char name[32];
  bool classes;        /* value k takes colour k, from 0, and wraps around */
  int n;               /* 256, or the number of classes */
  uint8_t rgb[256][3];
} td_plot_cmap;

const td_plot_cmap *td_plot_cmap_get(int index); /* -1: the standard one */
int td_plot_cmap_find(const char *name); /* -1 with a message */
int td_plot_cmap_count(void);
int td_plot_cmap_add(const char *name, const td_plot_color *colors, int n,
                     bool classes);
int td_plot_norm_make(td_plot_norm *norm, const td_plot_artist_options *o,
                      const double *v, size_t n);
/* Position in the colour map, 0 to 1; NaN for NaN. */
double td_plot_norm_at(const td_plot_norm *norm, double v);
double td_plot_norm_inverse(const td_plot_norm *norm, double t);
/* rgb of a value; false for NaN. */
bool td_plot_cmap_color(const td_plot_cmap *m, const td_plot_norm *norm,
                        double v, uint8_t rgb[3]);

/* ---- contours (plot_contour.c) ------------------------------------------- */
typedef void td_plot_polyline_fn(void *context, const double *xy, size_t n,
                                 bool closed);
/* Calls emit with the lines where the grid crosses `level`, in data units. */
int td_plot_contour_trace(const td_plot_grid *g, double level,
                          td_plot_polyline_fn *emit, void *context);
/* Fills levels for n wanted ones; returns how many. */
int td_plot_contour_levels(const td_plot_artist *a, double *out, int max);

/* ---- streamlines (plot_trace.c) ------------------------------------------ */
/* One line: n places x, y with the speed there, three numbers each. */
typedef void td_plot_stream_fn(void *context, const double *xys, size_t n);
/* Evenly spaced lines of artist `stream` in a box of w x h points with these
** scales, `spacing` apart; places are points from the top left of the box. */
int td_plot_streamlines(const td_plot_artist *a, const td_plot_scale *x,
                        const td_plot_scale *y, double w, double h,
                        double spacing, td_plot_stream_fn *emit,
                        void *context);
/* Bilinear between cell centres, level beyond the outermost; NaN outside. */
double td_plot_grid_at(const td_plot_grid *g, const double *z, double x, double y);

/* Bias-corrected exponential moving average; NaN is skipped. */
void td_plot_smooth(const double *y, size_t n, double beta, double *out);

/* Markup of labels: x_1, x_{ab}, 10^{-3} become Pango's; &, <, > are escaped. */
void td_plot_markup(const char *text, char *out, size_t size);

/* ---- pictures (plot_save.c; plot_none.c in a build without drawing) ------ */
extern const bool td_plot_can_save;

typedef struct td_plot_bytes {
  unsigned char *data; /* free it */
  size_t n, capacity;
} td_plot_bytes;

typedef struct td_plot_output {
  double scale;     /* pixels per point */
  double size[2];   /* width and height in points; 0: the figure's */
  bool transparent; /* no background */
  bool widgets;     /* as in a window: with the panel, and at the step it shows */
} td_plot_output;

/* format: "png", "svg" or "pdf". */
int td_plot_encode(const td_plot_figure *f, const char *format,
                   const td_plot_output *o, td_plot_bytes *out);
/* The format by the name's end; written whole or not at all. */
int td_plot_save(const td_plot_figure *f, const char *path,
                 const td_plot_output *o);
/* Rows from the top: r, g, b and, of 4 channels, alpha; of a figure, or (3
** channels) of a PNG file. */
int td_plot_pixels(const td_plot_figure *f, const td_plot_output *o, int channels,
                   td_plot_bytes *out, int *width, int *height);
int td_plot_read_png(const char *path, td_plot_bytes *out, int *width,
                     int *height);
/* x0 y0 x1 y1 of axes i in points; y grows downwards. */
int td_plot_box(const td_plot_figure *f, int i, double scale, double box[4]);

/* ---- moving pictures (plot_gif.c) ---------------------------------------- */
typedef struct td_plot_gif td_plot_gif;
/* loop: how often it is shown; 0 for ever, -1 once. NULL with a message. */
td_plot_gif *td_plot_gif_open(const char *path, double scale, double fps, int loop);
/* Adds what the figure shows now; returns before it is drawn. */
int td_plot_gif_frame(td_plot_gif *g, const td_plot_figure *f);
/* Writes the file, whole or not at all. */
int td_plot_gif_close(td_plot_gif *g);
void td_plot_gif_free(td_plot_gif *g);

#endif
