/* emulation.cpp -- runs kernels on the host, and what of the CUDA runtime goes with it.
**
** Device memory is one range of addresses that is closed to the host except while a
** kernel or a copy runs, so a host that follows a device pointer crashes.  A block's
** threads are fibers; one runs until it waits or ends, then the next.  TIDE_FIBERS is
** `reverse`, or a number that shuffles the order anew at every turn. */
#include "emulation.h"
#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <numeric>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

emu_thread *emu_now;

static void die(const char *what) {
  fprintf(stderr, "emulated GPU: %s\n", what);
  abort();
}

/* ---- device memory ---- */

static size_t megabytes() {                  /* TIDE_EMULATE_MEMORY */
  const char *set = getenv("TIDE_EMULATE_MEMORY");
  return set ? strtoul(set, NULL, 10) : 1024;
}
static const size_t ARENA = megabytes() << 20, GUARD = 256;
static char *arena;
static std::map<char *, size_t> blocks;      /* by address: bytes asked for */
static int open_count;

void emu_open() {
  if (open_count++ == 0) mprotect(arena, ARENA, PROT_READ | PROT_WRITE);
}
void emu_close() {
  if (--open_count == 0) mprotect(arena, ARENA, PROT_NONE);
}

/* Are these n bytes within one block? */
bool emu_ours(const void *p, size_t n) {
  auto b = blocks.upper_bound((char *)p);
  if (b == blocks.begin()) return false;
  --b;
  return (char *)p >= b->first && (char *)p + n <= b->first + b->second;
}

static size_t room_for(size_t n) { return (n + 2 * GUARD - 1) / GUARD * GUARD; }

static void fill_guard(char *p, size_t n) {
  memset(p + n, 0xa5, room_for(n) - n);
}
static void check_guard(const char *p, size_t n) {
  for (size_t i = n; i < room_for(n); i++)
    if ((unsigned char)p[i] != 0xa5) die("a kernel wrote past the end of its memory");
}

/* ---- work: in the order in which it was asked for, when somebody waits ---- */

typedef std::function<void()> work;
static std::vector<work> &waiting = *new std::vector<work>();        /* never destroyed */
static cudaError_t lost;                     /* a kernel failed: nothing works any more */
static long launches, asked, done;          /* kernels; pieces of work */

/* The first of what waits. */
static void run_waiting(size_t most) {
  size_t n = std::min(most, waiting.size());
  if (!n) return;
  auto begin = waiting.begin(), end = begin + (long)n;
  std::vector<work> now(std::make_move_iterator(begin), std::make_move_iterator(end));
  waiting.erase(begin, end);
  emu_open();                                /* once for all of it: that takes long */
  for (auto &w : now) {
    if (!lost) w();
    done++;
  }
  emu_close();
}
static void flush() { run_waiting(SIZE_MAX); }

/* The host waits until so many pieces of work are done; TIDE_EMULATE_WAITS=1 says so. */
static void wait_until(long n) {
  static const char *say = getenv("TIDE_EMULATE_WAITS");
  if (done >= n) return;
  if (say) fprintf(stderr, "emulated GPU: the host waits\n");
  flush();
}

/* TIDE_EMULATE_FAULT=n: kernel n touches memory that is not there. */
static void run_kernel(const work &body) {
  static const char *at = getenv("TIDE_EMULATE_FAULT");
  if (at && ++launches == atol(at)) lost = cudaErrorIllegalAddress;
  else body();
}

/* ---- streams, and what captures allow ---- */

struct node { work run; std::vector<size_t> after; };
struct emu_graph { std::vector<node> nodes; };
struct capture { emu_graph *graph; cudaStream_t origin; bool invalid; };
struct emu_stream { capture *in; std::vector<size_t> tip; };        /* tip: what comes next waits for these */
struct emu_event {
  capture *in;
  std::vector<size_t> tip;
  long due;                    /* pieces of work that come before it */
  double at;                   /* seconds, when it was reached */
};

static std::vector<cudaStream_t> streams;
static capture *active;                      /* the host has one thread */

/* Refuses what cannot be part of a graph, and spoils the one that is being captured. */
static cudaError_t forbidden() {
  if (active) active->invalid = true;
  return active ? cudaErrorStreamCaptureUnsupported : lost;
}

cudaError_t emu_enqueue(cudaStream_t s, const work &w) {
  if (lost) return lost;
  if (!s && active) {
    active->invalid = true;
    return cudaErrorStreamCaptureImplicit;
  }
  if (s && s->in) {
    s->in->graph->nodes.push_back({ w, s->tip });
    s->tip = { s->in->graph->nodes.size() - 1 };
    return cudaSuccess;
  }
  waiting.push_back(w);
  asked++;
  if (waiting.size() > 5000) flush();
  return lost;
}
cudaError_t emu_forbidden() { return forbidden(); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned) {
  streams.push_back(*s = new emu_stream());
  return lost;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  if (forbidden()) return forbidden();
  wait_until(asked);
  return lost;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned) { *e = new emu_event(); return lost; }
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  if (done < e->due) flush();
  delete e;
  return lost;
}
static double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  e->in = s->in;
  e->tip = s->tip;
  if (s->in) return lost;
  e->due = asked + 1;
  return emu_enqueue(s, [=] { e->at = now_seconds(); });
}
/* Each question lets some work pass, as time would. */
cudaError_t cudaEventQuery(cudaEvent_t e) {
  if (forbidden()) return forbidden();
  if (done < e->due) run_waiting(4);
  return lost ? lost : done < e->due ? cudaErrorNotReady : cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b) {
  if (done < a->due || done < b->due) return cudaErrorNotReady;
  *ms = (float)(1e3 * (b->at - a->at));
  return lost;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  if (s->in && e->in != s->in) {
    s->in->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  s->in = e->in;
  for (size_t k : e->tip)
    if (std::find(s->tip.begin(), s->tip.end(), k) == s->tip.end()) s->tip.push_back(k);
  return lost;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  if (forbidden()) return forbidden();
  wait_until(e->due);
  return lost;
}

/* ---- memory ---- */

static cudaError_t take(void **p, size_t n) {
  if (!arena) {
    arena = (char *)mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) die("no address space");
  }
  char *at = arena;
  for (auto &b : blocks) {                    /* first fit */
    if ((size_t)(b.first - at) >= room_for(n)) break;
    at = b.first + room_for(b.second);
  }
  if (room_for(n) > ARENA || at + room_for(n) > arena + ARENA) return cudaErrorMemoryAllocation;
  blocks[at] = n;
  emu_open();
  size_t end = std::min(n, (size_t)1 << 20);   /* of a large one both ends: pages that nobody */
  memset(at, 0xff, end);                      /* touches cost nothing when the arena closes */
  memset(at + n - end, 0xff, end);            /* (NaN in every float) */
  fill_guard(at, n);
  emu_close();
  *p = at;
  return lost;
}

static void give_back(void *p) {
  auto b = blocks.find((char *)p);
  if (b == blocks.end()) die("memory is freed that is not there");
  emu_open();
  check_guard(b->first, b->second);
  emu_close();
  blocks.erase(b);
}

cudaError_t cudaMalloc(void **p, size_t n) {
  if (forbidden()) return forbidden();
  if (take(p, n) == cudaSuccess) return lost;
  flush();                                    /* memory may become free */
  return take(p, n);
}
cudaError_t cudaFree(void *p) {
  if (forbidden()) return forbidden();
  flush();
  if (p) give_back(p);
  return lost;
}
cudaError_t cudaMallocAsync(void **p, size_t n, cudaStream_t) { return cudaMalloc(p, n); }
cudaError_t cudaFreeAsync(void *p, cudaStream_t s) {
  if (forbidden()) return forbidden();
  return emu_enqueue(s, [=] { give_back(p); });
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int) { *pool = NULL; return lost; }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *) { return lost; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return lost; }

static std::map<const char *, size_t> pinned;

cudaError_t cudaMallocHost(void **p, size_t n) {
  if (forbidden()) return forbidden();
  *p = malloc(n);
  pinned[(char *)*p] = n;
  return lost;
}
cudaError_t cudaFreeHost(void *p) {
  if (forbidden()) return forbidden();
  flush();
  pinned.erase((char *)p);
  free(p);
  return lost;
}
static bool is_pinned(const void *p) {
  auto b = pinned.upper_bound((const char *)p);
  return b != pinned.begin() && (--b, (const char *)p < b->first + b->second);
}

/* Through pinned memory a copy is made when its turn comes: who changes or reads that memory
** before will see it.  With other memory of the host it is made at once. */
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t n, cudaMemcpyKind kind, cudaStream_t s) {
  bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  bool from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (n && (to != emu_ours(dst, n) || from != emu_ours(src, n))) return cudaErrorInvalidValue;
  bool pageable = (!to && !is_pinned(dst)) || (!from && !is_pinned(src));
  if (pageable && forbidden()) return forbidden();
  cudaError_t e = emu_enqueue(s, [=] {
    emu_open();
    memmove(dst, src, n);
    emu_close();
  });
  if (pageable) wait_until(asked);
  return e ? e : lost;
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s) {
  if (n && !emu_ours(p, n)) return cudaErrorInvalidValue;
  return emu_enqueue(s, [=] {
    emu_open();
    memset(p, value, n);
    emu_close();
  });
}

/* ---- graphs ---- */

static uint64_t turns(const char **how) {
  static const char *set = getenv("TIDE_FIBERS");
  *how = set;
  return set ? strtoull(set, NULL, 10) : 0;
}
/* A number below n. */
static size_t shuffled(uint64_t *seed, size_t n) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return (size_t)((*seed >> 33) % n);
}

/* Any order that the edges allow: the first that is ready, the last (TIDE_FIBERS=reverse),
** or any. */
static void run_graph(const emu_graph *g) {
  static const char *how;
  static uint64_t seed = turns(&how);
  size_t n = g->nodes.size();
  std::vector<size_t> left(n), ready;
  std::vector<std::vector<size_t>> then(n);
  for (size_t i = 0; i < n; i++) {
    left[i] = g->nodes[i].after.size();
    for (size_t k : g->nodes[i].after) then[k].push_back(i);
    if (!left[i]) ready.push_back(i);
  }
  while (!ready.empty()) {
    std::sort(ready.begin(), ready.end());
    size_t at = seed ? shuffled(&seed, ready.size()) :
      how && !strcmp(how, "reverse") ? ready.size() - 1 : 0, i = ready[at];
    ready.erase(ready.begin() + (long)at);
    if (!lost) g->nodes[i].run();
    for (size_t k : then[i]) if (--left[k] == 0) ready.push_back(k);
  }
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  if (active) return cudaErrorInvalidValue;
  s->in = active = new capture{ new emu_graph(), s, false };
  s->tip.clear();
  return lost;
}

/* Does all that other streams were given come before the end of this one? */
static bool joined(cudaStream_t s) {
  std::vector<bool> before(active->graph->nodes.size());
  std::vector<size_t> list = s->tip;
  while (!list.empty()) {
    size_t k = list.back();
    list.pop_back();
    if (before[k]) continue;
    before[k] = true;
    for (size_t i : active->graph->nodes[k].after) list.push_back(i);
  }
  return std::find(before.begin(), before.end(), false) == before.end();
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph) {
  if (!active || active->origin != s) return cudaErrorInvalidValue;
  cudaError_t e = active->invalid ? cudaErrorStreamCaptureInvalidated :
    joined(s) ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
  *graph = e ? NULL : active->graph;
  if (e) delete active->graph;
  for (auto t : streams) if (t->in == active) t->in = NULL, t->tip.clear();
  delete active;
  active = NULL;
  return e ? e : lost;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  *exec = new emu_graph(*graph);
  return lost;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *, size_t *n) {
  *n = graph->nodes.size();
  return lost;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  if (forbidden()) return forbidden();
  return emu_enqueue(s, [=] { run_graph(exec); });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { delete graph; return lost; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { flush(); delete exec; return lost; }

/* ---- what there is ---- */

const char *cudaGetErrorString(cudaError_t e) {
  switch (e) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureUnjoined: return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation: return "dependency created on uncaptured work in another stream";
    case cudaErrorStreamCaptureImplicit: return "operation would make the legacy stream depend on a capturing one";
    default: return "an error";
  }
}
cudaError_t cudaGetLastError() { return lost; }
cudaError_t cudaGetDeviceCount(int *n) { *n = 1; return cudaSuccess; }
cudaError_t cudaSetDevice(int id) { return id == 0 ? cudaSuccess : cudaErrorInvalidValue; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int) {
  *p = cudaDeviceProp();
  snprintf(p->name, sizeof p->name, "emulated GPU");
  p->major = 9, p->multiProcessorCount = 4, p->totalGlobalMem = ARENA;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total) {
  *total = *free_bytes = ARENA;
  for (auto &b : blocks) *free_bytes -= room_for(b.second);
  return cudaSuccess;
}

/* ---- fibers ---- */

enum state { READY, AT_BARRIER, AT_WARP, DONE };
struct fiber {
  emu_thread at;
  enum state state;
  unsigned mask;               /* of the warp it waits for */
  uint64_t bits;               /* what it offers in an exchange */
  size_t shared;               /* of the block's shared memory handed out so far */
};

/* Of a block, without asking for more. */
static const size_t STACK = 128 << 10, SHARED_MOST = 48 << 10;
/* Where a fiber goes on.  Stacks live on from block to block, and only their first entry
** goes through ucontext: after that a switch costs no system call. */
struct place { jmp_buf at; char *stack; };

static std::vector<fiber> fibers;
static std::vector<place *> &places = *new std::vector<place *>();     /* never destroyed */
static std::vector<char> shared_memory;
static size_t dynamic_shared, shared_used = SHARED_MOST;
static fiber *self;
static jmp_buf scheduler;
static const std::function<void()> *kernel;

static place *home_of(const fiber *f) { return places[(size_t)(f - fibers.data())]; }

static void wait_in(enum state s) {
  self->state = s;
  if (!_setjmp(home_of(self)->at)) _longjmp(scheduler, 1);
}

/* What runs on a stack: it reports that it is there, then runs one thread after the other. */
static place *new_place;
static ucontext_t caller, entry;

static void live() {
  place *mine = new_place;
  if (!_setjmp(mine->at)) swapcontext(&entry, &caller);
  for (;;) {
    (*kernel)();
    self->state = DONE;
    if (!_setjmp(mine->at)) _longjmp(scheduler, 1);
  }
}

static place *place_make() {
  new_place = new place();
  new_place->stack = (char *)malloc(STACK);
  getcontext(&entry);
  entry.uc_stack.ss_sp = new_place->stack;
  entry.uc_stack.ss_size = STACK;
  entry.uc_link = NULL;
  makecontext(&entry, live, 0);
  swapcontext(&caller, &entry);
  return new_place;
}

void *emu_shared(size_t bytes) {
  size_t at = (self->shared + 127) / 128 * 128;
  self->shared = at + bytes;
  if (self->shared > shared_used) shared_used = self->shared;
  if (self->shared > SHARED_MOST) die("more shared memory than a block may have");
  return shared_memory.data() + at;
}
void *emu_shared_dynamic() { return shared_memory.data(); }
void emu_barrier() { wait_in(AT_BARRIER); }
void emu_warp_barrier(unsigned mask) {
  self->mask = mask;
  wait_in(AT_WARP);
}

static int lane_of(const fiber *f) { return (int)((f - fibers.data()) % 32); }
static fiber *warp_of(fiber *f) { return f - lane_of(f); }

uint64_t emu_exchange(unsigned mask, uint64_t bits, int from) {
  if (!(mask >> lane_of(self) & 1)) die("a lane shuffles without being in the mask");
  self->bits = bits;
  emu_warp_barrier(mask);
  fiber *f = warp_of(self) + (from & 31);
  uint64_t got = f < fibers.data() + fibers.size() && mask >> (from & 31) & 1 ? f->bits : 0xffffffffffffffffu;
  emu_warp_barrier(mask);      /* nobody offers anew before all have read */
  return got;
}
unsigned emu_ballot(unsigned mask, bool value) {
  unsigned all = 0;
  self->bits = value;
  emu_warp_barrier(mask);
  for (int l = 0; l < 32; l++)
    if (mask >> l & 1) all |= (unsigned)(warp_of(self)[l].bits & 1) << l;
  emu_warp_barrier(mask);
  return all;
}

/* Lets the lanes of a mask go once all of them wait. */
static bool release_warp(fiber *warp, fiber *end) {
  bool any = false;
  for (fiber *f = warp; f < end; f++) {
    if (f->state != AT_WARP) continue;
    unsigned mask = f->mask;
    bool all = true;
    for (int l = 0; l < 32 && warp + l < end; l++)
      if (mask >> l & 1) all = all && warp[l].state == AT_WARP && warp[l].mask == mask;
    if (!all) continue;
    for (int l = 0; l < 32 && warp + l < end; l++)
      if (mask >> l & 1) warp[l].state = READY;
    any = true;
  }
  return any;
}

static bool release() {
  bool any = false;
  size_t waiting = 0, done = 0, n = fibers.size();
  for (size_t w = 0; w < n; w += 32)
    any |= release_warp(&fibers[w], fibers.data() + std::min(n, w + 32));
  if (any) return true;
  for (auto &f : fibers) waiting += f.state == AT_BARRIER, done += f.state == DONE;
  if (done == n) return false;
  if (waiting + done < n) die("lanes of a warp wait for each other for ever");
  if (done) die("some threads of a block ended while others wait at a barrier");
  for (auto &f : fibers) f.state = READY;
  return true;
}

static std::vector<size_t> turn(size_t n) {
  static const char *how;
  static uint64_t seed = turns(&how);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (how && !strcmp(how, "reverse")) std::reverse(order.begin(), order.end());
  for (size_t i = n; seed && i > 1; i--) std::swap(order[i - 1], order[shuffled(&seed, i)]);
  return order;
}

/* Apart, since what a function holds in registers is lost in the jump. */
static __attribute__((noinline)) void resume(size_t i) {
  if (!_setjmp(scheduler)) _longjmp(places[i]->at, 1);
}

static void run_block(dim3 grid, dim3 block, uint3 at) {
  size_t n = (size_t)block.x * block.y * block.z;
  fibers.assign(n, fiber());
  while (places.size() < n) places.push_back(place_make());
  shared_memory.resize(SHARED_MOST + 128);
  memset(shared_memory.data(), 0xff, shared_used);       /* NaN, as far as it was used */
  shared_used = dynamic_shared;
  for (size_t i = 0; i < n; i++) {
    uint3 t = { (unsigned)(i % block.x), (unsigned)(i / block.x % block.y),
                (unsigned)(i / block.x / block.y) };
    fibers[i].at = { t, at, block, grid };
    fibers[i].shared = (dynamic_shared + 127) / 128 * 128;
  }
  do {
    for (size_t i : turn(n)) {
      if (fibers[i].state != READY) continue;
      self = &fibers[i];
      emu_now = &self->at;
      resume(i);
    }
  } while (release());
  self = NULL;
  emu_now = NULL;
}

cudaError_t emu_launch(const std::function<void()> &body, dim3 grid, dim3 block, size_t shared,
                       cudaStream_t s) {
  size_t threads = (size_t)block.x * block.y * block.z;
  if (!grid.x || !grid.y || !grid.z || !threads || threads > 1024 || block.z > 64 ||
      shared > SHARED_MOST || grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
    return cudaErrorInvalidConfiguration;
  return emu_enqueue(s, [=] {
    run_kernel([&] {
      emu_open();
      kernel = &body;
      dynamic_shared = shared;
      for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
          for (unsigned x = 0; x < grid.x; x++) run_block(grid, block, uint3{ x, y, z });
      emu_close();
    });
  });
}
