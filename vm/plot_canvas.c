/* plot_canvas.c -- snapshots of figures, and pixels that follow a figure.
**
** A canvas compares each snapshot with the last one: options are plain structs
** and arrays are shared and never overwritten, so equal bytes mean an equal
** picture. It keeps two images. `base` holds the page, the backs of all axes,
** and of each axes as many artists, lowest first, as stood still; `out` is the
** picture. Axes that changed are copied from `base` to `out` and get the rest of
** their artists and their front again. So a new frame costs what moved and what
** is above it: points over a heatmap, an arrow over ten thousand points. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"
#include "vm/plot_overlay.h"

/* ---- snapshots ----------------------------------------------------------- */
static bool copy_artists(td_plot_axes *to, const td_plot_axes *from) {
  to->artists = calloc((size_t)from->nartists + 1, sizeof *to->artists);
  for (int i = 0; to->artists && i < from->nartists; i++) {
    const td_plot_artist *a = from->artists[i];
    td_plot_artist *b = to->artists[i] = malloc(sizeof *b);
    if (!b) return false;
    *b = *a;
    b->id = NULL;
    b->axes = to;
    td_plot_options_copy(1u << a->kind, &b->o, &a->o);
    td_plot_blob_keep(b->norm.rank.blob);
    for (int k = 0; k < 2; k++) td_plot_blob_keep(b->made[k].blob);
    to->nartists++;
  }
  return to->artists != NULL;
}

static td_plot_axes *copy_axes(const td_plot_axes *ax, td_plot_figure *owner) {
  td_plot_axes *c = malloc(sizeof *c);
  if (!c) return NULL;
  *c = *ax;
  c->figure = owner;
  c->artists = NULL;
  c->nartists = 0;
  td_plot_options_copy(TD_PLOT_OWNER_AXES, &c->o, &ax->o);
  for (int i = 0; i < ax->nbars; i++)
    td_plot_options_copy(TD_PLOT_OWNER_BAR, &c->bars[i].o, &ax->bars[i].o);
  return c;
}

td_plot_figure *td_plot_snapshot(const td_plot_figure *f) {
  td_plot_figure *s = calloc(1, sizeof *s);
  bool ok = s != NULL;
  td_plot_lock();
  if (ok) {
    atomic_init(&s->refs, 1);
    s->rows = f->rows, s->cols = f->cols;
    td_plot_options_copy(TD_PLOT_OWNER_FIGURE, &s->o, &f->o);
    ok = (s->axes = calloc((size_t)f->naxes + 1, sizeof *s->axes)) != NULL;
  }
  for (int i = 0; ok && i < f->naxes; i++) {
    ok = (s->axes[i] = copy_axes(f->axes[i], s)) != NULL;
    if (ok) s->naxes++;
    ok = ok && copy_artists(s->axes[i], f->axes[i]);
  }
  td_plot_unlock();
  if (ok) return s;
  td_plot_figure_drop(s);
  td_plot_fail("out of memory");
  return NULL;
}

void td_plot_snapshot_overlay(td_plot_figure *s, const td_plot_figure *f) {
  td_plot_lock();
  if (f->overlay && f->overlay->copy) s->overlay_self = f->overlay->copy(f->overlay_self);
  if (s->overlay_self) s->overlay = f->overlay;
  td_plot_unlock();
}

/* ---- canvases ------------------------------------------------------------ */
typedef struct part { /* of one axes */
  const td_plot_artist **list;
  int n;
  int stable;        /* so many of the list are in `base` */
  td_plot_rect reach; /* where its letters and lines end */
  bool spills;        /* the legend is larger than the box */
  /* this time: */
  bool back, front, data; /* what is to be drawn again */
  int first;              /* of the list that changed */
  td_plot_pixel_box box;  /* pixels to draw again */
} part;

struct td_plot_canvas {
  cairo_surface_t *base, *out;
  td_plot_painter base_painter, painter;
  td_plot_figure *shown; /* owned */
  td_plot_layout layout; /* of `shown` */
  part *parts;           /* as many as the layout has axes */
  double scale;
};

td_plot_canvas *td_plot_canvas_new(void) {
  td_plot_canvas *c = calloc(1, sizeof *c);
  if (!c) td_plot_fail("out of memory");
  return c;
}

static void drop_parts(part *parts, int n) {
  for (int i = 0; parts && i < n; i++) free(parts[i].list);
  free(parts);
}

static void drop_images(td_plot_canvas *c) {
  td_plot_painter_close(&c->base_painter);
  td_plot_painter_close(&c->painter);
  cairo_surface_destroy(c->base);
  cairo_surface_destroy(c->out);
  c->base = c->out = NULL;
}

void td_plot_canvas_free(td_plot_canvas *c) {
  if (!c) return;
  drop_images(c);
  drop_parts(c->parts, c->layout.n);
  td_plot_layout_drop(&c->layout);
  td_plot_figure_drop(c->shown);
  free(c);
}

static int open_images(td_plot_canvas *c, const td_plot_figure *f, double scale) {
  drop_images(c);
  c->scale = scale;
  c->base = td_plot_new_image(f, scale, true);
  c->out = c->base ? td_plot_new_image(f, scale, true) : NULL;
  if (!c->out || td_plot_painter_open(&c->base_painter, c->base, scale, 0, 0, &f->o))
    return -1;
  return td_plot_painter_open(&c->painter, c->out, scale, 0, 0, &f->o);
}

/* ---- what reaches how far ------------------------------------------------ */
static void add_text(td_plot_rect *r, td_plot_painter *p, const char *text,
                     td_plot_style s, double x, double y, bool along_x) {
  double w, h;
  td_plot_text_size(p, text, s, &w, &h);
  if (!(w > 0) || !isfinite(x) || !isfinite(y)) return;
  double dx = along_x ? w : fmax(w, h), dy = along_x ? h : fmax(w, h);
  *r = (td_plot_rect){fmin(r->x0, x - dx), fmin(r->y0, y - dy),
                      fmax(r->x1, x + dx), fmax(r->y1, y + dy)};
}

static td_plot_rect find_reach(td_plot_painter *p, const td_plot_axes_layout *a) {
  const td_plot_axes_options *o = &a->axes->o;
  td_plot_rect b = a->box, r = {b.x0 - a->margin[0], b.y0 - a->margin[2],
                                b.x1 + a->margin[1], b.y1 + a->margin[3]};
  double cx = (b.x0 + b.x1) / 2, cy = (b.y0 + b.y1) / 2;
  td_plot_style label = td_plot_label_style(p);
  add_text(&r, p, td_plot_text(&o->title, 0), td_plot_title_style(p), cx,
           b.y0, true);
  add_text(&r, p, td_plot_text(&o->label[0], 0), label, cx, b.y1, true);
  add_text(&r, p, td_plot_text(&o->label[1], 0), label, b.x0, cy, false);
  add_text(&r, p, td_plot_text(&o->label[2], 0), label, b.x1, cy, false);
  for (int i = 0; i < a->axes->nartists; i++) {
    const td_plot_artist *t = a->axes->artists[i];
    if (t->kind != TD_PLOT_TEXT || !t->o.visible) continue;
    td_plot_style s = {isnan(t->o.fontsize) ? p->theme->fontsize : t->o.fontsize,
                       t->o.bold};
    td_plot_map m = td_plot_layout_map(a, t->o.axis == 1);
    size_t n = t->o.at ? 1 : t->o.x.n;
    for (size_t k = 0; k < n; k++)
      add_text(&r, p, td_plot_text(&t->o.text, t->o.text.dim[0] > 1 ? k : 0), s,
               t->o.at ? cx : td_plot_map_x(&m, td_plot_numbers(&t->o.x)[k]),
               t->o.at ? cy : td_plot_map_y(&m, td_plot_numbers(&t->o.y)[k]),
               false);
  }
  return r;
}

/* ---- what changed -------------------------------------------------------- */
static bool same_artist(const td_plot_artist *a, const td_plot_artist *b) {
  return a->kind == b->kind && a->serial == b->serial && a->cycle == b->cycle &&
         a->hidden == b->hidden && a->hidden_parts == b->hidden_parts &&
         memcmp(&a->o, &b->o, sizeof a->o) == 0 &&
         memcmp(&a->norm, &b->norm, sizeof a->norm) == 0 &&
         memcmp(a->made, b->made, sizeof a->made) == 0;
}

static bool same_backs(const td_plot_axes *a, const td_plot_axes *b) {
  int i = 0, j = 0;
  for (;; i++, j++) {
    while (i < a->nartists && !td_plot_artist_is_back(a->artists[i])) i++;
    while (j < b->nartists && !td_plot_artist_is_back(b->artists[j])) j++;
    if (i == a->nartists || j == b->nartists)
      return i == a->nartists && j == b->nartists;
    if (!same_artist(a->artists[i], b->artists[j])) return false;
  }
}

static bool same_axis(const td_plot_axis *a, const td_plot_axis *b) {
  const td_plot_ticks *s = &a->ticks, *t = &b->ticks;
  if (a->scale.lo != b->scale.lo || a->scale.hi != b->scale.hi ||
      a->scale.log != b->scale.log || a->labels != b->labels || s->n != t->n ||
      s->nminor != t->nminor || strcmp(s->factor, t->factor) ||
      memcmp(s->at, t->at, (size_t)s->n * sizeof *s->at) ||
      memcmp(s->minor, t->minor, (size_t)s->nminor * sizeof *s->minor))
    return false;
  for (int i = 0; i < s->n; i++)
    if (strcmp(s->label[i], t->label[i])) return false;
  return true;
}

static bool same_layout(const td_plot_axes_layout *a, const td_plot_axes_layout *b) {
  for (int k = 0; k < 3; k++)
    if ((k < 2 || a->y2) && !same_axis(&a->axis[k], &b->axis[k])) return false;
  for (int k = 0; k < a->nbars && k < b->nbars; k++)
    if (!same_axis(&a->bar_axis[k], &b->bar_axis[k])) return false;
  return memcmp(&a->box, &b->box, sizeof a->box) == 0 &&
         memcmp(a->margin, b->margin, sizeof a->margin) == 0 && a->y2 == b->y2 &&
         memcmp(&a->legend, &b->legend, sizeof a->legend) == 0 &&
         a->image == b->image && a->nbars == b->nbars &&
         memcmp(a->bar, b->bar, sizeof a->bar) == 0 &&
         memcmp(&a->axes->o, &b->axes->o, sizeof a->axes->o) == 0 &&
         memcmp(a->axes->bars, b->axes->bars, sizeof a->axes->bars) == 0;
}

/* Whether the whole picture must be drawn. */
static bool is_new(const td_plot_canvas *c, const td_plot_figure *f, double scale) {
  const td_plot_figure *s = c->shown;
  if (!s || scale != c->scale || s->naxes != f->naxes || s->rows != f->rows ||
      s->cols != f->cols || memcmp(&s->o, &f->o, sizeof s->o))
    return true;
  for (int i = 0; i < f->naxes; i++)
    if (memcmp(&s->axes[i]->row, &f->axes[i]->row, 4 * sizeof(int))) return true;
  return false;
}

static td_plot_pixel_box around(const td_plot_painter *p, td_plot_rect r,
                                double more) {
  return td_plot_pixels_of(p, (td_plot_rect){r.x0 - more, r.y0 - more,
                                             r.x1 + more, r.y1 + more});
}

static bool overlap(td_plot_pixel_box a, td_plot_pixel_box b) {
  return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
}

/* Fills in what is to be drawn again of one axes. */
static void compare(const td_plot_canvas *c, part *now, const part *then,
                    const td_plot_axes_layout *a, const td_plot_axes_layout *b) {
  const td_plot_painter *p = &c->painter;
  int k = 0;
  now->stable = then->stable;
  while (k < now->n && k < then->n && same_artist(now->list[k], then->list[k])) k++;
  now->first = k;
  now->data = k < now->n || k < then->n;
  bool layout = !same_layout(a, b);
  now->back = layout || !same_backs(a->axes, b->axes);
  /* bars, axes and legends outside the box take colours from artists; texts may
  ** stand out of the box */
  bool bound = now->spills || then->spills || a->nbars || a->y2 ||
               a->axes->o.legend == TD_PLOT_LEGEND_OUTSIDE;
  for (int i = k; i < now->n; i++) bound |= now->list[i]->kind == TD_PLOT_TEXT;
  for (int i = k; i < then->n; i++) bound |= then->list[i]->kind == TD_PLOT_TEXT;
  now->front = layout || (bound && (now->data || now->back));
  if (now->front) {
    now->box = around(p, now->reach, 2);
    td_plot_box_add(&now->box, around(p, then->reach, 2));
  } else if (now->data || now->back) {
    now->box = around(p, a->box, p->theme->framewidth + 1 / p->scale);
  }
}

/* Axes whose letters stand where others are drawn again are, too. */
static void spread(const td_plot_canvas *c, part *parts, int n) {
  for (bool again = true; again;) {
    again = false;
    for (int i = 0; i < n; i++) {
      td_plot_pixel_box reach = around(&c->painter, parts[i].reach, 2);
      for (int j = 0; j < n; j++) {
        if (i == j || parts[i].front || !overlap(reach, parts[j].box)) continue;
        parts[i].front = again = true;
        td_plot_box_add(&parts[i].box, reach);
      }
    }
  }
}

/* ---- drawing ------------------------------------------------------------- */
static void clip_to(td_plot_painter *p, td_plot_pixel_box b) {
  cairo_rectangle(p->cr, p->x + b.x0 / p->scale, p->y + b.y0 / p->scale,
                  (b.x1 - b.x0) / p->scale, (b.y1 - b.y0) / p->scale);
}

static void draw_base(td_plot_canvas *c, const td_plot_axes_layout *a, part *now,
                      bool page) {
  td_plot_painter *p = &c->base_painter;
  cairo_save(p->cr);
  if (now->back || now->first < now->stable) {
    /* a grid line at a limit stands half outside */
    td_plot_pixel_box box = around(p, a->box, p->theme->gridwidth + 1 / p->scale);
    if (!page) {
      clip_to(p, box);
      cairo_clip(p->cr);
      cairo_save(p->cr);
      cairo_set_operator(p->cr, CAIRO_OPERATOR_SOURCE);
      td_plot_draw_background(p);
      cairo_restore(p->cr);
    }
    td_plot_draw_back(p, a);
    now->stable = 0;
  }
  for (; now->stable < now->first; now->stable++) {
    /* letters may stand out of the box; they are drawn last, for all axes */
    if (now->list[now->stable]->kind == TD_PLOT_TEXT) break;
    td_plot_draw_artist(p, a, now->list[now->stable]);
  }
  cairo_restore(p->cr);
}

static void copy_pixels(td_plot_canvas *c, td_plot_pixel_box b) {
  if (b.x0 >= b.x1) return;
  cairo_surface_flush(c->base);
  cairo_surface_flush(c->out);
  int stride = cairo_image_surface_get_stride(c->out);
  const unsigned char *from = cairo_image_surface_get_data(c->base);
  unsigned char *to = cairo_image_surface_get_data(c->out);
  for (int i = b.y0; from && to && i < b.y1; i++)
    memcpy(to + (ptrdiff_t)i * stride + 4 * b.x0,
           from + (ptrdiff_t)i * stride + 4 * b.x0, 4 * (size_t)(b.x1 - b.x0));
  cairo_surface_mark_dirty(c->out);
}

static void draw_parts(td_plot_canvas *c, const td_plot_layout *l, part *parts,
                       bool page) {
  td_plot_painter *p = &c->painter;
  for (int i = 0; i < l->n; i++) draw_base(c, &l->axes[i], &parts[i], page);
  cairo_save(p->cr);
  for (int i = 0; i < l->n; i++) {
    copy_pixels(c, parts[i].box);
    clip_to(p, parts[i].box);
  }
  if (page) {
    td_plot_pixel_box all = td_plot_pixels_of(p, l->page);
    copy_pixels(c, all);
    clip_to(p, all);
  }
  cairo_clip(p->cr);
  for (int i = 0; i < l->n; i++) {
    part *now = &parts[i];
    if (!page && now->box.x0 >= now->box.x1) continue;
    for (int k = now->stable; k < now->n; k++)
      td_plot_draw_artist(p, &l->axes[i], now->list[k]);
    td_plot_draw_front(p, &l->axes[i]);
  }
  cairo_restore(p->cr);
}

static part *make_parts(td_plot_painter *p, const td_plot_layout *l) {
  part *parts = calloc((size_t)l->n + 1, sizeof *parts);
  for (int i = 0; parts && i < l->n; i++) {
    part *q = &parts[i];
    q->list = td_plot_draw_list(l->axes[i].axes, &q->n);
    q->first = q->n;
    q->back = q->front = true;
    q->reach = find_reach(p, &l->axes[i]);
    const td_plot_rect *b = &l->axes[i].box;
    double w, h, room = 2 * p->theme->fontsize;
    td_plot_legend_size(p, l->axes[i].axes, &w, &h);
    q->spills = w + room > b->x1 - b->x0 || h + room > b->y1 - b->y0;
    if (!q->spills) continue;
    q->reach = (td_plot_rect){fmin(q->reach.x0, b->x0 - w), fmin(q->reach.y0, b->y0 - h),
                              fmax(q->reach.x1, b->x1 + w), fmax(q->reach.y1, b->y1 + h)};
  }
  return parts;
}

int td_plot_canvas_draw(td_plot_canvas *c, td_plot_figure *f, double scale,
                        td_plot_region *dirty) {
  td_plot_layout l = {.axes = NULL};
  bool page = is_new(c, f, scale);
  int rc = page ? open_images(c, f, scale) : 0;
  page |= f->overlay || (c->shown && c->shown->overlay);
  if (rc == 0) rc = td_plot_layout_make(&c->painter, f, &l);
  f->like = NULL;
  part *parts = rc == 0 ? make_parts(&c->painter, &l) : NULL;
  if (!parts) {
    td_plot_figure_drop(f);
    td_plot_layout_drop(&l);
    td_plot_figure_drop(c->shown);
    c->shown = NULL;
    return rc ? rc : td_plot_fail("out of memory");
  }
  dirty->n = 0;
  for (int i = 0; i < l.n && !page; i++)
    if (memcmp(&l.axes[i].box, &c->layout.axes[i].box, sizeof l.axes[i].box))
      page = true;
  if (page) {
    cairo_save(c->base_painter.cr);
    cairo_set_operator(c->base_painter.cr, CAIRO_OPERATOR_CLEAR);
    cairo_paint(c->base_painter.cr);
    cairo_restore(c->base_painter.cr);
    td_plot_draw_page(&c->base_painter, f, &l);
    td_plot_region_add(dirty, td_plot_pixels_of(&c->painter, l.page));
  } else {
    for (int i = 0; i < l.n; i++)
      compare(c, &parts[i], &c->parts[i], &l.axes[i], &c->layout.axes[i]);
    spread(c, parts, l.n);
    for (int i = 0; i < l.n; i++) td_plot_region_add(dirty, parts[i].box);
  }
  draw_parts(c, &l, parts, page);
  td_plot_draw_marks(&c->painter, f, &l);
  drop_parts(c->parts, c->layout.n);
  td_plot_layout_drop(&c->layout);
  td_plot_figure_drop(c->shown);
  c->parts = parts, c->layout = l, c->shown = f;
  return td_plot_status(cairo_status(c->painter.cr));
}

const td_plot_layout *td_plot_canvas_layout(const td_plot_canvas *c) {
  return c->shown ? &c->layout : NULL;
}

const uint32_t *td_plot_canvas_pixels(const td_plot_canvas *c, int *w, int *h,
                                      ptrdiff_t *stride) {
  *w = cairo_image_surface_get_width(c->out);
  *h = cairo_image_surface_get_height(c->out);
  *stride = cairo_image_surface_get_stride(c->out) / 4;
  cairo_surface_flush(c->out);
  return (const void *)cairo_image_surface_get_data(c->out);
}
