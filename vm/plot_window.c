/* plot_window.c -- what Lua's thread asks of the windows, and who runs them. */
#define _GNU_SOURCE /* dladdr */
#include "vm/plot_window.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tensor/pool.h"
#include "vm/plot_draw.h" /* this file is for builds that draw */

#define ANSWER_S 2 /* that a display may take to close windows */
#define OPEN_S 20  /* or to open them */

td_plot_desk td__plot_desk = {.wake = -1};
bool td__plot_any_driver;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum { ABSENT, STARTING, RUNNING, ENDED } loop; /* under the lock */
static char why[200];                                  /* it ended, or never ran */
static bool hosted; /* main() lends its thread */

static void make(void) {
  pthread_condattr_t a;
  pthread_condattr_init(&a);
  pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
  pthread_cond_init(&turn, &a);
}

/* Only when it is needed, and never in the place of a standard stream. */
static int open_event(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(fd);
  return higher;
}

void td__plot_desk_lock(void) { pthread_mutex_lock(&lock); }

void td__plot_desk_unlock(bool tell) {
  if (tell) pthread_cond_broadcast(&turn);
  pthread_mutex_unlock(&lock);
}

double td__plot_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Under the lock: waits for a change until then; false when the time is over. */
static bool wait_until(double end) {
  struct timespec t = {(time_t)end, (long)(1e9 * (end - floor(end)))};
  return pthread_cond_timedwait(&turn, &lock, &t) != ETIMEDOUT;
}

static void wake(void) {
  uint64_t one = 1;
  if (write(td__plot_desk.wake, &one, sizeof one) < 0) return; /* it is awake */
}

/* After each change of a figure that is shown. */
static void on_change(void) {
  if (atomic_load(&td__plot_desk.asleep) &&
      atomic_exchange(&td__plot_desk.asleep, false))
    wake();
}

/* ---- the windows' thread ------------------------------------------------- */
void td__plot_window_ready(void) {
  pthread_mutex_lock(&lock);
  loop = RUNNING;
  td__plot_desk_unlock(true);
}

static int news = -1; /* eventfd of td_plot_window_news, under the lock */

/* Windows are gone and nobody asked for it. */
static void announce(void) {
  static const char text[] = "tide: " TD_PLOT_GONE_TEXT "\n";
  uint64_t one = 1;
  ssize_t n = news >= 0 ? write(news, &one, sizeof one)
                        : write(STDERR_FILENO, text, sizeof text - 1);
  (void)n;
}

int td_plot_window_news(void) {
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  if (news < 0) news = open_event();
  pthread_mutex_unlock(&lock);
  return news;
}

static void run_loop(void) {
  char text[sizeof why] = "";
  td__plot_window_loop(text);
  pthread_mutex_lock(&lock);
  if (loop == RUNNING && *text) announce();
  snprintf(why, sizeof why, "%s", text);
  loop = ENDED;
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next)
    w->state = TD_PLOT_GONE;
  td__plot_desk_unlock(true);
}

static void *run_thread(void *unused) {
  (void)unused;
  run_loop();
  return NULL;
}

/* A thread, and a library that stays: it runs in it. */
static bool start_thread(void) {
  pthread_t t;
  Dl_info here;
  if (dladdr(&lock, &here) && here.dli_fname)
    dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  bool good = td_thread_start(&t, run_thread, NULL);
  if (good) pthread_detach(t);
  return good;
}

typedef struct program {
  int (*lua)(int, char **);
  int argc, status;
  char **argv;
  bool done;
} program;

static void *run_lua(void *data) {
  program *p = data;
  int status = p->lua(p->argc, p->argv);
  if (!td_plot_window_quit()) { /* their thread hangs on a display */
    fflush(NULL);
    _exit(status);
  }
  pthread_mutex_lock(&lock);
  p->status = status;
  p->done = true;
  td__plot_desk_unlock(true);
  return NULL;
}

/* The stack of a thread as large as that of main(), within reason. */
static void set_stack(pthread_attr_t *a) {
  struct rlimit r;
  size_t size = 16u << 20;
  if (getrlimit(RLIMIT_STACK, &r) == 0 && r.rlim_cur != RLIM_INFINITY &&
      r.rlim_cur > size)
    size = r.rlim_cur < (256u << 20) ? r.rlim_cur : 256u << 20;
  pthread_attr_setstacksize(a, size);
}

int td_plot_window_host(int (*lua)(int, char **), int argc, char **argv) {
  program p = {.lua = lua, .argc = argc, .argv = argv};
  pthread_attr_t a;
  pthread_t t;
  pthread_once(&once, make);
  pthread_attr_init(&a);
  set_stack(&a);
  hosted = true;
  bool good = pthread_create(&t, &a, run_lua, &p) == 0;
  pthread_attr_destroy(&a);
  if (!good) {
    hosted = false;
    return lua(argc, argv);
  }
  pthread_mutex_lock(&lock);
  while (!p.done) {
    if (loop != STARTING) {
      pthread_cond_wait(&turn, &lock);
      continue;
    }
    pthread_mutex_unlock(&lock);
    run_loop();
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
  pthread_join(t, NULL);
  return p.status;
}

/* ---- Lua's side ---------------------------------------------------------- */
static bool given(const char *name) {
  const char *v = getenv(name);
  return v && *v;
}

/* Why no window is to be tried, or NULL. */
static const char *unwanted(void) {
  const char *headless = getenv("TIDE_HEADLESS");
  if (headless && *headless && strcmp(headless, "0") != 0)
    return "--headless or TIDE_HEADLESS=1 was given";
#ifndef __APPLE__
  if (!given("DISPLAY") && !given("WAYLAND_DISPLAY") && !given("SDL_VIDEODRIVER"))
    return "there is no display (DISPLAY is not set)";
#endif
  return NULL;
}

static void quit_at_exit(void) {
  if (td_plot_window_quit()) return;
  fflush(NULL); /* exit() would wait for a display that hangs */
  _exit(EXIT_FAILURE);
}

/* Under the lock: 0 when windows can be opened. */
static int start(void) {
  if (loop == ABSENT) {
    const char *no = unwanted();
    if (no) {
      td_plot_fail("%s", no);
      return TD_PLOT_NO_WINDOWS;
    }
    static bool registered;
    if (td__plot_desk.wake < 0) td__plot_desk.wake = open_event();
    if (!registered) registered = atexit(quit_at_exit) == 0;
    loop = STARTING;
    if (hosted) {
      pthread_cond_broadcast(&turn);
    } else if (!start_thread()) {
      loop = ABSENT;
      td_plot_fail("no thread could be started for the windows");
      return TD_PLOT_NOT_SHOWN;
    }
  }
  for (double end = td__plot_clock() + OPEN_S; loop == STARTING;)
    if (!wait_until(end)) break;
  if (loop == RUNNING) return 0;
  td_plot_fail("%s", loop == STARTING ? "the display does not answer"
                     : *why           ? why
                                      : "the program ends");
  return TD_PLOT_NO_WINDOWS;
}

static td_plot_window *find(const td_plot_figure *f) {
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next)
    if ((!f || w->figure == f) && w->state != TD_PLOT_GONE) return w;
  return NULL;
}

/* Under the lock: takes what is gone out of the list. */
static void sweep(void) {
  for (td_plot_window **at = &td__plot_desk.windows; *at;) {
    td_plot_window *w = *at;
    if (w->state != TD_PLOT_GONE || w->own || w->waiters) {
      at = &w->next;
      continue;
    }
    *at = w->next;
    td_plot_figure_drop(w->figure);
    free(w);
  }
}

/* Under the lock: waits while the window is in this state. */
static void wait_while(td_plot_window *w, td_plot_window_state state, double s) {
  w->waiters++;
  for (double end = td__plot_clock() + s; w->state == state && loop == RUNNING;)
    if (!wait_until(end)) break;
  w->waiters--;
}

static int ask_for(td_plot_figure *f) {
  td_plot_window *w = calloc(1, sizeof *w);
  if (!w) {
    td_plot_fail("out of memory");
    return TD_PLOT_NOT_SHOWN;
  }
  w->figure = td_plot_figure_keep(f);
  w->pause = TD_PLOT_PAUSE;
  td_plot_window **last = &td__plot_desk.windows;
  while (*last) last = &(*last)->next;
  *last = w;
  atomic_store(&f->on_change, on_change);
  wake();
  wait_while(w, TD_PLOT_ASKED, OPEN_S);
  if (w->state == TD_PLOT_OPEN) return TD_PLOT_SHOWN;
  td_plot_fail("%s", *w->error ? w->error : *why ? why : "the display does not answer");
  if (w->state == TD_PLOT_ASKED) w->state = TD_PLOT_CLOSING;
  return loop == ENDED ? TD_PLOT_NO_WINDOWS : TD_PLOT_NOT_SHOWN;
}

int td_plot_window_show(td_plot_figure *f) {
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  int rc = start();
  sweep();
  if (rc == 0 && !find(f)) rc = ask_for(f);
  pthread_mutex_unlock(&lock);
  return rc;
}

void td_plot_window_close(const td_plot_figure *f) {
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  td_plot_window *w = find(f);
  if (w) {
    w->state = TD_PLOT_CLOSING;
    wake();
    wait_while(w, TD_PLOT_CLOSING, ANSWER_S);
  }
  sweep();
  pthread_mutex_unlock(&lock);
}

bool td_plot_window_open(const td_plot_figure *f, int ms) {
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  for (double end = td__plot_clock() + ms * 1e-3; find(f);)
    if (!wait_until(end)) break;
  bool open = find(f) != NULL;
  sweep();
  pthread_mutex_unlock(&lock);
  return open;
}

bool td_plot_window_due(const td_plot_figure *f) {
  double now = td__plot_clock();
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  td_plot_window *w = find(f);
  bool due = w && w->state == TD_PLOT_OPEN && now >= w->due;
  if (due) w->due = now + w->pause;
  pthread_mutex_unlock(&lock);
  return due;
}

td_plot_window_cost td_plot_window_spent(const td_plot_figure *f) {
  td_plot_window_cost c = {.frames = 0};
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  td_plot_window *w = find(f);
  if (w) c = w->cost, w->cost = (td_plot_window_cost){.frames = 0};
  pthread_mutex_unlock(&lock);
  return c;
}

bool td_plot_window_quit(void) {
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  td__plot_desk.quit = true;
  if (loop == RUNNING || loop == STARTING) wake();
  for (double end = td__plot_clock() + ANSWER_S; loop == RUNNING || loop == STARTING;)
    if (!wait_until(end)) break;
  bool ended = loop == ABSENT || loop == ENDED;
  if (ended) sweep();
  pthread_mutex_unlock(&lock);
  return ended;
}
