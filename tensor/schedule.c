/* schedule.c -- puts the kernel calls of a captured step into stages.
**
** A call may run once the calls have run that made what it reads, and those that
** read or made what it overwrites.  Stages are filled greedily: first calls that
** join rows and that row-wise calls wait for; then as many row-wise calls as go
** together; then the rest.  Within a stage of tiles a buffer that is written must
** be touched by rows only, the same rows for each tile. */
#include "blas.h"
#include "capture.h"
#include "pool.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  ROWS_LEAST = 32,             /* fewer are not worth cutting */
  TILE_ROWS = 128,             /* of the longest tensor of a stage without products */
  TILE_LEAST = 32,             /* rows of a product: fewer would not pay for a tile */
};

/* ---- what depends on what ---- */

typedef struct edge { int from, to; } edge;
typedef struct graph {
  edge *e;                     /* by `from` once sorted */
  int n, room;
  int *first;                  /* of a note's edges; n + 1 entries */
  int *left;                   /* notes that a note still waits for */
  bool *feeds_rows;            /* does a row-wise note come after it? */
  bool *done;
} graph;

static bool add_edge(graph *g, int from, int to) {
  if (from < 0 || from == to) return true;
  if (g->n == g->room) {
    int room = g->room ? 2 * g->room : 1024;
    edge *e = realloc(g->e, sizeof *e * (size_t)room);
    if (!e) return false;
    g->e = e;
    g->room = room;
  }
  g->e[g->n++] = (edge){ from, to };
  return true;
}

static int by_start(const void *a, const void *b) {
  const edge *x = a, *y = b;
  return x->from != y->from ? (x->from < y->from ? -1 : 1) : x->to - y->to;
}

/* Accesses of one note: inputs are read unless only overwritten, results and
** updated inputs are written. */
static bool writes(const td_note *n, int i) {
  return i >= n->call.nin || td__writes(&n->call, i);
}

/* Readers since the last write of a slot are kept in a list through `next`. */
typedef struct history { int writer, readers; } history;
typedef struct reader { int note, next; } reader;

static bool find_edges(const td_capture *c, graph *g, history *h, reader *r) {
  int nr = 1;
  bool ok = true;
  for (int k = 0; k < c->nslot; k++) h[k] = (history){ -1, 0 };
  for (int i = 0; ok && i < c->n; i++) {
    const td_note *n = &c->note[i];
    int all = n->call.nin + n->nout;
    for (int a = 0; ok && a < all; a++) {
      if (n->place[a].slot < 0) continue;
      history *s = &h[n->place[a].slot];
      ok = add_edge(g, s->writer, i);
      if (a < n->call.nin) {
        r[nr] = (reader){ i, s->readers };
        s->readers = nr++;
      }
    }
    for (int a = 0; ok && a < all; a++) {
      if (n->place[a].slot < 0 || !writes(n, a)) continue;
      history *s = &h[n->place[a].slot];
      for (int k = s->readers; ok && k; k = r[k].next)
        ok = add_edge(g, r[k].note, i);
      *s = (history){ i, 0 };
    }
  }
  return ok;
}

static void index_edges(const td_capture *c, graph *g) {
  if (g->n) qsort(g->e, (size_t)g->n, sizeof *g->e, by_start);
  int kept = 0;                /* doubles go */
  for (int k = 0; k < g->n; k++)
    if (!kept || by_start(&g->e[kept - 1], &g->e[k])) g->e[kept++] = g->e[k];
  g->n = kept;
  for (int i = 0, k = 0; i <= c->n; i++) {
    while (k < g->n && g->e[k].from < i) k++;
    g->first[i] = k;
  }
  for (int k = 0; k < g->n; k++) g->left[g->e[k].to]++;
  for (int k = g->n - 1; k >= 0; k--)
    g->feeds_rows[g->e[k].from] |= c->note[g->e[k].to].rows ||
      g->feeds_rows[g->e[k].to];
}

static void graph_free(graph *g) {
  free(g->e);
  free(g->first);
  free(g->left);
  free(g->feeds_rows);
  free(g->done);
}

static td_status graph_make(const td_capture *c, graph *g) {
  size_t n = (size_t)c->n + 1, args = 1;
  for (int i = 0; i < c->n; i++) args += (size_t)c->note[i].call.nin;
  *g = (graph){ 0 };
  history *h = malloc(sizeof *h * ((size_t)c->nslot + 1));
  reader *r = malloc(sizeof *r * args);
  g->first = calloc(n, sizeof *g->first);
  g->left = calloc(n, sizeof *g->left);
  g->feeds_rows = calloc(n, 1);
  g->done = calloc(n, 1);
  bool ok = h && r && g->first && g->left && g->feeds_rows && g->done &&
    find_edges(c, g, h, r);
  free(h);
  free(r);
  if (ok) {
    index_edges(c, g);
    return TD_OK;
  }
  graph_free(g);
  return td_fail(TD_ENOMEM, "capture: out of memory for the schedule");
}

/* ---- what can go by rows ---- */

static void find_rows(td_note *n) {
  const td_rule *rule = n->call.op->rule;
  td_tensor **out = n->arg + n->call.nin;
  n->rows = 0;
  if (!n->nout || rule->flags & TD_RANDOM || n->call.be != td_cpu()) return;
  if (!rule->rows && !(rule->flags & TD_ELEMENTWISE)) return;
  memset(n->cut, 0, (size_t)(n->call.nin + n->nout));
  if (!(rule->rows ? rule->rows : td_rows_each)(&n->call, out, n->cut)) return;
  for (int k = 0; k < n->nout; k++) {
    if (out[k]->ndim < 1 || out[k]->shape[0] != out[0]->shape[0]) return;
    n->cut[n->call.nin + k] = true;
  }
  if (out[0]->shape[0] >= ROWS_LEAST) n->rows = out[0]->shape[0];
}

static bool is_product(const td_note *n) {
  return n->call.op->rule->rows == td_rows_product;
}

static void find_cost(td_note *n) {
  double bytes = 0;
  for (int i = 0; i < n->call.nin + n->nout; i++)
    if (n->arg[i] && n->place[i].slot >= 0)
      bytes += (double)td__numel(n->arg[i]) * (double)td_dtype_size(n->arg[i]->dtype);
  n->cost = bytes;
  if (n->call.op->rule->flags & TD_PRODUCT && n->call.nin > 1)
    n->cost += 2 * sqrt((double)td__numel(n->arg[0]) * (double)td__numel(n->arg[1]) *
      (double)td__numel(n->arg[n->call.nin])) / 20;   /* 20 flop take as long as a byte */
}

/* Bytes between rows of argument i, when each row of a stage of `rows` rows lies
** in its own stretch of so many bytes; else 0. */
size_t td__row_pitch(const td_note *n, int i, int64_t rows) {
  const td_tensor *t = n->arg[i];
  if (!n->cut[i] || t->ndim < 1 || t->shape[0] % rows) return 0;
  int64_t size = (int64_t)td_dtype_size(t->dtype), extent = size;
  int64_t pitch = t->stride[0] * size;
  for (int d = 1; d < t->ndim; d++) {
    if (t->stride[d] < 0) return 0;
    extent += (t->shape[d] - 1) * t->stride[d] * size;
  }
  if (pitch <= 0 || (int64_t)n->place[i].at + extent > pitch) return 0;
  return (size_t)(pitch * (t->shape[0] / rows));
}

/* ---- a stage of tiles while it grows ---- */

typedef struct touch {         /* what the stage does to a slot */
  int stage;                   /* which stage this is about */
  bool written, whole;         /* whole: not by rows, or by rows of other sizes */
  double pitch;                /* for one row of the note that came first ... */
} touch;

typedef struct region {
  int64_t rows;                /* those of its shortest tensor */
  int64_t product;             /* those of its products: they agree */
  int stage;
  touch *touch;
} region;


/* Can the note join?  With `rows` of the region either may be a multiple of the
** other; pitches are compared per element of the region's longest dim. */
static bool joins(region *g, const td_note *n, bool commit) {
  if (!n->rows) return false;
  int64_t rows = g->rows && g->rows < n->rows ? g->rows : n->rows;
  int64_t product = is_product(n) ? n->rows : g->product;
  if (g->rows && (n->rows % rows || g->rows % rows)) return false;
  if (product && g->product && g->product != product) return false;
  if (product && product % rows) return false;
  for (int i = 0; i < n->call.nin + n->nout; i++) {
    if (n->place[i].slot < 0) continue;
    touch *s = &g->touch[n->place[i].slot], now = *s;
    if (s->stage != g->stage) now = (touch){ .stage = g->stage };
    double pitch = (double)td__row_pitch(n, i, n->rows) * (double)n->rows;
    now.written |= writes(n, i);
    if (pitch == 0 || (now.pitch > 0 && now.pitch != pitch)) now.whole = true;
    if (now.pitch == 0) now.pitch = pitch;
    if (now.written && now.whole) return false;
    if (commit) *s = now;
  }
  if (commit) g->rows = rows;
  if (commit) g->product = product;
  return true;
}

/* ---- filling stages ---- */

typedef struct filling {
  td_capture *c;
  graph g;
  region region;
  int taken, stages_room;
} filling;

static void take(filling *f, int i) {
  const graph *g = &f->g;
  f->c->order[f->taken++] = i;
  g->done[i] = true;
  for (int k = g->first[i]; k < g->first[i + 1]; k++) g->left[g->e[k].to]--;
}

static td_stage *new_stage(filling *f) {
  td_capture *c = f->c;
  if (c->nstage == f->stages_room) {
    int room = f->stages_room ? 2 * f->stages_room : 16;
    td_stage *s = realloc(c->stage, sizeof *s * (size_t)room);
    if (!s) return NULL;
    c->stage = s;
    f->stages_room = room;
  }
  td_stage *s = &c->stage[c->nstage++];
  *s = (td_stage){ .first = f->taken };
  return s;
}

/* Notes that join rows and wait for nothing.  They are independent of each other:
** one that needed another would still wait for it. */
static bool fill_notes(filling *f, bool for_rows) {
  const td_capture *c = f->c;
  int begin = f->taken;
  for (int i = 0; i < c->n; i++)
    if (!f->g.done[i] && !f->g.left[i] && !c->note[i].rows &&
        (!for_rows || f->g.feeds_rows[i]))
      f->c->order[f->taken++] = i;
  int end = f->taken;
  f->taken = begin;
  for (int k = begin; k < end; k++) take(f, f->c->order[k]);
  return end > begin;
}

static bool fill_rows(filling *f) {
  const td_capture *c = f->c;
  int begin = f->taken;
  region *g = &f->region;
  g->rows = g->product = 0;
  g->stage = c->nstage;
  for (int i = 0; i < c->n; i++) {
    if (f->g.done[i] || f->g.left[i] || !joins(g, &c->note[i], false)) continue;
    joins(g, &c->note[i], true);
    take(f, i);
  }
  return f->taken > begin;
}

static const td_note *sorting;
static int dearer(const void *a, const void *b) {
  const td_note *x = &sorting[*(const int *)a], *y = &sorting[*(const int *)b];
  if (x->cost != y->cost) return x->cost < y->cost ? 1 : -1;
  return *(const int *)a - *(const int *)b;
}

/* Rows of a product that make a tile: fewer where threads would have none. */
static int64_t tile_of(int64_t product) {
  int64_t tile = td_product_tile(product), share = product / td_threads();
  if (share < TILE_LEAST) share = TILE_LEAST;
  share = (share + 15) / 16 * 16;
  return tile < share ? tile : share;
}

static void close_stage(filling *f, td_stage *s, bool tiles) {
  td_capture *c = f->c;
  int64_t longest = 1;
  s->count = f->taken - s->first;
  for (int k = s->first; k < f->taken; k++) {
    const td_note *n = &c->note[c->order[k]];
    s->cost += n->cost;
    s->outside |= n->outside;
    if (n->rows > longest) longest = n->rows;
  }
  if (tiles && s->count > 1) {
    s->rows = f->region.rows;
    int64_t product = f->region.product;
    s->tile = (product ? tile_of(product) : TILE_ROWS) * s->rows /
      (product ? product : longest);
    if (s->tile < 1) s->tile = 1;
    return;
  }
  sorting = c->note;           /* long ones first: the others fill up the end */
  qsort(c->order + s->first, (size_t)s->count, sizeof *c->order, dearer);
}

static td_status fill(filling *f) {
  while (f->taken < f->c->n) {
    td_stage *s = new_stage(f);
    if (!s) return td_fail(TD_ENOMEM, "capture: out of memory for the schedule");
    bool tiles = false;
    if (!fill_notes(f, true) && !(tiles = fill_rows(f)) && !fill_notes(f, false))
      return td_fail(TD_ENOSUP, "capture: the calls of the step wait for each other");
    close_stage(f, s, tiles);
  }
  return TD_OK;
}

/* On a device that runs a graph order follows from what calls touch: as recorded. */
static td_status fill_in_order(filling *f) {
  for (int i = 0; i < f->c->n; i++) {
    td_stage *s = new_stage(f);
    if (!s) return td_fail(TD_ENOMEM, "capture: out of memory for the schedule");
    f->c->order[f->taken++] = i;
    close_stage(f, s, false);
  }
  return TD_OK;
}

td_status td__capture_schedule(td_capture *c) {
  filling f = { .c = c };
  td_status st;
  for (int i = 0; i < c->n; i++) {
    find_rows(&c->note[i]);
    find_cost(&c->note[i]);
  }
  if ((st = graph_make(c, &f.g))) return st;
  f.region.touch = malloc(sizeof *f.region.touch * ((size_t)c->nslot + 1));
  c->order = malloc(sizeof *c->order * ((size_t)c->n + 1));
  if (!f.region.touch || !c->order)
    st = td_fail(TD_ENOMEM, "capture: out of memory for the schedule");
  for (int k = 0; !st && k < c->nslot; k++) f.region.touch[k].stage = -1;
  if (!st) st = c->device ? fill_in_order(&f) : fill(&f);
  free(f.region.touch);
  graph_free(&f.g);
  return st;
}
