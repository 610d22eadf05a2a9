/* kernel_lib.c -- libzmq, cJSON and OpenSSL, loaded when a kernel starts: nothing else needs them. */
#include "vm/kernel.h"

#ifdef VM_HAS_KERNEL
#include <dlfcn.h>
#include <stdio.h>

struct vm_kernel_zmq vm__zmq;
struct vm_kernel_cjson vm__cjson;
struct vm_kernel_crypto vm__crypto;

static char problem[300];

static void *library(const char *name, const char *package) {
  void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!lib)
    snprintf(problem, sizeof problem, "cannot load %s; install it (Debian: apt-get install %s)", name,
             package);
  return lib;
}

static void *symbol(void *lib, const char *name) {
  void *found = dlsym(lib, name);
  if (!found) snprintf(problem, sizeof problem, "%s is not in the library that should have it", name);
  return found;
}

const char *vm__kernel_load(void) {
  void *zmq = library("libzmq.so.5", "libzmq5");
  void *cjson = zmq ? library("libcjson.so.1", "libcjson1") : NULL;
  void *crypto = cjson ? library("libcrypto.so.3", "libssl3") : NULL;
  if (!crypto) return problem;
#define F(name) \
  if (!(vm__zmq.name = (__typeof__(vm__zmq.name))symbol(zmq, "zmq_" #name))) return problem;
  VM_ZMQ_FUNCTIONS(F)
#undef F
#define F(name) \
  if (!(vm__cjson.name = (__typeof__(vm__cjson.name))symbol(cjson, "cJSON_" #name))) return problem;
  VM_CJSON_FUNCTIONS(F)
#undef F
#define F(field, name) \
  if (!(vm__crypto.field = (__typeof__(vm__crypto.field))symbol(crypto, name))) return problem;
  F(digest, "EVP_get_digestbyname") F(hmac, "HMAC") F(differ, "CRYPTO_memcmp") F(random, "RAND_bytes")
#undef F
  return NULL;
}
#else
typedef int vm_no_kernel;             /* a file must not be empty */
#endif
