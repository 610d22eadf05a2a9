/* fake.c -- a device plug-in without a device: memory that the host cannot
** touch, and kernels that lend it to those of the CPU.
**
** Addresses handed out have a bit set that makes them invalid, so whoever
** reads device memory on the host crashes.  There are two devices: "fake", and
** "fake:1" with room for 1 MB.  Kernels are offered for all ops but erfc. */
#include <stdlib.h>
#include <string.h>
#include "tensor/op.h"
#include "nn/nn.h"

#define FAR ((uintptr_t)1 << 62)
#define MAX_BLOCKS 65536
#define SMALL_ROOM ((size_t)1 << 20)

static td_host host;
extern td_backend *td_fake_host;
td_backend *td_fake_host;  /* whose kernels are used; set by tests/plugin.h */

/* ---- memory ---- */

typedef struct block { char *p; size_t n; } block;
static block blocks[MAX_BLOCKS];
static int nblocks;

static void *far(char *p) { return p ? (void *)((uintptr_t)p | FAR) : NULL; }
static char *near(const void *p) { return (char *)((uintptr_t)p & ~FAR); }

/* The host address of n bytes of device memory; NULL if that is not what they
** are. */
static char *resolve(const void *p, size_t n) {
  if (!((uintptr_t)p & FAR)) return NULL;
  for (int i = 0; i < nblocks; i++)
    if (near(p) >= blocks[i].p && near(p) + n <= blocks[i].p + blocks[i].n)
      return near(p);
  return NULL;
}

static void *fake_alloc(td_backend *b, size_t n) {
  size_t *used = b->self;
  if (nblocks == MAX_BLOCKS || (used && *used + n > SMALL_ROOM)) return NULL;
  char *p = aligned_alloc(64, (n + 63) / 64 * 64);
  if (!p) return NULL;
  memset(p, 0xff, n);                       /* NaN in every float */
  blocks[nblocks++] = (block){ p, n };
  if (used) *used += n;
  return far(p);
}

static void fake_free(td_backend *b, void *p, size_t n) {
  size_t *used = b->self;
  for (int i = 0; i < nblocks; i++)
    if (blocks[i].p == near(p)) {
      blocks[i] = blocks[--nblocks];
      free(near(p));
      if (used) *used -= n;
      return;
    }
}

static td_status stray(const char *what) {
  return host.fail(TD_EDEVICE, "fake: %s is not memory of this device", what);
}

static td_status fake_copy_in(td_backend *b, void *d, const void *s, size_t n) {
  (void)b;
  char *to = resolve(d, n);
  if (!to || (uintptr_t)s & FAR) return stray("the target of copy_in");
  memcpy(to, s, n);
  return TD_OK;
}
static td_status fake_copy_out(td_backend *b, void *d, const void *s, size_t n) {
  (void)b;
  char *from = resolve(s, n);
  if (!from || (uintptr_t)d & FAR) return stray("the source of copy_out");
  memcpy(d, from, n);
  return TD_OK;
}
static td_status fake_copy(td_backend *b, void *d, const void *s, size_t n) {
  (void)b;
  char *to = resolve(d, n), *from = resolve(s, n);
  if (!to || !from) return stray("an end of copy");
  memmove(to, from, n);
  return TD_OK;
}
static td_status fake_sync(td_backend *b) { (void)b; return TD_OK; }
static const char *fake_describe(td_backend *b) {
  return b->self ? "fake device with 1 MB" : "fake device";
}

/* ---- kernels ---- */

/* A tensor as the CPU kernels see it.  The same tensor stays the same. */
static td_tensor *lend(td_tensor *t, td_tensor *copy, td_tensor **from,
                       td_tensor *copies, int n) {
  if (!t) return NULL;
  for (int i = 0; i < n; i++) if (from[i] == t) return &copies[i];
  *copy = *t;
  copy->buf = NULL;                         /* ops of its own run on the CPU */
  copy->be = NULL;
  copy->node = NULL;
  if (t->data && (uintptr_t)t->data & FAR) copy->data = near(t->data);
  else if (t->number) copy->data = copy->num.b;
  else return NULL;                         /* host memory: a stray tensor */
  return copy;
}

static td_status run(const td_call *c, td_tensor **out) {
  int n = 0, most = c->nin + TD_MAXOUT;
  td_tensor **from = calloc((size_t)most, sizeof *from);
  td_tensor *copies = calloc((size_t)most, sizeof *copies);
  td_tensor **in = calloc((size_t)most, sizeof *in), *y[TD_MAXOUT];
  td_status st = from && copies && in ? TD_OK :
    host.fail(TD_ENOMEM, "fake: out of memory");
  for (int i = 0; !st && i < c->nin; i++) {
    in[i] = lend(c->in[i], &copies[n], from, copies, n);
    if (c->in[i] && !in[i]) st = stray("an input");
    if (c->in[i] && c->in[i]->dtype == TD_BF16 &&
        !(c->op->rule->flags & TD_BF16_OK))
      st = host.fail(TD_EDTYPE, "%s: no bf16 on fake", c->op->name);
    if (in[i] == &copies[n]) from[n++] = c->in[i];
  }
  for (int k = 0; !st && k < c->op->nout; k++) {
    if (!(y[k] = lend(out[k], &copies[n], from, copies, n)))
      st = stray("a result");
    if (y[k] == &copies[n]) from[n++] = out[k];
  }
  td_call q = *c;
  q.in = in;
  q.be = td_fake_host;
  if (!st) st = c->op->kernel[0](&q, y);
  free(from);
  free(copies);
  free(in);
  return st;
}

static const td_kernel_entry core_kernels[] = {
#define OP(cls, name, args, doc) { #name, run },
#include "tensor/ops.def"
  { 0 }
};
static const td_kernel_entry nn_kernels[] = {
#define OP(cls, name, args, doc) { #name, run },
#include "nn/ops.def"
  { 0 }
};
static td_kernel_entry offered[2][512];
static const td_kernel_entry *const lists[] = { offered[0], offered[1], NULL };

static void offer(td_kernel_entry *to, const td_kernel_entry *from) {
  for (; from->op; from++)
    if (strcmp(from->op, "erfc")) *to++ = *from;
}

static size_t small_used;
static td_backend devices[2] = {
  { .abi = TD_BACKEND_ABI, .name = "fake" },
  { .abi = TD_BACKEND_ABI, .name = "fake:1", .self = &small_used },
};

int td_backend_init(int abi, const td_host *h, td_backend **list, int max);
int td_backend_init(int abi, const td_host *h, td_backend **list, int max) {
  if (abi != TD_BACKEND_ABI || max < 2) return -1;
  host = *h;
  offer(offered[0], core_kernels);
  offer(offered[1], nn_kernels);
  for (int i = 0; i < 2; i++) {
    td_backend *b = &devices[i];
    b->alloc = fake_alloc;
    b->free = fake_free;
    b->copy_in = fake_copy_in;
    b->copy_out = fake_copy_out;
    b->copy = fake_copy;
    b->sync = fake_sync;
    b->describe = fake_describe;
    b->kernels = lists;
    list[i] = b;
  }
  return 2;
}
