/* kernel.h -- the Jupyter kernel: what its files share.
**
** kernel.c        module tide.kernel.core: the loop that Lua runs in
** kernel_io.c     the thread that owns the sockets: takes requests, sends messages, and answers by
**                 itself what cannot wait for Lua
** kernel_wire.c   messages on the wire: frames, signatures, JSON text
** kernel_stream.c stdout, stderr and stdin of cells
** kernel_lib.c    libzmq, cJSON and OpenSSL, loaded when a kernel starts
**
** Two threads: Lua's takes requests from the inbox one at a time and puts messages into the outbox;
** the other one knows no Lua.  All that they share stands in vm__kernel, under its lock. */
#ifndef VM_KERNEL_H
#define VM_KERNEL_H
#include <lua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__linux__) && __has_include(<zmq.h>) && __has_include(<cjson/cJSON.h>) && \
    __has_include(<openssl/hmac.h>)
#define VM_HAS_KERNEL
#include <cjson/cJSON.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <zmq.h>

/* ---- kernel_lib.c ---- */
#define VM_ZMQ_FUNCTIONS(F) \
  F(ctx_new) F(ctx_term) F(socket) F(setsockopt) F(getsockopt) F(bind) F(close) F(strerror) \
  F(msg_init) F(msg_init_size) F(msg_data) F(msg_size) F(msg_more) F(msg_close) F(msg_recv) \
  F(msg_send) F(poll)
#define VM_CJSON_FUNCTIONS(F) \
  F(ParseWithLength) F(ParseWithLengthOpts) F(Delete) F(GetObjectItemCaseSensitive) \
  F(GetStringValue) F(IsTrue)

extern struct vm_kernel_zmq {
#define F(name) __typeof__(zmq_##name) *name;
  VM_ZMQ_FUNCTIONS(F)
#undef F
} vm__zmq;
extern struct vm_kernel_cjson {
#define F(name) __typeof__(cJSON_##name) *name;
  VM_CJSON_FUNCTIONS(F)
#undef F
} vm__cjson;
extern struct vm_kernel_crypto {
  __typeof__(EVP_get_digestbyname) *digest;
  __typeof__(HMAC) *hmac;
  __typeof__(CRYPTO_memcmp) *differ;
  __typeof__(RAND_bytes) *random;
} vm__crypto;
/* NULL, or why a library cannot be used (static). */
const char *vm__kernel_load(void);

/* ---- text that grows; n is 0 and data NULL when there is none ---- */
typedef struct vm_text {
  char *data;
  size_t n, room;
} vm_text;
void vm__text_add(vm_text *t, const void *data, size_t n);
void vm__text_puts(vm_text *t, const char *s);
/* The text as a string of JSON, with quotes; bytes that are not UTF-8 become U+FFFD. */
void vm__text_quote(vm_text *t, const char *s, size_t n);
/* How many bytes at the end begin a character that is not complete. */
size_t vm__text_open_end(const char *s, size_t n);
/* A valid character of UTF-8 at s: its length, else 0. */
size_t vm__text_character(const char *s, size_t n);

/* ---- kernel_wire.c ---- */
enum { VM_SHELL, VM_CONTROL, VM_STDIN, VM_IOPUB, VM_HEARTBEAT, VM_CHANNELS };
enum { VM_HEADER, VM_PARENT, VM_METADATA, VM_CONTENT, VM_FRAMES };

typedef struct vm_blob {              /* bytes with several owners */
  atomic_int owners;
  size_t n;
  char data[];
} vm_blob;
vm_blob *vm__blob(const void *data, size_t n);
vm_blob *vm__blob_keep(vm_blob *b);
void vm__blob_drop(vm_blob *b);       /* NULL is fine */

typedef struct vm_request {           /* what came in and is well signed */
  struct vm_request *next;
  int channel;
  char *type;
  bool aborted;                       /* it waited when a cell before it failed */
  int nids;
  vm_blob **ids;                      /* who asks: frames of the router */
  vm_blob *frames[VM_FRAMES];
} vm_request;
void vm__request_free(vm_request *r);

typedef struct vm_out {               /* what goes out */
  struct vm_out *next;
  int channel;
  const char *type;                   /* static, or lives until the end */
  int stream;                         /* 1, 2: text of stdout, stderr; else 0 */
  bool aborts;                        /* whatever waits by then is not run */
  double born;
  int nids;
  vm_blob **ids;
  vm_blob *parent;                    /* a header, or NULL */
  vm_text content, metadata;          /* JSON, or the text of a stream */
} vm_out;
void vm__out_free(vm_out *o);

typedef struct vm_key {
  char text[512];
  size_t n;                           /* 0: nothing is signed */
  const EVP_MD *digest;
  char session[33];                   /* of this process */
} vm_key;
/* Takes one message that waits; NULL when it is none of ours (a complaint goes to `why`). */
vm_request *vm__wire_receive(void *socket, int channel, const vm_key *key, const char **why);
void vm__wire_send(void *socket, const vm_key *key, const vm_out *o);
/* Sends back what came. */
void vm__wire_echo(void *socket);

/* ---- what the two threads share ---- */
typedef struct vm_kernel {
  pthread_mutex_t lock;
  pthread_cond_t sent;                /* the outbox is empty, or smaller */
  /* under the lock: */
  vm_request *inbox, **inbox_end;
  vm_request *answers, **answers_end; /* of input_request */
  vm_out *outbox, **outbox_end;
  size_t bytes;                       /* of streams in the outbox */
  bool busy_sending;                  /* taken from the outbox, not yet sent */
  vm_out *last;                       /* of the outbox, or NULL */
  vm_blob *parent;                    /* of what cells print and show */
  bool silent;
  bool quit;                          /* the end is asked for ... */
  bool done;                          /* ... and Lua has come to it */
  double quit_at;
  /* set before the thread starts: */
  void *context, *sockets[VM_CHANNELS];
  vm_key key;
  vm_blob *info;                      /* content of kernel_info_reply */
  int inbox_wake, answers_wake, outbox_wake;   /* eventfd */
  int pipes[2];                       /* what goes to descriptors 1 and 2 comes out here */
  int real_stderr;
  long parent_pid;                    /* that started us, or 0 */
  pthread_t thread;
} vm_kernel;
extern vm_kernel vm__kernel;

double vm__kernel_now(void);          /* seconds */

/* ---- kernel_io.c ---- */
bool vm__kernel_start(void);
void vm__kernel_stop(void);           /* sends what is left and ends the thread */
/* Puts a message into the outbox, which owns it from then on; with the lock held. */
void vm__outbox_add(vm_out *o);
/* Waits until all is sent. */
void vm__outbox_flush(void);

/* ---- kernel.c ---- */
/* Asks the person at the notebook: a line with its newline, to free(), or NULL with errno: EINTR after
** Ctrl-C, ENOTSUP where nobody can be asked. */
char *vm__kernel_ask(const char *prompt, bool password, size_t *length);

/* ---- kernel_stream.c ---- */
bool vm__stream_open(lua_State *L);   /* from now on cells own stdout, stderr, stdin */
void vm__stream_close(lua_State *L);
/* Takes what was written to descriptors 1 and 2; with the lock held. */
void vm__stream_drain(void);
/* Flushes stdout and stderr, on Lua's thread. */
void vm__stream_flush(void);
#endif
#endif
