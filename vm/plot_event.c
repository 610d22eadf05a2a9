/* plot_event.c -- what was done to widgets, queued until Lua asks for it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vm/plot_panel.h"

static atomic_int pending;
static atomic_int bell = -1;

static bool is_motion(td_plot_news_kind k) {
  return k == TD_PLOT_NEWS_DRAG || k == TD_PLOT_NEWS_HOVER || k == TD_PLOT_NEWS_SEEK;
}

static td_plot_news *at(td_plot_queue *q, int i) {
  return &q->item[(q->first + i) % TD_PLOT_QUEUE];
}

static void ring(void) {
  uint64_t one = 1;
  int fd = atomic_load(&bell);
  if (fd >= 0 && write(fd, &one, sizeof one) < 0) return; /* it rings already */
}

/* Takes the oldest motion out; false when there is none. */
static bool make_room(td_plot_queue *q) {
  int k = 0;
  while (k < q->n && !is_motion(at(q, k)->kind)) k++;
  if (k == q->n) return false;
  for (; k + 1 < q->n; k++) *at(q, k) = *at(q, k + 1);
  q->n--;
  atomic_fetch_sub(&pending, 1);
  return true;
}

void td_plot_queue_add(td_plot_queue *q, td_plot_news n) {
  for (int k = q->n - 1; k >= 0 && is_motion(n.kind); k--) {
    td_plot_news *old = at(q, k);
    if (old->serial != n.serial) continue;
    if (old->kind != n.kind) break;
    *old = n;
    ring();
    return;
  }
  if (q->n == TD_PLOT_QUEUE && !make_room(q)) return;
  *at(q, q->n++) = n;
  atomic_fetch_add(&pending, 1);
  ring();
}

bool td_plot_queue_take(td_plot_queue *q, td_plot_news *out) {
  if (q->n == 0) return false;
  *out = *at(q, 0);
  q->first = (q->first + 1) % TD_PLOT_QUEUE;
  q->n--;
  atomic_fetch_sub(&pending, 1);
  return true;
}

void td_plot_queue_clear(td_plot_queue *q) {
  atomic_fetch_sub(&pending, q->n);
  q->n = 0;
}

int td_plot_queue_pending(void) { return atomic_load(&pending); }

static void open_bell(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd >= 0 && fd <= STDERR_FILENO) { /* never in the place of a standard stream */
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    fd = higher;
  }
  atomic_store(&bell, fd);
  if (td_plot_queue_pending() > 0) ring();
}

int td_plot_queue_fd(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_bell);
  return atomic_load(&bell);
}

void td_plot_queue_quiet(void) {
  uint64_t count;
  int fd = atomic_load(&bell);
  if (fd >= 0 && read(fd, &count, sizeof count) < 0) return; /* it did not ring */
}

void td_plot_queue_wait(int ms) {
  struct pollfd p = {.fd = td_plot_queue_fd(), .events = POLLIN};
  if (td_plot_queue_pending() == 0) poll(&p, 1, ms);
  td_plot_queue_quiet();
}
