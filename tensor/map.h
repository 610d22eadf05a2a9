/* map.h -- tensors over mapped files. */
#ifndef TD_MAP_H
#define TD_MAP_H
#include "op.h"

/* The whole of an open file; it stays open, so that its length can be asked. */
typedef struct td_map td_map;
td_map *td__map_open(const char *path, int fd, uint64_t size);
void td__map_drop(td_map *m);
/* A tensor over its bytes from `at` on, which must be there; owned by the scope. */
td_tensor *td__map_tensor(td_map *m, uint64_t at, td_dtype dtype, int ndim,
                          const int64_t *shape);

extern int td__maps;                       /* how many files are mapped */
/* Fails if the file of a tensor was cut short since it was mapped. */
td_status td__map_check(const td_tensor *t);
static inline td_status td__map_check_all(td_tensor *const *t, int n) {
  td_status st = TD_OK;
  for (int i = 0; !st && i < n; i++)
    if (t[i] && t[i]->buf && t[i]->buf->map) st = td__map_check(t[i]);
  return st;
}
#endif
