/* api.c -- the C function of every op in ops.def: td_add, td_sum, ... */
#include "op.h"
#define TD_OPS_FILE "tensor/ops.def"
#define TD_OPS_TABLE td_ops
#include "op_body.h"
