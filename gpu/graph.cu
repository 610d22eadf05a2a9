/* graph.cu -- the calls of a captured step as one CUDA graph: recorded once, launched whole.
**
** Calls of a stage do not need each other: they go onto two branches, the dearest first on
** the branch that has less to do, and the branches join at the stage's end.  What they
** cannot share is a lane of its own: stream, workspace of products and scratch, which stays where it
** is as long as the graph. */
#include "gpu/gpu.h"

enum { LANES = sizeof ((gpu *)0)->branch / sizeof(gpu_lane) };

struct td_graph {
  cudaGraphExec_t exec;
  td_rng *from;                /* on the device, written before each launch */
  void *scratch[LANES];
  size_t size[LANES], need[LANES];
  int lane;                    /* that calls go to while it is made */
};

/* ---- what ops see while a graph is made ---- */

const td_rng *gpu_graph_from(const gpu *g) { return g->making ? g->making->from : NULL; }

/* What is not there yet is noted, and the graph is made again. */
td_status gpu_graph_scratch(gpu *g, size_t bytes, void **p) {
  td_graph *m = g->making;
  if (bytes > m->need[m->lane]) m->need[m->lane] = bytes;
  *p = bytes <= m->size[m->lane] ? m->scratch[m->lane] : (void *)m->from;
  return TD_OK;
}

/* ---- lanes ---- */

static td_status lanes_ready(gpu *g) {
  td_status st = gpu_enter(g);
  for (int k = 0; !st && k < LANES; k++) {
    gpu_lane own = *g, *lane = &g->branch[k];
    if (!lane->stream)
      st = gpu_check(cudaStreamCreateWithFlags(&lane->stream, cudaStreamNonBlocking), g->name);
    (gpu_lane &)*g = *lane;
    if (!st) st = gpu_blas_ready(g);
    *lane = *g;
    (gpu_lane &)*g = own;
  }
  return st;
}

/* The work of `to` from here on comes after that of `from` up to here. */
static td_status after(gpu *g, int to, int from, cudaEvent_t mark) {
  td_status st = gpu_check(cudaEventRecord(mark, g->branch[from].stream), "graph");
  return st ? st : gpu_check(cudaStreamWaitEvent(g->branch[to].stream, mark, 0), "graph");
}

static td_status run_on(gpu *g, int lane, const td_graph_call *c) {
  (gpu_lane &)*g = g->branch[lane];
  g->making->lane = lane;
  return c->run(c->call, c->out);
}

static td_status run_stage(gpu *g, const td_graph_call *calls, int n, cudaEvent_t mark) {
  if (n == 1) return run_on(g, 0, calls);
  double load[LANES] = {};
  td_status st = TD_OK;
  for (int k = 1; !st && k < LANES; k++) st = after(g, k, 0, mark);
  for (int i = 0; !st && i < n; i++) {
    int least = 0;
    for (int k = 1; k < LANES; k++) if (load[k] < load[least]) least = k;
    load[least] += calls[i].cost;
    st = run_on(g, least, &calls[i]);
  }
  for (int k = 1; !st && k < LANES; k++) st = after(g, 0, k, mark);
  return st;
}

/* ---- making ---- */

static td_status run_stages(gpu *g, const td_graph_call *calls, int n, cudaEvent_t mark) {
  td_status st = TD_OK;
  for (int i = 0, end; !st && i < n; i = end) {
    for (end = i; end < n && calls[end].stage == calls[i].stage; ) end++;
    st = run_stage(g, calls + i, end - i, mark);
  }
  return st;
}

/* One pass over the calls while their launches are recorded instead of run. */
static td_status record(gpu *g, const td_graph_call *calls, int n, cudaGraph_t *graph) {
  cudaStream_t s = g->branch[0].stream;
  cudaEvent_t mark;
  gpu_lane own = *g;
  td_status st = gpu_check(cudaEventCreateWithFlags(&mark, cudaEventDisableTiming), "graph");
  if (st) return st;
  st = gpu_check(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal), "graph");
  if (!st) {
    st = run_stages(g, calls, n, mark);
    (gpu_lane &)*g = own;
    cudaError_t e = cudaStreamEndCapture(s, graph);
    if (!st) st = gpu_check(e, "graph");
    else if (e != cudaSuccess) cudaGetLastError();
  }
  cudaEventDestroy(mark);
  return st;
}

static td_status make_room(td_graph *m, bool *changed) {
  td_status st = TD_OK;
  *changed = false;
  for (int k = 0; !st && k < LANES; k++) {
    if (m->need[k] <= m->size[k]) continue;
    cudaFree(m->scratch[k]);
    m->scratch[k] = NULL;
    m->size[k] = 0;
    st = gpu_check(cudaMalloc(&m->scratch[k], m->need[k]), "scratch of a captured step");
    if (!st) m->size[k] = m->need[k];
    *changed = true;
  }
  return st;
}

/* Scratch is known only after a first pass, which may fail for want of it. */
static td_status make(gpu *g, const td_graph_call *calls, int n, td_graph *m, int *nodes) {
  cudaGraph_t graph = NULL;
  bool again = true;
  td_status st = lanes_ready(g);
  if (!st) st = gpu_check(cudaMalloc((void **)&m->from, sizeof *m->from), "graph");
  while (!st && again) {
    if (graph) cudaGraphDestroy(graph);
    graph = NULL;
    g->making = m;
    st = record(g, calls, n, &graph);
    g->making = NULL;
    td_status room = make_room(m, &again);
    if (room || again) st = room;
  }
  size_t count = 0;
  if (!st) st = gpu_check(cudaGraphGetNodes(graph, NULL, &count), "graph");
  if (!st) st = gpu_check(cudaGraphInstantiate(&m->exec, graph, 0), "graph");
  if (graph) cudaGraphDestroy(graph);
  *nodes = st ? 0 : (int)count;
  return st;
}

td_status gpu_graph_make(td_backend *b, const td_graph_call *calls, int n, td_graph **graph,
                         int *nodes) {
  gpu *g = (gpu *)b->self;
  if (gpu_waits())
    return gpu_fail(TD_ENOSUP, "with TIDE_SYNC=1 each call is waited for");
  td_graph *m = new td_graph();
  td_status st = make(g, calls, n, m, nodes);
  if (st) gpu_graph_free(b, m);
  else *graph = m;
  return st;
}

void gpu_graph_free(td_backend *b, td_graph *m) {
  gpu *g = (gpu *)b->self;
  if (!m || gpu_enter(g)) return;
  cudaStreamSynchronize(g->stream);          /* it may be running */
  if (m->exec) cudaGraphExecDestroy(m->exec);
  cudaFree(m->from);
  for (int k = 0; k < LANES; k++) cudaFree(m->scratch[k]);
  delete m;
}

/* ---- launching ---- */

static __global__ void set_position(td_rng *to, td_rng from) { *to = from; }

td_status gpu_graph_launch(td_backend *b, td_graph *m, td_rng from) {
  gpu *g = (gpu *)b->self;
  td_status st = gpu_start(g, "captured step", set_position, dim3(1), dim3(1), 0, m->from, from);
  return st ? st : gpu_check(cudaGraphLaunch(m->exec, g->stream), "captured step");
}
