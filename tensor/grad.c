/* grad.c -- reverse mode: recording nodes, and the sweep back.
**
** A tensor keeps the node that made it; a node keeps, for each input, the
** struct of the tensor (its shape), its data only where the rule reads it, and
** the node behind it.  Results that a rule reads are kept as aliases without
** node, so references never form a cycle.  Rules build ops: with the graph
** switched on during the sweep, gradients can be differentiated again. */
#include "op.h"
#include "trace.h"
#include "capture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct edge {
  td_tensor *t;            /* a struct, with data where `value` */
  td_node *node;           /* behind it; NULL: leaf or constant */
  int out;
  uint32_t version;
  bool value;
  bool wanted;             /* needs a gradient */
} edge;

/* The gradient of a slice of a result, until that of the whole is asked for. */
typedef struct piece {
  td_tensor *g;
  int out;                 /* of which result */
  int64_t dim, size;       /* along which dim, of so many positions */
  int64_t start;
  struct piece *next;
} piece;

struct td_node {
  int refs;
  bool done;               /* a sweep used it up */
  bool needed;             /* in this sweep: leads to what is asked for */
  bool target;             /* in this sweep: its own gradient is asked for */
  uint32_t mark;
  int place;               /* the script's line, while ops are traced */
  td_call call;
  td_tensor *saved[TD_MAXOUT];
  td_tensor *g[TD_MAXOUT]; /* gradients collected in this sweep */
  piece *pieces;           /* and what slices have added to them */
  td_node *next;           /* list of nodes to free */
  size_t size;
  edge e[];
};

static _Thread_local bool disabled;
static void (*locator)(char *buf, size_t size);

bool td_grad_enabled(void) { return !disabled; }
bool td_grad_enable(bool on) {
  bool old = !disabled;
  disabled = !on;
  return old;
}
void td_set_locator(void (*locate)(char *buf, size_t size)) { locator = locate; }
void td__locate(char *buf, size_t size) {
  if (locator) locator(buf, size);
}

bool td_needs_grad(const td_tensor *t) { return t->node || t->requires_grad; }
bool td_is_leaf(const td_tensor *t) { return !t->node; }
td_tensor *td_gradient(td_tensor *t) { return t->grad; }

td_status td_requires_grad(td_tensor *t, bool on) {
  if (!t) return td_error_code();
  if (t->node)
    return td_fail(TD_EGRAD, "requires_grad_: only a leaf can be asked for a "
                   "gradient; detach() this tensor first");
  if (on && !td_dtype_is_float(t->dtype))
    return td_fail(TD_EDTYPE, "requires_grad_: gradients need a floating point "
                   "tensor, not %s", td_dtype_name(t->dtype));
  t->requires_grad = on;
  return TD_OK;
}

static bool same_shape(const td_tensor *a, const td_tensor *b) {
  return a->ndim == b->ndim &&
    !memcmp(a->shape, b->shape, sizeof *a->shape * a->ndim);
}

td_status td_set_gradient(td_tensor *t, td_tensor *g) {
  char a[128], b[128];
  if (g && (!same_shape(t, g) || t->dtype != g->dtype))
    return td_fail(TD_ESHAPE, "grad: %s does not fit a tensor of %s",
                   td_spec_text(g, a, sizeof a), td_spec_text(t, b, sizeof b));
  td_tensor *d = g ? td_keep(td_detach(g)) : NULL;
  if (g && !d) return td_error_code();
  td_drop(t->grad);
  t->grad = d;
  return TD_OK;
}

/* ---- recording ---- */

td_status td__mark_changed(td_tensor *t, const char *op) {
  td_buffer *b = t->buf;
  if (!b) return TD_OK;
  t->version = ++b->version;
  if (b->saved && locator) {
    char place[160] = "", text[224];
    locator(place, sizeof place);
    bool named = op[0] && op[strlen(op) - 1] == '_';   /* adam_ has its _ */
    snprintf(text, sizeof text, "%s%s at %s", op, named ? "" : "_",
             place[0] ? place : "?");
    free(b->changed);
    b->changed = strdup(text);
  }
  return TD_OK;
}

static unsigned values_needed(const td_call *c) {
  unsigned need = 0;
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] && td_needs_grad(c->in[i]))
      need |= c->op->rule->saves[i < TD_SAVES ? i : TD_SAVES - 1];
  return need;
}

static void edge_set(edge *e, td_tensor *t, bool value) {
  *e = (edge){ .t = t, .value = value && t };
  if (!t) return;
  e->wanted = td_needs_grad(t) && td_dtype_is_float(t->dtype);
  e->out = t->out;
  if ((e->node = t->node)) e->node->refs++;
  if (t->buf) e->version = t->is_past ? t->version : t->buf->version;
  if (value) {
    td_keep(t);
    if (t->buf) t->buf->saved++;
  } else {
    td__struct_ref(t);
  }
}

static td_status check_fresh(const td_call *c) {
  for (int i = 0; i < c->nin; i++) {
    const td_tensor *t = c->in[i];
    if (t && t->node && t->buf && !t->is_past && t->version != t->buf->version)
      return td_fail(TD_EGRAD, "%s: the values of an argument were changed in "
        "place%s%s through another tensor that shares its memory; clone() "
        "before changing it", c->op->name, t->buf->changed ? " by " : "",
        t->buf->changed ? t->buf->changed : "");
  }
  return TD_OK;
}

td_status td__record(const td_call *c, td_tensor **out) {
  const td_rule *rule = c->op->rule;
  bool any = false;
  if (disabled || (!rule->vjp && !(rule->flags & TD_ONCE))) return TD_OK;
  for (int i = 0; i < c->nin; i++)
    any |= c->in[i] && td_needs_grad(c->in[i]);
  if (!any) return TD_OK;
  td_status st = check_fresh(c);
  if (st) return st;
  size_t size = sizeof(td_node) + sizeof(edge) * (size_t)c->nin;
  td_node *n = td__small_alloc(size);
  if (!n) return td_error_code();
  memset(n, 0, sizeof *n);
  n->size = size;
  n->refs = 1;
  n->call = *c;
  n->call.in = NULL;
  if (td__tracing) n->place = td__trace_here();
  unsigned need = values_needed(c);
  for (int i = 0; i < c->nin; i++)
    edge_set(&n->e[i], c->in[i], need >> (i < 15 ? i : 15) & 1);
  for (int k = 0; k < c->op->nout; k++) {
    if (need >> (16 + k) & 1) {
      if (!(n->saved[k] = td_keep(td__alias(out[k])))) st = td_error_code();
      else if (n->saved[k]->buf) {
        n->saved[k]->version = n->saved[k]->buf->version;
        n->saved[k]->buf->saved++;
      }
    }
    if (!td_dtype_is_float(out[k]->dtype)) continue;
    out[k]->node = n;
    out[k]->out = k;
    n->refs++;
  }
  td__node_drop(n);
  return st;
}

/* ---- freeing: by work list, so that long chains need no deep stack ---- */

static void release_edge(edge *e) {
  td_tensor *t = e->t;
  if (!t) return;
  e->t = NULL;
  if (!e->value) { td__struct_drop(t); return; }
  if (t->buf) t->buf->saved--;
  td_drop(t);
}

static void release_saved(td_node *n) {
  for (int k = 0; k < TD_MAXOUT; k++) {
    if (!n->saved[k]) continue;
    if (n->saved[k]->buf) n->saved[k]->buf->saved--;
    td_drop(n->saved[k]);
    n->saved[k] = NULL;
  }
}

/* Gives up the values but keeps shapes and links. */
static void release_values(td_node *n) {
  for (int i = 0; i < n->call.nin; i++) {
    edge *e = &n->e[i];
    if (!e->t || !e->value) continue;
    td_tensor *t = e->t;
    td__struct_ref(t);
    release_edge(e);
    e->t = t;
    e->value = false;
  }
  release_saved(n);
  n->done = true;
}

void td__node_drop(td_node *n) {
  static _Thread_local td_node *list;
  static _Thread_local bool draining;
  if (!n || --n->refs) return;
  n->next = list;
  list = n;
  if (draining) return;
  draining = true;
  while ((n = list)) {
    list = n->next;
    for (int i = 0; i < n->call.nin; i++) {
      td_node *behind = n->e[i].node;
      release_edge(&n->e[i]);
      td__node_drop(behind);
    }
    release_saved(n);
    td__small_free(n, n->size);
  }
  draining = false;
}

/* ---- the sweep ---- */

typedef struct sweep {
  unsigned flags;
  bool all_leaves;         /* backward: every leaf is asked for */
  uint32_t epoch;
  td_node **v;             /* reachable nodes, inputs before outputs */
  int n, cap;
  td_tensor **gx;          /* td_grad: results by slot */
} sweep;

static td_status push(sweep *s, td_node *n) {
  if (s->n == s->cap) {
    int cap = s->cap ? s->cap * 2 : 256;
    td_node **v = realloc(s->v, sizeof *v * (size_t)cap);
    if (!v) return td_fail(TD_ENOMEM, "backward: out of memory for the graph");
    s->v = v;
    s->cap = cap;
  }
  s->v[s->n++] = n;
  n->refs++;
  return TD_OK;
}

static bool leaf_wanted(const sweep *s, const edge *e) {
  if (!e->wanted || e->node || !e->t) return false;
  return s->all_leaves ? e->t->requires_grad : e->t->mark == s->epoch;
}

/* Depth first, without recursion: a node is appended once everything behind it
** has been.  `slot` of the path array counts the edges already taken. */
typedef struct step { td_node *n; int i; } step;
static td_status collect(sweep *s, td_node *root) {
  td_status st = TD_OK;
  step *path = NULL;
  int depth = 0, cap = 0;
  if (!root || root->mark == s->epoch) return TD_OK;
  for (td_node *n = root; ; ) {
    if (n) {
      if (depth == cap) {
        step *p = realloc(path, sizeof *p * (size_t)(cap = cap * 2 + 64));
        if (!p) { st = td_fail(TD_ENOMEM, "backward: out of memory"); break; }
        path = p;
      }
      n->mark = s->epoch;
      path[depth++] = (step){ n, 0 };
      n = NULL;
    }
    step *top = &path[depth - 1];
    if (top->i < top->n->call.nin) {
      edge *e = &top->n->e[top->i++];
      if (e->node && e->wanted) {
        if (e->node->mark != s->epoch) n = e->node;
      }
      continue;
    }
    if ((st = push(s, top->n))) break;
    if (!--depth) break;
  }
  free(path);
  return st;
}

/* A node is needed when one of its inputs is asked for or leads on. */
static void find_needed(sweep *s) {
  for (int k = 0; k < s->n; k++) {
    td_node *n = s->v[k];
    for (int i = 0; i < n->call.nin && !n->needed; i++) {
      const edge *e = &n->e[i];
      n->needed = leaf_wanted(s, e) || (e->node && e->wanted && e->node->needed);
    }
  }
}

/* A gradient that a captured step adds to must stay where it is. */
static bool sole_owner(const td_tensor *t) {
  if (td__recording && t->buf && td__capture_outside(t->buf)) return td__contiguous(t);
  return t->refs == 1 && t->buf && t->buf->refs == 1 && td__contiguous(t);
}

/* have + more as a kept tensor; have's ownership passes in.  NULL on failure. */
static td_tensor *accumulate(const sweep *s, td_tensor *have, td_tensor *more) {
  if (!have) return td_keep(more);
  if (!(s->flags & TD_CREATE_GRAPH) && sole_owner(have)) {
    td_tensor *out[TD_MAXOUT];
    td_call c = { .op = &td_ops[TD_OP_add], .nin = 2,
                  .in = (td_tensor *[]){ have, more } };
    if (!td_apply(&c, out, true)) return have;
    td_drop(have);
    return NULL;
  }
  td_tensor *sum = td_keep(td_add(have, more));
  td_drop(have);
  return sum;
}

/* ---- slices: their gradients are joined once, instead of each being spread and added ---- */

static bool is_slice(const td_node *n, const bool *want) {
  return n->call.op == &td_ops[TD_OP_slice] && n->call.attr[3].i == 1 && want[0] && n->e[0].node;
}

static td_status keep_piece(const td_node *n) {
  const edge *e = &n->e[0];
  int64_t dim = n->call.attr[0].i;
  piece *p = td__small_alloc(sizeof *p);
  if (!p) return td_error_code();
  *p = (piece){ td_keep(n->g[0]), e->out, dim, e->t->shape[dim], n->call.attr[1].i, e->node->pieces };
  e->node->pieces = p;
  return TD_OK;
}

static void drop_pieces(td_node *n) {
  for (piece *p; (p = n->pieces); ) {
    n->pieces = p->next;
    td_drop(p->g);
    td__small_free(p, sizeof *p);
  }
}

static int by_place(const void *a, const void *b) {
  const piece *p = *(piece *const *)a, *q = *(piece *const *)b;
  return p->out != q->out ? p->out - q->out : p->dim != q->dim ? (p->dim < q->dim ? -1 : 1) :
    p->start != q->start ? (p->start < q->start ? -1 : 1) : 0;
}

static int64_t end_of(const piece *p) { return p->start + p->g->shape[p->dim]; }

static td_tensor *gap(const td_tensor *like, int64_t dim, int64_t size) {
  int64_t shape[TD_MAXDIM];
  memcpy(shape, like->shape, sizeof shape);
  shape[dim] = size;
  return td_full(td_device_of(like), (td_dtype)like->dtype, like->ndim, shape, 0);
}

/* The gradient of the whole from n pieces that do not meet, in order; parts has room for what
** lies between them, too. */
static td_tensor *join(piece *const *p, int n, td_tensor **parts) {
  int64_t at = 0, dim = p[0]->dim, size = p[0]->size;
  int k = 0;
  if (n == 1 && end_of(p[0]) == size && p[0]->start == 0) return p[0]->g;
  if (n == 1) return td_unslice(p[0]->g, dim, size, p[0]->start, 1);
  for (int i = 0; i <= n; i++) {
    int64_t next = i < n ? p[i]->start : size;
    if (next > at) parts[k++] = gap(p[0]->g, dim, next - at);
    if (i == n) break;
    if (end_of(p[i]) > next) parts[k++] = p[i]->g;
    at = end_of(p[i]);
  }
  if (!k) parts[k++] = p[0]->g;            /* a dim of size 0 */
  return td_cat((td_list){ k, parts }, dim);
}

/* Adds the pieces of n to its gradients.  Runs of them that do not overlap go together. */
static td_status join_pieces(const sweep *s, td_node *n) {
  int all = 0;
  for (const piece *p = n->pieces; p; p = p->next) all++;
  piece **v = malloc(sizeof *v * (size_t)all);
  td_tensor **parts = malloc(sizeof *parts * (size_t)(2 * all + 1));
  td_status st = v && parts ? TD_OK : td_fail(TD_ENOMEM, "backward: out of memory");
  int k = 0;
  for (piece *p = n->pieces; !st && p; p = p->next) v[k++] = p;
  if (!st) qsort(v, (size_t)all, sizeof *v, by_place);
  for (int first = 0, end; !st && first < all; first = end) {
    for (end = first + 1; end < all && v[end]->out == v[first]->out && v[end]->dim == v[first]->dim &&
         v[end]->start >= end_of(v[end - 1]); ) end++;
    td_tensor *g = join(v + first, end - first, parts), **to = &n->g[v[first]->out];
    if (!g || !(*to = accumulate(s, *to, g))) st = td_error_code();
  }
  free(v);
  free(parts);
  drop_pieces(n);
  return st;
}

static td_status give_leaf(sweep *s, td_tensor *t, td_tensor *g) {
  if (!s->all_leaves) {
    td_tensor **slot = &s->gx[t->slot];
    return (*slot = accumulate(s, *slot, g)) ? TD_OK : td_error_code();
  }
  if (!t->grad) {
    /* share the memory when nobody else has it, else copy */
    bool own = g->buf && g->buf->refs == 1 && !g->is_view && td__contiguous(g);
    td_tensor *d = td_detach(own ? g : td_clone(g));
    return (t->grad = td_keep(d)) ? TD_OK : td_error_code();
  }
  td_tensor *sum = accumulate(s, t->grad, td_detach(g));
  return (t->grad = sum) ? TD_OK : td_error_code();
}

static td_status check_versions(const td_node *n) {
  const char *name = n->call.op->name;
  for (int i = 0; i < n->call.nin; i++) {
    const edge *e = &n->e[i];
    if (e->value && e->t->buf && e->t->buf->version != e->version)
      return td_fail(TD_EGRAD, "backward: a value that %s needs for its "
        "gradient was changed in place%s%s after it was used; use the form "
        "without _ or clone() it first", name,
        e->t->buf->changed ? " by " : "",
        e->t->buf->changed ? e->t->buf->changed : "");
  }
  for (int k = 0; k < TD_MAXOUT; k++) {
    const td_tensor *y = n->saved[k];
    if (y && y->buf && y->version != y->buf->version)
      return td_fail(TD_EGRAD, "backward: the result of %s, which its gradient "
        "needs, was changed in place%s%s; use the form without _ or clone() "
        "it first", name, y->buf->changed ? " by " : "",
        y->buf->changed ? y->buf->changed : "");
  }
  return TD_OK;
}

/* The input as it was for the rule: connected to the graph when gradients are
** to be differentiated again. */
static td_tensor *restore(const sweep *s, const edge *e) {
  td_tensor *t = e->t;
  if (!t || !(s->flags & TD_CREATE_GRAPH)) return t;
  if (t->node == e->node && t->out == e->out) return t;
  td_tensor *a = td__alias(t);
  if (!a) return NULL;
  if ((a->node = e->node)) a->node->refs++;
  a->out = e->out;
  a->version = e->version;
  return a;
}

static td_tensor *restore_result(const sweep *s, td_node *n, int k) {
  td_tensor *y = n->saved[k];
  if (!y || !(s->flags & TD_CREATE_GRAPH)) return y;
  td_tensor *a = td__alias(y);
  if (!a) return NULL;
  a->node = n;
  n->refs++;
  a->out = k;
  return a;
}

static td_status distribute(sweep *s, td_node *n, td_tensor **gin,
                            const bool *want) {
  char a[128], b[128];
  for (int i = 0; i < n->call.nin; i++) {
    edge *e = &n->e[i];
    if (!want[i] || !gin[i]) continue;
    if (!same_shape(gin[i], e->t))
      return td_fail(TD_ESHAPE, "gradient rule of %s: input %d has shape %s but "
        "its gradient %s", n->call.op->name, i + 1,
        td_shape_text(e->t->ndim, e->t->shape, a, sizeof a),
        td_shape_text(gin[i]->ndim, gin[i]->shape, b, sizeof b));
    td_status st = TD_OK;
    if (e->node)
      st = (e->node->g[e->out] = accumulate(s, e->node->g[e->out], gin[i])) ?
        TD_OK : td_error_code();
    else st = give_leaf(s, e->t, gin[i]);
    if (st) return st;
  }
  return TD_OK;
}

static bool find_wanted(const sweep *s, const td_node *n, bool *want) {
  bool any = false;
  for (int i = 0; i < n->call.nin; i++) {
    const edge *e = &n->e[i];
    want[i] = e->wanted && (e->node ? e->node->needed : leaf_wanted(s, e));
    any |= want[i];
  }
  return any;
}

/* The rule of one node; in and gin have room for its inputs. */
static td_status sweep_node(sweep *s, td_node *n, td_tensor **in,
                            td_tensor **gin, const bool *want) {
  td_tensor *y[TD_MAXOUT] = { NULL };
  const td_rule *rule = n->call.op->rule;
  if (n->done)
    return td_fail(TD_EGRAD, "backward twice through the same graph (%s): its "
      "values were released by the first; use backward{retain=true} there",
      n->call.op->name);
  td_status st = check_versions(n);
  if (st) return st;
  if (!rule->vjp)
    return td_fail(TD_ENOSUP, "%s: this fused gradient cannot be differentiated "
                   "again", n->call.op->name);
  for (int i = 0; i < n->call.nin; i++) {
    gin[i] = NULL;
    in[i] = restore(s, &n->e[i]);
    if (n->e[i].t && !in[i]) return td_error_code();
  }
  for (int k = 0; k < TD_MAXOUT; k++)
    if (n->saved[k] && !(y[k] = restore_result(s, n, k))) return td_error_code();
  td_call c = n->call;
  c.in = in;
  td_back b = { &c, in, y, n->g, want, gin };
  td_error_clear();
  if (is_slice(n, want)) {
    st = keep_piece(n);
  } else {
    rule->vjp(&b);
    st = td_error_code() ? td_error_code() : distribute(s, n, gin, want);
  }
  if (st) return st;
  if (!(s->flags & TD_RETAIN_GRAPH)) release_values(n);
  return TD_OK;
}

static void clear_gradients(td_node *n) {
  for (int j = 0; j < TD_MAXOUT; j++) {
    td_drop(n->g[j]);
    n->g[j] = NULL;
  }
  drop_pieces(n);
}

static td_status sweep_nodes(sweep *s) {
  td_status st = TD_OK;
  int most = 1;
  for (int k = 0; k < s->n; k++)
    if (s->v[k]->call.nin > most) most = s->v[k]->call.nin;
  td_tensor **in = malloc(sizeof *in * 2 * (size_t)most);
  bool *want = malloc((size_t)most);
  if (!in || !want) st = td_fail(TD_ENOMEM, "backward: out of memory");
  for (int k = s->n - 1; !st && k >= 0; k--) {
    td_node *n = s->v[k];
    if (!n->pieces && !n->g[0] && !n->g[1] && !n->g[2]) continue;
    int mark = td_scope_open();
    if (n->pieces) {
      if (td__tracing) td__trace_gradient(&td_ops[TD_OP_slice], n->place);
      st = join_pieces(s, n);
    }
    if (td__tracing) td__trace_gradient(n->call.op, n->place);
    if (!st && find_wanted(s, n, want)) st = sweep_node(s, n, in, in + most, want);
    if (td__tracing) td__trace_gradient(NULL, 0);
    td_scope_close(mark);
    if (!n->target) clear_gradients(n);
  }
  free(in);
  free(want);
  return st;
}

static void sweep_end(sweep *s) {
  for (int k = s->n - 1; k >= 0; k--) {
    td_node *n = s->v[k];
    n->needed = n->target = false;
    clear_gradients(n);
    td__node_drop(n);
  }
  free(s->v);
}

static td_status seed_root(sweep *s, td_tensor *y, td_tensor *gy) {
  char a[128], b[128];
  /* a copy of the caller's: it may be accumulated into */
  if (!(gy = gy ? td_add(gy, td_num(0)) : td_ones_like(y)))
    return td_error_code();
  if (!same_shape(gy, y))
    return td_fail(TD_ESHAPE, "backward: the gradient has shape %s, the output "
      "%s", td_shape_text(gy->ndim, gy->shape, a, sizeof a),
      td_shape_text(y->ndim, y->shape, b, sizeof b));
  if (gy->dtype != y->dtype && !(gy = td_cast(gy, y->dtype)))
    return td_error_code();
  if (!y->node) {
    if (s->all_leaves ? y->requires_grad : y->mark == s->epoch)
      return give_leaf(s, y, gy);
    return TD_OK;
  }
  td_tensor **g = &y->node->g[y->out];
  return (*g = accumulate(s, *g, gy)) ? TD_OK : td_error_code();
}

static td_status check_roots(int ny, td_tensor **y) {
  for (int i = 0; i < ny; i++) {
    if (!y[i]) return td_error_code();
    if (!td_dtype_is_float(y[i]->dtype))
      return td_fail(TD_EDTYPE, "backward: the output is %s; gradients need a "
                     "floating point tensor", td_dtype_name(y[i]->dtype));
    if (y[i]->node && y[i]->buf && y[i]->version != y[i]->buf->version)
      return td_fail(TD_EGRAD, "backward: the output was changed in place "
                     "through a tensor that shares its memory");
  }
  return TD_OK;
}

static uint32_t next_epoch(void) {
  static uint32_t epoch;
  return ++epoch ? epoch : ++epoch;
}

td_status td_backward(td_tensor *y, td_tensor *gy, unsigned flags) {
  char shape[128];
  td_status st = check_roots(1, &y);
  if (st) return st;
  if (!td_needs_grad(y))
    return td_fail(TD_EGRAD, "backward: nothing here requires a gradient; call "
      "requires_grad_() on a leaf before computing");
  if (!gy && td__numel(y) != 1)
    return td_fail(TD_ESHAPE, "backward: the output has shape %s; reduce it to "
      "one element or pass {gradient=}",
      td_shape_text(y->ndim, y->shape, shape, sizeof shape));
  if (flags & TD_CREATE_GRAPH) flags |= TD_RETAIN_GRAPH;
  sweep s = { .flags = flags, .all_leaves = true, .epoch = next_epoch() };
  int mark = td_scope_open();
  bool old = td_grad_enable((flags & TD_CREATE_GRAPH) != 0);
  st = collect(&s, y->node);
  find_needed(&s);
  if (!st) st = seed_root(&s, y, gy);
  if (!st) st = sweep_nodes(&s);
  sweep_end(&s);
  td_grad_enable(old);
  td_scope_close(mark);
  return st;
}

/* Marks what is asked for: leaves by slot, others through their node. */
static td_status mark_inputs(sweep *s, int nx, td_tensor **x) {
  for (int i = 0; i < nx; i++) {
    if (!x[i]) return td_error_code();
    if (!td_needs_grad(x[i]))
      return td_fail(TD_EGRAD, "grad: input %d does not require a gradient; "
        "call requires_grad_() on it before computing", i + 1);
    if (x[i]->node && x[i]->node->mark == s->epoch)
      x[i]->node->needed = x[i]->node->target = true;
  }
  return TD_OK;
}

static void mark_leaves(sweep *s, int nx, td_tensor **x) {
  for (int i = nx - 1; i >= 0; i--) {
    if (!x[i] || x[i]->node) continue;
    x[i]->mark = s->epoch;
    x[i]->slot = i;
  }
}

/* Collects results: leaves have theirs in gx, the first of equals; the others
** wait in their nodes. */
static td_status gather(int nx, td_tensor **x, td_tensor **gx) {
  for (int i = 0; i < nx; i++) {
    if (x[i]->node) gx[i] = td_keep(x[i]->node->g[x[i]->out]);
    else if (x[i]->slot != i) gx[i] = td_keep(gx[x[i]->slot]);
  }
  return TD_OK;
}

td_status td_grad(int ny, td_tensor **y, td_tensor **gy,
                  int nx, td_tensor **x, td_tensor **gx, unsigned flags) {
  td_status st = check_roots(ny, y);
  if (st) return st;
  if (flags & TD_CREATE_GRAPH) flags |= TD_RETAIN_GRAPH;
  sweep s = { .flags = flags, .epoch = next_epoch(), .gx = gx };
  for (int i = 0; i < nx; i++) gx[i] = NULL;
  int mark = td_scope_open();
  bool old = td_grad_enable((flags & TD_CREATE_GRAPH) != 0);
  mark_leaves(&s, nx, x);
  for (int i = 0; !st && i < ny; i++) st = collect(&s, y[i]->node);
  if (!st) st = mark_inputs(&s, nx, x);
  find_needed(&s);
  for (int i = 0; !st && i < ny; i++) st = seed_root(&s, y[i], gy ? gy[i] : NULL);
  if (!st) st = sweep_nodes(&s);
  if (!st) st = gather(nx, x, gx);
  sweep_end(&s);
  td_grad_enable(old);
  td_scope_close(mark);
  for (int i = 0; i < nx; i++) {
    if (st) { td_drop(gx[i]); gx[i] = NULL; }
    else if (gx[i] && !(gx[i] = td_own(gx[i]))) st = td_error_code();
  }
  return st;
}
