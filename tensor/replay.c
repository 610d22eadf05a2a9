/* replay.c -- runs the stages of a captured step. */
#include "blas.h"
#include "capture.h"
#include "map.h"
#include "pool.h"
#include "trace.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BALANCE 1.1            /* a call may take so much more than a fair share */
#define COST_LEAST 65536       /* bytes: less is not worth waking threads for */

/* ---- workers ---- */

static void task_free(td_task *q) {
  free(q->note.t);
  free(q->note.arg);
  free(q->part);
}

void td__capture_workers_free(td_capture *c) {
  for (int w = 0; w < c->nworker; w++) {
    for (int k = 0; c->worker[w].task && k < c->n; k++) task_free(&c->worker[w].task[k]);
    free(c->worker[w].task);
    td__system_free(c->worker[w].scratch);
  }
  free(c->worker);
  c->worker = NULL;
  c->nworker = 0;
}

/* Tensor i of the note, which goes by rows in a stage of so many. */
static td_part part_of(const td_capture *c, const td_worker *w, td_task *q, int i,
                       int64_t rows) {
  td_tensor *t = &q->note.t[i];
  const td_place *place = &q->note.place[i];
  const td_slot *b = &c->slot[place->slot];
  int64_t each = t->shape[0] / rows;
  if (b->local) return (td_part){ t, w->scratch + b->at + place->at, each, 0 };
  return (td_part){ t, t->data, each,
                    each * t->stride[0] * (int64_t)td_dtype_size(t->dtype) };
}

static bool task_make(const td_capture *c, const td_worker *w, td_task *q,
                      const td_note *n, int64_t rows) {
  size_t all = (size_t)(n->call.nin + n->nout);
  td_note *own = &q->note;
  *own = *n;
  own->t = malloc(sizeof *own->t * (all + 1));
  own->arg = malloc(sizeof *own->arg * (all + 1));
  q->part = malloc(sizeof *q->part * (all + 1));
  if (!own->t || !own->arg || !q->part) return false;
  for (int i = 0; i < (int)all; i++) {
    own->t[i] = n->t[i];
    if (own->t[i].number) own->t[i].data = own->t[i].num.b;
    own->arg[i] = n->arg[i] ? &own->t[i] : NULL;
    if (n->cut[i] && n->arg[i]) q->part[q->parts++] = part_of(c, w, q, i, rows);
  }
  own->call.in = own->arg;
  return true;
}

static bool worker_make(const td_capture *c, td_worker *w) {
  size_t scratch = 1;
  for (int k = 0; k < c->nstage; k++)
    if (c->stage[k].scratch > scratch) scratch = c->stage[k].scratch;
  w->task = calloc((size_t)c->n + 1, sizeof *w->task);
  w->scratch = td__system_alloc(scratch);
  if (!w->task || !w->scratch) return false;
  for (int k = 0; k < c->nstage; k++) {
    const td_stage *s = &c->stage[k];
    for (int j = s->first; s->rows && j < s->first + s->count; j++)
      if (!task_make(c, w, &w->task[j], &c->note[c->order[j]], s->rows)) return false;
  }
  return true;
}

td_status td__capture_workers(td_capture *c, int n) {
  if (n <= c->nworker) return TD_OK;
  td_worker *w = realloc(c->worker, sizeof *w * (size_t)n);
  if (!w) return td_fail(TD_ENOMEM, "capture: out of memory for %d threads", n);
  c->worker = w;
  while (c->nworker < n) {
    c->worker[c->nworker] = (td_worker){ 0 };
    if (!worker_make(c, &c->worker[c->nworker++]))
      return td_fail(TD_ENOMEM, "capture: out of memory for %d threads", n);
  }
  return TD_OK;
}

/* ---- stages ---- */

typedef struct share { _Alignas(64) atomic_int taken; } share;

typedef struct job {
  td_capture *c;
  const td_stage *s;
  int first, count;            /* tiles or notes */
  int workers;
  share share[TD_THREADS_MAX];
  atomic_int status;
  char why[256];               /* of the first failure */
} job;

/* The next tile or note for worker `me`, or -1.  Every replay deals them out in the
** same way, so that what a worker reads is in its cache or near it; who has
** finished takes from others. */
static int take(job *j, int me) {
  for (int k = 0; k < j->workers && !j->status; k++) {
    int of = (me + k) % j->workers;
    int i = atomic_fetch_add_explicit(&j->share[of].taken, 1, memory_order_relaxed);
    if (i * j->workers + of < j->count) return j->first + i * j->workers + of;
  }
  return -1;
}

static void job_failed(job *j, td_status st) {
  int none = TD_OK;
  if (atomic_compare_exchange_strong(&j->status, &none, (int)st))
    snprintf(j->why, sizeof j->why, "%s", td_error());
}

static td_status run_call(td_note *n) {
  td_tensor **out = n->arg + n->call.nin;
  return td__tracing ? td__trace_note(&n->call, out, n->line, n->run) :
    n->run(&n->call, out);
}

/* While ops are watched one thread does all of it, and so it is where a stage has calls of
** another device, whose stream and scratch belong to one thread. */
static int threads_now(const td_capture *c, const td_stage *s) {
  for (int k = s->first; k < s->first + s->count; k++)
    if (c->note[c->order[k]].call.be != td_cpu()) return 1;
  return td__tracing ? 1 : td_threads();
}

static void run_tile(job *j, td_worker *w, int64_t tile) {
  const td_stage *s = j->s;
  int64_t begin = tile * s->tile;
  int64_t rows = s->rows - begin < s->tile ? s->rows - begin : s->tile;
  for (int k = s->first; k < s->first + s->count; k++) {
    td_task *q = &w->task[k];
    for (td_part *p = q->part; p < q->part + q->parts; p++) {
      p->t->shape[0] = rows * p->each;
      p->t->data = p->at + begin * p->pitch;
    }
    td_status st = run_call(&q->note);
    if (!st) continue;
    job_failed(j, st);
    return;
  }
}

static void tile_worker(void *ctx, int64_t me) {
  job *j = ctx;
  td__in_tile = j->count > 1;
  for (int t; (t = take(j, (int)me)) >= 0; ) run_tile(j, &j->c->worker[me], t);
  td__in_tile = false;
}

static td_status run_job(job *j, void (*worker)(void *, int64_t)) {
  if (j->workers == 1) worker(j, 0);
  else td_parallel(j->workers, worker, j);
  return j->status ? td_fail((td_status)j->status, "%s", j->why) : TD_OK;
}

static td_status run_tiles(td_capture *c, const td_stage *s) {
  job j = { .c = c, .s = s, .count = (int)((s->rows + s->tile - 1) / s->tile) };
  j.workers = s->cost < COST_LEAST ? 1 : threads_now(c, s);
  if (j.workers > j.count) j.workers = j.count;
  td_status st = td__capture_workers(c, j.workers);
  return st ? st : run_job(&j, tile_worker);
}

static td_status run_note(td_capture *c, int k) {
  return run_call(&c->note[c->order[k]]);
}

static void note_worker(void *ctx, int64_t me) {
  job *j = ctx;
  for (int k; (k = take(j, (int)me)) >= 0; ) {
    td_status st = run_note(j->c, k);
    if (st) job_failed(j, st);
  }
}

/* Notes go to one worker each, the dear ones first; those that would keep one
** worker busy after all others are done run alone, cut up by themselves. */
static td_status run_notes(td_capture *c, const td_stage *s) {
  int threads = threads_now(c, s), k = s->first, end = s->first + s->count;
  double cost = s->cost;
  td_status st = TD_OK;
  while (!st && k < end) {
    double one = c->note[c->order[k]].cost;
    if (end - k > 1 && threads > 1 && cost > COST_LEAST &&
        one * threads <= BALANCE * cost) break;
    st = run_note(c, k++);
    cost -= one;
  }
  if (st || k == end) return st;
  job j = { .c = c, .s = s, .first = k, .count = end - k,
            .workers = threads < end - k ? threads : end - k };
  return run_job(&j, note_worker);
}

/* ---- a replay ---- */

/* Graphs outside must notice that what they saved has changed. */
static void mark_outside(const td_capture *c) {
  for (int i = 0; i < c->nslot; i++) {
    const td_slot *s = &c->slot[i];
    if (!s->kept || !s->written) continue;
    td_tensor t = { .buf = s->buf };
    td__mark_changed(&t, "a captured step");
  }
}

static void take_draws(td_capture *c) {
  if (!c->draws) return;
  td_rng piece = td__rng_take(c->draws);
  for (int i = 0; i < c->n; i++) {
    td_note *n = &c->note[i];
    if (!n->draws) continue;
    n->call.rng = piece;
    n->call.rng.offset += (uint64_t)n->drawn;
  }
}

/* From the first change of something outside the step goes on to its end, so
** that an interrupt never leaves half of an update behind. */
static td_status run_stages(td_capture *c) {
  td_status st = TD_OK;
  bool held = false;
  for (int k = 0; !st && k < c->nstage; k++) {
    const td_stage *s = &c->stage[k];
    bool begun = held;
    if (s->outside && !held) td__interrupt_hold(held = true);
    if (td_interrupt_flag && !begun) st = td_fail(TD_EINTR, "interrupted");
    else st = s->rows ? run_tiles(c, s) : run_notes(c, s);
  }
  if (held) td__interrupt_hold(false);
  return st;
}

td_status td__capture_around(td_capture *c, td_status (*run)(td_capture *c)) {
  if (!c || !c->ready)
    return td_fail(TD_EARG, "capture: there is no recorded step to replay");
  if (td__recording)
    return td_fail(TD_ENOSUP, "capture: a captured step cannot be replayed "
                   "inside a step that is being captured");
  td_status st = td__capture_owners(c);
  if (st) return st;
  bool grad = td_grad_enable(false);
  st = run(c);
  for (int i = 0; !st && td__maps && i < c->n; i++)
    st = td__map_check_all(c->note[i].arg, c->note[i].call.nin);
  td_grad_enable(grad);
  mark_outside(c);
  return st;
}

static td_status replay(td_capture *c) {
  if (c->graph && !td__tracing) return td__capture_launch(c);
  take_draws(c);
  return run_stages(c);
}

td_status td_capture_replay(td_capture *c) { return td__capture_around(c, replay); }
