/* op_case.h -- test inputs of an op, read from the `cases` text of its rule.
**
** Cases are separated by spaces, the arguments of a case by `;`; arguments left
** out at the end take their defaults.
**
**   2x3 s 0x3    a tensor of that shape (s: 0-dim), values from the rule's
**                domain [lo, hi] (0,0: [-2, 2]), no two of them close together
**   S3x3 Y3x3    symmetric: positive definite, any
**   L3x3         square, far from singular in either triangle
**   ?2x3         a condition        @2x3:5   positions 0 to 4        -   none
**   {2x3|2x1}    a list of tensors  [2,-1]   numbers of A or S       *   all
**   #1.5         a number of kind F I B D P  %f64     an element type */
#ifndef TD_OP_CASE_H
#define TD_OP_CASE_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/op.h"

enum { CASE_INPUTS = 24, CASE_VALUES = 256 };

typedef struct case_input {
  char kind;               /* t S Y L ? @, or - for none */
  int ndim;
  int64_t shape[TD_MAXDIM], bound;
  double v[CASE_VALUES];
} case_input;

typedef struct op_case {
  td_op *op;
  const char *text;        /* of this case, len characters */
  int len;
  int nin, nattr, nlist;
  case_input in[CASE_INPUTS];
  td_attr attr[TD_MAXATTR];
  int64_t list[TD_MAXDIM];
  const char *bad;         /* what is wrong with the text, or NULL */
} op_case;

static inline int64_t case_numel(const case_input *in) {
  int64_t n = 1;
  for (int d = 0; d < in->ndim; d++) n *= in->shape[d];
  return n;
}
static inline bool case_is_float(const case_input *in) {
  return in->kind != '?' && in->kind != '@' && in->kind != '-';
}

/* ---- reading ---- */

static inline const char *case_tensor(op_case *k, const char *s) {
  if (k->nin == CASE_INPUTS) { k->bad = "too many inputs"; return s; }
  case_input *in = &k->in[k->nin++];
  *in = (case_input){ .kind = 't' };
  if (strchr("SYL?@-", *s)) in->kind = *s++;
  if (in->kind == '-') return s;
  if (*s == 's') s++;
  else for (;; s++) {
    char *end;
    if (in->ndim == TD_MAXDIM) { k->bad = "too many dims"; break; }
    in->shape[in->ndim++] = strtol(s, &end, 10);
    if (end == s) k->bad = "a size is missing";
    s = end;
    if (*s != 'x') break;
  }
  if (in->kind == '@') {
    if (*s != ':') k->bad = "positions need a bound";
    else in->bound = strtol(s + 1, (char **)&s, 10);
  }
  if (case_numel(in) > CASE_VALUES) k->bad = "the tensor is too large";
  return s;
}

static inline const char *case_numbers(op_case *k, const char *s) {
  if (*s == '*') { k->nlist = -1; return s + 1; }
  if (*s != '[') { k->bad = "a list [...] or * is missing"; return s; }
  k->nlist = 0;
  for (s++; *s != ']'; s += *s == ',') {
    char *end;
    k->list[k->nlist++] = strtol(s, &end, 10);
    if (end == s || k->nlist > TD_MAXDIM) { k->bad = "a bad list"; return s; }
    s = end;
  }
  return s + 1;
}

static inline const char *case_list(op_case *k, const char *s) {
  if (*s != '{') { k->bad = "a list {...} is missing"; return s; }
  for (s++; *s != '}' && !k->bad; s += *s == '|') {
    s = case_tensor(k, s);
    if (*s != '|' && *s != '}') k->bad = "a bad list of tensors";
  }
  return s + 1;
}

static inline const char *case_attr(op_case *k, const td_arg *a, const char *s) {
  td_attr *v = &k->attr[k->nattr++];
  if (a->kind == 'Y') {
    char name[16] = "";
    td_dtype dt = TD_F32;
    int n = 0;
    if (*s != '%') k->bad = "a type %... is missing";
    else if (sscanf(s, "%%%15[a-z0-9]%n", name, &n) != 1 ||
             !td_dtype_parse(name, &dt)) k->bad = "a bad type";
    v->i = dt;
    return s + n;
  }
  if (*s != '#') { k->bad = "a number #... is missing"; return s; }
  double x = strtod(s + 1, (char **)&s);
  if (a->kind == 'F') v->f = x;
  else v->i = (int64_t)x;
  return s;
}

static inline void case_default(op_case *k, const td_arg *a) {
  switch (a->kind) {
    case 'F': k->attr[k->nattr++].f = a->dflt; break;
    case 'I': case 'B': case 'D': case 'P':
      k->attr[k->nattr++].i = (int64_t)a->dflt;
      break;
    case 'A': k->nlist = -1; break;
    case 'O': k->in[k->nin++] = (case_input){ .kind = '-' }; break;
    default: k->bad = "an argument is missing";
  }
  if (!a->optional) k->bad = "an argument without default is missing";
}

static inline uint64_t case_random(uint64_t *s) {
  uint64_t z = *s += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static inline double case_uniform(uint64_t *s) {
  return (double)(case_random(s) >> 11) * 0x1p-53;
}

/* Draws the values: one stratum of the domain for each element of the case, in
** random order, so that elements keep a distance and differences never cross a
** tie; and none near 0. */
static inline void case_draw(op_case *k) {
  double lo = k->op->rule->lo, hi = k->op->rule->hi;
  static int order[CASE_INPUTS * CASE_VALUES];
  uint64_t s = 0;
  int total = 0, at = 0;
  if (lo == 0 && hi == 0) { lo = -2; hi = 2; }
  for (const char *p = k->op->name; *p; p++) s = s * 31 + (unsigned char)*p;
  for (int i = 0; i < k->len; i++) s = s * 31 + (unsigned char)k->text[i];
  for (int i = 0; i < k->nin; i++)
    if (case_is_float(&k->in[i])) total += (int)case_numel(&k->in[i]);
  for (int i = 0; i < total; i++) {
    int j = (int)(case_random(&s) % (uint64_t)(i + 1));
    order[i] = order[j];
    order[j] = i;
  }
  for (int i = 0; i < k->nin; i++)
    for (int64_t e = 0; e < case_numel(&k->in[i]); e++) {
      case_input *in = &k->in[i];
      double u = case_uniform(&s), *v = &in->v[e];
      if (in->kind == '?') *v = u < .5;
      else if (in->kind == '@') *v = floor(u * (double)in->bound);
      else if (in->kind != '-') {
        *v = lo + (hi - lo) * (order[at++] + .3 + .4 * u) / total;
        if (lo < 0 && hi > 0)
          *v = *v * .95 + copysign(.05 * fmin(-lo, hi), *v);
      }
    }
}

/* Reads the case at *s and moves past it; false at the end of the text. */
static inline bool case_next(td_op *op, const char **s, op_case *k) {
  while (**s == ' ') ++*s;
  if (!**s) return false;
  *k = (op_case){ .op = op, .text = *s, .nlist = -1 };
  k->len = (int)strcspn(*s, " ");
  const char *p = *s, *end = *s + k->len;
  for (int a = 0; a < op->narg && !k->bad; a++) {
    const td_arg *arg = &op->arg[a];
    if (p == end) { case_default(k, arg); continue; }
    p = strchr("TOCX", arg->kind) ? case_tensor(k, p) :
      arg->kind == 'M' ? case_list(k, p) :
      strchr("AS", arg->kind) ? case_numbers(k, p) : case_attr(k, arg, p);
    if (p < end && *p != ';') k->bad = "a ; is missing";
    else if (p < end) p++;
  }
  if (p != end && !k->bad) k->bad = "too many arguments";
  *s = end;
  case_draw(k);
  return true;
}

/* ---- making ---- */

/* The values of input i as a contiguous tensor; NULL for a missing one. */
static inline td_tensor *case_leaf(const op_case *k, int i, td_backend *b,
                                   td_dtype dt) {
  const case_input *in = &k->in[i];
  if (in->kind == '-') return NULL;
  if (in->kind == '?') dt = TD_BOOL;
  if (in->kind == '@') dt = TD_I64;
  td_tensor *t = td_empty(td_cpu(), TD_F64, in->ndim, in->shape);
  if (td_write_f64(t, in->v)) return NULL;
  return td_to_device(td_type(t) == dt ? t : td_cast(t, dt), b);
}

/* A tensor of numbers that vary without pattern, shaped like t. */
static inline td_tensor *case_weights(td_tensor *t, int seed) {
  double v[4 * CASE_VALUES];
  int64_t n = t ? td_numel(t) : 0;
  if (!t || n > 4 * CASE_VALUES) return NULL;
  for (int64_t e = 0; e < n; e++)
    v[e] = .3 + cos(1.7 * (double)e + 2.3 * seed + .4);
  td_tensor *w = td_empty(td_cpu(), TD_F64, td_ndim(t), td_shape(t));
  if (td_write_f64(w, v)) return NULL;
  return td_to_device(td_cast(w, td_type(t)), td_device_of(t));
}

static inline td_tensor *case_eye(td_tensor *like, double v) {
  int64_t n = td_shape(like)[td_ndim(like) - 1];
  td_tensor *m = td_full(td_device_of(like), td_type(like), 2,
                         (int64_t[]){ n, n }, v);
  return td_sub(m, td_add(td_tril(m, -1), td_triu(m, 1)));
}

/* Gives free values the structure that the kind of input asks for. */
static inline td_tensor *case_shaped(char kind, td_tensor *x) {
  if (!x || !strchr("SYL", kind) || td_numel(x) == 0) return x;
  int64_t n = td_shape(x)[td_ndim(x) - 1];
  td_tensor *xt = td_transpose(x, -1, -2);
  if (kind == 'S')
    return td_add(td_div(td_matmul(x, xt), td_num((double)n)), case_eye(x, 1));
  if (kind == 'L') return td_add(td_mul(x, td_num(.3)), case_eye(x, 2));
  x = td_mul(td_add(x, xt), td_num(.5));
  return td_add(x, td_mul(case_eye(x, 1), td_arange(td_device_of(x), td_type(x),
                                                    0, 1.5, n)));
}

/* Calls the op; TD_MAXOUT results. */
static inline td_status case_apply(const op_case *k, td_tensor **in,
                                   td_tensor **out, bool inplace) {
  td_tensor *copy[CASE_INPUTS];
  td_call c = { .op = k->op, .nin = k->nin, .in = copy, .nattr = k->nattr,
                .nlist = k->nlist };
  memcpy(copy, in, sizeof *in * (size_t)k->nin);
  memcpy(c.attr, k->attr, sizeof c.attr);
  memcpy(c.list, k->list, sizeof c.list);
  for (int i = 0; i < TD_MAXOUT; i++) out[i] = NULL;
  for (int i = 0; i < k->nin; i++)
    if (!in[i] && k->in[i].kind != '-') return td_error_code();
  td_error_clear();
  return td_apply(&c, out, inplace);
}
#endif
