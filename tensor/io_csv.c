/* io_csv.c -- rows of numbers as text, after RFC 4180: fields between commas,
** perhaps in quotes, and perhaps a first line of names.  Blank lines do not
** count, an empty field is NaN.  Points are decimal whatever the locale. */
#include "io.h"
#include "op.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

enum { AHEAD = 16384, LONGEST = 1 << 28 };   /* of one line */

typedef struct csv {
  td_reader r;
  unsigned char buf[AHEAD];
  size_t lo, hi;
  bool ended;
  td_status st;
  int64_t line, start;     /* of the text, and where the record started */
  char *text;              /* fields of the record, each ended by a NUL */
  size_t n, cap;
  int64_t fields, width;   /* of the record; of the first one */
  double *v;
  int64_t count, room;
} csv;

/* ---- characters ---- */

static td_status bad(csv *c, int64_t line, int64_t column, const char *what) {
  if (c->st) return c->st;
  if (column)
    return c->st = td_fail(TD_EIO, "%s, line %lld, column %lld: %s", c->r.path,
                           (long long)line, (long long)column, what);
  return c->st = td_fail(TD_EIO, "%s, line %lld: %s", c->r.path,
                         (long long)line, what);
}

static int peek(csv *c) {
  if (c->lo == c->hi && !c->ended && !c->st) {
    int64_t k = td_reader_some(&c->r, c->buf, AHEAD);
    c->lo = 0;
    c->hi = k > 0 ? (size_t)k : 0;
    c->ended = k <= 0;
    if (k < 0) c->st = td_error_code();
  }
  return c->lo < c->hi ? c->buf[c->lo] : EOF;
}

/* Line ends of all kinds become '\n'. */
static int next(csv *c) {
  int x = peek(c);
  if (x == EOF) return x;
  c->lo++;
  if (x == '\r') {
    if (peek(c) == '\n') c->lo++;
    x = '\n';
  }
  if (x == '\n') c->line++;
  return x;
}

static void keep(csv *c, int x) {
  if (c->n == c->cap) {
    size_t cap = 2 * c->cap + 256;
    char *p = c->cap > LONGEST ? NULL : realloc(c->text, cap);
    if (!p) {
      bad(c, c->start, 0, "is longer than a line of numbers can be");
      return;
    }
    c->text = p;
    c->cap = cap;
  }
  c->text[c->n++] = (char)x;
}

/* ---- records ---- */

static void skip_blanks(csv *c) {
  while (peek(c) == ' ' || peek(c) == '\t') next(c);
}

static void quoted(csv *c) {
  next(c);
  for (;;) {
    int x = next(c);
    if (x == EOF) {
      bad(c, c->start, c->fields + 1, "a quote that does not end");
      return;
    }
    if (x == '"') {
      if (peek(c) != '"') break;
      next(c);
    }
    keep(c, x);
  }
  skip_blanks(c);
  int x = peek(c);
  if (x != ',' && x != '\n' && x != '\r' && x != EOF)
    bad(c, c->line, c->fields + 1, "text after a quote");
}

static void plain(csv *c) {
  size_t from = c->n;
  for (int x; (x = peek(c)) != ',' && x != '\n' && x != '\r' && x != EOF; ) {
    if (!x) bad(c, c->line, c->fields + 1, "a NUL byte; is it UTF-16 text?");
    if (c->st) return;
    keep(c, next(c));
  }
  while (c->n > from && (c->text[c->n - 1] == ' ' || c->text[c->n - 1] == '\t'))
    c->n--;
}

/* Reads the next record that is not blank; false at the end, or after an error. */
static bool record(csv *c) {
  for (;;) {
    bool quotes = false;
    c->n = 0;
    c->fields = 0;
    c->start = c->line;
    if (peek(c) == EOF) return false;
    for (int x = ','; x == ','; x = next(c)) {
      skip_blanks(c);
      if (peek(c) == '"') {
        quotes = true;
        quoted(c);
      } else {
        plain(c);
      }
      keep(c, 0);
      c->fields++;
      if (c->st) return false;
    }
    if (c->fields > 1 || c->n > 1 || quotes) return !c->st;
  }
}

/* ---- numbers ---- */

/* The forms of C, without hexadecimal ones; an empty field is NaN. */
static bool number(const char *s, double *v) {
  char *end;
  *v = NAN;
  if (!*s) return true;
  if (strpbrk(s, "xXpP(")) return false;
  *v = strtod(s, &end);
  return end != s && !*end;
}

static td_status not_a_number(csv *c, int64_t column, const char *s,
                              const char *hint) {
  char what[200];
  if (strpbrk(s, ";\t"))
    hint = "; fields must be separated by commas, and decimals by points";
  snprintf(what, sizeof what, "'%.40s' is not a number%s", s, hint);
  return bad(c, c->start, column, what);
}

static td_status add_row(csv *c) {
  char what[120];
  if (!c->width) c->width = c->fields;
  if (c->fields != c->width) {
    snprintf(what, sizeof what, "has %lld fields, but the first line has %lld",
             (long long)c->fields, (long long)c->width);
    return bad(c, c->start, 0, what);
  }
  if (c->count + c->fields > c->room) {
    int64_t room = 2 * c->room + c->fields + 1024;
    double *v = realloc(c->v, sizeof *v * (size_t)room);
    if (!v) return c->st = td_fail(TD_ENOMEM, "%s: out of memory", c->r.path);
    c->v = v;
    c->room = room;
  }
  const char *s = c->text;
  for (int64_t i = 0; i < c->fields; i++, s += strlen(s) + 1)
    if (!number(s, &c->v[c->count++])) return not_a_number(c, i + 1, s, "");
  return TD_OK;
}

/* Does the first record hold names?  Names and numbers together are an error,
** since a damaged line of numbers would look like that. */
static bool holds_names(csv *c) {
  const char *s = c->text, *word = NULL;
  int64_t numbers = 0, at = 0;
  double v;
  for (int64_t i = 0; i < c->fields; i++, s += strlen(s) + 1) {
    if (!*s) continue;
    if (number(s, &v)) numbers++;
    else if (!word) word = s, at = i + 1;
  }
  if (word && numbers)
    not_a_number(c, at, word, ", but other fields of the first line are; say "
                 "{header=true} if they are names");
  return word && !numbers;
}

static void skip_mark(csv *c) {        /* U+FEFF at the start of UTF-8 text */
  if (peek(c) == 0xef && c->hi >= 3 && c->buf[1] == 0xbb && c->buf[2] == 0xbf)
    c->lo = 3;
}

static void read_rows(csv *c, td_csv_names first, char **names) {
  skip_mark(c);
  bool more = record(c);
  if (more && (first == TD_CSV_NAMES ||
               (first == TD_CSV_GUESS && holds_names(c)))) {
    c->width = c->fields;
    *names = malloc(c->n);
    if (*names) memcpy(*names, c->text, c->n);
    else c->st = td_fail(TD_ENOMEM, "%s: out of memory", c->r.path);
    more = !c->st && record(c);
  }
  while (more && !c->st && !add_row(c)) more = record(c);
}

/* ---- the file ---- */

/* Runs f with the decimal point of C. */
static td_status in_c_locale(const char *path, void (*f)(void *), void *ctx) {
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!c) return td_fail(TD_ENOMEM, "%s: out of memory", path);
  locale_t old = uselocale(c);
  f(ctx);
  uselocale(old);
  freelocale(c);
  return TD_OK;
}

typedef struct reading {
  csv *c;
  td_csv_names first;
  char **names;
} reading;

static void run_reading(void *ctx) {
  reading *x = ctx;
  read_rows(x->c, x->first, x->names);
}

td_tensor *td_csv_read(const char *path, td_csv_names first, char **names) {
  *names = NULL;
  csv *c = calloc(1, sizeof *c);
  if (!c) return td_fail_null(TD_ENOMEM, "%s: out of memory", path);
  td_status st = td_reader_open(&c->r, path, true);
  if (st) {
    free(c);
    return NULL;
  }
  c->line = 1;
  reading x = { c, first, names };
  st = in_c_locale(path, run_reading, &x);
  if (!st) st = c->st;
  int64_t shape[2] = { c->width ? c->count / c->width : 0, c->width };
  td_tensor *t = st ? NULL : td_empty(td_cpu(), TD_F64, 2, shape);
  if (t && c->count) memcpy(t->data, c->v, sizeof *c->v * (size_t)c->count);
  td_reader_close(&c->r);
  free(c->text);
  free(c->v);
  free(c);
  if (!t) {
    free(*names);
    *names = NULL;
  }
  return t;
}

/* ---- writing ---- */

typedef struct writing {
  td_writer *w;
  const td_tensor *t;
  const char *header;
} writing;

/* The shortest digits that read back as the same number. */
static int float_text(char *s, size_t size, double v, bool single) {
  if (isnan(v)) return snprintf(s, size, "nan");
  for (int digits = single ? 6 : 15; ; digits++) {
    int n = snprintf(s, size, "%.*g", digits, v);
    if (digits == (single ? 9 : 17)) return n;
    if (single ? strtof(s, NULL) == (float)v : strtod(s, NULL) == v) return n;
  }
}

static int value_text(char *s, size_t size, const td_tensor *t, int64_t i) {
  switch (t->dtype) {
    case TD_F32: return float_text(s, size, ((float *)t->data)[i], true);
    case TD_F64: return float_text(s, size, ((double *)t->data)[i], false);
    case TD_I64:
      return snprintf(s, size, "%lld", (long long)((int64_t *)t->data)[i]);
    case TD_I32: return snprintf(s, size, "%d", ((int32_t *)t->data)[i]);
    default: return snprintf(s, size, "%d", ((uint8_t *)t->data)[i]);
  }
}

static void run_writing(void *ctx) {
  writing *x = ctx;
  const td_tensor *t = x->t;
  int64_t columns = t->ndim == 2 ? t->shape[1] : 1, count = td__numel(t);
  char s[64];
  if (x->header) {
    td_writer_put(x->w, x->header, strlen(x->header));
    td_writer_put(x->w, "\n", 1);
  }
  for (int64_t i = 0; i < count && !x->w->error; i++) {
    int n = value_text(s, sizeof s - 1, t, i);
    s[n++] = (i + 1) % columns ? ',' : '\n';
    td_writer_put(x->w, s, (size_t)n);
  }
}

td_status td_csv_write(const char *path, td_tensor *t, const char *header) {
  td_writer w;
  char shape[128];
  if (!t) return td_error_code();
  if (t->ndim > 2)
    return td_fail(TD_ESHAPE, "%s: a csv file holds (rows, columns), not %s; "
      "reshape or flatten it", path,
      td_shape_text(t->ndim, t->shape, shape, sizeof shape));
  int mark = td_scope_open();
  td_tensor *h = td_io_host(t, false);
  td_status st = h ? td_writer_open(&w, path) : td_error_code();
  if (!st) {
    if (td_io_is_gz(path)) st = td_writer_pack(&w, true);
    writing x = { &w, h, header };
    if (!st) st = in_c_locale(path, run_writing, &x);
    st = td_writer_close(&w, st);
  }
  td_scope_close(mark);
  return st;
}
