/* cpu.c -- the CPU backend: memory, copies, and the kernels of the best
** instruction set this machine has (TIDE_ISA=base|v3|v4 asks for another). */
#include "isa.h"
#include "op.h"
#include <stdlib.h>
#include <string.h>

TD_CPU_TABLE(td_cpu_elementwise)
TD_CPU_TABLE(td_cpu_reduce)
TD_CPU_TABLE(td_cpu_index)
TD_CPU_TABLE(td_cpu_random)
TD_CPU_TABLE(td_cpu_density)
TD_CPU_TABLE(td_cpu_knn)
TD_CPU_TABLE(td_cpu_assign)
extern const td_kernel_entry td_cpu_blas[], td_cpu_lapack[];

static void *cpu_alloc(td_backend *b, size_t n) {
  (void)b;
  return td__system_alloc(n);
}
static void cpu_free(td_backend *b, void *p, size_t n) {
  (void)b; (void)n;
  td__system_free(p);
}
static td_status cpu_copy(td_backend *b, void *d, const void *s, size_t n) {
  (void)b;
  memmove(d, s, n);
  return TD_OK;
}

/* ---- instruction sets: 0 base, 1 v3 (AVX2, FMA), 2 v4 (AVX-512) ---- */

static int machine_level(void) {
#if defined __x86_64__
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return 0;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
    && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
    ? 2 : 1;
#else
  return 0;
#endif
}

static int level(void) {
  static int chosen = -1;
  if (chosen >= 0) return chosen;
  const char *want = getenv("TIDE_ISA");
  chosen = machine_level();
  if (want && !strcmp(want, "base")) chosen = 0;
  if (want && !strcmp(want, "v3") && chosen > 1) chosen = 1;
  return chosen;
}

const td_kernel_entry *td_cpu_pick(const td_kernel_entry *base,
                                   const td_kernel_entry *v3,
                                   const td_kernel_entry *v4) {
  if (level() == 2 && v4) return v4;
  return level() >= 1 && v3 ? v3 : base;
}

static const char *cpu_describe(td_backend *b) {
  static const char *const names[] = { "cpu (portable code)",
    "cpu (AVX2, FMA)", "cpu (AVX-512)" };
  (void)b;
  return names[level()];
}

/* ---- the backend ---- */

#define MAX_LISTS 32     /* one more than there may be; a list too many shows as missing kernels */
static const td_kernel_entry *lists[MAX_LISTS];
static td_backend cpu = {
  .abi = TD_BACKEND_ABI, .name = "cpu", .alloc = cpu_alloc, .free = cpu_free,
  .copy_in = cpu_copy, .copy_out = cpu_copy, .copy = cpu_copy,
  .describe = cpu_describe, .kernels = lists,
};
td_backend *td_cpu(void) { return &cpu; }

void td_cpu_add(const td_kernel_entry *list) {
  for (int i = 0; i < MAX_LISTS - 1; i++) {
    if (lists[i] == list) return;
    if (lists[i]) continue;
    lists[i] = list;
    td__backends_rebind();
    return;
  }
}

void td_core_init(void) {
  static bool done;
  if (done) return;
  done = true;
  td_ops_register(td_ops, TD_OP_COUNT);
  td_cpu_add(TD_CPU_PICK(td_cpu_elementwise));
  td_cpu_add(TD_CPU_PICK(td_cpu_reduce));
  td_cpu_add(TD_CPU_PICK(td_cpu_index));
  td_cpu_add(TD_CPU_PICK(td_cpu_random));
  td_cpu_add(TD_CPU_PICK(td_cpu_density));
  td_cpu_add(TD_CPU_PICK(td_cpu_knn));
  td_cpu_add(TD_CPU_PICK(td_cpu_assign));
  td_cpu_add(td_cpu_blas);
  td_cpu_add(td_cpu_lapack);
  td__backend_add(&cpu);
}
