/* loop.h -- runs an elementwise kernel over tensors of any layout.
**
** A kernel sees dense pieces only: p[0] is the result and p[1].. the inputs,
** n elements each, in the same order; begin is the place of the first element
** in that order.  Broadcast, strided and transposed operands are brought into
** small buffers first, so a kernel is one plain loop per element type.  Pieces
** run on the pool; their sizes depend on the shapes alone. */
#ifndef TD_LOOP_H
#define TD_LOOP_H
#include "op.h"

#define TD_LOOP_INPUTS 4
#define TD_LOOP_TILE 512        /* elements of a buffer; a multiple of 4 */
#define TD_LOOP_GRAIN 32768     /* elements of a piece of parallel work */

typedef void (*td_loop_fn)(char *const *p, int64_t n, int64_t begin,
                           const void *ctx);

/* out may be laid out anyhow and may be one of the inputs.  Elements come in
** whatever order suits the memory.  With out NULL the inputs are only visited,
** all over the shape of in[0]. */
void td_loop(td_tensor *out, int nin, td_tensor *const *in, td_loop_fn fn,
             const void *ctx);

/* Writes out in row-major order of its indices: begin counts elements in that
** order and is a multiple of 4. */
void td_loop_fill(td_tensor *out, td_loop_fn fn, const void *ctx);

/* out = in, of the same type, broadcast to the shape of out. */
void td_loop_move(td_tensor *out, td_tensor *in);

/* One strided line of n elements of `size` bytes; strides in bytes. */
void td_line_gather(char *dst, const char *src, int64_t n, int64_t stride,
                    int size);
void td_line_scatter(char *dst, const char *src, int64_t n, int64_t stride,
                     int size);

#endif
