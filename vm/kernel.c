/* kernel.c -- module tide.kernel.core: the loop in which Lua answers requests of a notebook.
**
** What a request means and what is answered is decided in lua/tide/kernel/; here are the order of
** messages, Ctrl-C, and the wait between two requests, in which jobs run. */
#define _GNU_SOURCE                   /* ppoll */
#include "vm/kernel.h"

#include <lauxlib.h>

#include "lua/lua_td.h"
#include "vm/vm.h"

#ifdef VM_HAS_KERNEL
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define K (&vm__kernel)

static vm_request *current;           /* that is being answered, or NULL */
static bool answered;
static bool may_ask;                  /* the person who runs the cell can be asked */

/* ---- messages ---- */

static const char *const types[] = {
  "status", "stream", "execute_input", "execute_result", "execute_reply", "error", "display_data",
  "update_display_data", "clear_output", "complete_reply", "inspect_reply", "is_complete_reply",
  "history_reply", "comm_info_reply", "kernel_info_reply", "comm_open", "comm_msg", "comm_close",
  "input_request", NULL
};

/* A message for one of the channels that answers `r`, or belongs to what cells show. */
static vm_out *new_out(int channel, const char *type, const vm_request *r) {
  vm_out *o = calloc(1, sizeof *o);
  if (!o) return NULL;
  o->channel = channel;
  o->type = type;
  o->parent = vm__blob_keep(r ? r->frames[VM_HEADER] : K->parent);
  if (!r || channel == VM_IOPUB) return o;
  o->ids = calloc((size_t)r->nids + 1, sizeof *o->ids);
  for (int i = 0; o->ids && i < r->nids; i++) o->ids[o->nids++] = vm__blob_keep(r->ids[i]);
  return o;
}

/* Sends it after all that was printed before. */
static void post(vm_out *o) {
  vm__stream_flush();
  pthread_mutex_lock(&K->lock);
  vm__stream_drain();
  vm__outbox_add(o);
  pthread_mutex_unlock(&K->lock);
}

static void post_status(const vm_request *r, const char *content) {
  vm_out *o = new_out(VM_IOPUB, "status", r);
  if (!o) return;
  vm__text_puts(&o->content, content);
  post(o);
}

/* send(channel, type, content [, metadata [, how]]): JSON texts.  Channel "reply" answers the request,
** "iopub" goes with it, "output" with the cell that ran last.  how = "abort": what waits is not run. */
static int l_send(lua_State *L) {
  static const char *const channels[] = { "reply", "iopub", "output", NULL };
  int where = luaL_checkoption(L, 1, NULL, channels);
  const char *type = types[luaL_checkoption(L, 2, NULL, types)];
  size_t n, m;
  const char *content = luaL_checklstring(L, 3, &n), *metadata = luaL_optlstring(L, 4, "", &m);
  bool aborts = !lua_isnoneornil(L, 5);
  if (where == 0 && !current) return 0;
  if (where == 0) answered = true;
  vm_out *o = new_out(where == 0 ? current->channel : VM_IOPUB, type, where == 2 ? NULL : current);
  if (!o) return luaL_error(L, "not enough memory for a message");
  o->aborts = aborts;
  vm__text_add(&o->content, content, n);
  vm__text_add(&o->metadata, metadata, m);
  post(o);
  if (aborts) vm__outbox_flush();
  return 0;
}

/* ---- requests ---- */

static void drain(int fd) {
  uint64_t count;
  if (read(fd, &count, sizeof count) < 0) return;
}

static vm_request *pop(vm_request **first, vm_request ***end) {
  pthread_mutex_lock(&K->lock);
  vm_request *r = *first;
  if (r && !(*first = r->next)) *end = first;
  pthread_mutex_unlock(&K->lock);
  return r;
}

static bool is_over(void) {
  pthread_mutex_lock(&K->lock);
  bool over = K->quit;
  pthread_mutex_unlock(&K->lock);
  return over || vm_interrupt_leaving();
}

/* The next request, after jobs had the time until then; NULL at the end. */
static vm_request *next_request(lua_State *L) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  while (!is_over()) {
    vm_request *r = pop(&K->inbox, &K->inbox_end);
    if (r) return r;
    if (vm_wait_input(L, &mask, NULL)) drain(K->inbox_wake);
  }
  return NULL;
}

/* What went wrong in our own code, on top of the stack, as the answer. */
static void apologize(lua_State *L) {
  char type[64];
  size_t n;
  const char *text = luaL_tolstring(L, -1, &n);
  dprintf(K->real_stderr, "tide kernel: %s: %s\n", current->type, text);
  int stem = (int)strlen(current->type) - (int)sizeof "_request" + 1;
  if (answered || stem <= 0 || strcmp(current->type + stem, "_request")) return;
  snprintf(type, sizeof type, "%.*s_reply", stem < 50 ? stem : 50, current->type);
  int i = 0;
  while (types[i] && strcmp(types[i], type)) i++;
  vm_out *o = types[i] ? new_out(current->channel, types[i], current) : NULL;
  if (!o) return;
  vm__text_puts(&o->content, "{\"status\":\"error\",\"ename\":\"Kernel\",\"traceback\":[],\"evalue\":");
  vm__text_quote(&o->content, text, n);
  vm__text_puts(&o->content, "}");
  post(o);
}

static void handle(lua_State *L, vm_request *r) {
  int top = lua_gettop(L);
  bool cell = !strcmp(r->type, "execute_request");
  current = r;
  answered = false;
  post_status(r, "{\"execution_state\":\"busy\"}");
  if (cell) {
    pthread_mutex_lock(&K->lock);
    vm__blob_drop(K->parent);
    K->parent = vm__blob_keep(r->frames[VM_HEADER]);
    pthread_mutex_unlock(&K->lock);
  }
  lua_pushvalue(L, 1);
  lua_pushstring(L, r->type);
  for (int i = 0; i < VM_FRAMES; i++) lua_pushlstring(L, r->frames[i]->data, r->frames[i]->n);
  lua_pushboolean(L, r->aborted);
  if (lua_pcall(L, 2 + VM_FRAMES, 0, 0) != LUA_OK) apologize(L);
  if (cell) vm_jobs_statement(L);
  post_status(r, "{\"execution_state\":\"idle\"}");
  pthread_mutex_lock(&K->lock);
  K->silent = false;
  pthread_mutex_unlock(&K->lock);
  may_ask = false;
  current = NULL;
  vm__request_free(r);
  lua_settop(L, top);
}

/* ---- between requests: what jobs and widgets have changed ---- */

static int idle(vm_source *s, lua_State *L) {
  (void)s;
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
    dprintf(K->real_stderr, "tide kernel: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
    return -1;
  }
  int ms = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return ms;
}

/* serve(handler, between): answers requests until the end is asked for.  handler(type, header, parent,
** metadata, content, aborted); between() may work while none waits and says in how many ms again. */
static int l_serve(lua_State *L) {
  static vm_source source = { .idle = idle, .fd = -1 };
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  vm_interrupt_prompt(true);
  vm_interrupt_leave(L);
  vm_wait_on(K->inbox_wake);
  vm_jobs_prompt(L);
  vm_source_add(&source);
  for (vm_request *r; (r = next_request(L));) handle(L, r);
  vm_source_remove(&source);
  vm_jobs_prompt(NULL);
  vm_jobs_cancel(L);
  vm_interrupt_prompt(false);
  vm__stream_close(L);
  vm__kernel_stop();
  return 0;
}

/* ---- cells ---- */

/* call(f, explain): pcall with Ctrl-C; errors go through explain. */
static int l_call(lua_State *L) {
  lua_settop(L, 2);
  lua_insert(L, 1);
  vm_interrupt_enter(L);
  int status = lua_pcall(L, 0, LUA_MULTRET, 1);
  vm_interrupt_leave(L);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 1);
  return lua_gettop(L);
}

/* cell(silent, may_ask): what the request says of the cell that begins */
static int l_cell(lua_State *L) {
  pthread_mutex_lock(&K->lock);
  K->silent = lua_toboolean(L, 1);
  pthread_mutex_unlock(&K->lock);
  may_ask = lua_toboolean(L, 2);
  return 0;
}

/* parent(): the header that outputs answer, as text, or nil; parent(text): another one from now on */
static int l_parent(lua_State *L) {
  size_t n;
  const char *text = luaL_optlstring(L, 1, NULL, &n);
  vm__stream_flush();
  pthread_mutex_lock(&K->lock);
  vm__stream_drain();
  vm_blob *b = text ? vm__blob(text, n) : vm__blob_keep(K->parent);
  if (text && b) {
    vm__blob_drop(K->parent);
    K->parent = vm__blob_keep(b);
  }
  pthread_mutex_unlock(&K->lock);
  if (b) lua_pushlstring(L, b->data, b->n);
  else lua_pushnil(L);
  vm__blob_drop(b);
  return 1;
}

static int l_may_ask(lua_State *L) {
  lua_pushboolean(L, may_ask);
  return 1;
}

/* The value of an input_reply as a line. */
static char *answer_line(const vm_request *r, size_t *length) {
  cJSON *json = vm__cjson.ParseWithLength(r->frames[VM_CONTENT]->data, r->frames[VM_CONTENT]->n);
  const char *value = json ? vm__cjson.GetStringValue(vm__cjson.GetObjectItemCaseSensitive(json, "value"))
                           : NULL;
  vm_text t = { 0 };
  if (value) vm__text_puts(&t, value);
  vm__text_puts(&t, "\n");
  vm__cjson.Delete(json);
  *length = t.n;
  return t.data;
}

char *vm__kernel_ask(const char *prompt, bool password, size_t *length) {
  vm_request *r;
  sigset_t held, was;
  struct pollfd p = { .fd = K->answers_wake, .events = POLLIN };
  errno = ENOTSUP;
  if (!may_ask || !current) return NULL;
  while ((r = pop(&K->answers, &K->answers_end))) vm__request_free(r);   /* of a question given up */
  vm_out *o = new_out(VM_STDIN, "input_request", current);
  if (!o) return NULL;
  vm__text_puts(&o->content, "{\"prompt\":");
  vm__text_quote(&o->content, prompt, strlen(prompt));
  vm__text_puts(&o->content, password ? ",\"password\":true}" : ",\"password\":false}");
  post(o);
  sigemptyset(&held);
  sigaddset(&held, SIGINT);
  sigaddset(&held, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &held, &was);
  while (!(r = pop(&K->answers, &K->answers_end)) && !td_interrupt_flag && !is_over()) {
    ppoll(&p, 1, NULL, &was);
    drain(K->answers_wake);
  }
  pthread_sigmask(SIG_SETMASK, &was, NULL);
  errno = EINTR;
  if (!r) return NULL;
  char *line = answer_line(r, length);
  vm__request_free(r);
  return line;
}

/* ask(prompt, password): the line, or nil after Ctrl-C */
static int l_ask(lua_State *L) {
  size_t n = 0;
  char *line = vm__kernel_ask(luaL_optstring(L, 1, ""), lua_toboolean(L, 2), &n);
  if (line) lua_pushlstring(L, line, n - 1);
  else lua_pushnil(L);
  free(line);
  return 1;
}

/* repair(text): with U+FFFD in the place of bytes that are no UTF-8 */
static int l_repair(lua_State *L) {
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t i = 0; i < n;) {
    size_t k = vm__text_character(s + i, n - i);
    if (k) luaL_addlstring(&b, s + i, k);
    else luaL_addlstring(&b, "\xEF\xBF\xBD", 3);
    i += k ? k : 1;
  }
  luaL_pushresult(&b);
  return 1;
}

/* ---- the start ---- */

static const char *field(lua_State *L, const char *name, const char *standard) {
  lua_getfield(L, 1, name);           /* stays on the stack as long as it is used */
  const char *text = lua_tostring(L, -1);
  if (!text && !standard) luaL_error(L, "the connection file has no '%s'", name);
  return text ? text : standard;
}

static void bind_channel(lua_State *L, int i, int type, const char *port) {
  const char *transport = field(L, "transport", "tcp"), *ip = field(L, "ip", "127.0.0.1");
  const char *address = lua_pushfstring(L, "%s://%s%s%s", transport, ip, strcmp(transport, "ipc") ? ":" : "-",
                                        field(L, port, NULL));
  int linger = 1000, all = 0;
  K->sockets[i] = vm__zmq.socket(K->context, type);
  if (!K->sockets[i]) luaL_error(L, "no socket: %s", vm__zmq.strerror(errno));
  vm__zmq.setsockopt(K->sockets[i], ZMQ_LINGER, &linger, sizeof linger);
  vm__zmq.setsockopt(K->sockets[i], ZMQ_SNDHWM, &all, sizeof all);   /* nothing is dropped */
  vm__zmq.setsockopt(K->sockets[i], ZMQ_RCVHWM, &all, sizeof all);
  if (vm__zmq.bind(K->sockets[i], address))
    luaL_error(L, "cannot listen at %s: %s", address, vm__zmq.strerror(errno));
}

static void set_key(lua_State *L) {
  const char *scheme = field(L, "signature_scheme", "hmac-sha256");
  const char *key = field(L, "key", "");
  K->key.n = strlen(key);
  if (K->key.n >= sizeof K->key.text) luaL_error(L, "the key is too long");
  memcpy(K->key.text, key, K->key.n);
  if (strncmp(scheme, "hmac-", 5) || !(K->key.digest = vm__crypto.digest(scheme + 5)))
    luaL_error(L, "signature_scheme '%s' is not known; use hmac-sha256", scheme);
  unsigned char id[16];
  vm__crypto.random(id, sizeof id);
  for (int i = 0; i < 16; i++) sprintf(K->key.session + 2 * i, "%02x", id[i]);
}

/* open(connection, info): binds the sockets; info is the content of kernel_info_reply */
static int l_open(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t n;
  const char *info = luaL_checklstring(L, 2, &n), *why = vm__kernel_load();
  if (why) return luaL_error(L, "%s", why);
  const char *parent = getenv("JPY_PARENT_PID");
  K->info = vm__blob(info, n);
  K->inbox_end = &K->inbox;
  K->answers_end = &K->answers;
  K->outbox_end = &K->outbox;
  K->parent_pid = parent ? atol(parent) : 0;
  K->inbox_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  K->answers_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  K->outbox_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  set_key(L);
  K->context = vm__zmq.ctx_new();
  bind_channel(L, VM_HEARTBEAT, ZMQ_ROUTER, "hb_port");
  bind_channel(L, VM_IOPUB, ZMQ_XPUB, "iopub_port");
  bind_channel(L, VM_CONTROL, ZMQ_ROUTER, "control_port");
  bind_channel(L, VM_STDIN, ZMQ_ROUTER, "stdin_port");
  bind_channel(L, VM_SHELL, ZMQ_ROUTER, "shell_port");
  if (!vm__stream_open(L)) return luaL_error(L, "no pipes for what cells print: %s", strerror(errno));
  vm_progname_set(NULL);
  vm_print_tables(L);
  vm_out *o = new_out(VM_IOPUB, "status", NULL);
  vm__text_puts(&o->content, "{\"execution_state\":\"starting\"}");
  post(o);
  if (!vm__kernel_start()) return luaL_error(L, "no thread for the sockets");
  lua_pushstring(L, K->key.session);
  return 1;
}

/* program(): the path of this program */
static int l_program(lua_State *L) {
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0) return luaL_error(L, "the path of this program is not known: %s", strerror(errno));
  lua_pushlstring(L, path, (size_t)n);
  return 1;
}

static int open_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "open", l_open }, { "serve", l_serve }, { "send", l_send }, { "call", l_call }, { "cell", l_cell },
    { "may_ask", l_may_ask }, { "ask", l_ask }, { "repair", l_repair },
    { "program", l_program }, { "parent", l_parent }, { NULL, NULL }
  };
  luaL_newlib(L, functions);
  return 1;
}
#else
static int open_core(lua_State *L) {
  lua_newtable(L);
  return 1;
}
#endif

__attribute__((constructor)) static void add_module(void) {
  td_lua_module("tide.kernel.core", open_core);
}
