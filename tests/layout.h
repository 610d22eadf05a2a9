/* layout.h -- tensors of random shape and layout, and plain walks over them, for
** tests that compare kernels with the obvious loop. */
#ifndef TD_TEST_LAYOUT_H
#define TD_TEST_LAYOUT_H
#include "tests/test.h"

__attribute__((constructor)) static void layout_init(void) { td_device("cpu"); }

static uint64_t layout_state = 88172645463325252u;
static inline uint64_t rnd(void) {
  layout_state ^= layout_state << 13;
  layout_state ^= layout_state >> 7;
  layout_state ^= layout_state << 17;
  return layout_state >> 11;
}
static inline int64_t below(int64_t n) { return (int64_t)(rnd() % (uint64_t)n); }

typedef struct shape { int n; int64_t size[TD_MAXDIM]; } shape;

static inline int64_t numel(const shape *s) {
  int64_t n = 1;
  for (int d = 0; d < s->n; d++) n *= s->size[d];
  return n;
}

/* up to four dims, now and then a long or an empty one */
static inline shape random_shape(int64_t most) {
  static const int64_t sizes[] = { 1, 1, 2, 3, 4, 5, 7, 16, 31, 33, 70, 300, 1025 };
  for (;;) {
    shape s = { (int)below(5), { 0 } };
    for (int d = 0; d < s.n; d++)
      s.size[d] = sizes[below(sizeof sizes / sizeof *sizes)];
    if (below(40) == 0 && s.n) s.size[below(s.n)] = 0;
    if (numel(&s) <= most) return s;
  }
}

/* A tensor of that shape: dense, transposed, a stepped part of a larger one, or
** reversed.  Values are small integers, exact in every type. */
static inline td_tensor *random_tensor(td_dtype dt, const shape *s, int64_t lo,
                                       int64_t hi) {
  int64_t big[TD_MAXDIM], order[TD_MAXDIM], back[TD_MAXDIM];
  int n = s->n, step = below(3) ? 1 : 2, cut = n ? (int)below(n) : 0;
  bool part = n && below(3) == 0;
  for (int d = 0; d < n; d++) order[d] = d;
  if (below(2))
    for (int d = n - 1; d > 0; d--) {
      int e = (int)below(d + 1);
      int64_t t = order[d];
      order[d] = order[e];
      order[e] = t;
    }
  for (int d = 0; d < n; d++) {
    back[order[d]] = d;
    big[d] = s->size[order[d]];
    if (part && order[d] == cut) big[d] = big[d] * step + 3;
  }
  td_tensor *t = td_empty(td_cpu(), dt, n, big);
  if (!t) return NULL;
  int64_t count = td_numel(t);
  double *v = malloc((size_t)(count + 1) * sizeof *v);
  for (int64_t i = 0; i < count; i++)
    v[i] = (double)(lo + below(hi - lo + 1));
  td_status st = td_write_f64(t, v);
  free(v);
  if (st) return NULL;
  t = td_permute(t, (td_ints){ n, back });
  return part ? td_slice(t, cut, 2, s->size[cut], step) : t;
}

/* Its values in row-major order; the caller frees them. */
static inline double *values(td_tensor *t) {
  double *v = malloc((size_t)(td_numel(t) + 1) * sizeof *v);
  if (td_read_f64(t, v)) FAIL("cannot read: %s", td_error());
  return v;
}

/* Where element i of a result of shape `out` lies in a tensor that broadcasts. */
static inline int64_t broadcast_index(int64_t i, const shape *out,
                                      const shape *in) {
  int64_t at = 0, step = 1;
  for (int d = 1; d <= out->n; d++) {
    int64_t size = out->size[out->n - d], k = i % size;
    i /= size;
    if (d > in->n) continue;
    int64_t own = in->size[in->n - d];
    if (own != 1) at += k * step;
    step *= own;
  }
  return at;
}

/* Some dims become 1, leading ones may go: it still broadcasts to s. */
static inline shape shrunk(const shape *s) {
  shape r = *s;
  int lead = s->n ? (int)below(s->n + 1) * (below(2) == 0) : 0;
  r.n = s->n - lead;
  for (int d = 0; d < r.n; d++)
    r.size[d] = below(3) ? s->size[d + lead] : 1;
  return r;
}
#endif
