/* plot_contour.c -- lines of equal value through a grid, joined end to end.
**
** Marching squares: a line crosses the sides of cells between two centres. Each
** side is shared by two cells, so it has at most two neighbours on the line:
** the crossings form chains that are walked from their ends. */
#include "vm/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct tracer {
  const td_plot_grid *g;
  double level;
  int32_t (*link)[2]; /* per side: the sides that follow, or -1 */
  double *xy;
  size_t n, capacity;
  td_plot_polyline_fn *emit;
  void *context;
} tracer;

/* Side k of the cell with lower left centre (i, j): 0 lower, 1 right, 2 upper,
** 3 left. Horizontal sides come first. */
static int32_t side(const td_plot_grid *g, size_t i, size_t j, int k) {
  size_t horizontal = g->nx * g->ny;
  switch (k) {
    case 0: return (int32_t)(i * g->nx + j);
    case 2: return (int32_t)((i + 1) * g->nx + j);
    case 3: return (int32_t)(horizontal + i * g->nx + j);
    default: return (int32_t)(horizontal + i * g->nx + j + 1);
  }
}

static void join(tracer *t, int32_t a, int32_t b) {
  t->link[a][t->link[a][0] >= 0] = b;
  t->link[b][t->link[b][0] >= 0] = a;
}

/* Links the sides of one cell. Bits of `above`: lower left, lower right, upper
** right, upper left. */
static void cell_links(tracer *t, size_t i, size_t j) {
  /* sides joined in each case, two by two; -1 ends */
  static const int8_t join_sides[16][5] = {
    {-1}, {3, 0, -1}, {0, 1, -1}, {3, 1, -1}, {1, 2, -1}, {3, 0, 1, 2, -1},
    {0, 2, -1}, {3, 2, -1}, {2, 3, -1}, {0, 2, -1}, {0, 1, 2, 3, -1},
    {1, 2, -1}, {3, 1, -1}, {0, 1, -1}, {3, 0, -1}, {-1}
  };
  const td_plot_grid *g = t->g;
  const double *low = g->z + i * g->nx + j, *high = low + g->nx;
  double v[4] = {low[0], low[1], high[1], high[0]};
  int above = 0;
  for (int k = 0; k < 4; k++) {
    if (!isfinite(v[k])) return;
    above |= (v[k] >= t->level) << k;
  }
  bool saddle = above == 5 || above == 10;
  if (saddle && v[0] / 4 + v[1] / 4 + v[2] / 4 + v[3] / 4 >= t->level)
    above = 15 - above; /* the middle is above: the two low corners are apart */
  const int8_t *s = join_sides[above];
  for (; *s >= 0; s += 2)
    join(t, side(g, i, j, s[0]), side(g, i, j, s[1]));
}

static int add_point(tracer *t, int32_t edge) {
  const td_plot_grid *g = t->g;
  size_t horizontal = g->nx * g->ny, e = (size_t)edge;
  bool up = e >= horizontal;
  size_t k = up ? e - horizontal : e, i = k / g->nx, j = k % g->nx;
  double a = g->z[k], b = g->z[k + (up ? g->nx : 1)];
  double f = (t->level - a) / (b - a);
  if (!(f >= 0 && f <= 1)) f = 0.5; /* b - a overflowed */
  if (t->n == t->capacity) {
    size_t more = t->capacity * 2 + 256;
    double *p = realloc(t->xy, more * 2 * sizeof *p);
    if (!p) return td_plot_fail("out of memory");
    t->xy = p, t->capacity = more;
  }
  double x = td_plot_grid_center(g, TD_PLOT_X, j);
  double y = td_plot_grid_center(g, TD_PLOT_Y, i);
  if (up) y += f * (td_plot_grid_center(g, TD_PLOT_Y, i + 1) - y);
  else x += f * (td_plot_grid_center(g, TD_PLOT_X, j + 1) - x);
  t->xy[2 * t->n] = x, t->xy[2 * t->n + 1] = y;
  t->n++;
  return 0;
}

/* Walks one chain from `start`, taking its links away. */
static int walk(tracer *t, int32_t start) {
  int32_t at = start, next;
  t->n = 0;
  do {
    if (add_point(t, at)) return -1;
    next = t->link[at][0] >= 0 ? t->link[at][0] : t->link[at][1];
    if (next < 0) break;
    t->link[at][t->link[at][0] < 0] = -1;
    int32_t *back = t->link[next];
    back[back[0] != at] = -1;
    at = next;
  } while (at != start);
  if (t->n > 1)
    t->emit(t->context, t->xy, t->n, at == start);
  return 0;
}

static int walk_all(tracer *t, size_t sides) {
  for (int pass = 0; pass < 2; pass++) /* open lines first, from their ends */
    for (size_t e = 0; e < sides; e++) {
      int links = (t->link[e][0] >= 0) + (t->link[e][1] >= 0);
      if (links == 1 || (pass && links == 2))
        if (walk(t, (int32_t)e)) return -1;
    }
  return 0;
}

int td_plot_contour_trace(const td_plot_grid *g, double level,
                          td_plot_polyline_fn *emit, void *context) {
  if (g->nx < 2 || g->ny < 2 || !isfinite(level)) return 0;
  size_t sides = 2 * g->nx * g->ny;
  if (sides > INT32_MAX) return td_plot_fail("contour: the grid is too big");
  tracer t = {.g = g, .level = level, .emit = emit, .context = context};
  t.link = malloc(sides * sizeof *t.link);
  if (!t.link) return td_plot_fail("out of memory");
  memset(t.link, 0xff, sides * sizeof *t.link);
  for (size_t i = 0; i + 1 < g->ny; i++)
    for (size_t j = 0; j + 1 < g->nx; j++) cell_links(&t, i, j);
  int rc = walk_all(&t, sides);
  free(t.link);
  free(t.xy);
  return rc;
}

int td_plot_contour_levels(const td_plot_artist *a, double *out, int max) {
  const td_plot_data *given = &a->o.levels;
  double want = 8;
  int n = 0;
  if (given->n > 1 || (given->n == 1 && given->ndim == 1)) {
    for (size_t i = 0; i < given->n && n < max; i++)
      out[n++] = td_plot_numbers(given)[i];
    return n;
  }
  if (given->n == 1) want = td_plot_numbers(given)[0];
  if (!(want >= 1)) return 0;
  if (a->norm.kind == TD_PLOT_QUANTILE) {
    for (int k = 1; k <= want && n < max; k++)
      out[n++] = td_plot_norm_inverse(&a->norm, k / (want + 1));
    return n;
  }
  td_plot_ticks t;
  td_plot_ticks_norm(&a->norm, want, &t);
  for (int i = 0; i < t.n && n < max; i++) out[n++] = t.at[i];
  return n;
}
