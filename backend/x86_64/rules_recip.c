/* rules_recip.c - reciprocals and square roots of reciprocals: estimates (FRECPE, FRSQRTE, URECPE, URSQRTE, FRECPX) and the
 * steps that make them better (FRECPS, FRSQRTS). The rules of the game are in rules_fp.c.
 *
 * Estimates are exact to the manual's tables (simd_consts.h), which are looked up lane by lane; exponents are integer
 * arithmetic, so nothing raises anything. Only numbers whose estimate is a normal number are done here. Zeros, infinities,
 * NaNs and what is too large or too small trap: a comparison of integers makes lanes of ones, which are NaNs.
 *
 * Steps are one fused operation. A NaN of the first operand changes its sign, so NaNs trap; so does infinity by zero.
 * Nothing is tiny: next to 2 or 3, a difference is 0 or above 2^-110.
 * Left to the evaluation functions: half precision.
 */
#include "fp_lower.h"

typedef struct Format {
    IrElem e;
    bool packed, dbl;
    unsigned lanes;
    int fraction; /* bits */
} Format;

static Format format_of(const IrIns *in)
{
    IrElem e = (IrElem)in->x;
    bool packed = in->op >= OP_vf_add;
    return (Format){e, packed, e == E_D, packed ? 16u >> e : 1, e == E_D ? 52 : 23};
}

static void add(Asm *a, Format f, Reg d, Reg x, Mem m)
{
    (f.dbl ? x_vpaddq_rrm : x_vpaddd_rrm)(a, d, x, m);
}

static void sub(Asm *a, Format f, Reg d, Reg x, Reg y)
{
    (f.dbl ? x_vpsubq_rrr : x_vpsubd_rrr)(a, d, x, y);
}

static void left(Asm *a, Format f, Reg d, Reg x, int n)
{
    (f.dbl ? x_vpsllq_rri : x_vpslld_rri)(a, d, x, (unsigned)n);
}

static void right(Asm *a, Format f, Reg d, Reg x, int n)
{
    (f.dbl ? x_vpsrlq_rri : x_vpsrld_rri)(a, d, x, (unsigned)n);
}

/* A constant; above a scalar comes 0. */
static void load(Lower *l, Format f, Reg d, const Const128 *field)
{
    Asm *a = &l->a;
    Mem m = fp_const(l, &field[f.e]);
    if (f.packed) {
        x_vmovaps_rm(a, d, m);
    } else {
        (f.dbl ? x_vmovsd_ld_rm : x_vmovss_ld_rm)(a, d, m);
    }
}

/* Traps when x is greater than y in a lane, as signed integers; x is destroyed. */
static void trap_if_greater(Lower *l, Format f, Reg x, Mem y)
{
    (f.dbl ? x_vpcmpgtq_rrm : x_vpcmpgtd_rrm)(&l->a, x, x, y);
    fp_compare_for_trap(l, f.packed, f.dbl, x, x, CMP_ORD_S);
}

/* -- steps ------------------------------------------------------------------------------------------------- */

/* k - n * m, where n may be the operand itself or a temporary */
static void step(Lower *l, IrRef i, Format f, const Const128 *k, Reg n, Reg m)
{
    Asm *a = &l->a;
    Reg d = l_dst(l, i, false), t = d;
    bool by_n = d == n, by_m = d == m && !by_n;
    if (by_n || by_m || !(l->t->temps >> d & 1)) {
        t = l_temp_x(l);
    }
    load(l, f, t, k);
    l_fault(l);
    if (by_n && f.packed) {
        (f.dbl ? x_vfnmadd132pd_rrr : x_vfnmadd132ps_rrr)(a, d, t, m);
    } else if (by_n) {
        (f.dbl ? x_vfnmadd132sd_rrr : x_vfnmadd132ss_rrr)(a, d, t, m);
    } else if (by_m && f.packed) {
        (f.dbl ? x_vfnmadd213pd_rrr : x_vfnmadd213ps_rrr)(a, d, n, t);
    } else if (by_m) {
        (f.dbl ? x_vfnmadd213sd_rrr : x_vfnmadd213ss_rrr)(a, d, n, t);
    } else {
        d = t;
        if (f.packed) {
            (f.dbl ? x_vfnmadd231pd_rrr : x_vfnmadd231ps_rrr)(a, d, n, m);
        } else {
            (f.dbl ? x_vfnmadd231sd_rrr : x_vfnmadd231ss_rrr)(a, d, n, m);
        }
    }
    l_def(l, i, d, f.packed || d == t);
}

static void own_recps(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Format f = format_of(in);
    Reg n = l_reg(l, in->a), m = l_reg(l, in->b);
    uint64_t lock = l->lock;
    fp_compare_for_trap(l, f.packed, f.dbl, n, m, CMP_ORD_S);
    l->lock = lock;
    step(l, i, f, simd_consts.two, n, m);
}

/* 1.5 - n / 2 * m. The half must be exact: the smallest numbers trap, except 0. */
static void own_rsqrts(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Format f = format_of(in);
    Reg n = l_reg(l, in->a), m = l_reg(l, in->b);
    uint64_t lock = l->lock;
    fp_compare_for_trap(l, f.packed, f.dbl, n, m, CMP_ORD_S);
    l->lock = lock;
    Reg u = l_temp_x(l), t = l_temp_x(l);
    left(a, f, u, n, 1);
    add(a, f, u, u, fp_const(l, &simd_consts.max[f.e])); /* 2 * |n| - 1, signs flipped */
    x_vmovaps_rm(a, t, fp_const(l, &simd_consts.halvable[f.e]));
    (f.dbl ? x_vpcmpgtq_rrr : x_vpcmpgtd_rrr)(a, t, t, u);
    fp_compare_for_trap(l, f.packed, f.dbl, t, t, CMP_ORD_S);
    l->lock = lock;
    Reg h = l_temp_x(l);
    Mem half = fp_const(l, &simd_consts.half[f.e]);
    if (f.packed) {
        (f.dbl ? x_vmulpd_rrm : x_vmulps_rrm)(a, h, n, half);
    } else {
        (f.dbl ? x_vmulsd_rrm : x_vmulss_rrm)(a, h, n, half);
    }
    step(l, i, f, simd_consts.one_half, h, m);
}

/* -- estimates ------------------------------------------------------------------------------------------------ */

/* v = in the low byte of each lane, the table's entry for the index in the lane of t: its low 8 or, wide, 16 bits. */
static void look_up(Lower *l, unsigned lanes, Reg v, Reg t, const uint8_t *table, bool wide)
{
    Asm *a = &l->a;
    Reg g = l_temp(l), base = l_temp(l);
    x_lea(a, 1, base, mem_rip(l->t->consts + (table - (const uint8_t *)&simd_consts)));
    x_vpxor_rrr(a, v, v, v);
    for (unsigned k = 0; k < lanes; k++) {
        unsigned at = lanes == 2 ? 8 * k : 4 * k;
        if (wide) {
            x_vpextrw_rri(a, t, g, at / 2);
        } else {
            x_vpextrb_rri(a, t, g, at);
        }
        Mem m = mem(base, 0);
        m.index = g;
        x_vpinsrb_rrmi(a, v, v, m, at);
    }
}

/* Of normal numbers: the exponent is mirrored, the sign stays. */
static void own_recpe(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Format f = format_of(in);
    Reg s = l_reg(l, in->a);
    uint64_t lock = l->lock;
    Reg t = l_temp_x(l);
    left(a, f, t, s, 1);
    add(a, f, t, t, fp_const(l, &simd_consts.recip_from[f.e]));
    trap_if_greater(l, f, t, fp_const(l, &simd_consts.recip_last[f.e]));
    l->lock = lock | bit(t);
    Reg v = l_temp_x(l), x = l_temp_x(l);
    right(a, f, t, s, f.fraction - 8);
    look_up(l, f.lanes, v, t, simd_consts.recip, false);
    left(a, f, v, v, f.fraction - 8);
    right(a, f, t, s, f.fraction);
    left(a, f, t, t, f.fraction);
    x_vmovaps_rm(a, x, fp_const(l, &simd_consts.recip_exp[f.e]));
    sub(a, f, x, x, t);
    Reg d = l_dst(l, i, false);
    x_vpor_rrr(a, d, x, v);
    l_def(l, i, d, f.packed);
}

/* Of positive normal numbers: three times the bias less the exponent, halved. */
static void own_rsqrte(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Format f = format_of(in);
    int width = f.dbl ? 64 : 32;
    Reg s = l_reg(l, in->a);
    uint64_t lock = l->lock;
    Reg t = l_temp_x(l);
    add(a, f, t, s, fp_const(l, &simd_consts.rsqrt_from[f.e]));
    trap_if_greater(l, f, t, fp_const(l, &simd_consts.rsqrt_last[f.e]));
    l->lock = lock | bit(t);
    Reg v = l_temp_x(l), x = l_temp_x(l);
    left(a, f, t, s, width - f.fraction - 1);
    right(a, f, t, t, width - 9);
    look_up(l, f.lanes, v, t, simd_consts.rsqrt, true);
    left(a, f, v, v, f.fraction - 8);
    right(a, f, t, s, f.fraction);
    x_vmovaps_rm(a, x, fp_const(l, &simd_consts.rsqrt_exp[f.e]));
    sub(a, f, x, x, t);
    right(a, f, x, x, 1);
    left(a, f, x, x, f.fraction);
    Reg d = l_dst(l, i, false);
    x_vpor_rrr(a, d, x, v);
    l_def(l, i, d, f.packed);
}

/* FRECPX: the exponent's complement, no fraction. Zeros and denormals, of which it is another one, trap. */
static void own_recpx(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Format f = format_of(in);
    Reg s = l_reg(l, in->a);
    uint64_t lock = l->lock;
    fp_compare_for_trap(l, false, f.dbl, s, s, CMP_ORD_S);
    l->lock = lock;
    Reg t = l_temp_x(l), zero = l_temp_x(l);
    left(a, f, t, s, 1);
    right(a, f, t, t, f.fraction + 1);
    x_vpxor_rrr(a, zero, zero, zero);
    (f.dbl ? x_vpcmpeqq_rrr : x_vpcmpeqd_rrr)(a, t, t, zero);
    fp_compare_for_trap(l, false, f.dbl, t, t, CMP_ORD_S);
    l->lock = lock | bit(t);
    right(a, f, t, s, f.fraction);
    left(a, f, t, t, f.fraction);
    Reg d = l_dst(l, i, false);
    x_vpxor_rrm(a, d, t, fp_const(l, &simd_consts.inf[f.e]));
    l_def(l, i, d, false);
}

/* -- estimates of integers -------------------------------------------------------------------------------------- */

/* x = estimates with their leading ones, of what is in v; all ones in lanes of s without the sign bit */
static void finish(Lower *l, IrRef i, Reg v, Reg s, Reg t)
{
    Asm *a = &l->a;
    x_vpsrad_rri(a, t, s, 31);
    x_vpslld_rri(a, v, v, 23);
    x_vpor_rrm(a, v, v, fp_const(l, &simd_consts.sign[E_S]));
    x_vpxor_rrm(a, t, t, fp_const(l, &simd_consts.ones));
    Reg d = l_dst(l, i, false);
    x_vpor_rrr(a, d, v, t);
    l_def(l, i, d, true);
}

static void own_urecpe(Lower *l, IrRef i)
{
    Asm *a = &l->a;
    Reg s = l_reg(l, l_ins(l, i)->a), t = l_temp_x(l), v = l_temp_x(l);
    x_vpsrld_rri(a, t, s, 23);
    look_up(l, 4, v, t, simd_consts.recip, false);
    finish(l, i, v, s, t);
}

/* A number without the sign bit moves to the left by one; that is what the index has bit 8 for. */
static void own_ursqrte(Lower *l, IrRef i)
{
    Asm *a = &l->a;
    Reg s = l_reg(l, l_ins(l, i)->a), t = l_temp_x(l), v = l_temp_x(l), y = l_temp_x(l);
    x_vpsrad_rri(a, t, s, 31);
    x_vpandn_rrr(a, y, t, s);
    x_vpaddd_rrr(a, y, y, s);
    x_vpsrld_rri(a, t, s, 31);
    x_vpslld_rri(a, t, t, 8);
    x_vpsrld_rri(a, v, y, 23);
    x_vpxor_rrr(a, t, t, v);
    look_up(l, 4, v, t, simd_consts.rsqrt, true);
    finish(l, i, v, y, t);
}

// clang-format off
const Rule rules_recip[] = {
    OWN(f_recps, TY(F32) | TY(F64), 0, own_recps)
    OWN(vf_recps, 0, X(E_S) | X(E_D), own_recps)
    OWN(f_rsqrts, TY(F32) | TY(F64), 0, own_rsqrts)
    OWN(vf_rsqrts, 0, X(E_S) | X(E_D), own_rsqrts)
    OWN(f_recpe, TY(F32) | TY(F64), 0, own_recpe)
    OWN(vf_recpe, 0, X(E_S) | X(E_D), own_recpe)
    OWN(f_rsqrte, TY(F32) | TY(F64), 0, own_rsqrte)
    OWN(vf_rsqrte, 0, X(E_S) | X(E_D), own_rsqrte)
    OWN(f_recpx, TY(F32) | TY(F64), 0, own_recpx)
    OWN(v_urecpe, 0, X(E_S), own_urecpe)
    OWN(v_ursqrte, 0, X(E_S), own_ursqrte)
};
// clang-format on
const unsigned rules_recip_n = LEN(rules_recip);
