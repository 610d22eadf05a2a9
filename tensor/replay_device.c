/* replay_device.c -- a captured step as one launch, on a device that has graphs. */
#include "capture.h"
#include <stdio.h>
#include <stdlib.h>

/* The device that all calls run on; NULL: several, or one without graphs. */
static td_backend *only_device(const td_capture *c) {
  td_backend *be = c->n ? c->note[0].call.be : NULL;
  for (int i = 1; i < c->n; i++)
    if (c->note[i].call.be != be) return NULL;
  return be && be->graph_make ? be : NULL;
}

static void list_calls(td_capture *c, td_graph_call *list) {
  for (int k = 0; k < c->nstage; k++)
    for (int j = 0; j < c->stage[k].count; j++) {
      int i = c->stage[k].first + j;
      td_note *n = &c->note[c->order[i]];
      n->call.rng = (td_rng){ .offset = (uint64_t)n->drawn };
      list[i] = (td_graph_call){ &n->call, n->run, n->arg + n->call.nin, k, n->cost };
    }
}

/* A step that cannot be a graph is replayed call by call. */
td_status td__capture_graph(td_capture *c) {
  td_backend *be = only_device(c);
  if (!be) return TD_OK;
  td_graph_call *list = malloc(sizeof *list * (size_t)c->n);
  if (!list) return td_fail(TD_ENOMEM, "capture: out of memory for a graph");
  list_calls(c, list);
  if (be->graph_make(be, list, c->n, &c->graph, &c->nodes)) {
    snprintf(c->why, sizeof c->why, "%s", td_error());
    td_error_clear();
    c->graph = NULL;
  } else {
    c->device = be;
    td_error_clear();                  /* of what was tried before it went well */
  }
  free(list);
  return TD_OK;
}

void td__capture_graph_free(td_capture *c) {
  if (c->graph) c->device->graph_free(c->device, c->graph);
  c->graph = NULL;
}

/* Once launched, a step ends by itself: an interrupt comes before or after it. */
td_status td__capture_launch(td_capture *c) {
  if (td_interrupt_flag) return td_fail(TD_EINTR, "interrupted");
  td_rng from = { 0 };
  if (c->draws) from = td__rng_take(c->draws);
  return c->device->graph_launch(c->device, c->graph, from);
}
