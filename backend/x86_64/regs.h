/* regs.h - names of the x86-64 host's registers, condition codes and memory operands.
 *
 * A Reg is 0..15 for general registers and 32 + n for xmm n; `r & 31` is the hardware's number of either.
 */
#ifndef ARMX_BACKEND_X86_64_REGS_H
#define ARMX_BACKEND_X86_64_REGS_H

#include "base.h"

typedef uint8_t Reg;
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { XMM0 = 32, REG_COUNT = 64, NOREG = 255, RIP = 254 };

static inline bool reg_is_xmm(Reg r)
{
    return r >= XMM0 && r < REG_COUNT;
}

static inline uint64_t bit(Reg r) /* r's bit in a set of registers */
{
    return (uint64_t)1 << r;
}

/* Condition codes as in jcc, setcc, cmovcc. */
typedef enum X86Cond { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G } X86Cond;

/* [base + index << scale + disp]; base may be NOREG (with an index or absolute), or RIP: then `abs` is the
 * address as running code sees it. */
typedef struct Mem {
    Reg base, index;
    uint8_t scale;
    int32_t disp;
    uint64_t abs;
} Mem;

static inline Mem mem(Reg base, int32_t disp)
{
    return (Mem){base, NOREG, 0, disp, 0};
}

static inline Mem mem_rip(const void *target)
{
    return (Mem){RIP, NOREG, 0, 0, (uint64_t)(uintptr_t)target};
}

#endif
