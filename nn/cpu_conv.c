/* cpu_conv.c -- CPU kernels of conv2d, its adjoint and the gradient of its weight.
**
** A sample's pictures are copied once, with zeros around them, as *planes*.  Along a plane,
** what an element of the kernel (a *tap*) meets at all places of the result is contiguous up
** to the ends of rows: the plane from an offset on.  So the sums go over taps with one pointer,
** and places at the ends of rows are computed in vain and left out.
**
** Where the ends of rows are too many, each column of the kernel gets planes of its own (`apart`),
** shifted, and as wide as the result: nothing is computed in vain then, but more is copied.
**
** A convolution with stride s has up to s x s planes for each channel, the pixels of a cell apart.
** Its adjoint falls into s x s *phases*, places of the result with the same remainder, each
** with taps of its own. */
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include <stdatomic.h>
#include <string.h>

#if defined __AVX512F__
enum { VECTOR = 64, ROWS = 8 };        /* channels of the result in a block of registers */
#elif defined __AVX2__
enum { VECTOR = 32, ROWS = 4 };
#else
enum { VECTOR = 16, ROWS = 4 };
#endif
enum { WIDE = 3,                       /* vectors of places in a block, at most */
       STRIP = 24,                     /* vectors of places at a time */
       CHUNKS = 64,                    /* samples are cut into at most so many chunks */
       PARTS_MOST = 16,                /* partial sums of a weight's gradient */
       PLACES = 256 };                 /* places that are summed in one go there, at least */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
enum what { FORWARD, ADJOINT, WEIGHTS };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

typedef struct phase {
  int64_t rows, columns;               /* places */
  int64_t start, step_y, step_x;       /* where they lie in the result */
  int64_t ky, kx, ny, nx, step_k;      /* first tap, their number in each direction */
  int64_t taps;                        /* channels * ny * nx */
  int64_t *offset;                     /* of each, in the planes */
  void *weight;                        /* packed */
} phase;

typedef struct conv {
  enum what what;
  const void *from, *g, *weight, *bias;
  void *to, *part;
  int64_t n, from_c, from_h, from_w, to_c, to_h, to_w, g_c, g_h, g_w;
  int64_t kh, kw, stride, pad;
  int64_t step, cell_h, cell_w;        /* cells of step x step pixels, how many of these have planes */
  int64_t plane_h, pitch, top, left;   /* size of a plane, zeros before the picture */
  int64_t phases, per, lot;            /* samples in a chunk, and at a time */
  bool apart;
  bool gaps;                           /* some places of the result have no tap */
  phase *phase;
  atomic_bool failed;
} conv;

#define real float
#define LANES (VECTOR / 4)
#define NAME(x) x##_f32
#include "nn/conv_planes.h"
#undef real
#undef LANES
#undef NAME
#define real double
#define LANES (VECTOR / 8)
#define NAME(x) x##_f64
#include "nn/conv_planes.h"

/* ---- phases ---- */

static int64_t over(int64_t n, int64_t by) { return n > 0 ? (n + by - 1) / by : 0; }

/* The one phase of a convolution. */
static void whole(const conv *v, phase *f) {
  int64_t s = v->stride;
  *f = (phase){ v->g_h, v->g_w, 0, v->g_w, 1, 0, 0, v->kh, v->kw, 1, 0, f->offset, f->weight };
  for (int64_t c = 0; c < v->from_c; c++)
    for (int64_t y = 0; y < v->kh; y++)
      for (int64_t x = 0; x < v->kw; x++)
        f->offset[f->taps++] = ((c * v->cell_h + y % s) * v->cell_w + (v->apart ? x : x % s)) *
          v->plane_h * v->pitch + y / s * v->pitch + (v->apart ? 0 : x / s);
}

/* Places y with (y + pad) mod stride = a, and likewise x and b: y + pad = stride q + a meets
** rows q - m of g by the taps a + stride m. */
static void part(const conv *v, int64_t a, int64_t b, phase *f) {
  int64_t s = v->stride, qy = over(v->pad - a, s), qx = over(v->pad - b, s);
  int64_t y = qy * s + a - v->pad, x = qx * s + b - v->pad;
  *f = (phase){ over(v->to_h - y, s), over(v->to_w - x, s), y * v->to_w + x, s * v->to_w, s,
                a, b, over(v->kh - a, s), over(v->kw - b, s), s, 0, f->offset, f->weight };
  if (f->columns == 0) f->rows = 0;
  for (int64_t c = 0; c < v->from_c; c++)
    for (int64_t i = 0; i < f->ny; i++)
      for (int64_t j = 0; j < f->nx; j++)
        f->offset[f->taps++] = v->apart ?
          ((c * v->kw + v->kw - 1 - j) * v->plane_h + qy + v->top - i) * v->pitch :
          (c * v->plane_h + qy + v->top - i) * v->pitch + qx + v->left - j;
}

/* Do planes as wide as the result save at least a tenth of the vectors of places? */
static bool worth(const conv *v, int64_t rows, int64_t columns, int64_t lanes) {
  int64_t joint = over((rows - 1) * v->pitch + columns, lanes), apart = over(rows * columns, lanes);
  return v->what != WEIGHTS && apart * 10 <= joint * 9;
}

/* Planes of x (n, from_c, h, w) for a convolution, with its border. */
static void planes_of_x(conv *v, int64_t lanes) {
  v->step = v->stride, v->cell_h = least(v->stride, v->kh), v->cell_w = least(v->stride, v->kw);
  v->top = v->left = v->pad;
  v->plane_h = over(v->from_h + 2 * v->pad, v->stride);
  v->pitch = over(v->from_w + 2 * v->pad, v->stride);
  v->phases = 1;
  v->apart = worth(v, v->g_h, v->g_w, lanes);
  if (v->apart) v->cell_w = v->kw, v->pitch = v->g_w;
}

/* Planes of g for the adjoint: rows from where the first place looks to where the last does. */
static void planes_of_g(conv *v, int64_t lanes) {
  int64_t s = v->stride, back_y = over(v->kh, s) - 1 - v->pad / s, back_x = over(v->kw, s) - 1 - v->pad / s;
  v->step = v->cell_h = v->cell_w = 1;
  v->top = back_y > 0 ? back_y : 0, v->left = back_x > 0 ? back_x : 0;
  v->plane_h = v->top + (v->to_h - 1 + v->pad) / s + 1;
  v->pitch = v->left + (v->to_w - 1 + v->pad) / s + 1;
  v->phases = least(s, v->kh) * least(s, v->kw);
  v->apart = s == 1 && worth(v, v->to_h, v->to_w, lanes);
  if (v->apart) v->cell_w = v->kw, v->left = v->kw - 1 - v->pad, v->pitch = v->to_w;
  v->gaps = s > v->kh || s > v->kw;
}

/* ---- kernels ---- */

static td_status run(conv *v, td_tensor *out) {
  bool wide = out->dtype == TD_F64;
  int64_t chunks = (v->n + v->per - 1) / v->per, ld = round_up(v->g_c, VECTOR / (wide ? 8 : 4));
  if (v->what == WEIGHTS) {
    size_t bytes = (size_t)(chunks * round_up(v->phase->taps, ROWS) * ld) * (wide ? 8 : 4);
    v->part = td__scratch(bytes);
    if (!v->part) return td_error_code();
    memset(v->part, 0, bytes);
  }
  td_parallel(chunks, wide ? chunk_f64 : chunk_f32, v);
  bool failed = atomic_load(&v->failed);
  if (v->what == WEIGHTS && !failed) {
    if (wide) add_parts_f64(v, chunks, ld, (double *)out->data);
    else add_parts_f32(v, chunks, ld, (float *)out->data);
  }
  if (v->part) td__scratch_drop(v->part);
  if (failed) return td_fail(TD_ENOMEM, "%s", "convolution: out of memory for planes");
  return td_interrupt_flag ? td_fail(TD_EINTR, "interrupted") : TD_OK;
}

/* Lays out the phases, and the weights in them, and runs. */
static td_status prepare(conv *v, td_tensor *out) {
  size_t size = td_dtype_size(out->dtype);
  int64_t taps = v->from_c * v->kh * v->kw, rows = v->what == WEIGHTS ? 0 : round_up(v->to_c, ROWS);
  size_t head = (size_t)v->phases * sizeof(phase), offsets = (size_t)taps * sizeof(int64_t);
  char *room = td__scratch(head + offsets + (size_t)(taps * rows) * size);
  if (!room) return td_error_code();
  v->phase = (phase *)(void *)room;
  char *offset = room + head, *weight = offset + offsets;
  for (int64_t i = 0; i < v->phases; i++) {
    phase *f = v->phase + i;
    f->offset = (int64_t *)(void *)offset, f->weight = weight;
    int64_t across = least(v->stride, v->kw);
    if (v->what == ADJOINT) part(v, i / across, i % across, f);
    else whole(v, f);
    offset += (size_t)f->taps * sizeof(int64_t);
    weight += (size_t)(f->taps * rows) * size;
    if (rows && size == sizeof(double)) pack_f64(v, f);
    else if (rows) pack_f32(v, f);
  }
  td_status st = run(v, out);
  td__scratch_drop(room);
  return st;
}

static const void *data(const td_tensor *t) { return t ? t->data : NULL; }

#define SIZES(v, name, t) \
  (v).name##_c = (t)->shape[1], (v).name##_h = (t)->shape[2], (v).name##_w = (t)->shape[3]

static td_status sums(const td_call *c, td_tensor *out, enum what what) {
  const td_tensor *x = c->in[0], *w = c->in[1];
  conv v = { .what = what, .from = x->data, .weight = w->data, .bias = data(c->in[2]),
             .to = out->data, .n = x->shape[0], .kh = w->shape[2], .kw = w->shape[3],
             .stride = c->attr[0].i, .pad = c->attr[1].i };
  if (!td__numel(out)) return TD_OK;
  SIZES(v, from, x);
  SIZES(v, to, out);
  SIZES(v, g, out);
  v.per = over(v.n, CHUNKS), v.lot = 1;
  int64_t lanes = VECTOR / (int64_t)td_dtype_size(out->dtype);
  if (what == ADJOINT) planes_of_g(&v, lanes);
  else planes_of_x(&v, lanes);
  return prepare(&v, out);
}

static td_status k_conv2d(const td_call *c, td_tensor **out) { return sums(c, out[0], FORWARD); }
static td_status k_conv_transpose2d(const td_call *c, td_tensor **out) {
  return sums(c, out[0], ADJOINT);
}

static td_status k_conv2d_weight_grad(const td_call *c, td_tensor **out) {
  const td_tensor *g = c->in[0], *x = c->in[1];
  conv v = { .what = WEIGHTS, .from = x->data, .g = g->data, .n = x->shape[0],
             .kh = c->list[0], .kw = c->list[1], .stride = c->attr[0].i, .pad = c->attr[1].i };
  SIZES(v, from, x);
  SIZES(v, g, g);
  if (v.n == 0 || td__numel(out[0]) == 0) {
    memset(out[0]->data, 0, (size_t)td__numel(out[0]) * td_dtype_size(out[0]->dtype));
    return TD_OK;
  }
  int64_t few = least(over(PLACES, v.g_h * v.g_w), v.n), share = over(v.n, PARTS_MOST);
  v.per = share > few ? share : few, v.lot = few;
  planes_of_x(&v, 1);
  return prepare(&v, out[0]);
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_conv)[] = {
  { "conv2d", k_conv2d }, { "conv_transpose2d", k_conv_transpose2d },
  { "conv2d_weight_grad", k_conv2d_weight_grad }, { 0 },
};
