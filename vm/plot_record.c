/* plot_record.c -- pictures of steps that are over: what a scrub bar goes through.
**
** A frame is a snapshot: it shares arrays with the figure and with other frames, so
** that what does not change from step to step costs nothing. When frames are too many
** or too heavy every second one goes, and from then on only every second step is kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vm/plot_draw.h"
#include "vm/plot_panel.h"

typedef struct frame {
  td_plot_figure *figure; /* owned */
  double step;
  size_t bytes;           /* that the frame before does not share */
} frame;

struct td_plot_frames {
  frame *frame;
  int n, keep;
  size_t most;
  unsigned every, count;  /* keeps one of so many */
  double shown;           /* step; infinity: what comes */
};

/* ---- what a frame costs -------------------------------------------------- */
static bool is_array(td_plot_opt_kind k) {
  return k == TD_PLOT_OPT_STRING || k == TD_PLOT_OPT_STRINGS || k == TD_PLOT_OPT_DATA ||
         k == TD_PLOT_OPT_COLORS || k == TD_PLOT_OPT_PAIRS;
}

static size_t bytes_of(const td_plot_data *d, const td_plot_data *other) {
  return d->blob && (!other || d->blob != other->blob) ? d->blob->capacity : 0;
}

/* Bytes of arrays of these options that the other ones (or NULL) do not have. */
static size_t weigh(unsigned owner, const void *o, const void *other) {
  size_t sum = 0;
  for (int i = 0; i < td_plot_options_count; i++) {
    const td_plot_option *t = &td_plot_options[i];
    if (!(t->owners & owner) || !is_array(t->kind)) continue;
    const td_plot_data *a = (const void *)((const char *)o + t->offset);
    const td_plot_data *b = other ? (const void *)((const char *)other + t->offset) : NULL;
    for (int k = 0; k < (t->kind == TD_PLOT_OPT_PAIRS ? 2 : 1); k++)
      sum += bytes_of(a + k, b ? b + k : NULL);
  }
  return sum;
}

static size_t weigh_artist(const td_plot_artist *a, const td_plot_axes *other) {
  const td_plot_artist *b = other ? td_plot_artist_find(other, a->serial) : NULL;
  size_t sum = sizeof *a + weigh(1u << a->kind, &a->o, b ? &b->o : NULL);
  sum += bytes_of(&a->norm.rank, b ? &b->norm.rank : NULL);
  for (int k = 0; k < 2; k++) sum += bytes_of(&a->made[k], b ? &b->made[k] : NULL);
  return sum;
}

static size_t weigh_figure(const td_plot_figure *f, const td_plot_figure *other) {
  size_t sum = sizeof *f;
  for (int i = 0; i < f->naxes; i++) {
    const td_plot_axes *ax = f->axes[i];
    const td_plot_axes *b = other && i < other->naxes ? other->axes[i] : NULL;
    sum += sizeof *ax + weigh(TD_PLOT_OWNER_AXES, &ax->o, b ? &b->o : NULL);
    for (int k = 0; k < ax->nartists; k++) sum += weigh_artist(ax->artists[k], b);
  }
  return sum;
}

static void weigh_frame(td_plot_frames *s, int k) {
  s->frame[k].bytes = weigh_figure(s->frame[k].figure, k ? s->frame[k - 1].figure : NULL);
}

/* ---- frames -------------------------------------------------------------- */
static size_t total(const td_plot_frames *s) {
  size_t sum = 0;
  for (int i = 0; i < s->n; i++) sum += s->frame[i].bytes;
  return sum;
}

/* Frames from k on; called without the lock, which drops nothing of Lua's. */
static void cut(td_plot_frames *s, int k) {
  td_plot_lock();
  int n = s->n;
  s->n = k < n ? k : n;
  td_plot_unlock();
  for (int i = k; i < n; i++) td_plot_figure_drop(s->frame[i].figure);
}

/* Every second frame goes; the first and the last stay. */
static void thin(td_plot_frames *s) {
  td_plot_figure **gone = malloc((size_t)s->n * sizeof *gone);
  int m = 0, left = 0;
  if (!gone) return;
  td_plot_lock();
  for (int i = 0; i < s->n; i++)
    if (i % 2 == 0 || i == s->n - 1) s->frame[left++] = s->frame[i];
    else gone[m++] = s->frame[i].figure;
  s->n = left;
  td_plot_unlock();
  for (int i = 0; i < m; i++) td_plot_figure_drop(gone[i]);
  free(gone);
  for (int i = 0; i < s->n; i++) weigh_frame(s, i);
  s->every *= 2;
}

int td_plot_frames_open(td_plot_panel *p, int keep, size_t bytes) {
  td_plot_frames_close(p);
  if (keep < 4) keep = 4;
  td_plot_frames *s = calloc(1, sizeof *s);
  if (s) s->frame = calloc((size_t)keep + 1, sizeof *s->frame);
  if (!s || !s->frame) {
    free(s);
    return td_plot_fail("out of memory");
  }
  s->keep = keep, s->most = bytes, s->every = 1, s->shown = INFINITY;
  td_plot_lock();
  p->frames = s;
  td_plot_unlock();
  return 0;
}

void td_plot_frames_close(td_plot_panel *p) {
  td_plot_frames *s = p->frames;
  if (!s) return;
  cut(s, 0);
  td_plot_lock();
  p->frames = NULL;
  td_plot_unlock();
  free(s->frame);
  free(s);
}

void td_plot_frames_clear(td_plot_panel *p) {
  td_plot_frames *s = p->frames;
  if (!s) return;
  cut(s, 0);
  s->every = 1, s->count = 0;
  td_plot_frames_seek(p, INFINITY);
}

int td_plot_frames_add(td_plot_panel *p, double step) {
  td_plot_frames *s = p->frames;
  if (!s) return 0;
  int k = s->n;
  while (k > 0 && s->frame[k - 1].step >= step) k--;
  if (k < s->n) cut(s, k);
  if (s->n > 0 && s->count++ % s->every) return 0;
  td_plot_figure *f = td_plot_snapshot(p->figure);
  if (!f) return -1;
  f->on_change = NULL;
  s->frame[s->n] = (frame){.figure = f, .step = step};
  weigh_frame(s, s->n);
  td_plot_lock();
  s->n++;
  td_plot_unlock();
  while (s->n > 4 && (s->n > s->keep || total(s) > s->most)) thin(s);
  return 0;
}

int td_plot_frames_count(const td_plot_panel *p) { return p->frames ? p->frames->n : 0; }

size_t td_plot_frames_bytes(const td_plot_panel *p) {
  return p->frames ? total(p->frames) : 0;
}

double td_plot_frames_step(const td_plot_panel *p, int k) {
  return p->frames && k >= 0 && k < p->frames->n ? p->frames->frame[k].step : NAN;
}

void td_plot_frames_point(td_plot_panel *p, double step) {
  if (!p->frames) return;
  p->frames->shown = step;
  if (p->figure) atomic_fetch_add(&p->figure->changes, 1); /* the axes look different */
}

void td_plot_frames_seek(td_plot_panel *p, double step) {
  td_plot_lock();
  td_plot_frames_point(p, step);
  td_plot_unlock();
}

double td_plot_frames_next(const td_plot_panel *p, int by) {
  const td_plot_frames *s = p->frames;
  int k = s ? s->n - 1 : 0;
  while (s && isfinite(s->shown) && k > 0 && s->frame[k].step > s->shown) k--;
  k += by;
  if (!s || k >= s->n) return INFINITY;
  return s->frame[k > 0 ? k : 0].step;
}

double td_plot_frames_shown(const td_plot_panel *p) {
  return p->frames ? p->frames->shown : INFINITY;
}

td_plot_figure *td_plot_frames_figure(const td_plot_figure *f) {
  const td_plot_panel *p = td_plot_panel_find(f);
  td_plot_figure *found = NULL;
  if (!p) return NULL;
  td_plot_lock();
  const td_plot_frames *s = p->frames;
  for (int i = 0; s && isfinite(s->shown) && i < s->n; i++)
    if (i == 0 || s->frame[i].step <= s->shown) found = s->frame[i].figure;
  td_plot_figure_keep(found);
  td_plot_unlock();
  return found;
}
