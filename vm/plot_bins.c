/* plot_bins.c -- histograms: edges of bins, and what falls into them. */
#include "vm/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 10000
#define FAR 1e300

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double q) {
  double at = q * (double)(n - 1);
  size_t k = (size_t)at;
  if (k + 1 >= n) return sorted[n - 1];
  return sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]);
}

/* Freedman and Diaconis, "On the histogram as a density estimator: L2 theory",
** 1981: bins of 2 IQR / cbrt(n); Sturges' log2(n) + 1 bins where the quartiles
** coincide. */
static int automatic(const double *sorted, size_t n, double span) {
  if (!(span > 0)) return 1;
  double iqr = quantile(sorted, n, 0.75) - quantile(sorted, n, 0.25);
  double width = 2 * iqr / cbrt((double)n);
  double bins = width > 0 ? ceil(span / width) : ceil(log2((double)n)) + 1;
  return bins >= 1 ? (int)fmin(bins, 400) : 1;
}

/* The values inside the range, sorted; how many. */
static size_t usable(const td_plot_artist_options *o, double *out) {
  const double *v = td_plot_numbers(&o->x);
  size_t n = 0;
  for (size_t i = 0; i < o->x.n; i++)
    if (fabs(v[i]) < FAR && !(v[i] < o->range.lo) && !(v[i] > o->range.hi))
      out[n++] = v[i];
  qsort(out, n, sizeof *out, ascending);
  return n;
}

static int even_edges(const td_plot_artist_options *o, td_plot_data *edges) {
  double *v = malloc((o->x.n + 1) * sizeof *v);
  if (!v) return td_plot_fail("out of memory");
  size_t n = usable(o, v);
  double lo = n ? v[0] : 0, hi = n ? v[n - 1] : 1;
  if (!isnan(o->range.lo)) lo = o->range.lo;
  if (!isnan(o->range.hi)) hi = o->range.hi;
  int bins = 1;
  if (o->bins.blob) bins = (int)td_plot_numbers(&o->bins)[0];
  else if (n) bins = automatic(v, n, hi - lo);
  free(v);
  if (!(hi - lo > 1e-12 * fmax(fabs(lo), fabs(hi)))) { /* as good as one value */
    double half = fmax(0.5, fabs(lo) * 0.05);
    lo -= half, hi += half;
  }
  size_t count = (size_t)bins + 1;
  td_plot_blob *b = td_plot_blob_new(count * sizeof(double));
  if (!b) return -1;
  for (size_t k = 0; k < count; k++)
    b->memory[k] = k + 1 == count ? hi : lo + (hi - lo) * (double)k / bins;
  *edges = (td_plot_data){.blob = b, .n = count, .ndim = 1, .dim = {count}};
  return 0;
}

static int check_bins(const td_plot_artist_options *o) {
  const double *v = td_plot_numbers(&o->bins);
  if (!isnan(o->range.lo) && !isnan(o->range.hi) && !(o->range.lo < o->range.hi))
    return td_plot_fail("histogram: range = {%g, %g} is empty", o->range.lo,
                        o->range.hi);
  if (isinf(o->range.lo) || isinf(o->range.hi))
    return td_plot_fail("histogram: range must be finite");
  if (o->weights.blob && o->weights.n != o->x.n)
    return td_plot_fail("histogram: %zu weights for %zu values", o->weights.n,
                        o->x.n);
  if (!v || (o->bins.n && td_plot_coming(&o->bins))) return 0;
  if (o->bins.n == 1) {
    if (v[0] >= 1 && v[0] <= MOST && v[0] == floor(v[0])) return 0;
    return td_plot_fail("histogram: bins is a whole number from 1 to %d, or a "
                        "list of edges; got %g", MOST, v[0]);
  }
  for (size_t i = 0; i < o->bins.n; i++)
    if (!isfinite(v[i]) || (i && !(v[i] > v[i - 1])))
      return td_plot_fail("histogram: edges in bins must rise and be finite");
  return o->bins.n ? 0 : td_plot_fail("histogram: bins is empty");
}

/* The bin of v: edge k <= v < edge k + 1, the last with its upper edge; or -1. */
static long bin_of(const double *edge, size_t n, double v) {
  if (!(v >= edge[0] && v <= edge[n - 1])) return -1;
  size_t lo = 0, hi = n - 1;
  while (hi - lo > 1) {
    size_t mid = (lo + hi) / 2;
    if (edge[mid] <= v) lo = mid;
    else hi = mid;
  }
  return (long)lo;
}

static void count(const td_plot_artist_options *o, const double *edge, size_t n,
                  double *height) {
  const double *v = td_plot_numbers(&o->x), *w = td_plot_numbers(&o->weights);
  double total = 0;
  memset(height, 0, (n - 1) * sizeof *height);
  for (size_t i = 0; i < o->x.n; i++) {
    if (v[i] < o->range.lo || v[i] > o->range.hi) continue;
    long k = bin_of(edge, n, v[i]);
    double one = w ? w[i] : 1;
    if (k >= 0 && isfinite(one)) height[k] += one, total += one;
  }
  for (size_t k = 0; k + 1 < n && o->stat > 0 && total != 0; k++)
    height[k] /= o->stat == 1 ? total * (edge[k + 1] - edge[k]) : total;
}

int td_plot_bins_make(td_plot_artist *a) {
  const td_plot_artist_options *o = &a->o;
  if (!o->x.blob) return 0;
  if (check_bins(o)) return -1;
  if (td_plot_coming(&o->bins)) return 0;
  td_plot_data *edges = &a->made[0];
  if (o->bins.n > 1) {
    if (td_plot_data_numbers(edges, td_plot_numbers(&o->bins), 1, &o->bins.n))
      return -1;
  } else if (even_edges(o, edges)) {
    return -1;
  }
  size_t n = edges->n - 1;
  td_plot_blob *b = td_plot_blob_new(n * sizeof(double));
  if (!b) return -1;
  count(o, td_plot_numbers(edges), edges->n, b->memory);
  a->made[1] = (td_plot_data){.blob = b, .n = n, .ndim = 1, .dim = {n}};
  return 0;
}
