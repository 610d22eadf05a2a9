/* capture.h -- a recorded step: the kernel calls it made, to be run again.
**
** While a capture records, every kernel call that td_apply makes is noted with
** the layout of its tensors (capture.c).  What a note refers to is a buffer and
** a place in it.  Buffers from outside the step, constants, and what is still
** alive at its end (results, gradients) stay where they are; all others get a
** place in one arena, where those that are never needed at the same time share
** memory (plan.c).  A replay runs the kernels in order: no shapes are worked
** out, no memory is asked for, no graph is built.
**
** A random op takes a new piece of the current stream at each replay, as the
** step itself would have. */
#ifndef TD_CAPTURE_H
#define TD_CAPTURE_H
#include "op.h"

typedef struct td_place {      /* where a tensor begins */
  int slot;                    /* its buffer; -1: a number, or nothing */
  size_t at;                   /* bytes from the start of the buffer */
} td_place;

typedef struct td_note {       /* one kernel call */
  td_call call;                /* in[] is arg */
  td_kernel run;
  td_tensor *t;                /* inputs, then results: layouts without owners */
  td_tensor **arg;             /* their addresses */
  td_place *place;             /* of each */
  int nout;                    /* results; an update has none */
  int64_t draws;               /* counters of the stream a random op uses up */
  bool outside;                /* changes something from outside the step */
} td_note;

typedef struct td_slot {       /* a buffer of the step */
  td_buffer *buf;              /* as it was when noted */
  td_backend *be;
  size_t bytes, at;            /* at: offset in the arena */
  int first, last;             /* notes that touch it */
  bool inside;                 /* allocated by the step */
  bool written;                /* by a note */
  bool constant;               /* read before any note wrote it */
  bool dead;                   /* given back before the step ended */
  bool kept;                   /* we own a share of buf */
} td_slot;

struct td_capture {
  td_note *note;
  int n, room;
  td_slot *slot;
  int nslot, slots_room;
  td_rng *stream;              /* current when recording began */
  td_status status;            /* why recording failed, and its text */
  char why[256];
  bool ready;
  td_buffer *arena[TD_MAXBACKEND * 4];
  int narena;
  size_t arena_bytes;
};

extern td_capture *td__recording;      /* NULL: no capture records now */
extern td_capture *td__watching;       /* the same, until the step is finished */

/* Hooks: a buffer was made, is being given up; a kernel has run. */
void td__capture_born(td_buffer *b);
void td__capture_gone(td_buffer *b);
bool td__capture_outside(const td_buffer *b);   /* from before the step? */
void td__capture_note(const td_call *c, td_kernel run, td_tensor **out);
/* Refuses to read values on the host while a step is recorded. */
td_status td__capture_no_read(const char *what);

/* Gives every buffer that died inside the step its place in an arena. */
td_status td__capture_plan(td_capture *c);
bool td__writes(const td_call *c, int i);      /* op.c: does it change input i? */
#endif
