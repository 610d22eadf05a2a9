/* nn.c -- the list of nn's ops, their C functions, and their registration. */
#include "nn/nn.h"
#include "tensor/op.h"

enum {
#define OP(cls, name, args, doc) TD_OP_##name,
#include "nn/ops.def"
  TD_NN_OP_COUNT
};

#define OP(cls, name, args, doc) extern const td_rule td_rule_##name;
#include "nn/ops.def"
static td_op td_nn_ops[TD_NN_OP_COUNT] = {
#define OP(cls, name, args, doc) { #name, #cls, args, doc, &td_rule_##name, \
                                   0, 0, 0, 0, {{0}}, {0}, {0}, 0 },
#include "nn/ops.def"
};

TD_CPU_TABLE(td_cpu_nn_adaln)
TD_CPU_TABLE(td_cpu_nn_attention)
TD_CPU_TABLE(td_cpu_nn_conv)
TD_CPU_TABLE(td_cpu_nn_flow)
TD_CPU_TABLE(td_cpu_nn_fused)
TD_CPU_TABLE(td_cpu_nn_linear)
TD_CPU_TABLE(td_cpu_nn_norm)
TD_CPU_TABLE(td_cpu_nn_picture)
TD_CPU_TABLE(td_cpu_nn_update)

void td_nn_init(void) {
  static bool done;
  if (done) return;
  done = true;
  td_core_init();
  td_ops_register(td_nn_ops, TD_NN_OP_COUNT);
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_adaln));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_attention));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_conv));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_flow));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_fused));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_linear));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_norm));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_picture));
  td_cpu_add(TD_CPU_PICK(td_cpu_nn_update));
}

/* ---- td_linear, td_layer_norm, ... ---- */

#define TD_P_Fp00001 td_pack_F
#define TD_P_Fp000001 td_pack_F
#define TD_P_F10000 td_pack_F
#define OP6(cls, name, k,a, l,b, m,c_, n,d, o,e, q,f, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_, TD_C_##n d, \
               TD_C_##o e, TD_C_##q f) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_P_##n(&pk_, d); TD_P_##o(&pk_, e); TD_P_##q(&pk_, f); TD_END_##cls }
#define OP7(cls, name, k,a, l,b, m,c_, n,d, o,e, q,f, r,g, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_, TD_C_##n d, \
               TD_C_##o e, TD_C_##q f, TD_C_##r g) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_P_##n(&pk_, d); TD_P_##o(&pk_, e); TD_P_##q(&pk_, f); TD_P_##r(&pk_, g); \
    TD_END_##cls }
#define OP8(cls, name, k,a, l,b, m,c_, n,d, o,e, q,f, r,g, s,h, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_, TD_C_##n d, \
               TD_C_##o e, TD_C_##q f, TD_C_##r g, TD_C_##s h) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_P_##n(&pk_, d); TD_P_##o(&pk_, e); TD_P_##q(&pk_, f); TD_P_##r(&pk_, g); \
    TD_P_##s(&pk_, h); TD_END_##cls }
#define OP10(cls, name, k,a, l,b, m,c_, n,d, o,e, q,f, r,g, s,h, t,i, u,j, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_, TD_C_##n d, \
               TD_C_##o e, TD_C_##q f, TD_C_##r g, TD_C_##s h, TD_C_##t i, \
               TD_C_##u j) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_P_##n(&pk_, d); TD_P_##o(&pk_, e); TD_P_##q(&pk_, f); TD_P_##r(&pk_, g); \
    TD_P_##s(&pk_, h); TD_P_##t(&pk_, i); TD_P_##u(&pk_, j); TD_END_##cls }
#define TD_OPS_FILE "nn/ops.def"
#define TD_OPS_TABLE td_nn_ops
#include "tensor/op_body.h"
