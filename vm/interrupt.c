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
** seconds says so and the next one ends the process.
**
** While a job has its slice, Ctrl-C is for whoever waits: the slice ends, and then
** the statement that waits for jobs gets the error, or the line that is typed is
** cleared.  A slice that does not end gets the error itself at the second Ctrl-C.
** An alarm ends slices in which the job comes to no safe point: it arms a hook
** that yields, through all coroutines of the job. */
#include "vm/vm.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "lua/lua_td.h"

enum {
  GRACE_MS = 300,                     /* after the error, to put things back */
  PATIENCE_MS = 2000,                 /* until a third Ctrl-C warns */
  SERVING_MS = 50,                    /* for what is served at the prompt to end by itself */
  OVERTIME_MS = 15,                   /* of a slice, until the alarm */
  RETRY = 1000                        /* instructions, where no yield was possible */
};

static pthread_t lua_thread;
static lua_State *volatile running;   /* NULL: no user code runs */
static volatile sig_atomic_t presses; /* since user code was entered */
static volatile sig_atomic_t at_prompt;
static volatile sig_atomic_t warned;
static volatile sig_atomic_t leaving; /* SIGTERM or SIGHUP came */
static volatile long long pressed;    /* when; at first, and at a warning */
static long long raised;              /* when the error was raised, or 0 */
static bool insistent;                /* no pcall catches it any more */
static bool serving;                  /* the prompt waits, and serves others meanwhile */

static volatile sig_atomic_t deferred;    /* presses that wait for a slice or a */
                                          /* shielded call to end */
static volatile sig_atomic_t overtime;    /* the slice is to end now */
static lua_State *waiter;             /* what ran when the slice began */

static lua_CFunction stock_resume, stock_create, stock_close;

/* ---- which thread gets signals ---- */

static sigset_t entry_mask;           /* what the process was started with */
static sigset_t held;                 /* what only Lua's thread takes */

#ifdef __linux__
/* The mask in the context is the one the thread goes on with; the kernel knows as many
** signals of it as NSIG. */
static void hold_here(int sig, siginfo_t *info, void *context) {
  (void)sig; (void)info;
  memcpy(&((ucontext_t *)context)->uc_sigmask, &held, (_NSIG - 1) / 8);
}

/* Libraries start threads before main() (OpenBLAS).  One of them could take a Ctrl-C that
** this process ignores for the sake of a command, and act on it when the command is over. */
static void hold_elsewhere(void) {
  struct sigaction sa = { .sa_sigaction = hold_here, .sa_flags = SA_SIGINFO | SA_RESTART };
  DIR *tasks = opendir("/proc/self/task");
  sigaction(SIGURG, &sa, NULL);         /* is ignored otherwise */
  for (struct dirent *e; tasks && (e = readdir(tasks)); ) {
    long id = strtol(e->d_name, NULL, 10);
    if (id > 0 && id != syscall(SYS_gettid)) syscall(SYS_tgkill, getpid(), id, SIGURG);
  }
  if (tasks) closedir(tasks);
}
#else
static void hold_elsewhere(void) {}
#endif

void vm_signals_hold(void) {
  static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
                                SIGABRT, SIGPROF };
  sigfillset(&held);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset(&held, faults[i]);
  hold_elsewhere();
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

/* What runs apart is no job in this sense: Ctrl-C is for it. */
static bool sheltered(void) {
  return (td__lua_slice.job && !td__lua_slice.apart) || td__lua_slice.shields > 0;
}

/* Is what runs not to be stopped? */
static bool not_meant(void) {
  return presses == 0 || (sheltered() && deferred < 2);
}

static void stop_at_prompt(lua_State *L) {
  if (presses == 0 || not_meant()) { /* left over in some coroutine, or early */
    lua_sethook(L, presses ? stop : NULL, presses ? LUA_MASKCOUNT : 0, 100);
    return;
  }
  if (serving && presses == 1 && now_ms() - pressed < SERVING_MS) {
    lua_sethook(L, stop, LUA_MASKCOUNT, 100);      /* it may be over before that */
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

/* ---- the end of a slice ---- */

static void leave_job(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (!td__lua_can_leave(L)) {        /* inside table.sort or the like */
    lua_sethook(L, td__lua_slice.job ? leave_job : NULL, LUA_MASKCOUNT, RETRY);
    return;
  }
  lua_sethook(L, NULL, 0, 0);
  td__lua_slice.leaving = true;
  lua_yield(L, 0);
}

/* Called by signal handlers: a hook that raises stays. */
static void end_slice(void) {
  lua_State *L = running;
  td__lua_slice.until = 0;
  overtime = 1;
  if (td__lua_slice.job && L && !lua_gethook(L))
    lua_sethook(L, leave_job, LUA_MASKCOUNT, 1);
}

static void on_alarm(int sig) {
  int kept = errno;
  if (!vm_signal_forward(sig) && td__lua_slice.job) end_slice();
  errno = kept;
}

static void set_alarm(int ms) {
  struct itimerval t = { .it_value = { ms / 1000, ms % 1000 * 1000 } };
  setitimer(ITIMER_REAL, &t, NULL);
}

/* ---- the signal handlers ---- */

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
    vm_wait_wake();
    if (!at_prompt) signal(sig, SIG_DFL);
    if (sheltered() && deferred++ == 0) {
      end_slice();
    } else if (L) {
      td_interrupt();
      arm(L);
      if (at_prompt) escalate(sig);
    }
  }
  errno = kept;
}

/* The end of the session is asked for: what runs is stopped as by several Ctrl-C,
** and the prompt leaves.  A second signal ends the process. */
static void on_terminate(int sig) {
  int kept = errno;
  if (!vm_signal_forward(sig)) {
    lua_State *L = running;
    signal(sig, SIG_DFL);
    leaving = sig;
    presses += 2;
    if (sheltered()) {
      deferred = 1;
      end_slice();
    } else if (L) {
      td_interrupt();
      arm(L);
    }
  }
  errno = kept;
}

static void heed(int sig, bool on) {
  struct sigaction sa = { .sa_handler = on ? on_terminate : SIG_DFL }, was;
  sigemptyset(&sa.sa_mask);
  sigaction(sig, NULL, &was);
  if (was.sa_handler != SIG_IGN) sigaction(sig, &sa, NULL);
}

/* Without SA_RESTART, so that a blocked read or sleep returns. */
static void listen(bool on) {
  struct sigaction sa = { .sa_handler = on ? on_signal : SIG_DFL };
  sigemptyset(&sa.sa_mask);
  sigaction(SIGINT, &sa, NULL);
}

/* ---- entering and leaving user code ---- */

/* What comes while the prompt serves others, and stops none of them, was meant for it. */
static void forget(void) {
  td_interrupt_flag = 0;
  deferred = 0;
  if (!serving || raised) presses = 0;
  warned = 0;
  raised = 0;
  insistent = false;
}

void vm_interrupt_serving(bool on) {
  serving = on;
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
  heed(SIGTERM, on);
  heed(SIGHUP, on);
}

int vm_interrupt_leaving(void) {
  return leaving;
}

bool vm_interrupt_taken(void) {
  bool taken = presses > 0;
  presses = 0;
  return taken;
}

/* ---- pcall and the coroutine functions ---- */

/* Does an interrupt wait, or did one happen that must not get lost? */
static bool wanted(void) {
  return td_interrupt_flag || (at_prompt && !not_meant());
}

/* L is about to run: what is wanted of it? */
static void prepare(lua_State *L) {
  if (wanted()) arm(L);
  else if (td__lua_slice.cancel) td__lua_arm_cancel(L);
  else if (overtime) lua_sethook(L, leave_job, LUA_MASKCOUNT, 1);
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
  bool through = td__lua_slice.through;
  td__lua_slice.through = through && lua_isyieldable(L);
  running = co;
  prepare(co);
  int n = stock(L);
  running = L;
  prepare(L);
  td__lua_slice.through = through;
  return n;
}

static bool failed(lua_State *L, int nresults) {
  return !lua_toboolean(L, -nresults);
}

/* Did `co` yield because the whole job is to be left? */
static bool is_left(lua_State *co) {
  return td__lua_slice.leaving && lua_status(co) == LUA_YIELD;
}

static int resume_again(lua_State *L, int status, lua_KContext unused);

static int l_resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (!co || co == L) return stock_resume(L);   /* an error message */
  int n = run_in(L, co, stock_resume);
  if (failed(L, n)) return insistent ? lua_error(L) : n;
  if (!is_left(co)) return n;
  lua_settop(L, 1);
  return lua_yieldk(L, 0, 0, resume_again);
}

static int resume_again(lua_State *L, int status, lua_KContext unused) {
  (void)status;
  (void)unused;
  lua_settop(L, 1);
  return l_resume(L);
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

static int wrapped_again(lua_State *L, int status, lua_KContext unused);

/* The function that wrap returns; the coroutine is its upvalue. */
static int wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  int n = co == L ? stock_resume(L) : run_in(L, co, stock_resume);
  if (!failed(L, n) && is_left(co)) {
    lua_settop(L, 0);
    return lua_yieldk(L, 0, 0, wrapped_again);
  }
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

static int wrapped_again(lua_State *L, int status, lua_KContext unused) {
  (void)status;
  (void)unused;
  lua_settop(L, 0);
  return wrapped(L);
}

static int l_wrap(lua_State *L) {
  stock_create(L);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
}

/* ---- slices ---- */

/* L is the coroutine of a job whose slice begins, or what runs after it.  A job
** that was killed takes the marks of that with it. */
static void watch(lua_State *L, bool begins) {
  if (begins) {
    double ms = 1e3 * (td__lua_slice.until - td__lua_clock());
    waiter = running;
    running = L;
    if (!td__lua_slice.apart) set_alarm((ms > 0 ? (int)ms : 0) + OVERTIME_MS);
  } else {
    set_alarm(0);
    running = waiter;
    overtime = 0;
    if (!at_prompt || deferred < 2) return;
    forget();
    presses = deferred = 1;
  }
}

/* What waited for the end of slice or shield: an error, or, where a line is being
** typed, the end of that line. */
static void unshielded(void) {
  if (!deferred) return;
  deferred = 0;
  if (!running) return;
  td_interrupt();
  arm(running);
}

static void watch_slices(void) {
  struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
  sigemptyset(&sa.sa_mask);
  sigaction(SIGALRM, &sa, NULL);
  td__lua_slice.watch = watch;
  td__lua_slice.unshielded = unshielded;
  td__lua_slice.nested = true;
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
  watch_slices();
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
