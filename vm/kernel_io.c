/* kernel_io.c -- the thread that owns the sockets of the kernel.
**
** It takes requests from the shell channel into the inbox and sends what the outbox holds, in order.
** Streams wait a moment, so that many small prints become few messages.  What cannot wait for Lua is
** answered here: the heartbeat, interrupts, the end. */
#include "vm/kernel.h"

#ifdef VM_HAS_KERNEL
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "tensor/pool.h"
#include "vm/vm.h"

#define STREAM_PAUSE 0.03             /* seconds that text waits for more of its kind */
enum {
  STREAM_BYTES = 32 << 10,            /* that go out at once */
  PARENT_MS = 500,                    /* between looks at the process that started us */
  STRAGGLER_MS = 5                    /* requests that were sent before a cell failed */
};
#define LAST_SECONDS 1.5              /* that Lua has to come to its end */

vm_kernel vm__kernel = { .lock = PTHREAD_MUTEX_INITIALIZER, .sent = PTHREAD_COND_INITIALIZER };
#define K (&vm__kernel)

double vm__kernel_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void wake(int fd) {
  uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0) return;   /* full: it is awake */
}

/* ---- the outbox ---- */

void vm__outbox_add(vm_out *o) {
  o->next = NULL;
  if (!o->born) o->born = vm__kernel_now();
  if (o->stream) K->bytes += o->content.n;
  *K->outbox_end = o;
  K->outbox_end = &o->next;
  K->last = o;
  wake(K->outbox_wake);
}

void vm__outbox_flush(void) {
  pthread_mutex_lock(&K->lock);
  while ((K->outbox || K->busy_sending) && !K->done) pthread_cond_wait(&K->sent, &K->lock);
  pthread_mutex_unlock(&K->lock);
}

/* Half a character at the end of a stream stays for the text that follows; with the lock held. */
static void keep_open_end(vm_out *o) {
  size_t k = o->next ? 0 : vm__text_open_end(o->content.data, o->content.n);
  if (k == 0 || k == o->content.n) return;
  vm_out *rest = calloc(1, sizeof *rest);
  if (!rest) return;
  *rest = *o;
  rest->content = (vm_text){ 0 };
  rest->metadata = (vm_text){ 0 };
  rest->parent = vm__blob_keep(o->parent);
  rest->born = 0;
  vm__text_add(&rest->content, o->content.data + o->content.n - k, k);
  o->content.n -= k;
  K->bytes -= k;
  vm__outbox_add(rest);
}

/* The message that goes out now, or NULL and the seconds until there may be one (-1: no idea). */
static vm_out *next_out(double *wait) {
  vm_out *o = K->outbox;
  *wait = -1;
  if (!o) return NULL;
  if (o->stream && !o->next && !K->quit && o->content.n < STREAM_BYTES) {
    *wait = o->born + STREAM_PAUSE - vm__kernel_now();
    if (*wait > 0) return NULL;
  }
  if (o->stream) {
    keep_open_end(o);
    K->bytes -= o->content.n;
  }
  K->outbox = o->next;
  if (!K->outbox) K->outbox_end = &K->outbox;
  if (!K->outbox) K->last = NULL;
  K->busy_sending = true;
  return o;
}

/* ---- requests ---- */

static void complain(const char *why) {
  if (why) dprintf(K->real_stderr, "tide kernel: a message is dropped: %s\n", why);
}

static void put(vm_request *r, vm_request ***end, int fd) {
  r->next = NULL;
  **end = r;
  *end = &r->next;
  wake(fd);
}

static bool message_waits(void *socket) {
  int events = 0;
  size_t size = sizeof events;
  return vm__zmq.getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

static void receive_all(int channel, bool aborted) {
  while (message_waits(K->sockets[channel])) {
    const char *why;
    vm_request *r = vm__wire_receive(K->sockets[channel], channel, &K->key, &why);
    complain(why);
    if (!r) continue;
    r->aborted = aborted;
    pthread_mutex_lock(&K->lock);
    if (channel == VM_STDIN) put(r, &K->answers_end, K->answers_wake);
    else put(r, &K->inbox_end, K->inbox_wake);
    pthread_mutex_unlock(&K->lock);
  }
}

/* A cell has failed and its reply is about to go out: whoever sent more before is told so. */
static void abort_waiting(void) {
  zmq_pollitem_t item = { .socket = K->sockets[VM_SHELL], .events = ZMQ_POLLIN };
  while (vm__zmq.poll(&item, 1, STRAGGLER_MS) > 0 && message_waits(K->sockets[VM_SHELL]))
    receive_all(VM_SHELL, true);
  pthread_mutex_lock(&K->lock);
  for (vm_request *r = K->inbox; r; r = r->next) r->aborted = true;
  pthread_mutex_unlock(&K->lock);
}

/* ---- control: answered here ---- */

static void answer(int channel, const vm_request *r, const char *type, const char *content) {
  vm_out o = { .channel = channel, .type = type, .parent = r->frames[VM_HEADER] };
  if (channel == VM_CONTROL) o.ids = r->ids, o.nids = r->nids;
  vm__text_puts(&o.content, content);
  vm__wire_send(K->sockets[channel], &K->key, &o);
  free(o.content.data);
}

/* As from the keyboard: the processes that a cell has started get it, too. */
static void interrupt(void) {
  if (getpgrp() == getpid()) kill(0, SIGINT);
  else kill(getpid(), SIGINT);
}

static void quit(void) {
  pthread_mutex_lock(&K->lock);
  bool again = K->quit;
  if (!again) K->quit_at = vm__kernel_now();
  K->quit = true;
  pthread_mutex_unlock(&K->lock);
  if (again) return;
  if (!vm_interrupt_leaving()) kill(getpid(), SIGTERM);   /* interrupt.c stops what runs */
  wake(K->inbox_wake);
  wake(K->answers_wake);
}

static void shut_down(const vm_request *r) {
  const vm_blob *content = r->frames[VM_CONTENT];
  cJSON *json = vm__cjson.ParseWithLength(content->data, content->n);
  bool restart = json && vm__cjson.IsTrue(vm__cjson.GetObjectItemCaseSensitive(json, "restart"));
  vm__cjson.Delete(json);
  answer(r->channel, r, "shutdown_reply", restart ? "{\"status\":\"ok\",\"restart\":true}"
                                                  : "{\"status\":\"ok\",\"restart\":false}");
  quit();
}

static void control(const vm_request *r) {
  answer(VM_IOPUB, r, "status", "{\"execution_state\":\"busy\"}");
  if (!strcmp(r->type, "kernel_info_request")) answer(VM_CONTROL, r, "kernel_info_reply", K->info->data);
  else if (!strcmp(r->type, "interrupt_request")) {
    interrupt();
    answer(VM_CONTROL, r, "interrupt_reply", "{\"status\":\"ok\"}");
  } else if (!strcmp(r->type, "shutdown_request")) {
    shut_down(r);
  }
  answer(VM_IOPUB, r, "status", "{\"execution_state\":\"idle\"}");
}

static void receive_control(void) {
  while (message_waits(K->sockets[VM_CONTROL])) {
    const char *why;
    vm_request *r = vm__wire_receive(K->sockets[VM_CONTROL], VM_CONTROL, &K->key, &why);
    complain(why);
    if (r) control(r);
    vm__request_free(r);
  }
}

/* Somebody listens from now on: says so, since what was sent before is lost to them. */
static void receive_subscription(void) {
  while (message_waits(K->sockets[VM_IOPUB])) {
    zmq_msg_t m;
    vm__zmq.msg_init(&m);
    if (vm__zmq.msg_recv(&m, K->sockets[VM_IOPUB], ZMQ_DONTWAIT) >= 0) {
      const char *data = vm__zmq.msg_data(&m);
      size_t n = vm__zmq.msg_size(&m);
      if (n > 0 && data[0] == 1) {
        vm_out o = { .channel = VM_IOPUB, .type = "iopub_welcome" };
        vm__text_puts(&o.content, "{\"subscription\":");
        vm__text_quote(&o.content, data + 1, n - 1);
        vm__text_puts(&o.content, "}");
        vm__wire_send(K->sockets[VM_IOPUB], &K->key, &o);
        free(o.content.data);
      }
    }
    vm__zmq.msg_close(&m);
  }
}

/* ---- the thread ---- */

static bool is_orphan(void) {
  if (K->parent_pid <= 1) return false;
  return getppid() == 1 || (kill((pid_t)K->parent_pid, 0) && errno == ESRCH);
}

/* Sends what is due; seconds until the next look at the outbox, -1 for none. */
static double send_due(void) {
  for (;;) {
    double wait;
    pthread_mutex_lock(&K->lock);
    vm_out *o = next_out(&wait);
    pthread_mutex_unlock(&K->lock);
    if (!o) return wait;
    if (o->aborts) abort_waiting();
    vm__wire_send(K->sockets[o->channel], &K->key, o);
    vm__out_free(o);
    pthread_mutex_lock(&K->lock);
    K->busy_sending = false;
    pthread_cond_broadcast(&K->sent);
    pthread_mutex_unlock(&K->lock);
  }
}

/* Is it over?  Where Lua does not come to its end, the process does. */
static bool is_over(void) {
  pthread_mutex_lock(&K->lock);
  bool done = K->done, late = K->quit && vm__kernel_now() > K->quit_at + LAST_SECONDS;
  pthread_mutex_unlock(&K->lock);
  if (late && !done) {
    nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);   /* libzmq sends the reply */
    _exit(0);
  }
  return done;
}

static void drain(int fd) {
  uint64_t count;
  if (read(fd, &count, sizeof count) < 0) return;
}

static void *run(void *unused) {
  enum { WAKE = VM_CHANNELS, OUT, ERR, COUNT };
  zmq_pollitem_t items[COUNT];
  (void)unused;
  for (int i = 0; i < VM_CHANNELS; i++)
    items[i] = (zmq_pollitem_t){ .socket = K->sockets[i], .events = ZMQ_POLLIN };
  items[WAKE] = (zmq_pollitem_t){ .fd = K->outbox_wake, .events = ZMQ_POLLIN };
  items[OUT] = (zmq_pollitem_t){ .fd = K->pipes[0], .events = ZMQ_POLLIN };
  items[ERR] = (zmq_pollitem_t){ .fd = K->pipes[1], .events = ZMQ_POLLIN };
  while (!is_over()) {
    double wait = send_due();
    long ms = wait >= 0 && wait < 1e-3 * PARENT_MS ? (long)(1e3 * wait) + 1 : PARENT_MS;
    pthread_mutex_lock(&K->lock);
    if (K->quit && ms > 20) ms = 20;
    pthread_mutex_unlock(&K->lock);
    if (vm__zmq.poll(items, COUNT, ms) < 0 && errno != EINTR) break;
    if (items[VM_HEARTBEAT].revents) vm__wire_echo(K->sockets[VM_HEARTBEAT]);
    receive_subscription();
    receive_control();
    receive_all(VM_SHELL, false);
    receive_all(VM_STDIN, false);
    if (items[WAKE].revents) drain(K->outbox_wake);
    if (items[OUT].revents || items[ERR].revents) {
      pthread_mutex_lock(&K->lock);
      vm__stream_drain();
      pthread_mutex_unlock(&K->lock);
    }
    if (is_orphan()) quit();
    if (vm_interrupt_leaving()) wake(K->inbox_wake);   /* a signal may come just before the wait */
  }
  send_due();
  return NULL;
}

bool vm__kernel_start(void) { return td_thread_start(&K->thread, run, NULL); }

static void free_requests(vm_request *r) {
  while (r) {
    vm_request *next = r->next;
    vm__request_free(r);
    r = next;
  }
}

void vm__kernel_stop(void) {
  pthread_mutex_lock(&K->lock);
  K->quit = K->done = true;
  pthread_mutex_unlock(&K->lock);
  wake(K->outbox_wake);
  pthread_join(K->thread, NULL);
  for (int i = 0; i < VM_CHANNELS; i++) vm__zmq.close(K->sockets[i]);
  vm__zmq.ctx_term(K->context);
  free_requests(K->inbox);
  free_requests(K->answers);
  vm__blob_drop(K->parent);
  vm__blob_drop(K->info);
}
#else
typedef int vm_no_kernel;
#endif
