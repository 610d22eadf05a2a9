/* capture.h -- a recorded step: the kernel calls it made, to be run again.
**
** While a capture records, every kernel call that td_apply makes is noted with
** the layout of its tensors (capture.c).  What a note refers to is a buffer and
** a place in it.  Buffers from outside the step, constants, and what is still
** alive at its end (results, gradients) stay where they are; all others are the
** step's own to place.
**
** schedule.c puts the notes into stages.  Most of a step works row by row: row i
** of a result depends on row i of some inputs and on all of the others (weights).
** A stage of such notes is cut into tiles of rows; a worker takes a tile through
** all of them, one after the other, while it is in its cache, and buffers that no
** other stage touches exist only as scratch of one tile.  Notes that join rows
** (weight gradients, sums) wait until nothing row-wise needs them and then run
** side by side, one worker each.
**
** plan.c gives buffers that are never needed at the same time the same memory;
** replay.c runs the stages: no shapes are worked out, no memory is asked for, no
** graph is built.  A random op takes a new piece of the current stream at each
** replay, as the step itself would have. */
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
  bool *cut;                   /* of each: goes by rows, when `rows` does */
  int nout;                    /* results; an update has none */
  int64_t rows;                /* of a result, when made row by row; else 0 */
  double cost;                 /* bytes touched, and what products add to that */
  int64_t draws, drawn;        /* counters of the stream: its own, those before */
  bool outside;                /* changes something from outside the step */
  int line;                    /* of the script: tensor/trace.h */
} td_note;

typedef struct td_slot {       /* a buffer of the step */
  td_buffer *buf;              /* as it was when noted; later where it lies */
  td_backend *be;
  size_t bytes, at;            /* at: offset in the arena, or in the scratch */
  int first, last;             /* stages that touch it */
  bool inside;                 /* allocated by the step */
  bool written;                /* by a note */
  bool constant;               /* read before any note wrote it */
  bool dead;                   /* given back before the step ended */
  bool kept;                   /* we own a share of buf */
  bool local;                  /* lives in one stage of tiles only */
  size_t pitch;                /* local: bytes for a row of the stage */
} td_slot;

typedef struct td_stage {      /* order[first .. first + count - 1] */
  int first, count;
  int64_t rows, tile;          /* by tiles of rows; 0: by notes */
  size_t scratch;              /* bytes that a worker needs for a tile */
  double cost;
  bool outside;
} td_stage;

typedef struct td_part {       /* a tensor that goes by rows, in the hands of a worker */
  td_tensor *t;
  char *at;                    /* its first row */
  int64_t each, pitch;         /* its rows, and bytes, for a row of the stage; pitch is
                               ** 0 in scratch, where each tile lies at the same place */
} td_part;

typedef struct td_task {       /* a note of a stage of tiles */
  td_note note;                /* with tensors of the worker's own */
  td_part *part;
  int parts;
} td_task;

typedef struct td_worker {     /* what one thread changes while it takes tiles */
  td_task *task;               /* by their place in the order */
  char *scratch;
} td_worker;

typedef union td_word { double value; char *at; } td_word;

struct td_capture {
  td_note *note;
  int n, room;
  td_slot *slot;
  int nslot, slots_room;
  td_stage *stage;
  int nstage;
  int *order;                  /* notes by stages */
  int64_t draws;               /* of a replay */
  td_rng *stream;              /* current when recording began */
  td_status status;            /* why recording failed, and its text */
  char why[256];
  bool lenient;                /* reading values only spoils the recording */
  bool ready;
  td_buffer *arena[16];        /* one for each device in use */
  int narena;
  size_t arena_bytes;
  td_worker *worker;
  int nworker;
  td_backend *device;          /* all calls run there, and it has graphs; or NULL */
  td_graph_call *list;         /* the calls for it */
  td_graph *graph;             /* a replay as one launch; NULL: call by call, why says why */
  int nodes;
  struct {
    td_graph *graph;           /* several steps as one launch, or NULL */
    int steps, numbers, results;
    int turns;                 /* steps that are told what they look up */
    td_graph_turn *turn;
    td_word *words;            /* of the turns */
  } run;
};

extern td_capture *td__recording;      /* NULL: no capture records now */
extern td_capture *td__watching;       /* the same, until the step is finished */

/* Hooks: a buffer was made, is being given up; a kernel has run. */
void td__capture_born(td_buffer *b);
void td__capture_gone(td_buffer *b);
bool td__capture_outside(const td_buffer *b);   /* from before the step? */
bool td__capture_constant(const td_buffer *b);  /* filled by the host inside it? */
void td__capture_note(const td_call *c, td_kernel run, td_tensor **out);
/* Refuses to read values on the host while a step is recorded. */
td_status td__capture_no_read(const char *what);
bool td__writes(const td_call *c, int i);      /* op.c: does it change input i? */

/* Fails when something from outside is held by nothing but the capture. */
td_status td__capture_owners(const td_capture *c);

/* ---- making the plan, in this order ---- */
td_status td__capture_schedule(td_capture *c);
td_status td__capture_plan(td_capture *c);
td_backend *td__capture_device(const td_capture *c);   /* replay_device.c */
td_graph_call *td__capture_lanes(const td_capture *c);
td_status td__capture_graph(td_capture *c);
void td__capture_graph_free(td_capture *c);
td_status td__capture_launch(td_capture *c);
/* Replays by `run`, with what goes before and after any replay. */
td_status td__capture_around(td_capture *c, td_status (*run)(td_capture *c));
td_status td__capture_workers(td_capture *c, int n);   /* at least so many */
void td__capture_workers_free(td_capture *c);
/* Does argument i of a note go by rows, in a stage of so many, and as buffers
** are laid out may each tile be taken alone?  The bytes of a row, or 0. */
size_t td__row_pitch(const td_note *n, int i, int64_t rows);
#endif
