/* embed.h -- the Lua library inside the binary, in the form that .make/embed.sh writes. */
#ifndef TD_LUA_EMBED_H
#define TD_LUA_EMBED_H

#include <stddef.h>

struct td_embedded_file {
  const char *name;          /* module name, e.g. "tide.flow" */
  const unsigned char *data; /* Lua source, followed by a zero byte */
  size_t size;               /* bytes of source, without that zero */
};

typedef struct td_embedded_file td_embedded_file;

/* Ends with an entry whose name is NULL. */
extern const td_embedded_file td__embedded[];

#endif
