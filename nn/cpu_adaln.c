/* cpu_adaln.c -- CPU kernels of adaln, adaln_trace, adaln_residual and adaln_pack: a
** network of modulated residual blocks from its input to its output, tile by tile.
**
** A tile goes through all layers while it is in the cache of its core, so memory does
** not grow with the number of points; weights are packed once for each call, or once
** for many.  Tiles follow from shapes alone. */
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include "tensor/vmath.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#if defined __AVX512F__
enum { VEC = 64, BLOCK_ROWS = 12 };    /* 24 of 32 registers hold results */
#elif defined __AVX__
enum { VEC = 32, BLOCK_ROWS = 6 };     /* 12 of 16 */
#else
enum { VEC = 16, BLOCK_ROWS = 6 };
#endif
enum {
  TILE_ROWS = 132,             /* most rows, tangents included, of several points */
  NORM = 0, FC1 = 2, FC2 = 4,  /* weights of a block, each with its bias */
};

typedef struct net {
  td_tensor *z, *u, *mod, *place, *noise, **w;
  td_tensor **result;
  int64_t count, dim, width, blocks;
  int64_t length, each;        /* of a row of mod; points that share one */
  int64_t points, tangents;    /* of a tile; of a point */
  int matrices;
  double eps;
  size_t size;                 /* of an element */
  char **packed, **back;       /* by matrix: for x W^T, and for x W (or NULL) */
  bool keep, meet;             /* all layers, to go back; a trace whose end is short */
  atomic_bool starved;         /* a thread found no memory */
  void *entry, *exit;          /* of each group (adaln_rows.h), or NULL */
  double *gram;
} net;

/* The weights: input and bias; of each block norm, fc1, fc2 with their biases; output
** and bias.  Matrices are counted without norms. */
static const void *weight(const net *n, int64_t block, int which) {
  return n->w[2 + 6 * block + which]->data;
}
static int position(const net *n, int m) {
  if (m == 0) return 0;
  if (m == n->matrices - 1) return (int)(2 + 6 * n->blocks);
  return 2 + 6 * ((m - 1) / 2) + ((m - 1) % 2 ? FC2 : FC1);
}
static const void *bias_of(const net *n, int m) { return n->w[position(n, m) + 1]->data; }
static int64_t inputs(const net *n, int m) { return m ? n->width : n->dim; }
static int64_t outputs(const net *n, int m) {
  return m == n->matrices - 1 ? n->dim : n->width;
}

#define real float
#define NAME(x) x##_f32
#include "nn/adaln_rows.h"
#define real double
#define NAME(x) x##_f64
#include "nn/adaln_rows.h"

static bool is_wide(const net *n) { return n->size == sizeof(double); }

/* ---- packing ---- */

static int64_t padded(const net *n, int64_t count) {
  return is_wide(n) ? padded_f64(count) : padded_f32(count);
}
static int64_t panels(const net *n, int64_t count) {
  return padded(n, count) / (is_wide(n) ? (int64_t)panel_f64 : (int64_t)panel_f32);
}

/* All panels of all matrices, counted through; those for the way back come second. */
static void pack_one(void *ctx, int64_t at) {
  const net *n = ctx;
  for (int m = 0; m < n->matrices * (n->back ? 2 : 1); m++) {
    bool back = m >= n->matrices;
    int which = back ? m - n->matrices : m;
    int64_t in = inputs(n, which), out = outputs(n, which);
    int64_t wide = back ? in : out, k = back ? out : in, have = panels(n, wide);
    if (at >= have) {
      at -= have;
      continue;
    }
    const char *w = n->w[position(n, which)]->data;
    char *to = back ? n->back[which] : n->packed[which];
    int64_t bk = back ? in : 1, bj = back ? 1 : in;
    if (is_wide(n)) pack_f64((const double *)w, bk, bj, k, wide, at, (double *)to);
    else pack_f32((const float *)w, bk, bj, k, wide, at, (float *)to);
    return;
  }
}

/* Gives each matrix its place; `room` NULL: only counts bytes and panels. */
static size_t place_panels(net *n, char *room, int64_t *count) {
  size_t at = 0;
  *count = 0;
  for (int m = 0; m < n->matrices * (n->back ? 2 : 1); m++) {
    int which = m % n->matrices;
    bool back = m >= n->matrices;
    int64_t wide = back ? inputs(n, which) : outputs(n, which);
    int64_t k = back ? outputs(n, which) : inputs(n, which);
    if (room) (back ? n->back : n->packed)[which] = room + at;
    at += n->size * (size_t)(padded(n, wide) * k);
    *count += panels(n, wide);
  }
  return at;
}

/* ---- tiles ---- */

/* Points of a tile: few idle rows and an even number of tiles. */
static int64_t tile_points(const net *n) {
  int64_t rows = 1 + n->tangents, step = rows < BLOCK_ROWS ? BLOCK_ROWS / rows : 1;
  int64_t most = TILE_ROWS / rows / step * step, best = most, waste = INT64_MAX;
  if (most < 1) return 1;
  for (int64_t p = most; 2 * p > most && p > 0; p -= step) {
    int64_t tiles = (n->count + p - 1) / p, idle = (tiles + tiles % 2) * p - n->count;
    if (idle < waste) {
      best = p;
      waste = idle;
    }
  }
  return best;
}

typedef struct job {
  net *net;
  atomic_llong next;           /* the point that the next tile begins with */
} job;

static void worker(void *ctx, int64_t me) {
  job *j = ctx;
  net *n = j->net;
  (void)me;
  void *room = td__scratch(is_wide(n) ? tile_room_f64(n) : tile_room_f32(n));
  tile_f32 narrow;
  tile_f64 wide;
  if (!room) {
    n->starved = true;
    return;
  }
  if (is_wide(n)) tile_open_f64(&wide, n, room);
  else tile_open_f32(&narrow, n, room);
  for (;;) {
    int64_t first = atomic_fetch_add_explicit(&j->next, n->points, memory_order_relaxed);
    if (first >= n->count || td_interrupt_flag) break;
    if (is_wide(n)) run_tile_f64(&wide, first);
    else run_tile_f32(&narrow, first);
  }
  td__scratch_drop(room);
}

static void describe(net *n, td_tensor **weights, int count) {
  n->w = weights;
  n->width = weights[0]->shape[0];
  n->dim = weights[0]->shape[1];
  n->blocks = (count - 4) / 6;
  n->matrices = (int)(2 * n->blocks + 2);
  n->size = td_dtype_size((td_dtype)weights[0]->dtype);
}

static td_status run_tiles(const td_call *c, net *n) {
  job j = { .net = n };
  int64_t tiles = (n->count + n->points - 1) / n->points;
  td_parallel(tiles < td_threads() ? tiles : td_threads(), worker, &j);
  if (td_interrupt_flag) return td_fail(TD_EINTR, "interrupted");
  return n->starved ? td_fail(TD_ENOMEM, "%s: out of memory for a tile of points",
                             c->op->name) : TD_OK;
}

/* ---- entries of groups ---- */

static void make_entry(void *ctx, int64_t group) {
  net *n = ctx;
  size_t size = (size_t)(is_wide(n) ? entry_size_f64(n) : entry_size_f32(n));
  void *room = td__scratch(n->size * (size + 7 * (size_t)padded(n, n->width)));
  if (!room) {
    n->starved = true;
    return;
  }
  void *to = (char *)n->entry + n->size * size * (size_t)group;
  if (is_wide(n)) make_entry_f64(n, group, room, to);
  else make_entry_f32(n, group, room, to);
  if (n->meet) {
    to = (char *)n->exit + n->size * 2 * (size_t)(n->dim * padded(n, n->width) * group);
    if (is_wide(n)) make_exit_f64(n, group, room, to);
    else make_exit_f32(n, group, room, to);
  }
  if (group == 0 && n->keep) {
    if (is_wide(n)) make_gram_f64(n, room, n->gram);
    else make_gram_f32(n, room, n->gram);
  }
  td__scratch_drop(room);
}

/* Worth it where groups have more points than entries; then room for them.  Without
** memory for that the first product is done as the others are. */
static void *make_entries(net *n) {
  int64_t groups = n->count / n->each, size = n->dim + 2;
  if (!n->blocks || n->each < 2 * size || n->width < 4 * size) return NULL;
  size_t gram = sizeof(double) * (size_t)(n->dim * (n->dim + 1));
  gram = (gram + 63) / 64 * 64;
  size_t row = n->size * (size_t)padded(n, n->width), entries = row * (size_t)(groups * size);
  bool meet = n->back && !n->keep && !n->noise && n->tangents > 1;
  size_t exits = meet ? row * (size_t)(groups * 2 * n->dim) : 0;
  char *room = td__scratch(gram + entries + exits);
  if (!room) return NULL;
  n->gram = (double *)room;
  n->entry = room + gram;
  n->exit = room + gram + entries;
  n->meet = meet;
  td_parallel(groups, make_entry, n);
  return room;
}

/* Lists of where matrices lie, in panels: those of the call, or ours. */
static td_status run_net(const td_call *c, net *n, int first, td_tensor **out) {
  const td_tensor *packed = c->in[first - 1];
  describe(n, c->in + first, c->nin - first);
  n->result = out;
  n->count = n->z->shape[0];
  n->length = n->mod->shape[1];
  n->eps = c->attr[0].f;
  if (!n->count) return TD_OK;
  n->each = n->count / (n->place ? n->place->shape[0] : n->mod->shape[0]);
  n->points = tile_points(n);
  int64_t count;
  size_t lists = (sizeof(char *) * 2 * (size_t)n->matrices + 63) / 64 * 64;
  n->back = n->keep ? (char *[1]){ NULL } : NULL;      /* counted; its place follows */
  char *room = td__scratch(lists + (packed ? 0 : place_panels(n, NULL, &count)));
  if (!room) return td_error_code();
  n->packed = (char **)room;
  if (n->keep || packed) n->back = n->packed + n->matrices;
  place_panels(n, packed ? packed->data : room + lists, &count);
  if (!packed) td_parallel(count, pack_one, n);
  void *entries = make_entries(n);
  td_status st = run_tiles(c, n);
  td__scratch_drop(entries);
  td__scratch_drop(room);
  return st;
}

/* As place_panels lays them out for a call that goes both ways. */
static td_status k_adaln_pack(const td_call *c, td_tensor **out) {
  net n = { .result = out };
  int64_t count;
  describe(&n, c->in, c->nin);
  n.packed = td__scratch(sizeof(char *) * 2 * (size_t)n.matrices);
  if (!n.packed) return td_error_code();
  n.back = n.packed + n.matrices;
  memset(out[0]->data, 0, n.size * (size_t)td__numel(out[0]));
  place_panels(&n, out[0]->data, &count);
  td_parallel(count, pack_one, &n);
  td__scratch_drop(n.packed);
  return TD_OK;
}

static td_status k_adaln(const td_call *c, td_tensor **out) {
  net n = { .z = c->in[0], .mod = c->in[1], .place = c->in[2] };
  return run_net(c, &n, 4, out);
}
static td_status k_adaln_trace(const td_call *c, td_tensor **out) {
  net n = { .z = c->in[0], .mod = c->in[1], .place = c->in[2], .noise = c->in[3] };
  n.tangents = n.noise ? 1 : n.z->shape[1];
  return run_net(c, &n, 5, out);
}
static td_status k_adaln_residual(const td_call *c, td_tensor **out) {
  net n = { .z = c->in[0], .u = c->in[1], .mod = c->in[2], .place = c->in[3] };
  n.keep = true;
  return run_net(c, &n, 5, out);
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_adaln)[] = {
  { "adaln", k_adaln }, { "adaln_trace", k_adaln_trace },
  { "adaln_residual", k_adaln_residual }, { "adaln_pack", k_adaln_pack }, { 0 },
};
