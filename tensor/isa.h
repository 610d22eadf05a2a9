/* isa.h -- names that differ by instruction set, for files compiled several times.
**
** tensor/cpu_*.c and nn/cpu_*.c are compiled once per instruction set with
** -DTD_ISA=base, v3 or v4.  What such a file exports carries the suffix, so that
** all copies live in one program: TD_ISA_NAME(td_table) is td_table_v3 in the
** second copy.  tensor/cpu.c, compiled once, picks a copy by what the machine can. */
#ifndef TD_ISA_H
#define TD_ISA_H

#ifndef TD_ISA
#define TD_ISA base
#endif

#define TD__JOIN2(a, b) a##_##b
#define TD__JOIN(a, b) TD__JOIN2(a, b)
#define TD_ISA_NAME(x) TD__JOIN(x, TD_ISA)

#define TD__TEXT2(a) #a
#define TD__TEXT(a) TD__TEXT2(a)
#define TD_ISA_TEXT TD__TEXT(TD_ISA)      /* "base", "v3", "v4" */

#endif
