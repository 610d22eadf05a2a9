/* plugin.h -- loads the stand-in for a device plug-in (tests/plugin/fake.c). */
#ifndef TD_TEST_PLUGIN_H
#define TD_TEST_PLUGIN_H
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tensor/tensor.h"

/* The library lies beside the folder of the test program. */
static inline const char *plugin_path(const char *name) {
  static char path[4200];
  const char *build = getenv("BUILD");
  char exe[4096] = ".";
  if (build) {
    snprintf(path, sizeof path, "%s/tests/%s.so", build, name);
  } else {
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    for (int up = 0; up < 2; up++)
      if (strrchr(exe, '/')) *strrchr(exe, '/') = 0;
    snprintf(path, sizeof path, "%s/%s.so", exe, name);
  }
  return path;
}

/* The fake device, loaded once; NULL and td_error when it is not there. */
static inline td_backend *plugin_load(void) {
  static td_backend *fake;
  td_device("cpu");                         /* starts the core */
  if (!fake && (fake = td_backend_load(plugin_path("fake")))) {
    void *again = dlopen(plugin_path("fake"), RTLD_NOW);
    td_backend **host = again ? dlsym(again, "td_fake_host") : NULL;
    if (host) *host = td_cpu();
  }
  return fake;
}

/* The kernels of gpu/ on an emulation of CUDA: device "cuda". */
static inline td_backend *plugin_load_emulated(void) {
  static td_backend *cuda;
  td_device("cpu");
  if (!cuda) cuda = td_backend_load(plugin_path("emulated"));
  return cuda;
}
#endif
