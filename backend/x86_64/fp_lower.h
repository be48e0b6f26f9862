/* fp_lower.h - what the lowerings of scalar (rules_fp.c) and vector (rules_vfp.c) floating point share. */
#ifndef ARMX_BACKEND_X86_64_FP_LOWER_H
#define ARMX_BACKEND_X86_64_FP_LOWER_H

#include "sel.h"
#include "simd_consts.h"

/* Mask register that no value lives in. */
enum { K1 = 1 };

/* Predicates of vcmp: quiet equal; ordered, signalling on every NaN; greater or equal and greater, likewise. */
enum { CMP_EQ_Q = 0x00, CMP_ORD_S = 0x17, CMP_GE_S = 0x0d, CMP_GT_S = 0x0e };

/* Immediate of vround, vrndscale and vcvtps2ph: rounding; QUIET does not raise inexact. */
enum { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO, ROUND_MXCSR, ROUND_QUIET = 8 };

static inline unsigned fp_round_imm(unsigned fpr)
{
    static const uint8_t imm[] = {
        [FPR_TIEEVEN] = ROUND_NEAREST, [FPR_POSINF] = ROUND_UP,      [FPR_NEGINF] = ROUND_DOWN,
        [FPR_ZERO] = ROUND_ZERO,       [FPR_CURRENT] = ROUND_MXCSR,
    };
    return imm[fpr];
}

static inline Mem fp_const(const Lower *l, const Const128 *field)
{
    return mem_rip(l->t->consts + ((const uint8_t *)field - (const uint8_t *)&simd_consts));
}

/* Bits of 2^n in a normal range. */
static inline uint64_t fp_power_of_two(IrElem e, int n)
{
    return e == E_D ? (uint64_t)(1023 + n) << 52 : (uint64_t)(127 + n) << 23;
}

/* d = magnitude of `from` with the sign of s; t is scratch, d and t differ from s; sign = the sign bits of the lanes. */
static inline void fp_copysign(Lower *l, Reg d, Reg from, Reg s, Reg t, Mem sign)
{
    Asm *a = &l->a;
    x_vmovaps_rm(a, t, sign);
    x_vpandn_rrr(a, d, t, from);
    x_vpand_rrr(a, t, t, s);
    x_vpor_rrr(a, d, d, t);
}

#endif
