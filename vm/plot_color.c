/* plot_color.c -- colours by name and number, and colours for values. */
#include "vm/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names --------------------------------------------------------------- */
static const struct { const char *name; unsigned rgb; } names[] = {
  {"black", 0x000000}, {"white", 0xffffff}, {"grey", 0x808080},
  {"gray", 0x808080}, {"lightgrey", 0xd0d3d8}, {"darkgrey", 0x4a4f57},
  {"red", 0xd62728}, {"green", 0x1f9e4b}, {"blue", 0x1f5fc4},
  {"orange", 0xe69f00}, {"yellow", 0xf0e442}, {"purple", 0x7b3fa0},
  {"pink", 0xe377c2}, {"brown", 0x8c564b}, {"cyan", 0x17becf},
  {"magenta", 0xd01c8b}, {"navy", 0x12326b}, {"teal", 0x009e73},
  {"vermilion", 0xd55e00}, {"sky", 0x56b4e9}, {"olive", 0x8a8d1e},
  {"none", 0}
};

td_plot_color td_plot_rgb(unsigned hex) {
  return (td_plot_color){
    .kind = TD_PLOT_COLOR_RGBA, .r = (hex >> 16 & 255) / 255.0,
    .g = (hex >> 8 & 255) / 255.0, .b = (hex & 255) / 255.0, .a = 1
  };
}

static int parse_hex(const char *s, td_plot_color *out) {
  size_t n = strlen(s);
  char *end;
  unsigned long v = strtoul(s, &end, 16);
  if (*end || s[0] == '-' || s[0] == '+' || (n != 3 && n != 6 && n != 8))
    return td_plot_fail(
        "'#%s' is not a colour: write #rgb, #rrggbb or #rrggbbaa", s);
  double alpha = 1;
  if (n == 8) alpha = (v & 255) / 255.0, v >>= 8;
  if (n == 3)
    v = (v >> 8 & 15) * 0x110000 + (v >> 4 & 15) * 0x1100 + (v & 15) * 0x11;
  *out = td_plot_rgb((unsigned)v);
  out->a = alpha;
  return 0;
}

int td_plot_color_parse(const char *s, td_plot_color *out) {
  if (s[0] == '#') return parse_hex(s + 1, out);
  if (s[0] == 'C' && s[1] >= '1' && s[1] <= '8' && !s[2]) {
    *out = (td_plot_color){.kind = TD_PLOT_COLOR_CYCLE, .cycle = s[1] - '1'};
    return 0;
  }
  char all[512];
  size_t used = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(names[i].name, s) == 0) {
      *out = td_plot_rgb(names[i].rgb);
      if (strcmp(s, "none") == 0)
        *out = (td_plot_color){.kind = TD_PLOT_COLOR_NONE};
      return 0;
    }
    used += (size_t)snprintf(all + used, sizeof all - used, "%s%s",
                             used ? "|" : "", names[i].name);
  }
  char near[400];
  return td_plot_fail("'%s' is not a colour%s (#rrggbb and C1 to C8 work too)", s,
                      td_plot_suggest(s, all, near, sizeof near));
}

/* ---- norms --------------------------------------------------------------- */
#define RANKS 4096

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* A sorted sample of the usable values, at most RANKS of them, evenly spread
** over the data; its count. */
static size_t sorted_sample(const double *v, size_t n, bool positive,
                            double *out) {
  size_t m = 0, usable = 0, taken = 0;
  for (size_t i = 0; i < n; i++)
    usable += isfinite(v[i]) && (!positive || v[i] > 0);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(v[i]) || (positive && v[i] <= 0)) continue;
    /* number `taken` is in the sample when the running count steps there */
    if (usable <= RANKS || taken * RANKS / usable != (taken + 1) * RANKS / usable)
      out[m++] = v[i];
    taken++;
  }
  qsort(out, m, sizeof *out, ascending);
  return m;
}

static double percentile(const double *sorted, size_t n, double p) {
  double at = p / 100 * (double)(n - 1);
  if (at <= 0) return sorted[0];
  if (at >= (double)(n - 1)) return sorted[n - 1];
  size_t k = (size_t)at;
  return sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]);
}

static void value_range(const double *v, size_t n, bool positive, double *lo,
                        double *hi) {
  *lo = INFINITY, *hi = -INFINITY;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(v[i]) || (positive && v[i] <= 0)) continue;
    if (v[i] < *lo) *lo = v[i];
    if (v[i] > *hi) *hi = v[i];
  }
}

static int norm_quantile(td_plot_norm *norm, const td_plot_artist_options *o,
                         const double *v, size_t n) {
  double sample[RANKS + 1];
  size_t m = sorted_sample(v, n, false, sample);
  if (!m) sample[m++] = 0;
  size_t first = 0, last = m;
  while (first + 1 < last && sample[first] < o->vmin) first++;
  while (last > first + 1 && sample[last - 1] > o->vmax) last--;
  m = last - first;
  norm->lo = sample[first], norm->hi = sample[last - 1];
  return td_plot_data_numbers(&norm->rank, sample + first, 1, &m);
}

/* Ends of the colour map from data, percentiles and given values. */
static void norm_ends(td_plot_norm *norm, const td_plot_artist_options *o,
                      const double *v, size_t n) {
  bool log = norm->kind == TD_PLOT_LOG;
  value_range(v, n, log, &norm->lo, &norm->hi);
  if (!isnan(o->clip.lo) || !isnan(o->clip.hi)) {
    double sample[RANKS + 1];
    size_t m = sorted_sample(v, n, log, sample);
    if (m && !isnan(o->clip.lo)) norm->lo = percentile(sample, m, o->clip.lo);
    if (m && !isnan(o->clip.hi)) norm->hi = percentile(sample, m, o->clip.hi);
  }
  if (norm->lo > norm->hi) norm->lo = log ? 1 : 0, norm->hi = log ? 10 : 1;
  if (!isnan(norm->center) && isnan(o->vmin) && isnan(o->vmax)) {
    double reach = fmax(norm->hi - norm->center, norm->center - norm->lo);
    norm->lo = norm->center - reach, norm->hi = norm->center + reach;
  }
  if (!isnan(o->vmin)) norm->lo = o->vmin;
  if (!isnan(o->vmax)) norm->hi = o->vmax;
  if (!(norm->hi > norm->lo)) {
    double pad = norm->lo != 0 ? fabs(norm->lo) * 0.1 : 0.5;
    if (isnan(o->vmax)) norm->hi = norm->lo + pad;
    else norm->lo = norm->hi - pad;
    if (log && norm->lo <= 0) {
      norm->hi = fmax(norm->hi, 1e-300);
      norm->lo = norm->hi / 10;
    }
  }
}

static int norm_check(const td_plot_norm *norm, const td_plot_artist_options *o,
                      const char *log) {
  if (!isnan(o->vmin) && !isnan(o->vmax) && !(o->vmin < o->vmax))
    return td_plot_fail("vmin = %g is not below vmax = %g", o->vmin, o->vmax);
  if (log && (o->vmin <= 0 || o->vmax <= 0))
    return td_plot_fail("norm = \"log\" needs vmin and vmax above 0");
  if (!isnan(norm->center) && norm->kind != TD_PLOT_LINEAR)
    return td_plot_fail("vcenter goes with norm = \"linear\" only");
  if (!isnan(o->vmin) && !isnan(o->vmax) && !isnan(norm->center) &&
      !(norm->center > o->vmin && norm->center < o->vmax))
    return td_plot_fail("vcenter = %g is not between vmin = %g and vmax = %g",
                        norm->center, o->vmin, o->vmax);
  if (!isnan(o->clip.lo) && !isnan(o->clip.hi) && !(o->clip.lo < o->clip.hi))
    return td_plot_fail("clip: percentile %g is not below %g", o->clip.lo,
                        o->clip.hi);
  if (o->clip.lo < 0 || o->clip.hi > 100 || o->clip.hi < 0 || o->clip.lo > 100)
    return td_plot_fail("clip takes percentiles from 0 to 100");
  return 0;
}

int td_plot_norm_make(td_plot_norm *norm, const td_plot_artist_options *o,
                      const double *v, size_t n) {
  *norm = (td_plot_norm){
    .kind = (td_plot_norm_kind)o->norm, .lo = 0, .hi = 1, .center = o->vcenter
  };
  if (norm_check(norm, o, norm->kind == TD_PLOT_LOG ? "log" : NULL)) return -1;
  if (norm->kind == TD_PLOT_QUANTILE) return norm_quantile(norm, o, v, n);
  norm_ends(norm, o, v, n);
  return 0;
}

static double rank_of(const td_plot_norm *norm, double v) {
  const double *s = td_plot_numbers(&norm->rank);
  size_t n = norm->rank.n, lo = 0, hi = n - 1;
  if (n < 2 || v <= s[0]) return 0;
  if (v >= s[hi]) return 1;
  while (hi - lo > 1) {
    size_t mid = (lo + hi) / 2;
    if (s[mid] <= v) lo = mid;
    else hi = mid;
  }
  return ((double)lo + (v - s[lo]) / (s[hi] - s[lo])) / (double)(n - 1);
}

double td_plot_norm_at(const td_plot_norm *norm, double v) {
  double t;
  if (isnan(v)) return NAN;
  if (norm->kind == TD_PLOT_QUANTILE) {
    t = rank_of(norm, v);
  } else if (norm->kind == TD_PLOT_LOG) {
    t = v > 0 ? (log(v) - log(norm->lo)) / (log(norm->hi) - log(norm->lo)) : 0;
  } else if (!isnan(norm->center)) {
    t = v < norm->center
            ? 0.5 * (v - norm->lo) / (norm->center - norm->lo)
            : 0.5 + 0.5 * (v - norm->center) / (norm->hi - norm->center);
  } else {
    t = (v / 2 - norm->lo / 2) / (norm->hi / 2 - norm->lo / 2);
  }
  return !(t > 0) ? 0 : t > 1 ? 1 : t; /* NaN where the ends are too far apart */
}

double td_plot_norm_inverse(const td_plot_norm *norm, double t) {
  if (norm->kind == TD_PLOT_QUANTILE)
    return percentile(td_plot_numbers(&norm->rank), norm->rank.n, 100 * t);
  if (norm->kind == TD_PLOT_LOG)
    return exp(log(norm->lo) * (1 - t) + log(norm->hi) * t);
  if (isnan(norm->center)) return norm->lo * (1 - t) + norm->hi * t;
  return t < 0.5 ? norm->lo + 2 * t * (norm->center - norm->lo)
                 : norm->center + (2 * t - 1) * (norm->hi - norm->center);
}

bool td_plot_cmap_color(const td_plot_cmap *m, const td_plot_norm *norm,
                        double v, uint8_t rgb[3]) {
  if (isnan(v)) return false;
  int k;
  if (m->classes) {
    double c = fmod(floor(v + 0.5), m->n);
    k = isfinite(c) ? (int)(c < 0 ? c + m->n : c) : 0;
  } else {
    k = (int)(td_plot_norm_at(norm, v) * (m->n - 1) + 0.5);
  }
  memcpy(rgb, m->rgb[k], 3);
  return true;
}
