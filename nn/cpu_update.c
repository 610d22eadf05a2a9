/* cpu_update.c -- CPU kernels of the optimisers: all tensors of a list in one
** parallel pass.
**
** Every tensor is cut into chunks of CHUNK elements.  Contiguous tensors of one
** type are updated where they are; others (views, bf16, mixed types) are carried
** through small blocks of doubles. */
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 16384, BLOCK = 256, MAX_LISTS = 4 };

typedef struct update update;
struct update {
  const td_call *c;
  int lists;
  int64_t n;               /* tensors in a list */
  int64_t *first;          /* number of the first chunk of each tensor */
  unsigned writes;         /* bit k: list k is changed */
  void (*f32)(const update *u, float *const *v, int64_t n);
  void (*f64)(const update *u, double *const *v, int64_t n);
  double lr, beta1, beta2, eps, decay, momentum;
  double size, root;       /* Adam: lr and 1/sqrt with bias corrections */
  bool decoupled, nesterov;
  double *sum, *sums;      /* grad_norm: this chunk's slot, all slots */
};

#define real float
#define SQRT sqrtf
#define NAME(x) x##_f32
#include "nn/update_rows.h"
#define real double
#define SQRT sqrt
#define NAME(x) x##_f64
#include "nn/update_rows.h"

/* ---- single elements of any floating point type ---- */

static double load(const td_tensor *t, int64_t at) {
  uint32_t wide;
  float f;
  switch (t->dtype) {
    case TD_F32: return ((const float *)t->data)[at];
    case TD_F64: return ((const double *)t->data)[at];
    case TD_I64: return (double)((const int64_t *)t->data)[at];
    case TD_I32: return ((const int32_t *)t->data)[at];
    case TD_BF16:
      wide = (uint32_t)((const uint16_t *)t->data)[at] << 16;
      memcpy(&f, &wide, sizeof f);
      return f;
    default: return ((const uint8_t *)t->data)[at];
  }
}

static void store(td_tensor *t, int64_t at, double v) {
  uint32_t bits;
  float f = (float)v;
  if (t->dtype == TD_F64) {
    ((double *)t->data)[at] = v;
  } else if (t->dtype == TD_F32) {
    ((float *)t->data)[at] = f;
  } else {                             /* bf16: to nearest, ties to even */
    memcpy(&bits, &f, sizeof bits);
    bits = f != f ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
    ((uint16_t *)t->data)[at] = (uint16_t)(bits >> 16);
  }
}

/* Where element i in row-major order stands, in elements from data. */
static int64_t place(const td_tensor *t, int64_t i) {
  int64_t at = 0;
  for (int d = t->ndim - 1; d >= 0; d--) {
    at += i % t->shape[d] * t->stride[d];
    i /= t->shape[d];
  }
  return at;
}

/* ---- chunks ---- */

static void through_blocks(const update *u, td_tensor *const *t, int64_t begin,
                           int64_t end) {
  double block[MAX_LISTS][BLOCK], *v[MAX_LISTS];
  for (int k = 0; k < u->lists; k++) v[k] = block[k];
  for (int64_t b = begin; b < end; b += BLOCK) {
    int64_t n = end - b < BLOCK ? end - b : BLOCK;
    for (int k = 0; k < u->lists; k++)
      for (int64_t i = 0; i < n; i++)
        block[k][i] = load(t[k], place(t[k], b + i));
    u->f64(u, v, n);
    for (int k = 0; k < u->lists; k++)
      for (int64_t i = 0; (u->writes >> k & 1) && i < n; i++)
        store(t[k], place(t[k], b + i), block[k][i]);
  }
}

static int64_t tensor_of(const update *u, int64_t chunk) {
  int64_t lo = 0, hi = u->n - 1;        /* the last with first <= chunk */
  while (lo < hi) {
    int64_t mid = (lo + hi + 1) / 2;
    if (u->first[mid] <= chunk) lo = mid;
    else hi = mid - 1;
  }
  return lo;
}

static void run_chunk(void *ctx, int64_t chunk) {
  update own = *(const update *)ctx;
  const update *u = &own;
  int64_t i = tensor_of(u, chunk), begin = (chunk - u->first[i]) * CHUNK;
  td_tensor *t[MAX_LISTS];
  void *v[MAX_LISTS];
  int64_t n = td__numel(u->c->in[i]);
  int64_t end = begin + CHUNK < n ? begin + CHUNK : n;
  bool plain = true;
  if (u->sums) own.sum = u->sums + chunk;
  for (int k = 0; k < u->lists; k++) {
    t[k] = u->c->in[k * u->n + i];
    plain &= td__contiguous(t[k]) && t[k]->dtype == t[0]->dtype;
    v[k] = t[k]->data + (size_t)begin * td_dtype_size((td_dtype)t[k]->dtype);
  }
  if (plain && t[0]->dtype == TD_F32) u->f32(u, (float *const *)v, end - begin);
  else if (plain && t[0]->dtype == TD_F64)
    u->f64(u, (double *const *)v, end - begin);
  else through_blocks(u, t, begin, end);
}

/* Finds the chunks; returns how many, or -1. */
static int64_t cut(update *u) {
  int64_t *first = td__scratch(sizeof *first * (size_t)u->n), chunks = 0;
  if (!first) return -1;
  for (int64_t i = 0; i < u->n; i++) {
    first[i] = chunks;
    chunks += (td__numel(u->c->in[i]) + CHUNK - 1) / CHUNK;
  }
  u->first = first;
  return chunks;
}

static td_status run(update *u) {
  int64_t chunks = cut(u);
  if (chunks < 0) return td_error_code();
  u->writes = u->c->op->rule->writes;
  td_parallel(chunks, run_chunk, u);
  td__scratch_drop(u->first);
  return TD_OK;
}

static update start(const td_call *c, int lists, int singles) {
  return (update){ .c = c, .lists = lists, .n = (c->nin - singles) / lists,
                   .lr = singles ? load(c->in[c->nin - 1], 0) : 0 };
}

/* ---- kernels ---- */

static td_status adam(const td_call *c, bool decoupled) {
  update u = start(c, 4, 2);
  int64_t *step = (int64_t *)c->in[c->nin - 2]->data, t = *step + 1;
  u.beta1 = c->attr[0].f;
  u.beta2 = c->attr[1].f;
  u.eps = c->attr[2].f;
  u.decay = c->attr[3].f;
  u.decoupled = decoupled;
  u.size = u.lr / (1 - pow(u.beta1, (double)t));
  u.root = 1 / sqrt(1 - pow(u.beta2, (double)t));
  u.f32 = adam_f32;
  u.f64 = adam_f64;
  td_status st = run(&u);
  if (!st) *step = t;
  return st;
}
static td_status k_adam(const td_call *c, td_tensor **out) {
  (void)out;
  return adam(c, false);
}
static td_status k_adamw(const td_call *c, td_tensor **out) {
  (void)out;
  return adam(c, true);
}

static td_status k_sgd(const td_call *c, td_tensor **out) {
  update u = start(c, 2, 1);
  (void)out;
  u.decay = c->attr[0].f;
  u.f32 = sgd_f32;
  u.f64 = sgd_f64;
  return run(&u);
}

static td_status k_momentum(const td_call *c, td_tensor **out) {
  update u = start(c, 3, 1);
  (void)out;
  u.momentum = c->attr[0].f;
  u.decay = c->attr[1].f;
  u.nesterov = c->attr[2].i != 0;
  u.f32 = momentum_f32;
  u.f64 = momentum_f64;
  return run(&u);
}

static td_status k_ema(const td_call *c, td_tensor **out) {
  update u = start(c, 2, 1);
  (void)out;
  u.f32 = ema_f32;
  u.f64 = ema_f64;
  return run(&u);
}

static td_status k_scale(const td_call *c, td_tensor **out) {
  update u = start(c, 1, 1);
  (void)out;
  u.f32 = scale_f32;
  u.f64 = scale_f64;
  return run(&u);
}

static td_status k_grad_norm(const td_call *c, td_tensor **out) {
  update u = start(c, 1, 0);
  int64_t chunks = cut(&u);
  double sum = 0;
  if (chunks < 0) return td_error_code();
  u.sums = td__scratch(sizeof *u.sums * (size_t)chunks);
  if (!u.sums) {
    td__scratch_drop(u.first);
    return td_error_code();
  }
  for (int64_t i = 0; i < chunks; i++) u.sums[i] = 0;
  u.f32 = squares_f32;
  u.f64 = squares_f64;
  td_parallel(chunks, run_chunk, &u);
  for (int64_t i = 0; i < chunks; i++) sum += u.sums[i];
  td__scratch_drop(u.sums);
  td__scratch_drop(u.first);
  store(out[0], 0, sqrt(sum));
  return TD_OK;
}

const td_kernel_entry TD_ISA_NAME(td_cpu_nn_update)[] = {
  { "adam_", k_adam }, { "adamw_", k_adamw }, { "sgd_", k_sgd },
  { "momentum_", k_momentum }, { "ema_", k_ema }, { "scale_", k_scale },
  { "grad_norm", k_grad_norm }, { 0 },
};
