/* lua_gc.c -- Lua's collector and the memory it cannot see.
**
** To Lua a tensor is a box of a few bytes.  So each function that makes tensors
** first tells the collector how many bytes were handed out since the last time
** (a step of that size), and asks for a full collection when twice as much is
** alive as after the last one.  The second rule is what keeps the generational
** mode in bounds: its young collections never free a tensor that got old, and
** steps do not make an old collection due. */
#include "lua_td.h"

#define STEP (256 << 10)              /* bytes between steps */
#define FLOOR ((int64_t)64 << 20)     /* live bytes that are never too many */
#define FLOOR_DEVICE ((int64_t)256 << 20)   /* the same, beside the CPU */
#define DEVICES 16

lua_State *td__lua_current;
static int64_t told;                  /* bytes the collector knows of */
static int64_t limit[DEVICES];        /* live bytes that ask for a collection */

static void full_collection(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  told = 0;
  for (int i = 0; i < td_device_count() && i < DEVICES; i++) {
    const td_backend *b = td_device_at(i);
    int64_t least = i ? FLOOR_DEVICE : FLOOR;
    limit[i] = 2 * b->memory.live > least ? 2 * b->memory.live : least;
    told += b->memory.total;
  }
}

void td__lua_gc(lua_State *L) {
  int64_t total = 0;
  bool full = false;
  td__lua_current = L;
  for (int i = 0, n = td_device_count(); i < n && i < DEVICES; i++) {
    const td_backend *b = td_device_at(i);
    if (!limit[i]) limit[i] = i ? FLOOR_DEVICE : FLOOR;
    if (b->memory.live > limit[i]) full = true;
    total += b->memory.total;
  }
  if (!full && total - told < STEP) return;
  if (!lua_gc(L, LUA_GCISRUNNING)) return;      /* the script wants it so */
  if (full) {
    full_collection(L);
  } else {
    int64_t kb = (total - told) >> 10;
    told = total;
    lua_gc(L, LUA_GCSTEP, kb < 1 << 30 ? (int)kb : 1 << 30);
  }
}

/* The core is out of memory: collect on behalf of the function that runs. */
static void reclaim(void) {
  lua_State *L = td__lua_current;
  if (L) full_collection(L);
}

void td__lua_gc_open(void) { td_set_reclaim(reclaim); }
