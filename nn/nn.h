/* nn.h -- what networks need on top of tensors: layers that are one pass over
** memory each, and the updates of optimisers.  One prototype per line of
** nn/ops.def; the functions follow the rules of tensor/tensor.h. */
#ifndef TD_NN_H
#define TD_NN_H
#include "tensor/tensor.h"

/* Adds the ops of nn/ops.def to the registry; call it once or more before the
** first use.  Starts the core too. */
void td_nn_init(void);

/* argument kinds that only nn/ops.def has: numbers with other defaults */
#define TD_C_Fp00001 double
#define TD_C_Fp000001 double
#define TD_C_F10000 double

#define OP6(cls, name, k,a, l,b, m,c, n,d, o,e, p,f, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c, TD_C_##n d, \
               TD_C_##o e, TD_C_##p f);
#define OP7(cls, name, k,a, l,b, m,c, n,d, o,e, p,f, q,g, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c, TD_C_##n d, \
               TD_C_##o e, TD_C_##p f, TD_C_##q g);
#define OP8(cls, name, k,a, l,b, m,c, n,d, o,e, p,f, q,g, r,h, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c, TD_C_##n d, \
               TD_C_##o e, TD_C_##p f, TD_C_##q g, TD_C_##r h);
#define OP10(cls, name, k,a, l,b, m,c, n,d, o,e, p,f, q,g, r,h, s,i, t,j, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c, TD_C_##n d, \
               TD_C_##o e, TD_C_##p f, TD_C_##q g, TD_C_##r h, TD_C_##s i, \
               TD_C_##t j);
#define TD_OPS_FILE "nn/ops.def"
#include "tensor/op_proto.h"
#endif
