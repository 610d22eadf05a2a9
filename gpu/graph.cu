/* graph.cu -- the calls of a captured step as one CUDA graph: recorded once, launched whole.
**
** Each call goes onto the lane that the plan says, behind the calls it waits for.  What calls
** of different lanes cannot share each has of its own: stream, workspace of products and
** scratch, which stays where it is as long as the graph.
**
** A graph of several steps has a kernel between them, a turn: it keeps the results of the step
** that is over and sets what the next one looks up, by a table that comes with the launch. */
#include "gpu/gpu.h"
#include <string.h>
#include <vector>

struct gpu_turns {
  enum { NUMBERS = 48, RESULTS = 16 };
  int numbers, results, row;   /* row: bytes of the table for a step */
  char *number[NUMBERS];
  bool wide[NUMBERS];          /* f64 */
  const char *result[RESULTS];
  int64_t bytes[RESULTS], most;
};

struct td_graph {
  cudaGraphExec_t exec;
  td_rng *from;                /* on the device, written before each step */
  char *table;                 /* likewise; for each step: where the random stream stands,
                               ** numbers, addresses for the results */
  gpu_turns turns;
  int steps;
  bool has_turns, timed;
  cudaEvent_t between[2];      /* around the last launch, when it is timed */
  void *scratch[TD_LANES];
  size_t size[TD_LANES], need[TD_LANES];
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
  for (int k = 0; !st && k < TD_LANES; k++) {
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

static void go_to(gpu *g, int lane) {
  (gpu_lane &)*g = g->branch[lane];
  g->making->lane = lane;
}

/* Marks that are waited for, while a graph is made. */
struct gpu_marks {
  std::vector<cudaEvent_t> made;
  ~gpu_marks() { for (cudaEvent_t e : made) cudaEventDestroy(e); }
};
/* A mark behind the work of a lane so far. */
static td_status mark(gpu *g, gpu_marks *marks, int lane, cudaEvent_t *e) {
  td_status st = gpu_check(cudaEventCreateWithFlags(e, cudaEventDisableTiming), "graph");
  if (st) return st;
  marks->made.push_back(*e);
  return gpu_check(cudaEventRecord(*e, g->branch[lane].stream), "graph");
}
static td_status wait_for(gpu *g, int lane, cudaEvent_t e) {
  return gpu_check(cudaStreamWaitEvent(g->branch[lane].stream, e, 0), "graph");
}

/* ---- turns ---- */

/* `ended` and `begins`: rows of the table, or null. */
static __global__ void turn(gpu_turns t, const char *ended, const char *begins, td_rng *from) {
  if (ended) {
    char *const *into = (char *const *)(ended + sizeof(td_rng)) + t.numbers;
    for (int r = 0; r < t.results; r++) {
      if (t.bytes[r] % 4 == 0)
        GPU_EACH(i, t.bytes[r] / 4) ((uint32_t *)into[r])[i] = ((const uint32_t *)t.result[r])[i];
      else
        GPU_EACH(i, t.bytes[r]) into[r][i] = t.result[r][i];
    }
  }
  if (!begins || blockIdx.x) return;
  if (threadIdx.x == 0) *from = *(const td_rng *)begins;
  for (int k = (int)threadIdx.x; k < t.numbers; k += (int)blockDim.x) {
    double v = ((const double *)(begins + sizeof(td_rng)))[k];
    if (t.wide[k]) *(double *)t.number[k] = v;
    else *(float *)t.number[k] = (float)v;
  }
}

static td_status turns_of(const td_graph_plan *plan, gpu_turns *t) {
  if (plan->numbers > gpu_turns::NUMBERS || plan->results > gpu_turns::RESULTS)
    return gpu_fail(TD_ENOSUP, "several steps at once: at most %d numbers and %d results",
                    (int)gpu_turns::NUMBERS, (int)gpu_turns::RESULTS);
  t->numbers = plan->numbers;
  t->results = plan->results;
  static_assert(sizeof(double) == 8 && sizeof(char *) == 8, "a row of the table is of words");
  t->row = (int)sizeof(td_rng) + 8 * (t->numbers + t->results);
  for (int k = 0; k < t->numbers; k++) {
    t->number[k] = plan->number[k]->data;
    t->wide[k] = plan->number[k]->dtype == TD_F64;
  }
  for (int r = 0; r < t->results; r++) {
    t->result[r] = plan->result[r]->data;
    t->bytes[r] = td__numel(plan->result[r]) * gpu_size(plan->result[r]->dtype);
    if (t->bytes[r] > t->most) t->most = t->bytes[r];
  }
  return TD_OK;
}

static td_status take_turn(gpu *g, int ended) {
  td_graph *m = g->making;
  const gpu_turns *t = &m->turns;
  go_to(g, 0);
  return gpu_start(g, "captured step", turn, gpu_grid(ended < 0 || t->most < 4 ? 1 : t->most / 4),
                   dim3(GPU_BLOCK), 0, *t, ended < 0 ? NULL : m->table + ended * t->row,
                   ended + 1 == m->steps ? NULL : m->table + (ended + 1) * t->row, m->from);
}

/* ---- making ---- */

static td_status run_call(gpu *g, const td_graph_call *c, gpu_marks *marks, cudaEvent_t start,
                          std::vector<cudaEvent_t> &over, bool *used, int i) {
  td_status st = TD_OK;
  if (!used[c->lane] && c->lane) st = wait_for(g, c->lane, start);
  used[c->lane] = true;
  for (int k = 0; !st && k < c->waits; k++) st = wait_for(g, c->lane, over[(size_t)c->wait[k]]);
  if (st) return st;
  go_to(g, c->lane);
  st = c->run(c->call, c->out);
  return st || !c->awaited ? st : mark(g, marks, c->lane, &over[(size_t)i]);
}

static td_status run_step(gpu *g, const td_graph_plan *plan, gpu_marks *marks) {
  std::vector<cudaEvent_t> over((size_t)plan->n);
  bool used[TD_LANES] = {};
  cudaEvent_t start, end;
  td_status st = mark(g, marks, 0, &start);
  for (int i = 0; !st && i < plan->n; i++)
    st = run_call(g, &plan->call[i], marks, start, over, used, i);
  for (int k = 1; !st && k < TD_LANES; k++) {
    if (!used[k]) continue;
    st = mark(g, marks, k, &end);
    if (!st) st = wait_for(g, 0, end);
  }
  return st;
}

static td_status run_steps(gpu *g, const td_graph_plan *plan, gpu_marks *marks) {
  td_status st = plan->turns ? take_turn(g, -1) : TD_OK;
  for (int i = 0; !st && i < plan->steps; i++) {
    st = run_step(g, plan, marks);
    if (!st && plan->turns) st = take_turn(g, i);
  }
  return st;
}

/* One pass over the calls while their launches are recorded instead of run. */
static td_status record(gpu *g, const td_graph_plan *plan, cudaGraph_t *graph) {
  cudaStream_t s = g->branch[0].stream;
  gpu_marks marks;
  gpu_lane own = *g;
  td_status st = gpu_check(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal), "graph");
  if (st) return st;
  st = run_steps(g, plan, &marks);
  (gpu_lane &)*g = own;
  cudaError_t e = cudaStreamEndCapture(s, graph);
  if (!st) st = gpu_check(e, "graph");
  else if (e != cudaSuccess) cudaGetLastError();
  return st;
}

static td_status make_room(td_graph *m, bool *changed) {
  td_status st = TD_OK;
  *changed = false;
  for (int k = 0; !st && k < TD_LANES; k++) {
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
static td_status make(gpu *g, const td_graph_plan *plan, td_graph *m, int *nodes) {
  cudaGraph_t graph = NULL;
  bool again = true;
  td_status st = lanes_ready(g);
  if (!st) st = gpu_check(cudaMalloc((void **)&m->from, sizeof *m->from), "graph");
  if (!st && plan->turns) st = turns_of(plan, &m->turns);
  if (!st && plan->turns)
    st = gpu_check(cudaMalloc((void **)&m->table, (size_t)(m->turns.row * plan->steps)), "graph");
  while (!st && again) {
    if (graph) cudaGraphDestroy(graph);
    graph = NULL;
    g->making = m;
    st = record(g, plan, &graph);
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

td_status gpu_graph_make(td_backend *b, const td_graph_plan *plan, td_graph **graph, int *nodes) {
  gpu *g = (gpu *)b->self;
  if (gpu_waits())
    return gpu_fail(TD_ENOSUP, "with TIDE_SYNC=1 each call is waited for");
  td_graph *m = new td_graph();
  m->steps = plan->steps;
  m->has_turns = plan->turns;
  td_status st = make(g, plan, m, nodes);
  if (st) gpu_graph_free(b, m);
  else *graph = m;
  return st;
}

void gpu_graph_free(td_backend *b, td_graph *m) {
  gpu *g = (gpu *)b->self;
  if (!m || gpu_enter(g)) return;
  cudaStreamSynchronize(g->stream);          /* it may be running */
  if (m->exec) cudaGraphExecDestroy(m->exec);
  for (int k = 0; k < 2; k++) if (m->between[k]) cudaEventDestroy(m->between[k]);
  cudaFree(m->from);
  cudaFree(m->table);
  for (int k = 0; k < TD_LANES; k++) cudaFree(m->scratch[k]);
  delete m;
}

/* ---- launching ---- */

static __global__ void set_position(td_rng *to, td_rng from) { *to = from; }

/* The table goes through pinned memory, behind the launch before, which reads it. */
static td_status tell(gpu *g, td_graph *m, const td_graph_turn *turn) {
  if (!m->has_turns)
    return gpu_start(g, "captured step", set_position, dim3(1), dim3(1), 0, m->from, turn->from);
  const gpu_turns *t = &m->turns;
  std::vector<char> table((size_t)(m->steps * t->row));
  for (int i = 0; i < m->steps; i++) {
    char *row = table.data() + i * t->row, *words = row + sizeof(td_rng);
    memcpy(row, &turn[i].from, sizeof(td_rng));
    if (t->numbers) memcpy(words, turn[i].value, 8 * (size_t)t->numbers);
    if (t->results) memcpy(words + 8 * t->numbers, turn[i].into, 8 * (size_t)t->results);
  }
  return gpu_copy_in(&g->be, m->table, table.data(), table.size());
}

td_status gpu_graph_launch(td_backend *b, td_graph *m, const td_graph_turn *turn) {
  gpu *g = (gpu *)b->self;
  td_status st = tell(g, m, turn);
  if (!st && m->timed) st = gpu_check(cudaEventRecord(m->between[0], g->stream), "captured step");
  if (!st) st = gpu_check(cudaGraphLaunch(m->exec, g->stream), "captured step");
  if (!st && m->timed) st = gpu_check(cudaEventRecord(m->between[1], g->stream), "captured step");
  return st;
}

/* Launches are timed from the first time on that somebody asks. */
double gpu_graph_seconds(td_backend *b, td_graph *m) {
  gpu *g = (gpu *)b->self;
  double seconds = 0;
  td_status st = gpu_enter(g);
  if (!st && m->timed) return gpu_elapsed(m->between, &seconds) ? 0 : seconds;
  for (int k = 0; !st && k < 2; k++)
    st = gpu_check(cudaEventCreateWithFlags(&m->between[k], 0), "captured step");
  if (!st) st = gpu_check(cudaEventRecord(m->between[0], g->stream), "captured step");
  if (!st) st = gpu_check(cudaEventRecord(m->between[1], g->stream), "captured step");
  m->timed = !st;
  return 0;
}
