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
** At the prompt the error may be caught too, so that what must be put back is
** put back, but it has to reach the prompt: what still runs a moment later gets
** the error again, and then pcall, xpcall and resume pass it on.  A second
** Ctrl-C raises at every instruction, for loops that lose errors in other ways.
** Where Lua is not reached at all (a slow C function), a third one after some
** seconds says so and the next one ends the process. */
#include "vm/vm.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "tensor/tensor.h"

enum {
  GRACE_MS = 300,                     /* after the error, to put things back */
  PATIENCE_MS = 2000                  /* until a third Ctrl-C warns */
};

static pthread_t lua_thread;
static lua_State *volatile running;   /* NULL: no user code runs */
static volatile sig_atomic_t presses; /* since user code was entered */
static volatile sig_atomic_t at_prompt;
static volatile sig_atomic_t warned;
static volatile long long pressed;    /* when; at first, and at a warning */
static long long raised;              /* when the error was raised, or 0 */
static bool insistent;                /* no pcall catches it any more */

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

bool vm_signal_forward(int sig) {
  if (pthread_equal(pthread_self(), lua_thread)) return false;
  pthread_kill(lua_thread, sig);
  return true;
}

/* ---- the hook ---- */

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Has an operation of the core seen the flag and given up?  Its error is then
** the one that Ctrl-C asked for. */
static bool core_gave_up(void) {
  if (td_error_code() != TD_EINTR) return false;
  td_error_clear();
  return true;
}

static void stop(lua_State *L, lua_Debug *ar);

static void arm(lua_State *L) {
  lua_sethook(L, stop,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void stop_script(lua_State *L) {
  bool deliver = td_interrupt_flag && !core_gave_up();
  lua_sethook(L, NULL, 0, 0);
  td_interrupt_flag = 0;
  if (deliver) luaL_error(L, "interrupted!");
}

static void stop_at_prompt(lua_State *L) {
  if (presses == 0) {                 /* left over in some coroutine */
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  bool again = raised != 0;
  if (td_interrupt_flag && core_gave_up()) {
    td_interrupt_flag = 0;
    raised = now_ms();
  }
  if (presses == 1 && !td_interrupt_flag && now_ms() - raised < GRACE_MS) {
    lua_sethook(L, stop, LUA_MASKCOUNT, 10);
    return;
  }
  if (presses > 1) arm(L);            /* at every instruction from now on */
  insistent = again || presses > 1;
  td_interrupt_flag = 0;
  raised = now_ms();
  luaL_error(L, "interrupted!");
}

static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (at_prompt) stop_at_prompt(L);
  else stop_script(L);
}

/* ---- the signal handler ---- */

static void escalate(int sig) {
  static const char text[] =
    "\ntide: a C function is busy and does not look at Ctrl-C; "
    "press it once more to end the session\n";
  long long now = now_ms();
  if (presses == 1) pressed = now;
  if (presses < 3 || now - pressed < PATIENCE_MS) return;
  if (warned) {
    signal(sig, SIG_DFL);
    raise(sig);
  }
  warned = 1;
  pressed = now - PATIENCE_MS / 2;    /* not by a key that is held down */
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
}

static void on_signal(int sig) {
  int kept = errno;
  if (!vm_signal_forward(sig)) {
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

static void forget(void) {
  td_interrupt_flag = 0;
  presses = 0;
  warned = 0;
  raised = 0;
  insistent = false;
}

void vm_interrupt_enter(lua_State *L) {
  if (at_prompt) forget();
  running = L;
  if (!at_prompt) listen(true);
}

void vm_interrupt_leave(lua_State *L) {
  if (!at_prompt) listen(false);
  running = NULL;
  if (!at_prompt) return;             /* a late one stays for the next chunk */
  if (lua_gethook(L) == stop) lua_sethook(L, NULL, 0, 0);
  forget();
}

void vm_interrupt_prompt(bool on) {
  at_prompt = on;
  forget();
  listen(on);
}

bool vm_interrupt_taken(void) {
  bool taken = presses > 0;
  presses = 0;
  return taken;
}

/* ---- pcall and the coroutine functions ---- */

/* Does an interrupt wait, or did one happen that must not get lost? */
static bool wanted(void) {
  return td_interrupt_flag || (at_prompt && presses > 0);
}

/* Status and results, or error object, of a protected call lie on top; `below`
** entries of the frame are no results. */
static int call_done(lua_State *L, int status, lua_KContext below) {
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - (int)below;
  if (insistent) return lua_error(L);
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
  if (wanted()) arm(co);
  int n = stock(L);
  running = L;
  if (wanted()) arm(L);
  return n;
}

static bool failed(lua_State *L, int nresults) {
  return !lua_toboolean(L, -nresults);
}

static int l_resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (!co || co == L) return stock_resume(L);   /* an error message */
  int n = run_in(L, co, stock_resume);
  if (failed(L, n) && insistent) return lua_error(L);
  return n;
}

static int l_close(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (!co || lua_status(co) != LUA_YIELD) return stock_close(L);
  int n = run_in(L, co, stock_close);
  if (failed(L, n) && insistent) return lua_error(L);
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
