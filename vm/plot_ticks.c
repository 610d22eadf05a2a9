/* plot_ticks.c -- where ticks stand and what they say. */
#include "vm/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- choosing a step ------------------------------------------------------
** After Talbot, Lin and Hanrahan, "An extension of Wilkinson's algorithm for
** positioning tick labels on axes" (2010): each step q * 10^z is scored for how
** simple q is, how much of the range its ticks cover and how near their number
** comes to the wanted one. Limits are fixed here, so all ticks lie inside and a
** step decides everything. */
static const double nice[] = {1, 5, 2, 2.5, 4, 3};
#define NICE ((int)(sizeof nice / sizeof *nice))

/* Which multiple of the step stands first, and last: also one that lies at a limit but
** for what its digits were rounded by. */
static double first_tick(double lo, double step) {
  double k = lo / step;
  return ceil(k - fmax(1e-9, 1e-15 * fabs(k)));
}
static double last_tick(double hi, double step) {
  double k = hi / step;
  return floor(k + fmax(1e-9, 1e-15 * fabs(k)));
}

static double step_score(double lo, double hi, double step, int rank,
                         double want) {
  double a = first_tick(lo, step) * step, b = last_tick(hi, step) * step, span = hi - lo;
  double count = floor((b - a) / step + 0.5) + 1;
  if (!(count >= 2) || count > TD_PLOT_TICKS) return -1;
  double simplicity = 1 - (double)rank / NICE;
  if (rank >= 4 && (lo > 0 || hi < 0)) simplicity -= 0.5; /* 4 and 3 count from 0 */
  double left = (a - lo) / (0.1 * span), right = (hi - b) / (0.1 * span);
  double coverage = 1 - 0.5 * (left * left + right * right) / 4;
  double density = 2 - fmax(count / want, want / count);
  /* 2.5 and 0.25 need a digit more than 2 and 0.2; 25 does not */
  double legibility = nice[rank] == 2.5 && step < 20 ? -1 : 0;
  return 0.25 * simplicity + 0.2 * coverage + 0.5 * density + 0.06 * legibility;
}

static double choose_step(double lo, double hi, double want, double keep) {
  double best = 0, score = -1e9;
  double even = (hi - lo) / want;
  if (!(even > 1e-318)) return 0; /* no steps that small */
  int z0 = (int)floor(log10(even)) - 1;
  if (keep > 0) {
    double n = (hi - lo) / keep;
    if (n >= want * 0.6 && n <= want * 1.6 && n >= 2) return keep;
  }
  for (int z = z0; z <= z0 + 3; z++)
    for (int k = 0; k < NICE; k++) {
      double step = nice[k] * pow(10, z);
      double s = step_score(lo, hi, step, k, want);
      if (s != -1 && s > score) score = s, best = step;
    }
  return best;
}

/* ---- labels -------------------------------------------------------------- */
static void put_number(char *out, size_t size, double v, int decimals) {
  char text[64];
  snprintf(text, sizeof text, "%.*f", decimals, v);
  bool zero = strspn(text, "-0.") == strlen(text);
  const char *digits = text[0] == '-' ? text + 1 : text;
  snprintf(out, size, "%s%.30s", text[0] == '-' && !zero ? "\u2212" : "",
           digits);
}

/* Decimals that multiples of step need. */
static int decimals_of(double step) {
  int d = 0;
  double v = step;
  while (d < 17 && fabs(v - floor(v + 0.5)) > 1e-6 * fmax(v, 1e-9)) {
    d++;
    v = step * pow(10, d);
  }
  return d;
}

/* The roundest number between the first tick and the last. */
static double roundest(const td_plot_ticks *t) {
  double a = t->at[0], b = t->at[t->n - 1], size = fmax(fabs(a), fabs(b));
  for (int z = (int)floor(log10(size)); z > -330; z--) {
    double unit = pow(10, z), v = ceil(a / unit) * unit;
    if (!(unit > 0)) break;
    if (v >= a && v <= b) return v;
  }
  return a;
}

/* How to write the ticks: as (value - offset) / 10^exponent. Plain numbers up
** to six digits; a power of ten for large and small ones; an offset where
** numbers differ only far behind their first digit. */
static int find_exponent(double size) {
  bool plain = size == 0 || (size < 999999.5 && size >= 0.000999999);
  return plain ? 0 : (int)floor(log10(size) + 1e-9);
}

static void find_units(const td_plot_ticks *t, double *offset, int *exponent) {
  double size = fmax(fabs(t->at[0]), fabs(t->at[t->n - 1]));
  *offset = 0;
  *exponent = find_exponent(size);
  if (t->n < 2 || !(size / t->step > 2.5e4)) {
    if (*exponent > 0 && decimals_of(t->step / pow(10, *exponent)) > 3 &&
        size < 1e7)
      *exponent = 0;
    return;
  }
  *offset = roundest(t);
  *exponent = find_exponent(fmax(fabs(t->at[0] - *offset),
                                 fabs(t->at[t->n - 1] - *offset)));
}

static void label_ticks(td_plot_ticks *t) {
  if (!t->n) return;
  double offset;
  int exponent;
  find_units(t, &offset, &exponent);
  double unit = pow(10, exponent);
  int decimals = decimals_of(t->step / unit);
  for (int i = 0; i < t->n; i++)
    put_number(t->label[i], sizeof t->label[i], (t->at[i] - offset) / unit,
               decimals);
  size_t used = 0;
  if (exponent) {
    char e[24];
    put_number(e, sizeof e, exponent, 0);
    used = (size_t)snprintf(t->factor, sizeof t->factor, "\u00d710^{%s}", e);
  }
  if (offset != 0) {
    int digits = (int)ceil(log10(fabs(offset) / t->step)) + 1;
    snprintf(t->factor + used, sizeof t->factor - used, "%s %s%.*g",
             used ? " " : "", offset < 0 ? "\u2212 " : "+ ",
             digits > 15 ? 15 : digits, fabs(offset));
  }
}

void td_plot_format(double v, char *out, size_t size) {
  double a = fabs(v);
  if (!isfinite(v)) {
    snprintf(out, size, "%s", isnan(v) ? "NaN" : v > 0 ? "\u221e" : "\u2212\u221e");
  } else if (a == 0 || (a >= 1e-3 && a < 99999.5)) {
    char text[64];
    int decimals = a == 0 ? 0 : 2 - (int)floor(log10(a) + 1e-9);
    snprintf(text, sizeof text, "%.*f", decimals > 0 ? decimals : 0, v);
    if (strchr(text, '.')) { /* no zeros at the end */
      char *end = text + strlen(text);
      while (end[-1] == '0') *--end = 0;
      if (end[-1] == '.') *--end = 0;
    }
    snprintf(out, size, "%s%s", v < 0 ? "\u2212" : "", text + (text[0] == '-'));
  } else {
    int e = (int)floor(log10(a) + 1e-12);
    char mantissa[32], power[24];
    td_plot_format(v / pow(10, e), mantissa, sizeof mantissa);
    put_number(power, sizeof power, e, 0);
    snprintf(out, size, "%s\u00d710^{%s}", mantissa, power);
  }
}

/* ---- linear -------------------------------------------------------------- */
static void linear_ticks(double lo, double hi, double want, double keep,
                         td_plot_ticks *t) {
  double step = choose_step(lo, hi, want, keep);
  if (!(step > 0) || !isfinite(step)) return;
  double k0 = first_tick(lo, step), k1 = last_tick(hi, step);
  t->step = step;
  for (double k = k0; k <= k1 && t->n < TD_PLOT_TICKS; k++) {
    double v = k * step;
    if (t->n && v == t->at[t->n - 1]) break; /* no finer than doubles are */
    t->at[t->n++] = v == 0 ? 0 : v;
  }
  label_ticks(t);
}

/* ---- log ----------------------------------------------------------------- */
static void power_label(char *out, size_t size, double v, int e, bool plain) {
  char power[24];
  if (plain) {
    put_number(out, size, v, e < 0 ? -e : 0);
    return;
  }
  double mantissa = v / pow(10, e);
  put_number(power, sizeof power, e, 0);
  if (fabs(mantissa - 1) < 1e-9)
    snprintf(out, size, "10^{%s}", power);
  else
    snprintf(out, size, "%.0f\u00d710^{%s}", mantissa, power);
}

static void add_log(td_plot_ticks *t, double m, int e, double lo, double hi,
                    bool major) {
  double v = m * pow(10, e);
  if (v < lo * (1 - 1e-9) || v > hi * (1 + 1e-9)) return;
  if (!major) {
    if (t->nminor < 4 * TD_PLOT_TICKS) t->minor[t->nminor++] = v;
  } else if (t->n < TD_PLOT_TICKS) {
    bool plain = lo >= 0.00099 && hi <= 99999;
    power_label(t->label[t->n], sizeof t->label[t->n], v, e, plain);
    t->at[t->n++] = v;
  }
}

/* Many decades: every k-th power of ten, the others as minor ticks. One to a
** few: powers of ten, with 2 to 9 as minor ticks, or 1 2 5. Less: as linear. */
static void log_ticks(double lo, double hi, double want, double keep,
                      td_plot_ticks *t) {
  double decades = log10(hi) - log10(lo);
  int e0 = (int)floor(log10(lo) + 1e-9), e1 = (int)ceil(log10(hi) - 1e-9);
  int stride = 1;
  while (decades / stride > fmax(want, 2) * 1.3) stride++;
  bool few = decades < 3 && decades * 3 <= want * 1.6;
  if (decades < 0.7) {
    linear_ticks(lo, hi, want, keep, t);
    return;
  }
  for (int e = e0; e <= e1; e++) {
    bool major = ((e % stride) + stride) % stride == 0;
    add_log(t, 1, e, lo, hi, major);
    for (int m = 2; m <= 9 && stride == 1; m++)
      add_log(t, m, e, lo, hi, few && (m == 2 || m == 5));
  }
  if (t->n < 2) {
    *t = (td_plot_ticks){.n = 0};
    for (int e = e0; e <= e1; e++)
      for (int m = 1; m <= 9; m++)
        add_log(t, m, e, lo, hi, m == 1 || m == 2 || m == 5);
  }
}

void td_plot_ticks_choose(const td_plot_scale *s, double want, double keep,
                          td_plot_ticks *t) {
  *t = (td_plot_ticks){.n = 0};
  double lo = fmax(fmin(s->lo, s->hi), -8e307), hi = fmin(fmax(s->lo, s->hi), 8e307);
  if (!(hi > lo) || (s->log && !(lo > 0))) return;
  if (want < 2) want = 2;
  if (want > TD_PLOT_TICKS / 2) want = TD_PLOT_TICKS / 2;
  if (s->log) log_ticks(lo, hi, want, keep, t);
  else linear_ticks(lo, hi, want, keep, t);
}

void td_plot_ticks_fixed(const td_plot_scale *s, const td_plot_data *at,
                         const td_plot_data *labels, td_plot_ticks *t) {
  *t = (td_plot_ticks){.n = 0};
  double lo = fmin(s->lo, s->hi), hi = fmax(s->lo, s->hi);
  double eps = s->log ? 0 : fmax((hi - lo) * 1e-9, fmax(fabs(lo), fabs(hi)) * 1e-15);
  for (size_t i = 0; i < at->n && t->n < TD_PLOT_TICKS; i++) {
    double v = td_plot_numbers(at)[i];
    if (!(v >= lo * (1 - (s->log ? 1e-12 : 0)) - eps &&
          v <= hi * (1 + (s->log ? 1e-12 : 0)) + eps))
      continue;
    const char *text = td_plot_text(labels, i);
    if (text) snprintf(t->label[t->n], sizeof t->label[0], "%s", text);
    else td_plot_format(v, t->label[t->n], sizeof t->label[0]);
    t->at[t->n++] = v;
  }
}

void td_plot_ticks_norm(const td_plot_norm *norm, double want, td_plot_ticks *t) {
  td_plot_scale s = {norm->lo, norm->hi, norm->kind == TD_PLOT_LOG};
  if (norm->kind != TD_PLOT_QUANTILE) {
    td_plot_ticks_choose(&s, want, 0, t);
    return;
  }
  *t = (td_plot_ticks){.n = 0};
  int n = want < 3 ? 2 : want < 5 ? 4 : want < 10 ? 5 : 10;
  for (int i = 0; i <= n; i++) {
    double v = td_plot_norm_inverse(norm, (double)i / n);
    if (t->n && v == t->at[t->n - 1]) continue;
    td_plot_format(v, t->label[t->n], sizeof t->label[0]);
    t->at[t->n++] = v;
  }
}
