/* op_proto.h -- turns the op lists into C prototypes (and, with TD_OP_BODY,
** into the functions): td_name(args) for every line.  Included by tensor.h for
** ops.def and by nn.h for nn's own list. */
#ifndef TD_OP_PROTO_H
#define TD_OP_PROTO_H

/* C types of the argument kinds; the kinds are explained in ops.def */
#define TD_C_T td_tensor *
#define TD_C_O td_tensor *
#define TD_C_C td_tensor *
#define TD_C_X td_tensor *
#define TD_C_M td_list
#define TD_C_F double
#define TD_C_F0 double
#define TD_C_F1 double
#define TD_C_F2 double
#define TD_C_Fninf double
#define TD_C_Finf double
#define TD_C_I int64_t
#define TD_C_I0 int64_t
#define TD_C_I1 int64_t
#define TD_C_D int64_t
#define TD_C_D0 int64_t
#define TD_C_Dn1 int64_t
#define TD_C_P int64_t
#define TD_C_A td_ints
#define TD_C_S td_ints
#define TD_C_B bool
#define TD_C_B1 bool
#define TD_C_Y td_dtype

/* what a function of each class returns, and how it hands out results */
#define TD_RET_K1(name, ...) td_tensor *td_##name(__VA_ARGS__)
#define TD_RET_V1(name, ...) td_tensor *td_##name(__VA_ARGS__)
#define TD_RET_C1(name, ...) td_tensor *td_##name(__VA_ARGS__)
#define TD_RET_K2(name, ...) td_status td_##name(td_tensor **out, __VA_ARGS__)
#define TD_RET_K3(name, ...) td_status td_##name(td_tensor **out, __VA_ARGS__)
#define TD_RET_U0(name, ...) td_status td_##name(__VA_ARGS__)
#endif

#define OP1(cls, name, k,a, doc) \
  TD_RET_##cls(name, TD_C_##k a);
#define OP2(cls, name, k,a, l,b, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b);
#define OP3(cls, name, k,a, l,b, m,c, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c);
#define OP4(cls, name, k,a, l,b, m,c, n,d, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c, TD_C_##n d);
#define OP5(cls, name, k,a, l,b, m,c, n,d, o,e, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c, TD_C_##n d, TD_C_##o e);
#define OP9(cls, name, k,a, l,b, m,c, n,d, o,e, p,f, q,g, r,h, s,i, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c, TD_C_##n d, \
               TD_C_##o e, TD_C_##p f, TD_C_##q g, TD_C_##r h, TD_C_##s i);
#ifndef TD_OPS_FILE
#define TD_OPS_FILE "tensor/ops.def"
#endif
#include TD_OPS_FILE
#undef TD_OPS_FILE
