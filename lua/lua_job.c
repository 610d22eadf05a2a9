/* lua_job.c -- coroutines that run in slices: what a job keeps for itself.
**
** A slice resumes the coroutine of a job with the job's own random stream and its
** own open tide.scope calls, and puts those of the caller back when it ends.  It
** ends when the job yields: at a safe point (tide.yield, bar:update) once its
** time is up, or where the program stops it (vm/interrupt.c), which may be
** anywhere in Lua code.  Whether gradients are recorded belongs to each coroutine
** anyway. */
#include "lua_td.h"
#include <math.h>
#include <string.h>
#include <time.h>

#define JOB "tide.job.coroutine"

enum { UV_THREAD = 1, UV_SCOPES = 2 };

typedef struct job {
  td_rng own, *stream;                /* the job's random numbers; in use */
  int scopes;                         /* open tide.scope calls */
} job;

td_lua_slice td__lua_slice;

double td__lua_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool td__lua_can_leave(lua_State *L) {
  const td_lua_slice *s = &td__lua_slice;
  return s->job && s->through && (L == s->job || s->nested) &&
         lua_isyieldable(L);
}

bool td__lua_is_job(lua_State *L) {
  return L == td__lua_slice.job;
}

/* ---- cancelling ---- */

static void cancel(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  if (!td__lua_slice.cancel) return;
  td__lua_slice.cancel = false;
  luaL_error(L, "cancelled!");
}

void td__lua_arm_cancel(lua_State *L) {
  lua_sethook(L, cancel, LUA_MASKCOUNT, 1);
}

/* ---- what is done wholly or not at all ---- */

static int l_unshield(lua_State *L) {
  td_lua_slice *s = &td__lua_slice;
  (void)L;
  if (--s->shields == 0 && !s->job && s->unshielded) s->unshielded();
  return 0;
}

/* shield(f, ...): calls f so that Ctrl-C and the end of a slice wait until it is
** over; for updates that must not be done by half. */
static int l_shield(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_toclose(L, 1);
  td__lua_slice.shields++;
  lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
  return lua_gettop(L) - 1;
}

static void push_shield(lua_State *L) {
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_unshield);
  lua_setfield(L, -2, "__close");
  lua_setmetatable(L, -2);
  lua_pushcclosure(L, l_shield, 1);
}

/* ---- slices ---- */

static uint64_t mixed(uint64_t x) {   /* splitmix64 */
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* new(seed or nil, f, ...): without a seed one is drawn from the current stream */
static int l_new(lua_State *L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  uint64_t seed;
  if (lua_isnil(L, 1)) {
    td_rng here = *td_rng_current();
    td_rng_current()->offset++;
    seed = mixed(here.seed ^ mixed(here.offset)) >> 1;
  } else {
    seed = (uint64_t)luaL_checkinteger(L, 1);
  }
  int n = lua_gettop(L) - 1;
  job *j = lua_newuserdatauv(L, sizeof *j, 2);
  memset(j, 0, sizeof *j);
  j->own.seed = seed;
  j->stream = &j->own;
  luaL_setmetatable(L, JOB);
  lua_insert(L, 1);
  lua_State *co = lua_newthread(L);
  lua_sethook(co, NULL, 0, 0);
  lua_setiuservalue(L, 1, UV_THREAD);
  luaL_checkstack(co, n, "too many arguments");
  lua_xmove(L, co, n);
  lua_settop(L, 1);
  td__lua_slice.used = true;
  return 1;
}

/* Between the job's stream and scopes and those of the caller: the same call puts
** things right before and after. */
static td_rng *swap(lua_State *L, job *j, td_rng *stream) {
  lua_getiuservalue(L, 1, UV_SCOPES);
  td__lua_scope_swap(L, &j->scopes);
  lua_setiuservalue(L, 1, UV_SCOPES);
  return td_rng_use(stream);
}

static int status_of(lua_State *co, int status) {
#if LUA_VERSION_RELEASE_NUM >= 50406
  if (status != LUA_OK && status != LUA_YIELD) lua_closethread(co, NULL);
#else
  if (status != LUA_OK && status != LUA_YIELD) lua_resetthread(co);
#endif
  return status;
}

typedef enum ending { GO_ON, CANCEL, CLOSE } ending;

/* Runs the coroutine until it yields, ends or fails: a traceback of the failure
** is pushed, and its to-be-closed variables are closed. */
static int step(lua_State *L, lua_State *co, ending how) {
  int n, status;
  if (how == CLOSE) {
    lua_pushnil(L);
    return status_of(co, LUA_ERRRUN);
  }
  if (how == CANCEL) td__lua_arm_cancel(co);
  status = lua_resume(co, L, lua_status(co) == LUA_OK ? lua_gettop(co) - 1 : 0, &n);
  if (status == LUA_YIELD) {
    lua_pop(co, n);
    lua_pushnil(L);
  } else if (status == LUA_OK) {
    lua_pushnil(L);
  } else {
    luaL_traceback(L, co, NULL, 0);
    status_of(co, status);
  }
  return status;
}

/* run(coroutine, seconds, how): how is nil, "cancel" or "close".  Returns "yield",
** "done" and values, "error", the error and a traceback, or "closed". */
static int l_run(lua_State *L) {
  static const char *const names[] = { "go on", "cancel", "close", NULL };
  job *j = luaL_checkudata(L, 1, JOB);
  double seconds = luaL_checknumber(L, 2);
  ending how = (ending)luaL_checkoption(L, 3, "go on", names);
  lua_settop(L, 1);
  if (td__lua_slice.job)
    return td_lua_error(L, "a job runs already: slices do not nest");
  lua_getiuservalue(L, 1, UV_THREAD);
  lua_State *co = lua_tothread(L, 2);
  luaL_checkstack(L, 8, "no room for a slice");
  td_lua_slice *s = &td__lua_slice;
  td_rng *stream = swap(L, j, j->stream);
  s->until = td__lua_clock() + seconds;
  s->apart = isinf(seconds);
  s->through = true;
  s->leaving = false;
  s->cancel = how == CANCEL;
  s->job = co;
  if (s->watch) s->watch(co, true);
  int status = step(L, co, how);
  s->job = NULL;
  s->leaving = false;                 /* what is yielded from now on is no job's */
  if (s->watch) s->watch(L, false);
  lua_sethook(co, NULL, 0, 0);
  j->stream = swap(L, j, stream);
  if (how == CLOSE) {
    lua_pushliteral(L, "closed");
    return 1;
  }
  lua_pushstring(L, status == LUA_YIELD ? "yield" : status == LUA_OK ? "done" :
                 "error");
  lua_insert(L, 3);                   /* status, traceback */
  if (status == LUA_YIELD) return lua_settop(L, 3), 1;
  int n = status == LUA_OK ? lua_gettop(co) : 1;
  luaL_checkstack(L, n, "too many results");
  lua_xmove(co, L, n);
  if (status == LUA_OK) {
    lua_remove(L, 4);
    return n + 1;
  }
  lua_insert(L, 4);                   /* the error before the traceback */
  return 3;
}

/* yield(): ends the slice of the job that runs, from any depth of coroutines. */
static int l_yield(lua_State *L) {
  if (!td__lua_can_leave(L)) return 0;
  td__lua_slice.leaving = true;
  return lua_yield(L, 0);
}

/* tick(): seconds as tide.clock(), and whether the slice is used up. */
static int l_tick(lua_State *L) {
  double now = td__lua_clock();
  lua_pushnumber(L, now);
  lua_pushboolean(L, td__lua_slice.job && now >= td__lua_slice.until);
  return 2;
}

static int open_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "new", l_new }, { "run", l_run }, { "yield", l_yield },
    { "tick", l_tick }, { NULL, NULL }
  };
  luaL_newmetatable(L, JOB);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  push_shield(L);
  lua_setfield(L, -2, "shield");
  return 1;
}

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.job.core", open_core);
}
