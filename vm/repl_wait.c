/* repl_wait.c -- the wait for a key at the prompt, and what is served meanwhile. */
#define _GNU_SOURCE                   /* ppoll */
#include "vm/vm.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SOURCES = 32 };

static vm_source *sources;

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

static bool key_waits(void) {
  struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
  return poll(&p, 1, 0) > 0;
}

/* Asks every source; returns ms until the next one is due, -1 for none. */
static int ask(lua_State *L) {
  int soonest = -1, top = lua_gettop(L);
  for (vm_source *s = sources, *next; s; s = next) {
    next = s->next;                   /* it may remove itself */
    int ms = s->idle ? s->idle(s, L) : -1;
    if (ms >= 0 && (soonest < 0 || ms < soonest)) soonest = ms;
  }
  lua_settop(L, top);
  return soonest;
}

static void serve_ready(lua_State *L, const struct pollfd *p, int count) {
  int top = lua_gettop(L);
  for (int i = 1; i < count; i++) {
    if (!p[i].revents) continue;
    vm_source *s = sources;
    while (s && s->fd != p[i].fd) s = s->next;
    if (s && s->ready) s->ready(s, L);
  }
  lua_settop(L, top);
}

static int fill(struct pollfd *p) {
  int n = 0;
  p[n++] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
  for (vm_source *s = sources; s && n < MOST_SOURCES; s = s->next)
    if (s->fd >= 0) p[n++] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
  return n;
}

bool vm_wait_input(lua_State *L, const sigset_t *mask, void (*before)(void)) {
  sigset_t held, closed;              /* as it is; during the last look */
  pthread_sigmask(SIG_SETMASK, NULL, &held);
  closed = held;
  sigaddset(&closed, SIGINT);
  for (;;) {
    int ms = -1;
    if (vm_interrupt_taken()) return false;
    if (sources && !key_waits()) {    /* typing comes first */
      pthread_sigmask(SIG_SETMASK, mask, NULL);
      ms = ask(L);
      pthread_sigmask(SIG_SETMASK, &held, NULL);
    }
    if (before) before();
    struct pollfd p[MOST_SOURCES];
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
    int count = fill(p), n = 0, error = 0;
    pthread_sigmask(SIG_SETMASK, &closed, NULL);
    bool pressed = vm_interrupt_taken();
    if (!pressed) {
      n = ppoll(p, (nfds_t)count, ms < 0 ? NULL : &t, mask);
      error = errno;
    }
    pthread_sigmask(SIG_SETMASK, &held, NULL);
    if (pressed || vm_interrupt_taken()) return false;
    if (n < 0 && error != EINTR) return true;   /* the read will tell */
    if (n > 0 && p[0].revents) return true;
    if (n > 0) {
      pthread_sigmask(SIG_SETMASK, mask, NULL);
      serve_ready(L, p, count);
      pthread_sigmask(SIG_SETMASK, &held, NULL);
    }
  }
}
