/* lua_gc.c -- Lua's collector and the memory it cannot see.
**
** To Lua a tensor is a box of a few bytes.  So each function that makes tensors
** first sees to two things.  One: the collector goes once around while a certain
** number of tensor bytes, the pace, is handed out.  Going around costs in
** proportion to Lua's heap, memory that has not been used for long costs more
** than memory just freed; 16 times the heap is a good compromise.  (Counting
** tensor bytes as if they were Lua's would make the pace equal to the heap, and
** then collecting costs many times what the arithmetic does.)  Two: when twice
** as much is alive as after the last full collection, there is another one.
** That keeps the generational mode in bounds: its young collections never free
** a tensor that got old.  The rule holds for the number of tensors, too: boxes
** that wait for their finaliser count as used in the collector's estimate, and
** with the usual pause of 200 % small tensors would pile up without end. */
#include "lua_td.h"

#define STEP (256 << 10)              /* tensor bytes between steps */
#define PACE 16                       /* tensor bytes for each byte of heap */
#define PACE_LEAST ((int64_t)2 << 20)    /* bounds of the pace in bytes */
#define PACE_MOST ((int64_t)32 << 20)
#define FLOOR ((int64_t)64 << 20)     /* live bytes that are never too many */
#define FLOOR_DEVICE ((int64_t)256 << 20)   /* the same, beside the CPU */
#define FEW 8192                      /* tensors that are never too many, */
#define FEW_PER_KB 8                  /* and for each KB of Lua's heap */
#define DEVICES 16

lua_State *td__lua_current;
static const char current_key;        /* its address: anchors the coroutine */
static int64_t told;                  /* bytes the collector knows of */
static int64_t limit[DEVICES];        /* live bytes that ask for a collection */
static int64_t crowd = FEW;           /* live tensors that do */

static void full_collection(lua_State *L) {
  if (lua_gc(L, LUA_GCCOLLECT) < 0) return;     /* inside a finaliser */
  told = 0;
  for (int i = 0; i < td_device_count() && i < DEVICES; i++) {
    const td_backend *b = td_device_at(i);
    int64_t least = i ? FLOOR_DEVICE : FLOOR;
    limit[i] = 2 * b->memory.live > least ? 2 * b->memory.live : least;
    told += b->memory.total;
  }
  int64_t heap = lua_gc(L, LUA_GCCOUNT);
  crowd = 2 * td_live_tensors() > FEW ? 2 * td_live_tensors() : FEW;
  if (crowd < FEW_PER_KB * heap) crowd = FEW_PER_KB * heap;
}

/* A share of a cycle for what was handed out since the last step. */
static void step(lua_State *L, int64_t total, int64_t live) {
  int64_t heap = (int64_t)lua_gc(L, LUA_GCCOUNT) << 10, pace = PACE * heap;
  if (pace < PACE_LEAST) pace = PACE_LEAST;
  if (pace > PACE_MOST) pace = PACE_MOST;
  if (pace < live / 2) pace = live / 2;
  double share = (double)(total - told) / (double)pace * (double)heap / 1024;
  if (share < 1) return;
  told = total;
  lua_gc(L, LUA_GCSTEP, share < 1 << 30 ? (int)share : 1 << 30);
}

/* Whether gradients are recorded belongs to each coroutine: the word that Lua
** keeps beside every one of them says so when they are not.  A new coroutine
** starts as the main one is. */
static const char recording_off;

void td__lua_set_recording(lua_State *L, bool on) {
  *(const void **)lua_getextraspace(L) = on ? NULL : &recording_off;
  td__lua_enter(L);
  td_grad_enable(on);
}

/* Notes which coroutine uses the core, and keeps it alive: the core may ask for
** a collection on its behalf. */
void td__lua_enter(lua_State *L) {
  if (L == td__lua_current) return;
  td_grad_enable(*(const void **)lua_getextraspace(L) != &recording_off);
  lua_pushthread(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &current_key);
  td__lua_current = L;
}

void td__lua_gc(lua_State *L) {
  int64_t total = 0, live = 0;
  bool full = td_live_tensors() > crowd;
  td__lua_enter(L);
  for (int i = 0, n = td_device_count(); i < n && i < DEVICES; i++) {
    const td_backend *b = td_device_at(i);
    if (!limit[i]) limit[i] = i ? FLOOR_DEVICE : FLOOR;
    if (b->memory.live > limit[i]) full = true;
    total += b->memory.total;
    live += b->memory.live;
  }
  if (!full && total - told < STEP) return;
  if (lua_gc(L, LUA_GCISRUNNING) <= 0) return;  /* stopped, or a finaliser runs */
  if (full) full_collection(L);
  else step(L, total, live);
}

/* The core is out of memory: collect on behalf of the function that runs. */
static void reclaim(void) {
  lua_State *L = td__lua_current;
  if (L) full_collection(L);
}

static int l_forget(lua_State *L) {
  (void)L;
  td__lua_current = NULL;
  return 0;
}

/* The last finaliser of the state forgets it. */
void td__lua_gc_open(lua_State *L) {
  td_set_reclaim(reclaim);
  td__lua_current = NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  *(const void **)lua_getextraspace(lua_tothread(L, -1)) = NULL;  /* Lua leaves it as it is */
  *(const void **)lua_getextraspace(L) = NULL;
  lua_pop(L, 1);
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_forget);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  luaL_ref(L, LUA_REGISTRYINDEX);
}
