/* plot_gif.c -- figures as moving pictures: GIF, with one palette for all frames.
**
** A frame is a snapshot that a thread of the recording's own draws, so that the
** caller goes on at once. What changed since the last frame is packed into a
** temporary file, and the colours are counted. When the recording is closed, the
** palette is chosen from all frames by cutting the box of colours with the
** largest error until there are 255: equal colours stay equal from frame to
** frame, so nothing flickers, and nothing is dithered. Pixels that keep their
** colour are see-through in the next frame, which makes it small. */
#include <cairo.h>
#include <gif_lib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tensor/pool.h"
#include "vm/plot_draw.h"

#define BITS 6                  /* of a channel, where colours are counted */
#define BINS (1 << (3 * BITS))
#define COLORS 255              /* and one that is see-through */
#define BUFFERED (1 << 16)

typedef struct bin {
  uint32_t count;
  uint64_t sum[3];
} bin;

typedef struct strip { /* what a frame changed, as it lies in the file */
  td_plot_pixel_box box;
  uint64_t bytes; /* packed; rows of 0xrrggbb */
} strip;

struct td_plot_gif {
  char *path;
  double fps, scale;
  int loop; /* 0: for ever, -1: once */
  int frames, w, h;
  FILE *strips;
  bin *bins;
  td_plot_canvas *canvas;
  /* between the caller and the thread that draws: */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t turn;
  td_plot_figure *next; /* to be drawn, or NULL */
  bool started, ending;
  char error[400];
};

/* ---- frames -------------------------------------------------------------- */
static inline int bin_of(uint32_t c) {
  return (int)((c >> (24 - BITS) & 63) << (2 * BITS) |
               (c >> (16 - BITS) & 63) << BITS | (c >> (8 - BITS) & 63));
}

static int keep_strip(td_plot_gif *g, td_plot_pixel_box b) {
  int w, h;
  ptrdiff_t stride;
  const uint32_t *pixels = td_plot_canvas_pixels(g->canvas, &w, &h, &stride);
  if (g->frames == 0) g->w = w, g->h = h;
  if (w != g->w || h != g->h)
    return td_plot_fail("gif: the figure was %d x %d pixels and is now %d x %d; all "
                        "frames have one size", g->w, g->h, w, h);
  uLong area = (uLong)(b.x1 - b.x0) * (uLong)(b.y1 - b.y0);
  uLong room = compressBound(area * 4), used = room;
  uint32_t *rows = malloc(area * 4 + 4), *d = rows;
  unsigned char *packed = malloc(room);
  int rc = rows && packed ? 0 : td_plot_fail("gif: out of memory");
  for (int i = b.y0; rc == 0 && i < b.y1; i++)
    for (int j = b.x0; j < b.x1; j++) {
      uint32_t c = *d++ = pixels[i * stride + j] & 0xffffff;
      bin *n = &g->bins[bin_of(c)];
      n->count++;
      for (int k = 0; k < 3; k++) n->sum[k] += c >> (16 - 8 * k) & 255;
    }
  if (rc == 0 && compress2(packed, &used, (void *)rows, area * 4, 1) != Z_OK)
    rc = td_plot_fail("gif: a frame could not be packed");
  strip s = {b, used};
  if (rc == 0 && (fwrite(&s, sizeof s, 1, g->strips) != 1 ||
                  fwrite(packed, 1, used, g->strips) != used))
    rc = td_plot_fail("gif: no room for frames in the folder of temporary files");
  free(rows);
  free(packed);
  if (rc == 0) g->frames++;
  return rc;
}

static void *draw_frames(void *context) {
  td_plot_gif *g = context;
  pthread_mutex_lock(&g->lock);
  for (;;) {
    while (!g->next && !g->ending) pthread_cond_wait(&g->turn, &g->lock);
    if (!g->next) break;
    td_plot_figure *f = g->next;
    pthread_mutex_unlock(&g->lock);
    td_plot_region dirty;
    int rc = td_plot_canvas_draw(g->canvas, f, g->scale, &dirty);
    if (rc == 0) rc = keep_strip(g, td_plot_region_bounds(&dirty));
    pthread_mutex_lock(&g->lock);
    if (rc) snprintf(g->error, sizeof g->error, "%s", td_plot_error());
    g->next = NULL;
    pthread_cond_broadcast(&g->turn);
  }
  pthread_mutex_unlock(&g->lock);
  return NULL;
}

/* Waits until the thread has drawn what it was given. */
static int settled(td_plot_gif *g) {
  while (g->next) pthread_cond_wait(&g->turn, &g->lock);
  return g->error[0] ? td_plot_fail("%s", g->error) : 0;
}

int td_plot_gif_frame(td_plot_gif *g, const td_plot_figure *f) {
  td_plot_figure *s = td_plot_snapshot(f);
  if (!s) return -1;
  td_plot_snapshot_overlay(s, f);
  pthread_mutex_lock(&g->lock);
  int rc = settled(g);
  if (rc == 0 && !g->started) {
    g->started = td_thread_start(&g->thread, draw_frames, g);
    if (!g->started) rc = td_plot_fail("gif: no thread could be started");
  }
  if (rc == 0) g->next = s;
  pthread_cond_broadcast(&g->turn);
  pthread_mutex_unlock(&g->lock);
  if (rc) td_plot_figure_drop(s);
  return rc;
}

td_plot_gif *td_plot_gif_open(const char *path, double scale, double fps, int loop) {
  td_plot_gif *g = calloc(1, sizeof *g);
  if (!g) {
    td_plot_fail("out of memory");
    return NULL;
  }
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->turn, NULL);
  g->scale = scale, g->fps = fps, g->loop = loop;
  g->path = strdup(path);
  g->bins = calloc(BINS, sizeof *g->bins);
  g->canvas = td_plot_canvas_new();
  g->strips = tmpfile();
  if (g->path && g->bins && g->canvas && g->strips) return g;
  if (g->strips) td_plot_fail("out of memory");
  else td_plot_fail("gif: no temporary file could be made");
  td_plot_gif_free(g);
  return NULL;
}

static void join(td_plot_gif *g) {
  pthread_mutex_lock(&g->lock);
  g->ending = true;
  pthread_cond_broadcast(&g->turn);
  pthread_mutex_unlock(&g->lock);
  if (g->started) pthread_join(g->thread, NULL);
  g->started = false;
}

void td_plot_gif_free(td_plot_gif *g) {
  if (!g) return;
  join(g);
  td_plot_canvas_free(g->canvas);
  if (g->strips) fclose(g->strips);
  pthread_mutex_destroy(&g->lock);
  pthread_cond_destroy(&g->turn);
  free(g->bins);
  free(g->path);
  free(g);
}

/* ---- palette ------------------------------------------------------------- */
typedef struct sample { /* a used bin: its mean colour */
  float v[3], weight;
  uint32_t count;
} sample;

typedef struct group {
  int first, n, axis;
  double error, cut; /* along `axis`; where it is cut */
} group;

/* Rare colours count for more than their share: a thin line must keep its own. */
static void measure(group *g, const sample *s) {
  double w = 0, sum[3] = {0}, square[3] = {0};
  for (int i = g->first; i < g->first + g->n; i++) {
    w += s[i].weight;
    for (int k = 0; k < 3; k++) {
      sum[k] += s[i].weight * s[i].v[k];
      square[k] += (double)s[i].weight * s[i].v[k] * s[i].v[k];
    }
  }
  g->error = 0;
  for (int k = 0; k < 3; k++) {
    double e = square[k] - sum[k] * sum[k] / w;
    if (e > g->error) g->error = e, g->axis = k, g->cut = sum[k] / w;
  }
  if (g->n < 2) g->error = 0;
}

/* Moves the samples below the cut to the front; how many they are. */
static int part_at(sample *s, int n, int axis, double cut) {
  int low = 0;
  for (int i = 0; i < n; i++)
    if (s[i].v[axis] < cut) {
      sample t = s[i];
      s[i] = s[low], s[low++] = t;
    }
  return low;
}

static int choose_palette(const bin *bins, GifColorType *out) {
  sample *s = malloc(sizeof *s * BINS);
  group groups[COLORS];
  int n = 0, count = 1;
  if (!s) return td_plot_fail("gif: out of memory");
  for (int i = 0; i < BINS; i++) {
    if (!bins[i].count) continue;
    for (int k = 0; k < 3; k++)
      s[n].v[k] = (float)bins[i].sum[k] / (float)bins[i].count;
    s[n].count = bins[i].count;
    s[n++].weight = sqrtf((float)bins[i].count);
  }
  groups[0] = (group){.n = n};
  measure(&groups[0], s);
  while (count < COLORS) {
    group *worst = &groups[0], *more = &groups[count];
    for (int i = 1; i < count; i++)
      if (groups[i].error > worst->error) worst = &groups[i];
    if (!(worst->error > 1e-3)) break;
    int low = part_at(s + worst->first, worst->n, worst->axis, worst->cut);
    *more = (group){.first = worst->first + low, .n = worst->n - low};
    worst->n = low;
    if (!low || !more->n) break;
    measure(worst, s);
    measure(more, s);
    count++;
  }
  for (int i = 0; i < count; i++) {
    double sum[3] = {0}, w = 0;
    for (int j = groups[i].first; j < groups[i].first + groups[i].n; j++) {
      w += s[j].count;
      for (int k = 0; k < 3; k++) sum[k] += (double)s[j].count * s[j].v[k];
    }
    out[i] = (GifColorType){(GifByteType)(sum[0] / w + 0.5),
                            (GifByteType)(sum[1] / w + 0.5),
                            (GifByteType)(sum[2] / w + 0.5)};
  }
  free(s);
  return count;
}

static int nearest(const GifColorType *p, int n, uint32_t c) {
  int best = 0, least = INT32_MAX;
  int r = c >> 16 & 255, g = c >> 8 & 255, b = c & 255;
  for (int i = 0; i < n; i++) {
    int dr = p[i].Red - r, dg = p[i].Green - g, db = p[i].Blue - b;
    int d = 2 * dr * dr + 4 * dg * dg + db * db; /* as the eye weighs them */
    if (d < least) least = d, best = i;
  }
  return best;
}

/* ---- the file ------------------------------------------------------------ */
typedef struct film {
  GifFileType *gif;
  GifColorType palette[256];
  int colors;
  int16_t *index_of;     /* by bin; -1: not looked up yet */
  uint8_t *shown, *now;  /* colour numbers of the whole picture */
  uint8_t *line;
} film;

static int collect(GifFileType *gif, const GifByteType *data, int n) {
  td_plot_bytes *b = gif->UserData;
  if (b->n + (size_t)n > b->capacity) {
    size_t more = (b->n + (size_t)n) * 2 + BUFFERED;
    unsigned char *p = realloc(b->data, more);
    if (!p) return 0;
    b->data = p, b->capacity = more;
  }
  memcpy(b->data + b->n, data, (size_t)n);
  b->n += (size_t)n;
  return n;
}

/* Reads the next strip into `now`. */
static int read_strip(td_plot_gif *g, film *m, td_plot_pixel_box *box) {
  strip s;
  if (fread(&s, sizeof s, 1, g->strips) != 1) return td_plot_fail("gif: frames are lost");
  uLong w = (uLong)(s.box.x1 - s.box.x0), area = w * (uLong)(s.box.y1 - s.box.y0);
  uLong size = area * 4;
  unsigned char *packed = malloc(s.bytes + 1);
  uint32_t *rows = malloc(size + 4);
  int rc = 0;
  if (!packed || !rows) rc = td_plot_fail("gif: out of memory");
  else if (fread(packed, 1, s.bytes, g->strips) != s.bytes ||
           uncompress((void *)rows, &size, packed, s.bytes) != Z_OK ||
           size != area * 4)
    rc = td_plot_fail("gif: frames are lost");
  for (uLong i = 0; rc == 0 && i < area; i++) {
    int16_t *known = &m->index_of[bin_of(rows[i])];
    if (*known < 0) *known = (int16_t)nearest(m->palette, m->colors, rows[i]);
    size_t y = (size_t)s.box.y0 + i / w, x = (size_t)s.box.x0 + i % w;
    m->now[y * (size_t)g->w + x] = (uint8_t)*known;
  }
  free(packed);
  free(rows);
  *box = s.box;
  return rc;
}

/* The pixels of the box that differ from what is shown; at least one pixel. */
static td_plot_pixel_box changed(const td_plot_gif *g, const film *m,
                                 td_plot_pixel_box b) {
  td_plot_pixel_box c = {b.x1, b.y1, b.x0, b.y0};
  for (int i = b.y0; i < b.y1; i++)
    for (int j = b.x0; j < b.x1; j++) {
      size_t at = (size_t)i * (size_t)g->w + (size_t)j;
      if (m->now[at] == m->shown[at]) continue;
      if (j < c.x0) c.x0 = j;
      if (j >= c.x1) c.x1 = j + 1;
      if (i < c.y0) c.y0 = i;
      if (i >= c.y1) c.y1 = i + 1;
    }
  return c.x0 < c.x1 ? c : (td_plot_pixel_box){0, 0, 1, 1};
}

static int write_frame(td_plot_gif *g, film *m, int k, td_plot_pixel_box b) {
  /* hundredths of a second, so that the whole keeps its time */
  int delay = (int)(floor((k + 1) * 100 / g->fps + 0.5) -
                    floor(k * 100 / g->fps + 0.5));
  GraphicsControlBlock control = {DISPOSE_DO_NOT, false, delay, COLORS};
  GifByteType bytes[4];
  EGifGCBToExtension(&control, bytes);
  if (EGifPutExtension(m->gif, GRAPHICS_EXT_FUNC_CODE, 4, bytes) == GIF_ERROR ||
      EGifPutImageDesc(m->gif, b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0, false, NULL) ==
          GIF_ERROR)
    return -1;
  for (int i = b.y0; i < b.y1; i++) {
    size_t row = (size_t)i * (size_t)g->w;
    for (int j = b.x0; j < b.x1; j++) {
      uint8_t v = m->now[row + (size_t)j];
      m->line[j - b.x0] = k && v == m->shown[row + (size_t)j] ? COLORS : v;
      m->shown[row + (size_t)j] = v;
    }
    if (EGifPutLine(m->gif, m->line, b.x1 - b.x0) == GIF_ERROR) return -1;
  }
  return 0;
}

static int write_loop(GifFileType *gif, int loop) {
  if (loop < 0) return 0;
  GifByteType count[3] = {1, (GifByteType)(loop & 255), (GifByteType)(loop >> 8)};
  if (EGifPutExtensionLeader(gif, APPLICATION_EXT_FUNC_CODE) == GIF_ERROR ||
      EGifPutExtensionBlock(gif, 11, "NETSCAPE2.0") == GIF_ERROR ||
      EGifPutExtensionBlock(gif, 3, count) == GIF_ERROR ||
      EGifPutExtensionTrailer(gif) == GIF_ERROR)
    return -1;
  return 0;
}

static int write_film(td_plot_gif *g, film *m) {
  ColorMapObject *map = GifMakeMapObject(256, m->palette);
  int rc = map ? 0 : -1;
  EGifSetGifVersion(m->gif, true);
  if (rc == 0 && EGifPutScreenDesc(m->gif, g->w, g->h, 8, 0, map) == GIF_ERROR)
    rc = -1;
  if (rc == 0) rc = write_loop(m->gif, g->loop);
  rewind(g->strips);
  for (int k = 0; rc == 0 && k < g->frames; k++) {
    td_plot_pixel_box b;
    if (read_strip(g, m, &b)) rc = 1; /* has its message */
    if (rc == 0 && k) b = changed(g, m, b);
    if (rc == 0) rc = write_frame(g, m, k, b);
  }
  if (rc < 0) td_plot_fail("gif: %s", map ? GifErrorString(m->gif->Error)
                                          : "out of memory");
  GifFreeMapObject(map);
  return rc ? -1 : 0;
}

static int encode(td_plot_gif *g, td_plot_bytes *out) {
  film m = {.gif = NULL};
  size_t area = (size_t)g->w * (size_t)g->h;
  int rc = m.colors = choose_palette(g->bins, m.palette);
  m.index_of = malloc(BINS * sizeof *m.index_of);
  m.shown = calloc(area, 1), m.now = calloc(area, 1), m.line = malloc((size_t)g->w);
  if (rc > 0) rc = 0;
  if (rc == 0 && (!m.index_of || !m.shown || !m.now || !m.line))
    rc = td_plot_fail("gif: out of memory");
  if (rc == 0) {
    memset(m.index_of, 0xff, BINS * sizeof *m.index_of);
    m.gif = EGifOpen(out, collect, NULL);
    rc = m.gif ? write_film(g, &m) : td_plot_fail("gif: out of memory");
    if (m.gif && EGifCloseFile(m.gif, NULL) == GIF_ERROR && rc == 0)
      rc = td_plot_fail("gif: the end could not be written");
  }
  free(m.index_of);
  free(m.shown);
  free(m.now);
  free(m.line);
  return rc;
}

int td_plot_gif_close(td_plot_gif *g) {
  td_plot_bytes bytes = {.data = NULL};
  join(g);
  int rc = settled(g);
  if (rc == 0 && g->frames == 0)
    rc = td_plot_fail("gif: '%s' has no frames; call frame() before close()", g->path);
  if (rc == 0) rc = encode(g, &bytes);
  if (rc == 0) rc = td_plot_write_file(g->path, &bytes);
  free(bytes.data);
  return rc;
}
