/* rules_fp.c - scalar floating point on x86-64: SSE in VEX form where the host computes what Arm computes.
 *
 * Regions with KEY_FP_SLOW do not come here: FPCR has nothing set but RMode, which MXCSR has too, and FZ and DN, for
 * which rules_fpmode.c adds what is missing. The invalid
 * exception is unmasked, so whatever Arm and x86 see differently (signalling NaNs, default NaNs, conversions out of
 * range) traps, and the guest instruction is done again by the evaluation functions. So a lowering must be right
 * only where no operand is a signalling NaN and nothing is invalid; and it must not leave sticky bits in MXCSR that
 * Arm does not raise, also not ahead of a trap. Two quiet NaNs: x86 takes the first operand, as Arm does, but FMA
 * takes the addend last; the comparison ORD_S in front of it traps when the addend is a NaN.
 * The destination may be pinned and the guest's source at the same time: nothing is written to it before the last
 * instruction that may trap.
 * Estimates and their steps are in rules_recip.c, half precision in rules_half.c. Left to the evaluation functions: bfloat16,
 * and without AVX-512 conversions to fixed point.
 */
#include "fp_lower.h"

#define BIN(n)                                                                                     \
    static void e_##n(Asm *a, const Sel *s)                                                        \
    {                                                                                              \
        if (s->mi == 1) {                                                                          \
            x_##n##_rrm(a, s->d, s->s[0], s->m);                                                   \
        } else {                                                                                   \
            x_##n##_rrr(a, s->d, s->s[0], s->s[1]);                                                \
        }                                                                                          \
    }
BIN(vaddsd) BIN(vaddss) BIN(vsubsd) BIN(vsubss) BIN(vmulsd) BIN(vmulss) BIN(vdivsd) BIN(vdivss)

static void e_vsqrtsd(Asm *a, const Sel *s)
{
    x_vsqrtsd_rrr(a, s->d, s->s[0], s->s[0]);
}

static void e_vsqrtss(Asm *a, const Sel *s)
{
    x_vsqrtss_rrr(a, s->d, s->s[0], s->s[0]);
}

/* x86 gives the second operand when both are zeros: the operands in both orders differ in the sign only then. */
static void e_maxsd(Asm *a, const Sel *s)
{
    x_vmaxsd_rrr(a, s->tx[0], s->s[0], s->s[1]);
    x_vmaxsd_rrr(a, s->d, s->s[1], s->s[0]);
    x_vpand_rrr(a, s->d, s->d, s->tx[0]);
}

static void e_maxss(Asm *a, const Sel *s)
{
    x_vmaxss_rrr(a, s->tx[0], s->s[0], s->s[1]);
    x_vmaxss_rrr(a, s->d, s->s[1], s->s[0]);
    x_vpand_rrr(a, s->d, s->d, s->tx[0]);
}

static void e_minsd(Asm *a, const Sel *s)
{
    x_vminsd_rrr(a, s->tx[0], s->s[0], s->s[1]);
    x_vminsd_rrr(a, s->d, s->s[1], s->s[0]);
    x_vpor_rrr(a, s->d, s->d, s->tx[0]);
}

static void e_minss(Asm *a, const Sel *s)
{
    x_vminss_rrr(a, s->tx[0], s->s[0], s->s[1]);
    x_vminss_rrr(a, s->d, s->s[1], s->s[0]);
    x_vpor_rrr(a, s->d, s->d, s->tx[0]);
}

/* VRANGE orders zeros and prefers numbers to quiet NaNs: arg = 5 maxNum, 4 minNum. */
static void e_vrangesd(Asm *a, const Sel *s)
{
    x_vrangesd_rrri(a, s->d, s->s[0], s->s[1], s->arg);
}

static void e_vrangess(Asm *a, const Sel *s)
{
    x_vrangess_rrri(a, s->d, s->s[0], s->s[1], s->arg);
}

static void e_f_neg(Asm *a, const Sel *s)
{
    x_vpxor_rrm(a, s->d, s->s[0], fp_const(s->l, &simd_consts.lane0_sign[s->i->x]));
}

static void e_f_abs(Asm *a, const Sel *s)
{
    x_vpand_rrm(a, s->d, s->s[0], fp_const(s->l, &simd_consts.max[s->i->x]));
}

/* -- fused multiply-add -------------------------------------------------------------------------------- */

/* Of two NaN factors the first one must come first, in every form. */
static void own_fma(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    IrType ty = (IrType)in->ty;
    Asm *a = &l->a;
    bool dbl = ty == F64;
    Reg n = l_reg(l, in->a), m = l_reg(l, in->b), z = l_reg(l, in->c), d;
    IrRef upper = in->c; /* whose upper part the result has */
    fp_compare_for_trap(l, false, dbl, z, z, CMP_ORD_S);
    FmaForm form = fp_fma_form(l, i, &d, n, m, z);
    l_fault(l);
    if (form == FMA_Z) {
        (dbl ? x_vfmadd231sd_rrr : x_vfmadd231ss_rrr)(a, d, n, m);
    } else if (form == FMA_N) {
        (dbl ? x_vfmadd132sd_rrr : x_vfmadd132ss_rrr)(a, d, z, m);
        upper = in->a;
    } else {
        (dbl ? x_vfmadd213sd_rrr : x_vfmadd213ss_rrr)(a, d, n, z);
        upper = in->b;
    }
    l_def(l, i, d, l->val[upper].attr & A_ZX);
}

/* -- rounding ------------------------------------------------------------------------------------------ */

/* d = s rounded to integral; the upper part comes from s. */
static void round_scalar(Lower *l, IrType ty, Reg d, Reg s, unsigned imm)
{
    Asm *a = &l->a;
    if (l->t->feat.avx512) {
        (ty == F64 ? x_vrndscalesd_rrri : x_vrndscaless_rrri)(a, d, s, s, imm);
    } else {
        (ty == F64 ? x_vroundsd_rrri : x_vroundss_rrri)(a, d, s, s, imm);
    }
}

/* With AVX-512: trunc(s + copysign(0.5, s)), the sum rounded towards zero and silently; so a comparison in front traps
 * for signalling NaNs. */
static void round_away_avx512(Lower *l, IrType ty, Reg d, Reg s)
{
    Asm *a = &l->a;
    bool dbl = ty == F64;
    IrElem e = ir_fp_elem(ty);
    Reg h = l_temp_x(l);
    x_vmovaps_rm(a, h, fp_const(l, &simd_consts.sign[e]));
    x_vpternlog_rrmi(a, h, s, fp_const(l, &simd_consts.half[e]), 0xea); /* h & s | half */
    l_fault(l);
    (dbl ? x_vcmpsd_k_rrri : x_vcmpss_k_rrri)(a, K1, s, s, CMP_EQ_Q);
    (dbl ? x_vaddsd_rz_rrr : x_vaddss_rz_rrr)(a, h, s, h);
    fp_embed_rz(a);
    round_scalar(l, ty, d, h, ROUND_ZERO | ROUND_QUIET);
}

/* d = s rounded to nearest, ties away from zero: u = trunc(s); u + trunc(2 * (s - u)), with the sign of s. Every step
 * is exact. Traps for infinities too, at the subtraction. */
static void round_away(Lower *l, IrType ty, Reg d, Reg s)
{
    if (l->t->feat.avx512) {
        round_away_avx512(l, ty, d, s);
        return;
    }
    Asm *a = &l->a;
    bool dbl = ty == F64;
    Reg t = l_temp_x(l), u = l_temp_x(l);
    l_fault(l);
    round_scalar(l, ty, u, s, ROUND_ZERO | ROUND_QUIET);
    l_fault(l);
    (dbl ? x_vsubsd_rrr : x_vsubss_rrr)(a, t, s, u);
    (dbl ? x_vaddsd_rrr : x_vaddss_rrr)(a, t, t, t);
    round_scalar(l, ty, t, t, ROUND_ZERO | ROUND_QUIET);
    (dbl ? x_vaddsd_rrr : x_vaddss_rrr)(a, u, u, t);
    fp_copysign(l, d, u, s, t, fp_const(l, &simd_consts.sign[ir_fp_elem(ty)]));
}

static void own_rint(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    IrType ty = (IrType)in->ty;
    Reg s = l_reg(l, in->a);
    Reg d = l_dst(l, i, false);
    if (in->y == FPR_TIEAWAY) {
        round_away(l, ty, d, s);
    } else {
        l_fault(l);
        round_scalar(l, ty, d, s, fp_round_imm(in->y) | (in->imm ? 0 : ROUND_QUIET));
    }
    l_def(l, i, d, l->val[in->a].attr & A_ZX);
}

/* -- conversions ----------------------------------------------------------------------------------------- */

static void e_vcvtss2sd(Asm *a, const Sel *s)
{
    x_vcvtss2sd_rrr(a, s->d, s->s[0], s->s[0]);
}

Reg fp_clean(Lower *l, IrRef v, IrType ty)
{
    Reg s = l_reg(l, v);
    if (l->val[v].attr & A_ZX) {
        return s;
    }
    Reg t = l_temp_x(l);
    if (ty == F32) {
        x_vinsertps_rrri(&l->a, t, s, s, 0x0e);
    } else {
        Reg g = l_temp(l);
        x_vpextrw_rri(&l->a, s, g, 0);
        x_vmovd_rr(&l->a, t, g);
    }
    return t;
}

static void own_cvt(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    if (in->x == E_D && in->y == E_S) {
        Reg s = l_reg(l, in->a), zero = l_temp_x(l), d = l_dst(l, i, false);
        x_vpxor_rrr(a, zero, zero, zero);
        l_fault(l);
        x_vcvtsd2ss_rrr(a, d, zero, s);
        l_def(l, i, d, true);
    } else if (in->x == E_H) {
        Reg s = fp_clean(l, in->a, F16), d = l_dst(l, i, false);
        l_fault(l);
        x_vcvtph2ps_rr(a, d, s);
        if (in->y == E_D) {
            x_vcvtss2sd_rrr(a, d, d, d);
        }
        l_def(l, i, d, true);
    } else if (in->x == E_S && in->y == E_H) {
        Reg s = fp_clean(l, in->a, F32), d = l_dst(l, i, false);
        l_fault(l);
        x_vcvtps2ph_rri(a, s, d, ROUND_MXCSR);
        l_def(l, i, d, true);
    } else {
        l_eval(l, i);
    }
}

/* d = s rounded to integral, without inexact. */
static void round_quietly(Lower *l, IrType ty, unsigned fpr, Reg d, Reg s)
{
    if (fpr == FPR_TIEAWAY) {
        round_away(l, ty, d, s);
    } else {
        l_fault(l);
        round_scalar(l, ty, d, s, fp_round_imm(fpr) | ROUND_QUIET);
    }
}

static void truncate_to_int(Asm *a, IrType fty, unsigned y, Reg d, Reg s)
{
    bool dbl = fty == F64;
    switch (y & (FPI_UNSIGNED | FPI_64)) {
    case 0: (dbl ? x_vcvttsd2si32_rr : x_vcvttss2si32_rr)(a, d, s); break;
    case FPI_64: (dbl ? x_vcvttsd2si64_rr : x_vcvttss2si64_rr)(a, d, s); break;
    case FPI_UNSIGNED: (dbl ? x_vcvttsd2usi32_rr : x_vcvttss2usi32_rr)(a, d, s); break;
    default: (dbl ? x_vcvttsd2usi64_rr : x_vcvttss2usi64_rr)(a, d, s); break;
    }
}

/* Traps unless the condition cc holds: converts a NaN, into d in name only. */
static void trap_unless(Lower *l, X86Cond cc, Reg d)
{
    Asm *a = &l->a;
    uint8_t *over = x_jcc8(a, cc);
    l_fault(l);
    x_vcvttss2si32_rm(a, d, fp_const(l, &simd_consts.ones));
    asm_link8(over, a->p);
}

/* To unsigned integers without AVX-512: a signed conversion to 64 bits, the result of which must fit. */
static void to_unsigned(Lower *l, IrRef i, IrType fty, Reg s)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg t = l_temp_x(l), g = l_temp(l);
    l_clobber(l);
    round_quietly(l, fty, in->y & FPR_MASK, t, s);
    Reg d = l_dst(l, i, false);
    l_fault(l);
    truncate_to_int(a, fty, FPI_64, d, t);
    if (in->y & FPI_64) {
        x_test_rr(a, 1, d, d);
        trap_unless(l, CC_NS, d);
    } else {
        x_mov_rr(a, 1, g, d);
        x_shr_ri(a, 1, g, 32);
        trap_unless(l, CC_E, d);
    }
    round_scalar(l, fty, t, s, ROUND_ZERO);
    l_def(l, i, d, true);
}

/* Truncation is one instruction. Otherwise: round without raising inexact, convert (traps when out of range), and only
 * then raise inexact, by rounding once more: a trap must find FPSR without it. */
static void own_to_i(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    unsigned round = in->y & FPR_MASK;
    if (in->x == E_H || (in->imm && (round != FPR_ZERO || !l->t->feat.avx512))) {
        l_eval(l, i);
        return;
    }
    Asm *a = &l->a;
    IrType fty = ir_fp_type((IrElem)in->x);
    Reg s = l_reg(l, in->a), t = s;
    if (in->imm) {
        s = t = fp_scale_up(l, (IrElem)in->x, false, in->imm, s);
    }
    if ((in->y & FPI_UNSIGNED) && !l->t->feat.avx512) {
        to_unsigned(l, i, fty, s);
        return;
    }
    if (round != FPR_ZERO) {
        t = l_temp_x(l);
        round_quietly(l, fty, round, t, s);
    }
    Reg d = l_dst(l, i, false);
    l_fault(l);
    truncate_to_int(a, fty, in->y, d, t);
    if (round != FPR_ZERO) {
        round_scalar(l, fty, t, s, ROUND_ZERO);
    }
    l_def(l, i, d, true);
}

/* FJCVTZS: what does not fit traps. */
static void own_jcvt(Lower *l, IrRef i)
{
    Reg s = l_reg(l, l_ins(l, i)->a), d = l_dst(l, i, false);
    l_fault(l);
    x_vcvttsd2si32_rr(&l->a, d, s);
    l_def(l, i, d, true);
}

/* Is it exact? There and back, bit by bit: -0 is not. Inexact is raised by the instruction anyway. */
static void own_jcvt_exact(Lower *l, IrRef i)
{
    Asm *a = &l->a;
    Reg s = l_reg(l, l_ins(l, i)->a), t = l_temp_x(l), zero = l_temp_x(l), d = l_dst(l, i, false);
    l_fault(l);
    x_vcvttsd2si32_rr(a, d, s);
    x_vpxor_rrr(a, zero, zero, zero);
    x_vcvtsi2sd32_rrr(a, t, zero, d);
    x_vpxor_rrr(a, t, t, s);
    x_vpcmpeqq_rrr(a, t, t, zero);
    x_vpsrlq_rri(a, t, t, 63);
    x_vmovd_to_rr(a, t, d);
    l_def(l, i, d, true);
}

void fp_from_u64(Lower *l, bool dbl, Reg d, Reg s)
{
    Asm *a = &l->a;
    Reg g = l_temp(l), h = l_temp(l);
    x_test_rr(a, 1, s, s);
    uint8_t *big = x_jcc8(a, CC_S);
    (dbl ? x_vcvtsi2sd64_rrr : x_vcvtsi2ss64_rrr)(a, d, d, s);
    uint8_t *done = x_jmp8(a);
    asm_link8(big, a->p);
    x_mov_rr(a, 1, g, s);
    x_mov_rr(a, 0, h, s);
    x_shr_ri(a, 1, g, 1);
    x_alu_ri(a, 0, ALU_AND, h, 1);
    x_or_rr(a, 1, g, h);
    (dbl ? x_vcvtsi2sd64_rrr : x_vcvtsi2ss64_rrr)(a, d, d, g);
    (dbl ? x_vaddsd_rrr : x_vaddss_rrr)(a, d, d, d);
    asm_link8(done, a->p);
}

/* Fixed point: the division by a power of two is exact. */
static void own_from_i(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    bool u64 = (in->y & FPI_UNSIGNED) && (in->y & FPI_64);
    if (in->x == E_H) {
        l_eval(l, i);
        return;
    }
    Asm *a = &l->a;
    bool dbl = in->x == E_D, wide = in->y & (FPI_UNSIGNED | FPI_64);
    if (u64 && !l->t->feat.avx512) {
        l_clobber(l);
    }
    Reg s = wide ? l_reg_zx(l, in->a) : l_reg(l, in->a), d = l_dst(l, i, false), v = in->imm ? l_temp_x(l) : d, zero = v;
    if (l->r->key & KEY_FP_FZ) { /* inexact may trap: nothing is written before */
        zero = l_temp_x(l);
    }
    x_vpxor_rrr(a, zero, zero, zero);
    if (u64 && !l->t->feat.avx512) {
        fp_from_u64(l, dbl, v, s);
    } else {
        l_fault(l);
        if (u64) {
            (dbl ? x_vcvtusi2sd64_rrr : x_vcvtusi2ss64_rrr)(a, v, zero, s);
        } else if (wide) {
            (dbl ? x_vcvtsi2sd64_rrr : x_vcvtsi2ss64_rrr)(a, v, zero, s);
        } else {
            (dbl ? x_vcvtsi2sd32_rrr : x_vcvtsi2ss32_rrr)(a, v, zero, s);
        }
    }
    if (in->imm) {
        Reg t = l_temp_x(l);
        l_const(l, t, dbl ? F64 : F32, fp_power_of_two((IrElem)in->x, -in->imm));
        (dbl ? x_vmulsd_rrr : x_vmulss_rrr)(a, d, v, t);
    }
    l_def(l, i, d, true);
}

#define FTY (TY(F32) | TY(F64))
#define ARITH(op, e)                                                                               \
    RULE(op, TY(F64), 0, D_X, S_X, S_XM, S_NONE, R_FAULT | R_ZXA, e_##e##sd, 0)                    \
    RULE(op, TY(F32), 0, D_X, S_X, S_XM, S_NONE, R_FAULT | R_ZXA, e_##e##ss, 0)
#define MINMAX(op, e, zx)                                                                          \
    RULE(op, TY(F64), 0, D_X, S_X, S_X, S_NONE, R_FAULT | R_TX1 | (zx), e_##e##sd, 0)              \
    RULE(op, TY(F32), 0, D_X, S_X, S_X, S_NONE, R_FAULT | R_TX1 | (zx), e_##e##ss, 0)
#define RANGE(op, k)                                                                               \
    RULE(op, TY(F64), 0, D_X, S_X, S_X, S_NONE, R_FAULT | R_ZXA | R_AVX512, e_vrangesd, k)         \
    RULE(op, TY(F32), 0, D_X, S_X, S_X, S_NONE, R_FAULT | R_ZXA | R_AVX512, e_vrangess, k)

// clang-format off
const Rule rules_fp[] = {
    ARITH(f_add, vadd)
    ARITH(f_sub, vsub)
    ARITH(f_mul, vmul)
    ARITH(f_mulx, vmul) /* what differs, 0 * inf, traps */
    ARITH(f_div, vdiv)
    RULE(f_sqrt, TY(F64), 0, D_X, S_X, S_NONE, S_NONE, R_FAULT | R_ZXA, e_vsqrtsd, 0)
    RULE(f_sqrt, TY(F32), 0, D_X, S_X, S_NONE, S_NONE, R_FAULT | R_ZXA, e_vsqrtss, 0)
    OWN(f_fma, FTY, 0, own_fma)
    MINMAX(f_max, max, R_ZXA)
    MINMAX(f_min, min, 0)
    RANGE(f_maxnm, 5)
    RANGE(f_minnm, 4)
    MINMAX(f_maxnm, max, R_ZXA)
    MINMAX(f_minnm, min, 0)
    RULE(f_neg, 0, 0, D_X, S_X, S_NONE, S_NONE, R_ZXA, e_f_neg, 0)
    RULE(f_abs, 0, 0, D_X, S_X, S_NONE, S_NONE, R_ZXA, e_f_abs, 0)
    OWN(f_rint, FTY, 0, own_rint)
    RULE(f_cvt, TY(F64), X(E_S), D_X, S_X, S_NONE, S_NONE, R_FAULT | R_ZXA, e_vcvtss2sd, 0)
    OWN(f_cvt, 0, 0, own_cvt)
    OWN(f_to_i, 0, 0, own_to_i)
    OWN(i_to_f, 0, 0, own_from_i)
    OWN(f_jcvt, 0, 0, own_jcvt)
    OWN(f_jcvt_exact, 0, 0, own_jcvt_exact)
};
// clang-format on
const unsigned rules_fp_n = LEN(rules_fp);
