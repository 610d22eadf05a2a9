/* replay_device.c -- a captured step as one launch, on a device that has graphs.
**
** A call waits for those before it that touch the same bytes, when one of the two writes
** them, and for nothing else: what the arena uses again counts like anything else.  Calls
** go onto lanes by a trial run on paper: each to the lane where it can start first, the one
** with the longest way to the end before others. */
#include "capture.h"
#include "trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAUNCH 4e6             /* what a kernel costs beside its bytes, in bytes */
#define CROSSING 1e6           /* and waiting for another lane */
#define RUN_MOST 16            /* steps of a launch */
#define NODES_MOST 2000        /* and their nodes */

td_backend *td__capture_device(const td_capture *c) {
  td_backend *be = c->n ? c->note[0].call.be : NULL;
  for (int i = 1; i < c->n; i++)
    if (c->note[i].call.be != be) return NULL;
  return be && be->graph_make ? be : NULL;
}

/* ---- which calls wait for which ---- */

typedef struct range {         /* bytes that a call touches, until others take them over */
  const char *from, *to;
  int call;
  bool written;
} range;

typedef struct needs {         /* call i needs edge[first[i]] ... edge[first[i + 1] - 1] */
  int *edge, *first;
  int edges, edges_room;
  range *now;
  int ranges, ranges_room;
} needs;

static bool room_for(void **v, int *room, int n, size_t size) {
  if (n < *room) return true;
  int more = *room ? 2 * *room : 1024;
  void *p = realloc(*v, (size_t)more * size);
  if (!p) return false;
  *v = p;
  *room = more;
  return true;
}

static range range_of(const td_note *n, int i, int call) {
  const td_tensor *t = &n->t[i];
  int64_t size = (int64_t)td_dtype_size(t->dtype);
  range r = { t->data, t->data + size, call, i >= n->call.nin || td__writes(&n->call, i) };
  for (int d = 0; d < t->ndim; d++) {
    int64_t way = (t->shape[d] - 1) * t->stride[d] * size;
    if (t->shape[d] == 0) r.to = r.from;
    if (way > 0) r.to += way;
    else r.from += way;
  }
  return r;
}

/* Adds what range r of a call needs.  What a write covers has no say any more: who meets it
** meets the write. */
static bool add_needs(needs *q, range r) {
  int kept = 0, first = q->first[r.call];
  for (int k = 0; k < q->ranges; k++) {
    const range *a = &q->now[k];
    bool meets = a->from < r.to && r.from < a->to && (a->written || r.written);
    if (meets && a->call != r.call) {
      bool known = false;
      for (int e = first; !known && e < q->edges; e++) known = q->edge[e] == a->call;
      if (!known) {
        if (!room_for((void **)&q->edge, &q->edges_room, q->edges, sizeof *q->edge)) return false;
        q->edge[q->edges++] = a->call;
      }
    }
    if (!(meets && r.written && r.from <= a->from && a->to <= r.to)) q->now[kept++] = *a;
  }
  q->ranges = kept;
  if (!room_for((void **)&q->now, &q->ranges_room, kept, sizeof *q->now)) return false;
  q->now[q->ranges++] = r;
  return true;
}

static bool find_needs(const td_capture *c, needs *q) {
  bool ok = (q->first = malloc(sizeof *q->first * ((size_t)c->n + 1))) != NULL;
  for (int i = 0; ok && i < c->n; i++) {
    const td_note *n = &c->note[i];
    q->first[i] = q->edges;
    for (int a = 0; ok && a < n->call.nin + n->nout; a++) {
      if (n->place[a].slot < 0) continue;
      range r = range_of(n, a, i);
      if (r.from < r.to) ok = add_needs(q, r);
    }
  }
  if (ok) q->first[c->n] = q->edges;
  return ok;
}

/* ---- lanes ---- */

typedef struct at {            /* a call in the trial run */
  double way;                  /* from its start to the end of the step */
  double end;
  int lane, left;              /* left: calls it still needs */
  int seen[TD_LANES];          /* calls of each lane that are over when it is */
  int place;                   /* in the list */
} at;

typedef struct trial {
  const td_capture *c;
  const needs *q;
  at *v;
  double free[TD_LANES];       /* from when on a lane is free */
  int last[TD_LANES];          /* its last call, or -1 */
  td_graph_call *list;
} trial;

static double length_of(const td_capture *c, int i) { return LAUNCH + c->note[i].cost; }

static double start_of(const trial *t, int i, int lane) {
  double start = t->free[lane];
  for (int e = t->q->first[i]; e < t->q->first[i + 1]; e++) {
    const at *p = &t->v[t->q->edge[e]];
    double ready = p->end + (p->lane == lane ? 0 : CROSSING);
    if (ready > start) start = ready;
  }
  return start;
}

/* The call that can start first, and where. */
static int next_call(const trial *t, int *lane, double *start) {
  int best = -1;
  for (int i = 0; i < t->c->n; i++) {
    if (t->v[i].place >= 0 || t->v[i].left) continue;
    for (int l = 0; l < TD_LANES; l++) {
      double s = start_of(t, i, l);
      if (best >= 0 && (s > *start || (s == *start && t->v[i].way <= t->v[best].way))) continue;
      best = i;
      *lane = l;
      *start = s;
    }
  }
  return best;
}

/* What call i waits for on other lanes: of each the last it needs, unless that is over when
** something else is that it comes after. */
static void set_waits(trial *t, int i, td_graph_call *g) {
  at *me = &t->v[i];
  int want[TD_LANES], n = 0;
  memset(me->seen, 0, sizeof me->seen);
  if (t->last[me->lane] >= 0) memcpy(me->seen, t->v[t->last[me->lane]].seen, sizeof me->seen);
  for (int l = 0; l < TD_LANES; l++) {
    want[l] = -1;
    for (int e = t->q->first[i]; e < t->q->first[i + 1]; e++) {
      int p = t->q->edge[e];
      if (l != me->lane && t->v[p].lane == l && t->v[p].seen[l] > me->seen[l] &&
          (want[l] < 0 || t->v[p].seen[l] > t->v[want[l]].seen[l])) want[l] = p;
    }
  }
  for (int l = 0; l < TD_LANES; l++)
    for (int k = 0; k < TD_LANES && want[l] >= 0; k++)
      if (k != l && want[k] >= 0 && t->v[want[k]].seen[l] >= t->v[want[l]].seen[l]) want[l] = -1;
  for (int l = 0; l < TD_LANES; l++) {
    if (want[l] < 0) continue;
    const at *p = &t->v[want[l]];
    t->list[p->place].awaited = true;
    g->wait[n++] = p->place;
    for (int k = 0; k < TD_LANES; k++)
      if (p->seen[k] > me->seen[k]) me->seen[k] = p->seen[k];
  }
  g->waits = n;
}

static void place_call(trial *t, int i, int lane, double start, int place) {
  td_note *n = &t->c->note[i];
  at *me = &t->v[i];
  td_graph_call *g = &t->list[place];
  *g = (td_graph_call){ .call = &n->call, .run = n->run, .out = n->arg + n->call.nin, .lane = lane };
  me->lane = lane;
  me->place = place;
  me->end = start + length_of(t->c, i);
  set_waits(t, i, g);
  me->seen[lane] = (t->last[lane] < 0 ? 0 : t->v[t->last[lane]].seen[lane]) + 1;
  t->free[lane] = me->end;
  t->last[lane] = i;
  for (int k = i + 1; k < t->c->n; k++)
    for (int e = t->q->first[k]; e < t->q->first[k + 1]; e++)
      if (t->q->edge[e] == i) t->v[k].left--;
}

static void try_out(trial *t) {
  const needs *q = t->q;
  for (int i = 0; i < t->c->n; i++)
    t->v[i] = (at){ .left = q->first[i + 1] - q->first[i], .place = -1 };
  for (int l = 0; l < TD_LANES; l++) t->last[l] = -1;
  for (int i = t->c->n - 1; i >= 0; i--) {
    t->v[i].way += length_of(t->c, i);
    for (int e = q->first[i]; e < q->first[i + 1]; e++)
      if (t->v[q->edge[e]].way < t->v[i].way) t->v[q->edge[e]].way = t->v[i].way;
  }
  for (int place = 0; place < t->c->n; place++) {
    int lane = 0;
    double start = 0;
    int i = next_call(t, &lane, &start);
    place_call(t, i, lane, start, place);
  }
}

/* The calls with their lanes; NULL: out of memory. */
td_graph_call *td__capture_lanes(const td_capture *c) {
  needs q = { 0 };
  trial t = { .c = c, .q = &q, .v = malloc(sizeof *t.v * ((size_t)c->n + 1)),
              .list = malloc(sizeof *t.list * ((size_t)c->n + 1)) };
  bool ok = t.v && t.list && find_needs(c, &q);
  if (ok) try_out(&t);
  free(q.edge);
  free(q.first);
  free(q.now);
  free(t.v);
  if (ok) return t.list;
  free(t.list);
  return td_fail_null(TD_ENOMEM, "capture: out of memory for a graph");
}

/* ---- making graphs ---- */

/* A step that cannot be a graph is replayed call by call. */
td_status td__capture_graph(td_capture *c) {
  td_graph_plan plan = { .n = c->n, .steps = 1 };
  if (!c->device) return TD_OK;
  if (!(c->list = td__capture_lanes(c))) return td_error_code();
  for (int i = 0; i < c->n; i++) c->note[i].call.rng = (td_rng){ .offset = (uint64_t)c->note[i].drawn };
  plan.call = c->list;
  if (c->device->graph_make(c->device, &plan, &c->graph, &c->nodes)) {
    snprintf(c->why, sizeof c->why, "%s", td_error());
    c->graph = NULL;
  }
  td_error_clear();                    /* also of what was tried before it went well */
  return TD_OK;
}

void td__capture_graph_free(td_capture *c) {
  if (c->graph) c->device->graph_free(c->device, c->graph);
  if (c->run.graph) c->device->graph_free(c->device, c->run.graph);
  c->graph = c->run.graph = NULL;
  free(c->list);
  free(c->run.turn);
  free(c->run.words);
}

/* Once launched, a step ends by itself: an interrupt comes before or after it. */
td_status td__capture_launch(td_capture *c) {
  if (td_interrupt_flag) return td_fail(TD_EINTR, "interrupted");
  td_graph_turn turn = { 0 };
  if (c->draws) turn.from = td__rng_take(c->draws);
  return c->device->graph_launch(c->device, c->graph, &turn);
}

/* ---- several steps in one launch ---- */

static td_status turns_room(td_capture *c, int steps, int words) {
  td_graph_turn *turn = realloc(c->run.turn, sizeof *turn * (size_t)steps);
  if (turn) c->run.turn = turn;
  td_word *w = realloc(c->run.words, sizeof *w * (size_t)(steps * words + 1));
  if (w) c->run.words = w;
  return turn && w ? TD_OK : td_fail(TD_ENOMEM, "capture: out of memory for a run");
}

/* A graph of so many steps in place of a shorter one.  One that cannot be is not tried again. */
static td_status make_run(td_capture *c, int steps, td_list numbers, td_list results) {
  td_graph_plan plan = { .call = c->list, .n = c->n, .steps = steps, .turns = true,
    .number = numbers.v, .numbers = numbers.n, .result = results.v, .results = results.n };
  int nodes = 0;
  if (c->run.graph) c->device->graph_free(c->device, c->run.graph);
  c->run.graph = NULL;
  c->run.steps = steps;
  c->run.numbers = numbers.n;
  c->run.results = results.n;
  td_status st = turns_room(c, steps, numbers.n + results.n);
  for (int i = 0; i < c->n; i++) c->note[i].call.rng = (td_rng){ .offset = (uint64_t)c->note[i].drawn };
  if (!st && c->device->graph_make(c->device, &plan, &c->run.graph, &nodes)) c->run.graph = NULL;
  if (!st) td_error_clear();
  return st;
}

int td_capture_run(td_capture *c, int64_t steps, td_list numbers, td_list results) {
  int most = c->graph && !td__tracing ? NODES_MOST / (c->nodes + 1) : 0;
  if (most > RUN_MOST) most = RUN_MOST;
  if (steps < most) most = (int)steps;
  c->run.turns = 0;
  if (most < 2) return 0;
  if (most > c->run.steps && make_run(c, most, numbers, results)) return -1;
  return c->run.graph && steps >= c->run.steps ? c->run.steps : 0;
}

/* The words of a turn: its numbers, then addresses for its results. */
static td_graph_turn *next_turn(td_capture *c) {
  td_word *w = c->run.words + c->run.turns * (c->run.numbers + c->run.results);
  td_graph_turn *t = &c->run.turn[c->run.turns++];
  *t = (td_graph_turn){ .value = &w->value, .into = &w[c->run.numbers].at };
  if (c->draws) t->from = td__rng_take(c->draws);
  return t;
}

static td_status launch_run(td_capture *c) {
  return c->device->graph_launch(c->device, c->run.graph, c->run.turn);
}

td_status td_capture_turn(td_capture *c, const double *value, td_list stacks, int64_t row) {
  if (td_interrupt_flag) return td_fail(TD_EINTR, "interrupted");
  td_graph_turn *t = next_turn(c);
  memcpy((double *)t->value, value, sizeof *value * (size_t)c->run.numbers);
  for (int r = 0; r < c->run.results; r++) {
    const td_tensor *s = stacks.v[r];
    t->into[r] = s->data + row * (td__numel(s) / s->shape[0]) * (int64_t)td_dtype_size(s->dtype);
  }
  if (c->run.turns < c->run.steps) return TD_OK;
  c->run.turns = 0;
  return td__capture_around(c, launch_run);
}
