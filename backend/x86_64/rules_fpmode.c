/* rules_fpmode.c - FPCR.FZ, FPCR.DN and exact underflow on the host's instructions: checks that trap where plain results would differ.
 *
 * A check stands in front of the lowering of rules_fp.c or rules_vfp.c, writes no guest state, and sends the instruction to
 * the reference by a trap (docs/floating-point.md).
 *
 * FZ: MXCSR flushes nothing. Its denormal-operand and underflow exceptions are unmasked, so a denormal coming in or a tiny
 * result traps and the reference does what FZ says (zero, FPSR.IDC or UFC). Three things the host does not see:
 *   - a denormal beside a quiet NaN: as for DN;
 *   - FRINT* and conversions to integers do not raise denormal-operand: a comparison of the operand does;
 *   - Arm looks whether a result is tiny before rounding, x86 after it. Products, quotients and conversions to single
 *     between the largest denormal and the smallest normal number are computed a second time, rounded towards zero
 *     with all exceptions suppressed: then they are denormal, which a comparison tells. Sums that small are exact.
 * A flushed result raises UFC only, but the host may set its inexact flag at that trap. So inexact is unmasked too
 * until FPSR.IXC is set, and the host's flag does not count (target.c).
 *
 * UFC (KEY_FP_UFC, without FZ): the second computation serves here too. Where it is denormal and the guest may look at FPSR,
 * the reference does the instruction; a comparison of NaNs, masked with the denormal lanes, traps.
 *
 * DN: a signalling comparison of the operands traps when one is a NaN (or, with FZ, a denormal). Other NaNs come from
 * invalid operations, which trap anyway.
 */
#include "fp_lower.h"

enum { FP_CLASS_DENORMAL = 0x20 }; /* of vfpclass */

typedef enum Kind {
    K_NONE,   /* nothing to check */
    K_ADD,    /* two operands, exact when tiny */
    K_SQRT,
    K_MUL, K_DIV, K_FMA,
    K_ROUND,  /* to integral, or to an integer */
    K_CVT
} Kind;

static Kind kind_of(unsigned op)
{
    switch (op) {
    case OP_f_add: case OP_f_sub: case OP_f_max: case OP_f_min: case OP_f_maxnm: case OP_f_minnm:
    case OP_vf_add: case OP_vf_sub: case OP_vf_max: case OP_vf_min: case OP_vf_maxnm: case OP_vf_minnm:
    case OP_vf_cmp:
        return K_ADD;
    case OP_f_sqrt: case OP_vf_sqrt:
        return K_SQRT;
    case OP_f_mul: case OP_vf_mul: case OP_f_mulx: case OP_vf_mulx:
        return K_MUL;
    case OP_f_div: case OP_vf_div:
        return K_DIV;
    case OP_f_fma: case OP_vf_fma:
        return K_FMA;
    case OP_f_rint: case OP_vf_rint: case OP_f_rint_n: case OP_vf_rint_n: case OP_f_to_i: case OP_vf_to_i:
    case OP_f_jcvt: case OP_f_jcvt_exact:
        return K_ROUND;
    case OP_f_cvt: case OP_vf_widen: case OP_vf_narrow:
        return K_CVT;
    default:
        return K_NONE;
    }
}

/* t = the op on doubles or singles, rounded towards zero, raising nothing. */
static void round_to_zero(Lower *l, const IrIns *in, Kind kind, bool packed, bool dbl, Reg t)
{
    Asm *a = &l->a;
    Reg n = l_reg(l, in->a), m = kind == K_CVT ? NOREG : l_reg(l, in->b);
    if (kind == K_FMA) {
        l_mov(l, TV128, t, l_reg(l, in->c));
        if (packed) {
            (dbl ? x_vfmadd231pd_rz_rrr : x_vfmadd231ps_rz_rrr)(a, t, n, m);
        } else {
            (dbl ? x_vfmadd231sd_rz_rrr : x_vfmadd231ss_rz_rrr)(a, t, n, m);
        }
    } else if (kind == K_CVT && packed) {
        x_vcvtpd2ps_rz_rr(a, t, n);
    } else if (kind == K_CVT) {
        x_vcvtsd2ss_rz_rrr(a, t, n, n);
    } else if (kind == K_MUL && packed) {
        (dbl ? x_vmulpd_rz_rrr : x_vmulps_rz_rrr)(a, t, n, m);
    } else if (kind == K_MUL) {
        (dbl ? x_vmulsd_rz_rrr : x_vmulss_rz_rrr)(a, t, n, m);
    } else if (packed) {
        (dbl ? x_vdivpd_rz_rrr : x_vdivps_rz_rrr)(a, t, n, m);
    } else {
        (dbl ? x_vdivsd_rz_rrr : x_vdivss_rz_rrr)(a, t, n, m);
    }
    fp_embed_rz(a);
}

static bool flush_check(Lower *l, const IrIns *in, Kind kind, bool packed, bool dbl)
{
    if (kind == K_ROUND) {
        bool to_int = in->op == OP_f_to_i || in->op == OP_vf_to_i;
        if (to_int && ((in->y & FPR_MASK) != FPR_ZERO || ((in->y & FPI_UNSIGNED) && !l->t->feat.avx512))) {
            return false; /* several instructions, of which some may raise inexact */
        }
        return true;
    }
    if (kind == K_CVT && !dbl) {
        bool to_half = in->op == OP_vf_narrow || (in->op == OP_f_cvt && in->y == E_H);
        return !to_half; /* half precision is not flushed, but its underflow would trap */
    }
    if (kind < K_MUL || in->op == OP_vf_widen) {
        return true;
    }
    if (!l->t->feat.avx512) {
        return false;
    }
    Reg t = l_temp_x(l);
    round_to_zero(l, in, kind, packed, dbl, t);
    if (kind == K_CVT && packed) {
        x_vmovq_rr(&l->a, t, t);
    }
    fp_compare_for_trap(l, packed, dbl && kind != K_CVT, t, t, CMP_EQ_Q);
    return true;
}

/* Conversions to half precision are not worth the trouble; converting halves, nothing is tiny. */
static bool underflow_check(Lower *l, const IrIns *in, Kind kind, IrElem e, bool packed)
{
    Asm *a = &l->a;
    bool to_half = in->op == OP_f_cvt ? in->y == E_H : in->op == OP_vf_narrow && e == E_S;
    if (kind < K_MUL || kind == K_ROUND || in->op == OP_vf_widen || (in->op == OP_f_cvt && in->y > in->x)) {
        return true;
    }
    if (!l->t->feat.avx512 || to_half) {
        return false;
    }
    Reg t = l_temp_x(l);
    round_to_zero(l, in, kind, packed, e == E_D, t);
    if (!packed || kind == K_CVT) {
        x_vmovq_rr(a, t, t); /* what is above */
    }
    if (e == E_D && kind != K_CVT) {
        x_vfpclasspd_k_rri(a, K1, t, FP_CLASS_DENORMAL);
    } else {
        x_vfpclassps_k_rri(a, K1, t, FP_CLASS_DENORMAL);
    }
    x_vpternlog_rrri(a, t, t, t, 0xff);
    l_fault(l);
    x_vcmpps_k_rrri(a, K1, t, t, CMP_ORD_S);
    a->p[-4] |= K1; /* only lanes of the mask */
    return true;
}

static void nan_check(Lower *l, const IrIns *in, Kind kind, bool packed, bool dbl)
{
    Reg s = l_reg(l, in->a), second = s;
    if (kind == K_ADD || kind == K_MUL || kind == K_DIV || kind == K_FMA) {
        second = l_reg(l, in->b);
    }
    fp_compare_for_trap(l, packed, dbl, s, second, CMP_ORD_S);
}

bool fpmode_check(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Kind kind = kind_of(in->op);
    bool packed = in->op >= OP_vf_add, fz = l->r->key & KEY_FP_FZ;
    bool by_format = in->op == OP_f_cvt || in->op == OP_f_to_i || in->op == OP_f_jcvt || in->op == OP_f_jcvt_exact;
    IrElem e = packed || by_format ? (IrElem)in->x : ir_fp_elem((IrType)in->ty);
    if (fz && !l->t->feat.avx512) { /* several instructions, of which each may raise inexact */
        bool i64 = in->op == OP_i_to_f && (in->y & FPI_UNSIGNED) && (in->y & FPI_64);
        bool lanes = (in->op == OP_vf_from_i && (e == E_D || (in->y & FPI_UNSIGNED))) || (in->op == OP_vf_to_i && e == E_D);
        if (i64 || lanes) {
            return false;
        }
    }
    bool halves = e == E_H && in->op != OP_f_cvt && in->op != OP_vf_widen;
    if (halves || in->op == OP_vf_mlal) { /* rules_half.c */
        return false;
    }
    if (kind == K_NONE) {
        return true;
    }
    uint64_t lock = l->lock;
    if (!(l->r->key & (KEY_FP_FZ | KEY_FP_DN))) {
        bool good = underflow_check(l, in, kind, e, packed);
        l->lock = lock;
        return good;
    }
    if (e != E_S && e != E_D) {
        return !(l->r->key & KEY_FP_DN);
    }
    nan_check(l, in, kind, packed, e == E_D);
    l->lock = lock; /* what a check had in temporaries is not needed any more */
    bool ufc = l->r->key & KEY_FP_UFC;
    bool good = fz ? flush_check(l, in, kind, packed, e == E_D) : !ufc || underflow_check(l, in, kind, e, packed);
    l->lock = lock;
    return good;
}
