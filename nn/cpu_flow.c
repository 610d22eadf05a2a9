/* cpu_flow.c -- CPU kernels of flow matching: points on lines, squared errors.  Compiled
** without contraction of multiply and add: a draw gives the points of its noise. */
#include "tensor/isa.h"
#include "tensor/op.h"
#include "tensor/pool.h"

enum { LANES = 16, GRAIN = 8192 };       /* elements of a piece of parallel work */

static int64_t row_size(const td_tensor *x) {
  int64_t n = 1;
  for (int d = 1; d < x->ndim; d++) n *= x->shape[d];
  return n;
}
static int64_t grain(int64_t size) { return 1 + GRAIN / (size + 1); }
static void *data(const td_tensor *t) { return t->data; }

/* ---- points on lines: z = x0 + t (x1 - x0), u = x1 - x0; z may be x0 ---- */

typedef struct line {
  void *x0, *x1, *t, *z, *u;
  int64_t size, each;                    /* of a row; rows that share a time */
} line;

#define LINE_AT(T, name) \
  static void name(void *ctx, int64_t begin, int64_t end) { \
    const line *l = ctx; \
    for (int64_t r = begin; r < end; r++) { \
      const T t = ((const T *)l->t)[r / l->each], *b = (const T *)l->x1 + r * l->size; \
      const T *a = (const T *)l->x0 + r * l->size; \
      T *z = (T *)l->z + r * l->size, *u = (T *)l->u + r * l->size; \
      _Pragma("GCC ivdep") \
      for (int64_t i = 0; i < l->size; i++) { \
        u[i] = b[i] - a[i]; \
        z[i] = a[i] + u[i] * t; \
      } \
    } \
  }
LINE_AT(float, line_points_f32)
LINE_AT(double, line_points_f64)

static void join(const td_tensor *x0, const td_tensor *x1, const td_tensor *t, td_tensor **out) {
  int64_t rows = x1->shape[0], times = td__numel(t);
  line l = { data(x0), data(x1), data(t), data(out[0]), data(out[1]), row_size(x1),
             times ? rows / times : 1 };
  td_parallel_range(rows, grain(l.size), x1->dtype == TD_F64 ? line_points_f64 : line_points_f32, &l);
}

static td_status k_line_points(const td_call *c, td_tensor **out) {
  join(c->in[0], c->in[1], c->in[2], out);
  return TD_OK;
}

/* Fills t with what the op would draw at this place of the stream, and moves on. */
static td_status draw(const td_call *c, enum td_opid op, double a, double b, td_rng *at,
                      td_tensor *t) {
  td_call own = { .op = &td_ops[op], .be = c->be, .nin = 1, .in = &t, .nattr = 2, .nlist = -1,
                  .attr = { { .f = a }, { .f = b } }, .rng = *at };
  at->offset += (uint64_t)td__draws(t);
  return td__kernel(own.op, c->be)(&own, &t);
}

static td_status k_line_draw(const td_call *c, td_tensor **out) {
  td_tensor *z = out[0], *t = out[2];
  td_rng at = c->rng;
  double most = 1 - c->attr[0].f;
  td_status st = draw(c, TD_OP_uniform, 0, 1, &at, t);
  if (!st) st = draw(c, TD_OP_normal, 0, 1, &at, z);
  for (int64_t i = 0; !st && most < 1 && i < t->shape[0]; i++) {
    if (t->dtype == TD_F64) ((double *)data(t))[i] *= most;
    else ((float *)data(t))[i] *= (float)most;
  }
  if (!st) join(z, c->in[0], t, out);
  return st;
}

/* ---- other draws ---- */

static td_tensor vector(const td_call *c, td_dtype dtype, int64_t n, void *at) {
  return (td_tensor){ .refs = 1, .holds = 1, .dtype = dtype, .ndim = 1, .be = c->be, .data = at,
                      .shape = { n }, .stride = { 1 } };
}

/* t = (t + order) / n: order counts the keys by size. */
static void place(td_tensor *t, const int64_t *order, double most) {
  int64_t n = t->shape[0];
  double *d = data(t);
  float *f = data(t);
  for (int64_t i = 0; i < n; i++) {
    if (t->dtype == TD_F64) d[i] = (d[i] + (double)order[i]) / (double)n;
    else f[i] = (f[i] + (float)order[i]) / (float)n;
    if (most < 1 && t->dtype == TD_F64) d[i] *= most;
    else if (most < 1) f[i] *= (float)most;
  }
}

static td_status k_strata(const td_call *c, td_tensor **out) {
  int64_t n = out[0]->shape[0];
  double *room = td__scratch(sizeof *room * 3 * (size_t)(n + 1));
  if (!room) return td_error_code();
  td_tensor key = vector(c, TD_F64, n, room), sorted = vector(c, TD_F64, n, room + n);
  td_tensor order = vector(c, TD_I64, n, room + 2 * n), *in = &key, *both[] = { &sorted, &order };
  td_rng at = c->rng;
  td_call sort = { .op = &td_ops[TD_OP_sort], .be = c->be, .nin = 1, .in = &in, .nattr = 2,
                   .nlist = -1 };
  td_status st = draw(c, TD_OP_uniform, 0, 1, &at, out[0]);
  if (!st) st = draw(c, TD_OP_uniform, 0, 1, &at, &key);
  if (!st) st = td__kernel(sort.op, c->be)(&sort, both);
  if (!st) place(out[0], data(&order), 1 - c->attr[0].f);
  td__scratch_drop(room);
  return st;
}

typedef struct mixture {
  const void *u, *steps, *means, *spread;
  void *y;                               /* normals, which become points */
  int64_t *pick, count, size;            /* components, numbers of a point */
} mixture;

#define MIXTURE(T, name) \
  static void name(void *ctx, int64_t begin, int64_t end) { \
    const mixture *m = ctx; \
    const T *u = m->u, *steps = m->steps; \
    for (int64_t r = begin; r < end; r++) { \
      int64_t k = 0; \
      for (int64_t i = 0; i < m->count; i++) k += u[r] > steps[i]; \
      if (k == m->count) k--; \
      m->pick[r] = k; \
      const T *mean = (const T *)m->means + k * m->size, *s = (const T *)m->spread + k * m->size; \
      T *y = (T *)m->y + r * m->size; \
      for (int64_t i = 0; i < m->size; i++) y[i] = y[i] * s[i] + mean[i]; \
    } \
  }
MIXTURE(float, mixture_f32)
MIXTURE(double, mixture_f64)

static td_status k_mixture_draw(const td_call *c, td_tensor **out) {
  td_tensor *y = out[0];
  int64_t n = y->shape[0];
  void *room = td__scratch(sizeof(double) * (size_t)(n + 1));
  if (!room) return td_error_code();
  td_tensor u = vector(c, y->dtype, n, room);
  td_rng at = c->rng;
  td_status st = draw(c, TD_OP_uniform, 0, 1, &at, &u);
  if (!st) st = draw(c, TD_OP_normal, 0, 1, &at, y);
  mixture m = { room, data(c->in[0]), data(c->in[1]), data(c->in[2]), data(y), data(out[1]),
                c->in[0]->shape[0], row_size(y) };
  if (!st) td_parallel_range(n, grain(m.size + m.count), y->dtype == TD_F64 ? mixture_f64 : mixture_f32, &m);
  td__scratch_drop(room);
  return st;
}

/* ---- the squared error ---- */

typedef struct pair {
  const void *g, *a, *b;
  void *y;
  double *sum;                           /* of each piece, for the mean; or NULL */
  int64_t rows, size, per;               /* rows of a piece */
  double scale;
  bool each;                             /* a g for each row */
} pair;

static double chain(const double *s) {
  double sum = 0;
  for (int k = 0; k < LANES; k++) sum += s[k];
  return sum;
}

/* Sums in f64, in an order that depends on the length of a row alone. */
#define ERROR(T, id) \
  static double row_##id(const T *a, const T *b, int64_t n) { \
    double s[LANES] = { 0 }, sum = 0; \
    int64_t i = 0; \
    for (; i + LANES <= n; i += LANES) \
      for (int k = 0; k < LANES; k++) { \
        double d = (double)(a[i + k] - b[i + k]); \
        s[k] += d * d; \
      } \
    for (; i < n; i++) sum += (double)(a[i] - b[i]) * (double)(a[i] - b[i]); \
    return n < LANES ? sum : sum + chain(s); \
  } \
  static void error_##id(void *ctx, int64_t piece) { \
    const pair *p = ctx; \
    int64_t r = piece * p->per, end = r + p->per < p->rows ? r + p->per : p->rows; \
    double sum = 0; \
    for (; r < end; r++) { \
      double e = row_##id((const T *)p->a + r * p->size, (const T *)p->b + r * p->size, p->size); \
      if (p->sum) sum += e; \
      else ((T *)p->y)[r] = (T)e; \
    } \
    if (p->sum) p->sum[piece] = sum; \
  } \
  static void grad_##id(void *ctx, int64_t begin, int64_t end) { \
    const pair *p = ctx; \
    for (int64_t r = begin; r < end; r++) { \
      const T g = ((const T *)p->g)[p->each ? r : 0] * (T)p->scale; \
      const T *a = (const T *)p->a + r * p->size, *b = (const T *)p->b + r * p->size; \
      T *y = (T *)p->y + r * p->size; \
      for (int64_t i = 0; i < p->size; i++) y[i] = g * (2 * (a[i] - b[i])); \
    } \
  }
ERROR(float, f32)
ERROR(double, f64)

static td_status k_squared_error(const td_call *c, td_tensor **out) {
  const td_tensor *a = c->in[0];
  pair p = { .a = data(a), .b = data(c->in[1]), .y = data(out[0]), .rows = a->shape[0],
             .size = row_size(a), .per = grain(row_size(a)) };
  bool wide = a->dtype == TD_F64, mean = c->attr[0].i;
  int64_t pieces = (p.rows + p.per - 1) / p.per;
  if (mean && !(p.sum = td__scratch(sizeof *p.sum * (size_t)(pieces + 1)))) return td_error_code();
  td_parallel(pieces, wide ? error_f64 : error_f32, &p);
  if (!mean) return TD_OK;
  double sum = 0;
  for (int64_t k = 0; k < pieces; k++) sum += p.sum[k];
  td__scratch_drop(p.sum);
  if (wide) *(double *)p.y = sum / (double)p.rows;
  else *(float *)p.y = (float)(sum / (double)p.rows);
  return TD_OK;
}

static td_status k_squared_error_grad(const td_call *c, td_tensor **out) {
  const td_tensor *a = c->in[1];
  pair p = { .g = data(c->in[0]), .a = data(a), .b = data(c->in[2]), .y = data(out[0]),
             .size = row_size(a), .scale = c->attr[0].f, .each = c->in[0]->ndim > 0 };
  td_parallel_range(a->shape[0], grain(p.size), a->dtype == TD_F64 ? grad_f64 : grad_f32, &p);
  return TD_OK;
}

extern const td_kernel_entry TD_ISA_NAME(td_cpu_nn_flow)[];
const td_kernel_entry TD_ISA_NAME(td_cpu_nn_flow)[] = {
  { "line_points", k_line_points }, { "line_draw", k_line_draw },
  { "strata", k_strata }, { "mixture_draw", k_mixture_draw },
  { "squared_error", k_squared_error }, { "squared_error_grad", k_squared_error_grad }, { 0 },
};
