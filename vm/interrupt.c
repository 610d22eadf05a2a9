/* interrupt.c -- turns Ctrl-C into a Lua error wherever Lua is.
**
** The signal handler sets td_interrupt_flag, which long operations of the core
** look at, and arms a hook on the coroutine that runs; the hook raises
** "interrupted!" at the next instruction.  No hook is installed otherwise: it
** would slow every loop down.  To know which coroutine runs, resume, wrap and
** close are replaced by functions that note it and then do what the stock ones
** do.
**
** A script is treated as by the stand-alone interpreter: the first Ctrl-C is an
** error that it may catch, the second one ends the process.
**
** At the prompt the error must come back to the prompt, so pcall, xpcall and
** resume pass it on instead of catching it; handlers of to-be-closed variables
** run as for any error.  Should the error get lost all the same, a second
** Ctrl-C raises at every instruction.  Where Lua is not reached at all (a slow
** C function), a third one after some seconds says so and the next one ends
** the process. */
#include "vm/vm.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "tensor/tensor.h"

enum { PATIENCE = 2 };                /* seconds until a third Ctrl-C warns */

static pthread_t lua_thread;
static lua_State *volatile running;   /* NULL: no user code runs */
static volatile sig_atomic_t presses; /* since user code was entered */
static volatile sig_atomic_t at_prompt;
static volatile sig_atomic_t warned;
static volatile time_t mark;          /* when the patience began */

static lua_CFunction stock_resume, stock_create, stock_close;

/* ---- which thread gets signals ---- */

static sigset_t entry_mask;           /* what the process was started with */

void vm_signals_hold(void) {
  static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
                                SIGABRT, SIGPROF };
  sigset_t held;
  sigfillset(&held);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset(&held, faults[i]);
  pthread_sigmask(SIG_BLOCK, &held, &entry_mask);
}

void vm_signals_take(void) {
  lua_thread = pthread_self();
  pthread_sigmask(SIG_SETMASK, &entry_mask, NULL);
}

/* ---- the hook ---- */

static bool sticky(void) {
  return at_prompt && presses > 1;
}

static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  bool deliver = td_interrupt_flag || sticky();
  if (!sticky()) lua_sethook(L, NULL, 0, 0);
  td_interrupt_flag = 0;
  if (deliver) luaL_error(L, "interrupted!");
}

static void arm(lua_State *L) {
  lua_sethook(L, stop,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* ---- the signal handler ---- */

static void escalate(int sig) {
  static const char text[] =
    "\ntide: a C function is busy and does not look at Ctrl-C; "
    "press it once more to end the session\n";
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (presses == 1) mark = now.tv_sec;
  if (presses < 3 || now.tv_sec - mark < PATIENCE) return;
  if (warned) {
    signal(sig, SIG_DFL);
    raise(sig);
  }
  warned = 1;
  mark = now.tv_sec - PATIENCE + 1;   /* one more second */
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
}

static void on_signal(int sig) {
  int kept = errno;
  if (!pthread_equal(pthread_self(), lua_thread)) {
    pthread_kill(lua_thread, sig);
  } else {
    lua_State *L = running;
    presses++;
    if (!at_prompt) signal(sig, SIG_DFL);
    if (L) {
      td_interrupt_flag = 1;
      arm(L);
      if (at_prompt) escalate(sig);
    }
  }
  errno = kept;
}

/* Without SA_RESTART, so that a blocked read or sleep returns. */
static void listen(bool on) {
  struct sigaction sa = { .sa_handler = on ? on_signal : SIG_DFL };
  sigemptyset(&sa.sa_mask);
  sigaction(SIGINT, &sa, NULL);
}

/* ---- entering and leaving user code ---- */

void vm_interrupt_enter(lua_State *L) {
  if (at_prompt) {
    presses = 0;
    warned = 0;
  }
  running = L;
  if (!at_prompt) listen(true);
}

void vm_interrupt_leave(lua_State *L) {
  if (!at_prompt) listen(false);
  running = NULL;
  if (!at_prompt) return;             /* a late one stays for the next chunk */
  lua_sethook(L, NULL, 0, 0);
  td_interrupt_flag = 0;
  presses = 0;
}

void vm_interrupt_prompt(bool on) {
  at_prompt = on;
  presses = 0;
  listen(on);
}

bool vm_interrupt_taken(void) {
  bool taken = presses > 0;
  presses = 0;
  return taken;
}

/* ---- pcall and the coroutine functions ---- */

/* An error was caught in L: was it an operation of the core that gave up?  Then
** the interrupt is delivered, and the hook has nothing to raise any more. */
static void settle(lua_State *L) {
  if (!td_interrupt_flag || td_error_code() != TD_EINTR) return;
  td_interrupt_flag = 0;
  if (!sticky()) lua_sethook(L, NULL, 0, 0);
}

static bool passes_on(void) {
  return at_prompt && presses > 0;
}

/* Status and results, or error object, of a protected call lie on top; `below`
** entries of the frame are no results. */
static int call_done(lua_State *L, int status, lua_KContext below) {
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - (int)below;
  settle(L);
  if (passes_on()) return lua_error(L);
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

static int l_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);                   /* first result of a good call */
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, call_done);
  return call_done(L, status, 0);
}

static int l_xpcall(lua_State *L) {
  int nargs = lua_gettop(L) - 2;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);                /* f, handler, true, f, arguments */
  int status = lua_pcallk(L, nargs, LUA_MULTRET, 2, 2, call_done);
  return call_done(L, status, 2);
}

/* Calls a stock function that runs code in `co` and does not raise. */
static int run_in(lua_State *L, lua_State *co, lua_CFunction stock) {
  running = co;
  int n = stock(L);
  running = L;
  settle(L);
  if (td_interrupt_flag || sticky()) arm(L);
  return n;
}

static bool failed(lua_State *L, int nresults) {
  return !lua_toboolean(L, -nresults);
}

static int l_resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (!co || co == L) return stock_resume(L);   /* an error message */
  int n = run_in(L, co, stock_resume);
  if (failed(L, n) && passes_on()) return lua_error(L);
  return n;
}

static int l_close(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (!co || lua_status(co) != LUA_YIELD) return stock_close(L);
  int n = run_in(L, co, stock_close);
  if (failed(L, n) && passes_on()) return lua_error(L);
  return n;
}

/* Runs the pending to-be-closed variables of a coroutine that died. */
static int close_dead(lua_State *L, lua_State *co) {
  running = co;
#if LUA_VERSION_RELEASE_NUM >= 50406
  int status = lua_closethread(co, L);
#else
  int status = lua_resetthread(co);
#endif
  running = L;
  return status;
}

/* The function that wrap returns; the coroutine is its upvalue. */
static int wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  int n = co == L ? stock_resume(L) : run_in(L, co, stock_resume);
  if (!failed(L, n)) return n - 1;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {  /* it died of an error */
    status = close_dead(L, co);
    lua_xmove(co, L, 1);              /* the error that is left */
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int l_wrap(lua_State *L) {
  stock_create(L);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
}

/* Puts f in place of a field of the table on top and returns what was there. */
static lua_CFunction replace(lua_State *L, const char *name, lua_CFunction f) {
  lua_getfield(L, -1, name);
  lua_CFunction was = lua_tocfunction(L, -1);
  lua_pop(L, 1);
  if (f) {
    lua_pushcfunction(L, f);
    lua_setfield(L, -2, name);
  }
  return was;
}

void vm_interrupt_init(lua_State *L) {
  lua_pushglobaltable(L);
  replace(L, "pcall", l_pcall);
  replace(L, "xpcall", l_xpcall);
  lua_getfield(L, -1, LUA_COLIBNAME);
  stock_create = replace(L, "create", NULL);
  stock_resume = replace(L, "resume", l_resume);
  stock_close = replace(L, "close", l_close);
  replace(L, "wrap", l_wrap);
  lua_pop(L, 2);
}
