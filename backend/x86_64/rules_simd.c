/* rules_simd.c - lowerings of the integer vector ops (v_*), SSE4.2 and AVX2 in VEX form, AVX-512 VL where it helps.
 *
 * Words of its emitters are in simd_lower.h; ops that take more than a handful of instructions are in rules_saturate.c.
 * Three sources of trouble: the destination may be one of the sources (rows with D_X write it last; rows with D_XE
 * may use it as scratch), VEX-only instructions (kind N in enc.def) reach xmm0..15 only, so rules that use them have
 * an AVX-512 twin or take their operands there, and the QC ops must leave a trace of every lane that saturated
 * (collect): 16 bytes of the CPU head, read when FPSR is.
 * Nothing here changes EFLAGS or general registers; k1 is scratch.
 * To add one: an emitter, a row. The last resort of all these ops is the evaluation function.
 */
#include "simd_lower.h"

/* The plain two-operand form; the second may be in memory. */
static void binary(Asm *a, const Sel *s, uint32_t vopc)
{
    if (s->mi == 1) {
        enc_v_rm(a, vopc, s->d, s->s[0], s->m, 0);
    } else {
        enc_v_rr(a, vopc, s->d, s->s[0], s->s[1]);
    }
}

/* arg = table; the kind VS_UNSIGNED is the next one */
static void e_lanes(Asm *a, const Sel *s)
{
    binary(a, s, by_elem[s->arg + is_unsigned(s)][elem(s)]);
}

/* arg = the instruction, same for all elements */
static void e_one(Asm *a, const Sel *s)
{
    binary(a, s, s->arg);
}

/* -- moves, logic -------------------------------------------------------------------------------------------------- */

static void e_dup(Asm *a, const Sel *s)
{
    static const uint32_t from_gpr[] = {X_vpbroadcastb_r, X_vpbroadcastw_r, X_vpbroadcastd_r, X_vpbroadcastq_r};
    static const uint32_t from_xmm[] = {X_vpbroadcastb, X_vpbroadcastw, X_vpbroadcastd, X_vpbroadcastq};
    Reg x = s->s[0];
    if (!reg_is_xmm(x) && avx512(s)) {
        enc_v_rr(a, from_gpr[elem(s)], s->d, 0, x);
        return;
    }
    if (!reg_is_xmm(x)) {
        enc_v_rr(a, elem(s) == E_D ? X_vmovq_r : X_vmovd, s->d, 0, x);
        x = s->d;
    }
    enc_v_rr(a, from_xmm[elem(s)], s->d, 0, x);
}

static void dup_lane(Asm *a, const Sel *s, unsigned e, Reg d, Reg x, unsigned n)
{
    switch (e) {
    case E_B:
        if (n == 0) {
            x_vpbroadcastb_rr(a, d, x);
        } else {
            x_vpshufb_rrm(a, d, x, CI(dup_b, n));
        }
        break;
    case E_H:
        if (n == 0) {
            x_vpbroadcastw_rr(a, d, x);
        } else {
            x_vpshufb_rrm(a, d, x, CI(dup_h, n));
        }
        break;
    case E_S: x_vpshufd_rri(a, d, x, n * 0x55); break;
    default: x_vpshufd_rri(a, d, x, n ? 0xee : 0x44); break;
    }
}

static void e_dup_lane(Asm *a, const Sel *s)
{
    dup_lane(a, s, elem(s), s->d, s->s[0], (unsigned)s->i->imm);
}

static void e_get(Asm *a, const Sel *s)
{
    static const uint32_t extract[] = {X_vpextrb, X_vpextrw, X_vpextrd, X_vpextrq};
    const unsigned e = elem(s), n = (unsigned)s->i->imm;
    if (n == 0 && e >= E_S) {
        enc_v_rr(a, e == E_D ? X_vmovq_r_to : X_vmovd_to, s->s[0], 0, s->d);
    } else {
        enc_v_rr(a, extract[e], s->s[0], 0, s->d);
        put8(a, n);
    }
    if (s->i->y) {
        switch (e) {
        case E_B: x_movsx8_rr(a, s->w, s->d, s->d); break;
        case E_H: x_movsx16_rr(a, s->w, s->d, s->d); break;
        case E_S:
            if (s->w) {
                x_movsxd_rr(a, 1, s->d, s->d);
            }
            break;
        default: break;
        }
    }
}

static void e_put(Asm *a, const Sel *s)
{
    static const uint32_t insert[] = {X_vpinsrb, X_vpinsrw, X_vpinsrd, X_vpinsrq};
    enc_v_rr(a, insert[elem(s)], s->d, s->s[0], s->s[1]);
    put8(a, (unsigned)s->i->imm);
}

/* a with lane .imm = lane .y of b, 32 and 64 bits */
static void e_put_lane(Asm *a, const Sel *s)
{
    const unsigned to = (unsigned)s->i->imm, from = s->i->y;
    if (elem(s) == E_S) {
        x_vinsertps_rrri(a, s->d, s->s[0], s->s[1], from << 6 | to << 4);
    } else if (to == 0) {
        x_vshufpd_rrri(a, s->d, s->s[1], s->s[0], 2 | from);
    } else {
        x_vshufpd_rrri(a, s->d, s->s[0], s->s[1], from << 1);
    }
}

/* 8 and 16 bits: the lane of b everywhere, then one lane of it */
static void e_put_lane_small(Asm *a, const Sel *s)
{
    const unsigned to = (unsigned)s->i->imm;
    dup_lane(a, s, elem(s), t0, s->s[1], s->i->y);
    const Mem only = CI(only_b, to << elem(s));
    if (avx512(s)) {
        x_vmovdqa_rm(a, t1, only);
        if (elem(s) == E_H) {
            x_vpor_rrm(a, t1, t1, CI(only_b, 2 * to + 1));
        }
        x_vpternlog_rrri(a, t1, t0, s->s[0], 0xca);
        move(a, s->d, t1);
    } else if (elem(s) == E_H) {
        x_vpblendw_rrri(a, s->d, s->s[0], t0, 1u << to);
    } else {
        x_vmovdqa_rm(a, t1, only);
        x_vpblendvb_rrri(a, s->d, s->s[0], t0, (t1 & 15u) << 4);
    }
}

static void e_low(Asm *a, const Sel *s)
{
    switch (elem(s)) {
    case E_B:
    case E_H: x_vpand_rrm(a, s->d, s->s[0], CE(lane0)); break;
    case E_S: x_vinsertps_rrri(a, s->d, s->s[0], s->s[0], 0x0e); break;
    default: x_vmovq_rr(a, s->d, s->s[0]); break;
    }
}

static void e_low64(Asm *a, const Sel *s)
{
    x_vmovq_rr(a, s->d, s->s[0]);
}

static void e_pair64(Asm *a, const Sel *s)
{
    x_vmovq_r_rr(a, s->d, s->s[0]);
    x_vpinsrq_rrri(a, s->d, s->d, s->s[1], 1);
}

static void e_andn(Asm *a, const Sel *s)
{
    x_vpandn_rrr(a, s->d, s->s[1], s->s[0]);
}

static void e_not(Asm *a, const Sel *s)
{
    if (avx512(s)) {
        x_vpternlog_rrri(a, s->d, s->s[0], s->s[0], 0x55); /* the third operand's complement */
    } else {
        ones(a, s, t0);
        x_vpxor_rrr(a, s->d, s->s[0], t0);
    }
}

static void e_orn(Asm *a, const Sel *s)
{
    ones(a, s, t0);
    x_vpxor_rrr(a, t0, t0, s->s[1]);
    x_vpor_rrr(a, s->d, s->s[0], t0);
}

/* the destination holds the first operand */
static void e_orn_ternary(Asm *a, const Sel *s)
{
    x_vpternlog_rrri(a, s->d, s->s[1], s->s[1], 0xf3);
}

/* the destination holds the mask */
static void e_bsl_ternary(Asm *a, const Sel *s)
{
    x_vpternlog_rrri(a, s->d, s->s[1], s->s[2], 0xca);
}

static void e_bsl(Asm *a, const Sel *s)
{
    x_vpand_rrr(a, t0, s->s[0], s->s[1]);
    x_vpandn_rrr(a, t1, s->s[0], s->s[2]);
    x_vpor_rrr(a, s->d, t0, t1);
}

/* -- sums, differences, comparisons ------------------------------------------------------------------------------- */

static void e_neg(Asm *a, const Sel *s)
{
    zero(a, t0);
    lanes(a, T_SUB, elem(s), s->d, t0, s->s[0]);
}

static void e_abs(Asm *a, const Sel *s)
{
    static const uint32_t table[] = {X_vpabsb, X_vpabsw, X_vpabsd, X_vpabsq};
    enc_v_rr(a, table[elem(s)], s->d, 0, s->s[0]);
}

static void e_abs64(Asm *a, const Sel *s)
{
    zero(a, t0);
    x_vpcmpgtq_rrr(a, t0, t0, s->s[0]);
    x_vpxor_rrr(a, s->d, s->s[0], t0);
    x_vpsubq_rrr(a, s->d, s->d, t0);
}

/* Comparisons by mask register: any relation, any xmm. */
static void e_cmp_mask(Asm *a, const Sel *s)
{
    static const uint32_t cmp[2][4] = {{X_vpcmpb_k, X_vpcmpw_k, X_vpcmpd_k, X_vpcmpq_k}, {X_vpcmpub_k, X_vpcmpuw_k, X_vpcmpud_k, X_vpcmpuq_k}};
    static const uint32_t widen[4] = {X_vpmovm2b, X_vpmovm2w, X_vpmovm2d, X_vpmovm2q};
    static const uint8_t uns[] = {[CMP_ULT] = 1, [CMP_ULE] = 1, [CMP_UGT] = 1, [CMP_UGE] = 1, [CMP_SGE] = 0};
    static const uint8_t relation[] = {[CMP_EQ] = 0, [CMP_NE] = 4, [CMP_ULT] = 1, [CMP_SLT] = 1, [CMP_ULE] = 2,
                                       [CMP_SLE] = 2, [CMP_UGE] = 5, [CMP_SGE] = 5, [CMP_UGT] = 6, [CMP_SGT] = 6};
    const unsigned y = s->i->y, e = elem(s);
    const bool low = !(((s->d | s->s[0] | s->s[1]) & 31) & 16);
    if (low && y == CMP_EQ) {
        lanes(a, T_CMPEQ, e, s->d, s->s[0], s->s[1]);
    } else if (low && y == CMP_SGT) {
        lanes(a, T_CMPGT, e, s->d, s->s[0], s->s[1]);
    } else if (low && y == CMP_SLT) {
        lanes(a, T_CMPGT, e, s->d, s->s[1], s->s[0]);
    } else {
        enc_v_rr(a, cmp[uns[y]][e], 1, s->s[0], s->s[1]);
        put8(a, relation[y]);
        enc_v_rr(a, widen[e], s->d, 0, 1);
    }
}

/* The same with AVX2: equal and signed greater exist; others by their complement, by minimum and maximum, or with the
 * signs flipped. */
static void e_cmp(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    unsigned y = s->i->y;
    Reg x = s->s[0], z = s->s[1];
    if (y == CMP_ULT || y == CMP_ULE || y == CMP_SLT || y == CMP_SLE) { /* swap: x > z, x >= z */
        y += CMP_UGT - CMP_ULT;
        x = s->s[1];
        z = s->s[0];
    }
    if ((y == CMP_UGT || y == CMP_UGE) && e == E_D) {
        x_vmovdqa_rm(a, t0, CE(sign));
        x_vpxor_rrr(a, t1, t0, x);
        x_vpxor_rrr(a, t0, t0, z);
        x = t1;
        z = t0;
        y += CMP_SGT - CMP_UGT;
    }
    bool complement = false;
    Reg d = s->d;
    switch (y) {
    case CMP_EQ: lanes(a, T_CMPEQ, e, d, x, z); break;
    case CMP_SGT: lanes(a, T_CMPGT, e, d, x, z); break;
    case CMP_NE:
        lanes(a, T_CMPEQ, e, d, x, z);
        complement = true;
        break;
    case CMP_SGE:
        lanes(a, T_CMPGT, e, d, z, x);
        complement = true;
        break;
    case CMP_UGE:
        lanes(a, T_MAX_U, e, t0, x, z);
        lanes(a, T_CMPEQ, e, d, t0, x);
        break;
    default: /* CMP_UGT */
        lanes(a, T_MIN_U, e, t0, x, z);
        lanes(a, T_CMPEQ, e, d, t0, x);
        complement = true;
        break;
    }
    if (complement) {
        ones(a, s, t0);
        x_vpxor_rrr(a, d, d, t0);
    }
}

static void e_abd(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    lanes(a, T_MAX + is_unsigned(s), e, t0, s->s[0], s->s[1]);
    lanes(a, T_MIN + is_unsigned(s), e, t1, s->s[0], s->s[1]);
    lanes(a, T_SUB, e, s->d, t0, t1);
}

/* (x + z [+ 1]) >> 1: what both have, or one of them has, and half of what they differ in */
static void halve(Asm *a, const Sel *s, unsigned e, unsigned op, bool round, Reg d, Reg x, Reg z, Reg tmp)
{
    x_vpxor_rrr(a, tmp, x, z);
    if (round) {
        x_vpor_rrr(a, d, x, z);
    } else {
        x_vpand_rrr(a, d, x, z);
    }
    shift(a, s, op, e, tmp, tmp, 1);
    lanes(a, round ? T_SUB : T_ADD, e, d, d, tmp);
}

static void e_hadd(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    const bool round = s->i->y & VS_ROUND;
    if (round && is_unsigned(s) && e != E_S) {
        enc_v_rr(a, e == E_B ? X_vpavgb : X_vpavgw, s->d, s->s[0], s->s[1]);
    } else {
        halve(a, s, e, is_unsigned(s) ? SHR : SAR, round, t1, s->s[0], s->s[1], t0);
        move(a, s->d, t1);
    }
}

static void e_hsub(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    x_vpxor_rrr(a, t0, s->s[0], s->s[1]);
    x_vpandn_rrr(a, t1, s->s[0], s->s[1]);
    shift(a, s, is_unsigned(s) ? SHR : SAR, e, t0, t0, 1);
    lanes(a, T_SUB, e, s->d, t0, t1);
}

/* Saturating sums of 8 and 16 bits: the lane saturated where the wrapping one differs. */
static void e_qadd(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    lanes(a, s->arg + is_unsigned(s), e, t0, s->s[0], s->s[1]);
    lanes(a, s->arg == T_QADD ? T_ADD : T_SUB, e, t1, s->s[0], s->s[1]);
    x_vpxor_rrr(a, t1, t1, t0);
    collect(a, t1);
    move(a, s->d, t0);
}

/* |x|, -x of 8, 16, 32 bits: only the most negative lane saturates, to its complement */
static void e_qneg(Asm *a, const Sel *s)
{
    static const uint32_t absolute[] = {X_vpabsb, X_vpabsw, X_vpabsd};
    const unsigned e = elem(s);
    if (s->arg) {
        enc_v_rr(a, absolute[e], t0, 0, s->s[0]);
    } else {
        zero(a, t0);
        lanes(a, T_SUB, e, t0, t0, s->s[0]);
    }
    enc_v_rm(a, by_elem[T_CMPEQ][e], t1, t0, CE(sign), 0);
    x_vpxor_rrr(a, s->d, t0, t1);
    collect(a, t1);
}

static void e_addp(Asm *a, const Sel *s)
{
    const Reg x = s->s[0], z = s->s[1];
    switch (elem(s)) {
    case E_B:
        for (unsigned k = 0; k < 2; k++) {
            x_vpsrlw_rri(a, s->tx[k], k ? z : x, 8);
            x_vpaddb_rrr(a, s->tx[k], s->tx[k], k ? z : x);
            x_vpand_rrm(a, s->tx[k], s->tx[k], CI(byte, E_H));
        }
        x_vpackuswb_rrr(a, s->d, t0, t1);
        break;
    case E_H:
        for (unsigned k = 0; k < 2; k++) {
            x_vpsrld_rri(a, s->tx[k], k ? z : x, 16);
            x_vpaddw_rrr(a, s->tx[k], s->tx[k], k ? z : x);
            x_vpand_rrm(a, s->tx[k], s->tx[k], CI(low_half, E_S));
        }
        x_vpackusdw_rrr(a, s->d, t0, t1);
        break;
    case E_S:
        x_vshufps_rrri(a, t0, x, z, 0x88);
        x_vshufps_rrri(a, t1, x, z, 0xdd);
        x_vpaddd_rrr(a, s->d, t0, t1);
        break;
    default:
        x_vpunpcklqdq_rrr(a, t0, x, z);
        x_vpunpckhqdq_rrr(a, t1, x, z);
        x_vpaddq_rrr(a, s->d, t0, t1);
        break;
    }
}

/* Sums of neighbours in wide lanes, into d; x is not changed, d and tmp are no sources. */
static void addlp(Asm *a, const Sel *s, unsigned e, bool uns, Reg d, Reg x, Reg tmp)
{
    if (e == E_B && uns) {
        x_vpmaddubsw_rrm(a, d, x, CI(one, E_B));
    } else if (e == E_B) {
        x_vmovdqa_rm(a, tmp, CI(one, E_B));
        x_vpmaddubsw_rrr(a, d, tmp, x);
    } else if (e == E_H && !uns) {
        x_vpmaddwd_rrm(a, d, x, CI(one, E_H));
    } else if (uns) {
        shift(a, s, SHR, e + 1, tmp, x, 8 << e);
        x_vpand_rrm(a, d, x, CI(low_half, e + 1));
        lanes(a, T_ADD, e + 1, d, d, tmp);
    } else {
        x_vpshufd_rri(a, tmp, x, 0x08);
        x_vpmovsxdq_rr(a, tmp, tmp);
        x_vpshufd_rri(a, d, x, 0x0d);
        x_vpmovsxdq_rr(a, d, d);
        x_vpaddq_rrr(a, d, d, tmp);
    }
}

static void e_addlp(Asm *a, const Sel *s)
{
    addlp(a, s, elem(s), is_unsigned(s), t0, s->s[0], t1);
    move(a, s->d, t0);
}

static void e_addv(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    switch (e) {
    case E_B:
        zero(a, t0);
        x_vpsadbw_rrr(a, t0, t0, s->s[0]);
        x_vpshufd_rri(a, t1, t0, 0x4e);
        x_vpaddb_rrr(a, t0, t0, t1);
        x_vpand_rrm(a, s->d, t0, CE(lane0));
        break;
    case E_H: /* the sums of 32 bits are right in their low halves */
        x_vpmaddwd_rrm(a, t0, s->s[0], CI(one, E_H));
        x_vpshufd_rri(a, t1, t0, 0x4e);
        x_vpaddd_rrr(a, t0, t0, t1);
        x_vpshufd_rri(a, t1, t0, 0xb1);
        x_vpaddd_rrr(a, t0, t0, t1);
        x_vpand_rrm(a, s->d, t0, CE(lane0));
        break;
    case E_S:
        x_vpshufd_rri(a, t0, s->s[0], 0x4e);
        x_vpaddd_rrr(a, t0, t0, s->s[0]);
        x_vpshufd_rri(a, t1, t0, 0xb1);
        x_vpaddd_rrr(a, t0, t0, t1);
        x_vinsertps_rrri(a, s->d, t0, t0, 0x0e);
        break;
    default:
        x_vpshufd_rri(a, t0, s->s[0], 0x4e);
        x_vpaddq_rrr(a, t0, t0, s->s[0]);
        x_vmovq_rr(a, s->d, t0);
        break;
    }
}

/* Greatest or least lane. 8 and 16 bits: brought to the order of unsigned minima, for which there is an instruction. */
static void e_maxv(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    const bool max = s->arg == T_MAX, uns = is_unsigned(s);
    if (e == E_S) {
        const unsigned table = s->arg + uns;
        x_vpshufd_rri(a, t0, s->s[0], 0x4e);
        lanes(a, table, e, t0, t0, s->s[0]);
        x_vpshufd_rri(a, t1, t0, 0xb1);
        lanes(a, table, e, t0, t0, t1);
        x_vinsertps_rrri(a, s->d, t0, t0, 0x0e);
        return;
    }
    Reg x = s->s[0];
    const bool flip = max || !uns;
    if (flip) {
        x_vpxor_rrm(a, t0, x, !max ? CE(sign) : uns ? C(ones) : CE(max));
        x = t0;
    }
    if (e == E_B) {
        x_vpsrlw_rri(a, t1, x, 8);
        x_vpminub_rrr(a, t0, x, t1);
        x = t0;
    }
    if (x & 16) { /* out of its reach */
        x_vmovdqa_rr(a, t0, x);
        x = t0;
    }
    x_vphminposuw_rr(a, t0, x);
    x_vpand_rrm(a, flip ? t0 : s->d, t0, CE(lane0));
    if (flip) {
        x_vpxor_rrm(a, s->d, t0, !max ? CE(lane0_sign) : uns ? CE(lane0) : CE(lane0_max));
    }
}

/* -- products ------------------------------------------------------------------------------------------------------- */

static void e_mul8(Asm *a, const Sel *s)
{
    x_vpsrlw_rri(a, t0, s->s[0], 8);
    x_vpand_rrm(a, t1, s->s[1], C(high_byte));
    x_vpmullw_rrr(a, t0, t0, t1); /* odd bytes, in place */
    x_vpmullw_rrr(a, t1, s->s[0], s->s[1]);
    x_vpand_rrm(a, t1, t1, CI(byte, E_H));
    x_vpor_rrr(a, s->d, t0, t1);
}

/* Half the lanes of x extended to twice the width. */
static void widen(Asm *a, const Sel *s, unsigned e, bool uns, bool hi, Reg d, Reg x)
{
    static const uint32_t table[2][3] = {{X_vpmovsxbw, X_vpmovsxwd, X_vpmovsxdq}, {X_vpmovzxbw, X_vpmovzxwd, X_vpmovzxdq}};
    (void)s;
    if (hi) {
        x_vpshufd_rri(a, d, x, 0xee);
        x = d;
    }
    enc_v_rr(a, table[uns][e], d, 0, x);
}

static void e_widen(Asm *a, const Sel *s)
{
    widen(a, s, elem(s), is_unsigned(s), s->i->imm, s->d, s->s[0]);
}

static void e_mull(Asm *a, const Sel *s)
{
    const bool uns = is_unsigned(s), hi = s->i->imm;
    const Reg x = s->s[0], z = s->s[1];
    switch (elem(s)) {
    case E_B:
        widen(a, s, E_B, uns, hi, t0, x);
        widen(a, s, E_B, uns, hi, t1, z);
        x_vpmullw_rrr(a, s->d, t0, t1);
        break;
    case E_H:
        x_vpmullw_rrr(a, t0, x, z);
        enc_v_rr(a, uns ? X_vpmulhuw : X_vpmulhw, t1, x, z);
        lanes(a, hi ? T_ZIP2 : T_ZIP1, E_H, s->d, t0, t1);
        break;
    default:
        x_vpshufd_rri(a, t0, x, hi ? 0xfa : 0x50);
        x_vpshufd_rri(a, t1, z, hi ? 0xfa : 0x50);
        enc_v_rr(a, uns ? X_vpmuludq : X_vpmuldq, s->d, t0, t1);
        break;
    }
}

/* 16 bits. Only the square of the most negative lane saturates, and only it gives 0x8000. */
static void e_qdmulh16(Asm *a, const Sel *s)
{
    if (s->i->y & VS_ROUND) {
        x_vpmulhrsw_rrr(a, t0, s->s[0], s->s[1]);
    } else {
        x_vpmulhw_rrr(a, t0, s->s[0], s->s[1]);
        x_vpmullw_rrr(a, t1, s->s[0], s->s[1]);
        x_vpaddw_rrr(a, t0, t0, t0);
        x_vpsrlw_rri(a, t1, t1, 15);
        x_vpor_rrr(a, t0, t0, t1);
    }
    x_vpcmpeqw_rrm(a, t1, t0, CI(sign, E_H));
    x_vpxor_rrr(a, s->d, t0, t1);
    collect(a, t1);
}

/* 32 bits: the products of even and of odd lanes, doubled and rounded, their high halves put together again */
static void e_qdmulh32(Asm *a, const Sel *s)
{
    const bool round = s->i->y & VS_ROUND;
    const Reg d = s->d;
    doubled32(a, s);
    if (round) {
        x_vmovdqa_rm(a, t1, CI(one, E_D));
        x_vpsllq_rri(a, t1, t1, 31);
        x_vpaddq_rrr(a, t0, t0, t1);
        x_vpaddq_rrr(a, d, d, t1);
    }
    high_halves(a, s);
    x_vpcmpeqd_rrm(a, t1, t0, CI(sign, E_S));
    x_vpxor_rrr(a, d, t0, t1);
    collect(a, t1);
}

/* 16 bits to 32: as the product of e_mull, doubled; 0x80000000 is the only one that saturates */
static void e_qdmull16(Asm *a, const Sel *s)
{
    x_vpmullw_rrr(a, t0, s->s[0], s->s[1]);
    x_vpmulhw_rrr(a, t1, s->s[0], s->s[1]);
    lanes(a, s->i->imm ? T_ZIP2 : T_ZIP1, E_H, t0, t0, t1);
    x_vpaddd_rrr(a, t0, t0, t0);
    x_vpcmpeqd_rrm(a, t1, t0, CI(sign, E_S));
    x_vpxor_rrr(a, s->d, t0, t1);
    collect(a, t1);
}

static void e_pmull64(Asm *a, const Sel *s)
{
    x_vpclmulqdq_rrri(a, s->d, s->s[0], s->s[1], s->i->imm ? 0x11 : 0);
}

/* Where the EVEX form does not exist: within xmm0..15 */
static void e_pmull64_low(Asm *a, const Sel *s)
{
    move(a, t0, s->s[0]);
    move(a, t1, s->s[1]);
    x_vpclmulqdq_rrri(a, t0, t0, t1, s->i->imm ? 0x11 : 0);
    move(a, s->d, t0);
}

/* The instruction takes unsigned bytes first, signed ones second. For two alike, one operand moves by 128, which adds or
 * takes 128 times the sum of the other's bytes: made apart and taken away. */
static void dot_vnni(Asm *a, const Sel *s)
{
    const int kind = s->i->imm;
    Reg x = s->s[0], z = s->s[1];
    x_vmovdqa_rr(a, s->d, s->s[2]);
    if (kind == DOT_US || kind == DOT_SU) {
        x_vpdpbusd_rrr(a, s->d, kind == DOT_US ? x : z, kind == DOT_US ? z : x);
        return;
    }
    x_vpxor_rrm(a, t0, kind == DOT_UU ? z : x, CI(sign, E_B));
    if (kind == DOT_UU) {
        x_vpdpbusd_rrr(a, s->d, x, t0); /* less 128 * x */
        zero(a, t1);
        x_vpdpbusd_rrm(a, t1, x, CI(sign, E_B));
    } else {
        x_vpdpbusd_rrr(a, s->d, t0, z); /* and 128 * z */
        x_vmovdqa_rm(a, t0, CI(sign, E_B));
        zero(a, t1);
        x_vpdpbusd_rrr(a, t1, t0, z);
    }
    x_vpsubd_rrr(a, s->d, s->d, t1);
}

/* Dot products of four bytes: even bytes and odd bytes as 16-bit lanes, summed in pairs. */
static void e_dot(Asm *a, const Sel *s)
{
    if (s->l->t->feat.vnni) {
        dot_vnni(a, s);
        return;
    }
    const int kind = s->i->imm;
    const bool su = kind == DOT_UU || kind == DOT_US, zu = kind == DOT_UU || kind == DOT_SU;
    const Reg x = s->s[0], z = s->s[1], d = s->d;
    for (unsigned k = 0; k < 2; k++) { /* even, odd */
        const bool uns = k ? zu : su;
        const Reg r = k ? z : x;
        if (uns) {
            x_vpand_rrm(a, s->tx[k], r, CI(byte, E_H));
        } else {
            x_vpsllw_rri(a, s->tx[k], r, 8);
            x_vpsraw_rri(a, s->tx[k], s->tx[k], 8);
        }
    }
    x_vpmaddwd_rrr(a, d, t0, t1);
    x_vpaddd_rrr(a, d, d, s->s[2]);
    enc_v_rr(a, su ? X_vpsrlw : X_vpsraw, su ? 2 : 4, t0, x);
    put8(a, 8);
    enc_v_rr(a, zu ? X_vpsrlw : X_vpsraw, zu ? 2 : 4, t1, z);
    put8(a, 8);
    x_vpmaddwd_rrr(a, t0, t0, t1);
    x_vpaddd_rrr(a, d, d, t0);
}

/* -- narrowing -------------------------------------------------------------------------------------------------------- */

static void e_narrow(Asm *a, const Sel *s)
{
    x_vpshufb_rrm(a, s->d, s->s[0], CE(narrow));
}

/* A lane saturated when it is not what its narrow form extends to. */
static void narrow_collect(Asm *a, const Sel *s, Reg narrow, Reg x, Reg tmp)
{
    widen(a, s, elem(s) - 1, s->i->y != NARROW_SS, false, tmp, narrow);
    x_vpxor_rrr(a, tmp, tmp, x);
    collect(a, tmp);
}

static void e_narrow_sat(Asm *a, const Sel *s)
{
    const bool h = elem(s) == E_H;
    Reg x = s->s[0];
    zero(a, t1);
    if (s->i->y == NARROW_UU) { /* the packs take their sources as signed */
        enc_v_rm(a, h ? X_vpminuw : X_vpminud, t0, x, CE(low_half), 0);
        x = t0;
    }
    enc_v_rr(a, s->i->y == NARROW_SS ? (h ? X_vpacksswb : X_vpackssdw) : (h ? X_vpackuswb : X_vpackusdw), t0, x, t1);
    narrow_collect(a, s, t0, s->s[0], t1);
    move(a, s->d, t0);
}

static void e_narrow_sat64(Asm *a, const Sel *s)
{
    Reg x = s->s[0];
    if (s->i->y == NARROW_SU) {
        zero(a, t1);
        x_vpmaxsq_rrr(a, t1, t1, x);
        x = t1;
    }
    enc_v_rr(a, s->i->y == NARROW_SS ? X_vpmovsqd_to : X_vpmovusqd_to, x, 0, t0);
    narrow_collect(a, s, t0, s->s[0], t1);
    move(a, s->d, t0);
}

/* -- shifts ----------------------------------------------------------------------------------------------------------- */

static void e_shift(Asm *a, const Sel *s)
{
    shift(a, s, s->arg, elem(s), s->d, s->s[0], s->i->imm);
}

/* Arithmetic, 64 bits, without AVX-512: the logical shift of x ^ signs, signs flipped back */
static void e_sar64(Asm *a, const Sel *s)
{
    zero(a, t0);
    x_vpcmpgtq_rrr(a, t0, t0, s->s[0]);
    x_vpxor_rrr(a, s->d, s->s[0], t0);
    shift(a, s, SHR, E_D, s->d, s->d, s->i->imm);
    x_vpxor_rrr(a, s->d, s->d, t0);
}

/* Rounding: (x >> n) + the last bit that is shifted out. Unsigned 8 and 16 bits: the average of x >> (n - 1) and 0. */
static void e_rshr(Asm *a, const Sel *s)
{
    const unsigned e = elem(s), op = is_unsigned(s) ? SHR : SAR;
    const int n = s->i->imm;
    shift(a, s, op, e, t0, s->s[0], n - 1);
    if (is_unsigned(s) && e <= E_H) {
        zero(a, t1);
        enc_v_rr(a, e == E_B ? X_vpavgb : X_vpavgw, s->d, t0, t1);
        return;
    }
    x_vpand_rrm(a, t0, t0, CE(one));
    shift(a, s, op, e, t1, s->s[0], n);
    lanes(a, T_ADD, e, s->d, t0, t1);
}

/* By register, 16, 32 and 64 bits. x86 takes the whole lane as an unsigned count, and counts beyond the width give 0 or
 * signs: so both directions are made, and only one of them is not empty. The destination is no source. */
static void e_shift_v(Asm *a, const Sel *s)
{
    static const uint32_t left[] = {0, X_vpsllvw, X_vpsllvd, X_vpsllvq}, right[] = {0, X_vpsrlvw, X_vpsrlvd, X_vpsrlvq},
                          signs[] = {0, X_vpsravw, X_vpsravd, X_vpsravq};
    const unsigned e = elem(s);
    const bool round = s->i->y & VS_ROUND, uns = is_unsigned(s);
    const Reg x = s->s[0], z = s->s[1], d = s->d;
    zero(a, t0);
    lanes(a, T_SUB, e, t0, t0, z);
    x_vpand_rrm(a, t0, t0, CE(byte)); /* count to the right */
    enc_v_rr(a, uns ? right[e] : signs[e], t1, x, t0);
    if (round) {
        ones(a, s, d);
        lanes(a, T_ADD, e, t0, t0, d);
        x_vpand_rrm(a, t0, t0, CE(byte));
        enc_v_rr(a, uns ? right[e] : signs[e], t0, x, t0);
        x_vpand_rrm(a, t0, t0, CE(one));
        lanes(a, T_ADD, e, t1, t1, t0);
    }
    x_vpand_rrm(a, t0, z, CE(byte));
    enc_v_rr(a, left[e], d, x, t0);
    if (uns) {
        x_vpor_rrr(a, d, d, t1);
        return;
    }
    /* signed: the sign of the count decides */
    shift(a, s, SHL, e, t0, z, (8 << e) - 8);
    if (avx512(s)) {
        shift(a, s, SAR, e, t0, t0, (8 << e) - 1);
        x_vpternlog_rrri(a, t0, t1, d, 0xca);
        move(a, d, t0);
    } else {
        x_vblendvps_rrri(a, d, d, t1, (t0 & 15u) << 4);
    }
}

/* -- bits -------------------------------------------------------------------------------------------------------------- */

/* Each byte by its two nibbles; arg 0: ones, 1: reversed. The destination is no source. */
static void e_nibbles(Asm *a, const Sel *s)
{
    if (s->arg == 0 && s->l->t->feat.bitalg) {
        x_vpopcntb_rr(a, s->d, s->s[0]);
        return;
    }
    x_vpand_rrm(a, t0, s->s[0], C(b_0f));
    x_vpsrlw_rri(a, t1, s->s[0], 4);
    x_vpand_rrm(a, t1, t1, C(b_0f));
    x_vmovdqa_rm(a, s->d, s->arg ? C(nibble_rev_low) : C(nibble_count));
    x_vpshufb_rrr(a, t0, s->d, t0);
    x_vmovdqa_rm(a, s->d, s->arg ? C(nibble_rev_high) : C(nibble_count));
    x_vpshufb_rrr(a, t1, s->d, t1);
    x_vpaddb_rrr(a, s->d, t0, t1);
}

static void e_rbit(Asm *a, const Sel *s)
{
    x_vgf2p8affineqb_rrmi(a, s->d, s->s[0], C(gf_rbit), 0);
}

static void e_clz(Asm *a, const Sel *s)
{
    enc_v_rr(a, elem(s) == E_S ? X_vplzcntd : X_vplzcntq, s->d, 0, s->s[0]);
}

static void e_rev(Asm *a, const Sel *s)
{
    if (elem(s) == E_S) {
        x_vpshufd_rri(a, s->d, s->s[0], 0xb1);
    } else {
        x_vpshufb_rrm(a, s->d, s->s[0], CI(rev, 4 * (unsigned)s->i->imm + elem(s)));
    }
}

/* -- permutations ---------------------------------------------------------------------------------------------------------- */

static void e_uzp1(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    const bool same = s->s[0] == s->s[1];
    switch (e) {
    case E_S: x_vshufps_rrri(a, s->d, s->s[0], s->s[1], 0x88); break;
    case E_D: x_vpunpcklqdq_rrr(a, s->d, s->s[0], s->s[1]); break;
    default:
        x_vpand_rrm(a, t0, s->s[0], CI(low_half, e + 1));
        if (!same) {
            x_vpand_rrm(a, t1, s->s[1], CI(low_half, e + 1));
        }
        enc_v_rr(a, e == E_B ? X_vpackuswb : X_vpackusdw, s->d, t0, same ? t0 : t1);
        break;
    }
}

static void e_uzp2(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    const bool same = s->s[0] == s->s[1];
    switch (e) {
    case E_S: x_vshufps_rrri(a, s->d, s->s[0], s->s[1], 0xdd); break;
    case E_D: x_vpunpckhqdq_rrr(a, s->d, s->s[0], s->s[1]); break;
    default:
        shift(a, s, SHR, e + 1, t0, s->s[0], 8 << e);
        if (!same) {
            shift(a, s, SHR, e + 1, t1, s->s[1], 8 << e);
        }
        enc_v_rr(a, e == E_B ? X_vpackuswb : X_vpackusdw, s->d, t0, same ? t0 : t1);
        break;
    }
}

/* arg 0: TRN1, even lanes of a stay and those of b move up; 1: TRN2, odd lanes of a move down and those of b stay */
static void e_trn(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    if (e == E_D) {
        lanes(a, s->arg ? T_ZIP2 : T_ZIP1, E_D, s->d, s->s[0], s->s[1]);
        return;
    }
    if (e == E_S && s->s[0] == s->s[1]) {
        x_vpshufd_rri(a, s->d, s->s[0], s->arg ? 0xf5 : 0xa0);
        return;
    }
    const Reg moves = s->s[!s->arg], stays = s->s[s->arg];
    const Mem low = CI(low_half, e + 1);
    shift(a, s, s->arg ? SHR : SHL, e + 1, t0, moves, 8 << e);
    if (s->arg) {
        x_vmovdqa_rm(a, t1, low);
        x_vpandn_rrr(a, t1, t1, stays);
    } else {
        x_vpand_rrm(a, t1, stays, low);
    }
    x_vpor_rrr(a, s->d, t0, t1);
}

static void e_ext(Asm *a, const Sel *s)
{
    x_vpalignr_rrri(a, s->d, s->s[1], s->s[0], (unsigned)s->i->imm);
}

/* PSHUFB gives 0 for indices with bit 7 set: adding 0x70 with saturation sets it for those above 15. */
static void look_up(Asm *a, const Sel *s, Reg d, Reg table, Reg index)
{
    x_vpaddusb_rrm(a, d, index, C(b_70));
    x_vpshufb_rrr(a, d, table, d);
}

static void e_tbl1(Asm *a, const Sel *s)
{
    look_up(a, s, t0, s->s[0], s->s[1]);
    move(a, s->d, t0);
}

static void e_tbl2(Asm *a, const Sel *s)
{
    look_up(a, s, t0, s->s[0], s->s[2]);
    x_vpsubb_rrm(a, t1, s->s[2], C(b_10));
    look_up(a, s, t1, s->s[1], t1);
    x_vpor_rrr(a, s->d, t0, t1);
}

/* Three sources shuffled into one result; arg 0: de-interleaving, 1: interleaving */
static void e_three(Asm *a, const Sel *s)
{
    const unsigned row = (3 * elem(s) + (unsigned)s->i->imm) * 3;
    const size_t field = s->arg ? offsetof(SimdConsts, int3) : offsetof(SimdConsts, deint3);
    x_vpshufb_rrm(a, t0, s->s[0], const_at(s, field, row));
    x_vpshufb_rrm(a, t1, s->s[1], const_at(s, field, row + 1));
    x_vpor_rrr(a, t0, t0, t1);
    x_vpshufb_rrm(a, t1, s->s[2], const_at(s, field, row + 2));
    x_vpor_rrr(a, s->d, t0, t1);
}

/* -- rules --------------------------------------------------------------------------------------------------------------------- */

// clang-format off
const Rule rules_simd[] = {
    RULE(v_dup, 0, 0, D_X, S_R, S_NONE, S_NONE, 0, e_dup, 0)
    RULE(v_dup_lane, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_dup_lane, 0)
    RULE(v_get, 0, 0, D_R, S_X, S_NONE, S_NONE, R_ZX, e_get, 0)
    RULE(v_put, 0, 0, D_X, S_X, S_R, S_NONE, 0, e_put, 0)
    RULE(v_put_lane, 0, SD, D_X, S_X, S_X, S_NONE, 0, e_put_lane, 0)
    RULE(v_put_lane, 0, BH, D_X, S_X, S_X, S_NONE, T2, e_put_lane_small, 0)
    RULE(v_low, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_low, 0)
    RULE(v_low64, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_low64, 0)
    RULE(v_pair64, 0, 0, D_X, S_R, S_R, S_NONE, 0, e_pair64, 0)

    RULE(v_and, 0, 0, D_X, S_X, S_XM, S_NONE, 0, e_one, X_vpand)
    RULE(v_or, 0, 0, D_X, S_X, S_XM, S_NONE, 0, e_one, X_vpor)
    RULE(v_xor, 0, 0, D_X, S_X, S_XM, S_NONE, 0, e_one, X_vpxor)
    RULE(v_andn, 0, 0, D_X, S_X, S_X, S_NONE, 0, e_andn, 0)
    RULE(v_orn, 0, 0, D_XT, S_X, S_X, S_NONE, R_AVX512, e_orn_ternary, 0)
    RULE(v_orn, 0, 0, D_X, S_X, S_X, S_NONE, R_TX1, e_orn, 0)
    RULE(v_not, 0, 0, D_X, S_X, S_NONE, S_NONE, R_TX1, e_not, 0)
    RULE(v_bsl, 0, 0, D_XT, S_X, S_X, S_X, R_AVX512, e_bsl_ternary, 0)
    RULE(v_bsl, 0, 0, D_X, S_X, S_X, S_X, T2, e_bsl, 0)

    RULE(v_add, 0, 0, D_X, S_X, S_XM, S_NONE, 0, e_lanes, T_ADD)
    RULE(v_sub, 0, 0, D_X, S_X, S_XM, S_NONE, 0, e_lanes, T_SUB)
    RULE(v_mul, 0, HS, D_X, S_X, S_XM, S_NONE, 0, e_lanes, T_MUL)
    RULE(v_mul, 0, X(E_B), D_X, S_X, S_X, S_NONE, T2, e_mul8, 0)
    RULE(v_neg, 0, 0, D_X, S_X, S_NONE, S_NONE, R_TX1, e_neg, 0)
    RULE(v_abs, 0, BHS, D_X, S_X, S_NONE, S_NONE, 0, e_abs, 0)
    RULE(v_abs, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, R_AVX512, e_abs, 0)
    RULE(v_abs, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, R_TX1, e_abs64, 0)
    RULE(v_cmp, 0, 0, D_X, S_X, S_X, S_NONE, R_AVX512, e_cmp_mask, 0)
    RULE(v_cmp, 0, 0, D_X, S_X, S_X, S_NONE, T2, e_cmp, 0)
    RULE(v_max, 0, BHS, D_X, S_X, S_XM, S_NONE, 0, e_lanes, T_MAX)
    RULE(v_min, 0, BHS, D_X, S_X, S_XM, S_NONE, 0, e_lanes, T_MIN)
    RULE(v_abd, 0, BHS, D_X, S_X, S_X, S_NONE, T2, e_abd, 0)
    RULE(v_hadd, 0, BHS, D_X, S_X, S_X, S_NONE, T2, e_hadd, 0)
    RULE(v_hsub, 0, BHS, D_X, S_X, S_X, S_NONE, T2, e_hsub, 0)
    RULE(v_qadd, 0, BH, D_X, S_X, S_X, S_NONE, T2, e_qadd, T_QADD)
    RULE(v_qsub, 0, BH, D_X, S_X, S_X, S_NONE, T2, e_qadd, T_QSUB)
    RULE(v_addp, 0, 0, D_X, S_X, S_X, S_NONE, T2, e_addp, 0)
    RULE(v_addlp, 0, BHS, D_X, S_X, S_NONE, S_NONE, T2, e_addlp, 0)
    RULE(v_addv, 0, 0, D_X, S_X, S_NONE, S_NONE, T2, e_addv, 0)

    RULE(v_mull, 0, BHS, D_X, S_X, S_X, S_NONE, T2, e_mull, 0)
    RULE(v_pmull, 0, X(E_D), D_X, S_X, S_X, S_NONE, R_VAES, e_pmull64, 0)
    RULE(v_pmull, 0, X(E_D), D_X, S_X, S_X, S_NONE, R_AES | T2, e_pmull64_low, 0)
    RULE(v_dot, 0, 0, D_XE, S_X, S_X, S_X, T2, e_dot, 0)
    RULE(v_widen, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_widen, 0)
    RULE(v_narrow, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_narrow, 0)
    RULE(v_narrow_sat, 0, HS, D_X, S_X, S_NONE, S_NONE, T2, e_narrow_sat, 0)
    RULE(v_narrow_sat, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, T2 | R_AVX512, e_narrow_sat64, 0)

    RULE(v_shl_i, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_shift, SHL)
    RULE(v_lshr_i, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_shift, SHR)
    RULE(v_ashr_i, 0, BHS, D_X, S_X, S_NONE, S_NONE, 0, e_shift, SAR)
    RULE(v_ashr_i, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, R_AVX512, e_shift, SAR)
    RULE(v_ashr_i, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, R_TX1, e_sar64, 0)
    RULE(v_rshr_i, 0, BHS, D_X, S_X, S_NONE, S_NONE, T2, e_rshr, 0)
    RULE(v_rshr_i, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, T2 | R_AVX512, e_rshr, 0)
    RULE(v_shl_v, 0, X(E_S), D_XE, S_X, S_X, S_NONE, T2, e_shift_v, 0)
    RULE(v_shl_v, 0, X(E_H) | X(E_D), D_XE, S_X, S_X, S_NONE, T2 | R_AVX512, e_shift_v, 0)

    RULE(v_cnt, 0, 0, D_XE, S_X, S_NONE, S_NONE, T2, e_nibbles, 0)
    RULE(v_rbit, 0, 0, D_X, S_X, S_NONE, S_NONE, R_GFNI, e_rbit, 0)
    RULE(v_rbit, 0, 0, D_XE, S_X, S_NONE, S_NONE, T2, e_nibbles, 1)
    RULE(v_clz, 0, SD, D_X, S_X, S_NONE, S_NONE, R_AVX512, e_clz, 0)
    RULE(v_rev, 0, 0, D_X, S_X, S_NONE, S_NONE, 0, e_rev, 0)

    RULE(v_zip1, 0, 0, D_X, S_X, S_XM, S_NONE, 0, e_lanes, T_ZIP1)
    RULE(v_zip2, 0, 0, D_X, S_X, S_XM, S_NONE, 0, e_lanes, T_ZIP2)
    RULE(v_uzp1, 0, 0, D_X, S_X, S_X, S_NONE, T2, e_uzp1, 0)
    RULE(v_uzp2, 0, 0, D_X, S_X, S_X, S_NONE, T2, e_uzp2, 0)
    RULE(v_trn1, 0, 0, D_X, S_X, S_X, S_NONE, T2, e_trn, 0)
    RULE(v_trn2, 0, 0, D_X, S_X, S_X, S_NONE, T2, e_trn, 1)
    RULE(v_ext, 0, 0, D_X, S_X, S_X, S_NONE, 0, e_ext, 0)
    RULE(v_tbl1, 0, 0, D_X, S_X, S_X, S_NONE, R_TX1, e_tbl1, 0)
    RULE(v_tbl2, 0, 0, D_X, S_X, S_X, S_X, T2, e_tbl2, 0)
    RULE(v_deint3, 0, 0, D_X, S_X, S_X, S_X, T2, e_three, 0)
    RULE(v_int3, 0, 0, D_X, S_X, S_X, S_X, T2, e_three, 1)

    /* VEX-only instructions on scratch registers: these lie in xmm0..15 (abi.c) */
    RULE(v_maxv, 0, BHS, D_X, S_X, S_NONE, S_NONE, T2, e_maxv, T_MAX)
    RULE(v_minv, 0, BHS, D_X, S_X, S_NONE, S_NONE, T2, e_maxv, T_MIN)
    RULE(v_qabs, 0, BHS, D_X, S_X, S_NONE, S_NONE, T2, e_qneg, 1)
    RULE(v_qneg, 0, BHS, D_X, S_X, S_NONE, S_NONE, T2, e_qneg, 0)
    RULE(v_qdmulh, 0, X(E_H), D_X, S_X, S_X, S_NONE, T2, e_qdmulh16, 0)
    RULE(v_qdmulh, 0, X(E_S), D_XE, S_X, S_X, S_NONE, T2, e_qdmulh32, 0)
    RULE(v_qdmull, 0, X(E_H), D_X, S_X, S_X, S_NONE, T2, e_qdmull16, 0)
};
// clang-format on
const unsigned rules_simd_n = LEN(rules_simd);
