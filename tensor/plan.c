/* plan.c -- where the short-lived buffers of a captured step lie: in an arena, or
** in the scratch of a worker when one stage of tiles is their whole life. */
#include "capture.h"
#include <stdlib.h>

#define ALIGN 64
/* On a device a place is used again only so many calls later: calls that might run beside
** each other would wait for each other otherwise. */
#define APART 24

/* ---- packing: things that live at different times share memory ---- */

typedef struct span {
  int first, last;             /* when it is needed */
  size_t bytes, at;
  td_slot *slot;
} span;

static int larger(const void *a, const void *b) {
  const span *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->first != y->first ? x->first - y->first : x->last - y->last;
}

/* The lowest place where s meets none of the k spans placed before it that are
** needed at the same time. */
static size_t lowest(const span *v, int k, const span *s) {
  size_t at = 0;
  for (bool moved = true; moved; ) {
    moved = false;
    for (int j = 0; j < k; j++) {
      size_t end = v[j].at + (v[j].bytes + ALIGN - 1) / ALIGN * ALIGN;
      if (v[j].first > s->last || v[j].last < s->first) continue;
      if (at >= end || v[j].at >= at + s->bytes) continue;
      at = end;
      moved = true;
    }
  }
  return at;
}

/* Big ones first: small ones fill the gaps.  Returns the bytes needed. */
static size_t pack(span *v, int n) {
  size_t total = 0;
  qsort(v, (size_t)n, sizeof *v, larger);
  for (int k = 0; k < n; k++) {
    v[k].at = lowest(v, k, &v[k]);
    v[k].slot->at = v[k].at;
    if (v[k].at + v[k].bytes > total) total = v[k].at + v[k].bytes;
  }
  return total;
}

/* ---- when buffers live ---- */

static bool ours(const td_slot *s) { return s->inside && !s->kept; }

static void find_lives(td_capture *c) {
  for (int i = 0; i < c->nslot; i++) c->slot[i].first = c->slot[i].last = -1;
  for (int k = 0; k < c->nstage; k++)
    for (int j = 0; j < c->stage[k].count; j++) {
      const td_note *n = &c->note[c->order[c->stage[k].first + j]];
      for (int a = 0; a < n->call.nin + n->nout; a++) {
        if (n->place[a].slot < 0) continue;
        td_slot *s = &c->slot[n->place[a].slot];
        if (s->first < 0) s->first = k;
        s->last = k;
      }
    }
}

/* A buffer that one stage of tiles makes and uses up.  It is written there, so
** the stage touches it by rows only. */
static void find_locals(td_capture *c, const td_stage *s) {
  for (int j = 0; j < s->count; j++) {
    const td_note *n = &c->note[c->order[s->first + j]];
    for (int a = 0; a < n->call.nin + n->nout; a++) {
      if (n->place[a].slot < 0) continue;
      td_slot *b = &c->slot[n->place[a].slot];
      b->local = ours(b) && b->first == b->last;
      b->pitch = td__row_pitch(n, a, s->rows);
    }
  }
}

/* ---- placing ---- */

static td_status place_arena(td_capture *c, td_backend *be, span *v) {
  int n = 0;
  for (int i = 0; i < c->nslot; i++) {
    td_slot *s = &c->slot[i];
    if (s->be == be && ours(s) && s->first >= 0 && !s->local)
      v[n++] = (span){ s->first, s->last + (c->device ? APART : 0), s->bytes, 0, s };
  }
  if (!n) return TD_OK;
  size_t total = pack(v, n);
  if (c->narena == (int)(sizeof c->arena / sizeof *c->arena))
    return td_fail(TD_ENOSUP, "capture: a step works on too many devices");
  td_buffer *arena = td__buffer(be, total);
  if (!arena) return td_error_code();
  c->arena[c->narena++] = arena;
  c->arena_bytes += total;
  for (int k = 0; k < n; k++) v[k].slot->buf = arena;
  return TD_OK;
}

/* Lives of local buffers are counted in notes of their stage. */
static void place_scratch(td_capture *c, td_stage *s, span *v) {
  int n = 0;
  for (int j = 0; j < s->count; j++) {
    const td_note *q = &c->note[c->order[s->first + j]];
    for (int a = 0; a < q->call.nin + q->nout; a++) {
      if (q->place[a].slot < 0) continue;
      td_slot *b = &c->slot[q->place[a].slot];
      if (!b->local) continue;
      int k = 0;
      while (k < n && v[k].slot != b) k++;
      if (k == n)
        v[n++] = (span){ j, j, (size_t)s->tile * b->pitch, 0, b };
      v[k].last = j;
    }
  }
  s->scratch = pack(v, n);
}

/* Tensors of the notes point at where their buffers are now; those in scratch
** are set for each tile. */
static void point(td_capture *c, const td_note *n) {
  for (int i = 0; i < n->call.nin + n->nout; i++) {
    if (n->place[i].slot < 0) continue;
    const td_slot *s = &c->slot[n->place[i].slot];
    if (!ours(s) || s->local) continue;
    n->t[i].data = (char *)s->buf->mem + s->at + n->place[i].at;
    n->t[i].buf = s->buf;
  }
}

td_status td__capture_plan(td_capture *c) {
  td_status st = TD_OK;
  span *v = malloc(sizeof *v * ((size_t)c->nslot + 1));
  if (!v) return td_fail(TD_ENOMEM, "capture: out of memory for the plan");
  find_lives(c);
  for (int k = 0; k < c->nstage; k++)
    if (c->stage[k].rows) find_locals(c, &c->stage[k]);
  for (int i = 0; !st && i < td_device_count(); i++)
    st = place_arena(c, td_device_at(i), v);
  for (int k = 0; !st && k < c->nstage; k++)
    if (c->stage[k].rows) place_scratch(c, &c->stage[k], v);
  free(v);
  for (int i = 0; !st && i < c->n; i++) point(c, &c->note[i]);
  return st;
}
