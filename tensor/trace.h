/* trace.h -- watching the ops that go through the dispatcher: what they cost, and
** where the first value that is not finite comes from.  Off, it costs td_apply
** one test. */
#ifndef TD_TRACE_H
#define TD_TRACE_H
#include "op.h"

/* Places are names of lines ("file:line"), interned for good; 0 is unknown. */
typedef struct td_trace_row {     /* what the same op at the same place cost */
  const td_op *op;
  bool inplace;
  int place;                       /* line that asked for it; in a backward pass
                                   ** the line of the op whose gradient it is */
  const td_op *of;                 /* backward: that op, else NULL */
  int64_t calls;
  int64_t bytes;                   /* asked of the allocator */
  double seconds;                  /* without the ops that it called */
} td_trace_row;

/* Starts counting, from nothing; ends it. */
td_status td_trace_profile(bool on);
bool td_trace_profiling(void);
/* The rows of the last or running count; valid until the next start. */
int td_trace_rows(const td_trace_row **rows);

/* From now on an op whose result has a value that is not finite is an error
** that names it; level 1: NaN only, 2: infinities too, 0: off. */
void td_trace_nan(int level);
int td_trace_nan_level(void);

const char *td_trace_place(int place);

/* ---- for the dispatcher and the sweep ---- */
extern bool td__tracing;           /* is any of it on? */
td_status td__trace_apply(td_call *c, td_tensor **out, bool inplace,
                          td_status (*apply)(td_call *, td_tensor **, bool));
int td__trace_here(void);          /* place of the running line */
/* Runs a kernel of a captured step that was recorded there. */
td_status td__trace_note(const td_call *c, td_tensor **out, int place, td_kernel run);
/* The sweep is at a node of this op that was recorded there; NULL: it is not. */
void td__trace_gradient(const td_op *op, int place);
void td__locate(char *buf, size_t size);   /* the script's line, in grad.c */
#endif
