/* rules_vfp.c - vector floating point on x86-64: packed SSE and AVX-512; the rules of the game are in rules_fp.c.
 *
 * A trap redoes all lanes. Half precision is in rules_half.c, but for its conversions. Left to the evaluation functions: dot products
 * of bfloat16, rounding to odd, and without AVX-512 conversions to fixed point and to unsigned integers.
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
#define UN(n)                                                                                      \
    static void e_##n(Asm *a, const Sel *s)                                                        \
    {                                                                                              \
        x_##n##_rr(a, s->d, s->s[0]);                                                              \
    }
/* op in both orders, then `join` of the zeros' signs (rules_fp.c) */
#define MINMAX(n, op, join)                                                                        \
    static void e_##n(Asm *a, const Sel *s)                                                        \
    {                                                                                              \
        x_##op##_rrr(a, s->tx[0], s->s[0], s->s[1]);                                               \
        x_##op##_rrr(a, s->d, s->s[1], s->s[0]);                                                   \
        x_##join##_rrr(a, s->d, s->d, s->tx[0]);                                                   \
    }
BIN(vaddpd) BIN(vaddps) BIN(vsubpd) BIN(vsubps) BIN(vmulpd) BIN(vmulps) BIN(vdivpd) BIN(vdivps)
UN(vsqrtpd) UN(vsqrtps) UN(vcvtps2pd) UN(vcvtph2ps)
MINMAX(maxpd, vmaxpd, vpand) MINMAX(maxps, vmaxps, vpand)
MINMAX(minpd, vminpd, vpor) MINMAX(minps, vminps, vpor)

static void e_vrangepd(Asm *a, const Sel *s)
{
    x_vrangepd_rrri(a, s->d, s->s[0], s->s[1], s->arg);
}

static void e_vrangeps(Asm *a, const Sel *s)
{
    x_vrangeps_rrri(a, s->d, s->s[0], s->s[1], s->arg);
}

static void e_neg(Asm *a, const Sel *s)
{
    x_vpxor_rrm(a, s->d, s->s[0], fp_const(s->l, &simd_consts.sign[s->i->x]));
}

static void e_abs(Asm *a, const Sel *s)
{
    x_vpand_rrm(a, s->d, s->s[0], fp_const(s->l, &simd_consts.max[s->i->x]));
}

/* -- comparison ------------------------------------------------------------------------------------------ */

static unsigned predicate(const Sel *s)
{
    return s->i->y == FCMP_EQ ? CMP_EQ_Q : s->i->y == FCMP_GE ? CMP_GE_S : CMP_GT_S;
}

static void e_cmp_k(Asm *a, const Sel *s)
{
    if (s->i->x == E_D) {
        x_vcmppd_k_rrri(a, K1, s->s[0], s->s[1], predicate(s));
        x_vpmovm2q_rr(a, s->d, K1);
    } else {
        x_vcmpps_k_rrri(a, K1, s->s[0], s->s[1], predicate(s));
        x_vpmovm2d_rr(a, s->d, K1);
    }
}

static void e_cmp(Asm *a, const Sel *s)
{
    (s->i->x == E_D ? x_vcmppd_rrri : x_vcmpps_rrri)(a, s->d, s->s[0], s->s[1], predicate(s));
}

/* -- fused multiply-add ----------------------------------------------------------------------------------- */

static void own_fma(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    bool dbl = in->x == E_D;
    Reg n = l_reg(l, in->a), m = l_reg(l, in->b), z = l_reg(l, in->c), d;
    fp_compare_for_trap(l, true, dbl, z, z, CMP_ORD_S);
    FmaForm form = fp_fma_form(l, i, &d, n, m, z);
    l_fault(l);
    switch (form) {
    case FMA_Z: (dbl ? x_vfmadd231pd_rrr : x_vfmadd231ps_rrr)(a, d, n, m); break;
    case FMA_N: (dbl ? x_vfmadd132pd_rrr : x_vfmadd132ps_rrr)(a, d, z, m); break;
    case FMA_M: (dbl ? x_vfmadd213pd_rrr : x_vfmadd213ps_rrr)(a, d, n, z); break;
    }
    l_def(l, i, d, true);
}

/* -- rounding and conversion ------------------------------------------------------------------------------- */

static void round_packed(Lower *l, bool dbl, Reg d, Reg s, unsigned imm)
{
    Asm *a = &l->a;
    if (l->t->feat.avx512) {
        (dbl ? x_vrndscalepd_rri : x_vrndscaleps_rri)(a, d, s, imm);
    } else {
        (dbl ? x_vroundpd_rri : x_vroundps_rri)(a, d, s, imm);
    }
}

/* As round_away in rules_fp.c. */
static void round_away(Lower *l, bool dbl, Reg d, Reg s)
{
    Asm *a = &l->a;
    Reg t = l_temp_x(l), u = l_temp_x(l);
    l_fault(l);
    round_packed(l, dbl, u, s, ROUND_ZERO | ROUND_QUIET);
    l_fault(l);
    (dbl ? x_vsubpd_rrr : x_vsubps_rrr)(a, t, s, u);
    (dbl ? x_vaddpd_rrr : x_vaddps_rrr)(a, t, t, t);
    round_packed(l, dbl, t, t, ROUND_ZERO | ROUND_QUIET);
    (dbl ? x_vaddpd_rrr : x_vaddps_rrr)(a, u, u, t);
    fp_copysign(l, d, u, s, t, fp_const(l, &simd_consts.sign[dbl ? E_D : E_S]));
}

static void own_rint(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    bool dbl = in->x == E_D, away = in->y == FPR_TIEAWAY;
    Reg s = l_reg(l, in->a), d = l_dst(l, i, false);
    if (away) {
        round_away(l, dbl, d, s);
    } else {
        l_fault(l);
        round_packed(l, dbl, d, s, fp_round_imm(in->y) | (in->imm ? 0 : ROUND_QUIET));
    }
    l_def(l, i, d, true);
}

static void compare(Asm *a, bool packed, bool dbl, Reg d, Reg x, Reg y, unsigned predicate)
{
    if (packed) {
        (dbl ? x_vcmppd_rrri : x_vcmpps_rrri)(a, d, x, y, predicate);
    } else {
        (dbl ? x_vcmpsd_rrri : x_vcmpss_rrri)(a, d, x, y, predicate);
    }
}

/* FRINT32, FRINT64, of scalars too: rounded without raising anything, and once more where the integer fits. What does not fit,
 * and NaNs, trap. */
static void own_rint_n(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    bool packed = in->op >= OP_vf_add, dbl = in->x == E_D;
    unsigned imm = fp_round_imm(in->y);
    Reg s = l_reg(l, in->a);
    uint64_t lock = l->lock, power = fp_power_of_two((IrElem)in->x, in->imm - 1);
    Reg r = l_temp_x(l), limit = l_temp_x(l), t = l_temp_x(l);
    l_const(l, limit, TV128, dbl ? power : power << 32 | power);
    for (unsigned again = 0; again < 2; again++) {
        unsigned how = imm | (again ? 0 : ROUND_QUIET);
        Reg d = again ? l_dst(l, i, false) : r;
        l_fault(l);
        if (packed) {
            round_packed(l, dbl, d, s, how);
        } else if (l->t->feat.avx512) {
            (dbl ? x_vrndscalesd_rrri : x_vrndscaless_rrri)(a, d, s, s, how);
        } else {
            (dbl ? x_vroundsd_rrri : x_vroundss_rrri)(a, d, s, s, how);
        }
        if (again) {
            l_def(l, i, d, packed || (l->val[in->a].attr & A_ZX));
            return;
        }
        compare(a, packed, dbl, t, r, limit, CMP_NLT_Q);
        x_vpxor_rrm(a, limit, limit, fp_const(l, &simd_consts.sign[in->x]));
        compare(a, packed, dbl, r, r, limit, CMP_NGE_Q);
        x_vpor_rrr(a, t, t, r);
        fp_compare_for_trap(l, packed, dbl, t, t, CMP_ORD_S);
        l->lock = lock;
    }
}

/* Without AVX-512: 64-bit lanes one by one. */
static void to_lanes(Lower *l, Reg d, Reg s)
{
    Asm *a = &l->a;
    Reg low = l_temp(l), high = l_temp(l), t = l_temp_x(l);
    x_vpunpckhqdq_rrr(a, t, s, s);
    l_fault(l);
    x_vcvttsd2si64_rr(a, low, s);
    l_fault(l);
    x_vcvttsd2si64_rr(a, high, t);
    x_vmovq_r_rr(a, t, low);
    x_vpinsrq_rrri(a, d, t, high, 1);
}

/* These raise inexact at most, so d, which is not s, is written at once. */
static void from_lanes(Lower *l, bool is_unsigned, Reg d, Reg s)
{
    Asm *a = &l->a;
    Reg g = l_temp(l), t[2] = {d, l_temp_x(l)};
    for (unsigned k = 0; k < 2; k++) {
        x_vpxor_rrr(a, t[k], t[k], t[k]);
        k ? x_vpextrq_rri(a, s, g, 1) : x_vmovq_r_to_rr(a, s, g);
        if (is_unsigned) {
            uint64_t lock = l->lock;
            fp_from_u64(l, true, t[k], g);
            l->lock = lock;
        } else {
            x_vcvtsi2sd64_rrr(a, t[k], t[k], g);
        }
    }
    x_vpunpcklqdq_rrr(a, d, t[0], t[1]);
}

/* u32: the upper halves' numbers are exact, so that only the sum rounds. */
static void from_u32(Lower *l, Reg d, Reg s)
{
    Asm *a = &l->a;
    Reg t = l_temp_x(l);
    uint64_t scale = fp_power_of_two(E_S, 16);
    l_const(l, t, TV128, scale << 32 | scale);
    x_vpsrld_rri(a, d, s, 16);
    x_vcvtdq2ps_rr(a, d, d);
    x_vmulps_rrr(a, d, d, t);
    x_vpxor_rrr(a, t, t, t);
    x_vpblendw_rrri(a, t, t, s, 0x55);
    x_vcvtdq2ps_rr(a, t, t);
    x_vaddps_rrr(a, d, d, t);
}

/* Steps as in own_to_i of rules_fp.c. */
static void own_to_i(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    bool dbl = in->x == E_D, is_unsigned = in->y & FPI_UNSIGNED;
    unsigned round = in->y & FPR_MASK;
    if ((in->imm || is_unsigned) && (!l->t->feat.avx512 || (in->imm && round != FPR_ZERO))) {
        l_eval(l, i);
        return;
    }
    Asm *a = &l->a;
    Reg s = l_reg(l, in->a), t = s;
    if (in->imm) {
        s = t = fp_scale_up(l, (IrElem)in->x, true, in->imm, s);
    }
    if (round != FPR_ZERO) {
        t = l_temp_x(l);
        if (round == FPR_TIEAWAY) {
            uint64_t lock = l->lock;
            round_away(l, dbl, t, s);
            l->lock = lock;
        } else {
            l_fault(l);
            round_packed(l, dbl, t, s, fp_round_imm(round) | ROUND_QUIET);
        }
    }
    Reg d = l_dst(l, i, round != FPR_ZERO);
    if (dbl && !l->t->feat.avx512) {
        to_lanes(l, d, t);
    } else if (dbl) {
        l_fault(l);
        (is_unsigned ? x_vcvttpd2uqq_rr : x_vcvttpd2qq_rr)(a, d, t);
    } else {
        l_fault(l);
        (is_unsigned ? x_vcvttps2udq_rr : x_vcvttps2dq_rr)(a, d, t);
    }
    if (round != FPR_ZERO) {
        round_packed(l, dbl, t, s, ROUND_ZERO);
    }
    l_def(l, i, d, true);
}

static void own_from_i(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    bool dbl = in->x == E_D, is_unsigned = in->y & FPI_UNSIGNED;
    Asm *a = &l->a;
    if (dbl && is_unsigned && !l->t->feat.avx512) {
        l_clobber(l);
    }
    bool parts = (dbl || is_unsigned) && !l->t->feat.avx512;
    Reg s = l_reg(l, in->a), d = l_dst(l, i, parts), v = in->imm && !parts ? l_temp_x(l) : d;
    uint64_t lock = l->lock;
    l_fault(l); /* inexact, with FZ */
    if (parts) {
        dbl ? from_lanes(l, is_unsigned, d, s) : from_u32(l, d, s);
        l->lock = lock;
    } else if (dbl) {
        (is_unsigned ? x_vcvtuqq2pd_rr : x_vcvtqq2pd_rr)(a, v, s);
    } else {
        (is_unsigned ? x_vcvtudq2ps_rr : x_vcvtdq2ps_rr)(a, v, s);
    }
    if (in->imm) {
        Reg t = l_temp_x(l);
        uint64_t k = fp_power_of_two((IrElem)in->x, -in->imm);
        l_const(l, t, TV128, dbl ? k : k << 32 | k);
        (dbl ? x_vmulpd_rrr : x_vmulps_rrr)(a, d, v, t);
    }
    l_def(l, i, d, true);
}

static void own_narrow(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    if (in->imm) {
        l_eval(l, i);
        return;
    }
    Reg s = l_reg(l, in->a), d = l_dst(l, i, false);
    l_fault(l);
    if (in->x == E_D) {
        x_vcvtpd2ps_rr(&l->a, d, s);
    } else {
        x_vcvtps2ph_rri(&l->a, s, d, ROUND_MXCSR);
    }
    l_def(l, i, d, true);
}

#define SD (X(E_S) | X(E_D))
#define ARITH(op, e)                                                                               \
    RULE(op, 0, X(E_D), D_X, S_X, S_XM, S_NONE, R_FAULT | R_ZX, e_##e##pd, 0)                      \
    RULE(op, 0, X(E_S), D_X, S_X, S_XM, S_NONE, R_FAULT | R_ZX, e_##e##ps, 0)
#define EITHER(op, e)                                                                              \
    RULE(op, 0, X(E_D), D_X, S_X, S_X, S_NONE, R_FAULT | R_ZX | R_TX1, e_##e##pd, 0)               \
    RULE(op, 0, X(E_S), D_X, S_X, S_X, S_NONE, R_FAULT | R_ZX | R_TX1, e_##e##ps, 0)
#define RANGE(op, k)                                                                               \
    RULE(op, 0, X(E_D), D_X, S_X, S_X, S_NONE, R_FAULT | R_ZX | R_AVX512, e_vrangepd, k)           \
    RULE(op, 0, X(E_S), D_X, S_X, S_X, S_NONE, R_FAULT | R_ZX | R_AVX512, e_vrangeps, k)
#define ONE(op, x, flags, e) RULE(op, 0, x, D_X, S_X, S_NONE, S_NONE, R_ZX | (flags), e, 0)

// clang-format off
const Rule rules_vfp[] = {
    ARITH(vf_add, vadd)
    ARITH(vf_sub, vsub)
    ARITH(vf_mul, vmul)
    ARITH(vf_mulx, vmul)
    ARITH(vf_div, vdiv)
    ONE(vf_sqrt, X(E_D), R_FAULT, e_vsqrtpd)
    ONE(vf_sqrt, X(E_S), R_FAULT, e_vsqrtps)
    OWN(vf_fma, 0, SD, own_fma)
    EITHER(vf_max, max)
    EITHER(vf_min, min)
    RANGE(vf_maxnm, 5)
    RANGE(vf_minnm, 4)
    EITHER(vf_maxnm, max)
    EITHER(vf_minnm, min)
    ONE(vf_neg, 0, 0, e_neg)
    ONE(vf_abs, 0, 0, e_abs)
    RULE(vf_cmp, 0, SD, D_X, S_X, S_X, S_NONE, R_FAULT | R_ZX | R_AVX512, e_cmp_k, 0)
    RULE(vf_cmp, 0, SD, D_X, S_X, S_X, S_NONE, R_FAULT | R_ZX, e_cmp, 0)
    OWN(vf_rint, 0, SD, own_rint)
    OWN(f_rint_n, 0, SD, own_rint_n)
    OWN(vf_rint_n, 0, SD, own_rint_n)
    OWN(vf_to_i, 0, SD, own_to_i)
    OWN(vf_from_i, 0, SD, own_from_i)
    ONE(vf_widen, X(E_S), R_FAULT, e_vcvtps2pd)
    ONE(vf_widen, X(E_H), R_FAULT, e_vcvtph2ps)
    OWN(vf_narrow, 0, SD, own_narrow)
};
// clang-format on
const unsigned rules_vfp_n = LEN(rules_vfp);
