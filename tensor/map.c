/* map.c -- files in memory without reading them.
**
** Mappings are private: pages come from the file when they are touched, and what
** is written to a tensor stays in this process (copy on write).
**
** A file that another program cuts short has no pages behind its new end, and
** touching them raises SIGBUS.  The handler here puts pages of zeros there, marks
** the mapping as broken and lets the reader go on; every kernel, and every look at
** single values, asks about broken mappings before and after, so that what was
** made of those zeros is an error and never a result. */
#include "map.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct td_map {
  int refs, fd;
  char *base;
  size_t bytes;
  volatile sig_atomic_t broken;
  struct td_map *next;
  char path[];
};

int td__maps;
static td_map *volatile first;             /* the handler walks this list */
static struct sigaction before;

/* Only system calls: this runs in whatever thread touched the page. */
static bool mend(char *p) {
  td_map *m = first;
  while (m && (p < m->base || p >= m->base + m->bytes)) m = m->next;
  if (!m) return false;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t from = (size_t)(p - m->base) / page * page;
  int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
  m->broken = 1;
  return mmap(m->base + from, m->bytes - from, PROT_READ | PROT_WRITE, flags, -1,
              0) != MAP_FAILED;
}

static void on_bus(int signal, siginfo_t *info, void *context) {
  int saved = errno;
  bool mended = mend(info->si_addr);
  errno = saved;
  if (mended) return;
  if (before.sa_flags & SA_SIGINFO) before.sa_sigaction(signal, info, context);
  else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)
    sigaction(SIGBUS, &before, NULL);      /* it happens again, and is theirs */
  else before.sa_handler(signal);
}

static void watch(void) {
  struct sigaction now = { .sa_sigaction = on_bus,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;
  sigemptyset(&now.sa_mask);
  if (!sigaction(SIGBUS, &now, &old) &&
      !(old.sa_flags & SA_SIGINFO && old.sa_sigaction == on_bus)) before = old;
}

td_map *td__map_open(const char *path, int fd, uint64_t size) {
  td_map *m = malloc(sizeof *m + strlen(path) + 1);
  if (!m) return td_fail_null(TD_ENOMEM, "%s: out of memory", path);
  *m = (td_map){ .refs = 1, .bytes = (size_t)size, .next = first };
  strcpy(m->path, path);
  m->base = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
                 MAP_NORESERVE, fd, 0);
  if (m->base == MAP_FAILED || (m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
    td_fail(TD_EIO, "%s: cannot be mapped: %s", path, strerror(errno));
    if (m->base != MAP_FAILED) munmap(m->base, m->bytes);
    free(m);
    return NULL;
  }
  if (!td__maps++) watch();
  first = m;
  return m;
}

void td__map_drop(td_map *m) {
  if (!m || --m->refs) return;
  td_map *volatile *p = &first;
  while (*p != m) p = (td_map *volatile *)&(*p)->next;
  *p = m->next;
  td__maps--;
  munmap(m->base, m->bytes);
  close(m->fd);
  free(m);
}

td_tensor *td__map_tensor(td_map *m, uint64_t at, td_dtype dtype, int ndim,
                          const int64_t *shape) {
  td_tensor *t = td__new_struct();
  if (!t) return NULL;
  t->buf = td__small_alloc(sizeof *t->buf);
  if (!t->buf) {
    td_drop(t);
    return NULL;
  }
  t->dtype = dtype;
  t->ndim = (uint8_t)ndim;
  t->be = td_cpu();
  t->data = m->base + at;
  for (int64_t d = ndim - 1, step = 1; d >= 0; step *= shape[d--]) {
    t->shape[d] = shape[d];
    t->stride[d] = step;
  }
  *t->buf = (td_buffer){ .refs = 1, .be = t->be, .mem = t->data, .map = m,
    .bytes = (size_t)td__numel(t) * td_dtype_size(dtype) };
  m->refs++;
  return td__scoped(t);
}

td_status td__map_check(const td_tensor *t) {
  const td_map *m = t->buf->map;
  struct stat s;
  uint64_t end = (uint64_t)((char *)t->buf->mem - m->base) + t->buf->bytes;
  if (!m->broken && !fstat(m->fd, &s) && (uint64_t)s.st_size >= end) return TD_OK;
  return td_fail(TD_EIO, "%s: the file was cut short, or could not be read, while "
    "it was mapped; its tensors are lost, load it again", m->path);
}
