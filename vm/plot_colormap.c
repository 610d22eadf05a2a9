/* plot_colormap.c -- the colour maps, made from a few knots each. */
#include "vm/plot.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MAPS 64
#define KNOTS 24

/* The viridis family (Smith, van der Walt, Firing; CC0; cividis: Nunez, Anderton,
** Renslow) as least-squares knots of a Catmull-Rom curve in sRGB: at most 5 of
** 255 from the published tables, 0.5 in the mean. */
static const struct { const char *name; unsigned knot[KNOTS]; } family[] = {
  {"viridis", {
    0x440154, 0x471164, 0x482072, 0x472e7c, 0x433c84, 0x3f4989, 0x39558c,
    0x34608d, 0x2f6b8e, 0x2b768e, 0x26808e, 0x228b8d, 0x1f958b, 0x1fa088,
    0x24aa83, 0x30b47c, 0x41be72, 0x57c766, 0x6fcf58, 0x8ad647, 0xa7db34,
    0xc5e022, 0xe2e418, 0xfde724}},
  {"magma", {
    0x000003, 0x060518, 0x110c30, 0x1e114a, 0x301164, 0x430f75, 0x55147d,
    0x661b80, 0x772281, 0x892881, 0x9b2e7f, 0xad347c, 0xbf3a77, 0xd1416f,
    0xe14c67, 0xed5a5f, 0xf66d5c, 0xfb825f, 0xfd9768, 0xfeac75, 0xfec085,
    0xfed497, 0xfde9aa, 0xfcfdbf}},
  {"inferno", {
    0x000002, 0x060419, 0x120a32, 0x230c4d, 0x360961, 0x490b6a, 0x5b116e,
    0x6d186e, 0x7e1e6c, 0x902468, 0xa12b62, 0xb3325a, 0xc33b4f, 0xd24644,
    0xdf5437, 0xea632a, 0xf2751c, 0xf8880d, 0xfb9c06, 0xfcb116, 0xf9c72f,
    0xf5dd4e, 0xf1f179, 0xfbffa5}},
  {"plasma", {
    0x0e0787, 0x280593, 0x3c049b, 0x4f02a2, 0x6001a6, 0x7100a8, 0x8204a7,
    0x920fa3, 0xa11b9b, 0xae2892, 0xba3488, 0xc6417d, 0xd04d73, 0xda5a69,
    0xe26760, 0xea7456, 0xf1824d, 0xf79143, 0xfba03a, 0xfdb030, 0xfdc129,
    0xfbd324, 0xf6e626, 0xf0f925}},
  {"cividis", {
    0x00234d, 0x002a61, 0x023171, 0x1d396e, 0x2d416d, 0x3a496c, 0x46506c,
    0x50586c, 0x5b606e, 0x646770, 0x6e6f73, 0x777777, 0x817f79, 0x8c8878,
    0x979077, 0xa29975, 0xada272, 0xb8ab6e, 0xc4b468, 0xd0bd62, 0xdcc759,
    0xe8d14f, 0xf5dc40, 0xffe733}}
};

/* Straight lines in OKLab: through white for signed values, as light on the left
** as on the right; round the hues for angles; from white for counts. */
static const struct { const char *name; int n; unsigned knot[8]; } ramps[] = {
  {"blue-red", 7, {0x0d2769, 0x266bc0, 0x8cc1ee, 0xf6f5f3, 0xf1a685, 0xbe3029,
                   0x5c0012}},
  {"purple-green", 7, {0x3e1260, 0x844fad, 0xcaade1, 0xf6f5f3, 0x92cc93,
                       0x1d8139, 0x033816}},
  {"phase", 8, {0xd26f81, 0xc87f37, 0x939a33, 0x30aa7e, 0x00a4c2, 0x708fdf,
                0xb278c3, 0xd26f81}},
  {"blues", 4, {0xf7fafd, 0x9fc6e4, 0x2c78b8, 0x0c2c5c}},
  {"oranges", 4, {0xfffaf4, 0xf9bf86, 0xd9681a, 0x5f2203}}
};

static const unsigned okabe[] = {
  0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0xf0e442, 0x999999
};

/* Ten classes: M. Petroff, "Accessible color sequences for data visualization",
** 2021, arXiv 2107.02270. */
static const unsigned petroff[] = {
  0x3f90da, 0xffa90e, 0xbd1f01, 0x94a4a2, 0x832db6, 0xa96b59, 0xe76300, 0xb9ac70,
  0x717581, 0x92dadd
};

/* Maps are only ever added, so what a reader has found stays. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static td_plot_cmap maps[MAPS];
static atomic_int count;

/* ---- OKLab (Ottosson): a space in which equal steps look equal ----------- */
static double linear(double c) {
  return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}
static double encoded(double c) {
  if (c <= 0) return 0;
  if (c >= 1) return 1;
  return c <= 0.0031308 ? 12.92 * c : 1.055 * pow(c, 1 / 2.4) - 0.055;
}

static void to_lab(const td_plot_color *c, double lab[3]) {
  double r = linear(c->r), g = linear(c->g), b = linear(c->b);
  double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  lab[0] = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
  lab[1] = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s;
  lab[2] = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;
}

static void from_lab(const double lab[3], uint8_t rgb[3]) {
  double l = lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2];
  double m = lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2];
  double s = lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2];
  l = l * l * l, m = m * m * m, s = s * s * s;
  double c[3] = {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
                 -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
                 -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
  for (int k = 0; k < 3; k++) rgb[k] = (uint8_t)(encoded(c[k]) * 255 + 0.5);
}

static void fill_ramp(td_plot_cmap *m, const td_plot_color *colors, int n) {
  double lab[16][3];
  for (int k = 0; k < n; k++) to_lab(&colors[k], lab[k]);
  m->n = 256;
  for (int i = 0; i < 256; i++) {
    double at = i / 255.0 * (n - 1), mix[3];
    int k = at >= n - 1 ? n - 2 : (int)at;
    for (int d = 0; d < 3; d++)
      mix[d] = lab[k][d] + (at - k) * (lab[k + 1][d] - lab[k][d]);
    from_lab(mix, m->rgb[i]);
  }
}

/* ---- Catmull-Rom through knots, ends extended in a straight line --------- */
static double knot(const unsigned *k, int i, int shift) {
  if (i < 0) return 2 * knot(k, 0, shift) - knot(k, 1, shift);
  if (i >= KNOTS)
    return 2 * knot(k, KNOTS - 1, shift) - knot(k, KNOTS - 2, shift);
  return k[i] >> shift & 255;
}

static void fill_family(td_plot_cmap *m, const unsigned *k) {
  m->n = 256;
  for (int i = 0; i < 256; i++) {
    double at = i / 255.0 * (KNOTS - 1);
    int j = at >= KNOTS - 1 ? KNOTS - 2 : (int)at;
    double f = at - j, f2 = f * f, f3 = f2 * f;
    for (int d = 0; d < 3; d++) {
      int s = 16 - 8 * d;
      double v = knot(k, j - 1, s) * (-f + 2 * f2 - f3) / 2 +
                 knot(k, j, s) * (2 - 5 * f2 + 3 * f3) / 2 +
                 knot(k, j + 1, s) * (f + 4 * f2 - 3 * f3) / 2 +
                 knot(k, j + 2, s) * (f3 - f2) / 2;
      m->rgb[i][d] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
    }
  }
}

static void fill_classes(td_plot_cmap *m, const td_plot_color *colors, int n) {
  m->classes = true;
  m->n = n;
  for (int i = 0; i < n; i++) {
    m->rgb[i][0] = (uint8_t)(colors[i].r * 255 + 0.5);
    m->rgb[i][1] = (uint8_t)(colors[i].g * 255 + 0.5);
    m->rgb[i][2] = (uint8_t)(colors[i].b * 255 + 0.5);
  }
}

/* ---- the list ------------------------------------------------------------ */
static void reversed(int index) {
  const td_plot_cmap *m = &maps[index];
  td_plot_cmap *r = &maps[index + 1];
  *r = *m;
  strcpy(r->name + strlen(r->name), "_r");
  for (int i = 0; i < m->n; i++) memcpy(r->rgb[i], m->rgb[m->n - 1 - i], 3);
}

static void build(void) {
  int n = 0;
  td_plot_color c[10];
  for (size_t i = 0; i < sizeof family / sizeof *family; i++, n += 2) {
    snprintf(maps[n].name, sizeof maps[n].name, "%s", family[i].name);
    fill_family(&maps[n], family[i].knot);
    reversed(n);
  }
  for (size_t i = 0; i < sizeof ramps / sizeof *ramps; i++, n += 2) {
    snprintf(maps[n].name, sizeof maps[n].name, "%s", ramps[i].name);
    for (int k = 0; k < ramps[i].n; k++) c[k] = td_plot_rgb(ramps[i].knot[k]);
    fill_ramp(&maps[n], c, ramps[i].n);
    reversed(n);
  }
  strcpy(maps[n].name, "grey");
  maps[n].n = 256;
  for (int i = 0; i < 256; i++) memset(maps[n].rgb[i], i, 3);
  reversed(n);
  n += 2;
  strcpy(maps[n].name, "okabe");
  for (int k = 0; k < 8; k++) c[k] = td_plot_rgb(okabe[k]);
  fill_classes(&maps[n++], c, 8);
  strcpy(maps[n].name, "petroff");
  for (int k = 0; k < 10; k++) c[k] = td_plot_rgb(petroff[k]);
  fill_classes(&maps[n++], c, 10);
  atomic_store(&count, n);
}

int td_plot_cmap_count(void) {
  pthread_once(&once, build);
  return atomic_load(&count);
}

const td_plot_cmap *td_plot_cmap_get(int index) {
  pthread_once(&once, build);
  return &maps[index < 0 ? 0 : index];
}

static int find(const char *name) {
  for (int i = td_plot_cmap_count() - 1; i >= 0; i--)
    if (strcmp(maps[i].name, name) == 0) return i;
  return -1;
}

int td_plot_cmap_find(const char *name) {
  int i = find(name);
  if (i >= 0) return i;
  char all[MAPS * 34] = "";
  size_t used = 0;
  for (int k = 0; k < td_plot_cmap_count(); k++)
    used += (size_t)snprintf(all + used, sizeof all - used, "%s%s",
                             k ? "|" : "", maps[k].name);
  char near[400];
  return td_plot_fail("there is no colour map '%s'%s", name,
                      td_plot_suggest(name, all, near, sizeof near));
}

int td_plot_cmap_add(const char *name, const td_plot_color *colors, int n,
                     bool classes) {
  td_plot_cmap m = {.n = 0};
  if (strlen(name) >= sizeof m.name - 2 || !*name)
    return td_plot_fail("the name of a colour map has 1 to %zu bytes",
                        sizeof m.name - 3);
  if (n < (classes ? 1 : 2) || n > 16)
    return td_plot_fail("a colour map takes %d to 16 colours, got %d",
                        classes ? 1 : 2, n);
  snprintf(m.name, sizeof m.name, "%s", name);
  if (classes) fill_classes(&m, colors, n);
  else fill_ramp(&m, colors, n);
  int have = td_plot_cmap_count(), rc = 0;
  pthread_mutex_lock(&lock);
  have = atomic_load(&count);
  if (have + 2 > MAPS)
    rc = td_plot_fail("there is room for %d colour maps, all taken", MAPS);
  else {
    maps[have] = m;
    reversed(have);
    atomic_store(&count, have + 2);
  }
  pthread_mutex_unlock(&lock);
  return rc;
}
