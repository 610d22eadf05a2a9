/* test_lanes.c -- on which branch of a graph the calls of a step go, and for what they wait. */
#include "tests/test.h"
#include "nn/nn.h"
#include "tensor/capture.h"

enum { CALLS = 60, ARGS = 3, BYTES = 1024 };

static char memory[BYTES];
static td_tensor tensors[CALLS][ARGS], *args[CALLS][ARGS];
static td_place places[CALLS][ARGS];
static td_note notes[CALLS];
static bool before[CALLS][CALLS];      /* before[i][k]: call k is over when call i begins */

/* Call i: a product of two pieces of memory goes to a third; pieces have gaps. */
static void put(int i, int arg, int at, int n, int stride) {
  tensors[i][arg] = (td_tensor){ .dtype = TD_U8, .ndim = 1, .data = memory + at,
                                 .shape = { n }, .stride = { stride } };
}
static td_capture step_of(int n) {
  for (int i = 0; i < n; i++) {
    for (int a = 0; a < ARGS; a++) args[i][a] = &tensors[i][a];
    notes[i] = (td_note){ .call = { .op = td_op_find("mul"), .nin = 2, .in = args[i] }, .t = tensors[i],
                          .arg = args[i], .place = places[i], .nout = 1, .cost = 1000.0 * (i % 7) };
  }
  return (td_capture){ .note = notes, .n = n };
}

static int random_below(int n) {
  static unsigned seed = 1;
  seed = seed * 1664525u + 1013904223u;
  return (int)((seed >> 8) % (unsigned)n);
}

static bool touch(int i, int a, int k, int b) {
  const td_tensor *x = &tensors[i][a], *y = &tensors[k][b];
  return x->data <= y->data + (y->shape[0] - 1) * y->stride[0] &&
         y->data <= x->data + (x->shape[0] - 1) * x->stride[0];
}
/* Do two calls depend on their order? */
static bool meet(int i, int k) {
  bool met = false;
  for (int a = 0; a < ARGS; a++) met = met || touch(i, 2, k, a) || touch(i, a, k, 2);
  return met;
}
static int call_of(const td_graph_call *g) {
  int i = 0;
  while (&notes[i].call != g->call) i++;
  return i;
}

/* What the lanes and waits of a list say, but for one wait. */
static void follow(const td_graph_call *list, int n, int but_of, int but) {
  int last[TD_LANES];
  memset(before, 0, sizeof before);
  for (int l = 0; l < TD_LANES; l++) last[l] = -1;
  for (int p = 0; p < n; p++) {
    const td_graph_call *g = &list[p];
    int i = call_of(g);
    for (int w = -1; w < g->waits; w++) {
      int from = w < 0 ? last[g->lane] : call_of(&list[g->wait[w]]);
      if (from < 0 || (p == but_of && w == but)) continue;
      before[i][from] = true;
      for (int k = 0; k < n; k++) before[i][k] |= before[from][k];
    }
    last[g->lane] = i;
  }
}

/* Calls that meet in another order than they were recorded in, or in none. */
static int wrong(int n) {
  int count = 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < i; k++) count += meet(i, k) && !before[i][k];
  return count;
}

TEST(calls_that_meet_keep_their_order_and_no_wait_is_idle) {
  td_nn_init();
  for (int round = 0; round < 40; round++) {
    int n = 2 + random_below(CALLS - 2), room = 64 << random_below(4), waits = 0, idle = 0;
    for (int i = 0; i < n; i++)
      for (int a = 0; a < ARGS; a++) {
        int count = 1 + random_below(12), stride = 1 + random_below(3);
        put(i, a, random_below(room - count * stride), count, stride);
      }
    td_capture c = step_of(n);
    td_graph_call *list = td__capture_lanes(&c);
    REQUIRE(list != NULL);
    follow(list, n, -1, -1);
    CHECK_INT(wrong(n), 0);
    for (int p = 0; p < n; p++)
      for (int w = 0; w < list[p].waits; w++, waits++) {
        CHECK(list[p].wait[w] < p && list[list[p].wait[w]].awaited);
        follow(list, n, p, w);
        idle += !wrong(n);
      }
    CHECK_INT(idle, 0);
    CHECK(waits > 0 || n < 10);
    free(list);
  }
}

/* A way back: each call makes the next gradient; beside it one makes that of the weight. */
TEST(gradients_of_weights_run_beside_the_chain) {
  td_nn_init();
  enum { LAYERS = 12 };
  for (int k = 0; k < LAYERS; k++) {
    for (int a = 0; a < 2; a++) {
      put(2 * k + a, 0, 8 * k, 8, 1);
      put(2 * k + a, 1, 256 + 8 * k, 8, 1);
    }
    put(2 * k, 2, 400 + 8 * k, 8, 1);
    put(2 * k + 1, 2, 8 * k + 8, 8, 1);
  }
  td_capture c = step_of(2 * LAYERS);
  td_graph_call *list = td__capture_lanes(&c);
  REQUIRE(list != NULL);
  int chain = -1, waits = 0;
  for (int p = 0; p < 2 * LAYERS; p++) {
    int i = call_of(&list[p]);
    if (i % 2 == 0) {
      waits += list[p].waits;
      continue;
    }
    CHECK_INT(list[p].waits, 0);
    CHECK(chain < 0 || list[p].lane == chain);
    chain = list[p].lane;
  }
  CHECK(waits <= LAYERS);
  free(list);
}
