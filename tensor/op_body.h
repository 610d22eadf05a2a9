/* op_body.h -- the typed C function of every op in a list: packs its arguments
** into a td_call.  Include after defining TD_OPS_FILE and TD_OPS_TABLE, the
** name of the list's td_op array; op ids are TD_OP_name. */
#ifndef TD_OP_BODY_H
#define TD_OP_BODY_H
#include <stdlib.h>
#include <string.h>

typedef struct td_packer {
  td_call c;
  int cap;
  bool failed, toolong;
  td_tensor *few[12], **heap;
} td_packer;

static inline void td_pack_T(td_packer *p, td_tensor *t) {
  td_call *c = &p->c;
  if (c->nin == p->cap) {
    int cap = p->cap * 4;
    td_tensor **v = realloc(p->heap, sizeof *v * (size_t)cap);
    if (!v) { p->failed = true; return; }
    if (!p->heap) memcpy(v, p->few, sizeof p->few);
    p->heap = c->in = v;
    p->cap = cap;
  }
  c->in[c->nin++] = t;
}
static inline void td_pack_M(td_packer *p, td_list l) {
  for (int i = 0; i < l.n; i++) td_pack_T(p, l.v[i]);
}
static inline void td_pack_F(td_packer *p, double v) {
  p->c.attr[p->c.nattr++].f = v;
}
static inline void td_pack_I(td_packer *p, int64_t v) {
  p->c.attr[p->c.nattr++].i = v;
}
static inline void td_pack_A(td_packer *p, td_ints l) {
  int n = l.n < TD_MAXDIM ? l.n : TD_MAXDIM;
  p->toolong = n < l.n;
  p->c.nlist = n;
  for (int i = 0; i < n; i++) p->c.list[i] = l.v[i];
}
static inline td_status td_pack_run(td_packer *p, td_tensor **out) {
  td_status st = p->failed ?
    td_fail(TD_ENOMEM, "%s: out of memory for a list", p->c.op->name) :
    p->toolong ?
    td_fail(TD_EARG, "%s: a tensor has at most %d dims, so no list is longer",
            p->c.op->name, TD_MAXDIM) :
    td_apply(&p->c, out, false);
  free(p->heap);
  return st;
}

#define TD_P_T td_pack_T
#define TD_P_O td_pack_T
#define TD_P_C td_pack_T
#define TD_P_X td_pack_T
#define TD_P_M td_pack_M
#define TD_P_F td_pack_F
#define TD_P_F0 td_pack_F
#define TD_P_F1 td_pack_F
#define TD_P_F2 td_pack_F
#define TD_P_Fninf td_pack_F
#define TD_P_Finf td_pack_F
#define TD_P_I td_pack_I
#define TD_P_I0 td_pack_I
#define TD_P_I1 td_pack_I
#define TD_P_D td_pack_I
#define TD_P_D0 td_pack_I
#define TD_P_Dn1 td_pack_I
#define TD_P_P td_pack_I
#define TD_P_A td_pack_A
#define TD_P_S td_pack_A
#define TD_P_B td_pack_I
#define TD_P_B1 td_pack_I
#define TD_P_Y td_pack_I

#define TD_BEGIN(name) \
  td_packer pk_; \
  pk_.c = (td_call){ .op = &TD_OPS_TABLE[TD_OP_##name], .nlist = -1 }; \
  pk_.c.in = pk_.few; pk_.cap = 12; pk_.heap = NULL; \
  pk_.failed = pk_.toolong = false;
#define TD_END_ONE \
  td_tensor *out[TD_MAXOUT]; \
  return td_pack_run(&pk_, out) ? NULL : out[0];
#define TD_END_K1 TD_END_ONE
#define TD_END_V1 TD_END_ONE
#define TD_END_C1 TD_END_ONE
#define TD_END_K2 return td_pack_run(&pk_, out);
#define TD_END_K3 return td_pack_run(&pk_, out);
#define TD_END_U0 return td_pack_run(&pk_, NULL);
#endif

#define OP1(cls, name, k,a, doc) \
  TD_RET_##cls(name, TD_C_##k a) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_END_##cls }
#define OP2(cls, name, k,a, l,b, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_END_##cls }
#define OP3(cls, name, k,a, l,b, m,c_, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_END_##cls }
#define OP4(cls, name, k,a, l,b, m,c_, n,d, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_, TD_C_##n d) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_P_##n(&pk_, d); TD_END_##cls }
#define OP5(cls, name, k,a, l,b, m,c_, n,d, o,e, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_, TD_C_##n d, \
               TD_C_##o e) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_P_##n(&pk_, d); TD_P_##o(&pk_, e); TD_END_##cls }
#define OP9(cls, name, k,a, l,b, m,c_, n,d, o,e, q,f, r,g, s,h, t,i, doc) \
  TD_RET_##cls(name, TD_C_##k a, TD_C_##l b, TD_C_##m c_, TD_C_##n d, \
               TD_C_##o e, TD_C_##q f, TD_C_##r g, TD_C_##s h, TD_C_##t i) { \
    TD_BEGIN(name) TD_P_##k(&pk_, a); TD_P_##l(&pk_, b); TD_P_##m(&pk_, c_); \
    TD_P_##n(&pk_, d); TD_P_##o(&pk_, e); TD_P_##q(&pk_, f); TD_P_##r(&pk_, g); \
    TD_P_##s(&pk_, h); TD_P_##t(&pk_, i); TD_END_##cls }
#include TD_OPS_FILE
#undef TD_OPS_FILE
#undef TD_OPS_TABLE
