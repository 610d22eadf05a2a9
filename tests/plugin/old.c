/* old.c -- a plug-in for another version of the program: it declines. */
#include "tensor/op.h"

int td_backend_init(int abi, const td_host *host, td_backend **list, int max);
int td_backend_init(int abi, const td_host *host, td_backend **list, int max) {
  (void)abi;
  (void)host;
  (void)list;
  (void)max;
  return -1;
}
