/* reduce.h -- walks reductions and lines over tensors of any layout, in parallel
** and in an order that depends on shapes alone. */
#ifndef TD_REDUCE_H
#define TD_REDUCE_H
#include "op.h"

/* What a reduction remembers of the elements it has seen. */
typedef struct td_acc {
  double a;
  union { double b; int64_t i; };
} td_acc;

#define TD_REDUCE_COLS 256

/* A reduction of one element type. */
typedef struct td_reducer {
  td_acc start;                 /* of no elements */
  /* takes in n elements, stride bytes apart */
  void (*row)(td_acc *acc, const char *p, int64_t n, int64_t stride);
  /* acc[j] takes in element j of each of the rows; m <= TD_REDUCE_COLS
  ** neighbours in a row, rows are stride bytes apart */
  void (*cols)(td_acc *acc, const char *p, int64_t m, int64_t rows,
               int64_t stride);
  void (*merge)(td_acc *acc, const td_acc *other, int64_t n);
  void (*store)(char *out, const td_acc *acc, int64_t n);   /* dense */
} td_reducer;

/* out (fresh, contiguous) = x reduced over the dims of the call. */
td_status td_reduce(const td_call *c, td_tensor *out, const td_reducer *r);

/* All lines of x along one dim, with the matching lines of up to two results
** that have the same other dims (their own dim may have another length, or be
** gone).  Steps and offsets are in bytes. */
typedef struct td_lines {
  int64_t n;                    /* elements of a line of x */
  int64_t count;                /* lines */
  int64_t step[3];              /* from element to element: x, result 0, 1 */
  int ndim;
  int64_t shape[TD_MAXDIM], stride[3][TD_MAXDIM];
  char *data[3];
} td_lines;

/* nout results; keepdim says whether they still have dim `dim`. */
void td_lines_of(td_lines *l, const td_tensor *x, int64_t dim, int nout,
                 td_tensor *const *out, bool keepdim);
char *td_line_at(const td_lines *l, int which, int64_t line);
/* Runs f over ranges of lines on the pool; cost is per line, in elements.  Each
** call of f has `scratch` bytes of its own, got on the calling thread. */
td_status td_lines_run(const td_lines *l, int64_t cost, size_t scratch,
                       void (*f)(void *ctx, int64_t begin, int64_t end,
                                 char *scratch), void *ctx);

#endif
