/* kernel_stream.c -- stdout, stderr and stdin of cells.
**
** What Lua and C print through stdio goes straight into the outbox, in order; descriptors 1 and 2 are
** pipes for everything else, such as the programs that a cell starts.  Reading from stdin asks the
** person at the notebook. */
#define _GNU_SOURCE                   /* fopencookie, pipe2 */
#include "vm/kernel.h"

#ifdef VM_HAS_KERNEL
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tensor/tensor.h"

#define K (&vm__kernel)
enum { MOST_WAITING = 8 << 20 };      /* bytes of text, until whoever prints has to wait */

/* ---- output ---- */

/* Adds text to the stream that is last in the outbox, or a new one; with the lock held. */
static void append(int stream, const char *text, size_t n) {
  vm_out *o = K->last;
  if (n == 0 || K->silent) return;
  if (!o || o->stream != stream || o->parent != K->parent) {
    o = calloc(1, sizeof *o);
    if (!o) return;
    *o = (vm_out){ .channel = VM_IOPUB, .type = "stream", .stream = stream,
                   .parent = vm__blob_keep(K->parent) };
    vm__outbox_add(o);
  }
  vm__text_add(&o->content, text, n);
  K->bytes += n;
}

void vm__stream_drain(void) {
  char bytes[8192];
  for (int i = 0; i < 2; i++)
    for (ssize_t n; (n = read(K->pipes[i], bytes, sizeof bytes)) > 0;) append(i + 1, bytes, (size_t)n);
}

/* Whoever prints faster than it can be sent waits, unless Ctrl-C comes. */
static void wait_for_room(void) {
  while (K->bytes > MOST_WAITING && !td_interrupt_flag && !K->quit) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 50000000;
    if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&K->sent, &K->lock, &t);
  }
}

static ssize_t take(void *cookie, const char *text, size_t n) {
  pthread_mutex_lock(&K->lock);
  vm__stream_drain();
  append(*(int *)cookie, text, n);
  wait_for_room();
  pthread_mutex_unlock(&K->lock);
  return (ssize_t)n;
}

void vm__stream_flush(void) {
  fflush(stdout);
  fflush(stderr);
}

/* ---- input ---- */

static char *line;                    /* of the last answer */
static size_t line_length, line_taken;

static ssize_t give(void *cookie, char *out, size_t room) {
  (void)cookie;
  if (line_taken == line_length) {
    vm__stream_flush();
    free(line);
    line_taken = line_length = 0;
    line = vm__kernel_ask("", false, &line_length);
    if (!line) return -1;             /* errno says why */
  }
  size_t n = line_length - line_taken;
  if (n > room) n = room;
  memcpy(out, line + line_taken, n);
  line_taken += n;
  return (ssize_t)n;
}

/* ---- in place of the standard streams ---- */

static FILE *real[3], *ours[3];
static int saved[3] = { -1, -1, -1 };

static luaL_Stream *handle(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, LUA_IOLIBNAME);
  lua_getfield(L, -1, name);
  luaL_Stream *p = luaL_testudata(L, -1, LUA_FILEHANDLE);
  lua_pop(L, 3);
  return p;
}

static void set_stream(lua_State *L, int i, FILE *f) {
  static const char *const names[] = { "stdin", "stdout", "stderr" };
  luaL_Stream *p = handle(L, names[i]);
  if (p && (p->f == real[i] || p->f == ours[i])) p->f = f;
  *(FILE **[]){ &stdin, &stdout, &stderr }[i] = f;
}

static bool redirect(int fd, int *end) {
  int pair[2];
  if (pipe2(pair, O_CLOEXEC)) return false;
  fcntl(pair[0], F_SETFL, O_NONBLOCK);
  *end = pair[0];
  saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  bool good = dup2(pair[1], fd) >= 0;
  close(pair[1]);
  return good;
}

bool vm__stream_open(lua_State *L) {
  static int numbers[] = { 0, 1, 2 };
  vm__stream_flush();
  K->real_stderr = fcntl(2, F_DUPFD_CLOEXEC, 3);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  saved[0] = fcntl(0, F_DUPFD_CLOEXEC, 3);
  if (null < 0 || dup2(null, 0) < 0) return false;
  close(null);
  if (!redirect(1, &K->pipes[0]) || !redirect(2, &K->pipes[1])) return false;
  for (int i = 0; i < 3; i++) {
    cookie_io_functions_t f = { .read = i == 0 ? give : NULL, .write = i ? take : NULL };
    real[i] = *(FILE **[]){ &stdin, &stdout, &stderr }[i];
    if (!(ours[i] = fopencookie(&numbers[i], i ? "w" : "r", f))) return false;
    setvbuf(ours[i], NULL, i == 2 ? _IONBF : i == 1 ? _IOLBF : _IOFBF, BUFSIZ);
    set_stream(L, i, ours[i]);
  }
  return true;
}

void vm__stream_close(lua_State *L) {
  vm__stream_flush();
  for (int i = 0; i < 3; i++) {
    if (!ours[i]) continue;
    set_stream(L, i, real[i]);
    fclose(ours[i]);
    if (saved[i] >= 0) dup2(saved[i], i);
    if (saved[i] >= 0) close(saved[i]);
  }
  for (int i = 0; i < 2; i++) close(K->pipes[i]);
  free(line);
  line = NULL;
}
#else
typedef int vm_no_kernel;
#endif
