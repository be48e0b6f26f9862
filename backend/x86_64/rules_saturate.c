/* rules_saturate.c - longer lowerings of integer vector ops: saturation that the host has no instruction for, shifts by
 * register, leading bits, polynomial products of bytes. The rules of the game are in rules_simd.c.
 *
 * Shifts by register of lanes for which the host has none are made in lanes of 32 bits, part by part: both operands go to
 * CpuHead.ev, from where parts are loaded extended; the narrow results meet there again.
 */
#include "simd_lower.h"

static Mem ev(unsigned k, unsigned offset)
{
    return mem(RSTATE, (int)(offsetof(CpuHead, ev) + sizeof(V128) * k + offset) - (int)STATE_BIAS);
}

/* d = ones in the lanes where x is negative; d is not x. Not for bytes. */
static void signs(Asm *a, const Sel *s, unsigned e, Reg d, Reg x)
{
    if (e == E_D && !avx512(s)) {
        zero(a, d);
        x_vpcmpgtq_rrr(a, d, d, x);
    } else {
        shift(a, s, SAR, e, d, x, (8 << e) - 1);
    }
}

/* d = mask ? y : d; y is destroyed */
static void choose(Asm *a, Reg d, Reg mask, Reg y)
{
    x_vpand_rrr(a, y, y, mask);
    x_vpandn_rrr(a, d, mask, d);
    x_vpor_rrr(a, d, d, y);
}

/* -- sums and differences ---------------------------------------------------------------------------------------- */

/* 32 and 64 bits, signed; d is neither x nor z. Overflow: the signs of x and of z (of x and of not z) agree and that of
 * the sum differs. */
static void signed_sum(Asm *a, const Sel *s, bool plus, Reg d, Reg x, Reg z)
{
    const unsigned e = elem(s);
    lanes(a, plus ? T_ADD : T_SUB, e, d, x, z);
    x_vpxor_rrr(a, t0, x, z);
    x_vpxor_rrr(a, t1, x, d);
    if (plus) {
        x_vpandn_rrr(a, t1, t0, t1);
    } else {
        x_vpand_rrr(a, t1, t0, t1);
    }
    signs(a, s, e, t0, t1);
    signs(a, s, e, t1, x);
    x_vpxor_rrm(a, t1, t1, CE(max)); /* what x's side saturates to */
    choose(a, d, t0, t1);
    collect(a, t0);
}

/* 64 bits, unsigned; d is neither x nor z: by the carry or borrow out of each lane. */
static void unsigned_sum(Asm *a, const Sel *s, bool plus, Reg d, Reg x, Reg z)
{
    lanes(a, plus ? T_ADD : T_SUB, E_D, d, x, z);
    if (plus) {
        x_vpor_rrr(a, t0, x, z);
        x_vpandn_rrr(a, t0, d, t0);
        x_vpand_rrr(a, t1, x, z);
    } else {
        x_vpxor_rrr(a, t0, x, z);
        x_vpandn_rrr(a, t0, t0, d);
        x_vpandn_rrr(a, t1, x, z);
    }
    x_vpor_rrr(a, t0, t0, t1);
    signs(a, s, E_D, t1, t0);
    if (plus) {
        x_vpor_rrr(a, d, d, t1);
    } else {
        x_vpandn_rrr(a, d, t1, d);
    }
    collect(a, t1);
}

/* 32 bits, unsigned: z is limited to what fits above x, or to x. */
static void unsigned_sum32(Asm *a, const Sel *s, bool plus, Reg d, Reg x, Reg z)
{
    Reg most = x;
    if (plus) {
        ones(a, s, t0);
        x_vpxor_rrr(a, t0, t0, x);
        most = t0;
    }
    x_vpminud_rrr(a, t1, z, most);
    lanes(a, plus ? T_ADD : T_SUB, E_S, d, x, t1);
    x_vpxor_rrr(a, t1, t1, z);
    collect(a, t1);
}

/* arg: T_QADD or T_QSUB */
static void e_qadd(Asm *a, const Sel *s)
{
    const bool plus = s->arg == T_QADD;
    if (!is_unsigned(s)) {
        signed_sum(a, s, plus, s->d, s->s[0], s->s[1]);
    } else if (elem(s) == E_S) {
        unsigned_sum32(a, s, plus, s->d, s->s[0], s->s[1]);
    } else {
        unsigned_sum(a, s, plus, s->d, s->s[0], s->s[1]);
    }
}

/* Operands of different kinds: with the first one's sign bit flipped, they are of one kind. */
static void e_suqadd(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    const Reg x = s->s[0], z = s->s[1];
    if (!is_unsigned(s) && e != E_D) { /* z is limited to what fits between x and the greatest number */
        x_vpxor_rrm(a, t0, x, CE(max));
        lanes(a, T_MIN_U, e, t1, z, t0);
        lanes(a, T_ADD, e, s->d, x, t1);
        x_vpxor_rrr(a, t1, t1, z);
        collect(a, t1);
        return;
    }
    x_vpxor_rrm(a, t2, x, CE(sign));
    if (!is_unsigned(s)) {
        unsigned_sum(a, s, true, s->d, t2, z);
    } else if (e >= E_S) {
        signed_sum(a, s, true, s->d, t2, z);
    } else {
        lanes(a, T_QADD, e, s->d, t2, z);
        lanes(a, T_ADD, e, t2, t2, z);
        x_vpxor_rrr(a, t2, t2, s->d);
        collect(a, t2);
    }
    x_vpxor_rrm(a, s->d, s->d, CE(sign));
}

/* |x|, -x of 64 bits: only the most negative lane saturates, to its complement; arg 1: absolute value */
static void e_qneg64(Asm *a, const Sel *s)
{
    if (s->arg) {
        signs(a, s, E_D, t0, s->s[0]);
        x_vpxor_rrr(a, t1, s->s[0], t0);
        x_vpsubq_rrr(a, t1, t1, t0);
    } else {
        zero(a, t1);
        x_vpsubq_rrr(a, t1, t1, s->s[0]);
    }
    x_vpcmpeqq_rrm(a, t0, t1, CE(sign));
    x_vpxor_rrr(a, s->d, t0, t1);
    collect(a, t0);
}

/* Without AVX-512: a number fits when its high half is the extension of its low one. */
static void e_narrow_sat64(Asm *a, const Sel *s)
{
    const bool from_signed = s->i->y == NARROW_SS;
    x_vpshufd_rri(a, t0, s->s[0], 0x08);
    x_vpshufd_rri(a, t1, s->s[0], 0x0d);
    if (from_signed) {
        x_vpsrad_rri(a, t2, t0, 31);
    } else {
        zero(a, t2);
    }
    x_vpcmpeqd_rrr(a, t2, t2, t1);
    x_vpxor_rrm(a, t2, t2, C(ones)); /* where it does not */
    x_vpsrad_rri(a, t1, t1, 31);
    if (s->i->y == NARROW_UU) {
        x_vpor_rrr(a, t0, t0, t2);
    } else {
        x_vpxor_rrm(a, t1, t1, from_signed ? CI(max, E_S) : C(ones));
        choose(a, t0, t2, t1);
    }
    x_vmovq_rr(a, t2, t2);
    x_vmovq_rr(a, s->d, t0);
    collect(a, t2);
}

/* -- products ------------------------------------------------------------------------------------------------------ */

/* 32 bits to 64: doubled, 0x8000000000000000 is the only one that saturates */
static void e_qdmull32(Asm *a, const Sel *s)
{
    const unsigned half = s->i->imm ? 0xfa : 0x50;
    x_vpshufd_rri(a, t0, s->s[0], half);
    x_vpshufd_rri(a, t1, s->s[1], half);
    x_vpmuldq_rrr(a, t0, t0, t1);
    x_vpaddq_rrr(a, t0, t0, t0);
    x_vpcmpeqq_rrm(a, t1, t0, CI(sign, E_D));
    x_vpxor_rrr(a, s->d, t0, t1);
    collect(a, t1);
}

/* c + (rounded a * b), where the product's only value that does not fit, 2^15, is taken as 2^15 - 1 and 1. With minus it is
 * the negative product that is rounded: where it lies half way, that is one more. */
static void e_qrdmlah16(Asm *a, const Sel *s)
{
    const bool minus = s->i->imm;
    const Reg c = s->s[2], d = s->d;
    x_vpmulhrsw_rrr(a, t0, s->s[0], s->s[1]);
    if (minus) {
        x_vpmullw_rrr(a, t1, s->s[0], s->s[1]);
        x_vpaddw_rrr(a, t1, t1, t1);
        x_vpcmpeqw_rrm(a, t1, t1, CE(sign));
        x_vpaddw_rrr(a, t0, t0, t1);
    }
    x_vpcmpeqw_rrm(a, t1, t0, CE(sign));
    x_vpxor_rrr(a, t0, t0, t1);
    if (minus) {
        x_vpsubsw_rrr(a, d, c, t0);
        x_vpsubw_rrr(a, t0, c, t0);
        x_vpaddsw_rrr(a, d, d, t1);
        x_vpaddw_rrr(a, t0, t0, t1);
    } else {
        x_vpaddsw_rrr(a, d, c, t0);
        x_vpaddw_rrr(a, t0, c, t0);
        x_vpsubsw_rrr(a, d, d, t1);
        x_vpsubw_rrr(a, t0, t0, t1);
    }
    x_vpxor_rrr(a, t0, t0, d);
    collect(a, t0);
}

/* The same with 32 bits. The negative product is rounded while it has 64, where 2^63 negated is itself, as it should be. */
static void e_qrdmlah32(Asm *a, const Sel *s)
{
    const bool minus = s->i->imm;
    const Reg c = s->s[2], d = s->d;
    doubled32(a, s);
    x_vmovdqa_rm(a, t1, CI(one, E_D));
    x_vpsllq_rri(a, t1, t1, 31);
    if (minus) {
        x_vpsubq_rrr(a, t0, t1, t0);
        x_vpsubq_rrr(a, d, t1, d);
    } else {
        x_vpaddq_rrr(a, t0, t0, t1);
        x_vpaddq_rrr(a, d, d, t1);
    }
    high_halves(a, s);
    if (minus) {
        x_vpaddd_rrr(a, d, c, t0);
    } else {
        x_vpcmpeqd_rrm(a, t1, t0, CE(sign));
        x_vpxor_rrr(a, t0, t0, t1);
        x_vpaddd_rrr(a, d, c, t0);
        x_vpsubd_rrr(a, d, d, t1);
    }
    x_vpxor_rrr(a, t1, c, t0);
    x_vpxor_rrr(a, t0, c, d);
    x_vpandn_rrr(a, t0, t1, t0);
    x_vpsrad_rri(a, t0, t0, 31);
    x_vpsrad_rri(a, t1, c, 31);
    x_vpxor_rrm(a, t1, t1, CE(max));
    choose(a, d, t0, t1);
    collect(a, t0);
}

/* Bytes: by the bits of the second operand from the highest one. */
static void e_pmul(Asm *a, const Sel *s)
{
    zero(a, s->d);
    for (unsigned k = 0; k < 8; k++) {
        x_vpaddb_rrr(a, s->d, s->d, s->d);
        x_vpand_rrm(a, t0, s->s[1], CI(sar_sign, k));
        x_vpcmpeqb_rrm(a, t0, t0, CI(sar_sign, k));
        x_vpand_rrr(a, t0, t0, s->s[0]);
        x_vpxor_rrr(a, s->d, s->d, t0);
    }
}

/* Products of 16 bits */
static void e_pmull8(Asm *a, const Sel *s)
{
    const unsigned half = s->i->imm ? 0xee : 0x44;
    x_vpshufd_rri(a, t0, s->s[0], half);
    x_vpshufd_rri(a, t2, s->s[1], half);
    x_vpmovzxbw_rr(a, t0, t0);
    x_vpmovzxbw_rr(a, t2, t2);
    zero(a, s->d);
    for (unsigned k = 0; k < 8; k++) {
        x_vpaddw_rrr(a, s->d, s->d, s->d);
        x_vpsllw_rri(a, t1, t2, 8 + k);
        x_vpsraw_rri(a, t1, t1, 15);
        x_vpand_rrr(a, t1, t1, t0);
        x_vpxor_rrr(a, s->d, s->d, t1);
    }
}

/* -- shifts --------------------------------------------------------------------------------------------------------- */

/* By register, 8 and 16 bits; arg 1: saturating. A count of 32 or more, as the other direction's is, leaves nothing. */
static void e_shift_parts(Asm *a, const Sel *s)
{
    const unsigned e = elem(s), size = 4u << e; /* of a part */
    const bool uns = is_unsigned(s);
    x_vmovdqu_to_rm(a, s->s[0], ev(0, 0));
    x_vmovdqu_to_rm(a, s->s[1], ev(1, 0));
    for (unsigned at = 0; at < 16; at += size) {
        if (e == E_B) {
            (uns ? x_vpmovzxbd_rm : x_vpmovsxbd_rm)(a, t0, ev(0, at));
            x_vpmovsxbd_rm(a, t1, ev(1, at));
        } else {
            (uns ? x_vpmovzxwd_rm : x_vpmovsxwd_rm)(a, t0, ev(0, at));
            x_vpmovsxwd_rm(a, t1, ev(1, at));
            x_vpslld_rri(a, t1, t1, 24);
            x_vpsrad_rri(a, t1, t1, 24);
        }
        zero(a, s->d);
        x_vpsubd_rrr(a, s->d, s->d, t1);
        x_vpminud_rrm(a, s->d, s->d, C(s_31));
        if (s->i->y & VS_ROUND) {
            x_vmovdqa_rm(a, t2, CI(one, E_S));
            x_vpsllvd_rrr(a, t2, t2, s->d);
            x_vpsrld_rri(a, t2, t2, 1);
            x_vpaddd_rrr(a, t2, t2, t0);
            x_vpsravd_rrr(a, t2, t2, s->d);
        } else {
            x_vpsravd_rrr(a, t2, t0, s->d);
        }
        x_vpminsd_rrm(a, s->d, t1, CI(s_width, e));
        x_vpsllvd_rrr(a, t0, t0, s->d);
        x_vblendvps_rrri(a, t0, t0, t2, (t1 & 15u) << 4);
        if (s->arg) {
            x_vmovdqa_rr(a, t1, t0);
            if (uns) {
                x_vpminud_rrm(a, t0, t0, e == E_B ? CI(byte, E_S) : CI(low_half, E_S));
            } else {
                x_vpminsd_rrm(a, t0, t0, CI(s_max, e));
                x_vpmaxsd_rrm(a, t0, t0, CI(s_min, e));
            }
            x_vpxor_rrr(a, t1, t1, t0);
            collect(a, t1);
        }
        x_vpshufb_rrm(a, t0, t0, CI(narrow, E_S));
        if (e == E_B) {
            x_vpshufb_rrm(a, t0, t0, CI(narrow, E_H));
            x_vmovd_to_rm(a, t0, ev(3, at));
        } else {
            x_vmovq_to_rm(a, t0, ev(3, at));
        }
    }
    x_vmovdqu_rm(a, s->d, ev(3, 0));
}

/* d = x >> n in 64 bits without AVX-512, arithmetic: logical, with the signs flipped; d is neither x nor n. */
static void sar64_v(Asm *a, const Sel *s, Reg d, Reg x, Reg n, Reg tmp)
{
    signs(a, s, E_D, tmp, x);
    x_vpxor_rrr(a, d, x, tmp);
    x_vpsrlvq_rrr(a, d, d, n);
    x_vpxor_rrr(a, d, d, tmp);
}

/* By register, 64 bits without AVX-512, as e_shift_v of rules_simd.c */
static void e_shift64_v(Asm *a, const Sel *s)
{
    const bool round = s->i->y & VS_ROUND, uns = is_unsigned(s);
    const Reg x = s->s[0], z = s->s[1], d = s->d;
    zero(a, t0);
    x_vpsubq_rrr(a, t0, t0, z);
    x_vpand_rrm(a, t0, t0, CE(byte));
    if (uns) {
        x_vpsrlvq_rrr(a, t1, x, t0);
    } else {
        sar64_v(a, s, t1, x, t0, d);
    }
    if (round) {
        x_vpaddq_rrm(a, t0, t0, C(ones));
        x_vpand_rrm(a, t0, t0, CE(byte));
        if (uns) {
            x_vpsrlvq_rrr(a, t2, x, t0);
        } else {
            sar64_v(a, s, t2, x, t0, d);
        }
        x_vpand_rrm(a, t2, t2, CE(one));
        x_vpaddq_rrr(a, t1, t1, t2);
    }
    x_vpand_rrm(a, t0, z, CE(byte));
    x_vpsllvq_rrr(a, d, x, t0);
    if (uns) {
        x_vpor_rrr(a, d, d, t1);
    } else {
        x_vpsllq_rri(a, t0, z, 56);
        signs(a, s, E_D, t2, t0);
        choose(a, d, t2, t1);
    }
}

static const uint32_t left[] = {0, X_vpsllvw, X_vpsllvd, X_vpsllvq}, right[] = {0, X_vpsrlvw, X_vpsrlvd, X_vpsrlvq},
                      right_signed[] = {0, X_vpsravw, X_vpsravd, X_vpsravq};

/* By register with saturation; 32 bits, with AVX-512 16 and 64, too. To the left: it saturated when the way back gives
 * something else. Counts beyond the width give 0 or signs. */
static void e_qshl_v(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    const bool uns = is_unsigned(s);
    const uint32_t back = uns ? right[e] : right_signed[e];
    const Reg x = s->s[0], z = s->s[1], d = s->d;
    const int to_top = (8 << e) - 8;
    x_vpand_rrm(a, t0, z, CE(byte));
    enc_v_rr(a, left[e], d, x, t0);
    enc_v_rr(a, back, t1, d, t0);
    x_vpxor_rrr(a, t1, t1, x);
    shift(a, s, SHL, e, t0, z, to_top);
    signs(a, s, e, t2, t0); /* to the right */
    x_vpandn_rrr(a, t1, t2, t1);
    zero(a, t0);
    lanes(a, T_CMPEQ, e, t0, t0, t1);
    collect(a, t1);
    x_vpxor_rrm(a, t0, t0, C(ones));
    if (uns) {
        x_vpor_rrr(a, d, d, t0);
    } else {
        signs(a, s, e, t1, x);
        x_vpxor_rrm(a, t1, t1, CE(max));
        choose(a, d, t0, t1);
    }
    zero(a, t0);
    lanes(a, T_SUB, e, t0, t0, z);
    x_vpand_rrm(a, t0, t0, CE(byte));
    enc_v_rr(a, back, t1, x, t0);
    if (s->i->y & VS_ROUND) {
        enc_v_rm(a, by_elem[T_ADD][e], t0, t0, C(ones), 0);
        x_vpand_rrm(a, t0, t0, CE(byte));
        enc_v_rr(a, back, t0, x, t0);
        x_vpand_rrm(a, t0, t0, CE(one));
        lanes(a, T_ADD, e, t1, t1, t0);
    }
    choose(a, d, t2, t1);
}

/* By a constant, signed to unsigned */
static void e_qshlu(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    const int n = s->i->imm;
    if (e == E_D) {
        signs(a, s, e, t1, s->s[0]);
        x_vpandn_rrr(a, t0, t1, s->s[0]);
    } else {
        zero(a, t0);
        lanes(a, T_MAX, e, t0, t0, s->s[0]);
    }
    shift(a, s, SHL, e, t1, t0, n);
    shift(a, s, SHR, e, t1, t1, n);
    lanes(a, T_CMPEQ, e, t1, t1, t0);
    shift(a, s, SHL, e, t0, t0, n);
    x_vpxor_rrm(a, t1, t1, C(ones));
    x_vpor_rrr(a, t0, t0, t1);
    shift(a, s, SHR, e, t1, t0, n);
    x_vpxor_rrr(a, t1, t1, s->s[0]);
    collect(a, t1);
    move(a, s->d, t0);
}

/* Rounding, 64 bits, without AVX-512: x >> n and the last bit that is shifted out */
static void e_rshr64(Asm *a, const Sel *s)
{
    const int n = s->i->imm;
    shift(a, s, SHR, E_D, t1, s->s[0], n - 1);
    x_vpand_rrm(a, t1, t1, CE(one));
    if (is_unsigned(s)) {
        shift(a, s, SHR, E_D, t0, s->s[0], n);
    } else {
        signs(a, s, E_D, t2, s->s[0]);
        x_vpxor_rrr(a, t0, s->s[0], t2);
        shift(a, s, SHR, E_D, t0, t0, n);
        x_vpxor_rrr(a, t0, t0, t2);
    }
    x_vpaddq_rrr(a, s->d, t0, t1);
}

/* -- leading bits ------------------------------------------------------------------------------------------------------- */

/* t0 = leading zeros of the lanes of x: of bytes by their nibbles, then of pairs of what is there: where the upper one has
 * nothing but zeros, the lower one's are added. */
static void leading_zeros(Asm *a, const Sel *s, Reg x)
{
    x_vpsrlw_rri(a, t1, x, 4);
    x_vpand_rrm(a, t0, x, C(b_0f));
    x_vpand_rrm(a, t1, t1, C(b_0f));
    x_vmovdqa_rm(a, t2, C(nibble_clz_low));
    x_vpshufb_rrr(a, t0, t2, t0);
    x_vmovdqa_rm(a, t2, C(nibble_clz_high));
    x_vpshufb_rrr(a, t1, t2, t1);
    x_vpminub_rrr(a, t0, t0, t1);
    for (unsigned e = E_H; e <= elem(s); e++) {
        shift(a, s, SHR, e, t1, t0, 4 << e);
        x_vpand_rrm(a, t0, t0, CI(low_half, e));
        enc_v_rm(a, by_elem[T_CMPEQ][e], t2, t1, CI(half_width, e), 0);
        x_vpand_rrr(a, t0, t0, t2);
        lanes(a, T_ADD, e, t0, t0, t1);
    }
}

static void e_clz(Asm *a, const Sel *s)
{
    leading_zeros(a, s, s->s[0]);
    move(a, s->d, t0);
}

/* Of x ^ x >> 1, whose first bit is 0, without that one */
static void e_cls(Asm *a, const Sel *s)
{
    const unsigned e = elem(s);
    shift(a, s, SAR, e, t0, s->s[0], 1);
    x_vpxor_rrr(a, t0, t0, s->s[0]);
    if (e == E_S && avx512(s)) {
        x_vplzcntd_rr(a, t0, t0);
    } else {
        leading_zeros(a, s, t0);
    }
    enc_v_rm(a, by_elem[T_ADD][e], s->d, t0, C(ones), 0);
}

/* -- rules ---------------------------------------------------------------------------------------------------------------- */

// clang-format off
const Rule rules_saturate[] = {
    RULE(v_qadd, 0, SD, D_XE, S_X, S_X, S_NONE, T2, e_qadd, T_QADD)
    RULE(v_qsub, 0, SD, D_XE, S_X, S_X, S_NONE, T2, e_qadd, T_QSUB)
    RULE(v_suqadd, 0, 0, D_XE, S_X, S_X, S_NONE, T3, e_suqadd, 0)
    RULE(v_qabs, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, T2, e_qneg64, 1)
    RULE(v_qneg, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, T2, e_qneg64, 0)
    RULE(v_narrow_sat, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, T3, e_narrow_sat64, 0)

    RULE(v_qdmull, 0, X(E_S), D_X, S_X, S_X, S_NONE, T2, e_qdmull32, 0)
    RULE(v_qrdmlah, 0, X(E_H), D_XE, S_X, S_X, S_X, T2, e_qrdmlah16, 0)
    RULE(v_qrdmlah, 0, X(E_S), D_XE, S_X, S_X, S_X, T2, e_qrdmlah32, 0)
    RULE(v_pmul, 0, 0, D_XE, S_X, S_X, S_NONE, T2, e_pmul, 0)
    RULE(v_pmull, 0, X(E_B), D_XE, S_X, S_X, S_NONE, T3, e_pmull8, 0)

    RULE(v_qshl_v, 0, X(E_S), D_XE, S_X, S_X, S_NONE, T3, e_qshl_v, 0)
    RULE(v_qshl_v, 0, X(E_H) | X(E_D), D_XE, S_X, S_X, S_NONE, T3 | R_AVX512, e_qshl_v, 0)
    RULE(v_qshl_v, 0, BH, D_X, S_X, S_X, S_NONE, T3, e_shift_parts, 1)
    RULE(v_shl_v, 0, BH, D_X, S_X, S_X, S_NONE, T3, e_shift_parts, 0)
    RULE(v_shl_v, 0, X(E_D), D_XE, S_X, S_X, S_NONE, T3, e_shift64_v, 0)
    RULE(v_qshlu_i, 0, 0, D_X, S_X, S_NONE, S_NONE, T2, e_qshlu, 0)
    RULE(v_rshr_i, 0, X(E_D), D_X, S_X, S_NONE, S_NONE, T3, e_rshr64, 0)

    RULE(v_clz, 0, 0, D_X, S_X, S_NONE, S_NONE, T3, e_clz, 0)
    RULE(v_cls, 0, BHS, D_X, S_X, S_NONE, S_NONE, T3, e_cls, 0)
};
// clang-format on
const unsigned rules_saturate_n = LEN(rules_saturate);
