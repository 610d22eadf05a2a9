/* repl_wait.c -- the wait for a key at the prompt, and what is served meanwhile. */
#define _GNU_SOURCE                   /* ppoll */
#include "vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SOURCES = 32 };

static vm_source *sources;
static int keys = STDIN_FILENO;       /* where what is waited for comes from */

void vm_wait_on(int fd) {
  keys = fd;
}

void vm_source_add(vm_source *s) {
  vm_source **p = &sources;
  while (*p && *p != s) p = &(*p)->next;
  if (*p) return;
  s->next = NULL;
  *p = s;
}

void vm_source_remove(vm_source *s) {
  vm_source **p = &sources;
  while (*p && *p != s) p = &(*p)->next;
  if (*p) *p = s->next;
}

/* A pipe that ends the wait: SIGINT is never held back at the prompt, or it would
** go to a thread of a library and come here behind keys that were typed later. */
static int wake[2] = { -1, -1 };

void vm_wait_wake(void) {
  if (wake[1] >= 0 && write(wake[1], "", 1) < 0) return;   /* full: it wakes */
}

static void open_wake(void) {
  if (wake[0] >= 0 || pipe2(wake, O_CLOEXEC | O_NONBLOCK)) return;
}

static void drain(void) {
  char bytes[64];
  while (read(wake[0], bytes, sizeof bytes) > 0) {}
}

static bool key_waits(void) {
  struct pollfd p = { .fd = keys, .events = POLLIN };
  return poll(&p, 1, 0) > 0;
}

/* Asks every source; returns ms until the next one is due, -1 for none. */
static int ask(lua_State *L) {
  int soonest = -1, top = lua_gettop(L);
  vm_interrupt_serving(true);
  for (vm_source *s = sources, *next; s; s = next) {
    next = s->next;                   /* it may remove itself */
    int ms = s->idle ? s->idle(s, L) : -1;
    if (ms >= 0 && (soonest < 0 || ms < soonest)) soonest = ms;
  }
  vm_interrupt_serving(false);
  lua_settop(L, top);
  return soonest;
}

static void serve_ready(lua_State *L, const struct pollfd *p, int count) {
  int top = lua_gettop(L);
  vm_interrupt_serving(true);
  for (int i = 2; i < count; i++) {
    if (!p[i].revents) continue;
    vm_source *s = sources;
    while (s && s->fd != p[i].fd) s = s->next;
    if (s && s->ready) s->ready(s, L);
  }
  vm_interrupt_serving(false);
  lua_settop(L, top);
}

static int fill(struct pollfd *p) {
  int n = 0;
  p[n++] = (struct pollfd){ .fd = keys, .events = POLLIN };
  p[n++] = (struct pollfd){ .fd = wake[0], .events = POLLIN };
  for (vm_source *s = sources; s && n < MOST_SOURCES; s = s->next)
    if (s->fd >= 0) p[n++] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
  return n;
}

bool vm_wait_input(lua_State *L, const sigset_t *mask, void (*before)(void)) {
  sigset_t held;
  pthread_sigmask(SIG_SETMASK, NULL, &held);
  open_wake();
  for (;;) {
    int ms = -1;
    drain();
    if (vm_interrupt_taken()) return false;
    if (sources && !key_waits()) {    /* typing comes first */
      pthread_sigmask(SIG_SETMASK, mask, NULL);
      ms = ask(L);
      pthread_sigmask(SIG_SETMASK, &held, NULL);
    }
    if (before) before();
    struct pollfd p[MOST_SOURCES];
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
    int count = fill(p);
    int n = ppoll(p, (nfds_t)count, ms < 0 ? NULL : &t, mask);
    if (vm_interrupt_taken()) return false;
    if (n < 0 && errno != EINTR) return true;   /* the read will tell */
    if (n > 0 && p[0].revents) return true;
    if (n > 0) {
      pthread_sigmask(SIG_SETMASK, mask, NULL);
      serve_ready(L, p, count);
      pthread_sigmask(SIG_SETMASK, &held, NULL);
    }
  }
}
