/* capture.c -- recording the kernel calls of a step. */
#include "capture.h"
#include "trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

td_capture *td__recording, *td__watching;

bool td_capturing(void) { return td__recording != NULL; }

/* ---- what was recorded ---- */

static void fail(td_capture *c, td_status code) {
  if (c->status) return;               /* the first failure counts */
  c->status = code;
  snprintf(c->why, sizeof c->why, "%s", td_error());
}

static bool grow(void **v, int *room, int n, size_t size) {
  if (n < *room) return true;
  int more = *room ? *room * 2 : 256;
  void *p = realloc(*v, (size_t)more * size);
  if (!p) return false;
  *v = p;
  *room = more;
  return true;
}

/* The slot of a buffer; -1 when it has none yet.  b->slot may be left over from
** another capture, so the slot must agree. */
static int slot_of(const td_capture *c, const td_buffer *b) {
  return b->slot > 0 && b->slot <= c->nslot && c->slot[b->slot - 1].buf == b &&
    !c->slot[b->slot - 1].dead ? b->slot - 1 : -1;
}

static int new_slot(td_capture *c, td_buffer *b, bool inside) {
  if (!grow((void **)&c->slot, &c->slots_room, c->nslot, sizeof *c->slot)) {
    fail(c, td_fail(TD_ENOMEM, "capture: out of memory for the list of buffers"));
    return -1;
  }
  c->slot[c->nslot] = (td_slot){ .buf = b, .be = b->be, .bytes = b->bytes,
                                 .first = -1, .last = -1, .inside = inside };
  b->slot = ++c->nslot;
  return b->slot - 1;
}

static void keep(td_slot *s) {
  if (s->kept) return;
  s->kept = true;
  s->buf->refs++;
}

void td__capture_born(td_buffer *b) { new_slot(td__recording, b, true); }

void td__capture_gone(td_buffer *b) {
  int k = slot_of(td__watching, b);
  if (k >= 0) td__watching->slot[k].dead = true;
}

bool td__capture_outside(const td_buffer *b) {
  int k = slot_of(td__recording, b);
  return k < 0 || !td__recording->slot[k].inside;
}

bool td__capture_constant(const td_buffer *b) {
  int k = slot_of(td__recording, b);
  return k >= 0 && td__recording->slot[k].inside && !td__recording->slot[k].written;
}

void td_capture_constant(td_tensor *t) {
  if (t && t->buf && td__recording) new_slot(td__recording, t->buf, true);
}

/* Does the op read nothing of its first tensor but the shape? */
static bool only_shape(const td_op *op) {
  return op->rule->flags & TD_RANDOM || op == &td_ops[TD_OP_fill] ||
    op == &td_ops[TD_OP_ramp] || op == &td_ops[TD_OP_copy];
}

static void read_slot(td_capture *c, const td_note *n, int i) {
  td_slot *s = &c->slot[n->place[i].slot];
  const td_op *op = n->call.op;
  bool in_place = n->nout && n->place[n->call.nin].slot == n->place[0].slot;
  bool unread = i == 0 && only_shape(op) && (in_place || op == &td_ops[TD_OP_ramp]);
  if (s->inside && !s->written && !unread) {
    s->constant = true;                /* filled by the host: it must stay */
    keep(s);
  }
}

static void write_slot(td_capture *c, td_note *n, int i) {
  td_slot *s = &c->slot[n->place[i].slot];
  if (s->constant)
    fail(c, td_fail(TD_ENOSUP, "capture: %s changes a tensor in place that the "
      "step fills with numbers from Lua, so a replay would not start from them; "
      "make it before the step, or change a clone()", n->call.op->name));
  s->written = true;
  n->outside |= !s->inside;
}

/* A layout without owners: data is set again when the plan is made. */
static void layout(td_tensor *to, const td_tensor *t) {
  *to = *t;
  to->node = NULL;
  to->grad = NULL;
  to->requires_grad = false;
  if (t->number) to->data = to->num.b;
}

static bool note_room(td_note *n, int count) {
  n->t = calloc((size_t)count + 1, sizeof *n->t);
  n->arg = malloc(((size_t)count + 1) * sizeof *n->arg);
  n->place = malloc(((size_t)count + 1) * sizeof *n->place);
  n->cut = calloc((size_t)count + 1, 1);
  return n->t && n->arg && n->place && n->cut;
}

static void note_free(td_note *n) {
  free(n->t);
  free(n->arg);
  free(n->place);
  free(n->cut);
}

static void note_tensors(td_capture *c, td_note *n, td_tensor *const *in,
                         td_tensor *const *out) {
  int nin = n->call.nin;
  for (int i = 0; i < nin + n->nout; i++) {
    const td_tensor *t = i < nin ? in[i] : out[i - nin];
    n->arg[i] = t ? &n->t[i] : NULL;
    n->place[i] = (td_place){ -1, 0 };
    if (!t) continue;
    layout(&n->t[i], t);
    if (!t->buf) continue;
    int k = slot_of(c, t->buf);
    if (k < 0 && (k = new_slot(c, t->buf, false)) < 0) return;
    if (!c->slot[k].inside) keep(&c->slot[k]);
    c->slot[k].first = 0;              /* it is used; stages are not known yet */
    n->place[i] = (td_place){ k, (size_t)(t->data - (char *)t->buf->mem) };
  }
  n->call.in = n->arg;
}

void td__capture_note(const td_call *call, td_kernel run, td_tensor **out) {
  td_capture *c = td__recording;
  if (c->status) return;
  if (!grow((void **)&c->note, &c->room, c->n, sizeof *c->note)) {
    fail(c, td_fail(TD_ENOMEM, "capture: out of memory for the list of calls"));
    return;
  }
  td_note *n = &c->note[c->n];
  *n = (td_note){ .call = *call, .run = run, .line = td__trace_here() };
  n->nout = call->op->cls[0] == 'U' ? 0 : call->op->nout;
  if (!note_room(n, call->nin + n->nout)) {
    note_free(n);
    fail(c, td_fail(TD_ENOMEM, "capture: out of memory for a call"));
    return;
  }
  note_tensors(c, n, call->in, out);
  c->n++;
  if (c->status) return;
  for (int i = 0; i < call->nin; i++)
    if (n->place[i].slot >= 0) read_slot(c, n, i);
  for (int i = 0; i < call->nin; i++)
    if (n->place[i].slot >= 0 && td__writes(call, i)) write_slot(c, n, i);
  for (int k = call->nin; k < call->nin + n->nout; k++)
    if (n->place[k].slot >= 0) write_slot(c, n, k);
  if (!(call->op->rule->flags & TD_RANDOM)) return;
  n->draws = td__draws_of(call->op, out);
  n->drawn = c->draws;
  c->draws += n->draws;
  if (td_rng_current() != c->stream)
    fail(c, td_fail(TD_ENOSUP, "capture: %s draws from a generator of its own; "
      "a captured step draws from the current stream", call->op->name));
}

td_status td__capture_no_read(const char *what) {
  if (!td__recording) return TD_OK;
  td_status st = td_fail(TD_ENOSUP, "%s: a step that is being captured cannot "
    "read values on the host (item, totable, print, nonzero ...): a replay would "
    "not see them; return the tensor and read it after the step", what);
  fail(td__recording, st);
  if (!td__recording->lenient) return st;
  td_error_clear();
  return TD_OK;
}

/* ---- from the outside ---- */

td_capture *td_capture_begin(bool lenient) {
  if (td__watching)
    return td_fail_null(TD_ENOSUP, "capture: a step is being captured already");
  td_capture *c = calloc(1, sizeof *c);
  if (!c) return td_fail_null(TD_ENOMEM, "capture: out of memory");
  c->stream = td_rng_current();
  c->lenient = lenient;
  return td__recording = td__watching = c;
}

bool td_capture_aside(bool on) {
  bool was = td__watching && !td__recording;
  if (td__watching && !td__watching->ready) td__recording = on ? NULL : td__watching;
  return was;
}

void td_capture_stop(td_capture *c) {
  if (td__recording == c) td__recording = NULL;
}

/* A tensor from before that only we still hold was let go by the step itself. */
td_status td__capture_owners(const td_capture *c) {
  for (int i = 0; i < c->nslot; i++)
    if (!c->slot[i].inside && c->slot[i].buf->refs == 1)
      return td_fail(TD_ENOSUP, "capture: a tensor of %zu bytes that the step "
        "reads or changes is no longer held by anything: the step (or code after "
        "it) put another in its place, which a replay cannot follow; change it "
        "in place (x:copy_(y), x:add_(y)) and capture again", c->slot[i].bytes);
  return TD_OK;
}

td_status td_capture_finish(td_capture *c) {
  if (!c) return td_error_code();
  td_capture_stop(c);
  if (td__watching == c) td__watching = NULL;
  if (c->status) return td_fail(c->status, "%s", c->why);
  for (int i = 0; i < c->nslot; i++)
    if (c->slot[i].first >= 0 && !c->slot[i].dead) keep(&c->slot[i]);
  td_status st = td__capture_owners(c);
  c->device = td__capture_device(c);
  if (!st) st = td__capture_schedule(c);
  if (!st) st = td__capture_plan(c);
  if (!st) st = td__capture_graph(c);
  c->ready = !st;
  return st;
}

void td_capture_free(td_capture *c) {
  if (!c) return;
  td_capture_stop(c);
  if (td__watching == c) td__watching = NULL;
  td__capture_graph_free(c);
  for (int i = 0; i < c->n; i++) note_free(&c->note[i]);
  for (int i = 0; i < c->nslot; i++)
    if (c->slot[i].kept) td__buffer_drop(c->slot[i].buf);
  for (int i = 0; i < c->narena; i++) td__buffer_drop(c->arena[i]);
  td__capture_workers_free(c);
  free(c->note);
  free(c->slot);
  free(c->stage);
  free(c->order);
  free(c);
}

td_capture_info td_capture_stats(const td_capture *c) {
  td_capture_info s = { .calls = c->n, .stages = c->nstage, .nodes = c->nodes,
                        .why = c->why, .arena = c->arena_bytes };
  for (int i = 0; c->graph && i < c->n; i++) s.waits += c->list[i].waits;
  for (int i = 0; i < c->nslot; i++) {
    const td_slot *b = &c->slot[i];
    if (b->first < 0 || !b->inside) continue;
    if (b->kept) s.kept += b->bytes;
    else s.planned += b->bytes;
  }
  for (int k = 0; k < c->nstage; k++)
    if (c->stage[k].scratch > s.scratch) s.scratch = c->stage[k].scratch;
  return s;
}

double td_capture_seconds(const td_capture *c) {
  return c->graph ? c->device->graph_seconds(c->device, c->graph) : 0;
}

const char *td_capture_call(const td_capture *c, int i, char *buf, size_t size) {
  if (i < 0 || i >= c->n) return NULL;
  const td_note *n = &c->note[c->order ? c->order[i] : i];
  int nin = n->call.nin, all = nin + n->nout;
  int stage = 0;
  while (stage + 1 < c->nstage && c->stage[stage + 1].first <= i) stage++;
  size_t at = (size_t)snprintf(buf, size, "%d%s %s", stage + 1,
    c->stage && c->stage[stage].rows ? " by rows:" : ":", n->call.op->name);
  for (int k = 0; k < all && at < size; k++) {
    char text[160] = "none";
    if (n->arg[k]) td_spec_text(n->arg[k], text, sizeof text);
    at += (size_t)snprintf(buf + at, size - at, "%s%s",
                           k == nin ? " -> " : k ? ", " : " ", text);
  }
  return buf;
}
