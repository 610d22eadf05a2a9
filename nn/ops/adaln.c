/* adaln.c -- rules of adaln, adaln_trace, adaln_residual and adaln_pack.
**
** The weights: input (H,D) and bias; for each block those of its norm, of fc1 and of
** fc2, each with a bias; output (D,H) and bias.  A row of the modulation has shift,
** scale and gate of each block, then shift and scale of the last norm. */
#include "nn/nn.h"
#include "tensor/op.h"

#define TEXT(t) td_shape_text((t)->ndim, (t)->shape, (char[160]){ 0 }, 160)

static bool has_shape(const td_tensor *t, int ndim, int64_t a, int64_t b) {
  return t->ndim == ndim && t->shape[0] == a && (ndim < 2 || t->shape[1] == b);
}

/* Weights from input `first` on, for points of `dim` coordinates. */
static td_status check_weights(const td_call *c, int first, int64_t dim) {
  int n = c->nin - first;
  const td_tensor *in = c->in[first];
  if (n < 4 || (n - 4) % 6 || in->ndim != 2)
    return td_fail(TD_EARG, "%s: weights are those of the input, six of each block and "
                   "those of the output, each with its bias; there are %d", c->op->name, n);
  int64_t width = in->shape[0];
  for (int i = 0; i < n; i++) {
    const td_tensor *w = c->in[first + i];
    int part = i < 2 || i >= n - 2 ? -1 : (i - 2) % 6;
    bool last = i >= n - 2, bias = i % 2 || part == 0;
    int64_t out = last ? dim : width, inputs = i == 0 ? dim : width;
    if (!has_shape(w, bias ? 1 : 2, out, inputs))
      return td_fail(TD_ESHAPE, "%s: weight %d has shape %s and should have %lld%s%.0lld",
        c->op->name, i + 1, TEXT(w), (long long)out, bias ? " entries" : " x ",
        (long long)(bias ? 0 : inputs));
  }
  return TD_OK;
}

/* Elements of the weights in panels, there and back: a panel has two vectors, which are
** of 64 bytes at most. */
static int64_t packed_size(const td_call *c, int first) {
  const td_tensor *w = c->in[first];
  int64_t panel = 128 / (int64_t)td_dtype_size((td_dtype)w->dtype);
  int64_t h = w->shape[0], d = w->shape[1], blocks = (c->nin - first - 4) / 6;
  int64_t wide = (h + panel - 1) / panel * panel, narrow = (d + panel - 1) / panel * panel;
  return 4 * blocks * wide * h + 2 * (wide * d + narrow * h);
}

/* Modulation (T, (3 blocks + 2) H) and places (P), T or P a divisor of B. */
static td_status check_modulation(const td_call *c, int at, int first, int64_t count) {
  const td_tensor *mod = c->in[at], *place = c->in[at + 1];
  int64_t width = c->in[first]->shape[0], blocks = (c->nin - first - 4) / 6;
  int64_t length = (3 * blocks + 2) * width;
  if (mod->ndim != 2 || mod->shape[1] != length || !mod->shape[0])
    return td_fail(TD_ESHAPE, "%s: the modulation must be (T, %lld) for %lld blocks of "
      "width %lld, not %s", c->op->name, (long long)length, (long long)blocks,
      (long long)width, TEXT(mod));
  const td_tensor *t = place ? place : mod;
  if ((place && place->ndim != 1) || !t->shape[0] || count % t->shape[0])
    return td_fail(TD_ESHAPE, "%s: %lld points do not split into groups for %s of shape "
      "%s", c->op->name, (long long)count, place ? "places" : "a modulation", TEXT(t));
  return TD_OK;
}

static td_status check(const td_call *c, int at, int first) {
  const td_tensor *z = c->in[0], *packed = c->in[first - 1];
  if (z->ndim != 2 || !z->shape[1])
    return td_fail(TD_ESHAPE, "%s: points must be (B, D), not %s", c->op->name, TEXT(z));
  td_status st = check_weights(c, first, z->shape[1]);
  if (!st && packed && !has_shape(packed, 1, packed_size(c, first), 0))
    return td_fail(TD_ESHAPE, "%s: packed must be what adaln_pack makes of the weights, not "
                   "of shape %s", c->op->name, TEXT(packed));
  return st ? st : check_modulation(c, at, first, z->shape[0]);
}

static td_status check_like_points(const td_call *c, int i, const char *what) {
  const td_tensor *t = c->in[i], *z = c->in[0];
  if (!t || has_shape(t, 2, z->shape[0], z->shape[1])) return TD_OK;
  return td_fail(TD_ESHAPE, "%s: %s must have the shape %s of the points, not %s",
                 c->op->name, what, TEXT(z), TEXT(t));
}

static void one_for_each_point(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  out->ndim = 1;
}

static td_status adaln_infer(const td_call *c, td_spec *out) {
  td_spec_of(c->in[0], out);
  return check(c, 1, 4);
}
static td_status trace_infer(const td_call *c, td_spec *out) {
  td_status st = check(c, 1, 5);
  if (!st) st = check_like_points(c, 3, "noise");
  td_spec_of(c->in[0], &out[0]);
  one_for_each_point(c, &out[1]);
  return st;
}
static td_status residual_infer(const td_call *c, td_spec *out) {
  td_status st = check(c, 2, 5);
  if (!st) st = check_like_points(c, 1, "u");
  one_for_each_point(c, &out[0]);
  td_spec_of(c->in[0], &out[1]);
  td_spec_of(c->in[0], &out[2]);
  return st;
}

static td_status pack_infer(const td_call *c, td_spec *out) {
  td_status st = c->nin && c->in[0]->ndim == 2 ? check_weights(c, 0, c->in[0]->shape[1]) :
    td_fail(TD_EARG, "adaln_pack: there are no weights");
  *out = (td_spec){ .ndim = 1, .dtype = c->nin ? (td_dtype)c->in[0]->dtype : TD_F32 };
  if (!st) out->shape[0] = packed_size(c, 0);
  return st;
}

/* |v(z) - u|^2: the kernel has found the gradient in z, and v - u. */
static void residual_back(td_back *b) {
  if (b->g[1] || b->g[2]) {
    td_fail(TD_ENOSUP, "adaln_residual: this fused gradient cannot be differentiated again; "
            "set fused = false on the network for that");
    return;
  }
  for (int i = 2; i < b->call->nin; i++)
    if (b->want[i]) {
      td_fail(TD_ENOSUP, "adaln_residual cannot be differentiated in weights or "
              "modulation; freeze the network, or compose it of its layers");
      return;
    }
  td_tensor *g = td_unsqueeze(b->g[0], 1);
  if (b->want[0]) b->gin[0] = td_mul(b->y[1], g);
  if (b->want[1]) b->gin[1] = td_mul(td_mul(b->y[2], td_num(-2)), g);
}

#define NO_BLOCK "{4x2|4|2x4|2};#.1"
#define A_BLOCK "{5x2|5|5|5|5x5|5|5x5|5|2x5|2};#.1"
#define FLAGS TD_FLOATONLY | TD_CONTIG

const td_rule td_rule_adaln = {
  .infer = adaln_infer, .flags = FLAGS | TD_ONCE, .lo = -1, .hi = 1,
  .cases = "3x2;3x8;-;-;" NO_BLOCK " 4x2;2x25;-;-;" A_BLOCK " 4x2;5x25;2;-;" A_BLOCK
           " 0x2;1x8;-;-;" NO_BLOCK,
};
const td_rule td_rule_adaln_trace = {
  .infer = trace_infer, .flags = FLAGS | TD_ONCE, .lo = -1, .hi = 1,
  .cases = "3x2;3x8;-;-;-;" NO_BLOCK " 4x2;1x25;-;4x2;-;" A_BLOCK " 0x2;1x8;-;-;-;" NO_BLOCK,
};
const td_rule td_rule_adaln_residual = {
  .infer = residual_infer, .vjp = residual_back, .flags = FLAGS, .lo = -1, .hi = 1,
  .saves = { TD_OUT(1), TD_OUT(2) },
  .cases = "3x2;3x2;3x8;-;-;" NO_BLOCK " 4x2;4x2;2x25;-;-;" A_BLOCK
           " 0x2;0x2;1x8;-;-;" NO_BLOCK,
};
const td_rule td_rule_adaln_pack = {
  .infer = pack_infer, .flags = FLAGS | TD_ONCE, .lo = -1, .hi = 1,
  .cases = "{0x1|0|1x0|1}",      /* others differ by type: see tests/lua/flow_whole.lua */
};
