/* test_ops.c -- gradients of every op against central differences, first and
** second order, from any layout of the inputs, and what rules save for them.
**
** time limit: 240 s */
#include "tests/test.h"
#include "tests/op_walk.h"
#include <sys/wait.h>
#include <unistd.h>

/* Random ops have tests of their own (tests/none/test_random.c). */
TEST(cases) {
  int ops = 0, cases = 0;
  td_nn_init();
  for (td_op *op = td_ops_first(); op; op = op->next, ops++) {
    const char *s = op->rule->cases;
    if ((!s || !*s) && !(op->rule->flags & TD_RANDOM))
      FAIL("%s: no cases", op->name);
    while (s && case_next(op, &s, &now)) {
      cases++;
      if (now.bad) BAD("%s", now.bad);
    }
  }
  printf("# %d ops, %d cases\n", ops, cases);
  CHECK(ops > 100 && cases > 3 * ops);
}

/* ---- gradients ---- */

/* Central differences, five points, in f64. */
static void numeric(const problem *p, int order, grads *out) {
  static const double at[4] = { -2, -1, 1, 2 }, weight[4] = { 1, -8, 8, -1 };
  const double h = 2e-4;
  for (int i = 0; i < p->n; i++) {
    double *x = td_data_cpu(p->wanted[i]);
    for (int64_t e = 0; e < td_numel(p->wanted[i]); e++) {
      double x0 = x[e], sum = 0, f = NAN;
      for (int k = 0; k < 4; k++) {
        int mark = td_scope_open();
        x[e] = x0 + at[k] * h;
        td_tensor *s = objective(p, PLAIN, order);
        if (!s || td_item(s, &f, NULL)) f = NAN;
        sum += weight[k] * f;
        td_scope_close(mark);
      }
      x[e] = x0;
      out->v[i][e] = sum / (12 * h);
    }
  }
}

static struct { int checked, once; double worst[2]; const char *op[2]; } seen;

/* A fused gradient may refuse to be differentiated again, and says so. */
static bool refuses(td_status st) {
  return st == TD_ENOSUP && strstr(td_error(), "cannot be differentiated");
}

static bool against_numbers(const problem *p, int order, grads *g) {
  static grads want;
  td_status st = gradient(p, PLAIN, order, g);
  if (refuses(st)) { seen.once++; return false; }
  if (st) { BAD("order %d: %s", order + 1, td_error()); return false; }
  numeric(p, order, &want);
  double d = apart(p, g, &want);
  if (!(d < 1e-6)) BAD("order %d: gradient off by %.2g", order + 1, d);
  if (d >= seen.worst[order]) {
    seen.worst[order] = d;
    seen.op[order] = p->k->op->name;
  }
  seen.checked++;
  return true;
}

/* Values beside which rounding errors say nothing: at ties of eigenvalues. */
static bool sensible(const problem *p, const grads *g) {
  for (int i = 0; i < p->n; i++)
    for (int64_t e = 0; e < td_numel(p->wanted[i]); e++)
      if (!(fabs(g->v[i][e]) < 1e6)) return false;
  return true;
}

static void other_layouts(const problem *p, int order, const grads *want) {
  static const char *const names[] = {
    "plain", "dropped", "transposed", "gaps", "spread", "spread"
  };
  static grads g, copy;
  for (int how = COPIED; how <= SPREAD; how++) {
    td_status st = gradient(p, how, order, &g);
    if (needs_copy(p->k, st)) continue;
    if (how == SPREAD) {
      td_status other = gradient(p, SPREAD_COPY, order, &copy);
      if (st != other) BAD("order %d, spread: %s", order + 1, td_error());
      want = &copy;
    } else if (st) {
      BAD("order %d, %s: %s", order + 1, names[how], td_error());
    }
    if (st || !sensible(p, want)) continue;
    double d = apart(p, &g, want);
    if (!(d < 1e-9))
      BAD("order %d: %s input changes the gradient by %.2g", order + 1,
          names[how], d);
  }
}

/* Each input alone: its gradient needs nothing that others had saved. */
static void one_by_one(const problem *p, const grads *want) {
  static grads g;
  problem q;
  for (int i = 0; i < p->n && p->n > 1; i++) {
    int at = p->which[i];
    if (!pose(&q, p->k, td_cpu(), TD_F64, at)) return;
    td_status st = gradient(&q, COPIED, 0, &g);
    double d = distance(td_numel(p->wanted[i]), g.v[0], want->v[i]);
    if (st) BAD("input %d alone: %s", at + 1, td_error());
    else if (!(d < 1e-9)) BAD("input %d alone: off by %.2g", at + 1, d);
    if (!st && gradient(&q, COPIED, 1, &g) && !refuses(td_error_code()))
      BAD("input %d alone, order 2: %s", at + 1, td_error());
  }
}

static void check_gradients(const op_case *k) {
  static grads g;
  problem p;
  if (k->op->cls[0] == 'U' || !pose(&p, k, td_cpu(), TD_F64, -1)) return;
  for (int order = 0; order < 2; order++) {
    if (!against_numbers(&p, order, &g)) break;
    other_layouts(&p, order, &g);
    if (order == 0) one_by_one(&p, &g);
  }
}

TEST(gradients) {
  each_case(check_gradients);
  printf("# %d gradients; worst of first order %.1e (%s), of second %.1e (%s); "
         "%d fused ones refuse a second time\n", seen.checked, seen.worst[0],
         seen.op[0] ? seen.op[0] : "", seen.worst[1],
         seen.op[1] ? seen.op[1] : "", seen.once);
}

/* ---- what rules save ---- */

/* With one declared value withheld, some case must fail: else it is kept for
** nothing.  `op->rule` is replaced by a copy that lacks the bit. */
static struct { int input; bool missed, tried; } withheld;

static void try_withheld(const op_case *k) {
  static grads g;
  problem p;
  int i = withheld.input;
  if (withheld.missed || i >= k->nin || !case_is_float(&k->in[i])) return;
  if (!pose(&p, k, td_cpu(), TD_F64, i)) return;
  withheld.tried = true;
  withheld.missed = gradient(&p, COPIED, 0, &g) != TD_OK;
}

/* In a process of its own: a rule may well crash without its results. */
static void try_cases(td_op *op) {
  const char *s = op->rule->cases;
  int answer[2];
  if (pipe(answer)) return;
  pid_t child = fork();
  if (child == 0) {
    freopen("/dev/null", "w", stderr);
    while (case_next(op, &s, &now)) {
      int mark = td_scope_open();
      try_withheld(&now);
      td_scope_close(mark);
    }
    _exit(write(answer[1], &withheld, sizeof withheld) < 0);
  }
  close(answer[1]);
  if (read(answer[0], &withheld, sizeof withheld) <= 0)
    withheld.tried = withheld.missed = true;
  close(answer[0]);
  waitpid(child, &(int){ 0 }, 0);
}

static void check_saved_bit(td_op *op, int input, unsigned bit) {
  const td_rule *rule = op->rule;
  td_rule weak = *rule;
  weak.saves[input] &= ~bit;
  withheld.input = input;
  withheld.missed = withheld.tried = false;
  op->rule = &weak;
  try_cases(op);
  op->rule = rule;
  if (withheld.tried && !withheld.missed)
    FAIL("%s saves value %#x for the gradient of input %d but never reads it",
         op->name, bit, input + 1);
}

TEST(saved_values) {
  td_nn_init();
  for (td_op *op = td_ops_first(); op; op = op->next)
    for (int input = 0; input < TD_SAVES && selected(op); input++)
      for (int b = 0; b < 32; b++)
        if (op->rule->saves[input] >> b & 1 && op->rule->cases)
          check_saved_bit(op, input, 1u << b);
}
