/* fp_lower.h - what the lowerings of scalar (rules_fp.c) and vector (rules_vfp.c) floating point share. */
#ifndef ARMX_BACKEND_X86_64_FP_LOWER_H
#define ARMX_BACKEND_X86_64_FP_LOWER_H

#include "sel.h"
#include "simd_consts.h"

/* Mask register that no value lives in. */
enum { K1 = 1 };

/* Predicates of vcmp: quiet equal; ordered, signalling on every NaN; greater or equal and greater, likewise; quiet not less and
 * not greater or equal. */
enum { CMP_EQ_Q = 0x00, CMP_ORD_S = 0x17, CMP_GE_S = 0x0d, CMP_GT_S = 0x0e, CMP_NLT_Q = 0x15, CMP_NGE_Q = 0x19 };

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

/* A comparison of x and y, scalars or all lanes, for the traps that it may cause; its result goes nowhere. */
static inline void fp_compare_for_trap(Lower *l, bool packed, bool dbl, Reg x, Reg y, unsigned predicate)
{
    Asm *a = &l->a;
    if (UNLIKELY(l->e->cfg.no_opt & OFF_FP_TRAPS)) {
        return;
    }
    if (l->t->feat.avx512) {
        l_fault(l);
        if (packed) {
            (dbl ? x_vcmppd_k_rrri : x_vcmpps_k_rrri)(a, K1, x, y, predicate);
        } else {
            (dbl ? x_vcmpsd_k_rrri : x_vcmpss_k_rrri)(a, K1, x, y, predicate);
        }
        return;
    }
    Reg t = l_temp_x(l);
    l_fault(l);
    if (packed) {
        (dbl ? x_vcmppd_rrri : x_vcmpps_rrri)(a, t, x, y, predicate);
    } else {
        (dbl ? x_vcmpsd_rrri : x_vcmpss_rrri)(a, t, x, y, predicate);
    }
}

/* Makes the register-to-register EVEX instruction just emitted (a _rz row) round towards zero without raising anything:
 * rounding control and SAE in the prefix's last byte. A packed one works on 512 bits then. */
static inline void fp_embed_rz(Asm *a)
{
    a->p[-3] |= 0x70;
}

/* Half or single v in a register with zeros above it: packed conversions must not see what lies there. */
Reg fp_clean(Lower *l, IrRef v, IrType ty);

/* d, which is zero, = u64 in s without AVX-512: the upper half of the range by half of it, the lost bit kept as a sticky one.
 * Changes EFLAGS. */
void fp_from_u64(Lower *l, bool dbl, Reg d, Reg s);

/* Bits of 2^n in a normal range. */
static inline uint64_t fp_power_of_two(IrElem e, int n)
{
    return e == E_D ? (uint64_t)(1023 + n) << 52 : (uint64_t)(127 + n) << 23;
}

/* A temporary with s * 2^n for a conversion to fixed point, raising nothing: the product is exact, or so large that the
 * conversion traps. Needs AVX-512. */
static inline Reg fp_scale_up(Lower *l, IrElem e, bool packed, int n, Reg s)
{
    Reg t = l_temp_x(l);
    uint64_t k = fp_power_of_two(e, n);
    l_const(l, t, packed ? TV128 : e == E_D ? F64 : F32, packed && e == E_S ? k << 32 | k : k);
    if (packed) {
        (e == E_D ? x_vmulpd_rz_rrr : x_vmulps_rz_rrr)(&l->a, t, s, t);
    } else {
        (e == E_D ? x_vmulsd_rz_rrr : x_vmulss_rz_rrr)(&l->a, t, s, t);
    }
    fp_embed_rz(&l->a);
    return t;
}

/* d = magnitude of u with the sign of s; u and t are destroyed, d may be any of them; sign = the sign bits of the lanes. */
static inline void fp_copysign(Lower *l, Reg d, Reg u, Reg s, Reg t, Mem sign)
{
    Asm *a = &l->a;
    x_vmovaps_rm(a, t, sign);
    x_vpandn_rrr(a, u, t, u);
    x_vpand_rrr(a, t, t, s);
    x_vpor_rrr(a, d, u, t);
}

/* How to write d = n * m + z: FMA overwrites one of its operands, and a pinned register must not change before the
 * last instruction that may trap. So it is d itself when d is a source, else a copy of z in a temporary, which becomes
 * the result's register. */
typedef enum FmaForm { FMA_Z, FMA_N, FMA_M } FmaForm;
static inline FmaForm fp_fma_form(Lower *l, IrRef i, Reg *d, Reg n, Reg m, Reg z)
{
    *d = l_dst(l, i, false);
    if (*d == z) {
        return FMA_Z;
    }
    if (*d == n) {
        return FMA_N;
    }
    if (*d == m) {
        return FMA_M;
    }
    if (!(l->t->temps >> *d & 1)) {
        *d = l_temp_x(l);
    }
    l_mov(l, TV128, *d, z);
    return FMA_Z;
}

#endif
