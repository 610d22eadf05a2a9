/* plan.c -- where the short-lived buffers of a captured step lie. */
#include "capture.h"
#include <stdlib.h>

#define ALIGN 64

/* Big buffers are placed first: small ones fill the gaps they leave. */
static const td_slot *sorting;
static int larger(const void *a, const void *b) {
  const td_slot *x = &sorting[*(const int *)a], *y = &sorting[*(const int *)b];
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return *(const int *)a - *(const int *)b;
}

static bool together(const td_slot *a, const td_slot *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* The lowest place where s overlaps none of the k slots placed before that are
** alive at the same time. */
static size_t lowest(const td_capture *c, const int *order, int k,
                     const td_slot *s) {
  size_t at = 0;
  for (int moved = 1; moved; ) {
    moved = 0;
    for (int j = 0; j < k; j++) {
      const td_slot *o = &c->slot[order[j]];
      size_t end = o->at + (o->bytes + ALIGN - 1) / ALIGN * ALIGN;
      if (!together(s, o) || at >= end || o->at >= at + s->bytes) continue;
      at = end;
      moved = 1;
    }
  }
  return at;
}

static bool wants_place(const td_slot *s, const td_backend *be) {
  return s->be == be && s->inside && !s->kept && s->first >= 0;
}

/* One arena for each device. */
static td_status place_on(td_capture *c, td_backend *be, int *order) {
  size_t total = 0;
  int n = 0;
  for (int i = 0; i < c->nslot; i++)
    if (wants_place(&c->slot[i], be)) order[n++] = i;
  if (!n) return TD_OK;
  sorting = c->slot;
  qsort(order, (size_t)n, sizeof *order, larger);
  for (int k = 0; k < n; k++) {
    td_slot *s = &c->slot[order[k]];
    s->at = lowest(c, order, k, s);
    if (s->at + s->bytes > total) total = s->at + s->bytes;
  }
  if (c->narena == (int)(sizeof c->arena / sizeof *c->arena))
    return td_fail(TD_ENOSUP, "capture: a step works on too many devices");
  td_buffer *arena = td__buffer(be, total);
  if (!arena) return td_error_code();
  c->arena[c->narena++] = arena;
  c->arena_bytes += total;
  for (int k = 0; k < n; k++) {
    td_slot *s = &c->slot[order[k]];
    s->buf = arena;
  }
  return TD_OK;
}

/* Tensors of the notes point at where their buffers are now. */
static void point(td_capture *c, const td_note *n) {
  for (int i = 0; i < n->call.nin + n->nout; i++) {
    if (n->place[i].slot < 0) continue;
    const td_slot *s = &c->slot[n->place[i].slot];
    td_tensor *t = &n->t[i];
    if (s->inside && !s->kept) {
      t->data = (char *)s->buf->mem + s->at + n->place[i].at;
      t->buf = s->buf;
    }
  }
}

td_status td__capture_plan(td_capture *c) {
  td_status st = TD_OK;
  int *order = malloc(sizeof *order * ((size_t)c->nslot + 1));
  if (!order) return td_fail(TD_ENOMEM, "capture: out of memory for the plan");
  for (int i = 0; !st && i < td_device_count(); i++)
    st = place_on(c, td_device_at(i), order);
  free(order);
  for (int i = 0; !st && i < c->n; i++) point(c, &c->note[i]);
  return st;
}
