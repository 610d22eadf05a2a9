/* backend.c -- the devices there are, and plug-ins found at run time. */
#include "op.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEVICES 15
static td_backend *devices[MAX_DEVICES];
static int ndevices, nslots;
static char note[512];

/* Matches a backend's kernels to ops by name, so that an op list that differs
** in order or length cannot misroute. */
static void bind_kernels(td_backend *b) {
  for (const td_kernel_entry *const *list = b->kernels; *list; list++)
    for (const td_kernel_entry *e = *list; e->op; e++) {
      td_op *op = td_op_find(e->op);
      if (op) op->kernel[b->slot] = e->run;
    }
  for (const char *const *name = b->bf16; name && *name; name++) {
    td_op *op = td_op_find(*name);
    if (op) op->bf16[b->slot] = true;
  }
}

td_status td__backend_add(td_backend *b) {
  for (int i = 0; i < ndevices; i++)
    if (!strcmp(devices[i]->name, b->name))
      return td_fail(TD_EDEVICE, "there is a device %s already", b->name);
  if (ndevices == MAX_DEVICES)
    return td_fail(TD_EDEVICE, "more than %d devices", MAX_DEVICES);
  b->slot = nslots;
  for (int i = 0; i < ndevices; i++)
    if (devices[i]->kernels == b->kernels) b->slot = devices[i]->slot;
  if (b->slot == nslots && nslots++ == TD_MAXBACKEND)
    return td_fail(TD_EDEVICE, "more than %d kinds of device", TD_MAXBACKEND);
  devices[ndevices++] = b;
  bind_kernels(b);
  return TD_OK;
}

/* Ops that are registered after a backend get its kernels here. */
void td__backends_rebind(void) {
  for (int i = 0; i < ndevices; i++) bind_kernels(devices[i]);
}

int td_device_count(void) { return ndevices; }
td_backend *td_device_at(int i) {
  return i >= 0 && i < ndevices ? devices[i] : NULL;
}
const char *td_device_name(const td_backend *b) { return b->name; }
const char *td_device_describe(const td_backend *b) {
  return b->describe ? b->describe((td_backend *)b) : b->name;
}
td_status td_device_sync(td_backend *b) {
  return b->sync ? b->sync(b) : TD_OK;
}

static td_tensor *to_cpu(td_tensor *t) {
  return !t || t->number ? t : td_to_device(td_detach(t), td_cpu());
}

static td_status run_on_cpu(const td_call *c, td_tensor **in, td_tensor **out) {
  td_call here = *c;
  td_tensor *y[TD_MAXOUT];
  td_status st = TD_OK;
  here.be = td_cpu();
  here.in = in;
  for (int i = 0; i < c->nin; i++)
    if (!(in[i] = to_cpu(c->in[i])) && c->in[i]) return td_error_code();
  for (int k = 0; k < c->op->nout; k++)
    if (!(y[k] = td_empty(here.be, (td_dtype)out[k]->dtype, out[k]->ndim, out[k]->shape)))
      return td_error_code();
  st = c->op->kernel[here.be->slot](&here, y);
  for (int k = 0; !st && k < c->op->nout; k++)
    st = c->be->copy_in(c->be, out[k]->data, y[k]->data,
                        td_dtype_size((td_dtype)y[k]->dtype) * (size_t)td__numel(y[k]));
  return st;
}

td_status td__on_cpu(const td_call *c, td_tensor **out) {
  int mark = td_scope_open();
  td_tensor **in = td__scratch(sizeof *in * (size_t)(c->nin + 1));
  td_status st = in ? run_on_cpu(c, in, out) : td_error_code();
  td__scratch_drop(in);
  td_scope_close(mark);
  return st;
}

td_backend *td_backend_load(const char *path) {
  void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!h) return td_fail_null(TD_EDEVICE, "%s", dlerror());
  td_backend_init_fn init;
  *(void **)&init = dlsym(h, "td_backend_init");
  static const td_host host = { td_fail, &td__tf32, td__on_cpu };
  td_backend *list[MAX_DEVICES];
  int n = init ? init(TD_BACKEND_ABI, &host, list, MAX_DEVICES) : -1;
  if (n < 0)
    return td_fail_null(TD_EDEVICE, "%s: %s", path, init ?
                        "made for another version" : "not a device plug-in");
  if (n == 0) {                          /* what it said is where we would write */
    char why[400];
    snprintf(why, sizeof why, "%s", td_error());
    return td_fail_null(TD_EDEVICE, "%s: %s", path, why);
  }
  for (int i = 0; i < n; i++)
    if (td__backend_add(list[i])) return NULL;
  return list[0];                       /* never unloaded: it may own threads */
}

/* Looks for the CUDA plug-in once: TD_BACKEND_PATH, else beside the program. */
static void find_plugins(void) {
  static bool looked;
  char path[4096], exe[3072];
  const char *set = getenv("TD_BACKEND_PATH");
  if (looked) return;
  looked = true;
  if (set) {
    snprintf(path, sizeof path, "%s", set);
  } else {
    FILE *f = fopen("/proc/self/maps", "r");  /* the file that holds this code */
    unsigned long here = (unsigned long)(uintptr_t)&find_plugins, lo, hi;
    char line[4096];
    exe[0] = 0;
    while (f && fgets(line, sizeof line, f))
      if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %3071s", &lo, &hi, exe) >= 2 &&
          here >= lo && here < hi) break;
    if (f) fclose(f);
    char *slash = strrchr(exe, '/');
    if (slash) *slash = 0;
    snprintf(path, sizeof path, "%s/libtide_cuda.so", slash ? exe : ".");
  }
  if (!set && access(path, F_OK))
    snprintf(note, sizeof note, "there is no libtide_cuda.so beside the program; `make cuda` builds it");
  else if (!td_backend_load(path)) snprintf(note, sizeof note, "%s", td_error());
}
const char *td_backend_note(void) { find_plugins(); return note; }

td_backend *td_device(const char *name) {
  td_core_init();
  for (int again = 0; again < 2; again++) {
    for (int i = 0; i < ndevices; i++)
      if (!strcmp(devices[i]->name, name)) return devices[i];
    if (!strcmp(name, "cuda:0")) return td_device("cuda");
    if (!again) find_plugins();
  }
  char known[256] = "";
  for (int i = 0; i < ndevices; i++) {
    size_t at = strlen(known);
    snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
             devices[i]->name);
  }
  return td_fail_null(TD_EDEVICE, "there is no device '%s'; there is: %s%s%s",
    name, known, note[0] && !strncmp(name, "cuda", 4) ? "; " : "",
    !strncmp(name, "cuda", 4) ? note : "");
}
